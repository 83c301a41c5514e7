//! `strowger simulate`: what pacing policies do over a simulated day.

use std::{
    fmt::Write as _,
    fs::File,
    io::{BufReader, BufWriter},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::json;
use strowger_core::pacing;
use strowger_sim::shift::{
    Course, NAMES, Observed, Outcome, Recorder, Scenario, Summary, chart, observe, policies, run,
    run_seeds,
};

mod decision_time;

/// What to simulate.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Scenarios, with commas: names (see --list) or paths of .json files.
    #[arg(long, short, value_delimiter = ',', default_value = "A")]
    pub scenario: Vec<String>,
    /// Pacing policies to compare, with commas (see --list).
    #[arg(long, short, value_delimiter = ',', default_value = "strowger")]
    pub policy: Vec<String>,
    /// Days that are simulated, each from a seed of its own.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub seeds: u64,
    /// Print one JSON object in one line, and the table on standard error.
    #[arg(long)]
    pub json: bool,
    /// Draw occupancy and abandonment over time into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Write the events of a simulated day (of the first seed) into this file, one JSON
    /// object per line, as `pace --stdio` reads them.
    #[arg(long, value_name = "FILE", conflicts_with = "shadow")]
    pub record: Option<PathBuf>,
    /// Instead of a scenario, take a recorded day from this file: learn what it was like,
    /// and run it again under these policies and settings.
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub shadow: Option<PathBuf>,
    /// With --shadow: write the scenario that was learned into this file.
    #[arg(long, value_name = "FILE", requires = "shadow")]
    pub save_scenario: Option<PathBuf>,
    /// Name the scenarios and policies.
    #[arg(long)]
    pub list: bool,
    /// Measure how long a decision takes, with 1,000 agents and 3,000 lines.
    #[arg(long, conflicts_with_all = ["shadow", "record", "svg"])]
    pub decision_time: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Settings of the policy `strowger`, where they differ from the defaults.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings of the policy strowger")]
pub struct Settings {
    /// Most of the people who answer that may be abandoned, as a fraction.
    #[arg(long, value_parser = fraction)]
    abandon_limit: Option<f64>,
    /// A person is abandoned when not connected within so many seconds.
    #[arg(long, value_parser = positive)]
    threshold_s: Option<f64>,
    /// Over how long the limit is kept, in seconds.
    #[arg(long, value_parser = positive)]
    window_s: Option<f64>,
    /// No line is given up before it has rung so long, in seconds.
    #[arg(long, value_parser = positive)]
    min_ring_s: Option<f64>,
    /// Most lines at once.
    #[arg(long)]
    max_lines: Option<u32>,
    /// Most lines dialed per second.
    #[arg(long, value_parser = positive)]
    max_cps: Option<f64>,
    /// Faster (more than 1) or slower, within the limit.
    #[arg(long, value_parser = positive)]
    boost: Option<f64>,
}

fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("must be a fraction from 0 to 1, like 0.03 for 3 %".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value >= 0.0 && value.is_finite() => Ok(value),
        _ => Err("must be a number, 0 or more".to_owned()),
    }
}

impl Settings {
    fn config(&self, scenario: &Scenario) -> pacing::Config {
        let mut config = pacing::Config {
            ring_timeout_s: scenario.campaign.ring_timeout_s,
            max_lines: scenario.max_lines,
            ..pacing::Config::default()
        };
        let set = |target: &mut f64, value: Option<f64>| {
            if let Some(value) = value {
                *target = value;
            }
        };
        set(&mut config.abandon_limit, self.abandon_limit);
        set(&mut config.threshold_s, self.threshold_s);
        set(&mut config.window_s, self.window_s);
        set(&mut config.min_ring_s, self.min_ring_s);
        set(&mut config.max_cps, self.max_cps);
        set(&mut config.boost, self.boost);
        config.max_lines = self.max_lines.unwrap_or(config.max_lines);
        config
    }
}

/// What is to be printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// For people.
    pub text: String,
    /// For programs, if it was asked for: one JSON object in one line.
    pub json: Option<String>,
}

/// Runs it and gives what is to be printed.
///
/// # Errors
/// An unknown scenario or policy, with those that there are; a file that can't be read or
/// written; a field of a scenario that makes no sense.
pub fn simulate(options: &Options) -> anyhow::Result<Report> {
    if options.list {
        return Ok(Report {
            text: list()?,
            json: None,
        });
    }
    if options.decision_time {
        let (text, json) = decision_time::measure();
        return Ok(Report {
            text,
            json: options.json.then_some(json),
        });
    }
    let recorded = options.shadow.as_deref().map(shadow).transpose()?;
    if let (Some(path), Some(observed)) = (&options.save_scenario, &recorded) {
        let text = serde_json::to_string_pretty(&observed.scenario)?;
        write_file(path, &(text + "\n"))?;
    }
    let scenarios = match &recorded {
        Some(observed) => vec![observed.scenario.clone()],
        None => options
            .scenario
            .iter()
            .map(|name| scenario(name))
            .collect::<anyhow::Result<_>>()?,
    };
    if let Some(path) = &options.record {
        return record(options, &scenarios, path);
    }
    ensure!(
        options.svg.is_none() || scenarios.len() == 1,
        "--svg draws one scenario: give one"
    );
    let mut summaries = Vec::new();
    for scenario in &scenarios {
        summaries.extend(compare(options, scenario, recorded.as_ref())?);
    }
    Ok(report(
        options,
        &summaries,
        recorded.as_ref(),
        options.seeds,
    ))
}

fn report(
    options: &Options,
    summaries: &[Summary],
    recorded: Option<&Observed>,
    seeds: u64,
) -> Report {
    Report {
        text: table(summaries, recorded),
        json: options.json.then(|| to_json(summaries, recorded, seeds)),
    }
}

fn compare(
    options: &Options,
    scenario: &Scenario,
    recorded: Option<&Observed>,
) -> anyhow::Result<Vec<Summary>> {
    let config = options.settings.config(scenario);
    let mut runs: Vec<(String, Vec<Outcome>)> = Vec::new();
    for policy in &options.policy {
        let outcomes = run_seeds(scenario, policy, &config, options.seeds)?;
        runs.push((policy.clone(), outcomes));
    }
    if let Some(path) = &options.svg {
        let recorded =
            recorded.map(|observed| ("recorded", std::slice::from_ref(&observed.outcome)));
        let courses: Vec<Course<'_>> = recorded
            .into_iter()
            .chain(
                runs.iter()
                    .map(|(name, runs)| (name.as_str(), runs.as_slice())),
            )
            .map(|(name, outcomes)| Course {
                name: name.to_owned(),
                outcomes,
            })
            .collect();
        let title = format!("{}: {}", scenario.name, scenario.about);
        write_file(path, &chart(&title, &courses, config.abandon_limit * 100.0))?;
    }
    Ok(runs
        .iter()
        .map(|(policy, outcomes)| {
            Summary::of(&scenario.name, policy, outcomes).beside(scenario.target.as_ref())
        })
        .collect())
}

fn scenario(name: &str) -> anyhow::Result<Scenario> {
    let is_file = Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    if !is_file {
        return Ok(Scenario::named(name)?);
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("can't read {name}"))?;
    Scenario::from_json(&text).with_context(|| name.to_owned())
}

fn shadow(path: &Path) -> anyhow::Result<Observed> {
    let file = File::open(path).with_context(|| format!("can't read {}", path.display()))?;
    observe(BufReader::new(file)).with_context(|| path.display().to_string())
}

fn record(options: &Options, scenarios: &[Scenario], path: &Path) -> anyhow::Result<Report> {
    let ([scenario], [policy]) = (scenarios, options.policy.as_slice()) else {
        anyhow::bail!("--record writes one day: give one scenario and one policy");
    };
    ensure!(
        scenario.second.is_none(),
        "--record writes one campaign, and scenario {} has two",
        scenario.name
    );
    let config = options.settings.config(scenario);
    let file = File::create(path).with_context(|| format!("can't write {}", path.display()))?;
    let policy_of_day = policies::named(policy, &config, 1)?;
    let mut recorder = Recorder::new(policy_of_day, &config, BufWriter::new(file));
    let outcome = run(scenario, &mut recorder, 1);
    recorder
        .finish()
        .with_context(|| format!("can't write {}", path.display()))?;
    let summary = [Summary::of(&scenario.name, policy, &[outcome])];
    Ok(report(options, &summary, None, 1))
}

fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

fn list() -> anyhow::Result<String> {
    let mut text = "Scenarios:\n".to_owned();
    for name in NAMES {
        let _ = writeln!(text, "  {name:<28}{}", Scenario::named(name)?.about);
    }
    text.push_str("\nPolicies (those with a number take another one after the colon):\n");
    for (name, about) in policies::NAMES {
        let _ = writeln!(text, "  {name:<28}{about}");
    }
    Ok(text)
}

fn to_json(summaries: &[Summary], recorded: Option<&Observed>, seeds: u64) -> String {
    let value = match (summaries, recorded) {
        ([summary], None) => json!(summary),
        (_, None) => json!({ "seeds": seeds, "results": summaries }),
        (_, Some(observed)) => json!({
            "seeds": seeds,
            "recorded": Summary::of("shadow", "recorded", std::slice::from_ref(&observed.outcome)),
            "unread_lines": observed.unread.as_ref().map_or(0, |(lines, _)| *lines),
            "results": summaries,
        }),
    };
    value.to_string()
}

/// What is to be reached, and whether it is.
fn target(summary: &Summary) -> String {
    let (Some(target), Some(reached)) = (&summary.target, summary.reached) else {
        return String::new();
    };
    format!(
        ">= {} %, <= {} %{}: {}",
        target.occupancy,
        target.late2,
        target
            .late2_hour
            .map_or_else(String::new, |hour| format!(", hour <= {hour} %")),
        if reached { "reached" } else { "not reached" }
    )
}

fn table(summaries: &[Summary], recorded: Option<&Observed>) -> String {
    let mut text = String::new();
    if let Some((lines, first)) = recorded.and_then(|observed| observed.unread.as_ref()) {
        let _ = writeln!(
            text,
            "{lines} lines could not be read and are left out; {first}"
        );
    }
    let _ = writeln!(
        text,
        "{:<11} {:<27} {:>9} {:>15} {:>7} {:>14} {:>10} {:>9} {:>9}  target",
        "scenario",
        "policy",
        "occupancy",
        "(min-max)",
        "late 2s",
        "(min-max)",
        "worst hour",
        "abandoned",
        "dials/h"
    );
    let day = recorded.map(|observed| {
        Summary::of(
            "shadow",
            "recorded",
            std::slice::from_ref(&observed.outcome),
        )
    });
    for summary in day.iter().chain(summaries) {
        let _ = writeln!(
            text,
            "{:<11} {:<27} {:>7.2} % {:>15} {:>5.2} % {:>14} {:>8.2} % {:>7.2} % {:>9.1}  {}",
            summary.scenario,
            summary.policy,
            summary.occupancy,
            format!(
                "({:.1}-{:.1})",
                summary.occupancy_min, summary.occupancy_max
            ),
            summary.late2,
            format!("({:.2}-{:.2})", summary.late2_min, summary.late2_max),
            summary.late2_hour_max,
            summary.abandoned,
            summary.dials_per_agent_hour,
            target(summary),
        );
    }
    let callers = summaries
        .iter()
        .filter_map(|summary| Some((summary, summary.callers_wait_s?, summary.callers_lost?)));
    for (summary, wait_s, lost) in callers {
        let _ = writeln!(
            text,
            "{} {}: callers wait {wait_s:.1} s on average, {lost:.2} % give up",
            summary.scenario, summary.policy,
        );
    }
    text.push_str(
        "late 2s: people not connected within 2 s, of those who answered. dials/h: per agent logged in.\n",
    );
    text
}
