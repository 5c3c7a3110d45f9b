//! Deflating: messages in, the payload of their frames out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::history::History;
use super::pool;
use super::{DeflateConfig, TAIL, Window};

/// Compresses the messages of one direction (RFC 7692 section 7.2.1).
///
/// ```
/// use websocket_proto::deflate::{Compressor, DeflateConfig, Window};
///
/// let mut compressor = Compressor::new(Window::default(), &DeflateConfig::new()).unwrap();
/// let mut payload = Vec::new();
/// compressor.compress(b"Hello", &mut payload);
/// assert_eq!(payload, b"\xf2\x48\xcd\xc9\xc9\x07\x00");
///
/// // A message in two frames; the first ends on a flush, and can be read as it comes.
/// let (mut first, mut last) = (Vec::new(), Vec::new());
/// compressor.push(b"Hel", &mut first);
/// compressor.compress(b"lo", &mut last);
/// assert!(first.ends_with(b"\x00\x00\xff\xff") && !last.ends_with(b"\x00\x00\xff\xff"));
/// ```
pub struct Compressor {
    /// What the next message may refer to, if the engine is not kept between messages.
    history: History,
    /// Inside a message, and between messages if it is kept.
    engine: Option<Box<Deflater>>,
    bits: u8,
    level: u8,
    takeover: bool,
    keep_engine: bool,
    threshold: usize,
}

/// The engine, with what it was made for.
pub(super) struct Deflater {
    deflate: Deflate,
    bits: u8,
    level: u8,
}

impl Compressor {
    /// For a direction with the agreed window: that of our own [`Parameters::sent_by`](super::Parameters::sent_by).
    /// Allocates nothing. Of `config`, [`send_window_bits`](DeflateConfig::send_window_bits),
    /// [`keep_engine`](DeflateConfig::keep_engine), [`level`](DeflateConfig::level) and
    /// [`threshold`](DeflateConfig::threshold) count.
    ///
    /// `None` with a window of 8 bits: no zlib makes raw DEFLATE data that keep to it (it takes 9), so
    /// everything is sent as it is, which is always allowed (RFC 7692 section 5.2).
    pub const fn new(window: Window, config: &DeflateConfig) -> Option<Self> {
        if window.bits() < 9 {
            return None;
        }
        let window = window.at_most(config.send_window_bits);
        let history = window.takeover() && !config.keep_engine;
        Some(Self {
            history: History::new(if history { window.size() } else { 0 }),
            engine: None,
            bits: window.bits(),
            level: config.level,
            takeover: window.takeover(),
            keep_engine: config.keep_engine,
            threshold: config.threshold,
        })
    }

    /// Whether a message of `size` bytes reaches [`DeflateConfig::threshold`].
    pub const fn is_worth(&self, size: usize) -> bool {
        size >= self.threshold
    }

    /// Compresses a part of a message, and appends it to `out`, flushed: the receiver can inflate all of it.
    ///
    /// What is appended is the payload of a frame that is not the message's last; it may be cut into more. A
    /// part without a byte appends nothing.
    pub fn push(&mut self, part: &[u8], out: &mut Vec<u8>) {
        if part.is_empty() {
            return;
        }
        let start = out.len();
        let engine = self
            .engine
            .get_or_insert_with(|| Deflater::begin(self.bits, self.level, &self.history));
        if engine.deflate(part, out) {
            self.history.extend(part);
        } else {
            // Not known to happen. What follows refers to nothing before it.
            out.truncate(start);
            self.engine = None;
            self.history.take();
            store(part, out);
        }
    }

    /// Compresses a whole message, or the last part of one, and appends it to `out`. It is never empty: an
    /// empty message is the byte 0.
    pub fn compress(&mut self, message: &[u8], out: &mut Vec<u8>) {
        self.push(message, out);
        match message.is_empty() {
            // After a flush, as at the beginning, the first bits of an empty stored block.
            true => out.push(0x00),
            // Each flush ends with the tail.
            false => out.truncate(out.len().saturating_sub(TAIL.len())),
        }
        if !(self.takeover && self.keep_engine) {
            self.give_engine_back();
        }
    }

    /// Forgets all earlier messages, so that the next one refers to nothing before it. Between messages only.
    ///
    /// Needed after a message on this connection that another compressor made: the receiver's window has moved
    /// then, and this one has not.
    pub fn forget(&mut self) {
        self.history.take();
        self.give_engine_back();
    }

    fn give_engine_back(&mut self) {
        if let Some(engine) = self.engine.take() {
            pool::deflaters().give(engine);
        }
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor")
            .field("bits", &self.bits)
            .field("takeover", &self.takeover)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl Deflater {
    fn begin(bits: u8, level: u8, history: &History) -> Box<Self> {
        let pooled = pool::deflaters().take(|engine| (engine.bits, engine.level) == (bits, level));
        let mut engine = match pooled {
            Some(mut engine) => {
                engine.deflate.reset();
                engine
            }
            None => Box::new(Self {
                deflate: make(bits, level),
                bits,
                level,
            }),
        };
        for part in history.parts() {
            if !part.is_empty() {
                // A raw stream takes any history between blocks. If it did not, it would not refer to it.
                let primed = engine.deflate.set_dictionary(part);
                debug_assert!(primed.is_ok());
            }
        }
        engine
    }

    /// Appends `part`, flushed. Whether the engine did so.
    fn deflate(&mut self, mut part: &[u8], out: &mut Vec<u8>) -> bool {
        // Room for what cannot be compressed, so that one call does for most messages.
        let mut room = part.len().saturating_add(64).min(MAX_ROOM);
        loop {
            let start = out.len();
            out.resize(start.saturating_add(room), 0);
            let (read, written) = (self.deflate.total_in(), self.deflate.total_out());
            let free = out.get_mut(start..).unwrap_or_default();
            let status = self.deflate.compress(part, free, DeflateFlush::SyncFlush);
            let since = |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or(0);
            let read = since(self.deflate.total_in(), read);
            let written = since(self.deflate.total_out(), written);
            out.truncate(start.saturating_add(written));
            part = part.get(read..).unwrap_or_default();
            match status {
                Ok(Status::Ok | Status::BufError) if part.is_empty() && written < room => {
                    return out.ends_with(&TAIL);
                }
                // The engine may have taken all of it, and still have much to give.
                Ok(Status::Ok) if written > 0 => room = MAX_ROOM,
                _ => return false,
            }
        }
    }
}

/// The most that is asked of the engine at once.
const MAX_ROOM: usize = 16 * 1024;

/// The smallest block buffers are for 2,048 symbols: smaller ones make twice the work, as each block has its
/// own code, and save little beside the hash table, which has 128 KiB for any window.
fn make(bits: u8, level: u8) -> Deflate {
    Deflate::new_with_config(zlib_rs::DeflateConfig {
        level: i32::from(level),
        window_bits: i32::from(bits).saturating_neg(),
        mem_level: i32::from(bits).saturating_sub(7).max(5),
        ..zlib_rs::DeflateConfig::default()
    })
}

/// Appends `part` as it is, in stored blocks, and what a flush ends with.
#[cold]
fn store(part: &[u8], out: &mut Vec<u8>) {
    for block in part.chunks(usize::from(u16::MAX)).chain([&[][..]]) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0x00);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Decompressor;
    use super::*;
    use alloc::vec;

    #[test]
    fn stored_parts_can_be_read() {
        for size in [1, 65534, 65535, 65536, 200_000] {
            let part = vec![7; size];
            let (mut wire, mut out) = (Vec::new(), Vec::new());
            store(&part, &mut wire);
            assert!(wire.ends_with(&TAIL));
            wire.truncate(wire.len() - TAIL.len());
            Decompressor::new(Window::default())
                .decompress(&wire, u64::MAX, &mut out)
                .unwrap();
            assert!(out == part);
        }
    }
}
