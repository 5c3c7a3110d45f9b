//! The section "compression": the codecs of `permessage-deflate`, RFC 7692, without the frames around them.
//!
//! To add a contestant, add a file here and a line in [`contestants`].

mod json;
mod ours;
mod reference;
mod sockudo;

use std::any::Any;
use std::hint::black_box;

use crate::allocations;
use crate::measure::{self, Cost, Effort, Runner};
use crate::outcome::{Check, Kind, Seen};
use crate::report::{Report, human, time};
use json::Market;
use reference::{Deflater, Inflater};

/// The compression level of all contestants, which is the default of ours and of zlib.
const LEVEL: u8 = 6;
/// The limit for the size of an inflated message.
const LIMIT: u64 = 16 * 1024 * 1024;

/// The negotiated parameters, here for both directions.
#[derive(Clone, Copy, Debug)]
struct Terms {
    bits: u8,
    takeover: bool,
}

struct Contestant {
    name: &'static str,
    connect: fn(Terms) -> Box<dyn Codec>,
    /// Keeps the engine, so it takes part only in the rows where that makes a difference.
    keeps_engine: bool,
}

/// The others are compared with the last one.
fn contestants() -> [Contestant; 3] {
    [ours::CONTESTANT, ours::KEPT, sockudo::CONTESTANT]
}

/// The codec of one connection.
trait Codec {
    /// Compresses a message to the payload of its frame.
    fn compress(&mut self, message: &[u8], take: &mut dyn FnMut(&[u8]));

    fn inflate(&mut self, payload: &[u8], take: &mut dyn FnMut(&[u8]));

    /// The part that each connection holds while idle.
    fn idle(self: Box<Self>) -> Box<dyn Any>;
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Work {
    Compress,
    Inflate,
}

/// One row.
#[derive(Debug)]
struct Row {
    name: String,
    work: Work,
    terms: Terms,
    /// The connections, which send messages alternately.
    connections: usize,
    messages: Vec<Vec<u8>>,
}

impl Row {
    fn new(work: Work, size: usize, terms: Terms, connections: usize) -> Self {
        let verb = match work {
            Work::Compress => "compress",
            Work::Inflate => "inflate",
        };
        let mut name = format!("{verb} {}, {} bits", human(size), terms.bits);
        if !terms.takeover {
            name += ", no takeover";
        }
        if connections > 1 {
            name += &format!(", {connections} connections");
        }
        // A batch is larger than the window, so that a repeated batch cannot refer to itself.
        let count = match connections {
            1 => 256 * 1024 / size,
            _ => connections * ((1 << terms.bits) / size + 1),
        };
        let mut markets: Vec<_> = (1..=connections as u64).map(Market::new).collect();
        let message = |index: usize| markets[index % connections].message(size);
        Self {
            name,
            work,
            terms,
            connections,
            messages: (0..count).map(message).collect(),
        }
    }

    fn bytes(&self) -> u64 {
        self.messages.iter().map(|message| message.len() as u64).sum()
    }

    fn takes(&self, contestant: &Contestant) -> bool {
        !contestant.keeps_engine || (self.terms.takeover && self.work == Work::Compress)
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for work in [Work::Compress, Work::Inflate] {
        for size in [1024, 64 * 1024] {
            for takeover in [true, false] {
                for bits in [12, 15] {
                    rows.push(Row::new(work, size, Terms { bits, takeover }, 1));
                }
            }
        }
        let terms = Terms {
            bits: 12,
            takeover: true,
        };
        rows.push(Row::new(work, 1024, terms, 64));
    }
    rows
}

/// Measures and prints the rows with a wanted name.
pub fn run(report: &mut Report, wanted: impl Fn(&str) -> bool, effort: Effort) {
    let named = |name: &str| wanted("compression") || wanted(name);
    let contestants = contestants();
    let rows: Vec<_> = rows().into_iter().filter(|row| named(&row.name)).collect();
    let runs = rows.iter().map(|row| {
        let taking_part = contestants.iter().filter(|contestant| row.takes(contestant));
        taking_part.map(|contestant| Run::new(contestant, row)).collect()
    });
    let results = measure::run(runs.collect(), effort);
    if !rows.is_empty() {
        print_head(report, &contestants);
    }
    for (row, results) in rows.iter().zip(results) {
        let results = contestants.each_ref().map(|contestant| {
            let (run, cost) = results.iter().find(|(run, _)| run.name == contestant.name)?;
            report.record(&row.name, contestant.name, cost, true);
            Some((cost, run.percent()))
        });
        print_row(report, row, &results);
    }
    if named("idle") {
        print_idle(report, &contestants);
    }
}

/// A contestant at one row.
struct Run<'a> {
    name: &'static str,
    row: &'a Row,
    /// One for each connection.
    codecs: Vec<Box<dyn Codec>>,
    inflaters: Vec<Inflater>,
    /// The payloads to inflate, from the second repetition of the stream.
    payloads: Vec<Vec<u8>>,
    /// The size of a batch, compressed.
    compressed: u64,
    /// The expected result of inflating, with a quick and with a thorough check.
    expected: [Seen; 2],
}

impl<'a> Run<'a> {
    fn new(contestant: &Contestant, row: &'a Row) -> Self {
        let each = 0..row.connections;
        let mut run = Self {
            name: contestant.name,
            row,
            codecs: each.clone().map(|_| (contestant.connect)(row.terms)).collect(),
            inflaters: each.clone().map(|_| Inflater::new(row.terms)).collect(),
            payloads: Vec::new(),
            compressed: 0,
            expected: [Check::Quick, Check::Thorough].map(|check| {
                let mut seen = Seen::new(check);
                for message in &row.messages {
                    seen.message(Kind::Text, message);
                }
                seen
            }),
        };
        // The first batch has no earlier data to refer to; all later ones have the same as the second.
        match row.work {
            Work::Compress => run.compress(Check::Thorough),
            Work::Inflate => {
                let mut deflaters: Vec<_> = each.map(|_| Deflater::new(row.terms)).collect();
                for _ in 0..2 {
                    let indexed = row.messages.iter().enumerate();
                    let payloads =
                        indexed.map(|(index, message)| deflaters[index % row.connections].compress(message));
                    run.payloads = payloads.collect();
                    run.inflate(Check::Thorough);
                }
                run.compressed = run.payloads.iter().map(|payload| payload.len() as u64).sum();
            }
        }
        run
    }

    fn percent(&self) -> f64 {
        self.compressed as f64 / self.row.bytes() as f64 * 100.0
    }

    fn compress(&mut self, check: Check) {
        let (mut messages, mut bytes) = (0, 0);
        let mut kept = Vec::new();
        for (index, message) in self.row.messages.iter().enumerate() {
            self.codecs[index % self.row.connections].compress(message, &mut |payload| {
                messages += 1;
                bytes += black_box(payload).len() as u64;
                if check == Check::Thorough {
                    kept.push(payload.to_vec());
                }
            });
        }
        assert_eq!(messages, self.row.messages.len(), "{} lost a message", self.name);
        if check == Check::Thorough {
            for (index, (payload, message)) in kept.iter().zip(&self.row.messages).enumerate() {
                let inflater = &mut self.inflaters[index % self.row.connections];
                assert!(inflater.yields(payload, message), "{} sent wrong data", self.name);
            }
            self.compressed = bytes;
        }
        // The size varies slightly, because the matches that an engine finds depend on its position.
        let difference = bytes.abs_diff(self.compressed);
        assert!(
            difference <= self.compressed / 50,
            "{} sent wrong data",
            self.name
        );
    }

    fn inflate(&mut self, check: Check) {
        let mut seen = Seen::new(check);
        for (index, payload) in self.payloads.iter().enumerate() {
            self.codecs[index % self.row.connections]
                .inflate(payload, &mut |text| seen.message(Kind::Text, black_box(text)));
        }
        let expected = &self.expected[(check == Check::Thorough) as usize];
        assert_eq!(&seen, expected, "{} received wrong data", self.name);
    }
}

impl Runner for Run<'_> {
    fn messages(&self) -> u64 {
        self.row.messages.len() as u64
    }

    fn batch(&mut self, check: Check) {
        match self.row.work {
            Work::Compress => self.compress(check),
            Work::Inflate => self.inflate(check),
        }
    }
}

fn print_head(report: &mut Report, contestants: &[Contestant]) {
    let (last, others) = contestants.split_last().expect("there are some");
    let mut head = vec![String::new()];
    head.extend(
        contestants
            .iter()
            .map(|contestant| format!("{}, ns", contestant.name)),
    );
    head.extend(
        others
            .iter()
            .map(|contestant| format!("{} / {}", contestant.name, last.name)),
    );
    head.extend(["size, %", "allocations"].map(String::from));
    report.head(&head);
}

fn print_row(report: &mut Report, row: &Row, results: &[Option<(&Cost, f64)>]) {
    let (last, others) = results.split_last().expect("there are some");
    let each = |cell: fn(&(&Cost, f64)) -> String| {
        let cells: Vec<_> = results.iter().flatten().map(cell).collect();
        cells.join(" : ")
    };
    let mut cells = vec![row.name.clone()];
    cells.extend(
        results
            .iter()
            .map(|result| result.map_or(String::new(), |(cost, _)| time(cost.nanoseconds()))),
    );
    cells.extend(others.iter().map(|result| match (result, last) {
        (Some((cost, _)), Some((last, _))) => format!("{:.2}", cost.ratio(last)),
        _ => String::new(),
    }));
    cells.push(match row.work {
        Work::Compress => each(|(_, percent)| format!("{percent:.1}")),
        // All inflate the same.
        Work::Inflate => last.map_or(String::new(), |(_, percent)| format!("{percent:.1}")),
    });
    cells.push(each(|(cost, _)| format!("{:.2}", cost.allocations)));
    report.row(&cells);
}

/// The memory that connections hold between messages, for both directions, with full windows.
fn print_idle(report: &mut Report, contestants: &[Contestant]) {
    const CONNECTIONS: u64 = 10;
    let mut head = vec!["idle codec, bytes".to_string()];
    head.extend(contestants.iter().map(|contestant| contestant.name.to_string()));
    report.head(&head);
    for takeover in [true, false] {
        for bits in [12, 15] {
            let terms = Terms { bits, takeover };
            let row = Row::new(Work::Inflate, 1024, terms, 1);
            let mut cells = vec![format!(
                "{bits} bits{}",
                if takeover { "" } else { ", no takeover" }
            )];
            for contestant in contestants {
                let connect = || {
                    let mut run = Run::new(contestant, &row);
                    run.compress(Check::Thorough);
                    run.codecs.remove(0).idle()
                };
                let mut idle = Vec::with_capacity(CONNECTIONS as usize);
                idle.push(connect());
                let before = allocations::live();
                idle.extend((1..CONNECTIONS).map(|_| connect()));
                cells.push(((allocations::live() - before) / (CONNECTIONS - 1)).to_string());
            }
            report.row(&cells);
        }
    }
}
