//! Calls that an agent asks for: a contact that they looked at first, one that they chose,
//! a callback that is theirs. The agent is kept for the call from the moment it is dialed.

use super::{Action, NewAttempt, Refused, Switchboard, Target, Timer, Which, trunks::Chosen};
use crate::{
    agent::{AgentState, Preview},
    campaign::CampaignState,
    ids::{CallId, CampaignId, ContactId, UserId},
    record::Write,
    time::{Timestamp, after},
};

/// What an agent is told whose campaign has nobody for them.
const NOBODY_TO_CALL: &str = "nobody of the list may be called now";

impl Switchboard {
    pub(super) fn preview(
        &mut self,
        now: Timestamp,
        id: &UserId,
        campaign: CampaignId,
        seconds: u32,
    ) -> Result<(), Refused> {
        self.may_ask_for_calls(id, &campaign)?;
        let until = after(now, u64::from(seconds) * 1_000);
        self.look_at(now, id, campaign.clone(), None, until);
        self.arm(until, Timer::Agent(id.clone(), now));
        self.act(Action::PickContact {
            campaign,
            agent: id.clone(),
            until,
        });
        Ok(())
    }

    pub(super) fn picked(&mut self, now: Timestamp, id: &UserId, contact: Option<ContactId>) {
        let preview = self.agents.get_mut(id).and_then(|a| a.preview.as_mut());
        let waits = preview.filter(|preview| preview.contact.is_none());
        match (waits, contact) {
            (Some(preview), Some(contact)) => {
                preview.contact = Some(contact);
                self.publish_agent(id);
            }
            (Some(preview), None) => {
                let campaign = preview.campaign.clone();
                self.end_preview(now, id);
                if let Some(agent) = self.agents.get_mut(id) {
                    agent.notice = Some(NOBODY_TO_CALL.to_owned());
                }
                self.rest(now, id, "nobody to call");
                self.touch(&campaign);
            }
            // They are gone, or it took too long.
            (None, Some(contact)) => self.release_contact(now, id, contact),
            (None, None) => {}
        }
    }

    pub(super) fn dial_for(
        &mut self,
        now: Timestamp,
        id: &UserId,
        campaign: CampaignId,
        target: Target,
    ) -> Result<(), Refused> {
        self.may_ask_for_calls(id, &campaign)?;
        let chosen = self.trunk_for_one(now, &campaign)?;
        self.look_at(now, id, campaign, Some(target.contact.clone()), now);
        self.ask_for_one(now, id, chosen, target);
        Ok(())
    }

    pub(super) fn dial_preview(
        &mut self,
        now: Timestamp,
        id: &UserId,
        number: Which,
    ) -> Result<(), Refused> {
        let (campaign, contact) = self.previewed(id)?;
        self.runs(&campaign)?;
        self.reaches(id)?;
        let chosen = self.trunk_for_one(now, &campaign)?;
        let target = Target { contact, number };
        self.ask_for_one(now, id, chosen, target);
        Ok(())
    }

    pub(super) fn skip_preview(&mut self, now: Timestamp, id: &UserId) -> Result<(), Refused> {
        self.previewed(id)?;
        self.end_preview(now, id);
        self.rest(now, id, "preview skipped");
        Ok(())
    }

    /// The contact that an agent looks at and has not asked for.
    fn previewed(&mut self, id: &UserId) -> Result<(CampaignId, ContactId), Refused> {
        let agent = self.logged_in(id)?;
        let preview = agent.preview.as_ref();
        let hint = match preview.map(|p| (&p.contact, &p.asked, &p.campaign)) {
            Some((Some(contact), None, campaign)) => {
                return Ok((campaign.clone(), contact.clone()));
            }
            Some((_, Some(_), _)) => "the contact is being dialed",
            Some((None, None, _)) => "a contact is being chosen: try again in a moment",
            None => "there is no contact to look at: ask for one first",
        };
        Err(Refused::WrongState {
            agent: id.clone(),
            state: agent.state.as_str(),
            hint,
        })
    }

    fn runs(&self, campaign: &CampaignId) -> Result<(), Refused> {
        match self.campaigns.get(campaign) {
            None => Err(Refused::UnknownCampaign(campaign.clone())),
            Some(entry) if entry.state == CampaignState::Running && !self.draining => Ok(()),
            Some(_) => Err(Refused::NotRunning(campaign.clone())),
        }
    }

    fn reaches(&mut self, id: &UserId) -> Result<(), Refused> {
        let agent = self.logged_in(id)?;
        if agent.reachable() {
            return Ok(());
        }
        Err(Refused::WrongState {
            agent: id.clone(),
            state: agent.state.as_str(),
            hint: "the station is not connected: say ready, and answer it",
        })
    }

    /// An agent who has no call may ask for one of a campaign that runs and is theirs.
    fn may_ask_for_calls(&mut self, id: &UserId, campaign: &CampaignId) -> Result<(), Refused> {
        self.runs(campaign)?;
        self.reaches(id)?;
        let settings = self.campaigns.get(campaign).map(|c| &c.settings);
        let server = settings.and_then(|settings| settings.server()).cloned();
        let agent = self.logged_in(id)?;
        let theirs = agent.login.campaigns.contains(campaign);
        if !theirs || server.as_ref() != Some(&agent.login.server) {
            return Err(Refused::NotOfCampaign {
                agent: id.clone(),
                campaign: campaign.clone(),
            });
        }
        let hint = match agent.state {
            AgentState::Available | AgentState::Paused(_) => return Ok(()),
            AgentState::WrapUp => "end the wrap-up first",
            AgentState::Preview => "dial or skip the contact that is there first",
            AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold
            | AgentState::Offline => "end the call first",
        };
        Err(Refused::WrongState {
            agent: id.clone(),
            state: agent.state.as_str(),
            hint,
        })
    }

    fn trunk_for_one(&mut self, now: Timestamp, id: &CampaignId) -> Result<Chosen, Refused> {
        let settings = self.campaigns.get(id).map(|campaign| &campaign.settings);
        let server = settings.and_then(|settings| settings.server());
        let up = server.is_some_and(|server| self.server_up(server));
        let trunks = settings.map_or_else(Vec::new, |settings| settings.trunks.clone());
        let in_use = self.lines_on_trunks();
        if let Some(most) = self.limits.max_lines
            && self.limits.room_for_lines(in_use.values().sum()) == 0
        {
            return Err(Refused::TooManyLines { most });
        }
        let chosen = up.then(|| self.choose_trunk(now, &trunks, &in_use));
        chosen.flatten().ok_or_else(|| Refused::NoTrunk(id.clone()))
    }

    fn look_at(
        &mut self,
        now: Timestamp,
        id: &UserId,
        campaign: CampaignId,
        contact: Option<ContactId>,
        until: Timestamp,
    ) {
        if let Some(agent) = self.agents.get_mut(id) {
            agent.notice = None;
            agent.preview = Some(Preview {
                campaign,
                contact,
                until,
                asked: None,
            });
        }
        self.set_agent(now, id, AgentState::Preview, "preview");
    }

    fn ask_for_one(&mut self, now: Timestamp, id: &UserId, chosen: Chosen, target: Target) {
        let trunk = self.trunks.get(&chosen.id);
        let server = trunk.map(|trunk| trunk.settings.server.clone());
        let preview = self.agents.get_mut(id).and_then(|a| a.preview.as_mut());
        let (Some(preview), Some(server)) = (preview, server) else {
            return;
        };
        preview.asked = Some(chosen.id.clone());
        let campaign = preview.campaign.clone();
        let epoch = self.campaigns.get(&campaign).map_or(0, |c| c.epoch);
        self.trunk_asked(now, &chosen, 1);
        self.act(Action::ClaimOne {
            campaign,
            epoch,
            trunk: chosen.id,
            server,
            agent: id.clone(),
            target,
        });
        self.publish_agent(id);
    }

    pub(super) fn claimed_one(
        &mut self,
        now: Timestamp,
        id: &UserId,
        attempt: Result<NewAttempt, String>,
    ) {
        let preview = self.agents.get(id).and_then(|agent| agent.preview.clone());
        let asked = preview.and_then(|preview| Some((preview.campaign, preview.asked?)));
        let Some((campaign, trunk)) = asked else {
            // An answer to nothing that was asked.
            return;
        };
        match attempt {
            Ok(new) => {
                self.trunk_answered(now, &trunk, 0, Some(new.attempt));
                self.witness.handed_out(new.attempt);
                self.end_preview(now, id);
                self.place(now, &campaign, &trunk, new);
            }
            Err(why) => {
                self.trunk_answered(now, &trunk, 1, None);
                self.end_preview(now, id);
                if let Some(agent) = self.agents.get_mut(id) {
                    agent.notice = Some(why);
                }
            }
        }
        let agent = self.agents.get(id);
        if agent.is_some_and(|agent| agent.state == AgentState::Preview) {
            self.rest(now, id, "not dialed");
        }
        self.touch(&campaign);
    }

    /// The contact that an agent looked at is theirs no more.
    pub(super) fn end_preview(&mut self, now: Timestamp, id: &UserId) {
        let agent = self.agents.get_mut(id);
        let preview = agent.and_then(|agent| agent.preview.take());
        if let Some(contact) = preview.and_then(|preview| preview.contact) {
            self.release_contact(now, id, contact);
        }
    }

    fn release_contact(&mut self, now: Timestamp, id: &UserId, contact: ContactId) {
        self.write(Write::ContactReleased {
            contact,
            agent: id.clone(),
            at: now,
        });
    }

    /// Keeps an agent for a call that is dialed for them. One who is busy or gone is not
    /// kept: whoever answers gets any agent of the campaign.
    pub(super) fn reserve(&mut self, now: Timestamp, call: CallId, id: &UserId) {
        let Some(agent) = self.agents.get_mut(id) else {
            return;
        };
        let free = agent.state == AgentState::Preview || agent.can_take_call();
        if !free || !agent.reachable() {
            return;
        }
        agent.call = Some(call);
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.agent = Some(id.clone());
        }
        self.set_agent(now, id, AgentState::Reserved, "dialed for");
    }
}
