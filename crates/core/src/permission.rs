//! Who may do what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The role of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Takes calls.
    Agent,
    /// Watches and helps agents, runs campaigns.
    Supervisor,
    /// Sets the contact centre up.
    Administrator,
    /// Also runs the system itself.
    SuperAdministrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [
        Self::Agent,
        Self::Supervisor,
        Self::Administrator,
        Self::SuperAdministrator,
    ];

    /// The name used in tables and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Supervisor => "supervisor",
            Self::Administrator => "administrator",
            Self::SuperAdministrator => "super-administrator",
        }
    }

    /// Whether this role has a permission.
    pub const fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::WorkAsAgent => true,
            Permission::WatchLive
            | Permission::RunCampaigns
            | Permission::ReadCallRecords
            | Permission::RecordWishes
            | Permission::ReadLedger
            | Permission::ManageAgents => !matches!(self, Self::Agent),
            Permission::EditCampaigns
            | Permission::ImportContacts
            | Permission::EditFlows
            | Permission::EditDids => {
                matches!(self, Self::Administrator | Self::SuperAdministrator)
            }
            Permission::EditCompliance | Permission::ReadAudit | Permission::ReadMetrics => {
                matches!(self, Self::Administrator | Self::SuperAdministrator)
            }
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            format!("unknown role {text:?}; it is agent, supervisor, administrator or super-administrator")
        })
    }
}

/// What a route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Log in at a station, be ready, pause, log out: always oneself.
    WorkAsAgent,
    /// See the live view of everybody.
    WatchLive,
    /// Start, pause and stop campaigns.
    RunCampaigns,
    /// Create and change campaigns.
    EditCampaigns,
    /// Import contacts.
    ImportContacts,
    /// See call records.
    ReadCallRecords,
    /// Change the state of other agents.
    ManageAgents,
    /// Save and publish flows.
    EditFlows,
    /// Bind numbers to flows.
    EditDids,
    /// Read the metrics of the daemon.
    ReadMetrics,
    /// Record what people allowed, took back or do not want.
    RecordWishes,
    /// Change do-not-call lists.
    EditCompliance,
    /// Read why numbers were dialed or were not, and hand it out as evidence.
    ReadLedger,
    /// Read who changed what, and verify the ledger.
    ReadAudit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_may_only_work() {
        assert!(Role::Agent.may(Permission::WorkAsAgent));
        for permission in [
            Permission::WatchLive,
            Permission::RunCampaigns,
            Permission::EditCampaigns,
            Permission::ImportContacts,
            Permission::ReadCallRecords,
            Permission::ManageAgents,
            Permission::EditFlows,
            Permission::EditDids,
            Permission::ReadMetrics,
            Permission::RecordWishes,
            Permission::EditCompliance,
            Permission::ReadLedger,
            Permission::ReadAudit,
        ] {
            assert!(!Role::Agent.may(permission), "{permission:?}");
            assert!(Role::SuperAdministrator.may(permission), "{permission:?}");
        }
    }
}
