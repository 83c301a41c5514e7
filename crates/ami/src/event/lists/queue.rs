//! Queues, their members and their callers.

use std::borrow::Cow;
use std::time::Duration;

use crate::event::fields::{count, epoch, escaped, flag, member_state, number, seconds, text};
use crate::event::table::payload;
use crate::event::words::DeviceState;
use crate::message::Message;

payload! {
    /// A queue ([`queue_status`](crate::actions::queue_status)).
    QueueParams requires ["Queue"] {
        /// Its name.
        queue -> Cow<'_, str> = text("Queue");
        /// How many callers it takes; 0 for any number.
        max -> u32 = count("Max");
        /// `ringall`, `leastrecent` or another strategy.
        strategy -> Cow<'_, str> = text("Strategy");
        /// Callers that wait.
        calls -> u32 = count("Calls");
        /// Average wait.
        hold_time -> Option<Duration> = seconds("Holdtime");
        /// Average talk.
        talk_time -> Option<Duration> = seconds("TalkTime");
        /// Answered calls.
        completed -> u32 = count("Completed");
        /// Callers that gave up.
        abandoned -> u32 = count("Abandoned");
        /// The time in which callers should be answered.
        service_level -> Option<Duration> = seconds("ServiceLevel");
        /// Share of the answered calls that were answered in that time, in percent.
        service_level_perf -> Option<f64> = number("ServicelevelPerf");
        /// The same, where callers that gave up count as not answered.
        service_level_perf2 -> Option<f64> = number("ServicelevelPerf2");
        /// Queues with a higher one are served first.
        weight -> u32 = count("Weight");
    }
}

payload! {
    /// A member of a queue ([`queue_status`](crate::actions::queue_status)).
    QueueMember requires ["Queue", "Location"] {
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// Name of the member.
        name -> Cow<'_, str> = text("Name");
        /// What is dialed, such as `PJSIP/1001`.
        interface -> Cow<'_, str> = text("Location");
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
        /// Rest after a call; zero when that of the queue counts.
        wrapup_time -> Option<Duration> = seconds("Wrapuptime");
    }
}

payload! {
    /// A caller that waits ([`queue_status`](crate::actions::queue_status)).
    QueueEntry requires ["Queue", "Channel", "Uniqueid"] {
        /// The queue.
        queue -> Cow<'_, str> = text("Queue");
        /// Position, counted from 1.
        position -> u32 = count("Position");
        /// Name of the channel.
        channel -> Cow<'_, str> = text("Channel");
        /// Identity of the channel.
        uniqueid -> Cow<'_, str> = text("Uniqueid");
        /// Number of the caller; empty when unknown.
        caller_id_num -> Cow<'_, str> = caller("CallerIDNum");
        /// Name of the caller; empty when unknown.
        caller_id_name -> Cow<'_, str> = caller("CallerIDName");
        /// How long it waits.
        wait -> Option<Duration> = seconds("Wait");
        /// Callers with a higher one are served first.
        priority -> i32 = count("Priority");
    }
}

/// What is not known is `unknown` here, without the brackets of other events.
fn caller<'a>(raw: &'a Message, key: &str) -> Cow<'a, str> {
    let text = escaped(raw, key);
    if text == "unknown" {
        Cow::Borrowed("")
    } else {
        text
    }
}

payload! {
    /// A queue in short ([`queue_summary`](crate::actions::queue_summary)).
    QueueSummary requires ["Queue"] {
        /// Its name.
        queue -> Cow<'_, str> = text("Queue");
        /// Members that can be reached.
        logged_in -> u32 = count("LoggedIn");
        /// Members that could take a call now.
        available -> u32 = count("Available");
        /// Callers that wait.
        callers -> u32 = count("Callers");
        /// Average wait.
        hold_time -> Option<Duration> = seconds("HoldTime");
        /// Average talk.
        talk_time -> Option<Duration> = seconds("TalkTime");
        /// The longest wait of those who wait.
        longest_hold_time -> Option<Duration> = seconds("LongestHoldTime");
    }
}

/// One item of [`queue_status`](crate::actions::queue_status). Each queue comes
/// first, then its members and its callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueStatusItem {
    /// A queue.
    Params(QueueParams),
    /// A member of it.
    Member(QueueMember),
    /// A caller in it.
    Entry(QueueEntry),
}

impl QueueStatusItem {
    /// Types an item by its name.
    ///
    /// # Errors
    /// Gives the message back if it is something else, or lacks a header that it
    /// must have.
    pub fn parse(raw: Message) -> Result<Self, Message> {
        let is = |name: &str| raw.name().eq_ignore_ascii_case(name);
        if is("QueueParams") {
            QueueParams::new(raw).map(Self::Params)
        } else if is("QueueMember") {
            QueueMember::new(raw).map(Self::Member)
        } else if is("QueueEntry") {
            QueueEntry::new(raw).map(Self::Entry)
        } else {
            Err(raw)
        }
    }
}
