//! The same bytes through this crate and through independent implementations; each difference has to be explained.
//!
//! `websocket-proto-differential [CASES] [SEED]`

mod case;
mod explain;
mod facts;
mod frames;
mod heads;
mod peers;
mod random;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use case::{Case, Outcome};
use explain::{ROWS, Row, explain};
use facts::Facts;
use peers::{Peer, ours};
use random::Random;

const CASES: usize = 100_000;
const SEED: u64 = 6455;
/// How many kinds of unexplained differences are printed.
const SHOWN: usize = 30;

fn main() -> ExitCode {
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
    println!("{count} cases, seed {seed}");
    let mut random = Random::new(seed);
    let cases: Vec<Case> = (0..count)
        .map(|at| {
            if at % 2 == 0 {
                frames::generate(&mut random)
            } else {
                heads::generate(&mut random)
            }
        })
        .collect();

    let mut failures = Vec::new();
    let naive = cases
        .iter()
        .filter(|case| !Facts::of(case).agree(&ours::run(case, false)));
    failures.extend(naive.map(|case| (None, case)));
    let tables = run(&mut peers, &cases);
    for (at, table) in tables.iter().enumerate() {
        failures.extend(table.unexplained.iter().map(|&case| (Some(at), case)));
    }
    show_unexplained(&mut peers, &failures);
    print_tables(&tables, seed == SEED && count == CASES as u64);
    let failed = failures.len();
    let compared: usize = tables.iter().map(|table| table.cases).sum();
    println!("\n{} passed, {failed} failed", compared + cases.len() - failed);
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What came of the comparison with one peer.
struct Table<'c> {
    peer: &'static str,
    cases: usize,
    agree: usize,
    /// How many cases differ, by the ids of the explanation.
    differ: BTreeMap<&'static str, usize>,
    /// How often each row was a part of the explanation.
    rows: BTreeMap<(&'static str, &'static str, String), usize>,
    unexplained: Vec<&'c Case>,
}

/// All peers at once, each in a thread of its own.
fn run<'c>(peers: &mut [Box<dyn Peer>], cases: &'c [Case]) -> Vec<Table<'c>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = peers
            .iter_mut()
            .map(|peer| scope.spawn(move || compare(&mut **peer, cases)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic outside of a peer"))
            .collect()
    })
}

fn compare<'c>(peer: &mut dyn Peer, cases: &'c [Case]) -> Table<'c> {
    let cases: Vec<&Case> = cases.iter().filter(|case| peer.takes(case)).collect();
    let mut table = Table {
        peer: peer.name(),
        cases: cases.len(),
        agree: 0,
        differ: BTreeMap::new(),
        rows: BTreeMap::new(),
        unexplained: Vec::new(),
    };
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
            Judgement::Unexplained => table.unexplained.push(case),
        }
    }
    table
}

enum Judgement {
    Agree,
    Explained(Vec<&'static Row>),
    Unexplained,
}

fn judge(peer: &str, case: &Case, theirs: &Outcome) -> Judgement {
    let ours = if peer == "httparse" {
        ours::syntax(case)
    } else {
        ours::run(case, false)
    };
    if ours.agrees(theirs, case.kind) {
        return Judgement::Agree;
    }
    match explain(peer, case, &ours, theirs) {
        rows if rows.is_empty() => Judgement::Unexplained,
        rows => Judgement::Explained(rows),
    }
}

/// Prints the least case that still differs, and what all make of it. Without a peer: where the naive reading differs.
fn show(peers: &mut [Box<dyn Peer>], peer: Option<usize>, case: &Case, count: usize) {
    let mut differs = |case: &Case| match peer {
        None => !Facts::of(case).agree(&ours::run(case, false)),
        Some(at) => {
            let theirs = peers[at].run(&[case]);
            matches!(judge(peers[at].name(), case, &theirs[0]), Judgement::Unexplained)
        }
    };
    let mut least = case.clone();
    let mut at = 0;
    while at < least.parts.len() {
        let mut shorter = least.clone();
        shorter.parts.remove(at);
        if differs(&shorter) {
            least = shorter;
        } else {
            at += 1;
        }
    }
    let name = peer.map_or("the naive reading", |at| peers[at].name());
    println!(
        "\nUNEXPLAINED, {count} times: {name}, {:?}, limit {}, offers {}",
        least.kind, least.limit, least.offers
    );
    let bytes = least.bytes();
    if least.is_frames() {
        let text = case::hex(&bytes);
        println!(
            "  bytes  {}{}",
            &text[..text.len().min(400)],
            if text.len() > 400 { "..." } else { "" }
        );
    } else {
        println!("  bytes  {}", bytes.escape_ascii());
    }
    println!("  facts  {:?}", Facts::of(&least));
    println!("  {:<18} {}", "ours", ours::run(&least, false));
    if !least.is_frames() {
        println!("  {:<18} {}", "ours, syntax", ours::syntax(&least));
    }
    for peer in peers.iter_mut().filter(|peer| peer.takes(&least)) {
        println!("  {:<18} {}", peer.name(), peer.run(&[&least])[0]);
    }
}

/// The unexplained differences by peer and by what is in the case, the most frequent first, one of each shrunk.
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
        println!("\n... and {} kinds more", groups.len() - SHOWN);
    }
}

/// How a row is counted and printed.
fn key(row: &Row) -> (&'static str, &'static str, String) {
    (
        row.id,
        row.why,
        row.seen.map(|seen| format!(" ({seen:?})")).unwrap_or_default(),
    )
}

fn print_tables(tables: &[Table<'_>], default_run: bool) {
    println!("\n| peer | cases | agree | differ | by decision | unexplained |\n|---|---|---|---|---|---|");
    for table in tables {
        let (cases, agree, unexplained) = (table.cases, table.agree, table.unexplained.len());
        let ids: Vec<_> = table
            .differ
            .iter()
            .map(|(id, count)| format!("{id}: {count}"))
            .collect();
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
