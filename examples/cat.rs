//! A client for the command line: each line of stdin is sent as a text message, each text message received is a line of stdout.
//!
//!     cargo run --example cat -- URL
//!
//! Bytes are no problem: a line that is not UTF-8 is sent as a binary message, and binary messages are shown in hex. At the end
//! of stdin the connection is closed with 1000, and what the server still sends is shown until it closes as well. How the
//! connection ended is told on stderr; the exit code is 0 only if that was clean. A server that falls silent is found by Pings.
//!
//! Who reads must not wait for who writes, or two ends that both send more than the network holds wait for each other for ever.
//! Hence three threads around one connection: stdin, the reader, and a writer, the only one to wait until the server reads, which
//! also keeps the time.

use std::error::Error;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{env, mem, str, thread};

use websocket_proto::handshake::{Answer, ClientRequest};
use websocket_proto::keepalive::{Action, Expired, Keepalive, KeepaliveConfig};
use websocket_proto::{CloseCode, Closed, Config, Connection, Event, OsEntropy, Transport};

/// For the opening handshake in total: a byte now and then does not prolong it.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a server that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// For the server to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much is read at a time, and how much output may wait before stdin has to.
const BUFFER_SIZE: usize = 64 * 1024;
/// How many bytes of Pongs may wait, for a server that asks for more and more of them and reads none.
const MAX_REPLIES: usize = 1024 * 1024;

fn main() -> ExitCode {
    let Some(url) = env::args().nth(1) else {
        eprintln!("usage: cat URL");
        return ExitCode::FAILURE;
    };
    match cat(&url) {
        Ok(end) if end.is_clean() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// With the feature `deflate`, compression is offered.
fn config() -> Config {
    #[cfg(feature = "deflate")]
    return Config::new().deflate(websocket_proto::deflate::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    Config::new()
}

fn cat(url: &str) -> Result<Closed, Box<dyn Error>> {
    let mut buffer = vec![0; BUFFER_SIZE];
    let (stream, connection, frames) = open(url, &mut buffer)?;
    let line = Arc::new(Line::new(stream, connection));
    for task in [Line::send_stdin, Line::write] {
        let line = Arc::clone(&line);
        thread::spawn(move || task(&line));
    }
    let result = line.receive(&mut buffer, frames);
    let end = line.state().connection.receive_eof();
    match result {
        Err(error) if !end.is_clean() => eprintln!("{end} ({error})"),
        _ => eprintln!("{end}"),
    }
    Ok(end)
}

/// Connects and performs the opening handshake. Yields also where in the buffer the bytes are that followed the response: frames.
fn open(url: &str, buffer: &mut [u8]) -> Result<(TcpStream, Connection, Range<usize>), Box<dyn Error>> {
    let request = ClientRequest::from_url(url)?;
    if request.is_secure() {
        return Err("this example has no TLS, only ws:// works".into());
    }
    let mut stream = TcpStream::connect((request.host(), request.port()))?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let deadline = Instant::now() + HANDSHAKE_TIME;
    let mut out = Vec::new();
    let mut handshake = request.start(&config(), OsEntropy, &mut out);
    stream.write_all(&out)?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(handshake.handle_timeout(&mut out).into());
        }
        stream.set_read_timeout(Some(left))?;
        let size = match stream.read(buffer) {
            Ok(0) => return Err(handshake.receive_eof().into()),
            Ok(size) => size,
            Err(error) => match error.kind() {
                ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => continue,
                _ => return Err(error.into()),
            },
        };
        let mut input = &mut buffer[..size];
        match handshake.receive(&mut input, &mut out)? {
            None => {}
            Some(Answer::Accepted { connection, .. }) => {
                let frames = size - input.len()..size;
                stream.set_read_timeout(None)?;
                return Ok((stream, connection, frames));
            }
            Some(Answer::Rejected(response)) => {
                return Err(format!("refused with status {}", response.status()).into());
            }
        }
    }
}

/// One connection, and the three who work on it.
struct Line {
    stream: TcpStream,
    clock: Instant,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    connection: Connection,
    keepalive: Keepalive,
    out: Vec<u8>,
    /// How many bytes of `out` are there because the server asked for them.
    replies: usize,
}

impl Line {
    fn new(stream: TcpStream, connection: Connection) -> Self {
        let mut keepalive = Keepalive::new(&KeepaliveConfig::new(), Duration::ZERO);
        keepalive.opened(Duration::ZERO);
        Self {
            stream,
            clock: Instant::now(),
            state: Mutex::new(State {
                connection,
                keepalive,
                out: Vec::new(),
                replies: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// Shows what comes, until the transport ends.
    fn receive(&self, buffer: &mut [u8], frames: Range<usize>) -> Result<(), Box<dyn Error>> {
        let mut stdout = io::stdout().lock();
        let mut input = &mut buffer[frames];
        loop {
            // The event borrows from `input` alone, so it outlives the lock.
            while let Some(event) = self.receive_event(&mut input)? {
                match event {
                    Event::Text(text) => writeln!(stdout, "{text}")?,
                    Event::Binary(payload) => {
                        let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
                        writeln!(stdout, "{hex}")?;
                    }
                    Event::Pong(payload) => _ = self.state().keepalive.pong(&payload, self.clock.elapsed()),
                    Event::Close(close) if !close.reason.is_empty() => eprintln!("{:?}", &*close.reason),
                    _ => {}
                }
            }
            let size = match (&self.stream).read(buffer) {
                Ok(0) => return Ok(()),
                Ok(size) => size,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(error.into()),
            };
            input = &mut buffer[..size];
        }
    }

    fn receive_event<'i>(&self, input: &mut &'i mut [u8]) -> Result<Option<Event<'i>>, Box<dyn Error>> {
        let mut state = self.state();
        let State {
            connection,
            keepalive,
            out,
            replies,
        } = &mut *state;
        if !input.is_empty() {
            keepalive.activity();
        }
        let before = out.len();
        // An error is no reason to return: the Close that tells the server is to be written, and `receive_eof` tells us.
        let event = connection.receive(input, out).unwrap_or(None);
        *replies += out.len() - before;
        if *replies > MAX_REPLIES {
            return Err("server does not read".into());
        }
        self.changed.notify_all();
        Ok(event)
    }

    /// Sends what is read from stdin, then closes.
    fn send_stdin(&self) {
        for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            let must_wait = |state: &mut State| state.out.len() > BUFFER_SIZE;
            let mut state = self.changed.wait_while(self.state(), must_wait).unwrap();
            let State { connection, out, .. } = &mut *state;
            let sent = match str::from_utf8(line) {
                Ok(text) => connection.send_text(text, out),
                Err(_) => connection.send_binary(line, out),
            };
            if sent.is_err() {
                return; // closed, and the reader says how
            }
            self.changed.notify_all();
        }
        let mut state = self.state();
        let State { connection, out, .. } = &mut *state;
        _ = connection.close(CloseCode::NORMAL, "", out); // or it is closed already
        self.changed.notify_all();
    }

    /// Writes what the others put into the output, and what the timers want. Ends the transport when it is time, which wakes the
    /// reader.
    fn write(&self) {
        loop {
            let mut state = self.wait();
            if let Err(expired) = state.tick(self.clock.elapsed()) {
                eprintln!("{expired}");
                break;
            }
            let transport = state.connection.transport();
            let out = mem::take(&mut state.out);
            state.replies = 0;
            drop(state);
            self.changed.notify_all();
            if let Err(error) = (&self.stream).write_all(&out) {
                eprintln!("write: {error}");
                break;
            }
            if transport == Transport::Close {
                _ = self.stream.shutdown(Shutdown::Write);
                thread::sleep(LINGER_TIME);
                break;
            }
        }
        _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Waits for output, for any change of the connection, or for the time of the next tick.
    fn wait(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        if !state.out.is_empty() || state.connection.transport() == Transport::Close {
            return state;
        }
        let deadline = state.keepalive.next_deadline().unwrap_or(Duration::MAX);
        let left = deadline.saturating_sub(self.clock.elapsed());
        self.changed.wait_timeout(state, left).unwrap().0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    /// Does what the timers want.
    fn tick(&mut self, now: Duration) -> Result<(), Expired> {
        if self.connection.state() != websocket_proto::State::Open {
            self.keepalive.closing(now);
        }
        if let Action::Ping(payload) = self.keepalive.tick(now)? {
            _ = self.connection.send_ping(&payload, &mut self.out); // it is open, or there would be no Ping
        }
        Ok(())
    }
}
