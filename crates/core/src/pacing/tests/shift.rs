//! A small simulated shift: agents, lines, people, and nothing else.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
};

use crate::pacing::{Action, AnsweredBy, Config, Event, LineEnd, Pacer, Segment};

/// Who works on which list.
#[derive(Debug, Clone)]
pub(super) struct Shift {
    pub(super) agents: u32,
    pub(super) human: f64,
    /// From then on, this share of lines is answered by people.
    pub(super) step: Option<(f64, f64)>,
    pub(super) tells_ringing: bool,
}

/// What came of it. The first half hour does not count for the occupancy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Paced {
    pub(super) occupancy: f64,
    pub(super) people: u32,
    pub(super) late: u32,
    pub(super) given_up: u32,
    pub(super) shortest_given_up: f64,
    pub(super) most_lines: usize,
    pub(super) most_in_a_second: usize,
}

impl Paced {
    pub(super) fn late_share(&self) -> f64 {
        f64::from(self.late) / f64::from(self.people.max(1))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Ring(u64),
    Person(u64),
    Machine(u64),
    Failed(u64),
    Unanswered(u64),
    Drop(u64),
    TalkOver(u32, u64),
    WrapOver(u32),
    Tick,
}

/// Microseconds order events.
fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}

struct Random(u64);

impl Random {
    /// `SplitMix64`, in (0, 1).
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn lognormal(&mut self, mean: f64, cv: f64) -> f64 {
        let variance = (cv * cv).ln_1p();
        (mean.ln() - variance / 2.0 + variance.sqrt() * self.normal()).exp()
    }
}

struct World {
    shift: Shift,
    random: Random,
    pacer: Pacer<u64, u32>,
    now: f64,
    due: BinaryHeap<Reverse<(u64, u64, Next)>>,
    count: u64,
    free: VecDeque<u32>,
    /// Since when each line in flight rings, if it does.
    ringing: BTreeMap<u64, f64>,
    /// Who waits, since when.
    waiting: VecDeque<(u64, f64)>,
    lines: usize,
    dialed: VecDeque<f64>,
    paced: Paced,
}

const WARM_UP_S: f64 = 1_800.0;
const SETUP_S: f64 = 1.5;

impl Shift {
    pub(super) fn new(agents: u32, human: f64) -> Self {
        Self {
            agents,
            human,
            step: None,
            tells_ringing: true,
        }
    }

    pub(super) fn run(&self, config: Config, seed: u64, hours: f64) -> Paced {
        let mut world = World {
            shift: self.clone(),
            random: Random(seed),
            pacer: Pacer::new(config, seed),
            now: 0.0,
            due: BinaryHeap::new(),
            count: 0,
            free: VecDeque::new(),
            ringing: BTreeMap::new(),
            waiting: VecDeque::new(),
            lines: 0,
            dialed: VecDeque::new(),
            paced: Paced {
                shortest_given_up: f64::INFINITY,
                ..Paced::default()
            },
        };
        for agent in 0..self.agents {
            world.freed(agent);
        }
        world.after(0.0, Next::Tick);
        let mut idle_s = 0.0;
        while let Some(Reverse((at, _, next))) = world.due.pop() {
            let at = at as f64 / 1e6;
            if at > hours * 3_600.0 {
                break;
            }
            idle_s += world.free.len() as f64 * (at - world.now.max(WARM_UP_S)).max(0.0);
            world.now = at;
            world.happen(next);
            world.act();
        }
        let logged_in = f64::from(self.agents) * (hours * 3_600.0 - WARM_UP_S);
        world.paced.occupancy = 1.0 - idle_s / logged_in;
        world.paced
    }
}

impl World {
    fn after(&mut self, seconds: f64, next: Next) {
        self.count += 1;
        self.due
            .push(Reverse((micros(self.now + seconds), self.count, next)));
    }

    fn tell(&mut self, event: &Event<u64, u32>) {
        self.pacer.handle(self.now, event);
    }

    fn freed(&mut self, agent: u32) {
        self.tell(&Event::AgentAvailable(agent));
        match self.waiting.pop_front() {
            Some((line, _)) => self.connect(line, agent),
            None => self.free.push_back(agent),
        }
    }

    fn connect(&mut self, line: u64, agent: u32) {
        self.tell(&Event::Connected(line, agent));
        self.tell(&Event::AgentBusy(agent));
        let talk = self.random.lognormal(120.0, 1.0);
        self.after(talk, Next::TalkOver(agent, line));
    }

    fn gone(&mut self, line: u64, end: LineEnd) {
        self.lines -= 1;
        self.tell(&Event::Ended(line, end));
    }

    fn happen(&mut self, next: Next) {
        match next {
            Next::Ring(line) => {
                if let Some(since) = self.ringing.get_mut(&line) {
                    *since = self.now;
                    if self.shift.tells_ringing {
                        self.tell(&Event::Ringing(line));
                    }
                }
            }
            Next::Person(line) => {
                if self.ringing.remove(&line).is_some() {
                    self.paced.people += 1;
                    self.tell(&Event::Answered(line, AnsweredBy::Human));
                    match self.free.pop_front() {
                        Some(agent) => self.connect(line, agent),
                        None => {
                            self.waiting.push_back((line, self.now));
                            self.after(2.0, Next::Drop(line));
                        }
                    }
                }
            }
            Next::Machine(line) => {
                if self.ringing.remove(&line).is_some() {
                    self.tell(&Event::Answered(line, AnsweredBy::Machine));
                    self.gone(line, LineEnd::Completed);
                }
            }
            Next::Failed(line) => {
                if self.ringing.remove(&line).is_some() {
                    self.gone(line, LineEnd::Failed);
                }
            }
            Next::Unanswered(line) => {
                if self.ringing.remove(&line).is_some() {
                    self.gone(line, LineEnd::NoAnswer);
                }
            }
            Next::Drop(line) => {
                if self
                    .waiting
                    .front()
                    .is_some_and(|(first, _)| *first == line)
                {
                    self.waiting.pop_front();
                    self.paced.late += 1;
                    self.tell(&Event::Abandoned(line));
                    self.gone(line, LineEnd::Completed);
                }
            }
            Next::TalkOver(agent, line) => {
                self.gone(line, LineEnd::Completed);
                self.tell(&Event::AgentWrap(agent));
                let wrap = self.random.lognormal(20.0, 0.7);
                self.after(wrap, Next::WrapOver(agent));
            }
            Next::WrapOver(agent) => self.freed(agent),
            Next::Tick => {
                self.tell(&Event::Tick);
                let at = self.pacer.poll_timeout().unwrap_or(self.now + 1.0);
                self.after(at - self.now, Next::Tick);
            }
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.pacer.poll_action() {
            match action {
                Action::Dial(lines) => (0..lines).for_each(|_| self.dial()),
                Action::Cancel(line) => {
                    if let Some(since) = self.ringing.remove(&line) {
                        let rung = self.now - since;
                        self.paced.given_up += 1;
                        self.paced.shortest_given_up = self.paced.shortest_given_up.min(rung);
                        self.gone(line, LineEnd::Cancelled);
                    }
                }
            }
        }
    }

    fn dial(&mut self) {
        self.count += 1;
        let line = self.count;
        self.lines += 1;
        self.paced.most_lines = self.paced.most_lines.max(self.lines);
        self.dialed.push_back(self.now);
        while self.dialed.front().is_some_and(|at| *at <= self.now - 1.0) {
            self.dialed.pop_front();
        }
        self.paced.most_in_a_second = self.paced.most_in_a_second.max(self.dialed.len());
        self.tell(&Event::Dialed(line, Segment::default()));
        self.ringing.insert(line, f64::INFINITY);
        self.after(SETUP_S, Next::Ring(line));
        let human = match self.shift.step {
            Some((at, human)) if self.now >= at => human,
            Some(_) | None => self.shift.human,
        };
        let answer = SETUP_S + (11.0 + 6.0 * self.random.normal()).clamp(1.0, 25.9);
        let fate = self.random.uniform();
        if fate < human {
            self.after(answer, Next::Person(line));
        } else if fate < human + 0.35 {
            self.after(answer + 3.0, Next::Machine(line));
        } else if fate < human + 0.45 {
            self.after(SETUP_S, Next::Failed(line));
        } else {
            self.after(SETUP_S + 26.0, Next::Unanswered(line));
        }
    }
}
