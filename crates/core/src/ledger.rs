//! The dial ledger: why each number was dialed or was not, so that nobody can change it unseen.
//!
//! One chain of rows per campaign. The hash of a row covers the hash of the row before it,
//! its chain, its place and its text ([`row_hash`]). [`Verifier`] reads a chain from its
//! beginning and names every row that was altered, removed, inserted or moved. A row taken
//! off the end is missed because the head of the chain names the last one; a chain that
//! was rewritten as a whole, head and all, is found by an [`Anchor`] kept outside.

mod verifier;

use std::{fmt, str::FromStr};

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    compliance::{Activity, Channel, Consulted, Refusal},
    ids::{AttemptId, CampaignId, ContactId, TrunkId, UserId},
    phone::PhoneNumber,
    telephony::ServerName,
    time::Timestamp,
};

pub use verifier::{Anchor, ChainReport, Fault, Head, Problem, Row, Verifier};

/// What the hash of a row begins with: no other text hashed by this program begins so.
const ROW_DOMAIN: &[u8] = b"strowger dial ledger row 1\0";

/// What the hash that stands before the first row begins with.
const GENESIS_DOMAIN: &[u8] = b"strowger dial ledger chain 1\0";

/// A SHA-256 hash. Its text form is 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is not a hash: it has 64 hexadecimal digits");
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * place..2 * place + 2).ok_or_else(invalid)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What stands before the first row of a chain.
pub fn genesis(chain: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(GENESIS_DOMAIN);
    hash.update(chain.as_bytes());
    Hash(hash.finalize().into())
}

/// The hash of a row: of the hash before it, its chain, its place and its text. Lengths
/// stand before what has no fixed one, so that no two rows give the same bytes.
pub fn row_hash(previous: &Hash, chain: &str, seq: i64, body: &str) -> Hash {
    let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes();
    let mut hash = Sha256::new();
    hash.update(ROW_DOMAIN);
    hash.update(previous.0);
    hash.update(length(chain));
    hash.update(chain.as_bytes());
    hash.update(seq.to_be_bytes());
    hash.update(length(body));
    hash.update(body.as_bytes());
    Hash(hash.finalize().into())
}

/// What was decided about one number, and all that it rested on.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The campaign; its id names the chain.
    pub campaign: CampaignId,
    /// Whom.
    pub contact: ContactId,
    /// The number.
    pub number: PhoneNumber,
    /// When it was decided. Kept in microseconds, as the database does.
    pub at: Timestamp,
    /// What the call is for.
    pub activity: Activity,
    /// Agents or recordings.
    pub channel: Channel,
    /// A machine chose the moment.
    pub automated: bool,
    /// The person asked for this very call.
    pub requested: bool,
    /// The zones in which the calling windows had to be open, IANA names.
    pub zones: Vec<String>,
    /// Every rule consulted, with what it saw: windows, caps, lists, consents.
    pub consulted: Vec<Consulted>,
    /// The consent that was in force: its id is the proof.
    pub consent: Option<Uuid>,
    /// The packs asked, each with the version in force, such as `us-fl 2021-07-01`.
    pub packs: Vec<String>,
    /// What pacing knew when it asked for the line.
    pub pacing: serde_json::Value,
    /// Dialed or refused.
    pub decision: Decision,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It is dialed.
    Dial(Dial),
    /// It is not.
    Refusal(Refusal),
}

/// With what a number is dialed.
#[derive(Debug, Clone, PartialEq)]
pub struct Dial {
    /// The attempt.
    pub attempt: AttemptId,
    /// Which attempt of the contact it is, from 1.
    pub ordinal: u32,
    /// The number shown to the person called; none: the trunk's own.
    pub caller_id: Option<PhoneNumber>,
    /// Why this one.
    pub caller_id_why: String,
    /// Through which trunk.
    pub trunk: TrunkId,
    /// Of which exchange.
    pub server: ServerName,
    /// The agent that it is for, when it is for one alone.
    pub agent: Option<UserId>,
}

/// The words of [`Decision`] in the column `kind`.
const DIAL: &str = "dial";
const REFUSAL: &str = "refusal";

/// The text in the order in which it is written and hashed.
#[derive(Serialize)]
struct Body<'a> {
    kind: &'static str,
    campaign: &'a CampaignId,
    contact: &'a ContactId,
    number: &'a PhoneNumber,
    attempt: Option<AttemptId>,
    at: Timestamp,
    rule: Option<&'a str>,
    reason: Option<&'a str>,
    until: Option<Timestamp>,
    activity: Activity,
    channel: Channel,
    automated: bool,
    requested: bool,
    zones: &'a [String],
    consulted: &'a [Consulted],
    consent: Option<Uuid>,
    packs: &'a [String],
    pacing: serde_json::Value,
    ordinal: Option<u32>,
    caller_id: Option<&'a PhoneNumber>,
    caller_id_why: Option<&'a str>,
    trunk: Option<&'a TrunkId>,
    server: Option<&'a ServerName>,
    agent: Option<&'a UserId>,
}

impl Entry {
    /// The word of the column `kind`.
    pub const fn kind(&self) -> &'static str {
        match self.decision {
            Decision::Dial(_) => DIAL,
            Decision::Refusal(_) => REFUSAL,
        }
    }

    /// The attempt, when it was dialed.
    pub const fn attempt(&self) -> Option<AttemptId> {
        match &self.decision {
            Decision::Dial(dial) => Some(dial.attempt),
            Decision::Refusal(_) => None,
        }
    }

    /// The rule that refused, when one did.
    pub fn rule(&self) -> Option<&str> {
        match &self.decision {
            Decision::Dial(_) => None,
            Decision::Refusal(refusal) => Some(&refusal.rule),
        }
    }

    /// The text that is hashed: JSON on one line, its keys always in the same order. What
    /// does not apply is null, so that nobody can say that it was left out.
    pub fn body(&self) -> String {
        let (dial, refusal) = match &self.decision {
            Decision::Dial(dial) => (Some(dial), None),
            Decision::Refusal(refusal) => (None, Some(refusal)),
        };
        let mut pacing = self.pacing.clone();
        pacing.sort_all_objects();
        let body = Body {
            kind: self.kind(),
            campaign: &self.campaign,
            contact: &self.contact,
            number: &self.number,
            attempt: self.attempt(),
            at: whole_micros(self.at),
            rule: self.rule(),
            reason: refusal.map(|refusal| refusal.reason.as_str()),
            until: refusal.and_then(|refusal| refusal.until),
            activity: self.activity,
            channel: self.channel,
            automated: self.automated,
            requested: self.requested,
            zones: &self.zones,
            consulted: &self.consulted,
            consent: self.consent,
            packs: &self.packs,
            pacing,
            ordinal: dial.map(|dial| dial.ordinal),
            caller_id: dial.and_then(|dial| dial.caller_id.as_ref()),
            caller_id_why: dial.map(|dial| dial.caller_id_why.as_str()),
            trunk: dial.map(|dial| &dial.trunk),
            server: dial.map(|dial| &dial.server),
            agent: dial.and_then(|dial| dial.agent.as_ref()),
        };
        // Texts, numbers and lists of them: there is nothing in it that JSON cannot say.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

fn whole_micros(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

#[cfg(test)]
mod tests;
