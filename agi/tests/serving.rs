//! Routing, draining, and peers that do not behave, over real sockets.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it")]

use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};

use strowger_agi::{
    CommandError, Router, Server, ServerConfig, ServerStats, Session, client, reply::MAX_REPLY,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const LONG: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_millis(100);

struct Running {
    address: SocketAddr,
    stats: Arc<ServerStats>,
    tracker: TaskTracker,
    cancel: CancellationToken,
}

async fn start<F>(
    config: ServerConfig,
    handler: impl Fn(Session) -> F + Clone + Send + Sync + 'static,
) -> Running
where
    F: Future<Output = ()> + Send + 'static,
{
    let server = Server::bind(ServerConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..config
    })
    .await
    .unwrap();
    let (address, stats) = (server.local_addr(), server.stats());
    let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
    let (inner, token) = (tracker.clone(), cancel.clone());
    tracker.spawn(async move { server.run(&inner, token, handler).await });
    tracker.close();
    Running {
        address,
        stats,
        tracker,
        cancel,
    }
}

/// A server whose sessions ask for one variable; what came of it.
async fn asking(
    command_timeout: Duration,
) -> (
    Running,
    mpsc::Receiver<Result<Option<String>, CommandError>>,
) {
    let (sender, outcomes) = mpsc::channel(10);
    let config = ServerConfig {
        command_timeout,
        ..ServerConfig::default()
    };
    let running = start(config, move |mut session: Session| {
        let sender = sender.clone();
        async move {
            let outcome = session.get_variable("A").await;
            sender.send(outcome).await.unwrap();
        }
    })
    .await;
    (running, outcomes)
}

/// Waits until a condition holds.
async fn until(condition: impl Fn() -> bool) {
    timeout(LONG, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

async fn connect(running: &Running, script: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let block = client::environment_block([("network_script", script), ("uniqueid", "1.1")]);
    stream.write_all(block.as_bytes()).await.unwrap();
    stream
}

/// All that the server sends until it closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.unwrap();
    String::from_utf8(rest).unwrap()
}

/// Reads one command line.
async fn command(stream: &mut TcpStream) -> String {
    let mut line = String::new();
    while !line.ends_with('\n') {
        let byte = timeout(LONG, stream.read_u8()).await.unwrap().unwrap();
        line.push(char::from(byte));
    }
    line
}

#[tokio::test]
async fn scripts_go_to_their_handlers() {
    let greet = |words: &'static str| {
        move |mut session: Session| async move {
            let query = session.environment().query_value("flow").map(str::to_owned);
            let text = format!("{words} {}", query.unwrap_or_default());
            let _ = session.verbose(&text, 1).await;
        }
    };
    let router = Router::new()
        .route("dialer", greet("dialer"))
        .route("", greet("nothing"))
        .route("a b/c", greet("path"));
    let running = start(ServerConfig::default(), router.clone().into_handler()).await;
    for (script, said) in [
        ("dialer?flow=7", "dialer 7"),
        ("/dialer", "dialer "),
        ("", "nothing "),
        ("a%20b/c", "path "),
    ] {
        let mut stream = connect(&running, script).await;
        assert_eq!(
            command(&mut stream).await,
            format!("VERBOSE \"{said}\" \"1\"\n")
        );
        stream.write_all(b"200 result=1\n").await.unwrap();
        assert_eq!(rest(stream).await, "");
    }
    assert_eq!(running.stats.refused(), 0);
    for unknown in ["Dialer", "dialer/", "x?dialer"] {
        let stream = connect(&running, unknown).await;
        // The dialplan goes on with AGISTATUS=FAILURE.
        assert_eq!(rest(stream).await, client::FAILURE);
    }
    until(|| running.stats.running() == 0).await;
    assert_eq!((running.stats.refused(), running.stats.sessions()), (3, 7));

    let with_fallback = router.fallback(greet("fallback")).into_handler();
    let running = start(ServerConfig::default(), with_fallback).await;
    let mut stream = connect(&running, "Dialer").await;
    assert!(command(&mut stream).await.contains("fallback"));
}

#[tokio::test]
async fn sessions_are_cut_at_the_drain_timeout() {
    let config = ServerConfig {
        drain_timeout: Some(SOON),
        ..ServerConfig::default()
    };
    let running = start(config, |mut session: Session| async move {
        if session.environment().network_script() == "short" {
            session.wait_hangup().await;
        } else {
            pending::<()>().await;
        }
        drop(session);
    })
    .await;
    let short = connect(&running, "short").await;
    let endless = connect(&running, "endless").await;
    until(|| running.stats.sessions() == 2).await;
    running.cancel.cancel();
    drop(short);
    assert_eq!(rest(endless).await, "");
    timeout(LONG, running.tracker.wait()).await.unwrap();
    let stats = &running.stats;
    assert_eq!((stats.drained(), stats.cut(), stats.running()), (1, 1, 0));
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn a_server_without_drain_timeout_waits_for_its_sessions() {
    let running = start(ServerConfig::default(), |mut session: Session| async move {
        session.wait_hangup().await;
    })
    .await;
    let stream = connect(&running, "x").await;
    until(|| running.stats.sessions() == 1).await;
    running.cancel.cancel();
    assert!(timeout(SOON, running.tracker.wait()).await.is_err());
    drop(stream);
    timeout(LONG, running.tracker.wait()).await.unwrap();
    assert_eq!((running.stats.drained(), running.stats.cut()), (1, 0));
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_session_only() {
    let running = start(ServerConfig::default(), |session: Session| async move {
        assert_ne!(session.environment().network_script(), "bad");
    })
    .await;
    assert_eq!(rest(connect(&running, "bad").await).await, "");
    assert_eq!(rest(connect(&running, "good").await).await, "");
    until(|| running.stats.running() == 0).await;
    assert_eq!(running.stats.sessions(), 2);
}

#[tokio::test]
async fn one_byte_at_a_time() {
    let (running, mut outcomes) = asking(LONG).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let block = client::environment_block([("network_script", "x"), ("uniqueid", "1.1")]);
    for byte in block.bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(command(&mut stream).await, "GET VARIABLE \"A\"\n");
    for byte in "HANGUP\n\n100 x\n200 result=1 (a\nb)\n".bytes() {
        stream.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let outcome = outcomes.recv().await.unwrap();
    assert_eq!(outcome.unwrap().as_deref(), Some("a\nb"));
}

#[tokio::test]
async fn connections_that_are_cut() {
    let (running, mut outcomes) = asking(LONG).await;
    // In the environment.
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"agi_network: yes\nagi_").await.unwrap();
    drop(stream);
    until(|| running.stats.failed_openings() == 1).await;
    // In a reply.
    let mut stream = connect(&running, "x").await;
    let _ = command(&mut stream).await;
    stream.write_all(b"200 result=1 (val").await.unwrap();
    drop(stream);
    let outcome = outcomes.recv().await.unwrap();
    assert_eq!(outcome, Err(CommandError::Disconnected));
    // Only its sending half: it still reads, but will never answer.
    let mut stream = connect(&running, "x").await;
    stream.shutdown().await.unwrap();
    let outcome = outcomes.recv().await.unwrap();
    assert_eq!(outcome, Err(CommandError::Disconnected));
}

#[tokio::test]
async fn a_peer_that_never_answers_times_out() {
    let (running, mut outcomes) = asking(SOON).await;
    let stream = connect(&running, "x").await;
    let outcome = timeout(LONG, outcomes.recv()).await.unwrap().unwrap();
    assert_eq!(outcome, Err(CommandError::TimedOut));
    assert_eq!(rest(stream).await, "GET VARIABLE \"A\"\n");
}

#[tokio::test]
async fn floods_end_the_session() {
    let usage = "520-begin\n".to_owned() + &"usage text without an end\n".repeat(MAX_REPLY / 8);
    let value = "200 result=1 (".to_owned() + &"value without an end\n".repeat(MAX_REPLY / 8);
    for flood in ["2".repeat(MAX_REPLY * 2), usage, value] {
        let (running, mut outcomes) = asking(LONG).await;
        let mut stream = connect(&running, "x").await;
        let _ = command(&mut stream).await;
        // The server closes in the middle, so the write may fail.
        let _ = stream.write_all(flood.as_bytes()).await;
        let outcome = timeout(LONG, outcomes.recv()).await.unwrap().unwrap();
        assert!(
            matches!(outcome, Err(CommandError::Protocol { .. })),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn replies_that_nobody_asked_for_end_an_idle_session() {
    let running = start(ServerConfig::default(), |mut session: Session| async move {
        session.wait_hangup().await;
        assert_eq!(session.noop().await, Err(CommandError::Disconnected));
    })
    .await;
    let mut stream = connect(&running, "x").await;
    for _ in 0..10_000 {
        if stream.write_all(b"200 result=0\n").await.is_err() {
            break;
        }
    }
    until(|| running.stats.running() == 0).await;
}

#[tokio::test]
async fn environments_that_are_no_call_are_refused() {
    let running = start(ServerConfig::default(), |_| pending::<()>()).await;
    for bad in [
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "agi_a: 1\nagi_a: 2\n\n",
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(bad.as_bytes()).await.unwrap();
        assert_eq!(rest(stream).await, client::FAILURE);
    }
    assert_eq!(running.stats.failed_openings(), 2);
    assert_eq!(running.stats.sessions(), 0);
}
