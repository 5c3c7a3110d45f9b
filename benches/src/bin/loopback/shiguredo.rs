//! The server of `shiguredo_websocket`. It is given each read in pieces, because each frame moves all bytes after it to the front.

use std::io::{Read, Write};
use std::net::TcpStream;

use shiguredo_websocket::{
    ConnectionEvent, ConnectionOutput, ServerConnectionOptions, WebSocketServerConnection,
};
use websocket_proto::Connection;
use websocket_proto_benches::scenario::BROWSER_REQUEST;
use websocket_proto_benches::wire::SOCKET_READ_SIZE;

use super::Result;

const PIECE: usize = 4096;

pub fn serve(mut stream: TcpStream, _: Connection) -> Result {
    let mut connection = WebSocketServerConnection::new(ServerConnectionOptions::new().ping_interval(0));
    // The load has already received its response.
    connection.feed_recv_buf(BROWSER_REQUEST.as_bytes())?;
    connection.accept_handshake_auto()?;
    while connection.poll_output().is_some() {}
    let (mut buffer, mut out) = (vec![0; SOCKET_READ_SIZE], Vec::new());
    loop {
        let size = stream.read(&mut buffer)?;
        if size == 0 {
            return Ok(());
        }
        for piece in buffer[..size].chunks(PIECE) {
            connection.feed_recv_buf(piece)?;
            while let Some(event) = connection.poll_event() {
                match event {
                    ConnectionEvent::TextMessage(text) => connection.send_text(&text)?,
                    ConnectionEvent::BinaryMessage(payload) => connection.send_binary(&payload)?,
                    _ => {}
                }
            }
            while let Some(output) = connection.poll_output() {
                if let ConnectionOutput::SendData(bytes) = output {
                    out.extend(bytes);
                }
            }
        }
        stream.write_all(&out)?;
        out.clear();
    }
}
