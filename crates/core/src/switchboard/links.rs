//! Exchanges that come and go, and what is taken up again after a restart.

use std::collections::{BTreeMap, BTreeSet};

use super::{OVERDUE_MS, Switchboard, Timer};
use crate::{
    agent::{Agent, AgentState, LEG_LOST, Leg, LegMode, Login, Wish},
    call::{Call, Kind, Phase},
    campaign::{CampaignSettings, CampaignState},
    ids::{CallId, QueueId, UserId},
    limits::Limits,
    telephony::{ChannelId, ChannelOwner, LiveChannel, ServerName},
    time::{Timestamp, after, millis_between},
    transfer::Transfer,
};

/// What the database knows after a start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Restored {
    /// Campaigns, whether they ran, and the new epoch of this runner.
    pub campaigns: Vec<(CampaignSettings, CampaignState, i64)>,
    /// Attempts and inbound calls without an end.
    pub calls: Vec<RestoredCall>,
    /// Agent sessions without an end.
    pub sessions: Vec<RestoredSession>,
    /// The exchanges that are configured: what was on another one is closed, because no
    /// snapshot will ever tell of it. Empty means that they are not known.
    pub servers: Vec<ServerName>,
    /// How much may be used at once. What is taken up again may be more.
    pub limits: Limits,
}

/// A call without an end.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredCall {
    /// The call.
    pub id: CallId,
    /// Its exchange.
    pub server: ServerName,
    /// Its channel.
    pub channel: ChannelId,
    /// Its kind.
    pub kind: Kind,
    /// The queue that it waited or waits in.
    pub queue: Option<QueueId>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
    /// When it was connected, and to whom.
    pub bridged: Option<(Timestamp, UserId)>,
    /// The last transfer of it, unless that is over.
    pub transfer: Option<Transfer>,
    /// How many transfers were asked for.
    pub transfers: u32,
}

/// An agent session without an end.
#[derive(Debug, Clone, PartialEq)]
pub struct RestoredSession {
    /// Who, where and for what.
    pub login: Login,
    /// How many legs were dialed.
    pub legs_dialed: u32,
    /// The last state written.
    pub state: AgentState,
}

impl Switchboard {
    pub(super) fn restore(&mut self, now: Timestamp, restored: Restored) {
        self.limits = restored.limits;
        for (settings, state, epoch) in restored.campaigns {
            let id = settings.id.clone();
            self.configure(now, settings);
            if let Some(campaign) = self.campaigns.get_mut(&id) {
                campaign.state = state;
                campaign.epoch = epoch;
            }
            self.touch(&id);
        }
        let servers = restored.servers;
        let gone = |server: &ServerName| !servers.is_empty() && !servers.contains(server);
        for session in restored.sessions {
            let (agent, gone) = (session.login.agent.clone(), gone(&session.login.server));
            self.restore_session(now, session, gone);
            if gone {
                self.close_session(now, &agent, "exchange removed");
            }
        }
        for call in restored.calls {
            let (id, gone) = (call.id, gone(&call.server));
            self.restore_call(now, call);
            if gone {
                self.vanished(now, id);
            }
        }
    }

    /// Closes a call on an exchange that is not there any more.
    fn vanished(&mut self, now: Timestamp, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.signals.unseen_end = true;
            self.close(now, id);
        }
    }

    fn restore_session(&mut self, now: Timestamp, restored: RestoredSession, gone: bool) {
        let id = restored.login.agent.clone();
        let session = restored.login.session;
        let mut agent = Agent::new(restored.login, now);
        agent.legs_dialed = restored.legs_dialed;
        agent.wish = match restored.state {
            // A leg that was lost is no wish of the agent's.
            AgentState::Paused(reason) if reason != LEG_LOST => Wish::Pause(reason),
            AgentState::Paused(_)
            | AgentState::Available
            | AgentState::Preview
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold
            | AgentState::WrapUp
            | AgentState::Offline => Wish::Ready,
        };
        self.witness.leg_dialed_before(session, agent.legs_dialed);
        if agent.login.leg_mode == LegMode::NailedUp && agent.legs_dialed > 0 && !gone {
            // Whether it still stands, the first snapshot says.
            agent.leg = Leg::Dialing(ChannelId::for_leg(session, agent.legs_dialed));
            agent.leg_missed = true;
        }
        let state = match &agent.wish {
            Wish::Pause(reason) => AgentState::Paused(reason.clone()),
            Wish::Ready | Wish::LogOut if agent.reachable() => AgentState::Available,
            Wish::Ready | Wish::LogOut => AgentState::Paused(LEG_LOST.to_owned()),
        };
        let (legs, nailed_up) = (agent.legs_dialed, agent.login.leg_mode == LegMode::NailedUp);
        self.sessions_of_agents.insert(session, id.clone());
        self.agents.insert(id.clone(), agent);
        self.staff.changed();
        self.set_agent(now, &id, state, "restart");
        if nailed_up && !gone {
            self.arm(after(now, 60_000), Timer::Leg(session, legs));
        }
    }

    fn restore_call(&mut self, now: Timestamp, restored: RestoredCall) {
        let RestoredCall {
            id,
            server,
            channel,
            kind,
            queue,
            started_at,
            answered_at,
            bridged,
            transfer,
            transfers,
        } = restored;
        let mut call = Call::new(id, server, channel.clone(), kind, Phase::Restored, now);
        call.walk.queue = queue;
        call.transfers = transfers;
        if let Some(transfer) = &transfer {
            self.witness.transferred_before(id, transfer.ordinal);
        }
        call.transfer = transfer;
        call.started_at = started_at;
        call.answered_at = answered_at;
        call.signals.answered = answered_at.is_some();
        if let Some((at, agent)) = bridged {
            call.bridged_at = Some(at);
            call.signals.bridged = true;
            call.talked_to = Some(agent);
        }
        if let Kind::Outbound(facts) = &call.kind {
            self.witness.dialed_before(facts.attempt);
        }
        self.by_channel.insert(channel, id);
        self.calls.insert(id, call);
        // Asterisk went on recording while nobody looked.
        let recording = self.recording_of(id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.recording = recording.map(|recording| recording.file);
        }
        self.set_phase(now, id, Phase::Restored);
    }

    /// Brings what is believed into line with what the exchange has.
    pub(super) fn snapshot(
        &mut self,
        now: Timestamp,
        server: &ServerName,
        channels: &[LiveChannel],
    ) {
        self.syncing.remove(server);
        let live: BTreeMap<&ChannelId, &LiveChannel> =
            channels.iter().map(|c| (&c.channel, c)).collect();
        let mut calls: Vec<CallId> = self
            .calls
            .values()
            .filter(|call| call.server == *server && call.ended_at.is_none())
            .map(|call| call.id)
            .collect();
        calls.sort_unstable();
        let agents: Vec<UserId> = self
            .agents
            .values()
            .filter(|agent| agent.login.server == *server)
            .map(|agent| agent.login.agent.clone())
            .collect();
        for id in &agents {
            self.check_leg(now, id, &live);
        }
        for id in calls {
            match self.calls.get(&id).and_then(|call| live.get(&call.channel)) {
                Some(channel) => self.found(now, id, channel, &live),
                None => self.not_found(now, id, server),
            }
        }
        self.hang_up_orphans(server, channels);
        self.set_server(now, server, true);
    }

    fn check_leg(
        &mut self,
        now: Timestamp,
        id: &UserId,
        live: &BTreeMap<&ChannelId, &LiveChannel>,
    ) {
        let Some(agent) = self.agents.get(id) else {
            return;
        };
        match (
            &agent.leg,
            agent.leg.channel().and_then(|channel| live.get(channel)),
        ) {
            (Leg::Dialing(channel), Some(found)) if found.up => {
                let channel = channel.clone();
                self.leg_up(now, id, channel);
            }
            (Leg::Dialing(_), None) if !agent.leg_missed => {
                // It may still be on its way: a second one would ring the same station.
                let server = agent.login.server.clone();
                if let Some(agent) = self.agents.get_mut(id) {
                    agent.leg_missed = true;
                }
                self.arm(after(now, OVERDUE_MS), Timer::Sync(server));
            }
            (Leg::Up(_) | Leg::Dialing(_), None) => {
                self.stats.corrected += 1;
                self.lose_leg(now, id);
            }
            (Leg::Dialing(_), Some(_)) => {
                if let Some(agent) = self.agents.get_mut(id) {
                    agent.leg_missed = false;
                }
            }
            (Leg::Up(_), Some(_)) | (Leg::Down, _) => {}
        }
    }

    fn found(
        &mut self,
        now: Timestamp,
        id: CallId,
        channel: &LiveChannel,
        live: &BTreeMap<&ChannelId, &LiveChannel>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.alive = true;
        call.missed = false;
        match call.phase {
            Phase::Restored => self.adopt(now, id, channel, live),
            // The hang-up was lost, or never arrived there.
            Phase::Ending => {
                let server = call.server.clone();
                let channel = call.channel.clone();
                self.hang_up_orphan_on(server, channel);
            }
            // The news that they were connected was lost.
            Phase::Answered | Phase::Connecting
                if channel.bridge.is_some() && call.may_become_bridged() =>
            {
                self.stats.corrected += 1;
                self.note_bridged(now, id);
            }
            Phase::Dialing | Phase::Ringing if channel.up => {
                self.stats.corrected += 1;
                self.note_answered(now, id);
                self.set_phase(now, id, Phase::Answered);
            }
            Phase::Dialing
            | Phase::Ringing
            | Phase::Answered
            | Phase::Flow
            | Phase::Waiting
            | Phase::Connecting
            | Phase::Bridged
            | Phase::Message => {}
        }
    }

    /// A call of an earlier run is alive: it goes on under this one.
    fn adopt(
        &mut self,
        now: Timestamp,
        id: CallId,
        channel: &LiveChannel,
        live: &BTreeMap<&ChannelId, &LiveChannel>,
    ) {
        self.stats.adopted += 1;
        self.reserve_again(now, id);
        if !channel.up {
            return self.set_phase(now, id, Phase::Dialing);
        }
        self.note_answered(now, id);
        if channel.bridge.is_none() {
            // Its FastAGI session is gone; the dialplan opens a new one.
            return self.set_phase(now, id, Phase::Answered);
        }
        let by_leg = self.agents.values().find(|agent| {
            let leg = agent.leg.channel().and_then(|leg| live.get(leg));
            leg.is_some_and(|leg| leg.bridge == channel.bridge)
        });
        let by_leg = by_leg.map(|agent| agent.login.agent.clone());
        self.adopt_transfer(now, id, by_leg.as_ref());
        if by_leg.is_none() && self.calls.get(&id).is_some_and(Call::is_outside) {
            return self.outside_answered(now, id);
        }
        let agent = by_leg
            .or_else(|| self.calls.get(&id).and_then(|call| call.talked_to.clone()))
            .filter(|agent| self.agents.get(agent).is_some_and(|a| a.call.is_none()));
        if let Some(agent) = &agent
            && let Some(entry) = self.agents.get_mut(agent)
        {
            entry.call = Some(id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = agent;
        }
        self.note_bridged(now, id);
    }

    /// A call that was dialed for an agent is theirs again, as long as nobody talks on it.
    fn reserve_again(&mut self, now: Timestamp, id: CallId) {
        let wanted = self.calls.get(&id).and_then(|call| match &call.kind {
            Kind::Outbound(facts) if call.bridged_at.is_none() => facts.wanted_agent.clone(),
            Kind::Outbound(_) | Kind::Inbound(_) => None,
        });
        if let Some(agent) = wanted {
            self.reserve(now, id, &agent);
        }
    }

    fn not_found(&mut self, now: Timestamp, id: CallId, server: &ServerName) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        // A list of channels can be older than the channel, and the Originate may still be on
        // its way: a young call is asked for once more, and one never seen is asked for twice.
        let young =
            call.phase != Phase::Restored && millis_between(call.started_at, now) < OVERDUE_MS;
        let unseen = call.phase == Phase::Dialing && !call.alive && !call.missed;
        if young || unseen {
            call.missed = true;
            self.arm(after(now, OVERDUE_MS), Timer::Sync(server.clone()));
            return;
        }
        self.stats.corrected += 1;
        // An Originate that was reported to have failed needs no channel to have ended.
        let reported = !call.signals.answered && call.signals.originate_reason.is_some();
        call.signals.unseen_end = !reported;
        self.customer_gone(now, id);
    }

    /// Channels that bear our ids and belong to nothing that is known are hung up.
    fn hang_up_orphans(&mut self, server: &ServerName, channels: &[LiveChannel]) {
        let legs: BTreeSet<&ChannelId> = self
            .agents
            .values()
            .filter_map(|agent| agent.leg.channel())
            .collect();
        let orphans: Vec<ChannelId> = channels
            .iter()
            .map(|live| &live.channel)
            .filter(|channel| match channel.owner() {
                ChannelOwner::Attempt(_) => !self.by_channel.contains_key(*channel),
                ChannelOwner::Leg { .. } => !legs.contains(channel),
                // It ends with the channel that it listens to, also after a restart.
                ChannelOwner::Supervision(_) | ChannelOwner::Other => false,
            })
            .cloned()
            .collect();
        for channel in orphans {
            self.stats.orphans += 1;
            self.hang_up_orphan_on(server.clone(), channel);
        }
    }
}
