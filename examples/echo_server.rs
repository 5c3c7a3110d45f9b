//! An echo server: all that a blocking server does with a connection, on plain TCP with one thread for each.
//!
//!     cargo run --example echo_server -- [--max-message BYTES] [ADDR]
//!
//! It prints `listening on ws://ADDR` when it is ready, and one line on stderr for each connection that has ended.

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event, Transport};

/// For the opening handshake and for the closing one, each in total: a byte now and then does not prolong it.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a peer that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much is read at a time, and how much output is gathered before it is written.
const BUFFER_SIZE: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = config();
    let mut address = String::from("127.0.0.1:9001");
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--max-message" => {
                let bytes = args.next().ok_or("--max-message needs a number of bytes")?;
                config = config.max_message_size(bytes.parse()?);
            }
            _ => address = arg,
        }
    }
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100)); // there may be no descriptor left
                continue;
            }
        };
        let connection = move || match serve(stream, &config) {
            Ok(end) => eprintln!("{peer}: {end}"),
            Err(error) => eprintln!("{peer}: handshake: {error}"),
        };
        if let Err(error) = thread::Builder::new().spawn(connection) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// With the feature `deflate`, clients that offer compression get it.
fn config() -> Config {
    #[cfg(feature = "deflate")]
    return Config::new().deflate(websocket_proto::deflate::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    Config::new()
}

/// One connection, first byte to last. Says how it ended, or why it never opened.
fn serve(mut stream: TcpStream, config: &Config) -> Result<String, Box<dyn Error>> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let mut buffer = vec![0; BUFFER_SIZE];
    let (mut connection, frames) = open(&mut stream, config, &mut buffer)?;
    let result = echo(&mut stream, &mut connection, &mut buffer, frames);
    let end = connection.receive_eof();
    Ok(match result {
        Ok(()) => end.to_string(),
        Err(error) => format!("{end} ({error})"),
    })
}

/// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
fn open(
    stream: &mut TcpStream,
    config: &Config,
    buffer: &mut [u8],
) -> Result<(Connection, Range<usize>), Box<dyn Error>> {
    let deadline = Instant::now() + HANDSHAKE_TIME;
    let mut handshake = ServerHandshake::new(config);
    let mut out = Vec::new();
    loop {
        let size = read(stream, buffer, Some(deadline))?;
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
        write(stream, &mut out)?; // the response, 101 or what the error comes to
        return match opened {
            Ok(connection) => Ok((connection, frames)),
            Err(error) => {
                linger(stream, buffer);
                Err(error.into())
            }
        };
    }
}

/// The open connection, until the transport is to be closed.
fn echo(
    stream: &mut TcpStream,
    connection: &mut Connection,
    buffer: &mut [u8],
    frames: Range<usize>,
) -> Result<(), Box<dyn Error>> {
    let mut deadline = None; // an open connection may be idle for ever
    let mut out = Vec::new();
    let mut input = &mut buffer[frames];
    loop {
        // An error ends this loop too: the Close that tells the peer is in `out`, and `receive_eof` tells us.
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            match event {
                Event::Text(text) => connection.send_text(&text, &mut out)?,
                Event::Binary(payload) => connection.send_binary(&payload, &mut out)?,
                _ => {} // what a Ping or a Close is answered with is in `out`
            }
            if out.len() > BUFFER_SIZE {
                write(stream, &mut out)?;
            }
        }
        write(stream, &mut out)?;
        match connection.transport() {
            Transport::Open => {}
            Transport::AwaitPeer => _ = deadline.get_or_insert_with(|| Instant::now() + HANDSHAKE_TIME),
            Transport::Close => {
                linger(stream, buffer);
                return Ok(());
            }
        }
        let size = read(stream, buffer, deadline)?;
        if size == 0 {
            return Ok(());
        }
        input = &mut buffer[..size];
    }
}

/// Ends our direction, then waits for the end of the peer's. A socket that is closed with bytes unread is reset, and the reset may
/// overtake what was written last.
fn linger(stream: &mut TcpStream, buffer: &mut [u8]) {
    let deadline = Instant::now() + LINGER_TIME;
    if stream.shutdown(Shutdown::Write).is_ok() {
        while read(stream, buffer, Some(deadline)).is_ok_and(|size| size > 0) {}
    }
}

/// Reads what is there, or waits for something until the deadline.
fn read(stream: &mut TcpStream, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(left)?;
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.map_err(timed_out),
        }
    }
}

/// Writes all of `out` and empties it. What a large message took is given back.
fn write(stream: &mut TcpStream, out: &mut Vec<u8>) -> io::Result<()> {
    stream.write_all(out).map_err(timed_out)?;
    out.clear();
    out.shrink_to(BUFFER_SIZE);
    Ok(())
}

/// Some systems tell the timeout of a socket by another name.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}
