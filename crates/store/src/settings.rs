//! What administrators set at run time.

use std::collections::HashMap;

use serde_json::{Map, Value};
use strowger_core::limits::Limits;

use crate::{
    Error, Store,
    audit::{By, difference},
    convert::{read_json, utc},
};

/// Under which key of the settings the limits are kept.
pub const LIMITS: &str = "limits";

/// Longest text of a setting that the audit log repeats: pictures are longer.
const MAX_TOLD: usize = 200;

/// A change as the audit log tells it: what is sealed or long is only seen to differ.
fn told(value: Value) -> Value {
    match value {
        Value::String(text) if text.len() > MAX_TOLD => {
            Value::String(format!("({} characters)", text.chars().count()))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(told).collect()),
        Value::Object(fields) => {
            let hidden = |(name, value): (String, Value)| {
                let is_secret = name.ends_with("Sealed") && value.is_string();
                let value = if is_secret {
                    Value::from("(sealed)")
                } else {
                    told(value)
                };
                (name, value)
            };
            Value::Object(fields.into_iter().map(hidden).collect::<Map<_, _>>())
        }
        other => other,
    }
}

impl Store {
    /// What administrators set under these keys; those that were never set are missing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settings(&self, keys: &[&str]) -> Result<HashMap<String, Value>, Error> {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let rows = sqlx::query!("SELECT key, value FROM settings WHERE key = ANY($1)", &keys)
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }

    /// How much may be used at once; nothing is limited unless it was set.
    ///
    /// # Errors
    /// When the database fails, or holds what are no limits.
    pub async fn limits(&self) -> Result<Limits, Error> {
        let kept = self.settings(&[LIMITS]).await?.remove(LIMITS);
        let limits = kept.map(|kept| read_json("settings.value of limits", kept));
        Ok(limits.transpose()?.unwrap_or_default())
    }

    /// Sets what is kept under a key: an object. Its fields whose names end with `Sealed` are
    /// secrets, which the audit log does not repeat.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_setting(&self, key: &str, value: &Value, by: By<'_>) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        // What is not there cannot be locked, and two who set it first must come in turn.
        sqlx::query!(
            "INSERT INTO settings (key, value) VALUES ($1, '{}') ON CONFLICT (key) DO NOTHING",
            key
        )
        .execute(&mut *tx)
        .await?;
        let before =
            sqlx::query_scalar!("SELECT value FROM settings WHERE key = $1 FOR UPDATE", key)
                .fetch_one(&mut *tx)
                .await?;
        sqlx::query!(
            "UPDATE settings SET value = $2, updated_by = $3, updated_at = $4 WHERE key = $1",
            key,
            value,
            by.actor.map(strowger_core::ids::UserId::as_str),
            utc(by.now)
        )
        .execute(&mut *tx)
        .await?;
        let change = told(difference(Some(&before), Some(value)));
        by.record(&mut tx, "settings.changed", key, &change).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_log_is_told_neither_secrets_nor_pictures() {
        let change = json!({"after": {"passwordSealed": "c2VhbGVk", "server": "mail.example",
            "logo": "x".repeat(201), "list": [{"keySealed": "c2VhbGVk"}]}});
        let told = told(change);
        assert_eq!(
            told,
            json!({"after": {"passwordSealed": "(sealed)", "server": "mail.example",
                "logo": "(201 characters)", "list": [{"keySealed": "(sealed)"}]}})
        );
    }
}
