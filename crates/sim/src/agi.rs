//! FastAGI sessions towards the daemon: connecting, and moving lines. What is
//! answered is decided by the world.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time,
};

use crate::world::{Input, SessionKey};

/// How long Asterisk waits for the connection (`MAX_AGI_CONNECT`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Longest command line, the buffer of Asterisk 20 and later.
const MAX_LINE: usize = 8_192;

/// Runs a session until either side closes it.
pub(crate) async fn run(
    session: SessionKey,
    address: SocketAddr,
    environment: String,
    inputs: mpsc::Sender<Input>,
    mut outgoing: mpsc::Receiver<String>,
) {
    let connect = time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address));
    let Ok(Ok(mut stream)) = connect.await else {
        let _ = inputs.send(Input::AgiFailed { session }).await;
        return;
    };
    let _ = stream.set_nodelay(true);
    if inputs.send(Input::AgiOpened { session }).await.is_ok()
        && stream.write_all(environment.as_bytes()).await.is_ok()
    {
        serve(session, &mut stream, &inputs, &mut outgoing).await;
    }
    drop(stream);
    let _ = inputs.send(Input::AgiClosed { session }).await;
}

/// Moves lines until the daemon closes, or the world lets go.
async fn serve(
    session: SessionKey,
    stream: &mut TcpStream,
    inputs: &mpsc::Sender<Input>,
    outgoing: &mut mpsc::Receiver<String>,
) {
    let mut pending = Vec::new();
    let mut buffer = vec![0; 1_024];
    loop {
        tokio::select! {
            lines = outgoing.recv() => {
                let Some(lines) = lines else { return };
                if stream.write_all(lines.as_bytes()).await.is_err() {
                    return;
                }
            }
            read = stream.read(&mut buffer) => {
                let Ok(count @ 1..) = read else { return };
                pending.extend_from_slice(&buffer[..count]);
                while let Some(end) = memchr::memchr(b'\n', &pending) {
                    let line = String::from_utf8_lossy(&pending[..end]).into_owned();
                    pending.drain(..=end);
                    if inputs.send(Input::AgiLine { session, line }).await.is_err() {
                        return;
                    }
                }
                if pending.len() > MAX_LINE {
                    return;
                }
            }
        }
    }
}
