//! An echo server over TLS, `wss`: rustls on std TCP, one thread for each connection.
//!
//!     cargo run --release -p embedding-tls -- [ADDR [FILE]]
//!
//! The certificate, for localhost and 127.0.0.1, is made anew; FILE gets it, for clients to trust:
//!
//!     NODE_EXTRA_CA_CERTS=FILE npx wscat -c wss://localhost:9001
//!
//! The protocol needs to know nothing of TLS: it is handed what was decrypted, and what it says is encrypted.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rcgen::CertifiedKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use websocket_proto::handshake::ServerHandshake;
use websocket_proto::{Config, Connection, Event, Transport};

/// For the handshake of TLS and the opening handshake together.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For a peer that does not read to take some of what is written.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// For the peer to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
const BUFFER_SIZE: usize = 16 * 1024;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
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
            Err(error) => eprintln!("{peer}: handshake: {error}"),
        };
        if let Err(error) = thread::Builder::new().spawn(connection) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// One connection, first byte to last. Says how it ended, or why it never opened.
fn serve(stream: TcpStream, tls: Arc<ServerConfig>) -> Result<String, Failure> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE_TIME))?;
    let deadline = Some(Instant::now() + HANDSHAKE_TIME);
    let mut stream = StreamOwned::new(ServerConnection::new(tls)?, Socket { stream, deadline });
    let mut buffer = vec![0; BUFFER_SIZE];
    let result = match open(&mut stream, &mut buffer) {
        Ok((mut connection, frames)) => {
            stream.sock.deadline = None; // an open connection may be idle for ever
            let echoed = echo(&mut stream, &mut connection, &mut buffer, frames);
            let end = connection.receive_eof();
            Ok(echoed.map_or_else(|error| format!("{end} ({error})"), |()| end.to_string()))
        }
        Err(error) => Err(error),
    };
    stream.conn.send_close_notify();
    _ = stream.flush();
    stream.sock.linger(&mut buffer);
    result
}

/// The opening handshake. Yields the connection, and where in the buffer the bytes are that followed the request: frames.
fn open(stream: &mut (impl Read + Write), buffer: &mut [u8]) -> Result<(Connection, Range<usize>), Failure> {
    let mut handshake = ServerHandshake::new(&Config::new());
    let mut out = Vec::new();
    loop {
        let size = stream.read(buffer)?;
        if size == 0 {
            return Err(handshake.receive_eof().into());
        }
        let mut input = &mut buffer[..size];
        let opened = match handshake.receive(&mut input, &mut out) {
            Ok(None) => continue,
            Ok(Some(request)) => request.upgrade(&mut out).map(|upgrade| upgrade.accept(&mut out)),
            Err(error) => Err(error),
        };
        let frames = size - input.len()..size;
        write(stream, &mut out)?; // the 101, or what tells the client of the error
        return Ok((opened?, frames));
    }
}

/// The open connection, until the transport is to be closed.
fn echo(
    stream: &mut (impl Read + Write),
    connection: &mut Connection,
    buffer: &mut [u8],
    frames: Range<usize>,
) -> Result<(), Failure> {
    let mut out = Vec::new();
    let mut input = &mut buffer[frames];
    loop {
        // An error ends this loop too: the Close that tells the peer is in `out`.
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            match event {
                Event::Text(text) => connection.send_text(&text, &mut out)?,
                Event::Binary(payload) => connection.send_binary(&payload, &mut out)?,
                _ => {} // what a Ping or a Close is answered with is in `out`
            }
        }
        write(stream, &mut out)?;
        if connection.transport() == Transport::Close {
            return Ok(());
        }
        let size = stream.read(buffer)?;
        if size == 0 {
            return Ok(());
        }
        input = &mut buffer[..size];
    }
}

/// Writes all of `out` and empties it.
fn write(stream: &mut impl Write, out: &mut Vec<u8>) -> io::Result<()> {
    stream.write_all(out)?;
    stream.flush()?; // what TLS has encrypted and not sent yet
    out.clear();
    out.shrink_to(BUFFER_SIZE); // what a large message took is given back
    Ok(())
}

/// A stream that is read up to a deadline, however many reads TLS takes.
struct Socket {
    stream: TcpStream,
    deadline: Option<Instant>,
}

impl Socket {
    /// Ends our direction, then waits for the end of the peer's. A socket that is closed with bytes unread is reset, and the reset
    /// may overtake what was written last.
    fn linger(&mut self, buffer: &mut [u8]) {
        self.deadline = Some(Instant::now() + LINGER_TIME);
        if self.stream.shutdown(Shutdown::Write).is_ok() {
            while self.read(buffer).is_ok_and(|size| size > 0) {}
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(left)?;
        self.stream.read(buffer).map_err(timed_out)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Some systems tell the timeout of a socket by another name, which to TLS means to try again.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}
