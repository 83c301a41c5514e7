//! Who tried to get in.

use std::borrow::Cow;
use std::net::IpAddr;

use super::fields::{some_text, text, word};
use super::table::payload;
use super::words::SecuritySeverity;
use crate::message::Message;

payload! {
    /// Something that matters to security (`security_events.c`). Passwords and
    /// what proves them have no method here.
    SecurityEvent requires ["Service"] {
        /// When, as `2026-11-20T14:05:59.123+0000`.
        time -> Cow<'_, str> = text("EventTV");
        /// How bad it is.
        severity -> SecuritySeverity = word("Severity");
        /// Who reports it: `AMI`, `PJSIP`, `IAX2` and others.
        service -> Cow<'_, str> = text("Service");
        /// The account; what the peer claims to be.
        account -> Cow<'_, str> = text("AccountID");
        /// The session, of the reporting service.
        session -> Cow<'_, str> = text("SessionID");
        /// Our address, such as `IPV4/UDP/192.0.2.1/5060`.
        local_address -> Cow<'_, str> = text("LocalAddress");
        /// The address of the peer, such as `IPV4/UDP/192.0.2.7/5060`.
        remote_address -> Cow<'_, str> = text("RemoteAddress");
        /// The address that was expected (`UnexpectedAddress`).
        expected_address -> Option<Cow<'_, str>> = some_text("ExpectedAddress");
        /// The module, where it is told.
        module -> Option<Cow<'_, str>> = some_text("Module");
        /// The list that refused (`FailedACL`).
        acl_name -> Option<Cow<'_, str>> = some_text("ACLName");
        /// What was asked for (`RequestNotAllowed`, `RequestNotSupported`, `RequestBadFormat`).
        request_type -> Option<Cow<'_, str>> = some_text("RequestType");
        /// The way of proof (`AuthMethodNotAllowed`).
        auth_method -> Option<Cow<'_, str>> = some_text("AuthMethod");
        /// The transport (`InvalidTransport`).
        attempted_transport -> Option<Cow<'_, str>> = some_text("AttemptedTransport");
    }
}

impl SecurityEvent {
    /// The address of the peer without its port; `None` when it is not told.
    pub fn remote_ip(&self) -> Option<IpAddr> {
        self.remote_address().split('/').nth(2)?.parse().ok()
    }
}
