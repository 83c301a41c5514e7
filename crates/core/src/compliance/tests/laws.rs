use super::*;

const PARIS: &str = "Europe/Paris";
const NEW_YORK: &str = "America/New_York";

#[test]
fn consent_is_required_in_france_from_midnight_in_paris_on() {
    let mut case = Case::french();
    case.facts.consents.clear();
    // The evening before, at 20:00 in Réunion, it is 18:00 in Paris: the windows of the old
    // version, in which no consent is needed, decide.
    assert_eq!(case.refused("2026-08-10T19:59:59", PARIS), None);
    let last = at("2026-08-10T23:59:59.999999999", PARIS);
    assert_eq!(case.refusal(last).rule, "fr/calling-hours");
    let first = case.refusal(at("2026-08-11T00:00:00", PARIS));
    assert_eq!(first.rule, "fr/consent");
    assert_eq!(first.until, None);
    assert!(first.reason.contains("No consent"), "{}", first.reason);
    // Whoever consented is called the next morning.
    Case::french().refused_until("fr/calling-hours", last, at("2026-08-11T10:00:00", PARIS));
}

#[test]
fn the_switch_is_at_midnight_of_the_pack_not_of_the_contact() {
    let mut case = Case::french();
    case.facts.consents.clear();
    case.candidate.number = PhoneNumber::try_from("+262262123456".to_owned()).unwrap();
    // 01:30 on the 11th in Réunion is 23:30 on the 10th in Paris.
    assert_eq!(
        case.refused("2026-08-11T01:30:00", "Indian/Reunion")
            .as_deref(),
        Some("fr/calling-hours")
    );
    assert_eq!(
        case.refused("2026-08-11T02:00:00", "Indian/Reunion")
            .as_deref(),
        Some("fr/consent")
    );
}

#[test]
fn the_verdict_names_the_version_and_the_consent_it_rests_on() {
    let verdict = Case::french().check(at("2026-08-11T10:00:00", PARIS));
    assert_eq!(verdict.refusal, None);
    let value = |rule: &str| {
        let found = verdict.consulted.iter().find(|seen| seen.rule == rule);
        found
            .unwrap_or_else(|| panic!("{rule} was not consulted"))
            .value
            .clone()
    };
    assert_eq!(value("fr"), "version of 2026-08-11");
    assert_eq!(
        value("fr/consent"),
        "given on 2023-01-01T00:00:00Z, consent 00000000-0000-0000-0000-000000000001"
    );
    assert_eq!(value("fr/calling-hours"), "10:00 in Europe/Paris");
    assert_eq!(
        value("fr/calls-per-30-days"),
        "0 of 4 since 2026-07-12T22:00:00Z"
    );
    assert_eq!(value("strowger/opt-out"), "none");
}

#[test]
fn a_consent_that_was_taken_back_is_none() {
    let mut case = Case::french();
    case.consent("2026-09-01T12:00:00Z", false, "call recording");
    assert_eq!(case.refused("2026-08-31T11:00:00", PARIS), None);
    let refusal = case.refusal(at("2026-09-02T11:00:00", PARIS));
    assert_eq!((refusal.rule.as_str(), refusal.until), ("fr/consent", None));
    assert!(
        refusal
            .reason
            .contains("took the consent back on 2026-09-01"),
        "{}",
        refusal.reason
    );
    // The latest statement wins.
    case.consent("2026-09-03T12:00:00Z", true, "form");
    assert_eq!(case.refused("2026-09-04T11:00:00", PARIS), None);
    // Of two at one moment, that which takes back.
    case.consent("2026-09-03T12:00:00Z", false, "form");
    assert!(case.refused("2026-09-04T11:00:00", PARIS).is_some());
}

#[test]
fn a_consent_that_ended_is_none() {
    let mut case = Case::french();
    case.facts.consents[0].expires_at = Some(at("2026-09-01T12:00:00", PARIS));
    assert_eq!(case.refused("2026-09-01T11:59:59", PARIS), None);
    let refusal = case.refusal(at("2026-09-01T14:00:00", PARIS));
    assert_eq!(refusal.rule, "fr/consent");
    assert!(
        refusal.reason.contains("ended on 2026-09-01"),
        "{}",
        refusal.reason
    );
}

#[test]
fn a_contract_does_instead_of_a_consent_until_the_person_objects() {
    let mut case = Case::french();
    case.facts.consents.clear();
    case.consent("2025-01-01T00:00:00Z", true, CONTRACT);
    case.facts.consents[0].activity = Activity::Service;
    assert_eq!(case.refused("2026-09-01T11:00:00", PARIS), None);
    // A service statement that is no contract does not.
    case.facts.consents[0].source = "form".to_owned();
    assert_eq!(
        case.refused("2026-09-01T11:00:00", PARIS).as_deref(),
        Some("fr/consent")
    );
    case.facts.consents[0].source = CONTRACT.to_owned();
    case.consent("2026-08-31T00:00:00Z", false, "call recording");
    assert_eq!(
        case.refused("2026-09-01T11:00:00", PARIS).as_deref(),
        Some("fr/consent")
    );
}

#[test]
fn a_consent_holds_for_its_channel_and_its_activity_only() {
    let now = at("2026-09-01T11:00:00", PARIS);
    for change in [
        (|consent: &mut Consent| consent.channel = Channel::Sms) as fn(&mut Consent),
        |consent| consent.activity = Activity::Survey,
    ] {
        let mut case = Case::french();
        change(&mut case.facts.consents[0]);
        assert_eq!(case.refusal(now).rule, "fr/consent");
    }
}

#[test]
fn service_calls_are_not_solicitation() {
    let mut case = Case::french();
    case.facts.consents.clear();
    case.purpose.activity = Activity::Service;
    assert_eq!(case.refused("2026-09-06T22:00:00", PARIS), None);
}

#[test]
fn nobody_is_called_in_france_on_a_public_holiday() {
    let case = Case::french();
    // Wednesday, 11 November; the next morning is a Thursday.
    let refusal = case.refusal(at("2026-11-11T11:00:00", PARIS));
    assert_eq!(refusal.rule, "fr/calling-hours");
    assert!(
        refusal.reason.contains("Armistice Day"),
        "{}",
        refusal.reason
    );
    case.refused_until(
        "fr/calling-hours",
        at("2026-11-11T11:00:00", PARIS),
        at("2026-11-12T10:00:00", PARIS),
    );
    // Good: Friday 24 December 2027, evening; then Christmas is a Saturday, and Monday opens.
    case.refused_until(
        "fr/calling-hours",
        at("2027-12-24T20:00:00", PARIS),
        at("2027-12-27T10:00:00", PARIS),
    );
}

#[test]
fn a_holiday_of_one_island_closes_that_island() {
    let mut case = Case::french();
    case.candidate.zones = vec!["Indian/Reunion".to_owned()];
    assert_eq!(
        case.refused("2027-12-20T11:00:00", "Indian/Reunion")
            .as_deref(),
        Some("fr/calling-hours")
    );
    assert_eq!(Case::french().refused("2027-12-20T11:00:00", PARIS), None);
}

#[test]
fn four_calls_in_thirty_calendar_days_and_no_fifth() {
    let mut case = Case::french();
    case.facts.of_number = [
        "2026-09-01T19:30:00",
        "2026-09-08T10:00:00",
        "2026-09-15T10:00:00",
    ]
    .map(|clock| call(at(clock, PARIS), Activity::Solicitation))
    .to_vec();
    let now = at("2026-09-22T11:00:00", PARIS);
    assert_eq!(case.check(now).refusal, None);
    case.facts.of_number.push(call(
        at("2026-09-16T10:00:00", PARIS),
        Activity::Solicitation,
    ));
    // The 1st of September is the first day, the 30th the last; the window opens at 10:00.
    case.refused_until_next_day("fr/calls-per-30-days", now);
    // Calls for another purpose do not count.
    case.facts.of_number[0].activity = Activity::Service;
    assert_eq!(case.check(now).refusal, None);
}

impl Case {
    #[track_caller]
    fn refused_until_next_day(&self, rule: &str, now: Timestamp) {
        let refusal = self.refusal(now);
        assert_eq!(refusal.rule, rule);
        let until = at("2026-10-01T10:00:00", PARIS);
        assert_eq!(refusal.until, Some(until));
        assert_eq!(self.check(until).refusal, None);
        assert_eq!(
            self.refused("2026-09-30T19:59:00", PARIS).as_deref(),
            Some(rule)
        );
    }
}

#[test]
fn sixty_whole_days_pass_after_a_refusal() {
    let mut case = Case::french();
    let mut past = call(at("2026-09-01T11:00:00", PARIS), Activity::Solicitation);
    past.refused = true;
    case.facts.of_number.push(past);
    let refusal = case.refusal(at("2026-09-02T11:00:00", PARIS));
    assert_eq!(refusal.rule, "fr/60-days-after-refusal");
    // Sixty days after the 1st of September come to their end with the 31st of October, a
    // Saturday; Sunday is All Saints'.
    assert_eq!(refusal.until, Some(at("2026-11-02T10:00:00", PARIS)));
    assert_eq!(
        case.refused("2026-10-30T19:00:00", PARIS).as_deref(),
        Some("fr/60-days-after-refusal")
    );
}

#[test]
fn bloctel_is_asked_until_it_ends() {
    let mut case = Case::french();
    case.facts.do_not_call.push(DoNotCall {
        list: "bloctel".to_owned(),
        kind: DncKind::Imported,
        since: at("2024-01-01T00:00:00", PARIS),
    });
    let refusal = case.refusal(at("2026-08-10T11:00:00", PARIS));
    assert_eq!(refusal.rule, "fr/bloctel");
    // With the next version it may be asked again.
    assert_eq!(refusal.until, Some(at("2026-08-11T10:00:00", PARIS)));
    assert_eq!(case.refused("2026-08-11T11:00:00", PARIS), None);
    // A contract is stronger.
    case.consent("2024-02-01T00:00:00Z", true, CONTRACT);
    assert_eq!(case.refused("2026-08-10T11:00:00", PARIS), None);
}

#[test]
fn a_register_that_is_too_old_stops_every_call() {
    let mut case = Case::new(&["us-ftc"], Activity::Solicitation, "+12125550123");
    let now = at("2026-09-01T11:00:00", NEW_YORK);
    let mut updated = |at: Option<Timestamp>| {
        case.facts.scrubbed = vec![("us-national-dnc".to_owned(), at)];
        case.check(now).refusal
    };
    let days = |days: i64| now - jiff::SignedDuration::from_hours(days * 24);
    assert_eq!(updated(Some(days(31))), None);
    let refusal = updated(Some(days(31) - jiff::SignedDuration::from_secs(1))).unwrap();
    assert_eq!(
        (refusal.rule.as_str(), refusal.until),
        ("us-ftc/national-dnc", None)
    );
    assert!(
        refusal.reason.contains("not be older than 31 days"),
        "{}",
        refusal.reason
    );
    assert!(updated(None).unwrap().reason.contains("never imported"));
}

#[test]
fn a_fourth_call_to_a_floridian_waits_until_24_hours_after_the_first() {
    let mut case = Case::floridian();
    let now = at("2026-09-02T10:00:00", NEW_YORK);
    case.facts.of_number = [
        "2026-09-01T10:30:00",
        "2026-09-01T15:00:00",
        "2026-09-02T09:00:00",
    ]
    .map(|clock| call(at(clock, NEW_YORK), Activity::Solicitation))
    .to_vec();
    case.refused_until(
        "us-fl/calls-per-24h",
        now,
        at("2026-09-02T10:30:00", NEW_YORK),
    );
    assert_eq!(
        case.refusal(now).reason,
        "3 calls in 24 hours; for one person at most 3 are allowed."
    );
    // A call that never reached the network's end does not count.
    case.facts.of_number[1].placed = false;
    assert_eq!(case.check(now).refusal, None);
}

#[test]
fn a_person_s_calls_count_over_their_numbers_and_each_once() {
    let mut case = Case::floridian();
    let now = at("2026-09-02T10:00:00", NEW_YORK);
    let calls = [
        "2026-09-01T15:00:00",
        "2026-09-02T08:00:00",
        "2026-09-02T09:00:00",
    ]
    .map(|clock| call(at(clock, NEW_YORK), Activity::Solicitation));
    // One by another number, one before the person was known, one in both lists.
    case.facts.of_person = vec![calls[0].clone(), calls[2].clone()];
    case.facts.of_number = vec![calls[2].clone()];
    assert_eq!(case.check(now).refusal, None);
    case.facts.of_number.push(calls[1].clone());
    assert_eq!(case.refusal(now).rule, "us-fl/calls-per-24h");
}

#[test]
fn a_florida_area_code_is_under_the_law_of_florida_and_others_are_not() {
    let case = Case::floridian();
    assert_eq!(
        case.refused("2026-09-02T20:00:00", NEW_YORK).as_deref(),
        Some("us-fl/calling-hours")
    );
    let mut case = Case::new(&["us-fl"], Activity::Solicitation, "+12125550123");
    case.facts.consents.clear();
    let verdict = case.check(at("2026-09-02T20:00:00", NEW_YORK));
    assert_eq!(verdict.refusal, None);
    assert!(
        verdict
            .consulted
            .iter()
            .any(|seen| seen.rule == "us-fl" && seen.value == "does not apply")
    );
}

#[test]
fn a_written_consent_is_needed_where_the_pack_says_so() {
    let mut case = Case::floridian();
    case.facts.consents[0].source = "call recording".to_owned();
    let now = at("2026-09-02T10:00:00", NEW_YORK);
    assert_eq!(
        case.refusal(now).rule,
        "us-fl/written-consent-to-automated-calls"
    );
    // What is said later does not take the written one back.
    case.facts.consents[0].at = now;
    case.consent("2024-01-01T00:00:00Z", true, "Written");
    assert_eq!(case.check(now).refusal, None);
    // By hand no consent is needed.
    case.facts.consents.clear();
    case.purpose.automated = false;
    assert_eq!(case.check(now).refusal, None);
}

#[test]
fn seven_calls_in_seven_calendar_days_about_one_debt() {
    let mut case = Case::debtor();
    // Seven on Tuesday the 1st, the last late in the evening.
    case.facts.of_debt = Some(
        (9..16)
            .map(|hour| {
                call(
                    at(&format!("2026-09-01T{hour:02}:30:00"), NEW_YORK),
                    Activity::Collection,
                )
            })
            .collect(),
    );
    let now = at("2026-09-02T12:00:00", NEW_YORK);
    let refusal = case.refusal(now);
    assert_eq!(refusal.rule, "us-reg-f/calls-per-7-days");
    // Tuesday is the first day, Monday the seventh; at midnight they no longer count, and
    // at eight the window opens.
    assert_eq!(refusal.until, Some(at("2026-09-08T08:00:00", NEW_YORK)));
    assert_eq!(
        case.refused("2026-09-07T20:59:59", NEW_YORK).as_deref(),
        Some("us-reg-f/calls-per-7-days")
    );
    // Another debt of the same person is another count.
    case.facts.of_person = case.facts.of_debt.replace(Vec::new()).unwrap();
    assert_eq!(case.check(now).refusal, None);
    // Where no debt is known the person counts.
    case.facts.of_debt = None;
    assert_eq!(case.refusal(now).rule, "us-reg-f/calls-per-7-days");
}

#[test]
fn after_a_conversation_the_debtor_is_left_alone_for_seven_days() {
    let mut case = Case::debtor();
    let mut talk = call(at("2026-09-01T20:30:00", NEW_YORK), Activity::Collection);
    talk.conversation = true;
    case.facts.of_debt = Some(vec![talk]);
    let refusal = case.refusal(at("2026-09-02T12:00:00", NEW_YORK));
    assert_eq!(refusal.rule, "us-reg-f/7-days-after-conversation");
    assert_eq!(refusal.until, Some(at("2026-09-08T08:00:00", NEW_YORK)));
}

#[test]
fn a_call_that_the_debtor_asked_for_is_neither_counted_nor_refused() {
    let mut case = Case::debtor();
    let mut calls: Vec<Past> = (9..16)
        .map(|hour| {
            call(
                at(&format!("2026-09-01T{hour:02}:30:00"), NEW_YORK),
                Activity::Collection,
            )
        })
        .collect();
    calls[6].requested = true;
    case.facts.of_debt = Some(calls.clone());
    let now = at("2026-09-02T12:00:00", NEW_YORK);
    assert_eq!(case.check(now).refusal, None, "six count");
    calls[6].requested = false;
    calls[0].conversation = true;
    case.facts.of_debt = Some(calls);
    assert_eq!(case.refusal(now).rule, "us-reg-f/7-days-after-conversation");
    case.candidate.requested = true;
    assert_eq!(case.check(now).refusal, None);
    // But not at night.
    assert_eq!(
        case.refused("2026-09-02T21:00:00", NEW_YORK).as_deref(),
        Some("us-reg-f/calling-hours")
    );
}

#[test]
fn no_machine_calls_for_72_hours_after_an_abandoned_call() {
    let mut case = Case::new(&["uk-ofcom"], Activity::Service, "+442079460000");
    let then = at("2026-09-01T15:00:00", "Europe/London");
    let mut past = call(then, Activity::Service);
    past.abandoned = true;
    case.facts.of_number.push(past);
    let hour = jiff::SignedDuration::from_hours(1);
    case.refused_until(
        "uk-ofcom/72h-after-abandonment",
        then + hour,
        then + 72 * hour,
    );
    case.purpose.automated = false;
    assert_eq!(case.check(then + hour).refusal, None);
}

#[test]
fn an_opt_out_ends_all_calls_of_its_channel() {
    let now = at("2026-09-01T11:00:00", PARIS);
    let refused = |channel: Option<Channel>, purpose: Channel| {
        let mut case = Case::new(&[], Activity::Service, "+33142278186");
        case.purpose.channel = purpose;
        case.facts.opt_outs.push(OptOut { channel, at: now });
        case.check(now)
            .refusal
            .map(|refusal| (refusal.rule, refusal.until))
    };
    let opt_out = Some(("strowger/opt-out".to_owned(), None));
    assert_eq!(refused(None, Channel::Voice), opt_out);
    assert_eq!(refused(Some(Channel::Voice), Channel::Voice), opt_out);
    assert_eq!(refused(Some(Channel::Voice), Channel::Prerecorded), opt_out);
    assert_eq!(refused(Some(Channel::Sms), Channel::Voice), None);
    assert_eq!(refused(Some(Channel::Prerecorded), Channel::Voice), None);
}

#[test]
fn our_own_do_not_call_lists_hold_without_any_pack() {
    let now = at("2026-09-01T11:00:00", PARIS);
    let refused = |list: &str, kind: DncKind| {
        let mut case = Case::new(&[], Activity::Service, "+33142278186");
        case.facts.do_not_call.push(DoNotCall {
            list: list.to_owned(),
            kind,
            since: now,
        });
        case.check(now).refusal.map(|refusal| refusal.rule)
    };
    let rule = Some("strowger/do-not-call".to_owned());
    assert_eq!(refused("ours", DncKind::Internal), rule);
    assert_eq!(refused("renewals", DncKind::Campaign), rule);
    // A list that no pack knows was imported to be kept; a register binds whom it binds.
    assert_eq!(refused("of-a-partner", DncKind::Imported), rule);
    assert_eq!(refused("bloctel", DncKind::Imported), None);
}

#[test]
fn what_cannot_be_decided_is_not_dialed() {
    let now = at("2026-09-01T11:00:00", PARIS);
    let mut case = Case::french();
    case.packs.push(PackId::from("fr-2031"));
    let refusal = case.refusal(now);
    assert_eq!(
        (refusal.rule.as_str(), refusal.until),
        ("strowger/packs", None)
    );
    assert!(refusal.reason.contains("fr-2031"));

    let mut case = Case::french();
    case.candidate.zones = vec!["Europe/Pariss".to_owned()];
    assert!(case.refusal(now).reason.contains("Europe/Pariss"));

    let mut case = Case::new(&[], Activity::Service, "+999123456");
    assert_eq!(case.check(now).refusal, None);
    case.own.windows = Some(Week::default());
    assert_eq!(case.refusal(now).rule, "strowger/time-zone");
    case.own.time_zone = Some(PARIS.to_owned());
    let refusal = case.refusal(now);
    assert_eq!(
        (refusal.rule.as_str(), refusal.until),
        ("strowger/campaign-hours", None)
    );

    let mut case = Case::french();
    case.own.closed_on = vec!["XX".to_owned()];
    assert_eq!(case.refusal(now).rule, "strowger/campaign-hours");
}

#[test]
fn the_strictest_duty_of_all_packs_binds_the_pacing() {
    let purpose = Case::french().purpose;
    let now = at("2026-09-01T11:00:00", PARIS);
    let duties = |ids: &[&str]| {
        let ids: Vec<PackId> = ids.iter().map(|id| PackId::from(*id)).collect();
        PACKS.duties(&ids, &purpose, now)
    };
    assert_eq!(duties(&["fr"]), Duties::default());
    let canada = duties(&["ca-crtc"]);
    assert_eq!(canada.abandon_limit, Some(0.05));
    assert_eq!(canada.abandon_window_s, Some(28 * 86_400));
    let all = duties(&["ca-crtc", "us-ftc", "uk-ofcom"]);
    assert_eq!(
        all,
        Duties {
            abandon_limit: Some(0.03),
            abandon_window_s: Some(86_400),
            threshold_s: Some(2.0),
            min_ring_s: 15,
            message: true,
            rules: vec![
                "ca-crtc/abandonment".to_owned(),
                "us-ftc/abandonment".to_owned(),
                "uk-ofcom/abandonment".to_owned(),
            ],
        }
    );
    let service = Purpose {
        activity: Activity::Service,
        ..purpose.clone()
    };
    assert_eq!(
        PACKS.duties(&[PackId::from("us-ftc")], &service, now),
        Duties::default()
    );
}
