//! An echo server on epoll (mio): one thread, one buffer to read into and one to write from for all connections.
//!
//!     cargo run --release -p embedding-epoll -- [ADDR]
//!     cargo run --release -p embedding-epoll -- --clients N
//!
//! The second form starts the first as a process of its own, holds N connections to it, has messages echoed on each, and prints
//! what memory the server takes for each.
//!
//! An idle connection has no buffer. What its socket does not take is kept for it alone, and as long as there is any it is not
//! read: a client that does not read is not read either.

mod client;
mod load;

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::{Client, not_now};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

/// How often the deadlines are looked at.
const TICK: Duration = Duration::from_secs(1);
const BUFFER_SIZE: usize = 64 * 1024;

const LISTENER: Token = Token(usize::MAX);

fn main() -> Result<(), Box<dyn Error>> {
    raise_file_limit()?;
    let args: Vec<_> = env::args().skip(1).collect();
    match &args[..] {
        [] => Server::bind("127.0.0.1:9001".parse()?)?.run()?,
        [option, count] if option == "--clients" => load::run(count.parse()?)?,
        [address] => Server::bind(address.parse()?)?.run()?,
        _ => return Err("usage: embedding-epoll [ADDR | --clients N]".into()),
    }
    Ok(())
}

/// As many descriptors as the system gives; root may have more than it was given.
fn raise_file_limit() -> io::Result<()> {
    const MANY: u64 = 1 << 20;
    rlimit::Resource::NOFILE
        .set(MANY, MANY)
        .or_else(|_| rlimit::increase_nofile_limit(MANY).map(drop))
}

struct Server {
    poll: Poll,
    listener: TcpListener,
    clients: Slab<Client>,
    /// What is read goes here, whoever sent it.
    buffer: Vec<u8>,
    /// What is written comes from here, whoever gets it.
    out: Vec<u8>,
}

impl Server {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut listener = TcpListener::bind(address)?;
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        println!("listening on ws://{}", listener.local_addr()?);
        Ok(Self {
            poll,
            listener,
            clients: Slab::new(),
            buffer: vec![0; BUFFER_SIZE],
            out: Vec::new(),
        })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut ticked = Instant::now();
        loop {
            match self.poll.poll(&mut events, Some(TICK)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    Token(key) => self.turn(key),
                }
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.drop_the_late(ticked);
                self.accept(); // there may be descriptors again
            }
        }
    }

    fn accept(&mut self) {
        loop {
            let (mut stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if not_now(&error) => return,
                Err(error) => return eprintln!("accept: {error}"),
            };
            _ = stream.set_nodelay(true);
            let entry = self.clients.vacant_entry();
            match self
                .poll
                .registry()
                .register(&mut stream, Token(entry.key()), Interest::READABLE)
            {
                Ok(()) => _ = entry.insert(Client::new(stream)),
                Err(error) => eprintln!("register: {error}"),
            }
        }
    }

    /// The socket of a client is ready for something.
    fn turn(&mut self, key: usize) {
        let Some(client) = self.clients.get_mut(key) else {
            return; // it left a moment ago
        };
        self.out.clear();
        let turned = client.turn(&mut self.buffer, &mut self.out);
        self.out.shrink_to(BUFFER_SIZE); // what a large message took is given back
        let result = match turned {
            // Who registers again is told again of what is still there: one read a turn is enough, and each client has its turn.
            Ok(Some(interest)) => {
                let registry = self.poll.registry();
                registry.reregister(&mut client.stream, Token(key), interest)
            }
            Ok(None) => return self.leave(key, "ended"),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            self.leave(key, &error.to_string());
        }
    }

    fn leave(&mut self, key: usize, why: &str) {
        let mut client = self.clients.remove(key);
        _ = self.poll.registry().deregister(&mut client.stream);
        eprintln!("{} ({why})", client.into_end());
    }

    fn drop_the_late(&mut self, now: Instant) {
        let is_late = |client: &Client| client.deadline.is_some_and(|deadline| deadline <= now);
        let late = self.clients.iter().filter(|(_, client)| is_late(client));
        for key in late.map(|(key, _)| key).collect::<Vec<_>>() {
            self.leave(key, "too late");
        }
    }
}
