//! How the console looks, which everybody may know before logging in; and what else
//! administrators set at run time.

use axum::{Router, extract::State, routing::get};
use serde_json::{Map, Value, json};

use super::Answer;
use crate::state::Shared;

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
    pub(crate) const BACKUPS: &str = "backup-schedule";
}

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/public-config", get(public_config))
}

async fn public_config(State(app): State<Shared>) -> Answer<axum::Json<Value>> {
    let kept = app.api.store.settings(&[keys::APP]).await?;
    Ok(axum::Json(
        json!({ "appSettings": app_settings(kept.get(keys::APP)) }),
    ))
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

/// How the console looks.
pub(super) fn app_settings(kept: Option<&Value>) -> Value {
    let defaults = json!({
        "companyAddress": "", "appLogoDataUrl": "", "appFaviconDataUrl": "", "colorPalette": "default",
        "appName": "Strowger", "defaultLanguage": "fr", "fontFamily": "Inter", "fontSize": 16,
    });
    over(defaults, kept)
}

/// The mail server, without its password.
pub(super) fn smtp_settings(kept: Option<&Value>) -> Value {
    let defaults = json!({
        "server": "", "port": 587, "auth": true, "secure": false, "user": "", "from": "",
    });
    over(defaults, kept)
}

/// Where the database and the exchange are, without passwords.
pub(super) fn connection_settings(kept: Option<&Value>) -> Value {
    let part = |name: &str| kept.and_then(|kept| kept.get(name));
    json!({
        "database": over(json!({"host": "", "port": 5432, "user": "", "database": ""}), part("database")),
        "asterisk": over(json!({"amiHost": "", "amiPort": 5038, "amiUser": "", "agiPort": 4573}), part("asterisk")),
    })
}

/// Which screens which role sees; what is not named is seen.
pub(super) fn module_visibility(kept: Option<&Value>) -> Value {
    let empty = || Value::Object(Map::new());
    over(json!({"categories": empty(), "features": empty()}), kept)
}

/// When backups are made.
pub(super) fn backup_schedule(kept: Option<&Value>) -> Value {
    over(json!({"frequency": "none", "time": "02:00"}), kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_kept_with_the_settings_does_not_get_out() {
        let kept = json!({"server": "mail.example", "password": "hunter2", "port": "not a number"});
        let shown = smtp_settings(Some(&kept));
        assert_eq!(shown["server"], "mail.example");
        assert_eq!(shown["port"], 587);
        assert!(shown.get("password").is_none());
    }
}
