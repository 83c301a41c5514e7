//! Trunks and phones: who can be reached, and where we are registered.

use std::borrow::Cow;
use std::time::Duration;

use super::channel::Channel;
use super::fields::{micros, millis, number, some_channel, some_text, text, word};
use super::table::payload;
use super::words::{ContactState, PeerState, RegistrationState};
use crate::message::Message;

payload! {
    /// A contact of PJSIP has another state.
    ContactStatus requires ["URI"] {
        /// The contact, such as `sip:1001@192.0.2.7:5060`.
        uri -> Cow<'_, str> = text("URI");
        /// Its state.
        state -> ContactState = word("ContactStatus");
        /// Its address of record.
        aor -> Cow<'_, str> = text("AOR");
        /// Its endpoint.
        endpoint -> Cow<'_, str> = text("EndpointName");
        /// Round trip of the last OPTIONS; zero when there was none.
        roundtrip -> Option<Duration> = micros("RoundtripUsec");
    }
}

payload! {
    /// A peer has another state.
    PeerStatus requires ["Peer"] {
        /// The peer, such as `PJSIP/1001`.
        peer -> Cow<'_, str> = text("Peer");
        /// Its technology.
        channel_type -> Cow<'_, str> = text("ChannelType");
        /// Its state.
        state -> PeerState = word("PeerStatus");
        /// Why.
        cause -> Option<Cow<'_, str>> = some_text("Cause");
        /// Where it is.
        address -> Option<Cow<'_, str>> = some_text("Address");
        /// Round trip.
        time -> Option<Duration> = millis("Time");
    }
}

payload! {
    /// A registration of ours with a provider has another state.
    Registry requires ["ChannelType"] {
        /// The technology.
        channel_type -> Cow<'_, str> = text("ChannelType");
        /// User, or with PJSIP the URI of the client.
        username -> Cow<'_, str> = text("Username");
        /// Host, or with PJSIP the URI of the server.
        domain -> Cow<'_, str> = text("Domain");
        /// Its state.
        state -> RegistrationState = word("Status");
        /// Why.
        cause -> Option<Cow<'_, str>> = some_text("Cause");
    }
}

payload! {
    /// A peer of `chan_sip` has answered an OPTIONS that an action asked for
    /// (Asterisk 16 to 20).
    SipQualifyPeerDone requires ["Peer"] {
        /// The peer.
        peer -> Cow<'_, str> = text("Peer");
        /// The `ActionID` of the action.
        action_id -> Option<Cow<'_, str>> = some_text("ActionID");
    }
}

payload! {
    /// A call ended since nothing was heard from the phone (`chan_sip`, 16 to 20).
    SessionTimeout requires ["Source"] {
        /// The channel.
        channel -> Option<Channel<'_>> = some_channel("");
        /// `RTPTimeout` or `SIPSessionTimer`.
        source -> Cow<'_, str> = text("Source");
    }
}

payload! {
    /// A channel of DAHDI is not to be disturbed, or is again.
    DndState requires ["Status"] {
        /// The channel of DAHDI.
        dahdi_channel -> Option<u32> = number("DAHDIChannel");
        /// `enabled` or `disabled`.
        status -> Cow<'_, str> = text("Status");
    }
}

payload! {
    /// An endpoint of PJSIP takes no new calls, or does again (late 20, 22, 23).
    /// Also the items of [`pjsip_show_maintenance`](crate::actions::pjsip_show_maintenance).
    PjsipMaintenanceStatus requires ["Endpoint"] {
        /// The endpoint.
        endpoint -> Cow<'_, str> = text("Endpoint");
        /// `enabled` or `disabled`.
        status -> Cow<'_, str> = text("Status");
    }
}
