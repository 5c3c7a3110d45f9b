//! The receiving half: bytes in, events out.

mod fragments;
mod in_place;
mod into_message;
mod limit;
mod stream;

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use super::compression::{Inflate, Inflating};
use super::event::{Close, Event};
use super::reply::{Reply, ReplyKind};
use super::state::{Receiving, Unfinished};
use crate::Config;
use crate::config::Delivery;
use crate::error::Error;
use crate::frame::mask::NO_KEY;
use crate::frame::{Decoder, Header, Masked, OpCode, Role, Rules};
use crate::message::{Assembler, Chunks, Content, Fin, MessageKind, Payload};
use limit::limit_of;

/// The receiving half of a [`Connection`](super::Connection) that was [split](super::Connection::split). It holds what
/// has been received but not yet delivered (a partial header or message) and how this direction ended.
pub struct ReceiveHalf {
    decoder: Decoder,
    /// What the payload that the decoder is reading belongs to.
    frame: Option<Frame>,
    message: Assembler,
    /// The message that is delivered in chunks, or whose payload stays in the input until it is complete.
    chunks: Option<Chunks>,
    /// How the payload of `message` is coded.
    coding: Coding,
    pub(super) inflating: Inflating,
    /// How many fragments of `message` were empty.
    empty_fragments: u64,
    /// The payload of a control frame split across reads; it may come between the fragments of `message`.
    control_payload: Vec<u8>,
    max_message_size: u64,
    accept_any_close_code: bool,
    delivery: Delivery,
    pub(super) state: Receiving,
}

/// The first byte of a message in one frame without extensions (RFC 6455 section 5.2): FIN and an opcode.
const WHOLE_TEXT: u8 = 0x80 | OpCode::Text.bits();
const WHOLE_BINARY: u8 = 0x80 | OpCode::Binary.bits();
/// The first byte of a Ping; a control frame is always in one frame.
const WHOLE_PING: u8 = 0x80 | OpCode::Ping.bits();
const WHOLE_PONG: u8 = 0x80 | OpCode::Pong.bits();

/// A frame whose payload is not complete.
#[derive(Clone, Copy, Debug)]
enum Frame {
    /// A message in one frame, none of whose payload is consumed yet: it may be complete in the input.
    Whole(MessageKind),
    /// A frame of the message that is being assembled or delivered, the last one or not.
    Fragment(Fin),
    Control(Control),
}

/// Whether a message is compressed, which each message decides (RFC 7692 section 6).
#[derive(Clone, Copy, Debug)]
enum Coding {
    Plain,
    Deflated,
}

#[derive(Clone, Copy, Debug)]
enum Control {
    Close,
    Ping,
    Pong,
}

impl ReceiveHalf {
    /// Same as [`Connection::receive`](super::Connection::receive), but replies to the peer are returned as a
    /// [`Reply`], for [`SendHalf::reply`](super::SendHalf::reply).
    ///
    /// # Errors
    ///
    /// Same as `Connection::receive`. The sending half turns the reply into the Close frame for the peer.
    #[inline]
    pub fn receive<'i>(&mut self, input: &mut &'i mut [u8]) -> (Result<Option<Event<'i>>, Error>, Reply) {
        let received = match self.take_whole_message(input) {
            Some(message) => Ok(Some(message)),
            None => self.receive_any(input, 0),
        };
        let reply = Reply(ReplyKind::to(&received));
        (received, reply)
    }

    /// Reports that the transport has ended or was abandoned. Pass the returned `Reply` to the sending half.
    /// [`Connection::join`](super::Connection::join) then returns how the connection ended.
    pub fn receive_eof(&mut self) -> Reply {
        self.end_of_transport();
        Reply(ReplyKind::Ended)
    }

    /// Returns whether more may arrive: no Close was received, nothing failed, and the transport has not ended.
    pub fn is_open(&self) -> bool {
        self.state.has_more()
    }

    /// Same as [`Connection::recycle`](super::Connection::recycle).
    #[inline]
    pub fn recycle<'p>(&mut self, buffer: impl Into<Payload<'p>>) {
        if let Cow::Owned(buffer) = Cow::from(buffer.into()) {
            self.recycle_owned(buffer);
        }
    }

    /// Same as [`Connection::payload_remaining`](super::Connection::payload_remaining).
    #[inline]
    pub fn payload_remaining(&self) -> u64 {
        match self.state.is_open() {
            true => self.decoder.payload_remaining().unwrap_or(0),
            false => 0,
        }
    }
}

impl ReceiveHalf {
    pub(super) fn new(role: Role, config: &Config) -> Self {
        let max_message_size = limit_of(config.delivery, config.max_message_size);
        let rules = Rules::new(role)
            .max_payload(max_message_size)
            .accept_unmasked(config.accept_unmasked)
            .accept_non_minimal_length(config.accept_non_minimal_length)
            .accept_rsv1_on_control(config.accept_rsv1_on_control);
        Self {
            decoder: Decoder::new(rules),
            frame: None,
            message: Assembler::new(),
            chunks: None,
            coding: Coding::Plain,
            inflating: Inflating::Off,
            empty_fragments: 0,
            control_payload: Vec::new(),
            max_message_size,
            accept_any_close_code: config.accept_any_close_code,
            delivery: config.delivery,
            state: Receiving::OPEN,
        }
    }

    /// Returns a message in one frame that is complete in the input: the most common case, which touches no state
    /// unless its text is not UTF-8. `None` leaves everything else, including errors, to `receive_any`.
    ///
    /// Always inlined, with all that it calls for a short message. Otherwise it depends on the caller's program whether the compiler
    /// does so, for example on how many of its loops receive, and a short message takes up to twice the time.
    #[inline(always)]
    pub(super) fn take_whole_message<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        match self.takes_whole_messages() {
            true => self.take_next_whole_message(input),
            false => None,
        }
    }

    /// Returns whether the next frame may be a message that is returned as a whole. That changes only if it is not.
    #[inline]
    pub(super) fn takes_whole_messages(&self) -> bool {
        self.state.is_open() && self.message.is_idle() && self.delivery != Delivery::Chunks
    }

    /// Same as [`take_whole_message`](Self::take_whole_message), for a caller that knows that
    /// [whole messages are taken](Self::takes_whole_messages).
    #[inline(always)]
    pub(super) fn take_next_whole_message<'i>(&mut self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        let kind = match *input.first()? {
            WHOLE_TEXT => MessageKind::Text,
            WHOLE_BINARY => MessageKind::Binary,
            _ => return None,
        };
        let payload = self.decoder.whole_frame(kind.opcode(), input)?;
        match Content::lend(kind, payload, 0) {
            Ok(message) => Some(Event::whole(message)),
            Err(error) => {
                self.fail(Error::not_utf8(error));
                None
            }
        }
    }

    /// Returns whether an empty input yields no event and changes nothing.
    #[inline]
    pub(super) fn needs_input(&self) -> bool {
        // Inside a frame, a payload that was read where it stays may be complete, and a chunk be inflated from one that is consumed.
        self.state.is_open() && self.frame.is_none()
    }

    fn recycle_owned(&mut self, buffer: Vec<u8>) {
        if self.state.is_open() {
            self.message.recycle(buffer);
        }
    }

    /// Returns whether permessage-deflate was negotiated, until the direction fails.
    #[cfg(feature = "deflate")]
    pub(super) fn has_agreement(&self) -> bool {
        !matches!(self.inflating, Inflating::Off)
    }

    #[cfg(feature = "deflate")]
    pub(super) fn inflate(&mut self, window: crate::deflate::Window) {
        self.decoder.permessage_deflate();
        self.inflating = Inflating::Agreed(window);
    }

    /// Receives anything except a complete message. A payload of at most `max_held` bytes may stay in the input until it is
    /// complete.
    #[inline]
    pub(super) fn receive_any<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        max_held: u64,
    ) -> Result<Option<Event<'i>>, Error> {
        match self.take_whole_control(input) {
            Some(event) => Ok(Some(event)),
            None => self.receive_partial(input, max_held),
        }
    }

    /// Returns a Ping or a Pong that is complete in the input, perhaps between fragments; as short a path as that of
    /// messages.
    #[inline]
    fn take_whole_control<'i>(&self, input: &mut &'i mut [u8]) -> Option<Event<'i>> {
        let opcode = match *input.first()? {
            WHOLE_PING => OpCode::Ping,
            WHOLE_PONG => OpCode::Pong,
            _ => return None,
        };
        if !self.state.is_open() {
            return None;
        }
        let payload = Payload::from(&*self.decoder.whole_frame(opcode, input)?.unmask());
        Some(match opcode {
            OpCode::Ping => Event::Ping(payload),
            _ => Event::Pong(payload),
        })
    }

    /// Receives whatever may be partial, a fragment, invalid or after the end.
    #[inline(never)]
    fn receive_partial<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        max_held: u64,
    ) -> Result<Option<Event<'i>>, Error> {
        if let Some(error) = self.state.error() {
            self.state.fail(error);
            return Err(error);
        }
        // RFC 6455 section 7.1.1: what follows the Close is discarded; here it stays in the input.
        if !self.state.is_open() {
            return Ok(None);
        }
        let result = self.next_event(input, max_held);
        match &result {
            Ok(Some(Event::Close(close))) => {
                self.state.close(close.code, &close.reason);
                self.drop_unfinished();
            }
            Err(error) => self.fail(*error),
            Ok(_) => {}
        }
        result
    }

    pub(super) fn end_of_transport(&mut self) {
        self.state.end(self.unfinished());
        self.drop_unfinished();
    }

    /// Returns what the peer has begun and not finished.
    pub(super) fn unfinished(&self) -> Unfinished {
        match self.frame {
            _ if self.decoder.is_inside_frame() => Unfinished::Frame,
            // It was read where it stays, and has not been delivered.
            Some(Frame::Fragment(Fin::Last)) => Unfinished::Nothing,
            _ if self.is_between_messages() => Unfinished::Nothing,
            _ => Unfinished::Message,
        }
    }

    #[cold]
    fn fail(&mut self, error: Error) {
        self.state.fail(error);
        self.drop_unfinished();
    }

    /// Drops unfinished messages and their memory, because nothing more will be received.
    fn drop_unfinished(&mut self) {
        self.message = Assembler::new();
        self.chunks = None;
        self.inflating = Inflating::Off;
        self.control_payload = Vec::new();
    }

    fn next_event<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        max_held: u64,
    ) -> Result<Option<Event<'i>>, Error> {
        if self.message.read() > 0 {
            if let Some(event) = self.take_read()? {
                return Ok(Some(event));
            }
        }
        loop {
            if self.is_before_last_fragment() && self.take_middle_fragments(input)? {
                return Ok(None);
            }
            let frame = match self.frame {
                Some(frame) => frame,
                None => {
                    if let Some(message) = self.take_last_fragment(input)? {
                        return Ok(Some(message));
                    }
                    match self.next_frame(input)? {
                        Some(frame) => frame,
                        None => return Ok(None),
                    }
                }
            };
            if self.stays_in_place(frame, input, max_held) {
                self.frame = Some(frame);
                return self.work_in_place(frame, input).map(|()| None);
            }
            if let (Delivery::Chunks, Frame::Fragment(fin)) = (self.delivery, frame) {
                let event = self.next_chunk(fin, input)?;
                // Without an event, either the frame is complete or the input is consumed.
                if event.is_some() || self.frame.is_some() {
                    return Ok(event);
                }
                continue;
            }
            let chunk = self.decoder.masked_chunk(input);
            let complete = self.decoder.finish_frame();
            self.frame = if complete { None } else { Some(frame) };
            let event = match frame {
                Frame::Whole(kind) if complete => {
                    let unmasked = self.finish_in_place();
                    let message = Content::lend(kind, chunk, unmasked).map_err(Error::not_utf8)?;
                    Some(Event::whole(message))
                }
                // The read ended with the header: the complete payload may arrive with the next one.
                Frame::Whole(_) if chunk.bytes.is_empty() => None,
                Frame::Whole(kind) => {
                    self.begin_partial(kind, chunk)?;
                    None
                }
                Frame::Fragment(fin) => self.fragment_chunk(chunk, fin, complete)?,
                Frame::Control(control) => self.control_chunk(control, chunk, complete)?,
            };
            // An incomplete frame has consumed all input.
            if event.is_some() || !complete {
                return Ok(event);
            }
        }
    }

    /// Reads the next header. `None`: the input is consumed.
    #[inline(always)]
    fn next_frame(&mut self, input: &mut &mut [u8]) -> Result<Option<Frame>, Error> {
        match self.decoder.header(input) {
            Ok(Some(header)) => self.begin(header).map(Some),
            Ok(None) => Ok(None),
            Err(violation) => Err(self.violation(violation)),
        }
    }

    /// Checks the rule that needs more than one header: the order of fragments (RFC 6455 section 5.4).
    fn check_order(&self, opcode: OpCode) -> Result<(), Error> {
        match (opcode, self.is_between_messages()) {
            (OpCode::Continuation, true) => Err(Error::UnexpectedContinuation),
            (OpCode::Text | OpCode::Binary, false) => Err(Error::UnfinishedMessage),
            (OpCode::Continuation, false) | (OpCode::Text | OpCode::Binary, true) => Ok(()),
            (OpCode::Close | OpCode::Ping | OpCode::Pong, _) => Ok(()),
        }
    }

    fn is_between_messages(&self) -> bool {
        self.message.is_idle() && self.chunks.is_none()
    }

    fn begin(&mut self, header: Header) -> Result<Frame, Error> {
        self.check_order(header.opcode)?;
        let kind = match header.opcode {
            OpCode::Text => MessageKind::Text,
            OpCode::Binary => MessageKind::Binary,
            OpCode::Continuation => return self.begin_fragment(header),
            OpCode::Close => return Ok(Frame::Control(Control::Close)),
            OpCode::Ping => return Ok(Frame::Control(Control::Ping)),
            OpCode::Pong => return Ok(Frame::Control(Control::Pong)),
        };
        self.coding = match header.rsv1 {
            true => Coding::Deflated,
            false if header.fin && self.delivery != Delivery::Chunks => return Ok(Frame::Whole(kind)),
            false => Coding::Plain,
        };
        match self.delivery {
            Delivery::Whole | Delivery::InPlace => self.message.begin(kind),
            Delivery::Chunks => self.chunks = Some(Chunks::begin(kind)),
        }
        self.empty_fragments = 0;
        self.begin_fragment(header)
    }

    fn begin_fragment(&mut self, header: Header) -> Result<Frame, Error> {
        self.count_fragment(header.payload_len)?;
        Ok(Frame::Fragment(Fin::of(&header)))
    }

    /// Begins a message in one frame that is split across reads.
    fn begin_partial(&mut self, kind: MessageKind, chunk: Masked<'_>) -> Result<(), Error> {
        self.message.begin(kind);
        self.coding = Coding::Plain;
        self.frame = Some(Frame::Fragment(Fin::Last));
        self.push(chunk, Fin::Last)
    }

    fn fragment_chunk<'i>(
        &mut self,
        chunk: Masked<'_>,
        fin: Fin,
        complete: bool,
    ) -> Result<Option<Event<'i>>, Error> {
        match self.coding {
            Coding::Plain => self.push(chunk, fin)?,
            Coding::Deflated => {
                self.inflating
                    .push(chunk.unmask(), &mut self.message, self.max_message_size)?
            }
        }
        self.end_chunk(fin, complete)
    }

    /// Ends the frame, if it is complete, and with the last one the message.
    fn end_chunk<'i>(&mut self, fin: Fin, complete: bool) -> Result<Option<Event<'i>>, Error> {
        let event = match fin {
            Fin::Last if complete => self.finish_message()?,
            Fin::Last | Fin::More => None,
        };
        if complete {
            self.decoder.set_max_payload(self.left_for_fragment());
        }
        Ok(event)
    }

    fn finish_message<'i>(&mut self) -> Result<Option<Event<'i>>, Error> {
        if let Coding::Deflated = self.coding {
            self.inflating.finish()?;
        }
        let message = self.message.finish().map_err(Error::not_utf8)?;
        Ok(message.map(Event::whole))
    }

    /// Stores a chunk of the message.
    fn push(&mut self, chunk: Masked<'_>, fin: Fin) -> Result<(), Error> {
        let Masked { bytes, key } = chunk;
        let (limit, remaining) = (self.max_message_size, self.payload_remaining());
        let known = |size: usize| (size as u64).saturating_add(bytes.len() as u64);
        let end = |size| largest_size(known(size), fin, remaining, limit);
        self.message
            .push(bytes, key.unwrap_or(NO_KEY), end)
            .map_err(Error::not_utf8)
    }

    fn control_chunk<'i>(
        &mut self,
        control: Control,
        chunk: Masked<'i>,
        complete: bool,
    ) -> Result<Option<Event<'i>>, Error> {
        let chunk = &*chunk.unmask();
        if !complete {
            self.control_payload.extend_from_slice(chunk);
            return Ok(None);
        }
        let payload = match self.control_payload.is_empty() {
            true => Payload::from(chunk),
            false => {
                self.control_payload.extend_from_slice(chunk);
                Payload::from(core::mem::take(&mut self.control_payload))
            }
        };
        Ok(Some(match control {
            Control::Close => Event::Close(Close::parse(payload, self.accept_any_close_code)?),
            Control::Ping => Event::Ping(payload),
            Control::Pong => Event::Pong(payload),
        }))
    }
}

/// Returns the largest size that a message can reach, of which so much is known and so much of the current frame remains. Its
/// last frame determines that; until then only the limit is known.
fn largest_size(known: u64, fin: Fin, remaining: u64, limit: u64) -> u64 {
    match fin {
        Fin::Last => known.saturating_add(remaining),
        Fin::More => limit,
    }
}

/// Does not show what the peer sent.
impl fmt::Debug for ReceiveHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceiveHalf")
            .field("is_open", &self.is_open())
            .field("payload_remaining", &self.payload_remaining())
            .finish_non_exhaustive()
    }
}
