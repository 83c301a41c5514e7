//! `strowger demo`: the main job on a simulated exchange.

use std::{
    collections::BTreeSet,
    fs::DirBuilder,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use strowger_core::{
    agent::{LegMode, Login},
    ids::{AgentSessionId, CampaignId},
    switchboard::Command,
    telephony::ServerName,
};
use strowger_sim::{CalleeModel, SimConfig, SimExchange, Spread};
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::{seed, serve};
use crate::{
    config::{Config, Server},
    daemon::{self, Daemon},
    lifecycle::{self, Lifecycle},
    telemetry,
};

/// The name of the simulated exchange.
const SERVER: &str = "simulated";

/// The account of the simulated manager interface.
const ACCOUNT: &str = "strowger";

/// What to show.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Stop after so many seconds; without it the demo runs until it is told to stop.
    #[arg(long, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: Option<u64>,
    /// Print the figures as one JSON object at the end.
    #[arg(long)]
    json: bool,
    /// Agents.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=999))]
    agents: u32,
    /// Contacts in the list.
    #[arg(long, default_value_t = 9_999, value_parser = clap::value_parser!(u32).range(1..=9_999))]
    contacts: u32,
    /// Decides how each number behaves: the same seed gives the same callees.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the demo in a directory of its own, which is removed at the end.
///
/// # Errors
/// When a part cannot be started or failed.
pub async fn run(mut config: Config, options: Options) -> anyhow::Result<()> {
    if !config.asterisk.servers.is_empty() {
        bail!(
            "the demo brings its own exchange: run it without [asterisk.servers] in the configuration"
        );
    }
    // Quiet by default: what there is to see is the board and the figures.
    if config.log.filter == "info" {
        "warn".clone_into(&mut config.log.filter);
    }
    let _logs = telemetry::start_logs(&config.log)?;
    // Short, because the path of a unix socket is limited, and not in a home directory,
    // which the user that runs PostgreSQL could not enter.
    let directory = PathBuf::from(format!("/var/tmp/strowger-demo-{}", daemon::new_secret()));
    // Made anew under a name that nobody can guess: the demo may run as root, and must not
    // follow what somebody else put there. The user that runs PostgreSQL may pass through.
    DirBuilder::new()
        .mode(0o711)
        .create(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    config.data_directory.clone_from(&directory);
    let result = run_in(config, &options).await;
    if let Err(error) = tokio::fs::remove_dir_all(&directory).await {
        warn!(%error, directory = %directory.display(), "Cannot remove the directory of the demo");
    }
    let report = result?;
    if options.json {
        print(&report.to_string());
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn print(text: &str) {
    println!("{text}");
}

async fn run_in(mut config: Config, options: &Options) -> anyhow::Result<Value> {
    let lifecycle = Lifecycle::default();
    let exchange = simulate(&mut config, options, &lifecycle).await?;
    let daemon = match daemon::start(&config, &lifecycle).await {
        Ok(daemon) => daemon,
        Err(error) => {
            lifecycle.hard.cancel();
            return Err(error);
        }
    };
    let signals = lifecycle::signals(lifecycle.clone(), || {});
    lifecycle.supervise("signals", async move {
        if let Err(error) = signals.await {
            warn!(%error, "Cannot wait for signals");
        }
    });
    let played = play(&daemon, &exchange, options, &lifecycle).await;
    let report = report(&daemon).await;
    serve::stop(daemon, &lifecycle, Duration::ZERO).await?;
    played?;
    report
}

/// Starts the exchange and writes it into the configuration.
async fn simulate(
    config: &mut Config,
    options: &Options,
    lifecycle: &Lifecycle,
) -> anyhow::Result<SimExchange> {
    let agi = free_address()?;
    config.asterisk.agi_listen = agi;
    let secret = daemon::new_secret();
    let mut sim = SimConfig::new(agi, ACCOUNT, secret.clone());
    sim.seed = options.seed;
    sim.model = CalleeModel {
        // A minute must show whole calls: people ring and talk as they do, only shorter.
        ring: Spread::millis(4_000, 2_000),
        talk: Spread::millis(15_000, 8_000),
        ..CalleeModel::default()
    };
    let exchange = SimExchange::start(sim, &lifecycle.tracker, lifecycle.hard.clone()).await?;
    let server = Server {
        host: exchange.ami_addr().ip().to_string(),
        port: exchange.ami_addr().port(),
        username: ACCOUNT.to_owned(),
        secret: secret.into(),
        secret_file: PathBuf::new(),
        tls_trust: PathBuf::new(),
        tls_server_name: String::new(),
        one_session: false,
        trunks_file: PathBuf::new(),
    };
    config.asterisk.servers.insert(SERVER.to_owned(), server);
    Ok(exchange)
}

/// An address that was free a moment ago: the exchange and the daemon each need to know the
/// other's before they start.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?)
}

async fn play(
    daemon: &Daemon,
    exchange: &SimExchange,
    options: &Options,
    lifecycle: &Lifecycle,
) -> anyhow::Result<()> {
    let server = ServerName::from(SERVER);
    let plan = seed::Options {
        agents: options.agents,
        contacts: options.contacts,
        trunk: "carrier".to_owned(),
        server: None,
    };
    let planted = seed::plant(&daemon.database.store, &plan, server.clone()).await?;
    let campaign = planted.campaign.settings.id.clone();
    for (place, agent) in (1..).zip(&planted.agents) {
        let login = Login {
            agent: agent.id.clone(),
            name: agent.display_name(),
            session: AgentSessionId(daemon::new_id()),
            server: server.clone(),
            station: format!("PJSIP/{}", 1_000 + place),
            leg_mode: LegMode::NailedUp,
            campaigns: BTreeSet::from([campaign.clone()]),
            queues: BTreeSet::new(),
        };
        daemon.exchange.send(Command::LogIn(login)).await?;
        daemon
            .exchange
            .send(Command::Ready(agent.id.clone()))
            .await?;
    }
    daemon
        .exchange
        .send(Command::Configure(Box::new(
            planted.campaign.settings.clone(),
        )))
        .await?;
    start_campaign(daemon, &campaign).await?;
    if !options.json || options.seconds.is_none() {
        print(&format!("board     http://{}", daemon.http_address));
        print(&format!("log in    admin / {}", planted.password));
    }
    let end = options
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    loop {
        tokio::select! {
            () = lifecycle.soft.cancelled() => break,
            () = sleep(Duration::from_secs(1)) => {}
        }
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
    }
    let stats = exchange.stats().await;
    let duplicates = stats.duplicates();
    if !duplicates.is_empty() {
        bail!(
            "these channels were dialed twice: {}",
            duplicates.join(", ")
        );
    }
    Ok(())
}

async fn start_campaign(daemon: &Daemon, campaign: &CampaignId) -> anyhow::Result<()> {
    let epoch = daemon.database.store.start_campaign(campaign).await?;
    daemon
        .exchange
        .send(Command::Start {
            campaign: campaign.clone(),
            epoch,
        })
        .await?;
    Ok(())
}

/// The figures of the run.
async fn report(daemon: &Daemon) -> anyhow::Result<Value> {
    // The status is refreshed once a second.
    sleep(Duration::from_millis(1_100)).await;
    let stats = daemon.progress.status().stats;
    let view = daemon.hub.snapshot();
    let counters = view
        .campaigns
        .first()
        .map(|campaign| campaign.counters)
        .unwrap_or_default();
    let worked = stats.busy_ms + stats.waiting_ms;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a demo")]
    let occupancy = if worked == 0 {
        0.0
    } else {
        (stats.busy_ms as f64 * 1_000.0 / worked as f64).round() / 10.0
    };
    Ok(json!({
        "attempts": counters.attempts,
        "ended": counters.ended,
        "answered_human": counters.answered_human,
        "answered_machine": counters.answered_machine,
        "bridged": counters.bridged,
        "abandoned": counters.abandoned,
        "agents": view.agents.len(),
        "occupancy": occupancy,
        "events": daemon.database.store.event_count().await?,
        "invariant_violations": stats.violations,
    }))
}
