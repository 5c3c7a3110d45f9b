//! The settings of the endpoints that are opened next.

use std::time::Duration;

use websocket_proto::Config;
use websocket_proto::endpoint::EndpointConfig;
use websocket_proto::keepalive::KeepaliveConfig;

use crate::code::Code;
use crate::edge::{Instance, enter};

/// The settings, in the order of the parameters of [`ws_configure`].
struct Settings {
    connection: Config,
    keepalive: KeepaliveConfig,
    endpoint: EndpointConfig,
}

/// Sets the configuration of the endpoints that are opened from now on. Sizes are in bytes, timeouts in milliseconds, `Infinity` disables
/// a timeout; `deflate` is 1 to negotiate compression and 0 not to. Returns 0.
///
/// [`Code::InvalidArgument`] for a size that is not between 1 and 2^31 - 1, a timeout that is negative, and NaN; [`Code::NoDeflate`] if
/// there is no compression in this module.
#[unsafe(no_mangle)]
#[allow(
    clippy::too_many_arguments,
    reason = "a struct would have to be read from memory"
)]
pub extern "C" fn ws_configure(
    max_message_size: f64,
    max_head_size: f64,
    max_buffered: f64,
    open_timeout: f64,
    ping_interval: f64,
    ping_timeout: f64,
    close_timeout: f64,
    write_timeout: f64,
    linger_timeout: f64,
    deflate: u32,
) -> i32 {
    enter(|instance| {
        let connection = Config::new()
            .max_message_size(size(max_message_size)? as u64)
            .max_head_size(size(max_head_size)?);
        let settings = Settings {
            connection: with_deflate(connection, deflate)?,
            keepalive: KeepaliveConfig::new()
                .open_timeout(time(open_timeout)?)
                .ping_interval(time(ping_interval)?)
                .ping_timeout(time(ping_timeout)?)
                .close_timeout(time(close_timeout)?),
            endpoint: EndpointConfig::new()
                .max_buffered(size(max_buffered)?)
                .write_timeout(time(write_timeout)?)
                .linger_timeout(time(linger_timeout)?),
        };
        instance.set(settings);
        Ok(0)
    })
}

impl Instance {
    fn set(&mut self, settings: Settings) {
        let Settings {
            connection,
            keepalive,
            endpoint,
        } = settings;
        self.config = endpoint.connection(connection).keepalive(keepalive);
    }
}

fn with_deflate(config: Config, deflate: u32) -> Result<Config, Code> {
    match deflate {
        0 => Ok(config),
        #[cfg(feature = "deflate")]
        1 => Ok(config.deflate(websocket_proto::deflate::DeflateConfig::new())),
        #[cfg(not(feature = "deflate"))]
        1 => Err(Code::NoDeflate),
        _ => Err(Code::InvalidArgument),
    }
}

fn size(bytes: f64) -> Result<usize, Code> {
    let is_valid = bytes >= 1.0 && bytes <= f64::from(i32::MAX);
    is_valid.then_some(bytes as usize).ok_or(Code::InvalidArgument)
}

/// Converts milliseconds. Longer times than `Duration` has are the longest.
pub fn time(millis: f64) -> Result<Duration, Code> {
    let is_valid = millis >= 0.0;
    let time = || Duration::try_from_secs_f64(millis / 1000.0).unwrap_or(Duration::MAX);
    is_valid.then(time).ok_or(Code::InvalidArgument)
}
