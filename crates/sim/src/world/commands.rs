//! Carrying out what a FastAGI session asks for.

use std::time::Duration;

use strowger_agi::{
    Success,
    client::{self, CommandLine},
};
use tokio::time::Instant;

use super::{
    ChannelKey, Timer, World,
    channels::{By, Channel, State},
};
use crate::{
    Outcome,
    args::{caller_id, separate},
};

/// Samples of a second.
const SAMPLE_RATE: f64 = 8_000.0;

/// From the beginning of a prompt to the first digit.
const BARGE_IN: Duration = Duration::from_secs(1);

/// Between two digits.
const DIGIT_PAUSE: Duration = Duration::from_millis(300);

/// What people say at most when they are recorded.
const MESSAGE: Duration = Duration::from_secs(4);

/// Longest a Dial without a limit rings.
const DIAL_LIMIT: Duration = Duration::from_hours(1);

/// Most sounds that are counted by name.
const MAX_SOUNDS: usize = 1_000;

/// Commands that Asterisk runs on a dead channel.
const DEAD_COMMANDS: &[&str] = &[
    "ASYNCAGI BREAK",
    "DATABASE DEL",
    "DATABASE DELTREE",
    "DATABASE GET",
    "DATABASE PUT",
    "EXEC",
    "GET FULL VARIABLE",
    "GET VARIABLE",
    "NOOP",
    "SET VARIABLE",
    "VERBOSE",
];

/// What a channel does for its session until the reply.
#[derive(Debug)]
pub(super) enum Activity {
    /// Something that takes its time.
    Timed {
        started: Instant,
        /// Reply at the end.
        done: Success,
        /// Kind of the reply at a hang-up.
        cut: Cut,
        /// The sound that is over then.
        sound: Option<String>,
        /// `WAITSTATUS` then.
        status: Option<&'static str>,
    },
    /// `EXEC Bridge`.
    Bridge,
    /// `EXEC Dial`.
    Dial {
        callee: ChannelKey,
        /// Whether the options let the caller go on when the callee hangs up.
        go_on: bool,
    },
}

/// How a timed activity answers when it is cut short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// `result=-1`.
    Plain,
    /// `result=-1 endpos=...`.
    Playback,
    /// `result=-1 (hangup) endpos=...`.
    Recording,
}

/// A duration in samples.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are positive, and the cast saturates"
)]
fn samples(duration: Duration) -> u64 {
    (duration.as_secs_f64() * SAMPLE_RATE) as u64
}

/// The result that stands for a digit.
fn digit_result(digit: char) -> Success {
    Success::number(i64::from(u32::from(digit)))
}

impl World {
    /// Carries out a command. The channel does nothing else at this time.
    pub(super) fn command(&mut self, key: ChannelKey, command: &CommandLine) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let dead = channel.hung_up.is_some();
        if dead && !DEAD_COMMANDS.contains(&&*command.verb) {
            self.reply_line(key, client::DEAD_CHANNEL);
            return;
        }
        let args: Vec<&str> = command.args.iter().map(String::as_str).collect();
        let ok = Success::number(0);
        match (&*command.verb, args.as_slice()) {
            (
                "NOOP" | "VERBOSE" | "SEND TEXT" | "SET MUSIC" | "SET AUTOHANGUP" | "DATABASE GET"
                | "DATABASE PUT" | "DATABASE DEL" | "DATABASE DELTREE",
                _,
            ) => {
                self.reply(key, &ok);
            }
            ("ANSWER", _) => {
                self.set_state(key, State::Up);
                self.reply(key, &ok);
            }
            ("HANGUP", _) => {
                self.reply(key, &Success::number(1));
                self.hang_up(key, 16, By::Dialplan);
            }
            ("CHANNEL STATUS", _) => {
                let state = Success::number(i64::from(channel.state as u8));
                self.reply(key, &state);
            }
            ("SET VARIABLE", [name, value]) => {
                channel.set(name, *value);
                self.reply(key, &Success::number(1));
            }
            ("GET VARIABLE", [name, ..]) => {
                let value = variable(channel, name);
                self.reply(key, &value_reply(value));
            }
            ("GET FULL VARIABLE", [expression, ..]) => {
                let value = substitute(channel, expression);
                self.reply(key, &value_reply(Some(value)));
            }
            ("SET CALLERID", [text]) => {
                (channel.caller.number, channel.caller.name) = caller_id(text);
                self.reply(key, &Success::number(1));
            }
            ("SET CONTEXT", [context]) => {
                (*context).clone_into(&mut channel.place.context);
                self.reply(key, &ok);
            }
            ("SET EXTENSION", [exten]) => {
                (*exten).clone_into(&mut channel.place.exten);
                self.reply(key, &ok);
            }
            ("SET PRIORITY", [priority]) => {
                channel.place.priority = priority.parse().unwrap_or(1);
                self.reply(key, &ok);
            }
            ("STREAM FILE" | "CONTROL STREAM FILE", [sound, escape, ..]) => {
                self.sounds_over(key);
                self.stream(key, escape, Duration::ZERO);
                if let Some(Activity::Timed { sound: over, .. }) =
                    self.handover(key).and_then(|h| h.activity.as_mut())
                {
                    *over = Some((*sound).to_owned());
                }
            }
            ("GET OPTION", [_, escape, rest @ ..]) => {
                let timeout = milliseconds(rest.first(), 5_000);
                self.stream(key, escape, timeout);
            }
            ("GET DATA", [_, rest @ ..]) => {
                let timeout = milliseconds(rest.first(), 6_000);
                let limit = rest.get(1).and_then(|max| max.parse().ok());
                self.get_data(key, timeout, limit.unwrap_or(1_024));
            }
            ("WAIT FOR DIGIT", [timeout, ..]) => {
                let timeout = milliseconds(Some(timeout), 0);
                let pressed = channel.next_digits().chars().next();
                let (length, done) = match pressed {
                    Some(digit) => (BARGE_IN.min(timeout), digit_result(digit)),
                    None => (timeout, ok),
                };
                self.engage(key, pressed.is_some());
                self.begin(key, length, done, Cut::Plain);
            }
            ("RECORD FILE", [_, _, escape, timeout, ..]) => {
                let limit = milliseconds(Some(timeout), 0);
                self.record(key, escape, limit);
            }
            (
                "SAY ALPHA" | "SAY DIGITS" | "SAY NUMBER" | "SAY PHONETIC" | "SAY DATE"
                | "SAY TIME" | "SAY DATETIME",
                [_, _, ..],
            ) => self.begin(key, BARGE_IN, ok, Cut::Plain),
            ("EXEC", [application, rest @ ..]) => {
                let data = rest.first().copied().unwrap_or_default();
                self.exec(key, application, data);
            }
            (
                "SET VARIABLE"
                | "GET VARIABLE"
                | "GET FULL VARIABLE"
                | "SET CALLERID"
                | "SET CONTEXT"
                | "SET EXTENSION"
                | "SET PRIORITY"
                | "STREAM FILE"
                | "CONTROL STREAM FILE"
                | "GET OPTION"
                | "GET DATA"
                | "WAIT FOR DIGIT"
                | "RECORD FILE"
                | "SAY ALPHA"
                | "SAY DIGITS"
                | "SAY NUMBER"
                | "SAY PHONETIC"
                | "SAY DATE"
                | "SAY TIME"
                | "SAY DATETIME"
                | "EXEC",
                _,
            ) => self.reply_line(key, client::WRONG_USAGE),
            _ => self.reply_line(key, client::UNKNOWN_COMMAND),
        }
    }

    /// Begins something that takes its time.
    fn begin(&mut self, key: ChannelKey, length: Duration, done: Success, cut: Cut) {
        let started = Instant::now();
        if let Some(handover) = self.handover(key) {
            handover.activity = Some(Activity::Timed {
                started,
                done,
                cut,
                sound: None,
                status: None,
            });
            handover.generation += 1;
            let generation = handover.generation;
            self.after(length, Timer::Activity(key, generation));
        }
    }

    /// A timed activity has come to its end.
    pub(super) fn activity_over(&mut self, key: ChannelKey, generation: u64) {
        let (done, sound, status) = match self.handover(key) {
            Some(handover) if handover.generation == generation => match &handover.activity {
                Some(Activity::Timed {
                    done,
                    sound,
                    status,
                    ..
                }) => (done.clone(), sound.clone(), *status),
                _ => return,
            },
            _ => return,
        };
        if let Some(status) = status {
            self.set_variable(key, "WAITSTATUS", status);
        }
        if let Some(sound) = sound
            && (self.stats.played.len() < MAX_SOUNDS || self.stats.played.contains_key(&sound))
        {
            *self.stats.played.entry(sound).or_default() += 1;
        }
        self.reply(key, &done);
    }

    /// Ends what a channel does for its session: somebody hung up, or left the
    /// bridge.
    pub(super) fn end_activity(&mut self, key: ChannelKey) {
        let Some(activity) = self.handover(key).and_then(|h| h.activity.take()) else {
            return;
        };
        let success = match activity {
            Activity::Timed { started, cut, .. } => {
                let position = samples(self.elapsed_since(started));
                let failed = Success::number(-1);
                match cut {
                    Cut::Plain => failed,
                    Cut::Playback => failed.with_end_position(position),
                    Cut::Recording => failed.with_value("hangup").with_end_position(position),
                }
            }
            Activity::Bridge => {
                // The application returns 0 whoever ended the conversation.
                self.set_variable(key, "BRIDGERESULT", "SUCCESS");
                Success::number(0)
            }
            Activity::Dial { callee, go_on } => {
                self.hang_up(callee, 16, By::Dialplan);
                let channel = self.channels.get(&key);
                let answered = channel.is_some_and(|c| c.variable("DIALSTATUS") == Some("ANSWER"));
                let dead = channel.is_some_and(|c| c.hung_up.is_some());
                let ends_caller = dead || (answered && !go_on);
                Success::number(if ends_caller { -1 } else { 0 })
            }
        };
        self.reply(key, &success);
    }

    fn set_variable(&mut self, key: ChannelKey, name: &str, value: &str) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.set(name, value);
        }
    }

    /// Somebody who does something, such as entering a digit, is not waiting:
    /// their patience starts over.
    fn engage(&mut self, key: ChannelKey, active: bool) {
        if active {
            self.begin_patience(key);
        }
    }

    /// How much longer the called party says what it says first.
    fn greeting_left(&self, key: ChannelKey) -> Duration {
        let Some(channel) = self.channels.get(&key) else {
            return Duration::ZERO;
        };
        let since = channel.up_since.map(|since| self.elapsed_since(since));
        let greeting = channel.callee.greeting;
        greeting.saturating_sub(since.unwrap_or_default())
    }

    /// A sound begins: a machine that still speaks does not hear its beginning.
    fn sounds_over(&mut self, key: ChannelKey) {
        let machine = self
            .channels
            .get(&key)
            .is_some_and(|channel| channel.callee.outcome == Outcome::Machine);
        if machine && !self.greeting_left(key).is_zero() {
            self.stats.talked_over += 1;
        }
    }

    /// `WaitForSilence(required,iterations,timeout)`: awaits so many milliseconds of silence,
    /// so many times, but at most so many seconds; says in `WAITSTATUS` which it was.
    fn wait_for_silence(&mut self, key: ChannelKey, args: &[String]) {
        let number = |place: usize, default: u64| {
            let text = args.get(place).map(|text| text.trim());
            text.and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        let required = Duration::from_millis(number(0, 1_000));
        let times = u32::try_from(number(1, 1)).unwrap_or(u32::MAX);
        let limit = Some(number(2, 0)).filter(|seconds| *seconds > 0);
        self.set_state(key, State::Up);
        let silent = self.greeting_left(key) + required.saturating_mul(times);
        let limit = limit.map_or(Duration::MAX, Duration::from_secs);
        let (length, status) = if silent <= limit {
            (silent, "SILENCE")
        } else {
            (limit, "TIMEOUT")
        };
        // Unless it comes to its end.
        self.set_variable(key, "WAITSTATUS", "HANGUP");
        self.begin(key, length, Success::number(0), Cut::Plain);
        if let Some(Activity::Timed { status: then, .. }) =
            self.handover(key).and_then(|h| h.activity.as_mut())
        {
            *then = Some(status);
        }
    }

    /// Plays a prompt that a digit may end, and waits for one a while longer.
    fn stream(&mut self, key: ChannelKey, escape: &str, wait: Duration) {
        let prompt = self.config.prompt;
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let pressed = channel
            .callee
            .digits
            .get(channel.digits_used)
            .and_then(|entry| entry.chars().next())
            .filter(|digit| escape.contains(*digit));
        let (length, done) = if let Some(digit) = pressed {
            channel.digits_used += 1;
            (BARGE_IN.min(prompt), digit_result(digit))
        } else {
            (prompt + wait, Success::number(0))
        };
        let done = done.with_end_position(samples(length.min(prompt)));
        self.engage(key, pressed.is_some());
        self.begin(key, length, done, Cut::Playback);
    }

    /// Plays a prompt and collects digits.
    fn get_data(&mut self, key: ChannelKey, timeout: Duration, limit: usize) {
        let prompt = self.config.prompt;
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let entry = channel.next_digits();
        let digits: String = entry
            .chars()
            .take_while(|digit| *digit != '#')
            .take(limit)
            .collect();
        let count = digits.chars().count();
        let complete = count == limit || entry.chars().nth(count) == Some('#');
        let mut length = if entry.is_empty() { prompt } else { BARGE_IN };
        length += DIGIT_PAUSE * u32::try_from(count).unwrap_or(0);
        let mut done = Success::text(digits);
        self.engage(key, count > 0);
        if !complete {
            length += timeout;
            done = done.with_value("timeout");
        }
        self.begin(key, length, done, Cut::Plain);
    }

    /// Records a message.
    fn record(&mut self, key: ChannelKey, escape: &str, limit: Duration) {
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let length = MESSAGE.min(limit);
        let pressed = channel.next_digits().chars().next();
        let done = match pressed.filter(|digit| escape.contains(*digit)) {
            Some(digit) => digit_result(digit).with_value("dtmf"),
            None => Success::number(0).with_value("timeout"),
        };
        let done = done.with_end_position(samples(length));
        self.engage(key, true);
        self.begin(key, length, done, Cut::Recording);
    }

    /// Runs a dialplan application.
    fn exec(&mut self, key: ChannelKey, application: &str, data: &str) {
        let name = application.to_ascii_lowercase();
        let args = separate(data);
        let first = args.first().map(String::as_str).unwrap_or_default();
        let ok = Success::number(0);
        let Some(channel) = self.channels.get_mut(&key) else {
            return;
        };
        let dead = channel.hung_up.is_some();
        match &*name {
            "noop" | "verbose" | "log" | "ringing" | "progress" | "proceeding" | "sendtext"
            | "senddtmf" | "playtones" | "stopplaytones" | "startmusiconhold"
            | "stopmusiconhold" | "resetcdr" | "forkcdr" => self.reply(key, &ok),
            "set" => {
                if let Some((name, value)) = data.split_once('=') {
                    channel.set(name, value);
                }
                self.reply(key, &ok);
            }
            "bridge" => self.exec_bridge(key, first),
            // Nothing of the following is possible without a caller.
            _ if dead && is_application(&name) => self.reply(key, &Success::number(-1)),
            "answer" => {
                self.set_state(key, State::Up);
                self.reply(key, &ok);
            }
            "mixmonitor" => {
                channel.recording = true;
                self.tell("MixMonitorStart", key, |frame| frame);
                self.reply(key, &ok);
            }
            "stopmixmonitor" => {
                if std::mem::take(&mut channel.recording) {
                    self.tell("MixMonitorStop", key, |frame| frame);
                }
                self.reply(key, &ok);
            }
            "dial" => {
                let go_on = args.get(2).is_some_and(|options| options.contains('g'));
                self.exec_dial(key, first, args.get(1), go_on);
            }
            "playback" | "background" => {
                let count = u32::try_from(first.split('&').count()).unwrap_or(1);
                self.set_state(key, State::Up);
                let length = self.config.prompt * count;
                self.begin(key, length, ok, Cut::Plain);
            }
            "wait" | "waitexten" => {
                let length = first.parse().ok().map(Duration::try_from_secs_f64);
                let length = length.and_then(Result::ok).unwrap_or_default();
                self.begin(key, length, ok, Cut::Plain);
            }
            "musiconhold" => {
                let seconds = args.get(1).and_then(|seconds| seconds.parse().ok());
                let length = seconds.map_or(DIAL_LIMIT, Duration::from_secs);
                self.begin(key, length, ok, Cut::Plain);
            }
            "amd" => {
                let (status, cause) = channel.callee.verdict.words();
                let delay = channel.callee.amd_delay;
                channel.set("AMDSTATUS", status);
                channel.set("AMDCAUSE", cause);
                self.begin(key, delay, ok, Cut::Plain);
            }
            "waitforsilence" => self.wait_for_silence(key, &args),
            "hangup" | "busy" | "congestion" => {
                let cause = match &*name {
                    "busy" => 17,
                    "congestion" => 34,
                    _ => first.parse().unwrap_or(16),
                };
                self.reply(key, &Success::number(-1));
                self.hang_up(key, cause, By::Dialplan);
            }
            _ => self.reply(key, &Success::number(-2)),
        }
    }

    fn exec_bridge(&mut self, key: ChannelKey, target: &str) {
        let other = self.find(target).filter(|other| {
            *other != key
                && self
                    .channels
                    .get(other)
                    .is_some_and(|c| c.state == State::Up && c.hung_up.is_none())
        });
        let dead = self.channels.get(&key).is_none_or(|c| c.hung_up.is_some());
        let Some(other) = other.filter(|_| !dead) else {
            self.set_variable(key, "BRIDGERESULT", "NONEXISTENT");
            self.reply(key, &Success::number(0));
            return;
        };
        self.set_state(key, State::Up);
        if let Some(handover) = self.handover(key) {
            handover.activity = Some(Activity::Bridge);
        }
        for (member, peer) in [(key, other), (other, key)] {
            let name = self.channels.get(&peer).map(|c| c.name.clone());
            if let (Some(channel), Some(name)) = (self.channels.get_mut(&member), name) {
                channel.set("BRIDGEPEER", &*name);
                if member == key {
                    channel.run("Bridge", target);
                } else {
                    channel.run("", "");
                }
            }
        }
        self.connect(key, other);
    }

    fn exec_dial(&mut self, key: ChannelKey, endpoint: &str, limit: Option<&String>, go_on: bool) {
        let seconds = limit.and_then(|seconds| seconds.parse().ok());
        let limit = seconds.map_or(DIAL_LIMIT, Duration::from_secs);
        self.set_variable(key, "DIALSTATUS", "");
        let Some(callee) = self.dial_for(key, endpoint, limit) else {
            self.set_variable(key, "DIALSTATUS", "CHANUNAVAIL");
            self.reply(key, &Success::number(0));
            return;
        };
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.run("Dial", endpoint);
        }
        if let Some(handover) = self.handover(key) {
            handover.activity = Some(Activity::Dial { callee, go_on });
        }
    }

    /// The called party of a Dial has answered.
    pub(super) fn dial_answered(&mut self, parent: ChannelKey, callee: ChannelKey) {
        self.set_variable(parent, "DIALSTATUS", "ANSWER");
        self.set_state(parent, State::Up);
        let peer = self.channels.get(&callee).map(|c| c.name.clone());
        self.set_variable(parent, "DIALEDPEERNAME", &peer.unwrap_or_default());
        self.connect(parent, callee);
    }

    /// The called party of a Dial is gone.
    pub(super) fn dialed_leg_gone(&mut self, parent: ChannelKey, leg: ChannelKey) {
        let dials = self.handover(parent).is_some_and(|handover| {
            matches!(&handover.activity, Some(Activity::Dial { callee, .. }) if *callee == leg)
        });
        if dials {
            self.end_activity(parent);
        }
    }
}

/// Whether Asterisk has an application of this name, as far as this exchange
/// knows it.
fn is_application(name: &str) -> bool {
    matches!(
        name,
        "answer"
            | "mixmonitor"
            | "stopmixmonitor"
            | "dial"
            | "playback"
            | "background"
            | "wait"
            | "waitexten"
            | "musiconhold"
            | "amd"
            | "waitforsilence"
            | "hangup"
            | "busy"
            | "congestion"
    )
}

/// A number of milliseconds in a command; negative is an hour, which stands
/// for ever.
fn milliseconds(text: Option<&&str>, default: u64) -> Duration {
    match text.and_then(|text| text.parse::<i64>().ok()) {
        None => Duration::from_millis(default),
        Some(number) => u64::try_from(number).map_or(DIAL_LIMIT, Duration::from_millis),
    }
}

/// The reply with a variable.
fn value_reply(value: Option<String>) -> Success {
    match value {
        Some(value) => Success::number(1).with_value(value),
        None => Success::number(0),
    }
}

/// A variable, or one of a few functions.
fn variable(channel: &Channel, name: &str) -> Option<String> {
    let value = match name {
        "UNIQUEID" | "CHANNEL(uniqueid)" => &channel.unique_id,
        "CHANNEL" | "CHANNEL(name)" => &channel.name,
        "CHANNEL(linkedid)" => &channel.linked_id,
        "CHANNEL(state)" if channel.state == State::Up => return Some("Up".to_owned()),
        "CALLERID(num)" | "CALLERID(number)" => &channel.caller.number,
        "CALLERID(name)" => &channel.caller.name,
        "CONTEXT" => &channel.place.context,
        "EXTEN" => &channel.place.exten,
        _ => return channel.variable(name).map(str::to_owned),
    };
    Some(value.clone())
}

/// Replaces each `${NAME}` once.
fn substitute(channel: &Channel, expression: &str) -> String {
    let mut result = String::new();
    let mut rest = expression;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        result.push_str(before);
        result.push_str(&variable(channel, name).unwrap_or_default());
        rest = after;
    }
    result.push_str(rest);
    result
}
