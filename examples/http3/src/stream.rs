//! A connection over one stream, for either role. There is no IO in it: quiche keeps what has come and what
//! is to go, as far as its windows allow.

use std::time::{Duration, Instant};

use quiche::Shutdown;
use quiche::h3::{self, WireErrorCode};
use websocket_proto::{Closed, Connection, Event, Misuse, Transport};

use crate::{BUFFER_SIZE, Failure};

/// For the closing handshake, and for the peer to take our last bytes.
const CLOSE_TIME: Duration = Duration::from_secs(10);
/// How much output may wait before we read no more, so that a peer that does not read has to stop sending.
const MAX_OUTPUT: usize = 64 * 1024;

pub struct Stream {
    id: u64,
    pub connection: Connection,
    pub out: Vec<u8>,
    /// How much of `out` quiche has taken.
    written: usize,
    /// When it is given up, once it is closing.
    pub deadline: Option<Instant>,
    /// Whether the peer has ended its direction, and we ours.
    has_ended: bool,
    is_finished: bool,
}

impl Stream {
    pub fn new(id: u64, connection: Connection) -> Self {
        Self {
            id,
            connection,
            out: Vec::new(),
            written: 0,
            deadline: None,
            has_ended: false,
            is_finished: false,
        }
    }

    /// Does what can be done now: writes, reads, and hands what comes to `react`, while the connection is
    /// open. Yields how it ended when that was all.
    pub fn turn(
        &mut self,
        http: &mut h3::Connection,
        quic: &mut quiche::Connection,
        mut react: impl FnMut(&mut Connection, Event<'_>, &mut Vec<u8>) -> Result<(), Misuse>,
    ) -> Result<Option<Closed>, Failure> {
        let mut buffer = [0; BUFFER_SIZE];
        loop {
            self.write(http, quic)?;
            if self.out.len() > MAX_OUTPUT {
                break;
            }
            let size = match http.recv_body(quic, self.id, &mut buffer) {
                Ok(size) => size,
                Err(h3::Error::Done) => break,
                Err(error) => return Err(error.into()),
            };
            let mut input = &mut buffer[..size];
            // An error ends this loop too: the Close that tells the peer is in `out`.
            while let Ok(Some(event)) = self.connection.receive(&mut input, &mut self.out) {
                if self.connection.transport() == Transport::Open {
                    react(&mut self.connection, event, &mut self.out)?;
                }
            }
        }
        if self.connection.transport() != Transport::Open {
            let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + CLOSE_TIME);
            if deadline <= Instant::now() {
                return Err("the peer does not close".into());
            }
        }
        let is_over = self.has_ended && self.is_finished;
        Ok(is_over.then(|| self.connection.receive_eof()))
    }

    /// Writes what may be written, and ends our direction after the last of it.
    fn write(&mut self, http: &mut h3::Connection, quic: &mut quiche::Connection) -> Result<(), Failure> {
        let is_last = self.connection.transport() == Transport::Close;
        while self.written < self.out.len() || (is_last && !self.is_finished) {
            match http.send_body(quic, self.id, &self.out[self.written..], is_last) {
                Ok(size) => self.written += size,
                Err(h3::Error::Done | h3::Error::StreamBlocked) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
            self.is_finished = is_last && self.written == self.out.len();
        }
        self.out.clear();
        self.out.shrink_to(BUFFER_SIZE); // what a large message took is given back
        self.written = 0;
        Ok(())
    }

    /// The peer has ended its direction, orderly or not.
    pub fn end(&mut self) {
        self.has_ended = true;
        self.connection.receive_eof();
    }
}

/// Gives a stream up, in both directions.
pub fn reset(quic: &mut quiche::Connection, id: u64, why: WireErrorCode) {
    for direction in [Shutdown::Read, Shutdown::Write] {
        _ = quic.stream_shutdown(id, direction, why as u64); // it may be over already
    }
}
