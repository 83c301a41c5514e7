//! Configuration: the defaults file, a file over it, the environment over both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use strowger_ami::Tls;
use strowger_api::FrontSettings;
use strowger_core::transfer::{OutsideBy, Rules};

/// The defaults, which are also the documentation.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// The name of `auth.token_secret` in the tokens.
pub const FIRST_KEY: &str = "1";

/// Everything that can be set. No field has a default here: the defaults file has them all.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where Strowger keeps what it makes itself.
    pub data_directory: PathBuf,
    /// REST API, live stream and board.
    pub http: Http,
    /// PostgreSQL.
    pub database: Database,
    /// Access tokens.
    pub auth: Auth,
    /// What is sealed in the database.
    pub secrets: Secrets,
    /// Asterisk servers.
    pub asterisk: Asterisk,
    /// Transfers to numbers outside.
    pub transfers: Transfers,
    /// Sounds that are uploaded.
    pub media: Media,
    /// Backups of the database.
    pub backup: Backup,
    /// Rules that say who may be dialed.
    pub compliance: Compliance,
    /// Logs.
    pub log: Log,
    /// How to stop.
    pub shutdown: Shutdown,
}

/// Backups of the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backup {
    /// Where their files are kept; empty for `backups` in the data directory.
    pub directory: PathBuf,
    /// Most that are kept.
    pub keep: usize,
    /// Directory of `pg_dump` and `pg_restore`; empty to look for them.
    pub programs: PathBuf,
}

/// Rules that say who may be dialed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compliance {
    /// A directory of packs besides those built in; empty for none.
    pub packs_directory: PathBuf,
}

impl Compliance {
    /// The directory of packs, if there is one.
    pub fn directory(&self) -> Option<&Path> {
        Some(&*self.packs_directory).filter(|path| !path.as_os_str().is_empty())
    }
}

/// REST API, live stream and board.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address.
    pub listen: SocketAddr,
    /// Most live streams at once.
    pub max_streams: usize,
    /// This machine reads metrics without a login.
    pub metrics_on_loopback: bool,
    /// Networks of reverse proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// A web front; empty for none.
    pub static_dir: PathBuf,
    /// What the front may load from elsewhere.
    pub static_sources: Vec<String>,
    /// Seconds that an agent stays logged in without a console.
    pub console_grace_seconds: u64,
}

impl Http {
    /// The web front, if there is one.
    pub fn front(&self) -> Option<FrontSettings> {
        (!self.static_dir.as_os_str().is_empty()).then(|| FrontSettings {
            directory: self.static_dir.clone(),
            sources: self.static_sources.clone(),
        })
    }
}

/// PostgreSQL.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// URL; empty for the private server.
    pub url: SecretString,
    /// File that holds the URL.
    pub url_file: PathBuf,
    /// URL of the role that asks for people; empty for none.
    pub reader_url: SecretString,
    /// File that holds it.
    pub reader_url_file: PathBuf,
    /// Connections.
    pub connections: u32,
    /// Migrate at start.
    pub migrate: bool,
}

/// Access tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// Key; empty for a generated one.
    pub token_secret: SecretString,
    /// File that holds the key.
    pub token_secret_file: PathBuf,
    /// Keys that replace it: the first signs, all verify.
    pub keys: Vec<TokenKey>,
    /// Validity in minutes.
    pub token_minutes: u32,
    /// A new login ends the others of the user.
    pub single_session: bool,
    /// Least length of a new password in characters.
    pub min_password_len: usize,
}

/// One key of access tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenKey {
    /// Its name in the tokens.
    pub id: String,
    /// The key.
    #[serde(default)]
    pub secret: SecretString,
    /// File that holds the key.
    #[serde(default)]
    pub secret_file: PathBuf,
}

/// What is sealed in the database.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Key; empty for a generated one.
    pub key: SecretString,
    /// File that holds the key.
    pub key_file: PathBuf,
}

/// Asterisk servers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asterisk {
    /// FastAGI address.
    pub agi_listen: SocketAddr,
    /// Networks served.
    pub agi_allow: Vec<IpNet>,
    /// Most sessions.
    pub agi_max_sessions: usize,
    /// Recordings, as Asterisk sees them.
    pub recordings_dir: String,
    /// The same as Strowger sees it; empty for the same path.
    pub recordings_seen_as: PathBuf,
    /// Endpoint for transfers.
    pub transfer_trunk: String,
    /// The server where none is named; empty for the only one.
    pub default_server: String,
    /// Spoken prompts.
    pub speech: Speech,
    /// Servers by name.
    pub servers: BTreeMap<String, Server>,
}

/// Transfers to numbers outside.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfers {
    /// Who may ask for one.
    pub outside_by: OutsideBy,
    /// Countries that may be dialed; none for that of the number shown.
    pub countries: BTreeSet<String>,
    /// Most at once.
    pub max_at_once: u32,
    /// Longest in minutes.
    pub max_minutes: u32,
}

impl Transfers {
    /// What the switchboard holds them to; `trunk` takes the calls of no campaign.
    pub fn rules(&self, trunk: Option<String>) -> Rules {
        Rules {
            outside_by: self.outside_by,
            countries: self.countries.clone(),
            max_at_once: self.max_at_once,
            max_s: self.max_minutes.saturating_mul(60),
            trunk,
        }
    }
}

/// Sounds that are uploaded.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// Where files are kept.
    pub directory: PathBuf,
    /// The same as Asterisk sees it.
    pub seen_as: String,
}

/// Spoken prompts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// Program and arguments.
    pub command: Vec<String>,
    /// Where files are written.
    pub directory: PathBuf,
    /// The same as Asterisk sees it.
    pub seen_as: String,
}

/// One Asterisk server.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Host of the manager interface.
    pub host: String,
    /// Its port.
    #[serde(default = "ami_port")]
    pub port: u16,
    /// Account.
    pub username: String,
    /// Secret.
    #[serde(default)]
    pub secret: SecretString,
    /// File that holds the secret.
    #[serde(default)]
    pub secret_file: PathBuf,
    /// Certificates that are trusted, in PEM; empty for no encryption.
    #[serde(default)]
    pub tls_trust: PathBuf,
    /// Name in the server's certificate, where it is not `host`.
    #[serde(default)]
    pub tls_server_name: String,
    /// One session only, for an account that may not have two.
    #[serde(default)]
    pub one_session: bool,
    /// The file with the trunks that are set in Strowger; empty where they are configured by hand.
    #[serde(default)]
    pub trunks_file: PathBuf,
}

impl Asterisk {
    /// Where Strowger finds recordings.
    pub fn recordings(&self) -> PathBuf {
        if self.recordings_seen_as.as_os_str().is_empty() {
            PathBuf::from(&self.recordings_dir)
        } else {
            self.recordings_seen_as.clone()
        }
    }
}

impl Server {
    /// The file of its trunks, if Strowger writes it.
    pub fn trunks_file(&self) -> Option<&Path> {
        Some(&*self.trunks_file).filter(|path| !path.as_os_str().is_empty())
    }

    /// How the connection is encrypted, if it is to be.
    ///
    /// # Errors
    /// When the certificates cannot be read, or the name is none.
    pub fn tls(&self) -> anyhow::Result<Option<Tls>> {
        if self.tls_trust.as_os_str().is_empty() {
            if !self.tls_server_name.is_empty() {
                bail!("tls_server_name is set without tls_trust, so nothing would be encrypted");
            }
            return Ok(None);
        }
        let file = &self.tls_trust;
        let pem =
            fs::read(file).with_context(|| format!("tls_trust: cannot read {}", file.display()))?;
        let mut tls =
            Tls::trusting(&pem).with_context(|| format!("tls_trust: {}", file.display()))?;
        if !self.tls_server_name.is_empty() {
            tls = tls
                .server_name(&self.tls_server_name)
                .context("tls_server_name")?;
        }
        Ok(Some(tls))
    }
}

fn ami_port() -> u16 {
    5038
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Directives.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For collectors.
    Json,
}

/// How to stop.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// Seconds given to calls in progress.
    pub drain_seconds: u64,
}

/// What a command needs of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Everything.
    All,
    /// Only the database.
    Database,
}

impl Config {
    /// Reads defaults, file and environment, and every secret file.
    ///
    /// # Errors
    /// Names the file and the key that is wrong.
    pub fn load(file: Option<&Path>, needs: Needs) -> anyhow::Result<Self> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            if !file.exists() {
                bail!("configuration file {} does not exist", file.display());
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let environment = Env::prefixed("STROWGER__").split("__");
        let mut config: Self = figment.merge(environment).extract().map_err(describe)?;
        if needs == Needs::Database {
            // The secrets of the servers belong to the daemon; `user create` cannot read them.
            config.asterisk.servers.clear();
            config.asterisk.default_server.clear();
            config.http.static_dir = PathBuf::new();
        }
        config.read_secrets()?;
        config.validate()?;
        Ok(config)
    }

    fn read_secrets(&mut self) -> anyhow::Result<()> {
        secret(
            "database.url_file",
            &self.database.url_file,
            &mut self.database.url,
        )?;
        secret(
            "database.reader_url_file",
            &self.database.reader_url_file,
            &mut self.database.reader_url,
        )?;
        secret(
            "auth.token_secret_file",
            &self.auth.token_secret_file,
            &mut self.auth.token_secret,
        )?;
        secret(
            "secrets.key_file",
            &self.secrets.key_file,
            &mut self.secrets.key,
        )?;
        for key in &mut self.auth.keys {
            let name = format!("auth.keys: {}: secret_file", key.id);
            secret(&name, &key.secret_file, &mut key.secret)?;
        }
        for (name, server) in &mut self.asterisk.servers {
            secret(
                &format!("asterisk.servers.{name}.secret_file"),
                &server.secret_file,
                &mut server.secret,
            )?;
        }
        Ok(())
    }

    fn validate(&self) -> anyhow::Result<()> {
        if !(2..=200).contains(&self.database.connections) {
            bail!(
                "database.connections is {}: it must be between 2 and 200",
                self.database.connections
            );
        }
        if !(1..=44_640).contains(&self.auth.token_minutes) {
            bail!(
                "auth.token_minutes is {}: it must be between 1 and 44640 (31 days)",
                self.auth.token_minutes
            );
        }
        if !(4..=64).contains(&self.auth.min_password_len) {
            bail!(
                "auth.min_password_len is {}: it must be between 4 and 64",
                self.auth.min_password_len
            );
        }
        for (key, secret) in [
            ("auth.token_secret", &self.auth.token_secret),
            ("secrets.key", &self.secrets.key),
        ] {
            let length = secret.expose_secret().len();
            if length != 0 && length < 32 {
                bail!("{key} has {length} bytes: it must have at least 32");
            }
        }
        for (place, key) in self.auth.keys.iter().enumerate() {
            let length = key.secret.expose_secret().len();
            if length < 32 {
                bail!(
                    "auth.keys: {} has a secret of {length} bytes: it must have at least 32",
                    key.id
                );
            }
            let before = self.auth.keys.iter().take(place);
            let is_first_key = key.id == FIRST_KEY;
            if key.id.is_empty() || is_first_key || before.into_iter().any(|one| one.id == key.id) {
                bail!(
                    "auth.keys: {:?} is empty, is the name of auth.token_secret or stands twice: give each key a name of its own",
                    key.id
                );
            }
        }
        let url = self.database.url.expose_secret();
        if !url.is_empty() && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            bail!("database.url must begin with postgres://");
        }
        if !(1..=3_600).contains(&self.http.console_grace_seconds) {
            bail!(
                "http.console_grace_seconds is {}: it must be between 1 and 3600",
                self.http.console_grace_seconds
            );
        }
        if let Some(front) = self.http.front() {
            front.check().context("http.static_dir")?;
        }
        if !self.asterisk.recordings_dir.starts_with('/') {
            bail!("asterisk.recordings_dir must be an absolute path");
        }
        let here = &self.asterisk.recordings_seen_as;
        if !here.as_os_str().is_empty() && !here.is_absolute() {
            bail!("asterisk.recordings_seen_as must be an absolute path, or empty");
        }
        for (key, path) in [
            ("backup.directory", &self.backup.directory),
            ("backup.programs", &self.backup.programs),
        ] {
            if !path.as_os_str().is_empty() && !path.is_absolute() {
                bail!("{key} must be an absolute path, or empty");
            }
        }
        if !(1..=1_000).contains(&self.backup.keep) {
            bail!(
                "backup.keep is {}: it must be between 1 and 1000",
                self.backup.keep
            );
        }
        if !self.media.directory.is_absolute() {
            bail!("media.directory must be an absolute path");
        }
        if !self.media.seen_as.starts_with('/') {
            bail!("media.seen_as must be an absolute path");
        }
        let name_like = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !self.asterisk.transfer_trunk.is_empty() && !name_like(&self.asterisk.transfer_trunk) {
            bail!("asterisk.transfer_trunk must be a PJSIP endpoint: letters, digits, '-' and '_'");
        }
        for country in &self.transfers.countries {
            if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
                bail!(
                    "transfers.countries: {country:?} is no country: give the two capital letters of ISO 3166, such as \"FR\""
                );
            }
        }
        if !(1..=1_440).contains(&self.transfers.max_minutes) {
            bail!(
                "transfers.max_minutes is {}: it must be between 1 and 1440",
                self.transfers.max_minutes
            );
        }
        let (default, servers) = (&self.asterisk.default_server, &self.asterisk.servers);
        if default.is_empty() && servers.len() > 1 {
            bail!("asterisk.default_server must be set when there is more than one server");
        }
        if !default.is_empty() && !servers.contains_key(default) {
            bail!("asterisk.default_server: there is no [asterisk.servers.{default}]");
        }
        for (name, server) in &self.asterisk.servers {
            if !name_like(name) {
                bail!("asterisk.servers.{name}: names are letters, digits, '-' and '_'");
            }
            if server.secret.expose_secret().is_empty() {
                bail!("asterisk.servers.{name}: set secret or secret_file");
            }
            server
                .tls()
                .with_context(|| format!("asterisk.servers.{name}"))?;
            if server.trunks_file().is_some_and(Path::is_relative) {
                bail!("asterisk.servers.{name}: trunks_file must be an absolute path, or empty");
            }
        }
        crate::telemetry::check_filter(&self.log.filter).context("log.filter")?;
        Ok(())
    }

    /// What `config check` prints: the decisions that matter, and no secret.
    pub fn summary(&self) -> String {
        let database = if self.database.url.expose_secret().is_empty() {
            format!(
                "private server in {}",
                self.data_directory.join("postgresql").display()
            )
        } else {
            "as configured".to_owned()
        };
        let servers: Vec<String> = self
            .asterisk
            .servers
            .iter()
            .map(|(name, server)| {
                format!(
                    "{name} at {}:{} as {}",
                    server.host, server.port, server.username
                )
            })
            .collect();
        let mut lines = vec![
            "configuration is valid".to_owned(),
            format!("  http      {}", self.http.listen),
            format!("  database  {database}"),
            format!("  fastagi   {}", self.asterisk.agi_listen),
            format!(
                "  asterisk  {}",
                if servers.is_empty() {
                    "none".to_owned()
                } else {
                    servers.join(", ")
                }
            ),
        ];
        if servers.is_empty() {
            lines.push(
                "warning: no [asterisk.servers.<name>] section, so no call can be placed"
                    .to_owned(),
            );
        }
        if !self.asterisk.agi_listen.ip().is_loopback()
            && self
                .asterisk
                .agi_allow
                .iter()
                .any(|net| net.prefix_len() == 0)
        {
            lines.push(
                "warning: FastAGI is open to every host: narrow asterisk.agi_allow".to_owned(),
            );
        }
        if !self.http.listen.ip().is_loopback() {
            lines.push("note: http.listen is not loopback; put a TLS proxy in front".to_owned());
        }
        lines.join("\n")
    }
}

/// Says which key is wrong and where it was set.
fn describe(error: figment::Error) -> anyhow::Error {
    let lines: Vec<String> = error
        .into_iter()
        .map(|error| {
            let source =
                error
                    .metadata
                    .as_ref()
                    .map_or_else(String::new, |metadata| match &metadata.source {
                        Some(source) => format!(" (in {source})"),
                        None => format!(" (in {})", metadata.name),
                    });
            let key = error.path.join(".");
            // What was given for a secret is not repeated, even when it is no string.
            if key.ends_with("secret") || key.ends_with("url") {
                return format!("{key}: must be a text in quotes{source}");
            }
            format!("{key}: {}{source}", error.kind)
        })
        .collect();
    anyhow::anyhow!("configuration: {}", lines.join("; "))
}

fn secret(key: &str, file: &Path, value: &mut SecretString) -> anyhow::Result<()> {
    if file.as_os_str().is_empty() {
        return Ok(());
    }
    let file = &expand(key, file)?;
    let text = fs::read_to_string(file)
        .with_context(|| format!("{key}: cannot read {}", file.display()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        bail!("{key}: the first line of {} is empty", file.display());
    }
    *value = SecretString::from(line);
    Ok(())
}

/// The one variable that is understood in the path of a secret file.
fn expand(key: &str, file: &Path) -> anyhow::Result<PathBuf> {
    const VARIABLE: &str = "${CREDENTIALS_DIRECTORY}";
    match file.to_str().and_then(|path| path.strip_prefix(VARIABLE)) {
        None => Ok(file.to_owned()),
        Some(rest) => {
            let directory = std::env::var("CREDENTIALS_DIRECTORY").with_context(|| {
                format!("{key}: CREDENTIALS_DIRECTORY is not set: the unit needs LoadCredential=")
            })?;
            Ok(Path::new(&directory).join(rest.trim_start_matches('/')))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> anyhow::Result<Config> {
        let figment = Figment::from(Toml::string(DEFAULTS)).merge(Toml::string(text));
        let config: Config = figment.extract().map_err(describe)?;
        config.validate()?;
        Ok(config)
    }

    #[test]
    fn the_defaults_are_complete_and_valid() {
        load("").unwrap();
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = load("[http]\nlisten_on = \"x\"").unwrap_err().to_string();
        assert!(error.contains("listen_on"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_named_by_its_key() {
        let error = load("[http]\nlisten = \"nowhere\"")
            .unwrap_err()
            .to_string();
        assert!(error.contains("http.listen"), "{error}");
        let error = load("[database]\nconnections = 0").unwrap_err().to_string();
        assert!(error.contains("database.connections"), "{error}");
    }

    #[test]
    fn at_least_one_backup_is_kept_in_a_directory_that_is_known_from_everywhere() {
        let error = load("[backup]\nkeep = 0").unwrap_err().to_string();
        assert!(error.contains("backup.keep"), "{error}");
        for key in ["directory", "programs"] {
            let error = load(&format!("[backup]\n{key} = \"there\"")).unwrap_err();
            let named = format!("backup.{key} must be an absolute path");
            assert!(error.to_string().contains(&named), "{error}");
        }
    }

    #[test]
    fn a_server_without_secret_is_refused_and_a_secret_is_never_shown() {
        let text = "[asterisk.servers.main]\nhost = \"a\"\nusername = \"u\"\n";
        assert!(
            load(text)
                .unwrap_err()
                .to_string()
                .contains("asterisk.servers.main")
        );
        let config = load(&format!("{text}secret = \"hunter2\"\n")).unwrap();
        assert!(!format!("{config:?}{}", config.summary()).contains("hunter2"));
        let error = load(&format!("{text}secret = 123456\n")).unwrap_err();
        assert!(!error.to_string().contains("123456"), "{error}");
        let error = load(&format!(
            "{text}secret = \"x\"\n{}",
            text.replace("main", "other")
        ));
        assert!(error.is_err(), "two servers and no default");
    }

    #[test]
    fn an_encrypted_link_needs_a_certificate_that_can_be_read() {
        let server = "[asterisk.servers.main]\nhost = \"a\"\nusername = \"u\"\nsecret = \"s\"\n";
        let refused = |more: &str| format!("{:#}", load(&format!("{server}{more}")).unwrap_err());
        let error = refused("tls_trust = \"/does/not/exist.pem\"\n");
        assert!(
            error.contains("asterisk.servers.main: tls_trust: cannot read /does/not/exist.pem"),
            "{error}"
        );
        let error = refused("tls_trust = \"/dev/null\"\n");
        assert!(error.contains("no certificate"), "{error}");
        let error = refused("tls_server_name = \"pbx\"\n");
        assert!(
            error.contains("tls_server_name is set without tls_trust"),
            "{error}"
        );
    }
}
