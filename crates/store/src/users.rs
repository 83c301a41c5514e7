//! People who log in.

use serde_json::json;
use strowger_core::{ids::UserId, permission::Role};

use crate::{
    Error, Store,
    convert::{parse, read},
};

/// A user.
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
    /// The argon2id hash of the password, in PHC form.
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

/// What changes about a user; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// E-mail address, or that there is none any more.
    pub email: Option<Option<String>>,
    /// Role.
    pub role: Option<Role>,
    /// May log in.
    pub is_active: Option<bool>,
    /// The argon2id hash of a new password, in PHC form.
    pub password_hash: Option<String>,
}

/// What became of a change of a user.
#[derive(Debug)]
pub enum UserChanged {
    /// The user as they are now.
    Done(User),
    /// There is no such user.
    Unknown,
    /// The user has this role, above that of whoever asks.
    Above(Role),
    /// Nobody would be left who is an active super-administrator.
    LastSuperAdministrator,
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

    /// Users in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<User>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, login_id, first_name, last_name, email, role, is_active, password_hash
             FROM users WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", UserId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(User::try_from)
        .collect()
    }

    /// Adds a user.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id, login id or e-mail address is in use.
    pub async fn create_user(&self, user: &User) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "user", user.id.as_str()).await?;
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
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "login id or e-mail address", "site"))?;
        self.changed(&mut tx, "user.added", user.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes a user whose role is not above `ceiling`.
    ///
    /// # Errors
    /// [`Error::Taken`] when the e-mail address is in use.
    pub async fn change_user(
        &self,
        id: &UserId,
        change: &UserChange,
        ceiling: Role,
    ) -> Result<UserChanged, Error> {
        let mut tx = self.pool.begin().await?;
        // Whoever else changes a user meanwhile waits: two last super-administrators cannot
        // put each other out.
        let held = sqlx::query!(
            "SELECT id, role, is_active FROM users
             WHERE id = $1 OR (role = 'super-administrator' AND is_active)
             ORDER BY id FOR NO KEY UPDATE",
            id.as_str()
        )
        .fetch_all(&mut *tx)
        .await?;
        let Some(before) = held.iter().find(|row| row.id == id.as_str()) else {
            return Ok(UserChanged::Unknown);
        };
        let role: Role = parse("users.role", &before.role)?;
        if role > ceiling {
            return Ok(UserChanged::Above(role));
        }
        let stays = change.role.unwrap_or(role) == Role::SuperAdministrator
            && change.is_active.unwrap_or(before.is_active);
        let is_one = role == Role::SuperAdministrator && before.is_active;
        if is_one && !stays && held.len() == 1 {
            return Ok(UserChanged::LastSuperAdministrator);
        }
        let before = self.before(&mut tx, "user", id.as_str()).await?;
        let row = sqlx::query_as!(
            Row,
            "UPDATE users SET first_name = coalesce($2, first_name), last_name = coalesce($3, last_name),
                 email = CASE WHEN $4 THEN $5 ELSE email END, role = coalesce($6, role),
                 is_active = coalesce($7, is_active), password_hash = coalesce($8, password_hash),
                 updated_at = now()
             WHERE id = $1
             RETURNING id, login_id, first_name, last_name, email, role, is_active, password_hash",
            id.as_str(),
            change.first_name.as_deref(),
            change.last_name.as_deref(),
            change.email.is_some(),
            change.email.as_ref().and_then(Option::as_deref),
            change.role.map(Role::as_str),
            change.is_active,
            change.password_hash.as_deref()
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "e-mail address", "site"))?;
        let user = User::try_from(row)?;
        self.changed(&mut tx, "user.changed", id.as_str(), before)
            .await?;
        if change.password_hash.is_some() {
            self.note(&mut tx, "user.password-changed", id.as_str(), &json!({}))
                .await?;
        }
        tx.commit().await?;
        Ok(UserChanged::Done(user))
    }

    /// Gives an active user a new password in place of the one with the hash `before`; false
    /// when it is no longer that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn replace_password(
        &self,
        id: &UserId,
        before: &str,
        after: &str,
    ) -> Result<bool, Error> {
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
        if done.rows_affected() > 0 {
            self.note(&mut tx, "user.password-changed", id.as_str(), &json!({}))
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}
