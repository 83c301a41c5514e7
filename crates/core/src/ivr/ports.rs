//! The output ports of a node, by its content.

use super::graph::{NodeContent, PortId};

/// One way out of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputPort<'a> {
    pub(super) id: &'a str,
    /// How to speak of it to the person who draws the flow.
    pub(super) label: String,
    pub(super) travel: Travel,
    /// Whether leaving it unconnected is normal.
    pub(super) optional: bool,
}

/// What it takes for a call to leave by a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Travel {
    /// It happens to a caller who does nothing.
    Silent,
    /// The caller presses something.
    Caller,
}

/// The ways out of a node; `None` when its content cannot be read, so that they are not known.
pub(super) fn outputs(content: &NodeContent) -> Option<Vec<OutputPort<'_>>> {
    match content {
        NodeContent::Start(_) | NodeContent::Media(_) => {
            Some(vec![silent(PortId::OUT, "the way on")])
        }
        NodeContent::Menu(menu) => {
            let mut ports: Vec<_> = menu
                .options
                .iter()
                .map(|option| OutputPort {
                    id: option.port_id.as_str(),
                    label: named("key", &option.key, &option.label),
                    travel: Travel::Caller,
                    optional: false,
                })
                .collect();
            ports.push(silent(PortId::TIMEOUT, "no answer"));
            ports.push(OutputPort {
                id: PortId::INVALID,
                label: "wrong key".to_owned(),
                travel: Travel::Caller,
                optional: true,
            });
            Some(ports)
        }
        NodeContent::Calendar(calendar) => {
            let mut ports: Vec<_> = calendar
                .events
                .iter()
                .map(|event| {
                    let label = named("event", event.id.as_str(), &event.name);
                    OutputPort {
                        id: event.id.as_str(),
                        label,
                        travel: Travel::Silent,
                        optional: false,
                    }
                })
                .collect();
            ports.push(silent(PortId::DEFAULT, "no event matches"));
            Some(ports)
        }
        NodeContent::Transfer(_) => Some(vec![silent(PortId::OUT, "transfer failed")]),
        NodeContent::Queue(_) => Some(vec![
            silent(PortId::TIMEOUT, "waited too long"),
            silent(PortId::UNAVAILABLE, "no agent logged in"),
        ]),
        NodeContent::Voicemail(_) | NodeContent::Hangup(_) => Some(Vec::new()),
        NodeContent::Unknown(_) | NodeContent::Malformed(_) => None,
    }
}

fn silent<'a>(id: &'a str, label: &str) -> OutputPort<'a> {
    OutputPort {
        id,
        label: label.to_owned(),
        travel: Travel::Silent,
        optional: false,
    }
}

fn named(what: &str, id: &str, name: &str) -> String {
    if name.trim().is_empty() {
        format!("{what} {}", shorten(id))
    } else {
        format!("{what} {} “{}”", shorten(id), shorten(name))
    }
}

/// A text that fits into a message, whatever somebody wrote into the flow.
pub(super) fn shorten(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut short: String = clean.take(MAX_CHARS).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        short.push('…');
    }
    short
}
