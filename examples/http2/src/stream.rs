//! An endpoint over the two directions of one stream, for either role.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use tokio::time::{Instant, sleep};
use websocket_proto::endpoint::{Endpoint, EndpointConfig, Sender, Step};
use websocket_proto::{Connection, Event};

/// How much output may be buffered before reading stops, so that a peer that does not read has to stop sending.
const MAX_OUTPUT: usize = 64 * 1024;
/// The timer of an endpoint that has no deadline.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

/// The two directions of a stream. If they are dropped before both have ended, the stream is reset with CANCEL.
pub struct Stream {
    pub send: SendStream<Bytes>,
    pub receive: RecvStream,
}

/// The endpoint of a stream on which the request was accepted, and the origin of its time.
pub fn open(connection: Connection) -> (Endpoint, Instant) {
    let config = EndpointConfig::new().max_buffered(MAX_OUTPUT);
    let clock = Instant::now();
    (
        Endpoint::from_connection(&config, connection, &[], clock.elapsed()),
        clock,
    )
}

/// Receives and sends until the endpoint is done. `react` handles each event.
pub async fn carry(
    endpoint: &mut Endpoint,
    clock: Instant,
    mut stream: Stream,
    mut react: impl FnMut(Event<'_>, Sender<'_>),
) {
    let mut timer = pin!(sleep(Duration::ZERO));
    poll_fn(|context| {
        endpoint.ready();
        loop {
            match endpoint.step(clock.elapsed()) {
                Step::Event => {
                    let mut events = endpoint.events();
                    while let Some((event, sender)) = events.next() {
                        react(event, sender);
                    }
                }
                Step::Wait(_) => {
                    let deadline = endpoint.deadline().unwrap_or(FOREVER);
                    timer.as_mut().reset(clock + deadline);
                    ready!(timer.as_mut().poll(context));
                    endpoint.ready();
                }
                Step::Done => return Poll::Ready(()),
                step => perform(endpoint, step, &mut stream, context),
            }
        }
    })
    .await;
}

/// Performs one step on the stream, and reports the result.
fn perform(endpoint: &mut Endpoint, step: Step, stream: &mut Stream, context: &mut Context<'_>) {
    match step {
        Step::Read => match stream.receive.poll_data(context) {
            Poll::Ready(Some(Ok(data))) if data.is_empty() => {} // an empty DATA frame is not the end
            Poll::Ready(Some(Ok(data))) => {
                endpoint.receive(&data);
                if let Err(error) = stream.receive.flow_control().release_capacity(data.len()) {
                    endpoint.read_failed(error);
                }
            }
            Poll::Ready(Some(Err(error))) => endpoint.read_failed(error),
            Poll::Ready(None) => endpoint.received(0),
            Poll::Pending => endpoint.read_blocked(),
        },
        Step::Write => match poll_send(&mut stream.send, endpoint.output(), context) {
            Poll::Ready(Ok(size)) => endpoint.written(size),
            Poll::Ready(Err(error)) => endpoint.write_failed(error),
            Poll::Pending => endpoint.write_blocked(),
        },
        Step::Flush => endpoint.flushed(), // the HTTP/2 connection has its own task, which writes
        Step::Shutdown => match stream.send.send_data(Bytes::new(), true) {
            Ok(()) => endpoint.shut_down(), // by END_STREAM
            Err(error) => endpoint.write_failed(error),
        },
        Step::Request | Step::Response | Step::Event | Step::Wait(_) | Step::Done => {}
    }
}

/// Sends as many bytes as the windows of the stream and of the HTTP/2 connection allow.
fn poll_send(
    send: &mut SendStream<Bytes>,
    bytes: &[u8],
    context: &mut Context<'_>,
) -> Poll<Result<usize, h2::Error>> {
    send.reserve_capacity(bytes.len());
    while send.capacity() == 0 {
        match ready!(send.poll_capacity(context)) {
            Some(capacity) => _ = capacity?,
            None => return Poll::Ready(Err(Reason::STREAM_CLOSED.into())),
        }
    }
    let size = send.capacity().min(bytes.len());
    send.send_data(Bytes::copy_from_slice(&bytes[..size]), false)?;
    Poll::Ready(Ok(size))
}
