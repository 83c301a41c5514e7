//! What the columns of a file mean.

use serde_json::{Map, Value};
use strowger_core::{ids::ContactId, phone::TypedNumber};
use strowger_store::contacts::{Known, NewContact};

use super::records::fields;
use crate::{input::unprintable, problem::Problem};

/// Most columns of a file.
const MAX_COLUMNS: usize = 100;

/// Longest name of a column, first name or last name in characters.
const MAX_NAME: usize = 100;

/// Longest postal code in characters.
const MAX_POSTAL_CODE: usize = 20;

/// Longest key of a person or a debt in characters.
const MAX_KEY: usize = 200;

/// Longest custom field in characters.
const MAX_CUSTOM: usize = 2_000;

/// Why a line is not imported.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub(super) column: Option<String>,
    pub(super) reason: String,
}

impl Rejected {
    pub(super) fn line(reason: impl Into<String>) -> Self {
        Self {
            column: None,
            reason: reason.into(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    FirstName,
    LastName,
    PostalCode,
    /// The number that is tried as this one, from 0.
    Phone(u8),
    Person,
    Debt,
    TimeZone,
    Priority,
    BestHour,
    Custom,
}

/// The header of a file.
#[derive(Debug)]
pub(super) struct Columns {
    delimiter: u8,
    names: Vec<(String, Meaning)>,
}

fn meaning(name: &str) -> Meaning {
    let key: String = name
        .chars()
        .map(|c| {
            if c == ' ' || c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    match key.as_str() {
        "first_name" => Meaning::FirstName,
        "last_name" => Meaning::LastName,
        "postal_code" => Meaning::PostalCode,
        "person" => Meaning::Person,
        "debt" => Meaning::Debt,
        "time_zone" => Meaning::TimeZone,
        "priority" => Meaning::Priority,
        "best_hour" => Meaning::BestHour,
        "phone" | "phone_number" | "phone1" => Meaning::Phone(0),
        other => match other.strip_prefix("phone").map(str::parse::<u8>) {
            Some(Ok(number @ 2..=10)) => Meaning::Phone(number - 1),
            Some(_) | None => Meaning::Custom,
        },
    }
}

/// The separator that stands more often outside quotes.
fn delimiter(header: &str) -> u8 {
    let mut quoted = false;
    let (mut commas, mut semicolons) = (0_u32, 0_u32);
    for byte in header.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => commas += 1,
            b';' if !quoted => semicolons += 1,
            _ => {}
        }
    }
    if semicolons > commas { b';' } else { b',' }
}

impl Columns {
    /// Reads the header.
    pub(super) fn read(line: u64, bytes: &[u8]) -> Result<Self, Problem> {
        let refuse = |reason: String| {
            Problem::field(
                "",
                format!("the header in line {line} cannot be used: {reason}"),
            )
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|_| refuse("it is not UTF-8; save the file as \"CSV UTF-8\"".to_owned()))?;
        let text = text.trim_start_matches('\u{feff}');
        let delimiter = delimiter(text);
        let names = fields(text, char::from(delimiter)).map_err(|why| refuse(why.to_owned()))?;
        if names.len() > MAX_COLUMNS {
            return Err(refuse(format!(
                "it has {} columns, at most {MAX_COLUMNS} are read",
                names.len()
            )));
        }
        let mut columns: Vec<(String, Meaning)> = Vec::with_capacity(names.len());
        for name in names {
            let name = name.trim().to_owned();
            let shown: String = name.chars().take(40).collect();
            if name.is_empty() {
                return Err(refuse(format!("column {} has no name", columns.len() + 1)));
            }
            if name.chars().count() > MAX_NAME {
                return Err(refuse(format!(
                    "the name {shown:?}… is longer than {MAX_NAME} characters"
                )));
            }
            if let Some(why) = unprintable(&name) {
                return Err(refuse(format!("in the name {shown:?}, {why}")));
            }
            let meaning = meaning(&name);
            let twice = |(other, known): &(String, Meaning)| match meaning {
                Meaning::Custom => *other == name,
                _ => *known == meaning,
            };
            if columns.iter().any(twice) {
                return Err(refuse(format!("the column {shown:?} stands twice")));
            }
            columns.push((name, meaning));
        }
        if !columns
            .iter()
            .any(|(_, meaning)| matches!(meaning, Meaning::Phone(_)))
        {
            return Err(refuse(
                "no column holds phone numbers; name one phone, and further ones phone2 to phone10"
                    .to_owned(),
            ));
        }
        Ok(Self {
            delimiter,
            names: columns,
        })
    }

    /// What stands between the columns.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The contact in a record.
    pub(super) fn contact(
        &self,
        id: ContactId,
        bytes: &[u8],
        region: &str,
    ) -> Result<NewContact, Rejected> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Rejected::line("the line is not UTF-8: save the file as \"CSV UTF-8\""))?;
        let values = fields(text, char::from(self.delimiter)).map_err(Rejected::line)?;
        if values.len() != self.names.len() {
            return Err(Rejected::line(format!(
                "the line has {} fields, the header names {}",
                values.len(),
                self.names.len()
            )));
        }
        let mut contact = NewContact {
            id,
            first_name: String::new(),
            last_name: String::new(),
            postal_code: String::new(),
            custom_fields: Map::new(),
            phones: Vec::new(),
            known: Known::default(),
        };
        let mut phones: Vec<(u8, TypedNumber)> = Vec::new();
        for ((name, meaning), value) in self.names.iter().zip(values) {
            let rejected = |reason: String| Rejected {
                column: Some(name.clone()),
                reason,
            };
            let value = value.trim();
            match meaning {
                Meaning::FirstName => {
                    contact.first_name = line(value, MAX_NAME).map_err(rejected)?;
                }
                Meaning::LastName => contact.last_name = line(value, MAX_NAME).map_err(rejected)?,
                Meaning::PostalCode => {
                    contact.postal_code = line(value, MAX_POSTAL_CODE).map_err(rejected)?;
                }
                Meaning::Phone(_)
                | Meaning::Person
                | Meaning::Debt
                | Meaning::TimeZone
                | Meaning::Priority
                | Meaning::BestHour
                | Meaning::Custom
                    if value.is_empty() => {}
                Meaning::Person => {
                    contact.known.person_key = Some(line(value, MAX_KEY).map_err(rejected)?);
                }
                Meaning::Debt => {
                    contact.known.debt_key = Some(line(value, MAX_KEY).map_err(rejected)?);
                }
                Meaning::TimeZone => {
                    contact.known.time_zone = Some(time_zone(value).map_err(rejected)?);
                }
                Meaning::Priority => {
                    contact.known.priority = number(value, 99).map_err(rejected)?;
                }
                Meaning::BestHour => {
                    contact.known.best_hour = Some(number(value, 23).map_err(rejected)?);
                }
                Meaning::Phone(position) => {
                    let phone = TypedNumber::parse(value, region)
                        .map_err(|error| rejected(error.to_string()))?;
                    if !phones.iter().any(|(_, other)| *other == phone) {
                        phones.push((*position, phone));
                    }
                }
                Meaning::Custom => {
                    let text = lines(value).map_err(rejected)?;
                    contact
                        .custom_fields
                        .insert(name.clone(), Value::String(text));
                }
            }
        }
        if phones.is_empty() {
            return Err(Rejected::line("the line has no phone number"));
        }
        phones.sort_by_key(|(position, _)| *position);
        contact.phones = phones.into_iter().map(|(_, phone)| phone).collect();
        Ok(contact)
    }
}

/// The name of a time zone as the tz database writes it.
fn time_zone(value: &str) -> Result<String, String> {
    let known = jiff::tz::TimeZone::get(value).ok();
    known
        .and_then(|zone| zone.iana_name().map(str::to_owned))
        .ok_or_else(|| {
            let shown: String = value.chars().take(40).collect();
            format!("{shown:?} is no time zone; write one such as Europe/Paris")
        })
}

fn number(value: &str, max: u8) -> Result<u8, String> {
    value
        .parse()
        .ok()
        .filter(|number| *number <= max)
        .ok_or_else(|| format!("it is a number from 0 to {max}"))
}

/// A text of one line. Names are put into calls, screens and files that are read line by line.
fn line(value: &str, max: usize) -> Result<String, String> {
    if let Some(why) = unprintable(value) {
        return Err(format!("{why}: remove it"));
    }
    limited(value, max)
}

/// A text that may have several lines.
fn lines(value: &str) -> Result<String, String> {
    let value = value.replace("\r\n", "\n");
    if value
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err("it holds a control character: remove it".to_owned());
    }
    limited(&value, MAX_CUSTOM)
}

fn limited(value: &str, max: usize) -> Result<String, String> {
    let count = value.chars().count();
    if count > max {
        return Err(format!("it has {count} characters, at most {max} are kept"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &str) -> Columns {
        Columns::read(1, header.as_bytes()).unwrap()
    }

    fn id() -> ContactId {
        ContactId::generate(uuid::Uuid::nil())
    }

    #[test]
    fn what_a_list_knows_of_the_person_is_read_or_named_as_wrong() {
        let columns = columns("phone,person,debt,time_zone,priority,best_hour");
        let contact = columns
            .contact(id(), b"0639981234,p-1,d-1,europe/paris,99,18", "FR")
            .unwrap();
        let known = Known {
            person_key: Some("p-1".to_owned()),
            debt_key: Some("d-1".to_owned()),
            time_zone: Some("Europe/Paris".to_owned()),
            priority: 99,
            best_hour: Some(18),
        };
        assert_eq!(contact.known, known);
        for (line, column) in [
            ("0639981234,,,Mars/Olympus,,", "time_zone"),
            ("0639981234,,,,100,", "priority"),
            ("0639981234,,,,-1,", "priority"),
            ("0639981234,,,,,24", "best_hour"),
        ] {
            let wrong = columns.contact(id(), line.as_bytes(), "FR").unwrap_err();
            assert_eq!(wrong.column.as_deref(), Some(column));
        }
    }

    #[test]
    fn columns_are_known_by_their_names() {
        let columns = columns("\u{feff}First Name;last_name;PHONE;phone3;Postal-Code;loan");
        let contact = columns
            .contact(
                id(),
                "Ada;Lovelace;06 39 98 12 34;+33639981235;75011;12,5".as_bytes(),
                "FR",
            )
            .unwrap();
        assert_eq!(
            (contact.first_name.as_str(), contact.postal_code.as_str()),
            ("Ada", "75011")
        );
        assert_eq!(
            contact
                .phones
                .iter()
                .map(|phone| phone.number.as_str())
                .collect::<Vec<_>>(),
            ["+33639981234", "+33639981235"]
        );
        assert_eq!(contact.custom_fields["loan"], "12,5");
    }

    #[test]
    fn a_header_that_cannot_be_used_is_refused() {
        for header in [
            "name",
            "phone,phone_number",
            "phone,",
            "phone,a,a",
            "phone,\"b\nc\"",
            "phone,\u{1b}[31m",
        ] {
            assert!(Columns::read(1, header.as_bytes()).is_err(), "{header:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_column() {
        let columns = columns("first_name,phone,note");
        let wrong = |line: &[u8]| columns.contact(id(), line, "FR").unwrap_err();
        let rejected = wrong(b"\"Ada\r\nAction: Hangup\",0639981234,");
        assert_eq!(rejected.column.as_deref(), Some("first_name"));
        assert_eq!(rejected.reason, "it holds a line break: remove it");
        assert_eq!(wrong(b"Ada,CALL ME,").column.as_deref(), Some("phone"));
        assert_eq!(wrong(b"Ada,,").reason, "the line has no phone number");
        assert_eq!(
            wrong(b"Ada,0639981234").reason,
            "the line has 2 fields, the header names 3"
        );
        assert!(wrong(b"Ada,0639981234,\xff").reason.contains("UTF-8"));
        assert_eq!(
            wrong(b"Ada,0639981234,a\0b").column.as_deref(),
            Some("note")
        );
    }
}
