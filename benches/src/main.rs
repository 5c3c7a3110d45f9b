//! Measures `websocket-proto` against its peers: one process, the same bytes in memory, in turns. See README.md.

mod allocations;
#[cfg(feature = "compression")]
mod compression;
mod engines;
mod measure;
mod outcome;
mod scenario;
mod table;
mod wire;

use allocations::Counting;
use engines::Run;
use measure::Effort;
use table::Columns;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let mut effort = Effort::FULL;
    let mut columns = Columns::All;
    let mut filters = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--short" => effort = Effort::SHORT,
            "--ratios" => columns = Columns::Ratios,
            "--once" => effort = Effort::ONCE,
            _ => filters.push(argument),
        }
    }
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let contestants = engines::all();

    let scenarios: Vec<_> = scenario::all()
        .into_iter()
        .filter(|scenario| wanted(&scenario.name))
        .collect();
    if !scenarios.is_empty() {
        table::print_head(&contestants, columns);
    }
    for scenario in &scenarios {
        let mut runners: Vec<_> = contestants.iter().map(|c| Run::new(c, scenario)).collect();
        let costs = measure::run(&mut runners, effort);
        table::print_row(&scenario.name, &contestants, &costs, columns);
    }
    if wanted("idle") {
        table::print_idle(&contestants);
    }
    #[cfg(feature = "compression")]
    compression::run(wanted, effort, columns);
}
