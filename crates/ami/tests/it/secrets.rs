//! What must never be printed is looked for in everything that is printed: the log of
//! all targets at every level, and the `Debug` and `Display` of every public value.

use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use strowger_ami::actions::{self, OriginateRequest};
use strowger_ami::{
    ActionError, Auth, ClientConfig, Decoded, Decoder, Event, EventKind, Message, Notice,
    encode_frame,
};

use crate::server::{Peer, Rig, config, soon};
use crate::tls;

const PASSWORD: &str = "Xq7passwordzwTREV";
const PIN: &str = "908172635441";
const ENTERED: &str = "556677889900";
const TOKEN: &str = "tok3nWKQPZX81";
const CHALLENGE: &str = "123456789";

/// What is logged on purpose, to show that it would be found.
const CONTROL: &str = "c0ntrolJJXYWQ";

/// Everything that this process has logged, at every level.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    })
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was shown in other ways than by the log.
#[derive(Default)]
struct Shown(String);

impl Shown {
    fn add(&mut self, value: &impl Debug) {
        for text in [format!("{value:?}\n"), format!("{value:#?}\n")] {
            self.0.push_str(&text);
        }
    }
}

/// The forms in which a text could be printed.
fn forms(secret: &str) -> [String; 4] {
    let each = |format: &dyn Fn(u8) -> String, between: &str| {
        let bytes: Vec<_> = secret.bytes().map(format).collect();
        bytes.join(between)
    };
    [
        secret.to_lowercase(),
        each(&|byte| format!("{byte:02x}"), ""),
        each(&|byte| byte.to_string(), ", "),
        each(&|byte| format!("{byte:02x}"), ", "),
    ]
}

/// Where the secret is in the text, with what is around it.
fn find(secret: &str, text: &str) -> Option<String> {
    let text = text.to_lowercase();
    forms(secret).iter().find_map(|form| {
        let at = text.find(form.as_str())?;
        let around = text.get(at.saturating_sub(300)..at + form.len() + 20);
        Some(around.unwrap_or(form).to_owned())
    })
}

fn assert_nowhere(secrets: &[&str], shown: &Shown) {
    tracing::trace!(CONTROL, "logged on purpose");
    let log = log().text();
    assert!(find(CONTROL, &log).is_some(), "nothing is collected");
    for secret in secrets {
        assert_eq!(find(secret, &log), None, "{secret} is in the log");
        assert_eq!(find(secret, &shown.0), None, "{secret} is shown");
    }
}

fn secret_config() -> ClientConfig {
    ClientConfig {
        secret: PASSWORD.into(),
        ..config()
    }
}

fn md5_key() -> String {
    actions::md5_key(CHALLENGE, &PASSWORD.into())
}

/// Actions that hold secrets.
fn secret_actions() -> Vec<strowger_ami::Action> {
    vec![
        actions::originate(&originate()),
        actions::set_var("PJSIP/a-1", "CARD_PIN", PIN),
        actions::set_global("API_TOKEN", TOKEN),
        actions::login_plain("strowger", &PASSWORD.into(), "on"),
        actions::login_md5("strowger", &md5_key(), "on"),
        actions::user_event("X", &[("CardPin", PIN), ("Password", PASSWORD)]),
        // In the other order than the constructor.
        strowger_ami::Action::new("Setvar")
            .header("Value", PIN)
            .header("Variable", "CARD_PIN"),
    ]
}

fn originate() -> OriginateRequest {
    OriginateRequest {
        channel: "PJSIP/33123456789@carrier".into(),
        channel_id: "att-1".into(),
        context: "dialer".into(),
        exten: "s".into(),
        priority: 1,
        variables: vec![
            ("__CARD_PIN".into(), PIN.into()),
            ("NOTE".into(), "harmless".into()),
            ("_API_TOKEN".into(), TOKEN.into()),
        ],
        ..OriginateRequest::default()
    }
}

/// Events that hold secrets, as Asterisk writes them.
fn secret_events() -> Vec<Vec<(&'static str, String)>> {
    let text = |pairs: &[(&'static str, &str)]| {
        let own = |(key, value): &(&'static str, &str)| (*key, (*value).to_owned());
        pairs.iter().map(own).collect::<Vec<_>>()
    };
    let channel = [("Channel", "PJSIP/a-1"), ("Uniqueid", "1.1")];
    let with = |name: &str, more: &[(&'static str, &str)]| {
        let all = [&[("Event", name)], &channel[..], more].concat();
        text(&all)
    };
    let set = format!("SET VARIABLE CARD_PIN {PIN}");
    let assigned = format!("CARD_PIN={PIN}");
    let result = format!("200 result={ENTERED}");
    let encoded = format!("200%20result%3D{ENTERED}%0A");
    let key = md5_key();
    vec![
        with("VarSet", &[("Variable", "CARD_PIN"), ("Value", PIN)]),
        with("VarSet", &[("Variable", "__API_TOKEN"), ("Value", TOKEN)]),
        with(
            "DTMFBegin",
            &[("Digit", ENTERED), ("Direction", "Received")],
        ),
        with("DTMFEnd", &[("Digit", ENTERED), ("DurationMs", "90")]),
        with("AGIExecStart", &[("Command", &set), ("CommandId", "1")]),
        with(
            "AGIExecEnd",
            &[
                ("Command", "GET DATA x"),
                ("ResultCode", "200"),
                ("Result", &result),
            ],
        ),
        with("AsyncAGIExec", &[("CommandId", "2"), ("Result", &encoded)]),
        with(
            "Newexten",
            &[("Application", "Set"), ("AppData", &assigned)],
        ),
        with("Newchannel", &[("ChanVariable", &assigned)]),
        with("DialBegin", &[("DestChanVariable", &assigned)]),
        with("UserEvent", &[("UserEvent", "Card"), ("CardPin", PIN)]),
        text(&[
            ("Event", "ChallengeResponseFailed"),
            ("Service", "AMI"),
            ("AccountID", "strowger"),
            ("Challenge", CHALLENGE),
            ("Response", &key),
            ("ExpectedResponse", &key),
        ]),
        text(&[
            ("Event", "InvalidPassword"),
            ("Service", "AMI"),
            ("Challenge", CHALLENGE),
            ("ReceivedChallenge", CHALLENGE),
            ("ReceivedHash", &key),
        ]),
    ]
}

fn frame(headers: &[(&str, String)]) -> bytes::Bytes {
    let headers: Vec<_> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
    encode_frame(&headers)
}

/// Sends actions with secrets, which the server refuses, answers or forgets, and
/// receives events with secrets; looks at everything on the way.
async fn talk(rig: &mut Rig, peer: &mut Peer, shown: &mut Shown) {
    for event in secret_events() {
        peer.write(&frame(&event)).await;
    }
    // Garbage with a secret in it, and a frame without an end.
    peer.write(format!("garbage {PIN}\r\n\r\n").as_bytes())
        .await;
    let queued = async {
        while rig.client.health().skipped_frames == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the events", queued).await;
    // With the events still in the queue.
    shown.add(&rig.client);
    shown.add(&rig.notices);
    let first = rig.notice().await;
    shown.add(&first);
    shown.add(&rig.notices);
    for _ in 1..secret_events().len() {
        let notice = rig.notice().await;
        assert!(matches!(notice, Notice::Event(_)), "{notice:?}");
        shown.add(&notice);
    }
    shown.add(&rig.notice().await);

    for action in [
        actions::originate(&originate()),
        actions::set_var("A", "CARD_PIN", PIN),
    ] {
        shown.add(&action);
        let client = rig.client.clone();
        let name = action.name().to_owned();
        let sending = rig.tracker.spawn(async move { client.send(action).await });
        let action = peer.action(&name).await;
        shown.add(&action);
        let answer = [("Response", "Error"), ("Message", "Permission denied")];
        peer.answer(&action, &answer).await;
        let refused = soon("an answer", sending).await.unwrap().unwrap_err();
        shown.add(&refused);
        shown.0.push_str(&refused.to_string());
    }
    let unwritable = actions::set_var("A", "CARD_PIN", &format!("{PIN}\nx"));
    let error = rig.client.send(unwritable).await.unwrap_err();
    assert!(matches!(error, ActionError::Encode(_)));
    shown.add(&error);
    shown.0.push_str(&error.to_string());
    shown.add(&rig.client.health());
}

#[tokio::test]
async fn a_session_with_a_plain_login_shows_no_secret() {
    log();
    let mut shown = Shown::default();
    let config = secret_config();
    shown.add(&config);
    let (mut rig, mut peer) = Rig::up(config).await;
    talk(&mut rig, &mut peer, &mut shown).await;
    // Cut with an action under way.
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::originate(&originate())).await });
    peer.action("Originate").await;
    drop(peer);
    shown.add(&soon("an answer", sending).await.unwrap());
    shown.add(&rig.notice().await);
    shown.add(&rig.client);
    assert_nowhere(&[PASSWORD, PIN, ENTERED, TOKEN, &md5_key()], &shown);
}

#[tokio::test]
async fn a_session_with_an_md5_login_shows_no_secret() {
    log();
    let mut shown = Shown::default();
    let mut rig = Rig::new(ClientConfig {
        auth: Auth::Md5,
        ..secret_config()
    })
    .await;
    let mut peer = rig.accept().await;
    let challenge = peer.action("Challenge").await;
    let answer = [("Response", "Success"), ("Challenge", CHALLENGE)];
    peer.answer(&challenge, &answer).await;
    let login = peer.login().await;
    assert_eq!(login.get("Key").unwrap(), md5_key());
    shown.add(&login);
    peer.settings().await;
    shown.add(&rig.notice().await);
    talk(&mut rig, &mut peer, &mut shown).await;
    assert_nowhere(&[PASSWORD, PIN, ENTERED, TOKEN, &md5_key()], &shown);
}

#[tokio::test]
async fn a_refused_login_shows_no_secret() {
    log();
    let mut shown = Shown::default();
    let mut rig = Rig::new(secret_config()).await;
    let mut peer = rig.accept().await;
    let login = peer.action("Login").await;
    shown.add(&login);
    let refusal = [("Response", "Error"), ("Message", "Authentication failed")];
    peer.answer(&login, &refusal).await;
    shown.add(&rig.notice().await);
    shown.add(&rig.client);
    shown.add(&rig.client.health());

    // A secret that cannot be written.
    let rig = Rig::new(ClientConfig {
        secret: format!("{PASSWORD}\r\nAction: Command").into(),
        ..config()
    })
    .await;
    let _first = rig.accept().await;
    let _second = rig.accept().await;
    let health = rig.client.health();
    assert!(health.last_error.clone().unwrap().contains("line break"));
    shown.add(&health);
    assert_nowhere(&[PASSWORD, &md5_key()], &shown);
}

#[tokio::test]
async fn a_session_over_tls_shows_no_secret() {
    log();
    let mut shown = Shown::default();
    let identity = tls::Identity::self_signed("asterisk.invalid");
    let config = ClientConfig {
        tls: Some(identity.trusted()),
        ..secret_config()
    };
    shown.add(&config);
    let mut rig = Rig::new(config).await;
    let mut session = tls::accept(&rig, &identity).await.unwrap();
    let login = session.log_in().await;
    assert_eq!(login.get("Secret").unwrap(), PASSWORD);
    assert!(matches!(rig.notice().await, Notice::Up { .. }));
    for event in secret_events() {
        session.write(&frame(&event)).await;
        shown.add(&rig.notice().await);
    }
    let client = rig.client.clone();
    let sending = rig
        .tracker
        .spawn(async move { client.send(actions::originate(&originate())).await });
    let action = session.next().await;
    let id = action.action_id().unwrap();
    session
        .write(&encode_frame(&[("Response", "Success"), ("ActionID", &id)]))
        .await;
    shown.add(&soon("an answer", sending).await.unwrap());
    shown.add(&rig.client);
    assert_nowhere(&[PASSWORD, PIN, ENTERED, TOKEN, &md5_key()], &shown);
}

#[test]
fn no_value_shows_a_secret() {
    log();
    let mut shown = Shown::default();
    shown.add(&originate());
    for action in secret_actions() {
        shown.add(&action);
        let bytes = action.encode("1").unwrap();
        // What a server reads, whole and in part.
        let mut decoder = Decoder::for_server();
        decoder.push(&bytes[..bytes.len() - 1]);
        assert_eq!(decoder.next(), None);
        shown.add(&decoder);
        decoder.push(b"\n");
        let Some(Ok(decoded)) = decoder.next() else {
            panic!("no frame")
        };
        shown.add(&decoded);
    }
    for event in secret_events() {
        let bytes = frame(&event);
        let mut decoder = Decoder::for_server();
        decoder.push(&bytes);
        let Some(Ok(Decoded::Frame(message))) = decoder.next() else {
            panic!("no frame")
        };
        shown.add(&message);
        let event = Event::parse(message);
        assert_ne!(event.kind(), EventKind::Other, "{event:?}");
        shown.add(&event);
    }
    let answer = format!("Response: Success\r\nVariable: CARD_PIN\r\nValue: {PIN}\r\n");
    shown.add(&Message::parse(answer.into()).unwrap());
    assert_nowhere(&[PASSWORD, PIN, ENTERED, TOKEN, &md5_key()], &shown);

    let digit = Message::parse("Event: DTMFEnd\r\nDigit: 7\r\n".into()).unwrap();
    assert!(!format!("{digit:?}").contains('7'));
}

#[test]
fn a_secret_would_be_found_in_any_form() {
    let (hex, bytes) = (&forms(CONTROL)[1], &forms(CONTROL)[2]);
    for text in [CONTROL, &CONTROL.to_uppercase(), hex, bytes] {
        let text = format!("before {text} after");
        assert!(find(CONTROL, &text).is_some(), "{text}");
    }
    assert!(find(CONTROL, &format!("{:?}", CONTROL.as_bytes())).is_some());
    assert_eq!(find(CONTROL, "something else"), None);
}
