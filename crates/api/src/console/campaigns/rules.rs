//! Calling hours, retries, filters and quotas: between the words of the console and ours.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use strowger_core::{
    lists::filter::{Action, Filter, Operator, Quota, QuotaOperator},
    phone::{PhoneNumber, e164_prefix},
};

use crate::input::Check;

/// Most quotas of a campaign.
pub(super) const MAX_QUOTAS: usize = 500;

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// A day of the week: 1 is Monday.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Day {
    #[serde(rename = "dayOfWeek")]
    number: u8,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    start_time: String,
    #[serde(default)]
    end_time: String,
}

/// The name of a day; Sunday is 7 or 0.
fn day(number: u8) -> Option<&'static str> {
    DAYS.get(usize::from(if number == 0 { 6 } else { number - 1 }))
        .copied()
}

/// `09:00:00` as `09:00`; the end of the day may be written 23:59.
fn time(text: &str, is_end: bool) -> String {
    match text.get(..5).unwrap_or(text) {
        "23:59" if is_end => "24:00".to_owned(),
        short => short.to_owned(),
    }
}

/// The windows of a week, from one of the two ways in which consoles say them; none when they
/// say nothing.
pub(super) fn windows(
    check: &mut Check,
    schedule: Option<&[Day]>,
    days: Option<&[u8]>,
    start: Option<&str>,
    end: Option<&str>,
) -> Option<Value> {
    let hours: Vec<(u8, &str, &str)> = match (schedule, days) {
        (Some(schedule), _) if !schedule.is_empty() => schedule
            .iter()
            .filter(|day| day.active)
            .map(|day| (day.number, day.start_time.as_str(), day.end_time.as_str()))
            .collect(),
        (_, Some(days)) => {
            let (start, end) = start.zip(end)?;
            days.iter().map(|day| (*day, start, end)).collect()
        }
        (Some(_) | None, None) => return None,
    };
    let mut week: Map<String, Value> = Map::new();
    for (number, start, end) in hours {
        let Some(name) = day(number) else {
            check.wrong(
                "schedule",
                format!("there is no day {number}: 1 is Monday, 7 Sunday"),
            );
            continue;
        };
        let span = format!("{}-{}", time(start, false), time(end, true));
        week.insert(name.to_owned(), json!([span]));
    }
    let week = Value::Object(week);
    // The core reads hours; what it says of them is for people.
    if let Err(error) = serde_json::from_value::<strowger_core::compliance::Week>(week.clone()) {
        check.wrong("schedule", error.to_string());
    }
    Some(week)
}

/// Our dispositions for a status that the console retries.
fn retried(status: &str) -> &'static [&'static str] {
    match status
        .to_ascii_uppercase()
        .replace([' ', '-'], "_")
        .as_str()
    {
        "BUSY" => &["busy"],
        "NO_ANSWER" | "NOANSWER" | "ABSENT" => &["no-answer"],
        "MACHINE" | "VOICEMAIL" | "ANSWERING_MACHINE" | "AMD" => &["answered-machine"],
        "REJECTED" => &["rejected"],
        "CONGESTION" | "UNREACHABLE" | "UNAVAILABLE" | "CHANUNAVAIL" | "FAILED" => &["unreachable"],
        _ => &[],
    }
}

/// Retry rules from a number of retries and the minutes between them.
pub(super) fn retry(
    check: &mut Check,
    retries: u32,
    minutes: &[f64],
    statuses: &[String],
) -> Value {
    if retries == 0 {
        return json!({});
    }
    if minutes.len() > 20 || statuses.len() > 20 {
        check.wrong("retryIntervals", "at most 20 of them");
        return json!({});
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such a cast goes to the nearest value, which the check of the rules then names"
    )]
    let seconds: Vec<u32> = minutes
        .iter()
        .map(|minutes| (minutes * 60.0) as u32)
        .collect();
    let (first, later) = seconds.split_first().unwrap_or((&1_800, &[]));
    let rule = json!({ "delay_s": first, "then_s": later, "max_attempts": retries + 1 });
    let dispositions: Vec<&str> = if statuses.is_empty() {
        vec!["busy", "no-answer", "answered-machine", "unreachable"]
    } else {
        statuses
            .iter()
            .flat_map(|status| retried(status))
            .copied()
            .collect()
    };
    Value::Object(
        dispositions
            .into_iter()
            .map(|name| (name.to_owned(), rule.clone()))
            .collect(),
    )
}

/// A filter of the console.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilterIn {
    #[serde(default)]
    id: String,
    #[serde(rename = "type")]
    kind: Kind,
    contact_field: String,
    operator: Compare,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Include,
    Exclude,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Compare {
    Equals,
    StartsWith,
    Contains,
    IsNotEmpty,
}

/// The field of the core with this name in the console.
fn field(name: &str) -> String {
    match name {
        "postalCode" | "postal_code" => "postal_code".to_owned(),
        "phoneNumber" | "phone_number" => "number".to_owned(),
        "lastName" | "last_name" => "last_name".to_owned(),
        "firstName" | "first_name" => "first_name".to_owned(),
        custom => format!("custom.{custom}"),
    }
}

/// The name in the console of a field of the core.
fn contact_field(field: &str) -> String {
    match field {
        "postal_code" => "postalCode".to_owned(),
        "number" => "phoneNumber".to_owned(),
        "last_name" => "lastName".to_owned(),
        "first_name" => "firstName".to_owned(),
        other => other.strip_prefix("custom.").unwrap_or(other).to_owned(),
    }
}

/// A value as it is compared: numbers are kept in E.164 and typed as people dial them.
fn compared(field: &str, compare: Compare, value: &str, region: &str) -> String {
    if field != "number" {
        return value.trim().to_owned();
    }
    match compare {
        Compare::Equals => PhoneNumber::parse(value, region)
            .map_or_else(|_| e164_prefix(value, region), String::from),
        Compare::StartsWith => e164_prefix(value, region),
        Compare::Contains | Compare::IsNotEmpty => value.trim().to_owned(),
    }
}

impl FilterIn {
    pub(super) fn filter(&self, region: &str) -> Filter {
        let field = field(&self.contact_field);
        let value = self.value.as_deref().unwrap_or_default();
        let values = match self.operator {
            Compare::IsNotEmpty => Vec::new(),
            other => vec![compared(&field, other, value, region)],
        };
        Filter {
            action: match self.kind {
                Kind::Include => Action::Include,
                Kind::Exclude => Action::Exclude,
            },
            field,
            operator: match self.operator {
                Compare::Equals => Operator::Eq,
                Compare::StartsWith => Operator::StartsWith,
                Compare::Contains => Operator::Contains,
                Compare::IsNotEmpty => Operator::Exists,
            },
            values,
        }
    }
}

/// Our filters in the words of the console; those that it has no word for are left out.
pub(in crate::console) fn filter_rules(filters: &Value) -> Vec<Value> {
    let filters: Vec<Filter> = serde_json::from_value(filters.clone()).unwrap_or_default();
    let shown = |(place, filter): (usize, Filter)| {
        let operator = match filter.operator {
            Operator::Eq => "equals",
            Operator::StartsWith => "starts_with",
            Operator::Contains => "contains",
            Operator::Exists => "is_not_empty",
            Operator::Ne | Operator::In | Operator::Lt | Operator::Gt => return None,
        };
        Some(json!({
            "id": format!("fr-{}", place + 1),
            "type": match filter.action { Action::Include => "include", Action::Exclude => "exclude" },
            "contactField": contact_field(&filter.field),
            "operator": operator,
            "value": filter.values.first().map_or("", String::as_str),
        }))
    };
    filters.into_iter().enumerate().filter_map(shown).collect()
}

/// A quota of the console.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct QuotaIn {
    #[serde(default)]
    id: String,
    contact_field: String,
    operator: Compare,
    #[serde(default)]
    value: String,
    limit: super::read::Number,
    #[serde(default, skip_serializing)]
    current_count: Option<super::read::Number>,
}

impl Serialize for super::read::Number {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(self.whole())
    }
}

impl QuotaIn {
    pub(super) fn quota(&self, region: &str) -> Quota {
        let field = field(&self.contact_field);
        Quota {
            value: compared(&field, self.operator, &self.value, region),
            field,
            operator: match self.operator {
                Compare::StartsWith => QuotaOperator::StartsWith,
                Compare::Equals | Compare::Contains | Compare::IsNotEmpty => QuotaOperator::Equals,
            },
            target: self.limit.whole(),
            reached: self.current_count.map_or(0, super::read::Number::whole),
        }
    }
}

/// Quotas in the words of the console, by the ids and with the values that it sent.
pub(in crate::console) fn quota_rules(
    quotas: &[Quota],
    sent: Option<&Value>,
    region: &str,
) -> Vec<Value> {
    let sent: Vec<QuotaIn> = sent
        .and_then(|sent| serde_json::from_value(sent.clone()).ok())
        .unwrap_or_default();
    let shown = |quota: &Quota| {
        let same = |one: &&QuotaIn| {
            let one = one.quota(region);
            one.field == quota.field && one.value == quota.value && one.operator == quota.operator
        };
        let known = sent.iter().find(same);
        let id = known
            .map(|one| one.id.clone())
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| format!("qr-{}-{}", quota.field, quota.value));
        json!({
            "id": id,
            "contactField": contact_field(&quota.field),
            "operator": match quota.operator {
                QuotaOperator::Equals => "equals",
                QuotaOperator::StartsWith => "starts_with",
            },
            "value": known.map_or(&quota.value, |one| &one.value),
            "limit": quota.target,
            "currentCount": quota.reached,
        })
    };
    quotas.iter().map(shown).collect()
}

/// The settings that a group of what the console sends means.
pub(in crate::console) fn means(group: &str, campaign: &Value, unlock_after_min: u32) -> Value {
    match group {
        "schedule" => campaign["schedule"].clone(),
        "filters" => campaign["filters"].clone(),
        "retry" => campaign["retry_rules"].clone(),
        "pace" => json!([campaign["abandon_limit"], campaign["ratio"]]),
        "machines" => json!([
            campaign["amd_enabled"],
            campaign["machine_message"],
            campaign["machine_flow_id"]
        ]),
        _ => json!([unlock_after_min, campaign["wrap_up_s"]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_of_the_console_are_windows() {
        let mut check = Check::default();
        let sent: Vec<Day> = serde_json::from_value(json!([
            {"dayOfWeek": 1, "active": true, "startTime": "09:00", "endTime": "20:00"},
            {"dayOfWeek": 6, "active": true, "startTime": "10:00:00", "endTime": "23:59"},
            {"dayOfWeek": 7, "active": false, "startTime": "09:00", "endTime": "20:00"},
        ]))
        .unwrap();
        let week = windows(&mut check, Some(&sent), None, None, None).unwrap();
        assert_eq!(
            week,
            json!({"monday": ["09:00-20:00"], "saturday": ["10:00-24:00"]})
        );
        let older = windows(
            &mut check,
            None,
            Some(&[1, 0]),
            Some("09:00:00"),
            Some("19:00:00"),
        );
        assert_eq!(
            older.unwrap(),
            json!({"monday": ["09:00-19:00"], "sunday": ["09:00-19:00"]})
        );
        check.done().unwrap();
        let mut check = Check::default();
        let wrong: Vec<Day> = serde_json::from_value(
            json!([{"dayOfWeek": 1, "active": true, "startTime": "20:00", "endTime": "9h"}]),
        )
        .unwrap();
        windows(&mut check, Some(&wrong), None, None, None);
        assert!(check.done().is_err());
    }

    #[test]
    fn a_filter_on_numbers_compares_what_people_type_with_what_is_kept() {
        let rule: FilterIn = serde_json::from_value(json!({
            "id": "fr-1", "type": "include", "contactField": "phoneNumber", "operator": "starts_with", "value": "06"
        }))
        .unwrap();
        let filter = rule.filter("FR");
        assert_eq!(
            (filter.field.as_str(), filter.values[0].as_str()),
            ("number", "+336")
        );
        let custom: FilterIn = serde_json::from_value(json!({
            "id": "fr-2", "type": "exclude", "contactField": "numero_contrat", "operator": "is_not_empty", "value": ""
        }))
        .unwrap();
        let filter = custom.filter("FR");
        assert_eq!(
            (filter.field.as_str(), filter.values.len()),
            ("custom.numero_contrat", 0)
        );
        assert_eq!(
            filter_rules(&json!([filter]))[0]["contactField"],
            "numero_contrat"
        );
    }

    #[test]
    fn filters_that_the_console_does_not_know_are_not_shown_as_others() {
        let shown = filter_rules(&json!([
            {"action": "exclude", "field": "custom.ville", "operator": "contains", "values": ["Paris"]},
            {"action": "include", "field": "attempts", "operator": "lt", "values": ["3"]},
        ]));
        assert_eq!(
            shown,
            [
                json!({"id": "fr-1", "type": "exclude", "contactField": "ville",
                "operator": "contains", "value": "Paris"})
            ]
        );
    }

    #[test]
    fn retries_count_on_top_of_the_first_attempt() {
        let mut check = Check::default();
        let rules = retry(&mut check, 3, &[30.0, 60.0, 120.0], &[]);
        assert_eq!(
            rules["busy"],
            json!({"delay_s": 1_800, "then_s": [3_600, 7_200], "max_attempts": 4})
        );
        assert_eq!(retry(&mut check, 0, &[30.0], &[]), json!({}));
        let only = retry(&mut check, 1, &[], &["NO_ANSWER".to_owned()]);
        assert_eq!(
            only.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["no-answer"]
        );
        check.done().unwrap();
    }
}
