//! The live view: what goes on now, and each change of it under a number.
//!
//! The [`Hub`] keeps a projection of everything that a board shows. A watcher gets a
//! snapshot and then every change, numbered without a gap; one that comes back tells the
//! last number it saw and gets what it missed, or a new snapshot when that is too long ago.
//! A watcher that does not keep up is told so and takes a new snapshot: it never slows
//! the exchange, whose `publish` does not wait.
#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use strowger_core::{
    ids::{CallId, CampaignId, UserId},
    live::{AgentView, CallView, CampaignView, Change, ServerView},
    telephony::ServerName,
};
use tokio::sync::broadcast;

/// Changes kept for watchers that come back: about a minute of a busy centre.
const KEPT: usize = 8_192;

/// Changes that a watcher may fall behind before it needs a new snapshot.
const BEHIND: usize = 1_024;

/// A change and its number.
#[derive(Debug, Clone, Serialize)]
pub struct Numbered {
    /// Counts the changes of one run of the daemon from 1.
    pub seq: u64,
    /// The change.
    #[serde(flatten)]
    pub change: Change,
}

/// Everything that a board shows, as of one change.
#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    /// Names the run of the daemon that numbers belong to.
    pub run: String,
    /// The last change that is contained.
    pub seq: u64,
    /// Agents with a session.
    pub agents: Vec<AgentView>,
    /// Calls that are not closed.
    pub calls: Vec<CallView>,
    /// Campaigns.
    pub campaigns: Vec<CampaignView>,
    /// Links to exchanges.
    pub servers: Vec<ServerView>,
}

/// Where a watcher left off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The run, from the snapshot.
    pub run: String,
    /// The last number seen.
    pub seq: u64,
}

/// How a subscription begins.
#[derive(Debug)]
pub enum Start {
    /// With everything.
    Snapshot(Box<Snapshot>),
    /// With what was missed.
    Missed(Vec<Arc<Numbered>>),
}

/// A watcher's end of the hub.
#[derive(Debug)]
pub struct Subscription {
    /// How it begins.
    pub start: Start,
    changes: broadcast::Receiver<Arc<Numbered>>,
}

/// The watcher did not keep up: it must subscribe again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fell behind the live view")]
pub struct FellBehind;

impl Subscription {
    /// The next change; `Ok(None)` when the hub is gone.
    ///
    /// # Errors
    /// [`FellBehind`] when changes were missed.
    pub async fn next(&mut self) -> Result<Option<Arc<Numbered>>, FellBehind> {
        match self.changes.recv().await {
            Ok(change) => Ok(Some(change)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(_)) => Err(FellBehind),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    run: String,
    seq: u64,
    agents: BTreeMap<UserId, AgentView>,
    calls: BTreeMap<CallId, CallView>,
    campaigns: BTreeMap<CampaignId, CampaignView>,
    servers: BTreeMap<ServerName, ServerView>,
    kept: VecDeque<Arc<Numbered>>,
}

impl State {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            run: self.run.clone(),
            seq: self.seq,
            agents: self.agents.values().cloned().collect(),
            calls: self.calls.values().cloned().collect(),
            campaigns: self.campaigns.values().cloned().collect(),
            servers: self.servers.values().cloned().collect(),
        }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::Agent(view) => {
                self.agents.insert(view.id.clone(), view.clone());
            }
            Change::AgentGone { id } => {
                self.agents.remove(id);
            }
            Change::Call(view) => {
                self.calls.insert(view.id, view.clone());
            }
            Change::CallGone { id } => {
                self.calls.remove(id);
            }
            Change::Campaign(view) => {
                self.campaigns.insert(view.id.clone(), view.clone());
            }
            Change::CampaignGone { id } => {
                self.campaigns.remove(id);
            }
            Change::Server(view) => {
                self.servers.insert(view.name.clone(), view.clone());
            }
        }
    }

    /// What came after `position`, if all of it is still kept.
    fn since(&self, position: &Position) -> Option<Vec<Arc<Numbered>>> {
        let oldest = self.kept.front().map_or(self.seq + 1, |change| change.seq);
        let known =
            position.run == self.run && position.seq <= self.seq && position.seq + 1 >= oldest;
        known.then(|| {
            self.kept
                .iter()
                .filter(|change| change.seq > position.seq)
                .cloned()
                .collect()
        })
    }
}

/// See the crate. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Arc<Numbered>>,
}

impl Hub {
    /// An empty view; `run` must differ from that of every earlier run of the daemon.
    pub fn new(run: String) -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                run,
                ..State::default()
            })),
            changes: broadcast::channel(BEHIND).0,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a change, keeps it and tells every watcher. Never waits.
    pub fn publish(&self, change: Change) {
        let mut state = self.state();
        state.apply(&change);
        state.seq += 1;
        let numbered = Arc::new(Numbered {
            seq: state.seq,
            change,
        });
        if state.kept.len() == KEPT {
            state.kept.pop_front();
        }
        state.kept.push_back(Arc::clone(&numbered));
        // Sent under the lock, so that a subscription never misses or repeats a number.
        // An error only says that nobody watches.
        let _ = self.changes.send(numbered);
    }

    /// Begins to watch, from where the watcher left off when that is still known.
    pub fn subscribe(&self, from: Option<&Position>) -> Subscription {
        let state = self.state();
        let start = match from.and_then(|position| state.since(position)) {
            Some(missed) => Start::Missed(missed),
            None => Start::Snapshot(Box::new(state.snapshot())),
        };
        Subscription {
            start,
            changes: self.changes.subscribe(),
        }
    }

    /// Everything that goes on now.
    pub fn snapshot(&self) -> Snapshot {
        self.state().snapshot()
    }

    /// How many watchers there are.
    pub fn watchers(&self) -> usize {
        self.changes.receiver_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_core::time::Timestamp;

    fn server(name: &str, up: bool) -> Change {
        Change::Server(ServerView {
            name: name.into(),
            up,
            since: Timestamp::UNIX_EPOCH,
        })
    }

    #[tokio::test]
    async fn a_watcher_gets_a_snapshot_and_then_numbered_changes() {
        let hub = Hub::new("run".to_owned());
        hub.publish(server("a", true));
        let mut watcher = hub.subscribe(None);
        hub.publish(server("a", false));
        let Start::Snapshot(snapshot) = &watcher.start else {
            panic!("no snapshot")
        };
        assert_eq!((snapshot.seq, snapshot.servers.len()), (1, 1));
        assert_eq!(watcher.next().await.unwrap().unwrap().seq, 2);
    }

    #[tokio::test]
    async fn one_who_comes_back_gets_exactly_what_was_missed() {
        let hub = Hub::new("run".to_owned());
        for _ in 0..5 {
            hub.publish(server("a", true));
        }
        let position = Position {
            run: "run".to_owned(),
            seq: 3,
        };
        let Start::Missed(missed) = hub.subscribe(Some(&position)).start else {
            panic!("no resume")
        };
        assert_eq!(missed.iter().map(|m| m.seq).collect::<Vec<_>>(), [4, 5]);
    }

    #[tokio::test]
    async fn one_from_another_run_or_from_too_long_ago_gets_a_snapshot() {
        let hub = Hub::new("run".to_owned());
        for _ in 0..=KEPT {
            hub.publish(server("a", true));
        }
        for (run, seq) in [("other", 5), ("run", 0), ("run", u64::MAX - 1)] {
            let position = Position {
                run: run.to_owned(),
                seq,
            };
            assert!(
                matches!(hub.subscribe(Some(&position)).start, Start::Snapshot(_)),
                "{run} {seq}"
            );
        }
    }

    #[tokio::test]
    async fn a_slow_watcher_is_told_and_does_not_hold_the_hub_up() {
        let hub = Hub::new("run".to_owned());
        let mut watcher = hub.subscribe(None);
        for _ in 0..=BEHIND {
            hub.publish(server("a", true));
        }
        assert_eq!(watcher.next().await.unwrap_err(), FellBehind);
    }
}
