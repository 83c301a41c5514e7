//! How much of Strowger may be used at once, and until when: what others sell as a licence.

use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a super administrator limits; none of it is limited at first.
///
/// Customers who call are never turned away by a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Most agents who are logged in at a station at once.
    pub max_agents: Option<u32>,
    /// Most outbound lines at once, on all trunks together, those that ring among them.
    pub max_lines: Option<u32>,
    /// The last day, in UTC, on which an agent logs in. Whoever is logged in stays so.
    pub active_until: Option<Date>,
}

impl Limits {
    /// Whether the last day is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.active_until
            .is_some_and(|last| now.to_zoned(TimeZone::UTC).date() > last)
    }

    /// How many more lines may be opened beside so many.
    pub fn room_for_lines(&self, open: u32) -> u32 {
        self.max_lines
            .map_or(u32::MAX, |most| most.saturating_sub(open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_day_is_whole() {
        let limits = Limits {
            active_until: Some("2026-12-31".parse().unwrap()),
            ..Limits::default()
        };
        assert!(!limits.is_over("2026-12-31T23:59:59Z".parse().unwrap()));
        assert!(limits.is_over("2027-01-01T00:00:00Z".parse().unwrap()));
        assert!(!Limits::default().is_over(Timestamp::MAX));
    }

    #[test]
    fn a_limit_below_what_is_open_leaves_no_room() {
        let limits = Limits {
            max_lines: Some(3),
            ..Limits::default()
        };
        assert_eq!(limits.room_for_lines(1), 2);
        assert_eq!(limits.room_for_lines(5), 0);
        assert_eq!(Limits::default().room_for_lines(5), u32::MAX);
    }
}
