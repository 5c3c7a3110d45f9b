//! The server's response, as a client sees it.

use core::fmt;

use crate::Config;
use crate::handshake::body::ResponseBody;
use crate::handshake::extensions::{self, Extension};
use crate::handshake::http::fields::Fields;
use crate::handshake::http::grammar::{list, text};
use crate::handshake::http::head::Head;

/// The head of a server's final response.
///
/// It owns its bytes, in one buffer that is dropped with it.
#[derive(Clone)]
pub struct Response {
    head: Head,
    is_accepting: bool,
}

impl Response {
    pub(super) fn accepting(head: Head) -> Self {
        let is_accepting = true;
        Self { head, is_accepting }
    }

    pub(super) fn rejecting(head: Head) -> Self {
        let is_accepting = false;
        Self { head, is_accepting }
    }

    /// Returns the status: if the connection was accepted, 101, or a success (200 to 299) to an extended CONNECT;
    /// otherwise another from 200 to 999.
    pub fn status(&self) -> u16 {
        self.head.status()
    }

    /// Returns the fields, in the order of their lines.
    #[doc(alias = "headers")]
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(self.head.records())
    }

    /// Returns the value of the first field line with this name, whatever its case. Use [`fields`](Self::fields) for
    /// fields that may repeat.
    #[doc(alias = "header")]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(name)
    }

    /// Returns the subprotocol that the server chose, of those that were offered; none in a rejection.
    pub fn subprotocol(&self) -> Option<&str> {
        let field = self
            .field("Sec-WebSocket-Protocol")
            .filter(|_| self.is_accepting)?;
        // An empty value was accepted as absent; otherwise it is one name.
        list(field).next().map(text)
    }

    /// Returns the extensions that the server chose, in the order in which they apply, over all lines; none in a
    /// rejection.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        let lines = self.lines("Sec-WebSocket-Extensions");
        extensions::of_lines(lines.filter(|_| self.is_accepting))
    }

    /// Returns the versions of the protocol that the server says it supports, over all lines (RFC 6455 section 4.4).
    ///
    /// A server should list them when it rejects the version. An element that is not a version (0 to 255 in decimal,
    /// without leading zeros) is skipped.
    pub fn supported_versions(&self) -> impl Iterator<Item = u8> {
        self.lines("Sec-WebSocket-Version")
            .flat_map(list)
            .filter_map(parse_version)
    }

    /// Returns a reader for the body of a rejection, which follows the head in the input. It reads up to
    /// [`Config::max_body_size`].
    ///
    /// An accepting response has no body: it is followed by frames, or by the bytes of a tunnel. After a
    /// [`ClientFieldsHandshake`](crate::handshake::ClientFieldsHandshake), the HTTP stack that read the response has
    /// its body.
    pub fn body_reader(&self, config: &Config) -> ResponseBody {
        match self.is_accepting {
            true => ResponseBody::none(config),
            false => ResponseBody::new(&self.head, config),
        }
    }

    fn lines(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.fields()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for Response {
    /// Does not show the values of the fields, which hold cookies and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status())
            .field("fields", &self.fields())
            .finish()
    }
}

fn parse_version(element: &[u8]) -> Option<u8> {
    // RFC 6455 section 4.3: no sign, no leading zero.
    match element {
        b"0" => Some(0),
        [b'1'..=b'9', ..] => text(element).parse().ok(),
        _ => None,
    }
}
