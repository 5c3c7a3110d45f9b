//! The load, which is the same for all servers: one thread writes to blocking sockets one after another, then reads from them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use websocket_proto_benches::measure::Cost as Times;
use websocket_proto_benches::scenario::{BROWSER_REQUEST, payload};
use websocket_proto_benches::wire::{Role, Wire};

use super::{Result, Scenario, servers::REFUSED};

/// The nanoseconds per message of one server in one scenario, round by round.
#[derive(Clone, Debug, Default)]
pub struct Cost {
    pub time: Times,
    /// The processor time of all threads of the server, including the kernel's.
    pub cpu: Times,
}

/// A server process, which is killed on drop.
pub struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Starts a server. `None` if the kernel refuses what it needs.
    pub fn start(name: &str) -> Result<Option<Self>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", name])
            .stdin(Stdio::piped()) // the server ends when this is closed
            .stdout(Stdio::piped())
            .spawn()?;
        let mut address = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut address)?;
        let address = address.trim().to_string();
        let mut process = Self { child, address };
        if !process.address.is_empty() {
            return Ok(Some(process));
        }
        match process.child.wait()?.code() {
            Some(REFUSED) => Ok(None),
            _ => Err(format!("{name} does not run here").into()),
        }
    }

    /// The nanoseconds that the threads have run, according to the scheduler's statistics, which are the most precise ones.
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
    /// How many threads the process had before.
    threads: usize,
    streams: Vec<TcpStream>,
    /// The bytes of one write to a connection, the number of messages in them, and the expected response.
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

    /// Runs for `time`, and returns the nanoseconds per message: of elapsed time and of the server's processor time.
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
                return Err("the response is wrong".into());
            }
        }
        Ok(())
    }
}

/// Waits for the threads of the connections to end, because their time would then be missing from the next measurement.
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
    // If a server hangs, the run fails.
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
