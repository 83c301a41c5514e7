use proptest::prelude::*;

use super::*;
use crate::time::after;

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::try_from(text.to_owned()).unwrap()
}

fn pool(numbers: &[&str]) -> Vec<CallerId> {
    numbers
        .iter()
        .map(|text| CallerId::new(number(text)))
        .collect()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-05-04T10:00:00Z")
}

fn shown(pool: &[CallerId], dialed: &str) -> String {
    choose(pool, &number(dialed), now())
        .unwrap()
        .number
        .to_string()
}

#[test]
fn the_most_local_number_is_shown() {
    let pool = pool(&[
        "+33142000001",
        "+33472000001",
        "+442071234567",
        "+12125550100",
    ]);
    assert_eq!(shown(&pool, "+33478123456"), "+33472000001");
    assert_eq!(shown(&pool, "+33145123456"), "+33142000001");
    assert_eq!(shown(&pool, "+442079460000"), "+442071234567");
}

#[test]
fn digits_in_common_across_countries_are_a_coincidence() {
    // +44 20… and +33 1…: the Frenchman gets the French number though "+4" and "+44" look alike.
    let pool = pool(&["+33142000001", "+48221234567"]);
    assert_eq!(shown(&pool, "+33221234567"), "+33142000001");
}

#[test]
fn a_country_comes_before_its_calling_code() {
    // Toronto 416 and New York 212 share +1; Vancouver is Canada too, whatever its digits.
    let pool = pool(&["+12124567890", "+14165550123"]);
    let choice = choose(&pool, &number("+12504567890"), now()).unwrap();
    assert_eq!(choice.number.to_string(), "+14165550123");
    assert!(choice.why.nearness.same_country);
}

#[test]
fn equals_take_turns() {
    let mut pool = pool(&["+33142000001", "+33142000002", "+33142000003"]);
    let dialed = number("+33145123456");
    let mut turns = |seconds: u64| {
        let at = after(now(), seconds * 1_000);
        take(&mut pool, &dialed, at).unwrap().number.to_string()
    };
    let first: Vec<String> = (0..6).map(&mut turns).collect();
    assert_eq!(first[..3], ["+33142000001", "+33142000002", "+33142000003"]);
    assert_eq!(first[3..], first[..3]);
}

#[test]
fn equals_take_turns_within_one_moment() {
    let mut pool = pool(&["+33142000001", "+33142000002", "+33142000003"]);
    let dialed = number("+33145123456");
    for _ in 0..30 {
        take(&mut pool, &dialed, now()).unwrap();
    }
    assert!(pool.iter().all(|caller| caller.dials == 10), "{pool:?}");
}

#[test]
fn a_number_that_rests_is_left_out() {
    let mut pool = pool(&["+33142000001", "+33472000001"]);
    pool[0].rested_until = Some(after(now(), 1));
    let choice = choose(&pool, &number("+33145123456"), now()).unwrap();
    assert_eq!(choice.number.to_string(), "+33472000001");
    assert_eq!(
        choice.why.to_string(),
        "same country, 0 leading digits in common; 1 resting left out"
    );
    pool[0].rested_until = Some(now());
    assert_eq!(
        shown(&pool, "+33145123456"),
        "+33142000001",
        "its rest is over"
    );
}

#[test]
fn when_all_rest_the_first_to_wake_is_shown_and_said_so() {
    let mut pool = pool(&["+33142000001", "+33472000001"]);
    pool[0].rested_until = Some(at("2026-05-06T00:00:00Z"));
    pool[1].rested_until = Some(at("2026-05-05T00:00:00Z"));
    let choice = choose(&pool, &number("+33145123456"), now()).unwrap();
    assert_eq!(choice.number.to_string(), "+33472000001");
    assert_eq!(choice.why.resting_until, Some(at("2026-05-05T00:00:00Z")));
    assert_eq!(
        choice.why.to_string(),
        "all 2 numbers of the pool rest; the rest of this one ends first, at 2026-05-05T00:00:00Z"
    );
}

#[test]
fn nobody_is_called_from_their_own_number() {
    let both = pool(&["+33142000001", "+33472000001"]);
    assert_eq!(shown(&both, "+33142000001"), "+33472000001");
    let own = pool(&["+33142000001"]);
    assert_eq!(choose(&own, &number("+33142000001"), now()), None);
    assert_eq!(choose(&[], &number("+33142000001"), now()), None);
}

#[test]
fn a_number_that_no_plan_knows_is_still_served() {
    let pool = pool(&["+33142000001", "+999123456"]);
    let choice = choose(&pool, &number("+999654321"), now()).unwrap();
    assert_eq!(
        choice.why.to_string(),
        "no number of the pool is of the same country; used longest ago of 2 equally local"
    );
}

proptest! {
    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_pool(
        digits in proptest::collection::btree_set(100_000_000..999_999_999_u32, 1..20),
        dialed in 100_000_000..999_999_999_u32,
        rotate in 0..20_usize,
    ) {
        let mut pool: Vec<CallerId> =
            digits.iter().map(|d| CallerId::new(number(&format!("+33{d}")))).collect();
        let dialed = number(&format!("+33{dialed}"));
        let choice = choose(&pool, &dialed, now());
        let len = pool.len();
        pool.rotate_left(rotate % len);
        prop_assert_eq!(&choose(&pool, &dialed, now()), &choice);
        let shared = |number: &PhoneNumber| {
            number.as_str().bytes().zip(dialed.as_str().bytes()).take_while(|(a, b)| a == b).count()
        };
        if let Some(choice) = choice {
            // The plan may give two numbers of +33 to different countries (overseas ranges).
            let same = |c: &CallerId| c.place.nearness(&Place::of(&dialed)).same_country == choice.why.nearness.same_country;
            for other in pool.iter().filter(|c| *c.number() != dialed && same(c)) {
                prop_assert!(shared(other.number()) <= shared(&choice.number));
            }
        }
    }
}
