//! How many agents are free, less the people who answered, at times ahead.
//!
//! Each busy agent is free by `t` with a chance of its own, each line is answered by `t`
//! with one of its own: their difference is a Poisson binomial balance. Its distribution
//! is told by Edgeworth's expansion to the third cumulant (`McCullagh`, *Tensor Methods in
//! Statistics*, 1987, ch. 5), in time proportional to agents and lines. The exact one, by
//! convolution, kept ten or thirty agents no busier.

use super::hazard::{density, normal};

/// Number of times looked at.
pub(super) const STEPS: usize = 14;
/// Seconds between them.
pub(super) const STEP_S: f64 = 2.0;

/// Chances by each of the times looked at.
pub(super) type Row = [f64; STEPS];

/// The `k`th time looked at, in seconds from now.
pub(super) fn time_of(k: usize) -> f64 {
    (k as f64 + 0.5) * STEP_S
}

/// The first three cumulants of the balance at one time.
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
pub(super) struct Forecast([Cumulants; STEPS]);

impl Forecast {
    /// `balance`: agents idle less people waiting.
    pub(super) fn new(balance: i64) -> Self {
        Self(
            [Cumulants {
                mean: balance as f64,
                ..Cumulants::default()
            }; STEPS],
        )
    }

    /// An agent may become free, with these chances by the times looked at.
    pub(super) fn freed(&mut self, row: &Row) {
        for (at, chance) in self.0.iter_mut().zip(row) {
            at.add(*chance, 1.0);
        }
    }

    /// A person may answer, with these chances by the times looked at.
    pub(super) fn answered(&mut self, row: &Row) {
        for (at, chance) in self.0.iter_mut().zip(row) {
            at.add(*chance, -1.0);
        }
    }

    /// Chances that one more person finds nobody, at each time.
    pub(super) fn none(&self) -> Row {
        std::array::from_fn(|k| self.0[k].none())
    }
}
