//! How many contacts of a campaign may be called on a day, and which rules stand in the way of
//! the others.

use jiff::civil::Date;
use sqlx::PgConnection;
use strowger_core::{
    compliance::{Candidate, Facts, Packs, Tally, tally},
    ids::{CampaignId, ContactId},
    time::Timestamp,
};

use super::{facts::Gathered, terms::Terms};
use crate::{
    Error, Store,
    convert::{read, uint},
    hopper::{Taken, split_zones},
};

/// Contacts that are looked at together: what is known of them is held in memory.
const PAGE: usize = 1_000;

impl Store {
    /// Counts the contacts of a campaign that are still to be dialed by whether they may be on a
    /// day, with what is known of them now. Each is looked at with the number whose turn it is.
    /// Changes nothing and waits for nobody; its memory does not grow with the list.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn tally_day(
        &self,
        campaign: &CampaignId,
        date: Date,
        packs: &Packs,
        now: Timestamp,
    ) -> Result<Tally, Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .execute(&mut *tx)
            .await?;
        let terms = Terms::read(&mut tx, campaign).await?;
        let mut all = Tally::default();
        let mut after = String::new();
        loop {
            let page = page(&mut tx, campaign, &after).await?;
            let Some(last) = page.last() else { break };
            after = last.contact.to_string();
            let known = Gathered::load(&mut tx, &terms, packs, now, &page).await?;
            let looked_at: Vec<(Candidate, Facts)> = page
                .iter()
                .map(|taken| {
                    let candidate = Candidate {
                        number: taken.number.clone(),
                        zones: taken.zones.clone(),
                        requested: taken.callback.is_some(),
                    };
                    (candidate, known.facts(taken))
                })
                .collect();
            let contacts = looked_at
                .iter()
                .map(|(candidate, facts)| (candidate, facts));
            let part = tally(
                packs,
                &terms.selected,
                &terms.own,
                &terms.purpose,
                date,
                contacts,
            );
            all.allowed += part.allowed;
            for (rule, count) in part.blocked {
                *all.blocked.entry(rule).or_default() += count;
            }
            if page.len() < PAGE {
                break;
            }
        }
        Ok(all)
    }
}

async fn page(
    db: &mut PgConnection,
    campaign: &CampaignId,
    after: &str,
) -> Result<Vec<Taken>, Error> {
    let rows = sqlx::query!(
        r#"SELECT c.id, c.list_id, p.position, coalesce(b.number, p.number) AS "number!",
             coalesce(c.time_zone, p.zones) AS "zones!", c.person_key, c.debt_key, c.attempts_made,
             b.id AS "callback: Option<uuid::Uuid>"
           FROM contacts c
           JOIN contact_phones p ON p.contact_id = c.id AND p.position = c.next_position
           LEFT JOIN callbacks b ON b.contact_id = c.id AND b.state = 'pending'
           WHERE c.campaign_id = $1 AND c.id > $2 AND c.status IN ('ready', 'waiting', 'callback', 'blocked')
           ORDER BY c.id LIMIT $3"#,
        campaign.as_str(),
        after,
        i64::try_from(PAGE).unwrap_or(i64::MAX)
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let contact: ContactId = read("contacts.id", row.id)?;
            Ok(Taken {
                contact,
                list: row.list_id,
                position: row.position,
                number: read("contact_phones.number", row.number)?,
                zones: split_zones(&row.zones)
                    .into_iter()
                    .map(str::to_owned)
                    .collect(),
                person_key: row.person_key,
                debt_key: row.debt_key,
                attempts_made: uint(row.attempts_made),
                callback: row.callback,
                agent: None,
            })
        })
        .collect()
}
