//! An echo server: what `examples/tokio/src/bin/echo.rs` is a port of. It is written like the example `echo-server` of
//! tokio-tungstenite.
//!
//!     echo_tungstenite [ADDR]
//!
//! Duties of both: messages are echoed; Pings and Closes are answered; an error of one client or of `accept` does not end
//! the server; a log of how each connection ended.
//!
//! The port has three more, which the original leaves out as the example does: a client that sends no request, that does
//! not reply to Pings, or that does not read, is dropped.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, future};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                _ = tokio::spawn(async move { eprintln!("{peer}: {:?}", echo(stream).await) })
            }
            Err(error) => {
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await; // there may be no descriptor left
            }
        }
    }
}

async fn echo(stream: TcpStream) -> Result<(), tungstenite::Error> {
    _ = stream.set_nodelay(true);
    let (sink, stream) = accept_async(stream).await?.split();
    stream
        .try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(sink)
        .await
}
