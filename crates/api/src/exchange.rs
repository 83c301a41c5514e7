//! The way to the task that owns the switchboard.

use std::time::Duration;

use strowger_core::switchboard::{Command, Refused};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

/// A command whose answer takes longer than this is reported as unanswered.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A command on its way to the switchboard.
#[derive(Debug)]
pub struct Request {
    /// What is asked for.
    pub command: Command,
    /// Where the answer goes. Nobody may be waiting for it any more.
    pub reply: oneshot::Sender<Result<(), Refused>>,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The queue is full.
    #[error("the switchboard is busy: try again in a second")]
    Busy,
    /// The exchange task has ended or has not begun.
    #[error(
        "the switchboard is not running: the daemon is starting or stopping, try again in a moment"
    )]
    Down,
    /// No answer in time; the command may still be carried out.
    #[error(
        "the switchboard did not answer within 5 seconds: look at the live view before you try again"
    )]
    NoAnswer,
    /// The switchboard said no.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Sends commands to the switchboard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ExchangeHandle {
    requests: mpsc::Sender<Request>,
}

/// A bounded channel to the exchange task. When it is full, commands are refused as busy:
/// a person tries again, and a queue of stale wishes helps nobody.
pub fn exchange_channel(bound: usize) -> (ExchangeHandle, mpsc::Receiver<Request>) {
    let (requests, receiver) = mpsc::channel(bound.max(1));
    (ExchangeHandle { requests }, receiver)
}

impl ExchangeHandle {
    /// Has a command carried out and waits for the answer.
    ///
    /// # Errors
    /// [`ExchangeError`], with a text for the person who asked.
    pub async fn send(&self, command: Command) -> Result<(), ExchangeError> {
        let answer = self.enqueue(command)?;
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(result)) => result.map_err(ExchangeError::Refused),
            Ok(Err(_)) => Err(ExchangeError::Down),
            Err(_) => Err(ExchangeError::NoAnswer),
        }
    }

    /// Hands a command over without waiting for what becomes of it.
    ///
    /// # Errors
    /// [`ExchangeError::Busy`] and [`ExchangeError::Down`].
    pub fn notify(&self, command: Command) -> Result<(), ExchangeError> {
        self.enqueue(command).map(drop)
    }

    fn enqueue(
        &self,
        command: Command,
    ) -> Result<oneshot::Receiver<Result<(), Refused>>, ExchangeError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .try_send(Request { command, reply })
            .map_err(|error| match error {
                TrySendError::Full(_) => ExchangeError::Busy,
                TrySendError::Closed(_) => ExchangeError::Down,
            })?;
        Ok(answer)
    }
}
