//! Endpoints, addresses of record, contacts and registrations of PJSIP.

use std::borrow::Cow;
use std::time::Duration;

use crate::event::fields::{count, epoch, flag, micros, number, seconds, some_text, text, word};
use crate::event::table::payload;
use crate::event::words::{ContactState, DeviceState, RegistrationState};
use crate::message::Message;

payload! {
    /// An endpoint ([`pjsip_show_endpoints`](crate::actions::pjsip_show_endpoints)).
    EndpointList requires ["ObjectName"] {
        /// Its name.
        name -> Cow<'_, str> = text("ObjectName");
        /// Its transport.
        transport -> Cow<'_, str> = text("Transport");
        /// Its addresses of record, separated by commas.
        aors -> Cow<'_, str> = text("Aor");
        /// What proves who it is, separated by commas.
        auths -> Cow<'_, str> = text("Auths");
        /// What proves to it who we are, separated by commas.
        outbound_auths -> Cow<'_, str> = text("OutboundAuths");
        /// Its contacts, each with a comma behind it.
        contacts -> Cow<'_, str> = text("Contacts");
        /// State of the device.
        device_state -> DeviceState = word("DeviceState");
        /// How many channels it has.
        active_channels -> u32 = count("ActiveChannels");
    }
}

payload! {
    /// The settings of an endpoint
    /// ([`pjsip_show_endpoint`](crate::actions::pjsip_show_endpoint)); the first item
    /// of that list. All other settings are in the frame.
    EndpointDetail requires ["ObjectName"] {
        /// Its name.
        name -> Cow<'_, str> = text("ObjectName");
        /// Where its calls begin.
        context -> Cow<'_, str> = text("Context");
        /// Its codecs.
        allow -> Cow<'_, str> = text("Allow");
        /// Its addresses of record, separated by commas.
        aors -> Cow<'_, str> = text("Aors");
        /// What proves who it is.
        auth -> Cow<'_, str> = text("Auth");
        /// What proves to it who we are.
        outbound_auth -> Cow<'_, str> = text("OutboundAuth");
        /// Its transport.
        transport -> Cow<'_, str> = text("Transport");
        /// How digits are sent.
        dtmf_mode -> Cow<'_, str> = text("DtmfMode");
        /// How media is encrypted.
        media_encryption -> Cow<'_, str> = text("MediaEncryption");
        /// Whether media passes by Asterisk.
        direct_media -> bool = flag("DirectMedia");
        /// How many calls make it busy; 0 for any number.
        device_state_busy_at -> u32 = count("DeviceStateBusyAt");
        /// The caller that is shown for its calls.
        caller_id -> Cow<'_, str> = text("Callerid");
        /// State of the device.
        device_state -> DeviceState = word("DeviceState");
        /// How many channels it has.
        active_channels -> u32 = count("ActiveChannels");
    }
}

payload! {
    /// A contact ([`pjsip_show_contacts`](crate::actions::pjsip_show_contacts)).
    ContactList requires ["ObjectName"] {
        /// Its identity, made of the address of record and a hash.
        id -> Cow<'_, str> = text("ObjectName");
        /// Where it is.
        uri -> Cow<'_, str> = text("Uri");
        /// Its endpoint.
        endpoint -> Cow<'_, str> = text("Endpoint");
        /// Its state.
        state -> ContactState = word("Status");
        /// Round trip of the last OPTIONS.
        roundtrip -> Option<Duration> = micros("RoundtripUsec");
        /// What the phone says it is.
        user_agent -> Cow<'_, str> = text("UserAgent");
        /// End of the registration, in seconds since 1970; `None` for a fixed contact.
        expires -> Option<u64> = epoch("ExpirationTime");
        /// The address that the registration came from.
        via_address -> Cow<'_, str> = text("ViaAddr");
    }
}

payload! {
    /// A contact of an endpoint or of a registration
    /// ([`pjsip_show_endpoint`](crate::actions::pjsip_show_endpoint),
    /// [`pjsip_show_inbound_contacts`](crate::actions::pjsip_show_inbound_contacts)).
    ContactStatusDetail requires ["URI"] {
        /// Where it is.
        uri -> Cow<'_, str> = text("URI");
        /// Its address of record.
        aor -> Cow<'_, str> = text("AOR");
        /// Its endpoint.
        endpoint -> Cow<'_, str> = text("EndpointName");
        /// Its state.
        state -> ContactState = word("Status");
        /// Round trip of the last OPTIONS; `None` when there was none.
        roundtrip -> Option<Duration> = micros("RoundtripUsec");
        /// What the phone says it is.
        user_agent -> Cow<'_, str> = text("UserAgent");
        /// End of the registration, in seconds since 1970; `None` for a fixed contact.
        expires -> Option<u64> = epoch("RegExpire");
        /// The address that the registration came from, with its port.
        via_address -> Cow<'_, str> = text("ViaAddress");
    }
}

payload! {
    /// An address of record ([`pjsip_show_aors`](crate::actions::pjsip_show_aors),
    /// [`pjsip_show_registrations_inbound`](crate::actions::pjsip_show_registrations_inbound),
    /// where it is called `InboundRegistrationDetail`).
    AorList requires ["ObjectName"] {
        /// Its name.
        name -> Cow<'_, str> = text("ObjectName");
        /// How many phones may register.
        max_contacts -> u32 = count("MaxContacts");
        /// Time between two OPTIONS; zero for none.
        qualify_frequency -> Option<Duration> = seconds("QualifyFrequency");
        /// Longest registration.
        maximum_expiration -> Option<Duration> = seconds("MaximumExpiration");
        /// Whether a new registration replaces the oldest.
        remove_existing -> bool = flag("RemoveExisting");
        /// Its mailboxes.
        mailboxes -> Cow<'_, str> = text("Mailboxes");
        /// Its contacts, separated by commas; in a list one more behind the last.
        contacts -> Cow<'_, str> = text("Contacts");
        /// How many contacts it has; with
        /// [`pjsip_show_endpoint`](crate::actions::pjsip_show_endpoint) only.
        total_contacts -> Option<u32> = number("TotalContacts");
    }
}

payload! {
    /// What proves who somebody is ([`pjsip_show_auths`](crate::actions::pjsip_show_auths)).
    /// The password has no method; it is in the frame.
    AuthList requires ["ObjectName"] {
        /// Its name.
        name -> Cow<'_, str> = text("ObjectName");
        /// The user.
        username -> Cow<'_, str> = text("Username");
        /// `userpass`, `md5`, `digest` or `google_oauth`.
        auth_type -> Cow<'_, str> = text("AuthType");
        /// The realm; empty for any.
        realm -> Cow<'_, str> = text("Realm");
    }
}

payload! {
    /// A registration of ours with a provider
    /// ([`pjsip_show_registrations_outbound`](crate::actions::pjsip_show_registrations_outbound)).
    OutboundRegistrationDetail requires ["ObjectName"] {
        /// Its name.
        name -> Cow<'_, str> = text("ObjectName");
        /// Where we register.
        server_uri -> Cow<'_, str> = text("ServerUri");
        /// What we register.
        client_uri -> Cow<'_, str> = text("ClientUri");
        /// Its endpoint, with `line`.
        endpoint -> Option<Cow<'_, str>> = some_text("Endpoint");
        /// What proves who we are.
        outbound_auth -> Cow<'_, str> = text("OutboundAuth");
        /// Its state.
        state -> RegistrationState = word("Status");
        /// Time until the next attempt.
        next_registration -> Option<Duration> = seconds("NextReg");
        /// How long a registration is asked for.
        expiration -> Option<Duration> = seconds("Expiration");
    }
}
