//! Connections whose settings are read from bytes.

use super::common::{naive, open};
use super::input::Input;
use websocket_proto::{AutoPong, Config, Connection, Role};

/// Limits for messages, within and beyond the reach of an input.
const LIMITS: [u64; 8] = [180, 0, 1, 125, 1000, 65_536, 1 << 20, u64::MAX];

/// The bits of windows.
const BITS: [u8; 4] = [8, 9, 12, 15];

#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub limit: u64,
    pub auto_pong: AutoPong,
    pub auto_close: bool,
    /// Messages are delivered in chunks, if a target uses that.
    pub stream: bool,
    pub accept_any_close_code: bool,
    accept_unmasked: bool,
    accept_non_minimal_length: bool,
    accept_rsv1_on_control: bool,
    /// The window bits and the context takeover of the client and of the server: see `deflated`.
    deflate: Option<u8>,
}

impl Settings {
    pub fn read(input: &mut Input) -> Self {
        let (flags, deflate) = (input.byte(), input.byte());
        let deflate = Some(deflate).filter(|deflate| cfg!(feature = "deflate") && *deflate >= 0x80);
        Self {
            limit: input.pick(&LIMITS),
            auto_pong: match flags & 3 {
                1 => AutoPong::Off,
                2 => AutoPong::UntilPeerCloses,
                _ => AutoPong::WhileOpen,
            },
            auto_close: flags & 4 == 0,
            stream: flags & 64 != 0,
            accept_unmasked: flags & 8 != 0,
            accept_non_minimal_length: flags & 16 != 0,
            accept_rsv1_on_control: flags & 128 != 0,
            accept_any_close_code: flags & 32 != 0,
            deflate,
        }
    }

    pub fn config(&self) -> Config {
        Config::new()
            .max_message_size(self.limit)
            .auto_pong(self.auto_pong)
            .auto_close(self.auto_close)
            .accept_unmasked(self.accept_unmasked)
            .accept_non_minimal_length(self.accept_non_minimal_length)
            .accept_rsv1_on_control(self.accept_rsv1_on_control)
            .accept_any_close_code(self.accept_any_close_code)
    }

    /// The same settings for the naive receiver.
    pub fn rules(&self, role: Role) -> naive::Rules {
        naive::Rules {
            role,
            limit: self.limit.min(isize::MAX as u64),
            accept_unmasked: self.accept_unmasked,
            accept_non_minimal_length: self.accept_non_minimal_length,
            accept_rsv1_on_control: self.accept_rsv1_on_control,
            accept_any_close_code: self.accept_any_close_code,
            window: self.deflate.map(|flags| match role {
                Role::Server => (BITS[usize::from(flags & 3)], flags & 16 == 0),
                Role::Client => (BITS[usize::from(flags >> 2 & 3)], flags & 32 == 0),
            }),
        }
    }

    pub fn is_deflated(&self) -> bool {
        self.deflate.is_some()
    }

    pub fn open(&self, role: Role) -> Connection {
        self.open_with(role, &self.config())
    }

    pub fn open_with(&self, role: Role, config: &Config) -> Connection {
        self.deflated(open(role, config))
    }

    #[cfg(feature = "deflate")]
    fn deflated(&self, connection: Connection) -> Connection {
        use super::common::windows::window;
        use websocket_proto::deflate::{DeflateConfig, Parameters};
        let Some(flags) = self.deflate else {
            return connection;
        };
        // A server receives what its client sends.
        let [client, server] = [Role::Server, Role::Client].map(|receiver| {
            let (bits, takeover) = self.rules(receiver).window.unwrap_or((15, true));
            window(bits, takeover)
        });
        let config = DeflateConfig::new().threshold(if flags & 64 == 0 { 0 } else { 32 });
        connection.with_deflate(Parameters::new(client, server), &config.level(flags & 7))
    }

    #[cfg(not(feature = "deflate"))]
    fn deflated(&self, connection: Connection) -> Connection {
        connection
    }
}
