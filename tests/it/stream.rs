//! The live stream of a centre at work.

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::harness::{Api, Centre, LONG, Plan};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn watch(centre: &Centre, token: &str) -> Socket {
    let url = format!("ws://{}/api/v1/stream?token={token}", centre.ground.http);
    connect_async(url).await.unwrap().0
}

async fn next(socket: &mut Socket) -> Value {
    loop {
        let message = timeout(LONG, socket.next()).await;
        if let Message::Text(text) = message.expect("a message in time").unwrap().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

#[tokio::test]
async fn a_watcher_sees_the_whole_campaign_without_a_gap_beside_one_who_never_reads() {
    let centre = Centre::open(Plan::mixed(4, 18)).await;
    let admin = Api::log_in(&centre.ground, "admin").await;
    let _deaf = watch(&centre, &admin.token).await;
    let mut watcher = watch(&centre, &admin.token).await;
    let snapshot = next(&mut watcher).await;
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["agents"].as_array().unwrap().len(), 4);
    centre.start_campaign().await;
    let mut seq = snapshot["seq"].as_u64().unwrap();
    let mut gone = 0;
    loop {
        let change = next(&mut watcher).await;
        seq += 1;
        assert_eq!(change["seq"], seq, "{change}");
        gone += u32::from(change["type"] == "call-gone");
        if change["type"] == "campaign" && change["data"]["state"] == "finished" {
            break;
        }
    }
    assert_eq!(gone, 18);
    centre.comes_out_right().await;
    centre.close().await;
}
