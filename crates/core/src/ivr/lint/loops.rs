//! Cycles of a directed graph.

/// One cycle for every group of nodes that can all come back to each other (strongly connected
/// component), in time linear in the graph. The nodes are `0..ways.len()`, `ways` says where each
/// leads. A node that leads to itself is a cycle too.
///
/// This is Tarjan's algorithm with its own stack: a chain of nodes as long as a flow may be must
/// not depend on the stack of the thread.
pub(super) fn cycles(ways: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut search = Search {
        ways,
        order: vec![None; ways.len()],
        low: vec![0; ways.len()],
        open: vec![false; ways.len()],
        stack: Vec::new(),
        visited: 0,
        cycles: Vec::new(),
    };
    for root in 0..ways.len() {
        if search.order[root].is_none() {
            search.run(root);
        }
    }
    search.cycles
}

struct Search<'a> {
    ways: &'a [Vec<usize>],
    /// When a node was first seen.
    order: Vec<Option<usize>>,
    /// The earliest node that is known to be in the same component.
    low: Vec<usize>,
    /// Whether the node is on `stack`.
    open: Vec<bool>,
    /// Nodes whose component is not complete.
    stack: Vec<usize>,
    visited: usize,
    cycles: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn run(&mut self, root: usize) {
        // The node and how many of its ways were followed.
        let mut trail = vec![(root, 0)];
        self.visit(root);
        while let Some((node, followed)) = trail.last_mut() {
            let node = *node;
            if let Some(&next) = self.ways[node].get(*followed) {
                *followed += 1;
                match self.order[next] {
                    None => {
                        self.visit(next);
                        trail.push((next, 0));
                    }
                    Some(seen) if self.open[next] => self.low[node] = self.low[node].min(seen),
                    Some(_) => {}
                }
                continue;
            }
            trail.pop();
            if let Some(&(parent, _)) = trail.last() {
                self.low[parent] = self.low[parent].min(self.low[node]);
            }
            if self.order[node] == Some(self.low[node]) {
                self.close(node);
            }
        }
    }

    fn visit(&mut self, node: usize) {
        self.order[node] = Some(self.visited);
        self.low[node] = self.visited;
        self.open[node] = true;
        self.stack.push(node);
        self.visited += 1;
    }

    /// Takes the component that began with `first` from the stack.
    fn close(&mut self, first: usize) {
        let start = self.stack.iter().rposition(|&node| node == first);
        let component = self.stack.split_off(start.unwrap_or_default());
        for &node in &component {
            self.open[node] = false;
        }
        if component.len() > 1 || self.ways[first].contains(&first) {
            self.cycles.push(one_cycle(self.ways, &component, first));
        }
    }
}

/// One way round in a component, found by always taking the first way that stays in it.
fn one_cycle(ways: &[Vec<usize>], component: &[usize], first: usize) -> Vec<usize> {
    let inside: std::collections::HashSet<usize> = component.iter().copied().collect();
    let mut place = std::collections::HashMap::new();
    let mut path = Vec::new();
    let mut node = first;
    loop {
        if let Some(&begin) = place.get(&node) {
            return path.split_off(begin);
        }
        place.insert(node, path.len());
        path.push(node);
        match ways[node].iter().find(|next| inside.contains(next)) {
            Some(&next) => node = next,
            // Not possible in a component with a cycle.
            None => return path,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::cycles;

    #[test]
    fn a_chain_has_no_cycle_however_long() {
        let mut chain: Vec<Vec<usize>> = (1..100_000).map(|next| vec![next]).collect();
        chain.push(vec![]);
        assert!(cycles(&chain).is_empty());
        chain[99_999].push(0);
        assert_eq!(cycles(&chain)[0].len(), 100_000);
    }

    #[test]
    fn a_diamond_is_not_a_cycle() {
        assert!(cycles(&[vec![1, 2], vec![3], vec![3], vec![]]).is_empty());
    }

    #[test]
    fn a_node_that_leads_to_itself_is_a_cycle() {
        assert_eq!(cycles(&[vec![1], vec![1]]), [[1]]);
    }

    proptest! {
        #[test]
        fn a_cycle_is_found_exactly_where_there_is_one(
            ways in (1_usize..12).prop_flat_map(|nodes| {
                prop::collection::vec(prop::collection::vec(0..nodes, 0..3), nodes)
            })
        ) {
            let nodes = ways.len();
            let mut comes_to = vec![vec![false; nodes]; nodes];
            for (from, targets) in ways.iter().enumerate() {
                for &to in targets {
                    comes_to[from][to] = true;
                }
            }
            for via in 0..nodes {
                for from in 0..nodes {
                    for to in 0..nodes {
                        comes_to[from][to] |= comes_to[from][via] && comes_to[via][to];
                    }
                }
            }
            let found = cycles(&ways);
            for cycle in &found {
                for (place, node) in cycle.iter().enumerate() {
                    let next = cycle[(place + 1) % cycle.len()];
                    prop_assert!(ways[*node].contains(&next), "{cycle:?} in {ways:?}");
                }
            }
            for (node, reached) in comes_to.iter().enumerate() {
                let named = found
                    .iter()
                    .filter(|cycle| reached[cycle[0]] && comes_to[cycle[0]][node])
                    .count();
                prop_assert_eq!(named, usize::from(reached[node]), "node {} of {:?}", node, &ways);
            }
        }
    }
}
