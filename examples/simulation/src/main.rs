//! A client and server simulation: the network and the clocks are simulated, and everything is repeated by a seed.
//!
//!     cargo run --release -p embedding-simulation -- [SEEDS] [--seed N] [--trace] [--plant FAULT]
//!
//! - `SEEDS`: how many seeds to run, by default 24; the first thousand all passed in November 2026, in nine minutes on a busy
//!   machine
//! - `--seed N`: the first seed, by default 1; without `SEEDS` only this one
//! - `--trace`: prints what happens, with the simulated time
//! - `--plant FAULT`: plants a fault, which the simulation has to find: `no-ping-timeout`, `early-ping-timeout`,
//!   `lost-output`, `swapped-echoes`, `kept-task`
//!
//! [turmoil](https://docs.rs/turmoil) runs each host on a paused clock of its own in one thread. Three clients connect to
//! a server through [`embedding_tokio`], send numbered messages of random sizes and kinds, and reconnect with
//! [`Backoff`](embedding_tokio::Backoff); the server echoes. For 20 simulated seconds the plan of the seed partitions the
//! network (in both directions or one), holds messages, slows them, crashes and restarts hosts (with and without the end
//! of their TCP connections reaching the peer), restarts the server in an orderly way, and moves a host's clock forward
//! by up to an hour. The transport also accepts and returns bytes in random portions. Then everything is repaired, and
//! each client has to finish.
//!
//! # What is checked, for each seed
//!
//! - Within a connection, messages arrive in order, complete and unchanged, none twice and none missing: on the server,
//!   and their echoes on the client. Once the network is repaired, a client that closes has received every echo.
//! - After the repair, each client exchanges a message within [`config::RECOVERY`], and no connection opened after it ends
//!   in any other way than by a clean close.
//! - A silent peer is dropped by the keepalive within its configured time, and never before: see [`checks`].
//! - Each end of a connection reports the reason that fits what happened to its peer and to the network.
//! - The buffers keep to the limits that the documentation of `Endpoint` states.
//! - At the end the server has neither tasks nor TCP connections left.
//! - A second run of the seed has the same trace: each event with its time, and each byte on the wire.
//!
//! # What is not
//!
//! The TCP of turmoil neither retransmits nor slows down: a connection whose segment was lost delivers nothing more, so
//! most partitions that lose a segment end in a missed deadline. Clocks only move forward, because tokio's do; the tests of
//! `keepalive` in the library move them backward. There are no threads, so no data races.

mod checks;
mod client;
mod config;
mod ledger;
mod link;
mod message;
mod plan;
#[allow(dead_code, reason = "the differential tests use all of it")]
#[path = "../../../tests/differential/src/random.rs"]
mod random;
mod run;
mod server;
#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::Instant;

use ledger::Tally;
use run::{Plant, run};

struct Options {
    first: u64,
    seeds: u64,
    trace: bool,
    plant: Option<Plant>,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let (mut first, mut seeds, mut trace, mut plant) = (None, None, false, None);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seed" => first = Some(args.next()?.parse().ok()?),
                "--trace" => trace = true,
                "--plant" => plant = Some(Plant::named(&args.next()?)?),
                count => seeds = Some(count.parse().ok()?),
            }
        }
        let default = if first.is_some() { 1 } else { 24 };
        Some(Self {
            first: first.unwrap_or(1),
            seeds: seeds.unwrap_or(default),
            trace,
            plant,
        })
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read(std::env::args().skip(1)) else {
        eprintln!("usage: embedding-simulation [SEEDS] [--seed N] [--trace] [--plant FAULT]");
        return ExitCode::from(2);
    };
    let (mut total, mut failed, began) = (Tally::default(), 0, Instant::now());
    for seed in options.first..options.first.saturating_add(options.seeds) {
        let first = run(seed, options.plant, options.trace);
        let second = run(seed, options.plant, false);
        if options.seeds == 1 {
            println!(
                "seed {seed}: trace {:016x}, again {:016x}",
                first.trace, second.trace
            );
        }
        let mut faults = first.faults;
        if first.trace != second.trace {
            faults.push(format!(
                "the second run has trace {:016x}, not {:016x}",
                second.trace, first.trace
            ));
        }
        for fault in &faults {
            println!("seed {seed}: {fault}");
        }
        failed += u64::from(!faults.is_empty());
        total.add(&first.tally);
    }
    print!("{total}");
    println!(
        "{} seeds, each twice, in {:.1} s",
        options.seeds,
        began.elapsed().as_secs_f32()
    );
    println!("{} passed, {failed} failed", options.seeds - failed);
    ExitCode::from(u8::from(failed > 0))
}
