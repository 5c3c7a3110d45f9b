//! The loop: one thread, one ring, one timeout.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::buffers::{Buffers, Filled};
use crate::client::{Client, Shared, Step, Stopped};
use crate::memory::reserve;
use crate::outgoing::Outgoing;
use crate::ring::{Completion, Ring, arrived};
use crate::slots::{Key, Slots};
use crate::{Config, Counters};

/// An echo server, which runs as [`turn`](Self::turn) is called.
pub struct Server {
    config: Config,
    ring: Ring,
    listener: Rc<TcpListener>,
    /// When to accept again, after an error.
    accept_due: Option<Duration>,
    clients: Slots<Entry>,
    /// Clients to which something has happened in this turn.
    touched: Vec<Key>,
    /// Clients that had something to receive and found no buffer, the longest waiting first.
    starved: VecDeque<Key>,
    /// Clients that have a large payload to receive, the longest waiting first.
    queued: VecDeque<Key>,
    shared: Shared,
    /// When to free the memory that was not used since.
    trim_due: Duration,
    /// No deadline of a client is earlier.
    next_deadline: Duration,
    /// The origin of all times.
    clock: Instant,
}

struct Entry {
    stream: Rc<TcpStream>,
    client: Client,
    is_touched: bool,
}

/// The longest wait, and the time between two searches for deadlines that have passed.
const MAX_WAIT: Duration = Duration::from_secs(1);
const MIN_WAIT: Duration = Duration::from_millis(50);
/// How much is received directly in one turn: as much as stays in a cache until it is decoded and sent.
const MAX_DIRECT: usize = 256 * 1024;
/// There may be descriptors again by then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Listens on an address. The server has to stay in this thread.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the kernel has no io_uring, one older than that of Linux 6.1, or does not allow it;
    /// otherwise the error of the socket.
    pub fn bind(address: SocketAddr, config: Config) -> io::Result<Self> {
        let listener = Rc::new(TcpListener::bind(address)?);
        let buffers = Buffers::new(config.buffers, config.buffer_size)?;
        let mut ring = Ring::new(config.submissions, config.completions, buffers).map_err(refused)?;
        ring.accept(&listener);
        Ok(Self {
            config: config.effective(),
            ring,
            listener,
            accept_due: None,
            clients: Slots::new(),
            touched: Vec::new(),
            starved: VecDeque::new(),
            queued: VecDeque::new(),
            shared: Shared {
                direct: MAX_DIRECT,
                ..Shared::default()
            },
            trim_due: MAX_WAIT,
            next_deadline: Duration::MAX,
            clock: Instant::now(),
        })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns what the server has counted so far.
    pub fn counters(&self) -> Counters {
        Counters {
            clients: self.clients.len(),
            operations: self.ring.operations(),
            buffers_in_use: self.ring.buffers_in_use(),
            overflows: self.ring.overflows(),
            ..self.shared.counters
        }
    }

    /// Waits for completions or for a deadline, at most a second, and does what follows.
    ///
    /// # Errors
    ///
    /// The kernel's ring does not work any more.
    pub fn turn(&mut self) -> io::Result<()> {
        let timeout = self.timeout();
        self.ring.enter(timeout)?;
        let now = self.clock.elapsed();
        while let Some(completion) = self.ring.next() {
            self.handle(completion, now);
        }
        // Now the kernel has all buffers again. Each turn, as many clients as there are buffers get another chance.
        for _ in 0..self.starved.len().min(self.ring.buffer_count()) {
            if let Some(key) = self.starved.pop_front() {
                self.with_client(key, Client::fed);
            }
        }
        self.shared.direct = MAX_DIRECT;
        while self.shared.direct > 0 {
            let Some(key) = self.queued.pop_front() else {
                break;
            };
            self.with_client(key, Client::fed);
            self.settle(key, now);
        }
        if now >= self.next_deadline {
            self.handle_deadlines(now);
        }
        if now >= self.trim_due {
            self.trim_due = now + MAX_WAIT;
            self.shared.memory.trim();
        }
        if self.accept_due.is_some_and(|due| due <= now) {
            self.accept_due = None;
            self.ring.accept(&self.listener);
        }
        while let Some(key) = self.touched.pop() {
            self.settle(key, now);
        }
        Ok(())
    }

    fn timeout(&self) -> Duration {
        if !self.starved.is_empty() || !self.queued.is_empty() {
            return Duration::ZERO;
        }
        let now = self.clock.elapsed();
        let due = self.next_deadline.min(self.accept_due.unwrap_or(Duration::MAX));
        due.saturating_sub(now).min(MAX_WAIT)
    }

    fn handle(&mut self, completion: Completion, now: Duration) {
        match completion {
            Completion::Accepted { stream, is_armed } => self.accepted(stream, is_armed, now),
            Completion::Received {
                owner,
                result,
                is_armed,
            } => self.received(owner, result, is_armed, now),
            Completion::ReceivedInto {
                owner,
                result,
                memory,
            } => self.received_into(owner, result, memory, now),
            Completion::Sent {
                owner,
                result,
                outgoing,
            } => self.sent(owner, result, outgoing, now),
            Completion::NotCancelled { owner } => self.with_client(owner, Client::not_stopped),
        }
    }

    fn accepted(&mut self, stream: io::Result<TcpStream>, is_armed: bool, now: Duration) {
        match stream {
            Ok(stream) => {
                _ = stream.set_nodelay(true);
                let key = self.clients.insert(Entry {
                    stream: Rc::new(stream),
                    client: Client::new(&self.config, now),
                    is_touched: true,
                });
                self.touched.push(key);
                self.shared.counters.accepted += 1;
                if !is_armed {
                    self.ring.accept(&self.listener); // the completion queue was full
                }
            }
            Err(error) => {
                eprintln!("accept: {error}");
                if !is_armed {
                    self.accept_due = Some(now + ACCEPT_PAUSE);
                }
            }
        }
    }

    fn received(&mut self, key: Key, result: io::Result<Option<Filled>>, is_armed: bool, now: Duration) {
        let stopped = match result {
            Ok(Some(filled)) => {
                self.decode(key, &filled, now);
                self.ring.give_back(filled);
                Stopped::Cancelled
            }
            Ok(None) => Stopped::End,
            Err(error) => Stopped::by(error),
        };
        if is_armed {
            return;
        }
        if let Stopped::NoBuffer = stopped {
            self.shared.counters.starved += 1;
        }
        let mut is_starved = false;
        self.with_client(key, |client| is_starved = client.stopped(stopped));
        if is_starved {
            self.starved.push_back(key);
        }
    }

    fn decode(&mut self, key: Key, filled: &Filled, now: Duration) {
        let Some(entry) = self.clients.get_mut(key) else {
            self.shared.counters.late += 1;
            return; // the client has left
        };
        touch(entry, key, &mut self.touched);
        let client = &mut entry.client;
        client.lend(&mut self.shared.memory);
        client.receive(self.ring.bytes(filled), &self.config, now, &mut self.shared);
    }

    fn received_into(&mut self, key: Key, result: io::Result<usize>, memory: Vec<u8>, now: Duration) {
        let Some(entry) = self.clients.get_mut(key) else {
            self.shared.counters.late += 1;
            return self.shared.memory.payloads.keep(memory);
        };
        touch(entry, key, &mut self.touched);
        let client = &mut entry.client;
        client.lend(&mut self.shared.memory);
        let stopped = match result {
            Ok(0) => Stopped::End,
            Ok(size) => {
                self.shared.counters.received_directly += size as u64;
                Stopped::Cancelled
            }
            Err(error) => Stopped::by(error),
        };
        client.received_into(memory, &self.config, now, &mut self.shared);
        client.stopped(stopped);
    }

    fn sent(&mut self, key: Key, result: io::Result<usize>, mut outgoing: Outgoing, now: Duration) {
        let Some(entry) = self.clients.get_mut(key) else {
            self.shared.counters.late += 1;
            return self.keep(outgoing);
        };
        touch(entry, key, &mut self.touched);
        let client = &mut entry.client;
        match result {
            Ok(0) => client.write_failed(ErrorKind::WriteZero.into(), &self.config, now),
            Ok(size) => {
                client.sent(size, &self.config, now);
                outgoing.sent += size;
                if outgoing.len() > 0 {
                    self.shared.counters.partial_sends += 1;
                    self.ring.send(key, &entry.stream, outgoing);
                    return;
                }
            }
            Err(error) => client.write_failed(error, &self.config, now),
        }
        self.keep(outgoing);
    }

    fn keep(&mut self, outgoing: Outgoing) {
        self.shared.memory.output.keep(outgoing.bytes);
        self.shared.memory.payloads.keep(outgoing.payload.memory);
    }

    /// Calls a method of a client, if it has not left, and settles it at the end of the turn.
    fn with_client(&mut self, key: Key, call: impl FnOnce(&mut Client)) {
        if let Some(entry) = self.clients.get_mut(key) {
            touch(entry, key, &mut self.touched);
            call(&mut entry.client);
        }
    }

    /// Does all that a client needs, once everything that has happened to it in this turn is known, so that one send carries all
    /// of its output.
    fn settle(&mut self, key: Key, now: Duration) {
        let Some(entry) = self.clients.get_mut(key) else {
            return;
        };
        entry.is_touched = false;
        let Entry { stream, client, .. } = entry;
        client.lend(&mut self.shared.memory);
        loop {
            match client.step(&self.config, now, &mut self.shared) {
                Step::Receive => client.armed(self.ring.receive(key, stream)),
                Step::ReceiveOnce(size) => self.ring.receive_once(key, stream, size),
                Step::ReceiveInto(mut memory, missing) => {
                    let size = reserve(&mut memory, missing, || arrived(stream));
                    let direct = &mut self.shared.direct;
                    *direct = direct.saturating_sub(size);
                    self.ring.receive_into(key, stream, memory, size);
                }
                Step::Stop(operation) => self.ring.cancel(key, operation),
                Step::Queue => self.queued.push_back(key),
                Step::Send(outgoing) => self.ring.send(key, stream, outgoing),
                Step::Shutdown => match stream.shutdown(Shutdown::Write) {
                    Ok(()) => client.shut_down(&self.config, now),
                    Err(error) => client.write_failed(error, &self.config, now),
                },
                Step::Wait => break,
                Step::Done => return self.leave(key),
            }
        }
        self.shared.memory.output.keep(client.take_memory());
        if let Some(deadline) = client.deadline() {
            self.next_deadline = self.next_deadline.min(deadline);
        }
    }

    /// Removes a client. Its socket is closed once the operations on it have ended, whose completions come late.
    fn leave(&mut self, key: Key) {
        let Some(entry) = self.clients.remove(key) else {
            return;
        };
        // Each of them keeps the socket open.
        if Rc::strong_count(&entry.stream) > 1 {
            self.ring.cancel_all(&entry.stream);
        }
        (self.config.on_end)(&entry.client.into_end());
    }

    fn handle_deadlines(&mut self, now: Duration) {
        self.next_deadline = Duration::MAX;
        let mut due = Vec::new();
        for (key, entry) in self.clients.iter() {
            match entry.client.deadline() {
                Some(deadline) if deadline <= now => due.push(key),
                Some(deadline) => self.next_deadline = self.next_deadline.min(deadline),
                None => {}
            }
        }
        self.next_deadline = self.next_deadline.max(now + MIN_WAIT);
        for key in due {
            self.with_client(key, |client| client.handle_deadline(now));
        }
    }
}

/// No system call of that number, not allowed, or a flag that an older kernel does not know.
fn refused(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::Unsupported | ErrorKind::PermissionDenied | ErrorKind::InvalidInput => {
            io::Error::new(ErrorKind::Unsupported, error)
        }
        _ => error,
    }
}

fn touch(entry: &mut Entry, key: Key, touched: &mut Vec<Key>) {
    if !entry.is_touched {
        entry.is_touched = true;
        touched.push(key);
    }
}

impl Stopped {
    fn by(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ECANCELED) => Self::Cancelled,
            Some(libc::ENOBUFS) => Self::NoBuffer,
            _ => Self::Failed(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server with one buffer, and the keys of its clients, in the order in which they wait for a buffer.
    fn starving() -> io::Result<(Server, Vec<TcpStream>, Vec<Key>)> {
        let config = Config {
            buffers: 1,
            ..Config::default()
        };
        let mut server = Server::bind("127.0.0.1:0".parse().expect("it is an address"), config)?;
        let streams = (0..4).map(|_| TcpStream::connect(server.address()?));
        let streams = streams.collect::<io::Result<Vec<_>>>()?;
        while server.clients.len() < streams.len() {
            server.turn()?;
        }
        let keys: Vec<_> = server.clients.iter().map(|(key, _)| key).collect();
        Ok((server, streams, keys))
    }

    fn waiting(server: &mut Server, keys: &[Key]) -> Vec<bool> {
        let waits = |key| {
            let entry: &mut Entry = server.clients.get_mut(key).expect("it has not left");
            entry.client.waits_in_queue()
        };
        keys.iter().copied().map(waits).collect()
    }

    /// As many as there are buffers in each turn, and the first one first: otherwise some would wait for as long as others arrive.
    #[test]
    fn clients_without_a_buffer_are_served_in_the_order_in_which_they_wait() -> io::Result<()> {
        let (mut server, _streams, keys) = starving()?;
        for &key in &keys {
            let no_buffer = Err(io::Error::from_raw_os_error(libc::ENOBUFS));
            server.received(key, no_buffer, false, Duration::ZERO);
        }
        for served in 0..=keys.len() {
            let waits: Vec<_> = (0..keys.len()).map(|number| number >= served).collect();
            assert_eq!(waiting(&mut server, &keys), waits, "after {served} turns");
            server.turn()?;
        }
        Ok(())
    }

    /// The kernel ends the accept if the completion queue is full, and if there are no descriptors. Only the latter takes time.
    #[test]
    fn accepting_pauses_only_after_an_error() -> io::Result<()> {
        let mut server = Server::bind(
            "127.0.0.1:0".parse().expect("it is an address"),
            Config::default(),
        )?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let stream = TcpStream::connect(listener.local_addr()?);
        let mut accepted = |stream, is_armed| {
            server.handle(Completion::Accepted { stream, is_armed }, Duration::ZERO);
            let Counters {
                accepted, operations, ..
            } = server.counters();
            (accepted, operations, server.accept_due)
        };
        assert_eq!(accepted(stream, false), (1, 2, None), "it was started again");
        let failed = Err(io::Error::from_raw_os_error(libc::EMFILE));
        assert_eq!(accepted(failed, false), (1, 2, Some(ACCEPT_PAUSE)));
        Ok(())
    }
}
