//! What must always hold, checked on the running machine.

use std::collections::BTreeSet;

use super::Switchboard;
use crate::{
    agent::AgentState,
    call::{Kind, Phase},
    ids::CallId,
    telephony::ChannelId,
};

impl Switchboard {
    /// Counts broken invariants. Runs after every input, so it looks only at agents:
    /// O(agents), each in O(1).
    pub(super) fn check_invariants(&mut self) {
        let broken = self
            .agents
            .values()
            .filter(|agent| !self.agent_holds(agent))
            .count();
        self.stats.violations += broken as u64;
        debug_assert_eq!(broken, 0, "an agent and a call disagree");
    }

    /// An agent has a call exactly in the states that have one, and that call has them.
    fn agent_holds(&self, agent: &crate::agent::Agent) -> bool {
        match (agent.state.has_call(), agent.call) {
            (true, Some(call)) => self
                .calls
                .get(&call)
                .is_some_and(|call| call.agent.as_ref() == Some(&agent.login.agent)),
            (false, None) => agent.state != AgentState::Offline,
            (true, None) | (false, Some(_)) => false,
        }
    }

    /// Every invariant, over calls as well. O(calls + agents): for tests and for a
    /// periodic check of the running daemon.
    pub fn broken_invariants(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for agent in self.agents.values() {
            if !self.agent_holds(agent) {
                broken.push(format!(
                    "agent {} is {} with call {:?}",
                    agent.login.agent, agent.state, agent.call
                ));
            }
        }
        let waiting: BTreeSet<CallId> = self.waiting.iter().map(|(_, _, id)| *id).collect();
        for call in self.calls.values() {
            if let Kind::Outbound(facts) = &call.kind
                && call.channel != ChannelId::for_attempt(facts.attempt)
            {
                broken.push(format!(
                    "call {} has a channel that is not its attempt's",
                    call.id
                ));
            }
            if self.by_channel.get(&call.channel) != Some(&call.id) {
                broken.push(format!("call {} cannot be found by its channel", call.id));
            }
            let waits = waiting.contains(&call.id);
            if waits != (call.phase == Phase::Waiting) {
                broken.push(format!(
                    "call {} is {:?} and waiting: {waits}",
                    call.id, call.phase
                ));
            }
            let agent = call.agent.as_ref().and_then(|id| self.agents.get(id));
            if call.agent.is_some() && agent.and_then(|a| a.call) != Some(call.id) {
                broken.push(format!(
                    "call {} has an agent who does not have it",
                    call.id
                ));
            }
            let limited = self
                .timers
                .contains(&(call.limit, super::Timer::Call(call.id)));
            if !limited {
                broken.push(format!(
                    "call {} is {:?} without a limit",
                    call.id, call.phase
                ));
            }
        }
        broken
    }
}
