use serde_json::{Value, json};

use super::*;

fn graph(nodes: &Value, connections: &[(&str, &str, &str)]) -> FlowGraph {
    let connections = connections
        .iter()
        .map(|&(from, port, to)| Connection::new(from, port, to))
        .collect();
    let nodes = serde_json::from_value(nodes.clone()).unwrap();
    FlowGraph { nodes, connections }
}

fn node(id: &str, type_name: &str, content: Value) -> Value {
    let mut node = json!({ "id": id, "type": type_name, "name": format!("The {id}") });
    node["content"] = content;
    node
}

fn start() -> Value {
    node("s", "start", json!({}))
}

/// The findings about a single node `n` behind the start.
fn about(type_name: &str, content: Value) -> Vec<Finding> {
    let nodes = json!([start(), node("n", type_name, content)]);
    lint(&graph(&nodes, &[("s", "out", "n")]))
}

fn errors(findings: &[Finding]) -> Vec<Code> {
    codes(findings, Severity::Error)
}

fn warnings(findings: &[Finding]) -> Vec<Code> {
    codes(findings, Severity::Warning)
}

fn codes(findings: &[Finding], severity: Severity) -> Vec<Code> {
    let matching = findings.iter().filter(|f| f.severity == severity);
    matching.map(|finding| finding.code).collect()
}

#[test]
fn a_small_flow_has_no_findings() {
    let nodes = json!([
        start(),
        node("m", "media", json!({ "prompt": "Hello" })),
        node("h", "hangup", json!({})),
    ]);
    let findings = lint(&graph(&nodes, &[("s", "out", "m"), ("m", "out", "h")]));
    assert_eq!(findings, []);
}

#[test]
fn a_flow_has_exactly_one_start() {
    let none = lint(&FlowGraph::default());
    assert_eq!(errors(&none), [Code::NoStart]);
    let nodes = json!([
        start(),
        node("t", "start", json!({})),
        node("h", "hangup", json!({}))
    ]);
    let two = lint(&graph(&nodes, &[("s", "out", "h"), ("t", "out", "h")]));
    assert_eq!(errors(&two), [Code::SeveralStarts]);
    assert_eq!(two[0].node_id, Some("t".into()));
}

#[test]
fn the_start_is_connected() {
    let findings = lint(&graph(&json!([start()]), &[]));
    assert_eq!(errors(&findings), [Code::StartNotConnected]);
    assert_eq!(warnings(&findings), [], "the error says it all");
}

#[test]
fn an_id_belongs_to_one_node() {
    let nodes = json!([
        start(),
        node("h", "hangup", json!({})),
        node("h", "hangup", json!({}))
    ]);
    let findings = lint(&graph(&nodes, &[("s", "out", "h")]));
    assert_eq!(errors(&findings), [Code::DuplicateNodeId]);
}

#[test]
fn a_connection_joins_an_output_that_exists_with_a_node_that_exists() {
    let nodes = json!([start(), node("h", "hangup", json!({}))]);
    let cases = [
        (("x", "out", "h"), Code::ConnectionFromMissingNode),
        (("h", "out", "h"), Code::UnknownPort),
        (("s", "out-1", "h"), Code::UnknownPort),
        (("s", "out", "x"), Code::ConnectionToMissingNode),
        (("s", "out", "h"), Code::DuplicateConnection),
    ];
    for (connection, code) in cases {
        let findings = lint(&graph(&nodes, &[("s", "out", "h"), connection]));
        assert_eq!(errors(&findings), [code], "{connection:?}");
    }
}

#[test]
fn nothing_leads_back_to_the_start() {
    let nodes = json!([start(), node("m", "media", json!({ "prompt": "Hello" }))]);
    let findings = lint(&graph(&nodes, &[("s", "out", "m"), ("m", "out", "s")]));
    assert_eq!(errors(&findings), [Code::ConnectionToStart]);
}

#[test]
fn a_node_has_one_input() {
    let mut flow = graph(
        &json!([start(), node("h", "hangup", json!({}))]),
        &[("s", "out", "h")],
    );
    flow.connections[0].to_port_id = "in-2".into();
    assert_eq!(warnings(&lint(&flow)), [Code::UnknownInputPort]);
}

#[test]
fn nodes_that_cannot_be_read_are_named_and_their_ports_not_guessed() {
    let nodes = json!([
        start(),
        node("a", "teleport", json!({})),
        node("b", "menu", json!({ "options": 3 })),
        node("h", "hangup", json!({})),
    ]);
    let connections = [("s", "out", "a"), ("a", "beam", "b"), ("b", "out-1", "h")];
    let findings = lint(&graph(&nodes, &connections));
    assert_eq!(
        errors(&findings),
        [Code::UnknownNodeType, Code::MalformedContent]
    );
    assert_eq!(warnings(&findings), []);
    assert!(findings[0].message.contains("teleport"));
}

#[test]
fn a_menu_has_keys_that_exist_once() {
    let option = |key, port| json!({ "key": key, "portId": port, "label": "" });
    let menu =
        |options: Value| errors(&about("menu", json!({ "prompt": "?", "options": options })));
    assert_eq!(menu(json!([])), [Code::MenuWithoutOptions]);
    assert_eq!(
        menu(json!([option("1", "a"), option("1", "b")])),
        [Code::DuplicateKey]
    );
    for key in ["", "A", "1 ", "+", "١", "12345678901234567"] {
        assert_eq!(
            menu(json!([option(key, "a")])),
            [Code::IllegalKey],
            "{key:?}"
        );
    }
    assert_eq!(menu(json!([option("1", "")])), [Code::OptionWithoutPort]);
    assert_eq!(
        menu(json!([
            option("0", "a"),
            option("*", "a"),
            option("#12", "b")
        ])),
        []
    );
}

#[test]
fn a_transfer_has_a_number_that_is_only_a_number() {
    let number = |number: &str| errors(&about("transfer", json!({ "number": number })));
    for good in [
        "+33123456789",
        "100",
        "*98",
        "#31#0612345678",
        &"1".repeat(32),
    ] {
        assert_eq!(number(good), [], "{good}");
    }
    let bad = [
        "",
        "+",
        "*",
        "+33...",
        "01 23 45",
        "100&PJSIP/200",
        "100@evil",
        "1,tT",
        "1/2",
        "${EXTEN}",
        "1\n",
        "1+2",
        "++1",
        "١٢٣",
        &"1".repeat(33),
    ];
    for bad in bad {
        assert_eq!(number(bad), [Code::InvalidNumber], "{bad:?}");
    }
}

#[test]
fn names_hold_nothing_that_the_exchange_could_read_as_syntax() {
    let transfer =
        |trunk: &str| errors(&about("transfer", json!({ "number": "1", "trunk": trunk })));
    assert_eq!(transfer("trunk-1_a.b"), []);
    for bad in ["a@b", "a/b", "a,b", "a&b", "a b", "a\r\nAction: x"] {
        assert_eq!(transfer(bad), [Code::InvalidName], "{bad:?}");
    }
    let media = |audio: &str| errors(&about("media", json!({ "audio": audio })));
    for good in ["hello", "fr/accueil été.wav", ""] {
        assert_eq!(media(good), [], "{good}");
    }
    for bad in [
        "/etc/passwd",
        "../x",
        "a/../../b",
        "a&b",
        "a,noanswer",
        "a\"b",
        "${X}",
        "a\n",
    ] {
        assert_eq!(media(bad), [Code::InvalidName], "{bad:?}");
    }
    let voicemail = json!({ "prompt": "?", "mailbox": "a,u" });
    assert_eq!(errors(&about("voicemail", voicemail)), [Code::InvalidName]);
    let queue = json!({ "queueId": "q", "music": "a,b" });
    assert_eq!(errors(&about("queue", queue)), [Code::InvalidName]);
}

#[test]
fn a_queue_node_names_a_queue() {
    assert_eq!(errors(&about("queue", json!({}))), [Code::QueueWithoutId]);
    let findings = about("queue", json!({ "queueId": "queue-1" }));
    assert_eq!(errors(&findings), []);
    assert_eq!(warnings(&findings), [Code::DeadEnd, Code::DeadEnd]);
}

#[test]
fn numbers_of_seconds_and_attempts_make_sense() {
    let menu = |key: &str, value: u32| {
        let options = json!([{ "key": "1", "portId": "a" }]);
        let mut content = json!({ "prompt": "?", "options": options });
        content[key] = json!(value);
        errors(&about("menu", content))
    };
    for (key, value) in [
        ("timeoutSeconds", 0),
        ("timeoutSeconds", 61),
        ("maxAttempts", 0),
        ("maxAttempts", 11),
    ] {
        assert_eq!(menu(key, value), [Code::OutOfRange], "{key} {value}");
    }
    let ring = about("transfer", json!({ "number": "1", "ringSeconds": 0 }));
    assert_eq!(errors(&ring), [Code::OutOfRange]);
    let wait = about(
        "queue",
        json!({ "queueId": "q", "maxWaitSeconds": u32::MAX }),
    );
    assert_eq!(errors(&wait), [Code::OutOfRange]);
    let message = about(
        "voicemail",
        json!({ "prompt": "?", "maxSeconds": 0, "silenceSeconds": 0 }),
    );
    assert_eq!(
        errors(&message),
        [Code::OutOfRange],
        "a message may contain any silence"
    );
    let negative = about("voicemail", json!({ "prompt": "?", "maxSeconds": -1 }));
    assert_eq!(errors(&negative), [Code::MalformedContent]);
}

#[test]
fn a_calendar_is_told_everything_that_is_wrong_with_it() {
    let findings = about(
        "calendar",
        json!({
            "timezone": "Europe/Atlantis",
            "events": [
                { "id": "evt-1", "name": "Late", "isRecurring": true, "days": ["mon"], "startTime": "25:00", "endTime": "26:00" },
                { "id": "evt-2", "name": "Never", "isRecurring": true, "allDay": true, "days": [] },
            ],
        }),
    );
    assert_eq!(
        errors(&findings),
        [Code::InvalidTimezone, Code::InvalidEvent]
    );
    assert!(warnings(&findings).contains(&Code::EventNeverMatches));
    assert!(findings[0].message.contains("Europe/Atlantis"));
    assert!(findings[1].message.contains("Late") && findings[1].message.contains("25:00"));
}

#[test]
fn a_flow_has_limits() {
    let node = serde_json::from_value::<Node>(node("h", "hangup", json!({}))).unwrap();
    let nodes = FlowGraph {
        nodes: vec![node; MAX_NODES + 1],
        connections: Vec::new(),
    };
    assert_eq!(
        errors(&lint(&nodes)),
        [Code::TooManyNodes],
        "and nothing else is looked at"
    );
    let connections = FlowGraph {
        nodes: Vec::new(),
        connections: vec![Connection::new("a", "out", "b"); MAX_CONNECTIONS + 1],
    };
    assert_eq!(errors(&lint(&connections)), [Code::TooManyConnections]);
    let prompt = |chars| errors(&about("media", json!({ "prompt": "é".repeat(chars) })));
    assert_eq!(prompt(MAX_PROMPT_CHARS), []);
    assert_eq!(prompt(MAX_PROMPT_CHARS + 1), [Code::TextTooLong]);
    let options = vec![json!({ "key": "1", "portId": "a" }); MAX_CHOICES + 1];
    let menu = about("menu", json!({ "prompt": "?", "options": options }));
    assert_eq!(errors(&menu), [Code::TooManyChoices]);
}

#[test]
fn what_a_caller_never_hears_is_a_warning() {
    for type_name in ["media", "voicemail"] {
        assert!(
            warnings(&about(type_name, json!({ "prompt": " " }))).contains(&Code::NothingToSay)
        );
    }
    let menu = about(
        "menu",
        json!({ "options": [{ "key": "1", "portId": "a", "label": "Sales" }] }),
    );
    assert_eq!(
        warnings(&menu),
        [Code::NothingToSay, Code::DeadEnd, Code::DeadEnd]
    );
    assert!(
        menu[1].message.contains("key 1 “Sales”"),
        "{}",
        menu[1].message
    );
    let nodes = json!([
        start(),
        node("h", "hangup", json!({})),
        node("lost", "hangup", json!({}))
    ]);
    let lost = lint(&graph(&nodes, &[("s", "out", "h")]));
    assert_eq!(warnings(&lost), [Code::UnreachableNode]);
}

#[test]
fn a_message_names_the_node_and_stays_short() {
    let name = "\u{7}".repeat(100_000);
    let nodes = json!([start(), { "id": "n", "type": "transfer", "name": name, "content": {} }]);
    for finding in lint(&graph(&nodes, &[("s", "out", "n")])) {
        assert!(finding.message.contains('n') && finding.message.len() < 1_000);
        assert!(!finding.message.contains('\u{7}'));
        assert!(finding.node_name.unwrap().len() <= MAX_NAME_CHARS);
    }
    let finding = about("transfer", json!({ "number": "" })).remove(0);
    assert!(
        finding.message.starts_with("“The n” (n) has no number"),
        "{}",
        finding.message
    );
}

#[test]
fn a_finding_is_plain_json() {
    let finding = about("queue", json!({})).remove(0);
    let message = finding.message.clone();
    assert_eq!(
        serde_json::to_value(finding).unwrap(),
        json!({ "severity": "error", "code": "queue-without-id", "nodeId": "n",
                "nodeName": "The n", "message": message })
    );
}

/// Every way in which a call can leave a node without the caller doing anything.
fn silent_nodes() -> Vec<(&'static str, Value, &'static str)> {
    let option = json!([{ "key": "1", "portId": "out-1" }]);
    let event = json!([{ "id": "evt-1", "name": "e", "isRecurring": true, "allDay": true, "days": ["mon"] }]);
    vec![
        ("media", json!({ "prompt": "?" }), "out"),
        (
            "menu",
            json!({ "prompt": "?", "options": option }),
            "out-timeout",
        ),
        (
            "calendar",
            json!({ "timezone": "UTC", "events": event }),
            "evt-1",
        ),
        (
            "calendar",
            json!({ "timezone": "UTC", "events": event }),
            "out-default",
        ),
        ("transfer", json!({ "number": "1" }), "out"),
        ("queue", json!({ "queueId": "q" }), "out-timeout"),
        ("queue", json!({ "queueId": "q" }), "out-unavailable"),
    ]
}

#[test]
fn a_loop_without_the_caller_is_an_error_for_every_node() {
    for (type_name, content, port) in silent_nodes() {
        let nodes = json!([
            start(),
            node("a", "media", json!({ "prompt": "?" })),
            node("b", type_name, content),
        ]);
        let connections = [("s", "out", "a"), ("a", "out", "b"), ("b", port, "a")];
        let findings = lint(&graph(&nodes, &connections));
        assert_eq!(errors(&findings), [Code::EndlessLoop], "{type_name} {port}");
        let message = &findings[0].message;
        assert!(
            message.contains("“The a” (a) → “The b” (b) → “The a” (a)"),
            "{message}"
        );
    }
}

#[test]
fn a_loop_that_needs_a_key_is_fine() {
    let menu = json!({ "prompt": "?", "options": [{ "key": "1", "portId": "out-1" }] });
    for port in ["out-1", "out-invalid"] {
        let nodes = json!([
            start(),
            node("m", "menu", menu.clone()),
            node("h", "hangup", json!({}))
        ]);
        let connections = [
            ("s", "out", "m"),
            ("m", port, "m"),
            ("m", "out-timeout", "h"),
        ];
        assert_eq!(errors(&lint(&graph(&nodes, &connections))), [], "{port}");
    }
}

#[test]
fn an_option_that_shares_the_port_of_silence_does_not_hide_a_loop() {
    let menu = json!({ "prompt": "?", "options": [{ "key": "1", "portId": "out-timeout" }] });
    let nodes = json!([start(), node("m", "menu", menu)]);
    let findings = lint(&graph(
        &nodes,
        &[("s", "out", "m"), ("m", "out-timeout", "m")],
    ));
    assert_eq!(errors(&findings), [Code::EndlessLoop]);
}

#[test]
fn a_loop_that_no_call_can_enter_is_only_unreachable() {
    let nodes = json!([
        start(),
        node("h", "hangup", json!({})),
        node("m", "media", json!({ "prompt": "?" })),
    ]);
    let findings = lint(&graph(&nodes, &[("s", "out", "h"), ("m", "out", "m")]));
    assert_eq!(errors(&findings), []);
    assert_eq!(warnings(&findings), [Code::UnreachableNode]);
}
