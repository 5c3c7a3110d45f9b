//! An echo server on smol: one task for each connection.
//!
//!     cargo run --release -p embedding-smol -- [ADDR]
//!
//! smol reports when a socket is ready, so the driver performs its steps on the `TcpStream` of std, and waits only when
//! the endpoint has to wait. While too much output is buffered for a client that does not read, nothing is read from it.

use std::env;
use std::error::Error;
use std::io;
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use smol::future::{or, yield_now};
use smol::{Async, Timer};
use websocket_proto::Event;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Interest, Step};

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let address = address.to_socket_addrs()?.next().ok_or("no address")?;
    smol::block_on(async {
        let listener = Async::<TcpListener>::bind(address)?;
        println!("listening on ws://{}", listener.get_ref().local_addr()?);
        loop {
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    eprintln!("accept: {error}");
                    Timer::after(Duration::from_millis(100)).await; // there may be no descriptor left
                    continue;
                }
            };
            let client = async move {
                match serve(stream).await {
                    Ok(end) => eprintln!("{peer}: {end}"),
                    Err(error) => eprintln!("{peer}: {error}"),
                }
            };
            smol::spawn(client).detach();
        }
    })
}

/// Serves one connection, from the first byte to the last.
async fn serve(stream: Async<TcpStream>) -> io::Result<End> {
    stream.get_ref().set_nodelay(true)?;
    let clock = Instant::now();
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), clock.elapsed());
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Event => {
                echo(&mut endpoint);
                yield_now().await; // so that a client that always has more to send does not block the others
            }
            Step::Wait(interest) => {
                let deadline = endpoint.deadline().map(|deadline| clock + deadline);
                or(ready(&stream, interest), sleep_until(deadline)).await?;
                endpoint.ready();
            }
            Step::Done => return Ok(endpoint.into_end()),
            step => endpoint.perform(step, &mut stream.get_ref()),
        }
    }
}

/// Echoes messages. The endpoint replies to Pings and Closes.
fn echo(endpoint: &mut Endpoint) {
    let mut events = endpoint.events();
    while let Some((event, mut sender)) = events.next() {
        // A client that is closing gets no more messages, so this error is ignored.
        _ = match event {
            Event::Text(text) => sender.send_text(&text),
            Event::Binary(payload) => sender.send_binary(&payload),
            _ => Ok(()),
        };
    }
}

/// Waits until the socket is ready for what the endpoint waits for.
async fn ready(stream: &Async<TcpStream>, interest: Interest) -> io::Result<()> {
    match interest {
        Interest::Nothing => std::future::pending().await,
        Interest::Readable => stream.readable().await,
        Interest::Writable => stream.writable().await,
        Interest::Both => or(stream.readable(), stream.writable()).await,
    }
}

async fn sleep_until(deadline: Option<Instant>) -> io::Result<()> {
    match deadline {
        Some(deadline) => _ = Timer::at(deadline).await,
        None => std::future::pending().await,
    }
    Ok(())
}
