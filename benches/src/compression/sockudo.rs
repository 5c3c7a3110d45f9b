//! `sockudo-ws`: the codec of a connection. It returns each message in a separate `Bytes`.

use std::any::Any;

use sockudo_ws::deflate::{DeflateConfig, DeflateContext, DeflateWindowBits};

use super::{Codec, Contestant, LEVEL, LIMIT, Terms};

pub const CONTESTANT: Contestant = Contestant {
    name: "sockudo-ws",
    connect: |terms| Box::new(Sockudo::new(terms)),
    keeps_engine: false,
};

struct Sockudo(DeflateContext);

impl Sockudo {
    fn new(terms: Terms) -> Self {
        let bits = DeflateWindowBits::try_from(terms.bits).expect("the window is supported");
        Self(DeflateContext::server(DeflateConfig {
            server_max_window_bits: bits,
            client_max_window_bits: bits,
            server_no_context_takeover: !terms.takeover,
            client_no_context_takeover: !terms.takeover,
            compression_level: LEVEL.into(),
            compression_threshold: 0,
        }))
    }
}

impl Codec for Sockudo {
    fn compress(&mut self, message: &[u8], take: &mut dyn FnMut(&[u8])) {
        let payload = self.0.compress(message).expect("zlib compresses anything");
        take(&payload.expect("the message gets smaller"));
    }

    fn inflate(&mut self, payload: &[u8], take: &mut dyn FnMut(&[u8])) {
        let text = self.0.decompress(payload, LIMIT as usize);
        take(&text.expect("the data are valid"));
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
