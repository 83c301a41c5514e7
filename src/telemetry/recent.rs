//! The last lines of the log, for people who may look at them without a shell on the machine.
//!
//! They are those that are written anyway, as the filter lets them pass, in memory that is
//! bounded. What belongs to the exchanges is kept apart: it is by far the most and would push the
//! rest out.

use std::{
    collections::VecDeque,
    fmt::{self, Write as _},
    sync::{Mutex, PoisonError},
};

use strowger_api::LogLine;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};

use crate::daemon;

/// Lines of each kind.
const LINES: usize = 100;

/// Longest text of a line, in bytes.
const MAX_LINE: usize = 500;

/// Lines by kind: those of the exchanges, and the others.
#[derive(Debug)]
struct Lines {
    kinds: [VecDeque<LogLine>; 2],
    number: u64,
}

/// Of this process, as logging is.
static LINES_SO_FAR: Mutex<Lines> = Mutex::new(Lines {
    kinds: [VecDeque::new(), VecDeque::new()],
    number: 0,
});

impl Lines {
    fn push(&mut self, mut line: LogLine) {
        self.number += 1;
        line.number = self.number;
        let of_exchange = ["strowger_ami", "strowger_agi", "strowger_telephony"]
            .iter()
            .any(|part| line.target.starts_with(part));
        let [others, exchange] = &mut self.kinds;
        let kind = if of_exchange { exchange } else { others };
        if kind.len() >= LINES {
            kind.pop_front();
        }
        kind.push_back(line);
    }

    fn all(&self) -> Vec<LogLine> {
        let mut all: Vec<LogLine> = self.kinds.iter().flatten().cloned().collect();
        all.sort_by_key(|line| line.number);
        all
    }
}

/// The last lines, oldest first.
pub fn recent_lines() -> Vec<LogLine> {
    let lines = LINES_SO_FAR.lock().unwrap_or_else(PoisonError::into_inner);
    lines.all()
}

/// Keeps the lines that pass it.
#[derive(Debug)]
pub(super) struct Recent;

impl<S: Subscriber> Layer<S> for Recent {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let line = LogLine {
            number: 0,
            at: daemon::now(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target().to_owned(),
            message: text.done(),
        };
        let mut lines = LINES_SO_FAR.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }
}

/// The text of a line with its fields behind it.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn done(mut self) -> String {
        self.message.push_str(&self.fields);
        let end = self.message.floor_char_boundary(MAX_LINE);
        self.message.truncate(end);
        self.message
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // A String takes everything that is written to it.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn the_last_lines_are_kept_with_their_fields_and_exchanges_do_not_push_others_out() {
        let logging = tracing_subscriber::registry().with(Recent);
        tracing::subscriber::with_default(logging, || {
            tracing::warn!(user = "ada", count = 3, "A sentence");
            for number in 0..300 {
                tracing::info!(target: "strowger_ami::client", number, "An event");
            }
            tracing::info!("{}", "é".repeat(1_000));
        });
        let lines = recent_lines();
        let first = lines
            .iter()
            .find(|line| line.message.starts_with("A sentence"));
        let first = first.unwrap();
        assert_eq!(first.message, "A sentence user=ada count=3");
        assert_eq!(first.level, "WARN");
        let events: Vec<&LogLine> = lines
            .iter()
            .filter(|line| line.target == "strowger_ami::client")
            .collect();
        assert_eq!(events.len(), LINES);
        assert_eq!(events[LINES - 1].message, "An event number=299");
        assert!(lines.iter().all(|line| line.message.len() <= MAX_LINE));
        assert!(lines.is_sorted_by_key(|line| line.number));
    }
}
