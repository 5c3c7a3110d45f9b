//! Many clients of the server, which is a process of its own: its memory is then that of the connections alone.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::mem::size_of;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use websocket_proto::endpoint::{Endpoint, EndpointConfig, Interest, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{CloseCode, Event, OsEntropy};

/// Connections to one address of the server: a system has some 28,000 ports for them.
const PER_ADDRESS: usize = 20_000;
const ROUNDS: usize = 3;
/// In bytes of the server's memory, for each connection.
const MOST_EACH: u64 = 512;
const PATIENCE: Duration = Duration::from_secs(20);

struct Client {
    stream: TcpStream,
    endpoint: Endpoint,
    /// The origin of the endpoint's time.
    clock: Instant,
}

/// The server; ends with us.
struct Server {
    process: Child,
    port: u16,
}

pub fn run(count: usize) -> Result<(), Box<dyn Error>> {
    let server = Server::start(match count {
        ..=PER_ADDRESS => "127.0.0.1:0",
        _ => "0.0.0.0:0",
    })?;
    let before = server.memory()?;

    let started = Instant::now();
    let mut clients = (0..count)
        .map(|number| Client::connect(number, server.port))
        .collect::<Result<Vec<_>, _>>()?;
    println!(
        "{count} connections opened in {:.1} s",
        started.elapsed().as_secs_f64()
    );

    let started = Instant::now();
    for round in 0..ROUNDS {
        // All have a message on its way before the first echo is looked at.
        for (number, client) in clients.iter_mut().enumerate() {
            client.say(&words(number, round))?;
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.hear(&words(number, round))?;
        }
    }
    let echoes = ROUNDS * count;
    println!(
        "{echoes} echoes, {:.0} a second",
        echoes as f64 / started.elapsed().as_secs_f64()
    );

    let taken = server.memory()?.saturating_sub(before);
    let each = taken * 1024 / count.max(1) as u64;
    println!(
        "memory of the server: {before} KiB and {taken} KiB for the connections, {each} bytes each, {} of them in `Client`",
        size_of::<crate::Client>(),
    );
    for client in &mut clients {
        client.send_close()?;
    }
    for client in &mut clients {
        client.hear_close()?;
    }
    println!("{count} connections closed, all clean");
    match each {
        ..=MOST_EACH => Ok(()),
        _ => Err(format!("{MOST_EACH} bytes each are enough").into()),
    }
}

/// What a client says in a round: 125 bytes, as no other does.
fn words(number: usize, round: usize) -> String {
    format!("{:125}", format!("client {number}, round {round}"))
}

impl Client {
    fn connect(number: usize, port: u16) -> Result<Self, Box<dyn Error>> {
        let address = format!("127.0.0.{}:{port}", 1 + number / PER_ADDRESS);
        let stream = TcpStream::connect(&address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let clock = Instant::now();
        let request = ClientRequest::new(&address, "/")?;
        let endpoint = Endpoint::client(&EndpointConfig::new(), request, OsEntropy, clock.elapsed());
        let mut client = Self {
            stream,
            endpoint,
            clock,
        };
        if client.drive() == Step::Response {
            client.endpoint.take_response();
        }
        match client.endpoint.sender().is_open() {
            true => Ok(client),
            false => Err(client.endpoint.into_end().to_string().into()),
        }
    }

    fn say(&mut self, words: &str) -> Result<(), Box<dyn Error>> {
        self.endpoint.sender().send_text(words)?;
        self.flush();
        Ok(())
    }

    fn hear(&mut self, words: &str) -> Result<(), Box<dyn Error>> {
        while self.drive() == Step::Event {
            while let Some((event, _)) = self.endpoint.next_event() {
                match event {
                    Event::Text(text) if text == words => return Ok(()),
                    Event::Ping(_) => {}
                    other => return Err(format!("{other:?} in place of {words:?}").into()),
                }
            }
        }
        Err(format!("{:?} in place of {words:?}", self.endpoint.end()).into())
    }

    fn send_close(&mut self) -> Result<(), Box<dyn Error>> {
        self.endpoint.sender().close(CloseCode::NORMAL, "")?;
        self.flush();
        Ok(())
    }

    /// The server's Close, and then the end of its direction.
    fn hear_close(&mut self) -> Result<(), Box<dyn Error>> {
        while self.drive() == Step::Event {
            while self.endpoint.next_event().is_some() {}
        }
        match self.endpoint.end() {
            Some(end) if end.is_clean() => Ok(()),
            end => Err(format!("{end:?}").into()),
        }
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

impl Server {
    fn start(address: &str) -> Result<Self, Box<dyn Error>> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command
            .arg(address)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let (_, port) = line
            .trim_end()
            .rsplit_once(':')
            .ok_or("the server did not start")?;
        let port = port.parse()?;
        Ok(Self { process, port })
    }

    /// What the server holds, in KiB.
    fn memory(&self) -> Result<u64, Box<dyn Error>> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        Ok(resident.trim().trim_end_matches(" kB").parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
