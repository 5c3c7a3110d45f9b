//! The load, which is the same for all: blocking sockets in one thread, written to one after the other, then read.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use websocket_proto_benches::measure::Cost as Times;
use websocket_proto_benches::scenario::{BROWSER_REQUEST, payload};
use websocket_proto_benches::wire::{Role, Wire};

use super::{Result, Scenario};

/// Of one server in one scenario: nanoseconds a message, round by round.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    pub time: Times,
    /// Of all the server's threads, in the kernel too.
    pub cpu: Times,
}

/// A server, until it is dropped.
pub struct Process {
    child: Child,
    address: String,
}

impl Process {
    pub fn start(name: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", name])
            .stdin(Stdio::piped()) // it ends when this ends
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut address)?;
        let address = address.trim().to_string();
        Ok(Self { child, address })
    }

    /// The nanoseconds that its threads have run: what the scheduler counts, and finer than its other clocks.
    fn cpu(&self) -> Result<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
            sum += stat.split(' ').next().ok_or("no time")?.parse::<u64>()?;
        }
        Ok(sum)
    }

    fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.child.id())).map_or(0, Iterator::count)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The open connections of a scenario to one server.
pub struct Load<'a> {
    process: &'a Process,
    /// How many the process had before.
    threads: usize,
    streams: Vec<TcpStream>,
    /// What is written to a connection at a time, how many messages that are, and what has to come back.
    request: Vec<u8>,
    messages: usize,
    response: Vec<u8>,
    buffer: Vec<u8>,
}

impl<'a> Load<'a> {
    pub fn new(process: &'a Process, scenario: Scenario) -> Result<Self> {
        let frames = |role| {
            let mut wire = Wire::to(role);
            let payload = payload(scenario.kind, scenario.size);
            for _ in 0..scenario.in_flight {
                wire.message(scenario.kind, &payload, scenario.size);
            }
            wire.bytes().to_vec()
        };
        let response = frames(Role::Client);
        let threads = process.threads();
        let streams: Result<Vec<_>> = (0..scenario.connections)
            .map(|_| open(&process.address))
            .collect();
        Ok(Self {
            process,
            threads,
            streams: streams?,
            request: frames(Role::Server),
            messages: scenario.in_flight,
            buffer: vec![0; response.len()],
            response,
        })
    }

    /// Goes on for a while, and gives the nanoseconds for a message: of the clock, and of the server's processor time.
    pub fn run(&mut self, time: Duration) -> Result<(f64, f64)> {
        let (start, cpu) = (Instant::now(), self.process.cpu()?);
        let mut messages = 0;
        while start.elapsed() < time {
            self.round()?;
            messages += self.messages * self.streams.len();
        }
        let elapsed = start.elapsed().as_nanos() as f64;
        let cpu = (self.process.cpu()? - cpu) as f64;
        Ok((elapsed / messages as f64, cpu / messages as f64))
    }

    fn round(&mut self) -> Result {
        for stream in &mut self.streams {
            stream.write_all(&self.request)?;
        }
        for stream in &mut self.streams {
            stream.read_exact(&mut self.buffer)?;
            if self.buffer != self.response {
                return Err("something else came back".into());
            }
        }
        Ok(())
    }
}

/// Waits for the threads of its connections to end, as what they have run is no longer counted then.
impl Drop for Load<'_> {
    fn drop(&mut self) {
        self.streams.clear();
        let start = Instant::now();
        while self.process.threads() > self.threads && start.elapsed() < Duration::from_secs(1) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The opening handshake, which is not measured.
fn open(address: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    // A server that hangs ends the run.
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(BROWSER_REQUEST.as_bytes())?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    match head.starts_with(b"HTTP/1.1 101 ") {
        true => Ok(stream),
        false => Err("not accepted".into()),
    }
}
