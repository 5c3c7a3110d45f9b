//! An endpoint over one stream, for either role. Nothing here blocks: quiche buffers received data and data to send,
//! within its windows.

use std::time::Instant;

use quiche::Shutdown;
use quiche::h3::{self, WireErrorCode};
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Sender, Step};
use websocket_proto::{Connection, Event};

/// How much output may be buffered before reading stops, so that a peer that does not read has to stop sending.
const MAX_OUTPUT: usize = 64 * 1024;

pub struct Stream {
    id: u64,
    pub endpoint: Endpoint,
    /// The origin of the endpoint's time.
    clock: Instant,
    /// Whether the peer has ended its direction and all of it is read.
    has_ended: bool,
}

impl Stream {
    /// The stream on which the request was accepted.
    pub fn new(id: u64, connection: Connection) -> Self {
        let config = EndpointConfig::new().max_buffered(MAX_OUTPUT);
        let clock = Instant::now();
        let endpoint = Endpoint::from_connection(&config, connection, &[], clock.elapsed());
        Self {
            id,
            endpoint,
            clock,
            has_ended: false,
        }
    }

    /// Runs the endpoint until it has to wait. `react` handles each event. Returns whether the endpoint is done.
    pub fn turn(
        &mut self,
        http: &mut h3::Connection,
        quic: &mut quiche::Connection,
        mut react: impl FnMut(Event<'_>, Sender<'_>),
    ) -> bool {
        self.endpoint.ready();
        loop {
            match self.endpoint.step(self.clock.elapsed()) {
                Step::Event => {
                    let mut events = self.endpoint.events();
                    while let Some((event, sender)) = events.next() {
                        react(event, sender);
                    }
                }
                Step::Wait(_) => return false,
                Step::Done => return true,
                step => self.perform(step, http, quic),
            }
        }
    }

    /// Performs one step on the stream, and reports the result.
    fn perform(&mut self, step: Step, http: &mut h3::Connection, quic: &mut quiche::Connection) {
        let endpoint = &mut self.endpoint;
        match step {
            Step::Read => match http.recv_body(quic, self.id, endpoint.read_space()) {
                Ok(size) => endpoint.received(size),
                Err(h3::Error::Done) if self.has_ended => endpoint.received(0),
                Err(h3::Error::Done) => endpoint.read_blocked(),
                Err(error) => endpoint.read_failed(error),
            },
            Step::Write => match http.send_body(quic, self.id, endpoint.output(), false) {
                Ok(size) => endpoint.written(size),
                Err(h3::Error::Done | h3::Error::StreamBlocked) => endpoint.write_blocked(),
                Err(error) => endpoint.write_failed(error),
            },
            Step::Flush => endpoint.flushed(), // packets are sent after each turn
            Step::Shutdown => match http.send_body(quic, self.id, &[], true) {
                Ok(_) => endpoint.shut_down(), // by FIN
                Err(h3::Error::Done | h3::Error::StreamBlocked) => endpoint.write_blocked(),
                Err(error) => endpoint.write_failed(error),
            },
            Step::Request | Step::Response | Step::Event | Step::Wait(_) | Step::Done => {}
        }
    }

    /// Handles what quiche reports about the end of the peer's direction.
    pub fn take(&mut self, event: &h3::Event) {
        match event {
            h3::Event::Finished => self.has_ended = true,
            h3::Event::Reset(code) => self.endpoint.read_failed(format!("reset with {code:#x}")),
            h3::Event::Headers { .. } | h3::Event::Data | h3::Event::PriorityUpdate | h3::Event::GoAway => {}
        }
    }

    /// The time by which [`turn`](Self::turn) has to be called again.
    pub fn deadline(&self) -> Option<Instant> {
        self.endpoint.deadline().map(|deadline| self.clock + deadline)
    }

    /// Drops the stream. If the endpoint was interrupted, the peer receives a reset instead of the end.
    pub fn into_end(self, quic: &mut quiche::Connection) -> End {
        let end = self.endpoint.into_end();
        if end.interruption.is_some() {
            reset(quic, self.id, WireErrorCode::RequestCancelled);
        }
        end
    }
}

/// Resets a stream, in both directions.
pub fn reset(quic: &mut quiche::Connection, id: u64, why: WireErrorCode) {
    for direction in [Shutdown::Read, Shutdown::Write] {
        _ = quic.stream_shutdown(id, direction, why as u64); // it may have ended already
    }
}
