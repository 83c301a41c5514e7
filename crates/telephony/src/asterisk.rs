//! Asterisk: AMI for what happens and what is to happen, FastAGI for the calls that the
//! dialplan hands over.
//!
//! Per server one task reads the manager interface (`link`); per handed-over call one
//! task speaks FastAGI (`session`); one task carries out commands. They meet in two
//! bounded channels: events to the owner of the switchboard, commands from it.

mod flow;
mod link;
mod session;
mod speech;
mod translate;
pub mod trunks;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use strowger_agi::{Server, ServerConfig};
use strowger_ami::{Client, ClientConfig, Consumer};
use strowger_core::telephony::{
    Command, Event, ServerName, SessionCommand, SessionEvent, SessionId,
};
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};
use uuid::Uuid;

pub use speech::Speech;

/// Events that may wait for the switchboard. When they do, the adapter's tasks wait too, the
/// AMI client fills its own queue and in the end pauses its reading. Should Asterisk close
/// the connection for that, a snapshot repairs it: nothing is lost silently.
const EVENTS: usize = 8_192;

/// Commands that may wait for the adapter; the switchboard waits when there are more.
const COMMANDS: usize = 8_192;

/// Commands that may wait for one session. The switchboard never has two under way.
const SESSION_COMMANDS: usize = 8;

/// One Asterisk server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Its configured name.
    pub name: ServerName,
    /// Its manager interface.
    pub ami: ClientConfig,
}

/// What the adapter needs to know.
#[derive(Clone)]
pub struct Settings {
    /// The servers, at least one.
    pub servers: Vec<ServerSettings>,
    /// Where to answer FastAGI, and for whom.
    pub agi: ServerConfig,
    /// Where recordings and voicemails go, as Asterisk sees it.
    pub recordings: String,
    /// Where the media library is, as Asterisk sees it.
    pub media: String,
    /// The PJSIP endpoint that flows transfer callers through, unless they name one.
    pub transfer_trunk: Option<String>,
    /// Speaks texts that have no sound file.
    pub speech: Option<Arc<Speech>>,
    /// Makes ids for callers who arrive.
    pub new_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

/// A running adapter.
pub struct Adapter {
    /// What happens.
    pub events: mpsc::Receiver<Event>,
    /// What is to happen.
    pub commands: mpsc::Sender<Command>,
    /// The address that FastAGI is answered on.
    pub agi_address: SocketAddr,
    /// The links, for health and metrics.
    pub links: Vec<(ServerName, Client)>,
}

impl std::fmt::Debug for Adapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adapter")
            .field("agi_address", &self.agi_address)
            .finish_non_exhaustive()
    }
}

/// What the tasks of the adapter share.
struct Shared {
    events: mpsc::Sender<Event>,
    sessions: Mutex<HashMap<SessionId, mpsc::Sender<SessionCommand>>>,
    next_session: AtomicU64,
    settings: Settings,
}

impl Shared {
    /// Tells the switchboard; waits when it is busy. `false` when it is gone.
    async fn tell(&self, event: Event) -> bool {
        self.events.send(event).await.is_ok()
    }

    async fn tell_session(&self, session: SessionId, event: SessionEvent) -> bool {
        self.tell(Event::Session { session, event }).await
    }

    fn open_session(&self) -> (SessionId, mpsc::Receiver<SessionCommand>) {
        let id = SessionId(self.next_session.fetch_add(1, Relaxed));
        let (commands, queue) = mpsc::channel(SESSION_COMMANDS);
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, commands);
        (id, queue)
    }

    fn close_session(&self, id: SessionId) {
        self.sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }

    fn command_session(&self, id: SessionId, command: SessionCommand) {
        let session = self
            .sessions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .cloned();
        match session.map(|session| session.try_send(command)) {
            Some(Ok(())) => {}
            // It ended meanwhile; the switchboard learns so from its Closed event.
            None | Some(Err(mpsc::error::TrySendError::Closed(_))) => {
                debug!(session = id.0, "Command for a session that is over");
            }
            Some(Err(mpsc::error::TrySendError::Full(_))) => warn!(
                session = id.0,
                "Too many commands for a session, one is dropped"
            ),
        }
    }
}

/// Starts the adapter. Its tasks run on `tracker` until `cancel` is cancelled.
///
/// # Errors
/// When the FastAGI port cannot be listened on.
pub async fn start(
    settings: Settings,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> io::Result<Adapter> {
    let agi = Server::bind(settings.agi.clone()).await?;
    let agi_address = agi.local_addr();
    let (events, event_queue) = mpsc::channel(EVENTS);
    let (commands, command_queue) = mpsc::channel(COMMANDS);
    let shared = Arc::new(Shared {
        events,
        sessions: Mutex::new(HashMap::new()),
        next_session: AtomicU64::new(1),
        settings,
    });
    let mut links = Vec::new();
    let mut by_name = HashMap::new();
    for server in &shared.settings.servers {
        let consumer = Consumer::call_state().of(translate::WANTED);
        let (client, notices) =
            strowger_ami::connect(server.ami.clone(), consumer, tracker, cancel.child_token());
        // One snapshot answers every request for one that came before it.
        let (sync, sync_requests) = mpsc::channel(1);
        let link = link::Link {
            name: server.name.clone(),
            client: client.clone(),
            shared: Arc::clone(&shared),
        };
        tracker.spawn(link.run(notices, sync_requests));
        by_name.insert(
            server.name.clone(),
            link::Handle {
                client: client.clone(),
                sync,
            },
        );
        links.push((server.name.clone(), client));
    }
    tracker.spawn(link::carry_out(by_name, command_queue, Arc::clone(&shared)));
    let handler_shared = Arc::clone(&shared);
    let handler_stop = cancel.child_token();
    let handler =
        move |session| session::serve(session, Arc::clone(&handler_shared), handler_stop.clone());
    let (agi_tracker, agi_cancel) = (tracker.clone(), cancel.child_token());
    tracker.spawn(async move { agi.run(&agi_tracker, agi_cancel, handler).await });
    Ok(Adapter {
        events: event_queue,
        commands,
        agi_address,
        links,
    })
}

/// How long a short application such as `MixMonitor` may take to start.
const QUICK: Duration = Duration::from_secs(5);
