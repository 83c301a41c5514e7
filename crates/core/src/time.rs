//! Time as the machines see it: an argument, never a reading.

use jiff::SignedDuration;
pub use jiff::Timestamp;

/// The moment `millis` milliseconds after `from`, or the last representable one.
pub fn after(from: Timestamp, millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    from.checked_add(SignedDuration::from_millis(millis))
        .unwrap_or(Timestamp::MAX)
}

/// A moment so many milliseconds earlier.
pub fn before(at: Timestamp, millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(
        at.as_microsecond()
            .saturating_sub(millis.saturating_mul(1_000)),
    )
    .unwrap_or(Timestamp::MIN)
}

/// Milliseconds from `from` to `to`; 0 when `to` is not later.
pub fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
