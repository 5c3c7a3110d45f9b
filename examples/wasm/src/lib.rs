//! A WebSocket server as a WebAssembly module, for node and for any other program that runs WebAssembly.
//!
//!     cd examples/wasm && cargo build --release
//!
//! builds `target/wasm32-unknown-unknown/release/websocket_proto_wasm.wasm`. `js/index.js` is the server on it; the README shows how
//! it is used. This page is about the module: what it exports, and the rules for calls, for programs in another language than JavaScript.
//!
//! # The module
//!
//! It imports nothing, so that it can neither read a file nor the clock nor call its host. One endpoint is one connection, from the
//! request to the moment when the stream may be dropped. The host drives it as described in `websocket_proto::endpoint`: it asks for the
//! next step, does it, and reports what it has done.
//!
//! # Rules
//!
//! - **Numbers.** Times are milliseconds since any fixed origin, as `f64`. A *handle* is an `f64` without a fraction: the index of a slot
//!   and the number of its uses, so that a handle that was freed is never valid again. Any number is allowed for a handle; one that is of
//!   no endpoint is refused.
//! - **Results.** A call returns what it says, which is not negative, or the negative of a [`Code`]. After an error nothing has changed,
//!   unless the code says otherwise. Further results are in four numbers of 32 bits, little-endian, at the address that
//!   [`ws_result`] returns: a kind, the address and the length of lent bytes, and one more.
//! - **Memory in.** The host asks for memory with [`ws_argument`], writes its bytes there, and makes the call that reads them, which takes
//!   their length. The module never follows an address that the host passes, so that there is no wrong one.
//! - **Memory out.** Lent bytes are valid until the next call of any function: the host copies them first. A call may also grow the memory,
//!   after which views of its old buffer are detached.
//! - **Parts.** A list of byte strings is encoded as the length of each, in 32 bits, little-endian, followed by its bytes.
//! - **Threads.** An instance is used by one thread. Threads have their own instances.
//!
//! # Failures
//!
//! No function panics, whatever its arguments. If the memory is exhausted, or because of a bug in the module, a call *traps*: the host
//! gets an exception, and every later call returns [`Code::Poisoned`], because the state may be incomplete. All connections of that
//! instance are lost; other instances are not concerned.
//!
//! There is no `unsafe` block: the addresses that the module lends are for the host.
#![deny(clippy::undocumented_unsafe_blocks)]
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod code;
mod config;
mod edge;
mod end;
mod endpoint;
mod message;
mod opening;
mod parts;
mod table;

pub use code::Code;
pub use config::ws_configure;
pub use edge::{ws_argument, ws_result, ws_version};
pub use end::ws_end;
pub use endpoint::{
    ws_abort, ws_count, ws_deadline, ws_flush_step, ws_flushed, ws_free, ws_open, ws_output, ws_read_blocked,
    ws_read_failed, ws_read_space, ws_ready, ws_received, ws_shut_down, ws_step, ws_write_blocked,
    ws_write_failed, ws_written,
};
pub use message::{
    ws_check_close, ws_close, ws_next_event, ws_send_binary, ws_send_fragment, ws_send_ping, ws_send_pong,
    ws_send_text, ws_sending,
};
pub use opening::{ws_accept, ws_request, ws_respond};
