//! What the peers in Rust share. Each implementation is a [`Socket`], and opens it as a [`Client`] or a [`Server`]; the
//! cells of the client and the behaviour of the server are written once.
//!
//!     PROGRAM client ws://ADDRESS GROUP_OR_CELL...    one line per cell: verdict, cell and what is wrong, with tabs between
//!     PROGRAM server                                  prints `listening on ws://ADDRESS`, then serves until it is killed

mod cells;
mod server;

use std::env;
use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// For any single read: a peer that says nothing fails its cell.
pub const TIME: Duration = Duration::from_secs(10);
/// Above the 16 MiB of the largest cell.
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
    /// The transport is over. `clean`: after a closing handshake.
    End {
        clean: bool,
    },
}

/// One open connection, either end. Pings are answered by the implementation under it.
pub trait Socket {
    fn receive(&mut self) -> Result<Incoming>;
    fn send(&mut self, message: Message) -> Result<()>;
    /// Sends a text message in these fragments.
    fn send_fragments(&mut self, parts: &[&[u8]]) -> Result<()>;
    /// Sends it as it is, on a connection that compresses, where the implementation lets us.
    fn send_plain(&mut self, message: Message) -> Result<()> {
        self.send(message)
    }
    fn ping(&mut self, payload: &[u8]) -> Result<()>;
    fn close(&mut self, code: u16, reason: &str) -> Result<()>;
    /// In one write, where the implementation lets us.
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
    /// The body is `None` if the implementation does not hand it over.
    Rejected {
        status: u16,
        body: Option<Vec<u8>>,
    },
}

pub trait Client {
    type Socket: Socket;
    /// Whether it answers every Ping, and not just the last of several (RFC 6455 section 5.5.3 allows both).
    const ANSWERS_EVERY_PING: bool;
    fn open(&self, stream: TcpStream, url: &str, protocols: &[&str]) -> Result<Opened<Self::Socket>>;
    /// With compression, by a name of settings in the matrix.
    fn open_compressing(&self, _stream: TcpStream, _url: &str, _setting: &str) -> Result<Self::Socket> {
        Err("no compression".into())
    }
}

pub trait Server: Sync {
    type Socket: Socket;
    /// Rejects a path that [`rejection`] knows, and chooses the first subprotocol offered. Yields path and query too.
    fn accept(&self, stream: TcpStream) -> Result<Option<(String, Self::Socket)>>;
}

/// The status for the paths `/401`, `/403` and `/404`.
pub fn rejection(path: &str) -> Option<u16> {
    path.strip_prefix("/4")?;
    path[1..].parse().ok()
}

pub const REJECTION_BODY: &str = "no entry\n";

/// The settings of compression that a path asks a server for.
pub fn compression(path: &str) -> Option<&str> {
    let (path, _) = path.split_once('?').unwrap_or((path, ""));
    path.strip_prefix("/compression/")
}

/// The program of any peer.
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
