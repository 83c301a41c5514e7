//! Customers and agents together: who gets whom, and what becomes of the connection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{STATION_RING_S, Switchboard, transfers::outcome_of};
use crate::{
    agent::{Agent, AgentState, LegMode},
    call::{AttemptFacts, Call, Kind, Phase},
    ids::{CallId, CampaignId, QueueId, UserId},
    record::Write,
    telephony::{ChannelId, ConnectOutcome, ConnectTarget, Recording, ServerName, SessionCommand},
    time::{Timestamp, after},
    transfer::Target,
};

/// What an agent serves, and on which exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Skill<'a> {
    Campaign(&'a ServerName, &'a CampaignId),
    Queue(&'a ServerName, &'a QueueId),
}

impl Switchboard {
    /// Gives waiting calls to the agents who have waited longest.
    pub(super) fn assign(&mut self, now: Timestamp) {
        if self.waiting.is_empty() {
            return;
        }
        self.release_unreachable(now);
        for (id, agent) in self.pairs() {
            self.connect(now, id, &agent);
        }
    }

    /// Agents for whom a call was dialed and who cannot be reached when it is answered: whoever
    /// answered gets another agent.
    fn release_unreachable(&mut self, now: Timestamp) {
        let lost = |call: &&Call| {
            let agent = call.agent.as_ref().and_then(|id| self.agents.get(id));
            agent.is_some_and(|agent| !agent.reachable())
        };
        let waiting = self
            .waiting
            .iter()
            .filter_map(|(_, _, id)| self.calls.get(id));
        let lost: Vec<CallId> = waiting.filter(lost).map(|call| call.id).collect();
        for id in lost {
            self.release_agent(now, id, "station lost");
        }
    }

    /// Waiting calls in their order, each with the agent whom it was dialed for, or else with the agent who has been idle longest.
    ///
    /// Idle agents are laid out once by what they serve, so this is linear in the waiting
    /// calls and in what the idle agents serve.
    fn pairs(&self) -> Vec<(CallId, UserId)> {
        let mut wanted: BTreeMap<Skill<'_>, VecDeque<&UserId>> = BTreeMap::new();
        let mut pairs = Vec::new();
        let mut waiting: Vec<(CallId, Skill<'_>)> = Vec::new();
        for call in self
            .waiting
            .iter()
            .filter_map(|(_, _, id)| self.calls.get(id))
        {
            match (self.skill_wanted(call), &call.agent) {
                (Some(_), Some(agent)) => pairs.push((call.id, agent.clone())),
                (Some(skill), None) => waiting.push((call.id, skill)),
                (None, _) => {}
            }
        }
        for (_, skill) in &waiting {
            wanted.entry(*skill).or_default();
        }
        let mut idle: Vec<&Agent> = self
            .agents
            .values()
            .filter(|agent| agent.can_take_call())
            .collect();
        idle.sort_by_key(|agent| (agent.since, &agent.login.agent));
        for agent in idle {
            let server = &agent.login.server;
            let campaigns = agent
                .login
                .campaigns
                .iter()
                .map(|c| Skill::Campaign(server, c));
            let queues = agent.login.queues.iter().map(|q| Skill::Queue(server, q));
            for skill in campaigns.chain(queues) {
                if let Some(agents) = wanted.get_mut(&skill) {
                    agents.push_back(&agent.login.agent);
                }
            }
        }
        let mut taken: BTreeSet<&UserId> = BTreeSet::new();
        for (id, skill) in waiting {
            let Some(agents) = wanted.get_mut(&skill) else {
                continue;
            };
            while let Some(agent) = agents.pop_front() {
                if taken.insert(agent) {
                    pairs.push((id, agent.clone()));
                    break;
                }
            }
        }
        pairs
    }

    /// What an agent must serve to take this call now.
    fn skill_wanted<'a>(&self, call: &'a Call) -> Option<Skill<'a>> {
        call.session?;
        // Before an exchange has told what it has, an agent taken over from the run before
        // may be talking on it.
        self.servers.get(&call.server)?;
        // A flow may lead to a queue whatever began it.
        match (&call.walk.queue, &call.kind) {
            (Some(queue), _) => Some(Skill::Queue(&call.server, queue)),
            (None, Kind::Outbound(facts)) => Some(Skill::Campaign(&call.server, &facts.campaign)),
            (None, Kind::Inbound(_)) => None,
        }
    }

    pub(super) fn connect(&mut self, now: Timestamp, id: CallId, agent_id: &UserId) {
        let Some(session) = self.calls.get(&id).and_then(|call| call.session) else {
            return;
        };
        let Some(agent) = self.agents.get_mut(agent_id) else {
            return;
        };
        let (target, state) = match (agent.login.leg_mode, agent.leg.channel()) {
            (LegMode::NailedUp, Some(leg)) => {
                (ConnectTarget::Leg(leg.clone()), AgentState::Reserved)
            }
            (LegMode::NailedUp, None) => return,
            (LegMode::RingPerCall, _) => (
                ConnectTarget::Ring {
                    endpoint: agent.login.station.clone(),
                    seconds: STATION_RING_S,
                },
                AgentState::Ringing,
            ),
        };
        agent.call = Some(id);
        agent.notice = None;
        self.set_agent(now, agent_id, state, "call offered");
        let record = self.recording_of(id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.agent = Some(agent_id.clone());
            call.offered_at.get_or_insert(now);
            call.station = None;
            call.recording = record.as_ref().map(|recording| recording.file.clone());
        }
        self.set_phase(now, id, Phase::Connecting);
        self.session_command(session, SessionCommand::Connect { target, record });
    }

    /// How the conversation of a call is recorded, if it is.
    pub(super) fn recording_of(&self, id: CallId) -> Option<Recording> {
        let settings = self.settings_of(id).filter(|settings| settings.record)?;
        Some(Recording {
            file: format!("{id}.wav"),
            beep: settings.desk.recording_beep,
        })
    }

    /// How long the campaign of a call lets a conversation last, in milliseconds.
    fn longest_talk(&self, id: CallId) -> Option<u64> {
        let limit_s = self.settings_of(id)?.desk.max_call_s;
        (limit_s > 0).then(|| u64::from(limit_s) * 1_000)
    }

    /// The customer's channel entered a bridge.
    pub(super) fn bridged(&mut self, now: Timestamp, channel: &ChannelId) {
        let Some(id) = self.by_channel.get(channel).copied() else {
            return;
        };
        if self.calls.get(&id).is_some_and(Call::may_become_bridged) {
            self.note_bridged(now, id);
        } else if let Some(call) = self.calls.get_mut(&id)
            && call.phase == Phase::Bridged
            && !call.is_outside()
        {
            call.unbridged_at = None;
        }
    }

    pub(super) fn note_bridged(&mut self, now: Timestamp, id: CallId) {
        if self.calls.get(&id).is_some_and(Call::is_outside) {
            return self.outside_answered(now, id);
        }
        let late = self.connected_late(now, id);
        let longest_ms = self.longest_talk(id);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let known = call.bridged_at.is_some();
        // An agent had it before this one: it was transferred, or came back.
        let again = known && call.unbridged_at.is_some();
        let at = *call.bridged_at.get_or_insert(now);
        call.talk_until = call.talk_until.or(longest_ms.map(|ms| after(at, ms)));
        call.signals.bridged = true;
        call.unbridged_at = None;
        call.waits_again = None;
        let goes_to = call.transfer.as_ref().map(|transfer| &transfer.target);
        let arrived = match (goes_to, &call.agent) {
            (Some(Target::Agent(target)), Some(agent)) => target == agent,
            (Some(Target::Agent(_) | Target::Outside(_) | Target::Flow(_)) | None, _) => false,
        };
        let agent = call.agent.clone();
        if agent.is_some() {
            call.talked_to.clone_from(&agent);
        }
        let (kind, queue) = (call.kind.clone(), call.walk.queue.clone());
        if arrived {
            self.transfer_answered(now, id);
        }
        // Also without an agent whom we know: a conversation found after a restart goes on.
        self.set_phase(now, id, Phase::Bridged);
        let Some(agent) = agent else {
            return;
        };
        self.set_agent(now, &agent, AgentState::OnCall, "connected");
        match kind {
            Kind::Outbound(AttemptFacts {
                attempt, campaign, ..
            }) => {
                self.write(Write::AttemptBridged {
                    attempt,
                    agent,
                    at,
                    late,
                });
                // The first moment at which it is certain that a person answered.
                if !again {
                    self.count(&campaign, |counters| {
                        counters.bridged += 1;
                        counters.answered_human += 1;
                    });
                }
            }
            Kind::Inbound(_) if !known || again => self.write(Write::InboundBridged {
                call: id,
                agent,
                queue,
                at,
            }),
            Kind::Inbound(_) => {}
        }
    }

    pub(super) fn connect_ended(&mut self, now: Timestamp, id: CallId, outcome: ConnectOutcome) {
        if outcome == ConnectOutcome::Talked
            && self
                .calls
                .get(&id)
                .is_some_and(|c| c.phase == Phase::Connecting)
        {
            // FastAGI and AMI are two sockets: the end of a very short conversation can
            // overtake the news that it began.
            self.note_bridged(now, id);
        }
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let Some(session) = call.session else { return };
        match call.phase {
            // It was ended for a transfer.
            Phase::Bridged if call.transfer_asked.is_some() => self.hand_on(now, id),
            // They talked: the agent hung up, or the customer did and their channel's end follows.
            Phase::Bridged => {
                self.release_agent(now, id, "conversation ended");
                self.set_phase(now, id, Phase::Ending);
                self.session_command(session, SessionCommand::HangUp);
            }
            Phase::Connecting => {
                let agent = call.agent.clone();
                let transferred = call
                    .transfer
                    .as_ref()
                    .is_some_and(|t| t.answered_at.is_none());
                if let Some(call) = self.calls.get_mut(&id) {
                    call.agent = None;
                    if call.bridged_at.is_none() {
                        call.recording = None;
                    }
                }
                if let Some(agent) = agent {
                    let reason = match outcome {
                        ConnectOutcome::NoAnswer => crate::agent::NO_ANSWER,
                        ConnectOutcome::Failed | ConnectOutcome::Talked => crate::agent::LEG_LOST,
                    };
                    self.station_failed(now, &agent, reason);
                }
                if transferred {
                    return self.transfer_failed(now, id, outcome_of(outcome));
                }
                // Another agent may still be in time.
                self.set_phase(now, id, Phase::Waiting);
            }
            Phase::Restored
            | Phase::Dialing
            | Phase::Ringing
            | Phase::Answered
            | Phase::Flow
            | Phase::Waiting
            | Phase::Message
            | Phase::Ending => {}
        }
    }
}
