//! Consents, opt-outs, do-not-call lists, the ledger and the audit log.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::{Value, json};
use strowger_core::{
    compliance::{Activity, Channel, Consulted, Refusal},
    ids::{CampaignId, ContactId},
    ledger::{Decision, Entry},
    permission::Role::{Administrator, Supervisor},
    phone::PhoneNumber,
};

use crate::harness::{Answer, TestApp};

const NUMBER: &str = "+33639980001";

async fn import(app: &TestApp, query: &str, body: &'static str) -> Answer {
    let request = Request::post(format!("/api/v1/dnc-lists/register/import{query}"))
        .header(
            header::AUTHORIZATION,
            format!("Bearer {}", app.token(Administrator).await),
        )
        .header(header::CONTENT_TYPE, "text/plain");
    app.send(request.body(Body::from(body)).unwrap()).await
}

fn fields(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 422, "{}", answer.text);
    let errors = answer.body["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect()
}

/// The actions of the audit log, newest first.
async fn audit(app: &TestApp) -> Vec<String> {
    let log = app.get(Administrator, "/api/v1/audit-log").await.body;
    let rows = log["data"].as_array().unwrap();
    rows.iter()
        .map(|row| row["action"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_consent_is_recorded_with_its_proof_and_revoked_by_another_statement() {
    let app = TestApp::new().await;
    let given = json!({ "number": NUMBER, "person_key": "p-1", "channel": "voice", "activity": "solicitation",
        "given": true, "source": "form", "proof": { "url": "https://example.org/form/17" } });
    let answer = app
        .post(Supervisor, "/api/v1/consents", given.clone())
        .await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.body["data"]["recorded_by"], "usr_supervisor");
    app.pass(1_000);
    let revoked = json!({ "number": NUMBER, "channel": "voice", "activity": "solicitation", "given": false, "source": "call" });
    assert_eq!(
        app.post(Supervisor, "/api/v1/consents", revoked)
            .await
            .status,
        201
    );
    // A `+` in a query string is a blank: both find it.
    for text in ["+33639980001", "%2B33639980001"] {
        let list = app
            .get(Supervisor, &format!("/api/v1/consents?number={text}"))
            .await;
        let given: Vec<&Value> = list.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["given"])
            .collect();
        assert_eq!(given, [&json!(false), &json!(true)], "{}", list.text);
    }
    let page = app
        .get(Supervisor, "/api/v1/consents?person_key=p-1&limit=1")
        .await;
    assert_eq!(page.body["data"][0]["proof"], given["proof"]);
    assert_eq!(page.body["next"], Value::Null);
    assert_eq!(audit(&app).await, ["consent.revoked", "consent.given"]);
}

#[tokio::test]
async fn a_statement_that_cannot_be_is_refused_by_its_fields() {
    let app = TestApp::new().await;
    let nobody = json!({ "channel": "voice", "activity": "survey", "given": true, "source": "", "at": "2030-01-01T00:00:00Z" });
    let answer = app.post(Supervisor, "/api/v1/consents", nobody).await;
    assert_eq!(fields(&answer), ["number", "source", "at"]);
    let wrong = json!({ "number": "12", "channel": "voice", "activity": "survey", "given": true, "source": "form",
        "expires_at": "2020-01-01T00:00:00Z" });
    let answer = app.post(Supervisor, "/api/v1/consents", wrong).await;
    assert_eq!(fields(&answer), ["number", "expires_at"]);
    assert_eq!(
        fields(&app.get(Supervisor, "/api/v1/consents").await),
        ["number"]
    );
    let cursor = app
        .get(
            Supervisor,
            &format!("/api/v1/consents?number={NUMBER}&cursor=x"),
        )
        .await;
    assert_eq!(fields(&cursor), ["cursor"]);
    let campaign = json!({ "number": NUMBER, "campaign_id": "nowhere", "source": "letter" });
    let answer = app.post(Supervisor, "/api/v1/opt-outs", campaign).await;
    assert_eq!(fields(&answer), ["campaign_id"]);
    assert!(
        audit(&app).await.is_empty(),
        "what was refused changed nothing"
    );
}

#[tokio::test]
async fn an_opt_out_is_recorded_listed_and_withdrawn() {
    let app = TestApp::new().await;
    let new = json!({ "number": NUMBER, "channel": "sms", "source": "STOP" });
    let made = app.post(Supervisor, "/api/v1/opt-outs", new).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("/api/v1/opt-outs?number={NUMBER}");
    let list = app.get(Supervisor, &path).await.body;
    assert_eq!(list["data"][0], made.body["data"]);
    let one = format!(
        "/api/v1/opt-outs/{}",
        made.body["data"]["id"].as_str().unwrap()
    );
    for expected in [200, 404] {
        let gone = app.call(Some(Supervisor), Method::DELETE, &one, None).await;
        assert_eq!(gone.status, expected);
    }
    assert_eq!(app.get(Supervisor, &path).await.body["data"], json!([]));
    assert_eq!(audit(&app).await, ["opt-out.withdrawn", "opt-out.recorded"]);
}

#[tokio::test]
async fn a_do_not_call_list_is_made_filled_and_deleted() {
    let app = TestApp::new().await;
    let wrong = json!({ "id": "a b", "name": "", "kind": "campaign" });
    let answer = app.post(Administrator, "/api/v1/dnc-lists", wrong).await;
    assert_eq!(fields(&answer), ["id", "name", "campaign_id"]);
    let new = json!({ "id": "register", "name": "Register", "kind": "imported" });
    assert_eq!(
        app.post(Administrator, "/api/v1/dnc-lists", new.clone())
            .await
            .status,
        201
    );
    assert_eq!(
        app.post(Administrator, "/api/v1/dnc-lists", new)
            .await
            .status,
        409
    );
    let path = "/api/v1/dnc-lists/register";
    let numbers = format!("{path}/numbers");
    let one = json!({ "number": NUMBER });
    assert_eq!(
        app.post(Administrator, &numbers, one.clone()).await.status,
        200
    );
    assert_eq!(
        fields(
            &app.post(Administrator, &numbers, json!({ "number": "x" }))
                .await
        ),
        ["number"]
    );
    let holding = app
        .get(Administrator, &format!("/api/v1/dnc-lists?number={NUMBER}"))
        .await;
    assert_eq!(holding.body["data"][0]["id"], "register");
    let gone = format!("{numbers}?number={NUMBER}");
    for expected in [200, 404] {
        let answer = app
            .call(Some(Administrator), Method::DELETE, &gone, None)
            .await;
        assert_eq!(answer.status, expected);
    }
    let rename = Some(json!({ "name": "Other" }));
    let renamed = app
        .call(Some(Administrator), Method::PATCH, path, rename.clone())
        .await;
    assert_eq!(renamed.status, 200);
    assert_eq!(
        app.call(Some(Administrator), Method::DELETE, path, None)
            .await
            .status,
        200
    );
    for method in [Method::PATCH, Method::DELETE] {
        let answer = app
            .call(Some(Administrator), method, path, rename.clone())
            .await;
        assert_eq!(answer.status, 404);
    }
    assert_eq!(app.post(Administrator, &numbers, one).await.status, 404);
    let expected = [
        "dnc-list.deleted",
        "dnc-list.renamed",
        "dnc-number.removed",
        "dnc-number.added",
        "dnc-list.created",
    ];
    assert_eq!(audit(&app).await, expected);
}

#[tokio::test]
async fn an_import_names_the_lines_that_it_refuses() {
    let app = TestApp::new().await;
    assert_eq!(import(&app, "", NUMBER).await.status, 404);
    let new = json!({ "id": "register", "name": "Register", "kind": "imported" });
    app.post(Administrator, "/api/v1/dnc-lists", new).await;
    let file = "\u{feff}number;name\r\n+33639980001;Ada\r\n\r\n06 39 98 00 02\r\nnonsense\r\n\"+33639980001\"\r\n+33639980003";
    let added = import(&app, "?region=FR", file).await;
    let report = &added.body["data"];
    assert_eq!(
        (&report["total"], &report["added"], &report["rejected"]),
        (&json!(5), &json!(3), &json!(1)),
        "{}",
        added.text
    );
    assert_eq!(report["errors"][0]["line"], 5);
    // The whole list, with a mistake: nothing is taken off.
    let refused = import(&app, "?mode=replace", "+33639980009\nnonsense\n").await;
    assert_eq!(fields(&refused), ["body"]);
    assert!(refused.text.contains("line 2"), "{}", refused.text);
    let count = "SELECT count(*) FROM dnc_numbers";
    let left: i64 = sqlx::query_scalar(count)
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    assert_eq!(left, 3);
    let replaced = import(&app, "?mode=replace", "+33639980009\n+33639980001\n").await;
    assert_eq!(replaced.body["data"]["removed"], 2, "{}", replaced.text);
    assert_eq!(fields(&import(&app, "?mode=other", "").await), ["mode"]);
    let long: &'static str = Box::leak("9".repeat(100_000).into_boxed_str());
    let refused = import(&app, "", long).await;
    assert_eq!(refused.body["data"]["rejected"], 1);
    let list = app.get(Administrator, "/api/v1/dnc-lists").await.body;
    assert!(list["data"][0]["scrubbed_at"].is_string());
}

fn refusal(place: u64) -> Entry {
    Entry {
        campaign: CampaignId::new("c").unwrap(),
        contact: ContactId::new("=1+1".replace(['=', '+'], "-")).unwrap(),
        number: PhoneNumber::try_from(NUMBER.to_owned()).unwrap(),
        at: strowger_core::time::after("2026-11-19T12:00:00Z".parse().unwrap(), place * 1_000),
        activity: Activity::Service,
        channel: Channel::Voice,
        automated: true,
        requested: false,
        zones: vec![],
        consulted: vec![Consulted {
            rule: "t/cap".to_owned(),
            value: "3 of 3".to_owned(),
        }],
        consent: None,
        packs: vec![],
        pacing: Value::Null,
        decision: Decision::Refusal(Refusal {
            rule: "t/cap".to_owned(),
            reason: "3 calls".to_owned(),
            until: None,
        }),
    }
}

async fn with_ledger(rows: u64) -> TestApp {
    let app = TestApp::new().await;
    let entries: Vec<Entry> = (0..rows).map(refusal).collect();
    let chain = CampaignId::new("c").unwrap();
    app.store.append_to_ledger(&chain, &entries).await.unwrap();
    app
}

#[tokio::test]
async fn the_ledger_is_read_by_number_or_campaign_and_period() {
    let app = with_ledger(5).await;
    let (mut seqs, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/ledger?campaign_id=c&limit=2&cursor={cursor}");
        let page = app.get(Supervisor, &path).await.body;
        for row in page["data"].as_array().unwrap() {
            seqs.push(row["seq"].as_i64().unwrap());
            assert_eq!(row["rule"], "t/cap");
            assert!(row["body"].as_str().unwrap().contains("3 of 3"));
            assert_eq!(row["hash"].as_str().unwrap().len(), 64);
        }
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5]);
    let period =
        format!("/api/v1/ledger?number={NUMBER}&from=2026-11-19T12:00:02Z&to=2026-11-19T12:00:04Z");
    let rows = app.get(Supervisor, &period).await.body;
    assert_eq!(rows["data"].as_array().unwrap().len(), 2);
    for (query, wrong) in [
        ("", vec!["number"]),
        ("?number=%2B33639980001&campaign_id=c", vec!["number"]),
        ("?campaign_id=c&from=yesterday", vec!["from"]),
        (
            "?campaign_id=c&from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
            vec!["to"],
        ),
        ("?campaign_id=c&cursor=x", vec!["cursor"]),
    ] {
        let answer = app.get(Supervisor, &format!("/api/v1/ledger{query}")).await;
        assert_eq!(fields(&answer), wrong, "{query}");
    }
}

#[tokio::test]
async fn the_export_is_a_file_that_no_spreadsheet_carries_out() {
    let app = with_ledger(1_203).await;
    let csv = app
        .get(Supervisor, "/api/v1/ledger/export?campaign_id=c")
        .await;
    assert_eq!(csv.status, 200);
    assert!(
        csv.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains("ledger.csv")
    );
    let lines: Vec<&str> = csv.text.lines().collect();
    assert_eq!(lines.len(), 1_204, "a heading and every row");
    assert!(lines[0].starts_with("chain,seq,at,kind,contact_id,number,"));
    assert!(
        lines[1].starts_with("c,1,2026-11-19T12:00:00Z,refusal,'-1-1,'+33639980001,"),
        "{}",
        lines[1]
    );
    let jsonl = app
        .get(
            Supervisor,
            "/api/v1/ledger/export?campaign_id=c&format=jsonl",
        )
        .await;
    let rows: Vec<Value> = jsonl
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 1_203);
    assert_eq!(rows[1]["previous"], rows[0]["hash"]);
    let wrong = app
        .get(Supervisor, "/api/v1/ledger/export?campaign_id=c&format=pdf")
        .await;
    assert_eq!(fields(&wrong), ["format"]);
}

#[tokio::test]
async fn the_ledger_is_verified_at_most_once_a_minute_and_names_what_was_altered() {
    let app = with_ledger(3).await;
    let heads = app.get(Supervisor, "/api/v1/ledger/heads").await.body;
    assert_eq!(
        (&heads["data"][0]["chain"], &heads["data"][0]["seq"]),
        (&json!("c"), &json!(3))
    );
    let good = app
        .post(Administrator, "/api/v1/ledger/verify", Value::Null)
        .await;
    assert_eq!(
        (&good.body["data"]["intact"], &good.body["data"]["rows"]),
        (&json!(true), &json!(3))
    );
    let again = app
        .post(Administrator, "/api/v1/ledger/verify", Value::Null)
        .await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (429, &json!("too-many-requests"))
    );
    app.pass(60_000);
    sqlx::query("UPDATE ledger SET body = replace(body, '3 of 3', '2 of 3') WHERE seq = 2")
        .execute(app.store.pool())
        .await
        .unwrap();
    let bad = app
        .post(
            Administrator,
            "/api/v1/ledger/verify?campaign_id=c",
            Value::Null,
        )
        .await;
    let found = &bad.body["data"]["faults"];
    assert_eq!(
        (&found[0]["seq"], &found[0]["problem"]),
        (&json!(2), &json!("altered")),
        "{}",
        bad.text
    );
    assert_eq!(bad.body["data"]["fault_count"], 1);
}
