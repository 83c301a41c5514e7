//! Answering machine detection: what it is set to, and how far its verdicts can be trusted.

mod calibration;

use serde::{Deserialize, Serialize};

use crate::ids::AttemptId;

pub use calibration::{ASSUMED_AUDITS, Calibration, Estimate, Share};

/// The arguments of Asterisk's AMD application. What is absent is as the exchange has it
/// (`amd.conf`, or the defaults of the application).
///
/// Source: documentation of `AMD()` of Asterisk 22.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AmdParameters {
    /// Silence before the greeting that makes it a machine, in ms. Asterisk: 2,500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_silence_ms: Option<u32>,
    /// A greeting longer than this is a machine's, in ms. Asterisk: 1,500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting_ms: Option<u32>,
    /// Silence after a greeting that makes it a person, in ms. Asterisk: 800.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_greeting_silence_ms: Option<u32>,
    /// Longest time to decide, in ms. Asterisk: 5,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_analysis_ms: Option<u32>,
    /// A sound shorter than this is no word, in ms. Asterisk: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_word_ms: Option<u32>,
    /// Silence that parts words, in ms. Asterisk: 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between_words_silence_ms: Option<u32>,
    /// So many words in a greeting make it a machine's. Asterisk: 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_words: Option<u32>,
    /// What is quieter is silence: mean amplitude of 16-bit samples. Asterisk: 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_threshold: Option<u32>,
    /// A word longer than this makes it a machine, in ms. Asterisk: 5,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum_word_ms: Option<u32>,
}

/// A parameter that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAmd {
    /// Out of its range.
    #[error("{field} must be {low} to {high}, got {value}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// The smallest value.
        low: u32,
        /// The largest value.
        high: u32,
        /// What was given.
        value: u32,
    },
    /// One must not be longer than the other.
    #[error("{field} is {value} ms, longer than {other}, which is {limit} ms")]
    Longer {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The field that limits it.
        other: &'static str,
        /// The value of that, given or of Asterisk.
        limit: u32,
    },
}

impl InvalidAmd {
    /// The field to change.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::OutOfRange { field, .. } | Self::Longer { field, .. } => field,
        }
    }
}

/// Name, smallest and largest value of each field, in the order of the arguments.
const RANGES: [(&str, u32, u32); 9] = [
    ("initial_silence_ms", 100, 10_000),
    ("greeting_ms", 100, 10_000),
    ("after_greeting_silence_ms", 100, 10_000),
    ("total_analysis_ms", 500, 20_000),
    ("minimum_word_ms", 20, 1_000),
    ("between_words_silence_ms", 10, 1_000),
    ("maximum_words", 1, 20),
    ("silence_threshold", 1, 32_767),
    ("maximum_word_ms", 100, 20_000),
];

impl AmdParameters {
    /// The values in the order of the arguments of `AMD()`.
    const fn in_order(&self) -> [Option<u32>; 9] {
        [
            self.initial_silence_ms,
            self.greeting_ms,
            self.after_greeting_silence_ms,
            self.total_analysis_ms,
            self.minimum_word_ms,
            self.between_words_silence_ms,
            self.maximum_words,
            self.silence_threshold,
            self.maximum_word_ms,
        ]
    }

    /// Checks every field; all that is wrong is named.
    ///
    /// # Errors
    /// One [`InvalidAmd`] for each field out of its range, or, when there is none, for each that
    /// would keep another from ever deciding.
    pub fn check(&self) -> Result<(), Vec<InvalidAmd>> {
        let out_of_range: Vec<InvalidAmd> = RANGES
            .into_iter()
            .zip(self.in_order())
            .filter_map(|((field, low, high), value)| {
                let value = value?;
                (!(low..=high).contains(&value)).then_some(InvalidAmd::OutOfRange {
                    field,
                    low,
                    high,
                    value,
                })
            })
            .collect();
        if !out_of_range.is_empty() {
            return Err(out_of_range);
        }
        let total = self.total_analysis_ms.unwrap_or(5_000);
        let longest_word = self.maximum_word_ms.unwrap_or(5_000);
        let total_limits = |field, value: Option<u32>| (field, value, "total_analysis_ms", total);
        let longer: Vec<InvalidAmd> = [
            total_limits("initial_silence_ms", self.initial_silence_ms),
            total_limits("greeting_ms", self.greeting_ms),
            total_limits("after_greeting_silence_ms", self.after_greeting_silence_ms),
            (
                "minimum_word_ms",
                self.minimum_word_ms,
                "maximum_word_ms",
                longest_word,
            ),
        ]
        .into_iter()
        .filter_map(|(field, value, other, limit)| {
            value
                .filter(|value| *value > limit)
                .map(|value| InvalidAmd::Longer {
                    field,
                    value,
                    other,
                    limit,
                })
        })
        .collect();
        if longer.is_empty() {
            Ok(())
        } else {
            Err(longer)
        }
    }

    /// The longest greeting of a person, in ms: a longer one is taken for a machine's.
    pub fn longest_greeting_ms(&self) -> u32 {
        self.greeting_ms.unwrap_or(1_500)
    }

    /// The argument text of `AMD()`, such as `2000,,800`: what is absent is left empty, and the
    /// exchange takes its own value. Empty when nothing is set. Only digits and commas.
    pub fn arguments(&self) -> String {
        self.in_order()
            .map(|value| value.map(|value| value.to_string()).unwrap_or_default())
            .join(",")
            .trim_end_matches(',')
            .to_owned()
    }
}

/// Whether a call that was detected as a machine goes to an agent nevertheless, so that the
/// verdict is checked. `share` of all attempts are, from 0 to 1, chosen by their id alone: neither
/// the contact nor the hour nor the agent has a say, so the sample is fair, and the same attempt
/// is always answered alike.
pub fn is_audited(attempt: AttemptId, share: f64) -> bool {
    // FNV-1a, and a final mix as its high bits lag behind: ids made at one time differ little.
    let hash = attempt
        .0
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let point = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
    f64::from(point) < share * f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
