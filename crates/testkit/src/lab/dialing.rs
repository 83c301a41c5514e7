//! A campaign through the real Asterisk, against numbers whose outcome is known.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::{Asterisk, Daemon, Launch, client::Client, daemon::PASSWORD};

/// What the carrier does, by the last two digits of a number (see [`expected`]). Outcomes that
/// ring for ever or fail at once are rarer than people, as they are in life.
const BEHAVIOURS: [&str; 12] = [
    "01", "10", "02", "20", "03", "30", "70", "40", "04", "50", "11", "60",
];

/// Ranges of French numbers that are given to nobody, 100 contacts each.
const FICTION: [&str; 6] = ["63998", "19900", "26191", "35301", "46571", "53649"];

/// A number that is answered and never hangs up by itself.
pub(super) const HOLDS_ON: &str = "90";

/// How a campaign is to be run.
#[derive(Debug, Clone)]
pub struct Dialing {
    /// How many contacts.
    pub contacts: u32,
    /// How many agents.
    pub agents: u32,
    /// `progressive`, `power` or `predictive`.
    pub mode: String,
    /// `nailed-up` or `ring-per-call`.
    pub leg_mode: String,
    /// Run answering machine detection, which takes the carrier's people some 1.8 s; without it
    /// the list holds no machines, since nothing could tell them from people.
    pub amd: bool,
}

/// A contact centre at work.
pub(super) struct Floor {
    pub(super) admin: Client,
    pub(super) agents: Vec<Client>,
    pub(super) campaign: String,
}

/// The disposition that must come of a number.
pub(super) fn expected(number: &str) -> &'static str {
    let behaviour = &number[number.len().saturating_sub(2)..];
    match behaviour.as_bytes().first() {
        Some(b'0' | b'7' | b'9') => "answered-human",
        Some(b'1') => "answered-machine",
        Some(b'2') => "busy",
        Some(b'3') => "no-answer",
        Some(b'4') => "rejected",
        Some(b'5') => "invalid",
        Some(b'6') => "carrier-failure",
        _ => "answered-hangup",
    }
}

impl Floor {
    /// Users, a trunk, a campaign and its list; agents logged in at their stations and ready.
    pub(super) async fn open(
        daemon: &Daemon,
        dialing: &Dialing,
        holders: u32,
    ) -> anyhow::Result<Self> {
        let admin = daemon.client("admin").await?;
        let mut ids = Vec::new();
        for number in 1..=dialing.agents {
            let body = json!({
                "login_id": format!("agent{number}"), "password": PASSWORD, "role": "agent",
                "first_name": "Agent", "last_name": number.to_string(),
            });
            ids.push(admin.post("/api/v1/users", body).await?["id"].clone());
        }
        let trunk = json!({ "id": "carrier", "name": "Carrier", "endpoint": "carrier", "max_channels": 100, "max_calls_per_second": 10 });
        admin.post("/api/v1/trunks", trunk).await?;
        let campaign = json!({
            "name": "Lab", "mode": dialing.mode, "ratio": 1.5, "trunk_ids": ["carrier"], "caller_id": "+33199000100",
            "ring_timeout_s": 8, "min_ring_s": 8, "amd_enabled": dialing.amd, "recording_enabled": true, "wrap_up_s": 1,
        });
        let campaign = admin.post("/api/v1/campaigns", campaign).await?;
        let campaign = campaign["id"]
            .as_str()
            .context("the campaign has no id")?
            .to_owned();
        admin
            .put(
                &format!("/api/v1/campaigns/{campaign}/agents"),
                json!({ "agent_ids": ids }),
            )
            .await?;
        let report = admin
            .csv(
                &format!("/api/v1/campaigns/{campaign}/contacts/import"),
                list(dialing, holders),
            )
            .await?;
        if report["imported"] != json!(dialing.contacts) {
            bail!("the list was not imported: {report}");
        }
        let mut floor = Self {
            admin,
            agents: Vec::new(),
            campaign,
        };
        for number in 1..=dialing.agents {
            let agent = daemon.client(&format!("agent{number}")).await?;
            let station =
                json!({ "station": (1000 + number).to_string(), "leg_mode": dialing.leg_mode });
            agent.post("/api/v1/agents/me/login", station).await?;
            agent.post("/api/v1/agents/me/ready", json!({})).await?;
            floor.agents.push(agent);
        }
        floor.wait_for_agents(dialing.agents).await?;
        Ok(floor)
    }

    /// Waits until so many agents are available.
    pub(super) async fn wait_for_agents(&self, agents: u32) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let available = self.states().await?.get("available").copied().unwrap_or(0);
            if available == agents {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("only {available} of {agents} agents are available after 30 s");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many agents are in each state.
    pub(super) async fn states(&self) -> anyhow::Result<BTreeMap<String, u32>> {
        let agents = self.admin.get("/api/v1/agents").await?;
        let agents = agents.get("data").unwrap_or(&agents);
        let mut states = BTreeMap::new();
        for agent in agents.as_array().context("the agents are no list")? {
            *states
                .entry(agent["state"].as_str().unwrap_or_default().to_owned())
                .or_default() += 1;
        }
        Ok(states)
    }

    pub(super) async fn start(&self) -> anyhow::Result<()> {
        self.admin
            .post(
                &format!("/api/v1/campaigns/{}/start", self.campaign),
                json!({}),
            )
            .await
            .map(drop)
    }

    pub(super) async fn state(&self) -> anyhow::Result<String> {
        let campaign = self
            .admin
            .get(&format!("/api/v1/campaigns/{}", self.campaign))
            .await?;
        Ok(campaign["state"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits for the end of the campaign.
    pub(super) async fn finish(&self, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while self.state().await? != "finished" {
            if Instant::now() > deadline {
                bail!("the campaign is not finished after {} s", limit.as_secs());
            }
            sleep(Duration::from_millis(250)).await;
        }
        // Wrap-up is a second; after it everybody must be available again.
        sleep(Duration::from_millis(2_500)).await;
        Ok(())
    }

    /// Logs every agent out, and counts those who were stuck and the channels left behind.
    pub(super) async fn close(&self, asterisk: &Asterisk) -> anyhow::Result<Leftovers> {
        let states = self.states().await?;
        let agents: u32 = states.values().sum();
        let available = states.get("available").copied().unwrap_or(0);
        let expected = u32::try_from(self.agents.len())?;
        let legs_and_others = asterisk.channels().await?;
        let orphans_while_logged_in = legs_and_others
            .iter()
            .filter(|id| !id.starts_with("leg_"))
            .count();
        for agent in &self.agents {
            agent.post("/api/v1/agents/me/logout", json!({})).await?;
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut channels = asterisk.channels().await?;
        while !channels.is_empty() && Instant::now() < deadline {
            sleep(Duration::from_millis(200)).await;
            channels = asterisk.channels().await?;
        }
        let health = self.admin.get("/health").await?;
        Ok(Leftovers {
            agents_stuck: expected.max(agents) - available,
            orphan_channels: orphans_while_logged_in + channels.len(),
            invariant_violations: health["invariant_violations"]
                .as_u64()
                .context("/health has no invariant_violations")?,
        })
    }
}

/// What must be nothing at the end.
pub(super) struct Leftovers {
    pub(super) agents_stuck: u32,
    pub(super) orphan_channels: usize,
    pub(super) invariant_violations: u64,
}

pub(super) fn list(dialing: &Dialing, holders: u32) -> String {
    let behaviours: Vec<&str> = BEHAVIOURS
        .into_iter()
        .filter(|behaviour| dialing.amd || !behaviour.starts_with('1'))
        .collect();
    let mut csv = String::from("first_name,last_name,phone,postal_code\n");
    for place in 0..dialing.contacts {
        let behaviour = match place.checked_sub(holders) {
            Some(place) => behaviours[place as usize % behaviours.len()],
            None => HOLDS_ON,
        };
        // Ranges that ARCEP keeps for fiction; then the place in the list, then the behaviour.
        let range = FICTION[(place / 100) as usize % FICTION.len()];
        let phone = format!("+33{range}{:02}{behaviour}", place % 100);
        csv.extend(["Contact,", &place.to_string(), ",", &phone, ",75001\n"]);
    }
    csv
}

/// Runs a campaign to its end and compares what was recorded with what the carrier did.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn run(launch: Launch, asterisk: &Asterisk, dialing: Dialing) -> anyhow::Result<Value> {
    let daemon = Daemon::start(launch, asterisk).await?;
    let floor = Floor::open(&daemon, &dialing, 0).await?;
    let began = Instant::now();
    floor.start().await?;
    floor
        .finish(Duration::from_secs(60 + u64::from(dialing.contacts) * 10))
        .await?;
    let seconds = began.elapsed().as_secs();
    let leftovers = floor.close(asterisk).await?;
    let (dispositions, mismatches) = dispositions(&daemon.database, &dialing.mode).await?;
    let call_records: i64 =
        sqlx::query_scalar("SELECT count(*) FROM call_records WHERE ended_at IS NOT NULL")
            .fetch_one(&daemon.database)
            .await?;
    let bridged: i64 =
        sqlx::query_scalar("SELECT count(*) FROM attempts WHERE bridged_at IS NOT NULL")
            .fetch_one(&daemon.database)
            .await?;
    let attempts: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts")
        .fetch_one(&daemon.database)
        .await?;
    let recordings = recordings(&daemon.database, asterisk).await?;
    let report = json!({
        "asterisk": asterisk.version().await?,
        "seconds": seconds,
        "mode": dialing.mode,
        "leg_mode": dialing.leg_mode,
        "attempts": attempts,
        "dispositions": dispositions,
        "mismatches": mismatches.len(),
        "mismatched": mismatches,
        "bridged": bridged,
        // Our own time: from the answer, or from the verdict of answering machine detection.
        "answer_to_bridge_ms": latency(&daemon.database, if dialing.amd { "waiting_since" } else { "answered_at" }).await?,
        "answer_to_bridge_with_amd_ms": latency(&daemon.database, "answered_at").await?,
        "late2_percent": late(&daemon.database).await?,
        "call_records": call_records,
        "recordings": recordings,
        "agents_stuck": leftovers.agents_stuck,
        "orphan_channels": leftovers.orphan_channels,
        "invariant_violations": leftovers.invariant_violations,
    });
    daemon.stop().await?;
    Ok(report)
}

/// Attempts by disposition, and those that are not what the carrier did.
pub(super) async fn dispositions(
    database: &PgPool,
    mode: &str,
) -> anyhow::Result<(BTreeMap<String, u32>, Vec<Value>)> {
    type Row = (String, Option<String>, Option<i16>, Option<i16>);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT number, disposition, cause, sip_code FROM attempts ORDER BY created_at",
    )
    .fetch_all(database)
    .await?;
    let mut dispositions = BTreeMap::new();
    let mut mismatches = Vec::new();
    for (number, disposition, cause, sip_code) in rows {
        let got = disposition.unwrap_or_else(|| "open".to_owned());
        // Where there are more lines than agents, some people are abandoned by its nature.
        let abandoned = matches!(mode, "power" | "predictive") && got == "abandoned";
        if got != expected(&number) && !(abandoned && expected(&number) == "answered-human") {
            mismatches.push(json!({ "number": number, "expected": expected(&number), "got": got, "cause": cause, "sip_code": sip_code }));
        }
        *dispositions.entry(got).or_default() += 1;
    }
    Ok((dispositions, mismatches))
}

/// Of the people who answered, the share in percent who were not connected within 2 s of
/// answering, or of the verdict of answering machine detection.
async fn late(database: &PgPool) -> anyhow::Result<Option<f64>> {
    let share: Option<f64> = sqlx::query_scalar(
        "SELECT round(100.0 * count(*) FILTER (WHERE bridged_at IS NULL
                 OR bridged_at - waiting_since > interval '2 seconds') / nullif(count(*), 0), 2)::float8
         FROM call_records
         WHERE direction = 'outbound' AND disposition IN ('answered-human', 'abandoned', 'answered-hangup')",
    )
    .fetch_one(database)
    .await?;
    Ok(share)
}

/// Milliseconds from a moment of the call to the bridge, at the 50th and 99th percentile.
async fn latency(database: &PgPool, from: &'static str) -> anyhow::Result<Value> {
    let query = match from {
        "answered_at" => {
            "SELECT extract(epoch FROM bridged_at - answered_at)::float8 * 1000 FROM call_records
             WHERE bridged_at IS NOT NULL ORDER BY 1"
        }
        _ => {
            "SELECT extract(epoch FROM bridged_at - waiting_since)::float8 * 1000 FROM call_records
             WHERE bridged_at IS NOT NULL ORDER BY 1"
        }
    };
    let times: Vec<f64> = sqlx::query_scalar(query).fetch_all(database).await?;
    let at = |share: usize| {
        times
            .get((times.len() * share).div_ceil(100).saturating_sub(1))
            .map(|ms| (ms * 10.0).round() / 10.0)
    };
    Ok(json!({ "p50": at(50), "p99": at(99) }))
}

/// How many conversations have a recording with sound in it.
async fn recordings(database: &PgPool, asterisk: &Asterisk) -> anyhow::Result<usize> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT recording FROM call_records WHERE recording IS NOT NULL")
            .fetch_all(database)
            .await?;
    let directory = format!("{}/monitor", asterisk.path("pbx_spool")?);
    let with_sound = |name: &&String| {
        std::fs::metadata(format!("{directory}/{name}")).is_ok_and(|file| file.len() > 1_000)
    };
    Ok(names.iter().filter(with_sound).count())
}
