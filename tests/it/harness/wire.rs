//! The wire between the daemon and the manager interface, and everything that went over it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Passes connections on and keeps what the daemon says.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    said: Arc<Mutex<Vec<u8>>>,
    pub(crate) connections: watch::Receiver<usize>,
}

impl Wire {
    pub(crate) async fn to(exchange: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (count, connections) = watch::channel(0);
        let kept = Arc::clone(&said);
        tokio::spawn(async move {
            while let Ok((daemon, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                let exchange = TcpStream::connect(exchange).await.unwrap();
                tokio::spawn(pass(daemon, exchange, Arc::clone(&kept)));
            }
        });
        Self {
            address,
            said,
            connections,
        }
    }

    /// Everything that the daemon has said.
    pub(crate) fn said(&self) -> String {
        String::from_utf8(self.said.lock().unwrap().clone()).unwrap()
    }
}

async fn pass(daemon: TcpStream, exchange: TcpStream, said: Arc<Mutex<Vec<u8>>>) {
    let (mut from_daemon, mut to_daemon) = daemon.into_split();
    let (mut from_exchange, mut to_exchange) = exchange.into_split();
    let there = async {
        let mut buffer = vec![0; 4_096];
        while let Ok(count @ 1..) = from_daemon.read(&mut buffer).await {
            said.lock().unwrap().extend_from_slice(&buffer[..count]);
            if to_exchange.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        _ = copy(&mut from_exchange, &mut to_daemon) => {}
    }
}
