//! Queues, their members and their callers.

use super::{needed, on_channel, yes_no};
use crate::action::Action;

/// Asks for queues, members and waiting callers, as a list of
/// [`QueueStatusItem`](crate::event::lists::QueueStatusItem); of all queues without a name.
pub fn queue_status(queue: Option<&str>) -> Action {
    Action::new("QueueStatus").header_opt("Queue", queue)
}

/// Asks for the queues of one member, as [`queue_status`] does. Every queue is
/// listed, the members are only this one. `interface` is `PJSIP/1001` or the like.
pub fn queue_status_of_member(interface: &str) -> Action {
    needed(Action::new("QueueStatus"), "Member", interface)
}

/// Asks for queues in short, as a list of
/// [`QueueSummary`](crate::event::lists::QueueSummary); of all queues without a name.
pub fn queue_summary(queue: Option<&str>) -> Action {
    Action::new("QueueSummary").header_opt("Queue", queue)
}

/// A member for a queue, see [`queue_add`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueMemberRequest {
    /// The queue.
    pub queue: String,
    /// What is dialed, such as `PJSIP/1001`.
    pub interface: String,
    /// Members with a lower one are called first.
    pub penalty: Option<u32>,
    /// Whether the member begins paused.
    pub paused: bool,
    /// Why (late 18 and later).
    pub reason: Option<String>,
    /// Its name in events and in the log of queues.
    pub member_name: Option<String>,
    /// The device whose state counts, such as `hint:1001@agents`.
    pub state_interface: Option<String>,
}

/// Adds a member to a queue until Asterisk ends, or longer with
/// `persistentmembers`. Class `agent`.
pub fn queue_add(member: &QueueMemberRequest) -> Action {
    let action = needed(Action::new("QueueAdd"), "Queue", &member.queue);
    needed(action, "Interface", &member.interface)
        .header_opt("Penalty", member.penalty.map(|penalty| penalty.to_string()))
        .header("Paused", yes_no(member.paused))
        .header_opt("Reason", member.reason.as_ref())
        .header_opt("MemberName", member.member_name.as_ref())
        .header_opt("StateInterface", member.state_interface.as_ref())
}

/// Removes a dynamic member from a queue. Its call goes on. Class `agent`.
pub fn queue_remove(queue: &str, interface: &str) -> Action {
    let action = needed(Action::new("QueueRemove"), "Queue", queue);
    needed(action, "Interface", interface)
}

/// Pauses a member, or no longer; in all its queues without one. The reason is in
/// its events. Class `agent`.
pub fn queue_pause(
    interface: &str,
    queue: Option<&str>,
    paused: bool,
    reason: Option<&str>,
) -> Action {
    needed(Action::new("QueuePause"), "Interface", interface)
        .header_opt("Queue", queue)
        .header("Paused", yes_no(paused))
        .header_opt("Reason", reason)
}

/// Gives a member another penalty; in all its queues without one. Class `agent`.
pub fn queue_penalty(interface: &str, queue: Option<&str>, penalty: u32) -> Action {
    needed(Action::new("QueuePenalty"), "Interface", interface)
        .header("Penalty", penalty.to_string())
        .header_opt("Queue", queue)
}

/// Says whether a member is called while it is in use; in all its queues without
/// one. Class `agent`.
pub fn queue_member_ring_in_use(interface: &str, queue: Option<&str>, ring: bool) -> Action {
    needed(Action::new("QueueMemberRingInUse"), "Interface", interface)
        .header("RingInUse", yes_no(ring))
        .header_opt("Queue", queue)
}

/// Writes a line into the log of queues (`queue_log`). Class `agent`.
pub fn queue_log(
    queue: &str,
    event: &str,
    uniqueid: Option<&str>,
    interface: Option<&str>,
    message: Option<&str>,
) -> Action {
    let action = needed(Action::new("QueueLog"), "Queue", queue);
    needed(action, "Event", event)
        .header_opt("Uniqueid", uniqueid)
        .header_opt("Interface", interface)
        .header_opt("Message", message)
}

/// Sets the counters of a queue to zero; of all queues without a name.
pub fn queue_reset(queue: Option<&str>) -> Action {
    Action::new("QueueReset").header_opt("Queue", queue)
}

/// What of the configuration of queues is read again, see [`queue_reload`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueReload {
    /// The static members.
    Members,
    /// The rules of penalties, of all queues.
    Rules,
    /// Everything else.
    Parameters,
}

/// Reads the configuration of a queue again; of all queues without a name.
pub fn queue_reload(queue: Option<&str>, what: QueueReload) -> Action {
    let is = |this| yes_no(what == this);
    Action::new("QueueReload")
        .header_opt("Queue", queue)
        .header("Members", is(QueueReload::Members))
        .header("Rules", is(QueueReload::Rules))
        .header("Parameters", is(QueueReload::Parameters))
}

/// Takes a caller out of a queue; it goes on in the dialplan with `info` as
/// `QUEUE_WITHDRAW_INFO` (late 18 and later).
pub fn queue_withdraw_caller(queue: &str, channel: &str, info: Option<&str>) -> Action {
    let action = needed(Action::new("QueueWithdrawCaller"), "Queue", queue);
    on_channel(action, "Caller", channel).header_opt("WithdrawInfo", info)
}

/// Gives a caller another priority; with `immediate` it also moves at once
/// (late 18 and later).
pub fn queue_change_priority_caller(
    queue: &str,
    channel: &str,
    priority: u32,
    immediate: bool,
) -> Action {
    let action = needed(Action::new("QueueChangePriorityCaller"), "Queue", queue);
    on_channel(action, "Caller", channel)
        .header("Priority", priority.to_string())
        .header("Immediate", yes_no(immediate))
}
