//! One endpoint for two threads, one that reads and one that writes, behind a mutex that is locked for a call and never while the
//! transport is used.
#![cfg(feature = "std")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, SendError, Step};
use websocket_proto::{CloseCode, Config, Connection, Event, entropy};

const MAX_BUFFERED: usize = 2_000;
const PINGS: usize = 20_000;
const MESSAGES: usize = 500;

struct Shared {
    endpoint: Mutex<Endpoint>,
    changed: Condvar,
    clock: Instant,
}

impl Shared {
    fn new(connection: Connection) -> Self {
        let config = EndpointConfig::new()
            .max_buffered(MAX_BUFFERED)
            .max_read_size(1024);
        Self {
            endpoint: Mutex::new(Endpoint::from_connection(
                &config,
                connection,
                &[],
                Duration::ZERO,
            )),
            changed: Condvar::new(),
            clock: Instant::now(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Endpoint> {
        self.endpoint.lock().unwrap()
    }

    /// Until the other thread has done something, or some time has passed.
    fn wait<'e>(&self, endpoint: MutexGuard<'e, Endpoint>) -> MutexGuard<'e, Endpoint> {
        let tick = Duration::from_millis(20);
        self.changed.wait_timeout(endpoint, tick).unwrap().0
    }

    /// Reads, takes events and ends the transport; leaves writing to the other thread.
    fn read(&self, mut stream: &TcpStream, mut take: impl FnMut(Event<'_>)) {
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let mut buffer = [0; 1024];
        let mut endpoint = self.lock();
        loop {
            match endpoint.step(self.clock.elapsed()) {
                Step::Event => {
                    while let Some((event, _)) = endpoint.next_event() {
                        take(event);
                    }
                    assert!(
                        endpoint.capacity() <= 4 * (MAX_BUFFERED + 2 * 1024) + 1024,
                        "bounded"
                    );
                }
                // In progress in the other thread, or about to begin there.
                Step::Write | Step::Flush => endpoint.write_blocked(),
                Step::Read => {
                    endpoint.read_blocked();
                    drop(endpoint);
                    let read = stream.read(&mut buffer);
                    endpoint = self.lock();
                    match read {
                        Ok(size) => endpoint.receive(&buffer[..size]),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => endpoint.ready(),
                        Err(error) => endpoint.read_failed(error),
                    }
                }
                Step::Shutdown => {
                    stream.shutdown(Shutdown::Write).unwrap();
                    endpoint.shut_down();
                }
                Step::Wait(_) => endpoint = self.wait(endpoint),
                Step::Done => break,
                step => panic!("{step:?}"),
            }
            self.changed.notify_all();
        }
        self.changed.notify_all();
    }

    /// Sends what `send` returns until there is no more, and writes until the end.
    fn write(&self, mut stream: &TcpStream, mut send: impl FnMut(&mut Endpoint) -> Result<(), SendError>) {
        let mut endpoint = self.lock();
        loop {
            _ = send(&mut endpoint);
            endpoint.ready();
            match endpoint.flush_step(self.clock.elapsed()) {
                Some(Step::Write) => {
                    let output = endpoint.output().to_vec();
                    endpoint.write_blocked();
                    drop(endpoint);
                    let written = stream.write(&output);
                    endpoint = self.lock();
                    match written {
                        Ok(size) => endpoint.written(size),
                        Err(error) => endpoint.write_failed(error),
                    }
                }
                Some(Step::Flush) => endpoint.flushed(),
                Some(Step::Done) => return,
                Some(_) | None => endpoint = self.wait(endpoint),
            }
            self.changed.notify_all();
        }
    }

    fn into_end(self) -> End {
        self.endpoint.into_inner().unwrap().into_end()
    }
}

// D97: Pings as fast as they come, messages both ways and a Close, through two threads and no channel; memory stays bounded
#[test]
#[cfg_attr(miri, ignore = "uses the network")]
fn two_threads_share_an_endpoint_without_a_channel() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client_stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server_stream, _) = listener.accept().unwrap();
    let server = Shared::new(Connection::server(&Config::new()));
    let client = Shared::new(Connection::client(
        &Config::new(),
        entropy::from_fn(|key| key.fill(7)),
    ));
    let (pings, pongs, texts) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let count = |counter: &AtomicUsize| _ = counter.fetch_add(1, Ordering::Relaxed);
    thread::scope(|scope| {
        let (mut to_send, mut to_ping) = (MESSAGES, PINGS);
        let (server, client) = (&server, &client);
        let (server_stream, client_stream) = (&server_stream, &client_stream);
        scope.spawn(move || {
            server.write(server_stream, |endpoint| {
                while to_send > 0 {
                    endpoint.sender().send_text("a message of the server")?;
                    to_send -= 1;
                }
                Ok(())
            });
        });
        scope.spawn(move || {
            client.write(client_stream, |endpoint| {
                while to_ping > 0 && !endpoint.sender().is_full() {
                    endpoint.sender().send_ping(b"")?;
                    to_ping -= 1;
                }
                Ok(())
            });
        });
        let (pings, pongs, texts) = (&pings, &pongs, &texts);
        scope.spawn(move || {
            server.read(server_stream, |event| match event {
                Event::Ping(_) => count(pings),
                event => assert!(matches!(event, Event::Close(_))),
            });
        });
        scope.spawn(move || {
            client.read(client_stream, |event| match event {
                Event::Pong(_) => count(pongs),
                Event::Text(_) => count(texts),
                event => assert!(matches!(event, Event::Close(_))),
            });
        });
        let (start, limit) = (Instant::now(), Duration::from_secs(60));
        while start.elapsed() < limit
            && (pongs.load(Ordering::Relaxed), texts.load(Ordering::Relaxed)) != (PINGS, MESSAGES)
        {
            thread::sleep(Duration::from_millis(5));
        }
        client.lock().sender().close(CloseCode::NORMAL, "").unwrap();
        client.changed.notify_all();
    });
    for end in [server.into_end(), client.into_end()] {
        assert!(end.is_clean(), "{end}");
    }
    let counts = [pings, pongs, texts].map(AtomicUsize::into_inner);
    assert_eq!(counts, [PINGS, PINGS, MESSAGES]);
}
