//! Rules of RFC 6455, and whether the contestants follow them.

use std::panic::{self, AssertUnwindSafe};

use crate::engines::{Contestant, Side};
use crate::outcome::{Check, Outcome};
use crate::report::Report;
use crate::scenario::{Scenario, Work};
use crate::wire::{Input, READ_SIZE, Role, push_frame};

/// A rule that takes time to follow: a contestant that breaks it does less work in the rows that it concerns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule {
    /// Masking keys are unpredictable, section 10.3.
    Keys,
    /// A text in one frame that arrives in several reads is validated, section 8.1.
    SplitText,
}

impl Rule {
    pub fn concerns(self, scenario: &Scenario) -> bool {
        match (self, scenario.work) {
            (Self::Keys, Work::Send { .. }) => scenario.role == Role::Client,
            (Self::SplitText, Work::Receive(_) | Work::Echo(_)) => scenario.has_split_text,
            _ => false,
        }
    }
}

/// Bytes that have to be rejected.
struct Probe {
    name: &'static str,
    role: Role,
    bytes: Vec<u8>,
    /// The rule that a contestant breaks if it accepts them.
    rule: Option<Rule>,
}

fn probes() -> Vec<Probe> {
    use Role::{Client, Server};
    let invalid = |size: usize| [&vec![b'a'; size - 1][..], &[0xff]].concat();
    let probe = |name, bytes| Probe {
        name,
        role: Server,
        bytes,
        rule: None,
    };
    vec![
        probe("text that is not UTF-8", frame(0x81, &invalid(200))),
        probe("text that ends within a character", frame(0x81, b"a\xe4\xb8")),
        Probe {
            rule: Some(Rule::SplitText),
            ..probe(
                "text that is not UTF-8, in two reads",
                frame(0x81, &invalid(READ_SIZE + 100)),
            )
        },
        probe(
            "text that is not UTF-8, in two frames",
            [frame(0x01, &invalid(200)), frame(0x80, b"a")].concat(),
        ),
        probe("a frame without a mask", encoded(0x82, None, b"a")),
        Probe {
            role: Client,
            ..probe("a masked frame from a server", frame(0x82, b"a"))
        },
        probe("a reserved bit", frame(0xc2, b"a")),
        probe("a reserved opcode", frame(0x83, b"a")),
        probe(
            "a Ping in two frames",
            [frame(0x09, b"a"), frame(0x80, b"a")].concat(),
        ),
        probe("a Ping of 126 bytes", frame(0x89, &[b'a'; 126])),
        probe("a continuation of nothing", frame(0x80, b"a")),
        probe(
            "a message within a message",
            [frame(0x02, b"a"), frame(0x82, b"a")].concat(),
        ),
        probe(
            "a length in more bytes than it needs",
            [&[0x82, 0x80 | 126, 0, 1][..], &KEY, &[b'a' ^ KEY[0]]].concat(),
        ),
        probe(
            "a length of 2^63",
            [&[0x82, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0][..], &KEY].concat(),
        ),
    ]
}

const KEY: [u8; 4] = [1, 2, 3, 4];

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    encoded(first, Some(KEY), payload)
}

fn encoded(first: u8, key: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    push_frame(&mut frame, first, key, payload);
    frame
}

/// Prints which invalid bytes each contestant accepts. Panics if that contradicts its `breaks`.
pub fn print(report: &mut Report, contestants: &[Contestant]) {
    let tried: Vec<_> = contestants
        .iter()
        .filter(|contestant| matches!(contestant.side, Side::Ours | Side::Peer))
        .collect();
    let mut head = vec!["has to be refused".to_string()];
    head.extend(tried.iter().map(|contestant| contestant.name.to_string()));
    report.head(&head);
    for probe in probes() {
        let bytes: &'static [u8] = probe.bytes.leak();
        let takes: Vec<_> = tried
            .iter()
            .map(|contestant| takes(contestant, probe.role, bytes))
            .collect();
        for (contestant, takes) in tried.iter().zip(&takes) {
            if let Some(rule) = probe.rule {
                let name = contestant.name;
                assert_eq!(*takes, contestant.breaks.contains(&rule), "{name} and {rule:?}");
            }
        }
        let verdict = |takes: &bool| if *takes { "**taken**" } else { "refused" };
        let mut cells = vec![probe.name.to_string()];
        cells.extend(takes.iter().map(verdict).map(String::from));
        report.row(&cells);
    }
}

/// Whether a contestant accepts the bytes. Contestants panic at an error, because the rows do not have any.
fn takes(contestant: &Contestant, role: Role, bytes: &'static [u8]) -> bool {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let mut outcome = Outcome::new(Check::Quick);
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut engine = (contestant.connect)(role);
        engine.receive(Input::raw(bytes), false, &mut outcome);
    }));
    panic::set_hook(hook);
    result.is_ok()
}
