//! Both ends with their endpoints, on a link that accepts and delivers as many bytes as a test says, driven by readiness
//! alone: an end is called again only when the link is ready for what [`Tls::interest`] returned.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use rcgen::CertifiedKey;
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Interruption, Step, Timeout};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{CloseCode, Config, Event, entropy};

use super::*;

/// How many bytes go through before a call blocks, and after each time that the link is ready again.
#[derive(Clone, Copy)]
enum Pace {
    Each(usize),
    /// It blocks at this position, and then no more.
    OnceAt(usize),
}

const FAST: Pace = Pace::Each(usize::MAX);

/// Counts the bytes that have gone through, and those that may.
struct Gate {
    pace: Pace,
    passed: usize,
    most: usize,
}

impl Gate {
    fn new(pace: Pace) -> Self {
        let (Pace::Each(most) | Pace::OnceAt(most)) = pace;
        let passed = 0;
        Self { pace, passed, most }
    }

    fn pass(&mut self, size: usize) -> usize {
        let size = size.min(self.most - self.passed);
        self.passed += size;
        size
    }

    /// Lets more through if nothing may go.
    fn open(&mut self) {
        if self.passed == self.most {
            self.most = match self.pace {
                Pace::Each(size) => self.passed.saturating_add(size),
                Pace::OnceAt(_) => usize::MAX,
            };
        }
    }
}

/// One direction of a link.
struct Direction {
    bytes: VecDeque<u8>,
    has_ended: bool,
    writing: Gate,
    reading: Gate,
}

impl Direction {
    fn new(writing: Pace, reading: Pace) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            bytes: VecDeque::new(),
            has_ended: false,
            writing: Gate::new(writing),
            reading: Gate::new(reading),
        }))
    }
}

/// One end of a link.
struct Link {
    incoming: Rc<RefCell<Direction>>,
    outgoing: Rc<RefCell<Direction>>,
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let incoming = &mut *self.incoming.borrow_mut();
        if incoming.bytes.is_empty() && incoming.has_ended {
            return Ok(0);
        }
        let size = incoming.reading.pass(buffer.len().min(incoming.bytes.len()));
        match size {
            0 => Err(ErrorKind::WouldBlock.into()),
            _ => incoming.bytes.read(&mut buffer[..size]),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let outgoing = &mut *self.outgoing.borrow_mut();
        assert!(!outgoing.has_ended, "a write after the end");
        match outgoing.writing.pass(bytes.len()) {
            0 => Err(ErrorKind::WouldBlock.into()),
            size => outgoing.bytes.write(&bytes[..size]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ShutdownWrite for Link {
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.outgoing.borrow_mut().has_ended = true;
        Ok(())
    }
}

/// One end, and what its program has received.
struct Side {
    endpoint: Endpoint,
    tls: Tls<Link>,
    interest: Interest,
    received: Vec<String>,
    /// What a client sends when the connection is open; a server echoes it.
    sends: Vec<String>,
    /// After how many messages it closes.
    closes_after: usize,
}

impl Side {
    fn new(endpoint: Endpoint, tls: Tls<Link>) -> Self {
        Self {
            endpoint,
            tls,
            interest: Interest::Both,
            received: Vec::new(),
            sends: Vec::new(),
            closes_after: usize::MAX,
        }
    }

    /// Drives the endpoint until it has to wait. Returns whether it has ended.
    fn drive(&mut self, now: Duration) -> bool {
        self.endpoint.ready();
        loop {
            match self.endpoint.step(now) {
                Step::Request => self.endpoint.accept(),
                Step::Response => {
                    self.endpoint.take_response();
                    for text in self.sends.drain(..) {
                        self.endpoint.sender().send_text(&text).unwrap();
                    }
                }
                Step::Event => self.react(),
                Step::Wait(wanted) => {
                    assert!(!reads(wanted) || !self.tls.is_ready(), "it waits for what it has");
                    self.interest = self.tls.interest(wanted);
                    return false;
                }
                Step::Done => return true,
                step => self.endpoint.perform(step, &mut self.tls),
            }
        }
    }

    fn react(&mut self) {
        let is_server = matches!(self.tls.session, Connection::Server(_));
        let mut events = self.endpoint.events();
        while let Some((event, mut sender)) = events.next() {
            let Event::Text(text) = event else { continue };
            if is_server {
                sender.send_text(&text).unwrap();
            }
            self.received.push(text.to_string());
            if self.received.len() == self.closes_after {
                sender.close(CloseCode::NORMAL, "").unwrap();
            }
        }
    }

    /// Makes the link ready for what this side waits for, if it can be. Returns whether it is.
    fn is_woken(&self) -> bool {
        let mut is_ready = false;
        if reads(self.interest) {
            let incoming = &mut *self.tls.stream.incoming.borrow_mut();
            is_ready |= !incoming.bytes.is_empty() || incoming.has_ended;
            incoming.reading.open();
        }
        if matches!(self.interest, Interest::Writable | Interest::Both) {
            is_ready = true;
            self.tls.stream.outgoing.borrow_mut().writing.open();
        }
        is_ready
    }

    /// Drives the endpoint to its end, by its deadlines alone.
    fn wait_for_deadlines(&mut self) -> &End {
        let mut now = Duration::ZERO;
        while !self.drive(now) {
            now = self.endpoint.deadline().expect("it waits for something");
        }
        self.endpoint.end().unwrap()
    }
}

fn reads(interest: Interest) -> bool {
    matches!(interest, Interest::Readable | Interest::Both)
}

static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// The server's configuration, and a client's for each version, with a certificate for `localhost`.
static CONFIGS: LazyLock<(Arc<ServerConfig>, [Arc<ClientConfig>; 2])> = LazyLock::new(|| {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.into()], key);
    let clients = VERSIONS.map(|version| {
        let mut client = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        client.resumption = rustls::client::Resumption::disabled(); // so that all handshakes have the same size
        Arc::new(client)
    });
    (Arc::new(server.unwrap()), clients)
});

/// A client and a server.
struct Pair {
    client: Side,
    server: Side,
}

const LARGE: usize = 10_000_000;

impl Pair {
    /// `writing` and `reading` apply to both directions.
    fn new(version: usize, writing: Pace, reading: Pace) -> Self {
        let (up, down) = (Direction::new(writing, reading), Direction::new(writing, reading));
        let config = EndpointConfig::new()
            .connection(Config::new().max_message_size(LARGE as u64))
            .max_buffered(LARGE);
        let entropy = entropy::from_fn(|bytes| bytes.fill(7));
        let request = ClientRequest::from_url("wss://localhost/").unwrap();
        let client = Endpoint::client(&config, request, entropy, Duration::ZERO);
        let server = Endpoint::server(&config, Duration::ZERO);
        let name = ServerName::try_from("localhost").unwrap();
        let (server_config, client_configs) = &*CONFIGS;
        let (incoming, outgoing) = (Rc::clone(&down), Rc::clone(&up));
        let client_tls = Tls::client(
            Link { incoming, outgoing },
            Arc::clone(&client_configs[version]),
            name,
        );
        let (incoming, outgoing) = (up, down);
        let server_tls = Tls::server(Link { incoming, outgoing }, Arc::clone(server_config));
        Self {
            client: Side::new(client, client_tls.unwrap()),
            server: Side::new(server, server_tls.unwrap()),
        }
    }

    /// A pair whose client sends these messages, and closes after their echoes.
    fn exchanging(version: usize, writing: Pace, reading: Pace, texts: &[&str]) -> Self {
        let mut pair = Self::new(version, writing, reading);
        pair.client.sends = texts.iter().map(ToString::to_string).collect();
        pair.client.closes_after = texts.len();
        pair
    }

    /// Drives both until they have ended, or wait for something that does not happen.
    fn run(&mut self) {
        let (mut client_ended, mut server_ended) = (false, false);
        for _ in 0..1_000_000 {
            let client_woken = !client_ended && self.client.is_woken();
            client_ended |= client_woken && self.client.drive(Duration::ZERO);
            let server_woken = !server_ended && self.server.is_woken();
            server_ended |= server_woken && self.server.drive(Duration::ZERO);
            if !client_woken && !server_woken {
                return;
            }
        }
        panic!("they are woken again and again");
    }

    /// Expects that the client got its messages back, that both ends are clean, and that TLS ended as it should.
    fn expect_exchange(&mut self, texts: &[&str]) {
        self.run();
        for side in [&self.client, &self.server] {
            assert_eq!(side.received, texts);
            let end = side
                .endpoint
                .end()
                .expect("it waits for something that does not happen");
            assert!(end.is_clean() && end.interruption.is_none(), "{end}");
        }
    }
}

const TEXTS: [&str; 3] = ["Hello", "", "größer"];

/// The position is more than the handshakes and the messages have, which the test checks.
const LONGEST: usize = 2500;

/// RFC 8446 section 5.1: records may arrive in any pieces. The positions include those inside the TLS handshake.
#[test]
fn records_may_be_split_at_every_byte() {
    for version in 0..VERSIONS.len() {
        for position in 0..LONGEST {
            let mut pair = Pair::exchanging(version, FAST, Pace::OnceAt(position), &TEXTS);
            pair.expect_exchange(&TEXTS);
        }
    }
}

/// A write may block while the endpoint waits for input only: TLS has to send its part of the handshake.
#[test]
fn writes_may_block_at_every_byte() {
    for version in 0..VERSIONS.len() {
        for position in 0..LONGEST {
            let mut pair = Pair::exchanging(version, Pace::OnceAt(position), FAST, &TEXTS);
            pair.expect_exchange(&TEXTS);
            let link = &pair.server.tls.stream;
            assert!(link.outgoing.borrow().writing.passed < LONGEST);
            assert!(link.incoming.borrow().writing.passed < LONGEST);
        }
    }
}

#[test]
fn links_may_be_slow_in_both_directions() {
    let long = "a long text. ".repeat(5000);
    let texts = ["Hello", &long, "", &long];
    for version in 0..VERSIONS.len() {
        for (writing, reading) in [
            (1, 1),
            (3, usize::MAX),
            (usize::MAX, 5),
            (1000, 700),
            (20_000, 17_000),
        ] {
            let (writing, reading) = (Pace::Each(writing), Pace::Each(reading));
            Pair::exchanging(version, writing, reading, &texts).expect_exchange(&texts);
        }
    }
}

/// RFC 6455 section 5.5.1: the Close is the last frame, and arrives behind a large message. Flush has to send all records.
#[test]
fn a_large_message_and_the_close_behind_it_reach_a_slow_reader() {
    let large = "0123456789".repeat(LARGE / 10);
    for (writing, reading) in [(FAST, Pace::Each(1000)), (Pace::Each(900), FAST)] {
        let mut pair = Pair::new(1, writing, reading);
        pair.client.sends = vec![large.clone()];
        pair.server.closes_after = 1;
        pair.run();
        for side in [&pair.client, &pair.server] {
            assert!(side.received == [&large[..]]);
            let end = side
                .endpoint
                .end()
                .expect("it waits for something that does not happen");
            assert!(end.is_clean() && end.interruption.is_none(), "{end}");
        }
    }
}

fn is_truncation(end: &End) -> bool {
    let Some(Interruption::Transport(error)) = &end.interruption else {
        return false;
    };
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::UnexpectedEof)
}

/// RFC 8446 section 6.1: without `close_notify`, what was received may be truncated. The messages before are still returned.
#[test]
fn an_end_without_close_notify_is_reported() {
    let mut pair = Pair::exchanging(1, FAST, FAST, &["Hello"]);
    pair.client.closes_after = usize::MAX;
    pair.run();
    pair.client.tls.stream.outgoing.borrow_mut().has_ended = true;
    pair.run();
    assert_eq!(pair.server.received, ["Hello"]);
    let end = pair.server.endpoint.end().unwrap();
    assert!(!end.is_clean() && is_truncation(end), "{end}");
}

/// A closing handshake that is complete stays clean (RFC 6455 section 7.1.4).
#[test]
fn an_end_without_close_notify_after_the_closing_handshake_is_clean() {
    let mut pair = Pair::exchanging(1, FAST, FAST, &["Hello"]);
    while pair.client.received.is_empty() {
        _ = pair.client.is_woken() && pair.client.drive(Duration::ZERO);
        if pair.client.received.is_empty() {
            _ = pair.server.is_woken() && pair.server.drive(Duration::ZERO);
        }
    }
    // The client's Close is on its way, and its end comes right behind.
    pair.client.tls.stream.outgoing.borrow_mut().has_ended = true;
    while !pair.server.drive(Duration::ZERO) {}
    let end = pair.server.endpoint.end().unwrap();
    assert!(end.is_clean() && is_truncation(end), "{end}");
}

/// The endpoint's opening deadline covers the TLS handshake, wherever it stops.
#[test]
fn a_tls_handshake_that_never_ends_misses_the_opening_deadline() {
    for position in [0, 1, 5, 100] {
        for (writing, reading) in [(FAST, Pace::Each(position)), (Pace::Each(position), FAST)] {
            for is_server in [false, true] {
                let mut pair = Pair::new(1, writing, reading);
                assert!(!pair.client.drive(Duration::ZERO));
                assert!(!pair.server.drive(Duration::ZERO));
                assert!(!pair.client.drive(Duration::ZERO));
                let side = if is_server {
                    &mut pair.server
                } else {
                    &mut pair.client
                };
                assert!(side.tls.session.is_handshaking());
                let end = side.wait_for_deadlines();
                assert_eq!(end.timeout(), Some(Timeout::Opening), "{end}");
            }
        }
    }
}

/// RFC 8446 section 6.2: a fatal alert says why.
#[test]
fn what_is_not_tls_gets_an_alert() {
    let mut pair = Pair::new(1, FAST, FAST);
    let link = &pair.client.tls.stream;
    link.outgoing.borrow_mut().bytes.extend(b"GET / HTTP/1.1\r\n\r\n");
    assert!(pair.server.drive(Duration::ZERO));
    let end = pair.server.endpoint.end().unwrap();
    assert!(
        matches!(end.interruption, Some(Interruption::Transport(_))),
        "{end}"
    );
    let sent: Vec<_> = link.incoming.borrow().bytes.iter().copied().collect();
    let [0x15, 3, _, 0, 2, 2, _] = sent[..] else {
        panic!("{sent:?} is not a fatal alert");
    };
}
