//! The time of a broadcast, by the number of members.

use std::fmt::Write as _;
use std::time::Duration;

use crate::cases::Test;
use crate::member::Command;
use crate::{Result, until};

const MESSAGES: u64 = 50;
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 40.0;

/// The time from sending a message to its receipt, in milliseconds, with this many members.
struct Point {
    members: usize,
    median: f64,
    most: f64,
}

/// A figure of a point, and its color.
type Curve = (fn(&Point) -> f64, &'static str);

/// Measures with more and more members, prints the figures, and draws them.
pub async fn measure(most: usize, file: &str) -> Result {
    let mut test = Test::start().await?;
    let mut points = Vec::new();
    for members in [30, 100, 300, 1000, 3000, 10_000]
        .into_iter()
        .filter(|members| *members <= most)
    {
        test.join(members).await?;
        let point = broadcast(&test).await?;
        println!(
            "{members} members: median {:.2} ms, 99 % within {:.2} ms",
            point.median, point.most
        );
        points.push(point);
    }
    std::fs::write(file, svg(&points))?;
    Ok(())
}

/// One member sends one message after the other, each after all have received the last one.
async fn broadcast(test: &Test) -> Result<Point> {
    let sender = &test.members[0];
    test.members
        .iter()
        .for_each(|member| member.state().delays.clear());
    let first = sender.state().sent;
    for number in first..first + MESSAGES {
        sender.ask(Command::Say(100));
        for member in &test.members {
            let has_it = || member.has(0, number, number + 1);
            until(Duration::from_secs(30), has_it, || "a message is missing".into()).await?;
        }
    }
    let mut delays: Vec<Duration> = test
        .members
        .iter()
        .flat_map(|member| member.state().delays.clone())
        .collect();
    delays.sort_unstable();
    let millis = |part: usize| delays[(delays.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    Ok(Point {
        members: test.members.len(),
        median: millis(50),
        most: millis(99),
    })
}

/// Both axes are logarithmic.
fn svg(points: &[Point]) -> String {
    let (width, height) = (LEFT + WIDTH + 30.0, TOP + HEIGHT + 50.0);
    let (low, high) = points.iter().fold((f64::MAX, 0.1), |(low, high), point| {
        (f64::min(low, point.median), f64::max(high, point.most))
    });
    let (low, high) = (10f64.powf(low.log10().floor()), 10f64.powf(high.log10().ceil()));
    let (first, last) = (
        points.first().map_or(1, |at| at.members),
        points.last().map_or(10, |at| at.members),
    );
    let scale = |value: f64, low: f64, high: f64| (value / low).ln() / (high / low).ln().max(0.01);
    let x = |members: usize| LEFT + WIDTH * scale(members as f64, first as f64, last as f64);
    let y = |millis: f64| TOP + HEIGHT * (1.0 - scale(millis, low, high));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\">Time from sending to receipt in 3 processes, ms: median, and 99 % of all</text>\n"
    );
    let mut tick = low;
    while tick <= high * 1.01 {
        let at = y(tick);
        _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
            LEFT - 8.0,
            at + 4.0
        );
        tick *= 10.0;
    }
    let curves: [Curve; 2] = [(|point| point.median, "#0550ae"), (|point| point.most, "#bc4c00")];
    for (value, color) in curves {
        let line: Vec<_> = points
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point.members), y(value(point))))
            .collect();
        let line = line.join(" ");
        _ = writeln!(
            svg,
            "<polyline points=\"{line}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>"
        );
    }
    for point in points {
        let at = x(point.members);
        _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            TOP + HEIGHT + 20.0,
            point.members
        );
    }
    _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">members</text>\n</svg>",
        LEFT + WIDTH,
        TOP + HEIGHT + 40.0
    );
    svg
}
