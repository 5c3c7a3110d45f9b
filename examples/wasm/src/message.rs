//! What the peer sends, and what is sent to it.
//!
//! Each function that sends returns 1 if so much output waits now that the next message would be refused with [`Code::Full`], otherwise 0.

use websocket_proto::endpoint::Sender;
use websocket_proto::{Close, CloseCode, Config, Connection, Event, Fin, MessageKind, Payload, utf8};

use crate::code::Code;
use crate::edge::{Instance, enter, on, set_result};

/// Returns the kind of the next event and lends its data: 0 if there is none now, 1 a text message, 2 a binary message, 3 a Ping, which is
/// answered automatically, 4 a Pong, 5 the peer's Close, which is answered automatically and is the last event. Texts are UTF-8. The last
/// number of the result is the code of a Close, 0 if it has none; the data is then its reason.
#[unsafe(no_mangle)]
pub extern "C" fn ws_next_event(handle: f64) -> i32 {
    on(handle, |entry, shared| {
        entry.space = 0;
        let Some((event, _)) = entry.endpoint.next_event() else {
            return Ok(0);
        };
        let (kind, code, data) = match event {
            Event::Text(text) => (1, None, Payload::from(text)),
            Event::Binary(payload) => (2, None, payload),
            Event::Ping(payload) => (3, None, payload),
            Event::Pong(payload) => (4, None, payload),
            Event::Close(Close { code, reason, .. }) => (5, code, reason.into()),
            _ => return Err(Code::InvalidArgument), // chunks, which no setting asks for
        };
        set_result(kind, code.map_or(0, |code| u32::from(u16::from(code))));
        match data.is_borrowed() {
            true => shared.lend_copy(&data),
            false => shared.lend_owned(data.into_owned()),
        }
        Ok(kind as i32)
    })
}

/// Sends the argument, which has to be UTF-8, as a text message.
#[unsafe(no_mangle)]
pub extern "C" fn ws_send_text(handle: f64, len: u32) -> i32 {
    send(handle, len, |sender, text| Ok(sender.send_text(validate(text)?)?))
}

/// Sends the argument as a binary message.
#[unsafe(no_mangle)]
pub extern "C" fn ws_send_binary(handle: f64, len: u32) -> i32 {
    send(handle, len, |sender, payload| Ok(sender.send_binary(payload)?))
}

/// Sends the argument as the next fragment of a message, and begins the message if none is being sent. `is_text` and `is_last` are 0 or
/// 1; all fragments of a message have the same `is_text`, and the text of all together has to be UTF-8.
#[unsafe(no_mangle)]
pub extern "C" fn ws_send_fragment(handle: f64, is_text: u32, is_last: u32, len: u32) -> i32 {
    send(handle, len, |sender, payload| {
        let kind = flag(is_text, MessageKind::Text, MessageKind::Binary)?;
        let fin = flag(is_last, Fin::Last, Fin::More)?;
        Ok(sender.send_fragment(kind, payload, fin)?)
    })
}

/// Sends the argument, at most 125 bytes, as a Ping.
#[unsafe(no_mangle)]
pub extern "C" fn ws_send_ping(handle: f64, len: u32) -> i32 {
    send(handle, len, |sender, payload| Ok(sender.send_ping(payload)?))
}

/// Sends the argument, at most 125 bytes, as an unsolicited Pong.
#[unsafe(no_mangle)]
pub extern "C" fn ws_send_pong(handle: f64, len: u32) -> i32 {
    send(handle, len, |sender, payload| Ok(sender.send_pong(payload)?))
}

/// Starts the closing handshake. `code`: such as 1000; 0 for a Close without a code. The argument is the reason: UTF-8, at most 123 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn ws_close(handle: f64, code: u32, len: u32) -> i32 {
    send(handle, len, |sender, reason| {
        Ok(sender.close(close_code(code)?, validate(reason)?)?)
    })
}

/// Returns 0 if [`ws_close`] sends a Close with this code and reason on an open connection, otherwise the code for which it refuses them.
/// The arguments are those of [`ws_close`].
#[unsafe(no_mangle)]
pub extern "C" fn ws_check_close(code: u32, len: u32) -> i32 {
    enter(|Instance { shared, .. }| {
        let mut connection = Connection::server(&Config::new());
        connection.close(
            close_code(code)?,
            validate(shared.argument(len)?)?,
            &mut Vec::new(),
        )?;
        Ok(0)
    })
}

/// Returns 1 if messages can be sent, otherwise 0: the connection is open, and neither side has sent a Close. The kind of the result is 1
/// if a message would be refused with [`Code::Full`], otherwise 0; the last number is how many bytes wait to be written.
#[unsafe(no_mangle)]
pub extern "C" fn ws_sending(handle: f64) -> i32 {
    on(handle, |entry, shared| {
        let sender = entry.busy(shared).sender();
        let buffered = u32::try_from(sender.buffered_amount()).unwrap_or(u32::MAX);
        set_result(sender.is_full().into(), buffered);
        Ok(sender.is_open().into())
    })
}

fn send(handle: f64, len: u32, call: impl FnOnce(&mut Sender<'_>, &[u8]) -> Result<(), Code>) -> i32 {
    on(handle, |entry, shared| {
        let mut sender = entry.busy(shared).sender();
        call(&mut sender, shared.argument(len)?)?;
        Ok(sender.is_full().into())
    })
}

/// Returns the code of a Close, or `None` for 0.
fn close_code(code: u32) -> Result<Option<CloseCode>, Code> {
    let code = u16::try_from(code).map_err(|_| Code::InvalidCloseCode)?;
    Ok((code != 0).then_some(CloseCode(code)))
}

fn validate(text: &[u8]) -> Result<&str, Code> {
    utf8::validate(text).map_err(|_| Code::InvalidUtf8)
}

fn flag<T>(value: u32, set: T, unset: T) -> Result<T, Code> {
    match value {
        0 => Ok(unset),
        1 => Ok(set),
        _ => Err(Code::InvalidArgument),
    }
}
