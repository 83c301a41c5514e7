//! Call records.

use std::borrow::Cow;
use std::time::Duration;

use super::fields::{escaped, seconds, some_text, text, word};
use super::table::payload;
use super::words::CdrDisposition;
use crate::message::Message;

payload! {
    /// A call record (needs `cdr_manager`). Times are local to the server, as
    /// `2026-11-20 14:05:59`.
    Cdr requires ["Channel", "UniqueID"] {
        /// Account code of the calling party.
        account_code -> Cow<'_, str> = text("AccountCode");
        /// Number of the calling party.
        source -> Cow<'_, str> = text("Source");
        /// The extension that it reached.
        destination -> Cow<'_, str> = text("Destination");
        /// The context of that extension.
        destination_context -> Cow<'_, str> = text("DestinationContext");
        /// Name and number of the calling party.
        caller_id -> Cow<'_, str> = escaped("CallerID");
        /// Name of the calling channel.
        channel -> Cow<'_, str> = text("Channel");
        /// Name of the called channel.
        destination_channel -> Cow<'_, str> = text("DestinationChannel");
        /// The last application.
        last_application -> Cow<'_, str> = text("LastApplication");
        /// Its arguments.
        last_data -> Cow<'_, str> = text("LastData");
        /// Begin.
        start_time -> Cow<'_, str> = text("StartTime");
        /// Answer.
        answer_time -> Option<Cow<'_, str>> = some_text("AnswerTime");
        /// End.
        end_time -> Cow<'_, str> = text("EndTime");
        /// From begin to end.
        duration -> Option<Duration> = seconds("Duration");
        /// From answer to end.
        billable -> Option<Duration> = seconds("BillableSeconds");
        /// The outcome.
        disposition -> CdrDisposition = word("Disposition");
        /// `DOCUMENTATION`, `BILLING` or `OMIT`.
        ama_flags -> Cow<'_, str> = text("AMAFlags");
        /// Identity of the calling channel.
        uniqueid -> Cow<'_, str> = text("UniqueID");
        /// Free text of the dialplan.
        user_field -> Cow<'_, str> = text("UserField");
    }
}

payload! {
    /// A record of one step of a call (needs `cel_manager`).
    Cel requires ["EventName"] {
        /// The step, such as `CHAN_START`, `BRIDGE_ENTER` or a name of the dialplan.
        name -> Cow<'_, str> = text("EventName");
        /// When, in the format of `cel.conf`; seconds since 1970 without one.
        time -> Cow<'_, str> = text("EventTime");
        /// Account code.
        account_code -> Cow<'_, str> = text("AccountCode");
        /// Caller number.
        caller_id_num -> Cow<'_, str> = text("CallerIDnum");
        /// Caller name.
        caller_id_name -> Cow<'_, str> = escaped("CallerIDname");
        /// Number that was dialed.
        dnid -> Cow<'_, str> = text("CallerIDdnid");
        /// Context.
        context -> Cow<'_, str> = text("Context");
        /// Extension.
        exten -> Cow<'_, str> = text("Exten");
        /// Application.
        application -> Cow<'_, str> = text("Application");
        /// Its arguments.
        app_data -> Cow<'_, str> = text("AppData");
        /// Name of the channel.
        channel -> Cow<'_, str> = text("Channel");
        /// Identity of the channel.
        uniqueid -> Cow<'_, str> = text("UniqueID");
        /// Identity of the oldest channel of the call.
        linkedid -> Cow<'_, str> = text("LinkedID");
        /// Name of the other channel.
        peer -> Cow<'_, str> = text("Peer");
        /// What more there is, as JSON.
        extra -> Cow<'_, str> = text("Extra");
    }
}
