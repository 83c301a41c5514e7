//! Calls that are transferred: who may, and where to.

use std::sync::{Arc, Mutex};

use axum::http::Method;
use serde_json::{Value, json};
use strowger_api::{ApiState, exchange_channel, router};
use strowger_core::{
    call::{Direction, Phase},
    ids::{CallId, UserId},
    live::{CallView, Change},
    permission::Role::{self, Administrator, Agent, Supervisor},
    record::Write,
    switchboard::{Command, Refused, TransferCall},
    time::Timestamp,
    transfer::{Line, NotDialed, Outcome, OutsideBy, Target, Transfer},
};
use uuid::Uuid;

use crate::harness::{TestApp, id};

/// The routes with an exchange that notes what it is told, and refuses when it is told to.
struct Scene {
    app: TestApp,
    told: Arc<Mutex<Vec<Command>>>,
    refusal: Arc<Mutex<Option<Refused>>>,
}

fn call_id() -> CallId {
    CallId(Uuid::from_u128(7))
}

impl Scene {
    /// With a call of the agent to a number in France.
    async fn new(outside_by: OutsideBy) -> Self {
        let mut app = TestApp::with(|settings| settings.outside_by = outside_by, true).await;
        let (exchange, mut requests) = exchange_channel(64);
        let (told, refusal) = (Arc::default(), Arc::default());
        let scene = (Arc::clone(&told), Arc::clone(&refusal));
        app.tasks.spawn(async move {
            let (told, refusal): (Arc<Mutex<Vec<_>>>, Arc<Mutex<Option<Refused>>>) = scene;
            while let Some(request) = requests.recv().await {
                told.lock().unwrap().push(request.command);
                let answer = refusal.lock().unwrap().clone().map_or(Ok(()), Err);
                let _ = request.reply.send(answer);
            }
        });
        app.router = router(ApiState {
            exchange,
            ..app.state.clone()
        });
        app.hub.publish(Change::Call(CallView {
            id: call_id(),
            direction: Direction::Outbound,
            campaign_id: None,
            queue_id: None,
            number: Some("+33639981234".to_owned()),
            did: None,
            phase: Phase::Bridged,
            since: Timestamp::UNIX_EPOCH,
            started_at: Timestamp::UNIX_EPOCH,
            agent_id: Some(id(Agent)),
            transferred_to: None,
        }));
        Self { app, told, refusal }
    }

    async fn transfer(&self, role: Role, body: Value) -> (u16, String) {
        self.transfer_of(call_id(), role, body).await
    }

    async fn transfer_of(&self, call: CallId, role: Role, body: Value) -> (u16, String) {
        let path = format!("/api/v1/calls/{call}/transfer");
        let answer = self.app.call(Some(role), Method::POST, &path, Some(body));
        let answer = answer.await;
        (answer.status.as_u16(), answer.text)
    }

    fn told(&self) -> Vec<Command> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

fn transfer(by: Role, to: Target) -> Command {
    Command::Transfer(TransferCall {
        call: call_id(),
        by: id(by),
        to,
    })
}

fn to_agent() -> Target {
    Target::Agent(UserId::new("usr_rob").unwrap())
}

fn outside() -> Target {
    Target::Outside("+33142278187".to_owned().try_into().unwrap())
}

#[tokio::test]
async fn an_agent_transfers_their_own_call_and_a_supervisor_any() {
    let scene = Scene::new(OutsideBy::Nobody).await;
    let body = json!({"agent_id": "usr_rob"});
    assert_eq!(scene.transfer(Agent, body.clone()).await.0, 200);
    assert_eq!(scene.told(), [transfer(Agent, to_agent())]);
    for role in [Supervisor, Administrator] {
        assert_eq!(scene.transfer(role, body.clone()).await.0, 200);
        assert_eq!(scene.told(), [transfer(role, to_agent())]);
    }
    let other = CallId(Uuid::from_u128(8));
    assert_eq!(scene.transfer_of(other, Agent, body).await.0, 403);
    assert!(scene.told().is_empty(), "nothing is asked for");
}

#[tokio::test]
async fn an_agent_whose_profile_has_no_transfer_control_transfers_nothing() {
    let scene = Scene::new(OutsideBy::Agents).await;
    sqlx::query(r#"UPDATE agent_profiles SET call_controls = '{"dial": true}'"#)
        .execute(scene.app.store.pool())
        .await
        .unwrap();
    let (status, text) = scene.transfer(Agent, json!({"agent_id": "usr_rob"})).await;
    assert_eq!(status, 403);
    assert!(text.contains("profile"), "{text}");
    let by_supervisor = scene.transfer(Supervisor, json!({"agent_id": "usr_rob"}));
    assert_eq!(by_supervisor.await.0, 200);
}

#[tokio::test]
async fn numbers_outside_are_for_those_whom_the_configuration_names() {
    let number = json!({"number": "+33142278187"});
    for (by, agent, supervisor) in [
        (OutsideBy::Nobody, 403, 403),
        (OutsideBy::Supervisors, 403, 200),
        (OutsideBy::Agents, 200, 200),
    ] {
        let scene = Scene::new(by).await;
        assert_eq!(scene.transfer(Agent, number.clone()).await.0, agent);
        let asked = scene.transfer(Supervisor, number.clone());
        assert_eq!(asked.await.0, supervisor);
        let wanted: Vec<Command> = [(Agent, agent), (Supervisor, supervisor)]
            .into_iter()
            .filter(|(_, status)| *status == 200)
            .map(|(role, _)| transfer(role, outside()))
            .collect();
        assert_eq!(scene.told(), wanted);
    }
}

#[tokio::test]
async fn a_number_is_read_as_it_is_dialed_where_the_person_is() {
    let scene = Scene::new(OutsideBy::Supervisors).await;
    let asked = scene.transfer(Supervisor, json!({"number": "01 42 27 81 87"}));
    assert_eq!(asked.await.0, 200);
    assert_eq!(scene.told(), [transfer(Supervisor, outside())]);
    // Of a call that nobody knows there is no country.
    let other = CallId(Uuid::from_u128(8));
    let asked = scene.transfer_of(other, Supervisor, json!({"number": "01 42 27 81 87"}));
    assert_eq!(asked.await.0, 422);
    let said = scene.transfer(Supervisor, json!({"number": "118"})).await;
    assert_eq!(said.0, 422, "{}", said.1);
}

#[tokio::test]
async fn a_transfer_goes_to_exactly_one_place() {
    let scene = Scene::new(OutsideBy::Agents).await;
    for body in [
        json!({}),
        json!({"agent_id": "usr_rob", "number": "+33142278187"}),
        json!({"flow_id": "flw_nobody_published"}),
        json!({"agent_id": "usr_rob", "queue_id": "que_1"}),
        json!({"number": "+33142278187@elsewhere"}),
        json!({"number": "+33142278187\r\nAction: Command"}),
    ] {
        let (status, text) = scene.transfer(Supervisor, body.clone()).await;
        assert!([400, 422].contains(&status), "{body}: {status} {text}");
    }
    assert!(scene.told().is_empty());
}

#[tokio::test]
async fn what_the_switchboard_refuses_is_told_with_its_reason() {
    let scene = Scene::new(OutsideBy::Supervisors).await;
    *scene.refusal.lock().unwrap() = Some(Refused::NotDialed {
        number: "+33899123456".to_owned().try_into().unwrap(),
        why: NotDialed::Premium,
    });
    let body = json!({"number": "+33899123456"});
    let (status, text) = scene.transfer(Supervisor, body.clone()).await;
    assert_eq!(status, 422);
    assert!(text.contains("cost more"), "{text}");
    *scene.refusal.lock().unwrap() = Some(Refused::NotTransferable {
        call: call_id(),
        hint: "nobody talks on it now",
    });
    let (status, text) = scene.transfer(Supervisor, body).await;
    assert_eq!(status, 409);
    assert!(text.contains("nobody talks"), "{text}");
    let audited: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_log")
        .fetch_one(scene.app.store.pool())
        .await
        .unwrap();
    assert_eq!(audited, 0, "nothing has changed");
}

#[tokio::test]
async fn the_audit_log_says_who_sent_which_call_where() {
    let scene = Scene::new(OutsideBy::Supervisors).await;
    let asked = scene.transfer(Supervisor, json!({"number": "+33142278187"}));
    assert_eq!(asked.await.0, 200);
    let (actor, action, subject, change): (String, String, String, Value) =
        sqlx::query_as("SELECT actor_id, action, subject, change FROM audit_log")
            .fetch_one(scene.app.store.pool())
            .await
            .unwrap();
    assert_eq!(
        (&*actor, &*action),
        (id(Supervisor).as_str(), "call.transferred")
    );
    assert_eq!(subject, call_id().to_string());
    assert_eq!(change, json!({"number": "+33142278187"}));
}

#[tokio::test]
async fn each_leg_of_a_call_is_on_record() {
    let scene = Scene::new(OutsideBy::Nobody).await;
    let (call, at) = (call_id(), Timestamp::UNIX_EPOCH);
    let asked = Write::TransferAsked {
        call,
        transfer: Transfer {
            ordinal: 1,
            by: id(Supervisor),
            from: Some(id(Agent)),
            target: outside(),
            line: Some(Line {
                trunk: "trk_1".to_owned().try_into().unwrap(),
                endpoint: "PJSIP/+33142278187@carrier".to_owned(),
                caller_id: "+33142278186".to_owned().try_into().unwrap(),
            }),
            answered_at: None,
        },
        at,
    };
    let answered = Write::TransferAnswered {
        call,
        ordinal: 1,
        at,
    };
    let ended = Write::TransferEnded {
        call,
        ordinal: 1,
        outcome: Outcome::Answered,
        at,
    };
    let writes = [asked, answered, ended];
    // Twice: carrying a write out again changes nothing.
    scene.app.store.apply(&writes).await.unwrap();
    scene.app.store.apply(&writes).await.unwrap();
    let path = format!("/api/v1/calls/{call}/transfers");
    let rows = scene.app.get(Supervisor, &path).await.body["data"].clone();
    let moment = "1970-01-01T00:00:00Z";
    let row = json!({
        "ordinal": 1, "asked_by": "usr_supervisor", "asked_at": moment, "from_agent_id": "usr_agent",
        "kind": "outside", "to_agent_id": null, "to_flow_id": null, "to_number": "+33142278187",
        "trunk_id": "trk_1", "caller_id": "+33142278186", "answered_at": moment, "ended_at": moment,
        "outcome": "answered",
    });
    assert_eq!(rows, json!([row]));
}

#[tokio::test]
async fn an_agent_who_handed_a_call_on_may_still_say_what_came_of_it() {
    let scene = Scene::new(OutsideBy::Nobody).await;
    let call = call_id();
    sqlx::query(
        "INSERT INTO call_records (id, direction, server, channel, destination, started_at, agent_id)
         VALUES ($1, 'inbound', 'pbx1', 'PJSIP/carrier-1', '+33199001234', now(), 'usr_supervisor')",
    )
    .bind(call.0)
    .execute(scene.app.store.pool())
    .await
    .unwrap();
    let path = format!("/api/v1/calls/{call}/qualify");
    let qualify = async || {
        let body = json!({"qualification_id": "qual-97"});
        scene.app.post(Agent, &path, body).await.status.as_u16()
    };
    assert_eq!(qualify().await, 403, "they never had it");
    let transfer = Transfer {
        ordinal: 1,
        by: id(Agent),
        from: Some(id(Agent)),
        target: Target::Agent(id(Supervisor)),
        line: None,
        answered_at: None,
    };
    let at = Timestamp::UNIX_EPOCH;
    let asked = Write::TransferAsked { call, transfer, at };
    scene.app.store.apply(&[asked]).await.unwrap();
    assert_eq!(qualify().await, 200);
}
