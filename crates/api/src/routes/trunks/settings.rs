//! What a trunk may be set to.

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use strowger_core::{
    campaign::TrunkSettings,
    ids::TrunkId,
    telephony::ServerName,
    trunk_file::{self, Password},
};
use strowger_store::trunks::{Carrier, Trunk, TrunkAuth};
use utoipa::ToSchema;

use crate::{
    input::{Check, unprintable},
    problem::Problem,
    routes::users::Becomes,
    state::Shared,
    trunk_desk::own_trunk,
};

/// Longest password of a trunk, in characters.
const MAX_PASSWORD: usize = 200;

/// A trunk to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTrunk {
    /// Chosen by Strowger when absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub(crate) id: Option<TrunkId>,
    /// Its name.
    pub(crate) name: String,
    /// The exchange that it is connected to; the default one when absent.
    #[serde(default)]
    pub(crate) server: Option<String>,
    /// The PJSIP endpoint: 1 to 64 letters, digits, `_`, `.` or `-`.
    #[schema(example = "carrier")]
    pub(crate) endpoint: String,
    /// Most channels at once, 1 to 10,000.
    #[serde(default = "default_channels")]
    #[schema(default = 30)]
    pub(crate) max_channels: u32,
    /// Most calls placed per second, 1 to 1,000.
    #[serde(default = "default_rate")]
    #[schema(default = 10)]
    pub(crate) max_calls_per_second: u32,
    /// Where the other end is: addresses or host names, each with or without a port, separated by
    /// commas. With it the endpoint is configured by Strowger, where the exchange lets it; without
    /// it somebody configures the endpoint there.
    #[serde(default)]
    pub(crate) domain: String,
    /// What the exchange logs in with.
    #[serde(default)]
    pub(crate) login: String,
    /// The password for it. It is kept sealed and never shown.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub(crate) password: Option<SecretString>,
    /// How the other end knows us: `ip`, by our address, or `register`.
    #[serde(default = "default_auth")]
    #[schema(default = "ip")]
    pub(crate) auth_type: String,
    /// Where and as whom to register, when login and domain do not say it, without the password:
    /// `[sip:][user@]host[:port][/extension]`.
    #[serde(default)]
    pub(crate) register_string: String,
    /// The numbers that it is for, as Asterisk writes patterns.
    #[serde(default = "default_pattern")]
    #[schema(default = "_X.")]
    pub(crate) dial_pattern: String,
    /// The context in which its calls arrive; empty for that of Strowger.
    #[serde(default)]
    pub(crate) inbound_context: String,
    /// Addresses and networks that its calls come from besides those in `domain`, separated by
    /// commas. Needed when `domain` is a name that leads elsewhere.
    #[serde(default)]
    #[schema(example = "192.0.2.0/28")]
    pub(crate) match_addresses: String,
    /// Codecs in order of preference, separated by commas; empty for `alaw,ulaw`.
    #[serde(default)]
    pub(crate) codecs: String,
    /// The number in the From header of its calls, for a carrier that wants one of ours there.
    #[serde(default)]
    pub(crate) caller_id: String,
}

pub(crate) const fn default_channels() -> u32 {
    30
}

pub(crate) const fn default_rate() -> u32 {
    10
}

pub(crate) fn default_auth() -> String {
    TrunkAuth::default().as_str().to_owned()
}

pub(crate) fn default_pattern() -> String {
    Carrier::default().dial_pattern
}

/// What is to change about a trunk; what is absent stays as it is.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrunkChanges {
    /// Its name.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The exchange that it is connected to; it stays while campaigns use the trunk.
    #[serde(default)]
    pub(crate) server: Option<String>,
    /// The PJSIP endpoint.
    #[serde(default)]
    pub(crate) endpoint: Option<String>,
    /// Most channels at once, 1 to 10,000.
    #[serde(default)]
    pub(crate) max_channels: Option<u32>,
    /// Most calls placed per second, 1 to 1,000.
    #[serde(default)]
    pub(crate) max_calls_per_second: Option<u32>,
    /// Where the other end is.
    #[serde(default)]
    pub(crate) domain: Option<String>,
    /// What the exchange logs in with.
    #[serde(default)]
    pub(crate) login: Option<String>,
    /// The password for it; null removes it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    pub(crate) password: Becomes<SecretString>,
    /// `ip` or `register`.
    #[serde(default)]
    pub(crate) auth_type: Option<String>,
    /// Where and as whom to register, without the password.
    #[serde(default)]
    pub(crate) register_string: Option<String>,
    /// The numbers that it is for.
    #[serde(default)]
    pub(crate) dial_pattern: Option<String>,
    /// The context in which its calls arrive.
    #[serde(default)]
    pub(crate) inbound_context: Option<String>,
    /// Addresses and networks that its calls come from.
    #[serde(default)]
    pub(crate) match_addresses: Option<String>,
    /// Codecs in order of preference.
    #[serde(default)]
    pub(crate) codecs: Option<String>,
    /// The number in the From header of its calls.
    #[serde(default)]
    pub(crate) caller_id: Option<String>,
}

impl NewTrunk {
    /// The trunk, and its password.
    pub(super) fn read(self, app: &Shared) -> Result<(Trunk, Option<SecretString>), Problem> {
        let mut check = Check::default();
        let server = check.ok("server", server(app, self.server.as_deref()));
        let auth = check.ok("auth_type", auth(&self.auth_type));
        let trunk = Trunk {
            name: self.name.trim().to_owned(),
            settings: TrunkSettings {
                id: self.id.unwrap_or_else(|| TrunkId::generate(app.new_id())),
                server: server.unwrap_or_else(|| app.api.settings.default_server.clone()),
                endpoint: self.endpoint,
                max_channels: self.max_channels,
                max_calls_per_second: self.max_calls_per_second,
            },
            carrier: Carrier {
                domain: self.domain,
                login: self.login,
                auth: auth.unwrap_or_default(),
                register_string: self.register_string,
                dial_pattern: self.dial_pattern,
                inbound_context: self.inbound_context,
                match_addresses: self.match_addresses,
                codecs: self.codecs,
                caller_id: self.caller_id,
            },
            has_password: self.password.is_some(),
        };
        check_trunk(&mut check, &trunk, self.password.as_ref());
        check.done()?;
        Ok((trunk, self.password))
    }
}

impl TrunkChanges {
    /// The trunk as it is to be, and what becomes of its password.
    #[expect(
        clippy::option_option,
        reason = "the outer says whether the password changes, the inner what it becomes"
    )]
    pub(super) fn read(
        self,
        app: &Shared,
        mut trunk: Trunk,
    ) -> Result<(Trunk, Option<Option<SecretString>>), Problem> {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let mut check = Check::default();
        let (settings, carrier) = (&mut trunk.settings, &mut trunk.carrier);
        if let Some(name) = self.server.as_deref() {
            set(
                &mut settings.server,
                check.ok("server", server(app, Some(name))),
            );
        }
        if let Some(name) = self.auth_type.as_deref() {
            set(&mut carrier.auth, check.ok("auth_type", auth(name)));
        }
        set(&mut settings.endpoint, self.endpoint);
        set(&mut settings.max_channels, self.max_channels);
        set(
            &mut settings.max_calls_per_second,
            self.max_calls_per_second,
        );
        set(&mut carrier.domain, self.domain);
        set(&mut carrier.login, self.login);
        set(&mut carrier.register_string, self.register_string);
        set(&mut carrier.dial_pattern, self.dial_pattern);
        set(&mut carrier.inbound_context, self.inbound_context);
        set(&mut carrier.match_addresses, self.match_addresses);
        set(&mut carrier.codecs, self.codecs);
        set(&mut carrier.caller_id, self.caller_id);
        set(
            &mut trunk.name,
            self.name.map(|name| name.trim().to_owned()),
        );
        let password = self.password.named();
        if let Some(password) = &password {
            trunk.has_password = password.is_some();
        }
        check_trunk(
            &mut check,
            &trunk,
            password.as_ref().and_then(Option::as_ref),
        );
        check.done()?;
        Ok((trunk, password))
    }
}

fn auth(name: &str) -> Result<TrunkAuth, &'static str> {
    TrunkAuth::named(name).ok_or("must be ip or register")
}

/// What goes to an exchange holds nothing that its configuration could mistake for more.
fn check_trunk(check: &mut Check, trunk: &Trunk, password: Option<&SecretString>) {
    let (settings, carrier) = (&trunk.settings, &trunk.carrier);
    check.line("name", &trunk.name, 1..=200);
    check.range("max_channels", &settings.max_channels, &(1..=10_000));
    check.range(
        "max_calls_per_second",
        &settings.max_calls_per_second,
        &(1..=1_000),
    );
    check.name("dial_pattern", &carrier.dial_pattern, 100, "_.!-[]+*#");
    if holds_password(&carrier.register_string) {
        check.wrong(
            "register_string",
            "holds a password: write user@host and give the password in its own field",
        );
    } else if carrier.is_ours() {
        // One that stays was checked when it was set.
        let password = password.map(|password| Password::new(password.expose_secret()));
        for fault in trunk_file::faults(&own_trunk(trunk, password)) {
            check.wrong(fault.field, fault.reason);
        }
        return;
    }
    check.name("endpoint", &settings.endpoint, 64, "_.-");
    for (field, text, max, extra) in [
        ("login", &carrier.login, 128, "._+@-"),
        ("inbound_context", &carrier.inbound_context, 80, "_-"),
        ("match_addresses", &carrier.match_addresses, 2_000, ".:/, "),
        ("codecs", &carrier.codecs, 260, ", "),
        ("caller_id", &carrier.caller_id, 16, "+"),
    ] {
        if !text.is_empty() {
            check.name(field, text, max, extra);
        }
    }
    if let Some(password) = password {
        let password = password.expose_secret();
        if !(1..=MAX_PASSWORD).contains(&password.chars().count()) {
            check.wrong(
                "password",
                format!("must have 1 to {MAX_PASSWORD} characters"),
            );
        }
        if let Some(why) = unprintable(password) {
            check.wrong("password", why);
        }
    }
}

/// Whether a line like `user:password@host` holds the password; `sip:user@host` does not.
fn holds_password(line: &str) -> bool {
    let Some((user, _)) = line.rsplit_once('@') else {
        return false;
    };
    let user = user.rsplit_once("//").map_or(user, |(_, user)| user);
    let user = ["sip:", "sips:"]
        .into_iter()
        .find_map(|scheme| user.strip_prefix(scheme))
        .unwrap_or(user);
    user.contains(':')
}

/// The configured exchange with this name, or the default one.
pub(crate) fn server(app: &Shared, name: Option<&str>) -> Result<ServerName, String> {
    let settings = &app.api.settings;
    let Some(name) = name else {
        return Ok(settings.default_server.clone());
    };
    settings
        .servers
        .iter()
        .find(|server| &*server.0 == name)
        .cloned()
        .ok_or_else(|| {
            let known: Vec<&str> = settings.servers.iter().map(|server| &*server.0).collect();
            format!(
                "no such exchange is configured: choose one of {}",
                known.join(", ")
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_that_holds_its_password_is_told_from_one_that_does_not() {
        for line in [
            "1001:hunter2@sip.example",
            "sip:1001:hunter2@sip.example",
            "udp://1001:hunter2@sip.example:5060/1001",
            "1001:hunter2:auth@sip.example",
            "1001@realm:hunter2@sip.example",
        ] {
            assert!(holds_password(line), "{line}");
        }
        for line in [
            "",
            "sip.example:5060",
            "1001@sip.example:5060/1001",
            "sip:1001@sip.example:5060",
            "sips:1001@[2001:db8::1]:5061",
        ] {
            assert!(!holds_password(line), "{line}");
        }
    }
}
