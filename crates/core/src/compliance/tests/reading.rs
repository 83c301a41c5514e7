use super::*;

const PACK: &str = r#"
id = "xx"
title = "Nowhere"
source = "nothing"
time_zone = "Europe/Paris"

[[versions]]
effective_from = 2024-01-01
effective_to = 2024-12-31
source = "nothing"
summary = "nothing"

[[versions.caps]]
name = "calls"
scope = "number"
limit = 3
hours = 24

[[versions]]
effective_from = 2025-01-01
source = "nothing"
summary = "nothing"

[[versions.windows]]
name = "hours"
closed_on = ["FR"]
week = { monday = ["10:00-13:00"] }
"#;

fn read(text: &str) -> Result<Packs, PackError> {
    let file = |path: &str, text: &str| SourceFile {
        path: path.to_owned(),
        text: text.to_owned().into(),
    };
    let holidays = include_str!("../../../../../compliance/holidays/fr.toml");
    Packs::read([
        file("etc/holidays/fr.toml", holidays),
        file("etc/xx.toml", text),
    ])
}

#[test]
fn a_pack_that_is_right_is_read() {
    let packs = read(PACK).unwrap();
    let pack = packs.get(&PackId::from("xx")).unwrap();
    assert_eq!(pack.versions[0].caps[0].name, "xx/calls");
    let day = |date: &str| {
        pack.version_on(date.parse().unwrap())
            .map(|v| v.effective_from.year())
    };
    assert_eq!(
        [day("2023-12-31"), day("2024-12-31"), day("2025-01-01")],
        [None, Some(2024), Some(2025)]
    );
}

#[test]
fn each_mistake_in_a_pack_names_the_file_the_version_and_the_key() {
    for (from, to, message) in [
        (
            "limit = 3",
            "limit = 0",
            "etc/xx.toml, version of 2024-01-01, caps calls: limit must be at least 1",
        ),
        (
            "hours = 24",
            "hours = 24\ndays = 1",
            "version of 2024-01-01, caps calls: give either hours",
        ),
        (
            "hours = 24",
            "",
            "version of 2024-01-01, caps calls: give either hours",
        ),
        (
            "[\"FR\"]",
            "[\"DE\"]",
            "version of 2025-01-01, windows hours closed_on: there is no calendar \"DE\"",
        ),
        (
            "effective_to = 2024-12-31",
            "effective_to = 2025-01-01",
            "version of 2024-01-01, effective_to: it must end before the version of 2025-01-01",
        ),
        (
            "effective_to = 2024-12-31",
            "",
            "version of 2024-01-01, effective_to: it must end before",
        ),
        (
            "effective_to = 2024-12-31",
            "effective_to = 2023-12-31",
            "version of 2024-01-01, effective_to: it is before effective_from",
        ),
        (
            "effective_from = 2025-01-01",
            "effective_from = 2025-01-01T10:00:00",
            "etc/xx.toml, versions effective_from: 2025-01-01T10:00:00 is not a date",
        ),
        (
            "Europe/Paris",
            "Europe/Pariss",
            "etc/xx.toml, time_zone: there is no time zone \"Europe/Pariss\"",
        ),
        (
            "id = \"xx\"",
            "id = \"strowger\"",
            "etc/xx.toml, id: \"strowger\" is kept",
        ),
        (
            "id = \"xx\"",
            "id = \"x/x\"",
            "etc/xx.toml, id: \"x/x\" is not a name",
        ),
        (
            "10:00-13:00",
            "13:00-10:00",
            "\"13:00-10:00\" is not a time span",
        ),
        (
            "[\"10:00-13:00\"]",
            "[\"10:00-13:00\", \"12:00-14:00\"]",
            "10:00-13:00 and 12:00-14:00 of one day overlap",
        ),
        ("scope = \"number\"", "scope = \"household\"", "household"),
        (
            "limit = 3",
            "limit = 3\nlimits = 3",
            "unknown field `limits`",
        ),
        (
            "time_zone",
            "applies_to = { prefixes = [\"1305\"] }\ntime_zone",
            "applies_to: \"1305\" is not a prefix",
        ),
        (
            "time_zone",
            "applies_to = { countries = [\"France\"] }\ntime_zone",
            "applies_to: \"France\" is not a country",
        ),
    ] {
        assert!(PACK.contains(from), "{from}");
        let error = read(&PACK.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with("etc/xx.toml"), "{error}");
        assert!(error.contains(message), "{message:?} is not in {error:?}");
    }
}

#[test]
fn a_mistake_in_the_grammar_names_its_line() {
    let error = read(&PACK.replace("limit = 3", "limit = three"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("line 16"), "{error}");
}

#[test]
fn each_mistake_in_a_calendar_names_the_holiday() {
    for (rule, message) in [
        ("fixed = { month = 2, day = 30 }", "no year has a day 2-30"),
        (
            "nth = { month = 13, weekday = \"monday\", n = 1 }",
            "nth needs a month",
        ),
        (
            "easter = 1\nfixed = { month = 1, day = 1 }",
            "exactly one of",
        ),
        ("", "exactly one of"),
    ] {
        let text = format!(
            "id = \"X\"\ntitle = \"x\"\nsource = \"x\"\n[[holidays]]\nname = \"Day\"\n{rule}\n"
        );
        let error = Calendar::parse("holidays/x.toml", &text)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("holidays/x.toml, holidays \"Day\": "),
            "{error}"
        );
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn the_schedule_of_a_campaign_is_read_as_strictly() {
    assert_eq!(
        serde_json::from_str::<OwnRules>("{}").unwrap(),
        OwnRules::default()
    );
    for text in [
        r#"{"window": {}}"#,
        r#"{"windows": {"moonday": []}}"#,
        r#"{"windows": {"monday": ["9-12"]}}"#,
        r#"{"caps": [{"scope": "number", "limit": 3}]}"#,
        r#"{"caps": [{"scope": "number", "limit": 0, "hours": 1}]}"#,
        r#"{"caps": [{"scope": "number", "limit": 1, "days": 367}]}"#,
    ] {
        assert!(serde_json::from_str::<OwnRules>(text).is_err(), "{text}");
    }
    let text = r#"{"windows":{"monday":["09:00-12:30"]},"closed_on":["FR"],"time_zone":"Europe/Paris","caps":[{"scope":"number","limit":3,"days":2}]}"#;
    let own: OwnRules = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&own).unwrap(), text);
    assert_eq!(own.validate(&PACKS), Ok(()));
    let wrong = OwnRules {
        closed_on: vec!["FR".to_owned(), "XX".to_owned()],
        time_zone: Some("Mars/Olympus".to_owned()),
        ..own
    };
    let wrong = wrong.validate(&PACKS).unwrap_err();
    let fields: Vec<&str> = wrong.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["time_zone", "closed_on[1]"]);
}

#[test]
fn attempts_are_looked_up_as_far_back_as_any_rule_counts() {
    // 61 calendar days of silence in France, and two for time zones.
    assert_eq!(PACKS.lookback(), jiff::SignedDuration::from_hours(63 * 24));
    let own: OwnRules =
        serde_json::from_str(r#"{"caps": [{"scope": "person", "limit": 9, "days": 90}]}"#).unwrap();
    assert_eq!(own.lookback(), jiff::SignedDuration::from_hours(92 * 24));
}

#[test]
fn what_happened_before_the_lookback_changes_no_decision() {
    let now = at("2026-09-01T11:00:00", "Europe/Paris");
    let mut case = Case::french();
    case.facts.of_number = (0..9)
        .map(|_| Past {
            refused: true,
            conversation: true,
            ..call(now - PACKS.lookback(), Activity::Solicitation)
        })
        .collect();
    assert_eq!(case.check(now).refusal, None);
}

#[test]
fn a_tally_says_how_many_contacts_a_day_blocks_and_by_which_rule() {
    let called = Case::french();
    let mut without = Case::french();
    without.facts.consents.clear();
    let mut tomorrow = Case::french();
    tomorrow.facts.of_number = vec![
        call(
            at("2026-07-13T19:00:00", "Europe/Paris"),
            Activity::Solicitation
        );
        4
    ];
    let cases = [&called, &without, &tomorrow];
    let of_day = |date: &str| {
        let contacts = cases.iter().map(|case| (&case.candidate, &case.facts));
        tally(
            &PACKS,
            &called.packs,
            &called.own,
            &called.purpose,
            date.parse().unwrap(),
            contacts,
        )
    };
    let tallied = |allowed, blocked: &[(&str, u64)]| Tally {
        allowed,
        blocked: blocked
            .iter()
            .map(|(rule, n)| ((*rule).to_owned(), *n))
            .collect(),
    };
    assert_eq!(
        of_day("2026-08-10"),
        tallied(2, &[("fr/calls-per-30-days", 1)])
    );
    assert_eq!(
        of_day("2026-08-11"),
        tallied(1, &[("fr/calls-per-30-days", 1), ("fr/consent", 1)])
    );
    assert_eq!(of_day("2026-08-12"), tallied(2, &[("fr/consent", 1)]));
    assert_eq!(
        of_day("2026-08-15"),
        tallied(0, &[("fr/calling-hours", 2), ("fr/consent", 1)])
    );
}

#[test]
fn the_examples_of_the_documentation_are_read() {
    let page = include_str!("../../../../../docs/COMPLIANCE.md");
    let blocks = |language: &str| -> Vec<&str> {
        page.split(&format!("```{language}\n"))
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect()
    };
    let [pack, calendar] = blocks("toml")[..] else {
        panic!("two examples");
    };
    read(pack).unwrap();
    Calendar::parse("holidays/xx.toml", calendar).unwrap();
    let [own] = blocks("json")[..] else {
        panic!("one example");
    };
    let own: OwnRules = serde_json::from_str(own).unwrap();
    assert_eq!(own.validate(&PACKS), Ok(()));
    // Every pack that is installed is on the page.
    for pack in PACKS.iter() {
        assert!(page.contains(&format!("| `{}` |", pack.id)), "{}", pack.id);
    }
}
