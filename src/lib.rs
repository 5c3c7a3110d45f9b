//! A sans-IO WebSocket core for clients and servers: RFC 6455, implemented as a pure state machine. Byte slices go in;
//! handshake responses, decoded frames and complete messages come out.
//!
//! It has no sockets, runtime or clock of its own, and its random bytes come from a source that you choose. You move
//! the bytes, over TCP, TLS, io_uring, a pipe or nothing at all; the crate decides what they mean and what to reply.
//!
#![cfg_attr(
    feature = "os-entropy",
    doc = "Start with the [`guide`]: it covers everything, chapter by chapter."
)]
//!
//! ```sh
//! cargo add websocket-proto # with --features deflate, http or bytes, as needed: see below
//! ```
//!
//! # The layers
//!
//! ```text
//!  the transport and the clock
//!      |  endpoint     one transport, first byte to last: handshakes, buffers, deadlines
//!      v
//!      |  handshake    the opening handshake over HTTP: request or response in, Connection out
//!      |  connection   one open connection: events, replies, closing, limits
//!      |  keepalive    timers as data: deadlines and Pings
//!      v
//!      |  message      payloads and text, reassembled or delivered in chunks
//!      |  frame        the wire format: headers, masking, a streaming decoder; no heap
//! ```
//!
//! Dependencies point downwards. Each layer can be used without those above it: [`endpoint`], [`handshake`],
//! [`connection`], [`keepalive`], [`frame`], [`utf8`].
//!
//! # A complete server
//!
//! An [`Endpoint`][endpoint::Endpoint] manages one transport from its first byte to its last. It says what to do next,
//! and the program does that one thing, here with blocking TCP:
//!
#![cfg_attr(feature = "std", doc = "```")]
#![cfg_attr(not(feature = "std"), doc = "```ignore")]
//! use std::io;
//! use std::net::TcpStream;
//! use std::time::{Duration, Instant};
//! use websocket_proto::Event;
//! use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Step};
//!
//! /// Serves one client: opens the connection, then echoes messages until it ends.
//! fn serve(mut stream: TcpStream, config: &EndpointConfig) -> io::Result<End> {
//!     let clock = Instant::now();
//!     let mut endpoint = Endpoint::server(config, clock.elapsed());
//!     loop {
//!         match endpoint.step(clock.elapsed()) {
//!             Step::Request => endpoint.accept(), // the 101, or the response that says what is wrong
//!             Step::Event => {
//!                 let mut events = endpoint.events();
//!                 while let Some((event, mut sender)) = events.next() {
//!                     _ = match event {
//!                         Event::Text(text) => sender.send_text(&text),
//!                         Event::Binary(payload) => sender.send_binary(&payload),
//!                         _ => Ok(()), // Pings and Closes are answered automatically
//!                     };
//!                 }
//!             }
//!             Step::Done => return Ok(endpoint.into_end()), // who ended it, why, and whether it was clean
//!             step => {
//!                 let left = endpoint.deadline().map(|deadline| deadline.saturating_sub(clock.elapsed()));
//!                 let timeout = left.map(|left| left.max(Duration::from_millis(1))); // a socket refuses zero
//!                 stream.set_read_timeout(timeout)?;
//!                 stream.set_write_timeout(timeout)?;
//!                 endpoint.perform(step, &mut stream); // read, write, flush or shut down: one call
//!             }
//!         }
//!     }
//! }
//! # use std::io::{Read, Write};
//! # use std::net::TcpListener;
//! # fn talk(frames: &[u8]) -> io::Result<(End, Vec<u8>)> {
//! #     let listener = TcpListener::bind("127.0.0.1:0")?;
//! #     let mut client = TcpStream::connect(listener.local_addr()?)?;
//! #     let (stream, _) = listener.accept()?;
//! #     let server = std::thread::spawn(move || serve(stream, &EndpointConfig::new()));
//! #     client.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")?;
//! #     client.write_all(frames)?;
//! #     let mut read = Vec::new();
//! #     client.read_to_end(&mut read)?;
//! #     drop(client);
//! #     Ok((server.join().expect("it does not panic")?, read))
//! # }
//!
//! // After its request, the client sends "Hello", a Ping and a Close with code 1000, all masked with a key of zeros.
//! let (end, read) = talk(b"\x81\x85\0\0\0\0Hello\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8")?;
//! assert!(read.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//! assert!(read.ends_with(b"\r\n\r\n\x81\x05Hello\x8a\x00\x88\x02\x03\xe8"));
//! assert_eq!(end.to_string(), "closed by the peer, clean, sent 1000, received 1000");
//!
//! // An unmasked frame is an error: the reply is a Close with code 1002, and its reason says why.
//! let (end, read) = talk(b"\x81\x05Hello")?;
//! assert!(read.ends_with(b"\x88\x1f\x03\xeaclient sent an unmasked frame"));
//! assert_eq!(end.to_string(), "failed: client sent an unmasked frame, not clean, sent 1002, received none");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! A client is [`Endpoint::client`][endpoint::Endpoint::client], driven by the same loop. Deadlines for the handshakes,
//! for a dead peer and for one that does not read are included.
//!
//! Programs that own their buffers, or need less, use the layers below directly: a [`Connection`] takes bytes from any
//! buffer and appends everything that has to be sent to any `Vec`; see [`connection`].
//!
//! # What you can rely on
//!
//! - **Input is fully consumed.** While a [`Connection`] is open, `Ok(None)` means that `input` is empty (with
//!   `Delivery::InPlace`, that it holds at most a partial payload): read more. The crate queues nothing of its own:
//!   replies are in `out` when `receive` returns. (A buffering transport such as TLS still needs its own flush; an
//!   endpoint says when.)
//! - **How the input is split never matters**: you get the same events (for [chunks][Config::delivery]: the same bytes in
//!   total), output and errors for any split.
//! - **Cancel safety.** No call blocks. A future that awaits a read between calls can be dropped without losing anything.
//! - **Threads.** Everything is `Send` and `Sync`. Connections share only per-thread resources: a generator of mask
//!   keys, and inflaters. No connection's output depends on what another one sent or received.
//! - **Memory.** An idle connection holds no heap memory except what you gave it. A message that is complete in the
//!   input is borrowed from there; a message received in pieces takes at most twice the bytes received so far, never
//!   what its header declares, and never more than [`Config::max_message_size`].
//! - **Buffered amount.** The unsent data is whatever you have not yet written from `out`; its length corresponds to
//!   `bufferedAmount` in browsers, including framing.
//! - **No panic** can be caused by the peer's bytes or by any argument value.
//!
//! # What is left to you
//!
//! Sockets, TLS (first, for `wss`), the connection to a proxy (`handshake::TunnelRequest` asks it for a tunnel),
//! a clock, authentication (cookies or HTTP authentication, which you can inspect before accepting), whether an
//! [origin][handshake::Upgrade::origin] is allowed, and reconnecting. [`handshake`] and [`connection`] describe what
//! RFC 6455 requires of you there.
//!
//! # How methods are named
//!
//! - In a configuration ([`Config`] and the other types `...Config`, and [`frame::Rules`]) each setting has a method of
//!   the same name, which sets it: `Config::new().max_message_size(1024)`. There are no getters.
//! - In every other type the plain name is the getter, and `with_` sets: `ClientRequest::with_subprotocol`,
//!   `Response::subprotocol`. Methods that change a value in place start with `set_`: [`Connection::set_compression`].
//! - Methods that report what the transport or the clock did are named after it: `receive`, `receive_eof`,
//!   `handle_timeout`, and on an endpoint participles, such as [`written`][endpoint::Endpoint::written].
//! - HTTP header fields are called `field` and `fields`, as in RFC 9110; searching these pages for "header" finds them
//!   too.
//!
//! # Features
//!
//! | feature | default | provides |
//! |---|---|---|
//! | `std` | yes | run-time CPU detection; `Endpoint::perform` on transports of std; with `deflate`, inflaters shared by a thread's connections |
//! | `alloc` | in `std` | everything except [`frame`], [`utf8`], [`CloseCode`], [`keepalive`] and [`handshake::key`], which do not need a heap |
//! | `simd` | yes | masking and the search for non-ASCII in one pass, with AVX2 if `std` is on, and UTF-8 validation with `simdutf8`; all `unsafe` is behind it, in one file |
//! | `os-entropy` | yes | [`OsEntropy`]: nonces and mask keys from a generator for each thread, seeded by the operating system |
//! | `deflate` | no | compression, `permessage-deflate`; needs a target with std, even if the `std` feature is off |
//! | `http` | no | the handshake in the types of the crate `http`: [`handshake`]; needs a target with std, as above |
//! | `bytes` | no | [`Payload`] and [`Text`] to and from `bytes::Bytes` |
//!
//! Features are additive. The minimum supported Rust version is 1.85. It is raised only in minor releases.
//!
// Without the feature of an item, links to it lead to the documentation of all features.
#![cfg_attr(
    not(feature = "alloc"),
    doc = "\
[`endpoint`]: https://docs.rs/websocket-proto/latest/websocket_proto/endpoint/index.html\n\
[endpoint::Endpoint]: https://docs.rs/websocket-proto/latest/websocket_proto/endpoint/struct.Endpoint.html\n\
[endpoint::Endpoint::client]: https://docs.rs/websocket-proto/latest/websocket_proto/endpoint/struct.Endpoint.html#method.client\n\
[`connection`]: https://docs.rs/websocket-proto/latest/websocket_proto/connection/index.html\n\
[`Connection`]: https://docs.rs/websocket-proto/latest/websocket_proto/connection/struct.Connection.html\n\
[Config::delivery]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.Config.html#method.delivery\n\
[`Config::max_message_size`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.Config.html#method.max_message_size\n\
[`Config`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.Config.html\n\
[`Connection::set_compression`]: https://docs.rs/websocket-proto/latest/websocket_proto/connection/struct.Connection.html#method.set_compression\n\
[endpoint::Endpoint::written]: https://docs.rs/websocket-proto/latest/websocket_proto/endpoint/struct.Endpoint.html#method.written\n\
[handshake::Upgrade::origin]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.Upgrade.html#method.origin\n\
[`Payload`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.Payload.html\n\
[`Text`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.Text.html"
)]
#![cfg_attr(
    not(feature = "os-entropy"),
    doc = "\
[`OsEntropy`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.OsEntropy.html"
)]
#![no_std]
#![cfg_attr(not(feature = "simd"), forbid(unsafe_code))]
#![cfg_attr(feature = "simd", deny(unsafe_code))]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(
    missing_debug_implementations,
    missing_docs,
    unnameable_types,
    unreachable_pub,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs
)]
// Nothing that can panic or truncate a length in a cast is allowed. `.ci/no-panic` searches the compiled code for what
// the lints do not see.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::expect_used,
        clippy::get_unwrap,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::todo,
        clippy::unimplemented,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod close;
#[cfg(feature = "alloc")]
mod config;
#[cfg(feature = "alloc")]
pub mod connection;
mod cursor;
#[cfg(feature = "deflate")]
pub mod deflate;
#[cfg(feature = "alloc")]
pub mod endpoint;
#[cfg(feature = "alloc")]
pub mod entropy;
#[cfg(feature = "alloc")]
mod error;
pub mod frame;
#[cfg(feature = "alloc")]
mod growth;
#[cfg(all(doc, feature = "os-entropy"))]
pub mod guide;
pub mod handshake;
pub mod keepalive;
mod kernel;
#[cfg(feature = "alloc")]
mod message;
pub mod utf8;

pub use close::{CloseCode, IntoCloseCode, MAX_CLOSE_REASON_SIZE};
#[cfg(feature = "alloc")]
pub use config::{AutoPong, Config, Delivery};
#[cfg(feature = "alloc")]
pub use connection::{
    Close, Closed, ClosedBy, Compression, Connection, Event, Prepared, ReceiveHalf, Reply, SendHalf, State,
    TransportAdvice,
};
#[cfg(feature = "alloc")]
pub use entropy::Entropy;
#[cfg(feature = "os-entropy")]
pub use entropy::OsEntropy;
#[cfg(feature = "alloc")]
pub use error::{Error, Misuse};
pub use frame::Role;
#[cfg(feature = "alloc")]
pub use message::{Fin, MessageKind, Payload, Text};

/// Compiles and runs the code of the README.
#[cfg(all(doctest, feature = "os-entropy"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Checks what the front page promises.
#[cfg(feature = "alloc")]
const _: () = {
    const fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Connection>();
    is_send_and_sync::<Event<'_>>();
    is_send_and_sync::<(ReceiveHalf, SendHalf, Reply)>();
    is_send_and_sync::<frame::Decoder>();
    is_send_and_sync::<handshake::ServerHandshake>();
    is_send_and_sync::<handshake::Request>();
    is_send_and_sync::<handshake::Upgrade<'_>>();
    is_send_and_sync::<handshake::ClientRequest>();
    is_send_and_sync::<handshake::ClientHandshake>();
    is_send_and_sync::<(handshake::TunnelRequest, handshake::TunnelHandshake)>();
    is_send_and_sync::<handshake::ResponseBody>();
    is_send_and_sync::<keepalive::Keepalive>();
    is_send_and_sync::<endpoint::Endpoint>();
    is_send_and_sync::<handshake::ClientFieldsHandshake>();
    #[cfg(feature = "deflate")]
    is_send_and_sync::<(deflate::Compressor, deflate::Decompressor)>();
};
