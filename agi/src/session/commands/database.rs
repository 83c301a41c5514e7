//! The database of the exchange (`AstDB`). These commands work on a dead
//! channel, too.

use super::{value, yes_or_no};
use crate::{Command, CommandError, Session};

/// What `DATABASE DELTREE` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseTree {
    /// Entries were deleted.
    Deleted,
    /// There were none, or the database failed.
    Nothing,
}

impl Session {
    /// `DATABASE GET`: reads an entry; `None` if there is none.
    pub async fn database_get(
        &mut self,
        family: &str,
        key: &str,
    ) -> Result<Option<String>, CommandError> {
        let command = Command::new("DATABASE GET").arg(family).arg(key);
        Ok(value(self.checked(command).await?))
    }

    /// `DATABASE PUT`: writes an entry.
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] with code 200 if Asterisk could not;
    /// otherwise see [`CommandError`].
    pub async fn database_put(
        &mut self,
        family: &str,
        key: &str,
        value: &str,
    ) -> Result<(), CommandError> {
        let command = Command::new("DATABASE PUT").arg(family).arg(key).arg(value);
        let success = self.command(command).await?;
        if yes_or_no("DATABASE PUT", &success)? {
            Ok(())
        } else {
            Err(CommandError::failed(&success))
        }
    }

    /// `DATABASE DEL`: deletes an entry. Succeeds if there is none: Asterisk
    /// 22 says 1 either way.
    ///
    /// # Errors
    ///
    /// [`CommandError::Refused`] with code 200 if Asterisk says 0, as older
    /// versions do for an entry that is not there; otherwise see
    /// [`CommandError`].
    pub async fn database_del(&mut self, family: &str, key: &str) -> Result<(), CommandError> {
        let command = Command::new("DATABASE DEL").arg(family).arg(key);
        let success = self.command(command).await?;
        if yes_or_no("DATABASE DEL", &success)? {
            Ok(())
        } else {
            Err(CommandError::failed(&success))
        }
    }

    /// `DATABASE DELTREE`: deletes a family, or the part of it below a key.
    ///
    /// The result is the opposite of what Asterisk documents: 0 if entries
    /// were deleted and 1 if not (`handle_dbdeltree`; tried on 22).
    pub async fn database_deltree(
        &mut self,
        family: &str,
        key: Option<&str>,
    ) -> Result<DatabaseTree, CommandError> {
        let command = Command::new("DATABASE DELTREE").arg(family).optional(key);
        let success = self.command(command).await?;
        Ok(if yes_or_no("DATABASE DELTREE", &success)? {
            DatabaseTree::Nothing
        } else {
            DatabaseTree::Deleted
        })
    }
}
