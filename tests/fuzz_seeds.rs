//! Replays the inputs of every fuzz target, with a stable compiler and without cargo-fuzz: the seeds, `fuzz/seeds/TARGET/`, and those
//! that long runs found, `fuzz/found/TARGET.hex`.
//!
//! `fuzz/` depends on this package, so this package cannot depend on it, not even for tests: Cargo would include it, with
//! libFuzzer and its C++, in every build and lock file. So the bodies are included as a module, from the file that is the library
//! there. They are written for that: see the top of `fuzz/src/lib.rs`. It is the same code, under the same names.
#![cfg(feature = "alloc")]

#[path = "../fuzz/src/lib.rs"]
mod bodies;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

type Body = fn(&[u8]);

const TARGETS: &[(&str, Body)] = &[
    ("close_body", bodies::close_body),
    ("connection_client", bodies::connection_client),
    ("connection_server", bodies::connection_server),
    ("decoder", bodies::decoder),
    #[cfg(feature = "deflate")]
    ("deflate_isolation", bodies::deflate_isolation),
    #[cfg(feature = "deflate")]
    ("deflate_negotiation", bodies::deflate_negotiation),
    #[cfg(feature = "deflate")]
    ("deflate_round_trip", bodies::deflate_round_trip),
    ("endpoint", bodies::endpoint),
    ("endpoint_hostile", bodies::endpoint_hostile),
    ("extended", bodies::extended),
    ("extension_list", bodies::extension_list),
    ("handshake_arguments", bodies::handshake_arguments),
    ("handshake_client", bodies::handshake_client),
    ("handshake_server", bodies::handshake_server),
    ("header", bodies::header),
    #[cfg(feature = "deflate")]
    ("inflate", bodies::inflate),
    ("keepalive", bodies::keepalive),
    ("mask", bodies::mask),
    ("memory", bodies::memory),
    ("operations", bodies::operations),
    ("output_validity", bodies::output_validity),
    ("raw_decoder", bodies::raw_decoder),
    ("protocol_list", bodies::protocol_list),
    ("proxy_connect", bodies::proxy_connect),
    ("response_body", bodies::response_body),
    ("upgrade_fields", bodies::upgrade_fields),
    ("url", bodies::url),
    ("utf8", bodies::utf8),
];

/// Targets without a body if built without `deflate`.
const DEFLATED: [&str; 4] = [
    "deflate_isolation",
    "deflate_negotiation",
    "deflate_round_trip",
    "inflate",
];

/// Targets that compare with other libraries, which this package does not depend on: `tests/differential` has the bodies, and
/// replays the inputs.
const WITH_PEERS: [&str; 2] = ["differential_frames", "differential_heads"];

/// The files in a folder of `fuzz/`, by name, without those that Git ignores.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn stems(folder: &str) -> Vec<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files(folder).into_iter().map(stem).collect()
}

/// The inputs of a target that long runs found, a line of hex each.
fn found(target: &str) -> Vec<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/found/{target}.hex"));
    let lines = fs::read_to_string(path).unwrap_or_default();
    lines.lines().map(unhex).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    assert!(line.len() % 2 == 0, "half a byte: {line}");
    let byte = |place| u8::from_str_radix(&line[place..place + 2], 16).unwrap();
    (0..line.len()).step_by(2).map(byte).collect()
}

fn passes(body: Body, bytes: &[u8]) -> bool {
    panic::catch_unwind(AssertUnwindSafe(|| body(bytes))).is_ok()
}

#[test]
fn seeds_pass() {
    let mut failures = Vec::new();
    for (target, body) in TARGETS {
        let mut seeds = files(&format!("seeds/{target}"));
        assert!(!seeds.is_empty(), "{target} has no seeds");
        seeds.retain(|seed| !passes(*body, &fs::read(seed).unwrap()));
        failures.extend(seeds);
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn found_inputs_pass() {
    let mut failures = Vec::new();
    for (target, body) in TARGETS {
        for (line, input) in (1..).zip(found(target)) {
            if !passes(*body, &input) {
                failures.push(format!("fuzz/found/{target}.hex:{line}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// `fuzz/minimize --found` keeps these bounds, so that a clone and this test stay small.
#[test]
fn found_inputs_are_few_and_small() {
    for target in stems("fuzz_targets") {
        let inputs = found(&target);
        let (count, size) = (inputs.len(), inputs.iter().map(Vec::len).sum::<usize>());
        assert!(
            count <= 60 && size <= 65_536,
            "{target}: {count} inputs, {size} bytes"
        );
    }
}

/// An input may be anything, including a part of a seed, or a seed with bytes from another.
#[test]
fn parts_of_seeds_pass() {
    for (target, body) in TARGETS {
        for seed in files(&format!("seeds/{target}")) {
            let bytes = fs::read(&seed).unwrap();
            let step = bytes.len() / 40 + 1;
            for size in (0..bytes.len()).step_by(step) {
                body(&bytes[..size]);
                let mut other = bytes.clone();
                other[size] ^= 1 << (size % 8);
                body(&other);
            }
        }
    }
}

#[test]
fn every_target_has_a_body_here_and_seeds() {
    let mut known: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
    known.extend(DEFLATED);
    known.extend(WITH_PEERS);
    known.sort_unstable();
    known.dedup();
    assert_eq!(stems("fuzz_targets"), known);
    assert_eq!(stems("seeds"), known);
    assert!(stems("found").iter().all(|target| known.contains(&&target[..])));
    for target in files("fuzz_targets") {
        let text = fs::read_to_string(target).unwrap();
        assert!(text.lines().count() <= 8, "the bodies are in the library");
    }
}
