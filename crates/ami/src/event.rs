//! Events with typed fields.
//!
//! To add one: a struct in `event/kinds.rs` (or reuse [`ChannelEvent`]), a variant
//! here, and its line in [`Event::parse`]. Whatever has no variant arrives as
//! [`Event::Other`], with the whole frame.

mod channel;
mod fields;
mod kinds;

pub use channel::{ChannelInfo, ChannelState};
pub use kinds::{
    Bridge, BridgeChannel, BridgeInfo, ChannelEvent, ContactStatus, CoreShowChannel,
    CoreShowChannelsComplete, Dial, FullyBooted, Hangup, HangupRequest, Hold, OriginateResponse,
    Reload, Rename, Shutdown, UserEvent,
};

use crate::message::Message;

/// Something that happened in Asterisk.
///
/// Fields that Asterisk reports as `<unknown>` or leaves out are empty strings or
/// `None`; a number that cannot be read is `None` or 0. The frame itself is in
/// the `raw` field of each variant, or by [`Event::raw`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// `Newchannel`: a channel exists.
    NewChannel(ChannelEvent),
    /// `Newstate`: the state of a channel changed.
    NewState(ChannelEvent),
    /// `Rename`: a channel has another name.
    Rename(Rename),
    /// `Hangup`: a channel is gone.
    Hangup(Hangup),
    /// `HangupRequest` or `SoftHangupRequest`: a channel will soon be gone.
    HangupRequest(HangupRequest),
    /// `DialBegin`: a channel is being called.
    DialBegin(Box<Dial>),
    /// `DialState`: ringing, progress or proceeding.
    DialState(Box<Dial>),
    /// `DialEnd`: the outcome of a dial; one channel may get two of them.
    DialEnd(Box<Dial>),
    /// `OriginateResponse`: the outcome of an asynchronous Originate. It comes
    /// before the `Hangup` of the channel.
    OriginateResponse(OriginateResponse),
    /// `BridgeCreate`.
    BridgeCreate(Bridge),
    /// `BridgeEnter`: a channel is in a bridge.
    BridgeEnter(BridgeChannel),
    /// `BridgeLeave`: a channel is no longer in a bridge.
    BridgeLeave(BridgeChannel),
    /// `BridgeDestroy`.
    BridgeDestroy(Bridge),
    /// `Hold`.
    Hold(Hold),
    /// `Unhold`.
    Unhold(ChannelEvent),
    /// `UserEvent`: written by a dialplan.
    UserEvent(UserEvent),
    /// `FullyBooted`: Asterisk has loaded everything.
    FullyBooted(FullyBooted),
    /// `Shutdown`: Asterisk is going away.
    Shutdown(Shutdown),
    /// `Reload`: a module read its configuration again.
    Reload(Reload),
    /// `ContactStatus`: a phone or trunk became reachable or unreachable.
    ContactStatus(ContactStatus),
    /// `CoreShowChannel`: one item of the list of channels.
    CoreShowChannel(CoreShowChannel),
    /// `CoreShowChannelsComplete`: the end of that list.
    CoreShowChannelsComplete(CoreShowChannelsComplete),
    /// `MixMonitorStart`: a recording began.
    MixMonitorStart(ChannelEvent),
    /// `MixMonitorStop`: a recording ended.
    MixMonitorStop(ChannelEvent),
    /// Any other event, or one of the above without a channel it must have.
    Other(Message),
}

impl Event {
    /// Types a frame. Never fails: what does not fit is [`Event::Other`].
    pub fn parse(raw: Message) -> Self {
        // The name is copied to the stack, so that `raw` can be moved.
        let mut name = [0_u8; 32];
        let length = {
            let wire = raw.headers().next().map_or(&[][..], |(_, value)| value);
            let length = wire.len().min(name.len());
            name[..length].copy_from_slice(&wire[..length]);
            name.make_ascii_lowercase();
            length
        };
        let parsed = match &name[..length] {
            b"newchannel" => ChannelEvent::parse(raw).map(Self::NewChannel),
            b"newstate" => ChannelEvent::parse(raw).map(Self::NewState),
            b"rename" => Rename::parse(raw).map(Self::Rename),
            b"hangup" => Hangup::parse(raw).map(Self::Hangup),
            b"hanguprequest" | b"softhanguprequest" => {
                HangupRequest::parse(raw).map(Self::HangupRequest)
            }
            b"dialbegin" => Ok(Self::DialBegin(Box::new(Dial::parse(raw)))),
            b"dialstate" => Ok(Self::DialState(Box::new(Dial::parse(raw)))),
            b"dialend" => Ok(Self::DialEnd(Box::new(Dial::parse(raw)))),
            b"originateresponse" => Ok(Self::OriginateResponse(OriginateResponse::parse(raw))),
            b"bridgecreate" => Ok(Self::BridgeCreate(Bridge::parse(raw))),
            b"bridgeenter" => BridgeChannel::parse(raw).map(Self::BridgeEnter),
            b"bridgeleave" => BridgeChannel::parse(raw).map(Self::BridgeLeave),
            b"bridgedestroy" => Ok(Self::BridgeDestroy(Bridge::parse(raw))),
            b"hold" => Hold::parse(raw).map(Self::Hold),
            b"unhold" => ChannelEvent::parse(raw).map(Self::Unhold),
            b"userevent" => Ok(Self::UserEvent(UserEvent::parse(raw))),
            b"fullybooted" => Ok(Self::FullyBooted(FullyBooted::parse(raw))),
            b"shutdown" => Ok(Self::Shutdown(Shutdown::parse(raw))),
            b"reload" => Ok(Self::Reload(Reload::parse(raw))),
            b"contactstatus" => Ok(Self::ContactStatus(ContactStatus::parse(raw))),
            b"coreshowchannel" => CoreShowChannel::parse(raw).map(Self::CoreShowChannel),
            b"coreshowchannelscomplete" => Ok(Self::CoreShowChannelsComplete(
                CoreShowChannelsComplete::parse(raw),
            )),
            b"mixmonitorstart" => ChannelEvent::parse(raw).map(Self::MixMonitorStart),
            b"mixmonitorstop" => ChannelEvent::parse(raw).map(Self::MixMonitorStop),
            _ => Err(raw),
        };
        parsed.unwrap_or_else(Self::Other)
    }

    /// The frame this was read from, for headers that have no field.
    pub fn raw(&self) -> &Message {
        match self {
            Self::NewChannel(event)
            | Self::NewState(event)
            | Self::Unhold(event)
            | Self::MixMonitorStart(event)
            | Self::MixMonitorStop(event) => &event.raw,
            Self::Rename(event) => &event.raw,
            Self::Hangup(event) => &event.raw,
            Self::HangupRequest(event) => &event.raw,
            Self::DialBegin(event) | Self::DialState(event) | Self::DialEnd(event) => &event.raw,
            Self::OriginateResponse(event) => &event.raw,
            Self::BridgeCreate(event) | Self::BridgeDestroy(event) => &event.raw,
            Self::BridgeEnter(event) | Self::BridgeLeave(event) => &event.raw,
            Self::Hold(event) => &event.raw,
            Self::UserEvent(event) => &event.raw,
            Self::FullyBooted(event) => &event.raw,
            Self::Shutdown(event) => &event.raw,
            Self::Reload(event) => &event.raw,
            Self::ContactStatus(event) => &event.raw,
            Self::CoreShowChannel(event) => &event.raw,
            Self::CoreShowChannelsComplete(event) => &event.raw,
            Self::Other(raw) => raw,
        }
    }
}
