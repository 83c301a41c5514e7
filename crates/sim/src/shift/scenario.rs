//! What a simulated shift is like: read from JSON.

use serde::{Deserialize, Serialize};

use super::draw::{Duration, Ring};

/// A shift. Times are seconds since its start, unless a name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name.
    pub name: String,
    /// What it is about, in one sentence.
    #[serde(default)]
    pub about: String,
    /// Length of the shift, in hours.
    #[serde(default = "eight")]
    pub hours: f64,
    /// The first seconds are not in the figures.
    #[serde(default = "half_hour")]
    pub warm_up_s: f64,
    /// Agents at the start.
    pub agents: u32,
    /// The campaign that is dialed, with its called people.
    pub campaign: Campaign,
    /// A second campaign with the same agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Campaign>,
    /// Changes of the number of agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<Staffing>,
    /// Agents pause now and then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Times without a carrier: every dial fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// Callers who reach the same agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbound: Option<Inbound>,
    /// Most lines at once, connected ones among them.
    #[serde(default = "ten_thousand")]
    pub max_lines: u32,
    /// After how long a waiting person is dropped, whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_after_s: Option<f64>,
    /// Policies are told when a line begins to ring.
    #[serde(default)]
    pub tells_ringing: bool,
    /// What our own pacing should reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What is to be reached, in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// At least this occupancy.
    pub occupancy: f64,
    /// At most so many people not connected within 2 s, of those who answered.
    pub late2: f64,
    /// The same for any hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late2_hour: Option<f64>,
}

/// A campaign: who is called, and how calls go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Share of the agents, relative to that of the other campaign.
    #[serde(default = "one")]
    pub share: f64,
    /// Fraction of the dials that a person answers.
    pub human: f64,
    /// Fraction of the others that a machine answers.
    #[serde(default = "machine")]
    pub machine: f64,
    /// Fraction of those that no person answers that fail; what is left rings in vain.
    #[serde(default = "failed")]
    pub failed: f64,
    /// Changes of these rates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Length of a conversation.
    #[serde(default = "talk")]
    pub talk: Duration,
    /// Length of the wrap-up.
    #[serde(default = "wrap")]
    pub wrap: Duration,
    /// From the first ring to the answer.
    #[serde(default = "ring")]
    pub ring: Ring,
    /// How long a line rings before it is given up.
    #[serde(default = "ring_timeout")]
    pub ring_timeout_s: f64,
    /// How long it takes to know that a machine has answered; a person is known at once.
    #[serde(default = "detection")]
    pub detection_s: f64,
    /// From the dial to the first ring or the failure signal.
    #[serde(default = "setup")]
    pub setup_s: f64,
    /// From there to the end of a dial that fails.
    #[serde(default = "failure")]
    pub failure_s: f64,
    /// Contacts on the list; none for as many as are dialed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<u64>,
}

/// A change of rates; what is not said stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub at_s: f64,
    /// As [`Campaign::human`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human: Option<f64>,
    /// As [`Campaign::machine`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<f64>,
    /// As [`Campaign::failed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<f64>,
}

/// A change of the number of agents. Who must leave finishes the call and its wrap-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staffing {
    /// When.
    pub at_s: f64,
    /// Agents from then on.
    pub agents: u32,
}

/// Pauses of agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Probability of a pause after a call.
    pub chance: f64,
    /// How long it lasts.
    pub length: Duration,
}

/// A time without a carrier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// When it begins.
    pub from_s: f64,
    /// When it ends.
    pub to_s: f64,
}

/// Callers, who come at random and reach the next free agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// Callers per hour.
    pub per_hour: f64,
    /// Mean of how long a caller waits before giving up (exponential).
    pub patience_s: f64,
    /// Length of a conversation.
    #[serde(default = "talk")]
    pub talk: Duration,
}

fn eight() -> f64 {
    8.0
}
fn half_hour() -> f64 {
    1800.0
}
fn ten_thousand() -> u32 {
    10_000
}
fn one() -> f64 {
    1.0
}
fn machine() -> f64 {
    0.35
}
fn failed() -> f64 {
    0.10
}
fn talk() -> Duration {
    Duration::log_normal(120.0, 1.0)
}
fn wrap() -> Duration {
    Duration::log_normal(20.0, 0.7)
}
fn ring() -> Ring {
    Ring::Normal(super::draw::NormalRing {
        mean: 11.0,
        sd: 6.0,
    })
}
fn ring_timeout() -> f64 {
    26.0
}
fn detection() -> f64 {
    3.0
}
fn setup() -> f64 {
    1.5
}
fn failure() -> f64 {
    2.0
}

/// The scenarios that come with the simulator.
pub const NAMES: [&str; 12] = [
    "A",
    "B",
    "C",
    "D",
    "E",
    "H",
    "list",
    "shrinkage",
    "lunch",
    "outage",
    "shared",
    "blended",
];

const BUILT_IN: [&str; 12] = [
    include_str!("scenarios/a.json"),
    include_str!("scenarios/b.json"),
    include_str!("scenarios/c.json"),
    include_str!("scenarios/d.json"),
    include_str!("scenarios/e.json"),
    include_str!("scenarios/h.json"),
    include_str!("scenarios/list.json"),
    include_str!("scenarios/shrinkage.json"),
    include_str!("scenarios/lunch.json"),
    include_str!("scenarios/outage.json"),
    include_str!("scenarios/shared.json"),
    include_str!("scenarios/blended.json"),
];

/// Why a scenario can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// No scenario has this name.
    #[error("no scenario is named {0:?}; there are {known}, or give the path of a .json file", known = NAMES.join(", "))]
    Unknown(String),
    /// Not JSON, or a field that is missing, unknown or of the wrong type.
    #[error("scenario: field {path}: {source}")]
    Syntax {
        /// Where, like `schedule[1].agents`; `.` is the whole file.
        path: String,
        /// What is wrong there.
        source: serde_json::Error,
    },
    /// A value that makes no sense.
    #[error("scenario: field {field}: must be {must}")]
    Value {
        /// Which field.
        field: String,
        /// What it must be.
        must: &'static str,
    },
}

impl Scenario {
    /// The scenario that comes with the simulator under this name.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        let text = NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
            .and_then(|index| BUILT_IN.get(index))
            .ok_or_else(|| ScenarioError::Unknown(name.to_owned()))?;
        Self::from_json(text)
    }

    /// A shift of thirty agents with nothing but a fraction of the dials that a person
    /// answers; the rest as in the scenarios that come with the simulator.
    pub fn plain(name: &str, human: f64) -> Self {
        Self {
            name: name.to_owned(),
            about: String::new(),
            hours: eight(),
            warm_up_s: half_hour(),
            agents: 30,
            campaign: Campaign {
                share: one(),
                human,
                machine: machine(),
                failed: failed(),
                steps: Vec::new(),
                talk: talk(),
                wrap: wrap(),
                ring: ring(),
                ring_timeout_s: ring_timeout(),
                detection_s: detection(),
                setup_s: setup(),
                failure_s: failure(),
                list: None,
            },
            second: None,
            schedule: Vec::new(),
            pause: None,
            outages: Vec::new(),
            inbound: None,
            max_lines: ten_thousand(),
            drop_after_s: None,
            tells_ringing: false,
            target: None,
        }
    }

    /// Reads a scenario and checks it. Errors name the field.
    pub fn from_json(text: &str) -> Result<Self, ScenarioError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let scenario: Self = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            ScenarioError::Syntax {
                path: error.path().to_string(),
                source: error.into_inner(),
            }
        })?;
        scenario.check()?;
        Ok(scenario)
    }

    /// Says which value makes no sense, if one does not.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let end = self.hours * 3600.0;
        need(
            self.hours > 0.0 && self.hours <= 168.0,
            "hours",
            "more than 0 and at most 168",
        )?;
        need(
            self.warm_up_s >= 0.0 && self.warm_up_s < end,
            "warm_up_s",
            "0 or more and less than the shift",
        )?;
        need(
            (1..=10_000).contains(&self.agents),
            "agents",
            "from 1 to 10000",
        )?;
        need(self.max_lines >= 1, "max_lines", "1 or more")?;
        if let Some(drop_after_s) = self.drop_after_s {
            need(drop_after_s > 0.0, "drop_after_s", "more than 0")?;
        }
        self.campaign.check("campaign.")?;
        if let Some(second) = &self.second {
            second.check("second.")?;
        }
        for (index, staffing) in self.schedule.iter().enumerate() {
            need(
                staffing.at_s >= 0.0,
                &format!("schedule[{index}].at_s"),
                "0 or more",
            )?;
            need(
                staffing.agents <= 10_000,
                &format!("schedule[{index}].agents"),
                "at most 10000",
            )?;
        }
        if let Some(pause) = &self.pause {
            fraction(pause.chance, "pause.chance")?;
            duration(&pause.length, "pause.length")?;
        }
        for (index, outage) in self.outages.iter().enumerate() {
            need(
                outage.from_s >= 0.0 && outage.to_s > outage.from_s,
                &format!("outages[{index}].to_s"),
                "after from_s, which is 0 or more",
            )?;
        }
        if let Some(inbound) = &self.inbound {
            need(
                inbound.per_hour > 0.0 && inbound.per_hour.is_finite(),
                "inbound.per_hour",
                "more than 0",
            )?;
            need(
                inbound.patience_s > 0.0 && inbound.patience_s.is_finite(),
                "inbound.patience_s",
                "more than 0",
            )?;
            duration(&inbound.talk, "inbound.talk")?;
        }
        Ok(())
    }
}

impl Campaign {
    fn check(&self, prefix: &str) -> Result<(), ScenarioError> {
        let field = |name: &str| format!("{prefix}{name}");
        need(
            self.share > 0.0 && self.share.is_finite(),
            &field("share"),
            "more than 0",
        )?;
        fraction(self.human, &field("human"))?;
        fraction(self.machine, &field("machine"))?;
        fraction(self.failed, &field("failed"))?;
        need(
            self.machine + self.failed <= 1.0 + 1e-9,
            &field("machine"),
            "with failed at most 1",
        )?;
        for (index, step) in self.steps.iter().enumerate() {
            let field = |name: &str| format!("{prefix}steps[{index}].{name}");
            need(step.at_s >= 0.0, &field("at_s"), "0 or more")?;
            for (value, name) in [
                (step.human, "human"),
                (step.machine, "machine"),
                (step.failed, "failed"),
            ] {
                if let Some(value) = value {
                    fraction(value, &field(name))?;
                }
            }
        }
        duration(&self.talk, &field("talk"))?;
        duration(&self.wrap, &field("wrap"))?;
        need(
            self.ring_timeout_s > 0.0 && self.ring_timeout_s.is_finite(),
            &field("ring_timeout_s"),
            "more than 0",
        )?;
        if let Some((part, must)) = self.ring.fault(self.ring_timeout_s) {
            return Err(ScenarioError::Value {
                field: format!("{prefix}ring.{part}"),
                must,
            });
        }
        for (value, name) in [
            (self.detection_s, "detection_s"),
            (self.setup_s, "setup_s"),
            (self.failure_s, "failure_s"),
        ] {
            need(value >= 0.0 && value.is_finite(), &field(name), "0 or more")?;
        }
        Ok(())
    }
}

fn need(fine: bool, field: &str, must: &'static str) -> Result<(), ScenarioError> {
    if fine {
        return Ok(());
    }
    Err(ScenarioError::Value {
        field: field.to_owned(),
        must,
    })
}

fn fraction(value: f64, field: &str) -> Result<(), ScenarioError> {
    need(
        (0.0..=1.0).contains(&value),
        field,
        "a fraction from 0 to 1",
    )
}

fn duration(value: &Duration, field: &str) -> Result<(), ScenarioError> {
    match value.fault() {
        Some((part, must)) => Err(ScenarioError::Value {
            field: format!("{field}.{part}"),
            must,
        }),
        None => Ok(()),
    }
}
