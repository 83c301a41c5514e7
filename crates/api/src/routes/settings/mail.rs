//! The mail server, and a mail to try it.

use std::time::Duration;

use axum::{Json, extract::State};
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{keep, kept};
use crate::{
    guard::{EditSettings, May},
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    reply::{Data, Done},
    settings::{keys, smtp_settings},
    state::{App, Shared},
};

/// How long the mail server may take for each of its answers.
const ANSWER: Duration = Duration::from_secs(5);

/// How long sending a mail may take in all.
const WITHIN: Duration = Duration::from_secs(20);

/// The mail server, without its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct MailServer {
    /// Its host; empty for none.
    server: String,
    /// Its port.
    port: u16,
    /// Log in there.
    auth: bool,
    /// Encrypted from the first byte on (port 465). Otherwise STARTTLS is used where it is
    /// offered, and a password is never sent without it.
    secure: bool,
    /// Whom to log in as.
    user: String,
    /// The sender: an address, or a name with one in angle brackets.
    #[schema(example = "Contact centre <noreply@example.com>")]
    from: String,
}

/// The mail server as it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MailView {
    #[serde(flatten)]
    settings: MailServer,
    /// A password is kept. It is never shown.
    has_password: bool,
}

/// The mail server as it is to be.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MailBody {
    #[serde(flatten)]
    settings: MailServer,
    /// Absent or empty: the one that is kept stays, if the server, the port and the user do.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<SecretString>,
}

/// A mail to try a server with.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MailTest {
    /// The server. Without a password the one that is kept is used, if the server, the port and
    /// the user are those that are kept.
    mail: MailBody,
    /// To whom.
    recipient: String,
}

impl MailTest {
    /// A mail to try a server with.
    pub(crate) fn new(mail: MailBody, recipient: String) -> Self {
        Self { mail, recipient }
    }
}

impl MailServer {
    fn check(&self) -> Result<(), Problem> {
        let mut check = Check::default();
        if !self.server.is_empty() {
            check.name("server", &self.server, 253, ".-:");
        }
        check.range("port", &self.port, &(1..=u16::MAX));
        check.line("user", &self.user, 0..=320);
        if !self.from.is_empty() {
            check.line("from", &self.from, 1..=320);
            check.ok("from", self.from.parse::<Mailbox>());
        }
        check.done()
    }

    /// Whether a password that is for one is for the other as well. Whoever may change the
    /// settings may not learn the password that is kept by having it sent to a server of theirs.
    fn is_same_login(&self, other: &Self) -> bool {
        (&self.server, self.port, &self.user) == (&other.server, other.port, &other.user)
    }

    fn transport(
        &self,
        password: Option<&SecretString>,
    ) -> Result<AsyncSmtpTransport<Tokio1Executor>, Problem> {
        let tls = TlsParameters::new(self.server.clone()).map_err(|error| {
            Problem::elsewhere(format!("a connection cannot be encrypted: {error}"))
        })?;
        let tls = match (self.secure, self.auth) {
            (true, _) => Tls::Wrapper(tls),
            (false, true) => Tls::Required(tls),
            (false, false) => Tls::Opportunistic(tls),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.server)
            .port(self.port)
            .timeout(Some(ANSWER))
            .tls(tls);
        if self.auth {
            let password = password.ok_or_else(|| {
                Problem::field(
                    "password",
                    "give the password: none is kept for this server, port and user",
                )
            })?;
            let password = password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(self.user.clone(), password));
        }
        Ok(builder.build())
    }
}

/// The field of what is kept that holds the sealed password.
const SEALED: &str = "passwordSealed";

/// What the sealed password is bound to.
const OWNER: &str = "smtp.password";

/// What is kept: the server, and the sealed password of it.
async fn current(app: &App) -> Result<(MailServer, Option<String>), Problem> {
    let mut sealed = None;
    let server = kept(app, keys::SMTP, |kept| {
        let text = kept
            .and_then(|kept| kept.get(SEALED))
            .and_then(Value::as_str);
        sealed = text.map(str::to_owned);
        smtp_settings(kept)
    })
    .await?;
    Ok((server, sealed))
}

fn given(password: Option<SecretString>) -> Option<SecretString> {
    password.filter(|text| !text.expose_secret().is_empty())
}

/// Show the mail server
#[utoipa::path(
    get, path = "/api/v1/settings/mail", tag = "settings",
    responses((status = 200, description = "Without its password", body = Data<MailView>))
)]
pub(crate) async fn show(
    _caller: May<EditSettings>,
    State(app): State<Shared>,
) -> Result<Json<Data<MailView>>, Problem> {
    let (settings, sealed) = current(&app).await?;
    Ok(Data::of(MailView {
        settings,
        has_password: sealed.is_some(),
    }))
}

/// Change the mail server
#[utoipa::path(
    put, path = "/api/v1/settings/mail", tag = "settings", request_body = MailBody,
    responses(
        (status = 200, description = "Changed", body = Data<MailView>),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditSettings>,
    State(app): State<Shared>,
    Body(sent): Body<MailBody>,
) -> Result<Json<Data<MailView>>, Problem> {
    sent.settings.check()?;
    let sealed =
        match given(sent.password) {
            Some(password) => Some(app.api.auth.seal_setting(OWNER, &password).map_err(
                |error| {
                    tracing::error!(%error, "A password cannot be sealed");
                    Problem::internal()
                },
            )?),
            None => {
                let (before, sealed) = current(&app).await?;
                sealed.filter(|_| before.is_same_login(&sent.settings))
            }
        };
    let mut value = super::value(&sent.settings)?;
    if let Some(sealed) = &sealed {
        value[SEALED] = Value::from(sealed.as_str());
    }
    keep(&app, &caller, keys::SMTP, &value).await?;
    Ok(Data::of(MailView {
        settings: sent.settings,
        has_password: sealed.is_some(),
    }))
}

/// Send a mail to try a mail server
#[utoipa::path(
    post, path = "/api/v1/settings/mail/test", tag = "settings", request_body = MailTest,
    responses(
        (status = 200, description = "The server took it", body = Done),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 502, description = "The server did not take it", body = ProblemBody),
    )
)]
pub(crate) async fn test(
    caller: May<EditSettings>,
    State(app): State<Shared>,
    Body(sent): Body<MailTest>,
) -> Result<Json<Done>, Problem> {
    let settings = sent.mail.settings;
    settings.check()?;
    let mut check = Check::default();
    if settings.server.is_empty() {
        check.wrong("server", "name the server");
    }
    let from = check.ok("from", settings.from.parse::<Mailbox>());
    let to = check.ok("recipient", sent.recipient.parse::<Mailbox>());
    check.done()?;
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Problem::internal());
    };
    let password = match given(sent.mail.password) {
        Some(password) => Some(password),
        None => kept_password(&app, &settings).await?,
    };
    let transport = settings.transport(password.as_ref())?;
    let mail = Message::builder()
        .from(from)
        .to(to)
        .subject("Strowger")
        .body("This mail was sent to try the mail server.\r\n".to_owned())
        .map_err(|error| Problem::field("from", error.to_string()))?;
    let change =
        json!({"server": settings.server, "port": settings.port, "recipient": sent.recipient});
    app.api
        .store
        .record_audit(
            Some(caller.id()),
            "mail.tested",
            keys::SMTP,
            &change,
            app.now(),
        )
        .await?;
    match tokio::time::timeout(WITHIN, transport.send(mail)).await {
        Ok(Ok(_)) => Ok(Done::ok()),
        Ok(Err(error)) => {
            let text = spelled_out(&error);
            Err(Problem::elsewhere(format!("the mail was not sent: {text}")))
        }
        Err(_) => Err(Problem::elsewhere(
            "the mail was not sent: the server takes too long",
        )),
    }
}

/// The password that is kept, if it is for this server.
async fn kept_password(app: &App, settings: &MailServer) -> Result<Option<SecretString>, Problem> {
    let (before, sealed) = current(app).await?;
    let Some(sealed) = sealed.filter(|_| before.is_same_login(settings)) else {
        return Ok(None);
    };
    let opened = app.api.auth.open_setting(OWNER, &sealed);
    opened.map(Some).map_err(|_| {
        Problem::field(
            "password",
            "the password that is kept was sealed with another key: give it anew",
        )
    })
}

/// An error with its causes, in one line that is not too long.
fn spelled_out(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(300).collect()
}
