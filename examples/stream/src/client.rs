//! Sends one message, piece by piece, and compares the server's answer.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use crc32fast::Hasher;
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Interest, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{CloseCode, Config, Event, Fin, MessageKind, OsEntropy};

use crate::BUFFER_SIZE;

/// For one call of the socket; the deadlines are those of the endpoint.
const PATIENCE: Duration = Duration::from_secs(1);
/// In KiB, for either end.
const MOST_MEMORY: u64 = 8 * 1024;
/// In front of each piece, so that no two are alike.
const NUMBER_SIZE: usize = 20;
const PIECES_IN_MEBIBYTE: usize = (1 << 20) / BUFFER_SIZE;

pub fn run(mebibytes: usize, deflate: bool) -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let config = match deflate {
        true => Config::new().deflate(DeflateConfig::new()),
        false => Config::new(),
    };
    // Nothing is read while the message is sent, so no Pong would be seen.
    let keepalive = KeepaliveConfig::new().ping_interval(Duration::MAX);
    let config = EndpointConfig::new().connection(config).keepalive(keepalive);
    let mut upload = Upload::connect(&server.address, &config)?;
    let began = Instant::now();
    let sent = upload.send(mebibytes * PIECES_IN_MEBIBYTE)?;
    let seconds = began.elapsed().as_secs_f64();
    let end = upload.close()?;
    println!(
        "{mebibytes} MiB in one message: {sent} bytes on the wire, {:.0} MiB/s, {end}",
        mebibytes as f64 / seconds
    );
    let (ours, theirs) = (
        peak_memory("self")?,
        peak_memory(&server.process.id().to_string())?,
    );
    println!("peak memory: client {ours} KiB, server {theirs} KiB");
    match ours.max(theirs) {
        ..=MOST_MEMORY => Ok(()),
        _ => Err(format!("{MOST_MEMORY} KiB are enough").into()),
    }
}

/// The client's end.
struct Upload {
    stream: TcpStream,
    endpoint: Endpoint,
    /// The origin of the endpoint's time.
    clock: Instant,
}

impl Upload {
    fn connect(address: &str, config: &EndpointConfig) -> Result<Self, Box<dyn Error>> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let clock = Instant::now();
        let request = ClientRequest::new(address, "/")?;
        let endpoint = Endpoint::client(config, request, OsEntropy, clock.elapsed());
        let mut upload = Self {
            stream,
            endpoint,
            clock,
        };
        if upload.drive() == Step::Response {
            upload.endpoint.take_response();
        }
        match upload.endpoint.sender().is_open() {
            true => Ok(upload),
            false => Err(upload.endpoint.into_end().to_string().into()),
        }
    }

    /// One message, and the server's answer to it. Yields how many bytes it took on the wire.
    fn send(&mut self, pieces: usize) -> Result<usize, Box<dyn Error>> {
        let mut piece = text();
        let (mut checksum, mut sent) = (Hasher::new(), 0);
        for number in 1..=pieces {
            piece[..NUMBER_SIZE].copy_from_slice(format!("{number:NUMBER_SIZE$}").as_bytes());
            checksum.update(&piece);
            let fin = if number == pieces { Fin::Last } else { Fin::More };
            let mut sender = self.endpoint.sender();
            if let Err(error) = sender.send_fragment(MessageKind::Text, &piece, fin) {
                return Err(format!("{error}; {}", self.end()?).into()); // the server may have said why
            }
            sent += sender.buffered_amount();
            self.flush();
        }
        let expected = crate::answer((pieces * BUFFER_SIZE) as u64, checksum);
        while self.drive() == Step::Event {
            while let Some((event, _)) = self.endpoint.next_event() {
                match event {
                    Event::Text(answer) if answer == expected => return Ok(sent),
                    Event::Ping(_) | Event::Pong(_) => {}
                    other => return Err(format!("{other:?} in place of {expected:?}").into()),
                }
            }
        }
        Err(self.end()?.to_string().into())
    }

    fn close(mut self) -> Result<String, Box<dyn Error>> {
        self.endpoint.sender().close(CloseCode::NORMAL, "")?;
        match self.end()? {
            end if end.is_clean() => Ok(end.to_string()),
            end => Err(end.to_string().into()),
        }
    }

    /// The end of the connection, whatever comes before it.
    fn end(&mut self) -> Result<&End, Box<dyn Error>> {
        while self.drive() == Step::Event {
            while self.endpoint.next_event().is_some() {}
        }
        self.endpoint.end().ok_or("the response was not taken".into())
    }

    /// Performs steps until there is one for the caller.
    fn drive(&mut self) -> Step {
        loop {
            match self.endpoint.step(self.clock.elapsed()) {
                step @ (Step::Request | Step::Response | Step::Event | Step::Done) => return step,
                step => self.endpoint.perform(step, &mut self.stream),
            }
        }
    }

    /// Writes what waits. Events that come before are not what the caller waits for.
    fn flush(&mut self) {
        loop {
            match self.endpoint.step(self.clock.elapsed()) {
                Step::Event => while self.endpoint.next_event().is_some() {},
                step @ (Step::Write | Step::Flush | Step::Wait(Interest::Writable | Interest::Both)) => {
                    self.endpoint.perform(step, &mut self.stream);
                }
                _ => return,
            }
        }
    }
}

/// One piece of the message: lines, with room for a number in front, and with letters of more than one byte.
fn text() -> Vec<u8> {
    let mut text = vec![b' '; NUMBER_SIZE];
    for line in 0.. {
        let line = format!(": line {line}, größer als {}\n", line / 2);
        if text.len() + line.len() > BUFFER_SIZE {
            break;
        }
        text.extend_from_slice(line.as_bytes());
    }
    text.resize(BUFFER_SIZE, b' ');
    text
}

/// The server, as a process of its own; ends with us.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(env::current_exe()?);
        command.args(["--serve", "127.0.0.1:0"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let address = line
            .trim_end()
            .strip_prefix("listening on ws://")
            .ok_or("the server did not start")?;
        Ok(Self {
            process,
            address: address.into(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// The most that a process held at any time, in KiB.
fn peak_memory(process: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("no VmHWM")?;
    Ok(peak.trim().trim_end_matches(" kB").parse()?)
}
