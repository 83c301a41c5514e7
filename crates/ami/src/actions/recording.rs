//! Recording of channels.

use super::{needed, on_channel, without_comma};
use crate::action::Action;

/// Which way of the sound is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordDirection {
    /// From the channel.
    Read,
    /// To the channel.
    Write,
    /// Both.
    Both,
}

/// Records a channel into a file, by the application of the same name with its
/// options. Class `system`.
///
/// The answer does not name the recording: option `i(NAME)` writes its id into that
/// variable of the channel, for [`stop_mix_monitor`].
///
/// Asterisk joins file and options with a comma, so that neither may contain one.
/// A command to run at the end, which the action also takes, is not offered.
pub fn mix_monitor(channel: &str, file: &str, options: &str) -> Action {
    let action = on_channel(Action::new("MixMonitor"), "Channel", channel);
    without_comma(without_comma(action, "File", file), "Options", options)
}

/// Ends a recording of [`mix_monitor`]; all of the channel without an id. Class
/// `system` or `call`.
pub fn stop_mix_monitor(channel: &str, id: Option<&str>) -> Action {
    on_channel(Action::new("StopMixMonitor"), "Channel", channel).header_opt("MixMonitorID", id)
}

/// Silences the recordings of a channel, such as while a card number is spoken,
/// or no longer. Class `system` or `call`.
pub fn mix_monitor_mute(channel: &str, direction: RecordDirection, mute: bool) -> Action {
    on_channel(Action::new("MixMonitorMute"), "Channel", channel)
        .header(
            "Direction",
            match direction {
                RecordDirection::Read => "read",
                RecordDirection::Write => "write",
                RecordDirection::Both => "both",
            },
        )
        .header("State", if mute { "1" } else { "0" })
}

/// Records a channel by `app_monitor` (16 to 20; use [`mix_monitor`] later). With
/// `mix` both ways become one file at the end. Class `call`.
pub fn monitor(channel: &str, file: &str, format: &str, mix: bool) -> Action {
    let action = on_channel(Action::new("Monitor"), "Channel", channel);
    needed(action, "File", file)
        .header("Format", format)
        .header("Mix", if mix { "1" } else { "0" })
}

/// Ends a recording of [`monitor`] (16 to 20). Class `call`.
pub fn stop_monitor(channel: &str) -> Action {
    on_channel(Action::new("StopMonitor"), "Channel", channel)
}

/// Gives a recording of [`monitor`] another file (16 to 20). Class `call`.
pub fn change_monitor(channel: &str, file: &str) -> Action {
    let action = on_channel(Action::new("ChangeMonitor"), "Channel", channel);
    needed(action, "File", file)
}

/// Interrupts a recording of [`monitor`] (16 to 20). Class `call`.
pub fn pause_monitor(channel: &str) -> Action {
    on_channel(Action::new("PauseMonitor"), "Channel", channel)
}

/// Goes on with a recording of [`monitor`] (16 to 20). Class `call`.
pub fn unpause_monitor(channel: &str) -> Action {
    on_channel(Action::new("UnpauseMonitor"), "Channel", channel)
}
