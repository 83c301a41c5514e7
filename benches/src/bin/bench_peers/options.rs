//! The command line.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Events of the manager interface.
    Ami,
    /// FastAGI sessions.
    Agi,
    /// Our client while its owner sleeps.
    Stall,
}

/// The command line, with its defaults.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) parts: Vec<Part>,
    /// Peers to measure beside ours; empty for all.
    pub(crate) peers: Vec<String>,
    pub(crate) runs: usize,
    pub(crate) quick: bool,
    pub(crate) json: bool,
    /// The recording.
    pub(crate) events: PathBuf,
    /// Holds `python/` and `node/` with the programs of the peers.
    pub(crate) sources: PathBuf,
    /// Holds `venv/` and `node_modules/`.
    pub(crate) cache: PathBuf,
}

impl Options {
    pub(crate) fn from_env() -> anyhow::Result<Self> {
        use lexopt::prelude::{Long, ValueExt as _};
        let mut options = Self {
            parts: vec![Part::Ami, Part::Agi, Part::Stall],
            peers: Vec::new(),
            runs: 0,
            quick: false,
            json: false,
            events: PathBuf::new(),
            sources: PathBuf::new(),
            cache: PathBuf::new(),
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("only") => options.parts = vec![part(&parser.value()?.string()?)?],
                Long("peers") => {
                    let peers = parser.value()?.string()?;
                    options.peers = peers.split(',').map(str::to_owned).collect();
                }
                Long("runs") => {
                    options.runs = parser.value()?.parse()?;
                    ensure!(options.runs > 0, "--runs takes a number from 1");
                }
                Long("quick") => options.quick = true,
                Long("json") => options.json = true,
                Long("events") => options.events = parser.value()?.into(),
                Long("sources") => options.sources = parser.value()?.into(),
                Long("cache") => options.cache = parser.value()?.into(),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.runs == 0 {
            options.runs = if options.quick { 1 } else { 3 };
        }
        options.check_peers()?;
        Ok(options)
    }

    /// A misspelt peer would silently not be measured.
    fn check_peers(&self) -> anyhow::Result<()> {
        let known = [crate::ami::PEERS, crate::agi::PEERS].concat();
        for peer in &self.peers {
            ensure!(
                known.contains(&peer.as_str()),
                "unknown peer {peer}; known: {}",
                known.join(", ")
            );
        }
        Ok(())
    }

    /// Whether this peer is to be measured.
    pub(crate) fn wants(&self, peer: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == peer)
    }

    /// The path of one of our own programs.
    pub(crate) fn program(name: &str) -> anyhow::Result<PathBuf> {
        let this = std::env::current_exe().context("cannot find the benchmark programs")?;
        Ok(this.with_file_name(name))
    }
}

fn part(name: &str) -> anyhow::Result<Part> {
    Ok(match name {
        "ami" => Part::Ami,
        "agi" => Part::Agi,
        "stall" => Part::Stall,
        other => bail!("--only takes ami, agi or stall, not {other}"),
    })
}
