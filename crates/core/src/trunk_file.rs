//! What Asterisk is told of the trunks that Strowger configures: sections of PJSIP.
//!
//! Every value is checked against a closed alphabet before it is written, and the one that may
//! hold anything printable, the password, is escaped: `;` is the only character that means
//! something within a value (`config_text_file_load` in Asterisk's `main/config.c`), and a
//! backslash before it takes the meaning away. So a value can begin neither a line nor a
//! section, an inclusion or a comment. What is written refers to the templates of
//! `asterisk-config/pjsip.conf`.

mod address;
mod check;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use address::{Match, Place};
use check::Check;

/// The context of our dialplan in which calls of a trunk arrive.
const INBOUND: &str = "strowger-inbound";

/// Most hosts of a trunk, and most addresses that its calls come from.
const MAX_HOSTS: usize = 8;
const MAX_MATCHES: usize = 50;

/// The first lines of the file.
const HEAD: &str =
    "; Trunks that are set in Strowger. It replaces this file; changes made here are lost.\n";

/// A password, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// A trunk whose configuration at the exchange is ours. Empty texts are none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnTrunk {
    /// The name of its endpoint.
    pub endpoint: String,
    /// Where the other end is: addresses or host names, each with or without a port, separated
    /// by commas. Calls go to the first that answers.
    pub domain: String,
    /// What we log in with.
    pub login: String,
    /// The password for it.
    pub password: Option<Password>,
    /// The exchange registers there; otherwise the other end knows us by our address.
    pub registers: bool,
    /// Where and as whom to register, when login and domain do not say it:
    /// `[sip:][user@]host[:port][/extension]`.
    pub register_string: String,
    /// The context in which its calls arrive; empty for ours.
    pub inbound_context: String,
    /// Addresses and networks that its calls come from, besides those in `domain`, separated by
    /// commas.
    pub match_addresses: String,
    /// Codecs in order of preference, separated by commas.
    pub codecs: String,
    /// The number in the From header of its calls, for carriers that want one of ours there.
    pub caller_id: String,
}

/// What is wrong with a value of a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl Fault {
    fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self {
            field,
            reason: reason.into(),
        }
    }
}

/// Trunks that cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faulty {
    /// The endpoint of the one that is at fault.
    pub endpoint: String,
    /// What is wrong with it, at least one.
    pub faults: Vec<Fault>,
}

/// How a trunk is doing, as its exchange says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The exchange has its endpoint.
    pub configured: bool,
    /// The other end answers; `None` when that is not known.
    pub reachable: Option<bool>,
    /// The state of its registration, such as `Registered`; `None` when it has none.
    pub registration: Option<String>,
}

/// Why an exchange does not have the trunks that it was given; it has those of before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The values of a trunk cannot be written.
    #[error("the trunk at endpoint {} cannot be configured: {}", .0.endpoint, told(&.0.faults))]
    Faulty(Faulty),
    /// The endpoint was configured at the exchange by somebody else.
    #[error(
        "the exchange has an endpoint {0} that Strowger did not configure: choose another name, or remove it there first"
    )]
    Clash(String),
    /// The exchange does not know the context in which calls of a trunk are to arrive.
    #[error(
        "the exchange has no context {context} for the calls of {endpoint}: leave it empty for that of Strowger, or add it to the dialplan first"
    )]
    NoContext {
        /// The trunk.
        endpoint: String,
        /// Its context.
        context: String,
    },
    /// The exchange cannot be asked now.
    #[error("the exchange cannot be asked now, so nothing was changed: {0}")]
    Unreachable(String),
    /// The file cannot be read or written.
    #[error("the file of trunks cannot be written: {0}")]
    File(String),
    /// The exchange did not take the file; it has the former one again.
    #[error("Asterisk did not take the change and has its former trunks again: {0}")]
    NotTaken(String),
    /// The same, and the former file could not be put back.
    #[error(
        "Asterisk did not take the change ({said}), and the former file could not be put back: {why}"
    )]
    NotRestored {
        /// What Asterisk said.
        said: String,
        /// What went wrong then.
        why: String,
    },
}

fn told(faults: &[Fault]) -> String {
    let each = faults
        .iter()
        .map(|fault| format!("{}: {}", fault.field, fault.reason));
    each.collect::<Vec<_>>().join("; ")
}

/// A section of the file.
#[derive(Clone, PartialEq, Eq)]
struct Section {
    name: String,
    template: &'static str,
    values: Vec<(&'static str, String)>,
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]({})", self.name, self.template)
    }
}

/// A registration as Asterisk must have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where.
    pub server_uri: String,
    /// What is registered.
    pub client_uri: String,
}

/// What Asterisk must say of a trunk once it has read the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The endpoint.
    pub endpoint: String,
    /// Options of the endpoint, by name.
    pub values: Vec<(&'static str, String)>,
    /// Its registration, if it has one.
    pub registration: Option<Registration>,
}

impl Wanted {
    /// Whether an option has the value that it must have. Codecs are shown in their own way:
    /// `(alaw|ulaw)`.
    pub fn agrees(option: &str, wanted: &str, seen: &str) -> bool {
        if option == "allow" {
            let seen = seen.trim_start_matches('(').trim_end_matches(')');
            return seen.split('|').eq(wanted.split('|'));
        }
        wanted == seen
    }
}

/// The file, and what Asterisk must say when it has read it.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkFile {
    /// Its content, passwords included.
    pub text: String,
    /// One for each trunk.
    pub wanted: Vec<Wanted>,
}

impl fmt::Debug for TrunkFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrunkFile")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

/// The file of these trunks of one exchange.
///
/// # Errors
/// The first trunk with values that cannot be written, or that the exchange could not tell from
/// one before it.
pub fn render(trunks: &[OwnTrunk]) -> Result<TrunkFile, Faulty> {
    let mut endpoints = BTreeSet::new();
    let mut matches: Vec<(Match, &str)> = Vec::new();
    let mut text = HEAD.to_owned();
    let mut wanted = Vec::new();
    for trunk in trunks {
        let faulty = |faults| Faulty {
            endpoint: trunk.endpoint.clone(),
            faults,
        };
        let plan = Plan::of(trunk).map_err(faulty)?;
        if !endpoints.insert(trunk.endpoint.to_ascii_lowercase()) {
            let why =
                "another trunk of this exchange is configured with this endpoint: each has its own";
            return Err(faulty(vec![Fault::new("endpoint", why)]));
        }
        for one in &plan.matches {
            if let Some((_, other)) = matches.iter().find(|(other, _)| other.overlaps(one)) {
                let why = format!(
                    "calls from {one} belong to the trunk at endpoint {other}: Asterisk could not tell theirs from these"
                );
                return Err(faulty(vec![Fault::new(plan.match_field, why)]));
            }
        }
        matches.extend(
            plan.matches
                .iter()
                .map(|one| (one.clone(), trunk.endpoint.as_str())),
        );
        text.extend(plan.sections().iter().map(ToString::to_string));
        wanted.push(plan.wanted());
    }
    Ok(TrunkFile { text, wanted })
}

/// What is wrong with the values of a trunk by itself.
pub fn faults(trunk: &OwnTrunk) -> Vec<Fault> {
    Plan::of(trunk).err().unwrap_or_default()
}

/// The endpoints that a file of ours configures.
pub fn endpoints(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix('[')?.strip_suffix("](strowger-trunk)"))
        .collect()
}

/// What a file of ours says of an endpoint.
pub fn of_endpoint<'a>(text: &'a str, endpoint: &str) -> Vec<&'a str> {
    let mut inside = false;
    let section = format!("[{endpoint}](");
    text.lines()
        .filter(|line| {
            if line.starts_with('[') {
                inside = line.starts_with(&section);
            }
            inside && !line.is_empty()
        })
        .collect()
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n[{}]({})", self.name, self.template)?;
        for (name, value) in &self.values {
            writeln!(f, "{name} = {}", value.replace(';', "\\;"))?;
        }
        Ok(())
    }
}

/// A trunk whose values are checked.
struct Plan<'a> {
    trunk: &'a OwnTrunk,
    contacts: Vec<Place>,
    codecs: Vec<&'a str>,
    matches: Vec<Match>,
    /// The field that they come from.
    match_field: &'static str,
    from_user: String,
    registration: Option<(Registration, String)>,
}

impl<'a> Plan<'a> {
    fn of(trunk: &'a OwnTrunk) -> Result<Self, Vec<Fault>> {
        let mut check = Check(Vec::new());
        check.name(&trunk.endpoint);
        check.context(&trunk.inbound_context);
        check.password(trunk.password.as_ref());
        check.alphabet("login", &trunk.login, 128, "._+@-");
        check.caller_id(&trunk.caller_id);
        let codecs = check.codecs(&trunk.codecs);
        let mut contacts = check.list("domain", &trunk.domain, MAX_HOSTS, Place::parse);
        let given = check.list(
            "match_addresses",
            &trunk.match_addresses,
            MAX_MATCHES,
            Match::parse,
        );
        let user = trunk.login.split('@').next().unwrap_or_default();
        let mut registration = None;
        if trunk.registers {
            match Registrar::parse(&trunk.register_string, user, contacts.first()) {
                Ok(registrar) => {
                    if contacts.is_empty() {
                        contacts.push(registrar.place.clone());
                    }
                    registration = Some((registrar.registration(), registrar.extension));
                }
                // A domain that cannot be read has been told of.
                Err(fault) if check.0.is_empty() => check.0.push(fault),
                Err(_) => {}
            }
        }
        if contacts.is_empty() && check.0.is_empty() {
            let why = "say where the other end is: an address or a host name";
            check.0.push(Fault::new("domain", why));
        }
        // A registered trunk is known by the contact that it was given, whatever the address.
        let of_domain: Vec<Match> = if trunk.registers {
            Vec::new()
        } else {
            contacts.iter().map(Place::as_match).collect()
        };
        let match_field = if given.is_empty() {
            "domain"
        } else {
            "match_addresses"
        };
        let names_too = given.is_empty() && !of_domain.iter().any(Match::is_address);
        let mut matches = given;
        for one in of_domain {
            // The address decides. A name is taken where there is nothing else: Asterisk looks it
            // up when it reads the file.
            if (one.is_address() || names_too) && !matches.contains(&one) {
                matches.push(one);
            }
        }
        if !check.0.is_empty() {
            return Err(check.0);
        }
        let from_user = [trunk.caller_id.as_str(), user]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default()
            .to_owned();
        Ok(Self {
            trunk,
            contacts,
            codecs,
            matches,
            match_field,
            from_user,
            registration,
        })
    }

    fn context(&self) -> &str {
        match self.trunk.inbound_context.as_str() {
            "" => INBOUND,
            context => context,
        }
    }

    fn auth(&self) -> Option<&Password> {
        let password = self.trunk.password.as_ref();
        password.filter(|_| !self.trunk.login.is_empty())
    }

    fn sections(&self) -> Vec<Section> {
        let name = &self.trunk.endpoint;
        let section = |template, values| Section {
            name: name.clone(),
            template,
            values,
        };
        let mut endpoint = vec![
            ("aors", name.clone()),
            ("context", self.context().to_owned()),
            ("allow", format!("!all,{}", self.codecs.join(","))),
        ];
        if self.auth().is_some() {
            endpoint.push(("outbound_auth", name.clone()));
        }
        if !self.from_user.is_empty() {
            endpoint.push(("from_user", self.from_user.clone()));
        }
        let contacts = self.contacts.iter();
        let contacts = contacts.map(|place| ("contact", format!("sip:{place}")));
        let mut sections = vec![
            section("strowger-trunk", endpoint),
            section("strowger-trunk-aor", contacts.collect()),
        ];
        if !self.matches.is_empty() {
            let list: Vec<String> = self.matches.iter().map(ToString::to_string).collect();
            let values = vec![("endpoint", name.clone()), ("match", list.join(","))];
            sections.push(section("strowger-trunk-identify", values));
        }
        if let Some(Password(password)) = self.auth() {
            let values = vec![
                ("username", self.trunk.login.clone()),
                ("password", password.clone()),
            ];
            sections.push(section("strowger-trunk-auth", values));
        }
        if let Some((registration, extension)) = &self.registration {
            let mut values = Vec::new();
            if self.auth().is_some() {
                values.push(("outbound_auth", name.clone()));
            }
            values.extend([
                ("endpoint", name.clone()),
                ("server_uri", registration.server_uri.clone()),
                ("client_uri", registration.client_uri.clone()),
                ("contact_user", extension.clone()),
            ]);
            sections.push(section("strowger-trunk-registration", values));
        }
        sections
    }

    fn wanted(&self) -> Wanted {
        let name = &self.trunk.endpoint;
        let auth = self.auth().map(|_| name.clone()).unwrap_or_default();
        Wanted {
            endpoint: name.clone(),
            values: vec![
                ("aors", name.clone()),
                ("context", self.context().to_owned()),
                ("allow", self.codecs.join("|")),
                ("outbound_auth", auth),
                ("from_user", self.from_user.clone()),
            ],
            registration: self.registration.as_ref().map(|(one, _)| one.clone()),
        }
    }
}

/// Where and as whom to register.
struct Registrar {
    user: String,
    place: Place,
    extension: String,
}

impl Registrar {
    fn parse(line: &str, login: &str, domain: Option<&Place>) -> Result<Self, Fault> {
        const FIELD: &str = "register_string";
        let legal = |text: &str| {
            let known = |b: u8| b.is_ascii_alphanumeric() || b"._+@-".contains(&b);
            (1..=128).contains(&text.len()) && text.bytes().all(known)
        };
        let rest = line.strip_prefix("sip:").unwrap_or(line);
        let (rest, extension) = match rest.split_once('/') {
            Some((rest, extension)) => (rest, extension),
            // What a registered trunk calls when it is given nothing else: the dialplan has it.
            None => (rest, "s"),
        };
        let (user, host) = rest.rsplit_once('@').unwrap_or((login, rest));
        let user = if user.is_empty() { login } else { user };
        if user.is_empty() {
            return Err(Fault::new("login", "a registration needs a login"));
        }
        let user = user.split('@').next().unwrap_or_default();
        if !legal(user) || !legal(extension) {
            let why = "must be [sip:]user@host[:port][/extension], without the password";
            return Err(Fault::new(FIELD, why));
        }
        let place = match (host, domain) {
            ("", Some(domain)) => domain.clone(),
            ("", None) => {
                return Err(Fault::new(
                    "domain",
                    "say where to register: an address or a host name",
                ));
            }
            (host, _) => Place::parse(host).map_err(|why| Fault::new(FIELD, why))?,
        };
        Ok(Self {
            user: user.to_owned(),
            place,
            extension: extension.to_owned(),
        })
    }

    fn registration(&self) -> Registration {
        let Self { user, place, .. } = self;
        Registration {
            server_uri: format!("sip:{place}"),
            client_uri: format!("sip:{user}@{place}"),
        }
    }
}
