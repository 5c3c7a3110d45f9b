//! Tests of the driver: cancel safety, and the wakers of two tasks.

use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use websocket_proto::{Fin, MessageKind, entropy};

use super::*;

/// Polls the future once and drops it, again and again, until a fresh one is ready on its first poll.
macro_rules! dropped_at_every_await {
    ($future:expr) => {
        'ready: {
            for _ in 0..1_000_000 {
                let mut context = Context::from_waker(Waker::noop());
                if let Poll::Ready(output) = pin!($future).poll(&mut context) {
                    break 'ready output;
                }
                tokio::task::yield_now().await; // tokio limits what a task does before it yields, and then returns `Pending` once
            }
            panic!("it makes no progress");
        }
    };
}

/// A stream that reads and writes a few bytes at a time, and is not ready before each.
struct Reluctant {
    input: Vec<u8>,
    output: Vec<u8>,
    size: usize,
    is_ready: bool,
    /// Whether it has vectored writes, and how many bytes were written by them.
    vectored: Option<usize>,
}

const SIZES: [usize; 5] = [1, 2, 7, 1000, usize::MAX];

/// RFC 6455 section 5.4: what was read or queued is not lost with the future that awaited it.
#[tokio::test]
async fn futures_that_are_dropped_at_every_await_lose_nothing() {
    let wire = conversation();
    let (events, replies) = received_at_once(wire.clone());
    for size in SIZES {
        let mut socket = server(Reluctant::new(wire.clone(), size), &EndpointConfig::new());
        let mut got = Vec::new();
        while let Some(event) = dropped_at_every_await!(socket.next()) {
            got.push(event);
        }
        assert!(socket.end().is_some_and(End::is_clean), "{:?}", socket.end());
        assert_eq!(got, events, "{size} bytes at a time");
        assert_eq!(socket.stream.output, replies, "{size} bytes at a time");
    }
}

/// A `send` that is dropped has sent nothing, and one that completes has sent its message once, also if it is large and
/// the transport takes a part of it by a vectored write.
#[tokio::test]
async fn sends_that_are_dropped_at_every_await_send_once() {
    let texts: Vec<_> = (0..20u32)
        .map(|number| format!("{number} {}", "x".repeat(100 * number as usize)))
        .chain([40_000, 5, 30_000, 20_000].map(|size| "y".repeat(size)))
        .collect();
    for (size, vectored) in SIZES.into_iter().flat_map(|size| [(size, None), (size, Some(0))]) {
        let config = EndpointConfig::new().max_buffered(64);
        let mut stream = Reluctant::new(b"\x88\x80\0\0\0\0".into(), size);
        stream.vectored = vectored;
        let mut socket = server(stream, &config);
        for text in &texts {
            if text.len() > 16 * 1024 {
                dropped_at_every_await!(socket.flush()).expect("it is open"); // a vectored write needs that nothing waits
                socket.stream.is_ready = true; // and now the next write is accepted
            }
            dropped_at_every_await!(socket.send(&text[..])).expect("it is open");
        }
        dropped_at_every_await!(socket.flush()).expect("it is open");
        while dropped_at_every_await!(socket.next()).is_some() {}
        assert!(
            vectored.is_none() || socket.stream.vectored > Some(0),
            "{size} bytes at a time"
        );
        let mut client = Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7)));
        let (mut output, mut got, mut out) = (socket.stream.output, Vec::new(), Vec::new());
        let mut input = &mut output[..];
        while let Ok(Some(Event::Text(text))) = client.receive(&mut input, &mut out) {
            got.push(text.into_owned());
        }
        assert_eq!(got, texts, "{size} bytes at a time, vectored: {vectored:?}");
    }
}

/// A large message that the transport accepts at once is not copied into the output; one that has to wait is.
#[tokio::test]
async fn large_message_is_copied_only_if_it_has_to_wait() {
    for accepted in [usize::MAX, 1000] {
        let mut stream = Reluctant::new(Vec::new(), accepted);
        (stream.vectored, stream.is_ready) = (Some(0), true);
        let mut socket = server(stream, &EndpointConfig::new());
        socket.send(vec![7; 100_000]).await.expect("it is open");
        let waiting = socket.endpoint.output().len();
        assert_eq!(socket.stream.output.len() + waiting, 100_000 + 10);
        let is_copied = socket.endpoint.capacity() >= 50_000;
        assert_eq!((waiting > 0, is_copied), (accepted == 1000, accepted == 1000));
    }
}

/// How the halves poll the socket.
type Split = fn(WebSocket<DuplexStream>) -> (Next, Send);
type Next = Pin<Box<dyn Stream<Item = Event<'static>> + std::marker::Send>>;
type Send = Pin<Box<dyn Sink<Message<'static>, Error = SendError> + std::marker::Send>>;

/// A reader waits for events and a writer waits for the peer to read. Then the peer reads: the writer has to be woken,
/// although the reader was polled last. Then the peer sends: the reader has to be woken.
async fn both_halves_are_woken(split: Split) -> Result<(), &'static str> {
    use futures_util::{SinkExt, StreamExt};
    let (stream, mut peer) = duplex(1000);
    let (mut reader, mut writer) = split(server(stream, &EndpointConfig::new()));
    let writing = tokio::spawn(async move { writer.send(vec![7; 10_000].into()).await.map(|()| writer) });
    tokio::task::yield_now().await; // the writer waits for the transport
    let reading = tokio::spawn(async move { reader.next().await });
    tokio::task::yield_now().await; // and now the reader waits
    let patience = Duration::from_secs(1);
    let mut frame = vec![0; 10_004];
    let read = timeout(patience, peer.read_exact(&mut frame)).await;
    read.map_err(|_| "nothing more is written")?
        .expect("the transport is good");
    let written = timeout(patience, writing).await.map_err(|_| "the writer hangs")?;
    let _writer = written.expect("no panic").expect("it is open");
    peer.write_all(b"\x81\x80\0\0\0\0")
        .await
        .expect("the transport is good");
    let event = timeout(patience, reading).await.map_err(|_| "the reader hangs")?;
    assert_eq!(event.expect("no panic"), Some(Event::Text("".into())));
    Ok(())
}

#[tokio::test]
async fn both_halves_of_a_split_socket_are_woken() {
    let own: Split = |socket| {
        let (reader, writer) = socket.split();
        (Box::pin(reader), Box::pin(writer))
    };
    assert_eq!(both_halves_are_woken(own).await, Ok(()));
}

#[tokio::test]
async fn both_halves_of_a_socket_that_futures_splits_are_woken() {
    let futures: Split = |socket| {
        let (writer, reader) = futures_util::StreamExt::split(socket);
        (Box::pin(reader), Box::pin(writer))
    };
    assert_eq!(both_halves_are_woken(futures).await, Ok(()));
}

/// The reader was polled last and is dropped, as in a `select!`: its task is woken and does not poll the socket. The writer has to be
/// woken by the transport itself.
#[tokio::test]
async fn writer_is_woken_after_a_reader_that_was_polled_last_is_dropped() {
    let (stream, mut peer) = duplex(1000);
    let (mut reader, mut writer) = server(stream, &EndpointConfig::new()).split();
    let writing = tokio::spawn(async move {
        writer.send(vec![7; 10_000]).await?;
        writer.flush().await
    });
    tokio::task::yield_now().await; // the writer waits for the transport
    let mut context = Context::from_waker(Waker::noop());
    assert!(pin!(reader.next()).poll(&mut context).is_pending());
    let read = timeout(Duration::from_secs(1), peer.read_exact(&mut [0; 10_004])).await;
    read.expect("the writer is woken").expect("the transport is good");
    assert_eq!(writing.await.expect("no panic"), Ok(()));
}

/// The writer closes while the transport is full and the reader was polled last. Then the peer reads: the writer has to
/// be woken. The Close is written by then, so that its deadline begins: the reader has to be woken to wait for it.
#[tokio::test(start_paused = true)]
async fn close_of_the_writer_wakes_both_halves() {
    for answers in [true, false] {
        let (stream, mut peer) = duplex(1000);
        let (mut reader, mut writer) = server(stream, &EndpointConfig::new()).split();
        writer.send(vec![7; 10_000]).await.expect("it is open");
        let closing = tokio::spawn(async move {
            let closed = writer.close(CloseCode::GOING_AWAY, "bye").await;
            (closed, writer.close(CloseCode::NORMAL, "again").await)
        });
        tokio::task::yield_now().await; // the writer waits for the transport
        let reading = tokio::spawn(async move {
            let mut events = Vec::new();
            while let Some(event) = reader.next().await {
                events.push(event);
            }
            (events, reader.with_end(End::to_string))
        });
        tokio::task::yield_now().await; // and now the reader waits
        let mut wire = vec![0; 10_004 + 7];
        let read = timeout(Duration::from_secs(1), peer.read_exact(&mut wire)).await;
        read.expect("all is written").expect("the transport is good");
        assert!(wire.ends_with(b"\x88\x05\x03\xe9bye"));
        let closed = timeout(Duration::from_secs(1), closing).await;
        assert_eq!(
            closed.expect("the writer is woken").expect("no panic"),
            (Ok(()), Ok(()))
        );
        let began = Instant::now();
        if answers {
            peer.write_all(b"\x88\x82\0\0\0\0\x03\xe9")
                .await
                .expect("the transport is good");
            drop(peer);
            let (events, end) = reading.await.expect("no panic");
            assert_eq!(events, [Event::Close(Close::new(CloseCode::GOING_AWAY, ""))]);
            assert_eq!(
                end.as_deref(),
                Some("closed locally, clean, sent 1001, received 1001")
            );
        } else {
            let (events, end) = reading.await.expect("no panic");
            assert_eq!(
                (events, began.elapsed().as_secs()),
                (vec![], 10),
                "the closing deadline"
            );
            let end = end.expect("it has ended");
            assert!(
                end.ends_with("received none (closing handshake took longer than the 10s of KeepaliveConfig::close_timeout)"),
                "{end}"
            );
        }
    }
}

/// A Close that is written at once, while the reader waits for the next Ping: its deadline is earlier, so the reader has
/// to be woken, however the writer closes.
#[tokio::test(start_paused = true)]
async fn reader_waits_for_the_deadline_of_a_close_that_is_written_at_once() {
    use futures_util::SinkExt;
    for way in 0..3 {
        let (stream, _peer) = duplex(1000);
        let (mut reader, mut writer) = server(stream, &EndpointConfig::new()).split();
        let began = Instant::now();
        let reading = tokio::spawn(async move {
            let event = reader.next().await;
            (event, began.elapsed().as_secs())
        });
        tokio::task::yield_now().await; // the reader waits
        let closed = match way {
            0 => writer.close(CloseCode::NORMAL, "").await,
            1 => SinkExt::close(&mut writer).await,
            _ => SinkExt::send(&mut writer, Close::new(CloseCode::NORMAL, "").into()).await,
        };
        assert_eq!(closed, Ok(()));
        assert_eq!(reading.await.expect("no panic"), (None, 10), "way {way}");
    }
}

/// `close` reports whether a Close could be written, and an invalid code.
#[tokio::test]
async fn close_of_the_writer_reports_what_became_of_it() {
    let (stream, peer) = duplex(1000);
    let (mut reader, mut writer) = server(stream, &EndpointConfig::new()).split();
    let invalid = writer.close(CloseCode::NO_STATUS, "").await;
    assert!(matches!(invalid, Err(SendError::Misuse(_))), "{invalid:?}");
    drop(peer);
    assert_eq!(reader.next().await, None);
    assert_eq!(writer.close(CloseCode::NORMAL, "").await, Err(SendError::NotOpen));
}

/// A relay of all events to the same socket ends without an error: the peer's Close is answered once.
#[tokio::test]
async fn forwarded_events_are_an_echo() {
    use futures_util::StreamExt;
    let (stream, mut peer) = duplex(1000);
    let (reader, writer) = server(stream, &EndpointConfig::new()).split();
    let echo = tokio::spawn(reader.messages().forward(writer));
    let sent = b"\x81\x82\0\0\0\0hi\x89\x80\0\0\0\0\x82\x81\0\0\0\0\x07\x88\x82\0\0\0\0\x03\xe8";
    peer.write_all(sent).await.expect("the transport is good");
    let mut received = Vec::new();
    peer.read_to_end(&mut received)
        .await
        .expect("the transport is good");
    assert_eq!(received, b"\x81\x02hi\x8a\x00\x82\x01\x07\x88\x02\x03\xe8");
    drop(peer);
    assert_eq!(echo.await.expect("no panic"), Ok(()));
}

/// What converts to a message is moved, not copied; Pings and Pongs do not convert.
#[test]
fn events_convert_to_messages_without_a_copy() {
    let owned = vec![7; 100];
    let place = owned.as_ptr();
    match Message::try_from(Event::Binary(owned.into())).map(Message::into_owned) {
        Ok(Message::Binary(payload)) => assert_eq!(payload.as_slice().as_ptr(), place),
        other => panic!("{other:?}"),
    }
    let lent = "lent".to_owned();
    let message = Message::try_from(Event::Text(lent.as_str().into()));
    match message {
        Ok(Message::Text(text)) => assert!(text.is_borrowed() && text.as_ptr() == lent.as_ptr()),
        other => panic!("{other:?}"),
    }
    let chunks = [
        (
            Event::TextChunk("ü".into(), Fin::More),
            MessageKind::Text,
            Fin::More,
        ),
        (
            Event::BinaryChunk("ü".as_bytes().into(), Fin::Last),
            MessageKind::Binary,
            Fin::Last,
        ),
    ];
    for (event, kind, fin) in chunks {
        match Message::try_from(event).map(Message::into_owned) {
            Ok(Message::Fragment(k, payload, f)) => {
                assert_eq!((k, f, &*payload), (kind, fin, "ü".as_bytes()))
            }
            other => panic!("{other:?}"),
        }
    }
    let close = Close::new(CloseCode(4000), "done");
    assert!(matches!(Message::try_from(Event::Close(close.clone())), Ok(Message::Close(c)) if c == close));
    for event in [Event::Ping(b"1".into()), Event::Pong(b"2".into())] {
        assert_eq!(
            Message::try_from(event.clone()).expect_err("it is control"),
            event
        );
    }
}

/// If the socket is polled with the waker of the task, only the last waker is kept. The tests above have to find this.
#[tokio::test(start_paused = true)]
async fn naive_adapter_loses_a_waker() {
    let naive: Split = |socket| {
        let (writer, reader) = futures_util::StreamExt::split(Naive(socket));
        (Box::pin(reader), Box::pin(writer))
    };
    assert_eq!(both_halves_are_woken(naive).await, Err("the writer hangs"));
}

/// The adapter that is easily written first.
struct Naive(WebSocket<DuplexStream>);

impl Stream for Naive {
    type Item = Event<'static>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some((event, _)) = self.0.next_event() {
                return Poll::Ready(Some(event.into_owned()));
            }
            if ready!(self.0.poll_drive(cx)) == Step::Done {
                return Poll::Ready(None);
            }
        }
    }
}

impl Sink<Message<'static>> for Naive {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.0.poll_output(cx, |endpoint| !endpoint.sender().is_full())
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message<'static>) -> Result<(), SendError> {
        message.send(&mut self.0.endpoint.sender())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.0.poll_output(cx, |_| false)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(cx)
    }
}

/// A task waits until the transport is ready, and does not poll it repeatedly.
#[tokio::test(start_paused = true)]
async fn waiting_is_not_polling() {
    let (stream, _peer) = duplex(1000);
    let mut socket = server(stream, &EndpointConfig::new());
    let mut polls = 0;
    let next = timeout(
        Duration::from_secs(19),
        poll_fn(|cx| {
            polls += 1;
            socket.poll_event(cx)
        }),
    );
    assert!(next.await.is_err(), "nothing came");
    assert_eq!(polls, 2, "at the start, and at the end of the timeout");
}

/// RFC 6455 section 5.5.2: a Ping is sent when it is due, and the connection to a peer that shows no activity is given
/// up.
#[tokio::test(start_paused = true)]
async fn timers_run_while_the_socket_waits() {
    let (stream, mut peer) = duplex(1000);
    let mut socket = server(stream, &EndpointConfig::new());
    let began = Instant::now();
    assert_eq!(socket.next().await, None);
    assert_eq!(
        began.elapsed().as_secs(),
        40,
        "a Ping after 20 s, and 20 s for the Pong"
    );
    assert_eq!(
        socket.into_end().to_string(),
        "peer sent nothing for the 20s of KeepaliveConfig::ping_timeout after a ping, not clean"
    );
    let mut sent = Vec::new();
    peer.read_to_end(&mut sent).await.expect("the transport is good");
    assert_eq!(sent[0], 0x89, "a Ping");
}

/// Each half shows the end once the reader has returned `None`, and the halves together are the socket again.
#[tokio::test(start_paused = true)]
async fn halves_show_the_end_and_can_be_rejoined() {
    let (stream, mut peer) = duplex(1000);
    let (reader, mut writer) = server(stream, &EndpointConfig::new()).split();
    writer.send("Hello").await.expect("it is open");
    assert_eq!(reader.with_end(End::to_string), None);
    assert_eq!(writer.with_end(End::to_string), None);

    // Rejoined while it is open: what waits to be read is still there.
    peer.write_all(b"\x81\x82\0\0\0\0hi")
        .await
        .expect("the transport is good");
    let mut socket = reader.reunite(writer).expect("they are from one socket");
    assert_eq!(socket.next().await, Some(Event::Text("hi".into())));

    let (mut reader, writer) = socket.split();
    peer.write_all(b"\x82\x83").await.expect("the transport is good");
    drop(peer);
    assert_eq!(reader.next().await, None);
    let text = "transport ended, not clean, sent none, received none, peer's last frame incomplete";
    assert_eq!(reader.with_end(End::to_string).as_deref(), Some(text));
    assert_eq!(writer.with_end(End::is_clean), Some(false));
    let end = reader
        .reunite(writer)
        .expect("they are from one socket")
        .into_end();
    assert!(matches!(end.outcome, Outcome::Closed(_)) && end.to_string() == text);
}

/// Halves of two sockets are returned, and still work.
#[tokio::test(start_paused = true)]
async fn halves_of_two_sockets_are_not_rejoined() {
    let ((here, _peer), (there, mut other_peer)) = (duplex(1000), duplex(1000));
    let (reader, writer) = server(here, &EndpointConfig::new()).split();
    let (other_reader, other_writer) = server(there, &EndpointConfig::new()).split();
    let error = reader.reunite(other_writer).expect_err("they are of two sockets");
    assert_eq!(error.to_string(), "the halves are not from the same socket");
    let ReuniteError(reader, mut other_writer) = error;
    assert!(reader.reunite(writer).is_ok());
    other_writer.send("x").await.expect("it is open");
    let mut wire = [0; 3];
    other_peer
        .read_exact(&mut wire)
        .await
        .expect("the transport is good");
    assert_eq!(&wire, b"\x81\x01x");
    assert!(other_reader.reunite(other_writer).is_ok());
}

/// The write timeout also runs while only the writer is polled.
#[tokio::test(start_paused = true)]
async fn writer_alone_gives_up_a_peer_that_does_not_read() {
    let (stream, _peer) = duplex(1000);
    let (_reader, mut writer) = server(stream, &EndpointConfig::new()).split();
    writer.send(vec![7; 10_000]).await.expect("it is open");
    let began = Instant::now();
    assert_eq!(writer.flush().await, Err(SendError::NotOpen));
    assert_eq!(began.elapsed().as_secs(), 10);
    assert_eq!(
        writer.with_end(End::to_string).as_deref(),
        Some("peer did not read for the 10s of EndpointConfig::write_timeout, not clean")
    );
}

/// `send` waits for the peer; `try_send` returns an error instead.
#[tokio::test(start_paused = true)]
async fn full_output_holds_the_sender_up() {
    let (stream, mut peer) = duplex(1000);
    let (_reader, mut writer) = server(stream, &EndpointConfig::new().max_buffered(500)).split();
    writer.send(vec![7; 2000]).await.expect("it is open");
    let full = writer.try_send("more");
    assert_eq!(
        full,
        Err(SendError::Full {
            waiting: 1004,
            limit: 500
        })
    );
    assert!(
        timeout(Duration::from_secs(1), writer.send("more"))
            .await
            .is_err(),
        "there is no space"
    );
    let read = tokio::spawn(async move {
        let mut sent = vec![0; 2011];
        peer.read_exact(&mut sent).await.map(|_| sent)
    });
    writer.send("again").await.expect("it is open");
    writer.flush().await.expect("it is open");
    let sent = tokio::time::timeout(Duration::from_secs(1), read).await;
    let sent = sent
        .expect("all of it is written")
        .expect("no panic")
        .expect("the transport is good");
    assert!(
        sent.ends_with(b"\x07\x81\x05again"),
        "the message that was given up was not sent"
    );
}

fn server<S: AsyncRead + AsyncWrite + Unpin>(stream: S, config: &EndpointConfig) -> WebSocket<S> {
    WebSocket::open(stream, Connection::server(&Config::new()), config)
}

/// What a client sends, as bytes: complete messages, fragments, control frames in between, large and small.
fn conversation() -> Vec<u8> {
    let mut client = Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7)));
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

/// The events and the replies of a connection that is not interrupted.
fn received_at_once(mut wire: Vec<u8>) -> (Vec<Event<'static>>, Vec<u8>) {
    let mut server = Connection::server(&Config::new());
    let (mut input, mut events, mut out) = (&mut wire[..], Vec::new(), Vec::new());
    while let Some(event) = server.receive(&mut input, &mut out).expect("it is valid") {
        events.push(event.into_owned());
    }
    (events, out)
}

impl Reluctant {
    fn new(input: Vec<u8>, size: usize) -> Self {
        Self {
            input,
            output: Vec::new(),
            size,
            is_ready: false,
            vectored: None,
        }
    }

    /// Every other time.
    fn poll_ready(&mut self) -> Poll<io::Result<()>> {
        self.is_ready = !self.is_ready;
        match self.is_ready {
            true => Poll::Pending,
            false => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for Reluctant {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        ready!(stream.poll_ready())?;
        let size = stream.size.min(stream.input.len()).min(buffer.remaining());
        buffer.put_slice(&stream.input[..size]);
        stream.input.drain(..size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Reluctant {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        ready!(stream.poll_ready())?;
        let size = stream.size.min(bytes.len());
        stream.output.extend_from_slice(&bytes[..size]);
        Poll::Ready(Ok(size))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes: Vec<_> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let size = ready!(self.as_mut().poll_write(cx, &bytes))?;
        self.vectored = self.vectored.map(|written| written + size);
        Poll::Ready(Ok(size))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored.is_some()
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_ready()
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_ready()
    }
}
