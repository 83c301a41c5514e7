//! The kept inputs, through the same functions as in the fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use strowger_fuzz_bodies::TARGETS;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(target)
}

/// All inputs in a folder, in the order of their names.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn every_kept_input_passes() {
    let mut failed = Vec::new();
    for (target, body) in TARGETS {
        let inputs = inputs(&corpus(target));
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for path in inputs {
            let input = fs::read(&path).unwrap();
            if std::panic::catch_unwind(|| body(&input)).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "these fail: {failed:#?}");
}

#[test]
fn every_target_has_a_program_and_every_corpus_a_target() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (target, _) in TARGETS {
        assert!(fuzz.join("targets").join(format!("{target}.rs")).exists());
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target}"
        );
    }
    for path in inputs(&fuzz.join("corpus")) {
        let known = TARGETS.iter().any(|(target, _)| path.ends_with(target));
        assert!(known, "{} has no target", path.display());
    }
}
