//! A flow as the designer draws and stores it.
//!
//! Reading is forgiving and loses nothing: keys that are not known stay where they were, a node of
//! an unknown type or with content of the wrong shape is kept as it came. [`lint`](super::lint())
//! speaks about such nodes; refusing to parse would make a flow that cannot even be opened for repair.

mod content;

pub use content::{
    CalendarContent, CalendarEvent, MediaContent, MenuContent, MenuOption, NodeContent,
    PlainContent, Prompt, PromptSource, QueueContent, RawContent, TransferContent,
    VoicemailContent,
};

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// The id of a node, unique in its flow. The designer makes it up.
    NodeId
}
text_id! {
    /// The id of a port: the place on a node where a connection begins or ends.
    PortId
}

impl PortId {
    /// The only input port of a node.
    pub const INPUT: &'static str = "in";
    /// The only output of a start or media node; of a transfer, the way a failed call goes.
    pub const OUT: &'static str = "out";
    /// The way on when a caller pressed nothing, or waited too long in a queue.
    pub const TIMEOUT: &'static str = "out-timeout";
    /// The way on when the last attempt at a menu was a key that it does not have.
    pub const INVALID: &'static str = "out-invalid";
    /// The way on when no event of a calendar matches.
    pub const DEFAULT: &'static str = "out-default";
    /// The way on when nobody is logged in to a queue.
    pub const UNAVAILABLE: &'static str = "out-unavailable";
}

/// The boxes and arrows of one flow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowGraph {
    /// The boxes, in the order in which they were drawn.
    #[serde(default, deserialize_with = "null_is_default")]
    pub nodes: Vec<Node>,
    /// The arrows.
    #[serde(default, deserialize_with = "null_is_default")]
    pub connections: Vec<Connection>,
}

/// One box of a flow.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(from = "NodeIn")]
pub struct Node {
    /// Unique in the flow.
    pub id: NodeId,
    /// What people call it.
    pub name: String,
    /// Where the designer draws it, from the left.
    pub x: Option<Number>,
    /// Where the designer draws it, from the top.
    pub y: Option<Number>,
    /// What it does; the variant is the type of the node.
    pub content: NodeContent,
    /// Keys that are not known here, kept for whoever wrote them.
    pub extra: Map<String, Value>,
}

/// One arrow of a flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Made up by the designer; nothing depends on it.
    #[serde(default, deserialize_with = "null_is_default")]
    pub id: String,
    /// The node it leaves.
    pub from_node_id: NodeId,
    /// The output port it leaves by.
    pub from_port_id: PortId,
    /// The node it enters.
    pub to_node_id: NodeId,
    /// The input port it enters by.
    #[serde(default = "input_port")]
    pub to_port_id: PortId,
    /// Keys that are not known here, kept for whoever wrote them.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

// === impl Node ===

/// A node on the wire: the type stands beside the content that depends on it.
#[derive(Deserialize)]
struct NodeIn {
    id: NodeId,
    #[serde(rename = "type", default)]
    type_name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    name: String,
    #[serde(default)]
    x: Option<Number>,
    #[serde(default)]
    y: Option<Number>,
    #[serde(default)]
    content: Value,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

impl From<NodeIn> for Node {
    fn from(node: NodeIn) -> Self {
        Self {
            id: node.id,
            name: node.name,
            x: node.x,
            y: node.y,
            content: NodeContent::read(node.type_name, node.content),
            extra: node.extra,
        }
    }
}

#[derive(Serialize)]
struct NodeOut<'a> {
    id: &'a NodeId,
    #[serde(rename = "type")]
    type_name: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<&'a Number>,
    content: &'a NodeContent,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

impl Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        NodeOut {
            id: &self.id,
            type_name: self.content.type_name(),
            name: &self.name,
            x: self.x.as_ref(),
            y: self.y.as_ref(),
            content: &self.content,
            extra: &self.extra,
        }
        .serialize(serializer)
    }
}

impl Node {
    /// A node without a place on the canvas, for flows that a program makes.
    pub fn new(id: impl Into<NodeId>, name: impl Into<String>, content: NodeContent) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            x: None,
            y: None,
            content,
            extra: Map::new(),
        }
    }
}

impl Connection {
    /// An arrow from the output `port` of one node to the input of another.
    pub fn new(from: impl Into<NodeId>, port: impl Into<PortId>, to: impl Into<NodeId>) -> Self {
        let (from, port, to) = (from.into(), port.into(), to.into());
        Self {
            id: format!("conn-{from}-{port}"),
            from_node_id: from,
            from_port_id: port,
            to_node_id: to,
            to_port_id: input_port(),
            extra: Map::new(),
        }
    }
}

fn input_port() -> PortId {
    PortId::from(PortId::INPUT)
}

/// Reads `null` like a missing key: JavaScript clients send either.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
pub(super) mod tests;
