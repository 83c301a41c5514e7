//! SIP carriers and PBX links.

use strowger_core::{campaign::TrunkSettings, ids::TrunkId, telephony::ServerName};

use crate::{
    Error, Store,
    convert::{int, read, uint},
};

/// Most trunks that a list returns: a contact centre has tens.
const MAX_TRUNKS: i64 = 1_000;

impl Store {
    /// Adds a trunk.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn create_trunk(&self, name: &str, trunk: &TrunkSettings) -> Result<(), Error> {
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "trunk", trunk.id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO trunks (id, name, server, endpoint, max_channels, max_calls_per_second)
             VALUES ($1, $2, $3, $4, $5, $6)",
            trunk.id.as_str(),
            name,
            &*trunk.server.0,
            trunk.endpoint,
            int(trunk.max_channels),
            int(trunk.max_calls_per_second)
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "trunk"))?;
        self.changed(&mut tx, "trunk.added", trunk.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The trunk with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunk(&self, id: &TrunkId) -> Result<Option<TrunkSettings>, Error> {
        let row = sqlx::query!(
            "SELECT id, server, endpoint, max_channels, max_calls_per_second FROM trunks WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(TrunkSettings {
                id: read("trunks.id", row.id)?,
                server: ServerName::from(row.server.as_str()),
                endpoint: row.endpoint,
                max_channels: uint(row.max_channels),
                max_calls_per_second: uint(row.max_calls_per_second),
            })
        })
        .transpose()
    }

    /// All trunks with their names, at most 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunks(&self) -> Result<Vec<(String, TrunkSettings)>, Error> {
        let rows = sqlx::query!(
            "SELECT id, name, server, endpoint, max_channels, max_calls_per_second
             FROM trunks ORDER BY name, id LIMIT $1",
            MAX_TRUNKS
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let trunk = TrunkSettings {
                    id: read::<TrunkId>("trunks.id", row.id)?,
                    server: ServerName::from(row.server.as_str()),
                    endpoint: row.endpoint,
                    max_channels: uint(row.max_channels),
                    max_calls_per_second: uint(row.max_calls_per_second),
                };
                Ok((row.name, trunk))
            })
            .collect()
    }
}
