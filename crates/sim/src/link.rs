//! Manager connections: accepting them, and moving bytes. What they say is
//! decided by the world.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use strowger_ami::{Decoded, Decoder, Message, action, encode_banner};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc, watch},
    time::{self, Instant},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::world::{Input, LinkKey};

/// Version of the manager interface of Asterisk 22.
const AMI_VERSION: &str = "11.0.0";

/// Frames that wait for a connection. A client that is this far behind is
/// disconnected, as Asterisk does with one whose socket stays full.
const OUTGOING: usize = 16_384;

/// Longest stall of one write, the `writetimeout` of the manager account.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Most connections at once.
const MAX_LINKS: usize = 256;

/// What the connections must know about the health of the exchange.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gate {
    /// The exchange is down: connections are closed at once.
    pub(crate) down: bool,
    /// Until then nothing is read or written, although connections stay open.
    pub(crate) frozen_until: Option<Instant>,
}

/// Accepts connections until cancelled.
pub(crate) async fn accept(
    listener: TcpListener,
    inputs: mpsc::Sender<Input>,
    gate: watch::Receiver<Gate>,
    tracker: TaskTracker,
    cancel: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_LINKS));
    let mut next = 0;
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors, as a rule.
            time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if gate.borrow().down {
            continue;
        }
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        next += 1;
        let key = LinkKey(next);
        let (sender, outgoing) = mpsc::channel(OUTGOING);
        let link_cancel = cancel.child_token();
        let greeting = Input::LinkOpened {
            link: key,
            sender,
            cancel: link_cancel.clone(),
        };
        if inputs.send(greeting).await.is_err() {
            return;
        }
        let (inputs, gate) = (inputs.clone(), gate.clone());
        tracker.spawn(async move {
            tokio::select! {
                () = link_cancel.cancelled() => {}
                () = serve(key, stream, &inputs, outgoing, gate) => {}
            }
            let _ = inputs.send(Input::LinkClosed { link: key }).await;
            drop(place);
        });
    }
}

/// Moves bytes between the socket and the world until either ends.
async fn serve(
    link: LinkKey,
    mut stream: TcpStream,
    inputs: &mpsc::Sender<Input>,
    mut outgoing: mpsc::Receiver<Bytes>,
    mut gate: watch::Receiver<Gate>,
) {
    let _ = stream.set_nodelay(true);
    let mut decoder = Decoder::for_server();
    let mut buffer = vec![0; 4_096];
    let mut greeted = false;
    loop {
        let frozen = gate.borrow_and_update().frozen_until;
        if let Some(until) = frozen.filter(|until| *until > Instant::now()) {
            tokio::select! {
                () = time::sleep_until(until) => {}
                _ = gate.changed() => {}
            }
            continue;
        }
        if !greeted {
            greeted = true;
            if !write(&mut stream, &encode_banner(AMI_VERSION)).await {
                return;
            }
        }
        tokio::select! {
            changed = gate.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            frame = outgoing.recv() => {
                // The world has let go of the connection: all is written.
                let Some(frame) = frame else { return };
                if !write(&mut stream, &frame).await {
                    return;
                }
            }
            read = stream.read(&mut buffer) => {
                let Ok(count @ 1..) = read else { return };
                decoder.push(&buffer[..count]);
                while let Some(decoded) = decoder.next() {
                    let action = match decoded {
                        Ok(Decoded::Frame(frame)) => check(frame),
                        _ => Err("Missing action in request"),
                    };
                    if inputs.send(Input::Action { link, action }).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Writes a frame; `false` if the client is gone or does not read.
async fn write(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    matches!(
        time::timeout(WRITE_TIMEOUT, stream.write_all(bytes)).await,
        Ok(Ok(()))
    )
}

/// The input limits of Asterisk, and its words.
fn check(frame: Message) -> Result<Message, &'static str> {
    let mut count = 0;
    for (key, value) in frame.headers() {
        count += 1;
        // Colon, blank, CR and LF.
        if key.len() + value.len() + 4 > action::MAX_LINE_BYTES {
            return Err("Failed to parse message: line too long");
        }
    }
    if count > action::MAX_ACTION_HEADERS {
        return Err("Too many lines in message or allocation failure");
    }
    Ok(frame)
}
