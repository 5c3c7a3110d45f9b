//! The loop: one thread, one poll, and the clients that are ready.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use websocket_proto::endpoint::{Buffers, End, EndpointConfig, Step};
use websocket_proto::{Config, Delivery};

use crate::{Client, Socket, Transport};

/// How often the deadlines are checked.
const TICK: Duration = Duration::from_secs(1);

/// The largest read: a message of the largest size, with its header.
const READ_SIZE: usize = 1024 * 1024 + 16;

const LISTENER: Token = Token(usize::MAX);

/// The server with all its clients.
pub struct Server<T = Socket> {
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client<T>>,
    /// The clients that may have more to read.
    unfinished: VecDeque<usize>,
    /// Lent to the client whose turn it is.
    buffers: Option<Box<Buffers>>,
    /// The client that had the last turn, and may still have the buffers.
    last: usize,
    config: EndpointConfig,
    /// The origin of all endpoints' time.
    clock: Instant,
    transport: Box<dyn Fn(Socket) -> io::Result<T> + Send>,
    on_end: fn(&End),
}

impl Server {
    /// Listens on an address. `on_end` is called when a client has left.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub fn bind(address: SocketAddr, on_end: fn(&End)) -> io::Result<Self> {
        Self::over(address, Ok, on_end)
    }
}

impl<T: Transport<Stream = TcpStream>> Server<T> {
    /// Same as [`bind`](Server::bind), with a transport on each socket.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub fn over(
        address: SocketAddr,
        transport: impl Fn(Socket) -> io::Result<T> + Send + 'static,
        on_end: fn(&End),
    ) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address)?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            clients: Slab::new(),
            unfinished: VecDeque::new(),
            buffers: None,
            last: 0,
            config: EndpointConfig::new()
                .max_read_size(READ_SIZE)
                .connection(Config::new().delivery(Delivery::InPlace)),
            clock: Instant::now(),
            transport: Box::new(transport),
            on_end,
        })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients.
    ///
    /// # Errors
    ///
    /// The poll does not work any more.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut tick = TICK;
        loop {
            let timeout = if self.unfinished.is_empty() {
                TICK
            } else {
                Duration::ZERO
            };
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            let now = self.clock.elapsed();
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(now),
                    Token(key) => {
                        if event.is_read_closed() || event.is_error() {
                            self.note_end(key);
                        }
                        self.turn(key, now);
                    }
                }
            }
            for _ in 0..self.unfinished.len() {
                if let Some(key) = self.unfinished.pop_front() {
                    self.turn(key, now);
                }
            }
            if now >= tick {
                tick = now + TICK;
                self.check_deadlines(now);
                self.accept(now); // there may be descriptors again
            }
        }
    }

    fn accept(&mut self, now: Duration) {
        loop {
            let (stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted => continue,
                    _ => return eprintln!("accept: {error}"),
                },
            };
            _ = stream.set_nodelay(true);
            if let Err(error) = self.add(stream, now) {
                eprintln!("register: {error}");
            }
        }
    }

    fn add(&mut self, stream: TcpStream, now: Duration) -> io::Result<()> {
        let mut transport = (self.transport)(Socket::new(stream))?;
        let entry = self.clients.vacant_entry();
        let (token, both) = (Token(entry.key()), Interest::READABLE | Interest::WRITABLE);
        let stream = &mut transport.socket().stream;
        self.poll.registry().register(stream, token, both)?;
        entry.insert(Client::new(transport, &self.config, now));
        Ok(())
    }

    fn note_end(&mut self, key: usize) {
        if let Some(client) = self.clients.get_mut(key) {
            client.transport.socket().is_ended = true;
        }
    }

    /// Handles a client whose socket may be ready, or whose deadline has passed.
    fn turn(&mut self, key: usize, now: Duration) {
        if key != self.last {
            self.take_buffers();
        }
        let Some(client) = self.clients.get_mut(key) else {
            return; // it left a moment ago
        };
        if client.endpoint.capacity() == 0 {
            if let Some(buffers) = self.buffers.take() {
                client.endpoint.lend_buffers(buffers);
            }
        }
        self.last = key;
        match client.turn(now) {
            Step::Done => self.leave(key),
            Step::Read => self.unfinished.push_back(key),
            _ => {}
        }
    }

    /// Takes the buffers of the client that had the last turn, unless they hold anything.
    fn take_buffers(&mut self) {
        let last = self.clients.get_mut(self.last);
        let taken = last.and_then(|client| client.endpoint.take_buffers());
        self.buffers = taken.or(self.buffers.take());
    }

    fn leave(&mut self, key: usize) {
        self.take_buffers();
        let mut client = self.clients.remove(key);
        let stream = &mut client.transport.socket().stream;
        _ = self.poll.registry().deregister(stream);
        (self.on_end)(&client.endpoint.into_end());
    }

    fn check_deadlines(&mut self, now: Duration) {
        let is_due = |client: &Client<T>| client.endpoint.deadline().is_some_and(|deadline| deadline <= now);
        let due = self.clients.iter().filter(|(_, client)| is_due(client));
        for key in due.map(|(key, _)| key).collect::<Vec<_>>() {
            self.turn(key, now);
        }
    }
}
