//! Steps through a shift from event to event.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, VecDeque},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};
use strowger_core::pacing::{Action, AnsweredBy, Event, LineEnd, Segment};

use super::{
    draw::Sampler,
    outcome::{Outcome, Tally},
    policy::{Policy, Routing},
    scenario::{Campaign, Scenario},
};

/// A line must ring so long before it may be given up, in seconds: 16 CFR
/// 310.4(b)(4)(ii).
const MIN_RING_S: f64 = 15.0;

/// Most lines at a moment that a policy may give up in vain before it is not listened to
/// any longer: it would for ever.
const MOST_FUTILE: u32 = 10_000;

/// What will happen, and when.
#[derive(Debug)]
struct Entry {
    at: f64,
    order: u64,
    what: Happening,
}

#[derive(Debug, Clone, Copy)]
enum Happening {
    Rings(u64),
    Answers(u64),
    MachineKnown(u64),
    RingsInVain(u64),
    Fails(u64),
    Polls { line: u64, timer: f64 },
    Drops(u64),
    TalkEnds(u32),
    WrapEnds(u32),
    PauseEnds(u32),
    Step { campaign: usize, index: usize },
    Staffing(u32),
    CallerComes,
    CallerGivesUp(usize),
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    /// The earliest is the greatest, as [`BinaryHeap`] gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .at
            .total_cmp(&self.at)
            .then(other.order.cmp(&self.order))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineState {
    Dialing,
    Ringing,
    MachineUnknown,
    Waiting,
    Connected,
    Over,
}

/// What becomes of a line if nobody gives it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Human,
    Machine,
    Unanswered,
    Fails,
}

#[derive(Debug)]
struct Line {
    campaign: usize,
    state: LineState,
    fate: Fate,
    /// When it was dialed, began to ring or was answered.
    since: f64,
    ring_s: f64,
    talk_s: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AgentState {
    Out,
    Idle,
    /// With a line, or with a caller.
    Talking(Option<u64>),
    Wrapping,
    Paused,
}

#[derive(Debug)]
struct Agent {
    state: AgentState,
    since: f64,
    campaign: usize,
    leaves: bool,
}

#[derive(Debug)]
struct Dialed {
    model: Campaign,
    talk: Sampler,
    wrap: Sampler,
    ring: Sampler,
    routing: Routing,
    left: Option<u64>,
    /// Answered people without an agent, the first first.
    waiting: VecDeque<u64>,
    /// What to tell its policy.
    news: VecDeque<Event<u64, u32>>,
}

#[derive(Debug)]
struct Caller {
    came: f64,
    waiting: bool,
}

#[derive(Debug)]
struct Inbound {
    between: Exp<f64>,
    patience: Exp<f64>,
    talk: Sampler,
    callers: Vec<Caller>,
    queue: VecDeque<usize>,
}

struct World<'s> {
    scenario: &'s Scenario,
    now: f64,
    order: u64,
    agenda: BinaryHeap<Entry>,
    campaigns: Vec<Dialed>,
    lines: Vec<Line>,
    open: u32,
    agents: Vec<Agent>,
    pause: Option<Sampler>,
    inbound: Option<Inbound>,
    fates: ChaCha8Rng,
    talks: ChaCha8Rng,
    rest: ChaCha8Rng,
    tally: Tally,
}

/// Runs a shift of one campaign. A second campaign of the scenario is not dialed: see
/// [`run_shared`].
pub fn run(scenario: &Scenario, policy: &mut dyn Policy, seed: u64) -> Outcome {
    World::new(scenario, &[policy.routing()], seed).run(&mut [policy], seed)
}

/// Runs a shift of two campaigns that share the agents, each with its own policy.
pub fn run_shared(scenario: &Scenario, policies: [&mut dyn Policy; 2], seed: u64) -> Outcome {
    let routings = policies.each_ref().map(|policy| policy.routing());
    let [first, second] = policies;
    World::new(scenario, &routings, seed).run(&mut [first, second], seed)
}

fn stream(seed: u64, number: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    rng
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, routings: &[Routing], seed: u64) -> Self {
        let campaigns = [Some(&scenario.campaign), scenario.second.as_ref()]
            .into_iter()
            .flatten()
            .zip(routings)
            .map(|(model, routing)| Dialed {
                talk: model.talk.sampler(),
                wrap: model.wrap.sampler(),
                ring: model.ring.sampler(model.ring_timeout_s),
                routing: Routing {
                    drop_after_s: scenario.drop_after_s.unwrap_or(routing.drop_after_s),
                    ..*routing
                },
                left: model.list,
                waiting: VecDeque::new(),
                news: VecDeque::new(),
                model: model.clone(),
            })
            .collect();
        let inbound = scenario.inbound.as_ref().and_then(|inbound| {
            Some(Inbound {
                between: Exp::new(inbound.per_hour / 3600.0).ok()?,
                patience: Exp::new(1.0 / inbound.patience_s).ok()?,
                talk: inbound.talk.sampler(),
                callers: Vec::new(),
                queue: VecDeque::new(),
            })
        });
        Self {
            scenario,
            now: 0.0,
            order: 0,
            agenda: BinaryHeap::new(),
            campaigns,
            lines: Vec::new(),
            open: 0,
            agents: Vec::new(),
            pause: scenario.pause.as_ref().map(|pause| pause.length.sampler()),
            inbound,
            fates: stream(seed, 0),
            talks: stream(seed, 1),
            rest: stream(seed, 2),
            tally: Tally::new(scenario.warm_up_s, scenario.hours * 3600.0),
        }
    }

    fn plan(&mut self, delay: f64, what: Happening) {
        self.order += 1;
        self.agenda.push(Entry {
            at: self.now + delay,
            order: self.order,
            what,
        });
    }

    fn tell(&mut self, campaign: usize, event: Event<u64, u32>) {
        if let Some(campaign) = self.campaigns.get_mut(campaign) {
            campaign.news.push_back(event);
        }
    }

    fn run(mut self, policies: &mut [&mut dyn Policy], seed: u64) -> Outcome {
        let end = self.scenario.hours * 3600.0;
        self.begin();
        let mut wakes = vec![None; policies.len()];
        loop {
            self.consult(policies, &mut wakes);
            let due = self.agenda.peek().map_or(f64::INFINITY, |entry| entry.at);
            let wake = wakes
                .iter()
                .flatten()
                .copied()
                .fold(f64::INFINITY, f64::min);
            self.now = due.min(wake);
            if self.now >= end {
                self.now = end;
                break;
            }
            if due <= wake {
                if let Some(entry) = self.agenda.pop() {
                    self.happen(entry.what);
                }
            } else {
                for (campaign, at) in wakes.iter().enumerate() {
                    if at.is_some_and(|at| at <= wake) {
                        self.tell(campaign, Event::Tick);
                    }
                }
            }
        }
        for agent in &self.agents {
            account(&mut self.tally, agent, end);
        }
        self.tally.outcome(seed, u64::from(self.open))
    }

    fn begin(&mut self) {
        self.staff(self.scenario.agents);
        for staffing in &self.scenario.schedule {
            self.plan(staffing.at_s, Happening::Staffing(staffing.agents));
        }
        for campaign in 0..self.campaigns.len() {
            let times: Vec<f64> = self
                .campaigns
                .get(campaign)
                .map(|dialed| dialed.model.steps.iter().map(|step| step.at_s).collect())
                .unwrap_or_default();
            for (index, at) in times.into_iter().enumerate() {
                self.plan(at, Happening::Step { campaign, index });
            }
        }
        self.next_caller();
    }

    /// Tells each policy its news and carries out what it wants.
    fn consult(&mut self, policies: &mut [&mut dyn Policy], wakes: &mut [Option<f64>]) {
        for (campaign, (policy, wake)) in policies.iter_mut().zip(wakes).enumerate() {
            let (mut heard, mut refused, mut futile) = (false, false, 0);
            loop {
                while let Some(event) = self
                    .campaigns
                    .get_mut(campaign)
                    .and_then(|campaign| campaign.news.pop_front())
                {
                    policy.handle(self.now, &event);
                    heard = true;
                }
                // Who is refused lines is not asked again before something happens.
                if refused || (!heard && self.now > 0.0) {
                    break;
                }
                match policy.poll_action() {
                    Some(Action::Dial(lines)) => refused = self.dial(campaign, lines) < lines,
                    Some(Action::Cancel(line)) => {
                        if !self.cancel(campaign, line) {
                            futile += 1;
                            refused = futile > MOST_FUTILE;
                        }
                    }
                    None => break,
                }
            }
            if heard {
                // A policy that asks for the past is woken at once, not for ever.
                *wake = policy.poll_timeout().map(|at| at.max(self.now + 0.001));
            }
        }
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Rings(line) => self.rings(line),
            Happening::Answers(line) => self.answers(line),
            Happening::MachineKnown(line) => self.machine_known(line),
            Happening::RingsInVain(line) => {
                if self.is(line, LineState::Ringing) {
                    if self.tally.counts_at(self.now) {
                        self.tally.counts.unanswered += 1;
                    }
                    self.end_line(line, LineEnd::NoAnswer);
                }
            }
            Happening::Fails(line) => {
                if self.is(line, LineState::Dialing) {
                    if self.tally.counts_at(self.now) {
                        self.tally.counts.failed += 1;
                    }
                    self.end_line(line, LineEnd::Failed);
                }
            }
            Happening::Polls { line, timer } => self.polls(line, timer),
            Happening::Drops(line) => {
                if self.is(line, LineState::Waiting) {
                    self.drop_person(line);
                }
            }
            Happening::TalkEnds(agent) => self.talk_ends(agent),
            Happening::WrapEnds(agent) | Happening::PauseEnds(agent) => self.is_free(agent, what),
            Happening::Step { campaign, index } => self.step(campaign, index),
            Happening::Staffing(agents) => self.staff(agents),
            Happening::CallerComes => self.caller_comes(),
            Happening::CallerGivesUp(caller) => self.caller_gives_up(caller),
        }
    }

    fn step(&mut self, campaign: usize, index: usize) {
        if let Some(dialed) = self.campaigns.get_mut(campaign)
            && let Some(step) = dialed.model.steps.get(index).cloned()
        {
            let model = &mut dialed.model;
            model.human = step.human.unwrap_or(model.human);
            model.machine = step.machine.unwrap_or(model.machine);
            model.failed = step.failed.unwrap_or(model.failed);
        }
    }
}

// Lines.
impl World<'_> {
    fn line(&self, line: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(line).ok()?)
    }

    fn line_mut(&mut self, line: u64) -> Option<&mut Line> {
        self.lines.get_mut(usize::try_from(line).ok()?)
    }

    fn is(&self, line: u64, state: LineState) -> bool {
        self.line(line).is_some_and(|line| line.state == state)
    }

    /// Dials as many lines as there are, and says how many.
    fn dial(&mut self, campaign: usize, wanted: u32) -> u32 {
        let Some(dialed) = self.campaigns.get(campaign) else {
            return 0;
        };
        let left = dialed
            .left
            .map_or(u32::MAX, |left| u32::try_from(left).unwrap_or(u32::MAX));
        let lines = wanted
            .min(left)
            .min(self.scenario.max_lines.saturating_sub(self.open));
        for _ in 0..lines {
            self.dial_one(campaign);
        }
        if let Some(left) = self
            .campaigns
            .get_mut(campaign)
            .and_then(|c| c.left.as_mut())
        {
            *left -= u64::from(lines);
        }
        if lines < wanted {
            self.tell(campaign, Event::NotDialed(wanted - lines));
        }
        lines
    }

    fn dial_one(&mut self, campaign: usize) {
        let outage = self
            .scenario
            .outages
            .iter()
            .any(|outage| (outage.from_s..outage.to_s).contains(&self.now));
        let Some(dialed) = self.campaigns.get(campaign) else {
            return;
        };
        // Every figure is drawn for every line, so that the nth line is the same
        // under each policy.
        let (who, not) = (self.fates.random::<f64>(), self.fates.random::<f64>());
        let ring_s = dialed.ring.draw(&mut self.fates);
        let talk_s = dialed.talk.draw(&mut self.fates);
        let model = &dialed.model;
        let fate = if outage {
            Fate::Fails
        } else if who < model.human {
            Fate::Human
        } else if not < model.machine {
            Fate::Machine
        } else if not < model.machine + model.failed {
            Fate::Fails
        } else {
            Fate::Unanswered
        };
        let (setup_s, failure_s) = (model.setup_s, model.failure_s);
        let line = self.lines.len() as u64;
        self.lines.push(Line {
            campaign,
            state: LineState::Dialing,
            fate,
            since: self.now,
            ring_s,
            talk_s,
        });
        self.open += 1;
        self.tally.dialed += 1;
        if self.tally.counts_at(self.now) {
            self.tally.counts.dials += 1;
        }
        match fate {
            Fate::Fails => self.plan(setup_s + failure_s, Happening::Fails(line)),
            Fate::Human | Fate::Machine | Fate::Unanswered => {
                self.plan(setup_s, Happening::Rings(line));
            }
        }
        self.tell(campaign, Event::Dialed(line, Segment::default()));
    }

    fn rings(&mut self, id: u64) {
        let now = self.now;
        let Some(line) = self.line_mut(id) else {
            return;
        };
        if line.state != LineState::Dialing {
            return;
        }
        line.state = LineState::Ringing;
        line.since = now;
        let (campaign, fate, ring_s) = (line.campaign, line.fate, line.ring_s);
        match fate {
            Fate::Human | Fate::Machine => self.plan(ring_s, Happening::Answers(id)),
            Fate::Unanswered | Fate::Fails => {
                let timeout = self
                    .campaigns
                    .get(campaign)
                    .map_or(0.0, |campaign| campaign.model.ring_timeout_s);
                self.plan(timeout, Happening::RingsInVain(id));
            }
        }
        if self.scenario.tells_ringing {
            self.tell(campaign, Event::Ringing(id));
        }
    }

    fn answers(&mut self, id: u64) {
        let now = self.now;
        let Some(line) = self.line_mut(id) else {
            return;
        };
        if line.state != LineState::Ringing {
            return;
        }
        line.since = now;
        let campaign = line.campaign;
        if line.fate == Fate::Machine {
            line.state = LineState::MachineUnknown;
            let detection_s = self
                .campaigns
                .get(campaign)
                .map_or(0.0, |campaign| campaign.model.detection_s);
            self.plan(detection_s, Happening::MachineKnown(id));
            return;
        }
        line.state = LineState::Waiting;
        self.tell(campaign, Event::Answered(id, AnsweredBy::Human));
        let Some(dialed) = self.campaigns.get_mut(campaign) else {
            return;
        };
        dialed.waiting.push_back(id);
        let routing = dialed.routing;
        if routing.polls {
            self.polls(id, 0.0);
        } else if let Some(agent) = self.longest_idle(Some(campaign)) {
            self.connect(id, agent);
        } else {
            self.plan(routing.drop_after_s, Happening::Drops(id));
        }
    }

    fn machine_known(&mut self, id: u64) {
        if !self.is(id, LineState::MachineUnknown) {
            return;
        }
        if self.tally.counts_at(self.now) {
            self.tally.counts.machines += 1;
        }
        if let Some(campaign) = self.line(id).map(|line| line.campaign) {
            self.tell(campaign, Event::Answered(id, AnsweredBy::Machine));
        }
        self.end_line(id, LineEnd::Completed);
    }

    /// VICIdial's loop of each call: looks for an agent, unless an older call waits; sleeps
    /// 0.23 s and counts 0.25, after 3 s sleeps 0.99 s and counts 1; and drops the call
    /// once the count is over the limit.
    fn polls(&mut self, id: u64, timer: f64) {
        let Some(line) = self.line(id) else {
            return;
        };
        if line.state != LineState::Waiting {
            return;
        }
        let campaign = line.campaign;
        let Some(dialed) = self.campaigns.get(campaign) else {
            return;
        };
        let is_first = dialed.waiting.front() == Some(&id);
        if timer > dialed.routing.drop_after_s {
            self.drop_person(id);
        } else if let Some(agent) = self.longest_idle(Some(campaign)).filter(|_| is_first) {
            self.connect(id, agent);
        } else {
            let (sleep, count) = if timer < 3.0 {
                (0.23, 0.25)
            } else {
                (0.99, 1.0)
            };
            self.plan(
                sleep,
                Happening::Polls {
                    line: id,
                    timer: timer + count,
                },
            );
        }
    }

    fn connect(&mut self, id: u64, agent: u32) {
        let now = self.now;
        let Some(line) = self.line_mut(id) else {
            return;
        };
        let (campaign, waited, talk_s) = (line.campaign, now - line.since, line.talk_s);
        line.state = LineState::Connected;
        if let Some(dialed) = self.campaigns.get_mut(campaign) {
            dialed.waiting.retain(|waiting| *waiting != id);
        }
        self.tally.person(now - waited, waited, true);
        self.tell(campaign, Event::Connected(id, agent));
        self.set_agent(agent, AgentState::Talking(Some(id)));
        self.plan(talk_s, Happening::TalkEnds(agent));
    }

    fn drop_person(&mut self, id: u64) {
        let now = self.now;
        let Some(line) = self.line(id) else {
            return;
        };
        let (campaign, answered) = (line.campaign, line.since);
        self.tally.person(answered, now - answered, false);
        self.tell(campaign, Event::Abandoned(id));
        if let Some(dialed) = self.campaigns.get_mut(campaign) {
            dialed.waiting.retain(|waiting| *waiting != id);
        }
        self.end_line(id, LineEnd::Completed);
    }

    /// Gives a line up, if it is of this campaign and was not answered. Says whether.
    fn cancel(&mut self, campaign: usize, id: u64) -> bool {
        let now = self.now;
        let Some(line) = self.line(id) else {
            return false;
        };
        let rung = match line.state {
            LineState::Dialing => 0.0,
            LineState::Ringing => now - line.since,
            LineState::MachineUnknown
            | LineState::Waiting
            | LineState::Connected
            | LineState::Over => return false,
        };
        if line.campaign != campaign {
            return false;
        }
        if self.tally.counts_at(now) {
            self.tally.counts.cancelled += 1;
            self.tally.counts.cancelled_early += u64::from(rung < MIN_RING_S - 1e-6);
        }
        self.end_line(id, LineEnd::Cancelled);
        true
    }

    fn end_line(&mut self, id: u64, end: LineEnd) {
        if let Some(line) = self.line_mut(id) {
            line.state = LineState::Over;
            let campaign = line.campaign;
            self.open -= 1;
            self.tally.ended += 1;
            self.tell(campaign, Event::Ended(id, end));
        }
    }
}

/// Adds the time since an agent's last change to the figures.
fn account(tally: &mut Tally, agent: &Agent, now: f64) {
    match agent.state {
        AgentState::Out | AgentState::Paused => {}
        AgentState::Idle => tally.staffed(agent.since, now, false),
        AgentState::Talking(_) | AgentState::Wrapping => tally.staffed(agent.since, now, true),
    }
}

// Agents.
impl World<'_> {
    fn agent(&self, agent: u32) -> Option<&Agent> {
        self.agents.get(usize::try_from(agent).ok()?)
    }

    /// Changes the state of an agent and tells the campaign.
    fn set_agent(&mut self, id: u32, state: AgentState) {
        let now = self.now;
        let Some(agent) = usize::try_from(id)
            .ok()
            .and_then(|index| self.agents.get_mut(index))
        else {
            return;
        };
        account(&mut self.tally, agent, now);
        agent.state = state;
        agent.since = now;
        let campaign = agent.campaign;
        let event = match state {
            AgentState::Out | AgentState::Paused => Event::AgentGone(id),
            AgentState::Idle => Event::AgentAvailable(id),
            AgentState::Talking(_) => Event::AgentBusy(id),
            AgentState::Wrapping => Event::AgentWrap(id),
        };
        self.tell(campaign, event);
    }

    /// The agent who has been idle longest, in one campaign or in any.
    fn longest_idle(&self, campaign: Option<usize>) -> Option<u32> {
        self.agents
            .iter()
            .enumerate()
            .filter(|(_, agent)| {
                agent.state == AgentState::Idle
                    && campaign.is_none_or(|campaign| agent.campaign == campaign)
            })
            .min_by(|(_, a), (_, b)| a.since.total_cmp(&b.since))
            .and_then(|(index, _)| u32::try_from(index).ok())
    }

    fn talk_ends(&mut self, id: u32) {
        let Some(agent) = self.agent(id) else {
            return;
        };
        let AgentState::Talking(line) = agent.state else {
            return;
        };
        let campaign = agent.campaign;
        if let Some(line) = line {
            self.end_line(line, LineEnd::Completed);
        }
        self.set_agent(id, AgentState::Wrapping);
        let wrap_s = match self.campaigns.get(campaign) {
            Some(dialed) => dialed.wrap.draw(&mut self.talks),
            None => 0.0,
        };
        self.plan(wrap_s, Happening::WrapEnds(id));
    }

    /// An agent has wrapped up or comes back from a pause.
    fn is_free(&mut self, id: u32, after: Happening) {
        let Some(agent) = self.agent(id) else {
            return;
        };
        if agent.leaves {
            self.leave(id);
            return;
        }
        if let (Happening::WrapEnds(_), Some(pause), Some(sampler)) =
            (after, &self.scenario.pause, &self.pause)
        {
            let (draw, pause_s) = (self.rest.random::<f64>(), sampler.draw(&mut self.rest));
            if draw < pause.chance {
                self.set_agent(id, AgentState::Paused);
                self.plan(pause_s, Happening::PauseEnds(id));
                return;
            }
        }
        self.becomes_idle(id);
    }

    fn becomes_idle(&mut self, id: u32) {
        let campaign = self.neediest_campaign(id);
        let Some(agent) = usize::try_from(id)
            .ok()
            .and_then(|index| self.agents.get_mut(index))
        else {
            return;
        };
        let before = agent.campaign;
        if before != campaign {
            agent.campaign = campaign;
            self.tell(before, Event::AgentGone(id));
        }
        self.set_agent(id, AgentState::Idle);
        let Some(dialed) = self.campaigns.get_mut(campaign) else {
            return;
        };
        if !dialed.routing.polls
            && let Some(line) = dialed.waiting.front().copied()
        {
            self.connect(line, id);
        } else {
            self.take_caller(id);
        }
    }

    /// The campaign with the fewest agents for its share, this one not counted. One
    /// whose list is over, with nothing on its lines, needs none.
    fn neediest_campaign(&self, id: u32) -> usize {
        let mut counts = vec![0.0_f64; self.campaigns.len()];
        for (index, agent) in self.agents.iter().enumerate() {
            if agent.state != AgentState::Out
                && u32::try_from(index) != Ok(id)
                && let Some(count) = counts.get_mut(agent.campaign)
            {
                *count += 1.0;
            }
        }
        self.campaigns
            .iter()
            .zip(counts)
            .enumerate()
            .filter(|(_, (dialed, _))| dialed.left != Some(0))
            .min_by(|(_, (a, in_a)), (_, (b, in_b))| {
                (in_a / a.model.share).total_cmp(&(in_b / b.model.share))
            })
            .map_or(0, |(index, _)| index)
    }

    fn leave(&mut self, id: u32) {
        if let Some(agent) = usize::try_from(id)
            .ok()
            .and_then(|index| self.agents.get_mut(index))
        {
            agent.leaves = false;
        }
        self.set_agent(id, AgentState::Out);
    }

    /// Brings the number of agents to what it should be.
    fn staff(&mut self, wanted: u32) {
        while self.agents.len() < wanted as usize {
            self.agents.push(Agent {
                state: AgentState::Out,
                since: self.now,
                campaign: 0,
                leaves: false,
            });
        }
        // The first agents stay, the last leave.
        for id in 0..u32::try_from(self.agents.len()).unwrap_or(u32::MAX) {
            let Some(agent) = usize::try_from(id)
                .ok()
                .and_then(|index| self.agents.get_mut(index))
            else {
                continue;
            };
            let stays = id < wanted;
            agent.leaves = !stays && agent.state != AgentState::Out;
            match (stays, agent.state) {
                (true, AgentState::Out) => self.becomes_idle(id),
                (false, AgentState::Idle) => self.leave(id),
                (
                    true,
                    AgentState::Idle
                    | AgentState::Talking(_)
                    | AgentState::Wrapping
                    | AgentState::Paused,
                )
                | (
                    false,
                    AgentState::Out
                    | AgentState::Talking(_)
                    | AgentState::Wrapping
                    | AgentState::Paused,
                ) => {}
            }
        }
    }
}

// Callers.
impl World<'_> {
    fn next_caller(&mut self) {
        if let Some(inbound) = &self.inbound {
            let delay = inbound.between.sample(&mut self.rest);
            self.plan(delay, Happening::CallerComes);
        }
    }

    fn caller_comes(&mut self) {
        self.next_caller();
        let now = self.now;
        let Some(inbound) = &mut self.inbound else {
            return;
        };
        let caller = inbound.callers.len();
        let patience_s = inbound.patience.sample(&mut self.rest);
        inbound.callers.push(Caller {
            came: now,
            waiting: true,
        });
        inbound.queue.push_back(caller);
        match self.longest_idle(None) {
            Some(agent) => self.take_caller(agent),
            None => self.plan(patience_s, Happening::CallerGivesUp(caller)),
        }
    }

    /// An idle agent takes the caller who has waited longest, if there is one.
    fn take_caller(&mut self, agent: u32) {
        let now = self.now;
        let Some(inbound) = &mut self.inbound else {
            return;
        };
        let Some(caller) = inbound
            .queue
            .pop_front()
            .and_then(|caller| inbound.callers.get_mut(caller))
        else {
            return;
        };
        caller.waiting = false;
        let came = caller.came;
        let talk_s = inbound.talk.draw(&mut self.rest);
        if self.tally.counts_at(came) {
            self.tally.counts.callers_served += 1;
            self.tally.callers_wait_s += now - came;
        }
        self.set_agent(agent, AgentState::Talking(None));
        self.plan(talk_s, Happening::TalkEnds(agent));
    }

    fn caller_gives_up(&mut self, caller: usize) {
        let counts = self.tally.counts_at(self.now);
        let Some(inbound) = &mut self.inbound else {
            return;
        };
        if inbound
            .callers
            .get(caller)
            .is_some_and(|caller| caller.waiting)
        {
            inbound.queue.retain(|waiting| *waiting != caller);
            self.tally.counts.callers_lost += u64::from(counts);
        }
    }
}
