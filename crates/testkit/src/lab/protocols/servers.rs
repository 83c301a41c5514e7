//! Servers of FastAGI that are full, closed to strangers, or about to end.

use std::{sync::Arc, time::Duration};

use anyhow::ensure;
use strowger_agi::{Router, Server, ServerConfig, ServerStats, Session};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    bench::{Bench, eventually},
    desk::server_config,
    fast_agi::{agi_status, call_script},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a server over its limit is FAILURE to the dialplan",
            over_limit(bench),
        )
        .await;
    report
        .check(
            bench,
            "a stranger is FAILURE to the dialplan",
            stranger(bench),
        )
        .await;
    report
        .check(
            bench,
            "a server drains, and cuts what remains",
            drain(bench),
        )
        .await;
}

/// A server of a check's own.
struct Own {
    stats: Arc<ServerStats>,
    url: String,
    cancel: CancellationToken,
    running: JoinHandle<()>,
}

/// Serves with a handler that holds each session until its caller hangs up.
async fn own_server(bench: &Bench, config: ServerConfig) -> anyhow::Result<Own> {
    let server = Server::bind(config).await?;
    let url = format!("agi://{}/protocol", server.local_addr());
    let (stats, cancel) = (server.stats(), CancellationToken::new());
    let stop = cancel.clone();
    let router = Router::new().route("protocol", |mut session: Session| async move {
        session.wait_hangup().await;
    });
    let running = bench.tracker.spawn(async move {
        server
            .run(&TaskTracker::new(), stop, router.into_handler())
            .await;
    });
    Ok(Own {
        stats,
        url,
        cancel,
        running,
    })
}

async fn over_limit(bench: &Bench) -> anyhow::Result<()> {
    let server = own_server(
        bench,
        ServerConfig {
            max_sessions: 1,
            ..server_config(0)?
        },
    )
    .await?;
    let first = call_script(bench, &server.url).await?;
    eventually("the first session", || async {
        Ok(server.stats.sessions() == 1)
    })
    .await?;
    let second = call_script(bench, &server.url).await?;
    let status = agi_status(bench, &second).await?;
    ensure!(status == "FAILURE", "AGISTATUS is {status}");
    ensure!(server.stats.over_limit() == 1, "{:?}", server.stats);
    bench.end(&first).await?;
    server.cancel.cancel();
    timeout(Duration::from_secs(10), server.running).await??;
    Ok(())
}

async fn stranger(bench: &Bench) -> anyhow::Result<()> {
    let server = own_server(
        bench,
        ServerConfig {
            allow: vec!["192.0.2.0/24".parse()?],
            ..server_config(0)?
        },
    )
    .await?;
    let call = call_script(bench, &server.url).await?;
    let status = agi_status(bench, &call).await?;
    ensure!(status == "FAILURE", "AGISTATUS is {status}");
    ensure!(server.stats.not_admitted() == 1, "{:?}", server.stats);
    server.cancel.cancel();
    timeout(Duration::from_secs(10), server.running).await??;
    Ok(())
}

async fn drain(bench: &Bench) -> anyhow::Result<()> {
    let server = own_server(
        bench,
        ServerConfig {
            drain_timeout: Some(Duration::from_millis(500)),
            ..server_config(0)?
        },
    )
    .await?;
    let call = call_script(bench, &server.url).await?;
    eventually("the session", || async { Ok(server.stats.sessions() == 1) }).await?;
    server.cancel.cancel();
    timeout(Duration::from_secs(10), server.running).await??;
    ensure!(server.stats.cut() == 1, "{:?}", server.stats);
    let status = agi_status(bench, &call).await?;
    ensure!(status == "SUCCESS", "AGISTATUS is {status}");
    let late = call_script(bench, &server.url).await?;
    let status = agi_status(bench, &late).await?;
    ensure!(status == "FAILURE", "after the end AGISTATUS is {status}");
    Ok(())
}
