//! FastAGI for call control: an exchange connects, hands over one call, and
//! waits for orders.
//!
//! When a dialplan runs `AGI(agi://host:4573/dialer,abc)`, Asterisk opens a
//! TCP connection, writes a block of `agi_*` lines that describe the channel,
//! and then answers one command at a time. This crate holds the listening
//! side of that conversation, and the few helpers that a simulated exchange
//! needs to play the other side.
//!
//! # Layout
//!
//! | module | holds | does IO |
//! |---|---|---|
//! | [`environment`] | the opening block of `agi_*` lines | no |
//! | [`command`] | building and quoting a command line | no |
//! | [`reply`] | decoding what Asterisk sends back, including the inline `HANGUP` line | no |
//! | [`client`] | what an exchange does: write an environment, read a command line | no |
//! | [`server`] | listening, admission, limits, draining | yes |
//! | [`session`] | one call: typed commands, deadlines, hang-up | yes |
//!
//! # A server
//!
//! ```no_run
//! use std::time::Duration;
//! use strowger_agi::{CommandError, Server, ServerConfig, Session};
//! use tokio_util::{sync::CancellationToken, task::TaskTracker};
//!
//! async fn greet(session: &mut Session) -> Result<(), CommandError> {
//!     session.answer().await?;
//!     let menu = session.get_data("main-menu", Duration::from_secs(5), 1).await?;
//!     if menu.digits == "1" {
//!         // Lasts as long as the conversation: no deadline.
//!         session.exec("Dial", &["PJSIP/100", "20"]).await?;
//!     }
//!     session.hangup().await
//! }
//!
//! # async fn run() -> std::io::Result<()> {
//! let server = Server::bind(ServerConfig {
//!     listen: ([127, 0, 0, 1], 4573).into(),
//!     allow: vec!["127.0.0.0/8".parse().expect("a constant network")],
//!     max_sessions: 2_000,
//!     environment_timeout: Duration::from_secs(5),
//!     command_timeout: Duration::from_secs(5),
//! })
//! .await?;
//! let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
//! server
//!     .run(&tracker, cancel, |mut session: Session| async move {
//!         // A caller who hangs up early is no error of ours.
//!         if let Err(CommandError::Protocol { reason }) = greet(&mut session).await {
//!             eprintln!("{}: {reason}", session.peer());
//!         }
//!     })
//!     .await;
//! tracker.close();
//! tracker.wait().await; // sessions that were running end by themselves
//! # Ok(())
//! # }
//! ```
//!
//! # What the types guarantee
//!
//! * **No injection.** Arguments are quoted; CR, LF and NUL are refused before
//!   a byte leaves; an argument of [`Session::exec`] can neither become a
//!   second argument nor swallow its neighbour.
//! * **No mistaken reply.** The `HANGUP` line that Asterisk writes between
//!   replies is noted, never read as a reply. A command that timed out or
//!   whose future was dropped leaves its reply owed, and the next command
//!   skips it.
//! * **No unbounded input.** Lines, blocks, argument counts and usage texts
//!   have limits, and a peer that exceeds one is disconnected.
//!
//! # Adding a command
//!
//! Add a method in `session/commands.rs` that builds a [`Command`] and reads
//! the [`Success`] it gets back; say in its documentation what the result
//! means. If the simulated exchange must know a verb of several words, add it
//! to [`client::VERBS`].

pub mod client;
pub mod command;
pub mod environment;
mod error;
pub mod reply;
pub mod server;
pub mod session;

pub use command::{Command, InvalidArgument};
pub use environment::{Environment, EnvironmentError};
pub use error::CommandError;
pub use reply::{Incoming, Reply, ReplyDecoder, ReplyError, Success};
pub use server::{Server, ServerConfig, ServerStats};
pub use session::{ChannelStatus, Data, ExecResult, Playback, Recording, RecordingEnd, Session};
