//! Close codes (RFC 6455 section 7.4).

use core::fmt;

use crate::Role;

/// The longest reason of a Close frame, in bytes of UTF-8: the 125 bytes of a control frame minus the two of the code.
pub const MAX_CLOSE_REASON_SIZE: usize = 123;

/// A close code, as in the registry of RFC 6455 section 11.7. Holds any `u16`; use
/// [`is_receivable`](Self::is_receivable) and [`is_sendable`](Self::is_sendable) to check which codes are allowed on
/// the wire.
///
/// ```
/// use websocket_proto::{CloseCode, Role};
///
/// assert!(CloseCode::NORMAL.is_sendable(Role::Client));
/// assert!(CloseCode::from(4001).is_receivable());
/// assert!(!CloseCode::ABNORMAL.is_receivable());
/// assert_eq!(CloseCode::TOO_BIG.to_string(), "1009 (message too big)");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_structs, reason = "a close code is a number")]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: normal closure: the connection has fulfilled its purpose.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint is going away, e.g. a server shutting down or a user leaving the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: the endpoint received a type of data it cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: never on the wire; represents a Close frame without a code.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: never on the wire; represents a transport that ended without a Close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data inconsistent with the message type, e.g. text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: a message violates the endpoint's policy, when no other code fits.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message exceeds the endpoint's limit.
    pub const TOO_BIG: Self = Self(1009);
    /// 1010: the server did not negotiate an extension the client requires. Must not be sent by servers.
    pub const MISSING_EXTENSION: Self = Self(1010);
    /// 1011: the server encountered an unexpected condition.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway received an invalid response from upstream.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: never on the wire; represents a failed TLS handshake.
    pub const TLS_FAILURE: Self = Self(1015);

    /// Returns whether a Close frame may carry this code: 1000 to 1003, 1007 to 1014 and 3000 to 4999 (RFC 6455 section
    /// 7.4 and the registry).
    pub const fn is_receivable(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// Returns whether this role may send this code: every receivable code, except that a server must not send 1010
    /// (RFC 6455 section 7.4.1).
    pub const fn is_sendable(self, role: Role) -> bool {
        match role {
            Role::Client => self.is_receivable(),
            Role::Server => self.is_receivable() && self.0 != Self::MISSING_EXTENSION.0,
        }
    }

    /// Returns whether the code is reserved for local use (1005, 1006, 1015) and MUST NOT appear on the wire.
    pub const fn is_never_sent(self) -> bool {
        matches!(self, Self::NO_STATUS | Self::ABNORMAL | Self::TLS_FAILURE)
    }

    const fn meaning(self) -> Option<&'static str> {
        Some(match self {
            Self::NORMAL => "normal closure",
            Self::GOING_AWAY => "going away",
            Self::PROTOCOL_ERROR => "protocol error",
            Self::UNSUPPORTED_DATA => "unsupported data",
            Self::NO_STATUS => "no status received",
            Self::ABNORMAL => "abnormal closure",
            Self::INVALID_DATA => "invalid payload data",
            Self::POLICY_VIOLATION => "policy violation",
            Self::TOO_BIG => "message too big",
            Self::MISSING_EXTENSION => "missing extension",
            Self::INTERNAL_ERROR => "internal error",
            Self::SERVICE_RESTART => "service restart",
            Self::TRY_AGAIN_LATER => "try again later",
            Self::BAD_GATEWAY => "bad gateway",
            Self::TLS_FAILURE => "tls handshake failure",
            _ => return None,
        })
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "{} ({meaning})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

/// Converts into the code of a Close frame, for [`close`][crate::Connection::close]: a [`CloseCode`] or its number, or
/// `None` for a frame without a code.
///
/// `close` checks whether the code may be sent.
///
#[cfg_attr(
    not(feature = "alloc"),
    doc = "\
[crate::Connection::close]: https://docs.rs/websocket-proto/latest/websocket_proto/connection/struct.Connection.html#method.close"
)]
#[cfg_attr(feature = "alloc", doc = "```")]
#[cfg_attr(not(feature = "alloc"), doc = "```ignore")]
/// use websocket_proto::{CloseCode, Config, Connection, Misuse};
///
/// let mut out = Vec::new();
/// let open = || Connection::server(&Config::new());
/// open().close(CloseCode::GOING_AWAY, "bye", &mut out)?;
/// open().close(1001, "bye", &mut out)?;
/// open().close(Some(CloseCode(1001)), "bye", &mut out)?;
/// assert_eq!(out, b"\x88\x05\x03\xe9bye".repeat(3));
/// out.clear();
/// open().close(None, "", &mut out)?;
/// assert_eq!(out, b"\x88\x00");
/// assert_eq!(open().close(999, "", &mut out), Err(Misuse::InvalidCloseCode(CloseCode(999))));
/// # Ok::<(), Misuse>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a close code",
    label = "expected a `CloseCode`, a `u16` or `None`"
)]
pub trait IntoCloseCode: sealed::Sealed {
    /// Returns the code, `None` for a frame without one.
    fn into_close_code(self) -> Option<CloseCode>;
}

mod sealed {
    #[allow(unnameable_types, reason = "a trait that seals another has no name outside")]
    pub trait Sealed {}
}

impl sealed::Sealed for CloseCode {}
impl sealed::Sealed for u16 {}
impl sealed::Sealed for Option<CloseCode> {}

impl IntoCloseCode for CloseCode {
    fn into_close_code(self) -> Option<CloseCode> {
        Some(self)
    }
}

/// The only integer for which this is implemented, so that a literal needs no suffix.
impl IntoCloseCode for u16 {
    fn into_close_code(self) -> Option<CloseCode> {
        Some(CloseCode(self))
    }
}

impl IntoCloseCode for Option<CloseCode> {
    fn into_close_code(self) -> Option<CloseCode> {
        self
    }
}
