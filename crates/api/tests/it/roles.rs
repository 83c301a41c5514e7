//! Who may use which route.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_core::permission::Role;

use crate::harness::TestApp;

/// The least role that a route is for; `None` is everybody.
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    least: Option<Role>,
}

const fn route(method: &'static str, path: &'static str, least: Option<Role>) -> Route {
    Route {
        method,
        path,
        least,
    }
}

const EVERYBODY: Option<Role> = None;
const AGENT: Option<Role> = Some(Role::Agent);
const SUPERVISOR: Option<Role> = Some(Role::Supervisor);
const ADMINISTRATOR: Option<Role> = Some(Role::Administrator);
const SUPER: Option<Role> = Some(Role::SuperAdministrator);

/// Every route. A test compares it with the OpenAPI document.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/", EVERYBODY),
    route("GET", "/board", EVERYBODY),
    route("GET", "/health", EVERYBODY),
    route("GET", "/ready", EVERYBODY),
    route("GET", "/metrics", ADMINISTRATOR),
    route("GET", "/api/v1/openapi.json", EVERYBODY),
    route("GET", "/api/v1/docs", EVERYBODY),
    route("POST", "/api/v1/auth/login", EVERYBODY),
    route("POST", "/api/v1/auth/mfa", EVERYBODY),
    route("POST", "/api/v1/auth/refresh", EVERYBODY),
    route("POST", "/api/v1/auth/password-reset", EVERYBODY),
    route("GET", "/api/v1/auth/me", AGENT),
    route("POST", "/api/v1/auth/logout", AGENT),
    route("GET", "/api/v1/auth/sessions", AGENT),
    route("DELETE", "/api/v1/auth/sessions/{id}", AGENT),
    route("POST", "/api/v1/auth/mfa/enrol", AGENT),
    route("POST", "/api/v1/auth/mfa/confirm", AGENT),
    route("POST", "/api/v1/auth/mfa/disable", AGENT),
    route("GET", "/api/v1/api-keys", AGENT),
    route("POST", "/api/v1/api-keys", AGENT),
    route("DELETE", "/api/v1/api-keys/{id}", AGENT),
    route("GET", "/api/v1/users/{id}/api-keys", ADMINISTRATOR),
    route("GET", "/api/v1/users/{id}/sessions", ADMINISTRATOR),
    route("DELETE", "/api/v1/users/{id}/lockout", ADMINISTRATOR),
    route("DELETE", "/api/v1/users/{id}/mfa", ADMINISTRATOR),
    route("POST", "/api/v1/users/{id}/password-reset", ADMINISTRATOR),
    route("GET", "/api/v1/users", SUPERVISOR),
    route("POST", "/api/v1/users", ADMINISTRATOR),
    route("POST", "/api/v1/users/bulk", ADMINISTRATOR),
    route("GET", "/api/v1/users/{id}", SUPERVISOR),
    route("PATCH", "/api/v1/users/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/users/{id}", ADMINISTRATOR),
    route("PUT", "/api/v1/users/me/picture", AGENT),
    route("GET", "/api/v1/user-groups", SUPERVISOR),
    route("POST", "/api/v1/user-groups", ADMINISTRATOR),
    route("PUT", "/api/v1/user-groups/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/user-groups/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/agent-profiles", AGENT),
    route("POST", "/api/v1/agent-profiles", ADMINISTRATOR),
    route("PUT", "/api/v1/agent-profiles/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/agent-profiles/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/sites", SUPERVISOR),
    route("POST", "/api/v1/sites", ADMINISTRATOR),
    route("PUT", "/api/v1/sites/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/sites/{id}", ADMINISTRATOR),
    route("PUT", "/api/v1/users/me/password", AGENT),
    route("GET", "/api/v1/trunks", ADMINISTRATOR),
    route("POST", "/api/v1/trunks", ADMINISTRATOR),
    route("PATCH", "/api/v1/trunks/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/trunks/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/trunks/{id}/status", ADMINISTRATOR),
    route("GET", "/api/v1/campaigns", SUPERVISOR),
    route("POST", "/api/v1/campaigns", ADMINISTRATOR),
    route("GET", "/api/v1/campaigns/{id}", SUPERVISOR),
    route("PATCH", "/api/v1/campaigns/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/campaigns/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/campaigns/{id}/desk", SUPERVISOR),
    route("PUT", "/api/v1/campaigns/{id}/desk", ADMINISTRATOR),
    route("GET", "/api/v1/campaigns/{id}/contacts", SUPERVISOR),
    // For agents as well, but only in campaigns of their own.
    route("POST", "/api/v1/campaigns/{id}/contacts", SUPERVISOR),
    route("GET", "/api/v1/contacts/{id}", AGENT),
    route("PATCH", "/api/v1/contacts/{id}", AGENT),
    route("POST", "/api/v1/contacts/delete", ADMINISTRATOR),
    route("PUT", "/api/v1/campaigns/{id}/agents", ADMINISTRATOR),
    route("POST", "/api/v1/campaigns/{id}/start", SUPERVISOR),
    route("POST", "/api/v1/campaigns/{id}/pause", SUPERVISOR),
    route("POST", "/api/v1/campaigns/{id}/stop", SUPERVISOR),
    route("POST", "/api/v1/campaigns/{id}/drain", SUPERVISOR),
    route("POST", "/api/v1/campaigns/{id}/boost", SUPERVISOR),
    route("GET", "/api/v1/campaigns/{id}/abandonment", SUPERVISOR),
    route("GET", "/api/v1/campaigns/{id}/locks", SUPERVISOR),
    route(
        "DELETE",
        "/api/v1/campaigns/{id}/locks/{contact_id}",
        SUPERVISOR,
    ),
    route(
        "POST",
        "/api/v1/campaigns/{id}/contacts/import",
        ADMINISTRATOR,
    ),
    route("GET", "/api/v1/campaigns/{id}/lists", SUPERVISOR),
    route("POST", "/api/v1/campaigns/{id}/lists", ADMINISTRATOR),
    route(
        "PUT",
        "/api/v1/campaigns/{id}/lists/{list_id}",
        ADMINISTRATOR,
    ),
    route(
        "DELETE",
        "/api/v1/campaigns/{id}/lists/{list_id}",
        ADMINISTRATOR,
    ),
    route("GET", "/api/v1/campaigns/{id}/filters", SUPERVISOR),
    route("PUT", "/api/v1/campaigns/{id}/filters", ADMINISTRATOR),
    route("GET", "/api/v1/campaigns/{id}/quotas", SUPERVISOR),
    route("PUT", "/api/v1/campaigns/{id}/quotas", ADMINISTRATOR),
    route("POST", "/api/v1/campaigns/{id}/recycle", SUPERVISOR),
    route("POST", "/api/v1/contacts/{id}/lock", AGENT),
    route("DELETE", "/api/v1/contacts/{id}/lock", AGENT),
    route("POST", "/api/v1/contacts/{id}/qualify", AGENT),
    route("GET", "/api/v1/contacts/{id}/notes", AGENT),
    route("POST", "/api/v1/contacts/{id}/notes", AGENT),
    route("GET", "/api/v1/contacts/{id}/calls", AGENT),
    route("POST", "/api/v1/agents/me/next-contact", AGENT),
    route("GET", "/api/v1/planning-events", AGENT),
    route("POST", "/api/v1/planning-events", SUPERVISOR),
    route("DELETE", "/api/v1/planning-events", ADMINISTRATOR),
    route("PATCH", "/api/v1/planning-events/{id}", SUPERVISOR),
    route("DELETE", "/api/v1/planning-events/{id}", SUPERVISOR),
    route("POST", "/api/v1/planning-events/delete", SUPERVISOR),
    route("GET", "/api/v1/callbacks", AGENT),
    route("POST", "/api/v1/callbacks", AGENT),
    route("PATCH", "/api/v1/callbacks/{id}", AGENT),
    route("DELETE", "/api/v1/callbacks/{id}", AGENT),
    route("GET", "/api/v1/qualifications", AGENT),
    route("PUT", "/api/v1/qualifications/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/qualifications/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/qualification-groups", AGENT),
    route("PUT", "/api/v1/qualification-groups/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/qualification-groups/{id}", ADMINISTRATOR),
    route("POST", "/api/v1/calls/{id}/qualify", AGENT),
    route("GET", "/api/v1/caller-id-pools", SUPERVISOR),
    route("POST", "/api/v1/caller-id-pools", ADMINISTRATOR),
    route("GET", "/api/v1/caller-id-pools/{id}", SUPERVISOR),
    route("PATCH", "/api/v1/caller-id-pools/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/caller-id-pools/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/caller-id-pools/{id}/numbers", SUPERVISOR),
    route(
        "POST",
        "/api/v1/caller-id-pools/{id}/numbers",
        ADMINISTRATOR,
    ),
    route(
        "PATCH",
        "/api/v1/caller-id-pools/{id}/numbers/{number}",
        ADMINISTRATOR,
    ),
    route(
        "DELETE",
        "/api/v1/caller-id-pools/{id}/numbers/{number}",
        ADMINISTRATOR,
    ),
    route("GET", "/api/v1/agents", SUPERVISOR),
    route("GET", "/api/v1/agents/me", AGENT),
    route("POST", "/api/v1/agents/me/login", AGENT),
    route("POST", "/api/v1/agents/me/ready", AGENT),
    route("POST", "/api/v1/agents/me/pause", AGENT),
    route("POST", "/api/v1/agents/me/wrap-up/end", AGENT),
    route("POST", "/api/v1/agents/me/logout", AGENT),
    route("POST", "/api/v1/agents/me/preview", AGENT),
    route("POST", "/api/v1/agents/me/preview/dial", AGENT),
    route("POST", "/api/v1/agents/me/preview/skip", AGENT),
    route("POST", "/api/v1/agents/me/dial", AGENT),
    route("POST", "/api/v1/agents/{id}/ready", SUPERVISOR),
    route("POST", "/api/v1/agents/{id}/pause", SUPERVISOR),
    route("POST", "/api/v1/agents/{id}/logout", SUPERVISOR),
    route("POST", "/api/v1/agents/{id}/listen", SUPERVISOR),
    route("POST", "/api/v1/agents/{id}/coach", SUPERVISOR),
    route("POST", "/api/v1/agents/{id}/barge", SUPERVISOR),
    route("DELETE", "/api/v1/supervision", SUPERVISOR),
    // For agents as well, but only with a call of their own.
    route("POST", "/api/v1/calls/{id}/hangup", SUPERVISOR),
    // An agent only their own.
    route("POST", "/api/v1/calls/{id}/transfer", AGENT),
    route("GET", "/api/v1/calls/{id}/transfers", SUPERVISOR),
    route("GET", "/api/v1/call-records", SUPERVISOR),
    route("GET", "/api/v1/activity-types", AGENT),
    route("POST", "/api/v1/activity-types", SUPERVISOR),
    route("PUT", "/api/v1/activity-types/{id}", SUPERVISOR),
    route("DELETE", "/api/v1/activity-types/{id}", SUPERVISOR),
    route("GET", "/api/v1/scripts", ADMINISTRATOR),
    route("POST", "/api/v1/scripts", ADMINISTRATOR),
    route("GET", "/api/v1/scripts/{id}", ADMINISTRATOR),
    route("PUT", "/api/v1/scripts/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/scripts/{id}", ADMINISTRATOR),
    route("POST", "/api/v1/scripts/{id}/duplicate", ADMINISTRATOR),
    route("GET", "/api/v1/media-files", ADMINISTRATOR),
    route("POST", "/api/v1/media-files", ADMINISTRATOR),
    route("GET", "/api/v1/media-files/{id}", ADMINISTRATOR),
    route("PATCH", "/api/v1/media-files/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/media-files/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/media-files/{id}/content", ADMINISTRATOR),
    route("GET", "/api/v1/recordings/{id}", SUPERVISOR),
    route("GET", "/api/v1/voicemails/{id}", SUPERVISOR),
    route("GET", "/api/v1/flows", ADMINISTRATOR),
    route("GET", "/api/v1/flows/{id}", ADMINISTRATOR),
    route("PUT", "/api/v1/flows/{id}", ADMINISTRATOR),
    route("POST", "/api/v1/flows/{id}/publish", ADMINISTRATOR),
    route("DELETE", "/api/v1/flows/{id}", ADMINISTRATOR),
    route("POST", "/api/v1/flows/{id}/duplicate", ADMINISTRATOR),
    route("GET", "/api/v1/dids", ADMINISTRATOR),
    route("PUT", "/api/v1/dids/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/dids/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/queues", ADMINISTRATOR),
    route("PUT", "/api/v1/queues/{id}", ADMINISTRATOR),
    route("GET", "/api/v1/consents", SUPERVISOR),
    route("POST", "/api/v1/consents", SUPERVISOR),
    route("GET", "/api/v1/opt-outs", SUPERVISOR),
    route("POST", "/api/v1/opt-outs", SUPERVISOR),
    route("DELETE", "/api/v1/opt-outs/{id}", SUPERVISOR),
    route("GET", "/api/v1/dnc-lists", ADMINISTRATOR),
    route("POST", "/api/v1/dnc-lists", ADMINISTRATOR),
    route("PATCH", "/api/v1/dnc-lists/{id}", ADMINISTRATOR),
    route("DELETE", "/api/v1/dnc-lists/{id}", ADMINISTRATOR),
    route("POST", "/api/v1/dnc-lists/{id}/numbers", ADMINISTRATOR),
    route("DELETE", "/api/v1/dnc-lists/{id}/numbers", ADMINISTRATOR),
    route("POST", "/api/v1/dnc-lists/{id}/import", ADMINISTRATOR),
    route("GET", "/api/v1/ledger", SUPERVISOR),
    route("GET", "/api/v1/ledger/export", SUPERVISOR),
    route("GET", "/api/v1/ledger/heads", SUPERVISOR),
    route("POST", "/api/v1/ledger/verify", ADMINISTRATOR),
    route("GET", "/api/v1/audit-log", ADMINISTRATOR),
    route("GET", "/api/v1/stream", SUPERVISOR),
    route("GET", "/api/v1/system/stats", SUPER),
    route("GET", "/api/v1/system/logs", SUPER),
    route("GET", "/api/v1/system/connectivity", SUPER),
    route("POST", "/api/v1/system/ping", SUPER),
    route("POST", "/api/v1/system/test-database", SUPER),
    route("POST", "/api/v1/system/test-manager", SUPER),
    route("GET", "/api/v1/database/tables", SUPER),
    route("POST", "/api/v1/database/query", SUPER),
    route("GET", "/api/v1/backups", SUPER),
    route("POST", "/api/v1/backups", SUPER),
    route("DELETE", "/api/v1/backups/{id}", SUPER),
    route("GET", "/api/v1/backups/{id}/content", SUPER),
    route("GET", "/api/v1/settings/backup-schedule", SUPER),
    route("PUT", "/api/v1/settings/backup-schedule", SUPER),
    route("GET", "/api/v1/settings/limits", SUPER),
    route("PUT", "/api/v1/settings/limits", SUPER),
    route("GET", "/api/v1/settings/appearance", SUPER),
    route("PUT", "/api/v1/settings/appearance", SUPER),
    route("GET", "/api/v1/settings/modules", SUPER),
    route("PUT", "/api/v1/settings/modules", SUPER),
    route("GET", "/api/v1/settings/connections", SUPER),
    route("PUT", "/api/v1/settings/connections", SUPER),
    route("GET", "/api/v1/settings/mail", SUPER),
    route("PUT", "/api/v1/settings/mail", SUPER),
    route("POST", "/api/v1/settings/mail/test", SUPER),
];

fn body(route: &Route) -> Option<Value> {
    (route.method != "GET").then(|| json!({}))
}

#[tokio::test]
async fn every_route_is_for_its_role_and_those_above() {
    let app = TestApp::new().await;
    for route in ROUTES {
        let path = route
            .path
            .replace("{id}", "call_0000000000000000000000000000000a")
            .replace("{number}", "+33142000001")
            .replace("{contact_id}", "ctc_1");
        let method: Method = route.method.parse().unwrap();
        let anonymous = app.call(None, method.clone(), &path, body(route)).await;
        let case = format!("{} {}", route.method, route.path);
        let Some(least) = route.least else {
            assert!(
                !matches!(anonymous.status.as_u16(), 401 | 403 | 404 | 405 | 500),
                "{case}: {}",
                anonymous.status
            );
            continue;
        };
        assert_eq!(anonymous.status, 401, "{case}");
        assert_eq!(anonymous.headers["www-authenticate"], "Bearer", "{case}");
        assert_eq!(anonymous.body["code"], "unauthenticated", "{case}");
        for role in Role::ALL {
            let answer = app
                .call(Some(role), method.clone(), &path, body(route))
                .await;
            if role < least {
                assert_eq!(answer.status, 403, "{case} as {role}");
            } else {
                assert!(
                    !matches!(answer.status.as_u16(), 401 | 403 | 405 | 500),
                    "{case} as {role}: {}",
                    answer.text
                );
            }
            assert!(
                !answer.text.contains("not a hash"),
                "{case} shows a password hash"
            );
        }
    }
}

#[tokio::test]
async fn who_is_deactivated_or_loses_the_role_feels_it_at_once() {
    let app = TestApp::new().await;
    assert_eq!(
        app.get(Role::Supervisor, "/api/v1/agents").await.status,
        200
    );
    sqlx::query("UPDATE users SET role = 'agent' WHERE role = 'supervisor'")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(
        app.get(Role::Supervisor, "/api/v1/agents").await.status,
        403
    );
    sqlx::query("UPDATE users SET is_active = false")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(
        app.get(Role::Supervisor, "/api/v1/agents").await.status,
        401
    );
}

#[tokio::test]
async fn nobody_makes_somebody_above_themselves() {
    let app = TestApp::new().await;
    let new = |role: &str| json!({"login_id": format!("new-{role}"), "password": "correct horse", "role": role});
    assert_eq!(
        app.post(
            Role::Administrator,
            "/api/v1/users",
            new("super-administrator")
        )
        .await
        .status,
        403
    );
    let added = app
        .post(Role::Administrator, "/api/v1/users", new("administrator"))
        .await;
    assert_eq!(added.status, 201);
    assert!(
        !added.text.contains("argon2") && !added.text.contains("password"),
        "{}",
        added.text
    );
    assert_eq!(
        app.post(
            Role::SuperAdministrator,
            "/api/v1/users",
            new("super-administrator")
        )
        .await
        .status,
        201
    );
    let again = app
        .post(
            Role::SuperAdministrator,
            "/api/v1/users",
            new("super-administrator"),
        )
        .await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (409, &json!("conflict"))
    );
    let wrong =
        json!({"login_id": "a b", "password": "correct horse", "role": "agent", "email": "nobody"});
    assert_eq!(
        app.post(Role::Administrator, "/api/v1/users", wrong)
            .await
            .body["errors"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
