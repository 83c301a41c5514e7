//! What is known of one line.

use super::Segment;

/// How far a line has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// Dialed, maybe ringing.
    Ringing,
    /// Answered, by whom is not known yet.
    Detecting { since: f64 },
    /// A person waits for an agent.
    Waiting { since: f64, late: bool },
    /// A person talks to an agent.
    Connected,
    /// A machine, an abandoned person, or a line that nothing was heard of for long.
    Over,
}

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) dialed: f64,
    pub(super) rings_since: Option<f64>,
    pub(super) segment: Segment,
    pub(super) stage: Stage,
    /// It was given up; its end is not told yet.
    pub(super) given_up: bool,
}

impl Line {
    pub(super) fn new(dialed: f64, segment: Segment) -> Self {
        Self {
            dialed,
            rings_since: None,
            segment,
            stage: Stage::Ringing,
            given_up: false,
        }
    }

    /// Whether a person may still answer it.
    pub(super) fn may_answer(&self) -> bool {
        match self.stage {
            Stage::Ringing | Stage::Detecting { .. } => !self.given_up,
            Stage::Waiting { .. } | Stage::Connected | Stage::Over => false,
        }
    }

    /// Whether a person waits who can still be connected in time.
    pub(super) fn waits(&self) -> bool {
        matches!(self.stage, Stage::Waiting { .. })
    }
}
