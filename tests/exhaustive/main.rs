//! Small spaces, gone through completely, each against an oracle that shares no code with the crate. Every test prints what it
//! went through.
//!
//! There are three forms, so that each place has the one that it has time for:
//!
//! - `cargo test`, without optimization: the edges of each space.
//! - `tests/exhaustive/run`, in seconds: all of the spaces that are small, and a stated part of the others.
//! - `tests/exhaustive/run --all`, in minutes: all of each.

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

/// How much is gone through.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Form {
    Edges,
    Short,
    All,
}

fn form() -> Form {
    if std::env::var("EXHAUSTIVE").is_ok_and(|form| form == "all") {
        Form::All
    } else if cfg!(debug_assertions) {
        Form::Edges
    } else {
        Form::Short
    }
}

/// Goes through a space, and prints what `go` says of it. Not by `println`, which the test harness would keep to itself.
fn count(name: &str, go: impl FnOnce(Form) -> String) {
    let (form, start) = (form(), Instant::now());
    let counts = go(form);
    let line = format!(
        "{name}: {counts} ({form:?}, {:.1} s)\n",
        start.elapsed().as_secs_f32()
    );
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
