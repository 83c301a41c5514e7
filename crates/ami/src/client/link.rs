//! The life of a link: sessions, pauses, and the end.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::dispatch::Dispatch;
use super::handshake::{Failure, Purpose, Session, establish};
use super::health::{LinkState, Shared};
use super::lane::{End, Lane};
use super::{ActionError, ClientConfig, Notice};
use crate::actions;

/// How long a polite goodbye may take.
const LOGOFF_TIME: Duration = Duration::from_millis(250);

pub(super) struct Link {
    pub(super) config: ClientConfig,
    /// Carries the events, and the actions that are answered by many.
    pub(super) events: Lane,
    /// Carries the other actions, unless the account may have one session only.
    pub(super) control: Lane,
    pub(super) shared: Arc<Shared>,
    pub(super) rng: StdRng,
    pub(super) cancel: CancellationToken,
    pub(super) dispatch: Dispatch,
}

/// What a link consists of while it is up.
struct Sessions {
    events: Session,
    control: Option<Session>,
}

impl Link {
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        loop {
            self.shared.set_state(LinkState::Connecting);
            let connecting = connect(
                self.config.clone(),
                [self.events.prefix.clone(), self.control.prefix.clone()],
                self.dispatch.wanted().mask(),
            );
            let Some(outcome) = self.refusing(connecting).await else {
                break;
            };
            let server = &self.config.server;
            let again = match outcome {
                Ok(sessions) => {
                    let since = Instant::now();
                    let End::Lost(reason) = self.serve(sessions).await else {
                        break;
                    };
                    tracing::debug!(ami.server = %self.config.server, %reason, "AMI link lost");
                    self.shared.set_error(Some(reason.to_string()));
                    self.dispatch.down(&reason);
                    if since.elapsed() >= self.config.stable_after {
                        failures = 0;
                    }
                    self.wait_a_while(&mut failures).await
                }
                Err(Failure::Refused { message }) => {
                    tracing::debug!(ami.server = %server, message, "Asterisk refused the manager account");
                    self.shared
                        .set_error(Some(format!("the server refused the account: {message}")));
                    let shared = Arc::clone(&self.shared);
                    // One that came before this refusal does not count.
                    let _ = shared.retry.notified().now_or_never();
                    // Before the notice: who has seen it may retry at once.
                    shared.set_state(LinkState::Refused);
                    self.dispatch.refused(message);
                    self.refusing(shared.retry.notified()).await
                }
                Err(Failure::Transport(reason)) => {
                    tracing::info!(ami.server = %server, %reason, "No AMI link");
                    self.shared.set_error(Some(reason.to_string()));
                    self.wait_a_while(&mut failures).await
                }
            };
            if again.is_none() {
                break;
            }
        }
    }

    /// Exponential backoff with full jitter: servers that fail together are not
    /// called again together.
    async fn wait_a_while(&mut self, failures: &mut u32) -> Option<()> {
        let bound = backoff_bound(self.config.backoff_min, self.config.backoff_max, *failures);
        *failures = failures.saturating_add(1);
        self.shared.set_state(LinkState::Backoff);
        let pause = bound.mul_f64(self.rng.random::<f64>());
        self.refusing(sleep(pause)).await
    }

    /// Does `work` while there is no session: actions fail at once. `None` when the
    /// link is to end.
    async fn refusing<F: Future>(&mut self, work: F) -> Option<F::Output> {
        tokio::pin!(work);
        loop {
            let command = tokio::select! {
                () = self.cancel.cancelled() => return None,
                output = &mut work => return Some(output),
                () = self.shared.changed.notified() => {
                    self.dispatch.refresh();
                    if !self.dispatch.has_consumers() {
                        return None;
                    }
                    continue;
                }
                command = self.events.refused() => command,
                command = self.control.refused() => command,
            };
            command.reply.fail(ActionError::NotConnected);
        }
    }

    /// Serves the sessions of a link until the first of them ends.
    async fn serve(&mut self, sessions: Sessions) -> End {
        let Sessions {
            mut events,
            mut control,
        } = sessions;
        tracing::debug!(ami.server = %self.config.server, ami.version = %events.ami_version, "AMI link up");
        // Before the notice: who has seen it may send at once.
        self.shared.set_state(LinkState::Up);
        self.dispatch.refresh();
        self.dispatch.up(Notice::Up {
            ami_version: events.ami_version.clone(),
            asterisk_version: events.asterisk_version.clone(),
            boot: events.boot,
        });
        let config = &self.config;
        let controlled = async {
            match &mut control {
                Some(session) => self.control.serve(session, config, None).await,
                None => std::future::pending().await,
            }
        };
        let end = tokio::select! {
            () = self.cancel.cancelled() => End::Stop,
            end = self.events.serve(&mut events, config, Some(&mut self.dispatch)) => end,
            end = controlled => end,
        };
        // Before the failures: who sees one must not find the link up.
        self.shared.set_state(LinkState::Backoff);
        let (events_whole, control_whole) = (self.events.fail_all(), self.control.fail_all());
        self.shared.pause(false);
        if matches!(end, End::Stop) {
            // Behind half an action, a goodbye would complete it.
            if events_whole {
                goodbye(&mut events).await;
            }
            if let Some(control) = control.as_mut().filter(|_| control_whole) {
                goodbye(control).await;
            }
        }
        end
    }
}

/// Whatever ends the task, nobody is left waiting.
impl Drop for Link {
    fn drop(&mut self) {
        self.shared.set_state(LinkState::Stopped);
        self.events.close();
        self.control.close();
        self.dispatch.end();
    }
}

/// Makes the sessions of a link, one after the other: an account that is refused
/// is refused once. That of the events comes last, since from then on it must be read.
async fn connect(
    config: ClientConfig,
    [events, control]: [String; 2],
    mask: String,
) -> Result<Sessions, Failure> {
    let control = if config.two_sessions {
        Some(establish(&config, control, Purpose::Control).await?)
    } else {
        None
    };
    let events = establish(&config, events, Purpose::Events { mask }).await?;
    Ok(Sessions { events, control })
}

/// Says goodbye, as far as that goes quickly.
async fn goodbye(session: &mut Session) {
    let Ok(logoff) = actions::logoff().encode("logoff") else {
        return;
    };
    let polite = async {
        session.writer.write_all(&logoff).await?;
        session.writer.shutdown().await
    };
    // The link ends either way, and the server notices that.
    let _ = timeout(LOGOFF_TIME, polite).await;
}

/// Longest pause after that many failures in a row: `min` doubled each time, up to `max`.
fn backoff_bound(min: Duration, max: Duration, failures: u32) -> Duration {
    let factor = 2_u32.saturating_pow(failures.min(31));
    min.saturating_mul(factor).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound() {
        let (min, max) = (Duration::from_millis(250), Duration::from_secs(15));
        let bounds: Vec<_> = (0..8)
            .map(|failures| backoff_bound(min, max, failures).as_millis())
            .collect();
        assert_eq!(bounds, [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
        assert_eq!(backoff_bound(min, max, u32::MAX), max);
    }
}
