//! Prints what README.md shows.

use std::any::Any;

use crate::allocations;
use crate::engines::Contestant;
use crate::measure::Cost;

/// With the times themselves, or with nothing but what one machine has in common with the next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Columns {
    All,
    Ratios,
}

pub fn print_head(contestants: &[Contestant], columns: Columns) {
    let first = contestants[0].name;
    let mut head = String::from("| |");
    for (index, contestant) in contestants.iter().enumerate() {
        if columns == Columns::All {
            head += &format!(" {}, ns |", contestant.name);
        }
        if index > 0 {
            head += &format!(" {first} / {} |", contestant.name);
        }
    }
    head += " allocations |";
    let cells = head.matches('|').count() - 2;
    println!("{head}\n|---|{}", "---:|".repeat(cells));
}

pub fn print_row(name: &str, contestants: &[Contestant], costs: &[Cost], columns: Columns) {
    let mut row = format!("| {name} |");
    for (index, cost) in costs.iter().enumerate() {
        if columns == Columns::All {
            row += &time(cost);
        }
        if index > 0 {
            row += &format!(" {:.2} |", costs[0].ratio(cost));
        }
    }
    let real = costs
        .iter()
        .zip(contestants)
        .filter(|(_, contestant)| contestant.verified);
    let allocations: Vec<_> = real.map(|(cost, _)| format!("{:.2}", cost.allocations)).collect();
    println!("{row} {} |", allocations.join(" : "));
}

pub fn time(cost: &Cost) -> String {
    match cost.nanoseconds() {
        time @ ..100.0 => format!(" {time:.1} |"),
        time => format!(" {time:.0} |"),
    }
}

/// A size in the name of a row.
pub fn human(size: usize) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..0x10_0000 => format!("{} KiB", size / 1024),
        _ => format!("{} MiB", size / 0x10_0000),
    }
}

/// The memory of a connection that has received and echoed a message, and waits for the next.
pub fn print_idle(contestants: &[Contestant]) {
    const CONNECTIONS: usize = 100;
    println!("\n| idle connection | bytes |\n|---|---:|");
    for contestant in contestants {
        let Some(connect) = contestant.idle else { continue };
        let mut connections: Vec<Box<dyn Any>> = Vec::with_capacity(CONNECTIONS);
        connections.push(connect());
        let before = allocations::live();
        connections.extend((1..CONNECTIONS).map(|_| connect()));
        let bytes = (allocations::live() - before) / (CONNECTIONS as u64 - 1);
        println!("| {} | {bytes} |", contestant.name);
    }
}
