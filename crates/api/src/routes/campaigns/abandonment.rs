//! The abandoned call rate of a campaign, as regulators ask for it.

use axum::{Json, extract::State};
use jiff::{SignedDuration, tz::TimeZone};
use serde::{Deserialize, Serialize};
use strowger_core::{
    abandonment::{Correction, Counts, Metric, Period, Window},
    campaign::{CampaignSettings, DialingMode},
    compliance::{Channel, Duties, PackId, Purpose},
    ids::CampaignId,
    time::{Timestamp, after},
};
use utoipa::ToSchema;

use super::find;
use crate::{
    guard::{May, RunCampaigns},
    input::{Check, Path, Query},
    problem::{Problem, ProblemBody},
    reply::Data,
    state::Shared,
};

/// Longest time that is looked back on: the 31 days of the longest window of a campaign.
const MOST_HOURS: u32 = 31 * 24;

/// Over which period the rate is told.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Over {
    /// campaign: the window that the campaign has to keep; hours: the last `hours`; thirty-days: 30
    /// days, one after another from its first call on; calendar-month: this month.
    #[serde(default)]
    #[param(value_type = Option<String>, example = "campaign")]
    window: Option<String>,
    /// With `window=hours`: how many, 1 to 744.
    #[serde(default)]
    hours: Option<u32>,
    /// Whose days and months they are, an IANA name; UTC when absent.
    #[serde(default)]
    time_zone: Option<String>,
}

/// The abandoned call rate of a campaign within a period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Abandonment {
    /// The campaign.
    #[schema(value_type = String)]
    campaign_id: CampaignId,
    /// Most people abandoned, as a fraction of those who answered: that of the campaign, or of its
    /// packs when it is stricter.
    limit: f64,
    /// A person not connected within this time is abandoned: that of the campaign, or of its
    /// packs when it is stricter.
    threshold_ms: u64,
    /// The rules of its packs that were taken into account.
    rules: Vec<String>,
    /// The window: campaign, hours, thirty-days or calendar-month.
    window: &'static str,
    /// The first moment of the period.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// The first moment after it; calls placed until now are counted.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// What was counted.
    #[schema(value_type = Object)]
    counts: Counts,
    /// How people and machines were told apart.
    #[schema(value_type = Object)]
    correction: Correction,
    /// People abandoned, after the correction.
    abandoned: f64,
    /// The denominator: people who answered, after the correction, those abandoned among them.
    denominator: f64,
    /// Abandoned over the denominator, 0 when nobody answered.
    share: f64,
    /// The share is hardly above this (95 %).
    upper_bound: f64,
    /// So many more people may be abandoned within the limit; negative: by how many it is passed.
    budget_left: f64,
}

/// Tell the abandoned call rate of a campaign
///
/// People abandoned over people who answered, counted from the calls placed within the period that
/// have ended.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/abandonment", tag = "campaigns",
    params(("id" = String, Path), Over),
    responses(
        (status = 200, description = "The rate and what it comes from", body = Data<Abandonment>),
        (status = 404, description = "No such campaign", body = ProblemBody),
        (status = 422, description = "Not valid", body = ProblemBody),
    )
)]
pub(crate) async fn abandonment(
    _caller: May<RunCampaigns>,
    State(app): State<Shared>,
    Path(id): Path<CampaignId>,
    Query(over): Query<Over>,
) -> Result<Json<Data<Abandonment>>, Problem> {
    let settings = find(&app, &id).await?.settings;
    let now = app.now();
    let duties = duties(&app, &settings, now);
    let over = over.read()?;
    let store = &app.api.store;
    let window_s = stricter(settings.pacing.window_s, duties.abandon_window_s);
    let period = match &over {
        Read::Campaign => last(window_s, now),
        Read::Hours(hours) => last(hours * 3_600, now),
        Read::ThirtyDays(zone) => {
            let start = store.first_attempt_at(&id).await?.unwrap_or(now);
            Window::ThirtyDays { start }.period(now, zone)
        }
        Read::CalendarMonth(zone) => Window::CalendarMonth.period(now, zone),
    };
    let limit = stricter(settings.pacing.abandon_limit, duties.abandon_limit);
    let counts = store.abandonment_counts(&id, period).await?;
    let detects = settings.amd && settings.mode.dials_by_itself();
    let heard = store.heard_by_agents(&id, detects, period.from).await?;
    let correction = Correction::of(detects, &heard.estimate());
    let metric = Metric::of(counts, correction, limit);
    Ok(Data::of(Abandonment {
        campaign_id: id,
        limit,
        threshold_ms: threshold(&settings, &duties),
        rules: duties.rules,
        window: over.name(),
        from: period.from,
        to: period.to,
        counts,
        correction,
        abandoned: metric.abandoned,
        denominator: metric.answered,
        share: metric.rate,
        upper_bound: metric.upper_bound,
        budget_left: metric.budget_left,
    }))
}

/// A period that was asked for.
enum Read {
    Campaign,
    Hours(u32),
    ThirtyDays(TimeZone),
    CalendarMonth(TimeZone),
}

impl Read {
    const fn name(&self) -> &'static str {
        match self {
            Self::Campaign => "campaign",
            Self::Hours(_) => "hours",
            Self::ThirtyDays(_) => "thirty-days",
            Self::CalendarMonth(_) => "calendar-month",
        }
    }
}

impl Over {
    fn read(self) -> Result<Read, Problem> {
        let mut check = Check::default();
        let zone = match &self.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).unwrap_or_else(|_| {
                check.wrong(
                    "time_zone",
                    "there is no such zone; write it as Europe/Paris",
                );
                TimeZone::UTC
            }),
        };
        let hours = self.hours.unwrap_or(24);
        check.range("hours", &hours, &(1..=MOST_HOURS));
        let read = match self.window.as_deref() {
            None | Some("campaign") => Read::Campaign,
            Some("hours") => Read::Hours(hours),
            Some("thirty-days") => Read::ThirtyDays(zone),
            Some("calendar-month") => Read::CalendarMonth(zone),
            Some(_) => {
                check.wrong(
                    "window",
                    "it is campaign, hours, thirty-days or calendar-month",
                );
                Read::Campaign
            }
        };
        check.done()?;
        Ok(read)
    }
}

/// The last so many seconds; what happens now is within.
fn last(seconds: u32, now: Timestamp) -> Period {
    let from = now.checked_sub(SignedDuration::from_secs(i64::from(seconds)));
    Period {
        from: from.unwrap_or(Timestamp::MIN),
        to: after(now, 1),
    }
}

fn stricter<T: PartialOrd>(own: T, duty: Option<T>) -> T {
    match duty {
        Some(duty) if duty < own => duty,
        Some(_) | None => own,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few seconds"
)]
fn threshold(settings: &CampaignSettings, duties: &Duties) -> u64 {
    let duty = duties.threshold_s.map(|seconds| (seconds * 1_000.0) as u64);
    stricter(settings.abandon_after_ms, duty)
}

fn duties(app: &Shared, settings: &CampaignSettings, now: Timestamp) -> Duties {
    let packs: Vec<PackId> = settings.packs.iter().cloned().map(PackId).collect();
    let purpose = Purpose {
        campaign: settings.id.clone(),
        activity: settings.activity,
        channel: if settings.mode == DialingMode::Broadcast {
            Channel::Prerecorded
        } else {
            Channel::Voice
        },
        automated: settings.mode.dials_by_itself(),
    };
    app.api.packs.duties(&packs, &purpose, now)
}
