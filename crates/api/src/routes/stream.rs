//! The live view over a WebSocket.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use serde::{Deserialize, Serialize};
use strowger_core::ids::UserId;
use strowger_realtime::{FellBehind, Numbered, Position, Snapshot, Start, Subscription};
use strowger_store::login_sessions::LoginEnd;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast},
    time::{Instant, MissedTickBehavior},
};

use crate::{
    guard::{Access, Denied, WatchLive, authenticate, authorise, bearer},
    input::Query,
    problem::{Problem, ProblemBody},
    state::{SessionEnded, Shared},
};

/// How often a watcher is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(20);

/// A watcher that says nothing for so long has gone: two pings were not answered.
const SILENT_FOR: Duration = Duration::from_secs(45);

/// A message that is not taken within this time ends the connection.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether the user may still watch.
const CHECK_EVERY: Duration = Duration::from_mins(1);

/// Largest message from a watcher; the only one it has to send is a ping.
const MAX_MESSAGE: usize = 4 * 1024;

/// What is read at once from a socket. It is filled with zeros before every read: with 128 KiB,
/// the library's default, this took half of the CPU of a thousand busy sockets.
pub(crate) const READ_BUFFER: usize = 4 * 1024;

/// Most messages of a watcher between two pings of ours.
const MAX_MESSAGES: u32 = 100;

/// The subprotocol that is spoken. Browsers that cannot set headers may offer `bearer.<token>` beside it.
const PROTOCOL: &str = "strowger.v1";

/// Close codes: those of RFC 6455, and in the private range the HTTP status that it would have been.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const TOO_MUCH: u16 = 1008;
    pub(super) const EXPIRED: u16 = 4401;
    pub(super) const NO_LONGER_ALLOWED: u16 = 4403;
}

/// Where a watcher left off.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Watch {
    /// The token, for clients that can neither set headers nor offer subprotocols.
    token: Option<String>,
    /// `run` of the last snapshot.
    run: Option<String>,
    /// The last `seq` that was seen.
    seq: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
enum First<'a> {
    Snapshot(&'a Snapshot),
    Resumed { run: &'a str, seq: u64 },
}

/// Watch the live view
///
/// A WebSocket. The first message is `{"type":"snapshot","run":…,"seq":…,"agents":[…],"calls":[…],
/// "campaigns":[…],"servers":[…]}`, or with `run` and `seq` of an earlier connection
/// `{"type":"resumed","run":…,"seq":…}` when everything since is still known. Then comes every change
/// as `{"seq":n,"type":"call","data":{…}}`, numbered without a gap; a watcher that does not keep up gets
/// another snapshot in between. `{"type":"ping"}` is answered by `{"type":"pong"}`. Close code 4401
/// says that the login has ended, 4403 that the user may no longer watch.
#[utoipa::path(
    get, path = "/api/v1/stream", tag = "live", params(Watch),
    responses(
        (status = 101, description = "The live view follows"),
        (status = 401, description = "Not logged in", body = ProblemBody),
        (status = 403, description = "Not for agents", body = ProblemBody),
        (status = 503, description = "Too many watchers", body = ProblemBody),
    )
)]
pub(crate) async fn stream(
    State(app): State<Shared>,
    Query(watch): Query<Watch>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let token = bearer(&headers)
        .map(str::to_owned)
        .or(watch.token)
        .or_else(|| offered(&headers));
    let token = token.ok_or_else(|| {
        Problem::unauthenticated(
            "give the token as ?token=, as Authorization header or as subprotocol bearer.<token>",
        )
    })?;
    let news = News {
        changed: app.changed_users(),
        ended: app.ended_logins(),
    };
    let access = authenticate(&app, &token).await?;
    authorise::<WatchLive>(&access)?;
    let upgrade = upgrade.map_err(|_| {
        Problem::malformed("this address speaks WebSocket: connect to it with ws:// or wss://")
    })?;
    let permit = app.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| {
        Problem::unavailable(
            "busy",
            "there are too many watchers: close another board",
            30,
        )
    })?;
    let position = watch
        .run
        .zip(watch.seq)
        .map(|(run, seq)| Position { run, seq });
    // A connection is made anew at least once a day, so that a key without an end needs no other case.
    let seconds = access.expires.map_or(86_400, |expires| {
        u64::try_from(expires - app.now().as_second()).unwrap_or(0)
    });
    let watcher = Watcher {
        app,
        access,
        token,
        until: Instant::now() + Duration::from_secs(seconds),
        _permit: permit,
    };
    Ok(upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(|socket| async move {
            let mut socket = socket;
            if let Err(End::Close(code, reason)) = watcher.run(&mut socket, position, news).await {
                let frame = CloseFrame {
                    code,
                    reason: Utf8Bytes::from_static(reason),
                };
                let _ = send(&mut socket, Message::Close(Some(frame))).await;
            }
        }))
}

/// The token among the subprotocols that the client offers.
fn offered(headers: &HeaderMap) -> Option<String> {
    let lines = headers
        .get_all("sec-websocket-protocol")
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .find_map(|protocol| protocol.trim().strip_prefix("bearer.").map(str::to_owned))
}

/// What may end a connection, since before its token was looked at.
struct News {
    changed: broadcast::Receiver<UserId>,
    ended: broadcast::Receiver<SessionEnded>,
}

struct Watcher {
    app: Shared,
    access: Access,
    token: String,
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why a connection ends.
enum End {
    /// It is gone, or does not take what is sent.
    Gone,
    /// The watcher is told.
    Close(u16, &'static str),
}

impl Watcher {
    async fn run(
        &self,
        socket: &mut WebSocket,
        position: Option<Position>,
        mut news: News,
    ) -> Result<(), End> {
        let mut subscription = self.begin(socket, position.as_ref()).await?;
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        check.reset();
        let (mut heard, mut messages) = (Instant::now(), 0);
        loop {
            tokio::select! {
                biased;
                () = self.app.api.shutdown.cancelled() => return Err(End::Close(close::GOING_AWAY, "the daemon stops")),
                () = tokio::time::sleep_until(self.until) => return Err(End::Close(close::EXPIRED, "the login has expired")),
                _ = ping.tick() => {
                    if heard.elapsed() > SILENT_FOR {
                        return Err(End::Gone);
                    }
                    messages = 0;
                    send(socket, Message::Ping(Bytes::new())).await?;
                }
                _ = check.tick() => self.still_allowed().await?,
                // So many at once that some are missed: this one may be among them.
                who = news.changed.recv() => if who.map_or(true, |id| id == self.access.user.id) {
                    self.still_allowed().await?;
                },
                login = news.ended.recv() => if login.map_or(true, |login| self.is_mine(&login)) {
                    self.still_allowed().await?;
                },
                message = socket.recv() => {
                    heard = Instant::now();
                    messages += 1;
                    if messages > MAX_MESSAGES {
                        return Err(End::Close(close::TOO_MUCH, "too many messages"));
                    }
                    answer(socket, message).await?;
                }
                change = next(&mut subscription) => match change {
                    Ok(change) => send(socket, text(&change)).await?,
                    // It was too slow for single changes: everything at once is less.
                    Err(FellBehind) => subscription = self.begin(socket, None).await?,
                },
            }
        }
    }

    async fn begin(
        &self,
        socket: &mut WebSocket,
        position: Option<&Position>,
    ) -> Result<Subscription, End> {
        let subscription = self.app.api.hub.subscribe(position);
        match (&subscription.start, position) {
            (Start::Missed(missed), Some(position)) => {
                send_json(
                    socket,
                    &First::Resumed {
                        run: &position.run,
                        seq: position.seq,
                    },
                )
                .await?;
                for change in missed {
                    send(socket, text(change)).await?;
                }
            }
            (Start::Snapshot(snapshot), _) => send_json(socket, &First::Snapshot(snapshot)).await?,
            (Start::Missed(_), None) => return Err(End::Gone),
        }
        Ok(subscription)
    }

    fn is_mine(&self, ended: &SessionEnded) -> bool {
        tracing::debug!(user.id = %ended.user, cause = ended.cause.as_str(), "A login has ended");
        self.access.session == Some(ended.session)
    }

    async fn still_allowed(&self) -> Result<(), End> {
        match authenticate(&self.app, &self.token).await {
            Ok(access) if authorise::<WatchLive>(&access).is_ok() => Ok(()),
            Ok(_) | Err(Denied::Closed | Denied::Ended(LoginEnd::Deactivated)) => Err(End::Close(
                close::NO_LONGER_ALLOWED,
                "this account may no longer watch",
            )),
            Err(Denied::Ended(_) | Denied::Token(_)) => {
                Err(End::Close(close::EXPIRED, "the login has ended"))
            }
            // A board must not go dark because the database is away for a moment.
            Err(Denied::Failed(_)) => Ok(()),
        }
    }
}

fn text(change: &Numbered) -> Message {
    Message::Text(Utf8Bytes::from(&*change.json))
}

async fn next(subscription: &mut Subscription) -> Result<Arc<Numbered>, FellBehind> {
    match subscription.next().await? {
        Some(change) => Ok(change),
        // The hub lives as long as the daemon.
        None => pending().await,
    }
}

async fn answer(
    socket: &mut WebSocket,
    message: Option<Result<Message, axum::Error>>,
) -> Result<(), End> {
    #[derive(Deserialize)]
    struct Ask {
        #[serde(rename = "type")]
        kind: String,
    }
    match message {
        Some(Ok(Message::Text(text)))
            if serde_json::from_str::<Ask>(&text).is_ok_and(|ask| ask.kind == "ping") =>
        {
            send(
                socket,
                Message::Text(Utf8Bytes::from_static("{\"type\":\"pong\"}")),
            )
            .await
        }
        Some(Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {
            Ok(())
        }
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
    }
}

async fn send_json<T: Serialize + Sync>(socket: &mut WebSocket, value: &T) -> Result<(), End> {
    let text = serde_json::to_string(value).map_err(|error| {
        tracing::error!(%error, "The live view could not be written");
        End::Gone
    })?;
    send(socket, Message::Text(text.into())).await
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match tokio::time::timeout(SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}
