//! Limits and timeouts.

use std::time::Duration;

use pyo3::prelude::*;
use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::EndpointConfig;
use websocket_proto::keepalive::KeepaliveConfig;

use crate::error::misuse;

/// Limits and timeouts, in bytes and seconds. A timeout of ``None`` never passes.
///
/// ``max_message_size`` bounds a received message, all its fragments together and inflated: a longer one fails the connection with
/// 1009. ``max_buffered`` bounds the output that waits, see :class:`OutputFull`. ``max_read_size`` is the largest single read.
/// ``compression`` offers and accepts permessage-deflate (RFC 7692). ``open_timeout`` and ``close_timeout`` are for the two
/// handshakes, ``ping_interval`` for the time between Pings, ``ping_timeout`` for silence after a Ping, ``write_timeout`` for output
/// that the transport does not accept, ``linger_timeout`` for the drain after the last byte.
#[pyclass(frozen, module = "websocket_proto")]
#[derive(Default)]
pub struct Config {
    pub endpoint: EndpointConfig,
}

#[pymethods]
impl Config {
    #[new]
    #[pyo3(signature = (
        *,
        max_message_size = 1 << 20,
        max_buffered = 1 << 20,
        max_read_size = 1 << 16,
        compression = false,
        open_timeout = Some(10.0),
        ping_interval = Some(20.0),
        ping_timeout = Some(20.0),
        close_timeout = Some(10.0),
        write_timeout = Some(10.0),
        linger_timeout = Some(2.0),
    ), text_signature = "(*, max_message_size=1048576, max_buffered=1048576, max_read_size=65536, compression=False, \
        open_timeout=10.0, ping_interval=20.0, ping_timeout=20.0, close_timeout=10.0, write_timeout=10.0, linger_timeout=2.0)")]
    #[allow(clippy::too_many_arguments, reason = "keywords in Python")]
    fn new(
        max_message_size: u64,
        max_buffered: usize,
        max_read_size: usize,
        compression: bool,
        open_timeout: Option<f64>,
        ping_interval: Option<f64>,
        ping_timeout: Option<f64>,
        close_timeout: Option<f64>,
        write_timeout: Option<f64>,
        linger_timeout: Option<f64>,
    ) -> PyResult<Self> {
        let mut connection = websocket_proto::Config::new().max_message_size(max_message_size);
        if compression {
            connection = connection.deflate(DeflateConfig::new());
        }
        let keepalive = KeepaliveConfig::new()
            .open_timeout(timeout(open_timeout)?)
            .ping_interval(timeout(ping_interval)?)
            .ping_timeout(timeout(ping_timeout)?)
            .close_timeout(timeout(close_timeout)?);
        let endpoint = EndpointConfig::new()
            .connection(connection)
            .keepalive(keepalive)
            .max_buffered(max_buffered)
            .max_read_size(max_read_size)
            .write_timeout(timeout(write_timeout)?)
            .linger_timeout(timeout(linger_timeout)?);
        Ok(Self { endpoint })
    }
}

/// The configuration that an optional argument stands for.
pub fn or_default(config: Option<&Config>) -> EndpointConfig {
    config.map_or_else(EndpointConfig::new, |config| config.endpoint.clone())
}

/// `None` is "never".
fn timeout(value: Option<f64>) -> PyResult<Duration> {
    value.map_or(Ok(Duration::MAX), seconds)
}

/// A time from Python: any number of seconds that a `Duration` can hold.
pub fn seconds(value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| {
        misuse(format_args!(
            "{value} is not a time: it must be finite, at least 0, and less than 2**64"
        ))
    })
}
