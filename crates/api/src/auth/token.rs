//! Signed tokens (JWT) that say who somebody is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};
use strowger_core::{ids::UserId, time::Timestamp};
use strowger_store::users::User;
use uuid::Uuid;

use super::SigningKey;
use crate::console;

/// Who makes the tokens.
const ISSUER: &str = "strowger";

/// Who takes those of a login.
const AUDIENCE: &str = "strowger-api";

/// Who takes those that only allow the second step of a login.
const MFA_AUDIENCE: &str = "strowger-mfa";

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_LEN: usize = 2_048;

/// Seconds for the second step of a login.
const CHALLENGE_S: i64 = 300;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// The user.
    pub sub: UserId,
    /// The user again, where the console looks.
    id: UserId,
    /// The role at login, as the console names it; what counts is the role in the database.
    role: String,
    /// The login: [`strowger_store::login_sessions`].
    #[serde(rename = "sessionId")]
    pub session: Uuid,
    /// Since when, in seconds since 1970.
    iat: i64,
    /// Until when, in seconds since 1970.
    pub exp: i64,
    /// Makes each token different.
    jti: Uuid,
}

/// What the token between the two steps of a login says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    iss: String,
    aud: String,
    /// The user.
    pub sub: UserId,
    iat: i64,
    exp: i64,
    /// Which password was right.
    pwd: String,
}

impl Challenge {
    /// Whether the user still has the password that was right.
    pub fn is_current(&self, user: &User) -> bool {
        self.pwd == fingerprint(&user.password_hash)
    }
}

trait Expires {
    fn expires(&self) -> i64;
}

impl Expires for Claims {
    fn expires(&self) -> i64 {
        self.exp
    }
}

impl Expires for Challenge {
    fn expires(&self) -> i64 {
        self.exp
    }
}

/// Differs between the hashes of passwords, whose salts make each unique, and tells nothing of them.
fn fingerprint(password_hash: &str) -> String {
    let digest = Sha256::digest(password_hash.as_bytes());
    URL_SAFE_NO_PAD.encode(digest.get(..12).unwrap_or_default())
}

/// A token and how long it is good for.
#[derive(Clone)]
pub struct Token {
    /// The token.
    pub text: String,
    /// Seconds.
    pub expires_in: u64,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It was ours.
    #[error("the login has expired: log in again")]
    Expired,
    /// It never was, or was made with a key that is no longer known.
    #[error("the token is not valid: log in again")]
    Invalid,
}

struct Key {
    id: String,
    signing: EncodingKey,
    checking: DecodingKey,
}

pub(super) struct Tokens {
    /// The first signs, all check.
    keys: Vec<Key>,
    login: Validation,
    challenge: Validation,
    lifetime: Duration,
}

fn validation(audience: &str) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // Expiry is compared below with the clock that everything else here uses; the same
    // clock sets it, so there is nothing to be lenient about.
    validation.validate_exp = false;
    validation.leeway = 0;
    validation
}

impl Tokens {
    pub(super) fn new(keys: &[SigningKey], lifetime: Duration) -> Self {
        let keys = keys.iter().map(|key| {
            let secret = key.secret.expose_secret().as_bytes();
            Key {
                id: key.id.clone(),
                signing: EncodingKey::from_secret(secret),
                checking: DecodingKey::from_secret(secret),
            }
        });
        Self {
            keys: keys.collect(),
            login: validation(AUDIENCE),
            challenge: validation(MFA_AUDIENCE),
            lifetime,
        }
    }

    fn sign<T: Serialize>(&self, claims: &T) -> Result<String, BadToken> {
        let key = self.keys.first().ok_or(BadToken::Invalid)?;
        let header = Header {
            kid: Some(key.id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        jsonwebtoken::encode(&header, claims, &key.signing).map_err(|_| BadToken::Invalid)
    }

    fn read<T: DeserializeOwned + Expires + Clone>(
        &self,
        token: &str,
        validation: &Validation,
        now: Timestamp,
    ) -> Result<T, BadToken> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(BadToken::Invalid);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| BadToken::Invalid)?;
        let named = |key: &&Key| header.kid.as_ref() == Some(&key.id);
        let key = self.keys.iter().find(named).ok_or(BadToken::Invalid)?;
        let data = jsonwebtoken::decode::<T>(token, &key.checking, validation)
            .map_err(|_| BadToken::Invalid)?;
        if now.as_second() >= data.claims.expires() {
            return Err(BadToken::Expired);
        }
        Ok(data.claims)
    }

    pub(super) fn issue(
        &self,
        user: &User,
        session: Uuid,
        now: Timestamp,
        unique: Uuid,
    ) -> Result<Token, BadToken> {
        let expires_in = self.lifetime.as_secs();
        let text = self.sign(&Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            id: user.id.clone(),
            role: console::role_name(user.role).to_owned(),
            session,
            iat: now.as_second(),
            exp: now.as_second().saturating_add_unsigned(expires_in),
            jti: unique,
        })?;
        Ok(Token { text, expires_in })
    }

    pub(super) fn check(&self, token: &str, now: Timestamp) -> Result<Claims, BadToken> {
        self.read(token, &self.login, now)
    }

    pub(super) fn challenge(&self, user: &User, now: Timestamp) -> Result<String, BadToken> {
        self.sign(&Challenge {
            iss: ISSUER.to_owned(),
            aud: MFA_AUDIENCE.to_owned(),
            sub: user.id.clone(),
            iat: now.as_second(),
            exp: now.as_second().saturating_add(CHALLENGE_S),
            pwd: fingerprint(&user.password_hash),
        })
    }

    pub(super) fn check_challenge(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Challenge, BadToken> {
        self.read(token, &self.challenge, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_core::{permission::Role, time::after};

    const SECRET: &str = "an example of thirty-two bytes!!";
    const OTHER: &str = "another example of 32 bytes long";

    fn key(id: &str, secret: &str) -> SigningKey {
        SigningKey {
            id: id.to_owned(),
            secret: secret.into(),
        }
    }

    fn tokens(keys: &[SigningKey]) -> Tokens {
        Tokens::new(keys, Duration::from_hours(1))
    }

    fn user() -> User {
        User {
            id: UserId::new("usr_1").unwrap(),
            login_id: "ada".to_owned(),
            first_name: String::new(),
            last_name: String::new(),
            email: None,
            role: Role::Agent,
            is_active: true,
            password_hash: "one".to_owned(),
        }
    }

    fn issue(tokens: &Tokens) -> Token {
        let now = Timestamp::UNIX_EPOCH;
        tokens
            .issue(&user(), Uuid::max(), now, Uuid::nil())
            .unwrap()
    }

    #[test]
    fn a_token_names_its_user_and_login_and_is_good_until_it_expires() {
        let (tokens, now) = (tokens(&[key("1", SECRET)]), Timestamp::UNIX_EPOCH);
        let token = issue(&tokens);
        assert_eq!(token.expires_in, 3_600);
        let claims = tokens.check(&token.text, after(now, 3_599_000)).unwrap();
        assert_eq!((claims.sub, claims.session), (user().id, Uuid::max()));
        assert_eq!(
            tokens.check(&token.text, after(now, 3_600_000)),
            Err(BadToken::Expired)
        );
    }

    #[test]
    fn the_console_finds_what_it_looks_for_in_a_token() {
        let token = issue(&tokens(&[key("1", SECRET)])).text;
        let payload = token.split('.').nth(1).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["id"], "usr_1");
        assert_eq!(payload["role"], "Agent");
        assert_eq!(payload["sessionId"], Uuid::max().to_string());
        assert_eq!(
            (&payload["iat"], &payload["exp"]),
            (&0.into(), &3_600.into())
        );
    }

    #[test]
    fn the_first_key_signs_and_all_check_until_they_are_taken_away() {
        let now = Timestamp::UNIX_EPOCH;
        let (old, new) = (key("1", SECRET), key("2", OTHER));
        let before = issue(&tokens(std::slice::from_ref(&old))).text;
        let both = tokens(&[new.clone(), old]);
        assert!(both.check(&before, now).is_ok());
        let after = issue(&both).text;
        let only_new = tokens(&[new]);
        assert!(only_new.check(&after, now).is_ok());
        assert_eq!(only_new.check(&before, now), Err(BadToken::Invalid));
    }

    #[test]
    fn a_token_with_another_secret_key_name_or_algorithm_is_refused() {
        let ours = tokens(&[key("1", SECRET)]);
        let now = Timestamp::UNIX_EPOCH;
        for other in [key("1", OTHER), key("2", SECRET)] {
            let token = issue(&tokens(&[other]));
            assert_eq!(ours.check(&token.text, now), Err(BadToken::Invalid));
        }
        let token = issue(&ours).text;
        let (_, rest) = token.split_once('.').unwrap();
        // {"alg":"none","kid":"1"}
        let unsigned = format!(
            "eyJhbGciOiJub25lIiwia2lkIjoiMSJ9.{}.",
            rest.split_once('.').unwrap().0
        );
        assert_eq!(ours.check(&unsigned, now), Err(BadToken::Invalid));
        assert_eq!(ours.check(&"x".repeat(10_000), now), Err(BadToken::Invalid));
    }

    #[test]
    fn the_token_between_the_steps_of_a_login_is_no_login() {
        let (tokens, now) = (tokens(&[key("1", SECRET)]), Timestamp::UNIX_EPOCH);
        let challenge = tokens.challenge(&user(), now).unwrap();
        assert_eq!(tokens.check(&challenge, now), Err(BadToken::Invalid));
        let login = issue(&tokens).text;
        assert_eq!(tokens.check_challenge(&login, now), Err(BadToken::Invalid));
        let read = tokens.check_challenge(&challenge, now).unwrap();
        assert!(read.is_current(&user()));
        let other = User {
            password_hash: "two".to_owned(),
            ..user()
        };
        assert!(!read.is_current(&other));
        assert_eq!(
            tokens.check_challenge(&challenge, after(now, 300_000)),
            Err(BadToken::Expired)
        );
    }

    #[test]
    fn a_token_never_shows_in_a_log() {
        let token = issue(&tokens(&[key("1", SECRET)]));
        assert!(!format!("{token:?}").contains(&token.text));
    }
}
