//! Extended CONNECT: WebSocket over one stream of HTTP/2 (RFC 8441) or HTTP/3 (RFC 9220).
//!
//! The handshake is two lists of header fields, so it works with any stack: [`Upgrade::from_extended_connect`] takes
//! those of the request and returns those of the response, [`ClientRequest::start_extended_connect`] returns those of
//! the request and takes those of the response. Both yield the same [`Connection`] as over HTTP/1.1. HTTP/2 and HTTP/3
//! do not differ here: the same code serves both.
//!
//! # What the stack does
//!
//! - **The setting.** A server that accepts such requests sends [`SETTINGS_ENABLE_CONNECT_PROTOCOL`] as 1. It must
//!   never set it back to 0, and ignores it if received. A client sends the request only after the server's setting is
//!   1; it is 0 until then, in HTTP/2 as in HTTP/3. [`is_enabled`] interprets a value.
//! - **The stream.** The request is sent without END_STREAM, and so is the accepting response: the stream stays open
//!   both ways. If the request ended its stream, it cannot be accepted.
//! - **The data.** The bytes to and from [`Connection`] are the payload of DATA frames. Their boundaries carry no
//!   meaning, and the client masks its frames as always.
//! - **Proxies.** The authority is that of an ordinary request: a server must not open a tunnel to it. A client behind
//!   a forward proxy sends an ordinary CONNECT first, and then extended CONNECT through its tunnel.
//!
//! # How it ends
//!
//! The stream is what a TCP connection is over HTTP/1.1:
//!
//! | [`Connection`] | TCP | HTTP/2 | HTTP/3 |
//! |---|---|---|---|
//! | [`TransportAdvice::Close`](crate::TransportAdvice::Close): all output is written | FIN | END_STREAM | FIN of the stream |
//! | abandoned before that, e.g. after a timeout | RST | RST_STREAM with CANCEL (0x08) | the stream is reset with H3_REQUEST_CANCELLED (0x010c) |
//! | the peer did one or the other: [`receive_eof`](crate::Connection::receive_eof) | FIN, RST | END_STREAM, RST_STREAM | FIN of the stream, reset |
//!
//! The end of a stream does not say whether it was intended. [`Closed::is_clean`](crate::Closed::is_clean) does, based
//! on the Close frames.
//!
//! # What replaces the key
//!
//! There is no Sec-WebSocket-Key and no Sec-WebSocket-Accept; a key is ignored if received. The setting, and a
//! `:protocol` that scripts cannot write, show that the server speaks WebSocket and is not being tricked into appearing
//! to. Everything else that RFC 6455 says about security applies: check the [origin](Upgrade::origin).
//!
//! ```
//! use websocket_proto::{Config, entropy};
//! use websocket_proto::handshake::{Answer, ClientRequest, Upgrade, extended};
//!
//! let config = Config::new();
//! let mut setting = false;
//! // The server's SETTINGS came, with this parameter in them.
//! let (id, value) = (8, 1);
//! if id == extended::SETTINGS_ENABLE_CONNECT_PROTOCOL {
//!     setting = extended::is_enabled(setting, value).expect("a connection error otherwise");
//! }
//! assert!(setting);
//!
//! // The client asks. (Use unpredictable entropy in production: `OsEntropy` or equivalent.)
//! let entropy = entropy::from_fn(|bytes| bytes.fill(7));
//! let request = ClientRequest::from_url("wss://example.com/chat")?.with_subprotocol("chat")?;
//! let mut client = request.start_extended_connect(&config, entropy);
//! let request: Vec<(String, Vec<u8>)> = client.fields().map(|(name, value)| (name.into(), value.into())).collect();
//!
//! // The server accepts.
//! let fields = request.iter().map(|(name, value)| (name, value));
//! let upgrade = Upgrade::from_extended_connect(&config, fields)?.select_subprotocol(&["chat"]);
//! let status = upgrade.status().to_string();
//! let response: Vec<(&str, &[u8])> = [(":status", status.as_bytes())].into_iter().chain(upgrade.response_fields()).collect();
//!
//! // The client checks the response.
//! match client.receive_fields(response)? {
//!     Some(Answer::Accepted { connection, response }) => {
//!         assert_eq!(response.subprotocol(), Some("chat"));
//! #       drop(connection);
//!     }
//!     Some(Answer::Rejected(response)) => panic!("status {}", response.status()),
//!     None => panic!("an interim response"),
//! }
//! let connection_of_server = upgrade.into_connection();
//! # drop(connection_of_server);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(doc)]
use super::{ClientRequest, Upgrade};
#[cfg(doc)]
use crate::Connection;

/// The value of `:protocol` (RFC 8441 section 5, and the upgrade token of RFC 6455 section 11.2).
pub const PROTOCOL: &str = "websocket";

/// The number of the setting, in HTTP/2 (RFC 8441 section 3) and in HTTP/3 (RFC 9220 section 3).
pub const SETTINGS_ENABLE_CONNECT_PROTOCOL: u64 = 0x08;

/// Returns whether a client may send an extended CONNECT, once [the setting](SETTINGS_ENABLE_CONNECT_PROTOCOL) has this
/// value; `earlier` is the result for the previous value, initially `false`.
///
/// `None` for a value that must not be sent: neither 0 nor 1, or 0 after 1 (RFC 8441 section 3). This is a connection
/// error, PROTOCOL_ERROR in HTTP/2 and H3_SETTINGS_ERROR in HTTP/3.
///
/// ```
/// use websocket_proto::handshake::extended::is_enabled;
///
/// assert_eq!(is_enabled(false, 1), Some(true));
/// assert_eq!(is_enabled(true, 0), None);
/// ```
pub const fn is_enabled(earlier: bool, value: u64) -> Option<bool> {
    match (earlier, value) {
        (_, 1) => Some(true),
        (false, 0) => Some(false),
        (true, 0) | (_, 2..) => None,
    }
}
