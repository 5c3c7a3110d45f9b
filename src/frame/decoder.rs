//! The streaming decoder: frames in, as start, chunks and end, in place.

use core::fmt;

#[cfg(feature = "alloc")]
use super::OpCode;
use super::{Header, MAX_HEADER_SIZE, Rules, Violation, mask};
use crate::cursor::take;

/// Decodes a stream of frames without a buffer: each payload is unmasked in the caller's slice and borrowed from it as
/// it arrives.
///
/// The state is 40 bytes, whatever the frame sizes. See the [module](super) for an example.
#[derive(Clone)]
#[must_use]
pub struct Decoder {
    rules: Rules,
    state: State,
}

/// One step of a frame.
#[derive(Eq, PartialEq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a frame has a start, a payload and an end"
)]
pub enum Item<'i> {
    /// A complete, valid header.
    Start(Header),
    /// The next bytes of the payload, unmasked; never empty.
    Chunk(&'i mut [u8]),
    /// The payload is complete.
    End,
}

/// Bytes of a payload as received, and the key that they are masked with.
#[cfg(feature = "alloc")]
pub(crate) struct Masked<'i> {
    pub(crate) bytes: &'i mut [u8],
    pub(crate) key: Option<[u8; 4]>,
}

#[cfg(feature = "alloc")]
impl<'i> Masked<'i> {
    /// Returns the bytes after the first `size`, and their key.
    #[inline]
    pub(crate) fn skip(self, size: usize) -> Self {
        Self {
            key: self.key.map(|key| mask::advance(key, size)),
            bytes: self.bytes.get_mut(size..).unwrap_or_default(),
        }
    }

    #[inline]
    pub(crate) fn unmask(self) -> &'i mut [u8] {
        if let Some(key) = self.key {
            mask::apply(self.bytes, key);
        }
        self.bytes
    }
}

#[derive(Clone)]
enum State {
    /// Between frames, or inside a header, whose first bytes these are.
    Header { bytes: [u8; MAX_HEADER_SIZE], size: u8 },
    /// Inside a payload, of which `remaining` bytes follow, the next one masked with `key[0]`.
    Payload { remaining: u64, key: Option<[u8; 4]> },
    /// Every later call returns the same.
    Failed(Violation),
}

impl State {
    const IDLE: Self = Self::Header {
        bytes: [0; MAX_HEADER_SIZE],
        size: 0,
    };
}

impl Decoder {
    /// Creates a decoder positioned before the first frame.
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            state: State::IDLE,
        }
    }

    /// Decodes the next step of a frame from the front of `input`. Returns `Ok(None)` if and only if `input` is fully
    /// consumed and no [`Item::End`] is pending.
    ///
    /// # Errors
    ///
    /// A [`Violation`] of the rules, which every later call returns too. The bytes after the one that broke the rule
    /// stay in `input`.
    #[inline]
    pub fn decode<'i>(&mut self, input: &mut &'i mut [u8]) -> Result<Option<Item<'i>>, Violation> {
        if self.finish_frame() {
            return Ok(Some(Item::End));
        }
        match self.payload_remaining() {
            None => Ok(self.header(input)?.map(Item::Start)),
            Some(_) if input.is_empty() => Ok(None),
            Some(_) => Ok(Some(Item::Chunk(self.chunk(input)))),
        }
    }

    /// Returns how many bytes of the current frame's payload are still to come; `None` between frames and inside a
    /// header.
    #[inline]
    pub fn payload_remaining(&self) -> Option<u64> {
        match self.state {
            State::Payload { remaining, .. } => Some(remaining),
            State::Header { .. } | State::Failed(_) => None,
        }
    }

    /// Returns whether a part of the current frame is still to come.
    #[cfg(feature = "alloc")]
    pub(crate) fn is_inside_frame(&self) -> bool {
        match self.state {
            State::Header { size, .. } => size > 0,
            State::Payload { remaining, .. } => remaining > 0,
            State::Failed(_) => false,
        }
    }

    /// Sets the limit of [`Rules::max_payload`] for subsequent headers, e.g. to the part of a message limit that is
    /// left for its remaining fragments.
    #[inline]
    pub fn set_max_payload(&mut self, bytes: u64) {
        self.rules = self.rules.max_payload(bytes);
    }

    #[cfg(feature = "deflate")]
    pub(crate) fn permessage_deflate(&mut self) {
        self.rules = self.rules.permessage_deflate(true);
    }

    /// Takes the payload of the next frame, if the frame is complete in `input`, whose first byte has this opcode and no reserved
    /// bit. `None` changes nothing; `header` finds the reason.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn whole_frame<'i>(&self, opcode: OpCode, input: &mut &'i mut [u8]) -> Option<Masked<'i>> {
        let State::Header { size: 0, .. } = self.state else {
            return None;
        };
        let rest = self.rules.read_rest(opcode, false, input).ok()??;
        let end = usize::try_from(rest.payload_len).ok()?.saturating_add(rest.size);
        if input.len() < end {
            return None;
        }
        Some(Masked {
            bytes: take(input, end).get_mut(rest.size..)?,
            key: rest.mask,
        })
    }

    /// Reads a header. The caller then calls `chunk` until `finish_frame` returns `true`.
    #[inline]
    pub(crate) fn header(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Violation> {
        let parsed = match self.state {
            State::Header { size: 0, .. } => Header::parse(input, &self.rules),
            State::Header { bytes, size } => return self.cut_header(bytes, size, input),
            State::Failed(violation) => return Err(violation),
            // Not reached: payload is read with `chunk`.
            State::Payload { .. } => return Ok(None),
        };
        match parsed {
            Ok(Some((header, size))) => {
                take(input, size);
                Ok(Some(self.begin(header)))
            }
            Ok(None) if input.is_empty() => Ok(None),
            Ok(None) | Err(_) => self.cut_header([0; MAX_HEADER_SIZE], 0, input),
        }
    }

    /// Reads a header that is incomplete in the input, byte by byte: it is stored, and each byte is checked as it
    /// arrives.
    #[cold]
    fn cut_header(
        &mut self,
        mut bytes: [u8; MAX_HEADER_SIZE],
        mut size: u8,
        input: &mut &mut [u8],
    ) -> Result<Option<Header>, Violation> {
        while let Some(byte) = take(input, 1).first() {
            // Never `None`: a header is complete after 14 bytes at the latest.
            let Some(free) = bytes.get_mut(usize::from(size)) else {
                break;
            };
            *free = *byte;
            size = size.saturating_add(1);
            let known = bytes.get(..usize::from(size)).unwrap_or(&bytes);
            match Header::parse(known, &self.rules) {
                Ok(Some((header, _))) => return Ok(Some(self.begin(header))),
                Ok(None) => {}
                Err(violation) => {
                    self.state = State::Failed(violation);
                    return Err(violation);
                }
            }
        }
        self.state = State::Header { bytes, size };
        Ok(None)
    }

    #[inline]
    fn begin(&mut self, header: Header) -> Header {
        self.state = State::Payload {
            remaining: header.payload_len,
            key: header.mask,
        };
        header
    }

    /// The next bytes of the payload, unmasked; empty if the input is, or between frames.
    #[inline]
    pub(crate) fn chunk<'i>(&mut self, input: &mut &'i mut [u8]) -> &'i mut [u8] {
        self.chunk_up_to(usize::MAX, input)
    }

    /// Same as `chunk`, but returns at most `max` bytes.
    #[inline]
    pub(crate) fn chunk_up_to<'i>(&mut self, max: usize, input: &mut &'i mut [u8]) -> &'i mut [u8] {
        let (chunk, key) = self.take_payload(max, input);
        if let Some(key) = key {
            mask::apply(chunk, key);
        }
        chunk
    }

    /// The key of the next byte of the payload; `None` if it is not masked, and between frames.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn key(&self) -> Option<[u8; 4]> {
        match self.state {
            State::Payload { key, .. } => key,
            State::Header { .. } | State::Failed(_) => None,
        }
    }

    /// Same as `chunk`, but leaves the bytes masked.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn masked_chunk<'i>(&mut self, input: &mut &'i mut [u8]) -> Masked<'i> {
        let (bytes, key) = self.take_payload(usize::MAX, input);
        Masked { bytes, key }
    }

    /// Takes at most `max` bytes of the payload, and the key of the first of them.
    #[inline]
    fn take_payload<'i>(&mut self, max: usize, input: &mut &'i mut [u8]) -> (&'i mut [u8], Option<[u8; 4]>) {
        let State::Payload { remaining, key } = &mut self.state else {
            return (&mut [], None);
        };
        // A length beyond the address space also exceeds the input's.
        let size = usize::try_from(*remaining).unwrap_or(usize::MAX).min(max);
        let chunk = take(input, size);
        let first = pass(remaining, key, chunk.len());
        (chunk, first)
    }

    /// Passes over `size` bytes of the payload, which are not in an input. Returns the key of the first of them.
    #[cfg(feature = "alloc")]
    pub(crate) fn pass_payload(&mut self, size: usize) -> Option<[u8; 4]> {
        match &mut self.state {
            State::Payload { remaining, key } => pass(remaining, key, size),
            State::Header { .. } | State::Failed(_) => None,
        }
    }

    /// Continues with the next header, if the payload is complete.
    #[inline]
    pub(crate) fn finish_frame(&mut self) -> bool {
        let complete = self.payload_remaining() == Some(0);
        if complete {
            self.state = State::IDLE;
        }
        complete
    }
}

/// Moves forward by `size` bytes of a payload. Returns the key of the first of them.
#[inline]
fn pass(remaining: &mut u64, key: &mut Option<[u8; 4]>, size: usize) -> Option<[u8; 4]> {
    *remaining = remaining.saturating_sub(size as u64);
    let first = *key;
    *key = first.map(|key| mask::advance(key, size));
    first
}

/// Does not show the payload.
impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(header) => f.debug_tuple("Start").field(header).finish(),
            Self::Chunk(chunk) => write!(f, "Chunk({} bytes)", chunk.len()),
            Self::End => f.write_str("End"),
        }
    }
}

/// Shows neither the bytes of a partial header nor the key.
impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("rules", &self.rules)
            .field("payload_remaining", &self.payload_remaining())
            .finish_non_exhaustive()
    }
}

// The size that the documentation promises.
const _: () = assert!(size_of::<Decoder>() <= 40);
