//! Drafts and publication.

use serde_json::{Value, json};
use strowger_core::permission::Role::Administrator;

use crate::harness::TestApp;

fn flow(to: &str) -> Value {
    let media = |id: &str, name: &str| json!({"id": id, "type": "media", "name": name, "content": {"prompt": "Hello"}});
    json!({
        "name": "Main",
        "nodes": [
            {"id": "start", "type": "start", "name": "Start"}, media("n1", "Welcome"), media("n2", "Repeat"),
            {"id": "end", "type": "hangup", "name": "End"}
        ],
        "connections": [
            {"id": "c1", "fromNodeId": "start", "fromPortId": "out", "toNodeId": "n1", "toPortId": "in"},
            {"id": "c2", "fromNodeId": "n1", "fromPortId": "out", "toNodeId": "n2", "toPortId": "in"},
            {"id": "c3", "fromNodeId": "n2", "fromPortId": "out", "toNodeId": to, "toPortId": "in"}
        ]
    })
}

#[tokio::test]
async fn an_endless_loop_is_saved_and_not_published() {
    let app = TestApp::new().await;
    let saved = app
        .put(Administrator, "/api/v1/flows/flw_1", flow("n1"))
        .await;
    assert_eq!(saved.status, 200, "{}", saved.text);
    assert_eq!(
        saved.body["data"]["findings"][0]["code"], "endless-loop",
        "{}",
        saved.text
    );
    let refused = app
        .post(Administrator, "/api/v1/flows/flw_1/publish", Value::Null)
        .await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (422, &json!("flow-has-errors"))
    );
    let node = refused.body["errors"][0]["field"].as_str().unwrap();
    assert!(matches!(node, "n1" | "n2"), "{}", refused.text);
    let error = refused.body["error"].as_str().unwrap();
    assert!(
        error.contains("Welcome") || error.contains("Repeat"),
        "the node is named: {error}"
    );
    assert_eq!(
        app.get(Administrator, "/api/v1/flows/flw_1").await.body["data"]["published_version"],
        Value::Null
    );
}

#[tokio::test]
async fn a_flow_that_ends_is_published_under_the_next_version() {
    let app = TestApp::new().await;
    app.put(Administrator, "/api/v1/flows/flw_1", flow("end"))
        .await;
    for version in 1..=2 {
        let published = app
            .post(Administrator, "/api/v1/flows/flw_1/publish", Value::Null)
            .await;
        assert_eq!(
            published.body["data"]["version"], version,
            "{}",
            published.text
        );
    }
    let shown = app.get(Administrator, "/api/v1/flows/flw_1").await.body;
    assert_eq!(
        (
            &shown["data"]["published_version"],
            shown["data"]["nodes"].as_array().unwrap().len()
        ),
        (&json!(2), 4)
    );
    assert_eq!(
        app.get(Administrator, "/api/v1/flows").await.body["data"][0]["name"],
        "Main"
    );
    assert_eq!(
        app.post(Administrator, "/api/v1/flows/flw_9/publish", Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn what_is_no_flow_or_too_large_is_refused() {
    let app = TestApp::new().await;
    let put = async |body: Value| app.put(Administrator, "/api/v1/flows/flw_1", body).await;
    assert_eq!(
        put(json!({"name": "x", "nodes": [{"name": "no id"}]}))
            .await
            .status,
        422
    );
    let nodes: Vec<Value> = (0..501)
        .map(|n| json!({"id": n.to_string(), "type": "hangup"}))
        .collect();
    let large = put(json!({"name": "x", "nodes": nodes})).await;
    assert_eq!(
        (large.status.as_u16(), &large.body["errors"][0]["field"]),
        (422, &json!("nodes"))
    );
    let nul = put(
        json!({"name": "x", "nodes": [{"id": "a", "type": "media", "content": {"x": "a\0b"}}]}),
    )
    .await;
    assert_eq!(nul.status, 422, "{}", nul.text);
}
