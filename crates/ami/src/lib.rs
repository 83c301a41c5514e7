//! Asterisk Manager Interface: codec without IO, typed events, and a connection
//! that survives its server.
//!
//! # From the wire upwards
//!
//! | module | what it does |
//! |---|---|
//! | [`codec`] | cuts a byte stream into frames and writes them, without IO |
//! | [`message`] | one received frame: ordered headers over one buffer |
//! | [`action`], [`actions`] | requests, checked before a byte is written |
//! | [`event`] | frames with typed fields |
//! | [`client`] | the connection: login, keep-alive, reconnection, answers |
//!
//! Everything below [`client`] is plain functions over bytes, so that it can be
//! tested, fuzzed and used by a simulated server ([`Decoder::for_server`],
//! [`encode_frame`], [`encode_banner`]).
//!
//! # How to hold a link
//!
//! [`connect`] gives a [`Client`] to send actions with and a queue of [`Notice`].
//! There is one rule to obey: after every [`Notice::Up`] and every
//! [`Notice::Gap`], take a snapshot, since Asterisk replays nothing and some
//! events may be missing. Take it in another task than the one that empties the
//! queue, because events go on arriving meanwhile.
//!
//! ```no_run
//! use strowger_ami::{ActionError, Client, ClientConfig, Event, Notice, actions, connect};
//! use tokio_util::{sync::CancellationToken, task::TaskTracker};
//!
//! async fn snapshot(client: Client) -> Result<(), ActionError> {
//!     for item in client.list(actions::core_show_channels()).await? {
//!         println!("{:?} is alive", item.get("Uniqueid"));
//!     }
//!     Ok(())
//! }
//!
//! # async fn run() {
//! let tracker = TaskTracker::new();
//! let cancel = CancellationToken::new();
//! let config = ClientConfig::new("127.0.0.1", "strowger", "secret");
//! let (client, mut notices) = connect(config, &tracker, cancel.clone());
//!
//! while let Some(notice) = notices.recv().await {
//!     match notice {
//!         Notice::Up { .. } | Notice::Gap { .. } => {
//!             tracker.spawn(snapshot(client.clone()));
//!         }
//!         Notice::Event(Event::Hangup(event)) => {
//!             println!("{} ended, cause {}", event.channel.uniqueid, event.cause);
//!         }
//!         Notice::Event(_) => {}
//!         Notice::Down { reason } => println!("no link: {reason}"),
//!         Notice::AuthenticationRefused { message } => println!("check the account: {message}"),
//!     }
//! }
//! # }
//! ```
//!
//! # What an error of an action means
//!
//! [`ActionError::TimedOut`] and [`ActionError::UnknownOutcome`] say that the
//! action **may have happened**. An Originate with such an answer must not be sent
//! again before its channel id was looked for; all other errors mean that nothing
//! happened.
//!
//! # Asterisk
//!
//! Written for Asterisk 18 to 23 (interface 7.0.3 to 12.0.0), and tolerant of the
//! command output of 13. Where a rule comes from the server, the documentation
//! names the source file.

pub mod action;
pub mod actions;
pub mod client;
pub mod codec;
pub mod event;
pub mod message;

pub use action::{Action, EncodeError};
pub use client::{
    ActionError, Auth, Boot, Client, ClientConfig, DownReason, GapReason, Health, LinkState,
    Notice, connect,
};
pub use codec::{DecodeError, Decoded, Decoder, encode_banner, encode_frame};
pub use event::{ChannelInfo, ChannelState, Event};
pub use message::{Kind, Message};
