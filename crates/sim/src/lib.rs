//! A simulated exchange: to the daemon it looks like an Asterisk with
//! thousands of calls.
//!
//! It listens for manager (AMI) connections and connects to the FastAGI port
//! of the daemon, with the same names, events, order and words as Asterisk 22
//! behind the dialplan of this repository. Nothing is dialed: called parties
//! are drawn from a seed, so that a number behaves the same each time.
//!
//! # Layout
//!
//! | module | holds |
//! |---|---|
//! | `config`, `callee`, `stats` | what it is told, how people behave, what it counts |
//! | `exchange` | the handle: faults, inbound calls, statistics |
//! | `world` | the state, owned by one task: channels, bridges, dialing, the dialplan, AGI commands, manager actions |
//! | `link`, `agi` | moving bytes of manager connections and sessions |
//! | [`shift`] | apart from the exchange: simulated working days, to compare pacing policies |
//!
//! # What is like the real thing
//!
//! * The answer to an Originate comes before the `Hangup`, and for a busy
//!   number before `DialEnd`. A rejected call and a number that does not exist
//!   are `NOANSWER` in `DialEnd` and reason 0, and have two `DialEnd`s; only
//!   the cause tells them apart.
//! * A `Linkedid` changes when a channel meets an older one.
//! * A channel whose caller has hung up exists until its session is closed,
//!   and only then is there a `Hangup`. The session is told by a `HANGUP` line,
//!   behind the reply of a command that was running, and then gets 511.
//! * `EXEC Bridge` returns 0 whoever ended it. `EXEC Dial` returns -1 when the
//!   called party ended it, unless its options have a `g`.
//! * Conversations outlive the connection to the daemon. A call that is not
//!   marked with `STROWGER_DONE` is offered again ten times.
//! * Permissions, input limits and error texts are those of `manager.c`.
//!
//! # What is not
//!
//! Filters are plain texts instead of regular expressions, an Originate is
//! always asynchronous, and channels are not renamed when they are bridged.
//!
//! # Example
//!
//! ```no_run
//! use strowger_sim::{Callee, Outcome, SimConfig, SimExchange};
//! use tokio_util::{sync::CancellationToken, task::TaskTracker};
//!
//! # async fn run() -> std::io::Result<()> {
//! let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
//! let mut config = SimConfig::new(([127, 0, 0, 1], 4573).into(), "strowger", "secret")
//!     .pin("33123456789", Callee::new(Outcome::Busy));
//! config.time_scale = 20.0;
//! let exchange = SimExchange::start(config, &tracker, cancel.clone()).await?;
//! println!("AMI on {}", exchange.ami_addr());
//! exchange.inject_inbound("33800000000", "33612345678", ["1"]).await;
//! assert!(exchange.stats().await.duplicates().is_empty());
//! # Ok(())
//! # }
//! ```

mod agi;
mod args;
mod callee;
mod config;
mod exchange;
mod frame;
mod link;
pub mod shift;
mod stats;
mod world;

pub use callee::{Callee, CalleeModel, Outcome, Spread, Verdict};
pub use config::SimConfig;
pub use exchange::SimExchange;
pub use stats::SimStats;
