//! Steering channels.

use super::{Destination, needed, on_channel};
use crate::action::Action;

/// Hangs a channel up. `cause` is a Q.850 cause (0 to 127) told to the peer.
/// Class `system` or `call`.
///
/// A name that begins with `/` is refused: Asterisk takes it as a pattern and
/// would hang up every channel that matches.
pub fn hangup(channel: &str, cause: Option<u8>) -> Action {
    on_channel(Action::new("Hangup"), "Channel", channel)
        .header_opt("Cause", cause.map(|cause| cause.to_string()))
}

/// Asks for all channels, as a list of
/// [`CoreShowChannel`](crate::event::lists::CoreShowChannel). Class `system` or
/// `reporting`.
pub fn core_show_channels() -> Action {
    Action::new("CoreShowChannels")
}

/// Asks for channels with more about each, as a list of
/// [`ChannelStatus`](crate::event::lists::ChannelStatus) named `Status`; of all
/// channels without a name. `variables` are added to each, those of `channelvars`
/// aside. Class `system`, `call` or `reporting`.
pub fn status(channel: Option<&str>, variables: &[&str]) -> Action {
    let action = Action::new("Status");
    let action = match channel {
        Some(channel) => on_channel(action, "Channel", channel),
        None => action,
    };
    action.header_opt(
        "Variables",
        (!variables.is_empty()).then(|| variables.join(",")),
    )
}

/// Sends a channel elsewhere in the dialplan. A channel bridged to it is left
/// alone and usually hangs up; to move both, give the second as `extra`. Class `call`.
pub fn redirect(channel: &str, to: &Destination, extra: Option<(&str, &Destination)>) -> Action {
    let action = on_channel(Action::new("Redirect"), "Channel", channel)
        .header("Context", &to.context)
        .header("Exten", &to.exten)
        .header("Priority", to.priority.to_string());
    match extra {
        None => action,
        Some((channel, to)) => on_channel(action, "ExtraChannel", channel)
            .header("ExtraContext", &to.context)
            .header("ExtraExten", &to.exten)
            .header("ExtraPriority", to.priority.to_string()),
    }
}

/// Sends the party that a channel talks to elsewhere, as if the channel had done
/// it: a [`BlindTransfer`](crate::event::BlindTransfer) follows. Class `call`.
pub fn blind_transfer(channel: &str, context: &str, exten: &str) -> Action {
    let action = on_channel(Action::new("BlindTransfer"), "Channel", channel);
    needed(needed(action, "Context", context), "Exten", exten)
}

/// Begins an attended transfer by the party at a channel: it hears the extension
/// ring, and completes by hanging up. Class `call`.
pub fn atxfer(channel: &str, context: &str, exten: &str) -> Action {
    let action = on_channel(Action::new("Atxfer"), "Channel", channel);
    needed(needed(action, "Context", context), "Exten", exten)
}

/// Ends an attended transfer that was not completed; needs `atxferabort` in
/// `features.conf`. Class `call`.
pub fn cancel_atxfer(channel: &str) -> Action {
    on_channel(Action::new("CancelAtxfer"), "Channel", channel)
}

/// Joins two channels that exist already, without a tone. Class `call`.
pub fn bridge(channel1: &str, channel2: &str) -> Action {
    let action = on_channel(Action::new("Bridge"), "Channel1", channel1);
    on_channel(action, "Channel2", channel2).header("Tone", "no")
}

/// Lets a `Local` channel that was dialed with `/n` disappear once it is bridged.
/// Class `system` or `call`.
pub fn local_optimize_away(channel: &str) -> Action {
    on_channel(Action::new("LocalOptimizeAway"), "Channel", channel)
}

/// Hangs a channel up after so many seconds; 0 for never. Class `system` or `call`.
pub fn absolute_timeout(channel: &str, seconds: u32) -> Action {
    on_channel(Action::new("AbsoluteTimeout"), "Channel", channel)
        .header("Timeout", seconds.to_string())
}

/// Sends text to the phone at a channel. Class `call`.
pub fn send_text(channel: &str, message: &str) -> Action {
    needed(
        on_channel(Action::new("SendText"), "Channel", channel),
        "Message",
        message,
    )
}

/// Which way of the sound of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MuteDirection {
    /// What the party says.
    In,
    /// What the party hears.
    Out,
    /// Both.
    All,
}

/// Silences a channel, or no longer (`res_mutestream`). Class `system`.
pub fn mute_audio(channel: &str, direction: MuteDirection, mute: bool) -> Action {
    on_channel(Action::new("MuteAudio"), "Channel", channel)
        .header(
            "Direction",
            match direction {
                MuteDirection::In => "in",
                MuteDirection::Out => "out",
                MuteDirection::All => "all",
            },
        )
        .header("State", if mute { "on" } else { "off" })
}

/// Plays one digit to the party at a channel, for `duration_ms`. With `receive`
/// it counts as pressed by the party instead (18 and later). Class `call`.
pub fn play_dtmf(channel: &str, digit: char, duration_ms: Option<u32>, receive: bool) -> Action {
    digit_of("PlayDTMF", channel, digit, duration_ms)
        .header_opt("Receive", receive.then_some("true"))
}

/// Plays one digit of the multi-frequency code between exchanges (late 18 and
/// later). Class `call`.
pub fn play_mf(channel: &str, digit: char, duration_ms: Option<u32>) -> Action {
    digit_of("PlayMF", channel, digit, duration_ms)
}

fn digit_of(name: &'static str, channel: &str, digit: char, duration_ms: Option<u32>) -> Action {
    on_channel(Action::new(name), "Channel", channel)
        .header("Digit", digit)
        .header_opt("Duration", duration_ms.map(|ms| ms.to_string()))
}

/// Sends a hook flash to the party at a channel (18 and later). Class `call`.
pub fn send_flash(channel: &str) -> Action {
    on_channel(Action::new("SendFlash"), "Channel", channel)
}

/// What to do with a file that plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playback {
    /// End it.
    Stop,
    /// Go forward.
    Forward,
    /// Go back.
    Reverse,
    /// Wait, or go on.
    Pause,
    /// Begin anew.
    Restart,
}

/// Steers a file that `ControlPlayback` plays on a channel. Class `call`.
pub fn control_playback(channel: &str, control: Playback) -> Action {
    on_channel(Action::new("ControlPlayback"), "Channel", channel).header(
        "Control",
        match control {
            Playback::Stop => "stop",
            Playback::Forward => "forward",
            Playback::Reverse => "reverse",
            Playback::Pause => "pause",
            Playback::Restart => "restart",
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::EncodeError;

    #[test]
    fn hangup_refuses_patterns() {
        assert_eq!(
            hangup("/^PJSIP/", None).encode("1"),
            Err(EncodeError::ChannelName("/^PJSIP/".into()))
        );
        let bytes = hangup("PJSIP/a-1", Some(16)).encode("1").unwrap();
        assert!(bytes.ends_with(b"Channel: PJSIP/a-1\r\nCause: 16\r\n\r\n"));
    }

    #[test]
    fn redirect_moves_both_legs() {
        let to = Destination {
            context: "c".into(),
            exten: "s".into(),
            priority: 1,
        };
        let bytes = redirect("A", &to, Some(("B", &to))).encode("1").unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("ExtraChannel: B\r\nExtraContext: c\r\n"));
        assert!(redirect("A", &to, Some(("", &to))).encode("1").is_err());
    }
}
