//! Feeds the same bytes to this crate and to independent implementations; each difference has to be explained.
//!
//! `websocket-proto-differential [CASES] [SEED]`, or `websocket-proto-differential seeds` to write the seeds of the fuzz targets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use websocket_proto_differential::case::Case;
use websocket_proto_differential::explain::{ROWS, Row};
use websocket_proto_differential::facts::Facts;
use websocket_proto_differential::judge::{Judgement, agrees_with_facts, judge, report, shrink};
use websocket_proto_differential::peers::{self, Peer};
use websocket_proto_differential::random::Random;
use websocket_proto_differential::{frames, heads, seeds};

const CASES: usize = 100_000;
const SEED: u64 = 6455;
/// How many cases are held in memory at once.
const BATCH: usize = 10_000;
/// How many kinds of unexplained differences are printed.
const SHOWN: usize = 30;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("seeds") {
        return write_seeds();
    }
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Ok(count), Ok(seed)) = (
        arguments.next().unwrap_or(Ok(CASES as u64)),
        arguments.next().unwrap_or(Ok(SEED)),
    ) else {
        eprintln!("differential: CASES and SEED are numbers");
        return ExitCode::from(2);
    };
    let mut peers = match peers::all() {
        Ok(peers) => peers,
        Err(missing) => {
            eprintln!("differential: missing: {missing}");
            return ExitCode::FAILURE;
        }
    };
    peers::silence_guarded_panics();
    let seeds = seeds::replay();
    println!("{} inputs of the fuzz targets", seeds.count);
    for fault in &seeds.faults {
        println!("SEEDS: {fault}");
    }
    println!("{count} cases, seed {seed}");
    let mut random = Random::new(seed);
    let mut tables: Vec<Table> = peers.iter().map(|peer| Table::new(peer.name())).collect();
    let mut naive = Vec::new();
    for start in (0..count).step_by(BATCH) {
        let batch = start..count.min(start + BATCH as u64);
        let cases: Vec<Case> = batch.map(|at| generate(at, &mut random)).collect();
        let differs = |case: &&Case| !agrees_with_facts(case);
        naive.extend(cases.iter().filter(differs).cloned());
        run(&mut peers, &cases, &mut tables);
    }

    let mut failures: Vec<_> = naive.iter().map(|case| (None, case)).collect();
    for (at, table) in tables.iter().enumerate() {
        failures.extend(table.unexplained.iter().map(|case| (Some(at), case)));
    }
    show_unexplained(&mut peers, &failures);
    print_tables(&tables, seed == SEED && count == CASES as u64);
    let failed = failures.len() + seeds.faults.len();
    let compared: usize = tables.iter().map(|table| table.cases).sum();
    let all = seeds.count + compared + count as usize;
    println!("\n{} passed, {failed} failed", all - failed.min(all));
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Writes seeds taken from the cases of the default run.
fn write_seeds() -> ExitCode {
    let mut random = Random::new(SEED);
    let cases = (0..CASES as u64).map(|at| generate(at, &mut random));
    match seeds::write(cases) {
        Ok(count) => {
            println!("{count} seeds written");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("differential: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Generates streams of frames and heads alternately.
fn generate(at: u64, random: &mut Random) -> Case {
    if at % 2 == 0 {
        frames::generate(random)
    } else {
        heads::generate(random)
    }
}

/// The results of the comparison with one peer.
#[derive(Default)]
struct Table {
    peer: &'static str,
    cases: usize,
    agree: usize,
    /// How many cases differ, by the id of the explanation.
    differ: BTreeMap<&'static str, usize>,
    /// How often each row was part of an explanation.
    rows: BTreeMap<(&'static str, &'static str, String), usize>,
    unexplained: Vec<Case>,
}

impl Table {
    fn new(peer: &'static str) -> Self {
        Self {
            peer,
            ..Self::default()
        }
    }
}

/// Runs all peers in parallel, each in its own thread.
fn run(peers: &mut [Box<dyn Peer>], cases: &[Case], tables: &mut [Table]) {
    std::thread::scope(|scope| {
        for (peer, table) in peers.iter_mut().zip(tables) {
            scope.spawn(move || compare(&mut **peer, cases, table));
        }
    });
}

fn compare(peer: &mut dyn Peer, cases: &[Case], table: &mut Table) {
    let cases: Vec<&Case> = cases.iter().filter(|case| peer.takes(case)).collect();
    table.cases += cases.len();
    for (case, theirs) in cases.iter().zip(peer.run(&cases)) {
        match judge(table.peer, case, &theirs) {
            Judgement::Agree => table.agree += 1,
            Judgement::Explained(rows) => {
                let ids: BTreeSet<_> = rows.iter().map(|row| row.id).collect();
                for id in ids {
                    *table.differ.entry(id).or_default() += 1;
                }
                for row in rows {
                    *table.rows.entry(key(row)).or_default() += 1;
                }
            }
            Judgement::Unexplained => table.unexplained.push((*case).clone()),
        }
    }
}

/// Prints the shrunk case and the outcome of each peer. Without a peer, the naive reader is the one that differs.
fn show(peers: &mut [Box<dyn Peer>], peer: Option<usize>, case: &Case, count: usize) {
    let least = shrink(case, |case| match peer {
        None => !agrees_with_facts(case),
        Some(at) => {
            let theirs = peers[at].run(&[case]);
            matches!(judge(peers[at].name(), case, &theirs[0]), Judgement::Unexplained)
        }
    });
    let name = peer.map_or("the naive reader", |at| peers[at].name());
    print!("\nUNEXPLAINED, {count} times: {name}, {}", report(peers, &least));
}

/// Groups the unexplained differences by peer and facts, and shows one of each group, the most frequent first.
fn show_unexplained(peers: &mut [Box<dyn Peer>], failures: &[(Option<usize>, &Case)]) {
    let mut groups: BTreeMap<_, Vec<&Case>> = BTreeMap::new();
    for &(peer, case) in failures {
        groups
            .entry((peer, format!("{:?} {:?}", case.kind, Facts::of(case))))
            .or_default()
            .push(case);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, cases)| std::cmp::Reverse(cases.len()));
    for ((peer, _), cases) in groups.iter().take(SHOWN) {
        show(peers, *peer, cases[0], cases.len());
    }
    if groups.len() > SHOWN {
        println!("\n... and {} more kinds", groups.len() - SHOWN);
    }
}

/// The key under which a row is counted and printed.
fn key(row: &Row) -> (&'static str, &'static str, String) {
    (
        row.id,
        row.why,
        row.seen.map(|seen| format!(" ({seen:?})")).unwrap_or_default(),
    )
}

fn print_tables(tables: &[Table], default_run: bool) {
    println!("\n| peer | cases | agree | differ | by decision | unexplained |\n|---|---|---|---|---|---|");
    for table in tables {
        let (cases, agree, unexplained) = (table.cases, table.agree, table.unexplained.len());
        let mut ids: Vec<_> = table.differ.iter().collect();
        ids.sort_by_key(|(id, _)| {
            id.strip_prefix('D')
                .and_then(|number| number.parse().ok())
                .unwrap_or(u8::MAX)
        });
        let ids: Vec<_> = ids.iter().map(|(id, count)| format!("{id}: {count}")).collect();
        let differ = cases - agree - unexplained;
        println!(
            "| {} | {cases} | {agree} | {differ} | {} | {unexplained} |",
            table.peer,
            ids.join(", ")
        );
    }
    println!();
    for table in tables {
        for ((id, why, seen), count) in &table.rows {
            println!("{:<16} {id:<6} {count:>6}  {why}{seen}", table.peer);
        }
    }
    let used = |row: &Row| {
        tables
            .iter()
            .any(|table| row.peer == table.peer && table.rows.contains_key(&key(row)))
    };
    for row in ROWS.iter().filter(|row| default_run && !used(row)) {
        println!(
            "STALE, never applied: {} {:?} {:?} {}: {}",
            row.peer, row.seen, row.does, row.id, row.why
        );
    }
}
