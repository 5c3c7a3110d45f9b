//! On epoll: the server of `examples/epoll`.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use embedding_epoll::{Server, Socket, Transport};
use rustls::ServerConfig;
use websocket_proto::endpoint::ShutdownWrite;

use crate::Tls;

impl<T: Read + Write> Transport for Tls<Socket<T>>
where
    Socket<T>: ShutdownWrite,
{
    type Stream = T;

    fn socket(&mut self) -> &mut Socket<T> {
        &mut self.stream
    }

    fn is_ready(&mut self) -> bool {
        self.is_ready()
    }
}

/// Serves clients until the poll fails.
pub fn run(address: SocketAddr, config: Arc<ServerConfig>) -> io::Result<()> {
    let transport = move |socket| Tls::server(socket, Arc::clone(&config)).map_err(io::Error::other);
    let server = Server::over(address, transport, |end| eprintln!("{end}"))?;
    println!("listening on wss://{}", server.address()?);
    server.run()
}
