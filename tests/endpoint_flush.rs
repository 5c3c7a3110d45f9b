//! The output of an endpoint while events wait to be taken: [`Endpoint::flush_step`].
#![cfg(feature = "alloc")]

use core::time::Duration;

use websocket_proto::endpoint::{Endpoint, EndpointConfig, Interest, SendError, Step, Timeout};
use websocket_proto::{Config, Connection, Event};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server that has received two texts that the caller has not taken.
fn with_events() -> Endpoint {
    let connection = Connection::server(&Config::new());
    let read = b"\x81\x80\0\0\0\0\x81\x80\0\0\0\0";
    Endpoint::from_connection(&EndpointConfig::new(), connection, read, at(0))
}

/// RFC 6455 section 6.1: a message is sent while others wait to be received, which `step` would return first.
#[test]
fn output_is_written_and_flushed_while_events_wait() {
    let mut endpoint = with_events();
    endpoint.sender().send_text("Hello").expect("it is open");
    assert_eq!(endpoint.step(at(0)), Step::Event);
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Write));
    endpoint.written(3);
    endpoint.write_blocked();
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Wait(Interest::Writable)));
    endpoint.ready();
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Write));
    endpoint.written(4);
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Flush));
    endpoint.flushed();
    assert_eq!(endpoint.flush_step(at(0)), None);
    let mut taken = 0;
    while let Some((event, _)) = endpoint.next_event() {
        assert_eq!(event, Event::Text("".into()));
        taken += 1;
    }
    assert_eq!(taken, 2, "the events wait still");
}

/// The write timeout also runs without calls to `step`.
#[test]
fn peer_that_does_not_read_is_given_up_while_events_wait() {
    let mut endpoint = with_events();
    endpoint.sender().send_text("Hello").expect("it is open");
    assert_eq!(endpoint.flush_step(at(1)), Some(Step::Write));
    endpoint.write_blocked();
    assert_eq!(endpoint.flush_step(at(1)), Some(Step::Wait(Interest::Writable)));
    assert_eq!(endpoint.deadline(), Some(at(11)));
    assert_eq!(endpoint.flush_step(at(11)), Some(Step::Done));
    assert_eq!(endpoint.sender().send_text("more"), Err(SendError::NotOpen));
    assert_eq!(endpoint.into_end().timeout(), Some(Timeout::Write));
}

/// Buffered output is lost with the transport, which is reported to callers that wait for it.
#[test]
fn failed_transport_is_the_end_of_flushing() {
    let mut endpoint = with_events();
    endpoint.sender().send_text("Hello").expect("it is open");
    endpoint.write_failed("broken pipe");
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Done));
    assert_eq!(
        endpoint.step(at(0)),
        Step::Event,
        "what came before is still handed out"
    );
}

/// RFC 6455 section 7.1.1: there is nothing to wait for before the peer ends its direction, however it was shut down.
#[test]
fn nothing_is_flushed_after_writing_is_shut_down() {
    let mut endpoint = with_events();
    while endpoint.next_event().is_some() {}
    endpoint.sender().close(1000, "").expect("it is open");
    endpoint.receive(b"\x88\x82\0\0\0\0\x03\xe8");
    while endpoint.next_event().is_some() {}
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Write));
    endpoint.written(endpoint.output().len());
    assert_eq!(endpoint.flush_step(at(0)), Some(Step::Flush));
    endpoint.flushed();
    assert_eq!(
        endpoint.flush_step(at(0)),
        None,
        "the next step is that of `step`"
    );
    assert_eq!(endpoint.step(at(0)), Step::Shutdown);
    endpoint.shut_down();
    assert_eq!(endpoint.flush_step(at(0)), None);
    assert_eq!(endpoint.step(at(0)), Step::Read);
}

/// RFC 6455 section 5.5.2: the Pong may be among the bytes that the caller has not taken, so the peer is not silent.
#[test]
fn peer_whose_bytes_wait_for_the_caller_is_alive() {
    let mut endpoint = with_events();
    let flush = |endpoint: &mut Endpoint, now| {
        while let Some(step) = endpoint.flush_step(now) {
            match step {
                Step::Write => endpoint.written(endpoint.output().len()),
                Step::Flush => endpoint.flushed(),
                step => return Some(step),
            }
        }
        None
    };
    assert_eq!(flush(&mut endpoint, at(20)), None, "a Ping is sent");
    assert_eq!(flush(&mut endpoint, at(41)), None);
    assert_eq!(endpoint.end().map(ToString::to_string), None);
    while endpoint.next_event().is_some() {}
    let mut now = at(41);
    for _ in 0..3 {
        now = endpoint.deadline().map_or(now, |deadline| deadline.max(now));
        flush(&mut endpoint, now);
    }
    assert_eq!(
        endpoint.into_end().timeout(),
        Some(Timeout::Ping),
        "it is silent from then on"
    );
}
