//! One call that the dialplan handed over.

use std::{sync::Arc, time::Duration};

use strowger_agi::{CommandError, ExecResult, Session};
use strowger_core::{
    ids::CallId,
    phone::PhoneNumber,
    sound::played_as,
    telephony::{
        Amd, ChannelId, ConnectOutcome, ConnectTarget, Event, Recording, ServerName,
        SessionCommand, SessionEvent, SessionId, SessionKind,
    },
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, info_span, warn};

use super::{QUICK, Shared, flow};

/// The variable that tells the dialplan not to offer a call again; see `dialplan/README.md`.
const DONE: &str = "STROWGER_DONE";

/// Arguments of `WaitForSilence`: 1,500 ms of silence, once, awaited for 30 s.
const GREETING_OVER: [&str; 3] = ["1500", "1", "30"];

/// Longer than that takes.
const GREETING: Duration = Duration::from_secs(40);

/// Option of `Dial`: the session goes on when the called party hangs up first.
pub(super) const RETURN: &str = "g";

/// Options of `Dial` for a number outside. `f`: the number that it is shown, which would be the
/// caller's own otherwise; `S`: the seconds after which it is hung up.
fn outside_options(caller_id: &PhoneNumber, max_s: u32) -> String {
    format!("{RETURN}f({caller_id})S({max_s})")
}

/// A session and what it needs to be steered.
pub(super) struct Steered {
    pub(super) session: Session,
    pub(super) id: SessionId,
    pub(super) commands: mpsc::Receiver<SessionCommand>,
    pub(super) shared: Arc<Shared>,
    /// The conversation is being recorded already, or was.
    recording: bool,
    /// A command that the flow was left for.
    pub(super) next: Option<SessionCommand>,
}

/// Closes a session however its task ends: a flow that panics, or a server that drops it.
struct Open {
    id: SessionId,
    shared: Arc<Shared>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.close_session(self.id);
        // Nobody else says so then, and nothing can be waited for here.
        if std::thread::panicking() {
            let closed = Event::Session {
                session: self.id,
                event: SessionEvent::Closed,
            };
            if self.shared.events.try_send(closed).is_err() {
                warn!("A session that panicked could not be reported as closed");
            }
        }
    }
}

/// Serves one session from its first line to its last.
///
/// When the adapter stops, the session is let go wherever it is: a conversation goes on in
/// Asterisk, and a call that waits is offered again by the dialplan.
pub(super) async fn serve(session: Session, shared: Arc<Shared>, stop: CancellationToken) {
    let Some((channel, kind, server)) = purpose(&session, &shared) else {
        warn!(peer = %session.peer(), "A FastAGI session asks for nothing that is known here: compare dialplan/ with what runs");
        return;
    };
    let (id, commands) = shared.open_session();
    let open = Open {
        id,
        shared: Arc::clone(&shared),
    };
    let span = info_span!("agi", session = id.0, %channel);
    let opened = Event::SessionOpened {
        session: id,
        server,
        channel,
        kind,
    };
    if shared.tell(opened).await {
        let steered = Steered {
            session,
            id,
            commands,
            shared: Arc::clone(&shared),
            recording: false,
            next: None,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = steered.run().instrument(span) => {}
        }
    }
    drop(open);
    if !stop.is_cancelled() {
        shared.tell_session(id, SessionEvent::Closed).await;
    }
}

/// What the session is for, from its script and arguments.
fn purpose(session: &Session, shared: &Shared) -> Option<(ChannelId, SessionKind, ServerName)> {
    let environment = session.environment();
    let channel = ChannelId::from(environment.unique_id()?);
    let script = environment.network_script();
    let script = script.split_once('?').map_or(script, |(path, _)| path);
    let (kind, server) = match script {
        "dialer" => (
            SessionKind::Dialer {
                attempt: environment.arg(1)?.parse().ok()?,
                amd: environment.arg(2).and_then(amd),
                amd_cause: environment
                    .arg(3)
                    .filter(|cause| !cause.is_empty())
                    .map(bounded),
            },
            environment.arg(4),
        ),
        "inbound" => (
            SessionKind::Inbound {
                call: CallId((shared.settings.new_id)()),
                did: bounded(environment.arg(1).unwrap_or_default()),
                caller: environment.caller_id().map(bounded),
                endpoint: environment.channel().and_then(endpoint).map(bounded),
            },
            environment.arg(2),
        ),
        _ => return None,
    };
    Some((channel, kind, server_of(server, shared)?))
}

/// The endpoint of a channel: `PJSIP/carrier-00000001` came in through `carrier`.
fn endpoint(channel: &str) -> Option<&str> {
    let (endpoint, _number) = channel.strip_prefix("PJSIP/")?.rsplit_once('-')?;
    Some(endpoint)
}

/// `AMDSTATUS` of Asterisk's AMD application.
fn amd(status: &str) -> Option<Amd> {
    match status {
        "HUMAN" => Some(Amd::Human),
        "MACHINE" => Some(Amd::Machine),
        "NOTSURE" | "HANGUP" => Some(Amd::NotSure),
        _ => None,
    }
}

/// Callers choose their number and the digits after it: what is kept is cut to what can be
/// a number or a SIP user.
fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The server that a session comes from: the dialplan names it (`STROWGER_SERVER`). With one
/// server there is nothing to confuse, so its name in the dialplan does not matter.
fn server_of(named: Option<&str>, shared: &Shared) -> Option<ServerName> {
    let servers = &shared.settings.servers;
    if let [only] = &servers[..] {
        return Some(only.name.clone());
    }
    let server = named.and_then(|name| servers.iter().find(|server| *server.name.0 == *name));
    if server.is_none() {
        warn!(
            ?named,
            "The dialplan names no configured server: set STROWGER_SERVER (apply-asterisk-config.sh --server)"
        );
    }
    server.map(|server| server.name.clone())
}

/// The options of `MixMonitor`: `b` records only while two talk; `B` has both hear a tone every
/// so many seconds, of the module `func_periodic_hook`. They are the same in Asterisk 16 and 22.
const fn options(recording: &Recording) -> &'static str {
    if recording.beep { "bB(15)" } else { "b" }
}

impl Steered {
    async fn run(mut self) {
        loop {
            let Some(command) = self.next_command().await else {
                return;
            };
            let result = match command {
                SessionCommand::Connect { target, record } => {
                    self.connect(&target, record.as_ref()).await
                }
                SessionCommand::PlayAndHangUp { sound } => self.play_and_hang_up(&sound).await,
                SessionCommand::LeaveMessage { sound } => self.leave_message(&sound).await,
                SessionCommand::RunFlow { flow, recording } => {
                    flow::run(&mut self, &flow, &recording).await
                }
                SessionCommand::LeaveQueue { .. } => Ok(()),
                SessionCommand::HangUp => self.session.hangup().await,
            };
            match result {
                Ok(()) => {}
                Err(CommandError::HungUp) => return,
                // Asterisk or the link to it went away; the AMI link says so once for all calls.
                Err(error @ CommandError::Disconnected) => {
                    debug!(%error, "A FastAGI session ended");
                    return;
                }
                Err(error) => {
                    warn!(%error, "A FastAGI session failed");
                    return;
                }
            }
        }
    }

    /// The next command; `None` when the caller hangs up or the adapter stops.
    pub(super) async fn next_command(&mut self) -> Option<SessionCommand> {
        if self.session.is_hung_up() {
            return None;
        }
        if let Some(command) = self.next.take() {
            return Some(command);
        }
        tokio::select! {
            command = self.commands.recv() => command,
            () = self.session.wait_hangup() => None,
        }
    }

    /// Connects the caller and tells how it ended.
    pub(super) async fn connect(
        &mut self,
        target: &ConnectTarget,
        record: Option<&Recording>,
    ) -> Result<(), CommandError> {
        // Once for a call: a second agent, after the first one's phone was not answered, must
        // not start a second recording into the same file.
        if let Some(recording) = record.filter(|_| !self.recording) {
            let path = format!("{}/{}", self.shared.settings.recordings, recording.file);
            // A recording that cannot be made must not cost the conversation.
            match self
                .session
                .exec_within("MixMonitor", &[&path, options(recording)], Some(QUICK))
                .await
            {
                Ok(ExecResult::Returned(0)) => self.recording = true,
                Ok(other) => warn!(?other, "MixMonitor did not start"),
                Err(CommandError::HungUp) => return Err(CommandError::HungUp),
                Err(error) => warn!(%error, "MixMonitor did not start"),
            }
        }
        self.session.set_variable(DONE, "1").await?;
        let outcome = match target {
            ConnectTarget::Leg(channel) => {
                self.session.exec("Bridge", &[&channel.0]).await?;
                match self.session.get_variable("BRIDGERESULT").await?.as_deref() {
                    Some("SUCCESS") => ConnectOutcome::Talked,
                    other => {
                        debug!(?other, "Bridge failed");
                        ConnectOutcome::Failed
                    }
                }
            }
            ConnectTarget::Ring { endpoint, seconds } => {
                self.dial(endpoint, *seconds, RETURN).await?
            }
            ConnectTarget::Outside {
                endpoint,
                seconds,
                caller_id,
                max_s,
            } => {
                self.stop_recording().await?;
                let options = outside_options(caller_id, *max_s);
                self.dial(endpoint, *seconds, &options).await?
            }
        };
        if outcome != ConnectOutcome::Talked {
            self.session.set_variable(DONE, "0").await?;
        }
        self.shared
            .tell_session(self.id, SessionEvent::ConnectEnded { outcome })
            .await;
        Ok(())
    }

    /// Whoever is outside did not agree to be recorded. It does not begin again on this call.
    async fn stop_recording(&mut self) -> Result<(), CommandError> {
        if !self.recording {
            return Ok(());
        }
        match self
            .session
            .exec_within("StopMixMonitor", &[], Some(QUICK))
            .await
        {
            Ok(_) => Ok(()),
            Err(error @ (CommandError::HungUp | CommandError::Disconnected)) => Err(error),
            Err(error) => {
                warn!(%error, "StopMixMonitor failed");
                Ok(())
            }
        }
    }

    /// Rings an endpoint; returns when the conversation is over or never began.
    pub(super) async fn dial(
        &mut self,
        endpoint: &str,
        seconds: u32,
        options: &str,
    ) -> Result<ConnectOutcome, CommandError> {
        self.session
            .exec("Dial", &[endpoint, &seconds.to_string(), options])
            .await?;
        Ok(
            match self.session.get_variable("DIALSTATUS").await?.as_deref() {
                Some("ANSWER") => ConnectOutcome::Talked,
                Some("NOANSWER") => ConnectOutcome::NoAnswer,
                _ => ConnectOutcome::Failed,
            },
        )
    }

    /// Tells the dialplan whether the call has been dealt with.
    pub(super) async fn set_done(&mut self, done: bool) -> Result<(), CommandError> {
        self.session
            .set_variable(DONE, if done { "1" } else { "0" })
            .await
    }

    /// Speaks to a machine after its greeting and its beep: once it has been silent for a
    /// second and a half, or after half a minute in any case.
    async fn leave_message(&mut self, sound: &str) -> Result<(), CommandError> {
        match self
            .session
            .exec_within("WaitForSilence", &GREETING_OVER, Some(GREETING))
            .await
        {
            Ok(_) => {}
            Err(error @ (CommandError::HungUp | CommandError::Disconnected)) => return Err(error),
            // A message in the middle of the greeting is better than none.
            Err(error) => warn!(%error, "WaitForSilence failed"),
        }
        self.play_and_hang_up(sound).await
    }

    async fn play_and_hang_up(&mut self, sound: &str) -> Result<(), CommandError> {
        self.set_done(true).await?;
        self.play(sound).await?;
        self.session.hangup().await
    }

    /// Plays a sound; one that does not exist is passed over, because a caller must not be
    /// lost for a missing file.
    pub(super) async fn play(&mut self, sound: &str) -> Result<(), CommandError> {
        let sound = &*played_as(sound, &self.shared.settings.media);
        match self.session.stream_file(sound, "").await {
            Ok(_) => Ok(()),
            Err(error @ CommandError::Refused { .. }) => {
                warn!(%error, sound, "Cannot play a sound");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_has_a_tone_when_it_is_wanted() {
        for (beep, expected) in [(false, "b"), (true, "bB(15)")] {
            let recording = Recording {
                file: "a.wav".to_owned(),
                beep,
            };
            assert_eq!(options(&recording), expected);
        }
    }

    #[test]
    fn whoever_is_called_outside_sees_our_number_and_not_that_of_the_customer() {
        let shown = PhoneNumber::parse("+33199000100", "FR").unwrap();
        assert_eq!(outside_options(&shown, 7_200), "gf(+33199000100)S(7200)");
    }
}
