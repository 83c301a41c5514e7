//! A contact centre for each test: a database, a simulated exchange, and the daemon between
//! them, inside of the test ([`Centre`]) or as a program ([`Program`]).

mod api;
mod centre;
mod ledger;
pub(crate) mod program;
mod wire;

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use strowger::commands::seed::{self, Planted};
use strowger_core::{agent::LegMode, ids::QueueId, telephony::ServerName};
use strowger_sim::{Callee, CalleeModel, Outcome, SimConfig, SimExchange, Spread};
use strowger_store::Store;
use strowger_testkit::database::TestDatabase;
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub(crate) use api::Api;
pub(crate) use centre::Centre;
pub(crate) use program::Program;
pub(crate) use wire::Wire;

/// Whatever takes longer does not happen.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// How much faster than ours the time of the simulated world passes.
const SCALE: f64 = 20.0;

pub(crate) const SERVER: &str = "pbx";
pub(crate) const AMI_SECRET: &str = "manager-secret-that-no-log-may-hold";
pub(crate) const TOKEN_SECRET: &str = "token-secret-that-no-log-may-hold";

/// What a test begins with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) agents: u32,
    pub(crate) contacts: u32,
    pub(crate) leg_mode: LegMode,
    /// Columns of the campaign and their values, as in an UPDATE.
    pub(crate) campaign: &'static str,
    /// How contacts behave, by their place in the list; the others answer and talk for a second of ours.
    pub(crate) callees: Vec<(u32, Callee)>,
    /// Trunks without a line, by their endpoint; the campaign's own is `carrier`.
    pub(crate) failing_trunks: Vec<&'static str>,
    /// How stations behave; the others are answered at once.
    pub(crate) stations: Vec<(&'static str, Callee)>,
    /// The queues that every agent serves.
    pub(crate) queues: Vec<QueueId>,
    /// The `log.filter` of the program.
    pub(crate) log: &'static str,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            agents: 4,
            contacts: 12,
            leg_mode: LegMode::NailedUp,
            campaign: "mode = 'progressive', wrap_up_s = 0, retry_rules = '{}'",
            callees: Vec::new(),
            failing_trunks: Vec::new(),
            stations: Vec::new(),
            queues: Vec::new(),
            log: "info",
        }
    }
}

impl Plan {
    /// A list in which every third contact is no conversation, and each outcome occurs.
    pub(crate) fn mixed(agents: u32, contacts: u32) -> Self {
        let others = [
            Outcome::Busy,
            Outcome::Machine,
            Outcome::NoAnswer,
            Outcome::Rejected,
            Outcome::Unallocated,
            Outcome::Congestion,
        ];
        let places = (2..contacts).step_by(3);
        Self {
            agents,
            contacts,
            callees: places
                .zip(others.into_iter().cycle())
                .map(|(place, outcome)| (place, Callee::new(outcome)))
                .collect(),
            ..Self::default()
        }
    }
}

/// The number of a contact by its place in the list.
pub(crate) fn number(place: u32) -> String {
    format!("+3363998{place:04}")
}

/// The station of an agent by their place, from 1.
pub(crate) fn station(place: u32) -> String {
    (1_000 + place).to_string()
}

/// Everything but the daemon.
pub(crate) struct Ground {
    pub(crate) plan: Plan,
    pub(crate) store: Store,
    pub(crate) url: String,
    pub(crate) planted: Planted,
    pub(crate) sim: SimExchange,
    pub(crate) http: SocketAddr,
    pub(crate) agi: SocketAddr,
    /// Where the daemon finds the manager interface.
    pub(crate) ami: SocketAddr,
    /// What it shows there.
    pub(crate) ami_secret: &'static str,
    /// A directory of the test's own.
    pub(crate) directory: PathBuf,
    stop: CancellationToken,
    _database: Option<TestDatabase>,
}

impl Ground {
    pub(crate) async fn new(plan: Plan) -> Self {
        let database = strowger_testkit::database::fresh().await.unwrap();
        let (store, url) = (database.store.clone(), database.url());
        Self::on(plan, store, url, Some(database)).await
    }

    /// On a database that the test has made.
    pub(crate) async fn on(
        plan: Plan,
        store: Store,
        url: String,
        database: Option<TestDatabase>,
    ) -> Self {
        let options = seed::Options {
            agents: plan.agents,
            contacts: plan.contacts,
            trunk: "carrier".to_owned(),
            server: None,
        };
        let planted = seed::plant(&store, &options, ServerName::from(SERVER))
            .await
            .unwrap();
        let change = format!("UPDATE campaigns SET {}", plan.campaign);
        sqlx::query(sqlx::AssertSqlSafe(change))
            .execute(store.pool())
            .await
            .unwrap();
        let directory = PathBuf::from(format!("/var/tmp/strowger-it-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&directory).unwrap();
        let stop = CancellationToken::new();
        let agi = free_address();
        let sim = SimExchange::start(sim_config(&plan, agi), &TaskTracker::new(), stop.clone())
            .await
            .unwrap();
        Self {
            ami: sim.ami_addr(),
            ami_secret: AMI_SECRET,
            plan,
            store,
            url,
            planted,
            sim,
            http: free_address(),
            agi,
            directory,
            stop,
            _database: database,
        }
    }

    /// Writes the configuration file and gives its path.
    pub(crate) fn write_config(&self, log: &str) -> PathBuf {
        let text = format!(
            r#"data_directory = "{directory}"
[http]
listen = "{http}"
[database]
url = "{url}"
connections = 6
[auth]
token_secret = "{TOKEN_SECRET}"
[asterisk]
agi_listen = "{agi}"
[asterisk.servers.{SERVER}]
host = "{host}"
port = {port}
username = "strowger"
secret = "{secret}"
[log]
filter = "{log}"
[shutdown]
drain_seconds = 2
"#,
            directory = self.directory.display(),
            http = self.http,
            url = self.url,
            agi = self.agi,
            host = self.ami.ip(),
            port = self.ami.port(),
            secret = self.ami_secret,
        );
        let path = self.directory.join("strowger.toml");
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() {
            #[expect(clippy::print_stderr, reason = "for the person who runs the tests")]
            {
                eprintln!("see {}", self.directory.display());
            }
        } else {
            // What is left there helps nobody, and whether it goes away is not what is tested.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}

fn sim_config(plan: &Plan, agi: SocketAddr) -> SimConfig {
    let mut config = SimConfig::new(agi, "strowger", AMI_SECRET);
    config.time_scale = SCALE;
    config.agent_answer = Spread::millis(200, 0);
    config.model = CalleeModel {
        human: 1.0,
        machine: 0.0,
        busy: 0.0,
        no_answer: 0.0,
        rejected: 0.0,
        unallocated: 0.0,
        congestion: 0.0,
        ring: Spread::millis(3_000, 1_000),
        talk: Spread::millis(20_000, 5_000),
        // A person who is being connected does not leave before a slow machine has done it.
        patience: Spread::millis(60_000, 0),
        amd_delay: Spread::millis(1_000, 200),
        amd_accuracy: 1.0,
    };
    for (place, callee) in &plan.callees {
        config.pins.insert(number(*place), callee.clone());
    }
    config
        .failing_trunks
        .extend(plan.failing_trunks.iter().map(|trunk| (*trunk).to_owned()));
    for (station, callee) in &plan.stations {
        config.pins.insert((*station).to_owned(), callee.clone());
    }
    config
}

/// An address that is free, and stays so while a daemon is away: its port is not one that the
/// system gives to outgoing connections.
pub(crate) fn free_address() -> SocketAddr {
    loop {
        let (high, low) = (Uuid::new_v4().as_u64_pair().0 % 12_000, 20_000);
        let port = u16::try_from(low + high).unwrap();
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().unwrap();
        }
    }
}

/// Looks again and again until there is what is looked for.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let deadline = Instant::now() + LONG;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {LONG:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}
