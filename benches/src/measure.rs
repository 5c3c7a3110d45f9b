//! Takes the times: in turns, so that whatever else the machine does meets every contestant.

use std::time::{Duration, Instant};

use crate::allocations;
use crate::outcome::Check;

/// How long to look.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    rounds: usize,
    turn: Duration,
}

impl Effort {
    pub const FULL: Self = Self {
        rounds: 101,
        turn: Duration::from_millis(2),
    };
    pub const SHORT: Self = Self {
        rounds: 15,
        turn: Duration::from_millis(1),
    };
    /// One batch each, checked: for profilers, and to see that everything works.
    pub const ONCE: Self = Self {
        rounds: 1,
        turn: Duration::ZERO,
    };
}

/// What one contestant took for one message.
#[derive(Clone, Debug)]
pub struct Cost {
    pub allocations: f64,
    /// Nanoseconds, round by round.
    times: Vec<f64>,
}

impl Cost {
    /// The median over the rounds.
    pub fn nanoseconds(&self) -> f64 {
        median(self.times.iter().copied())
    }

    /// This one's time by the other's, each round by itself, and of that the median.
    pub fn ratio(&self, other: &Self) -> f64 {
        median(self.times.iter().zip(&other.times).map(|(a, b)| a / b))
    }
}

/// One contestant at one piece of work.
pub trait Runner {
    /// How many messages a batch has.
    fn messages(&self) -> u64;

    /// Does the work once, and panics if the result is wrong.
    fn batch(&mut self, check: Check);
}

/// Checks each byte once, warms up, finds how many batches make a turn, takes the times, and checks each byte again.
pub fn run<R: Runner>(runners: &mut [R], effort: Effort) -> Vec<Cost> {
    let mut turns: Vec<_> = runners
        .iter_mut()
        .map(|runner| Turn::new(runner, effort))
        .collect();
    for round in 0..effort.rounds {
        for turn in 0..turns.len() {
            // There and back, as what one leaves in the caches meets the next.
            let index = if round % 2 == 0 {
                turn
            } else {
                turns.len() - 1 - turn
            };
            turns[index].take();
        }
    }
    let costs = turns.into_iter().map(|turn| {
        turn.runner.batch(Check::Thorough);
        turn.cost
    });
    costs.collect()
}

struct Turn<'a, R> {
    runner: &'a mut R,
    batches: u64,
    cost: Cost,
}

impl<'a, R: Runner> Turn<'a, R> {
    fn new(runner: &'a mut R, effort: Effort) -> Self {
        runner.batch(Check::Thorough);
        runner.batch(Check::Quick);
        let before = allocations::calls();
        runner.batch(Check::Quick);
        let allocations = (allocations::calls() - before) as f64 / runner.messages() as f64;
        let mut batches = 0;
        let start = Instant::now();
        while start.elapsed() < effort.turn {
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

    fn take(&mut self) {
        let start = Instant::now();
        for _ in 0..self.batches {
            self.runner.batch(Check::Quick);
        }
        let messages = self.batches * self.runner.messages();
        self.cost
            .times
            .push(start.elapsed().as_nanos() as f64 / messages as f64);
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
