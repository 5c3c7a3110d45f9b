//! The bound on output, `EndpointConfig::max_buffered`, against a count of its own, in every order of a few acts.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{Config, Connection, Event, Fin, MessageKind, Role, entropy};

const LIMIT: usize = 24;
const DEPTH: u32 = 5;
/// A payload that is sent back in a frame of 12 bytes, by the endpoint or by its caller.
const PAYLOAD: &[u8] = &[7; 10];
const FRAME: usize = 2 + PAYLOAD.len();

#[derive(Clone, Copy, Debug)]
enum Act {
    Ping,
    Message,
    /// The next event is requested, and a message is replied to.
    Take,
    Send,
    Write(usize),
}

const ACTS: [Act; 6] = [
    Act::Ping,
    Act::Message,
    Act::Take,
    Act::Send,
    Act::Write(7),
    Act::Write(FRAME),
];

/// An endpoint, and independent counts of its pending input and output.
struct Counted {
    endpoint: Endpoint,
    frames: usize,
    waiting: usize,
    /// How much of the output does not count as replies: everything sent without an event, or the entire output if that is less.
    sent: usize,
}

impl Counted {
    fn new() -> Self {
        let config = EndpointConfig::new().max_buffered(LIMIT);
        Self {
            endpoint: Endpoint::from_connection(
                &config,
                open(Role::Server, &Config::new()),
                &[],
                Duration::ZERO,
            ),
            frames: 0,
            waiting: 0,
            sent: 0,
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Ping => self.read(0x89),
            Act::Message => self.read(0x82),
            Act::Take => self.take(),
            Act::Send => self.send(),
            Act::Write(size) => self.write(size),
        }
        assert_eq!(self.endpoint.output().len(), self.waiting);
    }

    fn read(&mut self, first: u8) {
        self.endpoint.receive(&server().all_incoming(&[(first, PAYLOAD)]));
        self.frames += 1;
    }

    fn take(&mut self) {
        let is_full = self.waiting - self.sent >= LIMIT;
        let event = self.endpoint.next_event();
        assert_eq!(event.is_some(), self.frames > 0 && !is_full);
        let Some((event, mut sender)) = event else {
            return;
        };
        if let Event::Binary(payload) = event {
            sender
                .send_binary(&payload)
                .expect("each event may be replied to");
        }
        self.frames -= 1;
        self.waiting += FRAME;
        let (waiting, limit) = (self.waiting - self.sent, LIMIT);
        if waiting >= LIMIT {
            assert_eq!(sender.send_binary(b""), Err(SendError::Full { waiting, limit }));
        }
    }

    fn send(&mut self) {
        let sent = self.endpoint.sender().send_binary(PAYLOAD);
        if self.waiting >= LIMIT {
            let (waiting, limit) = (self.waiting, LIMIT);
            assert_eq!(sent, Err(SendError::Full { waiting, limit }));
            return;
        }
        assert_eq!(sent, Ok(()));
        self.waiting += FRAME;
        self.sent += FRAME;
    }

    fn write(&mut self, size: usize) {
        self.endpoint.written(size);
        self.waiting = self.waiting.saturating_sub(size);
        self.sent = self.sent.min(self.waiting);
    }
}

// D88: an event is returned if and only if the buffered replies are within the limit, also if the caller takes events one after
// another without a step; a message is sent without an event if and only if all buffered output is
#[test]
#[cfg_attr(miri, ignore = "many sequences")]
fn bound_holds_in_every_order_of_acts() {
    for number in 0..ACTS.len().pow(DEPTH) {
        let acts = (0..DEPTH).map(|place| ACTS[number / ACTS.len().pow(place) % ACTS.len()]);
        let mut counted = Counted::new();
        // Enough of both for the bound to matter.
        for act in [Act::Ping, Act::Message, Act::Ping, Act::Message]
            .into_iter()
            .chain(acts)
        {
            counted.act(act);
        }
        (0..4).for_each(|_| counted.act(Act::Take));
    }
}

/// Sends messages until one is refused, and returns how many were accepted and the error.
fn fill(endpoint: &mut Endpoint) -> (usize, SendError) {
    let mut sender = endpoint.sender();
    for accepted in 0..100 {
        if let Err(error) = sender.send_binary(PAYLOAD) {
            return (accepted, error);
        }
    }
    panic!("a hundred messages were accepted");
}

fn opened(max_buffered: usize) -> Endpoint {
    let config = EndpointConfig::new().max_buffered(max_buffered);
    Endpoint::from_connection(&config, open(Role::Server, &Config::new()), &[], Duration::ZERO)
}

// D88: the bound is that of the endpoint, whose ever the buffers were
#[test]
fn bound_does_not_come_with_lent_buffers() {
    for of_lender in [1, LIMIT, 1024 * 1024] {
        let (mut lender, mut endpoint) = (opened(of_lender), opened(LIMIT));
        assert!(!lender.sender().is_full(), "now it has buffers");
        let buffers = lender.take_buffers().expect("they hold nothing");
        endpoint.lend_buffers(buffers);
        let (waiting, limit) = (LIMIT, LIMIT);
        assert_eq!(fill(&mut endpoint), (2, SendError::Full { waiting, limit }));
    }
}

// D88: a client's endpoint has its bound, although its output began with the request
#[test]
fn bound_holds_for_a_client() {
    let config = EndpointConfig::new().max_buffered(LIMIT);
    let request = ClientRequest::from_url("ws://h/").expect("well-formed");
    let nonce = entropy::from_fn(|nonce| nonce.fill(0));
    let mut endpoint = Endpoint::client(&config, request, nonce, Duration::ZERO);
    assert!(endpoint.sender().is_full(), "of the request");
    endpoint.written(endpoint.output().len());
    endpoint.receive(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n",
    );
    assert_eq!(endpoint.step(Duration::ZERO), Step::Response);
    endpoint.take_response().expect("it has arrived");
    // With the mask keys, two frames are over the limit.
    let waiting = 2 * (FRAME + 4);
    assert_eq!(
        fill(&mut endpoint),
        (
            2,
            SendError::Full {
                waiting,
                limit: LIMIT
            }
        )
    );
}

// D88, RFC 6455 section 5.5.1: no message follows our Close, so there is no use in waiting until the output is no longer full
#[test]
fn full_output_behind_a_close_is_not_open() {
    let mut endpoint = opened(LIMIT);
    let (_, full) = fill(&mut endpoint);
    assert!(matches!(full, SendError::Full { .. }));
    endpoint
        .sender()
        .close(1000, "")
        .expect("a Close is always accepted");
    assert!(endpoint.sender().is_full());
    assert_eq!(endpoint.sender().send_binary(b""), Err(SendError::NotOpen));
    let fragment = endpoint
        .sender()
        .send_fragment(MessageKind::Binary, b"", Fin::Last);
    assert_eq!(fragment, Err(SendError::NotOpen));
}

// D88, RFC 6455 section 5.5.1: after the peer's Close a message that was begun may be completed, once there is space for it
#[test]
fn full_output_behind_the_peers_close_accepts_fragments_later() {
    let config = Config::new().auto_close(false);
    let connection = Connection::server(&config);
    let limits = EndpointConfig::new().max_buffered(LIMIT);
    let mut endpoint = Endpoint::from_connection(&limits, connection, &[], Duration::ZERO);
    let begun = endpoint
        .sender()
        .send_fragment(MessageKind::Binary, &[7; LIMIT], Fin::More);
    assert_eq!(begun, Ok(()));
    endpoint.receive(&server().all_incoming(&[(0x88, b"")]));
    assert!(matches!(endpoint.next_event(), Some((Event::Close(_), _))));
    let mut fragment = || {
        endpoint
            .sender()
            .send_fragment(MessageKind::Binary, b"", Fin::Last)
    };
    assert!(matches!(fragment(), Err(SendError::Full { .. })));
    endpoint.written(endpoint.output().len());
    assert_eq!(
        endpoint
            .sender()
            .send_fragment(MessageKind::Binary, b"", Fin::Last),
        Ok(())
    );
}
