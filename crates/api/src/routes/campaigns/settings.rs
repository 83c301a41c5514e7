//! What a campaign is set to, on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strowger_core::{
    campaign::{CampaignSettings, CampaignState, DialingMode, MachineAction, TrunkSettings},
    disposition::Disposition,
    ids::{CampaignId, TrunkId},
    phone::PhoneNumber,
    retry::{RetryRule, RetryRules},
};
use strowger_store::campaigns::Campaign;
use utoipa::ToSchema;

use crate::{input::Check, problem::Problem};

/// Longest pause before a contact is dialed again: 90 days.
const MAX_DELAY_S: u32 = 90 * 24 * 3_600;

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignBody {
    /// Its id.
    #[schema(value_type = String, example = "cmp_1")]
    id: CampaignId,
    /// Its name.
    name: String,
    /// Free text.
    description: String,
    /// stopped, running, paused or finished.
    #[schema(value_type = String)]
    state: CampaignState,
    /// progressive or power.
    #[schema(value_type = String)]
    mode: DialingMode,
    /// Lines per available agent in power dialing.
    ratio: f64,
    /// Campaigns that share agents are served in this order; 1 is first.
    priority: u8,
    /// Most lines at once.
    max_lines: u32,
    /// Its trunk.
    #[schema(value_type = String)]
    trunk_id: TrunkId,
    /// The number shown to the person called.
    caller_id: Option<String>,
    /// How long it rings.
    ring_timeout_s: u32,
    /// A person who is not connected within this time is abandoned.
    abandon_after_ms: u64,
    /// The sound played to a person for whom there is no agent.
    safe_harbour: String,
    /// Answering machine detection.
    amd_enabled: bool,
    /// The sound played to machines; null hangs up on them.
    machine_message: Option<String>,
    /// Conversations are recorded.
    recording_enabled: bool,
    /// Wrap-up time.
    wrap_up_s: u32,
    /// By disposition.
    #[schema(value_type = BTreeMap<String, Object>)]
    retry_rules: RetryRules,
    /// Region of numbers without a country code.
    default_region: String,
}

impl From<Campaign> for CampaignBody {
    fn from(campaign: Campaign) -> Self {
        let s = campaign.settings;
        Self {
            id: s.id,
            name: s.name,
            description: campaign.description,
            state: campaign.state,
            mode: s.mode,
            ratio: s.ratio,
            priority: s.priority,
            max_lines: s.max_lines,
            trunk_id: s.trunk.id,
            caller_id: s.caller_id.map(String::from),
            ring_timeout_s: s.ring_timeout_s,
            abandon_after_ms: s.abandon_after_ms,
            safe_harbour: s.safe_harbour,
            amd_enabled: s.amd,
            machine_message: match s.machine_action {
                MachineAction::HangUp => None,
                MachineAction::LeaveMessage { sound } => Some(sound),
            },
            recording_enabled: s.record,
            wrap_up_s: s.wrap_up_s,
            retry_rules: s.retry,
            default_region: campaign.default_region,
        }
    }
}

/// A campaign to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCampaign {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    id: Option<CampaignId>,
    /// 1 to 200 characters.
    name: String,
    /// Free text.
    #[serde(default)]
    description: String,
    /// progressive: one line for each available agent; power: `ratio` lines.
    #[schema(example = "progressive")]
    mode: String,
    /// Lines per available agent in power dialing, 1 to 20.
    #[serde(default = "one")]
    #[schema(default = 1.0)]
    ratio: f64,
    /// Campaigns that share agents are served in this order, 1 to 10; 1 is first.
    #[serde(default = "middle")]
    #[schema(default = 5)]
    priority: u8,
    /// Most lines at once, 1 to 10,000.
    #[serde(default = "hundred")]
    #[schema(default = 100)]
    max_lines: u32,
    /// The trunk to dial through.
    #[schema(value_type = String)]
    pub(super) trunk_id: TrunkId,
    /// The number shown to the person called, as people write it in `default_region`.
    #[serde(default)]
    caller_id: Option<String>,
    /// How long it rings, 5 to 120 seconds.
    #[serde(default = "ring")]
    #[schema(default = 25)]
    ring_timeout_s: u32,
    /// A person who is not connected within this time is abandoned, 0 to 60,000 ms.
    #[serde(default = "two_seconds")]
    #[schema(default = 2000)]
    abandon_after_ms: u64,
    /// The sound played to a person for whom there is no agent, as Asterisk names it.
    #[serde(default = "goodbye")]
    #[schema(default = "vm-goodbye")]
    safe_harbour: String,
    /// Run answering machine detection.
    #[serde(default)]
    amd_enabled: bool,
    /// The sound played to machines; absent or null hangs up on them.
    #[serde(default)]
    machine_message: Option<String>,
    /// Record conversations.
    #[serde(default)]
    recording_enabled: bool,
    /// Wrap-up time, 0 to 3,600 seconds; 0 makes the agent available at once.
    #[serde(default)]
    wrap_up_s: u32,
    /// When to dial again, by disposition, such as `{"busy": {"delay_s": 600, "max_attempts": 3}}`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Object>)]
    retry_rules: BTreeMap<String, RetryRule>,
    /// Region of numbers without a country code, ISO 3166 two letters.
    #[serde(default = "france")]
    #[schema(default = "FR")]
    default_region: String,
}

const fn one() -> f64 {
    1.0
}
const fn middle() -> u8 {
    5
}
const fn hundred() -> u32 {
    100
}
const fn ring() -> u32 {
    25
}
const fn two_seconds() -> u64 {
    2_000
}
fn goodbye() -> String {
    "vm-goodbye".to_owned()
}
fn france() -> String {
    "FR".to_owned()
}

impl NewCampaign {
    /// The campaign, or everything that is wrong with it.
    pub(super) fn check(
        self,
        trunk: Option<TrunkSettings>,
        make_id: impl FnOnce() -> CampaignId,
    ) -> Result<Campaign, Problem> {
        let mut check = Check::default();
        check.line("name", &self.name, 1..=200);
        check.text("description", &self.description, 5_000);
        let mode = check.ok("mode", self.mode.parse::<DialingMode>());
        check.range("ratio", &self.ratio, &(1.0..=20.0));
        check.range("priority", &self.priority, &(1..=10));
        check.range("max_lines", &self.max_lines, &(1..=10_000));
        check.range("ring_timeout_s", &self.ring_timeout_s, &(5..=120));
        check.range("abandon_after_ms", &self.abandon_after_ms, &(0..=60_000));
        check.range("wrap_up_s", &self.wrap_up_s, &(0..=3_600));
        check.name("safe_harbour", &self.safe_harbour, 100, "_.-/");
        if let Some(sound) = &self.machine_message {
            check.name("machine_message", sound, 100, "_.-/");
            if !self.amd_enabled {
                check.wrong(
                    "machine_message",
                    "without amd_enabled no machine is recognised: enable it or leave this out",
                );
            }
        }
        let region_ok = self.default_region.len() == 2
            && self.default_region.bytes().all(|b| b.is_ascii_uppercase());
        if !region_ok {
            check.wrong(
                "default_region",
                "must be two capital letters, such as FR (ISO 3166)",
            );
        }
        let caller_id = self
            .caller_id
            .filter(|number| region_ok && !number.trim().is_empty())
            .and_then(|number| {
                check.ok(
                    "caller_id",
                    PhoneNumber::parse(&number, &self.default_region),
                )
            });
        let retry = retry_rules(&mut check, self.retry_rules);
        if trunk.is_none() {
            check.wrong("trunk_id", "there is no such trunk: add it first");
        }
        check.done()?;
        let (Some(mode), Some(trunk)) = (mode, trunk) else {
            return Err(Problem::internal());
        };
        Ok(Campaign {
            settings: CampaignSettings {
                id: self.id.unwrap_or_else(make_id),
                name: self.name.trim().to_owned(),
                mode,
                ratio: self.ratio,
                priority: self.priority,
                max_lines: self.max_lines,
                trunk,
                caller_id,
                ring_timeout_s: self.ring_timeout_s,
                abandon_after_ms: self.abandon_after_ms,
                safe_harbour: self.safe_harbour,
                amd: self.amd_enabled,
                machine_action: match self.machine_message {
                    Some(sound) => MachineAction::LeaveMessage { sound },
                    None => MachineAction::HangUp,
                },
                record: self.recording_enabled,
                wrap_up_s: self.wrap_up_s,
                retry,
            },
            description: self.description,
            state: CampaignState::Stopped,
            epoch: 0,
            default_region: self.default_region,
        })
    }
}

fn retry_rules(check: &mut Check, rules: BTreeMap<String, RetryRule>) -> RetryRules {
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
        check.range(
            &format!("{field}.delay_s"),
            &rule.delay_s,
            &(1..=MAX_DELAY_S),
        );
        check.range(
            &format!("{field}.max_attempts"),
            &rule.max_attempts,
            &(1..=100),
        );
        known.insert(disposition, rule);
    }
    RetryRules(known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(body: serde_json::Value) -> Vec<String> {
        let new: NewCampaign = serde_json::from_value(body).unwrap();
        let problem = new
            .check(None, || CampaignId::new("cmp_1").unwrap())
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
            "name": "", "mode": "predictive", "ratio": 0.5, "priority": 11, "max_lines": 0, "trunk_id": "trk_1",
            "caller_id": "CALL ME", "ring_timeout_s": 4, "abandon_after_ms": 60_001, "safe_harbour": "a&b",
            "machine_message": "hello", "wrap_up_s": 3_601,
            "retry_rules": {"engaged": {"delay_s": 1, "max_attempts": 1}, "busy": {"delay_s": 0, "max_attempts": 1}}
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
                "machine_message",
                "caller_id",
                "retry_rules.busy.delay_s",
                "retry_rules.engaged",
                "trunk_id"
            ]
        );
    }

    #[test]
    fn a_ratio_that_is_no_number_is_refused() {
        let mut new: NewCampaign =
            serde_json::from_value(json!({"name": "a", "mode": "power", "trunk_id": "trk_1"}))
                .unwrap();
        new.ratio = f64::NAN;
        assert!(
            new.check(None, || CampaignId::new("cmp_1").unwrap())
                .unwrap_err()
                .detail()
                .contains('2')
        );
    }
}
