//! The sending half: messages in, bytes out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

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
    /// The fragmented message that is being sent; for text, how its bytes so far end.
    message: Option<(MessageKind, Utf8)>,
    pub(super) state: SendState,
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
        self.frame(Header::new(kind.opcode(), payload.len() as u64), payload, out);
        Ok(())
    }

    pub(super) fn prepared(&mut self, prepared: &Prepared, out: &mut Vec<u8>) -> Result<(), Misuse> {
        match self.masking {
            Masking::Server => {
                self.check_between_messages()?;
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
        let (opcode, mut utf8) = match self.message {
            None => (kind.opcode(), Utf8::new()),
            Some((begun, utf8)) if begun == kind => (OpCode::Continuation, utf8),
            // RFC 6455 section 5.4: the fragments of two messages are never mixed.
            Some(_) => return Err(Misuse::UnfinishedMessage),
        };
        if kind == MessageKind::Text {
            // RFC 6455 section 5.6: the message as a whole is UTF-8; a fragment may end inside a code point.
            utf8.push(payload).map_err(|_| Misuse::InvalidUtf8)?;
            if fin == Fin::Last {
                utf8.finish().map_err(|_| Misuse::InvalidUtf8)?;
            }
        }
        let mut header = Header::new(opcode, payload.len() as u64);
        header.fin = fin == Fin::Last;
        self.frame(header, payload, out);
        self.message = match fin {
            Fin::More => Some((kind, utf8)),
            Fin::Last => None,
        };
        Ok(())
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
        self.frame(Header::new(opcode, payload.len() as u64), payload, out);
        Ok(())
    }

    /// Our Pong to the peer's Ping. The only frame that may follow our Close, if the caller's policy goes by
    /// the letter.
    pub(super) fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.frame(Header::new(OpCode::Pong, payload.len() as u64), payload, out);
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
        self.frame(Header::new(OpCode::Close, body.len() as u64), body, out);
    }

    /// The only place that writes a frame, with one reservation.
    #[inline]
    fn frame(&mut self, mut header: Header, payload: &[u8], out: &mut Vec<u8>) {
        out.reserve(payload.len().saturating_add(MAX_HEADER_SIZE));
        let entropy = match &mut self.masking {
            Masking::Server => {
                out.extend_from_slice(&header.encode());
                out.extend_from_slice(payload);
                return;
            }
            Masking::Client(entropy) => entropy,
        };
        // RFC 6455 section 10.3: the key is drawn after the payload is fixed.
        let mut key = [0; 4];
        entropy.fill(&mut key);
        header.mask = Some(key);
        out.extend_from_slice(&header.encode());
        extend_masked(out, payload, key);
    }
}

/// Block by block, each masked in registers on its way: the payload is read once and written once.
#[inline]
fn extend_masked(out: &mut Vec<u8>, payload: &[u8], key: [u8; 4]) {
    let mut blocks = payload.chunks_exact(BLOCK);
    for block in &mut blocks {
        let mut masked = [0; BLOCK];
        masked.copy_from_slice(block);
        mask::apply(&mut masked, key);
        out.extend_from_slice(&masked);
    }
    let start = out.len();
    out.extend_from_slice(blocks.remainder());
    mask::apply(out.get_mut(start..).unwrap_or_default(), key);
}

/// A multiple of the key's four bytes.
const BLOCK: usize = 64;

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
