//! Takes the times: in turns, so that whatever else the machine does meets every contestant.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::allocations;
use crate::outcome::Check;

/// How long to look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Effort {
    /// How often all rows are gone through, so that what disturbs a row meets it once and not the next time.
    passes: usize,
    rounds: usize,
    turn: Duration,
}

impl Effort {
    pub const FULL: Self = Self {
        passes: 7,
        rounds: 15,
        turn: Duration::from_millis(2),
    };
    pub const SHORT: Self = Self {
        passes: 1,
        rounds: 15,
        turn: Duration::from_millis(1),
    };
    /// One batch each, checked: for profilers, and to see that everything works.
    pub const ONCE: Self = Self {
        passes: 1,
        rounds: 1,
        turn: Duration::ZERO,
    };
}

/// What one contestant took for one message.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    pub allocations: f64,
    /// Nanoseconds, round by round.
    times: Vec<f64>,
}

impl Cost {
    /// A round.
    pub fn push(&mut self, nanoseconds: f64) {
        self.times.push(nanoseconds);
    }

    /// The median over the rounds.
    pub fn nanoseconds(&self) -> f64 {
        let [_, median, _] = self.quartiles();
        median
    }

    /// A quarter of the rounds took at most the first, half the second, three quarters the third.
    pub fn quartiles(&self) -> [f64; 3] {
        quartiles(self.times.iter().copied())
    }

    /// This one's time by the other's, each round by itself, and of that the median.
    pub fn ratio(&self, other: &Self) -> f64 {
        let [_, median, _] = quartiles(self.times.iter().zip(&other.times).map(|(a, b)| a / b));
        median
    }
}

/// One contestant at one piece of work.
pub trait Runner {
    /// How many messages a batch has.
    fn messages(&self) -> u64;

    /// Does the work once, and panics if the result is wrong.
    fn batch(&mut self, check: Check);
}

/// Those that take turns at one row: checks each byte once, warms up, finds how many batches make a turn, takes the times, and checks
/// each byte again.
pub fn run<R: Runner>(rows: Vec<Vec<R>>, effort: Effort) -> Vec<Vec<(R, Cost)>> {
    let mut rows: Vec<Vec<_>> = rows
        .into_iter()
        .map(|row| row.into_iter().map(|runner| Turn::new(runner, effort)).collect())
        .collect();
    let passes = if rows.is_empty() { 0 } else { effort.passes };
    for pass in 1..=passes {
        rows.iter_mut().for_each(|row| take_turns(row, effort));
        if passes > 1 {
            eprintln!("pass {pass} of {passes}");
        }
    }
    let finish = |row: Vec<Turn<R>>| row.into_iter().map(Turn::finish).collect();
    rows.into_iter().map(finish).collect()
}

fn take_turns<R: Runner>(row: &mut [Turn<R>], effort: Effort) {
    row.iter_mut().for_each(|turn| turn.runner.batch(Check::Quick));
    for round in 0..effort.rounds {
        for turn in 0..row.len() {
            // There and back, as what one leaves in the caches meets the next.
            let index = if round % 2 == 0 {
                turn
            } else {
                row.len() - 1 - turn
            };
            row[index].take();
        }
    }
}

struct Turn<R> {
    runner: R,
    batches: u64,
    cost: Cost,
}

impl<R: Runner> Turn<R> {
    fn new(mut runner: R, effort: Effort) -> Self {
        runner.batch(Check::Thorough);
        runner.batch(Check::Quick);
        let before = allocations::calls();
        runner.batch(Check::Quick);
        let allocations = (allocations::calls() - before) as f64 / runner.messages() as f64;
        let mut batches = 0;
        let start = now();
        while now() - start < effort.turn {
            runner.batch(Check::Quick);
            batches += 1;
        }
        let batches = batches.max(1);
        let times = Vec::new();
        Self {
            runner,
            batches,
            cost: Cost { allocations, times },
        }
    }

    fn finish(mut self) -> (R, Cost) {
        self.runner.batch(Check::Thorough);
        (self.runner, self.cost)
    }

    fn take(&mut self) {
        let start = now();
        for _ in 0..self.batches {
            self.runner.batch(Check::Quick);
        }
        let messages = self.batches * self.runner.messages();
        self.cost
            .times
            .push((now() - start).as_nanos() as f64 / messages as f64);
    }
}

/// By the clock of this thread, which stands while another one has the core.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("the clock began at 0")
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
