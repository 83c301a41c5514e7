//! Filling the hopper.

use sqlx::PgConnection;
use strowger_core::{
    compliance::{Channel, OwnRules, PackId, Packs, Purpose},
    ids::CampaignId,
    lists::{
        filter::{self, Facts, Filter, Quota},
        order::{DialOrder, local_hour},
        share::{interleave, shares},
    },
    time::{Timestamp, after},
};

use super::{ASIDE, Filled, LEASE_S, split_zones, tend};
use crate::{
    Error, Store,
    convert::{parse, timestamp, uint, utc},
};

/// Contacts that one fill looks at, at most: what filters leave out is marked as it goes, so
/// that the next fill begins where this one stopped.
const EXAMINED: usize = 5_000;

/// Contacts looked at in one step after filters have left some out.
const STEP: usize = 500;

/// Index entries fetched in one step over all zones.
const WIDTH: usize = 5_000;

/// What a campaign says about choosing contacts.
pub(super) struct Choice {
    pub(super) order: DialOrder,
    pub(super) filters: Vec<Filter>,
    pub(super) quotas: Vec<Quota>,
    pub(super) version: i32,
    hopper_min: u32,
    packs: Vec<PackId>,
    own: OwnRules,
    purpose: Purpose,
    /// Contacts in the hopper, and those of them whose lease is over.
    there: i64,
    over: i64,
    /// Some contact that waited is due.
    is_due: bool,
}

impl Choice {
    pub(super) async fn load(
        db: &mut PgConnection,
        campaign: &CampaignId,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let row = sqlx::query!(
            r#"SELECT c.dial_order, c.filters, c.filters_version, c.hopper_min, c.mode, c.activity, c.packs, c.schedule,
                      (SELECT coalesce(jsonb_agg(to_jsonb(q) - 'id' - 'campaign_id'), '[]')
                       FROM quotas q WHERE q.campaign_id = c.id AND c.quotas_enabled) AS "quotas!",
                      h.there AS "there!", h.over AS "over!",
                      EXISTS (SELECT 1 FROM contacts w WHERE w.campaign_id = c.id AND w.status = 'waiting'
                                  AND w.next_attempt_at <= $2) AS "is_due!"
               FROM campaigns c
               CROSS JOIN LATERAL (
                 SELECT count(*) AS there, count(*) FILTER (WHERE leased_until <= $2) AS over
                 FROM hopper WHERE campaign_id = c.id
               ) h
               WHERE c.id = $1"#,
            campaign.as_str(),
            utc(now)
        )
        .fetch_optional(db)
        .await?
        .ok_or(Error::Missing { what: "campaign" })?;
        Ok(Self {
            order: parse("campaigns.dial_order", &row.dial_order)?,
            filters: value("campaigns.filters", row.filters)?,
            quotas: value("quotas", row.quotas)?,
            version: row.filters_version,
            hopper_min: uint(row.hopper_min),
            packs: row.packs.into_iter().map(PackId).collect(),
            own: value("campaigns.schedule", row.schedule)?,
            purpose: Purpose {
                campaign: campaign.clone(),
                activity: value("campaigns.activity", row.activity.into())?,
                channel: match row.mode.as_str() {
                    "broadcast" => Channel::Prerecorded,
                    _ => Channel::Voice,
                },
                automated: !matches!(row.mode.as_str(), "preview" | "manual"),
            },
            there: row.there,
            over: row.over,
            is_due: row.is_due,
        })
    }

    pub(super) fn leaves_out(&self, facts: &Facts<'_>) -> bool {
        filter::leaves_out(&self.filters, &self.quotas, facts)
    }

    fn open(&self, packs: &Packs, zones: &[&str], now: Timestamp) -> Result<(), Timestamp> {
        packs.window_open(&self.packs, &self.own, &self.purpose, zones, now)
    }
}

fn value<T: serde::de::DeserializeOwned>(
    what: &'static str,
    value: serde_json::Value,
) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Corrupt {
        what,
        detail: error.to_string(),
    })
}

/// A contact that may be chosen, with the number that would be dialed.
pub(super) struct Candidate {
    pub(super) id: String,
    first_name: String,
    last_name: String,
    postal_code: String,
    custom_fields: serde_json::Value,
    priority: i16,
    attempts_made: i32,
    list_id: String,
    last_disposition: Option<String>,
    qualification_id: Option<String>,
    number: Option<String>,
    position: Option<i16>,
    number_type: Option<String>,
    zones: String,
}

impl Candidate {
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            first_name: &self.first_name,
            last_name: &self.last_name,
            postal_code: &self.postal_code,
            priority: u8::try_from(self.priority).unwrap_or(0),
            attempts: uint(self.attempts_made),
            list: &self.list_id,
            number_type: self.number_type.as_deref().unwrap_or("other"),
            number: self.number.as_deref().unwrap_or_default(),
            zones: &self.zones,
            last_disposition: self.last_disposition.as_deref(),
            qualification: self.qualification_id.as_deref(),
            custom: &self.custom_fields,
        }
    }
}

impl Store {
    /// Brings the hopper of a campaign up to `want` contacts, or to its own least number when that
    /// is more. Zones in which the campaign and its packs do not allow calls now are passed over.
    ///
    /// Fills of one campaign wait for one another. A contact is in the hopper once.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such campaign.
    pub async fn fill_hopper(
        &self,
        campaign: &CampaignId,
        want: u32,
        packs: &Packs,
        now: Timestamp,
    ) -> Result<Filled, Error> {
        let mut tx = self.pool.begin().await?;
        // A hopper that is lost is filled again: nobody has to wait for the disk. Contacts leave the
        // hopper as fast as they come: a bitmap scan would look at all that have left it since the
        // last vacuum, an index scan passes over those once seen.
        sqlx::query(
            "SELECT pg_advisory_xact_lock(hashtextextended('hopper ' || $1, 0)),
                    set_config('synchronous_commit', 'off', true), set_config('enable_bitmapscan', 'off', true)",
        )
        .bind(campaign.as_str())
        .execute(&mut *tx)
        .await?;
        let choice = Choice::load(&mut tx, campaign, now).await?;
        if choice.over > 0 {
            tend::expire_leases(&mut tx, campaign, now, ASIDE).await?;
        }
        if choice.is_due {
            tend::promote(&mut tx, campaign, now, ASIDE).await?;
        }
        let there = u32::try_from(choice.there - choice.over).unwrap_or(u32::MAX);
        let want = want.max(choice.hopper_min).saturating_sub(there);
        if want == 0 {
            tx.commit().await?;
            let next_due = Some(now);
            return Ok(Filled { added: 0, next_due });
        }
        let mut fill = Fill {
            campaign,
            choice: &choice,
            packs,
            now,
            examined: 0,
            opens_at: None,
            chosen: Vec::new(),
        };
        let added = fill.run(&mut tx, want).await?;
        let next_due = if added == want || fill.examined >= EXAMINED {
            Some(now)
        } else {
            earliest(
                fill.opens_at,
                next_due(&mut tx, campaign, &choice, now).await?,
            )
        };
        tx.commit().await?;
        Ok(Filled { added, next_due })
    }
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    [one, other].into_iter().flatten().min()
}

struct Fill<'a> {
    campaign: &'a CampaignId,
    choice: &'a Choice,
    packs: &'a Packs,
    now: Timestamp,
    examined: usize,
    /// When the first of the closed windows opens.
    opens_at: Option<Timestamp>,
    /// The ids of those chosen so far.
    chosen: Vec<String>,
}

/// Where a fill stands in one list.
struct Walk {
    list: String,
    weight: u32,
    /// Zones whose window is open, with the hour there.
    zones: Vec<(String, u8)>,
    /// How many stretches of ranks are walked to their end.
    stretch: usize,
    used_up: bool,
    taken: Vec<Candidate>,
}

impl Fill<'_> {
    async fn run(&mut self, db: &mut PgConnection, want: u32) -> Result<u32, Error> {
        let keys = tend::zone_keys(db, self.campaign).await?;
        let mut added = 0;
        for level in keys.chunk_by(|one, other| one.priority == other.priority) {
            let mut walks: Vec<Walk> = level
                .chunk_by(|one, other| one.list_id == other.list_id)
                .filter_map(|list| self.begin(list))
                .collect();
            self.walk_level(db, &mut walks, want - added).await?;
            let chosen = interleave(walks.into_iter().map(|walk| walk.taken).collect());
            added += u32::try_from(chosen.len()).unwrap_or(u32::MAX);
            let priority = level.first().map_or(0, |list| list.priority);
            self.insert(db, &chosen, priority).await?;
            if added >= want || self.examined >= EXAMINED {
                break;
            }
        }
        Ok(added)
    }

    /// A walk through the zones of a list whose window is open; the others are asked for when
    /// they open.
    fn begin(&mut self, keys: &[tend::ZoneKey]) -> Option<Walk> {
        let first = keys.first()?;
        let mut zones = Vec::new();
        for key in keys {
            match self
                .choice
                .open(self.packs, &split_zones(&key.zones), self.now)
            {
                Ok(()) => zones.push((key.zones.clone(), local_hour(&key.zones, self.now))),
                Err(opens) => self.opens_at = earliest(self.opens_at, Some(opens)),
            }
        }
        Some(Walk {
            list: first.list_id.clone(),
            weight: u32::try_from(first.weight).unwrap_or(0),
            zones,
            stretch: 0,
            used_up: false,
            taken: Vec::new(),
        })
    }

    /// Takes `want` contacts from lists of one priority, by their weights. What a list that is
    /// used up does not give comes from the others.
    async fn walk_level(
        &mut self,
        db: &mut PgConnection,
        walks: &mut [Walk],
        want: u32,
    ) -> Result<(), Error> {
        loop {
            let taken: usize = walks.iter().map(|walk| walk.taken.len()).sum();
            let missing = want.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
            let weights: Vec<u32> = walks
                .iter()
                .map(|walk| if walk.used_up { 0 } else { walk.weight })
                .collect();
            if missing == 0 || self.examined >= EXAMINED || weights.iter().all(|w| *w == 0) {
                return Ok(());
            }
            for (walk, share) in walks.iter_mut().zip(shares(missing, &weights)) {
                if share > 0 {
                    self.walk(db, walk, share as usize).await?;
                }
            }
        }
    }

    /// Takes up to `share` more contacts from one list.
    async fn walk(
        &mut self,
        db: &mut PgConnection,
        walk: &mut Walk,
        share: usize,
    ) -> Result<(), Error> {
        let target = walk.taken.len() + share;
        let mut step = 0;
        while walk.taken.len() < target && self.examined < EXAMINED {
            let missing = target - walk.taken.len();
            let limit = missing.max(step);
            let Some((found, is_last)) = self.candidates(db, walk, limit).await? else {
                walk.used_up = true;
                return Ok(());
            };
            self.examined += found.len();
            walk.stretch += usize::from(is_last);
            let (mut chosen, mut left_out, mut unreachable) = (Vec::new(), Vec::new(), Vec::new());
            for candidate in found {
                if candidate.number.is_none() {
                    unreachable.push(candidate.id);
                } else if self.choice.leaves_out(&candidate.facts()) {
                    left_out.push(candidate.id);
                } else if chosen.len() < missing {
                    chosen.push(candidate);
                }
            }
            if !left_out.is_empty() {
                step = STEP;
            }
            self.mark(db, &left_out, &unreachable).await?;
            self.chosen.extend(chosen.iter().map(|one| one.id.clone()));
            walk.taken.extend(chosen);
        }
        Ok(())
    }

    /// The next contacts of a list and whether they are the last of its stretch, or none when
    /// all its stretches are walked.
    async fn candidates(
        &self,
        db: &mut PgConnection,
        walk: &Walk,
        limit: usize,
    ) -> Result<Option<(Vec<Candidate>, bool)>, Error> {
        let (mut zones, mut lows, mut highs) = (Vec::new(), Vec::new(), Vec::new());
        for (zone, hour) in &walk.zones {
            if let Some((low, high)) = self.choice.order.stretches(*hour).get(walk.stretch) {
                zones.push(zone.clone());
                lows.push(*low);
                highs.push(*high);
            }
        }
        if zones.is_empty() {
            return Ok(None);
        }
        let each = limit.min(WIDTH.div_ceil(zones.len()));
        let rows = sqlx::query_as!(
            Candidate,
            r#"SELECT c.id, c.first_name, c.last_name, c.postal_code, c.custom_fields, c.priority, c.attempts_made,
                      $2 AS "list_id!", c.last_disposition, c.qualification_id,
                      p.number AS "number?", p.position AS "position?", p.type AS "number_type?",
                      coalesce(c.time_zone, p.zones, '') AS "zones!"
               FROM (
                 SELECT found.* FROM UNNEST($3::text[], $4::bigint[], $5::bigint[]) AS z (zones, low, high)
                 CROSS JOIN LATERAL (
                   SELECT r.* FROM contacts r
                   WHERE r.campaign_id = $1 AND r.list_id = $2 AND r.status = 'ready' AND r.zones = z.zones
                     AND r.rank BETWEEN z.low AND z.high AND (r.locked_until IS NULL OR r.locked_until <= $6)
                     AND NOT EXISTS (SELECT 1 FROM hopper h WHERE h.contact_id = r.id) AND r.id <> ALL ($9::text[])
                   ORDER BY r.rank, r.id LIMIT $7
                 ) found
                 ORDER BY found.rank, found.id LIMIT $8
               ) c
               LEFT JOIN LATERAL (
                 SELECT number, position, type, zones FROM contact_phones
                 WHERE contact_id = c.id AND NOT is_dead AND blocked_by IS NULL
                 ORDER BY (position - c.next_position + 10) % 10 LIMIT 1
               ) p ON true
               ORDER BY c.rank, c.id"#,
            self.campaign.as_str(),
            walk.list,
            &zones,
            &lows,
            &highs,
            utc(self.now),
            i64::try_from(each).unwrap_or(i64::MAX),
            i64::try_from(limit).unwrap_or(i64::MAX),
            &self.chosen
        )
        .fetch_all(db)
        .await?;
        // No zone was cut short.
        let is_last = rows.len() < each;
        Ok(Some((rows, is_last)))
    }

    /// Marks contacts that the filters leave out, and those without a number that can be dialed.
    async fn mark(
        &self,
        db: &mut PgConnection,
        left_out: &[String],
        unreachable: &[String],
    ) -> Result<(), Error> {
        if !left_out.is_empty() {
            sqlx::query!(
                "UPDATE contacts SET status = 'filtered', filters_version = $2, updated_at = $3
                 WHERE id = ANY($1) AND status = 'ready'",
                left_out,
                self.choice.version,
                utc(self.now)
            )
            .execute(&mut *db)
            .await?;
        }
        if !unreachable.is_empty() {
            sqlx::query!(
                "UPDATE contacts SET status = 'exhausted', updated_at = $2 WHERE id = ANY($1) AND status = 'ready'",
                unreachable,
                utc(self.now)
            )
            .execute(db)
            .await?;
        }
        Ok(())
    }

    async fn insert(
        &self,
        db: &mut PgConnection,
        chosen: &[Candidate],
        priority: i16,
    ) -> Result<(), Error> {
        if chosen.is_empty() {
            return Ok(());
        }
        // Within a priority, first chosen is first dialed: microseconds stay below 2^52 until 2112.
        let first = (i64::from(priority) << 52) + self.now.as_microsecond();
        let column = |of: fn(&Candidate) -> &str| -> Vec<String> {
            chosen.iter().map(|one| of(one).to_owned()).collect()
        };
        let positions: Vec<i16> = chosen.iter().map(|one| one.position.unwrap_or(0)).collect();
        sqlx::query!(
            "INSERT INTO hopper (contact_id, campaign_id, list_id, position, number, zones, rank, leased_until, added_at)
             SELECT t.id, $1, t.list_id, t.position, t.number, t.zones, $7 + t.place, $8, $9
             FROM UNNEST($2::text[], $3::text[], $4::smallint[], $5::text[], $6::text[])
                 WITH ORDINALITY AS t (id, list_id, position, number, zones, place)
             ON CONFLICT (contact_id) DO NOTHING",
            self.campaign.as_str(),
            &column(|one| &one.id),
            &column(|one| &one.list_id),
            &positions,
            &column(|one| one.number.as_deref().unwrap_or("")),
            &column(|one| &one.zones),
            first,
            utc(after(self.now, LEASE_S * 1_000)),
            utc(self.now)
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// When the lists have something again that they do not have now, apart from windows.
async fn next_due(
    db: &mut PgConnection,
    campaign: &CampaignId,
    choice: &Choice,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    // An open attempt may give its contact back, a full hopper is not used up: soon.
    let soon = utc(after(now, 1_000));
    let due = sqlx::query_scalar!(
        "SELECT least(
             (SELECT min(next_attempt_at) FROM contacts WHERE campaign_id = $1 AND status = 'waiting'),
             (SELECT greatest(b.due_at, $2) FROM callbacks b JOIN contacts c ON c.id = b.contact_id
              WHERE b.campaign_id = $1 AND b.state = 'pending' AND c.status = 'callback'
              ORDER BY b.due_at LIMIT 1),
             (SELECT greatest(locked_until, $2) FROM contacts
              WHERE campaign_id = $1 AND locked_until > $3 AND status = 'ready' ORDER BY locked_until LIMIT 1),
             (SELECT $2 WHERE EXISTS (SELECT 1 FROM hopper WHERE campaign_id = $1)
                 OR EXISTS (SELECT 1 FROM attempts WHERE campaign_id = $1 AND ended_at IS NULL)
                 OR EXISTS (SELECT 1 FROM contacts WHERE campaign_id = $1 AND status = 'filtered'
                                AND filters_version < $4))
         )",
        campaign.as_str(),
        soon,
        utc(now),
        choice.version
    )
    .fetch_one(db)
    .await?;
    Ok(due.map(timestamp))
}

/// Contacts that were left out under a version of the filters before this one, with the number
/// that would be dialed.
pub(super) async fn filtered_before(
    db: &mut PgConnection,
    campaign: &CampaignId,
    version: i32,
    limit: i64,
) -> Result<Vec<Candidate>, Error> {
    Ok(sqlx::query_as!(
        Candidate,
        r#"SELECT c.id AS "id!", c.first_name AS "first_name!", c.last_name AS "last_name!",
                  c.postal_code AS "postal_code!", c.custom_fields AS "custom_fields!", c.priority AS "priority!",
                  c.attempts_made AS "attempts_made!", c.list_id AS "list_id!", c.last_disposition, c.qualification_id,
                  p.number AS "number?", p.position AS "position?", p.type AS "number_type?",
                  coalesce(c.time_zone, p.zones, '') AS "zones!"
           FROM (
             SELECT * FROM contacts WHERE campaign_id = $1 AND status = 'filtered' AND filters_version < $2
             ORDER BY filters_version, id LIMIT $3 FOR UPDATE SKIP LOCKED
           ) c
           LEFT JOIN LATERAL (
             SELECT number, position, type, zones FROM contact_phones
             WHERE contact_id = c.id AND NOT is_dead AND blocked_by IS NULL
             ORDER BY (position - c.next_position + 10) % 10 LIMIT 1
           ) p ON true"#,
        campaign.as_str(),
        version,
        limit
    )
    .fetch_all(db)
    .await?)
}
