//! The engine that deflates: zlib's state.
//!
//! Each engine serves one connection, and is dropped with what it saw. This keeps one connection's text out of the
//! sizes of another's messages, because an engine cannot be cleared: `Deflate::reset` of zlib-rs 0.6.8, the newest
//! version when this was written, clears the heads of the hash chains and leaves the window and the chains as they
//! were. Both are read after a reset: `set_dictionary` hashes four bytes at the last positions of a dictionary, and so
//! reads bytes after it; levels 2 and 7 to 9 follow links that the new stream has not written.
//! `Deflate::new_with_config` zeroes the window, the chains and the heads; the buffers of symbols and of output, which
//! it leaves uninitialized, are read only as far as they were written.
//!
//! A new engine for each message costs about 3 microseconds more than a reset, nearly all of it for the heads, which
//! are zeroed twice. Overwriting a used one through its interface, with dictionaries of zeros, costs more, 23
//! microseconds with 12 bits, and does not help at level 9.

use alloc::vec::Vec;

use zlib_rs::{Deflate, DeflateFlush, Status};

use super::TAIL;
use super::history::History;

/// The largest output requested from the engine at once.
const MAX_ROOM: usize = 16 * 1024;

/// The engine counts the bytes of its stream, and the count must not overflow a `c_ulong` of 32 bits, at 4 GiB: it gets
/// at most this many bytes at once, and none once it has counted as many.
pub(super) const MAX_COUNT: usize = match cfg!(test) {
    false => 1 << 30,
    true => 1 << 16,
};

pub(super) struct Deflater {
    deflate: Deflate,
}

impl Deflater {
    /// The smallest block buffers hold 2,048 symbols: smaller ones double the work, because each block has its own
    /// code, and save little next to the hash table, which takes 128 KiB for any window.
    pub(super) fn new(bits: u8, level: u8) -> Self {
        Self {
            deflate: Deflate::new_with_config(zlib_rs::DeflateConfig {
                level: i32::from(level),
                window_bits: i32::from(bits).saturating_neg(),
                mem_level: i32::from(bits).saturating_sub(7).max(5),
                ..zlib_rs::DeflateConfig::default()
            }),
        }
    }

    /// Returns whether the engine has counted as much as it may.
    pub(super) fn is_spent(&self) -> bool {
        self.count() >= MAX_COUNT as u64
    }

    pub(super) fn count(&self) -> u64 {
        self.deflate.total_in().max(self.deflate.total_out())
    }

    /// Sets `history` as what the engine deflated last. Returns whether the engine accepted it, which a raw stream
    /// always does between blocks.
    #[must_use]
    pub(super) fn prime(&mut self, history: &History) -> bool {
        let mut parts = history.parts().into_iter().filter(|part| !part.is_empty());
        parts.all(|part| self.deflate.set_dictionary(part).is_ok())
    }

    /// Appends `chunk`, at most [`MAX_COUNT`] bytes, flushed. Returns whether the engine succeeded.
    #[must_use]
    pub(super) fn deflate(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) -> bool {
        // Room for incompressible data, so that one call is enough for most messages.
        let mut room = chunk.len().saturating_add(64).min(MAX_ROOM);
        loop {
            let start = out.len();
            out.resize(start.saturating_add(room), 0);
            let (read, written) = (self.deflate.total_in(), self.deflate.total_out());
            let free = out.get_mut(start..).unwrap_or_default();
            let status = self.deflate.compress(chunk, free, DeflateFlush::SyncFlush);
            let since = |now: u64, before: u64| usize::try_from(now.saturating_sub(before)).unwrap_or(0);
            let read = since(self.deflate.total_in(), read);
            let written = since(self.deflate.total_out(), written);
            out.truncate(start.saturating_add(written));
            chunk = chunk.get(read..).unwrap_or_default();
            match status {
                Ok(Status::Ok | Status::BufError) if chunk.is_empty() && written < room => {
                    return out.ends_with(&TAIL);
                }
                // The engine may have consumed all of it, and still have much output.
                Ok(Status::Ok) if written > 0 => room = MAX_ROOM,
                _ => return false,
            }
        }
    }
}

/// Appends `chunk` uncompressed, in stored blocks, and the end of a flush.
#[cold]
pub(super) fn store(chunk: &[u8], out: &mut Vec<u8>) {
    for block in chunk.chunks(usize::from(u16::MAX)).chain([&[][..]]) {
        let len = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0x00);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decompressor, Window};
    use super::*;
    use alloc::vec;

    #[test]
    fn stored_parts_can_be_read() {
        for size in [1, 65534, 65535, 65536, 200_000] {
            let chunk = vec![7; size];
            let (mut wire, mut out) = (Vec::new(), Vec::new());
            store(&chunk, &mut wire);
            assert!(wire.ends_with(&TAIL));
            wire.truncate(wire.len() - TAIL.len());
            Decompressor::new(Window::default())
                .decompress(&wire, u64::MAX, &mut out)
                .unwrap();
            assert!(out == chunk);
        }
    }
}
