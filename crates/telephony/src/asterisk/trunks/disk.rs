//! A file that is replaced as a whole, and survives a loss of power.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Its content; `None` when there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(told(file, &error)),
    }
}

/// Replaces it in one step. Asterisk reads it through the group, which its directory gives.
pub(super) fn replace(file: &Path, text: &str) -> Result<(), String> {
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let new = Path::new(&new);
    let write = || -> io::Result<()> {
        // One that an interrupted change left has the rights of that change.
        match fs::remove_file(new) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut options = OpenOptions::new();
        let mut written = options.write(true).create_new(true).mode(0o640).open(new)?;
        written.write_all(text.as_bytes())?;
        written.sync_all()?;
        fs::rename(new, file)?;
        sync_directory(file)
    };
    write().map_err(|error| told(file, &error))
}

/// Removes it.
pub(super) fn remove(file: &Path) -> Result<(), String> {
    let remove = || -> io::Result<()> {
        fs::remove_file(file)?;
        sync_directory(file)
    };
    remove().map_err(|error| told(file, &error))
}

fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn told(file: &Path, error: &io::Error) -> String {
    format!(
        "{}: {error} (trunks_file of this exchange: its directory is made by apply-asterisk-config.sh, and the user of \
         this daemon must be able to enter it)",
        file.display()
    )
}
