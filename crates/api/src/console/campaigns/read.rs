//! What the console sends of a campaign, in the words of `/api/v1`.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use strowger_core::lists::filter::{Filter, Quota};
use strowger_store::campaigns::Campaign;

use super::rules::{self, Day, FilterIn, QuotaIn};
use crate::{
    input::Check,
    problem::Problem,
    routes::{campaigns::CampaignBody, desk::DeskBody},
};

/// A campaign as the console sends it. What is absent or null stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CampaignIn {
    pub(super) id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    script_id: Sent,
    qualification_group_id: Sent,
    caller_id: Sent,
    pub(super) is_active: Option<bool>,
    dialing_mode: Option<String>,
    priority: Option<Number>,
    timezone: Option<String>,
    schedule: Option<Vec<Day>>,
    calling_days: Option<Vec<u8>>,
    calling_start_time: Option<String>,
    calling_end_time: Option<String>,
    max_abandon_rate: Option<Number>,
    pace_factor: Option<Number>,
    min_agents_before_start: Option<Number>,
    retry_attempts: Option<Number>,
    retry_intervals: Option<Vec<Number>>,
    retry_on_status: Option<Vec<String>>,
    amd_enabled: Option<bool>,
    amd_confidence: Option<Number>,
    voicemail_action: Option<String>,
    recording_enabled: Option<bool>,
    recording_beep: Option<bool>,
    max_ring_duration: Option<Number>,
    wrap_up_time: Option<Number>,
    max_call_duration: Option<Number>,
    quotas_enabled: Option<bool>,
    quota_rules: Option<Vec<QuotaIn>>,
    filter_rules: Option<Vec<FilterIn>>,
    unlock_timeouts_enabled: Option<bool>,
    unlock_timeout_minutes: Option<Number>,
    unreachable_limit: Option<Number>,
    pub(super) assigned_user_ids: Option<Vec<String>>,
}

/// A field that may be null and may be absent, which are not the same.
#[derive(Debug, Default, PartialEq, Eq)]
enum Sent {
    /// It stays as it is.
    #[default]
    Absent,
    /// It becomes this; null: nothing.
    Is(Option<String>),
}

impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(Self::Is)
    }
}

/// A number, or the text of one, as its inputs give them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Number(f64);

impl TryFrom<Value> for Number {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let number = match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number
            .filter(|number| number.is_finite())
            .map(Self)
            .ok_or_else(|| format!("{value} is not a number"))
    }
}

impl Number {
    /// Without its fraction; a negative one or one too large is the nearest that there is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such a cast goes to the nearest value, which is what is wanted"
    )]
    pub(super) fn whole(self) -> u32 {
        self.0 as u32
    }
}

fn json_of(number: Option<Number>) -> Value {
    match number {
        // Whole numbers are shown as such.
        Some(Number(number)) if number.fract() == 0.0 => json!(Number(number).whole()),
        Some(Number(number)) => json!(number),
        None => Value::Null,
    }
}

fn filled(text: Option<&String>) -> Option<&str> {
    text.map(|text| text.trim()).filter(|text| !text.is_empty())
}

impl CampaignIn {
    /// The settings that it changes, by their names in `/api/v1`.
    pub(super) fn settings(
        &self,
        current: Option<&Campaign>,
    ) -> Result<Map<String, Value>, Problem> {
        let mut check = Check::default();
        let region = current.map_or("FR", |one| one.default_region.as_str());
        let mut to = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                to.insert(name.to_owned(), value);
            }
        };
        set("name", self.name.as_ref().map(|name| json!(name)));
        set(
            "description",
            self.description.as_ref().map(|text| json!(text)),
        );
        match self.dialing_mode.as_deref() {
            Some(mode) => set("mode", Some(json!(mode.to_ascii_lowercase()))),
            None if current.is_none() => set("mode", Some(json!("progressive"))),
            None => {}
        }
        set(
            "caller_id",
            match &self.caller_id {
                Sent::Absent => None,
                Sent::Is(number) => Some(json!(filled(number.as_ref()))),
            },
        );
        set("priority", self.priority.map(|n| json!(n.whole())));
        set(
            "abandon_limit",
            self.max_abandon_rate
                .map(|Number(percent)| json!((percent / 100.0).clamp(0.0, 0.5))),
        );
        set(
            "ratio",
            self.pace_factor
                .map(|Number(factor)| json!(factor.clamp(1.0, 20.0))),
        );
        if let Some(ring) = self.max_ring_duration.map(Number::whole) {
            set("ring_timeout_s", Some(json!(ring)));
            let least = current.map_or(15, |one| one.settings.pacing.min_ring_s);
            set("min_ring_s", Some(json!(least.min(ring))));
        }
        set("amd_enabled", self.amd_enabled.map(|on| json!(on)));
        let hangs_up = filled(self.voicemail_action.as_ref()) == Some("HANGUP");
        if hangs_up || self.amd_enabled == Some(false) {
            set("machine_message", Some(Value::Null));
            set("machine_flow_id", Some(Value::Null));
        }
        set(
            "recording_enabled",
            self.recording_enabled.map(|on| json!(on)),
        );
        // A second at least: in it the agent is kept for the outcome that they have to choose.
        set(
            "wrap_up_s",
            self.wrap_up_time.map(|n| json!(n.whole().max(1))),
        );
        if self.retry_attempts.is_some() || self.retry_intervals.is_some() {
            let intervals: Vec<f64> = self
                .retry_intervals
                .iter()
                .flatten()
                .map(|minutes| minutes.0)
                .collect();
            let attempts = self.retry_attempts.map_or(3, Number::whole);
            let statuses = self.retry_on_status.as_deref().unwrap_or_default();
            let rules = rules::retry(&mut check, attempts, &intervals, statuses);
            set("retry_rules", Some(rules));
        }
        let windows = rules::windows(
            &mut check,
            self.schedule.as_deref(),
            self.calling_days.as_deref(),
            filled(self.calling_start_time.as_ref()),
            filled(self.calling_end_time.as_ref()),
        );
        let zone = filled(self.timezone.as_ref());
        if windows.is_some() || zone.is_some() {
            let mut own = current
                .and_then(|one| one.settings.schedule.as_object().cloned())
                .unwrap_or_default();
            if let Some(windows) = windows {
                own.insert("windows".to_owned(), windows);
            }
            if let Some(zone) = zone {
                if strowger_core::compliance::zone(zone).is_none() {
                    check.wrong("timezone", "there is no such time zone");
                }
                own.insert("time_zone".to_owned(), json!(zone));
            }
            set("schedule", Some(Value::Object(own)));
        }
        set(
            "filters",
            self.filters(region).map(|filters| json!(filters)),
        );
        check.done()?;
        Ok(to)
    }

    /// The filters that it sends, in the words of the core.
    pub(super) fn filters(&self, region: &str) -> Option<Vec<Filter>> {
        let sent = self.filter_rules.as_ref()?;
        Some(sent.iter().map(|rule| rule.filter(region)).collect())
    }

    /// The quotas that it sends, in the words of the core.
    pub(super) fn quotas(&self, region: &str) -> Result<Option<Vec<Quota>>, Problem> {
        let Some(sent) = &self.quota_rules else {
            return Ok(None);
        };
        let mut check = Check::default();
        if sent.len() > rules::MAX_QUOTAS {
            check.wrong("quotaRules", format!("at most {}", rules::MAX_QUOTAS));
        }
        let quotas: Vec<Quota> = sent.iter().map(|rule| rule.quota(region)).collect();
        for (place, quota) in quotas.iter().enumerate() {
            let field = format!("quotaRules[{place}]");
            check.line(&field, &quota.field, 1..=100);
            check.line(&field, &quota.value, 1..=200);
            let same = |other: &&Quota| other.field == quota.field && other.value == quota.value;
            if quotas.iter().take(place).any(|other| same(&other)) {
                check.wrong(&field, "this field and value stand twice");
            }
        }
        check.done()?;
        Ok(Some(quotas))
    }

    /// How agents work at it, as it was and with what is sent.
    pub(super) fn desk(&self, before: DeskBody) -> Result<DeskBody, Problem> {
        let id = |sent: &Sent, before: Option<String>| match sent {
            Sent::Is(sent) => filled(sent.as_ref()).map(str::to_owned),
            Sent::Absent => before,
        };
        let group = id(
            &self.qualification_group_id,
            before.qualification_group_id.map(String::from),
        );
        let group = group
            .map(|group| group.parse())
            .transpose()
            .map_err(|_| Problem::field("qualificationGroupId", "there is no such group"))?;
        let whole = |number: Option<Number>, before: u32| number.map_or(before, Number::whole);
        let minutes = whole(self.unlock_timeout_minutes, before.unlock_after_min);
        Ok(DeskBody {
            script_id: id(&self.script_id, before.script_id),
            qualification_group_id: group,
            min_agents: whole(self.min_agents_before_start, before.min_agents).max(1),
            max_call_s: whole(self.max_call_duration, before.max_call_s),
            recording_beep: self.recording_beep.unwrap_or(before.recording_beep),
            quotas_enabled: self.quotas_enabled.unwrap_or(before.quotas_enabled),
            unlock_after_min: match self.unlock_timeouts_enabled {
                Some(false) => 0,
                Some(true) => minutes.max(1),
                None => before.unlock_after_min,
            },
            unreachable_limit: whole(self.unreachable_limit, before.unreachable_limit),
        })
    }

    /// What was sent and cannot be read back from the settings, each with the settings that it
    /// means: it is shown again as long as they are those.
    pub(super) fn sent(&self, campaign: &Campaign, desk: &DeskBody, before: &Value) -> Value {
        let mut kept = before.as_object().cloned().unwrap_or_default();
        let body = serde_json::to_value(CampaignBody::from(campaign.clone())).unwrap_or_default();
        let mut keep = |group: &str, is_sent: bool, sent: Value| {
            if is_sent {
                let means = rules::means(group, &body, desk.unlock_after_min);
                kept.insert(group.to_owned(), json!({ "sent": sent, "means": means }));
            }
        };
        let hours = self.schedule.is_some() || self.calling_days.is_some();
        keep(
            "schedule",
            hours || self.timezone.is_some(),
            json!({
                "schedule": self.schedule, "callingDays": self.calling_days, "timezone": self.timezone,
                "callingStartTime": self.calling_start_time, "callingEndTime": self.calling_end_time,
            }),
        );
        keep(
            "filters",
            self.filter_rules.is_some(),
            json!({ "filterRules": self.filter_rules }),
        );
        keep(
            "retry",
            self.retry_attempts.is_some() || self.retry_intervals.is_some(),
            json!({
                "retryAttempts": json_of(self.retry_attempts),
                "retryIntervals": self.retry_intervals.as_ref().map(|all| {
                    all.iter().map(|one| json_of(Some(*one))).collect::<Vec<_>>()
                }),
                "retryOnStatus": self.retry_on_status,
            }),
        );
        keep(
            "pace",
            self.max_abandon_rate.is_some() || self.pace_factor.is_some(),
            json!({
                "maxAbandonRate": json_of(self.max_abandon_rate),
                "paceFactor": json_of(self.pace_factor),
            }),
        );
        keep(
            "machines",
            self.amd_confidence.is_some() || self.voicemail_action.is_some(),
            json!({
                "amdConfidence": json_of(self.amd_confidence),
                "voicemailAction": self.voicemail_action,
            }),
        );
        keep(
            "desk",
            self.wrap_up_time.is_some() || self.unlock_timeout_minutes.is_some(),
            json!({
                "wrapUpTime": json_of(self.wrap_up_time),
                "unlockTimeoutMinutes": json_of(self.unlock_timeout_minutes),
            }),
        );
        // Its own ids of quotas; the quotas themselves are in their table.
        if let Some(rules) = &self.quota_rules {
            kept.insert("quotas".to_owned(), json!(rules));
        }
        Value::Object(kept)
    }
}
