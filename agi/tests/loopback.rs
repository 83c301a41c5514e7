//! The server against an exchange played over real sockets.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use strowger_agi::{
    ChannelStatus, CommandError, ExecResult, InvalidArgument, Playback, RecordingEnd, Server,
    ServerConfig, ServerStats, Session, client,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(10);

/// A running server whose sessions come out of a channel.
struct Fixture {
    address: SocketAddr,
    stats: Arc<ServerStats>,
    sessions: mpsc::Receiver<(Session, oneshot::Sender<()>)>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

fn config() -> ServerConfig {
    ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        max_sessions: 10,
        environment_timeout: LONG,
        command_timeout: LONG,
        drain_timeout: None,
    }
}

impl Fixture {
    async fn new(config: ServerConfig) -> Self {
        let server = Server::bind(config).await.unwrap();
        let (address, stats) = (server.local_addr(), server.stats());
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let (sender, sessions) = mpsc::channel(100);
        let (inner, token) = (tracker.clone(), cancel.clone());
        tracker.spawn(async move {
            server
                .run(&inner, token, move |session| {
                    let sender = sender.clone();
                    async move {
                        // The handler lasts until the test lets it go.
                        let (done, wait) = oneshot::channel();
                        sender.send((session, done)).await.unwrap();
                        let _ = wait.await;
                    }
                })
                .await;
        });
        Self {
            address,
            stats,
            sessions,
            tracker,
            cancel,
        }
    }

    async fn connect(&self) -> Exchange {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Exchange(BufReader::new(stream))
    }

    /// A session and the exchange at its other end.
    async fn call(&mut self) -> (Session, Exchange, oneshot::Sender<()>) {
        let mut exchange = self.connect().await;
        exchange.hand_over().await;
        let (session, done) = timeout(LONG, self.sessions.recv()).await.unwrap().unwrap();
        (session, exchange, done)
    }
}

/// The exchange's end of one connection.
struct Exchange(BufReader<TcpStream>);

impl Exchange {
    async fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    async fn hand_over(&mut self) {
        let block = client::environment_block([
            ("network_script", "dialer"),
            ("channel", "PJSIP/trunk-00000001"),
            ("uniqueid", "att_1"),
            ("arg_1", "abc"),
        ]);
        self.send(&block).await;
    }

    /// The next command without its line feed; empty at the end.
    async fn command(&mut self) -> String {
        let mut line = String::new();
        timeout(LONG, self.0.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    /// Expects a command and answers it.
    async fn answer(&mut self, command: &str, reply: &str) {
        assert_eq!(self.command().await, command);
        self.send(reply).await;
    }

    /// Expects a marker and gives its text.
    async fn marker(&mut self) -> String {
        let line = self.command().await;
        let text = line.strip_prefix(r#"GET FULL VARIABLE "strowger-sync-"#);
        let text = text.and_then(|text| text.strip_suffix('"'));
        format!("strowger-sync-{}", text.expect(&line))
    }

    /// Whether the connection is closed and the dialplan told so.
    async fn refused(mut self) -> bool {
        let mut rest = Vec::new();
        let _ = timeout(LONG, self.0.read_to_end(&mut rest)).await.unwrap();
        rest == client::FAILURE.as_bytes()
    }
}

#[tokio::test]
async fn typed_commands() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, mut exchange, _done) = fixture.call().await;
    assert_eq!(session.environment().network_script(), "dialer");
    assert_eq!(session.environment().arg(1), Some("abc"));
    assert_eq!(session.environment().unique_id(), Some("att_1"));
    let script = async {
        let x = &mut exchange;
        x.answer("ANSWER", "200 result=0\n").await;
        x.answer(r#"STREAM FILE "a" "12""#, "200 result=49 endpos=800\n")
            .await;
        x.answer(r#"STREAM FILE "none" """#, "200 result=-1 endpos=0\n")
            .await;
        x.answer("CHANNEL STATUS", "200 result=6\n").await;
        x.answer(r#"GET DATA "m" "5000" "4""#, "200 result=12 (timeout)\n")
            .await;
        x.answer(r#"WAIT FOR DIGIT "100""#, "200 result=0\n").await;
        x.answer(
            r##"RECORD FILE "f" "wav" "#" "60000" "BEEP" "s=3""##,
            "200 result=35 (dtmf) endpos=16000\n",
        )
        .await;
        x.answer(r#"SET VARIABLE "A" "q\"\\""#, "200 result=1\n")
            .await;
        x.answer(r#"GET VARIABLE "A""#, "200 result=1 (q\"\\)\n")
            .await;
        x.answer(r#"GET VARIABLE "B""#, "200 result=0\n").await;
        x.answer("CHANNEL STATUS", "200 result=6\n").await;
        x.answer(r#"EXEC "Nope" """#, "200 result=-2\n").await;
        x.answer(r#"EXEC "Bridge" "PJSIP/1-2,F(a^b)""#, "200 result=0\n")
            .await;
        x.answer(r#"SET MUSIC "ON" "jazz""#, "200 result=0\n").await;
        x.answer(
            r#"SAY DIGITS "12" """#,
            "520-Invalid command syntax.  Proper usage follows:\nUsage: SAY\n520 End of proper usage.\n",
        )
        .await;
        x.answer("HANGUP", "200 result=1\nHANGUP\n").await;
    };
    let program = async {
        let s = &mut session;
        s.answer().await.unwrap();
        let expected = Playback {
            digit: Some('1'),
            end_position: 800,
        };
        assert_eq!(s.stream_file("a", "12").await, Ok(expected));
        let missing = s.stream_file("none", "").await.unwrap_err();
        assert!(matches!(missing, CommandError::Refused { code: 200, .. }));
        let data = s.get_data("m", Duration::from_secs(5), 4).await.unwrap();
        assert_eq!((&*data.digits, data.timed_out), ("12", true));
        let digit = s.wait_for_digit(Duration::from_millis(100)).await;
        assert_eq!(digit, Ok(None));
        let recording = s
            .record_file(
                "f",
                "wav",
                "#",
                Duration::from_mins(1),
                true,
                Some(Duration::from_millis(2_500)),
            )
            .await
            .unwrap();
        assert_eq!(recording.end, RecordingEnd::Dtmf('#'));
        assert_eq!(recording.samples, 16_000);
        s.set_variable("A", "q\"\\").await.unwrap();
        assert_eq!(s.get_variable("A").await.unwrap().as_deref(), Some("q\"\\"));
        assert_eq!(s.get_variable("B").await, Ok(None));
        assert_eq!(s.channel_status().await, Ok(ChannelStatus::Up));
        assert_eq!(s.exec("Nope", &[]).await, Ok(ExecResult::NoSuchApplication));
        let bridged = s.exec("Bridge", &["PJSIP/1-2", "F(a^b)"]).await;
        assert_eq!(bridged, Ok(ExecResult::Returned(0)));
        s.set_music(true, Some("jazz")).await.unwrap();
        let refused = s.say_digits("12", "").await.unwrap_err();
        let CommandError::Refused { code: 520, message } = refused else {
            panic!("{refused:?}");
        };
        assert!(message.ends_with("\nUsage: SAY"));
        assert!(!s.is_hung_up());
        s.hangup().await.unwrap();
        assert!(s.is_hung_up());
    };
    timeout(LONG, async { tokio::join!(script, program) })
        .await
        .unwrap();
}

#[tokio::test]
async fn invalid_arguments_never_leave() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, mut exchange, _done) = fixture.call().await;
    let injected = session.set_variable("A", "x\nHANGUP").await;
    assert!(matches!(
        injected,
        Err(CommandError::InvalidArgument(
            InvalidArgument::ControlCharacter { index: 2 }
        ))
    ));
    let comma = session.exec("Dial", &["PJSIP/1,60,G(evil)"]).await;
    assert!(matches!(comma, Err(CommandError::InvalidArgument(_))));
    let long = session.verbose(&"x".repeat(9_000), 1).await;
    assert!(matches!(long, Err(CommandError::InvalidArgument(_))));
    // The first line that arrives is the first that was valid.
    let (noop, ()) = tokio::join!(session.noop(), exchange.answer("NOOP", "200 result=0\n"));
    noop.unwrap();
}

#[tokio::test]
async fn hangup_while_idle() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, mut exchange, _done) = fixture.call().await;
    // Dropping the wait loses nothing.
    assert!(
        timeout(Duration::from_millis(20), session.wait_hangup())
            .await
            .is_err()
    );
    exchange.send("HAN").await;
    assert!(
        timeout(Duration::from_millis(20), session.wait_hangup())
            .await
            .is_err()
    );
    exchange.send("GUP\n").await;
    timeout(LONG, session.wait_hangup()).await.unwrap();
    assert!(session.is_hung_up());
    session.wait_hangup().await;
    let (dead, ()) = tokio::join!(
        session.answer(),
        exchange.answer("ANSWER", client::DEAD_CHANNEL)
    );
    assert_eq!(dead, Err(CommandError::HungUp));
    // Commands that are allowed on a dead channel still work.
    let (set, ()) = tokio::join!(
        session.set_variable("A", "b"),
        exchange.answer(r#"SET VARIABLE "A" "b""#, "200 result=1\n")
    );
    set.unwrap();
}

#[tokio::test]
async fn hangup_during_a_command() {
    let mut fixture = Fixture::new(config()).await;
    // Before the reply of the command.
    let (mut session, mut exchange, _done) = fixture.call().await;
    let (bridge, ()) = tokio::join!(
        session.exec("Bridge", &["PJSIP/1"]),
        exchange.answer(r#"EXEC "Bridge" "PJSIP/1""#, "HANGUP\n200 result=-1\n")
    );
    assert_eq!(bridge, Err(CommandError::HungUp));

    // Behind the reply: the question is asked.
    let (mut session, mut exchange, _done) = fixture.call().await;
    let script = async {
        let reply = "200 result=-1 endpos=800\n";
        exchange.answer(r#"STREAM FILE "a" """#, reply).await;
        exchange
            .answer(
                "CHANNEL STATUS",
                &format!("HANGUP\n{}", client::DEAD_CHANNEL),
            )
            .await;
    };
    let (played, ()) = tokio::join!(session.stream_file("a", ""), script);
    assert_eq!(played, Err(CommandError::HungUp));

    // A successful reply stays one, and the hang-up is known.
    let (mut session, mut exchange, _done) = fixture.call().await;
    let (value, ()) = tokio::join!(
        session.get_variable("DIALSTATUS"),
        exchange.answer(
            r#"GET VARIABLE "DIALSTATUS""#,
            "HANGUP\n200 result=1 (ANSWER)\n"
        )
    );
    assert_eq!(value.unwrap().as_deref(), Some("ANSWER"));
    assert!(session.is_hung_up());

    // `Bridge` returns 0 whoever ended the conversation.
    let (mut session, mut exchange, _done) = fixture.call().await;
    let script = async {
        exchange
            .answer(r#"EXEC "Bridge" "PJSIP/1""#, "200 result=0\n")
            .await;
        exchange
            .answer(
                "CHANNEL STATUS",
                &format!("HANGUP\n{}", client::DEAD_CHANNEL),
            )
            .await;
    };
    let program = async {
        let bridged = session.exec("Bridge", &["PJSIP/1"]).await;
        assert_eq!(bridged, Ok(ExecResult::Returned(0)));
        assert_eq!(session.check_hung_up().await, Ok(true));
    };
    tokio::join!(program, script);

    // A recording keeps what was recorded.
    let (mut session, mut exchange, _done) = fixture.call().await;
    let (recording, ()) = tokio::join!(
        session.record_file("f", "wav", "", SECOND, false, None),
        exchange.answer(
            r#"RECORD FILE "f" "wav" "" "1000""#,
            "200 result=-1 (hangup) endpos=4000\n"
        )
    );
    let recording = recording.unwrap();
    assert_eq!(
        (recording.end, recording.samples),
        (RecordingEnd::Hangup, 4_000)
    );
    assert!(session.is_hung_up());
}

#[tokio::test]
async fn the_end_of_the_connection() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, exchange, _done) = fixture.call().await;
    drop(exchange);
    assert_eq!(session.noop().await, Err(CommandError::Disconnected));
    assert!(session.is_hung_up());
    timeout(LONG, session.wait_hangup()).await.unwrap();
    assert_eq!(session.noop().await, Err(CommandError::Disconnected));

    let (mut session, mut exchange, _done) = fixture.call().await;
    exchange.send("HANGUP\n").await;
    timeout(LONG, session.wait_hangup()).await.unwrap();
    drop(exchange);
    assert_eq!(session.noop().await, Err(CommandError::HungUp));
}

#[tokio::test]
async fn replies_to_abandoned_commands_are_skipped() {
    let mut fixture = Fixture::new(config()).await;
    let soon = Some(Duration::from_millis(30));
    // The reply comes late, or never: Asterisk gives none to a sound that another command
    // interrupts. Both look the same to the next command.
    for late in ["", "200 result=0\n", "200 result=1 (of the first)\n"] {
        let (mut session, mut exchange, _done) = fixture.call().await;
        let abandoned = session.exec_within("Playback", &["a"], soon).await;
        assert_eq!(abandoned, Err(CommandError::TimedOut));
        let script = async {
            exchange.answer(r#"EXEC "Playback" "a""#, late).await;
            let marker = exchange.marker().await;
            exchange.send(&format!("200 result=1 ({marker})\n")).await;
            // Not before: Asterisk overlooks a line that comes along with another.
            exchange
                .answer(r#"GET VARIABLE "A""#, "200 result=1 (mine)\n")
                .await;
        };
        let (value, ()) = tokio::join!(session.get_variable("A"), script);
        assert_eq!(value.unwrap().as_deref(), Some("mine"));
    }
}

#[tokio::test]
async fn a_marker_that_is_overlooked_is_sent_again() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, mut exchange, _done) = fixture.call().await;
    assert!(
        timeout(Duration::from_millis(30), session.noop())
            .await
            .is_err()
    );
    let script = async {
        exchange.answer("NOOP", "").await;
        let first = exchange.marker().await;
        let second = exchange.marker().await;
        assert_ne!(first, second);
        let replies = format!("200 result=0\n200 result=1 ({first})\n200 result=1 ({second})\n");
        exchange.send(&replies).await;
        exchange
            .answer(r#"GET VARIABLE "A""#, "200 result=1 (mine)\n")
            .await;
        second
    };
    let (value, second) = tokio::join!(session.get_variable("A"), script);
    assert_eq!(value.unwrap().as_deref(), Some("mine"));
    // What looks like a marker is an answer when none was sent.
    let reply = format!("200 result=1 ({second})\n");
    let (value, ()) = tokio::join!(
        session.get_variable("A"),
        exchange.answer(r#"GET VARIABLE "A""#, &reply)
    );
    assert_eq!(value.unwrap(), Some(second));
}

#[tokio::test]
async fn nonsense_closes_the_session() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, mut exchange, _done) = fixture.call().await;
    let (error, ()) = tokio::join!(session.noop(), exchange.answer("NOOP", "nonsense\n"));
    assert!(matches!(error, Err(CommandError::Protocol { .. })));
    assert_eq!(session.noop().await, Err(CommandError::Disconnected));

    // A reply that nobody asked for.
    let (mut session, mut exchange, _done) = fixture.call().await;
    exchange.send("200 result=1\n").await;
    timeout(LONG, session.wait_hangup()).await.unwrap();
    assert_eq!(session.noop().await, Err(CommandError::Disconnected));
}

#[tokio::test]
async fn over_the_limit() {
    let mut fixture = Fixture::new(ServerConfig {
        max_sessions: 1,
        ..config()
    })
    .await;
    let (session, _exchange, done) = fixture.call().await;
    assert!(fixture.connect().await.refused().await);
    assert_eq!(fixture.stats.over_limit(), 1);
    drop((session, done));
    // The place is free again as soon as the handler has returned.
    timeout(LONG, async {
        loop {
            let mut exchange = fixture.connect().await;
            exchange.hand_over().await;
            tokio::select! {
                Some(_) = fixture.sessions.recv() => return,
                _ = exchange.refused() => {}
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(fixture.stats.sessions(), 2);
}

#[tokio::test]
async fn strangers_are_not_admitted() {
    for allow in [vec![], vec!["10.0.0.0/8".parse().unwrap()]] {
        let fixture = Fixture::new(ServerConfig { allow, ..config() }).await;
        assert!(fixture.connect().await.refused().await);
        assert_eq!(fixture.stats.not_admitted(), 1);
        assert_eq!(fixture.stats.accepted(), 0);
    }
}

#[tokio::test]
async fn a_slow_environment_is_cut() {
    let fixture = Fixture::new(ServerConfig {
        environment_timeout: Duration::from_millis(100),
        ..config()
    })
    .await;
    let mut slow = fixture.connect().await;
    slow.send("agi_network: yes\nagi_net").await;
    assert!(slow.refused().await);
    assert_eq!(fixture.stats.failed_openings(), 1);
}

#[tokio::test]
async fn an_endless_environment_is_cut() {
    let fixture = Fixture::new(config()).await;
    let mut flood = fixture.connect().await;
    let line = "agi_x: ".to_owned() + &"x".repeat(1_000) + "\n";
    // The server closes in the middle, so a write may fail.
    for _ in 0..200 {
        if flood.0.get_mut().write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    assert!(flood.refused().await);
    assert_eq!(fixture.stats.sessions(), 0);
}

#[tokio::test]
async fn sessions_drain() {
    let mut fixture = Fixture::new(config()).await;
    let (mut session, mut exchange, done) = fixture.call().await;
    fixture.cancel.cancel();
    fixture.tracker.close();
    // The listener is gone, the session is not.
    timeout(LONG, async {
        while TcpStream::connect(fixture.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let (noop, ()) = tokio::join!(session.noop(), exchange.answer("NOOP", "200 result=0\n"));
    noop.unwrap();
    assert!(
        timeout(Duration::from_millis(50), fixture.tracker.wait())
            .await
            .is_err()
    );
    drop((session, done));
    timeout(LONG, fixture.tracker.wait()).await.unwrap();
}
