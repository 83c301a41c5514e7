//! One socket of the console.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::HeaderMap,
    response::Response,
};
use futures_util::SinkExt as _;
use serde::Deserialize;
use strowger_core::ids::UserId;
use strowger_store::login_sessions::LoginEnd;
use tokio::{
    sync::{OwnedSemaphorePermit, broadcast, broadcast::error::RecvError},
    time::{Instant, MissedTickBehavior},
};

use super::{Frame, Live, board, envelope, heard, presence::Seat};
use crate::{
    console::Answer,
    guard::{Access, Denied, authenticate, bearer},
    input::Query,
    problem::Problem,
    routes::stream::READ_BUFFER,
    state::{SessionEnded, Shared},
};

/// How often a console is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(30);

/// One that says nothing for so long has gone: two pings were not answered.
const SILENT_FOR: Duration = Duration::from_secs(65);

/// What is not taken within this time ends the connection.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// How often it is looked whether the user may still be here.
const CHECK_EVERY: Duration = Duration::from_mins(1);

/// Largest message from a console.
const MAX_MESSAGE: usize = 16 * 1024;

/// Most messages of a console between two pings of ours.
const MAX_MESSAGES: u32 = 150;

/// Why the sockets of a login are closed that a later one took the place of.
const REPLACED: &str = "logged in elsewhere";

mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const TOO_MUCH: u16 = 1008;
    pub(super) const TOO_SLOW: u16 = 1013;
    pub(super) const LOGGED_OUT: u16 = 4001;
    pub(super) const EXPIRED: u16 = 4401;
    pub(super) const NO_LONGER_ALLOWED: u16 = 4403;
}

/// How the console shows who it is: browsers cannot set headers here.
#[derive(Deserialize)]
pub(crate) struct Shown {
    token: Option<String>,
}

/// `GET /api/?token=…`: the console's socket.
pub(crate) async fn connect(
    State(app): State<Shared>,
    Query(shown): Query<Shown>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    let token = shown.token.or_else(|| bearer(&headers).map(str::to_owned));
    let token = token.ok_or_else(|| Problem::unauthenticated("give the token as ?token="))?;
    let news = News {
        changed: app.changed_users(),
        ended: app.ended_logins(),
    };
    let access = authenticate(&app, &token).await?;
    let upgrade = upgrade.map_err(|_| {
        Problem::malformed("this address speaks WebSocket: connect to it with ws:// or wss://")
    })?;
    let permit = app.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| {
        Problem::unavailable("busy", "there are too many consoles: close another one", 30)
    })?;
    // A connection is made anew at least once a day, so that a key without an end needs no other case.
    let seconds = access.expires.map_or(86_400, |expires| {
        u64::try_from(expires - app.now().as_second()).unwrap_or(0)
    });
    let until = Instant::now() + Duration::from_secs(seconds);
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        let console = Console {
            seat: Seat::take(&app, &access.user),
            batches: Live::listen(&app),
            app,
            access,
            token,
            until,
            _permit: permit,
        };
        if let End::Close(code, reason) = console.run(&mut socket, news).await {
            let frame = CloseFrame {
                code,
                reason: Utf8Bytes::from_static(reason),
            };
            let _ = send(&mut socket, Message::Close(Some(frame))).await;
        }
    }))
}

/// What may end a connection, since before its token was looked at.
struct News {
    changed: broadcast::Receiver<UserId>,
    ended: broadcast::Receiver<SessionEnded>,
}

struct Console {
    app: Shared,
    access: Access,
    token: String,
    seat: Seat,
    batches: broadcast::Receiver<Arc<[Frame]>>,
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The console closed it.
    InOrder,
    /// It is gone, or does not take what is sent.
    Gone,
    /// The console is told.
    Close(u16, &'static str),
}

impl Console {
    async fn run(mut self, socket: &mut WebSocket, news: News) -> End {
        let end = match self.serve(socket, news).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        // Who logged in elsewhere goes on working there.
        let logged_out = matches!(&end, End::Close(close::LOGGED_OUT, _));
        let replaced = matches!(&end, End::Close(_, REPLACED));
        self.seat.for_good = logged_out && !replaced;
        self.seat.in_order = logged_out || matches!(&end, End::InOrder);
        end
    }

    async fn serve(
        &mut self,
        socket: &mut WebSocket,
        mut news: News,
    ) -> Result<std::convert::Infallible, End> {
        self.greet(socket).await?;
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
                _ = check.tick() => self.still_allowed(socket).await?,
                // So many at once that some are missed: this one may be among them.
                who = news.changed.recv() => if who.map_or(true, |id| id == self.access.user.id) {
                    self.still_allowed(socket).await?;
                },
                login = news.ended.recv() => if login.map_or(true, |login| self.access.session == Some(login.session)) {
                    self.still_allowed(socket).await?;
                },
                message = socket.recv() => {
                    heard = Instant::now();
                    messages += 1;
                    if messages > MAX_MESSAGES {
                        return Err(End::Close(close::TOO_MUCH, "too many messages"));
                    }
                    match message {
                        Some(Ok(Message::Text(text))) => heard::take(&self.app, &self.access.user, &text).await,
                        Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                        Some(Ok(Message::Close(_))) => return Err(End::InOrder),
                        Some(Err(_)) | None => return Err(End::Gone),
                    }
                }
                batch = self.batches.recv() => match batch {
                    Ok(batch) => self.pass_on(socket, &batch).await?,
                    // What it missed cannot be made up for one by one: it comes back and reads anew.
                    Err(RecvError::Lagged(_)) => return Err(End::Close(close::TOO_SLOW, "too slow")),
                    Err(RecvError::Closed) => return Err(End::Gone),
                },
            }
        }
    }

    /// The states of agents, and after a loss the word to read everything anew.
    async fn greet(&self, socket: &mut WebSocket) -> Result<(), End> {
        let agents = self.app.api.hub.agents();
        let mut frames = board::states_for(&agents, &self.access.user.id, self.access.user.role);
        if self.seat.missed {
            frames.push(Frame::reload(super::Audience::User(
                self.access.user.id.clone(),
            )));
        }
        self.pass_on(socket, &frames).await
    }

    /// Sends what of a batch is for this one, in one write.
    async fn pass_on(&self, socket: &mut WebSocket, batch: &[Frame]) -> Result<(), End> {
        let mut any = false;
        let written = tokio::time::timeout(SEND_WITHIN, async {
            for frame in batch {
                if frame
                    .to
                    .includes(&self.access.user.id, self.access.user.role)
                {
                    socket.feed(Message::Text(frame.text.clone())).await?;
                    any = true;
                }
            }
            if any {
                socket.flush().await?;
            }
            Ok::<_, axum::Error>(())
        })
        .await;
        match written {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn still_allowed(&self, socket: &mut WebSocket) -> Result<(), End> {
        match authenticate(&self.app, &self.token).await {
            Ok(access) if access.user.role == self.access.user.role => Ok(()),
            Ok(_) | Err(Denied::Closed) => Err(End::Close(
                close::NO_LONGER_ALLOWED,
                "this account is not what it was",
            )),
            Err(Denied::Ended(cause)) => {
                let text = envelope("forceLogout", serde_json::json!({"reason": cause.as_str()}));
                send(socket, Message::Text(text)).await?;
                let reason = if cause == LoginEnd::Replaced {
                    REPLACED
                } else {
                    "the login has ended"
                };
                Err(End::Close(close::LOGGED_OUT, reason))
            }
            Err(Denied::Token(_)) => Err(End::Close(close::EXPIRED, "the login has expired")),
            // Nobody is thrown out because the database is away for a moment.
            Err(Denied::Failed(_)) => Ok(()),
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match tokio::time::timeout(SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}
