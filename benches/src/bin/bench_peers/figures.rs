//! Figures of several runs, peers and runtimes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Our own name among the peers.
pub(crate) const OURS: &str = "strowger";

/// What one peer did in each run, by runtime.
#[derive(Debug)]
pub(crate) struct Table<T> {
    peers: BTreeMap<&'static str, BTreeMap<&'static str, Vec<T>>>,
    failed: BTreeMap<&'static str, String>,
}

/// The best run of a peer. The best and not the median, because whatever else the
/// machine does only ever slows a run.
#[derive(Debug)]
pub(crate) struct Best<'a, T> {
    pub(crate) runtime: &'static str,
    pub(crate) run: &'a T,
    /// All runs on that runtime.
    pub(crate) runs: &'a [T],
}

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Self {
            peers: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Keeps the outcome of one run. A peer that fails is told and left out.
    pub(crate) fn add(
        &mut self,
        peer: &'static str,
        runtime: &'static str,
        outcome: anyhow::Result<T>,
    ) -> anyhow::Result<()> {
        match outcome {
            Ok(run) => {
                let runtimes = self.peers.entry(peer).or_default();
                runtimes.entry(runtime).or_default().push(run);
            }
            Err(error) if peer == OURS => return Err(error),
            Err(error) => {
                eprintln!("warning: {peer} ({runtime}) failed: {error:#}");
                self.failed.insert(peer, format!("{error:#}"));
            }
        }
        Ok(())
    }

    /// The run of each peer whose `figure` is highest; the best peer first.
    pub(crate) fn best(&self, figure: impl Fn(&T) -> f64) -> Vec<(&'static str, Best<'_, T>)> {
        let mut best = Vec::new();
        for (peer, runtimes) in &self.peers {
            let candidates = runtimes.iter().flat_map(|(runtime, runs)| {
                let best = move |run| Best { runtime, run, runs };
                runs.iter().map(best)
            });
            let winner = candidates.max_by(|a, b| figure(a.run).total_cmp(&figure(b.run)));
            best.extend(winner.map(|winner| (*peer, winner)));
        }
        best.sort_by(|a, b| figure(b.1.run).total_cmp(&figure(a.1.run)));
        best
    }

    /// Every single run, by peer and runtime.
    pub(crate) fn every_run(&self, figure: impl Fn(&T) -> f64, digits: i32) -> Value {
        let mut all = Map::new();
        for (peer, runtimes) in &self.peers {
            let mut by_runtime = Map::new();
            for (runtime, runs) in runtimes {
                let runs = runs.iter().map(|run| rounded(figure(run), digits));
                by_runtime.insert((*runtime).to_owned(), runs.collect());
            }
            all.insert((*peer).to_owned(), by_runtime.into());
        }
        all.into()
    }

    /// Peers that failed, with the last reason.
    pub(crate) fn failed(&self) -> Value {
        json!(self.failed)
    }
}

/// One figure of each peer's best run.
pub(crate) fn of_best<T>(
    best: &[(&'static str, Best<'_, T>)],
    figure: impl Fn(&T) -> f64,
) -> BTreeMap<&'static str, f64> {
    best.iter()
        .map(|(peer, best)| (*peer, figure(best.run)))
        .collect()
}

/// The runtime of each peer's best run.
pub(crate) fn runtimes<T>(best: &[(&'static str, Best<'_, T>)]) -> Value {
    let runtimes: BTreeMap<_, _> = best
        .iter()
        .map(|(peer, best)| (*peer, best.runtime))
        .collect();
    json!(runtimes)
}

/// The highest; 0 of none.
pub(crate) fn highest(figures: impl Iterator<Item = f64>) -> f64 {
    figures.fold(0.0, f64::max)
}

/// Ours by the best other, `null` without one. `best` chooses of two.
pub(crate) fn ratio(
    figures: &BTreeMap<&'static str, f64>,
    best: impl Fn(f64, f64) -> f64,
) -> Value {
    let others = figures.iter().filter(|(peer, _)| **peer != OURS);
    let other = others.map(|(_, figure)| *figure).reduce(best);
    match (figures.get(OURS), other) {
        (Some(ours), Some(other)) if other > 0.0 => rounded(ours / other, 3),
        _ => Value::Null,
    }
}

/// Figures by peer, as JSON.
pub(crate) fn by_peer(figures: &BTreeMap<&'static str, f64>, digits: i32) -> Value {
    let entries = figures.iter();
    entries
        .map(|(peer, figure)| ((*peer).to_owned(), rounded(*figure, digits)))
        .collect::<Map<_, _>>()
        .into()
}

/// A number without digits that mean nothing.
pub(crate) fn rounded(figure: f64, digits: i32) -> Value {
    let scale = 10_f64.powi(digits);
    let figure = (figure * scale).round() / scale;
    #[expect(clippy::cast_possible_truncation, reason = "events per second fit")]
    if digits == 0 {
        json!(figure as i64)
    } else {
        json!(figure)
    }
}
