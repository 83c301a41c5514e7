//! The server itself, and what others write for us.

use std::borrow::Cow;
use std::time::Duration;

use super::channel::Channel;
use super::fields::{flag, seconds, some_channel, some_text, text};
use super::table::payload;
use crate::message::Message;

payload! {
    /// Asterisk has loaded everything. Sent after a login only to an account that
    /// reads class `system`.
    FullyBooted requires [] {
        /// Time since the start of Asterisk.
        uptime -> Option<Duration> = seconds("Uptime");
        /// Time since the last reload.
        last_reload -> Option<Duration> = seconds("LastReload");
    }
}

payload! {
    /// Asterisk ends.
    Shutdown requires [] {
        /// `Cleanly` or `Uncleanly`.
        shutdown -> Cow<'_, str> = text("Shutdown");
        /// Whether it starts again.
        restart -> bool = flag("Restart");
    }
}

payload! {
    /// A module was loaded, unloaded or has read its configuration.
    ModuleEvent requires ["Module"] {
        /// The module, or `All`.
        module -> Cow<'_, str> = text("Module");
        /// `Success`, `Failure` or `Decline`; for a reload a number, 0 for success
        /// (`enum ast_module_reload_result` in `module.h`).
        status -> Cow<'_, str> = text("Status");
    }
}

payload! {
    /// A file of the log is written, or no longer.
    LogChannel requires ["Channel"] {
        /// The file.
        file -> Cow<'_, str> = text("Channel");
        /// Whether it is written.
        enabled -> bool = flag("Enabled");
        /// Why not.
        reason -> Option<Cow<'_, str>> = some_text("Reason");
    }
}

payload! {
    /// Asterisk suspects that it blocks itself (builds with `DETECT_DEADLOCKS`).
    DeadlockStart requires [] {
        /// The lock.
        mutex -> Cow<'_, str> = text("Mutex");
    }
}

payload! {
    /// An event written by a dialplan or by another manager session.
    UserEvent requires [] {
        /// Its name; its own headers are in the frame.
        name -> Cow<'_, str> = text("UserEvent");
        /// The channel, when a dialplan wrote it.
        channel -> Option<Channel<'_>> = some_channel("");
        /// The `ActionID`, when an action wrote it.
        action_id -> Option<Cow<'_, str>> = some_text("ActionID");
    }
}
