//! What the routes work with.

use std::{
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use serde_json::{Value, json};
use strowger_core::{
    compliance::Packs,
    ids::{CampaignId, UserId},
    switchboard::{Command, Stats},
    telephony::ServerName,
    time::Timestamp,
    transfer::OutsideBy,
    trunk_file::{OwnTrunk, Refused, Seen},
};
use strowger_realtime::Hub;
use strowger_store::{Store, backups::keeper::Keeper, login_sessions::LoginEnd, reader::Reader};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore, broadcast};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{
    auth::Auth,
    changes::Changes,
    console::Live,
    exchange::ExchangeHandle,
    front::{Front, FrontSettings},
    handing::Desks,
    library::Library,
    machine::Machine,
    problem::Problem,
};

/// Reads the clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Makes unique numbers for ids.
pub type IdGen = Arc<dyn Fn() -> Uuid + Send + Sync>;

/// Renders the metrics in the text format of Prometheus.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// Asks an exchange whether it can ring a device such as `PJSIP/1001` now; `None` when it does
/// not say.
pub type DeviceReader =
    Arc<dyn Fn(ServerName, String) -> BoxFuture<'static, Option<bool>> + Send + Sync>;

/// Configures the trunks of exchanges.
pub trait TrunkDesk: Send + Sync {
    /// Whether the trunks of this exchange are configured by Strowger. Otherwise somebody does it
    /// there by hand.
    fn configures(&self, server: &ServerName) -> bool;

    /// Gives the exchange exactly these trunks, and returns when it has them. On an error it has
    /// those that it had.
    fn apply(
        &self,
        server: ServerName,
        trunks: Vec<OwnTrunk>,
    ) -> BoxFuture<'static, Result<(), Refused>>;

    /// How the trunk at this endpoint is doing; `None` when the exchange cannot be asked.
    fn seen(&self, server: ServerName, endpoint: String) -> BoxFuture<'static, Option<Seen>>;
}

/// A line of the daemon's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Counts the lines since the start.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`.
    pub level: &'static str,
    /// The part of the daemon.
    pub target: String,
    /// The text with its fields.
    pub message: String,
}

/// The last lines of the daemon's log, oldest first.
pub type LogReader = Arc<dyn Fn() -> Vec<LogLine> + Send + Sync>;

/// A place in the network that the daemon works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// What is there.
    pub kind: ServiceKind,
    /// Its name or address.
    pub host: String,
    /// Its TCP port.
    pub port: u16,
}

/// What is at a place in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceKind {
    /// The database.
    Database,
    /// The manager interface of an exchange.
    Manager(ServerName),
}

/// What the routes about the system itself work with. What is missing is answered as not set up.
#[derive(Clone, Default)]
pub struct SystemParts {
    /// Asks the database as a role that may only read.
    pub reader: Option<Reader>,
    /// The daemon's log.
    pub log: Option<LogReader>,
    /// Makes and keeps backups.
    pub backups: Option<Keeper>,
    /// What the daemon works with over the network.
    pub services: Vec<Service>,
}

impl fmt::Debug for SystemParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemParts")
            .field("reader", &self.reader.is_some())
            .field("backups", &self.backups.is_some())
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

/// Tells how the exchange task is.
pub type StatusReader = Arc<dyn Fn() -> ExchangeStatus + Send + Sync>;

/// What the daemon gives to [`crate::router()`].
#[derive(Clone)]
pub struct ApiState {
    /// The database.
    pub store: Store,
    /// The live view.
    pub hub: Hub,
    /// The way to the switchboard.
    pub exchange: ExchangeHandle,
    /// Passwords, tokens and the limit on logins.
    pub auth: Auth,
    /// Reads the clock.
    pub clock: Clock,
    /// Makes unique numbers for ids.
    pub ids: IdGen,
    /// The installed packs of compliance rules, which campaigns choose from.
    pub packs: Arc<Packs>,
    /// What can be set.
    pub settings: ApiSettings,
    /// Renders the metrics.
    pub metrics: MetricsText,
    /// Tells how the exchange task is.
    pub status: StatusReader,
    /// Asks whether a device can be rung.
    pub devices: DeviceReader,
    /// Configures the trunks of exchanges; without it they are configured by hand.
    pub trunks: Option<Arc<dyn TrunkDesk>>,
    /// The machine, the log and what is asked of the database directly.
    pub system: SystemParts,
    /// Cancelled when the daemon stops: live connections are then closed in order.
    pub shutdown: CancellationToken,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// What can be set.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The exchange of stations and trunks for which none is named.
    pub default_server: ServerName,
    /// Every configured exchange.
    pub servers: Vec<ServerName>,
    /// Most live connections at once.
    pub max_streams: usize,
    /// How long somebody who asks for the next contact waits for one.
    pub next_contact_wait: Duration,
    /// Most imports at once.
    pub max_imports: usize,
    /// Longest body of an import in bytes.
    pub max_import_bytes: usize,
    /// Lets the same machine read `/metrics` without logging in, unless a proxy is in between.
    pub open_metrics_on_loopback: bool,
    /// Proxies whose `X-Forwarded-For` tells where a request comes from.
    pub trusted_proxies: Vec<IpNet>,
    /// The trunk to mobiles that are stations: a PJSIP endpoint.
    pub outside_trunk: Option<String>,
    /// Who may have calls transferred to numbers outside.
    pub outside_by: OutsideBy,
    /// How long an agent stays logged in after the last socket of their console is gone.
    pub console_grace: Duration,
    /// A web front to serve on every path that is not the API's.
    pub front: Option<FrontSettings>,
    /// Where sounds that are uploaded are kept.
    pub media: PathBuf,
    /// Where Asterisk writes recordings, as this process sees it.
    pub recordings: PathBuf,
    /// Where the daemon keeps its files: the disk that is watched.
    pub data_directory: PathBuf,
}

impl ApiSettings {
    /// Settings for one exchange.
    pub fn new(server: ServerName) -> Self {
        Self {
            default_server: server.clone(),
            servers: vec![server],
            max_streams: 2_000,
            next_contact_wait: Duration::from_secs(12),
            max_imports: 2,
            max_import_bytes: 100 * 1024 * 1024,
            open_metrics_on_loopback: false,
            trusted_proxies: Vec::new(),
            outside_trunk: None,
            outside_by: OutsideBy::default(),
            console_grace: Duration::from_mins(1),
            front: None,
            media: PathBuf::from("/var/lib/strowger-media"),
            recordings: PathBuf::from("/var/spool/asterisk/monitor"),
            data_directory: PathBuf::from("/"),
        }
    }
}

/// How the exchange task is.
#[derive(Debug, Clone, Default)]
pub struct ExchangeStatus {
    /// What an earlier run left has been taken up, at least once.
    pub started: bool,
    /// Figures of the switchboard.
    pub stats: Stats,
    /// Every configured exchange, and whether calls can be placed there.
    pub servers: Vec<(ServerName, bool)>,
}

/// A login has ended: for the live connections that were made with it.
#[derive(Debug, Clone)]
pub(crate) struct SessionEnded {
    /// The login.
    pub(crate) session: Uuid,
    /// Whose.
    pub(crate) user: UserId,
    /// Why.
    pub(crate) cause: LoginEnd,
}

/// [`ApiState`] with what the routes share among themselves.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) api: ApiState,
    pub(crate) started_at: Timestamp,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) imports: Arc<Semaphore>,
    /// When the ledger was verified last; held while it is.
    pub(crate) verified_at: Mutex<Option<Timestamp>>,
    /// Held while the limits are changed.
    pub(crate) limiting: Mutex<()>,
    /// Pages of contacts that are read for screens at once: the dialer needs the database too.
    pub(crate) pages: Arc<Semaphore>,
    /// What was changed just now.
    pub(crate) changes: Changes,
    /// Who waits for contacts.
    pub(crate) desks: Desks,
    /// The sockets of the console.
    pub(crate) console: Live,
    /// What is known of the machine.
    pub(crate) machine: Machine,
    /// The web front, if there is one.
    pub(crate) front: Option<Front>,
    /// The sounds that were uploaded.
    pub(crate) library: Library,
    /// Who was changed just now.
    changed_users: broadcast::Sender<UserId>,
    /// The logins that ended just now.
    ended_logins: broadcast::Sender<SessionEnded>,
    runs: Runs,
    /// Where what goes on without a request runs.
    pub(crate) tasks: TaskTracker,
}

/// One change of the run of a campaign at a time: what is stored and what the switchboard is
/// told come in the same order. Campaigns share locks, so that there are never more.
#[derive(Debug)]
struct Runs([Arc<Mutex<()>>; 64]);

impl Runs {
    async fn hold(&self, id: &CampaignId) -> OwnedMutexGuard<()> {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let which = usize::try_from(hasher.finish()).unwrap_or_default() % self.0.len();
        Arc::clone(&self.0[which]).lock_owned().await
    }
}

pub(crate) type Shared = Arc<App>;

/// What a person asks of the switchboard, for the audit log.
#[derive(Debug)]
pub(crate) struct Asked {
    by: UserId,
    action: &'static str,
    subject: String,
    change: Value,
}

impl Asked {
    pub(crate) fn by(by: &UserId, action: &'static str, subject: impl Into<String>) -> Self {
        Self {
            by: by.clone(),
            action,
            subject: subject.into(),
            change: json!({}),
        }
    }

    /// With more than the action and the subject say.
    pub(crate) fn with(self, change: Value) -> Self {
        Self { change, ..self }
    }
}

impl App {
    pub(crate) fn new(api: ApiState) -> Self {
        Self {
            started_at: (api.clock)(),
            streams: Arc::new(Semaphore::new(api.settings.max_streams)),
            imports: Arc::new(Semaphore::new(api.settings.max_imports)),
            verified_at: Mutex::default(),
            limiting: Mutex::default(),
            pages: Arc::new(Semaphore::new(2)),
            changes: Changes::default(),
            desks: Desks::default(),
            console: Live::new(api.hub.clone()),
            machine: Machine::default(),
            front: api.settings.front.clone().map(Front::new),
            library: Library::new(api.settings.media.clone()),
            changed_users: broadcast::channel(64).0,
            ended_logins: broadcast::channel(64).0,
            runs: Runs(std::array::from_fn(|_| Arc::default())),
            tasks: TaskTracker::new(),
            api,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.api.clock)()
    }

    /// Has the live connections of a user look whether they may go on.
    pub(crate) fn user_changed(&self, id: &UserId) {
        // An error only says that nobody watches.
        let _ = self.changed_users.send(id.clone());
    }

    /// Has the live connections of logins end, wherever they are.
    pub(crate) fn logins_ended(&self, user: &UserId, sessions: &[Uuid], cause: LoginEnd) {
        for session in sessions {
            let _ = self.ended_logins.send(SessionEnded {
                session: *session,
                user: user.clone(),
                cause,
            });
        }
    }

    /// The logins that end from now on.
    pub(crate) fn ended_logins(&self) -> broadcast::Receiver<SessionEnded> {
        self.ended_logins.subscribe()
    }

    /// Who is changed from now on.
    pub(crate) fn changed_users(&self) -> broadcast::Receiver<UserId> {
        self.changed_users.subscribe()
    }

    /// Carries out a change of the run of a campaign when those before it are done, and to its
    /// end even when the client hangs up: nothing is stored without the switchboard being told.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        id: &CampaignId,
        change: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let held = self.runs.hold(id).await;
        let work = async move {
            let _held = held;
            change.await
        };
        self.finish(Box::pin(work)).await
    }

    /// Carries work out to its end, also when the client hangs up.
    pub(crate) async fn finish<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        match self.tasks.spawn(work.in_current_span()).await {
            Ok(result) => result,
            Err(error) => {
                tracing::error!(%error, "A change ended before it was done");
                Err(Problem::internal())
            }
        }
    }

    /// Tells the switchboard what a person asks, and notes it when it is not refused. Both are done
    /// even when the client hangs up meanwhile.
    pub(crate) async fn tell(&self, asked: Asked, command: Command) -> Result<(), Problem> {
        let (exchange, store) = (self.api.exchange.clone(), self.api.store.clone());
        let now = self.now();
        let work = async move {
            exchange.send(command).await?;
            let Asked {
                by,
                action,
                subject,
                change,
            } = asked;
            store
                .record_audit(Some(&by), action, &subject, &change, now)
                .await?;
            Ok(())
        };
        self.finish(Box::pin(work)).await
    }

    /// Runs something beside the requests, for as long as the daemon does.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(work);
    }

    pub(crate) fn new_id(&self) -> Uuid {
        (self.api.ids)()
    }
}
