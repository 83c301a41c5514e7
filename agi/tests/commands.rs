//! Every command: the line that is sent, and what its replies mean.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::{fmt::Debug, time::Duration};

use strowger_agi::{
    Case, ChannelStatus, Command, CommandError, ControlEnd, ControlPlayback, ControlStatus,
    ControlStream, DatabaseTree, ExecResult, Gender, InvalidArgument, Peer, Playback, Priority,
    Recognition, Record, RecordingEnd, Session, Subroutine, TddMode,
    client::{self, CommandLine},
    command,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex},
    time::timeout,
};

const LONG: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

/// A session over a pipe, and the exchange at its other end.
async fn pair(version: &str) -> (Session, Exchange) {
    let (ours, mut theirs) = duplex(64 * 1_024);
    let block = client::environment_block([("network_script", "x"), ("version", version)]);
    theirs.write_all(block.as_bytes()).await.unwrap();
    let session = Session::over(ours, LONG, LONG).await.unwrap();
    (session, Exchange(BufReader::new(theirs)))
}

struct Exchange(BufReader<DuplexStream>);

impl Exchange {
    async fn answer(&mut self, line: &str, reply: &str) {
        let mut read = String::new();
        timeout(LONG, self.0.read_line(&mut read))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(read.strip_suffix('\n'), Some(line));
        self.0.write_all(reply.as_bytes()).await.unwrap();
        self.0.write_all(b"\n").await.unwrap();
    }
}

/// Runs a command against an exchange that expects lines and gives replies, one after another.
async fn golden<T: Debug + PartialEq>(
    command: impl AsyncFnOnce(&mut Session) -> Result<T, CommandError>,
    script: &[(&str, &str)],
    expected: Result<T, CommandError>,
) {
    let (mut session, mut exchange) = pair("22.10.1").await;
    let answers = async {
        for (line, reply) in script {
            let verb = CommandLine::parse(line).unwrap().verb;
            assert!(
                !verb.contains(' ') || client::VERBS.contains(&&*verb),
                "{verb}"
            );
            exchange.answer(line, reply).await;
        }
    };
    let both = async { tokio::join!(command(&mut session), answers) };
    let (outcome, ()) = timeout(LONG, both).await.expect("the script fits");
    assert_eq!(outcome, expected, "{script:?}");
}

fn refused<T>(message: &str) -> Result<T, CommandError> {
    Err(CommandError::Refused {
        code: 200,
        message: message.to_owned(),
    })
}

macro_rules! golden {
    ($(|$session:ident| $call:expr, [$($line:expr => $reply:expr),+ $(,)?] => $expected:expr;)+) => {
        $(golden(async |$session| $call.await, &[$(($line, $reply)),+], $expected).await;)+
    };
}

const ALIVE: &str = "200 result=6";
/// With `AGISIGHUP=no`: there is no line `HANGUP`.
const GONE: &str = "511 Command Not Permitted on a dead channel or intercept routine";

#[tokio::test]
async fn the_channel() {
    golden! {
        |s| s.answer(), ["ANSWER" => "200 result=0"] => Ok(());
        |s| s.answer(), ["ANSWER" => "200 result=-1", "CHANNEL STATUS" => GONE] => Err(CommandError::HungUp);
        |s| s.answer(), ["ANSWER" => client::DEAD_CHANNEL.trim_end()] => Err(CommandError::HungUp);
        |s| s.hangup(), ["HANGUP" => "200 result=1"] => Ok(());
        |s| s.hangup(), ["HANGUP" => client::DEAD_CHANNEL.trim_end()] => Ok(());
        |s| s.hangup_channel("PJSIP/1-2"), [r#"HANGUP "PJSIP/1-2""# => "200 result=1"] => Ok(true);
        |s| s.hangup_channel("PJSIP/1-2"), [r#"HANGUP "PJSIP/1-2""# => "200 result=-1"] => Ok(false);
        |s| s.channel_status(), ["CHANNEL STATUS" => "200 result=6"] => Ok(ChannelStatus::Up);
        |s| s.channel_status(), ["CHANNEL STATUS" => "200 result=9"] => Ok(ChannelStatus::PreRing);
        |s| s.channel_status_of("a b"), [r#"CHANNEL STATUS "a b""# => "200 result=4"] => Ok(Some(ChannelStatus::Ringing));
        |s| s.channel_status_of("x"), [r#"CHANNEL STATUS "x""# => "200 result=-1"] => Ok(None);
        |s| s.set_autohangup(Some(Duration::from_millis(1_500))), [r#"SET AUTOHANGUP "1.500""# => "200 result=0"] => Ok(());
        |s| s.set_autohangup(Some(Duration::ZERO)), [r#"SET AUTOHANGUP "0.001""# => "200 result=0"] => Ok(());
        |s| s.set_autohangup(None), [r#"SET AUTOHANGUP "0.000""# => "200 result=0"] => Ok(());
        |s| s.set_callerid(r#""A" <12>"#), [r#"SET CALLERID "\"A\" <12>""# => "200 result=1"] => Ok(());
        |s| s.noop(), ["NOOP" => "200 result=0"] => Ok(());
        |s| s.verbose("hi there", 3), [r#"VERBOSE "hi there" "3""# => "200 result=1"] => Ok(());
        |s| s.asyncagi_break(), ["ASYNCAGI BREAK" => "200 result=0"] => Ok(());
    }
}

#[tokio::test]
async fn the_database() {
    golden! {
        |s| s.database_get("f", "k"), [r#"DATABASE GET "f" "k""# => "200 result=1 (v (w))"] => Ok(Some("v (w)".to_owned()));
        |s| s.database_get("f", "k"), [r#"DATABASE GET "f" "k""# => "200 result=0"] => Ok(None);
        |s| s.database_put("f", "k", r"a\b"), [r#"DATABASE PUT "f" "k" "a\\b""# => "200 result=1"] => Ok(());
        |s| s.database_put("f", "k", ""), [r#"DATABASE PUT "f" "k" """# => "200 result=0"] => refused("result=0");
        |s| s.database_del("f", "k"), [r#"DATABASE DEL "f" "k""# => "200 result=1"] => Ok(());
        |s| s.database_deltree("f", None), [r#"DATABASE DELTREE "f""# => "200 result=0"] => Ok(DatabaseTree::Deleted);
        |s| s.database_deltree("f", Some("k")), [r#"DATABASE DELTREE "f" "k""# => "200 result=1"] => Ok(DatabaseTree::Nothing);
    }
}

#[tokio::test]
async fn the_dialplan() {
    golden! {
        |s| s.set_variable("A", "q\"\\"), [r#"SET VARIABLE "A" "q\"\\""# => "200 result=1"] => Ok(());
        |s| s.get_variable("A"), [r#"GET VARIABLE "A""# => "200 result=1 (two\nlines)"] => Ok(Some("two\nlines".to_owned()));
        |s| s.get_variable("A"), [r#"GET VARIABLE "A""# => "200 result=0"] => Ok(None);
        |s| s.get_full_variable("${A}"), [r#"GET FULL VARIABLE "${A}""# => "200 result=1 ()"] => Ok(Some(String::new()));
        |s| s.get_full_variable_of("${A}", "c"), [r#"GET FULL VARIABLE "${A}" "c""# => "200 result=0"] => Ok(None);
        |s| s.exec("Dial", &["PJSIP/1", "20"]), [r#"EXEC "Dial" "PJSIP/1,20""# => "200 result=0"] => Ok(ExecResult::Returned(0));
        |s| s.exec("Nope", &[]), [r#"EXEC "Nope" """# => "200 result=-2"] => Ok(ExecResult::NoSuchApplication);
        |s| s.exec("Dial", &["a"]), [r#"EXEC "Dial" "a""# => "200 result=-1", "CHANNEL STATUS" => GONE] => Err(CommandError::HungUp);
        |s| s.exec("Dial", &["a"]), [r#"EXEC "Dial" "a""# => "200 result=-1", "CHANNEL STATUS" => ALIVE] => Ok(ExecResult::Returned(-1));
        |s| s.gosub("ctx", "s", Priority::Number(1), &[]), [r#"GOSUB "ctx" "s" "1""# => "100 result=0 Trying...\n200 result=0 Gosub complete"] => Ok(Subroutine::Returned);
        |s| s.gosub("ctx", "s", Priority::Label("top"), &["a", "b"]), [r#"GOSUB "ctx" "s" "top" "a,b""# => "200 result=-1 Gosub label not found", "CHANNEL STATUS" => ALIVE] => Ok(Subroutine::NotFound);
        |s| s.gosub("ctx", "s", Priority::Number(1), &[]), [r#"GOSUB "ctx" "s" "1""# => "200 result=-1 Gosub failed", "CHANNEL STATUS" => ALIVE] => Ok(Subroutine::Failed);
        |s| s.gosub("ctx", "s", Priority::Number(1), &[]), [r#"GOSUB "ctx" "s" "1""# => "200 result=-1 Gosub complete", "CHANNEL STATUS" => GONE] => Err(CommandError::HungUp);
        |s| s.set_context("c"), [r#"SET CONTEXT "c""# => "200 result=0"] => Ok(());
        |s| s.set_extension("e"), [r#"SET EXTENSION "e""# => "200 result=0"] => Ok(());
        |s| s.set_priority(Priority::Number(7)), [r#"SET PRIORITY "7""# => "200 result=0"] => Ok(());
        |s| s.set_priority(Priority::Label("x")), [r#"SET PRIORITY "x""# => "520-Invalid command syntax.  Proper usage follows:\nUsage\n520 End of proper usage."]
            => Err(CommandError::Refused { code: 520, message: "Invalid command syntax.  Proper usage follows:\nUsage".to_owned() });
        |s| s.set_music(true, Some("jazz")), [r#"SET MUSIC "ON" "jazz""# => "200 result=0"] => Ok(());
        |s| s.set_music(false, None), [r#"SET MUSIC "OFF""# => "200 result=0"] => Ok(());
    }
}

#[tokio::test]
async fn an_application_that_returns_1_is_followed_by_a_usage_text() {
    let usage = "200 result=1\n520-Invalid command syntax.  Proper usage follows:\nUsage\n520 End of proper usage.";
    golden! {
        |s| async {
            assert_eq!(s.exec("Odd", &[]).await, Ok(ExecResult::Returned(1)));
            s.get_variable("A").await
        }, [r#"EXEC "Odd" """# => usage, r#"GET VARIABLE "A""# => "200 result=1 (mine)"] => Ok(Some("mine".to_owned()));
    }
}

#[tokio::test]
async fn sounds_and_digits() {
    let control = ControlStream {
        stop: "0",
        skip: SECOND,
        pause: Some('5'),
        offset: SECOND * 2,
        ..ControlStream::new("f")
    };
    let steered = r##"CONTROL STREAM FILE "f" "0" "1000" "#" "*" "5" "2000""##;
    let plain = r##"CONTROL STREAM FILE "f" "" "3000" "#" "*" "" "0""##;
    golden! {
        |s| s.stream_file("a", "12"), [r#"STREAM FILE "a" "12""# => "200 result=49 endpos=800"] => Ok(Playback { digit: Some('1'), end_position: 800 });
        |s| s.stream_file("a", ""), [r#"STREAM FILE "a" """# => "200 result=-1 endpos=0", "CHANNEL STATUS" => ALIVE] => refused("result=-1 endpos=0");
        |s| s.stream_file_from("a", "", 800), [r#"STREAM FILE "a" "" "800""# => "200 result=0 endpos=1600"] => Ok(Playback { digit: None, end_position: 1_600 });
        |s| s.control_stream_file(&control), [steered => "200 result=48 endpos=2500"]
            => Ok(ControlPlayback { end: ControlEnd::Digit('0'), offset: Some(Duration::from_millis(2_500)) });
        |s| s.control_stream_file(&ControlStream::new("f")), [plain => "200 result=0 endpos=-1"]
            => Ok(ControlPlayback { end: ControlEnd::Finished, offset: None });
        |s| s.control_stream_file(&ControlStream::new("f")), [plain => "200 result=-1 endpos=-1", "CHANNEL STATUS" => ALIVE] => refused("result=-1 endpos=-1");
        |s| s.control_stream_status(), [r#"GET VARIABLE "CPLAYBACKSTATUS""# => "200 result=1 (REMOTESTOPPED)"] => Ok(Some(ControlStatus::RemoteStopped));
        |s| s.control_stream_status(), [r#"GET VARIABLE "CPLAYBACKSTATUS""# => "200 result=0"] => Ok(None);
        |s| s.get_option("a", "1", SECOND), [r#"GET OPTION "a" "1" "1000""# => "200 result=0 endpos=8"] => Ok(Playback { digit: None, end_position: 8 });
        |s| async { s.get_data("m", SECOND, 4).await.map(|data| (data.digits, data.timed_out)) },
            [r#"GET DATA "m" "1000" "4""# => "200 result= (timeout)"] => Ok((String::new(), true));
        |s| async { s.get_data("m", SECOND, 4).await.map(|data| (data.digits, data.timed_out)) },
            [r#"GET DATA "m" "1000" "4""# => "200 result=1*2"] => Ok(("1*2".to_owned(), false));
        |s| async { s.get_data("m", SECOND, 4).await.map(|data| data.digits) },
            [r#"GET DATA "m" "1000" "4""# => "200 result=-1", "CHANNEL STATUS" => GONE] => Err(CommandError::HungUp);
        |s| s.wait_for_digit(SECOND), [r#"WAIT FOR DIGIT "1000""# => "200 result=35"] => Ok(Some('#'));
        |s| s.wait_for_digit(Duration::MAX), [r#"WAIT FOR DIGIT "2147483647""# => "200 result=0"] => Ok(None);
    }
}

#[tokio::test]
async fn recordings() {
    let full = Record {
        escape_digits: "#",
        max_duration: Some(SECOND),
        beep: true,
        silence: Some(Duration::from_millis(2_100)),
        offset: Some(80),
        ..Record::new("f", "wav")
    };
    let line = r##"RECORD FILE "f" "wav" "#" "1000" "80" "BEEP" "s=3""##;
    let endless = r#"RECORD FILE "f" "wav" "" "-1""#;
    for (reply, end, samples) in [
        (
            "200 result=35 (dtmf) endpos=160",
            RecordingEnd::Dtmf('#'),
            160,
        ),
        (
            "200 result=35 (randomerror) endpos=0",
            RecordingEnd::Dtmf('#'),
            0,
        ),
        (
            "200 result=0 (timeout) endpos=160",
            RecordingEnd::Timeout,
            160,
        ),
        (
            "200 result=-1 (hangup) endpos=160",
            RecordingEnd::Hangup,
            160,
        ),
    ] {
        golden! {
            |s| async { s.record(&full).await.map(|recording| (recording.end, recording.samples)) }, [line => reply] => Ok((end, samples));
        }
    }
    golden! {
        |s| async { s.record(&Record::new("f", "wav")).await.map(|recording| recording.end) },
            [endless => "200 result=-1 (writefile)", "CHANNEL STATUS" => ALIVE] => Ok(RecordingEnd::Failed);
        |s| async { s.record(&Record::new("f", "wav")).await.map(|recording| recording.end) },
            [endless => "200 result=-1 (waitfor) endpos=0", "CHANNEL STATUS" => GONE] => Ok(RecordingEnd::Hangup);
        |s| async { s.record_file("f", "wav", "", SECOND, false, None).await.map(drop) },
            [r#"RECORD FILE "f" "wav" "" "1000""# => "200 result=0 (timeout) endpos=0"] => Ok(());
    }
}

#[tokio::test]
async fn saying() {
    golden! {
        |s| s.say_number(-5, "#"), [r##"SAY NUMBER "-5" "#""## => "200 result=35"] => Ok(Some('#'));
        |s| s.say_number_as(1, "", Gender::Feminine), [r#"SAY NUMBER "1" "" "f""# => "200 result=0"] => Ok(None);
        |s| s.say_digits("12", ""), [r#"SAY DIGITS "12" """# => "200 result=0"] => Ok(None);
        |s| s.say_alpha("aB", "", Case::None), [r#"SAY ALPHA "aB" """# => "200 result=0"] => Ok(None);
        |s| s.say_alpha("aB", "", Case::Upper), [r#"SAY ALPHA "aB" "" "u""# => "200 result=0"] => Ok(None);
        |s| s.say_phonetic("ab", "1"), [r#"SAY PHONETIC "ab" "1""# => "200 result=49"] => Ok(Some('1'));
        |s| s.say_date(0, ""), [r#"SAY DATE "0" """# => "200 result=0"] => Ok(None);
        |s| s.say_time(0, ""), [r#"SAY TIME "0" """# => "200 result=0"] => Ok(None);
        |s| s.say_datetime(4_000_000_000, "", None, None), [r#"SAY DATETIME "4000000000" """# => "200 result=0"] => Ok(None);
        |s| s.say_datetime(0, "", None, Some("Europe/Paris")), [r#"SAY DATETIME "0" "" "ABdY 'digits/at' IMp" "Europe/Paris""# => "200 result=0"] => Ok(None);
        |s| s.say_datetime(0, "", Some("HM"), None), [r#"SAY DATETIME "0" "" "HM""# => "200 result=-1", "CHANNEL STATUS" => GONE] => Err(CommandError::HungUp);
    }
}

#[tokio::test]
async fn messages() {
    golden! {
        |s| s.send_text("hi there"), [r#"SEND TEXT "hi there""# => "200 result=0"] => Ok(());
        |s| s.send_image("logo"), [r#"SEND IMAGE "logo""# => "200 result=0"] => Ok(());
        |s| s.receive_char(Some(SECOND)), [r#"RECEIVE CHAR "1000""# => "200 result=65"] => Ok(Some('A'));
        |s| s.receive_char(None), [r#"RECEIVE CHAR "-1""# => "200 result=-1 (hangup)", "CHANNEL STATUS" => GONE] => Err(CommandError::HungUp);
        |s| s.receive_char(Some(SECOND)), [r#"RECEIVE CHAR "1000""# => "200 result=-1 (hangup)", "CHANNEL STATUS" => ALIVE] => Ok(None);
        |s| s.receive_text(Some(SECOND)), [r#"RECEIVE TEXT "1000""# => "200 result=1 (hello)"] => Ok(Some("hello".to_owned()));
        |s| s.receive_text(None), [r#"RECEIVE TEXT "-1""# => "200 result=-1", "CHANNEL STATUS" => ALIVE] => Ok(None);
        |s| s.tdd_mode(TddMode::On), [r#"TDD MODE "on""# => "200 result=0"] => Ok(false);
        |s| s.tdd_mode(TddMode::Mate), [r#"TDD MODE "mate""# => "200 result=1"] => Ok(true);
    }
}

#[tokio::test]
async fn speech() {
    let recognize = r#"SPEECH RECOGNIZE "p" "3" "0""#;
    golden! {
        |s| s.speech_create(""), [r#"SPEECH CREATE """# => "200 result=1"] => Ok(());
        |s| s.speech_create("e"), [r#"SPEECH CREATE "e""# => "200 result=0"] => refused("result=0");
        |s| s.speech_set("a", "b"), [r#"SPEECH SET "a" "b""# => "200 result=1"] => Ok(());
        |s| s.speech_destroy(), ["SPEECH DESTROY" => "200 result=0"] => Ok(false);
        |s| s.speech_load_grammar("g", "/p"), [r#"SPEECH LOAD GRAMMAR "g" "/p""# => "200 result=1"] => Ok(());
        |s| s.speech_unload_grammar("g"), [r#"SPEECH UNLOAD GRAMMAR "g""# => "200 result=1"] => Ok(());
        |s| s.speech_activate_grammar("g"), [r#"SPEECH ACTIVATE GRAMMAR "g""# => "200 result=1"] => Ok(());
        |s| s.speech_deactivate_grammar("g"), [r#"SPEECH DEACTIVATE GRAMMAR "g""# => "200 result=0"] => refused("result=0");
        |s| s.speech_recognize("p", Some(Duration::from_millis(2_500)), 0), [recognize => "200 result=1 (digit) digit=5 endpos=80"]
            => Ok(Recognition::Digit { digit: '5', end_position: 80 });
        |s| s.speech_recognize("p", None, 8), [r#"SPEECH RECOGNIZE "p" "0" "8""# => "200 result=1 (timeout) endpos=0"] => Ok(Recognition::Timeout { end_position: 0 });
        |s| s.speech_recognize("p", Some(SECOND * 3), 0), [recognize => "200 result=1 (hangup) endpos=0"] => Err(CommandError::HungUp);
        |s| s.speech_recognize("p", Some(SECOND * 3), 0), [recognize => "200 result=0"] => refused("result=0");
        |s| async {
            let Recognition::Speech { end_position: 8, results } = s.speech_recognize("p", Some(SECOND * 3), 0).await? else { return Ok(vec![]) };
            Ok(results.into_iter().map(|heard| (heard.score, heard.text, heard.grammar)).collect())
        }, [recognize => r#"200 result=1 (speech) endpos=8 results=2 score0=900 text0="yes) a=b "c" grammar0=g h score1=-1 text1="" grammar1=i"#]
            => Ok(vec![(900, r#"yes) a=b "c"#.to_owned(), "g h".to_owned()), (-1, String::new(), "i".to_owned())]);
    }
}

#[tokio::test]
async fn a_command_that_is_not_known_is_refused() {
    golden! {
        |s| async { s.command(Command::new("TEA").arg("milk")).await.map(drop) }, [r#"TEA "milk""# => client::UNKNOWN_COMMAND.trim_end()]
            => Err(CommandError::Refused { code: 510, message: "Invalid or unknown command".to_owned() });
    }
}

#[tokio::test]
async fn lines_are_as_long_as_the_exchange_reads() {
    for (version, limit) in [
        ("22.10.1", command::MAX_LINE_LONG),
        ("20.0.0", command::MAX_LINE_LONG),
        ("18.26.4", command::MAX_LINE),
        ("GIT-master", command::MAX_LINE),
    ] {
        let (mut session, mut exchange) = pair(version).await;
        assert_eq!(session.peer(), Peer::Stream);
        // `VERBOSE "…" "1"` is 14 bytes longer than its text.
        let fits = "x".repeat(limit - 14);
        let line = format!(r#"VERBOSE "{fits}" "1""#);
        let (sent, ()) = tokio::join!(
            session.verbose(&fits, 1),
            exchange.answer(&line, "200 result=1")
        );
        sent.unwrap();
        let long = session.verbose(&(fits + "x"), 1).await;
        let length = limit + 1;
        let expected = InvalidArgument::TooLong { length, limit };
        assert_eq!(long, Err(CommandError::InvalidArgument(expected)));
    }
}

#[tokio::test]
async fn a_hang_up_is_read_when_the_connection_has_ended_behind_it() {
    let (mut session, mut exchange) = pair("22.10.1").await;
    let ending = async {
        let replies = "200 result=-1 endpos=0\nHANGUP";
        exchange.answer(r#"STREAM FILE "x" """#, replies).await;
        drop(exchange);
    };
    let (outcome, ()) = tokio::join!(session.stream_file("x", ""), ending);
    assert_eq!(outcome, Err(CommandError::HungUp));
}
