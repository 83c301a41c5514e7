//! Speech recognition, with an engine that is loaded into Asterisk
//! (`res_speech`). One speech object lives at a time; the session's end
//! destroys it.

use std::{fmt, time::Duration};

use super::yes_or_no;
use crate::{Command, CommandError, Session, Success};

/// What a speech engine heard. Its `Debug` output does not show the words.
#[derive(Clone, PartialEq, Eq)]
pub struct Recognized {
    /// How sure the engine is: up to 1,000 as a rule.
    pub score: i32,
    /// The words.
    pub text: String,
    /// The grammar that they fit.
    pub grammar: String,
}

/// How `SPEECH RECOGNIZE` ended. Positions are where the prompt was
/// interrupted, in samples; 0 if it was not. Its `Debug` output does not show
/// the digit.
#[derive(Clone, PartialEq, Eq)]
pub enum Recognition {
    /// The caller spoke. The best result comes first as a rule; there may be
    /// none.
    Speech {
        /// Position in the prompt.
        end_position: u64,
        /// What the engine makes of it.
        results: Vec<Recognized>,
    },
    /// The caller pressed a digit.
    Digit {
        /// Which one.
        digit: char,
        /// Position in the prompt.
        end_position: u64,
    },
    /// Nothing was heard in time.
    Timeout {
        /// Position in the prompt.
        end_position: u64,
    },
}

impl fmt::Debug for Recognition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, end_position) = match self {
            Self::Speech { end_position, .. } => ("Speech", end_position),
            Self::Digit { end_position, .. } => ("Digit", end_position),
            Self::Timeout { end_position } => ("Timeout", end_position),
        };
        let mut shown = f.debug_struct(name);
        if let Self::Speech { results, .. } = self {
            shown.field("results", results);
        }
        shown.field("end_position", end_position).finish()
    }
}

impl fmt::Debug for Recognized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recognized")
            .field("score", &self.score)
            .field("grammar", &self.grammar)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// `SPEECH CREATE`: creates the speech object, with the named engine (an
    /// empty name takes the default one).
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] with code 200 if there is one already, or no
    /// such engine; otherwise see [`CommandError`].
    pub async fn speech_create(&mut self, engine: &str) -> Result<(), CommandError> {
        self.speech(Command::new("SPEECH CREATE").arg(engine)).await
    }

    /// `SPEECH SET`: changes a setting of the engine. Asterisk does not say
    /// whether the engine took it.
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] with code 200 without a speech object;
    /// otherwise see [`CommandError`].
    pub async fn speech_set(&mut self, name: &str, value: &str) -> Result<(), CommandError> {
        self.speech(Command::new("SPEECH SET").arg(name).arg(value))
            .await
    }

    /// `SPEECH DESTROY`: destroys the speech object. Whether there was one.
    pub async fn speech_destroy(&mut self) -> Result<bool, CommandError> {
        let success = self.command(Command::new("SPEECH DESTROY")).await?;
        yes_or_no("SPEECH DESTROY", &success)
    }

    /// `SPEECH LOAD GRAMMAR`: loads a grammar from a file of the exchange.
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] with code 200 without a speech object, or if
    /// the engine refuses; otherwise see [`CommandError`].
    pub async fn speech_load_grammar(
        &mut self,
        name: &str,
        path: &str,
    ) -> Result<(), CommandError> {
        self.speech(Command::new("SPEECH LOAD GRAMMAR").arg(name).arg(path))
            .await
    }

    /// `SPEECH UNLOAD GRAMMAR`; errors as for [`Self::speech_load_grammar`].
    pub async fn speech_unload_grammar(&mut self, name: &str) -> Result<(), CommandError> {
        self.speech(Command::new("SPEECH UNLOAD GRAMMAR").arg(name))
            .await
    }

    /// `SPEECH ACTIVATE GRAMMAR`: listens for a grammar from now on; errors as
    /// for [`Self::speech_load_grammar`].
    pub async fn speech_activate_grammar(&mut self, name: &str) -> Result<(), CommandError> {
        self.speech(Command::new("SPEECH ACTIVATE GRAMMAR").arg(name))
            .await
    }

    /// `SPEECH DEACTIVATE GRAMMAR`; errors as for
    /// [`Self::speech_load_grammar`].
    pub async fn speech_deactivate_grammar(&mut self, name: &str) -> Result<(), CommandError> {
        self.speech(Command::new("SPEECH DEACTIVATE GRAMMAR").arg(name))
            .await
    }

    /// `SPEECH RECOGNIZE`: plays a prompt and listens for speech and digits,
    /// for `timeout` (whole seconds, rounded up; `None` without limit) after
    /// its end. `position` is where the prompt begins, in samples.
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] with code 200 without a speech object,
    /// [`CommandError::HungUp`] if the caller hung up; otherwise see
    /// [`CommandError`].
    pub async fn speech_recognize(
        &mut self,
        prompt: &str,
        timeout: Option<Duration>,
        position: u64,
    ) -> Result<Recognition, CommandError> {
        let seconds = timeout.map_or(0, |timeout| timeout.as_millis().div_ceil(1_000).max(1));
        let command = Command::new("SPEECH RECOGNIZE")
            .arg(prompt)
            .word(seconds)
            .word(position)
            .within(None);
        let success = self.command(command).await?;
        if success.result() != "1" {
            return Err(CommandError::failed(&success));
        }
        if success.raw().starts_with("1 (hangup)") {
            self.hung_up = true;
            return Err(CommandError::HungUp);
        }
        recognition(&success).ok_or_else(|| CommandError::unexpected("SPEECH RECOGNIZE"))
    }

    /// Sends a command that answers 1, or 0 if it could not.
    async fn speech(&mut self, command: Command) -> Result<(), CommandError> {
        let verb = command.verb();
        let success = self.checked(command).await?;
        if yes_or_no(verb, &success)? {
            Ok(())
        } else {
            Err(CommandError::failed(&success))
        }
    }
}

/// Reads the reply of `handle_speechrecognize`. What was heard stands raw
/// between quotes, so it is not searched for pairs.
fn recognition(success: &Success) -> Option<Recognition> {
    let text = success.raw().strip_prefix("1 (")?;
    let (kind, rest) = text.split_once(") ")?;
    match kind {
        "digit" => {
            let (digit, rest) = rest.strip_prefix("digit=")?.split_once(' ')?;
            Some(Recognition::Digit {
                digit: digit.chars().next()?,
                end_position: end_position(rest)?.0,
            })
        }
        "timeout" => Some(Recognition::Timeout {
            end_position: end_position(rest)?.0,
        }),
        "speech" => {
            let (end_position, rest) = end_position(rest)?;
            let rest = rest.strip_prefix("results=")?;
            let (_, rest) = rest.split_once(' ').unwrap_or((rest, ""));
            Some(Recognition::Speech {
                end_position,
                results: results(rest),
            })
        }
        _ => None,
    }
}

/// Reads `endpos=`; gives what follows it, too.
fn end_position(text: &str) -> Option<(u64, &str)> {
    let text = text.strip_prefix("endpos=")?;
    let (number, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some((number.parse().unwrap_or(0), rest))
}

/// Reads `score0=… text0="…" grammar0=… score1=…` until the first that is cut:
/// Asterisk writes at most 4,095 bytes of them.
fn results(text: &str) -> Vec<Recognized> {
    let mut results = Vec::new();
    let mut rest = text;
    while let Some((result, after)) = one_result(rest, results.len()) {
        results.push(result);
        rest = after;
    }
    results
}

fn one_result(text: &str, index: usize) -> Option<(Recognized, &str)> {
    let text = text.strip_prefix(&format!("score{index}="))?;
    let (score, text) = text.split_once(' ')?;
    let text = text.strip_prefix(&format!("text{index}=\""))?;
    let (words, text) = text.split_once(&format!("\" grammar{index}="))?;
    let next = format!(" score{}=", index + 1);
    let end = text.find(&next);
    let grammar = end.map_or(text, |end| &text[..end]);
    let result = Recognized {
        score: score.parse().ok()?,
        text: words.to_owned(),
        grammar: grammar.trim_end().to_owned(),
    };
    Some((result, end.map_or("", |end| &text[end + 1..])))
}
