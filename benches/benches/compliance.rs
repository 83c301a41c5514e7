//! Deciding whether a number may be dialed, on one core: `cargo bench --bench compliance`.
//!
//! `check` gets its facts ready made: reading them out of the database is not measured.

use std::{hint::black_box, time::Duration};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strowger_core::{
    compliance::{
        Activity, Candidate, Channel, Consent, DncKind, DoNotCall, Facts, OwnRules, PackId, Packs,
        Past, Purpose, check,
    },
    ids::CampaignId,
    phone::PhoneNumber,
    time::{Timestamp, after},
};

/// A Thursday afternoon in Paris, the morning in New York and in Miami.
const NOW: &str = "2026-03-12T15:30:00Z";

const HOUR_MS: u64 = 3_600_000;

/// A call about to be placed, and what is known of it.
struct Case {
    packs: Vec<PackId>,
    purpose: Purpose,
    candidate: Candidate,
    facts: Facts,
}

impl Case {
    /// A person who consented and was called `calls` times, five hours apart, the last time
    /// some three days ago.
    fn new(packs: &[&str], activity: Activity, number: &str, calls: u64) -> Self {
        let begin: Timestamp = "2026-03-07T10:30:00Z".parse().expect("a moment");
        let past: Vec<Past> = (0..calls)
            .map(|call| Past {
                at: after(begin, call * 5 * HOUR_MS),
                activity,
                requested: false,
                placed: true,
                conversation: false,
                refused: false,
                abandoned: false,
            })
            .collect();
        let now: Timestamp = NOW.parse().expect("a moment");
        Self {
            packs: packs.iter().map(|id| PackId::from(*id)).collect(),
            purpose: Purpose {
                campaign: CampaignId::new("bench").expect("an id"),
                activity,
                channel: Channel::Voice,
                automated: true,
            },
            candidate: Candidate {
                number: PhoneNumber::try_from(number.to_owned()).expect("a number"),
                zones: Vec::new(),
                requested: false,
            },
            facts: Facts {
                of_number: past.clone(),
                of_person: past.clone(),
                of_debt: (activity == Activity::Collection).then_some(past),
                consents: vec![Consent {
                    id: uuid::Uuid::from_u128(1),
                    channel: Channel::Voice,
                    activity,
                    given: true,
                    at: "2026-01-05T09:00:00Z".parse().expect("a moment"),
                    expires_at: None,
                    source: "written".to_owned(),
                }],
                opt_outs: Vec::new(),
                do_not_call: Vec::new(),
                scrubbed: ["bloctel", "us-national-dnc", "uk-tps", "ca-dncl"]
                    .map(|list| (list.to_owned(), Some(now)))
                    .to_vec(),
            },
        }
    }

    fn on_a_list(mut self) -> Self {
        self.facts.do_not_call.push(DoNotCall {
            list: "internal".to_owned(),
            kind: DncKind::Internal,
            since: "2026-01-05T09:00:00Z".parse().expect("a moment"),
        });
        self
    }
}

fn compliance(criterion: &mut Criterion) {
    let packs = Packs::built_in().expect("the packs are readable");
    let now: Timestamp = NOW.parse().expect("a moment");
    let own = OwnRules::default();
    let france = |calls| Case::new(&["fr"], Activity::Solicitation, "+33142278186", calls);
    let cases = [
        ("France, allowed after 3 calls", france(3), true),
        ("France, on a list", france(3).on_a_list(), false),
        (
            "a debt in New York, allowed after 5 calls",
            Case::new(&["us-reg-f"], Activity::Collection, "+12125550123", 5),
            true,
        ),
        (
            "Florida and federal, allowed after 2 calls",
            Case::new(
                &["us-fl", "us-ftc"],
                Activity::Solicitation,
                "+13055550123",
                2,
            ),
            true,
        ),
    ];
    let mut group = criterion.benchmark_group("compliance");
    group.throughput(Throughput::Elements(1));
    group.measurement_time(Duration::from_secs(5));
    for (name, case, allowed) in &cases {
        let decide = || {
            check(
                &packs,
                &case.packs,
                &own,
                &case.purpose,
                black_box(&case.candidate),
                &case.facts,
                now,
            )
        };
        let verdict = decide();
        assert_eq!(verdict.refusal.is_none(), *allowed, "{name}: {verdict:?}");
        group.bench_function(*name, |bencher| bencher.iter(decide));
    }
    group.finish();
}

criterion_group!(benches, compliance);
criterion_main!(benches);
