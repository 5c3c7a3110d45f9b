//! QUIC packets on a socket.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use quiche::h3;
use quiche::{ConnectionId, RecvInfo};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use websocket_proto::{Entropy, OsEntropy};

use crate::Failure;

/// How long a peer may be silent, in milliseconds.
const IDLE_TIME: u64 = 60_000;
/// How many streams a peer may have open at the same time.
const MAX_STREAMS: u64 = 100;
/// How much data of each stream may be unread.
const WINDOW_SIZE: u64 = 64 * 1024;
const MAX_PACKET_SIZE: usize = 1350;
pub const ID_SIZE: usize = 16;

/// The QUIC configuration, for both roles.
pub fn config() -> Result<quiche::Config, Failure> {
    let mut config = quiche::Config::new(quiche::PROTOCOL_VERSION)?;
    config.set_application_protos(h3::APPLICATION_PROTOCOL)?;
    config.set_max_idle_timeout(IDLE_TIME);
    config.set_max_recv_udp_payload_size(MAX_PACKET_SIZE);
    config.set_max_send_udp_payload_size(MAX_PACKET_SIZE);
    // Large enough for all streams, so that a stream that is not read does not block the others.
    config.set_initial_max_data(MAX_STREAMS * WINDOW_SIZE);
    config.set_initial_max_stream_data_bidi_local(WINDOW_SIZE);
    config.set_initial_max_stream_data_bidi_remote(WINDOW_SIZE);
    config.set_initial_max_stream_data_uni(WINDOW_SIZE);
    config.set_initial_max_streams_bidi(MAX_STREAMS);
    config.set_initial_max_streams_uni(3); // the control stream and two QPACK streams
    config.set_disable_active_migration(true);
    Ok(config)
}

/// The HTTP/3 configuration, for both roles; the server announces the setting.
pub fn http_config() -> Result<h3::Config, Failure> {
    let mut config = h3::Config::new()?;
    config.set_max_field_section_size(16 * 1024);
    config.enable_extended_connect(true);
    Ok(config)
}

/// A fresh identifier for a connection.
pub fn new_id() -> ConnectionId<'static> {
    let mut id = [0; ID_SIZE];
    OsEntropy.fill(&mut id);
    ConnectionId::from_vec(id.to_vec())
}

/// Sends what is due.
pub async fn send(socket: &UdpSocket, quic: &mut quiche::Connection) -> io::Result<()> {
    let mut packet = [0; MAX_PACKET_SIZE];
    while let Ok((size, info)) = quic.send(&mut packet) {
        socket.send_to(&packet[..size], info.to).await?;
    }
    Ok(())
}

/// Waits for packets, up to `timeout`, and passes on all that have arrived.
pub async fn receive(
    socket: &UdpSocket,
    wait: Duration,
    mut take: impl FnMut(&mut [u8], RecvInfo),
) -> io::Result<()> {
    let mut packet = [0; 64 * 1024];
    let to: SocketAddr = socket.local_addr()?;
    if timeout(wait, socket.readable()).await.is_err() {
        return Ok(());
    }
    loop {
        match socket.try_recv_from(&mut packet) {
            Ok((size, from)) => take(&mut packet[..size], RecvInfo { from, to }),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {} // from a peer that is gone
            Err(error) => return Err(error),
        }
    }
}
