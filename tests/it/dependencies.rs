//! Who may depend on whom, read from `cargo metadata`.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Every edge that is allowed between our packages, outside of tests.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("strowger-core", &[]),
    ("strowger-ami", &[]),
    ("strowger-agi", &[]),
    (
        "strowger-telephony",
        &["strowger-core", "strowger-ami", "strowger-agi"],
    ),
    ("strowger-fuzz-bodies", &["strowger-ami", "strowger-agi"]),
    ("strowger-store", &["strowger-core"]),
    ("strowger-realtime", &["strowger-core"]),
    (
        "strowger-api",
        &["strowger-core", "strowger-store", "strowger-realtime"],
    ),
    (
        "strowger-sim",
        &["strowger-core", "strowger-ami", "strowger-agi"],
    ),
    (
        "strowger-testkit",
        &[
            "strowger-core",
            "strowger-store",
            "strowger-ami",
            "strowger-agi",
            "strowger-telephony",
        ],
    ),
    (
        "strowger",
        &[
            "strowger-agi",
            "strowger-ami",
            "strowger-api",
            "strowger-core",
            "strowger-realtime",
            "strowger-sim",
            "strowger-store",
            "strowger-telephony",
        ],
    ),
];

/// What does IO or runs tasks: the core has none of it, however deep.
const NOT_IN_CORE: [&str; 6] = ["tokio", "sqlx", "axum", "reqwest", "hyper", "mio"];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn our_packages_depend_only_on_whom_they_may() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(name, may)| (*name, may.iter().copied().collect()))
        .collect();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = text(package, "name");
        if !name.starts_with("strowger") {
            continue;
        }
        seen.insert(name.to_owned());
        let may = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} has no line in this test"));
        for dependency in package["dependencies"].as_array().unwrap() {
            let on = text(dependency, "name");
            let for_tests = text(dependency, "kind") == "dev";
            assert!(
                for_tests || !on.starts_with("strowger") || may.contains(on),
                "{name} must not depend on {on}"
            );
        }
    }
    let listed: BTreeSet<String> = allowed.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(seen, listed);
}

#[test]
fn the_core_reaches_no_io_however_deep() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let nodes: BTreeMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let core = names
        .iter()
        .find(|(_, name)| **name == "strowger-core")
        .map(|(id, _)| *id)
        .unwrap();
    let (mut reached, mut queue) = (BTreeSet::new(), vec![core]);
    while let Some(id) = queue.pop() {
        if !reached.insert(id) {
            continue;
        }
        for dependency in nodes[id]["deps"].as_array().unwrap() {
            let kinds = dependency["dep_kinds"].as_array().unwrap();
            // A normal dependency has no kind.
            if kinds.iter().any(|kind| kind["kind"].is_null()) {
                queue.push(text(dependency, "pkg"));
            }
        }
    }
    let reached: BTreeSet<&str> = reached.into_iter().map(|id| names[id]).collect();
    for forbidden in NOT_IN_CORE {
        assert!(
            !reached.contains(forbidden),
            "strowger-core reaches {forbidden}"
        );
    }
    // The walk itself must be seen to work.
    assert!(reached.contains("jiff"));
}
