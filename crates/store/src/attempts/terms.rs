//! What a campaign says about whom it may dial.

use sqlx::PgConnection;
use strowger_core::{
    compliance::{Channel, OwnRules, PackId, Purpose},
    ids::CampaignId,
    phone::PhoneNumber,
};

use crate::{
    Error,
    convert::{read, read_json, word},
};

/// The rules that a campaign goes by.
pub(super) struct Terms {
    pub(super) purpose: Purpose,
    pub(super) selected: Vec<PackId>,
    pub(super) own: OwnRules,
    /// The number that it shows when none is chosen from a pool.
    pub(super) caller_id: Option<PhoneNumber>,
    /// The word of the purpose's activity in tables.
    pub(super) activity: String,
}

impl Terms {
    /// Reads them, and makes a change of runner wait for this transaction, and this for it.
    pub(super) async fn lock(
        db: &mut PgConnection,
        campaign: &CampaignId,
        epoch: i64,
    ) -> Result<Self, Error> {
        let row = sqlx::query!(
            "SELECT epoch, mode, activity, packs, schedule, caller_id FROM campaigns
             WHERE id = $1 AND state = 'running' FOR SHARE",
            campaign.as_str()
        )
        .fetch_optional(db)
        .await?
        .filter(|row| row.epoch == epoch)
        .ok_or(Error::Stale)?;
        Self::of(
            campaign,
            &row.mode,
            row.activity,
            row.packs,
            row.schedule,
            row.caller_id,
        )
    }

    /// Reads them, whether the campaign runs or not.
    pub(super) async fn read(db: &mut PgConnection, campaign: &CampaignId) -> Result<Self, Error> {
        let row = sqlx::query!(
            "SELECT mode, activity, packs, schedule, caller_id FROM campaigns WHERE id = $1",
            campaign.as_str()
        )
        .fetch_optional(db)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        Self::of(
            campaign,
            &row.mode,
            row.activity,
            row.packs,
            row.schedule,
            row.caller_id,
        )
    }

    fn of(
        campaign: &CampaignId,
        mode: &str,
        activity: String,
        packs: Vec<String>,
        schedule: serde_json::Value,
        caller_id: Option<String>,
    ) -> Result<Self, Error> {
        let channel = match mode {
            "broadcast" => Channel::Prerecorded,
            _ => Channel::Voice,
        };
        Ok(Self {
            purpose: Purpose {
                campaign: campaign.clone(),
                activity: word("campaigns.activity", activity.clone())?,
                channel,
                automated: !matches!(mode, "preview" | "manual"),
            },
            selected: packs.into_iter().map(PackId).collect(),
            own: read_json("campaigns.schedule", schedule)?,
            caller_id: caller_id
                .map(|number| read("campaigns.caller_id", number))
                .transpose()?,
            activity,
        })
    }
}
