//! Messages handed out in chunks, as they come.

use alloc::vec::Vec;

use super::{Coding, Frame, ReceiveHalf};
use crate::connection::compression::WIRE;
use crate::connection::event::Event;
use crate::connection::send::Fin;
use crate::error::Error;
use crate::message::Chunk;

impl ReceiveHalf {
    /// The next chunk of a message. `None`: the frame is complete, or the input consumed.
    pub(super) fn next_chunk<'i>(
        &mut self,
        fin: bool,
        input: &mut &'i mut [u8],
    ) -> Result<Option<Event<'i>>, Error> {
        loop {
            let chunk = match self.coding {
                Coding::Plain => self.plain_chunk(input)?,
                Coding::Deflated => self.inflated_chunk(input)?,
            };
            let complete = self.inflating.is_drained() && self.decoder.finish_frame();
            self.frame = if complete {
                None
            } else {
                Some(Frame::Piece { fin })
            };
            let end = match fin && complete {
                true => Fin::Last,
                false => Fin::More,
            };
            let is_empty = chunk.is_empty();
            let event = chunk_event(chunk, end);
            if end == Fin::Last {
                self.finish_chunks()?;
            }
            if complete {
                self.decoder.set_max_payload(self.left_for_fragment());
            }
            if !is_empty || end == Fin::Last {
                return Ok(Some(event));
            }
            if complete || input.is_empty() && self.inflating.is_drained() {
                return Ok(None);
            }
        }
    }

    fn plain_chunk<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Chunk<'i>, Error> {
        let Some(chunks) = &mut self.chunks else {
            return Ok(Chunk::NONE);
        };
        chunks
            .lend(self.decoder.chunk_up_to(chunks.room(), input))
            .map_err(Error::not_utf8)
    }

    fn inflated_chunk<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Chunk<'i>, Error> {
        let Some(chunks) = &mut self.chunks else {
            return Ok(Chunk::NONE);
        };
        if self.inflating.is_drained() {
            self.inflating.feed(self.decoder.chunk_up_to(WIRE, input));
        }
        let piece = self.inflating.pull(self.max_message_size)?;
        let buffer = match piece.is_empty() {
            true => Vec::new(),
            false => self.message.take_spare(),
        };
        chunks.copy(piece, buffer).map_err(Error::not_utf8)
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

fn chunk_event(chunk: Chunk<'_>, fin: Fin) -> Event<'_> {
    match chunk {
        Chunk::Text(text) => Event::TextChunk(text, fin),
        Chunk::Binary(payload) => Event::BinaryChunk(payload, fin),
    }
}
