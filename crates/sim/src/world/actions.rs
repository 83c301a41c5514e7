//! Manager connections and their actions.

use std::{borrow::Cow, collections::HashMap, time::Duration};

use bytes::Bytes;
use rand::RngExt;
use secrecy::ExposeSecret;
use strowger_ami::{Message, actions::md5_key};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    LinkKey, Timer, World,
    channels::{By, Party, Place, Role},
    dialing::Origination,
};
use crate::{
    args::{caller_id, separate},
    frame::{Frame, escape, known},
    stats::MAX_REMEMBERED,
};

/// Most filters of one connection.
const MAX_FILTERS: usize = 64;

/// Longest channel id (`AST_MAX_PUBLIC_UNIQUEID`).
const MAX_UNIQUE_ID: usize = 149;

/// Longest ringing time that is taken; Asterisk's default is 30 s.
const MAX_TIMEOUT: Duration = Duration::from_hours(1);

/// A manager connection.
#[derive(Debug)]
pub(super) struct Link {
    sender: mpsc::Sender<Bytes>,
    cancel: CancellationToken,
    challenge: Option<String>,
    logged_in: bool,
    /// Which classes were asked for; `None` is all that the account reads.
    mask: Option<Vec<String>>,
    /// Texts that an event must (`true`) or must not contain.
    filters: Vec<(bool, String)>,
}

// === impl Link ===

impl Link {
    pub(super) fn logged_in(&self) -> bool {
        self.logged_in
    }

    /// Ends the connection without a word.
    pub(super) fn cut(self) {
        self.cancel.cancel();
    }

    /// Queues an event if the connection wants it. `false` if it cannot keep up.
    pub(super) fn event(&self, class: &str, bytes: &Bytes, read: &[String]) -> bool {
        let wanted = self.logged_in
            && read.iter().any(|known| known == class)
            && self
                .mask
                .as_ref()
                .is_none_or(|mask| mask.iter().any(|known| known == class))
            && self.passes(bytes);
        !wanted || self.sender.try_send(bytes.clone()).is_ok()
    }

    /// Filters are regular expressions in Asterisk and plain texts here.
    fn passes(&self, bytes: &Bytes) -> bool {
        if self.filters.is_empty() {
            return true;
        }
        let event = String::from_utf8_lossy(bytes);
        let matches = |wanted: bool| {
            self.filters
                .iter()
                .any(|(include, text)| *include == wanted && event.contains(text.as_str()))
        };
        let has_includes = self.filters.iter().any(|(include, _)| *include);
        (!has_includes || matches(true)) && !matches(false)
    }
}

/// The classes of which an account must write one to run an action; empty if
/// everybody may. `None` for an action that does not exist.
fn permissions(action: &str) -> Option<&'static [&'static str]> {
    Some(match action {
        "ping" | "logoff" | "events" | "listcommands" | "queuestatus" => &[],
        "originate" => &["originate"],
        "hangup" => &["system", "call"],
        "coreshowchannels" | "coresettings" | "corestatus" => &["system", "reporting"],
        "getvar" => &["call", "reporting"],
        "setvar" | "redirect" => &["call"],
        "filter" => &["system"],
        "command" => &["command"],
        "userevent" => &["user"],
        _ => return None,
    })
}

// === impl World ===

impl World {
    pub(super) fn link_opened(
        &mut self,
        link: LinkKey,
        sender: mpsc::Sender<Bytes>,
        cancel: CancellationToken,
    ) {
        self.links.insert(
            link,
            Link {
                sender,
                cancel,
                challenge: None,
                logged_in: false,
                mask: None,
                filters: Vec::new(),
            },
        );
    }

    pub(super) fn link_closed(&mut self, link: LinkKey) {
        self.links.remove(&link);
    }

    /// Drops all manager connections. Calls go on.
    pub(super) fn cut_links(&mut self) {
        for (_, link) in self.links.drain() {
            link.cut();
        }
    }

    fn answer(&mut self, link: LinkKey, frame: &Frame) {
        self.answer_bytes(link, frame.bytes());
    }

    fn answer_bytes(&mut self, link: LinkKey, bytes: Bytes) {
        let full = self
            .links
            .get(&link)
            .is_some_and(|link| link.sender.try_send(bytes).is_err());
        if full {
            self.drop_slow_link(link);
        }
    }

    /// Ends a connection that does not read.
    pub(super) fn drop_slow_link(&mut self, link: LinkKey) {
        if let Some(link) = self.links.remove(&link) {
            link.cut();
            self.stats.slow_links += 1;
            tracing::warn!("A manager connection does not read and is closed");
        }
    }

    fn succeed(&mut self, link: LinkKey, id: Option<&str>, message: &str) {
        let frame = Frame::response("Success", id).with("Message", message);
        self.answer(link, &frame);
    }

    fn refuse(&mut self, link: LinkKey, id: Option<&str>, message: &str) {
        let frame = Frame::response("Error", id).with("Message", message);
        self.answer(link, &frame);
    }

    pub(super) fn action(&mut self, link: LinkKey, action: Result<Message, &'static str>) {
        let Some(logged_in) = self.links.get(&link).map(Link::logged_in) else {
            return;
        };
        let action = match action {
            Ok(action) => action,
            // Asterisk reports these without the ActionID.
            Err(message) => return self.refuse(link, None, message),
        };
        let id = action.action_id().map(Cow::into_owned);
        let id = id.as_deref();
        let Some(name) = action.get("Action").map(|name| name.to_ascii_lowercase()) else {
            return self.refuse(link, id, "Missing action in request");
        };
        match &*name {
            "login" if !logged_in => return self.login(link, id, &action),
            "challenge" => return self.challenge(link, id, &action),
            "logoff" => {
                let frame =
                    Frame::response("Goodbye", id).with("Message", "Thanks for all the fish.");
                self.answer(link, &frame);
                // The connection ends when its queue is empty.
                self.links.remove(&link);
                return;
            }
            _ if !logged_in => return self.refuse(link, id, "Permission denied"),
            _ => {}
        }
        let Some(needed) = permissions(&name) else {
            let message = format!(
                "Invalid/unknown command: {}. Use Action: ListCommands to show available commands.",
                action.get("Action").unwrap_or_default()
            );
            return self.refuse(link, id, &message);
        };
        let allowed = needed.is_empty()
            || needed
                .iter()
                .any(|class| self.config.write.iter().any(|known| known == class));
        if !allowed {
            return self.refuse(link, id, "Permission denied");
        }
        match &*name {
            "ping" => {
                let time = self.started.elapsed().as_secs_f64();
                let frame = Frame::response("Success", id)
                    .with("Ping", "Pong")
                    .with("Timestamp", format!("{time:.6}"));
                self.answer(link, &frame);
            }
            "events" => self.events(link, id, &action),
            "filter" => self.filter(link, id, &action),
            "originate" => self.action_originate(link, id, &action),
            "hangup" => self.action_hangup(link, id, &action),
            "redirect" => self.action_redirect(link, id, &action),
            "coreshowchannels" => self.core_show_channels(link, id),
            "coresettings" => {
                let frame = Frame::response("Success", id)
                    .with("AMIversion", "11.0.0")
                    .with("AsteriskVersion", "22.10.1")
                    .with("SystemName", "")
                    .with("CoreMaxCalls", 0)
                    .with("CoreMaxLoadAvg", "0.000000");
                self.answer(link, &frame);
            }
            "corestatus" => {
                let frame =
                    Frame::response("Success", id).with("CoreCurrentCalls", self.channels.len());
                self.answer(link, &frame);
            }
            "getvar" | "setvar" => self.channel_variable(link, id, &name, &action),
            "queuestatus" => {
                let frame = Frame::response("Success", id)
                    .with("EventList", "start")
                    .with("Message", "Queue status will follow");
                self.answer(link, &frame);
                let frame = Frame::item("QueueStatusComplete", id)
                    .with("EventList", "Complete")
                    .with("ListItems", 0);
                self.answer(link, &frame);
            }
            _ => self.succeed(link, id, "Done"),
        }
    }

    fn challenge(&mut self, link: LinkKey, id: Option<&str>, action: &Message) {
        let md5 = action
            .get("AuthType")
            .is_some_and(|kind| kind.eq_ignore_ascii_case("md5"));
        if !md5 {
            return self.refuse(link, id, "Must specify AuthType");
        }
        let challenge = self
            .rng
            .random_range(100_000_000..1_000_000_000_u32)
            .to_string();
        let frame = Frame::response("Success", id).with("Challenge", &challenge);
        if let Some(link) = self.links.get_mut(&link) {
            link.challenge = Some(challenge);
        }
        self.answer(link, &frame);
    }

    fn login(&mut self, key: LinkKey, id: Option<&str>, action: &Message) {
        let Some(link) = self.links.get_mut(&key) else {
            return;
        };
        let secret = &self.config.secret;
        let right = match (action.get("Key"), &link.challenge, action.get("Secret")) {
            (Some(given), Some(challenge), _) => given == md5_key(challenge, secret),
            (None, _, Some(given)) => given == secret.expose_secret(),
            _ => false,
        };
        let known_user = action.get("Username").as_deref() == Some(&*self.config.username);
        if !(right && known_user) {
            // Asterisk lets whoever guesses wait.
            self.after(
                Duration::from_secs(1),
                Timer::LoginRefused(key, id.map(str::to_owned)),
            );
            return;
        }
        link.logged_in = true;
        link.mask = mask(action.get("Events").as_deref().unwrap_or("on"));
        self.succeed(key, id, "Authentication accepted");
        if self.config.read.iter().any(|class| class == "system") {
            let uptime = self.elapsed_since(self.started).as_secs();
            let frame = Frame::event("FullyBooted", "system")
                .with("Uptime", uptime)
                .with("LastReload", uptime)
                .with("Status", "Fully Booted");
            self.answer(key, &frame);
        }
    }

    /// Answers a wrong login and lets the connection end.
    pub(super) fn login_refused(&mut self, link: LinkKey, id: Option<&str>) {
        self.refuse(link, id, "Authentication failed");
        self.links.remove(&link);
    }

    fn events(&mut self, link: LinkKey, id: Option<&str>, action: &Message) {
        let mask = mask(action.get("EventMask").as_deref().unwrap_or("on"));
        let off = mask.as_ref().is_some_and(Vec::is_empty);
        if let Some(link) = self.links.get_mut(&link) {
            link.mask = mask;
        }
        let frame = Frame::response("Success", id).with("Events", if off { "Off" } else { "On" });
        self.answer(link, &frame);
    }

    fn filter(&mut self, link: LinkKey, id: Option<&str>, action: &Message) {
        let text = action.get("Filter").unwrap_or_default().into_owned();
        let add = action
            .get("Operation")
            .is_some_and(|operation| operation.eq_ignore_ascii_case("add"));
        let filters = self.links.get_mut(&link).map(|link| &mut link.filters);
        match filters {
            Some(filters) if add && !text.is_empty() && filters.len() < MAX_FILTERS => {
                filters.push(match text.strip_prefix('!') {
                    Some(text) => (false, text.to_owned()),
                    None => (true, text),
                });
                self.succeed(link, id, "Filter added");
            }
            _ => self.refuse(link, id, "Filter could not be added"),
        }
    }

    fn action_originate(&mut self, link: LinkKey, id: Option<&str>, action: &Message) {
        let get = |key: &str| {
            action
                .get(key)
                .map(Cow::into_owned)
                .filter(|value| !value.is_empty())
        };
        let Some(channel) = get("Channel") else {
            return self.refuse(link, id, "Channel not specified");
        };
        if !channel.contains('/') {
            return self.refuse(link, id, "Invalid channel");
        }
        let timeout = match get("Timeout").map(|text| text.parse::<u64>()) {
            None => Duration::from_secs(30),
            Some(Ok(timeout)) => Duration::from_millis(timeout).min(MAX_TIMEOUT),
            Some(Err(_)) => return self.refuse(link, id, "Invalid timeout"),
        };
        let unique_id = get("ChannelId");
        if unique_id
            .as_ref()
            .is_some_and(|id| id.len() > MAX_UNIQUE_ID)
        {
            return self.refuse(link, id, "Uniqueid length exceeds maximum of 149");
        }
        let application = get("Application").map(|name| (name, get("Data").unwrap_or_default()));
        let place = match (get("Context"), get("Exten"), get("Priority")) {
            (Some(context), Some(exten), Some(priority)) => Place {
                context,
                exten,
                priority: priority.parse().unwrap_or(1),
            },
            _ if application.is_some() => Place {
                context: String::new(),
                exten: String::new(),
                priority: 1,
            },
            _ => return self.refuse(link, id, "Originate failed: no extension or application"),
        };
        self.stats.originates += 1;
        if let Some(unique_id) = &unique_id {
            let counts = &mut self.stats.originates_by_id;
            if counts.len() < MAX_REMEMBERED || counts.contains_key(unique_id) {
                *counts.entry(unique_id.clone()).or_default() += 1;
            }
        }
        let (number, name) = caller_id(&get("CallerID").unwrap_or_default());
        let mut variables = HashMap::new();
        for line in action.get_all("Variable") {
            for pair in separate(&line) {
                if let Some((name, value)) = pair.split_once('=') {
                    let name = name.trim().trim_start_matches('_');
                    variables.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        // Asterisk answers at once because the daemon always asks for Async.
        self.succeed(link, id, "Originate successfully queued");
        self.originate(Origination {
            action_id: id.map(str::to_owned),
            channel,
            unique_id,
            place,
            application,
            caller: Party { number, name },
            account: get("Account").unwrap_or_default(),
            timeout,
            variables,
        });
    }

    fn action_hangup(&mut self, link: LinkKey, id: Option<&str>, action: &Message) {
        let name = action.get("Channel").unwrap_or_default();
        let Some(key) = self.find(&name) else {
            return self.refuse(link, id, "No such channel");
        };
        let cause = action.get("Cause").and_then(|cause| cause.parse().ok());
        self.succeed(link, id, "Channel Hungup");
        self.hang_up(key, cause.unwrap_or(16), By::Manager);
    }

    /// A nailed-up leg is sent back to where it idles; no other channel can be sent anywhere here.
    fn action_redirect(&mut self, link: LinkKey, id: Option<&str>, action: &Message) {
        let get = |key| action.get(key).unwrap_or_default();
        let Some(key) = self.find(&get("Channel")) else {
            let message = format!("Channel does not exist: {}", get("Channel"));
            return self.refuse(link, id, &message);
        };
        let leg = self
            .channels
            .get(&key)
            .is_some_and(|channel| channel.role == Role::Leg);
        let idles =
            (&*get("Context"), &*get("Exten"), &*get("Priority")) == ("strowger-agent", "leg", "1");
        if !leg || !idles {
            return self.refuse(link, id, "Redirect failed");
        }
        self.succeed(link, id, "Redirect successful");
        self.leave_bridge(key);
    }

    fn core_show_channels(&mut self, link: LinkKey, id: Option<&str>) {
        let frame = Frame::response("Success", id)
            .with("EventList", "start")
            .with("Message", "Channels will follow");
        let mut frames = vec![frame];
        for channel in self.channels.values() {
            let seconds = self.elapsed_since(channel.created).as_secs();
            let duration = format!(
                "{:02}:{:02}:{:02}",
                seconds / 3_600,
                seconds / 60 % 60,
                seconds % 60
            );
            frames.push(
                Frame::item("CoreShowChannel", id)
                    .channel(channel)
                    .with("Application", &channel.application)
                    .with("ApplicationData", &channel.application_data)
                    .with("Duration", duration)
                    .with("BridgeId", self.bridge_id(channel.bridge)),
            );
        }
        frames.push(
            Frame::item("CoreShowChannelsComplete", id)
                .with("EventList", "Complete")
                .with("ListItems", self.channels.len()),
        );
        // One write for the whole list: it may have more frames than the queue
        // of a connection has places.
        let list: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.answer_bytes(link, list.into());
    }

    fn channel_variable(&mut self, link: LinkKey, id: Option<&str>, name: &str, action: &Message) {
        let channel = action.get("Channel").unwrap_or_default();
        let variable = action.get("Variable").unwrap_or_default();
        if name == "getvar" && channel.is_empty() && variable.starts_with("DEVICE_STATE(") {
            // Every station is there and idle.
            let frame = Frame::response("Success", id)
                .with("Variable", &variable)
                .with("Value", "NOT_INUSE");
            return self.answer(link, &frame);
        }
        let Some(channel) = self
            .find(&channel)
            .and_then(|key| self.channels.get_mut(&key))
        else {
            return self.refuse(link, id, "No such channel");
        };
        if name == "setvar" {
            channel.set(&variable, action.get("Value").unwrap_or_default());
            return self.succeed(link, id, "Variable Set");
        }
        let value = channel.variable(&variable).unwrap_or_default();
        let frame = Frame::response("Success", id)
            .with("Variable", &variable)
            .with("Value", escape(known(value)));
        self.answer(link, &frame);
    }
}

/// Reads an event mask: `on`, `off`, or classes.
fn mask(text: &str) -> Option<Vec<String>> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "y" | "1" | "all" => None,
        "off" | "false" | "no" | "n" | "0" => Some(Vec::new()),
        classes => Some(classes.split(',').map(|c| c.trim().to_owned()).collect()),
    }
}
