//! Every action as its bytes, against a committed expectation.

use std::fs;
use std::path::Path;

use strowger_ami::actions::*;
use strowger_ami::{Action, EncodeError};

const CHANNEL: &str = "PJSIP/1001-00000001";
const OTHER: &str = "PJSIP/carrier-00000002";

fn place() -> Destination {
    Destination {
        context: "agents".into(),
        exten: "s".into(),
        priority: 1,
    }
}

fn originates() -> Vec<Action> {
    let plain = OriginateRequest {
        channel: "PJSIP/33123456789@carrier".into(),
        channel_id: "att_0001".into(),
        context: "strowger-dialer".into(),
        exten: "s".into(),
        priority: 1,
        caller_id: Some("\"Shop\" <+33100000000>".into()),
        timeout_ms: 30_000,
        variables: vec![
            ("A".into(), "1,2 (x)".into()),
            ("__B".into(), String::new()),
        ],
        account: Some("campaign".into()),
        ..OriginateRequest::default()
    };
    let application = OriginateRequest {
        channel: "Local/1@ext/n".into(),
        channel_id: "att_0002".into(),
        other_channel_id: Some("att_0003".into()),
        application: Some(Application {
            name: "Wait".into(),
            data: "60".into(),
        }),
        timeout_ms: 20_000,
        early_media: true,
        codecs: Some("alaw,ulaw".into()),
        pre_dial_gosub: Some(place()),
        ..OriginateRequest::default()
    };
    vec![originate(&plain), originate(&application)]
}

fn session_actions() -> Vec<Action> {
    let secret = "secret".to_owned().into();
    let exclude = EventFilter {
        exclude: true,
        event: Some("VarSet".into()),
        ..EventFilter::default()
    };
    let include = EventFilter {
        header: Some("Channel".into()),
        method: FilterMethod::StartsWith,
        value: "PJSIP/".into(),
        ..EventFilter::default()
    };
    vec![
        challenge(),
        login_plain("test", &secret, "call,system"),
        login_md5("test", &md5_key("123456789", &secret), "off"),
        ping(),
        events("call,system"),
        filter("!Event: VarSet"),
        filter_advanced(&exclude),
        filter_advanced(&include),
        core_settings(),
        core_status(),
        list_commands(),
        command("core show uptime"),
        user_event("Strowger", &[("Lead", "42"), ("Note", "a: b")]),
        logoff(),
    ]
}

fn call_actions() -> Vec<Action> {
    vec![
        hangup(CHANNEL, Some(16)),
        core_show_channels(),
        status(None, &[]),
        status(Some(CHANNEL), &["LEAD", "CAMPAIGN"]),
        redirect(CHANNEL, &place(), None),
        redirect(CHANNEL, &place(), Some((OTHER, &place()))),
        blind_transfer(CHANNEL, "agents", "1002"),
        atxfer(CHANNEL, "agents", "1002"),
        cancel_atxfer(CHANNEL),
        bridge(CHANNEL, OTHER),
        local_optimize_away(CHANNEL),
        absolute_timeout(CHANNEL, 3600),
        send_text(CHANNEL, "hello"),
        mute_audio(CHANNEL, MuteDirection::In, true),
        mute_audio(CHANNEL, MuteDirection::Out, false),
        mute_audio(CHANNEL, MuteDirection::All, true),
        play_dtmf(CHANNEL, '#', Some(100), true),
        play_mf(CHANNEL, '1', None),
        send_flash(CHANNEL),
        control_playback(CHANNEL, Playback::Pause),
        set_var(CHANNEL, "LEAD", "4,2"),
        set_global("NIGHT", "1"),
        get_var(CHANNEL, "CHANNEL(state)"),
        get_global("NIGHT"),
        park(&ParkRequest {
            channel: CHANNEL.into(),
            timeout_channel: Some(OTHER.into()),
            announce_channel: Some(OTHER.into()),
            timeout_ms: Some(60_000),
            parkinglot: Some("default".into()),
            space: Some(701),
        }),
        parking_lots(),
        parked_calls(None),
        parked_calls(Some("default")),
        agi(CHANNEL, "EXEC Wait \"1\"", "c1"),
    ]
}

fn bridge_actions() -> Vec<Action> {
    let room = "room";
    vec![
        bridge_list(None),
        bridge_list(Some("basic")),
        bridge_info("b1"),
        bridge_kick(Some("b1"), CHANNEL),
        bridge_destroy("b1"),
        bridge_technology_list(),
        confbridge_list(room),
        confbridge_list_rooms(),
        confbridge_kick(room, ConfbridgeTarget::All),
        confbridge_mute(room, ConfbridgeTarget::Participants),
        confbridge_unmute(room, ConfbridgeTarget::Channel(CHANNEL)),
        confbridge_lock(room),
        confbridge_unlock(room),
        confbridge_start_record(room, Some("room.wav")),
        confbridge_stop_record(room),
        confbridge_set_single_video_src(room, CHANNEL),
        mix_monitor(CHANNEL, "calls/1.wav", "ab"),
        stop_mix_monitor(CHANNEL, Some("0x1")),
        mix_monitor_mute(CHANNEL, RecordDirection::Read, true),
        mix_monitor_mute(CHANNEL, RecordDirection::Write, false),
        mix_monitor_mute(CHANNEL, RecordDirection::Both, true),
        monitor(CHANNEL, "1", "wav", true),
        stop_monitor(CHANNEL),
        change_monitor(CHANNEL, "2"),
        pause_monitor(CHANNEL),
        unpause_monitor(CHANNEL),
    ]
}

fn queue_actions() -> Vec<Action> {
    let member = "PJSIP/1001";
    vec![
        queue_status(None),
        queue_status(Some("sales")),
        queue_status_of_member(member),
        queue_summary(None),
        queue_add(&QueueMemberRequest {
            queue: "sales".into(),
            interface: member.into(),
            penalty: Some(2),
            paused: true,
            reason: Some("login".into()),
            member_name: Some("Ann".into()),
            state_interface: Some("PJSIP/1001".into()),
        }),
        queue_pause(member, Some("sales"), false, None),
        queue_pause(member, None, true, Some("lunch")),
        queue_penalty(member, Some("sales"), 3),
        queue_member_ring_in_use(member, Some("sales"), false),
        queue_log("sales", "NOTE", Some("1.1"), Some(member), Some("a|b")),
        queue_reset(Some("sales")),
        queue_reload(None, QueueReload::Members),
        queue_withdraw_caller("sales", CHANNEL, Some("callback")),
        queue_change_priority_caller("sales", CHANNEL, 10, true),
        queue_remove("sales", member),
        agents(),
        agent_logoff("1001", true),
    ]
}

fn trunk_actions() -> Vec<Action> {
    vec![
        pjsip_show_endpoints(),
        pjsip_show_endpoint("101"),
        pjsip_show_aors(),
        pjsip_show_auths(),
        pjsip_show_contacts(),
        pjsip_show_registrations_inbound(),
        pjsip_show_inbound_contacts(),
        pjsip_show_registrations_outbound(),
        pjsip_qualify("101"),
        pjsip_unregister("reg"),
        pjsip_register("reg"),
        pjsip_notify(
            NotifyTarget::Endpoint("101"),
            &[
                ("Event", "check-sync;reboot=false"),
                ("Content-Type", "text/plain"),
            ],
        ),
        pjsip_notify(NotifyTarget::Uri("sip:101@127.0.0.9"), &[("Event", "a,b")]),
        pjsip_notify(NotifyTarget::Channel(CHANNEL), &[("Event", "talk")]),
        pjsip_set_maintenance("101", true),
        pjsip_show_maintenance(None),
        pjsip_set_maintenance("101", false),
    ]
}

fn state_actions() -> Vec<Action> {
    vec![
        device_state_list(),
        extension_state_list(),
        extension_state("ext", "1"),
        presence_state_list(),
        presence_state("CustomPresence:ann"),
        mailbox_count("1001@default"),
        mailbox_status("1001@default"),
        voicemail_users_list(),
        voicemail_user_status("default", "1001"),
        mwi_update("1001@default", 2, 1),
        mwi_get("1001@default"),
        mwi_delete("1001@default"),
        db_put("strowger", "a", "1,2"),
        db_get("strowger", "a"),
        db_get_tree("strowger", None),
        db_del("strowger", "a"),
        db_del_tree("strowger", Some("b")),
    ]
}

fn server_actions() -> Vec<Action> {
    let step = Application {
        name: "Wait".into(),
        data: "1".into(),
    };
    let text = str::to_owned;
    let changes = [
        ConfigChange::NewCategory(text("support")),
        ConfigChange::Append {
            category: text("support"),
            variable: text("strategy"),
            value: text("ringall"),
        },
        ConfigChange::Update {
            category: text("support"),
            variable: text("strategy"),
            value: text("random"),
        },
        ConfigChange::Delete {
            category: text("support"),
            variable: text("strategy"),
        },
        ConfigChange::DeleteCategory(text("support")),
    ];
    vec![
        show_dialplan(Some("ext"), Some("1")),
        dialplan_extension_add(&place(), &step, true),
        dialplan_extension_remove("agents", "s", Some(1)),
        get_config("queues.conf", Some("sales")),
        get_config_json("queues.conf", None),
        list_categories("queues.conf"),
        create_config("strowger-test.conf"),
        update_config("strowger-test.conf", &changes, Some("app_queue.so")),
        module_check("app_queue"),
        module_load("app_queue.so", ModuleLoad::Reload),
        reload(Some("app_queue")),
        logger_rotate(),
    ]
}

fn every_action() -> Vec<Action> {
    [
        originates(),
        session_actions(),
        call_actions(),
        bridge_actions(),
        queue_actions(),
        trunk_actions(),
        state_actions(),
        server_actions(),
    ]
    .concat()
}

#[test]
fn actions_have_the_expected_bytes() {
    let mut found = Vec::new();
    for (number, action) in every_action().iter().enumerate() {
        found.extend_from_slice(&action.encode(&number.to_string()).unwrap());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/actions.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).unwrap();
    }
    let expected = String::from_utf8(fs::read(&path).unwrap()).unwrap();
    let found = String::from_utf8(found).unwrap();
    for (number, (found, expected)) in found.split("\r\n").zip(expected.split("\r\n")).enumerate() {
        assert_eq!(found, expected, "line {} of actions.txt", number + 1);
    }
    assert_eq!(
        found.len(),
        expected.len(),
        "actions.txt is longer or shorter"
    );
}

#[test]
fn what_asterisk_would_misread_is_refused() {
    let refused = |action: Action| action.encode("1").unwrap_err();
    let channel = |name: &str| EncodeError::ChannelName(name.into());
    assert_eq!(refused(status(Some("/PJSIP/"), &[])), channel("/PJSIP/"));
    assert_eq!(refused(mix_monitor("", "f", "")), channel(""));
    assert_eq!(
        refused(confbridge_kick("room", ConfbridgeTarget::Channel("all"))),
        channel("all")
    );
    assert_eq!(
        refused(mix_monitor(CHANNEL, "a.wav,,System(x)", "")),
        EncodeError::Comma("File")
    );
    assert_eq!(
        refused(mix_monitor(CHANNEL, "a.wav", "b,x")),
        EncodeError::Comma("Options")
    );
    assert_eq!(
        refused(queue_remove("", "PJSIP/1")),
        EncodeError::Empty("Queue")
    );
    assert_eq!(refused(db_del_tree("", None)), EncodeError::Empty("Family"));
    assert_eq!(
        refused(pjsip_unregister("*all")),
        EncodeError::Value("*all".into(), "Registration")
    );
    assert_eq!(
        refused(pjsip_set_maintenance("ALL", true)),
        EncodeError::Value("ALL".into(), "Endpoint")
    );
    for file in ["/etc/passwd", "../x.conf"] {
        assert_eq!(
            refused(get_config(file, None)),
            EncodeError::Value(file.into(), "Filename")
        );
    }
    assert_eq!(
        refused(pjsip_notify(NotifyTarget::Endpoint("101"), &[("A=b", "c")])),
        EncodeError::Key("A=b".into())
    );
    assert_eq!(
        refused(pjsip_notify(NotifyTarget::Endpoint("101"), &[])),
        EncodeError::Empty("Variable")
    );
    assert_eq!(
        refused(set_global("SHELL(x)", "1")),
        EncodeError::VariableName("SHELL(x)".into())
    );
}

#[test]
fn call_control_is_never_slow_and_lists_are() {
    let call_control = [
        "hangup",
        "redirect",
        "bridge",
        "park",
        "mixmonitor",
        "queuepause",
        "originate",
    ];
    for action in every_action() {
        let name = action.name().to_ascii_lowercase();
        if call_control.contains(&&*name) {
            assert!(!action.is_slow(), "{name}");
        }
        let list = name.contains("list") || name.contains("show");
        if list {
            assert!(action.is_slow(), "{name}");
        }
    }
    assert!(Action::new("COMMAND").is_slow());
}
