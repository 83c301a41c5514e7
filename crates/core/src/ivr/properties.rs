//! What holds for every flow and every caller.

use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

use super::*;

/// The most inputs that a call can take: each step may be followed by the attempts of a menu.
const MAX_INPUTS: usize = STEP_BUDGET as usize * 10 + 1;

const PORTS: [&str; 9] = [
    "out",
    "out-1",
    "out-2",
    "out-timeout",
    "out-invalid",
    "out-default",
    "out-unavailable",
    "evt-1",
    "",
];

// === callers ===

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        1 => Just(Input::Start),
        4 => Just(Input::Played),
        4 => select(vec!["1", "2", "*", "12", "", "é"]).prop_map(|d| Input::Digits(d.to_owned())),
        2 => Just(Input::NoInput),
        1 => Just(Input::TransferEnded(TransferOutcome::Answered)),
        4 => Just(Input::TransferEnded(TransferOutcome::Failed)),
        1 => any::<u64>().prop_map(|duration_ms| Input::Recorded { duration_ms }),
        1 => Just(Input::QueueEnded(QueueOutcome::Connected)),
        4 => Just(Input::QueueEnded(QueueOutcome::TimedOut)),
        4 => Just(Input::QueueEnded(QueueOutcome::Unavailable)),
    ]
}

/// What happens to a caller who does nothing.
fn silence(effect: &Effect, unavailable: bool) -> Option<Input> {
    match effect {
        Effect::Play { .. } => Some(Input::Played),
        Effect::Collect { .. } => Some(Input::NoInput),
        Effect::Transfer { .. } => Some(Input::TransferEnded(TransferOutcome::Failed)),
        Effect::Record { .. } => Some(Input::Recorded { duration_ms: 0 }),
        Effect::Enqueue { .. } if unavailable => Some(Input::QueueEnded(QueueOutcome::Unavailable)),
        Effect::Enqueue { .. } => Some(Input::QueueEnded(QueueOutcome::TimedOut)),
        Effect::Wait | Effect::Hangup { .. } => None,
    }
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_second()..=Timestamp::MAX.as_second())
        .prop_map(|second| Timestamp::from_second(second).unwrap())
}

// === any graph ===

fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("Hello")),
        Just(json!("")),
        Just(Value::Null),
        Just(json!(7)),
        any::<String>().prop_map(Value::from),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_u32..12).prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        Just(json!(-1.5)),
        Just(Value::Null),
    ]
}

fn any_content() -> impl Strategy<Value = Value> {
    let key = select(vec!["1", "2", "*", "12", "x", ""]);
    let menu_option = (key, select(PORTS.to_vec()))
        .prop_map(|(key, port)| json!({ "key": key, "portId": port, "label": "" }));
    let zone = select(vec!["Europe/Paris", "America/Sao_Paulo", "UTC", "Nowhere"]);
    let time = || select(vec!["00:00", "02:30", "09:00", "23:59", "24:00", "9"]);
    let day = || {
        select(vec![
            "2026-03-29",
            "2026-10-25",
            "2018-11-04",
            "9999-12-31",
            "-",
            "",
        ])
    };
    let event = (
        select(PORTS.to_vec()),
        any::<[bool; 2]>(),
        time(),
        time(),
        day(),
        day(),
    )
        .prop_map(|(id, [recurring, all_day], start, end, first, last)| {
            json!({ "id": id, "name": id, "isRecurring": recurring, "allDay": all_day,
                    "days": ["mon", "sat", "sun"], "startTime": start, "endTime": end,
                    "startDate": first, "endDate": last })
        });
    let texts = (text(), text(), text(), text());
    let numbers = (number(), number(), number());
    let lists = (vec(menu_option, 0..4), zone, vec(event, 0..4));
    let typed = (texts, numbers, lists).prop_map(|(texts, numbers, (options, zone, events))| {
        json!({
            "prompt": texts.0, "audio": texts.1, "number": texts.2, "queueId": texts.3,
            "timeoutSeconds": numbers.0, "maxAttempts": numbers.1, "maxSeconds": numbers.2,
            "ringSeconds": numbers.0, "silenceSeconds": numbers.1, "maxWaitSeconds": numbers.2,
            "options": options, "timezone": zone, "events": events,
        })
    });
    prop_oneof![8 => typed, 1 => Just(json!({})), 1 => Just(json!(null)), 1 => Just(json!([1]))]
}

fn any_graph() -> impl Strategy<Value = Value> {
    let types = vec![
        "start",
        "media",
        "menu",
        "calendar",
        "transfer",
        "voicemail",
        "queue",
        "hangup",
        "other",
    ];
    let id = || (0_u8..8).prop_map(|id| format!("n{id}"));
    let node = (id(), select(types), any_content()).prop_map(|(id, type_name, content)| {
        json!({ "id": id, "type": type_name, "name": "", "content": content })
    });
    let connection = (id(), select(PORTS.to_vec()), id()).prop_map(|(from, port, to)| {
        json!({ "id": "c", "fromNodeId": from, "fromPortId": port, "toNodeId": to, "toPortId": "in" })
    });
    (vec(node, 0..10), vec(connection, 0..30)).prop_map(|(mut nodes, connections)| {
        nodes.push(json!({ "id": "s", "type": "start", "name": "", "content": {} }));
        let mut connections = connections;
        connections.push(
            json!({ "id": "c", "fromNodeId": "s", "fromPortId": "out", "toNodeId": "n0", "toPortId": "in" }),
        );
        json!({ "nodes": nodes, "connections": connections })
    })
}

// === graphs without fault, except perhaps loops ===

/// The types of inner nodes with their outputs; `true` needs the caller.
const KINDS: [(&str, &[(&str, bool)]); 7] = [
    ("media", &[("out", false)]),
    (
        "menu",
        &[
            ("out-1", true),
            ("out-2", true),
            ("out-timeout", false),
            ("out-invalid", true),
        ],
    ),
    ("calendar", &[("evt-1", false), ("out-default", false)]),
    ("transfer", &[("out", false)]),
    (
        "queue",
        &[("out-timeout", false), ("out-unavailable", false)],
    ),
    ("voicemail", &[]),
    ("hangup", &[]),
];

fn good_content(type_name: &str) -> Value {
    match type_name {
        "menu" => json!({ "prompt": "?", "maxAttempts": 10, "options": [
            { "key": "1", "portId": "out-1", "label": "" },
            { "key": "2", "portId": "out-2", "label": "" },
        ] }),
        "calendar" => json!({ "timezone": "Europe/Paris", "events": [
            { "id": "evt-1", "name": "", "isRecurring": true, "days": ["mon", "wed", "fri", "sun"],
              "startTime": "20:00", "endTime": "08:00" },
        ] }),
        "transfer" => json!({ "number": "+33123456789" }),
        "queue" => json!({ "queueId": "q" }),
        "media" | "voicemail" => json!({ "prompt": "Hello" }),
        _ => json!({}),
    }
}

/// A flow whose contents are right. Each output leads to any node or nowhere; with `forward`, the
/// ways of a silent caller only lead to later nodes.
fn wired_graph(forward: bool) -> impl Strategy<Value = FlowGraph> {
    let targets = vec(option::weighted(0.8, any::<prop::sample::Index>()), 4);
    vec((select(KINDS.to_vec()), targets), 1..25).prop_map(move |plan| {
        let id = |index: usize| format!("n{index}");
        let mut nodes = vec![Node::new(
            "s",
            "",
            NodeContent::Start(PlainContent::default()),
        )];
        let mut connections = vec![Connection::new("s", "out", id(0))];
        for (index, ((type_name, ports), targets)) in plan.iter().enumerate() {
            let node =
                json!({ "id": id(index), "type": type_name, "content": good_content(type_name) });
            nodes.push(serde_json::from_value(node).unwrap());
            for ((port, caller), target) in ports.iter().zip(targets) {
                let first = if forward && !caller { index + 1 } else { 0 };
                if let Some(target) = target
                    && first < plan.len()
                {
                    let target = first + target.index(plan.len() - first);
                    connections.push(Connection::new(id(index), *port, id(target)));
                }
            }
        }
        FlowGraph { nodes, connections }
    })
}

/// Goes through a flow without doing anything. `None` if that does not end.
fn silent_call(flow: &Flow, now: Timestamp, unavailable: bool) -> Option<HangupReason> {
    let mut state = FlowState::new();
    let mut effect = step(flow, &mut state, now, Input::Start);
    for _ in 0..MAX_INPUTS {
        if let Effect::Hangup { reason } = effect {
            return Some(reason);
        }
        effect = step(flow, &mut state, now, silence(&effect, unavailable)?);
    }
    None
}

proptest! {
    #[test]
    fn any_graph_is_read_checked_and_written_without_loss(sent in any_graph()) {
        let graph: FlowGraph = serde_json::from_value(sent).unwrap();
        let findings = lint(&graph);
        prop_assert!(findings.iter().all(|f| !f.message.is_empty() && f.message.len() < 4_000));
        let written = serde_json::to_value(&graph).unwrap();
        prop_assert_eq!(&serde_json::from_value::<FlowGraph>(written).unwrap(), &graph);
        let refused = findings.iter().any(|finding| finding.severity == Severity::Error);
        prop_assert_eq!(Flow::compile(graph).is_err(), refused);
    }

    #[test]
    fn any_caller_gets_through_any_graph(
        sent in any_graph(),
        inputs in vec(input(), 1..60),
        now in timestamp(),
    ) {
        let flow = Flow::lay_out(serde_json::from_value(sent).unwrap());
        let mut state = FlowState::new();
        let mut last = step(&flow, &mut state, now, Input::Start);
        let mut taken = 0;
        // The same caller again and again, until the flow is over.
        for input in inputs.iter().cycle().take(MAX_INPUTS) {
            if matches!(last, Effect::Hangup { .. }) {
                break;
            }
            last = step(&flow, &mut state, now, input.clone());
            taken += 1;
        }
        prop_assert!(matches!(last, Effect::Hangup { .. }), "still {last:?} after {taken} inputs");
        prop_assert!(state.steps() <= STEP_BUDGET);
        prop_assert!(state.path().len() <= PATH_LIMIT);
        prop_assert_eq!(step(&flow, &mut state, now, Input::Start), last);
    }

    #[test]
    fn a_silent_caller_leaves_every_published_flow(
        graph in wired_graph(false),
        now in timestamp(),
        unavailable in any::<bool>(),
    ) {
        match Flow::compile(graph) {
            Ok(flow) => {
                let reason = silent_call(&flow, now, unavailable);
                prop_assert!(reason.is_some());
                prop_assert_ne!(reason, Some(HangupReason::StepLimit));
            }
            Err(findings) => {
                let mut errors = findings.iter().filter(|f| f.severity == Severity::Error);
                prop_assert!(errors.all(|f| f.code == Code::EndlessLoop), "{findings:?}");
            }
        }
    }

    #[test]
    fn a_flow_whose_silent_ways_lead_forward_is_published(
        graph in wired_graph(true),
        now in timestamp(),
        unavailable in any::<bool>(),
    ) {
        let flow = Flow::compile(graph).unwrap();
        let reason = silent_call(&flow, now, unavailable);
        prop_assert!(reason.is_some());
        prop_assert_ne!(reason, Some(HangupReason::StepLimit));
    }
}
