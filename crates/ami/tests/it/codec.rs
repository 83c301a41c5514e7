//! Frames as Asterisk writes them, and properties over all streams.

use proptest::prelude::*;
use strowger_ami::codec::{MAX_FRAME_BYTES, MAX_HEADERS};
use strowger_ami::{
    Action, DecodeError, Decoded, Decoder, Kind, Message, encode_banner, encode_frame,
};

type Item = Result<Decoded, DecodeError>;

/// Decodes `stream`, cut at each of `cuts`; checks the bound of memory on the way.
fn decode(mut decoder: Decoder, stream: &[u8], cuts: &[usize]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([stream.len()]) {
        let end = end.clamp(start, stream.len());
        decoder.push(&stream[start..end]);
        while let Some(item) = decoder.next() {
            items.push(item);
        }
        assert!(decoder.buffered() < MAX_FRAME_BYTES);
        start = end;
    }
    items
}

fn frames(stream: &[u8]) -> Vec<Message> {
    decode(Decoder::for_server(), stream, &[])
        .into_iter()
        .map(|item| match item {
            Ok(Decoded::Frame(message)) => message,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A session with everything that is unusual on this wire.
const SESSION: &[u8] = b"Asterisk Call Manager/11.0.0\r\n\
Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n\
Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 77\r\nLastReload: 12\r\nStatus: Fully Booted\r\n\r\n\
Response: Error\r\nActionID: 2\r\nMessage: No endpoints found\n\r\n\r\n\
Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: 3\r\nResponse: Failure\r\nChannel: PJSIP/busy@carrier\r\nReason: 5\r\nUniqueid: att_01\r\n\r\n\
Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: Echo\r\nEmpty:\r\nBlank: \r\nAppData: a: b\r\nActionID: 4\r\n\r\n\
Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/a-1\r\nCallerIDName: Zo\xe9\r\nChanVariable: A=1\r\nChanVariable: B=2\r\n\r\n\
Response: Follows\r\nPrivilege: Command\r\nActionID: 5\r\nName: x\n\r\n\r\nLast\n--END COMMAND--\r\n\r\n\
\r\n\
Response: Success\r\nActionID: 6\r\nPing: Pong\r\nTimestamp: 1763635770.123456\r\n\r\n";

#[test]
fn a_session_with_every_oddity() {
    let items = decode(Decoder::new(), SESSION, &[]);
    let Ok(Decoded::Banner { version }) = &items[0] else {
        panic!("{items:?}")
    };
    assert_eq!(version, "11.0.0");
    let frames: Vec<&Message> = items[1..]
        .iter()
        .map(|item| match item {
            Ok(Decoded::Frame(message)) => message,
            other => panic!("{other:?}"),
        })
        .collect();
    let ids: Vec<_> = frames
        .iter()
        .map(|f| f.action_id().unwrap_or_default())
        .collect();
    assert_eq!(ids, ["1", "", "2", "3", "4", "", "5", "6"]);

    assert_eq!(frames[2].get("Message").unwrap(), "No endpoints found");
    assert_eq!(frames[3].kind(), Kind::Event);
    assert_eq!(frames[3].get("Response").unwrap(), "Failure");
    assert_eq!(frames[4].get("Empty").unwrap(), "");
    assert_eq!(frames[4].get("Blank").unwrap(), "");
    assert_eq!(frames[4].get("AppData").unwrap(), "a: b");
    assert_eq!(frames[5].bytes("CallerIDName").unwrap(), b"Zo\xe9");
    let variables: Vec<_> = frames[5].get_all("ChanVariable").collect();
    assert_eq!(variables, ["A=1", "B=2"]);
    let output: Vec<_> = frames[6].get_all("Output").collect();
    assert_eq!(output, ["Name: x", "", "", "Last"]);
    assert_eq!(frames[7].get("Ping").unwrap(), "Pong");
}

#[test]
fn every_single_split_gives_the_same_frames() {
    let whole = decode(Decoder::new(), SESSION, &[]);
    for cut in 0..SESSION.len() {
        assert_eq!(
            decode(Decoder::new(), SESSION, &[cut]),
            whole,
            "cut at {cut}"
        );
    }
    let each: Vec<usize> = (0..SESSION.len()).collect();
    assert_eq!(decode(Decoder::new(), SESSION, &each), whole);
}

#[test]
fn an_error_without_action_id() {
    let frames =
        frames(b"Response: Error\r\nMessage: Failed to parse message: line too long\r\n\r\n");
    assert_eq!(frames[0].action_id(), None);
    assert_eq!(
        frames[0].get("Message").unwrap(),
        "Failed to parse message: line too long"
    );
}

#[test]
fn command_output_of_today() {
    let frames = frames(
        b"Response: Error\r\nMessage: Command output follows\r\nOutput: No such command 'x y'\r\nOutput: \r\nOutput: a: b\r\n\r\n",
    );
    let output: Vec<_> = frames[0].get_all("output").collect();
    assert_eq!(output, ["No such command 'x y'", "", "a: b"]);
}

#[test]
fn an_oversize_frame_is_skipped_and_the_stream_goes_on() {
    let mut stream = b"Event: Big\r\nX: ".to_vec();
    stream.extend(std::iter::repeat_n(b'x', 3 * MAX_FRAME_BYTES));
    stream.extend(b"\r\n\r\nEvent: Next\r\n\r\n");
    for cuts in [
        vec![],
        vec![MAX_FRAME_BYTES, 2 * MAX_FRAME_BYTES],
        (0..stream.len()).step_by(1000).collect(),
    ] {
        let items = decode(Decoder::for_server(), &stream, &cuts);
        assert_eq!(items.len(), 2);
        assert_eq!(items[0], Err(DecodeError::FrameTooLong));
        let Ok(Decoded::Frame(next)) = &items[1] else {
            panic!()
        };
        assert_eq!(next.name(), "Next");
    }
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken() {
    let head = b"Event: Big\r\nX: ";
    let filling = MAX_FRAME_BYTES - head.len() - 4;
    for (surplus, accepted) in [(0, true), (1, false)] {
        let mut stream = head.to_vec();
        stream.extend(std::iter::repeat_n(b'x', filling + surplus));
        stream.extend(b"\r\n\r\n");
        for cuts in [vec![], vec![stream.len() - 4], vec![stream.len() - 1]] {
            let items = decode(Decoder::for_server(), &stream, &cuts);
            assert_eq!(items[0].is_ok(), accepted);
            assert_eq!(items.len(), 1);
        }
    }
}

#[test]
fn too_many_headers_cost_one_frame() {
    let mut stream = b"Event: Many\r\n".to_vec();
    stream.extend(b"A: b\r\n".repeat(MAX_HEADERS));
    stream.extend(b"\r\nno header at all\r\n\r\nEvent: Next\r\n\r\n");
    let items = decode(Decoder::for_server(), &stream, &[]);
    assert_eq!(items[0], Err(DecodeError::TooManyHeaders));
    assert_eq!(items[1], Err(DecodeError::Garbage));
    assert!(items[2].is_ok());
}

#[test]
fn another_service_is_recognised() {
    for hello in [
        &b"SSH-2.0-OpenSSH_9.2\r\n"[..],
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ] {
        let items = decode(Decoder::new(), hello, &[]);
        assert_eq!(items[0], Err(DecodeError::NotAManager));
    }
    let items = decode(Decoder::new(), &[b'x'; 5000], &[10, 1024, 2000]);
    assert_eq!(items, [Err(DecodeError::NotAManager)]);
}

#[test]
fn what_the_server_side_writes_is_read() {
    let mut stream = encode_banner("11.0.0").to_vec();
    stream.extend(encode_frame(&[
        ("Event", "X"),
        ("Text", "a\r\n\r\nb: c"),
        ("E", ""),
    ]));
    let items = decode(Decoder::new(), &stream, &[]);
    assert_eq!(
        items[0],
        Ok(Decoded::Banner {
            version: "11.0.0".into()
        })
    );
    let Ok(Decoded::Frame(frame)) = &items[1] else {
        panic!()
    };
    assert_eq!(frame.get("Text").unwrap(), "a    b: c");
    assert_eq!(frame.headers().count(), 3);
}

#[test]
fn endless_blank_lines_are_not_kept() {
    let mut decoder = Decoder::for_server();
    for _ in 0..1_000 {
        decoder.push(&b"\r\n".repeat(1_000));
        assert_eq!(decoder.next(), None);
        assert_eq!(decoder.buffered(), 0);
    }
    // Half a line may be the beginning of a frame.
    decoder.push(b"\r");
    assert_eq!(decoder.next(), None);
    decoder.push(b"\nEvent: X\r\n\r\n");
    let Some(Ok(Decoded::Frame(frame))) = decoder.next() else {
        panic!()
    };
    assert_eq!(frame.name(), "X");
}

#[test]
fn the_blank_line_behind_a_test_event_is_none_of_the_next_frame() {
    // Asterisk 22 ends the AppData of such an event by a line break of its own.
    let frames = frames(
        b"Event: TestEvent\r\nType: StateChange\r\nState: X\r\nAppFile: a.c\r\nAppLine: 1\r\n\r\n\r\nEvent: Next\r\n\r\n",
    );
    let names: Vec<_> = frames.iter().map(Message::name).collect();
    assert_eq!(names, ["TestEvent", "Next"]);
    assert_eq!(frames[0].get("AppLine").unwrap(), "1");
}

#[test]
fn both_styles_of_command_output_give_the_same_lines() {
    let today = frames(
        b"Response: Success\r\nActionID: 1\r\nMessage: Command output follows\r\nOutput: a: b\r\nOutput: \r\nOutput: c\r\n\r\n",
    );
    let formerly = frames(
        b"Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\na: b\n\nc\n--END COMMAND--\r\n\r\n",
    );
    for frames in [today, formerly] {
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].action_id().unwrap(), "1");
        let output: Vec<_> = frames[0].get_all("Output").collect();
        assert_eq!(output, ["a: b", "", "c"]);
    }
}

#[test]
fn a_bare_line_feed_ends_no_line() {
    let frames = frames(b"Event: X\r\nA: one\nB: two\r\nC: three\n\r\nD: \n\n\r\n\r\n");
    assert_eq!(frames[0].get("A").unwrap(), "one\nB: two");
    assert_eq!(frames[0].get("B"), None);
    // Only the one at the end of a value is taken off.
    assert_eq!(frames[0].get("C").unwrap(), "three");
    assert_eq!(frames[0].get("D").unwrap(), "\n");
}

/// The names of the events that are found, errors left out.
fn names(items: &[Item]) -> Vec<String> {
    let event = |item: &Item| match item {
        Ok(Decoded::Frame(frame)) => Some(frame.name().into_owned()),
        Ok(Decoded::Banner { .. }) | Err(_) => None,
    };
    items.iter().filter_map(event).collect()
}

/// A key as the wire has them.
const KEY: &str = "[A-Za-z][A-Za-z0-9_()/-]{0,20}";

proptest! {
    /// A good frame behind any garbage that ends with a blank line is found. Only raw
    /// output of a command is entitled to go on behind one.
    #[test]
    fn a_good_frame_behind_garbage_is_found(
        garbage in prop::collection::vec(prop_oneof![
            4 => any::<u8>(), 1 => Just(b'\r'), 1 => Just(b'\n'), 1 => Just(b':'),
        ], 0..600),
        filling in prop_oneof![8 => Just(0), 1 => MAX_FRAME_BYTES - 700..2 * MAX_FRAME_BYTES],
        chunk in 1..5_000_usize,
    ) {
        let mut stream = garbage;
        stream.extend(std::iter::repeat_n(b'x', filling));
        stream.extend(b"\r\n\r\nEvent: Good\r\nA: b\r\n\r\n");
        let cuts: Vec<_> = (0..stream.len()).step_by(chunk).collect();
        let items = decode(Decoder::for_server(), &stream, &cuts);
        let names = names(&items);
        prop_assert_eq!(names.last().map(String::as_str), Some("Good"));
    }

    /// Frames of a server arrive as they were written: bytes that are no UTF-8, empty
    /// values and repeated keys among them.
    #[test]
    fn frames_of_a_server_arrive_unchanged(
        values in prop::collection::vec(
            (prop::sample::select(vec!["A", "ChanVariable", "Output", "B"]),
             prop::collection::vec(any::<u8>().prop_filter("ends a line", |b| !b"\r\n".contains(b)), 0..40)),
            0..40),
        chunk in 1..200_usize,
    ) {
        let mut stream = b"Event: X\r\n".to_vec();
        for (key, value) in &values {
            stream.extend([key.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        stream.extend(b"\r\n");
        let cuts: Vec<_> = (0..stream.len()).step_by(chunk).collect();
        let items = decode(Decoder::for_server(), &stream, &cuts);
        let [Ok(Decoded::Frame(frame))] = &items[..] else {
            panic!("{items:?}")
        };
        let found: Vec<_> = frame.headers().skip(1).collect();
        let sent: Vec<_> = values.iter().map(|(k, v)| (k.as_bytes(), &v[..])).collect();
        prop_assert_eq!(found, sent);
        for key in ["a", "CHANVARIABLE", "output", "b"] {
            let sent: Vec<_> = values
                .iter()
                .filter(|(known, _)| known.eq_ignore_ascii_case(key))
                .map(|(_, value)| String::from_utf8_lossy(value))
                .collect();
            let found: Vec<_> = frame.get_all(key).collect();
            prop_assert_eq!(found, sent);
        }
    }

    /// What `encode_frame` writes has exactly its headers, line breaks made blanks.
    #[test]
    fn what_a_simulator_writes_is_one_frame(
        headers in prop::collection::vec((KEY, any::<String>()), 1..30),
    ) {
        let headers: Vec<_> = headers.iter().map(|(k, v)| (&**k, &**v)).collect();
        let read = frames(&encode_frame(&headers));
        prop_assert_eq!(read.len(), 1);
        let found: Vec<_> = read[0].headers().collect();
        let blank = |value: &str| value.replace(['\r', '\n', '\0'], " ").into_bytes();
        let sent: Vec<_> = headers.iter().map(|(k, v)| (k.as_bytes().to_vec(), blank(v))).collect();
        let found: Vec<_> = found.into_iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
        prop_assert_eq!(found, sent);
    }

    /// The limits hold to the byte and to the header, wherever the stream is cut.
    #[test]
    fn limits_do_not_depend_on_the_split(
        headers in MAX_HEADERS - 3..MAX_HEADERS + 3,
        length in MAX_FRAME_BYTES - 6..MAX_FRAME_BYTES + 6,
        chunk in 500..9_000_usize,
    ) {
        let mut many = b"Event: X\r\n".to_vec();
        many.extend(b"A: b\r\n".repeat(headers - 1));
        many.extend(b"\r\n");
        let mut long = b"Event: X\r\nA: ".to_vec();
        long.resize(length - 4, b'x');
        long.extend(b"\r\n\r\n");
        let cases = [
            (many, headers <= MAX_HEADERS, DecodeError::TooManyHeaders),
            (long, length <= MAX_FRAME_BYTES, DecodeError::FrameTooLong),
        ];
        for (mut stream, fits, error) in cases {
            stream.extend(b"Event: Next\r\n\r\n");
            let cuts: Vec<_> = (0..stream.len()).step_by(chunk).collect();
            let items = decode(Decoder::for_server(), &stream, &cuts);
            prop_assert_eq!(items.len(), 2);
            prop_assert_eq!(items[0].as_ref().err(), (!fits).then_some(&error));
            prop_assert_eq!(names(&items).pop().unwrap(), "Next");
        }
    }

    /// Any way of cutting the stream gives the same frames.
    #[test]
    fn any_split_gives_the_same_frames(cuts in prop::collection::vec(0..SESSION.len(), 0..40)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        prop_assert_eq!(
            decode(Decoder::new(), SESSION, &cuts),
            decode(Decoder::new(), SESSION, &[])
        );
    }

    /// The same for streams made of what frames are made of, in any order.
    #[test]
    fn any_split_of_near_frames_gives_the_same(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "\r\n", "\r", "\n", "Event: X", "Response: Follows\r\n", "--END COMMAND--", ": ", ":", "é", "x",
            "Asterisk Call Manager/1\r\n", "\r\n\r\n",
        ]), 0..60),
        cuts in prop::collection::vec(0..400_usize, 0..20),
    ) {
        let stream = pieces.concat();
        let mut cuts = cuts;
        cuts.sort_unstable();
        for decoder in [Decoder::new, Decoder::for_server] {
            prop_assert_eq!(
                decode(decoder(), stream.as_bytes(), &cuts),
                decode(decoder(), stream.as_bytes(), &[])
            );
        }
    }

    /// Decoding what was encoded gives it back, unchanged and in order.
    #[test]
    fn decode_of_encode_is_the_identity(
        name in "[A-Za-z]{1,12}",
        id in "[ -~]{0,40}",
        headers in prop::collection::vec(
            (KEY, "[^\r\n\0]{0,60}"), 0..30),
    ) {
        let reserved = |key: &str| {
            key.eq_ignore_ascii_case("action") || key.eq_ignore_ascii_case("actionid")
        };
        let headers: Vec<_> = headers.into_iter().filter(|(k, _)| !reserved(k)).collect();
        let action = headers
            .iter()
            .fold(Action::new(name.clone()), |a, (k, v)| a.header(k.clone(), v.clone()));
        let read = frames(&action.encode(&id).unwrap());
        prop_assert_eq!(read.len(), 1);
        prop_assert_eq!(read[0].kind(), Kind::Action);
        prop_assert_eq!(read[0].name(), name.as_str());
        prop_assert_eq!(read[0].action_id().unwrap(), id.as_str());
        let got: Vec<_> = read[0].headers().skip(2).collect();
        let want: Vec<_> = headers.iter().map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
        prop_assert_eq!(got, want);
    }

    /// Garbage never panics, and memory stays bounded (see `decode`).
    #[test]
    fn garbage_is_survived(
        bytes in prop::collection::vec(prop_oneof![
            4 => any::<u8>(), 1 => Just(b'\r'), 1 => Just(b'\n'), 1 => Just(b':'),
        ], 0..1000),
        chunk in 1..500_usize,
    ) {
        let cuts: Vec<usize> = (0..bytes.len()).step_by(chunk).collect();
        let items = decode(Decoder::new(), &bytes, &cuts);
        for item in items {
            if let Ok(Decoded::Frame(message)) = item {
                let _ = strowger_ami::Event::parse(message.clone());
                let _ = format!("{message:?}");
            }
        }
    }

    /// An action that was accepted is one frame, whatever was put into it.
    #[test]
    fn no_text_becomes_a_second_frame(key in "\\PC{0,10}", value in any::<String>()) {
        if let Ok(bytes) = Action::new("X").header(key, value).encode("1") {
            prop_assert_eq!(frames(&bytes).len(), 1);
            prop_assert_eq!(frames(&bytes)[0].headers().count(), 3);
        }
    }
}
