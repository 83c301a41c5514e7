//! Do-not-call lists, statements of people, and the audit log of both.

use futures_util::stream;
use serde_json::json;
use strowger_core::{
    compliance::{Activity, Channel, DncKind},
    phone::PhoneNumber,
    time::after,
};
use strowger_store::{
    Error,
    audit::Filter,
    consents::{Statement, Who},
    dnc::{DncList, ImportMode, Imported},
    opt_outs::OptOut,
};
use uuid::Uuid;

use crate::scene::{Scene, now, number, user};

fn register() -> DncList {
    DncList {
        id: "register".to_owned(),
        name: "National register".to_owned(),
        kind: DncKind::Imported,
        campaign: None,
        scrubbed_at: None,
    }
}

async fn import(
    scene: &Scene,
    mode: ImportMode,
    batches: Vec<Result<Vec<PhoneNumber>, Error>>,
) -> Result<Imported, Error> {
    scene
        .store()
        .import_dnc_numbers("register", mode, stream::iter(batches), &user(), now())
        .await
}

#[tokio::test]
async fn an_import_adds_or_replaces_numbers_all_or_none() {
    let scene = Scene::new(&[]).await;
    let nowhere = import(&scene, ImportMode::Add, vec![]).await;
    assert!(matches!(nowhere, Err(Error::Missing { .. })), "{nowhere:?}");
    scene
        .store()
        .create_dnc_list(&register(), &user(), now())
        .await
        .unwrap();
    let numbers = |places: std::ops::Range<usize>| Ok(places.map(number).collect::<Vec<_>>());
    let added = import(
        &scene,
        ImportMode::Add,
        vec![numbers(0..10), numbers(5..20)],
    )
    .await;
    assert_eq!(
        added.unwrap(),
        Imported {
            added: 20,
            removed: 0
        }
    );
    let list = scene.store().dnc_list("register").await.unwrap().unwrap();
    assert_eq!(list.scrubbed_at, Some(now()));
    let broken = vec![numbers(100..110), Err(Error::Stale)];
    assert!(matches!(
        import(&scene, ImportMode::Replace, broken).await,
        Err(Error::Stale)
    ));
    assert_eq!(scene.count("SELECT count(*) FROM dnc_numbers").await, 20);
    let replaced = import(&scene, ImportMode::Replace, vec![numbers(15..30)]).await;
    assert_eq!(
        replaced.unwrap(),
        Imported {
            added: 10,
            removed: 15
        }
    );
    assert_eq!(
        scene.store().dnc_lists_with(&number(15)).await.unwrap()[0].id,
        "register"
    );
    assert_eq!(scene.store().dnc_lists_with(&number(14)).await.unwrap(), []);
}

#[tokio::test]
async fn every_change_of_a_list_is_in_the_audit_log() {
    let scene = Scene::new(&[]).await;
    let store = scene.store();
    store
        .create_dnc_list(&register(), &user(), now())
        .await
        .unwrap();
    assert!(
        store
            .rename_dnc_list("register", "Other", &user(), now())
            .await
            .unwrap()
    );
    import(&scene, ImportMode::Add, vec![Ok(vec![number(1)])])
        .await
        .unwrap();
    assert!(
        store
            .remove_dnc_number("register", &number(1), &user(), now())
            .await
            .unwrap()
    );
    assert!(
        !store
            .remove_dnc_number("register", &number(1), &user(), now())
            .await
            .unwrap()
    );
    assert!(
        store
            .delete_dnc_list("register", &user(), now())
            .await
            .unwrap()
    );
    assert!(
        !store
            .delete_dnc_list("register", &user(), now())
            .await
            .unwrap()
    );
    let filter = Filter {
        actor: Some("ada".to_owned()),
        subject: Some("register".to_owned()),
    };
    let changes = store.audit_log(&filter, None, 100).await.unwrap();
    let actions: Vec<&str> = changes
        .iter()
        .map(|change| change.action.as_str())
        .collect();
    assert_eq!(
        actions,
        [
            "dnc-list.deleted",
            "dnc-number.removed",
            "dnc-list.imported",
            "dnc-list.renamed",
            "dnc-list.created"
        ]
    );
    assert_eq!(changes[3].change["before"]["name"], "National register");
    let older = store
        .audit_log(&filter, Some(changes[2].id), 1)
        .await
        .unwrap();
    assert_eq!(older, changes[3..4]);
}

#[tokio::test]
async fn statements_are_listed_newest_first_page_by_page() {
    let scene = Scene::new(&[]).await;
    let store = scene.store();
    let who = Who {
        number: Some(number(1)),
        person_key: Some("p".to_owned()),
    };
    for hour in 0..5_u64 {
        let statement = Statement {
            id: Uuid::new_v4(),
            who: who.clone(),
            channel: Channel::Voice,
            activity: Activity::Survey,
            given: hour % 2 == 0,
            at: after(now(), hour * 3_600_000),
            expires_at: None,
            source: "form".to_owned(),
            proof: json!({ "page": hour }),
            recorded_by: Some(user()),
        };
        store.record_consent(&statement, now()).await.unwrap();
    }
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = store.consents(&who, before, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.at, last.id));
        pages.extend(page.iter().map(|one| one.proof["page"].as_u64().unwrap()));
    }
    assert_eq!(pages, [4, 3, 2, 1, 0]);
    let by_person = Who {
        number: None,
        ..who.clone()
    };
    assert_eq!(store.consents(&by_person, None, 10).await.unwrap().len(), 5);
    let somebody = Who {
        number: Some(number(2)),
        person_key: None,
    };
    assert_eq!(store.consents(&somebody, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_opt_out_recorded_by_mistake_can_be_withdrawn_and_the_log_keeps_it() {
    let scene = Scene::new(&[]).await;
    let store = scene.store();
    let opt_out = OptOut {
        id: Uuid::new_v4(),
        who: Who {
            number: Some(number(1)),
            person_key: None,
        },
        channel: Some(Channel::Sms),
        campaign: None,
        source: "STOP".to_owned(),
        at: now(),
        recorded_by: Some(user()),
    };
    store.record_opt_out(&opt_out, now()).await.unwrap();
    assert_eq!(
        store.opt_outs(&opt_out.who, None, 10).await.unwrap(),
        std::slice::from_ref(&opt_out)
    );
    assert!(
        store
            .withdraw_opt_out(opt_out.id, &user(), now())
            .await
            .unwrap()
    );
    assert!(
        !store
            .withdraw_opt_out(opt_out.id, &user(), now())
            .await
            .unwrap()
    );
    assert_eq!(store.opt_outs(&opt_out.who, None, 10).await.unwrap(), []);
    let log = store.audit_log(&Filter::default(), None, 10).await.unwrap();
    assert_eq!(log[0].action, "opt-out.withdrawn");
    assert_eq!(log[0].change["before"]["channel"], "sms");
}
