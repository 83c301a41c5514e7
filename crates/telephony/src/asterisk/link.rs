//! One server's manager interface: events in, commands out, snapshots in between.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use strowger_ami::{
    ActionError, Client, Events, Message, Notice,
    actions::{self, Application, Destination, OriginateRequest},
};
use strowger_core::telephony::{
    Command, Event, Originate, OriginateFailure, OriginatePurpose, ServerName, Supervision,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    Shared,
    translate::{Overlay, live_channel, translate},
};

/// What the commands of a server need.
pub(super) struct Handle {
    pub(super) client: Client,
    pub(super) sync: mpsc::Sender<()>,
}

pub(super) struct Link {
    pub(super) name: ServerName,
    pub(super) client: Client,
    pub(super) shared: Arc<Shared>,
}

impl Link {
    pub(super) async fn run(self, mut notices: Events, mut sync_requests: mpsc::Receiver<()>) {
        // A server whose channels are not known is not used: a list that failed is asked again.
        let mut retry_at = None;
        loop {
            let snapshot_needed = tokio::select! {
                notice = notices.recv() => match notice {
                    Some(notice) => self.notice(notice).await,
                    None => return,
                },
                Some(()) = sync_requests.recv() => true,
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => true,
            };
            if snapshot_needed {
                match self.snapshot(&mut notices).await {
                    Snapshot::Told => retry_at = None,
                    Snapshot::Missing => retry_at = Some(Instant::now() + SNAPSHOT_RETRY),
                    Snapshot::Outdated => retry_at = Some(Instant::now()),
                    Snapshot::NobodyListens => return,
                }
            }
        }
    }

    /// Tells what a notice means. Whether a snapshot is needed now.
    async fn notice(&self, notice: Notice) -> bool {
        match notice {
            Notice::Event(event) => {
                if let Some(event) = translate(&event) {
                    self.shared.tell(event).await;
                }
                false
            }
            other => self.link_changed(other).await,
        }
    }

    /// Whether a snapshot is needed now.
    async fn link_changed(&self, notice: Notice) -> bool {
        let server = &self.name;
        match notice {
            Notice::Up {
                ami_version,
                asterisk_version,
                ..
            } => {
                let asterisk_version = asterisk_version.unwrap_or_default();
                info!(%server, %ami_version, %asterisk_version, "AMI link is up");
                true
            }
            Notice::Gap { reason } => {
                warn!(%server, %reason, "AMI events are missing, taking a snapshot");
                metrics::counter!("strowger_ami_gaps_total", "server" => server.to_string())
                    .increment(1);
                true
            }
            Notice::Down { reason } => {
                warn!(%server, %reason, "AMI link is down");
                self.shared
                    .tell(Event::LinkDown {
                        server: server.clone(),
                    })
                    .await;
                false
            }
            Notice::AuthenticationRefused { message } => {
                error!(
                    %server, %message,
                    "Asterisk refused the manager account: correct username and secret in asterisk.servers and restart, or correct manager.conf and reload this service"
                );
                self.shared
                    .tell(Event::LinkDown {
                        server: server.clone(),
                    })
                    .await;
                false
            }
            Notice::Event(_) => false,
        }
    }

    /// Reads all channels and tells them, while events go on.
    async fn snapshot(&self, notices: &mut Events) -> Snapshot {
        let mut overlay = Overlay::default();
        let list = self.client.list(actions::core_show_channels());
        tokio::pin!(list);
        let list = loop {
            tokio::select! {
                // Events first: those that came before the end of the list are told before it.
                biased;
                Some(notice) = notices.recv() => match notice {
                    Notice::Event(event) => {
                        if let Some(event) = translate(&event) {
                            overlay.note(&event);
                            if !self.shared.tell(event).await {
                                return Snapshot::NobodyListens;
                            }
                        }
                    }
                    // A link that was lost and came back needs the list anew; so does a gap.
                    other => {
                        if self.link_changed(other).await {
                            list.set(self.client.list(actions::core_show_channels()));
                            overlay = Overlay::default();
                        }
                    }
                },
                list = &mut list => break list,
            }
        };
        // What was queued before the end of the list, but after the last look at the queue.
        while let Some(notice) = notices.try_recv() {
            match notice {
                Notice::Event(event) => {
                    if let Some(event) = translate(&event) {
                        overlay.note(&event);
                        if !self.shared.tell(event).await {
                            return Snapshot::NobodyListens;
                        }
                    }
                }
                other => {
                    if self.link_changed(other).await {
                        return Snapshot::Outdated;
                    }
                }
            }
        }
        match list {
            Ok(items) => {
                let channels = overlay.over(items.into_iter().filter_map(live_channel).collect());
                let server = self.name.clone();
                let snapshot = Event::Snapshot { server, channels };
                if self.shared.tell(snapshot).await {
                    Snapshot::Told
                } else {
                    Snapshot::NobodyListens
                }
            }
            // The link that comes back asks by itself.
            Err(ActionError::NotConnected | ActionError::UnknownOutcome) => Snapshot::Told,
            Err(error) => {
                error!(
                    server = %self.name, %error,
                    "Cannot list channels, so no call is placed there: the manager account needs write = reporting"
                );
                Snapshot::Missing
            }
        }
    }
}

/// What became of a snapshot.
enum Snapshot {
    Told,
    Missing,
    /// The link came back or events are missing meanwhile.
    Outdated,
    NobodyListens,
}

/// Pause before a list of channels that failed is asked for again.
const SNAPSHOT_RETRY: Duration = Duration::from_secs(5);

/// Carries out commands. Their answers are awaited side by side, but they are sent in order.
pub(super) async fn carry_out(
    servers: HashMap<ServerName, Handle>,
    mut commands: mpsc::Receiver<Command>,
    shared: Arc<Shared>,
) {
    let mut answers: FuturesUnordered<BoxFuture<'static, Option<Event>>> = FuturesUnordered::new();
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                None => return,
                Some(Command::Session { session, command }) => shared.command_session(session, command),
                Some(Command::Sync { server }) => {
                    if let Some(handle) = servers.get(&server) {
                        // Full means that one is asked for already.
                        let _ = handle.sync.try_send(());
                    }
                }
                Some(Command::HangUp { server, channel }) => {
                    if let Some(handle) = servers.get(&server) {
                        let client = handle.client.clone();
                        answers.push(Box::pin(async move {
                            let sent = client.send(actions::hangup(&channel.0, None)).await;
                            if let Err(error) = sent.map(drop).or_else(is_gone) {
                                warn!(%server, %channel, %error, "Cannot hang up");
                            }
                            None
                        }));
                    }
                }
                Some(Command::FreeLeg { server, leg }) => {
                    if let Some(handle) = servers.get(&server) {
                        let client = handle.client.clone();
                        answers.push(Box::pin(async move {
                            let idle = actions::redirect(&leg.0, &idle_place(), None);
                            // A leg that is gone has left its conversation.
                            if let Err(error) = client.send(idle).await.map(drop).or_else(is_gone) {
                                warn!(%server, %leg, %error, "Cannot take a leg out of its conversation");
                            }
                            None
                        }));
                    }
                }
                Some(Command::Originate(originate)) => match servers.get(&originate.server) {
                    Some(handle) => answers.push(Box::pin(place(handle.client.clone(), originate))),
                    None => {
                        let failure = OriginateFailure::Refused(format!("no server {} is configured", originate.server));
                        shared.tell(Event::OriginateFailed { channel: originate.channel, failure }).await;
                    }
                },
            },
            Some(failed) = answers.next(), if !answers.is_empty() => {
                if let Some(event) = failed {
                    shared.tell(event).await;
                }
            }
        }
    }
}

/// Hanging up what is gone already is success.
fn is_gone(error: ActionError) -> Result<(), ActionError> {
    match error {
        ActionError::Rejected { message }
            if message.contains("No such channel") || message.contains("does not exist") =>
        {
            Ok(())
        }
        other => Err(other),
    }
}

/// Where a nailed-up leg idles: answering a channel that is up does nothing.
fn idle_place() -> Destination {
    Destination {
        context: AGENT_CONTEXT.to_owned(),
        exten: LEG.to_owned(),
        priority: 1,
    }
}

async fn place(client: Client, originate: Originate) -> Option<Event> {
    let Originate {
        server,
        channel,
        endpoint,
        caller_id,
        timeout_ms,
        purpose,
    } = originate;
    let request = OriginateRequest {
        channel: endpoint,
        channel_id: channel.to_string(),
        caller_id,
        timeout_ms,
        ..destination(purpose)
    };
    let failure = match client
        .send(actions::originate(&request))
        .await
        .map(|_: Message| ())
    {
        Ok(()) => return None,
        // Nothing was dialed, and nothing is wrong with what was asked.
        Err(ActionError::Rejected { message }) if message == "Asterisk is shutting down" => {
            OriginateFailure::NotSent
        }
        Err(ActionError::Rejected { message }) => {
            warn!(%server, %channel, %message, "Asterisk refused an Originate");
            OriginateFailure::Refused(message)
        }
        Err(error) if error.is_certain() => {
            warn!(%server, %channel, %error, "An Originate was not sent");
            OriginateFailure::NotSent
        }
        Err(error) => {
            warn!(%server, %channel, %error, "The outcome of an Originate is unknown");
            OriginateFailure::Unknown
        }
    };
    Some(Event::OriginateFailed { channel, failure })
}

/// The place in the dialplan where nailed-up legs idle.
const AGENT_CONTEXT: &str = "strowger-agent";
const LEG: &str = "leg";

/// Where the channel goes once it is answered.
fn destination(purpose: OriginatePurpose) -> OriginateRequest {
    let place = |context: &str, exten: &str| OriginateRequest {
        context: context.to_owned(),
        exten: exten.to_owned(),
        priority: 1,
        ..OriginateRequest::default()
    };
    match purpose {
        OriginatePurpose::Customer { attempt, amd } => OriginateRequest {
            variables: vec![
                ("STROWGER_ATTEMPT".to_owned(), attempt.to_string()),
                (
                    "STROWGER_AMD".to_owned(),
                    u8::from(amd.is_some()).to_string(),
                ),
                ("STROWGER_AMD_ARGS".to_owned(), amd.unwrap_or_default()),
            ],
            ..place("strowger-dialer", "s")
        },
        OriginatePurpose::AgentLeg => place(AGENT_CONTEXT, LEG),
        OriginatePurpose::Supervision { target, how } => OriginateRequest {
            application: Some(Application {
                name: "ChanSpy".to_owned(),
                data: format!("{target},{}", spy_options(how)),
            }),
            ..OriginateRequest::default()
        },
    }
}

/// `q`: no beep. `w`: the spied channel hears the spy; `B`: so does the other side. `u`: the
/// target is a Uniqueid, exactly that one. `E` and `S`: over with the target, or when it is gone.
fn spy_options(how: Supervision) -> &'static str {
    match how {
        Supervision::Listen => "quES",
        Supervision::Coach => "qwuES",
        Supervision::Barge => "qBuES",
    }
}

#[cfg(test)]
mod tests {
    use strowger_core::telephony::ChannelId;

    use super::*;

    #[test]
    fn a_supervisor_hears_exactly_the_channel_that_was_asked_for() {
        for (how, data) in [
            (Supervision::Listen, "leg_1_2,quES"),
            (Supervision::Coach, "leg_1_2,qwuES"),
            (Supervision::Barge, "leg_1_2,qBuES"),
        ] {
            let target = ChannelId::from("leg_1_2");
            let request = destination(OriginatePurpose::Supervision { target, how });
            let application = request.application.unwrap();
            assert_eq!((&*application.name, &*application.data), ("ChanSpy", data));
        }
    }
}
