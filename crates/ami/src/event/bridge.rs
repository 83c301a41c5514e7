//! Bridges, and the `Local` channels that link them.

use std::borrow::Cow;

use super::channel::{Bridge, Channel};
use super::fields::{bridge, channel, flag, some_channel, some_text, text};
use super::table::payload;
use crate::message::Message;

payload! {
    /// A bridge begins or ends to exist.
    BridgeEvent requires ["BridgeUniqueid"] {
        /// The bridge.
        bridge -> Bridge<'_> = bridge("");
    }
}

payload! {
    /// A channel enters or leaves a bridge.
    BridgeChannel requires ["BridgeUniqueid", "Channel", "Uniqueid"] {
        /// The bridge.
        bridge -> Bridge<'_> = bridge("");
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The channel that was replaced, if one was.
        swap_uniqueid -> Option<Cow<'_, str>> = some_text("SwapUniqueid");
    }
}

payload! {
    /// All channels of one bridge move to another.
    BridgeMerge requires ["ToBridgeUniqueid", "FromBridgeUniqueid"] {
        /// Where they move to.
        to -> Bridge<'_> = bridge("To");
        /// Where they come from; it ends.
        from -> Bridge<'_> = bridge("From");
    }
}

payload! {
    /// Another channel is the source of video.
    BridgeVideoSourceUpdate requires ["BridgeUniqueid"] {
        /// The bridge.
        bridge -> Bridge<'_> = bridge("");
        /// The channel that was the source until now.
        previous_uniqueid -> Option<Cow<'_, str>> = some_text("BridgePreviousVideoSource");
    }
}

payload! {
    /// The two halves of a `Local` channel are joined.
    LocalBridge requires ["LocalOneUniqueid", "LocalTwoUniqueid"] {
        /// The half `;1`, which dials.
        one -> Channel<'_> = channel("LocalOne");
        /// The half `;2`, which runs the dialplan.
        two -> Channel<'_> = channel("LocalTwo");
        /// Where the second half begins.
        context -> Cow<'_, str> = text("Context");
        /// Where the second half begins.
        exten -> Cow<'_, str> = text("Exten");
        /// Whether the pair may disappear later; `false` for a channel dialed with `/n`.
        may_optimize -> bool = flag("LocalOptimization");
    }
}

payload! {
    /// A `Local` channel between two bridges is about to disappear, or has.
    LocalOptimization requires ["LocalOneUniqueid", "LocalTwoUniqueid"] {
        /// The half `;1`.
        one -> Channel<'_> = channel("LocalOne");
        /// The half `;2`.
        two -> Channel<'_> = channel("LocalTwo");
        /// The channel that moves (`LocalOptimizationBegin`).
        source -> Option<Channel<'_>> = some_channel("Source");
        /// The bridge, or the channel, that it moves to (`LocalOptimizationBegin`).
        dest_uniqueid -> Option<Cow<'_, str>> = some_text("DestUniqueId");
        /// What the begin and the end of one attempt have in common.
        id -> Cow<'_, str> = text("Id");
        /// Whether it was done (`LocalOptimizationEnd`).
        success -> bool = flag("Success");
    }
}
