//! A connection over the two directions of one stream, for either role.

use std::future::poll_fn;
use std::mem;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout};
use websocket_proto::{CloseCode, Connection, Event, Misuse, Transport};

use crate::{Failure, HANDSHAKE_TIME};

/// For the peer to neither send nor take anything.
const IDLE_TIME: Duration = Duration::from_secs(10 * 60);
/// For the peer to end its direction.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much output may wait before we read no more, so that a peer that does not read has to stop sending.
const MAX_OUTPUT: usize = 64 * 1024;

/// Receives and sends until the connection is over: `out` first, and then whatever `react` makes of what
/// comes. It is called while the connection is open.
///
/// After an error both directions are to be dropped, which resets the stream with CANCEL.
pub async fn carry(
    connection: &mut Connection,
    send: &mut SendStream<Bytes>,
    receive: &mut RecvStream,
    mut out: Vec<u8>,
    mut react: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), Misuse>,
) -> Result<(), Failure> {
    let mut due = Bytes::new(); // the next to be sent; `out` is gathered in the meantime
    let mut deadline = Instant::now();
    loop {
        if due.is_empty() {
            due = mem::take(&mut out).into();
        }
        let transport = connection.transport();
        match transport {
            Transport::Open => deadline = Instant::now() + IDLE_TIME,
            Transport::AwaitPeer => {} // a byte now and then does not prolong it
            Transport::Close if due.is_empty() => break,
            Transport::Close => {}
        }
        let reads = transport != Transport::Close && out.len() < MAX_OUTPUT;
        select! {
            data = receive.data(), if reads => match data {
                Some(data) => {
                    let mut data = BytesMut::from(data?);
                    let mut input = &mut data[..];
                    // An error ends this loop too: the Close that tells the peer is in `out`.
                    while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
                        if connection.transport() == Transport::Open {
                            react(connection, event, &mut out)?;
                        }
                    }
                    receive.flow_control().release_capacity(data.len())?;
                }
                None => _ = connection.receive_eof(),
            },
            size = writable(send, due.len()), if !due.is_empty() => {
                send.send_data(due.split_to(size?), false)?;
            }
            () = sleep_until(deadline) => {
                if transport != Transport::Open {
                    return Err("the peer does not close".into());
                }
                connection.close(CloseCode::GOING_AWAY, "idle", &mut out)?;
                deadline = Instant::now() + HANDSHAKE_TIME;
            }
        }
    }
    send.send_data(Bytes::new(), true)?; // END_STREAM
    _ = timeout(LINGER_TIME, drain(receive)).await;
    Ok(())
}

/// Drops what still comes until the peer has ended its direction: a stream that is given up before is reset,
/// which may overtake what was sent last.
async fn drain(receive: &mut RecvStream) -> Result<(), h2::Error> {
    while let Some(data) = receive.data().await {
        receive.flow_control().release_capacity(data?.len())?;
    }
    Ok(())
}

/// Waits until some of so many bytes may be sent, by the windows of the stream and of the HTTP/2 connection.
async fn writable(send: &mut SendStream<Bytes>, size: usize) -> Result<usize, h2::Error> {
    send.reserve_capacity(size);
    while send.capacity() == 0 {
        match poll_fn(|context| send.poll_capacity(context)).await {
            Some(capacity) => _ = capacity?,
            None => return Err(Reason::STREAM_CLOSED.into()),
        }
    }
    Ok(send.capacity().min(size))
}
