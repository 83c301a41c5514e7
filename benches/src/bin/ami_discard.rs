//! The ceiling of the replay: logs in, then reads the stream and throws it away.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use anyhow::{bail, ensure};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Received};

const END: &[u8] = b"UserEvent: BenchEnd\r\n";

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["port", "events"])?;
    let events = arguments.required::<u64>("events")?;
    let mut stream = TcpStream::connect(("127.0.0.1", arguments.required("port")?))?;
    stream.write_all(b"Action: Login\r\nUsername: bench\r\nSecret: bench\r\n\r\n")?;
    let mut chunk = vec![0; 256 * 1024];
    let mut greeting = Vec::new();
    while !greeting.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut chunk)?;
        ensure!(read > 0, "closed during the login");
        greeting.extend_from_slice(&chunk[..read]);
    }

    let mut first = None;
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 {
            bail!("closed before the end");
        }
        let first = *first.get_or_insert_with(Instant::now);
        // The marker is the last of the stream, and short: it arrives whole.
        let tail = &chunk[read.saturating_sub(2 * END.len())..read];
        if tail.windows(END.len()).any(|window| window == END) {
            return report::print(&Received {
                // It counts nothing: what the server sent.
                events: events + 1,
                lost: 0,
                elapsed_s: first.elapsed().as_secs_f64(),
                ended_at_us: report::wall_us(),
                note: String::new(),
            });
        }
    }
}
