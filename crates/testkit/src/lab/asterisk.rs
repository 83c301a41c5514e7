//! The exchange and the carrier.

use std::{collections::HashMap, io::ErrorKind, path::PathBuf, process::Stdio};

use anyhow::{Context, bail};
use tokio::process::Command;

/// The running lab.
#[derive(Debug, Clone)]
pub struct Asterisk {
    script: PathBuf,
    paths: HashMap<String, String>,
}

impl Asterisk {
    /// Starts the lab, fresh, for a daemon that answers FastAGI at `agi`.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(root: PathBuf, agi: &str) -> anyhow::Result<Self> {
        let script = root.join("scripts/lab-asterisk.sh");
        let mut lab = Self {
            script,
            paths: HashMap::new(),
        };
        lab.script(&["stop"]).await?;
        lab.script(&["start", "--agi", agi]).await?;
        lab.paths = lab
            .script(&["paths"])
            .await?
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(lab)
    }

    /// Stops both instances.
    ///
    /// # Errors
    /// When they do not stop.
    pub async fn stop(&self) -> anyhow::Result<()> {
        self.script(&["stop"]).await.map(drop)
    }

    /// A path or address of the lab, as `lab-asterisk.sh paths` names it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn path(&self, name: &str) -> anyhow::Result<&str> {
        self.paths
            .get(name)
            .map(String::as_str)
            .with_context(|| format!("the lab has no {name}"))
    }

    /// Runs a command on the console of `pbx` or `carrier`.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn rx(&self, instance: &str, command: &str) -> anyhow::Result<String> {
        self.script(&["rx", instance, command]).await
    }

    /// `core restart now` on the exchange.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn restart_pbx(&self) -> anyhow::Result<()> {
        self.script(&["restart-pbx"]).await.map(drop)
    }

    /// The version of Asterisk, such as `22.10.1`.
    ///
    /// # Errors
    /// When the exchange does not answer.
    pub async fn version(&self) -> anyhow::Result<String> {
        let text = self.rx("pbx", "core show version").await?;
        let version = text.split_whitespace().nth(1).unwrap_or_default();
        Ok(version
            .split(['~', '+'])
            .next()
            .unwrap_or_default()
            .to_owned())
    }

    /// Uniqueids of the channels that the exchange has.
    ///
    /// # Errors
    /// When the exchange does not answer.
    pub async fn channels(&self) -> anyhow::Result<Vec<String>> {
        let text = self.rx("pbx", "core show channels concise").await?;
        // The last field of each line is the Uniqueid.
        Ok(text
            .lines()
            .filter(|line| line.contains('!'))
            .filter_map(|line| line.rsplit('!').next())
            .map(|id| id.trim().to_owned())
            .collect())
    }

    /// How often the carrier was called at each number since it was started, from its own call
    /// records. Their account code is the number that was dialed.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn carrier_calls(&self) -> anyhow::Result<HashMap<String, u32>> {
        let path = self.path("carrier_cdr")?;
        let text = match tokio::fs::read_to_string(path).await {
            Ok(text) => text,
            // Before its first call there is none.
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).context(format!("cannot read {path}")),
        };
        let mut calls = HashMap::new();
        for line in text.lines() {
            let account = line.trim_start_matches('"').split('"').next();
            if let Some(number) = account.filter(|code| code.starts_with('+')) {
                *calls.entry(number.to_owned()).or_default() += 1;
            }
        }
        Ok(calls)
    }

    async fn script(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.script)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .await
            .with_context(|| format!("cannot run {}", self.script.display()))?;
        if !output.status.success() {
            bail!(
                "{} {}: {}",
                self.script.display(),
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
