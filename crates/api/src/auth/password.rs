//! Hashing and checking passwords, a few at a time.

use std::{sync::Arc, time::Duration};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash::phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Least length of a password in characters.
pub const MIN_PASSWORD_LEN: usize = 10;

/// Greatest length of a password in bytes.
pub const MAX_PASSWORD_LEN: usize = 256;

/// How long a login waits for its turn.
const TURN_WITHIN: Duration = Duration::from_secs(5);

/// The hash of a password that nobody has, with the cost of those that are made here.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c3Ryb3dnZXItbm9ib2R5$Mx0ZzQ2Z4yq0l3o9T0mC1t6Vh0o6yXw2Kq3cVY1m7uE";

/// Why a password was not hashed or checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too few characters.
    #[error("a password has at least 10 characters")]
    TooShort,
    /// Too many bytes.
    #[error("a password has at most 256 bytes")]
    TooLong,
    /// Too many others are being checked.
    #[error("too many people log in at the moment: try again in a few seconds")]
    Busy,
    /// The hash function failed.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

async fn turn(hashing: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, PasswordError> {
    match tokio::time::timeout(TURN_WITHIN, Arc::clone(hashing).acquire_owned()).await {
        Ok(Ok(permit)) => Ok(permit),
        Ok(Err(_)) | Err(_) => Err(PasswordError::Busy),
    }
}

pub(super) async fn hash(
    hashing: &Arc<Semaphore>,
    password: SecretString,
) -> Result<String, PasswordError> {
    if password.expose_secret().chars().count() < MIN_PASSWORD_LEN {
        return Err(PasswordError::TooShort);
    }
    if password.expose_secret().len() > MAX_PASSWORD_LEN {
        return Err(PasswordError::TooLong);
    }
    let permit = turn(hashing).await?;
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
    hashing: &Arc<Semaphore>,
    password: SecretString,
    hash: Option<String>,
) -> Result<bool, PasswordError> {
    if password.expose_secret().len() > MAX_PASSWORD_LEN {
        return Ok(false);
    }
    let permit = turn(hashing).await?;
    let verified = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, even when nobody waits for it any more.
        let _held = permit;
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let right = PasswordHash::new(&hash).is_ok_and(|hash| {
            let password = password.expose_secret().as_bytes();
            Argon2::default().verify_password(password, &hash).is_ok()
        });
        right && known
    });
    verified
        .await
        .map_err(|error| PasswordError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashing() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(1))
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let hashing = hashing();
        let hash = hash(&hashing, "correct horse".into()).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert_eq!(
            verify(&hashing, "correct horse".into(), Some(hash.clone())).await,
            Ok(true)
        );
        assert_eq!(
            verify(&hashing, "battery staple".into(), Some(hash)).await,
            Ok(false)
        );
    }

    #[tokio::test]
    async fn nobody_has_the_password_of_nobody() {
        assert!(
            PasswordHash::new(NOBODY).is_ok(),
            "an unknown user would be answered at once"
        );
        assert_eq!(verify(&hashing(), "anything".into(), None).await, Ok(false));
    }

    #[tokio::test]
    async fn passwords_have_a_least_and_a_greatest_length() {
        assert_eq!(
            hash(&hashing(), "ninechars".into()).await,
            Err(PasswordError::TooShort)
        );
        assert_eq!(
            hash(&hashing(), "x".repeat(257).into()).await,
            Err(PasswordError::TooLong)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_does_not_wait_for_ever() {
        let hashing = Arc::new(Semaphore::new(0));
        assert_eq!(
            verify(&hashing, "anything".into(), None).await,
            Err(PasswordError::Busy)
        );
    }
}
