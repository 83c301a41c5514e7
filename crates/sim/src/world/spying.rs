//! `ChanSpy`: a channel that listens to another one.

use super::{
    ChannelKey, World,
    channels::{By, Channel},
};
use crate::frame::Frame;

impl World {
    /// An answered channel begins to listen. The target is named by its uniqueid (option `u`),
    /// and without it the spy goes (options `E` and `S`): other ways are not simulated.
    pub(super) fn spy(&mut self, key: ChannelKey, data: &str) {
        let (target, options) = data.split_once(',').unwrap_or((data, ""));
        let spied = self
            .find(target)
            .filter(|spied| options.contains('u') && *spied != key);
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        channel.run("ChanSpy", data);
        channel.spies_on = spied;
        match spied {
            Some(spied) => self.tell_spying("ChanSpyStart", key, spied),
            None => self.hang_up(key, 16, By::Dialplan),
        }
    }

    fn tell_spying(&mut self, name: &'static str, spy: ChannelKey, spied: ChannelKey) {
        let (Some(spy), Some(spied)) = (self.channels.get(&spy), self.channels.get(&spied)) else {
            return;
        };
        let frame = described(
            described(Frame::event(name, "call"), SPYER, spy),
            SPYEE,
            spied,
        );
        self.emit(&frame);
    }

    /// A channel is gone: those who listened to it go as well.
    pub(super) fn spied_gone(&mut self, spied: ChannelKey) {
        let spies: Vec<ChannelKey> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.spies_on == Some(spied))
            .map(|(key, _)| *key)
            .collect();
        for spy in spies {
            if let Some(channel) = self.channels.get(&spy) {
                let frame = described(Frame::event("ChanSpyStop", "call"), SPYER, channel);
                self.emit(&frame);
            }
            self.hang_up(spy, 16, By::Dialplan);
        }
    }
}

/// Names of the headers that describe a channel.
type Headers = (&'static str, &'static str);

const SPYER: Headers = ("SpyerChannel", "SpyerUniqueid");
const SPYEE: Headers = ("SpyeeChannel", "SpyeeUniqueid");

fn described(frame: Frame, headers: Headers, channel: &Channel) -> Frame {
    frame
        .with(headers.0, &channel.name)
        .with(headers.1, &channel.unique_id)
}
