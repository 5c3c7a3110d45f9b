//! Tests the room over three processes, with many members in this one: compares every message that each receives.
//!
//!     embedding-cluster-test [CLIENTS] [--plot FILE]
//!
//! `tests/embeddings/cluster` runs it. It starts `redis-server` and the servers, kills and pauses them, and prints a line
//! for each case. `--plot` instead measures the time of a broadcast with 30 to CLIENTS members, and draws it.

mod cases;
mod member;
mod plot;
mod processes;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cases::Test;

pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let (mut clients, mut plot) = (90, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--plot" => plot = args.next(),
            count => clients = count.parse().unwrap_or(clients),
        }
    }
    let began = Instant::now();
    let done = match &plot {
        Some(file) => plot::measure(clients, file).await.map(|()| 0),
        None => run(clients).await,
    };
    println!("{clients} clients in {:.1} s", began.elapsed().as_secs_f32());
    match done {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            println!("FAIL cluster         {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all cases, and returns how many failed.
async fn run(clients: usize) -> Result<usize> {
    let mut test = Test::start().await?;
    let mut failed = 0;
    macro_rules! case {
        ($name:expr, $case:expr) => {
            let result = $case.await;
            // What members noticed explains what they did not receive.
            let result = test.violations().and(result);
            match result {
                Ok(figures) => println!("ok   cluster         {}{figures}", $name),
                Err(error) => {
                    failed += 1;
                    println!("FAIL cluster         {}: {error}", $name);
                }
            }
        };
    }
    test.join(9).await?;
    case!(
        "a member that does not read is closed with 1013",
        test.slow_member()
    );
    case!(
        "a paused process reports its lag, and loses nothing",
        test.paused()
    );
    case!(
        "a process paused for too long is dropped by Redis, and says what it missed",
        test.paused_too_long()
    );
    test.join(clients).await?;
    case!("every member receives every message, in order", test.broadcast());
    case!(
        "a process that is killed loses its own connections",
        test.killed_process()
    );
    case!("every member receives every message after that", test.broadcast());
    case!(
        "Redis killed and restarted: no connection is lost",
        test.killed_redis()
    );
    case!("every member receives every message after that", test.broadcast());
    Ok(failed)
}

/// Waits until something holds, and fails with what `what` returns if it takes too long.
pub async fn until(limit: Duration, mut holds: impl FnMut() -> bool, what: impl Fn() -> String) -> Result {
    let began = Instant::now();
    while !holds() {
        if began.elapsed() > limit {
            return Err(what().into());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(())
}
