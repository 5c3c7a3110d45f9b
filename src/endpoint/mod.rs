//! The whole life of a transport as one state machine: from the first byte of the opening handshake to the moment when
//! the transport may be dropped.
//!
//! A [`Connection`] says what bytes mean. An [`Endpoint`] is a connection with everything that a program needs around
//! it: the opening handshake, the buffer to read into, the output and how much of it is written, the deadlines, the
//! Pings, the orderly end of the transport, and the reason for the end. It still has no socket, no runtime and no
//! clock. Its driver asks for the next [`Step`], does that one thing, and reports the result:
//!
//! ```text
//!                           +-----------------------------------+
//!   now --------- step ---> |             Endpoint              |
//!                           |                                   |
//!   Request, Response  <--- |  opening handshake                |
//!   Event  <--------------- |  connection          keepalive    |
//!   Read   ---- received -> |  read buffer                      |
//!   Write  ----- written -> |  output                           |
//!   Flush, Shutdown, Wait   |  deadline                         |
//!   Done   <--- its End --- |                                   |
//!                           +-----------------------------------+
//! ```
//!
//! # A complete server
//!
#![cfg_attr(feature = "std", doc = "```")]
#![cfg_attr(not(feature = "std"), doc = "```ignore")]
//! use std::io::{Read, Write};
//! use std::time::Instant;
//! use websocket_proto::Event;
//! use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, ShutdownWrite, Step};
//!
//! /// Serves one client: opens the connection, then echoes messages until it ends.
//! fn serve(stream: &mut (impl Read + Write + ShutdownWrite), config: &EndpointConfig) -> End {
//!     let clock = Instant::now();
//!     let mut endpoint = Endpoint::server(config, clock.elapsed());
//!     loop {
//!         match endpoint.step(clock.elapsed()) {
//!             Step::Request => endpoint.accept(), // or look at the request first: `take_request`
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
//!             Step::Done => return endpoint.into_end(),
//!             step => endpoint.perform(step, stream), // Read, Write, Flush, Shutdown: one call of the transport
//!         }
//!     }
//! }
//! # struct Link { input: std::io::Cursor<Vec<u8>>, output: Vec<u8> }
//! # impl Read for Link { fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> { self.input.read(bytes) } }
//! # impl Write for Link {
//! #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> { self.output.write(bytes) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # impl ShutdownWrite for Link { fn shutdown_write(&mut self) -> std::io::Result<()> { Ok(()) } }
//! # fn link(frames: &[u8]) -> Link {
//! #     let request = b"GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//! #         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
//! #     Link { input: std::io::Cursor::new([request, frames].concat()), output: Vec::new() }
//! # }
//!
//! // After its request, the client sends "Hello", a Ping and a Close with code 1000, all masked with a key of zeros.
//! let mut stream = link(b"\x81\x85\0\0\0\0Hello\x89\x80\0\0\0\0\x88\x82\0\0\0\0\x03\xe8");
//! let end = serve(&mut stream, &EndpointConfig::new());
//! assert!(stream.output.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
//! assert!(stream.output.ends_with(b"\r\n\r\n\x81\x05Hello\x8a\x00\x88\x02\x03\xe8"));
//! assert_eq!(end.to_string(), "closed by the peer, clean, sent 1000, received 1000");
//! ```
//!
//! # What an endpoint does
//!
//! - **Opening.** A server reads any HTTP/1.1 request, and the caller answers it: with [`accept`](Endpoint::accept),
//!   or with [`take_request`](Endpoint::take_request) and any response. A client sends its request and reads the
//!   response. If another library handles HTTP, use [`Endpoint::from_connection`].
//! - **Flow.** While more replies wait than [`EndpointConfig::max_buffered`] allows, nothing is read and no event is
//!   returned, so replies cannot grow without bound. Messages sent without an event are refused with
//!   [`SendError::Full`] once that much output waits. Such messages do not stop reading, because two ends that both
//!   send a lot would then wait for each other.
//! - **Time.** One [`deadline`](Endpoint::deadline) covers the opening handshake, the next Ping, its answer, a write that
//!   makes no progress, the closing handshake and the end of the transport.
//! - **The end.** After the last byte is written and flushed, writing is shut down, and input is read and discarded for
//!   up to [`EndpointConfig::linger_timeout`], because otherwise a reset can overtake the last byte. Then
//!   [`Step::Done`] follows, and [`End`] says how far the endpoint got and what ended it. Events that were received before the
//!   transport failed or a deadline was missed are returned first, however late the caller takes them.
//!
//! # Cancel safety
//!
//! No call blocks, and each reports what has already happened. A future that awaits the transport between two calls can
//! be dropped at any time.
//!
//! # Two tasks
//!
//! An endpoint cannot be split. Share it behind a mutex, which is locked for each call and never while the transport is
//! read or written. One task reads and handles events, driven by [`step`](Endpoint::step); the other sends and writes,
//! driven by [`flush_step`](Endpoint::flush_step). A task that gets a step of the other task reports that direction as
//! blocked, and wakes the other task. The tasks need no channel: replies go directly into the output, where
//! [`EndpointConfig::max_buffered`] bounds them.
//!
//! Without an endpoint, [`Connection::split`] returns two halves that need no lock; each [`Reply`](crate::Reply) of 128
//! bytes goes through a channel, which has to be bounded.
//!
//! # Memory
//!
//! With the limit M for messages ([`Config::max_message_size`](crate::Config::max_message_size)), the largest read R
//! ([`EndpointConfig::max_read_size`]), the limit B for output ([`EndpointConfig::max_buffered`]) and the largest message S
//! that the program sends, the buffers of an open endpoint, the message that is received and the output take at most
//!
//! ```text
//! 1.5 × (R + 2 M + 8 (B + S)) + 1 KiB
//! ```
//!
//! 2 M is one message that is being assembled and, with [`Delivery::InPlace`](crate::Delivery::InPlace), one in the
//! read buffer; without it, the read buffer holds only messages of at most R. 8 is 2 (what the caller sends, and
//! replies) times 2 (output that is written and not yet dropped) times 2 (the output grows by doubling). The factor 1.5
//! is for the old block of a buffer that grows. Control frames that the program sends, and the memory of compression
//! (see `deflate`), are not included.
//!
//! The value itself is at most 320 bytes, or 360 with the feature `deflate`. Its buffers are allocated when needed;
//! [`Endpoint::capacity`] returns their size. They can be [taken](Endpoint::take_buffers) from an idle endpoint and
//! [lent](Endpoint::lend_buffers) to the next busy one, so that a million idle endpoints hold no heap at all.

mod config;
mod deadline;
mod end;
mod events;
mod flow;
#[cfg(feature = "std")]
mod io;
mod opening;
mod output;
mod phase;
mod read_buffer;
mod sender;
mod step;
mod vectored;

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

pub use config::EndpointConfig;
pub use end::{End, Interruption, Outcome, SendError, Timeout, TransportError};
pub use events::Events;
use flow::{Flow, Limits};
#[cfg(feature = "std")]
pub use io::ShutdownWrite;
pub use output::Output;
use phase::{Asked, Phase};
pub use read_buffer::ReadBuffer;
use sender::Origin;
pub use sender::Sender;
pub use step::{Interest, Step};
pub use vectored::VectoredWrite;

use crate::handshake::{ClientRequest, HandshakeError, ServerHandshake};
use crate::{Connection, Entropy};

/// Manages one end of a transport for its whole life. See the [module](self).
#[must_use = "an endpoint does nothing unless `step` is called"]
pub struct Endpoint {
    phase: Phase,
    flow: Flow,
    buffers: Option<Box<Buffers>>,
}

/// The buffers of an endpoint, while it is busy.
#[derive(Debug)]
#[non_exhaustive]
pub struct Buffers {
    /// The bytes that were read.
    pub read: ReadBuffer,
    /// The bytes that wait to be written.
    pub output: Output,
}

impl Endpoint {
    /// Creates the server's end of a transport on which a client is about to send its request. `now` is the time since
    /// any fixed origin, the same for every call.
    pub fn server(config: &EndpointConfig, now: Duration) -> Self {
        let handshake = ServerHandshake::new(&config.connection);
        Self::new(Phase::AwaitingRequest(Box::new(handshake)), config, now)
    }

    /// Creates the client's end of a transport that is connected, TLS included, and sends `request`.
    ///
    /// The nonce and the mask keys are drawn from `entropy`, which has to be cryptographically strong (RFC 6455 section
    /// 10.3): [`OsEntropy`][crate::OsEntropy] or equivalent.
    ///
    #[cfg_attr(
        not(feature = "os-entropy"),
        doc = "[crate::OsEntropy]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.OsEntropy.html"
    )]
    pub fn client(
        config: &EndpointConfig,
        request: ClientRequest,
        entropy: impl Entropy + 'static,
        now: Duration,
    ) -> Self {
        let mut output = Output::new();
        let handshake = request.start(&config.connection, entropy, output.buffer());
        let asked = Asked {
            handshake,
            config: config.connection.clone(),
        };
        let mut endpoint = Self::new(Phase::AwaitingResponse(Box::new(asked)), config, now);
        output.set_limit(endpoint.flow.limits.max_buffered());
        endpoint.buffers().output = output;
        endpoint
    }

    /// Creates an end of a transport whose opening handshake another library has done: an HTTP server such as hyper, or
    /// a stream of HTTP/2 or HTTP/3. `read` is what that library has read after the handshake.
    ///
    /// `connection` keeps the [`Config`](crate::Config) that it was created with, such as that of
    /// [`Upgrade::from_fields`](crate::handshake::Upgrade::from_fields). [`EndpointConfig::connection`] is not used, so
    /// a limit for messages that is set only there has no effect.
    pub fn from_connection(
        config: &EndpointConfig,
        connection: Connection,
        read: &[u8],
        now: Duration,
    ) -> Self {
        let mut endpoint = Self::new(Phase::Open(connection), config, now);
        endpoint.flow.keepalive.record_opened(now);
        if !read.is_empty() {
            endpoint.buffers().read.extend(read);
            endpoint.flow.has_input = true;
        }
        endpoint
    }

    fn new(phase: Phase, config: &EndpointConfig, now: Duration) -> Self {
        Self {
            phase,
            flow: Flow::new(config, now),
            buffers: None,
        }
    }

    /// Returns a handle to send with.
    ///
    /// If the endpoint has no [`Buffers`], such as after [`take_buffers`](Self::take_buffers), this allocates them, but
    /// nothing for their bytes until a message is sent; until then they can be taken again. Whether the endpoint
    /// [is open](Self::is_open) is known without them.
    #[inline]
    pub fn sender(&mut self) -> Sender<'_> {
        let output = &mut Buffers::of(&mut self.buffers, &self.flow.limits).output;
        Sender {
            origin: Origin::Caller(&mut self.phase),
            output,
            flow: &mut self.flow,
        }
    }

    /// Returns whether messages can be sent: the connection is open, and neither side has sent a Close.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.phase.is_open()
    }

    /// Changes the limit for received messages, like [`Connection::set_max_message_size`]. Does nothing unless the
    /// connection is open.
    pub fn set_max_message_size(&mut self, bytes: u64) {
        if let Some(connection) = self.phase.connection() {
            connection.set_max_message_size(bytes);
        }
    }

    /// Returns the round-trip time of the last Ping that was answered.
    pub fn last_rtt(&self) -> Option<Duration> {
        self.flow.keepalive.last_rtt()
    }

    /// Returns how the endpoint ended, after [`Step::Done`].
    pub fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Ends the endpoint, if it has not ended, and returns how it ended.
    pub fn into_end(mut self) -> End {
        self.abort();
        match self.phase {
            Phase::Ended(end) => *end,
            // `abort` has ended it.
            _ => End {
                outcome: Outcome::Failed(HandshakeError::Eof),
                interruption: None,
            },
        }
    }

    /// Ends the endpoint immediately: the next step is [`Step::Done`], and events that were not taken are dropped. For callers that
    /// drop the transport.
    pub fn abort(&mut self) {
        self.finish(Some(Interruption::Aborted));
    }

    /// Takes the buffers of an idle endpoint, to lend them to another one. `None` if it has no buffers, or if they hold
    /// anything. The beginning of a message is copied out of them, except with
    /// [`Delivery::InPlace`](crate::Delivery::InPlace).
    ///
    /// Without buffers, [`is_open`](Self::is_open), [`end`](Self::end), [`deadline`](Self::deadline),
    /// [`last_rtt`](Self::last_rtt) and [`step`](Self::step) allocate nothing as long as nothing arrives and no deadline
    /// passes. [`sender`](Self::sender) allocates buffers.
    pub fn take_buffers(&mut self) -> Option<Box<Buffers>> {
        self.release_input();
        self.buffers.take_if(|buffers| buffers.hold_nothing())
    }

    /// Receives the part of a message that waits in the read buffer for its rest.
    fn release_input(&mut self) {
        let (Some(connection), Some(buffers)) = (self.phase.connection(), &mut self.buffers) else {
            return;
        };
        connection.release_input(&mut buffers.read.lend().input);
    }

    /// Lends buffers to the endpoint. If it already has buffers that hold anything, it keeps those.
    ///
    /// The previous content of the buffers cannot be seen through this endpoint: bytes read into them before are
    /// overwritten with zeros.
    ///
    /// ```
    /// use std::time::Duration;
    /// use websocket_proto::endpoint::{Endpoint, EndpointConfig};
    ///
    /// let config = EndpointConfig::new();
    /// let [mut idle, mut busy] = [(); 2].map(|()| Endpoint::server(&config, Duration::ZERO));
    /// idle.read_space(); // allocates them
    /// if let Some(buffers) = idle.take_buffers() {
    ///     busy.lend_buffers(buffers);
    /// }
    /// assert_eq!((idle.capacity(), busy.capacity()), (0, 4096));
    /// ```
    pub fn lend_buffers(&mut self, mut buffers: Box<Buffers>) {
        buffers.read.wipe();
        buffers.output.clear();
        buffers.output.set_limit(self.flow.limits.max_buffered());
        if self.buffers.is_none() || self.take_buffers().is_some() {
            self.buffers = Some(buffers);
            if let Some(connection) = self.phase.connection() {
                // The next read may go to these buffers, not to the space of a message that was lent before.
                connection.payload_filled(0);
            }
        }
    }

    /// Returns how many bytes the buffers have allocated.
    pub fn capacity(&self) -> usize {
        self.buffers.as_ref().map_or(0, |buffers| {
            buffers.read.capacity().saturating_add(buffers.output.capacity())
        })
    }

    #[inline]
    fn buffers(&mut self) -> &mut Buffers {
        Buffers::of(&mut self.buffers, &self.flow.limits)
    }
}

impl Buffers {
    /// Creates buffers without allocating. `max_read_size` is as for [`EndpointConfig::max_read_size`].
    pub const fn new(max_read_size: usize) -> Self {
        Self {
            read: ReadBuffer::new(max_read_size),
            output: Output::new(),
        }
    }

    /// Returns whether the endpoint can do without the buffers: they hold no bytes, and no Close that is not flushed.
    fn hold_nothing(&self) -> bool {
        self.read.is_empty() && self.output.is_empty() && !self.output.holds_close()
    }

    #[inline]
    fn of<'b>(buffers: &'b mut Option<Box<Self>>, limits: &Limits) -> &'b mut Self {
        buffers.get_or_insert_with(|| Self::within(limits))
    }

    #[cold]
    fn within(limits: &Limits) -> Box<Self> {
        let mut buffers = Self::new(limits.max_read_size());
        buffers.output.set_limit(limits.max_buffered());
        Box::new(buffers)
    }
}

/// Does not show what the peer sent.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("role", &self.phase.role())
            .field("end", &self.end())
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}

/// The size that the module's documentation promises.
#[cfg(not(feature = "deflate"))]
const _: () = assert!(size_of::<Endpoint>() <= 320);
#[cfg(feature = "deflate")]
const _: () = assert!(size_of::<Endpoint>() <= 360);
