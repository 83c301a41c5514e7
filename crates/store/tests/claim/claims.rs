//! What a claim checks, and what it leaves.

use serde_json::json;
use strowger_core::{
    compliance::{Activity, Channel, DncKind},
    ids::AttemptId,
    time::after,
};
use strowger_store::{
    Error,
    consents::{Statement, Who},
    dnc::DncList,
    opt_outs::OptOut,
};
use uuid::Uuid;

use crate::scene::{Contact, Scene, now, number, user};

const HOUR: u64 = 3_600_000;

fn contact<'a>(campaign: &'a str, id: &'a str, number: usize) -> Contact<'a> {
    Contact {
        campaign,
        id,
        number,
        ..Contact::default()
    }
}

fn consent(given: bool, hours: u64) -> Statement {
    Statement {
        id: Uuid::new_v4(),
        who: Who {
            number: Some(number(1)),
            person_key: None,
        },
        channel: Channel::Voice,
        activity: Activity::Service,
        given,
        at: after("2026-05-03T00:00:00Z".parse().unwrap(), hours * HOUR),
        expires_at: None,
        source: "form".to_owned(),
        proof: json!({}),
        recorded_by: None,
    }
}

#[tokio::test]
async fn a_cap_counts_the_calls_of_every_campaign() {
    let person = Some("p");
    let debt = Some("d");
    for (scope, contacts) in [
        ("number", [contact("a", "1", 1), contact("b", "2", 1)]),
        (
            "person",
            [
                Contact {
                    person,
                    ..contact("a", "1", 1)
                },
                Contact {
                    person,
                    ..contact("b", "2", 2)
                },
            ],
        ),
        (
            "debt",
            [
                Contact {
                    debt,
                    ..contact("a", "1", 1)
                },
                Contact {
                    debt,
                    ..contact("b", "2", 2)
                },
            ],
        ),
    ] {
        let scene = Scene::new(&["a", "b"]).await;
        scene.cap("a", scope, 1).await;
        scene.cap("b", scope, 1).await;
        for contact in contacts {
            scene.add(contact).await;
        }
        assert_eq!(
            scene.claim("a", 1, now()).await.attempts.len(),
            1,
            "{scope}"
        );
        let refused = scene.claim("b", 1, after(now(), HOUR)).await;
        assert_eq!(refused.attempts.len(), 0, "{scope}");
        let rule = format!("strowger/campaign-calls-per-24h-per-{scope}");
        assert_eq!(scene.refused_by("2").await, Some(rule));
        assert_eq!(scene.status("2").await, "waiting");
        let again = refused.next_due.unwrap();
        assert!(again <= after(now(), 24 * HOUR), "{scope}: {again}");
        // The day is over: it is allowed again.
        let next_day = after(now(), 24 * HOUR + 1_000);
        assert_eq!(
            scene.claim("b", 1, next_day).await.attempts.len(),
            1,
            "{scope}"
        );
    }
}

#[tokio::test]
async fn contacts_claimed_together_count_for_one_another() {
    let scene = Scene::new(&["a"]).await;
    scene.cap("a", "person", 2).await;
    for (id, place) in [("1", 1), ("2", 2), ("3", 3), ("4", 4)] {
        let person = Some("p");
        scene
            .add(Contact {
                person,
                ..contact("a", id, place)
            })
            .await;
    }
    assert_eq!(scene.claim("a", 4, now()).await.attempts.len(), 2);
    let refusals = "SELECT count(*) FROM ledger WHERE kind = 'refusal'";
    assert_eq!(scene.count(refusals).await, 2);
}

#[tokio::test]
async fn an_attempt_that_never_reached_the_network_does_not_count() {
    let scene = Scene::new(&["a"]).await;
    scene.cap("a", "number", 1).await;
    scene.add(contact("a", "1", 1)).await;
    for disposition in ["carrier-failure", "no-answer"] {
        assert_eq!(
            scene.claim("a", 1, now()).await.attempts.len(),
            1,
            "{disposition}"
        );
        scene.end_all(disposition).await;
    }
    assert_eq!(scene.claim("a", 1, now()).await.attempts.len(), 0);
}

#[tokio::test]
async fn a_consent_revoked_after_the_contact_was_chosen_refuses_it() {
    let scene = Scene::new(&["a"]).await.with_pack().await;
    scene.run("INSERT INTO dnc_lists (id, name, kind, scrubbed_at) VALUES ('register', 'R', 'imported', '2026-05-01')").await;
    scene.add(contact("a", "1", 1)).await;
    let given = consent(true, 1);
    scene.store().record_consent(&given, now()).await.unwrap();
    let campaign = "a".to_owned().try_into().unwrap();
    let filled = scene
        .store()
        .fill_hopper(&campaign, 1, &scene.packs, now())
        .await
        .unwrap();
    assert_eq!(
        (filled.added, scene.status("1").await.as_str()),
        (1, "hopper")
    );
    scene
        .store()
        .record_consent(&consent(false, 2), now())
        .await
        .unwrap();
    let claimed = scene.claim("a", 1, now()).await;
    assert_eq!((claimed.attempts.len(), claimed.next_due), (0, None));
    assert_eq!(scene.refused_by("1").await.as_deref(), Some("t/consent"));
    assert_eq!(scene.status("1").await, "blocked");
    assert_eq!(
        scene.text("SELECT blocked_by FROM contacts").await,
        "t/consent"
    );
    assert_eq!(scene.count("SELECT count(*) FROM hopper").await, 0);
    assert_eq!(scene.count("SELECT count(*) FROM attempts").await, 0);
    let body = scene.text("SELECT body FROM ledger").await;
    assert!(body.contains(r#""packs":["t 2020-01-01"]"#), "{body}");
    assert!(body.contains("revoked on 2026-05-03T02:00:00Z"), "{body}");
}

#[tokio::test]
async fn the_consent_that_a_call_rests_on_is_named_in_the_ledger() {
    let scene = Scene::new(&["a"]).await.with_pack().await;
    scene.run("INSERT INTO dnc_lists (id, name, kind, scrubbed_at) VALUES ('register', 'R', 'imported', '2026-05-01')").await;
    scene.add(contact("a", "1", 1)).await;
    let given = consent(true, 1);
    scene.store().record_consent(&given, now()).await.unwrap();
    assert_eq!(scene.claim("a", 1, now()).await.attempts.len(), 1);
    let body: serde_json::Value =
        serde_json::from_str(&scene.text("SELECT body FROM ledger").await).unwrap();
    assert_eq!(body["consent"], json!(given.id));
    assert_eq!(body["kind"], "dial");
    assert_eq!(body["pacing"], json!({ "agents": 2, "lines": 3 }));
    assert_eq!(body["trunk"], "carrier");
    let rules: Vec<&str> = body["consulted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["rule"].as_str().unwrap())
        .collect();
    assert!(
        rules.contains(&"t/consent") && rules.contains(&"t/register"),
        "{rules:?}"
    );
}

#[tokio::test]
async fn a_number_on_a_list_is_not_dialed_where_the_list_counts() {
    let scene = Scene::new(&["a", "b"]).await;
    let list = |id: &str, kind, campaign: Option<&str>| DncList {
        id: id.to_owned(),
        name: id.to_owned(),
        kind,
        campaign: campaign.map(|id| id.to_owned().try_into().unwrap()),
        scrubbed_at: None,
    };
    for list in [
        list("everywhere", DncKind::Internal, None),
        list("only-a", DncKind::Campaign, Some("a")),
    ] {
        scene
            .store()
            .create_dnc_list(&list, &user(), now())
            .await
            .unwrap();
    }
    scene.run("INSERT INTO dnc_numbers (number, list_id) VALUES ('+33639980001', 'only-a'), ('+33639980002', 'everywhere')").await;
    scene.add(contact("a", "a1", 1)).await;
    scene.add(contact("a", "a2", 2)).await;
    scene.add(contact("b", "b1", 1)).await;
    scene.add(contact("b", "b2", 2)).await;
    assert_eq!(scene.claim("a", 2, now()).await.attempts.len(), 0);
    let dialed = scene.claim("b", 2, now()).await.attempts;
    assert_eq!(dialed.len(), 1);
    assert_eq!(dialed[0].contact.as_str(), "b1");
    for id in ["a1", "a2", "b2"] {
        assert_eq!(
            scene.refused_by(id).await.as_deref(),
            Some("strowger/do-not-call"),
            "{id}"
        );
        assert_eq!(scene.status(id).await, "blocked", "{id}");
    }
}

#[tokio::test]
async fn a_register_that_is_too_old_stops_the_calls_that_need_it() {
    let scene = Scene::new(&["a"]).await.with_pack().await;
    scene
        .store()
        .record_consent(&consent(true, 1), now())
        .await
        .unwrap();
    scene.run("INSERT INTO dnc_lists (id, name, kind, scrubbed_at) VALUES ('register', 'R', 'imported', '2026-03-01')").await;
    scene.add(contact("a", "1", 1)).await;
    assert_eq!(scene.claim("a", 1, now()).await.attempts.len(), 0);
    assert_eq!(scene.refused_by("1").await.as_deref(), Some("t/register"));
}

#[tokio::test]
async fn an_opt_out_of_the_person_covers_each_of_their_numbers() {
    let scene = Scene::new(&["a"]).await;
    let person = Some("p");
    scene
        .add(Contact {
            person,
            ..contact("a", "1", 1)
        })
        .await;
    scene.add(contact("a", "2", 2)).await;
    let opt_out = OptOut {
        id: Uuid::new_v4(),
        who: Who {
            number: None,
            person_key: Some("p".to_owned()),
        },
        channel: None,
        campaign: None,
        source: "letter".to_owned(),
        at: now(),
        recorded_by: Some(user()),
    };
    scene.store().record_opt_out(&opt_out, now()).await.unwrap();
    let dialed = scene.claim("a", 2, now()).await.attempts;
    assert_eq!(dialed.len(), 1);
    assert_eq!(dialed[0].contact.as_str(), "2");
    assert_eq!(
        scene.refused_by("1").await.as_deref(),
        Some("strowger/opt-out")
    );
}

#[tokio::test]
async fn a_refused_contact_is_replaced_by_another() {
    let scene = Scene::new(&["a"]).await;
    scene.cap("a", "number", 1).await;
    for (id, place) in [("1", 1), ("2", 1), ("3", 1), ("4", 2)] {
        let rank = id.parse().unwrap();
        scene
            .add(Contact {
                rank,
                ..contact("a", id, place)
            })
            .await;
    }
    let claimed = scene.claim("a", 2, now()).await;
    let got: Vec<&str> = claimed
        .attempts
        .iter()
        .map(|one| one.contact.as_str())
        .collect();
    assert_eq!(got, ["1", "4"]);
    assert_eq!(claimed.next_due, None);
}

#[tokio::test]
async fn a_claim_that_fails_leaves_nothing() {
    let scene = Scene::new(&["a"]).await;
    scene.add(contact("a", "1", 1)).await;
    scene.add(contact("a", "2", 2)).await;
    let id = AttemptId(Uuid::new_v4());
    let failed = scene.claim_as("a", &[id, id], now()).await;
    assert!(
        matches!(failed, Err(Error::Database(_))),
        "one id for two attempts: {failed:?}"
    );
    for left in [
        "SELECT count(*) FROM attempts",
        "SELECT count(*) FROM ledger",
        "SELECT count(*) FROM ledger_heads",
        "SELECT count(*) FROM contacts WHERE status <> 'hopper' OR attempts_made <> 0",
    ] {
        assert_eq!(scene.count(left).await, 0, "{left}");
    }
    assert_eq!(scene.claim("a", 2, now()).await.attempts.len(), 2);
}

#[tokio::test]
async fn a_pool_gives_the_number_to_show_and_the_ledger_says_why() {
    let scene = Scene::new(&["a"]).await;
    scene
        .run("INSERT INTO caller_id_pools (id, name) VALUES ('p', 'P')")
        .await;
    scene
        .run("UPDATE campaigns SET caller_id_pool_id = 'p'")
        .await;
    scene.add(contact("a", "1", 1)).await;
    // An empty pool, and no number of its own: nothing is dialed without one.
    let refused = scene.claim("a", 1, now()).await;
    assert_eq!(
        (refused.attempts.len(), refused.next_due),
        (0, Some(after(now(), 300_000)))
    );
    assert_eq!(
        scene.refused_by("1").await.as_deref(),
        Some("strowger/caller-id")
    );
    scene.run("INSERT INTO caller_ids (pool_id, number) VALUES ('p', '+33142000001'), ('p', '+33639000001')").await;
    let attempt = scene
        .claim("a", 1, after(now(), 301_000))
        .await
        .attempts
        .remove(0);
    let shown = attempt.caller_id.clone().unwrap();
    assert_eq!(shown.as_str(), "+33639000001", "the more local one");
    let found = scene
        .store()
        .committed_attempts(&[attempt.attempt])
        .await
        .unwrap();
    assert_eq!(found, [attempt]);
    assert_eq!(
        scene
            .count("SELECT dials FROM caller_ids WHERE number = '+33639000001'")
            .await,
        1
    );
    let body = scene
        .text("SELECT body FROM ledger WHERE kind = 'dial'")
        .await;
    assert!(body.contains(r#""caller_id":"+33639000001""#), "{body}");
    assert!(body.contains("pool p: same country"), "{body}");
}

#[tokio::test]
async fn an_agent_who_chooses_a_contact_is_told_which_rule_refuses_it() {
    let scene = Scene::new(&["a"]).await;
    scene.cap("a", "number", 1).await;
    scene.add(contact("a", "1", 1)).await;
    let attempt = scene.claim_one("a", "1", now()).await.unwrap().unwrap();
    assert_eq!((attempt.agent, attempt.ordinal), (Some(user()), 1));
    assert_eq!(scene.status("1").await, "claimed");
    let busy = scene.claim_one("a", "1", now()).await;
    assert!(matches!(busy, Err(Error::Taken { .. })), "{busy:?}");
    scene.end_all("no-answer").await;
    let refusal = scene.claim_one("a", "1", now()).await.unwrap().unwrap_err();
    assert_eq!(refusal.rule, "strowger/campaign-calls-per-24h-per-number");
    assert_eq!(scene.refused_by("1").await, Some(refusal.rule));
    assert_eq!(
        scene.status("1").await,
        "ready",
        "a refusal changes nothing but the ledger"
    );
    let nobody = scene.claim_one("a", "nobody", now()).await;
    assert!(matches!(nobody, Err(Error::Missing { .. })), "{nobody:?}");
    let body = scene
        .text("SELECT body FROM ledger WHERE kind = 'dial'")
        .await;
    assert!(
        body.contains(r#""automated":false"#) && body.contains(r#""agent":"ada""#),
        "{body}"
    );
}
