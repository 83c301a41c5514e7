//! Parking.

use super::on_channel;
use crate::action::Action;

/// How a channel is parked, see [`park`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkRequest {
    /// The channel.
    pub channel: String,
    /// The channel that is called back when nobody takes the call in time.
    pub timeout_channel: Option<String>,
    /// The channel that is told the space.
    pub announce_channel: Option<String>,
    /// How long it may stay, in milliseconds, 0 for ever; the time of the lot
    /// without it.
    pub timeout_ms: Option<u32>,
    /// The lot; the default one without it.
    pub parkinglot: Option<String>,
    /// The space; the next free one without it (18 and later).
    pub space: Option<u32>,
}

/// Parks a channel; a [`ParkedCall`](crate::event::ParkedCall) follows. Class `call`.
pub fn park(request: &ParkRequest) -> Action {
    let mut action = on_channel(Action::new("Park"), "Channel", &request.channel);
    for (key, channel) in [
        ("TimeoutChannel", &request.timeout_channel),
        ("AnnounceChannel", &request.announce_channel),
    ] {
        if let Some(channel) = channel {
            action = on_channel(action, key, channel);
        }
    }
    action
        .header_opt("Timeout", request.timeout_ms.map(|ms| ms.to_string()))
        .header_opt("Parkinglot", request.parkinglot.as_ref())
        .header_opt("ParkingSpace", request.space.map(|space| space.to_string()))
}

/// Asks for the parking lots, as a list of
/// [`ParkingLot`](crate::event::lists::ParkingLot) named `Parkinglot`. Class `call`.
pub fn parking_lots() -> Action {
    Action::new("Parkinglots")
}

/// Asks for the parked calls, of one lot or of all, as a list of
/// [`ParkedCall`](crate::event::ParkedCall). Class `call`.
pub fn parked_calls(parkinglot: Option<&str>) -> Action {
    Action::new("ParkedCalls").header_opt("ParkingLot", parkinglot)
}
