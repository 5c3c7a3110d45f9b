//! A sans-IO WebSocket core: RFC 6455 as a pure state machine, both roles. Byte slices go in; handshake
//! responses, decoded frames and whole messages come out.
//!
//! It knows no socket, no runtime, no clock and no random number of its own. You move the bytes, on TCP, TLS,
//! io_uring, a pipe or nothing at all; it decides what they mean and what has to be answered.
//!
//! # The layers
//!
//! ```text
//!  the transport and the clock
//!      |  endpoint     the whole life of a transport: both handshakes, buffers, deadlines, flow, the end
//!      v
//!      |  handshake    the opening handshake over HTTP: a request or a response in, a Connection out
//!      |  connection   one open connection: events, replies, closing, limits
//!      |  keepalive    timers as data: deadlines and Pings
//!      v
//!      |  message      payloads and text, put together from their pieces
//!      |  frame        the wire format: headers, masking, a streaming decoder; no heap
//! ```
//!
//! Dependencies point downwards. Each layer can be used without those above it: [`endpoint`], [`handshake`],
//! [`connection`], [`keepalive`], [`frame`], [`utf8`].
#![cfg_attr(
    all(feature = "std", feature = "getrandom"),
    doc = "The [`guide`] goes through everything, chapter by chapter, and walks one message through the source."
)]
//!
//! # A complete server
//!
//! An [`Endpoint`](endpoint::Endpoint) holds everything that one transport needs from its first byte to its last. It says
//! what to do next; the program does that one thing, here with blocking TCP:
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
//!                 while let Some((event, mut sender)) = endpoint.next_event() {
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
//! // An unmasked frame is an error: the answer is a Close with code 1002, and its reason says why.
//! let (end, read) = talk(b"\x81\x05Hello")?;
//! assert!(read.ends_with(b"\x88\x1f\x03\xeaclient sent an unmasked frame"));
//! assert_eq!(end.to_string(), "failed: client sent an unmasked frame, not clean, sent 1002, received none");
//! # Ok::<(), io::Error>(())
//! ```
//!
//! A client is [`Endpoint::client`](endpoint::Endpoint::client), driven by the same loop. Deadlines are included: for the
//! handshakes, for a peer that is dead, for one that does not read.
//!
//! Programs that own their buffers, or need less, use the layers below by themselves: a
//! [`Connection`] takes the bytes of any buffer and appends what has to be sent to any `Vec`, see [`connection`].
//!
//! # What you can rely on
//!
//! - **The input is all used.** While a [`Connection`] is open, `Ok(None)` means that `input` is empty: read
//!   more. The crate queues nothing of its own: replies are in `out` when `receive` returns. (The transport may still
//!   have to be flushed, as TLS has; an endpoint says when.)
//! - **Cutting the input anywhere changes nothing**: the same events (of [chunks](Config::delivery), the same bytes
//!   in all), the same output, the same error, for any partition of the bytes.
//! - **Cancel safety.** No call waits. A future that awaits a read between them can be dropped and loses
//!   nothing.
//! - **Threads.** Everything is `Send` and `Sync`. Connections share nothing but what each thread pools: random bytes for
//!   mask keys, and what inflates. No connection's output depends on what another one sent or received.
//! - **Memory.** An idle connection holds no heap but what you gave it. A message that lies whole in the
//!   input is lent from there; one that came in pieces takes at most twice as much as has come of it, never
//!   what its header declares, and never more than [`Config::max_message_size`].
//! - **Buffered amount.** What is not sent yet is what you have not written of `out`: its length is the
//!   `bufferedAmount` of browsers, framing included.
//! - **No panic** can be reached from the peer's bytes, nor from arguments that a program may compute.
//!
//! # What it leaves to you
//!
//! Sockets, TLS (first, for `wss`), the connection to a proxy (`handshake::TunnelRequest` asks it for a tunnel),
//! a clock, authentication (cookies or HTTP authentication, seen before a request is accepted), whether an
//! [origin](handshake::Upgrade::origin) is welcome, and reconnecting. [`handshake`] and [`connection`] say what RFC 6455 asks of you there.
//!
//! # Features
//!
//! | feature | default | gives |
//! |---|---|---|
//! | `std` | yes | run-time CPU detection, and a pool of random bytes for each thread |
//! | `alloc` | in `std` | all but [`frame`], [`utf8`], [`CloseCode`], [`keepalive`] and [`handshake::key`], which need no heap |
//! | `simd` | yes | faster UTF-8 validation, by `simdutf8`; with `std`, masking by AVX2, the one use of `unsafe` |
//! | `getrandom` | yes | [`OsEntropy`]: nonces and mask keys from the operating system |
//! | `deflate` | no | compression, `permessage-deflate`; takes a target with a std, whether `std` is on or not |
//! | `http` | no | the handshake in the types of the crate `http`: [`handshake`]; takes a target with a std, as above |
//! | `bytes` | no | [`Payload`] and [`Text`] to and from `bytes::Bytes` |
//!
//! Features only add. The oldest compiler is Rust 1.85; a newer one is asked for in a minor version only.
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
// No panic can be reached, and no length is lost in a cast: what could do either is not written. `.ci/no-panic` looks
// for what the lints do not see.
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
mod entropy;
#[cfg(feature = "alloc")]
mod error;
pub mod frame;
#[cfg(feature = "alloc")]
mod growth;
#[cfg(all(doc, feature = "std", feature = "getrandom"))]
pub mod guide;
pub mod handshake;
pub mod keepalive;
#[cfg(feature = "alloc")]
mod message;
pub mod utf8;

pub use close::{CloseCode, MAX_CLOSE_REASON_SIZE};
#[cfg(feature = "alloc")]
pub use config::{AutoPong, Config, Delivery};
#[cfg(feature = "alloc")]
pub use connection::{
    Close, Closed, ClosedBy, Compression, Connection, Event, Fin, Prepared, ReceiveHalf, Reply, SendHalf,
    State, Transport,
};
#[cfg(feature = "alloc")]
pub use entropy::Entropy;
#[cfg(all(feature = "alloc", feature = "getrandom"))]
pub use entropy::OsEntropy;
#[cfg(feature = "alloc")]
pub use error::{Error, Misuse};
pub use frame::Role;
#[cfg(feature = "alloc")]
pub use message::{MessageKind, Payload, Text};

/// The code of the README is compiled and run.
#[cfg(all(doctest, feature = "std", feature = "getrandom"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// What is promised on the front page.
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
    is_send_and_sync::<handshake::ClientExchange>();
    #[cfg(feature = "deflate")]
    is_send_and_sync::<(deflate::Compressor, deflate::Decompressor)>();
};
