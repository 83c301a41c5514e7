//! Flows and queues: of callers, and of those who answer a broadcast.

use super::{Action, FlowWanted, InboundRoute, Switchboard};
use crate::{
    call::{Call, Direction, InboundFacts, Kind, Phase, Walk},
    ids::{CallId, FlowId, QueueId},
    ivr::QueueOutcome,
    record::Write,
    telephony::{Amd, ChannelId, ServerName, SessionCommand, SessionId},
    time::Timestamp,
};

/// What a caller hears whose number leads nowhere; in Asterisk's core sounds.
const NO_SERVICE: &str = "ss-noservice";

impl Switchboard {
    #[expect(
        clippy::too_many_arguments,
        reason = "the facts of one event, used once"
    )]
    pub(super) fn caller_arrived(
        &mut self,
        now: Timestamp,
        session: SessionId,
        server: ServerName,
        channel: ChannelId,
        new_id: CallId,
        did: String,
        caller: Option<String>,
        wanted: FlowWanted,
    ) {
        let id = match self.by_channel.get(&channel) {
            // The dialplan calls again after the daemon was away: the same call.
            Some(id) if self.is_inbound(*id) => *id,
            // A channel that we dialed is no caller: somebody found the port.
            Some(_) => return self.session_command(session, SessionCommand::HangUp),
            None if self.calls.contains_key(&new_id) => {
                return self.session_command(session, SessionCommand::HangUp);
            }
            None => {
                let facts = InboundFacts {
                    did: did.clone(),
                    caller: caller.clone(),
                };
                let call = Call::new(
                    new_id,
                    server.clone(),
                    channel.clone(),
                    Kind::Inbound(facts),
                    Phase::Flow,
                    now,
                );
                self.calls.insert(new_id, call);
                self.by_channel.insert(channel.clone(), new_id);
                self.write(Write::InboundStarted {
                    call: new_id,
                    server,
                    channel,
                    did,
                    caller,
                    at: now,
                });
                new_id
            }
        };
        self.take_session(now, id, session);
        self.note_answered(now, id);
        self.set_phase(now, id, Phase::Flow);
        self.act(Action::FindFlow { call: id, wanted });
    }

    /// Lets whoever answered hear a flow.
    pub(super) fn run_flow(&mut self, now: Timestamp, id: CallId, flow: FlowId) {
        self.release_agent(now, id, "flow");
        self.set_phase(now, id, Phase::Flow);
        self.act(Action::FindFlow {
            call: id,
            wanted: FlowWanted::Flow(flow),
        });
    }

    pub(super) fn flow_found(&mut self, now: Timestamp, id: CallId, route: Option<InboundRoute>) {
        let Some(call) = self.calls.get(&id).filter(|call| call.phase == Phase::Flow) else {
            return;
        };
        let Some(session) = call.session else {
            return;
        };
        let Some(InboundRoute {
            id: flow_id,
            version,
            flow,
        }) = route
        else {
            return self.no_flow(now, id, session);
        };
        self.note_walk(id, |walk| walk.flow = Some((flow_id, version)));
        self.set_phase(now, id, Phase::Flow);
        let recording = format!("voicemail-{id}");
        self.session_command(session, SessionCommand::RunFlow { flow, recording });
    }

    fn is_inbound(&self, id: CallId) -> bool {
        self.calls
            .get(&id)
            .is_some_and(|call| call.direction() == Direction::Inbound)
    }

    /// The flow that a call was to hear is not there.
    fn no_flow(&mut self, now: Timestamp, id: CallId, session: SessionId) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        match (call.direction(), call.signals.amd) {
            (Direction::Inbound, _) => {
                self.set_phase(now, id, Phase::Message);
                let sound = NO_SERVICE.to_owned();
                self.session_command(session, SessionCommand::PlayAndHangUp { sound });
            }
            (Direction::Outbound, Some(Amd::Machine)) => {
                self.set_phase(now, id, Phase::Ending);
                self.session_command(session, SessionCommand::HangUp);
            }
            (Direction::Outbound, Some(Amd::Human | Amd::NotSure) | None) => {
                self.play_safe_harbour(now, id);
            }
        }
    }

    pub(super) fn note_walk(&mut self, id: CallId, set: impl FnOnce(&mut Walk)) {
        if let Some(call) = self.calls.get_mut(&id) {
            set(&mut call.walk);
        }
    }

    pub(super) fn queued(&mut self, now: Timestamp, id: CallId, queue: QueueId, max_wait_s: u32) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        if call.phase != Phase::Flow {
            return;
        }
        // A flow may lead through several queues; each wait is measured on its own.
        call.waits_again = None;
        if call.bridged_at.is_none() {
            call.waiting_since = None;
        }
        let server = call.server.clone();
        // No agent is kept busy by a machine.
        let machine = call.signals.amd == Some(Amd::Machine);
        let staffed = !machine && self.queue_has_agents(&server, &queue);
        self.note_walk(id, |walk| {
            walk.queue = Some(queue);
            walk.max_wait_s = max_wait_s;
        });
        if staffed {
            self.set_phase(now, id, Phase::Waiting);
        } else {
            self.leave_queue(now, id, QueueOutcome::Unavailable);
        }
    }

    pub(super) fn queue_timed_out(&mut self, now: Timestamp, id: CallId) {
        self.leave_queue(now, id, QueueOutcome::TimedOut);
    }

    fn leave_queue(&mut self, now: Timestamp, id: CallId, outcome: QueueOutcome) {
        self.set_phase(now, id, Phase::Flow);
        if let Some(call) = self.calls.get_mut(&id)
            && call.direction() == Direction::Outbound
        {
            // A person whom we called asked for an agent and got none.
            call.signals.gave_up = true;
        }
        if let Some(session) = self.calls.get(&id).and_then(|call| call.session) {
            self.session_command(session, SessionCommand::LeaveQueue { outcome });
        }
    }
}
