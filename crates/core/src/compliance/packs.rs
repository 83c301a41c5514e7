//! All installed packs.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;

use super::{Calendar, Duties, OwnRules, Pack, PackError, PackId, Purpose, scene::window_open};
use crate::time::Timestamp;

/// A file of rules: a calendar of holidays when its path has a directory `holidays`, a pack
/// otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path, for messages.
    pub path: String,
    /// What it says: TOML.
    pub text: Cow<'static, str>,
}

macro_rules! built_in {
    ($($path:literal),+ $(,)?) => {
        [$(SourceFile {
            path: concat!("compliance/", $path).to_owned(),
            text: Cow::Borrowed(include_str!(concat!("../../../../compliance/", $path))),
        }),+]
    };
}

/// The installed packs and calendars, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packs {
    packs: BTreeMap<PackId, Pack>,
    calendars: BTreeMap<String, Arc<Calendar>>,
}

impl Packs {
    /// Those that Strowger comes with.
    ///
    /// # Errors
    /// Never for a released program: a test reads them.
    pub fn built_in() -> Result<Self, PackError> {
        Self::with([])
    }

    /// Those that Strowger comes with, and those of an operator. A file with the id of an
    /// earlier one takes its place.
    ///
    /// # Errors
    /// The first file that cannot be used, with its version and key.
    pub fn with(files: impl IntoIterator<Item = SourceFile>) -> Result<Self, PackError> {
        let built_in = built_in![
            "holidays/ca.toml",
            "holidays/fr.toml",
            "holidays/gb.toml",
            "holidays/us-federal.toml",
            "ca-crtc.toml",
            "fr.toml",
            "uk-ofcom.toml",
            "us-fl.toml",
            "us-ftc.toml",
            "us-ok.toml",
            "us-reg-f.toml",
        ];
        Self::read(built_in.into_iter().chain(files))
    }

    /// Only those of the files given.
    ///
    /// # Errors
    /// As [`Packs::with`].
    pub fn read(files: impl IntoIterator<Item = SourceFile>) -> Result<Self, PackError> {
        let (calendars, packs): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| file.path.split(['/', '\\']).any(|part| part == "holidays"));
        let mut all = Self::default();
        for file in calendars {
            let calendar = Calendar::parse(&file.path, &file.text)?;
            all.calendars
                .insert(calendar.id.clone(), Arc::new(calendar));
        }
        for file in packs {
            let pack = Pack::parse(&file.path, &file.text, &all.calendars)?;
            all.packs.insert(pack.id.clone(), pack);
        }
        Ok(all)
    }

    /// A pack.
    pub fn get(&self, id: &PackId) -> Option<&Pack> {
        self.packs.get(id)
    }

    /// Every pack, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Pack> {
        self.packs.values()
    }

    /// A calendar of holidays.
    pub fn calendar(&self, id: &str) -> Option<&Arc<Calendar>> {
        self.calendars.get(id)
    }

    /// Every calendar, by id.
    pub fn calendars(&self) -> impl Iterator<Item = &Calendar> {
        self.calendars.values().map(Arc::as_ref)
    }

    /// Whether a pack has rules about an imported do-not-call list, now or at another time.
    pub fn names_list(&self, list: &str) -> bool {
        self.packs
            .values()
            .flat_map(|pack| &pack.versions)
            .flat_map(|version| &version.do_not_call)
            .any(|rule| rule.list == list)
    }

    /// How far back attempts must be known to decide by any pack. A campaign may need more
    /// for its own caps: [`OwnRules::lookback`].
    pub fn lookback(&self) -> SignedDuration {
        self.packs
            .values()
            .flat_map(|pack| &pack.versions)
            .flat_map(|version| {
                let caps = version.caps.iter().map(|cap| cap.period);
                caps.chain(version.rests.iter().map(|rest| rest.period))
            })
            .map(super::Period::longest)
            .max()
            .unwrap_or(SignedDuration::ZERO)
    }

    /// Whether calls of a campaign may be placed now to persons in these zones, by the hours
    /// of the campaign and of those of its packs that apply to the whole country of a zone.
    /// Rules for single area codes or types of number are left to [`super::check`].
    ///
    /// # Errors
    /// The first moment at which it may be asked again.
    pub fn window_open(
        &self,
        selected: &[PackId],
        own: &OwnRules,
        purpose: &Purpose,
        zones: &[&str],
        now: Timestamp,
    ) -> Result<(), Timestamp> {
        window_open(self, selected, own, purpose, zones, now)
    }

    /// What pacing must keep under the packs of a campaign: of each duty the strictest.
    pub fn duties(&self, selected: &[PackId], purpose: &Purpose, now: Timestamp) -> Duties {
        Duties::of(selected.iter().filter_map(|id| self.get(id)), purpose, now)
    }
}
