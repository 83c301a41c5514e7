//! Published flows, compiled once per version.

use std::sync::{Arc, PoisonError};

use strowger_core::{
    ids::FlowId,
    ivr::{Flow, FlowGraph},
    switchboard::{FlowWanted, InboundRoute},
};
use strowger_store::{Store, inbound::Route};
use tracing::error;

use super::Versions;

/// Flows kept compiled; when there are more the cache starts over, which costs one
/// compilation for each flow in use.
const KEPT: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct FlowCache(Versions<(FlowId, i32), Arc<Flow>>);

impl FlowCache {
    /// The published flow, if there is one that can be run.
    pub(super) async fn route(&self, store: &Store, wanted: &FlowWanted) -> Option<InboundRoute> {
        let found = match wanted {
            FlowWanted::OfNumber {
                did,
                server,
                endpoint,
            } => store.route(did, server, endpoint.as_deref()).await,
            FlowWanted::Flow(id) => store.published_flow(id).await,
        };
        let route = match found {
            Ok(route) => route?,
            Err(error) => {
                error!(%error, "Cannot look up a flow");
                return None;
            }
        };
        let (id, version) = (route.flow.clone(), route.version);
        let flow = self.compiled(route)?;
        Some(InboundRoute { id, version, flow })
    }

    fn compiled(&self, route: Route) -> Option<Arc<Flow>> {
        let key = (route.flow, route.version);
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flow) = cache.get(&key) {
            return Some(Arc::clone(flow));
        }
        let graph: FlowGraph = serde_json::from_value(route.graph)
            .inspect_err(|error| error!(flow = %key.0, version = key.1, %error, "A published flow cannot be read"))
            .ok()?;
        let flow = Flow::compile(graph)
            .inspect_err(|findings| error!(flow = %key.0, version = key.1, ?findings, "A published flow cannot be run"))
            .ok()?;
        if cache.len() == KEPT {
            cache.clear();
        }
        let flow = Arc::new(flow);
        cache.insert(key, Arc::clone(&flow));
        Some(flow)
    }
}
