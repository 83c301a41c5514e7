//! Pacing policies to compare: what other dialers do, by their real formulas.

mod power;

pub use power::Power;

use super::policy::Policy;

/// The policy of this name, or `None`.
pub fn named(name: &str) -> Option<Box<dyn Policy + Send>> {
    match name {
        "progressive" => Some(Box::new(Power::progressive())),
        _ => None,
    }
}
