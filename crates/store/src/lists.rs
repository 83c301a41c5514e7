//! Lists of contacts, and what a campaign leaves out of them: filters and quotas.

use sqlx::PgConnection;
use strowger_core::{
    ids::{CampaignId, ContactId, ListId, UserId},
    lists::filter::{Filter, Quota},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Error, Store,
    convert::{int, read, uint, utc, word},
};

/// A list of contacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its id; the first list of a campaign has the campaign's.
    pub id: ListId,
    /// Whose.
    pub campaign: CampaignId,
    /// Its name.
    pub name: String,
    /// Lists of priority 1 are dialed first, those of 10 last.
    pub priority: u8,
    /// Share of the contacts that come from it among the lists of its priority, 0 to 100.
    pub weight: u8,
    /// Whether it is dialed at all.
    pub is_active: bool,
    /// Region of numbers without a country code, ISO 3166 two letters.
    pub default_region: String,
}

struct Row {
    id: String,
    campaign_id: String,
    name: String,
    priority: i16,
    weight: i16,
    is_active: bool,
    default_region: String,
}

impl TryFrom<Row> for List {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: read("lists.id", row.id)?,
            campaign: read("lists.campaign_id", row.campaign_id)?,
            name: row.name,
            priority: u8::try_from(row.priority).unwrap_or(10),
            weight: u8::try_from(row.weight).unwrap_or(0),
            is_active: row.is_active,
            default_region: row.default_region,
        })
    }
}

/// Makes what was left out be looked at again, and the hopper be filled anew: called in the
/// transaction that changes what a campaign leaves out.
pub(crate) async fn look_again(
    db: &mut PgConnection,
    campaign: &CampaignId,
    now: Timestamp,
) -> Result<(), Error> {
    let changed = sqlx::query!(
        "UPDATE campaigns SET filters_version = filters_version + 1, updated_at = $2 WHERE id = $1",
        campaign.as_str(),
        utc(now)
    )
    .execute(&mut *db)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::Missing { what: "campaign" });
    }
    sqlx::query!(
        "DELETE FROM hopper WHERE campaign_id = $1",
        campaign.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// Adds a list.
    ///
    /// # Errors
    /// [`Error::Taken`] for its id, [`Error::Missing`] for its campaign.
    pub async fn create_list(&self, list: &List) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "list", list.id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO lists (id, campaign_id, name, priority, weight, is_active, default_region)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
            list.id.as_str(),
            list.campaign.as_str(),
            list.name,
            i16::from(list.priority),
            i16::from(list.weight),
            list.is_active,
            list.default_region
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "campaign"))?;
        self.changed(&mut tx, "list.added", list.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The list with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, id: &ListId) -> Result<Option<List>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, campaign_id, name, priority, weight, is_active, default_region FROM lists WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .map(List::try_from)
        .transpose()
    }

    /// Lists of a campaign in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lists(
        &self,
        campaign: &CampaignId,
        after: Option<&ListId>,
        limit: u32,
    ) -> Result<Vec<List>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, campaign_id, name, priority, weight, is_active, default_region FROM lists
             WHERE campaign_id = $1 AND id > $2 ORDER BY id LIMIT $3",
            campaign.as_str(),
            after.map_or("", ListId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(List::try_from)
        .collect()
    }

    /// Replaces what a list is set to; its campaign stays. Contacts of the list that are in the
    /// hopper go back, so that the change counts at once.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such list.
    pub async fn update_list(&self, list: &List, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "list", list.id.as_str()).await?;
        let changed = sqlx::query!(
            "UPDATE lists SET name = $2, priority = $3, weight = $4, is_active = $5, default_region = $6,
                 updated_at = $7 WHERE id = $1",
            list.id.as_str(),
            list.name,
            i16::from(list.priority),
            i16::from(list.weight),
            list.is_active,
            list.default_region,
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Error::Missing { what: "list" });
        }
        sqlx::query!("DELETE FROM hopper WHERE list_id = $1", list.id.as_str())
            .execute(&mut *tx)
            .await?;
        self.changed(&mut tx, "list.changed", list.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes a list that holds no contacts; false when it holds some.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such list.
    pub async fn delete_list(&self, id: &ListId) -> Result<bool, Error> {
        let mut tx = self.pool.begin().await?;
        // The lock keeps an import from adding contacts in between.
        sqlx::query_scalar!("SELECT id FROM lists WHERE id = $1 FOR UPDATE", id.as_str())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::Missing { what: "list" })?;
        let before = self.before(&mut tx, "list", id.as_str()).await?;
        let done = sqlx::query!(
            "DELETE FROM lists WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM contacts WHERE list_id = $1)",
            id.as_str()
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() > 0 {
            self.changed(&mut tx, "list.removed", id.as_str(), before)
                .await?;
        }
        tx.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// The filters of a campaign.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn filters(&self, campaign: &CampaignId) -> Result<Vec<Filter>, Error> {
        let filters = sqlx::query_scalar!(
            "SELECT filters FROM campaigns WHERE id = $1",
            campaign.as_str()
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        serde_json::from_value(filters).map_err(|error| Error::Corrupt {
            what: "campaigns.filters",
            detail: error.to_string(),
        })
    }

    /// Replaces the filters of a campaign. What they left out is looked at again.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn set_filters(
        &self,
        campaign: &CampaignId,
        filters: &[Filter],
        now: Timestamp,
    ) -> Result<(), Error> {
        let value = serde_json::to_value(filters).map_err(|error| Error::Corrupt {
            what: "campaigns.filters",
            detail: error.to_string(),
        })?;
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", campaign.as_str()).await?;
        sqlx::query!(
            "UPDATE campaigns SET filters = $2 WHERE id = $1",
            campaign.as_str(),
            value
        )
        .execute(&mut *tx)
        .await?;
        look_again(&mut tx, campaign, now).await?;
        self.changed(&mut tx, "campaign.filters-set", campaign.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The quotas of a campaign, by field and value.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn quotas(&self, campaign: &CampaignId) -> Result<Vec<Quota>, Error> {
        let rows = sqlx::query!(
            "SELECT field, value, operator, target, reached FROM quotas WHERE campaign_id = $1 ORDER BY field, value",
            campaign.as_str()
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Quota {
                    field: row.field,
                    value: row.value,
                    operator: word("quotas.operator", row.operator)?,
                    target: uint(row.target),
                    reached: uint(row.reached),
                })
            })
            .collect()
    }

    /// Replaces the quotas of a campaign. Those that stay keep what they have reached; `reached`
    /// of a new one is where it begins. `ids` has one for each.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn set_quotas(
        &self,
        campaign: &CampaignId,
        quotas: &[(Uuid, Quota)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let ids: Vec<Uuid> = quotas.iter().map(|(id, _)| *id).collect();
        let fields: Vec<String> = quotas.iter().map(|(_, one)| one.field.clone()).collect();
        let values: Vec<String> = quotas.iter().map(|(_, one)| one.value.clone()).collect();
        let operators: Vec<String> = quotas
            .iter()
            .map(|(_, one)| one.operator.as_str().to_owned())
            .collect();
        let targets: Vec<i32> = quotas.iter().map(|(_, one)| int(one.target)).collect();
        let reached: Vec<i32> = quotas.iter().map(|(_, one)| int(one.reached)).collect();
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "campaign", campaign.as_str()).await?;
        look_again(&mut tx, campaign, now).await?;
        sqlx::query!(
            "DELETE FROM quotas WHERE campaign_id = $1 AND (field, value) NOT IN (
                 SELECT * FROM UNNEST($2::text[], $3::text[]))",
            campaign.as_str(),
            &fields,
            &values
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO quotas (id, campaign_id, field, value, target, reached, operator)
             SELECT id, $1, field, value, target, reached, operator
             FROM UNNEST($2::uuid[], $3::text[], $4::text[], $5::integer[], $6::integer[], $7::text[])
                 AS t (id, field, value, target, reached, operator)
             ON CONFLICT (campaign_id, field, value)
                 DO UPDATE SET target = excluded.target, operator = excluded.operator",
            campaign.as_str(),
            &ids,
            &fields,
            &values,
            &targets,
            &reached,
            &operators
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "field and value", "campaign"))?;
        self.changed(&mut tx, "campaign.quotas-set", campaign.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reserves a contact for a person who works on it: it is not dialed until then. False when
    /// somebody else has it.
    ///
    /// # Errors
    /// [`Error::Missing`] for the contact or the user.
    pub async fn lock_contact(
        &self,
        contact: &ContactId,
        user: &UserId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let locked = sqlx::query_scalar!(
            r#"WITH lock AS (
                 UPDATE contacts SET locked_by = $2, locked_until = $3,
                     locked_at = CASE WHEN locked_by = $2 AND locked_until > $4 THEN locked_at ELSE $4 END
                 WHERE id = $1 AND (locked_by = $2 OR locked_until IS NULL OR locked_until <= $4) RETURNING id
               )
               SELECT EXISTS (SELECT 1 FROM lock) AS "locked!" FROM contacts WHERE id = $1"#,
            contact.as_str(),
            user.as_str(),
            utc(until),
            utc(now)
        )
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| Error::on_insert(error, "id", "user"))?;
        locked.ok_or(Error::Missing { what: "contact" })
    }

    /// Gives a contact free that this person reserved; false when they did not have it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlock_contact(&self, contact: &ContactId, user: &UserId) -> Result<bool, Error> {
        let done = sqlx::query!(
            "UPDATE contacts SET locked_by = NULL, locked_until = NULL, locked_at = NULL WHERE id = $1 AND locked_by = $2",
            contact.as_str(),
            user.as_str()
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
