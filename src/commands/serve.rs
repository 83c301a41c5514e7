//! `strowger serve`.

use std::{path::PathBuf, time::Duration};

use anyhow::bail;
use sd_notify::NotifyState;
use strowger_ami::Client;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use crate::{
    config::{Config, Needs},
    daemon::{self, Daemon},
    lifecycle::{self, Lifecycle},
    telemetry::{self, LogControl},
};

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// When it cannot be started, or a part of it failed.
pub async fn run(config: Config, file: Option<PathBuf>) -> anyhow::Result<()> {
    let logs = telemetry::start_logs(&config.log)?;
    let lifecycle = Lifecycle::default();
    let started = daemon::start(&config, &lifecycle).await;
    let daemon = match started {
        Ok(daemon) => daemon,
        Err(error) => {
            lifecycle.hard.cancel();
            lifecycle.tracker.close();
            return Err(error);
        }
    };
    let reloaded = config.clone();
    let links = daemon.links.clone();
    let signals = lifecycle::signals(lifecycle.clone(), move || {
        reload(&reloaded, file.as_deref(), &logs);
        // A refused account may have been corrected in Asterisk.
        links.iter().for_each(Client::retry);
    });
    lifecycle.supervise("signals", async move {
        if let Err(error) = signals.await {
            error!(%error, "Cannot wait for signals");
        }
    });
    lifecycle.tracker.spawn(lifecycle::watchdog(
        std::sync::Arc::clone(&daemon.progress),
        lifecycle.clone(),
    ));
    lifecycle::notify(&[NotifyState::Ready]);
    lifecycle.soft.cancelled().await;
    stop(
        daemon,
        &lifecycle,
        Duration::from_secs(config.shutdown.drain_seconds),
    )
    .await
}

/// Lets calls end, then stops everything.
pub(super) async fn stop(
    daemon: Daemon,
    lifecycle: &Lifecycle,
    drain: Duration,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + drain;
    // A claim on its way becomes a call that the figures do not have yet.
    tokio::select! {
        () = daemon.progress.drained() => {}
        () = lifecycle.hard.cancelled() => {}
        () = tokio::time::sleep_until(deadline) => {}
    }
    while !lifecycle.hard.is_cancelled()
        && Instant::now() < deadline
        && daemon.progress.status().stats.calls > 0
    {
        tokio::select! {
            () = lifecycle.hard.cancelled() => {}
            () = sleep(Duration::from_millis(200)) => {}
        }
    }
    let left = daemon.progress.status().stats.calls;
    if left > 0 {
        info!(
            calls = left,
            "Stopping; these calls go on in Asterisk and are adopted by the next start"
        );
    }
    lifecycle.hard.cancel();
    lifecycle.tracker.close();
    if tokio::time::timeout(Duration::from_secs(20), lifecycle.tracker.wait())
        .await
        .is_err()
    {
        warn!(
            tasks = lifecycle.tracker.len(),
            "Some tasks did not end in time"
        );
    }
    daemon.database.close().await;
    if lifecycle.has_failed() {
        bail!("a part of the daemon failed, see the log");
    }
    Ok(())
}

/// Takes what can change without a restart: the log filter. Of everything else it is said
/// that a restart is needed.
fn reload(running: &Config, file: Option<&std::path::Path>, logs: &LogControl) {
    lifecycle::notify(&[
        NotifyState::Reloading,
        NotifyState::monotonic_usec_now().unwrap_or(NotifyState::Status("reloading")),
    ]);
    match Config::load(file, Needs::All) {
        Ok(config) => {
            if let Err(error) = logs.set(&config.log.filter) {
                error!(%error, "Cannot change the log filter");
            }
            if changed(running, &config) {
                warn!(
                    "Settings other than log.filter have changed: they take effect at the next restart"
                );
            }
            info!("Reloaded");
        }
        Err(error) => error!(
            error = format!("{error:#}"),
            "The new configuration is not valid, nothing is changed"
        ),
    }
    lifecycle::notify(&[NotifyState::Ready]);
}

fn changed(old: &Config, new: &Config) -> bool {
    let but_log = |config: &Config| {
        let mut config = config.clone();
        config.log.filter.clear();
        // Secrets show as redacted: a changed secret alone is not noticed here.
        format!("{config:?}")
    };
    but_log(old) != but_log(new)
}
