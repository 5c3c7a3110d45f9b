//! A client for the command line: each line of stdin is sent as a text message, each text message received is a line of stdout.
//!
//!     cargo run --example cat -- [--proxy http://[USER:PASSWORD@]HOST:PORT] URL
//!
//! Bytes are no problem: a line that is not UTF-8 is sent as a binary message, and binary messages are shown in hex. At the end
//! of stdin the connection is closed with 1000, and what the server still sends is shown until it closes as well. How the
//! connection ended is told on stderr; the exit code is 0 only if that was clean. A server that falls silent is found by Pings.
//! A server that refuses is quoted with its reasons, and so is the proxy, which gets the credentials if it asks for them.
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

use websocket_proto::handshake::{Answer, ClientRequest, Response, TunnelAnswer, TunnelRequest};
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
/// How many characters are shown of what a server says that refuses.
const MAX_REASON: usize = 1000;
/// How many bytes of Pongs may wait, for a server that asks for more and more of them and reads none.
const MAX_REPLIES: usize = 1024 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (proxy, url) = match &arguments[..] {
        [url] => (None, url),
        [option, proxy, url] if option == "--proxy" => (Some(&proxy[..]), url),
        _ => {
            eprintln!("usage: cat [--proxy http://[USER:PASSWORD@]HOST:PORT] URL");
            return ExitCode::FAILURE;
        }
    };
    match cat(url, proxy) {
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

fn cat(url: &str, proxy: Option<&str>) -> Result<Closed, Box<dyn Error>> {
    let (connection, link) = open(url, proxy)?;
    let Link {
        stream,
        mut buffer,
        unread: frames,
        ..
    } = link;
    stream.set_read_timeout(None)?;
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

/// Connects and performs the opening handshake. What is unread then is frames.
fn open(url: &str, proxy: Option<&str>) -> Result<(Connection, Link), Box<dyn Error>> {
    let request = ClientRequest::from_url(url)?;
    if request.is_secure() {
        return Err("this example has no TLS, only ws:// works".into());
    }
    let deadline = Instant::now() + HANDSHAKE_TIME;
    let (request, mut link) = match proxy {
        None => {
            let link = Link::connect((request.host(), request.port()), deadline)?;
            (request, link)
        }
        Some(proxy) => open_tunnel(request, &Proxy::parse(proxy)?, deadline)?,
    };
    let mut out = Vec::new();
    let mut handshake = request.start(&config(), OsEntropy, &mut out);
    link.stream.write_all(&out)?;
    match link.receive(|input| handshake.receive(input, &mut out))? {
        Received::All(Answer::Accepted { connection, .. }) => Ok((connection, link)),
        Received::All(Answer::Rejected(response)) => {
            let (refusal, _) = link.refusal(&response)?;
            Err(refusal.into())
        }
        Received::Eof => Err(handshake.receive_eof().into()),
        Received::TimedOut => Err(handshake.handle_timeout(&mut out).into()),
    }
}

/// Asks the proxy for a tunnel, and once more with credentials if it wants them. Nothing is sent through the tunnel before it is open.
fn open_tunnel(
    request: ClientRequest,
    proxy: &Proxy,
    deadline: Instant,
) -> Result<(ClientRequest, Link), Box<dyn Error>> {
    let connect = || Link::connect((proxy.address.host(), proxy.address.port()), deadline);
    let mut link = connect()?;
    let mut tunnel = TunnelRequest::new(request);
    let mut credentials = proxy.credentials.as_ref();
    loop {
        let mut out = Vec::new();
        let mut handshake = tunnel.start(&config(), &mut out);
        link.stream.write_all(&out)?;
        let (again, response) = match link.receive(|input| handshake.receive(input))? {
            Received::All(TunnelAnswer::Open { request, .. }) => return Ok((request, link)),
            Received::All(TunnelAnswer::Rejected { tunnel, response }) => (tunnel, response),
            Received::Eof => return Err(handshake.receive_eof().into()),
            Received::TimedOut => return Err(handshake.handle_timeout().into()),
        };
        let (refusal, is_reusable) = link.refusal(&response)?;
        tunnel = match credentials.take() {
            Some((user, password)) if response.status() == 407 => again.basic_credentials(user, password)?,
            _ => return Err(format!("proxy: {refusal}").into()),
        };
        if !is_reusable {
            link = connect()?;
        }
    }
}

/// Where the proxy is, and what to say if it asks who we are.
struct Proxy {
    address: ClientRequest,
    credentials: Option<(String, String)>,
}

impl Proxy {
    fn parse(url: &str) -> Result<Self, Box<dyn Error>> {
        let rest = url.strip_prefix("http://").ok_or("proxy: not an http:// URL")?;
        let (credentials, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((user, address)) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((decode(user)?, decode(password)?)), address)
            }
        };
        // A URL of another scheme, but host and port are the same.
        let address = ClientRequest::from_url(&format!("ws://{address}"))?;
        Ok(Self { address, credentials })
    }
}

/// Without the percent-encoding of a URL.
fn decode(text: &str) -> Result<String, Box<dyn Error>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).ok_or("proxy: malformed percent-encoding")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Ok(String::from_utf8(bytes)?)
}

/// A transport during the opening handshake, and what was read from it.
struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where in the buffer the bytes are that nobody has taken yet.
    unread: Range<usize>,
    deadline: Instant,
}

/// What was waited for, or why it does not come.
enum Received<T> {
    All(T),
    Eof,
    TimedOut,
}

impl Link {
    fn connect(address: (&str, u16), deadline: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIME))?;
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER_SIZE],
            unread: 0..0,
            deadline,
        })
    }

    /// Gives `receive` what is unread, then what can be read, until it has a result.
    fn receive<T, E: Error + 'static>(
        &mut self,
        mut receive: impl FnMut(&mut &mut [u8]) -> Result<Option<T>, E>,
    ) -> Result<Received<T>, Box<dyn Error>> {
        loop {
            let end = self.unread.end;
            let mut input = &mut self.buffer[self.unread.clone()];
            let result = receive(&mut input);
            self.unread = end - input.len()..end;
            if let Some(result) = result? {
                return Ok(Received::All(result));
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Received::TimedOut);
            }
            self.stream.set_read_timeout(Some(left))?;
            self.unread = match self.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(Received::Eof),
                Ok(size) => 0..size,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => 0..0,
                    _ => return Err(error.into()),
                },
            };
        }
    }

    /// The status and the text of a response that refuses, and whether another request may follow on this transport. The text is
    /// the server's, so it is escaped.
    fn refusal(&mut self, response: &Response) -> Result<(String, bool), Box<dyn Error>> {
        let mut body = response.body_reader(&config());
        let bytes = match self.receive(|input| Ok::<_, io::Error>(body.receive(input).transpose()))? {
            Received::All(Ok(bytes)) => bytes,
            Received::Eof => body.receive_eof().unwrap_or_else(|_| body.received().to_vec()),
            // Too long, or not what it should be: the front of it is better than nothing.
            Received::All(Err(_)) | Received::TimedOut => body.received().to_vec(),
        };
        let mut refusal = format!("refused with status {}", response.status());
        let text: String = String::from_utf8_lossy(&bytes)
            .trim()
            .chars()
            .take(MAX_REASON)
            .collect();
        if !text.is_empty() {
            refusal += &format!(": {text:?}");
        }
        Ok((refusal, body.is_transport_reusable()))
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
