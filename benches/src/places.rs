//! The offsets in a page at which buffers begin, so that the results do not depend on where the allocator places them.

/// The distance from the start of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Offset {
    Zero,
    /// The offset at which glibc places an allocation that has its own pages.
    Header,
    CacheLine,
    HalfPage,
}

impl Offset {
    const ALL: [Self; 4] = [Self::Zero, Self::Header, Self::CacheLine, Self::HalfPage];

    pub const fn bytes(self) -> usize {
        match self {
            Self::Zero => 0,
            Self::Header => 16,
            Self::CacheLine => 64,
            Self::HalfPage => 2048,
        }
    }
}

/// The place of the bytes that a contestant is given, and of its own buffers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    pub source: Offset,
    pub destination: Offset,
}

impl Place {
    const fn new(source: Offset, destination: Offset) -> Self {
        Self { source, destination }
    }
}

/// A full run has one pass for each. If both offsets are the same, loads wait for stores to the same offset in another page.
pub const PLACES: [Place; 8] = {
    use Offset::{CacheLine, HalfPage, Header, Zero};
    [
        Place::new(Header, CacheLine),
        Place::new(CacheLine, HalfPage),
        Place::new(HalfPage, Zero),
        Place::new(Zero, Header),
        Place::new(Header, Header),
        Place::new(CacheLine, CacheLine),
        Place::new(HalfPage, HalfPage),
        Place::new(Zero, Zero),
    ]
};

pub const PAGE: usize = 4096;

/// The same bytes at each offset.
#[derive(Debug)]
pub struct Placed {
    copies: [Vec<u8>; Offset::ALL.len()],
    len: usize,
}

impl Placed {
    pub fn new(bytes: &[u8]) -> Self {
        let copy = |offset: Offset| {
            let mut buffer = vec![0; PAGE + offset.bytes() + bytes.len()];
            let start = start(&buffer, offset);
            buffer[start..start + bytes.len()].copy_from_slice(bytes);
            buffer
        };
        Self {
            copies: Offset::ALL.map(copy),
            len: bytes.len(),
        }
    }

    pub fn at(&self, offset: Offset) -> &[u8] {
        let copy = &self.copies[offset as usize];
        let start = start(copy, offset);
        &copy[start..start + self.len]
    }
}

fn start(buffer: &[u8], offset: Offset) -> usize {
    let address = buffer.as_ptr().addr();
    address.next_multiple_of(PAGE) - address + offset.bytes()
}
