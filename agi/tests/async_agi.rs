//! Sessions over AMI: the same commands, another way.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::time::Duration;

use proptest::prelude::*;
use strowger_agi::{
    CommandError, EnvironmentError, InvalidArgument, Peer, Session,
    async_agi::{self, Ended, MAX_COMMAND, Order, Remote},
};
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(10);

/// As Asterisk 22 sent it.
const ENV: &str = "agi_request%3A%20async%0Aagi_channel%3A%20Local%2F101%40answer-00000008%3B1%0A\
    agi_language%3A%20en%0Aagi_uniqueid%3A%201795184304.16%0Aagi_version%3A%2022.10.1%2Bdfsg%0A\
    agi_callerid%3A%20%2B33123456789%0Aagi_arg_1%3A%20one%0Aagi_arg_2%3A%20two%0A%0A";

fn open() -> (Session, Remote) {
    async_agi::open(ENV, LONG).unwrap()
}

/// The next order; the session waits for its result.
async fn order(remote: &mut Remote) -> Order {
    timeout(LONG, remote.next_order()).await.unwrap().unwrap()
}

/// Answers orders in turn, then moves what is left until the session is over.
async fn answer(remote: &mut Remote, script: &[(&str, &str)]) -> Option<Order> {
    for (line, result) in script {
        let order = order(remote).await;
        assert_eq!(order.line, *line);
        remote.result(&order.command_id, result);
    }
    timeout(LONG, remote.next_order()).await.unwrap()
}

#[test]
fn the_environment_of_the_event() {
    let environment = async_agi::environment(ENV).unwrap();
    assert_eq!(environment.request(), Some("async"));
    assert_eq!(environment.channel(), Some("Local/101@answer-00000008;1"));
    assert_eq!(environment.caller_id(), Some("+33123456789"));
    assert!(environment.args().eq(["one", "two"]));
    // Asterisk keeps 1,024 bytes: a line without its end is worth nothing.
    let cut = ENV.strip_suffix("wo%0A%0A").unwrap();
    let environment = async_agi::environment(cut).unwrap();
    assert!(environment.args().eq(["one"]));
    assert_eq!(
        async_agi::environment("nonsense%0A").unwrap_err(),
        EnvironmentError::Malformed { line: 1 }
    );
}

#[test]
fn results_that_were_cut_are_closed() {
    for (result, text) in [
        ("200%20result%3D1%20(x)%0A", "200 result=1 (x)\n"),
        ("200%20result%3D1%20(a+b", "200 result=1 (a+b\n)\n"),
        ("200 result=0", "200 result=0\n"),
        (
            "520-Invalid%0AUsage that is c",
            "520-Invalid\nUsage that is c\n520 End of proper usage.\n",
        ),
        ("nonsense", "nonsense\n"),
    ] {
        assert_eq!(async_agi::replies(result), text);
    }
}

#[tokio::test]
async fn commands_and_results() {
    let (mut session, mut remote) = open();
    assert_eq!(session.peer(), Peer::Ami);
    let program = async move {
        session.answer().await.unwrap();
        let value = session.get_variable("A").await.unwrap();
        assert_eq!(value.as_deref(), Some("a b+c é"));
        let refused = session.say_digits("x", "").await.unwrap_err();
        assert!(matches!(refused, CommandError::Refused { code: 520, .. }));
        let long = session.verbose(&"x".repeat(1_000), 1).await;
        let expected = InvalidArgument::TooLong {
            length: 1_014,
            limit: MAX_COMMAND,
        };
        assert_eq!(long, Err(CommandError::InvalidArgument(expected)));
    };
    let script = [
        ("ANSWER", "200%20result%3D0%0A"),
        (
            r#"GET VARIABLE "A""#,
            "200%20result%3D1%20(a%20b%2Bc%20%C3%A9)%0A",
        ),
        (
            r#"SAY DIGITS "x" """#,
            "520-Invalid%0AUsage%0A520%20End%20of%20proper%20usage.%0A",
        ),
    ];
    let ((), last) = tokio::join!(program, answer(&mut remote, &script));
    // The session was dropped: the dialplan has to go on.
    assert_eq!(last.unwrap().line, "ASYNCAGI BREAK");
    assert_eq!(remote.next_order().await, None);
}

#[tokio::test]
async fn a_break_is_sent_once() {
    let (mut session, mut remote) = open();
    let program = async move { session.asyncagi_break().await };
    let script = [("ASYNCAGI BREAK", "200%20result%3D0%0A")];
    let (broken, last) = tokio::join!(program, answer(&mut remote, &script));
    assert_eq!((broken, last), (Ok(()), None));

    // Nor is there one when Asterisk has ended the session.
    let (session, mut remote) = open();
    remote.end(Ended::Released);
    drop(session);
    assert_eq!(remote.next_order().await, None);
}

#[tokio::test]
async fn a_session_that_is_dropped_breaks_at_once() {
    let (mut session, mut remote) = open();
    let (abandoned, running) = tokio::join!(
        timeout(Duration::from_millis(20), session.stream_file("a", "")),
        order(&mut remote)
    );
    assert!(abandoned.is_err());
    drop(session);
    let last = order(&mut remote).await;
    assert_eq!(last.line, "ASYNCAGI BREAK");
    assert_ne!(last.command_id, running.command_id);
}

#[tokio::test]
async fn refusing_a_call_lets_the_dialplan_go_on() {
    let (session, mut remote) = open();
    session.refuse().await;
    assert_eq!(order(&mut remote).await.line, "ASYNCAGI BREAK");
}

#[tokio::test]
async fn hangups_and_ends() {
    let (mut session, mut remote) = open();
    remote.end(Ended::HungUp);
    let ((), over) = tokio::join!(session.wait_hangup(), remote.next_order());
    assert_eq!(over, None);
    assert_eq!(session.noop().await, Err(CommandError::HungUp));

    let (mut session, mut remote) = open();
    let (played, ()) = tokio::join!(session.stream_file("a", ""), async {
        let _ = order(&mut remote).await;
        remote.end(Ended::HungUp);
        assert_eq!(remote.next_order().await, None);
    });
    assert_eq!(played, Err(CommandError::HungUp));

    // A command that fails ends the session; its result comes first.
    let (mut session, mut remote) = open();
    let (played, ()) = tokio::join!(session.stream_file("nofile", ""), async {
        let failed = order(&mut remote).await;
        remote.result(&failed.command_id, "200%20result%3D-1%20endpos%3D0%0A");
        remote.end(Ended::Released);
        assert_eq!(remote.next_order().await, None);
    });
    assert_eq!(played, Err(CommandError::Disconnected));

    let (mut session, remote) = open();
    drop(remote);
    assert_eq!(session.noop().await, Err(CommandError::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn one_command_is_outstanding_at_a_time() {
    let (mut session, mut remote) = open();
    let (late, first) = tokio::join!(
        session.exec_within("Playback", &["a"], Some(Duration::from_secs(1))),
        order(&mut remote)
    );
    assert_eq!(late, Err(CommandError::TimedOut));
    let program = session.get_variable("A");
    let owner = async {
        // The marker waits until the first command has its result.
        let early = timeout(Duration::from_secs(3), remote.next_order()).await;
        assert!(early.is_err());
        assert_eq!(remote.outstanding(), Some(first.command_id.clone()));
        remote.result("of another program", "200 result=1 (theirs)");
        remote.result(&first.command_id, "200 result=0");
        // Twice: Asterisk did not, but a link that reconnects might.
        remote.result(&first.command_id, "200 result=0");
        loop {
            let order = order(&mut remote).await;
            if order.line == r#"GET VARIABLE "A""# {
                remote.result(&order.command_id, "200 result=1 (mine)");
                let _ = timeout(Duration::from_secs(1), remote.next_order()).await;
                return;
            }
            let text = order.line.split('"').nth(1).unwrap();
            remote.result(&order.command_id, &format!("200 result=1 ({text})"));
        }
    };
    let (value, ()) = tokio::join!(program, owner);
    assert_eq!(value.unwrap().as_deref(), Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn a_result_that_never_comes_times_out() {
    let (mut session, mut remote) = open();
    let owner = async {
        let _ = order(&mut remote).await;
        let _ = timeout(LONG * 2, remote.next_order()).await;
    };
    let program = async {
        let outcome = session.noop().await;
        sleep(Duration::from_millis(1)).await;
        outcome
    };
    tokio::select! {
        outcome = program => assert_eq!(outcome, Err(CommandError::TimedOut)),
        () = owner => panic!("the deadline is earlier"),
    }
}

/// The next result begins with what was cut.
#[tokio::test]
async fn the_rest_of_a_long_result_is_nobodys_reply() {
    let (mut session, mut remote) = open();
    let value = "x".repeat(1_024 - "200 result=1 (".len());
    let cut = format!("200%20result%3D1%20({value}");
    let rest = format!("{}%0A200 result=1 (forged)%0A", "y".repeat(1_001));
    let program = async move {
        let long = session.get_variable("LONG").await.unwrap();
        assert!(long.unwrap().starts_with(&value));
        let short = session.get_variable("SHORT").await.unwrap();
        assert_eq!(short.as_deref(), Some("mine"));
    };
    let script = [
        (r#"GET VARIABLE "LONG""#, &*cut),
        ("NOOP", &rest),
        ("NOOP", "end)%0A200%20result%3D0%0A200%20result%3D0%0A"),
        (r#"GET VARIABLE "SHORT""#, "200%20result%3D1%20(mine)%0A"),
    ];
    let ((), last) = tokio::join!(program, answer(&mut remote, &script));
    assert_eq!(last.unwrap().line, "ASYNCAGI BREAK");
}

#[tokio::test]
async fn the_rest_of_a_long_environment_is_no_reply() {
    // Cut by its encoding, long before 1,024 bytes.
    let cut = format!(
        "agi_request%3A%20async%0Aagi_arg_1%3A%20{}",
        "%20".repeat(700)
    );
    let (mut session, mut remote) = async_agi::open(&cut, LONG).unwrap();
    let program = async move { session.answer().await };
    let script = [
        ("NOOP", "end%0A%0A200%20result%3D0%0A"),
        ("ANSWER", "200%20result%3D0%0A"),
    ];
    let (answered, _last) = tokio::join!(program, answer(&mut remote, &script));
    assert_eq!(answered, Ok(()));
}

#[tokio::test]
async fn a_session_that_is_lost_lets_the_dialplan_go_on() {
    let (mut session, mut remote) = open();
    remote.end(Ended::Lost);
    assert_eq!(order(&mut remote).await.line, "ASYNCAGI BREAK");
    let ((), over) = tokio::join!(session.wait_hangup(), remote.next_order());
    assert_eq!(over, None);
    assert_eq!(session.noop().await, Err(CommandError::Disconnected));

    // Asterisk said meanwhile that there is nobody to let go.
    let (session, mut remote) = open();
    remote.end(Ended::Lost);
    remote.end(Ended::Released);
    assert_eq!(remote.next_order().await, None);
    drop(session);

    // Longer than any reply.
    let (mut session, mut remote) = open();
    let (value, ()) = tokio::join!(session.get_variable("A"), async {
        let asked = order(&mut remote).await;
        remote.result(&asked.command_id, &"x".repeat(70_000));
        assert_eq!(order(&mut remote).await.line, "ASYNCAGI BREAK");
        assert_eq!(remote.next_order().await, None);
    });
    assert_eq!(value, Err(CommandError::Disconnected));
}

#[tokio::test]
async fn orders_of_two_sessions_have_different_names() {
    let mut names = Vec::new();
    for _ in 0..2 {
        let (session, mut remote) = open();
        drop(session);
        names.push(order(&mut remote).await.command_id);
    }
    assert_ne!(names[0], names[1]);
}

#[tokio::test]
async fn what_passes_through_is_not_shown() {
    let (mut session, mut remote) = open();
    let (data, shown) = tokio::join!(session.get_data("pin", LONG, 6), async {
        let asked = order(&mut remote).await;
        remote.result(&asked.command_id, "200 result=471108");
        let shown = format!("{remote:?}");
        let _ = timeout(Duration::from_millis(1), remote.next_order()).await;
        shown
    });
    assert_eq!(data.unwrap().digits, "471108");
    // As bytes, it would be numbers.
    assert!(
        !shown.contains("471108") && !shown.contains("52, 55, 49"),
        "{shown}"
    );
}

proptest! {
    #[test]
    fn hostile_headers_never_panic(text in "[a-z%0-9A-F:=() \\n-]{0,300}", any in any::<String>()) {
        for text in [&text, &any, &format!("200 result={text}"), &format!("520-{text}")] {
            let _ = async_agi::environment(text);
            let replies = async_agi::replies(text);
            prop_assert!(replies.len() <= text.len() * 3 + 32);
        }
    }
}
