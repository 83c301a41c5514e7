//! Whatever happens, in whatever order: what must hold, holds.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{
    fixtures::TRANSFERS,
    world::{AGENTS, CAMPAIGNS, World},
};

/// One thing that happens. Indexes choose among what exists, and among what does not.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Pass(u32),
    LogIn(usize, bool),
    Works(usize, bool),
    Ready(usize),
    Pause(usize),
    EndWrapUp(usize),
    LogOut(usize),
    HangUp(Index),
    Transfer(Index, usize),
    Transferred(Index, usize, usize, u8),
    Configure(usize, bool),
    Start(usize),
    PauseCampaign(usize),
    Stop(usize),
    ContactsAdded(usize),
    Claimed {
        campaign: usize,
        got: u32,
        due: Option<u32>,
    },
    Echo,
    ClaimFailed(usize, bool),
    Channel(Index, u8),
    Answers(Index, u8),
    Calls(bool),
    FlowFound(Index, bool),
    Session(Index, u8),
    Snapshot(Vec<bool>),
    LinkDown,
}

fn op() -> impl Strategy<Value = Op> {
    let agent = 0..AGENTS.len();
    let campaign = 0..CAMPAIGNS.len();
    prop_oneof![
        6 => prop_oneof![Just(0), 1u32..3_000, 3_000u32..60_000, 60_000u32..700_000].prop_map(Op::Pass),
        3 => (agent.clone(), any::<bool>()).prop_map(|(a, n)| Op::LogIn(a, n)),
        6 => (agent.clone(), any::<bool>()).prop_map(|(a, n)| Op::Works(a, n)),
        4 => agent.clone().prop_map(Op::Ready),
        1 => agent.clone().prop_map(Op::Pause),
        1 => agent.clone().prop_map(Op::EndWrapUp),
        1 => agent.prop_map(Op::LogOut),
        1 => any::<Index>().prop_map(Op::HangUp),
        1 => (any::<Index>(), 0..TRANSFERS).prop_map(|(call, to)| Op::Transfer(call, to)),
        4 => (any::<Index>(), 0..3usize, 0..TRANSFERS, any::<u8>())
            .prop_map(|(call, from, to, how)| Op::Transferred(call, from, to, how)),
        1 => (campaign.clone(), any::<bool>()).prop_map(|(c, p)| Op::Configure(c, p)),
        3 => campaign.clone().prop_map(Op::Start),
        1 => campaign.clone().prop_map(Op::PauseCampaign),
        1 => campaign.clone().prop_map(Op::Stop),
        1 => campaign.clone().prop_map(Op::ContactsAdded),
        8 => (campaign.clone(), 0u32..4, proptest::option::of(0u32..100_000))
            .prop_map(|(campaign, got, due)| Op::Claimed { campaign, got, due }),
        1 => Just(Op::Echo),
        1 => (campaign, any::<bool>()).prop_map(|(c, stale)| Op::ClaimFailed(c, stale)),
        20 => (any::<Index>(), any::<u8>()).prop_map(|(i, e)| Op::Channel(i, e)),
        10 => (any::<Index>(), any::<u8>()).prop_map(|(i, a)| Op::Answers(i, a)),
        3 => any::<bool>().prop_map(Op::Calls),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(i, f)| Op::FlowFound(i, f)),
        10 => (any::<Index>(), any::<u8>()).prop_map(|(i, e)| Op::Session(i, e)),
        2 => vec(any::<bool>(), 1..12).prop_map(Op::Snapshot),
        1 => Just(Op::LinkDown),
    ]
}

/// What the database had at the start: calls (answered, connected) and agents (nailed up, on a call).
pub(super) type Before = (Vec<(bool, Option<usize>)>, Vec<(bool, bool)>);

fn before() -> impl Strategy<Value = Before> {
    let call = (any::<bool>(), proptest::option::of(0..AGENTS.len()));
    prop_oneof![
        Just((Vec::new(), Vec::new())),
        (vec(call, 0..4), vec(any::<(bool, bool)>(), 0..AGENTS.len())),
    ]
}

fn run(before: &Before, ops: &[Op]) -> World {
    let mut world = World::new();
    world.restore(before);
    for op in ops {
        world.apply(op);
    }
    world
}

proptest! {
    #[test]
    fn nothing_is_stuck_lost_or_done_twice(before in before(), ops in vec(op(), 0..150)) {
        let mut world = run(&before, &ops);
        world.drain();
        world.check_drained();
    }

    #[test]
    fn the_same_inputs_lead_to_the_same_actions(before in before(), ops in vec(op(), 0..100)) {
        prop_assert_eq!(run(&before, &ops).log, run(&before, &ops).log);
    }
}
