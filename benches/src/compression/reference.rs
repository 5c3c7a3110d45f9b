//! The other end: compresses the payloads to inflate with zlib, and inflates compressed ones with a codec that no contestant uses.

use flate2::{Compress, Compression, FlushCompress};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush};

use super::{LEVEL, Terms};

/// Removed from the end of each message (RFC 7692 section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

pub struct Deflater {
    zlib: Compress,
    takeover: bool,
}

impl Deflater {
    pub fn new(terms: Terms) -> Self {
        Self {
            zlib: Compress::new_with_window_bits(Compression::new(LEVEL.into()), false, terms.bits),
            takeover: terms.takeover,
        }
    }

    pub fn compress(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = Vec::with_capacity(message.len() + 64);
        self.zlib
            .compress_vec(message, &mut payload, FlushCompress::Sync)
            .expect("zlib compresses anything");
        assert!(payload.ends_with(&TAIL), "all of it was flushed");
        payload.truncate(payload.len() - TAIL.len());
        if !self.takeover {
            self.zlib.reset();
        }
        payload
    }
}

pub struct Inflater {
    state: Box<InflateState>,
    takeover: bool,
}

impl Inflater {
    pub fn new(terms: Terms) -> Self {
        Self {
            state: InflateState::new_boxed(DataFormat::Raw),
            takeover: terms.takeover,
        }
    }

    /// Whether the payload inflates to `message` and to nothing more.
    pub fn yields(&mut self, payload: &[u8], message: &[u8]) -> bool {
        if !self.takeover {
            self.state.reset(DataFormat::Raw);
        }
        let wire = [payload, &TAIL].concat();
        let (mut at, mut text) = (0, Vec::new());
        loop {
            let mut piece = [0; 4096];
            let step = inflate(&mut self.state, &wire[at..], &mut piece, MZFlush::None);
            at += step.bytes_consumed;
            text.extend_from_slice(&piece[..step.bytes_written]);
            match step.status {
                Ok(_) if step.bytes_consumed + step.bytes_written > 0 => {}
                Ok(_) | Err(MZError::Buf) => break,
                Err(_) => return false,
            }
        }
        at == wire.len() && text == message
    }
}
