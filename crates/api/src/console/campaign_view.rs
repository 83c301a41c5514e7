//! A campaign in the shape of the console, with its contacts.
//!
//! The console holds every contact of its campaigns. They are written as JSON by the database
//! and handed on a page at a time: 100,000 of them cost no more memory than a page.

use std::{collections::HashMap, sync::Arc};

use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use jiff::civil::Weekday;
use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};
use strowger_core::{
    campaign::{CampaignState, DialingMode, MachineAction},
    compliance::OwnRules,
    ids::{CampaignId, UserId},
    retry::RetryRule,
};
use strowger_store::{campaigns::Campaign, views::CampaignExtras};

use super::{Answer, ConsoleProblem, campaigns::rules, instant};
use crate::{
    problem::Problem,
    routes::campaigns::CampaignBody,
    state::{App, Shared},
};

/// Contacts that are read at once.
const PAGE: u32 = 1_000;

/// Most contacts of one campaign that the console is given: a browser holds no more.
pub(crate) const MAX_CONTACTS: u32 = 200_000;

/// A campaign as the console reads it, without its contacts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the shape of the console")]
pub(crate) struct CampaignHead {
    pub(crate) id: CampaignId,
    name: String,
    description: String,
    pub(crate) script_id: Option<String>,
    qualification_group_id: Option<String>,
    caller_id: String,
    is_active: bool,
    dialing_mode: &'static str,
    priority: u8,
    timezone: String,
    schedule: Vec<Day>,
    calling_days: Vec<u8>,
    calling_start_time: String,
    calling_end_time: String,
    max_abandon_rate: f64,
    pace_factor: f64,
    min_agents_before_start: i32,
    retry_attempts: u32,
    retry_intervals: Vec<u32>,
    retry_on_status: Vec<String>,
    amd_enabled: bool,
    amd_confidence: u8,
    voicemail_action: &'static str,
    recording_enabled: bool,
    recording_beep: bool,
    max_ring_duration: u32,
    wrap_up_time: u32,
    max_call_duration: i32,
    quotas_enabled: bool,
    quota_rules: Vec<Value>,
    filter_rules: Vec<Value>,
    unlock_timeouts_enabled: bool,
    unlock_timeout_minutes: i32,
    unreachable_limit: i32,
    created_at: String,
    updated_at: String,
    assigned_user_ids: Vec<String>,
    /// What the console sent itself, where that still means what the campaign is set to.
    #[serde(skip)]
    sent: Map<String, Value>,
}

/// A day of the week of a campaign.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Day {
    /// Monday is 1.
    #[serde(rename = "dayOfWeek")]
    number: u8,
    active: bool,
    start_time: String,
    end_time: String,
}

impl CampaignHead {
    fn new(campaign: Campaign, extras: CampaignExtras, is_active: bool) -> Self {
        let sent = sent(&campaign, &extras);
        let region = campaign.default_region;
        let s = campaign.settings;
        let own = OwnRules::deserialize(&s.schedule).unwrap_or_default();
        let schedule = week(&own);
        let open = || schedule.iter().filter(|day| day.active);
        let edge = |time: Option<&String>, otherwise: &str| {
            time.cloned().unwrap_or_else(|| otherwise.to_owned())
        };
        let calling_start_time = edge(open().map(|day| &day.start_time).min(), "00:00");
        let calling_end_time = edge(open().map(|day| &day.end_time).max(), "23:59");
        let calling_days = open().map(|day| day.number).collect();
        // The console has one rule for all outcomes: the one that tries most.
        let longest = s.retry.0.values().max_by_key(|rule| rule.max_attempts);
        Self {
            id: s.id,
            name: s.name,
            description: campaign.description,
            script_id: extras.script_id,
            qualification_group_id: extras.qualification_group_id,
            caller_id: s
                .caller_id
                .map(|number| number.dialed_in(&region))
                .unwrap_or_default(),
            is_active,
            dialing_mode: mode(s.mode),
            priority: s.priority,
            timezone: own.time_zone.unwrap_or_else(|| "Europe/Paris".to_owned()),
            schedule,
            calling_days,
            calling_start_time,
            calling_end_time,
            // Without what a fraction cannot say exactly.
            max_abandon_rate: (s.pacing.abandon_limit * 10_000.0).round() / 100.0,
            pace_factor: s.ratio,
            min_agents_before_start: extras.min_agents,
            retry_attempts: longest.map_or(0, |rule| rule.max_attempts.saturating_sub(1)),
            retry_intervals: longest.map(minutes).unwrap_or_default(),
            retry_on_status: s.retry.0.keys().map(ToString::to_string).collect(),
            amd_enabled: s.amd,
            amd_confidence: 80,
            voicemail_action: match s.machine_action {
                MachineAction::HangUp => "HANGUP",
                MachineAction::LeaveMessage { .. } | MachineAction::Flow { .. } => "LEAVE_MESSAGE",
            },
            recording_enabled: s.record,
            recording_beep: extras.recording_beep,
            max_ring_duration: s.ring_timeout_s,
            wrap_up_time: s.wrap_up_s,
            max_call_duration: extras.max_call_s,
            quotas_enabled: extras.quotas_enabled,
            quota_rules: rules::quota_rules(
                &Vec::deserialize(&extras.quotas).unwrap_or_default(),
                extras.console.get("quotas"),
                &region,
            ),
            filter_rules: rules::filter_rules(&s.filters),
            unlock_timeouts_enabled: extras.unlock_after_min > 0,
            unlock_timeout_minutes: if extras.unlock_after_min > 0 {
                extras.unlock_after_min
            } else {
                5
            },
            unreachable_limit: extras.unreachable_limit,
            created_at: instant(extras.created_at),
            updated_at: instant(extras.updated_at),
            assigned_user_ids: extras.agents,
            sent,
        }
    }

    /// Whether an agent works for it.
    pub(crate) fn is_of(&self, agent: &UserId) -> bool {
        self.assigned_user_ids.iter().any(|id| id == agent.as_str())
    }

    /// The names of colleagues are none of an agent's business.
    pub(crate) fn for_agent(mut self, agent: &UserId) -> Self {
        self.assigned_user_ids.retain(|id| id == agent.as_str());
        self
    }

    /// Its JSON up to its contacts: `{…,"contacts":[`.
    pub(crate) fn open(&self) -> Answer<String> {
        let failed = |error: serde_json::Error| {
            tracing::error!(%error, "A campaign cannot be written as JSON");
            Problem::internal()
        };
        let mut value = serde_json::to_value(self).map_err(failed)?;
        for (name, sent) in &self.sent {
            value[name] = sent.clone();
        }
        let mut text = value.to_string();
        text.pop();
        text.push_str(",\"contacts\":[");
        Ok(text)
    }
}

/// What the console calls a way of dialing; it knows three.
pub(crate) const fn mode(mode: DialingMode) -> &'static str {
    match mode {
        DialingMode::Predictive | DialingMode::Power | DialingMode::Broadcast => "PREDICTIVE",
        DialingMode::Progressive => "PROGRESSIVE",
        DialingMode::Preview | DialingMode::Manual => "MANUAL",
    }
}

fn minutes(rule: &RetryRule) -> Vec<u32> {
    std::iter::once(rule.delay_s)
        .chain(rule.then_s.iter().copied())
        .map(|seconds| seconds.div_ceil(60))
        .collect()
}

/// The console has one span for each day: from the first opening to the last closing.
fn week(own: &OwnRules) -> Vec<Day> {
    let days = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    (1..)
        .zip(days)
        .map(|(number, day)| {
            let hours: Vec<String> = own.windows.as_ref().map_or_else(
                || vec!["00:00-24:00".to_owned()],
                |week| week.on(day).iter().map(ToString::to_string).collect(),
            );
            let edges = hours.first().zip(hours.last());
            let (start, end) = edges
                .and_then(|(first, last)| Some((first.split_once('-')?.0, last.split_once('-')?.1)))
                .unwrap_or(("09:00", "20:00"));
            Day {
                number,
                active: !hours.is_empty(),
                start_time: start.to_owned(),
                // Its time picker ends the day a minute early.
                end_time: if end == "24:00" { "23:59" } else { end }.to_owned(),
            }
        })
        .collect()
}

/// What the console sent, of the groups that still mean what the campaign is set to.
fn sent(campaign: &Campaign, extras: &CampaignExtras) -> Map<String, Value> {
    let Some(kept) = extras.console.as_object().filter(|kept| !kept.is_empty()) else {
        return Map::new();
    };
    let body = serde_json::to_value(CampaignBody::from(campaign.clone())).unwrap_or_default();
    let unlock = u32::try_from(extras.unlock_after_min).unwrap_or_default();
    let still = kept
        .iter()
        .filter(|(group, kept)| kept.get("means") == Some(&rules::means(group, &body, unlock)));
    still
        .filter_map(|(_, kept)| kept.get("sent")?.as_object())
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// A campaign is active to the console while it dials, or would if its list held somebody.
pub(crate) const fn is_active(state: CampaignState) -> bool {
    match state {
        CampaignState::Running | CampaignState::Finished => true,
        CampaignState::Stopped | CampaignState::Paused | CampaignState::Draining => false,
    }
}

/// Campaigns without their contacts, in the order of their ids.
pub(crate) async fn campaign_heads(
    app: &App,
    campaigns: Vec<Campaign>,
) -> Answer<Vec<CampaignHead>> {
    let ids: Vec<CampaignId> = campaigns
        .iter()
        .map(|one| one.settings.id.clone())
        .collect();
    let extras = app.api.store.campaign_extras(&ids).await?;
    let mut extras: HashMap<String, CampaignExtras> = extras
        .into_iter()
        .map(|one| (one.id.clone(), one))
        .collect();
    let heads = campaigns.into_iter().filter_map(|campaign| {
        let id = &campaign.settings.id;
        // One that was deleted in between has none.
        let own = extras.remove(id.as_str())?;
        let live = app.api.hub.campaign(id).map(|view| view.state);
        let is_active = is_active(live.unwrap_or(campaign.state));
        Some(CampaignHead::new(campaign, own, is_active))
    });
    Ok(heads.collect())
}

/// A campaign without its contacts; none when there is no such campaign.
pub(crate) async fn campaign_head(app: &App, id: &CampaignId) -> Answer<Option<CampaignHead>> {
    let Some(campaign) = app.api.store.campaign(id).await? else {
        return Ok(None);
    };
    Ok(campaign_heads(app, vec![campaign]).await?.pop())
}

/// The JSON of a campaign with all of its contacts, a page at a time.
pub(crate) fn campaign_pages(
    app: &Shared,
    head: &CampaignHead,
) -> impl Stream<Item = Answer<Bytes>> + use<> {
    let app = Arc::clone(app);
    let id = head.id.clone();
    let pages = stream::try_unfold((Some(None::<String>), 0), move |(after, sent)| {
        let (app, id) = (Arc::clone(&app), id.clone());
        async move {
            let Some(after) = after else {
                return Ok(None);
            };
            let store = &app.api.store;
            let turn = app.pages.acquire().await;
            let page = store.contacts_json(&id, after.as_deref(), PAGE).await?;
            drop(turn);
            let mut text = page.json;
            if sent > 0 && page.count > 0 {
                text.insert(0, ',');
            }
            let sent = sent + page.count;
            let more = page.count == PAGE && sent < MAX_CONTACTS;
            let next = page.last.filter(|_| more).map(Some);
            if next.is_none() {
                text.push_str("]}");
            }
            Ok::<_, ConsoleProblem>(Some((Bytes::from(text), (next, sent))))
        }
    });
    let open = head.open().map(Bytes::from);
    stream::once(async move { open }).chain(pages)
}

/// The JSON text of a campaign with its contacts, at most `most` of them; none when there is no
/// such campaign, or more contacts than that.
pub(crate) async fn campaign_view(app: &App, id: &CampaignId, most: u32) -> Answer<Option<String>> {
    let Some(head) = campaign_head(app, id).await? else {
        return Ok(None);
    };
    let contacts = app
        .api
        .store
        .contacts_json(id, None, most.saturating_add(1))
        .await?;
    if contacts.count > most {
        return Ok(None);
    }
    Ok(Some(format!("{}{}]}}", head.open()?, contacts.json)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_day_of_the_console_is_from_the_first_opening_to_the_last_closing() {
        let own: OwnRules = serde_json::from_value(json!({
            "windows": {"monday": ["09:00-12:30", "13:30-19:00"], "sunday": ["10:00-24:00"]}
        }))
        .unwrap();
        let days = week(&own);
        assert_eq!(
            (days[0].active, &*days[0].start_time, &*days[0].end_time),
            (true, "09:00", "19:00")
        );
        assert!(!days[1].active);
        assert_eq!((days[6].number, &*days[6].end_time), (7, "23:59"));
        assert!(week(&OwnRules::default()).iter().all(|day| day.active));
    }
}
