//! How many agents and lines may be used at once, and until when.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use strowger_core::{limits::Limits, switchboard::Command};
use strowger_store::settings::LIMITS;
use utoipa::ToSchema;

use super::{keep, value};
use crate::{
    guard::{EditSettings, May},
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    reply::Data,
    state::{App, Shared},
};

/// Largest limit: more than one daemon serves.
const MOST: u32 = 1_000_000;

/// What is limited.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsBody {
    /// Most agents who are logged in at a station at once, 1 to 1,000,000; null for any number.
    pub(crate) max_agents: Option<u32>,
    /// Most outbound lines at once, those that ring among them, 1 to 1,000,000; null for any number.
    pub(crate) max_lines: Option<u32>,
    /// The last day, in UTC, on which an agent logs in; null for ever.
    #[schema(example = "2027-12-31")]
    pub(crate) active_until: Option<String>,
}

/// What is limited, and what is used of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LimitsView {
    /// Most agents who are logged in at a station at once; null for any number.
    max_agents: Option<u32>,
    /// Most outbound lines at once, those that ring among them; null for any number.
    max_lines: Option<u32>,
    /// The last day, in UTC, on which an agent logs in; null for ever.
    #[schema(example = "2027-12-31")]
    active_until: Option<String>,
    /// Agents who are logged in.
    pub(crate) agents: usize,
    /// Outbound lines that are open, as of the last second.
    pub(crate) lines: usize,
}

impl LimitsBody {
    fn check(self) -> Result<Limits, Problem> {
        let mut check = Check::default();
        for (field, most) in [
            ("max_agents", &self.max_agents),
            ("max_lines", &self.max_lines),
        ] {
            if let Some(most) = most {
                check.range(field, most, &(1..=MOST));
            }
        }
        let last = self.active_until.map(|day| {
            let day = day.parse();
            day.map_err(|_| "must be a day as in 2027-12-31")
        });
        let active_until = last.and_then(|day| check.ok("active_until", day));
        check.done()?;
        Ok(Limits {
            max_agents: self.max_agents,
            max_lines: self.max_lines,
            active_until,
        })
    }
}

/// What is limited and used now.
pub(crate) fn view(app: &App, limits: &Limits) -> LimitsView {
    LimitsView {
        max_agents: limits.max_agents,
        max_lines: limits.max_lines,
        active_until: limits.active_until.map(|last| last.to_string()),
        agents: app.api.hub.agents().len(),
        lines: (app.api.status)().stats.lines,
    }
}

/// Show how much may be used at once
#[utoipa::path(
    get, path = "/api/v1/settings/limits", tag = "settings",
    responses((status = 200, description = "The limits, and what is used", body = Data<LimitsView>))
)]
pub(crate) async fn show(
    _caller: May<EditSettings>,
    State(app): State<Shared>,
) -> Result<Json<Data<LimitsView>>, Problem> {
    let limits = app.api.store.limits().await?;
    Ok(Data::of(view(&app, &limits)))
}

/// Change how much may be used at once
///
/// It holds at once. Nobody is logged out and no line is hung up: an agent too many is refused
/// with the reason, and lines are opened again when enough have ended. Customers who call are
/// never turned away.
#[utoipa::path(
    put, path = "/api/v1/settings/limits", tag = "settings", request_body = LimitsBody,
    responses(
        (status = 200, description = "Changed", body = Data<LimitsView>),
        (status = 422, description = "Not valid", body = ProblemBody),
        (status = 503, description = "Kept, but the switchboard is busy or down: send it again", body = ProblemBody),
    )
)]
pub(crate) async fn save(
    caller: May<EditSettings>,
    State(app): State<Shared>,
    Body(sent): Body<LimitsBody>,
) -> Result<Json<Data<LimitsView>>, Problem> {
    let limits = sent.check()?;
    let kept = value(&limits)?;
    let shared = app.clone();
    let work = async move {
        // What is kept and what the switchboard is told come in the same order.
        let _held = shared.limiting.lock().await;
        keep(&shared, &caller, LIMITS, &kept).await?;
        shared.api.exchange.send(Command::Limit(limits)).await?;
        Ok(())
    };
    app.finish(work).await?;
    Ok(Data::of(view(&app, &limits)))
}
