//! Agents of `app_agent_pool`.

use super::needed;
use crate::action::Action;

/// Asks for all agents, as a list of [`Agent`](crate::event::lists::Agent) named
/// `Agents`. Class `agent`.
pub fn agents() -> Action {
    Action::new("Agents")
}

/// Logs an agent off; with `soft` its call goes on. Class `agent`.
pub fn agent_logoff(agent: &str, soft: bool) -> Action {
    needed(Action::new("AgentLogoff"), "Agent", agent)
        .header("Soft", if soft { "true" } else { "false" })
}
