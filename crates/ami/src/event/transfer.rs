//! Calls that move: transfers, pick-up, parking.

use std::borrow::Cow;
use std::time::Duration;

use super::channel::{Bridge, Channel};
use super::fields::{
    channel, flag, number, seconds, some_bridge, some_channel, some_text, text, word,
};
use super::table::payload;
use super::words::{TransferDestination, TransferResult};
use crate::message::Message;

payload! {
    /// A party was sent elsewhere by the one that it talked to.
    BlindTransfer requires ["Result", "TransfererChannel"] {
        /// The outcome.
        result -> TransferResult = word("Result");
        /// Who transferred.
        transferer -> Channel<'_> = channel("Transferer");
        /// Who was transferred; absent when there were several.
        transferee -> Option<Channel<'_>> = some_channel("Transferee");
        /// The bridge where both were.
        bridge -> Option<Bridge<'_>> = some_bridge("");
        /// Whether the phone asked for it (SIP REFER), and not a feature code or an action.
        is_external -> bool = flag("IsExternal");
        /// Where the transferee goes.
        context -> Cow<'_, str> = text("Context");
        /// Where the transferee goes.
        exten -> Cow<'_, str> = text("Extension");
    }
}

payload! {
    /// Two calls of one party became one, usually without that party.
    AttendedTransfer requires ["Result", "OrigTransfererChannel", "SecondTransfererChannel"] {
        /// The outcome.
        result -> TransferResult = word("Result");
        /// The transferer in the call with the transferee.
        orig_transferer -> Channel<'_> = channel("OrigTransferer");
        /// The bridge of that call.
        orig_bridge -> Option<Bridge<'_>> = some_bridge("Orig");
        /// The transferer in the call with the target.
        second_transferer -> Channel<'_> = channel("SecondTransferer");
        /// The bridge of that call.
        second_bridge -> Option<Bridge<'_>> = some_bridge("Second");
        /// Who was transferred, if it was one party.
        transferee -> Option<Channel<'_>> = some_channel("Transferee");
        /// Whom they talk to now, if it is one party.
        target -> Option<Channel<'_>> = some_channel("TransferTarget");
        /// Whether the phone asked for it (SIP REFER), and not a feature code or an action.
        is_external -> bool = flag("IsExternal");
        /// What the call is connected to; says which of the next fields there are.
        dest_type -> TransferDestination = word("DestType");
        /// The bridge that is left.
        dest_bridge -> Option<Cow<'_, str>> = some_text("DestBridgeUniqueid");
        /// The application that is left.
        dest_app -> Option<Cow<'_, str>> = some_text("DestApp");
        /// Name of the channel of the transferer that stays in a call of three.
        dest_transferer_channel -> Option<Cow<'_, str>> = some_text("DestTransfererChannel");
        /// One end of the link between two bridges.
        local_one -> Option<Channel<'_>> = some_channel("LocalOne");
        /// The other end of the link between two bridges.
        local_two -> Option<Channel<'_>> = some_channel("LocalTwo");
    }
}

payload! {
    /// Somebody answered the call of another phone.
    Pickup requires ["Channel", "TargetChannel"] {
        /// Who answered.
        channel -> Channel<'_> = channel("");
        /// The channel that rang.
        target -> Channel<'_> = channel("Target");
    }
}

payload! {
    /// A parked call: it arrives, leaves in one of several ways, or is an item of
    /// the list of [`parked_calls`](crate::actions::parked_calls).
    ParkedCall requires ["ParkeeChannel", "ParkeeUniqueid"] {
        /// Who is parked.
        parkee -> Channel<'_> = channel("Parkee");
        /// Who parked the call, where it is known.
        parker -> Option<Channel<'_>> = some_channel("Parker");
        /// Who took the call (`UnParkedCall`).
        retriever -> Option<Channel<'_>> = some_channel("Retriever");
        /// What is dialed when nobody takes the call in time.
        parker_dial_string -> Cow<'_, str> = text("ParkerDialString");
        /// The parking lot; empty when parking failed.
        parkinglot -> Cow<'_, str> = text("Parkinglot");
        /// The space in the lot.
        space -> Option<u32> = number("ParkingSpace");
        /// Time that is left.
        timeout -> Option<Duration> = seconds("ParkingTimeout");
        /// Time spent in the lot.
        duration -> Option<Duration> = seconds("ParkingDuration");
    }
}
