//! What the hosts of a simulation report: the trace, what violates a property, and counts.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::rc::Rc;
use std::time::Duration;

use embedding_tokio::websocket_proto::Role;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::{CLIENTS, RECOVERY};
use crate::message::Id;
use crate::plan::{Host, Plan};
use crate::random::Random;

pub type Shared = Rc<RefCell<Ledger>>;

/// All hosts share it: a simulation has one thread, and it is not borrowed across an await.
pub struct Ledger {
    pub seed: u64,
    pub plan: Plan,
    pub random: Random,
    /// The simulated time, which is that of no host.
    pub now: Duration,
    /// When the network and all hosts were repaired.
    pub repaired: Option<Duration>,
    pub faults: Vec<String>,
    pub tally: Tally,
    /// Connections of the server that have a task.
    pub tasks: usize,
    /// TCP connections that the server's host has.
    pub streams: usize,
    /// Whether the server is closing all connections, and what wakes its tasks then.
    pub is_leaving: bool,
    pub leaving: Rc<Notify>,
    /// The ends that have ended, or given up their transport.
    pub ended: BTreeSet<(Id, bool)>,
    /// The ends that have called `close`.
    pub closes: BTreeSet<(Id, bool)>,
    /// When each host last crashed.
    pub crashes: BTreeMap<String, Duration>,
    pub done: [bool; CLIENTS],
    pub through: [bool; CLIENTS],
    jump_due: BTreeMap<String, Duration>,
    /// The time after each jump, and how far it went.
    jumps: BTreeMap<String, Vec<(Instant, Duration)>>,
    trace: DefaultHasher,
    prints: bool,
}

/// Counts of what happened, to see that the faults have effects.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<String, u64>);

impl Ledger {
    pub fn new(seed: u64, prints: bool) -> Self {
        Self {
            seed,
            plan: Plan::new(seed),
            random: Random::new(seed ^ 0xa5a5_a5a5),
            now: Duration::ZERO,
            repaired: None,
            faults: Vec::new(),
            tally: Tally::default(),
            tasks: 0,
            streams: 0,
            is_leaving: false,
            leaving: Rc::new(Notify::new()),
            ended: BTreeSet::new(),
            closes: BTreeSet::new(),
            crashes: BTreeMap::new(),
            done: [false; CLIENTS],
            through: [false; CLIENTS],
            jump_due: BTreeMap::new(),
            jumps: BTreeMap::new(),
            trace: DefaultHasher::new(),
            prints,
        }
    }

    /// Adds a line to the trace.
    pub fn trace(&mut self, line: impl fmt::Display) {
        let line = format!("{:9.3} {line}", self.now.as_secs_f64());
        self.hash(line.as_bytes());
        if self.prints {
            println!("{line}");
        }
    }

    /// Adds bytes to the trace that are not printed.
    pub fn hash(&mut self, bytes: &[u8]) {
        self.trace.write(bytes);
    }

    pub fn trace_hash(&self) -> u64 {
        self.trace.finish()
    }

    /// Records that a property does not hold.
    pub fn fault(&mut self, what: impl fmt::Display) {
        let fault = format!("at {:.3} s: {what}", self.now.as_secs_f64());
        self.trace(&fault);
        self.faults.push(fault);
    }

    /// Records that a client has exchanged a message after the repair.
    pub fn is_through(&mut self, client: usize) {
        let Some(repaired) = self.repaired else { return };
        if !self.through[client] {
            self.through[client] = true;
            self.trace(format!("client {client} is through"));
            let took = self.now - repaired;
            if took > RECOVERY {
                self.fault(format!(
                    "client {client} took {took:?} to get through, of {RECOVERY:?}"
                ));
            }
        }
    }

    /// Moves the clock of a host, which is to take the jump.
    pub fn jump(&mut self, host: Host, by: Duration) {
        self.jump_due.insert(host.name(), by);
    }

    pub fn take_jump(&mut self, host: Host) -> Option<Duration> {
        self.jump_due.remove(&host.name())
    }

    /// Records that the clock of a host is about to move.
    pub fn jumped(&mut self, host: Host, by: Duration) {
        self.trace(format!("the clock of {} moves by {by:?}", host.name()));
        self.jumps
            .entry(host.name())
            .or_default()
            .push((Instant::now() + by, by));
    }

    /// The jumps of a host's clock since a time of this clock.
    pub fn jumps_since(&self, host: Host, since: Instant) -> impl Iterator<Item = Duration> {
        let jumps = self.jumps.get(&host.name()).into_iter().flatten();
        jumps.filter(move |(at, _)| *at > since).map(|(_, by)| *by)
    }

    /// Records that a host has stopped. Its clock starts over.
    pub fn crashed(&mut self, host: Host) {
        self.trace(format!("{} stops", host.name()));
        self.crashes.insert(host.name(), self.now);
        self.jumps.remove(&host.name());
        self.jump_due.remove(&host.name());
    }

    pub fn has_ended(&self, id: Id, role: Role) -> bool {
        self.ended.contains(&(id, role == Role::Client))
    }

    pub fn has_called_close(&self, id: Id, role: Role) -> bool {
        self.closes.contains(&(id, role == Role::Client))
    }

    pub fn calls_close(&mut self, id: Id, role: Role) {
        self.closes.insert((id, role == Role::Client));
    }
}

impl Tally {
    pub fn count(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    #[cfg(test)]
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.0 {
            writeln!(f, "{count:8} {what}")?;
        }
        Ok(())
    }
}
