//! The daemon that is measured: the program itself, with a private database.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::file::{Contacts, Register};

/// Longest that an import may take, which is the daemon's own limit.
const LONG: Duration = Duration::from_mins(30);

/// A running daemon, with the token of its administrator.
pub(crate) struct Daemon {
    child: Child,
    base: String,
    client: Client,
    token: String,
}

/// Memory of the daemon, without that of its database.
pub(crate) struct Memory {
    pub(crate) now_mb: u64,
    pub(crate) peak_mb: u64,
}

/// A file that is made while it is sent.
pub(crate) trait Sent {
    fn body(self) -> reqwest::Body;
}

impl Sent for Contacts {
    fn body(self) -> reqwest::Body {
        reqwest::Body::wrap_stream(self.stream())
    }
}

impl Sent for Register {
    fn body(self) -> reqwest::Body {
        reqwest::Body::wrap_stream(self.stream())
    }
}

impl Daemon {
    pub(crate) async fn start(directory: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(directory)?;
        let (http, agi) = (free_port()?, free_port()?);
        let config = directory.join("strowger.toml");
        // Nothing is dialed: there is no exchange behind this address.
        let text = format!(
            "data_directory = \"{}\"\n[http]\nlisten = \"127.0.0.1:{http}\"\n\
             [asterisk]\nagi_listen = \"127.0.0.1:{agi}\"\n\
             [asterisk.servers.none]\nhost = \"127.0.0.1\"\nport = 9\nusername = \"none\"\nsecret = \"none\"\n\
             [log]\nfilter = \"warn,strowger_ami=off\"\n",
            directory.display()
        );
        std::fs::write(&config, text)?;
        let seeded = command(&config)?
            .args(["seed", "--agents", "1", "--contacts", "1"])
            .output()
            .await?;
        ensure!(
            seeded.status.success(),
            "strowger seed failed: {}",
            String::from_utf8_lossy(&seeded.stderr)
        );
        let text = String::from_utf8(seeded.stdout)?;
        let password = text
            .lines()
            .next()
            .and_then(|line| line.rsplit(' ').next())
            .context("strowger seed printed no password")?
            .to_owned();
        let log = std::fs::File::create(directory.join("strowger.log"))?;
        let child = command(&config)?.arg("serve").stderr(log).spawn()?;
        let mut daemon = Self {
            child,
            base: format!("http://127.0.0.1:{http}"),
            client: Client::builder().timeout(LONG).build()?,
            token: String::new(),
        };
        if let Err(error) = daemon.log_in(&password).await {
            daemon.stop().await?;
            return Err(error);
        }
        Ok(daemon)
    }

    async fn log_in(&mut self, password: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        let who = json!({ "login_id": "admin", "password": password });
        loop {
            match self.post("/api/v1/auth/login", &who).await {
                Ok(answer) => {
                    let token = answer["data"]["access_token"].as_str();
                    token.context("no token")?.clone_into(&mut self.token);
                    return Ok(());
                }
                Err(_) if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
                Err(error) => return Err(error.context("the daemon does not answer")),
            }
        }
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(self.client.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(self.client.post(self.url(path)).json(body)).await
    }

    /// Sends a file.
    pub(crate) async fn send(
        &self,
        path: &str,
        kind: &str,
        file: impl Sent,
    ) -> anyhow::Result<Value> {
        let request = self
            .client
            .post(self.url(path))
            .header("Content-Type", kind)
            .body(file.body());
        self.ask(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.bearer_auth(&self.token).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        if !status.is_success() {
            bail!("{status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let text = std::fs::read_to_string(self.proc("status")?)?;
        let mb = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kb: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some(kb.div_ceil(1_024))
        };
        Ok(Memory {
            now_mb: mb("VmRSS:").context("no VmRSS")?,
            peak_mb: mb("VmHWM:").context("no VmHWM")?,
        })
    }

    /// Processor time of the daemon so far. Linux counts it in hundredths of a second.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(self.proc("stat")?)?;
        // The name in parentheses may hold anything; the fields after it are counted from 3.
        let (_, fields) = text.rsplit_once(')').context("/proc/…/stat")?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let ticks = |field: usize| {
            fields
                .get(field - 3)
                .and_then(|text| text.parse::<f64>().ok())
        };
        let (user, system) = ticks(14).zip(ticks(15)).context("/proc/…/stat")?;
        Ok((user + system) / 100.0)
    }

    fn proc(&self, file: &str) -> anyhow::Result<PathBuf> {
        let id = self.child.id().context("the daemon has ended")?;
        Ok(PathBuf::from(format!("/proc/{id}/{file}")))
    }

    /// Stops it, and its database with it.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let id = self.child.id().context("the daemon has ended")?;
        let sent = Command::new("kill").arg(id.to_string()).status().await?;
        ensure!(sent.success(), "the daemon cannot be told to stop");
        let status = timeout(Duration::from_mins(2), self.child.wait())
            .await
            .context("the daemon does not stop")??;
        ensure!(status.success(), "the daemon ended with {status}");
        Ok(())
    }
}

/// The program beside this one: `target/release/strowger` beside `target/release/examples`.
fn command(config: &Path) -> anyhow::Result<Command> {
    let own = std::env::current_exe()?;
    let program = own
        .parent()
        .and_then(Path::parent)
        .context("no directory above this program")?
        .join("strowger");
    let mut command = Command::new(program);
    command
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
