use super::*;
use crate::{amd::Calibration, telephony::Amd};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn paris() -> TimeZone {
    TimeZone::get("Europe/Paris").unwrap()
}

fn share(rate: f64, lower: f64, upper: f64) -> Share {
    Share {
        rate,
        lower,
        upper,
        n: 100,
    }
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-12, "{left} is not {right}");
}

#[test]
fn what_is_counted_has_no_error() {
    let counts = Counts {
        served: 970,
        abandoned: 30,
        machine_verdicts: 0,
    };
    let metric = Metric::of(counts, Correction::None, 0.03);
    close(metric.rate, 0.03);
    close(metric.upper_bound, 0.03);
    close(metric.budget_left, 0.0);
}

#[test]
fn people_taken_for_machines_were_abandoned() {
    let counts = Counts {
        served: 980,
        abandoned: 10,
        machine_verdicts: 1_000,
    };
    let correction = Correction::Detection {
        people_among_verdicts: share(0.01, 0.005, 0.02),
    };
    let metric = Metric::of(counts, correction, 0.03);
    close(metric.rate, 20.0 / 1_000.0);
    close(metric.upper_bound, 30.0 / 1_010.0);
}

#[test]
fn without_detection_machines_among_the_abandoned_are_taken_off() {
    // Ofcom: 20 % of what agents took were machines, so 40 of 50 abandoned calls were people's.
    let counts = Counts {
        served: 960,
        abandoned: 50,
        machine_verdicts: 0,
    };
    let correction = Correction::NoDetection {
        machines_among_connected: share(0.2, 0.1, 0.3),
    };
    let metric = Metric::of(counts, correction, 0.03);
    close(metric.rate, 40.0 / 1_000.0);
    close(metric.upper_bound, 45.0 / 1_005.0);
}

#[test]
fn the_budget_is_spent_exactly_at_the_limit() {
    let counts = Counts {
        served: 1_000,
        abandoned: 10,
        machine_verdicts: 0,
    };
    let left = Metric::of(counts, Correction::None, 0.03).budget_left;
    close((10.0 + left) / (1_010.0 + left), 0.03);
    let over = Counts {
        abandoned: 60,
        ..counts
    };
    assert!(Metric::of(over, Correction::None, 0.03).budget_left < -20.0);
}

#[test]
fn nobody_answered_is_nobody_abandoned() {
    for limit in [0.0, 0.03, 1.0] {
        let metric = Metric::of(Counts::default(), Correction::None, limit);
        close(metric.rate, 0.0);
        close(metric.budget_left, 0.0);
    }
}

#[test]
fn a_detection_that_was_never_checked_is_not_believed() {
    let mut never_checked = Calibration::default();
    never_checked.observe_many(Amd::Machine, None, 500);
    let counts = Counts {
        served: 1_000,
        abandoned: 0,
        machine_verdicts: 500,
    };
    let correction = Correction::Detection {
        people_among_verdicts: never_checked.estimate().false_positive,
    };
    let metric = Metric::of(counts, correction, 0.03);
    assert!(metric.rate > 0.06, "{metric:?}");
    assert!(metric.budget_left < 0.0);
}

#[test]
fn a_campaign_is_judged_by_thirty_days_after_thirty_days() {
    let window = Window::ThirtyDays {
        start: at("2026-03-10T09:00:00+01:00"),
    };
    let first = Period {
        from: at("2026-03-10T09:00:00+01:00"),
        // Summer time began on the 29th: 30 days of the calendar are an hour shorter.
        to: at("2026-04-09T09:00:00+02:00"),
    };
    assert_eq!(
        window.period(at("2026-03-10T09:00:00+01:00"), &paris()),
        first
    );
    assert_eq!(
        window.period(at("2026-04-09T08:59:59+02:00"), &paris()),
        first
    );
    assert_eq!(
        window
            .period(at("2026-04-09T09:00:00+02:00"), &paris())
            .from,
        first.to
    );
    assert_eq!(
        window.period(at("2026-03-01T00:00:00Z"), &paris()),
        first,
        "before it starts it is in its first period"
    );
}

#[test]
fn every_moment_is_within_its_period_and_periods_follow_each_other() {
    let start = at("2026-09-30T23:30:00+02:00");
    for window in [Window::ThirtyDays { start }, Window::CalendarMonth] {
        let mut now = start;
        let mut period = window.period(now, &paris());
        for _ in 0..12 * 1_000 {
            now = after(now, 45 * 60_000);
            let next = window.period(now, &paris());
            assert!(next.from <= now && now < next.to, "{window:?} at {now}");
            assert!(
                next == period || next.from == period.to,
                "{window:?} at {now}"
            );
            period = next;
        }
    }
}

#[test]
fn a_month_is_that_of_the_zone() {
    let period = Window::CalendarMonth.period(at("2026-12-31T23:30:00Z"), &paris());
    assert_eq!(period.from, at("2027-01-01T00:00:00+01:00"));
    assert_eq!(period.to, at("2027-02-01T00:00:00+01:00"));
}

#[test]
fn a_rolling_window_holds_the_present_moment() {
    let now = at("2026-05-01T12:00:00Z");
    let period = Window::Rolling { hours: 24 }.period(now, &paris());
    assert_eq!(period.from, at("2026-04-30T12:00:00Z"));
    assert!(now < period.to);
}

#[test]
fn without_detection_nobody_counts_as_a_machine_before_agents_said_so_often_enough() {
    let heard = |machines, people| {
        let mut heard = Calibration::default();
        heard.observe_many(Amd::NotSure, Some(true), machines);
        heard.observe_many(Amd::NotSure, Some(false), people);
        heard.estimate()
    };
    assert_eq!(Correction::of(false, &heard(5, 14)), Correction::None);
    let Correction::NoDetection {
        machines_among_connected,
    } = Correction::of(false, &heard(5, 15))
    else {
        panic!("20 calls were heard");
    };
    close(machines_among_connected.rate, 0.25);
    assert!(matches!(
        Correction::of(true, &heard(0, 0)),
        Correction::Detection { .. }
    ));
}
