//! `scripts/lab.sh`: the daemon against a real Asterisk, as figures in JSON.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use serde_json::{Value, json};
use strowger_testkit::lab::{self, Asterisk, Dialing, Launch};

/// Runs the daemon against a real Asterisk.
#[derive(Debug, Parser)]
#[command(about)]
struct Cli {
    /// The root of the project.
    #[arg(long)]
    root: PathBuf,
    /// The daemon to run.
    #[arg(long)]
    program: PathBuf,
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Debug, Subcommand)]
enum Scenario {
    /// A campaign to its end.
    Run {
        #[command(flatten)]
        dialing: DialingOptions,
    },
    /// A campaign during which the daemon is killed.
    Crash {
        #[command(flatten)]
        dialing: DialingOptions,
        /// How often.
        #[arg(long, default_value_t = 3)]
        kills: u32,
        /// SIGTERM, as a service manager restarts it, instead of SIGKILL.
        #[arg(long)]
        softly: bool,
    },
    /// Callers down every path of a flow.
    Inbound {
        /// Accepted for symmetry; the output is always JSON.
        #[arg(long)]
        json: bool,
    },
    /// An agent and a supervisor at the console.
    Console {
        /// Accepted for symmetry; the output is always JSON.
        #[arg(long)]
        json: bool,
    },
    /// Calls that are transferred to another agent, outside, and back.
    Transfer {
        /// Accepted for symmetry; the output is always JSON.
        #[arg(long)]
        json: bool,
    },
    /// A campaign during which Asterisk restarts.
    RestartPbx {
        #[command(flatten)]
        dialing: DialingOptions,
    },
    /// A flow played to everybody of a list, without agents.
    Broadcast {
        /// Contacts in the list.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=600))]
        contacts: u32,
        /// Accepted for symmetry; the output is always JSON.
        #[arg(long)]
        json: bool,
    },
    /// A campaign whose carrier has no line for a while, on either of two trunks.
    Failover {
        #[command(flatten)]
        dialing: DialingOptions,
    },
    /// A trunk that is added, changed and deleted over the API.
    Trunk {
        /// Accepted for symmetry; the output is always JSON.
        #[arg(long)]
        json: bool,
    },
    /// The protocol crates, statement by statement.
    Protocols {
        /// Only the checks whose name contains this.
        #[arg(long)]
        only: Option<String>,
        /// Accepted for symmetry; the output is always JSON.
        #[arg(long)]
        json: bool,
    },
    /// All of the above, smaller, with a verdict: what the test suite runs.
    Check,
}

#[derive(Debug, Clone, clap::Args)]
struct DialingOptions {
    /// Contacts in the list.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=600))]
    contacts: u32,
    /// Agents at stations 1001 and up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    agents: u32,
    /// progressive, power or predictive.
    #[arg(long, default_value = "progressive")]
    mode: String,
    /// nailed-up or ring-per-call.
    #[arg(long, default_value = "nailed-up")]
    leg_mode: String,
    /// Run without answering machine detection, and so without machines in the list.
    #[arg(long)]
    no_amd: bool,
    /// Accepted for symmetry; the output is always JSON.
    #[arg(long)]
    json: bool,
}

impl From<DialingOptions> for Dialing {
    fn from(options: DialingOptions) -> Self {
        Self {
            contacts: options.contacts,
            agents: options.agents,
            mode: options.mode,
            leg_mode: options.leg_mode,
            amd: !options.no_amd,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match scenario(cli).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            print_error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a person runs it")]
fn print_error(text: &str) {
    eprintln!("lab: {text}");
}

#[expect(clippy::print_stdout, reason = "the report is the output")]
fn print(report: &Value) {
    println!("{report}");
}

async fn scenario(cli: Cli) -> anyhow::Result<bool> {
    let launch = Launch {
        program: cli.program,
        root: cli.root.clone(),
    };
    let asterisk = Asterisk::start(cli.root, "agi://127.0.0.1:4573").await?;
    let result = run(&launch, &asterisk, cli.scenario).await;
    asterisk.stop().await?;
    result
}

async fn run(launch: &Launch, asterisk: &Asterisk, scenario: Scenario) -> anyhow::Result<bool> {
    match scenario {
        Scenario::Run { dialing } => {
            let report = lab::run(launch.clone(), asterisk, dialing.into()).await?;
            print(&report);
            Ok(verdict("run", &report))
        }
        Scenario::Crash {
            dialing,
            kills,
            softly,
        } => {
            let report =
                lab::crash(launch.clone(), asterisk, dialing.into(), kills, softly).await?;
            print(&report);
            Ok(verdict("crash", &report))
        }
        Scenario::Inbound { json: _ } => {
            let report = lab::inbound(launch.clone(), asterisk).await?;
            print(&report);
            Ok(verdict("inbound", &report))
        }
        Scenario::Console { json: _ } => {
            let report = lab::console(launch.clone(), asterisk).await?;
            print(&report);
            Ok(verdict("console", &report))
        }
        Scenario::Transfer { json: _ } => {
            let report = lab::transfer(launch.clone(), asterisk).await?;
            print(&report);
            Ok(verdict("transfer", &report))
        }
        Scenario::RestartPbx { dialing } => {
            let report = lab::restart_pbx(launch.clone(), asterisk, dialing.into()).await?;
            print(&report);
            Ok(verdict("restart-pbx", &report))
        }
        Scenario::Broadcast { contacts, json: _ } => {
            let report = lab::broadcast(launch.clone(), asterisk, contacts).await?;
            print(&report);
            Ok(verdict("broadcast", &report))
        }
        Scenario::Failover { dialing } => {
            let report = lab::failover(launch.clone(), asterisk, dialing.into()).await?;
            print(&report);
            Ok(verdict("failover", &report))
        }
        Scenario::Trunk { json: _ } => {
            let report = lab::trunk(launch.clone(), asterisk).await?;
            print(&report);
            Ok(verdict("trunk", &report))
        }
        Scenario::Protocols { only, json: _ } => {
            let report = lab::protocols(asterisk, only).await?;
            print(&report);
            Ok(verdict("protocols", &report))
        }
        Scenario::Check => check(launch, asterisk).await,
    }
}

/// Every scenario in turn on one start of the lab.
async fn check(launch: &Launch, asterisk: &Asterisk) -> anyhow::Result<bool> {
    let small = |contacts, mode: &str, leg_mode: &str| Dialing {
        contacts,
        agents: 5,
        mode: mode.to_owned(),
        leg_mode: leg_mode.to_owned(),
        // Half of the runs measure from the answer itself.
        amd: leg_mode == "nailed-up",
    };
    let mut ok = true;
    let reports = [
        ("protocols", lab::protocols(asterisk, None).await?),
        (
            "run",
            lab::run(
                launch.clone(),
                asterisk,
                small(24, "progressive", "nailed-up"),
            )
            .await?,
        ),
        (
            "run",
            lab::run(
                launch.clone(),
                asterisk,
                small(12, "power", "ring-per-call"),
            )
            .await?,
        ),
        (
            "run",
            lab::run(
                launch.clone(),
                asterisk,
                small(40, "predictive", "nailed-up"),
            )
            .await?,
        ),
        ("inbound", lab::inbound(launch.clone(), asterisk).await?),
        ("console", lab::console(launch.clone(), asterisk).await?),
        ("transfer", lab::transfer(launch.clone(), asterisk).await?),
        ("trunk", lab::trunk(launch.clone(), asterisk).await?),
        (
            "broadcast",
            lab::broadcast(launch.clone(), asterisk, 12).await?,
        ),
        (
            "failover",
            lab::failover(
                launch.clone(),
                asterisk,
                small(12, "progressive", "ring-per-call"),
            )
            .await?,
        ),
        (
            "restart-pbx",
            lab::restart_pbx(
                launch.clone(),
                asterisk,
                small(24, "progressive", "nailed-up"),
            )
            .await?,
        ),
        (
            "crash",
            lab::crash(
                launch.clone(),
                asterisk,
                small(30, "progressive", "nailed-up"),
                3,
                false,
            )
            .await?,
        ),
        (
            "crash",
            lab::crash(
                launch.clone(),
                asterisk,
                small(16, "progressive", "nailed-up"),
                1,
                true,
            )
            .await?,
        ),
    ];
    for (name, report) in &reports {
        print(&json!({ "scenario": name, "report": report }));
        ok &= verdict(name, report);
    }
    Ok(ok)
}

/// Whether a report shows what it must; says what it does not.
fn verdict(scenario: &str, report: &Value) -> bool {
    let mut ok = true;
    let mut must = |holds: bool, what: &str| {
        if !holds {
            print_error(&format!("{scenario}: {what}"));
            ok = false;
        }
    };
    for figure in [
        "mismatches",
        "agents_stuck",
        "orphan_channels",
        "invariant_violations",
        "double_dials",
        "lost_contacts",
        "adopted_calls_dropped",
        "calls_open",
        "attempts_counted_for_nothing",
    ] {
        if let Some(value) = report.get(figure) {
            must(
                value == &json!(0),
                &format!("{figure} is {value}, it must be 0"),
            );
        }
    }
    match scenario {
        "protocols" => {
            for failed in report["failed"].as_array().into_iter().flatten() {
                must(false, &format!("{}: {}", failed["check"], failed["why"]));
            }
            must(report["checks"].as_u64() > Some(0), "nothing was checked");
        }
        "run" => {
            // What a caller notices; ringing a station takes as long as the phone does.
            let p99 = report["answer_to_bridge_ms"]["p99"].as_f64();
            let nailed_up = report["leg_mode"] == json!("nailed-up");
            // Predictive dialing lets people wait for an agent, within the legal time.
            let predictive = report["mode"] == json!("predictive");
            must(
                !nailed_up || predictive || p99.is_some_and(|ms| ms <= 150.0),
                "p99 of answer to bridged is over 150 ms",
            );
            must(
                report["call_records"] == report["attempts"],
                "not every attempt has a call record",
            );
            must(
                report["recordings"] == report["bridged"],
                "not every conversation was recorded",
            );
        }
        "trunk" => {
            for failed in report["failed"].as_array().into_iter().flatten() {
                must(false, &format!("{}: {}", failed["step"], failed["why"]));
            }
            must(report["steps"].as_u64() > Some(0), "nothing was tried");
        }
        "broadcast" => {
            must(
                report["heard_to_the_end"].as_i64() > Some(0),
                "nobody heard the flow",
            );
            must(
                report["heard_least_ms"].as_i64() >= report["sounds_ms"].as_i64(),
                "an uploaded sound was not played to its end",
            );
            must(
                report["call_records"] == report["attempts"],
                "not every attempt has a call record",
            );
        }
        "failover" => {
            for trunk in ["carrier", "second"] {
                must(
                    report["failures"][trunk].as_i64() > Some(0),
                    &format!("the trunk {trunk} was not tried during the outage"),
                );
            }
            must(
                report["reached_after"].as_i64() > Some(0),
                "nobody was reached when the carrier was back",
            );
        }
        "crash" => {
            must(
                report["adopted_calls"].as_u64() > Some(0),
                "no call was adopted",
            );
            // Double dials are looked for in the carrier's records, which must therefore hold
            // every attempt that is known to have reached it.
            let not_dialed =
                ["unknown", "cancelled"].map(|name| report["dispositions"][name].as_u64());
            let dialed = report["attempts"].as_u64().unwrap_or(0)
                - not_dialed.into_iter().flatten().sum::<u64>();
            must(
                report["carrier_calls"].as_u64() >= Some(dialed),
                "the carrier's records do not hold every call",
            );
        }
        "console" => {
            for figure in [
                "contacts_differ",
                "listen",
                "coach",
                "barge",
                "force_pause_reached_agent",
            ] {
                must(report[figure] == json!(true), &format!("not {figure}"));
            }
            must(
                report["bridged"].as_u64() >= Some(2),
                "the agent and the customer are not in a bridge",
            );
            must(
                report["supervisor_lines"] == json!(1),
                "the supervisor has not exactly one line",
            );
        }
        "transfer" => {
            for fault in lab::transfer_faults(report) {
                must(false, &fault);
            }
        }
        "inbound" => {
            must(
                report["paths_ok"] == json!(report["paths"].as_array().map_or(0, Vec::len)),
                "a path leads elsewhere",
            );
            must(
                report["voicemail_ms"].as_i64() > Some(0),
                "no voicemail was recorded",
            );
            must(
                report["spoken_files"].as_u64() > Some(0),
                "no text was spoken",
            );
            must(
                report["voicemail_bytes"].as_u64() > Some(100),
                "the voicemail's file is empty",
            );
        }
        _ => {
            must(
                report["conversations_at_restart"].as_u64() > Some(0)
                    && report["calls_at_restart"].as_u64() > Some(0),
                "no call was up at the restart",
            );
            must(
                report["calls_at_restart"] == report["calls_closed"],
                "a call of the restart was not closed",
            );
            must(
                report["attempts_after"].as_i64() > Some(0),
                "the campaign did not go on",
            );
        }
    }
    ok
}
