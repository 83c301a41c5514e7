//! Logs and metrics of the daemon itself.

mod recent;

use std::{io::IsTerminal as _, sync::Arc};

use anyhow::Context;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use strowger_ami::{Client, ConsumerHealth, LinkState};
use strowger_core::{switchboard::Stats, telephony::ServerName};
use tracing_subscriber::{
    EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt,
};

pub use recent::recent_lines;

use crate::config::{Log, LogFormat};

/// Changes the log filter of the running daemon.
#[derive(Debug, Clone)]
pub struct LogControl(reload::Handle<EnvFilter, Registry>);

impl LogControl {
    /// Takes a new filter.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn set(&self, filter: &str) -> anyhow::Result<()> {
        self.0
            .reload(parse(filter)?)
            .context("cannot change the log filter")
    }
}

fn parse(filter: &str) -> anyhow::Result<EnvFilter> {
    EnvFilter::try_new(filter).with_context(|| format!("{filter:?} is no log filter"))
}

/// Whether a log filter can be read.
///
/// # Errors
/// When it cannot.
pub fn check_filter(filter: &str) -> anyhow::Result<()> {
    parse(filter).map(drop)
}

/// Starts logging to standard error, which systemd keeps in the journal.
///
/// # Errors
/// When the filter cannot be read or logging was started already.
pub fn start_logs(settings: &Log) -> anyhow::Result<LogControl> {
    let (filter, control) = reload::Layer::new(parse(&settings.filter)?);
    let registry = tracing_subscriber::registry()
        .with(filter)
        .with(recent::Recent);
    match settings.format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    // Colours are for people: in a journal they are noise.
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_writer(std::io::stderr),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(fmt::layer().json().with_writer(std::io::stderr))
            .try_init(),
    }
    .context("cannot start logging")?;
    Ok(LogControl(control))
}

/// Starts collecting metrics; the handle renders them.
///
/// # Errors
/// When a recorder was installed already.
pub fn start_metrics() -> anyhow::Result<Arc<PrometheusHandle>> {
    let handle = PrometheusBuilder::new()
        .install_recorder()
        .context("cannot start metrics")?;
    Ok(Arc::new(handle))
}

/// How many writes the database has not taken yet.
#[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
pub fn report_writes(waiting: usize) {
    gauge!("strowger_store_writes_waiting").set(waiting as f64);
}

/// Writes the figures of the switchboard and the links.
pub fn report(stats: &Stats, links: &[(ServerName, Client)]) {
    counter!("strowger_invariant_violations_total").absolute(stats.violations);
    counter!("strowger_calls_adopted_total").absolute(stats.adopted);
    counter!("strowger_snapshot_corrections_total").absolute(stats.corrected);
    counter!("strowger_orphan_channels_total").absolute(stats.orphans);
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of calls and agents are far below 2^52"
    )]
    {
        gauge!("strowger_calls").set(stats.calls as f64);
        gauge!("strowger_agents").set(stats.agents as f64);
    }
    for (server, client) in links {
        let health = client.health();
        let up = f64::from(u8::from(health.state == LinkState::Up));
        gauge!("strowger_ami_up", "server" => server.to_string()).set(up);
        counter!("strowger_ami_events_total", "server" => server.to_string())
            .absolute(health.events);
        counter!("strowger_ami_reconnects_total", "server" => server.to_string())
            .absolute(health.reconnects);
        counter!("strowger_ami_received_bytes_total", "server" => server.to_string())
            .absolute(health.received_bytes);
        counter!("strowger_ami_skipped_frames_total", "server" => server.to_string())
            .absolute(health.skipped_frames);
        counter!("strowger_ami_pauses_total", "server" => server.to_string())
            .absolute(health.pauses);
        gauge!("strowger_ami_paused_seconds", "server" => server.to_string())
            .set(health.paused.as_secs_f64());
        if let Some(rtt) = health.rtt {
            gauge!("strowger_ami_round_trip_seconds", "server" => server.to_string())
                .set(rtt.as_secs_f64());
        }
        for consumer in health.consumers {
            report_consumer(server, consumer);
        }
    }
}

/// Writes how far a consumer of AMI events is behind.
fn report_consumer(server: &ServerName, consumer: ConsumerHealth) {
    let labels = [("server", server.to_string()), ("consumer", consumer.name)];
    #[expect(clippy::cast_precision_loss, reason = "queues are far below 2^52")]
    {
        gauge!("strowger_ami_queued_events", &labels).set(consumer.queued_events as f64);
        gauge!("strowger_ami_queued_bytes", &labels).set(consumer.queued_bytes as f64);
    }
    if let Some(lag) = consumer.lag {
        gauge!("strowger_ami_lag_seconds", &labels).set(lag.as_secs_f64());
    }
    counter!("strowger_ami_dropped_events_total", &labels).absolute(consumer.dropped);
    counter!("strowger_ami_consumer_gaps_total", &labels).absolute(consumer.gaps);
}
