//! The two ways to request a connection, and how they differ for either role.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::http::field_list;
use super::key::accept_key;

/// How the connection is requested.
#[derive(Clone)]
pub(super) enum Opening {
    /// By the Upgrade field of HTTP/1.1; holds the answer to the key.
    Upgrade { accept: [u8; 28] },
    /// By an extended CONNECT of HTTP/2 or HTTP/3, which has no key (RFC 8441 section 5).
    ExtendedConnect,
}

impl Opening {
    /// RFC 6455 section 4.2.2: computed from the text of the key as received.
    pub(super) fn by_upgrade(key: &[u8]) -> Self {
        let accept = accept_key(key);
        Self::Upgrade { accept }
    }

    /// RFC 6455 section 4.1, item 1; RFC 8441 section 5
    pub(super) fn is_accepted_by(&self, status: u16) -> bool {
        match self {
            Self::Upgrade { .. } => status == 101,
            Self::ExtendedConnect => (200..=299).contains(&status),
        }
    }

    pub(super) fn name_of_protocol(&self) -> &'static str {
        match self {
            Self::Upgrade { .. } => "Sec-WebSocket-Protocol",
            Self::ExtendedConnect => "sec-websocket-protocol",
        }
    }

    #[cfg(feature = "deflate")]
    pub(super) fn name_of_extensions(&self) -> &'static str {
        match self {
            Self::Upgrade { .. } => "Sec-WebSocket-Extensions",
            Self::ExtendedConnect => "sec-websocket-extensions",
        }
    }

    /// Converts a checked field for writing.
    pub(super) fn written(&self, name: &str, value: &[u8]) -> (String, Vec<u8>) {
        match self {
            Self::Upgrade { .. } => (name.to_string(), value.to_vec()),
            Self::ExtendedConnect => field_list::written(name, value),
        }
    }
}
