//! Who speaks for whom: agents who work for several campaigns are counted once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Lines matched with free agents, each agent with one line at most.
///
/// Giving each line the first agent that fits is not enough: an agent of two campaigns
/// may be counted for the line of one while the other's line has nobody else, and one
/// line too many goes out. So a line may displace another to a different agent. Agents
/// are grouped by the campaigns that they work for, which are few combinations.
#[derive(Debug, Default)]
pub(super) struct Shares {
    kinds: Vec<AgentKind>,
}

/// Agents who work for the same campaigns.
#[derive(Debug)]
struct AgentKind {
    campaigns: BTreeSet<usize>,
    free: u32,
    /// Lines of each campaign that these agents are spoken for by.
    taken: BTreeMap<usize, u32>,
}

impl Shares {
    /// Free agents, each given as the campaigns that they work for.
    pub(super) fn new(agents: impl Iterator<Item = BTreeSet<usize>>) -> Self {
        let mut counts: BTreeMap<BTreeSet<usize>, u32> = BTreeMap::new();
        for campaigns in agents {
            *counts.entry(campaigns).or_default() += 1;
        }
        let kinds = counts
            .into_iter()
            .map(|(campaigns, free)| AgentKind {
                campaigns,
                free,
                taken: BTreeMap::new(),
            })
            .collect();
        Self { kinds }
    }

    /// Matches up to `lines` more lines of a campaign; returns for how many there was an agent.
    pub(super) fn take(&mut self, campaign: usize, lines: u32) -> u32 {
        let mut got = 0;
        while got < lines {
            match self.augment(campaign, lines - got) {
                0 => break,
                more => got += more,
            }
        }
        got
    }

    /// Frees the agents of up to `lines` lines of a campaign.
    pub(super) fn give_back(&mut self, campaign: usize, lines: u32) {
        let mut left = lines;
        for kind in &mut self.kinds {
            if let Some(taken) = kind.taken.get_mut(&campaign) {
                let freed = left.min(*taken);
                *taken -= freed;
                kind.free += freed;
                left -= freed;
            }
        }
    }

    /// One augmenting path, shortest first. O(kinds × campaigns).
    fn augment(&mut self, campaign: usize, most: u32) -> u32 {
        // How each kind was reached: from which other kind, by moving which campaign's lines.
        let mut reached: BTreeMap<usize, Option<(usize, usize)>> = BTreeMap::new();
        let mut queue = VecDeque::new();
        let mut moved = BTreeSet::from([campaign]);
        for (index, kind) in self.kinds.iter().enumerate() {
            if kind.campaigns.contains(&campaign) {
                reached.insert(index, None);
                queue.push_back(index);
            }
        }
        while let Some(at) = queue.pop_front() {
            if self.kinds[at].free > 0 {
                return self.move_along(at, &reached, campaign, most);
            }
            let movable: Vec<usize> = self.kinds[at]
                .taken
                .iter()
                .filter(|(_, lines)| **lines > 0)
                .map(|(c, _)| *c)
                .collect();
            for other in movable {
                if !moved.insert(other) {
                    continue;
                }
                for (index, kind) in self.kinds.iter().enumerate() {
                    if kind.campaigns.contains(&other) && !reached.contains_key(&index) {
                        reached.insert(index, Some((at, other)));
                        queue.push_back(index);
                    }
                }
            }
        }
        0
    }

    fn move_along(
        &mut self,
        end: usize,
        reached: &BTreeMap<usize, Option<(usize, usize)>>,
        campaign: usize,
        most: u32,
    ) -> u32 {
        let mut lines = most.min(self.kinds[end].free);
        let mut at = end;
        while let Some(Some((from, other))) = reached.get(&at) {
            lines = lines.min(self.kinds[*from].taken.get(other).copied().unwrap_or(0));
            at = *from;
        }
        self.kinds[end].free -= lines;
        let mut at = end;
        while let Some(Some((from, other))) = reached.get(&at) {
            *self.kinds[at].taken.entry(*other).or_default() += lines;
            if let Some(taken) = self.kinds[*from].taken.get_mut(other) {
                *taken -= lines;
            }
            at = *from;
        }
        *self.kinds[at].taken.entry(campaign).or_default() += lines;
        lines
    }
}

#[cfg(test)]
mod tests {
    use proptest::{
        collection::{btree_set, vec},
        prelude::*,
    };

    use super::*;

    fn shares(agents: &[&[usize]]) -> Shares {
        Shares::new(
            agents
                .iter()
                .map(|campaigns| campaigns.iter().copied().collect()),
        )
    }

    #[test]
    fn a_line_is_moved_to_another_agent_when_that_makes_room() {
        // One agent works for both campaigns, the other only for the first.
        let mut shares = shares(&[&[0, 1], &[0]]);
        assert_eq!(shares.take(0, 1), 1);
        assert_eq!(shares.take(1, 1), 1);
        assert_eq!(shares.take(0, u32::MAX), 0, "both agents are spoken for");
    }

    #[test]
    fn an_agent_of_two_campaigns_is_counted_once() {
        let mut shares = shares(&[&[0, 1]]);
        assert_eq!(shares.take(1, 5), 1);
        assert_eq!(shares.take(0, 5), 0);
        shares.give_back(1, 5);
        assert_eq!(shares.take(0, 5), 1);
    }

    #[test]
    fn lines_move_along_a_chain_of_agents() {
        let mut shares = shares(&[&[0, 1], &[1, 2], &[2]]);
        assert_eq!(shares.take(1, 1), 1);
        assert_eq!(shares.take(2, 1), 1);
        assert_eq!(shares.take(0, 1), 1);
        assert_eq!(shares.take(0, 1) + shares.take(1, 1) + shares.take(2, 1), 0);
    }

    /// The most of these lines that can have an agent each, one agent at a time.
    fn matching(agents: &[BTreeSet<usize>], lines: &[usize]) -> u32 {
        fn place(
            line: usize,
            agents: &[BTreeSet<usize>],
            lines: &[usize],
            of_agent: &mut [Option<usize>],
            tried: &mut BTreeSet<usize>,
        ) -> bool {
            for agent in 0..agents.len() {
                if agents[agent].contains(&lines[line]) && tried.insert(agent) {
                    let free = match of_agent[agent] {
                        None => true,
                        Some(other) => place(other, agents, lines, of_agent, tried),
                    };
                    if free {
                        of_agent[agent] = Some(line);
                        return true;
                    }
                }
            }
            false
        }
        let mut of_agent = vec![None; agents.len()];
        let placed = (0..lines.len())
            .filter(|line| place(*line, agents, lines, &mut of_agent, &mut BTreeSet::new()));
        u32::try_from(placed.count()).unwrap()
    }

    proptest! {
        #[test]
        fn as_many_lines_have_an_agent_as_possible_and_no_more(
            agents in vec(btree_set(0usize..4, 0..4), 0..8),
            lines in vec(0usize..4, 0..12),
        ) {
            let mut shares = Shares::new(agents.iter().cloned());
            let taken: u32 = lines.iter().map(|campaign| shares.take(*campaign, 1)).sum();
            prop_assert_eq!(taken, matching(&agents, &lines));
            let free: u32 = shares.kinds.iter().map(|kind| kind.free).sum();
            prop_assert_eq!(taken + free, u32::try_from(agents.len()).unwrap());
            // Giving back and taking again changes nothing.
            for campaign in 0..4 {
                let more = shares.take(campaign, u32::MAX);
                shares.give_back(campaign, more);
            }
            let after: u32 = shares.kinds.iter().map(|kind| kind.free).sum();
            prop_assert_eq!(after, free);
        }
    }
}
