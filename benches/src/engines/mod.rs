//! The contestants. A new one is a file here and a line in [`all`].

mod bound;
mod held;
mod ours;
mod tungstenite;

use std::any::Any;
use std::sync::LazyLock;

use crate::measure::Runner;
use crate::outcome::{Check, Kind, Outcome};
use crate::scenario::{Message, Scenario, Work};
use crate::wire::{Role, Wire};

/// Who takes part, and how.
pub struct Contestant {
    pub name: &'static str,
    /// A connection, with the buffers that go with it.
    pub connect: fn(Role) -> Box<dyn Engine>,
    /// A connection that has received and echoed [`hello`], without what connections of a thread share.
    pub idle: Option<fn() -> Box<dyn Any>>,
    /// Whether it does all the work, so that the results count.
    pub verified: bool,
}

/// The first one is what the others are compared with.
pub fn all() -> Vec<Contestant> {
    vec![
        ours::CONTESTANT,
        held::CONTESTANT,
        tungstenite::CONTESTANT,
        bound::CONTESTANT,
    ]
}

/// One connection, used as its documentation advises.
pub trait Engine {
    /// Copies each read into its buffer and takes all messages in it; if `echo`, sends each one back.
    fn receive(&mut self, wire: &'static Wire, echo: bool, outcome: &mut Outcome);

    /// Sends the message so many times, with a write whenever 64 KiB have come together and at the end.
    fn send(&mut self, message: &'static Message, times: u64, outcome: &mut Outcome);

    fn run(&mut self, work: Work, check: Check) -> Outcome {
        let mut outcome = Outcome::new(check);
        match work {
            Work::Receive(wire) => self.receive(wire, false, &mut outcome),
            Work::Echo(wire) => self.receive(wire, true, &mut outcome),
            Work::Send { message, times } => self.send(message, times, &mut outcome),
        }
        outcome
    }
}

/// A contestant at one row of the table.
pub struct Run<'a> {
    name: &'static str,
    engine: Box<dyn Engine>,
    scenario: &'a Scenario,
    verified: bool,
}

impl<'a> Run<'a> {
    pub fn new(contestant: &Contestant, scenario: &'a Scenario) -> Self {
        Self {
            name: contestant.name,
            engine: (contestant.connect)(scenario.role),
            scenario,
            verified: contestant.verified,
        }
    }
}

impl Runner for Run<'_> {
    fn messages(&self) -> u64 {
        self.scenario.messages
    }

    fn batch(&mut self, check: Check) {
        let outcome = self.engine.run(self.scenario.work, check);
        if self.verified {
            self.scenario.expected.check(self.name, &outcome);
        }
    }
}

/// A masked text message.
pub fn hello() -> &'static Wire {
    static HELLO: LazyLock<Wire> = LazyLock::new(|| {
        let mut wire = Wire::to(Role::Server);
        wire.message(Kind::Text, &[b'a'; 125], 125);
        wire
    });
    &HELLO
}
