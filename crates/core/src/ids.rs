//! Identifiers: one type each, so that no id can be passed for another.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 64 letters, digits, '-', '_', '.' or ':', got {0:?}")]
pub struct InvalidId(pub String);

/// Longest accepted text id. Clients of the console contract choose ids such as
/// `contact-import-1763630000000-12345`; 64 leaves room and bounds indexes.
pub const MAX_ID_LEN: usize = 64;

fn check(text: &str) -> Result<(), InvalidId> {
    let fits = (1..=MAX_ID_LEN).contains(&text.len());
    let legal = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'));
    if fits && legal {
        Ok(())
    } else {
        Err(InvalidId(text.chars().take(80).collect()))
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// What ids made by Strowger begin with.
            pub const PREFIX: &'static str = $prefix;

            /// Accepts an id chosen by a client or read from the database.
            ///
            /// # Errors
            /// [`InvalidId`] when it is empty, too long or holds a character that ids do not have.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text.into()))
            }

            /// A new id from a given unique number.
            pub fn generate(unique: Uuid) -> Self {
                Self(format!("{}_{}", $prefix, unique.simple()).into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}_{}", $prefix, self.0.simple())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.strip_prefix($prefix)
                    .and_then(|rest| rest.strip_prefix('_'))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| InvalidId(text.chars().take(80).collect()))
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

text_id!(
    /// A person who logs in: agent, supervisor or administrator.
    UserId, "usr");
text_id!(
    /// An outbound campaign.
    CampaignId, "cmp");
text_id!(
    /// A person or lead in a campaign's list.
    ContactId, "con");
text_id!(
    /// A SIP carrier or PBX link.
    TrunkId, "trk");
text_id!(
    /// A place with its own trunk and extensions.
    SiteId, "sit");
text_id!(
    /// A group of users.
    UserGroupId, "ugr");
text_id!(
    /// Which call controls an agent has.
    AgentProfileId, "prf");
text_id!(
    /// An IVR flow.
    FlowId, "flw");
text_id!(
    /// An inbound number bound to a flow.
    DidId, "did");
text_id!(
    /// An inbound waiting line.
    QueueId, "que");
text_id!(
    /// A pool of caller ids.
    CallerIdPoolId, "cip");
text_id!(
    /// A business outcome that an agent chooses.
    QualificationId, "qual");
text_id!(
    /// A set of qualifications that a campaign offers.
    QualificationGroupId, "qgr");
text_id!(
    /// A list of contacts of a campaign.
    ListId, "lst");
text_id!(
    /// Something that agents can be doing.
    ActivityTypeId, "act");
text_id!(
    /// A script that agents read and fill in.
    ScriptId, "scr");
text_id!(
    /// A sound.
    MediaFileId, "med");

uuid_id!(
    /// One dial of one number of one contact.
    AttemptId, "att");
uuid_id!(
    /// A live conversation; an outbound call has the number of its attempt.
    CallId, "call");
uuid_id!(
    /// Login to logout of an agent at a station.
    AgentSessionId, "ses");
uuid_id!(
    /// A call that was promised to a contact.
    CallbackId, "cbk");
uuid_id!(
    /// A supervisor's line to what an agent says and hears.
    SupervisionId, "spy");

impl From<AttemptId> for CallId {
    fn from(attempt: AttemptId) -> Self {
        Self(attempt.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_line_break_is_refused() {
        assert!(CampaignId::new("cmp_1\r\nAction: Hangup").is_err());
        assert!(CampaignId::new("").is_err());
        assert!(CampaignId::new("x".repeat(65)).is_err());
        assert!(CampaignId::new("campaign-1763630000000").is_ok());
    }

    #[test]
    fn an_attempt_id_survives_its_text_form() {
        let id = AttemptId(Uuid::from_u128(7));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("att_zz".parse::<AttemptId>().is_err());
        assert!(
            "leg_00000000000000000000000000000007"
                .parse::<AttemptId>()
                .is_err()
        );
    }
}
