//! Customer calls: what their channels tell, and how they end.

use super::{FlowWanted, HOLD_MS, Switchboard};
use crate::{
    call::{Call, Direction, Kind, Phase},
    campaign::{CampaignSettings, DialingMode, MachineAction},
    ids::{AttemptId, CallId},
    record::Write,
    telephony::{
        Amd, ChannelId, ChannelOwner, Event, OriginateFailure, ServerName, SessionCommand,
        SessionEvent, SessionId, SessionKind,
    },
    time::{Timestamp, after},
};

impl Switchboard {
    pub(super) fn telephony(&mut self, now: Timestamp, event: Event) {
        match event {
            Event::Snapshot { server, channels } => self.snapshot(now, &server, &channels),
            Event::LinkDown { server } => {
                // Whatever was asked for will not be answered.
                self.syncing.remove(&server);
                self.set_server(now, &server, false);
            }
            Event::OriginateFailed { channel, failure } => {
                self.originate_failed(now, &channel, &failure);
            }
            Event::OriginateEnded { channel, reason } => {
                self.originate_ended(now, &channel, reason);
            }
            Event::Created { channel } => {
                if let Some(call) = self.call_of(&channel) {
                    call.seen_alive();
                }
            }
            Event::Ringing { channel } => self.ringing(now, &channel),
            Event::Answered { channel } => self.answered(now, &channel),
            Event::DialEnded { channel, status } => {
                if let Some(call) = self.call_of(&channel) {
                    call.signals.dial_status.get_or_insert(status);
                }
            }
            Event::StationAnswered { customer, station } => {
                if let Some(call) = self.call_of(&customer) {
                    call.station = Some(station);
                }
            }
            Event::BridgeEntered { channel, .. } => self.bridged(now, &channel),
            Event::BridgeLeft { channel } => {
                if let Some(call) = self.call_of(&channel).filter(|call| !call.is_outside()) {
                    call.unbridged_at = Some(now);
                }
            }
            Event::HungUp {
                channel,
                cause,
                tech_cause,
            } => self.hung_up(now, &channel, cause, tech_cause.as_deref()),
            Event::SessionOpened {
                session,
                server,
                channel,
                kind,
            } => {
                self.session_opened(now, session, server, channel, kind);
            }
            Event::Session { session, event } => self.session_event(now, session, event),
        }
    }

    fn call_of(&mut self, channel: &ChannelId) -> Option<&mut Call> {
        let id = self.by_channel.get(channel)?;
        self.calls.get_mut(id)
    }

    fn originate_failed(
        &mut self,
        now: Timestamp,
        channel: &ChannelId,
        failure: &OriginateFailure,
    ) {
        match channel.owner() {
            ChannelOwner::Leg { session, number } => {
                return self.leg_failed(now, session, number);
            }
            ChannelOwner::Supervision(id) => return self.supervision_ended(id),
            ChannelOwner::Attempt(_) | ChannelOwner::Other => {}
        }
        let Some(call) = self.call_of(channel) else {
            return;
        };
        let (id, server) = (call.id, call.server.clone());
        match failure {
            OriginateFailure::NotSent => {
                call.signals.cancelled = true;
                if let Some(server) = self.servers.get_mut(&server) {
                    server.hold_until = Some(after(now, HOLD_MS));
                }
                self.customer_gone(now, id);
            }
            OriginateFailure::Refused(_) => {
                call.signals.refused = true;
                self.customer_gone(now, id);
            }
            // It may have been dialed: the exchange is asked, and only what two snapshots
            // do not show is given up.
            OriginateFailure::Unknown => self.sync(now, server),
        }
    }

    fn originate_ended(&mut self, now: Timestamp, channel: &ChannelId, reason: u8) {
        const ANSWERED: u8 = 4;
        match channel.owner() {
            ChannelOwner::Leg { session, number } => {
                if reason != ANSWERED {
                    self.leg_failed(now, session, number);
                }
                return;
            }
            ChannelOwner::Supervision(id) => {
                if reason != ANSWERED {
                    self.supervision_ended(id);
                }
                return;
            }
            ChannelOwner::Attempt(_) | ChannelOwner::Other => {}
        }
        if reason == ANSWERED {
            self.answered(now, channel);
        }
        let Some(call) = self.call_of(channel) else {
            return;
        };
        call.signals.originate_reason = Some(reason);
        let id = call.id;
        if reason != ANSWERED && call.phase != Phase::Ending && !call.signals.answered {
            // The channel's own hang-up follows; when there never was a channel, nothing does.
            self.set_phase(now, id, Phase::Ending);
        }
    }

    fn ringing(&mut self, now: Timestamp, channel: &ChannelId) {
        let Some(call) = self.call_of(channel) else {
            return;
        };
        call.seen_alive();
        let id = call.id;
        if call.phase == Phase::Dialing {
            self.set_phase(now, id, Phase::Ringing);
        }
    }

    fn answered(&mut self, now: Timestamp, channel: &ChannelId) {
        if let ChannelOwner::Leg { session, number } = channel.owner() {
            return self.leg_answered(now, channel, session, number);
        }
        let Some(call) = self.call_of(channel) else {
            return;
        };
        call.seen_alive();
        let id = call.id;
        if matches!(call.phase, Phase::Dialing | Phase::Ringing) {
            self.note_answered(now, id);
            self.set_phase(now, id, Phase::Answered);
        }
    }

    pub(super) fn note_answered(&mut self, now: Timestamp, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.seen_alive();
        call.signals.answered = true;
        if call.answered_at.is_none() {
            call.answered_at = Some(now);
            if let Kind::Outbound(facts) = &call.kind {
                let facts = facts.clone();
                self.write(Write::AttemptAnswered {
                    attempt: facts.attempt,
                    at: now,
                });
                self.trunk_works(now, &facts);
            }
        }
    }

    fn hung_up(
        &mut self,
        now: Timestamp,
        channel: &ChannelId,
        cause: u16,
        tech_cause: Option<&str>,
    ) {
        match channel.owner() {
            ChannelOwner::Leg { session, number } => return self.leg_lost(now, session, number),
            ChannelOwner::Supervision(id) => return self.supervision_ended(id),
            ChannelOwner::Attempt(_) | ChannelOwner::Other => {}
        }
        let Some(call) = self.call_of(channel) else {
            return;
        };
        if call.signals.cause.is_none() {
            call.signals.cause = Some(cause);
        }
        if call.signals.sip_code.is_none() {
            call.signals.sip_code = tech_cause.and_then(sip_code);
        }
        let id = call.id;
        self.customer_gone(now, id);
    }

    // === Sessions ===

    fn session_opened(
        &mut self,
        now: Timestamp,
        session: SessionId,
        server: ServerName,
        channel: ChannelId,
        kind: SessionKind,
    ) {
        match kind {
            SessionKind::Dialer { attempt, .. } if channel != ChannelId::for_attempt(attempt) => {
                // Another channel says whose it is: whoever found the port takes no call over.
                self.session_command(session, SessionCommand::HangUp);
            }
            SessionKind::Dialer {
                attempt,
                amd,
                amd_cause,
            } => {
                let id = CallId::from(attempt);
                self.note_verdict(id, attempt, amd, amd_cause);
                self.customer_arrived(now, session, id);
            }
            SessionKind::Inbound {
                call,
                did,
                caller,
                endpoint,
            } => {
                let wanted = FlowWanted::OfNumber {
                    did: did.clone(),
                    server: server.clone(),
                    endpoint,
                };
                self.caller_arrived(now, session, server, channel, call, did, caller, wanted);
            }
        }
    }

    fn note_verdict(
        &mut self,
        id: CallId,
        attempt: AttemptId,
        amd: Option<Amd>,
        cause: Option<String>,
    ) {
        let audited = amd == Some(Amd::Machine)
            && self
                .settings_of(id)
                .is_some_and(|settings| settings.audits(attempt));
        if let Some(call) = self.calls.get_mut(&id)
            && call.direction() == Direction::Outbound
            && amd.is_some()
        {
            call.signals.amd = amd;
            call.signals.amd_cause = cause;
            // Whoever was treated as a person stays one when the call is handed over again.
            call.signals.audited |= audited;
        }
    }

    fn customer_arrived(&mut self, now: Timestamp, session: SessionId, id: CallId) {
        let known = self
            .calls
            .get(&id)
            .is_some_and(|call| call.direction() == Direction::Outbound);
        if !known {
            // No such attempt is open: a replay, or somebody who found the port.
            return self.session_command(session, SessionCommand::HangUp);
        }
        self.take_session(now, id, session);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let gave_up = call.signals.gave_up;
        let is_machine = call.signals.is_machine();
        let talked = call.bridged_at.is_some();
        self.note_answered(now, id);
        let stopping = self
            .calls
            .get(&id)
            .is_some_and(|call| call.phase == Phase::Ending);
        if talked && !stopping {
            // The conversation is over; a call that was connected is not offered again.
            self.set_phase(now, id, Phase::Ending);
        }
        if stopping || talked {
            return self.session_command(session, SessionCommand::HangUp);
        }
        if gave_up {
            // The daemon was away while the message played: the dialplan brings the call back.
            return self.play_safe_harbour(now, id);
        }
        if is_machine {
            self.machine_answered(now, id, session);
        } else {
            self.person_answered(now, id);
        }
    }

    fn machine_answered(&mut self, now: Timestamp, id: CallId, session: SessionId) {
        let settings = self.settings_of(id);
        let action = settings.map_or(MachineAction::HangUp, |c| c.machine_action.clone());
        self.release_agent(now, id, "machine answered");
        match action {
            MachineAction::HangUp => {
                self.set_phase(now, id, Phase::Ending);
                self.session_command(session, SessionCommand::HangUp);
            }
            MachineAction::LeaveMessage { sound } => {
                self.set_phase(now, id, Phase::Message);
                self.session_command(session, SessionCommand::LeaveMessage { sound });
            }
            MachineAction::Flow { flow } => self.run_flow(now, id, flow),
        }
    }

    fn person_answered(&mut self, now: Timestamp, id: CallId) {
        let broadcast = self
            .settings_of(id)
            .filter(|settings| settings.mode == DialingMode::Broadcast)
            .map(|settings| settings.broadcast_flow.clone());
        match broadcast {
            Some(Some(flow)) => self.run_flow(now, id, flow),
            Some(None) => self.play_safe_harbour(now, id),
            None => self.set_phase(now, id, Phase::Waiting),
        }
    }

    /// The settings of the campaign of a call.
    pub(super) fn settings_of(&self, id: CallId) -> Option<&CampaignSettings> {
        let campaign = self.calls.get(&id)?.campaign()?;
        Some(&self.campaigns.get(campaign)?.settings)
    }

    /// The call is spoken to through this session from now on. An earlier one has no say any
    /// more, and whoever was being connected through it is free.
    pub(super) fn take_session(&mut self, now: Timestamp, id: CallId, session: SessionId) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if let Some(earlier) = call.session.replace(session) {
            self.by_session.remove(&earlier);
        }
        // An agent for whom it was dialed waits for this very session.
        let waits = match call.phase {
            Phase::Dialing | Phase::Ringing | Phase::Answered => call.bridged_at.is_none(),
            Phase::Restored
            | Phase::Flow
            | Phase::Waiting
            | Phase::Connecting
            | Phase::Bridged
            | Phase::Message
            | Phase::Ending => false,
        };
        self.by_session.insert(session, id);
        if !waits {
            self.release_agent(now, id, "session replaced");
        }
    }

    fn session_event(&mut self, now: Timestamp, session: SessionId, event: SessionEvent) {
        let Some(id) = self.by_session.get(&session).copied() else {
            return;
        };
        match event {
            SessionEvent::ConnectEnded { outcome } => self.connect_ended(now, id, outcome),
            SessionEvent::Queued { queue, max_wait_s } => self.queued(now, id, queue, max_wait_s),
            SessionEvent::Voicemail {
                path, duration_ms, ..
            } => {
                self.note_walk(id, |walk| walk.voicemail = Some((path, duration_ms)));
            }
            SessionEvent::Transferred { number, .. } => {
                self.note_walk(id, |walk| walk.transferred_to = Some(number));
            }
            SessionEvent::FlowEnded { path, completed } => {
                self.note_walk(id, |walk| walk.path = path);
                if let Some(call) = self.calls.get_mut(&id) {
                    call.signals.served = completed;
                }
                if self
                    .calls
                    .get(&id)
                    .is_some_and(|call| call.phase == Phase::Flow)
                {
                    self.set_phase(now, id, Phase::Ending);
                }
            }
            SessionEvent::Closed => self.session_closed(now, session, id),
        }
    }

    fn session_closed(&mut self, now: Timestamp, session: SessionId, id: CallId) {
        self.by_session.remove(&session);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.session != Some(session) {
            return;
        }
        call.session = None;
        match call.phase {
            // The hang-up of the channel follows; if it does not, the exchange is asked.
            Phase::Answered | Phase::Flow | Phase::Waiting | Phase::Message => {
                self.set_phase(now, id, Phase::Ending);
            }
            Phase::Connecting | Phase::Bridged => {
                self.release_agent(now, id, "session closed");
                self.set_phase(now, id, Phase::Ending);
            }
            Phase::Restored | Phase::Dialing | Phase::Ringing | Phase::Ending => {}
        }
    }
}

/// Reads the SIP code of Asterisk's `TechCause`, such as `SIP 486 Busy Here` or `486`.
fn sip_code(tech_cause: &str) -> Option<u16> {
    tech_cause
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| part.len() == 3)
        .and_then(|code| code.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::sip_code;

    #[test]
    fn a_sip_code_is_found_in_what_asterisk_writes() {
        assert_eq!(sip_code("SIP 486 Busy Here"), Some(486));
        assert_eq!(sip_code("603"), Some(603));
        assert_eq!(sip_code("0"), None);
    }
}
