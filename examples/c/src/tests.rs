//! What a C program cannot provoke: a panic.

use std::mem::MaybeUninit;
use std::time::Duration;

use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
use websocket_proto::entropy;
use websocket_proto::handshake::ClientRequest;

use crate::bytes::wsp_bytes;
use crate::code::{wsp_code, wsp_message};
use crate::create::{insert, wsp_free};
use crate::drive::wsp_next_step;
use crate::events::wsp_next_event;
use crate::send::{wsp_send_ping, wsp_send_text};
use crate::table::wsp_endpoint;

/// A client of an open connection whose source of entropy panics when it is used for the `allowed + 1`th time.
fn client_that_panics(allowed: usize) -> wsp_endpoint {
    let mut uses = 0;
    let source = entropy::from_fn(move |bytes| {
        uses += 1;
        assert!(uses <= allowed, "a panic that the test wants");
        bytes.fill(7);
    });
    let request = ClientRequest::from_url("ws://example.com/").unwrap();
    let (config, now) = (EndpointConfig::new(), Duration::ZERO);
    let mut client = Endpoint::client(&config, request, source, now);
    let mut server = Endpoint::server(&config, now);
    server.receive(client.output());
    client.written(client.output().len());
    assert_eq!(server.step(now), Step::Request);
    server.accept();
    client.receive(server.output());
    assert_eq!(client.step(now), Step::Response);
    client.take_response().unwrap();
    insert(client, None).unwrap()
}

#[test]
fn panic_becomes_an_error_and_poisons_the_handle() {
    let client = client_that_panics(2); // the nonce, and one mask key
    let other = client_that_panics(usize::MAX);
    assert_eq!(wsp_send_ping(client, wsp_bytes::lend(b"one")), wsp_code::Ok);
    assert_eq!(wsp_send_ping(client, wsp_bytes::lend(b"two")), wsp_code::Panicked);
    let (mut step, mut event) = (MaybeUninit::uninit(), MaybeUninit::uninit());
    assert_eq!(wsp_send_text(client, wsp_bytes::EMPTY), wsp_code::Poisoned);
    assert_eq!(wsp_next_step(client, 0, Some(&mut step)), wsp_code::Poisoned);
    assert_eq!(wsp_next_event(client, Some(&mut event)), wsp_code::Poisoned);
    assert_eq!(
        wsp_send_ping(other, wsp_bytes::lend(b"others work")),
        wsp_code::Ok
    );
    for endpoint in [client, other] {
        assert_eq!(wsp_free(endpoint), wsp_code::Ok);
        assert_eq!(wsp_free(endpoint), wsp_code::StaleHandle);
    }
}

#[test]
fn codes_have_their_numbers_and_messages() {
    for (number, (code, _)) in (0..).zip(wsp_code::ALL) {
        assert_eq!(code as u32, number);
    }
    let messages: std::collections::HashSet<_> = (0..30).map(|code| wsp_message(code)).collect();
    assert_eq!(
        messages.len(),
        wsp_code::ALL.len() + 1,
        "each has its own, and unknown codes one"
    );
}
