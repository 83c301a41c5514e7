//! SIP carriers and PBX links.
//!
//! Passwords of carriers come sealed and are read by nobody but [`Store::trunk_secret`]: neither
//! what a list returns nor the audit log holds them.

use strowger_core::{
    campaign::TrunkSettings,
    ids::{CampaignId, TrunkId},
    telephony::ServerName,
};

use crate::{
    Error, Store,
    convert::{int, read, uint},
};

/// Most trunks that a list returns: a contact centre has tens.
const MAX_TRUNKS: i64 = 1_000;

/// How a carrier knows that calls are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrunkAuth {
    /// By the address that they come from.
    #[default]
    Ip,
    /// The exchange registers with a login and a password.
    Register,
}

impl TrunkAuth {
    /// Its name: `ip` or `register`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Register => "register",
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Ip, Self::Register]
            .into_iter()
            .find(|one| one.as_str() == name)
    }
}

/// What the exchange is to know of the other end of a trunk; empty texts are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    /// Where it is: an address or a host name, with or without a port.
    pub domain: String,
    /// What we log in with.
    pub login: String,
    /// How it knows us.
    pub auth: TrunkAuth,
    /// Where and as whom to register, when login and domain do not say it.
    pub register_string: String,
    /// The numbers that it is for, as Asterisk writes patterns.
    pub dial_pattern: String,
    /// The context of the exchange in which its calls arrive.
    pub inbound_context: String,
}

impl Default for Carrier {
    /// An endpoint that was configured at the exchange by hand.
    fn default() -> Self {
        Self {
            domain: String::new(),
            login: String::new(),
            auth: TrunkAuth::Ip,
            register_string: String::new(),
            dial_pattern: "_X.".to_owned(),
            inbound_context: String::new(),
        }
    }
}

/// A trunk, without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// Its name.
    pub name: String,
    /// What dialing needs of it.
    pub settings: TrunkSettings,
    /// The other end.
    pub carrier: Carrier,
    /// There is a password.
    pub has_password: bool,
}

/// What becomes of the password of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrunkSecret {
    /// It stays as it is.
    Stays,
    /// There is none any more.
    None,
    /// This one, sealed.
    Sealed(Vec<u8>),
}

/// What became of the change of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrunkChanged {
    /// It is stored.
    Done,
    /// There is no such trunk.
    Unknown,
    /// Campaigns dial through it, whose trunks are all of one exchange: it cannot move to another.
    CannotMove,
}

/// What became of the deletion of a trunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrunkDeleted {
    /// It is gone.
    Done,
    /// There is no such trunk.
    Unknown,
    /// It stays.
    InUse {
        /// So many campaigns dial through it.
        campaigns: i64,
        /// So many numbers come in through it.
        dids: i64,
    },
}

struct Row {
    id: String,
    name: String,
    server: String,
    endpoint: String,
    max_channels: i32,
    max_calls_per_second: i32,
    domain: Option<String>,
    login: Option<String>,
    auth_type: String,
    register_string: Option<String>,
    dial_pattern: String,
    inbound_context: Option<String>,
    has_password: bool,
}

impl TryFrom<Row> for Trunk {
    type Error = Error;
    fn try_from(row: Row) -> Result<Self, Error> {
        let auth = TrunkAuth::named(&row.auth_type).ok_or_else(|| Error::Corrupt {
            what: "trunks.auth_type",
            detail: row.auth_type.clone(),
        })?;
        Ok(Self {
            name: row.name,
            settings: TrunkSettings {
                id: read("trunks.id", row.id)?,
                server: ServerName::from(row.server.as_str()),
                endpoint: row.endpoint,
                max_channels: uint(row.max_channels),
                max_calls_per_second: uint(row.max_calls_per_second),
            },
            carrier: Carrier {
                domain: row.domain.unwrap_or_default(),
                login: row.login.unwrap_or_default(),
                auth,
                register_string: row.register_string.unwrap_or_default(),
                dial_pattern: row.dial_pattern,
                inbound_context: row.inbound_context.unwrap_or_default(),
            },
            has_password: row.has_password,
        })
    }
}

impl Store {
    /// Adds a trunk whose other end is configured at the exchange.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn create_trunk(&self, name: &str, trunk: &TrunkSettings) -> Result<(), Error> {
        let trunk = Trunk {
            name: name.to_owned(),
            settings: trunk.clone(),
            carrier: Carrier::default(),
            has_password: false,
        };
        self.add_trunk(&trunk, None).await
    }

    /// Adds a trunk with its sealed password, if it has one.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn add_trunk(&self, trunk: &Trunk, password: Option<&[u8]>) -> Result<(), Error> {
        let (settings, carrier) = (&trunk.settings, &trunk.carrier);
        let mut tx = self.pool.begin().await?;
        let before = self.before(&mut tx, "trunk", settings.id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO trunks (id, name, server, endpoint, max_channels, max_calls_per_second, domain, login,
                 auth_type, register_string, dial_pattern, inbound_context, password_sealed)
             VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''), $9, nullif($10, ''), $11, nullif($12, ''), $13)",
            settings.id.as_str(),
            trunk.name,
            &*settings.server.0,
            settings.endpoint,
            int(settings.max_channels),
            int(settings.max_calls_per_second),
            carrier.domain,
            carrier.login,
            carrier.auth.as_str(),
            carrier.register_string,
            carrier.dial_pattern,
            carrier.inbound_context,
            password
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "trunk"))?;
        self.changed(&mut tx, "trunk.added", settings.id.as_str(), before)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Changes a trunk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_trunk(
        &self,
        trunk: &Trunk,
        password: &TrunkSecret,
    ) -> Result<TrunkChanged, Error> {
        let (settings, carrier) = (&trunk.settings, &trunk.carrier);
        let id = settings.id.as_str();
        let (keeps, sealed) = match password {
            TrunkSecret::Stays => (true, None),
            TrunkSecret::None => (false, None),
            TrunkSecret::Sealed(sealed) => (false, Some(sealed.as_slice())),
        };
        let mut tx = self.pool.begin().await?;
        // Nobody begins to use it meanwhile.
        let server = sqlx::query_scalar!("SELECT server FROM trunks WHERE id = $1 FOR UPDATE", id)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(server) = server else {
            return Ok(TrunkChanged::Unknown);
        };
        if server != *settings.server.0 && uses(&mut tx, id).await?.0 > 0 {
            return Ok(TrunkChanged::CannotMove);
        }
        let before = self.before(&mut tx, "trunk", id).await?;
        sqlx::query!(
            "UPDATE trunks SET name = $2, server = $3, endpoint = $4, max_channels = $5, max_calls_per_second = $6,
                 domain = nullif($7, ''), login = nullif($8, ''), auth_type = $9, register_string = nullif($10, ''),
                 dial_pattern = $11, inbound_context = nullif($12, ''),
                 password_sealed = CASE WHEN $13 THEN password_sealed ELSE $14 END, updated_at = now()
             WHERE id = $1",
            id,
            trunk.name,
            &*settings.server.0,
            settings.endpoint,
            int(settings.max_channels),
            int(settings.max_calls_per_second),
            carrier.domain,
            carrier.login,
            carrier.auth.as_str(),
            carrier.register_string,
            carrier.dial_pattern,
            carrier.inbound_context,
            keeps,
            sealed
        )
        .execute(&mut *tx)
        .await?;
        self.changed(&mut tx, "trunk.changed", id, before).await?;
        tx.commit().await?;
        Ok(TrunkChanged::Done)
    }

    /// Deletes a trunk that neither campaigns nor numbers use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_trunk(&self, id: &TrunkId) -> Result<TrunkDeleted, Error> {
        let id = id.as_str();
        let mut tx = self.pool.begin().await?;
        // Nobody begins to use it meanwhile.
        let found = sqlx::query_scalar!("SELECT id FROM trunks WHERE id = $1 FOR UPDATE", id)
            .fetch_optional(&mut *tx)
            .await?;
        if found.is_none() {
            return Ok(TrunkDeleted::Unknown);
        }
        let (campaigns, dids) = uses(&mut tx, id).await?;
        if campaigns + dids > 0 {
            return Ok(TrunkDeleted::InUse { campaigns, dids });
        }
        let before = self.before(&mut tx, "trunk", id).await?;
        sqlx::query!("DELETE FROM trunks WHERE id = $1", id)
            .execute(&mut *tx)
            .await?;
        self.changed(&mut tx, "trunk.deleted", id, before).await?;
        tx.commit().await?;
        Ok(TrunkDeleted::Done)
    }

    /// The campaigns that dial through a trunk, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaigns_of_trunk(&self, id: &TrunkId) -> Result<Vec<CampaignId>, Error> {
        sqlx::query_scalar!(
            "SELECT campaign_id FROM campaign_trunks WHERE trunk_id = $1 ORDER BY 1",
            id.as_str()
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(|id| read("campaign_trunks.campaign_id", id))
        .collect()
    }

    /// The trunk with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunk(&self, id: &TrunkId) -> Result<Option<Trunk>, Error> {
        Ok(self.read_trunks(Some(id)).await?.pop())
    }

    /// The sealed password of a trunk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunk_secret(&self, id: &TrunkId) -> Result<Option<Vec<u8>>, Error> {
        let sealed = sqlx::query_scalar!(
            "SELECT password_sealed FROM trunks WHERE id = $1",
            id.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(sealed.flatten())
    }

    /// All trunks by name, at most 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn whole_trunks(&self) -> Result<Vec<Trunk>, Error> {
        self.read_trunks(None).await
    }

    /// All trunks with their names, at most 1,000.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn trunks(&self) -> Result<Vec<(String, TrunkSettings)>, Error> {
        let trunks = self.whole_trunks().await?.into_iter();
        Ok(trunks.map(|trunk| (trunk.name, trunk.settings)).collect())
    }

    async fn read_trunks(&self, only: Option<&TrunkId>) -> Result<Vec<Trunk>, Error> {
        sqlx::query_as!(
            Row,
            r#"SELECT id, name, server, endpoint, max_channels, max_calls_per_second, domain, login, auth_type,
                 register_string, dial_pattern, inbound_context, password_sealed IS NOT NULL AS "has_password!"
             FROM trunks WHERE $1::text IS NULL OR id = $1 ORDER BY name, id LIMIT $2"#,
            only.map(TrunkId::as_str),
            MAX_TRUNKS
        )
        .fetch_all(&self.pool)
        .await?
        .into_iter()
        .map(TryFrom::try_from)
        .collect()
    }
}

/// How many campaigns and numbers use a trunk.
async fn uses(db: &mut sqlx::PgConnection, id: &str) -> Result<(i64, i64), Error> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM campaign_trunks WHERE trunk_id = $1) AS "campaigns!",
                  (SELECT count(*) FROM dids WHERE trunk_id = $1) AS "dids!""#,
        id
    )
    .fetch_one(db)
    .await?;
    Ok((row.campaigns, row.dids))
}
