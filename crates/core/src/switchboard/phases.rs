//! The phases of a call, each with a limit.

use super::{
    CONNECT_MS, HAND_OVER_MS, LOOK_MS, MESSAGE_MS, OUTSIDE_RING_S, OVERDUE_MS, SET_UP_MS,
    SETTLE_MS, STATION_RING_S, Switchboard, Timer,
};
use crate::{
    agent::LegMode,
    call::{Call, Direction, Kind, Phase},
    ids::CallId,
    time::{Timestamp, after},
};

impl Switchboard {
    /// The only place where the phase of a call changes; arms the limit of the new phase.
    pub(super) fn set_phase(&mut self, now: Timestamp, id: CallId, phase: Phase) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.phase == Phase::Waiting {
            let key = (
                call.direction() == Direction::Inbound,
                call.waits_since(),
                id,
            );
            self.waiting.remove(&key);
        }
        let from = std::mem::replace(&mut call.phase, phase);
        call.since = now;
        self.leave_transfers(now, id, phase);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if phase == Phase::Waiting {
            // Whoever was connected once waits anew, and is not late for it.
            if call.bridged_at.is_some() {
                call.waits_again.get_or_insert(now);
            } else {
                call.waiting_since.get_or_insert(now);
            }
            self.waiting.insert((
                call.direction() == Direction::Inbound,
                call.waits_since(),
                id,
            ));
        }
        let limit = self.phase_limit(now, id);
        self.arm_call(id, limit);
        self.pace_line(now, id, from);
        self.publish_call(id);
    }

    /// Moves the one timer of a call.
    pub(super) fn arm_call(&mut self, id: CallId, limit: Timestamp) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let armed = std::mem::replace(&mut call.limit, limit);
        self.timers.remove(&(armed, Timer::Call(id)));
        self.arm(limit, Timer::Call(id));
    }

    /// When the phase that the call is in reaches its limit.
    fn phase_limit(&self, now: Timestamp, id: CallId) -> Timestamp {
        let Some(call) = self.calls.get(&id) else {
            return now;
        };
        let campaign = call
            .campaign()
            .and_then(|c| self.campaigns.get(c))
            .map(|c| &c.settings);
        let millis = match call.phase {
            // A caller whose flow is still being looked up hears nothing.
            Phase::Flow if !call.has_flow() => HAND_OVER_MS,
            Phase::Restored | Phase::Flow => LOOK_MS,
            Phase::Bridged => return call.while_it_may_talk(after(now, LOOK_MS)),
            Phase::Dialing | Phase::Ringing => {
                SET_UP_MS + campaign.map_or(60_000, |c| u64::from(c.ring_timeout_s) * 1_000)
            }
            Phase::Answered => HAND_OVER_MS,
            Phase::Waiting => {
                let limit = match &call.kind {
                    Kind::Outbound(_) if call.walk.queue.is_none() => {
                        campaign.map_or(2_000, |c| c.abandon_after_ms)
                    }
                    // It asked for an agent in a flow, and hears music.
                    Kind::Outbound(_) | Kind::Inbound(_) => u64::from(call.walk.max_wait_s) * 1_000,
                };
                return after(call.waits_since(), limit);
            }
            Phase::Connecting => self.connect_limit(call),
            Phase::Message => MESSAGE_MS,
            Phase::Ending => {
                if call.alive {
                    OVERDUE_MS
                } else {
                    SETTLE_MS
                }
            }
        };
        after(now, millis)
    }

    /// How long an agent may take to be connected.
    pub(super) fn connect_limit(&self, call: &Call) -> u64 {
        if call.is_outside() {
            return CONNECT_MS + u64::from(OUTSIDE_RING_S) * 1_000;
        }
        let agent = call.agent.as_ref().and_then(|id| self.agents.get(id));
        match agent.map(|agent| agent.login.leg_mode) {
            Some(LegMode::NailedUp) => CONNECT_MS,
            Some(LegMode::RingPerCall) | None => CONNECT_MS + u64::from(STATION_RING_S) * 1_000,
        }
    }
}
