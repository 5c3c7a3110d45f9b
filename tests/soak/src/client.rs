//! A well-behaved client: an endpoint on a blocking transport.

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Sender, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{CloseCode, Config, Event, OsEntropy};

/// How long anything may take, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long one direction of the transport blocks before the other one gets its turn.
const SLICE: Duration = Duration::from_millis(5);

pub struct Client {
    stream: TcpStream,
    endpoint: Endpoint,
    clock: Instant,
}

/// The result of running a client for a while.
#[derive(Debug, Eq, PartialEq)]
enum Ran {
    Enough,
    OutOfTime,
    Ended,
}

impl Client {
    /// Connects and completes the opening handshake.
    pub fn open(address: SocketAddr, path: &str, compresses: bool) -> Result<Self, String> {
        let request = ClientRequest::new(&address.to_string(), path).map_err(|error| error.to_string())?;
        let config = match compresses {
            true => Config::new().deflate(DeflateConfig::new()),
            false => Config::new(),
        };
        // Each Pong received is a reply to a Ping.
        let keepalive = KeepaliveConfig::new().ping_interval(Duration::MAX);
        // Large enough for everything that a round sends, even if the server is slow.
        let config = EndpointConfig::new()
            .connection(config)
            .max_buffered(16 << 20)
            .keepalive(keepalive);
        let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut client = Self {
            stream,
            endpoint: Endpoint::client(&config, request, OsEntropy, Duration::ZERO),
            clock: Instant::now(),
        };
        let until = Instant::now() + PATIENCE;
        loop {
            match client.endpoint.step(client.clock.elapsed()) {
                Step::Response => {
                    let status = client.endpoint.take_response().map(|response| response.status());
                    return match status {
                        Some(101) => Ok(client),
                        status => Err(format!("the opening handshake got {status:?}")),
                    };
                }
                Step::Done => return Err(client.into_end().to_string()),
                _ if Instant::now() >= until => {
                    return Err(String::from("no response to the opening handshake"));
                }
                step => client.perform(step, SLICE)?,
            }
        }
    }

    pub fn sender(&mut self) -> Sender<'_> {
        self.endpoint.sender()
    }

    /// Runs until `handle` returns `true`, or until `until`. The end of the connection is an error.
    pub fn run(
        &mut self,
        until: Instant,
        handle: impl FnMut(Event<'_>) -> Result<bool, String>,
    ) -> Result<bool, String> {
        match self.run_to(until, handle)? {
            Ran::Enough => Ok(true),
            Ran::OutOfTime => Ok(false),
            Ran::Ended => Err(format!("ended: {}", self.end())),
        }
    }

    /// Runs to the end.
    pub fn run_to_end(
        mut self,
        mut handle: impl FnMut(Event<'_>) -> Result<(), String>,
    ) -> Result<End, String> {
        let until = Instant::now() + PATIENCE;
        match self.run_to(until, |event| handle(event).map(|()| false))? {
            Ran::Ended => Ok(self.into_end()),
            _ => Err(String::from("the connection did not end")),
        }
    }

    /// Closes, and expects a clean end. Messages may still arrive, sent before the server received the Close.
    pub fn close(mut self, mut handle: impl FnMut(Event<'_>) -> Result<(), String>) -> Result<(), String> {
        let closing = self.sender().close(CloseCode::NORMAL, "");
        closing.map_err(|error| format!("close: {error}"))?;
        let end = self.run_to_end(|event| match event {
            Event::Close(_) => Ok(()),
            event => handle(event),
        })?;
        let code = end.closed().map(|closed| closed.code());
        if !end.is_clean() || end.interruption.is_some() || code != Some(CloseCode::NORMAL) {
            return Err(format!("the end is not clean: {end}"));
        }
        Ok(())
    }

    fn run_to(
        &mut self,
        until: Instant,
        mut handle: impl FnMut(Event<'_>) -> Result<bool, String>,
    ) -> Result<Ran, String> {
        loop {
            match self.endpoint.step(self.clock.elapsed()) {
                Step::Event => {
                    let mut enough = false;
                    while let Some((event, _)) = self.endpoint.next_event() {
                        // The server may send a Ping at any time; the endpoint replies.
                        if !matches!(event, Event::Ping(_)) {
                            enough |= handle(event)?;
                        }
                    }
                    if enough {
                        return Ok(Ran::Enough);
                    }
                }
                Step::Done => return Ok(Ran::Ended),
                step => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(Ran::OutOfTime);
                    }
                    self.perform(step, left)?;
                }
            }
        }
    }

    /// Performs a step, and waits at most `left`.
    fn perform(&mut self, step: Step, left: Duration) -> Result<(), String> {
        let slice = match self.endpoint.output() {
            [] => left,
            _ => left.min(SLICE),
        };
        // A socket would take a timeout of zero as "no timeout".
        let slice = Some(slice.max(Duration::from_millis(1)));
        let timeouts =
            (self.stream.set_read_timeout(slice)).and_then(|()| self.stream.set_write_timeout(slice));
        timeouts.map_err(|error| format!("timeouts: {error}"))?;
        self.endpoint.perform(step, &mut self.stream);
        Ok(())
    }

    fn end(&self) -> String {
        self.endpoint.end().map_or_else(String::new, End::to_string)
    }

    fn into_end(self) -> End {
        self.endpoint.into_end()
    }
}
