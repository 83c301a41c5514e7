//! A trunk that is added, changed and deleted over the API, at a real Asterisk.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Asterisk, Daemon, Launch, client::Client, dialing::HOLDS_ON};

/// Where the carrier is. The trunk that `add-site-trunk.sh` made leads there too, so no call comes
/// in meanwhile.
const CARRIER: &str = "127.0.0.2";

/// A password with everything that means something to the configuration of Asterisk.
const PASSWORD: &str = r"a;b[c](d)=>#;--\";

/// Makes a trunk to the carrier, calls somebody through it, and tries everything that must not
/// work.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn trunk(launch: Launch, asterisk: &Asterisk) -> anyhow::Result<Value> {
    let mut daemon = Daemon::start(launch, asterisk).await?;
    let admin = daemon.client("admin").await?;
    let file = format!(
        "{}/strowger.d/daemon/trunks.conf",
        asterisk.path("pbx_etc")?
    );
    let mut steps = Steps::default();

    let new = json!({
        "id": "ours", "name": "Ours", "endpoint": "ours", "domain": CARRIER, "codecs": "alaw,ulaw",
        "login": "lab", "password": PASSWORD,
    });
    link_up(&admin).await?;
    let began = Instant::now();
    let added = admin.post("/api/v1/trunks", new).await;
    let took = began.elapsed().as_millis();
    steps.check("a trunk is added", added.is_ok(), &said(&added));
    let shown = asterisk.rx("pbx", "pjsip show endpoint ours").await?;
    let there = [
        "context",
        "strowger-inbound",
        "(alaw|ulaw)",
        "sip:127.0.0.2",
    ]
    .iter()
    .all(|word| shown.contains(word));
    steps.check("Asterisk has it with its values", there, &shown);
    let auth = asterisk.rx("pbx", "pjsip show auth ours").await?;
    steps.check(
        "its password arrived as it is",
        auth.contains(PASSWORD),
        &auth,
    );

    let held = call(asterisk, "ours").await?;
    steps.check("a call goes out through it", held, "no call came up");

    // Changes that do not come about, while that call goes on.
    let before = tokio::fs::read_to_string(&file).await?;
    let refused = admin
        .patch("/api/v1/trunks/ours", json!({ "codecs": "alaw,nosuch" }))
        .await;
    steps.refused("a codec that Asterisk has not", &refused, "502");
    let shown = asterisk.rx("pbx", "pjsip show endpoint ours").await?;
    steps.check(
        "the former codecs are there",
        shown.contains("(alaw|ulaw)"),
        &shown,
    );
    let refused = admin
        .patch("/api/v1/trunks/ours", json!({ "endpoint": "carrier" }))
        .await;
    steps.refused("the name of a trunk by hand", &refused, "409");
    let refused = admin
        .patch("/api/v1/trunks/ours", json!({ "endpoint": "1001" }))
        .await;
    steps.refused("the name of a station", &refused, "409");
    let refused = admin
        .patch(
            "/api/v1/trunks/ours",
            json!({ "inbound_context": "no-such" }),
        )
        .await;
    steps.refused("a context that there is not", &refused, "422");
    for (field, value) in [
        ("domain", "127.0.0.2\n#exec /bin/true"),
        ("domain", "127.0.0.2;evil"),
        ("login", "a]\n[evil](strowger-trunk)"),
        ("password", "a\n[evil]\ntype = endpoint"),
        ("endpoint", "x](!)[evil"),
        ("inbound_context", "strowger-trunks"),
    ] {
        let refused = admin
            .patch("/api/v1/trunks/ours", json!({ field: value }))
            .await;
        steps.refused(&format!("{value:?} as {field}"), &refused, "422");
    }
    let after = tokio::fs::read_to_string(&file).await?;
    steps.check("the file is as it was", after == before, &after);
    let injected = endpoints(asterisk).await?;
    steps.check(
        "nothing was injected",
        !injected.contains("evil"),
        &injected,
    );
    let alive = asterisk.channels().await?;
    let alive = alive.iter().any(|id| id == CALL);
    steps.check("the call went on through all of it", alive, "it is gone");

    // A change that does.
    let changed = admin
        .patch("/api/v1/trunks/ours", json!({ "codecs": "ulaw" }))
        .await;
    steps.check("another codec is taken", changed.is_ok(), &said(&changed));
    let shown = asterisk.rx("pbx", "pjsip show endpoint ours").await?;
    steps.check(
        "Asterisk has the other codec",
        shown.contains("(ulaw)"),
        &shown,
    );
    let status = admin.get("/api/v1/trunks/ours/status").await;
    let reachable = status.as_ref().is_ok_and(|status| {
        status["configured"] == json!(true) && status["reachable"] == json!(true)
    });
    steps.check("its status is told", reachable, &said(&status));
    let alive = asterisk.channels().await?.iter().any(|id| id == CALL);
    steps.check("the call goes on", alive, "it is gone");

    // What a crash leaves: a file that says something else than the database.
    daemon.kill().await?;
    let edited = before
        .replace("[ours]", "[stray]")
        .replace("= ours", "= stray");
    tokio::fs::write(&file, edited).await?;
    daemon.launch().await?;
    let healed = eventually(async || {
        let there = endpoints(asterisk).await?;
        Ok(there.contains("ours") && !there.contains("stray"))
    });
    steps.check(
        "the file is healed at the start",
        healed.await?,
        &endpoints(asterisk).await?,
    );

    let admin = daemon.client("admin").await?;
    asterisk.rx("pbx", "channel request hangup all").await?;
    let deleted = admin.delete("/api/v1/trunks/ours").await;
    steps.check("it is deleted", deleted.is_ok(), &said(&deleted));
    let left = endpoints(asterisk).await?;
    steps.check("Asterisk has it no more", !left.contains("ours"), &left);
    steps.check(
        "the trunk by hand and the stations are there",
        left.contains("carrier") && left.contains("1001"),
        &left,
    );
    let health = admin.get("/health").await?;
    let report = json!({
        "asterisk": asterisk.version().await?,
        "steps": steps.done,
        "failed": steps.failed,
        "added_ms": u64::try_from(took)?,
        "invariant_violations": health["invariant_violations"],
    });
    daemon.stop().await?;
    Ok(report)
}

/// The channel of the call.
const CALL: &str = "trunk-scenario";

/// What was done, and what did not come out as it must.
#[derive(Default)]
struct Steps {
    done: u32,
    failed: Vec<Value>,
}

impl Steps {
    fn check(&mut self, step: &str, holds: bool, why: &str) {
        self.done += 1;
        if !holds {
            self.failed.push(json!({ "step": step, "why": why }));
        }
    }

    /// It was answered with this status.
    fn refused(&mut self, step: &str, answer: &anyhow::Result<Value>, status: &str) {
        let refused = answer
            .as_ref()
            .is_err_and(|error| error.to_string().contains(&format!(": {status} ")));
        self.check(&format!("refused: {step}"), refused, &said(answer));
    }
}

fn said(answer: &anyhow::Result<Value>) -> String {
    match answer {
        Ok(value) => value.to_string(),
        Err(error) => format!("{error:#}"),
    }
}

async fn endpoints(asterisk: &Asterisk) -> anyhow::Result<String> {
    asterisk.rx("pbx", "pjsip show endpoints").await
}

/// Calls somebody who stays on the line, through an endpoint.
async fn call(asterisk: &Asterisk, endpoint: &str) -> anyhow::Result<bool> {
    let secret = tokio::fs::read_to_string(asterisk.path("pbx_ami_secret_file")?).await?;
    let (host, port) = asterisk
        .path("pbx_ami")?
        .split_once(':')
        .context("pbx_ami is no address")?;
    let config = strowger_ami::ClientConfig {
        port: port.parse()?,
        ..strowger_ami::ClientConfig::new(host, asterisk.path("pbx_ami_user")?, secret.trim())
    };
    let (tracker, cancel) = (
        tokio_util::task::TaskTracker::new(),
        tokio_util::sync::CancellationToken::new(),
    );
    let consumer = strowger_ami::Consumer::monitor("lab").of(strowger_ami::EventSet::NONE);
    let (client, mut notices) = strowger_ami::connect(config, consumer, &tracker, cancel.clone());
    while !matches!(
        notices.recv().await,
        Some(strowger_ami::Notice::Up { .. }) | None
    ) {}
    let request = strowger_ami::actions::OriginateRequest {
        channel: format!("PJSIP/+331990000{HOLDS_ON}@{endpoint}"),
        channel_id: CALL.to_owned(),
        context: "strowger-agent".to_owned(),
        exten: "leg".to_owned(),
        priority: 1,
        timeout_ms: 10_000,
        ..strowger_ami::actions::OriginateRequest::default()
    };
    client
        .send(strowger_ami::actions::originate(&request))
        .await?;
    let up = eventually(async || {
        let shown = asterisk.rx("pbx", "core show channels concise").await?;
        Ok(shown
            .lines()
            .any(|line| line.ends_with(CALL) && line.contains("!Up!")))
    });
    let up = up.await?;
    cancel.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(up)
}

/// Waits until the daemon knows the channels of its exchange.
async fn link_up(admin: &Client) -> anyhow::Result<()> {
    let up = eventually(async || {
        let health = admin.get("/health").await?;
        Ok(health.to_string().contains(r#""up":true"#))
    });
    if !up.await? {
        bail!("the daemon has no link to the exchange");
    }
    Ok(())
}

async fn eventually(mut holds: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if holds().await? {
            return Ok(true);
        }
        if Instant::now() > deadline {
            return Ok(false);
        }
        sleep(Duration::from_millis(200)).await;
    }
}
