//! Contacts as people see and change them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use strowger_core::{
    ids::{AttemptId, CallId, CampaignId, ContactId, UserId},
    phone::{PhoneNumber, number_type, zones_of},
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{read, timestamp, utc},
};

/// A contact as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Its id.
    pub id: ContactId,
    /// Its campaign.
    pub campaign: CampaignId,
    /// The region whose numbers need no country code.
    pub region: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Its numbers, in the order in which they are tried.
    pub numbers: Vec<PhoneNumber>,
    /// The first of them as people dial it.
    pub shown: String,
    /// Postal code.
    pub postal_code: String,
    /// ready, waiting, claimed, filtered, blocked, callback, called, exhausted or qualified.
    pub status: String,
    /// Whatever else is known, as it was given.
    pub custom_fields: Value,
    /// What an agent said of it last.
    pub qualification: Option<String>,
    /// Who works on it, and since when.
    pub locked: Option<(UserId, Timestamp)>,
    /// When it is dialed again, by the wish of an agent.
    pub relaunch_at: Option<Timestamp>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

struct Row {
    id: String,
    campaign_id: String,
    default_region: String,
    first_name: String,
    last_name: String,
    numbers: Vec<String>,
    shown: String,
    postal_code: String,
    status: String,
    custom_fields: Value,
    qualification_id: Option<String>,
    locked_by: Option<String>,
    locked_at: Option<chrono::DateTime<chrono::Utc>>,
    relaunch_at: Option<chrono::DateTime<chrono::Utc>>,
    created_at: chrono::DateTime<chrono::Utc>,
    updated_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for Card {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let locked_by = row
            .locked_by
            .map(|id| read("contacts.locked_by", id))
            .transpose()?;
        let since = timestamp(row.locked_at.unwrap_or(row.updated_at));
        Ok(Self {
            id: read("contacts.id", row.id)?,
            campaign: read("contacts.campaign_id", row.campaign_id)?,
            region: row.default_region,
            first_name: row.first_name,
            last_name: row.last_name,
            numbers: row
                .numbers
                .into_iter()
                .map(|number| read("contact_phones.number", number))
                .collect::<Result<_, _>>()?,
            shown: row.shown,
            postal_code: row.postal_code,
            status: row.status,
            custom_fields: row.custom_fields,
            qualification: row.qualification_id,
            locked: locked_by.map(|by| (by, since)),
            relaunch_at: row.relaunch_at.map(timestamp),
            created_at: timestamp(row.created_at),
            updated_at: timestamp(row.updated_at),
        })
    }
}

/// What is changed of a contact; none leaves it.
#[derive(Debug, Clone, Default)]
pub struct CardChange {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Its first number.
    pub number: Option<PhoneNumber>,
    /// The region in which that number was given.
    pub region: String,
    /// Fields that are added or replaced; the others stay.
    pub custom_fields: Map<String, Value>,
}

impl Store {
    /// The contact with this id. A lock that is over at `now` is not shown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn card(&self, id: &ContactId, now: Timestamp) -> Result<Option<Card>, Error> {
        sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.campaign_id, m.default_region, c.first_name, c.last_name, c.postal_code, c.status,
                      c.custom_fields, c.qualification_id, c.locked_at, c.relaunch_at, c.created_at, c.updated_at,
                      CASE WHEN c.locked_until > $2 THEN c.locked_by END AS locked_by,
                      ARRAY(SELECT number FROM contact_phones p WHERE p.contact_id = c.id ORDER BY position)
                          AS "numbers!",
                      coalesce((SELECT coalesce(shown, number) FROM contact_phones p
                                WHERE p.contact_id = c.id AND p.position = 0), '') AS "shown!"
               FROM contacts c JOIN campaigns m ON m.id = c.campaign_id WHERE c.id = $1"#,
            id.as_str(),
            utc(now)
        )
        .fetch_optional(&self.pool)
        .await?
        .map(Card::try_from)
        .transpose()
    }

    /// Contacts of a campaign in the order of their ids, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cards(
        &self,
        campaign: &CampaignId,
        after: Option<&ContactId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Card>, Error> {
        sqlx::query_as!(
            Row,
            r#"SELECT c.id, c.campaign_id, m.default_region, c.first_name, c.last_name, c.postal_code, c.status,
                      c.custom_fields, c.qualification_id, c.locked_at, c.relaunch_at, c.created_at, c.updated_at,
                      CASE WHEN c.locked_until > $4 THEN c.locked_by END AS locked_by,
                      ARRAY(SELECT number FROM contact_phones p WHERE p.contact_id = c.id ORDER BY position)
                          AS "numbers!",
                      coalesce((SELECT coalesce(shown, number) FROM contact_phones p
                                WHERE p.contact_id = c.id AND p.position = 0), '') AS "shown!"
               FROM contacts c JOIN campaigns m ON m.id = c.campaign_id
               WHERE c.campaign_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3"#,
            campaign.as_str(),
            after.map_or("", ContactId::as_str),
            i64::from(limit),
            utc(now)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Card::try_from)
        .collect()
    }

    /// Changes a contact. Another first number is dialed in place of the one before.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such contact.
    pub async fn change_card(
        &self,
        id: &ContactId,
        change: &CardChange,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "UPDATE contacts SET first_name = coalesce($2, first_name), last_name = coalesce($3, last_name),
                 postal_code = coalesce($4, postal_code), custom_fields = custom_fields || $5, updated_at = $6
             WHERE id = $1",
            id.as_str(),
            change.first_name,
            change.last_name,
            change.postal_code,
            Value::Object(change.custom_fields.clone()),
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Missing { what: "contact" });
        }
        if let Some(number) = &change.number {
            let zones = zones_of(number).join("|");
            let other = sqlx::query!(
                "INSERT INTO contact_phones (contact_id, position, number, type, zones, shown)
                 VALUES ($1, 0, $2, $3, $4, $5)
                 ON CONFLICT (contact_id, position) DO UPDATE SET number = excluded.number, type = excluded.type,
                     zones = excluded.zones, shown = excluded.shown, is_dead = false, blocked_by = NULL
                 WHERE contact_phones.number <> excluded.number",
                id.as_str(),
                number.as_str(),
                number_type(number).as_str(),
                zones,
                number.dialed_in(&change.region)
            )
            .execute(&mut *tx)
            .await?;
            if other.rows_affected() > 0 {
                sqlx::query!(
                    "UPDATE contacts SET zones = coalesce(time_zone, $2) WHERE id = $1 AND next_position = 0",
                    id.as_str(),
                    zones
                )
                .execute(&mut *tx)
                .await?;
                sqlx::query!("DELETE FROM hopper WHERE contact_id = $1", id.as_str())
                    .execute(&mut *tx)
                    .await?;
            }
        }
        let named: Vec<&str> = [
            (change.first_name.is_some(), "first_name"),
            (change.last_name.is_some(), "last_name"),
            (change.postal_code.is_some(), "postal_code"),
            (change.number.is_some(), "phone"),
            (!change.custom_fields.is_empty(), "custom_fields"),
        ]
        .into_iter()
        .filter_map(|(is_named, name)| is_named.then_some(name))
        .collect();
        // Not what they say: the audit log would keep what a person had erased.
        let noted = json!({ "fields": named });
        self.note(&mut tx, "contact.changed", id.as_str(), &noted)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes contacts that are in no call, and gives the campaigns that they were of. What was
    /// dialed stays known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_contacts(&self, ids: &[ContactId]) -> Result<Vec<CampaignId>, Error> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let mut tx = self.pool.begin().await?;
        let removed = sqlx::query_scalar!(
            "DELETE FROM contacts WHERE id = ANY($1) AND status <> 'claimed' RETURNING campaign_id",
            &ids
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut of: BTreeMap<&str, usize> = BTreeMap::new();
        for campaign in &removed {
            *of.entry(campaign).or_default() += 1;
        }
        for (campaign, contacts) in of {
            let noted = json!({ "contacts": contacts });
            self.note(&mut tx, "campaign.contacts-removed", campaign, &noted)
                .await?;
        }
        tx.commit().await?;
        removed
            .into_iter()
            .map(|id| read("contacts.campaign_id", id))
            .collect()
    }

    /// Those of these ids that contacts have already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contact_ids_in_use(&self, ids: &[ContactId]) -> Result<Vec<String>, Error> {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        Ok(
            sqlx::query_scalar!("SELECT id FROM contacts WHERE id = ANY($1)", &ids)
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Those of `keys` that contacts of a campaign have already. A key is the values of `fields`
    /// joined by U+001F: `first_name`, `last_name`, `postal_code`, `number` (E.164), or the name
    /// of a custom field.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keys_in_use(
        &self,
        campaign: &CampaignId,
        fields: &[String],
        keys: &[String],
    ) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar!(
            r#"SELECT DISTINCT known.key AS "key!" FROM (
                 SELECT (SELECT string_agg(coalesce(CASE f.name
                             WHEN 'first_name' THEN c.first_name
                             WHEN 'last_name' THEN c.last_name
                             WHEN 'postal_code' THEN c.postal_code
                             WHEN 'number' THEN p.number
                             ELSE c.custom_fields ->> f.name END, ''), E'\x1f' ORDER BY f.place)
                         FROM UNNEST($2::text[]) WITH ORDINALITY AS f (name, place)) AS key
                 FROM contacts c LEFT JOIN contact_phones p ON p.contact_id = c.id AND p.position = 0
                 WHERE c.campaign_id = $1
               ) known WHERE known.key = ANY($3)"#,
            campaign.as_str(),
            fields,
            keys
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// The contact of an outbound call.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn contact_of_call(&self, call: CallId) -> Result<Option<ContactId>, Error> {
        sqlx::query_scalar!("SELECT contact_id FROM attempts WHERE id = $1", call.0)
            .fetch_optional(&self.pool)
            .await?
            .map(|id| read("attempts.contact_id", id))
            .transpose()
    }

    /// The last contact that an agent talked to since `since`, when they have not said yet what
    /// came of it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unqualified(
        &self,
        agent: &UserId,
        since: Timestamp,
    ) -> Result<Option<(AttemptId, ContactId)>, Error> {
        let row = sqlx::query!(
            "SELECT id, contact_id, bridged_at, qualification_id FROM attempts
             WHERE agent_id = $1 AND created_at >= $2 ORDER BY created_at DESC LIMIT 1",
            agent.as_str(),
            utc(since)
        )
        .fetch_optional(&self.pool)
        .await?;
        row.filter(|row| row.bridged_at.is_some() && row.qualification_id.is_none())
            .map(|row| {
                Ok((
                    AttemptId(row.id),
                    read("attempts.contact_id", row.contact_id)?,
                ))
            })
            .transpose()
    }

    /// Gives every contact free that a person reserved, and names them with their campaigns.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unlock_all(&self, user: &UserId) -> Result<Vec<(ContactId, CampaignId)>, Error> {
        sqlx::query!(
            "UPDATE contacts SET locked_by = NULL, locked_until = NULL, locked_at = NULL
             WHERE locked_by = $1 RETURNING id, campaign_id",
            user.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|row| {
            Ok((
                read("contacts.id", row.id)?,
                read("contacts.campaign_id", row.campaign_id)?,
            ))
        })
        .collect()
    }
}
