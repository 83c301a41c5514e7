//! Adding, changing and deleting users.

use std::collections::HashSet;

use serde_json::{Value, json};
use sqlx::PgConnection;
use strowger_core::{
    ids::{AgentProfileId, CampaignId, SiteId, UserGroupId, UserId},
    permission::Role,
};
use uuid::Uuid;

use super::{Profile, Row, User};
use crate::{
    Error, Store,
    audit::By,
    convert::parse,
    login_sessions::{LoginEnd, end_all},
};

/// A user to be added.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Who.
    pub user: User,
    /// What else is known.
    pub profile: Profile,
    /// A picture, as `data:` URL.
    pub picture: Option<String>,
}

/// What changes about a user; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    /// What they type to log in.
    pub login_id: Option<String>,
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
    /// Where they work, or nowhere in particular.
    pub site: Option<Option<SiteId>>,
    /// Which call controls they have.
    pub agent_profile: Option<Option<AgentProfileId>>,
    /// Their mobile number, or that there is none any more.
    pub mobile_number: Option<Option<String>>,
    /// Calls are offered to the mobile number.
    pub use_mobile_as_station: Option<bool>,
    /// Shifts are planned for them.
    pub planning_enabled: Option<bool>,
    /// All their groups.
    pub groups: Option<Vec<UserGroupId>>,
    /// All the campaigns that they work for.
    pub campaigns: Option<Vec<CampaignId>>,
    /// A picture as `data:` URL, or that there is none any more.
    pub picture: Option<Option<String>>,
}

impl UserChange {
    /// For the audit log: what becomes of what, without a secret and without the picture.
    fn described(&self) -> Value {
        let mut all = serde_json::Map::new();
        let mut note = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                all.insert(name.to_owned(), value);
            }
        };
        note("login_id", self.login_id.as_ref().map(|v| json!(v)));
        note("first_name", self.first_name.as_ref().map(|v| json!(v)));
        note("last_name", self.last_name.as_ref().map(|v| json!(v)));
        note("email", self.email.as_ref().map(|v| json!(v)));
        note("role", self.role.map(|v| json!(v)));
        note("is_active", self.is_active.map(|v| json!(v)));
        note(
            "password",
            self.password_hash.as_ref().map(|_| json!("changed")),
        );
        note("site_id", self.site.as_ref().map(|v| json!(v)));
        note(
            "agent_profile_id",
            self.agent_profile.as_ref().map(|v| json!(v)),
        );
        note(
            "mobile_number",
            self.mobile_number.as_ref().map(|v| json!(v)),
        );
        note(
            "use_mobile_as_station",
            self.use_mobile_as_station.map(|v| json!(v)),
        );
        note("planning_enabled", self.planning_enabled.map(|v| json!(v)));
        note("group_ids", self.groups.as_ref().map(|v| json!(v)));
        note("campaign_ids", self.campaigns.as_ref().map(|v| json!(v)));
        note(
            "profile_picture",
            self.picture
                .as_ref()
                .map(|v| json!(if v.is_some() { "changed" } else { "removed" })),
        );
        Value::Object(all)
    }
}

/// What became of a change of a user.
#[derive(Debug)]
pub enum UserChanged {
    /// The user as they are now.
    Done(Box<DoneChange>),
    /// There is no such user.
    Unknown,
    /// The user has this role, above that of whoever asks.
    Above(Role),
    /// Nobody would be left who is an active super-administrator.
    LastSuperAdministrator,
}

/// A change of a user that was made.
#[derive(Debug)]
pub struct DoneChange {
    /// The user as they are now.
    pub user: User,
    /// The campaigns whose agents are others now.
    pub campaigns: Vec<CampaignId>,
    /// The logins that ended by it.
    pub ended: Vec<Uuid>,
    /// Why they ended.
    pub cause: LoginEnd,
}

/// What became of the deletion of a user.
#[derive(Debug, PartialEq, Eq)]
pub enum UserDeleted {
    /// They are gone; these campaigns have one agent less.
    Done(Vec<CampaignId>),
    /// There is no such user.
    Unknown,
    /// The user has this role, above that of whoever asks.
    Above(Role),
    /// They may still log in.
    Active,
    /// They work at a station.
    LoggedIn,
}

/// Says what a row refers to that is not there, or which of its values is in use.
fn on_user(error: sqlx::Error) -> Error {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint)
        .unwrap_or_default()
        .to_owned();
    let taken = match constraint.as_str() {
        "users_pkey" => "id",
        "users_login_id_key" => "login id",
        _ => "e-mail address",
    };
    let missing = match constraint.as_str() {
        "users_agent_profile_id_fkey" => "agent profile",
        "user_group_members_group_id_fkey" => "one of the groups",
        "campaign_agents_campaign_id_fkey" => "one of the campaigns",
        _ => "site",
    };
    Error::on_insert(error, taken, missing)
}

async fn set_groups(
    db: &mut PgConnection,
    id: &UserId,
    groups: &[UserGroupId],
) -> Result<(), Error> {
    let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "DELETE FROM user_group_members WHERE user_id = $1 AND group_id <> ALL($2)",
        id.as_str(),
        &groups
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "INSERT INTO user_group_members (group_id, user_id)
         SELECT group_id, $1 FROM UNNEST($2::text[]) AS group_id ON CONFLICT DO NOTHING",
        id.as_str(),
        &groups
    )
    .execute(db)
    .await
    .map_err(on_user)?;
    Ok(())
}

/// The campaigns whose agents are others now.
async fn set_campaigns(
    db: &mut PgConnection,
    id: &UserId,
    campaigns: &[CampaignId],
) -> Result<Vec<CampaignId>, Error> {
    let campaigns: Vec<String> = campaigns.iter().map(ToString::to_string).collect();
    let mut changed = sqlx::query_scalar!(
        "DELETE FROM campaign_agents WHERE user_id = $1 AND campaign_id <> ALL($2) RETURNING campaign_id",
        id.as_str(),
        &campaigns
    )
    .fetch_all(&mut *db)
    .await?;
    let added = sqlx::query_scalar!(
        "INSERT INTO campaign_agents (campaign_id, user_id)
         SELECT campaign_id, $1 FROM UNNEST($2::text[]) AS campaign_id ON CONFLICT DO NOTHING
         RETURNING campaign_id",
        id.as_str(),
        &campaigns
    )
    .fetch_all(db)
    .await
    .map_err(on_user)?;
    changed.extend(added);
    changed
        .into_iter()
        .map(|id| crate::convert::read("campaign_agents.campaign_id", id))
        .collect()
}

async fn set_picture(
    db: &mut PgConnection,
    id: &UserId,
    picture: Option<&str>,
) -> Result<(), Error> {
    match picture {
        Some(url) => {
            sqlx::query!(
                "INSERT INTO user_pictures (user_id, url) VALUES ($1, $2)
                 ON CONFLICT (user_id) DO UPDATE SET url = excluded.url",
                id.as_str(),
                url
            )
            .execute(db)
            .await?
        }
        None => {
            sqlx::query!("DELETE FROM user_pictures WHERE user_id = $1", id.as_str())
                .execute(db)
                .await?
        }
    };
    Ok(())
}

async fn add(db: &mut PgConnection, new: &NewPerson, by: By<'_>) -> Result<Vec<CampaignId>, Error> {
    let (user, profile) = (&new.user, &new.profile);
    sqlx::query!(
        "INSERT INTO users (id, login_id, first_name, last_name, email, role, is_active, password_hash,
             site_id, agent_profile_id, mobile_number, use_mobile_as_station, planning_enabled)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        user.id.as_str(),
        user.login_id,
        user.first_name,
        user.last_name,
        user.email,
        user.role.as_str(),
        user.is_active,
        user.password_hash,
        profile.site.as_ref().map(SiteId::as_str),
        profile.agent_profile.as_ref().map(AgentProfileId::as_str),
        profile.mobile_number,
        profile.use_mobile_as_station,
        profile.planning_enabled
    )
    .execute(&mut *db)
    .await
    .map_err(on_user)?;
    set_groups(db, &user.id, &profile.groups).await?;
    let campaigns = set_campaigns(db, &user.id, &profile.campaigns).await?;
    if let Some(picture) = &new.picture {
        set_picture(db, &user.id, Some(picture)).await?;
    }
    let change = json!({
        "login_id": user.login_id, "role": user.role, "is_active": user.is_active,
        "group_ids": profile.groups, "campaign_ids": profile.campaigns
    });
    by.record(db, "user.created", user.id.as_str(), &change)
        .await?;
    Ok(campaigns)
}

impl Store {
    /// Adds users, all or none. Gives the campaigns that have other agents now.
    ///
    /// # Errors
    /// The place of the first user that cannot be added, and why: [`Error::Taken`] when the id,
    /// login id or e-mail address is in use, [`Error::Missing`] when something that is referred
    /// to does not exist.
    pub async fn add_users(
        &self,
        new: &[NewPerson],
        by: By<'_>,
    ) -> Result<Vec<CampaignId>, (usize, Error)> {
        let whole = |error: sqlx::Error| (0, Error::from(error));
        let mut tx = self.pool.begin().await.map_err(whole)?;
        let mut campaigns = HashSet::new();
        for (place, person) in new.iter().enumerate() {
            let changed = add(&mut tx, person, by).await;
            campaigns.extend(changed.map_err(|error| (place, error))?);
        }
        tx.commit().await.map_err(whole)?;
        Ok(campaigns.into_iter().collect())
    }

    /// Which of these ids, login ids and e-mail addresses somebody has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn taken_names(&self, names: &[String]) -> Result<HashSet<String>, Error> {
        let rows = sqlx::query!(
            "SELECT id, login_id, email FROM users
             WHERE id = ANY($1) OR login_id = ANY($1) OR email = ANY($1)",
            names
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .flat_map(|row| [Some(row.id), Some(row.login_id), row.email])
            .flatten()
            .collect())
    }

    /// Changes a user whose role is not above `ceiling`.
    ///
    /// # Errors
    /// [`Error::Taken`] when the login id or e-mail address is in use, [`Error::Missing`] when
    /// something that is referred to does not exist.
    pub async fn change_user(
        &self,
        id: &UserId,
        change: &UserChange,
        ceiling: Role,
        by: By<'_>,
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
        let row = sqlx::query_as!(
            Row,
            "UPDATE users SET login_id = coalesce($2, login_id), first_name = coalesce($3, first_name),
                 last_name = coalesce($4, last_name), email = CASE WHEN $5 THEN $6 ELSE email END,
                 role = coalesce($7, role), is_active = coalesce($8, is_active),
                 password_hash = coalesce($9, password_hash),
                 site_id = CASE WHEN $10 THEN $11 ELSE site_id END,
                 agent_profile_id = CASE WHEN $12 THEN $13 ELSE agent_profile_id END,
                 mobile_number = CASE WHEN $14 THEN $15 ELSE mobile_number END,
                 use_mobile_as_station = coalesce($16, use_mobile_as_station),
                 planning_enabled = coalesce($17, planning_enabled), updated_at = now()
             WHERE id = $1
             RETURNING id, login_id, first_name, last_name, email, role, is_active, password_hash",
            id.as_str(),
            change.login_id.as_deref(),
            change.first_name.as_deref(),
            change.last_name.as_deref(),
            change.email.is_some(),
            change.email.as_ref().and_then(Option::as_deref),
            change.role.map(Role::as_str),
            change.is_active,
            change.password_hash.as_deref(),
            change.site.is_some(),
            change.site.as_ref().and_then(Option::as_ref).map(SiteId::as_str),
            change.agent_profile.is_some(),
            change.agent_profile.as_ref().and_then(Option::as_ref).map(AgentProfileId::as_str),
            change.mobile_number.is_some(),
            change.mobile_number.as_ref().and_then(Option::as_deref),
            change.use_mobile_as_station,
            change.planning_enabled
        )
        .fetch_one(&mut *tx)
        .await
        .map_err(on_user)?;
        let user = User::try_from(row)?;
        if let Some(groups) = &change.groups {
            set_groups(&mut tx, id, groups).await?;
        }
        let campaigns = match &change.campaigns {
            Some(campaigns) => set_campaigns(&mut tx, id, campaigns).await?,
            None => Vec::new(),
        };
        if let Some(picture) = &change.picture {
            set_picture(&mut tx, id, picture.as_deref()).await?;
        }
        let cause = if change.is_active == Some(false) {
            LoginEnd::Deactivated
        } else {
            LoginEnd::PasswordChanged
        };
        let ended = if change.is_active == Some(false) || change.password_hash.is_some() {
            end_all(&mut tx, id, None, cause, by.now).await?
        } else {
            Vec::new()
        };
        by.record(&mut tx, "user.changed", id.as_str(), &change.described())
            .await?;
        tx.commit().await?;
        Ok(UserChanged::Done(Box::new(DoneChange {
            user,
            campaigns,
            ended,
            cause,
        })))
    }

    /// Deletes a user who may not log in any more, is not at a station and whose role is not
    /// above `ceiling`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_user(
        &self,
        id: &UserId,
        ceiling: Role,
        by: By<'_>,
    ) -> Result<UserDeleted, Error> {
        let mut tx = self.pool.begin().await?;
        let before = sqlx::query!(
            r#"SELECT login_id, role, is_active,
                 EXISTS (SELECT 1 FROM agent_sessions s WHERE s.user_id = users.id AND s.logout_at IS NULL)
                     AS "logged_in!"
             FROM users WHERE id = $1 FOR UPDATE"#,
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(before) = before else {
            return Ok(UserDeleted::Unknown);
        };
        let role: Role = parse("users.role", &before.role)?;
        if role > ceiling {
            return Ok(UserDeleted::Above(role));
        }
        if before.is_active {
            return Ok(UserDeleted::Active);
        }
        if before.logged_in {
            return Ok(UserDeleted::LoggedIn);
        }
        let campaigns = set_campaigns(&mut tx, id, &[]).await?;
        sqlx::query!("DELETE FROM users WHERE id = $1", id.as_str())
            .execute(&mut *tx)
            .await?;
        let change = json!({"login_id": before.login_id, "role": role});
        by.record(&mut tx, "user.deleted", id.as_str(), &change)
            .await?;
        tx.commit().await?;
        Ok(UserDeleted::Done(campaigns))
    }
}
