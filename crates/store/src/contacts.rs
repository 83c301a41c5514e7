//! Contacts and their phone numbers.

use strowger_core::{
    ids::{CampaignId, ContactId},
    phone::PhoneNumber,
    time::Timestamp,
};

use crate::{Error, Store, convert::utc};

/// Most phone numbers of one contact.
pub const MAX_PHONES: usize = 10;

/// A contact to be added.
#[derive(Debug, Clone)]
pub struct NewContact {
    /// Its id.
    pub id: ContactId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Postal code.
    pub postal_code: String,
    /// Whatever else the list holds, by column name.
    pub custom_fields: serde_json::Map<String, serde_json::Value>,
    /// One to ten numbers, in the order in which they are tried.
    pub phones: Vec<PhoneNumber>,
}

impl Store {
    /// Adds contacts to the end of a campaign's list, all or none.
    ///
    /// # Errors
    /// [`Error::Missing`] when the campaign does not exist, [`Error::Taken`] when an id is in use.
    pub async fn add_contacts(
        &self,
        campaign: &CampaignId,
        contacts: &[NewContact],
        now: Timestamp,
    ) -> Result<(), Error> {
        let ids: Vec<String> = contacts.iter().map(|c| c.id.to_string()).collect();
        let first: Vec<String> = contacts.iter().map(|c| c.first_name.clone()).collect();
        let last: Vec<String> = contacts.iter().map(|c| c.last_name.clone()).collect();
        let postal: Vec<String> = contacts.iter().map(|c| c.postal_code.clone()).collect();
        let custom: Vec<serde_json::Value> = contacts
            .iter()
            .map(|c| serde_json::Value::Object(c.custom_fields.clone()))
            .collect();
        let mut phone_contact = Vec::new();
        let mut phone_position = Vec::new();
        let mut phone_number = Vec::new();
        for contact in contacts {
            for (position, number) in (0_i16..).zip(contact.phones.iter().take(MAX_PHONES)) {
                phone_contact.push(contact.id.to_string());
                phone_position.push(position);
                phone_number.push(number.to_string());
            }
        }
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "INSERT INTO contacts (id, campaign_id, list_id, first_name, last_name, postal_code, custom_fields, next_attempt_at)
             SELECT id, $1, $1, first_name, last_name, postal_code, custom_fields, $7
             FROM UNNEST($2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
                 AS t (id, first_name, last_name, postal_code, custom_fields)",
            campaign.as_str(),
            &ids,
            &first,
            &last,
            &postal,
            &custom,
            utc(now)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "contact id", "campaign"))?;
        sqlx::query!(
            "INSERT INTO contact_phones (contact_id, position, number)
             SELECT * FROM UNNEST($1::text[], $2::smallint[], $3::text[])",
            &phone_contact,
            &phone_position,
            &phone_number
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
