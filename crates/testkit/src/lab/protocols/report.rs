//! What was tried, and what came of it.

use std::{fmt, time::Duration};

use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::bench::Bench;

/// Longest duration of one check.
const PATIENCE: Duration = Duration::from_mins(2);

/// The outcomes so far.
#[derive(Debug)]
pub(super) struct Report {
    asterisk: String,
    only: Option<String>,
    checks: u32,
    failed: Vec<Value>,
    skipped: Vec<Value>,
}

/// This Asterisk has no such thing, so that there is nothing to check.
#[derive(Debug)]
pub(super) struct Lacks(pub(super) String);

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Lacks {}

impl Report {
    pub(super) fn new(asterisk: String, only: Option<String>) -> Self {
        Self {
            asterisk,
            only,
            checks: 0,
            failed: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Tries a statement.
    pub(super) async fn check(
        &mut self,
        bench: &Bench,
        statement: &str,
        trial: impl Future<Output = anyhow::Result<()>>,
    ) {
        if let Some(only) = &self.only
            && !statement.contains(only.as_str())
        {
            return;
        }
        self.checks += 1;
        let outcome = timeout(PATIENCE, Box::pin(trial)).await;
        let error = match outcome {
            Ok(Ok(())) => return progress("ok", statement, ""),
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!("it takes longer than {PATIENCE:?}"),
        };
        // What it left must not disturb the next.
        drop(bench.clear().await);
        let why = format!("{error:#}");
        let entry = json!({ "check": statement, "why": why });
        if error.is::<Lacks>() {
            progress("skipped", statement, &why);
            self.skipped.push(entry);
        } else {
            progress("FAILED", statement, &why);
            self.failed.push(entry);
        }
    }

    /// The whole as one object.
    pub(super) fn into_json(self, figures: Map<String, Value>) -> Value {
        let mut whole = json!({
            "asterisk": self.asterisk,
            "checks": self.checks,
            "failed": self.failed,
            "skipped": self.skipped,
        });
        if let Some(object) = whole.as_object_mut() {
            object.extend(figures);
        }
        whole
    }
}

#[expect(clippy::print_stderr, reason = "a person runs it")]
fn progress(outcome: &str, statement: &str, why: &str) {
    eprintln!(
        "{outcome:>7}  {statement}{}{why}",
        if why.is_empty() { "" } else { ": " }
    );
}
