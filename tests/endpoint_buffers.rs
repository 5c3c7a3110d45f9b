//! `Output` and `ReadBuffer` against models of what their documentation says.
#![cfg(feature = "alloc")]

use std::collections::VecDeque;

use proptest::prelude::*;
use websocket_proto::endpoint::{Output, ReadBuffer};

/// Output, and what should be in it.
#[derive(Default)]
struct Written {
    output: Output,
    /// The next byte.
    next: u8,
    waiting: VecDeque<u8>,
    /// How many written bytes are still in the buffer.
    behind: usize,
}

impl Written {
    fn append(&mut self, size: usize) {
        for _ in 0..size {
            self.output.buffer().push(self.next);
            self.waiting.push_back(self.next);
            self.next = self.next.wrapping_add(1);
        }
        self.check();
    }

    /// The transport reports that it accepted `size` bytes, which may be more than there are.
    fn write(&mut self, size: usize) {
        self.output.written(size);
        let size = size.min(self.waiting.len());
        self.waiting.drain(..size);
        self.behind += size;
        if self.behind > self.waiting.len() {
            self.behind = 0;
        }
        self.check();
    }

    fn check(&mut self) {
        assert_eq!(self.output.waiting(), self.waiting.make_contiguous());
        assert_eq!(self.output.len(), self.waiting.len());
        assert_eq!(self.output.is_empty(), self.waiting.is_empty());
        assert_eq!(self.output.buffer().len(), self.behind + self.waiting.len());
    }
}

/// The written part is dropped once it is larger than the waiting part, in every order of short writes.
#[test]
fn output_is_what_was_appended_and_not_written() {
    const SIZES: usize = 6;
    const DEPTH: u32 = if cfg!(miri) { 3 } else { 6 };
    for number in 0..SIZES.pow(DEPTH) {
        let mut output = Written::default();
        for place in 0..DEPTH {
            let size = number / SIZES.pow(place) % SIZES;
            match place % 2 {
                0 => output.append(size),
                _ => output.write(size),
            }
        }
        output.output.clear();
        output.waiting.clear();
        output.behind = 0;
        output.check();
    }
}

/// Memory is freed when all is written and less than a quarter of it was used, down to what was used and 16 KiB.
#[test]
fn output_frees_what_it_did_not_use() {
    const KIB: usize = 1024;
    let cases = [
        (64 * KIB, 16 * KIB - 1, 16 * KIB),
        (64 * KIB, 16 * KIB, 64 * KIB),
        (64 * KIB, 64 * KIB, 64 * KIB),
        (64 * KIB, 1, 16 * KIB),
        (256 * KIB, 20 * KIB, 20 * KIB),
        (256 * KIB, 64 * KIB - 1, 64 * KIB - 1),
        (256 * KIB, 64 * KIB, 256 * KIB),
        (16 * KIB, 1, 16 * KIB),
        (8 * KIB, 1, 8 * KIB),
    ];
    for (capacity, used, left) in cases {
        for writes in [&[used][..], &[usize::MAX], &[used / 3, used - used / 3]] {
            let mut output = Output::new();
            assert_eq!(output.capacity(), 0);
            output.buffer().reserve_exact(capacity);
            output.buffer().resize(used, 7);
            for (place, size) in writes.iter().enumerate() {
                assert_eq!(output.capacity(), capacity, "before {place} of {writes:?}");
                output.written(*size);
            }
            assert_eq!(output.capacity(), left, "{used} of {capacity} in {writes:?}");
        }
    }
}

/// A call of a `ReadBuffer`.
#[derive(Clone, Debug)]
enum Act {
    /// Reads at most so much into the space, of which the payload still needs so much.
    Read {
        remaining: u64,
        size: usize,
    },
    /// Consumes all but so many bytes.
    Keep(usize),
    Extend(usize),
    Shrink,
}

/// A read buffer, and what should be in it.
struct Filled {
    buffer: ReadBuffer,
    max_read_size: usize,
    next: u8,
    unread: Vec<u8>,
    /// The last read filled its space.
    is_filled: bool,
}

impl Filled {
    fn new(max_read_size: usize) -> Self {
        Self {
            buffer: ReadBuffer::new(max_read_size),
            max_read_size: max_read_size.max(128),
            next: 0,
            unread: Vec::new(),
            is_filled: true,
        }
    }

    fn next(&mut self, size: usize) -> Vec<u8> {
        let first = self.next;
        self.next = self.next.wrapping_add(size as u8);
        (0..size).map(|place| first.wrapping_add(place as u8)).collect()
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Read { remaining, size } => self.read(remaining, size),
            Act::Keep(left) => {
                self.buffer.keep(left);
                self.unread.drain(..self.unread.len().saturating_sub(left));
            }
            Act::Extend(size) => {
                let bytes = self.next(size);
                self.buffer.extend(&bytes);
                self.unread.extend(bytes);
                self.is_filled = true; // which is not seen from here
            }
            Act::Shrink => self.shrink(),
        }
        assert_eq!(self.buffer.unread(), self.unread);
        assert_eq!(self.buffer.len(), self.unread.len());
        assert_eq!(self.buffer.is_empty(), self.unread.is_empty());
    }

    fn read(&mut self, remaining: u64, size: usize) {
        let before = self.buffer.capacity();
        let (max, unread) = (self.max_read_size, self.unread.len());
        let missing = usize::try_from(remaining)
            .unwrap_or(usize::MAX)
            .saturating_sub(unread);
        let len = self.buffer.space(remaining).len();
        let capacity = self.buffer.capacity();

        assert_ne!(len, 0, "the transport would have ended");
        assert!(len <= max);
        assert!(
            len >= missing.min(max).min(capacity - unread),
            "free bytes are elsewhere"
        );
        assert!(
            missing < max / 2 || len <= missing,
            "the read ends with the payload"
        );
        if unread == 0 {
            assert!(
                missing >= max / 2 || len == max.min(capacity),
                "the front is used"
            );
        }
        if capacity != before {
            assert!(self.is_filled, "a short read shows that less arrives at a time");
            assert!(
                before < max || unread >= before - unread,
                "bytes that are kept have space after them"
            );
            assert!(
                capacity <= (2 * before + 256).max(max.min(4096)),
                "it follows the bytes received"
            );
            assert!(capacity <= max || before >= max, "a read needs no more");
        }

        let bytes = self.next(size.min(len));
        self.buffer.space(remaining)[..bytes.len()].copy_from_slice(&bytes);
        self.buffer.filled(bytes.len());
        self.is_filled = bytes.len() == len;
        self.unread.extend(bytes);
    }

    fn shrink(&mut self) {
        let before = self.buffer.capacity();
        self.buffer.shrink();
        let after = match self.unread.is_empty() {
            true => before.min(self.max_read_size),
            false => before,
        };
        assert_eq!(self.buffer.capacity(), after);
        self.is_filled &= after == before;
    }
}

fn act() -> impl Strategy<Value = Act> {
    let size = || prop_oneof![Just(0), Just(usize::MAX), 0..200usize, 0..70_000usize];
    let remaining = prop_oneof![Just(0), 0..300u64, 0..200_000u64, Just(u64::MAX)];
    prop_oneof![
        6 => (remaining, size()).prop_map(|(remaining, size)| Act::Read { remaining, size }),
        2 => Just(Act::Keep(0)),
        2 => size().prop_map(Act::Keep),
        1 => (0..5000usize).prop_map(Act::Extend),
        1 => Just(Act::Shrink),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 300 }, ..ProptestConfig::default() })]

    /// Nothing is lost, and there is always space, whatever is read, kept, appended and freed.
    #[test]
    fn read_buffer_has_what_was_read_and_not_consumed(
        max_read_size in prop_oneof![0..300usize, 4095..4098usize, 0..70_000usize],
        acts in prop::collection::vec(act(), 0..40),
    ) {
        let mut buffer = Filled::new(max_read_size);
        acts.iter().for_each(|act| buffer.act(act));
    }
}

/// The size is 4 KiB, and doubles with each read that fills it, up to the largest read.
#[test]
fn read_buffer_doubles_with_each_read_that_fills_it() {
    for (max_read_size, sizes) in [
        (65_536, &[4096, 8192, 16_384, 32_768, 65_536, 65_536, 65_536][..]),
        (10_000, &[4096, 8192, 10_000, 10_000]),
        (1000, &[1000, 1000]),
    ] {
        let mut buffer = ReadBuffer::new(max_read_size);
        for &size in sizes {
            assert_eq!(buffer.space(0).len(), size, "of {max_read_size}");
            buffer.filled(size - 1);
            buffer.keep(0);
            assert_eq!(buffer.space(0).len(), size, "a read that does not fill it");
            buffer.filled(size);
            buffer.keep(0);
            assert_eq!(buffer.capacity(), size);
        }
    }
}
