//! Messages delivered in chunks, as they arrive.

use alloc::vec::Vec;

use super::{Coding, Frame, ReceiveHalf};
use crate::connection::compression::{Inflate, MAX_FED};
use crate::connection::event::Event;
use crate::error::Error;
use crate::message::{Content, Fin};

impl ReceiveHalf {
    /// Returns the next chunk of a message. `None`: the frame is complete, or the input is consumed.
    pub(super) fn next_chunk<'i>(
        &mut self,
        fin: Fin,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'i>>, Error> {
        loop {
            let (chunk, result) = match self.coding {
                Coding::Plain => self.plain_chunk(input),
                Coding::Deflated => self.inflated_chunk(input),
            };
            let complete = result.is_ok() && self.inflating.is_drained() && self.decoder.finish_frame();
            let (end, result) = match fin {
                Fin::Last if complete => (Fin::Last, self.finish_chunks()),
                Fin::Last | Fin::More => (Fin::More, result),
            };
            if let Err(error) = result {
                return self.stop(chunk, error);
            }
            self.frame = if complete {
                None
            } else {
                Some(Frame::Fragment(fin))
            };
            if complete {
                self.decoder.set_max_payload(self.left_for_fragment());
            }
            if !chunk.is_empty() || end == Fin::Last {
                return Ok(Some(Event::chunk(chunk, end)));
            }
            if complete || input.is_empty() && self.inflating.is_drained() {
                return Ok(None);
            }
        }
    }

    /// Delivers valid data before the error, so that both are the same however the input is split.
    #[cold]
    fn stop<'i>(&mut self, chunk: Content<'i>, error: Error) -> Result<Option<Event<'i>>, Error> {
        if chunk.is_empty() {
            return Err(error);
        }
        self.state.fail_next(error);
        self.drop_unfinished();
        Ok(Some(Event::chunk(chunk, Fin::More)))
    }

    fn plain_chunk<'i>(&mut self, input: &mut &'i mut [u8]) -> (Content<'i>, Result<(), Error>) {
        let Some(chunks) = &mut self.chunks else {
            return (Content::NONE, Ok(()));
        };
        let (chunk, result) = chunks.lend(self.decoder.chunk_up_to(chunks.next_size(), input));
        (chunk, result.map_err(Error::not_utf8))
    }

    fn inflated_chunk<'i>(&mut self, input: &mut &'i mut [u8]) -> (Content<'i>, Result<(), Error>) {
        let Some(chunks) = &mut self.chunks else {
            return (Content::NONE, Ok(()));
        };
        if self.inflating.is_drained() {
            self.inflating.feed(self.decoder.chunk_up_to(MAX_FED, input));
        }
        let inflated = match self.inflating.pull(self.max_message_size) {
            Ok(inflated) => inflated,
            Err(error) => return (Content::NONE, Err(error)),
        };
        let buffer = match inflated.is_empty() {
            true => Vec::new(),
            false => self.message.take_spare(),
        };
        let (chunk, result) = chunks.copy(inflated, buffer);
        (chunk, result.map_err(Error::not_utf8))
    }

    fn finish_chunks(&mut self) -> Result<(), Error> {
        if let Coding::Deflated = self.coding {
            self.inflating.finish()?;
        }
        match self.chunks.take() {
            Some(chunks) => chunks.finish().map_err(Error::not_utf8),
            None => Ok(()),
        }
    }
}
