//! Who may do what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The role of a user. Each may do what those before it may.
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
        self as u8 >= permission.least_role() as u8
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

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $least:ident;)*) => {
        /// What a route asks for, and what an API key may be limited to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Permission {
            $($(#[$doc])* $name,)*
        }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name used in tables and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The least role that has it.
            pub const fn least_role(self) -> Role {
                match self {
                    $(Self::$name => Role::$least,)*
                }
            }
        }
    };
}

permissions! {
    /// Log in at a station, be ready, pause, log out, see one's own work: always oneself.
    WorkAsAgent, "work-as-agent", Agent;
    /// Have calls transferred to numbers outside, as far as the configuration lets one's role.
    TransferOutside, "transfer-outside", Agent;
    /// See the live view of everybody.
    WatchLive, "watch-live", Supervisor;
    /// Listen, coach, barge, send messages, force a pause or a logout.
    Supervise, "supervise", Supervisor;
    /// See users, and change the state of agents.
    ManageAgents, "manage-agents", Supervisor;
    /// Start, pause and stop campaigns.
    RunCampaigns, "run-campaigns", Supervisor;
    /// See call records.
    ReadCallRecords, "read-call-records", Supervisor;
    /// Hear recordings, voicemails and their transcripts.
    ReadRecordings, "read-recordings", Supervisor;
    /// See reports, time sheets and adherence.
    ReadReports, "read-reports", Supervisor;
    /// Plan the shifts of agents.
    PlanShifts, "plan-shifts", Supervisor;
    /// Create and change the activities that agents do and pause for.
    EditActivityTypes, "edit-activity-types", Supervisor;
    /// Record what people allowed, took back or do not want.
    RecordWishes, "record-wishes", Supervisor;
    /// Read why numbers were dialed or were not, and hand it out as evidence.
    ReadLedger, "read-ledger", Supervisor;
    /// Add, change and remove users of one's own role and below, unlock them and end their logins.
    ManageUsers, "manage-users", Administrator;
    /// Create and change groups of users.
    ManageGroups, "manage-groups", Administrator;
    /// Create and change the profiles that say which call controls an agent has.
    EditAgentProfiles, "edit-agent-profiles", Administrator;
    /// Create and change sites.
    EditSites, "edit-sites", Administrator;
    /// Create and change campaigns.
    EditCampaigns, "edit-campaigns", Administrator;
    /// Import contacts.
    ImportContacts, "import-contacts", Administrator;
    /// Create and change the scripts that agents read.
    EditScripts, "edit-scripts", Administrator;
    /// Create and change the outcomes that agents choose.
    EditQualifications, "edit-qualifications", Administrator;
    /// Save and publish flows.
    EditFlows, "edit-flows", Administrator;
    /// Bind numbers to flows, change queues.
    EditDids, "edit-dids", Administrator;
    /// Create and change trunks.
    EditTrunks, "edit-trunks", Administrator;
    /// Upload, rename and remove sounds.
    EditMedia, "edit-media", Administrator;
    /// Change do-not-call lists.
    EditCompliance, "edit-compliance", Administrator;
    /// Read who changed what, and verify the ledger.
    ReadAudit, "read-audit", Administrator;
    /// Read the metrics of the daemon.
    ReadMetrics, "read-metrics", Administrator;
    /// Change the settings of the whole system: appearance, mail, connections, visible modules.
    EditSettings, "edit-settings", SuperAdministrator;
    /// Read the state and the logs of the machine, and test connections from it.
    ReadSystem, "read-system", SuperAdministrator;
    /// Ask the database directly, reading only.
    RunDatabaseQueries, "run-database-queries", SuperAdministrator;
    /// Make, restore and schedule backups.
    RunBackups, "run-backups", SuperAdministrator;
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Permission {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|known| known.as_str() == text);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|one| one.as_str()).collect();
            format!(
                "unknown permission {text:?}; it is one of {}",
                known.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(role: Role) -> Vec<Permission> {
        let all = Permission::ALL.iter().copied();
        all.filter(|permission| role.may(*permission)).collect()
    }

    #[test]
    fn an_agent_may_only_work() {
        assert_eq!(
            of(Role::Agent),
            [Permission::WorkAsAgent, Permission::TransferOutside]
        );
    }

    #[test]
    fn a_supervisor_supervises_and_changes_nothing_of_the_set_up() {
        for permission in of(Role::Supervisor) {
            let changes = permission.as_str().starts_with("edit-");
            let own = permission == Permission::EditActivityTypes;
            assert!(!changes || own, "{permission}");
        }
        assert!(!Role::Supervisor.may(Permission::ManageUsers));
        assert!(Role::Supervisor.may(Permission::PlanShifts));
    }

    #[test]
    fn the_system_itself_is_for_super_administrators() {
        let only: Vec<Permission> = of(Role::SuperAdministrator)
            .into_iter()
            .filter(|permission| !Role::Administrator.may(*permission))
            .collect();
        assert_eq!(
            only,
            [
                Permission::EditSettings,
                Permission::ReadSystem,
                Permission::RunDatabaseQueries,
                Permission::RunBackups
            ]
        );
        assert_eq!(of(Role::SuperAdministrator), Permission::ALL);
    }

    #[test]
    fn the_name_of_a_permission_is_read_back_and_is_that_of_json() {
        for permission in Permission::ALL {
            assert_eq!(permission.as_str().parse(), Ok(*permission));
            assert_eq!(
                serde_json::to_value(permission).unwrap(),
                permission.as_str()
            );
        }
        assert!("everything".parse::<Permission>().is_err());
    }
}
