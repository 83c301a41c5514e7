//! What people write, and where it must not get to.

use strowger_core::{ids::ContactId, phone::PhoneNumber};
use strowger_sim::{Callee, Outcome};
use strowger_store::contacts::{Known, NewContact};

use crate::harness::{
    AMI_SECRET, Centre, Ground, Plan, Program, TOKEN_SECRET, Wire, number, until,
};

/// Names of which a part would be an action, a header, an argument or an application. None of
/// the random numbers on the wire holds "6z6", as they are hexadecimal.
const NAMES: [&str; 4] = [
    "Mallory\r\nAction: Originate\r\nChannel: PJSIP/6z6@carrier\r\n\r\n",
    "Mallory\" <6z6>, \"x",
    "Mallory\nVariable: STROWGER_DONE=6z6",
    "${SHELL(touch /tmp/Mallory)}|6z6,6z6;6z6&6z6",
];

#[tokio::test]
async fn nothing_that_a_person_writes_reaches_the_manager_interface() {
    let mut ground = Ground::new(Plan {
        agents: 2,
        contacts: 1,
        ..Plan::default()
    })
    .await;
    let wire = Wire::to(ground.sim.ami_addr()).await;
    ground.ami = wire.address;
    for agent in &mut ground.planted.agents {
        NAMES[0].clone_into(&mut agent.last_name);
    }
    let contacts: Vec<NewContact> = (1..)
        .zip(NAMES)
        .map(|(place, name)| NewContact {
            id: ContactId::generate(uuid::Uuid::now_v7()),
            first_name: name.to_owned(),
            last_name: name.to_owned(),
            postal_code: "6z6\r\n".to_owned(),
            custom_fields: serde_json::Map::from_iter([("6z6".to_owned(), name.into())]),
            known: Known::default(),
            phones: vec![PhoneNumber::try_from(number(place)).unwrap().into()],
        })
        .collect();
    let campaign = &ground.planted.campaign.settings.id;
    ground
        .store
        .add_contacts(campaign, &contacts, strowger::daemon::now())
        .await
        .unwrap();
    let centre = Centre::on(ground).await;
    let caller = "+33\" <6z6>\\${EXTEN},6z6|&";
    centre
        .ground
        .sim
        .inject_inbound("+33170189900", caller, ["1"])
        .await;
    centre.start_campaign().await;
    centre.comes_out_right().await;
    until("the caller is gone", async || {
        let stats = centre.ground.sim.stats().await;
        (stats.inbound == 1 && stats.sessions == 0).then_some(())
    })
    .await;

    let said = wire.said();
    assert_eq!(
        said.matches("Action: Originate").count(),
        2 + 1 + NAMES.len()
    );
    for place in 0..=u32::try_from(NAMES.len()).unwrap() {
        assert!(said.contains(&format!("Channel: PJSIP/{}@carrier\r\n", number(place))));
    }
    for theirs in ["Mallory", "6z6", "SHELL", AMI_SECRET] {
        assert!(!said.contains(theirs), "{theirs:?} in {said}");
    }
    centre.close().await;
}

#[tokio::test]
async fn the_fullest_log_of_a_campaign_holds_no_secret() {
    let ground = Ground::new(Plan {
        agents: 2,
        contacts: 4,
        callees: vec![(1, Callee::new(Outcome::Busy))],
        log: "info,strowger=trace,strowger_ami=trace,strowger_agi=trace,strowger_api=trace,\
              strowger_core=trace,strowger_realtime=trace,strowger_store=trace,\
              strowger_telephony=trace,tower_http=trace,sqlx=trace",
        ..Plan::default()
    })
    .await;
    let program = Program::serve(&ground).await;
    let admin = program.put_to_work(&ground).await;
    ground.is_complete().await;
    let token = admin.token.clone();
    let hash = ground.planted.agents[0].password_hash.clone();
    let password = ground.planted.password.clone();
    let log = program.log();
    program.stop().await;
    assert!(log.contains("DEBUG") || log.contains("TRACE"), "{log}");
    for secret in [AMI_SECRET, TOKEN_SECRET, &password, &token, &hash] {
        assert!(!log.contains(secret), "{secret:?} is in the log");
    }
}
