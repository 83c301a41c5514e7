//! Sounds: which ones Asterisk plays, and where it finds them.
//!
//! Asterisk's `format_wav` wants a WAV file whose first chunk is `fmt `, with linear PCM of 16
//! bits on one channel, at 8 kHz in a file `.wav` and at 16 kHz in a file `.wav16`; it stumbles
//! over chunks of odd length. So a sound that comes in is read with [`WavReader`], and only its
//! samples are kept, behind a header that [`Sound::header`] writes.

use std::borrow::Cow;

use crate::ids::MediaFileId;

/// Largest sound that is taken, in bytes: 21 minutes at 8 kHz.
pub const MAX_SOUND_BYTES: u64 = 20 * 1024 * 1024;

/// What may come before the samples: programs put titles and pictures there.
const MAX_HEAD: usize = 256 * 1024;

/// Length of the header that is written before the samples.
pub const HEADER_BYTES: usize = 44;

/// Bytes of one sample.
const SAMPLE_BYTES: u32 = 2;

/// How many samples of a sound are played in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleRate {
    /// 8,000: that of telephony.
    Narrow,
    /// 16,000: wideband.
    Wide,
}

impl SampleRate {
    /// In hertz.
    pub const fn hertz(self) -> u32 {
        match self {
            Self::Narrow => 8_000,
            Self::Wide => 16_000,
        }
    }

    /// The extension by which Asterisk tells them apart.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Narrow => "wav",
            Self::Wide => "wav16",
        }
    }
}

/// Why a file is not taken as a sound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSound {
    /// It is MP3.
    #[error(
        "this is an MP3 file, which Asterisk plays only with an add-on that Strowger does not count on: convert it, for example with ffmpeg -i sound.mp3 -ac 1 -ar 8000 -c:a pcm_s16le sound.wav"
    )]
    Mp3,
    /// It is something else.
    #[error("this is not a WAV file: give one with 16 bits, one channel and 8000 or 16000 Hz")]
    NotWav,
    /// It is a WAV file that Asterisk does not play.
    #[error(
        "this WAV file is {encoding} with {bits} bits, {channels} channels and {hertz} Hz, and Asterisk plays PCM with 16 bits, one channel and 8000 or 16000 Hz: convert it, for example with ffmpeg -i sound.wav -ac 1 -ar 8000 -c:a pcm_s16le telephone.wav"
    )]
    Format {
        /// How samples are written.
        encoding: Cow<'static, str>,
        /// Bits of a sample.
        bits: u16,
        /// Channels.
        channels: u16,
        /// Samples in a second.
        hertz: u32,
    },
    /// The samples come before what they are.
    #[error("this WAV file is damaged: its sound begins before its format is told (fmt)")]
    NoFormat,
    /// Too much comes before the samples.
    #[error(
        "more than 256 KB come before the sound of this WAV file: save it without pictures and titles"
    )]
    HeadTooLong,
    /// It ends before its header says.
    #[error("this WAV file is cut off: {missing} bytes of its sound are missing, send it again")]
    Truncated {
        /// How many bytes are missing.
        missing: u64,
    },
    /// It holds no sample.
    #[error("this WAV file holds no sound")]
    Empty,
}

/// A sound that Asterisk plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sound {
    /// How fast it is played.
    pub rate: SampleRate,
    /// Length of its samples in bytes, even and not 0.
    pub bytes: u32,
}

impl Sound {
    /// How long it is, in seconds, rounded up.
    pub const fn seconds(self) -> u32 {
        (self.bytes / SAMPLE_BYTES).div_ceil(self.rate.hertz())
    }

    /// Length of its file in bytes.
    pub const fn file_bytes(self) -> u64 {
        self.bytes as u64 + HEADER_BYTES as u64
    }

    /// What stands before the samples in its file.
    pub fn header(self) -> [u8; HEADER_BYTES] {
        let hertz = self.rate.hertz();
        let mut header = [0; HEADER_BYTES];
        let mut at = 0;
        for part in [
            &b"RIFF"[..],
            &(self.bytes + 36).to_le_bytes(),
            b"WAVEfmt ",
            &16_u32.to_le_bytes(),
            &PCM.to_le_bytes(),
            &1_u16.to_le_bytes(),
            &hertz.to_le_bytes(),
            &(hertz * SAMPLE_BYTES).to_le_bytes(),
            &2_u16.to_le_bytes(),
            &16_u16.to_le_bytes(),
            b"data",
            &self.bytes.to_le_bytes(),
        ] {
            header[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        header
    }
}

/// The encoding of linear samples.
const PCM: u16 = 1;
/// The encoding is told further behind.
const EXTENSIBLE: u16 = 0xfffe;

/// What came before the samples, as far as it was read.
#[derive(Debug)]
struct Scan {
    file: Vec<u8>,
    /// Where the next chunk begins.
    at: usize,
    rate: Option<SampleRate>,
}

/// Where the samples begin, and what they are.
struct Head {
    rate: SampleRate,
    /// None when the writer did not know: it wrote to a pipe.
    declared: Option<u64>,
    begins: usize,
}

/// Reads a WAV file as it comes in, piece by piece.
#[derive(Debug)]
pub struct WavReader(Place);

#[derive(Debug)]
enum Place {
    /// Before the samples.
    Head(Scan),
    /// Within them, or behind.
    Samples {
        rate: SampleRate,
        declared: Option<u64>,
        taken: u64,
    },
}

impl Default for WavReader {
    fn default() -> Self {
        Self(Place::Head(Scan {
            file: Vec::new(),
            at: RIFF_BYTES,
            rate: None,
        }))
    }
}

impl WavReader {
    /// Takes the next piece and gives the samples in it.
    ///
    /// # Errors
    /// As soon as it is certain that this is no sound that Asterisk plays.
    pub fn feed<'a>(&mut self, piece: &'a [u8]) -> Result<Cow<'a, [u8]>, BadSound> {
        match &mut self.0 {
            Place::Head(scan) => {
                scan.file.extend_from_slice(piece);
                let Some(found) = scan.head()? else {
                    return Ok(Cow::Borrowed(&[]));
                };
                let mut samples = scan.file.split_off(found.begins);
                let mut taken = 0;
                samples.truncate(room(found.declared, &mut taken, samples.len()));
                self.0 = Place::Samples {
                    rate: found.rate,
                    declared: found.declared,
                    taken,
                };
                Ok(Cow::Owned(samples))
            }
            Place::Samples {
                declared, taken, ..
            } => {
                let count = room(*declared, taken, piece.len());
                Ok(Cow::Borrowed(&piece[..count]))
            }
        }
    }

    /// What it was, when everything has come.
    ///
    /// # Errors
    /// When it ended too early.
    pub fn finish(self) -> Result<Sound, BadSound> {
        let (rate, declared, taken) = match self.0 {
            Place::Head(scan) if scan.file.len() >= RIFF_BYTES => return Err(BadSound::Empty),
            Place::Head(_) => return Err(BadSound::NotWav),
            Place::Samples {
                rate,
                declared,
                taken,
            } => (rate, declared, taken),
        };
        let missing = declared.map_or(taken % u64::from(SAMPLE_BYTES), |all| all - taken);
        if missing > 0 {
            return Err(BadSound::Truncated { missing });
        }
        match u32::try_from(taken) {
            Ok(0) => Err(BadSound::Empty),
            // An odd byte at the end is half a sample.
            Ok(bytes) if bytes % SAMPLE_BYTES != 0 => Err(BadSound::Truncated { missing: 1 }),
            Ok(bytes) if bytes <= u32::MAX - 36 => Ok(Sound { rate, bytes }),
            Ok(_) | Err(_) => Err(BadSound::NotWav),
        }
    }
}

/// How many of `count` bytes are samples still; they are counted as taken.
fn room(declared: Option<u64>, taken: &mut u64, count: usize) -> usize {
    let left = declared.map_or(u64::MAX, |all| all - *taken);
    let count = usize::try_from(left).map_or(count, |left| count.min(left));
    *taken += count as u64;
    count
}

/// Length of what tells a WAV file.
const RIFF_BYTES: usize = 12;

/// Whether a file may be WAV by its first bytes, as far as they have come.
fn magic(head: &[u8]) -> Result<(), BadSound> {
    let is_mp3 = head.starts_with(b"ID3") || matches!(head, [0xff, second, ..] if second >> 5 == 7);
    if is_mp3 {
        return Err(BadSound::Mp3);
    }
    let fits = |at: usize, word: &[u8; 4]| {
        let there = head.get(at..).unwrap_or_default();
        let there = &there[..there.len().min(word.len())];
        word.starts_with(there)
    };
    // A first byte or two may still become MP3.
    let is_short = head == [0xff] || b"ID3".starts_with(head);
    if is_short || (fits(0, b"RIFF") && fits(8, b"WAVE")) {
        Ok(())
    } else {
        Err(BadSound::NotWav)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<[u8; 4]> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok()
}

fn half(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..at + 2) {
        Some(&[low, high]) => u16::from_le_bytes([low, high]),
        _ => 0,
    }
}

impl Scan {
    /// The head of the file; none when more of it is needed.
    fn head(&mut self) -> Result<Option<Head>, BadSound> {
        let file = &self.file;
        magic(file)?;
        while let (Some(name), Some(size)) = (word(file, self.at), word(file, self.at + 4)) {
            let size = u32::from_le_bytes(size);
            let begins = self.at + 8;
            if &name == b"data" {
                let is_unknown = size == 0 || size == u32::MAX;
                return Ok(Some(Head {
                    rate: self.rate.ok_or(BadSound::NoFormat)?,
                    declared: (!is_unknown).then_some(u64::from(size)),
                    begins,
                }));
            }
            let ends = begins.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
            if ends > MAX_HEAD {
                return Err(BadSound::HeadTooLong);
            }
            if &name == b"fmt " {
                if size < 16 {
                    return Err(BadSound::NoFormat);
                }
                let Some(format) = file.get(begins..ends) else {
                    break;
                };
                self.rate = Some(rate_of(format)?);
            }
            // Chunks begin at even places.
            self.at = ends + ends % 2;
        }
        Ok(None)
    }
}

/// The rate of samples of this format, of 16 bytes at least.
fn rate_of(format: &[u8]) -> Result<SampleRate, BadSound> {
    let encoding = match half(format, 0) {
        EXTENSIBLE => half(format, 24),
        other => other,
    };
    let (channels, bits) = (half(format, 2), half(format, 14));
    let hertz = word(format, 4).map_or(0, u32::from_le_bytes);
    match (encoding, channels, bits, hertz) {
        (PCM, 1, 16, 8_000) => Ok(SampleRate::Narrow),
        (PCM, 1, 16, 16_000) => Ok(SampleRate::Wide),
        _ => Err(BadSound::Format {
            encoding: match encoding {
                PCM => "PCM".into(),
                3 => "PCM in floating point".into(),
                6 => "A-law".into(),
                7 => "mu-law".into(),
                other => format!("encoding {other}").into(),
            },
            bits,
            channels,
            hertz,
        }),
    }
}

/// How Asterisk names a sound that a flow or a campaign names.
///
/// The id of a media file, as Strowger makes them, is a file in `library`, the directory of the
/// media library as Asterisk sees it. Every other name is one below Asterisk's own sounds.
pub fn played_as<'a>(name: &'a str, library: &str) -> Cow<'a, str> {
    let number = name
        .strip_prefix(MediaFileId::PREFIX)
        .and_then(|rest| rest.strip_prefix('_'));
    match number {
        Some(number) if number.len() == 32 && number.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{library}/{name}").into()
        }
        Some(_) | None => name.into(),
    }
}

/// Whether a name is that of a file in a directory and leads nowhere else: letters, digits, `-`,
/// `_` and `.`, without a dot at its beginning.
pub fn is_file_name(name: &str) -> bool {
    (1..=200).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

#[cfg(test)]
mod tests;
