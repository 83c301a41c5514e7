//! Building a command line, without IO.
//!
//! The quoting is the inverse of `parse_args` in Asterisk's `res_agi.c`:
//! arguments stand between double quotes, and a backslash escapes a double
//! quote or another backslash.

use std::{fmt, time::Duration};

/// Longest command line in bytes, without its line feed, that every Asterisk
/// reads in one piece. Asterisk 16 to 18 read commands into 2,048 bytes, which
/// must also hold the line feed and a zero. A longer line would be cut in two
/// and its tail run as a command.
pub const MAX_LINE: usize = 2_046;

/// The same for Asterisk 20 and later, which have 8,192 bytes. A session takes
/// this limit when the environment names such a version.
pub const MAX_LINE_LONG: usize = 8_190;

/// Most words in one line, verb included. Asterisk cuts at 127.
pub const MAX_WORDS: usize = 126;

/// Why a command line cannot be written. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidArgument {
    /// The verb is empty or holds something else than letters and spaces.
    #[error("the verb must be letters and single spaces")]
    Verb,
    /// An argument holds CR, LF or NUL, which would end the line.
    #[error("argument {index} contains a line break or a zero byte")]
    ControlCharacter {
        /// Position of the argument, from 1.
        index: usize,
    },
    /// The line is longer than the exchange reads.
    #[error("the line has {length} bytes, the limit is {limit}")]
    TooLong {
        /// Length that the line would have had, in bytes.
        length: usize,
        /// Longest line, in bytes: [`MAX_LINE`], [`MAX_LINE_LONG`], or less
        /// over AMI.
        limit: usize,
    },
    /// More words than [`MAX_WORDS`].
    #[error("the line has {count} words, the limit is {MAX_WORDS}")]
    TooManyWords {
        /// Number of words that the line would have had.
        count: usize,
    },
    /// An argument of a dialplan application holds a character that would
    /// change where arguments begin and end.
    #[error(
        "application argument {index} contains {character:?}, which separates or joins arguments"
    )]
    Separator {
        /// Position of the argument, from 1.
        index: usize,
        /// The character that is not accepted.
        character: char,
    },
}

/// How long to wait for the reply to a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Deadline {
    /// The `command_timeout` of the server.
    #[default]
    Default,
    /// At most this long; `None` without limit.
    Chosen(Option<Duration>),
}

/// One AGI command: a verb, its arguments, and how long its reply may take.
///
/// ```
/// use strowger_agi::Command;
///
/// let line = Command::new("SET VARIABLE").arg("GREETING").arg(r#"say "hi""#).encode()?;
/// assert_eq!(line, "SET VARIABLE \"GREETING\" \"say \\\"hi\\\"\"\n");
/// assert!(Command::new("NOOP").arg("two\nlines").encode().is_err());
/// # Ok::<(), strowger_agi::InvalidArgument>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    verb: &'static str,
    /// The line as it will be sent, without its line feed.
    line: String,
    arguments: usize,
    /// The first argument that cannot be written.
    invalid: Option<usize>,
    pub(crate) deadline: Deadline,
}

impl fmt::Debug for Command {
    /// The verb alone: arguments hold PINs, numbers and names of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("verb", &self.verb)
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

impl Command {
    /// Begins a command. The verb is a constant such as `"STREAM FILE"`:
    /// letters and single spaces.
    pub fn new(verb: &'static str) -> Self {
        let mut line = String::with_capacity(64);
        line.push_str(verb);
        Self {
            verb,
            line,
            arguments: 0,
            invalid: None,
            deadline: Deadline::Default,
        }
    }

    /// Adds one argument, of any content; it is checked by [`Self::encode`].
    #[must_use]
    pub fn arg(mut self, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        self.arguments += 1;
        if self.invalid.is_none() && value.contains(['\r', '\n', '\0']) {
            self.invalid = Some(self.arguments);
        }
        self.line.push(' ');
        quote_into(&mut self.line, value);
        self
    }

    /// Adds one argument that is written as a number or another plain word.
    #[must_use]
    pub(crate) fn word(self, value: impl fmt::Display) -> Self {
        self.arg(value.to_string())
    }

    /// Adds an argument if there is one.
    #[must_use]
    pub(crate) fn optional(self, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.arg(value),
            None => self,
        }
    }

    /// Chooses how long the reply may take; `None` waits as long as the
    /// connection lives. Without this call the server's `command_timeout`
    /// applies.
    #[must_use]
    pub fn within(mut self, deadline: Option<Duration>) -> Self {
        self.deadline = Deadline::Chosen(deadline);
        self
    }

    /// The verb, such as `STREAM FILE`.
    pub fn verb(&self) -> &'static str {
        self.verb
    }

    /// How many arguments were added.
    pub fn arguments(&self) -> usize {
        self.arguments
    }

    /// The line to send, ending in a line feed, for any version of Asterisk.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`] if the line could be read as anything but this one
    /// command.
    pub fn encode(&self) -> Result<String, InvalidArgument> {
        self.clone().into_line(MAX_LINE)
    }

    /// The line to send, of at most `limit` bytes before its line feed.
    pub(crate) fn into_line(mut self, limit: usize) -> Result<String, InvalidArgument> {
        let verb_is_plain = self
            .verb
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic()));
        if !verb_is_plain {
            return Err(InvalidArgument::Verb);
        }
        let count = self.verb.split(' ').count() + self.arguments;
        if count > MAX_WORDS {
            return Err(InvalidArgument::TooManyWords { count });
        }
        if let Some(index) = self.invalid {
            return Err(InvalidArgument::ControlCharacter { index });
        }
        let length = self.line.len();
        if length > limit {
            return Err(InvalidArgument::TooLong { length, limit });
        }
        self.line.push('\n');
        Ok(self.line)
    }
}

/// Appends one argument between double quotes.
fn quote_into(line: &mut String, argument: &str) {
    line.push('"');
    let mut rest = argument;
    while let Some(position) = memchr::memchr2(b'"', b'\\', rest.as_bytes()) {
        let (before, from) = rest.split_at(position);
        line.push_str(before);
        line.push('\\');
        line.push_str(&from[..1]);
        rest = &from[1..];
    }
    line.push_str(rest);
    line.push('"');
}

/// Joins the arguments of a dialplan application with commas.
///
/// Applications split their arguments at commas outside of double quotes,
/// brackets and escapes (`__ast_app_separate_args` in Asterisk). So that a
/// value written by a caller stays one argument, an argument may hold no
/// comma, double quote or backslash, and its brackets must be balanced.
///
/// # Errors
///
/// [`InvalidArgument::Separator`] names the first offending argument.
pub fn join_application_arguments(arguments: &[&str]) -> Result<String, InvalidArgument> {
    let mut joined = String::new();
    for (position, argument) in arguments.iter().enumerate() {
        if let Some(character) = joining_character(argument) {
            return Err(InvalidArgument::Separator {
                index: position + 1,
                character,
            });
        }
        if position > 0 {
            joined.push(',');
        }
        joined.push_str(argument);
    }
    Ok(joined)
}

/// The first character that would move an argument boundary, if any.
fn joining_character(argument: &str) -> Option<char> {
    let mut open = Vec::new();
    for character in argument.chars() {
        match character {
            ',' | '"' | '\\' => return Some(character),
            '(' | '[' => open.push(character),
            ')' if open.pop() != Some('(') => return Some(character),
            ']' if open.pop() != Some('[') => return Some(character),
            _ => {}
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_letters() {
        for bad in ["", " ", "NOOP ", "A  B", "SET\nX", "A;B"] {
            assert_eq!(
                Command::new(bad).encode(),
                Err(InvalidArgument::Verb),
                "{bad:?}"
            );
        }
        assert_eq!(Command::new("NOOP").encode().unwrap(), "NOOP\n");
    }

    #[test]
    fn line_and_word_limits() {
        // "NOOP " and two quotes take seven bytes.
        let fits = "x".repeat(MAX_LINE - 7);
        let line = Command::new("NOOP").arg(&fits).encode().unwrap();
        assert_eq!(line.len(), MAX_LINE + 1);
        assert_eq!(
            Command::new("NOOP").arg(fits + "x").encode(),
            Err(InvalidArgument::TooLong {
                length: MAX_LINE + 1,
                limit: MAX_LINE
            })
        );
        let many = (0..MAX_WORDS).fold(Command::new("NOOP"), |command, _| command.arg("a"));
        assert_eq!(
            many.encode(),
            Err(InvalidArgument::TooManyWords {
                count: MAX_WORDS + 1
            })
        );
    }

    #[test]
    fn debug_output_holds_no_argument() {
        let command = Command::new("SET VARIABLE").arg("PIN").arg("4711");
        let shown = format!("{command:?}");
        assert!(
            shown.contains("SET VARIABLE") && !shown.contains("4711"),
            "{shown}"
        );
    }

    #[test]
    fn control_characters_are_refused() {
        for bad in ["a\nb", "a\rb", "a\0b"] {
            assert_eq!(
                Command::new("NOOP").arg("ok").arg(bad).encode(),
                Err(InvalidArgument::ControlCharacter { index: 2 })
            );
        }
    }

    #[test]
    fn application_arguments_stay_apart() {
        assert_eq!(
            join_application_arguments(&["PJSIP/100", "20", "U(ctx^s^1)g"]).unwrap(),
            "PJSIP/100,20,U(ctx^s^1)g"
        );
        assert_eq!(join_application_arguments(&[]).unwrap(), "");
        for (bad, character) in [
            ("a,b", ','),
            ("\"", '"'),
            ("\\", '\\'),
            ("(", '('),
            (")", ')'),
            ("[(])", ']'),
            ("[", '['),
        ] {
            assert_eq!(
                join_application_arguments(&["x", bad]),
                Err(InvalidArgument::Separator {
                    index: 2,
                    character
                })
            );
        }
    }
}
