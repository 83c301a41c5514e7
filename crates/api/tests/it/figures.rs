//! Contacts that agents keep, and the rate of abandoned calls.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_core::permission::Role::{Administrator, Supervisor};
use uuid::Uuid;

use crate::harness::TestApp;

async fn run(app: &TestApp, statement: &'static str) {
    let pool = app.store.pool();
    sqlx::query(statement).execute(pool).await.unwrap();
}

async fn contact(app: &TestApp) -> String {
    let csv = "phone,first_name\n+33612345678,Ada\n";
    assert_eq!(app.import("cmp_1", csv).await.status, 200);
    sqlx::query_scalar("SELECT id FROM contacts")
        .fetch_one(app.store.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_supervisor_sees_which_agent_keeps_a_contact_and_gives_it_free() {
    let app = TestApp::new().await.with_campaign().await;
    let contact = contact(&app).await;
    let path = "/api/v1/campaigns/cmp_1/locks";
    assert_eq!(
        app.get(Supervisor, path).await.body["data"],
        json!([]),
        "nobody keeps it"
    );
    run(
        &app,
        "UPDATE contacts SET locked_by = 'usr_agent', locked_until = '2026-11-20T12:01:00Z'",
    )
    .await;
    let locks = app.get(Supervisor, path).await;
    assert_eq!(
        locks.body["data"],
        json!([{"contact_id": contact, "first_name": "Ada", "last_name": "",
                "agent_id": "usr_agent", "until": "2026-11-20T12:01:00Z"}])
    );
    let one = format!("{path}/{contact}");
    let release = async || {
        let answer = app.call(Some(Supervisor), Method::DELETE, &one, None).await;
        answer.status.as_u16()
    };
    assert_eq!(release().await, 200);
    assert_eq!(release().await, 404, "it is free");
    assert_eq!(app.get(Supervisor, path).await.body["data"], json!([]));
    run(
        &app,
        "UPDATE contacts SET locked_by = 'usr_agent', locked_until = '2026-11-20T12:01:00Z'",
    )
    .await;
    app.pass(61_000);
    assert_eq!(
        app.get(Supervisor, path).await.body["data"],
        json!([]),
        "the time is over"
    );
    let elsewhere = app.get(Supervisor, "/api/v1/campaigns/cmp_9/locks").await;
    assert_eq!(elsewhere.status, 404);
}

/// Attempts of the campaign that ended like this so many hours ago.
async fn ended(app: &TestApp, disposition: &str, count: u128, hours_ago: i32) {
    let contact: String = sqlx::query_scalar("SELECT id FROM contacts")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    for _ in 0..count {
        sqlx::query(
            "INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch,
                 disposition, created_at, ended_at)
             VALUES ($1, 'cmp_1', $2, 1, '+33612345678', 'trk_1', 'pbx1', 1, $3,
                 timestamptz '2026-11-20T12:00:00Z' - make_interval(hours => $4), now())",
        )
        .bind(Uuid::new_v4())
        .bind(&contact)
        .bind(disposition)
        .bind(hours_ago)
        .execute(app.store.pool())
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn the_abandoned_call_rate_is_told_over_the_window_of_the_campaign_or_another() {
    let app = TestApp::new().await.with_campaign().await;
    contact(&app).await;
    ended(&app, "answered-human", 19, 1).await;
    ended(&app, "abandoned", 1, 1).await;
    ended(&app, "no-answer", 7, 1).await;
    ended(&app, "abandoned", 5, 30).await;
    ended(&app, "abandoned", 4, 24 * 21).await;
    let told = async |query: &str| {
        let path = format!("/api/v1/campaigns/cmp_1/abandonment{query}");
        app.get(Supervisor, &path).await
    };
    let day = told("").await;
    let day = &day.body["data"];
    assert_eq!(
        (&day["limit"], &day["threshold_ms"], &day["window"]),
        (&json!(0.03), &json!(2000), &json!("campaign"))
    );
    assert_eq!(day["from"], "2026-11-19T12:00:00Z");
    assert_eq!(
        day["counts"],
        json!({"served": 19, "abandoned": 1, "machine_verdicts": 0})
    );
    assert_eq!(
        (
            &day["abandoned"],
            &day["denominator"],
            &day["share"],
            &day["upper_bound"]
        ),
        (&json!(1.0), &json!(20.0), &json!(0.05), &json!(0.05))
    );
    assert!(
        day["budget_left"].as_f64().unwrap() < 0.0,
        "the limit is passed"
    );
    let abandoned =
        async |query: &str| told(query).await.body["data"]["counts"]["abandoned"].clone();
    assert_eq!(abandoned("?window=hours&hours=31").await, 6);
    assert_eq!(
        abandoned("?window=calendar-month&time_zone=Europe/Paris").await,
        6
    );
    // Its first call was 21 days ago.
    assert_eq!(abandoned("?window=thirty-days").await, 10);
    for (query, field) in [
        ("?window=week", "window"),
        ("?window=hours&hours=0", "hours"),
        ("?window=thirty-days&time_zone=Mars/Olympus", "time_zone"),
    ] {
        let refused = told(query).await;
        assert_eq!(refused.status, 422, "{query}");
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
}

#[tokio::test]
async fn the_stricter_rule_of_a_pack_is_the_limit_that_is_told() {
    let app = TestApp::new().await.with_campaign().await;
    let changes = json!({"packs": ["us-ftc"], "activity": "solicitation", "abandon_limit": 0.05, "abandon_after_ms": 4000});
    let path = "/api/v1/campaigns/cmp_1";
    let changed = app.call(Some(Administrator), Method::PATCH, path, Some(changes));
    assert_eq!(changed.await.status, 200);
    let told = app
        .get(Supervisor, "/api/v1/campaigns/cmp_1/abandonment")
        .await;
    let told = &told.body["data"];
    assert_eq!(
        (&told["limit"], &told["threshold_ms"], &told["rules"]),
        (&json!(0.03), &json!(2000), &json!(["us-ftc/abandonment"]))
    );
    assert_ne!(told["denominator"], Value::Null);
}
