//! Measures how long an event of the live view takes to the sockets of the console.
//!
//! `bench_live [--sockets N] [--rate N] [--seconds N]` serves the API on this machine, connects
//! so many consoles of supervisors, one of which never reads, and lets agents change their
//! state so many times a second. Every console gets every change. The last line is one JSON
//! object. It needs `STROWGER_TEST_DATABASE` or makes the private server of the tests, and
//! two file descriptors for each socket.
//!
//! See `scripts/bench-live.sh`.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]
#![expect(clippy::disallowed_types, reason = "it measures time")]
#![expect(
    clippy::disallowed_methods,
    reason = "its clock is that of the machine"
)]

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use serde_json::json;
use strowger_api::{ApiSettings, ApiState, Auth, AuthSettings, ExchangeStatus, exchange_channel};
use strowger_core::{
    agent::{AgentState, LegMode},
    compliance::Packs,
    ids::{AgentSessionId, UserId},
    live::{AgentView, Change},
    permission::Role,
    time::{Timestamp, after},
};
use strowger_realtime::Hub;
use strowger_store::{Store, login_sessions::NewLogin, users::User};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{Message, protocol::WebSocketConfig},
};
use uuid::Uuid;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Agents whose states change.
const AGENTS: u64 = 200;

struct Options {
    sockets: usize,
    rate: u64,
    seconds: u64,
}

impl Options {
    fn read() -> Result<Self, Failure> {
        let mut options = Self {
            sockets: 1_000,
            rate: 200,
            seconds: 30,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("{name} needs a value"))?;
            match name.as_str() {
                "--sockets" => options.sockets = value.parse()?,
                "--rate" => options.rate = value.parse::<u64>()?.max(1),
                "--seconds" => options.seconds = value.parse::<u64>()?.max(1),
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(options)
    }
}

fn user(id: String, role: Role) -> Result<User, Failure> {
    Ok(User {
        id: UserId::new(id.clone())?,
        login_id: id.clone(),
        first_name: "Ada".to_owned(),
        last_name: id,
        email: None,
        role,
        is_active: true,
        password_hash: "none".to_owned(),
    })
}

/// A state that names its event.
fn change(event: u64) -> Result<Change, Failure> {
    Ok(Change::Agent(AgentView {
        id: UserId::new(format!("usr_{}", event % AGENTS))?,
        name: "Ada Lovelace".to_owned(),
        session_id: AgentSessionId(Uuid::nil()),
        state: AgentState::Paused(format!("event {event}")),
        since: Timestamp::now(),
        station: "PJSIP/1001".to_owned(),
        leg_mode: LegMode::NailedUp,
        reachable: true,
        call_id: None,
        preview: None,
        notice: None,
        busy_ms: 0,
        waiting_ms: 0,
    }))
}

/// The event that a message is about.
fn event_of(text: &str) -> Option<usize> {
    let rest = text.split_once("\"event ")?.1;
    rest.split_once('"')?.0.parse().ok()
}

fn state(store: &Store, hub: &Hub, auth: &Auth) -> Result<ApiState, Failure> {
    // Nobody commands anything: the queue is never read.
    let (exchange, _requests) = exchange_channel(1);
    let mut settings = ApiSettings::new("pbx".into());
    settings.max_streams = 100_000;
    Ok(ApiState {
        store: store.clone(),
        hub: hub.clone(),
        exchange,
        auth: auth.clone(),
        clock: Arc::new(Timestamp::now),
        ids: Arc::new(Uuid::now_v7),
        packs: Arc::new(Packs::built_in()?),
        settings,
        metrics: Arc::new(String::new),
        status: Arc::new(ExchangeStatus::default),
        devices: Arc::new(|_, _| Box::pin(std::future::ready(None))),
        trunks: None,
        system: strowger_api::SystemParts::default(),
        shutdown: tokio_util::sync::CancellationToken::new(),
    })
}

/// A console that connects and never reads.
async fn deaf(address: SocketAddr, token: &str) -> Result<TcpStream, Failure> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4_096)?;
    let mut stream = socket.connect(address).await?;
    let request = format!(
        "GET /api/?token={token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    if &answer != b"HTTP/1.1 101" {
        return Err("the console that never reads was not let in".into());
    }
    Ok(stream)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::read()?;
    let database = strowger_testkit::database::fresh().await?;
    let store = &database.store;
    let supervisor = user("supervisor".to_owned(), Role::Supervisor)?;
    store.create_user(&supervisor).await?;
    for agent in 0..AGENTS {
        let agent = user(format!("usr_{agent}"), Role::Agent)?;
        store.create_user(&agent).await?;
    }
    let auth = Auth::new(&AuthSettings::new(
        "an example of thirty-two bytes!!".into(),
    ))?;
    let (session, now) = (Uuid::new_v4(), Timestamp::now());
    let login = NewLogin {
        id: session,
        user: &supervisor.id,
        refresh_hash: [0; 32],
        peer: None,
        user_agent: "bench",
        expires_at: after(now, 86_400_000),
        now,
    };
    store.open_login(&login, false).await?;
    let token = auth.issue(&supervisor, session, now, Uuid::nil())?.text;
    let hub = Hub::new("bench".to_owned());
    let router = strowger_api::router(state(store, &hub, &auth)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let events = usize::try_from(options.rate * options.seconds)?;
    let published: Arc<Vec<OnceLock<Instant>>> =
        Arc::new((0..events).map(|_| OnceLock::new()).collect());
    let received = Arc::new(AtomicU64::new(0));
    let (delays, mut all_delays) = mpsc::unbounded_channel();
    let _deaf = deaf(address, &token).await?;
    let url = format!("ws://{address}/api/?token={token}");
    for _ in 1..options.sockets {
        // As small as the server's: the consoles share the machine with it.
        let config = WebSocketConfig::default().read_buffer_size(4_096);
        let (mut socket, _) = connect_async_with_config(&url, Some(config), true).await?;
        let (published, received, delays) = (
            Arc::clone(&published),
            Arc::clone(&received),
            delays.clone(),
        );
        tokio::spawn(async move {
            let mut mine = Vec::with_capacity(events);
            while mine.len() < events
                && let Some(Ok(message)) = socket.next().await
            {
                let Message::Text(text) = message else {
                    continue;
                };
                let event = event_of(&text).and_then(|event| published.get(event));
                if let Some(at) = event.and_then(OnceLock::get) {
                    mine.push(u32::try_from(at.elapsed().as_micros()).unwrap_or(u32::MAX));
                    received.fetch_add(1, Relaxed);
                }
            }
            let _ = delays.send(mine);
        });
    }
    drop(delays);

    let cpu = cpu_seconds();
    let began = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_micros(1_000_000 / options.rate));
    for (event, at) in published.iter().enumerate() {
        tick.tick().await;
        let _ = at.set(Instant::now());
        hub.publish(change(u64::try_from(event)?)?);
    }
    let took = began.elapsed();
    let mut micros = Vec::new();
    let collect = async {
        while let Some(mine) = all_delays.recv().await {
            micros.extend(mine);
        }
    };
    let complete = tokio::time::timeout(Duration::from_secs(20), collect)
        .await
        .is_ok();
    micros.sort_unstable();
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list"
        )]
        let place = (micros.len() as f64 * share) as usize;
        let micros = micros.get(place.min(micros.len().saturating_sub(1)));
        micros.map(|micros| f64::from(*micros) / 1_000.0)
    };
    let report = json!({
        "sockets": options.sockets,
        "never_reading": 1,
        "events": events,
        "events_per_second": f64::from(u32::try_from(events)?) / took.as_secs_f64(),
        "deliveries": received.load(Relaxed),
        "deliveries_wanted": events * (options.sockets - 1),
        "complete": complete,
        "p50_ms": at(0.50),
        "p99_ms": at(0.99),
        "p999_ms": at(0.999),
        "max_ms": at(1.0),
        "cpu_share_server_and_clients": cpu_seconds().zip(cpu).map(|(now, then)| (now - then) / took.as_secs_f64()),
    });
    println!("{report}");
    Ok(())
}

/// Seconds of CPU that this process has used, from `/proc/self/stat`.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    // USER_HZ is 100 on every Linux that matters.
    Some(ticks / 100.0)
}
