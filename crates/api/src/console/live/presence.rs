//! Who is connected, and the session of an agent that follows from it.
//!
//! A console opens two sockets when somebody logs in and closes the first; a page that is
//! reloaded closes its socket and opens another. So sockets are counted, and an agent leaves
//! their station only when the last one has been gone for a while.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use strowger_core::{
    ids::UserId,
    permission::Role,
    switchboard::{Command, Refused},
};
use strowger_store::users::User;

use super::Note;
use crate::{
    device,
    exchange::ExchangeError,
    problem::Problem,
    routes::agents,
    state::{App, Shared},
};

/// The name under which the system writes to people.
pub(super) const SYSTEM: &str = "Strowger";

#[derive(Debug, Default)]
struct Entry {
    sockets: usize,
    /// How often the last socket went.
    departures: u64,
    /// A socket was lost: what was sent meanwhile did not arrive.
    lost: bool,
}

/// Who is connected.
#[derive(Debug, Default)]
pub(super) struct Presence(Mutex<HashMap<UserId, Entry>>);

impl Presence {
    fn entries(&self) -> MutexGuard<'_, HashMap<UserId, Entry>> {
        // Nothing that holds the lock can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A socket comes: whether it is the only one, and whether an earlier one was lost.
    fn arrive(&self, user: &UserId) -> (bool, bool) {
        let mut entries = self.entries();
        let entry = entries.entry(user.clone()).or_default();
        entry.sockets += 1;
        (entry.sockets == 1, std::mem::take(&mut entry.lost))
    }

    /// A socket goes: the number of the departure if it was the last one.
    fn leave(&self, user: &UserId, lost: bool) -> Option<u64> {
        let mut entries = self.entries();
        let entry = entries.get_mut(user)?;
        entry.lost |= lost;
        entry.sockets = entry.sockets.saturating_sub(1);
        if entry.sockets > 0 {
            return None;
        }
        entry.departures += 1;
        Some(entry.departures)
    }

    /// Whether nobody came since this departure; then the user is forgotten.
    fn forget(&self, user: &UserId, departure: u64) -> bool {
        let mut entries = self.entries();
        let gone = entries
            .get(user)
            .is_some_and(|entry| entry.sockets == 0 && entry.departures == departure);
        if gone {
            entries.remove(user);
        }
        gone
    }
}

/// A connected socket.
pub(super) struct Seat {
    app: Shared,
    user: User,
    /// An earlier socket was lost: the console must read its records anew.
    pub(super) missed: bool,
    /// This one was closed in order.
    pub(super) in_order: bool,
    /// The login has ended: the agent leaves at once if this was their last socket.
    pub(super) for_good: bool,
}

impl Seat {
    /// Counts a socket; the first one of an agent logs them in at their station.
    pub(super) fn take(app: &Shared, user: &User) -> Self {
        let (first, missed) = app.console.presence.arrive(&user.id);
        if first && user.role == Role::Agent {
            let (tasks, app, user) = (&app.tasks, Arc::clone(app), user.clone());
            tasks.spawn(async move {
                if let Err(problem) = begin(&app, &user).await {
                    tell(&app, &user.id, problem.detail());
                }
            });
        }
        Self {
            app: Arc::clone(app),
            user: user.clone(),
            missed,
            in_order: false,
            for_good: false,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let lost = !self.in_order;
        let Some(departure) = self.app.console.presence.leave(&self.user.id, lost) else {
            return;
        };
        let (tasks, app) = (&self.app.tasks, Arc::clone(&self.app));
        let user = self.user.clone();
        let grace = if self.for_good {
            Duration::ZERO
        } else {
            app.api.settings.console_grace
        };
        tasks.spawn(async move {
            tokio::select! {
                // Agents stay at their stations while the daemon restarts.
                () = app.api.shutdown.cancelled() => return,
                () = tokio::time::sleep(grace) => {}
            }
            if app.console.presence.forget(&user.id, departure) && user.role == Role::Agent {
                end(&app, &user.id).await;
            }
        });
    }
}

/// Tells a user something on behalf of the system.
pub(super) fn tell(app: &App, user: &UserId, message: &str) {
    app.console.note(user, &Note::new(app, SYSTEM, message));
}

/// Logs an agent in at their station, unless they are.
pub(super) async fn begin(app: &App, user: &User) -> Result<(), Problem> {
    if app.api.hub.agent(&user.id).is_some() {
        return Ok(());
    }
    let device = device::of(app, user).await?;
    let login = agents::login(app, user, device.server, device.endpoint, device.leg_mode).await?;
    match app.api.exchange.send(Command::LogIn(login)).await {
        Ok(()) | Err(ExchangeError::Refused(Refused::AlreadyLoggedIn { .. })) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Logs an agent out of their station; during a call, after it.
pub(crate) async fn end(app: &App, user: &UserId) {
    match app.api.exchange.send(Command::LogOut(user.clone())).await {
        Ok(()) | Err(ExchangeError::Refused(Refused::NotLoggedIn(_))) => {}
        Err(error) => {
            tracing::warn!(%error, agent = %user, "An agent whose console is gone stays logged in");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_socket_that_stays_away_ends_a_session() {
        let presence = Presence::default();
        let user = UserId::new("usr_1").unwrap();
        assert_eq!(presence.arrive(&user), (true, false));
        assert_eq!(presence.arrive(&user), (false, false), "a login opens two");
        assert_eq!(presence.leave(&user, false), None);
        let departure = presence.leave(&user, false).unwrap();
        assert_eq!(
            presence.arrive(&user),
            (true, false),
            "the page was reloaded"
        );
        assert!(!presence.forget(&user, departure));
        let again = presence.leave(&user, false).unwrap();
        assert!(!presence.forget(&user, departure), "an earlier departure");
        assert!(presence.forget(&user, again));
        assert!(presence.entries().is_empty());
    }

    #[test]
    fn one_whose_socket_was_lost_is_known_when_they_come_back() {
        let presence = Presence::default();
        let user = UserId::new("usr_1").unwrap();
        presence.arrive(&user);
        presence.leave(&user, true);
        assert_eq!(presence.arrive(&user), (true, true));
        presence.leave(&user, false);
        assert_eq!(presence.arrive(&user), (true, false));
    }
}
