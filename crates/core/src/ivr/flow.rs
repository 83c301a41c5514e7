//! A graph, checked and laid out for running.

use std::collections::HashMap;

use super::{
    calendar::Calendar,
    graph::{FlowGraph, NodeContent, NodeId, PortId, Prompt},
    lint::{Finding, Severity, limits, lint},
};

/// A flow that calls can go through. It is only made from a graph without errors.
#[derive(Debug, Clone)]
pub struct Flow {
    nodes: Vec<FlowNode>,
    by_id: HashMap<NodeId, usize>,
    start: Option<usize>,
}

#[derive(Debug, Clone)]
pub(super) struct FlowNode {
    pub(super) id: NodeId,
    pub(super) behaviour: Behaviour,
}

/// Where a call goes next; `None` is an output without connection.
pub(super) type Next = Option<usize>;

/// What a node does, with every port already followed to the node behind it.
#[derive(Debug, Clone)]
pub(super) enum Behaviour {
    Start { next: Next },
    Media { prompt: Prompt, next: Next },
    Menu(Menu),
    Calendar(Schedule),
    Transfer(Transfer),
    Voicemail(Voicemail),
    Queue(Queue),
    Hangup,
}

#[derive(Debug, Clone)]
pub(super) struct Menu {
    pub(super) prompt: Prompt,
    pub(super) invalid_prompt: Prompt,
    pub(super) keys: Vec<String>,
    pub(super) max_digits: usize,
    pub(super) timeout_ms: u32,
    pub(super) max_attempts: u32,
    pub(super) choices: HashMap<String, Next>,
    pub(super) on_timeout: Next,
    pub(super) on_invalid: Next,
}

#[derive(Debug, Clone)]
pub(super) struct Schedule {
    /// `None` when the calendar could not be read; such a node takes its default way.
    pub(super) calendar: Option<Calendar>,
    pub(super) events: HashMap<PortId, usize>,
    pub(super) otherwise: Next,
}

#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) number: String,
    pub(super) ring_s: u32,
    pub(super) trunk: Option<String>,
    pub(super) on_failure: Next,
}

#[derive(Debug, Clone)]
pub(super) struct Voicemail {
    pub(super) prompt: Prompt,
    pub(super) mailbox: Option<String>,
    pub(super) max_s: u32,
    pub(super) silence_s: u32,
    pub(super) beep: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) id: String,
    pub(super) max_wait_s: u32,
    pub(super) music: Option<String>,
    pub(super) on_timeout: Next,
    pub(super) on_unavailable: Next,
}

// === impl Flow ===

impl Flow {
    /// Checks a graph and lays it out. A graph with an error is answered with all its findings.
    pub fn compile(graph: FlowGraph) -> Result<Self, Vec<Finding>> {
        let findings = lint(&graph);
        if findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
        {
            return Err(findings);
        }
        Ok(Self::lay_out(graph))
    }

    /// Lays out any graph, broken ones too: what is not there is a way that leads nowhere. Apart
    /// from [`Flow::compile`] only tests use it, to show that the interpreter trusts no graph.
    pub(super) fn lay_out(graph: FlowGraph) -> Self {
        let FlowGraph { nodes, connections } = graph;
        let mut by_id = HashMap::with_capacity(nodes.len());
        for (index, node) in nodes.iter().enumerate() {
            by_id.entry(node.id.clone()).or_insert(index);
        }
        let mut links = Links {
            targets: nodes.iter().map(|_| HashMap::new()).collect(),
        };
        for connection in connections {
            let from = by_id.get(&connection.from_node_id);
            let to = by_id.get(&connection.to_node_id);
            if let (Some(&from), Some(&to)) = (from, to) {
                links.add(from, connection.from_port_id, to);
            }
        }
        let start = nodes
            .iter()
            .position(|node| matches!(node.content, NodeContent::Start(_)));
        let nodes = nodes
            .into_iter()
            .enumerate()
            .map(|(index, node)| FlowNode {
                id: node.id,
                behaviour: behaviour(node.content, index, &links),
            })
            .collect();
        Self {
            nodes,
            by_id,
            start,
        }
    }

    /// Where a call enters.
    pub(super) fn start(&self) -> Next {
        self.start
    }

    pub(super) fn node(&self, index: usize) -> Option<&FlowNode> {
        self.nodes.get(index)
    }

    pub(super) fn node_by_id(&self, id: &NodeId) -> Option<&FlowNode> {
        self.by_id.get(id).and_then(|&index| self.node(index))
    }
}

/// The node behind each output port, by the index of the node that has the port.
struct Links {
    targets: Vec<HashMap<PortId, usize>>,
}

impl Links {
    fn add(&mut self, from: usize, port: PortId, to: usize) {
        if let Some(ports) = self.targets.get_mut(from) {
            ports.entry(port).or_insert(to);
        }
    }

    fn get(&self, from: usize, port: &str) -> Next {
        let ports = self.targets.get(from)?;
        ports.get(&PortId::from(port)).copied()
    }
}

fn behaviour(content: NodeContent, index: usize, links: &Links) -> Behaviour {
    let follow = |port: &str| links.get(index, port);
    match content {
        NodeContent::Start(_) => Behaviour::Start {
            next: follow(PortId::OUT),
        },
        NodeContent::Media(media) => Behaviour::Media {
            prompt: media.prompt,
            next: follow(PortId::OUT),
        },
        NodeContent::Menu(menu) => {
            let mut choices = HashMap::with_capacity(menu.options.len());
            for option in &menu.options {
                let target = follow(option.port_id.as_str());
                choices.entry(option.key.clone()).or_insert(target);
            }
            Behaviour::Menu(Menu {
                timeout_ms: limits::MENU_TIMEOUT.clamp(menu.timeout_seconds()) * 1_000,
                max_attempts: limits::MENU_ATTEMPTS.clamp(menu.max_attempts()),
                invalid_prompt: menu.invalid(),
                max_digits: menu.options.iter().map(|o| o.key.len()).max().unwrap_or(1),
                keys: menu.options.into_iter().map(|option| option.key).collect(),
                prompt: menu.prompt,
                choices,
                on_timeout: follow(PortId::TIMEOUT),
                on_invalid: follow(PortId::INVALID).or_else(|| follow(PortId::TIMEOUT)),
            })
        }
        NodeContent::Calendar(content) => Behaviour::Calendar(Schedule {
            events: content
                .events
                .iter()
                .filter_map(|event| Some((event.id.clone(), follow(event.id.as_str())?)))
                .collect(),
            otherwise: follow(PortId::DEFAULT),
            calendar: Calendar::new(&content).ok(),
        }),
        NodeContent::Transfer(transfer) => Behaviour::Transfer(Transfer {
            ring_s: limits::RING.clamp(transfer.ring_seconds()),
            number: transfer.number,
            trunk: filled(transfer.trunk),
            on_failure: follow(PortId::OUT),
        }),
        NodeContent::Voicemail(voicemail) => Behaviour::Voicemail(Voicemail {
            max_s: limits::MESSAGE.clamp(voicemail.max_seconds()),
            silence_s: limits::SILENCE.clamp(voicemail.silence_seconds()),
            beep: voicemail.beep(),
            prompt: voicemail.prompt,
            mailbox: filled(voicemail.mailbox),
        }),
        NodeContent::Queue(queue) => Behaviour::Queue(Queue {
            max_wait_s: limits::WAIT.clamp(queue.max_wait_seconds()),
            id: queue.queue_id,
            music: filled(queue.music),
            on_timeout: follow(PortId::TIMEOUT),
            on_unavailable: follow(PortId::UNAVAILABLE),
        }),
        NodeContent::Hangup(_) | NodeContent::Unknown(_) | NodeContent::Malformed(_) => {
            Behaviour::Hangup
        }
    }
}

/// Forms send an empty text for a field that was left out.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
