//! Conversations that are handed on.
//!
//! A transfer begins by ending the conversation for the agent alone: their nailed-up leg is
//! taken out of it, or their station is hung up. The customer's session then says that the
//! connection is over, as it does when an agent hangs up, and the customer is connected to
//! whomever the call goes to. So the customer is in the hands of the session all the time: if
//! nobody takes them they come back to the agent, or wait as those do who have no agent yet.

use super::{HAND_ON_MS, LOOK_MS, OUTSIDE_RING_S, Refused, Switchboard};
use crate::{
    agent::{Agent, AgentState, Leg, LegMode},
    breaker::Takes,
    call::{Call, Kind, Phase},
    campaign::TrunkSettings,
    ids::{CallId, UserId},
    phone::PhoneNumber,
    record::Write,
    telephony::{self, ConnectOutcome, ConnectTarget, SessionCommand},
    time::{Timestamp, after},
    transfer::{Line, MAX_TRANSFERS, Outcome, Target, Transfer},
};

/// What an agent reads who has the call again.
const CAME_BACK: &str = "the transfer was not taken: the call came back to you";

/// What an agent reads whose call could not be taken from them.
const GOES_ON: &str = "the call could not be transferred: it goes on with you";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferCall {
    /// Which call.
    pub call: CallId,
    /// By whom.
    pub by: UserId,
    /// Where to.
    pub to: Target,
}

impl Switchboard {
    pub(super) fn transfer(&mut self, now: Timestamp, asked: TransferCall) -> Result<(), Refused> {
        let TransferCall { call: id, by, to } = asked;
        let call = self.calls.get(&id).ok_or(Refused::UnknownCall(id))?;
        let cannot = |hint| Refused::NotTransferable { call: id, hint };
        if call.phase != Phase::Bridged {
            return Err(cannot("nobody talks on it now"));
        }
        if call.transfer_asked.is_some() {
            return Err(cannot("it is being transferred already"));
        }
        if call.transfers >= MAX_TRANSFERS {
            return Err(cannot("it was transferred too often"));
        }
        if call.session.is_none() {
            return Err(cannot(
                "it was connected before the daemon was restarted: it can be ended, or call the person again",
            ));
        }
        if !self.server_up(&call.server) {
            return Err(cannot("its exchange cannot be reached now"));
        }
        let (ordinal, from) = (call.transfers + 1, call.agent.clone());
        let free = self.free(call)?;
        let line = match &to {
            Target::Agent(agent) => {
                self.can_be_handed(id, agent)?;
                None
            }
            Target::Outside(number) => Some(self.line_outside(now, id, number)?),
            Target::Flow(_) => None,
        };
        let transfer = Transfer {
            ordinal,
            by,
            from,
            target: to,
            line,
            answered_at: None,
        };
        self.write(Write::TransferAsked {
            call: id,
            transfer: transfer.clone(),
            at: now,
        });
        if let Some(call) = self.calls.get_mut(&id) {
            call.transfers = ordinal;
            call.transfer_asked = Some(transfer);
        }
        self.arm_call(id, after(now, HAND_ON_MS));
        self.telephony_command(free);
        Ok(())
    }

    /// What ends the conversation of a call without ending the call.
    fn free(&self, call: &Call) -> Result<telephony::Command, Refused> {
        let server = call.server.clone();
        let agent = call.agent.as_ref().and_then(|id| self.agents.get(id));
        let nailed_up = agent.filter(|agent| agent.login.leg_mode == LegMode::NailedUp);
        match (nailed_up.map(|agent| &agent.leg), &call.station) {
            (Some(Leg::Up(leg)), _) => Ok(telephony::Command::FreeLeg {
                server,
                leg: leg.clone(),
            }),
            (None, Some(station)) => Ok(telephony::Command::HangUp {
                server,
                channel: station.clone(),
            }),
            (Some(Leg::Down | Leg::Dialing(_)), _) | (None, None) => {
                Err(Refused::NotTransferable {
                    call: call.id,
                    hint: "the line of whoever talks on it is not known: try again in a moment",
                })
            }
        }
    }

    fn can_be_handed(&self, id: CallId, to: &UserId) -> Result<(), Refused> {
        let agent = self
            .agents
            .get(to)
            .ok_or_else(|| Refused::NotLoggedIn(to.clone()))?;
        let call = self.calls.get(&id).ok_or(Refused::UnknownCall(id))?;
        if agent.login.server != call.server {
            return Err(Refused::NotTransferable {
                call: id,
                hint: "the station of that agent is at another exchange",
            });
        }
        if !agent.can_take_call() {
            return Err(Refused::WrongState {
                agent: to.clone(),
                state: agent.state.as_str(),
                hint: "transfer the call to an agent who waits for one",
            });
        }
        Ok(())
    }

    /// The line to a number outside, if it may be dialed and a trunk has room. O(calls).
    fn line_outside(
        &mut self,
        now: Timestamp,
        id: CallId,
        number: &PhoneNumber,
    ) -> Result<Line, Refused> {
        let call = self.calls.get(&id).ok_or(Refused::UnknownCall(id))?;
        let cannot = |hint| Refused::NotTransferable { call: id, hint };
        if self.draining {
            return Err(cannot("the daemon is being stopped and places no calls"));
        }
        let shown = self.shown_outside(call).ok_or_else(|| {
            cannot("there is no number to show: give its campaign a caller id in E.164")
        })?;
        if matches!(&call.kind, Kind::Outbound(facts) if facts.number == *number) {
            return Err(cannot("that is the number of the person on it"));
        }
        self.transfer_rules
            .check(number, &shown)
            .map_err(|why| Refused::NotDialed {
                number: number.clone(),
                why,
            })?;
        let outside = self
            .calls
            .values()
            .map(|call| call.outside_trunks().count());
        let at_once = u32::try_from(outside.sum::<usize>()).unwrap_or(u32::MAX);
        if at_once >= self.transfer_rules.max_at_once {
            return Err(cannot(
                "as many calls as are allowed are transferred outside already",
            ));
        }
        let trunk = self
            .trunk_for_transfer(now, id)
            .ok_or_else(|| cannot("no trunk takes a call for it now: try again in a moment"))?;
        Ok(Line {
            endpoint: format!("PJSIP/{number}@{}", trunk.endpoint),
            trunk: trunk.id,
            caller_id: shown,
        })
    }

    /// The number that is shown to whoever a call is transferred to: that which the person called
    /// saw, or that which the caller dialed.
    fn shown_outside(&self, call: &Call) -> Option<PhoneNumber> {
        match &call.kind {
            Kind::Outbound(facts) => facts.caller_id.clone().or_else(|| {
                let campaign = self.campaigns.get(&facts.campaign);
                campaign.and_then(|campaign| campaign.settings.caller_id.clone())
            }),
            Kind::Inbound(facts) => {
                let did = facts.did.trim_start_matches('+');
                PhoneNumber::parse(&format!("+{did}"), "ZZ").ok()
            }
        }
    }

    /// The first trunk of the call's campaign that works and has room, or the one for calls
    /// without a campaign. A trunk at fault is not tried out with a customer on the line.
    fn trunk_for_transfer(&mut self, now: Timestamp, id: CallId) -> Option<TrunkSettings> {
        let call = self.calls.get(&id)?;
        let candidates: Vec<TrunkSettings> = match &call.kind {
            Kind::Outbound(facts) => self.campaigns.get(&facts.campaign)?.settings.trunks.clone(),
            Kind::Inbound(_) => {
                let own = self.transfer_rules.trunk.as_deref();
                let trunks = self.trunks.values().map(|trunk| &trunk.settings);
                trunks
                    .filter(|trunk| Some(&*trunk.endpoint) == own)
                    .cloned()
                    .collect()
            }
        };
        let server = call.server.clone();
        let in_use = self.lines_on_trunks();
        for settings in candidates.into_iter().filter(|t| t.server == server) {
            let Some(trunk) = self.trunks.get_mut(&settings.id) else {
                continue;
            };
            let used = in_use.get(&settings.id).copied().unwrap_or(0);
            let works = trunk.breaker.takes(now) == Takes::Any;
            if works && used < trunk.settings.max_channels && trunk.rate.available(now) > 0 {
                trunk.rate.take(1);
                return Some(trunk.settings.clone());
            }
        }
        None
    }

    /// The conversation was ended for a transfer: the call goes where it was asked to.
    pub(super) fn hand_on(&mut self, now: Timestamp, id: CallId) {
        self.end_transfer(now, id, Outcome::CallEnded);
        self.release_agent(now, id, "transferred");
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(transfer) = call.transfer_asked.take() else {
            return;
        };
        call.station = None;
        call.transfer = Some(transfer.clone());
        match transfer.target {
            Target::Agent(agent) => {
                let agent = self.agents.get(&agent).filter(|a| a.can_take_call());
                match agent.map(|agent| agent.login.agent.clone()) {
                    Some(agent) => self.connect(now, id, &agent),
                    None => self.transfer_failed(now, id, Outcome::Failed),
                }
            }
            Target::Outside(_) => self.dial_outside(now, id, transfer.line),
            Target::Flow(flow) => {
                self.transfer_answered(now, id);
                // Until the new one is found, there is none.
                self.note_walk(id, |walk| walk.flow = None);
                self.run_flow(now, id, flow);
            }
        }
    }

    fn dial_outside(&mut self, now: Timestamp, id: CallId, line: Option<Line>) {
        let session = self.calls.get(&id).and_then(|call| call.session);
        let (Some(session), Some(line)) = (session, line) else {
            return self.transfer_failed(now, id, Outcome::Failed);
        };
        self.set_phase(now, id, Phase::Connecting);
        let target = ConnectTarget::Outside {
            endpoint: line.endpoint,
            seconds: OUTSIDE_RING_S,
            caller_id: line.caller_id,
            max_s: self.transfer_rules.max_s,
        };
        let record = None;
        self.session_command(session, SessionCommand::Connect { target, record });
    }

    /// A number outside talks with the customer.
    pub(super) fn outside_answered(&mut self, now: Timestamp, id: CallId) {
        self.transfer_answered(now, id);
        if let Some(call) = self.calls.get_mut(&id)
            && let Some(Target::Outside(number)) = call.transfer.as_ref().map(|t| &t.target)
        {
            call.walk.transferred_to = Some(number.to_string());
        }
        self.set_phase(now, id, Phase::Bridged);
    }

    /// The transfer that a call follows was taken where it went, unless it was before.
    pub(super) fn transfer_answered(&mut self, now: Timestamp, id: CallId) {
        let transfer = self.calls.get_mut(&id).and_then(|c| c.transfer.as_mut());
        let Some(transfer) = transfer.filter(|transfer| transfer.answered_at.is_none()) else {
            return;
        };
        transfer.answered_at = Some(now);
        let ordinal = transfer.ordinal;
        self.write(Write::TransferAnswered {
            call: id,
            ordinal,
            at: now,
        });
    }

    /// Whoever the call was to go to did not take it: it goes back to the agent who had it, or
    /// to whoever is there.
    pub(super) fn transfer_failed(&mut self, now: Timestamp, id: CallId, outcome: Outcome) {
        let Some(transfer) = self.end_transfer(now, id, outcome) else {
            return;
        };
        let back = transfer.from.filter(|agent| {
            let agent = self.agents.get(agent);
            agent.is_some_and(|agent| self.may_take_back(agent, id))
        });
        match back {
            Some(agent) => {
                self.connect(now, id, &agent);
                self.notify(&agent, CAME_BACK);
            }
            // As those who have no agent yet: another one may be in time.
            None => self.set_phase(now, id, Phase::Waiting),
        }
    }

    /// They wrap up the call, or wait for the next one.
    fn may_take_back(&self, agent: &Agent, id: CallId) -> bool {
        let there = match agent.state {
            AgentState::WrapUp | AgentState::Available => agent.reachable(),
            AgentState::Offline
            | AgentState::Preview
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold
            | AgentState::Paused(_) => false,
        };
        let call = self.calls.get(&id);
        there && call.is_some_and(|call| call.server == agent.login.server)
    }

    fn notify(&mut self, id: &UserId, notice: &str) {
        if let Some(agent) = self.agents.get_mut(id) {
            agent.notice = Some(notice.to_owned());
            self.publish_agent(id);
        }
    }

    /// Ends the transfer that a call follows. One that was taken keeps that outcome.
    pub(super) fn end_transfer(
        &mut self,
        now: Timestamp,
        id: CallId,
        outcome: Outcome,
    ) -> Option<Transfer> {
        let transfer = self.calls.get_mut(&id)?.transfer.take()?;
        let answered = transfer.answered_at.is_some();
        self.write(Write::TransferEnded {
            call: id,
            ordinal: transfer.ordinal,
            outcome: if answered { Outcome::Answered } else { outcome },
            at: now,
        });
        Some(transfer)
    }

    /// A conversation of an earlier run goes on: with the agent whose leg is in it, whatever the
    /// transfer was to do, or with whoever the call was transferred to.
    pub(super) fn adopt_transfer(&mut self, now: Timestamp, id: CallId, by_leg: Option<&UserId>) {
        let transfer = self.calls.get(&id).and_then(|c| c.transfer.as_ref());
        let Some(transfer) = transfer.filter(|transfer| transfer.answered_at.is_none()) else {
            return;
        };
        let elsewhere = match (&transfer.target, by_leg) {
            (Target::Agent(target), Some(agent)) => target != agent,
            (Target::Agent(_) | Target::Outside(_), None) => false,
            (Target::Outside(_) | Target::Flow(_), Some(_)) | (Target::Flow(_), None) => true,
        };
        if elsewhere {
            self.end_transfer(now, id, Outcome::Failed);
        }
    }

    /// Gives up a transfer that has not begun.
    fn forget_asked(&mut self, now: Timestamp, id: CallId, outcome: Outcome) -> Option<Transfer> {
        let asked = self.calls.get_mut(&id)?.transfer_asked.take()?;
        self.write(Write::TransferEnded {
            call: id,
            ordinal: asked.ordinal,
            outcome,
            at: now,
        });
        Some(asked)
    }

    /// The conversation did not end for the transfer: it goes on as it is.
    pub(super) fn transfer_overdue(&mut self, now: Timestamp, id: CallId) {
        let asked = self.forget_asked(now, id, Outcome::Failed);
        if let Some(agent) = asked.and_then(|asked| asked.from) {
            self.notify(&agent, GOES_ON);
        }
        self.arm_call(id, after(now, LOOK_MS));
    }

    /// A call enters a phase: what no longer fits it is over.
    pub(super) fn leave_transfers(&mut self, now: Timestamp, id: CallId, phase: Phase) {
        let (asked, follows) = match phase {
            Phase::Bridged => return,
            // A connection that is being made, or was, and ends with the call.
            Phase::Restored | Phase::Connecting | Phase::Ending => (Outcome::CallEnded, true),
            Phase::Dialing
            | Phase::Ringing
            | Phase::Answered
            | Phase::Flow
            | Phase::Waiting
            | Phase::Message => (Outcome::Failed, false),
        };
        self.forget_asked(now, id, asked);
        let in_flow = self.calls.get(&id).and_then(|call| call.transfer.as_ref());
        let in_flow = in_flow.is_some_and(|t| matches!(t.target, Target::Flow(_)));
        if !follows && !in_flow {
            self.end_transfer(now, id, Outcome::Failed);
        }
    }
}

/// What the end of a connection says of the transfer that it was made for.
pub(super) const fn outcome_of(ended: ConnectOutcome) -> Outcome {
    match ended {
        ConnectOutcome::NoAnswer => Outcome::NoAnswer,
        ConnectOutcome::Failed | ConnectOutcome::Talked => Outcome::Failed,
    }
}
