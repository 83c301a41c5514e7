//! Logins: from the password to the end of the last token.

use serde_json::json;
use sqlx::PgConnection;
use strowger_core::{
    ids::UserId,
    time::{Timestamp, millis_between},
};
use uuid::Uuid;

use crate::{
    Error, Store,
    audit::By,
    convert::{parse, read, timestamp, utc},
    users::User,
};

/// Within this time of its use a refresh token is not yet taken for stolen: tabs of one browser
/// refresh at the same moment, and an answer gets lost.
const LEEWAY_MS: u64 = 10_000;

/// Why a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginEnd {
    /// The user logged out.
    LoggedOut,
    /// The user logged in elsewhere, and only one login is allowed.
    Replaced,
    /// The user or an administrator ended it.
    Revoked,
    /// A refresh token was used a second time: one of the two users stole it.
    TokenReused,
    /// The password was changed.
    PasswordChanged,
    /// The user was deactivated.
    Deactivated,
}

impl LoginEnd {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged-out",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::TokenReused => "token-reused",
            Self::PasswordChanged => "password-changed",
            Self::Deactivated => "deactivated",
        }
    }
}

impl std::str::FromStr for LoginEnd {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [
            Self::LoggedOut,
            Self::Replaced,
            Self::Revoked,
            Self::TokenReused,
            Self::PasswordChanged,
            Self::Deactivated,
        ]
        .into_iter()
        .find(|end| end.as_str() == text)
        .ok_or_else(|| format!("unknown end of a login {text:?}"))
    }
}

/// A login that begins.
#[derive(Debug, Clone)]
pub struct NewLogin<'a> {
    /// The session.
    pub id: Uuid,
    /// Who.
    pub user: &'a UserId,
    /// SHA-256 of the refresh token.
    pub refresh_hash: [u8; 32],
    /// From where, if known.
    pub peer: Option<String>,
    /// What the client says it is.
    pub user_agent: &'a str,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// When.
    pub now: Timestamp,
}

/// What a request with a token is judged by.
#[derive(Debug, Clone)]
pub struct LoginState {
    /// Who, as the database knows them now.
    pub user: User,
    /// Why it ended, if it did.
    pub ended: Option<LoginEnd>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
}

/// A login as it is listed.
#[derive(Debug, Clone)]
pub struct Login {
    /// The session.
    pub id: Uuid,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub cause: Option<LoginEnd>,
    /// From where.
    pub peer: Option<String>,
    /// What the client says it is.
    pub user_agent: String,
}

/// What became of the use of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The session goes on; the new token is the one to use next.
    Done {
        /// The session.
        session: Uuid,
        /// Whose.
        user: UserId,
    },
    /// It was used a moment ago: the session goes on with the token of that use.
    Again {
        /// The session.
        session: Uuid,
        /// Whose.
        user: UserId,
    },
    /// It was used before: the session has ended.
    Reused {
        /// The session.
        session: Uuid,
        /// Whose.
        user: UserId,
    },
    /// Never made here, expired, or its session has ended.
    Refused,
}

/// Ends the logins of a user, but for one.
pub(crate) async fn end_all(
    db: &mut PgConnection,
    user: &UserId,
    but: Option<Uuid>,
    cause: LoginEnd,
    now: Timestamp,
) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar!(
        "UPDATE login_sessions SET ended_at = $3, cause = $4
         WHERE user_id = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR id <> $2)
         RETURNING id",
        user.as_str(),
        but,
        utc(now),
        cause.as_str()
    )
    .fetch_all(db)
    .await?)
}

impl Store {
    /// Begins a login; with `single`, ends the others of the user, which are given. Logins that
    /// expired more than 90 days ago are forgotten.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_login(&self, new: &NewLogin<'_>, single: bool) -> Result<Vec<Uuid>, Error> {
        let mut tx = self.pool.begin().await?;
        // Two logins at once: the second waits and ends the first.
        sqlx::query!(
            "SELECT id FROM users WHERE id = $1 FOR NO KEY UPDATE",
            new.user.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let ended = if single {
            end_all(&mut tx, new.user, None, LoginEnd::Replaced, new.now).await?
        } else {
            Vec::new()
        };
        sqlx::query!(
            "DELETE FROM login_sessions WHERE user_id = $1 AND expires_at < $2::timestamptz - interval '90 days'",
            new.user.as_str(),
            utc(new.now)
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO login_sessions (id, user_id, created_at, seen_at, expires_at, peer, user_agent)
             VALUES ($1, $2, $3, $3, $4, $5, $6)",
            new.id,
            new.user.as_str(),
            utc(new.now),
            utc(new.expires_at),
            new.peer,
            new.user_agent
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO refresh_tokens (hash, session_id) VALUES ($1, $2)",
            &new.refresh_hash[..],
            new.id
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// A login and its user, as they are now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_state(&self, session: Uuid) -> Result<Option<LoginState>, Error> {
        let row = sqlx::query!(
            "SELECT u.id, u.login_id, u.first_name, u.last_name, u.email, u.role, u.is_active, u.password_hash,
                 s.cause, s.expires_at, s.seen_at
             FROM login_sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1",
            session
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(LoginState {
                user: User {
                    id: read("users.id", row.id)?,
                    role: parse("users.role", &row.role)?,
                    login_id: row.login_id,
                    first_name: row.first_name,
                    last_name: row.last_name,
                    email: row.email,
                    is_active: row.is_active,
                    password_hash: row.password_hash,
                },
                ended: row
                    .cause
                    .map(|cause| parse("login_sessions.cause", &cause))
                    .transpose()?,
                expires_at: timestamp(row.expires_at),
                seen_at: timestamp(row.seen_at),
            })
        })
        .transpose()
    }

    /// Notes that a login is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_seen(&self, session: Uuid, now: Timestamp) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE login_sessions SET seen_at = $2 WHERE id = $1 AND seen_at < $2",
            session,
            utc(now)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts a refresh token in the place of another, both given by their SHA-256. One that was
    /// used before ends the session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotate_refresh(
        &self,
        used: [u8; 32],
        new: [u8; 32],
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Refreshed, Error> {
        let mut tx = self.pool.begin().await?;
        let row = sqlx::query!(
            r#"SELECT s.id, s.user_id, s.ended_at, s.expires_at, t.used_at AS "used_at?"
             FROM refresh_tokens t JOIN login_sessions s ON s.id = t.session_id
             WHERE t.hash = $1 FOR UPDATE OF t, s"#,
            &used[..]
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(Refreshed::Refused);
        };
        if row.ended_at.is_some() || timestamp(row.expires_at) <= now {
            return Ok(Refreshed::Refused);
        }
        let (session, user): (_, UserId) = (row.id, read("login_sessions.user_id", row.user_id)?);
        if let Some(used_at) = row.used_at {
            if millis_between(timestamp(used_at), now) <= LEEWAY_MS {
                return Ok(Refreshed::Again { session, user });
            }
            end_one(&mut tx, session, LoginEnd::TokenReused, now).await?;
            let by = By { actor: None, now };
            let change = json!({"session": session, "cause": LoginEnd::TokenReused.as_str()});
            by.record(&mut tx, "login.ended", user.as_str(), &change)
                .await?;
            tx.commit().await?;
            return Ok(Refreshed::Reused { session, user });
        }
        sqlx::query!(
            "UPDATE refresh_tokens SET used_at = $2 WHERE hash = $1",
            &used[..],
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO refresh_tokens (hash, session_id) VALUES ($1, $2)",
            &new[..],
            session
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "UPDATE login_sessions SET seen_at = $2, expires_at = $3 WHERE id = $1",
            session,
            utc(now),
            utc(expires_at)
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Refreshed::Done { session, user })
    }

    /// Whose login this is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login_owner(&self, session: Uuid) -> Result<Option<User>, Error> {
        Ok(self.login_state(session).await?.map(|state| state.user))
    }

    /// Ends a login; false when it has ended already. What somebody else ends is noted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_login(
        &self,
        session: Uuid,
        user: &UserId,
        cause: LoginEnd,
        by: By<'_>,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let ended = end_one(&mut tx, session, cause, by.now).await?;
        if ended && cause != LoginEnd::LoggedOut {
            let change = json!({"session": session, "cause": cause.as_str()});
            by.record(&mut tx, "login.ended", user.as_str(), &change)
                .await?;
        }
        tx.commit().await?;
        Ok(ended)
    }

    /// The logins of a user, the latest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logins(&self, user: &UserId, limit: u32) -> Result<Vec<Login>, Error> {
        let rows = sqlx::query!(
            "SELECT id, created_at, seen_at, expires_at, ended_at, cause, peer, user_agent FROM login_sessions
             WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
            user.as_str(),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Login {
                    id: row.id,
                    created_at: timestamp(row.created_at),
                    seen_at: timestamp(row.seen_at),
                    expires_at: timestamp(row.expires_at),
                    ended_at: row.ended_at.map(timestamp),
                    cause: row
                        .cause
                        .map(|cause| parse("login_sessions.cause", &cause))
                        .transpose()?,
                    peer: row.peer,
                    user_agent: row.user_agent,
                })
            })
            .collect()
    }
}

async fn end_one(
    db: &mut PgConnection,
    session: Uuid,
    cause: LoginEnd,
    now: Timestamp,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        "UPDATE login_sessions SET ended_at = $2, cause = $3 WHERE id = $1 AND ended_at IS NULL",
        session,
        utc(now),
        cause.as_str()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}
