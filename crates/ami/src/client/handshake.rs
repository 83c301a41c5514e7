//! From nothing to a session that is logged in.

use std::fmt;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::tls::{self, Tls, TlsError};
use super::{Auth, Boot, ClientConfig, DownReason};
use crate::action::Action;
use crate::actions;
use crate::codec::{DecodeError, Decoded, Decoder};
use crate::event::Event;
use crate::message::{Kind, Message};

type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(super) type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// A session that is logged in.
pub(super) struct Session {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    /// May hold frames that came with the answer to the login.
    pub(super) decoder: Decoder,
    /// The events that it receives.
    pub(super) mask: String,
    pub(super) ami_version: String,
    pub(super) asterisk_version: Option<String>,
    pub(super) boot: Option<Boot>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("ami_version", &self.ami_version)
            .finish_non_exhaustive()
    }
}

/// What a session is for.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Events of these classes; also learns what the server is.
    Events { mask: String },
    /// Actions alone.
    Control,
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum Failure {
    /// Worth trying again soon.
    Transport(DownReason),
    /// The account or its secret is wrong.
    Refused { message: String },
}

impl<T: Into<DownReason>> From<T> for Failure {
    fn from(reason: T) -> Self {
        Self::Transport(reason.into())
    }
}

/// Connects and logs in. `prefix` makes the action ids ours.
pub(super) async fn establish(
    config: &ClientConfig,
    prefix: String,
    purpose: Purpose,
) -> Result<Session, Failure> {
    let connecting = open(config);
    let (reader, writer) = timeout(config.connect_timeout, connecting)
        .await
        .map_err(|_| DownReason::Connect("no answer in time".into()))??;
    let mut wire = Wire {
        reader,
        writer,
        decoder: Decoder::new(),
        prefix,
    };
    let (mask, introduces) = match purpose {
        Purpose::Events { mask } => (mask, true),
        Purpose::Control => ("off".into(), false),
    };
    let ami_version = timeout(config.action_timeout, wire.login(config, &mask))
        .await
        .map_err(|_| DownReason::LoginTimeout)??;
    let (asterisk_version, boot) = if introduces {
        wire.introduction(config.action_timeout, config.boot_wait)
            .await?
    } else {
        (None, None)
    };
    Ok(Session {
        reader: wire.reader,
        writer: wire.writer,
        decoder: wire.decoder,
        mask,
        ami_version,
        asterisk_version,
        boot,
    })
}

async fn open(config: &ClientConfig) -> Result<(Reader, Writer), DownReason> {
    let stream = TcpStream::connect((config.host.as_str(), config.port))
        .await
        .map_err(|error| DownReason::Connect(error.to_string()))?;
    // Actions are small and waited for. A refusal costs speed, not correctness.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Cannot set TCP_NODELAY");
    }
    let Some(tls) = &config.tls else {
        let (reader, writer) = stream.into_split();
        return Ok((Box::new(reader), Box::new(writer)));
    };
    let name =
        server_name(tls, &config.host).map_err(|error| DownReason::Tls(error.to_string()))?;
    let stream = TlsConnector::from(tls.config.clone())
        .connect(name, stream)
        .await
        .map_err(|error| DownReason::Tls(tls::reason(&error)))?;
    let (reader, writer) = tokio::io::split(stream);
    Ok((Box::new(reader), Box::new(writer)))
}

fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, TlsError> {
    match &tls.server_name {
        Some(name) => Ok(name.clone()),
        None => {
            ServerName::try_from(host.to_owned()).map_err(|_| TlsError::ServerName(host.to_owned()))
        }
    }
}

struct Wire {
    reader: Reader,
    writer: Writer,
    decoder: Decoder,
    prefix: String,
}

impl Wire {
    /// Greeting and login; the result is the version of the interface.
    async fn login(&mut self, config: &ClientConfig, mask: &str) -> Result<String, Failure> {
        let version = loop {
            match self.decoded().await? {
                Ok(Decoded::Banner { version }) => break version,
                Err(DecodeError::NotAManager) => return Err(DownReason::NotAManager.into()),
                Ok(Decoded::Frame(_)) | Err(_) => {}
            }
        };
        let user = &*config.username;
        let login = match config.auth {
            Auth::Plain => actions::login_plain(user, &config.secret, mask),
            Auth::Md5 => {
                let answer = self.ask(&actions::challenge(), "challenge").await?;
                let Some(challenge) = answer.get("Challenge") else {
                    return Err(refusal(&answer));
                };
                let key = actions::md5_key(&challenge, &config.secret);
                actions::login_md5(user, &key, mask)
            }
        };
        let answer = self.ask(&login, "login").await?;
        if answer.name().eq_ignore_ascii_case("Success") {
            Ok(version)
        } else {
            Err(refusal(&answer))
        }
    }

    /// Learns the version of Asterisk and waits until it has started.
    ///
    /// Neither is needed, so only a broken connection is an error: an account may
    /// lack the class to ask for the one or to be told the other.
    async fn introduction(
        &mut self,
        answer_within: Duration,
        boot_within: Duration,
    ) -> Result<(Option<String>, Option<Boot>), DownReason> {
        let now = Instant::now();
        let (answer_by, boot_by) = (now + answer_within, now + boot_within);
        let id = self.id("settings");
        self.write(&actions::core_settings().encode(&id)?).await?;

        let mut answer: Option<Message> = None;
        let mut boot = None;
        loop {
            let deadline = match (&answer, boot) {
                (Some(_), Some(_)) => break,
                (Some(_), None) => boot_by,
                (None, Some(_)) => answer_by,
                (None, None) => answer_by.max(boot_by),
            };
            let Ok(decoded) = timeout_at(deadline, self.decoded()).await else {
                break;
            };
            let Ok(Decoded::Frame(frame)) = decoded? else {
                continue;
            };
            match frame.kind() {
                Kind::Response if answers(&frame, &id) => answer = Some(frame),
                // Other events are superseded by the snapshot that follows.
                Kind::Event => {
                    if let Event::FullyBooted(event) = Event::parse(frame) {
                        boot = Some(Boot {
                            uptime_s: event.uptime().map(|t| t.as_secs()),
                            last_reload_s: event.last_reload().map(|t| t.as_secs()),
                        });
                    }
                }
                Kind::Response | Kind::Action | Kind::Other => {}
            }
        }
        if boot.is_none() && !boot_within.is_zero() {
            tracing::info!(
                "No FullyBooted after the login: the account does not read class system (set boot_wait to zero then), or Asterisk is still starting"
            );
        }
        let version = answer.and_then(|answer| Some(answer.get("AsteriskVersion")?.into_owned()));
        Ok((version, boot))
    }

    /// Sends an action and waits for the response; events pass unseen.
    async fn ask(&mut self, action: &Action, name: &str) -> Result<Message, DownReason> {
        let id = self.id(name);
        self.write(&action.encode(&id)?).await?;
        loop {
            if let Ok(Decoded::Frame(frame)) = self.decoded().await?
                && answers(&frame, &id)
            {
                return Ok(frame);
            }
        }
    }

    fn id(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), DownReason> {
        let written = async {
            self.writer.write_all(bytes).await?;
            self.writer.flush().await
        };
        written
            .await
            .map_err(|error| DownReason::Io(error.to_string()))
    }

    async fn decoded(&mut self) -> Result<Result<Decoded, DecodeError>, DownReason> {
        loop {
            if let Some(decoded) = self.decoder.next() {
                return Ok(decoded);
            }
            match self.reader.read_buf(self.decoder.space()).await {
                Ok(0) => return Err(DownReason::Closed),
                Ok(_) => {}
                Err(error) => return Err(DownReason::Io(error.to_string())),
            }
        }
    }
}

/// Whether `frame` answers the action with that id. Errors about the form of a message
/// name no action, see the module `client`.
fn answers(frame: &Message, id: &str) -> bool {
    frame.kind() == Kind::Response && frame.action_id().is_none_or(|found| found == id)
}

/// What a negative answer to a login means.
fn refusal(answer: &Message) -> Failure {
    let message = answer.get("Message").unwrap_or_default();
    // `allowmultiplelogin = no` and a session that is still there, perhaps our own
    // whose end the server has not noticed (`process_message` in `manager.c`).
    if message.contains("Already In Use") {
        return DownReason::AccountInUse.into();
    }
    Failure::Refused {
        message: message.into_owned(),
    }
}
