//! An exchange that opens FastAGI sessions: so many in parallel, each with a whole
//! environment, an answer to every command, and the end when the server closes.
//!
//! One thread and no allocation per command, because on a small machine the load takes
//! its processor time from the server that it measures.

use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Instant;

use anyhow::{anyhow, bail, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Load};

/// What Asterisk 22 writes for `AGI(agi://127.0.0.1/bench)` on an outbound call.
const ENVIRONMENT: &[u8] = b"agi_network: yes\n\
agi_network_script: bench\n\
agi_request: agi://127.0.0.1:4573/bench\n\
agi_channel: PJSIP/carrier-0000002a\n\
agi_language: en\n\
agi_type: PJSIP\n\
agi_uniqueid: strowger-0199a7c2-5b1e-7c44-9d0e-3a5f6b7c8d9e\n\
agi_version: 22.10.1\n\
agi_callerid: 15551230042\n\
agi_calleridname: unknown\n\
agi_callingpres: 0\n\
agi_callingani2: 0\n\
agi_callington: 0\n\
agi_callingtns: 0\n\
agi_dnid: unknown\n\
agi_rdnis: unknown\n\
agi_context: strowger-outbound\n\
agi_extension: s\n\
agi_priority: 3\n\
agi_enhanced: 0.0\n\
agi_accountcode: \n\
agi_threadid: 140267735873216\n\n";

const COMMAND: &[u8] = b"GET VARIABLE";
const ANSWER: &[u8] = b"200 result=1 (value)\n";

fn main() -> anyhow::Result<()> {
    let known = ["port", "parallel", "warmup", "sessions", "commands"];
    let arguments = Arguments::from_env(&known)?;
    let parallel = arguments.or("parallel", 100)?;
    let plan = Plan {
        port: arguments.required("port")?,
        commands: arguments.or("commands", 20)?,
        warmup: arguments.or("warmup", 1_000)?,
        sessions: arguments.or("sessions", 5_000)?,
    };
    let mut load = Generator::new(plan)?;
    report::print(&load.run(parallel)?)
}

struct Plan {
    port: u16,
    commands: u32,
    warmup: u64,
    sessions: u64,
}

/// One session that is going on.
struct Session {
    stream: TcpStream,
    started: Instant,
    opened: bool,
    /// Commands that were answered.
    answered: u32,
    /// Bytes of a command whose end has not arrived.
    partial: usize,
}

struct Generator {
    plan: Plan,
    poll: Poll,
    finished: u64,
    failed: u64,
    /// Set when the warm-up is over: the time, and the processor time of this process.
    measuring: Option<(Instant, f64)>,
    latencies_us: Vec<u64>,
}

impl Generator {
    fn new(plan: Plan) -> anyhow::Result<Self> {
        let latencies_us = Vec::with_capacity(usize::try_from(plan.sessions)?);
        Ok(Self {
            plan,
            poll: Poll::new()?,
            finished: 0,
            failed: 0,
            measuring: None,
            latencies_us,
        })
    }

    fn run(&mut self, parallel: usize) -> anyhow::Result<Load> {
        let mut events = Events::with_capacity(parallel.max(1));
        let mut sessions = Vec::with_capacity(parallel);
        for slot in 0..parallel {
            sessions.push(Some(self.open(slot)?));
        }
        let mut open = parallel;
        let mut outcome = None;
        while open > 0 {
            self.poll
                .poll(&mut events, None)
                .or_else(|error| match error.kind() {
                    ErrorKind::Interrupted => Ok(()),
                    _ => Err(error),
                })?;
            for event in &events {
                let Token(slot) = event.token();
                let Some(session) = &mut sessions[slot] else {
                    continue;
                };
                if !session.go_on(self.plan.commands)? {
                    continue;
                }
                let complete = session.answered == self.plan.commands;
                self.finish(session.started, complete)?;
                if outcome.is_none() && self.finished >= self.plan.warmup + self.plan.sessions {
                    outcome = Some(self.outcome()?);
                }
                // The parallel load stays complete until the last session is measured.
                sessions[slot] = None;
                if outcome.is_none() {
                    sessions[slot] = Some(self.open(slot)?);
                } else {
                    open -= 1;
                }
            }
        }
        outcome.ok_or_else(|| anyhow!("no session was measured"))
    }

    fn open(&mut self, slot: usize) -> anyhow::Result<Session> {
        let started = Instant::now();
        // One write at a time, each after an answer: Nagle's algorithm never waits here.
        let mut stream = TcpStream::connect(([127, 0, 0, 1], self.plan.port).into())?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, Token(slot), both)?;
        Ok(Session {
            stream,
            started,
            opened: false,
            answered: 0,
            partial: 0,
        })
    }

    fn finish(&mut self, started: Instant, complete: bool) -> anyhow::Result<()> {
        self.finished += 1;
        self.failed += u64::from(!complete);
        if self.measuring.is_some() {
            let latency = started.elapsed().as_micros();
            self.latencies_us.push(u64::try_from(latency)?);
        } else if self.finished >= self.plan.warmup {
            self.measuring = Some((Instant::now(), report::processor_time_s()?));
        }
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn outcome(&mut self) -> anyhow::Result<Load> {
        let Some((since, processor_time)) = self.measuring else {
            bail!("the warm-up never ended");
        };
        let elapsed = since.elapsed().as_secs_f64();
        let sessions = self.latencies_us.len() as u64;
        self.latencies_us.sort_unstable();
        let quantile = |per_mille: usize| {
            let index = self.latencies_us.len() * per_mille / 1000;
            let latency = self.latencies_us.get(index).copied().unwrap_or_default();
            latency as f64 / 1e3
        };
        Ok(Load {
            sessions,
            failed: self.failed,
            sessions_per_s: sessions as f64 / elapsed,
            commands_per_s: sessions as f64 * f64::from(self.plan.commands) / elapsed,
            p50_ms: quantile(500),
            p99_ms: quantile(990),
            load_cpu: (report::processor_time_s()? - processor_time) / elapsed,
        })
    }
}

impl Session {
    /// Does what can be done now; `true` once the server has closed.
    ///
    /// One read is enough: after a whole command nothing follows before its answer.
    fn go_on(&mut self, commands: u32) -> anyhow::Result<bool> {
        if !self.opened {
            match self.stream.write(ENVIRONMENT) {
                Ok(written) => ensure!(written == ENVIRONMENT.len(), "a short write"),
                Err(error) if waits(error.kind()) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            self.opened = true;
            // The first command comes with an event of its own.
            return Ok(false);
        }
        let mut chunk = [0; 512];
        let read = match self.stream.read(&mut chunk) {
            Ok(0) => return Ok(true),
            Ok(read) => read,
            Err(error) if waits(error.kind()) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        let line = &chunk[..read];
        ensure!(
            self.partial > 0 || line.starts_with(&COMMAND[..COMMAND.len().min(read)]),
            "unexpected command {:?}",
            String::from_utf8_lossy(line)
        );
        if !line.ends_with(b"\n") {
            self.partial += read;
            return Ok(false);
        }
        self.partial = 0;
        self.answered += 1;
        ensure!(self.answered <= commands, "more commands than agreed");
        match self.stream.write(ANSWER) {
            Ok(written) => ensure!(written == ANSWER.len(), "a short write"),
            // The server gave up; the session counts as failed.
            Err(error) if gone(error.kind()) => {
                self.answered = 0;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(false)
    }
}

fn waits(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::NotConnected | ErrorKind::Interrupted
    )
}

fn gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
