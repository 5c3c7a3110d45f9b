//! Sends one message in pieces, and compares the server's reply.

use std::time::{Duration, Instant};

use crc32fast::Hasher;
use embedding_load::{Client, Result, Server, memory};
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::EndpointConfig;
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{Config, Fin, MessageKind};

use crate::BUFFER_SIZE;

/// The limit for each end, in KiB.
const MOST_MEMORY: u64 = 8 * 1024;
/// The size of the number at the start of each piece, which makes the pieces different.
const NUMBER_SIZE: usize = 20;
const PIECES_IN_MEBIBYTE: usize = (1 << 20) / BUFFER_SIZE;

pub fn run(mebibytes: usize, deflate: bool) -> Result<()> {
    let server = Server::start(&["--serve", "127.0.0.1:0"])?;
    let config = match deflate {
        true => Config::new().deflate(DeflateConfig::new()),
        false => Config::new(),
    };
    // Nothing is read while the message is sent, so Pongs would not be received.
    let keepalive = KeepaliveConfig::new().ping_interval(Duration::MAX);
    let config = EndpointConfig::new().connection(config).keepalive(keepalive);
    let mut client = Client::connect(&server.address, &config)?;
    let began = Instant::now();
    let sent = send(&mut client, mebibytes * PIECES_IN_MEBIBYTE)?;
    let seconds = began.elapsed().as_secs_f64();
    client.send_close()?;
    let end = client.hear_close()?;
    println!(
        "{mebibytes} MiB in one message: {sent} bytes on the wire, {:.0} MiB/s, {end}",
        mebibytes as f64 / seconds
    );
    let (ours, theirs) = (memory("self", "VmHWM")?, server.memory("VmHWM")?);
    println!("peak memory: client {ours} KiB, server {theirs} KiB");
    match ours.max(theirs) {
        ..=MOST_MEMORY => Ok(()),
        _ => Err(format!("more than {MOST_MEMORY} KiB").into()),
    }
}

/// Sends one message and reads the server's reply. Returns how many bytes the message took on the wire.
fn send(client: &mut Client, pieces: usize) -> Result<usize> {
    let mut piece = text();
    let (mut checksum, mut sent) = (Hasher::new(), 0);
    for number in 1..=pieces {
        piece[..NUMBER_SIZE].copy_from_slice(format!("{number:NUMBER_SIZE$}").as_bytes());
        checksum.update(&piece);
        let fin = if number == pieces { Fin::Last } else { Fin::More };
        let mut sender = client.endpoint.sender();
        if let Err(error) = sender.send_fragment(MessageKind::Text, &piece, fin) {
            return Err(format!("{error}; {}", client.hear_close()?).into()); // the server may have sent the reason
        }
        sent += sender.buffered_amount();
        client.flush();
    }
    client.hear(&crate::answer((pieces * BUFFER_SIZE) as u64, checksum))?;
    Ok(sent)
}

/// One piece of the message: lines, with space for a number at the start, and with characters of more than one byte.
fn text() -> Vec<u8> {
    let mut text = vec![b' '; NUMBER_SIZE];
    for line in 0.. {
        let line = format!(": line {line}, größer als {}\n", line / 2);
        if text.len() + line.len() > BUFFER_SIZE {
            break;
        }
        text.extend_from_slice(line.as_bytes());
    }
    text.resize(BUFFER_SIZE, b' ');
    text
}
