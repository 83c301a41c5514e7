//! The block of `agi_*` lines that opens a session, without IO.

use std::{fmt, ops::Range};

use crate::percent::percent_decode;

/// Largest environment in bytes. A real one has about 700.
pub const MAX_BYTES: usize = 64 * 1024;

/// Most lines in an environment: Asterisk sends 22 and at most 127 arguments.
pub const MAX_LINES: usize = 256;

/// Most pairs read from the query of the script.
pub const MAX_QUERY_PAIRS: usize = 64;

/// What every name begins with.
const PREFIX: &str = "agi_";

/// Lines of a real environment with a few arguments.
const USUAL_LINES: usize = 28;

/// Why an environment was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// More than [`MAX_BYTES`] or [`MAX_LINES`].
    #[error("the environment is too large")]
    TooLarge,
    /// A line is not `agi_name: value`.
    #[error("line {line} of the environment is not `agi_name: value`")]
    Malformed {
        /// Line number, from 1.
        line: usize,
    },
    /// A name came twice. Asterisk never does this: a value with a line break
    /// in it was written by somebody else.
    #[error("line {line} of the environment repeats a name")]
    Repeated {
        /// Line number, from 1.
        line: usize,
    },
}

/// What the exchange says about the call it hands over.
///
/// Asterisk writes `unknown` or nothing for what it does not know; both are
/// `None` here. The names and their values come from `setup_env` in
/// `res_agi.c`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// The block as it was sent.
    text: String,
    /// Names without their `agi_` prefix, in order of arrival, raw values.
    lines: Vec<(Range<usize>, Range<usize>)>,
    script: String,
    query: Vec<(String, String)>,
    /// Values of `agi_arg_1` and on.
    arguments: Vec<Range<usize>>,
}

impl fmt::Debug for Environment {
    /// Which call it is, without the numbers and names of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("network_script", &self.script)
            .field("unique_id", &self.unique_id())
            .field("context", &self.context())
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Reads the lines of a block (without the blank line that ends it).
    /// Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    ///
    /// See [`EnvironmentError`].
    pub fn parse(block: &[u8]) -> Result<Self, EnvironmentError> {
        if block.len() > MAX_BYTES {
            return Err(EnvironmentError::TooLarge);
        }
        let mut environment = Self {
            text: String::from_utf8_lossy(block).into_owned(),
            lines: Vec::with_capacity(USUAL_LINES),
            ..Self::default()
        };
        let text = &environment.text;
        let mut next = 0;
        while next < text.len() {
            let number = environment.lines.len() + 1;
            if number > MAX_LINES {
                return Err(EnvironmentError::TooLarge);
            }
            let rest = &text[next..];
            let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            let line = rest[..length].strip_suffix('\r').unwrap_or(&rest[..length]);
            let (name, value) =
                Self::line(line, next).ok_or(EnvironmentError::Malformed { line: number })?;
            let known = |(known, _): &(Range<usize>, _)| text[known.clone()] == text[name.clone()];
            if environment.lines.iter().any(known) {
                return Err(EnvironmentError::Repeated { line: number });
            }
            environment.lines.push((name, value));
            next += length + 1;
        }
        environment.derive();
        Ok(environment)
    }

    /// Where the name and the value of a line are that begins at `start`.
    fn line(line: &str, start: usize) -> Option<(Range<usize>, Range<usize>)> {
        let colon = memchr::memchr(b':', line.as_bytes())?;
        let name = line[..colon].strip_prefix(PREFIX)?;
        let value = &line[colon + 1..];
        let value = value.strip_prefix(' ').unwrap_or(value);
        let end = start + line.len();
        (!name.is_empty()).then(|| (start + PREFIX.len()..start + colon, end - value.len()..end))
    }

    /// Fills in what is computed from the raw lines.
    fn derive(&mut self) {
        let script = self.get("network_script").unwrap_or_default();
        let script = script.strip_prefix('/').unwrap_or(script);
        let (path, query) = script.split_once('?').unwrap_or((script, ""));
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .take(MAX_QUERY_PAIRS)
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                (percent_decode(key), percent_decode(value))
            })
            .collect();
        let path = percent_decode(path);
        self.query = pairs;
        self.script = path;
        // Asterisk writes them in order; a gap ends the list.
        let mut wanted = 1_usize;
        while let Some(value) = self.raw(&format!("arg_{wanted}")) {
            self.arguments.push(value);
            wanted += 1;
        }
    }

    /// Where the value of a name is.
    fn raw(&self, name: &str) -> Option<Range<usize>> {
        self.lines
            .iter()
            .find(|(known, _)| self.text[known.clone()] == *name)
            .map(|(_, value)| value.clone())
    }

    /// The raw value of `agi_<name>`, exactly as it was sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(|value| &self.text[value])
    }

    /// All names (without `agi_`) and raw values, in order of arrival.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines
            .iter()
            .map(|(name, value)| (&self.text[name.clone()], &self.text[value.clone()]))
    }

    /// Like [`Self::get`], with `unknown` and the empty string as `None`.
    fn known(&self, name: &str) -> Option<&str> {
        self.get(name)
            .filter(|value| !value.is_empty() && *value != "unknown")
    }

    /// The script of the request without its query: `ivr` for
    /// `agi://host/ivr?flow=7`. Empty if the dialplan named none.
    pub fn network_script(&self) -> &str {
        &self.script
    }

    /// The percent-decoded pairs of the script's query, in order. A plus sign
    /// stays a plus sign, since telephone numbers begin with one.
    pub fn query(&self) -> &[(String, String)] {
        &self.query
    }

    /// The first value of a query key.
    pub fn query_value(&self, key: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    /// The arguments of the dialplan's `AGI()` call (`agi_arg_1` and on),
    /// raw: an empty argument is an empty string.
    pub fn args(&self) -> impl ExactSizeIterator<Item = &str> {
        self.arguments.iter().map(|value| &self.text[value.clone()])
    }

    /// One argument by its dialplan number, from 1; `None` if absent or empty.
    pub fn arg(&self, number: usize) -> Option<&str> {
        self.arguments
            .get(number.checked_sub(1)?)
            .map(|value| &self.text[value.clone()])
            .filter(|value| !value.is_empty())
    }

    /// The whole request, such as `agi://10.0.0.1/ivr?flow=7`; `async` over
    /// AMI.
    pub fn request(&self) -> Option<&str> {
        self.known("request")
    }

    /// Name of the channel, such as `PJSIP/trunk-00000001`.
    pub fn channel(&self) -> Option<&str> {
        self.known("channel")
    }

    /// Technology of the channel, such as `PJSIP` or `Local`.
    pub fn channel_type(&self) -> Option<&str> {
        self.known("type")
    }

    /// Unique id of the channel, to be treated as opaque.
    pub fn unique_id(&self) -> Option<&str> {
        self.known("uniqueid")
    }

    /// Number of the caller, as the network sent it.
    pub fn caller_id(&self) -> Option<&str> {
        self.known("callerid")
    }

    /// Display name of the caller, as the network sent it.
    pub fn caller_id_name(&self) -> Option<&str> {
        self.known("calleridname")
    }

    /// Whether the caller asked not to be shown: the presentation bits (0x60)
    /// of `agi_callingpres` say restricted.
    pub fn caller_id_restricted(&self) -> bool {
        self.get("callingpres")
            .and_then(|value| value.parse::<u32>().ok())
            .is_some_and(|presentation| presentation & 0x60 == 0x20)
    }

    /// Dialplan extension that ran `AGI()`.
    pub fn extension(&self) -> Option<&str> {
        self.known("extension")
    }

    /// Dialplan context that ran `AGI()`.
    pub fn context(&self) -> Option<&str> {
        self.known("context")
    }

    /// Dialplan priority that ran `AGI()`.
    pub fn priority(&self) -> Option<u32> {
        self.known("priority")?.parse().ok()
    }

    /// Number that was dialed to reach the exchange.
    pub fn dnid(&self) -> Option<&str> {
        self.known("dnid")
    }

    /// Number that redirected the call here.
    pub fn rdnis(&self) -> Option<&str> {
        self.known("rdnis")
    }

    /// Language of the channel, such as `en`.
    pub fn language(&self) -> Option<&str> {
        self.known("language")
    }

    /// Account code of the channel.
    pub fn account_code(&self) -> Option<&str> {
        self.known("accountcode")
    }

    /// Version of the exchange, such as `22.10.1`.
    pub fn version(&self) -> Option<&str> {
        self.known("version")
    }

    /// First number of the version: 22 for `22.10.1`. `None` for versions that
    /// do not begin with it, such as `GIT-master-1a2b3c`.
    pub fn major_version(&self) -> Option<u32> {
        let version = self.version()?;
        let end = version.find(|c: char| !c.is_ascii_digit())?;
        version[..end].parse().ok()
    }

    /// Whether audio comes on a file descriptor (EAGI); never over the network.
    pub fn enhanced(&self) -> bool {
        self.known("enhanced").is_some_and(|value| value != "0.0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "agi_network: yes\n\
        agi_network_script: ivr?flow=7&lead=%2B345&flag\n\
        agi_request: agi://127.0.0.1:4573/ivr?flow=7&lead=345\n\
        agi_channel: PJSIP/trunk-00000001\n\
        agi_language: en\n\
        agi_type: PJSIP\n\
        agi_uniqueid: att_00112233445566778899aabbccddeeff\n\
        agi_version: 22.10.1\n\
        agi_callerid: +33123456789\n\
        agi_calleridname: Zoé \"Q\": x\n\
        agi_callingpres: 0\n\
        agi_callingani2: 0\n\
        agi_callington: 0\n\
        agi_callingtns: 0\n\
        agi_dnid: unknown\n\
        agi_rdnis: unknown\n\
        agi_context: strowger-dialer\n\
        agi_extension: s\n\
        agi_priority: 3\n\
        agi_enhanced: 0.0\n\
        agi_accountcode: \n\
        agi_threadid: 140000000000000\n\
        agi_arg_1: abc\n\
        agi_arg_2: \n\
        agi_arg_3: HUMAN-1-2\n";

    #[test]
    fn a_real_block() {
        let env = Environment::parse(REAL.as_bytes()).unwrap();
        assert_eq!(env.network_script(), "ivr");
        assert_eq!(env.query_value("flow"), Some("7"));
        assert_eq!(env.query_value("lead"), Some("+345"));
        assert_eq!(env.query_value("flag"), Some(""));
        assert!(env.args().eq(["abc", "", "HUMAN-1-2"]));
        assert_eq!(env.arg(1), Some("abc"));
        assert_eq!((env.arg(0), env.arg(2), env.arg(4)), (None, None, None));
        assert_eq!(env.caller_id_name(), Some("Zoé \"Q\": x"));
        assert_eq!(env.dnid(), None);
        assert_eq!(env.get("dnid"), Some("unknown"));
        assert_eq!(env.account_code(), None);
        assert_eq!(env.get("accountcode"), Some(""));
        assert_eq!(env.context(), Some("strowger-dialer"));
        assert!(!env.enhanced());
        assert_eq!((env.major_version(), env.priority()), (Some(22), Some(3)));
        assert!(!env.caller_id_restricted());
        assert_eq!(env.iter().count(), 25);
        assert!(!format!("{env:?}").contains("33123456789"));
    }

    #[test]
    fn carriage_returns_are_tolerated() {
        let env = Environment::parse(b"agi_channel: a\r\nagi_extension: s\r\n").unwrap();
        assert_eq!((env.channel(), env.extension()), (Some("a"), Some("s")));
    }

    #[test]
    fn versions_and_presentation() {
        let parse = |text: &str| Environment::parse(text.as_bytes()).unwrap();
        assert_eq!(parse("agi_version: 18.9-cert4").major_version(), Some(18));
        assert_eq!(parse("agi_version: GIT-master-1a").major_version(), None);
        assert!(parse("agi_callingpres: 32").caller_id_restricted());
        assert!(!parse("agi_callingpres: 67").caller_id_restricted());
    }

    #[test]
    fn refused_blocks() {
        let parse = |text: &str| Environment::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse("hello\n"), EnvironmentError::Malformed { line: 1 });
        assert_eq!(
            parse("GET / : x\n"),
            EnvironmentError::Malformed { line: 1 }
        );
        assert_eq!(
            parse("agi_callerid: a\nagi_arg_1: b\nagi_arg_1: c\n"),
            EnvironmentError::Repeated { line: 3 }
        );
        assert_eq!(
            parse(&"x".repeat(MAX_BYTES + 1)),
            EnvironmentError::TooLarge
        );
        let lines: Vec<_> = (0..=MAX_LINES).map(|n| format!("agi_x{n}: y")).collect();
        assert_eq!(parse(&lines.join("\n")), EnvironmentError::TooLarge);
    }
}
