//! State shared by all threads of a run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// How many failures are printed; all are counted.
const SHOWN: usize = 10;

/// The stage of a run.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Stage {
    /// All clients continue.
    Misbehave,
    /// Well-behaved clients continue; misbehaving peers end.
    Settle,
    /// Well-behaved clients send a last time, receive everything that is due, and leave.
    Finish,
}

pub struct Run {
    stage: AtomicU8,
    pub counts: Counts,
    failures: Mutex<Vec<String>>,
}

/// What the well-behaved clients did.
#[derive(Default)]
pub struct Counts {
    compared: AtomicU64,
    bytes: AtomicU64,
    closed: AtomicU64,
    /// In microseconds.
    slowest: AtomicU64,
}

impl Run {
    pub fn new() -> Self {
        Self {
            stage: AtomicU8::new(Stage::Misbehave as u8),
            counts: Counts::default(),
            failures: Mutex::new(Vec::new()),
        }
    }

    pub fn stage(&self) -> Stage {
        match self.stage.load(Ordering::SeqCst) {
            0 => Stage::Misbehave,
            1 => Stage::Settle,
            _ => Stage::Finish,
        }
    }

    /// Enters a stage. Does not return to an earlier one.
    pub fn enter(&self, stage: Stage) {
        self.stage.fetch_max(stage as u8, Ordering::SeqCst);
    }

    /// Records a failure, after which the run ends.
    pub fn fail(&self, failure: String) {
        let mut failures = self.failures.lock().unwrap();
        failures.push(failure);
        // The first failures are the most informative.
        if let Some(failure) = failures.last().filter(|_| failures.len() <= SHOWN) {
            println!("FAILURE: {failure}");
        }
        self.enter(Stage::Finish);
    }

    pub fn has_failed(&self) -> bool {
        self.failures() > 0
    }

    pub fn failures(&self) -> usize {
        self.failures.lock().unwrap().len()
    }
}

impl Counts {
    /// Counts a message that arrived as expected.
    pub fn compared(&self, bytes: usize) {
        self.compared.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A connection ended cleanly.
    pub fn closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    /// Records how long a reply took.
    pub fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} messages of {} MiB in total compared, {} connections closed cleanly, the slowest reply after {:.3} s",
            value(&self.compared),
            value(&self.bytes) >> 20,
            value(&self.closed),
            value(&self.slowest) as f64 / 1e6
        )
    }
}
