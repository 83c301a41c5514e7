//! What super administrators set at run time, as it is kept: objects with the names that the
//! console gives their fields. Secrets among them are sealed, in fields that end with `Sealed`.

use serde_json::{Map, Value, json};

/// Under which keys run-time settings are kept.
pub(crate) mod keys {
    /// Name, logo, colours.
    pub(crate) const APP: &str = "app";
    /// The mail server.
    pub(crate) const SMTP: &str = "smtp";
    /// The database and the exchange, as shown.
    pub(crate) const CONNECTION: &str = "connection";
    /// Which screens which role sees.
    pub(crate) const MODULES: &str = "module-visibility";
    /// When backups are made.
    pub(crate) const BACKUPS: &str = strowger_store::backups::SCHEDULE;
}

/// The kept values of these fields over those that hold without them. Nothing else gets out:
/// what is kept may hold secrets.
fn over(defaults: Value, kept: Option<&Value>) -> Value {
    let Value::Object(mut fields) = defaults else {
        return defaults;
    };
    for (name, value) in &mut fields {
        let same_kind = |other: &&Value| {
            std::mem::discriminant::<Value>(other) == std::mem::discriminant(&*value)
        };
        if let Some(other) = kept.and_then(|kept| kept.get(name)).filter(same_kind) {
            *value = other.clone();
        }
    }
    Value::Object(fields)
}

/// A name as `/api/v1` writes it: `amiHost` is `ami_host`.
fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

/// A name as the console writes it: `ami_host` is `amiHost`.
fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}

fn renamed(value: Value, name: fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| (name(&key), renamed(value, name)))
                .collect(),
        ),
        other => other,
    }
}

/// What is kept, with the names of `/api/v1`. Only for objects all of whose names are ours.
pub(crate) fn for_v1(kept: Value) -> Value {
    renamed(kept, snake)
}

/// What came over `/api/v1`, as it is kept. Only for objects all of whose names are ours.
pub(crate) fn for_keeping(sent: Value) -> Value {
    renamed(sent, camel)
}

/// How the console looks.
pub(crate) fn app_settings(kept: Option<&Value>) -> Value {
    let defaults = json!({
        "companyAddress": "", "appLogoDataUrl": "", "appFaviconDataUrl": "", "colorPalette": "default",
        "appName": "Strowger", "defaultLanguage": "fr", "fontFamily": "Inter", "fontSize": 16,
    });
    over(defaults, kept)
}

/// The mail server, without its password.
pub(crate) fn smtp_settings(kept: Option<&Value>) -> Value {
    let defaults = json!({
        "server": "", "port": 587, "auth": true, "secure": false, "user": "", "from": "",
    });
    over(defaults, kept)
}

/// Where the database and the exchange are, without passwords.
pub(crate) fn connection_settings(kept: Option<&Value>) -> Value {
    let part = |name: &str| kept.and_then(|kept| kept.get(name));
    json!({
        "database": over(json!({"host": "", "port": 5432, "user": "", "database": ""}), part("database")),
        "asterisk": over(json!({"amiHost": "", "amiPort": 5038, "amiUser": "", "agiPort": 4573}), part("asterisk")),
    })
}

/// Which screens which role sees; what is not named is seen.
pub(crate) fn module_visibility(kept: Option<&Value>) -> Value {
    let empty = || Value::Object(Map::new());
    over(json!({"categories": empty(), "features": empty()}), kept)
}

/// When backups are made. The console says that its time is in UTC.
pub(crate) fn backup_schedule(kept: Option<&Value>) -> Value {
    over(
        json!({"frequency": "none", "time": "02:00", "timeZone": "UTC"}),
        kept,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_change_with_the_interface_and_back() {
        let kept = json!({"appLogoDataUrl": "aB", "asterisk": {"amiPort": 5038}});
        let v1 = for_v1(kept.clone());
        assert_eq!(
            v1,
            json!({"app_logo_data_url": "aB", "asterisk": {"ami_port": 5038}})
        );
        assert_eq!(for_keeping(v1), kept);
    }

    #[test]
    fn a_password_that_is_kept_with_the_settings_does_not_get_out() {
        let kept = json!({"server": "mail.example", "password": "hunter2", "port": "not a number"});
        let shown = smtp_settings(Some(&kept));
        assert_eq!(shown["server"], "mail.example");
        assert_eq!(shown["port"], 587);
        assert!(shown.get("password").is_none());
    }
}
