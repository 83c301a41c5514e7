//! Frames as they were on the wire, typed, against a committed expectation.
//!
//! `golden/*.txt` are frames of Asterisk 22.10.1; `golden/documented/*.txt` those
//! that were not recorded, written from its documentation. To accept what changed,
//! set `UPDATE_GOLDEN=1` and read the difference.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use strowger_ami::event::DeviceState;
use strowger_ami::event::lists;
use strowger_ami::{Event, EventKind, Message};

/// The files of a folder of `golden`, in the order of their names, without the
/// expectations.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(golden(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "txt"))
        .filter(|path| !path.ends_with("actions.txt"))
        .collect();
    files.sort();
    files
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn frames(path: &Path) -> Vec<Message> {
    let text = fs::read(path).unwrap();
    let mut frames = Vec::new();
    let mut rest = &text[..];
    while let Some(end) = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
        let frame = Bytes::copy_from_slice(&rest[..end + 2]);
        frames.push(Message::parse(frame).unwrap());
        rest = &rest[end + 4..];
    }
    assert!(rest.is_empty(), "{} ends within a frame", path.display());
    frames
}

/// All frames, each with where it is from.
fn all() -> Vec<(String, Message)> {
    let mut all = Vec::new();
    for folder in ["", "documented"] {
        for path in files(folder) {
            let file = path.file_name().unwrap().to_string_lossy();
            let from = Path::new(folder).join(&*file).display().to_string();
            all.extend(frames(&path).into_iter().map(|raw| (from.clone(), raw)));
        }
    }
    all
}

/// The typed fields of an item of a list, which Asterisk names like no event, or
/// of an event.
fn typed(raw: Message) -> (String, Vec<(&'static str, String)>) {
    macro_rules! item {
        ($item:ident) => {
            (
                concat!("lists::", stringify!($item)).to_owned(),
                lists::$item::new(raw).unwrap().typed_fields(),
            )
        };
    }
    let name = raw.name().into_owned();
    match &*name {
        "CoreShowChannel" => item!(CoreShowChannel),
        "Status" => item!(ChannelStatus),
        "Agents" => item!(Agent),
        "Parkinglot" => item!(ParkingLot),
        "MWIGet" => item!(Mwi),
        "DBGetResponse" | "DBGetTreeResponse" => item!(DbEntry),
        "ConfbridgeList" => item!(ConfbridgeParty),
        "ConfbridgeListRooms" => item!(ConfbridgeRoom),
        "ListDialplan" => item!(DialplanStep),
        "QueueParams" => item!(QueueParams),
        "QueueMember" => item!(QueueMember),
        "QueueEntry" => item!(QueueEntry),
        "QueueSummary" => item!(QueueSummary),
        "EndpointList" => item!(EndpointList),
        "EndpointDetail" => item!(EndpointDetail),
        "ContactList" => item!(ContactList),
        "ContactStatusDetail" => item!(ContactStatusDetail),
        "AorList" | "AorDetail" | "InboundRegistrationDetail" => item!(AorList),
        "AuthList" | "AuthDetail" => item!(AuthList),
        "OutboundRegistrationDetail" => item!(OutboundRegistrationDetail),
        "BridgeListItem" => (
            "BridgeEvent".into(),
            strowger_ami::event::BridgeEvent::new(raw)
                .unwrap()
                .typed_fields(),
        ),
        "BridgeInfoChannel" => (
            "ChannelEvent".into(),
            strowger_ami::event::ChannelEvent::new(raw)
                .unwrap()
                .typed_fields(),
        ),
        _ => {
            let event = Event::parse(raw);
            (format!("{:?}", event.kind()), event.typed_fields())
        }
    }
}

/// Compares line by line, so that a difference shows where it is.
fn expect(file: &str, found: &str) {
    let path = golden(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {file}", number + 1);
    }
    assert_eq!(found.len(), expected.len(), "{file} is longer or shorter");
}

#[test]
fn frames_have_the_expected_fields() {
    let mut found = String::new();
    for (from, raw) in all() {
        let name = raw.name().into_owned();
        let (kind, fields) = typed(raw);
        assert_ne!(kind, "Other", "{name} of {from} has no type");
        writeln!(found, "{from} {name}: {kind}").unwrap();
        for (field, value) in fields {
            writeln!(found, "    {field}: {value}").unwrap();
        }
    }
    expect("typed.expected", &found);
}

#[test]
fn every_kind_of_event_has_a_frame() {
    let seen: BTreeSet<_> = all()
        .into_iter()
        .map(|(_, raw)| Event::parse(raw).kind())
        .collect();
    let missing: Vec<_> = EventKind::ALL
        .iter()
        .filter(|kind| **kind != EventKind::Other && !seen.contains(kind))
        .collect();
    assert!(missing.is_empty(), "no frame of {missing:?}");
}

#[test]
fn an_event_belongs_to_the_class_that_asterisk_writes() {
    for (from, raw) in all() {
        let Some(privilege) = raw.get("Privilege").map(std::borrow::Cow::into_owned) else {
            continue;
        };
        let event = Event::parse(raw);
        let Some(class) = event.kind().class() else {
            continue;
        };
        let first = privilege.split(',').next().unwrap();
        assert_eq!(class.name(), first, "{:?} of {from}", event.kind());
    }
}

#[test]
fn an_event_without_a_header_that_it_must_have_is_kept_whole() {
    for (_, raw) in all() {
        let name = raw.name().into_owned();
        let bare = Message::parse(format!("Event: {name}\r\n").into()).unwrap();
        let event = Event::parse(bare.clone());
        // Types that require nothing take it; the others must not lose it.
        assert_eq!(event.raw(), &bare);
        let _ = event.typed_fields();
    }
}

#[test]
fn queue_status_items_are_told_apart() {
    let mut kinds = BTreeSet::new();
    for (_, raw) in all() {
        let name = raw.name().into_owned();
        match lists::QueueStatusItem::parse(raw) {
            Ok(lists::QueueStatusItem::Params(item)) => {
                kinds.insert(format!("params {}", item.queue()));
            }
            Ok(lists::QueueStatusItem::Member(item)) => {
                assert_ne!(item.status(), DeviceState::Other(String::new()));
                kinds.insert("member".into());
            }
            Ok(lists::QueueStatusItem::Entry(item)) => {
                assert!(item.position() > 0);
                kinds.insert("entry".into());
            }
            Err(raw) => assert_eq!(raw.name(), name),
        }
    }
    assert!(kinds.contains("member") && kinds.contains("entry") && kinds.len() >= 3);
}
