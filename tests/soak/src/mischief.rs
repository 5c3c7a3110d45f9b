//! Peers that are broken or hostile, or that just disappear.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use websocket_proto::CloseCode;

use crate::client::Client;
use crate::peer::{Ending, Peer, frame, head, header};
use crate::random::Random;
use crate::run::{Run, Stage};

const OFFER: &str = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

/// How a server behaves towards the peers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Echoes each message, supports compression, and rejects messages over 1 MiB.
    Echo,
    /// Sends each text to all clients, and rejects messages over 4 KiB.
    Chat,
}

pub const ECHO_LIMIT: usize = 1 << 20;
const CHAT_LIMIT: usize = 4096;

/// A misbehaving peer of a server.
pub struct Bad {
    kind: Kind,
    address: SocketAddr,
    random: Random,
}

type Deed = fn(&mut Bad) -> Result<(), String>;

/// What the peers do. A deed fails if the server does not behave as required.
const DEEDS: [(&str, Deed); 20] = [
    ("connects and leaves", Bad::leave),
    ("leaves in the middle of a request", Bad::half_request),
    ("sends something other than HTTP", Bad::no_http),
    ("requests a page", Bad::page),
    ("sends a request byte by byte", Bad::slow_request),
    ("leaves in the middle of a frame", Bad::half_frame),
    ("resets the transport", Bad::reset),
    ("floods with messages, and does not read", Bad::flood),
    ("floods with Pings, and does not read", Bad::pings),
    ("floods with empty fragments", Bad::fragments),
    ("reads slowly", Bad::slow_read),
    ("neither sends nor reads", Bad::silent),
    ("sends corrupt compressed data", Bad::bad_deflate),
    ("sends a compression bomb", Bad::bomb),
    ("sends invalid UTF-8", Bad::bad_utf8),
    ("sends an invalid frame", Bad::bad_frame),
    ("sends noise", Bad::noise),
    ("flips a bit", Bad::spoiled),
    ("closes, but does not end the transport", Bad::stay),
    ("ends its direction without a Close", Bad::half_close),
];

/// How often each deed was performed.
#[derive(Default)]
pub struct Tally {
    counts: [AtomicU64; DEEDS.len()],
}

impl Tally {
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    pub fn lines(&self) -> impl Iterator<Item = (u64, &'static str)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        counts.zip(DEEDS.iter().map(|(name, _)| *name))
    }
}

/// Performs one deed after another, until the run is about to end.
pub fn live(run: &Run, tally: &Tally, kind: Kind, address: SocketAddr, random: Random) -> Result<(), String> {
    let mut bad = Bad {
        kind,
        address,
        random,
    };
    while run.stage() == Stage::Misbehave {
        let at = bad.random.below(DEEDS.len());
        let (name, deed) = DEEDS[at];
        deed(&mut bad).map_err(|error| format!("a peer that {name}: {error}"))?;
        tally.counts[at].fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

impl Bad {
    fn path(&self) -> &'static str {
        match self.kind {
            Kind::Echo => "/",
            Kind::Chat => "/chat",
        }
    }

    fn limit(&self) -> usize {
        match self.kind {
            Kind::Echo => ECHO_LIMIT,
            Kind::Chat => CHAT_LIMIT,
        }
    }

    fn connect(&self) -> Result<Peer, String> {
        Peer::connect(self.address)
    }

    fn open(&self, fields: &str) -> Result<Peer, String> {
        Peer::open(self.address, self.path(), fields)
    }

    fn frame(&mut self, first: u8, payload: &[u8]) -> Vec<u8> {
        frame(&mut self.random, first, payload)
    }

    /// A text that the well-behaved clients never send.
    fn text(&mut self, most: usize) -> Vec<u8> {
        let size = self.random.below(most);
        let noise = (0..size).map(|_| b' ' + self.random.below(95) as u8);
        let text: Vec<u8> = b"bad ".iter().copied().chain(noise).collect();
        self.frame(0x81, &text)
    }

    /// Waits, mostly for a short time.
    fn wait(&mut self) {
        let most = if self.random.one_in(10) { 12_000 } else { 1000 };
        thread::sleep(Duration::from_millis(self.random.below(most) as u64));
    }

    fn leave(&mut self) -> Result<(), String> {
        let _peer = self.connect()?;
        if self.random.one_in(2) {
            self.wait();
        }
        Ok(())
    }

    fn half_request(&mut self) -> Result<(), String> {
        let mut peer = self.connect()?;
        let head = head(self.path(), OFFER);
        peer.send(&head[..self.random.below(head.len() - 1)]);
        if self.random.one_in(4) {
            self.wait();
        }
        Ok(())
    }

    fn no_http(&mut self) -> Result<(), String> {
        let mut peer = self.connect()?;
        let size = self.random.below(20_000);
        let noise = self.random.bytes(size);
        peer.send(&[&noise[..], b"\r\n\r\n"].concat());
        peer.shut_down();
        peer.drain()
    }

    fn page(&mut self) -> Result<(), String> {
        let (head, expected): (String, &[u16]) = match (self.random.below(3), self.kind) {
            (0, Kind::Chat) => (String::from("GET / HTTP/1.1\r\nHost: soak\r\n\r\n"), &[200]),
            (0, Kind::Echo) => (String::from("GET / HTTP/1.1\r\nHost: soak\r\n\r\n"), &[400, 426]),
            (1, Kind::Chat) => (String::from("GET /none HTTP/1.1\r\nHost: soak\r\n\r\n"), &[404]),
            (1, Kind::Echo) => (
                String::from("POST / HTTP/1.1\r\nHost: soak\r\nContent-Length: 2\r\n\r\nhi"),
                &[400, 405, 426],
            ),
            (_, Kind::Chat) => {
                let head = head("/chat", "Origin: http://elsewhere\r\n");
                (String::from_utf8_lossy(&head).into_owned(), &[403])
            }
            (_, Kind::Echo) => {
                let head = head("/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
                (String::from_utf8_lossy(&head).into_owned(), &[400])
            }
        };
        let mut peer = self.connect()?;
        peer.send(head.as_bytes());
        match peer.status()? {
            Some(status) if expected.contains(&status) => peer.drain(),
            status => Err(format!("{status:?} instead of {expected:?} for {head:?}")),
        }
    }

    fn slow_request(&mut self) -> Result<(), String> {
        let mut peer = self.connect()?;
        let head = head(self.path(), "");
        for byte in head {
            peer.send(&[byte]);
            thread::sleep(Duration::from_micros(self.random.below(4000) as u64));
        }
        match peer.status()? {
            Some(101) => Ok(()),
            status => Err(format!("{status:?} instead of 101")),
        }
    }

    fn half_frame(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let text = self.text(3000);
        peer.send(&text[..1 + self.random.below(text.len() - 1)]);
        if self.random.one_in(4) {
            self.wait();
        }
        Ok(())
    }

    /// Closing a socket with unread bytes resets the transport.
    fn reset(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let text = self.text(1000);
        peer.send(&text);
        match peer.stream.peek(&mut [0]) {
            Ok(1) => Ok(()),
            found => Err(format!("{found:?} in reply to a text")),
        }
    }

    fn flood(&mut self) -> Result<(), String> {
        let offer = if self.random.one_in(2) { OFFER } else { "" };
        let mut peer = self.open(offer)?;
        // The broadcast messages have to leave space for those of the other clients.
        let (count, size) = match self.kind {
            Kind::Echo => (self.random.below(64), 256 * 1024),
            Kind::Chat => (self.random.below(30), 1000),
        };
        for _ in 0..count {
            let text = self.text(size);
            if !peer.send(&text) {
                break;
            }
        }
        Ok(())
    }

    fn pings(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let ping = self.frame(0x89, &[b'p'; 125]);
        for _ in 0..self.random.below(100) {
            if !peer.send(&ping.repeat(1000)) {
                break;
            }
        }
        Ok(())
    }

    fn fragments(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let (first, next) = (self.frame(0x02, b""), self.frame(0x00, b""));
        peer.send(&[first, next.repeat(self.random.below(50_000))].concat());
        peer.shut_down();
        peer.drain()
    }

    fn slow_read(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        if self.kind == Kind::Echo {
            for _ in 0..3 {
                let text = self.text(300_000);
                peer.send(&text);
            }
        }
        for _ in 0..self.random.below(300) {
            let mut buffer = [0; 512];
            _ = peer.stream.set_read_timeout(Some(Duration::from_millis(10)));
            if let Ok(0) = std::io::Read::read(&mut peer.stream, &mut buffer) {
                return Err(String::from("the server ended the connection"));
            }
            thread::sleep(Duration::from_millis(self.random.below(20) as u64));
        }
        Ok(())
    }

    fn silent(&mut self) -> Result<(), String> {
        let _peer = self.open("")?;
        self.wait();
        Ok(())
    }

    fn bad_deflate(&mut self) -> Result<(), String> {
        let mut peer = self.open(OFFER)?;
        // A reserved block type, a reference before the start, and data that ends inside a block.
        let spoiled: [&[u8]; 3] = [b"\x07", b"\xf2\x00\x11\x00\x00", b"\xf2\x48\xcd"];
        if self.kind == Kind::Echo && self.random.one_in(2) {
            let size = self.random.below(2000);
            let noise = self.random.bytes(size);
            let noise = self.frame(0xc2, &noise);
            peer.send(&noise);
            peer.shut_down();
            return peer.drain();
        }
        let spoiled = self.random.pick(&spoiled);
        let wire = self.frame(0xc2, spoiled);
        peer.send(&wire);
        peer.ends_with(match self.kind {
            Kind::Echo => 1007,
            Kind::Chat => 1002, // does not negotiate compression
        })
    }

    fn bomb(&mut self) -> Result<(), String> {
        let mut client = Client::open(self.address, self.path(), true)?;
        let zeros = vec![0; self.limit() + 1 + self.random.below(3 * self.limit())];
        let sent = client.sender().send_binary(&zeros);
        sent.map_err(|error| error.to_string())?;
        let end = client.run_to_end(|_| Ok(()))?;
        let code = end.closed().and_then(|closed| closed.code_received());
        match code {
            Some(CloseCode::TOO_BIG) => Ok(()),
            _ => Err(format!("{end} instead of 1009")),
        }
    }

    fn bad_utf8(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let spoiled: [&[u8]; 5] = [
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"bad \xff",
            b"bad \xe2\x82",
        ];
        let spoiled = self.random.pick(&spoiled);
        let (front, rest) = spoiled.split_at(self.random.below(spoiled.len()));
        let wire = [self.frame(0x01, front), self.frame(0x80, rest)].concat();
        peer.send(&wire);
        peer.ends_with(1007)
    }

    fn bad_frame(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let over = self.limit() as u64 + 1;
        let (wire, code) = match self.random.below(12) {
            0 => (self.frame(0x83, b""), 1002),
            1 => (self.frame(0x8b, b""), 1002),
            2 => (self.frame(0x91, b"bad "), 1002),
            3 => (self.frame(0x09, b""), 1002),
            4 => (self.frame(0x89, &[0; 126]), 1002),
            5 => (self.frame(0x80, b"bad "), 1002),
            6 => (
                [self.frame(0x01, b"bad "), self.frame(0x81, b"bad ")].concat(),
                1002,
            ),
            7 => (b"\x81\x03bad".to_vec(), 1002),
            8 => (self.frame(0x88, b"\x03"), 1002),
            9 => (self.frame(0x88, &1005u16.to_be_bytes()), 1002),
            10 => (header(0x82, over), 1009),
            _ => (header(0x82, 1 << 63), 1002),
        };
        peer.send(&wire);
        peer.ends_with(code)
    }

    fn noise(&mut self) -> Result<(), String> {
        let mut peer = self.open(OFFER)?;
        let size = self.random.below(10_000);
        let noise = self.random.bytes(size);
        peer.send(&noise);
        if self.random.one_in(2) {
            return Ok(());
        }
        peer.shut_down();
        peer.drain()
    }

    fn spoiled(&mut self) -> Result<(), String> {
        let mut peer = self.open(OFFER)?;
        let mut wire = [self.text(500), self.frame(0x89, b"ping"), self.text(500)].concat();
        let at = self.random.below(wire.len());
        wire[at] ^= 1 << self.random.below(8);
        peer.send(&wire);
        peer.shut_down();
        peer.drain()
    }

    /// The server has to end the transport, whatever follows the Close.
    fn stay(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let (close, ping) = (
            self.frame(0x88, &4000u16.to_be_bytes()),
            self.frame(0x89, b"late"),
        );
        peer.send(&[&close[..], &ping].concat());
        // The server reads and drops what follows the Close, so the reply is not lost to a reset.
        match peer.ending()? {
            Ending::Close(4000) => {}
            ending => return Err(format!("{ending:?} instead of 4000")),
        }
        for _ in 0..self.random.below(40) {
            peer.send(&ping);
            thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Messages sent before the end have to be echoed.
    fn half_close(&mut self) -> Result<(), String> {
        let mut peer = self.open("")?;
        let count = 1 + self.random.below(5);
        for _ in 0..count {
            let text = self.text(1000);
            peer.send(&text);
        }
        peer.shut_down();
        let mut texts = 0;
        while let Some(frame) = peer.frame()? {
            texts += usize::from(frame.first == 0x81);
        }
        match self.kind {
            Kind::Echo if texts != count => Err(format!("{texts} echoes of {count}")),
            _ => Ok(()),
        }
    }
}
