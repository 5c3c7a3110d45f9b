//! Echo servers over TCP on this machine, each in a separate process, alternately under the same load. See README.md.

mod load;
mod servers;
#[cfg(feature = "shiguredo")]
mod shiguredo;

use std::error::Error;
use std::time::Duration;

use load::{Cost, Load, Process};
use servers::{ALL, Style};
use websocket_proto_benches::outcome::Kind;
use websocket_proto_benches::report::{Report, human, machine};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// What is sent: `in_flight` messages of this size to each connection, before the echoes are read.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    kind: Kind,
    size: usize,
    connections: usize,
    in_flight: usize,
}

const SCENARIOS: [Scenario; 7] = [
    Scenario::new(Kind::Text, 125, 1, 1),
    Scenario::new(Kind::Text, 125, 1, 64),
    Scenario::new(Kind::Text, 125, 100, 1),
    Scenario::new(Kind::Binary, 64 * 1024, 1, 1),
    Scenario::new(Kind::Binary, 64 * 1024, 100, 1),
    Scenario::new(Kind::Binary, 1024 * 1024, 1, 1),
    Scenario::new(Kind::Binary, 1024 * 1024, 100, 1),
];

#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: usize,
    turn: Duration,
}

fn main() -> Result {
    let mut effort = Effort {
        rounds: 15,
        turn: Duration::from_millis(100),
    };
    let (mut json, mut group, mut filters) = (None, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--serve" => return servers::serve(&arguments.next().ok_or("--serve needs a name")?),
            "--short" => {
                effort = Effort {
                    rounds: 3,
                    turn: Duration::from_millis(30),
                }
            }
            "--group" => group = Some(arguments.next().ok_or("--group needs a name")?),
            "--json" => json = Some(arguments.next().ok_or("--json needs the name of a file")?),
            unknown if unknown.starts_with('-') => return Err(format!("what is {unknown}?").into()),
            _ => filters.push(argument),
        }
    }
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let scenarios: Vec<_> = SCENARIOS
        .into_iter()
        .filter(|scenario| wanted(&scenario.name()))
        .collect();
    let mut styles = vec![Style::Threads, Style::Tokio, Style::Loops];
    if let Some(group) = group {
        styles.retain(|style| style.group() == group);
        if styles.is_empty() {
            return Err(format!("there is no group {group}: threads, tokio or loops").into());
        }
    }
    let mut report = Report::default();
    report.line(machine());
    for style in styles {
        compare(&mut report, style, &scenarios, effort)?;
    }
    if let Some(path) = json {
        report.write_json(path)?;
    }
    Ok(())
}

/// The servers of one style, ours first.
fn compare(report: &mut Report, style: Style, scenarios: &[Scenario], effort: Effort) -> Result {
    let (mut servers, mut processes) = (Vec::new(), Vec::new());
    for server in ALL.iter().filter(|server| server.styles.contains(&style)) {
        match Process::start(server.name)? {
            Some(process) => {
                servers.push(server);
                processes.push(process);
            }
            // Where the kernel refuses io_uring, the others are still compared.
            None => eprintln!("{} is not compared", server.name),
        }
    }
    if servers.is_empty() {
        return Err("no server runs here".into());
    }
    let mut head = vec![style.name().to_string()];
    let names = servers.iter().map(|server| server.name);
    head.extend(names.clone().map(|name| format!("{name}, messages/s")));
    head.extend(names.clone().map(|name| format!("{name}, µs of CPU")));
    head.extend(
        names
            .clone()
            .skip(1)
            .map(|name| format!("{} / {name}, time", servers[0].name)),
    );
    head.extend(
        names
            .skip(1)
            .map(|name| format!("{} / {name}, CPU", servers[0].name)),
    );
    report.head(&head);
    for &scenario in scenarios {
        let loads: Result<Vec<_>> = processes
            .iter()
            .map(|process| Load::new(process, scenario))
            .collect();
        let costs = take_turns(&mut loads?, effort)?;
        report.row(&cells(scenario, &costs));
        for (server, cost) in servers.iter().zip(&costs) {
            report.record(
                &format!("{}: {} time", style.name(), scenario.name()),
                server.name,
                &cost.time,
                true,
            );
            report.record(
                &format!("{}: {} cpu", style.name(), scenario.name()),
                server.name,
                &cost.cpu,
                true,
            );
        }
    }
    Ok(())
}

fn take_turns(loads: &mut [Load<'_>], effort: Effort) -> Result<Vec<Cost>> {
    let mut costs = vec![Cost::default(); loads.len()];
    for load in loads.iter_mut() {
        load.run(effort.turn)?;
    }
    for round in 0..effort.rounds {
        for turn in 0..loads.len() {
            let index = if round % 2 == 0 {
                turn
            } else {
                loads.len() - 1 - turn
            };
            let (time, cpu) = loads[index].run(effort.turn)?;
            costs[index].time.push(time);
            costs[index].cpu.push(cpu);
        }
    }
    Ok(costs)
}

fn cells(scenario: Scenario, costs: &[Cost]) -> Vec<String> {
    let (ours, others) = costs.split_first().expect("ours is the first");
    let mut cells = vec![scenario.name()];
    cells.extend(
        costs
            .iter()
            .map(|cost| format!("{:.0}", 1e9 / cost.time.nanoseconds())),
    );
    cells.extend(
        costs
            .iter()
            .map(|cost| format!("{:.2}", cost.cpu.nanoseconds() / 1e3)),
    );
    cells.extend(
        others
            .iter()
            .map(|other| format!("{:.2}", ours.time.ratio(&other.time))),
    );
    cells.extend(
        others
            .iter()
            .map(|other| format!("{:.2}", ours.cpu.ratio(&other.cpu))),
    );
    cells
}

impl Scenario {
    const fn new(kind: Kind, size: usize, connections: usize, in_flight: usize) -> Self {
        Self {
            kind,
            size,
            connections,
            in_flight,
        }
    }

    fn name(self) -> String {
        let (kind, size) = (self.kind.name(), human(self.size));
        let connections = match self.connections {
            1 => "1 connection".into(),
            many => format!("{many} connections"),
        };
        match self.in_flight {
            1 => format!("{kind} {size}, {connections}"),
            many => format!("{kind} {size}, {connections}, {many} at a time"),
        }
    }
}
