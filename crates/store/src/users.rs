//! People who log in.

mod change;
mod person;

use serde_json::json;
use strowger_core::{ids::UserId, permission::Role, time::Timestamp};
use uuid::Uuid;

use crate::{
    Error, Store,
    audit::By,
    convert::{parse, read},
    login_sessions::{LoginEnd, end_all},
};

pub use change::{DoneChange, NewPerson, UserChange, UserChanged, UserDeleted};
pub use person::{Person, Profile};

/// A user: what each request reads of them.
#[derive(Debug, Clone)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// What they type to log in.
    pub login_id: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Role.
    pub role: Role,
    /// May log in.
    pub is_active: bool,
    /// The hash of the password: argon2id in PHC form, or bcrypt where it comes from elsewhere.
    pub password_hash: String,
}

impl User {
    /// First and last name, or the login id when both are empty.
    pub fn display_name(&self) -> String {
        let name = format!("{} {}", self.first_name, self.last_name);
        match name.trim() {
            "" => self.login_id.clone(),
            name => name.to_owned(),
        }
    }
}

struct Row {
    id: String,
    login_id: String,
    first_name: String,
    last_name: String,
    email: Option<String>,
    role: String,
    is_active: bool,
    password_hash: String,
}

impl TryFrom<Row> for User {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("users.id", row.id)?,
            role: parse("users.role", &row.role)?,
            login_id: row.login_id,
            first_name: row.first_name,
            last_name: row.last_name,
            email: row.email,
            is_active: row.is_active,
            password_hash: row.password_hash,
        })
    }
}

impl Store {
    /// The user who logs in with this.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_login(&self, login_id: &str) -> Result<Option<User>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, login_id, first_name, last_name, email, role, is_active, password_hash
             FROM users WHERE login_id = $1",
            login_id
        )
        .fetch_optional(&self.pool)
        .await?
        .map(User::try_from)
        .transpose()
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, login_id, first_name, last_name, email, role, is_active, password_hash
             FROM users WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(User::try_from)
        .transpose()
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id, login id or e-mail address is in use.
    pub async fn create_user(&self, user: &User) -> Result<(), Error> {
        sqlx::query!(
            "INSERT INTO users (id, login_id, first_name, last_name, email, role, is_active, password_hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            user.id.as_str(),
            user.login_id,
            user.first_name,
            user.last_name,
            user.email,
            user.role.as_str(),
            user.is_active,
            user.password_hash
        )
        .execute(&self.pool)
        .await
        .map_err(|error| Error::on_insert(error, "login id or e-mail address", "site"))?;
        Ok(())
    }

    /// Gives an active user a new password in place of the one with the hash `before`, and ends
    /// their logins, which are given; none when it is no longer that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_password(
        &self,
        id: &UserId,
        before: &str,
        after: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<Uuid>>, Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "UPDATE users SET password_hash = $3, updated_at = now()
             WHERE id = $1 AND password_hash = $2 AND is_active",
            id.as_str(),
            before,
            after
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(None);
        }
        let ended = end_all(&mut tx, id, None, LoginEnd::PasswordChanged, now).await?;
        let by = By {
            actor: Some(id),
            now,
        };
        by.record(&mut tx, "user.password-changed", id.as_str(), &json!({}))
            .await?;
        tx.commit().await?;
        Ok(Some(ended))
    }

    /// Keeps the same password under another hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rehash_password(
        &self,
        id: &UserId,
        before: &str,
        after: &str,
    ) -> Result<(), Error> {
        sqlx::query!(
            "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
            id.as_str(),
            before,
            after
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
