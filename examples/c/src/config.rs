//! The configuration of an endpoint.

use std::time::Duration;

use websocket_proto::deflate::DeflateConfig;
use websocket_proto::endpoint::EndpointConfig;
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::{Config, Delivery};

use crate::code::wsp_code;

/// How messages are delivered: values of `wsp_config.delivery`.
#[repr(C)]
#[allow(dead_code, reason = "C writes the numbers")]
pub enum wsp_delivery {
    /// Complete, assembled from their parts.
    Whole = 0,
    /// Complete, in the read buffer, which grows up to the largest message.
    InPlace = 1,
    /// In chunks, as they arrive, so that messages of any size need little memory.
    Chunks = 2,
}

/// Limits and timeouts. 0 stands for the default, so `wsp_config config = {0};` is the default configuration. Times are in nanoseconds;
/// UINT64_MAX disables a timeout.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct wsp_config {
    /// The largest message to receive, in bytes, inflated. Default: 1 MiB. A larger one is answered with Close 1009.
    pub max_message_size: u64,
    /// The largest head of a request or a response, in bytes. Default: 16 KiB.
    pub max_head_size: usize,
    /// How much output may wait, in bytes. Default: 1 MiB. Once that much is replies, sent while an event is held, nothing is read until
    /// some is written; other messages are refused with `WSP_CODE_FULL`.
    pub max_buffered: usize,
    /// The largest read, in bytes. Default: 64 KiB.
    pub max_read_size: usize,
    /// For the opening handshake. Default: 10 seconds.
    pub open_timeout: u64,
    /// Between Pings. Default: 20 seconds.
    pub ping_interval: u64,
    /// For any activity after a Ping. Default: 20 seconds.
    pub ping_timeout: u64,
    /// For the closing handshake. Default: 10 seconds.
    pub close_timeout: u64,
    /// For a write that makes no progress. Default: 10 seconds.
    pub write_timeout: u64,
    /// For the peer to end its side after the last byte was written. Default: 2 seconds.
    pub linger_timeout: u64,
    /// A `wsp_delivery`. Default: `WSP_DELIVERY_WHOLE`.
    pub delivery: u32,
    /// 1 to negotiate permessage-deflate (RFC 7692). Default: 0, no compression.
    pub deflate: u32,
}

impl wsp_config {
    pub fn to_rust(config: Option<&Self>) -> Result<EndpointConfig, wsp_code> {
        config.copied().unwrap_or_default().endpoint()
    }

    fn endpoint(&self) -> Result<EndpointConfig, wsp_code> {
        let mut config = EndpointConfig::new()
            .connection(self.connection()?)
            .keepalive(self.keepalive());
        config = set(config, self.max_buffered, EndpointConfig::max_buffered);
        config = set(config, self.max_read_size, EndpointConfig::max_read_size);
        config = set_time(config, self.write_timeout, EndpointConfig::write_timeout);
        Ok(set_time(
            config,
            self.linger_timeout,
            EndpointConfig::linger_timeout,
        ))
    }

    fn connection(&self) -> Result<Config, wsp_code> {
        let mut config = set(Config::new(), self.max_message_size, Config::max_message_size);
        config = set(config, self.max_head_size, Config::max_head_size);
        config = match self.delivery {
            0 => config.delivery(Delivery::Whole),
            1 => config.delivery(Delivery::InPlace),
            2 => config.delivery(Delivery::Chunks),
            _ => return Err(wsp_code::InvalidArgument),
        };
        match self.deflate {
            0 => Ok(config),
            1 => Ok(config.deflate(DeflateConfig::new())),
            _ => Err(wsp_code::InvalidArgument),
        }
    }

    fn keepalive(&self) -> KeepaliveConfig {
        let mut config = KeepaliveConfig::new();
        config = set_time(config, self.open_timeout, KeepaliveConfig::open_timeout);
        config = set_time(config, self.ping_interval, KeepaliveConfig::ping_interval);
        config = set_time(config, self.ping_timeout, KeepaliveConfig::ping_timeout);
        set_time(config, self.close_timeout, KeepaliveConfig::close_timeout)
    }
}

/// Calls a setter, unless the value is 0, which stands for the default.
fn set<C, V: Default + PartialEq>(config: C, value: V, setter: impl FnOnce(C, V) -> C) -> C {
    match value == V::default() {
        true => config,
        false => setter(config, value),
    }
}

fn set_time<C>(config: C, nanos: u64, setter: impl FnOnce(C, Duration) -> C) -> C {
    let time = match nanos {
        u64::MAX => Duration::MAX,
        _ => Duration::from_nanos(nanos),
    };
    set(config, time, setter)
}
