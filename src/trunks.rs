//! The trunks that Strowger configures at exchanges: for the API, and after a start.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use strowger_ami::{Client, Consumer, EventSet, Notice};
use strowger_api::{Auth, TrunkDesk, own_trunks};
use strowger_core::{
    telephony::ServerName,
    trunk_file::{OwnTrunk, Refused, Seen},
};
use strowger_store::Store;
use strowger_telephony::asterisk::trunks::{Trunks, seen};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    config::{Config, Server},
    daemon::new_id,
};

/// How long an exchange may take to say how a trunk is doing.
const ANSWER: Duration = Duration::from_secs(3);

/// Pause before an exchange that did not take its trunks is given them again.
const RETRY: Duration = Duration::from_mins(1);

/// An exchange.
struct Exchange {
    link: Client,
    /// Its trunks, when Strowger configures them.
    trunks: Option<Arc<Trunks<Client>>>,
}

/// The exchanges, and their trunks where these are configured by Strowger.
pub struct Desk {
    servers: BTreeMap<ServerName, Exchange>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk")
            .field("servers", &self.servers.keys())
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// All of them; those that have a `trunks_file` are configured.
    pub fn new(config: &Config, links: &[(ServerName, Client)]) -> Self {
        let with_file = |(name, link): &(ServerName, Client)| {
            let server = config.asterisk.servers.get(&*name.0);
            let file = server.and_then(Server::trunks_file);
            let trunks = file.map(|file| Arc::new(Trunks::new(link.clone(), file.to_owned())));
            let link = link.clone();
            (name.clone(), Exchange { link, trunks })
        };
        Self {
            servers: links.iter().map(with_file).collect(),
        }
    }

    fn trunks(&self, server: &ServerName) -> Option<Arc<Trunks<Client>>> {
        self.servers.get(server)?.trunks.clone()
    }

    /// Gives each exchange the trunks of the database whenever its link has come up: what a crash,
    /// a restored database or somebody's editor left otherwise is healed then. Ends with `stop`.
    pub async fn keep(self: Arc<Self>, store: Store, auth: Auth, stop: CancellationToken) {
        let each = self.servers.iter().filter_map(|(server, exchange)| {
            let trunks = exchange.trunks.as_deref()?;
            Some(keep(server, &exchange.link, trunks, &store, &auth, &stop))
        });
        futures_util::future::join_all(each).await;
        stop.cancelled().await;
    }
}

async fn keep(
    server: &ServerName,
    link: &Client,
    trunks: &Trunks<Client>,
    store: &Store,
    auth: &Auth,
    stop: &CancellationToken,
) {
    let mut notices = link.subscribe(Consumer::monitor("trunks").of(EventSet::NONE));
    let mut again = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            notice = notices.recv() => match notice {
                None => return,
                Some(Notice::Up { .. }) => {}
                Some(_) => continue,
            },
            () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
        }
        again = match reconcile(server, trunks, store, auth).await {
            Ok(()) => None,
            Err(why) => {
                error!(%server, file = %trunks.file().display(), why, "The exchange may have other trunks than the database");
                Some(Instant::now() + RETRY)
            }
        };
    }
}

async fn reconcile(
    server: &ServerName,
    trunks: &Trunks<Client>,
    store: &Store,
    auth: &Auth,
) -> Result<(), String> {
    // Nobody changes them meanwhile.
    let held = store.hold_trunks().await;
    let mut held = held.map_err(|error| error.to_string())?;
    let rows = held.ours(server).await.map_err(|error| error.to_string())?;
    let ours = own_trunks(auth, rows).map_err(|error| error.to_string())?;
    let reconciled = trunks.reconcile(&ours, &mark()).await;
    reconciled.map(drop).map_err(|refused| refused.to_string())
}

fn mark() -> String {
    new_id().simple().to_string()
}

impl TrunkDesk for Desk {
    fn configures(&self, server: &ServerName) -> bool {
        self.trunks(server).is_some()
    }

    fn apply(
        &self,
        server: ServerName,
        trunks: Vec<OwnTrunk>,
    ) -> BoxFuture<'static, Result<(), Refused>> {
        let known = self.trunks(&server);
        Box::pin(async move {
            match known {
                Some(known) => known.apply(&trunks, &mark()).await,
                None => Ok(()),
            }
        })
    }

    fn seen(&self, server: ServerName, endpoint: String) -> BoxFuture<'static, Option<Seen>> {
        let link = self
            .servers
            .get(&server)
            .map(|exchange| exchange.link.clone());
        Box::pin(async move {
            let link = link?;
            match timeout(ANSWER, seen(&link, &endpoint)).await {
                Ok(Ok(seen)) => Some(seen),
                Ok(Err(error)) => {
                    warn!(%server, %endpoint, %error, "The exchange does not say how a trunk is");
                    None
                }
                Err(_) => None,
            }
        })
    }
}
