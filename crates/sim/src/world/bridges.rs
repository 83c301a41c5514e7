//! Conversations.

use super::{
    BridgeKey, ChannelKey, Timer, World,
    channels::{By, Channel, Role},
};
use crate::frame::Frame;

/// Two channels that hear each other.
#[derive(Debug)]
pub(super) struct Bridge {
    unique_id: String,
    channels: Vec<ChannelKey>,
}

impl Frame {
    fn bridge(self, bridge: &Bridge) -> Self {
        self.with("BridgeUniqueid", &bridge.unique_id)
            .with("BridgeType", "basic")
            .with("BridgeTechnology", "simple_bridge")
            .with("BridgeCreator", "<unknown>")
            .with("BridgeName", "<unknown>")
            .with("BridgeNumChannels", bridge.channels.len())
            .with("BridgeVideoSourceMode", "none")
    }
}

impl World {
    /// Identity of the bridge that a channel is in; empty without one.
    pub(super) fn bridge_id(&self, key: Option<BridgeKey>) -> &str {
        key.and_then(|key| self.bridges.get(&key))
            .map_or("", |bridge| bridge.unique_id.as_str())
    }

    /// Bridges a customer with another channel, which leaves the bridge it may
    /// be in. The other one enters first, as with the Bridge application.
    pub(super) fn connect(&mut self, customer: ChannelKey, other: ChannelKey) {
        let taken = self
            .channels
            .get(&other)
            .is_some_and(|channel| channel.bridge.is_some());
        if taken {
            self.stats.stolen_legs += 1;
            self.leave_bridge(other);
        }
        let number = self.number();
        let key = BridgeKey(number);
        let bridge = Bridge {
            // Shaped like the UUID of a real bridge.
            unique_id: format!("5721f3a0-0000-4000-8000-{number:012x}"),
            channels: Vec::new(),
        };
        let frame = Frame::event("BridgeCreate", "call").bridge(&bridge);
        self.bridges.insert(key, bridge);
        self.emit(&frame);
        self.enter(key, other);
        self.enter(key, customer);
        self.stats.conversations += 1;
        if let Some(channel) = self.channels.get(&customer) {
            let talk = channel.callee.talk;
            self.after(talk, Timer::TalkOver(key));
        }
    }

    fn enter(&mut self, key: BridgeKey, member: ChannelKey) {
        let Some(bridge) = self.bridges.get_mut(&key) else {
            return;
        };
        bridge.channels.push(member);
        // The oldest channel gives its id to all of them, for good.
        let oldest = bridge
            .channels
            .iter()
            .filter_map(|member| self.channels.get(member))
            .min_by_key(|channel| channel.linked_to)
            .map(|channel| (channel.linked_to, channel.linked_id.clone()));
        if let Some((linked_to, linked_id)) = oldest {
            for member in &bridge.channels {
                if let Some(channel) = self.channels.get_mut(member) {
                    channel.linked_to = linked_to;
                    channel.linked_id.clone_from(&linked_id);
                }
            }
        }
        let Some(channel) = self.channels.get_mut(&member) else {
            return;
        };
        channel.bridge = Some(key);
        channel.talked = true;
        channel.patience_generation += 1;
        let frame = Frame::event("BridgeEnter", "call")
            .bridge(bridge)
            .channel(channel);
        self.emit(&frame);
    }

    /// Takes a channel out of its bridge, which ends the conversation.
    pub(super) fn leave_bridge(&mut self, key: ChannelKey) {
        let Some(bridge) = self
            .channels
            .get_mut(&key)
            .and_then(|channel| channel.bridge.take())
        else {
            return;
        };
        let Some(mut bridge) = self.bridges.remove(&bridge) else {
            return;
        };
        let mut leaving = vec![key];
        leaving.extend(bridge.channels.iter().filter(|member| **member != key));
        for member in &leaving {
            bridge.channels.retain(|other| other != member);
            if let Some(channel) = self.channels.get_mut(member) {
                channel.bridge = None;
                let frame = Frame::event("BridgeLeave", "call")
                    .bridge(&bridge)
                    .channel(channel);
                self.emit(&frame);
            }
        }
        let frame = Frame::event("BridgeDestroy", "call").bridge(&bridge);
        self.emit(&frame);
        for member in leaving.into_iter().skip(1) {
            self.left_alone(member);
        }
        if let Some(channel) = self.channels.get_mut(&key)
            && channel.role == Role::Leg
        {
            channel.run("Wait", "3600");
        }
    }

    /// What a channel does when its conversation is over and it is not the one
    /// that ended it.
    fn left_alone(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        match channel.role {
            Role::Leg => channel.run("Wait", "3600"),
            Role::Dialed(_) => self.hang_up(key, 16, By::Dialplan),
            Role::Customer | Role::Caller => {
                self.begin_patience(key);
                self.end_activity(key);
            }
            Role::Application => {}
        }
    }

    /// The customer has said all there was to say.
    pub(super) fn talk_over(&mut self, key: BridgeKey) {
        let customer = self.bridges.get(&key).and_then(|bridge| {
            bridge
                .channels
                .iter()
                .copied()
                .find(|member| self.channels.get(member).is_some_and(Channel::is_customer))
        });
        if let Some(customer) = customer {
            self.hang_up(customer, 16, By::Party);
        }
    }
}
