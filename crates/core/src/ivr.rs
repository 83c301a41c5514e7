//! IVR flows: what a caller hears and may press before somebody speaks to them.
//!
//! A flow is drawn in a designer as boxes and arrows and stored as such ([`FlowGraph`]). Before it
//! is published [`lint()`] reads it; a graph with an error is not published, so the interpreter only
//! ever meets flows that end. [`Flow::compile`] turns a graph into a table, and [`step`] moves one
//! call through it: an [`Input`] says what happened on the line, the [`Effect`] says what to do
//! next. Time is an argument, nothing here waits, reads a clock or opens a file.
//!
//! **One more type of node** takes: a content type and a variant of [`NodeContent`] in `graph`, its
//! output ports in `ports` (the compiler asks), its checks in `lint/content`, its compiled form in
//! `flow` and its behaviour in `interpreter`.

mod calendar;
mod flow;
mod graph;
mod interpreter;
mod lint;
mod ports;

#[cfg(test)]
mod properties;

pub use calendar::{Calendar, CalendarError, EventProblem, evaluate};
pub use flow::Flow;
pub use graph::{
    CalendarContent, CalendarEvent, Connection, FlowGraph, MediaContent, MenuContent, MenuOption,
    Node, NodeContent, NodeId, PlainContent, PortId, Prompt, PromptSource, QueueContent,
    RawContent, TransferContent, VoicemailContent,
};
pub use interpreter::{
    Effect, FlowState, HangupReason, Input, PATH_LIMIT, QueueOutcome, STEP_BUDGET, TransferOutcome,
    step,
};
pub use lint::{
    Code, Finding, MAX_CHOICES, MAX_CONNECTIONS, MAX_NAME_CHARS, MAX_NODES, MAX_PROMPT_CHARS,
    Severity, lint,
};
