//! The exchange's side of the conversation, without IO: for a simulated
//! exchange and for tests.
//!
//! Replies are written with the [`Display`](std::fmt::Display) of
//! [`Reply`](crate::Reply) and [`Success`](crate::Success) and a line feed.

use std::fmt;

use crate::{command, environment};

/// The line that tells of a hang-up.
pub const HANGUP: &str = "HANGUP\n";

/// What a server writes in place of a command so that the dialplan goes on with
/// `AGISTATUS=FAILURE` (`run_agi` in `res_agi.c`).
pub const FAILURE: &str = "failure\n";

/// What Asterisk says to a command that it does not know.
pub const UNKNOWN_COMMAND: &str = "510 Invalid or unknown command\n";

/// What Asterisk says to a command that needs a living channel.
pub const DEAD_CHANNEL: &str = "511 Command Not Permitted on a dead channel or intercept routine\n";

/// What Asterisk says to a command with too few arguments, when it was built
/// without documentation.
pub const WRONG_USAGE: &str = "520 Invalid command syntax.  Proper usage not available.\n";

/// The verbs of several words (`commands[]` in `res_agi.c`). The others are one
/// word: `ANSWER`, `EXEC`, `GOSUB`, `HANGUP`, `NOOP` and `VERBOSE`.
pub const VERBS: &[&str] = &[
    "ASYNCAGI BREAK",
    "CHANNEL STATUS",
    "CONTROL STREAM FILE",
    "DATABASE DEL",
    "DATABASE DELTREE",
    "DATABASE GET",
    "DATABASE PUT",
    "GET DATA",
    "GET FULL VARIABLE",
    "GET OPTION",
    "GET VARIABLE",
    "RECEIVE CHAR",
    "RECEIVE TEXT",
    "RECORD FILE",
    "SAY ALPHA",
    "SAY DATE",
    "SAY DATETIME",
    "SAY DIGITS",
    "SAY NUMBER",
    "SAY PHONETIC",
    "SAY TIME",
    "SEND IMAGE",
    "SEND TEXT",
    "SET AUTOHANGUP",
    "SET CALLERID",
    "SET CONTEXT",
    "SET EXTENSION",
    "SET MUSIC",
    "SET PRIORITY",
    "SET VARIABLE",
    "SPEECH ACTIVATE GRAMMAR",
    "SPEECH CREATE",
    "SPEECH DEACTIVATE GRAMMAR",
    "SPEECH DESTROY",
    "SPEECH LOAD GRAMMAR",
    "SPEECH RECOGNIZE",
    "SPEECH SET",
    "SPEECH UNLOAD GRAMMAR",
    "STREAM FILE",
    "TDD MODE",
    "WAIT FOR DIGIT",
];

/// Writes an opening block: one `agi_<name>: <value>` line per pair, and the
/// blank line. Line breaks and zero bytes in a value are left out.
pub fn environment_block<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut block = String::with_capacity(1_024);
    for (name, value) in pairs.into_iter().take(environment::MAX_LINES) {
        block.push_str("agi_");
        block.push_str(name);
        block.push_str(": ");
        block.extend(value.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')));
        block.push('\n');
    }
    block.push('\n');
    block
}

/// A command line as the exchange understands it.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The verb in capitals, such as `STREAM FILE`. A verb that is not in
    /// [`VERBS`] is the first word.
    pub verb: String,
    /// The arguments, unquoted.
    pub args: Vec<String>,
}

impl fmt::Debug for CommandLine {
    /// The verb alone: arguments hold PINs, numbers and names of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandLine")
            .field("verb", &self.verb)
            .field("arguments", &self.args.len())
            .finish_non_exhaustive()
    }
}

impl CommandLine {
    /// Reads a line without its line feed. `None` for a blank line.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = split_words(line);
        if words.is_empty() {
            return None;
        }
        let count = VERBS
            .iter()
            .map(|verb| verb.split(' '))
            .filter(|verb| {
                let mut given = words.iter();
                verb.clone()
                    .all(|word| given.next().is_some_and(|w| w.eq_ignore_ascii_case(word)))
            })
            .map(Iterator::count)
            .max()
            .unwrap_or(1);
        let args = words.split_off(count);
        let verb = words.join(" ").to_ascii_uppercase();
        Some(Self { verb, args })
    }
}

/// Splits a line like `parse_args` in Asterisk's `res_agi.c`: blanks separate,
/// double quotes hold together, a backslash takes the next character as it is.
/// Words beyond [`command::MAX_WORDS`] are left out.
pub fn split_words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let (mut quoted, mut escaped, mut between) = (false, false, true);
    for character in line.chars() {
        match character {
            '"' if !escaped => {
                quoted = !quoted;
                if quoted && between {
                    words.push(String::new());
                    between = false;
                }
                continue;
            }
            ' ' | '\t' if !quoted && !escaped => {
                between = true;
                continue;
            }
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            _ => {}
        }
        if between {
            words.push(String::new());
            between = false;
        }
        if let Some(word) = words.last_mut() {
            word.push(character);
        }
        escaped = false;
    }
    words.truncate(command::MAX_WORDS);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Environment;

    #[test]
    fn words() {
        assert_eq!(split_words(r#"EXEC "Dial" "a,b""#), ["EXEC", "Dial", "a,b"]);
        assert_eq!(
            split_words(r#"A "" "x\"y\\z" b\ c"#),
            ["A", "", r#"x"y\z"#, "b c"]
        );
        assert!(split_words("  \t ").is_empty());
    }

    #[test]
    fn verbs_of_one_and_several_words() {
        let parse = |line| CommandLine::parse(line).unwrap();
        assert_eq!(parse("wait for digit 100").verb, "WAIT FOR DIGIT");
        assert_eq!(parse("SET VARIABLE A \"b c\"").args, ["A", "b c"]);
        assert_eq!(parse("EXEC \"Bridge\" \"x\"").verb, "EXEC");
        assert_eq!(parse("NOPE AT ALL").args, ["AT", "ALL"]);
        assert_eq!(parse("speech load grammar a b").verb, "SPEECH LOAD GRAMMAR");
        assert_eq!(parse("GOSUB ctx s 1").args, ["ctx", "s", "1"]);
        assert_eq!(CommandLine::parse(""), None);
    }

    #[test]
    fn a_written_environment_can_be_read() {
        let block = environment_block([
            ("network_script", "dialer"),
            ("calleridname", "evil\nagi_arg_1: x"),
            ("arg_1", "abc"),
        ]);
        let lines = block.strip_suffix("\n\n").unwrap();
        let environment = Environment::parse(lines.as_bytes()).unwrap();
        assert!(environment.args().eq(["abc"]));
        assert_eq!(environment.network_script(), "dialer");
    }
}
