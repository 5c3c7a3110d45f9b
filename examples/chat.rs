//! A chat for browsers: one port serves the page and the connections, and everyone gets every message.
//!
//!     cargo run --example chat -- [--ping-seconds N] [ADDR]
//!
//! Open the address that it prints in two windows. It shows, on plain TCP and with threads:
//!
//! - HTTP and WebSocket on one port, and the origin check that keeps out the pages of other sites;
//! - a broadcast that is encoded once and waits for no client: one that does not read is dropped;
//! - Pings that detect clients that vanished, and measure the round trip to the others.
//!
//! Each client has two threads around one endpoint, see `link`.

mod link;

use std::error::Error;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, io, thread};

use link::Link;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError, Step};
use websocket_proto::handshake::HandshakeMisuse;
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{CloseCode, Config, Event, Prepared};

/// How much output may be buffered for a client.
const MAX_BUFFERED: usize = 256 * 1024;
const MAX_MESSAGE_SIZE: u64 = 4 * 1024;
const PAGE: &[u8] = include_bytes!("chat.html");

fn main() -> Result<(), Box<dyn Error>> {
    let mut keepalive = KeepaliveConfig::new();
    let mut address = String::from("127.0.0.1:9002");
    let mut args = env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--ping-seconds" => {
                let seconds: NonZeroU32 = args.next().ok_or("--ping-seconds needs a number")?.parse()?;
                let time = Duration::from_secs(seconds.get().into());
                keepalive = keepalive.ping_interval(time).ping_timeout(time);
            }
            option if option.starts_with('-') => return Err("usage: chat [--ping-seconds N] [ADDR]".into()),
            _ => address = arg,
        }
    }
    let listener = TcpListener::bind(&address).map_err(|error| format!("{address}: {error}"))?;
    let config = EndpointConfig::new()
        .connection(Config::new().max_message_size(MAX_MESSAGE_SIZE))
        .keepalive(keepalive)
        .max_buffered(MAX_BUFFERED);
    println!("listening on http://{}", listener.local_addr()?);
    let room = Arc::new(Room::default());
    loop {
        let (stream, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100)); // there may be no descriptor left
                continue;
            }
        };
        let (room, config) = (Arc::clone(&room), config.clone());
        let client = move || {
            if let Err(error) = serve(stream, peer, &room, &config) {
                eprintln!("{peer}: {error}");
            }
        };
        if let Err(error) = thread::Builder::new().spawn(client) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// Serves one connection, from the first byte to the last.
fn serve(stream: TcpStream, peer: SocketAddr, room: &Room, config: &EndpointConfig) -> io::Result<()> {
    let client = Arc::new(Link::new(stream, |now| Endpoint::server(config, now))?);
    let writer = Arc::clone(&client);
    thread::Builder::new().spawn(move || writer.write())?;
    client.read(|step, mut endpoint| match step {
        Step::Request => {
            if let Ok(Answer::Opened) = answer(&mut endpoint) {
                drop(endpoint);
                room.enter(&client);
            }
        }
        _ => {
            let messages = take_messages(&mut endpoint);
            drop(endpoint); // a broadcast takes the lock of every client, this one included
            messages.iter().for_each(|message| room.broadcast(message));
        }
    });
    room.leave(&client);
    let endpoint = client.endpoint();
    match (endpoint.end(), endpoint.last_rtt()) {
        (Some(end), Some(rtt)) => eprintln!("{peer}: {end}, round trip {rtt:?}"),
        (Some(end), None) => eprintln!("{peer}: {end}"),
        (None, _) => {}
    }
    Ok(())
}

/// How a request was answered.
enum Answer {
    Opened,
    Responded,
}

/// Serves the page, or opens a connection.
fn answer(endpoint: &mut Endpoint) -> Result<Answer, HandshakeMisuse> {
    let Some(request) = endpoint.take_request() else {
        return Ok(Answer::Responded);
    };
    match (request.method(), request.path()) {
        ("GET" | "HEAD", "/") => {
            endpoint.respond(
                &request,
                200,
                &[("Content-Type", "text/html; charset=utf-8")],
                PAGE,
            )?;
        }
        (_, "/chat") => match endpoint.upgrade(&request) {
            // Browsers send the origin of the page; other programs may not.
            Ok(upgrade) if upgrade.origin().is_none() || upgrade.is_same_origin() => {
                endpoint.accept_upgrade(upgrade)?;
                return Ok(Answer::Opened);
            }
            Ok(upgrade) => endpoint.reject(upgrade, 403, &[], b"foreign origin\n")?,
            Err(_) => {} // the response says what is wrong
        },
        _ => endpoint.respond(&request, 404, &[], b"not found\n")?,
    }
    Ok(Answer::Responded)
}

/// Passes on what the client says to everyone.
fn take_messages(endpoint: &mut Endpoint) -> Vec<Prepared> {
    let mut messages = Vec::new();
    let mut events = endpoint.events();
    while let Some((event, mut sender)) = events.next() {
        match event {
            Event::Text(text) => messages.push(Prepared::text(&text)),
            Event::Binary(_) => _ = sender.close(CloseCode::UNSUPPORTED_DATA, "text only"),
            _ => {} // the endpoint replies to Pings and Closes
        }
    }
    messages
}

/// Everyone in the chat.
#[derive(Default)]
struct Room {
    clients: Mutex<Vec<Arc<Link>>>,
}

impl Room {
    fn enter(&self, client: &Arc<Link>) {
        self.clients.lock().unwrap().push(Arc::clone(client));
    }

    fn leave(&self, client: &Arc<Link>) {
        let mut clients = self.clients.lock().unwrap();
        clients.retain(|other| !Arc::ptr_eq(other, client));
    }

    fn broadcast(&self, message: &Prepared) {
        for client in self.clients.lock().unwrap().iter() {
            client.update(|endpoint| {
                // A client that is closing gets no more messages. One that has not read for so long is dropped.
                if let Err(SendError::Full { .. }) = endpoint.sender().send_prepared(message) {
                    endpoint.abort();
                }
            });
        }
    }
}
