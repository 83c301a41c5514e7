//! `strowger ledger verify` and `strowger ledger heads`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::json;
use strowger_core::ledger::Hash;
use strowger_store::{
    Store,
    ledger::{ChainHead, Verification},
};

use crate::{
    config::Config,
    daemon::{Database, Purpose},
};

/// What to do with the dial ledger.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Read every row again and name those that were altered, removed, inserted or moved.
    ///
    /// Ends with 1 when there is one.
    Verify {
        /// Only the chain of this campaign.
        #[arg(long)]
        campaign: Option<String>,
        /// Ends of chains that were kept outside, as `strowger ledger heads` prints them.
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the end of each chain. Kept where nobody can change it, it finds a chain that was
    /// rewritten as a whole.
    Heads {
        /// Only the chain of this campaign.
        #[arg(long)]
        campaign: Option<String>,
    },
}

/// Carries it out.
///
/// # Errors
/// When the database cannot be read, or a row is not as it was written.
pub async fn run(config: Config, command: Command) -> anyhow::Result<()> {
    let kept = match &command {
        Command::Verify {
            heads: Some(path), ..
        } => read_heads(path)?,
        Command::Verify { .. } | Command::Heads { .. } => Vec::new(),
    };
    let database = Database::open(&config, Purpose::OneCommand, config.database.migrate).await?;
    let done = carry_out(&database.store, command, &kept).await;
    database.close().await;
    done
}

async fn carry_out(store: &Store, command: Command, kept: &[ChainHead]) -> anyhow::Result<()> {
    match command {
        Command::Heads { campaign } => {
            for head in store.ledger_heads(campaign.as_deref()).await? {
                print(&format!("{} {} {}", head.chain, head.seq, head.hash));
            }
            Ok(())
        }
        Command::Verify { campaign, json, .. } => {
            let found = store.verify_ledger(campaign.as_deref(), kept).await?;
            print(&if json {
                as_json(&found)
            } else {
                as_text(&found)
            });
            if found.fault_count > 0 {
                bail!("the ledger is not as it was written");
            }
            Ok(())
        }
    }
}

fn as_text(found: &Verification) -> String {
    let mut text: Vec<String> = found.faults.iter().map(ToString::to_string).collect();
    let listed = u64::try_from(found.faults.len()).unwrap_or(u64::MAX);
    if found.fault_count > listed {
        text.push(format!("and {} more", found.fault_count - listed));
    }
    let outcome = if found.fault_count == 0 {
        "as they were written"
    } else {
        "NOT as they were written"
    };
    text.push(format!(
        "{} rows in {} chains: {outcome}",
        found.rows, found.chains
    ));
    text.join("\n")
}

fn as_json(found: &Verification) -> String {
    let faults: Vec<_> = found
        .faults
        .iter()
        .map(|fault| {
            json!({ "chain": fault.chain, "seq": fault.seq, "problem": fault.problem.word(),
                "text": fault.to_string() })
        })
        .collect();
    json!({ "intact": found.fault_count == 0, "chains": found.chains, "rows": found.rows,
        "fault_count": found.fault_count, "faults": faults })
    .to_string()
}

/// What `heads` printed.
fn read_heads(path: &std::path::Path) -> anyhow::Result<Vec<ChainHead>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            read_head(line).with_context(|| {
                format!(
                    "{}, line {number}: write the chain, the row and the hash, as `strowger ledger heads` prints them",
                    path.display()
                )
            })
        })
        .collect()
}

fn read_head(line: &str) -> anyhow::Result<ChainHead> {
    let parts: Vec<&str> = line.split_whitespace().collect();
    let [chain, seq, hash] = parts.as_slice() else {
        bail!("it has {} words instead of 3", parts.len());
    };
    Ok(ChainHead {
        chain: (*chain).to_owned(),
        seq: seq.parse().context("the row is not a number")?,
        hash: hash.parse::<Hash>().map_err(anyhow::Error::msg)?,
    })
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn print(text: &str) {
    println!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed_and_anything_else_says_what_is_wrong() {
        let hash = "ab".repeat(32);
        let head = read_head(&format!("campaign-1 17 {hash}")).unwrap();
        assert_eq!((head.chain.as_str(), head.seq), ("campaign-1", 17));
        assert_eq!(head.hash.to_string(), hash);
        for line in ["campaign-1 17", "campaign-1 x ab", "campaign-1 17 ab"] {
            assert!(read_head(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_fault_is_told_in_words_and_to_programs() {
        let found = Verification {
            chains: 1,
            rows: 9,
            faults: vec![strowger_core::ledger::Fault {
                chain: "c".to_owned(),
                seq: 4,
                problem: strowger_core::ledger::Problem::Altered,
            }],
            fault_count: 3,
        };
        let text = as_text(&found);
        assert!(text.starts_with("chain c, row 4: it was altered"), "{text}");
        assert!(text.contains("and 2 more"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&as_json(&found)).unwrap();
        assert_eq!(json["intact"], false);
        assert_eq!(json["faults"][0]["problem"], "altered");
    }
}
