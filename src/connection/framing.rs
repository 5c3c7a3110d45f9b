//! Writing frames: appends header and payload to the output, masked on the way if this side is a client.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Entropy;
use crate::frame::mask::{self, NO_KEY};
use crate::frame::{EncodedHeader, Header, MAX_HEADER_SIZE, Role};
use crate::kernel;
use crate::message::MessageKind;

pub(super) enum Masking {
    /// RFC 6455 section 5.1: a server never masks.
    Server,
    /// A client masks every frame, with a fresh key from here (section 5.3).
    Client(Box<dyn Entropy>),
}

impl Masking {
    #[inline]
    pub(super) fn role(&self) -> Role {
        match self {
            Self::Server => Role::Server,
            Self::Client(_) => Role::Client,
        }
    }

    /// Writes a frame.
    pub(super) fn frame(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) {
        let key = self.next_key();
        write_frame(header, key, payload, out);
    }

    /// Writes a message in one frame. Not inlined, because drawing a key takes registers.
    #[inline(never)]
    pub(super) fn message(&mut self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) {
        let key = self.next_key();
        if key.is_none_or(|key| !short_masked_message(kind, key, payload, out)) {
            write_frame(header(kind, payload), key, payload, out);
        }
    }

    /// Writes a header, and masks the payload in place, for the caller to send after the header.
    pub(super) fn frame_in_place(&mut self, mut header: Header, payload: &mut [u8], out: &mut Vec<u8>) {
        header.mask = self.next_key();
        header.encode().append_to(out);
        if let Some(key) = header.mask {
            mask::apply(payload, key);
        }
    }

    /// Draws a mask key. RFC 6455 section 10.3: after the payload is known, which it is when the caller has passed it;
    /// and before anything else is done: a failing source panics, and the call must not have changed anything by then.
    #[inline]
    pub(super) fn next_key(&mut self) -> Option<[u8; 4]> {
        match self {
            Self::Server => None,
            Self::Client(entropy) => {
                let mut key = [0; 4];
                entropy.fill(&mut key);
                Some(key)
            }
        }
    }
}

/// Writes the header of a message without a mask, for a payload of `len` bytes, if the capacity suffices. Returns whether it
/// did.
#[inline(always)]
pub(super) fn short_header(kind: MessageKind, len: usize, out: &mut Vec<u8>) -> bool {
    if out.capacity().wrapping_sub(out.len()) < EncodedHeader::ROOM {
        return false;
    }
    Header::new(kind.opcode(), len as u64).encode().append_to(out);
    true
}

fn header(kind: MessageKind, payload: &[u8]) -> Header {
    Header::new(kind.opcode(), payload.len() as u64)
}

/// Writes a message in one frame without a mask, if it is short and the capacity suffices. Returns whether it did.
#[inline(always)]
pub(super) fn short_message(kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) -> bool {
    let header = header(kind, payload).short();
    header.is_some_and(|header| kernel::append_short(out, &header, payload, NO_KEY))
}

/// Same as [`short_message`], with a mask.
#[inline(always)]
fn short_masked_message(kind: MessageKind, key: [u8; 4], payload: &[u8], out: &mut Vec<u8>) -> bool {
    match header(kind, payload).short_masked(key) {
        Some(header) => kernel::append_short(out, &header, payload, key),
        None => false,
    }
}

/// Writes a frame, with one reservation.
#[inline(never)]
fn write_frame(mut header: Header, key: Option<[u8; 4]>, payload: &[u8], out: &mut Vec<u8>) {
    header.mask = key;
    out.reserve(payload.len().saturating_add(EncodedHeader::ROOM));
    header.encode().append_to(out);
    match key {
        Some(key) => kernel::append(out, payload, key),
        None => out.extend_from_slice(payload),
    }
}

/// Leaves room for the header of a frame whose length is not known yet, and returns where the frame starts.
pub(super) fn begin_frame(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; MAX_HEADER_SIZE]);
    start
}

/// Turns the payload written after [`begin_frame`] into a frame.
pub(super) fn finish_frame(mut header: Header, start: usize, out: &mut Vec<u8>) {
    let payload = start.saturating_add(MAX_HEADER_SIZE).min(out.len());
    let len = out.len().saturating_sub(payload);
    header.payload_len = len as u64;
    let encoded = header.encode();
    // The header is mostly shorter than the room for it.
    let moved = start.saturating_add(encoded.len()).min(payload);
    out.copy_within(payload.., moved);
    out.truncate(moved.saturating_add(len));
    if let Some(room) = out.get_mut(start..moved) {
        room.copy_from_slice(&encoded);
    }
    if let (Some(key), Some(payload)) = (header.mask, out.get_mut(moved..)) {
        mask::apply(payload, key);
    }
}

/// Marks the header of a compressed message's first frame (RFC 7692 section 6).
pub(super) fn deflated(mut header: Header) -> Header {
    header.rsv1 = true;
    header
}
