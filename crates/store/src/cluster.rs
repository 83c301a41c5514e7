//! A private PostgreSQL server in the data directory: the embedded default.
//!
//! Uses the server binaries of the system (Debian's `postgresql` package). It listens on a
//! unix socket in its own directory and on no network. PostgreSQL refuses to run as root;
//! started by root, the cluster belongs to the system user `postgres`.

use std::{
    ffi::OsStr,
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Output,
};

use sqlx::postgres::PgConnectOptions;
use tokio::process::Command;

/// The name of the database and of its owner in the cluster.
const NAME: &str = "strowger";

/// Longest path of a unix socket on Linux, without the file name PostgreSQL adds (`/.s.PGSQL.5432`).
const MAX_SOCKET_DIR: usize = 107 - 15;

/// Why the private cluster does not run.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No server binaries.
    #[error(
        "no PostgreSQL server found in /usr/lib/postgresql/*/bin or on the PATH: install it \
         (on Debian: apt-get install postgresql) or set database.url"
    )]
    NotInstalled,
    /// Started by root on a system without the user `postgres`.
    #[error(
        "PostgreSQL does not run as root, and this system has no user \"postgres\" to run it as"
    )]
    NoUser,
    /// Only its owner may start it.
    #[error(
        "{path} belongs to the user with id {owner}: run this as that user (sudo -u '#{owner}' …)"
    )]
    NotOwner {
        /// Which directory.
        path: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// The path is too long for a unix socket.
    #[error(
        "the path {0} is too long for a unix socket (92 bytes at most): choose a shorter data directory"
    )]
    PathTooLong(PathBuf),
    /// A directory or file could not be made.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A PostgreSQL program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it printed.
        output: String,
    },
}

/// A running private cluster. [`Cluster::stop`] stops it; when the daemon dies without
/// doing so, the next start finds it running and goes on with it.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    directory: PathBuf,
    /// The user that PostgreSQL runs as, when it is not the one that runs this.
    run_as: Option<(u32, u32)>,
    launched: bool,
}

impl Cluster {
    /// Starts the cluster in `directory`, making it first when there is none, and goes on
    /// with one that runs already.
    ///
    /// A cluster belongs to the user who made it. Root runs it as its owner, and makes a new
    /// one as `postgres`; nobody else may start it.
    ///
    /// # Errors
    /// [`ClusterError`] with a text that says what to do.
    pub async fn start(directory: &Path) -> Result<Self, ClusterError> {
        let at = |source| ClusterError::File {
            path: directory.to_owned(),
            source,
        };
        std::fs::create_dir_all(directory).map_err(at)?;
        let directory = directory.canonicalize().map_err(at)?;
        if directory.as_os_str().len() > MAX_SOCKET_DIR {
            return Err(ClusterError::PathTooLong(directory));
        }
        let binaries = find_binaries(&directory).ok_or(ClusterError::NotInstalled)?;
        let run_as = owner(&directory).await?;
        let mut cluster = Self {
            binaries,
            directory,
            run_as,
            launched: false,
        };
        if !cluster.data().join("PG_VERSION").exists() {
            cluster.make().await?;
        }
        cluster.keep_running().await?;
        cluster.make_database().await?;
        Ok(cluster)
    }

    /// Starts the server again if it does not run.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn keep_running(&mut self) -> Result<(), ClusterError> {
        if !self.running().await? {
            self.launch().await?;
            self.launched = true;
        }
        Ok(())
    }

    /// Whether this started the server, rather than finding it running.
    pub fn launched(&self) -> bool {
        self.launched
    }

    /// How to connect.
    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.directory)
            .username(NAME)
            .database(NAME)
    }

    /// Where the programs of its version are.
    pub fn binaries(&self) -> &Path {
        &self.binaries
    }

    /// Stops the server after letting running transactions end.
    ///
    /// # Errors
    /// When it does not stop within a minute.
    pub async fn stop(&self) -> Result<(), ClusterError> {
        self.pg_ctl(["stop", "-m", "fast", "-w", "-t", "60"])
            .await
            .map(drop)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    async fn make(&self) -> Result<(), ClusterError> {
        let data = self.data();
        let mut command = self.command("initdb");
        command
            .arg("-D")
            .arg(&data)
            // Whoever may enter the 0700 directory of the socket is the owner.
            .args([
                "-U",
                NAME,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-instructions",
            ]);
        run("initdb", &mut command).await.map(drop)
    }

    async fn running(&self) -> Result<bool, ClusterError> {
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).arg("status");
        let output = command
            .output()
            .await
            .map_err(|source| ClusterError::File {
                path: self.binaries.join("pg_ctl"),
                source,
            })?;
        Ok(output.status.success())
    }

    async fn launch(&self) -> Result<(), ClusterError> {
        let log = self.directory.join("postgresql.log");
        // fsync stays on: this is where calls and contacts live.
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c unix_socket_permissions=0700 -c max_connections=250 -c jit=off",
            self.directory.display()
        );
        let mut command = self.command("pg_ctl");
        command
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(&log)
            .arg("-o")
            .arg(&options)
            .args(["start", "-w", "-t", "60"]);
        run("pg_ctl start", &mut command)
            .await
            .map_err(|error| match error {
                ClusterError::Program { program, output } => ClusterError::Program {
                    program,
                    output: format!("{output}; see {}", log.display()),
                },
                other => other,
            })?;
        Ok(())
    }

    async fn make_database(&self) -> Result<(), ClusterError> {
        let mut command = self.command("psql");
        command
            .arg("-h")
            .arg(&self.directory)
            .args(["-U", NAME, "-d", "postgres", "-X", "-A", "-t", "-c"]);
        command.arg(format!(
            "SELECT 1 FROM pg_database WHERE datname = '{NAME}'"
        ));
        let found = run("psql", &mut command).await?;
        if found.stdout.is_empty() {
            let mut command = self.command("createdb");
            command
                .arg("-h")
                .arg(&self.directory)
                .args(["-U", NAME, NAME]);
            run("createdb", &mut command).await?;
        }
        Ok(())
    }

    async fn pg_ctl<const N: usize>(&self, arguments: [&str; N]) -> Result<Output, ClusterError> {
        let mut command = self.command("pg_ctl");
        command.arg("-D").arg(self.data()).args(arguments);
        run("pg_ctl", &mut command).await
    }

    /// A PostgreSQL program, run as the user that owns the cluster.
    fn command(&self, program: &str) -> Command {
        let path = self.binaries.join(program);
        let mut command = match self.run_as {
            Some((uid, gid)) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={uid}"))
                    .arg(format!("--regid={gid}"))
                    .args(["--clear-groups", "--"])
                    .arg(path);
                command
            }
            None => Command::new(path),
        };
        // The server must not get the daemon's own settings, nor its working directory,
        // which the user postgres may be unable to enter.
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/");
        command.stdin(std::process::Stdio::null());
        // The daemon's own signals (Ctrl-C at a terminal) must not stop the server under it.
        command.process_group(0);
        command
    }
}

/// As whom the server in `directory` runs: `None` for the user that runs this.
///
/// The directory is open to nobody else: whoever may enter it is the owner of the database.
async fn owner(directory: &Path) -> Result<Option<(u32, u32)>, ClusterError> {
    let at = |source| ClusterError::File {
        path: directory.to_owned(),
        source,
    };
    let own_uid = std::fs::metadata("/proc/self").map_err(at)?.uid();
    let found = std::fs::metadata(directory).map_err(at)?;
    if own_uid != 0 {
        if found.uid() != own_uid {
            return Err(ClusterError::NotOwner {
                path: directory.to_owned(),
                owner: found.uid(),
            });
        }
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(directory, mode).map_err(at)?;
        return Ok(None);
    }
    if found.uid() == 0 {
        // PostgreSQL refuses to run as root.
        let no_user = |_| ClusterError::NoUser;
        run(
            "chown",
            Command::new("chown")
                .arg("postgres:postgres")
                .arg(directory),
        )
        .await
        .map_err(no_user)?;
        let mode = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(directory, mode).map_err(at)?;
    }
    let found = std::fs::metadata(directory).map_err(at)?;
    Ok(Some((found.uid(), found.gid())))
}

/// The server that made the cluster in `directory`, or the newest one installed for a new cluster.
fn find_binaries(directory: &Path) -> Option<PathBuf> {
    let version = std::fs::read_to_string(directory.join("data/PG_VERSION")).ok();
    if let Some(version) = version {
        let bin = Path::new("/usr/lib/postgresql")
            .join(version.trim())
            .join("bin");
        if bin.join("pg_ctl").exists() {
            return Some(bin);
        }
    }
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, bin)| bin).or_else(|| {
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .find(|dir| dir.join("initdb").exists() && dir.join("pg_ctl").exists())
    })
}

async fn run(program: &'static str, command: &mut Command) -> Result<Output, ClusterError> {
    let output = command
        .output()
        .await
        .map_err(|source| ClusterError::File {
            path: PathBuf::from(OsStr::new(program)),
            source,
        })?;
    if output.status.success() {
        return Ok(output);
    }
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8_lossy(&text);
    let start = text.char_indices().rev().nth(600).map_or(0, |(at, _)| at);
    Err(ClusterError::Program {
        program,
        output: text[start..].trim().to_owned(),
    })
}
