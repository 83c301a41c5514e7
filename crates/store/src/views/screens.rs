//! What is set up, as the console reads it.

use super::JsonPage;
use crate::{Error, Store};

/// A kind of thing that is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Screen {
    /// Something that agents can be doing.
    ActivityType,
    /// A script.
    Script,
    /// A qualification.
    Qualification,
    /// A group of qualifications.
    QualificationGroup,
    /// A site.
    Site,
    /// A trunk, without its secret.
    Trunk,
    /// A number.
    Did,
    /// A sound.
    MediaFile,
    /// A flow, with its draft.
    Flow,
    /// A user, without the password.
    User,
    /// A group of users with its members.
    UserGroup,
    /// A profile of call controls.
    AgentProfile,
}

impl Screen {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::ActivityType,
        Self::Script,
        Self::Qualification,
        Self::QualificationGroup,
        Self::Site,
        Self::Trunk,
        Self::Did,
        Self::MediaFile,
        Self::Flow,
        Self::User,
        Self::UserGroup,
        Self::AgentProfile,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::ActivityType => "activity-type",
            Self::Script => "script",
            Self::Qualification => "qualification",
            Self::QualificationGroup => "qualification-group",
            Self::Site => "site",
            Self::Trunk => "trunk",
            Self::Did => "did",
            Self::MediaFile => "media-file",
            Self::Flow => "flow",
            Self::User => "user",
            Self::UserGroup => "user-group",
            Self::AgentProfile => "agent-profile",
        }
    }
}

impl Store {
    /// One thing as the console reads it, as JSON; none when it does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn screen(&self, screen: Screen, id: &str) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT line AS "line!" FROM screens WHERE kind = $1 AND id = $2"#,
            screen.as_str(),
            id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// All things of a kind in the order of the console, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn screens(&self, screen: Screen, limit: u32) -> Result<JsonPage, Error> {
        let row = sqlx::query!(
            r#"SELECT coalesce(string_agg(line, ','), '') AS "json!", count(*) AS "count!"
               FROM (SELECT line FROM screens WHERE kind = $1 ORDER BY place, id LIMIT $2) page"#,
            screen.as_str(),
            i64::from(limit)
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(JsonPage {
            json: row.json,
            count: u32::try_from(row.count).unwrap_or(u32::MAX),
            last: None,
        })
    }
}
