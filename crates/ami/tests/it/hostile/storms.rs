//! Peers that are there and gone.

use std::time::Duration;

use strowger_ami::{ClientConfig, LinkState, Notice};
use tokio::time::Instant;

use super::is_lost;
use crate::server::{Rig, config};

const STORM: usize = 9;

/// An eighth of the pauses that so many attempts may take, which are drawn between
/// nothing and a bound that doubles; on average it is half.
fn least_pause(config: &ClientConfig) -> Duration {
    let doublings = 2_u32.pow(u32::try_from(STORM - 1).unwrap()) - 1;
    config.backoff_min * doublings / 8
}

fn patient() -> ClientConfig {
    ClientConfig {
        backoff_min: Duration::from_millis(20),
        backoff_max: Duration::from_secs(15),
        ..config()
    }
}

#[tokio::test]
async fn a_peer_that_closes_at_once_is_called_ever_more_seldom() {
    let rig = Rig::new(patient()).await;
    let began = Instant::now();
    for _ in 0..STORM {
        drop(rig.accept_silently().await);
    }
    let took = began.elapsed();
    assert!(took >= least_pause(&patient()), "{took:?}");
    assert_ne!(rig.client.health().state, LinkState::Up);
}

#[tokio::test]
async fn a_peer_that_closes_behind_the_login_is_called_ever_more_seldom() {
    let mut rig = Rig::new(patient()).await;
    let began = Instant::now();
    for _ in 0..STORM {
        let peer = rig.logged_in().await;
        assert!(matches!(rig.notice().await, Notice::Up { .. }));
        drop(peer);
        assert!(is_lost(&rig.notice().await));
    }
    let took = began.elapsed();
    assert!(took >= least_pause(&patient()), "{took:?}");
}
