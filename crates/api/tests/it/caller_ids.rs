//! Pools of caller ids.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_core::permission::Role::{Administrator, Supervisor};

use crate::harness::{Answer, TestApp};

const POOLS: &str = "/api/v1/caller-id-pools";

async fn patch(app: &TestApp, path: &str, body: Value) -> Answer {
    app.call(Some(Administrator), Method::PATCH, path, Some(body))
        .await
}

async fn delete(app: &TestApp, path: &str) -> Answer {
    app.call(Some(Administrator), Method::DELETE, path, None)
        .await
}

/// A pool `cip_1` of three numbers.
async fn with_pool() -> TestApp {
    let app = TestApp::new().await;
    let made = app
        .post(
            Administrator,
            POOLS,
            json!({"id": "cip_1", "name": " Paris "}),
        )
        .await;
    assert_eq!(
        (made.status.as_u16(), &made.body["data"]),
        (
            201,
            &json!({"id": "cip_1", "name": "Paris", "numbers": 0, "resting": 0})
        )
    );
    let numbers = json!({"numbers": ["01 42 00 00 03", "01 42 00 00 01", "+33 1 42 00 00 02"], "region": "FR"});
    let added = app
        .post(Administrator, &format!("{POOLS}/cip_1/numbers"), numbers)
        .await;
    assert_eq!(
        (added.status.as_u16(), &added.body["data"]["added"]),
        (200, &json!(3))
    );
    app
}

async fn number(app: &TestApp, which: usize) -> Value {
    let all = app
        .get(Supervisor, &format!("{POOLS}/cip_1/numbers"))
        .await
        .body;
    all["data"][which].clone()
}

#[tokio::test]
async fn pools_are_listed_renamed_and_deleted() {
    let app = with_pool().await;
    let made = app
        .post(Administrator, POOLS, json!({"name": "Lyon"}))
        .await
        .body;
    let other = made["data"]["id"].as_str().unwrap().to_owned();
    assert!(other.starts_with("cip_"), "{other}");
    let first = app.get(Supervisor, &format!("{POOLS}?limit=1")).await.body;
    let next = first["next"].as_str().unwrap();
    let second = app
        .get(Supervisor, &format!("{POOLS}?limit=1&cursor={next}"))
        .await
        .body;
    assert_eq!(second["next"], Value::Null);
    let ids = [&first["data"][0]["id"], &second["data"][0]["id"]];
    assert!(ids.contains(&&json!("cip_1")) && ids.contains(&&json!(other)));

    let renamed = patch(&app, &format!("{POOLS}/cip_1"), json!({"name": "Île"})).await;
    assert_eq!(
        (renamed.status.as_u16(), &renamed.body["data"]),
        (
            200,
            &json!({"id": "cip_1", "name": "Île", "numbers": 3, "resting": 0})
        )
    );
    let empty = patch(&app, &format!("{POOLS}/cip_1"), json!({"name": " "})).await;
    assert_eq!(
        (empty.status.as_u16(), &empty.body["errors"][0]["field"]),
        (422, &json!("name"))
    );
    assert_eq!(delete(&app, &format!("{POOLS}/cip_1")).await.status, 200);
    assert_eq!(delete(&app, &format!("{POOLS}/cip_1")).await.status, 404);
    let shown = app.get(Supervisor, &format!("{POOLS}/cip_1")).await;
    assert_eq!(shown.status, 404);
    let again = json!({"id": other, "name": "x"});
    assert_eq!(app.post(Administrator, POOLS, again).await.status, 409);
}

#[tokio::test]
async fn a_pool_that_a_campaign_uses_is_kept() {
    let app = with_pool().await.with_campaign().await;
    sqlx::query("UPDATE campaigns SET caller_id_pool_id = 'cip_1'")
        .execute(app.store.pool())
        .await
        .unwrap();
    let kept = delete(&app, &format!("{POOLS}/cip_1")).await;
    assert_eq!(
        (kept.status.as_u16(), &kept.body["error"]),
        (
            409,
            &json!("the campaign cmp_1 shows the numbers of this pool: give it another pool first")
        )
    );
}

#[tokio::test]
async fn numbers_are_paged_in_their_order() {
    let app = with_pool().await;
    let path = format!("{POOLS}/cip_1/numbers");
    let first = app.get(Supervisor, &format!("{path}?limit=2")).await.body;
    assert_eq!(
        (&first["data"][0]["number"], &first["data"][1]["number"]),
        (&json!("+33142000001"), &json!("+33142000002"))
    );
    let next = first["next"].as_str().unwrap();
    let second = app
        .get(Supervisor, &format!("{path}?limit=2&cursor={next}"))
        .await
        .body;
    assert_eq!(
        (second["data"].as_array().unwrap().len(), &second["next"]),
        (1, &Value::Null)
    );
    for cursor in ["x", "%2B33142000001", "%20"] {
        let wrong = app
            .get(Supervisor, &format!("{path}?cursor={cursor}"))
            .await;
        assert_eq!(wrong.status, 422, "{cursor}");
    }
    let nowhere = app.get(Supervisor, &format!("{POOLS}/cip_9/numbers")).await;
    assert_eq!(nowhere.status, 404);
}

#[tokio::test]
async fn wrong_numbers_are_named_and_none_is_added() {
    let app = with_pool().await;
    let path = format!("{POOLS}/cip_1/numbers");
    let wrong = json!({"numbers": ["+33142000009", "12", "0142000001"]});
    let refused = app.post(Administrator, &path, wrong).await;
    let fields: Vec<_> = refused.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["field"])
        .collect();
    assert_eq!(fields, ["numbers[1]", "numbers[2]"]);
    let many: Vec<String> = (0..998)
        .map(|n| format!("+3314200{:04}", n + 1_000))
        .collect();
    let too_many = app
        .post(Administrator, &path, json!({"numbers": many}))
        .await;
    assert_eq!(
        (
            too_many.status.as_u16(),
            &too_many.body["errors"][0]["field"]
        ),
        (422, &json!("numbers"))
    );
    for body in [
        json!({"numbers": []}),
        json!({"numbers": vec!["+33142000009"; 1_001]}),
        json!({"numbers": ["0142000001"], "region": "France"}),
    ] {
        assert_eq!(app.post(Administrator, &path, body).await.status, 422);
    }
    let pool = app.get(Supervisor, &format!("{POOLS}/cip_1")).await.body;
    assert_eq!(pool["data"]["numbers"], 3, "nothing was added");
    let again = json!({"numbers": ["+33142000001", "+33142000004"]});
    let added = app.post(Administrator, &path, again.clone()).await.body;
    assert_eq!(
        (&added["data"]["added"], &added["data"]["pool"]["numbers"]),
        (&json!(1), &json!(4))
    );
    let nowhere = format!("{POOLS}/cip_9/numbers");
    assert_eq!(app.post(Administrator, &nowhere, again).await.status, 404);
}

#[tokio::test]
async fn a_number_is_put_to_rest_woken_taken_out_of_use_and_removed() {
    let app = with_pool().await;
    let path = format!("{POOLS}/cip_1/numbers/+33142000001");
    let rests = patch(&app, &path, json!({"rest_days": 2})).await;
    assert_eq!(
        (
            &rests.body["data"]["rested_until"],
            &rests.body["data"]["rest_reason"]
        ),
        (&json!("2026-11-22T12:00:00Z"), &json!("set by hand"))
    );
    let pool = app.get(Supervisor, &format!("{POOLS}/cip_1")).await.body;
    assert_eq!(pool["data"]["resting"], 1);
    patch(&app, &path, json!({"is_active": false})).await;
    let off = number(&app, 0).await;
    assert_eq!(
        (&off["is_active"], &off["rested_until"]),
        (&json!(false), &json!("2026-11-22T12:00:00Z")),
        "the rest is not touched"
    );
    let woken = patch(&app, &path, json!({"rest_days": 0})).await;
    assert_eq!(woken.body["data"]["rested_until"], Value::Null);
    let long = patch(&app, &path, json!({"rest_days": 366})).await;
    assert_eq!(
        (long.status.as_u16(), &long.body["errors"][0]["field"]),
        (422, &json!("rest_days"))
    );
    assert_eq!(delete(&app, &path).await.status, 200);
    assert_eq!(delete(&app, &path).await.status, 404);
    assert_eq!(patch(&app, &path, json!({})).await.status, 404);
    let nonsense = format!("{POOLS}/cip_1/numbers/0142");
    assert_eq!(patch(&app, &nonsense, json!({})).await.status, 400);
    assert_eq!(
        app.call(Some(Supervisor), Method::DELETE, &path, None)
            .await
            .status,
        403
    );
}
