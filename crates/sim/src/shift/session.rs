//! A pacer that is driven by lines of JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use strowger_core::pacing::{Action, AnsweredBy, Config, Event, LineEnd, Pacer};

use super::wire::{self, Ending, Id, What};

/// What is answered to a line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reply {
    /// What is wrong with the line, which changed nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was changed or left out to make sense of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// So many lines to dial now.
    pub dial: u32,
    /// The ringing lines to give up now.
    pub cancel: Vec<Id>,
    /// When to send a `tick` if nothing else happens before, on the clock of `t`.
    pub wake: Option<f64>,
}

/// What was told of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Dialed,
    Answered,
    Abandoned,
}

/// One pacer and what it was told, over lines of JSON.
pub struct Session {
    pacer: Pacer<Id, Id>,
    config: Config,
    /// The first `t`: the pacer's clock begins there, whatever the other program's is.
    origin: Option<f64>,
    /// Since then.
    now: f64,
    lines: BTreeMap<Id, Told>,
    read: u64,
}

impl Session {
    /// A campaign by the default configuration. The seed is that of the pacer's draws.
    pub fn new(seed: u64) -> Self {
        let config = Config::default();
        Self {
            pacer: Pacer::new(config.clone(), seed),
            config,
            origin: None,
            now: 0.0,
            lines: BTreeMap::new(),
            read: 0,
        }
    }

    /// Takes a line in and says what to do. Never fails: what can't be read is said in
    /// the reply, and changes nothing.
    pub fn line(&mut self, line: &str) -> Reply {
        self.read += 1;
        match wire::read(line, &self.config) {
            Ok(read) => {
                let mut notes: Vec<String> = read.ignored.into_iter().collect();
                let origin = *self.origin.get_or_insert(read.t);
                let now = read.t - origin;
                if now < self.now {
                    let last = origin + self.now;
                    notes.push(format!(
                        "time went back from {last:?} to {:?}: taken as {last:?}",
                        read.t
                    ));
                }
                self.now = self.now.max(now);
                self.take(read.what);
                let note = (!notes.is_empty())
                    .then(|| format!("line {}: {}", self.read, notes.join("; ")));
                self.reply(None, note)
            }
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    /// The reply to a line that can't be read.
    pub fn refused(&mut self, reason: &str) -> Reply {
        self.read += 1;
        self.refuse(reason)
    }

    fn wake(&self) -> Option<f64> {
        let wake = self.pacer.poll_timeout()? + self.origin.unwrap_or(0.0);
        wake.is_finite().then_some(wake)
    }

    fn refuse(&mut self, reason: &str) -> Reply {
        Reply {
            error: Some(format!("line {}: {reason}", self.read)),
            note: None,
            dial: 0,
            cancel: Vec::new(),
            wake: self.wake(),
        }
    }

    fn reply(&mut self, error: Option<String>, note: Option<String>) -> Reply {
        let (mut dial, mut cancel) = (0_u32, Vec::new());
        while let Some(action) = self.pacer.poll_action() {
            match action {
                Action::Dial(lines) => dial = dial.saturating_add(lines),
                Action::Cancel(line) => cancel.push(line),
            }
        }
        Reply {
            error,
            note,
            dial,
            cancel,
            wake: self.wake(),
        }
    }

    fn take(&mut self, what: What) {
        match what {
            What::Event(event) => {
                match &event {
                    Event::Config(config) => self.config = config.clone(),
                    Event::Dialed(line, _) => {
                        self.lines.insert(line.clone(), Told::Dialed);
                    }
                    Event::Answered(line, _) | Event::Connected(line, _) => {
                        self.tell(line, Told::Answered);
                    }
                    Event::Abandoned(line) => self.tell(line, Told::Abandoned),
                    Event::Ended(line, _) => {
                        self.lines.remove(line);
                    }
                    Event::AgentAvailable(_)
                    | Event::AgentBusy(_)
                    | Event::AgentWrap(_)
                    | Event::AgentGone(_)
                    | Event::Ringing(_)
                    | Event::NotDialed(_)
                    | Event::Tick => {}
                }
                self.pacer.handle(self.now, &event);
            }
            What::Ended(line, ending) => self.ended(line, ending),
        }
    }

    fn tell(&mut self, line: &Id, told: Told) {
        if let Some(before) = self.lines.get_mut(line) {
            *before = told;
        }
    }

    /// A word for the end may say more than was told before.
    fn ended(&mut self, line: Id, ending: Ending) {
        let told = self.lines.remove(&line).unwrap_or(Told::Dialed);
        let end = match ending {
            Ending::Known(end) => end,
            Ending::Machine => {
                if told == Told::Dialed {
                    let event = Event::Answered(line.clone(), AnsweredBy::Machine);
                    self.pacer.handle(self.now, &event);
                }
                LineEnd::Completed
            }
            Ending::Abandoned => {
                if told == Told::Dialed {
                    let event = Event::Answered(line.clone(), AnsweredBy::Human);
                    self.pacer.handle(self.now, &event);
                }
                if told != Told::Abandoned {
                    self.pacer.handle(self.now, &Event::Abandoned(line.clone()));
                }
                LineEnd::Completed
            }
            Ending::Unknown => match told {
                Told::Dialed => LineEnd::Failed,
                Told::Answered | Told::Abandoned => LineEnd::Completed,
            },
        };
        self.pacer.handle(self.now, &Event::Ended(line, end));
    }
}
