//! What people ask for.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::{Supervise, Switchboard, Target, TransferCall, Which};
use crate::{
    agent::{Agent, AgentState, Leg, LegMode, Login, Wish},
    call::Phase,
    campaign::{CampaignSettings, CampaignState},
    ids::{CallId, CampaignId, QueueId, TrunkId, UserId},
    limits::Limits,
    live::Change,
    phone::PhoneNumber,
    record::Write,
    telephony,
    time::Timestamp,
    transfer::NotDialed,
};

/// A request of a person, already authorised.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Log an agent in at a station.
    LogIn(Login),
    /// Take calls.
    Ready(UserId),
    /// Take no calls; during a call, after it.
    Pause {
        /// Who.
        agent: UserId,
        /// Why, shown on the board.
        reason: String,
    },
    /// End the wrap-up now.
    EndWrapUp(UserId),
    /// Log out; during a call, after it.
    LogOut(UserId),
    /// Hang a customer up.
    HangUp(CallId),
    /// Hand a conversation on.
    Transfer(TransferCall),
    /// Let a supervisor hear an agent; a line that they have already ends.
    Supervise(Supervise),
    /// End the line of a supervisor.
    StopSupervising(UserId),
    /// Learn of a campaign or its changed settings.
    Configure(Box<CampaignSettings>),
    /// Start a campaign, or let a paused one go on.
    Start {
        /// Which.
        campaign: CampaignId,
        /// The epoch given by the database; a start that was overtaken by a later one
        /// changes nothing.
        epoch: i64,
    },
    /// Place no new calls.
    PauseCampaign(CampaignId),
    /// Place no new calls; the campaign stops when the last call in progress is over.
    Drain(CampaignId),
    /// Go faster or slower from now on.
    Boost {
        /// Which campaign.
        campaign: CampaignId,
        /// 1 for neither, see [`crate::campaign::BOOSTS`].
        boost: f64,
    },
    /// Show an agent the next contact of a list and keep it for them: no other call goes to
    /// them meanwhile.
    Preview {
        /// Who.
        agent: UserId,
        /// For which campaign.
        campaign: CampaignId,
        /// For how long, in seconds; then the contact goes back.
        seconds: u32,
    },
    /// Dial the contact that the agent looks at.
    DialPreview {
        /// Who.
        agent: UserId,
        /// By which number.
        number: Which,
    },
    /// Give the contact that the agent looks at back.
    SkipPreview(UserId),
    /// Dial a contact that the agent chose.
    DialFor {
        /// Who.
        agent: UserId,
        /// For which campaign.
        campaign: CampaignId,
        /// Whom.
        target: Target,
    },
    /// Place no new calls and hang up those that are not answered.
    Stop(CampaignId),
    /// These agents, and no others, work for a campaign; a call in progress is not touched.
    AssignAgents {
        /// Which campaign.
        campaign: CampaignId,
        /// Who.
        agents: BTreeSet<UserId>,
    },
    /// These agents, and no others, serve a queue; a call in progress is not touched.
    AssignMembers {
        /// Which queue.
        queue: QueueId,
        /// Who.
        agents: BTreeSet<UserId>,
    },
    /// Contacts were added: an idle list is looked at again, and a finished campaign runs on.
    ContactsAdded(CampaignId),
    /// Keep to these limits from now on. What goes on beyond them ends by itself.
    Limit(Limits),
    /// A trunk was deleted: no further line is placed through it, whatever campaigns are set to.
    /// Calls in progress go on.
    TrunkGone(TrunkId),
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The agent has no session.
    #[error("agent {0} is not logged in: log in at a station first")]
    NotLoggedIn(UserId),
    /// The agent has a session already.
    #[error("agent {agent} is already logged in at {station}: log out there first")]
    AlreadyLoggedIn {
        /// Who.
        agent: UserId,
        /// Where.
        station: String,
    },
    /// The station is somebody else's.
    #[error("station {station} is in use by agent {by}")]
    StationInUse {
        /// Which.
        station: String,
        /// By whom.
        by: UserId,
    },
    /// As many agents are logged in as may be.
    #[error(
        "{most} agents are logged in, as many as the settings allow: wait until one logs out, or have \
         a super administrator raise the limit of agents"
    )]
    TooManyAgents {
        /// The limit.
        most: u32,
    },
    /// As many lines are open as may be.
    #[error(
        "{most} lines are open, as many as the settings allow: wait until one ends, or have a super \
         administrator raise the limit of lines"
    )]
    TooManyLines {
        /// The limit.
        most: u32,
    },
    /// The last day on which agents log in is over.
    #[error(
        "no agent logs in after {last}, as the settings have it: have a super administrator change the date"
    )]
    Over {
        /// The last day.
        last: Date,
    },
    /// It makes no sense in this state.
    #[error("agent {agent} is {state}: {hint}")]
    WrongState {
        /// Who.
        agent: UserId,
        /// What they are.
        state: &'static str,
        /// What to do instead.
        hint: &'static str,
    },
    /// The campaign does not place calls.
    #[error("campaign {0} does not run: start it first")]
    NotRunning(CampaignId),
    /// Calls of this campaign cannot be connected to the agent.
    #[error("agent {agent} does not work for campaign {campaign} at its exchange")]
    NotOfCampaign {
        /// Who.
        agent: UserId,
        /// For which.
        campaign: CampaignId,
    },
    /// No trunk takes a call at this moment.
    #[error("no trunk of campaign {0} takes a call now: try again in a moment")]
    NoTrunk(CampaignId),
    /// No such campaign is loaded.
    #[error("campaign {0} is not known here")]
    UnknownCampaign(CampaignId),
    /// Nothing of the agent can be heard.
    #[error("agent {agent} cannot be heard: {hint}")]
    CannotBeHeard {
        /// Who.
        agent: UserId,
        /// What to do.
        hint: &'static str,
    },
    /// They do not listen to anybody.
    #[error("you are not listening to anybody")]
    NotSupervising,
    /// No such call is alive.
    #[error("call {0} is over")]
    UnknownCall(CallId),
    /// A call cannot be handed on now.
    #[error("call {call} cannot be transferred: {hint}")]
    NotTransferable {
        /// Which.
        call: CallId,
        /// Why, and what to do.
        hint: &'static str,
    },
    /// The number that a call was to be handed to is not dialed.
    #[error("{number} is not dialed: {why}")]
    NotDialed {
        /// Which.
        number: PhoneNumber,
        /// Why.
        why: NotDialed,
    },
}

impl Switchboard {
    pub(super) fn carry_out(&mut self, now: Timestamp, command: Command) -> Result<(), Refused> {
        match command {
            Command::LogIn(login) => self.log_in(now, login),
            Command::Ready(agent) => self.ready(now, &agent),
            Command::Pause { agent, reason } => self.pause(now, &agent, reason),
            Command::EndWrapUp(agent) => self.end_wrap_up(now, &agent),
            Command::LogOut(agent) => self.log_out(now, &agent),
            Command::HangUp(call) => {
                let entry = self.calls.get(&call).ok_or(Refused::UnknownCall(call))?;
                if entry.phase != Phase::Ending {
                    self.hang_up_customer(now, call);
                }
                Ok(())
            }
            Command::Transfer(asked) => self.transfer(now, asked),
            Command::Supervise(asked) => self.supervise(asked),
            Command::StopSupervising(supervisor) => self.stop_supervising(&supervisor),
            Command::Configure(settings) => {
                self.configure(now, *settings);
                Ok(())
            }
            Command::Start { campaign, epoch } => {
                let entry = self
                    .campaigns
                    .get_mut(&campaign)
                    .ok_or_else(|| Refused::UnknownCampaign(campaign.clone()))?;
                let running = entry.state == CampaignState::Running;
                if epoch < entry.epoch || epoch == entry.epoch && running {
                    // Overtaken by a later start: its epoch writes nothing any more.
                    return Ok(());
                }
                entry.epoch = epoch;
                entry.used_up = false;
                entry.given_back.clear();
                entry.idle_until = None;
                self.list_has_more(&campaign, now);
                self.set_campaign(now, &campaign, CampaignState::Running);
                Ok(())
            }
            Command::PauseCampaign(campaign) => self.halt(now, &campaign, CampaignState::Paused),
            Command::Drain(campaign) => self.halt(now, &campaign, CampaignState::Draining),
            Command::Boost { campaign, boost } => {
                let entry = self
                    .campaigns
                    .get_mut(&campaign)
                    .ok_or_else(|| Refused::UnknownCampaign(campaign.clone()))?;
                entry.settings.pacing.boost = boost;
                entry.configured.pacing.boost = boost;
                self.touch(&campaign);
                Ok(())
            }
            Command::Preview {
                agent,
                campaign,
                seconds,
            } => self.preview(now, &agent, campaign, seconds),
            Command::DialPreview { agent, number } => self.dial_preview(now, &agent, number),
            Command::SkipPreview(agent) => self.skip_preview(now, &agent),
            Command::DialFor {
                agent,
                campaign,
                target,
            } => self.dial_for(now, &agent, campaign, target),
            Command::Stop(campaign) => {
                self.halt(now, &campaign, CampaignState::Stopped)?;
                self.cancel_unanswered(now, &campaign);
                Ok(())
            }
            Command::AssignAgents { campaign, agents } => {
                self.set_work(&agents, |login| &mut login.campaigns, &campaign);
                Ok(())
            }
            Command::AssignMembers { queue, agents } => {
                self.set_work(&agents, |login| &mut login.queues, &queue);
                Ok(())
            }
            Command::Limit(limits) => {
                self.limits = limits;
                Ok(())
            }
            Command::TrunkGone(trunk) => {
                self.forget_trunk(&trunk);
                Ok(())
            }
            Command::ContactsAdded(campaign) => {
                self.list_has_more(&campaign, now);
                let finished = self
                    .campaigns
                    .get(&campaign)
                    .is_some_and(|entry| entry.state == CampaignState::Finished);
                if finished {
                    // A long import can end after the last call of what was there.
                    self.set_campaign(now, &campaign, CampaignState::Running);
                }
                Ok(())
            }
        }
    }

    /// Makes exactly `agents`, of those logged in, work for one thing.
    fn set_work<Id: Ord + Clone>(
        &mut self,
        agents: &BTreeSet<UserId>,
        work: impl Fn(&mut Login) -> &mut BTreeSet<Id>,
        id: &Id,
    ) {
        self.staff.changed();
        for (agent_id, agent) in &mut self.agents {
            let work = work(&mut agent.login);
            if agents.contains(agent_id) {
                work.insert(id.clone());
            } else {
                work.remove(id);
            }
        }
    }

    fn log_in(&mut self, now: Timestamp, login: Login) -> Result<(), Refused> {
        if let Some(agent) = self.agents.get(&login.agent) {
            return Err(Refused::AlreadyLoggedIn {
                agent: login.agent,
                station: agent.login.station.clone(),
            });
        }
        let holder = self
            .agents
            .values()
            .find(|a| a.login.station == login.station && a.login.server == login.server);
        if let Some(holder) = holder {
            return Err(Refused::StationInUse {
                station: login.station,
                by: holder.login.agent.clone(),
            });
        }
        if let Some(last) = self.limits.active_until
            && self.limits.is_over(now)
        {
            return Err(Refused::Over { last });
        }
        if let Some(most) = self.limits.max_agents
            && self.agents.len() >= most as usize
        {
            return Err(Refused::TooManyAgents { most });
        }
        let id = login.agent.clone();
        self.write(Write::SessionOpened {
            session: login.session,
            agent: id.clone(),
            server: login.server.clone(),
            station: login.station.clone(),
            leg_mode: login.leg_mode,
            at: now,
        });
        let nailed_up = login.leg_mode == LegMode::NailedUp;
        let state = Agent::new(login, now);
        self.sessions_of_agents
            .insert(state.login.session, id.clone());
        let initial = state.state.clone();
        self.agents.insert(id.clone(), state);
        self.staff.changed();
        self.set_agent(now, &id, initial, "log-in");
        if nailed_up {
            self.dial_leg(now, &id);
        }
        Ok(())
    }

    pub(super) fn logged_in(&mut self, agent: &UserId) -> Result<&mut Agent, Refused> {
        self.agents
            .get_mut(agent)
            .ok_or_else(|| Refused::NotLoggedIn(agent.clone()))
    }

    fn ready(&mut self, now: Timestamp, id: &UserId) -> Result<(), Refused> {
        let agent = self.logged_in(id)?;
        agent.wish = Wish::Ready;
        let idle = matches!(agent.state, AgentState::Paused(_));
        if agent.reachable() {
            if idle {
                self.set_agent(now, id, AgentState::Available, "ready");
            }
        } else if agent.leg == Leg::Down {
            // Also in the middle of a call or of wrapping up: a leg that was given up is
            // dialed for nobody else.
            agent.leg_failures = 0;
            self.dial_leg(now, id);
        }
        Ok(())
    }

    fn pause(&mut self, now: Timestamp, id: &UserId, reason: String) -> Result<(), Refused> {
        let agent = self.logged_in(id)?;
        agent.wish = Wish::Pause(reason.clone());
        match agent.state {
            AgentState::Available | AgentState::Paused(_) | AgentState::WrapUp => {
                self.set_agent(now, id, AgentState::Paused(reason), "pause");
            }
            AgentState::Preview
            | AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold
            | AgentState::Offline => {}
        }
        Ok(())
    }

    fn end_wrap_up(&mut self, now: Timestamp, id: &UserId) -> Result<(), Refused> {
        let agent = self.logged_in(id)?;
        if agent.state != AgentState::WrapUp {
            return Err(Refused::WrongState {
                agent: id.clone(),
                state: agent.state.as_str(),
                hint: "there is no wrap-up to end",
            });
        }
        self.rest(now, id, "wrap-up ended");
        Ok(())
    }

    fn log_out(&mut self, now: Timestamp, id: &UserId) -> Result<(), Refused> {
        let agent = self.logged_in(id)?;
        agent.wish = Wish::LogOut;
        // An attempt that is on its way is dialed for them or given back first.
        let asked = agent.preview.as_ref().is_some_and(|p| p.asked.is_some());
        if !agent.state.has_call() && !asked {
            self.close_session(now, id, "log-out");
        }
        Ok(())
    }

    /// Ends the session of an agent who has no call.
    pub(super) fn close_session(&mut self, now: Timestamp, id: &UserId, cause: &'static str) {
        self.end_preview(now, id);
        self.set_agent(now, id, AgentState::Offline, cause);
        let Some(agent) = self.agents.remove(id) else {
            return;
        };
        self.staff.changed();
        self.leave_home(now, id);
        self.sessions_of_agents.remove(&agent.login.session);
        if let Some(channel) = agent.leg.channel() {
            self.telephony_command(telephony::Command::HangUp {
                server: agent.login.server.clone(),
                channel: channel.clone(),
            });
        }
        self.stats.busy_ms += agent.busy_ms;
        self.stats.waiting_ms += agent.waiting_ms;
        self.write(Write::SessionClosed {
            session: agent.login.session,
            cause,
            at: now,
        });
        self.act(super::Action::Publish(Change::AgentGone { id: id.clone() }));
    }

    fn halt(
        &mut self,
        now: Timestamp,
        campaign: &CampaignId,
        state: CampaignState,
    ) -> Result<(), Refused> {
        if !self.campaigns.contains_key(campaign) {
            return Err(Refused::UnknownCampaign(campaign.clone()));
        }
        self.set_campaign(now, campaign, state);
        Ok(())
    }
}
