//! AGI over AMI: calls that a dialplan holds in `AGI(agi:async)`, with the sessions
//! of FastAGI.
//!
//! For a daemon that Asterisk cannot connect to. Each command costs a round trip over
//! the manager interface and its result an event, so that FastAGI is preferred where
//! it can be had.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use strowger_agi::{
    Session,
    async_agi::{self, Ended, Order, Remote},
};
use strowger_ami::{
    Client, Consumer, Event, EventKind, EventSet, Events, Message, Notice, actions,
};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Results and the end of a session that may wait for it. One command is under way at a
/// time, so there are never more than a few.
const WAITING: usize = 16;

/// What to serve, and how.
#[derive(Debug, Clone)]
pub struct AsyncAgi {
    /// Longest wait for the reply to a command that takes no time by itself.
    pub command_timeout: Duration,
    /// Most sessions at once. The dialplan of a further call goes on at once, as after a
    /// session that did nothing.
    pub max_sessions: usize,
}

/// What happens to one session.
#[derive(Debug)]
enum News {
    Result { command_id: String, text: String },
    Ended(Ended),
}

type Sessions = Arc<RwLock<HashMap<String, mpsc::Sender<News>>>>;

impl AsyncAgi {
    /// The events that it lives from.
    const WANTED: EventSet = EventSet::of(&[
        EventKind::AsyncAgiStart,
        EventKind::AsyncAgiExec,
        EventKind::AsyncAgiEnd,
        EventKind::Hangup,
    ]);

    /// Serves calls until the link ends for good, each with `handler` in a task of its
    /// own on `tracker`. The account needs `read = agi,call` and `write = agi`.
    ///
    /// A call that was waiting before the link came up is not seen: Asterisk announces
    /// each once.
    pub async fn serve<H, F>(self, client: Client, tracker: TaskTracker, handler: H)
    where
        H: Fn(Session) -> F + Send + Sync,
        F: Future<Output = ()> + Send + 'static,
    {
        let consumer = Consumer {
            name: "async-agi".into(),
            ..Consumer::call_state()
        }
        .of(Self::WANTED);
        let mut events: Events = client.subscribe(consumer);
        let sessions = Sessions::default();
        while let Some(notice) = events.recv().await {
            match notice {
                Notice::Event(Event::AsyncAgiStart(event)) => {
                    let channel = event.channel();
                    let (name, id) = (channel.name().into_owned(), channel.uniqueid().into_owned());
                    let Some((session, remote, news)) = self.open(&sessions, &id, event.raw())
                    else {
                        tracker.spawn(release(client.clone(), name));
                        continue;
                    };
                    let (client, sessions) = (client.clone(), Arc::clone(&sessions));
                    tracker.spawn(async move {
                        drive(remote, news, &client, &name).await;
                        write(&sessions).remove(&id);
                    });
                    tracker.spawn(handler(session));
                }
                Notice::Event(Event::AsyncAgiExec(event)) => {
                    let news = News::Result {
                        command_id: event.command_id().unwrap_or_default().into_owned(),
                        text: header(event.raw(), "Result"),
                    };
                    tell(&sessions, &event.channel().uniqueid(), news);
                }
                Notice::Event(Event::AsyncAgiEnd(event)) => {
                    let news = News::Ended(Ended::Released);
                    tell(&sessions, &event.channel().uniqueid(), news);
                }
                Notice::Event(Event::Hangup(event)) => {
                    let news = News::Ended(Ended::HungUp);
                    tell(&sessions, &event.channel().uniqueid(), news);
                }
                // Results may be missing, so that no session could go on in good order.
                Notice::Down { .. } | Notice::Gap { .. } => write(&sessions).clear(),
                Notice::Event(_) | Notice::Up { .. } | Notice::AuthenticationRefused { .. } => {}
            }
        }
    }

    /// Opens a session, unless there are too many or its environment is none.
    fn open(
        &self,
        sessions: &Sessions,
        id: &str,
        start: &Message,
    ) -> Option<(Session, Remote, mpsc::Receiver<News>)> {
        let mut sessions = write(sessions);
        if sessions.len() >= self.max_sessions {
            warn!(
                max_sessions = self.max_sessions,
                "Too many sessions over AMI"
            );
            return None;
        }
        match async_agi::open(&header(start, "Env"), self.command_timeout) {
            Ok((session, remote)) => {
                let (sender, news) = mpsc::channel(WAITING);
                sessions.insert(id.to_owned(), sender);
                Some((session, remote, news))
            }
            Err(error) => {
                warn!(%error, "A call over AMI has no environment");
                None
            }
        }
    }
}

/// Carries commands out and results back until the session has ended.
async fn drive(mut remote: Remote, mut news: mpsc::Receiver<News>, client: &Client, channel: &str) {
    let mut connected = true;
    loop {
        tokio::select! {
            order = remote.next_order() => {
                let Some(Order { command_id, line }) = order else { return };
                let sent = client.send(actions::agi(channel, &line, &command_id)).await;
                if let Err(error) = sent {
                    debug!(%error, "Asterisk takes no AGI command");
                    remote.end(Ended::Released);
                }
            }
            heard = news.recv(), if connected => match heard {
                Some(News::Result { command_id, text }) => remote.result(&command_id, &text),
                Some(News::Ended(ended)) => remote.end(ended),
                None => {
                    connected = false;
                    remote.end(Ended::Released);
                }
            },
        }
    }
}

/// Lets the dialplan of a call that is not served go on.
async fn release(client: Client, channel: String) {
    let order = actions::agi(&channel, "ASYNCAGI BREAK", "refused");
    if let Err(error) = client.send(order).await {
        debug!(%error, "Cannot release a call over AMI");
    }
}

fn tell(sessions: &Sessions, id: &str, news: News) {
    let sender = sessions
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(id)
        .cloned();
    // A session that takes no more has ended.
    if let Some(Err(error)) = sender.map(|sender| sender.try_send(news)) {
        debug!(%error, "News for a session over AMI that is over");
    }
}

fn write(
    sessions: &Sessions,
) -> std::sync::RwLockWriteGuard<'_, HashMap<String, mpsc::Sender<News>>> {
    // Nothing panics while it is held.
    sessions.write().unwrap_or_else(PoisonError::into_inner)
}

fn header(message: &Message, key: &str) -> String {
    message.get(key).unwrap_or_default().into_owned()
}
