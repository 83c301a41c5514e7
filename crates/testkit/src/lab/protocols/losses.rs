//! What happens when the link or the server goes away.

use std::time::Duration;

use anyhow::{bail, ensure};
use strowger_ami::{ActionError, Boot, ClientConfig, Consumer, Event, Notice, actions};
use tokio::{
    io::copy,
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    bench::{Bench, Call, Link, text, up},
    link::first_up,
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "a cut link leaves the outcome of what was sent unknown",
            cut(bench),
        )
        .await;
    report
        .check(
            bench,
            "a silent server is noticed by its pings",
            silence(bench),
        )
        .await;
    report
        .check(
            bench,
            "a restart of Asterisk is Down, then Up with a new boot",
            restart(bench),
        )
        .await;
}

/// A relay between a client and the exchange that can be made deaf or cut.
#[derive(Debug)]
struct Relay {
    port: u16,
    deaf: CancellationToken,
    cut: CancellationToken,
    /// The ways back that are open.
    back: TaskTracker,
}

impl Relay {
    async fn open(bench: &Bench) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let relay = Self {
            port: listener.local_addr()?.port(),
            deaf: CancellationToken::new(),
            cut: CancellationToken::new(),
            back: TaskTracker::new(),
        };
        let config = bench.account()?;
        let (deaf, cut, open) = (relay.deaf.clone(), relay.cut.clone(), relay.back.clone());
        let (relays, stop) = (bench.tracker.clone(), bench.cancel.clone());
        bench.tracker.spawn(async move {
            while let Some(Ok((client, _))) = stop.run_until_cancelled(listener.accept()).await {
                let Ok(server) = TcpStream::connect((&*config.host, config.port)).await else {
                    return;
                };
                // What is cut once stays whole afterwards.
                let lasting = cut.is_cancelled();
                let (deaf, cut, open) = (deaf.clone(), cut.clone(), open.clone());
                let stop = stop.clone();
                relays.spawn(async move {
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let back = async {
                        if lasting {
                            drop(copy(&mut from_server, &mut to_client).await);
                        } else {
                            let copied = copy(&mut from_server, &mut to_client);
                            open.track_future(deaf.run_until_cancelled(copied)).await;
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        () = back => {}
                        _ = copy(&mut from_client, &mut to_server) => {}
                        () = cut.cancelled(), if !lasting => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
        });
        Ok(relay)
    }

    /// From the return on nothing passes back. A way back whose task had not
    /// been woken yet let an answer pass that came after the cancellation.
    async fn deafen(&self) {
        self.deaf.cancel();
        self.back.close();
        self.back.wait().await;
    }

    async fn link(&self, bench: &Bench) -> anyhow::Result<Link> {
        let config = ClientConfig {
            port: self.port,
            backoff_min: Duration::from_millis(10),
            ping_interval: Duration::from_millis(200),
            ping_timeout: Duration::from_secs(1),
            ..bench.account()?
        };
        let link = bench.link(config, Consumer::call_state());
        up(&link.journal, 0).await?;
        Ok(link)
    }
}

async fn cut(bench: &Bench) -> anyhow::Result<()> {
    let relay = Relay::open(bench).await?;
    let link = relay.link(bench).await?;
    let mark = link.journal.mark();
    relay.deafen().await;
    let request = bench.request("wait");
    let action = actions::originate(&request);
    let (sent, ()) = tokio::join!(link.client.send(action), async {
        // The exchange has placed the call although its answer is never read.
        let placed = bench.journal.event("Newchannel", 0, |event| match event {
            Event::NewChannel(event) if event.channel().uniqueid() == request.channel_id => {
                Some(())
            }
            _ => None,
        });
        drop(placed.await);
        relay.cut.cancel();
    });
    let Err(error) = sent else {
        bail!("there is an answer");
    };
    ensure!(error == ActionError::UnknownOutcome, "it is {error:?}");
    ensure!(!error.is_certain(), "it claims to be certain");
    down(&link, mark).await?;
    up(&link.journal, mark).await?;
    // Found again by its id, as the documentation says.
    let items = link.client.list(actions::core_show_channels()).await?;
    let found = items
        .iter()
        .any(|item| text(item, "Uniqueid") == request.channel_id);
    ensure!(found, "the call is not in the snapshot");
    ensure!(
        link.client.health().reconnects == 1,
        "{:?}",
        link.client.health()
    );
    let call = Call {
        one: request.channel_id.clone(),
        two: String::new(),
        mark: 0,
    };
    bench.end(&call).await
}

async fn silence(bench: &Bench) -> anyhow::Result<()> {
    let relay = Relay::open(bench).await?;
    let link = relay.link(bench).await?;
    let mark = link.journal.mark();
    relay.deafen().await;
    let reason = down(&link, mark).await?;
    ensure!(reason.contains("silent"), "it is {reason}");
    Ok(())
}

/// Waits for `Down`; gives the reason.
async fn down(link: &Link, mark: usize) -> anyhow::Result<String> {
    link.journal
        .notice("Down", mark, |notice| match notice {
            Notice::Down { reason } => Some(reason.to_string()),
            Notice::Up { .. }
            | Notice::Event(_)
            | Notice::Gap { .. }
            | Notice::AuthenticationRefused { .. } => None,
        })
        .await
}

async fn restart(bench: &Bench) -> anyhow::Result<()> {
    let link = bench.link(bench.account()?, Consumer::call_state());
    let (.., before) = first_up(&link).await?;
    let mark = link.journal.mark();
    bench.call("stay").await?;
    bench.asterisk.restart_pbx().await?;
    let shutdown = link.journal.event("Shutdown", mark, |event| match event {
        Event::Shutdown(event) => Some(event.restart()),
        _ => None,
    });
    ensure!(shutdown.await?, "the Shutdown is no restart");
    down(&link, mark).await?;
    let after = link
        .journal
        .notice("Up", mark, |notice| match notice {
            Notice::Up { boot, .. } => Some(*boot),
            Notice::Event(_)
            | Notice::Gap { .. }
            | Notice::Down { .. }
            | Notice::AuthenticationRefused { .. } => None,
        })
        .await?;
    let uptime = |boot: Option<Boot>| boot.and_then(|boot| boot.uptime_s);
    ensure!(
        uptime(after) < uptime(before),
        "it ran for {before:?} before and for {after:?} after"
    );
    up(&bench.journal, mark).await?;
    let channels = link.client.list(actions::core_show_channels()).await?;
    ensure!(channels.is_empty(), "{} channels survived", channels.len());
    Ok(())
}
