//! One open connection.
use crate::{Config, Entropy};

/// One open connection.
#[derive(Debug)]
pub struct Connection(());

impl Connection {
    /// The server's end of a connection whose opening handshake is done.
    pub fn server(_config: &Config) -> Self {
        Self(())
    }

    /// The client's end of a connection whose opening handshake is done.
    pub fn client(_config: &Config, _entropy: impl Entropy + 'static) -> Self {
        Self(())
    }
}
