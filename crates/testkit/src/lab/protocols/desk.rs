//! Where sessions of AGI arrive, for the check that placed the call.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use strowger_agi::{Router, Server, ServerConfig, Session};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Hands each session to whoever waits for its call.
#[derive(Debug, Clone, Default)]
pub(super) struct Desk {
    expected: Arc<Mutex<HashMap<String, oneshot::Sender<Session>>>>,
}

/// A session that is to come.
#[derive(Debug)]
pub(super) struct Expected(oneshot::Receiver<Session>);

impl Desk {
    /// Serves FastAGI on a port of the loopback address.
    pub(super) async fn open(
        port: u16,
        tracker: &TaskTracker,
        cancel: CancellationToken,
    ) -> anyhow::Result<Self> {
        let desk = Self::default();
        let server = Server::bind(server_config(port)?)
            .await
            .with_context(|| format!("cannot listen on port {port}"))?;
        let serving = desk.clone();
        let router = Router::new().route("protocol", move |session| {
            let desk = serving.clone();
            async move { desk.arrived(session) }
        });
        let sessions = tracker.clone();
        tracker.spawn(async move {
            server.run(&sessions, cancel, router.into_handler()).await;
        });
        Ok(desk)
    }

    /// Announces that the session of this channel is wanted.
    pub(super) fn expect(&self, uniqueid: &str) -> Expected {
        let (sender, session) = oneshot::channel();
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.insert(uniqueid.to_owned(), sender);
        Expected(session)
    }

    /// Takes a session; one that nobody wants ends.
    pub(super) fn arrived(&self, session: Session) {
        let id = session.environment().unique_id().unwrap_or_default();
        let sender = {
            let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
            expected.remove(id)
        };
        if let Some(sender) = sender {
            // Who wanted it may have given up.
            drop(sender.send(session));
        }
    }
}

impl Expected {
    pub(super) async fn session(self) -> anyhow::Result<Session> {
        timeout(Duration::from_secs(20), self.0)
            .await
            .context("no session came within 20 s")?
            .context("the session was dropped")
    }
}

/// A server for the exchange of the lab.
pub(super) fn server_config(port: u16) -> anyhow::Result<ServerConfig> {
    Ok(ServerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], port)),
        allow: vec!["127.0.0.0/8".parse()?],
        ..ServerConfig::default()
    })
}
