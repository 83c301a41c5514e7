//! SIP carriers and PBX links.
//!
//! Passwords of carriers come sealed and are read by nobody but [`Store::trunk_secret`]: neither
//! what a list returns nor the audit log holds them.

use sqlx::{Postgres, Transaction};
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

/// Held while a trunk is changed, and until the exchange has taken it.
const TRUNKS_LOCK: i64 = 0x7374_726f_7472_6b73;

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
    /// Addresses and networks that its calls come from, besides those in `domain`.
    pub match_addresses: String,
    /// Codecs in order of preference.
    pub codecs: String,
    /// The number in the From header of its calls.
    pub caller_id: String,
}

impl Carrier {
    /// The endpoint is configured by Strowger: it knows where the trunk leads. Otherwise it was
    /// configured at the exchange by hand.
    pub fn is_ours(&self) -> bool {
        !self.domain.is_empty() || !self.register_string.is_empty()
    }
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
            match_addresses: String::new(),
            codecs: String::new(),
            caller_id: String::new(),
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

/// Why a trunk is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotChanged {
    /// There is no such trunk.
    Unknown,
    /// Campaigns dial through it, whose trunks are all of one exchange: it cannot move to another.
    CannotMove,
}

/// Why a trunk is not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotDeleted {
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
    match_addresses: Option<String>,
    codecs: Option<String>,
    caller_id: Option<String>,
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
                match_addresses: row.match_addresses.unwrap_or_default(),
                codecs: row.codecs.unwrap_or_default(),
                caller_id: row.caller_id.unwrap_or_default(),
            },
            has_password: row.has_password,
        })
    }
}

/// A change of a trunk that is made, and not yet kept: [`Saving::commit`] keeps it, dropping it
/// takes it back. Meanwhile no other change of a trunk begins.
#[derive(Debug)]
#[must_use = "without commit nothing is changed"]
pub struct Saving {
    tx: Transaction<'static, Postgres>,
}

impl Saving {
    /// The trunks of an exchange whose endpoints are ours to configure, as they will be, with
    /// their sealed passwords; in the order of their endpoints.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ours(&mut self, server: &ServerName) -> Result<Vec<OwnRow>, Error> {
        ours(&mut self.tx, server).await
    }

    /// Keeps the change.
    ///
    /// # Errors
    /// When the database fails: the change may be kept or not.
    pub async fn commit(self) -> Result<(), Error> {
        Ok(self.tx.commit().await?)
    }
}

/// A trunk whose endpoint is ours to configure, and its sealed password.
pub type OwnRow = (Trunk, Option<Vec<u8>>);

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
        self.add_trunk(&trunk, None).await?.commit().await
    }

    /// Adds a trunk with its sealed password, if it has one.
    ///
    /// # Errors
    /// [`Error::Taken`] when the id is in use.
    pub async fn add_trunk(&self, trunk: &Trunk, password: Option<&[u8]>) -> Result<Saving, Error> {
        let (settings, carrier) = (&trunk.settings, &trunk.carrier);
        let mut tx = self.begin_trunks().await?;
        let before = self.before(&mut tx, "trunk", settings.id.as_str()).await?;
        sqlx::query!(
            "INSERT INTO trunks (id, name, server, endpoint, max_channels, max_calls_per_second, domain, login,
                 auth_type, register_string, dial_pattern, inbound_context, password_sealed, match_addresses, codecs,
                 caller_id)
             VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), nullif($8, ''), $9, nullif($10, ''), $11, nullif($12, ''),
                 $13, nullif($14, ''), nullif($15, ''), nullif($16, ''))",
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
            password,
            carrier.match_addresses,
            carrier.codecs,
            carrier.caller_id
        )
        .execute(&mut *tx)
        .await
        .map_err(|error| Error::on_insert(error, "id", "trunk"))?;
        self.changed(&mut tx, "trunk.added", settings.id.as_str(), before)
            .await?;
        Ok(Saving { tx })
    }

    /// Changes a trunk.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn change_trunk(
        &self,
        trunk: &Trunk,
        password: &TrunkSecret,
    ) -> Result<Result<Saving, NotChanged>, Error> {
        let (settings, carrier) = (&trunk.settings, &trunk.carrier);
        let id = settings.id.as_str();
        let (keeps, sealed) = match password {
            TrunkSecret::Stays => (true, None),
            TrunkSecret::None => (false, None),
            TrunkSecret::Sealed(sealed) => (false, Some(sealed.as_slice())),
        };
        let mut tx = self.begin_trunks().await?;
        // Nobody begins to use it meanwhile.
        let server = sqlx::query_scalar!("SELECT server FROM trunks WHERE id = $1 FOR UPDATE", id)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(server) = server else {
            return Ok(Err(NotChanged::Unknown));
        };
        if server != *settings.server.0 && uses(&mut tx, id).await?.0 > 0 {
            return Ok(Err(NotChanged::CannotMove));
        }
        let before = self.before(&mut tx, "trunk", id).await?;
        sqlx::query!(
            "UPDATE trunks SET name = $2, server = $3, endpoint = $4, max_channels = $5, max_calls_per_second = $6,
                 domain = nullif($7, ''), login = nullif($8, ''), auth_type = $9, register_string = nullif($10, ''),
                 dial_pattern = $11, inbound_context = nullif($12, ''),
                 password_sealed = CASE WHEN $13 THEN password_sealed ELSE $14 END, match_addresses = nullif($15, ''),
                 codecs = nullif($16, ''), caller_id = nullif($17, ''), updated_at = now()
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
            sealed,
            carrier.match_addresses,
            carrier.codecs,
            carrier.caller_id
        )
        .execute(&mut *tx)
        .await?;
        self.changed(&mut tx, "trunk.changed", id, before).await?;
        Ok(Ok(Saving { tx }))
    }

    /// Deletes a trunk that neither campaigns nor numbers use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_trunk(&self, id: &TrunkId) -> Result<Result<Saving, NotDeleted>, Error> {
        let id = id.as_str();
        let mut tx = self.begin_trunks().await?;
        // Nobody begins to use it meanwhile.
        let found = sqlx::query_scalar!("SELECT id FROM trunks WHERE id = $1 FOR UPDATE", id)
            .fetch_optional(&mut *tx)
            .await?;
        if found.is_none() {
            return Ok(Err(NotDeleted::Unknown));
        }
        let (campaigns, dids) = uses(&mut tx, id).await?;
        if campaigns + dids > 0 {
            return Ok(Err(NotDeleted::InUse { campaigns, dids }));
        }
        let before = self.before(&mut tx, "trunk", id).await?;
        sqlx::query!("DELETE FROM trunks WHERE id = $1", id)
            .execute(&mut *tx)
            .await?;
        self.changed(&mut tx, "trunk.deleted", id, before).await?;
        Ok(Ok(Saving { tx }))
    }

    /// Trunks are changed one after the other: what an exchange is told of them is the table as
    /// it will be.
    async fn begin_trunks(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", TRUNKS_LOCK)
            .execute(&mut *tx)
            .await?;
        Ok(tx)
    }

    /// The trunks as they are, which nobody changes as long as this is held.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_trunks(&self) -> Result<Saving, Error> {
        let tx = self.begin_trunks().await?;
        Ok(Saving { tx })
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
                 register_string, dial_pattern, inbound_context, match_addresses, codecs, caller_id,
                 password_sealed IS NOT NULL AS "has_password!"
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

async fn ours(db: &mut sqlx::PgConnection, server: &ServerName) -> Result<Vec<OwnRow>, Error> {
    let rows = sqlx::query!(
        "SELECT id, name, server, endpoint, max_channels, max_calls_per_second, domain, login, auth_type,
             register_string, dial_pattern, inbound_context, match_addresses, codecs, caller_id, password_sealed
         FROM trunks WHERE server = $1 AND (domain IS NOT NULL OR register_string IS NOT NULL)
         ORDER BY endpoint, id",
        &*server.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let trunk = Row {
                has_password: row.password_sealed.is_some(),
                id: row.id,
                name: row.name,
                server: row.server,
                endpoint: row.endpoint,
                max_channels: row.max_channels,
                max_calls_per_second: row.max_calls_per_second,
                domain: row.domain,
                login: row.login,
                auth_type: row.auth_type,
                register_string: row.register_string,
                dial_pattern: row.dial_pattern,
                inbound_context: row.inbound_context,
                match_addresses: row.match_addresses,
                codecs: row.codecs,
                caller_id: row.caller_id,
            };
            Ok((trunk.try_into()?, row.password_sealed))
        })
        .collect()
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
