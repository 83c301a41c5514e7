//! What holds for any hours, zones, moments and earlier calls.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;

/// Zones with clocks that are set by an hour, by half an hour, at midnight or never.
const ZONES: [&str; 8] = [
    "Europe/Paris",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Kolkata",
    "Pacific/Kiritimati",
];

fn hours() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::btree_set(0_u32..=96, 0..5).prop_map(|quarters| {
        let quarters: Vec<u32> = quarters.into_iter().collect();
        quarters
            .chunks_exact(2)
            .map(|pair| {
                let [from, until] = [pair[0] * 15, pair[1] * 15];
                format!(
                    "{:02}:{:02}-{:02}:{:02}",
                    from / 60,
                    from % 60,
                    until / 60,
                    until % 60
                )
            })
            .collect()
    })
}

fn week() -> impl Strategy<Value = Week> {
    proptest::collection::vec(hours(), 7).prop_map(|days| {
        let names = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        let days: serde_json::Map<_, _> = names
            .into_iter()
            .zip(days)
            .map(|(name, hours)| (name.to_owned(), hours.into()))
            .collect();
        serde_json::from_value(days.into()).unwrap()
    })
}

/// A moment near the nights on which clocks are set, in minutes and a second before them.
fn moment() -> impl Strategy<Value = Timestamp> {
    let day = proptest::sample::select(vec![
        "2026-03-08T00:00:00Z",
        "2026-03-29T00:00:00Z",
        "2026-04-04T12:00:00Z",
        "2026-04-24T00:00:00Z",
        "2026-10-03T12:00:00Z",
        "2026-10-25T00:00:00Z",
        "2026-10-29T12:00:00Z",
        "2026-11-01T00:00:00Z",
        "2026-07-14T00:00:00Z",
    ]);
    (day, -2_880_i64..2_880, 0_i64..2).prop_map(|(day, minutes, second)| {
        day.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(minutes * 60 - second)
    })
}

fn in_zones(zones: &[&str], own: OwnRules) -> Case {
    let mut case = Case::new(&[], Activity::Service, "+33142278186");
    case.candidate.zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
    case.own = own;
    case
}

fn zones() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(ZONES.to_vec(), 1..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// `until` is the first moment: nothing in between is allowed, and it is.
    #[test]
    fn windows_open_at_until_and_at_no_moment_before(
        week in week(),
        zones in zones(),
        now in moment(),
    ) {
        let own = OwnRules { windows: Some(week), closed_on: vec!["FR".to_owned()], ..OwnRules::default() };
        let case = in_zones(&zones, own);
        let Some(refusal) = case.check(now).refusal else { return Ok(()) };
        prop_assert_eq!(refusal.rule, "strowger/campaign-hours");
        let quarter = SignedDuration::from_mins(15);
        let most = now + SignedDuration::from_hours(24 * 3);
        let end = refusal.until.map_or(most, |until| until.min(most));
        if let Some(until) = refusal.until {
            prop_assert!(until > now);
            prop_assert_eq!(case.check(until).refusal, None);
            let before = until - SignedDuration::from_nanos(1);
            prop_assert!(case.check(before).refusal.is_some());
        }
        // Hours begin on quarters, and all zones here are whole quarters apart.
        let mut step = now;
        while step < end {
            prop_assert!(case.check(step).refusal.is_some(), "open at {} before {}", step, end);
            let next = step.as_second().div_euclid(900) * 900;
            step = Timestamp::from_second(next).unwrap() + quarter;
        }
    }

    /// The hopper's question and the decision agree.
    #[test]
    fn the_quick_question_answers_as_the_check(week in week(), zones in zones(), now in moment()) {
        let own = OwnRules { windows: Some(week), ..OwnRules::default() };
        let case = in_zones(&zones, own);
        let quick = PACKS.window_open(&case.packs, &case.own, &case.purpose, &zones, now);
        match case.check(now).refusal.map(|refusal| refusal.until) {
            None | Some(None) => prop_assert_eq!(quick, Ok(())),
            Some(Some(until)) => prop_assert_eq!(quick, Err(until)),
        }
    }

    /// A cap refuses exactly while it is full.
    #[test]
    fn a_cap_has_room_at_until_and_not_a_moment_before(
        ages in proptest::collection::vec(0_i64..10_000, 0..12),
        limit in 1_u32..6,
        by_days in any::<bool>(),
        zones in zones(),
        now in moment(),
    ) {
        let period = if by_days { "\"days\": 4" } else { "\"hours\": 72" };
        let own = serde_json::from_str(&format!(
            r#"{{"caps": [{{"scope": "number", "limit": {limit}, {period}}}]}}"#
        )).unwrap();
        let mut case = in_zones(&zones, own);
        case.facts.of_number = ages
            .iter()
            .map(|minutes| call(now - SignedDuration::from_mins(*minutes), Activity::Survey))
            .collect();
        if let Some(refusal) = case.check(now).refusal {
            prop_assert!(ages.len() >= usize::try_from(limit).unwrap());
            let until = refusal.until.unwrap();
            prop_assert!(until > now);
            prop_assert_eq!(case.check(until).refusal, None);
            let before = until - SignedDuration::from_nanos(1);
            prop_assert_eq!(case.check(before).refusal.map(|refusal| refusal.rule), Some(refusal.rule));
        } else {
            // Those of the last three days fill any of the two periods.
            let sure = ages.iter().filter(|minutes| **minutes < 3 * 1_440 - 90).count();
            prop_assert!(sure < usize::try_from(limit).unwrap());
        }
    }

    /// Whatever is in a file, it is read or refused.
    #[test]
    fn no_text_of_a_pack_panics(text in ".{0,200}", key in "[a-z_]{1,12}", value in "[-0-9a-z\":\\[\\]]{0,20}") {
        for text in [text, format!("{key} = {value}")] {
            for path in ["x.toml", "holidays/x.toml"] {
                let file = SourceFile { path: path.to_owned(), text: text.clone().into() };
                prop_assert!(Packs::read([file]).is_err());
            }
        }
    }
}
