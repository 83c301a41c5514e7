use super::*;

const NEW_YORK: &str = "America/New_York";

#[test]
fn the_window_opens_at_eight_on_both_nights_when_clocks_are_set() {
    let case = Case::debtor();
    // Forward on 8 March 2026, back on 1 November 2026; UTC is four, then five hours ahead.
    for (evening, opens) in [
        ("2026-03-07T22:00:00", "2026-03-08T12:00:00Z"),
        ("2026-10-31T22:00:00", "2026-11-01T13:00:00Z"),
    ] {
        let opens: Timestamp = opens.parse().unwrap();
        assert_eq!(
            opens,
            at(&format!("{}T08:00:00", opens.strftime("%F")), NEW_YORK)
        );
        case.refused_until("us-reg-f/calling-hours", at(evening, NEW_YORK), opens);
    }
    // Paris sets its clocks on other days.
    let case = Case::french();
    case.refused_until(
        "fr/calling-hours",
        at("2026-10-23T20:00:00", "Europe/Paris"),
        "2026-10-26T09:00:00Z".parse().unwrap(),
    );
}

#[test]
fn a_number_in_two_zones_is_called_when_it_is_day_in_both() {
    // 208 555: Boise or Los Angeles, an hour apart.
    let mut case = Case::debtor();
    case.candidate.number = PhoneNumber::try_from("+12085550123".to_owned()).unwrap();
    let boise = "America/Boise";
    let refusal = case.refusal(at("2026-09-01T08:30:00", boise));
    assert!(refusal.reason.contains("07:30"), "{}", refusal.reason);
    assert!(
        refusal.reason.contains("America/Los_Angeles"),
        "{}",
        refusal.reason
    );
    case.refused_until(
        "us-reg-f/calling-hours",
        at("2026-09-01T08:30:00", boise),
        at("2026-09-01T09:00:00", boise),
    );
    case.refused_until(
        "us-reg-f/calling-hours",
        at("2026-09-01T21:00:00", boise),
        at("2026-09-02T09:00:00", boise),
    );
    // The contact's own zone is stronger than what the number lets guess.
    case.candidate.zones = vec![boise.to_owned()];
    assert_eq!(case.refused("2026-09-01T08:30:00", boise), None);
}

#[test]
fn between_two_windows_of_a_day_nobody_is_called() {
    let case = Case::french();
    let paris = "Europe/Paris";
    assert_eq!(case.refused("2026-09-01T12:59:59.999", paris), None);
    case.refused_until(
        "fr/calling-hours",
        at("2026-09-01T13:00:00", paris),
        at("2026-09-01T14:00:00", paris),
    );
    let refusal = case.refusal(at("2026-09-01T13:00:00", paris));
    assert_eq!(
        refusal.reason,
        "It is 13:00 on Tuesday in Europe/Paris; calls are allowed at 10:00-13:00 and 14:00-20:00."
    );
}

#[test]
fn the_hours_of_all_packs_and_of_the_campaign_must_be_open_together() {
    let mut case = Case::debtor();
    case.own = serde_json::from_str(
        r#"{"windows": {"tuesday": ["06:00-09:00"], "thursday": ["20:30-23:00"]}, "closed_on": ["US-federal"]}"#,
    )
    .unwrap();
    assert_eq!(case.refused("2026-09-01T08:30:00", NEW_YORK), None);
    // Tuesday after nine is closed by the campaign; the packs close Thursday at nine.
    case.refused_until(
        "strowger/campaign-hours",
        at("2026-09-01T09:00:00", NEW_YORK),
        at("2026-09-03T20:30:00", NEW_YORK),
    );
    // From Tuesday, 24 November on: Thursday is Thanksgiving, so Tuesday it is, and the
    // packs open two hours after the campaign.
    let refusal = case.refusal(at("2026-11-24T09:00:00", NEW_YORK));
    assert_eq!(refusal.until, Some(at("2026-12-01T08:00:00", NEW_YORK)));
    assert_eq!(
        case.refused("2026-12-01T07:59:59", NEW_YORK).as_deref(),
        Some("us-reg-f/calling-hours")
    );
}

#[test]
fn windows_that_are_never_open_together_are_refused_for_good() {
    let mut case = Case::debtor();
    case.own = serde_json::from_str(r#"{"windows": {"tuesday": ["21:00-24:00"]}}"#).unwrap();
    let refusal = case.refusal(at("2026-09-01T09:00:00", NEW_YORK));
    assert_eq!(
        (refusal.rule.as_str(), refusal.until),
        ("strowger/campaign-hours", None)
    );
}

#[test]
fn the_hopper_asks_once_per_set_of_zones() {
    let case = Case::french();
    let open = |zones: &[&str], clock: &str| {
        let now = at(clock, "Europe/Paris");
        PACKS.window_open(&case.packs, &case.own, &case.purpose, zones, now)
    };
    assert_eq!(open(&["Europe/Paris"], "2026-09-01T12:00:00"), Ok(()));
    assert_eq!(
        open(&["Europe/Paris"], "2026-09-01T13:30:00"),
        Err(at("2026-09-01T14:00:00", "Europe/Paris"))
    );
    // The pack is none of Brussels' business.
    assert_eq!(open(&["Europe/Brussels"], "2026-09-01T13:30:00"), Ok(()));
    // 13:30 in Paris is 15:30 in Réunion; both at once are closed.
    assert_eq!(
        open(&["Europe/Paris", "Indian/Reunion"], "2026-09-01T13:30:00"),
        Err(at("2026-09-01T14:00:00", "Europe/Paris"))
    );
    // Where nothing is known the check decides, contact by contact.
    assert_eq!(open(&[], "2026-09-01T13:30:00"), Ok(()));
}

#[test]
fn hours_that_begin_while_clocks_are_set_forward_begin_when_they_are_set() {
    let week = r#"{"sunday": ["02:30-04:00"]}"#;
    let mut case = Case::new(&[], Activity::Service, "+12125550123");
    case.own.windows = Some(serde_json::from_str(week).unwrap());
    // At 02:00 it becomes 03:00.
    case.refused_until(
        "strowger/campaign-hours",
        at("2026-03-08T01:00:00", NEW_YORK),
        at("2026-03-08T03:00:00", NEW_YORK),
    );
    case.own.windows = Some(serde_json::from_str(r#"{"sunday": ["02:00-04:00"]}"#).unwrap());
    case.refused_until(
        "strowger/campaign-hours",
        at("2026-03-08T01:00:00", NEW_YORK),
        at("2026-03-08T03:00:00", NEW_YORK),
    );
    // Hours that the clock skips are not there at all.
    case.own.windows = Some(serde_json::from_str(r#"{"sunday": ["02:10-02:50"]}"#).unwrap());
    case.refused_until(
        "strowger/campaign-hours",
        at("2026-03-08T01:00:00", NEW_YORK),
        at("2026-03-15T02:10:00", NEW_YORK),
    );
}

#[test]
fn hours_that_the_clock_shows_twice_are_open_twice() {
    let mut case = Case::new(&[], Activity::Service, "+12125550123");
    case.own.windows = Some(serde_json::from_str(r#"{"sunday": ["00:30-01:30"]}"#).unwrap());
    // At 02:00 on 1 November 2026 it becomes 01:00 again: 06:00 UTC.
    case.refused_until(
        "strowger/campaign-hours",
        "2026-11-01T05:30:00Z".parse().unwrap(),
        "2026-11-01T06:00:00Z".parse().unwrap(),
    );
    case.own.windows = Some(serde_json::from_str(r#"{"sunday": ["01:15-01:30"]}"#).unwrap());
    case.refused_until(
        "strowger/campaign-hours",
        "2026-11-01T05:30:00Z".parse().unwrap(),
        "2026-11-01T06:15:00Z".parse().unwrap(),
    );
}

/// Every day of a year on which a calendar is closed in a zone.
fn days(calendar: &str, year: i16, zone: &str) -> Vec<String> {
    let calendar = PACKS.calendar(calendar).unwrap();
    jiff::civil::date(year, 1, 1)
        .series(jiff::Span::new().days(1))
        .take_while(|date| date.year() == year)
        .filter(|date| calendar.holiday(*date, zone).is_some())
        .map(|date| date.strftime("%m-%d").to_string())
        .collect()
}

#[test]
fn the_public_holidays_of_france_are_those_of_the_calendar() {
    // Easter: 2024-03-31, 2025-04-20, 2026-04-05, 2027-03-28, 2028-04-16.
    for (year, movable) in [
        (2024, ["04-01", "05-09", "05-20"]),
        (2025, ["04-21", "05-29", "06-09"]),
        (2026, ["04-06", "05-14", "05-25"]),
        (2027, ["03-29", "05-06", "05-17"]),
        (2028, ["04-17", "05-25", "06-05"]),
    ] {
        let mut expected = vec![
            "01-01", "05-01", "05-08", "07-14", "08-15", "11-01", "11-11", "12-25",
        ];
        expected.extend(movable);
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(days("FR", year, "Europe/Paris"), expected, "{year}");
    }
}

#[test]
fn the_bank_holidays_of_england_are_those_of_the_calendar() {
    for (year, expected) in [
        (
            2024,
            &[
                "01-01", "03-29", "04-01", "05-06", "05-27", "08-26", "12-25", "12-26",
            ][..],
        ),
        (
            2025,
            &[
                "01-01", "04-18", "04-21", "05-05", "05-26", "08-25", "12-25", "12-26",
            ],
        ),
        // Boxing Day is a Saturday: Monday the 28th stands in.
        (
            2026,
            &[
                "01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-26", "12-28",
            ],
        ),
        // Christmas is a Saturday: Monday and Tuesday stand in.
        (
            2027,
            &[
                "01-01", "03-26", "03-29", "05-03", "05-31", "08-30", "12-25", "12-26", "12-27",
                "12-28",
            ],
        ),
        // New Year is a Saturday: Monday the 3rd stands in.
        (
            2028,
            &[
                "01-01", "01-03", "04-14", "04-17", "05-01", "05-29", "08-28", "12-25", "12-26",
            ],
        ),
    ] {
        assert_eq!(days("GB", year, "Europe/London"), expected, "{year}");
    }
    // Christmas on a Sunday: Monday is Boxing Day, Tuesday stands in.
    assert_eq!(
        days("GB", 2022, "Europe/London").split_off(7),
        ["12-25", "12-26", "12-27"]
    );
}

#[test]
fn the_federal_holidays_of_the_united_states_are_those_of_the_calendar() {
    for (year, expected) in [
        (
            2024,
            &[
                "01-01", "01-15", "02-19", "05-27", "06-19", "07-04", "09-02", "10-14", "11-11",
                "11-28", "12-25",
            ][..],
        ),
        (
            2025,
            &[
                "01-01", "01-20", "02-17", "05-26", "06-19", "07-04", "09-01", "10-13", "11-11",
                "11-27", "12-25",
            ],
        ),
        (
            2026,
            &[
                "01-01", "01-19", "02-16", "05-25", "06-19", "07-03", "07-04", "09-07", "10-12",
                "11-11", "11-26", "12-25",
            ],
        ),
        // Juneteenth and Christmas are Saturdays, Independence Day a Sunday; New Year of
        // 2028 is a Saturday, kept in 2027.
        (
            2027,
            &[
                "01-01", "01-18", "02-15", "05-31", "06-18", "06-19", "07-04", "07-05", "09-06",
                "10-11", "11-11", "11-25", "12-24", "12-25", "12-31",
            ],
        ),
        (
            2028,
            &[
                "01-01", "01-17", "02-21", "05-29", "06-19", "07-04", "09-04", "10-09", "11-10",
                "11-11", "11-23", "12-25",
            ],
        ),
    ] {
        assert_eq!(days("US-federal", year, NEW_YORK), expected, "{year}");
    }
}

#[test]
fn the_general_holidays_of_canada_are_those_of_the_calendar() {
    for (year, expected) in [
        (
            2024,
            &[
                "01-01", "03-29", "05-20", "07-01", "09-02", "09-30", "10-14", "11-11", "12-25",
                "12-26",
            ][..],
        ),
        (
            2025,
            &[
                "01-01", "04-18", "05-19", "07-01", "09-01", "09-30", "10-13", "11-11", "12-25",
                "12-26",
            ],
        ),
        (
            2026,
            &[
                "01-01", "04-03", "05-18", "07-01", "09-07", "09-30", "10-12", "11-11", "12-25",
                "12-26", "12-28",
            ],
        ),
        (
            2027,
            &[
                "01-01", "03-26", "05-24", "07-01", "09-06", "09-30", "10-11", "11-11", "12-25",
                "12-26", "12-27", "12-28",
            ],
        ),
        (
            2028,
            &[
                "01-01", "01-03", "04-14", "05-22", "07-01", "07-03", "09-04", "09-30", "10-02",
                "10-09", "11-11", "11-13", "12-25", "12-26",
            ],
        ),
    ] {
        assert_eq!(days("CA", year, "America/Toronto"), expected, "{year}");
    }
}
