//! What the packs of a campaign demand of its pacing.

use serde::{Deserialize, Serialize};

use super::{
    AbandonWindow, Pack, Purpose,
    pack::{Asked, PacingRule},
};
use crate::time::Timestamp;

/// Of each duty the strictest. A campaign may be stricter still.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Duties {
    /// Most people abandoned, as a fraction of those who answered; none: no pack limits it.
    pub abandon_limit: Option<f64>,
    /// Over how long that is measured, in seconds: the shortest window of any pack. Whoever
    /// keeps a limit over every short window keeps it over the long ones that they make up.
    pub abandon_window_s: Option<u32>,
    /// A person is abandoned when not connected within so many seconds.
    pub threshold_s: Option<f64>,
    /// No line is given up before it has rung so many seconds; 0: no pack says.
    pub min_ring_s: u16,
    /// A person who is abandoned must hear a message.
    pub message: bool,
    /// The rules that these come from.
    pub rules: Vec<String>,
}

impl AbandonWindow {
    /// Its length in seconds. A month counts as the shortest one: 28 days.
    pub fn seconds(self) -> u32 {
        match self {
            Self::Hours(hours) => u32::from(hours) * 3_600,
            Self::Days(days) => u32::from(days) * 86_400,
            Self::CalendarMonth => 28 * 86_400,
        }
    }
}

impl Duties {
    pub(super) fn of<'a>(
        packs: impl Iterator<Item = &'a Pack>,
        purpose: &Purpose,
        now: Timestamp,
    ) -> Self {
        let asked = Asked::in_zones(purpose, &[]);
        packs
            .filter(|pack| pack.applies_to.concerns(purpose))
            .filter_map(|pack| pack.version(now)?.pacing.as_ref())
            .filter(|rule| rule.when.holds(&asked))
            .fold(Self::default(), Self::and)
    }

    fn and(mut self, rule: &PacingRule) -> Self {
        self.abandon_limit = less(self.abandon_limit, rule.abandon_limit);
        self.threshold_s = less(self.threshold_s, rule.threshold_s);
        let window = rule.window.map(AbandonWindow::seconds);
        self.abandon_window_s = self.abandon_window_s.into_iter().chain(window).min();
        self.min_ring_s = self.min_ring_s.max(rule.min_ring_s.unwrap_or(0));
        self.message |= rule.message;
        self.rules.push(rule.name.clone());
        self
    }
}

fn less(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).reduce(f64::min)
}
