//! An agent and a supervisor at the console: a predictive call over the real exchange, and a
//! supervisor who listens to it.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::{
    Asterisk, Daemon, Launch,
    client::Client,
    daemon::{HTTP, PASSWORD},
    dialing::HOLDS_ON,
};

/// Stations of the lab; the logins bear their names, so that they are found.
const AGENT: &str = "1001";
const SUPERVISOR: &str = "1020";

/// Longest wait for anything.
const WITHIN: Duration = Duration::from_mins(1);

/// Somebody at the console: its HTTP and its socket.
struct Console {
    http: Client,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    id: String,
}

impl Console {
    async fn open(login_id: &str) -> anyhow::Result<Self> {
        let base = format!("http://{HTTP}");
        let (http, id) = Client::log_in_at_console(&base, login_id, PASSWORD).await?;
        let url = format!("ws://{HTTP}/api/?token={}", http.token());
        let (socket, _) = connect_async(url).await.context("the console's socket")?;
        Ok(Self { http, socket, id })
    }

    async fn say(&mut self, status: &str) -> anyhow::Result<()> {
        let text = json!({
            "type": "agentStatusChange",
            "payload": {"agentId": self.id, "status": status},
        });
        self.socket.send(Message::text(text.to_string())).await?;
        Ok(())
    }

    /// The payload of the next message of a kind that fits.
    async fn hear(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let wait = async {
            while let Some(message) = self.socket.next().await {
                let Message::Text(text) = message? else {
                    continue;
                };
                let mut message: Value = serde_json::from_str(&text)?;
                if message["type"] == kind && fits(&message["payload"]) {
                    return Ok(message["payload"].take());
                }
            }
            bail!("the console's socket was closed")
        };
        timeout(WITHIN, wait)
            .await
            .with_context(|| format!("no {kind} came within {} s", WITHIN.as_secs()))?
    }

    /// Waits until an agent has a status.
    async fn sees(&mut self, agent: &str, status: &str) -> anyhow::Result<()> {
        self.hear("agentStatusUpdate", |payload| {
            payload["agentId"] == agent && payload["status"] == status
        })
        .await
        .map(drop)
        .with_context(|| format!("waiting for {status}"))
    }

    /// Asks for the next contact until there is one.
    async fn next_contact(&self, campaign: &str) -> anyhow::Result<String> {
        let body = json!({"agentId": self.id, "activeCampaignId": campaign});
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            let next = self
                .http
                .post("/api/campaigns/next-contact", body.clone())
                .await?;
            if let Some(contact) = next["contact"]["id"].as_str() {
                return Ok(contact.to_owned());
            }
        }
        bail!("no contact came within {} s", WITHIN.as_secs())
    }

    async fn act(&self, action: &str, agent: &str) -> anyhow::Result<()> {
        let path = format!("/api/supervisor/{action}");
        self.http.post(&path, json!({"agentId": agent})).await?;
        Ok(())
    }
}

/// An agent logs in over the console, takes a predictive call, qualifies it and gets the next;
/// a supervisor listens and pauses them.
///
/// # Errors
/// When the lab or the daemon fails, or something that must happen does not.
pub async fn console(launch: Launch, asterisk: &Asterisk) -> anyhow::Result<Value> {
    let daemon = Daemon::start(launch, asterisk).await?;
    let admin = daemon.client("admin").await?;
    let campaign = open(&admin).await?;
    let mut supervisor = Console::open(SUPERVISOR).await?;
    let mut agent = Console::open(AGENT).await?;
    let id = agent.id.clone();
    supervisor.sees(&id, "En Pause").await?;
    agent.say("En Attente").await?;
    agent.sees(&id, "En Attente").await?;
    admin
        .post(&format!("/api/v1/campaigns/{campaign}/start"), json!({}))
        .await?;

    let first = agent.next_contact(&campaign).await?;
    agent.sees(&id, "En Appel").await?;
    let call = supervisor
        .hear("newCall", |call| {
            call["agentId"] == *id && call["status"] == "active"
        })
        .await?;
    let bridged = bridged(asterisk).await?;
    let listen = supervise(asterisk, &supervisor, "listen", &id, "quES").await?;
    let coach = supervise(asterisk, &supervisor, "coach", &id, "qwuES").await?;
    let barge = supervise(asterisk, &supervisor, "barge", &id, "qBuES").await?;
    let lines = lines(asterisk).await?.len();

    qualify(&mut agent, &campaign, &first).await?;
    let hangup = supervisor
        .hear("callHangup", |gone| gone["callId"] == call["callId"])
        .await?;
    agent.say("En Attente").await?;
    let second = agent.next_contact(&campaign).await?;
    agent.sees(&id, "En Appel").await?;
    // It takes effect after the call.
    supervisor.act("force-pause", &id).await?;
    qualify(&mut agent, &campaign, &second).await?;
    let paused = agent.sees(&id, "En Pause").await.is_ok();
    supervisor.act("force-logout", &id).await?;
    agent.hear("forceLogout", |_| true).await?;
    supervisor.sees(&id, "Déconnecté").await?;
    let left = leftovers(asterisk).await?;
    let health = admin.get("/health").await?;
    let report = json!({
        "asterisk": asterisk.version().await?,
        "bridged": bridged,
        "contacts_differ": first != second,
        "call_seconds": hangup["duration"],
        "listen": listen,
        "coach": coach,
        "barge": barge,
        "supervisor_lines": lines,
        "force_pause_reached_agent": paused,
        "orphan_channels": left,
        "invariant_violations": health["invariant_violations"],
    });
    daemon.stop().await?;
    Ok(report)
}

/// People, a trunk, and a campaign whose contacts all talk for long. Gives its id.
async fn open(admin: &Client) -> anyhow::Result<String> {
    let mut ids = Vec::new();
    for (login, role) in [(AGENT, "agent"), (SUPERVISOR, "supervisor")] {
        let user = json!({
            "login_id": login, "password": PASSWORD, "role": role,
            "first_name": role, "last_name": login,
        });
        ids.push(admin.post("/api/v1/users", user).await?["id"].clone());
    }
    let trunk = json!({ "id": "carrier", "name": "Carrier", "endpoint": "carrier", "max_channels": 100, "max_calls_per_second": 10 });
    admin.post("/api/v1/trunks", trunk).await?;
    let campaign = json!({
        "name": "Console", "mode": "predictive", "trunk_ids": ["carrier"], "caller_id": "+33199000100",
        "ring_timeout_s": 8, "min_ring_s": 8, "amd_enabled": false, "recording_enabled": false, "wrap_up_s": 2,
    });
    let campaign = admin.post("/api/v1/campaigns", campaign).await?;
    let campaign = campaign["id"]
        .as_str()
        .context("the campaign has no id")?
        .to_owned();
    admin
        .put(
            &format!("/api/v1/campaigns/{campaign}/agents"),
            json!({ "agent_ids": [ids.first()] }),
        )
        .await?;
    let mut csv = String::from("first_name,last_name,phone,postal_code\n");
    for place in 0..20 {
        let phone = format!("+3363998{place:02}{HOLDS_ON}");
        csv.extend(["Contact,", &place.to_string(), ",", &phone, ",75001\n"]);
    }
    let path = format!("/api/v1/campaigns/{campaign}/contacts/import");
    admin.csv(&path, csv).await?;
    Ok(campaign)
}

/// Qualifies a contact as the console does, which ends the call.
async fn qualify(agent: &mut Console, campaign: &str, contact: &str) -> anyhow::Result<()> {
    let body = json!({
        "qualificationId": "qual-92", "campaignId": campaign, "agentId": agent.id,
    });
    agent
        .http
        .post(&format!("/api/contacts/{contact}/qualify"), body)
        .await?;
    agent.say("En Post-Appel").await?;
    let id = agent.id.clone();
    agent.sees(&id, "En Post-Appel").await
}

/// How many channels are in a bridge.
async fn bridged(asterisk: &Asterisk) -> anyhow::Result<usize> {
    let text = asterisk.rx("pbx", "core show channels concise").await?;
    // The field before the last is the bridge.
    let in_bridge = |line: &&str| {
        let mut fields = line.rsplit('!');
        fields
            .nth(1)
            .is_some_and(|bridge| !bridge.trim().is_empty())
    };
    Ok(text.lines().filter(in_bridge).count())
}

/// The channels that listen, as Asterisk lists them.
async fn lines(asterisk: &Asterisk) -> anyhow::Result<Vec<String>> {
    let text = asterisk.rx("pbx", "core show channels concise").await?;
    let listens = |line: &&str| line.contains("!ChanSpy!");
    Ok(text.lines().filter(listens).map(str::to_owned).collect())
}

/// Has the supervisor's telephone rung and waits for the line with these options.
async fn supervise(
    asterisk: &Asterisk,
    supervisor: &Console,
    action: &str,
    agent: &str,
    options: &str,
) -> anyhow::Result<bool> {
    supervisor.act(action, agent).await?;
    let deadline = Instant::now() + Duration::from_secs(15);
    while Instant::now() < deadline {
        let lines = lines(asterisk).await?;
        if lines
            .iter()
            .any(|line| line.contains(&format!(",{options}!")))
        {
            return Ok(true);
        }
        sleep(Duration::from_millis(200)).await;
    }
    Ok(false)
}

/// Channels that are still there a while after everybody left.
async fn leftovers(asterisk: &Asterisk) -> anyhow::Result<usize> {
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut channels = asterisk.channels().await?;
    // Lines that ring for the campaign end by themselves.
    while !channels.is_empty() && Instant::now() < deadline {
        sleep(Duration::from_millis(200)).await;
        channels = asterisk.channels().await?;
    }
    Ok(channels.len())
}
