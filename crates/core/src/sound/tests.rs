use proptest::prelude::*;

use super::*;

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len()).unwrap();
    let mut chunk = [&name[..], &size.to_le_bytes(), content].concat();
    if content.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

fn format(encoding: u16, channels: u16, hertz: u32, bits: u16) -> Vec<u8> {
    let mut content = Vec::new();
    content.extend(encoding.to_le_bytes());
    content.extend(channels.to_le_bytes());
    content.extend(hertz.to_le_bytes());
    content.extend([0; 6]);
    content.extend(bits.to_le_bytes());
    content
}

fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
    [b"RIFF\xff\xff\xff\xffWAVE".to_vec(), chunks.concat()].concat()
}

fn telephone() -> Vec<u8> {
    chunk(*b"fmt ", &format(PCM, 1, 8_000, 16))
}

/// The samples and what they are, or why not, when the file comes in pieces of this length.
fn read(file: &[u8], piece: usize) -> Result<(Vec<u8>, Sound), BadSound> {
    let mut reader = WavReader::default();
    let mut samples = Vec::new();
    for piece in file.chunks(piece) {
        samples.extend_from_slice(&reader.feed(piece)?);
    }
    Ok((samples, reader.finish()?))
}

#[test]
fn only_the_samples_are_kept_however_the_file_comes_in() {
    let samples: Vec<u8> = (0..=255).collect();
    let file = wav(&[
        chunk(*b"LIST", b"INFOodd"),
        telephone(),
        chunk(*b"fact", &[0; 4]),
        chunk(*b"data", &samples),
        chunk(*b"id3 ", b"behind the sound"),
    ]);
    for piece in [1, 7, 44, 10_000] {
        let (kept, sound) = read(&file, piece).unwrap();
        assert_eq!(kept, samples, "in pieces of {piece}");
        assert_eq!((sound.rate, sound.bytes), (SampleRate::Narrow, 256));
    }
}

#[test]
fn what_is_kept_is_a_wav_file_again() {
    for (hertz, extension) in [(8_000, "wav"), (16_000, "wav16")] {
        let file = wav(&[
            chunk(*b"fmt ", &format(PCM, 1, hertz, 16)),
            chunk(*b"data", &vec![1; 2 * hertz as usize + 2]),
        ]);
        let (samples, sound) = read(&file, 1_000).unwrap();
        assert_eq!(sound.rate.extension(), extension);
        assert_eq!(sound.seconds(), 2, "one second and one sample");
        let kept = [&sound.header()[..], &samples].concat();
        assert_eq!(kept.len() as u64, sound.file_bytes());
        assert_eq!(read(&kept, 1_000), Ok((samples, sound)));
        let size = u32::from_le_bytes(kept[4..8].try_into().unwrap());
        assert_eq!(size as usize, kept.len() - 8);
    }
}

#[test]
fn a_program_that_writes_to_a_pipe_does_not_know_the_length() {
    for declared in [0, u32::MAX] {
        let mut file = wav(&[telephone()]);
        file.extend_from_slice(b"data");
        file.extend_from_slice(&declared.to_le_bytes());
        assert_eq!(read(&file, 9), Err(BadSound::Empty));
        file.extend_from_slice(&[5; 6]);
        assert_eq!(read(&file, 9).unwrap().1.bytes, 6);
        file.push(5);
        assert_eq!(read(&file, 9), Err(BadSound::Truncated { missing: 1 }));
    }
}

#[test]
fn the_long_form_of_the_format_is_read() {
    let mut long = format(EXTENSIBLE, 1, 16_000, 16);
    long.extend([22, 0, 16, 0, 4, 0, 0, 0]);
    long.extend(PCM.to_le_bytes());
    long.extend([0; 14]);
    let file = wav(&[chunk(*b"fmt ", &long), chunk(*b"data", &[0; 4])]);
    assert_eq!(read(&file, 50).unwrap().1.rate, SampleRate::Wide);
}

#[test]
fn what_asterisk_does_not_play_is_refused_with_what_it_is() {
    for (encoding, channels, hertz, bits) in [
        (PCM, 2, 8_000, 16),
        (PCM, 1, 44_100, 16),
        (PCM, 1, 8_000, 8),
        (7, 1, 8_000, 8),
        (3, 1, 16_000, 32),
    ] {
        let content = format(encoding, channels, hertz, bits);
        let file = wav(&[chunk(*b"fmt ", &content), chunk(*b"data", &[0; 4])]);
        let bad = read(&file, 50).unwrap_err();
        assert!(matches!(bad, BadSound::Format { .. }), "{bad:?}");
        let said = bad.to_string();
        for figure in [channels.into(), hertz, bits.into()] {
            assert!(said.contains(&figure.to_string()), "{said}");
        }
    }
}

#[test]
fn what_is_not_wav_is_told_from_the_first_bytes() {
    for mp3 in [&b"ID3\x04"[..], b"\xff\xfb\x90\x00"] {
        assert_eq!(WavReader::default().feed(mp3), Err(BadSound::Mp3));
        assert_eq!(read(mp3, 1), Err(BadSound::Mp3));
    }
    for other in [
        &b"OggS"[..],
        b"<html>",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"{}",
        b"IDX",
    ] {
        assert_eq!(WavReader::default().feed(other), Err(BadSound::NotWav));
        assert_eq!(read(other, 1), Err(BadSound::NotWav));
    }
    for short in [&b""[..], b"R", b"RIFF\0\0\0\0", b"ID", b"\xff"] {
        assert_eq!(read(short, 50), Err(BadSound::NotWav), "{short:?}");
    }
}

#[test]
fn a_damaged_file_is_refused() {
    let whole = wav(&[telephone(), chunk(*b"data", &[1; 100])]);
    assert_eq!(
        read(&whole[..whole.len() - 3], 8),
        Err(BadSound::Truncated { missing: 3 })
    );
    assert_eq!(read(&whole[..30], 8), Err(BadSound::Empty));
    let turned = wav(&[chunk(*b"data", &[1; 4]), telephone()]);
    assert_eq!(read(&turned, 8), Err(BadSound::NoFormat));
    let short = wav(&[chunk(*b"fmt ", &[1, 0]), chunk(*b"data", &[1; 4])]);
    assert_eq!(read(&short, 8), Err(BadSound::NoFormat));
    let mut long = wav(&[]);
    long.extend_from_slice(b"PICT\xf0\xff\xff\xff");
    assert_eq!(read(&long, 8), Err(BadSound::HeadTooLong));
    let many = wav(&vec![chunk(*b"JUNK", &[0; 1_000]); 300]);
    assert_eq!(read(&many, 900), Err(BadSound::HeadTooLong));
}

proptest! {
    #[test]
    fn no_file_is_too_odd_and_pieces_make_no_difference(
        head in prop::collection::vec(any::<u8>(), 0..80),
        wav_like in any::<bool>(),
        piece in 1..40_usize,
    ) {
        let file = if wav_like { wav(&[telephone(), head]) } else { head };
        prop_assert_eq!(read(&file, piece), read(&file, 10_000));
    }
}

#[test]
fn the_library_is_named_by_ids_and_everything_else_is_asterisks() {
    let id = "med_0198c0de00000000000000000000000a";
    assert_eq!(played_as(id, "/media"), format!("/media/{id}"));
    for own in [
        "vm-goodbye",
        "custom/welcome",
        "med_",
        "med_1",
        "med_../../../../etc/passwd0000000000",
        "med_0198c0de00000000000000000000000a.wav",
        "x/med_0198c0de00000000000000000000000a",
    ] {
        assert_eq!(played_as(own, "/media"), own);
    }
}

#[test]
fn a_file_name_leads_nowhere_else() {
    for good in ["call_0a.wav", "voicemail-call_0a.wav", "a"] {
        assert!(is_file_name(good), "{good}");
    }
    for bad in [
        "",
        ".",
        "..",
        ".part",
        "../a",
        "a/b",
        "/etc/passwd",
        "a\0",
        "é",
        "a\\b",
    ] {
        assert!(!is_file_name(bad), "{bad:?}");
    }
}
