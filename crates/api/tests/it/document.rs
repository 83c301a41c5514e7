//! The OpenAPI document, limits and what every answer has.

use std::collections::BTreeSet;

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use strowger_core::permission::Role;

use crate::{harness::TestApp, roles::ROUTES};

#[test]
fn every_route_is_in_the_document_and_in_the_table_of_roles() {
    let document = serde_json::to_value(strowger_api::openapi()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            documented.insert((method.to_uppercase(), path.clone()));
            assert!(
                operation["summary"].is_string(),
                "{method} {path} says what it does"
            );
        }
    }
    let table: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method.to_owned(), route.path.to_owned()))
        .collect();
    assert_eq!(documented, table);
    assert_references(&document, &document);
}

fn assert_references(value: &Value, document: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                let pointer = reference.trim_start_matches('#');
                assert!(
                    document.pointer(pointer).is_some(),
                    "{reference} leads nowhere"
                );
            }
            fields
                .values()
                .for_each(|value| assert_references(value, document));
        }
        Value::Array(items) => items
            .iter()
            .for_each(|value| assert_references(value, document)),
        _ => {}
    }
}

#[tokio::test]
async fn pages_are_bounded_and_follow_each_other() {
    let app = TestApp::new().await;
    for limit in ["0", "501", "-1", "many"] {
        let answer = app
            .get(Role::Administrator, &format!("/api/v1/users?limit={limit}"))
            .await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["errors"][0]["field"]),
            (422, &json!("limit"))
        );
    }
    let first = app
        .get(Role::Administrator, "/api/v1/users?limit=3")
        .await
        .body;
    assert_eq!(first["data"].as_array().unwrap().len(), 3);
    let next = first["next"].as_str().unwrap();
    let second = app
        .get(
            Role::Administrator,
            &format!("/api/v1/users?limit=3&cursor={next}"),
        )
        .await
        .body;
    assert_eq!(
        (second["data"].as_array().unwrap().len(), &second["next"]),
        (1, &Value::Null)
    );
    for cursor in ["%0a", "1.x"] {
        let answer = app
            .get(
                Role::Administrator,
                &format!("/api/v1/call-records?cursor={cursor}"),
            )
            .await;
        assert_eq!(answer.status, 422);
    }
    assert_eq!(
        app.get(
            Role::Administrator,
            "/api/v1/call-records?campaign_id=cmp_1&limit=500"
        )
        .await
        .status,
        200
    );
}

#[tokio::test]
async fn bodies_are_bounded_and_what_is_wrong_is_said() {
    let app = TestApp::new().await;
    let large = json!({"login_id": "x".repeat(5_000), "password": "x"});
    let answer = app
        .call(None, Method::POST, "/api/v1/auth/login", Some(large))
        .await;
    assert_eq!(answer.status, 413);
    let answer = app
        .post(Role::Administrator, "/api/v1/trunks", json!({"name": 7}))
        .await;
    assert_eq!(answer.status, 422);
    assert_eq!(
        answer.headers[header::CONTENT_TYPE],
        "application/problem+json"
    );
    assert_eq!(
        (&answer.body["success"], &answer.body["status"]),
        (&json!(false), &json!(422))
    );
    let request =
        Request::post("/api/v1/auth/login").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(
        app.send(request.body(Body::from("{")).unwrap())
            .await
            .status,
        400
    );
    let request = Request::post("/api/v1/auth/login").header(header::CONTENT_TYPE, "text/plain");
    assert_eq!(
        app.send(request.body(Body::from("{}")).unwrap())
            .await
            .status,
        415
    );
    assert_eq!(
        app.get(Role::Administrator, "/api/v1/campaigns/a%0ab")
            .await
            .status,
        400
    );
    assert_eq!(
        app.get(Role::Administrator, "/api/v1/nothing").await.body["code"],
        "not-found"
    );
    let answer = app
        .call(
            Some(Role::Administrator),
            Method::DELETE,
            "/api/v1/users",
            None,
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (405, &json!("method-not-allowed"))
    );
}

#[tokio::test]
async fn a_nul_in_a_text_is_said_to_be_wrong_wherever_it_is() {
    let app = TestApp::new().await;
    let texts = json!({"event_ids": ["a\0b"]});
    let deleted = app
        .post(Role::Supervisor, "/api/v1/planning-events/delete", texts)
        .await;
    let listed = app
        .get(Role::SuperAdministrator, "/api/v1/audit-log?actor_id=a%00b")
        .await;
    for answer in [deleted, listed] {
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(answer.text.contains("NUL"), "{}", answer.text);
    }
}

#[tokio::test]
async fn every_answer_has_an_id_and_security_headers() {
    let app = TestApp::new().await;
    for path in ["/", "/health", "/api/v1/agents", "/nothing"] {
        let answer = app.call(None, Method::GET, path, None).await;
        assert!(answer.headers.contains_key("x-request-id"), "{path}");
        assert_eq!(
            answer.headers["x-content-type-options"], "nosniff",
            "{path}"
        );
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
    }
}

#[tokio::test]
async fn health_tells_and_metrics_are_guarded() {
    let app = TestApp::new().await;
    let health = app.call(None, Method::GET, "/health", None).await;
    assert_eq!(health.body["status"], "ok");
    assert_eq!(
        health.body["exchanges"],
        json!([{"name": "pbx1", "up": false}])
    );
    assert_eq!(
        app.call(None, Method::GET, "/ready", None).await.body["status"],
        "ready"
    );
    assert_eq!(
        app.get(Role::Administrator, "/metrics").await.text,
        "strowger_up 1\n"
    );

    let open = TestApp::with(|settings| settings.open_metrics_on_loopback = true, true).await;
    let from = |address: [u8; 4], forwarded: bool| {
        let mut request = Request::get("/metrics");
        if forwarded {
            request = request.header("x-forwarded-for", "198.51.100.1");
        }
        let peer = std::net::SocketAddr::from((address, 4_000));
        request
            .extension(axum::extract::ConnectInfo(peer))
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(open.send(from([127, 0, 0, 1], false)).await.status, 200);
    assert_eq!(
        open.send(from([127, 0, 0, 1], true)).await.status,
        401,
        "a proxy on the same machine"
    );
    assert_eq!(open.send(from([192, 0, 2, 1], false)).await.status, 401);
}
