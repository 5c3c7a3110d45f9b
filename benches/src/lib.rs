//! Compares the speed of `websocket-proto` with that of its peers. See README.md.

pub mod allocations;
#[cfg(feature = "compression")]
pub mod compression;
pub mod engines;
pub mod measure;
pub mod outcome;
pub mod places;
pub mod processor;
pub mod report;
pub mod rules;
pub mod scenario;
pub mod wire;
