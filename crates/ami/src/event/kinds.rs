//! The fields of each typed event.

use super::channel::ChannelInfo;
use super::fields::{number, some_text, text};
use crate::message::Message;

/// An event that says nothing but which channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelEvent {
    /// The channel.
    pub channel: ChannelInfo,
    /// The frame.
    pub raw: Message,
}

impl ChannelEvent {
    pub(super) fn parse(raw: Message) -> Result<Self, Message> {
        match ChannelInfo::parse(&raw, "") {
            Some(channel) => Ok(Self { channel, raw }),
            None => Err(raw),
        }
    }
}

/// A channel has another name; the identity stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The name until now.
    pub channel: String,
    /// The name from now on.
    pub new_name: String,
    /// The channel.
    pub uniqueid: String,
    /// The frame.
    pub raw: Message,
}

impl Rename {
    pub(super) fn parse(raw: Message) -> Result<Self, Message> {
        let (channel, new_name) = (text(&raw, "Channel"), text(&raw, "Newname"));
        if channel.is_empty() || new_name.is_empty() {
            return Err(raw);
        }
        Ok(Self {
            channel,
            new_name,
            uniqueid: text(&raw, "Uniqueid"),
            raw,
        })
    }
}

/// A channel is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hangup {
    /// The channel.
    pub channel: ChannelInfo,
    /// Q.850 cause; 0 when Asterisk knows none. The first half of a `Local`
    /// channel says 0 where the second says why.
    pub cause: u16,
    /// The cause in words.
    pub cause_txt: String,
    /// What the technology said, such as `486` for SIP (late Asterisk 20, 22, 23).
    pub tech_cause: Option<String>,
    /// The frame.
    pub raw: Message,
}

impl Hangup {
    pub(super) fn parse(raw: Message) -> Result<Self, Message> {
        let Some(channel) = ChannelInfo::parse(&raw, "") else {
            return Err(raw);
        };
        Ok(Self {
            channel,
            cause: number(&raw, "Cause").unwrap_or(0),
            cause_txt: text(&raw, "Cause-txt"),
            tech_cause: some_text(&raw, "TechCause"),
            raw,
        })
    }
}

/// A channel was asked to hang up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangupRequest {
    /// The channel.
    pub channel: ChannelInfo,
    /// Q.850 cause, if one was given.
    pub cause: Option<u16>,
    /// The frame.
    pub raw: Message,
}

impl HangupRequest {
    pub(super) fn parse(raw: Message) -> Result<Self, Message> {
        let Some(channel) = ChannelInfo::parse(&raw, "") else {
            return Err(raw);
        };
        Ok(Self {
            channel,
            cause: number(&raw, "Cause"),
            raw,
        })
    }
}

/// Begin, progress or end of a dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Who dials; absent when an Originate does.
    pub source: Option<ChannelInfo>,
    /// Who is dialed.
    pub dest: Option<ChannelInfo>,
    /// What was dialed (`DialBegin`).
    pub dial_string: String,
    /// `RINGING`, `PROGRESS` and `PROCEEDING` of `DialState`; `ANSWER`, `BUSY`,
    /// `NOANSWER`, `CANCEL`, `CONGESTION`, `CHANUNAVAIL` and others of `DialEnd`.
    /// `NOANSWER` also stands for an unallocated number and a rejected call.
    pub dial_status: String,
    /// Where the call was forwarded to, if it was.
    pub forward: Option<String>,
    /// The frame.
    pub raw: Message,
}

impl Dial {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            source: ChannelInfo::parse(&raw, ""),
            dest: ChannelInfo::parse(&raw, "Dest"),
            dial_string: text(&raw, "DialString"),
            dial_status: text(&raw, "DialStatus"),
            forward: some_text(&raw, "Forward"),
            raw,
        }
    }
}

/// The outcome of an asynchronous Originate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginateResponse {
    /// Whether the call was answered.
    pub success: bool,
    /// 0 failure (also unallocated and rejected), 1 hang-up, 3 not answered in
    /// time, 4 answered, 5 busy, 8 congestion (`AST_CONTROL_*` in `frame.h`).
    pub reason: u16,
    /// The channel, or what was to be dialed if none was made.
    pub channel: String,
    /// Our `ChannelId`; `None` only for an Originate that had none.
    pub uniqueid: Option<String>,
    /// Where the call was to go.
    pub context: String,
    /// Where the call was to go.
    pub exten: String,
    /// The application that was to run, if it was no place in the dialplan.
    pub application: Option<String>,
    /// The `ActionID` of the Originate.
    pub action_id: Option<String>,
    /// The frame.
    pub raw: Message,
}

impl OriginateResponse {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            success: raw
                .bytes("Response")
                .is_some_and(|value| value.eq_ignore_ascii_case(b"Success")),
            reason: number(&raw, "Reason").unwrap_or(0),
            channel: text(&raw, "Channel"),
            uniqueid: some_text(&raw, "Uniqueid"),
            context: text(&raw, "Context"),
            exten: text(&raw, "Exten"),
            application: some_text(&raw, "Application"),
            action_id: some_text(&raw, "ActionID"),
            raw,
        }
    }
}

/// What an event tells about a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeInfo {
    /// Identity of the bridge.
    pub uniqueid: String,
    /// `basic`, `holding` or another type.
    pub bridge_type: String,
    /// `simple_bridge`, `native_rtp` or another technology.
    pub technology: String,
    /// How many channels are in it after the event.
    pub num_channels: u32,
}

impl BridgeInfo {
    fn parse(raw: &Message) -> Self {
        Self {
            uniqueid: text(raw, "BridgeUniqueid"),
            bridge_type: text(raw, "BridgeType"),
            technology: text(raw, "BridgeTechnology"),
            num_channels: number(raw, "BridgeNumChannels").unwrap_or(0),
        }
    }
}

/// A bridge begins or ends to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The bridge.
    pub bridge: BridgeInfo,
    /// The frame.
    pub raw: Message,
}

impl Bridge {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            bridge: BridgeInfo::parse(&raw),
            raw,
        }
    }
}

/// A channel enters or leaves a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeChannel {
    /// The bridge.
    pub bridge: BridgeInfo,
    /// The channel.
    pub channel: ChannelInfo,
    /// `Uniqueid` of the channel whose place is taken, when a `Local` pair is
    /// optimised away or a call is transferred.
    pub swap_uniqueid: Option<String>,
    /// The frame.
    pub raw: Message,
}

impl BridgeChannel {
    pub(super) fn parse(raw: Message) -> Result<Self, Message> {
        let Some(channel) = ChannelInfo::parse(&raw, "") else {
            return Err(raw);
        };
        Ok(Self {
            bridge: BridgeInfo::parse(&raw),
            channel,
            swap_uniqueid: some_text(&raw, "SwapUniqueid"),
            raw,
        })
    }
}

/// A party was put on hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The channel that asked for it.
    pub channel: ChannelInfo,
    /// Class of the music that was asked for.
    pub music_class: Option<String>,
    /// The frame.
    pub raw: Message,
}

impl Hold {
    pub(super) fn parse(raw: Message) -> Result<Self, Message> {
        let Some(channel) = ChannelInfo::parse(&raw, "") else {
            return Err(raw);
        };
        Ok(Self {
            channel,
            music_class: some_text(&raw, "MusicClass"),
            raw,
        })
    }
}

/// An event written by a dialplan or by another manager session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEvent {
    /// Its name (header `UserEvent`); its own headers are in `raw`.
    pub name: String,
    /// The channel, when a dialplan wrote it.
    pub channel: Option<ChannelInfo>,
    /// The frame.
    pub raw: Message,
}

impl UserEvent {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            name: text(&raw, "UserEvent"),
            channel: ChannelInfo::parse(&raw, ""),
            raw,
        }
    }
}

/// Asterisk has loaded everything. Sent after a login only to an account that
/// reads class `system`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullyBooted {
    /// Seconds since the start of Asterisk.
    pub uptime_s: Option<u64>,
    /// Seconds since the last reload.
    pub last_reload_s: Option<u64>,
    /// The frame.
    pub raw: Message,
}

impl FullyBooted {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            uptime_s: number(&raw, "Uptime"),
            last_reload_s: number(&raw, "LastReload"),
            raw,
        }
    }
}

/// Asterisk is going away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Whether calls are allowed to end first (`Cleanly`).
    pub clean: bool,
    /// Whether it will start again.
    pub restart: bool,
    /// The frame.
    pub raw: Message,
}

impl Shutdown {
    pub(super) fn parse(raw: Message) -> Self {
        let is = |key: &str, word: &str| {
            raw.bytes(key)
                .is_some_and(|value| value.eq_ignore_ascii_case(word.as_bytes()))
        };
        Self {
            clean: is("Shutdown", "Cleanly"),
            restart: is("Restart", "True"),
            raw,
        }
    }
}

/// A module read its configuration again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reload {
    /// The module, `All` for all of them.
    pub module: String,
    /// 0 for success (`enum ast_module_reload_result`).
    pub status: Option<u16>,
    /// The frame.
    pub raw: Message,
}

impl Reload {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            module: text(&raw, "Module"),
            status: number(&raw, "Status"),
            raw,
        }
    }
}

/// Reachability of one registered address of a phone or trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactStatus {
    /// The address, such as `sip:101@192.0.2.7:5060`.
    pub uri: String,
    /// Address of record.
    pub aor: String,
    /// Endpoint in `pjsip.conf`.
    pub endpoint: String,
    /// `Reachable`, `Unreachable`, `NonQualified`, `Removed` and others.
    pub status: String,
    /// Round trip of the last probe in microseconds.
    pub roundtrip_usec: Option<u64>,
    /// The frame.
    pub raw: Message,
}

impl ContactStatus {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            uri: text(&raw, "URI"),
            aor: text(&raw, "AOR"),
            endpoint: text(&raw, "EndpointName"),
            status: text(&raw, "ContactStatus"),
            roundtrip_usec: number(&raw, "RoundtripUsec"),
            raw,
        }
    }
}

/// One channel of the answer to `CoreShowChannels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreShowChannel {
    /// The channel.
    pub channel: ChannelInfo,
    /// The bridge it is in.
    pub bridge_id: Option<String>,
    /// Age of the channel in seconds.
    pub duration_s: u64,
    /// The application it runs.
    pub application: String,
    /// The arguments of that application.
    pub application_data: String,
    /// The frame.
    pub raw: Message,
}

impl CoreShowChannel {
    /// Types one item of [`Client::list`](crate::Client::list).
    ///
    /// # Errors
    /// Gives the frame back if it names no channel.
    pub fn parse(raw: Message) -> Result<Self, Message> {
        let Some(channel) = ChannelInfo::parse(&raw, "") else {
            return Err(raw);
        };
        Ok(Self {
            channel,
            bridge_id: some_text(&raw, "BridgeId"),
            duration_s: seconds(&text(&raw, "Duration")),
            application: text(&raw, "Application"),
            application_data: text(&raw, "ApplicationData"),
            raw,
        })
    }
}

/// The end of the answer to `CoreShowChannels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreShowChannelsComplete {
    /// How many channels were listed.
    pub items: u32,
    /// The frame.
    pub raw: Message,
}

impl CoreShowChannelsComplete {
    pub(super) fn parse(raw: Message) -> Self {
        Self {
            items: number(&raw, "ListItems").unwrap_or(0),
            raw,
        }
    }
}

/// Seconds of `HH:MM:SS`; hours may exceed 99. 0 for anything else.
fn seconds(clock: &str) -> u64 {
    clock
        .split(':')
        .try_fold(0_u64, |sum, part| {
            let part = part.trim().parse::<u64>().ok()?;
            sum.checked_mul(60)?.checked_add(part)
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn reads_durations() {
        assert_eq!(seconds("00:00:05"), 5);
        assert_eq!(seconds("101:02:03"), 363_723);
        assert_eq!(seconds(""), 0);
        assert_eq!(seconds("99999999999999999999:0:0"), 0);
        assert_eq!(seconds("18446744073709551615:59:59"), 0);
    }
}
