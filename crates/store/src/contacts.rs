//! Contacts and their phone numbers.

use serde_json::json;
use sqlx::{PgConnection, postgres::PgCopyIn};
use strowger_core::{
    ids::{CampaignId, ContactId, ListId},
    lists::order::{DialOrder, Ranked},
    phone::{TypedNumber, zones_of},
    time::Timestamp,
};

use crate::{Error, Store, convert::parse};

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
    pub phones: Vec<TypedNumber>,
    /// What else is known of it.
    pub known: Known,
}

/// What a list may know of a contact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// The person, the same in every campaign, for caps that count by person.
    pub person_key: Option<String>,
    /// The debt, for caps that count by debt.
    pub debt_key: Option<String>,
    /// Its time zone (IANA name); otherwise its numbers tell.
    pub time_zone: Option<String>,
    /// 0 to 99; greater is dialed sooner when the campaign dials by priority.
    pub priority: u8,
    /// The hour of its day, 0 to 23, at which it is best reached.
    pub best_hour: Option<u8>,
}

/// Where contacts are added.
#[derive(Debug, Clone)]
pub struct Target {
    /// The campaign.
    pub campaign: CampaignId,
    /// The list.
    pub list: ListId,
    /// The region whose numbers are shown without a country code.
    pub region: String,
    /// The order in which the campaign dials.
    pub order: DialOrder,
    /// When.
    pub now: Timestamp,
}

/// What to do with a contact of whose numbers one is in the campaign already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Leave it out.
    Skip,
    /// Add it all the same.
    Keep,
}

/// A contact as it is sent to the database. Making it takes more than sending it: a large file
/// is made in one place while the rows before are stored in another.
#[derive(Debug)]
pub struct Prepared {
    numbers: Vec<String>,
    row: String,
    phones: String,
}

impl Prepared {
    /// Finds out the type and the zones of its numbers, its rank, and writes its rows.
    pub fn new(contact: &NewContact, target: &Target) -> Self {
        let known = &contact.known;
        let rank = Ranked {
            attempts: 0,
            priority: known.priority,
            added_at: target.now,
            due_at: target.now,
            best_hour: known.best_hour,
        }
        .rank(target.order);
        let mut phones = String::new();
        let mut first_zones = None;
        for (position, phone) in contact.phones.iter().take(MAX_PHONES).enumerate() {
            let TypedNumber { number, kind } = phone;
            let zones = zones_of(number).join("|");
            let mut line = Line(&mut phones);
            line.text(contact.id.as_str());
            line.text(&position.to_string());
            line.text(number.as_str());
            line.text(kind.as_str());
            line.text(&zones);
            line.text(&number.dialed_in(&target.region));
            line.end();
            first_zones.get_or_insert(zones);
        }
        let zones = known.time_zone.clone().or(first_zones).unwrap_or_default();
        let custom = serde_json::Value::Object(contact.custom_fields.clone()).to_string();
        let at = target.now.to_string();
        let mut row = String::with_capacity(256);
        let mut line = Line(&mut row);
        line.text(contact.id.as_str());
        line.text(target.campaign.as_str());
        line.text(target.list.as_str());
        line.text(&contact.first_name);
        line.text(&contact.last_name);
        line.text(&contact.postal_code);
        line.text(&custom);
        line.text(&at);
        line.text(&at);
        line.text(&zones);
        line.maybe(known.time_zone.as_deref());
        line.text(&rank.to_string());
        line.text(&known.priority.to_string());
        line.maybe(known.person_key.as_deref());
        line.maybe(known.debt_key.as_deref());
        line.maybe(known.best_hour.map(|hour| hour.to_string()).as_deref());
        line.end();
        Self {
            numbers: contact
                .phones
                .iter()
                .map(|phone| phone.number.to_string())
                .collect(),
            row,
            phones,
        }
    }

    /// Its numbers.
    pub fn numbers(&self) -> &[String] {
        &self.numbers
    }
}

/// A line in the text format of COPY.
struct Line<'a>(&'a mut String);

impl Line<'_> {
    fn text(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                other => self.0.push(other),
            }
        }
        self.0.push('\t');
    }

    fn maybe(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.0.push_str("\\N\t"),
        }
    }

    fn end(&mut self) {
        self.0.pop();
        self.0.push('\n');
    }
}

impl Store {
    /// Adds contacts to the end of a campaign's own list, all or none, whatever it holds already.
    ///
    /// # Errors
    /// [`Error::Missing`] when the campaign does not exist, [`Error::Taken`] when an id is in use.
    pub async fn add_contacts(
        &self,
        campaign: &CampaignId,
        contacts: &[NewContact],
        now: Timestamp,
    ) -> Result<(), Error> {
        let target = self
            .import_target(campaign, None, now)
            .await?
            .ok_or(Error::Missing { what: "campaign" })?;
        let rows: Vec<Prepared> = contacts
            .iter()
            .map(|contact| Prepared::new(contact, &target))
            .collect();
        self.insert_contacts(campaign, &rows, Duplicates::Keep, std::future::ready(true))
            .await?;
        Ok(())
    }

    /// Where contacts of a campaign are added: its list with this id, or its own, which is made
    /// when it has none. None when there is no such campaign, or it has no such list.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn import_target(
        &self,
        campaign: &CampaignId,
        list: Option<&ListId>,
        now: Timestamp,
    ) -> Result<Option<Target>, Error> {
        let own = ListId::new(campaign.as_str()).map_err(|error| Error::Corrupt {
            what: "campaigns.id",
            detail: error.to_string(),
        })?;
        if list.is_none() {
            sqlx::query!(
                "INSERT INTO lists (id, campaign_id, name, default_region)
                 SELECT id, id, name, default_region FROM campaigns WHERE id = $1 ON CONFLICT (id) DO NOTHING",
                campaign.as_str()
            )
            .execute(&self.pool)
            .await?;
        }
        let list = list.unwrap_or(&own);
        let row = sqlx::query!(
            "SELECT c.dial_order, l.default_region FROM campaigns c JOIN lists l ON l.campaign_id = c.id WHERE c.id = $1 AND l.id = $2",
            campaign.as_str(),
            list.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(Target {
                campaign: campaign.clone(),
                list: list.clone(),
                region: row.default_region,
                order: parse("campaigns.dial_order", &row.dial_order)?,
                now,
            })
        })
        .transpose()
    }

    /// Adds contacts, all or none but for those left out as duplicates: their places in `rows`
    /// and the number that the campaign has already.
    ///
    /// They are committed when `before` has ended, and not at all when it gives false: batches of
    /// one file may be stored at the same time and still appear one after the other. Duplicates
    /// among batches that are stored at the same time are the caller's to find.
    ///
    /// # Errors
    /// [`Error::Missing`] when the list does not exist any more, [`Error::Taken`] when an id is in
    /// use, [`Error::Interrupted`] when `before` gives false.
    pub async fn insert_contacts(
        &self,
        campaign: &CampaignId,
        rows: &[Prepared],
        duplicates: Duplicates,
        before: impl Future<Output = bool>,
    ) -> Result<Vec<(usize, String)>, Error> {
        let mut tx = self.pool.begin().await?;
        let left_out = insert(&mut tx, campaign, rows, duplicates).await?;
        let change = json!({ "contacts": rows.len() - left_out.len(), "left_out": left_out.len() });
        self.note(
            &mut tx,
            "campaign.contacts-added",
            campaign.as_str(),
            &change,
        )
        .await?;
        if !before.await {
            return Err(Error::Interrupted);
        }
        tx.commit().await?;
        Ok(left_out)
    }
}

async fn insert(
    db: &mut PgConnection,
    campaign: &CampaignId,
    rows: &[Prepared],
    duplicates: Duplicates,
) -> Result<Vec<(usize, String)>, Error> {
    let left_out = match duplicates {
        Duplicates::Keep => Vec::new(),
        Duplicates::Skip => in_campaign(db, campaign, rows).await?,
    };
    let (contacts, phones) = lines(rows, &left_out);
    copy(
        db,
        "COPY contacts (id, campaign_id, list_id, first_name, last_name, postal_code, custom_fields, next_attempt_at,
             created_at, zones, time_zone, rank, priority, person_key, debt_key, best_hour) FROM STDIN",
        &contacts,
    )
    .await?;
    copy(
        db,
        "COPY contact_phones (contact_id, position, number, type, zones, shown) FROM STDIN",
        &phones,
    )
    .await?;
    Ok(left_out)
}

/// What is sent of contacts and of their numbers.
fn lines(rows: &[Prepared], left_out: &[(usize, String)]) -> (String, String) {
    let mut contacts = String::with_capacity(rows.iter().map(|row| row.row.len()).sum());
    let mut phones = String::with_capacity(rows.iter().map(|row| row.phones.len()).sum());
    let mut skip = left_out.iter().map(|(place, _)| *place).peekable();
    for (place, row) in rows.iter().enumerate() {
        if skip.next_if_eq(&place).is_none() {
            contacts.push_str(&row.row);
            phones.push_str(&row.phones);
        }
    }
    (contacts, phones)
}

async fn copy(db: &mut PgConnection, statement: &str, lines: &str) -> Result<(), Error> {
    let mut copy: PgCopyIn<&mut PgConnection> = db.copy_in_raw(statement).await?;
    if let Err(error) = copy.send(lines.as_bytes()).await {
        copy.abort("the rows could not be sent").await?;
        return Err(error.into());
    }
    copy.finish()
        .await
        .map_err(|error| Error::on_insert(error, "contact id", "campaign"))?;
    Ok(())
}

/// The contacts of which a number is in the campaign already.
async fn in_campaign(
    db: &mut PgConnection,
    campaign: &CampaignId,
    rows: &[Prepared],
) -> Result<Vec<(usize, String)>, Error> {
    let numbers = rows
        .iter()
        .map(|row| row.numbers.as_slice())
        .collect::<Vec<_>>()
        .concat();
    let known: std::collections::HashSet<String> = sqlx::query_scalar!(
        "SELECT DISTINCT p.number FROM contact_phones p JOIN contacts c ON c.id = p.contact_id
         WHERE p.number = ANY($1) AND c.campaign_id = $2",
        &numbers,
        campaign.as_str()
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .collect();
    let twice = |row: &Prepared| {
        row.numbers
            .iter()
            .find(|number| known.contains(*number))
            .cloned()
    };
    Ok(rows
        .iter()
        .enumerate()
        .filter_map(|(place, row)| Some((place, twice(row)?)))
        .collect())
}
