//! Two campaigns want the same numbers at the same time.

use std::{collections::BTreeMap, sync::Arc};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::scene::{Scene, now, number};

/// Numbers raced for: each is a trial.
const TRIALS: usize = 1_000;

/// Runners at once, half for each campaign.
const RUNNERS: usize = 8;

/// Contacts with the same number in each campaign.
const CONTACTS: usize = 4;

/// Adds, for each number, four contacts to each of two campaigns. Both walk the numbers in
/// the same direction, so that their runners meet; which number comes first is left to chance,
/// so that they meet in any order.
async fn plant(scene: &Scene, random: &mut ChaCha8Rng) {
    let (mut ids, mut campaigns, mut numbers, mut ranks) = (vec![], vec![], vec![], vec![]);
    for trial in 0..TRIALS {
        for campaign in ["a", "b"] {
            for place in 0..CONTACTS {
                ids.push(format!("{campaign}-{trial:04}-{place}"));
                campaigns.push(campaign.to_owned());
                numbers.push(number(trial).to_string());
                let jitter: i64 = random.random_range(0..8);
                ranks.push(i64::try_from(trial).unwrap() + jitter);
            }
        }
    }
    sqlx::query(
        "INSERT INTO contacts (id, campaign_id, list_id, rank, next_attempt_at)
         SELECT id, campaign, campaign, rank, '2026-01-01' FROM UNNEST($1::text[], $2::text[], $3::bigint[])
             AS t (id, campaign, rank)",
    )
    .bind(&ids)
    .bind(&campaigns)
    .bind(&ranks)
    .execute(scene.store().pool())
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO contact_phones (contact_id, position, number)
         SELECT id, 0, number FROM UNNEST($1::text[], $2::text[]) AS t (id, number)",
    )
    .bind(&ids)
    .bind(&numbers)
    .execute(scene.store().pool())
    .await
    .unwrap();
}

#[expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "another seed each time, printed so that a failure can be repeated"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_campaigns_racing_for_a_number_never_dial_it_a_fourth_time() {
    let seed: u64 = std::env::var("STROWGER_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| rand::rng().random());
    println!("STROWGER_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let scene = Scene::new(&["a", "b"]).await;
    scene.cap("a", "number", 3).await;
    scene.cap("b", "number", 3).await;
    plant(&scene, &mut random).await;
    let scene = Arc::new(scene);
    let mut runners = tokio::task::JoinSet::new();
    for runner in 0..RUNNERS {
        let scene = Arc::clone(&scene);
        let mut random = ChaCha8Rng::seed_from_u64(random.random());
        runners.spawn(async move {
            let campaign = if runner % 2 == 0 { "a" } else { "b" };
            loop {
                let count = random.random_range(1..=6);
                let claimed = scene.claim(campaign, count, now()).await;
                let left = "SELECT count(*) FROM contacts WHERE status IN ('ready', 'hopper')";
                if claimed.attempts.is_empty() && scene.count(left).await == 0 {
                    return;
                }
            }
        });
    }
    while let Some(done) = runners.join_next().await {
        done.unwrap();
    }
    let dials: Vec<(String, i64)> =
        sqlx::query_as("SELECT number, count(*) FROM attempts GROUP BY number")
            .fetch_all(scene.store().pool())
            .await
            .unwrap();
    let mut spread: BTreeMap<i64, usize> = BTreeMap::new();
    for (_, count) in &dials {
        *spread.entry(*count).or_default() += 1;
    }
    println!("dials of a number: how many numbers {spread:?}");
    assert_eq!(spread, BTreeMap::from([(3, TRIALS)]), "seed {seed}");
    // Whoever was refused is in the ledger, and no runner wrote over another's rows.
    let entries = i64::try_from(2 * CONTACTS * TRIALS).unwrap();
    assert_eq!(scene.count("SELECT count(*) FROM ledger").await, entries);
    assert_eq!(scene.faults().await, []);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(
        scene.count(deadlocks).await,
        0,
        "locks are taken in one order"
    );
}
