//! What pacing must know of the past of a campaign.

use strowger_core::{
    disposition::Disposition,
    ids::CampaignId,
    switchboard::{Counted, Stretch},
    time::{Timestamp, after},
};

use crate::{
    Error, Store,
    convert::{timestamp, utc},
};

/// Width of the stretches that people are counted in, in seconds: half a day has 144 of them.
const WIDTH_S: u32 = 300;

impl Store {
    /// How many people answered the calls of a campaign within a stretch of time, how many of
    /// them got no agent in time, and how many calls were taken for a machine's. At most one row
    /// for each five minutes, in order; an index holds all that is read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn people_counted(
        &self,
        campaign: &CampaignId,
        stretch: Stretch,
    ) -> Result<Vec<Counted>, Error> {
        let rows = sqlx::query!(
            r#"WITH answered AS (
                 SELECT answered_at, coalesce(bridged_at, ended_at) AS decided_at, late,
                     late IS NULL AND disposition = $6 AS machine
                 FROM attempts
                 WHERE campaign_id = $1 AND answered_at >= $2 AND answered_at < $3
                     AND (bridged_at <= $4 OR ended_at <= $4)
             ), counted AS (
                 SELECT answered_at AS at, (late IS NOT NULL)::integer AS people, 0 AS late,
                     coalesce(machine, false)::integer AS machines
                 FROM answered WHERE late IS NOT NULL OR machine
                 UNION ALL
                 SELECT decided_at, 0, 1, 0 FROM answered WHERE late
             )
             SELECT date_bin(make_interval(secs => $5), at, 'epoch') AS "from!", sum(people) AS "people!",
                 sum(late) AS "late!", sum(machines) AS "machines!"
             FROM counted GROUP BY 1 ORDER BY 1"#,
            campaign.as_str(),
            utc(stretch.from),
            utc(stretch.to),
            utc(stretch.until),
            f64::from(WIDTH_S),
            Disposition::AnsweredMachine.as_str()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let from: Timestamp = timestamp(row.from);
                Counted {
                    from,
                    until: after(from, u64::from(WIDTH_S) * 1_000),
                    people: count(row.people),
                    late: count(row.late),
                    machines: count(row.machines),
                }
            })
            .collect())
    }
}

fn count(rows: i64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}
