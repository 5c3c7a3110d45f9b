//! An echo server: one task for each client.
//!
//!     cargo run --release -p embedding-tokio -- [ADDR]

use std::time::Duration;

use embedding_tokio::{EndpointConfig, Event, accept};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                _ = tokio::spawn(async move { eprintln!("{peer}: {}", echo(stream).await) })
            }
            Err(error) => {
                eprintln!("accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await; // there may be no descriptor left
            }
        }
    }
}

/// Serves one client, and reports how the connection ended.
async fn echo(stream: TcpStream) -> String {
    _ = stream.set_nodelay(true);
    let mut socket = match accept(stream, &EndpointConfig::new()).await {
        Ok(socket) => socket,
        Err(end) => return end.to_string(),
    };
    while socket.ready().await {
        let mut events = socket.events();
        while let Some((event, mut sender)) = events.next() {
            _ = match event {
                Event::Text(text) => sender.send_text(&text),
                Event::Binary(payload) => sender.send_binary(&payload),
                _ => Ok(()), // the endpoint replies to Pings and Closes
            };
        }
    }
    socket.into_end().to_string()
}
