//! The fullest log of a session holds nothing that a caller or a program keeps
//! to itself.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use strowger_agi::{
    ControlEnd, Playback, Recognition, RecordingEnd, ReplyDecoder, Server, ServerConfig, Session,
    client, client::CommandLine,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::mpsc,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing_subscriber::fmt::format::FmtSpan;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const NUMBER: &str = "33123456789";
const NAME: &str = "Zoé Durand";
const PIN: &str = "471108";
const SECRET: &str = "correct-horse";
const HEARD: &str = "my password is";

fn reply_to(line: &str) -> String {
    let verb = CommandLine::parse(line).unwrap().verb;
    match &*verb {
        "GET DATA" => format!("200 result={PIN}\n"),
        "GET VARIABLE" => format!("200 result=1 ({SECRET})\n"),
        "STREAM FILE" => "200 result=-1 endpos=0\n".to_owned(),
        "RECORD FILE" => format!("520-Usage of {SECRET}\n520 End of proper usage.\n"),
        "SPEECH RECOGNIZE" => format!(
            "200 result=1 (speech) endpos=0 results=1 score0=1 text0=\"{HEARD}\" grammar0=g\n"
        ),
        "HANGUP" => format!("200 {PIN} nonsense\n"),
        _ => "200 result=1\n".to_owned(),
    }
}

async fn exchange(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let block = client::environment_block([
        ("network_script", "ivr?number=33123456789"),
        ("channel", "Local/33123456789@dial-00000001;1"),
        ("uniqueid", "1795184304.16"),
        ("callerid", NUMBER),
        ("calleridname", NAME),
        ("dnid", NUMBER),
        ("arg_1", SECRET),
    ]);
    stream.get_mut().write_all(block.as_bytes()).await.unwrap();
    let mut line = String::new();
    while stream
        .read_line(&mut line)
        .await
        .is_ok_and(|count| count > 0)
    {
        let reply = reply_to(line.trim_end());
        stream.get_mut().write_all(reply.as_bytes()).await.unwrap();
        line.clear();
    }
}

/// Uses everything that could leak, and gives the `Debug` output of it.
async fn call(mut session: Session) -> String {
    let mut shown = vec![format!("{session:?} {:?}", session.environment())];
    let data = session.get_data("pin", Duration::from_secs(1), 6).await;
    assert_eq!(data.as_ref().unwrap().digits, PIN);
    shown.push(format!("{data:?}"));
    session.set_variable("TOKEN", SECRET).await.unwrap();
    assert_eq!(
        session.get_variable("A").await.unwrap().as_deref(),
        Some(SECRET)
    );
    session.set_callerid(NUMBER).await.unwrap();
    session
        .exec("Dial", &[&format!("PJSIP/{NUMBER}@trunk")])
        .await
        .unwrap();
    session.say_digits(NUMBER, "").await.unwrap();
    shown.push(format!("{:?}", session.stream_file(SECRET, "").await));
    let heard = session.speech_recognize("p", None, 0).await;
    shown.push(format!("{heard:?}"));
    assert!(
        session
            .set_variable("A", &format!("{SECRET}\n"))
            .await
            .is_err()
    );
    let _ = session.record(&strowger_agi::Record::new("f", "wav")).await;
    shown.push(format!("{:?}", session.hangup().await));
    shown.join(" ")
}

#[test]
fn what_a_caller_enters_is_not_shown() {
    let mut decoder = ReplyDecoder::new();
    decoder.push(b"200 result=1 (7\n77");
    decoder.next_line().unwrap();
    let shown = [
        format!("{decoder:?}"),
        format!(
            "{:?}",
            Playback {
                digit: Some('7'),
                end_position: 0
            }
        ),
        format!("{:?}", ControlEnd::Digit('7')),
        format!("{:?}", RecordingEnd::Dtmf('7')),
        format!(
            "{:?}",
            Recognition::Digit {
                digit: '7',
                end_position: 0
            }
        ),
    ];
    for shown in shown {
        assert!(!shown.contains('7') && !shown.contains("55"), "{shown}");
    }
}

#[tokio::test]
async fn values_stay_out_of_the_log() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let server = Server::bind(ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..ServerConfig::default()
    })
    .await
    .unwrap();
    let address = server.local_addr();
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (sender, mut shown) = mpsc::channel(1);
    let serve = server.run(&tracker, cancel.clone(), move |session| {
        let sender = sender.clone();
        async move {
            let text = call(session).await;
            sender.send(text).await.unwrap();
        }
    });
    let play = async {
        exchange(TcpStream::connect(address).await.unwrap()).await;
        cancel.cancel();
        shown.recv().await.unwrap()
    };
    let ((), shown) = tokio::join!(serve, play);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for secret in [NUMBER, NAME, PIN, SECRET, HEARD] {
        assert!(!log.contains(secret), "{secret:?} in {log}");
        // A usage text is the exchange's own; it is shown to whoever has the error.
        assert!(!shown.contains(secret), "{secret:?} in {shown}");
    }
    for expected in [
        "agi_session",
        "agi.script=\"ivr\"",
        "agi.unique_id=\"1795184304.16\"",
        "agi.channel=Local/…@dial-00000001;1",
        "network.peer.address=127.0.0.1:",
        "agi.verb=\"GET DATA\" agi.arguments=3 agi.outcome=\"success\" agi.code=200 duration_us=",
        "agi.verb=\"STREAM FILE\" agi.arguments=2 agi.outcome=\"failed\"",
        "agi.outcome=\"not_sent\"",
        "agi.verb=\"RECORD FILE\" agi.arguments=4 agi.outcome=\"refused\" agi.code=520",
        "agi.outcome=\"protocol_error\"",
    ] {
        assert!(log.contains(expected), "{expected} in {log}");
    }
}
