//! Lists, filters, quotas, callbacks, qualifications.

use axum::http::Method;
use serde_json::{Value, json};
use strowger_core::permission::Role;

use crate::harness::TestApp;

async fn app() -> TestApp {
    TestApp::new().await.with_campaign().await
}

fn fields(body: &Value) -> Vec<&str> {
    body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect()
}

async fn call_of(app: &TestApp, agent: &str) -> String {
    let csv = "phone\n0639981234\n";
    assert_eq!(app.import("cmp_1", csv).await.body["data"]["imported"], 1);
    sqlx::query(
        "INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch, agent_id,
                               created_at, ended_at, disposition)
         SELECT '00000000-0000-0000-0000-00000000000a', 'cmp_1', id, 1, '+33639981234', 't', 's', 1, $1,
                now(), now(), 'answered-human' FROM contacts",
    )
    .bind(agent)
    .execute(app.store.pool())
    .await
    .unwrap();
    "call_0000000000000000000000000000000a".to_owned()
}

#[tokio::test]
async fn administrators_edit_lists_supervisors_see_them_and_agents_do_neither() {
    let app = app().await;
    let lists = "/api/v1/campaigns/cmp_1/lists";
    let spring = json!({"id": "spring", "name": "Spring", "weight": 30});
    for (role, status) in [
        (Role::Agent, 403),
        (Role::Supervisor, 403),
        (Role::Administrator, 201),
    ] {
        assert_eq!(
            app.post(role, lists, spring.clone()).await.status,
            status,
            "{role}"
        );
    }
    assert_eq!(app.get(Role::Agent, lists).await.status, 403);
    let all = app.get(Role::Supervisor, lists).await;
    let ids: Vec<&str> = all.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["cmp_1", "spring"]);
    let wrong = app
        .post(
            Role::Administrator,
            lists,
            json!({"name": "", "weight": 101, "priority": 0, "default_region": "fr"}),
        )
        .await;
    assert_eq!(wrong.status, 422);
    assert_eq!(
        fields(&wrong.body),
        ["name", "priority", "weight", "default_region"]
    );
    let one = "/api/v1/campaigns/cmp_1/lists/spring";
    let changed = app
        .put(
            Role::Administrator,
            one,
            json!({"name": "Summer", "is_active": false}),
        )
        .await;
    assert_eq!(
        (changed.status.as_u16(), &changed.body["data"]["is_active"]),
        (200, &json!(false))
    );
    let removed = app
        .call(Some(Role::Administrator), Method::DELETE, one, None)
        .await;
    assert_eq!(removed.status, 200);
    let again = app
        .call(Some(Role::Administrator), Method::DELETE, one, None)
        .await;
    assert_eq!(again.status, 404);
}

#[tokio::test]
async fn a_file_goes_to_the_list_that_is_named_and_a_list_with_contacts_is_not_removed() {
    let app = app().await;
    let lists = "/api/v1/campaigns/cmp_1/lists";
    app.post(
        Role::Administrator,
        lists,
        json!({"id": "spring", "name": "Spring"}),
    )
    .await;
    let imported = app
        .import_to(
            "cmp_1",
            "?list=spring",
            "phone,person\n0639981234,p1\n0639981234,p2\n",
        )
        .await;
    assert_eq!(imported.body["data"]["imported"], 1, "{}", imported.text);
    let again = app
        .import_to("cmp_1", "", "phone\n0639981234\n0639981235\n")
        .await;
    assert_eq!(again.body["data"]["imported"], 1);
    assert_eq!(again.body["data"]["duplicates"], 1);
    let error = &again.body["data"]["errors"][0];
    assert_eq!(
        (&error["line"], &error["reason"]),
        (
            &json!(2),
            &json!("the number +33639981234 is in the campaign already")
        )
    );
    let kept = app
        .import_to("cmp_1", "?duplicates=keep", "phone\n0639981234\n")
        .await;
    assert_eq!(kept.body["data"]["imported"], 1);
    let nowhere = app
        .import_to("cmp_1", "?list=none", "phone\n0639981234\n")
        .await;
    assert_eq!(nowhere.status, 404);
    let wrong = app
        .import_to("cmp_1", "?duplicates=maybe", "phone\n0639981234\n")
        .await;
    assert_eq!(fields(&wrong.body), ["duplicates"]);
    let full = app
        .call(
            Some(Role::Administrator),
            Method::DELETE,
            "/api/v1/campaigns/cmp_1/lists/spring",
            None,
        )
        .await;
    assert_eq!(full.status, 409);
}

#[tokio::test]
async fn what_is_wrong_with_filters_and_quotas_is_named_with_its_place() {
    let app = app().await;
    let filters = "/api/v1/campaigns/cmp_1/filters";
    let good =
        json!({"action": "exclude", "field": "custom.city", "operator": "eq", "values": ["Lyon"]});
    let saved = app
        .put(Role::Administrator, filters, json!({"filters": [good]}))
        .await;
    assert_eq!(saved.status, 200);
    assert_eq!(
        app.get(Role::Supervisor, filters).await.body["data"]["filters"],
        json!([good])
    );
    let bad = json!({"action": "exclude", "field": "surname", "operator": "eq", "values": ["x"]});
    let wrong = app
        .put(
            Role::Administrator,
            filters,
            json!({"filters": [good, bad]}),
        )
        .await;
    assert_eq!(fields(&wrong.body), ["filters[1].field"]);
    assert_eq!(
        app.put(Role::Supervisor, filters, json!({"filters": []}))
            .await
            .status,
        403
    );
    let quotas = "/api/v1/campaigns/cmp_1/quotas";
    let quota = json!({"field": "custom.city", "value": "Lyon", "target": 10});
    let saved = app.put(Role::Administrator, quotas, json!([quota])).await;
    assert_eq!(saved.body["data"][0]["reached"], 0, "{}", saved.text);
    let wrong = app
        .put(Role::Administrator, quotas, json!([quota, quota]))
        .await;
    assert_eq!(fields(&wrong.body), ["[1].value"]);
}

#[tokio::test]
async fn an_agent_qualifies_their_own_call_and_no_other() {
    let app = app().await;
    let body = json!({"code": "SALE", "type": "positive"});
    let path = "/api/v1/qualifications/sale";
    assert_eq!(
        app.put(Role::Supervisor, path, body.clone()).await.status,
        403
    );
    assert_eq!(app.put(Role::Administrator, path, body).await.status, 200);
    let wrong = app
        .put(
            Role::Administrator,
            path,
            json!({"code": "", "type": "good"}),
        )
        .await;
    assert_eq!(fields(&wrong.body), ["code", "type"]);
    let call = call_of(&app, "usr_supervisor").await;
    let qualify = format!("/api/v1/calls/{call}/qualify");
    let sale = json!({"qualification_id": "sale"});
    assert_eq!(
        app.post(Role::Agent, &qualify, sale.clone()).await.status,
        403
    );
    assert_eq!(
        app.post(Role::Supervisor, &qualify, sale.clone())
            .await
            .status,
        200
    );
    sqlx::query("UPDATE attempts SET agent_id = 'usr_agent'")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(app.post(Role::Agent, &qualify, sale).await.status, 200);
    let unknown = app
        .post(Role::Agent, &qualify, json!({"qualification_id": "none"}))
        .await;
    assert_eq!(fields(&unknown.body), ["qualification_id"]);
    let status: String = sqlx::query_scalar("SELECT status FROM contacts")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    assert_eq!(status, "qualified");
}

#[tokio::test]
async fn agents_promise_calls_of_their_own_and_supervisors_give_them_to_others() {
    let app = app().await;
    call_of(&app, "usr_agent").await;
    let contact: String = sqlx::query_scalar("SELECT id FROM contacts")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    let callbacks = "/api/v1/callbacks";
    let new =
        |agent: Value, due: &str| json!({"contact_id": contact, "agent_id": agent, "due_at": due});
    let wrong = app
        .post(
            Role::Agent,
            callbacks,
            new(json!("usr_supervisor"), "2020-01-01T00:00:00Z"),
        )
        .await;
    assert_eq!(fields(&wrong.body), ["due_at", "agent_id"]);
    let made = app
        .post(
            Role::Agent,
            callbacks,
            new(json!("usr_agent"), "2026-11-21T10:00:00Z"),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["data"]["number"], "+33639981234");
    let path = format!("{callbacks}/{}", made.body["data"]["id"].as_str().unwrap());
    let give = json!({"agent_id": "usr_supervisor"});
    let refused = app
        .call(Some(Role::Agent), Method::PATCH, &path, Some(give.clone()))
        .await;
    assert_eq!(fields(&refused.body), ["agent_id"]);
    let given = app
        .call(Some(Role::Supervisor), Method::PATCH, &path, Some(give))
        .await;
    assert_eq!(given.body["data"]["agent_id"], "usr_supervisor");
    assert_eq!(
        app.get(Role::Agent, callbacks).await.body["data"],
        json!([])
    );
    assert_eq!(
        app.call(Some(Role::Agent), Method::DELETE, &path, None)
            .await
            .status,
        404
    );
    assert_eq!(
        app.call(Some(Role::Supervisor), Method::DELETE, &path, None)
            .await
            .status,
        200
    );
    assert_eq!(
        app.call(Some(Role::Supervisor), Method::DELETE, &path, None)
            .await
            .status,
        409
    );
}

#[tokio::test]
async fn supervisors_recycle_and_say_why() {
    let app = app().await;
    call_of(&app, "usr_agent").await;
    sqlx::query("UPDATE contacts SET status = 'called', last_disposition = 'busy'")
        .execute(app.store.pool())
        .await
        .unwrap();
    let path = "/api/v1/campaigns/cmp_1/recycle";
    let body = json!({"dispositions": ["busy"], "reason": "second round"});
    assert_eq!(app.post(Role::Agent, path, body.clone()).await.status, 403);
    let wrong = app
        .post(Role::Supervisor, path, json!({"reason": ""}))
        .await;
    assert_eq!(fields(&wrong.body), ["reason", "dispositions"]);
    let done = app.post(Role::Supervisor, path, body).await;
    assert_eq!(done.body["data"]["contacts"], 1, "{}", done.text);
}
