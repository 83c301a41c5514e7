//! Channels: their life, and how events tell of them.

use std::collections::HashMap;

use tokio::time::Instant;

use super::{BridgeKey, ChannelKey, Timer, World, dialing::Dialing, handover::Handover};
use crate::{
    Callee, Outcome,
    frame::{Frame, escape, known},
};

/// Uniqueids that the exchange makes itself begin with this many seconds, like
/// the epoch in those of Asterisk.
const EPOCH: u64 = 1_795_000_000;

/// Most variables of a channel.
const MAX_VARIABLES: usize = 256;

/// State of a channel, numbered as in Asterisk's `channelstate.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Down = 0,
    Ring = 4,
    Ringing = 5,
    Up = 6,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Down => "Down",
            Self::Ring => "Ring",
            Self::Ringing => "Ringing",
            Self::Up => "Up",
        }
    }
}

/// A number and a name.
#[derive(Debug, Clone, Default)]
pub(super) struct Party {
    pub(super) number: String,
    pub(super) name: String,
}

/// A place in the dialplan.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) context: String,
    pub(super) exten: String,
    pub(super) priority: u32,
}

/// What a channel does once it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A called customer, who goes through the handover.
    Customer,
    /// A caller, who goes through the handover.
    Caller,
    /// A leg that idles until it is bridged, and again afterwards.
    Leg,
    /// A leg that lives as long as the Dial of this channel.
    Dialed(ChannelKey),
    /// Runs an application until it is hung up.
    Application,
}

/// Who ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The person or machine at its end.
    Party,
    /// A manager action.
    Manager,
    /// The dialplan or its FastAGI session.
    Dialplan,
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) name: String,
    pub(super) unique_id: String,
    pub(super) linked_id: String,
    /// The channel whose id is the linked id.
    pub(super) linked_to: ChannelKey,
    pub(super) state: State,
    pub(super) caller: Party,
    pub(super) connected: Party,
    pub(super) account: String,
    pub(super) place: Place,
    pub(super) application: String,
    pub(super) application_data: String,
    pub(super) created: Instant,
    /// When it was answered.
    pub(super) up_since: Option<Instant>,
    pub(super) variables: HashMap<String, String>,
    pub(super) role: Role,
    pub(super) callee: Callee,
    /// Entries of `callee.digits` that were used.
    pub(super) digits_used: usize,
    pub(super) dialing: Option<Dialing>,
    pub(super) bridge: Option<BridgeKey>,
    pub(super) handover: Option<Handover>,
    /// Cause, once the call is over while a session still holds the channel.
    pub(super) hung_up: Option<u16>,
    /// What SIP said, for the `Hangup` event.
    pub(super) tech_cause: Option<u16>,
    pub(super) talked: bool,
    pub(super) recording: bool,
    pub(super) patience_generation: u64,
    /// The channel that it listens to.
    pub(super) spies_on: Option<ChannelKey>,
}

/// What is known of a channel when it is made.
#[derive(Debug)]
pub(super) struct NewChannel {
    /// Name without its number, such as `PJSIP/carrier`.
    pub(super) base: String,
    pub(super) unique_id: Option<String>,
    /// A channel whose call this one joins.
    pub(super) linked_to: Option<ChannelKey>,
    pub(super) state: State,
    pub(super) caller: Party,
    pub(super) connected: Party,
    pub(super) account: String,
    pub(super) place: Place,
    pub(super) role: Role,
    pub(super) callee: Callee,
    pub(super) variables: HashMap<String, String>,
}

// === impl Channel ===

impl Channel {
    /// Sets a variable, without the underscores of inheritance.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) {
        let name = name.trim_start_matches('_');
        if self.variables.len() < MAX_VARIABLES || self.variables.contains_key(name) {
            self.variables.insert(name.to_owned(), value.into());
        }
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Enters an application.
    pub(super) fn run(&mut self, application: &str, data: &str) {
        application.clone_into(&mut self.application);
        data.clone_into(&mut self.application_data);
    }

    /// What is entered at the next prompt.
    pub(super) fn next_digits(&mut self) -> String {
        let entry = self.callee.digits.get(self.digits_used).cloned();
        self.digits_used += 1;
        entry.unwrap_or_default()
    }

    /// Whether a person or machine from outside is at its end.
    pub(super) fn is_customer(&self) -> bool {
        matches!(self.role, Role::Customer | Role::Caller)
    }
}

impl Frame {
    /// Adds the headers of a channel.
    pub(super) fn channel(self, channel: &Channel) -> Self {
        self.with("Channel", &channel.name)
            .with("ChannelState", channel.state as u8)
            .with("ChannelStateDesc", channel.state.word())
            .with("CallerIDNum", known(&channel.caller.number))
            .with("CallerIDName", known(&escape(&channel.caller.name)))
            .with("ConnectedLineNum", known(&channel.connected.number))
            .with("ConnectedLineName", known(&escape(&channel.connected.name)))
            .with("Language", "en")
            .with("AccountCode", &channel.account)
            .with("Context", &channel.place.context)
            .with("Exten", &channel.place.exten)
            .with("Priority", channel.place.priority)
            .with("Uniqueid", &channel.unique_id)
            .with("Linkedid", &channel.linked_id)
    }

    /// Adds the headers of a channel that is dialed.
    pub(super) fn destination(self, channel: &Channel) -> Self {
        self.with("DestChannel", &channel.name)
            .with("DestChannelState", channel.state as u8)
            .with("DestChannelStateDesc", channel.state.word())
            .with("DestCallerIDNum", known(&channel.caller.number))
            .with("DestCallerIDName", known(&escape(&channel.caller.name)))
            .with("DestConnectedLineNum", known(&channel.connected.number))
            .with(
                "DestConnectedLineName",
                known(&escape(&channel.connected.name)),
            )
            .with("DestLanguage", "en")
            .with("DestAccountCode", &channel.account)
            .with("DestContext", &channel.place.context)
            .with("DestExten", &channel.place.exten)
            .with("DestPriority", channel.place.priority)
            .with("DestUniqueid", &channel.unique_id)
            .with("DestLinkedid", &channel.linked_id)
    }
}

/// The words of a Q.850 cause (`causes.h` of Asterisk).
pub(super) fn cause_text(cause: u16) -> &'static str {
    match cause {
        1 => "Unallocated (unassigned) number",
        16 => "Normal Clearing",
        17 => "User busy",
        19 => "User alerting, no answer",
        20 => "Subscriber absent",
        21 => "Call Rejected",
        34 => "Circuit/channel congestion",
        127 => "Interworking, unspecified",
        _ => "Unknown",
    }
}

// === impl World ===

impl World {
    /// Finds a channel by its name or uniqueid.
    pub(super) fn find(&self, channel: &str) -> Option<ChannelKey> {
        self.by_name
            .get(channel)
            .or_else(|| self.by_unique_id.get(channel))
            .copied()
    }

    /// Makes a channel. `None` if its uniqueid exists or there are too many.
    pub(super) fn create(&mut self, new: NewChannel) -> Option<ChannelKey> {
        if self.channels.len() >= self.config.max_channels {
            return None;
        }
        let number = self.number();
        let key = ChannelKey(number);
        let unique_id = new.unique_id.unwrap_or_else(|| {
            let seconds = EPOCH + self.started.elapsed().as_secs();
            format!("{seconds}.{number}")
        });
        if self.by_unique_id.contains_key(&unique_id) {
            return None;
        }
        let (linked_to, linked_id) = new
            .linked_to
            .and_then(|key| self.channels.get(&key))
            .map_or((key, unique_id.clone()), |other| {
                (other.linked_to, other.linked_id.clone())
            });
        let name = format!("{}-{number:08x}", new.base);
        let channel = Channel {
            name: name.clone(),
            unique_id: unique_id.clone(),
            linked_id,
            linked_to,
            state: new.state,
            caller: new.caller,
            connected: new.connected,
            account: new.account,
            place: new.place,
            application: String::new(),
            application_data: String::new(),
            created: Instant::now(),
            up_since: None,
            variables: new.variables,
            role: new.role,
            callee: new.callee,
            digits_used: 0,
            dialing: None,
            bridge: None,
            handover: None,
            hung_up: None,
            tech_cause: None,
            talked: false,
            recording: false,
            patience_generation: 0,
            spies_on: None,
        };
        let frame = Frame::event("Newchannel", "call").channel(&channel);
        self.channels.insert(key, channel);
        self.by_unique_id.insert(unique_id, key);
        self.by_name.insert(name, key);
        self.stats.channels_peak = self.stats.channels_peak.max(self.channels.len());
        self.emit(&frame);
        Some(key)
    }

    /// Emits an event about a channel.
    pub(super) fn tell(
        &mut self,
        name: &'static str,
        key: ChannelKey,
        more: impl FnOnce(Frame) -> Frame,
    ) {
        if let Some(channel) = self.channels.get(&key) {
            let frame = more(Frame::event(name, "call").channel(channel));
            self.emit(&frame);
        }
    }

    /// Changes the state of a channel.
    pub(super) fn set_state(&mut self, key: ChannelKey, state: State) {
        if let Some(channel) = self.channels.get_mut(&key)
            && channel.state != state
        {
            channel.state = state;
            if state == State::Up {
                channel.up_since = Some(Instant::now());
            }
            self.tell("Newstate", key, |frame| frame);
        }
    }

    /// A caller from outside.
    pub(super) fn inbound(&mut self, did: &str, caller: &str, callee: Callee) -> Option<String> {
        let key = self.create(NewChannel {
            base: "PJSIP/carrier".to_owned(),
            unique_id: None,
            linked_to: None,
            state: State::Ring,
            caller: Party {
                number: caller.to_owned(),
                name: String::new(),
            },
            connected: Party::default(),
            account: String::new(),
            place: Place {
                context: "strowger-inbound".to_owned(),
                exten: did.to_owned(),
                priority: 1,
            },
            role: Role::Caller,
            callee,
            variables: HashMap::new(),
        })?;
        self.stats.inbound += 1;
        let unique_id = self.channels.get(&key)?.unique_id.clone();
        self.begin_patience(key);
        self.begin_handover(key, "inbound", vec![did.to_owned()]);
        Some(unique_id)
    }

    /// Starts the clock of somebody who waits.
    pub(super) fn begin_patience(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(&key)
            && channel.is_customer()
        {
            channel.patience_generation += 1;
            let generation = channel.patience_generation;
            let patience = channel.callee.patience;
            self.after(patience, Timer::Patience(key, generation));
        }
    }

    /// Somebody has waited as long as they wanted to.
    pub(super) fn impatient(&mut self, key: ChannelKey, generation: u64) {
        let waits = self.channels.get(&key).is_some_and(|channel| {
            channel.patience_generation == generation && channel.bridge.is_none()
        });
        if waits {
            self.hang_up(key, 16, By::Party);
        }
    }

    /// Ends a call. The channel lives on, hung up, while a session holds it,
    /// as in Asterisk: its dialplan is still in `AGI()`.
    pub(super) fn hang_up(&mut self, key: ChannelKey, cause: u16, by: By) {
        let Some(channel) = self.channels.get(&key) else {
            return;
        };
        if channel.hung_up.is_some() {
            return;
        }
        match by {
            By::Party if channel.dialing.is_none() => {
                self.tell("HangupRequest", key, |frame| frame);
            }
            By::Manager => self.tell("SoftHangupRequest", key, |frame| frame.with("Cause", cause)),
            By::Party | By::Dialplan => {}
        }
        if self.cancel_dialing(key, cause) {
            return;
        }
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.hung_up = Some(cause);
        }
        self.leave_bridge(key);
        self.end_activity(key);
        let held = self
            .channels
            .get(&key)
            .and_then(|channel| channel.handover.as_ref())
            .is_some_and(Handover::has_session);
        if held {
            self.tell_session_of_hangup(key);
        } else {
            self.destroy(key);
        }
    }

    /// Removes a channel.
    pub(super) fn destroy(&mut self, key: ChannelKey) {
        let recording = self
            .channels
            .get(&key)
            .is_some_and(|channel| channel.recording);
        if recording {
            self.tell("MixMonitorStop", key, |frame| frame);
        }
        let Some(channel) = self.channels.remove(&key) else {
            return;
        };
        self.by_unique_id.remove(&channel.unique_id);
        self.by_name.remove(&channel.name);
        let lost = channel.role == Role::Customer
            && channel.state == State::Up
            && channel.callee.outcome == Outcome::Human
            && !channel.talked;
        self.stats.abandoned += u64::from(lost);
        let cause = channel.hung_up.unwrap_or(16);
        let frame = Frame::event("Hangup", "call")
            .channel(&channel)
            .with("Cause", cause)
            .with("Cause-txt", cause_text(cause))
            .maybe("TechCause", channel.tech_cause);
        self.emit(&frame);
        if let Role::Dialed(parent) = channel.role {
            self.dialed_leg_gone(parent, key);
        }
        self.spied_gone(key);
    }
}
