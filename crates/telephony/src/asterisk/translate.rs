//! AMI events as core events. Pure.

use std::borrow::Cow;

use strowger_ami::{
    Message,
    event::{
        Channel, ChannelState, DialStatus, Event as Ami, EventKind, EventSet,
        lists::CoreShowChannel,
    },
};
use strowger_core::telephony::{ChannelId, Event, LiveChannel};

/// The events that mean something to the switchboard: [`translate`] knows each.
pub(super) const WANTED: EventSet = EventSet::of(&[
    EventKind::NewChannel,
    EventKind::NewState,
    EventKind::DialEnd,
    EventKind::OriginateResponse,
    EventKind::BridgeEnter,
    EventKind::BridgeLeave,
    EventKind::Hangup,
]);

/// What an AMI event means to the switchboard, if anything.
pub(super) fn translate(event: &Ami) -> Option<Event> {
    match event {
        Ami::NewChannel(event) => Some(Event::Created {
            channel: id(event.channel()),
        }),
        Ami::NewState(event) => {
            let channel = id(event.channel());
            match event.channel().state() {
                ChannelState::Ringing => Some(Event::Ringing { channel }),
                ChannelState::Up => Some(Event::Answered { channel }),
                _ => None,
            }
        }
        Ami::DialEnd(dial) => {
            let dest = dial.dest()?;
            let status = dial.dial_status();
            match dial.source() {
                // Only the dialplan's Dial has a source: a station that is rung for a customer.
                Some(customer) if status == Some(DialStatus::Answer) => {
                    Some(Event::StationAnswered {
                        customer: id(customer),
                        station: id(dest),
                    })
                }
                Some(_) | None => Some(Event::DialEnded {
                    channel: id(dest),
                    status: status.map_or(String::new(), |status| status.as_str().to_owned()),
                }),
            }
        }
        Ami::OriginateResponse(response) => {
            response.uniqueid().map(|uniqueid| Event::OriginateEnded {
                channel: ChannelId::from(&*uniqueid),
                reason: u8::try_from(response.reason()).unwrap_or(0),
            })
        }
        Ami::BridgeEnter(event) => Some(Event::BridgeEntered {
            channel: id(event.channel()),
            bridge: event.bridge().uniqueid().into_owned(),
        }),
        Ami::BridgeLeave(event) => Some(Event::BridgeLeft {
            channel: id(event.channel()),
        }),
        Ami::Hangup(hangup) => Some(Event::HungUp {
            channel: id(hangup.channel()),
            cause: hangup.cause(),
            tech_cause: hangup.tech_cause().map(Cow::into_owned),
        }),
        _ => None,
    }
}

/// One item of `CoreShowChannels`.
pub(super) fn live_channel(item: Message) -> Option<LiveChannel> {
    let item = CoreShowChannel::new(item).ok()?;
    Some(LiveChannel {
        channel: id(item.channel()),
        up: item.channel().state() == ChannelState::Up,
        bridge: item.bridge_id().map(Cow::into_owned),
    })
}

fn id(channel: Channel<'_>) -> ChannelId {
    ChannelId::from(&*channel.uniqueid())
}

/// Changes seen while a list of channels is being read: the list shows the state of its
/// own moment, which may be before or after each of them.
#[derive(Debug, Default)]
pub(super) struct Overlay(std::collections::HashMap<ChannelId, Option<LiveChannel>>);

impl Overlay {
    /// Notes what an event says about which channels exist.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Created { channel } | Event::Ringing { channel } => self.live(channel, |_| {}),
            Event::Answered { channel } => self.live(channel, |live| live.up = true),
            Event::BridgeEntered { channel, bridge } => self.live(channel, |live| {
                live.up = true;
                live.bridge = Some(bridge.clone());
            }),
            Event::BridgeLeft { channel } => self.live(channel, |live| {
                live.up = true;
                live.bridge = None;
            }),
            Event::HungUp { channel, .. } => {
                self.0.insert(channel.clone(), None);
            }
            Event::Snapshot { .. }
            | Event::LinkDown { .. }
            | Event::OriginateFailed { .. }
            | Event::OriginateEnded { .. }
            | Event::DialEnded { .. }
            | Event::StationAnswered { .. }
            | Event::SessionOpened { .. }
            | Event::Session { .. } => {}
        }
    }

    fn live(&mut self, channel: &ChannelId, change: impl FnOnce(&mut LiveChannel)) {
        let entry = self.0.entry(channel.clone()).or_insert(None);
        change(entry.get_or_insert_with(|| LiveChannel {
            channel: channel.clone(),
            up: false,
            bridge: None,
        }));
    }

    /// The list as it is at its end.
    pub(super) fn over(self, list: Vec<LiveChannel>) -> Vec<LiveChannel> {
        let mut channels: Vec<LiveChannel> = list
            .into_iter()
            .filter(|live| !self.0.contains_key(&live.channel))
            .collect();
        channels.extend(self.0.into_values().flatten());
        channels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(channel: &str) -> LiveChannel {
        LiveChannel {
            channel: ChannelId::from(channel),
            up: false,
            bridge: None,
        }
    }

    #[test]
    fn what_happens_while_a_list_is_read_is_laid_over_it() {
        let mut overlay = Overlay::default();
        overlay.note(&Event::Created {
            channel: ChannelId::from("new"),
        });
        overlay.note(&Event::HungUp {
            channel: ChannelId::from("old"),
            cause: 16,
            tech_cause: None,
        });
        overlay.note(&Event::Answered {
            channel: ChannelId::from("ringing"),
        });
        let mut channels = overlay.over(vec![live("old"), live("ringing"), live("untouched")]);
        channels.sort_by(|a, b| a.channel.cmp(&b.channel));
        assert_eq!(
            channels,
            [
                live("new"),
                LiveChannel {
                    up: true,
                    ..live("ringing")
                },
                live("untouched")
            ]
        );
    }
}
