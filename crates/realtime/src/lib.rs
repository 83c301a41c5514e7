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
    ids::{CallId, CampaignId, TrunkId, UserId},
    live::{AgentView, CallView, CampaignView, Change, ServerView, TrunkView},
    telephony::ServerName,
};
use tokio::sync::broadcast;

/// Changes kept for watchers that come back: about a minute of a busy centre.
const KEPT: usize = 8_192;

/// Changes that a watcher may fall behind before it needs a new snapshot.
const BEHIND: usize = 1_024;

/// A change and its number.
#[derive(Debug, Clone)]
pub struct Numbered {
    /// Counts the changes of one run of the daemon from 1.
    pub seq: u64,
    /// `{"seq":n,"type":…,"data":…}`, written once for all watchers.
    pub json: Arc<str>,
    /// The change itself, for watchers that show it otherwise.
    pub change: Change,
}

/// The fields of a change as JSON, without the braces around them.
fn fields(change: &Change) -> String {
    let object = serde_json::to_string(change).unwrap_or_default();
    // A change is texts and numbers, which can always be written; a watcher would sooner
    // see an empty change than a gap.
    object
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or("\"type\":\"unknown\"")
        .to_owned()
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
    /// Trunks that campaigns dial through.
    pub trunks: Vec<TrunkView>,
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

/// A [`Snapshot`] that shares its entries with the view: quick to take.
struct Shared {
    run: String,
    seq: u64,
    agents: Vec<Arc<AgentView>>,
    calls: Vec<Arc<CallView>>,
    campaigns: Vec<Arc<CampaignView>>,
    servers: Vec<Arc<ServerView>>,
    trunks: Vec<Arc<TrunkView>>,
}

impl From<Shared> for Snapshot {
    fn from(shared: Shared) -> Self {
        Self {
            run: shared.run,
            seq: shared.seq,
            agents: owned(shared.agents),
            calls: owned(shared.calls),
            campaigns: owned(shared.campaigns),
            servers: owned(shared.servers),
            trunks: owned(shared.trunks),
        }
    }
}

fn owned<T: Clone>(entries: Vec<Arc<T>>) -> Vec<T> {
    entries.into_iter().map(Arc::unwrap_or_clone).collect()
}

fn entries<K, V>(map: &BTreeMap<K, Arc<V>>) -> Vec<Arc<V>> {
    map.values().cloned().collect()
}

#[derive(Debug, Default)]
struct State {
    run: String,
    seq: u64,
    agents: BTreeMap<UserId, Arc<AgentView>>,
    calls: BTreeMap<CallId, Arc<CallView>>,
    campaigns: BTreeMap<CampaignId, Arc<CampaignView>>,
    servers: BTreeMap<ServerName, Arc<ServerView>>,
    trunks: BTreeMap<TrunkId, Arc<TrunkView>>,
    kept: VecDeque<Arc<Numbered>>,
}

impl State {
    fn share(&self) -> Shared {
        Shared {
            run: self.run.clone(),
            seq: self.seq,
            agents: entries(&self.agents),
            calls: entries(&self.calls),
            campaigns: entries(&self.campaigns),
            servers: entries(&self.servers),
            trunks: entries(&self.trunks),
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Agent(view) => {
                self.agents.insert(view.id.clone(), Arc::new(view));
            }
            Change::AgentGone { id } => {
                self.agents.remove(&id);
            }
            Change::Call(view) => {
                self.calls.insert(view.id, Arc::new(view));
            }
            Change::CallGone { id } => {
                self.calls.remove(&id);
            }
            Change::Campaign(view) => {
                self.campaigns.insert(view.id.clone(), Arc::new(view));
            }
            Change::CampaignGone { id } => {
                self.campaigns.remove(&id);
            }
            Change::Server(view) => {
                self.servers.insert(view.name.clone(), Arc::new(view));
            }
            Change::Trunk(view) => {
                self.trunks.insert(view.id.clone(), Arc::new(view));
            }
            Change::TrunkGone { id } => {
                self.trunks.remove(&id);
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
        let fields = fields(&change);
        let mut state = self.state();
        state.apply(change.clone());
        state.seq += 1;
        let numbered = Arc::new(Numbered {
            seq: state.seq,
            json: format!("{{\"seq\":{},{fields}}}", state.seq).into(),
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
        let changes = self.changes.subscribe();
        let missed = from.and_then(|position| state.since(position));
        let shared = missed.is_none().then(|| state.share());
        // What takes longer happens without the lock, for which the exchange would wait.
        drop(state);
        let start = match shared {
            Some(shared) => Start::Snapshot(Box::new(shared.into())),
            None => Start::Missed(missed.unwrap_or_default()),
        };
        Subscription { start, changes }
    }

    /// Everything that goes on now.
    pub fn snapshot(&self) -> Snapshot {
        let shared = self.state().share();
        shared.into()
    }

    /// The number of the last change.
    pub fn seq(&self) -> u64 {
        self.state().seq
    }

    /// The agents with a session.
    pub fn agents(&self) -> Vec<Arc<AgentView>> {
        entries(&self.state().agents)
    }

    /// An agent with a session.
    pub fn agent(&self, id: &UserId) -> Option<Arc<AgentView>> {
        self.state().agents.get(id).cloned()
    }

    /// A call that is not closed.
    pub fn call(&self, id: CallId) -> Option<Arc<CallView>> {
        self.state().calls.get(&id).cloned()
    }

    /// A campaign.
    pub fn campaign(&self, id: &CampaignId) -> Option<Arc<CampaignView>> {
        self.state().campaigns.get(id).cloned()
    }

    /// The trunks that campaigns dial through.
    pub fn trunks(&self) -> Vec<Arc<TrunkView>> {
        entries(&self.state().trunks)
    }

    /// How many watchers there are.
    pub fn watchers(&self) -> usize {
        self.changes.receiver_count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strowger_core::{
        campaign::{CampaignCounters, CampaignState, DialingMode},
        time::Timestamp,
    };

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
    async fn a_change_is_written_once_for_all_watchers_and_those_that_come_back() {
        let hub = Hub::new("run".to_owned());
        let (mut one, mut two) = (hub.subscribe(None), hub.subscribe(None));
        hub.publish(server("a", true));
        let (one, two) = (
            one.next().await.unwrap().unwrap(),
            two.next().await.unwrap().unwrap(),
        );
        assert_eq!(
            &*one.json,
            r#"{"seq":1,"type":"server","data":{"name":"a","up":true,"since":"1970-01-01T00:00:00Z"}}"#
        );
        assert!(Arc::ptr_eq(&one.json, &two.json));
        let position = Position {
            run: "run".to_owned(),
            seq: 0,
        };
        let Start::Missed(missed) = hub.subscribe(Some(&position)).start else {
            panic!("no resume")
        };
        assert!(Arc::ptr_eq(&one.json, &missed[0].json));
    }

    #[tokio::test]
    async fn one_thing_is_found_without_a_snapshot() {
        let hub = Hub::new("run".to_owned());
        let id = CampaignId::new("cmp_1").unwrap();
        let view = CampaignView {
            id: id.clone(),
            name: "Autumn".to_owned(),
            state: CampaignState::Running,
            mode: DialingMode::Progressive,
            waits_for: None,
            boost: 1.0,
            pending_lines: 0,
            counters: CampaignCounters::default(),
        };
        hub.publish(Change::Campaign(view.clone()));
        assert_eq!(hub.campaign(&id).as_deref(), Some(&view));
        assert_eq!(hub.snapshot().campaigns, [view]);
        hub.publish(Change::CampaignGone { id: id.clone() });
        assert_eq!(hub.campaign(&id), None);
        assert_eq!(hub.agent(&UserId::new("usr_1").unwrap()), None);
        assert!(hub.agents().is_empty());
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
