//! Filters and quotas: which contacts a campaign leaves out.

use std::{borrow::Cow, cmp::Ordering};

use serde::{Deserialize, Serialize};

/// Most filters of one campaign, and most values of one filter.
pub const MAX_FILTERS: usize = 50;
/// Most values of one filter.
pub const MAX_VALUES: usize = 1_000;

/// One condition on a contact. A contact is dialed when it meets every `include` and no `exclude`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// What meeting the condition means.
    pub action: Action,
    /// What is looked at: see [`Field`].
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what. `exists` has none, `in` at least one, the others exactly one.
    #[serde(default)]
    pub values: Vec<String>,
}

/// What a filter does with those who meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Only they are dialed.
    Include,
    /// They are not dialed.
    Exclude,
}

/// How a field is compared. Upper and lower case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operator {
    /// Equal.
    Eq,
    /// Not equal; also when the contact has no such field.
    Ne,
    /// Equal to one of the values.
    In,
    /// Holds the value.
    Contains,
    /// Begins with the value.
    StartsWith,
    /// Less: as numbers when both are, else as text, which is right for dates such as 2026-03-01.
    Lt,
    /// Greater, compared like [`Operator::Lt`].
    Gt,
    /// There, and not empty.
    Exists,
}

/// What a filter may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// `first_name`.
    FirstName,
    /// `last_name`.
    LastName,
    /// `postal_code`.
    PostalCode,
    /// `priority`.
    Priority,
    /// `attempts`: attempts made so far.
    Attempts,
    /// `list`: the id of its list.
    List,
    /// `number_type`: the type of the number that is dialed next.
    NumberType,
    /// `number`: the number that is dialed next, in E.164.
    Number,
    /// `time_zone`: the zones of that number, joined by `|`.
    TimeZone,
    /// `last_disposition`: how its last attempt ended.
    LastDisposition,
    /// `qualification`: the id of its last qualification.
    Qualification,
    /// `custom.NAME`: the custom field of that name.
    Custom(&'a str),
}

impl<'a> Field<'a> {
    /// The field of this name.
    pub fn named(name: &'a str) -> Option<Self> {
        Some(match name {
            "first_name" => Self::FirstName,
            "last_name" => Self::LastName,
            "postal_code" => Self::PostalCode,
            "priority" => Self::Priority,
            "attempts" => Self::Attempts,
            "list" => Self::List,
            "number_type" => Self::NumberType,
            "number" => Self::Number,
            "time_zone" => Self::TimeZone,
            "last_disposition" => Self::LastDisposition,
            "qualification" => Self::Qualification,
            _ => Self::Custom(
                name.strip_prefix("custom.")
                    .filter(|name| !name.is_empty())?,
            ),
        })
    }
}

/// What is known of a contact when it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// First name.
    pub first_name: &'a str,
    /// Last name.
    pub last_name: &'a str,
    /// Postal code.
    pub postal_code: &'a str,
    /// Priority.
    pub priority: u8,
    /// Attempts made so far.
    pub attempts: u32,
    /// Its list.
    pub list: &'a str,
    /// The type of its next number.
    pub number_type: &'a str,
    /// Its next number, in E.164; empty when there is none.
    pub number: &'a str,
    /// The zones of its next number, joined by `|`.
    pub zones: &'a str,
    /// How its last attempt ended.
    pub last_disposition: Option<&'a str>,
    /// Its last qualification.
    pub qualification: Option<&'a str>,
    /// Its custom fields.
    pub custom: &'a serde_json::Value,
}

impl Facts<'_> {
    fn value(&self, field: Field<'_>) -> Option<Cow<'_, str>> {
        let value = match field {
            Field::FirstName => Cow::Borrowed(self.first_name),
            Field::LastName => Cow::Borrowed(self.last_name),
            Field::PostalCode => Cow::Borrowed(self.postal_code),
            Field::Priority => Cow::Owned(self.priority.to_string()),
            Field::Attempts => Cow::Owned(self.attempts.to_string()),
            Field::List => Cow::Borrowed(self.list),
            Field::NumberType => Cow::Borrowed(self.number_type),
            Field::Number => Cow::Borrowed(self.number),
            Field::TimeZone => Cow::Borrowed(self.zones),
            Field::LastDisposition => Cow::Borrowed(self.last_disposition?),
            Field::Qualification => Cow::Borrowed(self.qualification?),
            Field::Custom(name) => match self.custom.get(name)? {
                serde_json::Value::Null => return None,
                serde_json::Value::String(text) => Cow::Borrowed(text.as_str()),
                other => Cow::Owned(other.to_string()),
            },
        };
        Some(value).filter(|value| !value.trim().is_empty())
    }
}

/// Why a filter or quota cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct InvalidFilter {
    /// The field at fault, such as `filters[2].values`.
    pub field: String,
    /// What is wrong with it, for the person who wrote it.
    pub reason: String,
}

/// The fields as a person may choose them, for messages.
const FIELDS: &str = "first_name, last_name, postal_code, priority, attempts, list, number_type, \
                      number, time_zone, last_disposition, qualification or custom.NAME";

/// Checks filters before they are stored.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn check(filters: &[Filter]) -> Result<(), InvalidFilter> {
    let invalid = |field: String, reason: String| Err(InvalidFilter { field, reason });
    if filters.len() > MAX_FILTERS {
        return invalid(
            "filters".to_owned(),
            format!("a campaign has at most {MAX_FILTERS} filters"),
        );
    }
    for (place, filter) in filters.iter().enumerate() {
        if Field::named(&filter.field).is_none() {
            return invalid(
                format!("filters[{place}].field"),
                format!("there is no field {:?}; it is {FIELDS}", filter.field),
            );
        }
        let wanted = match filter.operator {
            Operator::Exists => 0..=0,
            Operator::In => 1..=MAX_VALUES,
            Operator::Eq
            | Operator::Ne
            | Operator::Contains
            | Operator::StartsWith
            | Operator::Lt
            | Operator::Gt => 1..=1,
        };
        if !wanted.contains(&filter.values.len()) {
            let (least, most) = wanted.into_inner();
            let count = if least == most {
                format!("exactly {least}")
            } else {
                format!("{least} to {most}")
            };
            return invalid(
                format!("filters[{place}].values"),
                format!("this operator takes {count} of them"),
            );
        }
        if filter
            .values
            .iter()
            .any(|value| value.chars().count() > 200)
        {
            return invalid(
                format!("filters[{place}].values"),
                "a value has at most 200 characters".to_owned(),
            );
        }
    }
    Ok(())
}

impl Filter {
    /// Whether the contact meets the condition.
    fn meets(&self, facts: &Facts<'_>) -> bool {
        let value = Field::named(&self.field).and_then(|field| facts.value(field));
        let Some(value) = value else {
            return self.operator == Operator::Ne;
        };
        let value = fold(&value);
        let mut wanted = self.values.iter().map(|wanted| fold(wanted));
        match self.operator {
            Operator::Exists => true,
            Operator::Eq | Operator::In => wanted.any(|wanted| wanted == value),
            Operator::Ne => wanted.all(|wanted| wanted != value),
            Operator::Contains => wanted.any(|wanted| value.contains(&wanted)),
            Operator::StartsWith => wanted.any(|wanted| value.starts_with(&wanted)),
            Operator::Lt => wanted.any(|wanted| compare(&value, &wanted) == Ordering::Less),
            Operator::Gt => wanted.any(|wanted| compare(&value, &wanted) == Ordering::Greater),
        }
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

fn compare(value: &str, wanted: &str) -> Ordering {
    match (value.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(value), Ok(wanted)) => value.total_cmp(&wanted),
        _ => value.cmp(wanted),
    }
}

/// How a quota tells the contacts of its kind. Upper and lower case are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaOperator {
    /// The field is the value.
    #[default]
    Equals,
    /// The field begins with the value.
    StartsWith,
}

impl QuotaOperator {
    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::StartsWith => "starts-with",
        }
    }
}

/// Enough contacts of a kind: no more of them are dialed once `target` have been reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// The field that tells the kind.
    pub field: String,
    /// Its value.
    pub value: String,
    /// How the field is compared with it.
    #[serde(default)]
    pub operator: QuotaOperator,
    /// How many are wanted.
    pub target: u32,
    /// How many there are.
    pub reached: u32,
}

impl Quota {
    /// Whether the contact is of this kind.
    pub fn counts(&self, facts: &Facts<'_>) -> bool {
        Field::named(&self.field)
            .and_then(|field| facts.value(field))
            .is_some_and(|value| {
                let (value, wanted) = (fold(&value), fold(&self.value));
                match self.operator {
                    QuotaOperator::Equals => value == wanted,
                    QuotaOperator::StartsWith => value.starts_with(&wanted),
                }
            })
    }

    /// Whether there are enough.
    pub const fn is_full(&self) -> bool {
        self.reached >= self.target
    }
}

/// Whether the campaign leaves the contact out.
pub fn leaves_out(filters: &[Filter], quotas: &[Quota], facts: &Facts<'_>) -> bool {
    filters
        .iter()
        .any(|filter| match (filter.action, filter.meets(facts)) {
            (Action::Include, met) => !met,
            (Action::Exclude, met) => met,
        })
        || quotas
            .iter()
            .any(|quota| quota.is_full() && quota.counts(facts))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filter(action: Action, field: &str, operator: Operator, values: &[&str]) -> Filter {
        Filter {
            action,
            field: field.to_owned(),
            operator,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    fn dialed(filters: &[Filter]) -> bool {
        let custom = json!({ "city": "Lyon", "balance": 1200, "since": "2024-05-01", "empty": " ", "none": null });
        let facts = Facts {
            first_name: "Ada",
            last_name: "Lovelace",
            postal_code: "69003",
            priority: 20,
            attempts: 2,
            list: "spring",
            number_type: "mobile",
            number: "+33639981234",
            zones: "Europe/Paris",
            last_disposition: Some("busy"),
            qualification: None,
            custom: &custom,
        };
        !leaves_out(filters, &[], &facts)
    }

    #[test]
    fn each_operator_keeps_whom_it_names() {
        use Operator::{Contains, Eq, Exists, Gt, In, Lt, Ne, StartsWith};
        for (field, operator, values, kept) in [
            ("custom.city", Eq, &["LYON"][..], true),
            ("custom.city", Eq, &["Paris"], false),
            ("custom.city", Ne, &["Paris"], true),
            ("custom.city", Ne, &["lyon"], false),
            ("custom.street", Ne, &["lyon"], true),
            ("custom.street", Eq, &["lyon"], false),
            ("postal_code", StartsWith, &["69"], true),
            ("postal_code", StartsWith, &["9"], false),
            ("last_name", Contains, &["LACE"], true),
            ("last_name", Contains, &["x"], false),
            ("number_type", In, &["fixed", "mobile"], true),
            ("number_type", In, &["fixed"], false),
            ("custom.balance", Gt, &["999.5"], true),
            ("custom.balance", Lt, &["999.5"], false),
            ("custom.since", Lt, &["2024-06-01"], true),
            ("custom.since", Gt, &["2024-06-01"], false),
            ("attempts", Lt, &["10"], true),
            ("attempts", Gt, &["10"], false),
            ("custom.city", Exists, &[], true),
            ("custom.empty", Exists, &[], false),
            ("custom.none", Exists, &[], false),
            ("qualification", Exists, &[], false),
            ("last_disposition", Eq, &["busy"], true),
            ("list", Eq, &["spring"], true),
            ("time_zone", Contains, &["paris"], true),
            ("number", StartsWith, &["+336"], true),
            ("priority", Gt, &["19"], true),
            ("first_name", Eq, &["ada"], true),
        ] {
            let include = filter(Action::Include, field, operator, values);
            assert_eq!(dialed(std::slice::from_ref(&include)), kept, "{include:?}");
            let exclude = filter(Action::Exclude, field, operator, values);
            assert_eq!(dialed(std::slice::from_ref(&exclude)), !kept, "{exclude:?}");
            check(&[include, exclude]).unwrap();
        }
    }

    #[test]
    fn a_contact_meets_every_include_and_no_exclude() {
        let lyon = filter(Action::Include, "custom.city", Operator::Eq, &["Lyon"]);
        let busy = filter(Action::Exclude, "last_disposition", Operator::Eq, &["busy"]);
        let paris = filter(Action::Include, "custom.city", Operator::Eq, &["Paris"]);
        assert!(dialed(&[]));
        assert!(dialed(std::slice::from_ref(&lyon)));
        assert!(!dialed(&[lyon.clone(), paris]));
        assert!(!dialed(&[lyon, busy]));
    }

    #[test]
    fn a_quota_that_is_full_leaves_its_kind_out() {
        let custom = json!({ "city": "Lyon" });
        let facts = Facts {
            first_name: "",
            last_name: "",
            postal_code: "",
            priority: 0,
            attempts: 0,
            list: "l",
            number_type: "other",
            number: "",
            zones: "",
            last_disposition: None,
            qualification: None,
            custom: &custom,
        };
        let quota = |value: &str, reached| Quota {
            field: "custom.city".to_owned(),
            value: value.to_owned(),
            operator: QuotaOperator::Equals,
            target: 10,
            reached,
        };
        assert!(leaves_out(&[], &[quota("lyon", 10)], &facts));
        assert!(!leaves_out(&[], &[quota("lyon", 9)], &facts));
        assert!(!leaves_out(&[], &[quota("Paris", 10)], &facts));
        let begins = |value: &str| Quota {
            operator: QuotaOperator::StartsWith,
            ..quota(value, 10)
        };
        assert!(leaves_out(&[], &[begins("LY")], &facts));
        assert!(!leaves_out(&[], &[begins("yon")], &facts));
    }

    #[test]
    fn what_is_wrong_with_a_filter_is_named_with_its_place() {
        let good = filter(Action::Include, "list", Operator::Eq, &["a"]);
        for (bad, field) in [
            (
                filter(Action::Include, "surname", Operator::Eq, &["a"]),
                "filters[1].field",
            ),
            (
                filter(Action::Include, "custom.", Operator::Eq, &["a"]),
                "filters[1].field",
            ),
            (
                filter(Action::Include, "list", Operator::Eq, &[]),
                "filters[1].values",
            ),
            (
                filter(Action::Include, "list", Operator::Exists, &["a"]),
                "filters[1].values",
            ),
            (
                filter(Action::Include, "list", Operator::In, &[]),
                "filters[1].values",
            ),
            (
                filter(Action::Include, "list", Operator::Lt, &["1", "2"]),
                "filters[1].values",
            ),
            (
                filter(Action::Include, "list", Operator::Eq, &[&"x".repeat(201)]),
                "filters[1].values",
            ),
        ] {
            assert_eq!(check(&[good.clone(), bad]).unwrap_err().field, field);
        }
        assert_eq!(
            check(&vec![good; MAX_FILTERS + 1]).unwrap_err().field,
            "filters"
        );
    }
}
