//! What is wrong with the settings of a campaign, found when they are made and not when they
//! are used.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use strowger_core::{
    amd::AmdParameters,
    campaign::{AUDIT_SHARES, BOOSTS, MAX_TRUNKS, TrunkSettings},
    compliance::{OwnRules, PackId, Packs},
    disposition::Disposition,
    ids::TrunkId,
    lists::filter::{self, Filter},
    retry::{RetryRule, RetryRules},
};

use super::NewCampaign;
use crate::input::Check;

/// Longest pause before a contact is dialed again: a year.
const MAX_DELAY_S: u32 = 365 * 24 * 3_600;

/// Most pauses of one retry rule.
const MAX_DELAYS: usize = 100;

/// Most packs of compliance rules of a campaign.
const MAX_PACKS: usize = 20;

impl NewCampaign {
    pub(super) fn check_pacing(&self, check: &mut Check) {
        check.range("abandon_limit", &self.abandon_limit, &(0.0..=0.5));
        check.range(
            "abandon_window_s",
            &self.abandon_window_s,
            &(3_600..=2_678_400),
        );
        if let Some(min_ring_s) = &self.min_ring_s {
            check.range("min_ring_s", min_ring_s, &(0..=60));
            if *min_ring_s > self.ring_timeout_s {
                check.wrong(
                    "min_ring_s",
                    "is longer than ring_timeout_s, the time that it rings at all",
                );
            }
        }
        check.range("boost", &self.boost, &BOOSTS);
    }

    pub(super) fn check_machines(&self, check: &mut Check) {
        const UNRECOGNISED: &str =
            "without amd_enabled no machine is recognised: enable it or leave this out";
        if let Some(sound) = &self.machine_message {
            check.name("machine_message", sound, 100, "_.-/");
            if !self.amd_enabled {
                check.wrong("machine_message", UNRECOGNISED);
            }
        }
        if self.machine_flow_id.is_some() {
            if !self.amd_enabled {
                check.wrong("machine_flow_id", UNRECOGNISED);
            }
            if self.machine_message.is_some() {
                check.wrong(
                    "machine_flow_id",
                    "machines get a message or a flow: leave one of them out",
                );
            }
        }
        check.range("amd_audit_share", &self.amd_audit_share, &AUDIT_SHARES);
        let amd = object::<AmdParameters>(check, "amd", &self.amd);
        for error in amd.iter().filter_map(|amd| amd.check().err()).flatten() {
            check.wrong(&format!("amd.{}", error.field()), error.to_string());
        }
    }

    pub(super) fn check_rules(&self, check: &mut Check, packs: &Packs) {
        if self.packs.len() > MAX_PACKS {
            check.wrong("packs", format!("a campaign has at most {MAX_PACKS} packs"));
        }
        for (place, name) in self.packs.iter().enumerate().take(MAX_PACKS) {
            let field = format!("packs[{place}]");
            if packs.get(&PackId::from(name.as_str())).is_none() {
                let installed: Vec<&str> = packs.iter().map(|pack| pack.id.as_str()).collect();
                let installed = installed.join(", ");
                check.wrong(
                    &field,
                    format!("there is no such pack; installed are {installed}"),
                );
            } else if self.packs.iter().take(place).any(|other| other == name) {
                check.wrong(&field, "is named twice");
            }
        }
        let own = object::<OwnRules>(check, "schedule", &self.schedule);
        let wrong = own.iter().filter_map(|own| own.validate(packs).err());
        for error in wrong.flatten() {
            check.wrong(&format!("schedule.{}", error.field), error.reason);
        }
    }

    pub(super) fn check_lists(&self, check: &mut Check) {
        let filters = check.read::<Vec<Filter>>("filters", &self.filters);
        if let Some(Err(error)) = filters.as_deref().map(filter::check) {
            check.wrong(&error.field, error.reason);
        }
        check.range("hopper_min", &self.hopper_min, &(1..=10_000));
    }
}

/// Reads an object. What is read by field could be written as an array as well, which nobody means.
fn object<T: DeserializeOwned>(check: &mut Check, field: &str, value: &Value) -> Option<T> {
    if value.is_object() {
        check.read(field, value)
    } else {
        check.wrong(field, "must be an object");
        None
    }
}

/// The trunks of a campaign, of all that there are; `least` is how many it must have.
pub(super) fn own_trunks(
    check: &mut Check,
    ids: &[TrunkId],
    all: &[TrunkSettings],
    least: usize,
) -> Vec<TrunkSettings> {
    if !(least..=MAX_TRUNKS).contains(&ids.len()) {
        check.wrong(
            "trunk_ids",
            format!(
                "a campaign has {least} to {MAX_TRUNKS} trunks, this has {}",
                ids.len()
            ),
        );
        return Vec::new();
    }
    let mut trunks: Vec<TrunkSettings> = Vec::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let field = format!("trunk_ids[{place}]");
        let Some(trunk) = all.iter().find(|trunk| trunk.id == *id) else {
            check.wrong(&field, "there is no such trunk: add it first");
            continue;
        };
        if trunks.iter().any(|other| other.id == *id) {
            check.wrong(&field, "is named twice");
        }
        if let Some(first) = trunks.first().filter(|t| t.server != trunk.server) {
            let reason = format!(
                "is connected to {}, and {} to {}: the trunks of a campaign are those of one exchange",
                trunk.server, first.id, first.server
            );
            check.wrong(&field, reason);
        }
        trunks.push(trunk.clone());
    }
    trunks
}

/// The retry rules of a campaign, as far as their dispositions are known.
pub(super) fn retry_rules(check: &mut Check, rules: BTreeMap<String, RetryRule>) -> RetryRules {
    let mut known = BTreeMap::new();
    for (name, rule) in rules {
        let field = format!("retry_rules.{}", name.chars().take(40).collect::<String>());
        let Some(disposition) = Disposition::ALL
            .into_iter()
            .find(|disposition| disposition.as_str() == name)
        else {
            let all: Vec<&str> = Disposition::ALL
                .into_iter()
                .map(Disposition::as_str)
                .collect();
            check.wrong(
                &field,
                format!("no such disposition; there are {}", all.join(", ")),
            );
            continue;
        };
        if disposition == Disposition::AnsweredHuman {
            check.wrong(
                &field,
                "a person who was reached is never dialed again by a rule",
            );
        }
        retry_rule(check, &field, &rule);
        known.insert(disposition, rule);
    }
    RetryRules(known)
}

/// Checks one retry rule, that of a disposition or of a qualification.
pub(crate) fn retry_rule(check: &mut Check, field: &str, rule: &RetryRule) {
    let delays = 1..=MAX_DELAY_S;
    check.range(&format!("{field}.delay_s"), &rule.delay_s, &delays);
    if rule.then_s.len() > MAX_DELAYS {
        check.wrong(
            &format!("{field}.then_s"),
            format!("a rule has at most {MAX_DELAYS} of them"),
        );
    }
    for (place, delay) in rule.then_s.iter().enumerate().take(MAX_DELAYS) {
        check.range(&format!("{field}.then_s[{place}]"), delay, &delays);
    }
    check.range(
        &format!("{field}.max_attempts"),
        &rule.max_attempts,
        &(1..=100),
    );
    check.range(
        &format!("{field}.avoid_hours"),
        &rule.avoid_hours,
        &(0..=11),
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strowger_core::ids::CampaignId;

    use super::*;

    fn fields(body: Value) -> Vec<String> {
        let new: NewCampaign = serde_json::from_value(body).unwrap();
        let problem = new
            .check(&[], &Packs::built_in().unwrap(), || {
                CampaignId::new("cmp_1").unwrap()
            })
            .unwrap_err();
        problem
            .body()
            .errors
            .into_iter()
            .map(|error| error.field)
            .collect()
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let wrong = fields(json!({
            "name": "", "mode": "guessing", "ratio": 0.5, "priority": 11, "max_lines": 0, "trunk_ids": ["trk_1"],
            "abandon_limit": 0.6, "abandon_window_s": 60, "min_ring_s": 30, "boost": 9.0, "machine_flow_id": "flw_1",
            "amd": {"greeting_ms": 1, "maximum_words": 0}, "amd_audit_share": 0.21, "packs": ["us tcpa"], "hopper_min": 0,
            "schedule": {"time_zone": "Mars/Olympus", "closed_on": ["XX"]},
            "filters": [{"action": "include", "field": "shoe_size", "operator": "exists"}],
            "caller_id": "CALL ME", "ring_timeout_s": 4, "abandon_after_ms": 60_001, "safe_harbour": "a&b",
            "machine_message": "hello", "wrap_up_s": 3_601,
            "retry_rules": {"engaged": {"delay_s": 1, "max_attempts": 1},
                "busy": {"delay_s": 0, "then_s": [60, 0], "max_attempts": 1, "avoid_hours": 12}}
        }));
        assert_eq!(
            wrong,
            [
                "name",
                "mode",
                "ratio",
                "priority",
                "max_lines",
                "ring_timeout_s",
                "abandon_after_ms",
                "wrap_up_s",
                "safe_harbour",
                "abandon_limit",
                "abandon_window_s",
                "min_ring_s",
                "boost",
                "machine_message",
                "machine_flow_id",
                "machine_flow_id",
                "amd_audit_share",
                "amd.greeting_ms",
                "amd.maximum_words",
                "packs[0]",
                "schedule.time_zone",
                "schedule.closed_on[0]",
                "filters[0].field",
                "hopper_min",
                "caller_id",
                "retry_rules.busy.delay_s",
                "retry_rules.busy.then_s[1]",
                "retry_rules.busy.avoid_hours",
                "retry_rules.engaged",
                "trunk_ids[0]"
            ]
        );
    }

    #[test]
    fn a_wrong_setting_within_another_is_named_by_its_path() {
        let wrong = |field: &str, value: Value| {
            fields(json!({"name": "a", "mode": "power", "trunk_ids": ["trk_1"], "amd_enabled": true, field: value}))
                .into_iter()
                .filter(|name| name != "trunk_ids[0]")
                .collect::<Vec<_>>()
        };
        let rule = |more: Value| {
            let mut rule = json!({"delay_s": 60, "max_attempts": 3});
            let (rule, more) = (rule.as_object_mut().unwrap(), more.as_object().unwrap());
            rule.extend(more.clone());
            json!({"busy": rule})
        };
        let filter = json!({"action": "include", "field": "postal_code", "operator": "eq"});
        for (field, value, path) in [
            ("schedule", json!([]), "schedule"),
            ("schedule", json!({"window": {}}), "schedule.window"),
            (
                "schedule",
                json!({"windows": {"monday": ["9-12"]}}),
                "schedule.windows.monday[0]",
            ),
            (
                "schedule",
                json!({"time_zone": "Mars/Olympus"}),
                "schedule.time_zone",
            ),
            (
                "schedule",
                json!({"closed_on": ["FR", "XX"]}),
                "schedule.closed_on[1]",
            ),
            (
                "schedule",
                json!({"caps": [{"scope": "number", "limit": 0, "hours": 24}]}),
                "schedule.caps[0]",
            ),
            ("filters", json!([{"action": "leave"}]), "filters[0].action"),
            ("filters", json!([filter]), "filters[0].values"),
            ("amd", json!([]), "amd"),
            ("amd", json!({"greeting": 1}), "amd.greeting"),
            ("amd", json!({"greeting_ms": 1}), "amd.greeting_ms"),
            ("amd", json!({"greeting_ms": "long"}), "amd.greeting_ms"),
            ("packs", json!(["us-ftc", "us-tcpa"]), "packs[1]"),
            ("packs", json!(["us-ftc", "us-ftc"]), "packs[1]"),
            (
                "retry_rules",
                rule(json!({"then_s": [60, 0]})),
                "retry_rules.busy.then_s[1]",
            ),
            (
                "retry_rules",
                rule(json!({"then_s": vec![60; 101]})),
                "retry_rules.busy.then_s",
            ),
            (
                "retry_rules",
                rule(json!({"avoid_hours": 12})),
                "retry_rules.busy.avoid_hours",
            ),
        ] {
            assert_eq!(wrong(field, value.clone()), [path], "{value}");
        }
    }

    #[test]
    fn a_campaign_that_rings_shortly_needs_no_other_minimum() {
        for (ring, expected) in [(10, 10), (15, 15), (25, 15)] {
            let new: NewCampaign = serde_json::from_value(json!({
                "name": "a", "mode": "power", "trunk_ids": ["trk_1"], "ring_timeout_s": ring
            }))
            .unwrap();
            let trunk = TrunkSettings {
                id: TrunkId::new("trk_1").unwrap(),
                server: "pbx1".into(),
                endpoint: "carrier".to_owned(),
                max_channels: 1,
                max_calls_per_second: 1,
            };
            let made = new
                .check(&[trunk], &Packs::default(), || {
                    CampaignId::new("cmp_1").unwrap()
                })
                .unwrap();
            assert_eq!(made.settings.pacing.min_ring_s, expected, "rings {ring} s");
        }
    }

    #[test]
    fn a_ratio_that_is_no_number_is_refused() {
        let mut new: NewCampaign =
            serde_json::from_value(json!({"name": "a", "mode": "power", "trunk_ids": ["trk_1"]}))
                .unwrap();
        new.ratio = f64::NAN;
        assert!(
            new.check(&[], &Packs::default(), || CampaignId::new("cmp_1").unwrap())
                .unwrap_err()
                .detail()
                .contains('2')
        );
    }
}
