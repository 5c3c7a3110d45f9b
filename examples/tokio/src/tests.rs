//! Cancel safety: each future is polled once and dropped, whichever await it has come to, and nothing is lost.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::ReadBuf;
use websocket_proto::{Fin, MessageKind};

use super::*;

/// Polls the future once and drops it, time and again, until a fresh one is ready at once.
macro_rules! dropped_at_every_await {
    ($future:expr, $meanwhile:expr) => {
        'ready: {
            for _ in 0..1_000_000 {
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(output) = pin!($future).poll(&mut context) {
                    break 'ready output;
                }
                $meanwhile;
                tokio::task::yield_now().await; // tokio lets a task do so much at a time, then makes it wait for nothing
            }
            panic!("it goes round in circles");
        }
    };
}

/// A stream that takes and gives a few bytes at a time, and makes wait before each.
struct Reluctant {
    bytes: Vec<u8>,
    step: usize,
    ready: bool,
}

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
const OTHER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2);
const STEPS: [usize; 5] = [1, 2, 7, 1000, usize::MAX];

#[tokio::test]
async fn reader_that_is_dropped_at_every_await_loses_nothing() {
    let wire = conversation();
    let (events, out) = received_at_once(wire.clone());
    for step in STEPS {
        let (orders, mut inbox) = mpsc::channel(1);
        let (receiver, mut sender) = Connection::server(&Config::new()).split();
        let mut reader = Reader {
            stream: Reluctant::new(wire.clone(), step),
            receiver,
            buffer: vec![0; 4096],
            unread: 0..0,
            orders,
        };
        let (mut got, mut replies) = (Vec::new(), Vec::new());
        // The inbox has room for one, and is emptied when the reader waits.
        let mut reply = |sender: &mut SendHalf| match inbox.try_recv() {
            Ok(Order::Reply(reply)) => sender.reply(reply, &mut replies),
            Ok(Order::Send(_)) => panic!("not the reader's"),
            Err(_) => {}
        };
        while let Some(event) = dropped_at_every_await!(reader.next(), reply(&mut sender)) {
            got.push(event);
        }
        reply(&mut sender);
        assert_eq!(
            (got, replies),
            (events.clone(), out.clone()),
            "{step} bytes at a time"
        );
        assert!(Connection::join(reader.receiver, sender).receive_eof().is_clean());
    }
}

#[tokio::test]
async fn writer_that_is_dropped_at_every_await_loses_nothing() {
    for step in STEPS {
        let (orders, inbox) = mpsc::channel(1);
        let room = broadcast::Sender::new(BACKLOG);
        let mut writer = Writer {
            stream: Reluctant::new(Vec::new(), step),
            peer: PEER,
            sender: Connection::server(&Config::new()).split().1,
            out: Vec::new(),
            written: 0,
            orders: inbox,
            room: room.subscribe(),
        };
        for message in texts("others") {
            let message = Arc::new(Prepared::text(&message));
            _ = room.send(Said {
                by: PEER,
                message: message.clone(),
            }); // its own words are ordered, not heard
            _ = room.send(Said { by: OTHER, message });
        }
        let own = texts("own").map(|text| Order::Send(Arc::new(Prepared::text(&text))));
        let mut own = own.chain([reply_to_close()]).collect::<Vec<_>>().into_iter();
        let written = dropped_at_every_await!(writer.run(), {
            let all_heard = writer.room.is_empty();
            if let (Ok(room), true) = (orders.try_reserve(), own.len() > 1 || all_heard) {
                if let Some(order) = own.next() {
                    room.send(order);
                }
            }
        });
        written.expect("the peer has closed");
        let got = received_texts(writer.stream.bytes);
        let (of_others, of_own): (Vec<_>, Vec<_>) =
            got.into_iter().partition(|text| text.starts_with("others"));
        assert!(
            of_others.into_iter().eq(texts("others")),
            "{step} bytes at a time"
        );
        assert!(of_own.into_iter().eq(texts("own")), "{step} bytes at a time");
    }
}

/// What a client sends, as bytes: whole messages, fragments, control frames in between, large and small.
fn conversation() -> Vec<u8> {
    let mut client = Connection::client(&Config::new(), |key: &mut [u8]| key.fill(7));
    let mut out = Vec::new();
    let mut talk = || {
        client.send_text("Hello", &mut out)?;
        client.send_ping(b"1", &mut out)?;
        client.send_fragment(MessageKind::Text, "ü".as_bytes(), Fin::More, &mut out)?;
        client.send_ping(&[2; 125], &mut out)?;
        client.send_fragment(MessageKind::Text, "ß".as_bytes(), Fin::Last, &mut out)?;
        client.send_binary(&[3; 20_000], &mut out)?;
        for _ in 0..10 {
            client.send_text("", &mut out)?;
            client.send_pong(b"4", &mut out)?;
            client.send_ping(b"5", &mut out)?;
        }
        client.close(CloseCode::NORMAL, "done", &mut out)
    };
    talk().expect("all of it is allowed");
    out
}

/// What an undisturbed connection makes of it.
fn received_at_once(mut wire: Vec<u8>) -> (Vec<Event<'static>>, Vec<u8>) {
    let mut server = Connection::server(&Config::new());
    let (mut input, mut events, mut out) = (&mut wire[..], Vec::new(), Vec::new());
    while let Some(event) = server.receive(&mut input, &mut out).expect("it is valid") {
        events.push(event.into_owned());
    }
    (events, out)
}

fn texts(by: &'static str) -> impl ExactSizeIterator<Item = String> {
    (0..20).map(move |number| format!("{by} {number} {}", "x".repeat(number * number)))
}

fn reply_to_close() -> Order {
    let (mut receiver, _) = Connection::server(&Config::new()).split();
    let mut input = *b"\x88\x80\0\0\0\0";
    Order::Reply(receiver.receive(&mut &mut input[..]).1)
}

/// The texts that a client is sent before the Close.
fn received_texts(mut wire: Vec<u8>) -> Vec<String> {
    let mut client = Connection::client(&Config::new(), |key: &mut [u8]| key.fill(7));
    let (mut input, mut texts, mut out) = (&mut wire[..], Vec::new(), Vec::new());
    while let Some(event) = client.receive(&mut input, &mut out).expect("it is valid") {
        match event {
            Event::Text(text) => texts.push(text.into_owned()),
            Event::Close(_) => return texts,
            other => panic!("unexpected {other:?}"),
        }
    }
    panic!("no Close");
}

impl Reluctant {
    fn new(bytes: Vec<u8>, step: usize) -> Self {
        Self {
            bytes,
            step,
            ready: false,
        }
    }

    /// Every other time.
    fn is_ready(&mut self) -> bool {
        self.ready = !self.ready;
        !self.ready
    }
}

impl AsyncRead for Reluctant {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if !stream.is_ready() {
            return Poll::Pending;
        }
        let size = stream.step.min(stream.bytes.len()).min(buffer.remaining());
        buffer.put_slice(&stream.bytes[..size]);
        stream.bytes.drain(..size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Reluctant {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if !stream.is_ready() {
            return Poll::Pending;
        }
        let size = stream.step.min(bytes.len());
        stream.bytes.extend_from_slice(&bytes[..size]);
        Poll::Ready(Ok(size))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut().is_ready() {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
