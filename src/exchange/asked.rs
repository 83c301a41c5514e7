//! What an agent asked for, and lists that are looked at: one answer each.

use std::sync::Arc;

use strowger_core::{
    amd::Calibration,
    ids::{AttemptId, CampaignId, TrunkId, UserId},
    switchboard::{Counted, Input, NewAttempt, Stretch, Target},
    telephony::ServerName,
    time::Timestamp,
};
use strowger_store::{Error, Store, attempts::OneRequest};
use tokio::time::sleep;
use tracing::{error, warn};

use super::{Exchange, RECOVERY_PAUSE};

/// One contact, as the switchboard asks for it.
pub(super) struct One {
    pub(super) campaign: CampaignId,
    pub(super) epoch: i64,
    pub(super) trunk: TrunkId,
    pub(super) server: ServerName,
    pub(super) agent: UserId,
    pub(super) target: Target,
}

impl Exchange {
    pub(super) fn claim_one(&self, one: One) {
        let id = AttemptId((self.new_id)());
        let (store, results, now) = (self.store.clone(), self.results.clone(), self.clock.now());
        let packs = Arc::clone(&self.packs);
        let (asked_before, mut done) = (self.writes_asked, self.writes_done.clone());
        self.tracker.spawn(async move {
            // What just ended may be what this contact waits for.
            let in_turn = done.wait_for(|done| *done >= asked_before).await.is_ok();
            if !in_turn || results.is_closed() {
                return;
            }
            let request = OneRequest {
                campaign: &one.campaign,
                epoch: one.epoch,
                trunk: &one.trunk,
                server: &one.server,
                id,
                target: &one.target,
                agent: &one.agent,
                packs: &packs,
                now,
            };
            let attempt = match store.claim_one(request).await {
                Ok(Ok(attempt)) => Ok(attempt),
                Ok(Err(refusal)) => Err(refusal.reason),
                Err(error) if error.is_transient() => {
                    warn!(campaign = %one.campaign, %error, "The answer to a claim was lost");
                    recover_one(&store, id, &one.agent).await
                }
                Err(Error::Missing { what }) => Err(format!("{what} does not exist")),
                Err(Error::Taken { .. }) => Err("the contact is in a call already".to_owned()),
                Err(error) => {
                    warn!(campaign = %one.campaign, %error, "Cannot claim a contact");
                    Err("the call could not be placed: try again in a moment".to_owned())
                }
            };
            let agent = one.agent;
            let _ = results.send(Input::ClaimedOne { agent, attempt }).await;
        });
    }

    pub(super) fn pick_contact(&self, campaign: CampaignId, agent: UserId, until: Timestamp) {
        let (store, results, now) = (self.store.clone(), self.results.clone(), self.clock.now());
        let packs = Arc::clone(&self.packs);
        let (asked_before, mut done) = (self.writes_asked, self.writes_done.clone());
        self.tracker.spawn(async move {
            // A contact that was just skipped must not come up again.
            if done.wait_for(|done| *done >= asked_before).await.is_err() {
                return;
            }
            let contact = store
                .pick_contact(&campaign, &agent, until, &packs, now)
                .await
                .inspect_err(
                    |error| error!(%campaign, %error, "Cannot choose a contact to look at"),
                )
                .unwrap_or_default();
            let _ = results.send(Input::Picked { agent, contact }).await;
        });
    }

    pub(super) fn find_pacing(
        &self,
        campaign: CampaignId,
        stretch: Option<Stretch>,
        detection_since: Timestamp,
    ) {
        let (store, results) = (self.store.clone(), self.results.clone());
        let (asked_before, mut done) = (self.writes_asked, self.writes_done.clone());
        self.tracker.spawn(async move {
            // Whoever was counted before must be written to be found.
            if done.wait_for(|done| *done >= asked_before).await.is_err() {
                return;
            }
            while !results.is_closed() {
                let found = pacing_of(&store, &campaign, stretch, detection_since).await;
                match found {
                    Ok((past, calibration)) => {
                        let found = Input::PacingFound {
                            campaign,
                            past,
                            calibration,
                        };
                        let _ = results.send(found).await;
                        return;
                    }
                    // Until it is known, the campaign dials as one that has no budget.
                    Err(error) => {
                        warn!(%campaign, %error, "Cannot read the past of a campaign, trying again");
                        sleep(RECOVERY_PAUSE).await;
                    }
                }
            }
        });
    }

    pub(super) fn look_at_list(&self, campaign: CampaignId) {
        let (store, results) = (self.store.clone(), self.results.clone());
        let (asked_before, mut done) = (self.writes_asked, self.writes_done.clone());
        self.tracker.spawn(async move {
            if done.wait_for(|done| *done >= asked_before).await.is_err() {
                return;
            }
            let used_up = store
                .list_is_used_up(&campaign)
                .await
                .inspect_err(|error| warn!(%campaign, %error, "Cannot look at a list"))
                .unwrap_or_default();
            let _ = results
                .send(Input::ListLookedAt { campaign, used_up })
                .await;
        });
    }
}

async fn pacing_of(
    store: &Store,
    campaign: &CampaignId,
    stretch: Option<Stretch>,
    detection_since: Timestamp,
) -> Result<(Vec<Counted>, Calibration), Error> {
    let past = match stretch {
        Some(stretch) => store.people_counted(campaign, stretch).await?,
        None => Vec::new(),
    };
    let calibration = store.amd_calibration(campaign, detection_since).await?;
    Ok((past, calibration))
}

/// The connection was lost: the attempt may be committed, and then it must be dialed or ended.
async fn recover_one(store: &Store, id: AttemptId, agent: &UserId) -> Result<NewAttempt, String> {
    loop {
        match store.committed_attempts(&[id]).await {
            Ok(mut attempts) => {
                let attempt = attempts.pop().map(|attempt| NewAttempt {
                    agent: Some(agent.clone()),
                    ..attempt
                });
                return attempt
                    .ok_or_else(|| "the database was away for a moment: try again".to_owned());
            }
            Err(error) => {
                warn!(%error, "Cannot ask what became of a claim, asking again");
                sleep(RECOVERY_PAUSE).await;
            }
        }
    }
}
