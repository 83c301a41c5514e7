//! Queues: callers, members, and the calls between them.

use std::borrow::Cow;
use std::time::Duration;

use super::channel::Channel;
use super::fields::{
    channel, count, epoch, flag, member_state, millis, seconds, some_channel, text, word,
};
use super::table::payload;
use super::words::{CompleteReason, DeviceState};
use crate::message::Message;

payload! {
    /// A caller enters or leaves a queue. After a leave, an answered caller has
    /// been given to an agent; one who gave up also has a `QueueCallerAbandon`.
    QueueCaller requires ["Channel", "Uniqueid", "Queue"] {
        /// The caller.
        channel -> Channel<'_> = channel("");
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// Position in the queue, counted from 1.
        position -> u32 = count("Position");
        /// How many callers are in the queue after the event.
        count -> u32 = count("Count");
    }
}

payload! {
    /// A caller gave up.
    QueueCallerAbandon requires ["Channel", "Uniqueid", "Queue"] {
        /// The caller.
        channel -> Channel<'_> = channel("");
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// Position at the end, counted from 1.
        position -> u32 = count("Position");
        /// Position at the begin, counted from 1.
        original_position -> u32 = count("OriginalPosition");
        /// How long the caller waited.
        hold_time -> Option<Duration> = seconds("HoldTime");
    }
}

payload! {
    /// A queue calls an agent (`AgentCalled`), or the agent ended the call in its
    /// announcement (`AgentDump`).
    AgentCall requires ["Queue", "Interface"] {
        /// The caller; `None` when its channel is gone already.
        channel -> Option<Channel<'_>> = some_channel("");
        /// The leg to the agent.
        agent -> Option<Channel<'_>> = some_channel("Dest");
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// The interface of the member, such as `PJSIP/1001`.
        interface -> Cow<'_, str> = text("Interface");
        /// Name of the member.
        member_name -> Cow<'_, str> = text("MemberName");
    }
}

payload! {
    /// A caller and an agent are connected. It comes before the `BridgeEnter`.
    AgentConnect requires ["Queue", "Interface"] {
        /// The caller; `None` when its channel is gone already.
        channel -> Option<Channel<'_>> = some_channel("");
        /// The leg to the agent.
        agent -> Option<Channel<'_>> = some_channel("Dest");
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// The interface of the member, such as `PJSIP/1001`.
        interface -> Cow<'_, str> = text("Interface");
        /// Name of the member.
        member_name -> Cow<'_, str> = text("MemberName");
        /// How long the caller waited.
        hold_time -> Option<Duration> = seconds("HoldTime");
        /// How long the agent was rung.
        ring_time -> Option<Duration> = seconds("RingTime");
    }
}

payload! {
    /// The talk of a caller and an agent has ended.
    AgentComplete requires ["Queue", "Interface"] {
        /// The caller; `None` when its channel is gone already.
        channel -> Option<Channel<'_>> = some_channel("");
        /// The leg to the agent.
        agent -> Option<Channel<'_>> = some_channel("Dest");
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// The interface of the member, such as `PJSIP/1001`.
        interface -> Cow<'_, str> = text("Interface");
        /// Name of the member.
        member_name -> Cow<'_, str> = text("MemberName");
        /// How long the caller waited.
        hold_time -> Option<Duration> = seconds("HoldTime");
        /// How long they talked.
        talk_time -> Option<Duration> = seconds("TalkTime");
        /// Who ended it.
        reason -> CompleteReason = word("Reason");
    }
}

payload! {
    /// An agent did not answer.
    AgentRingNoAnswer requires ["Queue", "Interface"] {
        /// The caller; `None` when its channel is gone already.
        channel -> Option<Channel<'_>> = some_channel("");
        /// The leg to the agent.
        agent -> Option<Channel<'_>> = some_channel("Dest");
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// The interface of the member, such as `PJSIP/1001`.
        interface -> Cow<'_, str> = text("Interface");
        /// Name of the member.
        member_name -> Cow<'_, str> = text("MemberName");
        /// How long the agent was rung.
        ring_time -> Option<Duration> = millis("RingTime");
    }
}

payload! {
    /// A member of a queue: added, removed, paused or changed. One that is in
    /// several queues causes one event for each.
    QueueMemberEvent requires ["Queue", "Interface"] {
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// What is dialed, such as `PJSIP/1001`.
        interface -> Cow<'_, str> = text("Interface");
        /// Name of the member.
        member_name -> Cow<'_, str> = text("MemberName");
        /// The device whose state counts.
        state_interface -> Cow<'_, str> = text("StateInterface");
        /// `dynamic`, `realtime` or `static`.
        membership -> Cow<'_, str> = text("Membership");
        /// Members with a lower one are called first.
        penalty -> u32 = count("Penalty");
        /// Calls answered since the begin of the membership.
        calls_taken -> u32 = count("CallsTaken");
        /// End of the last call, in seconds since 1970; `None` before the first.
        last_call -> Option<u64> = epoch("LastCall");
        /// Begin of the last pause, in seconds since 1970.
        last_pause -> Option<u64> = epoch("LastPause");
        /// Begin of the membership, in seconds since 1970 (late 18 and later).
        login_time -> Option<u64> = epoch("LoginTime");
        /// Whether the member is in a call of the queue.
        in_call -> bool = flag("InCall");
        /// State of the device.
        status -> DeviceState = member_state("Status");
        /// Whether the queue does not call the member.
        paused -> bool = flag("Paused");
        /// Why; empty when no reason was given.
        paused_reason -> Cow<'_, str> = text("PausedReason");
        /// Whether the queue also calls the member while it is in use.
        ring_in_use -> bool = flag("Ringinuse");
        /// Rest after a call; zero when that of the queue counts.
        wrapup_time -> Option<Duration> = seconds("Wrapuptime");
    }
}

payload! {
    /// An agent of `app_agent_pool` logs in or off.
    AgentLogin requires ["Agent"] {
        /// The agent.
        agent -> Cow<'_, str> = text("Agent");
        /// The channel.
        channel -> Option<Channel<'_>> = some_channel("");
        /// How long the agent was logged in (`AgentLogoff`).
        login_time -> Option<Duration> = seconds("Logintime");
    }
}
