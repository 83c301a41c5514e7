//! Tokens that let somebody choose a new password, once.

use serde_json::json;
use strowger_core::{ids::UserId, time::Timestamp};
use uuid::Uuid;

use crate::{
    Error, Store,
    audit::By,
    convert::{read, utc},
    login_sessions::{LoginEnd, end_all},
    users::User,
};

impl Store {
    /// Keeps a token, given by its SHA-256, in place of those before it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_password_reset(
        &self,
        user: &UserId,
        hash: [u8; 32],
        expires_at: Timestamp,
        by: By<'_>,
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "DELETE FROM password_resets WHERE user_id = $1",
            user.as_str()
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO password_resets (hash, user_id, created_by, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5)",
            &hash[..],
            user.as_str(),
            by.actor.map(UserId::as_str),
            utc(by.now),
            utc(expires_at)
        )
        .execute(&mut *tx)
        .await?;
        let change = json!({"expires_at": expires_at});
        by.record(&mut tx, "password-reset.created", user.as_str(), &change)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The active user whom an unused token is for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_reset(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<User>, Error> {
        let id = sqlx::query_scalar!(
            "SELECT user_id FROM password_resets WHERE hash = $1 AND used_at IS NULL AND expires_at > $2",
            &hash[..],
            utc(now)
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(id) = id else { return Ok(None) };
        let user = self.user(&read("password_resets.user_id", id)?).await?;
        Ok(user.filter(|user| user.is_active))
    }

    /// Uses a token up, gives its user a new password and ends their logins, which are given;
    /// none when the token is not good any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_password_reset(
        &self,
        hash: [u8; 32],
        password_hash: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<Uuid>>, Error> {
        let mut tx = self.pool.begin().await?;
        let id = sqlx::query_scalar!(
            "UPDATE password_resets SET used_at = $2
             WHERE hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING user_id",
            &hash[..],
            utc(now)
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(id) = id else { return Ok(None) };
        let user: UserId = read("password_resets.user_id", id)?;
        let done = sqlx::query!(
            "UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1 AND is_active",
            user.as_str(),
            password_hash
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        let ended = end_all(&mut tx, &user, None, LoginEnd::PasswordChanged, now).await?;
        let by = By {
            actor: Some(&user),
            now,
        };
        by.record(&mut tx, "password-reset.used", user.as_str(), &json!({}))
            .await?;
        tx.commit().await?;
        Ok(Some(ended))
    }
}
