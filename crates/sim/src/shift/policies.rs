//! Pacing policies to compare: what other dialers do, by their real formulas and with
//! their real defaults.

mod erlang;
mod floor;
mod issabel;
mod power;
mod strowger;
mod vicidial;

pub use erlang::Erlang;
pub use issabel::Issabel;
pub use power::Power;
pub use strowger::Strowger;
pub use vicidial::{DialMethod, Vicidial, VicidialSettings};

use strowger_core::pacing::Config;

use super::policy::Policy;

/// The policies by name, with what each is. Those that are followed by a number take
/// another one after a colon, as in `power:2.5`.
pub const NAMES: [(&str, &str); 13] = [
    ("strowger", "our own predictive pacing"),
    ("progressive", "one line per free agent"),
    ("power:2", "so many lines per free agent"),
    ("wombat:3", "WombatDialer with this boost"),
    ("gnudialer:2", "GNUDialer's power mode with this maxratio"),
    ("issabel", "Issabel, predictive with overcommit"),
    (
        "erlang",
        "a steady rate by the Erlang B formula for 3 % loss",
    ),
    (
        "vicidial-ratio:1.5",
        "VICIdial RATIO with this dial level, other settings by default",
    ),
    (
        "vicidial-ratio-available:4",
        "VICIdial RATIO with this dial level, only free agents tallied",
    ),
    (
        "vicidial-hard",
        "VICIdial ADAPT_HARD_LIMIT, default settings",
    ),
    (
        "vicidial-hard-available",
        "VICIdial ADAPT_HARD_LIMIT, only free agents tallied",
    ),
    (
        "vicidial-average",
        "VICIdial ADAPT_AVERAGE, default settings",
    ),
    (
        "vicidial-tapered",
        "VICIdial ADAPT_TAPERED, default settings",
    ),
];

/// Why there is no such policy.
#[derive(Debug, thiserror::Error)]
#[error("no policy is named {0:?}; there are {known}", known = NAMES.map(|(name, _)| name).join(", "))]
pub struct UnknownPolicy(String);

/// The policy of this name. The configuration and the seed are for our own; the others
/// have settings of their own and draw nothing.
pub fn named(
    full_name: &str,
    config: &Config,
    seed: u64,
) -> Result<Box<dyn Policy + Send>, UnknownPolicy> {
    let unknown = || UnknownPolicy(full_name.to_owned());
    let (name, number) = match full_name.split_once(':') {
        Some((name, number)) => {
            let number: f64 = number.parse().map_err(|_| unknown())?;
            if !(0.1..=100.0).contains(&number) {
                return Err(unknown());
            }
            (name, Some(number))
        }
        None => (full_name, None),
    };
    let vicidial = |method, level, available_only| -> Box<dyn Policy + Send> {
        Box::new(Vicidial::new(VicidialSettings {
            method,
            level,
            available_only,
            ..VicidialSettings::default()
        }))
    };
    Ok(match (name, number) {
        ("strowger", None) => Box::new(Strowger::new(config.clone(), seed)),
        ("progressive", None) => Box::new(Power::progressive()),
        ("power" | "gnudialer", number) => Box::new(Power::new(number.unwrap_or(2.0))),
        ("wombat", number) => Box::new(Power::new(number.unwrap_or(3.0))),
        ("issabel", None) => Box::new(Issabel::default()),
        ("erlang", None) => Box::new(Erlang::default()),
        ("vicidial-ratio", number) => vicidial(DialMethod::Ratio, number.unwrap_or(1.5), false),
        ("vicidial-ratio-available", number) => {
            vicidial(DialMethod::Ratio, number.unwrap_or(4.0), true)
        }
        ("vicidial-hard", None) => vicidial(DialMethod::HardLimit, 1.0, false),
        ("vicidial-hard-available", None) => vicidial(DialMethod::HardLimit, 1.0, true),
        ("vicidial-average", None) => vicidial(DialMethod::Average, 1.0, false),
        ("vicidial-tapered", None) => vicidial(DialMethod::Tapered, 1.0, false),
        _ => return Err(unknown()),
    })
}
