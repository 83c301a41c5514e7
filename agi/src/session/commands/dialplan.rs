//! Variables, applications, and where the dialplan goes on.

use std::{fmt, time::Duration};

use super::value;
use crate::{Command, CommandError, Session, command::join_application_arguments};

/// How a dialplan application ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecResult {
    /// It returned this value: 0, as a rule. What it achieved stands in
    /// channel variables such as `DIALSTATUS` or `BRIDGERESULT`.
    Returned(i64),
    /// The exchange has no application of this name.
    NoSuchApplication,
}

/// A place within an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority<'a> {
    /// By number, from 1.
    Number(u32),
    /// By the label that the dialplan gives it, as in `same => n(label),…`.
    Label(&'a str),
}

/// How `GOSUB` ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subroutine {
    /// It returned. A value given to `Return` stands in the variable
    /// `GOSUB_RETVAL`.
    Returned,
    /// The dialplan has no such place.
    NotFound,
    /// It could not be run, or ended without `Return`.
    Failed,
}

impl fmt::Display for Priority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Label(label) => f.write_str(label),
        }
    }
}

impl Session {
    /// `SET VARIABLE`: sets a channel variable or writes a dialplan function.
    pub async fn set_variable(&mut self, name: &str, value: &str) -> Result<(), CommandError> {
        let command = Command::new("SET VARIABLE").arg(name).arg(value);
        self.checked(command).await.map(drop)
    }

    /// `GET VARIABLE`: reads a channel variable, or a function such as
    /// `CHANNEL(language)`; `None` if it is not set. Asterisk gives 1,023
    /// bytes of a function.
    pub async fn get_variable(&mut self, name: &str) -> Result<Option<String>, CommandError> {
        let success = self.command(Command::new("GET VARIABLE").arg(name)).await?;
        Ok(value(success))
    }

    /// `GET FULL VARIABLE`: evaluates a dialplan expression such as
    /// `${CHANNEL(language)}`, which is empty if nothing is set. The
    /// expression is code: a value from a caller has no place in it.
    pub async fn get_full_variable(
        &mut self,
        expression: &str,
    ) -> Result<Option<String>, CommandError> {
        let command = Command::new("GET FULL VARIABLE").arg(expression);
        Ok(value(self.command(command).await?))
    }

    /// `GET FULL VARIABLE` in the place of another channel; `None` if there is
    /// no such channel.
    pub async fn get_full_variable_of(
        &mut self,
        expression: &str,
        channel: &str,
    ) -> Result<Option<String>, CommandError> {
        let command = Command::new("GET FULL VARIABLE")
            .arg(expression)
            .arg(channel);
        Ok(value(self.command(command).await?))
    }

    /// `EXEC`: runs a dialplan application for as long as it takes: `Bridge`
    /// and `Dial` last as long as a conversation.
    ///
    /// The arguments are joined with commas; each must stay one argument
    /// (see [`join_application_arguments`]).
    ///
    /// What an application returns says little about the caller. `Bridge`
    /// returns 0 whoever hung up; `Dial` returns -1 when the called party
    /// did, unless its options say to go on. [`Session::check_hung_up`] tells.
    ///
    /// # Errors
    ///
    /// [`CommandError::HungUp`] if the application failed and the caller is
    /// gone; otherwise see [`CommandError`].
    pub async fn exec(
        &mut self,
        application: &str,
        arguments: &[&str],
    ) -> Result<ExecResult, CommandError> {
        self.exec_within(application, arguments, None).await
    }

    /// Like [`Self::exec`], giving up after `deadline` (`None`: never). The
    /// application goes on in the exchange, and so do later commands only
    /// when it has ended.
    pub async fn exec_within(
        &mut self,
        application: &str,
        arguments: &[&str],
        deadline: Option<Duration>,
    ) -> Result<ExecResult, CommandError> {
        let command = Command::new("EXEC")
            .arg(application)
            .arg(join_application_arguments(arguments)?)
            .within(deadline);
        let success = self.command(command).await?;
        match success.code() {
            Some(-2) => Ok(ExecResult::NoSuchApplication),
            Some(-1) if self.check_hung_up().await? => Err(CommandError::HungUp),
            Some(value) => Ok(ExecResult::Returned(value)),
            None => Err(CommandError::unexpected("EXEC")),
        }
    }

    /// `GOSUB`: runs a subroutine of the dialplan until its `Return`, with
    /// arguments that it finds in `ARG1` and on (see
    /// [`join_application_arguments`]). It is a command of `app_stack`.
    ///
    /// # Errors
    ///
    /// [`CommandError::HungUp`] if it failed and the caller is gone; otherwise
    /// see [`CommandError`].
    pub async fn gosub(
        &mut self,
        context: &str,
        extension: &str,
        priority: Priority<'_>,
        arguments: &[&str],
    ) -> Result<Subroutine, CommandError> {
        let arguments = (!arguments.is_empty())
            .then(|| join_application_arguments(arguments))
            .transpose()?;
        let command = Command::new("GOSUB")
            .arg(context)
            .arg(extension)
            .word(priority)
            .optional(arguments)
            .within(None);
        let success = self.command(command).await?;
        match success.code() {
            Some(0) => Ok(Subroutine::Returned),
            Some(_) if self.check_hung_up().await? => Err(CommandError::HungUp),
            Some(_) if success.rest().contains("not found") => Ok(Subroutine::NotFound),
            Some(_) => Ok(Subroutine::Failed),
            None => Err(CommandError::unexpected("GOSUB")),
        }
    }

    /// `SET CONTEXT`: sets the context in which the dialplan goes on when the
    /// session ends. It is not checked.
    pub async fn set_context(&mut self, context: &str) -> Result<(), CommandError> {
        let command = Command::new("SET CONTEXT").arg(context);
        self.checked(command).await.map(drop)
    }

    /// `SET EXTENSION`: sets the extension with which the dialplan goes on. It
    /// is not checked.
    pub async fn set_extension(&mut self, extension: &str) -> Result<(), CommandError> {
        let command = Command::new("SET EXTENSION").arg(extension);
        self.checked(command).await.map(drop)
    }

    /// `SET PRIORITY`: sets the priority with which the dialplan goes on. An
    /// unknown label is refused with code 520.
    pub async fn set_priority(&mut self, priority: Priority<'_>) -> Result<(), CommandError> {
        let command = Command::new("SET PRIORITY").word(priority);
        self.checked(command).await.map(drop)
    }

    /// `SET MUSIC`: switches music on hold on or off, with the default class
    /// if none is named.
    pub async fn set_music(&mut self, on: bool, class: Option<&str>) -> Result<(), CommandError> {
        let command = Command::new("SET MUSIC")
            .arg(if on { "ON" } else { "OFF" })
            .optional(class);
        self.checked(command).await.map(drop)
    }
}
