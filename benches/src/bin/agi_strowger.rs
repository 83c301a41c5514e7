//! Our FastAGI server: 20 typed commands per session.

use anyhow::ensure;
use strowger_agi::{Server, ServerConfig, Session};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Listening};
use strowger_benches::runtime;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["port", "runtime"])?;
    let port = arguments.or("port", 0)?;
    let name = arguments.or("runtime", "multi".to_owned())?;
    runtime::block_on(&name, serve(port))
}

async fn serve(port: u16) -> anyhow::Result<()> {
    let server = Server::bind(ServerConfig {
        listen: ([127, 0, 0, 1], port).into(),
        allow: vec!["127.0.0.0/8".parse()?],
        max_sessions: 10_000,
        ..ServerConfig::default()
    })
    .await?;
    report::print(&Listening {
        listening: server.local_addr().port(),
    })?;
    let tracker = TaskTracker::new();
    server
        .run(&tracker, CancellationToken::new(), |session| async move {
            // A session that fails ends early, which the load counts.
            if let Err(error) = talk(session).await {
                eprintln!("{error}");
            }
        })
        .await;
    Ok(())
}

async fn talk(mut session: Session) -> anyhow::Result<()> {
    for _ in 0..20 {
        let value = session.get_variable("STROWGER_CALL").await?;
        ensure!(value.as_deref() == Some("value"), "unexpected {value:?}");
    }
    Ok(())
}
