//! The chunked transfer coding (RFC 9112 section 7.1): data collected, extensions and trailers skipped.

use super::{BodyError, Collected};
use crate::Config;
use crate::cursor::take;
use crate::handshake::http::grammar::{is_field_byte, is_space};
use crate::handshake::http::head::HeadReader;

/// Reads the chunks of one body.
pub(super) struct Chunked {
    state: State,
    /// How many more bytes of chunk extensions are allowed.
    extensions_left: usize,
    max_extensions: usize,
    trailers: HeadReader,
}

/// What the next byte is; the variants are in the order of the bytes.
#[derive(Clone, Copy)]
enum State {
    /// A digit of the size, after `digits` others, or the byte after the last one.
    Size { digits: u8, size: u64 },
    /// White space after the size, or what follows it.
    AfterSize { size: u64 },
    /// A byte of an extension, or the CR after it.
    Extension { size: u64 },
    /// The LF after the size.
    SizeLf { size: u64 },
    /// One of `left` bytes of data.
    Data { left: u64 },
    /// The CR after the data.
    DataCr,
    /// The LF after the data.
    DataLf,
    /// A byte of the trailer section, which an empty line ends.
    Trailers,
}

/// The digits that fill 64 bits; more are refused, even if they are leading zeros.
const MAX_DIGITS: u8 = 16;

impl Chunked {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            state: State::NEXT,
            extensions_left: config.max_head_size,
            max_extensions: config.max_head_size,
            trailers: HeadReader::trailers(config),
        }
    }

    /// Consumes the bytes of the body, or on an error those up to the byte that caused it. Returns whether the body is
    /// complete; if not, all input was consumed.
    pub(super) fn receive(
        &mut self,
        input: &mut &mut [u8],
        collected: &mut Collected,
    ) -> Result<bool, BodyError> {
        loop {
            self.state = match self.state {
                State::Trailers => {
                    let end = self.trailers.receive(input).map_err(BodyError::Trailers)?;
                    return Ok(end.is_some());
                }
                State::Data { .. } if input.is_empty() => return Ok(false),
                State::Data { left } => match collected.take(input, left) {
                    0 => State::DataCr,
                    left => State::Data { left },
                },
                state => match take(input, 1) {
                    [byte] => self.turn(state, *byte, collected)?,
                    _ => return Ok(false),
                },
            };
        }
    }

    /// Returns the state after a byte that is not data.
    fn turn(&mut self, state: State, byte: u8, collected: &Collected) -> Result<State, BodyError> {
        match (state, byte) {
            (State::Size { digits, size }, _) => match hexadecimal(byte) {
                Some(digit) if digits < MAX_DIGITS => Ok(State::Size {
                    digits: digits.saturating_add(1),
                    size: size << 4 | u64::from(digit),
                }),
                None if digits > 0 => {
                    collected.check(size)?;
                    self.after_size(size, byte)
                }
                _ => Err(BodyError::MalformedChunkSize),
            },
            (State::AfterSize { size }, _) => self.after_size(size, byte),
            (State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Extension { size }, _) if is_field_byte(byte) => {
                self.count_extension()?;
                Ok(State::Extension { size })
            }
            (State::Extension { .. }, _) => Err(BodyError::MalformedChunkExtension),
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::Trailers),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::SizeLf { .. }, _) => Err(BodyError::MalformedChunkSize),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::NEXT),
            (State::DataCr | State::DataLf, _) => Err(BodyError::MalformedChunkEnd),
            (State::Data { .. } | State::Trailers, _) => Ok(state),
        }
    }

    /// RFC 9112 section 7.1.1: white space before the semicolon of an extension is "bad", but must be parsed. Some
    /// servers write it without an extension, to pad all sizes to the same width.
    fn after_size(&mut self, size: u64, byte: u8) -> Result<State, BodyError> {
        match byte {
            b'\r' => Ok(State::SizeLf { size }),
            b';' => self.count_extension().map(|()| State::Extension { size }),
            _ if is_space(byte) => self.count_extension().map(|()| State::AfterSize { size }),
            _ => Err(BodyError::MalformedChunkSize),
        }
    }

    fn count_extension(&mut self) -> Result<(), BodyError> {
        let limit = self.max_extensions;
        let left = self.extensions_left.checked_sub(1);
        self.extensions_left = left.ok_or(BodyError::ChunkExtensionsTooLarge { limit })?;
        Ok(())
    }
}

impl State {
    /// At the start of a chunk.
    const NEXT: Self = Self::Size { digits: 0, size: 0 };
}

fn hexadecimal(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}
