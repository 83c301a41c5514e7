//! Signed tokens (JWT) that say who somebody is.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use strowger_core::{ids::UserId, time::Timestamp};
use strowger_store::users::User;
use uuid::Uuid;

/// Who makes and who takes the tokens.
const ISSUER: &str = "strowger";
const AUDIENCE: &str = "strowger-api";

/// Longest token that is looked at, in bytes.
const MAX_TOKEN_LEN: usize = 2_048;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it.
    iss: String,
    /// Who it is for.
    aud: String,
    /// The user.
    pub sub: UserId,
    /// Since when, in seconds since 1970.
    iat: i64,
    /// Until when, in seconds since 1970.
    pub exp: i64,
    /// Makes each token different.
    jti: String,
    /// Which password it was made under.
    pwd: String,
}

impl Claims {
    /// Whether the user still has the password that the token was made under.
    pub fn is_current(&self, user: &User) -> bool {
        self.pwd == fingerprint(&user.password_hash)
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
    /// It never was, or was made with another secret.
    #[error("the token is not valid: log in again")]
    Invalid,
}

pub(super) struct Tokens {
    header: Header,
    signing: EncodingKey,
    checking: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

impl Tokens {
    pub(super) fn new(secret: &[u8], key_id: &str, lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Expiry is compared below with the clock that everything else here uses; the same
        // clock sets it, so there is nothing to be lenient about.
        validation.validate_exp = false;
        validation.leeway = 0;
        Self {
            header: Header {
                kid: Some(key_id.to_owned()),
                ..Header::new(Algorithm::HS256)
            },
            signing: EncodingKey::from_secret(secret),
            checking: DecodingKey::from_secret(secret),
            validation,
            lifetime,
        }
    }

    pub(super) fn issue(
        &self,
        user: &User,
        now: Timestamp,
        unique: Uuid,
    ) -> Result<Token, BadToken> {
        let expires_in = self.lifetime.as_secs();
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user.id.clone(),
            iat: now.as_second(),
            exp: now.as_second().saturating_add_unsigned(expires_in),
            jti: unique.simple().to_string(),
            pwd: fingerprint(&user.password_hash),
        };
        let text = jsonwebtoken::encode(&self.header, &claims, &self.signing)
            .map_err(|_| BadToken::Invalid)?;
        Ok(Token { text, expires_in })
    }

    pub(super) fn check(&self, token: &str, now: Timestamp) -> Result<Claims, BadToken> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(BadToken::Invalid);
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.checking, &self.validation)
            .map_err(|_| BadToken::Invalid)?;
        if data.header.kid != self.header.kid {
            return Err(BadToken::Invalid);
        }
        if now.as_second() >= data.claims.exp {
            return Err(BadToken::Expired);
        }
        Ok(data.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_core::{permission::Role, time::after};

    const SECRET: &[u8] = b"an example of thirty-two bytes!!";

    fn tokens(secret: &[u8], key_id: &str) -> Tokens {
        Tokens::new(secret, key_id, Duration::from_hours(1))
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

    #[test]
    fn a_token_is_good_until_it_expires() {
        let (tokens, now) = (tokens(SECRET, "1"), Timestamp::UNIX_EPOCH);
        let token = tokens.issue(&user(), now, Uuid::nil()).unwrap();
        assert_eq!(token.expires_in, 3_600);
        assert_eq!(
            tokens
                .check(&token.text, after(now, 3_599_000))
                .unwrap()
                .sub,
            user().id
        );
        assert_eq!(
            tokens.check(&token.text, after(now, 3_600_000)),
            Err(BadToken::Expired)
        );
    }

    #[test]
    fn a_token_with_another_secret_key_name_or_algorithm_is_refused() {
        let ours = tokens(SECRET, "1");
        let now = Timestamp::UNIX_EPOCH;
        for other in [
            tokens(b"another example of 32 bytes long", "1"),
            tokens(SECRET, "2"),
        ] {
            let token = other.issue(&user(), now, Uuid::nil()).unwrap();
            assert_eq!(ours.check(&token.text, now), Err(BadToken::Invalid));
        }
        let token = ours.issue(&user(), now, Uuid::nil()).unwrap().text;
        let (_, rest) = token.split_once('.').unwrap();
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", rest.split_once('.').unwrap().0);
        assert_eq!(ours.check(&unsigned, now), Err(BadToken::Invalid));
        assert_eq!(ours.check(&"x".repeat(10_000), now), Err(BadToken::Invalid));
    }

    #[test]
    fn a_token_belongs_to_a_password_and_does_not_tell_its_hash() {
        let (tokens, now) = (tokens(SECRET, "1"), Timestamp::UNIX_EPOCH);
        let token = tokens.issue(&user(), now, Uuid::nil()).unwrap();
        let claims = tokens.check(&token.text, now).unwrap();
        assert!(claims.is_current(&user()));
        let other = User {
            password_hash: "two".to_owned(),
            ..user()
        };
        assert!(!claims.is_current(&other));
        assert_eq!(claims.pwd.len(), 16);
    }

    #[test]
    fn a_token_never_shows_in_a_log() {
        let token = tokens(SECRET, "1")
            .issue(&user(), Timestamp::UNIX_EPOCH, Uuid::nil())
            .unwrap();
        assert!(!format!("{token:?}").contains(&token.text));
    }
}
