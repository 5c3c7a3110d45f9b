//! The link of the examples on threads: what it copies.
#![cfg(feature = "std")]

#[path = "common/heap.rs"]
mod heap;
#[allow(dead_code, reason = "nothing is received here")]
#[path = "../examples/link/mod.rs"]
mod link;

use std::io::{Read, copy, sink};
use std::net::{TcpListener, TcpStream};
use std::thread;

use link::Link;
use websocket_proto::endpoint::{Endpoint, EndpointConfig};
use websocket_proto::{Config, Connection};

const SIZE: usize = 8 * 1024 * 1024;

// Design 2, section 1: output that waits is not copied as a whole for each write, which a slow peer accepts a part of
#[test]
#[cfg_attr(miri, ignore = "sockets")]
fn a_part_of_a_large_output_is_copied_for_a_write() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let connection = Connection::server(&Config::new());
    let link = Link::new(listener.accept().unwrap().0, |now| {
        Endpoint::from_connection(&EndpointConfig::new(), connection, &[], now)
    })
    .unwrap();
    link.update(|endpoint| endpoint.sender().send_binary(&vec![7; SIZE]))
        .unwrap();
    let ((), heap) = thread::scope(|scope| {
        scope.spawn(|| {
            let wire = SIZE as u64 + 10;
            let read = copy(&mut (&peer).take(wire), &mut sink());
            link.update(Endpoint::abort);
            assert_eq!(read.unwrap(), wire);
        });
        heap::measure(|| link.write())
    });
    assert!(heap.peak <= 128 * 1024, "{heap:?}");
}
