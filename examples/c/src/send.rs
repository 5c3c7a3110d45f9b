//! Sending. Of all calls, these leave the event that is held as it is.

use std::mem::MaybeUninit;

use websocket_proto::endpoint::{SendError, Sender};
use websocket_proto::{CloseCode, Fin, MessageKind};

use crate::bytes::wsp_bytes;
use crate::code::wsp_code;
use crate::edge::{enter, out};
use crate::table::wsp_endpoint;

/// The kind of a message: values for `wsp_send_fragment`.
#[repr(C)]
#[allow(dead_code, reason = "C passes the numbers")]
pub enum wsp_message_kind {
    Text = 0,
    Binary = 1,
}

/// The state of an endpoint's output.
#[repr(C)]
pub struct wsp_sending {
    /// Whether messages can be sent: the connection is open, and neither side has sent a Close.
    pub is_open: bool,
    /// Whether a message would be refused with `WSP_CODE_FULL`.
    pub is_full: bool,
    /// How many bytes wait to be written.
    pub buffered: usize,
}

/// The largest payload of a control frame (RFC 6455 section 5.5), and what a code leaves of it for a reason.
const MAX_CONTROL: usize = 125;
const MAX_REASON: usize = MAX_CONTROL - 2;

/// Sends a text message. `text` has to be UTF-8, and is copied.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_send_text(endpoint: wsp_endpoint, text: wsp_bytes) -> wsp_code {
    send(endpoint, |sender| Ok(sender.send_text(text.as_text()?)?))
}

/// Sends a binary message. `payload` is copied.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_send_binary(endpoint: wsp_endpoint, payload: wsp_bytes) -> wsp_code {
    send(endpoint, |sender| Ok(sender.send_binary(payload.as_slice()?)?))
}

/// Sends the next fragment of a message, and begins the message if none is being sent. The text of all fragments together has to be
/// UTF-8. `payload` is copied.
///
/// `kind`: a `wsp_message_kind`, the same for all fragments of a message. `is_last`: whether this is the last one.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_send_fragment(
    endpoint: wsp_endpoint,
    kind: u32,
    payload: wsp_bytes,
    is_last: bool,
) -> wsp_code {
    let fin = if is_last { Fin::Last } else { Fin::More };
    send(endpoint, |sender| {
        let kind = match kind {
            0 => MessageKind::Text,
            1 => MessageKind::Binary,
            _ => return Err(wsp_code::InvalidArgument),
        };
        Ok(sender.send_fragment(kind, payload.as_slice()?, fin)?)
    })
}

/// Sends a Ping with at most 125 bytes of payload. The endpoint sends its own Pings too: see `wsp_config.ping_interval`.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_send_ping(endpoint: wsp_endpoint, payload: wsp_bytes) -> wsp_code {
    send_control(endpoint, payload, |sender, payload| sender.send_ping(payload))
}

/// Sends an unsolicited Pong with at most 125 bytes of payload. Pings are answered automatically.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_send_pong(endpoint: wsp_endpoint, payload: wsp_bytes) -> wsp_code {
    send_control(endpoint, payload, |sender, payload| sender.send_pong(payload))
}

/// Starts the closing handshake. Continue with `wsp_next_step` until `WSP_STEP_KIND_DONE`.
///
/// `code`: such as 1000; 0 for a Close without a code. `reason`: UTF-8, at most 123 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_close(endpoint: wsp_endpoint, code: u16, reason: wsp_bytes) -> wsp_code {
    send(endpoint, |sender| {
        if reason.len() > MAX_REASON {
            return Err(wsp_code::ReasonTooLong);
        }
        let code = (code != 0).then_some(CloseCode(code));
        Ok(sender.close(code, reason.as_text()?)?)
    })
}

/// Returns whether messages can be sent, and how much output waits. Counts as a send: what is lent remains valid.
///
/// `sending`: not NULL.
#[unsafe(no_mangle)]
pub extern "C" fn wsp_get_sending(
    endpoint: wsp_endpoint,
    sending: Option<&mut MaybeUninit<wsp_sending>>,
) -> wsp_code {
    send(endpoint, |sender| {
        out(sending)?.write(wsp_sending {
            is_open: sender.is_open(),
            is_full: sender.is_full(),
            buffered: sender.buffered_amount(),
        });
        Ok(())
    })
}

/// The size is checked before the pointer is used.
fn send_control(
    endpoint: wsp_endpoint,
    payload: wsp_bytes,
    call: impl FnOnce(&mut Sender<'_>, &[u8]) -> Result<(), SendError>,
) -> wsp_code {
    send(endpoint, |sender| {
        if payload.len() > MAX_CONTROL {
            return Err(wsp_code::ControlTooLong);
        }
        Ok(call(sender, payload.as_slice()?)?)
    })
}

fn send(endpoint: wsp_endpoint, call: impl FnOnce(&mut Sender<'_>) -> Result<(), wsp_code>) -> wsp_code {
    enter(endpoint, |entry| entry.owner.send(call))
}
