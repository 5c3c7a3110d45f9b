//! Takes the times: in turns, so that whatever else the machine does meets every contestant.

use std::time::{Duration, Instant};

use crate::allocations;
use crate::engines::{Contestant, Engine};
use crate::outcome::Check;
use crate::scenario::Scenario;

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
    /// The median over the rounds.
    pub nanoseconds: f64,
    /// The first contestant's time by this one's, each round by itself, and of that the median.
    pub ratio: f64,
    pub allocations: f64,
}

/// Runs one scenario with every contestant.
pub fn run(scenario: &Scenario, contestants: &[Contestant], effort: Effort) -> Vec<Cost> {
    let mut runners: Vec<_> = contestants
        .iter()
        .map(|c| Runner::new(c, scenario, effort))
        .collect();
    let mut times = vec![Vec::new(); runners.len()];
    for round in 0..effort.rounds {
        for turn in 0..runners.len() {
            // There and back, as what one leaves in the caches meets the next.
            let index = if round % 2 == 0 {
                turn
            } else {
                runners.len() - 1 - turn
            };
            times[index].push(runners[index].turn());
        }
    }
    let ratio = |index: usize| median(times[0].iter().zip(&times[index]).map(|(a, b)| a / b));
    let costs = runners.iter().enumerate().map(|(index, runner)| Cost {
        nanoseconds: median(times[index].iter().copied()),
        ratio: ratio(index),
        allocations: runner.allocations,
    });
    costs.collect()
}

struct Runner<'a> {
    name: &'static str,
    engine: Box<dyn Engine>,
    scenario: &'a Scenario,
    verified: bool,
    batches: u64,
    allocations: f64,
}

impl<'a> Runner<'a> {
    /// Connects, checks each byte once, warms up, and finds how many batches make a turn.
    fn new(contestant: &Contestant, scenario: &'a Scenario, effort: Effort) -> Self {
        let mut runner = Self {
            name: contestant.name,
            engine: (contestant.connect)(scenario.role),
            scenario,
            verified: contestant.verified,
            batches: 1,
            allocations: 0.0,
        };
        runner.batch(Check::Thorough);
        runner.batch(Check::Quick);
        let before = allocations::calls();
        runner.batch(Check::Quick);
        runner.allocations = (allocations::calls() - before) as f64 / scenario.messages as f64;
        let start = Instant::now();
        while start.elapsed() < effort.turn {
            runner.batch(Check::Quick);
            runner.batches += 1;
        }
        runner
    }

    fn batch(&mut self, check: Check) {
        let outcome = self.engine.run(self.scenario.work, check);
        if self.verified {
            self.scenario.expected.check(self.name, &outcome);
        }
    }

    /// Nanoseconds a message.
    fn turn(&mut self) -> f64 {
        let start = Instant::now();
        for _ in 0..self.batches {
            self.batch(Check::Quick);
        }
        start.elapsed().as_nanos() as f64 / (self.batches * self.scenario.messages) as f64
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
