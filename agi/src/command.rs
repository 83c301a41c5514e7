//! Building a command line, without IO.
//!
//! The quoting is the inverse of `parse_args` in Asterisk's `res_agi.c`:
//! arguments stand between double quotes, and a backslash escapes a double
//! quote or another backslash.

use std::{fmt::Write as _, time::Duration};

/// Longest command line in bytes, without its line feed. Asterisk 18 reads
/// commands into 2,048 bytes, which must also hold the line feed and a zero;
/// later versions have 8,192. A longer line would be cut in two and its tail
/// run as a command.
pub const MAX_LINE: usize = 2_046;

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
    /// The line is longer than [`MAX_LINE`].
    #[error("the line has {length} bytes, the limit is {MAX_LINE}")]
    TooLong {
        /// Length that the line would have had, in bytes.
        length: usize,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    verb: &'static str,
    arguments: Vec<String>,
    pub(crate) deadline: Deadline,
}

impl Command {
    /// Begins a command. The verb is a constant such as `"STREAM FILE"`:
    /// letters and single spaces.
    pub fn new(verb: &'static str) -> Self {
        Self {
            verb,
            arguments: Vec::new(),
            deadline: Deadline::Default,
        }
    }

    /// Adds one argument, of any content; it is checked by [`Self::encode`].
    #[must_use]
    pub fn arg(mut self, value: impl Into<String>) -> Self {
        self.arguments.push(value.into());
        self
    }

    /// Chooses how long the reply may take; `None` waits as long as the
    /// connection lives. Without this call the server's `command_timeout`
    /// applies.
    #[must_use]
    pub fn within(mut self, deadline: Option<Duration>) -> Self {
        self.deadline = Deadline::Chosen(deadline);
        self
    }

    /// The line to send, ending in a line feed.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`] if the line could be read as anything but this one
    /// command.
    pub fn encode(&self) -> Result<String, InvalidArgument> {
        let verb_is_plain = self
            .verb
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphabetic()));
        if !verb_is_plain {
            return Err(InvalidArgument::Verb);
        }
        let count = self.verb.split(' ').count() + self.arguments.len();
        if count > MAX_WORDS {
            return Err(InvalidArgument::TooManyWords { count });
        }
        let mut line = String::with_capacity(64);
        line.push_str(self.verb);
        for (position, argument) in self.arguments.iter().enumerate() {
            if argument.contains(['\r', '\n', '\0']) {
                return Err(InvalidArgument::ControlCharacter {
                    index: position + 1,
                });
            }
            line.push(' ');
            quote_into(&mut line, argument);
        }
        if line.len() > MAX_LINE {
            return Err(InvalidArgument::TooLong { length: line.len() });
        }
        line.push('\n');
        Ok(line)
    }
}

/// Appends one argument between double quotes.
fn quote_into(line: &mut String, argument: &str) {
    line.push('"');
    for character in argument.chars() {
        if matches!(character, '"' | '\\') {
            line.push('\\');
        }
        line.push(character);
    }
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
        let _ = write!(joined, "{argument}");
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
                length: MAX_LINE + 1
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
