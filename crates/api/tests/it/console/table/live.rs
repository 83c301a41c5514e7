//! What supervisors do to agents.

use super::{Row, row, run, supervisors};
use crate::harness::TestApp;

const AGENT: &str = r#"{"agentId": "usr_agent"}"#;

const ROWS: &[Row] = &[
    // The agent is not at a station: there is nothing to hear, and nobody to pause.
    row(
        "POST",
        "/api/supervisor/listen",
        AGENT,
        supervisors(409),
        &[],
    ),
    row(
        "POST",
        "/api/supervisor/coach",
        AGENT,
        supervisors(409),
        &[],
    ),
    row(
        "POST",
        "/api/supervisor/barge",
        AGENT,
        supervisors(409),
        &[],
    ),
    row(
        "POST",
        "/api/supervisor/force-pause",
        AGENT,
        supervisors(409),
        &[],
    ),
    row(
        "POST",
        "/api/supervisor/force-logout",
        AGENT,
        supervisors(200),
        &["message"],
    ),
    row(
        "POST",
        "/api/supervisor/listen",
        r#"{"agentId": "usr_9"}"#,
        supervisors(404),
        &[],
    ),
    row(
        "POST",
        "/api/supervisor/listen",
        r#"{"agentId": "no id"}"#,
        supervisors(400),
        &[],
    ),
    row(
        "POST",
        "/api/supervisor/listen",
        "{}",
        supervisors(400),
        &[],
    ),
];

#[tokio::test]
async fn every_supervisor_action_is_for_supervisors_and_those_above() {
    let app = TestApp::new().await;
    run(&app, ROWS).await;
}
