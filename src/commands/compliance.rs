//! `strowger compliance preview`: what the rules of a day are, and what becomes of the contacts
//! of a campaign on it. Only the latter needs a database.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use strowger_core::{
    compliance::{
        Activity, Channel, Day, HoursDay, PackDay, PackId, Packs, Preview, SourceFile, Tally,
        preview,
    },
    ids::CampaignId,
    phone::{PhoneNumber, zones_of},
    time::Timestamp,
};

use strowger_store::Store;

use crate::{
    config::Config,
    daemon::{self, Database, Purpose},
};

/// What is asked about a day.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The day, such as 2026-08-11; today (UTC) when absent.
    #[arg(long)]
    date: Option<String>,
    /// Ids of packs; all when absent.
    #[arg(long, value_delimiter = ',')]
    packs: Vec<String>,
    /// Only what concerns this country: two letters, such as FR. National numbers are read
    /// as numbers of it.
    #[arg(long)]
    region: Option<String>,
    /// Only what concerns calls for this: solicitation, collection, service or survey.
    #[arg(long)]
    activity: Option<Activity>,
    /// Only what concerns this channel: voice, prerecorded, sms or email.
    #[arg(long)]
    channel: Option<Channel>,
    /// Only what concerns calls that a machine places (true), or that it does not (false).
    #[arg(long)]
    automated: Option<bool>,
    /// Only what concerns this number.
    #[arg(long)]
    number: Option<String>,
    /// A directory of packs to be read besides those built in; its holidays/ holds calendars.
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Count the contacts of this campaign that may be called on the day, and those that its
    /// packs and its own rules forbid all day, by rule. Needs the database.
    #[arg(long)]
    campaign: Option<CampaignId>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Options {
    /// Whether the contacts of a campaign are asked about.
    pub fn needs_database(&self) -> bool {
        self.campaign.is_some()
    }
}

/// The rules of a day, and the contacts of a campaign that they concern.
///
/// # Errors
/// As [`run`]; when the campaign is unknown, or the database cannot be read.
pub async fn run_with_contacts(config: Config, options: Options) -> anyhow::Result<()> {
    let database = Database::open(&config, Purpose::OneCommand, config.database.migrate).await?;
    let text = with_contacts(&database.store, &config, options).await;
    database.close().await;
    print(&text?);
    Ok(())
}

async fn with_contacts(
    store: &Store,
    config: &Config,
    mut options: Options,
) -> anyhow::Result<String> {
    if options.directory.is_none() {
        options.directory = config.compliance.directory().map(Path::to_path_buf);
    }
    let packs = load_packs(options.directory.as_deref())?;
    let Some(id) = &options.campaign else {
        return run(&options);
    };
    let campaign = store
        .campaign(id)
        .await?
        .with_context(|| format!("--campaign: there is no campaign {id}"))?;
    if options.packs.is_empty() {
        options.packs.clone_from(&campaign.settings.packs);
    }
    let now = daemon::now();
    let day = day(&options, &packs, now)?;
    let tally = store.tally_day(id, day.date, &packs, now).await?;
    // A campaign without packs has no rules but its own.
    let rules = Preview {
        packs: Vec::new(),
        date: day.date,
    };
    let rules = if options.packs.is_empty() {
        rules
    } else {
        preview(&packs, &day)
    };
    if options.json {
        let mut json = serde_json::to_value(&rules)?;
        json["contacts"] = serde_json::to_value(&tally)?;
        return Ok(serde_json::to_string_pretty(&json)?);
    }
    let mut out = text(&rules, day.number.as_ref());
    of_contacts(&mut out, &campaign.settings.name, &tally);
    Ok(out)
}

fn of_contacts(out: &mut String, campaign: &str, tally: &Tally) {
    let blocked: u64 = tally.blocked.values().sum();
    let allowed = tally.allowed;
    line(
        out,
        0,
        &format!(
            "\n{campaign}: {allowed} of {} contacts may be called at some hour of the day.",
            allowed + blocked
        ),
    );
    for (rule, count) in &tally.blocked {
        line(out, 1, &format!("- {count} blocked all day by {rule}"));
    }
}

#[expect(clippy::print_stdout, reason = "what the command is for")]
fn print(text: &str) {
    println!("{}", text.trim_end());
}

/// The packs built in, and those of a directory: its `*.toml`, and calendars of public
/// holidays in its `holidays/*.toml`. A file with the id of one built in takes its place.
///
/// # Errors
/// When the directory cannot be read, or with the file, version and key that is wrong.
pub fn load_packs(directory: Option<&Path>) -> anyhow::Result<Packs> {
    let mut files = Vec::new();
    if let Some(directory) = directory {
        read_directory(directory, &mut files)?;
        let holidays = directory.join("holidays");
        if holidays.is_dir() {
            read_directory(&holidays, &mut files)?;
        }
    }
    Ok(Packs::with(files)?)
}

/// In order of names: of two files with one id always the same one wins.
fn read_directory(directory: &Path, files: &mut Vec<SourceFile>) -> anyhow::Result<()> {
    let cannot = || format!("cannot read the directory of packs {}", directory.display());
    let mut paths = std::fs::read_dir(directory)
        .with_context(cannot)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(cannot)?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the pack {}", path.display()))?;
        files.push(SourceFile {
            path: path.display().to_string(),
            text: text.into(),
        });
    }
    Ok(())
}

/// The rules of a day as text or JSON.
///
/// # Errors
/// When a pack, the date or the number cannot be read; a sentence for who typed it.
pub fn run(options: &Options) -> anyhow::Result<String> {
    let packs = load_packs(options.directory.as_deref())?;
    let day = day(options, &packs, daemon::now())?;
    let preview = preview(&packs, &day);
    if options.json {
        return Ok(serde_json::to_string_pretty(&preview)?);
    }
    Ok(text(&preview, day.number.as_ref()))
}

fn day(options: &Options, packs: &Packs, now: Timestamp) -> anyhow::Result<Day> {
    let text = match &options.date {
        Some(date) => date.clone(),
        None => now.strftime("%F").to_string(),
    };
    let date = text
        .parse()
        .map_err(|_| anyhow::anyhow!("--date: {text:?} is not a day; write it as 2026-08-11"))?;
    let ids: Vec<PackId> = options.packs.iter().cloned().map(PackId).collect();
    if let Some(unknown) = ids.iter().find(|id| packs.get(id).is_none()) {
        let known: Vec<&str> = packs.iter().map(|pack| pack.id.as_str()).collect();
        anyhow::bail!(
            "--packs: there is no pack {unknown}; there are {}",
            known.join(", ")
        );
    }
    let region = options.region.as_ref().map(|region| region.to_uppercase());
    let number = options
        .number
        .as_deref()
        .map(|number| PhoneNumber::parse(number, region.as_deref().unwrap_or_default()))
        .transpose()
        .context("--number")?;
    Ok(Day {
        date,
        packs: ids,
        region,
        number,
        activity: options.activity,
        channel: options.channel,
        automated: options.automated,
    })
}

fn text(preview: &Preview, number: Option<&PhoneNumber>) -> String {
    let mut out = String::new();
    let date = preview.date;
    let weekday = date.strftime("%A");
    line(
        &mut out,
        0,
        &format!("Rules of {weekday}, {date}. Not legal advice."),
    );
    if let Some(number) = number {
        let zones = match zones_of(number) {
            [] => "no known time zone".to_owned(),
            zones => zones.join(", "),
        };
        line(&mut out, 0, &format!("{number} may be in {zones}."));
    }
    for pack in &preview.packs {
        of_pack(&mut out, pack);
    }
    if preview.packs.is_empty() {
        line(&mut out, 0, "No pack has a say.");
    }
    out
}

fn of_pack(out: &mut String, pack: &PackDay) {
    line(out, 0, &format!("\n{}  {}", pack.id, pack.title));
    match &pack.version {
        None => line(out, 1, "no version in force"),
        Some(version) => {
            let to = version.effective_to.map_or_else(
                || "until further notice".to_owned(),
                |to| format!("to {to}"),
            );
            line(
                out,
                1,
                &format!("version from {} {to}", version.effective_from),
            );
            line(out, 1, &version.summary);
            line(out, 1, &format!("source: {}", version.source));
        }
    }
    for change in &pack.changes {
        line(out, 1, &format!("! {change}"));
    }
    for rule in pack.version.iter().flat_map(|version| &version.rules) {
        line(out, 1, &format!("- {} ({})", rule.text, rule.rule));
    }
    for hours in pack.version.iter().flat_map(|version| &version.hours) {
        of_hours(out, hours);
    }
}

fn of_hours(out: &mut String, hours: &HoursDay) {
    let mut zones = hours
        .zones
        .iter()
        .take(4)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if hours.zones.len() > 4 {
        let more = hours.zones.len() - 4;
        // Writing to a String cannot fail.
        let _ = write!(zones, " and {more} more");
    }
    let text = match (&hours.holiday, hours.local.as_slice()) {
        (Some(holiday), _) => format!("no calls: public holiday, {holiday}"),
        (None, []) => "no calls on this weekday".to_owned(),
        (None, local) => {
            let local: Vec<String> = local.iter().map(ToString::to_string).collect();
            let utc: Vec<String> = hours
                .utc
                .iter()
                .map(|(from, until)| {
                    format!("{}-{}", from.strftime("%F %H:%M"), until.strftime("%H:%M"))
                })
                .collect();
            format!("calls {} (UTC {})", local.join(" and "), utc.join(" and "))
        }
    };
    line(out, 1, &format!("- {zones}: {text} ({})", hours.rule));
}

fn line(out: &mut String, depth: usize, text: &str) {
    let indent = "  ".repeat(depth);
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{indent}{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> anyhow::Result<String> {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            options: Options,
        }
        run(&<Line as clap::Parser>::parse_from(line.split(' ')).options)
    }

    #[test]
    fn the_day_on_which_france_requires_consent_says_so() {
        let text = asked("preview --date 2026-08-11 --packs fr,us-fl --region FR").unwrap();
        assert!(text.starts_with("Rules of Tuesday, 2026-08-11."), "{text}");
        assert!(
            text.contains("! from today: consent on record required, or a contract (fr/consent)"),
            "{text}"
        );
        assert!(
            text.contains("! ended yesterday: no call to numbers of the list bloctel"),
            "{text}"
        );
        assert!(
            text.contains(
                "- Europe/Paris: calls 10:00-13:00 and 14:00-20:00 \
                 (UTC 2026-08-11 08:00-11:00 and 2026-08-11 12:00-18:00) (fr/calling-hours)"
            ),
            "{text}"
        );
        assert!(!text.contains("us-fl"), "Florida is not in France: {text}");
    }

    #[test]
    fn a_holiday_is_named_and_the_day_after_the_change_has_none() {
        let text = asked("preview --date 2026-11-11 --packs fr --number +33142278186").unwrap();
        assert!(
            text.contains("- Europe/Paris: no calls: public holiday, Armistice Day"),
            "{text}"
        );
        assert!(!text.contains('!'), "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (line, word) in [
            ("preview --date 11/08/2026", "--date"),
            ("preview --packs fr,xx", "there is no pack xx"),
            ("preview --number 12 --region FR", "--number"),
            ("preview --directory /nowhere/at/all", "/nowhere/at/all"),
        ] {
            let error = format!("{:#}", asked(line).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn json_holds_the_same() {
        let text = asked("preview --date 2026-08-11 --packs us-fl --json").unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pack = &json["packs"][0];
        assert_eq!(pack["id"], "us-fl");
        assert_eq!(pack["version"]["rules"][2]["rule"], "us-fl/calls-per-24h");
        assert_eq!(pack["version"]["hours"][0]["local"][0], "08:00-20:00");
        assert_eq!(pack["version"]["hours"][0]["zones"][0], "America/Chicago");
    }

    #[test]
    fn a_pack_of_a_directory_takes_the_place_of_the_one_built_in() {
        let directory = std::env::temp_dir().join(format!("strowger-packs-{}", std::process::id()));
        std::fs::create_dir_all(directory.join("holidays")).unwrap();
        let pack = include_str!("../../compliance/us-fl.toml").replace("limit = 3", "limit = 2");
        std::fs::write(directory.join("us-fl.toml"), pack).unwrap();
        std::fs::write(directory.join("README.md"), "not a pack").unwrap();
        let packs = load_packs(Some(&directory)).unwrap();
        let pack = packs.get(&PackId::from("us-fl")).unwrap();
        assert_eq!(pack.versions[0].caps[0].limit, 2);
        assert!(packs.get(&PackId::from("fr")).is_some());
        std::fs::write(directory.join("holidays/xx.toml"), "id = 1").unwrap();
        let error = format!("{:#}", load_packs(Some(&directory)).unwrap_err());
        assert!(error.contains("holidays/xx.toml"), "{error}");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
