//! Live calls that are transferred, as Asterisk's own list of channels shows them.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{
    Asterisk, Daemon, Launch,
    daemon::PASSWORD,
    dialing::{Floor, HOLDS_ON},
};

/// Stations of the two agents.
const STATIONS: [&str; 2] = ["1001", "1002"];

/// The number that the campaign shows.
const SHOWN: &str = "+33199000100";

/// A number outside that stays, and one that is busy.
const OUTSIDE: &str = "+33199000190";
const BUSY: &str = "+33199000120";

/// A number that costs more.
const PREMIUM: &str = "+33899123456";

/// Longest wait for anything.
const WITHIN: Duration = Duration::from_secs(40);

/// Transfers a call from agent to agent, outside, and back from a number that is busy, with
/// nailed-up legs and with stations that are rung.
///
/// # Errors
/// When the lab or the daemon fails, or something that must happen does not.
pub async fn transfer(launch: Launch, asterisk: &Asterisk) -> anyhow::Result<Value> {
    let mut modes = serde_json::Map::new();
    let mut left = Vec::new();
    for leg_mode in ["nailed-up", "ring-per-call"] {
        let daemon = Daemon::start(launch.clone(), asterisk).await?;
        let (floor, ids) = open(&daemon, leg_mode).await?;
        let scene = Scene {
            asterisk,
            daemon: &daemon,
            floor: &floor,
            ids,
        };
        let figures = scene.play().await?;
        modes.insert(leg_mode.to_owned(), figures);
        left.push(scene.floor.close(asterisk).await?);
        daemon.stop().await?;
    }
    let shown = shown_at_carrier(asterisk).await?;
    Ok(json!({
        "asterisk": asterisk.version().await?,
        "modes": modes,
        "shown_outside": shown,
        "premium_calls": asterisk.carrier_calls().await?.get(PREMIUM).copied().unwrap_or(0),
        "agents_stuck": left.iter().map(|left| left.agents_stuck).sum::<u32>(),
        "orphan_channels": left.iter().map(|left| left.orphan_channels).sum::<usize>(),
        "invariant_violations": left.iter().map(|left| left.invariant_violations).sum::<u64>(),
    }))
}

/// Two agents at work for a campaign with one line, whose people stay. Gives the ids of the agents.
async fn open(daemon: &Daemon, leg_mode: &str) -> anyhow::Result<(Floor, Vec<String>)> {
    let admin = daemon.client("admin").await?;
    let trunk = json!({ "id": "carrier", "name": "Carrier", "endpoint": "carrier", "max_channels": 10, "max_calls_per_second": 10 });
    admin.post("/api/v1/trunks", trunk).await?;
    let campaign = json!({
        "name": "Transfers", "mode": "progressive", "trunk_ids": ["carrier"], "caller_id": SHOWN,
        "ring_timeout_s": 8, "min_ring_s": 8, "amd_enabled": false, "recording_enabled": false,
        "wrap_up_s": 60, "max_lines": 1,
    });
    let campaign = admin.post("/api/v1/campaigns", campaign).await?["id"]
        .as_str()
        .context("the campaign has no id")?
        .to_owned();
    let (mut agents, mut ids) = (Vec::new(), Vec::new());
    for station in STATIONS {
        let user = json!({ "login_id": station, "password": PASSWORD, "role": "agent" });
        let user = admin.post("/api/v1/users", user).await?;
        ids.push(user["id"].as_str().context("no user id")?.to_owned());
    }
    let path = format!("/api/v1/campaigns/{campaign}/agents");
    admin.put(&path, json!({ "agent_ids": ids })).await?;
    let mut csv = String::from("first_name,last_name,phone,postal_code\n");
    for place in 0..4 {
        let phone = format!("+3363998{place:02}{HOLDS_ON}");
        csv.extend(["Contact,", &place.to_string(), ",", &phone, ",75001\n"]);
    }
    let path = format!("/api/v1/campaigns/{campaign}/contacts/import");
    admin.csv(&path, csv).await?;
    for station in STATIONS {
        let agent = daemon.client(station).await?;
        let at = json!({ "station": station, "leg_mode": leg_mode });
        agent.post("/api/v1/agents/me/login", at).await?;
        agent.post("/api/v1/agents/me/ready", json!({})).await?;
        agents.push(agent);
    }
    let floor = Floor {
        admin,
        agents,
        campaign,
    };
    floor.wait_for_agents(2).await?;
    Ok((floor, ids))
}

struct Scene<'a> {
    asterisk: &'a Asterisk,
    daemon: &'a Daemon,
    floor: &'a Floor,
    ids: Vec<String>,
}

/// A conversation: the customer's channel, and the places of the agent who talks and of the other.
struct Talk {
    call: String,
    customer: String,
    agent: usize,
    other: usize,
}

impl Scene<'_> {
    async fn play(&self) -> anyhow::Result<Value> {
        self.floor.start().await?;
        let talk = self.talk().await?;
        let premium = self.hand_on(&talk, talk.agent, json!({ "number": PREMIUM }));
        let premium_refused = premium.await.is_err_and(|e| e.to_string().contains("422"));
        let to = json!({ "agent_id": self.ids[talk.other] });
        self.hand_on(&talk, talk.agent, to).await?;
        let to_agent = self.bridged_with(&talk, STATIONS[talk.other]).await?;
        self.hand_on(&talk, talk.other, json!({ "number": OUTSIDE }))
            .await?;
        let to_outside = self.bridged_with(&talk, "carrier").await?;
        self.hang_up(&talk).await?;

        self.end_wrap_ups().await?;
        let back = self.talk().await?;
        self.hand_on(&back, back.agent, json!({ "number": BUSY }))
            .await?;
        let busy = self.outcome(&back, "failed").await?;
        let came_back = self.bridged_with(&back, STATIONS[back.agent]).await?;
        self.hang_up(&back).await?;

        let stop = format!("/api/v1/campaigns/{}/stop", self.floor.campaign);
        self.floor.admin.post(&stop, json!({})).await?;
        self.end_wrap_ups().await?;
        self.floor.wait_for_agents(2).await?;
        let record = format!("/api/v1/calls/{}/transfers", talk.call);
        Ok(json!({
            "premium_refused": premium_refused,
            "to_agent_ms": to_agent,
            "to_outside_ms": to_outside,
            "busy_is_on_record": busy,
            "came_back_ms": came_back,
            "transfers": self.floor.admin.get(&record).await?,
        }))
    }

    /// Waits until a customer talks with an agent while the other one waits.
    async fn talk(&self) -> anyhow::Result<Talk> {
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            let row: Option<(String, String)> = sqlx::query_as(
                "SELECT replace(id::text, '-', ''), agent_id FROM attempts
                 WHERE bridged_at IS NOT NULL AND ended_at IS NULL",
            )
            .fetch_optional(&self.daemon.database)
            .await?;
            if let Some((id, agent)) = row {
                let place = self.ids.iter().position(|id| *id == agent);
                let agent = place.context("an unknown agent talks")?;
                self.floor.wait_for_agents(1).await?;
                return Ok(Talk {
                    call: format!("call_{id}"),
                    customer: format!("att_{id}"),
                    agent,
                    other: 1 - agent,
                });
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("nobody talks within {} s", WITHIN.as_secs())
    }

    /// An agent transfers their own call.
    async fn hand_on(&self, talk: &Talk, agent: usize, to: Value) -> anyhow::Result<()> {
        let path = format!("/api/v1/calls/{}/transfer", talk.call);
        self.floor.agents[agent].post(&path, to).await.map(drop)
    }

    /// Waits until the customer is in a bridge with one channel of this endpoint and with no
    /// other. Gives the milliseconds that it took.
    async fn bridged_with(&self, talk: &Talk, endpoint: &str) -> anyhow::Result<u64> {
        let began = Instant::now();
        let prefix = format!("PJSIP/{endpoint}-");
        let mut with = Vec::new();
        while began.elapsed() < WITHIN {
            with = self.with_customer(talk).await?;
            if matches!(&with[..], [only] if only.starts_with(&prefix)) {
                return Ok(u64::try_from(began.elapsed().as_millis())?);
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the customer is with {with:?}, not with {endpoint}")
    }

    /// The names of the channels that the customer is in a bridge with.
    async fn with_customer(&self, talk: &Talk) -> anyhow::Result<Vec<String>> {
        let text = self
            .asterisk
            .rx("pbx", "core show channels concise")
            .await?;
        // The name comes first; the bridge and the Uniqueid are the last two fields.
        let channels: Vec<(&str, &str, &str)> = text
            .lines()
            .filter_map(|line| {
                let mut fields = line.trim().rsplit('!');
                let (id, bridge) = (fields.next()?, fields.next()?);
                Some((line.split('!').next()?, bridge, id))
            })
            .collect();
        let bridge = channels
            .iter()
            .find(|(_, bridge, id)| *id == talk.customer && !bridge.is_empty())
            .map(|(_, bridge, _)| *bridge);
        Ok(channels
            .iter()
            .filter(|(_, other, id)| Some(*other) == bridge && *id != talk.customer)
            .map(|(name, ..)| (*name).to_owned())
            .collect())
    }

    /// Whether the only transfer of a call ends so.
    async fn outcome(&self, talk: &Talk, wanted: &str) -> anyhow::Result<bool> {
        let path = format!("/api/v1/calls/{}/transfers", talk.call);
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            let rows = self.floor.admin.get(&path).await?;
            if let Some(outcome) = rows[0]["outcome"].as_str() {
                return Ok(outcome == wanted);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    async fn hang_up(&self, talk: &Talk) -> anyhow::Result<()> {
        let path = format!("/api/v1/calls/{}/hangup", talk.call);
        self.floor.admin.post(&path, json!({})).await?;
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            if !self.asterisk.channels().await?.contains(&talk.customer) {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("the customer is still there")
    }

    /// Ends the wrap-up of whoever talked. Their states follow the hang-up a moment later.
    async fn end_wrap_ups(&self) -> anyhow::Result<()> {
        for (id, agent) in self.ids.iter().zip(&self.floor.agents) {
            let deadline = Instant::now() + WITHIN;
            let busy = ["reserved", "ringing", "on-call"];
            while busy.contains(&self.state(id).await?.as_str()) {
                if Instant::now() > deadline {
                    bail!("the agent {id} still talks");
                }
                sleep(Duration::from_millis(50)).await;
            }
            if self.state(id).await? == "wrap-up" {
                let end = "/api/v1/agents/me/wrap-up/end";
                agent.post(end, json!({})).await?;
            }
        }
        Ok(())
    }

    async fn state(&self, agent: &str) -> anyhow::Result<String> {
        let agents = self.floor.admin.get("/api/v1/agents").await?;
        let agents = agents.get("data").unwrap_or(&agents).as_array();
        let mut found = agents.into_iter().flatten();
        let found = found.find(|one| one["id"] == json!(agent));
        let state = found.and_then(|one| one["state"].as_str());
        Ok(state.context("an agent is not logged in")?.to_owned())
    }
}

/// The numbers that the carrier saw on the calls to the number outside.
async fn shown_at_carrier(asterisk: &Asterisk) -> anyhow::Result<Vec<String>> {
    let path = asterisk.path("carrier_cdr")?;
    let text = tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("cannot read {path}"))?;
    let of_outside = |line: &&str| line.trim_start_matches('"').starts_with(OUTSIDE);
    Ok(text
        .lines()
        .filter(of_outside)
        .filter_map(|line| line.split("\",\"").nth(1))
        .map(str::to_owned)
        .collect())
}

/// What must hold in the report.
pub fn faults(report: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (mode, figures) in report["modes"].as_object().into_iter().flatten() {
        let mut must = |holds: bool, what: &str| {
            if !holds {
                faults.push(format!("{mode}: {what}"));
            }
        };
        must(
            figures["premium_refused"] == json!(true),
            "a premium number was not refused",
        );
        must(
            figures["busy_is_on_record"] == json!(true),
            "the busy number is not on record",
        );
        for time in ["to_agent_ms", "to_outside_ms", "came_back_ms"] {
            must(figures[time].is_u64(), &format!("no {time}"));
        }
        let rows = &figures["transfers"];
        let kinds = [&rows[0]["kind"], &rows[1]["kind"]];
        must(
            kinds == [&json!("agent"), &json!("outside")],
            "the transfers are not on record",
        );
        must(
            rows[1]["outcome"] == "answered" && rows[1]["caller_id"] == SHOWN,
            "the second leg is not on record as it was",
        );
    }
    if report["modes"].as_object().map(serde_json::Map::len) != Some(2) {
        faults.push("not both ways of reaching stations were tried".to_owned());
    }
    let shown = report["shown_outside"].as_array();
    if shown.is_none_or(|shown| shown.len() != 2 || shown.iter().any(|shown| *shown != SHOWN)) {
        faults.push("the number outside was not shown the campaign's number".to_owned());
    }
    if report["premium_calls"] != json!(0) {
        faults.push("the carrier was called at a premium number".to_owned());
    }
    faults
}
