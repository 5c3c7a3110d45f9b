//! Writing frames: appends header and payload to the output, masked on the way if this side is a client.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::Entropy;
use crate::frame::{EncodedHeader, Header, MAX_HEADER_SIZE, Role, mask};

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

    /// Writes a frame, with one reservation. Always inlined, because reading the header from memory would take longer than
    /// encoding it.
    #[inline(always)]
    pub(super) fn frame(&mut self, mut header: Header, payload: &[u8], out: &mut Vec<u8>) {
        let Some(key) = self.next_key() else {
            return unmasked_frame(header, payload, out);
        };
        header.mask = Some(key);
        out.reserve(payload.len().saturating_add(EncodedHeader::ROOM));
        header.encode().append_to(out);
        mask::append(out, payload, key);
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

/// Writes a server's frame.
#[inline]
pub(super) fn unmasked_frame(header: Header, payload: &[u8], out: &mut Vec<u8>) {
    let free = out.capacity().wrapping_sub(out.len());
    match header.short() {
        Some(header) if payload.len().saturating_add(header.len()) <= free => {
            out.extend_from_slice(&header);
            out.extend_from_slice(payload);
        }
        _ => any_unmasked_frame(header, payload, out),
    }
}

/// Not inlined, so that what is short finds less to go around.
#[inline(never)]
fn any_unmasked_frame(header: Header, payload: &[u8], out: &mut Vec<u8>) {
    out.reserve(payload.len().saturating_add(EncodedHeader::ROOM));
    header.encode().append_to(out);
    out.extend_from_slice(payload);
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
