//! Keys for programs: a user's permissions, or some of them, without a login.

use serde_json::json;
use strowger_core::{ids::UserId, permission::Permission, time::Timestamp};
use uuid::Uuid;

use crate::{
    Error, Store,
    audit::By,
    convert::{parse, read, timestamp, utc},
    users::User,
};

/// A key, without its secret.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The key.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// What it may do, as long as its owner may.
    pub scopes: Vec<Permission>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A key as a request with it is judged.
#[derive(Debug, Clone)]
pub struct KeyState {
    /// The owner, as the database knows them now.
    pub user: User,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// What else is known.
    pub key: ApiKey,
}

/// Reads the scopes; those that no version knows any more are left out, and allow nothing.
fn scopes(words: &[String]) -> Vec<Permission> {
    words.iter().filter_map(|word| word.parse().ok()).collect()
}

impl Store {
    /// Keeps a new key, whose secret is given by its SHA-256.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_api_key(
        &self,
        user: &UserId,
        key: &ApiKey,
        hash: [u8; 32],
        by: By<'_>,
    ) -> Result<(), Error> {
        let words: Vec<String> = key.scopes.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO api_keys (id, user_id, name, hash, scopes, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            key.id,
            user.as_str(),
            key.name,
            &hash[..],
            &words,
            utc(key.created_at),
            key.expires_at.map(utc)
        )
        .execute(&mut *tx)
        .await?;
        let change = json!({"user_id": user, "name": key.name, "scopes": words, "expires_at": key.expires_at});
        by.record(
            &mut tx,
            "api-key.created",
            &key.id.simple().to_string(),
            &change,
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A key and its owner, as they are now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key(&self, id: Uuid) -> Result<Option<KeyState>, Error> {
        let row = sqlx::query!(
            "SELECT u.id, u.login_id, u.first_name, u.last_name, u.email, u.role, u.is_active, u.password_hash,
                 k.name, k.hash, k.scopes, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
             FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(KeyState {
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
                hash: row.hash,
                key: ApiKey {
                    id,
                    name: row.name,
                    scopes: scopes(&row.scopes),
                    created_at: timestamp(row.created_at),
                    expires_at: row.expires_at.map(timestamp),
                    last_used_at: row.last_used_at.map(timestamp),
                    revoked_at: row.revoked_at.map(timestamp),
                },
            })
        })
        .transpose()
    }

    /// Notes that a key is used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key_used(&self, id: Uuid, now: Timestamp) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE api_keys SET last_used_at = $2 WHERE id = $1",
            id,
            utc(now)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The keys of a user, the latest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_keys(&self, user: &UserId, limit: u32) -> Result<Vec<ApiKey>, Error> {
        let rows = sqlx::query!(
            "SELECT id, name, scopes, created_at, expires_at, last_used_at, revoked_at FROM api_keys
             WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2",
            user.as_str(),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| ApiKey {
                id: row.id,
                name: row.name,
                scopes: scopes(&row.scopes),
                created_at: timestamp(row.created_at),
                expires_at: row.expires_at.map(timestamp),
                last_used_at: row.last_used_at.map(timestamp),
                revoked_at: row.revoked_at.map(timestamp),
            })
            .collect())
    }

    /// Ends a key for ever; false when it has ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_api_key(&self, id: Uuid, by: By<'_>) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING name",
            id,
            utc(by.now)
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(done) = done else { return Ok(false) };
        let change = json!({"name": done.name});
        by.record(
            &mut tx,
            "api-key.revoked",
            &id.simple().to_string(),
            &change,
        )
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}
