//! Spending the abandonment budget.
//!
//! The price of a late person is paid through one number, the *risk*: the highest chance
//! of being late that one more person is dialed at. It is controlled so that the count of
//! late people follows the share of all people that the limit allows, and it falls to
//! nothing before the limit is reached.
//!
//! With `H` people and `L` late ones in the window and the limit `p`, the *credit* `C`
//! grows by `p` with each person and falls by one with each late one. The risk is
//! `exp(I + a C / s)`, where `I` integrates `C / s` over time and `s = sqrt(p H_hour)` is
//! the chance fluctuation of an hour's late people: the dual ascent of a Lagrangian
//! (Bertsekas, *Nonlinear Programming*, ch. 6) with a proportional term that damps it.
//! Credit beyond 0.8 `s` is forgone: what a quiet hour did not spend is no licence for a
//! burst in the next.
//!
//! Before that wish is granted it is cut by the room left under an upper bound of `L`:
//! `L + 1 + z sqrt(p H) <= p H`, which allows for those who are in flight already; and by
//! what the last hour has left, so that no hour is far beyond the limit.

use std::collections::VecDeque;

use super::{Config, Past, hazard::normal};

/// Risk at the start, before the controller has learned.
const START: f64 = 0.035;
/// Risk when there is no room: the chance that a careful one-to-one dialer takes too.
const CAREFUL: f64 = 0.001;
/// Highest risk.
const BOLDEST: f64 = 0.3;
/// Share of the limit aimed at.
const SHARE: f64 = 0.99;
/// Deviations of an hour's late count that are kept as credit.
const MOST_CREDIT: f64 = 0.8;
/// Deviations of the late count that are kept free under the limit.
const MARGIN: f64 = 0.45;
/// Part of the logarithm of the risk that answers at once to the credit.
const PROPORTIONAL: f64 = 0.12;
/// Part of it that is learned, per hour.
const INTEGRAL: f64 = 0.4;
/// No hour is to have more late people than this, in limits: a window that ends within the
/// limit on average may not hide a bad hour.
const WORST_HOUR: f64 = 1.17;
/// Over how many limits the risk falls before that.
const HOUR_SLOPE: f64 = 0.25;
/// Seconds of an hour, and of its bins.
const HOUR_S: f64 = 3_600.0;
const HOUR_BIN_S: f64 = 150.0;
/// Bins of the window.
const BINS: f64 = 96.0;
/// Late people come in bursts: variance of their count over its mean.
const BURSTS: f64 = 3.0;

#[derive(Debug, Clone, Copy)]
struct Bin {
    start: f64,
    answered: f64,
    late: f64,
}

/// Counts people and late people over the window and sets the accepted risk.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    bins: VecDeque<Bin>,
    answered: f64,
    late: f64,
    level: f64,
    credit: f64,
    hourly: f64,
    /// The last hour.
    hour: VecDeque<Bin>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self {
            bins: VecDeque::new(),
            answered: 0.0,
            late: 0.0,
            level: START.ln(),
            credit: 0.0,
            hourly: 100.0,
            hour: VecDeque::new(),
        }
    }

    pub(super) fn answered(&self) -> f64 {
        self.answered
    }

    pub(super) fn late(&self) -> f64 {
        self.late
    }

    /// Forgets what left the window.
    pub(super) fn advance(&mut self, now: f64, window_s: f64) {
        let width = window_s / BINS;
        if self.bins.back().is_none_or(|bin| now >= bin.start + width) {
            self.bins.push_back(Bin {
                start: now,
                answered: 0.0,
                late: 0.0,
            });
        }
        if self
            .hour
            .back()
            .is_none_or(|bin| now >= bin.start + HOUR_BIN_S)
        {
            self.hour.push_back(Bin {
                start: now,
                answered: 0.0,
                late: 0.0,
            });
        }
        self.forget(now, window_s);
    }

    fn forget(&mut self, now: f64, window_s: f64) {
        let width = window_s / BINS;
        while self
            .hour
            .front()
            .is_some_and(|bin| bin.start < now - HOUR_S)
        {
            self.hour.pop_front();
        }
        while self
            .bins
            .front()
            .is_some_and(|bin| bin.start + width < now - window_s)
        {
            if let Some(bin) = self.bins.pop_front() {
                self.answered = (self.answered - bin.answered).max(0.0);
                self.late = (self.late - bin.late).max(0.0);
            }
        }
    }

    /// Takes in what was counted before. Of a stretch it is not known when in it somebody
    /// answered: people are forgotten as if all had at its beginning, and a bin early, late
    /// ones as if all had been late at its end. So the window is never fuller of people, nor
    /// emptier of late ones, than it would be had they been counted one by one.
    pub(super) fn history(&mut self, past: &[Past], config: &Config, now: f64) {
        let width = config.window_s / BINS;
        let past = past
            .iter()
            .filter(|stretch| stretch.from.is_finite() && stretch.until.is_finite());
        for stretch in past.clone() {
            let mistaken = f64::from(stretch.machines) * config.amd_false_positive;
            self.answered += f64::from(stretch.people) + mistaken;
            self.late += f64::from(stretch.late) + mistaken;
        }
        for (bins, width) in [(&mut self.bins, width), (&mut self.hour, HOUR_BIN_S)] {
            let live = bins.back().map_or(now, |bin| bin.start);
            let before = past.clone().flat_map(|stretch| {
                let mistaken = f64::from(stretch.machines) * config.amd_false_positive;
                let people = Bin {
                    start: stretch.from - width,
                    answered: f64::from(stretch.people) + mistaken,
                    late: 0.0,
                };
                let late = Bin {
                    start: stretch.until.min(live),
                    answered: 0.0,
                    late: f64::from(stretch.late) + mistaken,
                };
                [people, late]
            });
            let mut all: Vec<Bin> = before.chain(bins.iter().copied()).collect();
            // Stable: the bin that is being counted into stays last.
            all.sort_by(|one, other| one.start.total_cmp(&other.start));
            *bins = all.into();
        }
        self.forget(now, config.window_s);
    }

    /// So many people an hour are expected to answer.
    pub(super) fn expect(&mut self, hourly: f64) {
        self.hourly = hourly.clamp(10.0, 1e6);
    }

    fn fluctuation(&self, config: &Config) -> f64 {
        (self.hourly * config.abandon_limit).sqrt().max(1.0)
    }

    fn aim(config: &Config) -> f64 {
        (SHARE * config.boost).min(1.0) * config.abandon_limit
    }

    /// A person answered, or `weight` of one.
    pub(super) fn person(&mut self, weight: f64, config: &Config) {
        self.answered += weight;
        if let Some(bin) = self.bins.back_mut() {
            bin.answered += weight;
        }
        if let Some(bin) = self.hour.back_mut() {
            bin.answered += weight;
        }
        let allowed = (config.abandon_limit * self.answered).max(1.0);
        // The derivative of `p H - z sqrt(p H)`, which the late count follows.
        let earned = Self::aim(config) * (1.0 - 0.5 * MARGIN / allowed.sqrt());
        let scale = self.fluctuation(config);
        self.credit = (self.credit + weight * earned).min(MOST_CREDIT * scale);
        let pull = (self.credit / scale).clamp(-2.0, 2.0);
        self.level =
            (self.level + INTEGRAL * weight / self.hourly * pull).clamp(CAREFUL.ln(), BOLDEST.ln());
    }

    /// A person was late, or `weight` of one.
    pub(super) fn late_person(&mut self, weight: f64) {
        self.late += weight;
        if let Some(bin) = self.bins.back_mut() {
            bin.late += weight;
        }
        if let Some(bin) = self.hour.back_mut() {
            bin.late += weight;
        }
        self.credit -= weight;
    }

    /// Highest chance of being late that one more person is dialed at.
    pub(super) fn risk(&self, config: &Config) -> f64 {
        let allowed = config.abandon_limit * self.answered;
        let room = (allowed - self.late - 1.0) / (1.0 + MARGIN * allowed.sqrt());
        let pull = PROPORTIONAL * self.credit / self.fluctuation(config);
        let wish = (self.level + pull).exp();
        (wish * (2.0 * room).clamp(0.0, 1.0) * self.left_this_hour(config)).clamp(CAREFUL, BOLDEST)
    }

    /// 1 while the last hour is near the limit, falling to 0 as it nears [`WORST_HOUR`].
    fn left_this_hour(&self, config: &Config) -> f64 {
        let (mut people, mut late) = (0.0, 0.0);
        for bin in &self.hour {
            people += bin.answered;
            late += bin.late;
        }
        let allowed = config.abandon_limit * people;
        let slope = (allowed * HOUR_SLOPE).max(1.0);
        ((allowed * WORST_HOUR - late) / slope).clamp(0.0, 1.0)
    }

    /// Upper confidence bound (95 %, one-sided) of the share of late people, after
    /// E. B. Wilson, *J. Am. Stat. Assoc.* 22 (1927) 209.
    pub(super) fn upper(&self) -> f64 {
        const Z: f64 = 1.645;
        let n = self.answered.max(1.0);
        let p = (self.late / n).clamp(0.0, 1.0);
        let z2 = Z * Z / n;
        ((p + z2 / 2.0 + Z * (p * (1.0 - p) / n + z2 / (4.0 * n)).sqrt()) / (1.0 + z2)).min(1.0)
    }

    /// Share of the allowed late people used: 1 at the limit.
    pub(super) fn used(&self, config: &Config) -> f64 {
        let allowed = config.abandon_limit * self.answered;
        if allowed > 0.0 {
            self.late / allowed
        } else {
            0.0
        }
    }

    /// Chance of being within the limit after another hour at what is aimed at, with late
    /// people in bursts.
    pub(super) fn compliant(&self, config: &Config) -> f64 {
        let coming = self.hourly;
        let mean = self.late + Self::aim(config) * coming;
        let spread = (BURSTS * Self::aim(config) * coming).sqrt().max(1e-6);
        normal((config.abandon_limit * (self.answered + coming) - mean) / spread)
    }
}
