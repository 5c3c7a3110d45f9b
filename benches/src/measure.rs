//! Measures the contestants alternately, so that other activity on the machine affects all of them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::allocations;
use crate::outcome::Check;
use crate::places::{PLACES, Place};

/// How much to measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Effort {
    /// How often all rows are measured, each time with buffers at a different place, so that neither a disturbance of a row nor the
    /// place of its buffers determines its median.
    passes: usize,
    rounds: usize,
    turn: Duration,
}

impl Effort {
    pub const FULL: Self = Self {
        passes: PLACES.len(),
        rounds: 15,
        turn: Duration::from_millis(2),
    };
    pub const SHORT: Self = Self {
        passes: 1,
        rounds: 15,
        turn: Duration::from_millis(1),
    };
    /// One checked batch each: for profilers, and to test that everything works.
    pub const ONCE: Self = Self {
        passes: 1,
        rounds: 1,
        turn: Duration::ZERO,
    };
}

/// The cost of one message for one contestant.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    pub allocations: f64,
    /// Nanoseconds, round by round.
    times: Vec<f64>,
    /// How many rounds a pass has.
    rounds: usize,
}

impl Cost {
    /// Adds the time of a round.
    pub fn push(&mut self, nanoseconds: f64) {
        self.times.push(nanoseconds);
    }

    /// The median over the rounds.
    pub fn nanoseconds(&self) -> f64 {
        let [_, median, _] = self.quartiles();
        median
    }

    /// The quartiles over the rounds.
    pub fn quartiles(&self) -> [f64; 3] {
        quartiles(self.times.iter().copied())
    }

    /// The ratio of the third quartile of a pass to the first: the median over the passes. Times of different passes also differ
    /// because of the place of the buffers, even without a disturbance.
    pub fn dispersion(&self) -> f64 {
        let of_a_pass = |pass: &[f64]| {
            let [low, _, high] = quartiles(pass.iter().copied());
            high / low
        };
        let [_, median, _] = quartiles(self.times.chunks(self.rounds.max(1)).map(of_a_pass));
        median
    }

    /// The median over the rounds of this one's time divided by the other's.
    pub fn ratio(&self, other: &Self) -> f64 {
        let [_, median, _] = quartiles(self.times.iter().zip(&other.times).map(|(a, b)| a / b));
        median
    }
}

/// How much the time of each contestant depends on the pass, and so on the place of the buffers: the median of its slowest pass
/// divided by that of its fastest. Each time is relative to the geometric mean of all in the same round, because a disturbance of a
/// round affects all of them. `None` if there was only one pass.
pub fn spreads(costs: &[&Cost]) -> Option<Vec<f64>> {
    let rounds = costs.first()?.times.len();
    let of_a_pass = costs.first()?.rounds;
    let means: Option<Vec<_>> = (0..rounds)
        .map(|round| geometric_mean(costs.iter().map(|cost| cost.times[round])))
        .collect();
    let means = means.filter(|_| rounds > of_a_pass)?;
    let spread = |cost: &&Cost| {
        let relative: Vec<_> = cost
            .times
            .iter()
            .zip(&means)
            .map(|(time, mean)| time / mean)
            .collect();
        let medians = relative
            .chunks(of_a_pass)
            .map(|pass| quartiles(pass.iter().copied())[1]);
        let [least, most] = [f64::min, f64::max].map(|choose| medians.clone().reduce(choose));
        Some(most? / least?)
    };
    costs.iter().map(spread).collect()
}

pub fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value.ln(), count + 1));
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

/// The work of one contestant.
pub trait Runner {
    /// How many messages a batch has.
    fn messages(&self) -> u64;

    /// Prepares a pass, with buffers at this place.
    fn begin(&mut self, _: Place) {}

    /// Releases what only a pass needs.
    fn end(&mut self) {}

    /// Does the work once, and panics if the result is wrong.
    fn batch(&mut self, check: Check);
}

/// Measures the rows, whose contestants take turns. In each pass, every byte is checked once before and once after the timed part.
pub fn run<R: Runner>(rows: Vec<Vec<R>>, effort: Effort) -> Vec<Vec<(R, Cost)>> {
    let mut rows: Vec<Vec<_>> = rows
        .into_iter()
        .map(|row| row.into_iter().map(|runner| Turn::new(runner, effort)).collect())
        .collect();
    let passes = if rows.is_empty() { 0 } else { effort.passes };
    for (pass, &place) in PLACES.iter().enumerate().take(passes) {
        for row in &mut rows {
            row.iter_mut().for_each(|turn| turn.begin(place, effort));
            take_turns(row, effort);
            row.iter_mut().for_each(Turn::end);
        }
        if passes > 1 {
            eprintln!("pass {} of {passes}", pass + 1);
        }
    }
    let finish = |turn: Turn<R>| (turn.runner, turn.cost);
    rows.into_iter()
        .map(|row| row.into_iter().map(finish).collect())
        .collect()
}

fn take_turns<R: Runner>(row: &mut [Turn<R>], effort: Effort) {
    for round in 0..effort.rounds {
        for turn in 0..row.len() {
            // Alternates the order, because the state of the caches after one contestant affects the next.
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
    /// The number of batches in a turn; 0 before the first pass.
    batches: u64,
    cost: Cost,
}

impl<R: Runner> Turn<R> {
    fn new(runner: R, effort: Effort) -> Self {
        Self {
            runner,
            batches: 0,
            cost: Cost {
                rounds: effort.rounds,
                ..Cost::default()
            },
        }
    }

    fn begin(&mut self, place: Place, effort: Effort) {
        self.runner.begin(place);
        self.runner.batch(Check::Thorough);
        self.runner.batch(Check::Quick);
        if self.batches == 0 {
            self.count(effort);
        }
    }

    /// Counts the allocations of a batch, and finds how many batches make a turn.
    fn count(&mut self, effort: Effort) {
        let before = allocations::calls();
        self.runner.batch(Check::Quick);
        self.cost.allocations = (allocations::calls() - before) as f64 / self.runner.messages() as f64;
        let mut batches = 0;
        let start = now();
        while now() - start < effort.turn {
            self.runner.batch(Check::Quick);
            batches += 1;
        }
        self.batches = batches.max(1);
    }

    fn take(&mut self) {
        // Not timed: otherwise the first and the last contestant, half of whose turns follow their own, would find warm caches.
        self.runner.batch(Check::Quick);
        let start = now();
        for _ in 0..self.batches {
            self.runner.batch(Check::Quick);
        }
        let messages = self.batches * self.runner.messages();
        self.cost
            .times
            .push((now() - start).as_nanos() as f64 / messages as f64);
    }

    fn end(&mut self) {
        self.runner.batch(Check::Thorough);
        self.runner.end();
    }
}

/// The clock of this thread, which does not advance while another thread uses the core.
fn now() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("the clock began at 0")
}

fn quartiles(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
