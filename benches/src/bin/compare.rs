//! Measures all contestants in one process, alternately and with the same bytes in memory, and prints the tables of README.md.

use std::error::Error;

use websocket_proto_benches::allocations::Counting;
use websocket_proto_benches::engines::{self, Run};
use websocket_proto_benches::measure::{self, Effort};
use websocket_proto_benches::report::{self, Measured, Report, Section, Steadiness};
use websocket_proto_benches::{processor, rules, scenario};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> Result<(), Box<dyn Error>> {
    let mut effort = Effort::FULL;
    let mut filters = Vec::new();
    let (mut json, mut write, mut section) = (None, false, Section::LastRun);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--short" => effort = Effort::SHORT,
            "--once" => effort = Effort::ONCE,
            "--json" => json = Some(arguments.next().ok_or("--json needs the name of a file")?),
            "--write" => write = true,
            "--without-avx512" => section = Section::WithoutAvx512,
            unknown if unknown.starts_with('-') => return Err(format!("what is {unknown}?").into()),
            _ => filters.push(argument),
        }
    }
    if section == Section::WithoutAvx512 {
        processor::hide_avx512()?;
    }
    if write && (effort != Effort::FULL || !filters.is_empty()) {
        return Err("only a full run is written into README.md".into());
    }
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter));
    let mut report = Report::default();
    report.line(report::machine());
    let steadiness = compare(&mut report, section, effort, wanted);
    #[cfg(feature = "compression")]
    if section == Section::LastRun {
        websocket_proto_benches::compression::run(&mut report, wanted, effort);
    }
    if let Some(path) = json {
        report.write_json(path)?;
    }
    if write && steadiness == Steadiness::Disturbed {
        return Err("other work disturbed this run: README.md stays as it is".into());
    }
    if write {
        report.write_readme(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"), section)?;
    }
    Ok(())
}

fn compare(
    report: &mut Report,
    section: Section,
    effort: Effort,
    wanted: impl Fn(&str) -> bool,
) -> Steadiness {
    let contestants = engines::all();
    let mut scenarios = scenario::all();
    scenarios.retain(|scenario| wanted(&scenario.name));
    let runs = scenarios.iter().map(|scenario| {
        let taking_part = contestants.iter().filter(|contestant| contestant.takes(scenario));
        taking_part
            .map(|contestant| Run::new(contestant, scenario))
            .collect()
    });
    let results = measure::run(runs.collect(), effort).into_iter();
    let costs = results.map(|row| row.into_iter().map(|(_, cost)| cost).collect());
    let rows: Vec<_> = scenarios
        .iter()
        .zip(costs)
        .map(|(scenario, costs)| Measured::new(scenario, &contestants, costs))
        .collect();
    let mut steadiness = Steadiness::Steady;
    if !rows.is_empty() {
        report::print_best(report, &contestants, &rows);
        steadiness = report::print_steadiness(report, &rows);
        report::print_groups(report, &contestants, &rows);
    }
    if section == Section::WithoutAvx512 {
        return steadiness;
    }
    if !rows.is_empty() {
        report::print_each(report, &contestants, &rows);
        report::print_places(report, &contestants, &rows);
        report::print_allocations(report, &contestants, &rows);
    }
    if wanted("rules") {
        rules::print(report, &contestants);
    }
    if wanted("idle") {
        report::print_idle(report, &contestants);
    }
    steadiness
}
