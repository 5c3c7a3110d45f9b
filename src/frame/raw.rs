//! Raw frames, for proxies: nothing is rejected, unmasked or changed.
//!
//! A proxy that does not take part in the protocol relays whatever two peers negotiated, including extensions: reserved
//! bits, opcodes and lengths that [`Rules`](super::Rules) would refuse. It writes exactly the bytes that it read.
//!
//! ```
//! use websocket_proto::frame::raw::{Decoder, Item};
//!
//! let wire = b"\xc1\x83\x01\x02\x03\x04abc\x8b\x00"; // RSV1, masked; then a reserved opcode
//! let (mut decoder, mut relayed, mut opcodes) = (Decoder::new(), Vec::new(), Vec::new());
//! for mut input in wire.chunks(3) {
//!     while let Some(item) = decoder.decode(&mut input) {
//!         match item {
//!             Item::Start(header) => {
//!                 opcodes.push(header.opcode());
//!                 relayed.extend_from_slice(&header);
//!             }
//!             Item::Chunk(payload) => relayed.extend_from_slice(payload),
//!             Item::End => {}
//!         }
//!     }
//! }
//! assert_eq!(relayed, wire);
//! assert_eq!(opcodes, [1, 11]);
//! ```

use core::fmt;
use core::ops::Deref;

use super::MAX_HEADER_SIZE;
use super::header::{FIN, MASK, RSV, read_len};

/// Any frame header; derefs to its 2 to 14 bytes.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Header {
    bytes: [u8; MAX_HEADER_SIZE],
    size: u8,
}

/// Reads any frames. The state is 16 bytes.
#[derive(Clone, Debug)]
#[must_use]
pub struct Decoder {
    state: State,
}

/// One step of a frame.
#[derive(Eq, PartialEq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "a frame has a start, a payload and an end"
)]
pub enum Item<'i> {
    /// A complete header.
    Start(Header),
    /// The next bytes of the payload, masked if the header says so; never empty.
    Chunk(&'i [u8]),
    /// The payload is complete.
    End,
}

#[derive(Clone, Debug)]
enum State {
    /// Between frames, or inside a header.
    Header(Header),
    /// Inside a payload, of which this many bytes follow.
    Payload(u64),
}

impl Header {
    const EMPTY: Self = Self {
        bytes: [0; MAX_HEADER_SIZE],
        size: 0,
    };

    /// Returns whether this is the last fragment of its message.
    pub fn fin(&self) -> bool {
        self.first() & FIN != 0
    }

    /// Returns the three reserved bits, RSV1 the highest: 0 to 7.
    pub fn rsv(&self) -> u8 {
        (self.first() & RSV) >> 4
    }

    /// Returns the opcode, 0 to 15; [`OpCode::from_bits`](super::OpCode::from_bits) converts those that are defined.
    pub fn opcode(&self) -> u8 {
        self.first() & 0xf
    }

    /// Returns the masking key. [`mask::apply`](super::mask::apply) with it unmasks the payload.
    pub fn mask(&self) -> Option<[u8; 4]> {
        match self.second() & MASK {
            0 => None,
            _ => self.last_chunk().copied(),
        }
    }

    /// Returns the length of the payload in bytes. The highest bit, which must be 0, is passed on too: up to 2^64 - 1.
    pub fn payload_len(&self) -> u64 {
        let rest = self.bytes.get(2..).unwrap_or_default();
        read_len(self.second() & !MASK, rest).map_or(0, |(len, _)| len)
    }

    fn first(&self) -> u8 {
        let [first, ..] = self.bytes;
        first
    }

    fn second(&self) -> u8 {
        let [_, second, ..] = self.bytes;
        second
    }

    /// Consumes bytes until the header is complete.
    fn fill(&mut self, input: &mut &[u8]) -> bool {
        while self.size < self.whole_size() {
            let (Some((byte, rest)), Some(free)) =
                (input.split_first(), self.bytes.get_mut(usize::from(self.size)))
            else {
                return false;
            };
            *free = *byte;
            self.size = self.size.saturating_add(1);
            *input = rest;
        }
        true
    }

    /// Returns the size of the header, as far as the bytes so far determine it.
    fn whole_size(&self) -> u8 {
        let masked = self.second() & MASK != 0;
        match (self.size, self.second() & !MASK, masked) {
            (0 | 1, _, _) | (_, 0..=125, false) => 2,
            (_, 0..=125, true) => 6,
            (_, 126, false) => 4,
            (_, 126, true) => 8,
            (_, _, false) => 10,
            (_, _, true) => 14,
        }
    }
}

impl Decoder {
    /// Creates a decoder positioned before the first frame.
    pub const fn new() -> Self {
        Self {
            state: State::Header(Header::EMPTY),
        }
    }

    /// Decodes the next step of a frame from the front of `input`. Returns `None` if and only if `input` is fully
    /// consumed and no [`Item::End`] is pending.
    pub fn decode<'i>(&mut self, input: &mut &'i [u8]) -> Option<Item<'i>> {
        match &mut self.state {
            State::Header(header) => {
                if !header.fill(input) {
                    return None;
                }
                let header = *header;
                self.state = State::Payload(header.payload_len());
                Some(Item::Start(header))
            }
            State::Payload(0) => {
                self.state = State::Header(Header::EMPTY);
                Some(Item::End)
            }
            State::Payload(_) if input.is_empty() => None,
            State::Payload(remaining) => {
                // A length beyond the address space also exceeds the input's.
                let size = usize::try_from(*remaining).map_or(input.len(), |size| size.min(input.len()));
                let (chunk, rest) = input.split_at(size);
                *remaining = remaining.saturating_sub(chunk.len() as u64);
                *input = rest;
                Some(Item::Chunk(chunk))
            }
        }
    }

    /// Returns how many bytes of the current frame's payload are still to come; `None` between frames and inside a
    /// header.
    pub fn payload_remaining(&self) -> Option<u64> {
        match self.state {
            State::Payload(remaining) => Some(remaining),
            State::Header(_) => None,
        }
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Header {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.size)).unwrap_or(&self.bytes)
    }
}

impl AsRef<[u8]> for Header {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Does not show the masking key.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("fin", &self.fin())
            .field("rsv", &self.rsv())
            .field("opcode", &self.opcode())
            .field("masked", &self.mask().is_some())
            .field("payload_len", &self.payload_len())
            .finish()
    }
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

// The size that the documentation promises.
const _: () = assert!(size_of::<Decoder>() <= 16);
