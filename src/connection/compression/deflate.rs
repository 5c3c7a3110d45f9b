//! The two sides of a connection on which permessage-deflate was negotiated, or may be.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Deflate, Inflate};
use crate::connection::prepared::Prepared;
use crate::deflate::{self, Compressor, Decompressor, DeflateConfig, Window};
use crate::error::Error;
use crate::frame::mask::NO_KEY;
use crate::message::{Assembler, Fin};

/// The receiving side. Holds no memory before the first compressed message.
pub(in crate::connection) enum Inflating {
    Off,
    Agreed(Window),
    Active(Box<Active>),
}

pub(in crate::connection) struct Active {
    decompressor: Decompressor,
    /// Payload that is not inflated yet, of a message delivered in chunks.
    compressed: Vec<u8>,
    /// How much of `compressed` is inflated.
    taken: usize,
}

impl Inflate for Inflating {
    fn push(&mut self, compressed: &[u8], message: &mut Assembler, limit: u64) -> Result<(), Error> {
        match self.active() {
            Some(active) => active.decompressor.push(compressed, limit, |chunk| {
                message.push(chunk, NO_KEY, |_| limit).map_err(Error::not_utf8)
            }),
            // Not reached: without an agreement no frame counts as compressed.
            None => Ok(()),
        }
    }

    fn is_drained(&self) -> bool {
        match self {
            Self::Active(active) => active.compressed.is_empty() && active.decompressor.is_drained(),
            Self::Off | Self::Agreed(_) => true,
        }
    }

    fn feed(&mut self, compressed: &[u8]) {
        if let Some(active) = self.active() {
            active.taken = 0;
            active.compressed.extend_from_slice(compressed);
        }
    }

    fn pull(&mut self, limit: u64) -> Result<&[u8], Error> {
        let Self::Active(active) = self else {
            return Ok(&[]);
        };
        let Active {
            decompressor,
            compressed,
            taken,
        } = &mut **active;
        let mut rest = compressed.get(*taken..).unwrap_or_default();
        let chunk = decompressor.pull(&mut rest, limit)?;
        *taken = compressed.len().saturating_sub(rest.len());
        if rest.is_empty() {
            compressed.clear();
        }
        Ok(chunk.unwrap_or_default())
    }

    fn finish(&mut self) -> Result<(), Error> {
        match self {
            Self::Active(active) => {
                active.compressed = Vec::new();
                Ok(active.decompressor.finish()?)
            }
            Self::Off | Self::Agreed(_) => Ok(()),
        }
    }
}

impl Inflating {
    fn active(&mut self) -> Option<&mut Active> {
        if let Self::Agreed(window) = self {
            *self = Self::Active(Box::new(Active {
                decompressor: Decompressor::new(*window),
                compressed: Vec::new(),
                taken: 0,
            }));
        }
        match self {
            Self::Active(active) => Some(active),
            Self::Off | Self::Agreed(_) => None,
        }
    }
}

impl From<deflate::InflateError> for Error {
    fn from(error: deflate::InflateError) -> Self {
        match error {
            deflate::InflateError::TooBig { limit } => Self::MessageTooBig {
                limit,
                size: limit.saturating_add(1),
            },
            error => Self::Deflate(error),
        }
    }
}

/// The sending side. Holds no memory before the first message that is compressed.
pub(in crate::connection) enum Deflating {
    Off,
    Agreed(Window, DeflateConfig),
    Active(Window, Box<Compressor>),
}

impl Deflating {
    pub(in crate::connection) fn new(window: Window, config: &DeflateConfig) -> Self {
        Self::Agreed(window, config.clone())
    }

    fn compressor(&mut self) -> Option<&mut Compressor> {
        if let Self::Agreed(window, config) = self {
            *self = match Compressor::new(*window, config) {
                Some(compressor) => Self::Active(*window, Box::new(compressor)),
                None => Self::Off,
            };
        }
        match self {
            Self::Active(_, compressor) => Some(compressor),
            Self::Off | Self::Agreed(..) => None,
        }
    }
}

impl Deflate for Deflating {
    type Compressor = Compressor;

    #[inline]
    fn is_off(&self) -> bool {
        matches!(self, Self::Off)
    }

    fn for_message(&mut self, size: usize) -> Option<&mut Compressor> {
        self.compressor()
            .filter(|compressor| compressor.should_compress(size))
    }

    fn for_fragments(&mut self) -> Option<&mut Compressor> {
        self.compressor()
    }

    fn prepared<'p>(&mut self, prepared: &'p Prepared) -> Option<&'p [u8]> {
        let deflated = prepared.deflated()?;
        let (Self::Agreed(window, _) | Self::Active(window, _)) = *self else {
            return None;
        };
        if deflated.window.bits() > window.bits() {
            return None;
        }
        self.for_message(prepared.payload().len())?;
        Some(&deflated.payload)
    }

    fn extend_window(&mut self, message: &[u8]) {
        if let Some(compressor) = self.compressor() {
            compressor.extend_window(message);
        }
    }

    fn compress(compressor: &mut Compressor, chunk: &[u8], fin: Fin, out: &mut Vec<u8>) {
        match fin {
            Fin::Last => compressor.compress(chunk, out),
            Fin::More => compressor.push(chunk, out),
        }
    }
}
