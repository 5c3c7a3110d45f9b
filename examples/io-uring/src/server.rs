//! The server, for systems with io_uring.

use std::error::Error;
use std::future::pending;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_uring::net::TcpListener;
use websocket_proto::Event;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, ShutdownWrite, Step};

use crate::Memory;

type Failure = Box<dyn Error>;

/// The timeout of a write that the endpoint does not know of, after its end.
const LAST_WRITE_TIME: Duration = Duration::from_secs(1);

/// Serves clients, each with a transport on its memory. Returns 77 if there is no io_uring.
pub fn run<T>(address: &str, scheme: &str, transport: impl Fn(Memory) -> io::Result<T>) -> ExitCode
where
    T: Read + Write + ShutdownWrite + AsMut<Memory> + 'static,
{
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
        .and_then(|address| runtime.block_on(listen(address, scheme, transport)));
    match listened {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen<T>(
    address: SocketAddr,
    scheme: &str,
    transport: impl Fn(Memory) -> io::Result<T>,
) -> Result<(), Failure>
where
    T: Read + Write + ShutdownWrite + AsMut<Memory> + 'static,
{
    let listener = TcpListener::bind(address)?;
    println!("listening on {scheme}://{}", listener.local_addr()?);
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                sleep(Duration::from_millis(100)).await; // there may be no descriptor left
                continue;
            }
        };
        _ = stream.set_nodelay(true);
        match transport(Memory::new(stream)) {
            Ok(transport) => {
                tokio_uring::spawn(async move { eprintln!("{peer}: {}", serve(transport).await) });
            }
            Err(error) => eprintln!("{peer}: {error}"),
        }
    }
}

/// Serves one connection, from the first byte to the last.
async fn serve(mut transport: impl Read + Write + ShutdownWrite + AsMut<Memory>) -> End {
    let clock = Instant::now();
    let mut endpoint = Endpoint::server(&EndpointConfig::new(), clock.elapsed());
    let stream = Rc::clone(&transport.as_mut().stream);
    let (mut reading, mut writing) = (pin!(None), pin!(None));
    loop {
        match endpoint.step(clock.elapsed()) {
            Step::Request => endpoint.accept(),
            Step::Event => echo(&mut endpoint),
            Step::Wait(_) => {
                let memory = transport.as_mut();
                if reading.is_none() {
                    reading.set(memory.start_read().map(|buffer| stream.read(buffer)));
                }
                if writing.is_none() {
                    writing.set(memory.start_write().map(|buffer| stream.write(buffer).submit()));
                }
                select! {
                    (result, buffer) = completion(reading.as_mut()) => {
                        reading.set(None);
                        memory.complete_read(result, buffer);
                    }
                    (result, buffer) = completion(writing.as_mut()) => {
                        writing.set(None);
                        memory.complete_write(result, buffer);
                    }
                    () = deadline(&endpoint, clock) => {}
                }
                endpoint.ready();
            }
            Step::Done => {
                // TLS that has failed has an alert for the peer.
                if let Some(buffer) = transport.as_mut().start_write() {
                    _ = timeout(LAST_WRITE_TIME, stream.write_all(buffer)).await;
                }
                // This ends the operations that are still in progress.
                _ = stream.shutdown(Shutdown::Both);
                return endpoint.into_end();
            }
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
