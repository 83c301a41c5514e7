//! Targets of `strowger_agi`.

use strowger_agi::client::{CommandLine, VERBS, split_words};
use strowger_agi::command::MAX_WORDS;
use strowger_agi::reply::MAX_REPLY;
use strowger_agi::{Command, Environment, Incoming, ReplyDecoder, ReplyError};

use crate::feed::Feed;
use crate::stream::Stream;

/// What Asterisk replies: any bytes, in any pieces.
pub fn agi_reply(input: &[u8]) {
    let stream = Stream::of(input);
    let (expected, whole) = replies([&stream.bytes[..]].into_iter());
    let (found, end) = replies(stream.pieces());
    if whole == Some(ReplyError::TooLong) || end == Some(ReplyError::TooLong) {
        // Where a line is too long by its line break alone, the split may decide.
        let shorter = found.len().min(expected.len());
        assert_eq!(found[..shorter], expected[..shorter]);
    } else {
        assert_eq!(
            (found, end),
            (expected, whole),
            "the split changes what is found"
        );
    }
}

/// All replies up to the first error, after which a session ends.
fn replies<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Incoming>, Option<ReplyError>) {
    let mut decoder = ReplyDecoder::new();
    let mut found = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.next_line() {
                Ok(Some(incoming)) => {
                    look_at(&incoming);
                    found.push(incoming);
                }
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
        assert!(decoder.buffered() <= MAX_REPLY, "memory is not bounded");
    }
    let _ = format!("{decoder:?}");
    (found, None)
}

fn look_at(incoming: &Incoming) {
    let _ = format!("{incoming:?}");
    if let Incoming::Reply(reply) = incoming {
        let _ = reply.to_string();
        if let strowger_agi::Reply::Success(success) = reply {
            let _ = (success.code(), success.digit(), success.end_position());
        }
    }
}

/// The block that opens a session: any bytes.
pub fn agi_environment(input: &[u8]) {
    let block = Stream::of(input).bytes;
    let Ok(environment) = Environment::parse(&block) else {
        return;
    };
    let _ = format!("{environment:?}");
    for (key, _) in environment.query() {
        assert!(environment.query_value(key).is_some());
    }
    for (number, value) in environment.args().enumerate() {
        let raw = environment.get(&format!("arg_{}", number + 1));
        assert_eq!(raw, Some(value));
    }
    let _ = (
        environment.caller_id(),
        environment.unique_id(),
        environment.dnid(),
    );
}

/// Any command is refused, or read as it is; any line can be taken apart.
pub fn agi_command(input: &[u8]) {
    let line = String::from_utf8_lossy(input);
    assert!(split_words(&line).len() <= MAX_WORDS);
    let _ = format!("{:?}", CommandLine::parse(&line));

    let mut feed = Feed::new(input);
    let verb = VERBS[usize::from(feed.byte()) % VERBS.len()];
    let mut args = Vec::new();
    while !feed.is_empty() && args.len() <= MAX_WORDS {
        args.push(feed.text());
    }
    let command = args
        .iter()
        .fold(Command::new(verb), |command, arg| command.arg(arg.clone()));
    let Ok(line) = command.encode() else {
        return;
    };
    let text = line.strip_suffix('\n').expect("a line ends");
    assert!(!text.contains(['\r', '\n', '\0']), "there is a second line");
    let read = CommandLine::parse(text).expect("the line is not blank");
    // A word that was given as an argument may make a longer verb, as in Asterisk.
    let (words, sent) = (split_words(text), verb.split(' ').map(str::to_owned));
    assert_eq!(words, sent.chain(args.iter().cloned()).collect::<Vec<_>>());
    if read.verb == verb {
        assert_eq!(read.args, args);
    } else {
        assert!(read.verb.starts_with(verb), "{read:?}");
    }
}
