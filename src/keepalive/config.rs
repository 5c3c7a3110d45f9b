//! The timeouts of a connection, and the interval between Pings.

use core::time::Duration;

/// Timeouts, and the interval between Pings.
///
/// ```
/// use core::time::Duration;
/// use websocket_proto::keepalive::KeepaliveConfig;
///
/// const CONFIG: KeepaliveConfig = KeepaliveConfig::new().ping_interval(Duration::from_secs(30));
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct KeepaliveConfig {
    pub(super) open_timeout: Duration,
    pub(super) ping_interval: Duration,
    pub(super) ping_timeout: Duration,
    pub(super) close_timeout: Duration,
}

/// A duration of the configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Millis(u32);

impl KeepaliveConfig {
    /// Creates the default configuration, which is the same as that of Python's `websockets`: 10 seconds for either
    /// handshake, a Ping every 20 seconds, and 20 seconds for any activity after it.
    pub const fn new() -> Self {
        Self {
            open_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            ping_timeout: Duration::from_secs(20),
            close_timeout: Duration::from_secs(10),
        }
    }

    /// Sets the timeout for the opening handshake, measured from its start. Default: 10 seconds.
    pub const fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// Sets the interval between Pings. Default: 20 seconds; `Duration::MAX` disables them.
    ///
    /// Proxies usually close connections that are idle for 30 to 120 seconds.
    pub const fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// Sets how long to wait for any activity after a Ping. Default: 20 seconds; `Duration::MAX` disables it, and Pings
    /// then only measure the round-trip time and keep proxies from closing the connection.
    pub const fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.ping_timeout = timeout;
        self
    }

    /// Sets the timeout for the closing handshake, from the first Close, sent or received, to the end of the transport.
    /// Default: 10 seconds.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }
}

impl Millis {
    pub(super) const NEVER: Self = Self(u32::MAX);

    /// Rounded up, and no less than one.
    pub(super) fn new(duration: Duration) -> Self {
        let millis = duration.as_nanos().div_ceil(u128::from(NANOS_PER_MILLI));
        u32::try_from(millis.max(1)).map_or(Self::NEVER, Self)
    }

    pub(super) fn nanos(self) -> u64 {
        match self {
            Self::NEVER => NEVER,
            Self(millis) => u64::from(millis).saturating_mul(NANOS_PER_MILLI),
        }
    }

    pub(super) fn after(self, time: u64) -> u64 {
        time.saturating_add(self.nanos())
    }
}

impl Default for KeepaliveConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// A time that is never reached.
pub(crate) const NEVER: u64 = u64::MAX;
pub(crate) const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A time as nanoseconds since its origin.
#[inline]
pub(crate) fn nanos(time: Duration) -> u64 {
    let seconds = time.as_secs().saturating_mul(NANOS_PER_SECOND);
    seconds.saturating_add(u64::from(time.subsec_nanos()))
}

/// Whether this time has come.
#[inline]
pub(crate) fn is_reached(due: u64, now: u64) -> bool {
    due <= now && due != NEVER
}
