//! The contestants.

mod bound;
mod endpoint;
mod held;
mod ours;
#[cfg(feature = "peers")]
mod peers;

use std::any::Any;

use crate::measure::Runner;
use crate::outcome::{Check, Outcome};
use crate::scenario::{Message, Scenario, Work};
use crate::wire::{Role, Wire};

/// Who takes part, and how.
pub struct Contestant {
    pub name: &'static str,
    pub side: Side,
    /// A connection, with the buffers that go with it.
    pub connect: fn(Role) -> Box<dyn Engine>,
    /// The opening handshake of a server, from the request in one read to a connection, which is dropped.
    pub accept: Option<fn(&'static [u8], &mut Outcome)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    Ours,
    /// Ours in another way, which differs in receiving alone.
    OursHeld,
    /// Ours as an endpoint.
    OursEndpoint,
    Peer,
    /// No implementation: what none gets around.
    Bound,
}

/// From this size on a payload is not copied to be gathered with others, by whoever can write it from where it is.
const LARGE: usize = 4 * 1024;

/// The first one is what the others are compared with.
pub fn all() -> Vec<Contestant> {
    let mut all = vec![ours::CONTESTANT, held::CONTESTANT, endpoint::CONTESTANT];
    #[cfg(feature = "peers")]
    all.extend(peers::all());
    all.push(bound::CONTESTANT);
    all
}

impl Contestant {
    pub fn takes(&self, work: Work) -> bool {
        match (self.side, work) {
            (_, Work::Accept { .. }) => self.accept.is_some(),
            (Side::OursHeld, Work::Send { .. }) => false,
            _ => true,
        }
    }
}

/// One connection, used as its documentation advises.
pub trait Engine {
    /// Copies each read into its buffer and takes all messages in it; if `echo`, sends each one back.
    fn receive(&mut self, wire: &'static Wire, echo: bool, outcome: &mut Outcome);

    /// Sends the message so many times, with a write whenever 64 KiB have come together and at the end.
    fn send(&mut self, message: &'static Message, times: u64, outcome: &mut Outcome);

    /// What of it each connection has for its own, without what all of a thread may share.
    fn idle(self: Box<Self>) -> Box<dyn Any>;
}

/// A contestant at one row of the table.
pub struct Run<'a> {
    contestant: &'a Contestant,
    engine: Box<dyn Engine>,
    scenario: &'a Scenario,
}

impl<'a> Run<'a> {
    pub fn new(contestant: &'a Contestant, scenario: &'a Scenario) -> Self {
        Self {
            contestant,
            engine: (contestant.connect)(scenario.role),
            scenario,
        }
    }
}

impl Runner for Run<'_> {
    fn messages(&self) -> u64 {
        self.scenario.messages
    }

    fn batch(&mut self, check: Check) {
        let mut outcome = Outcome::new(check);
        match self.scenario.work {
            Work::Receive(wire) => self.engine.receive(wire, false, &mut outcome),
            Work::Echo(wire) => self.engine.receive(wire, true, &mut outcome),
            Work::Send { message, times } => self.engine.send(message, times, &mut outcome),
            Work::Accept { request, times } => {
                let accept = self.contestant.accept.expect("it takes part");
                (0..times).for_each(|_| accept(request, &mut outcome));
            }
        }
        if self.contestant.side != Side::Bound {
            self.scenario.expected.check(self.contestant.name, &outcome);
        }
    }
}
