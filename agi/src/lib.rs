//! FastAGI for call control: an exchange connects, hands over one call, and
//! waits for orders.
//!
//! When a dialplan runs `AGI(agi://host:4573/dialer,abc)`, Asterisk opens a
//! TCP connection, writes a block of `agi_*` lines that describe the channel,
//! and then answers one command at a time. This crate holds the listening
//! side of that conversation, the same over AMI (`AGI(agi:async)`), and the
//! few helpers that a simulated exchange needs to play the other side.
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
//! | [`router`] | which handler serves which script | no |
//! | [`session`] | one call: typed commands, deadlines, hang-up | yes |
//! | [`async_agi`] | sessions over AMI, for a program that has a link | no |
//!
//! # A server
//!
//! Two scripts, a menu, and a caller who may hang up at any moment:
//!
//! ```no_run
//! use std::time::Duration;
//! use strowger_agi::{CommandError, ExecResult, Router, Server, ServerConfig, Session};
//! use tokio_util::{sync::CancellationToken, task::TaskTracker};
//!
//! /// `AGI(agi://host/menu?station=100)`
//! async fn menu(session: &mut Session) -> Result<(), CommandError> {
//!     session.answer().await?;
//!     for _ in 0..3 {
//!         let entry = session.get_data("main-menu", Duration::from_secs(5), 1).await?;
//!         match entry.digits.as_str() {
//!             "1" => return dial(session).await,
//!             "2" => {
//!                 session.say_digits("0800123", "#").await?;
//!             }
//!             _ => {
//!                 session.stream_file("invalid", "").await?;
//!             }
//!         }
//!     }
//!     session.hangup().await
//! }
//!
//! async fn dial(session: &mut Session) -> Result<(), CommandError> {
//!     let station = session.environment().query_value("station").unwrap_or("100").to_owned();
//!     // Lasts as long as the conversation: no deadline.
//!     let dialed = session.exec("Dial", &[&format!("PJSIP/{station}"), "20", "g"]).await?;
//!     if dialed == ExecResult::NoSuchApplication {
//!         return Ok(());
//!     }
//!     match session.get_variable("DIALSTATUS").await?.as_deref() {
//!         Some("ANSWER") => session.hangup().await,
//!         // The dialplan goes on where this extension has `n(voicemail)`.
//!         _ => session.set_priority(strowger_agi::Priority::Label("voicemail")).await,
//!     }
//! }
//!
//! /// `AGI(agi://host/wait)`: until somebody has time, or the caller gives up.
//! async fn wait(mut session: Session) {
//!     let served = tokio::time::sleep(Duration::from_secs(30));
//!     tokio::select! {
//!         () = session.wait_hangup() => {}
//!         () = served => {}
//!     }
//! }
//!
//! # async fn run() -> std::io::Result<()> {
//! let router = Router::new()
//!     .route("wait", wait)
//!     .route("menu", async |mut session: Session| match menu(&mut session).await {
//!         // A caller who hangs up early is no error of ours.
//!         Ok(()) | Err(CommandError::HungUp) => {}
//!         Err(error) => eprintln!("{}: {error}", session.peer()),
//!     });
//! let server = Server::bind(ServerConfig {
//!     allow: vec!["127.0.0.0/8".parse().expect("a constant network")],
//!     drain_timeout: Some(Duration::from_secs(60)),
//!     ..ServerConfig::default()
//! })
//! .await?;
//! let cancel = CancellationToken::new();
//! // Returns when `cancel` was cancelled and the last session has ended.
//! server.run(&TaskTracker::new(), cancel, router.into_handler()).await;
//! # Ok(())
//! # }
//! ```
//!
//! The same handlers serve calls over AMI; see [`async_agi`] for how events
//! become a session.
//!
//! # What the dialplan sees
//!
//! | the session | `AGISTATUS` |
//! |---|---|
//! | ends, by a drop or an end of the process | `SUCCESS` |
//! | ends after a command failed on the living channel, such as a missing sound | `FAILURE` |
//! | was refused: [`Session::refuse`], an unknown script, a limit, a stranger | `FAILURE` |
//! | could not be connected | `FAILURE` |
//! | ends after the caller hung up | `HANGUP`; no further priority is run |
//!
//! # What the types guarantee
//!
//! * **No injection.** Arguments are quoted; CR, LF and NUL are refused before
//!   a byte leaves; an argument of [`Session::exec`] can neither become a
//!   second argument nor swallow its neighbour.
//! * **No mistaken reply.** The `HANGUP` line that Asterisk writes between
//!   replies is noted, never read as a reply. After a command that timed out
//!   or whose future was dropped, the session finds the end of its replies
//!   before it sends the next one, although Asterisk gives none at all to some
//!   commands that are interrupted.
//! * **No unbounded input.** Lines, blocks, argument counts and usage texts
//!   have limits, and a peer that exceeds one is disconnected.
//! * **No secrets in logs.** Each session has a span with `agi.script`,
//!   `agi.unique_id`, `agi.channel` and `network.peer.address`, and each
//!   command an event at debug level with `agi.verb`, `agi.arguments` (how
//!   many), `agi.outcome`, `agi.code` and `duration_us`. Neither they nor the
//!   `Debug` output of any type here hold an argument, a result, or the
//!   number or name of a caller.
//!
//! # Cost
//!
//! A command is one write and one read. Deadlines set no timer while replies
//! come in time. On few cores, a current-thread runtime serves more sessions
//! than one with several workers, which hand tasks to each other.
//!
//! # Adding a command
//!
//! Add a method to the topic that it belongs to in `session/commands`, which
//! builds a [`Command`] and reads the [`Success`] it gets back; say in its
//! documentation what the result means. If the simulated exchange must know a
//! verb of several words, add it to [`client::VERBS`].

pub mod async_agi;
pub mod client;
pub mod command;
pub mod environment;
mod error;
mod percent;
pub mod reply;
pub mod router;
pub mod server;
pub mod session;

pub use command::{Command, InvalidArgument};
pub use environment::{Environment, EnvironmentError};
pub use error::CommandError;
pub use percent::percent_decode;
pub use reply::{Incoming, Reply, ReplyDecoder, ReplyError, Success};
pub use router::Router;
pub use server::{Server, ServerConfig, ServerStats};
pub use session::{
    Case, ChannelStatus, ControlEnd, ControlPlayback, ControlStatus, ControlStream, Data,
    DatabaseTree, ExecResult, Gender, OpenError, Peer, Playback, Priority, Recognition, Recognized,
    Record, Recording, RecordingEnd, Session, Subroutine, TddMode,
};
