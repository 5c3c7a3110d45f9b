//! A chat for browsers: one port serves the page and the connections, and what one says goes to all.
//!
//!     cargo run --example chat -- [--ping-seconds N] [ADDR]
//!
//! Open the address that it prints, in two windows. It shows, on plain TCP and with threads:
//!
//! - HTTP beside WebSocket on one port, and the check of the origin that keeps the pages of others out;
//! - a broadcast that is encoded once and held up by nobody: a client that does not read is dropped;
//! - Pings that find the clients that went away without a word, and measure the way to the others.
//!
//! Each client has two threads around one connection. The reader receives, and waits for bytes alone. The writer waits for output,
//! of its own reader or of any other, and for what the timers want.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use std::{env, mem, thread};

use websocket_proto::handshake::{Request, ServerHandshake};
use websocket_proto::keepalive::{Action, Expired, Keepalive, KeepaliveConfig};
use websocket_proto::{CloseCode, Config, Connection, Event, Prepared, Transport};

/// For the opening handshake in total: a byte now and then does not prolong it.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a client that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the client to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much output may wait for a client.
const MAX_OUTPUT: usize = 256 * 1024;

const CONFIG: Config = Config::new().max_message_size(4 * 1024);
const PAGE: &[u8] = include_bytes!("chat.html");

fn main() -> Result<(), Box<dyn Error>> {
    let mut keepalive = KeepaliveConfig::new();
    let mut address = String::from("127.0.0.1:9002");
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--ping-seconds" => {
                let seconds: NonZeroU32 = args.next().ok_or("--ping-seconds needs a number")?.parse()?;
                let time = Duration::from_secs(seconds.get().into());
                keepalive = keepalive.ping_interval(time).ping_timeout(time);
            }
            option if option.starts_with('-') => return Err("usage: chat [--ping-seconds N] [ADDR]".into()),
            _ => address = arg,
        }
    }
    let listener = TcpListener::bind(&address).map_err(|error| format!("{address}: {error}"))?;
    println!("listening on http://{}", listener.local_addr()?);
    let room = Arc::new(Room::default());
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100)); // there may be no descriptor left
                continue;
            }
        };
        let room = Arc::clone(&room);
        let client = move || {
            if let Err(error) = serve(stream, peer, &room, &keepalive) {
                eprintln!("{peer}: {error}");
            }
        };
        if let Err(error) = thread::Builder::new().spawn(client) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// One connection, first byte to last.
fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    room: &Room,
    keepalive: &KeepaliveConfig,
) -> Result<(), Box<dyn Error>> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let mut buffer = vec![0; 16 * 1024];
    let mut out = Vec::new();
    let answered = receive_request(&stream, &mut buffer, &mut out)
        .and_then(|(request, frames)| Ok((answer(&request, &mut out)?, frames)));
    (&stream).write_all(&out)?;
    let (connection, frames) = match answered {
        Ok((Some(connection), frames)) => (connection, frames),
        Ok((None, _)) | Err(_) => {
            _ = stream.shutdown(Shutdown::Write);
            drain(&stream, &mut buffer);
            return answered.map(|_| ());
        }
    };
    let client = Arc::new(Client::new(stream, peer, connection, keepalive));
    let writer = Arc::clone(&client);
    thread::Builder::new().spawn(move || writer.write())?;
    room.enter(&client);
    client.read(room, &mut buffer, frames);
    room.leave(&client);
    let end = client.update(|connection, _| connection.receive_eof());
    match client.state().keepalive.last_rtt() {
        Some(rtt) => eprintln!("{peer}: {end}, round trip {rtt:?}"),
        None => eprintln!("{peer}: {end}"),
    }
    Ok(())
}

/// Yields the request, and where in the buffer the bytes are that followed it: frames, if it is for a connection.
fn receive_request(
    stream: &TcpStream,
    buffer: &mut [u8],
    out: &mut Vec<u8>,
) -> Result<(Request, Range<usize>), Box<dyn Error>> {
    let deadline = Instant::now() + HANDSHAKE_TIME;
    let mut handshake = ServerHandshake::new(&CONFIG);
    loop {
        let size = match read(stream, buffer, Some(deadline)) {
            Ok(0) => return Err(handshake.receive_eof().into()),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                return Err(handshake.handle_timeout(out).into());
            }
            result => result?,
        };
        let mut input = &mut buffer[..size];
        if let Some(request) = handshake.receive(&mut input, out)? {
            return Ok((request, size - input.len()..size));
        }
    }
}

/// All that this server has: a page, and a connection.
fn answer(request: &Request, out: &mut Vec<u8>) -> Result<Option<Connection>, Box<dyn Error>> {
    match (request.method(), request.path()) {
        ("GET" | "HEAD", "/") => {
            request.respond(200, &[("Content-Type", "text/html; charset=utf-8")], PAGE, out)?;
            Ok(None)
        }
        (_, "/chat") => {
            let upgrade = request.upgrade(out)?;
            // Browsers say from which page a connection comes; other programs need not.
            if upgrade.origin().is_none() || upgrade.is_same_origin() {
                return Ok(Some(upgrade.accept(out)));
            }
            upgrade.reject(403, &[], b"foreign origin\n", out)?;
            Err("foreign origin".into())
        }
        _ => {
            request.respond(404, &[], b"not found\n", out)?;
            Ok(None)
        }
    }
}

/// Everyone who is here.
#[derive(Default)]
struct Room {
    clients: Mutex<Vec<Arc<Client>>>,
}

impl Room {
    fn enter(&self, client: &Arc<Client>) {
        self.clients.lock().unwrap().push(Arc::clone(client));
    }

    fn leave(&self, client: &Arc<Client>) {
        self.clients
            .lock()
            .unwrap()
            .retain(|other| !Arc::ptr_eq(other, client));
    }

    fn broadcast(&self, message: &Prepared) {
        for client in self.clients.lock().unwrap().iter() {
            // A client that is closing gets no more messages.
            _ = client.update(|connection, out| connection.send_prepared(message, out));
        }
    }
}

struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    clock: Instant,
    state: Mutex<State>,
    /// There may be something to do for the writer.
    changed: Condvar,
}

struct State {
    connection: Connection,
    keepalive: Keepalive,
    out: Vec<u8>,
}

impl Client {
    fn new(stream: TcpStream, peer: SocketAddr, connection: Connection, keepalive: &KeepaliveConfig) -> Self {
        let mut keepalive = Keepalive::new(keepalive, Duration::ZERO);
        keepalive.opened(Duration::ZERO);
        Self {
            stream,
            peer,
            clock: Instant::now(),
            state: Mutex::new(State {
                connection,
                keepalive,
                out: Vec::new(),
            }),
            changed: Condvar::new(),
        }
    }

    /// Receives until the transport ends.
    fn read(&self, room: &Room, buffer: &mut [u8], frames: Range<usize>) {
        let mut input = &mut buffer[frames];
        loop {
            // The event borrows from `input` alone: it is handled without the lock, as a broadcast takes the lock of every client.
            while let Ok(Some(event)) = self.update(|connection, out| connection.receive(&mut input, out)) {
                match event {
                    Event::Text(text) => room.broadcast(&Prepared::text(&text)),
                    Event::Binary(_) => self.update(|connection, out| {
                        _ = connection.close(CloseCode::UNSUPPORTED_DATA, "text only", out);
                    }),
                    Event::Pong(payload) => _ = self.state().keepalive.pong(&payload, self.clock.elapsed()),
                    _ => {} // what a Ping or a Close is answered with is in the output
                }
            }
            if self.state().connection.transport() == Transport::Close {
                return drain(&self.stream, buffer);
            }
            match read(&self.stream, buffer, None) {
                Ok(size @ 1..) => input = &mut buffer[..size],
                Ok(0) | Err(_) => return,
            }
            self.state().keepalive.activity();
        }
    }

    /// Writes, and keeps the time, until the connection says that the transport is to be closed, which ends our direction.
    fn write(&self) {
        loop {
            let mut state = self.wait();
            if let Err(expired) = state.tick(self.clock.elapsed()) {
                self.abort(&mut state, &expired.to_string());
            }
            let is_last = state.connection.transport() == Transport::Close;
            let out = mem::take(&mut state.out);
            drop(state);
            let written = (&self.stream).write_all(&out);
            if is_last {
                _ = self.stream.shutdown(Shutdown::Write);
                return;
            }
            if let Err(error) = written {
                self.abort(&mut self.state(), &error.to_string());
            }
        }
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

    /// Lends the connection to `work`, and sees to its output: it will be written, if it is not too much.
    fn update<T>(&self, work: impl FnOnce(&mut Connection, &mut Vec<u8>) -> T) -> T {
        let mut state = self.state();
        let State { connection, out, .. } = &mut *state;
        let result = work(connection, out);
        if out.len() > MAX_OUTPUT {
            self.abort(&mut state, "does not read");
        }
        self.changed.notify_all();
        result
    }

    /// Cuts the transport, once: for the connection it has ended then, so nothing can be sent any more, and both threads end.
    fn abort(&self, state: &mut State, why: &str) {
        if state.connection.transport() == Transport::Close {
            return;
        }
        eprintln!("{}: {why}", self.peer);
        state.connection.receive_eof();
        state.out = Vec::new();
        _ = self.stream.shutdown(Shutdown::Both);
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

/// Waits for the end of the client's direction, after ours has ended. A socket that is closed with bytes unread is reset, and the
/// reset may overtake what was written last.
fn drain(stream: &TcpStream, buffer: &mut [u8]) {
    let deadline = Instant::now() + LINGER_TIME;
    while read(stream, buffer, Some(deadline)).is_ok_and(|size| size > 0) {}
}

/// Reads what is there, or waits for something until the deadline.
fn read(mut stream: &TcpStream, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left == Some(Duration::ZERO) {
        return Err(ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(left)?;
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Some systems tell the timeout of a socket by this name.
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            result => return result,
        }
    }
}
