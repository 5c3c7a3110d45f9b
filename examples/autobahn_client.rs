//! The client under test in the Autobahn test suite: requests its cases from the fuzzing server, and echoes the messages of each.
//!
//!     wstest -m fuzzingserver
//!     cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 websocket-proto
//!
//! The server judges the client and writes the reports.

use std::error::Error;
use std::net::TcpStream;
use std::time::{Duration, Instant};
use std::{env, io};

#[cfg(feature = "deflate")]
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Outcome, Sender, Step};
use websocket_proto::handshake::ClientRequest;
use websocket_proto::{Config, Event, OsEntropy};

/// The largest messages of the suite are 16 MiB.
#[cfg(not(feature = "deflate"))]
const CONFIG: Config = Config::new().max_message_size(32 * 1024 * 1024);
/// The suite has cases for windows of every size, so the offer leaves the choice to the server and uses whatever it grants.
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
    println!("{agent}: ran {count} cases, {clean} of them ended cleanly");
    Ok(())
}

fn echo(event: Event<'_>, mut sender: Sender<'_>) {
    // The server may be closing, in which case no echo is expected.
    _ = match event {
        Event::Text(text) => sender.send_text(&text),
        Event::Binary(payload) => sender.send_binary(&payload),
        _ => Ok(()),
    };
}

/// Runs one connection, from the handshake to the end of the transport. Whatever a case does to it is not an error here; a failed
/// handshake is.
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
                let mut events = endpoint.events();
                while let Some((event, sender)) = events.next() {
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

/// Makes the next call on the stream return at the deadline. A socket would take a timeout of zero as "no timeout".
fn wait_until(deadline: Option<Duration>, clock: Instant, stream: &TcpStream) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
    let timeout = left.map(|left| left.max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)
}
