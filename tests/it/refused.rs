//! An exchange that does not want the daemon.

use std::time::Duration;

use tokio::time::timeout;

use crate::harness::{Api, Ground, Plan, Program, Wire};

#[tokio::test]
async fn a_wrong_secret_is_said_once_with_what_to_do_and_not_tried_again_and_again() {
    let mut ground = Ground::new(Plan::default()).await;
    let mut wire = Wire::to(ground.sim.ami_addr()).await;
    ground.ami = wire.address;
    ground.ami_secret = "not-the-secret";
    let program = Program::serve(&ground).await;
    let advice = "or correct manager.conf and reload this service";
    program.logs(advice).await;
    let health = Api::nobody(&ground)
        .health("the daemon answers", |_| true)
        .await;
    assert_eq!(health["exchanges"][0]["name"], "pbx");
    assert_eq!(health["exchanges"][0]["up"], false);

    wire.connections.mark_unchanged();
    let another = timeout(Duration::from_secs(3), wire.connections.changed()).await;
    assert!(another.is_err(), "another login within three seconds");
    assert_eq!(wire.said().matches("Action: Login").count(), 1);
    let log = program.log();
    assert_eq!(log.matches(advice).count(), 1, "{log}");
    assert!(!log.contains("not-the-secret"), "{log}");

    // Told to reload, it tries once more.
    program.signal("HUP").await;
    timeout(Duration::from_secs(20), wire.connections.changed())
        .await
        .expect("another login after a reload")
        .expect("the wire goes on");
    program.stop().await;
}
