//! What super administrators set at run time.

pub(crate) mod limits;
pub(crate) mod mail;

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    guard::{EditSettings, May, Needs},
    input::{Body, Check, MAX_DEPTH, unstorable},
    picture,
    problem::{Problem, ProblemBody},
    reply::Data,
    settings::{app_settings, connection_settings, for_keeping, for_v1, keys, module_visibility},
    state::{App, Shared},
};

/// Largest logo in bytes, decoded.
const MAX_LOGO: usize = 500 * 1024;

/// Largest icon in bytes, decoded.
const MAX_ICON: usize = 50 * 1024;

/// Longest text of the visible modules in bytes: some hundred features with four roles each.
const MAX_MODULES: usize = 100_000;

/// How the console looks.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Appearance {
    /// At most 500 characters, in lines.
    company_address: String,
    /// A picture as `data:image/…;base64,…`, at most 500 KB; empty for none.
    app_logo_data_url: String,
    /// The same, at most 50 KB.
    app_favicon_data_url: String,
    /// The name of a set of colours.
    color_palette: String,
    /// 1 to 100 characters.
    app_name: String,
    /// As in `fr` or `pt-BR`.
    #[schema(example = "fr")]
    default_language: String,
    /// Names of fonts with letters, digits, spaces, quotes, commas and hyphens.
    #[schema(example = "Inter")]
    font_family: String,
    /// 8 to 40, in pixels.
    font_size: u32,
}

impl Appearance {
    fn check(self) -> Result<Self, Problem> {
        let mut check = Check::default();
        check.text("company_address", &self.company_address, 500);
        check.line("color_palette", &self.color_palette, 0..=50);
        check.line("app_name", &self.app_name, 1..=100);
        check.name("default_language", &self.default_language, 10, "-");
        let legal = |c: char| c.is_ascii_alphanumeric() || " '\",-".contains(c);
        if self.font_family.len() > 100 || !self.font_family.chars().all(legal) {
            check.wrong(
                "font_family",
                "must have at most 100 letters, digits, spaces, quotes, commas or hyphens",
            );
        }
        check.range("font_size", &self.font_size, &(8..=40));
        let logo = image(
            &mut check,
            "app_logo_data_url",
            &self.app_logo_data_url,
            MAX_LOGO,
        )?;
        let icon = image(
            &mut check,
            "app_favicon_data_url",
            &self.app_favicon_data_url,
            MAX_ICON,
        )?;
        check.done()?;
        Ok(Self {
            app_logo_data_url: logo,
            app_favicon_data_url: icon,
            ..self
        })
    }
}

/// A picture with the type that it really has; empty for none.
fn image(check: &mut Check, field: &str, url: &str, max: usize) -> Result<String, Problem> {
    if url.is_empty() {
        return Ok(String::new());
    }
    // Base64 takes 4 characters for 3 bytes; the head of the URL is allowed for.
    if url.len() > max.div_ceil(3) * 4 + 64 {
        let kilobytes = max / 1024;
        return Err(Problem::too_large(format!(
            "{field}: the picture is larger than {kilobytes} KB: choose a smaller one"
        )));
    }
    Ok(check.ok(field, picture::check(url)).unwrap_or_default())
}

/// Which screens which role sees; what is not named is seen.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Modules {
    /// By the id of a category, as the console keeps them.
    #[schema(value_type = Object)]
    categories: Map<String, Value>,
    /// By the id of a feature: for each role whether it sees it.
    #[schema(value_type = Object)]
    features: Map<String, Value>,
}

/// Where the console shows that the database and the exchange are. What Strowger itself connects
/// to is in its configuration file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Connections {
    /// The database.
    database: DatabasePlace,
    /// The exchange.
    asterisk: AsteriskPlace,
}

/// Where a database is, without a password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DatabasePlace {
    /// Its host.
    host: String,
    /// Its port.
    port: u16,
    /// A user of it.
    user: String,
    /// Its name.
    database: String,
}

/// Where an exchange is, without a password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AsteriskPlace {
    /// The host of its manager interface.
    ami_host: String,
    /// The port of it.
    ami_port: u16,
    /// A user of it.
    ami_user: String,
    /// The port of FastAGI.
    agi_port: u16,
}

impl Connections {
    fn check(&self) -> Result<(), Problem> {
        let mut check = Check::default();
        let (database, asterisk) = (&self.database, &self.asterisk);
        for (field, text) in [
            ("database.host", &database.host),
            ("database.user", &database.user),
            ("database.database", &database.database),
            ("asterisk.ami_host", &asterisk.ami_host),
            ("asterisk.ami_user", &asterisk.ami_user),
        ] {
            check.line(field, text, 0..=253);
        }
        for (field, port) in [
            ("database.port", database.port),
            ("asterisk.ami_port", asterisk.ami_port),
            ("asterisk.agi_port", asterisk.agi_port),
        ] {
            check.range(field, &port, &(1..=u16::MAX));
        }
        check.done()
    }
}

/// Reads what came from the console: with the names of `/api/v1`, and without what is not asked for.
pub(crate) fn read<T: DeserializeOwned>(sent: &Value) -> Result<T, Problem> {
    let mut check = Check::default();
    let read = check.read("", sent);
    check.done()?;
    read.ok_or_else(Problem::internal)
}

/// What is kept under a key.
pub(crate) async fn kept<T: DeserializeOwned>(
    app: &App,
    key: &str,
    view: impl FnOnce(Option<&Value>) -> Value,
) -> Result<T, Problem> {
    let kept = app.api.store.settings(&[key]).await?;
    serde_json::from_value(view(kept.get(key))).map_err(|error| {
        tracing::error!(key, %error, "A setting that is kept cannot be read");
        Problem::internal()
    })
}

pub(crate) async fn keep<P: Needs>(
    app: &App,
    caller: &May<P>,
    key: &str,
    value: &Value,
) -> Result<(), Problem> {
    let by = caller.by(app.now());
    Ok(app.api.store.save_setting(key, value, by).await?)
}

/// What is kept of something that was sent.
pub(crate) fn value(sent: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(sent).map_err(|error| {
        tracing::error!(%error, "A setting cannot be written");
        Problem::internal()
    })
}

/// Show how the console looks
#[utoipa::path(
    get, path = "/api/v1/settings/appearance", tag = "settings",
    responses((status = 200, description = "How it looks", body = Data<Appearance>))
)]
pub(crate) async fn appearance(
    _caller: May<EditSettings>,
    State(app): State<Shared>,
) -> Result<Json<Data<Appearance>>, Problem> {
    let view = |kept: Option<&Value>| for_v1(app_settings(kept));
    Ok(Data::of(kept(&app, keys::APP, view).await?))
}

/// Change how the console looks
///
/// Everybody sees it, before logging in as well.
#[utoipa::path(
    put, path = "/api/v1/settings/appearance", tag = "settings", request_body = Appearance,
    responses(
        (status = 200, description = "Changed", body = Data<Appearance>),
        (status = 413, description = "A picture is too large", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn set_appearance(
    caller: May<EditSettings>,
    State(app): State<Shared>,
    Body(sent): Body<Appearance>,
) -> Result<Json<Data<Appearance>>, Problem> {
    let appearance = sent.check()?;
    keep(&app, &caller, keys::APP, &for_keeping(value(&appearance)?)).await?;
    Ok(Data::of(appearance))
}

/// Show which screens which role sees
#[utoipa::path(
    get, path = "/api/v1/settings/modules", tag = "settings",
    responses((status = 200, description = "What is not named is seen", body = Data<Modules>))
)]
pub(crate) async fn modules(
    _caller: May<EditSettings>,
    State(app): State<Shared>,
) -> Result<Json<Data<Modules>>, Problem> {
    Ok(Data::of(
        kept(&app, keys::MODULES, module_visibility).await?,
    ))
}

/// Change which screens which role sees
///
/// This tidies the console up; what somebody may do follows from their role alone.
#[utoipa::path(
    put, path = "/api/v1/settings/modules", tag = "settings", request_body = Modules,
    responses(
        (status = 200, description = "Changed", body = Data<Modules>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn set_modules(
    caller: May<EditSettings>,
    State(app): State<Shared>,
    Body(modules): Body<Modules>,
) -> Result<Json<Data<Modules>>, Problem> {
    let kept = value(&modules)?;
    if let Some(why) = unstorable(&kept, MAX_DEPTH) {
        return Err(Problem::field("", why));
    }
    if kept.to_string().len() > MAX_MODULES {
        let why = format!("this has more than {MAX_MODULES} bytes");
        return Err(Problem::field("", why));
    }
    keep(&app, &caller, keys::MODULES, &kept).await?;
    Ok(Data::of(modules))
}

/// Show where the console shows that the database and the exchange are
#[utoipa::path(
    get, path = "/api/v1/settings/connections", tag = "settings",
    responses((status = 200, description = "Without passwords", body = Data<Connections>))
)]
pub(crate) async fn connections(
    _caller: May<EditSettings>,
    State(app): State<Shared>,
) -> Result<Json<Data<Connections>>, Problem> {
    let view = |kept: Option<&Value>| for_v1(connection_settings(kept));
    Ok(Data::of(kept(&app, keys::CONNECTION, view).await?))
}

/// Change where the console shows that the database and the exchange are
///
/// Strowger itself connects as its configuration file says. No passwords are kept here: nothing
/// needs them.
#[utoipa::path(
    put, path = "/api/v1/settings/connections", tag = "settings", request_body = Connections,
    responses(
        (status = 200, description = "Changed", body = Data<Connections>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn set_connections(
    caller: May<EditSettings>,
    State(app): State<Shared>,
    Body(sent): Body<Connections>,
) -> Result<Json<Data<Connections>>, Problem> {
    sent.check()?;
    keep(&app, &caller, keys::CONNECTION, &for_keeping(value(&sent)?)).await?;
    Ok(Data::of(sent))
}
