//! A proxy that relays every byte unchanged and counts the frames in each direction.
//!
//!     cargo run --release -p embedding-proxy -- [ADDR] UPSTREAM
//!
//! The proxy is not an endpoint: extensions and masking are between client and server. It only has to find the frame
//! boundaries. Each connection has two threads, one for each direction. If a peer does not read, the proxy stops
//! reading from the other peer, which then has to stop sending. The two ends apply their own deadlines to an open
//! connection.

mod meter;
#[cfg(test)]
mod tests;

use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use meter::Meter;

/// How long one direction may continue after the other has ended.
const END_TIME: Duration = Duration::from_secs(10);
const BUFFER_SIZE: usize = 64 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let (listen, upstream) = match (args.next(), args.next()) {
        (Some(listen), Some(upstream)) => (listen, upstream),
        (Some(upstream), None) => ("127.0.0.1:9001".into(), upstream),
        (None, _) => return Err("usage: embedding-proxy [ADDR] UPSTREAM".into()),
    };
    let listener = TcpListener::bind(listen)?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (client, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100)); // there may be no descriptor left
                continue;
            }
        };
        let upstream = upstream.clone();
        let connection = move || match serve(client, &upstream) {
            Ok((up, down)) => eprintln!("{peer}: client: {}; server: {}", up.count, down.count),
            Err(error) => eprintln!("{peer}: {upstream}: {error}"),
        };
        if let Err(error) = thread::Builder::new().spawn(connection) {
            eprintln!("{peer}: no thread: {error}");
        }
    }
}

/// Serves one connection. Returns the counts of each direction.
fn serve(mut client: TcpStream, upstream: &str) -> io::Result<(Meter, Meter)> {
    let server = match TcpStream::connect(upstream) {
        Ok(server) => server,
        Err(error) => {
            client
                .write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
            return Err(error);
        }
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (Meter::default(), Meter::default());
    let give_up = || {
        [&client, &server]
            .into_iter()
            .for_each(|stream| _ = stream.shutdown(Shutdown::Both))
    };
    thread::scope(|scope| -> io::Result<()> {
        let (ended, ends) = mpsc::channel();
        for (from, to, meter) in [(&client, &server, &mut up), (&server, &client, &mut down)] {
            let ended = ended.clone();
            let relay = move || ended.send(relay(from, to, meter));
            thread::Builder::new()
                .spawn_scoped(scope, relay)
                .inspect_err(|_| give_up())?;
        }
        let first = ends.recv();
        // The other direction may end a while later. After a failure, it may never end.
        if !matches!(first, Ok(Ok(()))) || ends.recv_timeout(END_TIME).is_err() {
            give_up();
        }
        Ok(())
    })?;
    Ok((up, down))
}

/// Relays one direction until it ends.
fn relay(mut from: &TcpStream, mut to: &TcpStream, meter: &mut Meter) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let size = from.read(&mut buffer)?;
        if size == 0 {
            return to.shutdown(Shutdown::Write);
        }
        meter.see(&buffer[..size]);
        to.write_all(&buffer[..size])?;
    }
}
