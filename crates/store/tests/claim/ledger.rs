//! Whoever changes the ledger is found out.

use strowger_core::{ids::CampaignId, ledger::Problem, time::after};
use strowger_store::ledger::{Subject, Which};

use crate::scene::{Contact, Scene, now, number};

/// Two chains; that of `a` has nine rows.
async fn written() -> Scene {
    let scene = Scene::new(&["a", "b"]).await;
    scene.cap("a", "number", 1).await;
    for (place, id) in ["1", "2", "3", "4", "5", "6", "7", "8", "9"]
        .into_iter()
        .enumerate()
    {
        let contact = Contact {
            campaign: "a",
            id,
            // Every other number stands twice: its second contact is refused.
            number: place / 2,
            ..Contact::default()
        };
        scene.add(contact).await;
    }
    let other = Contact {
        campaign: "b",
        id: "other",
        number: 4,
        ..Contact::default()
    };
    scene.add(other).await;
    assert_eq!(scene.claim("a", 9, now()).await.attempts.len(), 5);
    assert_eq!(scene.claim("b", 1, now()).await.attempts.len(), 1);
    let verified = scene.store().verify_ledger(None, &[]).await.unwrap();
    assert_eq!(
        (verified.chains, verified.rows, verified.fault_count),
        (2, 10, 0)
    );
    scene
}

async fn found(tamper: &'static str) -> Vec<(i64, Problem)> {
    let scene = written().await;
    scene.run(tamper).await;
    let faults = scene.faults().await;
    assert!(!faults.is_empty(), "{tamper}");
    assert!(faults.iter().all(|fault| fault.0 == "a"), "{faults:?}");
    // The same when only this campaign is asked for, and nothing is wrong with the other.
    let one = scene.store().verify_ledger(Some("a"), &[]).await.unwrap();
    assert_eq!(one.fault_count, faults.len() as u64);
    let other = scene.store().verify_ledger(Some("b"), &[]).await.unwrap();
    assert_eq!((other.chains, other.fault_count), (1, 0));
    faults
        .into_iter()
        .map(|(_, seq, problem)| (seq, problem))
        .collect()
}

#[tokio::test]
async fn an_altered_row_is_named() {
    let body = "UPDATE ledger SET body = replace(body, '\"lines\":3', '\"lines\":1') WHERE chain = 'a' AND seq = 4";
    assert_eq!(found(body).await, [(4, Problem::Altered)]);
    let hash = "UPDATE ledger SET hash = set_bit(hash, 77, 1 - get_bit(hash, 77)) WHERE chain = 'a' AND seq = 4";
    assert_eq!(found(hash).await, [(4, Problem::Altered)]);
    let number = "UPDATE ledger SET number = '+33639989999' WHERE chain = 'a' AND seq = 4";
    assert_eq!(found(number).await, [(4, Problem::Column("number"))]);
}

#[tokio::test]
async fn a_row_deleted_in_the_middle_or_at_the_end_is_named() {
    let middle = "DELETE FROM ledger WHERE chain = 'a' AND seq = 5";
    assert_eq!(found(middle).await, [(5, Problem::Missing { to: 5 })]);
    let end = "DELETE FROM ledger WHERE chain = 'a' AND seq >= 8";
    assert_eq!(found(end).await, [(8, Problem::Missing { to: 9 })]);
    let all = "DELETE FROM ledger WHERE chain = 'a'";
    assert_eq!(found(all).await, [(1, Problem::Missing { to: 9 })]);
}

#[tokio::test]
async fn reordered_rows_are_named() {
    let swap = "UPDATE ledger SET seq = CASE seq WHEN 3 THEN -6 ELSE -3 END WHERE chain = 'a' AND seq IN (3, 6)";
    let scene = written().await;
    scene.run(swap).await;
    scene
        .run("UPDATE ledger SET seq = -seq WHERE seq < 0")
        .await;
    let faults: Vec<(i64, Problem)> = scene
        .faults()
        .await
        .into_iter()
        .map(|(_, seq, problem)| (seq, problem))
        .collect();
    assert!(
        faults.contains(&(3, Problem::Moved { from: 6 })),
        "{faults:?}"
    );
    assert!(
        faults.contains(&(6, Problem::Moved { from: 3 })),
        "{faults:?}"
    );
}

#[tokio::test]
async fn an_inserted_row_is_named() {
    let appended = "INSERT INTO ledger SELECT chain, 10, at, kind, campaign_id, contact_id, number, attempt_id, rule, body,
        hash, hash FROM ledger WHERE chain = 'a' AND seq = 9";
    let faults = found(appended).await;
    assert!(faults.contains(&(10, Problem::Inserted)), "{faults:?}");
    let scene = written().await;
    scene
        .run("UPDATE ledger SET seq = -seq - 1 WHERE chain = 'a' AND seq >= 5")
        .await;
    scene
        .run("UPDATE ledger SET seq = -seq WHERE seq < 0")
        .await;
    scene
        .run("INSERT INTO ledger SELECT chain, 5, at, kind, campaign_id, contact_id, number, attempt_id, rule, body,
              previous, hash FROM ledger WHERE chain = 'a' AND seq = 2")
        .await;
    let faults: Vec<(i64, Problem)> = scene
        .faults()
        .await
        .into_iter()
        .map(|(_, seq, problem)| (seq, problem))
        .collect();
    assert!(
        faults.contains(&(5, Problem::Moved { from: 2 })),
        "{faults:?}"
    );
    assert!(
        faults.contains(&(6, Problem::Moved { from: 5 })),
        "{faults:?}"
    );
    assert!(faults.contains(&(10, Problem::Inserted)), "{faults:?}");
}

#[tokio::test]
async fn an_altered_or_removed_head_is_named() {
    let altered =
        "UPDATE ledger_heads SET hash = set_bit(hash, 3, 1 - get_bit(hash, 3)) WHERE chain = 'a'";
    assert_eq!(found(altered).await, [(9, Problem::Head)]);
    let removed = "DELETE FROM ledger_heads WHERE chain = 'a'";
    assert_eq!(found(removed).await, [(9, Problem::NoHead)]);
}

#[tokio::test]
async fn a_chain_taken_away_with_its_head_is_missed_by_who_kept_the_head() {
    let scene = written().await;
    let kept = scene.store().ledger_heads(None).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!((kept[0].chain.as_str(), kept[0].seq), ("a", 9));
    let verified = scene.store().verify_ledger(None, &kept).await.unwrap();
    assert_eq!(verified.fault_count, 0);
    scene.run("DELETE FROM ledger WHERE chain = 'a'").await;
    scene
        .run("DELETE FROM ledger_heads WHERE chain = 'a'")
        .await;
    assert_eq!(
        scene.faults().await,
        [],
        "nothing in the database tells of it"
    );
    let verified = scene.store().verify_ledger(None, &kept).await.unwrap();
    assert_eq!(verified.faults[0].problem, Problem::Missing { to: 9 });
}

#[tokio::test]
async fn rows_are_exported_by_number_and_by_campaign_page_by_page() {
    let scene = written().await;
    let of = |subject| Which {
        subject,
        from: now(),
        to: after(now(), 60_000),
    };
    let number = of(Subject::Number(number(4)));
    let rows = scene
        .store()
        .ledger_records(&number, None, 100)
        .await
        .unwrap();
    let chains: Vec<&str> = rows.iter().map(|row| row.chain.as_str()).collect();
    assert_eq!(chains.len(), 2, "{chains:?}");
    let campaign = of(Subject::Campaign(CampaignId::new("a").unwrap()));
    let (mut seqs, mut page) = (Vec::new(), None);
    loop {
        let rows = scene
            .store()
            .ledger_records(&campaign, page.as_ref(), 4)
            .await
            .unwrap();
        let Some(last) = rows.last() else { break };
        page = Some(last.page());
        seqs.extend(rows.iter().map(|row| row.seq));
    }
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let later = Which {
        from: after(now(), 1_000),
        ..campaign
    };
    assert_eq!(
        scene.store().ledger_records(&later, None, 4).await.unwrap(),
        []
    );
}
