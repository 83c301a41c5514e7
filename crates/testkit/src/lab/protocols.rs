//! The protocol crates against a real Asterisk: every statement that they make about the
//! server, tried on it. The same checks run on every version; what a version lacks is
//! skipped and said.

mod async_agi;
mod bench;
mod calls;
mod commands;
mod desk;
mod fast_agi;
mod journal;
mod lanes;
mod link;
mod lists;
mod losses;
mod media;
mod queues;
mod report;
mod servers;
mod subscriptions;
mod transfers;
mod variables;

use serde_json::Value;

use super::Asterisk;
use bench::Bench;
use report::Report;

/// Tries everything, or the checks whose name contains `only`.
///
/// # Errors
/// When the lab cannot be used at all; a check that fails is in the report.
pub async fn protocols(asterisk: &Asterisk, only: Option<String>) -> anyhow::Result<Value> {
    let mut report = Report::new(asterisk.version().await?, only);
    let bench = Bench::new(asterisk.clone()).await?;
    link::check(&bench, &mut report).await;
    lists::check(&bench, &mut report).await;
    calls::check(&bench, &mut report).await;
    transfers::check(&bench, &mut report).await;
    media::check(&bench, &mut report).await;
    queues::check(&bench, &mut report).await;
    subscriptions::check(&bench, &mut report).await;
    fast_agi::check(&bench, &mut report).await;
    servers::check(&bench, &mut report).await;
    variables::check(&bench, &mut report).await;
    commands::check(&bench, &mut report).await;
    async_agi::check(&bench, &mut report).await;
    lanes::check(&bench, &mut report).await;
    // Last, since a restart ends every call.
    losses::check(&bench, &mut report).await;
    bench.stop().await;
    Ok(report.into_json(bench.figures()))
}
