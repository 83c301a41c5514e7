//! What every check works with: a link that sees everything, and calls to try it on.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};
use strowger_ami::{
    ActionError, Channel, Client, ClientConfig, Consumer, Event, Message, Notice,
    actions::{self, OriginateRequest},
    connect,
};
use tokio::time::{Instant, sleep};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Asterisk, desk::Desk, journal::Journal};

/// The context of the lab for these checks.
pub(super) const CONTEXT: &str = "lab-agi";

/// The lab, a link to its exchange that sees everything, and a server for its scripts.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) asterisk: Asterisk,
    pub(super) client: Client,
    pub(super) journal: Journal,
    pub(super) desk: Desk,
    pub(super) tracker: TaskTracker,
    pub(super) cancel: CancellationToken,
    numbers: AtomicU32,
    figures: Mutex<Map<String, Value>>,
}

/// A `Local` channel that stays up: its first half waits, its second one runs the dialplan
/// that is tried.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// `Uniqueid` of the half that was originated.
    pub(super) one: String,
    /// `Uniqueid` of the half that runs the dialplan.
    pub(super) two: String,
    /// Where the journal was before it.
    pub(super) mark: usize,
}

/// A link of a check's own.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) journal: Journal,
    cancel: CancellationToken,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Bench {
    pub(super) async fn new(asterisk: Asterisk) -> anyhow::Result<Self> {
        let tracker = TaskTracker::new();
        let cancel = CancellationToken::new();
        let desk = Desk::open(4574, &tracker, cancel.clone()).await?;
        let config = lab_account(&asterisk)?;
        let (client, events) = connect(config, Consumer::call_state(), &tracker, cancel.clone());
        let journal = Journal::keep(events, &tracker);
        let bench = Self {
            asterisk,
            client,
            journal,
            desk,
            tracker,
            cancel,
            numbers: AtomicU32::new(1),
            figures: Mutex::default(),
        };
        up(&bench.journal, 0).await?;
        Ok(bench)
    }

    pub(super) async fn stop(&self) {
        self.cancel.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// The configuration of the account that may do everything.
    pub(super) fn account(&self) -> anyhow::Result<ClientConfig> {
        lab_account(&self.asterisk)
    }

    /// Another link, whether or not it comes up.
    pub(super) fn link(&self, config: ClientConfig, consumer: Consumer) -> Link {
        let cancel = self.cancel.child_token();
        let (client, events) = connect(config, consumer, &self.tracker, cancel.clone());
        Link {
            client,
            journal: Journal::keep(events, &self.tracker),
            cancel,
        }
    }

    pub(super) fn figure(&self, name: &str, value: impl Into<Value>) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.insert(name.to_owned(), value.into());
    }

    pub(super) fn figures(&self) -> Map<String, Value> {
        self.figures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A name that nothing else has.
    pub(super) fn name(&self) -> String {
        format!("proto-{}", self.numbers.fetch_add(1, Relaxed))
    }

    /// A request for a `Local` channel whose second half runs `exten`.
    pub(super) fn request(&self, exten: &str) -> OriginateRequest {
        let name = self.name();
        OriginateRequest {
            channel: format!("Local/{exten}@{CONTEXT}/n"),
            other_channel_id: Some(format!("{name}-2")),
            channel_id: name,
            context: CONTEXT.into(),
            exten: "stay".into(),
            priority: 1,
            timeout_ms: 20_000,
            ..OriginateRequest::default()
        }
    }

    /// Places a call and does not wait for its answer.
    pub(super) async fn place(&self, request: &OriginateRequest) -> anyhow::Result<Call> {
        let mark = self.journal.mark();
        self.client.send(actions::originate(request)).await?;
        Ok(Call {
            one: request.channel_id.clone(),
            two: request.other_channel_id.clone().unwrap_or_default(),
            mark,
        })
    }

    /// A call that is up.
    pub(super) async fn call(&self, exten: &str) -> anyhow::Result<Call> {
        self.answered(&self.request(exten)).await
    }

    /// Places a call and waits for its answer.
    pub(super) async fn answered(&self, request: &OriginateRequest) -> anyhow::Result<Call> {
        let call = self.place(request).await?;
        let id = call.one.clone();
        let answered = self
            .journal
            .event("OriginateResponse", call.mark, |event| match event {
                Event::OriginateResponse(event) if event.uniqueid().as_deref() == Some(&*id) => {
                    Some(event.success())
                }
                _ => None,
            })
            .await?;
        if !answered {
            bail!("{} was not answered", request.channel);
        }
        Ok(call)
    }

    /// The name of a channel.
    pub(super) async fn channel(&self, call: &Call, id: &str) -> anyhow::Result<String> {
        self.journal
            .event("Newchannel", call.mark, |event| match event {
                Event::NewChannel(event) if event.channel().uniqueid() == id => {
                    Some(event.channel().name().into_owned())
                }
                _ => None,
            })
            .await
    }

    /// Waits until a channel is gone; gives the cause.
    pub(super) async fn gone(&self, call: &Call, id: &str) -> anyhow::Result<u16> {
        self.journal
            .event("Hangup", call.mark, |event| match event {
                Event::Hangup(event) if event.channel().uniqueid() == id => Some(event.cause()),
                _ => None,
            })
            .await
    }

    /// Hangs a call up and waits until it is gone.
    pub(super) async fn end(&self, call: &Call) -> anyhow::Result<()> {
        let name = self.channel(call, &call.one).await?;
        match self.client.send(actions::hangup(&name, None)).await {
            // It has ended by itself.
            Ok(_) | Err(ActionError::Rejected { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.gone(call, &call.one).await?;
        Ok(())
    }

    /// Presses a key at the second half of a call.
    pub(super) async fn press(&self, call: &Call, digit: char) -> anyhow::Result<()> {
        let name = self.channel(call, &call.one).await?;
        let play = actions::play_dtmf(&name, digit, Some(120), false);
        self.client.send(play).await?;
        Ok(())
    }

    /// The value of a variable of a channel.
    pub(super) async fn variable(&self, channel: &str, name: &str) -> anyhow::Result<String> {
        let answer = self.client.send(actions::get_var(channel, name)).await?;
        Ok(text(&answer, "Value"))
    }

    /// Hangs up whatever there is.
    pub(super) async fn clear(&self) -> anyhow::Result<()> {
        eventually("no channels are left", || async {
            let items = self.client.list(actions::core_show_channels()).await?;
            for item in &items {
                // It may be gone by now.
                drop(
                    self.client
                        .send(actions::hangup(&text(item, "Channel"), None))
                        .await,
                );
            }
            Ok(items.is_empty())
        })
        .await
    }

    /// Whether this Asterisk has an action.
    pub(super) async fn has_action(&self, action: &str) -> anyhow::Result<bool> {
        let answer = self.client.send(actions::list_commands()).await?;
        Ok(answer.get(action).is_some())
    }
}

/// The text of a header; empty when absent.
pub(super) fn text(message: &Message, key: &str) -> String {
    message.get(key).unwrap_or_default().into_owned()
}

/// Whether an event is about the channel with this `Uniqueid`.
pub(super) fn is(channel: Channel<'_>, id: &str) -> bool {
    channel.uniqueid() == id
}

/// Waits for a login after `mark`.
pub(super) async fn up(journal: &Journal, mark: usize) -> anyhow::Result<()> {
    let outcome = journal
        .notice("Up", mark, |notice| match notice {
            Notice::Up { .. } => Some(Ok(())),
            Notice::AuthenticationRefused { message } => Some(Err(message.clone())),
            Notice::Event(_) | Notice::Gap { .. } | Notice::Down { .. } => None,
        })
        .await?;
    outcome.map_err(|message| anyhow::anyhow!("the login was refused: {message}"))
}

/// Asks again until it holds.
pub(super) async fn eventually<F>(what: &str, holds: impl Fn() -> F) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<bool>>,
{
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds().await? {
        if Instant::now() > deadline {
            bail!("{what}: not within 20 s");
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Host and port of an address of the lab.
pub(super) fn address(asterisk: &Asterisk, name: &str) -> anyhow::Result<SocketAddr> {
    let text = asterisk.path(name)?;
    text.parse()
        .with_context(|| format!("{name} is no address: {text}"))
}

/// An account of the lab: `pbx_ami_user` and so on.
pub(super) fn account(asterisk: &Asterisk, user: &str) -> anyhow::Result<ClientConfig> {
    let at = address(asterisk, "pbx_ami")?;
    let file = asterisk.path(&format!("{user}_secret_file"))?;
    let secret = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let name = asterisk.path(&format!("{user}_user"))?;
    Ok(ClientConfig {
        port: at.port(),
        ..ClientConfig::new(at.ip().to_string(), name, secret.trim().to_owned())
    })
}

fn lab_account(asterisk: &Asterisk) -> anyhow::Result<ClientConfig> {
    account(asterisk, "pbx_ami_lab")
}
