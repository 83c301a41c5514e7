//! The headers that every event about a channel carries.

use std::borrow::Cow;
use std::fmt;

use super::fields::{known, known_escaped, parse};
use crate::message::Message;

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

/// Who a channel is, as told by an event about it: a view of the headers of that
/// event, read when asked.
///
/// [`uniqueid`](Self::uniqueid) and [`linkedid`](Self::linkedid) are opaque: a
/// configured system name is put in front of them.
#[derive(Clone, Copy)]
pub struct Channel<'a> {
    raw: &'a Message,
    prefix: &'static str,
}

impl<'a> Channel<'a> {
    pub(super) fn new(raw: &'a Message, prefix: &'static str) -> Self {
        Self { raw, prefix }
    }

    fn bytes(self, field: &str) -> Option<&'a [u8]> {
        if self.prefix.is_empty() {
            self.raw.bytes(field)
        } else {
            self.raw.prefixed(self.prefix, field)
        }
    }

    fn text(self, field: &str) -> Cow<'a, str> {
        self.bytes(field).map(known).unwrap_or_default()
    }

    fn escaped(self, field: &str) -> Cow<'a, str> {
        self.bytes(field).map(known_escaped).unwrap_or_default()
    }

    /// Name, such as `PJSIP/carrier-00000012`. It may change, see
    /// [`Rename`](super::Rename).
    pub fn name(self) -> Cow<'a, str> {
        self.text("Channel")
    }

    /// Identity for the whole life of the channel.
    pub fn uniqueid(self) -> Cow<'a, str> {
        self.text("Uniqueid")
    }

    /// Identity of the oldest channel of the call. It may change during the call;
    /// the latest counts.
    pub fn linkedid(self) -> Cow<'a, str> {
        self.text("Linkedid")
    }

    /// State at the time of the event.
    pub fn state(self) -> ChannelState {
        self.bytes("ChannelState")
            .and_then(parse)
            .map_or(ChannelState::Unknown, ChannelState::from_number)
    }

    /// Number of the party at the channel; empty when unknown.
    pub fn caller_id_num(self) -> Cow<'a, str> {
        self.text("CallerIDNum")
    }

    /// Name of the party at the channel, escapes undone; empty when unknown.
    pub fn caller_id_name(self) -> Cow<'a, str> {
        self.escaped("CallerIDName")
    }

    /// Number of the party connected to it; empty when unknown.
    pub fn connected_line_num(self) -> Cow<'a, str> {
        self.text("ConnectedLineNum")
    }

    /// Name of the party connected to it, escapes undone; empty when unknown.
    pub fn connected_line_name(self) -> Cow<'a, str> {
        self.escaped("ConnectedLineName")
    }

    /// Language of prompts, such as `fr`.
    pub fn language(self) -> Cow<'a, str> {
        self.text("Language")
    }

    /// Account code of the call records.
    pub fn account_code(self) -> Cow<'a, str> {
        self.text("AccountCode")
    }

    /// Context in the dialplan.
    pub fn context(self) -> Cow<'a, str> {
        self.text("Context")
    }

    /// Extension in the dialplan.
    pub fn exten(self) -> Cow<'a, str> {
        self.text("Exten")
    }

    /// Priority in the dialplan; 0 when absent.
    pub fn priority(self) -> u32 {
        self.bytes("Priority").and_then(parse).unwrap_or(0)
    }

    /// The tenant, of versions that have it (late 18 and later); empty otherwise.
    pub fn tenantid(self) -> Cow<'a, str> {
        self.text("TenantID")
    }

    /// The channel variables that `channelvars` of `manager.conf` adds to every
    /// event, as `name=value` with the escapes undone.
    pub fn variables(self) -> impl Iterator<Item = Cow<'a, str>> {
        let prefix = self.prefix;
        self.raw
            .headers()
            .filter(move |(key, _)| {
                key.len() == prefix.len() + "ChanVariable".len()
                    && key[..prefix.len()].eq_ignore_ascii_case(prefix.as_bytes())
                    && key[prefix.len()..].eq_ignore_ascii_case(b"ChanVariable")
            })
            .map(|(_, value)| known_escaped(value))
    }
}

impl fmt::Debug for Channel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name())
            .field("uniqueid", &self.uniqueid())
            .field("linkedid", &self.linkedid())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// A bridge, as told by an event about it.
#[derive(Clone, Copy)]
pub struct Bridge<'a> {
    raw: &'a Message,
    prefix: &'static str,
}

impl<'a> Bridge<'a> {
    pub(super) fn new(raw: &'a Message, prefix: &'static str) -> Self {
        Self { raw, prefix }
    }

    fn text(self, field: &str) -> Cow<'a, str> {
        self.raw
            .prefixed(self.prefix, field)
            .map(known)
            .unwrap_or_default()
    }

    /// Identity of the bridge.
    pub fn uniqueid(self) -> Cow<'a, str> {
        self.text("BridgeUniqueid")
    }

    /// `basic`, `holding` or another type.
    pub fn bridge_type(self) -> Cow<'a, str> {
        self.text("BridgeType")
    }

    /// `simple_bridge`, `native_rtp` or another technology.
    pub fn technology(self) -> Cow<'a, str> {
        self.text("BridgeTechnology")
    }

    /// Who made it, such as `ConfBridge`; empty when unknown.
    pub fn creator(self) -> Cow<'a, str> {
        self.text("BridgeCreator")
    }

    /// Its name, such as that of a conference; empty when unknown.
    pub fn name(self) -> Cow<'a, str> {
        self.text("BridgeName")
    }

    /// How many channels are in it after the event.
    pub fn num_channels(self) -> u32 {
        self.raw
            .prefixed(self.prefix, "BridgeNumChannels")
            .and_then(parse)
            .unwrap_or(0)
    }
}

impl fmt::Debug for Bridge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("uniqueid", &self.uniqueid())
            .field("bridge_type", &self.bridge_type())
            .field("num_channels", &self.num_channels())
            .finish_non_exhaustive()
    }
}
