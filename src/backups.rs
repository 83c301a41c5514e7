//! Makes the backups that are due.

use std::time::Duration;

use strowger_core::time::Timestamp;
use strowger_store::backups::keeper::Keeper;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use uuid::Uuid;

/// How often it is looked whether one is due.
const EVERY: Duration = Duration::from_secs(30);

/// Runs until it is stopped. A backup that is being made then is given up: nothing is left of it,
/// and it is made at the next start.
pub async fn run(
    keeper: Keeper,
    new_id: impl Fn() -> Uuid,
    clock: impl Fn() -> Timestamp,
    stop: CancellationToken,
) {
    if let Err(error) = keeper.tidy().await {
        warn!(%error, "What an earlier run left in the directory of backups cannot be removed");
    }
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let made = tokio::select! {
            () = stop.cancelled() => return,
            made = keeper.run_due(new_id(), &clock) => made,
        };
        match made {
            Ok(_) => failing = false,
            // Once is enough: other parts say that the database is away.
            Err(error) if failing => debug!(%error, "Cannot see whether a backup is due"),
            Err(error) => {
                warn!(%error, "Cannot see whether a backup is due, or note what came of it");
                failing = true;
            }
        }
    }
}
