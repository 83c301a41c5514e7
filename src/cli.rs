//! The command line.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use strowger_core::permission::Role;

use crate::{
    commands,
    config::{Config, Needs},
};

/// A telephony control daemon for contact centres.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Cli {
    /// Configuration file; what it does not say is as in config.default.toml.
    #[arg(long, short, global = true, env = "STROWGER_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve,
    /// Run the daemon on a simulated exchange, with a campaign being dialed.
    Demo(commands::demo::Options),
    /// Bring the database schema up to this version.
    Migrate,
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Manage users.
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Fill an empty database with a trunk, agents and a campaign to try things out.
    Seed(commands::seed::Options),
    /// Verify the dial ledger, or print the ends of its chains.
    Ledger {
        #[command(subcommand)]
        command: commands::ledger::Command,
    },
    /// Restore a backup of the database.
    Backup {
        #[command(subcommand)]
        command: commands::backup::Command,
    },
    /// Look at trunks.
    Trunk {
        #[command(subcommand)]
        command: commands::trunk::Command,
    },
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Simulate working days under pacing policies, or a recorded day under other settings.
    Simulate(Box<commands::simulate::Options>),
    /// Pace a campaign of another program: events in, dials out, as lines of JSON.
    Pace(commands::pace::Options),
    /// Look at the rules of laws and authorities.
    Compliance {
        #[command(subcommand)]
        command: ComplianceCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ComplianceCommand {
    /// Say which calls are allowed on a day, what is new on it, and how many contacts of a
    /// campaign its rules block.
    Preview(commands::compliance::Options),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the configuration, or that nothing is.
    Check,
    /// Print the defaults with their documentation.
    Defaults,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user. The password is read from the first line of standard input.
    Create {
        /// What the user types to log in.
        login_id: String,
        /// agent, supervisor, administrator or super-administrator.
        #[arg(long, default_value = "agent")]
        role: Role,
        /// First name.
        #[arg(long, default_value = "")]
        first_name: String,
        /// Last name.
        #[arg(long, default_value = "")]
        last_name: String,
    },
}

/// Runs the program. Exit code 0: done; 1: failed; 2: wrong usage or configuration.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Config {
        command: ConfigCommand::Defaults,
    } = cli.command
    {
        return print(crate::config::DEFAULTS);
    }
    if let Command::Openapi = cli.command {
        return match strowger_api::openapi().to_pretty_json() {
            Ok(json) => print(&json),
            Err(error) => fail(1, &error.into()),
        };
    }
    // None of these needs a configuration or a database.
    match &cli.command {
        Command::Compliance {
            command: ComplianceCommand::Preview(options),
        } if !options.needs_database() => {
            return match commands::compliance::run(options) {
                Ok(text) => print(&text),
                Err(error) => fail(1, &error),
            };
        }
        Command::Simulate(options) => {
            return match commands::simulate::simulate(options) {
                Ok(report) => print_report(&report),
                Err(error) => fail(2, &error),
            };
        }
        Command::Pace(options) => return pace(options),
        Command::Serve
        | Command::Demo(_)
        | Command::Migrate
        | Command::Config { .. }
        | Command::User { .. }
        | Command::Seed(_)
        | Command::Ledger { .. }
        | Command::Backup { .. }
        | Command::Trunk { .. }
        | Command::Compliance { .. }
        | Command::Openapi => {}
    }
    let needs = match cli.command {
        Command::Migrate
        | Command::User { .. }
        | Command::Ledger { .. }
        | Command::Backup { .. }
        | Command::Trunk { .. }
        | Command::Compliance { .. } => Needs::Database,
        Command::Serve
        | Command::Demo(_)
        | Command::Seed(_)
        | Command::Config { .. }
        | Command::Openapi
        | Command::Simulate(_)
        | Command::Pace(_) => Needs::All,
    };
    let config = match Config::load(cli.config.as_deref(), needs) {
        Ok(config) => config,
        Err(error) => return fail(2, &error),
    };
    if let Command::Config {
        command: ConfigCommand::Check,
    } = cli.command
    {
        return print(&config.summary());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(1, &error.into()),
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Serve => commands::serve::run(config, cli.config).await,
            Command::Demo(options) => commands::demo::run(config, options).await,
            Command::Migrate => commands::database::migrate(config).await,
            Command::User {
                command:
                    UserCommand::Create {
                        login_id,
                        role,
                        first_name,
                        last_name,
                    },
            } => {
                commands::database::create_user(config, login_id, role, first_name, last_name).await
            }
            Command::Ledger { command } => commands::ledger::run(config, command).await,
            Command::Backup { command } => commands::backup::run(config, command).await,
            Command::Trunk { command } => commands::trunk::run(config, command).await,
            Command::Seed(options) => commands::seed::run(config, options).await,
            Command::Compliance {
                command: ComplianceCommand::Preview(options),
            } => commands::compliance::run_with_contacts(config, options).await,
            Command::Config { .. } | Command::Openapi | Command::Simulate(_) | Command::Pace(_) => {
                Ok(())
            }
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error),
    }
}

fn pace(options: &commands::pace::Options) -> ExitCode {
    let (from, to) = (std::io::stdin().lock(), std::io::stdout().lock());
    match commands::pace::run(from, to, options) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever has heard enough closes the pipe.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.into()),
    }
}

#[expect(clippy::print_stderr, reason = "standard output is for the program")]
fn print_report(report: &commands::simulate::Report) -> ExitCode {
    match &report.json {
        Some(json) => {
            eprintln!("{}", report.text.trim_end());
            print(json)
        }
        None => print(&report.text),
    }
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn print(text: &str) -> ExitCode {
    println!("{}", text.trim_end());
    ExitCode::SUCCESS
}

#[expect(
    clippy::print_stderr,
    reason = "the person at the terminal, or the journal, must see it"
)]
fn fail(code: u8, error: &anyhow::Error) -> ExitCode {
    eprintln!("strowger: {error:#}");
    ExitCode::from(code)
}
