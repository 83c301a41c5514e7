//! Whether a number may be dialed now: calling windows, holidays, caps, consent, opt-outs,
//! do-not-call lists, as dated packs of rules.
//!
//! [`check`] decides from facts alone. The store gathers the facts and calls it inside the
//! transaction that creates the attempt, under locks on the number, the person and the
//! debt: two campaigns can never both believe that a cap has room.
//!
//! Where to look: [`Packs`] reads the rules of laws and authorities from the files of
//! `compliance/`, [`OwnRules`] are those of a campaign, [`Packs::window_open`] is the quick
//! question for a whole time zone, [`Packs::duties`] what pacing must keep, and
//! [`preview()`] what a day brings.

mod calendar;
mod check;
mod consent;
mod describe;
mod duties;
mod error;
mod own;
mod pack;
mod packs;
mod preview;
mod read;
mod scene;
#[cfg(test)]
mod tests;
mod week;

pub use calendar::Calendar;
pub use check::check;
pub use consent::{CONTRACT, consent_in_force};
pub use duties::Duties;
pub use error::PackError;
pub use own::{InvalidRule, OwnCap, OwnRules};
pub use pack::{
    AbandonWindow, After, AppliesTo, Cap, ConsentRule, Counting, ListRule, PacingRule, Pack,
    PackId, Period, Rest, Scope, Version, When, Window,
};
pub use packs::{Packs, SourceFile};
pub use preview::{Day, HoursDay, PackDay, Preview, RuleText, Tally, VersionDay, preview, tally};
pub use week::{Hours, Week, zone};

use serde::{Deserialize, Serialize};

use crate::{ids::CampaignId, phone::PhoneNumber, time::Timestamp};

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    /// Selling or canvassing.
    Solicitation,
    /// Collecting a debt.
    Collection,
    /// Serving an existing contract.
    Service,
    /// Asking questions without selling.
    Survey,
}

/// How the called person hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// An agent talks.
    Voice,
    /// A recording talks (broadcast).
    Prerecorded,
    /// A text message.
    Sms,
    /// An e-mail.
    Email,
}

/// What a campaign asks the law with.
#[derive(Debug, Clone, PartialEq)]
pub struct Purpose {
    /// The campaign.
    pub campaign: CampaignId,
    /// What its calls are for.
    pub activity: Activity,
    /// Agents or recordings.
    pub channel: Channel,
    /// Dialed by a machine that chooses the moment; false for preview and manual.
    pub automated: bool,
}

/// Whom it is about to dial.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The number.
    pub number: PhoneNumber,
    /// Every zone that the person may be in, IANA names. Windows must be open in all of
    /// them. When empty, those of the number are taken.
    pub zones: Vec<String>,
    /// Whether the person asked for this very call (a callback).
    pub requested: bool,
}

/// An earlier attempt.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not whatever the others are"
)]
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// When it was placed.
    pub at: Timestamp,
    /// For what.
    pub activity: Activity,
    /// The person had asked for it (a callback).
    pub requested: bool,
    /// It reached the network's end: not busy at the carrier, out of service, failed or cancelled
    /// before it rang.
    pub placed: bool,
    /// A person talked with an agent.
    pub conversation: bool,
    /// The person refused to be called again.
    pub refused: bool,
    /// A person answered and no agent came in time.
    pub abandoned: bool,
}

/// What is known. The order in the lists does not matter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Attempts to this number, of all campaigns, back to [`Packs::lookback`].
    pub of_number: Vec<Past>,
    /// Attempts to this person, by any number. Empty when the person is not known.
    pub of_person: Vec<Past>,
    /// Attempts about this debt; none when no debt is known: then the person counts.
    pub of_debt: Option<Vec<Past>>,
    /// Consents and revocations, of the number or the person.
    pub consents: Vec<Consent>,
    /// Opt-outs that concern this campaign.
    pub opt_outs: Vec<OptOut>,
    /// Do-not-call lists that hold the number and concern this campaign.
    pub do_not_call: Vec<DoNotCall>,
    /// When each imported do-not-call list was last brought up to date, by its id.
    pub scrubbed: Vec<(String, Option<Timestamp>)>,
}

/// A statement in the consent ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Consent {
    /// Its id: the proof.
    pub id: uuid::Uuid,
    /// For which channel.
    pub channel: Channel,
    /// For what.
    pub activity: Activity,
    /// Given, or revoked.
    pub given: bool,
    /// When.
    pub at: Timestamp,
    /// Until when it is good.
    pub expires_at: Option<Timestamp>,
    /// How it was obtained, such as `form`, `written`, `call recording` or [`CONTRACT`].
    pub source: String,
}

/// A person asked not to be contacted.
#[derive(Debug, Clone, PartialEq)]
pub struct OptOut {
    /// By which channel; none for all.
    pub channel: Option<Channel>,
    /// When.
    pub at: Timestamp,
}

/// Whose do-not-call list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DncKind {
    /// Ours, for every campaign.
    Internal,
    /// Ours, for one campaign.
    Campaign,
    /// Taken from elsewhere, such as a national register. It is respected where a pack
    /// names it, and everywhere when no installed pack does.
    Imported,
}

/// A do-not-call list that holds the number.
#[derive(Debug, Clone, PartialEq)]
pub struct DoNotCall {
    /// Its id.
    pub list: String,
    /// Whose it is.
    pub kind: DncKind,
    /// Since when.
    pub since: Timestamp,
}

/// A rule that was looked at, with what it saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Consulted {
    /// Its name: pack and rule, such as `us-fl/calls-per-24h`.
    pub rule: String,
    /// What was seen, such as `2 of 3 since 2026-03-01T10:00:00Z` or `10:32 in Europe/Paris`.
    pub value: String,
}

/// A rule said no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its name: pack and rule.
    pub rule: String,
    /// Why, for a person to read.
    pub reason: String,
    /// When it may be asked again; none: never, unless what is known changes.
    pub until: Option<Timestamp>,
}

/// The decision and all that it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Every rule consulted, up to the first that refused.
    pub consulted: Vec<Consulted>,
    /// The refusal, if any.
    pub refusal: Option<Refusal>,
}
