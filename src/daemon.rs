//! Starting and stopping the parts of the daemon, in order.

use std::{
    fs, io::Write as _, net::SocketAddr, os::unix::fs::OpenOptionsExt, path::Path, sync::Arc,
    time::Duration,
};

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use strowger_agi::ServerConfig;
use strowger_ami::{ClientConfig, actions};
use strowger_api::{
    ApiSettings, ApiState, Auth, AuthSettings, DeviceReader, ExchangeHandle, Service, ServiceKind,
    SigningKey, SystemParts, exchange_channel,
};
use strowger_core::{telephony::ServerName, time::Timestamp};
use strowger_realtime::Hub;
use strowger_store::{
    NodeLock, Store,
    backups::keeper::{BackupSettings, Keeper},
    cluster::Cluster,
    reader::Reader,
};
use strowger_telephony::asterisk::{self, ServerSettings, Speech};
use tokio::{
    net::TcpListener,
    sync::Mutex,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use crate::{
    backups,
    commands::compliance::load_packs,
    config::{Config, FIRST_KEY},
    exchange::{self, Parts, Progress},
    hoppers,
    lifecycle::Lifecycle,
    telemetry, trunks,
};

/// Requests that may wait for the switchboard; further ones are refused as busy.
const REQUESTS: usize = 1_024;

/// How often the private database is looked at.
const DATABASE_CHECK: Duration = Duration::from_secs(2);

/// How long the dialplan has to open a FastAGI session once connected.
const AGI_ENVIRONMENT: Duration = Duration::from_secs(5);

/// How long an exchange may take to say whether it can ring a device.
const DEVICE_ANSWER: Duration = Duration::from_secs(2);

/// How long a FastAGI command may take that takes no time by itself.
const AGI_COMMAND: Duration = Duration::from_secs(10);

/// Makes unique numbers that grow with time, so that indexes on them stay compact.
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// The clock of everything that is not the switchboard.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge at which the API gets its clock"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A password or key of 122 random bits of the operating system.
pub fn new_secret() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The hash under which a password is stored.
///
/// # Errors
/// When the password is too short, too long or easily guessed.
pub async fn hash_password(login_id: &str, password: &str, least: usize) -> anyhow::Result<String> {
    let auth = Auth::new(&AuthSettings {
        min_password_len: least,
        ..AuthSettings::new(SecretString::from(new_secret()))
    })?;
    Ok(auth.hash(login_id, SecretString::from(password)).await?)
}

/// What opens the secrets that the database holds; nobody logs in with it.
///
/// # Errors
/// When `secrets.key` is too short or cannot be read.
pub fn sealing(config: &Config) -> anyhow::Result<Auth> {
    let sealing_secret = kept_secret(&config.secrets.key, config, "secrets.key")?;
    Ok(Auth::new(&AuthSettings {
        sealing_secret,
        ..AuthSettings::new(SecretString::from(new_secret()))
    })?)
}

/// The database, and the private server it runs on if there is one.
#[derive(Debug)]
pub struct Database {
    /// The pool.
    pub store: Store,
    /// How to connect to it.
    options: PgConnectOptions,
    cluster: Option<Arc<Mutex<Cluster>>>,
    purpose: Purpose,
    lock: Option<NodeLock>,
}

/// Where the configured database is, and the private server that was started for it when no URL
/// is set.
///
/// # Errors
/// When the private server cannot be started, or the URL cannot be read.
pub async fn place(config: &Config) -> anyhow::Result<(PgConnectOptions, Option<Cluster>)> {
    let url = config.database.url.expose_secret();
    if url.is_empty() {
        let directory = config.data_directory.join("postgresql");
        let cluster = Cluster::start(&directory)
            .await
            .context("private database")?;
        return Ok((cluster.options(), Some(cluster)));
    }
    let options = url
        .parse::<PgConnectOptions>()
        .context("database.url cannot be read")?;
    Ok((options, None))
}

/// What a process wants of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be the daemon: no other one may be, and the private server stops with it.
    Serve,
    /// To do one thing: a private server that runs already goes on running.
    OneCommand,
}

impl Database {
    /// Connects as configured, starting the private server when no URL is set.
    ///
    /// # Errors
    /// Says what to do when the database cannot be reached, is not up to date or is another
    /// daemon's.
    pub async fn open(config: &Config, purpose: Purpose, migrate: bool) -> anyhow::Result<Self> {
        let (options, cluster) = place(config).await?;
        let cluster = cluster.map(|cluster| Arc::new(Mutex::new(cluster)));
        let store = Store::connect(options.clone(), config.database.connections).await?;
        if migrate {
            store.migrate().await?;
        } else {
            store.check_schema().await?;
        }
        let lock = match purpose {
            Purpose::Serve => Some(store.lock_node().await?),
            Purpose::OneCommand => None,
        };
        Ok(Self {
            store,
            options,
            cluster,
            purpose,
            lock,
        })
    }

    /// Closes the connections and stops the private server, unless it is a running daemon's.
    pub async fn close(self) {
        drop(self.lock);
        self.store.close().await;
        let Some(cluster) = self.cluster else { return };
        let cluster = cluster.lock().await;
        if self.purpose == Purpose::OneCommand && !cluster.launched() {
            return;
        }
        if let Err(error) = cluster.stop().await {
            tracing::warn!(%error, "Cannot stop the private database");
        }
    }
}

/// Starts the private server again when it has gone: an out-of-memory kill, or a person.
async fn keep_database(store: Store, cluster: Arc<Mutex<Cluster>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(DATABASE_CHECK) => {}
        }
        if store.ping().await.is_ok() {
            continue;
        }
        if let Err(error) = cluster.lock().await.keep_running().await {
            tracing::error!(%error, "The private database does not run");
        }
    }
}

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    /// The database.
    pub database: Database,
    /// The live view.
    pub hub: Hub,
    /// The way to the switchboard.
    pub exchange: ExchangeHandle,
    /// How the exchange is.
    pub progress: Arc<Progress>,
    /// Where the API is.
    pub http_address: SocketAddr,
    /// Where FastAGI is.
    pub agi_address: SocketAddr,
    /// The manager links.
    pub links: Vec<strowger_ami::Client>,
}

/// Starts everything. Returns when the API is listening and what an earlier run left has
/// been read; links to Asterisk come up by themselves.
///
/// # Errors
/// When a part cannot be started; whatever was started is stopped through `lifecycle`.
pub async fn start(config: &Config, lifecycle: &Lifecycle) -> anyhow::Result<Daemon> {
    let metrics = telemetry::start_metrics()?;
    let database = Database::open(config, Purpose::Serve, config.database.migrate).await?;
    let started = start_on(&database, config, lifecycle, metrics).await;
    match started {
        Ok(running) => Ok(Daemon {
            database,
            hub: running.hub,
            exchange: running.exchange,
            progress: running.progress,
            http_address: running.http_address,
            agi_address: running.agi_address,
            links: running.links,
        }),
        Err(error) => {
            lifecycle.hard.cancel();
            database.close().await;
            Err(error)
        }
    }
}

/// Everything of a daemon but its database.
struct Running {
    hub: Hub,
    exchange: ExchangeHandle,
    progress: Arc<Progress>,
    http_address: SocketAddr,
    agi_address: SocketAddr,
    links: Vec<strowger_ami::Client>,
}

async fn start_on(
    database: &Database,
    config: &Config,
    lifecycle: &Lifecycle,
    metrics: Arc<PrometheusHandle>,
) -> anyhow::Result<Running> {
    let store = database.store.clone();
    if let Some(cluster) = &database.cluster {
        let kept = keep_database(store.clone(), Arc::clone(cluster), lifecycle.hard.clone());
        lifecycle.supervise("database", kept);
    }
    let keys = signing_keys(config)?;
    let sealing_secret = kept_secret(&config.secrets.key, config, "secrets.key")?;
    let listener = TcpListener::bind(config.http.listen)
        .await
        .with_context(|| format!("http.listen: cannot listen on {}", config.http.listen))?;
    let http_address = listener.local_addr()?;
    let mut restored = store
        .restore()
        .await
        .context("cannot read what an earlier run left")?;
    restored.servers = server_names(config);

    let adapter = asterisk::start(
        adapter_settings(config)?,
        &lifecycle.tracker,
        &lifecycle.hard,
    )
    .await
    .with_context(|| {
        format!(
            "asterisk.agi_listen: cannot listen on {}",
            config.asterisk.agi_listen
        )
    })?;
    let agi_address = adapter.agi_address;
    let links = adapter.links.clone();
    let hub = Hub::new(new_id().to_string());
    let (exchange, requests) = exchange_channel(REQUESTS);
    let progress = Arc::new(Progress::default());
    let packs = Arc::new(load_packs(config.compliance.directory())?);
    let parts = Parts {
        store: store.clone(),
        hub: hub.clone(),
        adapter,
        requests,
        restored,
        packs: Arc::clone(&packs),
        transfer_rules: config.transfers.rules(outside_trunk(config)),
        new_id: Arc::new(new_id),
        tracker: lifecycle.tracker.clone(),
    };
    lifecycle.supervise(
        "hoppers",
        hoppers::run(
            store.clone(),
            Arc::clone(&packs),
            now,
            lifecycle.hard.clone(),
        ),
    );
    lifecycle.supervise(
        "exchange",
        exchange::run(
            parts,
            Arc::clone(&progress),
            lifecycle.soft.clone(),
            lifecycle.hard.clone(),
        ),
    );

    let keeper = keeper(database, config).await;
    lifecycle.supervise(
        "backups",
        backups::run(keeper.clone(), new_id, now, lifecycle.hard.clone()),
    );
    let servers = server_names(config);
    let default_server = match config.asterisk.default_server.as_str() {
        "" => servers.first().cloned(),
        name => Some(ServerName::from(name)),
    }
    .unwrap_or_else(|| ServerName::from("none"));
    let status = Arc::clone(&progress);
    let auth = Auth::new(&AuthSettings {
        lifetime: Duration::from_secs(u64::from(config.auth.token_minutes) * 60),
        min_password_len: config.auth.min_password_len,
        single_session: config.auth.single_session,
        keys,
        ..AuthSettings::new(sealing_secret)
    })?;
    let desk = Arc::new(trunks::Desk::new(config, &links));
    let kept = Arc::clone(&desk).keep(store.clone(), auth.clone(), lifecycle.hard.clone());
    lifecycle.supervise("trunks", kept);
    let state = ApiState {
        store,
        hub: hub.clone(),
        exchange: exchange.clone(),
        auth,
        clock: Arc::new(now),
        ids: Arc::new(new_id),
        packs,
        settings: ApiSettings {
            servers,
            max_streams: config.http.max_streams,
            open_metrics_on_loopback: config.http.metrics_on_loopback,
            trusted_proxies: config.http.trusted_proxies.clone(),
            front: config.http.front(),
            data_directory: config.data_directory.clone(),
            outside_trunk: outside_trunk(config),
            outside_by: config.transfers.outside_by,
            console_grace: Duration::from_secs(config.http.console_grace_seconds),
            media: config.media.directory.clone(),
            recordings: config.asterisk.recordings(),
            ..ApiSettings::new(default_server)
        },
        metrics: Arc::new(move || metrics.render()),
        status: Arc::new(move || status.status()),
        devices: devices(links.clone()),
        trunks: Some(desk),
        system: SystemParts {
            reader: reader(database, config).await,
            log: Some(Arc::new(telemetry::recent_lines)),
            backups: Some(keeper),
            services: services(database, config),
        },
        shutdown: lifecycle.hard.clone(),
    };
    lifecycle.supervise("http", serve_http(listener, state, lifecycle.hard.clone()));
    info!(http = %http_address, fastagi = %agi_address, "Strowger is running");
    Ok(Running {
        hub,
        exchange,
        progress,
        http_address,
        agi_address,
        links: links.into_iter().map(|(_, link)| link).collect(),
    })
}

/// The role that asks the database for people: one of its own in the private server, or the one
/// that is configured. Without it they cannot ask; everything else works.
async fn reader(database: &Database, config: &Config) -> Option<Reader> {
    let url = config.database.reader_url.expose_secret();
    let made = match &database.cluster {
        Some(cluster) => {
            let options = cluster.lock().await.options();
            Reader::of_private_server(&database.store, options).await
        }
        None if url.is_empty() => return None,
        None => match url.parse::<PgConnectOptions>() {
            Ok(options) => Reader::of_role(&database.store, options).await,
            Err(error) => Err(strowger_store::Error::Unreachable(error)),
        },
    };
    made.inspect_err(|error| {
        tracing::warn!(%error, "The database cannot be asked directly by super administrators");
    })
    .ok()
}

/// What is reached over the network: not the private database, which is on a socket.
fn services(database: &Database, config: &Config) -> Vec<Service> {
    let options = &database.options;
    let database = Service {
        kind: ServiceKind::Database,
        host: options.get_host().to_owned(),
        port: options.get_port(),
    };
    let managers = config
        .asterisk
        .servers
        .iter()
        .map(|(name, server)| Service {
            kind: ServiceKind::Manager(ServerName::from(name.as_str())),
            host: server.host.clone(),
            port: server.port,
        });
    let over_network = options.get_socket().is_none() && !options.get_host().starts_with('/');
    over_network
        .then_some(database)
        .into_iter()
        .chain(managers)
        .collect()
}

/// Makes backups of the database as configured.
async fn keeper(database: &Database, config: &Config) -> Keeper {
    let own = match &database.cluster {
        Some(cluster) => Some(cluster.lock().await.binaries().to_owned()),
        None => None,
    };
    let backup = &config.backup;
    let is_set = |path: &Path| !path.as_os_str().is_empty();
    let settings = BackupSettings {
        make_directory: !is_set(&backup.directory),
        directory: if is_set(&backup.directory) {
            backup.directory.clone()
        } else {
            config.data_directory.join("backups")
        },
        keep: backup.keep,
        programs: Some(backup.programs.clone())
            .filter(|path| is_set(path))
            .or(own),
        database: database.options.clone(),
    };
    Keeper::new(database.store.clone(), settings)
}

/// Asks an exchange whether it can ring a device.
fn devices(links: Vec<(ServerName, strowger_ami::Client)>) -> DeviceReader {
    Arc::new(move |server, device| {
        let link = links.iter().find(|(name, _)| *name == server);
        let link = link.map(|(_, link)| link.clone());
        Box::pin(async move {
            let asked = actions::get_global(&format!("DEVICE_STATE({device})"));
            let answer = timeout(DEVICE_ANSWER, link?.send(asked)).await;
            let answer = answer.ok()?.ok()?;
            match answer.get("Value")?.as_ref() {
                "UNKNOWN" | "" => None,
                "INVALID" | "UNAVAILABLE" => Some(false),
                _ => Some(true),
            }
        })
    })
}

fn outside_trunk(config: &Config) -> Option<String> {
    let trunk = &config.asterisk.transfer_trunk;
    Some(trunk.clone()).filter(|trunk| !trunk.is_empty())
}

fn server_names(config: &Config) -> Vec<ServerName> {
    let names = config.asterisk.servers.keys();
    names.map(|name| ServerName::from(name.as_str())).collect()
}

async fn serve_http(listener: TcpListener, state: ApiState, stop: CancellationToken) {
    let app = strowger_api::router(state).into_make_service_with_connect_info::<SocketAddr>();
    let served =
        axum::serve(listener, app).with_graceful_shutdown(async move { stop.cancelled().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "The HTTP server failed");
    }
}

fn adapter_settings(config: &Config) -> anyhow::Result<asterisk::Settings> {
    let a = &config.asterisk;
    let servers = a.servers.iter().map(|(name, server)| {
        let tls = server
            .tls()
            .with_context(|| format!("asterisk.servers.{name}"))?;
        Ok(ServerSettings {
            name: ServerName::from(name.as_str()),
            ami: ClientConfig {
                server: name.clone(),
                port: server.port,
                tls,
                two_sessions: !server.one_session,
                ..ClientConfig::new(&server.host, &server.username, server.secret.clone())
            },
        })
    });
    let servers = servers.collect::<anyhow::Result<_>>()?;
    Ok(asterisk::Settings {
        servers,
        agi: ServerConfig {
            listen: a.agi_listen,
            allow: a.agi_allow.clone(),
            max_sessions: a.agi_max_sessions,
            environment_timeout: AGI_ENVIRONMENT,
            command_timeout: AGI_COMMAND,
            drain_timeout: None,
        },
        recordings: a.recordings_dir.trim_end_matches('/').to_owned(),
        media: config.media.seen_as.trim_end_matches('/').to_owned(),
        transfer_trunk: outside_trunk(config),
        speech: (!a.speech.command.is_empty()).then(|| {
            Arc::new(Speech {
                command: a.speech.command.clone(),
                directory: a.speech.directory.clone(),
                seen_as: a.speech.seen_as.clone(),
                turn: tokio::sync::Semaphore::new(1),
            })
        }),
        new_id: Arc::new(new_id),
    })
}

/// The keys of access tokens: the first signs.
fn signing_keys(config: &Config) -> anyhow::Result<Vec<SigningKey>> {
    let auth = &config.auth;
    let mut keys: Vec<SigningKey> = auth
        .keys
        .iter()
        .map(|key| SigningKey {
            id: key.id.clone(),
            secret: key.secret.clone(),
        })
        .collect();
    let made = config.data_directory.join(TOKEN_KEY);
    // The key that was used before there were others goes on to verify, as long as it is there.
    if keys.is_empty() || !auth.token_secret.expose_secret().is_empty() || made.exists() {
        keys.push(SigningKey {
            id: FIRST_KEY.to_owned(),
            secret: kept_secret(&auth.token_secret, config, TOKEN_KEY)?,
        });
    }
    Ok(keys)
}

/// The file of the key of access tokens, where none is configured.
const TOKEN_KEY: &str = "token.key";

/// A configured secret, or one that is made once and kept in a file of the data directory.
fn kept_secret(
    configured: &SecretString,
    config: &Config,
    file: &str,
) -> anyhow::Result<SecretString> {
    if !configured.expose_secret().is_empty() {
        return Ok(configured.clone());
    }
    let path = config.data_directory.join(file);
    if let Ok(text) = fs::read_to_string(&path) {
        return Ok(SecretString::from(text.trim()));
    }
    fs::create_dir_all(&config.data_directory).with_context(|| {
        format!(
            "data_directory: cannot make {}",
            config.data_directory.display()
        )
    })?;
    // 244 random bits of the operating system, as hexadecimal digits.
    let key = format!("{}{}", new_secret(), new_secret());
    write_secret(&path, &key).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(SecretString::from(key))
}

fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
