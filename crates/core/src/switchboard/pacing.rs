//! Predictive campaigns: what their pacers are told, and what they ask for.
//!
//! Every change of a line passes through [`Switchboard::set_phase`] and
//! [`Switchboard::close`], every change of an agent through [`Switchboard::set_agent`];
//! these tell the pacers. An agent counts for one campaign at a time, their *home*, so
//! that two campaigns never dial for the same person; an answered line may still be
//! taken by any agent of its campaign.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
};

use super::{Campaign, Counted, Stretch, Switchboard};
use crate::{
    agent::AgentState,
    amd::Calibration,
    call::{Call, Kind, Phase},
    campaign::{CampaignSettings, CampaignState, DialingMode},
    disposition::Disposition,
    ids::{CallId, CampaignId, UserId},
    pacing::{Action, AnsweredBy, Config, Event, LineEnd, Pacer, Past},
    time::{Timestamp, after, before, millis_between},
};

/// The pacers of the running predictive campaigns.
#[derive(Debug, Default)]
pub(super) struct Pacers {
    by_campaign: BTreeMap<CampaignId, Paced>,
    homes: BTreeMap<UserId, CampaignId>,
    /// The campaigns among which homes were given out.
    sharing: BTreeSet<(u8, CampaignId)>,
}

struct Paced {
    pacer: Pacer<CallId, UserId>,
    config: Config,
    made: Timestamp,
    /// Who answered since then is known, or asked about.
    known_from: Timestamp,
    /// What is known of the machine detection, and when it is asked about again.
    calibration: Calibration,
    detection_due: Timestamp,
    /// Lines asked for by the pacer and not yet by us, and since when.
    owed: u32,
    owed_since: f64,
}

impl Paced {
    fn new(now: Timestamp, settings: &CampaignSettings) -> Self {
        let calibration = Calibration::default();
        let config = config_of(settings, &calibration);
        Self {
            pacer: Pacer::new(config.clone(), 0),
            config,
            made: now,
            known_from: now,
            calibration,
            detection_due: now,
            owed: 0,
            owed_since: 0.0,
        }
    }

    /// Takes changed settings.
    fn set(&mut self, now: Timestamp, settings: &CampaignSettings) {
        let config = config_of(settings, &self.calibration);
        if self.config != config {
            self.pacer
                .handle(seconds(now), &Event::Config(config.clone()));
            self.config = config;
        }
    }

    /// What it must be told of the past and is not yet: of its legal window, and from time to
    /// time of its machine detection.
    fn asks(&mut self, now: Timestamp, settings: &CampaignSettings) -> Option<super::Action> {
        let from = before(self.made, u64::from(settings.pacing.window_s) * 1_000);
        let stretch = (from < self.known_from).then_some(Stretch {
            from,
            to: self.known_from,
            until: self.made,
        });
        self.known_from = self.known_from.min(from);
        let detection = settings.detects() && now >= self.detection_due;
        if stretch.is_none() && !detection {
            return None;
        }
        self.detection_due = after(now, DETECTION_REVIEW_MS);
        Some(super::Action::FindPacing {
            campaign: settings.id.clone(),
            stretch,
            detection_since: before(now, DETECTION_MS),
        })
    }
}

impl fmt::Debug for Paced {
    /// What it believes, not the thousands of numbers that it learned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced")
            .field("state", &self.pacer.state())
            .field("owed", &self.owed)
            .finish_non_exhaustive()
    }
}

/// Lines that a pacer asked for are dialed within this time or not at all, in seconds.
const OWED_S: f64 = 1.0;

/// A campaign whose next contact is due later than this leaves its agents to others.
const DRY_MS: u64 = 30_000;

/// How far back agents' words on machine detection count, and how often they are asked about.
const DETECTION_MS: u64 = 30 * 86_400_000;
const DETECTION_REVIEW_MS: u64 = 3_600_000;

/// Seconds on the clock of the pacers. A double holds microseconds of this century.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 stay below 2^53 for 280,000 years"
)]
fn seconds(now: Timestamp) -> f64 {
    now.as_millisecond() as f64 / 1_000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of a setting, at most 60,000"
)]
fn config_of(settings: &CampaignSettings, calibration: &Calibration) -> Config {
    let per_second: u32 = settings
        .trunks
        .iter()
        .map(|trunk| trunk.max_calls_per_second)
        .fold(0, u32::saturating_add);
    Config {
        abandon_limit: settings.pacing.abandon_limit,
        threshold_s: settings.abandon_after_ms as f64 / 1_000.0,
        window_s: f64::from(settings.pacing.window_s),
        ring_timeout_s: f64::from(settings.ring_timeout_s),
        min_ring_s: f64::from(settings.pacing.min_ring_s),
        max_lines: settings.max_lines,
        max_cps: f64::from(per_second.max(1)),
        boost: settings.pacing.boost,
        // Also of verdicts of the past, when there is no detection any more.
        amd_false_positive: calibration.for_pacing(),
        greeting_s: greeting_ms(settings) as f64 / 1_000.0,
        ..Config::default()
    }
}

/// How long after the answer the time that a person may wait begins at the latest: when their
/// greeting is over (16 CFR 310.4(b)(4)(ii)).
fn greeting_ms(settings: &CampaignSettings) -> u64 {
    if settings.detects() {
        u64::from(settings.detection().longest_greeting_ms())
    } else {
        0
    }
}

/// What an agent's state means to the pacer of their home.
fn agent_event(id: &UserId, state: &AgentState) -> Event<CallId, UserId> {
    let id = id.clone();
    match state {
        AgentState::Available => Event::AgentAvailable(id),
        AgentState::Preview
        | AgentState::Reserved
        | AgentState::Ringing
        | AgentState::OnCall
        | AgentState::OnHold => Event::AgentBusy(id),
        AgentState::WrapUp => Event::AgentWrap(id),
        AgentState::Offline | AgentState::Paused(_) => Event::AgentGone(id),
    }
}

fn line_end(disposition: Disposition) -> LineEnd {
    match disposition {
        Disposition::AnsweredHuman
        | Disposition::AnsweredMachine
        | Disposition::Abandoned
        | Disposition::AnsweredHangup => LineEnd::Completed,
        Disposition::Busy | Disposition::Rejected => LineEnd::Busy,
        Disposition::NoAnswer => LineEnd::NoAnswer,
        Disposition::Unreachable
        | Disposition::Invalid
        | Disposition::CarrierFailure
        | Disposition::ConfigurationFailure => LineEnd::Failed,
        Disposition::Cancelled | Disposition::Unknown => LineEnd::Cancelled,
    }
}

fn is_predictive(campaign: &Campaign) -> bool {
    campaign.settings.mode == DialingMode::Predictive
}

/// It dials for agents, and has somebody to dial soon.
fn uses_agents(campaign: &Campaign, now: Timestamp) -> bool {
    let dials = match campaign.settings.mode {
        DialingMode::Predictive | DialingMode::Progressive | DialingMode::Power => true,
        DialingMode::Preview | DialingMode::Manual | DialingMode::Broadcast => false,
    };
    let dry = campaign
        .idle_until
        .is_some_and(|until| until > after(now, DRY_MS));
    dials && campaign.state == CampaignState::Running && !campaign.used_up && !dry
}

impl Switchboard {
    fn tell_pacer(&mut self, now: Timestamp, campaign: &CampaignId, event: &Event<CallId, UserId>) {
        if let Some(paced) = self.pacers.by_campaign.get_mut(campaign) {
            paced.pacer.handle(seconds(now), event);
        }
    }

    /// A line of a predictive campaign entered a phase.
    pub(super) fn pace_line(&mut self, now: Timestamp, id: CallId, from: Phase) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let Kind::Outbound(facts) = &call.kind else {
            return;
        };
        if !self.pacers.by_campaign.contains_key(&facts.campaign) {
            return;
        }
        let campaign = facts.campaign.clone();
        if call.bridged_at.is_some() {
            return self.pace_transfer(now, &campaign, id);
        }
        let event = match (call.phase, &call.agent) {
            (Phase::Dialing, _) => Event::Dialed(id, facts.segment),
            (Phase::Ringing, _) => Event::Ringing(id),
            (Phase::Answered, _) => Event::Answered(id, AnsweredBy::Unknown),
            // Back from an agent who could not be connected: they wait on.
            (Phase::Waiting, _) if from == Phase::Connecting => return,
            (Phase::Waiting, _) => Event::Answered(id, AnsweredBy::Human),
            // From here on the agent is theirs: connecting takes a moment, not a decision.
            (Phase::Connecting, Some(agent)) => Event::Connected(id, agent.clone()),
            (Phase::Message, _) if call.signals.gave_up => Event::Abandoned(id),
            (Phase::Flow | Phase::Message | Phase::Ending, _) if call.signals.is_machine() => {
                Event::Answered(id, AnsweredBy::Machine)
            }
            (
                Phase::Restored
                | Phase::Flow
                | Phase::Connecting
                | Phase::Bridged
                | Phase::Message
                | Phase::Ending,
                _,
            ) => return,
        };
        self.tell_pacer(now, &campaign, &event);
    }

    /// A person who was connected is counted and owed nothing; only whom they keep busy matters,
    /// and an agent of another campaign is told of as busy there.
    fn pace_transfer(&mut self, now: Timestamp, campaign: &CampaignId, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        if let (Phase::Connecting, Some(agent)) = (call.phase, &call.agent)
            && self.pacers.homes.get(agent) == Some(campaign)
        {
            let event = Event::Connected(id, agent.clone());
            self.tell_pacer(now, campaign, &event);
        }
    }

    /// A line of a predictive campaign is closed.
    pub(super) fn pace_end(&mut self, now: Timestamp, call: &Call, disposition: Disposition) {
        if let Some(campaign) = call.campaign().cloned() {
            let lost = disposition == Disposition::Unknown
                && self.owed_late(call, disposition) == Some(true)
                && call.bridged_at.is_none();
            if lost {
                // It may have been a person, for whom nobody was there.
                self.tell_pacer(now, &campaign, &Event::Abandoned(call.id));
            }
            let event = Event::Ended(call.id, line_end(disposition));
            self.tell_pacer(now, &campaign, &event);
        }
    }

    /// An agent changed state.
    pub(super) fn pace_agent(&mut self, now: Timestamp, id: &UserId) {
        let Some(home) = self.pacers.homes.get(id).cloned() else {
            return;
        };
        let event = match self.agents.get(id) {
            None => Event::AgentGone(id.clone()),
            // The pacer hears of its own calls by their lines.
            Some(agent)
                if agent.state.has_call()
                    && self.campaign_of(agent.call) == Some(&home)
                    && !self.is_kept_for(agent.call)
                    && self.is_paced_line(&home, agent.call) =>
            {
                return;
            }
            Some(agent) => agent_event(id, &agent.state),
        };
        self.tell_pacer(now, &home, &event);
    }

    /// A call that was dialed for one agent, who waits for it to be answered.
    fn is_kept_for(&self, call: Option<CallId>) -> bool {
        let call = call.and_then(|id| self.calls.get(&id));
        call.is_some_and(|call| match call.phase {
            Phase::Dialing | Phase::Ringing | Phase::Answered => true,
            Phase::Restored
            | Phase::Flow
            | Phase::Waiting
            | Phase::Connecting
            | Phase::Bridged
            | Phase::Message
            | Phase::Ending => false,
        })
    }

    /// The pacer of a campaign knows the line of a call. It does not know one that was
    /// connected before it was made.
    fn is_paced_line(&self, campaign: &CampaignId, call: Option<CallId>) -> bool {
        let paced = self.pacers.by_campaign.get(campaign);
        paced.is_some_and(|paced| call.is_some_and(|call| paced.pacer.knows(&call)))
    }

    fn campaign_of(&self, call: Option<CallId>) -> Option<&CampaignId> {
        self.calls.get(&call?)?.campaign()
    }

    /// Lets the pacers see the settings and the agents as they are, and takes what they ask
    /// for. O(agents × their campaigns) when the campaigns that run or the agents change,
    /// otherwise what the pacers cost.
    pub(super) fn pace(&mut self, now: Timestamp) {
        self.keep_pacers(now);
        if self.pacers.by_campaign.is_empty() {
            self.pacers.homes.clear();
            return;
        }
        self.give_homes(now);
        let mut cancelled = Vec::new();
        let mut wake: Option<f64> = None;
        for paced in self.pacers.by_campaign.values_mut() {
            if paced
                .pacer
                .poll_timeout()
                .is_some_and(|at| at <= seconds(now))
            {
                paced.pacer.handle(seconds(now), &Event::Tick);
            }
            while let Some(action) = paced.pacer.poll_action() {
                match action {
                    Action::Dial(lines) => {
                        if paced.owed == 0 {
                            paced.owed_since = seconds(now);
                        }
                        paced.owed = paced.owed.saturating_add(lines);
                    }
                    Action::Cancel(line) => cancelled.push(line),
                }
            }
            let next = paced.pacer.poll_timeout();
            wake = match (wake, next) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        for line in cancelled {
            self.give_up_ringing(now, line);
        }
        self.forget_debts(now);
        if let Some(at) = wake {
            let ms = ((at - seconds(now)) * 1_000.0).ceil().clamp(1.0, 60_000.0);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to 1 to 60,000"
            )]
            self.arm_dial(after(now, ms as u64));
        }
    }

    /// Lines that the pacer of this campaign waits for; none when it has no pacer.
    pub(super) fn paced_lines(&self, id: &CampaignId) -> Option<u32> {
        self.pacers.by_campaign.get(id).map(|paced| paced.owed)
    }

    /// So many lines were asked for from the store.
    pub(super) fn paced_asked(&mut self, id: &CampaignId, count: u32) {
        if let Some(paced) = self.pacers.by_campaign.get_mut(id) {
            paced.owed = paced.owed.saturating_sub(count);
        }
    }

    /// So many lines that were asked for will not be dialed.
    pub(super) fn paced_not_dialed(&mut self, now: Timestamp, id: &CampaignId, count: u32) {
        if count > 0 {
            self.tell_pacer(now, id, &Event::NotDialed(count));
        }
    }

    /// A pacer waits for lines.
    pub(super) fn lines_are_owed(&self) -> bool {
        self.pacers.by_campaign.values().any(|paced| paced.owed > 0)
    }

    /// Lines that a pacer asked for a second ago could not be dialed then (no trunk, no
    /// contact, another claim under way), and what it knows now is newer.
    fn forget_debts(&mut self, now: Timestamp) {
        for paced in self.pacers.by_campaign.values_mut() {
            if paced.owed > 0 && seconds(now) - paced.owed_since > OWED_S {
                let lines = std::mem::take(&mut paced.owed);
                paced.pacer.handle(seconds(now), &Event::NotDialed(lines));
            }
        }
    }

    /// What the pacer of a campaign believes, for the ledger.
    pub(super) fn pacing_facts(&self, id: &CampaignId) -> serde_json::Value {
        let state = self
            .pacers
            .by_campaign
            .get(id)
            .map(|paced| paced.pacer.state());
        serde_json::to_value(state).unwrap_or_default()
    }

    /// The agent counts for a predictive campaign.
    pub(super) fn is_paced(&self, agent: &UserId) -> bool {
        self.pacers
            .homes
            .get(agent)
            .is_some_and(|home| self.pacers.by_campaign.contains_key(home))
    }

    /// One pacer for each running predictive campaign, set as the campaign is.
    ///
    /// A campaign that is paused keeps its pacer: what it learned is true when it goes on, and
    /// its lines still end. It asks for nothing because no agent has it as a home.
    fn keep_pacers(&mut self, now: Timestamp) {
        let mut made = Vec::new();
        let mut asked = Vec::new();
        for campaign in self.campaigns.values() {
            let settings = &campaign.settings;
            if !is_predictive(campaign) {
                self.pacers.by_campaign.remove(&settings.id);
                continue;
            }
            let paced = match self.pacers.by_campaign.entry(settings.id.clone()) {
                Entry::Occupied(known) => {
                    let paced = known.into_mut();
                    paced.set(now, settings);
                    paced
                }
                Entry::Vacant(free) if campaign.state == CampaignState::Running => {
                    made.push(settings.id.clone());
                    free.insert(Paced::new(now, settings))
                }
                Entry::Vacant(_) => continue,
            };
            asked.extend(paced.asks(now, settings));
        }
        for campaign in made {
            self.introduce_lines(now, &campaign);
        }
        for question in asked {
            self.act(question);
        }
    }

    /// Tells a pacer that is new of the lines that are there: those of an earlier run, or of
    /// another way of dialing. Who talks already is in what it is told of the past.
    fn introduce_lines(&mut self, now: Timestamp, campaign: &CampaignId) {
        let mut lines: Vec<&Call> = self
            .calls
            .values()
            .filter(|call| call.campaign() == Some(campaign))
            .filter(|call| call.bridged_at.is_none() && call.ended_at.is_none())
            .collect();
        lines.sort_unstable_by_key(|call| call.id);
        let mut events = Vec::new();
        for call in lines {
            let Kind::Outbound(facts) = &call.kind else {
                continue;
            };
            let id = call.id;
            let dialed = Event::Dialed(id, facts.segment);
            match (call.phase, &call.agent) {
                (Phase::Restored, _) if call.signals.answered => {
                    events.extend([dialed, Event::Answered(id, AnsweredBy::Unknown)]);
                }
                (Phase::Restored | Phase::Dialing, _) => events.push(dialed),
                (Phase::Ringing, _) => events.extend([dialed, Event::Ringing(id)]),
                (Phase::Answered, _) => {
                    events.extend([dialed, Event::Answered(id, AnsweredBy::Unknown)]);
                }
                (Phase::Waiting, _) => {
                    events.extend([dialed, Event::Answered(id, AnsweredBy::Human)]);
                }
                (Phase::Connecting, Some(agent)) => {
                    events.extend([dialed, Event::Connected(id, agent.clone())]);
                }
                (Phase::Message, _) if call.signals.gave_up => {
                    events.extend([dialed, Event::Abandoned(id)]);
                }
                (
                    Phase::Flow
                    | Phase::Connecting
                    | Phase::Bridged
                    | Phase::Message
                    | Phase::Ending,
                    _,
                ) => {}
            }
        }
        for event in events {
            self.tell_pacer(now, campaign, &event);
        }
    }

    /// What the store knows of the past of a campaign.
    pub(super) fn pacing_found(
        &mut self,
        now: Timestamp,
        id: &CampaignId,
        counted: &[Counted],
        calibration: Calibration,
    ) {
        let Some(campaign) = self.campaigns.get(id) else {
            return;
        };
        if let Some(paced) = self.pacers.by_campaign.get_mut(id) {
            paced.calibration = calibration;
            paced.set(now, &campaign.settings);
            let past = counted.iter().map(|stretch| Past {
                from: seconds(stretch.from),
                until: seconds(stretch.until),
                people: stretch.people,
                late: stretch.late,
                machines: stretch.machines,
            });
            let past: Vec<Past> = past.collect();
            paced.pacer.remember(seconds(now), &past);
        }
    }

    /// Whether the person of a call that is connected now has waited longer than they may.
    pub(super) fn connected_late(&self, now: Timestamp, id: CallId) -> bool {
        self.calls
            .get(&id)
            .is_some_and(|call| self.is_late(call, call.offered_at.unwrap_or(now)))
    }

    /// Whether somebody who answered and was owed an agent got none in time; none when nobody
    /// was owed one. As the pacer of the campaign counts them, which counts who hung up before
    /// an agent came.
    pub(super) fn owed_late(&self, call: &Call, disposition: Disposition) -> Option<bool> {
        if !call.signals.answered || call.signals.is_machine() {
            return None;
        }
        if let Some(at) = call.bridged_at {
            return Some(self.is_late(call, call.offered_at.unwrap_or(at)));
        }
        if call.walk.queue.is_some() {
            return Some(disposition == Disposition::Abandoned);
        }
        let waited = call.waiting_since.is_some()
            || matches!(disposition, Disposition::Abandoned | Disposition::Unknown);
        waited.then_some(true)
    }

    fn is_late(&self, call: &Call, offered: Timestamp) -> bool {
        let campaign = call.campaign().and_then(|id| self.campaigns.get(id));
        let Some(settings) = campaign.map(|campaign| &campaign.settings) else {
            return false;
        };
        let greeted = call
            .answered_at
            .map(|at| after(at, greeting_ms(settings)))
            .filter(|_| call.walk.queue.is_none());
        let since = [greeted, call.waiting_since].into_iter().flatten().min();
        since.is_some_and(|since| millis_between(since, offered) > settings.abandon_after_ms)
    }

    /// Gives each agent a home among the campaigns that could use them now: the one that is
    /// served first; among equals the one with the fewest agents.
    fn give_homes(&mut self, now: Timestamp) {
        let sharing: BTreeSet<(u8, CampaignId)> = self
            .campaigns
            .values()
            .filter(|c| uses_agents(c, now) && !self.waits_for_staff(c))
            .map(|c| (c.settings.priority, c.settings.id.clone()))
            .collect();
        if sharing != self.pacers.sharing {
            // Whoever starts or runs dry changes what is fair for all.
            self.pacers.sharing = sharing;
            self.leave_homes(now);
        }
        let gone: Vec<UserId> = self
            .pacers
            .homes
            .iter()
            .filter(|(agent, home)| !self.may_work_for(now, agent, home))
            .map(|(agent, _)| agent.clone())
            .collect();
        for agent in gone {
            self.leave_home(now, &agent);
        }
        let mut counts: BTreeMap<CampaignId, u32> = BTreeMap::new();
        for home in self.pacers.homes.values() {
            *counts.entry(home.clone()).or_default() += 1;
        }
        let homeless: Vec<UserId> = self
            .agents
            .keys()
            .filter(|agent| !self.pacers.homes.contains_key(*agent))
            .cloned()
            .collect();
        for agent in homeless {
            let best = self
                .pacers
                .sharing
                .iter()
                .filter(|(_, campaign)| self.may_work_for(now, &agent, campaign))
                .min_by_key(|(priority, campaign)| {
                    (*priority, counts.get(campaign).copied().unwrap_or(0))
                })
                .map(|(_, campaign)| campaign.clone());
            let Some(home) = best else { continue };
            *counts.entry(home.clone()).or_default() += 1;
            self.pacers.homes.insert(agent.clone(), home);
            self.pace_agent(now, &agent);
        }
    }

    fn may_work_for(&self, now: Timestamp, agent: &UserId, campaign: &CampaignId) -> bool {
        let (Some(agent), Some(campaign)) = (self.agents.get(agent), self.campaigns.get(campaign))
        else {
            return false;
        };
        uses_agents(campaign, now)
            && !self.waits_for_staff(campaign)
            && agent.login.campaigns.contains(&campaign.settings.id)
            && campaign
                .settings
                .trunks
                .iter()
                .any(|trunk| trunk.server == agent.login.server)
    }

    fn leave_homes(&mut self, now: Timestamp) {
        let agents: Vec<UserId> = self.pacers.homes.keys().cloned().collect();
        for agent in agents {
            self.leave_home(now, &agent);
        }
    }

    pub(super) fn leave_home(&mut self, now: Timestamp, agent: &UserId) {
        if let Some(home) = self.pacers.homes.remove(agent) {
            self.tell_pacer(now, &home, &Event::AgentGone(agent.clone()));
        }
    }

    /// Hangs up a line that has rung its legal minimum and for which no agent will be free:
    /// to the contact, and to its retry rule, it was not answered.
    pub(super) fn give_up_ringing(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if !matches!(call.phase, Phase::Dialing | Phase::Ringing) {
            return;
        }
        call.signals.rang_out = true;
        self.hang_up_customer(now, id);
    }
}
