//! Channels, dials and their ends.

use std::borrow::Cow;

use super::channel::Channel;
use super::fields::{channel, count, escaped, number, some_channel, some_text, some_word, text};
use super::table::payload;
use super::words::DialStatus;
use crate::message::Message;

payload! {
    /// An event that says nothing but which channel.
    ChannelEvent requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
    }
}

payload! {
    /// A channel has another name; the identity stays.
    Rename requires ["Channel", "Newname"] {
        /// The name until now.
        old_name -> Cow<'_, str> = text("Channel");
        /// The name from now on.
        new_name -> Cow<'_, str> = text("Newname");
        /// The channel.
        uniqueid -> Cow<'_, str> = text("Uniqueid");
    }
}

payload! {
    /// The caller ID of a channel is known or has changed.
    NewCallerId requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// Whether the number may be shown, such as
        /// `0 (Presentation Allowed, Not Screened)`.
        presentation -> Cow<'_, str> = text("CID-CallingPres");
    }
}

payload! {
    /// The account code of a channel has changed.
    NewAccountCode requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The account code until now.
        old_account_code -> Cow<'_, str> = text("OldAccountCode");
    }
}

payload! {
    /// A channel runs another step of the dialplan.
    NewExten requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The extension.
        exten -> Cow<'_, str> = text("Extension");
        /// The application.
        application -> Cow<'_, str> = text("Application");
        /// Its arguments.
        app_data -> Cow<'_, str> = text("AppData");
    }
}

payload! {
    /// A variable has another value.
    VarSet requires ["Variable"] {
        /// The channel; `None` for a global variable.
        channel -> Option<Channel<'_>> = variable_channel("");
        /// The variable, such as `DIALSTATUS` or `CALLERID(num)`.
        variable -> Cow<'_, str> = text("Variable");
        /// Its value, escapes undone.
        value -> Cow<'_, str> = escaped("Value");
    }
}

/// A global variable has the channel `none`.
fn variable_channel<'a>(raw: &'a Message, prefix: &'static str) -> Option<Channel<'a>> {
    some_channel(raw, prefix).filter(|channel| channel.name() != "none")
}

payload! {
    /// What runs when a channel hangs up has been added, removed, or runs now.
    HangupHandler requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The handler, such as `ctx,s,1(args)`.
        handler -> Cow<'_, str> = text("Handler");
    }
}

payload! {
    /// A channel is gone.
    Hangup requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// Q.850 cause; 0 when Asterisk knows none. The first half of a `Local`
        /// channel says 0 where the second says why.
        cause -> u16 = count("Cause");
        /// The cause in words.
        cause_txt -> Cow<'_, str> = text("Cause-txt");
        /// What the technology said, such as `486` for SIP (late Asterisk 20, 22, 23).
        tech_cause -> Option<Cow<'_, str>> = some_text("TechCause");
    }
}

payload! {
    /// A channel was asked to hang up.
    HangupRequest requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// Q.850 cause, if one was given.
        cause -> Option<u16> = number("Cause");
    }
}

payload! {
    /// Begin, progress or end of a dial.
    Dial requires [] {
        /// Who dials; absent when an Originate does.
        source -> Option<Channel<'_>> = some_channel("");
        /// Who is dialed.
        dest -> Option<Channel<'_>> = some_channel("Dest");
        /// What was dialed (`DialBegin`).
        dial_string -> Cow<'_, str> = text("DialString");
        /// How it goes on (`DialState`) or ended (`DialEnd`).
        dial_status -> Option<DialStatus> = some_word("DialStatus");
        /// Where the call was forwarded to, if it was.
        forward -> Option<Cow<'_, str>> = some_text("Forward");
    }
}

payload! {
    /// The outcome of an asynchronous Originate.
    OriginateResponse requires ["Response"] {
        /// Why it ended: 0 failure (also unallocated and rejected), 1 hang-up, 3 not
        /// answered in time, 4 answered, 5 busy, 8 congestion (`AST_CONTROL_*` in
        /// `frame.h`). A refusal by the far end is mostly 0; the `DialEnd` says which.
        reason -> u16 = count("Reason");
        /// The channel, or what was to be dialed if none was made.
        channel_name -> Cow<'_, str> = text("Channel");
        /// Our `ChannelId`; `None` only for an Originate that had none.
        uniqueid -> Option<Cow<'_, str>> = some_text("Uniqueid");
        /// Where the call was to go.
        context -> Cow<'_, str> = text("Context");
        /// Where the call was to go.
        exten -> Cow<'_, str> = text("Exten");
        /// The application that was to run, if it was no place in the dialplan.
        application -> Option<Cow<'_, str>> = some_text("Application");
        /// The `ActionID` of the Originate.
        action_id -> Option<Cow<'_, str>> = some_text("ActionID");
    }
}

impl OriginateResponse {
    /// Whether the call was answered.
    pub fn success(&self) -> bool {
        self.raw()
            .bytes("Response")
            .is_some_and(|value| value.eq_ignore_ascii_case(b"Success"))
    }
}
