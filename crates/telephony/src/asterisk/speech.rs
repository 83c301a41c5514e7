//! Texts as sound files.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    io,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tokio::{io::AsyncWriteExt, process::Command, sync::Semaphore};

/// Longest time that speaking a text may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Makes a sound file of each text once, with a program of the operator's choice.
///
/// The program gets the text on its standard input and the path of the file to write (16-bit
/// mono WAV at 8 kHz) as its last argument: no text ever becomes an argument.
#[derive(Debug)]
pub struct Speech {
    /// Program and fixed arguments.
    pub command: Vec<String>,
    /// Where the files are written.
    pub directory: PathBuf,
    /// The same directory as Asterisk sees it.
    pub seen_as: String,
    /// One at a time: a burst of callers must not start a burst of programs.
    pub turn: Semaphore,
}

impl Speech {
    /// The sound of a text, without extension, as Asterisk plays it.
    ///
    /// # Errors
    /// When the program fails or takes longer than 15 s.
    pub async fn sound_for(&self, text: &str) -> io::Result<String> {
        let mut hasher = DefaultHasher::new();
        (&self.command, text).hash(&mut hasher);
        let name = format!("text-{:016x}", hasher.finish());
        let file = self.directory.join(format!("{name}.wav"));
        if !tokio::fs::try_exists(&file).await? {
            let _turn = self.turn.acquire().await.map_err(io::Error::other)?;
            if !tokio::fs::try_exists(&file).await? {
                self.speak(text, &file).await?;
            }
        }
        Ok(format!("{}/{name}", self.seen_as))
    }

    async fn speak(&self, text: &str, file: &PathBuf) -> io::Result<()> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| io::Error::other("speech.command is empty"))?;
        tokio::fs::create_dir_all(&self.directory).await?;
        // Written beside and renamed: a half-written file must never be played.
        let partial = file.with_extension("partial.wav");
        let mut child = Command::new(program)
            .args(arguments)
            .arg(&partial)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let spoken = async {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(text.as_bytes()).await?;
            }
            child.wait().await
        };
        let status = tokio::time::timeout(LIMIT, spoken)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)??;
        if !status.success() {
            return Err(io::Error::other(format!("{program} ended with {status}")));
        }
        tokio::fs::rename(&partial, file).await
    }
}
