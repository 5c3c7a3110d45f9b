//! The frame header (RFC 6455 section 5.2): every rule that a single header decides is checked here.

#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use super::{Role, Violation};

/// The longest header: 2 bytes, 8 of length, 4 of masking key.
pub const MAX_HEADER_SIZE: usize = 14;

/// The longest payload of a control frame (RFC 6455 section 5.5), in bytes.
pub const MAX_CONTROL_PAYLOAD: usize = 125;

pub(super) const FIN: u8 = 0x80;
pub(super) const RSV: u8 = 0x70;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
pub(super) const MASK: u8 = 0x80;

/// What a frame is for (RFC 6455 section 5.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "RFC 6455 defines these; the reserved ones are refused"
)]
pub enum OpCode {
    /// A further fragment of the current message.
    Continuation = 0x0,
    /// The first or only frame of a text message.
    Text = 0x1,
    /// The first or only frame of a binary message.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// Asks whether the peer is still there.
    Ping = 0x9,
    /// The answer to a Ping, or an unsolicited heartbeat.
    Pong = 0xa,
}

impl OpCode {
    /// Returns the opcode of these four bits, `None` if they are reserved (3 to 7, 11 to 15) or over 15.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// Returns the four bits on the wire.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Returns whether this is Close, Ping or Pong: at most 125 bytes, never fragmented, allowed between fragments.
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// A frame header.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
#[allow(
    clippy::exhaustive_structs,
    reason = "these are the fields of RFC 6455 section 5.2"
)]
pub struct Header {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// First reserved bit; with permessage-deflate: the message is compressed.
    pub rsv1: bool,
    /// Second reserved bit.
    pub rsv2: bool,
    /// Third reserved bit.
    pub rsv3: bool,
    /// What the frame is for.
    pub opcode: OpCode,
    /// The masking key, on every frame of a client and on none of a server.
    pub mask: Option<[u8; 4]>,
    /// Length of the payload in bytes, at most 2^63 - 1.
    pub payload_len: u64,
}

impl Header {
    /// Creates an unfragmented, unmasked header without reserved bits.
    pub const fn new(opcode: OpCode, payload_len: u64) -> Self {
        Self {
            fin: true,
            rsv1: false,
            rsv2: false,
            rsv3: false,
            opcode,
            mask: None,
            payload_len,
        }
    }

    /// Reads the header that `bytes` begins with. Returns the header and its size in bytes, or `None` if more bytes are
    /// needed.
    ///
    /// Each field is checked as soon as it has arrived, even if the rest of the header has not.
    ///
    /// # Errors
    ///
    /// A [`Violation`] of `rules`.
    ///
    /// ```
    /// use websocket_proto::Role;
    /// use websocket_proto::frame::{Header, Rules, Violation};
    ///
    /// let rules = Rules::new(Role::Client);
    /// let (header, size) = Header::parse(&[0x82, 0x7e, 0x01, 0x00], &rules)?.unwrap();
    /// assert_eq!((header.payload_len, size), (256, 4));
    /// assert_eq!(Header::parse(&[0x82, 0x7e], &rules), Ok(None));
    /// assert_eq!(Header::parse(&[0x83], &rules), Err(Violation::ReservedOpCode(3)));
    /// # Ok::<(), Violation>(())
    /// ```
    #[inline]
    pub fn parse(bytes: &[u8], rules: &Rules) -> Result<Option<(Self, usize)>, Violation> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let opcode = rules.check_first(first)?;
        let Some(rest) = rules.read_rest(opcode, first & RSV1 != 0, bytes)? else {
            return Ok(None);
        };
        let header = Self {
            fin: first & FIN != 0,
            rsv1: first & RSV1 != 0,
            rsv2: first & RSV2 != 0,
            rsv3: first & RSV3 != 0,
            opcode,
            mask: rest.mask,
            payload_len: rest.payload_len,
        };
        Ok(Some((header, rest.size)))
    }

    /// Returns all of the header on the wire without a mask, if the length is in its second byte.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn short(&self) -> Option<[u8; 2]> {
        match u8::try_from(self.payload_len) {
            Ok(len @ 0..=125) => Some([self.first(), len]),
            _ => None,
        }
    }

    /// Same as [`short`](Self::short), with a mask.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn short_masked(&self, [a, b, c, d]: [u8; 4]) -> Option<[u8; 6]> {
        match u8::try_from(self.payload_len) {
            Ok(len @ 0..=125) => Some([self.first(), MASK | len, a, b, c, d]),
            _ => None,
        }
    }

    /// The first byte on the wire.
    #[inline]
    fn first(&self) -> u8 {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = bit(self.fin, FIN) | bit(self.rsv1, RSV1) | bit(self.rsv2, RSV2) | bit(self.rsv3, RSV3);
        flags | self.opcode.bits()
    }

    /// Returns the header as encoded on the wire, its length in the fewest bytes possible (RFC 6455 section 5.2).
    ///
    /// ```
    /// use websocket_proto::frame::{Header, OpCode};
    ///
    /// let header = Header::new(OpCode::Binary, 65_536).encode();
    /// assert_eq!(*header, [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    /// ```
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let (mask_bit, key, key_size) = match self.mask {
            Some(key) => (MASK, u128::from(u32::from_le_bytes(key)), 4),
            None => (0, 0, 0),
        };
        // One number, whose lowest byte comes first, so that all bytes are stored at once.
        let (short, rest, size) = match (u8::try_from(self.payload_len), u16::try_from(self.payload_len)) {
            (Ok(len @ 0..=125), _) => (len, key, 2_usize),
            (_, Ok(len)) => (126, u128::from(len.swap_bytes()) | key << 16, 4),
            _ => (127, u128::from(self.payload_len.swap_bytes()) | key << 64, 10),
        };
        let bytes = u128::from(self.first()) | u128::from(mask_bit | short) << 8 | rest << 16;
        EncodedHeader {
            bytes: bytes.to_le_bytes(),
            size: size.saturating_add(key_size),
        }
    }
}

/// Does not show the masking key.
impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("fin", &self.fin)
            .field("rsv1", &self.rsv1)
            .field("rsv2", &self.rsv2)
            .field("rsv3", &self.rsv3)
            .field("opcode", &self.opcode)
            .field("masked", &self.mask.is_some())
            .field("payload_len", &self.payload_len)
            .finish()
    }
}

/// A header as encoded on the wire; derefs to its 2 to 14 bytes.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct EncodedHeader {
    bytes: [u8; size_of::<u128>()],
    size: usize,
}

#[cfg(feature = "alloc")]
impl EncodedHeader {
    /// How many bytes are appended before those after the header are removed.
    pub(crate) const ROOM: usize = size_of::<u128>();

    /// A copy of a fixed size is a store; one of 2 to 14 bytes would be a call.
    #[inline]
    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len().saturating_add(self.size);
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

impl Deref for EncodedHeader {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or(&self.bytes)
    }
}

impl AsRef<[u8]> for EncodedHeader {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Shows only the size, because the bytes hold the masking key.
impl fmt::Debug for EncodedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedHeader({} bytes)", self.len())
    }
}

/// Which headers are accepted: those of RFC 6455 for one [`Role`], with the leniencies that the caller enables.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[must_use]
pub struct Rules {
    max_payload: u64,
    role: Role,
    rsv1: bool,
    accept_unmasked: bool,
    accept_non_minimal_length: bool,
    accept_rsv1_on_control: bool,
}

/// What a header says after its first byte.
pub(super) struct Rest {
    pub(super) payload_len: u64,
    pub(super) mask: Option<[u8; 4]>,
    /// The size of the header, with its first byte.
    pub(super) size: usize,
}

impl Rules {
    /// Creates the strict rules for headers that this role *receives*. Data frames have no limit except the 2^63 - 1
    /// bytes of the format.
    pub const fn new(role: Role) -> Self {
        Self {
            max_payload: i64::MAX as u64,
            role,
            rsv1: false,
            accept_unmasked: false,
            accept_non_minimal_length: false,
            accept_rsv1_on_control: false,
        }
    }

    /// Sets the largest payload of a data frame, in bytes. A frame with a larger one is rejected as soon as the length
    /// is known. Frames with RSV1 may exceed it by one eighth plus 1,024 bytes, because compression makes some payloads
    /// larger.
    pub const fn max_payload(mut self, bytes: u64) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Sets whether RSV1 is allowed on Text and Binary frames, as with permessage-deflate (RFC 7692 section 6).
    pub const fn permessage_deflate(mut self, allow: bool) -> Self {
        self.rsv1 = allow;
        self
    }

    /// Sets whether a server also accepts unmasked frames.
    pub const fn accept_unmasked(mut self, accept: bool) -> Self {
        self.accept_unmasked = accept;
        self
    }

    /// Sets whether non-minimal length encodings are also accepted.
    pub const fn accept_non_minimal_length(mut self, accept: bool) -> Self {
        self.accept_non_minimal_length = accept;
        self
    }

    /// Sets whether RSV1 is accepted on control frames, where it has no meaning.
    pub const fn accept_rsv1_on_control(mut self, accept: bool) -> Self {
        self.accept_rsv1_on_control = accept;
        self
    }

    /// Reads the header that `bytes` begins with, except for its first byte, which is known.
    #[inline]
    pub(super) fn read_rest(
        &self,
        opcode: OpCode,
        deflated: bool,
        bytes: &[u8],
    ) -> Result<Option<Rest>, Violation> {
        let [_, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        self.check_second(opcode, *second)?;
        let Some((len, size)) = read_len(second & !MASK, rest) else {
            return Ok(None);
        };
        self.check_len(opcode, deflated, len, size)?;
        let (mask, size) = match second & MASK {
            0 => (None, size),
            _ => match bytes.get(size..).and_then(|rest| rest.first_chunk()) {
                Some(key) => (Some(*key), size.saturating_add(4)),
                None => return Ok(None),
            },
        };
        Ok(Some(Rest {
            payload_len: len,
            mask,
            size,
        }))
    }

    #[inline]
    fn check_first(&self, first: u8) -> Result<OpCode, Violation> {
        // RFC 6455 section 5.2: an unknown opcode fails the connection, and so does a reserved bit without a
        // meaning.
        let Some(opcode) = OpCode::from_bits(first & 0xf) else {
            return Err(Violation::ReservedOpCode(first & 0xf));
        };
        // RFC 7692 section 6: RSV1 is set only on the first frame of a message.
        let allowed = match opcode {
            OpCode::Text | OpCode::Binary if self.rsv1 => RSV1,
            _ => 0,
        };
        if first & RSV & !allowed != 0 {
            self.check_rsv_of_control(opcode, first)?;
        }
        // RFC 6455 section 5.5: control frames are never fragmented.
        if opcode.is_control() && first & FIN == 0 {
            return Err(Violation::FragmentedControl);
        }
        Ok(opcode)
    }

    /// Rejects reserved bits, unless only RSV1 is set, on a control frame, and the caller accepts it.
    #[cold]
    fn check_rsv_of_control(&self, opcode: OpCode, first: u8) -> Result<(), Violation> {
        match self.accept_rsv1_on_control && opcode.is_control() && first & RSV == RSV1 {
            true => Ok(()),
            false => Err(Violation::ReservedBits((first & RSV) >> 4)),
        }
    }

    #[inline]
    fn check_second(&self, opcode: OpCode, second: u8) -> Result<(), Violation> {
        // RFC 6455 section 5.1: clients mask every frame, servers none.
        match (self.role, second & MASK != 0) {
            (Role::Server, false) if !self.accept_unmasked => return Err(Violation::Unmasked),
            (Role::Client, true) => return Err(Violation::Masked),
            (Role::Server | Role::Client, _) => {}
        }
        // RFC 6455 section 5.5: 126 and 127 mean an extended length, whatever its value.
        if opcode.is_control() && usize::from(second & !MASK) > MAX_CONTROL_PAYLOAD {
            return Err(Violation::ExtendedControlLength);
        }
        Ok(())
    }

    #[inline]
    fn check_len(&self, opcode: OpCode, deflated: bool, len: u64, size: usize) -> Result<(), Violation> {
        let minimum = match size {
            2 => 0,
            4 => 126,
            _ => 0x1_0000,
        };
        // RFC 6455 section 5.2: the top bit is 0, and the fewest bytes are used.
        if len > i64::MAX as u64 {
            return Err(Violation::LengthOutOfRange(len));
        }
        if len < minimum && !self.accept_non_minimal_length {
            return Err(Violation::NonMinimalLength(len));
        }
        // RFC 6455 section 10.4: the limit is checked before waiting for any payload.
        if len > self.max_payload && !opcode.is_control() {
            return self.check_deflated_len(opcode, deflated, len);
        }
        Ok(())
    }

    /// Checks a frame over the limit, which may be a compressed one whose content is not.
    #[cold]
    fn check_deflated_len(&self, opcode: OpCode, deflated: bool, len: u64) -> Result<(), Violation> {
        let limit = match deflated {
            true => max_deflated(self.max_payload),
            false => self.max_payload,
        };
        match len > limit {
            true => Err(Violation::PayloadTooBig { limit, len, opcode }),
            false => Ok(()),
        }
    }
}

/// Returns the largest compressed size of `size` bytes: DEFLATE puts data that cannot be compressed into stored blocks,
/// each a few bytes larger than its content.
pub(crate) const fn max_deflated(size: u64) -> u64 {
    size.saturating_add(size / 8).saturating_add(1024)
}

/// Returns the payload length and the size of the header up to the end of the length, or `None` if more bytes are
/// needed.
#[inline]
pub(super) fn read_len(short: u8, rest: &[u8]) -> Option<(u64, usize)> {
    match short {
        126 => Some((u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4)),
        127 => Some((u64::from_be_bytes(*rest.first_chunk()?), 10)),
        len => Some((u64::from(len), 2)),
    }
}
