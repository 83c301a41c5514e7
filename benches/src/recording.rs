//! A recorded stream of manager events, in memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

/// Fewer events say too little about a steady state.
pub const MIN_EVENTS: usize = 80_000;

const BLANK_LINE: &[u8] = b"\r\n\r\n";

/// Frames of events, one behind the other.
#[derive(Debug)]
pub struct Recording {
    /// The bytes, from the first frame to the blank line of the last.
    pub bytes: Vec<u8>,
    /// Where each frame ends in `bytes`.
    pub ends: Vec<usize>,
}

impl Recording {
    /// Reads a recording, compressed if its name ends in `.xz`.
    ///
    /// # Errors
    /// It cannot be read or decompressed, has fewer than [`MIN_EVENTS`] events, or
    /// anything else than events in it.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let bytes = if path.extension().is_some_and(|extension| extension == "xz") {
            decompress(path)?
        } else {
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?
        };
        let recording = Self::cut(bytes).with_context(|| format!("in {}", path.display()))?;
        let events = recording.ends.len();
        ensure!(
            events >= MIN_EVENTS,
            "{} has {events} events, at least {MIN_EVENTS} are needed",
            path.display()
        );
        Ok(recording)
    }

    fn cut(mut bytes: Vec<u8>) -> anyhow::Result<Self> {
        let mut ends = Vec::new();
        let mut start = 0;
        for at in 0..bytes.len() {
            if bytes[at] == b'\r' && at >= start && bytes[at..].starts_with(BLANK_LINE) {
                let name = event_name(&bytes[start..at + 2]);
                let Some(name) = name else {
                    bail!("the frame at byte {start} is no event");
                };
                // It would make clients hang up.
                ensure!(name != b"Shutdown", "a Shutdown event is at byte {start}");
                start = at + BLANK_LINE.len();
                ends.push(start);
            }
        }
        bytes.truncate(start);
        Ok(Self { bytes, ends })
    }

    /// The frame with this number.
    pub fn frame(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[index]]
    }

    /// How many events of each name there are among the first `events`, where the
    /// recording is repeated as often as needed.
    pub fn names(&self, events: usize) -> BTreeMap<String, u64> {
        let (rounds, rest) = (events / self.ends.len(), events % self.ends.len());
        let mut names = BTreeMap::new();
        for index in 0..self.ends.len().min(events) {
            let times = rounds + usize::from(index < rest);
            let name = event_name(self.frame(index)).unwrap_or_default();
            *names
                .entry(String::from_utf8_lossy(name).into_owned())
                .or_default() += times as u64;
        }
        names
    }

    /// The pieces to write for so many events: each ends with a frame and has at
    /// most about `size` bytes.
    pub fn pieces(&self, events: usize, size: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut left = events;
        while left > 0 {
            let round = left.min(self.ends.len());
            let mut start = 0;
            for (index, end) in self.ends[..round].iter().enumerate() {
                if end - start >= size || index + 1 == round {
                    pieces.push(start..*end);
                    start = *end;
                }
            }
            left -= round;
        }
        pieces
    }
}

/// The name in the first line of a frame, if it is an event.
fn event_name(frame: &[u8]) -> Option<&[u8]> {
    let line = frame.strip_prefix(b"Event: ")?;
    line.split(|byte| *byte == b'\r').next()
}

fn decompress(path: &Path) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("xz").arg("-dc").arg(path).output();
    let output = output.context("cannot run xz: install xz-utils")?;
    ensure!(
        output.status.success(),
        "cannot decompress {}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        Recording::cut(
            b"Event: A\r\nX: 1\r\n\r\nEvent: B\r\n\r\nEvent: A\r\n\r\nEvent: cut".to_vec(),
        )
        .unwrap()
    }

    #[test]
    fn an_unfinished_frame_is_left_out() {
        let recording = recording();
        assert_eq!(recording.ends.len(), 3);
        assert_eq!(recording.frame(1), b"Event: B\r\n\r\n");
        assert_eq!(*recording.ends.last().unwrap(), recording.bytes.len());
    }

    #[test]
    fn anything_but_an_event_is_refused() {
        assert!(Recording::cut(b"Response: Success\r\n\r\n".to_vec()).is_err());
        assert!(Recording::cut(b"Event: Shutdown\r\n\r\n".to_vec()).is_err());
    }

    #[test]
    fn names_and_pieces_tell_the_same_number_of_events() {
        let recording = recording();
        for events in 0..10 {
            assert_eq!(recording.names(events).values().sum::<u64>(), events as u64);
            let bytes: usize = recording.pieces(events, 16).iter().map(Range::len).sum();
            let whole = events / 3 * recording.bytes.len();
            let part = (0..events % 3)
                .map(|index| recording.frame(index).len())
                .sum::<usize>();
            assert_eq!(bytes, whole + part);
        }
    }
}
