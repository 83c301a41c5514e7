//! Supervisors who listen to agents.
//!
//! The exchange does the listening: the supervisor's telephone is rung and then hears the
//! channel of the agent. A nailed-up leg is heard call after call; a station that is rung for
//! each call only until that call ends.

use super::{Refused, Switchboard};
use crate::{
    agent::{Leg, LegMode},
    ids::{SupervisionId, UserId},
    telephony::{self, ChannelId, Originate, OriginatePurpose, ServerName, Supervision as How},
};

/// How long a supervisor's telephone rings.
const RING_MS: u32 = 30_000;

/// Who wants to hear whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervise {
    /// The line.
    pub id: SupervisionId,
    /// Who listens.
    pub supervisor: UserId,
    /// Whom they hear.
    pub agent: UserId,
    /// Who hears them.
    pub how: How,
    /// The exchange of the supervisor's telephone.
    pub server: ServerName,
    /// The telephone, such as `PJSIP/1000`.
    pub device: String,
}

/// The line of a supervisor.
#[derive(Debug)]
pub(super) struct Line {
    id: SupervisionId,
    server: ServerName,
}

impl Switchboard {
    pub(super) fn supervise(&mut self, asked: Supervise) -> Result<(), Refused> {
        let Supervise {
            id,
            supervisor,
            agent,
            how,
            server,
            device,
        } = asked;
        let (home, target) = self.heard(&agent)?;
        if home != server {
            return Err(Refused::CannotBeHeard {
                agent,
                hint: "their station is at another exchange than your telephone",
            });
        }
        // Only one telephone rings for them at a time.
        let earlier = self.supervisions.insert(
            supervisor,
            Line {
                id,
                server: server.clone(),
            },
        );
        if let Some(earlier) = earlier {
            self.end_line(earlier);
        }
        self.telephony_command(telephony::Command::Originate(Originate {
            server,
            channel: ChannelId::for_supervision(id),
            endpoint: device,
            caller_id: None,
            timeout_ms: RING_MS,
            purpose: OriginatePurpose::Supervision { target, how },
        }));
        Ok(())
    }

    pub(super) fn stop_supervising(&mut self, supervisor: &UserId) -> Result<(), Refused> {
        let line = self.supervisions.remove(supervisor);
        self.end_line(line.ok_or(Refused::NotSupervising)?);
        Ok(())
    }

    fn end_line(&mut self, line: Line) {
        self.telephony_command(telephony::Command::HangUp {
            server: line.server,
            channel: ChannelId::for_supervision(line.id),
        });
    }

    /// The line is over, whoever ended it.
    pub(super) fn supervision_ended(&mut self, id: SupervisionId) {
        self.supervisions.retain(|_, line| line.id != id);
    }

    /// The channel on which an agent is heard, and its exchange.
    fn heard(&mut self, id: &UserId) -> Result<(ServerName, ChannelId), Refused> {
        let agent = self.logged_in(id)?;
        let server = agent.login.server.clone();
        let silent = |hint| Refused::CannotBeHeard {
            agent: id.clone(),
            hint,
        };
        match (agent.login.leg_mode, &agent.leg) {
            (LegMode::NailedUp, Leg::Up(leg)) => Ok((server, leg.clone())),
            (LegMode::NailedUp, Leg::Down | Leg::Dialing(_)) => Err(silent(
                "their station is not connected: try again when they have answered it",
            )),
            (LegMode::RingPerCall, _) => {
                let call = agent.call;
                let call = call.and_then(|call| self.calls.get(&call));
                let call = call.filter(|call| call.agent.as_ref() == Some(id));
                let station = call.and_then(|call| call.station.clone());
                let hint = "their station is rung for each call, and none is connected: try again during their next call";
                Ok((server, station.ok_or_else(|| silent(hint))?))
            }
        }
    }
}
