//! VICIdial 2.14's pacing: three loops that share tables.

use std::collections::VecDeque;

use strowger_core::pacing::{Action, Event};

use super::floor::{Floor, count};
use crate::shift::{Policy, Routing};

/// `dial_method` of the campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialMethod {
    /// A fixed dial level.
    Ratio,
    /// Level 1 while the drops of the day are over the limit.
    HardLimit,
    /// Half the level at each adjustment while they are.
    Average,
    /// The level scaled by the time left until `adaptive_latest_server_time`.
    Tapered,
}

/// Settings of a campaign, with VICIdial's defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct VicidialSettings {
    /// `dial_method`.
    pub method: DialMethod,
    /// `auto_dial_level`, where RATIO stays and the others begin.
    pub level: f64,
    /// `adaptive_maximum_level`.
    pub maximum_level: f64,
    /// `available_only_ratio_tally`: only free agents are multiplied by the level.
    pub available_only: bool,
    /// `adaptive_dropped_percentage`.
    pub dropped_percentage: f64,
    /// `adaptive_dl_diff_target`.
    pub diff_target: f64,
    /// `adaptive_intensity`, in percent.
    pub intensity: f64,
    /// `drop_call_seconds`.
    pub drop_call_seconds: f64,
    /// Time of day at which the shift begins, in minutes after midnight.
    pub begins_min: f64,
    /// `adaptive_latest_server_time`, as HHMM.
    pub latest_server_time: f64,
}

impl Default for VicidialSettings {
    fn default() -> Self {
        Self {
            method: DialMethod::Ratio,
            level: 1.0,
            maximum_level: 3.0,
            available_only: false,
            dropped_percentage: 3.0,
            diff_target: 0.0,
            intensity: 0.0,
            drop_call_seconds: 5.0,
            begins_min: 9.0 * 60.0,
            latest_server_time: 2100.0,
        }
    }
}

/// Sleep of `AST_VDauto_dial.pl` after each pass, in seconds. The work of a pass, which
/// comes on top, is taken to be nothing.
const PASS_SLEEP_S: f64 = 2.5;
/// Samples of `AST_VDadapt.pl` that are averaged, one per second.
const SAMPLES: usize = 15;

#[derive(Debug, Clone, Copy)]
struct Sample {
    ready: f64,
    waiting: f64,
    logged_in: f64,
}

/// Drops and calls, of the day and of the last minute.
#[derive(Debug, Default)]
struct Drops {
    last_calls: VecDeque<f64>,
    last_lost: VecDeque<f64>,
    calls_today: f64,
    lost_today: f64,
    answers_today: f64,
    // As last computed.
    minute_calls: f64,
    minute_percent: f64,
    day_calls: f64,
    day_percent: f64,
}

impl Drops {
    fn compute(&mut self, now: f64) {
        for times in [&mut self.last_calls, &mut self.last_lost] {
            while times.front().is_some_and(|at| *at < now - 60.0) {
                times.pop_front();
            }
        }
        let percent = |part: f64, whole: f64| {
            if whole > 0.0 {
                100.0 * part / whole
            } else {
                0.0
            }
        };
        self.minute_calls = count(self.last_calls.len());
        self.minute_percent = percent(count(self.last_lost.len()), self.minute_calls);
        self.day_calls = self.calls_today;
        self.day_percent = percent(self.lost_today, self.answers_today);
    }
}

/// The loops of VICIdial: `AST_VDauto_dial.pl` each 2.5 s and `AST_VDadapt.pl`, which
/// samples each second, sets the level each 15 s and counts drops each 60 s. Answered
/// calls look for an agent as `agi-VDAD_ALL_outbound.agi` does.
#[derive(Debug)]
pub struct Vicidial {
    settings: VicidialSettings,
    level: f64,
    floor: Floor,
    drops: Drops,
    samples: VecDeque<Sample>,
    next_pass: f64,
    next_sample: f64,
    seconds: u64,
}

impl Vicidial {
    /// A campaign with these settings.
    pub fn new(settings: VicidialSettings) -> Self {
        Self {
            level: settings.level,
            settings,
            floor: Floor::default(),
            drops: Drops::default(),
            samples: VecDeque::with_capacity(SAMPLES),
            next_pass: 0.0,
            next_sample: 1.0,
            seconds: 0,
        }
    }

    /// Where the dial level is now.
    pub fn level(&self) -> f64 {
        self.level
    }

    fn adapt(&mut self) {
        self.seconds += 1;
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample {
            ready: count(self.floor.ready.len()),
            waiting: count(self.floor.waiting.len()),
            logged_in: count(self.floor.logged_in()),
        });
        if self.seconds.is_multiple_of(60) {
            self.drops.compute(self.floor.now);
        }
        if self.settings.method != DialMethod::Ratio && self.seconds.is_multiple_of(15) {
            self.level = self.adapted_level();
        }
    }

    fn mean(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().map(of).sum::<f64>() / count(self.samples.len().max(1))
    }

    /// `calculate_dial_level`.
    fn adapted_level(&self) -> f64 {
        let settings = &self.settings;
        let agents = self.mean(|sample| sample.logged_in);
        if agents <= 0.0 {
            return self.level;
        }
        let differential = self.mean(|sample| sample.ready) - self.mean(|sample| sample.waiting);
        let multiple = (differential + settings.diff_target) / agents;
        let intensity = settings.intensity / 100.0;
        let multiple = if multiple < 0.0 {
            multiple * (intensity - 1.0).abs()
        } else {
            multiple * (1.0 + intensity)
        };
        let mut level = (self.level * (1.0 + multiple) * 1000.0).round() / 1000.0;
        level = level.min(settings.maximum_level).max(1.0);
        if self.drops.minute_calls > 20.0 && self.drops.minute_percent > 50.0 {
            level /= 2.0;
        }
        if self.drops.day_calls > 50.0 && self.drops.day_percent > settings.dropped_percentage {
            match settings.method {
                DialMethod::Ratio => {}
                DialMethod::HardLimit => level = 1.0,
                DialMethod::Average => level /= 2.0,
                DialMethod::Tapered => level = self.tapered(level),
            }
        }
        level.max(1.0)
    }

    /// Scales by the time left, a decimal subtraction of two HHMM.
    fn tapered(&self, level: f64) -> f64 {
        let minutes = (self.settings.begins_min + self.floor.now / 60.0).floor();
        let hhmm = (minutes / 60.0).floor() * 100.0 + minutes % 60.0;
        let left = self.settings.latest_server_time - hhmm;
        if left < 0.0 {
            1.0
        } else {
            level * (left / 1000.0).min(1.0)
        }
    }

    /// A pass of `AST_VDauto_dial.pl`.
    fn pass(&mut self) {
        let ready = count(self.floor.ready.len());
        let in_call = count(self.floor.talking.len());
        let transferred = count(self.floor.connected.len());
        let goal = if self.settings.available_only {
            self.level * ready + transferred
        } else {
            self.level * (ready + in_call)
        };
        let existing = count(self.floor.in_progress() + self.floor.waiting.len()) + transferred;
        let make = (goal.round() - existing).max(0.0);
        self.floor.ask(make);
        self.next_pass = self.floor.now + PASS_SLEEP_S;
    }
}

impl Policy for Vicidial {
    fn handle(&mut self, now: f64, event: &Event<u64, u32>) {
        self.floor.handle(now, event);
        match event {
            Event::Dialed(..) => {
                self.drops.last_calls.push_back(now);
                self.drops.calls_today += 1.0;
            }
            Event::Answered(_, strowger_core::pacing::AnsweredBy::Human) => {
                self.drops.answers_today += 1.0;
            }
            Event::Abandoned(_) => {
                self.drops.last_lost.push_back(now);
                self.drops.lost_today += 1.0;
            }
            Event::Config(_)
            | Event::AgentAvailable(_)
            | Event::AgentBusy(_)
            | Event::AgentWrap(_)
            | Event::AgentGone(_)
            | Event::Ringing(_)
            | Event::Answered(..)
            | Event::Connected(..)
            | Event::Ended(..)
            | Event::NotDialed(_)
            | Event::Tick => {}
        }
    }

    fn poll_action(&mut self) -> Option<Action<u64>> {
        while self.floor.now >= self.next_sample {
            self.next_sample += 1.0;
            self.adapt();
        }
        if self.floor.now >= self.next_pass {
            self.pass();
        }
        self.floor.action()
    }

    fn poll_timeout(&self) -> Option<f64> {
        Some(self.next_pass.min(self.next_sample))
    }

    fn routing(&self) -> Routing {
        Routing {
            drop_after_s: self.settings.drop_call_seconds,
            polls: true,
        }
    }
}
