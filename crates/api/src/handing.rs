//! Handing contacts to agents who ask for the next one, and knowing what they owe an answer for.
//!
//! An agent who works by asking waits here until there is somebody for them: with a dialer that
//! calls by itself, the person whom it has just connected to them; otherwise a contact that is
//! chosen by the dialer's rules and kept for them. Nobody looks again and again: one task
//! watches the live view and wakes those whom a change concerns.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use strowger_core::{
    agent::AgentState,
    call::Direction,
    campaign::DialingMode,
    ids::{CallId, CampaignId, ContactId, UserId},
    live::AgentView,
    switchboard::{Command, Refused},
    time::{Timestamp, after},
};
use strowger_realtime::FellBehind;
use strowger_store::cards::Card;
use tokio::{
    sync::{Notify, broadcast::error::RecvError},
    time::Instant,
};

use crate::{
    changes::Kind,
    exchange::ExchangeError,
    problem::Problem,
    routes::users::leave_station,
    state::{App, Shared},
};

/// The pause of an agent who has not said yet what came of their call: no other call goes to
/// them meanwhile.
pub(crate) const AFTER_CALL: &str = "En Post-Appel";

/// How long a campaign without anybody to call is left alone before one agent asks again.
const DRY: Duration = Duration::from_secs(5);

/// How long a contact is kept for an agent whose campaign says nothing of it, in minutes.
const HELD_MIN: u32 = 240;

/// How far back a call is looked for that an agent owes an answer for.
const OWED_MS: i64 = 12 * 3_600_000;

/// Most requests of one agent that wait at once.
const MAX_WAITING: usize = 4;

/// Those who work by asking for contacts.
#[derive(Debug, Default)]
pub(crate) struct Desks {
    state: Mutex<State>,
    is_watched: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    seats: HashMap<UserId, Seat>,
    /// Campaigns that had nobody to call, and when one agent may ask again.
    dry: HashMap<CampaignId, Instant>,
}

#[derive(Debug, Default)]
struct Seat {
    wake: Arc<Notify>,
    waiting: usize,
    /// Their last outbound call, until they say what came of it.
    owed: Option<CallId>,
    /// The last one of which they said it.
    answered: Option<CallId>,
}

/// An agent's place among those who wait; leaving it is dropping it.
struct Place<'a> {
    desks: &'a Desks,
    agent: UserId,
    wake: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(seat) = self.desks.state().seats.get_mut(&self.agent) {
            seat.waiting -= 1;
        }
    }
}

impl Desks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None when too many requests of the agent wait already.
    fn sit(&self, agent: &UserId) -> Option<Place<'_>> {
        let mut state = self.state();
        let seat = state.seats.entry(agent.clone()).or_default();
        if seat.waiting >= MAX_WAITING {
            return None;
        }
        seat.waiting += 1;
        let wake = Arc::clone(&seat.wake);
        drop(state);
        Some(Place {
            desks: self,
            agent: agent.clone(),
            wake,
        })
    }

    /// Has what an agent holds given back when they leave their station, see [`Desks::gone`].
    fn keep_seat(&self, agent: &UserId) {
        self.state().seats.entry(agent.clone()).or_default();
    }

    fn wake_all(&self) {
        for seat in self.state().seats.values() {
            seat.wake.notify_waiters();
        }
    }

    /// A campaign may have somebody to call again.
    fn refill(&self, campaign: &str) {
        if self.state().dry.remove(campaign).is_some() {
            self.wake_all();
        }
    }

    /// Whether an agent may ask for a contact of a campaign, or when.
    fn may_ask(&self, campaign: &CampaignId) -> Result<(), Instant> {
        let now = Instant::now();
        match self.state().dry.get_mut(campaign) {
            Some(until) if *until > now => Err(*until),
            Some(until) => {
                *until = now + DRY;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn nobody_in(&self, campaign: &CampaignId) -> Instant {
        let until = Instant::now() + DRY;
        self.state().dry.insert(campaign.clone(), until);
        until
    }

    /// What an agent does has changed; whether they must be kept from other calls.
    fn seen(&self, view: &AgentView, is_outbound: bool) -> bool {
        let mut state = self.state();
        let Some(seat) = state.seats.get_mut(&view.id) else {
            return false;
        };
        seat.wake.notify_waiters();
        match view.state {
            AgentState::OnCall | AgentState::OnHold => {
                if is_outbound && view.call_id != seat.answered {
                    seat.owed = view.call_id;
                }
                false
            }
            AgentState::WrapUp | AgentState::Available => seat.owed.is_some(),
            AgentState::Offline
            | AgentState::Preview
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::Paused(_) => false,
        }
    }

    /// The agent said what came of their call.
    pub(crate) fn answered(&self, agent: &UserId) {
        if let Some(seat) = self.state().seats.get_mut(agent)
            && let Some(owed) = seat.owed.take()
        {
            seat.answered = Some(owed);
        }
    }

    /// The agent has left their station; whether they worked by asking for contacts.
    fn gone(&self, agent: &UserId) -> bool {
        let mut state = self.state();
        let Some(seat) = state.seats.get_mut(agent) else {
            return false;
        };
        seat.owed = None;
        seat.wake.notify_waiters();
        if seat.waiting == 0 {
            state.seats.remove(agent);
        }
        true
    }
}

#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    data: Named<'a>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

/// Watches the live view for everybody who waits, from the first who does.
fn watch(app: &Shared) {
    if !app.desks.is_watched.swap(true, Ordering::Relaxed) {
        app.spawn(keep_watch(Arc::clone(app)));
    }
}

async fn keep_watch(app: Shared) {
    let mut changes = app.changes.watch();
    loop {
        let mut live = app.api.hub.subscribe(None);
        app.desks.wake_all();
        loop {
            tokio::select! {
                () = app.api.shutdown.cancelled() => return,
                change = live.next() => match change {
                    Ok(Some(change)) => look_at(&app, &change.json),
                    Ok(None) => return,
                    Err(FellBehind) => break,
                },
                change = changes.recv() => match change {
                    Ok(change) if change.kind == Kind::Campaign => app.desks.refill(&change.id),
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => app.desks.state().dry.clear(),
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }
}

fn look_at(app: &Shared, change: &str) {
    // Changes of other things may have no id.
    let Ok(seen) = serde_json::from_str::<Seen<'_>>(change) else {
        return;
    };
    match seen.kind {
        "agent" => {
            let view = UserId::new(seen.data.id).ok();
            let view = view.and_then(|id| app.api.hub.agent(&id));
            let Some(view) = view else { return };
            let call = view.call_id.and_then(|call| app.api.hub.call(call));
            let is_outbound = call.is_some_and(|call| call.direction == Direction::Outbound);
            if app.desks.seen(&view, is_outbound) {
                keep_back(app, &view.id);
            }
        }
        "agent-gone" => {
            let agent = UserId::new(seen.data.id).ok();
            if let Some(agent) = agent.filter(|agent| app.desks.gone(agent)) {
                let app_too = Arc::clone(app);
                app.spawn(async move {
                    if let Err(problem) = leave(&app_too, &agent).await {
                        still_theirs(&agent, &problem);
                    }
                });
            }
        }
        _ => {}
    }
}

/// Keeps other calls from an agent who has to say first what came of the last one.
fn keep_back(app: &App, agent: &UserId) {
    let pause = Command::Pause {
        agent: agent.clone(),
        reason: AFTER_CALL.to_owned(),
    };
    if let Err(error) = app.api.exchange.notify(pause) {
        tracing::warn!(%agent, %error, "An agent may get a call before they qualified the last one");
    }
}

/// What there is for an agent now.
enum Look {
    Found(ContactId),
    /// Nothing, until something changes or until then.
    Nothing(Option<Instant>),
}

/// Waits for the next contact of an agent, at most as long as the settings say. `wanted` is the
/// campaign of which they want one when they do not get calls by themselves.
///
/// # Errors
/// When the database or the switchboard fails, or too many requests of the agent wait.
pub(crate) async fn next_contact(
    app: &Shared,
    agent: &UserId,
    wanted: Option<&CampaignId>,
) -> Result<Option<Card>, Problem> {
    watch(app);
    let place = app
        .desks
        .sit(agent)
        .ok_or_else(|| Problem::too_many("this is asked for already: wait for the answer", 5))?;
    let deadline = Instant::now() + app.api.settings.next_contact_wait;
    let mut asked = false;
    loop {
        // Before looking: what happens in between is not missed.
        let woken = place.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let until = match look(app, agent, wanted, &mut asked).await? {
            Look::Found(contact) => {
                if let Some(campaign) = wanted {
                    app.desks.refill(campaign.as_str());
                }
                if let Some(card) = hold(app, agent, &contact).await? {
                    return Ok(Some(card));
                }
                None
            }
            Look::Nothing(until) => until,
        };
        let pause = until.map_or(deadline, |until| until.min(deadline));
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep_until(pause) => {
                if pause == deadline {
                    return Ok(None);
                }
            }
            () = app.api.shutdown.cancelled() => return Ok(None),
        }
    }
}

async fn look(
    app: &App,
    agent: &UserId,
    wanted: Option<&CampaignId>,
    asked: &mut bool,
) -> Result<Look, Problem> {
    let Some(view) = app.api.hub.agent(agent) else {
        return Ok(Look::Nothing(None));
    };
    let found = match &view.state {
        AgentState::OnCall | AgentState::OnHold => match view.call_id {
            Some(call) => app.api.store.contact_of_call(call).await?,
            None => None,
        },
        AgentState::WrapUp => owed(app, agent).await?,
        AgentState::Paused(reason) if reason == AFTER_CALL => owed(app, agent).await?,
        AgentState::Preview => view
            .preview
            .as_ref()
            .and_then(|preview| preview.contact_id.clone()),
        AgentState::Available => {
            let had_nobody = std::mem::take(asked) && view.notice.is_some();
            return match wanted {
                Some(campaign) if had_nobody => {
                    Ok(Look::Nothing(Some(app.desks.nobody_in(campaign))))
                }
                Some(campaign) => ask(app, agent, campaign, asked).await,
                None => Ok(Look::Nothing(None)),
            };
        }
        AgentState::Paused(_)
        | AgentState::Reserved
        | AgentState::Ringing
        | AgentState::Offline => None,
    };
    Ok(found.map_or(Look::Nothing(None), Look::Found))
}

async fn owed(app: &App, agent: &UserId) -> Result<Option<ContactId>, Problem> {
    let since = Timestamp::from_millisecond(app.now().as_millisecond() - OWED_MS)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let owed = app.api.store.unqualified(agent, since).await?;
    Ok(owed.map(|(_, contact)| contact))
}

/// Has the switchboard choose a contact for an agent who dials by hand.
async fn ask(
    app: &App,
    agent: &UserId,
    campaign: &CampaignId,
    asked: &mut bool,
) -> Result<Look, Problem> {
    let by_hand = app
        .api
        .hub
        .campaign(campaign)
        .is_some_and(|view| matches!(view.mode, DialingMode::Manual | DialingMode::Preview));
    if !by_hand {
        return Ok(Look::Nothing(None));
    }
    if let Err(until) = app.desks.may_ask(campaign) {
        return Ok(Look::Nothing(Some(until)));
    }
    let preview = Command::Preview {
        agent: agent.clone(),
        campaign: campaign.clone(),
        seconds: held_min(app, campaign).await? * 60,
    };
    match app.api.exchange.send(preview).await {
        Ok(()) => {
            *asked = true;
            Ok(Look::Nothing(None))
        }
        // What keeps it from being done changes, and is told.
        Err(ExchangeError::Refused(
            Refused::WrongState { .. }
            | Refused::NotRunning(_)
            | Refused::NotLoggedIn(_)
            | Refused::NotOfCampaign { .. }
            | Refused::UnknownCampaign(_),
        )) => Ok(Look::Nothing(None)),
        Err(error) => Err(error.into()),
    }
}

/// For how many minutes an agent of a campaign may hold a contact.
async fn held_min(app: &App, campaign: &CampaignId) -> Result<u32, Problem> {
    let desk = app.api.store.desk(campaign).await?;
    Ok(match desk.unlock_after_min {
        0 => HELD_MIN,
        minutes => minutes,
    })
}

/// Until when an agent of a campaign may hold a contact that they take now.
pub(crate) async fn held_until(app: &App, campaign: &CampaignId) -> Result<Timestamp, Problem> {
    Ok(after(
        app.now(),
        u64::from(held_min(app, campaign).await?) * 60_000,
    ))
}

/// The contact, kept for the agent from now on; none when it was deleted.
async fn hold(app: &App, agent: &UserId, contact: &ContactId) -> Result<Option<Card>, Problem> {
    let Some(card) = app.api.store.card(contact, app.now()).await? else {
        return Ok(None);
    };
    let until = held_until(app, &card.campaign).await?;
    // Whoever looks at it meanwhile goes on looking: the call is this agent's.
    match app
        .api
        .store
        .lock_contact(contact, agent, until, app.now())
        .await
    {
        Ok(_) => Ok(app.api.store.card(contact, app.now()).await?),
        Err(strowger_store::Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// An agent logs out of the console: they leave their station, and give back what they hold. Who
/// is in a call does so when it is over.
pub(crate) async fn log_out(app: &Shared, agent: &UserId) {
    let in_call = || {
        let view = app.api.hub.agent(agent);
        view.is_some_and(|view| view.call_id.is_some())
    };
    if in_call() {
        watch(app);
        app.desks.keep_seat(agent);
    }
    leave_station(app, agent).await;
    if in_call() {
        return;
    }
    if let Err(problem) = leave(app, agent).await {
        still_theirs(agent, &problem);
    }
}

fn still_theirs(agent: &UserId, problem: &Problem) {
    tracing::warn!(%agent, problem = problem.detail(), "Contacts of an agent who left stay theirs until their time is over");
}

/// An agent leaves: the call that they owe an answer for is qualified as not qualified, what
/// they hold is given free.
async fn leave(app: &App, agent: &UserId) -> Result<(), Problem> {
    let since = Timestamp::from_millisecond(app.now().as_millisecond() - OWED_MS)
        .unwrap_or(Timestamp::UNIX_EPOCH);
    let campaigns = app
        .api
        .store
        .leave_contacts(agent, since, app.now())
        .await?;
    app.desks.answered(agent);
    for campaign in campaigns {
        crate::routes::cards::changed(app, &campaign, true);
    }
    Ok(())
}

/// Waits until the call that an agent asked for is being placed, or until it is said why not.
///
/// # Errors
/// 409 with the reason; 503 when nothing is heard of it for some seconds.
pub(crate) async fn placed(app: &Shared, agent: &UserId) -> Result<CallId, Problem> {
    const HEARD_WITHIN: Duration = Duration::from_secs(5);
    const SETTLES_WITHIN: Duration = Duration::from_millis(100);
    watch(app);
    let place = app
        .desks
        .sit(agent)
        .ok_or_else(|| Problem::too_many("too much is asked for at once", 1))?;
    let deadline = Instant::now() + HEARD_WITHIN;
    // What is said before the live view knows of the request is of an earlier one.
    let settled = Instant::now() + SETTLES_WITHIN;
    loop {
        let woken = place.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let view = app.api.hub.agent(agent);
        let view = view.ok_or_else(|| Problem::conflict("you are not logged in at a station"))?;
        if let Some(call) = view.call_id {
            return Ok(call);
        }
        let refused = view
            .notice
            .as_ref()
            .filter(|_| view.state != AgentState::Preview);
        let until = match refused {
            Some(notice) if Instant::now() >= settled => {
                return Err(Problem::conflict(notice.clone()));
            }
            Some(_) => settled,
            None => deadline,
        };
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep_until(until) => if until == deadline {
                return Err(Problem::unavailable(
                    "no-answer",
                    "nothing was heard of the call: look at the live view before you try again",
                    5,
                ));
            }
        }
    }
}
