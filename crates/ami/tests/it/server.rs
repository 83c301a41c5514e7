//! A server that does exactly what a test says.

use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use strowger_ami::{
    Auth, Client, ClientConfig, Consumer, Decoded, Decoder, Events, Message, Notice, connect,
    encode_banner, encode_frame,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// No step of a test takes longer, unless it is broken.
pub(crate) async fn soon<F: Future>(what: &str, step: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), step)
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A client, its notices and the listener it connects to.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) notices: Events,
    pub(crate) tracker: TaskTracker,
    pub(crate) cancel: CancellationToken,
    listener: TcpListener,
}

/// Short pauses, patient deadlines, no wait for the boot, one session.
pub(crate) fn config() -> ClientConfig {
    ClientConfig {
        auth: Auth::Plain,
        two_sessions: false,
        boot_wait: Duration::ZERO,
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(10),
        seed: Some(1),
        ..ClientConfig::new("127.0.0.1", "strowger", "hunter2")
    }
}

impl Rig {
    pub(crate) async fn new(config: ClientConfig) -> Self {
        Self::with(config, Consumer::call_state()).await
    }

    pub(crate) async fn with(config: ClientConfig, consumer: Consumer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tracker = TaskTracker::new();
        let cancel = CancellationToken::new();
        let config = ClientConfig { port, ..config };
        let (client, notices) = connect(config, consumer, &tracker, cancel.clone());
        Self {
            client,
            notices,
            tracker,
            cancel,
            listener,
        }
    }

    /// A client that is logged in, with its `Up` taken.
    pub(crate) async fn up(config: ClientConfig) -> (Self, Peer) {
        Self::up_with(config, Consumer::call_state()).await
    }

    pub(crate) async fn up_with(config: ClientConfig, consumer: Consumer) -> (Self, Peer) {
        let mut rig = Self::with(config, consumer).await;
        let peer = rig.logged_in().await;
        assert!(matches!(rig.notice().await, Notice::Up { .. }));
        (rig, peer)
    }

    /// Where the listener is.
    pub(crate) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Accepts a connection and greets.
    pub(crate) async fn accept(&self) -> Peer {
        let mut peer = self.accept_silently().await;
        peer.write(&encode_banner("11.0.0")).await;
        peer
    }

    /// Whether no connection comes for so long.
    pub(crate) async fn nobody_connects(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.listener.accept())
            .await
            .is_err()
    }

    pub(crate) async fn accept_silently(&self) -> Peer {
        let (stream, _) = soon("a connection", self.listener.accept()).await.unwrap();
        Peer {
            stream,
            decoder: Decoder::for_server(),
        }
    }

    /// Accepts a connection, and a plain login on it.
    pub(crate) async fn logged_in(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.login().await;
        peer.settings().await;
        peer
    }

    /// The second session of a link, for call control.
    pub(crate) async fn control(&self) -> Peer {
        let mut peer = self.accept().await;
        let login = peer.login().await;
        assert_eq!(login.get("Events").unwrap(), "off");
        peer
    }

    pub(crate) async fn notice(&mut self) -> Notice {
        soon("a notice", self.notices.recv())
            .await
            .expect("the link goes on")
    }
}

/// The server side of one connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    decoder: Decoder,
}

impl Peer {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        soon("a write", self.stream.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn send(&mut self, headers: &[(&str, &str)]) {
        self.write(&encode_frame(headers)).await;
    }

    /// Sends a frame with the id of `action` after its first header.
    pub(crate) async fn answer(&mut self, action: &Message, headers: &[(&str, &str)]) {
        let id = action.action_id().unwrap();
        let mut all = vec![headers[0], ("ActionID", &id)];
        all.extend(&headers[1..]);
        self.send(&all).await;
    }

    /// The next action, `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        let mut chunk = BytesMut::new();
        loop {
            match self.decoder.next() {
                Some(Ok(Decoded::Frame(message))) => return Some(message),
                Some(other) => panic!("{other:?}"),
                None => {}
            }
            chunk.clear();
            let read = soon("a read", self.stream.read_buf(&mut chunk)).await;
            if !matches!(read, Ok(1..)) {
                return None;
            }
            self.decoder.push(&chunk);
        }
    }

    /// Whether the client sends nothing for so long.
    pub(crate) async fn hears_nothing(&mut self, within: Duration) -> bool {
        let mut chunk = [0; 1];
        tokio::time::timeout(within, self.stream.peek(&mut chunk))
            .await
            .is_err()
    }

    /// The next action other than a Ping, which must be `name`. Pings are answered.
    pub(crate) async fn action(&mut self, name: &str) -> Message {
        loop {
            let action = self.next().await.expect("an action");
            if action.name() == "Ping" && name != "Ping" {
                self.answer(&action, &[("Response", "Success"), ("Ping", "Pong")])
                    .await;
                continue;
            }
            assert_eq!(action.name(), name);
            return action;
        }
    }

    /// Accepts a plain login.
    pub(crate) async fn login(&mut self) -> Message {
        let login = self.action("Login").await;
        let accepted = ("Message", "Authentication accepted");
        self.answer(&login, &[("Response", "Success"), accepted])
            .await;
        login
    }

    /// Answers the question for the version that follows a login.
    pub(crate) async fn settings(&mut self) {
        let settings = self.action("CoreSettings").await;
        self.answer(
            &settings,
            &[("Response", "Success"), ("AsteriskVersion", "22.10.1")],
        )
        .await;
    }
}
