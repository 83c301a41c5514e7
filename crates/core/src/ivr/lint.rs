//! What is wrong with a flow, before a caller finds out.

mod content;
pub(super) mod limits;
mod loops;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use self::content::check_content;
pub use self::limits::{MAX_CHOICES, MAX_CONNECTIONS, MAX_NAME_CHARS, MAX_NODES, MAX_PROMPT_CHARS};
use super::{
    graph::{Connection, FlowGraph, Node, NodeContent, NodeId, PortId},
    ports::{OutputPort, Travel, outputs, shorten},
};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The flow is not published.
    Error,
    /// The flow works, though perhaps not as meant.
    Warning,
}

/// What kind of finding it is, for programs; people read the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// More nodes than a flow may have.
    TooManyNodes,
    /// More connections than a flow may have.
    TooManyConnections,
    /// More options or events than a node may have.
    TooManyChoices,
    /// An id, a name or a prompt is too long.
    TextTooLong,
    /// A node without id.
    EmptyId,
    /// No call can enter.
    NoStart,
    /// Calls could enter at several places.
    SeveralStarts,
    /// Two nodes have the same id.
    DuplicateNodeId,
    /// The type of the node is not known.
    UnknownNodeType,
    /// The content of the node has the wrong shape.
    MalformedContent,
    /// A connection leaves a node that is not there.
    ConnectionFromMissingNode,
    /// A connection leads to a node that is not there.
    ConnectionToMissingNode,
    /// A connection leads back to the start, which has no input.
    ConnectionToStart,
    /// A connection leaves by a port that the node does not have.
    UnknownPort,
    /// Two connections leave by the same port.
    DuplicateConnection,
    /// The start leads nowhere.
    StartNotConnected,
    /// A call can go round without the caller doing anything.
    EndlessLoop,
    /// The time zone does not exist.
    InvalidTimezone,
    /// An event of a calendar cannot be understood.
    InvalidEvent,
    /// A menu without choices.
    MenuWithoutOptions,
    /// A key stands twice in a menu.
    DuplicateKey,
    /// A key that no telephone has.
    IllegalKey,
    /// A choice without output port.
    OptionWithoutPort,
    /// A number that cannot be called.
    InvalidNumber,
    /// A queue node that names no queue.
    QueueWithoutId,
    /// A name with characters that could mean something else to the exchange.
    InvalidName,
    /// A number of seconds or attempts that makes no sense.
    OutOfRange,
    /// No call can come to this node.
    UnreachableNode,
    /// An output without connection: the call ends there.
    DeadEnd,
    /// The caller hears nothing.
    NothingToSay,
    /// A recurring event without days.
    EventNeverMatches,
    /// A connection enters by a port that the node does not have. It is followed all the same.
    UnknownInputPort,
}

/// One thing that [`lint`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of thing it is.
    pub code: Code,
    /// The node to look at, when there is one. Like the name, cut to [`MAX_NAME_CHARS`].
    pub node_id: Option<NodeId>,
    /// Its name.
    pub node_name: Option<String>,
    /// What is wrong and what can be done.
    pub message: String,
}

/// Everything that is wrong with a graph, errors first. A graph with an error is not published.
///
/// The work is linear in the size of the graph, and a graph beyond the limits is not looked at
/// further, so anybody may send any graph.
pub fn lint(graph: &FlowGraph) -> Vec<Finding> {
    let mut report = Report::default();
    if !check_size(graph, &mut report) {
        return report.findings;
    }
    let map = Map::new(graph, &mut report);
    for node in &graph.nodes {
        check_content(node, &mut report);
    }
    check_start(graph, &map, &mut report);
    check_dead_ends(graph, &map, &mut report);
    let reached = map.reachable();
    check_reachable(graph, &reached, &mut report);
    check_loops(graph, &map, &reached, &mut report);
    // Stable: within a severity the order is that of the checks.
    report.findings.sort_by_key(|finding| finding.severity);
    report.findings
}

/// The findings so far.
#[derive(Default)]
struct Report {
    findings: Vec<Finding>,
}

impl Report {
    fn error(&mut self, code: Code, node: Option<&Node>, message: String) {
        self.add(Severity::Error, code, node, message);
    }

    fn warning(&mut self, code: Code, node: Option<&Node>, message: String) {
        self.add(Severity::Warning, code, node, message);
    }

    fn add(&mut self, severity: Severity, code: Code, node: Option<&Node>, message: String) {
        // Cut, so that one endless name cannot fill the memory with a copy for every finding.
        let cut = |text: &str| text.chars().take(MAX_NAME_CHARS).collect::<String>();
        self.findings.push(Finding {
            severity,
            code,
            node_id: node.map(|node| cut(node.id.as_str()).into()),
            node_name: node.map(|node| cut(&node.name)),
            message,
        });
    }
}

/// The node as a person finds it in the designer.
fn label(node: &Node) -> String {
    let id = shorten(node.id.as_str());
    if node.name.trim().is_empty() {
        format!("{} node {id}", shorten(node.content.type_name()))
    } else {
        format!("“{}” ({id})", shorten(&node.name))
    }
}

// === the graph as arrows ===

/// The connections that make sense, by index of node.
struct Map<'a> {
    /// `None` for a node whose content cannot be read.
    ports: Vec<Option<Vec<OutputPort<'a>>>>,
    /// Which node is behind which port.
    targets: Vec<HashMap<&'a str, usize>>,
    starts: Vec<usize>,
}

impl<'a> Map<'a> {
    /// Draws the map and reports what does not fit on it.
    fn new(graph: &'a FlowGraph, report: &mut Report) -> Self {
        let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(graph.nodes.len());
        for (index, node) in graph.nodes.iter().enumerate() {
            if by_id.contains_key(node.id.as_str()) {
                let message = format!(
                    "The id of {} is used by another node too; give each node its own id.",
                    label(node)
                );
                report.error(Code::DuplicateNodeId, Some(node), message);
            } else {
                by_id.insert(node.id.as_str(), index);
            }
        }
        let ports: Vec<_> = graph.nodes.iter().map(|n| outputs(&n.content)).collect();
        let known: Vec<Option<HashSet<&str>>> = ports
            .iter()
            .map(|ports| Some(ports.as_ref()?.iter().map(|port| port.id).collect()))
            .collect();
        let mut map = Self {
            targets: graph.nodes.iter().map(|_| HashMap::new()).collect(),
            starts: (0..graph.nodes.len())
                .filter(|&index| is_start(&graph.nodes[index]))
                .collect(),
            ports,
        };
        for connection in &graph.connections {
            map.connect(graph, connection, &by_id, &known, report);
        }
        map
    }

    fn connect(
        &mut self,
        graph: &'a FlowGraph,
        connection: &'a Connection,
        by_id: &HashMap<&str, usize>,
        known: &[Option<HashSet<&str>>],
        report: &mut Report,
    ) {
        let find = |id: &NodeId| by_id.get(id.as_str()).copied();
        let (from, to) = (find(&connection.from_node_id), find(&connection.to_node_id));
        let node = |index: Option<usize>| index.map(|index| &graph.nodes[index]);
        let name = shorten(&connection.id);
        let port = connection.from_port_id.as_str();
        let Some((from_index, from_node)) = from.zip(node(from)) else {
            let missing = shorten(connection.from_node_id.as_str());
            let message = format!(
                "The connection {name} leaves the node {missing}, which does not exist; delete the \
                 connection."
            );
            return report.error(Code::ConnectionFromMissingNode, node(to), message);
        };
        let place = label(from_node);
        let Some((to_index, to_node)) = to.zip(node(to)) else {
            let missing = shorten(connection.to_node_id.as_str());
            let message = format!(
                "The connection {name} leads from {place} to the node {missing}, which does not \
                 exist; delete the connection or draw it to another node."
            );
            return report.error(Code::ConnectionToMissingNode, Some(from_node), message);
        };
        if let Some(ports) = &known[from_index]
            && !ports.contains(port)
        {
            let message = format!(
                "The connection {name} leaves {place} by the port “{}”, which this node does not \
                 have; delete the connection.",
                shorten(port)
            );
            return report.error(Code::UnknownPort, Some(from_node), message);
        }
        if is_start(to_node) {
            let message = format!(
                "The connection {name} leads from {place} back to the start; draw it to the node \
                 after the start instead."
            );
            return report.error(Code::ConnectionToStart, Some(from_node), message);
        }
        if connection.to_port_id.as_str() != PortId::INPUT {
            let message = format!(
                "The connection {name} enters {} by the port “{}”; nodes have one input, “in”, and \
                 that one is used.",
                label(to_node),
                shorten(connection.to_port_id.as_str())
            );
            report.warning(Code::UnknownInputPort, Some(to_node), message);
        }
        if self.targets[from_index].contains_key(port) {
            let message = format!(
                "Two connections leave {place} by the port “{}”; delete one, a call can only go \
                 one way.",
                shorten(port)
            );
            return report.error(Code::DuplicateConnection, Some(from_node), message);
        }
        self.targets[from_index].insert(port, to_index);
    }

    /// The nodes that a call can come to.
    fn reachable(&self) -> Vec<bool> {
        let mut reached = vec![false; self.targets.len()];
        let mut todo = self.starts.clone();
        while let Some(index) = todo.pop() {
            if !std::mem::replace(&mut reached[index], true) {
                todo.extend(self.targets[index].values());
            }
        }
        reached
    }

    /// For every node that a call can come to, where it goes if the caller does nothing.
    fn silent_ways(&self, reached: &[bool]) -> Vec<Vec<usize>> {
        let ways = |index: usize| {
            let ports = self.ports[index].iter().flatten();
            ports
                .filter(|port| port.travel == Travel::Silent)
                .filter_map(|port| self.targets[index].get(port.id).copied())
                .collect()
        };
        (0..self.targets.len())
            .map(|index| {
                if reached[index] {
                    ways(index)
                } else {
                    Vec::new()
                }
            })
            .collect()
    }
}

fn is_start(node: &Node) -> bool {
    matches!(node.content, NodeContent::Start(_))
}

// === checks of the whole ===

/// Whether the graph is small enough to look at the rest.
fn check_size(graph: &FlowGraph, report: &mut Report) -> bool {
    let (nodes, connections) = (graph.nodes.len(), graph.connections.len());
    if nodes > MAX_NODES {
        let message = format!(
            "The flow has {nodes} nodes, and {MAX_NODES} is the limit; split it into several flows."
        );
        report.error(Code::TooManyNodes, None, message);
    }
    if connections > MAX_CONNECTIONS {
        let message = format!(
            "The flow has {connections} connections, and {MAX_CONNECTIONS} is the limit; split it \
             into several flows."
        );
        report.error(Code::TooManyConnections, None, message);
    }
    report.findings.is_empty()
}

fn check_start(graph: &FlowGraph, map: &Map<'_>, report: &mut Report) {
    if map.starts.is_empty() {
        let message = "The flow has no start node, so no call can enter it; add one.".to_owned();
        report.error(Code::NoStart, None, message);
    }
    for &extra in map.starts.iter().skip(1) {
        let node = &graph.nodes[extra];
        let message = format!(
            "{} is a second start node; a flow has one, delete the others.",
            label(node)
        );
        report.error(Code::SeveralStarts, Some(node), message);
    }
    for &start in &map.starts {
        if map.targets[start].is_empty() {
            let node = &graph.nodes[start];
            let message = format!(
                "{} is not connected; draw a connection to the first node that a caller meets.",
                label(node)
            );
            report.error(Code::StartNotConnected, Some(node), message);
        }
    }
}

fn check_dead_ends(graph: &FlowGraph, map: &Map<'_>, report: &mut Report) {
    for (index, node) in graph.nodes.iter().enumerate() {
        if is_start(node) {
            continue;
        }
        let mut told = HashSet::new();
        for port in map.ports[index].iter().flatten() {
            if port.optional || map.targets[index].contains_key(port.id) || !told.insert(port.id) {
                continue;
            }
            let message = format!(
                "The output “{}” ({}) of {} is not connected; a call that leaves by it is hung up.",
                shorten(port.id),
                port.label,
                label(node)
            );
            report.warning(Code::DeadEnd, Some(node), message);
        }
    }
}

fn check_reachable(graph: &FlowGraph, reached: &[bool], report: &mut Report) {
    for (node, _) in graph.nodes.iter().zip(reached).filter(|(_, seen)| !**seen) {
        let message = format!(
            "No call can come to {}; connect it or delete it.",
            label(node)
        );
        report.warning(Code::UnreachableNode, Some(node), message);
    }
}

fn check_loops(graph: &FlowGraph, map: &Map<'_>, reached: &[bool], report: &mut Report) {
    /// More would not fit on a screen.
    const NAMED: usize = 12;
    for cycle in loops::cycles(&map.silent_ways(reached)) {
        let Some(&first) = cycle.first() else {
            continue;
        };
        let mut way: Vec<_> = cycle
            .iter()
            .take(NAMED)
            .map(|&index| label(&graph.nodes[index]))
            .collect();
        if cycle.len() > NAMED {
            way.push(format!("{} more nodes", cycle.len() - NAMED));
        }
        let node = &graph.nodes[first];
        way.push(label(node));
        let message = format!(
            "A call can go round here for ever without the caller doing anything: {}. Let one of \
             these connections lead out of the loop.",
            way.join(" → ")
        );
        report.error(Code::EndlessLoop, Some(node), message);
    }
}

#[cfg(test)]
mod tests;
