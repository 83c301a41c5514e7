//! What a simulated exchange has counted.

use std::collections::HashMap;

/// Most channel ids of which the originations are remembered.
pub(crate) const MAX_REMEMBERED: usize = 1_000_000;

/// Counters since the start, and what is there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimStats {
    /// Originate actions that were accepted.
    pub originates: u64,
    /// Originate actions per `ChannelId`, for the first million of them.
    pub originates_by_id: HashMap<String, u32>,
    /// Channels that exist now.
    pub channels: usize,
    /// Highest number of channels at once.
    pub channels_peak: usize,
    /// Bridges that exist now.
    pub bridges: usize,
    /// Manager connections that are logged in now.
    pub links: usize,
    /// FastAGI sessions that are open now.
    pub sessions: usize,
    /// Calls answered by a person, outbound.
    pub answered_human: u64,
    /// Calls answered by a machine.
    pub answered_machine: u64,
    /// Calls that were busy.
    pub busy: u64,
    /// Calls that rang in vain.
    pub no_answer: u64,
    /// Calls that were declined.
    pub rejected: u64,
    /// Calls to numbers that do not exist.
    pub unallocated: u64,
    /// Calls for which the carrier had no line.
    pub congestion: u64,
    /// Calls that were ended before they were answered.
    pub cancelled: u64,
    /// Stations that answered.
    pub stations_answered: u64,
    /// Inbound calls.
    pub inbound: u64,
    /// Conversations of a customer that began.
    pub conversations: u64,
    /// People who were on the line and left without a conversation, outbound.
    pub abandoned: u64,
    /// Legs that were taken out of a conversation into another.
    pub stolen_legs: u64,
    /// FastAGI sessions that were opened.
    pub sessions_opened: u64,
    /// FastAGI connections that failed.
    pub sessions_failed: u64,
    /// Calls that played the safe harbour, because the daemon did not take them.
    pub unserved: u64,
    /// Sounds that `STREAM FILE` played to their end, and how often; the first thousand.
    pub played: HashMap<String, u32>,
    /// Sounds that began while an answering machine was still speaking.
    pub talked_over: u64,
    /// Manager connections that were closed because they did not read.
    pub slow_links: u64,
    /// Events that were made (not counting copies per connection).
    pub events: u64,
}

impl SimStats {
    /// Channel ids that were originated more than once.
    pub fn duplicates(&self) -> Vec<&str> {
        self.originates_by_id
            .iter()
            .filter(|(_, count)| **count > 1)
            .map(|(id, _)| id.as_str())
            .collect()
    }
}
