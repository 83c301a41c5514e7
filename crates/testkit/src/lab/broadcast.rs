//! A flow that is played to everybody of a list.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Asterisk, Daemon, Launch,
    client::Client,
    dialing::{Dialing, Floor, dispositions, list},
    inbound::{connection, flow, node},
};

/// How long each of the sounds is. Both are over before the carrier's people hang up.
const SOUND_S: u32 = 2;

/// Plays a flow of sounds that were uploaded to a list without agents; whoever hears it to its end
/// was reached, and machines hear nothing.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn broadcast(
    launch: Launch,
    asterisk: &Asterisk,
    contacts: u32,
) -> anyhow::Result<Value> {
    let daemon = Daemon::start(launch, asterisk).await?;
    let dialing = Dialing {
        contacts,
        agents: 0,
        mode: "broadcast".to_owned(),
        leg_mode: "nailed-up".to_owned(),
        amd: true,
    };
    let floor = open(&daemon, &dialing).await?;
    let began = Instant::now();
    floor.start().await?;
    floor
        .finish(Duration::from_secs(60 + u64::from(contacts) * 10))
        .await?;
    let seconds = began.elapsed().as_secs();
    let leftovers = floor.close(asterisk).await?;
    let (dispositions, mismatches) = dispositions(&daemon.database, &dialing.mode).await?;
    let count = async |query: &'static str| -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(query)
            .fetch_one(&daemon.database)
            .await?)
    };
    let report = json!({
        "asterisk": asterisk.version().await?,
        "seconds": seconds,
        "attempts": count("SELECT count(*) FROM attempts").await?,
        "dispositions": dispositions,
        "mismatches": mismatches.len(),
        "mismatched": mismatches,
        "heard_to_the_end": count("SELECT count(*) FROM call_records WHERE flow_path = '{start,narrow,wide,end}'").await?,
        "heard_least_ms": count(
            "SELECT coalesce(min(extract(epoch FROM ended_at - answered_at) * 1000), 0)::bigint FROM call_records
             WHERE flow_path = '{start,narrow,wide,end}'"
        ).await?,
        "sounds_ms": 2 * SOUND_S * 1_000,
        "call_records": count("SELECT count(*) FROM call_records WHERE ended_at IS NOT NULL").await?,
        "agents_stuck": leftovers.agents_stuck,
        "orphan_channels": leftovers.orphan_channels,
        "invariant_violations": leftovers.invariant_violations,
    });
    daemon.stop().await?;
    Ok(report)
}

async fn open(daemon: &Daemon, dialing: &Dialing) -> anyhow::Result<Floor> {
    let admin = daemon.client("admin").await?;
    let trunk = json!({ "id": "carrier", "name": "Carrier", "endpoint": "carrier", "max_channels": 100, "max_calls_per_second": 10 });
    admin.post("/api/v1/trunks", trunk).await?;
    let graph = json!({
        "nodes": [
            node("start", "start", json!({})),
            node("narrow", "media", json!({ "audio": uploaded(&admin, 8_000).await? })),
            node("wide", "media", json!({ "audio": uploaded(&admin, 16_000).await? })),
            node("end", "hangup", json!({})),
        ],
        "connections": [
            connection("start", "out", "narrow"),
            connection("narrow", "out", "wide"),
            connection("wide", "out", "end"),
        ],
    });
    flow(&admin, "news", &graph).await?;
    let campaign = json!({
        "name": "Lab", "mode": "broadcast", "broadcast_flow_id": "news", "trunk_ids": ["carrier"],
        "caller_id": "+33199000100", "ring_timeout_s": 8, "min_ring_s": 8, "max_lines": 10,
        "amd_enabled": dialing.amd,
    });
    let campaign = admin.post("/api/v1/campaigns", campaign).await?["id"]
        .as_str()
        .context("the campaign has no id")?
        .to_owned();
    let import = format!("/api/v1/campaigns/{campaign}/contacts/import");
    let report = admin.csv(&import, list(dialing, 0)).await?;
    if report["imported"] != json!(dialing.contacts) {
        bail!("the list was not imported: {report}");
    }
    Ok(Floor {
        admin,
        agents: Vec::new(),
        campaign,
    })
}

/// Puts a sound of so many samples a second into the library; gives its id.
async fn uploaded(admin: &Client, hertz: u32) -> anyhow::Result<String> {
    let path = format!("/api/v1/media-files?name=News+at+{hertz}+Hz");
    let file = admin.wav(&path, tone(hertz)).await?;
    Ok(file["id"]
        .as_str()
        .context("the sound has no id")?
        .to_owned())
}

/// A tone of 400 Hz, as PCM of 16 bits on one channel.
fn tone(hertz: u32) -> Vec<u8> {
    let samples = hertz * SOUND_S;
    let bytes = samples * 2;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16_u32.to_le_bytes());
    // PCM, one channel.
    wav.extend([1, 0, 1, 0]);
    wav.extend(hertz.to_le_bytes());
    wav.extend((hertz * 2).to_le_bytes());
    // Two bytes for a sample of 16 bits.
    wav.extend([2, 0, 16, 0]);
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    for sample in 0..samples {
        let high = (sample * 800 / hertz).is_multiple_of(2);
        wav.extend(if high { 4_000_i16 } else { -4_000 }.to_le_bytes());
    }
    wav
}
