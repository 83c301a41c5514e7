//! Bridges.

use super::{needed, on_channel};
use crate::action::Action;

/// Asks for all bridges, or those of one type such as `basic`, as a list of
/// `BridgeListItem`, typed by [`BridgeEvent`](crate::event::BridgeEvent).
pub fn bridge_list(bridge_type: Option<&str>) -> Action {
    Action::new("BridgeList").header_opt("BridgeType", bridge_type)
}

/// Asks for the channels of a bridge, as a list of `BridgeInfoChannel`, typed by
/// [`ChannelEvent`](crate::event::ChannelEvent). The headers of the bridge are in
/// the end of the list.
pub fn bridge_info(bridge_uniqueid: &str) -> Action {
    needed(Action::new("BridgeInfo"), "BridgeUniqueid", bridge_uniqueid)
}

/// Takes a channel out of its bridge, which usually hangs it up; only if it is in
/// this bridge, when one is given.
pub fn bridge_kick(bridge_uniqueid: Option<&str>, channel: &str) -> Action {
    let action = Action::new("BridgeKick").header_opt("BridgeUniqueid", bridge_uniqueid);
    on_channel(action, "Channel", channel)
}

/// Ends a bridge; its channels go on in the dialplan or hang up.
pub fn bridge_destroy(bridge_uniqueid: &str) -> Action {
    needed(
        Action::new("BridgeDestroy"),
        "BridgeUniqueid",
        bridge_uniqueid,
    )
}

/// Asks for the technologies of bridges, as a list of
/// `BridgeTechnologyListItem` (`BridgeTechnology`, `BridgeType`, `BridgePriority`,
/// `BridgeSuspended`).
pub fn bridge_technology_list() -> Action {
    Action::new("BridgeTechnologyList")
}
