//! Predictive campaigns: what their pacers are told, and what they ask for.
//!
//! Every change of a line passes through [`Switchboard::set_phase`] and
//! [`Switchboard::close`], every change of an agent through [`Switchboard::set_agent`];
//! these tell the pacers. An agent counts for one campaign at a time, their *home*, so
//! that two campaigns never dial for the same person; an answered line may still be
//! taken by any agent of its campaign.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Campaign, Switchboard};
use crate::{
    agent::AgentState,
    call::{Call, Kind, Phase},
    campaign::{CampaignSettings, CampaignState, DialingMode},
    disposition::Disposition,
    ids::{CallId, CampaignId, UserId},
    pacing::{Action, AnsweredBy, Config, Event, LineEnd, Pacer},
    telephony::Amd,
    time::{Timestamp, after},
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
    /// Lines asked for by the pacer and not yet by us, and since when.
    owed: u32,
    owed_since: f64,
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
fn config_of(settings: &CampaignSettings) -> Config {
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
        ..Config::default()
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
            (Phase::Flow | Phase::Message | Phase::Ending, _)
                if call.signals.amd == Some(Amd::Machine) =>
            {
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

    /// A line of a predictive campaign is closed.
    pub(super) fn pace_end(&mut self, now: Timestamp, call: &Call, disposition: Disposition) {
        if let Some(campaign) = call.campaign() {
            let event = Event::Ended(call.id, line_end(disposition));
            self.tell_pacer(now, &campaign.clone(), &event);
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
                    && !self.is_kept_for(agent.call) =>
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
        for campaign in self.campaigns.values() {
            let id = &campaign.settings.id;
            if !is_predictive(campaign) {
                self.pacers.by_campaign.remove(id);
                continue;
            }
            let config = config_of(&campaign.settings);
            match self.pacers.by_campaign.get_mut(id) {
                Some(paced) if paced.config == config => {}
                Some(paced) => {
                    paced
                        .pacer
                        .handle(seconds(now), &Event::Config(config.clone()));
                    paced.config = config;
                }
                None if campaign.state == CampaignState::Running => {
                    let paced = Paced {
                        pacer: Pacer::new(config.clone(), 0),
                        config,
                        owed: 0,
                        owed_since: 0.0,
                    };
                    self.pacers.by_campaign.insert(id.clone(), paced);
                }
                None => {}
            }
        }
    }

    /// Gives each agent a home among the campaigns that could use them now: the one that is
    /// served first; among equals the one with the fewest agents.
    fn give_homes(&mut self, now: Timestamp) {
        let sharing: BTreeSet<(u8, CampaignId)> = self
            .campaigns
            .values()
            .filter(|c| uses_agents(c, now))
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
