//! Endpoints, contacts and registrations of PJSIP: trunks and phones.

use super::{needed, on_channel, quote_variable};
use crate::action::{Action, EncodeError};

/// Asks for all endpoints, as a list of
/// [`EndpointList`](crate::event::lists::EndpointList); an error if there is none.
/// Class `system`.
pub fn pjsip_show_endpoints() -> Action {
    Action::new("PJSIPShowEndpoints")
}

/// Asks for all about an endpoint, as a list: one
/// [`EndpointDetail`](crate::event::lists::EndpointDetail), then `AorDetail`
/// ([`AorList`](crate::event::lists::AorList)),
/// [`ContactStatusDetail`](crate::event::lists::ContactStatusDetail), `AuthDetail`
/// with passwords, `TransportDetail` and `IdentifyDetail`. Class `system`.
pub fn pjsip_show_endpoint(endpoint: &str) -> Action {
    needed(Action::new("PJSIPShowEndpoint"), "Endpoint", endpoint)
}

/// Asks for all addresses of record, as a list of
/// [`AorList`](crate::event::lists::AorList). Class `system`.
pub fn pjsip_show_aors() -> Action {
    Action::new("PJSIPShowAors")
}

/// Asks for all proofs of identity, as a list of
/// [`AuthList`](crate::event::lists::AuthList), passwords included. Class `system`.
pub fn pjsip_show_auths() -> Action {
    Action::new("PJSIPShowAuths")
}

/// Asks for all contacts, as a list of
/// [`ContactList`](crate::event::lists::ContactList); an error if there is none.
/// Class `system`.
pub fn pjsip_show_contacts() -> Action {
    Action::new("PJSIPShowContacts")
}

/// Asks for the addresses of record where phones register, as a list of
/// `InboundRegistrationDetail` ([`AorList`](crate::event::lists::AorList)). Class `system`.
pub fn pjsip_show_registrations_inbound() -> Action {
    Action::new("PJSIPShowRegistrationsInbound")
}

/// Asks for the contacts of registered phones, as a list of
/// [`ContactStatusDetail`](crate::event::lists::ContactStatusDetail). Class `system`.
pub fn pjsip_show_inbound_contacts() -> Action {
    Action::new("PJSIPShowRegistrationInboundContactStatuses")
}

/// Asks for our registrations with providers, as a list of
/// [`OutboundRegistrationDetail`](crate::event::lists::OutboundRegistrationDetail)
/// and, in between, `AuthDetail` with passwords. Class `system` or `reporting`.
pub fn pjsip_show_registrations_outbound() -> Action {
    Action::new("PJSIPShowRegistrationsOutbound")
}

/// Asks the contacts of an endpoint whether they answer, by OPTIONS; a
/// [`ContactStatus`](crate::event::ContactStatus) follows if one changes. Class
/// `system` or `reporting`.
pub fn pjsip_qualify(endpoint: &str) -> Action {
    needed(Action::new("PJSIPQualify"), "Endpoint", endpoint)
}

/// Registers anew with a provider. Class `system` or `reporting`.
pub fn pjsip_register(registration: &str) -> Action {
    on_registration("PJSIPRegister", registration)
}

/// Ends a registration with a provider. Class `system` or `reporting`.
pub fn pjsip_unregister(registration: &str) -> Action {
    on_registration("PJSIPUnregister", registration)
}

/// `*all` would be all of them.
fn on_registration(name: &'static str, registration: &str) -> Action {
    let action = needed(Action::new(name), "Registration", registration);
    if registration.starts_with('*') {
        return action.refuse(EncodeError::Value(registration.to_owned(), "Registration"));
    }
    action
}

/// Where a [`pjsip_notify`] goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyTarget<'a> {
    /// All contacts of an endpoint.
    Endpoint(&'a str),
    /// An address, through the default outbound endpoint.
    Uri(&'a str),
    /// The call of a channel (18 and later).
    Channel(&'a str),
}

/// Sends a SIP NOTIFY with these headers, such as `("Event", "check-sync")`; one
/// called `Content` is the body. Class `system`.
pub fn pjsip_notify(target: NotifyTarget<'_>, headers: &[(&str, &str)]) -> Action {
    let action = Action::new("PJSIPNotify");
    let mut action = match target {
        NotifyTarget::Endpoint(endpoint) => needed(action, "Endpoint", endpoint),
        NotifyTarget::Uri(uri) => needed(action, "URI", uri),
        NotifyTarget::Channel(channel) => on_channel(action, "Channel", channel),
    };
    if headers.is_empty() {
        action = action.refuse(EncodeError::Empty("Variable"));
    }
    for (name, value) in headers {
        if !is_sip_header(name) {
            action = action.refuse(EncodeError::Key((*name).to_owned()));
        }
        action = action.header("Variable", format!("{name}={}", quote_variable(value)));
    }
    action
}

fn is_sip_header(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Takes an endpoint out of service for new calls, or back (late 20, 22, 23).
/// Class `system`.
pub fn pjsip_set_maintenance(endpoint: &str, enabled: bool) -> Action {
    let action = needed(Action::new("PJSIPSetMaintenance"), "Endpoint", endpoint)
        .header("State", if enabled { "on" } else { "off" });
    // It would be every endpoint.
    if endpoint.eq_ignore_ascii_case("all") {
        return action.refuse(EncodeError::Value(endpoint.to_owned(), "Endpoint"));
    }
    action
}

/// Asks which endpoints are out of service, as a list of
/// [`PjsipMaintenanceStatus`](crate::event::PjsipMaintenanceStatus) (late 20, 22,
/// 23). Class `system` or `reporting`.
pub fn pjsip_show_maintenance(endpoint: Option<&str>) -> Action {
    Action::new("PJSIPShowMaintenance").header_opt("Endpoint", endpoint)
}
