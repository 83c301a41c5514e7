//! Hashing and checking passwords, a few at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Least length of a password in characters unless configured otherwise: that of NIST SP
/// 800-63B, section 5.1.1.1.
pub const MIN_PASSWORD_LEN: usize = 8;

/// Greatest length of a password in bytes.
pub const MAX_PASSWORD_LEN: usize = 256;

/// How long a login waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// The hash of a password that nobody has, with the cost of those that are made here.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c3Ryb3dnZXItbm9ib2R5$Mx0ZzQ2Z4yq0l3o9T0mC1t6Vh0o6yXw2Kq3cVY1m7uE";

/// Greatest cost of a bcrypt hash that is checked: 2^14 rounds take about a second.
const MAX_BCRYPT_COST: u32 = 14;

/// What everybody tries first: the commonest passwords of published leaks that are long enough
/// to be chosen at all, in the languages of the console.
const COMMON: &[&str] = &[
    "00000000",
    "0123456789",
    "11111111",
    "1111111111",
    "11223344",
    "12121212",
    "12341234",
    "123123123",
    "1234567",
    "12345678",
    "123456789",
    "1234567890",
    "1234567891",
    "1234qwer",
    "123456",
    "12345",
    "1234",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "654321",
    "66666666",
    "87654321",
    "88888888",
    "987654321",
    "9876543210",
    "a1b2c3d4",
    "aa123456",
    "abc12345",
    "abcd1234",
    "abcdefgh",
    "admin",
    "admin123",
    "admin1234",
    "administrateur",
    "administrator",
    "azerty",
    "azerty123",
    "azertyui",
    "azertyuiop",
    "baseball",
    "bonjour",
    "bonjour1",
    "changeme",
    "changeme1",
    "chocolat",
    "computer",
    "doudou",
    "dragon123",
    "evolution",
    "football",
    "iloveyou",
    "jetaime",
    "letmein",
    "letmein1",
    "loulou",
    "marseille",
    "master123",
    "michael1",
    "motdepasse",
    "motdepasse1",
    "p@ssw0rd",
    "p@ssword",
    "passw0rd",
    "password",
    "password!",
    "password1",
    "password12",
    "password123",
    "princess",
    "qazwsxedc",
    "qwer1234",
    "qwerty",
    "qwerty12",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "secret123",
    "soleil",
    "starwars",
    "strowger",
    "sunshine",
    "superman",
    "supervisor",
    "test1234",
    "testtest",
    "trustno1",
    "welcome",
    "welcome1",
    "welcome123",
    "whatever",
    "zaq12wsx",
    "zxcvbnm1",
];

/// Why a password was not hashed or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too few characters.
    #[error("a password has at least {0} characters")]
    TooShort(usize),
    /// Too many bytes.
    #[error("a password has at most 256 bytes")]
    TooLong,
    /// Everybody tries it first.
    #[error("this password is among those that everybody tries first: choose another")]
    Common,
    /// It is the login id.
    #[error("a password is not the login id: choose another")]
    IsLoginId,
    /// Too many others are being checked.
    #[error("too many people log in at the moment: try again in a few seconds")]
    Busy,
    /// The hash function failed.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

impl PasswordError {
    /// The password itself is to blame.
    pub fn is_of_the_password(&self) -> bool {
        match self {
            Self::TooShort(_) | Self::TooLong | Self::Common | Self::IsLoginId => true,
            Self::Busy | Self::Failed(_) => false,
        }
    }
}

/// Whether somebody may choose a password.
pub(super) fn check(least: usize, login_id: &str, password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < least {
        return Err(PasswordError::TooShort(least));
    }
    if password.len() > MAX_PASSWORD_LEN {
        return Err(PasswordError::TooLong);
    }
    let lower = password.to_lowercase();
    if lower == login_id.to_lowercase() {
        return Err(PasswordError::IsLoginId);
    }
    if COMMON.contains(&&*lower) {
        return Err(PasswordError::Common);
    }
    Ok(())
}

/// The turns of those who have a password hashed: each takes one core and 19 MiB.
#[derive(Debug)]
pub(super) struct Turns {
    hashing: Arc<Semaphore>,
    waiting: AtomicUsize,
    most_waiting: usize,
}

/// One who waits, until dropped: also when the client has gone.
struct Waiter<'a>(&'a AtomicUsize);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    pub(super) fn new(concurrency: usize, most_waiting: usize) -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(concurrency)),
            waiting: AtomicUsize::new(0),
            most_waiting,
        }
    }

    /// Waits for a turn, unless so many wait already that it would not come in time.
    async fn take(&self) -> Result<OwnedSemaphorePermit, PasswordError> {
        if let Ok(permit) = Arc::clone(&self.hashing).try_acquire_owned() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiter = Waiter(&self.waiting);
        if before >= self.most_waiting {
            return Err(PasswordError::Busy);
        }
        let turn = Arc::clone(&self.hashing).acquire_owned();
        match tokio::time::timeout(TURN_WITHIN, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(PasswordError::Busy),
        }
    }

    pub(super) async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        let permit = self.take().await?;
        let hashed = tokio::task::spawn_blocking(move || {
            let _held = permit;
            let hash: Result<PasswordHash, _> =
                Argon2::default().hash_password(password.expose_secret().as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| PasswordError::Failed(error.to_string()))
        });
        hashed
            .await
            .map_err(|error| PasswordError::Failed(error.to_string()))?
    }

    pub(super) async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        if password.expose_secret().len() > MAX_PASSWORD_LEN {
            return Ok(false);
        }
        let permit = self.take().await?;
        let verified = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, even when nobody waits for it any more.
            let _held = permit;
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            matches(password.expose_secret(), &hash) && known
        });
        verified
            .await
            .map_err(|error| PasswordError::Failed(error.to_string()))
    }
}

fn matches(password: &str, hash: &str) -> bool {
    if is_bcrypt(hash) {
        return bcrypt_cost(hash).is_some_and(|cost| cost <= MAX_BCRYPT_COST)
            && bcrypt::verify(password, hash).unwrap_or(false);
    }
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|prefix| hash.starts_with(prefix))
}

fn bcrypt_cost(hash: &str) -> Option<u32> {
    hash.split('$').nth(2)?.parse().ok()
}

/// A hash of another kind than those that are made here, to be replaced when the password is known.
pub(super) fn is_old(hash: &str) -> bool {
    is_bcrypt(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Turns {
        Turns::new(1, 10)
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let turns = turns();
        let hash = turns.hash("correct horse".into()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(!is_old(&hash));
        let right = turns.verify("correct horse".into(), Some(hash.clone()));
        assert_eq!(right.await, Ok(true));
        let wrong = turns.verify("battery staple".into(), Some(hash));
        assert_eq!(wrong.await, Ok(false));
    }

    #[tokio::test]
    async fn a_hash_of_bcrypt_is_understood_in_each_of_its_spellings() {
        let turns = turns();
        // Made by another program: `htpasswd -bnBC 4 "" "U*U"`.
        let rest = "05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        for version in ["2a", "2b", "2y"] {
            let hash = format!("${version}${rest}");
            assert!(is_old(&hash));
            let right = turns.verify("U*U".into(), Some(hash.clone())).await;
            assert_eq!(right, Ok(true), "{version}");
            assert_eq!(turns.verify("U*V".into(), Some(hash)).await, Ok(false));
        }
        // One that would take days is not even begun.
        let dear = "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert_eq!(
            turns.verify("U*U".into(), Some(dear.to_owned())).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn nobody_has_the_password_of_nobody() {
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "an unknown user would be answered at once"
        );
        assert_eq!(turns().verify("anything".into(), None).await, Ok(false));
    }

    #[test]
    fn a_password_is_long_enough_and_not_the_first_guess() {
        let ada = |password: &str| check(8, "Ada.Lovelace", password);
        assert_eq!(ada("correct horse"), Ok(()));
        assert_eq!(ada("sevenchr"), Ok(()));
        assert_eq!(ada("seven c"), Err(PasswordError::TooShort(8)));
        assert_eq!(ada(&"x".repeat(257)), Err(PasswordError::TooLong));
        assert_eq!(ada("ada.lovelace"), Err(PasswordError::IsLoginId));
        assert_eq!(ada("Password123"), Err(PasswordError::Common));
        assert_eq!(check(4, "ada", "1234"), Err(PasswordError::Common));
        assert_eq!(check(4, "ada", "x7kq"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_does_not_wait_for_ever() {
        let turns = Turns::new(0, 10);
        assert_eq!(
            turns.verify("anything".into(), None).await,
            Err(PasswordError::Busy)
        );
        assert_eq!(turns.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_when_too_many_wait_is_sent_away_at_once() {
        let turns = Arc::new(Turns::new(0, 2));
        let tasks = tokio_util::task::TaskTracker::new();
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let turns = Arc::clone(&turns);
                tasks.spawn(async move { turns.verify("anything".into(), None).await })
            })
            .collect();
        tokio::task::yield_now().await;
        let began = tokio::time::Instant::now();
        let third = turns.verify("anything".into(), None).await;
        assert_eq!(third, Err(PasswordError::Busy));
        assert_eq!(began.elapsed(), Duration::ZERO);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Err(PasswordError::Busy));
        }
    }
}
