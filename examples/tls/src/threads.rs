//! On std: one thread for each connection, and blocking calls that return at the endpoint's deadline.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use websocket_proto::Event;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, ShutdownWrite, Step};

use crate::Tls;

/// Serves clients until the listener fails.
pub fn run(address: &str, config: Arc<ServerConfig>) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on wss://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100)); // there may be no descriptor left
                continue;
            }
        };
        let config = Arc::clone(&config);
        let connection = move || match serve(stream, config) {
            Ok(end) => eprintln!("{peer}: {end}"),
            Err(error) => eprintln!("{peer}: {error}"),
        };
        if let Err(error) = thread::Builder::new().spawn(connection) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// Serves one connection, from the first byte to the last.
fn serve(stream: TcpStream, config: Arc<ServerConfig>) -> Result<End, Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let clock = Instant::now();
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), clock.elapsed());
    let deadline = None;
    let mut tls = Tls::server(Socket { stream, deadline }, config)?;
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Event => echo(&mut endpoint),
            Step::Done => return Ok(endpoint.into_end()),
            step => {
                tls.stream.deadline = endpoint.deadline().map(|deadline| clock + deadline);
                endpoint.perform(step, &mut tls);
            }
        }
    }
}

/// Echoes messages. The endpoint replies to Pings and Closes.
fn echo(endpoint: &mut Endpoint) {
    let mut events = endpoint.events();
    while let Some((event, mut sender)) = events.next() {
        // A client that is closing gets no more messages, so this error is ignored.
        _ = match event {
            Event::Text(text) => sender.send_text(&text),
            Event::Binary(payload) => sender.send_binary(&payload),
            _ => Ok(()),
        };
    }
}

/// A socket whose calls return at a deadline, however many of them TLS makes.
struct Socket {
    stream: TcpStream,
    deadline: Option<Instant>,
}

impl Socket {
    /// The remaining time, as the timeout of a socket, for which zero would mean "no timeout".
    fn timeout(&self) -> io::Result<Option<Duration>> {
        match self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
        {
            Some(Duration::ZERO) => Err(ErrorKind::WouldBlock.into()),
            left => Ok(left),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.timeout()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.timeout()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl ShutdownWrite for Socket {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}
