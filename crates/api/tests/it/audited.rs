//! Whatever a person changes is in the audit log.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use strowger_api::{ApiState, exchange_channel, router};
use strowger_core::permission::Role::{self, Administrator, Agent, SuperAdministrator, Supervisor};
use uuid::Uuid;

use crate::{
    harness::{Answer, PASSWORD, TestApp, id},
    roles::ROUTES,
};

/// Routes that change nothing, though they are not read with GET.
const CHANGES_NOTHING: &[(&str, &str)] = &[
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/ledger/verify"),
    ("POST", "/api/v1/system/ping"),
    // Part of logging in, as is the second factor.
    ("POST", "/api/v1/auth/mfa"),
    ("POST", "/api/v1/auth/refresh"),
    // Made, and not yet in force until it is confirmed.
    ("POST", "/api/v1/auth/mfa/enrol"),
    // Whose turn it is with a contact, for some minutes: it ends by itself.
    ("POST", "/api/v1/agents/me/next-contact"),
    ("POST", "/api/v1/contacts/{id}/lock"),
    ("DELETE", "/api/v1/contacts/{id}/lock"),
    // The end of a line whose beginning is in the log.
    ("DELETE", "/api/v1/supervision"),
];

/// Routes that need what only a real login has: `identity.rs` uses them.
const OF_A_LOGIN: &[(&str, &str)] = &[
    ("POST", "/api/v1/auth/logout"),
    ("POST", "/api/v1/auth/mfa/confirm"),
    ("POST", "/api/v1/auth/mfa/disable"),
    ("POST", "/api/v1/auth/password-reset"),
    ("DELETE", "/api/v1/users/{id}/mfa"),
    ("DELETE", "/api/v1/users/{id}/lockout"),
    // Needs a mail server: `system/settings.rs` has one.
    ("POST", "/api/v1/settings/mail/test"),
    // These need a database and an exchange that answer: `system/` has them.
    ("POST", "/api/v1/system/test-database"),
    ("POST", "/api/v1/system/test-manager"),
    ("POST", "/api/v1/database/query"),
];

/// The routes with a switchboard that does whatever it is told.
struct Scene {
    app: TestApp,
    /// What stands for the parameters of paths, and in bodies.
    names: BTreeMap<&'static str, String>,
    seen: BTreeSet<(&'static str, &'static str)>,
    rows: usize,
}

impl Scene {
    async fn new() -> Self {
        let mut app = TestApp::new().await;
        let (exchange, mut requests) = exchange_channel(64);
        app.tasks.spawn(async move {
            while let Some(request) = requests.recv().await {
                let _ = request.reply.send(Ok(()));
            }
        });
        app.router = router(ApiState {
            exchange,
            ..app.state.clone()
        });
        Self {
            app,
            names: BTreeMap::new(),
            seen: BTreeSet::new(),
            rows: 0,
        }
    }

    /// Uses a route; the audit log says who did it. Text is sent as CSV.
    async fn write(
        &mut self,
        role: Role,
        method: &'static str,
        route: &'static str,
        id_: &str,
        body: Value,
    ) -> Answer {
        let mut path = route.replace("{id}", id_);
        for (name, value) in &self.names {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let method_: Method = method.parse().unwrap();
        if (method, route) == ("POST", "/api/v1/media-files") {
            path.push_str("?name=Hello");
        }
        let answer = if let Value::String(csv) = body {
            let request = Request::builder()
                .method(method_)
                .uri(&path)
                .header(
                    header::AUTHORIZATION,
                    format!("Bearer {}", self.app.token(role).await),
                )
                .header(header::CONTENT_TYPE, "text/csv");
            self.app.send(request.body(Body::from(csv)).unwrap()).await
        } else {
            if let ("DELETE", Some(number)) = (method, body["number"].as_str()) {
                path = format!("{path}?number={}", number.replace('+', "%2B"));
            }
            let body = (!body.is_null()).then_some(body);
            self.app.call(Some(role), method_, &path, body).await
        };
        let case = format!("{method} {path}");
        assert!(answer.status.is_success(), "{case}: {}", answer.text);
        let log: Vec<(Option<String>, String, String)> =
            sqlx::query_as("SELECT actor_id, action, change::text FROM audit_log ORDER BY id")
                .fetch_all(self.app.store.pool())
                .await
                .unwrap();
        let new = &log[self.rows..];
        assert!(!new.is_empty(), "{case} is not in the audit log");
        for (actor, action, change) in new {
            assert_eq!(
                actor.as_deref(),
                Some(id(role).as_str()),
                "{case}: {action}"
            );
            for secret in [PASSWORD, "another password", "argon2"] {
                assert!(!change.contains(secret), "{case}: {change}");
            }
        }
        self.rows = log.len();
        self.seen.insert((method, route));
        answer
    }
}

fn text(answer: &Answer, field: &str) -> String {
    answer.body["data"][field].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_change_by_a_person_is_in_the_audit_log_without_secrets() {
    let mut scene = Scene::new().await;
    people_and_numbers(&mut scene).await;
    centre(&mut scene).await;
    sounds(&mut scene).await;
    campaigns(&mut scene).await;
    lists(&mut scene).await;
    runs(&mut scene).await;
    wishes(&mut scene).await;
    locks(&mut scene).await;
    sessions(&mut scene).await;
    outcomes(&mut scene).await;
    what_agents_write(&mut scene).await;
    plans(&mut scene).await;
    supervised(&mut scene).await;
    taken_away(&mut scene).await;
    system(&mut scene).await;
    let changing: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.method, route.path))
        .filter(|route| route.0 != "GET")
        .filter(|route| !CHANGES_NOTHING.contains(route) && !OF_A_LOGIN.contains(route))
        .collect();
    let missing: Vec<_> = changing.difference(&scene.seen).collect();
    assert!(missing.is_empty(), "not tried: {missing:?}");
}

async fn system(scene: &mut Scene) {
    let appearance = json!({"company_address": "", "app_logo_data_url": "", "app_favicon_data_url": "",
        "color_palette": "default", "app_name": "Centre", "default_language": "fr",
        "font_family": "Inter", "font_size": 16});
    let modules = json!({"categories": {}, "features": {"calls": {"Agent": false}}});
    let connections = json!({
        "database": {"host": "db.example", "port": 5432, "user": "", "database": ""},
        "asterisk": {"ami_host": "", "ami_port": 5038, "ami_user": "", "agi_port": 4573}});
    let mail = json!({"server": "mail.example", "port": 587, "auth": true, "secure": false,
        "user": "strowger", "from": "", "password": PASSWORD});
    for (path, body) in [
        ("/api/v1/settings/appearance", appearance),
        ("/api/v1/settings/modules", modules),
        ("/api/v1/settings/connections", connections),
        ("/api/v1/settings/mail", mail),
        (
            "/api/v1/settings/limits",
            json!({"max_agents": 50, "max_lines": null, "active_until": null}),
        ),
        (
            "/api/v1/settings/backup-schedule",
            json!({"frequency": "daily", "time": "02:00"}),
        ),
    ] {
        scene.write(SuperAdministrator, "PUT", path, "", body).await;
    }
    let route = "/api/v1/backups";
    scene
        .write(SuperAdministrator, "POST", route, "", Value::Null)
        .await;
    let done = scene.app.backups_done().await;
    let id = done[0]["id"].as_str().unwrap();
    let route = "/api/v1/backups/{id}";
    scene
        .write(SuperAdministrator, "DELETE", route, id, Value::Null)
        .await;
}

async fn people_and_numbers(scene: &mut Scene) {
    let user = json!({"id": "usr_new", "login_id": "new", "password": PASSWORD, "role": "agent"});
    let changes = json!({"first_name": "Grace", "password": "another password"});
    let own = json!({"current_password": PASSWORD, "new_password": "another password"});
    let pool = json!({"id": "pool_1", "name": "Paris"});
    let flow = json!({
        "name": "Bye",
        "nodes": [
            {"id": "start", "type": "start", "name": "Start"},
            {"id": "end", "type": "hangup", "name": "End"}
        ],
        "connections": [
            {"id": "c1", "fromNodeId": "start", "fromPortId": "out", "toNodeId": "end", "toPortId": "in"}
        ]
    });
    let trunk = json!({"id": "trk_1", "name": "Carrier", "endpoint": "carrier"});
    let queue = json!({"name": "Help", "member_ids": ["usr_agent"]});
    let did = json!({"number": "+33199001234"});
    scene
        .write(Administrator, "POST", "/api/v1/users", "", user)
        .await;
    scene
        .write(
            Administrator,
            "PATCH",
            "/api/v1/users/{id}",
            "usr_new",
            changes,
        )
        .await;
    scene.app.set_password(Agent).await;
    scene
        .write(Agent, "PUT", "/api/v1/users/me/password", "", own)
        .await;
    scene
        .write(Administrator, "POST", "/api/v1/trunks", "", trunk)
        .await;
    let sealed = json!({"login": "33199", "password": PASSWORD});
    scene
        .write(
            Administrator,
            "PATCH",
            "/api/v1/trunks/{id}",
            "trk_1",
            sealed,
        )
        .await;
    let spare = json!({"id": "trk_2", "name": "Spare", "endpoint": "spare", "password": PASSWORD});
    scene
        .write(Administrator, "POST", "/api/v1/trunks", "", spare)
        .await;
    scene
        .write(
            Administrator,
            "DELETE",
            "/api/v1/trunks/{id}",
            "trk_2",
            Value::Null,
        )
        .await;
    scene
        .write(Administrator, "POST", "/api/v1/caller-id-pools", "", pool)
        .await;
    let renamed = json!({"name": "Lyon"});
    scene
        .write(
            Administrator,
            "PATCH",
            "/api/v1/caller-id-pools/{id}",
            "pool_1",
            renamed,
        )
        .await;
    let numbers = json!({"numbers": ["+33142000001"]});
    let route = "/api/v1/caller-id-pools/{id}/numbers";
    scene
        .write(Administrator, "POST", route, "pool_1", numbers)
        .await;
    scene.names.insert("number", "+33142000001".to_owned());
    let route = "/api/v1/caller-id-pools/{id}/numbers/{number}";
    scene
        .write(
            Administrator,
            "PATCH",
            route,
            "pool_1",
            json!({"is_active": false}),
        )
        .await;
    scene
        .write(Administrator, "PUT", "/api/v1/flows/{id}", "flw_1", flow)
        .await;
    scene
        .write(
            Administrator,
            "POST",
            "/api/v1/flows/{id}/publish",
            "flw_1",
            Value::Null,
        )
        .await;
    scene
        .write(Administrator, "PUT", "/api/v1/dids/{id}", "did_1", did)
        .await;
    scene
        .write(Administrator, "PUT", "/api/v1/queues/{id}", "que_1", queue)
        .await;
}

async fn centre(scene: &mut Scene) {
    for (list, one, id, new, changed) in [
        (
            "/api/v1/agent-profiles",
            "/api/v1/agent-profiles/{id}",
            "prf_1",
            json!({"id": "prf_1", "name": "Desk"}),
            json!({"name": "Field", "call_controls": {"hold": true}}),
        ),
        (
            "/api/v1/sites",
            "/api/v1/sites/{id}",
            "sit_1",
            json!({"id": "sit_1", "name": "Paris"}),
            json!({"name": "Lyon"}),
        ),
        (
            "/api/v1/user-groups",
            "/api/v1/user-groups/{id}",
            "grp_1",
            json!({"id": "grp_1", "name": "Evening", "member_ids": ["usr_agent"]}),
            json!({"name": "Morning", "member_ids": []}),
        ),
    ] {
        scene.write(Administrator, "POST", list, "", new).await;
        scene.write(Administrator, "PUT", one, id, changed).await;
        scene
            .write(Administrator, "DELETE", one, id, Value::Null)
            .await;
    }
    let many = json!({"users": [
        {"id": "usr_many", "login_id": "many", "password": PASSWORD, "role": "agent"}
    ]});
    scene
        .write(Administrator, "POST", "/api/v1/users/bulk", "", many)
        .await;
    let route = "/api/v1/users/{id}/password-reset";
    scene
        .write(Administrator, "POST", route, "usr_many", Value::Null)
        .await;
    let route = "/api/v1/users/{id}";
    let closed = json!({"is_active": false});
    scene
        .write(Administrator, "PATCH", route, "usr_many", closed)
        .await;
    scene
        .write(Administrator, "DELETE", route, "usr_many", Value::Null)
        .await;
    let picture = json!({"picture_url": "data:image/png;base64,iVBORw0KGgo="});
    scene
        .write(Agent, "PUT", "/api/v1/users/me/picture", "", picture)
        .await;
    let key = json!({"name": "board", "scopes": ["watch-live"]});
    let key = scene
        .write(Supervisor, "POST", "/api/v1/api-keys", "", key)
        .await;
    let key = key.body["data"]["key"]["id"].as_str().unwrap().to_owned();
    scene
        .write(
            Supervisor,
            "DELETE",
            "/api/v1/api-keys/{id}",
            &key,
            Value::Null,
        )
        .await;
    scene.app.token(Agent).await;
    let login: Uuid = sqlx::query_scalar(
        "SELECT id FROM login_sessions WHERE user_id = 'usr_agent' AND ended_at IS NULL LIMIT 1",
    )
    .fetch_one(scene.app.store.pool())
    .await
    .unwrap();
    scene
        .write(
            Administrator,
            "DELETE",
            "/api/v1/auth/sessions/{id}",
            &login.to_string(),
            Value::Null,
        )
        .await;
}

async fn sounds(scene: &mut Scene) {
    // The bytes that tell its bytes in a second are left out: nobody reads them.
    let sound = "RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\0\0\0\0\x02\0\x10\0data\x02\0\0\0\0\0";
    let route = "/api/v1/media-files";
    let sound = scene
        .write(Administrator, "POST", route, "", json!(sound))
        .await;
    let (id, route) = (text(&sound, "id"), "/api/v1/media-files/{id}");
    let name = json!({"name": "Welcome"});
    scene.write(Administrator, "PATCH", route, &id, name).await;
    scene
        .write(Administrator, "DELETE", route, &id, Value::Null)
        .await;
}

async fn campaigns(scene: &mut Scene) {
    let campaign =
        json!({"id": "cmp_1", "name": "Autumn", "mode": "manual", "trunk_ids": ["trk_1"]});
    scene
        .write(Administrator, "POST", "/api/v1/campaigns", "", campaign)
        .await;
    let changes = json!({"ring_timeout_s": 30});
    scene
        .write(
            Administrator,
            "PATCH",
            "/api/v1/campaigns/{id}",
            "cmp_1",
            changes,
        )
        .await;
    let agents = json!({"agent_ids": ["usr_agent"]});
    scene
        .write(
            Administrator,
            "PUT",
            "/api/v1/campaigns/{id}/agents",
            "cmp_1",
            agents,
        )
        .await;
}

async fn lists(scene: &mut Scene) {
    let list = json!({"id": "lst_1", "name": "Second"});
    scene
        .write(
            Administrator,
            "POST",
            "/api/v1/campaigns/{id}/lists",
            "cmp_1",
            list,
        )
        .await;
    scene.names.insert("list_id", "lst_1".to_owned());
    let route = "/api/v1/campaigns/{id}/lists/{list_id}";
    scene
        .write(
            Administrator,
            "PUT",
            route,
            "cmp_1",
            json!({"name": "Third"}),
        )
        .await;
    let filters =
        json!({"filters": [{"action": "exclude", "field": "custom.x", "operator": "exists"}]});
    scene
        .write(
            Administrator,
            "PUT",
            "/api/v1/campaigns/{id}/filters",
            "cmp_1",
            filters,
        )
        .await;
    let quotas = json!([{"field": "postal_code", "value": "75001", "target": 3}]);
    scene
        .write(
            Administrator,
            "PUT",
            "/api/v1/campaigns/{id}/quotas",
            "cmp_1",
            quotas,
        )
        .await;
    let route = "/api/v1/campaigns/{id}/contacts/import";
    scene
        .write(
            Administrator,
            "POST",
            route,
            "cmp_1",
            json!("phone\n+33612345678\n"),
        )
        .await;
    let recycle = json!({"dispositions": ["busy"], "reason": "a new offer"});
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/campaigns/{id}/recycle",
            "cmp_1",
            recycle,
        )
        .await;
}

async fn runs(scene: &mut Scene) {
    let boost = json!({"boost": 1.5});
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/campaigns/{id}/boost",
            "cmp_1",
            boost,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/campaigns/{id}/start",
            "cmp_1",
            Value::Null,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/campaigns/{id}/pause",
            "cmp_1",
            Value::Null,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/campaigns/{id}/drain",
            "cmp_1",
            Value::Null,
        )
        .await;
}

async fn wishes(scene: &mut Scene) {
    let consent = json!({"number": "+33612345678", "channel": "voice", "activity": "solicitation",
        "given": true, "at": "2026-11-01T10:00:00Z", "source": "form"});
    scene
        .write(Supervisor, "POST", "/api/v1/consents", "", consent)
        .await;
    let opt_out = json!({"number": "+33612345678", "source": "call"});
    let opt_out = scene
        .write(Supervisor, "POST", "/api/v1/opt-outs", "", opt_out)
        .await;
    let opt_out = text(&opt_out, "id");
    scene
        .write(
            Supervisor,
            "DELETE",
            "/api/v1/opt-outs/{id}",
            &opt_out,
            Value::Null,
        )
        .await;
    let list = json!({"id": "dnc_1", "name": "Do not call", "kind": "internal"});
    scene
        .write(Administrator, "POST", "/api/v1/dnc-lists", "", list)
        .await;
    let renamed = json!({"name": "Never call"});
    scene
        .write(
            Administrator,
            "PATCH",
            "/api/v1/dnc-lists/{id}",
            "dnc_1",
            renamed,
        )
        .await;
    let number = json!({"number": "+33612345679"});
    let route = "/api/v1/dnc-lists/{id}/numbers";
    scene
        .write(Administrator, "POST", route, "dnc_1", number)
        .await;
    let path = "/api/v1/dnc-lists/{id}/numbers";
    scene
        .write(
            Administrator,
            "DELETE",
            path,
            "dnc_1",
            json!({"number": "+33612345679"}),
        )
        .await;
    let route = "/api/v1/dnc-lists/{id}/import";
    scene
        .write(
            Administrator,
            "POST",
            route,
            "dnc_1",
            json!("number\n+33612345670\n"),
        )
        .await;
}

async fn locks(scene: &mut Scene) {
    let contact: String = sqlx::query_scalar("SELECT id FROM contacts")
        .fetch_one(scene.app.store.pool())
        .await
        .unwrap();
    sqlx::query("UPDATE contacts SET locked_by = 'usr_agent', locked_until = '2027-01-01'")
        .execute(scene.app.store.pool())
        .await
        .unwrap();
    scene.names.insert("contact_id", contact);
    let route = "/api/v1/campaigns/{id}/locks/{contact_id}";
    scene
        .write(Supervisor, "DELETE", route, "cmp_1", Value::Null)
        .await;
}

async fn sessions(scene: &mut Scene) {
    let login = json!({"station": "1001", "leg_mode": "nailed-up"});
    scene
        .write(Agent, "POST", "/api/v1/agents/me/login", "", login)
        .await;
    scene
        .write(Agent, "POST", "/api/v1/agents/me/ready", "", Value::Null)
        .await;
    let pause = json!({"reason": "lunch"});
    scene
        .write(Agent, "POST", "/api/v1/agents/me/pause", "", pause.clone())
        .await;
    scene
        .write(
            Agent,
            "POST",
            "/api/v1/agents/me/wrap-up/end",
            "",
            Value::Null,
        )
        .await;
    let preview = json!({"campaign_id": "cmp_1"});
    scene
        .write(Agent, "POST", "/api/v1/agents/me/preview", "", preview)
        .await;
    scene
        .write(
            Agent,
            "POST",
            "/api/v1/agents/me/preview/dial",
            "",
            json!({}),
        )
        .await;
    scene
        .write(
            Agent,
            "POST",
            "/api/v1/agents/me/preview/skip",
            "",
            Value::Null,
        )
        .await;
    let dial = json!({"campaign_id": "cmp_1", "number": "+33612345677"});
    scene
        .write(Agent, "POST", "/api/v1/agents/me/dial", "", dial)
        .await;
    scene
        .write(Agent, "POST", "/api/v1/agents/me/logout", "", Value::Null)
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/agents/{id}/ready",
            "usr_agent",
            Value::Null,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/agents/{id}/pause",
            "usr_agent",
            pause,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/agents/{id}/logout",
            "usr_agent",
            Value::Null,
        )
        .await;
}

async fn outcomes(scene: &mut Scene) {
    let contact = scene.names["contact_id"].clone();
    let callback = json!({"contact_id": contact, "due_at": "2026-11-21T10:00:00Z"});
    let callback = scene
        .write(Agent, "POST", "/api/v1/callbacks", "", callback)
        .await;
    let callback = text(&callback, "id");
    let note = json!({"note": "by bicycle"});
    scene
        .write(Agent, "PATCH", "/api/v1/callbacks/{id}", &callback, note)
        .await;
    scene
        .write(
            Agent,
            "DELETE",
            "/api/v1/callbacks/{id}",
            &callback,
            Value::Null,
        )
        .await;
    let group = json!({"name": "Sales"});
    scene
        .write(
            Administrator,
            "PUT",
            "/api/v1/qualification-groups/{id}",
            "grp_1",
            group,
        )
        .await;
    let sold = json!({"code": "SOLD", "type": "positive"});
    scene
        .write(
            Administrator,
            "PUT",
            "/api/v1/qualifications/{id}",
            "qua_1",
            sold,
        )
        .await;
    sqlx::query(
        "INSERT INTO call_records (id, direction, server, channel, destination, started_at)
         VALUES ($1, 'inbound', 'pbx1', 'PJSIP/carrier-1', '+33199001234', now())",
    )
    .bind(Uuid::from_u128(10))
    .execute(scene.app.store.pool())
    .await
    .unwrap();
    let call = "call_0000000000000000000000000000000a";
    let outcome = json!({"qualification_id": "qua_1"});
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/calls/{id}/qualify",
            call,
            outcome,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/calls/{id}/hangup",
            call,
            Value::Null,
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/calls/{id}/transfer",
            call,
            json!({"number": "+33142278187"}),
        )
        .await;
    scene
        .write(
            Supervisor,
            "POST",
            "/api/v1/campaigns/{id}/stop",
            "cmp_1",
            Value::Null,
        )
        .await;
}

async fn what_agents_write(scene: &mut Scene) {
    let desk = json!({"max_call_s": 600});
    let route = "/api/v1/campaigns/{id}/desk";
    scene
        .write(Administrator, "PUT", route, "cmp_1", desk)
        .await;
    let card = json!({"first_name": "Ada", "phone": "+33612345601"});
    let route = "/api/v1/campaigns/{id}/contacts";
    let added = scene.write(Agent, "POST", route, "cmp_1", card).await;
    let contact = text(&added, "id");
    let changes = json!({"last_name": "Lovelace"});
    let route = "/api/v1/contacts/{id}";
    scene.write(Agent, "PATCH", route, &contact, changes).await;
    let route = "/api/v1/contacts/{id}/notes";
    let note = json!({"note": "calls back from the train"});
    scene.write(Agent, "POST", route, &contact, note).await;
    let route = "/api/v1/contacts/{id}/qualify";
    let outcome = json!({"qualification_id": "qua_1"});
    scene.write(Agent, "POST", route, &contact, outcome).await;
    let route = "/api/v1/contacts/delete";
    let both = json!({"contact_ids": [contact]});
    scene.write(Administrator, "POST", route, "", both).await;
}

async fn plans(scene: &mut Scene) {
    let none = Value::Null;
    let activity = json!({"id": "act_1", "name": "Training", "color": "#336699"});
    let list = "/api/v1/activity-types";
    scene
        .write(Supervisor, "POST", list, "", activity.clone())
        .await;
    let one = "/api/v1/activity-types/{id}";
    let other = json!({"name": "Meeting", "color": "#993366"});
    scene.write(Supervisor, "PUT", one, "act_1", other).await;
    let event = json!({"activity_id": "act_1", "agent_ids": ["usr_agent"],
        "starts_at": "2026-11-23T09:00:00Z", "ends_at": "2026-11-23T10:00:00Z"});
    let events = "/api/v1/planning-events";
    let mut ids = Vec::new();
    for _ in 0..3 {
        let made = scene
            .write(Supervisor, "POST", events, "", event.clone())
            .await;
        let id = made.body["data"][0]["id"].as_str().unwrap().to_owned();
        ids.push(id);
    }
    let route = "/api/v1/planning-events/{id}";
    let later = json!({"ends_at": "2026-11-23T11:00:00Z"});
    scene
        .write(Supervisor, "PATCH", route, &ids[0], later)
        .await;
    scene
        .write(Supervisor, "DELETE", route, &ids[0], none.clone())
        .await;
    let several = json!({"event_ids": [ids[1]]});
    let route = "/api/v1/planning-events/delete";
    scene.write(Supervisor, "POST", route, "", several).await;
    scene
        .write(Administrator, "DELETE", events, "", none.clone())
        .await;
    scene.write(Supervisor, "DELETE", one, "act_1", none).await;
}

/// What is only begun: the telephones of this test do not ring.
async fn supervised(scene: &mut Scene) {
    for route in [
        "/api/v1/agents/{id}/listen",
        "/api/v1/agents/{id}/coach",
        "/api/v1/agents/{id}/barge",
    ] {
        scene
            .write(Supervisor, "POST", route, "usr_agent", Value::Null)
            .await;
    }
}

async fn taken_away(scene: &mut Scene) {
    let script = json!({"id": "scr_1", "name": "Welcome", "pages": []});
    let route = "/api/v1/scripts";
    scene
        .write(Administrator, "POST", route, "", script.clone())
        .await;
    let route = "/api/v1/scripts/{id}";
    let script = json!({"name": "Good morning", "pages": []});
    scene
        .write(Administrator, "PUT", route, "scr_1", script)
        .await;
    for (route, id) in [
        ("/api/v1/scripts/{id}/duplicate", "scr_1"),
        ("/api/v1/flows/{id}/duplicate", "flw_1"),
    ] {
        scene
            .write(Administrator, "POST", route, id, Value::Null)
            .await;
    }
    let none = Value::Null;
    for (route, id) in [
        ("/api/v1/qualifications/{id}", "qua_1"),
        ("/api/v1/qualification-groups/{id}", "grp_1"),
        ("/api/v1/campaigns/{id}/lists/{list_id}", "cmp_1"),
        ("/api/v1/caller-id-pools/{id}/numbers/{number}", "pool_1"),
        ("/api/v1/caller-id-pools/{id}", "pool_1"),
        ("/api/v1/dnc-lists/{id}", "dnc_1"),
        ("/api/v1/scripts/{id}", "scr_1"),
        ("/api/v1/dids/{id}", "did_1"),
        ("/api/v1/flows/{id}", "flw_1"),
        ("/api/v1/campaigns/{id}", "cmp_1"),
    ] {
        scene
            .write(Administrator, "DELETE", route, id, none.clone())
            .await;
    }
}

#[tokio::test]
async fn the_log_says_what_a_setting_was_and_what_it_is() {
    let app = TestApp::new().await.with_campaign().await;
    let path = "/api/v1/campaigns/cmp_1";
    let changes = json!({"ring_timeout_s": 40});
    let changed = app.call(Some(Administrator), Method::PATCH, path, Some(changes));
    assert_eq!(changed.await.status, 200);
    let log = app
        .get(Administrator, "/api/v1/audit-log?subject=cmp_1")
        .await;
    let row = &log.body["data"][0];
    assert_eq!(
        (&row["action"], &row["change"]),
        (
            &json!("campaign.changed"),
            &json!({"before": {"ring_timeout_s": 25}, "after": {"ring_timeout_s": 40}})
        )
    );
    let refused = json!({"ring_timeout_s": 4});
    app.call(Some(Administrator), Method::PATCH, path, Some(refused))
        .await;
    let again = app
        .get(Administrator, "/api/v1/audit-log?subject=cmp_1")
        .await;
    assert_eq!(log.text, again.text, "what was refused changed nothing");
}
