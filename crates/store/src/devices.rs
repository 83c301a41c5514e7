//! Telephones of people.

use strowger_core::ids::UserId;

use crate::{Error, Store};

/// What is known of a user's telephones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// Their mobile number, when it is their station.
    pub mobile: Option<String>,
    /// The extension of their site that is bound to them: the entry of its physical
    /// extensions that has their id as `userId`.
    pub extension: Option<String>,
}

impl Store {
    /// What is known of a user's telephones; nothing of somebody unknown.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_facts(&self, user: &UserId) -> Result<DeviceFacts, Error> {
        let row = sqlx::query!(
            r#"SELECT u.mobile_number, u.use_mobile_as_station,
                      (SELECT e->>'number'
                       FROM jsonb_array_elements(
                           CASE jsonb_typeof(s.physical_extensions) WHEN 'array' THEN s.physical_extensions ELSE '[]' END
                       ) AS e
                       WHERE e->>'userId' = u.id LIMIT 1) AS extension
               FROM users u LEFT JOIN sites s ON s.id = u.site_id
               WHERE u.id = $1"#,
            user.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map_or_else(DeviceFacts::default, |row| DeviceFacts {
            mobile: row
                .mobile_number
                .filter(|number| row.use_mobile_as_station && !number.trim().is_empty()),
            extension: row.extension,
        }))
    }
}
