//! Starting, stopping and being watched.

use std::{sync::Arc, time::Duration};

use sd_notify::NotifyState;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::interval,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use crate::exchange::Progress;

/// How the daemon is told to stop: softly first, then at once.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// No new calls; those in progress may end.
    pub soft: CancellationToken,
    /// Stop now.
    pub hard: CancellationToken,
    /// Every task that must have ended before the process does.
    pub tracker: TaskTracker,
    failed: Arc<std::sync::atomic::AtomicBool>,
}

impl Lifecycle {
    /// Runs a task without which the daemon is of no use: when it ends before it is told
    /// to, everything is stopped and the process ends with an error, so that systemd
    /// starts it anew.
    pub fn supervise(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let lifecycle = self.clone();
        self.tracker.spawn(async move {
            let guard = Guard {
                name,
                lifecycle: lifecycle.clone(),
            };
            task.await;
            drop(guard);
        });
    }

    /// Whether a supervised task ended by itself.
    pub fn has_failed(&self) -> bool {
        self.failed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// Notices the end of a supervised task, by panic as well.
struct Guard {
    name: &'static str,
    lifecycle: Lifecycle,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.lifecycle.hard.is_cancelled() {
            error!(
                task = self.name,
                "A task that must not end has ended, stopping"
            );
            self.lifecycle
                .failed
                .store(true, std::sync::atomic::Ordering::Relaxed);
            self.lifecycle.soft.cancel();
            self.lifecycle.hard.cancel();
        }
    }
}

/// Tells the service manager; does nothing when there is none.
pub fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "Cannot notify the service manager");
    }
}

/// Waits for signals: the first SIGTERM or SIGINT stops softly, the second at once,
/// SIGHUP calls `reload`.
///
/// # Errors
/// When signals cannot be waited for.
pub async fn signals(lifecycle: Lifecycle, mut reload: impl FnMut()) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            () = lifecycle.hard.cancelled() => return Ok(()),
            _ = hangup.recv() => {
                info!("Reloading");
                reload();
            }
            _ = terminate.recv() => stop(&lifecycle),
            _ = interrupt.recv() => stop(&lifecycle),
        }
    }
}

fn stop(lifecycle: &Lifecycle) {
    if lifecycle.soft.is_cancelled() {
        warn!("Stopping at once");
        lifecycle.hard.cancel();
    } else {
        info!("Stopping: no new calls are placed; another signal stops at once");
        notify(&[NotifyState::Stopping]);
        lifecycle.soft.cancel();
    }
}

/// Feeds the watchdog of the service manager, but only while the exchange makes progress: a
/// daemon whose switchboard hangs must be killed, however well its other tasks are.
pub async fn watchdog(progress: Arc<Progress>, lifecycle: Lifecycle) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut tick = interval((limit / 4).max(Duration::from_millis(100)));
    let (mut last, mut still) = (None, 0_u32);
    loop {
        tokio::select! {
            () = lifecycle.hard.cancelled() => return,
            _ = tick.tick() => {
                let turns = progress.turns();
                if last.replace(turns) == Some(turns) {
                    still += 1;
                    // An idle exchange makes one turn a second: once or twice is no reason to worry.
                    if still >= 3 {
                        error!("The exchange makes no progress");
                    }
                } else {
                    still = 0;
                    notify(&[NotifyState::Watchdog]);
                }
            }
        }
    }
}
