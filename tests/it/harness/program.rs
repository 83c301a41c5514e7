//! The daemon as the program that people run.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
    time::timeout,
};

use super::{Api, Ground, LONG, api, until};

/// A running `strowger serve`.
pub(crate) struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts the daemon and waits until it is ready.
    pub(crate) async fn serve(ground: &Ground) -> Self {
        let program = Self::launch(ground, &[]);
        let api = Api::nobody(ground);
        until("the daemon is ready", async || api.try_get("/ready").await).await;
        program
    }

    /// Starts the daemon with more in its environment.
    pub(crate) fn launch(ground: &Ground, environment: &[(&str, &str)]) -> Self {
        let config = ground.write_config(ground.plan.log);
        let log = ground.directory.join("strowger.log");
        let append = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = command(&config)
            .arg("serve")
            .envs(environment.iter().copied())
            .stderr(append)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// Brings every agent to their station and starts the campaign.
    pub(crate) async fn put_to_work(&self, ground: &Ground) -> Api {
        api::to_work(ground).await
    }

    /// Processor time that it has used so far, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> u64 {
        /// Ticks of the kernel's accounting are hundredths of a second on Linux.
        const TICK_MS: u64 = 10;
        let pid = self.child.id().expect("the program runs");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // What follows the name in parentheses; time in user mode and in the kernel.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let ticks = |place: usize| fields[place].parse::<u64>().unwrap();
        (ticks(11) + ticks(12)) * TICK_MS
    }

    /// SIGKILL: no farewell of any kind.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the program runs");
        let sent = Command::new("kill")
            .args(["-s", name, &pid.to_string()])
            .status();
        assert!(sent.await.unwrap().success());
    }

    /// Waits for the end of the program.
    pub(crate) async fn exit(mut self, within: Duration) -> ExitStatus {
        timeout(within, self.child.wait())
            .await
            .expect("the program ends in time")
            .unwrap()
    }

    /// SIGTERM, and a good end.
    pub(crate) async fn stop(self) {
        self.signal("TERM").await;
        let status = self.exit(LONG).await;
        assert!(status.success(), "{status}");
    }

    /// Everything that was logged so far, by earlier runs as well.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until the log holds a text.
    pub(crate) async fn logs(&self, text: &str) {
        until(&format!("the log has {text:?}"), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }
}

fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strowger"));
    command
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What a command of the program answers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command of the program to its end.
pub(crate) async fn run(config: &Path, arguments: &[&str], input: &str) -> Answer {
    let mut child = command(config)
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that does not read has closed its end.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let Output {
        status,
        stdout,
        stderr,
    } = timeout(LONG, child.wait_with_output())
        .await
        .expect("the command ends in time")
        .unwrap();
    Answer {
        code: status.code().expect("the command ends by itself"),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}
