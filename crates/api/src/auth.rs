//! Passwords, tokens and the limit on logins.

mod attempts;
mod password;
mod secret;
mod token;
mod totp;

use std::{collections::HashSet, fmt, net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};
use strowger_core::{ids::TrunkId, time::Timestamp};
use strowger_store::{mfa::Factor, users::User};
use uuid::Uuid;

pub use password::{MAX_PASSWORD_LEN, MIN_PASSWORD_LEN, PasswordError};
pub use secret::{CryptoError, new_token, same, token_hash};
pub use token::{BadToken, Challenge, Claims, Token};

use self::{attempts::Attempts, password::Turns, secret::Sealer, token::Tokens};

/// Least length of the secret that tokens are signed with, in bytes: that of the HMAC's output.
pub const MIN_SECRET_LEN: usize = 32;

/// A secret that tokens are signed with.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// Names it in the tokens (`kid`).
    pub id: String,
    /// At least 32 bytes that nobody can guess.
    pub secret: SecretString,
}

/// How people prove who they are.
pub struct AuthSettings {
    /// The first signs new tokens; tokens of all are good. So a key is replaced without anybody
    /// noticing: the new one goes first, and the old one is taken away when its tokens have expired.
    pub keys: Vec<SigningKey>,
    /// What the secrets in the database are sealed with.
    pub sealing_secret: SecretString,
    /// How long an access token is good for.
    pub lifetime: Duration,
    /// How long a login lasts when its refresh token is not used.
    pub refresh_lifetime: Duration,
    /// A new login ends the others of the same user.
    pub single_session: bool,
    /// Passwords hashed at the same time; each takes one core and 19 MiB.
    pub concurrency: usize,
    /// Most who wait for their password to be hashed; more are sent away at once.
    pub waiting: usize,
    /// Least length of a new password in characters.
    pub min_password_len: usize,
}

impl AuthSettings {
    /// The usual settings with one key: 10 hours, a working day with its breaks.
    pub fn new(secret: SecretString) -> Self {
        Self {
            sealing_secret: secret.clone(),
            keys: vec![SigningKey {
                id: "1".to_owned(),
                secret,
            }],
            lifetime: Duration::from_hours(10),
            refresh_lifetime: Duration::from_hours(7 * 24),
            single_session: true,
            concurrency: 2,
            waiting: 100,
            min_password_len: MIN_PASSWORD_LEN,
        }
    }
}

impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthSettings")
            .field("keys", &self.keys)
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
    /// Two keys have one name, or there is none.
    #[error("the keys for tokens must have different names, and there must be one at least")]
    KeyNames,
    /// The library cannot work.
    #[error("secrets cannot be sealed: {0}")]
    Crypto(#[from] CryptoError),
}

/// Passwords, tokens and the limit on logins. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    tokens: Tokens,
    attempts: Attempts,
    turns: Turns,
    sealer: Sealer,
    trunk_sealer: Sealer,
    /// For what administrators set.
    settings: Sealer,
    min_password_len: usize,
    refresh_lifetime: Duration,
    single_session: bool,
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
    /// [`AuthError`] when a secret is too short or two keys have one name.
    pub fn new(settings: &AuthSettings) -> Result<Self, AuthError> {
        let secrets = settings.keys.iter().map(|key| &key.secret);
        for secret in secrets.chain([&settings.sealing_secret]) {
            let length = secret.expose_secret().len();
            if length < MIN_SECRET_LEN {
                return Err(AuthError::SecretTooShort(length));
            }
        }
        let names: HashSet<&str> = settings.keys.iter().map(|key| &*key.id).collect();
        if names.is_empty() || names.len() < settings.keys.len() {
            return Err(AuthError::KeyNames);
        }
        let sealing = settings.sealing_secret.expose_secret().as_bytes();
        Ok(Self(Arc::new(Inner {
            tokens: Tokens::new(&settings.keys, settings.lifetime),
            sealer: Sealer::new(sealing, b"mfa")?,
            trunk_sealer: Sealer::new(sealing, b"trunk")?,
            settings: Sealer::new(sealing, b"settings")?,
            refresh_lifetime: settings.refresh_lifetime.max(settings.lifetime),
            single_session: settings.single_session,
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

    /// A token for a login of a user.
    ///
    /// # Errors
    /// When signing fails, which no input can cause.
    pub fn issue(
        &self,
        user: &User,
        session: Uuid,
        now: Timestamp,
        unique: Uuid,
    ) -> Result<Token, BadToken> {
        self.0.tokens.issue(user, session, now, unique)
    }

    /// How long a login lasts when its refresh token is not used.
    pub fn refresh_lifetime(&self) -> Duration {
        self.0.refresh_lifetime
    }

    /// Whether a new login ends the others of the same user.
    pub fn single_session(&self) -> bool {
        self.0.single_session
    }

    /// A token that allows the second step of a login, for five minutes.
    ///
    /// # Errors
    /// When signing fails, which no input can cause.
    pub fn challenge(&self, user: &User, now: Timestamp) -> Result<String, BadToken> {
        self.0.tokens.challenge(user, now)
    }

    /// Reads a token of [`Auth::challenge`].
    ///
    /// # Errors
    /// [`BadToken`] when it is not one of ours or has expired.
    pub fn check_challenge(&self, token: &str, now: Timestamp) -> Result<Challenge, BadToken> {
        self.0.tokens.check_challenge(token, now)
    }

    /// A new secret for the second factor of a user: sealed, as text, and as the address that
    /// authenticator apps read.
    ///
    /// # Errors
    /// [`CryptoError`] when the system has no random bytes.
    pub fn new_factor(&self, user: &User) -> Result<NewFactor, CryptoError> {
        // 160 bits: RFC 4226, section 4.
        let secret = secret::random::<20>()?;
        let text = secret::base32(&secret);
        Ok(NewFactor {
            sealed: self.0.sealer.seal(user.id.as_str(), &secret)?,
            address: totp::address(&user.login_id, &text),
            secret: text,
        })
    }

    /// Seals the password of a trunk, as the database keeps it.
    ///
    /// # Errors
    /// [`CryptoError`] when the system has no random bytes.
    pub fn seal_trunk(
        &self,
        trunk: &TrunkId,
        password: &SecretString,
    ) -> Result<Vec<u8>, CryptoError> {
        let password = password.expose_secret().as_bytes();
        self.0.trunk_sealer.seal(trunk.as_str(), password)
    }

    /// Opens what [`Auth::seal_trunk`] sealed for the same trunk.
    ///
    /// # Errors
    /// [`CryptoError`] when it was sealed with another key or for another trunk.
    pub fn open_trunk(&self, trunk: &TrunkId, sealed: &[u8]) -> Result<SecretString, CryptoError> {
        let password = self.0.trunk_sealer.open(trunk.as_str(), sealed)?;
        let password = String::from_utf8(password).map_err(|_| CryptoError)?;
        Ok(password.into())
    }

    /// Seals a secret that an administrator sets, for the setting that it belongs to.
    ///
    /// # Errors
    /// [`CryptoError`] when the system has no random bytes.
    pub fn seal_setting(&self, owner: &str, plain: &SecretString) -> Result<String, CryptoError> {
        let sealed = self
            .0
            .settings
            .seal(owner, plain.expose_secret().as_bytes())?;
        Ok(STANDARD.encode(sealed))
    }

    /// Opens what [`Auth::seal_setting`] sealed for the same setting.
    ///
    /// # Errors
    /// [`CryptoError`] when it was sealed with another key, or for another setting.
    pub fn open_setting(&self, owner: &str, sealed: &str) -> Result<SecretString, CryptoError> {
        let sealed = STANDARD.decode(sealed).map_err(|_| CryptoError)?;
        let plain = self.0.settings.open(owner, &sealed)?;
        let plain = String::from_utf8(plain).map_err(|_| CryptoError)?;
        Ok(SecretString::from(plain))
    }

    /// The time step of a code that is right and not used up.
    ///
    /// # Errors
    /// [`CryptoError`] when the secret was sealed with another key.
    pub fn check_code(
        &self,
        user: &User,
        factor: &Factor,
        code: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, CryptoError> {
        let secret = self.0.sealer.open(user.id.as_str(), &factor.secret)?;
        Ok(totp::check(
            &secret,
            code,
            now.as_second(),
            factor.last_step,
        ))
    }

    /// Ten recovery codes, and what is kept of them.
    ///
    /// # Errors
    /// [`CryptoError`] when the system has no random bytes.
    pub fn new_recovery_codes(&self) -> Result<Vec<(String, [u8; 32])>, CryptoError> {
        (0..totp::RECOVERY_CODES)
            .map(|_| {
                let code = totp::recovery_code()?;
                let hash = recovery_hash(&code);
                Ok((code, hash))
            })
            .collect()
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

    /// Forgets the wrong attempts at a login id; false when there were none.
    pub fn unlock(&self, login_id: &str) -> bool {
        self.0.attempts.unlock(login_id)
    }

    /// Takes the count of an attempt back, because it was right.
    pub fn login_succeeded(&self, login_id: &str, peer: Option<IpAddr>, now: Timestamp) {
        self.0.attempts.succeeded(login_id, peer, now);
    }
}

/// What is kept of a recovery code, however it was typed.
pub fn recovery_hash(code: &str) -> [u8; 32] {
    token_hash(&totp::plain_recovery_code(code))
}

/// A new secret for the second factor of a user.
pub struct NewFactor {
    /// For the database.
    pub sealed: Vec<u8>,
    /// To be typed into an authenticator app.
    pub secret: String,
    /// For an authenticator app that reads it from a picture.
    pub address: String,
}

impl fmt::Debug for NewFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFactor").finish_non_exhaustive()
    }
}
