//! What the peer sent.

use std::mem::MaybeUninit;

use websocket_proto::{Close, Event, Fin};

use crate::bytes::wsp_bytes;
use crate::code::wsp_code;
use crate::edge::{enter, out};
use crate::table::wsp_endpoint;

/// The kind of an event.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum wsp_event_kind {
    /// There is none: all events have been returned, or so much output waits that it has to be written first.
    None = 0,
    /// A complete text message. The data is UTF-8.
    Text = 1,
    /// A complete binary message.
    Binary = 2,
    /// The next chunk of a text message, with `WSP_DELIVERY_CHUNKS`. The data is UTF-8.
    TextChunk = 3,
    /// The next chunk of a binary message, with `WSP_DELIVERY_CHUNKS`.
    BinaryChunk = 4,
    /// A Ping, which is answered automatically.
    Ping = 5,
    /// A Pong.
    Pong = 6,
    /// The peer's Close, which is answered automatically. The last event. The data is the reason, in UTF-8.
    Close = 7,
    /// An event that this version of the ABI does not know.
    Other = 8,
}

/// Something that the peer sent.
#[repr(C)]
pub struct wsp_event {
    pub kind: wsp_event_kind,
    /// Whether a chunk is the last one of its message.
    pub is_last: bool,
    /// The code of a Close, 0 if it has none.
    pub code: u16,
    /// Valid until the next call on the endpoint that is not a send. So it can be sent back, also by several sends.
    pub data: wsp_bytes,
}

/// Returns the next event. While it is held, i.e. until the next call on the endpoint that is not a send, what is sent counts as a reply
/// to it: see `wsp_config.max_buffered`.
///
/// `event`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_next_event(
    endpoint: wsp_endpoint,
    event: Option<&mut MaybeUninit<wsp_event>>,
) -> wsp_code {
    enter(endpoint, |entry| {
        let event = out(event)?;
        event.write(entry.owner.next_event().map_or(wsp_event::NONE, wsp_event::new));
        Ok(())
    })
}

impl wsp_event {
    const NONE: Self = Self {
        kind: wsp_event_kind::None,
        is_last: false,
        code: 0,
        data: wsp_bytes::EMPTY,
    };

    fn new(event: &Event<'_>) -> Self {
        let (kind, data) = match event {
            Event::Text(text) => (wsp_event_kind::Text, text.as_bytes()),
            Event::Binary(payload) => (wsp_event_kind::Binary, payload.as_slice()),
            Event::TextChunk(text, _) => (wsp_event_kind::TextChunk, text.as_bytes()),
            Event::BinaryChunk(payload, _) => (wsp_event_kind::BinaryChunk, payload.as_slice()),
            Event::Ping(payload) => (wsp_event_kind::Ping, payload.as_slice()),
            Event::Pong(payload) => (wsp_event_kind::Pong, payload.as_slice()),
            Event::Close(Close { reason, .. }) => (wsp_event_kind::Close, reason.as_bytes()),
            _ => (wsp_event_kind::Other, &[][..]),
        };
        Self {
            kind,
            is_last: matches!(
                event,
                Event::TextChunk(_, Fin::Last) | Event::BinaryChunk(_, Fin::Last)
            ),
            code: match event {
                Event::Close(close) => close.code.map_or(0, u16::from),
                _ => 0,
            },
            data: wsp_bytes::lend(data),
        }
    }
}
