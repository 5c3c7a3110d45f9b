//! One simulation: the hosts, and the plan that is carried out on them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use tokio::time::{advance, sleep};
use turmoil::{Builder, Sim};

use crate::config::{CLIENTS, DISTURBED, LATENCY, RECOVERY, TICK, WIND_DOWN};
use crate::ledger::{Ledger, Shared, Tally};
use crate::plan::{Fault, Host};
use crate::{client, server};

/// A fault of the program, which the simulation has to find.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plant {
    /// The server waits for answers to its Pings indefinitely.
    NoPingTimeout,
    /// The server waits for half of the time.
    EarlyPingTimeout,
    /// A partial write of the server loses a byte.
    LostOutput,
    /// The server echoes another message than the one received.
    SwappedEchoes,
    /// A task of the server does not end.
    KeptTask,
}

impl Plant {
    pub const ALL: [(&str, Self); 5] = [
        ("no-ping-timeout", Self::NoPingTimeout),
        ("early-ping-timeout", Self::EarlyPingTimeout),
        ("lost-output", Self::LostOutput),
        ("swapped-echoes", Self::SwappedEchoes),
        ("kept-task", Self::KeptTask),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, plant)| *plant)
    }
}

pub struct Report {
    /// The hash of the trace.
    pub trace: u64,
    /// The properties that did not hold.
    pub faults: Vec<String>,
    pub tally: Tally,
}

/// Runs the simulation of a seed, and prints its trace if `prints`.
pub fn run(seed: u64, plant: Option<Plant>, prints: bool) -> Report {
    let ledger = Rc::new(RefCell::new(Ledger::new(seed, prints)));
    let mut sim = Builder::new()
        .rng_seed(seed)
        .epoch(SystemTime::UNIX_EPOCH)
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(3600))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(LATENCY)
        .tcp_capacity(32)
        .enable_random_order()
        .build();
    let shared = ledger.clone();
    sim.host(Host::Server.name(), move || server::run(shared.clone(), plant));
    for number in 0..CLIENTS {
        let shared = ledger.clone();
        sim.host(Host::Client(number).name(), move || {
            client::run(number, shared.clone())
        });
    }
    let mut world = World {
        sim,
        ledger: ledger.clone(),
    };
    if let Err(error) = world.run() {
        ledger.borrow_mut().fault(error);
    }
    drop(world);
    let ledger = ledger.borrow();
    Report {
        trace: ledger.trace_hash(),
        faults: ledger.faults.clone(),
        tally: ledger.tally.clone(),
    }
}

struct World<'w> {
    sim: Sim<'w>,
    ledger: Shared,
}

/// What the plan does at one time.
type Moment = (Duration, Fault, bool);

impl World<'_> {
    fn run(&mut self) -> turmoil::Result {
        for (at, fault, begins) in self.moments() {
            self.run_until(at, |_| false)?;
            if begins {
                self.begin(fault)
            } else {
                self.end(fault)
            }
        }
        self.run_until(DISTURBED, |_| false)?;
        self.repair();
        let has_finished = |ledger: &Ledger| ledger.done.iter().all(|done| *done);
        // A client that is through sends a few messages, and closes.
        self.run_until(DISTURBED + RECOVERY + Duration::from_secs(3), has_finished)?;
        self.expect("not all clients have finished", has_finished);
        let is_idle = |ledger: &Ledger| ledger.tasks == 0 && ledger.streams == 0;
        let end = self.ledger.borrow().now + WIND_DOWN;
        self.run_until(end, is_idle)?;
        self.expect("the server has tasks or TCP connections left", is_idle);
        Ok(())
    }

    fn moments(&self) -> Vec<Moment> {
        let ledger = self.ledger.borrow();
        let plan = ledger.plan.iter();
        let mut moments: Vec<Moment> = plan
            .flat_map(|planned| {
                [
                    (planned.from, planned.fault, true),
                    (planned.until, planned.fault, false),
                ]
            })
            .collect();
        moments.sort_by_key(|(at, ..)| *at);
        moments
    }

    /// Runs until a time, until something fails, or until `is_enough`.
    fn run_until(&mut self, end: Duration, is_enough: fn(&Ledger) -> bool) -> turmoil::Result {
        while self.ledger.borrow().now < end && !is_enough(&self.ledger.borrow()) {
            if !self.ledger.borrow().faults.is_empty() {
                return Ok(());
            }
            self.ledger.borrow_mut().now += TICK;
            self.sim.step()?;
        }
        Ok(())
    }

    fn expect(&self, otherwise: &str, holds: impl Fn(&Ledger) -> bool) {
        let mut ledger = self.ledger.borrow_mut();
        if ledger.faults.is_empty() && !holds(&ledger) {
            ledger.fault(otherwise);
        }
    }

    fn begin(&mut self, fault: Fault) {
        let kind = format!("{fault:?}")
            .chars()
            .take_while(|letter| letter.is_alphabetic())
            .collect::<String>();
        self.ledger.borrow_mut().trace(format!("{fault:?} begins"));
        self.ledger.borrow_mut().tally.count(format!("fault: {kind}"));
        match fault {
            Fault::Partition(client) => self.sim.partition(name(client), "server"),
            Fault::PartitionFrom(client) => self.sim.partition_oneway(name(client), "server"),
            Fault::PartitionTo(client) => self.sim.partition_oneway("server", name(client)),
            Fault::Hold(client) => self.sim.hold(name(client), "server"),
            Fault::Slow(latency) => self.sim.set_max_message_latency(latency),
            Fault::Crash(host) => self.crash(host),
            Fault::PowerLoss(host) => {
                self.links(host, |sim, client| sim.partition(client, "server"));
                self.crash(host);
            }
            Fault::Leave => {
                let mut ledger = self.ledger.borrow_mut();
                ledger.is_leaving = true;
                ledger.leaving.notify_waiters();
            }
            Fault::Jump(host, by) => self.ledger.borrow_mut().jump(host, by),
        }
    }

    fn end(&mut self, fault: Fault) {
        self.ledger.borrow_mut().trace(format!("{fault:?} ends"));
        match fault {
            Fault::Partition(client) => self.sim.repair(name(client), "server"),
            Fault::PartitionFrom(client) => self.sim.repair_oneway(name(client), "server"),
            Fault::PartitionTo(client) => self.sim.repair_oneway("server", name(client)),
            Fault::Hold(client) => self.sim.release(name(client), "server"),
            Fault::Slow(_) => self.sim.set_max_message_latency(LATENCY),
            Fault::Crash(host) => self.start(host),
            Fault::PowerLoss(host) => {
                self.links(host, |sim, client| sim.repair(client, "server"));
                self.start(host);
            }
            Fault::Leave => {
                self.crash(Host::Server);
                self.start(Host::Server);
            }
            Fault::Jump(..) => {}
        }
    }

    /// Ends what overlapping faults have left.
    fn repair(&mut self) {
        self.links(Host::Server, |sim, client| {
            sim.release(client.clone(), "server");
            sim.repair(client, "server");
        });
        let mut ledger = self.ledger.borrow_mut();
        ledger.repaired = Some(ledger.now);
        ledger.trace("everything is repaired");
    }

    /// The links between a host and its peers, by the names of the clients.
    fn links(&self, host: Host, act: impl Fn(&Sim<'_>, String)) {
        match host {
            Host::Client(client) => act(&self.sim, name(client)),
            Host::Server => (0..CLIENTS).for_each(|client| act(&self.sim, name(client))),
        }
    }

    fn crash(&mut self, host: Host) {
        self.ledger.borrow_mut().crashed(host);
        self.sim.crash(host.name());
    }

    fn start(&mut self, host: Host) {
        if host == Host::Server {
            self.ledger.borrow_mut().is_leaving = false;
        }
        self.sim.bounce(host.name());
    }
}

fn name(client: usize) -> String {
    Host::Client(client).name()
}

/// Moves the clock of a host when the plan says so. Each host runs it.
pub async fn move_clock(host: Host, ledger: Shared) {
    loop {
        sleep(TICK).await;
        let jump = ledger.borrow_mut().take_jump(host);
        if let Some(by) = jump {
            // Recorded first, because the tasks whose deadlines it reaches run before `advance` returns.
            ledger.borrow_mut().jumped(host, by);
            advance(by).await;
        }
    }
}
