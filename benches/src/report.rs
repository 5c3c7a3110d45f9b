//! The output of a run: tables for the terminal and for README.md, records for plots.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::{env, fs, io, thread};

use crate::allocations;
use crate::engines::{Contestant, Side};
use crate::measure::{Cost, geometric_mean, spreads};
use crate::outcome::{Check, Outcome};
use crate::scenario::{Scenario, Work, hello};
use crate::wire::Role;

/// Everything that was printed, and the records.
#[derive(Default)]
pub struct Report {
    text: String,
    records: Vec<String>,
}

impl Report {
    pub fn line(&mut self, line: impl AsRef<str>) {
        println!("{}", line.as_ref());
        self.text += line.as_ref();
        self.text.push('\n');
    }

    /// Prints the head of a table, whose first column is text.
    pub fn head(&mut self, cells: &[String]) {
        let right = "---:|".repeat(cells.len() - 1);
        self.line(format!("\n| {} |\n|---|{right}", cells.join(" | ")));
    }

    pub fn row(&mut self, cells: &[String]) {
        self.line(format!("| {} |", cells.join(" | ")));
    }

    /// Records the cost of one contestant in one row, and whether it did all of the work.
    pub fn record(&mut self, row: &str, contestant: &str, cost: &Cost, keeps_rules: bool) {
        let [low, median, high] = cost.quartiles();
        let allocations = cost.allocations;
        let breaks_rule = if keeps_rules {
            ""
        } else {
            r#", "breaks_rule": true"#
        };
        self.records.push(format!(
            r#"{{"row": "{row}", "contestant": "{contestant}", "nanoseconds": {median:.2}, "first_quartile": {low:.2}, "third_quartile": {high:.2}, "allocations": {allocations:.3}{breaks_rule}}}"#
        ));
    }

    pub fn record_bytes(&mut self, row: &str, contestant: &str, bytes: u64) {
        let record = format!(r#"{{"row": "{row}", "contestant": "{contestant}", "bytes": {bytes}}}"#);
        self.records.push(record);
    }

    pub fn write_json(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (date, machine) = (date(), machine().replace(['"', '\\'], ""));
        let records = self.records.join(",\n  ");
        fs::write(
            path,
            format!(
                "{{\"date\": \"{date}\", \"machine\": \"{machine}\", \"measurements\": [\n  {records}\n]}}\n"
            ),
        )
    }

    /// Replaces a section of README.md with what was printed.
    pub fn write_readme(&self, path: impl AsRef<Path>, section: Section) -> io::Result<()> {
        let [begin, end] = section.marks();
        let readme = fs::read_to_string(&path)?;
        let parts = readme
            .split_once(begin)
            .and_then(|(before, rest)| Some((before, rest.split_once(end)?.1)));
        let (before, after) = parts.ok_or_else(|| io::Error::other("README.md has no place for a run"))?;
        fs::write(path, format!("{before}{begin}\n{}\n{end}{after}", self.text))
    }
}

/// A part of README.md that a run writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Section {
    LastRun,
    WithoutAvx512,
}

impl Section {
    fn marks(self) -> [&'static str; 2] {
        match self {
            Self::LastRun => [
                "<!-- The last run, by ./run --write -->",
                "<!-- End of the last run -->",
            ],
            Self::WithoutAvx512 => [
                "<!-- The last run without AVX-512, by ./run --without-avx512 --write -->",
                "<!-- End of the last run without AVX-512 -->",
            ],
        }
    }
}

/// Today's date, in UTC.
fn date() -> String {
    let output = Command::new("date").args(["-u", "+%F"]).output();
    output.map_or_else(
        |_| "undated".into(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_string(),
    )
}

/// The machine and compiler, which the times depend on.
pub fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(name));
        line.and_then(|line| Some(line.split_once(": ")?.1.trim().to_string()))
    };
    let model = field("model name").unwrap_or_else(|| env::consts::ARCH.into());
    let family = field("cpu family").map_or(String::new(), |family| format!(" (family {family})"));
    let cores = thread::available_parallelism().map_or(0, |cores| cores.get());
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    let rustc = rustc.unwrap_or_else(|_| "unknown rustc".into());
    format!("{model}{family}, {cores} cores, {rustc}")
}

/// A measured row.
pub struct Measured<'a> {
    scenario: &'a Scenario,
    /// The costs by contestant; `None` for one that does not take part.
    costs: Vec<Option<Cost>>,
}

impl<'a> Measured<'a> {
    /// `costs` are those of the contestants that take part, in their order.
    pub fn new(scenario: &'a Scenario, contestants: &[Contestant], costs: Vec<Cost>) -> Self {
        let mut costs = costs.into_iter();
        let of = |contestant: &Contestant| contestant.takes(scenario).then(|| costs.next()).flatten();
        Self {
            scenario,
            costs: contestants.iter().map(of).collect(),
        }
    }

    fn of(&self, contestants: &[Contestant], side: Side) -> Option<&Cost> {
        let index = contestants
            .iter()
            .position(|contestant| contestant.side == side)?;
        self.costs[index].as_ref()
    }

    /// The peers that took part, with the ratio of our time to theirs.
    fn peers<'r>(&'r self, contestants: &'r [Contestant]) -> Vec<Peer<'r>> {
        let ours = self.of(contestants, Side::Ours);
        let entries = contestants.iter().zip(&self.costs);
        let peers = entries.filter(|(contestant, _)| contestant.side == Side::Peer);
        let peer = |(contestant, cost): (&'r Contestant, &'r Option<Cost>)| {
            let cost = cost.as_ref()?;
            Some(Peer {
                name: contestant.name,
                cost,
                ratio: ours?.ratio(cost),
                keeps_rules: contestant.keeps_rules(self.scenario),
            })
        };
        peers.filter_map(peer).collect()
    }
}

struct Peer<'r> {
    name: &'r str,
    cost: &'r Cost,
    /// The ratio of our time to this peer's.
    ratio: f64,
    keeps_rules: bool,
}

/// The peer with the highest ratio.
fn best<'p, 'r>(peers: impl Iterator<Item = &'p Peer<'r>>) -> Option<&'p Peer<'r>> {
    peers.max_by(|a, b| a.ratio.total_cmp(&b.ratio))
}

/// Prints the comparison with the best peer of each row, and with the target.
pub fn print_best(report: &mut Report, contestants: &[Contestant], rows: &[Measured]) {
    let head = [
        "",
        "ours, ns",
        "bound, ns",
        "best peer, ns",
        "best peer",
        "ours / best",
        "held / best",
        "target",
        "met",
        "faster by breaking a rule",
    ];
    report.head(&head.map(String::from));
    for row in rows {
        report.row(&best_cells(contestants, row));
        for (contestant, cost) in contestants.iter().zip(&row.costs) {
            if let Some(cost) = cost {
                let keeps_rules = contestant.keeps_rules(row.scenario);
                report.record(&row.scenario.name, contestant.name, cost, keeps_rules);
            }
        }
    }
}

/// Reports whether other work disturbed the run: if the rounds of a row differ, more rounds would not help.
pub fn print_steadiness(report: &mut Report, rows: &[Measured]) -> Steadiness {
    let costs = || rows.iter().flat_map(|row| row.costs.iter().flatten());
    let is_steady = |cost: &&Cost| cost.dispersion() <= 1.15;
    let (steady, all) = (costs().filter(is_steady).count(), costs().count());
    report.line(format!(
        "\nOf {all} times {steady} have the quartiles of a pass within 15 percent."
    ));
    match steady * 10 >= all * 9 {
        true => Steadiness::Steady,
        false => Steadiness::Disturbed,
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Steadiness {
    Steady,
    Disturbed,
}

fn best_cells(contestants: &[Contestant], row: &Measured) -> [String; 10] {
    let time = |cost: Option<&Cost>| cost.map_or(String::new(), |cost| time(cost.nanoseconds()));
    let peers = row.peers(contestants);
    let best_peer = best(peers.iter().filter(|peer| peer.keeps_rules));
    let ratio = |side| Some(row.of(contestants, side)?.ratio(best_peer?.cost));
    let (ours, held) = (ratio(Side::Ours), ratio(Side::OursHeld));
    let target = row.scenario.target;
    let is_met = |ratio: Option<f64>| ratio.is_some_and(|ratio| ratio <= target);
    let show = |ratio: Option<f64>| ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let met = match () {
        () if is_met(ours) => "yes",
        () if is_met(held) => "held",
        () => "**no**",
    };
    let is_faster = |peer: &&Peer| !peer.keeps_rules && best_peer.is_none_or(|best| peer.ratio > best.ratio);
    let faster = best(peers.iter().filter(is_faster));
    [
        row.scenario.name.clone(),
        time(row.of(contestants, Side::Ours)),
        time(row.of(contestants, Side::Bound)),
        time(best_peer.map(|best| best.cost)),
        best_peer.map_or(String::new(), |best| best.name.into()),
        show(ours),
        show(held),
        format!("{target:.2}"),
        met.into(),
        faster.map_or(String::new(), |peer| format!("{}, {:.2}", peer.name, peer.ratio)),
    ]
}

/// Prints the geometric means of the ratios, for each group of rows and for all.
pub fn print_groups(report: &mut Report, contestants: &[Contestant], rows: &[Measured]) {
    let head = [
        "geometric mean of",
        "rows",
        "ours / best",
        "held / best",
        "endpoint / ours",
        "endpoint / buffered",
    ];
    report.head(&head.map(String::from));
    let groups = Group::ALL.map(Some).into_iter().chain([None]);
    for group in groups {
        let members = rows
            .iter()
            .filter(|row| group.is_none_or(|group| group == Group::of(row.scenario)));
        let members: Vec<_> = members.collect();
        if members.is_empty() {
            continue;
        }
        let mean_of = |ratio: &dyn Fn(&Measured) -> Option<f64>| {
            let mean = geometric_mean(members.iter().filter_map(|row| ratio(row)));
            mean.map_or(String::new(), |mean| format!("{mean:.2}"))
        };
        let by_best = |side| {
            move |row: &Measured| {
                let peers = row.peers(contestants);
                let best = best(peers.iter().filter(|peer| peer.keeps_rules))?;
                Some(row.of(contestants, side)?.ratio(best.cost))
            }
        };
        let endpoint_by = |side| {
            move |row: &Measured| {
                let other = row.of(contestants, side)?;
                Some(row.of(contestants, Side::OursEndpoint)?.ratio(other))
            }
        };
        report.row(&[
            group.map_or("all", Group::name).into(),
            members.len().to_string(),
            mean_of(&by_best(Side::Ours)),
            mean_of(&by_best(Side::OursHeld)),
            mean_of(&endpoint_by(Side::Ours)),
            mean_of(&endpoint_by(Side::OursBuffered)),
        ]);
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Group {
    ReceiveServer,
    ReceiveClient,
    Send,
    Echo,
    Handshake,
}

impl Group {
    const ALL: [Self; 5] = [
        Self::ReceiveServer,
        Self::ReceiveClient,
        Self::Send,
        Self::Echo,
        Self::Handshake,
    ];

    fn of(scenario: &Scenario) -> Self {
        match (scenario.work, scenario.role) {
            (Work::Receive(_), Role::Server) => Self::ReceiveServer,
            (Work::Receive(_), Role::Client) => Self::ReceiveClient,
            (Work::Send { .. }, _) => Self::Send,
            (Work::Echo(_), _) => Self::Echo,
            (Work::Accept { .. }, _) => Self::Handshake,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ReceiveServer => "receive, server",
            Self::ReceiveClient => "receive, client",
            Self::Send => "send",
            Self::Echo => "echo",
            Self::Handshake => "handshake",
        }
    }
}

/// Prints how the times depend on the place of the buffers. Prints nothing for a run with one place.
pub fn print_places(report: &mut Report, contestants: &[Contestant], rows: &[Measured]) {
    let of_row = |row: &Measured| {
        let costs: Vec<_> = row.costs.iter().flatten().collect();
        spreads(&costs)
    };
    let spreads: Option<Vec<_>> = rows.iter().map(of_row).collect();
    let Some(spreads) = spreads else { return };
    let mut head = vec!["slowest / fastest place".to_string()];
    head.extend(contestants.iter().map(|contestant| contestant.name.to_string()));
    report.head(&head);
    for (row, spreads) in rows.iter().zip(spreads) {
        let mut cells = vec![row.scenario.name.clone()];
        let mut spreads = spreads.into_iter();
        let mut cell = || {
            spreads
                .next()
                .map_or(String::new(), |spread| format!("{spread:.2}"))
        };
        cells.extend(row.costs.iter().map(|cost| match cost {
            Some(_) => cell(),
            None => String::new(),
        }));
        report.row(&cells);
    }
}

/// Prints the comparison with the other ways to use ours, and with each peer.
pub fn print_each(report: &mut Report, contestants: &[Contestant], rows: &[Measured]) {
    let peers = || {
        let all = contestants.iter().enumerate();
        all.filter(|(_, contestant)| {
            matches!(
                contestant.side,
                Side::OursAgain | Side::OursEndpoint | Side::OursBuffered | Side::OursRand | Side::Peer
            )
        })
    };
    let mut head = vec!["ours / other".to_string()];
    head.extend(peers().map(|(_, peer)| peer.name.to_string()));
    report.head(&head);
    for row in rows {
        let mut cells = vec![row.scenario.name.clone()];
        cells.extend(peers().map(
            |(index, _)| match (row.of(contestants, Side::Ours), &row.costs[index]) {
                (Some(ours), Some(peer)) => format!("{:.2}", ours.ratio(peer)),
                _ => String::new(),
            },
        ));
        report.row(&cells);
    }
}

pub fn print_allocations(report: &mut Report, contestants: &[Contestant], rows: &[Measured]) {
    let real = || {
        let all = contestants.iter().enumerate();
        all.filter(|(_, contestant)| !matches!(contestant.side, Side::Bound | Side::OursAgain))
    };
    let mut head = vec!["allocations a message".to_string()];
    head.extend(real().map(|(_, contestant)| contestant.name.to_string()));
    report.head(&head);
    for row in rows {
        let mut cells = vec![row.scenario.name.clone()];
        cells.extend(real().map(|(index, _)| {
            let cost = row.costs[index].as_ref();
            cost.map_or(String::new(), |cost| format!("{:.2}", cost.allocations))
        }));
        report.row(&cells);
    }
}

/// Prints the memory of a connection that has echoed a message and waits for the next.
pub fn print_idle(report: &mut Report, contestants: &[Contestant]) {
    const CONNECTIONS: u64 = 100;
    report.head(&["idle connection".into(), "bytes".into()]);
    for contestant in contestants.iter().filter(|contestant| {
        !matches!(
            contestant.side,
            Side::Bound | Side::OursAgain | Side::OursBuffered | Side::OursRand
        )
    }) {
        let connect = || {
            let mut engine = (contestant.connect)(Role::Server);
            engine.receive(hello(), true, &mut Outcome::new(Check::Quick));
            engine.idle()
        };
        let mut connections = Vec::with_capacity(CONNECTIONS as usize);
        connections.push(connect());
        let before = allocations::live();
        connections.extend((1..CONNECTIONS).map(|_| connect()));
        let bytes = (allocations::live() - before) / (CONNECTIONS - 1);
        report.row(&[contestant.name.into(), bytes.to_string()]);
        report.record_bytes("idle connection", contestant.name, bytes);
    }
}

/// Nanoseconds, with the significant digits.
pub fn time(nanoseconds: f64) -> String {
    let mut text = String::new();
    let digits = if nanoseconds < 100.0 { 1 } else { 0 };
    write!(text, "{nanoseconds:.digits$}").expect("writing to a String cannot fail");
    text
}

/// A size in the name of a row.
pub fn human(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size / 1024),
        _ => format!("{} MiB", size / 0x10_0000),
    }
}
