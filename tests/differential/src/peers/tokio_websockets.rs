//! tokio-websockets, over an in-memory stream that is polled manually; frames only.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_websockets::proto::ProtocolError;
use tokio_websockets::{ClientBuilder, Error, Limits, Message, ServerBuilder};

use super::{Peer, guard};
use crate::case::{Case, Outcome, Verdict, close_event, event, sent};

pub struct TokioWebsockets;

impl Peer for TokioWebsockets {
    fn name(&self) -> &'static str {
        "tokio-websockets"
    }

    fn takes(&self, case: &Case) -> bool {
        case.is_frames()
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        cases.iter().map(|case| guard(|| frames(case))).collect()
    }
}

/// Yields the bytes of the case, then is pending.
struct Link {
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = &self.input[self.at..];
        let size = rest.len().min(buffer.remaining());
        if size == 0 {
            return Poll::Pending;
        }
        buffer.put_slice(&rest[..size]);
        self.at += size;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.output.extend(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn frames(case: &Case) -> Outcome {
    let link = Link {
        input: case.bytes(),
        at: 0,
        output: Vec::new(),
    };
    let limits = Limits::default().max_payload_len(Some(case.limit));
    let mut socket = if case.is_server() {
        ServerBuilder::new().limits(limits).serve(link)
    } else {
        ClientBuilder::new().limits(limits).take_over(link)
    };
    let mut context = Context::from_waker(Waker::noop());
    let (mut events, mut verdict) = (Vec::new(), Verdict::Open);
    loop {
        match Pin::new(&mut socket).poll_next(&mut context) {
            Poll::Ready(Some(Ok(message))) => {
                let payload = &message.as_payload()[..];
                if message.is_close() {
                    events.push(match payload {
                        [high, low, reason @ ..] => {
                            close_event(Some(u16::from_be_bytes([*high, *low])), reason)
                        }
                        _ => close_event(None, &[]),
                    });
                    verdict = Verdict::Closed;
                    continue;
                }
                let kind = match () {
                    () if message.is_text() => "text",
                    () if message.is_binary() => "binary",
                    () if message.is_ping() => "ping",
                    () => "pong",
                };
                events.push(event(kind, payload));
            }
            Poll::Ready(Some(Err(error))) => {
                verdict = match error {
                    Error::Protocol(ProtocolError::InvalidUtf8) => Verdict::Failed(1007),
                    Error::Protocol(_) => Verdict::Failed(1002),
                    Error::PayloadTooLong { .. } => Verdict::Failed(1009),
                    error => Verdict::Crashed(error.to_string()),
                };
                break;
            }
            Poll::Ready(None) | Poll::Pending => break,
        }
    }
    let _ = <_ as Sink<Message>>::poll_flush(Pin::new(&mut socket), &mut context);
    let sent = sent(&socket.get_ref().output, &verdict);
    Outcome {
        events,
        verdict,
        sent,
    }
}
