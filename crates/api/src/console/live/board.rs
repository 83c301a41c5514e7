//! What the boards of the console show, and the messages that bring them up to date. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;
use serde_json::json;
use strowger_core::{
    call::{Direction, Phase},
    ids::{CallId, UserId},
    live::{AgentView, CallView, Change},
    permission::Role,
    time::{Timestamp, millis_between},
};
use strowger_realtime::Snapshot;

use super::{Audience, Frame, status};

/// An agent's state.
pub(super) fn agent_status(to: Audience, agent: &UserId, status: &str) -> Frame {
    Frame::new(
        to,
        "agentStatusUpdate",
        json!({"agentId": agent, "status": status}),
    )
}

/// The states of agents, for somebody who just came: an agent sees their own.
pub(super) fn states_for(agents: &[Arc<AgentView>], user: &UserId, role: Role) -> Vec<Frame> {
    let to = Audience::User(user.clone());
    agents
        .iter()
        .filter(|view| role >= Role::Supervisor || view.id == *user)
        .map(|view| agent_status(to.clone(), &view.id, status::of(view)))
        .collect()
}

/// A call as the console's board of calls shows it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveCall {
    id: CallId,
    call_id: CallId,
    from: String,
    to: String,
    agent_id: Option<UserId>,
    campaign_id: Option<String>,
    /// Whole seconds.
    duration: u64,
    status: &'static str,
}

/// A call that the board of calls shows: one that somebody hears. Lines that ring are not; a
/// predictive campaign has many of them.
pub(crate) fn active_call(view: &CallView, now: Timestamp) -> Option<ActiveCall> {
    let status = shown_as(view)?;
    let number = view.number.clone().unwrap_or_default();
    let ours = view.did.clone().unwrap_or_default();
    let (from, to) = match view.direction {
        Direction::Outbound => (ours, number),
        Direction::Inbound => (number, ours),
    };
    Some(ActiveCall {
        id: view.id,
        call_id: view.id,
        from,
        to,
        agent_id: view.agent_id.clone(),
        campaign_id: view.campaign_id.as_ref().map(ToString::to_string),
        duration: millis_between(view.started_at, now) / 1_000,
        status,
    })
}

fn shown_as(view: &CallView) -> Option<&'static str> {
    match view.phase {
        Phase::Waiting | Phase::Connecting => Some("queued"),
        Phase::Bridged => Some("active"),
        Phase::Flow if view.direction == Direction::Inbound => Some("queued"),
        Phase::Flow
        | Phase::Restored
        | Phase::Dialing
        | Phase::Ringing
        | Phase::Answered
        | Phase::Message
        | Phase::Ending => None,
    }
}

/// What is shown now.
#[derive(Debug, Default)]
pub(super) struct Board {
    agents: BTreeMap<UserId, Shown>,
    calls: BTreeMap<CallId, (&'static str, Option<UserId>, Timestamp)>,
}

#[derive(Debug)]
struct Shown {
    status: String,
    notice: Option<String>,
}

/// What a change means besides messages.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) frames: Vec<Frame>,
    /// Somebody logged in or out: the lists of sessions are out of date.
    pub(super) sessions: bool,
    /// Their figures are out of date.
    pub(super) figures: BTreeSet<UserId>,
    /// Why an agent's contact was not dialed.
    pub(super) notices: Vec<(UserId, String)>,
}

impl Board {
    /// Takes a change in.
    pub(super) fn change(&mut self, change: &Change, now: Timestamp, news: &mut News) {
        match change {
            Change::Agent(view) => self.agent(view, news),
            Change::AgentGone { id } => self.agent_gone(id, news),
            Change::Call(view) => self.call(view, now, news),
            Change::CallGone { id } => self.call_gone(*id, now, news),
            Change::Campaign(_)
            | Change::CampaignGone { .. }
            | Change::Server(_)
            | Change::Trunk(_)
            | Change::TrunkGone { .. } => {}
        }
    }

    /// Changes were missed: what is shown becomes what is.
    pub(super) fn reset(&mut self, snapshot: &Snapshot, now: Timestamp, news: &mut News) {
        let here: BTreeSet<_> = snapshot.agents.iter().map(|view| &view.id).collect();
        let gone: Vec<_> = self
            .agents
            .keys()
            .filter(|id| !here.contains(id))
            .cloned()
            .collect();
        for id in gone {
            self.agent_gone(&id, news);
        }
        for view in &snapshot.agents {
            self.agent(view, news);
        }
        let here: BTreeSet<_> = snapshot.calls.iter().map(|view| view.id).collect();
        let gone: Vec<_> = self
            .calls
            .keys()
            .filter(|id| !here.contains(id))
            .copied()
            .collect();
        for id in gone {
            self.call_gone(id, now, news);
        }
        for view in &snapshot.calls {
            self.call(view, now, news);
        }
    }

    fn agent(&mut self, view: &AgentView, news: &mut News) {
        let status = status::of(view);
        let before = self.agents.get(&view.id);
        news.sessions |= before.is_none();
        let noticed = before.and_then(|shown| shown.notice.as_ref());
        if let Some(notice) = view
            .notice
            .as_ref()
            .filter(|notice| Some(*notice) != noticed)
        {
            news.notices.push((view.id.clone(), notice.clone()));
        }
        if before.is_none_or(|shown| shown.status != status) {
            let to = Audience::SupervisorsAnd(view.id.clone());
            news.frames.push(agent_status(to, &view.id, status));
            news.figures.insert(view.id.clone());
        }
        let shown = Shown {
            status: status.to_owned(),
            notice: view.notice.clone(),
        };
        self.agents.insert(view.id.clone(), shown);
    }

    fn agent_gone(&mut self, id: &UserId, news: &mut News) {
        if self.agents.remove(id).is_some() {
            let to = Audience::SupervisorsAnd(id.clone());
            news.frames.push(agent_status(to, id, status::DISCONNECTED));
            news.sessions = true;
        }
    }

    fn call(&mut self, view: &CallView, now: Timestamp, news: &mut News) {
        let before = self
            .calls
            .get(&view.id)
            .map(|(shown, agent, _)| (*shown, agent.clone()));
        let shown = shown_as(view);
        let current = shown.map(|status| (status, view.agent_id.clone()));
        if before == current {
            return;
        }
        if before.is_some() {
            // The console adds a call that it knows a second time: it is taken away first.
            self.call_gone(view.id, now, news);
        }
        let Some(call) = active_call(view, now) else {
            return;
        };
        self.calls.insert(
            view.id,
            (call.status, view.agent_id.clone(), view.started_at),
        );
        news.frames
            .push(Frame::new(Audience::Supervisors, "newCall", call));
    }

    fn call_gone(&mut self, id: CallId, now: Timestamp, news: &mut News) {
        if let Some((_, _, began)) = self.calls.remove(&id) {
            let duration = millis_between(began, now) / 1_000;
            let payload = json!({"callId": id, "duration": duration});
            news.frames
                .push(Frame::new(Audience::Supervisors, "callHangup", payload));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use strowger_core::{agent::AgentState, time::after};
    use uuid::Uuid;

    use super::{status::tests::agent, *};

    fn told(news: &News) -> Vec<Value> {
        let text = |frame: &Frame| serde_json::from_str(&frame.text).unwrap();
        news.frames.iter().map(text).collect()
    }

    fn call(phase: Phase, agent: Option<&str>) -> CallView {
        CallView {
            id: CallId(Uuid::from_u128(7)),
            direction: Direction::Outbound,
            campaign_id: Some("cmp_1".to_owned().try_into().unwrap()),
            queue_id: None,
            number: Some("+33639981234".to_owned()),
            did: None,
            phase,
            since: Timestamp::UNIX_EPOCH,
            started_at: Timestamp::UNIX_EPOCH,
            agent_id: agent.map(|id| UserId::new(id).unwrap()),
            transferred_to: None,
        }
    }

    fn change(board: &mut Board, change: &Change, seconds: u64) -> News {
        let mut news = News::default();
        board.change(
            change,
            after(Timestamp::UNIX_EPOCH, seconds * 1_000),
            &mut news,
        );
        news
    }

    #[test]
    fn a_state_is_told_when_it_changes_and_not_again() {
        let mut board = Board::default();
        let available = Change::Agent(agent("usr_1", AgentState::Available));
        let news = change(&mut board, &available, 0);
        assert!(news.sessions, "somebody new");
        assert_eq!(
            told(&news),
            [
                json!({"type": "agentStatusUpdate", "payload": {"agentId": "usr_1", "status": "En Attente"}})
            ]
        );
        assert!(change(&mut board, &available, 1).frames.is_empty());
        let gone = Change::AgentGone {
            id: UserId::new("usr_1").unwrap(),
        };
        let news = change(&mut board, &gone, 2);
        assert_eq!(told(&news)[0]["payload"]["status"], "Déconnecté");
        assert!(news.sessions);
        assert!(change(&mut board, &gone, 3).frames.is_empty());
    }

    #[test]
    fn a_call_appears_when_somebody_hears_it_and_goes_once() {
        let mut board = Board::default();
        assert!(
            change(&mut board, &Change::Call(call(Phase::Ringing, None)), 0)
                .frames
                .is_empty()
        );
        let news = change(
            &mut board,
            &Change::Call(call(Phase::Bridged, Some("usr_1"))),
            9,
        );
        let id = CallId(Uuid::from_u128(7)).to_string();
        assert_eq!(
            told(&news),
            [json!({"type": "newCall", "payload": {
                "id": id, "callId": id, "from": "", "to": "+33639981234", "agentId": "usr_1",
                "campaignId": "cmp_1", "duration": 9, "status": "active"
            }})]
        );
        let hangup = [json!({"type": "callHangup", "payload": {"callId": id, "duration": 61}})];
        let ending = change(
            &mut board,
            &Change::Call(call(Phase::Ending, Some("usr_1"))),
            61,
        );
        assert_eq!(told(&ending), hangup);
        let gone = Change::CallGone {
            id: CallId(Uuid::from_u128(7)),
        };
        assert!(change(&mut board, &gone, 62).frames.is_empty());
    }

    #[test]
    fn a_call_that_gets_an_agent_replaces_itself() {
        let mut board = Board::default();
        change(&mut board, &Change::Call(call(Phase::Waiting, None)), 1);
        let news = change(
            &mut board,
            &Change::Call(call(Phase::Bridged, Some("usr_1"))),
            2,
        );
        let kinds: Vec<_> = told(&news).iter().map(|m| m["type"].clone()).collect();
        assert_eq!(kinds, ["callHangup", "newCall"]);
    }

    #[test]
    fn after_a_gap_only_the_difference_is_told() {
        let mut board = Board::default();
        for id in ["usr_1", "usr_2"] {
            change(
                &mut board,
                &Change::Agent(agent(id, AgentState::Available)),
                0,
            );
        }
        change(
            &mut board,
            &Change::Call(call(Phase::Bridged, Some("usr_1"))),
            0,
        );
        let snapshot = Snapshot {
            run: "run".to_owned(),
            seq: 9,
            agents: vec![agent("usr_2", AgentState::WrapUp)],
            calls: Vec::new(),
            campaigns: Vec::new(),
            servers: Vec::new(),
            trunks: Vec::new(),
        };
        let mut news = News::default();
        board.reset(&snapshot, Timestamp::UNIX_EPOCH, &mut news);
        let told: Vec<_> = told(&news)
            .into_iter()
            .map(|m| (m["type"].clone(), m["payload"]["status"].clone()))
            .collect();
        assert_eq!(
            told,
            [
                (json!("agentStatusUpdate"), json!("Déconnecté")),
                (json!("agentStatusUpdate"), json!("En Post-Appel")),
                (json!("callHangup"), Value::Null),
            ]
        );
    }
}
