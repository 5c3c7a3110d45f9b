//! A peer that can send anything, on a raw socket.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::PATIENCE;
use crate::random::Random;

pub struct Peer {
    pub stream: TcpStream,
    /// Bytes that were read and not consumed yet.
    read: Vec<u8>,
}

/// What a server sends in reply.
pub struct Frame {
    pub first: u8,
    pub payload: Vec<u8>,
}

/// How a server ended a connection.
#[derive(Debug, Eq, PartialEq)]
pub enum Ending {
    /// By a Close with this code (1005 if it has none) and the end of the transport.
    Close(u16),
    /// Without a Close, or by a reset.
    Cut,
}

pub fn head(path: &str, fields: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: soak\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
    .into_bytes()
}

/// A masked frame.
pub fn frame(random: &mut Random, first: u8, payload: &[u8]) -> Vec<u8> {
    let key: Vec<u8> = random.bytes(4);
    let mut frame = header(first, payload.len() as u64);
    frame.extend(&key);
    frame.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// The header of a masked frame, without its key.
pub fn header(first: u8, len: u64) -> Vec<u8> {
    let len_bytes = len.to_be_bytes();
    match len {
        0..=125 => vec![first, 0x80 | len_bytes[7]],
        126..=0xffff => [&[first, 0x80 | 126][..], &len_bytes[6..]].concat(),
        _ => [&[first, 0x80 | 127][..], &len_bytes].concat(),
    }
}

impl Peer {
    pub fn connect(address: SocketAddr) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
        let set = (stream.set_nodelay(true))
            .and_then(|()| stream.set_read_timeout(Some(PATIENCE)))
            .and_then(|()| stream.set_write_timeout(Some(Duration::from_secs(1))));
        set.map_err(|error| error.to_string())?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Connects and completes the opening handshake.
    pub fn open(address: SocketAddr, path: &str, fields: &str) -> Result<Self, String> {
        let mut peer = Self::connect(address)?;
        peer.send(&head(path, fields));
        match peer.status()? {
            Some(101) => Ok(peer),
            status => Err(format!("the opening handshake got {status:?}")),
        }
    }

    /// Sends as much as the server reads. Returns `false` if it ends the connection before everything is sent.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub fn shut_down(&mut self) {
        _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Reads more bytes. Returns `false` at the end of the transport.
    fn fill(&mut self) -> Result<bool, String> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(size) => {
                self.read.extend(&buffer[..size]);
                Ok(size > 0)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err(
                format!("the server neither responds nor ends the transport within {PATIENCE:?}"),
            ),
            Err(_) => Ok(false),
        }
    }

    /// Reads a response's head and returns its status. `None` if there was none.
    pub fn status(&mut self) -> Result<Option<u16>, String> {
        let end = loop {
            match self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if self.fill()? => {}
                None => return Ok(None),
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
        status
            .map(Some)
            .ok_or_else(|| format!("no status: {:.40}", String::from_utf8_lossy(&head)))
    }

    /// The next frame, `None` at the end of the transport.
    pub fn frame(&mut self) -> Result<Option<Frame>, String> {
        loop {
            if let Some((frame, size)) = split(&self.read) {
                self.read.drain(..size);
                return Ok(Some(frame));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// Reads to the end. Nothing may follow a Close.
    pub fn ending(&mut self) -> Result<Ending, String> {
        while let Some(frame) = self.frame()? {
            if frame.first != 0x88 {
                continue;
            }
            let code = frame
                .payload
                .first_chunk()
                .map_or(1005, |code| u16::from_be_bytes(*code));
            while self.fill()? {}
            return match self.read[..] {
                [] => Ok(Ending::Close(code)),
                _ => Err(format!("more bytes after Close {code}")),
            };
        }
        Ok(Ending::Cut)
    }

    /// Reads to the end, which has to be a Close with this code.
    pub fn ends_with(&mut self, code: u16) -> Result<(), String> {
        match self.ending()? {
            Ending::Close(found) if found == code => Ok(()),
            ending => Err(format!("{ending:?} instead of {code}")),
        }
    }

    /// Reads to the end, ignoring what is received.
    pub fn drain(&mut self) -> Result<(), String> {
        while self.fill()? {
            self.read.clear();
        }
        Ok(())
    }
}

/// The first frame, which is not masked, and its size.
fn split(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        126 => (
            u64::from(u16::from_be_bytes(*rest.first_chunk()?)),
            rest.get(2..)?,
        ),
        127 => (u64::from_be_bytes(*rest.first_chunk()?), rest.get(8..)?),
        short => (u64::from(short), rest),
    };
    let payload = rest.get(..usize::try_from(len).ok()?)?.to_vec();
    let size = bytes.len() - rest.len() + payload.len();
    Some((Frame { first, payload }, size))
}
