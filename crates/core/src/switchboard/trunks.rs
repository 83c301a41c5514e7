//! Trunks: which one takes the next lines, and what lines tell of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, GivenBack, Switchboard, Trunk};
use crate::{
    breaker::{self, Breaker, LineTells, Takes},
    call::{AttemptFacts, Call},
    campaign::TrunkSettings,
    dialer::RateLimit,
    disposition::Disposition,
    ids::{AttemptId, CampaignId, TrunkId},
    live::{Change, TrunkState, TrunkView, WaitsFor},
    retry::{AfterAttempt, RetryRules},
    time::{Timestamp, after},
};

/// The trunk that takes the next lines of a campaign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) id: TrunkId,
    /// How many it takes now, at least 1.
    pub(super) takes: u32,
    /// The line finds out whether it works again.
    pub(super) is_probe: bool,
}

impl Switchboard {
    pub(super) fn configure_trunks(&mut self, now: Timestamp, trunks: &[TrunkSettings]) {
        for settings in trunks {
            let per_second = settings.max_calls_per_second.max(1);
            let known = self.trunks.contains_key(&settings.id);
            let entry = self
                .trunks
                .entry(settings.id.clone())
                .or_insert_with(|| Trunk {
                    settings: settings.clone(),
                    rate: RateLimit::new(per_second, now),
                    breaker: Breaker::default(),
                    since: now,
                });
            entry.rate.set_rate(per_second);
            if !known || entry.settings != *settings {
                entry.settings = settings.clone();
                self.publish_trunk(now, &settings.id);
            }
        }
    }

    /// It was deleted.
    pub(super) fn forget_trunk(&mut self, id: &TrunkId) {
        for campaign in self.campaigns.values_mut() {
            for settings in [&mut campaign.settings, &mut campaign.configured] {
                settings.trunks.retain(|trunk| trunk.id != *id);
            }
        }
        if self.trunks.remove(id).is_some() {
            self.act(Action::Publish(Change::TrunkGone { id: id.clone() }));
        }
    }

    /// The first trunk of a campaign that takes a line now, within the limit of all lines. When
    /// none does only because time must pass, wakes up then. O(trunks).
    pub(super) fn choose_trunk(
        &mut self,
        now: Timestamp,
        trunks: &[TrunkSettings],
        in_use: &BTreeMap<TrunkId, u32>,
    ) -> Option<Chosen> {
        let room = self.limits.room_for_lines(in_use.values().sum());
        if room == 0 {
            // A line that ends is an event.
            return None;
        }
        let mut wake: Option<Timestamp> = None;
        for settings in trunks {
            let Some(trunk) = self.trunks.get_mut(&settings.id) else {
                continue;
            };
            let used = in_use.get(&settings.id).copied().unwrap_or(0);
            let free = trunk.settings.max_channels.saturating_sub(used);
            let rate = trunk.rate.available(now);
            let (most, later) = match trunk.breaker.takes(now) {
                Takes::Any => (u32::MAX, None),
                Takes::Probe => (1, None),
                Takes::NoneUntil(until) => (0, Some(until)),
                Takes::NoneYet => (0, None),
            };
            let takes = most.min(free).min(rate).min(room);
            if takes > 0 {
                return Some(Chosen {
                    id: settings.id.clone(),
                    takes,
                    is_probe: trunk.breaker.is_at_fault(),
                });
            }
            // A channel that becomes free is an event; a token and the end of a rest are not.
            let token = (most > 0 && free > 0).then(|| {
                let per_second = u64::from(trunk.settings.max_calls_per_second.max(1));
                after(now, 1_000 / per_second + 1)
            });
            wake = [wake, later, token].into_iter().flatten().min();
        }
        if let Some(at) = wake {
            self.arm_dial(at);
        }
        None
    }

    /// Lines were asked for on this trunk.
    pub(super) fn trunk_asked(&mut self, now: Timestamp, chosen: &Chosen, count: u32) {
        let Some(trunk) = self.trunks.get_mut(&chosen.id) else {
            return;
        };
        trunk.rate.take(count);
        if chosen.is_probe {
            trunk.breaker.probe_asked();
            self.trunk_changed(now, &chosen.id);
        }
    }

    /// So many of the lines that were asked for will not come; `probe` is the first that does.
    pub(super) fn trunk_answered(
        &mut self,
        now: Timestamp,
        id: &TrunkId,
        missing: u32,
        probe: Option<AttemptId>,
    ) {
        let Some(trunk) = self.trunks.get_mut(id) else {
            return;
        };
        trunk.rate.give_back(missing);
        match probe {
            Some(attempt) => trunk.breaker.probe_dialed(attempt),
            None if trunk.breaker.probe_missing(now) => self.trunk_changed(now, id),
            None => {}
        }
    }

    fn trunk_told(&mut self, now: Timestamp, id: &TrunkId, attempt: AttemptId, tells: LineTells) {
        let Some(trunk) = self.trunks.get_mut(id) else {
            return;
        };
        if trunk.breaker.told(now, attempt, tells) {
            self.trunk_changed(now, id);
        }
    }

    /// An attempt was answered: its trunk works.
    pub(super) fn trunk_works(&mut self, now: Timestamp, facts: &AttemptFacts) {
        self.trunk_told(now, &facts.trunk, facts.attempt, LineTells::Works);
    }

    /// An attempt ended without an answer: what that tells of its trunk, and what becomes of
    /// the contact if the trunk is to blame.
    pub(super) fn trunk_ended(
        &mut self,
        now: Timestamp,
        call: &Call,
        facts: &AttemptFacts,
        disposition: Disposition,
    ) -> Option<AfterAttempt> {
        let tells = LineTells::of(disposition, call.signals.sip_code);
        let given_back = self
            .campaigns
            .get(&facts.campaign)
            .and_then(|campaign| campaign.given_back.get(&facts.contact));
        let failed_here = given_back.is_some_and(|before| before.trunk == facts.trunk);
        let given_back = given_back.map_or(0, |before| before.times);
        let trunk = self.trunks.get(&facts.trunk);
        let was_probe = trunk.is_some_and(|trunk| trunk.breaker.is_probe(facts.attempt));
        let failed = tells == LineTells::Fails;
        // The same number again and again says little about the trunk.
        let told = if failed && failed_here && !was_probe {
            LineTells::Nothing
        } else {
            tells
        };
        self.trunk_told(now, &facts.trunk, facts.attempt, told);
        let works_otherwise = self
            .trunks
            .get(&facts.trunk)
            .is_some_and(|trunk| trunk.breaker.works_otherwise());
        let campaign = self.campaigns.get_mut(&facts.campaign)?;
        // Another trunk may do better; with none, a number that fails where others do not
        // follows its retry rule as any other outcome.
        let hopeless = works_otherwise && campaign.settings.trunks.len() == 1;
        if !failed || hopeless {
            campaign.given_back.remove(&facts.contact);
            return None;
        }
        let rules: &RetryRules = &campaign.settings.retry;
        let becomes = breaker::after_failure(
            rules,
            disposition,
            given_back,
            was_probe,
            facts.ordinal,
            now,
        );
        if becomes == AfterAttempt::GiveBack {
            let now_known = GivenBack {
                times: given_back.saturating_add(1),
                trunk: facts.trunk.clone(),
            };
            campaign.given_back.insert(facts.contact.clone(), now_known);
        } else {
            campaign.given_back.remove(&facts.contact);
        }
        Some(becomes)
    }

    /// It began to rest, is being probed, or works again.
    fn trunk_changed(&mut self, now: Timestamp, id: &TrunkId) {
        if let Some(trunk) = self.trunks.get_mut(id) {
            trunk.since = now;
        }
        self.publish_trunk(now, id);
        let users: BTreeSet<CampaignId> = self
            .campaigns
            .values()
            .filter(|campaign| campaign.settings.trunk(id).is_some())
            .map(|campaign| campaign.settings.id.clone())
            .collect();
        self.touched.extend(users);
    }

    fn publish_trunk(&mut self, now: Timestamp, id: &TrunkId) {
        let Some(trunk) = self.trunks.get(id) else {
            return;
        };
        let (state, until) = match trunk.breaker.takes(now) {
            Takes::Any => (TrunkState::Working, None),
            Takes::NoneUntil(until) => (TrunkState::Resting, Some(until)),
            Takes::Probe => (TrunkState::Resting, None),
            Takes::NoneYet => (TrunkState::Probing, None),
        };
        let view = TrunkView {
            id: id.clone(),
            server: trunk.settings.server.clone(),
            state,
            since: trunk.since,
            until,
        };
        self.act(Action::Publish(Change::Trunk(view)));
    }

    /// What a running campaign waits for, apart from agents.
    pub(super) fn waits_for(&self, now: Timestamp, campaign: &super::Campaign) -> Option<WaitsFor> {
        let settings = &campaign.settings;
        let up = settings
            .server()
            .is_some_and(|server| self.server_up(server));
        if !up {
            return Some(WaitsFor::Exchange);
        }
        let at_fault = |trunk: &TrunkSettings| {
            self.trunks
                .get(&trunk.id)
                .is_some_and(|trunk| trunk.breaker.is_at_fault())
        };
        if settings.trunks.iter().all(at_fault) {
            return Some(WaitsFor::Trunks);
        }
        if let Some(agents) = self.staff_awaited(settings) {
            return Some(agents);
        }
        match campaign.idle_until {
            Some(until) if until > now => Some(WaitsFor::List { until }),
            Some(_) | None => None,
        }
    }
}
