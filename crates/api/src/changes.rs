//! What was changed just now, for those who show it.
//!
//! A route that changed something says so after it is stored; whoever watches reads it anew.
//! The message names the thing and not its content, so that each watcher gets the shape and
//! the part of it that is theirs.

use tokio::sync::broadcast;

/// Changes that a watcher may fall behind; then it reads everything anew.
const BEHIND: usize = 1_024;

/// What kind of thing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A user.
    User,
    /// A group of users.
    Group,
    /// A campaign, or contacts of it.
    Campaign,
    /// An agent script.
    Script,
    /// An IVR flow.
    Flow,
    /// A sound.
    MediaFile,
    /// A site.
    Site,
    /// A profile of call controls.
    AgentProfile,
    /// Something agents can be doing.
    ActivityType,
    /// A qualification.
    Qualification,
    /// A group of qualifications.
    QualificationGroup,
    /// A trunk.
    Trunk,
    /// A number.
    Did,
    /// The planning of an agent; the id is the agent's.
    Planning,
    /// Several users at once, or what belongs to them; the id is empty.
    Users,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    /// It is new.
    Created,
    /// It is different.
    Updated,
    /// It is gone.
    Deleted,
}

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Changed {
    /// What kind of thing.
    pub(crate) kind: Kind,
    /// What became of it.
    pub(crate) what: What,
    /// Which.
    pub(crate) id: String,
}

/// Tells everybody who watches.
#[derive(Debug, Clone)]
pub(crate) struct Changes(broadcast::Sender<Changed>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }
}

impl Changes {
    /// Says what was changed, after it is stored.
    pub(crate) fn tell(&self, kind: Kind, what: What, id: impl Into<String>) {
        // An error only says that nobody watches.
        let _ = self.0.send(Changed {
            kind,
            what,
            id: id.into(),
        });
    }

    /// Every change from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Changed> {
        self.0.subscribe()
    }
}
