//! lines
use super::Segment;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    Ringing,
    /// Answered by somebody or something.
    Detecting {
        since: f64,
    },
    /// A person waits for an agent.
    Waiting {
        since: f64,
        late: bool,
    },
    Connected,
    Over,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) dialed: f64,
    pub(super) ringing: Option<f64>,
    pub(super) segment: Segment,
    pub(super) stage: Stage,
    pub(super) given_up: bool,
}
