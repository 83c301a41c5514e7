//! Caller ids, the verdicts of machine detection and abandoned calls, against a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]

use strowger_core::{
    abandonment::{Counts, Period},
    caller_id::{MAX_POOL, take},
    ids::{CallerIdPoolId, CampaignId},
    phone::PhoneNumber,
    time::{Timestamp, after},
};
use strowger_store::{
    Error, Store,
    caller_ids::{PoolDeleted, PoolNumberChange, pool_for, record_outcome, record_use},
};
use strowger_testkit::database::{TestDatabase, fresh};
use uuid::Uuid;

fn number(place: usize) -> PhoneNumber {
    PhoneNumber::try_from(format!("+3314200{place:04}")).unwrap()
}

fn pool(id: &str) -> CallerIdPoolId {
    CallerIdPoolId::new(id).unwrap()
}

fn campaign() -> CampaignId {
    CampaignId::new("c").unwrap()
}

fn now() -> Timestamp {
    "2026-05-04T10:00:00Z".parse().unwrap()
}

/// A campaign `c` and a pool `paris` of so many numbers that it shows.
async fn scene(numbers: usize) -> TestDatabase {
    let database = fresh().await.unwrap();
    let store = &database.store;
    store
        .create_caller_id_pool(&pool("paris"), "Paris", now())
        .await
        .unwrap();
    let numbers: Vec<PhoneNumber> = (0..numbers).map(number).collect();
    let added = store.add_caller_ids(&pool("paris"), &numbers).await;
    assert_eq!(added.unwrap(), Some(numbers.len() as u64));
    run(
        store,
        "INSERT INTO campaigns (id, name, mode, caller_id_pool_id) VALUES ('c', 'C', 'power', 'paris')",
    )
    .await;
    database
}

async fn run(store: &Store, sql: &'static str) {
    sqlx::query(sql).execute(store.pool()).await.unwrap();
}

#[tokio::test]
async fn a_pool_is_listed_changed_and_deleted_once_no_campaign_uses_it() {
    let database = scene(5).await;
    let store = &database.store;
    let again = store
        .create_caller_id_pool(&pool("paris"), "x", now())
        .await;
    assert!(matches!(again, Err(Error::Taken { field: "id" })));
    store
        .create_caller_id_pool(&pool("lyon"), "Lyon", now())
        .await
        .unwrap();

    let change = PoolNumberChange {
        is_active: Some(false),
        rested_until: Some(Some(after(now(), 1_000))),
    };
    let changed = store
        .change_caller_id(&pool("paris"), &number(1), change)
        .await;
    let changed = changed.unwrap().unwrap();
    assert_eq!(
        (changed.is_active, changed.rested_until),
        (false, Some(after(now(), 1_000)))
    );
    let nothing = PoolNumberChange::default();
    let same = store
        .change_caller_id(&pool("paris"), &number(1), nothing)
        .await;
    assert_eq!(same.unwrap(), Some(changed));
    let elsewhere = store
        .change_caller_id(&pool("lyon"), &number(1), nothing)
        .await;
    assert_eq!(elsewhere.unwrap(), None);

    let first = store.caller_id_pools(None, 1, now()).await.unwrap();
    assert_eq!((first[0].id.as_str(), first[0].numbers), ("lyon", 0));
    let rest = store
        .caller_id_pools(Some(&first[0].id), 10, now())
        .await
        .unwrap();
    assert_eq!(
        (
            rest.len(),
            rest[0].id.as_str(),
            rest[0].numbers,
            rest[0].resting
        ),
        (1, "paris", 5, 1)
    );
    let one = store.caller_id_pool(&pool("paris"), now()).await.unwrap();
    assert_eq!(one.as_ref(), Some(&rest[0]));
    let later = store
        .caller_id_pool(&pool("paris"), after(now(), 1_000))
        .await;
    assert_eq!(later.unwrap().unwrap().resting, 0);

    let page = store
        .caller_ids(&pool("paris"), Some(&number(1)), 2)
        .await
        .unwrap();
    let numbers: Vec<_> = page.into_iter().map(|row| row.number).collect();
    assert_eq!(numbers, [number(2), number(3)]);
    assert!(
        store
            .remove_caller_id(&pool("paris"), &number(2))
            .await
            .unwrap()
    );
    assert!(
        !store
            .remove_caller_id(&pool("paris"), &number(2))
            .await
            .unwrap()
    );

    assert!(
        store
            .rename_caller_id_pool(&pool("lyon"), "Rhône", now())
            .await
            .unwrap()
    );
    assert!(
        !store
            .rename_caller_id_pool(&pool("nice"), "x", now())
            .await
            .unwrap()
    );
    let deleted = async |id| store.delete_caller_id_pool(&pool(id)).await.unwrap();
    assert_eq!(deleted("paris").await, PoolDeleted::UsedBy(campaign()));
    assert_eq!(deleted("lyon").await, PoolDeleted::Done);
    assert_eq!(deleted("lyon").await, PoolDeleted::Unknown);
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_pool_takes_as_many_numbers_as_it_may_and_all_or_none() {
    let database = scene(MAX_POOL - 1).await;
    let store = &database.store;
    let two = [number(5_000), number(5_001)];
    assert_eq!(
        store.add_caller_ids(&pool("paris"), &two).await.unwrap(),
        None
    );
    let known_and_new = [number(0), number(5_000), number(5_000)];
    let added = store.add_caller_ids(&pool("paris"), &known_and_new).await;
    assert_eq!(added.unwrap(), Some(1));
    let full = store
        .caller_id_pool(&pool("paris"), now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(full.numbers, MAX_POOL as u64);
    let nowhere = store.add_caller_ids(&pool("nice"), &two).await;
    assert!(matches!(nowhere, Err(Error::Missing { .. })));
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_claim_reads_the_active_numbers_and_notes_their_use() {
    let database = scene(3).await;
    let store = &database.store;
    let off = PoolNumberChange {
        is_active: Some(false),
        rested_until: None,
    };
    store
        .change_caller_id(&pool("paris"), &number(0), off)
        .await
        .unwrap();
    let resting = PoolNumberChange {
        is_active: None,
        rested_until: Some(Some(after(now(), 1))),
    };
    store
        .change_caller_id(&pool("paris"), &number(1), resting)
        .await
        .unwrap();

    let mut tx = store.pool().begin().await.unwrap();
    let (id, mut numbers) = pool_for(&mut tx, &campaign()).await.unwrap().unwrap();
    assert_eq!((&id, numbers.len()), (&pool("paris"), 2));
    let dialed = number(9_999);
    let shown: Vec<PhoneNumber> = (0..3)
        .map(|_| take(&mut numbers, &dialed, now()).unwrap().number)
        .collect();
    assert_eq!(
        shown,
        [number(2), number(2), number(2)],
        "one rests, one is off"
    );
    record_use(&mut tx, &id, &shown, now()).await.unwrap();
    tx.commit().await.unwrap();

    let mut connection = store.pool().acquire().await.unwrap();
    let (_, again) = pool_for(&mut connection, &campaign())
        .await
        .unwrap()
        .unwrap();
    let used = again
        .iter()
        .find(|caller| *caller.number() == number(2))
        .unwrap();
    assert_eq!((used.dials, used.last_used_at), (3, Some(now())));
    // A claim whose clock is behind does not take the use back.
    record_use(&mut connection, &id, &shown[..1], Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let (_, again) = pool_for(&mut connection, &campaign())
        .await
        .unwrap()
        .unwrap();
    let used = again
        .iter()
        .find(|caller| *caller.number() == number(2))
        .unwrap();
    assert_eq!((used.dials, used.last_used_at), (4, Some(now())));

    run(store, "UPDATE campaigns SET caller_id_pool_id = NULL").await;
    assert!(
        pool_for(&mut connection, &campaign())
            .await
            .unwrap()
            .is_none()
    );
    let nobody = CampaignId::new("nobody").unwrap();
    assert!(pool_for(&mut connection, &nobody).await.unwrap().is_none());
    drop(connection);
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn claims_and_outcomes_of_one_pool_never_wait_in_a_circle() {
    let database = scene(20).await;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_usize {
        let store = database.store.clone();
        tasks.spawn(async move {
            for round in 0..10_usize {
                let mut tx = store.pool().begin().await.unwrap();
                if task % 2 == 0 {
                    let shown: Vec<_> = (0..20)
                        .map(|n| number((n * 7 + task + round) % 20))
                        .collect();
                    record_use(&mut tx, &pool("paris"), &shown, now())
                        .await
                        .unwrap();
                } else {
                    for n in 0..20 {
                        let which = number((n * 3 + task * round) % 20);
                        record_outcome(&mut tx, &pool("paris"), &which, n % 4 == 0, now())
                            .await
                            .unwrap();
                    }
                }
                tx.commit().await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let numbers = database
        .store
        .caller_ids(&pool("paris"), None, 100)
        .await
        .unwrap();
    assert!(numbers.iter().all(|row| row.dials == 40), "{numbers:?}");
    assert_eq!(
        numbers.iter().map(|row| row.answers).sum::<u64>(),
        4 * 10 * 5
    );
    database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_number_that_people_stop_answering_gets_a_rest() {
    let database = scene(3).await;
    let store = &database.store;
    let mut tx = store.pool().begin().await.unwrap();
    let all: Vec<PhoneNumber> = (0..3).map(number).collect();
    record_use(&mut tx, &pool("paris"), &all, now())
        .await
        .unwrap();
    for n in 0..300 {
        for other in &all[1..] {
            let rest = record_outcome(&mut tx, &pool("paris"), other, n % 3 == 0, now()).await;
            assert_eq!(rest.unwrap(), None);
        }
    }
    let mut found = None;
    for n in 0..200 {
        found = record_outcome(&mut tx, &pool("paris"), &number(0), n == 0, now())
            .await
            .unwrap();
        if found.is_some() {
            break;
        }
    }
    let gone = record_outcome(&mut tx, &pool("paris"), &number(7), false, now()).await;
    assert_eq!(gone.unwrap(), None, "a number that left the pool");
    tx.commit().await.unwrap();
    let rest = found.expect("half an hour without an answer is seen");
    let row = &store.caller_ids(&pool("paris"), None, 1).await.unwrap()[0];
    assert_eq!(
        (row.rested_until, row.rest_reason.as_deref(), row.answers),
        (Some(rest.until), Some(rest.reason.as_str()), 1)
    );
    let wake = PoolNumberChange {
        is_active: None,
        rested_until: Some(None),
    };
    let awake = store
        .change_caller_id(&pool("paris"), &number(0), wake)
        .await;
    let awake = awake.unwrap().unwrap();
    assert_eq!((awake.rested_until, awake.rest_reason), (None, None));
    database.drop_now().await.unwrap();
}

/// Disposition, verdict, whether it was audited, what the agent said, and how many there were.
type Attempts<'a> = (&'a str, Option<&'a str>, bool, Option<bool>, usize);

/// Ended attempts.
async fn attempts(store: &Store, kinds: &[Attempts<'_>]) {
    run(
        store,
        "INSERT INTO lists (id, campaign_id, name) VALUES ('l', 'c', 'L')",
    )
    .await;
    run(
        store,
        "INSERT INTO contacts (id, campaign_id, list_id) VALUES ('k', 'c', 'l')",
    )
    .await;
    for (disposition, amd, audited, was_machine, times) in kinds {
        for _ in 0..*times {
            sqlx::query(
                "INSERT INTO attempts (id, campaign_id, contact_id, ordinal, number, trunk_id, server, epoch, disposition,
                     amd, was_machine, amd_audited, created_at, ended_at)
                 VALUES ($1, 'c', 'k', 1, '+33142000000', 't', 's', 1, $2, $3, $4, $5, '2026-05-04T10:00:00Z',
                     '2026-05-04T10:01:00Z')",
            )
            .bind(Uuid::new_v4())
            .bind(disposition)
            .bind(amd)
            .bind(was_machine)
            .bind(audited)
            .execute(store.pool())
            .await
            .unwrap();
        }
    }
}

#[tokio::test]
async fn what_agents_heard_calibrates_the_detection_and_the_abandoned_call_rate() {
    let database = scene(0).await;
    let store = &database.store;
    attempts(
        store,
        &[
            ("answered-human", Some("human"), false, Some(false), 30),
            ("answered-human", Some("not-sure"), false, Some(true), 10),
            ("answered-human", Some("human"), false, None, 5),
            ("answered-human", Some("machine"), true, Some(true), 24),
            ("answered-human", Some("machine"), true, Some(false), 1),
            // The agent said nothing, or nobody was connected.
            ("answered-human", Some("machine"), true, None, 8),
            ("answered-hangup", Some("machine"), true, None, 3),
            ("answered-machine", Some("machine"), false, None, 75),
            // Noted by somebody who did not hear it.
            ("answered-machine", Some("machine"), false, Some(false), 5),
            ("answered-hangup", Some("human"), false, None, 2),
            ("abandoned", Some("human"), false, None, 3),
            ("no-answer", None, false, None, 50),
        ],
    )
    .await;
    let estimate = store
        .amd_calibration(&campaign(), now())
        .await
        .unwrap()
        .estimate();
    assert_eq!(
        (estimate.false_positive.rate, estimate.false_positive.n),
        (0.04, 25)
    );
    assert_eq!(
        (estimate.false_negative.rate, estimate.false_negative.n),
        (0.25, 40)
    );
    let later = store
        .amd_calibration(&campaign(), after(now(), 1))
        .await
        .unwrap();
    assert_eq!(later.estimate().false_positive.n, 0);

    let period = |from, to| Period { from, to };
    let counts = store
        .abandonment_counts(&campaign(), period(now(), after(now(), 1)))
        .await;
    assert_eq!(
        counts.unwrap(),
        Counts {
            served: 30 + 5 + 1 + 2,
            abandoned: 3,
            machine_verdicts: 75 + 5
        }
    );
    let before = store
        .abandonment_counts(&campaign(), period(Timestamp::UNIX_EPOCH, now()))
        .await;
    assert_eq!(before.unwrap(), Counts::default());
    database.drop_now().await.unwrap();
}
