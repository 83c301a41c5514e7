//! The decision.

use std::borrow::Cow;

use jiff::SignedDuration;

use super::{
    Candidate, Channel, Consulted, DncKind, Facts, OwnRules, Pack, PackId, Packs, Past, Purpose,
    Refusal, Verdict, Version,
    consent::Standing,
    pack::{After, Asked, Cap, Counting, ListRule, Period, Rest, Scope, When},
    scene::{Scene, clocks, earliest, own_calendars, place, zones},
};
use crate::time::Timestamp;

/// Decides whether a number may be dialed now.
///
/// Rules are looked at from those that forbid for good to those that forbid for a while:
/// opt-outs and do-not-call lists, consents, silences, caps, hours. The first that says no
/// is the refusal. Its `until` is the earliest moment at which no hours and not this rule
/// stand in the way any more, as far as is known now.
///
/// A pack that is selected but not installed, and a person in no known time zone where a
/// clock is needed, are refused: what cannot be decided is not dialed.
pub fn check(
    packs: &Packs,
    selected: &[PackId],
    own: &OwnRules,
    purpose: &Purpose,
    candidate: &Candidate,
    facts: &Facts,
    now: Timestamp,
) -> Verdict {
    let zones = zones(candidate, own);
    let asked = Asked::of(purpose, candidate, &zones);
    let mut desk = Desk {
        scene: Scene {
            own,
            calendars: own_calendars(packs, own),
            packs: Vec::with_capacity(selected.len()),
            asked: &asked,
            places: Vec::with_capacity(zones.len()),
        },
        facts,
        now,
        consulted: Vec::with_capacity(16),
    };
    let refusal = desk.decide(packs, selected).err();
    Verdict {
        consulted: desk.consulted,
        refusal,
    }
}

/// A decision in the making.
struct Desk<'a> {
    scene: Scene<'a>,
    facts: &'a Facts,
    now: Timestamp,
    consulted: Vec<Consulted>,
}

impl<'a> Desk<'a> {
    fn decide(&mut self, packs: &'a Packs, selected: &[PackId]) -> Result<(), Refusal> {
        self.opt_outs()?;
        self.internal_lists(packs)?;
        self.packs(packs, selected)?;
        self.places()?;
        let now = self.now;
        let versions: Vec<(&Pack, &Version)> = self
            .scene
            .packs
            .iter()
            .filter_map(|pack| Some((*pack, pack.version(now)?)))
            .collect();
        for (pack, version) in &versions {
            for rule in &version.consents {
                if rule.when.holds(self.scene.asked) {
                    let standing = self.standing(&rule.sources, rule.or_contract);
                    self.saw(&rule.name, standing.to_string());
                    if !standing.is_good() {
                        return Err(self.refuse(&rule.name, standing.reason(), None, Some(pack)));
                    }
                }
            }
            for rule in &version.do_not_call {
                if rule.when.holds(self.scene.asked) {
                    self.list(pack, rule)?;
                }
            }
        }
        for (pack, version) in &versions {
            for rest in &version.rests {
                if rest.when.holds(self.scene.asked) {
                    self.rest(pack, rest)?;
                }
            }
        }
        for (pack, version) in &versions {
            for cap in &version.caps {
                if cap.when.holds(self.scene.asked) {
                    self.cap(Some(pack), cap)?;
                }
            }
        }
        self.own_caps()?;
        self.windows()
    }

    fn saw(&mut self, rule: &str, value: impl Into<String>) {
        self.consulted.push(Consulted {
            rule: rule.to_owned(),
            value: value.into(),
        });
    }

    fn refuse(
        &self,
        rule: &str,
        reason: impl Into<String>,
        until: Option<Timestamp>,
        pack: Option<&Pack>,
    ) -> Refusal {
        let change = pack.and_then(|pack| pack.next_change(self.now));
        Refusal {
            rule: rule.to_owned(),
            reason: reason.into(),
            until: earliest(until, change).and_then(|at| self.scene.next_open(at)),
        }
    }

    fn opt_outs(&mut self) -> Result<(), Refusal> {
        const RULE: &str = "strowger/opt-out";
        let asked = self.scene.asked.purpose.channel;
        let found = self
            .facts
            .opt_outs
            .iter()
            .find(|opt_out| opt_out.channel.is_none_or(|channel| covers(channel, asked)));
        let Some(opt_out) = found else {
            self.saw(RULE, "none");
            return Ok(());
        };
        self.saw(RULE, format!("since {}", opt_out.at));
        let reason = format!("The person asked on {} not to be contacted.", opt_out.at);
        Err(self.refuse(RULE, reason, None, None))
    }

    /// Internal lists and those of the campaign; and imported ones that no pack knows:
    /// whoever imported them wants them kept.
    fn internal_lists(&mut self, packs: &Packs) -> Result<(), Refusal> {
        const RULE: &str = "strowger/do-not-call";
        let found = self.facts.do_not_call.iter().find(|held| match held.kind {
            DncKind::Internal | DncKind::Campaign => true,
            DncKind::Imported => !packs.names_list(&held.list),
        });
        let Some(held) = found else {
            self.saw(RULE, "on no list");
            return Ok(());
        };
        self.saw(RULE, format!("on {} since {}", held.list, held.since));
        let reason = format!(
            "The number is on the do-not-call list {} since {}.",
            held.list, held.since
        );
        Err(self.refuse(RULE, reason, None, None))
    }

    fn packs(&mut self, packs: &'a Packs, selected: &[PackId]) -> Result<(), Refusal> {
        for id in selected {
            let Some(pack) = packs.get(id) else {
                let reason = format!(
                    "The campaign's pack {id} is not installed; add its file or take it off the campaign."
                );
                return Err(self.refuse("strowger/packs", reason, None, None));
            };
            if !pack.applies_to.holds(self.scene.asked) {
                self.saw(id.as_str(), "does not apply");
                continue;
            }
            let value: Cow<'static, str> = match pack.version(self.now) {
                None => "no version in force".into(),
                Some(version) => format!("version of {}", version.effective_from).into(),
            };
            self.saw(id.as_str(), value);
            self.scene.packs.push(pack);
        }
        if let Some(id) = self
            .scene
            .own
            .closed_on
            .iter()
            .find(|id| packs.calendar(id).is_none())
        {
            let reason = format!(
                "The campaign is closed on the holidays of {id}, and there is no such calendar."
            );
            return Err(self.refuse("strowger/campaign-hours", reason, None, None));
        }
        Ok(())
    }

    fn places(&mut self) -> Result<(), Refusal> {
        const RULE: &str = "strowger/time-zone";
        for name in self.scene.asked.zones {
            let Some(place) = place(name) else {
                let reason = format!(
                    "There is no time zone {name:?}; correct that of the contact or of the campaign."
                );
                return Err(self.refuse(RULE, reason, None, None));
            };
            self.scene.places.push(place);
        }
        let own = self.scene.own;
        let clock_needed = own.windows.is_some()
            || own
                .caps
                .iter()
                .any(|cap| matches!(cap.period, Period::Days(_)))
            || !self.scene.packs.is_empty();
        if self.scene.places.is_empty() && clock_needed {
            let reason = "No time zone is known of the person; give the contact one, or the campaign one to assume.";
            return Err(self.refuse(RULE, reason, None, None));
        }
        Ok(())
    }

    fn standing(&self, sources: &[String], or_contract: bool) -> Standing {
        Standing::of(
            &self.facts.consents,
            self.scene.asked.purpose,
            sources,
            or_contract,
            self.now,
        )
    }

    fn list(&mut self, pack: &Pack, rule: &ListRule) -> Result<(), Refusal> {
        if rule.unless_consent || rule.unless_contract {
            let contract = [super::CONTRACT.to_owned()];
            let sources: &[String] = if rule.unless_consent { &[] } else { &contract };
            let standing = self.standing(sources, rule.unless_contract);
            if standing.is_good() {
                self.saw(&rule.name, standing.to_string());
                return Ok(());
            }
        }
        if let Some(held) = self
            .facts
            .do_not_call
            .iter()
            .find(|held| held.list == rule.list)
        {
            self.saw(&rule.name, format!("on {} since {}", held.list, held.since));
            let reason = format!(
                "The number is on the do-not-call list {} since {}.",
                held.list, held.since
            );
            return Err(self.refuse(&rule.name, reason, None, Some(pack)));
        }
        let Some(days) = rule.max_age_days else {
            self.saw(&rule.name, format!("not on {}", rule.list));
            return Ok(());
        };
        let updated = self
            .facts
            .scrubbed
            .iter()
            .find(|(list, _)| *list == rule.list)
            .and_then(|(_, at)| *at);
        let oldest = self
            .now
            .checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
            .unwrap_or(Timestamp::MIN);
        if let Some(at) = updated.filter(|at| *at >= oldest) {
            self.saw(&rule.name, format!("not on {} of {at}", rule.list));
            return Ok(());
        }
        let state = updated.map_or_else(
            || "was never imported".to_owned(),
            |at| format!("was last brought up to date on {at}"),
        );
        self.saw(&rule.name, format!("{} {state}", rule.list));
        let reason = format!(
            "The do-not-call list {} {state}; it must not be older than {days} days: import it anew.",
            rule.list
        );
        Err(self.refuse(&rule.name, reason, None, Some(pack)))
    }

    fn rest(&mut self, pack: &Pack, rest: &Rest) -> Result<(), Refusal> {
        let Some(begin) = rest.period.begin(self.now, &self.scene.places) else {
            return Ok(());
        };
        let last = events(self.facts, rest.scope)
            .filter(|past| counts(&rest.counts, past))
            .filter(|past| match rest.after {
                After::Refusal => past.refused,
                After::Conversation => past.conversation,
                After::Abandonment => past.abandoned,
            })
            .map(|past| past.at)
            .filter(|at| *at >= begin)
            .max();
        let what = rest.after.with_article();
        let Some(at) = last else {
            self.saw(&rest.name, format!("not since {begin}"));
            return Ok(());
        };
        self.saw(&rest.name, format!("{what} on {at}"));
        let reason = format!(
            "There was {} on {at}; no call for {} from then, that day counted.",
            rest.after.with_article(),
            rest.period
        );
        let until = rest.period.end(at, &self.scene.places);
        Err(self.refuse(&rest.name, reason, until, Some(pack)))
    }

    fn cap(&mut self, pack: Option<&Pack>, cap: &Cap) -> Result<(), Refusal> {
        let Some(begin) = cap.period.begin(self.now, &self.scene.places) else {
            return Ok(());
        };
        let mut counted: Vec<Timestamp> = events(self.facts, cap.scope)
            .filter(|past| counts(&cap.counts, past))
            .map(|past| past.at)
            .filter(|at| *at >= begin)
            .collect();
        self.saw(
            &cap.name,
            format!("{} of {} since {begin}", counted.len(), cap.limit),
        );
        let limit = usize::try_from(cap.limit).unwrap_or(usize::MAX);
        if counted.len() < limit {
            return Ok(());
        }
        counted.sort_unstable_by(|a, b| b.cmp(a));
        let until = counted
            .get(limit.saturating_sub(1))
            .and_then(|at| cap.period.end(*at, &self.scene.places));
        let whom = cap.scope.as_str();
        let reason = format!(
            "{} calls in {}; for one {whom} at most {} are allowed.",
            counted.len(),
            cap.period,
            cap.limit
        );
        Err(self.refuse(&cap.name, reason, until, pack))
    }

    fn own_caps(&mut self) -> Result<(), Refusal> {
        let own = self.scene.own;
        for cap in &own.caps {
            let cap = Cap {
                name: own_cap_name(cap),
                when: When::default(),
                scope: cap.scope,
                limit: cap.limit,
                period: cap.period,
                counts: Counting::default(),
            };
            self.cap(None, &cap)?;
        }
        Ok(())
    }

    fn windows(&mut self) -> Result<(), Refusal> {
        let (scene, now) = (&self.scene, self.now);
        let clocks = clocks(&scene.places, now);
        let mut open: Vec<Consulted> = scene
            .windows(now)
            .map(|(rule, _, _)| Consulted {
                rule: rule.to_owned(),
                value: clocks.clone(),
            })
            .collect();
        let Some(closed) = scene.shut(now) else {
            self.consulted.append(&mut open);
            return Ok(());
        };
        let refused = open.iter().position(|window| window.rule == closed.rule);
        open.truncate(refused.map_or(0, |index| index + 1));
        let reason = closed.reason(now);
        let refusal = Refusal {
            rule: closed.rule.to_owned(),
            reason,
            until: scene.next_open(now),
        };
        self.consulted.append(&mut open);
        Err(refusal)
    }
}

/// The name of a campaign's cap.
pub(super) fn own_cap_name(cap: &super::OwnCap) -> String {
    let scope = cap.scope.as_str();
    match cap.period {
        Period::Hours(hours) => format!("strowger/campaign-calls-per-{hours}h-per-{scope}"),
        Period::Days(days) => format!("strowger/campaign-calls-per-{days}d-per-{scope}"),
    }
}

/// Whoever does not want to be called does not want to hear a recording either.
pub(super) fn covers(said: Channel, asked: Channel) -> bool {
    said == asked || (said == Channel::Voice && asked == Channel::Prerecorded)
}

fn counts(counting: &Counting, past: &Past) -> bool {
    (past.placed || !counting.placed_only)
        && (counting.activities.is_empty() || counting.activities.contains(&past.activity))
        && (counting.requested || !past.requested)
}

/// The attempts of a scope. An attempt to a known person at this number is in both lists,
/// and is one.
fn events(facts: &Facts, scope: Scope) -> impl Iterator<Item = &Past> {
    let of_person: &[Past] = match (scope, &facts.of_debt) {
        (Scope::Debt, Some(of_debt)) => of_debt,
        (Scope::Person | Scope::Debt, _) => &facts.of_person,
        (Scope::Number, _) => &[],
    };
    let of_number: &[Past] = match (scope, &facts.of_debt) {
        (Scope::Debt, Some(_)) => &[],
        (Scope::Number | Scope::Person | Scope::Debt, _) => &facts.of_number,
    };
    let twice = |past: &&Past| !of_person.iter().any(|other| other.at == past.at);
    of_person.iter().chain(of_number.iter().filter(twice))
}
