//! How quickly everything that a console shows is answered, and what it costs. Run by
//! `scripts/bench-console.sh`.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use strowger_core::permission::Role;
use tower::ServiceExt as _;

use crate::harness::TestApp;

const CAMPAIGNS: i32 = 50;
const CONTACTS: i32 = 100_000;
const USERS: i32 = 200;
const CALLS: usize = 50;

/// Memory of this process in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

async fn fill(app: &TestApp) {
    for (sql, count) in [
        (
            "INSERT INTO users (id, login_id, first_name, last_name, role, password_hash)
             SELECT 'usr-' || g, 'login-' || g, 'First', 'Last ' || g, 'agent', '-' FROM generate_series(1, $1) g",
            USERS,
        ),
        (
            "INSERT INTO campaigns (id, name, mode) SELECT 'cmp-' || g, 'Campaign ' || g, 'progressive'
             FROM generate_series(1, $1) g",
            CAMPAIGNS,
        ),
        (
            "INSERT INTO lists (id, campaign_id, name) SELECT 'cmp-' || g, 'cmp-' || g, 'List' FROM generate_series(1, $1) g",
            CAMPAIGNS,
        ),
        (
            "INSERT INTO contacts (id, campaign_id, list_id, first_name, last_name, postal_code, custom_fields)
             SELECT 'con-' || g, 'cmp-' || (1 + g % 50), 'cmp-' || (1 + g % 50), 'First ' || g, 'Last ' || g, '75001',
                 jsonb_build_object('numero_contrat', 'C' || g, 'ville', 'Paris') FROM generate_series(1, $1) g",
            CONTACTS,
        ),
        (
            "INSERT INTO contact_phones (contact_id, position, number)
             SELECT 'con-' || g, 0, '+336' || lpad(g::text, 8, '0') FROM generate_series(1, $1) g",
            CONTACTS,
        ),
        (
            "INSERT INTO campaign_agents (campaign_id, user_id)
             SELECT 'cmp-' || (1 + g % 50), 'usr-' || g FROM generate_series(1, $1) g",
            USERS,
        ),
        (
            "INSERT INTO campaign_agents (campaign_id, user_id)
             SELECT 'cmp-' || g, 'usr_agent' FROM generate_series(1, $1) g",
            2,
        ),
        (
            "INSERT INTO call_records (id, direction, server, channel, destination, campaign_id, agent_id, started_at, ended_at)
             SELECT gen_random_uuid(), 'outbound', 'pbx1', 'c', '+33142000001', 'cmp-' || (1 + g % 50), 'usr-' || (1 + g % 200),
                 now() - make_interval(secs => g), now() FROM generate_series(1, $1) g",
            20_000,
        ),
    ] {
        sqlx::query(sql)
            .bind(count)
            .execute(app.store.pool())
            .await
            .unwrap();
    }
    sqlx::query("ANALYZE")
        .execute(app.store.pool())
        .await
        .unwrap();
}

fn quantile(sorted: &[Duration], of: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a short list"
    )]
    let place = ((sorted.len() as f64 * of).ceil() as usize).clamp(1, sorted.len());
    (sorted[place - 1].as_secs_f64() * 10_000.0).round() / 10.0
}

async fn measure(app: &TestApp, role: Role) -> Value {
    let token = app.token(role).await;
    let (mut first, mut whole, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..CALLS {
        let request = Request::get("/api/application-data")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .unwrap();
        let begun = tokio::time::Instant::now();
        let response = app.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut chunks = response.into_body().into_data_stream();
        bytes = chunks.next().await.unwrap().unwrap().len();
        first.push(begun.elapsed());
        while let Some(chunk) = chunks.next().await {
            bytes += chunk.unwrap().len();
        }
        whole.push(begun.elapsed());
    }
    first.sort_unstable();
    whole.sort_unstable();
    json!({
        "first_byte_ms": { "p50": quantile(&first, 0.5), "p99": quantile(&first, 0.99) },
        "whole_ms": { "p50": quantile(&whole, 0.5), "p99": quantile(&whole, 0.99) },
        "bytes": bytes,
    })
}

#[tokio::test]
#[ignore = "a benchmark: run it with scripts/bench-console.sh"]
#[expect(clippy::print_stdout, reason = "the script reads it there")]
async fn everything_that_a_console_shows() {
    let app = TestApp::new().await;
    fill(&app).await;
    // The first answers fill caches and prepare statements.
    for role in [Role::Agent, Role::Administrator] {
        app.get(role, "/api/public-config").await;
    }
    let before = resident_kib();
    let agent = measure(&app, Role::Agent).await;
    let administrator = measure(&app, Role::Administrator).await;
    let after = resident_kib();
    let figures = json!({
        "campaigns": CAMPAIGNS, "contacts": CONTACTS, "users": USERS + 4, "calls": 2 * CALLS,
        "agent": agent, "administrator": administrator,
        "rss_kib": { "before": before, "after": after },
    });
    println!("FIGURES {figures}");
    assert!(
        after < before + 100 * 1024,
        "memory grew from {before} to {after} KiB"
    );
}
