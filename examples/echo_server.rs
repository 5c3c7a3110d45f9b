//! An echo server: everything a blocking server does with a connection, on plain TCP with one thread for each.
//!
//!     cargo run --example echo_server -- [--max-message BYTES] [ADDR]
//!
//! It prints `listening on ws://ADDR` when it is ready, and one line to stderr for each connection that has ended.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Sender, Step};
use websocket_proto::{Config, Event};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = config();
    let mut address = String::from("127.0.0.1:9001");
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--max-message" => {
                let bytes = args.next().ok_or("--max-message needs a number of bytes")?;
                config = config.max_message_size(bytes.parse()?);
            }
            option if option.starts_with('-') => {
                return Err("usage: echo_server [--max-message BYTES] [ADDR]".into());
            }
            _ => address = arg,
        }
    }
    let listener = TcpListener::bind(&address).map_err(|error| format!("{address}: {error}"))?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100)); // there may be no descriptor left
                continue;
            }
        };
        let config = EndpointConfig::new().connection(config.clone());
        let connection = move || match serve(stream, &config) {
            Ok(end) => eprintln!("{peer}: {end}"),
            Err(error) => eprintln!("{peer}: {error}"),
        };
        if let Err(error) = thread::Builder::new().spawn(connection) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// With the feature `deflate`, accepts offers of compression.
fn config() -> Config {
    #[cfg(feature = "deflate")]
    return Config::new().deflate(websocket_proto::deflate::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    Config::new()
}

/// Serves one connection, from the first byte to the last.
fn serve(mut stream: TcpStream, config: &EndpointConfig) -> io::Result<End> {
    stream.set_nodelay(true)?;
    let clock = Instant::now();
    let mut endpoint = Endpoint::server(config, clock.elapsed());
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Event => {
                let mut events = endpoint.events();
                while let Some((event, sender)) = events.next() {
                    echo(event, sender);
                }
            }
            Step::Done => return Ok(endpoint.into_end()),
            step => {
                wait_until(endpoint.deadline(), clock, &stream)?;
                endpoint.perform(step, &mut stream);
            }
        }
    }
}

/// Sends a message back. The endpoint replies to Pings and Closes.
fn echo(event: Event<'_>, mut sender: Sender<'_>) {
    // A client that is closing gets no more messages, so this error is ignored.
    _ = match event {
        Event::Text(text) => {
            let sent = sender.send_text(&text);
            sender.recycle(text);
            sent
        }
        Event::Binary(payload) => {
            let sent = sender.send_binary(&payload);
            sender.recycle(payload);
            sent
        }
        _ => Ok(()),
    };
}

/// Makes the next call on the stream return at the deadline. A socket would take a timeout of zero as "no timeout".
fn wait_until(deadline: Option<Duration>, clock: Instant, stream: &TcpStream) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
    let timeout = left.map(|left| left.max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)
}
