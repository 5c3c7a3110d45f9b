//! The contestants.

mod bound;
mod buffered;
mod endpoint;
mod held;
mod ours;
#[cfg(feature = "peers")]
mod peers;

use std::any::Any;

use crate::allocations;
use crate::measure::Runner;
use crate::outcome::{Check, Outcome};
use crate::places::{PLACES, Place};
use crate::rules::Rule;
use crate::scenario::{Message, Scenario, Work};
use crate::wire::{Input, Role};

/// A contestant of the benchmarks.
pub struct Contestant {
    pub name: &'static str,
    pub side: Side,
    /// Creates a connection with its buffers.
    pub connect: fn(Role) -> Box<dyn Engine>,
    /// The opening handshake of a server, from the request in one read to the connection, which is dropped.
    pub accept: Option<fn(&'static [u8], &mut Outcome)>,
    /// The rules that the contestant breaks, which saves it time.
    pub breaks: &'static [Rule],
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    Ours,
    /// Ours with `Delivery::InPlace`, which differs only in receiving.
    OursHeld,
    /// Ours as an endpoint.
    OursEndpoint,
    /// Ours with what an endpoint adds, in the smallest loop.
    OursBuffered,
    /// Ours, compiled a second time.
    OursAgain,
    /// Ours with keys from `rand`, which differs only in sending as a client.
    OursRand,
    Peer,
    /// Not an implementation: the work that none can avoid.
    Bound,
}

/// The size from which payloads are written without a copy, by contestants that support it.
const LARGE: usize = 4 * 1024;

/// The others are compared with the first one.
pub fn all() -> Vec<Contestant> {
    let mut all = vec![
        ours::CONTESTANT,
        held::CONTESTANT,
        endpoint::CONTESTANT,
        buffered::CONTESTANT,
        ours::AGAIN,
    ];
    #[cfg(feature = "peers")]
    {
        all.push(ours::RAND);
        all.extend(peers::all());
    }
    all.push(bound::CONTESTANT);
    all
}

impl Contestant {
    pub fn takes(&self, scenario: &Scenario) -> bool {
        match (self.side, scenario.work) {
            (_, Work::Accept { .. }) => self.accept.is_some(),
            (Side::OursHeld, Work::Send { .. }) => false,
            (Side::OursRand, Work::Send { .. }) => scenario.role == Role::Client,
            (Side::OursRand, _) => false,
            _ => true,
        }
    }

    /// Whether the contestant does all of the row's work as RFC 6455 requires.
    pub fn keeps_rules(&self, scenario: &Scenario) -> bool {
        !self.breaks.iter().any(|rule| rule.concerns(scenario))
    }
}

/// One connection, used as its documentation advises.
pub trait Engine {
    /// Copies each read into its buffer and receives all messages in it. If `echo`, sends each message back.
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome);

    /// Sends the message `times` times, with a write for every 64 KiB and at the end.
    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome);

    /// The part that each connection holds while idle, without what all connections of a thread may share.
    fn idle(self: Box<Self>) -> Box<dyn Any>;
}

/// A contestant at one row of the table.
pub struct Run<'a> {
    contestant: &'a Contestant,
    scenario: &'a Scenario,
    place: Place,
    /// Present during a pass.
    engine: Option<Box<dyn Engine>>,
}

impl<'a> Run<'a> {
    pub fn new(contestant: &'a Contestant, scenario: &'a Scenario) -> Self {
        Self {
            contestant,
            scenario,
            place: PLACES[0],
            engine: None,
        }
    }
}

impl Runner for Run<'_> {
    fn messages(&self) -> u64 {
        self.scenario.messages
    }

    /// Creates a connection and runs it until all of its buffers are allocated at the given place.
    fn begin(&mut self, place: Place) {
        self.place = place;
        let connect = || (self.contestant.connect)(self.scenario.role);
        if let Work::Accept { .. } = self.scenario.work {
            // The buffers, which all connections of a thread share, are not placed.
            self.engine = Some(connect());
            return;
        }
        allocations::at(place.destination, || {
            self.engine = Some(connect());
            self.batch(Check::Quick);
            self.batch(Check::Quick);
        });
    }

    fn end(&mut self) {
        self.engine = None;
    }

    fn batch(&mut self, check: Check) {
        let mut outcome = Outcome::new(check);
        let engine = self.engine.as_mut().expect("a pass has begun");
        let offset = self.place.source;
        match self.scenario.work {
            Work::Receive(source) => engine.receive(source.at(offset), false, &mut outcome),
            Work::Echo(source) => engine.receive(source.at(offset), true, &mut outcome),
            Work::Send { kind, payload, times } => {
                let payload = payload.at(offset);
                engine.send(Message { kind, payload }, times, &mut outcome);
            }
            Work::Accept { request, times } => {
                let accept = self.contestant.accept.expect("a contestant of this row");
                (0..times).for_each(|_| accept(request, &mut outcome));
            }
        }
        if self.contestant.side != Side::Bound {
            self.scenario.expected.check(self.contestant.name, &outcome);
        }
    }
}
