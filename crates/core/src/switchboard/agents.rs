//! Agents: their legs, and what they do when a call is over.

use super::{Switchboard, Timer};
use crate::{
    agent::{AgentState, LEG_LOST, Leg, LegMode, NO_ANSWER, Wish},
    ids::{AgentSessionId, UserId},
    record::Write,
    telephony::{self, ChannelId, Originate, OriginatePurpose},
    time::{Timestamp, after, millis_between},
};

/// How long a station rings for its nailed-up leg.
const LEG_RING_MS: u32 = 30_000;

/// Delay before a lost leg is dialed again; doubles with each failure up to a minute.
const REDIAL_MS: u64 = 1_000;

/// After so many failures in a row the agent must say ready again: nobody is at the station.
const MAX_LEG_FAILURES: u32 = 5;

/// A leg that is gone sooner after it was answered is a failure as well: a voicemail or a
/// broken phone picks up each time, and would be dialed every second for ever.
const LEG_LASTS_MS: u64 = 10_000;

impl Switchboard {
    pub(super) fn dial_leg(&mut self, now: Timestamp, id: &UserId) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        agent.legs_dialed += 1;
        let number = agent.legs_dialed;
        let session = agent.login.session;
        let channel = ChannelId::for_leg(session, number);
        agent.leg = Leg::Dialing(channel.clone());
        agent.leg_missed = false;
        let (server, endpoint) = (agent.login.server.clone(), agent.login.station.clone());
        self.write(Write::LegDialed { session, number });
        self.telephony_command(telephony::Command::Originate(Originate {
            server,
            channel,
            endpoint,
            caller_id: None,
            timeout_ms: LEG_RING_MS,
            purpose: OriginatePurpose::AgentLeg,
        }));
        // If nothing is heard of it, it is dialed again.
        self.arm(
            after(now, u64::from(LEG_RING_MS) + 10_000),
            Timer::Leg(session, number),
        );
    }

    fn agent_of_leg(&self, session: AgentSessionId, number: u32) -> Option<UserId> {
        let id = self.sessions_of_agents.get(&session)?;
        let agent = self.agents.get(id)?;
        let current = agent.leg.channel() == Some(&ChannelId::for_leg(session, number));
        current.then(|| id.clone())
    }

    pub(super) fn leg_answered(
        &mut self,
        now: Timestamp,
        channel: &ChannelId,
        session: AgentSessionId,
        number: u32,
    ) {
        let Some(id) = self.agent_of_leg(session, number) else {
            // A leg of a session that is over, or one that was given up and dialed again.
            return self.hang_up_orphan(channel);
        };
        self.leg_up(now, &id, channel.clone());
    }

    pub(super) fn leg_up(&mut self, now: Timestamp, id: &UserId, channel: ChannelId) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        // The answer is told more than once.
        if !matches!(agent.leg, Leg::Up(_)) {
            agent.leg_up_since = Some(now);
        }
        agent.leg = Leg::Up(channel);
        let lost = agent.state == AgentState::Paused(LEG_LOST.to_owned());
        let paused = matches!(agent.state, AgentState::Paused(_));
        match agent.wish.clone() {
            Wish::Ready if paused => {
                self.set_agent(now, id, AgentState::Available, "station connected");
            }
            // The board tells the agent's own reason again.
            Wish::Pause(reason) if lost => {
                self.set_agent(now, id, AgentState::Paused(reason), "station connected");
            }
            Wish::Ready | Wish::Pause(_) | Wish::LogOut => self.publish_agent(id),
        }
    }

    /// An Originate of a leg did not come through.
    pub(super) fn leg_failed(&mut self, now: Timestamp, session: AgentSessionId, number: u32) {
        if let Some(id) = self.agent_of_leg(session, number) {
            self.lose_leg(now, &id);
        }
    }

    /// The channel of a leg is gone.
    pub(super) fn leg_lost(&mut self, now: Timestamp, session: AgentSessionId, number: u32) {
        if let Some(id) = self.agent_of_leg(session, number) {
            self.lose_leg(now, &id);
        }
    }

    pub(super) fn lose_leg(&mut self, now: Timestamp, id: &UserId) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        let lasted = agent
            .leg_up_since
            .take()
            .is_some_and(|since| millis_between(since, now) >= LEG_LASTS_MS);
        agent.leg = Leg::Down;
        agent.leg_failures = if lasted { 0 } else { agent.leg_failures + 1 };
        let failures = agent.leg_failures;
        let (session, legs) = (agent.login.session, agent.legs_dialed);
        // The call of an agent whose leg is gone ends by its own session: Bridge returns.
        if agent.state == AgentState::Available {
            self.set_agent(
                now,
                id,
                AgentState::Paused(LEG_LOST.to_owned()),
                "station lost",
            );
        } else {
            self.publish_agent(id);
        }
        if failures < MAX_LEG_FAILURES {
            let delay = (REDIAL_MS << failures).min(60_000);
            self.arm(after(now, delay), Timer::Leg(session, legs));
        } else if let Some(agent) = self.agents.get_mut(id)
            && agent.wish == Wish::Ready
        {
            // Whoever wished for a pause or to log out keeps that wish.
            agent.wish = Wish::Pause(NO_ANSWER.to_owned());
            if let AgentState::Paused(_) = agent.state {
                self.set_agent(
                    now,
                    id,
                    AgentState::Paused(NO_ANSWER.to_owned()),
                    "station did not answer",
                );
            }
        }
    }

    /// The time to dial a leg again, or to give up one that says nothing.
    pub(super) fn redial_leg(&mut self, now: Timestamp, session: AgentSessionId, legs: u32) {
        let Some(id) = self.sessions_of_agents.get(&session).cloned() else {
            return;
        };
        let Some(agent) = self.agents.get(&id) else {
            return;
        };
        if agent.legs_dialed != legs || matches!(agent.leg, Leg::Up(_)) {
            return;
        }
        if let Some(channel) = agent.leg.channel().cloned() {
            self.hang_up_orphan_on(agent.login.server.clone(), channel);
            return self.lose_leg(now, &id);
        }
        if agent.leg_failures >= MAX_LEG_FAILURES {
            // Given up: this is the timer that waited for the answer of the last one.
            return;
        }
        if self.server_up(&agent.login.server) {
            self.dial_leg(now, &id);
        } else {
            self.arm(after(now, REDIAL_MS), Timer::Leg(session, legs));
        }
    }

    /// The station could not be connected to a customer.
    pub(super) fn station_failed(&mut self, now: Timestamp, id: &UserId, reason: &'static str) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        let ring_per_call = agent.login.leg_mode == LegMode::RingPerCall;
        if agent.wish == Wish::LogOut {
            return self.close_session(now, id, "log-out");
        }
        if ring_per_call {
            // Nobody is at the station: the next customer must not wait for it as well.
            agent.wish = Wish::Pause(reason.to_owned());
            self.set_agent(now, id, AgentState::Paused(reason.to_owned()), reason);
            return;
        }
        let leg = agent.leg.channel().cloned();
        let server = agent.login.server.clone();
        self.set_agent(now, id, AgentState::Paused(reason.to_owned()), reason);
        match leg {
            // A leg that takes no bridge is replaced.
            Some(channel) => {
                self.hang_up_orphan_on(server, channel);
                self.lose_leg(now, id);
            }
            None => self.rest(now, id, reason),
        }
    }

    /// A call of this agent is over; `wrap_up_s` when they talked.
    pub(super) fn after_call(
        &mut self,
        now: Timestamp,
        id: &UserId,
        wrap_up_s: Option<u32>,
        cause: &'static str,
    ) {
        let Some(agent) = self.agents.get(id) else {
            return;
        };
        match (wrap_up_s, &agent.wish) {
            (_, Wish::LogOut) => self.close_session(now, id, "log-out"),
            (Some(seconds @ 1..), Wish::Ready | Wish::Pause(_)) => {
                self.set_agent(now, id, AgentState::WrapUp, cause);
                self.arm(
                    after(now, u64::from(seconds) * 1_000),
                    Timer::Agent(id.clone(), now),
                );
            }
            (Some(0) | None, Wish::Ready | Wish::Pause(_)) => self.rest(now, id, cause),
        }
    }

    /// Nothing holds the agent any more: they become what they wish to be.
    pub(super) fn rest(&mut self, now: Timestamp, id: &UserId, cause: &'static str) {
        let Some(agent) = self.agents.get(id) else {
            return;
        };
        match agent.wish.clone() {
            Wish::LogOut => self.close_session(now, id, "log-out"),
            Wish::Pause(reason) => self.set_agent(now, id, AgentState::Paused(reason), cause),
            Wish::Ready if agent.reachable() => {
                self.set_agent(now, id, AgentState::Available, cause);
            }
            Wish::Ready => self.set_agent(
                now,
                id,
                AgentState::Paused(LEG_LOST.to_owned()),
                "station lost",
            ),
        }
    }

    /// The state that the agent entered at `since` has lasted long enough.
    pub(super) fn agent_overdue(&mut self, now: Timestamp, id: &UserId, since: Timestamp) {
        let Some(agent) = self.agents.get(id).filter(|agent| agent.since == since) else {
            return;
        };
        let asked = agent.preview.as_ref().is_some_and(|p| p.asked.is_some());
        match agent.state {
            AgentState::WrapUp => self.rest(now, id, "wrap-up time over"),
            // What was asked for is answered.
            AgentState::Preview if !asked => {
                self.end_preview(now, id);
                self.rest(now, id, "preview time over");
            }
            AgentState::Preview
            | AgentState::Offline
            | AgentState::Available
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold
            | AgentState::Paused(_) => {}
        }
    }

    fn hang_up_orphan(&mut self, channel: &ChannelId) {
        // Which exchange it is on is not known: hanging up a channel that does not exist is harmless.
        let servers: Vec<_> = self.servers.keys().cloned().collect();
        for server in servers {
            self.hang_up_orphan_on(server, channel.clone());
        }
    }

    pub(super) fn hang_up_orphan_on(&mut self, server: telephony::ServerName, channel: ChannelId) {
        self.telephony_command(telephony::Command::HangUp { server, channel });
    }
}
