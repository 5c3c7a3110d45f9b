//! The sending half: messages in, bytes out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::compression::{Deflating, compress};
use super::prepared::Prepared;
use super::state::SendState;
use crate::close::MAX_REASON_SIZE;
use crate::error::Misuse;
use crate::frame::{Header, MAX_CONTROL_PAYLOAD, MAX_HEADER_SIZE, OpCode, Role, mask};
use crate::message::MessageKind;
use crate::utf8::Utf8;
use crate::{CloseCode, Entropy};

/// Whether a fragment is the last one of its message: the FIN bit of RFC 6455 section 5.2.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "a bit")]
pub enum Fin {
    /// More fragments follow.
    More,
    /// This is the last one.
    Last,
}

/// Everything that is kept of what we send. What the state of the connection allows is checked before, in
/// `state`.
pub(super) struct Sender {
    masking: Masking,
    pub(super) deflating: Deflating,
    /// Whether the caller wants compression, where it was agreed.
    pub(super) compression: Compression,
    message: Option<Message>,
    pub(super) state: SendState,
}

/// Whether messages are compressed, where this was agreed and they are large enough to be worth it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "on or off")]
pub enum Compression {
    /// Messages are compressed.
    #[default]
    On,
    /// Messages are sent as they are: for what is compressed already, and for secrets beside text that others
    /// choose (RFC 7692 section 8).
    Off,
}

/// The fragmented message that is being sent.
#[derive(Clone, Copy)]
struct Message {
    kind: MessageKind,
    /// Of a text: how its bytes so far end.
    utf8: Utf8,
    compression: Compression,
}

enum Masking {
    /// RFC 6455 section 5.1: a server never masks.
    Server,
    /// A client masks every frame, with a fresh key from here (section 5.3).
    Client(Box<dyn Entropy>),
}

impl Sender {
    pub(super) fn server() -> Self {
        Self::new(Masking::Server)
    }

    pub(super) fn client(entropy: Box<dyn Entropy>) -> Self {
        Self::new(Masking::Client(entropy))
    }

    fn new(masking: Masking) -> Self {
        Self {
            masking,
            deflating: Deflating::Off,
            compression: Compression::On,
            message: None,
            state: SendState::Open,
        }
    }

    pub(super) fn role(&self) -> Role {
        match self.masking {
            Masking::Server => Role::Server,
            Masking::Client(_) => Role::Client,
        }
    }

    /// Whether a fragmented message has been begun and not finished.
    pub(super) fn is_mid_message(&self) -> bool {
        self.message.is_some()
    }

    #[inline]
    pub(super) fn message(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.check_between_messages()?;
        let header = Header::new(kind.opcode(), payload.len() as u64);
        if !self.deflating.is_off() && self.compressed_message(header, payload, out) {
            return Ok(());
        }
        self.masking.frame(header, payload, out);
        Ok(())
    }

    /// Sends the message compressed, if it is to be. Not inlined, so that it costs nothing where it is not agreed.
    #[inline(never)]
    fn compressed_message(&mut self, header: Header, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let compressor = match self.compression {
            Compression::On => self.deflating.for_message(payload.len()),
            Compression::Off => None,
        };
        let Some(compressor) = compressor else {
            return false;
        };
        let start = begin_frame(out);
        compress(compressor, payload, true, out);
        self.masking.finish_frame(deflated(header), start, out);
        true
    }

    pub(super) fn prepared(&mut self, prepared: &Prepared, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.check_between_messages()?;
        #[cfg(feature = "deflate")]
        if let (Compression::On, Some((bits, payload))) = (self.compression, prepared.deflated()) {
            if self.deflating.takes_prepared(bits) {
                let header = Header::new(prepared.kind().opcode(), payload.len() as u64);
                self.masking.frame(deflated(header), payload, out);
                return Ok(());
            }
        }
        match self.masking {
            Masking::Server => {
                out.extend_from_slice(prepared.frame());
                Ok(())
            }
            Masking::Client(_) => self.message(prepared.kind(), prepared.payload(), out),
        }
    }

    pub(super) fn fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: Fin,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        let (opcode, mut message) = match self.message {
            None => (kind.opcode(), self.begin_message(kind)),
            Some(message) if message.kind == kind => (OpCode::Continuation, message),
            // RFC 6455 section 5.4: the fragments of two messages are never mixed.
            Some(_) => return Err(Misuse::UnfinishedMessage),
        };
        if kind == MessageKind::Text {
            // RFC 6455 section 5.6: the message as a whole is UTF-8; a fragment may end inside a code point.
            message.utf8.push(payload).map_err(|_| Misuse::InvalidUtf8)?;
            if fin == Fin::Last {
                message.utf8.finish().map_err(|_| Misuse::InvalidUtf8)?;
            }
        }
        let mut header = Header::new(opcode, payload.len() as u64);
        header.fin = fin == Fin::Last;
        self.fragment_frame(header, message.compression, payload, out);
        self.message = match fin {
            Fin::More => Some(message),
            Fin::Last => None,
        };
        Ok(())
    }

    fn begin_message(&mut self, kind: MessageKind) -> Message {
        let compression = match self.compression {
            Compression::On if self.deflating.for_fragments().is_some() => Compression::On,
            Compression::On | Compression::Off => Compression::Off,
        };
        Message {
            kind,
            utf8: Utf8::new(),
            compression,
        }
    }

    fn fragment_frame(
        &mut self,
        header: Header,
        compression: Compression,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let compressor = match compression {
            Compression::On => self.deflating.for_fragments(),
            Compression::Off => None,
        };
        let Some(compressor) = compressor else {
            return self.masking.frame(header, payload, out);
        };
        let start = begin_frame(out);
        compress(compressor, payload, header.fin, out);
        // RFC 7692 section 6: RSV1 marks the first fragment alone.
        let header = match header.opcode {
            OpCode::Continuation => header,
            _ => deflated(header),
        };
        self.masking.finish_frame(header, start, out);
    }

    /// A Ping or a Pong.
    pub(super) fn control(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        // RFC 6455 section 5.5: a control frame holds at most 125 bytes.
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(Misuse::ControlTooLong(payload.len()));
        }
        self.control_frame(opcode, payload, out);
        Ok(())
    }

    /// Our Pong to the peer's Ping. The only frame that may follow our Close, if the caller's policy goes by
    /// the letter.
    pub(super) fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.control_frame(OpCode::Pong, payload, out);
    }

    fn control_frame(&mut self, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
        self.masking
            .frame(Header::new(opcode, payload.len() as u64), payload, out);
    }

    /// Our Close, and what it makes of the state.
    pub(super) fn close(
        &mut self,
        code: Option<CloseCode>,
        reason: &str,
        state: SendState,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.check_close(code, reason)?;
        self.close_frame(code, reason.as_bytes(), out);
        self.state = state;
        Ok(())
    }

    /// The Close that repeats the peer's code, as RFC 6455 section 5.5.1 advises; whatever code was taken is
    /// sent back.
    pub(super) fn echo_close(&mut self, code: Option<CloseCode>, out: &mut Vec<u8>) {
        if self.state.is_open() {
            self.close_frame(code, &[], out);
            self.state = SendState::Answered(code);
        }
    }

    /// The Close of a failed connection, if none was sent yet (RFC 6455 section 7.1.7). Its reason is the
    /// error's text.
    pub(super) fn fail(&mut self, code: CloseCode, error: &impl fmt::Display, out: &mut Vec<u8>) {
        if self.state.is_open() {
            let mut reason = Reason::default();
            // Fails where the reason is full, and what is there is sent.
            let _ = fmt::write(&mut reason, format_args!("{error}"));
            self.close_frame(Some(code), reason.as_bytes(), out);
            self.state = SendState::Closed(Some(code));
        }
    }

    #[inline]
    fn check_between_messages(&self) -> Result<(), Misuse> {
        match self.message {
            None => Ok(()),
            Some(_) => Err(Misuse::UnfinishedMessage),
        }
    }

    fn check_close(&self, code: Option<CloseCode>, reason: &str) -> Result<(), Misuse> {
        match code {
            Some(code) if !code.is_sendable(self.role()) => Err(Misuse::InvalidCloseCode(code)),
            None if !reason.is_empty() => Err(Misuse::ReasonWithoutCode),
            _ if reason.len() > MAX_REASON_SIZE => Err(Misuse::ReasonTooLong(reason.len())),
            _ => Ok(()),
        }
    }

    fn close_frame(&mut self, code: Option<CloseCode>, reason: &[u8], out: &mut Vec<u8>) {
        let mut body = [0; MAX_CONTROL_PAYLOAD];
        let mut size = 0;
        if let Some(code) = code {
            for (free, byte) in body.iter_mut().zip(code.0.to_be_bytes().iter().chain(reason)) {
                *free = *byte;
                size += 1;
            }
        }
        let body = body.get(..size).unwrap_or(&body);
        self.control_frame(OpCode::Close, body, out);
    }
}

impl Masking {
    /// Writes a frame, with one reservation.
    #[inline]
    fn frame(&mut self, mut header: Header, payload: &[u8], out: &mut Vec<u8>) {
        out.reserve(payload.len().saturating_add(MAX_HEADER_SIZE));
        let Some(key) = self.next_key() else {
            out.extend_from_slice(&header.encode());
            out.extend_from_slice(payload);
            return;
        };
        header.mask = Some(key);
        out.extend_from_slice(&header.encode());
        mask::append(out, payload, key);
    }

    /// Makes a frame of the payload that was written after [`begin_frame`].
    fn finish_frame(&mut self, mut header: Header, start: usize, out: &mut Vec<u8>) {
        let payload = start.saturating_add(MAX_HEADER_SIZE).min(out.len());
        header.len = (out.len() - payload) as u64;
        header.mask = self.next_key();
        let encoded = header.encode();
        // The header is mostly shorter than the room for it.
        let moved = start.saturating_add(encoded.len()).min(payload);
        out.copy_within(payload.., moved);
        out.truncate(out.len() - (payload - moved));
        if let Some(room) = out.get_mut(start..moved) {
            room.copy_from_slice(&encoded);
        }
        if let (Some(key), Some(payload)) = (header.mask, out.get_mut(moved..)) {
            mask::apply(payload, key);
        }
    }

    /// RFC 6455 section 10.3: the key is drawn after the payload is fixed.
    #[inline]
    fn next_key(&mut self) -> Option<[u8; 4]> {
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

/// Leaves room for the header of a frame whose length is not known yet, and says where the frame starts.
fn begin_frame(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; MAX_HEADER_SIZE]);
    start
}

/// RFC 7692 section 6: the header of a compressed message's first frame.
fn deflated(mut header: Header) -> Header {
    header.rsv1 = true;
    header
}

/// A close reason being written: whole characters, as many as fit.
struct Reason {
    bytes: [u8; MAX_REASON_SIZE],
    size: usize,
}

impl Default for Reason {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_REASON_SIZE],
            size: 0,
        }
    }
}

impl Reason {
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or(&self.bytes)
    }
}

impl fmt::Write for Reason {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let size = char.len_utf8();
            let Some(free) = self
                .bytes
                .get_mut(self.size..)
                .and_then(|free| free.get_mut(..size))
            else {
                return Err(fmt::Error);
            };
            char.encode_utf8(free);
            self.size += size;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_cut_at_a_character_and_takes_nothing_after_the_cut() {
        let mut reason = Reason::default();
        let _ = fmt::write(&mut reason, format_args!("{}{}{}", "x".repeat(122), "é", "y"));
        assert_eq!(reason.as_bytes(), "x".repeat(122).as_bytes());
    }
}
