//! Keeps the lists of running campaigns in order, and their hoppers full ahead of need: a
//! claim finds contacts that were chosen before it asks.

use std::{sync::Arc, time::Duration};

use strowger_core::{campaign::CampaignState, compliance::Packs, ids::CampaignId, time::Timestamp};
use strowger_store::{Error, Store};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How often the lists are looked at.
const EVERY: Duration = Duration::from_secs(2);

/// Contacts of each kind that one short transaction tends.
const ROWS: u32 = 500;

/// Rounds of one campaign before the next gets its turn: a million contacts with new filters
/// must not keep the others waiting.
const ROUNDS: u32 = 10;

/// Campaigns read at once.
const PAGE: u32 = 500;

/// Runs until it is stopped.
pub async fn run(
    store: Store,
    packs: Arc<Packs>,
    clock: impl Fn() -> Timestamp,
    stop: CancellationToken,
) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        match keep(&store, &packs, &clock).await {
            Ok(()) => failing = false,
            // Claims say it louder; this one says it once.
            Err(error) if failing => debug!(%error, "Cannot keep the hoppers"),
            Err(error) => {
                warn!(%error, "Cannot keep the hoppers of the campaigns full, trying again");
                failing = true;
            }
        }
    }
}

async fn keep(store: &Store, packs: &Packs, clock: &impl Fn() -> Timestamp) -> Result<(), Error> {
    let mut after: Option<CampaignId> = None;
    loop {
        let page = store.campaigns(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.settings.id.clone());
        for campaign in page {
            if campaign.state != CampaignState::Running {
                continue;
            }
            let id = &campaign.settings.id;
            for _ in 0..ROUNDS {
                let tended = store.tend_lists(id, ROWS, clock()).await?;
                if !tended.is_unfinished(ROWS) {
                    break;
                }
            }
            store.fill_hopper(id, 0, packs, clock()).await?;
        }
    }
}
