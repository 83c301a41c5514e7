//! How long things take, drawn from a seed.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal};
use serde::{Deserialize, Serialize};

/// A duration in seconds: lognormal, or one of those that were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Duration {
    /// Lognormal.
    LogNormal(LogNormalDuration),
    /// Any of these, with the same probability.
    Measured(Measured),
}

/// Parameters of a lognormal duration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogNormalDuration {
    /// Mean, in seconds.
    pub mean: f64,
    /// Standard deviation over the mean.
    pub cv: f64,
}

/// Durations that were measured, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// At least one.
    pub samples: Vec<f64>,
}

impl Duration {
    /// A lognormal duration.
    pub fn log_normal(mean: f64, cv: f64) -> Self {
        Self::LogNormal(LogNormalDuration { mean, cv })
    }

    /// What is wrong with it, if anything: the part and what it must be.
    pub(super) fn fault(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::LogNormal(LogNormalDuration { mean, cv }) => {
                if !(mean.is_finite() && *mean > 0.0) {
                    Some(("mean", "more than 0 seconds"))
                } else if !(cv.is_finite() && *cv >= 0.0) {
                    Some(("cv", "0 or more"))
                } else {
                    None
                }
            }
            Self::Measured(Measured { samples }) => {
                let fine = !samples.is_empty()
                    && samples
                        .iter()
                        .all(|sample| sample.is_finite() && *sample >= 0.0);
                (!fine).then_some(("samples", "one duration or more, each 0 seconds or more"))
            }
        }
    }

    pub(super) fn sampler(&self) -> Sampler {
        match self {
            Self::LogNormal(LogNormalDuration { mean, cv }) => {
                let variance = (cv * cv).ln_1p();
                LogNormal::new(mean.ln() - variance / 2.0, variance.sqrt())
                    .map_or(Sampler::Constant(*mean), Sampler::LogNormal)
            }
            Self::Measured(Measured { samples }) => Sampler::Measured(samples.clone()),
        }
    }
}

/// From the first ring to the answer, in seconds: normal, as far as it is after the first
/// ring and before the dialer gives up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ring {
    /// Truncated normal.
    Normal(NormalRing),
    /// Any of these, with the same probability.
    Measured(Measured),
}

/// Parameters of the time to the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormalRing {
    /// Mean of the normal distribution before it is truncated, in seconds.
    pub mean: f64,
    /// Its standard deviation, in seconds.
    pub sd: f64,
}

/// Nobody answers faster, in seconds.
const FASTEST_ANSWER_S: f64 = 1.0;

impl Ring {
    pub(super) fn fault(&self, timeout: f64) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Normal(NormalRing { mean, sd }) => {
                if !(mean.is_finite() && *mean > FASTEST_ANSWER_S && *mean < timeout) {
                    Some(("mean", "more than 1 second and less than ring_timeout_s"))
                } else if !(sd.is_finite() && *sd >= 0.0) {
                    Some(("sd", "0 seconds or more"))
                } else {
                    None
                }
            }
            Self::Measured(measured) => Duration::Measured(measured.clone()).fault(),
        }
    }

    pub(super) fn sampler(&self, timeout: f64) -> Sampler {
        match self {
            Self::Normal(NormalRing { mean, sd }) => Normal::new(*mean, *sd)
                .map_or(Sampler::Constant(*mean), |normal| {
                    Sampler::Within(normal, FASTEST_ANSWER_S, timeout)
                }),
            Self::Measured(Measured { samples }) => Sampler::Measured(samples.clone()),
        }
    }
}

/// Draws durations.
#[derive(Debug, Clone)]
pub(super) enum Sampler {
    Constant(f64),
    LogNormal(LogNormal<f64>),
    Within(Normal<f64>, f64, f64),
    Measured(Vec<f64>),
}

impl Sampler {
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::LogNormal(distribution) => distribution.sample(rng),
            Self::Within(normal, low, high) => loop {
                let value = normal.sample(rng);
                if (*low..*high).contains(&value) {
                    break value;
                }
            },
            Self::Measured(samples) => samples
                .get(rng.random_range(0..samples.len().max(1)))
                .copied()
                .unwrap_or(0.0),
        }
    }
}
