use super::*;

fn decode(text: &str) -> Vec<Incoming> {
    let mut decoder = ReplyDecoder::new();
    decoder.push(text.as_bytes());
    std::iter::from_fn(|| decoder.next_line().unwrap()).collect()
}

fn one(text: &str) -> Success {
    match decode(&format!("{text}\n")).pop() {
        Some(Incoming::Reply(Reply::Success(success))) => success,
        other => panic!("{other:?}"),
    }
}

#[test]
fn replies_of_a_real_session() {
    let value = one("200 result=1 (\"Zoé Ünïcode \"Q\"\" <+33…>)");
    assert_eq!(value.value(), Some("\"Zoé Ünïcode \"Q\"\" <+33…>"));
    let value = one("200 result=1 (value with (parens) and \"quotes\")");
    assert_eq!(value.value(), Some("value with (parens) and \"quotes\""));
    assert_eq!(one("200 result=0"), Success::number(0));
    let missing = one("200 result=-1 endpos=0");
    assert!(missing.failed());
    assert_eq!(missing.end_position(), Some(0));
    assert_eq!(one("200 result=-2").code(), Some(-2));
    assert_eq!(one("200 result=35 endpos=8320").digit(), Some('#'));
    assert_eq!(one("200 result=0 endpos=8320").digit(), None);
    let digits = one("200 result=1234 (timeout)");
    assert_eq!((digits.result(), digits.value()), ("1234", Some("timeout")));
    let nothing = one("200 result= (timeout)");
    assert_eq!((nothing.result(), nothing.value()), ("", Some("timeout")));
    let recording = one("200 result=-1 (hangup) endpos=16000");
    assert_eq!(recording.value(), Some("hangup"));
    assert_eq!(recording.end_position(), Some(16_000));
    assert_eq!(one("200 result=1 ()").value(), Some(""));
    assert_eq!(one("200 result=#*9").result(), "#*9");
    assert_eq!(one("200 result=0 endpos=-1").end_position(), None);
    assert_eq!(one("200 result=0 Gosub complete").rest(), "Gosub complete");
    let heard =
        one("200 result=1 (speech) endpos=8 results=1 score0=9 text0=\"a) b c\" grammar0=g");
    assert!(heard.raw().ends_with("grammar0=g"));
    assert_eq!(one("200 result=12 (timeout)").into_result(), "12");
    assert_eq!(
        one("200 result=1 (a (b) c)").into_value().as_deref(),
        Some("a (b) c")
    );
}

#[test]
fn debug_output_holds_no_value() {
    for text in ["200 result=4711", "200 result=1 (4711)"] {
        let shown = format!("{:?}", one(text));
        assert!(!shown.contains("4711"), "{shown}");
    }
}

#[test]
fn refusals() {
    assert_eq!(
        decode("510 Invalid or unknown command\n"),
        [Incoming::Reply(Reply::Refused {
            code: 510,
            message: "Invalid or unknown command".to_owned()
        })]
    );
    let usage = "520-Invalid command syntax.  Proper usage follows:\n\
        Usage: NOOP\n\n 510 in the text\n520 End of proper usage.\n200 result=0\n";
    let decoded = decode(usage);
    assert_eq!(decoded.len(), 2);
    assert_eq!(
        decoded[0],
        Incoming::Reply(Reply::Refused {
            code: 520,
            message:
                "Invalid command syntax.  Proper usage follows:\nUsage: NOOP\n\n 510 in the text"
                    .to_owned()
        })
    );
}

#[test]
fn hangup_lines_stand_between_replies() {
    assert_eq!(
        decode("HANGUP\n511 Command Not Permitted on a dead channel or intercept routine\n"),
        [
            Incoming::Hangup,
            Incoming::Reply(Reply::Refused {
                code: 511,
                message: "Command Not Permitted on a dead channel or intercept routine".to_owned()
            })
        ]
    );
    assert_eq!(decode("100 result=0 Trying...\n\n200 result=0\n").len(), 1);
}

#[test]
fn a_value_with_a_line_break_is_one_reply() {
    let decoded = decode("200 result=1 (two\nlines (here) too\nand)\n200 result=0\n");
    assert_eq!(decoded.len(), 2);
    assert_eq!(
        decoded[0],
        Incoming::Reply(Reply::Success(
            Success::number(1).with_value("two\nlines (here) too\nand")
        ))
    );
}

#[test]
fn garbage_is_an_error() {
    for bad in [
        "hello\n", "20\n", "200\n", "200 ok\n", "299 x\n", "é\n", "+20 x\n",
    ] {
        let mut decoder = ReplyDecoder::new();
        decoder.push(bad.as_bytes());
        assert_eq!(decoder.next_line(), Err(ReplyError::Malformed), "{bad:?}");
    }
}

#[test]
fn endless_input_is_an_error() {
    let mut decoder = ReplyDecoder::new();
    decoder.push(&vec![b'2'; MAX_REPLY + 1]);
    assert_eq!(decoder.next_line(), Err(ReplyError::TooLong));

    let mut decoder = ReplyDecoder::new();
    decoder.push(b"520-begin\n");
    let error = (0..MAX_REPLY).find_map(|_| {
        decoder.push(b"usage text without an end\n");
        decoder.next_line().err()
    });
    assert_eq!(error, Some(ReplyError::TooLong));
}

#[test]
fn a_bracket_counts_on_its_own_line() {
    // Lines are not looked at again and again: a value may have many.
    assert_eq!(decode("200 result=1 (a) b\nc=d\n"), []);
    let closed = decode("200 result=1 (a) b\nc=d) endpos=1\n");
    let [Incoming::Reply(Reply::Success(success))] = &closed[..] else {
        panic!("{closed:?}");
    };
    assert_eq!(success.value(), Some("a) b\nc=d"));
    assert_eq!(success.end_position(), Some(1));
}
