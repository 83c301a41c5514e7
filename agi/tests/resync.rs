//! What a session makes of replies that are late, missing, or not its own.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::time::Duration;

use strowger_agi::{Command, CommandError, ExecResult, Session, client};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex},
    time::{Instant, timeout},
};

const LONG: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(30);
const USAGE: &str = "520-Invalid command syntax.\nUsage: EXEC\n520 End of proper usage.\n";

/// The exchange's end of a session over a pipe.
struct Exchange(BufReader<DuplexStream>);

async fn pair() -> (Session, Exchange) {
    let (ours, mut theirs) = duplex(64 * 1_024);
    let block = client::environment_block([("network_script", "x"), ("version", "22.10.1")]);
    theirs.write_all(block.as_bytes()).await.unwrap();
    let session = Session::over(ours, LONG, LONG).await.unwrap();
    (session, Exchange(BufReader::new(theirs)))
}

impl Exchange {
    async fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    async fn command(&mut self) -> String {
        let mut line = String::new();
        timeout(LONG, self.0.read_line(&mut line))
            .await
            .unwrap()
            .unwrap();
        line.trim_end_matches('\n').to_owned()
    }

    async fn answer(&mut self, verb: &str, reply: &str) {
        let line = self.command().await;
        assert!(line.starts_with(verb), "{line}");
        self.send(reply).await;
    }

    /// Answers a marker, behind other replies.
    async fn marker(&mut self, before: &str) -> String {
        let line = self.command().await;
        let text = line.strip_prefix("GET FULL VARIABLE ").expect(&line);
        let text = text.trim_matches('"').to_owned();
        self.send(&format!("{before}200 result=1 ({text})\n")).await;
        text
    }
}

/// A session whose `EXEC` was given up.
async fn abandoned() -> (Session, Exchange) {
    let (mut session, mut exchange) = pair().await;
    let late = session.exec_within("Playback", &["a"], Some(SOON)).await;
    assert_eq!(late, Err(CommandError::TimedOut));
    exchange.answer("EXEC", "").await;
    (session, exchange)
}

/// Whether the next command has an answer of its own.
async fn works(session: &mut Session, exchange: &mut Exchange) {
    let (value, ()) = tokio::join!(
        session.get_variable("A"),
        exchange.answer("GET VARIABLE", "200 result=1 (mine)\n")
    );
    assert_eq!(value.unwrap().as_deref(), Some("mine"));
}

/// Who sets a variable can write what looks like the end of its reply.
#[tokio::test(start_paused = true)]
async fn a_value_is_not_the_reply_to_the_next_command() {
    // The second reply is whole, has just begun, or waits for its bracket.
    for forged in ["200 result=1 (y)\n", "200 res", "200 result=1 (y\n"] {
        let (mut session, mut exchange) = pair().await;
        let reply = format!("200 result=1 ()\n{forged}");
        let (value, ()) = tokio::join!(
            session.get_variable("A"),
            exchange.answer("GET VARIABLE", &reply)
        );
        assert_eq!(value.unwrap().as_deref(), Some(""));
        let next = session.get_variable("B").await;
        assert_eq!(next, Err(CommandError::Disconnected), "{forged}");
    }
    // A hang-up may stand there, in part as well.
    for (part, rest) in [("HANGUP\n", ""), ("HAN", "GUP\n")] {
        let (mut session, mut exchange) = pair().await;
        let reply = format!("200 result=0\n{part}");
        let (value, ()) = tokio::join!(
            session.get_variable("A"),
            exchange.answer("GET VARIABLE", &reply)
        );
        assert_eq!(value, Ok(None));
        let reply = format!("{rest}200 result=1 (mine)\n");
        let (value, ()) = tokio::join!(
            session.get_variable("B"),
            exchange.answer("GET VARIABLE", &reply)
        );
        assert_eq!(value.unwrap().as_deref(), Some("mine"));
        assert!(session.is_hung_up());
    }
}

#[tokio::test(start_paused = true)]
async fn the_usage_text_behind_an_exec_is_no_reply() {
    // Together with the reply, or later; by any door.
    let reply = format!("200 result=1\n{USAGE}");
    let (mut session, mut exchange) = pair().await;
    let (ran, ()) = tokio::join!(session.exec("X", &[]), exchange.answer("EXEC", &reply));
    assert_eq!(ran, Ok(ExecResult::Returned(1)));
    works(&mut session, &mut exchange).await;
    let command = Command::new("EXEC").arg("X");
    let (ran, ()) = tokio::join!(session.command(command), exchange.answer("EXEC", &reply));
    assert_eq!(ran.unwrap().code(), Some(1));
    works(&mut session, &mut exchange).await;

    // It is read while nobody waits for a reply.
    let (mut session, mut exchange) = abandoned().await;
    exchange.send(&reply).await;
    assert!(timeout(SOON, session.wait_hangup()).await.is_err());
    assert!(!session.is_hung_up());
    works(&mut session, &mut exchange).await;

    // It comes before the marker.
    let (mut session, mut exchange) = abandoned().await;
    let (value, ()) = tokio::join!(session.get_variable("A"), async {
        exchange.marker(&reply).await;
        exchange.answer("GET VARIABLE", "200 result=0\n").await;
    });
    assert_eq!(value, Ok(None));
    works(&mut session, &mut exchange).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_can_guess_a_marker() {
    let mut texts = Vec::new();
    for _ in 0..2 {
        let (mut session, mut exchange) = abandoned().await;
        let (value, text) = tokio::join!(session.get_variable("A"), async {
            let text = exchange.marker("200 result=1 (strowger-sync-1)\n").await;
            exchange.answer("GET VARIABLE", "200 result=0\n").await;
            text
        });
        assert_eq!(value, Ok(None));
        texts.push(text);
    }
    assert_ne!(texts[0], texts[1]);
}

#[tokio::test(start_paused = true)]
async fn replies_without_end_close_the_session() {
    let (mut session, mut exchange) = abandoned().await;
    let (value, ()) = tokio::join!(session.get_variable("A"), async {
        for _ in 0..3 {
            exchange.send("200 result=0\n").await;
        }
    });
    assert_eq!(value, Err(CommandError::Disconnected));
}

/// Asterisk would overlook a command that comes along with the second marker. It may
/// overlook that one as well, and the command brings it to light.
#[tokio::test(start_paused = true)]
async fn a_command_waits_for_the_second_marker_but_not_for_long() {
    for overlooked in [false, true] {
        let (mut session, mut exchange) = abandoned().await;
        let (value, ()) = tokio::join!(session.get_variable("A"), async {
            let mut markers = Vec::new();
            for _ in 0..2 {
                let line = exchange.command().await;
                let text = line.strip_prefix("GET FULL VARIABLE ").expect(&line);
                markers.push(text.trim_matches('"').to_owned());
            }
            exchange
                .send(&format!("200 result=1 ({})\n", markers[0]))
                .await;
            assert!(timeout(SOON, exchange.0.fill_buf()).await.is_err());
            let second = format!("200 result=1 ({})\n", markers[1]);
            if overlooked {
                let replies = second + "200 result=1 (mine)\n";
                exchange.answer("GET VARIABLE", &replies).await;
            } else {
                exchange.send(&second).await;
                exchange
                    .answer("GET VARIABLE", "200 result=1 (mine)\n")
                    .await;
            }
        });
        assert_eq!(value.unwrap().as_deref(), Some("mine"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_bounds_the_wait_for_a_reply() {
    let (mut session, mut exchange) = pair().await;
    let start = Instant::now();
    let (bridged, ()) = tokio::join!(
        timeout(LONG * 10, session.exec("Bridge", &["a"])),
        exchange.answer("EXEC", "HANGUP\n")
    );
    assert_eq!(bridged, Ok(Err(CommandError::HungUp)));
    assert_eq!(start.elapsed().as_secs(), LONG.as_secs());
    // The reply is still owed.
    let (value, ()) = tokio::join!(session.get_variable("A"), async {
        exchange.marker("200 result=1 (late)\n").await;
        exchange
            .answer("GET VARIABLE", "200 result=1 (mine)\n")
            .await;
    });
    assert_eq!(value.unwrap().as_deref(), Some("mine"));

    // The hang-up is read while the end of an abandoned command is sought.
    let (mut session, mut exchange) = abandoned().await;
    let (bridged, ()) = tokio::join!(timeout(LONG * 10, session.exec("Bridge", &["a"])), async {
        exchange.marker("HANGUP\n").await;
        exchange.answer("EXEC", "").await;
    });
    assert_eq!(bridged, Ok(Err(CommandError::HungUp)));
}
