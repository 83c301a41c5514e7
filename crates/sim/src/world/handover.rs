//! The dialplan: what happens to a call before, between and after its FastAGI
//! sessions.

use std::{collections::VecDeque, time::Duration};

use strowger_agi::{
    Success,
    client::{self, CommandLine},
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    ChannelKey, SessionKey, Timer, World,
    channels::{By, Channel, Role},
    commands::Activity,
};
use crate::{agi, frame::Frame};

/// Lines that wait for a session. One reply is outstanding as a rule.
const OUTGOING: usize = 64;

/// Commands that wait for the one that runs, as they would in the socket.
const PENDING: usize = 64;

/// Tries to hand a call over before its caller is told that nobody is there.
const TRIES: u32 = 10;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A session that lasted this long shows that the daemon is there.
const PROOF: Duration = Duration::from_secs(5);

/// A call in the hands of the dialplan.
#[derive(Debug)]
pub(super) struct Handover {
    script: &'static str,
    args: Vec<String>,
    tries: u32,
    offered_at: Instant,
    session: Option<Session>,
    /// What the channel is doing for its session.
    pub(super) activity: Option<Activity>,
    pub(super) generation: u64,
    pending: VecDeque<CommandLine>,
}

/// The session that holds a channel.
#[derive(Debug)]
struct Session {
    key: SessionKey,
    /// `None` once the daemon has closed it, while the last command runs on.
    sender: Option<mpsc::Sender<String>>,
    told_of_hangup: bool,
}

impl Handover {
    /// Whether `AGI()` has not returned.
    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }
}

impl World {
    /// An outbound customer has answered.
    pub(super) fn begin_customer(&mut self, key: ChannelKey) {
        self.begin_patience(key);
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        if channel.variable("STROWGER_AMD") == Some("1") {
            channel.run("AMD", "");
            let delay = channel.callee.amd_delay;
            self.after(delay, Timer::Detected(key));
        } else {
            self.begin_dialer(key);
        }
    }

    /// Answering machine detection has come to its conclusion.
    pub(super) fn detected(&mut self, key: ChannelKey) {
        if let Some(channel) = self.channels.get_mut(&key) {
            let (status, cause) = channel.callee.verdict.words();
            channel.set("AMDSTATUS", status);
            channel.set("AMDCAUSE", cause);
            self.begin_dialer(key);
        }
    }

    fn begin_dialer(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(&key) else {
            return;
        };
        let args = ["STROWGER_ATTEMPT", "AMDSTATUS", "AMDCAUSE"]
            .map(|name| channel.variable(name).unwrap_or_default().to_owned());
        self.begin_handover(key, "dialer", args.into());
    }

    /// Offers a call to the daemon until it takes it.
    pub(super) fn begin_handover(
        &mut self,
        key: ChannelKey,
        script: &'static str,
        args: Vec<String>,
    ) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.handover = Some(Handover {
                script,
                args,
                tries: 0,
                offered_at: Instant::now(),
                session: None,
                activity: None,
                generation: 0,
                pending: VecDeque::new(),
            });
            self.offer(key);
        }
    }

    /// Runs `AGI()`.
    pub(super) fn offer(&mut self, key: ChannelKey) {
        let session = SessionKey(self.number());
        let (sender, outgoing) = mpsc::channel(OUTGOING);
        let address = self.config.agi_addr;
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        channel.run("AGI", "");
        let Some(handover) = &mut channel.handover else {
            return;
        };
        handover.offered_at = Instant::now();
        handover.session = Some(Session {
            key: session,
            sender: Some(sender),
            told_of_hangup: false,
        });
        let url = format!("agi://{address}/{}", handover.script);
        let (script, args) = (handover.script, handover.args.clone());
        channel.application_data = format!("{url},{}", args.join(","));
        let environment = environment(channel, script, &url, &args);
        self.sessions.insert(session, key);
        let inputs = self.inputs.clone();
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = agi::run(session, address, environment, inputs, outgoing) => {}
            }
        });
    }

    pub(super) fn session_opened(&mut self, session: SessionKey) {
        if self.sessions.contains_key(&session) {
            self.stats.sessions_opened += 1;
        }
    }

    pub(super) fn session_failed(&mut self, session: SessionKey) {
        self.stats.sessions_failed += 1;
        if let Some(key) = self.sessions.remove(&session) {
            self.session_over(key);
        }
    }

    /// The daemon sent a command.
    pub(super) fn session_line(&mut self, session: SessionKey, line: &str) {
        let Some(key) = self.sessions.get(&session).copied() else {
            return;
        };
        let Some(command) = CommandLine::parse(line.trim_end_matches('\r')) else {
            self.send(key, client::UNKNOWN_COMMAND);
            return;
        };
        let Some(handover) = self.handover(key) else {
            return;
        };
        if handover.activity.is_none() && handover.pending.is_empty() {
            self.command(key, &command);
        } else if handover.pending.len() < PENDING {
            handover.pending.push_back(command);
        }
    }

    /// The daemon closed its session. What runs goes on to its end.
    pub(super) fn session_closed(&mut self, session: SessionKey) {
        let Some(key) = self.sessions.remove(&session) else {
            return;
        };
        let Some(handover) = self.handover(key) else {
            return;
        };
        if let Some(session) = &mut handover.session {
            session.sender = None;
        }
        handover.pending.clear();
        if handover.activity.is_none() {
            self.session_over(key);
        }
    }

    pub(super) fn handover(&mut self, key: ChannelKey) -> Option<&mut Handover> {
        self.channels.get_mut(&key)?.handover.as_mut()
    }

    /// Sends lines to the session of a channel. Closes a session that does not
    /// read.
    pub(super) fn send(&mut self, key: ChannelKey, lines: &str) {
        if let Some(session) = self.handover(key).and_then(|h| h.session.as_mut())
            && let Some(sender) = &session.sender
            && sender.try_send(lines.to_owned()).is_err()
        {
            session.sender = None;
        }
    }

    /// Answers the command that ran, and runs the next one.
    pub(super) fn reply(&mut self, key: ChannelKey, success: &Success) {
        self.reply_line(key, &format!("{success}\n"));
    }

    /// Like [`Self::reply`], with a line of any kind.
    pub(super) fn reply_line(&mut self, key: ChannelKey, line: &str) {
        if let Some(handover) = self.handover(key) {
            handover.activity = None;
            handover.generation += 1;
        }
        self.send(key, line);
        let hung_up = self
            .channels
            .get(&key)
            .is_some_and(|channel| channel.hung_up.is_some());
        if hung_up {
            self.tell_session_of_hangup(key);
        }
        let Some(handover) = self.handover(key) else {
            return;
        };
        let next = handover.pending.pop_front();
        let session = handover.session.as_ref().map(|session| session.key);
        if session.is_some_and(|session| !self.sessions.contains_key(&session)) {
            // Closed by the daemon while the command ran.
            self.session_over(key);
        } else if let Some(command) = next {
            self.command(key, &command);
        }
    }

    /// Writes the `HANGUP` line, once, unless a command runs: Asterisk writes
    /// it behind the reply of that one.
    pub(super) fn tell_session_of_hangup(&mut self, key: ChannelKey) {
        let Some(handover) = self.handover(key) else {
            return;
        };
        if handover.activity.is_none()
            && let Some(session) = &mut handover.session
            && !session.told_of_hangup
        {
            session.told_of_hangup = true;
            self.send(key, client::HANGUP);
        }
    }

    /// `AGI()` has returned.
    fn session_over(&mut self, key: ChannelKey) {
        let Some(offered_at) = self.handover(key).map(|handover| {
            handover.session = None;
            handover.offered_at
        }) else {
            return;
        };
        let lasted = self.elapsed_since(offered_at);
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        if channel.hung_up.is_some() {
            self.destroy(key);
            return;
        }
        if channel.variable("STROWGER_DONE") == Some("1") {
            self.hang_up(key, 16, By::Dialplan);
            return;
        }
        let Some(handover) = &mut channel.handover else {
            return;
        };
        if lasted >= PROOF {
            handover.tries = 0;
        }
        handover.tries += 1;
        if handover.tries <= TRIES {
            channel.run("Wait", "0.5");
            self.after(PAUSE, Timer::Offer(key));
            return;
        }
        let attempt = channel
            .variable("STROWGER_ATTEMPT")
            .unwrap_or_default()
            .to_owned();
        let frame = Frame::event("UserEvent", "user")
            .channel(channel)
            .with("UserEvent", "StrowgerUnserved")
            .with("Attempt", attempt);
        channel.run("Playback", "tt-allbusy");
        self.emit(&frame);
        self.stats.unserved += 1;
        let message = self.config.safe_harbour;
        self.after(message, Timer::Unserved(key));
    }
}

/// The opening block of a session, with the lines of Asterisk 22 in their order.
fn environment(channel: &Channel, script: &str, url: &str, args: &[String]) -> String {
    let or_unknown = |text: &str| {
        let text = if text.is_empty() { "unknown" } else { text };
        text.to_owned()
    };
    let dialed = if channel.role == Role::Caller {
        channel.place.exten.clone()
    } else {
        "unknown".to_owned()
    };
    let mut lines: Vec<(String, String)> = [
        ("network", "yes".to_owned()),
        ("network_script", script.to_owned()),
        ("request", url.to_owned()),
        ("channel", channel.name.clone()),
        ("language", "en".to_owned()),
        ("type", "PJSIP".to_owned()),
        ("uniqueid", channel.unique_id.clone()),
        ("version", "22.10.1".to_owned()),
        ("callerid", or_unknown(&channel.caller.number)),
        ("calleridname", or_unknown(&channel.caller.name)),
        ("callingpres", "0".to_owned()),
        ("callingani2", "0".to_owned()),
        ("callington", "0".to_owned()),
        ("callingtns", "0".to_owned()),
        ("dnid", dialed),
        ("rdnis", "unknown".to_owned()),
        ("context", channel.place.context.clone()),
        ("extension", channel.place.exten.clone()),
        ("priority", channel.place.priority.to_string()),
        ("enhanced", "0.0".to_owned()),
        ("accountcode", channel.account.clone()),
        ("threadid", "140245671540416".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (position, argument) in args.iter().enumerate() {
        lines.push((format!("arg_{}", position + 1), argument.clone()));
    }
    client::environment_block(lines.iter().map(|(name, value)| (&**name, &**value)))
}
