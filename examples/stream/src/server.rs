//! Takes messages of any size as they come, and answers each with its size and its checksum.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};
use std::{mem, thread};

use crc32fast::Hasher;
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Delivery, Event, Fin, Payload, Transport};

use crate::BUFFER_SIZE;

const CONFIG: Config = Config::new()
    .delivery(Delivery::Chunks)
    .max_message_size(u64::MAX)
    .deflate(DeflateConfig::new());
/// For the opening handshake, for a peer to send the next piece, and for it to take an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);

pub fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        thread::spawn(move || match serve(stream) {
            Ok(end) => eprintln!("{peer}: {end}"),
            Err(error) => eprintln!("{peer}: handshake: {error}"),
        });
    }
}

/// One connection, first byte to last. Says how it ended, or why it never opened.
fn serve(mut stream: TcpStream) -> Result<String, Box<dyn Error>> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; BUFFER_SIZE];
    let result = match open(&mut stream, &mut buffer) {
        Ok((mut connection, frames)) => {
            let received = receive(&mut stream, &mut connection, &mut buffer, frames);
            let end = connection.receive_eof();
            Ok(received.map_or_else(|error| format!("{end} ({error})"), |()| end.to_string()))
        }
        Err(error) => Err(error),
    };
    linger(&mut stream, &mut buffer);
    result
}

/// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
fn open(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(Connection, Range<usize>), Box<dyn Error>> {
    let mut handshake = ServerHandshake::new(&CONFIG);
    let mut out = Vec::new();
    loop {
        let size = stream.read(buffer)?;
        if size == 0 {
            return Err(handshake.receive_eof().into());
        }
        let mut input = &mut buffer[..size];
        let opened = match handshake.receive(&mut input, &mut out) {
            Ok(None) => continue,
            Ok(Some(request)) => request.upgrade(&mut out).map(|upgrade| upgrade.accept(&mut out)),
            Err(error) => Err(error),
        };
        let frames = size - input.len()..size;
        stream.write_all(&out)?; // the 101, or what tells the client of the error
        return Ok((opened?, frames));
    }
}

/// The open connection, until the transport is to be closed.
fn receive(
    stream: &mut TcpStream,
    connection: &mut Connection,
    buffer: &mut [u8],
    frames: Range<usize>,
) -> Result<(), Box<dyn Error>> {
    let mut out = Vec::new();
    let mut input = &mut buffer[frames];
    let mut checksum = Hasher::new();
    let mut size = 0;
    loop {
        // An error ends this loop too: the Close that tells the peer is in `out`.
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            let (chunk, fin) = match event {
                Event::TextChunk(text, fin) => (Payload::from(text), fin),
                Event::BinaryChunk(payload, fin) => (payload, fin),
                _ => continue, // what a Ping or a Close is answered with is in `out`
            };
            checksum.update(&chunk);
            size += chunk.len() as u64;
            if fin == Fin::Last {
                let answer = crate::answer(mem::take(&mut size), mem::take(&mut checksum));
                connection.send_text(&answer, &mut out)?;
            }
        }
        stream.write_all(&out)?;
        out.clear();
        if connection.transport() == Transport::Close {
            return Ok(());
        }
        let size = stream.read(buffer)?;
        if size == 0 {
            return Ok(());
        }
        input = &mut buffer[..size];
    }
}

/// Ends our direction, then waits for the end of the peer's. A socket that is closed with bytes unread is reset, and the reset may
/// overtake what was written last.
fn linger(stream: &mut TcpStream, buffer: &mut [u8]) {
    let began = Instant::now();
    if stream.shutdown(Shutdown::Write).is_ok() && stream.set_read_timeout(Some(LINGER_TIME)).is_ok() {
        while stream.read(buffer).is_ok_and(|size| size > 0) && began.elapsed() < LINGER_TIME {}
    }
}
