//! An echo server on smol: one task for each connection.
//!
//! smol reports when a socket is ready, so the driver performs its steps on the `TcpStream` of std, and waits only when
//! the endpoint has to wait. While too much output is buffered for a client that does not read, nothing is read from it.
//!
//! What the steps are performed on is a type parameter, [`Transport`]: the socket itself, or TLS on it, as in
//! `examples/tls`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use smol::future::{or, yield_now};
use smol::{Async, Timer};
use websocket_proto::Event;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Interest, ShutdownWrite, Step};

/// Accepts clients, and serves each in a task.
pub async fn listen<F>(
    address: SocketAddr,
    scheme: &str,
    serve: impl Fn(Async<TcpStream>) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<End>> + Send + 'static,
{
    let listener = Async::<TcpListener>::bind(address)?;
    println!("listening on {scheme}://{}", listener.get_ref().local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                Timer::after(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        let client = serve(stream);
        let client = async move {
            match client.await {
                Ok(end) => eprintln!("{peer}: {end}"),
                Err(error) => eprintln!("{peer}: {error}"),
            }
        };
        smol::spawn(client).detach();
    }
}

/// What a socket carries.
pub trait Transport: Read + Write + ShutdownWrite {
    /// Returns what to wait for on the socket when the endpoint waits for `wanted` on the transport.
    fn interest(&self, wanted: Interest) -> Interest {
        wanted
    }
}

impl Transport for &TcpStream {}

/// Serves one connection, from the first byte to the last.
pub async fn serve(socket: &Async<TcpStream>, mut transport: impl Transport) -> io::Result<End> {
    socket.get_ref().set_nodelay(true)?;
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
                let interest = transport.interest(interest);
                or(ready(socket, interest), sleep_until(deadline)).await?;
                endpoint.ready();
            }
            Step::Done => return Ok(endpoint.into_end()),
            step => endpoint.perform(step, &mut transport),
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

/// Waits until the socket is ready.
async fn ready(socket: &Async<TcpStream>, interest: Interest) -> io::Result<()> {
    match interest {
        Interest::Nothing => std::future::pending().await,
        Interest::Readable => socket.readable().await,
        Interest::Writable => socket.writable().await,
        Interest::Both => or(socket.readable(), socket.writable()).await,
    }
}

async fn sleep_until(deadline: Option<Instant>) -> io::Result<()> {
    match deadline {
        Some(deadline) => _ = Timer::at(deadline).await,
        None => std::future::pending().await,
    }
    Ok(())
}
