//! A program that tells one JSON object per line.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

use crate::options::Options;

/// Every program answers long before.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running program. It is ended when this value is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    name: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let name = format!("{command:?}");
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().context("the output is a pipe")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines, name })
    }

    /// Waits for the next line of the program.
    pub(crate) fn line<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => anyhow!("{} says nothing", self.name),
                RecvTimeoutError::Disconnected => anyhow!("{} ended without a word", self.name),
            })?;
        serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.name))
    }

    /// Processor time of all threads of the program so far, in seconds.
    pub(crate) fn processor_time_s(&self) -> anyhow::Result<f64> {
        // Ticks of a hundredth of a second, as `getconf CLK_TCK` says on every Linux.
        const TICKS_PER_S: f64 = 100.0;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind the name in parentheses, user and system time are the 12th and 13th.
        let (_, behind_name) = stat.rsplit_once(')').context("an odd /proc/PID/stat")?;
        let times = behind_name.split_whitespace().skip(11).take(2);
        let ticks: f64 = times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_S)
    }

    /// Ends the program and waits for it.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        self.child.kill().context("cannot end a program")?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How a peer is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// One of our programs, on this runtime.
    Rust(&'static str, &'static str),
    /// A script of `python/`.
    Python(&'static str),
    /// A script of `node/`.
    Node(&'static str),
}

impl Kind {
    /// The name under which its figures are kept apart from those of its other kinds.
    pub(crate) fn runtime(self) -> &'static str {
        match self {
            Self::Rust(_, runtime) => runtime,
            Self::Python(_) => "python",
            Self::Node(_) => "node",
        }
    }

    /// The command line with its numbers: names for our programs, in order for scripts.
    pub(crate) fn command(
        self,
        options: &Options,
        numbers: &[(&str, u64)],
    ) -> anyhow::Result<Command> {
        let mut command = match self {
            Self::Rust(program, runtime) => {
                let mut command = Command::new(Options::program(program)?);
                command.args(["--runtime", runtime]);
                for (name, number) in numbers {
                    command.arg(format!("--{name}")).arg(number.to_string());
                }
                return Ok(command);
            }
            Self::Python(script) => {
                let mut command = Command::new(options.cache.join("venv/bin/python"));
                command.arg(options.sources.join("python").join(script));
                command
            }
            Self::Node(script) => {
                let mut command = Command::new("node");
                command.arg(options.sources.join("node").join(script));
                command.env("NODE_PATH", options.cache.join("node/node_modules"));
                command
            }
        };
        command.args(numbers.iter().map(|(_, number)| number.to_string()));
        Ok(command)
    }
}
