//! Flows over FastAGI: effects become commands, their results the next input.

use std::time::Duration;

use strowger_agi::{CommandError, RecordingEnd};
use strowger_core::{
    ids::QueueId,
    ivr::{
        Effect, Flow, FlowState, Input, Prompt, PromptSource, QueueOutcome, TransferOutcome, step,
    },
    sound::played_as,
    telephony::{ConnectOutcome, SessionCommand, SessionEvent},
    time::Timestamp,
};
use tracing::warn;

use super::session::{RETURN, Steered};

/// Every key ends a prompt: a wrong one has to be noticed as well.
const ALL_KEYS: &str = "0123456789*#";

/// Pause after which an entry of several digits is complete.
const BETWEEN_DIGITS: Duration = Duration::from_secs(3);

/// Voicemails are 16-bit linear at 8 kHz, whatever the codec of the call.
const SAMPLES_PER_MS: u64 = 8;

/// Runs a flow to its end and hangs up.
pub(super) async fn run(
    call: &mut Steered,
    flow: &Flow,
    recording: &str,
) -> Result<(), CommandError> {
    call.session.answer().await?;
    let mut state = FlowState::new();
    let mut input = Input::Start;
    let result = loop {
        let effect = step(flow, &mut state, now(), input);
        if let Effect::Hangup { .. } = effect {
            break Ok(());
        }
        match carry_out(call, effect, recording).await {
            Ok(next) => input = next,
            Err(error) => break Err(error),
        }
        if call.next.is_some() && !call.session.is_hung_up() {
            // The call goes elsewhere; what this flow would do is of no interest.
            return Ok(());
        }
    };
    // Whoever hangs up in the middle of a prompt ends it with an error.
    let completed = result.is_ok() && !call.session.is_hung_up();
    let path = state.path().iter().map(ToString::to_string).collect();
    call.shared
        .tell_session(call.id, SessionEvent::FlowEnded { path, completed })
        .await;
    result?;
    call.set_done(true).await?;
    call.session.hangup().await
}

#[expect(
    clippy::disallowed_methods,
    reason = "the edge at which calendars get their clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

async fn carry_out(
    call: &mut Steered,
    effect: Effect,
    recording: &str,
) -> Result<Input, CommandError> {
    match effect {
        Effect::Play { prompt } => {
            say(call, &prompt, "").await?;
            Ok(Input::Played)
        }
        Effect::Collect {
            prompts,
            keys,
            max_digits,
            timeout_ms,
            ..
        } => {
            collect(
                call,
                &prompts,
                &keys,
                max_digits,
                Duration::from_millis(u64::from(timeout_ms)),
            )
            .await
        }
        Effect::Transfer {
            number,
            ring_s,
            trunk,
        } => transfer(call, number, ring_s, trunk).await,
        Effect::Record {
            prompt,
            mailbox,
            max_s,
            silence_s,
            beep,
        } => {
            say(call, &prompt, "").await?;
            record(call, recording, mailbox, max_s, silence_s, beep).await
        }
        Effect::Enqueue {
            queue_id,
            max_wait_s,
            music,
        } => wait_in_queue(call, &queue_id, max_wait_s, music).await,
        // No input that does not fit is ever given here; if one were, the call ends.
        Effect::Wait | Effect::Hangup { .. } => Ok(Input::CallerHungUp),
    }
}

/// Plays a prompt; a key of `escape` ends it and is returned.
async fn say(
    call: &mut Steered,
    prompt: &Prompt,
    escape: &str,
) -> Result<Option<char>, CommandError> {
    let sound = match prompt.source() {
        None => return Ok(None),
        Some(PromptSource::Audio(name)) => {
            played_as(name, &call.shared.settings.media).into_owned()
        }
        Some(PromptSource::Text(text)) => match &call.shared.settings.speech {
            Some(speech) => match speech.sound_for(text).await {
                Ok(sound) => sound,
                Err(error) => {
                    warn!(%error, "Cannot speak a prompt");
                    return Ok(None);
                }
            },
            None => {
                warn!(
                    "A prompt has a text and no sound file, and asterisk.speech is not configured"
                );
                return Ok(None);
            }
        },
    };
    match call.session.stream_file(&sound, escape).await {
        Ok(playback) => Ok(playback.digit),
        Err(error @ CommandError::Refused { .. }) => {
            warn!(%error, sound, "Cannot play a prompt");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn collect(
    call: &mut Steered,
    prompts: &[Prompt],
    keys: &[String],
    max_digits: usize,
    timeout: Duration,
) -> Result<Input, CommandError> {
    let mut first = None;
    for prompt in prompts {
        first = say(call, prompt, ALL_KEYS).await?;
        if first.is_some() {
            break;
        }
    }
    if first.is_none() {
        first = call.session.wait_for_digit(timeout).await?;
    }
    let Some(first) = first else {
        return Ok(Input::NoInput);
    };
    let mut digits = String::from(first);
    // More digits are awaited only while a longer key is possible.
    while digits.chars().count() < max_digits
        && keys
            .iter()
            .any(|key| key.len() > digits.len() && key.starts_with(&digits))
    {
        match call.session.wait_for_digit(BETWEEN_DIGITS).await? {
            Some('#') if !keys.iter().any(|key| key.contains('#')) => break,
            Some(digit) => digits.push(digit),
            None => break,
        }
    }
    Ok(Input::Digits(digits))
}

async fn transfer(
    call: &mut Steered,
    number: String,
    ring_s: u32,
    trunk: Option<String>,
) -> Result<Input, CommandError> {
    let Some(trunk) = trunk.or_else(|| call.shared.settings.transfer_trunk.clone()) else {
        warn!("A flow transfers a caller and names no trunk: set asterisk.transfer_trunk");
        return Ok(Input::TransferEnded(TransferOutcome::Failed));
    };
    // While they talk the daemon may go: the dialplan must not start the flow again.
    call.set_done(true).await?;
    let outcome = call
        .dial(&format!("PJSIP/{number}@{trunk}"), ring_s, RETURN)
        .await?;
    let answered = outcome == ConnectOutcome::Talked;
    call.shared
        .tell_session(call.id, SessionEvent::Transferred { number, answered })
        .await;
    if answered {
        return Ok(Input::TransferEnded(TransferOutcome::Answered));
    }
    call.set_done(false).await?;
    Ok(Input::TransferEnded(TransferOutcome::Failed))
}

async fn record(
    call: &mut Steered,
    recording: &str,
    mailbox: Option<String>,
    max_s: u32,
    silence_s: u32,
    beep: bool,
) -> Result<Input, CommandError> {
    let file = format!("{}/{recording}", call.shared.settings.recordings);
    let silence = (silence_s > 0).then(|| Duration::from_secs(u64::from(silence_s)));
    let max = Duration::from_secs(u64::from(max_s));
    let recorded = call
        .session
        .record_file(&file, "wav", "#", max, beep, silence)
        .await?;
    if recorded.end == RecordingEnd::Failed {
        warn!(
            file,
            "Asterisk could not record a voicemail: check asterisk.recordings_dir"
        );
    }
    let duration_ms = recorded.samples / SAMPLES_PER_MS;
    let path = format!("{recording}.wav");
    call.shared
        .tell_session(
            call.id,
            SessionEvent::Voicemail {
                path,
                duration_ms,
                mailbox,
            },
        )
        .await;
    Ok(match recorded.end {
        RecordingEnd::Hangup => Input::CallerHungUp,
        RecordingEnd::Dtmf(_) | RecordingEnd::Timeout | RecordingEnd::Failed => {
            Input::Recorded { duration_ms }
        }
    })
}

async fn wait_in_queue(
    call: &mut Steered,
    queue_id: &str,
    max_wait_s: u32,
    music: Option<String>,
) -> Result<Input, CommandError> {
    let Ok(queue) = QueueId::new(queue_id) else {
        return Ok(Input::QueueEnded(QueueOutcome::Unavailable));
    };
    call.shared
        .tell_session(call.id, SessionEvent::Queued { queue, max_wait_s })
        .await;
    call.session.set_music(true, music.as_deref()).await?;
    loop {
        match call.next_command().await {
            Some(SessionCommand::Connect { target, record }) => {
                call.session.set_music(false, None).await?;
                call.connect(&target, record.as_ref()).await?;
                call.session.set_music(true, music.as_deref()).await?;
            }
            Some(SessionCommand::LeaveQueue { outcome }) => {
                call.session.set_music(false, None).await?;
                return Ok(Input::QueueEnded(outcome));
            }
            Some(SessionCommand::HangUp) => return Ok(Input::QueueEnded(QueueOutcome::Connected)),
            Some(
                command @ (SessionCommand::PlayAndHangUp { .. }
                | SessionCommand::LeaveMessage { .. }
                | SessionCommand::RunFlow { .. }),
            ) => {
                call.session.set_music(false, None).await?;
                // The dialplan offers it again if it is lost from here on.
                call.set_done(false).await?;
                call.next = Some(command);
                return Ok(Input::QueueEnded(QueueOutcome::Connected));
            }
            None => return Ok(Input::CallerHungUp),
        }
    }
}
