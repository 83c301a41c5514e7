use serde_json::{Value, json};

use super::*;
use crate::ivr::{
    Code,
    graph::{Connection, FlowGraph, tests::CONSOLE_FLOW},
    lint,
};

const MONDAY_NOON: &str = "2026-01-12T11:00:00Z";

/// One call, with a fixed time.
struct Call {
    flow: Flow,
    state: FlowState,
    now: Timestamp,
}

impl Call {
    fn new(flow: Flow) -> Self {
        Self {
            flow,
            state: FlowState::new(),
            now: MONDAY_NOON.parse().unwrap(),
        }
    }

    fn tell(&mut self, input: Input) -> Effect {
        // Through JSON, since a state is stored between two inputs.
        let stored = serde_json::to_string(&self.state).unwrap();
        self.state = serde_json::from_str(&stored).unwrap();
        step(&self.flow, &mut self.state, self.now, input)
    }

    fn path(&self) -> Vec<&str> {
        self.state.path().iter().map(NodeId::as_str).collect()
    }
}

/// A flow of one node `n` behind the start. Its ports `ports` lead to hangup nodes of those names.
fn around(type_name: &str, content: Value, ports: &[&str]) -> FlowGraph {
    let mut nodes = vec![
        json!({ "id": "s", "type": "start", "name": "Start", "content": {} }),
        json!({ "id": "n", "type": type_name, "name": "Node" }),
    ];
    nodes[1]["content"] = content;
    let mut connections = vec![connection("s", "out", "n")];
    for port in ports {
        nodes.push(json!({ "id": port, "type": "hangup", "name": port, "content": {} }));
        connections.push(connection("n", port, port));
    }
    serde_json::from_value(json!({ "nodes": nodes, "connections": connections })).unwrap()
}

fn connection(from: &str, port: &str, to: &str) -> Value {
    json!({ "id": format!("{from}-{port}"), "fromNodeId": from, "fromPortId": port,
            "toNodeId": to, "toPortId": "in" })
}

fn call(type_name: &str, content: Value, ports: &[&str]) -> Call {
    Call::new(Flow::compile(around(type_name, content, ports)).unwrap())
}

fn hangup(reason: HangupReason) -> Effect {
    Effect::Hangup { reason }
}

/// That the call went to the hangup node behind `port` of the node.
#[track_caller]
fn left_by(call: &Call, port: &str, effect: &Effect) {
    assert_eq!(*effect, hangup(HangupReason::Completed));
    assert_eq!(call.path(), ["s", "n", port]);
}

#[test]
fn media_is_played_and_then_the_call_goes_on() {
    let mut call = call("media", json!({ "prompt": "Hello" }), &["out"]);
    let prompt = Prompt::text("Hello");
    assert_eq!(call.tell(Input::Start), Effect::Play { prompt });
    let effect = call.tell(Input::Played);
    left_by(&call, "out", &effect);
}

#[test]
fn media_without_anything_to_say_is_passed_by() {
    let mut call = call("media", json!({ "prompt": " " }), &["out"]);
    let effect = call.tell(Input::Start);
    left_by(&call, "out", &effect);
}

#[test]
fn a_key_during_an_announcement_is_ignored() {
    let mut call = call("media", json!({ "prompt": "Hello" }), &["out"]);
    call.tell(Input::Start);
    assert_eq!(call.tell(Input::Digits("1".to_owned())), Effect::Wait);
    let effect = call.tell(Input::Played);
    left_by(&call, "out", &effect);
}

fn menu() -> Value {
    json!({
        "prompt": "Choose", "invalidPrompt": "Not that", "maxAttempts": 2, "timeoutSeconds": 7,
        "options": [
            { "key": "1", "portId": "out-1", "label": "Sales" },
            { "key": "42", "portId": "out-42", "label": "Answer" },
            { "key": "*", "portId": "out-star", "label": "Again" },
        ],
    })
}

const MENU_PORTS: [&str; 5] = ["out-1", "out-42", "out-star", "out-timeout", "out-invalid"];

fn collect_effect(prompts: &[&str], attempt: u32) -> Effect {
    Effect::Collect {
        prompts: prompts.iter().copied().map(Prompt::text).collect(),
        keys: vec!["1".to_owned(), "42".to_owned(), "*".to_owned()],
        max_digits: 2,
        timeout_ms: 7_000,
        attempt,
    }
}

#[test]
fn each_key_of_a_menu_leads_its_own_way() {
    for (key, port) in [("1", "out-1"), ("42", "out-42"), ("*", "out-star")] {
        let mut call = call("menu", menu(), &MENU_PORTS);
        assert_eq!(call.tell(Input::Start), collect_effect(&["Choose"], 1));
        let effect = call.tell(Input::Digits(key.to_owned()));
        left_by(&call, port, &effect);
    }
}

#[test]
fn a_silent_caller_hears_the_menu_again_and_then_goes_on() {
    let mut call = call("menu", menu(), &MENU_PORTS);
    call.tell(Input::Start);
    assert_eq!(call.tell(Input::NoInput), collect_effect(&["Choose"], 2));
    let effect = call.tell(Input::Digits(String::new()));
    left_by(&call, "out-timeout", &effect);
}

#[test]
fn a_wrong_key_is_told_and_then_leads_to_the_way_for_wrong_keys() {
    let mut call = call("menu", menu(), &MENU_PORTS);
    call.tell(Input::Start);
    let effect = call.tell(Input::Digits("4".to_owned()));
    assert_eq!(effect, collect_effect(&["Not that", "Choose"], 2));
    let effect = call.tell(Input::Digits("9".to_owned()));
    left_by(&call, "out-invalid", &effect);
}

#[test]
fn without_a_way_for_wrong_keys_they_count_as_no_answer() {
    let mut call = call("menu", menu(), &MENU_PORTS[..4]);
    call.tell(Input::Start);
    call.tell(Input::Digits("9".to_owned()));
    let effect = call.tell(Input::Digits("9".to_owned()));
    left_by(&call, "out-timeout", &effect);
}

#[test]
fn coming_back_to_a_menu_begins_with_the_first_attempt() {
    let mut graph = around("menu", menu(), &MENU_PORTS[..2]);
    graph
        .connections
        .push(Connection::new("n", "out-star", "n"));
    let mut call = Call::new(Flow::compile(graph).unwrap());
    call.tell(Input::Start);
    call.tell(Input::NoInput);
    let effect = call.tell(Input::Digits("*".to_owned()));
    assert_eq!(effect, collect_effect(&["Choose"], 1));
    assert_eq!(call.path(), ["s", "n", "n"]);
}

#[test]
fn two_menus_with_the_same_key_do_not_mix() {
    let content =
        json!({ "prompt": "?", "options": [{ "key": "1", "portId": "out-1", "label": "" }] });
    let mut graph = around("menu", content.clone(), &[]);
    let second: FlowGraph = around("menu", content, &["out-1"]);
    let mut node = second.nodes[1].clone();
    node.id = "m".into();
    graph.nodes.extend([node, second.nodes[2].clone()]);
    graph.connections.push(Connection::new("n", "out-1", "m"));
    graph
        .connections
        .push(Connection::new("m", "out-1", "out-1"));
    let mut call = Call::new(Flow::compile(graph).unwrap());
    call.tell(Input::Start);
    call.tell(Input::Digits("1".to_owned()));
    call.tell(Input::Digits("1".to_owned()));
    assert_eq!(call.path(), ["s", "n", "m", "out-1"]);
}

#[test]
fn the_hour_decides_at_a_calendar() {
    let content = json!({ "timezone": "Europe/Paris", "events": [
        { "id": "evt-1", "name": "Open", "eventType": "open", "isRecurring": true, "allDay": false,
          "days": ["mon"], "startTime": "09:00", "endTime": "17:00" },
    ] });
    let ports = ["evt-1", "out-default"];
    let mut open = call("calendar", content.clone(), &ports);
    let effect = open.tell(Input::Start);
    left_by(&open, "evt-1", &effect);
    let mut closed = call("calendar", content, &ports);
    closed.now = "2026-01-12T16:00:00Z".parse().unwrap();
    let effect = closed.tell(Input::Start);
    left_by(&closed, "out-default", &effect);
}

#[test]
fn an_event_without_connection_ends_the_call_and_is_not_the_default() {
    let content = json!({ "timezone": "UTC", "events": [
        { "id": "evt-1", "name": "Always", "isRecurring": true, "allDay": true,
          "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] },
    ] });
    let mut call = call("calendar", content, &["out-default"]);
    assert_eq!(call.tell(Input::Start), hangup(HangupReason::DeadEnd));
}

#[test]
fn an_answered_transfer_ends_the_flow() {
    let content = json!({ "number": "+33123456789", "ringSeconds": 12, "trunk": "main" });
    let mut call = call("transfer", content, &["out"]);
    let expected = Effect::Transfer {
        number: "+33123456789".to_owned(),
        ring_s: 12,
        trunk: Some("main".to_owned()),
    };
    assert_eq!(call.tell(Input::Start), expected);
    let effect = call.tell(Input::TransferEnded(TransferOutcome::Answered));
    assert_eq!(effect, hangup(HangupReason::Transferred));
}

#[test]
fn a_failed_transfer_goes_on() {
    let mut call = call("transfer", json!({ "number": "100" }), &["out"]);
    let expected = Effect::Transfer {
        number: "100".to_owned(),
        ring_s: 30,
        trunk: None,
    };
    assert_eq!(call.tell(Input::Start), expected);
    let effect = call.tell(Input::TransferEnded(TransferOutcome::Failed));
    left_by(&call, "out", &effect);
}

#[test]
fn a_message_ends_the_flow() {
    let content = json!({ "audio": "leave-a-message", "mailbox": "sales", "beep": false });
    let mut call = call("voicemail", content, &[]);
    let expected = Effect::Record {
        prompt: Prompt::audio("leave-a-message"),
        mailbox: Some("sales".to_owned()),
        max_s: 120,
        silence_s: 3,
        beep: false,
    };
    assert_eq!(call.tell(Input::Start), expected);
    let effect = call.tell(Input::Recorded { duration_ms: 4_000 });
    assert_eq!(effect, hangup(HangupReason::MessageLeft));
}

#[test]
fn a_queue_ends_with_an_agent_or_goes_on() {
    let ports = ["out-timeout", "out-unavailable"];
    for (outcome, port) in [
        (QueueOutcome::TimedOut, Some("out-timeout")),
        (QueueOutcome::Unavailable, Some("out-unavailable")),
        (QueueOutcome::Connected, None),
    ] {
        let mut call = call(
            "queue",
            json!({ "queueId": "queue-1", "music": "" }),
            &ports,
        );
        let expected = Effect::Enqueue {
            queue_id: "queue-1".to_owned(),
            max_wait_s: 300,
            music: None,
        };
        assert_eq!(call.tell(Input::Start), expected);
        let effect = call.tell(Input::QueueEnded(outcome));
        match port {
            Some(port) => left_by(&call, port, &effect),
            None => assert_eq!(effect, hangup(HangupReason::Connected)),
        }
    }
}

#[test]
fn an_output_without_connection_ends_the_call() {
    let mut call = call("media", json!({ "prompt": "Hello" }), &[]);
    call.tell(Input::Start);
    assert_eq!(call.tell(Input::Played), hangup(HangupReason::DeadEnd));
}

#[test]
fn a_caller_may_hang_up_at_any_time() {
    let mut early = call("media", json!({ "prompt": "Hello" }), &["out"]);
    assert_eq!(
        early.tell(Input::CallerHungUp),
        hangup(HangupReason::CallerHungUp)
    );
    let mut late = call("media", json!({ "prompt": "Hello" }), &["out"]);
    late.tell(Input::Start);
    assert_eq!(
        late.tell(Input::CallerHungUp),
        hangup(HangupReason::CallerHungUp)
    );
    assert_eq!(late.state.current(), Some(&NodeId::from("n")));
}

#[test]
fn a_flow_that_is_over_stays_over() {
    let mut call = call("media", json!({ "prompt": "" }), &["out"]);
    let end = hangup(HangupReason::Completed);
    assert_eq!(call.tell(Input::Start), end);
    for input in [Input::Start, Input::Played, Input::CallerHungUp] {
        assert_eq!(call.tell(input), end);
    }
    assert_eq!(call.state.ended(), Some(HangupReason::Completed));
}

#[test]
fn an_input_that_does_not_fit_changes_nothing() {
    let mut call = call("transfer", json!({ "number": "100" }), &["out"]);
    assert_eq!(call.tell(Input::Played), Effect::Wait, "before the start");
    call.tell(Input::Start);
    for input in [
        Input::Start,
        Input::Played,
        Input::Digits("1".to_owned()),
        Input::NoInput,
        Input::Recorded { duration_ms: 1 },
        Input::QueueEnded(QueueOutcome::Connected),
    ] {
        assert_eq!(call.tell(input), Effect::Wait);
    }
    let effect = call.tell(Input::TransferEnded(TransferOutcome::Failed));
    left_by(&call, "out", &effect);
}

#[test]
fn a_state_of_another_flow_ends_the_call() {
    let mut first = call("media", json!({ "prompt": "Hello" }), &["out"]);
    first.tell(Input::Start);
    let mut graph = around("media", json!({ "prompt": "Hello" }), &["out"]);
    graph.nodes[1].id = "other".into();
    first.flow = Flow::lay_out(graph);
    assert_eq!(first.tell(Input::Played), hangup(HangupReason::NodeMissing));

    let mut second = call("media", json!({ "prompt": "Hello" }), &["out"]);
    second.tell(Input::Start);
    second.flow = Flow::lay_out(around("hangup", json!({}), &[]));
    assert_eq!(
        second.tell(Input::Played),
        hangup(HangupReason::NodeMissing)
    );
}

#[test]
fn a_loop_that_no_check_has_seen_ends_at_the_limit() {
    let mut graph = around("media", json!({}), &[]);
    graph.connections.push(Connection::new("n", "out", "n"));
    assert!(lint(&graph).iter().any(|f| f.code == Code::EndlessLoop));
    let mut call = Call::new(Flow::lay_out(graph));
    assert_eq!(call.tell(Input::Start), hangup(HangupReason::StepLimit));
    assert_eq!(call.state.steps(), STEP_BUDGET);
    assert_eq!(call.path().len(), PATH_LIMIT);
}

#[test]
fn a_caller_who_goes_round_a_menu_for_ever_is_hung_up() {
    let mut graph = around("menu", menu(), &[]);
    graph
        .connections
        .push(Connection::new("n", "out-star", "n"));
    let mut call = Call::new(Flow::compile(graph).unwrap());
    call.tell(Input::Start);
    let rounds = (0..STEP_BUDGET * 2)
        .take_while(|_| call.tell(Input::Digits("*".to_owned())) == collect_effect(&["Choose"], 1))
        .count();
    assert_eq!(
        rounds,
        STEP_BUDGET as usize - 2,
        "start and menu were entered before"
    );
    assert_eq!(call.state.ended(), Some(HangupReason::StepLimit));
}

#[test]
fn a_flow_of_the_console_runs() {
    let graph: FlowGraph = serde_json::from_str(CONSOLE_FLOW).unwrap();
    let codes: Vec<_> = lint(&graph).into_iter().map(|f| f.code).collect();
    assert_eq!(
        codes,
        [Code::DeadEnd],
        "only the failure of the transfer is not connected"
    );
    let mut call = Call::new(Flow::compile(graph).unwrap());
    let prompt = Prompt::text("Bienvenue chez nous.");
    assert_eq!(call.tell(Input::Start), Effect::Play { prompt });
    let expected = Effect::Collect {
        prompts: vec![Prompt::text("Tapez 1 pour parler à quelqu'un.")],
        keys: vec!["1".to_owned()],
        max_digits: 1,
        timeout_ms: 5_000,
        attempt: 1,
    };
    assert_eq!(call.tell(Input::Played), expected);
    let effect = call.tell(Input::Digits("1".to_owned()));
    assert!(matches!(effect, Effect::Transfer { number, .. } if number == "+33123456789"));
    let effect = call.tell(Input::TransferEnded(TransferOutcome::Answered));
    assert_eq!(effect, hangup(HangupReason::Transferred));
}
