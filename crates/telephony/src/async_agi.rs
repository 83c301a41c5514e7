//! AGI over AMI: calls that a dialplan holds in `AGI(agi:async)`, with the sessions
//! of FastAGI.
//!
//! For a daemon that Asterisk cannot connect to. Each command costs a round trip over
//! the manager interface and its result an event, so that FastAGI is preferred where
//! it can be had.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use strowger_agi::{
    Session,
    async_agi::{self, BREAK, Ended, Order, Remote},
};
use strowger_ami::{
    ActionError, Client, Consumer, Event, EventKind, EventSet, Events, Message, Notice, actions,
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// Results and the end of a session that may wait for it. One command is under way at a
/// time, so there are never more than a few.
const WAITING: usize = 16;

/// Longest wait for the events of a channel that takes no more commands.
const ENDING: Duration = Duration::from_millis(500);

/// Pause before a call is let go again over a link that is up but did not answer.
const AGAIN: Duration = Duration::from_secs(5);

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
enum News {
    Result {
        command_id: String,
        text: String,
    },
    /// The next end is a hang-up: Asterisk tells of the hang-up itself only behind it.
    HangingUp,
    Ended(Ended),
}

impl fmt::Debug for News {
    /// Without the result: it may be what a caller entered.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Result { command_id, .. } => f
                .debug_struct("Result")
                .field("command_id", command_id)
                .finish_non_exhaustive(),
            Self::HangingUp => f.write_str("HangingUp"),
            Self::Ended(ended) => f.debug_tuple("Ended").field(ended).finish(),
        }
    }
}

/// Sessions by the unique id of their channel. The name of a channel may change.
type Sessions = Arc<Mutex<HashMap<String, mpsc::Sender<News>>>>;

/// The way to Asterisk, for the tasks of sessions.
#[derive(Clone)]
struct Link {
    client: Client,
    sessions: Sessions,
    tracker: TaskTracker,
    /// Changes whenever the link comes up.
    ups: watch::Receiver<()>,
}

/// Ends all sessions when it is dropped: no news will come.
struct Ends(Sessions);

impl Drop for Ends {
    fn drop(&mut self) {
        locked(&self.0).clear();
    }
}

impl AsyncAgi {
    /// The events that it lives from.
    const WANTED: EventSet = EventSet::of(&[
        EventKind::AsyncAgiStart,
        EventKind::AsyncAgiExec,
        EventKind::AsyncAgiEnd,
        EventKind::HangupRequest,
        EventKind::SoftHangupRequest,
        EventKind::Hangup,
    ]);

    /// Serves calls until the link ends for good, each with `handler` in a task of its
    /// own on `tracker`. The account needs `read = agi,call` and `write = agi`.
    ///
    /// A call that was waiting before the link came up is not seen: Asterisk announces
    /// each once. When the link is lost, its sessions end, and their dialplan goes on as
    /// soon as the link is back.
    pub async fn serve<H, F>(self, client: Client, tracker: TaskTracker, handler: H)
    where
        H: Fn(Session) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let consumer = Consumer {
            name: "async-agi".into(),
            ..Consumer::call_state()
        }
        .of(Self::WANTED);
        let mut events: Events = client.subscribe(consumer);
        let handler = Arc::new(handler);
        let (up, ups) = watch::channel(());
        let link = Link {
            client,
            sessions: Sessions::default(),
            tracker,
            ups,
        };
        let sessions = &link.sessions;
        let _ends = Ends(Arc::clone(sessions));
        while let Some(notice) = events.recv().await {
            match notice {
                Notice::Event(Event::AsyncAgiStart(event)) => {
                    let id = event.channel().uniqueid().into_owned();
                    let Some((session, remote, news)) = self.open(sessions, &id, event.raw())
                    else {
                        let released = link.clone().release(id, "refused".to_owned());
                        link.tracker.spawn(released);
                        continue;
                    };
                    let handler = Arc::clone(&handler);
                    link.tracker.spawn(link.clone().drive(remote, news, id));
                    link.tracker.spawn(async move { handler(session).await });
                }
                Notice::Event(Event::AsyncAgiExec(event)) => {
                    let news = News::Result {
                        command_id: event.command_id().unwrap_or_default().into_owned(),
                        text: header(event.raw(), "Result"),
                    };
                    tell(sessions, &event.channel().uniqueid(), news);
                }
                Notice::Event(Event::AsyncAgiEnd(event)) => {
                    let news = News::Ended(Ended::Released);
                    tell(sessions, &event.channel().uniqueid(), news);
                }
                Notice::Event(Event::HangupRequest(event) | Event::SoftHangupRequest(event)) => {
                    tell(sessions, &event.channel().uniqueid(), News::HangingUp);
                }
                Notice::Event(Event::Hangup(event)) => {
                    let news = News::Ended(Ended::HungUp);
                    tell(sessions, &event.channel().uniqueid(), news);
                }
                // Results may be missing, so that no session could go on in good order.
                Notice::Down { .. } | Notice::Gap { .. } => locked(sessions).clear(),
                Notice::Up { .. } => up.send_replace(()),
                Notice::Event(_) | Notice::AuthenticationRefused { .. } => {}
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
        let mut sessions = locked(sessions);
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
                // Where the channel was before, it is no more.
                if let Some(before) = sessions.insert(id.to_owned(), sender) {
                    let _ = before.try_send(News::Ended(Ended::Released));
                }
                Some((session, remote, news))
            }
            Err(error) => {
                warn!(%error, "A call over AMI has no environment");
                None
            }
        }
    }
}

/// How a session ended whose channel takes no more commands. Asterisk refuses one before
/// the events of the end are here.
async fn ending(news: &mut mpsc::Receiver<News>, hanging_up: bool) -> Ended {
    if hanging_up {
        return Ended::HungUp;
    }
    let heard = async {
        loop {
            match news.recv().await {
                Some(News::Result { .. }) => {}
                Some(News::HangingUp) => return Ended::HungUp,
                Some(News::Ended(ended)) => return ended,
                None => return Ended::Lost,
            }
        }
    };
    timeout(ENDING, heard).await.unwrap_or(Ended::Lost)
}

impl Link {
    /// Carries commands out and results back until the session has ended.
    async fn drive(self, remote: Remote, news: mpsc::Receiver<News>, id: String) {
        self.carry(remote, news, &id).await;
        forget(&self.sessions, &id);
    }

    async fn carry(&self, mut remote: Remote, mut news: mpsc::Receiver<News>, id: &str) {
        let mut connected = true;
        let mut hanging_up = false;
        loop {
            tokio::select! {
                order = remote.next_order() => {
                    let Some(Order { command_id, line }) = order else { return };
                    if line == BREAK {
                        // Whatever becomes of the session, the call must not wait in silence.
                        let released = self.clone().release(id.to_owned(), command_id);
                        self.tracker.spawn(released);
                        continue;
                    }
                    let sent = self.client.send(actions::agi(id, &line, &command_id)).await;
                    if let Err(error) = sent {
                        debug!(%error, "Asterisk takes no AGI command");
                        remote.end(ending(&mut news, hanging_up).await);
                    }
                }
                heard = news.recv(), if connected => match heard {
                    Some(News::Result { command_id, text }) => remote.result(&command_id, &text),
                    Some(News::HangingUp) => hanging_up = true,
                    Some(News::Ended(_)) if hanging_up => remote.end(Ended::HungUp),
                    Some(News::Ended(ended)) => remote.end(ended),
                    None => {
                        connected = false;
                        remote.end(Ended::Lost);
                    }
                },
            }
        }
    }

    /// Lets the dialplan of a call go on, at once or when the link is up again.
    async fn release(mut self, id: String, command_id: String) {
        loop {
            self.ups.mark_unchanged();
            let order = actions::agi(&id, BREAK, &command_id);
            match self.client.send(order).await {
                Ok(_) => return,
                // The call is gone, or goes on already.
                Err(error @ (ActionError::Rejected { .. } | ActionError::Encode(_))) => {
                    debug!(%error, "Cannot release a call over AMI");
                    return;
                }
                Err(error) => debug!(%error, "A call over AMI waits for its release"),
            }
            // It ends with `serve`.
            if let Ok(Err(_)) = timeout(AGAIN, self.ups.changed()).await {
                return;
            }
            // A further session of the channel must not be ended.
            if locked(&self.sessions)
                .get(&id)
                .is_some_and(|session| !session.is_closed())
            {
                return;
            }
        }
    }
}

fn tell(sessions: &Sessions, id: &str, news: News) {
    let mut sessions = locked(sessions);
    // One that takes no more has ended, or misses a result and has to end.
    if let Some(Err(error)) = sessions.get(id).map(|session| session.try_send(news)) {
        debug!(%error, "News for a session over AMI that is over");
        sessions.remove(id);
    }
}

/// Forgets a session that takes no more. The channel may be in a further one by now,
/// which stays.
fn forget(sessions: &Sessions, id: &str) {
    let mut sessions = locked(sessions);
    if sessions.get(id).is_some_and(mpsc::Sender::is_closed) {
        sessions.remove(id);
    }
}

fn locked(sessions: &Sessions) -> MutexGuard<'_, HashMap<String, mpsc::Sender<News>>> {
    // Nothing panics while it is held.
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

fn header(message: &Message, key: &str) -> String {
    message.get(key).unwrap_or_default().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::error::TryRecvError;

    fn one_session(id: &str) -> (Sessions, mpsc::Receiver<News>) {
        let (sender, news) = mpsc::channel(2);
        let sessions = Sessions::default();
        locked(&sessions).insert(id.to_owned(), sender);
        (sessions, news)
    }

    #[test]
    fn a_session_that_misses_news_ends() {
        let (sessions, mut news) = one_session("1");
        for _ in 0..3 {
            tell(&sessions, "1", News::HangingUp);
            tell(&sessions, "2", News::HangingUp);
        }
        for _ in 0..2 {
            assert!(matches!(news.try_recv(), Ok(News::HangingUp)));
        }
        assert_eq!(news.try_recv().err(), Some(TryRecvError::Disconnected));
    }

    #[test]
    fn sessions_end_with_the_service() {
        let (sessions, mut news) = one_session("1");
        drop(Ends(sessions));
        assert_eq!(news.try_recv().err(), Some(TryRecvError::Disconnected));
    }

    #[test]
    fn a_channel_that_comes_again_has_a_new_session() {
        let agi = AsyncAgi {
            command_timeout: AGAIN,
            max_sessions: 2,
        };
        let start = Message::parse("Event: AsyncAGIStart\r\nEnv: agi_request%3A%20async%0A".into())
            .expect("a frame");
        let sessions = Sessions::default();
        let (_session, _remote, mut before) = agi.open(&sessions, "1", &start).expect("room");
        let (_session, _remote, mut now) = agi.open(&sessions, "1", &start).expect("room");
        // It must not end the new one with a BREAK.
        let told = before.try_recv();
        assert!(matches!(told, Ok(News::Ended(Ended::Released))), "{told:?}");
        // What the old one leaves behind is not the new one's.
        drop(before);
        forget(&sessions, "1");
        tell(&sessions, "1", News::HangingUp);
        assert!(matches!(now.try_recv(), Ok(News::HangingUp)));
        drop(now);
        forget(&sessions, "1");
        assert!(locked(&sessions).is_empty());
    }
}
