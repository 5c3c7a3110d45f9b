//! The parts of a message behind its first bytes: reads that end inside it, which yield no event, and its further fragments.

use super::{Coding, Error, Event, Frame, ReceiveHalf};
use crate::frame::{Masked, OpCode};
use crate::message::Fin;

/// The first byte of a fragment that is not the first one of its message.
const NEXT_FRAGMENT: u8 = OpCode::Continuation.bits();
const LAST_FRAGMENT: u8 = 0x80 | OpCode::Continuation.bits();

/// This many empty fragments are allowed whatever the limit for messages: some senders begin or end with one.
const MIN_EMPTY_FRAGMENTS: u64 = 1024;

impl ReceiveHalf {
    /// Returns whether input of this length ends inside the payload of a fragment.
    #[inline]
    fn ends_inside_payload(&self, len: usize) -> bool {
        matches!(self.frame, Some(Frame::Fragment(_))) && self.payload_remaining() > len as u64
    }

    /// Receives input that ends inside the payload of a fragment, as most reads of a large message do: it yields no event. `false`
    /// leaves everything else, including errors, to `receive_any`.
    #[inline]
    pub(in crate::connection) fn take_inside_payload(&mut self, input: &mut &mut [u8]) -> bool {
        self.ends_inside_payload(input.len()) && self.take_inside_fragment(input)
    }

    /// Same as [`take_inside_payload`](Self::take_inside_payload), for input that [ends there](Self::ends_inside_payload). Not
    /// inlined, so that what is received outside of a fragment, such as a Ping, does not save its registers.
    #[inline(never)]
    fn take_inside_fragment(&mut self, input: &mut &mut [u8]) -> bool {
        let (Some(Frame::Fragment(fin)), Coding::Plain, false) =
            (self.frame, self.coding, self.message.is_idle())
        else {
            return false;
        };
        let read = self.message.read();
        let received = match input.is_empty() {
            // What was read into the message ends there as well.
            true if self.payload_remaining() > read as u64 => self.take_read().map(drop),
            false if read == 0 => {
                let chunk = self.decoder.masked_chunk(input);
                self.push(chunk, fin)
            }
            _ => return false,
        };
        if let Err(error) = received {
            self.fail(error);
        }
        received.is_ok()
    }

    /// Returns whether input of this length may end inside a message, so that [`take_inside_message`](Self::take_inside_message) may
    /// receive it.
    #[inline]
    pub(in crate::connection) fn may_end_inside_message(&self, len: usize) -> bool {
        match self.frame {
            Some(Frame::Fragment(Fin::Last)) => self.payload_remaining() > len as u64,
            Some(Frame::Fragment(Fin::More)) => true,
            Some(Frame::Whole(_) | Frame::Control(_)) => false,
            None => !self.message.is_idle(),
        }
    }

    /// Same as [`take_inside_payload`](Self::take_inside_payload), for input that ends inside a message, perhaps between fragments. It
    /// may take the front of other input.
    #[inline]
    pub(in crate::connection) fn take_inside_message(&mut self, input: &mut &mut [u8]) -> bool {
        self.take_inside_payload(input) || self.take_inside_fragments(input)
    }

    #[inline(never)]
    fn take_inside_fragments(&mut self, input: &mut &mut [u8]) -> bool {
        if !self.is_before_last_fragment() || self.message.read() > 0 {
            return false;
        }
        match self.take_middle_fragments(input) {
            Ok(true) => true,
            Ok(false) => input.is_empty() && self.frame.is_none() || self.take_inside_payload(input),
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    /// Returns whether a message is assembled, and the input is not inside its last frame or a control frame.
    #[inline]
    pub(super) fn is_before_last_fragment(&self) -> bool {
        !self.message.is_idle() && matches!(self.frame, None | Some(Frame::Fragment(Fin::More)))
    }

    /// Receives the front of the input that belongs to fragments before the last one of the message that is assembled, which yields no
    /// event. Returns whether the input ends inside of one.
    #[inline(never)]
    pub(super) fn take_middle_fragments(&mut self, input: &mut &mut [u8]) -> Result<bool, Error> {
        while self.is_before_last_fragment() {
            if self.frame.is_none() {
                self.take_whole_fragments(input)?;
                if input.first() != Some(&NEXT_FRAGMENT) {
                    break;
                }
                self.frame = self.next_frame(input)?;
                continue;
            }
            let chunk = self.decoder.masked_chunk(input);
            let complete = self.decoder.finish_frame();
            self.fragment_chunk(chunk, Fin::More, complete)?;
            if !complete {
                return Ok(true);
            }
            self.frame = None;
        }
        Ok(false)
    }

    /// Receives those of these fragments that are complete in the input, by as short a path as that of messages in one frame.
    fn take_whole_fragments(&mut self, input: &mut &mut [u8]) -> Result<(), Error> {
        while input.first() == Some(&NEXT_FRAGMENT) {
            let Some(payload) = self.whole_fragment(input)? else {
                break;
            };
            self.fragment_chunk(payload, Fin::More, true)?;
        }
        Ok(())
    }

    /// Receives the last fragment of the message that is assembled, if it is complete in the input.
    pub(super) fn take_last_fragment<'i>(
        &mut self,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'i>>, Error> {
        if self.message.is_idle() || input.first() != Some(&LAST_FRAGMENT) {
            return Ok(None);
        }
        match self.whole_fragment(input)? {
            Some(payload) => self.fragment_chunk(payload, Fin::Last, true),
            None => Ok(None),
        }
    }

    /// Takes the payload of a further fragment that is complete in the input.
    #[inline]
    fn whole_fragment<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Masked<'i>>, Error> {
        let payload = self.decoder.whole_frame(OpCode::Continuation, input);
        if let Some(payload) = &payload {
            self.count_fragment(payload.bytes.len() as u64)?;
        }
        Ok(payload)
    }

    /// RFC 6455 section 10.4: the limit counts the bytes of all fragments, so empty fragments are counted separately.
    pub(super) fn count_fragment(&mut self, payload_len: u64) -> Result<(), Error> {
        if payload_len == 0 {
            let limit = self.max_message_size.max(MIN_EMPTY_FRAGMENTS);
            if self.empty_fragments >= limit {
                return Err(Error::TooManyEmptyFragments { limit });
            }
            self.empty_fragments = self.empty_fragments.saturating_add(1);
        }
        Ok(())
    }
}
