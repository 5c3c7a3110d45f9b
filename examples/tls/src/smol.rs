//! On smol: the driver of `examples/smol`.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use embedding_smol::{Transport, listen, serve};
use rustls::ServerConfig;
use websocket_proto::endpoint::Interest;

use crate::Tls;

impl Transport for Tls<&TcpStream> {
    fn interest(&self, wanted: Interest) -> Interest {
        self.interest(wanted)
    }
}

/// Serves clients until the listener fails.
pub fn run(address: SocketAddr, config: Arc<ServerConfig>) -> io::Result<()> {
    let client = move |stream: smol::Async<TcpStream>| {
        let config = Arc::clone(&config);
        async move {
            let tls = Tls::server(stream.get_ref(), config).map_err(io::Error::other)?;
            serve(&stream, tls).await
        }
    };
    smol::block_on(listen(address, "wss", client))
}
