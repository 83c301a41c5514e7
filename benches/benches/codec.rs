//! The codecs alone, from memory to memory: `cargo bench --bench codec`.
//!
//! The recording is the file named by `STROWGER_BENCH_EVENTS`, else the one in `data/`.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strowger_agi::ReplyDecoder;
use strowger_ami::{Decoded, Decoder, Event};
use strowger_benches::recording::Recording;

/// What the connection reads at a time.
const READ_BYTES: usize = 32 * 1024;

fn recording() -> Recording {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/data/ami-events.xz");
    let path = std::env::var_os("STROWGER_BENCH_EVENTS").map_or(default.into(), PathBuf::from);
    Recording::load(&path).expect("the recording is readable")
}

/// Cuts and parses every frame, and hands each to `take`.
fn decode(bytes: &[u8], mut take: impl FnMut(Decoded)) {
    let mut decoder = Decoder::for_server();
    for chunk in bytes.chunks(READ_BYTES) {
        decoder.push(chunk);
        while let Some(decoded) = decoder.next() {
            take(decoded.expect("a recorded frame is readable"));
        }
    }
}

fn ami(criterion: &mut Criterion) {
    let recording = recording();
    let mut group = criterion.benchmark_group("ami");
    group.throughput(Throughput::Elements(recording.ends.len() as u64));
    group.sample_size(20);
    group.measurement_time(Duration::from_secs(8));
    group.bench_function("cut and parse", |bencher| {
        bencher.iter(|| decode(&recording.bytes, |decoded| drop(black_box(decoded))));
    });
    group.bench_function("cut, parse and type", |bencher| {
        bencher.iter(|| {
            decode(&recording.bytes, |decoded| {
                if let Decoded::Frame(frame) = decoded {
                    drop(black_box(Event::parse(frame)));
                }
            });
        });
    });
    group.finish();
}

fn agi(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("agi");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode a reply", |bencher| {
        let mut decoder = ReplyDecoder::new();
        bencher.iter(|| {
            decoder.push(black_box(b"200 result=1 (value)\n"));
            black_box(decoder.next_line())
        });
    });
    group.finish();
}

criterion_group!(codecs, ami, agi);
criterion_main!(codecs);
