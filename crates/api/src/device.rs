//! Which telephone somebody has.
//!
//! In this order: their mobile, when it is their station; the PJSIP endpoint with the name of
//! their login, when the exchange can ring it; the extension of their site that is bound to
//! them.

use strowger_core::{agent::LegMode, telephony::ServerName};
use strowger_store::users::User;

use crate::{problem::Problem, state::App};

/// Longest name of an endpoint.
const MAX_ENDPOINT: usize = 64;

/// A telephone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// The exchange that it is reached through.
    pub(crate) server: ServerName,
    /// What to dial, such as `PJSIP/1001`.
    pub(crate) endpoint: String,
    /// A mobile is rung for each call: a line to it that stays up costs by the minute.
    pub(crate) leg_mode: LegMode,
}

/// The telephone of a user.
///
/// # Errors
/// Says what to set when they have none, or when the exchange cannot ring it.
pub(crate) async fn of(app: &App, user: &User) -> Result<Device, Problem> {
    let settings = &app.api.settings;
    let facts = app.api.store.device_facts(&user.id).await?;
    let server = settings.default_server.clone();
    if let Some(number) = facts.mobile {
        let trunk = settings.outside_trunk.as_deref().ok_or_else(|| {
            none(user, "their mobile is their station, but no trunk leads outside: set asterisk.transfer_trunk")
        })?;
        let number = dialable(&number).ok_or_else(|| {
            none(
                user,
                "their mobile number is no telephone number: correct it",
            )
        })?;
        return Ok(Device {
            server,
            endpoint: format!("PJSIP/{number}@{trunk}"),
            leg_mode: LegMode::RingPerCall,
        });
    }
    let own = Some(user.login_id.as_str()).filter(|name| is_endpoint(name));
    let bound = facts.extension.as_deref().filter(|name| is_endpoint(name));
    let mut silent = None;
    for name in [own, bound].into_iter().flatten() {
        let endpoint = format!("PJSIP/{name}");
        match (app.api.devices)(server.clone(), endpoint.clone()).await {
            // Also when the exchange does not say: it will when it is rung.
            Some(true) | None => {
                return Ok(Device {
                    server,
                    endpoint,
                    leg_mode: LegMode::NailedUp,
                });
            }
            Some(false) => silent = Some(endpoint),
        }
    }
    Err(match silent {
        Some(endpoint) => none(
            user,
            &format!(
                "{endpoint} is not registered at the exchange: switch the telephone on, or bind an extension of their site to them"
            ),
        ),
        None => none(
            user,
            "name a PJSIP endpoint after their login, bind an extension of their site to them, or make their mobile their station",
        ),
    })
}

fn none(user: &User, why: &str) -> Problem {
    Problem::conflict(format!("{} has no telephone: {why}", user.display_name()))
}

fn is_endpoint(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    !name.is_empty() && name.len() <= MAX_ENDPOINT && name.bytes().all(known)
}

/// The digits of a number that a person wrote, with its plus.
fn dialable(number: &str) -> Option<String> {
    let plain: String = number
        .chars()
        .filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')'))
        .collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    let fits = (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    fits.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_as_people_write_it_is_dialed_and_nothing_else() {
        assert_eq!(
            dialable("+33 6 39 98 12-34").as_deref(),
            Some("+33639981234")
        );
        for wrong in ["", "12", "06399812&34", "1+2345", "0123456789012345"] {
            assert_eq!(dialable(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_login_that_is_no_name_of_an_endpoint_is_not_dialed() {
        assert!(is_endpoint("1001"));
        for wrong in ["", "ada@example.com", "a/b", "a,b", "a b"] {
            assert!(!is_endpoint(wrong), "{wrong}");
        }
    }
}
