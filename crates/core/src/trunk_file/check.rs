//! What the values of a trunk may be.

use super::{Fault, INBOUND, Password};

/// Names that begin so are ours, and no trunk has them.
const RESERVED: &str = "strowger-";

/// The codecs of a trunk for which none are named; those of its template.
const CODECS: &[&str] = &["alaw", "ulaw"];

/// Most codecs of a trunk.
const MAX_CODECS: usize = 12;

/// Longest password, in characters.
const MAX_PASSWORD: usize = 200;

/// Collects what is wrong.
pub(super) struct Check(pub(super) Vec<Fault>);

impl Check {
    fn wrong(&mut self, field: &'static str, reason: impl Into<String>) {
        self.0.push(Fault::new(field, reason));
    }

    pub(super) fn alphabet(&mut self, field: &'static str, text: &str, most: usize, extra: &str) {
        let known = |c: char| c.is_ascii_alphanumeric() || extra.contains(c);
        if text.len() > most || !text.chars().all(known) {
            let extra: Vec<String> = extra.chars().map(String::from).collect();
            let extra = extra.join(" ");
            self.wrong(
                field,
                format!("must have at most {most} letters, digits and {extra}"),
            );
        }
    }

    pub(super) fn name(&mut self, name: &str) {
        self.alphabet("endpoint", name, 64, "_.-");
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            self.wrong("endpoint", "must begin with a letter or a digit");
        }
        if name.to_ascii_lowercase().starts_with(RESERVED) {
            self.wrong("endpoint", "names that begin with strowger- are reserved");
        }
    }

    /// Callers from outside arrive where they may: not where agents or the daemon dial.
    pub(super) fn context(&mut self, context: &str) {
        self.alphabet("inbound_context", context, 80, "_-");
        if context.to_ascii_lowercase().starts_with(RESERVED) && context != INBOUND {
            self.wrong(
                "inbound_context",
                "is not for callers from outside: leave it empty, or name a context of your own",
            );
        }
    }

    pub(super) fn password(&mut self, password: Option<&Password>) {
        let Some(Password(password)) = password else {
            return;
        };
        let printable = |b: u8| (b' '..=b'~').contains(&b);
        if !(1..=MAX_PASSWORD).contains(&password.len()) {
            self.wrong(
                "password",
                format!("must have 1 to {MAX_PASSWORD} characters"),
            );
        } else if !password.bytes().all(printable) || password.trim() != password {
            self.wrong(
                "password",
                "must have printable ASCII characters only, and no blank at either end: Asterisk takes no others",
            );
        }
    }

    pub(super) fn caller_id(&mut self, number: &str) {
        let digits = number.strip_prefix('+').unwrap_or(number);
        let fits = (3..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if !number.is_empty() && !fits {
            self.wrong(
                "caller_id",
                "must be a number of 3 to 15 digits, with or without a +",
            );
        }
    }

    pub(super) fn codecs<'a>(&mut self, text: &'a str) -> Vec<&'a str> {
        if text.trim().is_empty() {
            return CODECS.to_vec();
        }
        let codecs: Vec<&str> = text.split(',').map(str::trim).collect();
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let legal = |one: &&str| (1..=20).contains(&one.len()) && one.bytes().all(known);
        let twice = codecs
            .iter()
            .enumerate()
            .any(|(at, one)| codecs[..at].contains(one));
        if codecs.len() > MAX_CODECS || !codecs.iter().all(legal) || twice {
            self.wrong(
                "codecs",
                format!("must be at most {MAX_CODECS} different codecs such as alaw,ulaw"),
            );
        }
        codecs
    }

    pub(super) fn list<T>(
        &mut self,
        field: &'static str,
        text: &str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        if text.trim().is_empty() {
            return Vec::new();
        }
        let items: Vec<&str> = text.split(',').map(str::trim).collect();
        if items.len() > most {
            self.wrong(
                field,
                format!("has {} entries: {most} at most", items.len()),
            );
            return Vec::new();
        }
        let mut read = Vec::new();
        for item in items {
            match parse(item) {
                Ok(item) => read.push(item),
                Err(why) => self.wrong(field, why),
            }
        }
        read
    }
}
