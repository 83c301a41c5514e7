//! Asterisk Manager Interface: codec without IO, typed events and actions, and a
//! link that survives its server.
//!
//! For Asterisk 16 to 23 (interface 5.0.5 to 12.0.0); the output of commands is
//! understood as 13 and older write it, too. Where a rule comes from the server, the
//! documentation names the source file.
//!
//! # From the wire upwards
//!
//! | module | what it does |
//! |---|---|
//! | [`codec`] | cuts a byte stream into frames and writes them, without IO |
//! | [`message`] | one received frame: ordered headers over the buffer it came in |
//! | [`action`], [`actions`] | requests, checked before a byte is written |
//! | [`event`] | frames with typed fields, and sets of events |
//! | [`client`] | the link: login, keep-alive, reconnection, answers, consumers |
//!
//! Everything below [`client`] is plain functions over bytes, so that it can be
//! tested, fuzzed and used by a simulated server ([`Decoder::for_server`],
//! [`encode_frame`], [`encode_banner`]).
//!
//! # Watching calls
//!
//! [`connect`] gives a [`Client`] to send actions with, and the [`Events`] of a first
//! [`Consumer`]. There is one rule to obey: after every [`Notice::Up`] and every
//! [`Notice::Gap`], take a snapshot, since Asterisk replays nothing and some events
//! may be missing. Take it in another task than the one that takes the events,
//! because they go on arriving meanwhile.
//!
//! ```no_run
//! use strowger_ami::{
//!     ActionError, Client, ClientConfig, Consumer, Event, EventSet, Notice, actions, connect,
//!     event::lists::CoreShowChannel,
//! };
//! use tokio_util::{sync::CancellationToken, task::TaskTracker};
//!
//! async fn snapshot(client: Client) -> Result<(), ActionError> {
//!     for item in client.list(actions::core_show_channels()).await? {
//!         if let Ok(item) = CoreShowChannel::new(item) {
//!             println!("{} is alive", item.channel().uniqueid());
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # async fn run() {
//! let tracker = TaskTracker::new();
//! let cancel = CancellationToken::new();
//! let config = ClientConfig::new("127.0.0.1", "strowger", "secret");
//! // Asterisk is asked for the classes of these events only.
//! let calls = Consumer::call_state().of(EventSet::CALLS | EventSet::BRIDGES);
//! let (client, mut events) = connect(config, calls, &tracker, cancel.clone());
//!
//! while let Some(notice) = events.recv().await {
//!     match notice {
//!         Notice::Up { .. } | Notice::Gap { .. } => {
//!             tracker.spawn(snapshot(client.clone()));
//!         }
//!         Notice::Event(Event::Hangup(event)) => {
//!             println!("{} ended, cause {}", event.channel().uniqueid(), event.cause());
//!         }
//!         Notice::Event(_) => {}
//!         Notice::Down { reason } => println!("no link: {reason}"),
//!         // Final, until `client.retry()`.
//!         Notice::AuthenticationRefused { message } => println!("check the account: {message}"),
//!     }
//! }
//! # }
//! ```
//!
//! # Placing a call
//!
//! The response to an Originate only says that Asterisk has accepted it; the
//! outcome is an event with the channel id that we chose.
//!
//! ```no_run
//! # use strowger_ami::{ActionError, Client, actions::{self, OriginateRequest}};
//! # async fn run(client: Client) {
//! let call = OriginateRequest {
//!     channel: "PJSIP/33123456789@carrier".into(),
//!     channel_id: "attempt-4711".into(), // unique for ever
//!     context: "dialer".into(),
//!     exten: "s".into(),
//!     priority: 1,
//!     timeout_ms: 30_000,
//!     variables: vec![("NOTE".into(), r#"any, "text""#.into())],
//!     ..OriginateRequest::default()
//! };
//! match client.send(actions::originate(&call)).await {
//!     Ok(_) => println!("wait for OriginateResponse of attempt-4711"),
//!     Err(error) if error.is_certain() => println!("nothing was dialed: {error}"),
//!     // Dialing again now could ring twice.
//!     Err(error) => println!("look for attempt-4711 in a snapshot first: {error}"),
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
//! # A second consumer, and late ones
//!
//! Any number of consumers share a link. One that keeps the state of calls loses
//! nothing while the link is up; one that only watches may, and is told by a
//! [`Notice::Gap`]. See [`client`] for the bounds.
//!
//! ```no_run
//! # use strowger_ami::{Client, Consumer, EventSet};
//! # fn run(client: &Client) {
//! let wallboard = Consumer::monitor("wallboard").of(EventSet::QUEUES);
//! let mut events = client.subscribe(wallboard);
//! for consumer in client.health().consumers {
//!     println!("{} is {:?} behind", consumer.name, consumer.lag);
//! }
//! # }
//! ```
//!
//! # An encrypted link
//!
//! ```no_run
//! # use strowger_ami::{ClientConfig, Tls};
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let pem = std::fs::read("/etc/asterisk/keys/asterisk.pem")?;
//! let config = ClientConfig {
//!     port: 5039,
//!     tls: Some(Tls::trusting(&pem)?),
//!     ..ClientConfig::new("pbx.example.com", "strowger", "secret")
//! };
//! # Ok(())
//! # }
//! ```
//!
//! # Secrets
//!
//! No `Debug` output and no log line of this crate holds a password, a login key, a
//! channel variable whose name says that it is secret, or what a caller enters.

pub mod action;
pub mod actions;
pub mod client;
pub mod codec;
pub mod event;
pub mod message;

pub use action::{Action, EncodeError};
pub use client::{
    ActionError, Auth, Boot, Client, ClientConfig, Consumer, ConsumerHealth, DownReason, Events,
    GapReason, Health, LinkState, Notice, Overflow, Tls, TlsError, connect,
};
pub use codec::{DecodeError, Decoded, Decoder, encode_banner, encode_frame};
pub use event::{Channel, ChannelState, Event, EventClass, EventKind, EventSet};
pub use message::{Kind, Message};
