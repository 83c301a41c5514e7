//! Typed events from the headers that Asterisk 22 writes.

use std::time::Duration;

use bytes::Bytes;
use strowger_ami::event::lists::CoreShowChannel;
use strowger_ami::event::{CompleteReason, ContactState, DeviceState, DialStatus, ExtensionState};
use strowger_ami::{ChannelState, Event, EventKind, EventSet, Message};

const CHANNEL: &str = "Channel: PJSIP/carrier-00000001\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n\
CallerIDNum: 33123456789\r\nCallerIDName: Zo\u{eb} \\\"Q\\\"\r\nConnectedLineNum: <unknown>\r\n\
ConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: campaign\r\nContext: strowger-dialer\r\n\
Exten: s\r\nPriority: 2\r\nUniqueid: att_01\r\nLinkedid: att_00\r\n";

fn message(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn parse(text: &str) -> Event {
    Event::parse(message(text))
}

fn on_channel(name: &str, more: &str) -> Event {
    parse(&format!(
        "Event: {name}\r\nPrivilege: call,all\r\n{CHANNEL}{more}"
    ))
}

#[test]
fn channel_fields() {
    let more = "ChanVariable: A=1\r\nChanVariable: B=x\\ny\r\n";
    let Event::NewChannel(event) = on_channel("Newchannel", more) else {
        panic!()
    };
    let channel = event.channel();
    assert_eq!(channel.name(), "PJSIP/carrier-00000001");
    assert_eq!(channel.state(), ChannelState::Up);
    assert_eq!(channel.caller_id_num(), "33123456789");
    assert_eq!(channel.caller_id_name(), "Zo\u{eb} \"Q\"");
    assert_eq!(channel.connected_line_num(), "");
    assert_eq!(channel.connected_line_name(), "");
    assert_eq!(channel.language(), "en");
    assert_eq!(channel.account_code(), "campaign");
    assert_eq!(channel.context(), "strowger-dialer");
    assert_eq!((&*channel.exten(), channel.priority()), ("s", 2));
    assert_eq!(channel.uniqueid(), "att_01");
    assert_eq!(channel.linkedid(), "att_00");
    assert_eq!(channel.tenantid(), "");
    assert_eq!(channel.variables().collect::<Vec<_>>(), ["A=1", "B=x\ny"]);
    assert_eq!(event.raw().get("Language").unwrap(), "en");
}

#[test]
fn every_state_has_its_number() {
    let states = (0..=9).map(ChannelState::from_number).collect::<Vec<_>>();
    assert_eq!(states[4], ChannelState::Ring);
    assert_eq!(states[5], ChannelState::Ringing);
    assert!(!states.contains(&ChannelState::Unknown));
    assert_eq!(ChannelState::from_number(10), ChannelState::Unknown);
    assert_eq!(ExtensionState::from_number(9), ExtensionState::InUseRinging);
    assert_eq!(ExtensionState::from_number(3), ExtensionState::Other(3));
}

#[test]
fn hangup_with_and_without_technology_cause() {
    let more = "Cause: 17\r\nCause-txt: User busy\r\nTechCause: SIP 486 Busy here\r\n";
    let Event::Hangup(event) = on_channel("Hangup", more) else {
        panic!()
    };
    assert_eq!((event.cause(), &*event.cause_txt()), (17, "User busy"));
    assert_eq!(event.tech_cause().as_deref(), Some("SIP 486 Busy here"));

    let Event::Hangup(event) = on_channel("Hangup", "Cause: nonsense\r\n") else {
        panic!()
    };
    assert_eq!((event.cause(), event.tech_cause()), (0, None));

    let Event::SoftHangupRequest(event) = on_channel("SoftHangupRequest", "Cause: 16\r\n") else {
        panic!()
    };
    assert_eq!(event.cause(), Some(16));
}

#[test]
fn a_dial_of_an_originate_has_no_source() {
    let dest = format!("Dest{}", CHANNEL.trim_end().replace("\r\n", "\r\nDest")) + "\r\n";
    let text = format!("Event: DialBegin\r\n{dest}DialString: 33123456789@carrier\r\n");
    let Event::DialBegin(event) = parse(&text) else {
        panic!()
    };
    assert!(event.source().is_none());
    assert_eq!(event.dest().unwrap().uniqueid(), "att_01");
    assert_eq!(event.dial_string(), "33123456789@carrier");
    assert_eq!(event.dial_status(), None);

    let more = format!("{dest}DialStatus: BUSY\r\nForward: \r\n");
    let Event::DialEnd(event) = on_channel("DialEnd", &more) else {
        panic!()
    };
    assert!(event.source().is_some() && event.dest().is_some());
    assert_eq!(event.dial_status(), Some(DialStatus::Busy));
    assert_eq!(event.forward(), None);
}

#[test]
fn words_keep_what_they_do_not_know() {
    assert_eq!(DialStatus::parse("noanswer"), DialStatus::NoAnswer);
    assert_eq!(DialStatus::NoAnswer.as_str(), "NOANSWER");
    let strange = DialStatus::parse("PONDERING");
    assert_eq!(strange, DialStatus::Other("PONDERING".into()));
    assert_eq!(strange.to_string(), "PONDERING");
    assert_eq!(CompleteReason::parse("agent"), CompleteReason::Agent);
    for (text, number) in [("NOT_INUSE", 1), ("Not in use", 1), ("On Hold", 8)] {
        assert_eq!(DeviceState::parse(text), DeviceState::from_number(number));
    }
    assert_eq!(DeviceState::from_number(9), DeviceState::Other("9".into()));
}

#[test]
fn originate_response() {
    let text = "Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: 3\r\nResponse: Failure\r\n\
Channel: PJSIP/1@carrier\r\nContext: strowger-dialer\r\nExten: s\r\nReason: 5\r\nUniqueid: <unknown>\r\n\
CallerIDNum: <unknown>\r\nCallerIDName: <unknown>\r\n";
    let Event::OriginateResponse(event) = parse(text) else {
        panic!()
    };
    assert!(!event.success());
    assert_eq!((event.reason(), event.uniqueid()), (5, None));
    assert_eq!(event.action_id().as_deref(), Some("3"));
    assert_eq!(event.application(), None);
}

#[test]
fn bridges_and_hold() {
    let bridge = "BridgeUniqueid: b1\r\nBridgeType: basic\r\nBridgeTechnology: simple_bridge\r\nBridgeNumChannels: 2\r\n";
    let more = format!("{bridge}SwapUniqueid: att_09\r\n");
    let Event::BridgeEnter(event) = on_channel("BridgeEnter", &more) else {
        panic!()
    };
    assert_eq!(event.bridge().uniqueid(), "b1");
    assert_eq!(event.bridge().num_channels(), 2);
    assert_eq!(event.swap_uniqueid().as_deref(), Some("att_09"));
    let Event::BridgeDestroy(event) = parse(&format!("Event: BridgeDestroy\r\n{bridge}")) else {
        panic!()
    };
    assert_eq!(event.bridge().technology(), "simple_bridge");
    let Event::Hold(event) = on_channel("Hold", "MusicClass: default\r\n") else {
        panic!()
    };
    assert_eq!(event.music_class().as_deref(), Some("default"));
}

#[test]
fn item_of_core_show_channels() {
    let item = |duration: &str| {
        let more = format!("Application: AppDial\r\nDuration: {duration}\r\nBridgeId: b1\r\n");
        CoreShowChannel::new(message(&format!(
            "Event: CoreShowChannel\r\n{CHANNEL}{more}"
        )))
        .unwrap()
    };
    let channel = item("01:01:05");
    assert_eq!(channel.duration(), Some(Duration::from_secs(3665)));
    assert_eq!(channel.bridge_id().as_deref(), Some("b1"));
    assert_eq!(channel.application(), "AppDial");
    for bad in ["", "65", "1:5", "a:b:c", "-1:00:00"] {
        assert_eq!(item(bad).duration(), None, "{bad}");
    }
}

#[test]
fn variables_of_channels_and_global_ones() {
    let value = "Variable: NOTE\r\nValue: a\\n\\\"b\\\"\r\n";
    let Event::VarSet(event) = on_channel("VarSet", value) else {
        panic!()
    };
    assert_eq!(event.value(), "a\n\"b\"");
    assert_eq!(event.channel().unwrap().uniqueid(), "att_01");
    for none in ["", "Channel: none\r\nUniqueid: none\r\n"] {
        let Event::VarSet(event) = parse(&format!("Event: VarSet\r\n{none}{value}")) else {
            panic!()
        };
        assert!(event.channel().is_none());
    }
}

#[test]
fn what_agi_answers_is_decoded() {
    let more = "CommandID: c1\r\nResult: 200%20result%3D0%20(a%zz%4)%0A\r\n";
    let Event::AsyncAgiExec(event) = on_channel("AsyncAGIExec", more) else {
        panic!()
    };
    assert_eq!(event.command_id().as_deref(), Some("c1"));
    assert_eq!(event.result(), "200 result=0 (a%zz%4)\n");
}

#[test]
fn server_events() {
    let text = "Event: Shutdown\r\nShutdown: Cleanly\r\nRestart: True\r\n";
    let Event::Shutdown(event) = parse(text) else {
        panic!()
    };
    assert_eq!(event.shutdown(), "Cleanly");
    assert!(event.restart());
    let text = "Event: ContactStatus\r\nURI: sip:101@192.0.2.7\r\nContactStatus: Reachable\r\n\
AOR: 101\r\nEndpointName: 101\r\nRoundtripUsec: 1834\r\n";
    let Event::ContactStatus(event) = parse(text) else {
        panic!()
    };
    assert_eq!(event.state(), ContactState::Reachable);
    assert_eq!(event.roundtrip(), Some(Duration::from_micros(1834)));
    let Event::Rename(event) =
        parse("Event: Rename\r\nChannel: A\r\nNewname: B\r\nUniqueid: 1\r\n")
    else {
        panic!()
    };
    assert_eq!(event.new_name(), "B");
    let text =
        "Event: InvalidPassword\r\nService: PJSIP\r\nRemoteAddress: IPV4/UDP/192.0.2.7/5060\r\n";
    let Event::InvalidPassword(event) = parse(text) else {
        panic!()
    };
    assert_eq!(event.remote_ip(), "192.0.2.7".parse().ok());
}

#[test]
fn what_does_not_fit_is_kept_whole() {
    for text in [
        "Event: VarSet\r\nValue: a\r\n",
        "Event: Hangup\r\nCause: 16\r\n",
        "Event: SomethingNew\r\nA: b\r\n",
        "Event: \r\n",
    ] {
        let event = parse(text);
        assert!(matches!(event, Event::Other(_)), "{event:?}");
        assert_eq!(event.kind(), EventKind::Other);
    }
    let event = parse("Event: VarSet\r\nValue: a\r\n");
    assert_eq!(event.raw().name(), "VarSet");
    let long = format!("Event: {}\r\n", "x".repeat(500));
    assert!(matches!(parse(&long), Event::Other(_)));
}

#[test]
fn debug_hides_secrets() {
    let text = "Event: VarSet\r\nVariable: CARD_PIN\r\nValue: 9876\r\n";
    let shown = format!("{:?}", parse(text));
    assert!(
        shown.contains("CARD_PIN") && !shown.contains("9876"),
        "{shown}"
    );
}

#[test]
fn every_event_is_in_one_of_the_sets() {
    let sets = [
        EventSet::CALLS,
        EventSet::BRIDGES,
        EventSet::TRANSFERS,
        EventSet::HOLD,
        EventSet::QUEUES,
        EventSet::AGENTS,
        EventSet::RECORDING,
        EventSet::SUPERVISION,
        EventSet::TRUNKS,
        EventSet::DEVICES,
        EventSet::DTMF,
        EventSet::DIALPLAN,
        EventSet::CDR,
        EventSet::SECURITY,
        EventSet::SYSTEM,
        EventSet::AGI,
        EventSet::MEDIA,
        EventSet::USER,
    ];
    let all = sets.into_iter().fold(EventSet::NONE, EventSet::and);
    let missing: Vec<_> = EventSet::ALL.without(all).kinds().collect();
    assert_eq!(missing, [EventKind::Other]);
}

#[test]
fn a_mask_names_the_classes_of_a_set() {
    assert_eq!(EventSet::NONE.mask(), "off");
    assert_eq!(EventSet::ALL.mask(), "on");
    assert_eq!(EventSet::QUEUES.mask(), "agent");
    assert_eq!((EventSet::CDR | EventSet::SYSTEM).mask(), "system,call,cdr");
    let both = EventSet::CALLS | EventSet::HOLD;
    assert_eq!(both.without(EventSet::CALLS), EventSet::HOLD);
    assert_eq!(both.kinds().collect::<EventSet>(), both);
}
