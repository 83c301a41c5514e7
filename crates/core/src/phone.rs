//! Phone numbers, always held in E.164.

mod zones;

use std::{fmt, str::FromStr, sync::Arc};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType, Region};
use serde::{Deserialize, Serialize};

pub use zones::{countries_of, country_of_zone, zones_of, zones_of_country, zones_of_prefix};

/// A phone number in E.164, such as `+33639981234`.
///
/// `Debug` shows only the last two digits: numbers do not belong in logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(Arc<str>);

/// Why a text is not a phone number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPhone {
    /// Nothing was given.
    #[error("the phone number is empty")]
    Empty,
    /// It cannot be read as a number of that region, or no such number can exist.
    #[error("{text:?} is not a possible phone number{hint}")]
    Impossible {
        /// What was given, cut to 40 characters.
        text: String,
        /// What could be wrong, as the end of a sentence.
        hint: &'static str,
    },
}

impl PhoneNumber {
    /// Reads a number as people write it. Numbers without a country code are
    /// read as numbers of `region` (ISO 3166 two letters, such as `FR`).
    ///
    /// "Possible" (right length for its country) is asked, not "assigned":
    /// numbering plans change faster than their metadata is released.
    ///
    /// # Errors
    /// [`InvalidPhone`] with a text that can be shown to the person who typed it.
    pub fn parse(text: &str, region: &str) -> Result<Self, InvalidPhone> {
        let parsed = read(text, region)?;
        Ok(Self::of(&parsed))
    }

    fn of(parsed: &rlibphonenumber::PhoneNumber) -> Self {
        Self(
            PHONE_NUMBER_UTIL
                .format(parsed, PhoneNumberFormat::E164)
                .as_ref()
                .into(),
        )
    }

    /// The number as a person of `region` (ISO 3166 two letters) dials it, digits only: a number
    /// of that region with its national prefix, such as `0639981234`; any other in E.164.
    pub fn dialed_in(&self, region: &str) -> String {
        let own = Region::from_str(region).ok().and_then(|region| {
            let number = PHONE_NUMBER_UTIL.parse(&*self.0, None).ok()?;
            let country = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
            (country == number.country_code).then_some(number)
        });
        match own {
            Some(number) => PHONE_NUMBER_UTIL
                .format(&number, PhoneNumberFormat::National)
                .chars()
                .filter(char::is_ascii_digit)
                .collect(),
            None => self.0.as_ref().to_owned(),
        }
    }

    /// The number in E.164.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A possible number in the terms of the library: see [`PhoneNumber::parse`].
fn read(text: &str, region: &str) -> Result<rlibphonenumber::PhoneNumber, InvalidPhone> {
    let text = text.trim();
    if text.is_empty() {
        return Err(InvalidPhone::Empty);
    }
    let impossible = |hint| InvalidPhone::Impossible {
        text: text.chars().take(40).collect(),
        hint,
    };
    // Letters are refused before parsing: "CALL ME" is a vanity number to the library,
    // and a shifted column to the person who imports a list.
    if text.chars().any(char::is_alphabetic) {
        return Err(impossible(": it holds letters"));
    }
    let number = PHONE_NUMBER_UTIL
        .parse(text, Region::from_str(region).ok())
        .map_err(|_| impossible(""))?;
    if !PHONE_NUMBER_UTIL.is_possible_number(&number) {
        return Err(impossible(": wrong length for its country"));
    }
    Ok(number)
}

/// A number with its type, which costs less to tell when both come from one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedNumber {
    /// The number.
    pub number: PhoneNumber,
    /// Its type, as [`number_type`] tells it.
    pub kind: NumberType,
}

impl TypedNumber {
    /// Reads a number as [`PhoneNumber::parse`] does.
    ///
    /// # Errors
    /// Those of [`PhoneNumber::parse`].
    pub fn parse(text: &str, region: &str) -> Result<Self, InvalidPhone> {
        let parsed = read(text, region)?;
        let number = PhoneNumber::of(&parsed);
        // Its E.164, read again, may lose another national prefix. Not so in France and in North
        // America, where no number begins with one: that spares millions of imported lines the
        // second reading.
        let kind = match (parsed.country_code, parsed.national_number) {
            (33, 100_000_000..=999_999_999) | (1, 2_000_000_000..=9_999_999_999)
                if parsed.italian_leading_zero.is_none() =>
            {
                NumberType::of(&parsed)
            }
            _ => number_type(&number),
        };
        Ok(Self { number, kind })
    }
}

impl From<PhoneNumber> for TypedNumber {
    fn from(number: PhoneNumber) -> Self {
        let kind = number_type(&number);
        Self { number, kind }
    }
}

/// The beginning of a number, as people of `region` write it, in E.164: `06 12` is `+33612` in FR.
pub fn e164_prefix(text: &str, region: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if text.trim_start().starts_with('+') {
        return format!("+{digits}");
    }
    if let Some(international) = digits.strip_prefix("00") {
        return format!("+{international}");
    }
    let region = Region::from_str(region).ok();
    let country = region.and_then(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(region));
    match country {
        Some(country) => format!("+{country}{}", digits.strip_prefix('0').unwrap_or(&digits)),
        None => format!("+{digits}"),
    }
}

/// What kind of line a number leads to, as its numbering plan says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumberType {
    /// A mobile phone.
    Mobile,
    /// A fixed line.
    Fixed,
    /// The plan does not tell fixed lines and mobile phones apart, as in North America.
    FixedOrMobile,
    /// Telephony over the Internet.
    Voip,
    /// Free for the caller.
    TollFree,
    /// Dearer than a plain call.
    Premium,
    /// Anything else, or not an assigned number.
    Other,
}

impl NumberType {
    /// The word for it in the database and in packs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::Fixed => "fixed",
            Self::FixedOrMobile => "fixed-or-mobile",
            Self::Voip => "voip",
            Self::TollFree => "toll-free",
            Self::Premium => "premium",
            Self::Other => "other",
        }
    }

    fn of(parsed: &rlibphonenumber::PhoneNumber) -> Self {
        match PHONE_NUMBER_UTIL.get_number_type(parsed) {
            PhoneNumberType::Mobile => Self::Mobile,
            PhoneNumberType::FixedLine => Self::Fixed,
            PhoneNumberType::FixedLineOrMobile => Self::FixedOrMobile,
            PhoneNumberType::VoIP => Self::Voip,
            PhoneNumberType::TollFree => Self::TollFree,
            PhoneNumberType::PremiumRate => Self::Premium,
            PhoneNumberType::SharedCost
            | PhoneNumberType::PersonalNumber
            | PhoneNumberType::Pager
            | PhoneNumberType::UAN
            | PhoneNumberType::VoiceMail
            | PhoneNumberType::Unknown => Self::Other,
        }
    }
}

/// The type of a number, by the numbering plan of its country.
pub fn number_type(number: &PhoneNumber) -> NumberType {
    PHONE_NUMBER_UTIL
        .parse(number.as_str(), None)
        .map_or(NumberType::Other, |parsed| NumberType::of(&parsed))
}

/// Whether a number belongs to a country (ISO 3166, two letters), by its numbering plan: that of
/// one country when several share a calling code.
pub fn is_of_country(number: &PhoneNumber, country: &str) -> bool {
    let country = Region::from_str(country).ok();
    country.is_some() && region_of(number) == country
}

/// Whether two numbers belong to the same country, and that country is known.
pub fn same_country(one: &PhoneNumber, other: &PhoneNumber) -> bool {
    let country = region_of(one);
    country.is_some() && region_of(other) == country
}

fn region_of(number: &PhoneNumber) -> Option<Region> {
    let parsed = PHONE_NUMBER_UTIL.parse(number.as_str(), None).ok()?;
    parsed.get_region_code()
}

impl TryFrom<String> for PhoneNumber {
    type Error = InvalidPhone;
    fn try_from(text: String) -> Result<Self, InvalidPhone> {
        let digits = text.strip_prefix('+').unwrap_or("");
        if (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidPhone::Impossible {
                text: text.chars().take(40).collect(),
                hint: ": E.164 begins with '+' and has at most 15 digits",
            })
        }
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0.as_ref().to_owned()
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "…{}", &self.0[self.0.len() - 2..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_national_number_becomes_e164() {
        assert_eq!(
            PhoneNumber::parse("06 39 98 12 34", "FR").unwrap().as_str(),
            "+33639981234"
        );
        assert_eq!(
            PhoneNumber::parse("+33 6 39 98 12 34", "US")
                .unwrap()
                .as_str(),
            "+33639981234"
        );
    }

    #[test]
    fn a_number_is_shown_as_it_is_dialed_in_its_region() {
        let shown =
            |text: &str, region: &str| PhoneNumber::parse(text, "FR").unwrap().dialed_in(region);
        assert_eq!(shown("06 39 98 12 34", "FR"), "0639981234");
        assert_eq!(shown("+12025550142", "US"), "2025550142");
        assert_eq!(shown("+12025550142", "FR"), "+12025550142");
        assert_eq!(shown("06 39 98 12 34", "??"), "+33639981234");
    }

    #[test]
    fn the_beginning_of_a_number_is_read_in_its_region() {
        assert_eq!(e164_prefix("06 12", "FR"), "+33612");
        assert_eq!(e164_prefix("0033 6", "FR"), "+336");
        assert_eq!(e164_prefix("+4420", "FR"), "+4420");
        assert_eq!(e164_prefix("202", "US"), "+1202");
        assert_eq!(e164_prefix("0", "FR"), "+33");
    }

    #[test]
    fn what_cannot_be_dialed_is_named() {
        for text in [
            "",
            "12",
            "not a number",
            "06 39 98 12 34 56 78 90 11",
            "+33639981234\r\nX: y",
        ] {
            assert!(PhoneNumber::parse(text, "FR").is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_type_of_a_number_is_what_its_numbering_plan_says() {
        for (number, kind) in [
            ("+33612345678", NumberType::Mobile),
            ("+33142278186", NumberType::Fixed),
            ("+33801234567", NumberType::TollFree),
            ("+33899123456", NumberType::Premium),
            ("+33912345678", NumberType::Voip),
            ("+12015550123", NumberType::FixedOrMobile),
            ("+442079460000", NumberType::Fixed),
            ("+999123", NumberType::Other),
        ] {
            let number = PhoneNumber::try_from(number.to_owned()).unwrap();
            assert_eq!(number_type(&number), kind, "{}", number.as_str());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn a_number_has_the_same_type_read_with_it_or_told_from_its_e164(
            region in prop::sample::select(&["FR", "US", "GB", "DE", "IT", "RU", "MX", "AR", "BR", "HU", "RE"][..]),
            text in "((\\+|00|011)?[0-9]{1,4}[ .(/-]{0,2}[0-9]{2,4}[ .)-]?[0-9]{2,6})|((\\+33 ?0?|0|0033 )[0-9]{8,10})|((\\+1|1)?[ (]{0,2}[0-9]{3}[ )-]{0,2}[0-9]{7})",
        ) {
            if let Ok(typed) = TypedNumber::parse(&text, region) {
                prop_assert_eq!(typed.kind, number_type(&typed.number), "{}", typed.number.as_str());
                prop_assert_eq!(PhoneNumber::parse(&text, region), Ok(typed.number));
            }
        }
    }

    #[test]
    fn countries_that_share_a_calling_code_are_told_apart() {
        let number = |text: &str| PhoneNumber::try_from(text.to_owned()).unwrap();
        let (london, jersey) = (number("+442079460000"), number("+447797123456"));
        let (washington, jamaica) = (number("+12025550142"), number("+18765230123"));
        assert!(is_of_country(&london, "GB") && !is_of_country(&jersey, "GB"));
        assert!(is_of_country(&washington, "US") && !is_of_country(&jamaica, "US"));
        assert!(same_country(&london, &number("+442079460001")));
        assert!(!same_country(&washington, &jamaica));
        // A calling code of no country.
        assert!(!same_country(&number("+999123"), &number("+999124")));
        assert!(!is_of_country(&london, "everywhere"));
    }

    #[test]
    fn a_number_in_a_log_is_redacted() {
        let number = PhoneNumber::parse("+33639981234", "FR").unwrap();
        assert_eq!(format!("{number:?}"), "…34");
    }
}
