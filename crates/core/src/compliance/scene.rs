//! The hours of everything that applies to a call: whether they are open now, and when.

use std::{fmt::Write as _, sync::Arc};

use jiff::SignedDuration;

use super::{
    Calendar, Candidate, OwnRules, Pack, PackId, Packs, Purpose,
    pack::Asked,
    week::{Opening, Place, Shut, zone},
};
use crate::{phone::zones_of, time::Timestamp};

/// Windows are followed from one to the next so long before they are said never to be open
/// together. Hours repeat every week; only holidays come between.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 100);

/// Whether calls of a campaign may be placed now to persons in these zones, by the hours of
/// the campaign and of those of its packs that apply to the whole country of a zone. Rules
/// for single area codes or types of number are left to [`check`].
///
/// # Errors
/// The first moment at which it may be asked again.
pub(super) fn window_open(
    packs: &Packs,
    selected: &[PackId],
    own: &OwnRules,
    purpose: &Purpose,
    zones: &[&str],
    now: Timestamp,
) -> Result<(), Timestamp> {
    let default: Option<&str> = own.time_zone.as_deref();
    let zones = match default.as_slice() {
        default if zones.is_empty() => default,
        _ => zones,
    };
    let asked = Asked::in_zones(purpose, zones);
    let scene = Scene {
        own,
        calendars: own_calendars(packs, own),
        packs: selected
            .iter()
            .filter_map(|id| packs.get(id))
            .filter(|pack| pack.applies_to.holds(&asked))
            .collect(),
        asked: &asked,
        places: zones.iter().filter_map(|name| place(name)).collect(),
    };
    match scene.shut(now) {
        None => Ok(()),
        // Where it never opens, check says why, contact by contact.
        Some(_) => scene.next_open(now).map_or(Ok(()), Err),
    }
}

/// The zones of the candidate; those of the number; the zone that the campaign assumes.
pub(super) fn zones<'a>(candidate: &'a Candidate, own: &'a OwnRules) -> Vec<&'a str> {
    if !candidate.zones.is_empty() {
        return candidate.zones.iter().map(String::as_str).collect();
    }
    match zones_of(&candidate.number) {
        [] => own.time_zone.as_deref().into_iter().collect(),
        zones => zones.to_vec(),
    }
}

pub(super) fn place(name: &str) -> Option<Place<'_>> {
    Some(Place {
        name,
        zone: zone(name)?,
    })
}

pub(super) fn own_calendars(packs: &Packs, own: &OwnRules) -> Vec<Arc<Calendar>> {
    own.closed_on
        .iter()
        .filter_map(|id| packs.calendar(id).cloned())
        .collect()
}

/// What does not change while time passes.
pub(super) struct Scene<'a> {
    pub(super) own: &'a OwnRules,
    pub(super) calendars: Vec<Arc<Calendar>>,
    /// Those that apply.
    pub(super) packs: Vec<&'a Pack>,
    pub(super) asked: &'a Asked<'a>,
    pub(super) places: Vec<Place<'a>>,
}

/// A window that is closed somewhere.
pub(super) struct Closed<'s> {
    pub(super) rule: &'s str,
    pub(super) place: &'s Place<'s>,
    pub(super) opening: Opening<'s>,
    pub(super) shut: Shut<'s>,
    /// The pack, whose next version may open it.
    pub(super) pack: Option<&'s Pack>,
}

impl Scene<'_> {
    /// Every window in force at a moment, with its name.
    pub(super) fn windows(
        &self,
        at: Timestamp,
    ) -> impl Iterator<Item = (&str, Opening<'_>, Option<&Pack>)> {
        let own = self.own.windows.as_ref().map(|week| Opening {
            week,
            closed_on: &self.calendars,
        });
        let of_packs = self.packs.iter().flat_map(move |pack| {
            let windows = pack
                .version(at)
                .map_or(&[][..], |version| version.windows.as_slice());
            windows
                .iter()
                .filter(|window| window.when.holds(self.asked))
                .map(|window| (window.name.as_str(), window.opening(), Some(*pack)))
        });
        own.map(|opening| ("strowger/campaign-hours", opening, None))
            .into_iter()
            .chain(of_packs)
    }

    /// The first window that is closed at a moment.
    pub(super) fn shut(&self, at: Timestamp) -> Option<Closed<'_>> {
        self.windows(at).find_map(|(rule, opening, pack)| {
            self.places.iter().find_map(|place| {
                let shut = opening.shut(place, place.clock(at))?;
                Some(Closed {
                    rule,
                    place,
                    opening,
                    shut,
                    pack,
                })
            })
        })
    }

    /// The first moment, not before `from`, at which every window is open in every zone.
    pub(super) fn next_open(&self, from: Timestamp) -> Option<Timestamp> {
        let end = from.checked_add(HORIZON).ok()?;
        let mut at = from;
        while at < end {
            let Some(closed) = self.shut(at) else {
                return Some(at);
            };
            let opens = closed.opening.opens(closed.place, at);
            let change = closed.pack.and_then(|pack| pack.next_change(at));
            at = earliest(opens, change)?;
        }
        None
    }
}

pub(super) fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

impl Closed<'_> {
    pub(super) fn reason(&self, now: Timestamp) -> String {
        let clock = self.place.clock(now);
        let name = self.place.name;
        let clock_text = clock.strftime("%H:%M on %A");
        if let Shut::Holiday(holiday) = self.shut {
            return format!("{} is a public holiday in {name}: {holiday}.", clock.date());
        }
        let hours = self.opening.week.on(clock.date().weekday());
        if hours.is_empty() {
            return format!("It is {clock_text} in {name}; no calls on that day.");
        }
        let hours: Vec<String> = hours.iter().map(ToString::to_string).collect();
        format!(
            "It is {clock_text} in {name}; calls are allowed at {}.",
            hours.join(" and ")
        )
    }
}

/// What the clocks show, the first three of them.
pub(super) fn clocks(places: &[Place<'_>], now: Timestamp) -> String {
    let mut text = String::new();
    for place in places.iter().take(3) {
        let clock = place.clock(now);
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{:02}:{:02} in {}",
            clock.hour(),
            clock.minute(),
            place.name
        );
    }
    match places.len() {
        0..=3 => text,
        more => format!("{text} and {} more", more - 3),
    }
}
