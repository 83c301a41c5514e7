use serde_json::json;

use super::*;

/// A row that can be tampered with.
#[derive(Clone)]
struct Kept {
    seq: i64,
    at: Timestamp,
    number: String,
    rule: Option<String>,
    kind: String,
    attempt: Option<Uuid>,
    body: String,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

fn entry(place: i64) -> Entry {
    let decision = if place % 3 == 0 {
        Decision::Refusal(Refusal {
            rule: "own/cap".to_owned(),
            reason: "3 of 3".to_owned(),
            until: None,
        })
    } else {
        Decision::Dial(Dial {
            attempt: AttemptId(Uuid::from_u128(u128::from(place.unsigned_abs()))),
            ordinal: 1,
            caller_id: None,
            caller_id_why: "the campaign's own".to_owned(),
            trunk: TrunkId::new("carrier").unwrap(),
            server: ServerName::from("pbx"),
            agent: None,
        })
    };
    Entry {
        campaign: CampaignId::new("c").unwrap(),
        contact: ContactId::new(format!("contact-{place}")).unwrap(),
        number: PhoneNumber::try_from(format!("+3363998{place:04}")).unwrap(),
        at: Timestamp::from_second(1_800_000_000 + place).unwrap(),
        activity: Activity::Service,
        channel: Channel::Voice,
        automated: true,
        requested: false,
        zones: vec!["Europe/Paris".to_owned()],
        consulted: vec![Consulted {
            rule: "own/cap".to_owned(),
            value: "2 of 3".to_owned(),
        }],
        consent: None,
        packs: vec!["fr 2026-08-11".to_owned()],
        pacing: json!({ "lines": 3, "agents": 2 }),
        decision,
    }
}

fn chain(rows: i64) -> (Vec<Kept>, Head) {
    let mut previous = genesis("c");
    let kept = (1..=rows)
        .map(|seq| {
            let entry = entry(seq);
            let body = entry.body();
            let hash = row_hash(&previous, "c", seq, &body);
            let row = Kept {
                seq,
                at: entry.at,
                number: entry.number.to_string(),
                rule: entry.rule().map(str::to_owned),
                kind: entry.kind().to_owned(),
                attempt: entry.attempt().map(|id| id.0),
                body,
                previous: previous.0.to_vec(),
                hash: hash.0.to_vec(),
            };
            previous = hash;
            row
        })
        .collect();
    let head = Head {
        seq: rows,
        hash: previous.0.to_vec(),
    };
    (kept, head)
}

fn verify(rows: &[Kept], head: Option<Head>, anchor: Option<Anchor>) -> Vec<(i64, Problem)> {
    let mut verifier = Verifier::new("c", head, anchor);
    for row in rows {
        let contact: String = serde_json::from_str::<serde_json::Value>(&row.body)
            .map(|body| body["contact"].as_str().unwrap_or_default().to_owned())
            .unwrap_or_default();
        verifier.row(&Row {
            seq: row.seq,
            kind: &row.kind,
            at: row.at,
            campaign: "c",
            contact: &contact,
            number: &row.number,
            attempt: row.attempt,
            rule: row.rule.as_deref(),
            body: &row.body,
            previous: &row.previous,
            hash: &row.hash,
        });
    }
    let report = verifier.finish();
    assert_eq!(report.rows, rows.len() as u64);
    report
        .faults
        .into_iter()
        .map(|fault| (fault.seq, fault.problem))
        .collect()
}

#[test]
fn a_chain_as_it_was_written_has_no_fault() {
    for length in [0, 1, 2, 30] {
        let (rows, head) = chain(length);
        assert_eq!(verify(&rows, Some(head), None), [], "{length} rows");
    }
}

#[test]
fn every_flipped_bit_of_a_row_is_found_at_that_row() {
    let (rows, head) = chain(3);
    for place in 0..rows.len() {
        let seq = rows[place].seq;
        // A prime step: every bit of a byte has its turn.
        for bit in (0..8 * rows[place].body.len()).step_by(29) {
            let mut altered = rows.clone();
            let mut bytes = altered[place].body.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The database holds no text that is not UTF-8.
            let Ok(body) = String::from_utf8(bytes) else {
                continue;
            };
            altered[place].body = body;
            let found = verify(&altered, Some(head.clone()), None);
            assert_eq!(found, [(seq, Problem::Altered)], "bit {bit} of row {seq}");
        }
        for bit in 0..256 {
            let mut altered = rows.clone();
            altered[place].hash[bit / 8] ^= 1 << (bit % 8);
            let found = verify(&altered, Some(head.clone()), None);
            assert_eq!(
                found.first().map(|fault| fault.0),
                Some(seq),
                "hash bit {bit}"
            );
            let mut altered = rows.clone();
            altered[place].previous[bit / 8] ^= 1 << (bit % 8);
            let found = verify(&altered, Some(head.clone()), None);
            assert_eq!(found, [(seq, Problem::Column("previous"))]);
        }
    }
}

#[test]
fn a_column_that_differs_from_the_text_is_named() {
    let (rows, head) = chain(4);
    let found = |change: fn(&mut Kept)| {
        let mut altered = rows.clone();
        change(&mut altered[2]);
        verify(&altered, Some(head.clone()), None)
    };
    assert_eq!(
        found(|row| row.number = "+33639980000".to_owned()),
        [(3, Problem::Column("number"))]
    );
    assert_eq!(found(|row| row.rule = None), [(3, Problem::Column("rule"))]);
    assert_eq!(
        found(|row| row.kind = DIAL.to_owned()),
        [(3, Problem::Column("kind"))]
    );
    assert_eq!(
        found(|row| row.attempt = Some(Uuid::nil())),
        [(3, Problem::Column("attempt_id"))]
    );
    assert_eq!(
        found(|row| row.at = crate::time::after(row.at, 1)),
        [(3, Problem::Column("at"))]
    );
}

#[test]
fn rows_that_are_missing_are_named_wherever_they_stood() {
    let (rows, head) = chain(9);
    let without = |gone: std::ops::Range<usize>| {
        let mut left = rows.clone();
        left.drain(gone);
        verify(&left, Some(head.clone()), None)
    };
    assert_eq!(without(0..1), [(1, Problem::Missing { to: 1 })]);
    assert_eq!(without(3..5), [(4, Problem::Missing { to: 5 })]);
    assert_eq!(without(8..9), [(9, Problem::Missing { to: 9 })]);
    assert_eq!(without(0..9), [(1, Problem::Missing { to: 9 })]);
}

#[test]
fn rows_that_change_places_are_named_with_the_place_where_they_were_written() {
    let (mut rows, head) = chain(9);
    rows.swap(3, 5);
    rows[3].seq = 4;
    rows[5].seq = 6;
    let found = verify(&rows, Some(head), None);
    assert!(
        found.contains(&(4, Problem::Moved { from: 6 })),
        "{found:?}"
    );
    assert!(
        found.contains(&(6, Problem::Moved { from: 4 })),
        "{found:?}"
    );
}

#[test]
fn a_row_put_in_between_is_found_even_with_a_hash_of_its_own() {
    let (mut rows, head) = chain(6);
    let mut foreign = rows[1].clone();
    foreign.seq = 4;
    foreign.previous = rows[2].hash.clone();
    let previous = Hash(foreign.previous.clone().try_into().unwrap());
    foreign.hash = row_hash(&previous, "c", 4, &foreign.body).0.to_vec();
    for row in &mut rows[3..] {
        row.seq += 1;
    }
    rows.insert(3, foreign);
    let found = verify(&rows, Some(head), None);
    assert!(
        found.contains(&(5, Problem::Moved { from: 4 })),
        "{found:?}"
    );
    assert!(found.contains(&(7, Problem::Inserted)), "{found:?}");
}

#[test]
fn a_row_replaced_and_hashed_anew_does_not_fit_the_next_one() {
    let (mut rows, head) = chain(5);
    rows[2].body = rows[2].body.replace("2 of 3", "0 of 3");
    let previous = Hash(rows[2].previous.clone().try_into().unwrap());
    rows[2].hash = row_hash(&previous, "c", 3, &rows[2].body).0.to_vec();
    assert_eq!(
        verify(&rows, Some(head.clone()), None),
        [(4, Problem::Detached)]
    );
    // The last row has no next one: the head tells.
    let last = 4;
    let (mut rows, _) = chain(5);
    rows[last].body = rows[last].body.replace("2 of 3", "0 of 3");
    let previous = Hash(rows[last].previous.clone().try_into().unwrap());
    rows[last].hash = row_hash(&previous, "c", 5, &rows[last].body).0.to_vec();
    assert_eq!(verify(&rows, Some(head), None), [(5, Problem::Head)]);
}

#[test]
fn a_head_that_was_altered_or_removed_is_found() {
    let (rows, head) = chain(3);
    assert_eq!(verify(&rows, None, None), [(3, Problem::NoHead)]);
    let mut altered = head.clone();
    altered.hash[0] ^= 1;
    assert_eq!(verify(&rows, Some(altered), None), [(3, Problem::Head)]);
    let mut short = head;
    short.seq = 2;
    assert_eq!(verify(&rows, Some(short), None), [(3, Problem::Inserted)]);
}

#[test]
fn a_chain_rewritten_as_a_whole_differs_from_the_hash_kept_outside() {
    let (rows, head) = chain(5);
    let kept = Anchor {
        seq: 4,
        hash: Hash(rows[3].hash.clone().try_into().unwrap()),
    };
    assert_eq!(verify(&rows, Some(head), Some(kept)), []);
    // Somebody computes every hash again, and the head, after a change of the first row.
    let mut previous = genesis("c");
    let (mut rewritten, mut head) = chain(5);
    rewritten[0].body = rewritten[0].body.replace("2 of 3", "0 of 3");
    for row in &mut rewritten {
        row.previous = previous.0.to_vec();
        previous = row_hash(&previous, "c", row.seq, &row.body);
        row.hash = previous.0.to_vec();
    }
    head.hash = previous.0.to_vec();
    assert_eq!(verify(&rewritten, Some(head.clone()), None), []);
    assert_eq!(
        verify(&rewritten, Some(head), Some(kept)),
        [(4, Problem::Anchor)]
    );
    // Or removes everything.
    assert_eq!(
        verify(&[], None, Some(kept)),
        [(1, Problem::Missing { to: 4 })]
    );
}

#[test]
fn the_same_decision_gives_the_same_text_whatever_the_order_in_which_pacing_told_it() {
    let mut one = entry(1);
    let mut other = entry(1);
    one.pacing = json!({ "a": 1, "b": { "x": 1, "y": 2 } });
    other.pacing = serde_json::from_str(r#"{"b":{"y":2,"x":1},"a":1}"#).unwrap();
    assert_eq!(one.body(), other.body());
    assert!(one.body().starts_with(
        r#"{"kind":"dial","campaign":"c","contact":"contact-1","number":"+33639980001","attempt":"#
    ));
}

#[test]
fn a_hash_survives_its_text_form() {
    let hash = genesis("c");
    assert_eq!(hash.to_string().parse(), Ok(hash));
    for text in ["", "zz", &"é".repeat(32), &"g".repeat(64)] {
        assert!(text.parse::<Hash>().is_err());
    }
}

#[test]
fn chains_and_rows_do_not_share_hashes() {
    let previous = genesis("a");
    let hashes = [
        genesis("a"),
        genesis("b"),
        row_hash(&previous, "a", 1, "x"),
        row_hash(&previous, "a", 2, "x"),
        row_hash(&previous, "ax", 1, ""),
        row_hash(&previous, "a", 1, "y"),
    ];
    for (place, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..place].contains(hash), "hash {place}");
    }
}
