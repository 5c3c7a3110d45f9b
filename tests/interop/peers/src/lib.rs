//! Shared by the peers in Rust. Each implementation provides a [`Socket`], a [`Client`] and a [`Server`]; the cells of the client
//! and the behavior of the server are written only once.
//!
//!     PROGRAM client ws://ADDRESS GROUP_OR_CELL...    one line per cell: verdict, cell and what is wrong, separated by tabs
//!     PROGRAM server                                  prints `listening on ws://ADDRESS`, then serves until it is killed

mod cells;
mod server;

use std::env;
use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The timeout of each read.
pub const TIME: Duration = Duration::from_secs(10);
/// More than the 16 MiB of the largest cell.
pub const MAX_MESSAGE: usize = 32 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
}

#[derive(Debug, PartialEq)]
pub enum Incoming {
    Message(Message),
    Pong(Vec<u8>),
    Close {
        code: u16,
        reason: String,
    },
    /// The transport has ended. `clean`: after a closing handshake.
    End {
        clean: bool,
    },
}

/// One open connection, in either role. The implementation replies to Pings.
pub trait Socket {
    fn receive(&mut self) -> Result<Incoming>;
    fn send(&mut self, message: Message) -> Result<()>;
    /// Sends a text message in these fragments.
    fn send_fragments(&mut self, parts: &[&[u8]]) -> Result<()>;
    /// Sends a message uncompressed on a connection with compression, if the implementation supports that.
    fn send_plain(&mut self, message: Message) -> Result<()> {
        self.send(message)
    }
    fn ping(&mut self, payload: &[u8]) -> Result<()>;
    fn close(&mut self, code: u16, reason: &str) -> Result<()>;
    /// Sends a message and a Close, in one write if the implementation supports that.
    fn send_and_close(&mut self, message: Message, code: u16, reason: &str) -> Result<()> {
        self.send(message)?;
        self.close(code, reason)
    }
}

pub enum Opened<S> {
    Accepted {
        socket: S,
        protocol: Option<String>,
    },
    /// The body is `None` if the implementation does not provide it.
    Rejected {
        status: u16,
        body: Option<Vec<u8>>,
    },
}

pub trait Client {
    type Socket: Socket;
    /// Whether it replies to every Ping, or only to the last of several (RFC 6455 section 5.5.3 allows both).
    const ANSWERS_EVERY_PING: bool;
    fn open(&self, stream: TcpStream, url: &str, protocols: &[&str]) -> Result<Opened<Self::Socket>>;
    /// Connects with compression. `setting` is a name in the matrix.
    fn open_compressing(&self, _stream: TcpStream, _url: &str, _setting: &str) -> Result<Self::Socket> {
        Err("no compression".into())
    }
}

pub trait Server: Sync {
    type Socket: Socket;
    /// Rejects the paths of [`rejection`], and selects the first subprotocol offered. Also returns path and query.
    fn accept(&self, stream: TcpStream) -> Result<Option<(String, Self::Socket)>>;
}

/// The status for the paths `/401`, `/403` and `/404`.
pub fn rejection(path: &str) -> Option<u16> {
    path.strip_prefix("/4")?;
    path[1..].parse().ok()
}

pub const REJECTION_BODY: &str = "no entry\n";

/// The compression settings that a path requests from a server.
pub fn compression(path: &str) -> Option<&str> {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    path.strip_prefix("/compression/")
}

/// The `main` function of each peer.
pub fn main(peer: &(impl Client + Server)) -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["server"] => server::run(peer),
        ["client", url, ref selected @ ..] => {
            cells::run(peer, url, selected);
            Ok(())
        }
        _ => Err("usage: PROGRAM client URL GROUP_OR_CELL... | PROGRAM server".into()),
    }
}
