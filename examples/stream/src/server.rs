//! Receives messages of any size in chunks, and replies to each with its size and its checksum.

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use std::{io, mem, thread};

use crc32fast::Hasher;
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Step};
use websocket_proto::{Config, Delivery, Event, Fin, Payload};

use crate::BUFFER_SIZE;

const CONFIG: Config = Config::new()
    .delivery(Delivery::Chunks)
    .max_message_size(u64::MAX)
    .deflate(DeflateConfig::new());

pub fn run(address: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept()?;
        thread::spawn(move || match serve(stream) {
            Ok(end) => eprintln!("{peer}: {end}"),
            Err(error) => eprintln!("{peer}: {error}"),
        });
    }
}

/// Serves one connection, from the first byte to the last.
fn serve(mut stream: TcpStream) -> io::Result<End> {
    stream.set_nodelay(true)?;
    let clock = Instant::now();
    let config = EndpointConfig::new()
        .connection(CONFIG)
        .max_read_size(BUFFER_SIZE);
    let mut endpoint = Endpoint::server(&config, clock.elapsed());
    let mut upload = Upload::default();
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Event => upload.receive(&mut endpoint),
            Step::Done => return Ok(endpoint.into_end()),
            step => {
                wait_until(endpoint.deadline(), clock, &stream)?;
                endpoint.perform(step, &mut stream);
            }
        }
    }
}

/// The message that is being received.
#[derive(Default)]
struct Upload {
    size: u64,
    checksum: Hasher,
}

impl Upload {
    /// Handles the chunks that have arrived, and replies to a message after its last one.
    fn receive(&mut self, endpoint: &mut Endpoint) {
        let mut events = endpoint.events();
        while let Some((event, mut sender)) = events.next() {
            let (chunk, fin) = match event {
                Event::TextChunk(text, fin) => (Payload::from(text), fin),
                Event::BinaryChunk(payload, fin) => (payload, fin),
                _ => continue, // the endpoint replies to Pings and Closes
            };
            self.checksum.update(&chunk);
            self.size += chunk.len() as u64;
            if fin == Fin::Last {
                let Self { size, checksum } = mem::take(self);
                // A client that is closing gets no more messages, so this error is ignored.
                _ = sender.send_text(&crate::answer(size, checksum));
            }
        }
    }
}

/// Makes the next call on the stream return at the deadline. A socket treats a timeout of zero as "no timeout".
fn wait_until(deadline: Option<Duration>, clock: Instant, stream: &TcpStream) -> io::Result<()> {
    let left = deadline.map(|deadline| deadline.saturating_sub(clock.elapsed()));
    let timeout = left.map(|left| left.max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout)?;
    stream.set_write_timeout(timeout)
}
