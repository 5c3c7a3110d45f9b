//! The output of a connection, for any calls.

use super::common::strict::Strict;
use super::ends::Settings;
use super::input::Input;
use websocket_proto::{CloseCode, Compression, Connection, Fin, MessageKind, Prepared, Role};

/// Any call on a connection, including receiving any bytes from the peer.
fn step(connection: &mut Connection, input: &mut Input, out: &mut Vec<u8>) {
    // A rejected call must not write anything, which the strict reader would detect.
    let _ = match input.byte() % 13 {
        0 => connection.send_text(&input.text(), out),
        1 => connection.send_binary(input.bytes(), out),
        2 => {
            let (size, byte) = (usize::from(input.number()), input.byte());
            connection.send_binary(&vec![byte; size], out)
        }
        3 => connection.send_fragment(MessageKind::Text, input.bytes(), Fin::More, out),
        4 => connection.send_fragment(MessageKind::Text, input.bytes(), Fin::Last, out),
        5 => {
            let fin = input.pick(&[Fin::More, Fin::Last]);
            connection.send_fragment(MessageKind::Binary, input.bytes(), fin, out)
        }
        6 => connection.send_ping(input.bytes(), out),
        7 => connection.send_pong(input.bytes(), out),
        8 => {
            let code = Some(CloseCode(input.number())).filter(|code| code.0 != 0);
            connection.close(code, &input.text(), out)
        }
        9 => connection.send_prepared(&prepared(input), out),
        10 => {
            connection.set_compression(input.pick(&[Compression::Off, Compression::On]));
            Ok(())
        }
        12 => {
            connection.set_max_message_size(input.number().into());
            Ok(())
        }
        _ => {
            let mut bytes = input.bytes().to_vec();
            let mut rest = &mut bytes[..];
            while let Ok(Some(_)) = connection.receive(&mut rest, out) {}
            Ok(())
        }
    };
}

pub fn prepared(input: &mut Input) -> Prepared {
    let flags = input.byte();
    let prepared = match flags & 1 {
        0 => Prepared::text(&input.text()),
        _ => Prepared::binary(input.bytes()),
    };
    #[cfg(feature = "deflate")]
    if flags & 2 != 0 {
        let config = websocket_proto::deflate::DeflateConfig::new().threshold(0);
        return prepared.with_deflate(super::common::windows::window(8 + (flags >> 5), true), &config);
    }
    prepared
}

/// For any calls and any received bytes, the output consists of complete, valid frames, with at most one Close and only Pings and
/// Pongs after it.
pub fn output_validity(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = Settings::read(&mut input);
    let role = input.pick(&[Role::Server, Role::Client]);
    let mut connection = settings.open(role);
    let mut strict = Strict::new(role)
        .deflated(settings.is_deflated())
        .any_close_code(settings.accept_any_close_code);
    while !input.is_empty() {
        let mut out = Vec::new();
        step(&mut connection, &mut input, &mut out);
        strict.read(&out);
    }
    let closed = connection.receive_eof();
    assert_eq!(closed.code_sent().is_some(), strict.is_closed());
}
