//! Campaigns: how many lines go out, and what becomes of a claim.

use std::collections::BTreeMap;

use super::{Action, Campaign, NewAttempt, Switchboard, Trunk, shares::Shares};
use crate::{
    agent::Agent,
    call::{AttemptFacts, Call, Kind, Phase},
    campaign::{CampaignCounters, CampaignSettings, CampaignState},
    dialer::{Lines, RateLimit, lines_to_dial},
    ids::{CallId, CampaignId, TrunkId},
    record::Write,
    telephony::{self, ChannelId, Originate, OriginatePurpose, ServerName},
    time::{Timestamp, after},
};

/// Most contacts asked for at once: bounds the transaction that claims them.
const MAX_CLAIM: u32 = 100;

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
        let trunk = &settings.trunk;
        let per_second = trunk.max_calls_per_second.max(1);
        let entry = self
            .trunks
            .entry(trunk.id.clone())
            .or_insert_with(|| Trunk {
                max_channels: 0,
                rate: RateLimit::new(per_second, now),
            });
        entry.max_channels = trunk.max_channels;
        entry.rate.set_rate(per_second);
        let id = settings.id.clone();
        match self.campaigns.get_mut(&id) {
            Some(campaign) => campaign.settings = settings,
            None => {
                self.campaigns.insert(
                    id.clone(),
                    Campaign {
                        settings,
                        state: CampaignState::Stopped,
                        epoch: 0,
                        counters: CampaignCounters::default(),
                        claiming: 0,
                        claim_epoch: 0,
                        recheck: None,
                        idle_until: None,
                        used_up: false,
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

    /// The lines of every campaign that has some. O(calls).
    fn lines(&self) -> BTreeMap<CampaignId, OpenLines> {
        let mut lines: BTreeMap<CampaignId, OpenLines> = BTreeMap::new();
        for call in self.calls.values() {
            let Some(campaign) = call.campaign() else {
                continue;
            };
            let entry = match lines.get_mut(campaign) {
                Some(entry) => entry,
                None => lines.entry(campaign.clone()).or_default(),
            };
            entry.pending += u32::from(call.needs_agent());
            entry.open += u32::from(call.ended_at.is_none());
        }
        lines
    }

    /// Lines of a campaign that have no agent yet: asked for, dialing, ringing, answered.
    fn pending_lines(&self, id: &CampaignId, lines: &BTreeMap<CampaignId, OpenLines>) -> u32 {
        let open = lines.get(id).map_or(0, |lines| lines.pending);
        let claiming = self
            .campaigns
            .get(id)
            .map_or(0, |campaign| campaign.claiming);
        open.saturating_add(claiming)
    }

    fn trunk_lines(&self, trunk: &TrunkId, lines: &BTreeMap<CampaignId, OpenLines>) -> u32 {
        self.campaigns
            .values()
            .filter(|c| c.settings.trunk.id == *trunk)
            .map(|c| {
                lines
                    .get(&c.settings.id)
                    .map_or(0, |lines| lines.open)
                    .saturating_add(c.claiming)
            })
            .fold(0, u32::saturating_add)
    }

    /// Lets every running campaign ask for the lines that it may dial now.
    ///
    /// Agents who work for several campaigns are counted once: lines already out speak
    /// for agents first, then campaigns ask in order of priority.
    /// O(calls + agents × their campaigns), and nothing but O(agents) while all are busy.
    pub(super) fn dial(&mut self, now: Timestamp) {
        let runs = |c: &Campaign| c.state == CampaignState::Running;
        if self.draining
            || !self.campaigns.values().any(runs)
            || !self.agents.values().any(Agent::can_take_call)
        {
            return;
        }
        let lines = self.lines();
        let mut order: Vec<(u8, CampaignId)> = self
            .campaigns
            .values()
            .filter(|c| runs(c) || c.claiming > 0 || lines.contains_key(&c.settings.id))
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
            let available = shares.take(index, u32::MAX);
            let asked = self.ask_for_lines(
                now,
                &id,
                available.saturating_add(spoken_for),
                pending,
                &lines,
            );
            shares.give_back(index, available.saturating_sub(asked));
        }
    }

    /// The agents who can take a call, by the campaigns (as indexes of `order`) that could
    /// connect one to them: those that dial through the exchange of the agent's station.
    fn free_agents(&self, order: &[(u8, CampaignId)]) -> Shares {
        let index: BTreeMap<&CampaignId, (usize, &ServerName)> = order
            .iter()
            .enumerate()
            .filter_map(|(index, (_, id))| {
                let campaign = self.campaigns.get(id)?;
                Some((id, (index, &campaign.settings.trunk.server)))
            })
            .collect();
        Shares::new(
            self.agents
                .values()
                .filter(|agent| agent.can_take_call())
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
        let may = campaign.state == CampaignState::Running
            && !campaign.used_up
            && campaign.claiming == 0
            && self.server_up(&campaign.settings.trunk.server);
        let hold = self
            .servers
            .get(&campaign.settings.trunk.server)
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
        lines: &BTreeMap<CampaignId, OpenLines>,
    ) -> u32 {
        let Some(campaign) = self.campaigns.get(id) else {
            return 0;
        };
        let settings = campaign.settings.clone();
        let epoch = campaign.epoch;
        let in_use = self.trunk_lines(&settings.trunk.id, lines);
        let open = lines.get(id).map_or(0, |lines| lines.open);
        let Some(trunk) = self.trunks.get_mut(&settings.trunk.id) else {
            return 0;
        };
        let rate = trunk.rate.available(now);
        let free_channels = trunk.max_channels.saturating_sub(in_use);
        let unlimited = settings
            .max_lines
            .saturating_sub(open)
            .min(free_channels)
            .min(MAX_CLAIM);
        let wanted = lines_to_dial(Lines {
            mode: settings.mode,
            ratio: settings.ratio,
            available_agents,
            pending_lines,
            room: unlimited,
        });
        let count = wanted.min(rate);
        if wanted > rate {
            // Something waits for the rate limit only: look again when a token is there.
            let per_second = u64::from(settings.trunk.max_calls_per_second.max(1));
            self.arm_dial(after(now, 1_000 / per_second + 1));
        }
        if count == 0 {
            return 0;
        }
        if let Some(trunk) = self.trunks.get_mut(&settings.trunk.id) {
            trunk.rate.take(count);
        }
        if let Some(campaign) = self.campaigns.get_mut(id) {
            campaign.claiming = count;
            campaign.claim_epoch = epoch;
            campaign.recheck = None;
        }
        self.act(Action::Claim {
            campaign: id.clone(),
            epoch,
            trunk: settings.trunk.id,
            server: settings.trunk.server,
            count,
        });
        count
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
        if campaign.claiming == 0 {
            // An answer to nothing that was asked: an echo, whose attempts were dialed once.
            return;
        }
        campaign.claiming = 0;
        let recheck = campaign.recheck.take();
        let trunk = campaign.settings.trunk.id.clone();
        if got < asked {
            match next_due.into_iter().chain(recheck).min() {
                // A due time in the past means that another transaction holds the row.
                Some(due) => campaign.idle_until = Some(due.max(after(now, 1_000))),
                None => campaign.used_up = true,
            }
            if let Some(trunk) = self.trunks.get_mut(&trunk) {
                trunk.rate.give_back(asked - got);
            }
        }
        for attempt in attempts {
            self.witness.handed_out(attempt.attempt);
            self.place(now, id, attempt);
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
        if campaign.claiming == 0 {
            return;
        }
        campaign.claiming = 0;
        campaign.recheck = None;
        let trunk = campaign.settings.trunk.id.clone();
        // A claim that a new epoch overtook is stale, its campaign is not.
        if stale && campaign.claim_epoch == campaign.epoch {
            // Somebody else runs it now; what is in progress here is theirs to judge by the database.
            campaign.state = CampaignState::Stopped;
        } else {
            campaign.idle_until = Some(after(now, 1_000));
        }
        self.touch(id);
        if let Some(trunk) = self.trunks.get_mut(&trunk) {
            trunk.rate.give_back(asked);
        }
    }

    /// The list of a campaign has something that is due at this time.
    pub(super) fn list_has_more(&mut self, id: &CampaignId, due: Timestamp) {
        let Some(campaign) = self.campaigns.get_mut(id) else {
            return;
        };
        if campaign.claiming > 0 {
            campaign.recheck = Some(campaign.recheck.map_or(due, |at| at.min(due)));
        }
        if campaign.used_up {
            campaign.used_up = false;
            campaign.idle_until = Some(due);
        } else {
            campaign.idle_until = campaign.idle_until.map(|until| until.min(due));
        }
    }

    pub(super) fn place(&mut self, now: Timestamp, id: &CampaignId, new: NewAttempt) {
        let Some(campaign) = self.campaigns.get(id) else {
            return;
        };
        let settings = campaign.settings.clone();
        let call_id = CallId::from(new.attempt);
        if self.calls.contains_key(&call_id) {
            // Whatever the store says, an attempt is dialed once.
            return;
        }
        let channel = ChannelId::for_attempt(new.attempt);
        let endpoint = format!("PJSIP/{}@{}", new.number, settings.trunk.endpoint);
        let mut call = Call::new(
            call_id,
            settings.trunk.server.clone(),
            channel.clone(),
            Kind::Outbound(AttemptFacts {
                attempt: new.attempt,
                campaign: id.clone(),
                contact: new.contact,
                number: new.number,
                ordinal: new.ordinal,
                epoch: campaign.epoch,
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
        self.set_phase(now, call_id, Phase::Dialing);
        self.telephony_command(telephony::Command::Originate(Originate {
            server: settings.trunk.server,
            channel,
            endpoint,
            caller_id: settings.caller_id.map(|number| number.to_string()),
            timeout_ms: settings.ring_timeout_s.saturating_mul(1_000),
            purpose: OriginatePurpose::Customer {
                attempt: new.attempt,
                amd: settings.amd,
            },
        }));
    }

    /// Tells of the campaigns that something happened to, and finishes those whose list is
    /// used up and whose last call is closed.
    pub(super) fn review_campaigns(&mut self, now: Timestamp) {
        if self.touched.is_empty() {
            return;
        }
        let lines = self.lines();
        for id in std::mem::take(&mut self.touched) {
            let done = self
                .campaigns
                .get(&id)
                .is_some_and(|c| c.state == CampaignState::Running && c.used_up && c.claiming == 0);
            if done && !lines.contains_key(&id) {
                self.set_campaign(now, &id, CampaignState::Finished);
            }
            let pending = self.pending_lines(&id, &lines);
            self.publish_campaign(&id, pending);
        }
        // Finishing one touched it again, and it has been told of.
        self.touched.clear();
    }
}
