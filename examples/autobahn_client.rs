//! The client under test in the Autobahn test suite: asks the fuzzing server for its cases, and echoes what comes in each of them.
//!
//!     wstest -m fuzzingserver
//!     cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 websocket-proto
//!
//! The server judges, and writes the reports.

use std::error::Error;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{env, io};

#[cfg(feature = "deflate")]
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Outcome, Sender, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{Config, Event, OsEntropy};

/// The largest messages of the suite have 16 MiB.
#[cfg(not(feature = "deflate"))]
const CONFIG: Config = Config::new().max_message_size(32 * 1024 * 1024);
/// The suite's cases ask for windows of all sizes, so the offer leaves them to it, and all of what it grants is used.
#[cfg(feature = "deflate")]
const CONFIG: Config = Config::new()
    .max_message_size(32 * 1024 * 1024)
    .deflate(DeflateConfig::new().send_window_bits(15));

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (Some(url), Some(agent)) = (args.next(), args.next()) else {
        return Err("usage: autobahn_client URL AGENT".into());
    };
    let url = url.trim_end_matches('/');
    let mut count = String::new();
    run(&format!("{url}/getCaseCount"), |event, _| {
        if let Event::Text(text) = event {
            count = text.into_owned();
        }
    })?;
    let count: u32 = count.parse()?;
    let mut clean = 0;
    for case in 1..=count {
        let end = run(&format!("{url}/runCase?case={case}&agent={agent}"), echo)?;
        clean += u32::from(end.is_clean());
    }
    run(&format!("{url}/updateReports?agent={agent}"), |_, _| {})?;
    println!("{agent}: ran {count} cases, {clean} of them ended clean");
    Ok(())
}

fn echo(event: Event<'_>, mut sender: Sender<'_>) {
    // The server may be closing, and then it is owed nothing more.
    _ = match event {
        Event::Text(text) => sender.send_text(&text),
        Event::Binary(payload) => sender.send_binary(&payload),
        _ => Ok(()),
    };
}

/// One connection, from the handshake to the end of the transport. What the cases do to it is not an error here, but a handshake that
/// fails is.
fn run(url: &str, mut handle: impl FnMut(Event<'_>, Sender<'_>)) -> Result<End, Box<dyn Error>> {
    let request = ClientRequest::from_url(url)?;
    let mut stream = TcpStream::connect((request.host(), request.port()))?;
    stream.set_nodelay(true)?;
    let config = EndpointConfig::new().connection(CONFIG);
    let clock = Instant::now();
    let mut endpoint = Endpoint::client(&config, request, OsEntropy, clock.elapsed());
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Response => _ = endpoint.take_response(),
            Step::Event => {
                while let Some((event, sender)) = endpoint.next_event() {
                    handle(event, sender);
                }
            }
            Step::Done => break,
            step => {
                wait_until(endpoint.deadline(), clock, &stream)?;
                endpoint.perform(step, &mut stream);
            }
        }
    }
    let end = endpoint.into_end();
    match end.outcome {
        Outcome::Closed(_) => Ok(end),
        _ => Err(format!("{url}: {end}").into()),
    }
}

/// Has the next call of the stream return at the deadline. A timeout of zero would mean none to a socket.
fn wait_until(deadline: Option<Duration>, clock: Instant, stream: &TcpStream) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
    let timeout = left.map(|left| left.max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)
}
