//! Groups of users.

use serde_json::json;
use strowger_core::{
    ids::{UserGroupId, UserId},
    time::Timestamp,
};

use crate::{
    Error, Store,
    audit::By,
    convert::{read, timestamp},
};

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserGroup {
    /// Its id.
    pub id: UserGroupId,
    /// Its name.
    pub name: String,
    /// Who is in it, in the order of ids.
    pub members: Vec<UserId>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl Store {
    /// Groups in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_groups(
        &self,
        after: Option<&UserGroupId>,
        limit: u32,
    ) -> Result<Vec<UserGroup>, Error> {
        let rows = sqlx::query!(
            r#"SELECT id, name, created_at, updated_at,
                 ARRAY(SELECT user_id FROM user_group_members m WHERE m.group_id = g.id ORDER BY 1) AS "members!"
             FROM user_groups g WHERE id > $1 ORDER BY id LIMIT $2"#,
            after.map_or("", UserGroupId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let members = row.members.into_iter();
                Ok(UserGroup {
                    id: read("user_groups.id", row.id)?,
                    name: row.name,
                    members: members
                        .map(|id| read("user_group_members.user_id", id))
                        .collect::<Result<_, Error>>()?,
                    created_at: timestamp(row.created_at),
                    updated_at: timestamp(row.updated_at),
                })
            })
            .collect()
    }

    /// Adds a group (`is_new`), or gives one another name and other members. None when it is to
    /// be changed and does not exist.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use, [`Error::Missing`] when a member does not exist.
    pub async fn save_user_group(
        &self,
        id: &UserGroupId,
        name: &str,
        members: &[UserId],
        is_new: bool,
        by: By<'_>,
    ) -> Result<Option<UserGroup>, Error> {
        let mut tx = self.pool.begin().await?;
        let (created_at, updated_at) = if is_new {
            let row = sqlx::query!(
                "INSERT INTO user_groups (id, name) VALUES ($1, $2) RETURNING created_at, updated_at",
                id.as_str(),
                name
            )
            .fetch_one(&mut *tx)
            .await
            .map_err(|error| Error::on_insert(error, "id", "group"))?;
            (row.created_at, row.updated_at)
        } else {
            let row = sqlx::query!(
                "UPDATE user_groups SET name = $2, updated_at = now() WHERE id = $1
                 RETURNING created_at, updated_at",
                id.as_str(),
                name
            )
            .fetch_optional(&mut *tx)
            .await?;
            let Some(row) = row else { return Ok(None) };
            (row.created_at, row.updated_at)
        };
        let users: Vec<String> = members.iter().map(ToString::to_string).collect();
        sqlx::query!(
            "DELETE FROM user_group_members WHERE group_id = $1 AND user_id <> ALL($2)",
            id.as_str(),
            &users
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO user_group_members (group_id, user_id)
             SELECT $1, user_id FROM UNNEST($2::text[]) AS user_id ON CONFLICT DO NOTHING",
            id.as_str(),
            &users
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "member", "one of the members"))?;
        let action = if is_new {
            "user-group.created"
        } else {
            "user-group.changed"
        };
        let change = json!({"name": name, "member_ids": members});
        by.record(&mut tx, action, id.as_str(), &change).await?;
        tx.commit().await?;
        let mut members = members.to_vec();
        members.sort();
        members.dedup();
        Ok(Some(UserGroup {
            id: id.clone(),
            name: name.to_owned(),
            members,
            created_at: timestamp(created_at),
            updated_at: timestamp(updated_at),
        }))
    }

    /// Deletes a group; its members stay. False when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_user_group(&self, id: &UserGroupId, by: By<'_>) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        let gone = sqlx::query!(
            "DELETE FROM user_groups WHERE id = $1 RETURNING name",
            id.as_str()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(gone) = gone else { return Ok(false) };
        by.record(
            &mut tx,
            "user-group.deleted",
            id.as_str(),
            &json!({"name": gone.name}),
        )
        .await?;
        tx.commit().await?;
        Ok(true)
    }
}
