//! What can go wrong with the database.

/// A failed query or connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection could be made.
    #[error("cannot connect to the database: {0}")]
    Unreachable(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("cannot migrate the database: {0}")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// The schema is not that of this version.
    #[error(
        "the database schema is at version {applied:?}, this version needs {wanted:?}: run `strowger migrate`"
    )]
    Outdated {
        /// What the database has.
        applied: Option<i64>,
        /// What this version needs.
        wanted: Option<i64>,
    },
    /// A row holds what no version of Strowger writes.
    #[error("the database holds an invalid {what}: {detail}")]
    Corrupt {
        /// Table and column.
        what: &'static str,
        /// The value, or why it is invalid.
        detail: String,
    },
    /// Something with this id, name or number exists already.
    #[error("there is already one with this {field}")]
    Taken {
        /// Which field must be unique.
        field: &'static str,
    },
    /// Something that is referred to does not exist.
    #[error("{what} does not exist")]
    Missing {
        /// What was referred to.
        what: &'static str,
    },
    /// Another daemon works on this database.
    #[error("another strowger daemon works on this database: stop it first")]
    InUse,
    /// What was to be stored before it was not.
    #[error("not stored, because what comes before it was not")]
    Interrupted,
    /// The runner has been replaced by another.
    #[error("campaign is run under a newer epoch")]
    Stale,
    /// Any other failure.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// A text could not be kept for a character in it: PostgreSQL keeps no NUL, neither in text
    /// (`character_not_in_repertoire`) nor in JSON (`untranslatable_character`).
    pub fn is_nul(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else {
            return false;
        };
        matches!(error.code().as_deref(), Some("22021" | "22P05"))
    }

    /// Trying again may succeed. Only what the statement itself is to blame for is final: a
    /// database that fails over, restarts or is read-only for a moment answers in many ways,
    /// and a write must outlive all of them.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Database(sqlx::Error::Database(error)) => {
                // Class 22 data exception, 23 constraint violation, 42 syntax or access rule.
                let code = error.code();
                !["22", "23", "42"]
                    .iter()
                    .any(|class| code.as_ref().is_some_and(|code| code.starts_with(class)))
            }
            Self::Database(error) => !matches!(
                error,
                sqlx::Error::RowNotFound
                    | sqlx::Error::ColumnNotFound(_)
                    | sqlx::Error::ColumnDecode { .. }
                    | sqlx::Error::Encode(_)
                    | sqlx::Error::Decode(_)
            ),
            Self::Migrate(_)
            | Self::Outdated { .. }
            | Self::Corrupt { .. }
            | Self::Taken { .. }
            | Self::Missing { .. }
            | Self::InUse
            | Self::Interrupted
            | Self::Stale => false,
        }
    }

    /// Names the field of a unique constraint, or what a foreign key refers to.
    pub(crate) fn on_insert(
        error: sqlx::Error,
        taken: &'static str,
        missing: &'static str,
    ) -> Self {
        match error
            .as_database_error()
            .map(sqlx::error::DatabaseError::kind)
        {
            Some(sqlx::error::ErrorKind::UniqueViolation) => Self::Taken { field: taken },
            Some(sqlx::error::ErrorKind::ForeignKeyViolation) => Self::Missing { what: missing },
            _ => Self::Database(error),
        }
    }
}
