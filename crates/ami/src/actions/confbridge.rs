//! Conferences of `ConfBridge`.

use super::{needed, on_channel};
use crate::action::{Action, EncodeError};

/// Whom an action on a conference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfbridgeTarget<'a> {
    /// One party, by the whole name of its channel: Asterisk takes the first that
    /// begins so.
    Channel(&'a str),
    /// All who are no administrators of the conference.
    Participants,
    /// All.
    All,
}

/// Asks for the parties of a conference, as a list of
/// [`ConfbridgeParty`](crate::event::lists::ConfbridgeParty) named
/// `ConfbridgeList`; an error if there is no such conference. Class `reporting`.
pub fn confbridge_list(conference: &str) -> Action {
    on_conference("ConfbridgeList", conference)
}

/// Asks for all conferences, as a list of
/// [`ConfbridgeRoom`](crate::event::lists::ConfbridgeRoom) named
/// `ConfbridgeListRooms`; an error if there is none. Class `reporting`.
pub fn confbridge_list_rooms() -> Action {
    Action::new("ConfbridgeListRooms")
}

/// Takes parties out of a conference. Class `call`.
pub fn confbridge_kick(conference: &str, whom: ConfbridgeTarget<'_>) -> Action {
    target(on_conference("ConfbridgeKick", conference), whom)
}

/// Silences parties of a conference. Class `call`.
pub fn confbridge_mute(conference: &str, whom: ConfbridgeTarget<'_>) -> Action {
    target(on_conference("ConfbridgeMute", conference), whom)
}

/// Lets parties of a conference be heard again. Class `call`.
pub fn confbridge_unmute(conference: &str, whom: ConfbridgeTarget<'_>) -> Action {
    target(on_conference("ConfbridgeUnmute", conference), whom)
}

/// Lets nobody join but administrators. Class `call`.
pub fn confbridge_lock(conference: &str) -> Action {
    on_conference("ConfbridgeLock", conference)
}

/// Lets everybody join again. Class `call`.
pub fn confbridge_unlock(conference: &str) -> Action {
    on_conference("ConfbridgeUnlock", conference)
}

/// Records a conference, into a file of its profile without one. Class `system`.
pub fn confbridge_start_record(conference: &str, file: Option<&str>) -> Action {
    on_conference("ConfbridgeStartRecord", conference).header_opt("RecordFile", file)
}

/// Ends the recording of a conference. Class `system`.
pub fn confbridge_stop_record(conference: &str) -> Action {
    on_conference("ConfbridgeStopRecord", conference)
}

/// Makes one party the only source of video. Class `call`.
pub fn confbridge_set_single_video_src(conference: &str, channel: &str) -> Action {
    on_channel(
        on_conference("ConfbridgeSetSingleVideoSrc", conference),
        "Channel",
        channel,
    )
}

fn on_conference(name: &'static str, conference: &str) -> Action {
    needed(Action::new(name), "Conference", conference)
}

fn target(action: Action, whom: ConfbridgeTarget<'_>) -> Action {
    match whom {
        ConfbridgeTarget::All => action.header("Channel", "all"),
        ConfbridgeTarget::Participants => action.header("Channel", "participants"),
        // A channel of this name would be everybody.
        ConfbridgeTarget::Channel(name @ ("all" | "participants")) => {
            action.refuse(EncodeError::ChannelName(name.to_owned()))
        }
        ConfbridgeTarget::Channel(name) => on_channel(action, "Channel", name),
    }
}
