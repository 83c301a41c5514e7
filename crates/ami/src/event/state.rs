//! State of devices, extensions, persons and mailboxes.

use std::borrow::Cow;

use super::channel::Channel;
use super::fields::{escaped, extension_state, flag, number, some_channel, text, word};
use super::table::payload;
use super::words::{DeviceState, ExtensionState, PresenceState};
use crate::message::Message;

payload! {
    /// State of a device: a change, or an item of
    /// [`device_state_list`](crate::actions::device_state_list).
    DeviceStateChange requires ["Device"] {
        /// The device, such as `PJSIP/1001` or `Custom:night`.
        device -> Cow<'_, str> = text("Device");
        /// Its state.
        state -> DeviceState = word("State");
    }
}

payload! {
    /// State of an extension with a hint: a change, or an item of
    /// [`extension_state_list`](crate::actions::extension_state_list).
    ExtensionStatus requires ["Exten"] {
        /// The extension.
        exten -> Cow<'_, str> = text("Exten");
        /// Its context.
        context -> Cow<'_, str> = text("Context");
        /// The devices that count.
        hint -> Cow<'_, str> = text("Hint");
        /// Their state; `None` when it is no number.
        state -> Option<ExtensionState> = extension_state("Status");
        /// Their state in words.
        status_text -> Cow<'_, str> = text("StatusText");
    }
}

payload! {
    /// State of a person: a change, or an item of
    /// [`presence_state_list`](crate::actions::presence_state_list).
    PresenceStateChange requires ["Presentity"] {
        /// The person, such as `CustomPresence:ann`.
        presentity -> Cow<'_, str> = text("Presentity");
        /// The state.
        state -> PresenceState = word("Status");
        /// More about it.
        subtype -> Cow<'_, str> = text("Subtype");
        /// More about it, in words.
        message -> Cow<'_, str> = escaped("Message");
    }
}

payload! {
    /// State of the person behind an extension with a hint.
    PresenceStatus requires ["Exten"] {
        /// The extension.
        exten -> Cow<'_, str> = text("Exten");
        /// Its context.
        context -> Cow<'_, str> = text("Context");
        /// The hint.
        hint -> Cow<'_, str> = text("Hint");
        /// The state.
        state -> PresenceState = word("Status");
        /// More about it.
        subtype -> Cow<'_, str> = text("Subtype");
        /// More about it, in words.
        message -> Cow<'_, str> = escaped("Message");
    }
}

payload! {
    /// Messages of a mailbox.
    MessageWaiting requires ["Mailbox"] {
        /// The mailbox, as `box@context`.
        mailbox -> Cow<'_, str> = text("Mailbox");
        /// The channel that left a message.
        channel -> Option<Channel<'_>> = some_channel("");
        /// Whether a message waits.
        waiting -> bool = flag("Waiting");
        /// How many are new.
        new_messages -> Option<u32> = number("New");
        /// How many are old.
        old_messages -> Option<u32> = number("Old");
    }
}
