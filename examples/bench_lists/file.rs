//! The files that are sent, made piece by piece.

use std::{convert::Infallible, fmt::Write as _};

use futures_util::{Stream, stream};

/// Bytes of one piece, about.
const PIECE: usize = 64 * 1024;

/// One line in so many repeats the number of the line 25 above, written in another way.
const DUPLICATE: u32 = 50;

/// One line in so many has a number that cannot be.
const BAD: u32 = 100;

/// Errors that the daemon lists.
const LISTED: usize = 1_000;

/// A file of contacts: numbers of France and of the United States as people write them.
pub(crate) struct Contacts {
    lines: u32,
}

impl Contacts {
    pub(crate) fn new(lines: u32) -> Self {
        Self { lines }
    }
}

/// What is to become of a file of contacts.
pub(crate) struct Expected {
    pub(crate) duplicates: u64,
    pub(crate) bad: u64,
    /// The lines that are refused first, as an editor counts them.
    pub(crate) first_refused: Vec<u64>,
}

pub(crate) fn expected(lines: u32) -> Expected {
    let of = |kind: Kind| (0..lines).filter(move |place| self::kind(*place) == kind);
    let refused = (0..lines).filter(|place| kind(*place) != Kind::Good);
    Expected {
        duplicates: of(Kind::Duplicate).count() as u64,
        bad: of(Kind::Bad).count() as u64,
        // The header is line 1.
        first_refused: refused
            .take(LISTED)
            .map(|place| u64::from(place) + 2)
            .collect(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    Duplicate,
    Bad,
}

fn kind(place: u32) -> Kind {
    if place % BAD == BAD - 1 {
        Kind::Bad
    } else if place % DUPLICATE == DUPLICATE / 2 {
        Kind::Duplicate
    } else {
        Kind::Good
    }
}

/// A fixed or mobile line in France (nine digits), or a line in a North American area: area,
/// exchange, line.
enum Number {
    France(u32),
    America(u32, u32, u32),
}

/// The number of a place, different for each.
fn number(place: u32) -> Number {
    let nth = u64::from(place / 2);
    if place.is_multiple_of(2) {
        // 7,919 is prime and divides neither modulus: each place has another number.
        let mixed = u32::try_from(nth * 7_919 % 60_000_000).unwrap_or(0);
        let prefix = [1, 2, 3, 4, 6, 7][(mixed / 10_000_000) as usize];
        Number::France(prefix * 100_000_000 + mixed % 10_000_000 + 10_000_000)
    } else {
        let areas = [212, 305, 312, 303, 415, 713, 602, 617, 404, 206];
        let mixed = u32::try_from(nth / 10 * 7_919 % 8_000_000).unwrap_or(0);
        Number::America(
            areas[(nth % 10) as usize],
            200 + mixed / 10_000,
            mixed % 10_000,
        )
    }
}

/// A number in one of the forms that stand in lists.
fn write_number(text: &mut String, number: &Number, form: u32) {
    let written = match number {
        Number::France(digits) => {
            let pairs: Vec<String> = [1_000_000, 10_000, 100, 1]
                .iter()
                .map(|unit| format!("{:02}", digits / unit % 100))
                .collect();
            let first = digits / 100_000_000;
            match form % 6 {
                0 => write!(text, "0{first} {}", pairs.join(" ")),
                1 => write!(text, "0{first}{}", pairs.concat()),
                2 => write!(text, "0{first}.{}", pairs.join(".")),
                3 => write!(text, "+33 {first} {}", pairs.join(" ")),
                4 => write!(text, "+33{first}{}", pairs.concat()),
                _ => write!(text, "0033 {first} {}", pairs.join("-")),
            }
        }
        Number::America(area, exchange, line) => match form % 4 {
            0 => write!(text, "+1{area}{exchange}{line:04}"),
            1 => write!(text, "+1 ({area}) {exchange}-{line:04}"),
            2 => write!(text, "+1-{area}-{exchange}-{line:04}"),
            _ => write!(text, "001 {area}.{exchange}.{line:04}"),
        },
    };
    debug_assert!(written.is_ok(), "a String takes everything");
}

fn write_contact(text: &mut String, place: u32) {
    let (first, last) = (place % 4_999, place % 69_997);
    let _ = write!(text, "First{first},\"Last {last}\",");
    match kind(place) {
        Kind::Good => write_number(text, &number(place), place / 2),
        Kind::Duplicate => {
            let before = place - DUPLICATE / 2;
            write_number(text, &number(before), before / 2 + 1);
        }
        Kind::Bad => text.push_str(
            ["06 12 34", "CALL ME", "", "+33 6 12 34 56 78 90 12"][(place / BAD % 4) as usize],
        ),
    }
    let (code, city, balance) = (place % 95_000, place % 311, place % 9_001);
    let _ = writeln!(text, ",{code:05},City {city},{balance}.50,R{place:07}");
}

impl Contacts {
    pub(crate) fn stream(self) -> impl Stream<Item = Result<String, Infallible>> + Send + 'static {
        let header = "first_name,last_name,phone,postal_code,city,balance,reference\n";
        pieces(header, self.lines, write_contact)
    }
}

/// A do-not-call list: a number in E.164 on each line, as registers are given out.
pub(crate) struct Register {
    lines: u32,
}

impl Register {
    pub(crate) fn new(lines: u32) -> Self {
        Self { lines }
    }

    pub(crate) fn stream(self) -> impl Stream<Item = Result<String, Infallible>> + Send + 'static {
        pieces("", self.lines, |text, place| {
            let _ = writeln!(text, "{}", register_number(place));
        })
    }
}

/// The number of a place in the register, in no order. Places behind its last are on no list.
pub(crate) fn register_number(place: u32) -> String {
    // 7,919 is prime and does not divide 100 million: each place has another number.
    let mixed = u64::from(place) * 7_919 % 100_000_000;
    format!("+336{mixed:08}")
}

fn pieces(
    header: &str,
    lines: u32,
    write: fn(&mut String, u32),
) -> impl Stream<Item = Result<String, Infallible>> + Send + 'static + use<> {
    let begun = (header.to_owned(), 0);
    stream::unfold(begun, move |(mut text, mut place)| async move {
        while place < lines && text.len() < PIECE {
            write(&mut text, place);
            place += 1;
        }
        (!text.is_empty()).then(|| (Ok(text), (String::with_capacity(PIECE + 256), place)))
    })
}
