//! Sends one message, piece by piece, and compares the server's answer.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use crc32fast::Hasher;
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::handshake::{Answer, ClientRequest};
use websocket_proto::{CloseCode, Closed, Config, Connection, Event, Fin, MessageKind, OsEntropy};

use crate::BUFFER_SIZE;

const PATIENCE: Duration = Duration::from_secs(10);
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
    connection: Connection,
    buffer: Vec<u8>,
}

impl Upload {
    fn connect(address: &str, config: &Config) -> Result<Self, Box<dyn Error>> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut buffer = vec![0; BUFFER_SIZE];
        let mut out = Vec::new();
        let mut handshake = ClientRequest::new(address, "/")?.start(config, OsEntropy, &mut out);
        stream.write_all(&out)?;
        loop {
            let size = stream.read(&mut buffer)?;
            if size == 0 {
                return Err(handshake.receive_eof().into());
            }
            // The server says nothing on its own, so nothing follows the answer.
            match handshake.receive(&mut &mut buffer[..size], &mut out)? {
                Some(Answer::Accepted { connection, .. }) => {
                    return Ok(Self {
                        stream,
                        connection,
                        buffer,
                    });
                }
                Some(Answer::Rejected(response)) => {
                    return Err(format!("status {}", response.status()).into());
                }
                None => {}
            }
        }
    }

    /// One message, and the server's answer to it. Yields how many bytes it took on the wire.
    fn send(&mut self, pieces: usize) -> Result<usize, Box<dyn Error>> {
        let (mut piece, mut out) = (text(), Vec::new());
        let (mut checksum, mut sent) = (Hasher::new(), 0);
        for number in 1..=pieces {
            piece[..NUMBER_SIZE].copy_from_slice(format!("{number:NUMBER_SIZE$}").as_bytes());
            checksum.update(&piece);
            let fin = if number == pieces { Fin::Last } else { Fin::More };
            self.connection
                .send_fragment(MessageKind::Text, &piece, fin, &mut out)?;
            if let Err(error) = self.stream.write_all(&out) {
                return Err(format!("{error}; {}", self.end()).into()); // the server may have said why
            }
            sent += out.len();
            out.clear();
        }
        let expected = crate::answer((pieces * BUFFER_SIZE) as u64, checksum);
        match self.next() {
            Some(Event::Text(answer)) if answer == expected => Ok(sent),
            Some(other) => Err(format!("{other:?} in place of {expected:?}").into()),
            None => Err(self.end().to_string().into()),
        }
    }

    fn close(mut self) -> Result<Closed, Box<dyn Error>> {
        let mut out = Vec::new();
        self.connection.close(CloseCode::NORMAL, "", &mut out)?;
        self.stream.write_all(&out)?;
        match self.end() {
            end if end.is_clean() => Ok(end),
            end => Err(end.to_string().into()),
        }
    }

    /// The end of the connection, whatever comes before it.
    fn end(&mut self) -> Closed {
        while self.next().is_some() {}
        self.connection.receive_eof()
    }

    /// The next event, `None` at the end. The server says one thing at a time, so nothing is left in the buffer.
    fn next(&mut self) -> Option<Event<'static>> {
        loop {
            let size = self.stream.read(&mut self.buffer).ok().filter(|&size| size > 0)?;
            let mut input = &mut self.buffer[..size];
            if let Some(event) = self.connection.receive(&mut input, &mut Vec::new()).ok()? {
                return Some(event.into_owned());
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
