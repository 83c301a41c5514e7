//! Callers through real flows: menu, calendar, transfer, queue, voicemail.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use super::{Asterisk, Daemon, Launch, client::Client, daemon::PASSWORD};

/// Numbers reserved for fiction (+33 1 99 00).
const MAIN: &str = "+33199000001";
const CLOSED: &str = "+33199000002";
const QUEUE: &str = "+33199000003";
const SPOKEN: &str = "+33199000004";
const NOBODY: &str = "+33199000009";

/// A carrier number that is answered by a person who talks for 20 seconds.
const TRANSFER_TO: &str = "+33639980070";

/// A way that a caller can go, and where it must lead.
struct Path {
    name: &'static str,
    did: &'static str,
    /// The context of the carrier that plays the caller.
    caller: &'static str,
    /// The nodes that must be walked.
    walked: &'static [&'static str],
    check: fn(&Row) -> bool,
}

/// What a call left behind.
#[derive(sqlx::FromRow, Debug)]
struct Row {
    flow_path: Vec<String>,
    transferred_to: Option<String>,
    agent_id: Option<String>,
    voicemail: Option<String>,
    voicemail_ms: Option<i64>,
    queue_id: Option<String>,
}

const PATHS: [Path; 7] = [
    Path {
        name: "menu, 1 pressed, transferred",
        did: MAIN,
        caller: "caller-press-1",
        walked: &["start", "calendar", "menu", "transfer"],
        check: |row| row.transferred_to.as_deref() == Some(TRANSFER_TO),
    },
    Path {
        name: "menu, wrong digit, then 1",
        did: MAIN,
        caller: "caller-wrong-then-right",
        walked: &["start", "calendar", "menu", "transfer"],
        check: |row| row.transferred_to.as_deref() == Some(TRANSFER_TO),
    },
    Path {
        name: "menu, nothing pressed, voicemail",
        did: MAIN,
        caller: "caller-silent",
        walked: &["start", "calendar", "menu", "voicemail"],
        check: |row| row.voicemail.is_some(),
    },
    Path {
        name: "closed by calendar, voicemail left",
        did: CLOSED,
        caller: "caller-voicemail",
        walked: &["start", "calendar", "voicemail"],
        check: |row| row.voicemail_ms.unwrap_or(0) > 0,
    },
    Path {
        name: "queue, agent answers",
        did: QUEUE,
        caller: "caller-voicemail",
        walked: &["start", "queue"],
        check: |row| row.agent_id.is_some() && row.queue_id.is_some(),
    },
    Path {
        name: "text spoken to the end",
        did: SPOKEN,
        caller: "caller-silent",
        walked: &["start", "media", "hangup"],
        check: |row| row.voicemail.is_none(),
    },
    Path {
        name: "number without flow",
        did: NOBODY,
        caller: "caller-silent",
        walked: &[],
        check: |row| row.flow_path.is_empty(),
    },
];

/// Sends callers down every path.
///
/// # Errors
/// When the lab or the daemon fails.
pub async fn inbound(launch: Launch, asterisk: &Asterisk) -> anyhow::Result<Value> {
    let daemon = Daemon::start(launch, asterisk).await?;
    let admin = daemon.client("admin").await?;
    let agent = open(&daemon, &admin).await?;
    let mut paths = Vec::new();
    let mut voicemail_ms = 0;
    let mut voicemail_bytes = 0;
    for path in &PATHS {
        let row = call(&daemon.database, asterisk, path).await?;
        let walked: Vec<&str> = row.flow_path.iter().map(String::as_str).collect();
        let ok = walked == path.walked && (path.check)(&row);
        if let Some(file) = &row.voicemail {
            let on_disk = format!("{}/monitor/{file}", asterisk.path("pbx_spool")?);
            voicemail_bytes =
                voicemail_bytes.max(std::fs::metadata(on_disk).map_or(0, |file| file.len()));
        }
        voicemail_ms = voicemail_ms.max(row.voicemail_ms.unwrap_or(0));
        paths.push(json!({ "name": path.name, "ok": ok, "walked": walked, "voicemail_ms": row.voicemail_ms, "agent": row.agent_id.is_some() }));
    }
    agent.post("/api/v1/agents/me/logout", json!({})).await?;
    let health = admin.get("/health").await?;
    let ok = paths
        .iter()
        .filter(|path| path["ok"] == json!(true))
        .count();
    let report = json!({
        "asterisk": asterisk.version().await?,
        "paths": paths,
        "paths_ok": ok,
        "voicemail_ms": voicemail_ms,
        "voicemail_bytes": voicemail_bytes,
        "spoken_files": spoken_files(asterisk)?,
        "invariant_violations": health["invariant_violations"],
    });
    daemon.stop().await?;
    Ok(report)
}

/// Flows, numbers, a queue and an agent who serves it.
async fn open(daemon: &Daemon, admin: &Client) -> anyhow::Result<Client> {
    let user = json!({ "login_id": "agent1", "password": PASSWORD, "role": "agent", "first_name": "Agent", "last_name": "1" });
    let id = admin.post("/api/v1/users", user).await?["id"].clone();
    admin
        .put(
            "/api/v1/queues/support",
            json!({ "name": "Support", "member_ids": [id] }),
        )
        .await?;
    flow(admin, "main", &main_flow("open")).await?;
    flow(admin, "closed", &main_flow("closed")).await?;
    flow(admin, "queue", &queue_flow()).await?;
    flow(admin, "spoken", &spoken_flow()).await?;
    for (did, number, flow) in [
        ("main", MAIN, "main"),
        ("closed", CLOSED, "closed"),
        ("queue", QUEUE, "queue"),
        ("spoken", SPOKEN, "spoken"),
    ] {
        let body = json!({ "number": number, "description": "", "flow_id": flow });
        admin.put(&format!("/api/v1/dids/{did}"), body).await?;
    }
    let agent = daemon.client("agent1").await?;
    agent
        .post(
            "/api/v1/agents/me/login",
            json!({ "station": "1001", "leg_mode": "ring-per-call" }),
        )
        .await?;
    agent.post("/api/v1/agents/me/ready", json!({})).await?;
    Ok(agent)
}

pub(super) async fn flow(admin: &Client, id: &str, graph: &Value) -> anyhow::Result<()> {
    let body = json!({ "name": id, "nodes": graph["nodes"], "connections": graph["connections"] });
    admin.put(&format!("/api/v1/flows/{id}"), body).await?;
    admin
        .post(&format!("/api/v1/flows/{id}/publish"), json!({}))
        .await?;
    Ok(())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "written in place at every call"
)]
pub(super) fn node(id: &str, kind: &str, content: Value) -> Value {
    json!({ "id": id, "type": kind, "name": id, "x": 0, "y": 0, "content": content })
}

pub(super) fn connection(from: &str, port: &str, to: &str) -> Value {
    json!({ "id": format!("{from}-{port}"), "fromNodeId": from, "fromPortId": port, "toNodeId": to, "toPortId": "in" })
}

/// A calendar that is open, or closed, on every day; then a menu; voicemail when closed.
fn main_flow(calendar: &str) -> Value {
    let event = json!({
        "id": "evt-1", "name": "always", "eventType": calendar, "isRecurring": true, "allDay": true,
        "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "startTime": "00:00", "endTime": "23:59",
    });
    let event_to = if calendar == "open" {
        "menu"
    } else {
        "voicemail"
    };
    let default_to = if calendar == "open" {
        "voicemail-2"
    } else {
        "menu"
    };
    let mut nodes = vec![
        node("start", "start", json!({})),
        node(
            "calendar",
            "calendar",
            json!({ "timezone": "Europe/Paris", "events": [event] }),
        ),
        node(
            "menu",
            "menu",
            json!({
                "audio": "vm-enter-num-to-call", "timeoutSeconds": 3, "maxAttempts": 2, "invalidAudio": "pbx-invalid",
                "options": [{ "key": "1", "portId": "out-1", "label": "Transfer" }],
            }),
        ),
        node(
            "transfer",
            "transfer",
            json!({ "number": TRANSFER_TO, "ringSeconds": 15 }),
        ),
        node(
            "voicemail",
            "voicemail",
            json!({ "audio": "vm-intro", "maxSeconds": 20, "silenceSeconds": 3 }),
        ),
    ];
    let mut connections = vec![
        connection("start", "out", "calendar"),
        connection("calendar", "evt-1", event_to),
        connection("menu", "out-1", "transfer"),
    ];
    if calendar == "open" {
        // The designer lets no two branches meet: the default has a voicemail of its own.
        nodes.push(node(
            "voicemail-2",
            "voicemail",
            json!({ "audio": "vm-intro" }),
        ));
        connections.push(connection("menu", "out-timeout", "voicemail"));
    }
    connections.push(connection("calendar", "out-default", default_to));
    json!({ "nodes": nodes, "connections": connections })
}

fn queue_flow() -> Value {
    json!({
        "nodes": [
            node("start", "start", json!({})),
            node("queue", "queue", json!({ "queueId": "support", "maxWaitSeconds": 20 })),
        ],
        "connections": [connection("start", "out", "queue")],
    })
}

/// A text as the designer writes it, without a sound file.
fn spoken_flow() -> Value {
    json!({
        "nodes": [
            node("start", "start", json!({})),
            node("media", "media", json!({ "prompt": "Bonjour, nos bureaux sont fermés." })),
            node("hangup", "hangup", json!({})),
        ],
        "connections": [connection("start", "out", "media"), connection("media", "out", "hangup")],
    })
}

/// How many texts were spoken into files with sound in them.
fn spoken_files(asterisk: &Asterisk) -> anyhow::Result<usize> {
    let directory = format!("{}/speech", asterisk.path("pbx_spool")?);
    let files = std::fs::read_dir(directory)?.filter_map(Result::ok);
    Ok(files
        .filter(|file| file.metadata().is_ok_and(|data| data.len() > 8_000))
        .count())
}

/// Lets the carrier call and waits for the record of the call.
async fn call(database: &PgPool, asterisk: &Asterisk, path: &Path) -> anyhow::Result<Row> {
    let count =
        "SELECT count(*) FROM call_records WHERE direction = 'inbound' AND ended_at IS NOT NULL";
    let before: i64 = sqlx::query_scalar(count).fetch_one(database).await?;
    let command = format!(
        "channel originate PJSIP/{}@pbx extension s@{}",
        path.did, path.caller
    );
    let answer = asterisk.rx("carrier", &command).await?;
    if answer.contains("No such command") {
        bail!("the carrier cannot place calls: {answer}");
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while sqlx::query_scalar::<_, i64>(count)
        .fetch_one(database)
        .await?
        == before
    {
        if Instant::now() > deadline {
            bail!("{}: the call has no record after 60 s", path.name);
        }
        sleep(Duration::from_millis(200)).await;
    }
    sqlx::query_as(
        "SELECT flow_path, transferred_to, agent_id, voicemail, voicemail_ms, queue_id FROM call_records
         WHERE direction = 'inbound' ORDER BY ended_at DESC NULLS LAST LIMIT 1",
    )
    .fetch_one(database)
    .await
    .context("the record of the call is gone")
}
