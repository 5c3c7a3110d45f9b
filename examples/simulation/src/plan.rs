//! What happens to the hosts and to the network, and when: data that follows from the seed.

use std::time::Duration;

use crate::config::{CLIENTS, DISTURBED};
use crate::random::Random;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    Server,
    Client(usize),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Messages between a client and the server are lost, also those under way.
    Partition(usize),
    /// Messages from the client are lost.
    PartitionFrom(usize),
    /// Messages to the client are lost.
    PartitionTo(usize),
    /// Messages between a client and the server wait.
    Hold(usize),
    /// Messages of all hosts take up to this long.
    Slow(Duration),
    /// A process ends, and its host ends its TCP connections.
    Crash(Host),
    /// A host ends, and its peers do not learn of it.
    PowerLoss(Host),
    /// The server closes its connections with 1001, and restarts.
    Leave,
    /// The clock of a host moves forward.
    Jump(Host, Duration),
}

#[derive(Clone, Copy, Debug)]
pub struct Planned {
    pub from: Duration,
    pub until: Duration,
    pub fault: Fault,
}

/// The faults of a seed, which all end before [`DISTURBED`].
#[derive(Debug)]
pub struct Plan(Vec<Planned>);

impl Host {
    pub fn name(self) -> String {
        match self {
            Self::Server => "server".into(),
            Self::Client(number) => format!("client-{number}"),
        }
    }
}

impl Fault {
    /// Whether it can end or delay a connection of this client.
    fn concerns(self, client: usize) -> bool {
        match self {
            Self::Partition(other)
            | Self::PartitionFrom(other)
            | Self::PartitionTo(other)
            | Self::Hold(other) => other == client,
            Self::Crash(host) | Self::PowerLoss(host) | Self::Jump(host, _) => {
                host == Host::Server || host == Host::Client(client)
            }
            Self::Slow(_) | Self::Leave => true,
        }
    }
}

impl Plan {
    /// Each client and the server have faults of their own, one after the other; those of different hosts overlap.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut plan = Vec::new();
        for client in 0..CLIENTS {
            plan.extend(in_sequence(&mut random, 4000, |random| {
                client_fault(random, client)
            }));
        }
        plan.extend(in_sequence(&mut random, 9000, server_fault));
        plan.sort_by_key(|planned| planned.from);
        Self(plan)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Planned> {
        self.0.iter()
    }

    /// Whether something that concerns a client happens between these times, or ended less than `before` earlier.
    pub fn disturbs(&self, client: usize, from: Duration, until: Duration, before: Duration) -> bool {
        let from = from.saturating_sub(before);
        self.iter()
            .any(|planned| planned.fault.concerns(client) && planned.from <= until && from <= planned.until)
    }
}

fn in_sequence(
    random: &mut Random,
    most_apart: usize,
    mut fault: impl FnMut(&mut Random) -> Fault,
) -> Vec<Planned> {
    let (mut planned, mut at, mut no_jump_before) =
        (Vec::new(), millis(random, 100, most_apart), Duration::ZERO);
    loop {
        let fault = fault(random);
        let until = at + lasting(random, fault);
        if until >= DISTURBED {
            return planned;
        }
        // A keepalive makes allowance for one jump at a time.
        let is_jump = matches!(fault, Fault::Jump(..));
        if !is_jump || at >= no_jump_before {
            planned.push(Planned {
                from: at,
                until,
                fault,
            });
        }
        if is_jump {
            no_jump_before = at + Duration::from_secs(6);
        }
        at = until + millis(random, 1, most_apart);
    }
}

fn client_fault(random: &mut Random, client: usize) -> Fault {
    match random.below(8) {
        0 | 1 => Fault::Partition(client),
        2 => Fault::PartitionFrom(client),
        3 => Fault::PartitionTo(client),
        4 => Fault::Hold(client),
        5 => Fault::Crash(Host::Client(client)),
        6 => Fault::PowerLoss(Host::Client(client)),
        _ => Fault::Jump(Host::Client(client), jump(random)),
    }
}

fn server_fault(random: &mut Random) -> Fault {
    match random.below(5) {
        0 => Fault::Slow(millis(random, 200, 1500)),
        1 => Fault::Crash(Host::Server),
        2 => Fault::PowerLoss(Host::Server),
        3 => Fault::Leave,
        _ => Fault::Jump(Host::Server, jump(random)),
    }
}

fn lasting(random: &mut Random, fault: Fault) -> Duration {
    match fault {
        Fault::Jump(..) => Duration::from_millis(100),
        Fault::Leave => Duration::from_millis(1500),
        // Many are shorter than any deadline.
        _ if random.one_in(3) => millis(random, 5, 500),
        _ => millis(random, 200, 5000),
    }
}

/// Either small compared with the deadlines, or so long that the machine must have been asleep.
fn jump(random: &mut Random) -> Duration {
    match random.below(3) {
        0 => millis(random, 1, 300),
        1 => millis(random, 3000, 20_000),
        _ => millis(random, 60_000, 3_600_000),
    }
}

pub fn millis(random: &mut Random, from: usize, to: usize) -> Duration {
    Duration::from_millis((from + random.below(to - from)) as u64)
}
