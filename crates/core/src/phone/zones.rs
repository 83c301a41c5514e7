//! Time zones and countries by the prefix of a number, from `data/phone-zones.txt`.

use std::{collections::HashMap, sync::LazyLock};

use super::PhoneNumber;

static TABLE: LazyLock<Table> =
    LazyLock::new(|| Table::read(include_str!("../../data/phone-zones.txt")));

/// Digits of the longest prefix that fits the keys of the table.
const LONGEST: usize = 9;

#[derive(Default)]
struct Table {
    /// Zone to country (ISO 3166, two letters).
    countries: HashMap<&'static str, &'static str>,
    /// Prefix, as a number: none begins with 0, so no two prefixes are the same number.
    prefixes: HashMap<u32, Places>,
}

#[derive(Default)]
struct Places {
    zones: Vec<&'static str>,
    countries: Vec<&'static str>,
}

impl Table {
    /// Lines that do not have the form are left out; a test reads the file and finds none.
    fn read(text: &'static str) -> Self {
        let mut table = Self::default();
        let mut zones = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once(' ') else {
                continue;
            };
            let Ok(prefix) = key.parse::<u32>() else {
                zones.push((key, value));
                table.countries.insert(key, value);
                continue;
            };
            let mut places = Places::default();
            for index in value.split(',') {
                if let Some((zone, country)) = index.parse().ok().and_then(|i: usize| zones.get(i))
                {
                    places.zones.push(*zone);
                    if !places.countries.contains(country) {
                        places.countries.push(*country);
                    }
                }
            }
            table.prefixes.insert(prefix, places);
        }
        table
    }

    fn places(&self, number: &PhoneNumber) -> Option<&Places> {
        let digits = number.as_str().strip_prefix('+')?;
        (1..=LONGEST.min(digits.len()))
            .rev()
            .find_map(|length| self.prefixes.get(&digits.get(..length)?.parse().ok()?))
    }
}

/// Every time zone that a number may be in, IANA names, by its longest known prefix; none
/// when nothing is known. A toll-free or satellite number may be in many.
pub fn zones_of(number: &PhoneNumber) -> &'static [&'static str] {
    TABLE.places(number).map_or(&[], |places| &places.zones)
}

/// Every country (ISO 3166, two letters) that a number may be in: those of its zones.
pub fn countries_of(number: &PhoneNumber) -> &'static [&'static str] {
    TABLE.places(number).map_or(&[], |places| &places.countries)
}

/// The country of a time zone (ISO 3166, two letters), as zone.tab of the tz database says.
pub fn country_of_zone(zone: &str) -> Option<&'static str> {
    TABLE.countries.get(zone).copied()
}

/// Every time zone of a country (ISO 3166, two letters), by name. For people who look at a
/// country: it walks the whole table.
pub fn zones_of_country(country: &str) -> Vec<&'static str> {
    let mut zones: Vec<_> = TABLE
        .countries
        .iter()
        .filter(|(_, home)| **home == country)
        .map(|(zone, _)| *zone)
        .collect();
    zones.sort_unstable();
    zones
}

/// Every time zone that a number with this prefix (such as `+1850`) may be in, by name. For
/// people who look at an area: it walks the whole table.
pub fn zones_of_prefix(prefix: &str) -> Vec<&'static str> {
    let digits = prefix.trim_start_matches('+');
    let shorter = (1..=digits.len())
        .rev()
        .find_map(|length| TABLE.prefixes.get(&digits.get(..length)?.parse().ok()?));
    let longer = TABLE
        .prefixes
        .iter()
        .filter(|(key, _)| key.to_string().starts_with(digits))
        .map(|(_, places)| places);
    let mut zones: Vec<_> = longer
        .chain(shorter)
        .flat_map(|places| places.zones.iter().copied())
        .collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compliance::zone;

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn the_longest_prefix_says_where_a_number_is() {
        for (text, zones) in [
            ("+33142278186", &["Europe/Paris"][..]),
            ("+13055550123", &["America/New_York"]),
            ("+12082015555", &["America/Denver"]),
            ("+12085550123", &["America/Boise", "America/Los_Angeles"]),
            ("+262262123456", &["Indian/Reunion"]),
            ("+914023456789", &["Asia/Kolkata"]),
        ] {
            assert_eq!(zones_of(&number(text)), zones, "{text}");
        }
        assert!(zones_of(&number("+18005550123")).len() > 20);
        assert!(zones_of(&number("+999123456")).is_empty());
    }

    #[test]
    fn a_number_is_in_the_countries_of_its_zones() {
        assert_eq!(countries_of(&number("+13055550123")), ["US"]);
        assert_eq!(countries_of(&number("+14165550123")), ["CA"]);
        assert_eq!(country_of_zone("America/Martinique"), Some("MQ"));
        assert_eq!(country_of_zone("Mars/Olympus"), None);
    }

    #[test]
    fn an_area_or_a_country_has_the_zones_of_its_numbers() {
        assert_eq!(zones_of_prefix("+1305"), ["America/New_York"]);
        assert_eq!(
            zones_of_prefix("+1850"),
            ["America/Chicago", "America/New_York"]
        );
        assert_eq!(zones_of_country("FR"), ["Europe/Paris"]);
        assert!(zones_of_country("US").contains(&"Pacific/Honolulu"));
        assert!(zones_of_country("XX").is_empty());
    }

    #[test]
    fn every_line_of_the_table_is_read_and_every_zone_has_clock_rules() {
        let text = include_str!("../../data/phone-zones.txt");
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .count();
        assert_eq!(lines, TABLE.countries.len() + TABLE.prefixes.len());
        for name in TABLE.countries.keys() {
            assert!(zone(name).is_some(), "{name}");
        }
        for (prefix, places) in &TABLE.prefixes {
            assert!(!places.zones.is_empty(), "{prefix}");
            assert!(prefix.to_string().len() <= LONGEST);
        }
    }
}
