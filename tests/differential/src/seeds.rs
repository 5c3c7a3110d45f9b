//! The inputs of the two fuzz targets: the seeds, one for each row about an in-process peer, and those that long runs found.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::{fs, io, panic};

use crate::bodies::{check, frames_case, heads_case, input};
use crate::case::{Case, unhex};
use crate::explain::{ROWS, Row};
use crate::judge::{Judgement, judge, shrink};
use crate::peers::{self, Peer};

/// The results of all inputs.
pub struct Replay {
    pub count: usize,
    pub faults: Vec<String>,
}

const FRAMES: &str = "differential_frames";
const HEADS: &str = "differential_heads";

fn case(target: &str, bytes: &[u8]) -> Option<Case> {
    match target {
        FRAMES => frames_case(bytes),
        _ => heads_case(bytes),
    }
}

fn folder(target: &str) -> PathBuf {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds");
    PathBuf::from(seeds).join(target)
}

/// The inputs that long runs found, a line of hex each.
fn found(target: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/../../fuzz/found/{target}.hex", env!("CARGO_MANIFEST_DIR"));
    let lines = fs::read_to_string(path).unwrap_or_default();
    lines.lines().map(unhex).collect()
}

/// Gives every input to the peers. Each row has to explain at least one seed.
pub fn replay() -> Replay {
    let (mut count, mut faults, mut seen) = (0, Vec::new(), BTreeSet::new());
    for target in [FRAMES, HEADS] {
        let entries = fs::read_dir(folder(target)).into_iter().flatten();
        for path in entries.map(|entry| entry.expect("a folder").path()) {
            count += 1;
            let bytes = fs::read(&path).expect("a file");
            match panic::catch_unwind(|| check(case(target, &bytes))) {
                Ok(rows) => seen.extend(rows.into_iter().map(name)),
                Err(_) => faults.push(format!("{} is not explained", path.display())),
            }
        }
        for (line, bytes) in (1..).zip(found(target)) {
            count += 1;
            if panic::catch_unwind(|| check(case(target, &bytes))).is_err() {
                faults.push(format!("fuzz/found/{target}.hex:{line} is not explained"));
            }
        }
    }
    let missing = rows().filter(|row| !seen.contains(&name(row)));
    faults.extend(missing.map(|row| {
        format!(
            "no seed for {}; `tests/differential/run seeds` writes it",
            name(row)
        )
    }));
    Replay { count, faults }
}

/// Writes a shrunk case for each row that one of `cases` exhibits.
pub fn write(cases: impl Iterator<Item = Case>) -> io::Result<usize> {
    let mut peers = peers::in_process();
    let mut missing: BTreeSet<String> = rows().map(name).collect();
    let mut count = 0;
    for case in cases {
        for row in explained(&mut peers, &case) {
            if missing.remove(&name(row)) {
                let differs = |case: &Case| {
                    explained(&mut peers, case)
                        .iter()
                        .any(|other| name(other) == name(row))
                };
                let least = shrink(&case, differs);
                let target = if case.is_frames() { FRAMES } else { HEADS };
                let bytes = input(&least).expect("one of the limits that an input can select");
                fs::create_dir_all(folder(target))?;
                fs::write(folder(target).join(name(row)), bytes)?;
                count += 1;
            }
        }
    }
    Ok(count)
}

fn explained(peers: &mut [Box<dyn Peer>], case: &Case) -> Vec<&'static Row> {
    let mut rows = Vec::new();
    for peer in peers.iter_mut().filter(|peer| peer.takes(case)) {
        if let Judgement::Explained(found) = judge(peer.name(), case, &peer.run(&[case])[0]) {
            rows.extend(found);
        }
    }
    rows
}

/// The rows about in-process peers.
fn rows() -> impl Iterator<Item = &'static Row> {
    let names: Vec<&str> = peers::in_process().iter().map(|peer| peer.name()).collect();
    ROWS.iter().filter(move |row| names.contains(&row.peer))
}

/// The name of a seed.
fn name(row: &Row) -> String {
    let seen = row.seen.map(|seen| format!("{seen:?}")).unwrap_or_default();
    let does = format!("{:?}", row.does).replace(['(', ')'], "");
    format!("{}-{seen}-{does}", row.peer)
}
