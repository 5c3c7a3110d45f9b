//! The programs of this package, run as a user runs them, on the loopback interface.
//!
//! If the variable `PEERS` names a folder, the tests run the programs in it: those of `tests/programs`, which have the same
//! duties, and are written with other libraries. `tests/programs/run` does so, and prints which duties they fulfill.
#![cfg(all(feature = "axum", feature = "tls"))]

mod echo;
mod feed;
mod room;
mod support;
mod tunnel;
