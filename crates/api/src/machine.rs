//! How the machine is: its processors, memory and disk, and the space that recordings take.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sysinfo::{Disks, MINIMUM_CPU_UPDATE_INTERVAL, System};
use tokio::{sync::Mutex, time::Instant};

/// How long what was measured is taken as true: the screen asks every two seconds, perhaps for
/// several people.
const FRESH: Duration = Duration::from_secs(1);

/// How long the size of the recordings is taken as true: finding it walks through all of them.
const WALKED: Duration = Duration::from_mins(1);

/// Most files and directories that are counted in one walk.
const MAX_WALK: u64 = 500_000;

/// A part of something that has a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Space {
    /// All of it, in bytes.
    pub(crate) total: u64,
    /// What is used, in bytes.
    pub(crate) used: u64,
}

/// Files below a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Files {
    /// How many.
    pub(crate) count: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
}

/// How the machine is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    /// The name of the processor.
    pub(crate) brand: String,
    /// How busy all processors are, 0 to 100.
    pub(crate) load: f32,
    /// Memory.
    pub(crate) memory: Space,
    /// The disk of a directory.
    pub(crate) disk: Space,
    /// Recordings.
    pub(crate) recordings: Files,
}

#[derive(Default)]
struct Kept {
    system: Option<System>,
    measured: Option<(Instant, Measured)>,
    walked: Option<(Instant, Files)>,
}

/// What is known of the machine.
#[derive(Default)]
pub(crate) struct Machine(Arc<Mutex<Kept>>);

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

impl Machine {
    /// Measures, unless that was just done. None when the system tells nothing.
    pub(crate) async fn measure(&self, data: &Path, recordings: &Path) -> Option<Measured> {
        let mut kept = Arc::clone(&self.0).lock_owned().await;
        if let Some((at, measured)) = &kept.measured
            && at.elapsed() < FRESH
        {
            return Some(measured.clone());
        }
        let (data, recordings) = (data.to_owned(), recordings.to_owned());
        // Disks and directories may take their time.
        let work = tokio::task::spawn_blocking(move || {
            let files = match kept.walked {
                Some((at, files)) if at.elapsed() < WALKED => files,
                Some(_) | None => {
                    let files = walk(recordings);
                    kept.walked = Some((Instant::now(), files));
                    files
                }
            };
            let measured = measure(&mut kept, &data, files);
            if let Some(measured) = &measured {
                kept.measured = Some((Instant::now(), measured.clone()));
            }
            measured
        });
        work.await.ok().flatten()
    }
}

fn measure(kept: &mut Kept, data: &Path, recordings: Files) -> Option<Measured> {
    if kept.system.is_none() {
        let mut system = System::new().ok()?;
        // The load is what happened between two looks.
        system.refresh_cpu_usage();
        std::thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
        kept.system = Some(system);
    }
    let system = kept.system.as_mut()?;
    system.refresh_cpu_usage();
    system.refresh_memory();
    let disks = Disks::new_with_refreshed_list().ok();
    let holds = |disk: &&sysinfo::Disk| data.starts_with(disk.mount_point());
    let disk = disks.as_ref().and_then(|disks| {
        let holding = disks.iter().filter(holds);
        holding.max_by_key(|disk| disk.mount_point().as_os_str().len())
    });
    let load = system.global_cpu_usage();
    Some(Measured {
        brand: system.cpus().first()?.brand().to_owned(),
        load: if load.is_finite() {
            load.clamp(0.0, 100.0)
        } else {
            0.0
        },
        memory: Space {
            total: system.total_memory(),
            used: system.used_memory(),
        },
        disk: disk.map_or_else(Space::default, |disk| Space {
            total: disk.total_space(),
            used: disk.total_space().saturating_sub(disk.available_space()),
        }),
        recordings,
    })
}

/// Counts the files below a directory; what cannot be read counts as nothing. Links are not
/// followed.
fn walk(directory: PathBuf) -> Files {
    let mut files = Files::default();
    let mut seen = 0;
    let mut waiting = vec![directory];
    while let Some(directory) = waiting.pop() {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        for entry in entries.filter_map(Result::ok) {
            seen += 1;
            if seen > MAX_WALK {
                return files;
            }
            // Of the entry itself, not of what a link leads to.
            match entry.metadata() {
                Ok(found) if found.is_dir() => waiting.push(entry.path()),
                Ok(found) if found.is_file() => {
                    files.count += 1;
                    files.bytes += found.len();
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_counted_through_directories_but_not_through_links() {
        let directory = std::env::temp_dir().join(format!("strowger-walk-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(directory.join("2026/11")).unwrap();
        std::fs::write(directory.join("one.wav"), [0; 10]).unwrap();
        std::fs::write(directory.join("2026/11/two.wav"), [0; 32]).unwrap();
        std::os::unix::fs::symlink(&directory, directory.join("2026/again")).unwrap();
        let found = walk(directory.clone());
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(
            found,
            Files {
                count: 2,
                bytes: 42
            }
        );
        assert_eq!(walk(directory), Files::default());
    }
}
