//! Searches small spaces completely and compares every result with an oracle that shares no code with the crate. Every test
//! prints what it covered.
//!
//! There are three forms, which take different amounts of time:
//!
//! - `cargo test`, without optimization: the edges of each space.
//! - `tests/exhaustive/run`, in seconds: the small spaces completely, and a defined part of the others.
//! - `tests/exhaustive/run --all`, in minutes: every space completely.

#[cfg(feature = "alloc")]
mod closes;
#[cfg(feature = "alloc")]
#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "alloc")]
mod connections;
#[cfg(feature = "alloc")]
mod endpoints;
#[cfg(feature = "alloc")]
mod headers;
mod masks;
#[cfg(feature = "alloc")]
mod search;
mod texts;

use std::io::Write as _;
use std::time::Instant;

/// How much of each space is searched.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Form {
    Edges,
    Short,
    All,
}

fn form() -> Form {
    match std::env::var("EXHAUSTIVE").as_deref() {
        Ok("all") => Form::All,
        Ok("short") => Form::Short,
        _ if cfg!(debug_assertions) => Form::Edges,
        _ => Form::Short,
    }
}

/// Searches a space with `go` and prints the result. Does not use `println`, whose output the test harness captures.
fn count(name: &str, go: impl FnOnce(Form) -> String) {
    let (form, start) = (form(), Instant::now());
    let counts = go(form);
    let line = format!(
        "{name}: {counts} ({form:?}, {:.1} s)\n",
        start.elapsed().as_secs_f32()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
