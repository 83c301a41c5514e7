//! Listening, admission, limits and draining.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use crate::Session;

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
    /// Most sessions at once. Further connections are closed unread, and the
    /// dialplan tries again or plays its safe harbour.
    pub max_sessions: usize,
    /// Longest time from the connection to the end of the environment.
    pub environment_timeout: Duration,
    /// Longest wait for the reply to a command that takes no time by itself.
    pub command_timeout: Duration,
}

/// Counters of a server since it was bound.
#[derive(Debug, Default)]
pub struct ServerStats {
    accepted: AtomicU64,
    over_limit: AtomicU64,
    not_admitted: AtomicU64,
    failed_openings: AtomicU64,
    accept_errors: AtomicU64,
    sessions: AtomicU64,
}

/// A bound FastAGI server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    config: ServerConfig,
    stats: Arc<ServerStats>,
}

// === impl ServerStats ===

impl ServerStats {
    /// Connections that were admitted and within the limit.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Connections closed because `max_sessions` were running.
    pub fn over_limit(&self) -> u64 {
        self.over_limit.load(Relaxed)
    }

    /// Connections closed because the peer is in no allowed network.
    pub fn not_admitted(&self) -> u64 {
        self.not_admitted.load(Relaxed)
    }

    /// Connections without an acceptable environment in time.
    pub fn failed_openings(&self) -> u64 {
        self.failed_openings.load(Relaxed)
    }

    /// Failures of the operating system to accept.
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Relaxed)
    }

    /// Sessions that were handed to the handler.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Relaxed)
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

    /// Serves until `cancel`. Each session runs the handler in a task of
    /// `tracker`; sessions that run when accepting stops are left to end by
    /// themselves, so close the tracker and wait for it.
    pub async fn run<H, F>(self, tracker: &TaskTracker, cancel: CancellationToken, handler: H)
    where
        H: Fn(Session) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let sessions = Arc::new(Semaphore::new(
            self.config.max_sessions.min(Semaphore::MAX_PERMITS),
        ));
        let mut pause = ACCEPT_PAUSE.0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => {
                    pause = ACCEPT_PAUSE.0;
                    accepted
                }
                Err(error) => {
                    self.stats.accept_errors.fetch_add(1, Relaxed);
                    warn!(%error, "Cannot accept a FastAGI connection");
                    tokio::select! {
                        () = cancel.cancelled() => return,
                        () = time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(ACCEPT_PAUSE.1);
                    continue;
                }
            };
            if !self.admits(peer.ip()) {
                self.stats.not_admitted.fetch_add(1, Relaxed);
                debug!(%peer, "FastAGI peer not admitted");
                continue;
            }
            let Ok(permit) = Arc::clone(&sessions).try_acquire_owned() else {
                self.stats.over_limit.fetch_add(1, Relaxed);
                debug!(%peer, "FastAGI connection over the limit");
                continue;
            };
            self.stats.accepted.fetch_add(1, Relaxed);
            let (handler, stats) = (handler.clone(), Arc::clone(&self.stats));
            let environment_timeout = self.config.environment_timeout;
            let command_timeout = self.config.command_timeout;
            tracker.spawn(async move {
                let opened = open(stream, peer, environment_timeout, command_timeout).await;
                if let Some(session) = opened {
                    stats.sessions.fetch_add(1, Relaxed);
                    handler(session).await;
                } else {
                    stats.failed_openings.fetch_add(1, Relaxed);
                }
                drop(permit);
            });
        }
    }

    /// Whether a peer is in an allowed network.
    fn admits(&self, peer: IpAddr) -> bool {
        // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d.
        let peer = peer.to_canonical();
        self.config.allow.iter().any(|net| net.contains(&peer))
    }
}

/// Opens a session, or says in the log why not.
async fn open(
    stream: TcpStream,
    peer: SocketAddr,
    environment_timeout: Duration,
    command_timeout: Duration,
) -> Option<Session> {
    match Session::open(stream, peer, environment_timeout, command_timeout).await {
        Ok(session) => Some(session),
        Err(error) => {
            debug!(%peer, %error, "FastAGI connection without a call");
            None
        }
    }
}
