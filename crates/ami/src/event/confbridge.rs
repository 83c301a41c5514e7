//! Conferences of `ConfBridge`.

use std::borrow::Cow;

use super::channel::{Bridge, Channel};
use super::fields::{bridge, channel, flag, text};
use super::table::payload;
use crate::message::Message;

payload! {
    /// A conference begins or ends, or its recording does.
    Confbridge requires ["Conference"] {
        /// Name of the conference.
        conference -> Cow<'_, str> = text("Conference");
        /// Its bridge.
        bridge -> Bridge<'_> = bridge("");
    }
}

payload! {
    /// Something about one party of a conference.
    ConfbridgeChannel requires ["Conference", "Channel", "Uniqueid"] {
        /// Name of the conference.
        conference -> Cow<'_, str> = text("Conference");
        /// Its bridge.
        bridge -> Bridge<'_> = bridge("");
        /// The party.
        channel -> Channel<'_> = channel("");
        /// Whether the party is an administrator of the conference.
        admin -> bool = flag("Admin");
        /// Whether the party joins muted (`ConfbridgeJoin`).
        muted -> bool = flag("Muted");
        /// Whether the party talks now (`ConfbridgeTalking`).
        talking -> bool = flag("TalkingStatus");
    }
}
