//! The server, for systems with io_uring.

use std::error::Error;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::time::Duration;
use std::{env, mem};

use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_uring::net::{TcpListener, TcpStream};
use websocket_proto::Event;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, Step};

const BUFFER_SIZE: usize = 16 * 1024;

type Failure = Box<dyn Error>;

pub fn main() -> ExitCode {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let runtime = match tokio_uring::Runtime::new(&tokio_uring::builder()) {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("io_uring is not available: {error}");
            return 77.into();
        }
    };
    let listened = address
        .parse()
        .map_err(Failure::from)
        .and_then(|address| runtime.block_on(listen(address)));
    match listened {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(), Failure> {
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        tokio_uring::spawn(async move {
            match serve(stream).await {
                Ok(end) => eprintln!("{peer}: {end}"),
                Err(error) => eprintln!("{peer}: {error}"),
            }
        });
    }
}

/// Serves one connection, from the first byte to the last.
///
/// The kernel owns a buffer while it reads or writes, so what it reads is copied into the endpoint, and what it writes
/// is copied out of it. A step starts the operation and reports the transport as blocked; operations complete in
/// `Wait`.
async fn serve(stream: TcpStream) -> io::Result<End> {
    stream.set_nodelay(true)?;
    let clock = Instant::now();
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), clock.elapsed());
    let (mut input, mut output) = (vec![0; BUFFER_SIZE], Vec::new());
    let (mut reading, mut writing) = (pin!(None), pin!(None));
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Response => {} // only clients receive one
            Step::Event => echo(&mut endpoint),
            Step::Read => {
                if reading.is_none() {
                    reading.set(Some(stream.read(mem::take(&mut input))));
                }
                endpoint.read_blocked();
            }
            Step::Write => {
                if writing.is_none() {
                    output.extend_from_slice(endpoint.output());
                    writing.set(Some(stream.write(mem::take(&mut output)).submit()));
                }
                endpoint.write_blocked();
            }
            Step::Flush => endpoint.flushed(),
            Step::Shutdown => match stream.shutdown(Shutdown::Write) {
                Ok(()) => endpoint.shut_down(),
                Err(error) => endpoint.write_failed(error),
            },
            Step::Wait(_) => {
                select! {
                    (result, buffer) = completion(reading.as_mut()) => {
                        reading.set(None);
                        match result {
                            Ok(size) => endpoint.receive(&buffer[..size]),
                            Err(error) => endpoint.read_failed(error),
                        }
                        input = buffer;
                    }
                    (result, buffer) = completion(writing.as_mut()) => {
                        writing.set(None);
                        match result {
                            Ok(0) => endpoint.write_failed(io::Error::from(ErrorKind::WriteZero)),
                            Ok(size) => endpoint.written(size),
                            Err(error) => endpoint.write_failed(error),
                        }
                        output = buffer;
                        output.clear();
                        output.shrink_to(BUFFER_SIZE); // a large message may have enlarged it
                    }
                    () = deadline(&endpoint, clock) => {}
                }
                endpoint.ready();
            }
            Step::Done => {
                // This ends the operations that are still in progress.
                _ = stream.shutdown(Shutdown::Both);
                return Ok(endpoint.into_end());
            }
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

/// Waits for the kernel's operation, if there is one.
async fn completion<F: Future>(operation: Pin<&mut Option<F>>) -> F::Output {
    match operation.as_pin_mut() {
        Some(operation) => operation.await,
        None => pending().await,
    }
}

async fn deadline(endpoint: &Endpoint, clock: Instant) {
    match endpoint.deadline() {
        Some(deadline) => sleep_until(clock + deadline).await,
        None => pending().await,
    }
}
