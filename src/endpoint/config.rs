//! Limits and timeouts of an endpoint.

use core::time::Duration;

use crate::Config;
use crate::keepalive::KeepaliveConfig;

/// Limits and timeouts for the whole life of a transport, all finite by default.
///
/// ```
/// use core::time::Duration;
/// use websocket_proto::Config;
/// use websocket_proto::endpoint::EndpointConfig;
/// use websocket_proto::keepalive::KeepaliveConfig;
///
/// let config = EndpointConfig::new()
///     .connection(Config::new().max_message_size(16 * 1024 * 1024))
///     .keepalive(KeepaliveConfig::new().ping_interval(Duration::from_secs(30)))
///     .max_buffered(256 * 1024);
/// # assert_ne!(config, EndpointConfig::new());
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct EndpointConfig {
    pub(super) connection: Config,
    pub(super) keepalive: KeepaliveConfig,
    pub(super) max_buffered: usize,
    pub(super) max_read_size: usize,
    pub(super) write_timeout: Duration,
    pub(super) linger_timeout: Duration,
}

impl EndpointConfig {
    /// Creates the default configuration.
    pub const fn new() -> Self {
        Self {
            connection: Config::new(),
            keepalive: KeepaliveConfig::new(),
            max_buffered: 1024 * 1024,
            max_read_size: 64 * 1024,
            write_timeout: Duration::from_secs(10),
            linger_timeout: Duration::from_secs(2),
        }
    }

    /// Sets the limits and options of the handshake and of the connection. Not used by
    /// [`Endpoint::from_connection`](super::Endpoint::from_connection), whose connection has its own.
    pub fn connection(mut self, config: Config) -> Self {
        self.connection = config;
        self
    }

    /// Sets the timeouts of the two handshakes and of Pings, and the interval between Pings.
    ///
    /// The first Ping is due an interval after the step that announced the request or the response, however long the caller took to
    /// answer or take it.
    ///
    /// A peer that has ended its direction of the transport cannot answer a Ping. From then on only the
    /// [`write_timeout`](Self::write_timeout) applies to an open connection.
    ///
    /// While [`max_buffered`](Self::max_buffered) bytes or more wait to be written, a Ping that is due is not added to them, so that
    /// Pings do not pile up for a peer that reads a byte now and then. Its timeout applies all the same: any output that the
    /// transport accepts counts as activity.
    pub const fn keepalive(mut self, config: KeepaliveConfig) -> Self {
        self.keepalive = config;
        self
    }

    /// Sets how many bytes of output may wait to be written; 0 counts as 1. Default: 1 MiB (1,048,576).
    ///
    /// Replies are automatic replies and output sent while an event is held. While this many bytes of replies wait, the
    /// endpoint returns no event and reads nothing. So the first reply to a message is always accepted; a further one is
    /// refused with [`SendError::Full`](super::SendError::Full) once this many bytes of replies wait. A message sent
    /// without an event is refused with the same error while this many bytes wait in total. The limit is checked before
    /// a message is added, so the output is at most twice the limit plus two messages, in at most four times as much
    /// memory while it grows and is written; the [module](super#memory) gives the sum of all buffers. Control frames
    /// are always accepted.
    pub const fn max_buffered(mut self, bytes: usize) -> Self {
        self.max_buffered = bytes;
        self
    }

    /// Sets the largest size of a single read, in bytes; at least 128. Default: 64 KiB (65,536).
    ///
    /// If at least half of this size is missing from a payload, a read ends with that payload. Reads of at most 16,512
    /// bytes (16 KiB and a header) stay in the first-level cache of most processors, but on a socket the additional
    /// calls take more time than that saves.
    ///
    /// The buffer starts at 4 KiB and doubles each time a read fills it. Only
    /// [`Delivery::InPlace`](crate::Delivery::InPlace) makes it grow beyond this size, up to the message limit.
    pub const fn max_read_size(mut self, bytes: usize) -> Self {
        self.max_read_size = bytes;
        self
    }

    /// Sets how long the transport may accept none of the waiting output. Default: 10 seconds; `Duration::MAX` disables
    /// the timeout. Rounded up to milliseconds; 49 days or more disables it as well.
    pub const fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Sets how long the endpoint reads and discards input after the last byte was written, so that a reset of the
    /// transport does not overtake that byte (RFC 6455 section 7.1.1). Default: 2 seconds; zero ends the endpoint
    /// immediately. Rounded up to milliseconds; 49 days or more means until the peer ends its direction.
    pub const fn linger_timeout(mut self, timeout: Duration) -> Self {
        self.linger_timeout = timeout;
        self
    }
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self::new()
    }
}
