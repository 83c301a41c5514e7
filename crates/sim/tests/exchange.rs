//! The simulated exchange over loopback, with a manager connection and a
//! FastAGI server of this repository on the other side.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use strowger_agi::{CommandError, ExecResult, RecordingEnd, Server, ServerConfig, Session};
use strowger_ami::{
    Action, ClientConfig, Consumer, Decoded, Decoder, Event, Kind, Message, Notice,
    actions::{self, OriginateRequest},
};
use strowger_sim::{Callee, Outcome, SimConfig, SimExchange, Verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const LONG: Duration = Duration::from_secs(20);
const SCALE: f64 = 20.0;

/// An exchange and the daemon's side of it.
struct World {
    exchange: SimExchange,
    sessions: mpsc::Receiver<(Session, oneshot::Sender<()>)>,
    agi: CancellationToken,
    tracker: TaskTracker,
}

impl World {
    async fn new(change: impl FnOnce(&mut SimConfig)) -> Self {
        let (tracker, agi) = (TaskTracker::new(), CancellationToken::new());
        let (sender, sessions) = mpsc::channel(100);
        let server = serve_agi(([127, 0, 0, 1], 0).into(), &tracker, &agi, sender).await;
        let mut config = SimConfig::new(server, "strowger", "secret");
        config.time_scale = SCALE;
        change(&mut config);
        let exchange = SimExchange::start(config, &tracker, CancellationToken::new())
            .await
            .unwrap();
        Self {
            exchange,
            sessions,
            agi,
            tracker,
        }
    }

    async fn manager(&self) -> Manager {
        let mut manager = Manager::connect(self.exchange.ami_addr()).await;
        manager.log_in().await;
        manager
    }

    /// The next session that the exchange opens.
    async fn session(&mut self) -> (Session, oneshot::Sender<()>) {
        timeout(LONG, self.sessions.recv()).await.unwrap().unwrap()
    }
}

async fn serve_agi(
    listen: SocketAddr,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
    sender: mpsc::Sender<(Session, oneshot::Sender<()>)>,
) -> SocketAddr {
    let server = Server::bind(ServerConfig {
        listen,
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        max_sessions: 1_000,
        environment_timeout: LONG,
        command_timeout: LONG,
        drain_timeout: None,
    })
    .await
    .unwrap();
    let address = server.local_addr();
    let (inner, cancel) = (tracker.clone(), cancel.clone());
    tracker.spawn(async move {
        server
            .run(&inner, cancel, move |session| {
                let sender = sender.clone();
                async move {
                    let (done, wait) = oneshot::channel();
                    if sender.send((session, done)).await.is_ok() {
                        let _ = wait.await;
                    }
                }
            })
            .await;
    });
    address
}

/// A manager connection that keeps all events.
struct Manager {
    stream: TcpStream,
    decoder: Decoder,
    events: Vec<Message>,
    number: u32,
}

impl Manager {
    async fn connect(address: SocketAddr) -> Self {
        let mut manager = Self {
            stream: TcpStream::connect(address).await.unwrap(),
            decoder: Decoder::new(),
            events: Vec::new(),
            number: 0,
        };
        let banner = manager.read().await;
        assert!(matches!(banner, Some(Decoded::Banner { .. })));
        manager
    }

    async fn log_in(&mut self) {
        let challenge = self.ask(actions::challenge()).await;
        let challenge = challenge.get("Challenge").unwrap().into_owned();
        let key = actions::md5_key(&challenge, &"secret".into());
        let response = self.ask(actions::login_md5("strowger", &key, "on")).await;
        assert_eq!(response.name(), "Success");
        self.until("FullyBooted", |_| true).await;
    }

    /// What comes next; `None` at the end of the connection.
    async fn read(&mut self) -> Option<Decoded> {
        loop {
            if let Some(decoded) = self.decoder.next() {
                return Some(decoded.unwrap());
            }
            let mut buffer = [0; 4_096];
            let read = timeout(LONG, self.stream.read(&mut buffer)).await;
            match read.unwrap() {
                Ok(count @ 1..) => self.decoder.push(&buffer[..count]),
                _ => return None,
            }
        }
    }

    async fn message(&mut self) -> Message {
        match self.read().await {
            Some(Decoded::Frame(frame)) => frame,
            other => panic!("{other:?}"),
        }
    }

    /// Sends an action and gives its response.
    async fn ask(&mut self, action: Action) -> Message {
        self.number += 1;
        let id = self.number.to_string();
        let bytes = action.encode(&id).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
        loop {
            let message = self.message().await;
            if message.kind() == Kind::Response {
                assert_eq!(message.action_id().as_deref(), Some(&*id));
                return message;
            }
            self.events.push(message);
        }
    }

    /// Reads until an event of this name for which `is` holds, which may have
    /// come already.
    async fn until(&mut self, name: &str, is: impl Fn(&Message) -> bool) -> Message {
        let mut seen = 0;
        loop {
            while seen < self.events.len() {
                let event = &self.events[seen];
                if event.name() == name && is(event) {
                    return event.clone();
                }
                seen += 1;
            }
            let message = self.message().await;
            assert_eq!(message.kind(), Kind::Event);
            self.events.push(message);
        }
    }

    /// Waits until a channel is gone.
    async fn hung_up(&mut self, unique_id: &str) -> Message {
        self.until("Hangup", |event| is_of(event, unique_id)).await
    }

    /// Names of the events so far about a channel, with their status.
    fn story(&self, unique_id: &str) -> Vec<String> {
        let about = |event: &&Message| {
            is_of(event, unique_id) || event.get("DestUniqueid").as_deref() == Some(unique_id)
        };
        self.events
            .iter()
            .filter(about)
            .filter(|event| event.name() != "CoreShowChannel")
            .map(|event| match event.get("DialStatus") {
                Some(status) => format!("{} {status}", event.name()),
                None => event.name().into_owned(),
            })
            .collect()
    }

    async fn originate(&mut self, channel: &str, id: &str, context: &str, exten: &str) {
        let request = OriginateRequest {
            channel: channel.to_owned(),
            channel_id: id.to_owned(),
            context: context.to_owned(),
            exten: exten.to_owned(),
            priority: 1,
            caller_id: Some("\"Shop\" <331>".to_owned()),
            timeout_ms: 30_000,
            variables: vec![
                ("STROWGER_ATTEMPT".to_owned(), id.to_owned()),
                ("STROWGER_AMD".to_owned(), "1".to_owned()),
            ],
            ..OriginateRequest::default()
        };
        let response = self.ask(actions::originate(&request)).await;
        assert_eq!(
            response.get("Message").unwrap(),
            "Originate successfully queued"
        );
    }

    async fn call(&mut self, number: &str, id: &str) {
        let channel = format!("PJSIP/{number}@carrier");
        self.originate(&channel, id, "strowger-dialer", "s").await;
    }

    /// Nails a leg up and gives its name.
    async fn leg(&mut self, station: &str, id: &str) -> String {
        let channel = format!("PJSIP/{station}");
        self.originate(&channel, id, "strowger-agent", "leg").await;
        let response = self.until("OriginateResponse", |e| is_of(e, id)).await;
        assert_eq!(response.get("Reason").unwrap(), "4");
        response.get("Channel").unwrap().into_owned()
    }

    /// The channels by uniqueid, from a complete list.
    async fn channels(&mut self) -> HashMap<String, Message> {
        let before = self.events.len();
        let response = self.ask(actions::core_show_channels()).await;
        assert_eq!(response.get("EventList").unwrap(), "start");
        let id = response.action_id().unwrap().into_owned();
        let mine = |event: &Message| event.action_id().as_deref() == Some(&*id);
        let end = self.until("CoreShowChannelsComplete", mine).await;
        let list: HashMap<_, _> = self.events[before..]
            .iter()
            .filter(|event| event.name() == "CoreShowChannel" && mine(event))
            .map(|event| (event.get("Uniqueid").unwrap().into_owned(), event.clone()))
            .collect();
        assert_eq!(end.get("ListItems").unwrap(), list.len().to_string());
        list
    }
}

fn is_of(event: &Message, unique_id: &str) -> bool {
    event.get("Uniqueid").as_deref() == Some(unique_id)
}

fn human() -> Callee {
    Callee::new(Outcome::Human)
}

#[tokio::test]
async fn a_call_is_bridged_to_an_agent() {
    let mut world = World::new(|config| {
        let callee = human().judged(Verdict::Human, Duration::from_secs(1));
        config.pins.insert("33100".to_owned(), callee);
    })
    .await;
    let mut manager = world.manager().await;
    let leg = manager.leg("101", "leg_1").await;
    manager.call("33100", "att_1").await;

    let (mut session, done) = world.session().await;
    let environment = session.environment();
    assert_eq!(environment.network_script(), "dialer");
    assert!(environment.args().eq(["att_1", "HUMAN", "HUMAN-800-800"]));
    assert_eq!(environment.unique_id(), Some("att_1"));
    assert_eq!(environment.context(), Some("strowger-dialer"));
    session.set_variable("STROWGER_DONE", "1").await.unwrap();
    let bridged = timeout(LONG, session.exec("Bridge", &[&leg]))
        .await
        .unwrap();
    assert_eq!(bridged, Ok(ExecResult::Returned(0)));
    assert_eq!(session.check_hung_up().await, Ok(true));
    assert_eq!(session.answer().await, Err(CommandError::HungUp));
    let result = session.get_variable("BRIDGERESULT").await.unwrap();
    assert_eq!(result.as_deref(), Some("SUCCESS"));
    // The channel exists until the session is over.
    assert_eq!(manager.channels().await.len(), 2);
    drop((session, done));

    let hangup = manager.hung_up("att_1").await;
    assert_eq!(hangup.get("Cause").unwrap(), "16");
    assert_eq!(hangup.get("Cause-txt").unwrap(), "Normal Clearing");
    // Met an older channel, so the id of the call is that of the leg.
    assert_eq!(hangup.get("Linkedid").unwrap(), "leg_1");
    assert_eq!(
        manager.story("att_1"),
        [
            "Newchannel",
            "DialBegin",
            "Newstate",
            "DialState RINGING",
            "Newstate",
            "DialEnd ANSWER",
            "OriginateResponse",
            "BridgeEnter",
            "HangupRequest",
            "BridgeLeave",
            "Hangup"
        ]
    );
    let bridge: Vec<_> = manager
        .events
        .iter()
        .filter_map(|event| {
            let number = event.get("BridgeNumChannels")?;
            let of = event.get("Uniqueid").unwrap_or_default();
            Some(format!("{} {number} {of}", event.name()))
        })
        .collect();
    assert_eq!(
        bridge,
        [
            "BridgeCreate 0 ",
            "BridgeEnter 1 leg_1",
            "BridgeEnter 2 att_1",
            "BridgeLeave 1 att_1",
            "BridgeLeave 0 leg_1",
            "BridgeDestroy 0 "
        ]
    );
    // The leg idles again.
    let channels = manager.channels().await;
    assert_eq!(channels.len(), 1);
    assert_eq!(channels["leg_1"].get("Application").unwrap(), "Wait");
    let stats = world.exchange.stats().await;
    assert_eq!((stats.originates, stats.conversations), (2, 1));
    assert_eq!((stats.answered_human, stats.stations_answered), (1, 1));
    assert_eq!((stats.abandoned, stats.stolen_legs), (0, 0));
    assert!(stats.duplicates().is_empty());
}

#[tokio::test]
async fn failures_have_their_signals() {
    let outcomes = [
        (Outcome::Busy, "5", "17", "BUSY", Some("486")),
        (Outcome::Rejected, "0", "21", "NOANSWER", Some("603")),
        (Outcome::Unallocated, "0", "1", "NOANSWER", Some("404")),
        (Outcome::Congestion, "8", "34", "CONGESTION", Some("503")),
        (Outcome::NoAnswer, "3", "19", "NOANSWER", None),
    ];
    let world = World::new(|config| {
        for (number, (outcome, ..)) in outcomes.iter().enumerate() {
            config
                .pins
                .insert(number.to_string(), Callee::new(*outcome));
        }
    })
    .await;
    let mut manager = world.manager().await;
    for (number, (outcome, reason, cause, status, tech_cause)) in outcomes.iter().enumerate() {
        let id = format!("att_{number}");
        manager.call(&number.to_string(), &id).await;
        let hangup = manager.hung_up(&id).await;
        assert_eq!(hangup.get("Cause").unwrap(), *cause);
        assert_eq!(hangup.get("TechCause").as_deref(), *tech_cause);
        let response = manager.until("OriginateResponse", |e| is_of(e, &id)).await;
        assert_eq!(response.get("Response").unwrap(), "Failure");
        assert_eq!(response.get("Reason").unwrap(), *reason);
        assert!(response.action_id().is_some());
        assert_eq!(Event::parse(response.clone()).raw(), &response);

        let story = manager.story(&id);
        let place = |name: &str| story.iter().position(|event| event.starts_with(name));
        let end = place(&format!("DialEnd {status}")).unwrap();
        let answer = place("OriginateResponse").unwrap();
        assert_eq!(answer < end, *outcome == Outcome::Busy, "{story:?}");
        assert_eq!(story.last().unwrap(), "Hangup");
        let again = matches!(outcome, Outcome::Rejected | Outcome::Unallocated);
        assert_eq!(place("DialEnd CANCEL").is_some(), again, "{story:?}");
    }
    let stats = world.exchange.stats().await;
    assert_eq!((stats.busy, stats.rejected, stats.unallocated), (1, 1, 1));
    assert_eq!(
        (stats.congestion, stats.no_answer, stats.channels),
        (1, 1, 0)
    );
    assert_eq!(stats.sessions_opened, 0);
}

#[tokio::test]
async fn a_hangup_reaches_the_session() {
    let mut world = World::new(|config| {
        config.pins.insert("33100".to_owned(), human());
        let short = human().patience(Duration::from_secs(6));
        config.time_scale = 5.0;
        config.pins.insert("33101".to_owned(), short);
    })
    .await;
    let mut manager = world.manager().await;

    // By manager action, while the session idles.
    manager.call("33100", "att_1").await;
    let (mut session, done) = world.session().await;
    let response = manager.ask(actions::hangup("att_1", Some(21))).await;
    assert_eq!(response.name(), "Success");
    timeout(LONG, session.wait_hangup()).await.unwrap();
    assert_eq!(session.answer().await, Err(CommandError::HungUp));
    session.set_variable("A", "b").await.unwrap();
    drop((session, done));
    let hangup = manager.hung_up("att_1").await;
    assert_eq!(hangup.get("Cause").unwrap(), "21");
    assert!(
        manager
            .story("att_1")
            .contains(&"SoftHangupRequest".to_owned())
    );

    // By a caller who is tired of waiting, during a command.
    manager.call("33101", "att_2").await;
    let (mut session, done) = world.session().await;
    let waited = session.exec("MusicOnHold", &["default"]).await;
    assert_eq!(waited, Err(CommandError::HungUp));
    drop((session, done));
    manager.hung_up("att_2").await;

    // By a caller who is being recorded.
    manager.call("33100", "att_4").await;
    let (mut session, done) = world.session().await;
    let exchange = &world.exchange;
    let caller = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(exchange.hang_up("att_4", 16).await);
    };
    let limit = Duration::from_mins(1);
    let recording = session.record_file("f", "wav", "", limit, false, None);
    let (recording, ()) = tokio::join!(recording, caller);
    let recording = recording.unwrap();
    assert_eq!(recording.end, RecordingEnd::Hangup);
    assert!(recording.samples > 0);
    drop((session, done));
    manager.hung_up("att_4").await;

    // By the session itself.
    manager.call("33100", "att_3").await;
    let (mut session, done) = world.session().await;
    session.hangup().await.unwrap();
    timeout(LONG, session.wait_hangup()).await.unwrap();
    drop((session, done));
    manager.hung_up("att_3").await;
    assert_eq!(world.exchange.stats().await.abandoned, 4);
}

#[tokio::test]
async fn prompts_and_digits_of_an_inbound_call() {
    let mut world = World::new(|_| {}).await;
    let mut manager = world.manager().await;
    let id = world
        .exchange
        .inject_inbound("33800", "33612", ["1", "4711#", "", "25"])
        .await
        .unwrap();
    let (mut session, done) = world.session().await;
    let environment = session.environment();
    assert_eq!(environment.network_script(), "inbound");
    assert!(environment.args().eq(["33800"]));
    assert_eq!(environment.caller_id(), Some("33612"));
    assert_eq!(environment.unique_id(), Some(&*id));
    assert_eq!(environment.dnid(), Some("33800"));
    session.answer().await.unwrap();
    let played = session.stream_file("welcome", "12").await.unwrap();
    assert_eq!((played.digit, played.end_position), (Some('1'), 8_000));
    let five = Duration::from_secs(5);
    let pin = session.get_data("pin", five, 10).await.unwrap();
    assert_eq!((&*pin.digits, pin.timed_out), ("4711", false));
    let nothing = session.get_data("pin", five, 4).await.unwrap();
    assert_eq!((&*nothing.digits, nothing.timed_out), ("", true));
    let choice = session.get_data("menu", five, 1).await.unwrap();
    assert_eq!((&*choice.digits, choice.timed_out), ("2", false));
    assert_eq!(session.wait_for_digit(five).await, Ok(None));
    assert_eq!(session.stream_file("bye", "").await.unwrap().digit, None);
    assert_eq!(
        session.exec("Nope", &[]).await,
        Ok(ExecResult::NoSuchApplication)
    );
    assert_eq!(
        session.exec("MixMonitor", &["a.wav"]).await,
        Ok(ExecResult::Returned(0))
    );
    let unknown = session.command(strowger_agi::Command::new("TEA")).await;
    assert!(matches!(
        unknown,
        Err(CommandError::Refused { code: 510, .. })
    ));
    let full = session
        .get_full_variable("<${CALLERID(num)}>")
        .await
        .unwrap();
    assert_eq!(full.as_deref(), Some("<33612>"));
    session.hangup().await.unwrap();
    drop((session, done));
    manager.hung_up(&id).await;
    assert_eq!(
        manager.story(&id),
        [
            "Newchannel",
            "Newstate",
            "MixMonitorStart",
            "MixMonitorStop",
            "Hangup"
        ]
    );
}

#[tokio::test]
async fn dial_rings_an_agent() {
    let mut world = World::new(|config| {
        let talkative = human().patience(Duration::from_mins(10));
        config.pins.insert("33100".to_owned(), talkative);
        config
            .pins
            .insert("102".to_owned(), Callee::new(Outcome::Busy));
        config
            .pins
            .insert("103".to_owned(), Callee::new(Outcome::NoAnswer));
    })
    .await;
    let mut manager = world.manager().await;
    manager.call("33100", "att_1").await;
    let (mut session, done) = world.session().await;
    for (station, status) in [("102", "BUSY"), ("103", "NOANSWER"), ("x@", "CHANUNAVAIL")] {
        let endpoint = match station {
            "x@" => "SIP/102".to_owned(),
            station => format!("PJSIP/{station}"),
        };
        let dialed = session.exec("Dial", &[&endpoint, "5"]).await;
        assert_eq!(dialed, Ok(ExecResult::Returned(0)));
        let seen = session.get_variable("DIALSTATUS").await.unwrap();
        assert_eq!(seen.as_deref(), Some(status));
    }
    // The agent ends the conversation: the caller is alive, Dial failed.
    let exchange = world.exchange.clone();
    let agent = async {
        let enter = manager.until("BridgeEnter", |e| !is_of(e, "att_1")).await;
        assert_eq!(enter.get("Linkedid").unwrap(), "att_1");
        let id = enter.get("Uniqueid").unwrap().into_owned();
        assert!(exchange.hang_up(&id, 16).await);
        manager.hung_up(&id).await;
    };
    let (dialed, ()) = tokio::join!(session.exec("Dial", &["PJSIP/101", "20"]), agent);
    assert_eq!(dialed, Ok(ExecResult::Returned(-1)));
    assert!(!session.is_hung_up());
    // The caller ends the next one while it rings.
    let ringing = async {
        manager
            .until("DialBegin", |e| {
                e.get("DialString").as_deref() == Some("104")
            })
            .await;
        assert!(exchange.hang_up("att_1", 16).await);
    };
    let (dialed, ()) = tokio::join!(session.exec("Dial", &["PJSIP/104", "20"]), ringing);
    assert_eq!(dialed, Err(CommandError::HungUp));
    drop((session, done));
    manager.hung_up("att_1").await;
    assert!(manager.channels().await.is_empty());
}

#[tokio::test]
async fn a_call_is_offered_again_until_done() {
    let mut world = World::new(|config| {
        let patient = human().patience(Duration::from_mins(10));
        config.pins.insert("33100".to_owned(), patient);
    })
    .await;
    let mut manager = world.manager().await;
    let leg = manager.leg("101", "leg_1").await;
    // Sessions that end by themselves, as if the daemon were killed.
    manager.call("33100", "att_1").await;
    drop(world.session().await);
    let (mut session, done) = world.session().await;
    // The daemon is killed during a conversation, which goes on.
    session.set_variable("STROWGER_DONE", "1").await.unwrap();
    let soon = Duration::from_millis(200);
    let soon = timeout(soon, session.exec("Bridge", &[&leg])).await;
    assert!(soon.is_err());
    drop((session, done));
    let hangup = manager.hung_up("att_1").await;
    assert_eq!(hangup.get("Cause").unwrap(), "16");
    let left = manager.until("BridgeLeave", |e| is_of(e, "att_1")).await;
    assert_eq!(left.get("BridgeNumChannels").unwrap(), "1");
    assert_eq!(world.exchange.stats().await.sessions_opened, 2);

    // Nobody is there: the safe harbour, and the end.
    world.agi.cancel();
    world.tracker.close();
    drop(world.sessions);
    manager.call("33100", "att_2").await;
    let unserved = manager.until("UserEvent", |_| true).await;
    assert_eq!(unserved.get("UserEvent").unwrap(), "StrowgerUnserved");
    assert_eq!(unserved.get("Attempt").unwrap(), "att_2");
    manager.hung_up("att_2").await;
    let stats = world.exchange.stats().await;
    assert_eq!((stats.unserved, stats.sessions_failed), (1, 11));
}

#[tokio::test]
async fn faults() {
    let mut world = World::new(|config| {
        let patient = human().patience(Duration::from_mins(10));
        config.pins.insert("33100".to_owned(), patient);
    })
    .await;
    let mut manager = world.manager().await;
    manager.leg("101", "leg_1").await;
    manager.call("33100", "att_1").await;
    let (mut session, _done) = world.session().await;

    // The links are cut, the calls are not.
    world.exchange.cut_links().await;
    while manager.read().await.is_some() {}
    let mut manager = world.manager().await;
    let channels = manager.channels().await;
    assert_eq!(channels.len(), 2);
    let customer = &channels["att_1"];
    assert_eq!(customer.get("Application").unwrap(), "AGI");
    assert_eq!(customer.get("ChannelStateDesc").unwrap(), "Up");
    assert_eq!(customer.get("Context").unwrap(), "strowger-dialer");

    // Half-open: the answer comes late.
    let begin = tokio::time::Instant::now();
    world.exchange.freeze_ami(Duration::from_secs(6)).await;
    world.exchange.stats().await;
    manager.ask(actions::ping()).await;
    assert!(begin.elapsed() >= Duration::from_millis(250));

    // Everything twice.
    world.exchange.duplicate_events(1.0).await;
    manager.leg("102", "leg_2").await;
    world.exchange.duplicate_events(0.0).await;
    manager.channels().await;
    let story = manager.story("leg_2");
    let twice = |name: &str| story.iter().filter(|event| *event == name).count();
    assert_eq!((twice("Newchannel"), twice("OriginateResponse")), (2, 2));

    // All is gone without a word, and new connections are closed for a while.
    let before = manager.events.len();
    world.exchange.restart(Duration::from_secs(20)).await;
    let end = manager.read().await;
    assert!(end.is_none(), "{end:?}");
    assert_eq!(manager.events.len(), before);
    timeout(LONG, session.wait_hangup()).await.unwrap();
    let mut stream = TcpStream::connect(world.exchange.ami_addr()).await.unwrap();
    assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let mut manager = world.manager().await;
    assert!(manager.channels().await.is_empty());
    assert_eq!(world.exchange.stats().await.channels, 0);
}

#[tokio::test]
async fn manager_errors() {
    let world = World::new(|_| {}).await;
    let mut manager = Manager::connect(world.exchange.ami_addr()).await;
    let early = manager.ask(actions::ping()).await;
    assert_eq!(early.get("Message").unwrap(), "Permission denied");
    let login = actions::login_plain("strowger", &"wrong".into(), "on");
    let refused = manager.ask(login).await;
    assert_eq!(refused.get("Message").unwrap(), "Authentication failed");
    assert!(manager.read().await.is_none());

    let mut manager = Manager::connect(world.exchange.ami_addr()).await;
    let login = actions::login_plain("strowger", &"secret".into(), "on");
    assert_eq!(manager.ask(login).await.name(), "Success");
    for (action, message) in [
        (
            Action::new("Command").header("Command", "x"),
            "Permission denied",
        ),
        (actions::filter("!Event: VarSet"), "Permission denied"),
        (actions::hangup("PJSIP/none", None), "No such channel"),
        (Action::new("Originate"), "Channel not specified"),
        (
            Action::new("Tea"),
            "Invalid/unknown command: Tea. Use Action: ListCommands to show available commands.",
        ),
    ] {
        let response = manager.ask(action).await;
        assert_eq!(response.name(), "Error");
        assert_eq!(response.get("Message").unwrap(), message);
    }
    let long = format!("Action: Ping\r\nX: {}\r\n\r\n", "x".repeat(2_000));
    manager.stream.write_all(long.as_bytes()).await.unwrap();
    let response = manager.until_response().await;
    assert_eq!(
        response.get("Message").unwrap(),
        "Failed to parse message: line too long"
    );
    assert_eq!(response.action_id(), None);

    // A class that was not asked for is not sent.
    manager.ask(actions::events("off")).await;
    manager.call("1", "att_1").await;
    manager.ask(actions::ping()).await;
    assert!(manager.story("att_1").is_empty());
    assert_eq!(manager.ask(actions::logoff()).await.name(), "Goodbye");
    assert!(manager.read().await.is_none());
}

impl Manager {
    /// The next response, whatever its action.
    async fn until_response(&mut self) -> Message {
        loop {
            let message = self.message().await;
            if message.kind() == Kind::Response {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn a_channel_id_is_used_once() {
    let world = World::new(|config| config.max_channels = 2).await;
    let mut manager = world.manager().await;
    manager.leg("101", "leg_1").await;
    manager
        .originate("PJSIP/102", "leg_1", "strowger-agent", "leg")
        .await;
    let failed = |event: &Message| event.get("Reason").as_deref() == Some("0");
    let response = manager.until("OriginateResponse", failed).await;
    assert_eq!(response.get("Channel").unwrap(), "PJSIP/102");
    assert_eq!(world.exchange.stats().await.duplicates(), ["leg_1"]);
    // And there are only so many channels.
    manager.leg("102", "leg_2").await;
    manager
        .originate("PJSIP/103", "leg_3", "strowger-agent", "leg")
        .await;
    manager
        .until("OriginateResponse", |e| failed(e) && is_of(e, "leg_3"))
        .await;
    // An agent hangs up the phone.
    assert!(world.exchange.hang_up("leg_2", 16).await);
    manager.hung_up("leg_2").await;
    assert!(!world.exchange.hang_up("leg_2", 16).await);
}

#[tokio::test]
async fn many_calls_at_once() {
    let mut world = World::new(|config| config.time_scale = 200.0).await;
    let mut manager = world.manager().await;
    let ids: Vec<_> = (0..300).map(|n| format!("att_{n:032x}")).collect();
    let calls = async {
        for (number, id) in ids.iter().enumerate() {
            manager.call(&format!("331{number:08}"), id).await;
        }
        for id in &ids {
            manager.hung_up(id).await;
        }
    };
    let daemon = async {
        while let Some((mut session, _done)) = world.sessions.recv().await {
            session.hangup().await.unwrap();
        }
    };
    tokio::select! {
        () = calls => {}
        () = daemon => {}
    }
    let stats = world.exchange.stats().await;
    assert_eq!(
        (stats.originates, stats.channels, stats.bridges),
        (300, 0, 0)
    );
    let answered = stats.answered_human + stats.answered_machine;
    let refused = stats.busy + stats.rejected + stats.unallocated + stats.congestion;
    assert_eq!(answered + refused + stats.no_answer, 300);
    assert!(answered > 100);
    assert!(stats.sessions_opened <= answered);
}

#[tokio::test]
async fn the_manager_client_survives_a_restart() {
    let world = World::new(|_| {}).await;
    let address = world.exchange.ami_addr();
    let mut config = ClientConfig::new(address.ip().to_string(), "strowger", "secret");
    config.port = address.port();
    let cancel = CancellationToken::new();
    let (client, mut notices) = strowger_ami::connect(
        config,
        Consumer::call_state(),
        &world.tracker,
        cancel.clone(),
    );
    for _ in 0..2 {
        let up = timeout(LONG, notices.recv()).await.unwrap();
        assert!(
            matches!(up, Some(Notice::Up { boot: Some(_), .. })),
            "{up:?}"
        );
        let request = OriginateRequest {
            channel: "PJSIP/101".to_owned(),
            channel_id: "leg_1".to_owned(),
            context: "strowger-agent".to_owned(),
            exten: "leg".to_owned(),
            priority: 1,
            timeout_ms: 30_000,
            ..OriginateRequest::default()
        };
        client.send(actions::originate(&request)).await.unwrap();
        timeout(LONG, async {
            while let Some(notice) = notices.recv().await {
                if let Notice::Event(Event::OriginateResponse(response)) = notice {
                    assert!(response.success());
                    return;
                }
            }
        })
        .await
        .unwrap();
        let list = client.list(actions::core_show_channels()).await.unwrap();
        assert_eq!(list.len(), 1);
        world.exchange.restart(Duration::from_secs(1)).await;
        timeout(LONG, async {
            while !matches!(notices.recv().await, Some(Notice::Down { .. })) {}
        })
        .await
        .unwrap();
    }
    cancel.cancel();
}

#[tokio::test]
async fn a_wait_for_silence_lasts_until_a_machine_has_spoken_or_its_time_is_over() {
    let greeting = Duration::from_secs(8);
    let mut world = World::new(|config| {
        let machine = Callee::new(Outcome::Machine)
            .greeting(greeting)
            .patience(Duration::from_mins(2));
        config.pins.insert("33100".to_owned(), machine);
    })
    .await;
    let mut manager = world.manager().await;
    let status = async |session: &mut Session| session.get_variable("WAITSTATUS").await.unwrap();
    manager.call("33100", "att_1").await;
    let (mut session, done) = world.session().await;
    let waited = session.exec("WaitForSilence", &["1500", "1", "2"]).await;
    assert_eq!(waited, Ok(ExecResult::Returned(0)));
    assert_eq!(status(&mut session).await.as_deref(), Some("TIMEOUT"));
    session.stream_file("too-early", "").await.unwrap();
    let began = tokio::time::Instant::now();
    let waited = session.exec("WaitForSilence", &["1500", "1", "30"]).await;
    assert_eq!(waited, Ok(ExecResult::Returned(0)));
    assert_eq!(status(&mut session).await.as_deref(), Some("SILENCE"));
    assert!(began.elapsed() * 20 >= Duration::from_millis(1_500));
    session.stream_file("after-the-beep", "").await.unwrap();
    let stats = world.exchange.stats().await;
    assert_eq!(stats.talked_over, 1, "the first sound only");
    assert_eq!(
        stats.played,
        HashMap::from([
            ("too-early".to_owned(), 1),
            ("after-the-beep".to_owned(), 1)
        ])
    );
    session.hangup().await.unwrap();
    drop((session, done));
    manager.hung_up("att_1").await;
}

#[tokio::test]
async fn a_trunk_that_fails_has_no_line_for_anybody() {
    let world = World::new(|config| {
        config.failing_trunks.insert("carrier".to_owned());
        config.pins.insert("33100".to_owned(), human());
    })
    .await;
    let mut manager = world.manager().await;
    manager.call("33100", "att_1").await;
    manager.hung_up("att_1").await;
    let stats = world.exchange.stats().await;
    assert_eq!((stats.congestion, stats.answered_human), (1, 0));
}

#[tokio::test]
async fn a_channel_that_spies_goes_with_the_one_it_spies_on() {
    let world = World::new(|_| {}).await;
    let mut manager = world.manager().await;
    manager.leg("101", "leg_1").await;
    let spy = |id: &str, target: &str| {
        actions::originate(&OriginateRequest {
            channel: "PJSIP/102".to_owned(),
            channel_id: id.to_owned(),
            application: Some(actions::Application {
                name: "ChanSpy".to_owned(),
                data: format!("{target},quES"),
            }),
            timeout_ms: 30_000,
            ..OriginateRequest::default()
        })
    };
    manager.ask(spy("spy_1", "leg_1")).await;
    let start = manager.until("ChanSpyStart", |_| true).await;
    assert_eq!(start.get("SpyerUniqueid").unwrap(), "spy_1");
    assert_eq!(start.get("SpyeeUniqueid").unwrap(), "leg_1");
    assert!(world.exchange.hang_up("leg_1", 16).await);
    let stop = manager.until("ChanSpyStop", |_| true).await;
    assert_eq!(stop.get("SpyerUniqueid").unwrap(), "spy_1");
    manager.ask(spy("spy_2", "leg_1")).await;
    // What is not there is not listened to.
    manager.hung_up("spy_2").await;
}
