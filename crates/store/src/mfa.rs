//! The second factor of a login.

use serde_json::json;
use strowger_core::ids::UserId;

use crate::{Error, Store, audit::By, convert::utc};

/// The second factor of a user.
#[derive(Clone)]
pub struct Factor {
    /// The secret, sealed.
    pub secret: Vec<u8>,
    /// It is asked for at login.
    pub is_confirmed: bool,
    /// The time step of the last code: it and those before are used up.
    pub last_step: i64,
}

impl std::fmt::Debug for Factor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Factor")
            .field("is_confirmed", &self.is_confirmed)
            .field("last_step", &self.last_step)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// The second factor of a user, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn factor(&self, user: &UserId) -> Result<Option<Factor>, Error> {
        let row = sqlx::query!(
            "SELECT secret, confirmed_at, last_step FROM user_mfa WHERE user_id = $1",
            user.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| Factor {
            secret: row.secret,
            is_confirmed: row.confirmed_at.is_some(),
            last_step: row.last_step,
        }))
    }

    /// Keeps a secret that is not asked for yet, in place of another that was not; false when
    /// there is one that is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_factor(&self, user: &UserId, secret: &[u8]) -> Result<bool, Error> {
        let done = sqlx::query!(
            "INSERT INTO user_mfa (user_id, secret) VALUES ($1, $2)
             ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, last_step = 0
             WHERE user_mfa.confirmed_at IS NULL",
            user.as_str(),
            secret
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// From now on codes are asked for; false when they are already. The recovery codes are given
    /// by their SHA-256, and `step` is that of the code that was shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn confirm_factor(
        &self,
        user: &UserId,
        step: i64,
        recovery: &[[u8; 32]],
        by: By<'_>,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "UPDATE user_mfa SET confirmed_at = $2, last_step = $3 WHERE user_id = $1 AND confirmed_at IS NULL",
            user.as_str(),
            utc(by.now),
            step
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let hashes: Vec<Vec<u8>> = recovery.iter().map(|hash| hash.to_vec()).collect();
        sqlx::query!(
            "DELETE FROM mfa_recovery_codes WHERE user_id = $1",
            user.as_str()
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO mfa_recovery_codes (user_id, hash) SELECT $1, hash FROM UNNEST($2::bytea[]) AS hash",
            user.as_str(),
            &hashes
        )
        .execute(&mut *tx)
        .await?;
        by.record(&mut tx, "mfa.enabled", user.as_str(), &json!({}))
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Uses the code of a time step up; false when it is used up already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_step(&self, user: &UserId, step: i64) -> Result<bool, Error> {
        let done = sqlx::query!(
            "UPDATE user_mfa SET last_step = $2 WHERE user_id = $1 AND last_step < $2 AND confirmed_at IS NOT NULL",
            user.as_str(),
            step
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Uses a recovery code up, given by its SHA-256; false when there is none such.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn use_recovery_code(
        &self,
        user: &UserId,
        hash: [u8; 32],
        by: By<'_>,
    ) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "UPDATE mfa_recovery_codes SET used_at = $3 WHERE user_id = $1 AND hash = $2 AND used_at IS NULL",
            user.as_str(),
            &hash[..],
            utc(by.now)
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        by.record(&mut tx, "mfa.recovery-code-used", user.as_str(), &json!({}))
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes the second factor and its recovery codes; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_factor(&self, user: &UserId, by: By<'_>) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!("DELETE FROM user_mfa WHERE user_id = $1", user.as_str())
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        by.record(&mut tx, "mfa.disabled", user.as_str(), &json!({}))
            .await?;
        tx.commit().await?;
        Ok(true)
    }
}
