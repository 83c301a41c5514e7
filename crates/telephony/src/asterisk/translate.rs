//! AMI events as core events. Pure.

use strowger_ami::{
    Message,
    event::{ChannelState, Event as Ami},
};
use strowger_core::telephony::{ChannelId, Event, LiveChannel};

/// What an AMI event means to the switchboard, if anything.
pub(super) fn translate(event: &Ami) -> Option<Event> {
    match event {
        Ami::NewChannel(event) => Some(Event::Created {
            channel: id(&event.channel.uniqueid),
        }),
        Ami::NewState(event) => {
            let channel = id(&event.channel.uniqueid);
            match event.channel.state {
                ChannelState::Ringing => Some(Event::Ringing { channel }),
                ChannelState::Up => Some(Event::Answered { channel }),
                _ => None,
            }
        }
        Ami::DialEnd(dial) => dial.dest.as_ref().map(|dest| Event::DialEnded {
            channel: id(&dest.uniqueid),
            status: dial.dial_status.clone(),
        }),
        Ami::OriginateResponse(response) => {
            response
                .uniqueid
                .as_ref()
                .map(|uniqueid| Event::OriginateEnded {
                    channel: id(uniqueid),
                    reason: u8::try_from(response.reason).unwrap_or(0),
                })
        }
        Ami::BridgeEnter(event) => Some(Event::BridgeEntered {
            channel: id(&event.channel.uniqueid),
            bridge: event.bridge.uniqueid.clone(),
        }),
        Ami::BridgeLeave(event) => Some(Event::BridgeLeft {
            channel: id(&event.channel.uniqueid),
        }),
        Ami::Hangup(hangup) => Some(Event::HungUp {
            channel: id(&hangup.channel.uniqueid),
            cause: hangup.cause,
            tech_cause: hangup.tech_cause.clone(),
        }),
        _ => None,
    }
}

/// One item of `CoreShowChannels`.
pub(super) fn live_channel(item: &Message) -> Option<LiveChannel> {
    let uniqueid = item.get("Uniqueid").filter(|text| !text.is_empty())?;
    Some(LiveChannel {
        channel: id(&uniqueid),
        // `ChannelState` 6 is Up.
        up: item.get("ChannelState").as_deref() == Some("6"),
        bridge: item
            .get("BridgeId")
            .filter(|text| !text.is_empty())
            .map(std::borrow::Cow::into_owned),
    })
}

fn id(uniqueid: &str) -> ChannelId {
    ChannelId::from(uniqueid)
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
