//! What is measured: the rows of the table.

use crate::outcome::{Check, Expected, Kind, Seen};
use crate::table::human;
use crate::wire::{READ_SIZE, Random, Role, Wire};

/// One row.
#[derive(Debug)]
pub struct Scenario {
    pub name: String,
    pub role: Role,
    pub work: Work,
    /// The unit of the times in the table.
    pub messages: u64,
    pub expected: Expected,
}

/// One batch of work. Everything lives as long as the process, as the contestants hold on to it.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    Receive(&'static Wire),
    /// Receive, and send each message back.
    Echo(&'static Wire),
    Send {
        message: &'static Message,
        times: u64,
    },
}

#[derive(Debug)]
pub struct Message {
    pub kind: Kind,
    pub payload: Vec<u8>,
}

impl Message {
    /// The payload of a text message.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).expect("this message is a text")
    }
}

const SIZES: [usize; 5] = [16, 125, 1024, 16 * 1024, 1024 * 1024];
const PING: &[u8] = b"ping";

/// All rows, in the order of the table.
pub fn all() -> Vec<Scenario> {
    let mut rows = Vec::new();
    for (role, side) in [(Role::Server, "server"), (Role::Client, "client")] {
        for (kind, name) in [(Kind::Text, "text"), (Kind::Binary, "binary")] {
            for size in SIZES {
                let title = format!("receive {name} {}, {side}", human(size));
                rows.push(receive(title, role, kind, payload(kind, size), size));
            }
        }
    }
    for size in [1024, 64 * 1024] {
        let title = format!("receive Chinese text {}, server", human(size));
        rows.push(receive(title, Role::Server, Kind::Text, chinese(size), size));
    }
    let title = "receive 1 MiB in 4 KiB fragments, server".into();
    rows.push(receive(
        title,
        Role::Server,
        Kind::Binary,
        payload(Kind::Binary, 1024 * 1024),
        4096,
    ));
    let title = "receive 64 KiB text in 1 KiB fragments, server".into();
    rows.push(receive(
        title,
        Role::Server,
        Kind::Text,
        payload(Kind::Text, 64 * 1024),
        1024,
    ));
    rows.push(pinged("receive text 64 B, ping after each, server".into()));
    rows.push(echo("echo text 125 B, server".into(), Kind::Text, 125));
    for (role, side) in [(Role::Server, "server"), (Role::Client, "client")] {
        for (kind, name) in [(Kind::Text, "text"), (Kind::Binary, "binary")] {
            for size in SIZES {
                rows.push(send(
                    format!("send {name} {}, {side}", human(size)),
                    role,
                    kind,
                    size,
                ));
            }
        }
    }
    rows
}

fn receive(name: String, role: Role, kind: Kind, payload: Vec<u8>, frame_size: usize) -> Scenario {
    let mut wire = Wire::to(role);
    let messages = batch(payload.len());
    for _ in 0..messages {
        wire.message(kind, &payload, frame_size);
    }
    let expected = Expected {
        seen: seen(kind, &payload, messages),
        sent_bytes: 0,
        sent: Seen::new(Check::Thorough),
    };
    Scenario {
        name,
        role,
        work: Work::Receive(Box::leak(Box::new(wire))),
        messages,
        expected,
    }
}

fn pinged(name: String) -> Scenario {
    let mut wire = Wire::to(Role::Server);
    let text = payload(Kind::Text, 64);
    let messages = batch(text.len());
    for _ in 0..messages {
        wire.message(Kind::Text, &text, text.len());
        wire.ping(PING);
    }
    let expected = Expected {
        seen: seen(Kind::Text, &text, messages),
        sent_bytes: messages * (2 + PING.len() as u64),
        sent: seen(Kind::Binary, PING, messages)[1].clone(),
    };
    Scenario {
        name,
        role: Role::Server,
        work: Work::Receive(Box::leak(Box::new(wire))),
        messages,
        expected,
    }
}

fn echo(name: String, kind: Kind, size: usize) -> Scenario {
    let mut scenario = receive(name, Role::Server, kind, payload(kind, size), size);
    if let Work::Receive(wire) = scenario.work {
        scenario.work = Work::Echo(wire);
    }
    scenario.expected.sent = scenario.expected.seen[1].clone();
    scenario.expected.sent_bytes = scenario.messages * (size + header_size(Role::Server, size)) as u64;
    scenario
}

fn send(name: String, role: Role, kind: Kind, size: usize) -> Scenario {
    let message = Message {
        kind,
        payload: payload(kind, size),
    };
    let messages = batch(size);
    let expected = Expected {
        seen: [Check::Quick, Check::Thorough].map(Seen::new),
        sent_bytes: messages * (size + header_size(role, size)) as u64,
        sent: seen(kind, &message.payload, messages)[1].clone(),
    };
    let work = Work::Send {
        message: Box::leak(Box::new(message)),
        times: messages,
    };
    Scenario {
        name,
        role,
        work,
        messages,
        expected,
    }
}

/// A batch fills some reads and stays in the second cache, where a real read would leave it; but has at least four messages.
fn batch(size: usize) -> u64 {
    (4 * READ_SIZE / (size + 8)).max(4) as u64
}

fn seen(kind: Kind, payload: &[u8], times: u64) -> [Seen; 2] {
    [Check::Quick, Check::Thorough].map(|check| {
        let mut seen = Seen::new(check);
        (0..times).for_each(|_| seen.message(kind, payload));
        seen
    })
}

fn header_size(sender: Role, size: usize) -> usize {
    let key = if sender == Role::Client { 4 } else { 0 };
    key + match size {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

fn payload(kind: Kind, size: usize) -> Vec<u8> {
    let mut random = Random(1);
    match kind {
        Kind::Text => (0..size).map(|_| b' ' + (random.next() % 95) as u8).collect(),
        Kind::Binary => (0..size).map(|_| random.next() as u8).collect(),
    }
}

fn chinese(size: usize) -> Vec<u8> {
    let mut random = Random(1);
    let ideographs = || char::from_u32(0x4e00 + (random.next() % 0x5000) as u32);
    let mut text = String::from_iter(std::iter::repeat_with(ideographs).flatten().take(size / 3));
    text.extend(std::iter::repeat_n('.', size - text.len()));
    text.into()
}
