//! How often somebody may try to log in.
//!
//! Every attempt costs one token of two buckets, that of the login id and that of the
//! address; a login that is right gets its tokens back. Whoever knows their password is
//! never slowed by others behind the same address, and guessing is slow from everywhere.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use strowger_core::time::{Timestamp, after, millis_between};

/// Wrong attempts at one login id in a row, and the waits after them.
const PER_LOGIN: Limit = Limit {
    burst: 10.0,
    refill_s: 30.0,
    first_wait_s: 30,
    longest_wait_s: 900,
    forget_s: 3_600,
};

/// The same for one address: a whole floor of agents may be behind it.
const PER_ADDRESS: Limit = Limit {
    burst: 60.0,
    refill_s: 2.0,
    first_wait_s: 2,
    longest_wait_s: 10,
    forget_s: 120,
};

/// Buckets kept of each kind. More are only needed under attack; then the fullest make room.
const KEPT: usize = 10_000;

/// Longest login id that a bucket remembers; longer ones share their beginning.
const KEY_CHARS: usize = 100;

#[derive(Debug, Clone, Copy)]
struct Limit {
    /// Attempts in a row without a wait.
    burst: f64,
    /// Seconds after which one more is free.
    refill_s: f64,
    /// Seconds of the first wait when none is left. Each wrong attempt after it doubles the wait.
    first_wait_s: u64,
    /// Seconds of the longest wait.
    longest_wait_s: u64,
    /// Seconds without an attempt, after the wait, that make everything forgotten.
    forget_s: u64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Attempts that are free.
    left: f64,
    /// Since when: the last attempt, or the end of the wait after it.
    at: Timestamp,
    /// Waits that were imposed in a row.
    waits: u32,
}

impl Limit {
    fn wait_s(&self, waits: u32) -> u64 {
        let doublings = waits.saturating_sub(1).min(20);
        (self.first_wait_s << doublings).min(self.longest_wait_s)
    }

    fn fresh(&self, now: Timestamp) -> Bucket {
        Bucket {
            left: self.burst,
            at: now,
            waits: 0,
        }
    }

    /// The bucket as it is now.
    fn look(&self, bucket: Bucket, now: Timestamp) -> Bucket {
        let quiet_ms = millis_between(bucket.at, now);
        if bucket.waits > 0 {
            return if quiet_ms >= self.forget_s * 1_000 {
                self.fresh(now)
            } else {
                bucket
            };
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a pause of more than 2^53 ms has filled any bucket"
        )]
        let refilled = quiet_ms as f64 / 1_000.0 / self.refill_s;
        Bucket {
            left: (bucket.left + refilled).min(self.burst),
            at: now,
            waits: 0,
        }
    }
}

#[derive(Debug)]
struct Buckets<K> {
    limit: Limit,
    kept: HashMap<K, Bucket>,
}

impl<K: Eq + Hash + Clone> Buckets<K> {
    fn new(limit: Limit) -> Self {
        Self {
            limit,
            kept: HashMap::new(),
        }
    }

    /// Takes one, or says how many seconds to wait for it.
    fn take(&mut self, key: &K, now: Timestamp) -> Result<(), u64> {
        let known = self.kept.get(key);
        let mut bucket = known.map_or_else(
            || self.limit.fresh(now),
            |bucket| self.limit.look(*bucket, now),
        );
        let wait_ms = millis_between(now, bucket.at);
        if wait_ms > 0 {
            return Err(wait_ms.div_ceil(1_000));
        }
        if self.kept.len() >= KEPT && !self.kept.contains_key(key) {
            self.make_room(now);
        }
        bucket.left -= 1.0;
        bucket.at = now;
        if bucket.left < 1.0 {
            bucket.left = 0.0;
            bucket.waits += 1;
            bucket.at = after(now, self.limit.wait_s(bucket.waits) * 1_000);
        }
        self.kept.insert(key.clone(), bucket);
        Ok(())
    }

    /// Forgets the fuller half. Those who have to wait are the emptiest.
    fn make_room(&mut self, now: Timestamp) {
        let mut levels: Vec<f64> = self
            .kept
            .values()
            .map(|bucket| self.limit.look(*bucket, now).left)
            .collect();
        levels.sort_by(f64::total_cmp);
        let threshold = levels.get(levels.len() / 2).copied().unwrap_or_default();
        let limit = self.limit;
        let mut excess = self.kept.len() / 2;
        self.kept.retain(|_, bucket| {
            let level = limit.look(*bucket, now).left;
            let forget = level >= limit.burst || (level >= threshold && excess > 0);
            excess = excess.saturating_sub(usize::from(forget));
            !forget
        });
    }

    fn give_back(&mut self, key: &K, now: Timestamp) {
        let limit = self.limit;
        if let Some(bucket) = self.kept.get_mut(key) {
            if bucket.waits > 0 {
                bucket.waits -= 1;
                bucket.at = now;
            }
            bucket.left = (bucket.left + 1.0).min(limit.burst);
        }
    }
}

#[derive(Debug)]
struct Kept {
    logins: Buckets<String>,
    addresses: Buckets<IpAddr>,
}

#[derive(Debug)]
pub(super) struct Attempts(Mutex<Kept>);

impl Default for Attempts {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            logins: Buckets::new(PER_LOGIN),
            addresses: Buckets::new(PER_ADDRESS),
        }))
    }
}

impl Attempts {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(
        &self,
        login_id: &str,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), u64> {
        let mut kept = self.kept();
        if let Some(peer) = peer {
            kept.addresses.take(&network(peer), now)?;
        }
        kept.logins.take(&key(login_id), now)
    }

    /// Forgets the attempts at a login id; false when there were none.
    pub(super) fn unlock(&self, login_id: &str) -> bool {
        self.kept().logins.kept.remove(&key(login_id)).is_some()
    }

    pub(super) fn succeeded(&self, login_id: &str, peer: Option<IpAddr>, now: Timestamp) {
        let mut kept = self.kept();
        kept.logins.kept.remove(&key(login_id));
        if let Some(peer) = peer {
            kept.addresses.give_back(&network(peer), now);
        }
    }
}

fn key(login_id: &str) -> String {
    login_id
        .chars()
        .take(KEY_CHARS)
        .flat_map(char::to_lowercase)
        .collect()
}

/// One household has 2^64 IPv6 addresses: they share a bucket.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guessing_at_one_login_is_stopped_and_goes_on_slowly() {
        let attempts = Attempts::default();
        let now = Timestamp::UNIX_EPOCH;
        for _ in 0..10 {
            assert_eq!(attempts.begin("Ada", None, now), Ok(()));
        }
        assert_eq!(
            attempts.begin("ada", None, now),
            Err(30),
            "case does not help"
        );
        assert_eq!(attempts.begin("bob", None, now), Ok(()));
        let later = after(now, 30_000);
        assert_eq!(attempts.begin("ada", None, later), Ok(()));
        assert_eq!(attempts.begin("ada", None, later), Err(60));
    }

    #[test]
    fn each_wrong_attempt_doubles_the_wait_until_a_quiet_hour() {
        let attempts = Attempts::default();
        let mut now = Timestamp::UNIX_EPOCH;
        while attempts.begin("ada", None, now).is_ok() {}
        let mut waits = Vec::new();
        for _ in 0..7 {
            let wait_s = attempts.begin("ada", None, now).unwrap_err();
            waits.push(wait_s);
            now = after(now, wait_s * 1_000);
            assert_eq!(attempts.begin("ada", None, now), Ok(()));
        }
        assert_eq!(waits, [30, 60, 120, 240, 480, 900, 900]);
        now = after(now, (900 + 3_599) * 1_000);
        assert_eq!(attempts.begin("ada", None, now), Ok(()));
        assert_eq!(
            attempts.begin("ada", None, now),
            Err(900),
            "not yet forgotten"
        );
        now = after(now, (900 + 3_600) * 1_000);
        let free = (0..20).filter(|_| attempts.begin("ada", None, now).is_ok());
        assert_eq!(free.count(), 10);
    }

    #[test]
    fn an_administrator_unlocks_a_login_id() {
        let attempts = Attempts::default();
        let now = Timestamp::UNIX_EPOCH;
        assert!(!attempts.unlock("ada"));
        while attempts.begin("ada", None, now).is_ok() {}
        assert!(attempts.unlock("ADA"));
        assert_eq!(attempts.begin("ada", None, now), Ok(()));
    }

    #[test]
    fn a_right_password_shortens_the_wait_of_the_others_behind_its_address() {
        let attempts = Attempts::default();
        let (peer, now) = (Some(IpAddr::from([192, 0, 2, 1])), Timestamp::UNIX_EPOCH);
        for guess in 0..59 {
            let _ = attempts.begin(&format!("user{guess}"), peer, now);
        }
        assert_eq!(attempts.begin("ada", peer, now), Ok(()));
        assert_eq!(attempts.begin("bob", peer, now), Err(2));
        attempts.succeeded("ada", peer, now);
        assert_eq!(attempts.begin("bob", peer, now), Ok(()));
    }

    #[test]
    fn a_floor_of_agents_behind_one_address_logs_in_at_nine() {
        let attempts = Attempts::default();
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        for agent in 0..500 {
            let login = format!("agent{agent}");
            assert_eq!(attempts.begin(&login, peer, Timestamp::UNIX_EPOCH), Ok(()));
            attempts.succeeded(&login, peer, Timestamp::UNIX_EPOCH);
        }
    }

    #[test]
    fn many_logins_from_one_address_are_stopped() {
        let attempts = Attempts::default();
        let guess = |n: u16| {
            // A new address of the same network each time.
            let peer = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n]);
            attempts.begin(&format!("user{n}"), Some(peer), Timestamp::UNIX_EPOCH)
        };
        assert_eq!((0..1_000).filter(|n| guess(*n).is_ok()).count(), 60);
    }

    #[test]
    fn memory_is_bounded_and_the_one_under_attack_is_not_forgotten() {
        let attempts = Attempts::default();
        let now = Timestamp::UNIX_EPOCH;
        while attempts.begin("victim", None, now).is_ok() {}
        for n in 0..KEPT * 3 {
            let _ = attempts.begin(&format!("{n}"), None, now);
        }
        assert!(attempts.kept().logins.kept.len() <= KEPT);
        assert!(attempts.begin("victim", None, now).is_err());
    }
}
