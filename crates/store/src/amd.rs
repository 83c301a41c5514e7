//! What was seen of machine detection and of abandoned calls, counted from the attempts.

use strowger_core::{
    abandonment::{Counts, Period},
    amd::Calibration,
    disposition::Disposition,
    ids::CampaignId,
    telephony::Amd,
    time::Timestamp,
};

use crate::{
    Error, Store,
    convert::{timestamp, utc},
};

impl Store {
    /// What agents said of the verdicts of machine detection, for attempts of a campaign since a
    /// moment.
    ///
    /// # Errors
    /// When the database fails, or [`Error::Corrupt`] for a verdict that no version writes.
    pub async fn amd_calibration(
        &self,
        campaign: &CampaignId,
        since: Timestamp,
    ) -> Result<Calibration, Error> {
        self.heard_by_agents(campaign, true, since).await
    }

    /// What agents said of the calls that machine detection looked at, or, when `detected` is
    /// false, of those that it did not: these were all let through.
    ///
    /// Of the calls taken for machines only the audited ones count as heard: what somebody noted
    /// later of another one is no fair sample.
    ///
    /// # Errors
    /// When the database fails, or [`Error::Corrupt`] for a verdict that no version writes.
    pub async fn heard_by_agents(
        &self,
        campaign: &CampaignId,
        detected: bool,
        since: Timestamp,
    ) -> Result<Calibration, Error> {
        let rows = sqlx::query!(
            r#"SELECT coalesce(amd, 'not-sure') AS "amd!",
                    CASE WHEN amd = 'machine' AND NOT amd_audited THEN NULL ELSE was_machine END AS was_machine,
                    count(*) AS "count!"
             FROM attempts
             WHERE campaign_id = $1 AND created_at >= $2
               AND CASE WHEN $3 THEN amd IS NOT NULL ELSE amd IS NULL AND was_machine IS NOT NULL END
             GROUP BY 1, 2"#,
            campaign.as_str(),
            utc(since),
            detected
        )
        .fetch_all(&self.pool)
        .await?;
        let mut calibration = Calibration::default();
        for row in rows {
            calibration.observe_many(verdict(&row.amd)?, row.was_machine, count(row.count));
        }
        Ok(calibration)
    }

    /// When the first call of a campaign was placed; none when none was.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn first_attempt_at(
        &self,
        campaign: &CampaignId,
    ) -> Result<Option<Timestamp>, Error> {
        let first = sqlx::query_scalar!(
            "SELECT created_at FROM attempts WHERE campaign_id = $1 ORDER BY created_at LIMIT 1",
            campaign.as_str()
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(first.map(timestamp))
    }

    /// What the abandoned call rate of a campaign is computed from: its attempts that were placed
    /// within a period and have ended.
    ///
    /// A call that an agent heard and found a machine is counted nowhere; one of which the agent
    /// said nothing counts as a person's. One that was taken for a machine and audited counts as
    /// served only when the agent found a person: most are machines.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn abandonment_counts(
        &self,
        campaign: &CampaignId,
        period: Period,
    ) -> Result<Counts, Error> {
        let row = sqlx::query!(
            r#"SELECT
                 count(*) FILTER (WHERE disposition IN ($4, $5) AND NOT coalesce(was_machine, amd_audited)) AS "served!",
                 count(*) FILTER (WHERE disposition = $6) AS "abandoned!",
                 count(*) FILTER (WHERE disposition = $7) AS "machine_verdicts!"
             FROM attempts WHERE campaign_id = $1 AND created_at >= $2 AND created_at < $3"#,
            campaign.as_str(),
            utc(period.from),
            utc(period.to),
            Disposition::AnsweredHuman.as_str(),
            Disposition::AnsweredHangup.as_str(),
            Disposition::Abandoned.as_str(),
            Disposition::AnsweredMachine.as_str()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Counts {
            served: count(row.served),
            abandoned: count(row.abandoned),
            machine_verdicts: count(row.machine_verdicts),
        })
    }
}

fn count(rows: i64) -> u64 {
    u64::try_from(rows).unwrap_or(0)
}

fn verdict(text: &str) -> Result<Amd, Error> {
    match text {
        "human" => Ok(Amd::Human),
        "machine" => Ok(Amd::Machine),
        "not-sure" => Ok(Amd::NotSure),
        other => Err(Error::Corrupt {
            what: "attempts.amd",
            detail: other.to_owned(),
        }),
    }
}
