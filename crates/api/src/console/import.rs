//! Importing the rows of a file that the console has read.

use std::collections::HashSet;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use strowger_core::{
    ids::{CampaignId, ContactId},
    phone::TypedNumber,
};
use strowger_store::{
    Store,
    contacts::{Duplicates, Known, NewContact, Prepared},
};

use super::{Answer, Caller, Json, shape::id};
use crate::{
    guard::ImportContacts,
    input::{Check, unprintable},
    problem::Problem,
    routes::{campaigns, cards},
    state::Shared,
};

/// Largest body: the console sends every row twice.
pub(super) const MAX_BODY: usize = 64 * 1024 * 1024;

/// Most rows of one import.
const MAX_ROWS: usize = 100_000;

/// Contacts stored in one transaction.
const BATCH: usize = 2_000;

/// Rows that are sent back; all are counted.
const MAX_SHOWN: usize = 5_000;

/// Most fields that tell duplicates.
const MAX_KEYS: usize = 10;

/// Why a row is refused, in the words of the console.
const BAD_NUMBER: &str = "Numéro de téléphone invalide.";
const DUPLICATE: &str = "Doublon détecté.";
const BAD_FIELD: &str = "Champ trop long ou illisible.";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportIn {
    contacts: Vec<RowIn>,
    #[serde(default)]
    deduplication_config: Option<Deduplication>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Deduplication {
    enabled: bool,
    field_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RowIn {
    id: Option<String>,
    first_name: Option<Value>,
    last_name: Option<Value>,
    phone_number: Option<Value>,
    postal_code: Option<Value>,
    custom_fields: Option<Map<String, Value>>,
    original_row: Value,
}

/// What a sheet gives as a number is a text here.
fn text(value: Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => other.to_string(),
    }
}

impl RowIn {
    /// The contact, with `otherwise` for an id that is missing or cannot be one.
    fn contact(
        self,
        region: &str,
        otherwise: ContactId,
    ) -> Result<NewContact, (Value, &'static str)> {
        let number = text(self.phone_number);
        let Ok(number) = TypedNumber::parse(&number, region) else {
            return Err((self.original_row, BAD_NUMBER));
        };
        let (first_name, last_name) = (text(self.first_name), text(self.last_name));
        let postal_code = text(self.postal_code);
        let custom_fields = self.custom_fields.unwrap_or_default();
        let fits = |text: &str, most| text.chars().count() <= most && unprintable(text).is_none();
        let mut check = Check::default();
        cards::check_custom(&mut check, &custom_fields);
        let is_good = fits(&first_name, 100)
            && fits(&last_name, 100)
            && fits(&postal_code, 20)
            && check.done().is_ok();
        if !is_good {
            return Err((self.original_row, BAD_FIELD));
        }
        Ok(NewContact {
            id: self
                .id
                .and_then(|id| ContactId::new(id).ok())
                .unwrap_or(otherwise),
            first_name,
            last_name,
            postal_code,
            custom_fields,
            phones: vec![number],
            known: Known::default(),
        })
    }
}

/// The field of the core that a field of the console is.
fn key_field(name: &str) -> String {
    match name {
        "phoneNumber" => "number",
        "firstName" => "first_name",
        "lastName" => "last_name",
        "postalCode" => "postal_code",
        custom => custom,
    }
    .to_owned()
}

/// What tells a contact from others: the values of these fields.
fn key(contact: &NewContact, fields: &[String]) -> String {
    let value = |field: &String| match field.as_str() {
        "number" => contact.phones.first().map(|phone| phone.number.to_string()),
        "first_name" => Some(contact.first_name.clone()),
        "last_name" => Some(contact.last_name.clone()),
        "postal_code" => Some(contact.postal_code.clone()),
        custom => match contact.custom_fields.get(custom) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        },
    };
    fields
        .iter()
        .map(|field| value(field).unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\u{1f}")
}

pub(super) async fn import(
    Caller(caller): Caller<ImportContacts>,
    State(app): State<Shared>,
    Path(path): Path<String>,
    Json(body): Json<ImportIn>,
) -> Answer<axum::Json<Value>> {
    let campaign: CampaignId = id(&path, "campaign")?;
    let region = campaigns::find(&app, &campaign).await?.default_region;
    let total = body.contacts.len();
    if total > MAX_ROWS {
        let reason = format!("a file has at most {MAX_ROWS} rows: cut it into several");
        return Err(Problem::field("contacts", reason).into());
    }
    let dedupe = body.deduplication_config.unwrap_or_default();
    let mut fields: Vec<String> = dedupe
        .field_ids
        .iter()
        .map(|name| key_field(name))
        .collect();
    if fields.len() > MAX_KEYS
        || fields
            .iter()
            .any(|name| name.len() > 200 || name.contains('\0'))
    {
        return Err(Problem::field("deduplicationConfig", "too many fields").into());
    }
    if !dedupe.enabled {
        fields.clear();
    }
    let _permit = app.imports.try_acquire().map_err(|_| {
        Problem::unavailable(
            "busy",
            "other imports are under way: try again when they are done",
            10,
        )
    })?;
    // Reading numbers takes long: not where others wait.
    let (rows, ids) = (body.contacts, app.api.ids.clone());
    let read = tokio::task::spawn_blocking(move || {
        rows.into_iter()
            .map(|row| {
                let original = row.original_row.clone();
                (original, row.contact(&region, ContactId::generate(ids())))
            })
            .collect::<Vec<_>>()
    });
    let read = read.await.map_err(|_| Problem::internal())?;
    let mut invalid: Vec<Value> = Vec::new();
    let mut refused = 0_usize;
    let mut refuse = |row: Value, reason: &str| {
        refused += 1;
        if invalid.len() < MAX_SHOWN {
            invalid.push(json!({ "row": row, "reason": reason }));
        }
    };
    let mut good: Vec<(Value, NewContact)> = Vec::new();
    for (original, row) in read {
        match row {
            Ok(contact) => good.push((original, contact)),
            Err((original, reason)) => refuse(original, reason),
        }
    }
    let store = &caller.store(&app);
    if !fields.is_empty() {
        let keys: Vec<String> = good.iter().map(|(_, one)| key(one, &fields)).collect();
        let known = store.keys_in_use(&campaign, &fields, &keys).await?;
        let mut seen: HashSet<String> = known.into_iter().collect();
        let mut kept = Vec::with_capacity(good.len());
        for ((original, contact), key) in good.into_iter().zip(keys) {
            if seen.insert(key) {
                kept.push((original, contact));
            } else {
                refuse(original, DUPLICATE);
            }
        }
        good = kept;
    }
    let contacts = with_own_ids(store, good, || ContactId::generate(app.new_id())).await?;
    let valid = contacts.len();
    let target = store
        .import_target(&campaign, None, app.now())
        .await?
        .ok_or_else(|| Problem::not_found("there is no such campaign"))?;
    for batch in contacts.chunks(BATCH) {
        let rows: Vec<Prepared> = batch
            .iter()
            .map(|contact| Prepared::new(contact, &target))
            .collect();
        store
            .insert_contacts(&campaign, &rows, Duplicates::Keep, std::future::ready(true))
            .await?;
    }
    cards::changed(&app, &campaign, true);
    Ok(axum::Json(json!({
        "message": format!("{valid} contacts ont été importés avec succès."),
        "summary": { "total": total, "valids": valid, "invalids": refused },
        "invalids": invalid,
    })))
}

/// The contacts, each with an id that nobody else has: that of the console where it is free.
async fn with_own_ids(
    store: &Store,
    rows: Vec<(Value, NewContact)>,
    make: impl Fn() -> ContactId,
) -> Result<Vec<NewContact>, Problem> {
    let ids: Vec<ContactId> = rows.iter().map(|(_, one)| one.id.clone()).collect();
    let mut taken: HashSet<String> = store.contact_ids_in_use(&ids).await?.into_iter().collect();
    Ok(rows
        .into_iter()
        .map(|(_, mut contact)| {
            if !taken.insert(contact.id.to_string()) {
                contact.id = make();
            }
            contact
        })
        .collect())
}
