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
use websocket_proto::keepalive::{Action, Keepalive, KeepaliveConfig};
use websocket_proto::{Config, Connection, Event, State, Transport};

/// For a peer that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much is read at a time, and how much output is gathered before it is written.
const BUFFER_SIZE: usize = 64 * 1024;
/// How much memory for output is kept for the next message: to get it anew for each large one costs more than the echo.
const KEPT_SIZE: usize = 2 * 1024 * 1024;

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
            option if option.starts_with('-') => {
                return Err("usage: echo_server [--max-message BYTES] [ADDR]".into());
            }
            _ => address = arg,
        }
    }
    let listener = TcpListener::bind(&address).map_err(|error| format!("{address}: {error}"))?;
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
        let config = config.clone();
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
fn serve(stream: TcpStream, config: &Config) -> Result<String, Box<dyn Error>> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let mut link = Link::new(stream);
    let mut buffer = vec![0; BUFFER_SIZE];
    let (mut connection, frames) = link.open(config, &mut buffer)?;
    let result = link.echo(&mut connection, &mut buffer, frames);
    let end = connection.receive_eof();
    Ok(match result {
        Ok(()) => end.to_string(),
        Err(error) => format!("{end} ({error})"),
    })
}

/// The transport, and its timers.
struct Link {
    stream: TcpStream,
    clock: Instant,
    keepalive: Keepalive,
}

impl Link {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            clock: Instant::now(),
            keepalive: Keepalive::new(&KeepaliveConfig::new(), Duration::ZERO),
        }
    }

    /// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
    fn open(
        &mut self,
        config: &Config,
        buffer: &mut [u8],
    ) -> Result<(Connection, Range<usize>), Box<dyn Error>> {
        let mut handshake = ServerHandshake::new(config);
        let mut out = Vec::new();
        loop {
            let Some(size) = self.read(buffer)? else {
                return Err(handshake.receive_eof().into());
            };
            let mut input = &mut buffer[..size];
            let opened = match handshake.receive(&mut input, &mut out) {
                Ok(None) => match self.keepalive.tick(self.clock.elapsed()) {
                    Ok(_) => continue,
                    Err(_) => Err(handshake.handle_timeout(&mut out)),
                },
                Ok(Some(request)) => request.upgrade(&mut out).map(|upgrade| upgrade.accept(&mut out)),
                Err(error) => Err(error),
            };
            let frames = size - input.len()..size;
            self.write(&mut out)?; // the response, 101 or what the error comes to
            return match opened {
                Ok(connection) => {
                    self.keepalive.opened(self.clock.elapsed());
                    Ok((connection, frames))
                }
                Err(error) => {
                    self.linger(buffer);
                    Err(error.into())
                }
            };
        }
    }

    /// The open connection, until the transport is to be closed.
    fn echo(
        &mut self,
        connection: &mut Connection,
        buffer: &mut [u8],
        frames: Range<usize>,
    ) -> Result<(), Box<dyn Error>> {
        let mut out = Vec::new();
        let mut input = &mut buffer[frames];
        loop {
            // An error ends this loop too: the Close that tells the peer is in `out`, and `receive_eof` tells us.
            while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
                match event {
                    Event::Text(text) => {
                        connection.send_text(&text, &mut out)?;
                        connection.recycle(text);
                    }
                    Event::Binary(payload) => {
                        connection.send_binary(&payload, &mut out)?;
                        connection.recycle(payload);
                    }
                    Event::Pong(payload) => _ = self.keepalive.pong(&payload, self.clock.elapsed()),
                    _ => {} // what a Ping or a Close is answered with is in `out`
                }
                if out.len() > BUFFER_SIZE {
                    self.write(&mut out)?;
                }
            }
            if connection.state() != State::Open {
                self.keepalive.closing(self.clock.elapsed());
            }
            if let Action::Ping(payload) = self.keepalive.tick(self.clock.elapsed())? {
                connection.send_ping(&payload, &mut out)?;
            }
            self.write(&mut out)?;
            if connection.transport() == Transport::Close {
                self.linger(buffer);
                return Ok(());
            }
            let Some(size) = self.read(buffer)? else {
                return Ok(());
            };
            input = &mut buffer[..size];
        }
    }

    /// Ends our direction, then waits for the end of the peer's. A socket that is closed with bytes unread is reset, and the reset
    /// may overtake what was written last.
    fn linger(&mut self, buffer: &mut [u8]) {
        let now = self.clock.elapsed();
        self.keepalive = Keepalive::new(&KeepaliveConfig::new().close_timeout(LINGER_TIME), now);
        self.keepalive.closing(now);
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            while self.keepalive.tick(self.clock.elapsed()).is_ok()
                && matches!(self.read(buffer), Ok(Some(_)))
            {}
        }
    }

    /// Reads what is there, or waits for something: until it is time for a tick, and then it is nothing. `None` is the end.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let deadline = self.keepalive.next_deadline();
        let left = deadline.map(|deadline| deadline.saturating_sub(self.clock.elapsed()));
        // A timeout of zero is none to a socket.
        let timeout = left.map(|left| left.max(Duration::from_millis(1)));
        self.stream.set_read_timeout(timeout)?;
        match self.stream.read(buffer) {
            Ok(0) => Ok(None),
            Ok(size) => {
                self.keepalive.activity();
                Ok(Some(size))
            }
            Err(error) => match error.kind() {
                // Some systems tell the timeout of a socket by another name.
                ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => Ok(Some(0)),
                _ => Err(error),
            },
        }
    }

    /// Writes all of `out` and empties it. What a large message took is given back.
    fn write(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let written = self.stream.write_all(out);
        written.map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
            _ => error,
        })?;
        out.clear();
        out.shrink_to(KEPT_SIZE);
        Ok(())
    }
}
