//! `websocket-proto`: the codec of a connection, with its default settings.

use std::any::Any;

use websocket_proto::deflate::{Compressor, Decompressor, DeflateConfig, Window};

use super::{Codec, Contestant, LEVEL, LIMIT, Terms};

pub const CONTESTANT: Contestant = Contestant {
    name: "ours",
    connect: |terms| {
        Box::new(Ours::new(
            terms,
            &DeflateConfig::new().send_window_bits(15).level(LEVEL),
        ))
    },
    keeps_engine: false,
};

/// `CONTESTANT` with [`DeflateConfig::keep_engine`].
pub const KEPT: Contestant = Contestant {
    name: "kept",
    connect: |terms| {
        Box::new(Ours::new(
            terms,
            &DeflateConfig::new()
                .send_window_bits(15)
                .level(LEVEL)
                .keep_engine(true),
        ))
    },
    keeps_engine: true,
};

struct Ours {
    compressor: Compressor,
    decompressor: Decompressor,
    /// A buffer that all connections of a thread may share.
    out: Vec<u8>,
}

impl Ours {
    fn new(terms: Terms, config: &DeflateConfig) -> Self {
        let window = Window::new(terms.bits).expect("8 to 15 bits");
        let window = match terms.takeover {
            true => window,
            false => window.without_context_takeover(),
        };
        Self {
            compressor: Compressor::new(window, config).expect("the window is large enough"),
            decompressor: Decompressor::new(window),
            out: Vec::new(),
        }
    }
}

impl Codec for Ours {
    fn compress(&mut self, message: &[u8], take: &mut dyn FnMut(&[u8])) {
        self.out.clear();
        self.compressor.compress(message, &mut self.out);
        take(&self.out);
    }

    fn inflate(&mut self, payload: &[u8], take: &mut dyn FnMut(&[u8])) {
        self.out.clear();
        self.decompressor
            .decompress(payload, LIMIT, &mut self.out)
            .expect("the data are valid");
        take(&self.out);
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new((self.compressor, self.decompressor))
    }
}
