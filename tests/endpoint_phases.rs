//! Calls on an `Endpoint` in a phase that they are not for: they have no effect, and the phase goes on.
#![cfg(feature = "alloc")]

mod common;

use common::endpoints::write_all;
use common::*;
use std::time::Duration;
use websocket_proto::endpoint::{
    Buffers, Endpoint, EndpointConfig, Interest, Interruption, Outcome, Output, ReadBuffer, SendError, Step,
};
use websocket_proto::handshake::{ClientRequest, HandshakeError, HandshakeMisuse, Request};
use websocket_proto::{ClosedBy, Compression, Config, Role, entropy};

const NOW: Duration = Duration::ZERO;

const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// To the nonce of [`waiting_client`].
const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n";

fn opened(role: Role) -> Endpoint {
    Endpoint::from_connection(&EndpointConfig::new(), open(role, &Config::new()), &[], NOW)
}

/// A client that has sent its request.
fn waiting_client() -> Endpoint {
    let request = ClientRequest::from_url("ws://h").unwrap();
    let entropy = entropy::from_fn(|bytes| bytes.fill(0));
    let mut endpoint = Endpoint::client(&EndpointConfig::new(), request, entropy, NOW);
    write_all(&mut endpoint, NOW);
    endpoint
}

/// A client whose response accepts, and was not taken.
fn accepted_client() -> Endpoint {
    let mut endpoint = waiting_client();
    endpoint.receive(RESPONSE);
    assert_eq!(endpoint.step(NOW), Step::Response);
    endpoint
}

/// A server whose request was not taken.
fn requested_server() -> Endpoint {
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), NOW);
    endpoint.receive(REQUEST);
    assert_eq!(endpoint.step(NOW), Step::Request);
    endpoint
}

fn request() -> Request {
    requested_server().take_request().unwrap()
}

fn all_phases() -> [Endpoint; 6] {
    let mut ended = opened(Role::Server);
    ended.abort();
    [
        Endpoint::server(&EndpointConfig::new(), NOW),
        requested_server(),
        waiting_client(),
        accepted_client(),
        opened(Role::Client),
        ended,
    ]
}

/// The role, as `Debug` shows it: `None` once an endpoint has ended.
fn shown_role(endpoint: &Endpoint) -> String {
    let shown = format!("{endpoint:?}");
    let (_, role) = shown.split_once("role: ").unwrap();
    role.split_inclusive(')')
        .next()
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .into()
}

#[test]
fn debug_shows_the_role_until_the_end() {
    let roles = all_phases().map(|endpoint| shown_role(&endpoint));
    let (server, client) = ("Some(Server)", "Some(Client)");
    assert_eq!(roles, [server, server, client, client, client, "None"]);
}

/// Only an open endpoint has events, and only a client whose response is there returns it.
#[test]
fn nothing_is_returned_in_other_phases() {
    for (which, mut endpoint) in all_phases().into_iter().enumerate() {
        let (step, role) = (endpoint.step(NOW), shown_role(&endpoint));
        assert!(endpoint.next_event().is_none(), "{which}");
        let is_accepted = step == Step::Response;
        assert_eq!(endpoint.take_response().is_some(), is_accepted, "{which}");
        if !is_accepted {
            assert_eq!(
                (endpoint.step(NOW), shown_role(&endpoint)),
                (step, role),
                "{which}"
            );
        }
    }
}

// RFC 6455 section 4.2.2: a server answers a request once
#[test]
fn request_is_checked_only_while_it_waits_for_its_response() {
    let request = request();
    for mut endpoint in [opened(Role::Server), requested_server(), waiting_client()] {
        let step = endpoint.step(NOW);
        assert_eq!(endpoint.upgrade(&request).err(), Some(HandshakeError::Finished));
        assert!(endpoint.output().is_empty());
        assert_eq!(endpoint.step(NOW), step);
    }
}

/// Settings of a connection, and memory for it, are dropped without one.
#[test]
fn sender_without_a_connection_keeps_nothing() {
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), NOW);
    let mut sender = endpoint.sender();
    sender.set_compression(Compression::On);
    sender.recycle(vec![0; 1024]);
    assert!(!sender.compresses() && !sender.is_open());
    assert_eq!(sender.send_binary(b"x"), Err(SendError::NotOpen));
    assert_eq!(endpoint.capacity(), 0);
}

// RFC 9112 section 9.6: a client may end its direction after its request, which is answered still
#[test]
fn request_before_the_end_of_the_transport_is_answered() {
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), NOW);
    endpoint.receive(REQUEST);
    endpoint.received(0);
    assert_eq!(endpoint.step(NOW), Step::Request);
    endpoint.accept();
    assert_eq!(endpoint.step(NOW), Step::Event);
    assert!(endpoint.next_event().is_none());
    assert!(write_all(&mut endpoint, NOW).starts_with(b"HTTP/1.1 101 "));
}

// RFC 6455 section 4.2.2: 6455-4.2.2-11, 6455-4.2.2-13. Frames may follow a response at once. A driver whose reads run by themselves passes them on before the caller
// has taken the head, and also those of a client that does not wait: they are the first events.
#[test]
fn frames_before_the_head_is_taken_are_the_first_events() {
    let mut client = accepted_client();
    client.receive(b"\x81\x02Hi");
    client.take_response().unwrap();

    let mut server = requested_server();
    server.receive(b"\x81\x82\0\0\0\0H");
    assert_eq!(server.step(NOW), Step::Request);
    let request = server.take_request().unwrap();
    server.receive(b"i");
    assert_eq!(server.step(NOW), Step::Wait(Interest::Nothing));
    let upgrade = server.upgrade(&request).unwrap();
    server.accept_upgrade(upgrade).unwrap();

    for mut endpoint in [client, server] {
        assert_eq!(endpoint.step(NOW), Step::Event);
        let (event, _) = endpoint.next_event().expect("nothing is lost");
        assert_eq!(Seen::from(event), text("Hi"));
        assert!(endpoint.next_event().is_none());
    }
}

// RFC 6455 section 7.1.1, RFC 9110 section 15.5: nothing is read behind a request that was refused, or a response that rejects, and what
// arrives takes no memory
#[test]
fn bytes_after_a_handshake_without_a_connection_take_no_memory() {
    const READ: usize = 4096;
    let config = EndpointConfig::new().max_read_size(READ);
    let mut refusing = Endpoint::server(&config, NOW);
    refusing.receive(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(refusing.step(NOW), Step::Write, "the 400");
    let mut rejected = waiting_client();
    rejected.receive(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(rejected.step(NOW), Step::Response);
    for mut endpoint in [refusing, rejected] {
        let (step, capacity) = (endpoint.step(NOW), endpoint.capacity());
        for _ in 0..100 {
            endpoint.receive(&[0; READ]);
            assert_eq!(endpoint.step(NOW), step);
        }
        assert!(endpoint.capacity() <= capacity + READ, "{}", endpoint.capacity());
    }
}

// RFC 6455 section 7.1.1: a transport that has ended in both directions may be dropped, although the caller has not answered the request
#[test]
fn caller_need_not_answer_a_request_whose_transport_is_gone() {
    let mut endpoint = requested_server();
    let request = endpoint.take_request().unwrap();
    let upgrade = endpoint.upgrade(&request).unwrap();
    endpoint.read_failed("connection reset");
    assert_eq!(endpoint.step(NOW), Step::Done);
    assert_eq!(endpoint.accept_upgrade(upgrade), Err(HandshakeMisuse::NoRequest));
    let end = endpoint.into_end();
    assert!(
        matches!(end.interruption, Some(Interruption::Transport(_))),
        "{end:?}"
    );
    assert_eq!(end.outcome, Outcome::Failed(HandshakeError::Unanswered));
}

/// The connection that the response opened ends with its endpoint, although the caller has not taken the response.
#[test]
fn accepted_client_that_is_aborted_has_closed_its_connection() {
    let end = accepted_client().into_end();
    assert!(matches!(end.interruption, Some(Interruption::Aborted)), "{end:?}");
    let Outcome::Closed(closed) = &end.outcome else {
        panic!("{end:?}");
    };
    assert_eq!(closed.by(), ClosedBy::Transport);
    assert!(!end.is_clean());
}

/// The end of the transport is not undone by a report that it has nothing to read.
#[test]
fn transport_that_has_ended_stays_so() {
    let mut endpoint = opened(Role::Server);
    assert_eq!(endpoint.step(NOW), Step::Read);
    endpoint.received(0);
    endpoint.read_blocked();
    endpoint.ready();
    assert_eq!(endpoint.step(NOW), Step::Event);
    assert!(endpoint.next_event().is_none());
    assert_eq!(endpoint.step(NOW), Step::Shutdown);
    endpoint.shut_down();
    assert_eq!(endpoint.step(NOW), Step::Done);
}

/// What is sent after the transport failed is accepted and dropped, as the peer's Close may still arrive.
#[test]
fn reports_of_writes_do_not_revive_a_failed_transport() {
    let mut endpoint = opened(Role::Server);
    endpoint.write_failed("broken pipe");
    _ = endpoint.sender().send_text("x");
    endpoint.written(1);
    assert_eq!(endpoint.flush_step(NOW), Some(Step::Done));
    assert_eq!(endpoint.step(NOW), Step::Read);
    assert!(endpoint.output().is_empty());
}

/// Buffers that hold bytes stay with their endpoint; empty ones are replaced.
#[test]
fn buffers_are_replaced_only_while_they_hold_nothing() {
    let large = || {
        let mut buffers = Buffers::new(64 * 1024);
        buffers.read.extend(&[0; 64 * 1024]);
        Box::new(buffers)
    };
    let mut endpoint = opened(Role::Server);
    _ = endpoint.read_space();
    assert!((1..64 * 1024).contains(&endpoint.capacity()));
    endpoint.lend_buffers(large());
    assert!(endpoint.capacity() >= 64 * 1024);

    let mut endpoint = opened(Role::Server);
    endpoint.sender().send_text("x").unwrap();
    assert!(endpoint.take_buffers().is_none(), "they hold a message");
    endpoint.lend_buffers(large());
    assert!(endpoint.capacity() < 64 * 1024);
    assert_eq!(endpoint.output(), b"\x81\x01x");
}

#[test]
fn defaults_are_those_of_new() {
    assert_eq!(EndpointConfig::default(), EndpointConfig::new());
    let output = Output::default();
    assert_eq!((output.len(), output.capacity()), (0, 0));
}

// RFC 6455 section 5.5: a control frame always fits, however small the reads are to be
#[test]
fn reads_are_at_least_as_large_as_a_control_frame() {
    for size in [0, 1, 127, 128] {
        assert_eq!(ReadBuffer::new(size).space(0).len(), 128);
    }
    assert_eq!(ReadBuffer::new(129).space(0).len(), 129);
}
