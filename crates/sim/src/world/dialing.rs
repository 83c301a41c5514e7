//! Placing calls: from Originate and from Dial.

use std::{collections::HashMap, time::Duration};

use super::{
    ChannelKey, Timer, World,
    channels::{NewChannel, Party, Place, Role, State},
};
use crate::{Outcome, frame::Frame};

/// From the INVITE to the first ring.
const POST_DIAL_DELAY: Duration = Duration::from_millis(300);

/// From the INVITE to a refusal by the network, which does not ring.
const REFUSAL_DELAY: Duration = Duration::from_millis(500);

/// What a dial string names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dialed {
    pub(super) number: String,
    /// The trunk; a station has none.
    pub(super) trunk: Option<String>,
}

impl Dialed {
    /// Reads `PJSIP/<number>@<trunk>` or `PJSIP/<station>`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let rest = text
            .strip_prefix("PJSIP/")
            .filter(|rest| !rest.is_empty())?;
        Some(match rest.split_once('@') {
            Some((number, trunk)) => Self {
                number: number.to_owned(),
                trunk: Some(trunk.to_owned()),
            },
            None => Self {
                number: rest.to_owned(),
                trunk: None,
            },
        })
    }

    /// The dial string without its technology.
    fn address(&self) -> String {
        match &self.trunk {
            Some(trunk) => format!("{}@{trunk}", self.number),
            None => self.number.clone(),
        }
    }

    /// The place in the dialplan that new channels of the endpoint have.
    fn place(&self) -> Place {
        let context = if self.trunk.is_some() {
            "strowger-inbound"
        } else {
            "strowger-from-agents"
        };
        Place {
            context: context.to_owned(),
            exten: "s".to_owned(),
            priority: 1,
        }
    }
}

/// A channel that is being called.
#[derive(Debug)]
pub(super) struct Dialing {
    /// Present if a manager action dials, absent if the Dial application does.
    origination: Option<Origination>,
}

/// What a manager action wants with a channel.
#[derive(Debug, Clone)]
pub(super) struct Origination {
    pub(super) action_id: Option<String>,
    /// The dial string, which stands in the answer if there is no channel.
    pub(super) channel: String,
    pub(super) unique_id: Option<String>,
    pub(super) place: Place,
    /// An application with its data, in place of a place.
    pub(super) application: Option<(String, String)>,
    pub(super) caller: Party,
    pub(super) account: String,
    pub(super) timeout: Duration,
    pub(super) variables: HashMap<String, String>,
}

/// How a call that was not answered ended.
struct Failure {
    /// `DialStatus` of the event.
    dial_status: &'static str,
    /// `DIALSTATUS` of the Dial application, which knows better.
    variable: &'static str,
    /// `Reason` of the answer to Originate.
    reason: u8,
    cause: u16,
    tech_cause: Option<u16>,
    /// Whether a second `DialEnd` says CANCEL.
    cancelled_again: bool,
}

impl Failure {
    fn of(outcome: Outcome) -> Self {
        let (dial_status, variable, reason, cause, tech_cause) = match outcome {
            Outcome::Busy => ("BUSY", "BUSY", 5, 17, Some(486)),
            Outcome::Congestion => ("CONGESTION", "CONGESTION", 8, 34, Some(503)),
            // Asterisk maps neither cause 21 nor cause 1 to a status.
            Outcome::Rejected => ("NOANSWER", "CHANUNAVAIL", 0, 21, Some(603)),
            Outcome::Unallocated => ("NOANSWER", "CHANUNAVAIL", 0, 1, Some(404)),
            Outcome::NoAnswer | Outcome::Human | Outcome::Machine => {
                ("NOANSWER", "NOANSWER", 3, 19, None)
            }
        };
        Self {
            dial_status,
            variable,
            reason,
            cause,
            tech_cause,
            cancelled_again: matches!(outcome, Outcome::Rejected | Outcome::Unallocated),
        }
    }

    fn cancelled(cause: u16) -> Self {
        Self {
            dial_status: "CANCEL",
            variable: "CANCEL",
            reason: 1,
            cause,
            tech_cause: None,
            cancelled_again: false,
        }
    }
}

impl World {
    /// Carries out an accepted Originate.
    pub(super) fn originate(&mut self, origination: Origination) {
        let dialed = Dialed::parse(&origination.channel);
        let created = dialed.and_then(|dialed| {
            let callee = self.callee(&dialed);
            let role = match (&origination.application, &*origination.place.context) {
                (Some(_), _) => Role::Application,
                (None, "strowger-agent") => Role::Leg,
                (None, _) => Role::Customer,
            };
            let key = self.create(NewChannel {
                base: format!("PJSIP/{}", dialed.trunk.as_ref().unwrap_or(&dialed.number)),
                unique_id: origination.unique_id.clone(),
                linked_to: None,
                state: State::Down,
                caller: origination.caller.clone(),
                connected: origination.caller.clone(),
                account: origination.account.clone(),
                place: dialed.place(),
                role,
                callee,
                variables: origination.variables.clone(),
            });
            key.map(|key| (key, dialed))
        });
        match created {
            Some((key, dialed)) => {
                let timeout = origination.timeout;
                self.dial(key, &dialed, Some(origination), timeout);
            }
            // No such technology, no such room, or a uniqueid in use.
            None => self.originate_response(&origination, None, 0),
        }
    }

    /// Carries out a Dial of a channel. `false` if nothing can be dialed.
    pub(super) fn dial_for(
        &mut self,
        parent: ChannelKey,
        endpoint: &str,
        timeout: Duration,
    ) -> Option<ChannelKey> {
        let dialed = Dialed::parse(endpoint)?;
        let callee = self.callee(&dialed);
        let caller = self.channels.get(&parent)?.caller.clone();
        let key = self.create(NewChannel {
            base: format!("PJSIP/{}", dialed.trunk.as_ref().unwrap_or(&dialed.number)),
            unique_id: None,
            linked_to: Some(parent),
            state: State::Down,
            caller: Party {
                number: dialed.number.clone(),
                name: String::new(),
            },
            connected: caller,
            account: String::new(),
            place: dialed.place(),
            role: Role::Dialed(parent),
            callee,
            variables: HashMap::new(),
        })?;
        self.dial(key, &dialed, None, timeout);
        Some(key)
    }

    fn dial(
        &mut self,
        key: ChannelKey,
        dialed: &Dialed,
        origination: Option<Origination>,
        timeout: Duration,
    ) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        channel.dialing = Some(Dialing { origination });
        channel.run("AppDial2", "(Outgoing Line)");
        let (outcome, ring) = (channel.callee.outcome, channel.callee.ring);
        self.tell_dial("DialBegin", key, |frame| {
            frame.with("DialString", dialed.address())
        });
        match outcome {
            Outcome::Busy | Outcome::Unallocated | Outcome::Congestion => {
                self.after(REFUSAL_DELAY, Timer::Settle(key));
            }
            Outcome::Human | Outcome::Machine | Outcome::Rejected => {
                self.after(POST_DIAL_DELAY, Timer::Ring(key));
                self.after(POST_DIAL_DELAY.saturating_add(ring), Timer::Settle(key));
            }
            Outcome::NoAnswer => self.after(POST_DIAL_DELAY, Timer::Ring(key)),
        }
        self.after(timeout, Timer::RingLimit(key));
    }

    /// Emits an event about a dial: with its source if the Dial application
    /// dials, without one if an Originate does.
    fn tell_dial(
        &mut self,
        name: &'static str,
        key: ChannelKey,
        more: impl FnOnce(Frame) -> Frame,
    ) {
        let Some(channel) = self.channels.get(&key) else {
            return;
        };
        let mut frame = Frame::event(name, "call");
        if let Role::Dialed(parent) = channel.role
            && let Some(parent) = self.channels.get(&parent)
        {
            frame = frame.channel(parent);
        }
        let frame = more(frame.destination(channel));
        self.emit(&frame);
    }

    /// A called party rings.
    pub(super) fn ring(&mut self, key: ChannelKey) {
        if self.is_dialing(key) {
            self.set_state(key, State::Ringing);
            self.tell_dial("DialState", key, |frame| {
                frame.with("DialStatus", "RINGING")
            });
        }
    }

    fn is_dialing(&self, key: ChannelKey) -> bool {
        self.channels
            .get(&key)
            .is_some_and(|channel| channel.dialing.is_some())
    }

    /// A called party answers or refuses.
    pub(super) fn settle(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(&key) else {
            return;
        };
        if channel.dialing.is_none() {
            return;
        }
        let outcome = channel.callee.outcome;
        match outcome {
            Outcome::Human | Outcome::Machine => self.answered(key),
            _ => self.failed(key, &Failure::of(outcome), outcome),
        }
    }

    /// Whoever dials has waited long enough.
    pub(super) fn ring_limit(&mut self, key: ChannelKey) {
        if self.is_dialing(key) {
            let failure = Failure::of(Outcome::NoAnswer);
            self.failed(key, &failure, Outcome::NoAnswer);
        }
    }

    /// Ends the dialing of a channel that is hung up meanwhile. `false` if it
    /// is not being dialed.
    pub(super) fn cancel_dialing(&mut self, key: ChannelKey, cause: u16) -> bool {
        if !self.is_dialing(key) {
            return false;
        }
        self.stats.cancelled += 1;
        let failure = Failure::cancelled(cause);
        self.fail(key, &failure);
        true
    }

    fn failed(&mut self, key: ChannelKey, failure: &Failure, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Busy => &mut self.stats.busy,
            Outcome::Rejected => &mut self.stats.rejected,
            Outcome::Unallocated => &mut self.stats.unallocated,
            Outcome::Congestion => &mut self.stats.congestion,
            Outcome::NoAnswer | Outcome::Human | Outcome::Machine => &mut self.stats.no_answer,
        };
        *counter += 1;
        self.fail(key, failure);
    }

    fn fail(&mut self, key: ChannelKey, failure: &Failure) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        channel.hung_up = Some(failure.cause);
        channel.tech_cause = failure.tech_cause;
        let origination = channel.dialing.take().and_then(|d| d.origination);
        let parent = channel.role;
        // Seen on the wire: a busy Originate is answered before its DialEnd,
        // every other one after it.
        if let Some(origination) = &origination
            && failure.reason == 5
        {
            self.originate_response(origination, None, failure.reason);
        }
        self.dial_end(key, failure.dial_status);
        if let Some(origination) = &origination
            && failure.reason != 5
        {
            self.originate_response(origination, None, failure.reason);
        }
        if failure.cancelled_again {
            self.dial_end(key, "CANCEL");
        }
        if let Role::Dialed(parent) = parent
            && let Some(parent) = self.channels.get_mut(&parent)
        {
            parent.set("DIALSTATUS", failure.variable);
            parent.set("HANGUPCAUSE", failure.cause.to_string());
        }
        self.destroy(key);
    }

    fn dial_end(&mut self, key: ChannelKey, status: &'static str) {
        self.tell_dial("DialEnd", key, |frame| frame.with("DialStatus", status));
    }

    /// Emits the outcome of an Originate.
    fn originate_response(
        &mut self,
        origination: &Origination,
        channel: Option<ChannelKey>,
        reason: u8,
    ) {
        let name = channel
            .and_then(|key| self.channels.get(&key))
            .map_or(origination.channel.as_str(), |channel| &channel.name);
        let place = &origination.place;
        let mut frame = Frame::event("OriginateResponse", "call")
            .maybe("ActionID", origination.action_id.as_deref())
            .with("Response", if reason == 4 { "Success" } else { "Failure" })
            .with("Channel", name);
        frame = match &origination.application {
            Some((application, data)) => frame.with("Application", application).with("Data", data),
            None => frame
                .with("Context", &place.context)
                .with("Exten", &place.exten),
        };
        let caller = &origination.caller;
        let frame = frame
            .with("Reason", reason)
            .with(
                "Uniqueid",
                origination.unique_id.as_deref().unwrap_or("<unknown>"),
            )
            .with("CallerIDNum", crate::frame::known(&caller.number))
            .with("CallerIDName", crate::frame::known(&caller.name));
        self.emit(&frame);
    }

    fn answered(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let Some(dialing) = channel.dialing.take() else {
            return;
        };
        let role = channel.role;
        let counter = match (role, channel.callee.outcome) {
            (Role::Customer, Outcome::Machine) => &mut self.stats.answered_machine,
            (Role::Customer, _) => &mut self.stats.answered_human,
            _ => &mut self.stats.stations_answered,
        };
        *counter += 1;
        self.set_state(key, State::Up);
        self.dial_end(key, "ANSWER");
        if let Role::Dialed(parent) = role {
            self.dial_answered(parent, key);
            return;
        }
        let Some(origination) = dialing.origination else {
            return;
        };
        self.originate_response(&origination, Some(key), 4);
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        channel.place = origination.place.clone();
        match (role, origination.application) {
            (_, Some((application, data))) if application == "ChanSpy" => self.spy(key, &data),
            (_, Some((application, data))) => channel.run(&application, &data),
            (Role::Leg, None) => channel.run("Wait", "3600"),
            (_, None) if channel.place.context == "strowger-dialer" => self.begin_customer(key),
            // No such extension.
            (_, None) => self.hang_up(key, 16, super::channels::By::Dialplan),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dial_strings() {
        let trunk = Dialed::parse("PJSIP/33123@carrier").unwrap();
        assert_eq!(
            (&*trunk.number, trunk.trunk.as_deref()),
            ("33123", Some("carrier"))
        );
        assert_eq!(trunk.address(), "33123@carrier");
        let station = Dialed::parse("PJSIP/101").unwrap();
        assert_eq!((&*station.number, station.trunk.as_deref()), ("101", None));
        assert_eq!(Dialed::parse("Local/1@x"), None);
        assert_eq!(Dialed::parse("PJSIP/"), None);
    }
}
