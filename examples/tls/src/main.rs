//! An echo server over TLS, `wss`: rustls on std TCP, one thread for each connection.
//!
//!     cargo run --release -p embedding-tls -- [ADDR [FILE]]
//!
//! It creates a certificate for localhost and 127.0.0.1, and writes it to FILE for clients to trust:
//!
//!     NODE_EXTRA_CA_CERTS=FILE npx wscat -c wss://localhost:9001
//!
//! To the endpoint, TLS is a transport like any other: `StreamOwned` reads and writes, and `close_notify` shuts it
//! down.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::CertifiedKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use websocket_proto::Event;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, ShutdownWrite, Step};

/// The timeout of the TLS handshake. After that, the endpoint's deadlines apply.
const TLS_TIME: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:9001".into());
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()])?;
    if let Some(file) = args.next() {
        fs::write(file, cert.pem())?;
    }
    let mut tls = ServerConfig::builder().with_no_client_auth().with_single_cert(
        vec![cert.into()],
        PrivateKeyDer::try_from(signing_key.serialize_der())?,
    )?;
    tls.alpn_protocols = vec!["http/1.1".into()];
    let tls = Arc::new(tls);

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
        let tls = Arc::clone(&tls);
        let connection = move || match serve(stream, tls) {
            Ok(end) => eprintln!("{peer}: {end}"),
            Err(error) => eprintln!("{peer}: {error}"),
        };
        if let Err(error) = thread::Builder::new().spawn(connection) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// Serves one connection, from the first byte to the last.
fn serve(stream: TcpStream, tls: Arc<ServerConfig>) -> Result<End, Box<dyn Error>> {
    stream.set_nodelay(true)?;
    let clock = Instant::now();
    let deadline = Some(clock + TLS_TIME);
    let mut stream = Tls(StreamOwned::new(
        ServerConnection::new(tls)?,
        Socket { stream, deadline },
    ));
    stream.handshake()?;
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), clock.elapsed());
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Event => echo(&mut endpoint),
            Step::Done => return Ok(endpoint.into_end()),
            step => {
                stream.0.sock.deadline = endpoint.deadline().map(|deadline| clock + deadline);
                endpoint.perform(step, &mut stream);
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

/// A rustls stream as a transport for `Endpoint::perform`.
struct Tls(StreamOwned<ServerConnection, Socket>);

impl Tls {
    fn handshake(&mut self) -> Result<(), Box<dyn Error>> {
        let Self(StreamOwned { conn, sock }) = self;
        match conn.complete_io(sock) {
            Ok(_) => Ok(()),
            Err(error) => Err(format!("TLS handshake: {error}").into()),
        }
    }
}

impl Read for Tls {
    /// Treats a missing `close_notify` as the end, because many programs do not send it. WebSocket's own Close still
    /// reveals a truncation.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(0),
            result => result,
        }
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    /// Sends what TLS has encrypted but not sent yet.
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl ShutdownWrite for Tls {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.0.conn.send_close_notify();
        self.0.flush()?;
        self.0.sock.stream.shutdown(std::net::Shutdown::Write)
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
