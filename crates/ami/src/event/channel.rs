//! The headers that every event about a channel carries.

use super::fields::known;
use crate::message::{Message, unescape};

/// State of a channel, with the numbers of `enum ast_channel_state`
/// (`include/asterisk/channelstate.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// 0: available, nothing happens yet.
    Down,
    /// 1: reserved.
    Reserved,
    /// 2: off hook.
    OffHook,
    /// 3: digits or an invitation have been sent.
    Dialing,
    /// 4: the far end rings.
    Ring,
    /// 5: this end rings.
    Ringing,
    /// 6: answered.
    Up,
    /// 7: busy.
    Busy,
    /// 8: digits have been dialed while off hook.
    DialingOffHook,
    /// 9: an incoming call was seen, before the ring.
    PreRing,
    /// Absent, or a number that this list does not have.
    #[default]
    Unknown,
}

impl ChannelState {
    /// The state of a number, [`ChannelState::Unknown`] for any above 9.
    pub fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Down,
            1 => Self::Reserved,
            2 => Self::OffHook,
            3 => Self::Dialing,
            4 => Self::Ring,
            5 => Self::Ringing,
            6 => Self::Up,
            7 => Self::Busy,
            8 => Self::DialingOffHook,
            9 => Self::PreRing,
            _ => Self::Unknown,
        }
    }
}

/// Who a channel is, as told by each event about it.
///
/// `uniqueid` and `linkedid` are opaque: a configured system name is put in front
/// of them. `linkedid` is common to the channels of one call and may change
/// during the call; the latest counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Name, such as `PJSIP/carrier-00000012`. It may change, see `Rename`.
    pub channel: String,
    /// Identity for the whole life of the channel.
    pub uniqueid: String,
    /// Identity of the oldest channel of the call.
    pub linkedid: String,
    /// State at the time of the event.
    pub state: ChannelState,
    /// Number of the party at the channel; empty when unknown.
    pub caller_id_num: String,
    /// Name of the party at the channel, escapes undone; empty when unknown.
    pub caller_id_name: String,
    /// Number of the party connected to it; empty when unknown.
    pub connected_line_num: String,
    /// Context in the dialplan.
    pub context: String,
    /// Extension in the dialplan.
    pub exten: String,
    /// Priority in the dialplan; 0 when absent.
    pub priority: u32,
    /// Account code of the call records.
    pub account_code: String,
}

impl ChannelInfo {
    /// Reads the headers whose names begin with `prefix` (empty, or `Dest`).
    /// `None` when there is no such channel in the event.
    pub(super) fn parse(raw: &Message, prefix: &str) -> Option<Self> {
        let mut info = Self::default();
        for (key, value) in raw.headers() {
            let Some((head, field)) = key.split_at_checked(prefix.len()) else {
                continue;
            };
            if !head.eq_ignore_ascii_case(prefix.as_bytes()) {
                continue;
            }
            let is = |name: &str| field.eq_ignore_ascii_case(name.as_bytes());
            if is("Channel") {
                info.channel = known(value);
            } else if is("ChannelState") {
                info.state = number(value).map_or(ChannelState::Unknown, ChannelState::from_number);
            } else if is("CallerIDNum") {
                info.caller_id_num = known(value);
            } else if is("CallerIDName") {
                info.caller_id_name = unescape(&known(value)).into_owned();
            } else if is("ConnectedLineNum") {
                info.connected_line_num = known(value);
            } else if is("Context") {
                info.context = known(value);
            } else if is("Exten") {
                info.exten = known(value);
            } else if is("Priority") {
                info.priority = number(value).unwrap_or(0);
            } else if is("Uniqueid") {
                info.uniqueid = known(value);
            } else if is("Linkedid") {
                info.linkedid = known(value);
            } else if is("AccountCode") {
                info.account_code = known(value);
            }
        }
        (!info.channel.is_empty()).then_some(info)
    }
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}
