//! Passwords, tokens and the limit on logins.

mod attempts;
mod password;
mod token;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use strowger_core::time::Timestamp;
use strowger_store::users::User;
use uuid::Uuid;

pub use password::{MAX_PASSWORD_LEN, MIN_PASSWORD_LEN, PasswordError};
pub use token::{BadToken, Claims, Token};

use self::{attempts::Attempts, password::Turns, token::Tokens};

/// Least length of the secret that tokens are signed with, in bytes: that of the HMAC's output.
pub const MIN_SECRET_LEN: usize = 32;

/// How people prove who they are.
pub struct AuthSettings {
    /// Tokens are signed with this; at least 32 bytes that nobody can guess.
    pub secret: SecretString,
    /// Names the secret in the tokens, so that it can be replaced; tokens with another name are refused.
    pub key_id: String,
    /// How long a token is good for.
    pub lifetime: Duration,
    /// Passwords hashed at the same time; each takes one core and 19 MiB.
    pub concurrency: usize,
    /// Most who wait for their password to be hashed; more are sent away at once.
    pub waiting: usize,
    /// Least length of a new password in characters.
    pub min_password_len: usize,
}

impl AuthSettings {
    /// The usual settings: 10 hours, a working day with its breaks.
    pub fn new(secret: SecretString) -> Self {
        Self {
            secret,
            key_id: "1".to_owned(),
            lifetime: Duration::from_hours(10),
            concurrency: 2,
            waiting: 100,
            min_password_len: MIN_PASSWORD_LEN,
        }
    }
}

impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSettings")
            .field("key_id", &self.key_id)
            .field("lifetime", &self.lifetime)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

/// Why authentication cannot be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Anybody could find the secret by trying.
    #[error(
        "the secret for tokens has {0} bytes, at least 32 are needed: make one with `openssl rand -base64 48`"
    )]
    SecretTooShort(usize),
}

/// Passwords, tokens and the limit on logins. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    attempts: Attempts,
    turns: Turns,
    min_password_len: usize,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

impl Auth {
    /// Sets authentication up.
    ///
    /// # Errors
    /// [`AuthError`] when the secret is too short.
    pub fn new(settings: &AuthSettings) -> Result<Self, AuthError> {
        let secret = settings.secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET_LEN {
            return Err(AuthError::SecretTooShort(secret.len()));
        }
        Ok(Self(Arc::new(Inner {
            tokens: Tokens::new(secret, &settings.key_id, settings.lifetime),
            attempts: Attempts::default(),
            turns: Turns::new(settings.concurrency.max(1), settings.waiting),
            min_password_len: settings.min_password_len,
        })))
    }

    /// Whether a user may choose a password.
    ///
    /// # Errors
    /// [`PasswordError`] when it is too short, too long or among the first guesses.
    pub fn check_password(
        &self,
        login_id: &str,
        password: &SecretString,
    ) -> Result<(), PasswordError> {
        password::check(self.0.min_password_len, login_id, password.expose_secret())
    }

    /// Hashes a password that a user may choose with argon2id.
    ///
    /// # Errors
    /// [`PasswordError`] when they may not, or the machine is too busy.
    pub async fn hash(
        &self,
        login_id: &str,
        password: SecretString,
    ) -> Result<String, PasswordError> {
        self.check_password(login_id, &password)?;
        self.0.turns.hash(password).await
    }

    /// Hashes a password that was chosen before, however it was checked then, if its hash is of
    /// another kind than those that are made now.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many are being hashed.
    pub async fn rehash(
        &self,
        password: SecretString,
        hash: &str,
    ) -> Result<Option<String>, PasswordError> {
        if password::is_old(hash) {
            self.0.turns.hash(password).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Whether the password is the one that was hashed. Without a hash (an unknown user) it
    /// is never right and takes as long, so that nobody learns who exists.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] when too many are being checked.
    pub async fn verify(
        &self,
        password: SecretString,
        hash: Option<String>,
    ) -> Result<bool, PasswordError> {
        self.0.turns.verify(password, hash).await
    }

    /// A token for a user, good until it expires or the user has another password.
    ///
    /// # Errors
    /// When signing fails, which no input can cause.
    pub fn issue(&self, user: &User, now: Timestamp, unique: Uuid) -> Result<Token, BadToken> {
        self.0.tokens.issue(user, now, unique)
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`BadToken`] when it is not one of ours or has expired.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Claims, BadToken> {
        self.0.tokens.check(token, now)
    }

    /// Counts an attempt to log in.
    ///
    /// # Errors
    /// The seconds to wait when there were too many.
    pub fn begin_login(
        &self,
        login_id: &str,
        peer: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), u64> {
        self.0.attempts.begin(login_id, peer, now)
    }

    /// Takes the count of an attempt back, because it was right.
    pub fn login_succeeded(&self, login_id: &str, peer: Option<IpAddr>) {
        self.0.attempts.succeeded(login_id, peer);
    }
}
