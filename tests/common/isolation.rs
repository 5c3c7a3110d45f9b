//! The output of a connection's compression and decompression, for comparison with a connection on a new thread.

use std::thread;

use websocket_proto::deflate::{Compressor, Decompressor, DeflateConfig, InflateError, Parameters, Window};
use websocket_proto::{Config, Connection, Fin, MessageKind, Prepared};

#[derive(Clone, Copy, Debug)]
pub enum Sending {
    Messages,
    /// Each message in two fragments.
    Fragments,
    /// Every second message is prepared.
    Prepared,
}

#[derive(Clone, Debug)]
pub struct Setting {
    pub window: Window,
    pub config: DeflateConfig,
    pub sending: Sending,
}

/// Runs on a new thread, on which nothing was compressed or inflated before.
pub fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().unwrap())
}

/// Everything that a connection writes.
pub fn send(setting: &Setting, messages: &[&[u8]]) -> Vec<u8> {
    let parameters = Parameters::new(Window::default(), setting.window);
    let mut server = Connection::server(&Config::new()).with_deflate(parameters, &setting.config);
    let mut out = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let sent = match setting.sending {
            Sending::Fragments => {
                let (first, last) = message.split_at(message.len() / 3);
                let mut send = |part, fin| server.send_fragment(MessageKind::Binary, part, fin, &mut out);
                send(first, Fin::More).and_then(|()| send(last, Fin::Last))
            }
            Sending::Prepared if n % 2 == 1 => {
                let prepared = Prepared::binary(message).with_deflate(setting.window, &setting.config);
                server.send_prepared(&prepared, &mut out)
            }
            Sending::Messages | Sending::Prepared => server.send_binary(message, &mut out),
        };
        sent.unwrap();
    }
    out
}

/// The payloads of a connection's messages.
pub fn compress(window: Window, messages: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut compressor = Compressor::new(window, &DeflateConfig::new().send_window_bits(15)).unwrap();
    let compress = |message: &&[u8]| {
        let mut wire = Vec::new();
        compressor.compress(message, &mut wire);
        wire
    };
    messages.iter().map(compress).collect()
}

/// The output for each payload, given in two parts, and the result.
pub fn receive(window: Window, wires: &[Vec<u8>]) -> Vec<(Vec<u8>, Result<(), InflateError>)> {
    let mut decompressor = Decompressor::new(window);
    let mut inflate = |wire: &Vec<u8>| {
        let mut out = Vec::new();
        let (front, back) = wire.split_at(wire.len() / 2);
        let result = [front, back].into_iter().try_for_each(|part| {
            decompressor.push(part, 1 << 20, |piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
        });
        (out, result.and_then(|()| decompressor.finish()))
    };
    wires.iter().map(&mut inflate).collect()
}
