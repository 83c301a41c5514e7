//! What agents note about contacts.

use serde_json::json;
use strowger_core::{
    ids::{CampaignId, ContactId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

use crate::{
    Error, Store,
    convert::{read, timestamp, utc},
};

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: Uuid,
    /// About whom.
    pub contact: ContactId,
    /// The campaign of the contact.
    pub campaign: CampaignId,
    /// Who wrote it, as long as they are known.
    pub agent: Option<UserId>,
    /// What it says, 1 to 10,000 characters.
    pub note: String,
    /// When.
    pub created_at: Timestamp,
}

struct Row {
    id: Uuid,
    contact_id: String,
    campaign_id: String,
    agent_id: Option<String>,
    note: String,
    created_at: chrono::DateTime<chrono::Utc>,
}

impl TryFrom<Row> for Note {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            contact: read("contact_notes.contact_id", row.contact_id)?,
            campaign: read("contact_notes.campaign_id", row.campaign_id)?,
            agent: row
                .agent_id
                .map(|id| read("contact_notes.agent_id", id))
                .transpose()?,
            note: row.note,
            created_at: timestamp(row.created_at),
        })
    }
}

impl Store {
    /// Adds a note to a contact.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such contact.
    pub async fn add_note(&self, note: &Note) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO contact_notes (id, contact_id, campaign_id, agent_id, note, created_at)
             VALUES ($1, $2, $3, $4, $5, $6)",
            note.id,
            note.contact.as_str(),
            note.campaign.as_str(),
            note.agent.as_ref().map(UserId::as_str),
            note.note,
            utc(note.created_at)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "contact"))?;
        let noted = json!({ "note_id": note.id });
        self.note(&mut tx, "contact.note-added", note.contact.as_str(), &noted)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes, newest first, at most `limit`; about one contact or of one agent when given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn notes(
        &self,
        contact: Option<&ContactId>,
        agent: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Note>, Error> {
        sqlx::query_as!(
            Row,
            "SELECT id, contact_id, campaign_id, agent_id, note, created_at FROM contact_notes
             WHERE ($1::text IS NULL OR contact_id = $1) AND ($2::text IS NULL OR agent_id = $2)
             ORDER BY created_at DESC, id DESC LIMIT $3",
            contact.map(ContactId::as_str),
            agent.map(UserId::as_str),
            i64::from(limit)
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(Note::try_from)
        .collect()
    }
}
