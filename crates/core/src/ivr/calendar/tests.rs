use serde_json::{Value, json};

use super::*;

fn calendar(zone: &str, events: Value) -> CalendarContent {
    CalendarContent {
        timezone: zone.to_owned(),
        events: serde_json::from_value(events).unwrap(),
        ..CalendarContent::default()
    }
}

fn at(calendar: &CalendarContent, now: &str) -> String {
    let now = now.parse().unwrap();
    evaluate(calendar, now).unwrap().to_string()
}

fn weekly(id: &str, days: &[&str], start: &str, end: &str) -> Value {
    json!({ "id": id, "name": id, "eventType": "open", "isRecurring": true, "allDay": false,
            "days": days, "startTime": start, "endTime": end,
            "startDate": "2024-01-01", "endDate": "2024-01-01" })
}

fn dates(id: &str, first: &str, last: &str, hours: Option<(&str, &str)>) -> Value {
    let (start, end) = hours.unwrap_or(("09:00", "17:00"));
    json!({ "id": id, "name": id, "eventType": "closed", "isRecurring": false,
            "allDay": hours.is_none(), "days": [], "startTime": start, "endTime": end,
            "startDate": first, "endDate": last })
}

const WORKDAYS: [&str; 5] = ["mon", "tue", "wed", "thu", "fri"];

#[test]
fn office_hours_are_those_of_the_zone_of_the_node() {
    let hours = |zone| calendar(zone, json!([weekly("open", &WORKDAYS, "09:00", "17:00")]));
    // Wednesday, 13:30 in London, 14:30 in Paris, 08:30 in New York.
    let now = "2026-01-14T13:30:00Z";
    assert_eq!(at(&hours("Europe/Paris"), now), "open");
    assert_eq!(at(&hours("Europe/London"), now), "open");
    assert_eq!(at(&hours("America/New_York"), now), "out-default");
    assert_eq!(
        at(&hours("America/New_York"), "2026-01-14T14:00:00Z"),
        "open"
    );
}

#[test]
fn the_start_is_included_and_the_end_is_not() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("open", &WORKDAYS, "09:00", "17:00")]),
    );
    assert_eq!(at(&paris, "2026-01-14T07:59:59.999Z"), "out-default");
    assert_eq!(at(&paris, "2026-01-14T08:00:00Z"), "open");
    assert_eq!(at(&paris, "2026-01-14T15:59:59.999Z"), "open");
    assert_eq!(at(&paris, "2026-01-14T16:00:00Z"), "out-default");
    assert_eq!(
        at(&paris, "2026-01-17T10:00:00Z"),
        "out-default",
        "a Saturday"
    );
}

#[test]
fn summer_time_moves_the_hours_with_the_clock_on_the_wall() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("open", &WORKDAYS, "09:00", "17:00")]),
    );
    assert_eq!(at(&paris, "2026-07-15T07:00:00Z"), "open");
    assert_eq!(at(&paris, "2026-07-15T15:00:00Z"), "out-default");
}

#[test]
fn the_first_matching_event_decides() {
    let paris = calendar(
        "Europe/Paris",
        json!([
            dates("christmas", "2026-12-24", "2026-12-26", None),
            weekly("open", &WORKDAYS, "09:00", "17:00"),
        ]),
    );
    assert_eq!(at(&paris, "2026-12-23T10:00:00Z"), "open");
    assert_eq!(
        at(&paris, "2026-12-23T23:00:00Z"),
        "christmas",
        "midnight in Paris"
    );
    assert_eq!(
        at(&paris, "2026-12-26T22:59:59Z"),
        "christmas",
        "the last date is included"
    );
    assert_eq!(at(&paris, "2026-12-28T10:00:00Z"), "open");
}

#[test]
fn hours_apply_to_each_day_between_two_dates() {
    let event = dates("fair", "2026-05-04", "2026-05-05", Some(("10:00", "12:00")));
    let paris = calendar("Europe/Paris", json!([event]));
    assert_eq!(at(&paris, "2026-05-04T09:00:00Z"), "fair");
    assert_eq!(at(&paris, "2026-05-04T18:00:00Z"), "out-default");
    assert_eq!(at(&paris, "2026-05-05T09:59:59Z"), "fair");
    assert_eq!(at(&paris, "2026-05-06T09:00:00Z"), "out-default");
}

#[test]
fn a_single_day_needs_no_end_date() {
    let mut event = dates("day", "2026-05-04", "", None);
    let paris = calendar("Europe/Paris", json!([event.clone()]));
    assert_eq!(at(&paris, "2026-05-04T12:00:00Z"), "day");
    assert_eq!(at(&paris, "2026-05-05T12:00:00Z"), "out-default");
    event["endDate"] = Value::Null;
    assert_eq!(
        at(
            &calendar("Europe/Paris", json!([event])),
            "2026-05-04T12:00:00Z"
        ),
        "day"
    );
}

#[test]
fn a_night_belongs_to_the_day_on_which_it_begins() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("night", &["fri"], "22:00", "06:00")]),
    );
    assert_eq!(at(&paris, "2026-01-16T20:59:59Z"), "out-default");
    assert_eq!(at(&paris, "2026-01-16T21:00:00Z"), "night", "Friday 22:00");
    assert_eq!(
        at(&paris, "2026-01-17T04:59:59Z"),
        "night",
        "Saturday 05:59"
    );
    assert_eq!(at(&paris, "2026-01-17T05:00:00Z"), "out-default");
    assert_eq!(
        at(&paris, "2026-01-17T21:30:00Z"),
        "out-default",
        "Saturday evening"
    );
    assert_eq!(
        at(&paris, "2026-01-16T03:00:00Z"),
        "out-default",
        "Friday morning"
    );
}

#[test]
fn a_night_reaches_beyond_the_last_date() {
    let event = dates(
        "works",
        "2026-05-04",
        "2026-05-04",
        Some(("22:00", "06:00")),
    );
    let paris = calendar("Europe/Paris", json!([event]));
    assert_eq!(at(&paris, "2026-05-05T03:59:59Z"), "works");
    assert_eq!(at(&paris, "2026-05-05T04:00:00Z"), "out-default");
    assert_eq!(at(&paris, "2026-05-05T20:30:00Z"), "out-default");
}

#[test]
fn the_last_minute_of_the_day_belongs_to_it() {
    for end in ["23:59", "24:00", "00:00"] {
        let utc = calendar("UTC", json!([weekly("evening", &["mon"], "18:00", end)]));
        assert_eq!(at(&utc, "2026-01-12T23:59:59Z"), "evening", "{end}");
        assert_eq!(at(&utc, "2026-01-13T00:00:00Z"), "out-default", "{end}");
    }
}

#[test]
fn a_recurring_event_may_last_all_day() {
    let mut event = weekly("sunday", &["sun"], "", "");
    event["allDay"] = json!(true);
    let tokyo = calendar("Asia/Tokyo", json!([event]));
    assert_eq!(
        at(&tokyo, "2026-01-17T15:00:00Z"),
        "sunday",
        "00:00 in Tokyo"
    );
    assert_eq!(at(&tokyo, "2026-01-18T14:59:59Z"), "sunday");
    assert_eq!(at(&tokyo, "2026-01-18T15:00:00Z"), "out-default");
}

// 2026-03-29: at 01:00 UTC the clock in Paris goes from 02:00 to 03:00.

#[test]
fn a_night_over_the_skipped_hour_ends_by_the_clock_on_the_wall() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("night", &["sat"], "22:00", "06:00")]),
    );
    assert_eq!(at(&paris, "2026-03-28T21:00:00Z"), "night");
    assert_eq!(at(&paris, "2026-03-29T01:00:00Z"), "night");
    assert_eq!(
        at(&paris, "2026-03-29T03:59:59Z"),
        "night",
        "05:59 summer time"
    );
    assert_eq!(at(&paris, "2026-03-29T04:00:00Z"), "out-default");
}

#[test]
fn an_event_that_begins_in_the_skipped_hour_begins_at_the_change() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("early", &["sun"], "02:30", "03:15")]),
    );
    assert_eq!(at(&paris, "2026-03-29T00:59:59Z"), "out-default");
    assert_eq!(
        at(&paris, "2026-03-29T01:00:00Z"),
        "early",
        "03:00, there was no 02:30"
    );
    assert_eq!(at(&paris, "2026-03-29T01:14:59Z"), "early");
    assert_eq!(at(&paris, "2026-03-29T01:15:00Z"), "out-default");
}

#[test]
fn an_event_within_the_skipped_hour_does_not_happen_that_night() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("gone", &["sun"], "02:15", "02:45")]),
    );
    for now in ["00:59:59", "01:00:00", "01:20:00", "01:45:00"] {
        assert_eq!(
            at(&paris, &format!("2026-03-29T{now}Z")),
            "out-default",
            "{now}"
        );
    }
    assert_eq!(
        at(&paris, "2026-04-05T00:20:00Z"),
        "gone",
        "a week later it does"
    );
}

// 2026-10-25: at 01:00 UTC the clock in Paris goes from 03:00 back to 02:00.

#[test]
fn an_event_in_the_repeated_hour_happens_once() {
    let paris = calendar(
        "Europe/Paris",
        json!([weekly("half", &["sun"], "02:00", "02:30")]),
    );
    assert_eq!(
        at(&paris, "2026-10-25T00:00:00Z"),
        "half",
        "02:00 summer time"
    );
    assert_eq!(at(&paris, "2026-10-25T00:29:59Z"), "half");
    assert_eq!(at(&paris, "2026-10-25T00:30:00Z"), "out-default");
    assert_eq!(
        at(&paris, "2026-10-25T01:00:00Z"),
        "out-default",
        "02:00 winter time"
    );
    assert_eq!(at(&paris, "2026-10-25T01:29:59Z"), "out-default");
}

#[test]
fn two_events_that_meet_in_the_repeated_hour_leave_no_gap() {
    let paris = calendar(
        "Europe/Paris",
        json!([
            weekly("before", &["sat"], "22:00", "02:30"),
            weekly("after", &["sun"], "02:30", "05:00"),
        ]),
    );
    assert_eq!(at(&paris, "2026-10-25T00:29:59Z"), "before");
    for now in ["00:30:00", "01:00:00", "01:15:00", "01:30:00", "03:59:59"] {
        assert_eq!(at(&paris, &format!("2026-10-25T{now}Z")), "after", "{now}");
    }
    assert_eq!(at(&paris, "2026-10-25T04:00:00Z"), "out-default");
}

#[test]
fn the_day_of_the_change_is_whole() {
    let event = dates("day", "2026-10-25", "2026-10-25", None);
    let paris = calendar("Europe/Paris", json!([event]));
    assert_eq!(at(&paris, "2026-10-24T21:59:59Z"), "out-default");
    assert_eq!(at(&paris, "2026-10-24T22:00:00Z"), "day");
    assert_eq!(at(&paris, "2026-10-25T22:59:59Z"), "day", "25 hours later");
    assert_eq!(at(&paris, "2026-10-25T23:00:00Z"), "out-default");
}

#[test]
fn a_change_at_midnight_neither_loses_nor_doubles_a_day() {
    // São Paulo went from Saturday 24:00 to Sunday 01:00 on 2018-11-04 (03:00 UTC), and from
    // Saturday 24:00 back to 23:00 on 2019-02-17 (02:00 UTC).
    let sao = calendar(
        "America/Sao_Paulo",
        json!([
            dates("spring-saturday", "2018-11-03", "2018-11-03", None),
            dates("spring-sunday", "2018-11-04", "2018-11-04", None),
            dates("autumn-saturday", "2019-02-16", "2019-02-16", None),
            dates("autumn-sunday", "2019-02-17", "2019-02-17", None),
        ]),
    );
    assert_eq!(at(&sao, "2018-11-04T02:59:59Z"), "spring-saturday");
    assert_eq!(at(&sao, "2018-11-04T03:00:00Z"), "spring-sunday");
    assert_eq!(at(&sao, "2019-02-17T01:59:59Z"), "autumn-saturday");
    assert_eq!(
        at(&sao, "2019-02-17T02:30:00Z"),
        "autumn-saturday",
        "23:30 again"
    );
    assert_eq!(at(&sao, "2019-02-17T03:00:00Z"), "autumn-sunday");
}

#[test]
fn half_hour_changes_and_skipped_days_are_known() {
    // Lord Howe moves by 30 minutes: 02:00 to 02:30 on 2026-10-04 (15:30 UTC the day before).
    let howe = calendar(
        "Australia/Lord_Howe",
        json!([weekly("e", &["sun"], "02:15", "03:00")]),
    );
    assert_eq!(at(&howe, "2026-10-03T15:29:59Z"), "out-default");
    assert_eq!(at(&howe, "2026-10-03T15:30:00Z"), "e", "02:30");
    assert_eq!(at(&howe, "2026-10-03T16:00:00Z"), "out-default", "03:00");
    // Samoa had no 30 December 2011.
    let apia = calendar(
        "Pacific/Apia",
        json!([
            dates("never", "2011-12-30", "2011-12-30", None),
            weekly("sat", &["sat"], "00:00", "23:59")
        ]),
    );
    assert_eq!(at(&apia, "2011-12-30T09:59:59Z"), "out-default");
    assert_eq!(at(&apia, "2011-12-30T10:00:00Z"), "sat");
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let utc = calendar(
        "Pacific/Kiritimati",
        json!([
            weekly(
                "night",
                &["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                "22:00",
                "21:59"
            ),
            dates("end", "9999-12-30", "9999-12-31", None),
        ]),
    );
    for now in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
        evaluate(&utc, now).unwrap();
    }
}

#[test]
fn an_unknown_zone_is_an_error() {
    for zone in ["", "Europe/Atlantis", "../../etc/passwd"] {
        let error = evaluate(&calendar(zone, json!([])), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error, CalendarError::UnknownTimezone(zone.to_owned()));
    }
}

#[test]
fn every_broken_event_is_named_with_what_is_wrong() {
    let cases = [
        (weekly("", &["mon"], "09:00", "17:00"), EventProblem::NoId),
        (
            weekly("e", &["Mon"], "09:00", "17:00"),
            EventProblem::Day("Mon".to_owned()),
        ),
        (
            weekly("e", &["mon"], "9:00", "17:00"),
            EventProblem::Time {
                which: "start",
                value: "9:00".to_owned(),
            },
        ),
        (
            weekly("e", &["mon"], "09:00", "25:00"),
            EventProblem::Time {
                which: "end",
                value: "25:00".to_owned(),
            },
        ),
        (
            weekly("e", &["mon"], "09:00", "09:00"),
            EventProblem::NoDuration,
        ),
        (
            dates("e", "2026-02-30", "2026-03-01", None),
            EventProblem::Date {
                which: "start",
                value: "2026-02-30".to_owned(),
            },
        ),
        (
            dates("e", "2026-02-03", "03/02/2026", None),
            EventProblem::Date {
                which: "end",
                value: "03/02/2026".to_owned(),
            },
        ),
        (
            dates("e", "2026-02-03", "2026-02-02", None),
            EventProblem::DatesReversed,
        ),
    ];
    for (event, expected) in cases {
        let content = calendar("UTC", json!([event]));
        match evaluate(&content, Timestamp::UNIX_EPOCH) {
            Err(CalendarError::Event { problem, .. }) => assert_eq!(problem, expected),
            other => panic!("{expected:?} expected, got {other:?}"),
        }
    }
}
