//! The deadlines and limits of both ends, short in simulated time.

use std::time::Duration;

use embedding_tokio::websocket_proto::keepalive::KeepaliveConfig;
use embedding_tokio::{Config, EndpointConfig};

pub const CLIENTS: usize = 3;

/// How long faults happen.
pub const DISTURBED: Duration = Duration::from_secs(20);

/// The step of the simulation; nothing is more precise.
pub const TICK: Duration = Duration::from_millis(5);

pub const PING_INTERVAL: Duration = Duration::from_millis(1000);
pub const PING_TIMEOUT: Duration = Duration::from_millis(800);
pub const OPEN_TIMEOUT: Duration = Duration::from_millis(1500);
pub const CLOSE_TIMEOUT: Duration = Duration::from_millis(1000);
pub const WRITE_TIMEOUT: Duration = Duration::from_millis(1200);
pub const LINGER_TIMEOUT: Duration = Duration::from_millis(300);
/// How long a client waits for TCP.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

pub const FIRST_BACKOFF: Duration = Duration::from_millis(100);
pub const LONGEST_BACKOFF: Duration = Duration::from_millis(2000);

/// The longest latency of a network that is not disturbed.
pub const LATENCY: Duration = Duration::from_millis(60);

/// The longest silence before a peer is dropped: it falls silent right after a Ping was answered.
pub const LONGEST_SILENCE: Duration = PING_INTERVAL.saturating_add(PING_TIMEOUT);

/// How long a client may go on sending to a dead peer, until too many messages wait for their echoes. A write that is
/// accepted in part counts as activity of the peer.
pub const FILLING: Duration = Duration::from_millis(2000);

/// How long a client may take to exchange a message once the network is repaired: it notices that its connection is
/// dead, waits, opens another, and sends; each with a few latencies.
pub const RECOVERY: Duration = LONGEST_SILENCE
    .saturating_add(FILLING)
    .saturating_add(CLOSE_TIMEOUT)
    .saturating_add(LINGER_TIMEOUT)
    .saturating_add(LONGEST_BACKOFF)
    .saturating_add(Duration::from_millis(1000));

/// How long the server may take to notice that the last connection has ended.
pub const WIND_DOWN: Duration = LONGEST_SILENCE
    .saturating_add(CLOSE_TIMEOUT)
    .saturating_add(LINGER_TIMEOUT)
    .saturating_add(Duration::from_millis(500));

pub const MAX_MESSAGE: usize = 96 * 1024;
pub const MAX_BUFFERED: usize = 64 * 1024;
pub const MAX_READ: usize = 16 * 1024;

/// The bound for the buffers of an endpoint, as the documentation of `endpoint` gives it.
pub const MAX_CAPACITY: usize =
    (MAX_READ + 2 * MAX_MESSAGE + 8 * (MAX_BUFFERED + MAX_MESSAGE)) * 3 / 2 + 1024;

/// The bound for the output of an endpoint, as the documentation of `EndpointConfig::max_buffered` gives it; a frame
/// header takes 14 bytes at most.
pub const MAX_OUTPUT: usize = 2 * MAX_BUFFERED + 2 * (MAX_MESSAGE + 14);

pub fn endpoint(ping_timeout: Duration) -> EndpointConfig {
    let keepalive = KeepaliveConfig::new()
        .ping_interval(PING_INTERVAL)
        .ping_timeout(ping_timeout)
        .open_timeout(OPEN_TIMEOUT)
        .close_timeout(CLOSE_TIMEOUT);
    EndpointConfig::new()
        .connection(Config::new().max_message_size(MAX_MESSAGE as u64))
        .keepalive(keepalive)
        .max_buffered(MAX_BUFFERED)
        .max_read_size(MAX_READ)
        .write_timeout(WRITE_TIMEOUT)
        .linger_timeout(LINGER_TIMEOUT)
}
