//! asterisk-rs-agi: the server of its documentation with 20 typed commands.

use anyhow::anyhow;
use asterisk_rs_agi::{AgiChannel, AgiHandler, AgiRequest, AgiServer};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Listening};
use strowger_benches::runtime;

struct Talk;

impl AgiHandler for Talk {
    async fn handle(
        &self,
        _request: AgiRequest,
        mut channel: AgiChannel,
    ) -> asterisk_rs_agi::error::Result<()> {
        for _ in 0..20 {
            let answer = channel.get_variable("STROWGER_CALL").await?;
            if answer.data.as_deref() != Some("value") {
                eprintln!("unexpected {answer:?}");
                break;
            }
        }
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["port", "runtime"])?;
    let port = arguments.or("port", 0)?;
    let name = arguments.or("runtime", "multi".to_owned())?;
    runtime::block_on(&name, serve(port))
}

async fn serve(port: u16) -> anyhow::Result<()> {
    let (server, _shutdown) = AgiServer::builder()
        .bind(format!("127.0.0.1:{port}"))
        .handler(Talk)
        .max_connections(10_000)
        .build()
        .await
        .map_err(|error| anyhow!("{error}"))?;
    let address = server.local_addr().map_err(|error| anyhow!("{error}"))?;
    report::print(&Listening {
        listening: address.port(),
    })?;
    server.run().await.map_err(|error| anyhow!("{error}"))
}
