use serde_json::json;

use super::*;

/// A flow as the designer of the console sends it, every type of node in it.
pub(in crate::ivr) const CONSOLE_FLOW: &str = r#"{
  "id": "ivr-flow-1718000000000",
  "name": "Accueil principal",
  "nodes": [
    { "id": "start-node", "type": "start", "name": "Début", "x": 50, "y": 150, "content": {} },
    { "id": "node-media-1718000000001", "type": "media", "name": "Bienvenue", "x": 250, "y": 150.5,
      "content": { "prompt": "Bienvenue chez nous." } },
    { "id": "node-calendar-1718000000002", "type": "calendar", "name": "Horaires", "x": 450, "y": 150,
      "content": {
        "timezone": "Europe/Paris",
        "events": [
          { "id": "evt-1718000000003", "name": "Noël", "eventType": "closed", "isRecurring": false, "allDay": true,
            "days": [], "startTime": "09:00", "endTime": "17:00", "startDate": "2026-12-24", "endDate": "2026-12-26" },
          { "id": "evt-1718000000004", "name": "Ouvert", "eventType": "open", "isRecurring": true, "allDay": false,
            "days": ["mon", "tue", "wed", "thu", "fri"], "startTime": "09:00", "endTime": "17:00",
            "startDate": "2024-06-10", "endDate": "2024-06-10" }
        ]
      } },
    { "id": "node-menu-1718000000005", "type": "menu", "name": "Menu", "x": 650, "y": 50,
      "content": { "prompt": "Tapez 1 pour parler à quelqu'un.",
                   "options": [{ "key": "1", "portId": "out-1", "label": "Service client" }] } },
    { "id": "node-transfer-1718000000006", "type": "transfer", "name": "Transfert", "x": 850, "y": 50,
      "content": { "number": "+33123456789" } },
    { "id": "node-voicemail-1718000000007", "type": "voicemail", "name": "Messagerie", "x": 850, "y": 250,
      "content": { "prompt": "Laissez un message." } },
    { "id": "node-hangup-1718000000008", "type": "hangup", "name": "Raccrocher", "x": 1050, "y": 50, "content": {} },
    { "id": "node-hangup-1718000000009", "type": "hangup", "name": "Raccrocher", "x": 1050, "y": 350, "content": {} }
  ],
  "connections": [
    { "id": "conn-1", "fromNodeId": "start-node", "fromPortId": "out", "toNodeId": "node-media-1718000000001", "toPortId": "in" },
    { "id": "conn-2", "fromNodeId": "node-media-1718000000001", "fromPortId": "out", "toNodeId": "node-calendar-1718000000002", "toPortId": "in" },
    { "id": "conn-3", "fromNodeId": "node-calendar-1718000000002", "fromPortId": "evt-1718000000004", "toNodeId": "node-menu-1718000000005", "toPortId": "in" },
    { "id": "conn-4", "fromNodeId": "node-calendar-1718000000002", "fromPortId": "out-default", "toNodeId": "node-voicemail-1718000000007", "toPortId": "in" },
    { "id": "conn-5", "fromNodeId": "node-calendar-1718000000002", "fromPortId": "evt-1718000000003", "toNodeId": "node-hangup-1718000000009", "toPortId": "in" },
    { "id": "conn-6", "fromNodeId": "node-menu-1718000000005", "fromPortId": "out-1", "toNodeId": "node-transfer-1718000000006", "toPortId": "in" },
    { "id": "conn-7", "fromNodeId": "node-menu-1718000000005", "fromPortId": "out-timeout", "toNodeId": "node-hangup-1718000000008", "toPortId": "in" }
  ]
}"#;

#[test]
fn a_flow_of_the_console_comes_back_as_it_was() {
    let sent: Value = serde_json::from_str(CONSOLE_FLOW).unwrap();
    let graph: FlowGraph = serde_json::from_str(CONSOLE_FLOW).unwrap();
    let back = serde_json::to_value(&graph).unwrap();
    assert_eq!(back["nodes"], sent["nodes"]);
    assert_eq!(back["connections"], sent["connections"]);
}

#[test]
fn keys_that_are_not_known_are_kept() {
    let sent = json!({
        "nodes": [{
            "id": "n", "type": "menu", "name": "Menu", "x": 1, "y": 2.5, "colour": "red",
            "content": {
                "prompt": "?", "voice": { "lang": "fr" },
                "options": [{ "key": "1", "portId": "out-1", "label": "", "icon": 7 }],
            },
        }],
        "connections": [{
            "id": "c", "fromNodeId": "n", "fromPortId": "out-1", "toNodeId": "n",
            "toPortId": "in", "bend": [1, 2],
        }],
    });
    let graph: FlowGraph = serde_json::from_value(sent.clone()).unwrap();
    assert_eq!(serde_json::to_value(&graph).unwrap(), sent);
}

#[test]
fn an_unknown_type_and_content_of_the_wrong_shape_are_kept() {
    let sent = json!({
        "nodes": [
            { "id": "a", "type": "teleport", "name": "A", "content": { "to": ["moon"] } },
            { "id": "b", "type": "menu", "name": "B", "content": { "options": "many" } },
            { "id": "c", "type": "hangup", "name": "C", "content": [] },
        ],
        "connections": [],
    });
    let graph: FlowGraph = serde_json::from_value(sent.clone()).unwrap();
    assert!(matches!(graph.nodes[0].content, NodeContent::Unknown(_)));
    assert!(matches!(graph.nodes[1].content, NodeContent::Malformed(_)));
    assert!(matches!(graph.nodes[2].content, NodeContent::Malformed(_)));
    assert_eq!(serde_json::to_value(&graph).unwrap(), sent);
}

#[test]
fn null_is_read_like_a_missing_key() {
    let graph: FlowGraph = serde_json::from_value(json!({
        "nodes": [
            { "id": "a", "type": "start", "name": null, "x": null, "content": null },
            { "id": "b", "type": "menu", "content": { "prompt": null, "options": null, "maxAttempts": null } },
        ],
        "connections": null,
    }))
    .unwrap();
    assert_eq!(
        graph.nodes[0].content,
        NodeContent::Start(PlainContent::default())
    );
    assert_eq!(
        graph.nodes[1].content,
        NodeContent::Menu(MenuContent::default())
    );
    assert!(graph.connections.is_empty());
}

#[test]
fn audio_wins_over_text_and_blanks_are_nothing() {
    let both = Prompt {
        text: Some("Hello".to_owned()),
        audio: Some("hello".to_owned()),
    };
    assert_eq!(both.source(), Some(PromptSource::Audio("hello")));
    let blank_audio = Prompt {
        audio: Some(" ".to_owned()),
        ..both
    };
    assert_eq!(blank_audio.source(), Some(PromptSource::Text("Hello")));
    assert!(Prompt::text("  \n").is_empty());
}

#[test]
fn what_the_console_leaves_out_has_a_default() {
    assert_eq!(MenuContent::default().timeout_seconds(), 5);
    assert_eq!(MenuContent::default().max_attempts(), 3);
    assert_eq!(TransferContent::default().ring_seconds(), 30);
    assert_eq!(VoicemailContent::default().max_seconds(), 120);
    assert_eq!(VoicemailContent::default().silence_seconds(), 3);
    assert!(VoicemailContent::default().beep());
    assert_eq!(QueueContent::default().max_wait_seconds(), 300);
}
