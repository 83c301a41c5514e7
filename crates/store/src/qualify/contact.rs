//! The outcome that an agent chooses for a contact, with or without a call.

use serde_json::json;
use strowger_core::{
    ids::{CallId, CampaignId, ContactId, QualificationId, UserId},
    time::Timestamp,
};

use super::{NotQualified, count_quotas, meaning, qualify_call};
use crate::{
    Error, Store,
    convert::{read, utc},
    outcomes::Case,
};

/// The outcomes that count as not reached: busy, and an answering machine.
const UNREACHABLE: [&str; 2] = ["qual-90", "qual-93"];

/// What is chosen once a contact was not reached too often.
const GIVEN_UP: &str = "qual-99";

/// What an agent says of a contact.
#[derive(Debug, Clone)]
pub struct ContactOutcome {
    /// Of whom.
    pub contact: ContactId,
    /// What came of it.
    pub qualification: QualificationId,
    /// Dial it again from then on.
    pub relaunch_at: Option<Timestamp>,
    /// Who says it.
    pub by: UserId,
}

impl Store {
    /// Keeps what an agent says of a contact, and gives the contact free. Their last call with it,
    /// if it was the contact's last, is qualified: see [`Store::qualify`]; without one only the
    /// contact is. With `relaunch_at` it is dialed again from then on.
    ///
    /// Once busy lines and machines reach the campaign's limit, the contact is given up in place
    /// of what was chosen. Gives the qualification that holds, and the campaign.
    ///
    /// # Errors
    /// [`NotQualified`]: [`NotQualified::NoCall`] when there is no such contact,
    /// [`NotQualified::NotYours`] when somebody else works on it.
    pub async fn qualify_contact(
        &self,
        outcome: &ContactOutcome,
        now: Timestamp,
    ) -> Result<(QualificationId, CampaignId), NotQualified> {
        let contact = outcome.contact.as_str();
        let mut tx = self.pool.begin().await?;
        // Attempt before contact, as the end of a call locks them: the other way round, one that
        // ends at this moment and this would wait for each other.
        sqlx::query!(
            "SELECT id FROM attempts WHERE contact_id = $1 ORDER BY created_at DESC LIMIT 1 FOR UPDATE",
            contact
        )
        .fetch_optional(&mut *tx)
        .await?;
        let row = sqlx::query!(
            "SELECT c.campaign_id, c.locked_by, c.locked_until, m.unreachable_limit, m.qualification_group_id
             FROM contacts c JOIN campaigns m ON m.id = c.campaign_id WHERE c.id = $1 FOR UPDATE OF c",
            contact
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or(NotQualified::NoCall)?;
        let campaign: CampaignId = read("contacts.campaign_id", row.campaign_id)?;
        let last = sqlx::query!(
            "SELECT id, agent_id, ended_at FROM attempts WHERE contact_id = $1 ORDER BY created_at DESC LIMIT 1",
            contact
        )
        .fetch_optional(&mut *tx)
        .await?;
        let by = Some(outcome.by.as_str());
        let talks = last
            .as_ref()
            .is_some_and(|last| last.ended_at.is_none() && last.agent_id.as_deref() != by);
        let held = row.locked_until.is_some_and(|until| until > utc(now))
            && row.locked_by.as_deref() != by;
        if held || talks {
            return Err(NotQualified::NotYours);
        }
        let call = last
            .filter(|last| last.agent_id.as_deref() == by)
            .map(|last| CallId(last.id));
        let mut qualification = outcome.qualification.clone();
        if row.unreachable_limit > 0 && UNREACHABLE.contains(&qualification.as_str()) {
            let unreachable = UNREACHABLE.map(str::to_owned);
            let before = sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM attempts WHERE contact_id = $1 AND id <> $2
                   AND (disposition IN ('busy', 'answered-machine') OR qualification_id = ANY($3))"#,
                contact,
                call.map_or(uuid::Uuid::nil(), |call| call.0),
                &unreachable
            )
            .fetch_one(&mut *tx)
            .await?;
            if before + 1 >= i64::from(row.unreachable_limit) {
                qualification = read("qualifications.id", GIVEN_UP.to_owned())?;
            }
        }
        let relaunch = outcome
            .relaunch_at
            .filter(|_| qualification == outcome.qualification)
            .map(utc);
        sqlx::query!(
            "UPDATE contacts SET relaunch_at = $2, locked_by = NULL, locked_until = NULL, locked_at = NULL,
                 updated_at = $3 WHERE id = $1",
            contact,
            relaunch,
            utc(now)
        )
        .execute(&mut *tx)
        .await?;
        match call {
            Some(call) => {
                qualify_call(&mut tx, call, &qualification, Some(&outcome.by), now).await?;
            }
            None => {
                let meaning = meaning(&mut tx, &qualification).await?;
                let offered = row.qualification_group_id.is_none()
                    || meaning.is_standard
                    || meaning.group_id == row.qualification_group_id;
                if !offered {
                    return Err(NotQualified::NotOffered);
                }
                let case = Case::lock(&mut tx, contact)
                    .await?
                    .ok_or(NotQualified::NoCall)?;
                count_quotas(&mut tx, &campaign, contact, meaning.kind == "positive", now).await?;
                sqlx::query!(
                    "UPDATE contacts SET qualification_id = $2 WHERE id = $1",
                    contact,
                    qualification.as_str()
                )
                .execute(&mut *tx)
                .await?;
                let fate = case.qualified(meaning.retry, now)?;
                case.settle(&mut tx, fate, None, now).await?;
                sqlx::query!("DELETE FROM hopper WHERE contact_id = $1", contact)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        sqlx::query!(
            "INSERT INTO events (at, kind, subject, payload) VALUES ($1, 'contact.qualified', $2, $3)",
            utc(now),
            contact,
            json!({ "qualification_id": qualification, "agent_id": outcome.by })
        )
        .execute(&mut *tx)
        .await?;
        let noted = json!({ "qualification_id": qualification });
        self.note(&mut tx, "contact.qualified", contact, &noted)
            .await?;
        tx.commit().await?;
        Ok((qualification, campaign))
    }

    /// Qualifies what an agent who leaves talked about and did not qualify, by the system's own
    /// outcome for that, and gives free whatever they hold. Names the campaigns concerned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave_contacts(
        &self,
        agent: &UserId,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<CampaignId>, Error> {
        let mut campaigns = Vec::new();
        if let Some((attempt, contact)) = self.unqualified(agent, since).await? {
            let outcome = ContactOutcome {
                contact,
                qualification: read("qualifications.id", "qual-101".to_owned())?,
                relaunch_at: None,
                by: agent.clone(),
            };
            match self.qualify_contact(&outcome, now).await {
                Ok((_, campaign)) => campaigns.push(campaign),
                Err(NotQualified::Store(error)) => return Err(error),
                // Somebody else has it by now, or it is gone.
                Err(error) => {
                    tracing::info!(%attempt, %error, "A call stays without a qualification");
                }
            }
        }
        campaigns.extend(
            self.unlock_all(agent)
                .await?
                .into_iter()
                .map(|(_, campaign)| campaign),
        );
        campaigns.sort();
        campaigns.dedup();
        Ok(campaigns)
    }
}
