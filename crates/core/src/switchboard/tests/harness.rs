//! A switchboard with virtual time, a store that answers at once and an exchange that is
//! told what to say.

use std::collections::VecDeque;

use crate::{
    agent::{AgentState, LegMode, Login},
    campaign::{CampaignSettings, CampaignState},
    disposition::Disposition,
    ids::{AttemptId, CallId, CampaignId},
    record::{AttemptEnd, CallRecord, Write},
    retry::AfterAttempt,
    switchboard::{Action, Command, Input, NewAttempt, Switchboard},
    telephony::{
        self, Amd, ChannelId, ConnectOutcome, Event, LiveChannel, Originate, OriginatePurpose,
        SessionCommand, SessionEvent, SessionId, SessionKind,
    },
    time::{Timestamp, after},
};

pub(super) use super::fixtures::*;

/// A node at work.
pub(super) struct Lab {
    pub(super) now: Timestamp,
    pub(super) board: Switchboard,
    /// Everything that was asked for, in order.
    pub(super) actions: Vec<Action>,
    /// Contacts waiting in the list, by how many attempts they have had.
    pub(super) list: VecDeque<u32>,
    /// Claims are answered at once; off to answer them by hand.
    pub(super) store_answers: bool,
    /// Why no contact that an agent asks for may be dialed.
    pub(super) refusal: Option<String>,
    /// When the list has more.
    pub(super) next_due: Option<Timestamp>,
    unique: u128,
}

impl Lab {
    /// A switchboard whose exchange is there and has no channels.
    pub(super) fn new() -> Self {
        let mut lab = Self::unconnected();
        lab.snapshot(&[]);
        lab
    }

    pub(super) fn unconnected() -> Self {
        Self {
            now: start_of_time(),
            board: Switchboard::new(),
            actions: Vec::new(),
            list: VecDeque::new(),
            store_answers: true,
            refusal: None,
            next_due: None,
            unique: 1_000,
        }
    }

    /// With a running campaign of so many contacts.
    pub(super) fn dialing(settings: CampaignSettings, contacts: usize) -> Self {
        let mut lab = Self::new();
        lab.list.extend(std::iter::repeat_n(0, contacts));
        lab.start(settings);
        lab
    }

    pub(super) fn start(&mut self, settings: CampaignSettings) {
        let campaign = settings.id.clone();
        self.command(Command::Configure(Box::new(settings)));
        self.command(Command::Start { campaign, epoch: 1 });
    }

    pub(super) fn unique(&mut self) -> u128 {
        self.unique += 1;
        self.unique
    }

    // === Driving ===

    pub(super) fn input(&mut self, input: Input) {
        self.board.handle(self.now, input);
        self.carry_out();
    }

    pub(super) fn event(&mut self, event: Event) {
        self.input(Input::Telephony(event));
    }

    #[track_caller]
    pub(super) fn command(&mut self, command: Command) {
        self.board.command(self.now, command).unwrap();
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(action) = self.board.poll_action() {
            self.actions.push(action.clone());
            if self.store_answers {
                self.answer(action);
            }
        }
        assert_eq!(self.board.check_all(), Vec::<String>::new());
        assert_eq!(self.board.stats(self.now).violations, 0);
    }

    fn answer(&mut self, action: Action) {
        let input = match action {
            Action::Claim {
                campaign, count, ..
            } => return self.answer_claim(&campaign, count),
            Action::ClaimOne { agent, target, .. } => {
                let unique = self.unique();
                let new = NewAttempt {
                    contact: target.contact,
                    agent: Some(agent.clone()),
                    ..new_attempt(unique, 1)
                };
                let attempt = self.refusal.clone().map_or(Ok(new), Err);
                Input::ClaimedOne { agent, attempt }
            }
            Action::PickContact { agent, .. } => {
                let contact = self.list.pop_front().map(|_| {
                    let unique = self.unique();
                    new_attempt(unique, 1).contact
                });
                Input::Picked { agent, contact }
            }
            Action::LookAtList { campaign } => Input::ListLookedAt {
                campaign,
                used_up: self.list.is_empty() && self.next_due.is_none(),
            },
            Action::Telephony(_)
            | Action::Write(_)
            | Action::FindFlow { .. }
            | Action::FindPacing { .. }
            | Action::Publish(_) => return,
        };
        self.board.handle(self.now, input);
    }

    pub(super) fn answer_claim(&mut self, campaign: &CampaignId, asked: u32) {
        let mut attempts = Vec::new();
        while attempts.len() < asked as usize
            && let Some(had) = self.list.pop_front()
        {
            let unique = self.unique();
            attempts.push(new_attempt(unique, had + 1));
        }
        let input = Input::Claimed {
            campaign: campaign.clone(),
            asked,
            attempts,
            next_due: self.next_due,
        };
        self.board.handle(self.now, input);
    }

    /// Lets time pass, waking the switchboard when it asks for it.
    pub(super) fn pass(&mut self, millis: u64) {
        let until = after(self.now, millis);
        let mut wakes = 0;
        while let Some(at) = self.board.poll_timeout().filter(|at| *at <= until) {
            wakes += 1;
            assert!(wakes < 20_000, "the switchboard spins at {at}");
            self.now = self.now.max(at);
            self.board.handle_timeout(self.now);
            self.carry_out();
        }
        self.now = until;
    }

    pub(super) fn snapshot(&mut self, channels: &[LiveChannel]) {
        self.event(Event::Snapshot {
            server: server(),
            channels: channels.to_vec(),
        });
    }

    pub(super) fn link_down(&mut self) {
        self.event(Event::LinkDown { server: server() });
    }

    // === Agents ===

    pub(super) fn log_in(&mut self, name: &str, leg_mode: LegMode) {
        let session = self.unique();
        self.log_in_as(login(name, session, leg_mode));
    }

    pub(super) fn log_in_as(&mut self, login: Login) {
        let nailed_up = login.leg_mode == LegMode::NailedUp;
        let agent = login.agent.clone();
        self.command(Command::LogIn(login));
        if nailed_up {
            self.answer_leg();
        }
        self.command(Command::Ready(agent));
    }

    /// The agent whose leg was dialed last picks up.
    pub(super) fn answer_leg(&mut self) -> ChannelId {
        let channel = self.legs().pop().expect("a leg was dialed");
        self.event(Event::Created {
            channel: channel.clone(),
        });
        self.event(Event::Ringing {
            channel: channel.clone(),
        });
        self.event(Event::Answered {
            channel: channel.clone(),
        });
        self.event(Event::OriginateEnded {
            channel: channel.clone(),
            reason: 4,
        });
        channel
    }

    pub(super) fn nailed_up(&mut self, name: &str) {
        self.log_in(name, LegMode::NailedUp);
    }

    pub(super) fn state(&self, name: &str) -> AgentState {
        self.board
            .agents
            .get(&user(name))
            .map_or(AgentState::Offline, |agent| agent.state.clone())
    }

    // === Customers ===

    pub(super) fn created(&mut self, attempt: AttemptId) -> ChannelId {
        let channel = ChannelId::for_attempt(attempt);
        self.event(Event::Created {
            channel: channel.clone(),
        });
        channel
    }

    pub(super) fn rings(&mut self, attempt: AttemptId) -> ChannelId {
        let channel = self.created(attempt);
        self.event(Event::Ringing {
            channel: channel.clone(),
        });
        channel
    }

    /// The customer picks up and is handed over, as a real Asterisk tells it.
    pub(super) fn answers(&mut self, attempt: AttemptId, amd: Option<Amd>) -> SessionId {
        let channel = self.rings(attempt);
        self.event(Event::Answered {
            channel: channel.clone(),
        });
        self.event(Event::DialEnded {
            channel: channel.clone(),
            status: "ANSWER".to_owned(),
        });
        self.event(Event::OriginateEnded { channel, reason: 4 });
        self.hands_over(attempt, amd)
    }

    pub(super) fn hands_over(&mut self, attempt: AttemptId, amd: Option<Amd>) -> SessionId {
        let session = SessionId(u64::try_from(self.unique()).unwrap());
        self.event(Event::SessionOpened {
            session,
            server: server(),
            channel: ChannelId::for_attempt(attempt),
            kind: SessionKind::Dialer {
                attempt,
                amd,
                amd_cause: None,
            },
        });
        session
    }

    /// Nobody answers: the Originate's outcome comes before the hang-up, and the end of
    /// the dial after it.
    pub(super) fn fails(&mut self, attempt: AttemptId, reason: u8, cause: u16, dial: &str) {
        let channel = self.created(attempt);
        self.event(Event::OriginateEnded {
            channel: channel.clone(),
            reason,
        });
        self.pass(5);
        self.event(Event::HungUp {
            channel: channel.clone(),
            cause,
            tech_cause: None,
        });
        self.pass(5);
        self.event(Event::DialEnded {
            channel,
            status: dial.to_owned(),
        });
        self.pass(1_000);
    }

    pub(super) fn bridges(&mut self, channel: &ChannelId) {
        self.event(Event::BridgeEntered {
            channel: channel.clone(),
            bridge: "b".to_owned(),
        });
    }

    pub(super) fn hangs_up(&mut self, channel: &ChannelId, cause: u16) {
        self.event(Event::HungUp {
            channel: channel.clone(),
            cause,
            tech_cause: None,
        });
    }

    pub(super) fn says(&mut self, session: SessionId, event: SessionEvent) {
        self.event(Event::Session { session, event });
    }

    pub(super) fn connect_ended(&mut self, session: SessionId, outcome: ConnectOutcome) {
        self.says(session, SessionEvent::ConnectEnded { outcome });
    }

    /// A customer who talks with an agent.
    pub(super) fn talks(&mut self, attempt: AttemptId) -> SessionId {
        let session = self.answers(attempt, None);
        self.bridges(&ChannelId::for_attempt(attempt));
        session
    }

    // === What was asked for ===

    pub(super) fn originates(&self) -> impl Iterator<Item = &Originate> {
        self.actions.iter().filter_map(|action| match action {
            Action::Telephony(telephony::Command::Originate(originate)) => Some(originate),
            _ => None,
        })
    }

    pub(super) fn legs(&self) -> Vec<ChannelId> {
        self.originates()
            .filter(|o| o.purpose == OriginatePurpose::AgentLeg)
            .map(|o| o.channel.clone())
            .collect()
    }

    pub(super) fn dialed(&self) -> Vec<AttemptId> {
        self.originates()
            .filter_map(|o| match o.purpose {
                OriginatePurpose::Customer { attempt, .. } => Some(attempt),
                OriginatePurpose::AgentLeg | OriginatePurpose::Supervision { .. } => None,
            })
            .collect()
    }

    pub(super) fn writes(&self) -> impl Iterator<Item = &Write> {
        self.actions.iter().filter_map(|action| match action {
            Action::Write(write) => Some(write),
            _ => None,
        })
    }

    pub(super) fn ends(&self) -> Vec<AttemptEnd> {
        self.writes()
            .filter_map(|write| match write {
                Write::AttemptEnded(end) => Some(end.clone()),
                _ => None,
            })
            .collect()
    }

    /// How attempts ended, in order.
    pub(super) fn dispositions(&self) -> Vec<Disposition> {
        self.ends().iter().map(|end| end.disposition).collect()
    }

    pub(super) fn after_last(&self) -> AfterAttempt {
        self.ends().last().expect("an attempt ended").after
    }

    pub(super) fn records(&self) -> Vec<CallRecord> {
        self.writes()
            .filter_map(|write| match write {
                Write::CallClosed(record) => Some(record.clone()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn campaign_state(&self, name: &str) -> CampaignState {
        self.board.campaigns[&campaign_id(name)].state
    }

    /// What a session was told, in order.
    pub(super) fn told(&self, session: SessionId) -> Vec<&SessionCommand> {
        self.actions
            .iter()
            .filter_map(|action| match action {
                Action::Telephony(telephony::Command::Session {
                    session: to,
                    command,
                }) if *to == session => Some(command),
                _ => None,
            })
            .collect()
    }

    pub(super) fn hung_up(&self, channel: &ChannelId) -> usize {
        self.actions
            .iter()
            .filter(|action| {
                matches!(action, Action::Telephony(telephony::Command::HangUp { channel: c, .. }) if c == channel)
            })
            .count()
    }

    pub(super) fn syncs(&self) -> usize {
        self.actions
            .iter()
            .filter(|action| matches!(action, Action::Telephony(telephony::Command::Sync { .. })))
            .count()
    }

    pub(super) fn claims(&self) -> Vec<u32> {
        self.actions
            .iter()
            .filter_map(|action| match action {
                Action::Claim { count, .. } => Some(*count),
                _ => None,
            })
            .collect()
    }

    pub(super) fn phase(&self, attempt: AttemptId) -> Option<crate::call::Phase> {
        self.board
            .calls
            .get(&CallId::from(attempt))
            .map(|call| call.phase)
    }

    /// Nothing is remembered of calls that are over.
    #[track_caller]
    pub(super) fn nothing_is_left(&self) {
        let board = &self.board;
        assert!(board.calls.is_empty(), "calls: {:?}", board.calls);
        assert!(
            board.by_channel.is_empty(),
            "channels: {:?}",
            board.by_channel
        );
        assert!(
            board.by_session.is_empty(),
            "sessions: {:?}",
            board.by_session
        );
        assert!(board.waiting.is_empty(), "waiting: {:?}", board.waiting);
        for agent in board.agents.values() {
            assert!(
                !agent.state.has_call(),
                "{} is {}",
                agent.login.agent,
                agent.state
            );
        }
    }
}
