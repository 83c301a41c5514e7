//! How many agents are free, less the people who answered, at times ahead.
//!
//! Each busy agent is free by `t` with a chance of its own, each line is answered by `t`
//! with one of its own: their difference is a Poisson binomial balance. Small groups get
//! its exact distribution by convolution (Hong, *Comput. Stat. Data Anal.* 59 (2013) 41,
//! sec. 2), large ones Edgeworth's expansion of it (`McCullagh`, *Tensor Methods in
//! Statistics*, 1987, ch. 5), in time proportional to agents and lines.

use super::hazard::{density, normal};

/// Number of times looked at.
pub(super) const STEPS: usize = 14;
/// Seconds between them.
pub(super) const STEP_S: f64 = 2.0;

/// The `k`th time looked at, in seconds from now.
pub(super) fn time_of(k: usize) -> f64 {
    (k as f64 + 0.5) * STEP_S
}

const SIZE: usize = 112;
const ZERO: usize = 48;

/// The exact distribution of free agents less people, at one time.
#[derive(Debug, Clone, Copy)]
struct Exact {
    p: [f64; SIZE],
    low: usize,
    high: usize,
}

impl Exact {
    fn at(balance: i64) -> Self {
        let mut p = [0.0; SIZE];
        let at = (ZERO as i64 + balance).clamp(0, SIZE as i64 - 1) as usize;
        p[at] = 1.0;
        Self {
            p,
            low: at,
            high: at,
        }
    }

    fn freed(&mut self, chance: f64) {
        if self.high + 1 < SIZE {
            self.high += 1;
        }
        for j in (self.low + 1..=self.high).rev() {
            self.p[j] = self.p[j] * (1.0 - chance) + self.p[j - 1] * chance;
        }
        self.p[self.low] *= 1.0 - chance;
        self.trim();
    }

    fn answered(&mut self, chance: f64) {
        if self.low > 0 {
            self.low -= 1;
        }
        for j in self.low..self.high {
            self.p[j] = self.p[j] * (1.0 - chance) + self.p[j + 1] * chance;
        }
        self.p[self.high] *= 1.0 - chance;
        self.trim();
    }

    fn trim(&mut self) {
        const NEGLIGIBLE: f64 = 1e-7;
        while self.low < self.high && self.p[self.low] < NEGLIGIBLE {
            self.p[self.low + 1] += self.p[self.low];
            self.p[self.low] = 0.0;
            self.low += 1;
        }
        while self.low < self.high && self.p[self.high] < NEGLIGIBLE {
            self.p[self.high - 1] += self.p[self.high];
            self.p[self.high] = 0.0;
            self.high -= 1;
        }
    }

    fn none(&self) -> f64 {
        if self.low > ZERO {
            return 0.0;
        }
        self.p[self.low..=self.high.min(ZERO)].iter().sum()
    }
}

/// Its first three cumulants, for many agents and lines.
#[derive(Debug, Clone, Copy, Default)]
struct Cumulants {
    mean: f64,
    variance: f64,
    third: f64,
}

impl Cumulants {
    fn add(&mut self, chance: f64, sign: f64) {
        let variance = chance * (1.0 - chance);
        self.mean += sign * chance;
        self.variance += variance;
        self.third += sign * variance * (1.0 - 2.0 * chance);
    }

    /// Edgeworth's expansion to the skewness, with a correction for continuity.
    fn none(&self) -> f64 {
        if self.variance < 1e-9 {
            return f64::from(u8::from(self.mean < 0.5));
        }
        let sigma = self.variance.sqrt();
        let x = (0.5 - self.mean) / sigma;
        let skew = self.third / (self.variance * sigma);
        (normal(x) - density(x) * skew * (x * x - 1.0) / 6.0).clamp(0.0, 1.0)
    }
}

/// The balance of free agents and people over the times looked at.
#[derive(Debug, Clone)]
pub(super) enum Forecast {
    Few(Box<Few>),
    Many(Box<Many>),
}

#[derive(Debug, Clone)]
pub(super) struct Few([Exact; STEPS]);
#[derive(Debug, Clone)]
pub(super) struct Many([Cumulants; STEPS]);

impl Forecast {
    /// `balance`: agents idle less people waiting.
    pub(super) fn new(balance: i64, exact: bool) -> Self {
        if exact && balance.abs() < 40 {
            Self::Few(Box::new(Few([Exact::at(balance); STEPS])))
        } else {
            let start = Cumulants {
                mean: balance as f64,
                ..Cumulants::default()
            };
            Self::Many(Box::new(Many([start; STEPS])))
        }
    }

    pub(super) fn freed(&mut self, row: &[f64; STEPS]) {
        match self {
            Self::Few(few) => {
                for (at, chance) in few.0.iter_mut().zip(row) {
                    at.freed(*chance);
                }
            }
            Self::Many(many) => {
                for (at, chance) in many.0.iter_mut().zip(row) {
                    at.add(*chance, 1.0);
                }
            }
        }
    }

    pub(super) fn answered(&mut self, row: &[f64; STEPS]) {
        match self {
            Self::Few(few) => {
                for (at, chance) in few.0.iter_mut().zip(row) {
                    at.answered(*chance);
                }
            }
            Self::Many(many) => {
                for (at, chance) in many.0.iter_mut().zip(row) {
                    at.add(*chance, -1.0);
                }
            }
        }
    }

    /// Chances that one more person finds nobody, at each time.
    pub(super) fn none(&self) -> [f64; STEPS] {
        match self {
            Self::Few(few) => std::array::from_fn(|k| few.0[k].none()),
            Self::Many(many) => std::array::from_fn(|k| many.0[k].none()),
        }
    }
}
