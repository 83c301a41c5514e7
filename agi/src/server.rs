//! Listening, admission, limits and draining.

mod stats;

pub use stats::ServerStats;

use std::{
    io::{self, Write as _},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, debug, warn};

use crate::{Session, client};

/// The port that Asterisk takes if a URL names none (`AGI_PORT`).
pub const PORT: u16 = 4573;

/// Connections that the kernel may hold before they are accepted. A dialer
/// that starts can have many answers in one instant.
const BACKLOG: u32 = 1_024;

/// First and longest pause after a failed accept. Such a failure is a lack of
/// descriptors or memory as a rule, and trying at once would burn a core.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// How to listen and whom to serve.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Networks whose hosts are served. FastAGI has no authentication, so an
    /// empty list serves nobody.
    pub allow: Vec<IpNet>,
    /// Most sessions at once. Further connections are refused unread: the
    /// dialplan goes on with `AGISTATUS=FAILURE`, and tries again or plays its
    /// safe harbour.
    pub max_sessions: usize,
    /// Longest time from the connection to the end of the environment.
    pub environment_timeout: Duration,
    /// Longest wait for the reply to a command that takes no time by itself.
    pub command_timeout: Duration,
    /// How long sessions may go on after the server stopped accepting; `None`
    /// for as long as they last. Those that remain are closed, and their
    /// dialplan goes on with `AGISTATUS=SUCCESS`.
    pub drain_timeout: Option<Duration>,
}

/// A bound FastAGI server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
    stats: Arc<ServerStats>,
}

impl Default for ServerConfig {
    /// The port of FastAGI on the loopback address, serving nobody until
    /// `allow` says whom; a thousand sessions, five seconds for each timeout,
    /// and sessions that drain for as long as they last.
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], PORT)),
            allow: Vec::new(),
            max_sessions: 1_000,
            environment_timeout: Duration::from_secs(5),
            command_timeout: Duration::from_secs(5),
            drain_timeout: None,
        }
    }
}

// === impl Server ===

impl Server {
    /// Binds the address. Connections wait in the kernel until
    /// [`Self::run`].
    ///
    /// # Errors
    ///
    /// What the operating system says, such as an address in use.
    #[expect(
        clippy::unused_async,
        reason = "a listener can only be made inside a runtime, which the signature says"
    )]
    pub async fn bind(config: ServerConfig) -> io::Result<Self> {
        let socket = if config.listen.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // Calls of the previous process leave connections in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        // Inherited by accepted connections: a session without deadline on
        // an exchange that lost its power ends at last.
        socket.set_keepalive(true)?;
        // Inherited as well. A command is one small write that waits for one
        // small reply: the case in which Nagle's algorithm only costs time.
        socket.set_nodelay(true)?;
        socket.bind(config.listen)?;
        let listener = socket.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            config,
            stats: Arc::default(),
        })
    }

    /// The address that is listened on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters, which outlive [`Self::run`].
    pub fn stats(&self) -> Arc<ServerStats> {
        Arc::clone(&self.stats)
    }

    /// Serves until `cancel`, then lets the sessions that run come to their
    /// end, for at most the `drain_timeout`. When this returns, no session
    /// runs. The tasks of sessions are counted in `tracker`.
    ///
    /// Each session runs the handler in a task and in a span of its own
    /// ([`Session::span`]). A handler that panics ends its session only. If
    /// this future is dropped, all sessions are.
    ///
    /// Whoever is not served is refused in a way that the dialplan notices, as
    /// [`Session::refuse`] does.
    pub async fn run<H, F>(self, tracker: &TaskTracker, cancel: CancellationToken, handler: H)
    where
        H: Fn(Session) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let Self {
            listener,
            config,
            stats,
            ..
        } = self;
        let limit = u32::try_from(config.max_sessions).unwrap_or(u32::MAX);
        let limit = limit.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        let places = Arc::new(Semaphore::new(usize::try_from(limit).unwrap_or(usize::MAX)));
        let mut tasks = JoinSet::new();
        while let Some((stream, peer)) = accept(&listener, &cancel, &stats).await {
            // Forgets those that have ended.
            while tasks.try_join_next().is_some() {}
            if !config.admits(peer.ip()) {
                stats.count_not_admitted();
                debug!(%peer, "FastAGI peer not admitted");
                refuse(stream);
                continue;
            }
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                stats.count_over_limit();
                debug!(%peer, "FastAGI connection over the limit");
                refuse(stream);
                continue;
            };
            let running = stats.count_accepted();
            let (handler, stats) = (handler.clone(), Arc::clone(&stats));
            let environment_timeout = config.environment_timeout;
            let command_timeout = config.command_timeout;
            tasks.spawn(tracker.track_future(async move {
                match Session::open(stream, peer, environment_timeout, command_timeout).await {
                    Ok(session) => {
                        stats.count_session();
                        let session = session.counted_in(&stats);
                        let span = session.span();
                        handler(session).instrument(span).await;
                    }
                    Err((error, stream)) => {
                        stats.count_failed_opening();
                        debug!(%peer, %error, "FastAGI connection without a call");
                        if let Some(stream) = stream {
                            refuse(stream);
                        }
                    }
                }
                drop((running, place));
            }));
        }
        // Nobody is kept waiting in the backlog.
        drop(listener);
        let running = stats.running();
        // All places are free again when all sessions have ended.
        let ended = places.acquire_many(limit);
        let cut = match config.drain_timeout {
            None => ended.await.map_or(0, |_| 0),
            Some(longest) => match time::timeout(longest, ended).await {
                Ok(_) => 0,
                Err(_) => stats.running(),
            },
        };
        stats.count_drain(running, cut);
        if cut > 0 {
            warn!(
                sessions = cut,
                "FastAGI sessions were closed at the end of the drain timeout"
            );
        }
        tasks.shutdown().await;
    }
}

impl ServerConfig {
    /// Whether a peer is in an allowed network.
    fn admits(&self, peer: IpAddr) -> bool {
        // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
        let peer = peer.to_canonical();
        self.allow.iter().any(|net| net.contains(&peer))
    }
}

/// The next connection; `None` when the server is to stop.
async fn accept(
    listener: &TcpListener,
    cancel: &CancellationToken,
    stats: &ServerStats,
) -> Option<(TcpStream, SocketAddr)> {
    let mut pause = ACCEPT_PAUSE.0;
    loop {
        let accepted = tokio::select! {
            biased;
            () = cancel.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        let error = match accepted {
            Ok(accepted) => return Some(accepted),
            Err(error) => error,
        };
        stats.count_accept_error();
        warn!(%error, "Cannot accept a FastAGI connection");
        tokio::select! {
            () = cancel.cancelled() => return None,
            () = time::sleep(pause) => {}
        }
        pause = (pause * 2).min(ACCEPT_PAUSE.1);
    }
}

/// Closes a connection so that the dialplan goes on with `AGISTATUS=FAILURE`.
fn refuse(stream: TcpStream) {
    // Without waiting: there is room for a word in a socket to which nothing
    // was written, and the peer may be anybody.
    if let Ok(mut stream) = stream.into_std() {
        let _ = stream.write(client::FAILURE.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_inherit_their_options() {
        let server = Server::bind(ServerConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            ..ServerConfig::default()
        })
        .await
        .expect("a free port");
        let (near, far) = tokio::join!(
            server.listener.accept(),
            TcpStream::connect(server.local_addr())
        );
        far.expect("a listener");
        let (near, _) = near.expect("a connection");
        assert!(near.nodelay().expect("an open socket"));
    }
}
