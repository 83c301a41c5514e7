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

use strowger_core::time::{Timestamp, millis_between};

/// Wrong attempts at one login id in a row, and the seconds after which one more is allowed.
const PER_LOGIN: Limit = Limit {
    burst: 10.0,
    refill_s: 30.0,
};

/// The same for one address: a whole floor of agents may be behind it.
const PER_ADDRESS: Limit = Limit {
    burst: 60.0,
    refill_s: 2.0,
};

/// Buckets kept of each kind. More are only needed under attack; then the fullest make room.
const KEPT: usize = 10_000;

/// Longest login id that a bucket remembers; longer ones share their beginning.
const KEY_CHARS: usize = 100;

#[derive(Debug, Clone, Copy)]
struct Limit {
    burst: f64,
    refill_s: f64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Timestamp,
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

    fn level(&self, bucket: Bucket, now: Timestamp) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a pause of more than 2^53 ms has filled any bucket"
        )]
        let waited_s = millis_between(bucket.at, now) as f64 / 1_000.0;
        (bucket.left + waited_s / self.limit.refill_s).min(self.limit.burst)
    }

    /// Takes one, or says how many seconds to wait for it.
    fn take(&mut self, key: &K, now: Timestamp) -> Result<(), u64> {
        let level = self
            .kept
            .get(key)
            .map_or(self.limit.burst, |bucket| self.level(*bucket, now));
        if level < 1.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "between 0 and 30"
            )]
            return Err(((1.0 - level) * self.limit.refill_s).ceil() as u64);
        }
        if self.kept.len() >= KEPT && !self.kept.contains_key(key) {
            self.make_room(now);
        }
        self.kept.insert(
            key.clone(),
            Bucket {
                left: level - 1.0,
                at: now,
            },
        );
        Ok(())
    }

    /// Forgets the full buckets, and if there are none the fuller half.
    fn make_room(&mut self, now: Timestamp) {
        let mut levels: Vec<f64> = self
            .kept
            .values()
            .map(|bucket| self.level(*bucket, now))
            .collect();
        levels.sort_by(f64::total_cmp);
        let middle = levels.get(levels.len() / 2).copied().unwrap_or_default();
        let threshold = middle.min(self.limit.burst);
        let limit = self.limit;
        let mut excess = self.kept.len() / 2;
        self.kept.retain(|_, bucket| {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a pause of more than 2^53 ms has filled any bucket"
            )]
            let waited_s = millis_between(bucket.at, now) as f64 / 1_000.0;
            let level = (bucket.left + waited_s / limit.refill_s).min(limit.burst);
            let forget = level >= limit.burst || (level >= threshold && excess > 0);
            excess = excess.saturating_sub(usize::from(forget));
            !forget
        });
    }

    fn give_back(&mut self, key: &K) {
        if let Some(bucket) = self.kept.get_mut(key) {
            bucket.left = (bucket.left + 1.0).min(self.limit.burst);
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

    pub(super) fn succeeded(&self, login_id: &str, peer: Option<IpAddr>) {
        let mut kept = self.kept();
        kept.logins.kept.remove(&key(login_id));
        if let Some(peer) = peer {
            kept.addresses.give_back(&network(peer));
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
    use strowger_core::time::after;

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
        assert_eq!(attempts.begin("ada", None, later), Err(30));
    }

    #[test]
    fn a_floor_of_agents_behind_one_address_logs_in_at_nine() {
        let attempts = Attempts::default();
        let peer = Some(IpAddr::from([192, 0, 2, 1]));
        for agent in 0..500 {
            let login = format!("agent{agent}");
            assert_eq!(attempts.begin(&login, peer, Timestamp::UNIX_EPOCH), Ok(()));
            attempts.succeeded(&login, peer);
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
