//! Activity types, scripts, qualifications.

use super::{Row, administrators, row, run, supervisors};
use crate::harness::TestApp;

const ACTIVITY: &[&str] = &[
    "id",
    "name",
    "color",
    "isActive",
    "isSystem",
    "createdAt",
    "updatedAt",
];
const SCRIPT: &[&str] = &[
    "id",
    "name",
    "pages",
    "startPageId",
    "backgroundColor",
    "createdAt",
    "updatedAt",
];
const QUALIFICATION: &[&str] = &[
    "id",
    "code",
    "description",
    "type",
    "groupId",
    "isStandard",
    "parentId",
    "isRecyclable",
    "createdAt",
    "updatedAt",
];
const GROUP: &[&str] = &["id", "name", "createdAt", "updatedAt"];

const AUDIO: &[&str] = &[
    "id",
    "name",
    "fileName",
    "duration",
    "size",
    "uploadDate",
    "createdAt",
    "updatedAt",
];

const FLOW: &[&str] = &[
    "id",
    "name",
    "nodes",
    "connections",
    "publishedVersion",
    "publishError",
    "createdAt",
    "updatedAt",
];
const DID: &[&str] = &[
    "id",
    "number",
    "description",
    "trunkId",
    "ivrFlowId",
    "createdAt",
    "updatedAt",
];

const ROWS: &[Row] = &[
    row(
        "POST",
        "/api/activity-types",
        r##"{"id": "activity-{n}", "name": "Meeting {n}", "color": "#112233", "isActive": true}"##,
        supervisors(201),
        ACTIVITY,
    ),
    row(
        "PUT",
        "/api/activity-types/activity-{n}",
        r##"{"name": "Lunch {n}", "color": "#112233", "isActive": false}"##,
        supervisors(200),
        ACTIVITY,
    ),
    row(
        "DELETE",
        "/api/activity-types/activity-{n}",
        "",
        supervisors(204),
        &[],
    ),
    row(
        "DELETE",
        "/api/activity-types/activity-available",
        "",
        supervisors(409),
        &[],
    ),
    row(
        "DELETE",
        "/api/activity-types/none",
        "",
        supervisors(404),
        &[],
    ),
    row(
        "POST",
        "/api/scripts",
        r#"{"id": "script-{n}", "name": "Greeting", "pages": [{"id": "page-1", "name": "One", "blocks": []}],
            "startPageId": "page-1", "backgroundColor": "bg-white"}"#,
        administrators(201),
        SCRIPT,
    ),
    row(
        "PUT",
        "/api/scripts/script-{n}",
        r#"{"id": "script-{n}", "name": "Welcome", "pages": [], "startPageId": "page-1", "backgroundColor": ""}"#,
        administrators(200),
        SCRIPT,
    ),
    row(
        "POST",
        "/api/scripts/script-{n}/duplicate",
        "",
        administrators(201),
        SCRIPT,
    ),
    row(
        "DELETE",
        "/api/scripts/script-{n}",
        "",
        administrators(204),
        &[],
    ),
    row(
        "POST",
        "/api/qualifications",
        r#"{"id": "qual-c{n}", "code": "c{n}", "description": "Sold", "type": "positive", "groupId": null,
            "isStandard": false, "parentId": null, "isRecyclable": false}"#,
        administrators(201),
        QUALIFICATION,
    ),
    row(
        "POST",
        "/api/qualifications",
        r#"{"id": "qual-d{n}", "code": "90", "type": "neutral"}"#,
        administrators(409),
        QUALIFICATION,
    ),
    row(
        "PUT",
        "/api/qualifications/qual-c{n}",
        r#"{"id": "qual-c{n}", "code": "c{n}", "description": "Signed", "type": "positive"}"#,
        administrators(200),
        QUALIFICATION,
    ),
    row(
        "POST",
        "/api/qualification-groups/groups",
        r#"{"id": "qg-{n}", "name": "Sales", "assignedQualIds": ["qual-c{n}"]}"#,
        administrators(201),
        GROUP,
    ),
    row(
        "PUT",
        "/api/qualifications/groups/qg-{n}",
        r#"{"name": "Selling", "assignedQualIds": []}"#,
        administrators(200),
        GROUP,
    ),
    row(
        "PUT",
        "/api/qualification-groups/qg-{n}",
        r#"{"name": "Sales"}"#,
        administrators(200),
        GROUP,
    ),
    row(
        "DELETE",
        "/api/qualification-groups/groups/qg-{n}",
        "",
        administrators(204),
        &[],
    ),
    row(
        "DELETE",
        "/api/qualifications/qual-c{n}",
        "",
        administrators(204),
        &[],
    ),
    row(
        "DELETE",
        "/api/qualifications/qual-90",
        "",
        administrators(409),
        &[],
    ),
    row(
        "POST",
        "/api/ivr-flows",
        r#"{"id": "mine", "name": "Welcome", "nodes": [], "connections": []}"#,
        administrators(201),
        FLOW,
    ),
    row(
        "DELETE",
        "/api/ivr-flows/none",
        "",
        administrators(404),
        &[],
    ),
    row(
        "PUT",
        "/api/ivr-flows/none",
        r#"{"name": "Welcome", "nodes": [], "connections": []}"#,
        administrators(404),
        &[],
    ),
    row(
        "POST",
        "/api/dids",
        r#"{"id": "did-{n}", "number": "+3319900000{n}", "description": "Line", "trunkId": "", "ivrFlowId": ""}"#,
        administrators(201),
        DID,
    ),
    row(
        "PUT",
        "/api/telephony/dids/did-{n}",
        r#"{"number": "+3319900001{n}", "description": "Line", "trunkId": null, "ivrFlowId": null}"#,
        administrators(200),
        DID,
    ),
    row(
        "PUT",
        "/api/dids/dids/did-{n}",
        r#"{"number": "none", "description": "Line"}"#,
        administrators(400),
        DID,
    ),
    row("DELETE", "/api/dids/did-{n}", "", administrators(204), &[]),
    // What is uploaded and heard is bytes: see media.rs.
    row("POST", "/api/audio-files", "{}", administrators(400), &[]),
    row(
        "PUT",
        "/api/audio-files/none",
        r#"{"name": "Welcome"}"#,
        administrators(404),
        &[],
    ),
    row(
        "PUT",
        "/api/audio-files/audio-1",
        r#"{"name": "Welcome {n}", "fileName": "ignored", "duration": 4}"#,
        administrators(200),
        AUDIO,
    ),
    row(
        "PUT",
        "/api/audio-files/audio-1",
        r#"{"name": ""}"#,
        administrators(400),
        &[],
    ),
    row(
        "DELETE",
        "/api/audio-files/none",
        "",
        administrators(404),
        &[],
    ),
    row(
        "DELETE",
        "/api/audio-files/audio-3",
        "",
        [401, 403, 403, 204, 404],
        &[],
    ),
    row("GET", "/api/media/none.wav", "", administrators(404), &[]),
    row(
        "GET",
        "/api/api/media/none.wav",
        "",
        administrators(404),
        &[],
    ),
    row("GET", "/api/recordings/none.mp3", "", supervisors(404), &[]),
    row(
        "GET",
        "/api/api/recordings/none.mp3",
        "",
        supervisors(404),
        &[],
    ),
    row("GET", "/api/public-config", "", [200; 5], &["appSettings"]),
];

#[tokio::test]
async fn each_route_answers_whom_it_is_for_in_its_shape() {
    let app = TestApp::new().await;
    sqlx::query(
        "INSERT INTO media_files (id, name, file_name, content_type, size_bytes)
         SELECT 'audio-' || n, 'Sound', 'audio-' || n || '.wav', 'audio/wav', 46 FROM generate_series(1, 4) n",
    )
    .execute(app.store.pool())
    .await
    .unwrap();
    run(&app, ROWS).await;
}
