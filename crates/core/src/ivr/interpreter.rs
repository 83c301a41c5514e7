//! One call on its way through a flow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    flow::{Behaviour, Flow, Menu, Next},
    graph::{NodeId, PortId, Prompt},
};

/// How many nodes a call may enter. A flow that passed its checks ends much earlier unless the
/// caller goes round a menu for ever, and that should not hold a line for ever.
pub const STEP_BUDGET: u32 = 1_000;

/// How many nodes of its path a call remembers.
pub const PATH_LIMIT: usize = 200;

/// What happened on the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// The call was answered and enters the flow.
    Start,
    /// [`Effect::Play`] is done.
    Played,
    /// The caller pressed these keys, in this order. None at all is the same as [`Input::NoInput`].
    Digits(String),
    /// The caller pressed nothing in time.
    NoInput,
    /// [`Effect::Transfer`] is over.
    TransferEnded(TransferOutcome),
    /// [`Effect::Record`] is done.
    Recorded {
        /// The length of the message.
        duration_ms: u64,
    },
    /// [`Effect::Enqueue`] is over.
    QueueEnded(QueueOutcome),
    /// The caller is gone.
    CallerHungUp,
}

/// How a transfer went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TransferOutcome {
    /// Somebody answered, and the conversation is over.
    Answered,
    /// Nobody answered, or the number could not be reached.
    Failed,
}

/// How waiting in a queue went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum QueueOutcome {
    /// An agent spoke with the caller, and the conversation is over.
    Connected,
    /// The caller waited as long as the flow allows.
    TimedOut,
    /// No agent is logged in.
    Unavailable,
}

/// What to do on the line next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Effect {
    /// Play this, then say [`Input::Played`].
    Play {
        /// Never empty.
        prompt: Prompt,
    },
    /// Play these, listen for keys, then say [`Input::Digits`] or [`Input::NoInput`].
    Collect {
        /// What to play, in this order; keys pressed meanwhile count. May be empty.
        prompts: Vec<Prompt>,
        /// The keys that lead somewhere.
        keys: Vec<String>,
        /// The length of the longest key: when so many were pressed, no need to wait for more.
        max_digits: usize,
        /// How long to wait for a key after the prompts.
        timeout_ms: u32,
        /// Which attempt at this menu it is, from 1.
        attempt: u32,
    },
    /// Connect the caller with a number, then say [`Input::TransferEnded`].
    Transfer {
        /// Digits, `+`, `*` and `#`.
        number: String,
        /// How long it may ring.
        ring_s: u32,
        /// The trunk, when it is not the usual one.
        trunk: Option<String>,
    },
    /// Play the prompt and record a message, then say [`Input::Recorded`].
    Record {
        /// What the caller hears first. May be empty.
        prompt: Prompt,
        /// Whose message it is.
        mailbox: Option<String>,
        /// The longest message.
        max_s: u32,
        /// A silence of this length ends the message; 0 never does.
        silence_s: u32,
        /// Whether a tone tells the caller to begin.
        beep: bool,
    },
    /// Let the caller wait for an agent, then say [`Input::QueueEnded`].
    Enqueue {
        /// The queue.
        queue_id: String,
        /// How long to wait at most.
        max_wait_s: u32,
        /// The class of the music.
        music: Option<String>,
    },
    /// The input did not fit what was asked for last. Nothing changed: that effect still stands,
    /// is not to be carried out again, and its result is still awaited.
    Wait,
    /// The flow is over. Every further input is answered with the same.
    Hangup {
        /// Why.
        reason: HangupReason,
    },
}

/// Why a flow ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HangupReason {
    /// The call came to a hangup node.
    Completed,
    /// The call left by a port without connection.
    DeadEnd,
    /// The conversation after a transfer is over.
    Transferred,
    /// The conversation with an agent is over.
    Connected,
    /// The caller left a message.
    MessageLeft,
    /// The caller hung up.
    CallerHungUp,
    /// The call entered more nodes than a call may.
    StepLimit,
    /// The node at which the call stood is not in this flow: the state belongs to another one.
    NodeMissing,
}

/// Where a call is in its flow. Small enough to be stored with the call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FlowState {
    current: Option<NodeId>,
    /// How often the current menu was played.
    attempts: u32,
    /// How many nodes were entered, and inputs that did not fit.
    steps: u32,
    path: Vec<NodeId>,
    ended: Option<HangupReason>,
}

/// Moves a call on: takes what happened, gives what to do.
///
/// No input is refused. One that does not fit the node at which the call stands, such as a key
/// during an announcement, is answered with [`Effect::Wait`] and counts as a step. After
/// [`STEP_BUDGET`] steps the call ends, whatever is drawn in the flow and whatever comes in.
#[expect(
    clippy::needless_pass_by_value,
    reason = "an input is told once; taking it says so"
)]
pub fn step(flow: &Flow, state: &mut FlowState, now: Timestamp, input: Input) -> Effect {
    if let Some(reason) = state.ended {
        return Effect::Hangup { reason };
    }
    if input == Input::CallerHungUp {
        return state.end(HangupReason::CallerHungUp);
    }
    let Some(current) = &state.current else {
        return if input == Input::Start {
            walk(flow, state, now, flow.start())
        } else {
            state.wait()
        };
    };
    let Some(node) = flow.node_by_id(current) else {
        return state.end(HangupReason::NodeMissing);
    };
    match &node.behaviour {
        Behaviour::Media { next, .. } => {
            if input == Input::Played {
                return walk(flow, state, now, *next);
            }
        }
        Behaviour::Menu(menu) => {
            if let Input::Digits(digits) = &input
                && !digits.is_empty()
            {
                return match menu.choices.get(digits) {
                    Some(next) => walk(flow, state, now, *next),
                    None => again(flow, state, now, menu, menu.on_invalid, true),
                };
            }
            if matches!(input, Input::NoInput | Input::Digits(_)) {
                return again(flow, state, now, menu, menu.on_timeout, false);
            }
        }
        Behaviour::Transfer(transfer) => {
            if let Input::TransferEnded(outcome) = input {
                return match outcome {
                    TransferOutcome::Answered => state.end(HangupReason::Transferred),
                    TransferOutcome::Failed => walk(flow, state, now, transfer.on_failure),
                };
            }
        }
        Behaviour::Voicemail(_) => {
            if matches!(input, Input::Recorded { .. }) {
                return state.end(HangupReason::MessageLeft);
            }
        }
        Behaviour::Queue(queue) => {
            if let Input::QueueEnded(outcome) = input {
                return match outcome {
                    QueueOutcome::Connected => state.end(HangupReason::Connected),
                    QueueOutcome::TimedOut => walk(flow, state, now, queue.on_timeout),
                    QueueOutcome::Unavailable => walk(flow, state, now, queue.on_unavailable),
                };
            }
        }
        // No call stands at one of these unless its state comes from another flow.
        Behaviour::Start { .. } | Behaviour::Calendar(_) | Behaviour::Hangup => {
            return state.end(HangupReason::NodeMissing);
        }
    }
    state.wait()
}

/// Follows the nodes that decide by themselves to the first that needs the line.
fn walk(flow: &Flow, state: &mut FlowState, now: Timestamp, mut next: Next) -> Effect {
    loop {
        let Some(node) = next.and_then(|index| flow.node(index)) else {
            return state.end(HangupReason::DeadEnd);
        };
        if !state.enter(&node.id) {
            return state.end(HangupReason::StepLimit);
        }
        match &node.behaviour {
            Behaviour::Start { next: out } => next = *out,
            Behaviour::Media { prompt, next: out } => {
                if !prompt.is_empty() {
                    return Effect::Play {
                        prompt: prompt.clone(),
                    };
                }
                next = *out;
            }
            Behaviour::Menu(menu) => return collect(state, menu, None),
            Behaviour::Calendar(schedule) => {
                let port = schedule
                    .calendar
                    .as_ref()
                    .map_or_else(|| PortId::from(PortId::DEFAULT), |c| c.port_at(now));
                next = if port.as_str() == PortId::DEFAULT {
                    schedule.otherwise
                } else {
                    schedule.events.get(&port).copied()
                };
            }
            Behaviour::Transfer(transfer) => {
                return Effect::Transfer {
                    number: transfer.number.clone(),
                    ring_s: transfer.ring_s,
                    trunk: transfer.trunk.clone(),
                };
            }
            Behaviour::Voicemail(voicemail) => {
                return Effect::Record {
                    prompt: voicemail.prompt.clone(),
                    mailbox: voicemail.mailbox.clone(),
                    max_s: voicemail.max_s,
                    silence_s: voicemail.silence_s,
                    beep: voicemail.beep,
                };
            }
            Behaviour::Queue(queue) => {
                return Effect::Enqueue {
                    queue_id: queue.id.clone(),
                    max_wait_s: queue.max_wait_s,
                    music: queue.music.clone(),
                };
            }
            Behaviour::Hangup => return state.end(HangupReason::Completed),
        }
    }
}

/// After a wrong or missing key: the menu once more, or the way on when that was the last attempt.
fn again(
    flow: &Flow,
    state: &mut FlowState,
    now: Timestamp,
    menu: &Menu,
    exhausted: Next,
    wrong_key: bool,
) -> Effect {
    if state.attempts >= menu.max_attempts {
        return walk(flow, state, now, exhausted);
    }
    collect(state, menu, wrong_key.then_some(&menu.invalid_prompt))
}

fn collect(state: &mut FlowState, menu: &Menu, notice: Option<&Prompt>) -> Effect {
    state.attempts = state.attempts.saturating_add(1);
    Effect::Collect {
        prompts: notice
            .into_iter()
            .chain([&menu.prompt])
            .filter(|prompt| !prompt.is_empty())
            .cloned()
            .collect(),
        keys: menu.keys.clone(),
        max_digits: menu.max_digits,
        timeout_ms: menu.timeout_ms,
        attempt: state.attempts,
    }
}

// === impl FlowState ===

impl FlowState {
    /// A call that has not entered its flow yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The node at which the call stands, or at which it ended.
    pub fn current(&self) -> Option<&NodeId> {
        self.current.as_ref()
    }

    /// How many steps the call has taken.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The nodes that the call entered, in order; the first [`PATH_LIMIT`] of them.
    pub fn path(&self) -> &[NodeId] {
        &self.path
    }

    /// Why the flow is over, once it is.
    pub fn ended(&self) -> Option<HangupReason> {
        self.ended
    }

    fn enter(&mut self, id: &NodeId) -> bool {
        if !self.spend() {
            return false;
        }
        self.attempts = 0;
        if self.path.len() < PATH_LIMIT {
            self.path.push(id.clone());
        }
        self.current = Some(id.clone());
        true
    }

    fn wait(&mut self) -> Effect {
        if self.spend() {
            Effect::Wait
        } else {
            self.end(HangupReason::StepLimit)
        }
    }

    fn spend(&mut self) -> bool {
        if self.steps >= STEP_BUDGET {
            return false;
        }
        self.steps += 1;
        true
    }

    fn end(&mut self, reason: HangupReason) -> Effect {
        self.ended = Some(reason);
        Effect::Hangup { reason }
    }
}

#[cfg(test)]
mod tests;
