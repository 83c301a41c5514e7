//! Programs that steer a channel.

use std::borrow::Cow;

use super::channel::Channel;
use super::fields::{channel, number, some_text, text, uri_decoded};
use super::table::payload;
use crate::message::Message;

payload! {
    /// A channel waits for [`agi`](crate::actions::agi).
    AsyncAgiStart requires ["Channel", "Uniqueid", "Env"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// What AGI tells at its begin, one `agi_name: value` per line.
        environment -> String = uri_decoded("Env");
    }
}

payload! {
    /// A command of [`agi`](crate::actions::agi) is done.
    AsyncAgiExec requires ["Channel", "Uniqueid", "Result"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The `CommandID` that was given with the command.
        command_id -> Option<Cow<'_, str>> = some_text("CommandID");
        /// The answer of AGI, such as `200 result=0`, with its line break.
        result -> String = uri_decoded("Result");
    }
}

payload! {
    /// A command of AGI begins or ends, whatever asked for it.
    AgiExec requires ["Channel", "Uniqueid", "Command"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The command.
        command -> Cow<'_, str> = text("Command");
        /// What the begin and the end have in common.
        command_id -> Cow<'_, str> = text("CommandId");
        /// Code of the answer, such as 200 (`AGIExecEnd`).
        result_code -> Option<u16> = number("ResultCode");
        /// The answer in words (`AGIExecEnd`).
        result -> Option<Cow<'_, str>> = some_text("Result");
    }
}
