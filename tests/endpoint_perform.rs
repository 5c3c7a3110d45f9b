//! `Endpoint::perform`: each step, with each result of the transport, does what the docs of the step's calls say.
#![cfg(feature = "std")]

mod common;

use common::*;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, ShutdownWrite, Step};
use websocket_proto::{CloseCode, Config, Event, Role};

const NOW: Duration = Duration::ZERO;

/// The result of one call on a transport.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// This many bytes were read or written; for the other calls, success.
    Done(usize),
    Error(ErrorKind),
}

const OUTCOMES: [Outcome; 7] = [
    Outcome::Done(1),
    Outcome::Done(4),
    Outcome::Done(0),
    Outcome::Error(ErrorKind::Interrupted),
    Outcome::Error(ErrorKind::WouldBlock),
    Outcome::Error(ErrorKind::TimedOut),
    Outcome::Error(ErrorKind::BrokenPipe),
];

/// A transport that answers one call, and records which it was.
struct Scripted {
    outcome: Outcome,
    calls: Vec<&'static str>,
}

impl Scripted {
    fn answer(&mut self, call: &'static str) -> Result<usize> {
        self.calls.push(call);
        match self.outcome {
            Outcome::Done(size) => Ok(size),
            Outcome::Error(kind) => Err(kind.into()),
        }
    }
}

impl Read for Scripted {
    fn read(&mut self, space: &mut [u8]) -> Result<usize> {
        let size = self.answer("read")?;
        space[..size].copy_from_slice(&server().incoming(0x81, b"later")[..size]);
        Ok(size)
    }
}

impl Write for Scripted {
    fn write(&mut self, _: &[u8]) -> Result<usize> {
        self.answer("write")
    }

    fn flush(&mut self) -> Result<()> {
        self.answer("flush").map(drop)
    }
}

impl ShutdownWrite for Scripted {
    fn shutdown_write(&mut self) -> Result<()> {
        self.answer("shut down").map(drop)
    }
}

/// Bytes arrive that were asked for by `Step::Read`.
fn receive(endpoint: &mut Endpoint, bytes: &[u8]) {
    endpoint.read_space()[..bytes.len()].copy_from_slice(bytes);
    endpoint.received(bytes.len());
}

/// Does what a step asks for, on a transport that accepts everything, from which the peer's Close is read.
fn proceed(endpoint: &mut Endpoint, step: Step) {
    match step {
        Step::Read => receive(endpoint, &server().incoming(0x88, &[])),
        Step::Write => endpoint.written(endpoint.output().len()),
        Step::Flush => endpoint.flushed(),
        Step::Shutdown => endpoint.shut_down(),
        Step::Event => while endpoint.next_event().is_some() {},
        step => panic!("{step:?}"),
    }
}

/// An endpoint with output of several bytes, at the first step of this kind.
fn reach(wanted: Step) -> Endpoint {
    let connection = open(Role::Server, &Config::new());
    let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, &[], NOW);
    endpoint.sender().send_text("Hello").unwrap();
    loop {
        let step = endpoint.step(NOW);
        if step == wanted {
            return endpoint;
        }
        proceed(&mut endpoint, step);
    }
}

/// The calls that the docs of a step name for a result.
fn by_hand(endpoint: &mut Endpoint, step: Step, outcome: Outcome) {
    let error = |kind: ErrorKind| Error::from(kind);
    match (step, outcome) {
        (_, Outcome::Error(ErrorKind::Interrupted)) => {}
        (Step::Read, Outcome::Done(size)) => receive(endpoint, &server().incoming(0x81, b"later")[..size]),
        (Step::Read, Outcome::Error(ErrorKind::BrokenPipe)) => {
            endpoint.read_failed(error(ErrorKind::BrokenPipe))
        }
        (Step::Read, Outcome::Error(_)) => endpoint.read_blocked(),
        (Step::Write, Outcome::Done(0)) => endpoint.write_failed(error(ErrorKind::WriteZero)),
        (Step::Write, Outcome::Done(size)) => endpoint.written(size),
        (Step::Flush, Outcome::Done(_)) => endpoint.flushed(),
        (Step::Shutdown, Outcome::Done(_)) => endpoint.shut_down(),
        (_, Outcome::Error(ErrorKind::BrokenPipe)) => endpoint.write_failed(error(ErrorKind::BrokenPipe)),
        (_, Outcome::Error(_)) => endpoint.write_blocked(),
        (step, outcome) => panic!("{step:?} {outcome:?}"),
    }
}

/// What can be seen of an endpoint now, and how it ends.
fn observe(mut endpoint: Endpoint) -> String {
    let step = endpoint.step(NOW);
    let output = endpoint.output().to_vec();
    format!(
        "{step:?} {output:?} {:?} {}",
        endpoint.deadline(),
        endpoint.into_end()
    )
}

/// The steps that make a call on the transport, each with the name of the call.
const CALLS: [(Step, &str); 4] = [
    (Step::Read, "read"),
    (Step::Write, "write"),
    (Step::Flush, "flush"),
    (Step::Shutdown, "shut down"),
];

// `Endpoint::perform`: "with one call on a transport of std, and records the result"
#[test]
fn perform_makes_one_call_and_records_its_result() {
    for (step, call) in CALLS {
        for outcome in OUTCOMES {
            let (mut performed, mut expected) = (reach(step), reach(step));
            let mut transport = Scripted {
                outcome,
                calls: Vec::new(),
            };
            performed.perform(step, &mut transport);
            by_hand(&mut expected, step, outcome);
            assert_eq!(transport.calls, [call], "{step:?} {outcome:?}");
            assert_eq!(observe(performed), observe(expected), "{step:?} {outcome:?}");
        }
    }
}

// Different results have different effects: `Interrupted` leaves the step as it was, and a timeout of a socket is a
// transport that is blocked.
#[test]
fn results_of_a_call_differ_in_what_follows() {
    for (step, _) in CALLS {
        let after = |outcome| {
            let mut endpoint = reach(step);
            endpoint.perform(
                step,
                &mut Scripted {
                    outcome,
                    calls: Vec::new(),
                },
            );
            observe(endpoint)
        };
        let blocked = after(Outcome::Error(ErrorKind::WouldBlock));
        assert_eq!(after(Outcome::Error(ErrorKind::TimedOut)), blocked);
        assert_eq!(
            after(Outcome::Error(ErrorKind::Interrupted)),
            observe(reach(step))
        );
        let mut all = [Outcome::Done(1), Outcome::Error(ErrorKind::BrokenPipe)]
            .map(after)
            .to_vec();
        all.extend([blocked, observe(reach(step))]);
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4, "{step:?}: {all:#?}");
    }
}

// `Step::Wait`: "means to try again, which this method handles"
#[test]
fn perform_tries_again_after_a_wait_and_ignores_other_steps() {
    for (step, call) in CALLS {
        let mut endpoint = reach(step);
        let mut transport = Scripted {
            outcome: Outcome::Error(ErrorKind::WouldBlock),
            calls: Vec::new(),
        };
        // An endpoint that cannot write still reads.
        let waits = loop {
            match endpoint.step(NOW) {
                wait @ Step::Wait(_) => break wait,
                step => endpoint.perform(step, &mut transport),
            }
        };
        let calls = transport.calls.clone();
        assert_eq!(calls[0], call);
        endpoint.perform(waits, &mut transport);
        assert_eq!(endpoint.step(NOW), step);
        for ignored in [Step::Request, Step::Response, Step::Event, Step::Done] {
            endpoint.perform(ignored, &mut transport);
            assert_eq!(endpoint.step(NOW), step);
        }
        assert_eq!(transport.calls, calls, "only a step that makes a call makes one");
    }
}

// RFC 6455 section 7.1.1: after `Step::Shutdown` the peer reads the end of the transport, and can still send
#[test]
#[cfg(not(target_family = "wasm"))]
fn sockets_are_shut_down_for_writing_only() {
    let shut_downs: [fn(&mut TcpStream) -> Result<()>; 2] = [
        |stream| ShutdownWrite::shutdown_write(stream),
        |stream| ShutdownWrite::shutdown_write(&mut &*stream),
    ];
    for shut_down in shut_downs {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        shut_down(&mut stream).unwrap();
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        peer.write_all(b"x").unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    }
}

/// More than a connection on the loopback interface buffers.
const LARGE: usize = 16_000_000;

/// Sends a large message, receives one, and closes; with short timeouts of the socket while output waits. The clock stands still, so
/// no deadline of the endpoint passes.
fn exchange(mut stream: TcpStream, role: Role) -> End {
    let connection = open(role, &Config::new().max_message_size(LARGE as u64));
    let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, &[], NOW);
    endpoint
        .sender()
        .send_binary(&vec![7; LARGE])
        .expect("it is open");
    loop {
        match endpoint.step(NOW) {
            Step::Event => {
                if let Some((Event::Binary(message), mut sender)) = endpoint.next_event() {
                    assert_eq!(message.len(), LARGE);
                    _ = sender.close(CloseCode::NORMAL, ""); // the peer may have closed
                }
            }
            Step::Done => return endpoint.into_end(),
            step => {
                let timeout = (!endpoint.output().is_empty()).then_some(Duration::from_millis(10));
                stream.set_read_timeout(timeout).unwrap();
                stream.set_write_timeout(timeout).unwrap();
                endpoint.perform(step, &mut stream);
            }
        }
    }
}

// D88: two ends on blocking sockets that both send more than the network buffers do not wait for each other
#[test]
#[cfg(not(target_family = "wasm"))]
#[cfg_attr(miri, ignore = "uses the network")]
fn blocking_ends_that_both_send_much_take_turns() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let serving = thread::spawn(|| exchange(server, Role::Server));
    for end in [exchange(client, Role::Client), serving.join().unwrap()] {
        assert!(end.is_clean(), "{end}");
    }
}
