//! A soak test: two servers with well-behaved clients, whose messages are all compared, and misbehaving peers. See `run`.

mod chat;
mod client;
mod echo;
mod mischief;
mod peer;
mod plot;
#[allow(dead_code, reason = "the differential tests use all of it")]
#[path = "../../differential/src/random.rs"]
mod random;
mod run;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs};

use client::PATIENCE;
use mischief::{Kind, Tally};
use random::Random;
use run::{Run, Stage};
use server::{Sample, Server};

/// How much a server's memory may grow from the second quarter of the run to the last.
const GROWTH_KIB: u64 = 4 * 1024;

/// In a shorter run, memory has not yet reached its steady state.
const SETTLED: Duration = Duration::from_secs(600);

struct Options {
    folder: PathBuf,
    time: Duration,
    seed: u64,
    clients: usize,
    bad: usize,
    svg: Option<PathBuf>,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let mut options = Self {
            folder: args.next()?.into(),
            time: Duration::from_secs(60),
            seed: clock.as_micros() as u64 % 1_000_000,
            clients: 100,
            bad: 12,
            svg: None,
        };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--seed" => options.seed = args.next()?.parse().ok()?,
                "--clients" => options.clients = args.next()?.parse().ok()?,
                "--bad" => options.bad = args.next()?.parse().ok()?,
                "--svg" => options.svg = Some(args.next()?.into()),
                seconds => options.time = Duration::from_secs(seconds.parse().ok()?),
            }
        }
        Some(options)
    }
}

fn main() -> ExitCode {
    let Some(options) = Options::read(env::args().skip(1)) else {
        eprintln!("usage: tests/soak/run [SECONDS] [--seed N] [--clients N] [--bad N] [--svg FILE]");
        return ExitCode::from(2);
    };
    println!(
        "soak: seed {}, {} s, {} clients and {} misbehaving peers for each server",
        options.seed,
        options.time.as_secs(),
        options.clients,
        options.bad
    );
    match soak(&options) {
        Ok(0) => {
            println!("soak: ok, seed {}", options.seed);
            ExitCode::SUCCESS
        }
        Ok(failures) => {
            println!("soak: {failures} FAILURES, seed {}", options.seed);
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the soak test. Returns the number of failures.
fn soak(options: &Options) -> Result<usize, String> {
    let limit = mischief::ECHO_LIMIT.to_string();
    let echo = Server::start(&options.folder, "echo_server", &["--max-message", &limit])?;
    let chat = Server::start(&options.folder, "chat", &["--ping-seconds", "10"])?;
    let mut servers = [echo, chat];
    let mut baselines = Vec::new();
    for server in &mut servers {
        baselines.push(server.sample()?);
    }
    let (run, tallies) = (Run::new(), [Tally::default(), Tally::default()]);
    have_all_live(options, &mut servers, &run, &tallies)?;
    for (server, baseline) in servers.iter_mut().zip(&baselines) {
        settle(&run, server, baseline)?;
    }
    for (server, tally) in servers.iter().zip(&tallies) {
        report(&run, options, server, tally);
    }
    println!("\n{}", run.counts);
    if let Some(path) = &options.svg {
        fs::write(path, plot::svg(&servers)).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(run.failures())
}

/// Runs all clients and peers until they have ended.
fn have_all_live(
    options: &Options,
    servers: &mut [Server; 2],
    run: &Run,
    tallies: &[Tally; 2],
) -> Result<(), String> {
    let room = chat::Room::new(options.clients);
    let [echo, chat] = [servers[0].address, servers[1].address];
    let mut seeds = Random::new(options.seed);
    let mut next = || Random::new(seeds.number());
    let told = |name: String, result: Result<(), String>| {
        if let Err(error) = result {
            run.fail(format!("{name}: {error}"));
        }
    };
    thread::scope(|scope| {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for place in 0..options.clients {
            let (first, second, room) = (next(), next(), &room);
            good.push(
                scope.spawn(move || told(format!("echo client {place}"), echo::live(run, echo, first))),
            );
            good.push(scope.spawn(move || {
                told(
                    format!("chat client {place}"),
                    chat::live(run, room, place, chat, second),
                )
            }));
        }
        for place in 0..options.bad {
            for (kind, address, tally) in [(Kind::Echo, echo, &tallies[0]), (Kind::Chat, chat, &tallies[1])] {
                let random = next();
                bad.push(scope.spawn(move || {
                    told(
                        format!("{kind:?} {place}"),
                        mischief::live(run, tally, kind, address, random),
                    );
                }));
            }
        }
        let end = Instant::now() + options.time;
        let sampled = sample_while(servers, || {
            Instant::now() < end && run.stage() == Stage::Misbehave
        })
        .and_then(|()| {
            run.enter(Stage::Settle);
            sample_while(servers, || are_running(&bad))
        })
        .and_then(|()| {
            run.enter(Stage::Finish);
            sample_while(servers, || are_running(&good))
        });
        if sampled.is_err() {
            run.fail(String::from("a server has ended"));
        }
        sampled
    })
}

fn are_running(threads: &[ScopedJoinHandle<'_, ()>]) -> bool {
    threads.iter().any(|thread| !thread.is_finished())
}

fn sample_while(servers: &mut [Server], mut is_on: impl FnMut() -> bool) -> Result<(), String> {
    while is_on() {
        for server in &mut *servers {
            server.sample()?;
        }
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// Asserts that everything is closed and nothing is left.
fn settle(run: &Run, server: &mut Server, baseline: &Sample) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    let is_settled =
        |now: &Sample| now.threads == baseline.threads && now.descriptors == baseline.descriptors;
    while !is_settled(&server.sample()?) && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
    let now = server.sample()?;
    println!(
        "\n{}: {} threads and {} descriptors before, {} and {} at the end",
        server.name, baseline.threads, baseline.descriptors, now.threads, now.descriptors
    );
    if !is_settled(&now) {
        run.fail(format!("{}: threads or descriptors are left", server.name));
    }
    for panic in server.panics() {
        run.fail(format!("{}: {panic}", server.name));
    }
    Ok(())
}

/// Prints the figures of a server, and checks that its memory does not grow.
fn report(run: &Run, options: &Options, server: &Server, tally: &Tally) {
    println!("\n{}, in tenths of the time:", server.name);
    println!(
        "{:>9} {:>11} {:>11} {:>8} {:>11}",
        "until", "connections", "memory", "threads", "descriptors"
    );
    for tenth in 0..10 {
        let part = part(server, options.time * tenth / 10, options.time * (tenth + 1) / 10);
        let Some(last) = part.last() else { continue };
        let most = |value: fn(&Sample) -> u64| part.iter().map(value).max().unwrap_or(0);
        println!(
            "{:>7.0} s {:>11} {:>7.2} MiB {:>8} {:>11}",
            last.at.as_secs_f64(),
            last.ended,
            memory(&part) as f64 / 1024.0,
            most(|sample| sample.threads),
            most(|sample| sample.descriptors)
        );
    }
    println!("{}: {} misdeeds", server.name, tally.total());
    for (count, name) in tally.lines() {
        println!("{count:>8} {name}");
    }
    let quarter = |at: u32| part(server, options.time * at / 4, options.time * (at + 1) / 4);
    let (second, last) = (quarter(1), quarter(3));
    let (before, after) = (memory(&second), memory(&last));
    let ended = |part: &[Sample]| part.get(part.len() / 2).map_or(0, |sample| sample.ended);
    let connections = ended(&last).saturating_sub(ended(&second)).max(1);
    let growth = after.saturating_sub(before);
    println!(
        "{}: from the second quarter to the last, memory went from {before} to {after} KiB over {connections} connections, \
         {} bytes for each",
        server.name,
        growth * 1024 / connections
    );
    // A run that was ended early has no last quarter.
    if growth > GROWTH_KIB && options.time >= SETTLED && !run.has_failed() {
        run.fail(format!(
            "{}: memory grew by {growth} KiB, more than the {GROWTH_KIB} KiB allowed",
            server.name
        ));
    }
}

fn part(server: &Server, from: Duration, to: Duration) -> Vec<Sample> {
    let samples = server.samples().iter();
    samples
        .filter(|sample| (from..to).contains(&sample.at))
        .copied()
        .collect()
}

/// The median: a flood affects a few samples, and a leak affects all.
fn memory(part: &[Sample]) -> u64 {
    let mut memory: Vec<u64> = part.iter().map(|sample| sample.memory).collect();
    memory.sort_unstable();
    memory.get(memory.len() / 2).copied().unwrap_or(0)
}
