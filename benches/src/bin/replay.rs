//! A manager interface on loopback that replays a recording to one client as fast as
//! the client takes it, and tells what it sent and when.
//!
//! It begins once the client is logged in and has sent nothing for 300 ms: every
//! client does something else after its login, and none says when it is ready.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use strowger_benches::arguments::Arguments;
use strowger_benches::recording::Recording;
use strowger_benches::report::{self, Listening, Sent};

/// Silence after which the client is taken to be ready.
const QUIET: Duration = Duration::from_millis(300);
/// Pause between two end markers.
const MARKER_PAUSE: Duration = Duration::from_millis(100);
/// A client that has not gone this long after the last event hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the reading thread has to say.
enum Heard {
    /// Write this, and the client is logged in if so.
    Answer { frame: Vec<u8>, login: bool },
    /// The client has gone.
    Closed,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_env(&["file", "events", "write-bytes"])?;
    let recording = Recording::load(&arguments.required::<PathBuf>("file")?)?;
    let events = arguments.or("events", recording.ends.len())?;
    let pieces = recording.pieces(events, arguments.or("write-bytes", 256 * 1024)?);

    let listener = TcpListener::bind("127.0.0.1:0")?;
    report::print(&Listening {
        listening: listener.local_addr()?.port(),
    })?;
    let (mut stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.write_all(b"Asterisk Call Manager/11.0.0\r\n")?;
    let (sender, heard) = channel();
    let reader = stream.try_clone()?;
    thread::spawn(move || listen(reader, &sender));
    wait_until_ready(&mut stream, &heard)?;

    let mut cut = false;
    let mut longest = Duration::ZERO;
    let started_at_us = report::wall_us();
    let started = Instant::now();
    for piece in &pieces {
        let before = Instant::now();
        if stream.write_all(&recording.bytes[piece.clone()]).is_err() {
            cut = true;
            break;
        }
        longest = longest.max(before.elapsed());
        // Pieces end with a frame, so that an answer fits between them.
        while let Ok(Heard::Answer { frame, .. }) = heard.try_recv() {
            cut |= stream.write_all(&frame).is_err();
        }
    }
    let wrote_in_s = started.elapsed().as_secs_f64();
    if !cut {
        mark_end(&mut stream, &heard)?;
    }
    report::print(&Sent {
        events: events as u64,
        bytes: pieces.iter().map(|piece| piece.len() as u64).sum(),
        started_at_us,
        wrote_in_s,
        longest_write_ms: longest.as_secs_f64() * 1e3,
        cut,
        names: recording.names(events),
    })
}

fn wait_until_ready(stream: &mut TcpStream, heard: &Receiver<Heard>) -> anyhow::Result<()> {
    let mut logged_in = false;
    loop {
        let patience = if logged_in { QUIET } else { PATIENCE };
        match heard.recv_timeout(patience) {
            Ok(Heard::Answer { frame, login }) => {
                stream.write_all(&frame)?;
                logged_in |= login;
            }
            Err(RecvTimeoutError::Timeout) if logged_in => return Ok(()),
            Ok(Heard::Closed) | Err(_) => bail!("the client did not log in"),
        }
    }
}

/// Writes the end marker, again and again until the client has gone: one that was
/// asleep may have lost the first ones.
fn mark_end(stream: &mut TcpStream, heard: &Receiver<Heard>) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for sequence in 1_u64.. {
        let marker = format!(
            "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: BenchEnd\r\nSequence: {sequence}\r\n\r\n"
        );
        let mut gone = stream.write_all(marker.as_bytes()).is_err();
        let next = Instant::now() + MARKER_PAUSE;
        while !gone {
            match heard.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Heard::Answer { frame, .. }) => gone = stream.write_all(&frame).is_err(),
                Ok(Heard::Closed) | Err(RecvTimeoutError::Disconnected) => gone = true,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        if gone {
            break;
        }
        if Instant::now() > deadline {
            bail!("the client did not go away after the end of the stream");
        }
    }
    Ok(())
}

/// Reads actions and prepares their answers until the client has gone.
fn listen(mut stream: TcpStream, sender: &Sender<Heard>) {
    let mut pending = Vec::new();
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        pending.extend_from_slice(&chunk[..read]);
        while let Some(at) = pending.windows(4).position(|window| window == b"\r\n\r\n") {
            let action = String::from_utf8_lossy(&pending[..at]).into_owned();
            pending.drain(..at + 4);
            let (frame, login) = answer(action.trim_start());
            if sender.send(Heard::Answer { frame, login }).is_err() {
                return;
            }
        }
    }
    // Nobody is left to be told when the main thread has ended first.
    let _ = sender.send(Heard::Closed);
}

/// The answer to an action, and whether it was a login.
fn answer(action: &str) -> (Vec<u8>, bool) {
    let name = header(action, "Action").unwrap_or_default().to_lowercase();
    let (response, rest) = match name.as_str() {
        "login" => ("Success", "Message: Authentication accepted\r\n"),
        "challenge" => ("Success", "Challenge: 123456789\r\n"),
        "ping" => ("Success", "Ping: Pong\r\nTimestamp: 1763640000.000000\r\n"),
        "events" => ("Success", "Events: On\r\n"),
        "coresettings" => (
            "Success",
            "AMIversion: 11.0.0\r\nAsteriskVersion: 22.0.0\r\nSystemName: \r\n",
        ),
        "logoff" => ("Goodbye", "Message: Thanks for all the fish.\r\n"),
        _ => ("Success", ""),
    };
    let id = header(action, "ActionID").map_or(String::new(), |id| format!("ActionID: {id}\r\n"));
    let frame = format!("Response: {response}\r\n{id}{rest}\r\n");
    (frame.into_bytes(), name == "login")
}

fn header<'a>(action: &'a str, name: &str) -> Option<&'a str> {
    action.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
