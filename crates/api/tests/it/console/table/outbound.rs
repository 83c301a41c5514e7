//! Campaigns, contacts, history.

use super::{Row, administrators, agents, row, run, supervisors};
use crate::harness::TestApp;

const CAMPAIGN: &[&str] = &[
    "id",
    "name",
    "description",
    "scriptId",
    "qualificationGroupId",
    "callerId",
    "isActive",
    "dialingMode",
    "priority",
    "timezone",
    "schedule",
    "callingDays",
    "callingStartTime",
    "callingEndTime",
    "maxAbandonRate",
    "paceFactor",
    "minAgentsBeforeStart",
    "retryAttempts",
    "retryIntervals",
    "retryOnStatus",
    "amdEnabled",
    "amdConfidence",
    "voicemailAction",
    "recordingEnabled",
    "recordingBeep",
    "maxRingDuration",
    "wrapUpTime",
    "maxCallDuration",
    "quotasEnabled",
    "quotaRules",
    "filterRules",
    "unlockTimeoutsEnabled",
    "unlockTimeoutMinutes",
    "unreachableLimit",
    "createdAt",
    "updatedAt",
    "contacts",
    "assignedUserIds",
];
const CONTACT: &[&str] = &[
    "id",
    "campaignId",
    "firstName",
    "lastName",
    "phoneNumber",
    "postalCode",
    "status",
    "customFields",
    "lockedByAgentId",
    "lockedAt",
    "createdAt",
    "updatedAt",
];

const ROWS: &[Row] = &[
    row(
        "POST",
        "/api/campaigns",
        r#"{"id": "campaign-{n}", "name": "Autumn {n}", "dialingMode": "MANUAL", "isActive": true, "assignedUserIds": ["usr_agent"]}"#,
        administrators(201),
        CAMPAIGN,
    ),
    row(
        "PUT",
        "/api/campaigns/campaign-{n}",
        r#"{"id": "campaign-{n}", "name": "Winter {n}", "callerId": "0142000001", "wrapUpTime": 10}"#,
        administrators(200),
        CAMPAIGN,
    ),
    row(
        "POST",
        "/api/campaigns/campaign-3/contacts",
        r#"{"contacts": [{"id": "contact-import-{n}", "firstName": "Ada", "lastName": "L", "phoneNumber": "063998000{n}",
            "postalCode": "75001", "status": "pending", "customFields": {}, "originalRow": {}}],
            "deduplicationConfig": {"enabled": true, "fieldIds": ["phoneNumber"]}}"#,
        administrators(200),
        &["message", "summary", "invalids"],
    ),
    row(
        "POST",
        "/api/contacts",
        r#"{"campaignId": "campaign-3", "phoneNumber": "063998010{n}", "status": "pending", "customFields": {"a_b": 1}}"#,
        agents(201),
        CONTACT,
    ),
    row(
        "PUT",
        "/api/contacts/contact-import-3",
        r#"{"firstName": "Grace {n}"}"#,
        agents(200),
        CONTACT,
    ),
    row(
        "POST",
        "/api/campaigns/campaign-3/recycle",
        r#"{"qualificationId": "qual-92"}"#,
        supervisors(200),
        &["message"],
    ),
    row(
        "GET",
        "/api/campaigns/campaign-3/history",
        "",
        supervisors(200),
        &[],
    ),
    row(
        "GET",
        "/api/supervisor/call-history?page=1&limit=50",
        "",
        supervisors(200),
        &["records", "totalRecords", "currentPage", "hasNextPage"],
    ),
    row(
        "POST",
        "/api/contacts/bulk-delete",
        r#"{"contactIds": ["contact-import-{n}", "nobody"]}"#,
        administrators(200),
        &["message"],
    ),
    row(
        "DELETE",
        "/api/campaigns/campaign-{n}",
        "",
        administrators(204),
        &[],
    ),
];

#[tokio::test]
async fn the_routes_of_campaigns_and_contacts() {
    let app = TestApp::new().await;
    run(&app, ROWS).await;
}
