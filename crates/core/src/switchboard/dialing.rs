//! Campaigns: how many lines go out, and what becomes of a claim.

use std::collections::BTreeMap;

use super::{Action, Campaign, Claim, NewAttempt, Switchboard, shares::Shares};
use crate::{
    agent::Agent,
    call::{AttemptFacts, Call, Kind, Phase},
    campaign::{CampaignCounters, CampaignSettings, CampaignState, DialingMode},
    dialer::{Lines, lines_to_dial},
    ids::{CallId, CampaignId, TrunkId, UserId},
    record::Write,
    telephony::{self, ChannelId, Originate, OriginatePurpose, ServerName},
    time::{Timestamp, after},
};

/// Most contacts asked for at once: bounds the transaction that claims them.
const MAX_CLAIM: u32 = 100;

/// The lines that are out.
#[derive(Debug, Default)]
pub(super) struct AllLines {
    of: BTreeMap<CampaignId, OpenLines>,
    /// Channels of each trunk in use or asked for.
    on_trunk: BTreeMap<TrunkId, u32>,
}

/// The calls of a campaign that are not closed.
#[derive(Debug, Clone, Copy, Default)]
struct OpenLines {
    /// Without an agent, and in need of one when answered.
    pending: u32,
    /// Not over yet, with an agent or without: each is a channel of the trunk.
    open: u32,
}

impl Switchboard {
    pub(super) fn configure(&mut self, now: Timestamp, settings: CampaignSettings) {
        self.configure_trunks(now, &settings.trunks);
        let id = settings.id.clone();
        let configured = settings;
        let settings = self.keep_to_packs(now, &configured);
        match self.campaigns.get_mut(&id) {
            Some(campaign) => {
                campaign.settings = settings;
                campaign.configured = configured;
            }
            None => {
                self.campaigns.insert(
                    id.clone(),
                    Campaign {
                        settings,
                        configured,
                        state: CampaignState::Stopped,
                        epoch: 0,
                        counters: CampaignCounters::default(),
                        claim: None,
                        idle_until: None,
                        used_up: false,
                        looking: false,
                        given_back: BTreeMap::new(),
                    },
                );
            }
        }
        self.touch(&id);
    }

    pub(super) fn set_campaign(&mut self, now: Timestamp, id: &CampaignId, state: CampaignState) {
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        if campaign.state != state {
            campaign.state = state;
            let epoch = campaign.epoch;
            self.write(Write::CampaignChanged {
                campaign: id.clone(),
                epoch,
                state,
                at: now,
            });
        }
        self.touch(id);
    }

    /// Hangs up the lines of a campaign that nobody has answered.
    pub(super) fn cancel_unanswered(&mut self, now: Timestamp, id: &CampaignId) {
        let mut unanswered: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.campaign() == Some(id))
            .filter(|call| match call.phase {
                Phase::Dialing | Phase::Ringing => true,
                // One that was answered before the restart may be a conversation.
                Phase::Restored => !call.signals.answered && !call.signals.bridged,
                Phase::Answered
                | Phase::Flow
                | Phase::Waiting
                | Phase::Connecting
                | Phase::Bridged
                | Phase::Message
                | Phase::Ending => false,
            })
            .map(|call| call.id)
            .collect();
        unanswered.sort_unstable();
        for call in unanswered {
            self.hang_up_customer(now, call);
        }
    }

    /// The lines of every campaign and trunk that has some. O(calls).
    fn lines(&self) -> AllLines {
        let mut lines = AllLines::default();
        for call in self.calls.values() {
            for trunk in call.outside_trunks() {
                *lines.on_trunk.entry(trunk.clone()).or_default() += 1;
            }
            let Kind::Outbound(facts) = &call.kind else {
                continue;
            };
            let entry = match lines.of.get_mut(&facts.campaign) {
                Some(entry) => entry,
                None => lines.of.entry(facts.campaign.clone()).or_default(),
            };
            entry.pending += u32::from(self.speaks_for_an_agent(call, &facts.campaign));
            let open = u32::from(call.ended_at.is_none());
            entry.open += open;
            match lines.on_trunk.get_mut(&facts.trunk) {
                Some(used) => *used += open,
                None => _ = lines.on_trunk.insert(facts.trunk.clone(), open),
            }
        }
        let asked = self
            .agents
            .values()
            .filter_map(|agent| agent.preview.as_ref()?.asked.as_ref());
        let asked = asked.map(|trunk| (trunk, 1));
        let claims = self.campaigns.values().filter_map(|c| c.claim.as_ref());
        for (trunk, count) in claims.map(|claim| (&claim.trunk, claim.count)).chain(asked) {
            *lines.on_trunk.entry(trunk.clone()).or_default() += count;
        }
        lines
    }

    /// Outbound lines that have not ended. O(calls).
    pub(super) fn open_lines(&self) -> usize {
        let is_open =
            |call: &&Call| matches!(call.kind, Kind::Outbound(_)) && call.ended_at.is_none();
        self.calls.values().filter(is_open).count()
    }

    /// Channels of each trunk in use or asked for. O(calls).
    pub(super) fn lines_on_trunks(&self) -> BTreeMap<TrunkId, u32> {
        self.lines().on_trunk
    }

    /// A line that takes an agent if it is answered. Those of a broadcast take none before
    /// somebody asks for one.
    fn speaks_for_an_agent(&self, call: &Call, campaign: &CampaignId) -> bool {
        let waits = call.phase == Phase::Waiting;
        call.needs_agent() && (waits || !self.is_broadcast(campaign))
    }

    fn is_broadcast(&self, id: &CampaignId) -> bool {
        let campaign = self.campaigns.get(id);
        campaign.is_some_and(|c| c.settings.mode == DialingMode::Broadcast)
    }

    /// Lines of a campaign that have no agent yet: asked for, dialing, ringing, answered.
    fn pending_lines(&self, id: &CampaignId, lines: &AllLines) -> u32 {
        let open = lines.of.get(id).map_or(0, |lines| lines.pending);
        let claiming = if self.is_broadcast(id) {
            0
        } else {
            self.campaigns.get(id).map_or(0, Campaign::claiming)
        };
        open.saturating_add(claiming)
    }

    /// Lets every running campaign ask for the lines that it may dial now.
    ///
    /// Agents who work for several campaigns are counted once: lines already out speak
    /// for agents first, then campaigns ask in order of priority.
    /// Predictive campaigns ask for what their pacers want, whoever is free.
    /// O(calls + agents × their campaigns), and nothing but O(agents) while all are busy.
    pub(super) fn dial(&mut self, now: Timestamp) {
        let runs =
            |c: &Campaign| c.state == CampaignState::Running && c.settings.mode.dials_by_itself();
        if self.draining || !self.campaigns.values().any(runs) {
            return;
        }
        self.pace(now);
        let alone = |c: &Campaign| runs(c) && c.settings.mode == DialingMode::Broadcast;
        let wanted = self.lines_are_owed()
            || self.agents.values().any(Agent::can_take_call)
            || self.campaigns.values().any(alone);
        if !wanted {
            return;
        }
        let mut lines = self.lines();
        let mut order: Vec<(u8, CampaignId)> = self
            .campaigns
            .values()
            .filter(|c| runs(c) || c.claim.is_some() || lines.of.contains_key(&c.settings.id))
            .map(|c| (c.settings.priority, c.settings.id.clone()))
            .collect();
        order.sort();
        let mut shares = self.free_agents(&order);
        let mut own = Vec::with_capacity(order.len());
        for (index, (_, id)) in order.iter().enumerate() {
            let pending = self.pending_lines(id, &lines);
            own.push((pending, shares.take(index, pending)));
        }
        for (index, ((_, id), (pending, spoken_for))) in order.into_iter().zip(own).enumerate() {
            if !self.may_ask(now, &id) {
                continue;
            }
            let broadcast = self.is_broadcast(&id);
            let available = shares.take(index, u32::MAX);
            let asked = self.ask_for_lines(
                now,
                &id,
                available.saturating_add(spoken_for),
                pending,
                &mut lines,
            );
            let taken = if broadcast { 0 } else { asked };
            shares.give_back(index, available.saturating_sub(taken));
        }
    }

    /// The agents who can take a call, by the campaigns (as indexes of `order`) that could
    /// connect one to them: those that dial through the exchange of the agent's station, and
    /// are not predictive. Agents who count for a predictive campaign are not among them.
    fn free_agents(&self, order: &[(u8, CampaignId)]) -> Shares {
        let index: BTreeMap<&CampaignId, (usize, &ServerName)> = order
            .iter()
            .enumerate()
            .filter_map(|(index, (_, id))| {
                let campaign = self.campaigns.get(id)?;
                let speaks = campaign.settings.mode != DialingMode::Predictive;
                Some((id, (index, campaign.settings.server()?))).filter(|_| speaks)
            })
            .collect();
        Shares::new(
            self.agents
                .values()
                .filter(|agent| agent.can_take_call())
                .filter(|agent| !self.is_paced(&agent.login.agent))
                .map(|agent| {
                    let known = agent.login.campaigns.iter().filter_map(|id| index.get(id));
                    known
                        .filter(|(_, server)| **server == agent.login.server)
                        .map(|(index, _)| *index)
                        .collect()
                }),
        )
    }

    /// A campaign has contacts to ask for and an exchange to dial them.
    fn may_ask(&mut self, now: Timestamp, id: &CampaignId) -> bool {
        let Some(campaign) = self.campaigns.get(id) else {
            return false;
        };
        let server = campaign.settings.server();
        let may = campaign.state == CampaignState::Running
            && !campaign.used_up
            && campaign.claim.is_none()
            && !self.waits_for_staff(campaign)
            && server.is_some_and(|server| self.server_up(server));
        let hold = server
            .and_then(|server| self.servers.get(server))
            .and_then(|server| server.hold_until);
        match campaign.idle_until.max(hold) {
            Some(until) if may && until > now => {
                self.arm_dial(until);
                false
            }
            Some(_) | None => may,
        }
    }

    fn ask_for_lines(
        &mut self,
        now: Timestamp,
        id: &CampaignId,
        available_agents: u32,
        pending_lines: u32,
        lines: &mut AllLines,
    ) -> u32 {
        let Some(campaign) = self.campaigns.get(id) else {
            return 0;
        };
        let settings = &campaign.settings;
        let epoch = campaign.epoch;
        let open = lines.of.get(id).map_or(0, |lines| lines.open);
        let room = settings.max_lines.saturating_sub(open).min(MAX_CLAIM);
        let wanted = self.paced_lines(id).map_or_else(
            || {
                lines_to_dial(Lines {
                    mode: settings.mode,
                    ratio: settings.ratio,
                    available_agents,
                    pending_lines,
                    room,
                })
            },
            |owed| owed.min(room),
        );
        if wanted == 0 {
            return 0;
        }
        let (trunks, agents) = (settings.trunks.clone(), self.agents_of(id));
        let Some(chosen) = self.choose_trunk(now, &trunks, &lines.on_trunk) else {
            return 0;
        };
        let Some(server) = trunks.iter().find(|trunk| trunk.id == chosen.id) else {
            return 0;
        };
        // What one trunk does not take is asked for again, of the next, once this is answered.
        let count = wanted.min(chosen.takes);
        self.trunk_asked(now, &chosen, count);
        self.paced_asked(id, count);
        *lines.on_trunk.entry(chosen.id.clone()).or_default() += count;
        if let Some(campaign) = self.campaigns.get_mut(id) {
            campaign.claim = Some(Claim {
                count,
                epoch,
                trunk: chosen.id.clone(),
                recheck: None,
            });
        }
        self.act(Action::Claim {
            campaign: id.clone(),
            epoch,
            trunk: chosen.id,
            server: server.server.clone(),
            count,
            agents,
            pacing: self.pacing_facts(id),
        });
        count
    }

    /// The agents who can take a call of this campaign now.
    pub(super) fn agents_of(&self, id: &CampaignId) -> Vec<UserId> {
        let server = self.campaigns.get(id).and_then(|c| c.settings.server());
        self.agents
            .values()
            .filter(|agent| agent.can_take_call() && agent.login.campaigns.contains(id))
            .filter(|agent| Some(&agent.login.server) == server)
            .map(|agent| agent.login.agent.clone())
            .collect()
    }

    pub(super) fn claimed(
        &mut self,
        now: Timestamp,
        id: &CampaignId,
        asked: u32,
        attempts: Vec<NewAttempt>,
        next_due: Option<Timestamp>,
    ) {
        let got = u32::try_from(attempts.len()).unwrap_or(u32::MAX);
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        let Some(claim) = campaign.claim.take() else {
            // An answer to nothing that was asked: an echo, whose attempts were dialed once.
            return;
        };
        if got < asked {
            match next_due.into_iter().chain(claim.recheck).min() {
                // A due time in the past means that another transaction holds the row.
                Some(due) => campaign.idle_until = Some(due.max(after(now, 1_000))),
                None => campaign.used_up = true,
            }
        }
        let first = attempts.first().map(|new| new.attempt);
        self.trunk_answered(now, &claim.trunk, asked.saturating_sub(got), first);
        self.paced_not_dialed(now, id, asked.saturating_sub(got));
        for attempt in attempts {
            self.witness.handed_out(attempt.attempt);
            self.place(now, id, &claim.trunk, attempt);
        }
        self.touch(id);
    }

    pub(super) fn claim_failed(
        &mut self,
        now: Timestamp,
        id: &CampaignId,
        asked: u32,
        stale: bool,
    ) {
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        let Some(claim) = campaign.claim.take() else {
            return;
        };
        // A claim that a new epoch overtook is stale, its campaign is not.
        if stale && claim.epoch == campaign.epoch {
            // Somebody else runs it now; what is in progress here is theirs to judge by the database.
            campaign.state = CampaignState::Stopped;
        } else {
            campaign.idle_until = Some(after(now, 1_000));
        }
        self.touch(id);
        self.trunk_answered(now, &claim.trunk, asked, None);
        self.paced_not_dialed(now, id, asked);
    }

    pub(super) fn place(
        &mut self,
        now: Timestamp,
        id: &CampaignId,
        trunk: &TrunkId,
        new: NewAttempt,
    ) {
        let (Some(campaign), Some(trunk)) = (self.campaigns.get(id), self.trunks.get(trunk)) else {
            return;
        };
        let trunk = &trunk.settings;
        let settings = &campaign.settings;
        let call_id = CallId::from(new.attempt);
        if self.calls.contains_key(&call_id) {
            // Whatever the store says, an attempt is dialed once.
            return;
        }
        let channel = ChannelId::for_attempt(new.attempt);
        let caller_id = new.caller_id.or_else(|| settings.caller_id.clone());
        let originate = Originate {
            server: trunk.server.clone(),
            channel: channel.clone(),
            endpoint: format!("PJSIP/{}@{}", new.number, trunk.endpoint),
            caller_id: caller_id.as_ref().map(ToString::to_string),
            timeout_ms: settings.ring_timeout_s.saturating_mul(1_000),
            purpose: OriginatePurpose::Customer {
                attempt: new.attempt,
                amd: settings.detects().then(|| settings.detection().arguments()),
            },
        };
        let mut call = Call::new(
            call_id,
            trunk.server.clone(),
            channel.clone(),
            Kind::Outbound(AttemptFacts {
                attempt: new.attempt,
                campaign: id.clone(),
                contact: new.contact,
                number: new.number,
                ordinal: new.ordinal,
                epoch: campaign.epoch,
                segment: new.segment,
                trunk: trunk.id.clone(),
                caller_id,
                wanted_agent: new.agent.clone(),
            }),
            Phase::Dialing,
            now,
        );
        let wanted = campaign.state == CampaignState::Running && !self.draining;
        if !wanted {
            // Stopped while the claim was on its way: nothing leaves, the contact goes back.
            call.signals.cancelled = true;
        }
        self.by_channel.insert(channel.clone(), call_id);
        self.calls.insert(call_id, call);
        self.count(id, |counters| counters.attempts += 1);
        if !wanted {
            self.customer_gone(now, call_id);
            return;
        }
        if let Some(agent) = &new.agent {
            self.reserve(now, call_id, agent);
        }
        self.set_phase(now, call_id, Phase::Dialing);
        self.telephony_command(telephony::Command::Originate(originate));
    }

    /// Tells of the campaigns that something happened to, and finishes those whose list is
    /// used up and whose last call is closed.
    pub(super) fn review_campaigns(&mut self, now: Timestamp) {
        if self.touched.is_empty() {
            return;
        }
        let lines = self.lines();
        for id in std::mem::take(&mut self.touched) {
            if !lines.of.contains_key(&id) {
                self.review_idle(now, &id);
            }
            let pending = self.pending_lines(&id, &lines);
            self.publish_campaign(now, &id, pending);
        }
        // Finishing one touched it again, and it has been told of.
        self.touched.clear();
    }
}
