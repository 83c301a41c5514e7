//! How called parties behave, drawn from a seed and their number.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What happens to a call to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A person answers.
    Human,
    /// An answering machine answers.
    Machine,
    /// The line is busy (SIP 486, cause 17).
    Busy,
    /// It rings until the caller gives up (cause 19).
    NoAnswer,
    /// The call is declined (SIP 603, cause 21).
    Rejected,
    /// The number does not exist (SIP 404, cause 1).
    Unallocated,
    /// The carrier has no line (SIP 503, cause 34).
    Congestion,
}

/// What answering machine detection makes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// `AMDSTATUS` is `HUMAN`.
    Human,
    /// `AMDSTATUS` is `MACHINE`.
    Machine,
    /// `AMDSTATUS` is `NOTSURE`.
    NotSure,
}

impl Verdict {
    /// `AMDSTATUS` and `AMDCAUSE`, as Asterisk writes them.
    pub(crate) fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Human => ("HUMAN", "HUMAN-800-800"),
            Self::Machine => ("MACHINE", "LONGGREETING-1500-1500"),
            Self::NotSure => ("NOTSURE", "TOOLONG-4000"),
        }
    }
}

/// The behaviour of one number. All durations are on the clock of the
/// simulated world, before [`SimConfig::time_scale`](crate::SimConfig::time_scale).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callee {
    /// What happens to the call.
    pub outcome: Outcome,
    /// From the first ring to the answer or refusal.
    pub ring: Duration,
    /// Length of a conversation, which the callee then ends.
    pub talk: Duration,
    /// Longest time without a conversation, a digit or a recording before the
    /// callee hangs up. For a machine, the longest message that it takes.
    pub patience: Duration,
    /// How long answering machine detection takes.
    pub amd_delay: Duration,
    /// What it concludes.
    pub verdict: Verdict,
    /// From the answer to the end of what is said first; silence follows. A machine's
    /// ends with its beep.
    pub greeting: Duration,
    /// What is entered at each prompt that takes digits, in order. An empty
    /// entry is a prompt without an answer, and so is every prompt after the
    /// last entry.
    pub digits: Vec<String>,
}

impl Callee {
    /// A callee with this outcome who rings for 2 s, talks for 30 s, waits for
    /// 20 s, and whom detection judges rightly in 1 s. A person's greeting takes 1 s, a
    /// machine's 6 s.
    pub fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            ring: Duration::from_secs(2),
            talk: Duration::from_secs(30),
            patience: Duration::from_secs(20),
            amd_delay: Duration::from_secs(1),
            verdict: if outcome == Outcome::Machine {
                Verdict::Machine
            } else {
                Verdict::Human
            },
            greeting: greeting_of(outcome),
            digits: Vec::new(),
        }
    }

    /// Changes [`Self::greeting`].
    #[must_use]
    pub fn greeting(mut self, greeting: Duration) -> Self {
        self.greeting = greeting;
        self
    }

    /// Changes [`Self::ring`].
    #[must_use]
    pub fn ring(mut self, ring: Duration) -> Self {
        self.ring = ring;
        self
    }

    /// Changes [`Self::talk`].
    #[must_use]
    pub fn talk(mut self, talk: Duration) -> Self {
        self.talk = talk;
        self
    }

    /// Changes [`Self::patience`].
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Changes [`Self::verdict`] and [`Self::amd_delay`].
    #[must_use]
    pub fn judged(mut self, verdict: Verdict, delay: Duration) -> Self {
        self.verdict = verdict;
        self.amd_delay = delay;
        self
    }

    /// Changes [`Self::digits`].
    #[must_use]
    pub fn digits<I: IntoIterator<Item = S>, S: Into<String>>(mut self, digits: I) -> Self {
        self.digits = digits.into_iter().map(Into::into).collect();
        self
    }
}

fn greeting_of(outcome: Outcome) -> Duration {
    match outcome {
        Outcome::Machine => Duration::from_secs(6),
        Outcome::Human
        | Outcome::Busy
        | Outcome::NoAnswer
        | Outcome::Rejected
        | Outcome::Unallocated
        | Outcome::Congestion => Duration::from_secs(1),
    }
}

/// A duration drawn from a normal distribution that is cut at a tenth of its
/// mean and four deviations above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    /// Mean.
    pub mean: Duration,
    /// Standard deviation.
    pub sd: Duration,
}

impl Spread {
    /// A spread in milliseconds.
    pub const fn millis(mean: u64, sd: u64) -> Self {
        Self {
            mean: Duration::from_millis(mean),
            sd: Duration::from_millis(sd),
        }
    }

    fn draw(self, rng: &mut ChaCha8Rng) -> Duration {
        // Box and Muller; the first number is never 0.
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
        let (mean, sd) = (self.mean.as_secs_f64(), self.sd.as_secs_f64());
        let seconds = (mean + sd * normal).clamp(mean / 10.0, mean + 4.0 * sd);
        Duration::try_from_secs_f64(seconds).unwrap_or(self.mean)
    }
}

/// How the numbers of a world behave. The shares are weights and need not sum
/// to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct CalleeModel {
    /// Weight of [`Outcome::Human`].
    pub human: f64,
    /// Weight of [`Outcome::Machine`].
    pub machine: f64,
    /// Weight of [`Outcome::Busy`].
    pub busy: f64,
    /// Weight of [`Outcome::NoAnswer`].
    pub no_answer: f64,
    /// Weight of [`Outcome::Rejected`].
    pub rejected: f64,
    /// Weight of [`Outcome::Unallocated`].
    pub unallocated: f64,
    /// Weight of [`Outcome::Congestion`].
    pub congestion: f64,
    /// Ringing time.
    pub ring: Spread,
    /// Length of conversations.
    pub talk: Spread,
    /// Patience of people and machines.
    pub patience: Spread,
    /// Duration of answering machine detection.
    pub amd_delay: Spread,
    /// Share of right verdicts, 0 to 1.
    pub amd_accuracy: f64,
}

impl Default for CalleeModel {
    /// A residential list in the evening.
    fn default() -> Self {
        Self {
            human: 0.30,
            machine: 0.22,
            busy: 0.06,
            no_answer: 0.30,
            rejected: 0.04,
            unallocated: 0.06,
            congestion: 0.02,
            ring: Spread::millis(9_000, 4_000),
            talk: Spread::millis(90_000, 45_000),
            patience: Spread::millis(25_000, 10_000),
            amd_delay: Spread::millis(1_800, 500),
            amd_accuracy: 0.93,
        }
    }
}

impl CalleeModel {
    /// The behaviour of a number: the same for the same seed and number.
    pub fn callee(&self, seed: u64, number: &str) -> Callee {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ fnv1a(number));
        let outcome = self.outcome(rng.random::<f64>());
        let right = rng.random::<f64>() < self.amd_accuracy;
        let verdict = match (outcome == Outcome::Machine, right) {
            (true, true) | (false, false) => Verdict::Machine,
            (true, false) | (false, true) => Verdict::Human,
        };
        Callee {
            outcome,
            ring: self.ring.draw(&mut rng),
            talk: self.talk.draw(&mut rng),
            patience: self.patience.draw(&mut rng),
            amd_delay: self.amd_delay.draw(&mut rng),
            verdict,
            greeting: greeting_of(outcome),
            digits: Vec::new(),
        }
    }

    /// The outcome at a point of the unit interval.
    fn outcome(&self, point: f64) -> Outcome {
        let weights = [
            (Outcome::Human, self.human),
            (Outcome::Machine, self.machine),
            (Outcome::Busy, self.busy),
            (Outcome::NoAnswer, self.no_answer),
            (Outcome::Rejected, self.rejected),
            (Outcome::Unallocated, self.unallocated),
            (Outcome::Congestion, self.congestion),
        ];
        let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let mut rest = point * total;
        for (outcome, weight) in weights {
            if rest < weight {
                return outcome;
            }
            rest -= weight;
        }
        Outcome::NoAnswer
    }
}

/// The 64-bit FNV-1a hash, written out so that a number behaves the same with
/// every version of the standard library.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behaves_the_same_for_ever() {
        let model = CalleeModel::default();
        let first = model.callee(7, "33123456789");
        assert_eq!(first, model.callee(7, "33123456789"));
        assert_ne!(first, model.callee(8, "33123456789"));
        assert_ne!(first, model.callee(7, "33123456780"));
    }

    #[test]
    fn shares_are_kept() {
        let model = CalleeModel::default();
        let mut humans = 0;
        let mut right = 0;
        for number in 0..10_000 {
            let callee = model.callee(1, &format!("331{number:08}"));
            humans += u32::from(callee.outcome == Outcome::Human);
            right += u32::from(
                (callee.verdict == Verdict::Machine) == (callee.outcome == Outcome::Machine),
            );
            assert!(callee.ring >= model.ring.mean / 10);
            assert!(callee.talk <= model.talk.mean + 4 * model.talk.sd);
        }
        assert!((2_850..=3_150).contains(&humans), "{humans}");
        assert!((9_200..=9_400).contains(&right), "{right}");
    }

    #[test]
    fn a_model_without_weights_still_decides() {
        let mut model = CalleeModel::default();
        for weight in [
            &mut model.human,
            &mut model.machine,
            &mut model.busy,
            &mut model.no_answer,
            &mut model.rejected,
            &mut model.unallocated,
            &mut model.congestion,
        ] {
            *weight = 0.0;
        }
        assert_eq!(model.callee(1, "1").outcome, Outcome::NoAnswer);
    }
}
