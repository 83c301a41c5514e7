//! Properties of the codec: any split gives the same replies, what is written
//! can be read, and garbage neither panics nor grows without bound.

use proptest::prelude::*;
use strowger_agi::{
    Command, Environment, Incoming, Reply, ReplyDecoder, ReplyError, Success,
    client::{self, CommandLine},
    command::join_application_arguments,
    reply::MAX_REPLY,
};

/// A text without line breaks, rich in characters that mean something.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just('"'),
            Just('\\'),
            Just(' '),
            Just('\t'),
            Just(','),
            Just('('),
            Just(')'),
            Just('='),
            Just('é'),
            proptest::char::range('!', '~'),
            any::<char>(),
        ],
        0..40,
    )
    .prop_map(|characters| {
        characters
            .into_iter()
            .filter(|c| !matches!(c, '\r' | '\n' | '\0'))
            .collect()
    })
}

fn reply() -> impl Strategy<Value = Incoming> {
    let success = (
        "(-[12]|[0-9*#]{0,8})",
        proptest::option::of(text()),
        proptest::option::of(0..u64::from(u32::MAX)),
    )
        .prop_map(|(result, value, end)| {
            let mut success = Success::text(result);
            if let Some(value) = value {
                success = success.with_value(value);
            }
            if let Some(end) = end {
                success = success.with_end_position(end);
            }
            Incoming::Reply(Reply::Success(success))
        });
    let refused =
        (300..=999u16, "[A-Za-z][A-Za-z .]{0,30}", 0..4usize).prop_map(|(code, message, lines)| {
            let message = std::iter::repeat_n(message, lines + 1)
                .collect::<Vec<_>>()
                .join("\n");
            Incoming::Reply(Reply::Refused { code, message })
        });
    prop_oneof![4 => success, 2 => refused, 1 => Just(Incoming::Hangup)]
}

fn write(incoming: &Incoming) -> String {
    match incoming {
        Incoming::Hangup => client::HANGUP.to_owned(),
        Incoming::Reply(reply) => format!("{reply}\n"),
    }
}

/// Decodes with the given cut points.
fn decode(bytes: &[u8], cuts: &[usize]) -> Result<Vec<Incoming>, ReplyError> {
    let mut decoder = ReplyDecoder::new();
    let mut decoded = Vec::new();
    let mut rest = bytes;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (now, later) = rest.split_at(cut.min(rest.len()));
        decoder.push(now);
        rest = later;
        while let Some(incoming) = decoder.next_line()? {
            decoded.push(incoming);
        }
        assert!(decoder.buffered() <= MAX_REPLY);
    }
    Ok(decoded)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_replies(
        replies in proptest::collection::vec(reply(), 0..12),
        cuts in proptest::collection::vec(0..60usize, 0..40),
    ) {
        let wire: String = replies.iter().map(write).collect();
        prop_assert_eq!(decode(wire.as_bytes(), &cuts), Ok(replies));
    }

    #[test]
    fn garbage_never_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..2_000),
        cuts in proptest::collection::vec(0..200usize, 0..20),
    ) {
        let whole = decode(&bytes, &[]);
        let split = decode(&bytes, &cuts);
        prop_assert_eq!(whole, split);
        let _ = Environment::parse(&bytes);
        let _ = CommandLine::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn near_replies_never_panic(tail in text(), code in 0..1_000u16) {
        for line in [
            format!("{code} result={tail}\n"),
            format!("{code}-{tail}\n{tail}\n{code} {tail}\n"),
            format!("200 result=1 ({tail}\n{tail})\n"),
        ] {
            let _ = decode(line.as_bytes(), &[3, 1, 7]);
        }
        let _ = Environment::parse(format!("agi_network_script: {tail}\n").as_bytes());
    }

    #[test]
    fn quoting_round_trip(args in proptest::collection::vec(text(), 0..10)) {
        let command = args.iter().fold(Command::new("SET VARIABLE"), Command::arg);
        let line = command.encode().unwrap();
        prop_assert_eq!(line.matches(['\n', '\r', '\0']).count(), 1);
        let read = CommandLine::parse(line.strip_suffix('\n').unwrap()).unwrap();
        prop_assert_eq!(read.verb, "SET VARIABLE");
        prop_assert_eq!(read.args, args);
    }

    #[test]
    fn a_value_never_becomes_another_argument(hostile in text(), after in "[a-z0-9]{1,8}") {
        if let Ok(joined) = join_application_arguments(&["first", &hostile, &after]) {
            prop_assert_eq!(separate(&joined), vec!["first".to_owned(), hostile, after]);
        }
    }

    #[test]
    fn written_environments_can_be_read(
        values in proptest::collection::vec(text(), 0..20),
        script in text(),
    ) {
        let names: Vec<_> = (1..=values.len()).map(|n| format!("arg_{n}")).collect();
        let pairs = names.iter().map(String::as_str).zip(values.iter().map(String::as_str));
        let block = client::environment_block([("network_script", &*script)].into_iter().chain(pairs));
        let lines = block.strip_suffix('\n').unwrap();
        let environment = Environment::parse(lines.as_bytes()).unwrap();
        prop_assert!(environment.args().eq(values));
        prop_assert_eq!(environment.get("network_script"), Some(&*script));
    }
}

/// `__ast_app_separate_args` of Asterisk, written a second time.
fn separate(joined: &str) -> Vec<String> {
    let (mut arguments, mut last) = (Vec::new(), String::new());
    let (mut round, mut square, mut quoted) = (0, 0, false);
    let mut characters = joined.chars();
    while let Some(character) = characters.next() {
        match character {
            '(' => round += 1,
            ')' => round = (round - 1).max(0),
            '[' => square += 1,
            ']' => square = (square - 1).max(0),
            '"' => {
                quoted = !quoted;
                continue;
            }
            '\\' => {
                last.extend(characters.next());
                continue;
            }
            ',' if round == 0 && square == 0 && !quoted => {
                arguments.push(std::mem::take(&mut last));
                continue;
            }
            _ => {}
        }
        last.push(character);
    }
    arguments.push(last);
    arguments
}
