//! Lists, the hopper, callbacks and qualifications against a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use std::{
    collections::{BTreeMap, HashSet},
    future::ready,
};

use strowger_core::{
    compliance::{Packs, Refusal},
    disposition::Disposition,
    ids::{
        AttemptId, CallbackId, CampaignId, ContactId, ListId, QualificationGroupId,
        QualificationId, UserId,
    },
    lists::filter::{Action, Filter, Operator, Quota},
    phone::PhoneNumber,
    record::{AttemptEnd, Write},
    retry::{AfterAttempt, RetryRule},
    time::{Timestamp, after},
};
use strowger_store::{
    Error, Store,
    callbacks::{CallbackChange, CallbackFilter, NewCallback},
    contacts::{Duplicates, Known, NewContact, Prepared},
    hopper::{Filled, Taken, put_back, take},
    lists::List,
    qualifications::Qualification,
    qualify::{ContactOutcome, NotQualified},
    recycle::Recycle,
};
use strowger_testkit::database::{TestDatabase, fresh};
use uuid::Uuid;

/// A Friday: 15:30 in Paris, 9:30 in New York, 6:30 in Los Angeles.
const NOW: &str = "2026-11-20T14:30:00Z";

struct Scene {
    database: TestDatabase,
    campaign: CampaignId,
    packs: Packs,
    now: Timestamp,
}

async fn scene() -> Scene {
    let database = fresh().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO campaigns (id, name, mode, state, hopper_min, retry_rules) VALUES
             ('c', 'C', 'predictive', 'running', 1, '{\"busy\": {\"delay_s\": 60, \"max_attempts\": 3}}');
         INSERT INTO lists (id, campaign_id, name) VALUES ('c', 'c', 'Own');
         INSERT INTO users (id, login_id, role, password_hash) VALUES
             ('ada', 'ada', 'agent', 'x'), ('bob', 'bob', 'agent', 'x');
         INSERT INTO campaign_agents VALUES ('c', 'ada'), ('c', 'bob');",
    )
    .execute(database.store.pool())
    .await
    .unwrap();
    Scene {
        database,
        campaign: CampaignId::new("c").unwrap(),
        packs: Packs::built_in().unwrap(),
        now: NOW.parse().unwrap(),
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn contact(name: &str, numbers: &[&str]) -> NewContact {
    NewContact {
        id: ContactId::new(name).unwrap(),
        first_name: "O'Hara\t\\N".to_owned(),
        last_name: "two\nlines".to_owned(),
        postal_code: String::new(),
        custom_fields: serde_json::Map::from_iter([(
            "city".to_owned(),
            serde_json::json!(if name < "m" { "Lyon" } else { "Paris" }),
        )]),
        phones: numbers
            .iter()
            .map(|number| PhoneNumber::try_from((*number).to_owned()).unwrap().into())
            .collect(),
        known: Known::default(),
    }
}

fn paris(place: usize) -> String {
    format!("+3363998{place:04}")
}

impl Scene {
    fn store(&self) -> &Store {
        &self.database.store
    }

    async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement)
            .execute(self.store().pool())
            .await
            .unwrap();
    }

    async fn add(&self, list: Option<&str>, contacts: &[NewContact]) {
        let list = list.map(|list| ListId::new(list).unwrap());
        let target = self
            .store()
            .import_target(&self.campaign, list.as_ref(), self.now)
            .await
            .unwrap()
            .unwrap();
        let rows: Vec<Prepared> = contacts
            .iter()
            .map(|contact| Prepared::new(contact, &target))
            .collect();
        self.store()
            .insert_contacts(&self.campaign, &rows, Duplicates::Keep, ready(true))
            .await
            .unwrap();
    }

    async fn fill(&self, want: u32) -> Filled {
        self.store()
            .fill_hopper(&self.campaign, want, &self.packs, self.now)
            .await
            .unwrap()
    }

    async fn take(&self, agents: &[UserId], limit: u32) -> Vec<Taken> {
        let mut tx = self.store().pool().begin().await.unwrap();
        let taken = take(&mut tx, &self.campaign, agents, limit, self.now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        taken
    }

    async fn names(&self, limit: u32) -> Vec<String> {
        self.take(&[], limit)
            .await
            .into_iter()
            .map(|one| one.contact.to_string())
            .collect()
    }

    async fn refuse(&self, contact: &str, until: Option<Timestamp>) {
        let refusal = Refusal {
            rule: "rule".to_owned(),
            reason: String::new(),
            until,
        };
        let mut tx = self.store().pool().begin().await.unwrap();
        let contact = ContactId::new(contact).unwrap();
        put_back(&mut tx, &[(contact, &refusal)], self.now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }

    /// What a claim does of what was taken.
    async fn claim(&self, taken: &Taken, agent: Option<&str>) -> AttemptId {
        let attempt = Uuid::new_v4();
        sqlx::query(
            "WITH claimed AS (UPDATE contacts SET status = 'claimed', claimed_by = $1,
                 attempts_made = attempts_made + 1 WHERE id = $2 RETURNING attempts_made)
             INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch, created_at,
                                   callback_id, agent_id)
             SELECT $1, 'c', $2, attempts_made, $3, 't', 's', 1, $4::text::timestamptz, $5, $6 FROM claimed",
        )
        .bind(attempt)
        .bind(taken.contact.as_str())
        .bind(taken.number.as_str())
        .bind(self.now.to_string())
        .bind(taken.callback)
        .bind(agent)
        .execute(self.store().pool())
        .await
        .unwrap();
        AttemptId(attempt)
    }

    async fn end(
        &self,
        attempt: AttemptId,
        contact: &ContactId,
        how: Disposition,
        then: AfterAttempt,
    ) {
        let end = AttemptEnd {
            attempt,
            contact: contact.clone(),
            disposition: how,
            cause: None,
            sip_code: None,
            amd: None,
            amd_cause: None,
            amd_audited: false,
            late: None,
            after: then,
            at: self.now,
        };
        self.store()
            .apply(&[Write::AttemptEnded(end)])
            .await
            .unwrap();
    }

    async fn status(&self, contact: &str) -> String {
        sqlx::query_scalar("SELECT status FROM contacts WHERE id = $1")
            .bind(contact)
            .fetch_one(self.store().pool())
            .await
            .unwrap()
    }

    async fn qualification(
        &self,
        id: &str,
        set: impl FnOnce(&mut Qualification),
    ) -> QualificationId {
        let mut one = Qualification {
            id: QualificationId::new(id).unwrap(),
            code: id.to_owned(),
            description: String::new(),
            kind: "positive".to_owned(),
            group: None,
            parent: None,
            is_standard: false,
            is_recyclable: true,
            is_conversation: true,
            is_refusal: false,
            is_machine: false,
            retry: None,
        };
        set(&mut one);
        self.store()
            .save_qualification(&one, self.now)
            .await
            .unwrap();
        one.id
    }
}

#[tokio::test]
async fn a_contact_reads_as_it_was_imported_and_its_numbers_tell_their_zones() {
    let scene = scene().await;
    scene
        .add(None, &[contact("a", &["+33612345678", "+12125550123"])])
        .await;
    let row: (String, String, serde_json::Value, String) =
        sqlx::query_as("SELECT first_name, last_name, custom_fields, zones FROM contacts")
            .fetch_one(scene.store().pool())
            .await
            .unwrap();
    assert_eq!(row.0, "O'Hara\t\\N");
    assert_eq!(row.1, "two\nlines");
    assert_eq!(row.2["city"], "Lyon");
    assert_eq!(row.3, "Europe/Paris");
    let zones: Vec<(String, String)> =
        sqlx::query_as("SELECT type, zones FROM contact_phones ORDER BY position")
            .fetch_all(scene.store().pool())
            .await
            .unwrap();
    assert_eq!(zones[0], ("mobile".to_owned(), "Europe/Paris".to_owned()));
    assert_eq!(zones[1].1, "America/New_York");
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_number_that_the_campaign_has_is_left_out_and_named() {
    let scene = scene().await;
    scene.add(None, &[contact("a", &["+33639980001"])]).await;
    let target = scene
        .store()
        .import_target(&scene.campaign, None, scene.now)
        .await
        .unwrap()
        .unwrap();
    let rows = [
        Prepared::new(&contact("b", &["+33639980002"]), &target),
        Prepared::new(&contact("d", &["+33639980003", "+33639980001"]), &target),
    ];
    let left_out = scene
        .store()
        .insert_contacts(&scene.campaign, &rows, Duplicates::Skip, ready(true))
        .await
        .unwrap();
    assert_eq!(left_out, [(1, "+33639980001".to_owned())]);
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM contacts")
        .fetch_one(scene.store().pool())
        .await
        .unwrap();
    assert_eq!(count, 2);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn contacts_are_not_stored_when_what_comes_before_them_was_not() {
    let scene = scene().await;
    let target = scene
        .store()
        .import_target(&scene.campaign, None, scene.now)
        .await
        .unwrap()
        .unwrap();
    let stored = async |name: &str, number: &str, before: bool| {
        let rows = [Prepared::new(&contact(name, &[number]), &target)];
        scene
            .store()
            .insert_contacts(&scene.campaign, &rows, Duplicates::Skip, ready(before))
            .await
    };
    let interrupted = stored("a", "+33639980001", false).await;
    assert!(
        matches!(interrupted, Err(Error::Interrupted)),
        "{interrupted:?}"
    );
    assert_eq!(stored("b", "+33639980001", true).await.unwrap(), []);
    let names: Vec<String> = sqlx::query_scalar("SELECT id FROM contacts")
        .fetch_all(scene.store().pool())
        .await
        .unwrap();
    assert_eq!(names, ["b"]);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn zones_whose_window_is_closed_are_passed_over_and_say_when_they_open() {
    let scene = scene().await;
    scene
        .sql(r#"UPDATE campaigns SET schedule = '{"windows": {"friday": ["08:00-20:00"]}}'"#)
        .await;
    scene
        .add(
            None,
            &[
                contact("angeles", &["+12135550123"]),
                contact("paris", &["+33639980001"]),
                contact("york", &["+12125550123"]),
            ],
        )
        .await;
    let filled = scene.fill(10).await;
    assert_eq!(filled.added, 2);
    let mut names = scene.names(10).await;
    names.sort();
    assert_eq!(names, ["paris", "york"]);
    scene.refuse("paris", None).await;
    scene.refuse("york", None).await;
    let nothing = scene.fill(10).await;
    let opens: Timestamp = "2026-11-20T16:00:00Z".parse().unwrap();
    assert_eq!((nothing.added, nothing.next_due), (0, Some(opens)));
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn lists_share_the_hopper_by_weight_and_the_first_priority_goes_first() {
    let scene = scene().await;
    let list = |id: &str, priority, weight| List {
        id: ListId::new(id).unwrap(),
        campaign: scene.campaign.clone(),
        name: id.to_owned(),
        priority,
        weight,
        is_active: true,
        default_region: "FR".to_owned(),
    };
    for list in [
        list("big", 2, 75),
        list("small", 2, 25),
        list("late", 3, 100),
    ] {
        scene.store().create_list(&list).await.unwrap();
    }
    for (place, id) in ["big", "small", "late"].into_iter().enumerate() {
        let contacts: Vec<NewContact> = (0..20)
            .map(|n| contact(&format!("{id}-{n:02}"), &[&paris(place * 100 + n)]))
            .collect();
        scene.add(Some(id), &contacts).await;
    }
    assert_eq!(scene.fill(8).await.added, 8);
    let names = scene.names(8).await;
    let of = |id: &str| names.iter().filter(|name| name.starts_with(id)).count();
    assert_eq!((of("big"), of("small"), of("late")), (6, 2, 0));
    assert_eq!(
        names
            .iter()
            .filter(|name| name.starts_with("big"))
            .collect::<Vec<_>>(),
        ["big-00", "big-01", "big-02", "big-03", "big-04", "big-05"]
    );
    scene.sql("UPDATE contacts SET status = 'called' WHERE list_id IN ('big', 'small') AND id NOT LIKE '%-19'").await;
    scene.sql("DELETE FROM hopper").await;
    assert_eq!(scene.fill(5).await.added, 5);
    let names = scene.names(5).await;
    assert_eq!(
        names,
        ["big-19", "small-19", "late-00", "late-01", "late-02"]
    );
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn what_filters_leave_out_is_looked_at_once_and_again_when_they_change() {
    let scene = scene().await;
    let contacts: Vec<NewContact> = (0..30)
        .map(|n| {
            contact(
                &format!("{}{n:02}", if n < 20 { "a" } else { "z" }),
                &[&paris(n)],
            )
        })
        .collect();
    scene.add(None, &contacts).await;
    let only = |city: &str| Filter {
        action: Action::Include,
        field: "custom.city".to_owned(),
        operator: Operator::Eq,
        values: vec![city.to_owned()],
    };
    scene
        .store()
        .set_filters(&scene.campaign, &[only("Paris")], scene.now)
        .await
        .unwrap();
    assert_eq!(scene.fill(100).await.added, 10);
    assert!(
        scene
            .names(100)
            .await
            .iter()
            .all(|name| name.starts_with('z'))
    );
    assert_eq!(scene.status("a00").await, "filtered");
    assert_eq!(
        scene.store().filters(&scene.campaign).await.unwrap(),
        [only("Paris")]
    );
    // The same version: nothing to do.
    let tended = scene
        .store()
        .tend_lists(&scene.campaign, 100, scene.now)
        .await
        .unwrap();
    assert_eq!(tended.examined, 0);
    scene
        .store()
        .set_filters(&scene.campaign, &[only("Lyon")], scene.now)
        .await
        .unwrap();
    let tended = scene
        .store()
        .tend_lists(&scene.campaign, 100, scene.now)
        .await
        .unwrap();
    assert_eq!(tended.examined, 20);
    assert_eq!(scene.status("a00").await, "ready");
    assert_eq!(scene.fill(100).await.added, 20);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn contacts_ranked_for_another_order_are_ranked_again() {
    let scene = scene().await;
    let mut contacts: Vec<NewContact> = (0..10)
        .map(|n| contact(&format!("a{n}"), &[&paris(n)]))
        .collect();
    contacts[7].known.priority = 50;
    scene.add(None, &contacts).await;
    scene
        .sql("UPDATE campaigns SET dial_order = 'priority'")
        .await;
    let tended = scene
        .store()
        .tend_lists(&scene.campaign, 100, scene.now)
        .await
        .unwrap();
    assert_eq!(tended.ranked, 10);
    assert_eq!(scene.fill(2).await.added, 2);
    assert_eq!(scene.names(2).await, ["a7", "a0"]);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_fillers_and_takers_never_get_a_contact_twice() {
    let scene = std::sync::Arc::new(scene().await);
    let contacts: Vec<NewContact> = (0..200)
        .map(|n| contact(&format!("a{n:03}"), &[&paris(n)]))
        .collect();
    scene.add(None, &contacts).await;
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let scene = std::sync::Arc::clone(&scene);
        workers.spawn(async move {
            let mut got = Vec::new();
            for _ in 0..20 {
                scene.fill(10).await;
                for taken in scene.take(&[], 3).await {
                    got.push(taken);
                }
            }
            got
        });
    }
    // Taken and not claimed, a contact is ready again and may come twice: claim each at once.
    let mut total = 0;
    while let Some(got) = workers.join_next().await {
        total += got.unwrap().len();
    }
    assert!(total > 0);
    scene.sql("DELETE FROM hopper").await;
    let mut seen = HashSet::new();
    loop {
        let (one, other) = tokio::join!(scene.fill(50), scene.fill(50));
        if one.added + other.added == 0 {
            break;
        }
        for taken in scene.take(&[], 50).await {
            assert!(
                seen.insert(taken.contact.clone()),
                "{} came twice",
                taken.contact
            );
            scene.claim(&taken, None).await;
        }
    }
    assert_eq!(seen.len(), 200);
}

#[tokio::test]
async fn a_refusal_makes_a_contact_wait_and_one_for_good_leads_to_its_next_number() {
    let scene = scene().await;
    scene
        .add(None, &[contact("a", &["+33639980001", "+12125550123"])])
        .await;
    scene.fill(1).await;
    assert_eq!(scene.names(1).await, ["a"]);
    let until = after(scene.now, 60_000);
    scene.refuse("a", Some(until)).await;
    assert_eq!(scene.status("a").await, "waiting");
    assert_eq!(scene.fill(1).await.next_due, Some(until));
    scene
        .sql("UPDATE contacts SET next_attempt_at = '2026-11-20T14:00:00Z'")
        .await;
    assert_eq!(scene.fill(1).await.added, 1);
    scene.take(&[], 1).await;
    scene.refuse("a", None).await;
    assert_eq!(scene.fill(1).await.added, 1);
    let taken = scene.take(&[], 1).await;
    assert_eq!(taken[0].number.as_str(), "+12125550123");
    assert_eq!(taken[0].zones, ["America/New_York"]);
    scene.refuse("a", None).await;
    assert_eq!(scene.status("a").await, "blocked");
    let nothing = scene.fill(1).await;
    assert_eq!((nothing.added, nothing.next_due), (0, None));
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_busy_number_is_kept_a_silent_one_gives_way_and_an_invalid_one_is_never_dialed_again() {
    let scene = scene().await;
    scene
        .add(None, &[contact("a", &["+33639980001", "+33639980002"])])
        .await;
    let mut dialed = Vec::new();
    for (how, then) in [
        (Disposition::Busy, AfterAttempt::Retry(scene.now)),
        (Disposition::NoAnswer, AfterAttempt::Retry(scene.now)),
        (Disposition::Invalid, AfterAttempt::Called),
        (Disposition::CarrierFailure, AfterAttempt::GiveBack),
        (Disposition::Invalid, AfterAttempt::Called),
    ] {
        assert_eq!(scene.fill(1).await.added, 1, "{how}");
        let taken = scene.take(&[], 1).await.remove(0);
        dialed.push(taken.number.to_string());
        let attempt = scene.claim(&taken, None).await;
        scene.end(attempt, &taken.contact, how, then).await;
        // Told again, nothing changes.
        scene
            .end(attempt, &taken.contact, how, AfterAttempt::Called)
            .await;
    }
    let one = "+33639980001".to_owned();
    let two = "+33639980002".to_owned();
    assert_eq!(dialed, [one.clone(), one.clone(), two, one.clone(), one]);
    assert_eq!(scene.status("a").await, "called");
    let made: i32 = sqlx::query_scalar("SELECT attempts_made FROM contacts")
        .fetch_one(scene.store().pool())
        .await
        .unwrap();
    assert_eq!(made, 4, "what was given back does not count");
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn callbacks_that_are_due_come_first_and_personal_ones_only_to_their_agent() {
    let scene = scene().await;
    let contacts: Vec<NewContact> = (0..4)
        .map(|n| contact(&format!("a{n}"), &[&paris(n)]))
        .collect();
    scene.add(None, &contacts).await;
    for (place, agent, due) in [(1, Some("ada"), 0), (2, None, 0), (3, None, 60_000)] {
        let new = NewCallback {
            id: CallbackId(Uuid::from_u128(place)),
            contact: ContactId::new(format!("a{place}")).unwrap(),
            number: None,
            agent: agent.map(user),
            due_at: after(scene.now, due),
            note: String::new(),
            by: user("bob"),
        };
        scene
            .store()
            .create_callback(&new, scene.now)
            .await
            .unwrap();
    }
    assert_eq!(scene.fill(10).await.added, 1);
    let of = |taken: &[Taken]| -> Vec<String> {
        taken.iter().map(|one| one.contact.to_string()).collect()
    };
    let taken = scene.take(&[user("ada")], 3).await;
    assert_eq!(of(&taken), ["a1", "a2", "a0"]);
    assert_eq!(taken[0].agent, Some(user("ada")));
    // Busy: the promise stays, for the same agent, later.
    let attempt = scene.claim(&taken[0], Some("ada")).await;
    let later = after(scene.now, 300_000);
    scene
        .end(
            attempt,
            &taken[0].contact,
            Disposition::Busy,
            AfterAttempt::Retry(later),
        )
        .await;
    assert_eq!(scene.status("a1").await, "callback");
    let kept = scene
        .store()
        .callback(CallbackId(Uuid::from_u128(1)))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.due_at, kept.agent), (later, Some(user("ada"))));
    // Reached: the promise is kept.
    let attempt = scene.claim(&taken[1], Some("bob")).await;
    scene
        .end(
            attempt,
            &taken[1].contact,
            Disposition::AnsweredHuman,
            AfterAttempt::Called,
        )
        .await;
    assert_eq!(scene.status("a2").await, "called");
    let all = scene
        .store()
        .callbacks(&CallbackFilter::default(), 10)
        .await
        .unwrap();
    assert_eq!(
        all.iter()
            .map(|one| one.contact.as_str())
            .collect::<Vec<_>>(),
        ["a3", "a1"]
    );
    let change = CallbackChange {
        agent: Some(None),
        due_at: Some(scene.now),
        note: None,
    };
    assert!(
        scene
            .store()
            .change_callback(kept.id, &change, scene.now)
            .await
            .unwrap()
    );
    assert_eq!(of(&scene.take(&[], 1).await), ["a1"]);
    assert!(
        scene
            .store()
            .cancel_callback(kept.id, scene.now)
            .await
            .unwrap()
    );
    assert!(
        !scene
            .store()
            .cancel_callback(kept.id, scene.now)
            .await
            .unwrap()
    );
    assert_eq!(scene.status("a1").await, "called");
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn what_an_agent_says_waits_for_the_end_of_the_call_and_does_not_block_it() {
    let scene = scene().await;
    scene.add(None, &[contact("a0", &[&paris(0)])]).await;
    let sale = scene.qualification("sale", |_| {}).await;
    scene.fill(1).await;
    let taken = scene.take(&[], 1).await;
    let attempt = scene.claim(&taken[0], Some("ada")).await;
    // The end of the call, between its two steps.
    let mut end = scene.store().pool().begin().await.unwrap();
    sqlx::query(
        "UPDATE attempts SET disposition = 'answered-human', ended_at = now() WHERE id = $1",
    )
    .bind(attempt.0)
    .execute(&mut *end)
    .await
    .unwrap();
    let outcome = ContactOutcome {
        contact: taken[0].contact.clone(),
        qualification: sale,
        relaunch_at: None,
        by: user("ada"),
    };
    let said = scene.store().qualify_contact(&outcome, scene.now);
    let ended = async {
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted
                AND pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database()))";
        while !sqlx::query_scalar::<_, bool>(waits)
            .fetch_one(scene.store().pool())
            .await
            .unwrap()
        {}
        sqlx::query("SELECT FROM contacts WHERE id = $1 FOR UPDATE")
            .bind("a0")
            .execute(&mut *end)
            .await
            .unwrap();
        end.commit().await.unwrap();
    };
    let (said, ()) = tokio::join!(said, ended);
    said.unwrap();
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_qualification_decides_whether_it_comes_during_the_call_or_after_it() {
    let scene = scene().await;
    let contacts: Vec<NewContact> = (0..2)
        .map(|n| contact(&format!("a{n}"), &[&paris(n)]))
        .collect();
    scene.add(None, &contacts).await;
    let sale = scene.qualification("sale", |_| {}).await;
    let again = scene
        .qualification("again", |one| {
            one.kind = "neutral".to_owned();
            one.is_refusal = true;
            one.retry = Some(RetryRule {
                delay_s: 60,
                max_attempts: 5,
                ..RetryRule::default()
            });
        })
        .await;
    scene.fill(2).await;
    let taken = scene.take(&[], 2).await;
    let first = scene.claim(&taken[0], Some("ada")).await;
    scene
        .store()
        .qualify(first.into(), &sale, Some(&user("ada")), scene.now)
        .await
        .unwrap();
    assert_eq!(scene.status("a0").await, "claimed");
    scene
        .end(
            first,
            &taken[0].contact,
            Disposition::AnsweredHuman,
            AfterAttempt::Called,
        )
        .await;
    assert_eq!(scene.status("a0").await, "qualified");
    let second = scene.claim(&taken[1], Some("ada")).await;
    scene
        .end(
            second,
            &taken[1].contact,
            Disposition::AnsweredHuman,
            AfterAttempt::Called,
        )
        .await;
    let denied = scene
        .store()
        .qualify(second.into(), &again, Some(&user("bob")), scene.now)
        .await;
    assert!(matches!(denied, Err(NotQualified::NotYours)), "{denied:?}");
    scene
        .store()
        .qualify(second.into(), &again, Some(&user("ada")), scene.now)
        .await
        .unwrap();
    assert_eq!(scene.status("a1").await, "waiting");
    let said: (bool, bool) =
        sqlx::query_as("SELECT conversation, refused FROM attempts WHERE id = $1")
            .bind(second.0)
            .fetch_one(scene.store().pool())
            .await
            .unwrap();
    assert_eq!(said, (true, true));
    scene.sql("INSERT INTO qualification_groups (id, name) VALUES ('g', 'G'); UPDATE campaigns SET qualification_group_id = 'g'").await;
    let denied = scene
        .store()
        .qualify(second.into(), &sale, None, scene.now)
        .await;
    assert!(
        matches!(denied, Err(NotQualified::NotOffered)),
        "{denied:?}"
    );
    let group = QualificationGroupId::new("g").unwrap();
    let offered = scene
        .qualification("offered", |one| one.group = Some(group.clone()))
        .await;
    scene
        .store()
        .qualify(second.into(), &offered, None, scene.now)
        .await
        .unwrap();
    assert_eq!(scene.status("a1").await, "qualified");
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_quota_counts_a_contact_once_and_closes_its_kind_when_it_is_full() {
    let scene = scene().await;
    let contacts: Vec<NewContact> = (0..5)
        .map(|n| contact(&format!("a{n}"), &[&paris(n)]))
        .collect();
    scene.add(None, &contacts).await;
    let quota = Quota {
        field: "custom.city".to_owned(),
        value: "lyon".to_owned(),
        operator: strowger_core::lists::filter::QuotaOperator::Equals,
        target: 1,
        reached: 0,
    };
    scene
        .store()
        .set_quotas(&scene.campaign, &[(Uuid::from_u128(1), quota)], scene.now)
        .await
        .unwrap();
    let sale = scene.qualification("sale", |_| {}).await;
    let no = scene
        .qualification("no", |one| one.kind = "negative".to_owned())
        .await;
    assert_eq!(scene.fill(2).await.added, 2);
    let taken = scene.take(&[], 1).await.remove(0);
    let attempt = scene.claim(&taken, Some("ada")).await;
    scene
        .end(
            attempt,
            &taken.contact,
            Disposition::AnsweredHuman,
            AfterAttempt::Called,
        )
        .await;
    for (qualification, reached) in [(&sale, 1), (&sale, 1), (&no, 0), (&sale, 1)] {
        scene
            .store()
            .qualify(attempt.into(), qualification, None, scene.now)
            .await
            .unwrap();
        assert_eq!(
            scene.store().quotas(&scene.campaign).await.unwrap()[0].reached,
            reached
        );
    }
    // The other one that was chosen already is not dialed either.
    assert!(scene.take(&[], 10).await.is_empty());
    assert_eq!(scene.fill(10).await.added, 0);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_contact_that_somebody_works_on_is_not_dialed() {
    let scene = scene().await;
    scene.add(None, &[contact("a", &["+33639980001"])]).await;
    let id = ContactId::new("a").unwrap();
    let until = after(scene.now, 60_000);
    let lock = |who: &str| {
        let (who, id, store) = (user(who), id.clone(), scene.store().clone());
        async move {
            store
                .lock_contact(&id, &who, until, scene.now)
                .await
                .unwrap()
        }
    };
    assert!(lock("ada").await);
    assert!(!lock("bob").await);
    let filled = scene.fill(1).await;
    assert_eq!((filled.added, filled.next_due), (0, Some(until)));
    assert!(
        !scene
            .store()
            .unlock_contact(&id, &user("bob"))
            .await
            .unwrap()
    );
    assert!(
        scene
            .store()
            .unlock_contact(&id, &user("ada"))
            .await
            .unwrap()
    );
    assert_eq!(scene.fill(1).await.added, 1);
    assert!(lock("bob").await);
    assert!(scene.take(&[], 1).await.is_empty());
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn recycling_takes_those_who_were_named_and_says_who_did_it() {
    let scene = scene().await;
    let contacts: Vec<NewContact> = (0..6)
        .map(|n| contact(&format!("a{n}"), &[&paris(n)]))
        .collect();
    scene.add(None, &contacts).await;
    scene
        .qualification("sale", |one| one.is_recyclable = false)
        .await;
    let no = scene.qualification("no", |_| {}).await;
    scene
        .sql("UPDATE contacts SET status = 'called', last_disposition = 'busy', attempts_made = 3 WHERE id IN ('a0', 'a1');
              UPDATE contacts SET status = 'exhausted', last_disposition = 'no-answer' WHERE id = 'a2';
              UPDATE contacts SET status = 'qualified', last_disposition = 'busy', qualification_id = 'no' WHERE id = 'a3';
              UPDATE contacts SET status = 'qualified', qualification_id = 'sale' WHERE id = 'a4'")
        .await;
    let what = Recycle {
        dispositions: vec![Disposition::Busy],
        qualifications: vec![no, QualificationId::new("sale").unwrap()],
        ..Recycle::default()
    };
    let count = scene
        .store()
        .recycle(
            &scene.campaign,
            &what,
            &user("ada"),
            "a second round",
            scene.now,
        )
        .await
        .unwrap();
    assert_eq!(count, 3);
    let mut statuses = BTreeMap::new();
    for name in ["a0", "a1", "a2", "a3", "a4", "a5"] {
        statuses.insert(name, scene.status(name).await);
    }
    assert_eq!(statuses["a0"], "ready");
    assert_eq!(statuses["a2"], "exhausted");
    assert_eq!(statuses["a3"], "ready");
    assert_eq!(statuses["a4"], "qualified");
    let audit: (String, serde_json::Value) =
        sqlx::query_as("SELECT actor_id, change FROM audit_log")
            .fetch_one(scene.store().pool())
            .await
            .unwrap();
    assert_eq!(
        (audit.0.as_str(), audit.1["contacts"].as_i64()),
        ("ada", Some(3))
    );
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_lease_that_is_over_leaves_the_hopper() {
    let mut scene = scene().await;
    scene.add(None, &[contact("a", &["+33639980001"])]).await;
    assert_eq!(scene.fill(1).await.added, 1);
    assert_eq!(scene.fill(1).await.added, 0);
    scene.now = after(scene.now, 601_000);
    assert!(scene.take(&[], 1).await.is_empty());
    assert_eq!(scene.fill(1).await.added, 1);
    assert_eq!(scene.names(1).await, ["a"]);
    scene.database.drop_now().await.unwrap();
}
