//! The opening handshake of RFC 6455 section 4 in both roles, over HTTP/1.1, HTTP/2 and HTTP/3.
//!
//! ```text
//!   server                                                       client
//!
//!   bytes -> ServerHandshake                                     ClientRequest -> bytes
//!                 |  any well-formed request                           |  start
//!              Request -> respond (a page, a health check)       ClientHandshake <- bytes
//!                 |  upgrade: the rules of a WebSocket request         |  the rules of the answer
//!              Upgrade -> reject (any status)                        Answer -> Rejected (any other status)
//!                 |  accept: the 101                                   |  Accepted
//!            Connection                                           Connection
//! ```
//!
//! A client may also need:
//!
//! | | |
//! |---|---|
//! | [`TunnelRequest`] | before the handshake: asks an HTTP proxy for a tunnel to the server (CONNECT), with credentials after a 407 |
//! | [`ResponseBody`] | after a rejection by a server or a proxy: reads the body, which says why |
//!
//! Both sides are driven like a connection: you feed in the bytes you read as `&mut &mut [u8]`, bytes to send are
//! appended to `out`, and whatever follows the head (frames) stays in the input. Heads are parsed as they arrive,
//! however they are split, with work that is linear in their size, within the limits of [`Config`][crate::Config], and
//! strictly: request smuggling depends on two parties disagreeing about where a line or body ends. Invalid HTTP is
//! detected at the first offending byte; missing or duplicate fields are detected at the end of the head. In both cases
//! a server's error response is already in `out`. Fields added by the caller are validated before anything is written,
//! which rules out header injection.
//!
//! With another HTTP implementation, the same rules are applied to header fields instead of bytes:
//!
//! | | server | client |
//! |---|---|---|
//! | HTTP/1.1 | [`Upgrade::from_fields`] | [`ClientRequest::start_upgrade`] |
//! | HTTP/2 and HTTP/3, by [extended CONNECT][extended] | [`Upgrade::from_extended_connect`] | [`ClientRequest::start_extended_connect`] |
#![cfg_attr(
    feature = "http",
    doc = "| any, in the types of the crate `http` | [`Upgrade::from_http`] | [`ClientFieldsHandshake::to_http`] |"
)]
//!
//! The accept-key computation alone is in [`key`] (no heap); the extension list alone is [`ExtensionList`].
//!
//! Timeouts are up to the caller: there is a limit to the bytes of a handshake, but a peer can be silent in the middle
//! of it, so the caller sets a deadline ([`keepalive`](crate::keepalive) has one), calls
//! [`ServerHandshake::handle_timeout`] or [`ClientHandshake::handle_timeout`] when it has passed, and closes the
//! transport; a server's response is in `out` by then.
//!
//! With `wss`, both ends complete the TLS handshake first, and a TLS failure ends the transport before any byte of the
//! WebSocket handshake (RFC 6455 section 4.1 for the client, section 4.2.2 for the server). Masking and the key hide
//! nothing: secrecy and integrity come from TLS (section 10.6).
//!
#![cfg_attr(
    not(feature = "alloc"),
    doc = "\
[`TunnelRequest`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.TunnelRequest.html\n\
[`ResponseBody`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ResponseBody.html\n\
[crate::Config]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.Config.html\n\
[`Upgrade::from_fields`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.Upgrade.html#method.from_fields\n\
[`ClientRequest::start_upgrade`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ClientRequest.html#method.start_upgrade\n\
[extended]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/extended/index.html\n\
[`Upgrade::from_extended_connect`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.Upgrade.html#method.from_extended_connect\n\
[`ClientRequest::start_extended_connect`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ClientRequest.html#method.start_extended_connect\n\
[`ExtensionList`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ExtensionList.html\n\
[`ServerHandshake::handle_timeout`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ServerHandshake.html#method.handle_timeout\n\
[`ClientHandshake::handle_timeout`]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ClientHandshake.html#method.handle_timeout"
)]
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use websocket_proto::{Config, entropy};
//! use websocket_proto::handshake::{Answer, ClientRequest, ServerHandshake};
//!
//! let config = Config::new();
//! let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
//!
//! // The client asks. (Use unpredictable entropy in production: `OsEntropy` or equivalent.)
//! let entropy = entropy::from_fn(|bytes| bytes.fill(7));
//! let request = ClientRequest::from_url("ws://example.com/chat")?.with_subprotocol("soap")?.with_subprotocol("chat")?;
//! let mut client = request.start(&config, entropy, &mut to_server);
//!
//! // The server reads, looks at the request, and accepts.
//! let mut server = ServerHandshake::new(&config);
//! let mut input = &mut to_server[..];
//! let request = server.receive(&mut input, &mut to_client)?.expect("the head is complete");
//! let upgrade = request.upgrade(&mut to_client)?;
//! assert_eq!((upgrade.path(), upgrade.authority()), ("/chat", "example.com"));
//! let connection_of_server = upgrade.with_subprotocol("chat")?.accept(&mut to_client);
//!
//! // The client checks the response.
//! let mut input = &mut to_client[..];
//! match client.receive(&mut input, &mut to_server)? {
//!     Some(Answer::Accepted { connection, response }) => {
//!         assert_eq!(response.subprotocol(), Some("chat"));
//! #       drop(connection);
//!     }
//!     Some(Answer::Rejected(response)) => panic!("status {}", response.status()),
//!     None => panic!("the answer is not complete"),
//! }
//! # drop(connection_of_server);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "alloc")]
mod body;
#[cfg(feature = "alloc")]
mod client;
#[cfg(feature = "alloc")]
mod error;
#[cfg(feature = "alloc")]
mod error_response;
#[cfg(feature = "alloc")]
pub mod extended;
#[cfg(feature = "alloc")]
mod extensions;
#[cfg(feature = "alloc")]
mod http;
#[cfg(feature = "http")]
mod http_types;
pub mod key;
#[cfg(feature = "alloc")]
mod misuse;
#[cfg(feature = "alloc")]
mod opening;
#[cfg(feature = "alloc")]
mod server;
#[cfg(feature = "alloc")]
mod url;

#[cfg(feature = "alloc")]
pub use self::{
    body::{BodyError, ResponseBody},
    client::{
        Answer, ClientFieldsHandshake, ClientHandshake, ClientRequest, Response, TunnelAnswer,
        TunnelHandshake, TunnelRequest,
    },
    error::HandshakeError,
    extensions::{Extension, ExtensionList, ExtensionParam, ExtensionParams},
    http::fields::Fields,
    misuse::HandshakeMisuse,
    server::{Request, ServerHandshake, Upgrade},
    url::{UrlError, UrlPart},
};
