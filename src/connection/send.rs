//! The sending half: messages in, bytes out.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use super::compression::{Deflate, Deflating};
use super::control::ControlPayload;
use super::framing::{Masking, begin_frame, deflated, finish_frame, short_header, short_message};
use super::prepared::Prepared;
use super::reply::{Reply, ReplyKind};
use super::state::{Incoming, Sending, State, TransportAdvice};
use crate::close::MAX_CLOSE_REASON_SIZE;
use crate::config::AutoPong;
use crate::error::{CloseReason, Error, Misuse};
use crate::frame::{Header, MAX_CONTROL_PAYLOAD, OpCode, Role};
use crate::message::{Fin, MessageKind};
use crate::utf8::{self, Validator};
use crate::{CloseCode, Config, Entropy, IntoCloseCode};

/// The sending half of a [`Connection`](super::Connection) that was [split](super::Connection::split). It tracks what
/// has been sent and the progress of the closing handshake.
///
/// It learns what the receiving half saw from the [`Reply`] values passed to
/// [`reply`](Self::reply).
pub struct SendHalf {
    /// How the next message is sent.
    route: Route,
    masking: Masking,
    deflating: Deflating,
    /// Whether the caller wants compression, if it was negotiated.
    compression: Compression,
    message: Option<Message>,
    auto_pong: AutoPong,
    auto_close: bool,
    pub(super) state: Sending,
}

/// Whether messages are compressed, if compression was negotiated and they are large enough to be worth it.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Compression {
    /// Messages are compressed.
    #[default]
    On,
    /// Messages are sent uncompressed: for content that is compressed already, and for secrets next to text that an
    /// attacker chooses (RFC 7692 section 8).
    Off,
}

/// How a message in one frame is sent now. It follows from the other fields of a [`SendHalf`], so that sending checks one
/// byte instead of five.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Route {
    /// As it is.
    Unmasked,
    Masked,
    /// It may be compressed, or has to be refused.
    Other,
}

/// The fragmented message that is being sent.
#[derive(Clone)]
struct Message {
    kind: MessageKind,
    /// Of a text: how its bytes so far end.
    utf8: Validator,
    compression: Compression,
}

/// Each method does what the method of the same name does on [`Connection`](super::Connection).
impl SendHalf {
    /// Carries out a [`Reply`] of the receiving half: appends the Pong or the Close owed to the peer, as configured by
    /// [`Config::auto_pong`] and [`Config::auto_close`].
    pub fn reply(&mut self, reply: Reply, out: &mut Vec<u8>) {
        self.apply(reply.0, out);
    }

    /// Same as [`Connection::send_text`](super::Connection::send_text).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_text`](super::Connection::send_text).
    #[inline]
    pub fn send_text(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.send_message(MessageKind::Text, text.as_bytes(), out)
    }

    /// Same as [`Connection::send_binary`](super::Connection::send_binary).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_binary`](super::Connection::send_binary).
    #[inline]
    pub fn send_binary(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.send_message(MessageKind::Binary, payload, out)
    }

    /// Same as [`Connection::send_text_header`](super::Connection::send_text_header).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_text_header`](super::Connection::send_text_header).
    pub fn send_text_header(&mut self, text: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.send_header(MessageKind::Text, text.len(), out)
    }

    /// Same as [`Connection::send_binary_header`](super::Connection::send_binary_header).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_binary_header`](super::Connection::send_binary_header).
    pub fn send_binary_header(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.send_header(MessageKind::Binary, payload.len(), out)
    }

    /// Same as [`Connection::send_in_place`](super::Connection::send_in_place).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_in_place`](super::Connection::send_in_place).
    pub fn send_in_place(
        &mut self,
        kind: MessageKind,
        payload: &mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.check_new_message()?;
        if kind == MessageKind::Text {
            utf8::validate(payload).map_err(|_| Misuse::InvalidUtf8)?;
        }
        let header = Header::new(kind.opcode(), payload.len() as u64);
        self.masking.frame_in_place(header, payload, out);
        Ok(())
    }

    /// Same as [`Connection::send_prepared`](super::Connection::send_prepared).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_prepared`](super::Connection::send_prepared).
    pub fn send_prepared(&mut self, prepared: &Prepared, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.check_new_message()?;
        self.prepared(prepared, out)
    }

    /// Same as [`Connection::send_fragment`](super::Connection::send_fragment).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_fragment`](super::Connection::send_fragment).
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: Fin,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.check_fragment()?;
        self.next_fragment(kind, payload, fin, out)
    }

    /// Same as [`Connection::send_ping`](super::Connection::send_ping).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_ping`](super::Connection::send_ping).
    pub fn send_ping(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.send_control(OpCode::Ping, payload, out)
    }

    /// Same as [`Connection::send_pong`](super::Connection::send_pong).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::send_pong`](super::Connection::send_pong).
    pub fn send_pong(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.send_control(OpCode::Pong, payload, out)
    }

    /// Same as [`Connection::close`](super::Connection::close).
    ///
    /// # Errors
    ///
    /// Same as [`Connection::close`](super::Connection::close).
    pub fn close(&mut self, code: impl IntoCloseCode, reason: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.state.check_unclosed()?;
        let code = code.into_close_code();
        self.check_close(code, reason)?;
        let mut body = ControlPayload::close(code);
        body.extend(reason.as_bytes());
        self.send_close(code, &body, out);
        Ok(())
    }

    /// Same as [`Connection::set_compression`](super::Connection::set_compression).
    pub fn set_compression(&mut self, compression: Compression) {
        self.compression = compression;
        self.update_route();
    }

    /// Returns whether messages are compressed that are large enough to be worth it.
    pub(super) fn compresses(&self) -> bool {
        self.compression == Compression::On && !self.deflating.is_off()
    }

    /// Returns whether messages can be sent: no Close was sent, and no reply reported the peer's Close or the end.
    pub fn is_open(&self) -> bool {
        self.state() == State::Open
    }

    /// Returns the state, as far as known from the replies received so far.
    pub fn state(&self) -> State {
        self.state.state()
    }

    /// Returns what to do with the transport, as far as known from the replies received so far.
    pub fn transport_advice(&self) -> TransportAdvice {
        self.state.transport_advice(self.role())
    }

    /// Returns which end this is.
    #[inline]
    pub fn role(&self) -> Role {
        self.masking.role()
    }
}

impl SendHalf {
    pub(super) fn server(config: &Config) -> Self {
        Self::new(Masking::Server, config)
    }

    pub(super) fn client(entropy: Box<dyn Entropy>, config: &Config) -> Self {
        Self::new(Masking::Client(entropy), config)
    }

    fn new(masking: Masking, config: &Config) -> Self {
        let mut half = Self {
            route: Route::Other,
            masking,
            deflating: Deflating::Off,
            compression: Compression::On,
            message: None,
            auto_pong: config.auto_pong,
            auto_close: config.auto_close,
            state: Sending::OPEN,
        };
        half.update_route();
        half
    }

    /// Sets how messages are compressed.
    #[cfg(feature = "deflate")]
    pub(super) fn deflate(&mut self, deflating: Deflating) {
        self.deflating = deflating;
        self.update_route();
    }

    /// To be called after each change of a field that the route follows from.
    fn update_route(&mut self) {
        self.route = match (&self.masking, self.check_new_message()) {
            (_, Err(_)) => Route::Other,
            (_, Ok(())) if self.compresses() => Route::Other,
            (Masking::Server, Ok(())) => Route::Unmasked,
            (Masking::Client(_), Ok(())) => Route::Masked,
        };
    }

    /// Applies what was received to what is sent.
    #[inline]
    pub(super) fn apply<P: Deref<Target = [u8]>>(&mut self, kind: ReplyKind<P>, out: &mut Vec<u8>) {
        match kind {
            ReplyKind::None => {}
            ReplyKind::Ping(payload) => self.answer_ping(&payload, out),
            ReplyKind::Close(code) => {
                self.update_incoming(Incoming::Closed);
                self.answer_close(code, out);
            }
            ReplyKind::Failed(error) => {
                self.fail(&error, out);
                self.update_incoming(Incoming::Over);
            }
            ReplyKind::Ended => self.update_incoming(Incoming::Over),
        }
    }

    /// Records the state of the receiving direction.
    pub(super) fn update_incoming(&mut self, incoming: Incoming) {
        self.state.update_incoming(incoming);
        self.drop_unsendable();
    }

    /// Drops an unfinished message and the compressor with its memory, once no message may follow.
    fn drop_unsendable(&mut self) {
        if self.state.check_unclosed().is_err() {
            self.message = None;
            self.deflating = Deflating::Off;
        }
        self.update_route();
    }

    #[inline]
    fn send_message(&mut self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        match self.send_uncompressed(kind, payload, out) {
            true => Ok(()),
            false => self.send_compressed(kind, payload, out),
        }
    }

    /// Sends a message, unless it may be compressed or has to be refused. Returns whether it did. Not inlined, because a
    /// call takes less space than the copies of all sizes.
    #[inline(never)]
    pub(crate) fn send_uncompressed(&mut self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) -> bool {
        self.send_short(kind, payload, out) || self.send_long(kind, payload, out)
    }

    /// Sends a message if that takes little more than a copy. Returns whether it did.
    #[inline(always)]
    pub(crate) fn send_short(&mut self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) -> bool {
        self.route == Route::Unmasked && short_message(kind, payload, out)
    }

    /// Sends a message of any length, unless it may be compressed or has to be refused. Returns whether it did.
    #[inline(always)]
    pub(crate) fn send_long(&mut self, kind: MessageKind, payload: &[u8], out: &mut Vec<u8>) -> bool {
        match self.route {
            Route::Unmasked | Route::Masked => self.masking.message(kind, payload, out),
            Route::Other => return false,
        }
        true
    }

    /// Sends a message that may be compressed. Not inlined, so that the others need few registers.
    #[inline(never)]
    pub(crate) fn send_compressed(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        self.check_new_message()?;
        let header = Header::new(kind.opcode(), payload.len() as u64);
        if !self.compressed_message(header, payload, out) {
            self.masking.frame(header, payload, out);
        }
        Ok(())
    }

    pub(crate) fn send_header(
        &mut self,
        kind: MessageKind,
        len: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        if self.send_short_header(kind, len, out) {
            return Ok(());
        }
        self.check_new_message()?;
        match self.masking {
            Masking::Server => Header::new(kind.opcode(), len as u64).encode().append_to(out),
            // RFC 6455 section 5.1: a client masks its payloads, so it needs the payload itself.
            Masking::Client(_) => return Err(Misuse::Unmasked),
        }
        Ok(())
    }

    /// Writes a message's header, if that takes no allocation and messages are sent as they are. Returns whether it did.
    #[inline(always)]
    pub(crate) fn send_short_header(&mut self, kind: MessageKind, len: usize, out: &mut Vec<u8>) -> bool {
        self.route == Route::Unmasked && short_header(kind, len, out)
    }

    /// Sends the message compressed, if it should be.
    fn compressed_message(&mut self, mut header: Header, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let compressor = match self.compression {
            Compression::On => self.deflating.for_message(payload.len()),
            Compression::Off => None,
        };
        let Some(compressor) = compressor else {
            return false;
        };
        header.mask = self.masking.next_key();
        let start = begin_frame(out);
        Deflating::compress(compressor, payload, Fin::Last, out);
        finish_frame(deflated(header), start, out);
        true
    }

    fn prepared(&mut self, prepared: &Prepared, out: &mut Vec<u8>) -> Result<(), Misuse> {
        let payload = match self.compression {
            Compression::On => self.deflating.prepared(prepared),
            Compression::Off => None,
        };
        if let Some(payload) = payload {
            let header = Header::new(prepared.kind().opcode(), payload.len() as u64);
            self.masking.frame(deflated(header), payload, out);
            self.deflating.extend_window(prepared.payload());
            return Ok(());
        }
        match self.masking {
            Masking::Server => {
                out.extend_from_slice(prepared.frame());
                Ok(())
            }
            Masking::Client(_) => self.send_message(prepared.kind(), prepared.payload(), out),
        }
    }

    /// Checks that the next fragment may be sent. A message that was begun before the peer's Close may be completed.
    pub(crate) fn check_fragment(&self) -> Result<(), Misuse> {
        match self.message {
            None => self.state.check_open(),
            Some(_) => self.state.check_unclosed(),
        }
    }

    fn next_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: Fin,
        out: &mut Vec<u8>,
    ) -> Result<(), Misuse> {
        let (opcode, mut message) = match &self.message {
            None => (kind.opcode(), self.begin_message(kind)),
            Some(message) if message.kind == kind => (OpCode::Continuation, message.clone()),
            // RFC 6455 section 5.4: the fragments of two messages are never mixed.
            Some(_) => return Err(Misuse::UnfinishedMessage),
        };
        if kind == MessageKind::Text {
            // RFC 6455 section 5.6: the message as a whole is UTF-8; a fragment may end inside a code point.
            message.utf8.push(payload).map_err(|_| Misuse::InvalidUtf8)?;
            if fin == Fin::Last {
                message.utf8.clone().finish().map_err(|_| Misuse::InvalidUtf8)?;
            }
        }
        let mut header = Header::new(opcode, payload.len() as u64);
        header.fin = fin == Fin::Last;
        self.fragment_frame(header, message.compression, payload, out);
        self.message = match fin {
            Fin::More => Some(message),
            Fin::Last => None,
        };
        self.update_route();
        Ok(())
    }

    /// RFC 7692 section 6: the first fragment determines whether a message is compressed, whatever is set before the
    /// last one.
    fn begin_message(&mut self, kind: MessageKind) -> Message {
        let compression = match self.compression {
            Compression::On if self.deflating.for_fragments().is_some() => Compression::On,
            Compression::On | Compression::Off => Compression::Off,
        };
        Message {
            kind,
            utf8: Validator::new(),
            compression,
        }
    }

    fn fragment_frame(
        &mut self,
        mut header: Header,
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
        header.mask = self.masking.next_key();
        let start = begin_frame(out);
        Deflating::compress(compressor, payload, Fin::of(&header), out);
        // RFC 7692 section 6: RSV1 is set only on the first fragment.
        let header = match header.opcode {
            OpCode::Continuation => header,
            _ => deflated(header),
        };
        finish_frame(header, start, out);
    }

    /// Sends a Ping or a Pong.
    fn send_control(&mut self, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) -> Result<(), Misuse> {
        self.state.check_control()?;
        // RFC 6455 section 5.5: a control frame holds at most 125 bytes.
        if payload.len() > MAX_CONTROL_PAYLOAD {
            return Err(Misuse::ControlTooLong(payload.len()));
        }
        self.control_frame(opcode, payload, out);
        Ok(())
    }

    fn control_frame(&mut self, opcode: OpCode, payload: &[u8], out: &mut Vec<u8>) {
        self.masking
            .frame(Header::new(opcode, payload.len() as u64), payload, out);
    }

    /// Answers the peer's Ping. With [`AutoPong::UntilPeerCloses`], the Pong may
    /// follow our Close.
    fn answer_ping(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if self.state.owes_pong(self.auto_pong) {
            self.control_frame(OpCode::Pong, payload, out);
        }
    }

    /// Answers the peer's Close with the same code, as RFC 6455 section 5.5.1 advises; any code that was accepted is
    /// sent back.
    fn answer_close(&mut self, code: Option<CloseCode>, out: &mut Vec<u8>) {
        if self.auto_close && self.state.check_unclosed().is_ok() {
            self.send_close(code, &ControlPayload::close(code), out);
        }
    }

    /// Sends the Close of a failed connection, if none was sent yet and the transport has not ended (RFC 6455 section
    /// 7.1.7).
    fn fail(&mut self, error: &Error, out: &mut Vec<u8>) {
        if self.state.check_unclosed().is_ok() {
            let code = Some(error.close_code());
            let mut body = ControlPayload::close(code);
            // Fails if the body is full; what fits is sent.
            let _ = fmt::write(&mut body, format_args!("{}", CloseReason(error)));
            self.send_close(code, &body, out);
        }
    }

    /// Checks that both directions are open and that no other message is being sent.
    #[inline]
    fn check_new_message(&self) -> Result<(), Misuse> {
        self.state.check_open()?;
        match self.message {
            None => Ok(()),
            Some(_) => Err(Misuse::UnfinishedMessage),
        }
    }

    fn check_close(&self, code: Option<CloseCode>, reason: &str) -> Result<(), Misuse> {
        match code {
            Some(code) if !code.is_sendable(self.role()) => Err(Misuse::InvalidCloseCode(code)),
            None if !reason.is_empty() => Err(Misuse::ReasonWithoutCode),
            _ if reason.len() > MAX_CLOSE_REASON_SIZE => Err(Misuse::ReasonTooLong(reason.len())),
            _ => Ok(()),
        }
    }

    /// Sends our Close, after which no message follows.
    fn send_close(&mut self, code: Option<CloseCode>, body: &[u8], out: &mut Vec<u8>) {
        self.control_frame(OpCode::Close, body, out);
        self.state.close(code);
        self.drop_unsendable();
    }
}

/// Shows neither what is sent nor the mask key.
impl fmt::Debug for SendHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendHalf")
            .field("role", &self.role())
            .field("state", &self.state())
            .field("transport_advice", &self.transport_advice())
            .finish_non_exhaustive()
    }
}
