//! The client under test in the Autobahn test suite: asks the fuzzing server for its cases, and echoes what comes in each of them.
//!
//!     wstest -m fuzzingserver
//!     cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 websocket-proto
//!
//! The server judges, and writes the reports.

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::Range;
use std::time::Duration;

#[cfg(feature = "deflate")]
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::handshake::{Answer, ClientRequest};
use websocket_proto::{Closed, Config, Connection, Event, Misuse, OsEntropy, Transport};

/// For the server to go on in a handshake.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// For the server to read our last bytes and to close.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// The largest messages of the suite have 16 MiB.
#[cfg(not(feature = "deflate"))]
const CONFIG: Config = Config::new().max_message_size(32 * 1024 * 1024);
/// The suite's cases ask for windows of all sizes, so the offer leaves them to it.
#[cfg(feature = "deflate")]
const CONFIG: Config = Config::new().max_message_size(32 * 1024 * 1024).deflate(
    DeflateConfig::new()
        .client_max_window_bits(15)
        .server_max_window_bits(15),
);

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(url), Some(agent)) = (args.next(), args.next()) else {
        return Err("usage: autobahn_client URL AGENT".into());
    };
    let url = url.trim_end_matches('/');
    let mut count = String::new();
    run(&format!("{url}/getCaseCount"), |event, _, _| {
        if let Event::Text(text) = event {
            count = text.into_owned();
        }
        Ok(())
    })?;
    let count: u32 = count.parse()?;
    let mut clean = 0;
    for case in 1..=count {
        let end = run(&format!("{url}/runCase?case={case}&agent={agent}"), echo)?;
        clean += u32::from(end.is_clean());
    }
    run(&format!("{url}/updateReports?agent={agent}"), |_, _, _| Ok(()))?;
    println!("{agent}: ran {count} cases, {clean} of them ended clean");
    Ok(())
}

fn echo(event: Event<'_>, connection: &mut Connection, out: &mut Vec<u8>) -> Result<(), Misuse> {
    match event {
        Event::Text(text) => connection.send_text(&text, out),
        Event::Binary(payload) => connection.send_binary(&payload, out),
        _ => Ok(()),
    }
}

/// One connection, from the handshake to the end of the transport. What the cases do to it is no error here, but a handshake that
/// fails is.
fn run(
    url: &str,
    mut handle: impl FnMut(Event<'_>, &mut Connection, &mut Vec<u8>) -> Result<(), Misuse>,
) -> Result<Closed, Box<dyn Error>> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut stream, mut connection, frames) = open(url, &mut buffer)?;
    let mut out = Vec::new();
    let mut input = &mut buffer[frames];
    loop {
        // An error ends this loop too: the Close that tells the peer is in `out`, and `receive_eof` tells us.
        while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
            handle(event, &mut connection, &mut out)?;
        }
        let written = stream.write_all(&out);
        out.clear();
        match connection.transport() {
            Transport::Open => {}
            Transport::AwaitPeer => stream.set_read_timeout(Some(HANDSHAKE_TIME))?,
            Transport::Close => {
                _ = stream.shutdown(Shutdown::Write);
                stream.set_read_timeout(Some(LINGER_TIME))?;
            }
        }
        match written.and_then(|()| stream.read(&mut buffer)) {
            Ok(size @ 1..) => input = &mut buffer[..size],
            Ok(0) | Err(_) => return Ok(connection.receive_eof()),
        }
    }
}

/// Connects and performs the opening handshake. Yields also where in the buffer the bytes are that followed the response: frames.
fn open(url: &str, buffer: &mut [u8]) -> Result<(TcpStream, Connection, Range<usize>), Box<dyn Error>> {
    let request = ClientRequest::from_url(url)?;
    let mut stream = TcpStream::connect((request.host(), request.port()))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(HANDSHAKE_TIME))?;
    let mut out = Vec::new();
    let mut handshake = request.start(&CONFIG, OsEntropy, &mut out);
    stream.write_all(&out)?;
    loop {
        let size = stream.read(buffer)?;
        if size == 0 {
            return Err(handshake.receive_eof().into());
        }
        let mut input = &mut buffer[..size];
        match handshake.receive(&mut input, &mut out)? {
            None => {}
            Some(Answer::Accepted { connection, .. }) => {
                let frames = size - input.len()..size;
                stream.set_read_timeout(None)?;
                return Ok((stream, connection, frames));
            }
            Some(Answer::Rejected(response)) => {
                return Err(format!("{url}: refused with status {}", response.status()).into());
            }
        }
    }
}
