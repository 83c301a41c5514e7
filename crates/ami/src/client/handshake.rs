//! From nothing to a session that is logged in.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Auth, Boot, ClientConfig, DownReason};
use crate::action::Action;
use crate::actions;
use crate::codec::{DecodeError, Decoded, Decoder};
use crate::event::Event;
use crate::message::{Kind, Message};

/// Bytes asked of the socket at a time.
pub(super) const READ_BYTES: usize = 32 * 1024;

/// A session that is logged in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stream: TcpStream,
    /// May hold frames that came with the answer to the login.
    pub(super) decoder: Decoder,
    pub(super) ami_version: String,
    pub(super) asterisk_version: Option<String>,
    pub(super) boot: Option<Boot>,
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
pub(super) async fn establish(config: ClientConfig, prefix: String) -> Result<Session, Failure> {
    let connecting = TcpStream::connect((config.host.as_str(), config.port));
    let stream = match timeout(config.connect_timeout, connecting).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(DownReason::Connect(error.to_string()).into()),
        Err(_) => return Err(DownReason::Connect("no answer in time".into()).into()),
    };
    // Actions are small and waited for. A refusal costs speed, not correctness.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "Cannot set TCP_NODELAY");
    }
    let mut wire = Wire {
        stream,
        decoder: Decoder::new(),
        chunk: vec![0; READ_BYTES],
        prefix,
    };
    let ami_version = timeout(config.action_timeout, wire.login(&config))
        .await
        .map_err(|_| DownReason::LoginTimeout)??;
    let (asterisk_version, boot) = wire
        .introduction(config.action_timeout, config.boot_wait)
        .await?;
    Ok(Session {
        stream: wire.stream,
        decoder: wire.decoder,
        ami_version,
        asterisk_version,
        boot,
    })
}

struct Wire {
    stream: TcpStream,
    decoder: Decoder,
    chunk: Vec<u8>,
    prefix: String,
}

impl Wire {
    /// Greeting and login; the result is the version of the interface.
    async fn login(&mut self, config: &ClientConfig) -> Result<String, Failure> {
        let version = loop {
            match self.decoded().await? {
                Ok(Decoded::Banner { version }) => break version,
                Err(DecodeError::NotAManager) => return Err(DownReason::NotAManager.into()),
                Ok(Decoded::Frame(_)) | Err(_) => {}
            }
        };
        let (user, mask) = (&*config.username, &*config.event_mask);
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
        let bytes = self.encode(&actions::core_settings(), "settings")?;
        self.write(&bytes).await?;

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
                Kind::Response => answer = Some(frame),
                // Other events are superseded by the snapshot that follows.
                Kind::Event => {
                    if let Event::FullyBooted(event) = Event::parse(frame) {
                        boot = Some(Boot {
                            uptime_s: event.uptime_s,
                            last_reload_s: event.last_reload_s,
                        });
                    }
                }
                Kind::Action | Kind::Other => {}
            }
        }
        let version = answer.and_then(|answer| Some(answer.get("AsteriskVersion")?.into_owned()));
        Ok((version, boot))
    }

    /// Sends an action and waits for the response; events pass unseen.
    async fn ask(&mut self, action: &Action, name: &str) -> Result<Message, DownReason> {
        let bytes = self.encode(action, name)?;
        self.write(&bytes).await?;
        loop {
            if let Ok(Decoded::Frame(frame)) = self.decoded().await?
                && frame.kind() == Kind::Response
            {
                return Ok(frame);
            }
        }
    }

    fn encode(&self, action: &Action, name: &str) -> Result<Bytes, DownReason> {
        Ok(action.encode(&format!("{}-{name}", self.prefix))?)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), DownReason> {
        let written = self.stream.write_all(bytes).await;
        written.map_err(|error| DownReason::Io(error.to_string()))
    }

    async fn decoded(&mut self) -> Result<Result<Decoded, DecodeError>, DownReason> {
        loop {
            if let Some(decoded) = self.decoder.next() {
                return Ok(decoded);
            }
            match self.stream.read(&mut self.chunk).await {
                Ok(0) => return Err(DownReason::Closed),
                Ok(read) => self.decoder.push(&self.chunk[..read]),
                Err(error) => return Err(DownReason::Io(error.to_string())),
            }
        }
    }
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
