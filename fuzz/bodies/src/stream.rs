//! A byte stream, and how it arrives.

use crate::feed::Feed;

/// Longest stream that is made of an input: three times the limits of all decoders.
const MAX_STREAM: usize = 192 * 1024;

/// What an input of a decoder says.
pub(crate) struct Stream {
    pub(crate) bytes: Vec<u8>,
    /// Lengths of the pieces in which it arrives, over and over.
    steps: Vec<usize>,
}

impl Stream {
    /// The first byte counts the steps (lowest four bits) and says whether a piece
    /// is to be repeated (the highest three: its length). Then come the steps, then
    /// two bytes with the place of that piece and one with the number of its
    /// repetitions, in units of 64; the rest is the stream.
    pub(crate) fn of(input: &[u8]) -> Self {
        let mut feed = Feed::new(input);
        let head = feed.byte();
        let steps = feed
            .take(usize::from(head & 0x0f))
            .iter()
            .map(|step| step_length(*step))
            .collect();
        let unit = usize::from(head >> 5);
        let repetition = (unit > 0).then(|| {
            let place = usize::from(feed.byte()) << 8 | usize::from(feed.byte());
            (place, (usize::from(feed.byte()) + 1) * 64)
        });
        let mut bytes = feed.rest().to_vec();
        bytes.truncate(MAX_STREAM);
        if let Some((place, times)) = repetition {
            let start = place.min(bytes.len());
            let end = (start + unit).min(bytes.len());
            let times = times.min(MAX_STREAM / unit);
            let repeated = bytes[start..end].repeat(times);
            bytes.splice(start..end, repeated);
        }
        Self { bytes, steps }
    }

    /// The pieces in which it arrives.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut steps = self.steps.iter().copied().cycle();
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let step = steps.next().unwrap_or(rest.len()).min(rest.len());
            let (piece, tail) = rest.split_at(step);
            rest = tail;
            Some(piece)
        })
    }
}

/// 1 to 200 bytes, or whole kilobytes.
fn step_length(step: u8) -> usize {
    match step {
        0..200 => usize::from(step) + 1,
        200.. => (usize::from(step) - 199) * 1024,
    }
}
