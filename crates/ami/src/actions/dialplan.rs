//! The dialplan, and commands for a channel that waits for them.

use super::{Application, Destination, needed, on_channel, yes_no};
use crate::action::Action;

/// Asks for the dialplan, or a context or an extension of it, as a list of
/// [`DialplanStep`](crate::event::lists::DialplanStep) named `ListDialplan`. Class
/// `config` or `reporting`.
pub fn show_dialplan(context: Option<&str>, exten: Option<&str>) -> Action {
    Action::new("ShowDialPlan")
        .header_opt("Context", context)
        .header_opt("Extension", exten)
}

/// Adds a step to the dialplan until it is reloaded. Class `system`, since the
/// dialplan can run programs.
pub fn dialplan_extension_add(to: &Destination, step: &Application, replace: bool) -> Action {
    let action = needed(Action::new("DialplanExtensionAdd"), "Context", &to.context);
    let action = needed(action, "Extension", &to.exten).header("Priority", to.priority.to_string());
    needed(action, "Application", &step.name)
        .header("ApplicationData", &step.data)
        .header("Replace", yes_no(replace))
}

/// Removes a step from the dialplan until it is reloaded, or all of an extension
/// without a priority. Class `system`.
pub fn dialplan_extension_remove(context: &str, exten: &str, priority: Option<u32>) -> Action {
    let action = needed(Action::new("DialplanExtensionRemove"), "Context", context);
    needed(action, "Extension", exten)
        .header_opt("Priority", priority.map(|priority| priority.to_string()))
}

/// Gives a command of AGI to a channel that runs `AGI(agi:async)`. The answer only
/// says that it was queued; the result is an
/// [`AsyncAgiExec`](crate::event::AsyncAgiExec) with the same `command_id`. One
/// command runs at a time, `ASYNCAGI BREAK` lets the dialplan go on. Class `agi`.
///
/// Arguments with blanks are quoted with `"`, as in AGI.
pub fn agi(channel: &str, command: &str, command_id: &str) -> Action {
    let action = on_channel(Action::new("AGI"), "Channel", channel);
    needed(needed(action, "Command", command), "CommandID", command_id)
}
