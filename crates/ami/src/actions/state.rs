//! State of devices, extensions, persons and mailboxes.

use super::needed;
use crate::action::Action;

/// Asks for the state of all devices that are known, as a list of
/// [`DeviceStateChange`](crate::event::DeviceStateChange). Class `call` or `reporting`.
pub fn device_state_list() -> Action {
    Action::new("DeviceStateList")
}

/// Asks for the state of all extensions with a hint, as a list of
/// [`ExtensionStatus`](crate::event::ExtensionStatus). Class `call` or `reporting`.
pub fn extension_state_list() -> Action {
    Action::new("ExtensionStateList")
}

/// Asks for the state of one extension; the answer has `Hint`, `Status` as in
/// [`ExtensionState`](crate::event::ExtensionState), and `StatusText`. Class
/// `call` or `reporting`.
pub fn extension_state(context: &str, exten: &str) -> Action {
    let action = needed(Action::new("ExtensionState"), "Exten", exten);
    needed(action, "Context", context)
}

/// Asks for the state of all persons that are known, as a list of
/// [`PresenceStateChange`](crate::event::PresenceStateChange). Class `call` or `reporting`.
pub fn presence_state_list() -> Action {
    Action::new("PresenceStateList")
}

/// Asks for the state of one person, such as `CustomPresence:ann`; the answer has
/// `State`, `Subtype` and `PresenceMessage`. Class `call` or `reporting`.
pub fn presence_state(provider: &str) -> Action {
    needed(Action::new("PresenceState"), "Provider", provider)
}

/// Asks how many messages a mailbox has, as `box@context`; the answer has
/// `UrgMessages`, `NewMessages` and `OldMessages`. Class `call` or `reporting`.
pub fn mailbox_count(mailbox: &str) -> Action {
    needed(Action::new("MailboxCount"), "Mailbox", mailbox)
}

/// Asks whether a message waits in a mailbox; the answer has `Waiting`, 0 or 1.
/// Class `call` or `reporting`.
pub fn mailbox_status(mailbox: &str) -> Action {
    needed(Action::new("MailboxStatus"), "Mailbox", mailbox)
}

/// Asks for all mailboxes of `app_voicemail`, as a list of `VoicemailUserEntry`
/// (`VMContext`, `VoiceMailbox`, `Fullname`, `NewMessageCount` and others); an error
/// if there is none. Class `call` or `reporting`.
pub fn voicemail_users_list() -> Action {
    Action::new("VoicemailUsersList")
}

/// Asks for one mailbox of `app_voicemail`, as [`voicemail_users_list`] does (late
/// 16 and later). Class `call` or `reporting`.
pub fn voicemail_user_status(context: &str, mailbox: &str) -> Action {
    let action = needed(Action::new("VoicemailUserStatus"), "Context", context);
    needed(action, "Mailbox", mailbox)
}

/// Asks for the counts of a mailbox that [`mwi_update`] keeps, as a list of
/// [`Mwi`](crate::event::lists::Mwi); needs `res_mwi_external_ami`. Class `call` or
/// `reporting`.
pub fn mwi_get(mailbox: &str) -> Action {
    needed(Action::new("MWIGet"), "Mailbox", mailbox)
}

/// Sets the counts of a mailbox whose messages are kept elsewhere; needs
/// `res_mwi_external_ami`. Class `call`.
pub fn mwi_update(mailbox: &str, new_messages: u32, old_messages: u32) -> Action {
    needed(Action::new("MWIUpdate"), "Mailbox", mailbox)
        .header("NewMessages", new_messages.to_string())
        .header("OldMessages", old_messages.to_string())
}

/// Forgets the counts of a mailbox; needs `res_mwi_external_ami`. Class `call`.
pub fn mwi_delete(mailbox: &str) -> Action {
    needed(Action::new("MWIDelete"), "Mailbox", mailbox)
}
