//! The block of `agi_*` lines that opens a session, without IO.

use std::fmt;

/// Largest environment in bytes. A real one has about 700.
pub const MAX_BYTES: usize = 64 * 1024;

/// Most lines in an environment: Asterisk sends 22 and at most 127 arguments.
pub const MAX_LINES: usize = 256;

/// Most pairs read from the query of the script.
pub const MAX_QUERY_PAIRS: usize = 64;

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
/// `None` here.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Names without their `agi_` prefix, in order of arrival, raw values.
    lines: Vec<(String, String)>,
    script: String,
    query: Vec<(String, String)>,
    arguments: Vec<String>,
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
        let text = String::from_utf8_lossy(block);
        let mut environment = Self::default();
        for (position, line) in text.lines().enumerate() {
            if position >= MAX_LINES {
                return Err(EnvironmentError::TooLarge);
            }
            let number = position + 1;
            let (name, value) = line
                .split_once(':')
                .ok_or(EnvironmentError::Malformed { line: number })?;
            let name = name
                .strip_prefix("agi_")
                .filter(|name| !name.is_empty())
                .ok_or(EnvironmentError::Malformed { line: number })?;
            if environment.lines.iter().any(|(known, _)| known == name) {
                return Err(EnvironmentError::Repeated { line: number });
            }
            let value = value.strip_prefix(' ').unwrap_or(value);
            environment.lines.push((name.to_owned(), value.to_owned()));
        }
        environment.derive();
        Ok(environment)
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
        self.arguments = (1..=MAX_LINES)
            .map_while(|number| self.get(&format!("arg_{number}")).map(str::to_owned))
            .collect();
    }

    /// The raw value of `agi_<name>`, exactly as it was sent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
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
    pub fn args(&self) -> &[String] {
        &self.arguments
    }

    /// One argument by its dialplan number, from 1; `None` if absent or empty.
    pub fn arg(&self, number: usize) -> Option<&str> {
        self.arguments
            .get(number.checked_sub(1)?)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Name of the channel, such as `PJSIP/trunk-00000001`.
    pub fn channel(&self) -> Option<&str> {
        self.known("channel")
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

    /// Dialplan extension that ran `AGI()`.
    pub fn extension(&self) -> Option<&str> {
        self.known("extension")
    }

    /// Dialplan context that ran `AGI()`.
    pub fn context(&self) -> Option<&str> {
        self.known("context")
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

    /// Whether audio comes on a file descriptor (EAGI); never over the network.
    pub fn enhanced(&self) -> bool {
        self.known("enhanced").is_some_and(|value| value != "0.0")
    }
}

/// Decodes `%XX`; anything that is not two hexadecimal digits stays as it is.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if first == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            decoded.push(high * 16 + low);
            rest = after;
        } else {
            decoded.push(first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Value of one hexadecimal digit.
fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
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
        assert_eq!(env.args(), ["abc", "", "HUMAN-1-2"]);
        assert_eq!(env.arg(1), Some("abc"));
        assert_eq!((env.arg(0), env.arg(2), env.arg(4)), (None, None, None));
        assert_eq!(env.caller_id_name(), Some("Zoé \"Q\": x"));
        assert_eq!(env.dnid(), None);
        assert_eq!(env.get("dnid"), Some("unknown"));
        assert_eq!(env.account_code(), None);
        assert_eq!(env.get("accountcode"), Some(""));
        assert_eq!(env.context(), Some("strowger-dialer"));
        assert!(!env.enhanced());
        assert!(!format!("{env:?}").contains("33123456789"));
    }

    #[test]
    fn carriage_returns_are_tolerated() {
        let env = Environment::parse(b"agi_channel: a\r\nagi_extension: s\r\n").unwrap();
        assert_eq!((env.channel(), env.extension()), (Some("a"), Some("s")));
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

    #[test]
    fn percent_decoding_keeps_what_it_cannot_read() {
        assert_eq!(percent_decode("a%20b%zz%4"), "a b%zz%4");
        assert_eq!(percent_decode("%C3%A9+"), "é+");
    }
}
