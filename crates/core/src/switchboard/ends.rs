//! How calls end, and what is written of them.

use super::{LOOK_MS, OVERDUE_MS, Switchboard, Timer};
use crate::{
    call::{Call, Direction, Kind, Phase},
    disposition::{Disposition, fuse},
    ids::CallId,
    live::Change,
    record::{AttemptEnd, CallRecord, Write},
    retry::AfterAttempt,
    telephony::{self, SessionCommand},
    time::{Timestamp, after, millis_between},
    transfer::Outcome,
};

impl Switchboard {
    pub(super) fn play_safe_harbour(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.signals.gave_up = true;
        let session = call.session;
        let sound = call
            .campaign()
            .and_then(|c| self.campaigns.get(c))
            .map(|c| c.settings.safe_harbour.clone())
            .unwrap_or_default();
        self.set_phase(now, id, Phase::Message);
        if let Some(session) = session {
            self.session_command(session, SessionCommand::PlayAndHangUp { sound });
        }
    }

    /// Hangs the customer up because somebody or some limit wants it.
    pub(super) fn hang_up_customer(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if !call.signals.answered {
            call.signals.cancelled = true;
        }
        let command = telephony::Command::HangUp {
            server: call.server.clone(),
            channel: call.channel.clone(),
        };
        // A line that was only just sent has no channel yet; it must be looked for all the same.
        call.alive = true;
        self.telephony_command(command);
        self.release_agent(now, id, "hung up");
        self.set_phase(now, id, Phase::Ending);
    }

    /// The customer's channel is gone, or never was.
    pub(super) fn customer_gone(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.alive = false;
        call.ended_at.get_or_insert(now);
        let answered = call.signals.answered;
        let inbound = call.direction() == Direction::Inbound;
        self.release_agent(now, id, "customer hung up");
        if inbound || answered {
            self.close(now, id);
        } else {
            self.set_phase(now, id, Phase::Ending);
        }
    }

    /// Frees the agent of a call: to wrap up if they talked, else back to where they were.
    pub(super) fn release_agent(&mut self, now: Timestamp, id: CallId, cause: &'static str) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.bridged_at.is_some() {
            call.unbridged_at.get_or_insert(now);
        }
        let Some(agent) = call.agent.take() else {
            return;
        };
        let talked = call.talked_to.as_ref() == Some(&agent);
        let wrap_up_s = call
            .campaign()
            .and_then(|c| self.campaigns.get(c))
            .map_or(0, |c| c.settings.wrap_up_s);
        self.publish_call(id);
        self.after_call(now, &agent, talked.then_some(wrap_up_s), cause);
    }

    /// A phase has lasted too long.
    pub(super) fn call_overdue(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        match call.phase {
            Phase::Dialing | Phase::Ringing => self.look_again(now, id, OVERDUE_MS),
            Phase::Bridged if call.transfer_asked.is_some() => self.transfer_overdue(now, id),
            Phase::Flow if !call.has_flow() && call.session.is_some() => {
                self.flow_found(now, id, None);
            }
            Phase::Bridged if call.talk_until.is_some_and(|until| until <= now) => {
                self.release_agent(now, id, "longest conversation reached");
                self.hang_up_customer(now, id);
            }
            Phase::Restored | Phase::Bridged | Phase::Flow => self.look_again(now, id, LOOK_MS),
            Phase::Connecting if self.may_be_talking(now, call) => {
                self.look_again(now, id, OVERDUE_MS);
            }
            Phase::Ending if call.alive && call.ended_at.is_none() => {
                self.look_again(now, id, OVERDUE_MS);
            }
            Phase::Ending => self.close(now, id),
            Phase::Waiting if call.walk.queue.is_some() => self.queue_timed_out(now, id),
            Phase::Waiting => self.play_safe_harbour(now, id),
            Phase::Answered | Phase::Connecting | Phase::Message => self.hang_up_customer(now, id),
        }
    }

    /// The news that a connection came up may be lost, and a conversation must not be cut
    /// for that: while the exchange cannot be seen, or has not been asked yet.
    fn may_be_talking(&self, now: Timestamp, call: &Call) -> bool {
        let limit = self.connect_limit(call).saturating_add(OVERDUE_MS);
        !self.server_up(&call.server) || millis_between(call.since, now) < limit
    }

    /// Asks the exchange what it has, and looks at the call again later.
    fn look_again(&mut self, now: Timestamp, id: CallId, later_ms: u64) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let again = call.while_it_may_talk(after(now, later_ms));
        self.sync(now, call.server.clone());
        self.arm_call(id, again);
    }

    /// Writes what became of a call and forgets it.
    pub(super) fn close(&mut self, now: Timestamp, id: CallId) {
        // Leaving the waiting line is part of leaving the phase.
        self.set_phase(now, id, Phase::Ending);
        self.end_transfer(now, id, Outcome::CallEnded);
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        self.timers.remove(&(call.limit, Timer::Call(id)));
        self.by_channel.remove(&call.channel);
        if let Some(session) = call.session.filter(|s| self.by_session.get(s) == Some(&id)) {
            self.by_session.remove(&session);
        }
        let ended_at = *call.ended_at.get_or_insert(now);
        if self.waited_too_long(&call, ended_at) {
            call.signals.gave_up = true;
        }
        let disposition = match &call.kind {
            Kind::Outbound(_) => Some(fuse(&call.signals)),
            Kind::Inbound(_) => inbound_disposition(&call, call.walk.queue.is_some()),
        };
        if let (Kind::Outbound(facts), Some(disposition)) = (&call.kind, disposition) {
            let facts = facts.clone();
            let failed = if call.signals.answered {
                None
            } else {
                self.trunk_ended(now, &call, &facts, disposition)
            };
            let campaign = self.campaigns.get(&facts.campaign);
            // What was ended by us before anybody answered, unless it had ended by itself.
            let never_left = call.signals.cancelled
                && !call.signals.answered
                && matches!(disposition, Disposition::Cancelled | Disposition::Unknown);
            let after_attempt = if never_left {
                // The contact was not disturbed; it goes back to the list.
                AfterAttempt::Retry(ended_at)
            } else if let Some(after_failure) = failed {
                after_failure
            } else {
                let rules = campaign.map(|c| c.settings.retry.clone());
                rules
                    .unwrap_or_default()
                    .decide(disposition, facts.ordinal, ended_at)
            };
            self.write(Write::AttemptEnded(AttemptEnd {
                attempt: facts.attempt,
                contact: facts.contact.clone(),
                disposition,
                cause: call.signals.cause,
                sip_code: call.signals.sip_code,
                amd: call.signals.amd,
                amd_cause: call.signals.amd_cause.clone(),
                amd_audited: call.signals.audited,
                late: self.owed_late(&call, disposition),
                after: after_attempt,
                at: ended_at,
            }));
            self.count_end(&facts.campaign, &call, disposition, after_attempt);
            self.pace_end(now, &call, disposition);
        }
        self.write(Write::CallClosed(record_of(&call, disposition, ended_at)));
        self.act(super::Action::Publish(Change::CallGone { id }));
    }

    /// Whether a person who was called, and asked for an agent in a flow, waited longer than a
    /// person may and got none.
    fn waited_too_long(&self, call: &Call, ended_at: Timestamp) -> bool {
        let limit = call
            .campaign()
            .and_then(|id| self.campaigns.get(id))
            .map(|campaign| campaign.settings.abandon_after_ms);
        match (limit, call.waiting_since) {
            (Some(limit), Some(since)) => {
                call.walk.queue.is_some()
                    && call.bridged_at.is_none()
                    && millis_between(since, ended_at) >= limit
            }
            (None, _) | (_, None) => false,
        }
    }

    fn count_end(
        &mut self,
        campaign: &crate::ids::CampaignId,
        call: &Call,
        disposition: Disposition,
        after_attempt: AfterAttempt,
    ) {
        let ended_at = call.ended_at.unwrap_or(call.since);
        match after_attempt {
            AfterAttempt::Retry(due) => self.list_has_more(campaign, due),
            AfterAttempt::GiveBack => self.list_has_more(campaign, ended_at),
            AfterAttempt::Called | AfterAttempt::Exhausted => {}
        }
        self.count(campaign, |counters| {
            counters.ended += 1;
            // Those who were connected were counted then.
            let human_without_agent = disposition.is_human() && !call.signals.bridged;
            counters.answered_human += u64::from(human_without_agent);
            counters.answered_machine += u64::from(disposition == Disposition::AnsweredMachine);
            counters.abandoned += u64::from(disposition == Disposition::Abandoned);
        });
    }
}

/// An inbound call has a disposition when it asked for an agent.
fn inbound_disposition(call: &Call, queued: bool) -> Option<Disposition> {
    if call.signals.bridged {
        Some(Disposition::AnsweredHuman)
    } else if queued {
        Some(Disposition::Abandoned)
    } else {
        None
    }
}

fn record_of(call: &Call, disposition: Option<Disposition>, ended_at: Timestamp) -> CallRecord {
    let base = CallRecord {
        call: call.id,
        direction: call.direction(),
        server: call.server.clone(),
        channel: call.channel.clone(),
        attempt: None,
        campaign: None,
        contact: None,
        agent: call.talked_to.clone(),
        source: None,
        destination: String::new(),
        flow: call.walk.flow.clone(),
        queue: call.walk.queue.clone(),
        path: call.walk.path.clone(),
        transferred_to: call.walk.transferred_to.clone(),
        started_at: call.started_at,
        answered_at: call.answered_at,
        waiting_since: call.waiting_since,
        bridged_at: call.bridged_at,
        unbridged_at: call.unbridged_at,
        ended_at,
        disposition,
        cause: call.signals.cause,
        recording: call.recording.clone().filter(|_| call.bridged_at.is_some()),
        voicemail: call.walk.voicemail.clone(),
    };
    match &call.kind {
        Kind::Outbound(facts) => CallRecord {
            attempt: Some(facts.attempt),
            campaign: Some(facts.campaign.clone()),
            contact: Some(facts.contact.clone()),
            destination: facts.number.to_string(),
            ..base
        },
        Kind::Inbound(facts) => CallRecord {
            source: facts.caller.clone(),
            destination: facts.did.clone(),
            ..base
        },
    }
}
