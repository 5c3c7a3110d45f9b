//! Shared by `epoll` and `stream`, which both measure a server: the server as a separate process, so that only its
//! connections use its memory, and a client on a blocking socket.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use websocket_proto::endpoint::{Endpoint, EndpointConfig, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{CloseCode, Event, OsEntropy};

/// The timeout of one call on a socket; the endpoint has its own deadlines.
const PATIENCE: Duration = Duration::from_secs(1);

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// This program as a server process, with other arguments. It ends with this process.
pub struct Server {
    process: Child,
    /// The address that it listens on.
    pub address: String,
}

impl Server {
    pub fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(args).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line
            .trim_end()
            .strip_prefix("listening on ws://")
            .ok_or("the server did not start")?;
        let address = address.into();
        Ok(Self { process, address })
    }

    /// See [`memory`].
    pub fn memory(&self, field: &str) -> Result<u64> {
        memory(&self.process.id().to_string(), field)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The memory of a process in KiB: the current (`VmRSS`) or the peak (`VmHWM`).
pub fn memory(process: &str, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .ok_or("there is no such field")?;
    Ok(size.trim().trim_end_matches(" kB").parse()?)
}

/// A blocking client.
pub struct Client {
    stream: TcpStream,
    pub endpoint: Endpoint,
    /// The origin of the endpoint's time.
    clock: Instant,
}

impl Client {
    pub fn connect(address: &str, config: &EndpointConfig) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let clock = Instant::now();
        let request = ClientRequest::new(address, "/")?;
        let endpoint = Endpoint::client(config, request, OsEntropy, clock.elapsed());
        let mut client = Self {
            stream,
            endpoint,
            clock,
        };
        if client.drive() == Step::Response {
            client.endpoint.take_response();
        }
        match client.endpoint.is_open() {
            true => Ok(client),
            false => Err(client.endpoint.into_end().to_string().into()),
        }
    }

    /// Writes all buffered output. Events that arrive meanwhile are handled later.
    pub fn flush(&mut self) {
        while let Some(step) = self.endpoint.flush_step(self.clock.elapsed()) {
            if step == Step::Done {
                return; // the next call reports it
            }
            self.endpoint.perform(step, &mut self.stream);
        }
    }

    /// Waits for a message, which has to be this text.
    pub fn hear(&mut self, text: &str) -> Result<()> {
        while self.drive() == Step::Event {
            let mut events = self.endpoint.events();
            while let Some((event, _)) = events.next() {
                match event {
                    Event::Text(heard) if heard == text => return Ok(()),
                    Event::Ping(_) | Event::Pong(_) => {}
                    other => return Err(format!("got {other:?} instead of {text:?}").into()),
                }
            }
        }
        Err(format!("got {:?} instead of {text:?}", self.endpoint.end()).into())
    }

    pub fn send_close(&mut self) -> Result<()> {
        self.endpoint.sender().close(CloseCode::NORMAL, "")?;
        self.flush();
        Ok(())
    }

    /// Waits for the end, ignoring any events before it, and returns how the connection ended. An unclean end is an
    /// error.
    pub fn hear_close(&mut self) -> Result<String> {
        while self.drive() == Step::Event {
            while self.endpoint.next_event().is_some() {}
        }
        match self.endpoint.end() {
            Some(end) if end.is_clean() => Ok(end.to_string()),
            Some(end) => Err(end.to_string().into()),
            None => Err("the response was not accepted".into()),
        }
    }

    /// Performs steps until the caller has to act.
    fn drive(&mut self) -> Step {
        loop {
            match self.endpoint.step(self.clock.elapsed()) {
                step @ (Step::Request | Step::Response | Step::Event | Step::Done) => return step,
                step => self.endpoint.perform(step, &mut self.stream),
            }
        }
    }
}
