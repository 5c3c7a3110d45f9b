//! How to use the crate, chapter by chapter. Each example is compiled and run.
//!
//! - [`endpoint`]: one transport from its first byte to its last; drivers, flow control, the end
//! - [`opening`]: the opening handshake, for servers and clients
//! - [`messages`]: receiving and sending; fragments, chunks, broadcasts, vectored writes
//! - [`closing`]: how a connection ends, with a state diagram
//! - [`limits`]: how much memory and work a peer can cost you, and how to change it
//! - [`security`]: origins, masking, compression and secrets, deadlines
//! - [`embedding`]: tokio, mio, hyper, TLS, HTTP/2, `no_std`
//! - [`asynchronous`]: the driver for tokio and other runtimes, and what goes wrong with futures
//! - [`mistakes`]: common mistakes, and what each looks like
//! - [`migrating`]: from tungstenite, tokio-tungstenite and axum
//! - [`walk`]: how one message travels through the source code, for contributors

#[doc = include_str!("guide/endpoint.md")]
pub mod endpoint {}

#[doc = include_str!("guide/opening.md")]
pub mod opening {}

#[doc = include_str!("guide/messages.md")]
pub mod messages {}

#[doc = include_str!("guide/closing.md")]
pub mod closing {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/security.md")]
pub mod security {}

#[doc = include_str!("guide/embedding.md")]
pub mod embedding {}

#[doc = include_str!("guide/async.md")]
pub mod asynchronous {}

#[doc = include_str!("guide/mistakes.md")]
pub mod mistakes {}

#[doc = include_str!("guide/migrating.md")]
pub mod migrating {}

#[doc = include_str!("guide/walk.md")]
pub mod walk {}
