//! Items of lists: what [`Client::list`](crate::Client::list) gives, with typed
//! fields.
//!
//! They look like events but answer an action, so that they are not in the table
//! of events: make them with `X::new(message)`. Where an item is the same as an
//! event, the type of the event serves: [`DeviceStateChange`](super::DeviceStateChange),
//! [`ExtensionStatus`](super::ExtensionStatus),
//! [`PresenceStateChange`](super::PresenceStateChange), [`ParkedCall`](super::ParkedCall),
//! [`PjsipMaintenanceStatus`](super::PjsipMaintenanceStatus),
//! [`BridgeEvent`](super::BridgeEvent) for `BridgeListItem`, and
//! [`ChannelEvent`](super::ChannelEvent) for `BridgeInfoChannel`.

mod pjsip;
mod queue;

use std::borrow::Cow;
use std::time::Duration;

pub use pjsip::*;
pub use queue::*;

use super::channel::Channel;
use super::fields::{
    channel, clock, count, epoch, flag, number, seconds, some_channel, some_text, text, word,
};
use super::table::payload;
use super::words::AgentState;
use crate::message::Message;

payload! {
    /// A channel ([`core_show_channels`](crate::actions::core_show_channels)).
    CoreShowChannel requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The bridge that it is in.
        bridge_id -> Option<Cow<'_, str>> = some_text("BridgeId");
        /// The application that runs.
        application -> Cow<'_, str> = text("Application");
        /// Its arguments.
        application_data -> Cow<'_, str> = text("ApplicationData");
        /// Age of the channel.
        duration -> Option<Duration> = clock("Duration");
    }
}

payload! {
    /// A channel, with more about it ([`status`](crate::actions::status)).
    ChannelStatus requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// Its technology.
        channel_type -> Cow<'_, str> = text("Type");
        /// The number that was dialed.
        dnid -> Cow<'_, str> = text("DNID");
        /// Number of the other party, as shown.
        effective_connected_line_num -> Cow<'_, str> = text("EffectiveConnectedLineNum");
        /// Name of the other party, as shown.
        effective_connected_line_name -> Cow<'_, str> = text("EffectiveConnectedLineName");
        /// Time until Asterisk hangs up, if it will.
        time_to_hangup -> Option<u64> = epoch("TimeToHangup");
        /// The bridge that it is in.
        bridge_id -> Option<Cow<'_, str>> = some_text("BridgeID");
        /// The application that runs.
        application -> Cow<'_, str> = text("Application");
        /// Its arguments.
        application_data -> Cow<'_, str> = text("Data");
        /// The codecs of the channel.
        native_formats -> Cow<'_, str> = text("Nativeformats");
        /// The codec that Asterisk reads.
        read_format -> Cow<'_, str> = text("Readformat");
        /// The codec that Asterisk writes.
        write_format -> Cow<'_, str> = text("Writeformat");
        /// Age of the channel.
        duration -> Option<Duration> = seconds("Seconds");
    }
}

payload! {
    /// An agent of `app_agent_pool` ([`agents`](crate::actions::agents)).
    Agent requires ["Agent"] {
        /// Its id.
        id -> Cow<'_, str> = text("Agent");
        /// Its name.
        name -> Cow<'_, str> = text("Name");
        /// Its state.
        state -> AgentState = word("Status");
        /// Its channel, when it is logged in.
        channel -> Option<Channel<'_>> = some_channel("");
        /// Name of the channel that it talks to.
        talking_to -> Option<Cow<'_, str>> = some_text("TalkingToChan");
        /// Begin of the call, in seconds since 1970.
        call_started -> Option<u64> = epoch("CallStarted");
        /// Time of the login, in seconds since 1970.
        logged_in_time -> Option<u64> = epoch("LoggedInTime");
    }
}

payload! {
    /// A parking lot ([`parking_lots`](crate::actions::parking_lots)).
    ParkingLot requires ["Name"] {
        /// Its name.
        name -> Cow<'_, str> = text("Name");
        /// Its first space.
        start_space -> u32 = count("StartSpace");
        /// Its last space.
        stop_space -> u32 = count("StopSpace");
        /// How long a call may stay.
        timeout -> Option<Duration> = seconds("Timeout");
    }
}

payload! {
    /// Messages of a mailbox ([`mwi_get`](crate::actions::mwi_get)).
    Mwi requires ["Mailbox"] {
        /// The mailbox.
        mailbox -> Cow<'_, str> = text("Mailbox");
        /// How many are new.
        new_messages -> u32 = count("NewMessages");
        /// How many are old.
        old_messages -> u32 = count("OldMessages");
    }
}

payload! {
    /// An entry of the database ([`db_get`](crate::actions::db_get),
    /// [`db_get_tree`](crate::actions::db_get_tree)).
    DbEntry requires ["Key"] {
        /// Its family; with [`db_get_tree`](crate::actions::db_get_tree) empty, since
        /// the key holds it.
        family -> Cow<'_, str> = text("Family");
        /// Its key.
        key -> Cow<'_, str> = text("Key");
        /// Its value.
        value -> Cow<'_, str> = text("Val");
    }
}

payload! {
    /// A party of a conference ([`confbridge_list`](crate::actions::confbridge_list)).
    ConfbridgeParty requires ["Conference", "Channel"] {
        /// The conference.
        conference -> Cow<'_, str> = text("Conference");
        /// The party.
        channel -> Channel<'_> = channel("");
        /// Whether it is an administrator of the conference.
        admin -> bool = flag("Admin");
        /// Whether it is a marked user.
        marked -> bool = flag("MarkedUser");
        /// Whether it waits for a marked user.
        waiting -> bool = flag("Waiting");
        /// Whether it is muted.
        muted -> bool = flag("Muted");
        /// Whether it talks now.
        talking -> bool = flag("Talking");
        /// Time since the channel was answered.
        answered_for -> Option<Duration> = seconds("AnsweredTime");
    }
}

payload! {
    /// A conference ([`confbridge_list_rooms`](crate::actions::confbridge_list_rooms)).
    ConfbridgeRoom requires ["Conference"] {
        /// Its name.
        conference -> Cow<'_, str> = text("Conference");
        /// How many parties.
        parties -> u32 = count("Parties");
        /// How many of them are marked.
        marked -> u32 = count("Marked");
        /// Whether nobody can join.
        locked -> bool = flag("Locked");
        /// Whether who joins is muted.
        muted -> bool = flag("Muted");
    }
}

payload! {
    /// A step of the dialplan ([`show_dialplan`](crate::actions::show_dialplan)).
    DialplanStep requires ["Context"] {
        /// The context.
        context -> Cow<'_, str> = text("Context");
        /// The extension; `None` for an include or a switch.
        exten -> Option<Cow<'_, str>> = some_text("Extension");
        /// The priority; `None` for a hint, an include or a switch.
        priority -> Option<u32> = number("Priority");
        /// The application, or the devices of a hint.
        application -> Cow<'_, str> = text("Application");
        /// Its arguments.
        app_data -> Cow<'_, str> = text("AppData");
        /// The context that is included.
        include -> Option<Cow<'_, str>> = some_text("IncludeContext");
        /// What wrote it, such as `pbx_config`.
        registrar -> Cow<'_, str> = text("Registrar");
    }
}
