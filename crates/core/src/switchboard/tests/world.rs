//! A switchboard to which anything can happen, and a record of all that it does.

use std::collections::{BTreeMap, BTreeSet};

use proptest::sample::Index;
use uuid::Uuid;

use super::{
    fixtures::*,
    properties::{Before, Op},
};
use crate::{
    agent::{AgentState, LegMode},
    call::{AttemptFacts, Kind, Phase},
    campaign::CampaignState,
    ids::{AttemptId, CallId, CampaignId, ContactId},
    record::Write,
    switchboard::{
        Action, Command, Input, Restored, RestoredCall, RestoredSession, Switchboard, TransferCall,
    },
    telephony::{
        self, Amd, ChannelId, Event, LiveChannel, ServerName, SessionEvent, SessionId, SessionKind,
    },
    time::{Timestamp, after},
    transfer::{Line, Transfer},
};

pub(super) const CAMPAIGNS: [&str; 2] = ["cmp_a", "cmp_b"];
pub(super) const AGENTS: [&str; 5] = ["ann", "bob", "cyd", "dan", "eve"];

pub(super) struct World {
    now: Timestamp,
    board: Switchboard,
    /// Every action, as text.
    pub(super) log: Vec<String>,
    unique: u64,
    claims: BTreeMap<CampaignId, u32>,
    last_claimed: Option<Input>,
    handed_out: BTreeSet<AttemptId>,
    ended: Vec<AttemptId>,
    closed: Vec<CallId>,
    originated: BTreeSet<ChannelId>,
    channels: Vec<ChannelId>,
    sessions: Vec<SessionId>,
    calls: Vec<CallId>,
    callers: u64,
    sync_asked: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            now: start_of_time(),
            board: Switchboard::new(),
            log: Vec::new(),
            unique: 0,
            claims: BTreeMap::new(),
            last_claimed: None,
            handed_out: BTreeSet::new(),
            ended: Vec::new(),
            closed: Vec::new(),
            originated: BTreeSet::new(),
            // One of each that nobody knows.
            channels: vec![
                ChannelId::from("1763630000.1"),
                ChannelId::for_attempt(AttemptId(Uuid::from_u128(9))),
            ],
            sessions: vec![SessionId(0)],
            calls: vec![CallId(Uuid::from_u128(9))],
            callers: 0,
            sync_asked: false,
        }
    }

    fn unique(&mut self) -> u64 {
        self.unique += 1;
        self.unique
    }

    pub(super) fn restore(&mut self, (calls, agents): &Before) {
        let campaigns = CAMPAIGNS
            .iter()
            .map(|name| (varied(name, false), CampaignState::Running, 1))
            .collect();
        let calls: Vec<_> = calls
            .iter()
            .map(|(answered, agent)| self.restored_call(*answered, *agent))
            .collect();
        let sessions = agents
            .iter()
            .enumerate()
            .map(|(index, (nailed_up, busy))| RestoredSession {
                login: self.login_of(index, *nailed_up),
                legs_dialed: 1,
                state: if *busy {
                    AgentState::OnCall
                } else {
                    AgentState::Available
                },
            })
            .collect();
        let fresh = calls.is_empty();
        self.input(Input::Restored(Box::new(Restored {
            campaigns,
            calls,
            sessions,
            ..Restored::default()
        })));
        if fresh {
            self.snapshot(Vec::new());
        }
    }

    fn restored_call(&mut self, answered: bool, agent: Option<usize>) -> RestoredCall {
        let attempt = AttemptId(Uuid::from_u128(u128::from(self.unique()) + 1_000));
        self.handed_out.insert(attempt);
        let channel = ChannelId::for_attempt(attempt);
        self.channels.push(channel.clone());
        let at = after(self.now, 0);
        RestoredCall {
            id: attempt.into(),
            server: server(),
            channel,
            kind: Kind::Outbound(AttemptFacts {
                segment: crate::pacing::Segment::default(),
                attempt,
                campaign: campaign_id(CAMPAIGNS[0]),
                contact: ContactId::generate(attempt.0),
                number: number(),
                ordinal: 1,
                epoch: 1,
                trunk: trunk_id("trk_1"),
                caller_id: None,
                wanted_agent: None,
            }),
            queue: None,
            started_at: at,
            answered_at: answered.then_some(at),
            bridged: agent.map(|index| (at, user(AGENTS[index]))),
            transfer: agent.filter(|index| *index < 3).map(|index| Transfer {
                ordinal: 2,
                by: user("ada"),
                from: None,
                line: (index == 2).then(|| Line {
                    trunk: trunk_id("trk_1"),
                    endpoint: "PJSIP/+33142278187@carrier".to_owned(),
                    caller_id: shown(),
                }),
                target: transfer_target(index),
                answered_at: (index != 0).then_some(at),
            }),
            transfers: agent.map_or(0, |_| 2),
        }
    }

    fn login_of(&mut self, index: usize, nailed_up: bool) -> crate::agent::Login {
        let mode = if nailed_up {
            LegMode::NailedUp
        } else {
            LegMode::RingPerCall
        };
        let mut login = login(AGENTS[index], u128::from(self.unique()) + 500_000, mode);
        // One agent for each campaign alone, the others for both, one at another exchange.
        let campaigns = match index {
            0 => &CAMPAIGNS[..1],
            1 => &CAMPAIGNS[1..],
            _ => &CAMPAIGNS[..],
        };
        login.campaigns = campaigns.iter().map(|name| campaign_id(name)).collect();
        if index == 4 {
            login.server = ServerName::from("elsewhere");
        }
        self.channels.push(ChannelId::for_leg(login.session, 1));
        login
    }

    fn input(&mut self, input: Input) {
        self.board.handle(self.now, input);
        self.collect();
    }

    fn event(&mut self, event: Event) {
        self.input(Input::Telephony(event));
    }

    fn command(&mut self, command: Command) {
        // Refusals are answers as well.
        _ = self.board.command(self.now, command);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(action) = self.board.poll_action() {
            self.log.push(format!("{action:?}"));
            match action {
                Action::Telephony(telephony::Command::Originate(originate)) => {
                    assert!(
                        self.originated.insert(originate.channel.clone()),
                        "{} is dialed twice",
                        originate.channel
                    );
                    self.channels.push(originate.channel);
                }
                Action::Telephony(telephony::Command::Sync { .. }) => self.sync_asked = true,
                Action::Claim {
                    campaign, count, ..
                } => {
                    assert_eq!(
                        self.claims.insert(campaign, count),
                        None,
                        "one claim at a time"
                    );
                }
                Action::Write(Write::AttemptEnded(end)) => self.ended.push(end.attempt),
                Action::Write(Write::CallClosed(record)) => self.closed.push(record.call),
                Action::Telephony(_)
                | Action::Write(_)
                | Action::ClaimOne { .. }
                | Action::PickContact { .. }
                | Action::LookAtList { .. }
                | Action::FindPacing { .. }
                | Action::FindFlow { .. }
                | Action::Publish(_) => {}
            }
        }
        assert_eq!(self.board.check_all(), Vec::<String>::new());
        assert_eq!(self.board.stats(self.now).violations, 0);
    }

    /// `answering`: whoever asks for a snapshot is told that there is nothing.
    fn pass(&mut self, millis: u64, answering: bool) {
        let until = after(self.now, millis);
        let mut wakes = 0;
        while let Some(at) = self.board.poll_timeout().filter(|at| *at <= until) {
            wakes += 1;
            assert!(wakes < 20_000, "the switchboard spins at {at}");
            self.now = self.now.max(at);
            self.board.handle_timeout(self.now);
            self.collect();
            if answering && std::mem::take(&mut self.sync_asked) {
                self.snapshot(Vec::new());
            }
        }
        self.now = until;
    }

    fn snapshot(&mut self, channels: Vec<LiveChannel>) {
        self.event(Event::Snapshot {
            server: server(),
            channels,
        });
    }

    fn claimed(&mut self, campaign: usize, got: u32, due: Option<u32>) {
        let campaign = campaign_id(CAMPAIGNS[campaign]);
        let Some(asked) = self.claims.remove(&campaign) else {
            return;
        };
        let mut attempts = Vec::new();
        for _ in 0..got.min(asked) {
            let new = new_attempt(u128::from(self.unique()) + 1_000, 1);
            self.handed_out.insert(new.attempt);
            self.calls.push(new.attempt.into());
            attempts.push(new);
        }
        if let Some(first) = attempts.first().cloned() {
            // The store never should, and the number is dialed once all the same.
            attempts.push(first);
        }
        let next_due = due.map(|ms| after(self.now, u64::from(ms)));
        let input = Input::Claimed {
            campaign,
            asked,
            attempts,
            next_due,
        };
        self.last_claimed = Some(input.clone());
        self.input(input);
    }

    pub(super) fn apply(&mut self, op: &Op) {
        match op.clone() {
            Op::Pass(ms) => self.pass(u64::from(ms), false),
            Op::LogIn(agent, nailed_up) => {
                let login = self.login_of(agent, nailed_up);
                self.command(Command::LogIn(login));
            }
            Op::Works(agent, nailed_up) => self.works(agent, nailed_up),
            Op::Ready(agent) => self.command(Command::Ready(user(AGENTS[agent]))),
            Op::Pause(agent) => {
                self.command(Command::Pause {
                    agent: user(AGENTS[agent]),
                    reason: "lunch".to_owned(),
                });
            }
            Op::EndWrapUp(agent) => self.command(Command::EndWrapUp(user(AGENTS[agent]))),
            Op::LogOut(agent) => self.command(Command::LogOut(user(AGENTS[agent]))),
            Op::Transfer(index, to) => self.command(Command::Transfer(TransferCall {
                call: *index.get(&self.calls),
                by: user("ada"),
                to: transfer_target(to),
            })),
            Op::Transferred(index, from, to, how) => self.transferred(index, from, to, how),
            Op::HangUp(index) => self.command(Command::HangUp(*index.get(&self.calls))),
            Op::Configure(campaign, power) => {
                self.command(Command::Configure(Box::new(varied(
                    CAMPAIGNS[campaign],
                    power,
                ))));
            }
            Op::Start(campaign) => {
                let epoch = i64::try_from(self.unique()).unwrap();
                self.command(Command::Start {
                    campaign: campaign_id(CAMPAIGNS[campaign]),
                    epoch,
                });
            }
            Op::PauseCampaign(campaign) => {
                self.command(Command::PauseCampaign(campaign_id(CAMPAIGNS[campaign])));
            }
            Op::Stop(campaign) => self.command(Command::Stop(campaign_id(CAMPAIGNS[campaign]))),
            Op::ContactsAdded(campaign) => {
                self.command(Command::ContactsAdded(campaign_id(CAMPAIGNS[campaign])));
            }
            Op::Claimed { campaign, got, due } => self.claimed(campaign, got, due),
            Op::Echo => {
                if let Some(Input::Claimed { campaign, .. }) = &self.last_claimed
                    && !self.claims.contains_key(campaign)
                    && let Some(input) = self.last_claimed.clone()
                {
                    self.input(input);
                }
            }
            Op::ClaimFailed(campaign, stale) => {
                let campaign = campaign_id(CAMPAIGNS[campaign]);
                let asked = self.claims.remove(&campaign).unwrap_or(3);
                self.input(Input::ClaimFailed {
                    campaign,
                    asked,
                    stale,
                });
            }
            Op::Channel(index, event) => {
                let channel = recent(index, &self.channels);
                self.event(channel_event(channel, event));
            }
            Op::Answers(index, how) => self.answers(&recent(index, &self.channels), how),
            Op::Calls(again) => self.calls_in(again),
            Op::FlowFound(index, found) => {
                let call = *index.get(&self.calls);
                self.input(Input::FlowFound {
                    call,
                    route: found.then(shared_route),
                });
            }
            Op::Session(index, event) => {
                let session = recent(index, &self.sessions);
                self.event(Event::Session {
                    session,
                    event: session_event(event),
                });
            }
            Op::Snapshot(mask) => {
                let channels = self
                    .channels
                    .iter()
                    .zip(mask.iter().cycle())
                    .enumerate()
                    .filter(|(_, (_, there))| **there)
                    .map(|(index, (channel, _))| {
                        live(channel, index % 3 != 0, (index % 4 == 1).then_some("b"))
                    })
                    .collect();
                self.snapshot(channels);
            }
            Op::LinkDown => self.event(Event::LinkDown { server: server() }),
        }
    }

    /// A conversation is ended for a transfer, and what it went to says something.
    fn transferred(&mut self, index: Index, from: usize, to: usize, how: u8) {
        let talking: Vec<_> = self
            .calls
            .iter()
            .filter_map(|id| self.board.calls.get(id))
            .filter(|call| call.phase == Phase::Bridged && call.session.is_some())
            .map(|call| (call.id, call.channel.clone(), call.session))
            .collect();
        if talking.is_empty() {
            return;
        }
        let (call, channel, session) = index.get(&talking).clone();
        self.event(Event::StationAnswered {
            customer: channel.clone(),
            station: ChannelId(format!("1763630000.9{from}").into()),
        });
        self.command(Command::Transfer(TransferCall {
            call,
            by: user("ada"),
            to: transfer_target(to),
        }));
        for (step, event) in [(1, 0), (2, how)] {
            if let Some(session) = session.filter(|_| how % 8 >= step) {
                let event = session_event(event);
                self.event(Event::Session { session, event });
            }
        }
        if how.is_multiple_of(3) {
            let bridge = "b".to_owned();
            self.event(Event::BridgeEntered { channel, bridge });
        }
    }

    /// An agent comes to work, and picks up when the station rings.
    fn works(&mut self, agent: usize, nailed_up: bool) {
        let login = self.login_of(agent, nailed_up);
        self.command(Command::LogIn(login));
        self.command(Command::Ready(user(AGENTS[agent])));
        let ringing = self
            .board
            .agents
            .get(&user(AGENTS[agent]))
            .and_then(|a| a.leg.channel().cloned());
        if let Some(channel) = ringing {
            self.event(Event::Answered { channel });
        }
    }

    /// A customer picks up, or an agent; the whole of it or only the end.
    fn answers(&mut self, channel: &ChannelId, how: u8) {
        if !how.is_multiple_of(4) {
            self.event(Event::Answered {
                channel: channel.clone(),
            });
            self.event(Event::OriginateEnded {
                channel: channel.clone(),
                reason: 4,
            });
        }
        if let telephony::ChannelOwner::Attempt(attempt) = channel.owner() {
            let session = match how % 16 {
                15 => *self.sessions.last().unwrap(),
                _ => SessionId(self.unique()),
            };
            self.sessions.push(session);
            let amd = [
                None,
                Some(Amd::Human),
                Some(Amd::Machine),
                Some(Amd::NotSure),
            ][usize::from(how / 64)];
            self.event(Event::SessionOpened {
                session,
                server: server(),
                channel: channel.clone(),
                kind: SessionKind::Dialer {
                    attempt,
                    amd,
                    amd_cause: None,
                },
            });
            if how % 8 < 4 {
                let channel = channel.clone();
                self.event(Event::BridgeEntered {
                    channel,
                    bridge: "b".to_owned(),
                });
            }
        }
    }

    fn calls_in(&mut self, again: bool) {
        if !again {
            self.callers += 1;
        }
        let channel = ChannelId(format!("1763630000.{}", self.callers).into());
        let call = CallId(Uuid::from_u128(u128::from(self.unique()) + 900_000));
        let session = SessionId(self.unique());
        self.channels.push(channel.clone());
        self.sessions.push(session);
        self.calls.push(call);
        self.event(Event::SessionOpened {
            session,
            server: server(),
            channel,
            kind: SessionKind::Inbound {
                call,
                did: "+33123456789".to_owned(),
                caller: None,
                endpoint: None,
            },
        });
    }

    /// The exchange loses everything, every session closes, and enough time passes.
    pub(super) fn drain(&mut self) {
        self.board.drain();
        for campaign in 0..CAMPAIGNS.len() {
            self.claimed(campaign, 2, None);
        }
        self.snapshot(Vec::new());
        for session in std::mem::take(&mut self.sessions) {
            self.event(Event::Session {
                session,
                event: SessionEvent::Closed,
            });
        }
        for _ in 0..3 {
            self.pass(700_000, true);
            self.snapshot(Vec::new());
        }
        self.pass(1_000, true);
    }

    pub(super) fn check_drained(&self) {
        let board = &self.board;
        assert!(board.calls.is_empty(), "{:?}", board.calls);
        assert!(
            board.by_channel.is_empty() && board.by_session.is_empty() && board.waiting.is_empty()
        );
        for agent in board.agents.values() {
            assert!(
                !agent.state.has_call(),
                "{} is {}",
                agent.login.agent,
                agent.state
            );
            assert_ne!(agent.state, AgentState::WrapUp);
        }
        let ended: BTreeSet<AttemptId> = self.ended.iter().copied().collect();
        assert_eq!(ended.len(), self.ended.len(), "an attempt ended twice");
        assert_eq!(ended, self.handed_out, "each attempt ends");
        let closed: BTreeSet<CallId> = self.closed.iter().copied().collect();
        assert_eq!(closed.len(), self.closed.len(), "a call was closed twice");
        // A leg that is redialed, one that was given up, and what waits for the exchange.
        assert!(
            board.timers.len() <= 3 * AGENTS.len() + 3,
            "{:?}",
            board.timers
        );
    }
}

/// Mostly one of the last few: what is over for long has little left to say.
fn recent<T: Clone>(index: Index, from: &[T]) -> T {
    let chosen = index.index(from.len() * 4);
    let last = from.len().saturating_sub(6);
    from.get(chosen)
        .unwrap_or_else(|| &from[last + chosen % (from.len() - last)])
        .clone()
}
