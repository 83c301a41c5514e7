//! The handle of a running exchange.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Callee, Outcome, SimConfig, SimStats,
    link::{self, Gate},
    world::{Control, INPUTS, Input, World},
};

/// A running simulated exchange. Clones control the same one. It runs until
/// the token of [`Self::start`] is cancelled, whether a handle exists or not.
#[derive(Debug, Clone)]
pub struct SimExchange {
    address: SocketAddr,
    inputs: mpsc::Sender<Input>,
}

// === impl SimExchange ===

impl SimExchange {
    /// Begins to listen, and runs the exchange in tasks of `tracker` until
    /// `cancel`.
    ///
    /// # Errors
    ///
    /// What the operating system says about the listening address;
    /// [`io::ErrorKind::InvalidInput`] for a time scale that is not positive.
    pub async fn start(
        config: SimConfig,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> io::Result<Self> {
        if !(config.time_scale.is_finite() && config.time_scale > 0.0) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the time scale must be positive",
            ));
        }
        let listener = TcpListener::bind(config.ami_listen).await?;
        let address = listener.local_addr()?;
        let (inputs, receiver) = mpsc::channel(INPUTS);
        let (gate, gate_watch) = watch::channel(Gate::default());
        let world = World::new(
            config,
            inputs.clone(),
            tracker.clone(),
            cancel.clone(),
            gate,
        );
        tracker.spawn(world.run(receiver));
        tracker.spawn(link::accept(
            listener,
            inputs.clone(),
            gate_watch,
            tracker.clone(),
            cancel,
        ));
        Ok(Self { address, inputs })
    }

    /// Where manager connections are accepted.
    pub fn ami_addr(&self) -> SocketAddr {
        self.address
    }

    async fn control(&self, control: Control) {
        // An exchange that was cancelled has nothing to control.
        let _ = self.inputs.send(Input::Control(control)).await;
    }

    /// Makes a number or a station behave as told from now on.
    pub async fn pin(&self, number: impl Into<String>, callee: Callee) {
        self.control(Control::Pin(number.into(), callee)).await;
    }

    /// Calls a number of ours from outside, as somebody who enters `digits` at
    /// the prompts. Gives the uniqueid of the call; `None` if the exchange is
    /// full or gone.
    pub async fn inject_inbound<I, S>(&self, did: &str, caller: &str, digits: I) -> Option<String>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.inject_caller(did, caller, Callee::new(Outcome::Human).digits(digits))
            .await
    }

    /// Like [`Self::inject_inbound`], as somebody whose patience and
    /// talkativeness are given, too.
    pub async fn inject_caller(&self, did: &str, caller: &str, callee: Callee) -> Option<String> {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Inbound {
            did: did.to_owned(),
            caller: caller.to_owned(),
            callee,
            reply,
        })
        .await;
        answer.await.ok().flatten()
    }

    /// Lets the party at a channel (name or uniqueid) hang up, with a Q.850
    /// cause. `false` if there is no such channel.
    pub async fn hang_up(&self, channel: &str, cause: u16) -> bool {
        let (reply, answer) = oneshot::channel();
        self.control(Control::HangUp {
            channel: channel.to_owned(),
            cause,
            reply,
        })
        .await;
        answer.await.unwrap_or(false)
    }

    /// Drops all manager connections. Calls go on, and new connections are
    /// accepted.
    pub async fn cut_links(&self) {
        self.control(Control::CutLinks).await;
    }

    /// The exchange dies: all channels are gone without an event, connections
    /// and sessions are closed, and new connections are closed for `down_for`
    /// (on the clock of the simulated world).
    pub async fn restart(&self, down_for: Duration) {
        self.control(Control::Restart(down_for)).await;
    }

    /// Manager connections stay open, but nothing is read or written for this
    /// time (on the clock of the simulated world), like a network that has
    /// forgotten them. What happens meanwhile is told afterwards.
    pub async fn freeze_ami(&self, duration: Duration) {
        self.control(Control::Freeze(duration)).await;
    }

    /// From now on, each event is sent twice with this probability.
    pub async fn duplicate_events(&self, probability: f64) {
        self.control(Control::DuplicateEvents(probability)).await;
    }

    /// What was counted; all zero if the exchange is gone.
    pub async fn stats(&self) -> SimStats {
        let (reply, answer) = oneshot::channel();
        self.control(Control::Stats(reply)).await;
        answer.await.unwrap_or_default()
    }
}
