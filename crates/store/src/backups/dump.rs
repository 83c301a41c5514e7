//! PostgreSQL's own programs that write a database to a file and read it back.
//!
//! They get their arguments one by one, never through a shell, and learn where the database is
//! and its password from their environment: arguments are seen by everybody on the machine.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use percent_encoding::percent_decode_str;
use sqlx::{
    ConnectOptions as _,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{process::Command, time::timeout};

use crate::{Error, Store};

/// Longest time for writing or reading a database; a program that takes longer hangs.
const WITHIN: Duration = Duration::from_hours(12);

/// Characters of what a program said that are kept: its last ones.
const SAID: usize = 600;

/// Bytes in what people are told as a megabyte.
const MB: u64 = 1_000_000;

/// Why a database was not written to a file, or not read from one.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The programs are not there.
    #[error(
        "no pg_dump and pg_restore found in {0}: install PostgreSQL's client programs (on Debian: \
         apt-get install postgresql-client), or say in backup.programs where they are"
    )]
    NotInstalled(String),
    /// The directory that is configured is not there.
    #[error(
        "backup.directory: {0} is not there: make it, or have its disk mounted, for the user that runs strowger"
    )]
    NoDirectory(PathBuf),
    /// The disk might be full before the backup is whole, and the database itself may be on it.
    #[error(
        "{directory} has {} MB left and the database {}: a backup is made while there is room for as \
         much as the database has. Make some, or have backup.directory name another disk",
        .free / MB, .needed / MB
    )]
    NoRoom {
        /// Where it was to be.
        directory: PathBuf,
        /// What is left there in bytes.
        free: u64,
        /// The size of the database in bytes.
        needed: u64,
    },
    /// A file could not be written or read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A program failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it said.
        said: String,
    },
    /// A program did not come to its end.
    #[error("{0} did not end within 12 hours and was stopped")]
    TooLong(&'static str),
    /// A backup is restored into an empty database only.
    #[error(
        "the database {database} is not empty, it has {found}: a backup is restored into an empty \
         database only. Make one (createdb NAME) and name it with --into, then point database.url at it"
    )]
    NotEmpty {
        /// Its name.
        database: String,
        /// What it has, some of it.
        found: String,
    },
    /// The database cannot be worked on.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Where PostgreSQL's client programs are.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// Finds them: in the directory that is configured, or else the newest ones installed. Those
    /// of a newer version write the databases of older servers as well.
    ///
    /// # Errors
    /// [`DumpError::NotInstalled`].
    pub fn find(configured: Option<&Path>) -> Result<Self, DumpError> {
        let has = |directory: &Path| {
            let program = |name| directory.join(name).is_file();
            program("pg_dump") && program("pg_restore")
        };
        if let Some(directory) = configured {
            return if has(directory) {
                Ok(Self(directory.to_owned()))
            } else {
                Err(DumpError::NotInstalled(directory.display().to_string()))
            };
        }
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let version = entry.file_name().to_str()?.parse().ok()?;
                Some((version, entry.path().join("bin")))
            })
            .filter(|(_, directory)| has(directory))
            .collect();
        versions.sort();
        let newest = versions.pop().map(|(_, directory)| directory);
        let path = std::env::var_os("PATH").unwrap_or_default();
        newest
            .or_else(|| std::env::split_paths(&path).find(|directory| has(directory)))
            .map(Self)
            .ok_or_else(|| {
                DumpError::NotInstalled("/usr/lib/postgresql/*/bin or on the PATH".to_owned())
            })
    }

    /// A program that gives way to whatever handles calls.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nice");
        command
            .args(["-n", "10", "--"])
            .arg(self.0.join(program))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // The daemon's own signals (Ctrl-C at a terminal) are not for it; it ends with whoever
            // waits for it.
            .process_group(0)
            .kill_on_drop(true);
        command
    }

    /// Writes a database to a file in PostgreSQL's custom format: everything, as it was at one
    /// moment, while it is worked on.
    ///
    /// # Errors
    /// [`DumpError`] says why there is none.
    pub async fn dump(&self, database: &PgConnectOptions, to: File) -> Result<(), DumpError> {
        let mut command = self.command("pg_dump");
        command
            .args([
                "--format=custom",
                "--no-password",
                // It waits for a change of the schema, but everybody else would wait behind it.
                "--lock-wait-timeout=60000",
            ])
            .envs(environment(database))
            .stdout(Stdio::from(to));
        run("pg_dump", &mut command).await.map(drop)
    }

    /// Whether a file is a backup that can be read.
    ///
    /// # Errors
    /// [`DumpError`] says what is wrong with it.
    pub async fn check(&self, file: &Path) -> Result<(), DumpError> {
        let mut command = self.command("pg_restore");
        command.arg("--list").arg(file);
        run("pg_restore", &mut command).await.map(drop)
    }

    /// Reads a backup back into an empty database: all of it or, when something is wrong, nothing.
    ///
    /// # Errors
    /// [`DumpError::NotEmpty`] when the database is not; the others say why it failed.
    pub async fn restore(&self, file: &Path, into: &PgConnectOptions) -> Result<(), DumpError> {
        let at = |source| DumpError::File {
            path: file.to_owned(),
            source,
        };
        let file = file.canonicalize().map_err(at)?;
        File::open(&file).map_err(at)?;
        self.check(&file).await?;
        let store = Store::connect(into.clone(), 2).await?;
        let restored = self.restore_into(&store, &file, into).await;
        store.close().await;
        restored
    }

    async fn restore_into(
        &self,
        store: &Store,
        file: &Path,
        into: &PgConnectOptions,
    ) -> Result<(), DumpError> {
        // No daemon begins to work on it meanwhile.
        let _lock = store.lock_node().await?;
        let found = store.relations().await?;
        let database = into.get_database().unwrap_or(into.get_username());
        if !found.is_empty() {
            return Err(DumpError::NotEmpty {
                database: database.to_owned(),
                found: found.join(", "),
            });
        }
        let quoted = database.replace('\\', r"\\").replace('\'', r"\'");
        let mut command = self.command("pg_restore");
        command
            .args([
                "--single-transaction",
                // Those who own and use it here are others; the daemon grants at each start what it needs.
                "--no-owner",
                "--no-privileges",
                "--no-password",
            ])
            // A name alone could be taken for a connection string.
            .arg(format!("--dbname=dbname='{quoted}'"))
            .arg(file)
            .envs(environment(into));
        run("pg_restore", &mut command).await.map(drop)
    }
}

impl Store {
    /// The size of the database on its disk in bytes, indexes and all: more than a backup of it,
    /// which is compressed.
    pub(super) async fn database_size(&self) -> Result<u64, Error> {
        let size = sqlx::query_scalar!(r#"SELECT pg_database_size(current_database()) AS "size!""#)
            .fetch_one(&self.pool)
            .await?;
        Ok(u64::try_from(size).unwrap_or_default())
    }

    /// The first tables, views and the like of a database that no extension brought.
    async fn relations(&self) -> Result<Vec<String>, Error> {
        let found = sqlx::query_scalar!(
            r#"SELECT c.oid::regclass::text AS "name!"
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
                 AND n.nspname NOT LIKE 'pg\_temp%'
                 AND NOT EXISTS (SELECT FROM pg_depend d
                   WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
               ORDER BY (c.relkind <> 'r'), 1 LIMIT 3"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(found)
    }
}

/// Where a database is, as PostgreSQL's programs read it from their environment.
fn environment(options: &PgConnectOptions) -> Vec<(&'static str, OsString)> {
    let host = match options.get_socket() {
        Some(socket) => socket.as_os_str().to_owned(),
        None => options.get_host().into(),
    };
    let ssl_mode = match options.get_ssl_mode() {
        PgSslMode::Disable => "disable",
        PgSslMode::Allow => "allow",
        PgSslMode::Prefer => "prefer",
        PgSslMode::Require => "require",
        PgSslMode::VerifyCa => "verify-ca",
        PgSslMode::VerifyFull => "verify-full",
    };
    let user = options.get_username();
    let mut variables = vec![
        ("PGHOST", host),
        ("PGPORT", options.get_port().to_string().into()),
        ("PGUSER", user.into()),
        ("PGDATABASE", options.get_database().unwrap_or(user).into()),
        ("PGSSLMODE", ssl_mode.into()),
        ("PGAPPNAME", "strowger backup".into()),
        ("PGCONNECT_TIMEOUT", "10".into()),
    ];
    // What the options do not tell otherwise is in the URL that they make of themselves. It must
    // not hold what a URL cannot.
    let url = options
        .clone()
        .host("localhost")
        .username("user")
        .database("database")
        .to_url_lossy();
    if let Some(password) = url.password() {
        let password = percent_decode_str(password).decode_utf8_lossy();
        variables.push(("PGPASSWORD", password.as_ref().into()));
    }
    for (name, value) in url.query_pairs() {
        let variable = match name.as_ref() {
            "sslrootcert" => "PGSSLROOTCERT",
            "sslcert" => "PGSSLCERT",
            "sslkey" => "PGSSLKEY",
            _ => continue,
        };
        if let Some(file) = value.strip_prefix("file: ") {
            variables.push((variable, file.into()));
        }
    }
    variables
}

async fn run(program: &'static str, command: &mut Command) -> Result<Output, DumpError> {
    let failed = |source| DumpError::File {
        path: PathBuf::from(program),
        source,
    };
    // Not `output()`: that takes the standard output away from the file.
    let child = command.spawn().map_err(failed)?;
    let output = timeout(WITHIN, child.wait_with_output()).await;
    let output = output
        .map_err(|_| DumpError::TooLong(program))?
        .map_err(failed)?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    // A sandbox may not let it give way, which is no reason to fail.
    let lines = text.lines().filter(|line| !line.starts_with("nice:"));
    let text = lines.collect::<Vec<_>>().join("; ");
    let start = text.char_indices().rev().nth(SAID).map_or(0, |(at, _)| at);
    let said = match text[start..].trim() {
        "" => output.status.to_string(),
        said => said.to_owned(),
    };
    Err(DumpError::Program { program, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(url: &str) -> Vec<(&'static str, String)> {
        let options: PgConnectOptions = url.parse().unwrap();
        let text = |value: OsString| value.into_string().unwrap();
        let variables = environment(&options).into_iter();
        variables.map(|(name, value)| (name, text(value))).collect()
    }

    fn has(variables: &[(&str, String)], name: &str, value: &str) -> bool {
        variables.contains(&(name, value.to_owned()))
    }

    #[test]
    fn the_programs_learn_all_that_the_url_says() {
        let found = variables(
            "postgres://ada:p%40ss%2Fw%25o%2Brd@db.example:6432/centre?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        );
        for (name, value) in [
            ("PGHOST", "db.example"),
            ("PGPORT", "6432"),
            ("PGUSER", "ada"),
            ("PGPASSWORD", "p@ss/w%o+rd"),
            ("PGDATABASE", "centre"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/etc/ca.pem"),
        ] {
            assert!(has(&found, name, value), "{name}: {found:?}");
        }
    }

    #[test]
    fn names_that_no_url_can_hold_are_told_as_well() {
        let options = PgConnectOptions::new_without_pgpass()
            .host("::1")
            .username("an odd/name")
            .database("?#");
        let found = environment(&options);
        for (name, value) in [
            ("PGHOST", "::1"),
            ("PGUSER", "an odd/name"),
            ("PGDATABASE", "?#"),
        ] {
            assert!(found.contains(&(name, value.into())), "{name}: {found:?}");
        }
        let options = options.socket("/run/a socket");
        assert!(environment(&options).contains(&("PGHOST", "/run/a socket".into())));
    }

    #[test]
    fn where_programs_are_missing_it_is_said_where_they_were_looked_for() {
        let error = Programs::find(Some(Path::new("/nowhere"))).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("/nowhere") && text.contains("backup.programs"),
            "{text}"
        );
    }
}
