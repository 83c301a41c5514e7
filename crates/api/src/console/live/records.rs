//! Records that changed, read anew for the consoles.
//!
//! Many changes in a row are told once: each record has a pause after it was told, longer the
//! longer its message is, so that an import of contacts does not drown everybody in copies of
//! a campaign.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use serde_json::{Value, json};
use strowger_core::ids::UserId;
use tokio::{
    sync::{broadcast, mpsc},
    time::Instant,
};

use super::{Audience, Frame};
use crate::{
    changes::{Changed, Kind, What},
    console::feed::{self, View},
    state::Shared,
};

/// Most pauses that are remembered.
const REMEMBERED: usize = 10_000;

/// A message of so many bytes adds a second to the pause after it.
const BYTES_A_SECOND: usize = 500_000;

/// What is to be read and told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A record.
    Record(Changed),
    /// The figures of an agent.
    Figures(UserId),
    /// Who is logged in since when: supervisors read everything anew.
    Sessions,
    /// Changes were missed: everybody reads everything anew.
    Everything,
}

/// What is told at most once in a while.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Record(Kind, String),
    Figures(UserId),
    Supervisors,
    Agents,
    /// A record that is too large to be sent whenever it changes.
    Large,
}

impl Key {
    /// How long it waits for more of the same, and the pause after it was told.
    fn pace(&self) -> (Duration, Duration) {
        let (wait, pause) = match self {
            Self::Record(Kind::Campaign, _) => (200, 2_000),
            Self::Record(..) => (50, 250),
            Self::Figures(_) => (1_000, 5_000),
            Self::Supervisors | Self::Agents => (500, 3_000),
            // Each of them reads every contact anew.
            Self::Large => (1_000, 15_000),
        };
        (Duration::from_millis(wait), Duration::from_millis(pause))
    }
}

/// Passes the changes of records on.
pub(super) async fn watch(
    app: Shared,
    mut changes: broadcast::Receiver<Changed>,
    wanted: mpsc::Sender<Wanted>,
) {
    loop {
        let change = tokio::select! {
            () = app.api.shutdown.cancelled() => return,
            change = changes.recv() => change,
        };
        let what = match change {
            Ok(changed) => Wanted::Record(changed),
            Err(broadcast::error::RecvError::Lagged(_)) => Wanted::Everything,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        if wanted.send(what).await.is_err() {
            return;
        }
    }
}

/// Reads and tells what is wanted.
pub(super) async fn run(app: Shared, mut wanted: mpsc::Receiver<Wanted>) {
    let mut desk = Desk::default();
    loop {
        let due = desk.due();
        tokio::select! {
            biased;
            () = app.api.shutdown.cancelled() => return,
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((key, what)) = desk.next(Instant::now()) {
                    let frames = desk.tell(&app, &key, what).await;
                    desk.told(&key, &frames, Instant::now());
                    app.console.send(frames);
                }
            }
            what = wanted.recv() => match what {
                Some(_) if !app.console.is_watched() => {}
                Some(what) => app.console.send(desk.want(what, Instant::now())),
                None => return,
            }
        }
    }
}

/// What waits to be told.
#[derive(Debug, Default)]
struct Desk {
    waiting: HashMap<Key, (What, Instant)>,
    /// Not again before.
    rests: HashMap<Key, Instant>,
    /// What agents see of a campaign, as it was told last.
    campaigns: HashMap<String, u64>,
}

impl Desk {
    /// Notes what is wanted; gives what can be told at once.
    fn want(&mut self, wanted: Wanted, now: Instant) -> Vec<Frame> {
        let Changed { kind, what, id } = match wanted {
            Wanted::Record(changed) => changed,
            Wanted::Figures(user) => {
                self.wait(Key::Figures(user), What::Updated, now);
                return Vec::new();
            }
            Wanted::Sessions => {
                self.wait(Key::Supervisors, What::Updated, now);
                return Vec::new();
            }
            Wanted::Everything => {
                self.wait(Key::Supervisors, What::Updated, now);
                self.wait(Key::Agents, What::Updated, now);
                return Vec::new();
            }
        };
        match (kind, what) {
            (Kind::Users, _) => self.want(Wanted::Everything, now),
            (Kind::Planning, _) => planning(&id),
            (_, What::Deleted) => {
                self.waiting.remove(&Key::Record(kind, id.clone()));
                self.campaigns.remove(&id);
                if !has_handler(kind) {
                    self.wait(Key::Supervisors, What::Updated, now);
                }
                deleted(kind, &id)
            }
            (_, What::Created | What::Updated) => {
                if seen_in_part(kind) && kind != Kind::Campaign {
                    self.wait(Key::Agents, What::Updated, now);
                }
                if !has_handler(kind) {
                    self.wait(Key::Supervisors, What::Updated, now);
                }
                self.wait(Key::Record(kind, id), what, now);
                Vec::new()
            }
        }
    }

    fn wait(&mut self, key: Key, what: What, now: Instant) {
        let (wait, _) = key.pace();
        let due = (now + wait).max(self.rests.get(&key).copied().unwrap_or(now));
        // Something new that changes before it was told is still new.
        self.waiting.entry(key).or_insert((what, due));
    }

    fn due(&self) -> Option<Instant> {
        self.waiting.values().map(|(_, due)| *due).min()
    }

    fn next(&mut self, now: Instant) -> Option<(Key, What)> {
        let key = self
            .waiting
            .iter()
            .filter(|(_, (_, due))| *due <= now)
            .min_by_key(|(_, (_, due))| *due)
            .map(|(key, _)| key.clone())?;
        let (what, _) = self.waiting.remove(&key)?;
        Some((key, what))
    }

    async fn tell(&mut self, app: &Shared, key: &Key, what: What) -> Vec<Frame> {
        match key {
            Key::Supervisors | Key::Large => vec![Frame::reload(Audience::Supervisors)],
            Key::Agents => vec![Frame::reload(Audience::Agents)],
            Key::Figures(user) => figures(app, user).await,
            Key::Record(kind, id) => {
                if *kind == Kind::Campaign {
                    let head = feed::campaign_settings(app, id).await;
                    if head.is_some_and(|head| self.campaign_changed(id, &head)) {
                        self.wait(Key::Agents, What::Updated, Instant::now());
                    }
                }
                let Some(view) = self.read(app, *kind, id).await else {
                    return Vec::new();
                };
                let (created, updated, _) = names(*kind);
                let name = if what == What::Created {
                    created
                } else {
                    updated
                };
                vec![Frame::new(audience(*kind, id), name, view)]
            }
        }
    }

    /// A record as it is now. One that is too large has supervisors read everything anew.
    async fn read(&mut self, app: &Shared, kind: Kind, id: &str) -> Option<Value> {
        match view(app, kind, id).await? {
            View::Is(text) => serde_json::from_str(&text).ok(),
            View::Gone => None,
            View::ReadAnew => {
                self.wait(Key::Large, What::Updated, Instant::now());
                None
            }
        }
    }

    /// Whether something of a campaign changed besides its contacts: agents read anew then.
    fn campaign_changed(&mut self, id: &str, view: &Value) -> bool {
        let mut hasher = DefaultHasher::new();
        for (name, value) in view.as_object().into_iter().flatten() {
            if !matches!(name.as_str(), "contacts" | "updatedAt" | "quotaRules") {
                name.hash(&mut hasher);
                value.to_string().hash(&mut hasher);
            }
        }
        let now = hasher.finish();
        self.campaigns.insert(id.to_owned(), now) != Some(now)
    }

    fn told(&mut self, key: &Key, frames: &[Frame], now: Instant) {
        let (_, pause) = key.pace();
        let bytes: usize = frames.iter().map(|frame| frame.text.len()).sum();
        let longer = u64::try_from(bytes / BYTES_A_SECOND).unwrap_or(u64::MAX);
        if self.rests.len() >= REMEMBERED {
            self.rests.retain(|_, until| *until > now);
        }
        self.rests
            .insert(key.clone(), now + pause + Duration::from_secs(longer));
    }
}

/// The names of the messages: new, changed, deleted.
fn names(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::User => ("newUser", "updateUser", "deleteUser"),
        Kind::Group => ("newGroup", "updateGroup", "deleteGroup"),
        Kind::Campaign => ("campaignUpdate", "campaignUpdate", "deleteCampaign"),
        Kind::Script => ("newScript", "updateScript", "deleteScript"),
        Kind::Flow => ("newIvrFlow", "updateIvrFlow", "deleteIvrFlow"),
        Kind::MediaFile => ("newAudioFile", "updateAudioFile", "deleteAudioFile"),
        Kind::Site => ("newSite", "updateSite", "deleteSite"),
        Kind::AgentProfile => (
            "newAgentProfile",
            "updateAgentProfile",
            "deleteAgentProfile",
        ),
        Kind::ActivityType => (
            "newActivityType",
            "updateActivityType",
            "deleteActivityType",
        ),
        Kind::Qualification => (
            "newQualification",
            "updateQualification",
            "deleteQualification",
        ),
        Kind::QualificationGroup => (
            "newQualificationGroup",
            "updateQualificationGroup",
            "deleteQualificationGroup",
        ),
        Kind::Trunk => ("newTrunk", "updateTrunk", "deleteTrunk"),
        Kind::Did => ("newDid", "updateDid", "deleteDid"),
        Kind::Planning => ("planningUpdated", "planningUpdated", "planningUpdated"),
        Kind::Users => ("usersBulkUpdate", "usersBulkUpdate", "usersBulkUpdate"),
    }
}

/// Whether the console does something with the messages of this kind.
fn has_handler(kind: Kind) -> bool {
    !matches!(kind, Kind::Trunk | Kind::Did)
}

/// Whether agents see only some of these, so that they read anew instead of being told.
fn seen_in_part(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Campaign | Kind::Script | Kind::Site | Kind::AgentProfile
    )
}

fn audience(kind: Kind, id: &str) -> Audience {
    match kind {
        Kind::ActivityType | Kind::Qualification | Kind::QualificationGroup | Kind::Users => {
            Audience::All
        }
        Kind::User | Kind::Planning => match UserId::new(id) {
            Ok(user) => Audience::SupervisorsAnd(user),
            Err(_) => Audience::Supervisors,
        },
        Kind::Group
        | Kind::Campaign
        | Kind::Script
        | Kind::MediaFile
        | Kind::Site
        | Kind::AgentProfile => Audience::Supervisors,
        Kind::Flow | Kind::Trunk | Kind::Did => Audience::Administrators,
    }
}

/// An id says nothing to those who do not know it, so whoever has the record hears of its end.
fn deleted(kind: Kind, id: &str) -> Vec<Frame> {
    let to = if seen_in_part(kind) {
        Audience::All
    } else {
        audience(kind, id)
    };
    vec![Frame::new(to, names(kind).2, json!({"id": id}))]
}

fn planning(agent: &str) -> Vec<Frame> {
    let to = audience(Kind::Planning, agent);
    vec![Frame::new(to, "planningUpdated", json!({"agentId": agent}))]
}

/// A record as the console shows it; none when it cannot be read now.
async fn view(app: &Shared, kind: Kind, id: &str) -> Option<View> {
    match feed::view(app, kind, id).await {
        Ok(view) => Some(view),
        Err(problem) => {
            let detail = problem.0.detail();
            tracing::warn!(?kind, id, detail, "A record that changed cannot be read");
            None
        }
    }
}

/// The record of an agent with what they did today.
async fn figures(app: &Shared, user: &UserId) -> Vec<Frame> {
    let figures = match app.api.store.agent_figures(user, app.now()).await {
        Ok(figures) => figures,
        Err(error) => {
            tracing::warn!(%error, agent = %user, "The figures of an agent cannot be read");
            return Vec::new();
        }
    };
    let Some(View::Is(text)) = view(app, Kind::User, user.as_str()).await else {
        return Vec::new();
    };
    let Ok(Value::Object(mut view)) = serde_json::from_str(&text) else {
        return Vec::new();
    };
    let Value::Object(numbers) = json!({
        "callsHandledToday": figures.calls,
        "averageHandlingTime": figures.average_handling_s(),
        "averageTalkTime": figures.average_talk_s(),
        "pauseCount": figures.pauses,
        "trainingCount": figures.trainings,
        "totalPauseTime": figures.paused_s,
        "totalTrainingTime": figures.training_s,
        "totalConnectedTime": figures.connected_s,
    }) else {
        return Vec::new();
    };
    view.extend(numbers);
    let to = Audience::SupervisorsAnd(user.clone());
    vec![Frame::new(to, "updateUser", view)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(kind: Kind, what: What) -> Wanted {
        Wanted::Record(Changed {
            kind,
            what,
            id: "x_1".to_owned(),
        })
    }

    #[test]
    fn many_changes_of_a_record_are_told_once_and_then_after_a_pause() {
        let mut desk = Desk::default();
        let start = Instant::now();
        let key = Key::Record(Kind::Campaign, "x_1".to_owned());
        for what in [What::Created, What::Updated, What::Updated] {
            assert!(desk.want(changed(Kind::Campaign, what), start).is_empty());
        }
        let due = desk.due().unwrap();
        assert_eq!(due, start + Duration::from_millis(200));
        assert_eq!(desk.next(start), None, "it waits for more of the same");
        assert_eq!(desk.next(due), Some((key.clone(), What::Created)));
        assert_eq!(desk.next(due), None);
        let long = Frame::new(Audience::All, "campaignUpdate", "x".repeat(2_000_000));
        desk.told(&key, &[long], due);
        desk.want(changed(Kind::Campaign, What::Updated), due);
        assert_eq!(
            desk.due(),
            Some(due + Duration::from_secs(6)),
            "a long message rests longer"
        );
    }

    #[test]
    fn the_end_of_a_record_is_told_at_once_and_nothing_of_it_after() {
        let mut desk = Desk::default();
        let now = Instant::now();
        desk.want(changed(Kind::Script, What::Updated), now);
        let frames = desk.want(changed(Kind::Script, What::Deleted), now);
        assert_eq!(
            frames,
            [Frame::new(
                Audience::All,
                "deleteScript",
                json!({"id": "x_1"})
            )]
        );
        let (key, _) = desk.next(now + Duration::from_secs(1)).unwrap();
        assert_eq!(key, Key::Agents, "who had it reads anew");
        assert_eq!(desk.next(now + Duration::from_secs(1)), None);
    }

    #[test]
    fn what_the_console_has_no_handler_for_has_it_read_everything_anew() {
        let mut desk = Desk::default();
        let now = Instant::now();
        desk.want(changed(Kind::Trunk, What::Deleted), now);
        assert!(desk.waiting.contains_key(&Key::Supervisors));
    }

    #[test]
    fn agents_read_a_campaign_anew_only_when_more_than_its_contacts_changed() {
        let mut desk = Desk::default();
        let view = |name: &str, contacts: Value| json!({"id": "x_1", "name": name, "contacts": contacts, "updatedAt": contacts.to_string()});
        assert!(desk.campaign_changed("x_1", &view("a", json!([]))));
        assert!(!desk.campaign_changed("x_1", &view("a", json!([1]))));
        assert!(desk.campaign_changed("x_1", &view("b", json!([1]))));
    }
}
