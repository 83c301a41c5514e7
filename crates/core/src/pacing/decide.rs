//! How many lines to dial, and which to give up.
//!
//! One more line is dialed while the chance that its person would be late,
//! `int g(t) P(B(t) <= 0) dt`, is at most the accepted risk: `g` is when its person would
//! answer, `B(t)` the balance of free agents less people at that time, from everything
//! that is known of each agent and of each line in flight. A line that has rung for the
//! least time is given up when the same chance, for what is left of its ring, is beyond
//! what any line in flight may have.

use super::{
    Action, Key, Pacer,
    forecast::{Forecast, Row, STEPS, time_of},
    lines::{Line, Stage},
};

/// Seconds between looks at what was learned of agents.
const REFRESH_S: f64 = 5.0;
/// Most lines of one decision. The next is at most a tick away.
const MOST: usize = 200;
/// A line in flight is kept up to so many times the risk that one is dialed at: it can
/// no longer be had later.
const KEEP: f64 = 2.5;
/// Share of the threshold that is counted on: connecting takes time too.
const GRACE: f64 = 0.9;

impl<L: Key, A: Key> Pacer<L, A> {
    pub(super) fn decide(&mut self) {
        if self.agents.len() == 0 {
            return;
        }
        self.learn();
        let mut balance = self.balance();
        let risk = self.budget.risk(&self.config);
        self.give_up(&balance, (KEEP * risk).min(0.9));

        let new = self.new_row();
        // Later it may be given up, should nobody be free for its person then.
        let steps = steps_within(self.config.min_ring_s + self.config.setup_s);
        let late = |none: &Row| late(&new[..steps], none);
        let in_flight = balance.in_flight;
        let careful = balance.idle.saturating_sub(balance.waiting + in_flight);
        let room = (self.config.max_lines as usize)
            .saturating_sub(self.lines.len() + self.asked() as usize)
            .min(self.tokens as usize)
            .min(MOST);
        let mut lines = 0;
        self.chance = late(&balance.forecast.none());
        let mut chance = self.chance;
        while lines < room && (lines < careful || (chance <= risk && !self.answers.outage())) {
            lines += 1;
            balance.forecast.answered(&new);
            chance = late(&balance.forecast.none());
        }
        if let (true, Ok(count @ 1..)) = (self.now >= self.hold_until, u32::try_from(lines)) {
            self.tokens -= f64::from(count);
            self.asked.push_back((self.now, count));
            self.actions.push_back(Action::Dial(count));
        }
    }

    fn learn(&mut self) {
        if self.now - self.refreshed >= REFRESH_S {
            self.refreshed = self.now;
            let grace = GRACE * self.config.threshold_s - self.answers.detection_s();
            self.agents.refresh(self.now, grace.max(0.0));
            let hourly = self.agents.len() as f64 * 3_600.0 / self.agents.handle_time().max(1.0);
            self.budget.expect(hourly);
        }
        self.answers.refresh();
    }

    /// The balance of everything in flight.
    fn balance(&self) -> Balance<L> {
        let waiting = self.lines.values().filter(|line| line.waits()).count();
        let ringing = self.lines.values().filter(|line| line.may_answer()).count();
        let idle = self.agents.idle();
        let asked = self.asked();
        let in_flight = ringing + asked as usize;
        let mut forecast = Forecast::new(idle as i64 - waiting as i64);
        for row in self.agents.rows(self.now) {
            forecast.freed(row);
        }
        let vanishing = self.agents.vanishing();
        if vanishing > 0.0 {
            let row = std::array::from_fn(|k| 1.0 - (-vanishing * time_of(k)).exp());
            for _ in 0..idle {
                forecast.answered(&row);
            }
        }
        let mut by_age = vec![None; self.answers.cells()];
        let mut oldest: Option<(f64, &L, Row)> = None;
        for (key, line) in self.lines.iter().filter(|(_, line)| line.may_answer()) {
            let row = self.row(line, &mut by_age);
            forecast.answered(&row);
            if self.may_give_up(line) && oldest.as_ref().is_none_or(|o| line.dialed < o.0) {
                oldest = Some((line.dialed, key, row));
            }
        }
        let new = self.new_row();
        for _ in 0..asked {
            forecast.answered(&new);
        }
        let oldest = oldest.map(|(_, key, row)| (key.clone(), row));
        Balance {
            forecast,
            oldest,
            idle,
            waiting,
            in_flight,
        }
    }

    fn may_give_up(&self, line: &Line) -> bool {
        let rung = match line.rings_since {
            Some(since) => self.now - since,
            None => self.now - line.dialed - self.config.setup_s,
        };
        line.stage == Stage::Ringing && rung >= self.config.min_ring_s
    }

    /// Gives the oldest line up when it is too likely to be answered for nobody. Others
    /// follow at the next decision, when its absence is seen.
    fn give_up(&mut self, balance: &Balance<L>, above: f64) {
        let Some((key, row)) = &balance.oldest else {
            return;
        };
        if late(row, &balance.forecast.none()) > above {
            if let Some(line) = self.lines.get_mut(key) {
                line.given_up = true;
            }
            self.actions.push_back(Action::Cancel(key.clone()));
        }
    }

    /// Chances that a person answers `line` by the times looked at. What lines of the same
    /// age have in common is worked out once and kept in `by_age`.
    fn row(&self, line: &Line, by_age: &mut [Option<Row>]) -> Row {
        match line.stage {
            Stage::Ringing => {
                let age = self.now - line.dialed;
                let relative = self.answers.relative(line.segment);
                let common = by_age[self.answers.cell(age)].get_or_insert_with(|| {
                    std::array::from_fn(|k| self.answers.chance(age, time_of(k)))
                });
                common.map(|chance| (relative * chance).min(0.98))
            }
            Stage::Detecting { since } => {
                std::array::from_fn(|k| self.answers.detected(self.now - since, time_of(k)))
            }
            Stage::Waiting { .. } | Stage::Connected | Stage::Over => [0.0; STEPS],
        }
    }

    fn new_row(&self) -> Row {
        std::array::from_fn(|k| self.answers.chance(0.0, time_of(k)))
    }
}

struct Balance<L> {
    forecast: Forecast,
    /// The line that has rung longest of those that may be given up, and its chances.
    oldest: Option<(L, Row)>,
    idle: usize,
    waiting: usize,
    in_flight: usize,
}

/// Number of the times looked at that are within `seconds` from now: one at least.
fn steps_within(seconds: f64) -> usize {
    (0..STEPS)
        .take_while(|k| time_of(*k) < seconds)
        .count()
        .max(1)
}

/// Chance that a person who answers as `row` tells finds no agent in time, given the
/// chances that there is `none`.
fn late(row: &[f64], none: &Row) -> f64 {
    let (mut late, mut before) = (0.0, 0.0);
    for (k, (at, none)) in row.iter().zip(none).enumerate() {
        // The chance at the end of the step, whose middle is the `k`th time.
        let by = match row.get(k + 1) {
            Some(next) => f64::midpoint(*at, *next),
            None => *at,
        };
        late += (by - before).max(0.0) * none;
        before = by.max(before);
    }
    if before > 0.0 { late / before } else { none[0] }
}
