//! Piecewise constant hazards: how often something happens per second, given how long
//! it has been possible.
//!
//! Each bin keeps the events seen in it and the time spent in it. With a Gamma prior of
//! `w` events in `w / h0` seconds, the posterior mean of the hazard is
//! `(w + events) / (w / h0 + time)`. Those still under way count by the time they have
//! spent so far, so nothing is lost to censoring (Cox & Oakes, *Analysis of Survival
//! Data*, 1984, ch. 3 and 6).

/// Two competing ends of the same wait: the one that is looked for, and any other.
#[derive(Debug, Clone)]
pub(super) struct Competing {
    width: f64,
    time: Vec<f64>,
    /// Time, each second as likely as its ratio to the common rate.
    weighted: Vec<f64>,
    wanted: Vec<f64>,
    other: Vec<f64>,
    wanted_rate: Vec<f64>,
    other_rate: Vec<f64>,
    /// Cumulative incidence of the wanted end and survival, per half bin.
    incidence: Vec<f64>,
    survival: Vec<f64>,
}

impl Competing {
    /// `prior` gives both hazards by age; `seconds` is what each counts for.
    pub(super) fn new(
        width: f64,
        bins: usize,
        seconds: f64,
        prior: impl Fn(f64) -> (f64, f64),
    ) -> Self {
        let at = |b: usize| prior((b as f64 + 0.5) * width);
        let mut curve = Self {
            width,
            time: vec![seconds; bins],
            weighted: vec![seconds; bins],
            wanted: (0..bins).map(|b| at(b).0 * seconds).collect(),
            other: (0..bins).map(|b| at(b).1 * seconds).collect(),
            wanted_rate: vec![0.0; bins],
            other_rate: vec![0.0; bins],
            incidence: vec![0.0; 2 * bins + 1],
            survival: vec![1.0; 2 * bins + 1],
        };
        curve.refresh();
        curve.solve(1.0);
        curve
    }

    fn bin(&self, age: f64) -> usize {
        ((age / self.width) as usize).min(self.time.len() - 1)
    }

    /// Time spent waiting, at a rate `ratio` times the common one. Gives how many wanted
    /// ends the common rate makes expect.
    pub(super) fn spend(&mut self, age: f64, seconds: f64, ratio: f64) -> f64 {
        let bin = self.bin(age);
        self.time[bin] += seconds;
        self.weighted[bin] += seconds * ratio;
        self.wanted_rate[bin] * seconds
    }

    pub(super) fn end_wanted(&mut self, age: f64) {
        let bin = self.bin(age);
        self.wanted[bin] += 1.0;
    }

    pub(super) fn end_other(&mut self, age: f64) {
        let bin = self.bin(age);
        self.other[bin] += 1.0;
    }

    /// Forgets: everything, the prior too, counts `factor` of what it did.
    pub(super) fn forget(&mut self, factor: f64) {
        for column in [
            &mut self.time,
            &mut self.weighted,
            &mut self.wanted,
            &mut self.other,
        ] {
            for value in column.iter_mut() {
                *value *= factor;
            }
        }
    }

    /// Takes what was learned into the rates. The wanted one is smoothed over its
    /// neighbours, the other is not: the ring time-out is sharp.
    pub(super) fn refresh(&mut self) {
        const KERNEL: [f64; 5] = [1.0, 2.0, 3.0, 2.0, 1.0];
        const NEVER_ZERO: f64 = 1e-6;
        for b in 0..self.time.len() {
            let (mut wanted, mut weighted) = (0.0, NEVER_ZERO);
            for (c, k) in (b.saturating_sub(2)..).zip(KERNEL.iter().skip(2_usize.saturating_sub(b)))
            {
                if let (Some(events), Some(time)) = (self.wanted.get(c), self.weighted.get(c)) {
                    wanted += k * events;
                    weighted += k * time;
                }
            }
            self.wanted_rate[b] = wanted / weighted;
            self.other_rate[b] = self.other[b] / (self.time[b] + NEVER_ZERO);
        }
    }

    /// Solves the cumulative incidence with the wanted hazard `ratio` times the common.
    pub(super) fn solve(&mut self, ratio: f64) {
        let step = self.width / 2.0;
        let (mut incidence, mut survival) = (0.0, 1.0f64);
        for cell in 0..self.incidence.len() - 1 {
            self.incidence[cell] = incidence;
            self.survival[cell] = survival;
            let wanted = self.wanted_rate[cell / 2] * ratio;
            let total = wanted + self.other_rate[cell / 2];
            if total > 0.0 {
                let gone = survival * (1.0 - (-total * step).exp());
                incidence += gone * wanted / total;
                survival -= gone;
            }
        }
        if let (Some(i), Some(s)) = (self.incidence.last_mut(), self.survival.last_mut()) {
            *i = incidence;
            *s = survival;
        }
    }

    /// Half bin of an age: [`Self::chance`] is the same for all ages in it.
    pub(super) fn cell(&self, age: f64) -> usize {
        ((age * 2.0 / self.width) as usize).min(self.cells() - 1)
    }

    /// Number of half bins.
    pub(super) fn cells(&self) -> usize {
        self.incidence.len()
    }

    /// Chance of the wanted end in the next `within` seconds, at `age`.
    pub(super) fn chance(&self, age: f64, within: f64) -> f64 {
        let last = self.cells() - 1;
        let from = self.cell(age);
        let to = (from + (within * 2.0 / self.width).round() as usize).min(last);
        let survival = self.survival[from];
        if survival < 1e-6 {
            return 0.0;
        }
        ((self.incidence[to] - self.incidence[from]) / survival).clamp(0.0, 1.0)
    }
}

/// The time until one end, on bins that grow with age.
#[derive(Debug, Clone)]
pub(super) struct Duration {
    edges: Vec<f64>,
    time: Vec<f64>,
    events: Vec<f64>,
    /// Count, sum and sum of squares of the logarithms, for the lognormal prior.
    logs: [f64; 3],
    /// Sum and count of the durations themselves.
    total: [f64; 2],
    /// Cumulative hazard at each edge.
    cumulative: Vec<f64>,
    rate: Vec<f64>,
}

const GROWTH: f64 = 1.2;
const FIRST: f64 = 3.0;

impl Duration {
    /// A prior of `weight` durations around `median` with a spread of `sigma` in logs.
    pub(super) fn new(median: f64, sigma: f64, weight: f64) -> Self {
        let mut edges = vec![0.0];
        let mut edge = FIRST;
        while edge < 8_000.0 {
            edges.push(edge);
            edge *= GROWTH;
        }
        let n = edges.len();
        let m = median.ln();
        let mut duration = Self {
            edges,
            time: vec![0.0; n],
            events: vec![0.0; n],
            logs: [weight, weight * m, weight * (m * m + sigma * sigma)],
            total: [weight * (m + sigma * sigma / 2.0).exp(), weight],
            cumulative: vec![0.0; n],
            rate: vec![0.0; n],
        };
        duration.refresh(std::iter::empty());
        duration
    }

    fn bin(age: f64) -> usize {
        if age < FIRST {
            0
        } else {
            1 + ((age / FIRST).ln() / GROWTH.ln()) as usize
        }
    }

    fn spend(edges: &[f64], into: &mut [f64], age: f64) {
        for (b, from) in edges.iter().enumerate() {
            if age <= *from {
                break;
            }
            let to = edges.get(b + 1).copied().unwrap_or(f64::INFINITY);
            into[b] += age.min(to) - from;
        }
    }

    /// One lasted `age` seconds. The last 800 or so are remembered.
    pub(super) fn complete(&mut self, age: f64) {
        const KEEP: f64 = 1.0 - 1.0 / 800.0;
        for value in self
            .time
            .iter_mut()
            .chain(&mut self.events)
            .chain(&mut self.logs)
            .chain(&mut self.total)
        {
            *value *= KEEP;
        }
        Self::spend(&self.edges, &mut self.time, age);
        let bin = Self::bin(age).min(self.events.len() - 1);
        self.events[bin] += 1.0;
        let log = age.max(0.5).ln();
        self.logs[0] += 1.0;
        self.logs[1] += log;
        self.logs[2] += log * log;
        self.total[0] += age;
        self.total[1] += 1.0;
    }

    /// Mean of the durations seen.
    pub(super) fn mean(&self) -> f64 {
        self.total[0] / self.total[1]
    }

    /// Takes what was learned, and the ages of those under way, into the hazards.
    pub(super) fn refresh(&mut self, under_way: impl Iterator<Item = f64>) {
        // Events that the lognormal fit counts for in each bin.
        const WEIGHT: f64 = 6.0;
        let mut time = self.time.clone();
        for age in under_way {
            Self::spend(&self.edges, &mut time, age);
        }
        let mean = self.logs[1] / self.logs[0];
        let variance = (self.logs[2] / self.logs[0] - mean * mean).clamp(0.01, 4.0);
        let sigma = variance.sqrt();
        let prior = |age: f64| log_survival((age.max(1e-3).ln() - mean) / sigma);
        let mut sum = 0.0;
        for (b, time) in time.into_iter().enumerate() {
            let from = self.edges[b];
            let to = self.edges.get(b + 1).copied().unwrap_or(from * GROWTH);
            let h0 = ((prior(from) - prior(to)) / (to - from)).clamp(1e-6, 10.0);
            self.rate[b] = (WEIGHT + self.events[b]) / (WEIGHT / h0 + time);
            self.cumulative[b] = sum;
            sum += self.rate[b] * (to - from);
        }
    }

    /// Cumulative hazard at `age`.
    pub(super) fn hazard(&self, age: f64) -> f64 {
        let b = Self::bin(age).min(self.edges.len() - 1);
        self.cumulative[b] + self.rate[b] * (age - self.edges[b]).max(0.0)
    }
}

/// Logarithm of the upper tail of the standard normal distribution.
fn log_survival(x: f64) -> f64 {
    if x > 5.0 {
        return -x * x / 2.0 - (x * (2.0 * std::f64::consts::PI).sqrt()).ln();
    }
    (1.0 - normal(x)).max(1e-300).ln()
}

/// Distribution function of the standard normal (Abramowitz & Stegun 26.2.17, error
/// below 1e-7).
pub(super) fn normal(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = density(x) * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}

/// Density of the standard normal.
pub(super) fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}
