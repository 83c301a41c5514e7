//! Writes, in order, until the database has them.

use std::time::Duration;

use strowger_core::record::Write;
use strowger_store::Store;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tracing::{error, warn};

/// Writes of one transaction.
const BATCH: usize = 256;

/// Longest pause between two tries while the database is away.
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// Carries writes out until the exchange is gone and the last one is durable; `done` counts them.
pub(super) async fn run(store: Store, mut queue: mpsc::Receiver<Write>, done: watch::Sender<u64>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        apply(&store, &batch).await;
        done.send_modify(|done| *done += batch.len() as u64);
        batch.clear();
    }
}

async fn apply(store: &Store, batch: &[Write]) {
    let mut pause = Duration::from_millis(50);
    loop {
        match store.apply(batch).await {
            Ok(()) => return,
            Err(error) if error.is_transient() => {
                warn!(%error, waiting = batch.len(), "Cannot write, trying again");
                metrics::counter!("strowger_store_retries_total").increment(1);
                sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            // One of them cannot be written at all: the others must not be lost for it.
            Err(error) if batch.len() > 1 => {
                warn!(%error, "A batch was refused, writing one by one");
                for write in batch {
                    Box::pin(apply(store, std::slice::from_ref(write))).await;
                }
                return;
            }
            Err(error) => {
                error!(%error, write = ?batch.first(), "A write was refused by the database and is lost");
                metrics::counter!("strowger_store_refused_total").increment(1);
                return;
            }
        }
    }
}
