//! Users with all that a screen shows of them.

use std::collections::HashMap;

use strowger_core::{
    ids::{AgentProfileId, CampaignId, SiteId, UserGroupId, UserId},
    time::Timestamp,
};

use super::User;
use crate::{
    Error, Store,
    convert::{parse, read, timestamp},
};

/// What is known of a user besides who they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Where they work.
    pub site: Option<SiteId>,
    /// Which call controls they have.
    pub agent_profile: Option<AgentProfileId>,
    /// Their mobile number.
    pub mobile_number: Option<String>,
    /// Calls are offered to the mobile number.
    pub use_mobile_as_station: bool,
    /// Shifts are planned for them.
    pub planning_enabled: bool,
    /// Their groups, in the order of ids.
    pub groups: Vec<UserGroupId>,
    /// The campaigns that they work for, in the order of ids.
    pub campaigns: Vec<CampaignId>,
}

/// A user with all that a screen shows of them, but the picture, which is large.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who.
    pub user: User,
    /// What else is known.
    pub profile: Profile,
    /// There is a picture: [`Store::pictures`].
    pub has_picture: bool,
    /// There is a second factor, and it is asked for at login.
    pub has_mfa: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they were changed last.
    pub updated_at: Timestamp,
}

fn ids<T>(what: &'static str, texts: Vec<String>) -> Result<Vec<T>, Error>
where
    T: TryFrom<String>,
    T::Error: ToString,
{
    texts.into_iter().map(|text| read(what, text)).collect()
}

impl Store {
    /// Users in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn persons(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Person>, Error> {
        let of = sqlx::query_scalar!(
            "SELECT id FROM users WHERE id > $1 ORDER BY id LIMIT $2",
            after.map_or("", UserId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        self.persons_of(&of).await
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person(&self, id: &UserId) -> Result<Option<Person>, Error> {
        let found = self.persons_of(&[id.to_string()]).await?;
        Ok(found.into_iter().next())
    }

    async fn persons_of(&self, of: &[String]) -> Result<Vec<Person>, Error> {
        let rows = sqlx::query!(
            r#"SELECT u.id, u.login_id, u.first_name, u.last_name, u.email, u.role, u.is_active, u.password_hash,
                 u.site_id, u.agent_profile_id, u.mobile_number, u.use_mobile_as_station, u.planning_enabled,
                 u.created_at, u.updated_at,
                 ARRAY(SELECT group_id FROM user_group_members m WHERE m.user_id = u.id ORDER BY 1) AS "groups!",
                 ARRAY(SELECT campaign_id FROM campaign_agents a WHERE a.user_id = u.id ORDER BY 1) AS "campaigns!",
                 EXISTS (SELECT 1 FROM user_pictures p WHERE p.user_id = u.id) AS "has_picture!",
                 EXISTS (SELECT 1 FROM user_mfa f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS "has_mfa!"
             FROM users u WHERE u.id = ANY($1) ORDER BY u.id"#,
            of
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Person {
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
                    profile: Profile {
                        site: row
                            .site_id
                            .map(|id| read("users.site_id", id))
                            .transpose()?,
                        agent_profile: row
                            .agent_profile_id
                            .map(|id| read("users.agent_profile_id", id))
                            .transpose()?,
                        mobile_number: row.mobile_number,
                        use_mobile_as_station: row.use_mobile_as_station,
                        planning_enabled: row.planning_enabled,
                        groups: ids("user_group_members.group_id", row.groups)?,
                        campaigns: ids("campaign_agents.campaign_id", row.campaigns)?,
                    },
                    has_picture: row.has_picture,
                    has_mfa: row.has_mfa,
                    created_at: timestamp(row.created_at),
                    updated_at: timestamp(row.updated_at),
                })
            })
            .collect()
    }

    /// The pictures of these users who have one, as `data:` URLs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn pictures(&self, of: &[UserId]) -> Result<HashMap<UserId, String>, Error> {
        let of: Vec<String> = of.iter().map(ToString::to_string).collect();
        sqlx::query!(
            "SELECT user_id, url FROM user_pictures WHERE user_id = ANY($1)",
            &of
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| Ok((read("user_pictures.user_id", row.user_id)?, row.url)))
        .collect()
    }
}
