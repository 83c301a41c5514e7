//! A recorded day: its figures, and a scenario that is like it.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
};

use strowger_core::pacing::{AnsweredBy, Config, Event, LineEnd};

use super::{
    draw::{Duration, Measured, Ring},
    outcome::{BIN_S, Outcome, Tally},
    scenario::{Campaign, Scenario, ScenarioError, Staffing, Step},
    wire::{self, Ending, Id, What},
};

/// What was seen in a day's events.
#[derive(Debug)]
pub struct Observed {
    /// Figures as recorded.
    pub outcome: Outcome,
    /// A day like it, to be run under other settings.
    pub scenario: Scenario,
    /// Lines that could not be read, with the first reason.
    pub unread: Option<(u64, String)>,
}

/// Why a recorded day can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ObservedError {
    /// It can't be read.
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    /// Too little happened.
    #[error("{0}; at least ten minutes with agents, dials and conversations are needed")]
    Little(&'static str),
    /// What was measured is not a scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Result {
    Human,
    Machine,
    NoAnswer,
    Failed,
    Cancelled,
}

#[derive(Debug)]
struct Dial {
    at: f64,
    answered: Option<(f64, AnsweredBy)>,
    connected: Option<f64>,
}

/// What became of a dial: when it was dialed, after how long and what.
#[derive(Debug, Clone, Copy)]
struct Done {
    at: f64,
    after: f64,
    result: Result,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Free,
    Talks,
    WrapsUp,
}

#[derive(Debug, Default)]
struct Notes {
    begin: f64,
    end: f64,
    dials: BTreeMap<Id, Dial>,
    agents: BTreeMap<Id, (Work, f64)>,
    done: Vec<Done>,
    talks: Vec<f64>,
    wraps: Vec<f64>,
    /// Intervals of agents, and whether they worked.
    shifts: Vec<(f64, f64, bool)>,
    /// People: when they answered, how long they waited, whether they were connected.
    people: Vec<(f64, f64, bool)>,
    staffing: Vec<(f64, usize)>,
    dialed: Vec<f64>,
    detections: Vec<f64>,
}

/// Fewest of conversations from which a day is told.
const FEWEST: usize = 20;
/// Rates are measured per so many seconds.
const RATE_S: f64 = 3600.0;
/// Most samples of a distribution that are kept.
const SAMPLES: usize = 1000;

/// Reads the lines of a recorded day, as `strowger pace --stdio` takes them. Lines that
/// can't be read are left out and counted.
pub fn observe(mut lines: impl BufRead) -> std::result::Result<Observed, ObservedError> {
    let (mut notes, mut config) = (Notes::default(), Config::default());
    let (mut unread, mut count, mut begun) = (None::<(u64, String)>, 0_u64, false);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if lines.read_until(b'\n', &mut bytes)? == 0 {
            break;
        }
        count += 1;
        let text = String::from_utf8_lossy(&bytes);
        if text.trim().is_empty() {
            continue;
        }
        match wire::read(&text, &config) {
            Ok(read) => {
                if !begun {
                    (notes.begin, notes.end, begun) = (read.t, read.t, true);
                }
                notes.end = notes.end.max(read.t);
                let now = notes.end;
                if let What::Event(Event::Config(changed)) = &read.what {
                    config = changed.clone();
                }
                notes.take(now, read.what);
            }
            Err(error) => match &mut unread {
                Some((bad, _)) => *bad += 1,
                None => unread = Some((1, format!("line {count}: {error}"))),
            },
        }
    }
    notes.finish(&config, unread)
}

impl Notes {
    fn take(&mut self, now: f64, what: What) {
        match what {
            What::Event(event) => match event {
                Event::AgentAvailable(agent) => self.agent(now, agent, Some(Work::Free)),
                Event::AgentBusy(agent) => self.agent(now, agent, Some(Work::Talks)),
                Event::AgentWrap(agent) => self.agent(now, agent, Some(Work::WrapsUp)),
                Event::AgentGone(agent) => self.agent(now, agent, None),
                Event::Dialed(line, _) => {
                    self.dialed.push(now);
                    self.dials.insert(
                        line,
                        Dial {
                            at: now,
                            answered: None,
                            connected: None,
                        },
                    );
                }
                Event::Answered(line, by) => {
                    if let Some(dial) = self.dials.get_mut(&line) {
                        let first = dial.answered.map_or(now, |(at, _)| at);
                        if by == AnsweredBy::Machine {
                            self.detections.push(now - first);
                        }
                        dial.answered = Some((first, by));
                    }
                }
                Event::Connected(line, _) => {
                    if let Some(dial) = self.dials.get_mut(&line) {
                        let answered = dial.answered.map_or(now, |(at, _)| at);
                        dial.answered = Some((answered, AnsweredBy::Human));
                        dial.connected = Some(now);
                        self.people.push((answered, now - answered, true));
                    }
                }
                Event::Abandoned(line) => self.abandoned(now, &line),
                Event::Ended(line, end) => self.ended(now, &line, Ending::Known(end)),
                Event::Config(_) | Event::Ringing(_) | Event::NotDialed(_) | Event::Tick => {}
            },
            What::Ended(line, ending) => self.ended(now, &line, ending),
        }
    }

    fn agent(&mut self, now: f64, agent: Id, work: Option<Work>) {
        let before = match work {
            Some(work) => self.agents.insert(agent, (work, now)),
            None => self.agents.remove(&agent),
        };
        if let Some((before, since)) = before {
            let took = now - since;
            self.shifts.push((since, now, before != Work::Free));
            match before {
                Work::Talks => self.talks.push(took),
                Work::WrapsUp => self.wraps.push(took),
                Work::Free => {}
            }
        }
        if before.is_none() || work.is_none() {
            self.staffing.push((now, self.agents.len()));
        }
    }

    fn abandoned(&mut self, now: f64, line: &Id) {
        if let Some(dial) = self.dials.get_mut(line) {
            let answered = dial.answered.map_or(now, |(at, _)| at);
            dial.answered = Some((answered, AnsweredBy::Human));
            if dial.connected.is_none() {
                dial.connected = Some(now);
                self.people.push((answered, now - answered, false));
            }
        }
    }

    fn ended(&mut self, now: f64, line: &Id, ending: Ending) {
        if ending == Ending::Abandoned {
            self.abandoned(now, line);
        }
        let Some(dial) = self.dials.remove(line) else {
            return;
        };
        let result = match (dial.answered, ending) {
            (_, Ending::Machine) | (Some((_, AnsweredBy::Machine)), _) => Result::Machine,
            (Some((_, AnsweredBy::Human)), _) | (None, Ending::Abandoned) => Result::Human,
            (Some((_, AnsweredBy::Unknown)), _) | (None, Ending::Known(LineEnd::Completed)) => {
                Result::Machine
            }
            (None, Ending::Known(LineEnd::NoAnswer)) => Result::NoAnswer,
            (None, Ending::Known(LineEnd::Cancelled)) => Result::Cancelled,
            (None, Ending::Known(LineEnd::Busy | LineEnd::Failed) | Ending::Unknown) => {
                Result::Failed
            }
        };
        self.done.push(Done {
            at: dial.at,
            after: dial.answered.map_or(now, |(at, _)| at) - dial.at,
            result,
        });
    }

    fn finish(
        mut self,
        config: &Config,
        unread: Option<(u64, String)>,
    ) -> std::result::Result<Observed, ObservedError> {
        let length = self.end - self.begin;
        for (work, since) in self.agents.values() {
            self.shifts.push((*since, self.end, *work != Work::Free));
        }
        if length < 600.0 {
            return Err(ObservedError::Little(
                "the events span less than ten minutes",
            ));
        }
        if self.talks.len() < FEWEST || self.wraps.is_empty() {
            return Err(ObservedError::Little("there are hardly any conversations"));
        }
        if self.done.len() < FEWEST {
            return Err(ObservedError::Little("there are hardly any dials"));
        }
        let warm_up_s = (length / 10.0).min(1800.0);
        let (staffed, schedule) = self.schedule();
        let scenario = Scenario {
            name: "shadow".to_owned(),
            about: "a recorded day".to_owned(),
            hours: length / 3600.0,
            warm_up_s,
            agents: staffed,
            campaign: self.campaign(config),
            second: None,
            schedule,
            pause: None,
            outages: Vec::new(),
            inbound: None,
            max_lines: config.max_lines.max(1),
            drop_after_s: self.drop_after_s(),
            tells_ringing: false,
            target: None,
        };
        scenario.check()?;
        Ok(Observed {
            outcome: self.outcome(warm_up_s, length),
            scenario,
            unread,
        })
    }

    fn outcome(&self, warm_up_s: f64, length: f64) -> Outcome {
        let mut tally = Tally::new(warm_up_s, length);
        for (from, to, busy) in &self.shifts {
            tally.staffed(from - self.begin, to - self.begin, *busy);
        }
        for (answered, waited, connected) in &self.people {
            tally.person(answered - self.begin, *waited, *connected);
        }
        for at in &self.dialed {
            tally.dialed += 1;
            tally.counts.dials += u64::from(tally.counts_at(at - self.begin));
        }
        for done in &self.done {
            tally.ended += 1;
            let counted = u64::from(tally.counts_at(done.at + done.after - self.begin));
            let counts = &mut tally.counts;
            match done.result {
                Result::Human => {}
                Result::Machine => counts.machines += counted,
                Result::NoAnswer => counts.unanswered += counted,
                Result::Failed => counts.failed += counted,
                Result::Cancelled => counts.cancelled += counted,
            }
        }
        tally.outcome(0, self.dials.len() as u64)
    }

    /// After how long people were dropped, where enough were to tell.
    fn drop_after_s(&self) -> Option<f64> {
        let waits = self.people.iter().filter(|(_, _, connected)| !connected);
        median(waits.map(|(_, waited, _)| *waited).collect(), 5).filter(|after| *after > 0.0)
    }

    /// Agents at the start, and the most of each five minutes from then on.
    fn schedule(&self) -> (u32, Vec<Staffing>) {
        let mut bins: Vec<usize> = Vec::new();
        let (mut at, mut present) = (self.begin, 0);
        let mut changes = self.staffing.iter().peekable();
        while at < self.end {
            let mut most = present;
            while let Some((_, agents)) = changes.next_if(|(when, _)| *when < at + BIN_S) {
                present = *agents;
                most = most.max(present);
            }
            bins.push(most);
            at += BIN_S;
        }
        let agents = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let mut schedule = Vec::new();
        let mut before = bins.first().copied().unwrap_or(1).max(1);
        let first = agents(before);
        let mut at_s = 0.0;
        for count in bins {
            let count = if at_s == 0.0 { before } else { count };
            if count != before {
                schedule.push(Staffing {
                    at_s,
                    agents: agents(count),
                });
                before = count;
            }
            at_s += BIN_S;
        }
        (first, schedule)
    }

    fn campaign(&self, config: &Config) -> Campaign {
        let all = Rates::of(self.done.iter().copied());
        let mut steps = Vec::new();
        let mut at_s = 0.0;
        while self.begin + at_s < self.end {
            let from = self.begin + at_s;
            let hour = |done: &&Done| (from..from + RATE_S).contains(&done.at);
            let rates = Rates::of(self.done.iter().filter(hour).copied());
            if rates.dials >= FEWEST {
                steps.push(Step {
                    at_s,
                    human: Some(rates.human),
                    machine: Some(rates.machine),
                    failed: Some(rates.failed),
                });
            }
            at_s += RATE_S;
        }
        let timeout_s = self
            .median(Result::NoAnswer)
            .unwrap_or(config.ring_timeout_s)
            .max(1.0);
        Campaign {
            share: 1.0,
            human: all.human,
            machine: all.machine,
            failed: all.failed,
            steps,
            talk: measured(self.talks.clone()),
            wrap: measured(self.wraps.clone()),
            ring: Ring::Measured(Measured {
                samples: if all.answer_s.is_empty() {
                    vec![timeout_s / 2.0]
                } else {
                    all.answer_s
                },
            }),
            ring_timeout_s: timeout_s,
            detection_s: self.detection(),
            setup_s: 0.0,
            failure_s: self.median(Result::Failed).unwrap_or(2.0),
            list: None,
        }
    }

    fn median(&self, result: Result) -> Option<f64> {
        let done = self.done.iter().filter(|done| done.result == result);
        median(done.map(|done| done.after).collect(), 1)
    }

    /// How much later a machine is known than a person: measured where the answer was
    /// told first, otherwise the difference of the means.
    fn detection(&self) -> f64 {
        let mean = |times: &mut dyn Iterator<Item = f64>| {
            let (sum, count) =
                times.fold((0.0, 0.0), |(sum, count), time| (sum + time, count + 1.0));
            (count > 0.0).then_some(sum / count)
        };
        let told = mean(&mut self.detections.iter().copied()).unwrap_or(0.0);
        if told > 0.0 {
            return told;
        }
        let of = |result| {
            mean(
                &mut self
                    .done
                    .iter()
                    .filter(|done| done.result == result)
                    .map(|done| done.after),
            )
        };
        match (of(Result::Machine), of(Result::Human)) {
            (Some(machine), Some(human)) => (machine - human).max(0.0),
            _ => 0.0,
        }
    }
}

/// The median, of so many at least.
fn median(mut times: Vec<f64>, fewest: usize) -> Option<f64> {
    times.sort_by(f64::total_cmp);
    times
        .get(times.len() / 2)
        .copied()
        .filter(|_| times.len() >= fewest)
}

fn measured(mut samples: Vec<f64>) -> Duration {
    samples.sort_by(f64::total_cmp);
    if samples.len() > SAMPLES {
        // Quantiles, evenly.
        let step = samples.len() / SAMPLES + 1;
        samples = samples.into_iter().skip(step / 2).step_by(step).collect();
    }
    Duration::Measured(Measured { samples })
}

/// What becomes of dials that nobody gives up.
#[derive(Debug)]
struct Rates {
    dials: usize,
    human: f64,
    machine: f64,
    failed: f64,
    /// Times to the answer of a person, as quantiles.
    answer_s: Vec<f64>,
}

impl Rates {
    /// By the Aalen-Johansen estimator, for which a line that was given up says only that
    /// nothing had become of it until then.
    fn of(done: impl Iterator<Item = Done>) -> Self {
        let mut done: Vec<Done> = done.collect();
        done.sort_by(|a, b| a.after.total_cmp(&b.after));
        #[expect(clippy::cast_precision_loss, reason = "the dials of a day")]
        let total = done.len() as f64;
        let (mut at_risk, mut left) = (total, 1.0);
        let (mut human, mut machine, mut failed) = (0.0, 0.0, 0.0);
        let mut answers = Vec::new();
        for dial in &done {
            let mass = left / at_risk;
            at_risk -= 1.0;
            let share = match dial.result {
                Result::Human => &mut human,
                Result::Machine => &mut machine,
                Result::Failed => &mut failed,
                Result::NoAnswer => {
                    left -= mass;
                    continue;
                }
                Result::Cancelled => continue,
            };
            *share += mass;
            left -= mass;
            if dial.result == Result::Human {
                answers.push((dial.after, human));
            }
        }
        let not_human = (1.0 - human).max(f64::MIN_POSITIVE);
        let machine = (machine / not_human).clamp(0.0, 1.0);
        Self {
            dials: done.len(),
            human: human.clamp(0.0, 1.0),
            machine,
            failed: (failed / not_human).clamp(0.0, 1.0 - machine),
            answer_s: quantiles(&answers, human),
        }
    }
}

/// Evenly spaced quantiles of a cumulated distribution.
#[expect(clippy::cast_precision_loss, reason = "a thousand")]
fn quantiles(cumulated: &[(f64, f64)], total: f64) -> Vec<f64> {
    let count = cumulated.len().min(SAMPLES);
    let mut points = cumulated.iter().peekable();
    (0..count)
        .filter_map(|index| {
            let wanted = (index as f64 + 0.5) / count as f64 * total;
            while points.next_if(|(_, sum)| *sum < wanted).is_some() {}
            points.peek().map(|(time, _)| *time)
        })
        .collect()
}
