//! Typed events from the headers that Asterisk 22 writes.

use bytes::Bytes;
use strowger_ami::{ChannelState, Event, Message};

const CHANNEL: &str = "Channel: PJSIP/carrier-00000001\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n\
CallerIDNum: 33123456789\r\nCallerIDName: Zo\u{eb} \\\"Q\\\"\r\nConnectedLineNum: <unknown>\r\n\
ConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: campaign\r\nContext: strowger-dialer\r\n\
Exten: s\r\nPriority: 2\r\nUniqueid: att_01\r\nLinkedid: att_00\r\n";

fn parse(text: &str) -> Event {
    Event::parse(Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap())
}

fn on_channel(name: &str, more: &str) -> Event {
    parse(&format!(
        "Event: {name}\r\nPrivilege: call,all\r\n{CHANNEL}{more}"
    ))
}

#[test]
fn channel_fields() {
    let Event::NewChannel(event) = on_channel("Newchannel", "") else {
        panic!()
    };
    let channel = &event.channel;
    assert_eq!(channel.channel, "PJSIP/carrier-00000001");
    assert_eq!(channel.state, ChannelState::Up);
    assert_eq!(channel.caller_id_num, "33123456789");
    assert_eq!(channel.caller_id_name, "Zo\u{eb} \"Q\"");
    assert_eq!(channel.connected_line_num, "");
    assert_eq!(channel.account_code, "campaign");
    assert_eq!(channel.context, "strowger-dialer");
    assert_eq!((channel.exten.as_str(), channel.priority), ("s", 2));
    assert_eq!(channel.uniqueid, "att_01");
    assert_eq!(channel.linkedid, "att_00");
    assert_eq!(event.raw.get("Language").unwrap(), "en");
}

#[test]
fn every_state_has_its_number() {
    let states = (0..=9).map(ChannelState::from_number).collect::<Vec<_>>();
    assert_eq!(states[4], ChannelState::Ring);
    assert_eq!(states[5], ChannelState::Ringing);
    assert!(!states.contains(&ChannelState::Unknown));
    assert_eq!(ChannelState::from_number(10), ChannelState::Unknown);
}

#[test]
fn hangup_with_and_without_technology_cause() {
    let more = "Cause: 17\r\nCause-txt: User busy\r\nTechCause: SIP 486 Busy here\r\n";
    let Event::Hangup(event) = on_channel("Hangup", more) else {
        panic!()
    };
    assert_eq!((event.cause, event.cause_txt.as_str()), (17, "User busy"));
    assert_eq!(event.tech_cause.as_deref(), Some("SIP 486 Busy here"));

    let Event::Hangup(event) = on_channel("Hangup", "Cause: nonsense\r\n") else {
        panic!()
    };
    assert_eq!((event.cause, event.tech_cause), (0, None));

    let Event::HangupRequest(event) = on_channel("SoftHangupRequest", "Cause: 16\r\n") else {
        panic!()
    };
    assert_eq!(event.cause, Some(16));
}

#[test]
fn a_dial_of_an_originate_has_no_source() {
    let dest = format!("Dest{}", CHANNEL.trim_end().replace("\r\n", "\r\nDest")) + "\r\n";
    let text = format!("Event: DialBegin\r\n{dest}DialString: 33123456789@carrier\r\n");
    let Event::DialBegin(event) = parse(&text) else {
        panic!()
    };
    assert_eq!(event.source, None);
    assert_eq!(event.dest.unwrap().uniqueid, "att_01");
    assert_eq!(event.dial_string, "33123456789@carrier");

    let Event::DialEnd(event) = on_channel(
        "DialEnd",
        &format!("{dest}DialStatus: BUSY\r\nForward: \r\n"),
    ) else {
        panic!()
    };
    assert!(event.source.is_some() && event.dest.is_some());
    assert_eq!((event.dial_status.as_str(), event.forward), ("BUSY", None));
}

#[test]
fn originate_response() {
    let text = "Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: 3\r\nResponse: Failure\r\n\
Channel: PJSIP/1@carrier\r\nContext: strowger-dialer\r\nExten: s\r\nReason: 5\r\nUniqueid: <unknown>\r\n\
CallerIDNum: <unknown>\r\nCallerIDName: <unknown>\r\n";
    let Event::OriginateResponse(event) = parse(text) else {
        panic!()
    };
    assert!(!event.success);
    assert_eq!((event.reason, event.uniqueid), (5, None));
    assert_eq!(event.action_id.as_deref(), Some("3"));
    assert_eq!(event.application, None);
}

#[test]
fn bridges_and_hold() {
    let bridge = "BridgeUniqueid: b1\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge\r\nBridgeNumChannels: 2\r\n";
    let Event::BridgeEnter(event) =
        on_channel("BridgeEnter", &format!("{bridge}SwapUniqueid: att_09\r\n"))
    else {
        panic!()
    };
    assert_eq!(event.bridge.uniqueid, "b1");
    assert_eq!(event.bridge.num_channels, 2);
    assert_eq!(event.swap_uniqueid.as_deref(), Some("att_09"));
    let Event::BridgeDestroy(event) = parse(&format!("Event: BridgeDestroy\r\n{bridge}")) else {
        panic!()
    };
    assert_eq!(event.bridge.technology, "simple_bridge");
    let Event::Hold(event) = on_channel("Hold", "MusicClass: default\r\n") else {
        panic!()
    };
    assert_eq!(event.music_class.as_deref(), Some("default"));
}

#[test]
fn list_item_of_core_show_channels() {
    let more = "Application: AppDial\r\nApplicationData: (Outgoing Line)\r\nDuration: 00:01:05\r\nBridgeId: b1\r\n";
    let Event::CoreShowChannel(event) = on_channel("CoreShowChannel", more) else {
        panic!()
    };
    assert_eq!(event.duration_s, 65);
    assert_eq!(event.bridge_id.as_deref(), Some("b1"));
    assert_eq!(event.application, "AppDial");
}

#[test]
fn server_events() {
    let Event::Shutdown(event) = parse("Event: Shutdown\r\nShutdown: Cleanly\r\nRestart: True\r\n")
    else {
        panic!()
    };
    assert!(event.clean && event.restart);
    let Event::ContactStatus(event) = parse(
        "Event: ContactStatus\r\nURI: sip:101@192.0.2.7\r\nContactStatus: Reachable\r\nAOR: 101\r\nEndpointName: 101\r\nRoundtripUsec: 1834\r\n",
    ) else {
        panic!()
    };
    assert_eq!(
        (event.status.as_str(), event.roundtrip_usec),
        ("Reachable", Some(1834))
    );
    let Event::Rename(event) =
        parse("Event: Rename\r\nChannel: A\r\nNewname: B\r\nUniqueid: 1\r\n")
    else {
        panic!()
    };
    assert_eq!(event.new_name, "B");
}

#[test]
fn what_does_not_fit_is_kept_whole() {
    for text in [
        "Event: VarSet\r\nVariable: a\r\n",
        "Event: Hangup\r\nCause: 16\r\n",
        "Event: \r\n",
    ] {
        let event = parse(text);
        assert!(matches!(event, Event::Other(_)), "{event:?}");
    }
    let event = parse("Event: VarSet\r\nVariable: a\r\n");
    assert_eq!(event.raw().name(), "VarSet");
    let long = format!("Event: {}\r\n", "x".repeat(500));
    assert!(matches!(parse(&long), Event::Other(_)));
}
