//! wsproto and websockets: one Python process each for the entire run, with one case per line.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Peer;
use crate::case::{Case, Kind, Outcome, Verdict, close_event, sent, unhex};

pub struct Python {
    name: &'static str,
    child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Python {
    pub fn start(name: &'static str) -> Result<Self, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers.py");
        let mut child = Command::new("python3")
            .args([script, name])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("python3: {error}"))?;
        let input = BufWriter::with_capacity(64 * 1024, child.stdin.take().expect("a pipe"));
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut ready = String::new();
        match output.read_line(&mut ready) {
            Ok(_) if ready == "ready\n" => Ok(Self {
                name,
                child,
                input,
                output,
            }),
            _ => Err(format!(
                "Python's {name} does not start; tests/differential/run installs it"
            )),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer for Python {
    fn name(&self) -> &'static str {
        self.name
    }

    fn takes(&self, _: &Case) -> bool {
        true
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        let Self { input, output, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for case in cases {
                    let kind = match case.kind {
                        Kind::FramesToServer => "frames_to_server",
                        Kind::FramesToClient => "frames_to_client",
                        Kind::Request => "request",
                        Kind::Response => "response",
                    };
                    let setting = if case.is_frames() {
                        case.limit
                    } else {
                        usize::from(case.offers)
                    };
                    let bytes = crate::case::hex(&case.bytes());
                    writeln!(input, "{kind} {setting} {bytes}").expect("the peer reads");
                }
                // An empty line ends the batch.
                writeln!(input)
                    .and_then(|()| input.flush())
                    .expect("the peer reads");
            });
            let mut line = String::new();
            let mut outcome = |_| {
                line.clear();
                output.read_line(&mut line).expect("the peer answers");
                parse(line.trim_end_matches('\n'))
            };
            cases.iter().map(&mut outcome).collect()
        })
    }
}

/// Parses `verdict|events, separated by spaces|output in hex`.
fn parse(line: &str) -> Outcome {
    let mut columns = line.split('|');
    let mut column = || columns.next().expect("three columns");
    let words: Vec<&str> = column().split(' ').collect();
    let number = |word: &str| word.parse().expect("a number");
    let verdict = match words[..] {
        ["open"] => Verdict::Open,
        ["closed"] => Verdict::Closed,
        ["failed", code] => Verdict::Failed(number(code)),
        ["accepted", accept, protocol] => Verdict::Accepted(accept.into(), protocol.into()),
        ["rejected", status] => Verdict::Rejected(number(status)),
        ["refused"] => Verdict::Refused,
        ["incomplete"] => Verdict::Incomplete,
        ["crashed", name] => Verdict::Crashed(name.into()),
        _ => panic!("the peer wrote {line:?}"),
    };
    let event = |event: &str| match event.split_once(':') {
        Some(("close", body)) => match unhex(body)[..] {
            [high, low, ref reason @ ..] => close_event(Some(u16::from_be_bytes([high, low])), reason),
            _ => close_event(None, &[]),
        },
        _ => event.to_string(),
    };
    let events = column()
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(event)
        .collect();
    let sent = sent(&unhex(column()), &verdict);
    Outcome {
        events,
        verdict,
        sent,
    }
}
