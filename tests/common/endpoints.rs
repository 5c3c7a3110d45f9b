//! One endpoint, whose transport the test plays.

use std::time::Duration;
use websocket_proto::endpoint::{Endpoint, Step};

/// Bytes from the peer arrive.
#[track_caller]
pub fn feed(endpoint: &mut Endpoint, now: Duration, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        assert_eq!(endpoint.step(now), Step::Read);
        let space = endpoint.read_space();
        let size = space.len().min(bytes.len());
        space[..size].copy_from_slice(&bytes[..size]);
        endpoint.received(size);
        bytes = &bytes[size..];
    }
}

/// Writes and flushes all output.
#[track_caller]
pub fn write_all(endpoint: &mut Endpoint, now: Duration) -> Vec<u8> {
    assert_eq!(endpoint.step(now), Step::Write);
    let output = endpoint.output().to_vec();
    endpoint.written(output.len());
    assert_eq!(endpoint.step(now), Step::Flush);
    endpoint.flushed();
    output
}
