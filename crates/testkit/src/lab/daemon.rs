//! The daemon as a process of its own, with the embedded database.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, bail};
use sqlx::PgPool;
use strowger_store::{Store, cluster::Cluster};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::{Instant, sleep},
};

use super::{Asterisk, client::Client};

/// Where the daemon under test keeps its data. Not in a home directory, which the user that
/// runs PostgreSQL could not enter.
const DATA: &str = "/var/tmp/strowger-lab";

/// Where the daemon under test serves its API.
pub(super) const HTTP: &str = "127.0.0.1:3901";

/// Where the daemon under test answers FastAGI.
pub(super) const AGI: &str = "127.0.0.1:4573";

/// The password of everybody in the lab.
pub(super) const PASSWORD: &str = "correct horse battery";

/// How to run the daemon.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// The root of the project.
    pub root: PathBuf,
}

/// A running daemon and its database.
#[derive(Debug)]
pub struct Daemon {
    launch: Launch,
    config: PathBuf,
    child: Option<Child>,
    /// Its database, for looking at tables.
    pub(super) database: PgPool,
    cluster: Cluster,
}

impl Daemon {
    /// Makes an empty database and an administrator, and starts the daemon.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start(launch: Launch, asterisk: &Asterisk) -> anyhow::Result<Self> {
        let data = Path::new(DATA);
        // A cluster that an interrupted run left is stopped before its files are removed.
        if data.join("postgresql/data/PG_VERSION").exists() {
            Cluster::start(&data.join("postgresql"))
                .await?
                .stop()
                .await?;
        }
        if data.exists() {
            tokio::fs::remove_dir_all(data).await?;
        }
        tokio::fs::create_dir_all(data).await?;
        let config = data.join("strowger.toml");
        tokio::fs::write(&config, configuration(&launch.root, asterisk)?).await?;
        let cluster = Cluster::start(&data.join("postgresql")).await?;
        let store = Store::connect(cluster.options(), 4).await?;
        let database = store.pool().clone();
        let mut daemon = Self {
            launch,
            config,
            child: None,
            database,
            cluster,
        };
        daemon.create_administrator().await?;
        daemon.launch().await?;
        Ok(daemon)
    }

    async fn create_administrator(&self) -> anyhow::Result<()> {
        let mut child = self
            .command()
            .args(["user", "create", "admin", "--role", "super-administrator"])
            // The command must leave the shared private server running.
            .env("STROWGER__DATABASE__URL", Self::url())
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(format!("{PASSWORD}\n").as_bytes()).await?;
        }
        let status = child.wait().await?;
        if !status.success() {
            bail!("strowger user create ended with {status}");
        }
        Ok(())
    }

    fn url() -> String {
        let socket = Path::new(DATA).join("postgresql");
        format!(
            "postgres:///strowger?host={}&user=strowger",
            socket.display()
        )
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.launch.program);
        command.arg("--config").arg(&self.config).kill_on_drop(true);
        command
    }

    /// Starts the daemon, or starts it again.
    ///
    /// # Errors
    /// When it is not ready within 30 seconds.
    pub async fn launch(&mut self) -> anyhow::Result<()> {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(Path::new(DATA).join("strowger.log"))?;
        self.child = Some(
            self.command()
                .arg("serve")
                .stdin(Stdio::null())
                .stderr(log)
                .spawn()?,
        );
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(2))
            .build()?;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let ready = http.get(format!("http://{HTTP}/ready")).send().await;
            if ready.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the daemon is not ready after 30 s; see {DATA}/strowger.log");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// SIGKILL: no farewell of any kind.
    ///
    /// # Errors
    /// When there is no process.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the daemon does not run")?;
        child.kill().await?;
        Ok(())
    }

    /// SIGTERM, as a service manager restarts it, and waits.
    ///
    /// # Errors
    /// When it does not end within ten seconds or ends badly.
    pub async fn terminate(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("the daemon does not run")?;
        let pid = child.id().context("the daemon has ended")?;
        Command::new("kill")
            .args(["-TERM", &pid.to_string()])
            .status()
            .await?;
        let limit = Duration::from_secs(10);
        let status = tokio::time::timeout(limit, child.wait())
            .await
            .context("the daemon does not stop within 10 s")??;
        if !status.success() {
            bail!("the daemon ended with {status}");
        }
        Ok(())
    }

    /// Ends the daemon and its database.
    ///
    /// # Errors
    /// When it does not end in time or ends badly.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.terminate().await?;
        self.database.close().await;
        // The daemon has stopped its private server already.
        let _ = self.cluster.stop().await;
        Ok(())
    }

    /// A client that is logged in.
    ///
    /// # Errors
    /// When the login is refused.
    pub(super) async fn client(&self, login_id: &str) -> anyhow::Result<Client> {
        Client::log_in(&format!("http://{HTTP}"), login_id, PASSWORD).await
    }
}

fn configuration(root: &Path, asterisk: &Asterisk) -> anyhow::Result<String> {
    let (host, port) = asterisk
        .path("pbx_ami")?
        .split_once(':')
        .context("pbx_ami is no address")?;
    Ok(format!(
        r#"data_directory = "{DATA}"
[http]
listen = "{HTTP}"
[asterisk]
agi_listen = "{AGI}"
recordings_dir = "{spool}/monitor"
transfer_trunk = "carrier"
[transfers]
outside_by = "agents"
[asterisk.speech]
command = ["{speak}", "fr"]
directory = "{spool}/speech"
seen_as = "{spool}/speech"
[media]
directory = "{spool}/media"
seen_as = "{spool}/media"
[asterisk.servers.pbx]
host = "{host}"
port = {port}
username = "{user}"
secret_file = "{secret}"
trunks_file = "{etc}/strowger.d/daemon/trunks.conf"
[log]
filter = "info,strowger_telephony=debug"
"#,
        spool = asterisk.path("pbx_spool")?,
        speak = root.join("scripts/speak.sh").display(),
        user = asterisk.path("pbx_ami_user")?,
        secret = asterisk.path("pbx_ami_secret_file")?,
        etc = asterisk.path("pbx_etc")?,
    ))
}
