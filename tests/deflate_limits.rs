//! What a compressed message may cost before it produces something (RFC 7692 section 8).

#[path = "common/naive_deflate.rs"]
mod naive_deflate;

use naive_deflate::{Bits, Symbol, TAIL};
use proptest::prelude::*;
use websocket_proto::CloseCode;
use websocket_proto::deflate::{Compressor, Decompressor, DeflateConfig, InflateError, Window};

/// The payload allowed without output, and for each byte of output; D49.
const FREE: usize = 64 * 1024;
const PER_BYTE: usize = 16;

const EMPTY_STORED: &[u8] = b"\x00\x00\x00\xff\xff";

/// The output of a message that arrives in these chunks, the last one repeated.
fn inflate(wire: &[u8], chunks: &[usize]) -> (Vec<u8>, Result<(), InflateError>) {
    let mut decompressor = Decompressor::new(Window::default());
    let (mut out, mut rest) = (Vec::new(), wire);
    let mut sizes = chunks.iter().chain(chunks.last().into_iter().cycle());
    while let (false, Some(&size)) = (rest.is_empty(), sizes.next()) {
        let (chunk, more) = rest.split_at(size.min(rest.len()));
        rest = more;
        let pushed = decompressor.push(chunk, u64::MAX, |piece| {
            out.extend_from_slice(piece);
            Ok(())
        });
        if pushed.is_err() {
            return (out, pushed);
        }
    }
    (out, decompressor.finish())
}

/// The same with `Decompressor::pull`.
fn inflate_by_pieces(wire: &[u8], chunks: &[usize]) -> (Vec<u8>, Result<(), InflateError>) {
    let mut decompressor = Decompressor::new(Window::default());
    let (mut out, mut rest) = (Vec::new(), wire);
    let mut sizes = chunks.iter().chain(chunks.last().into_iter().cycle());
    while let (false, Some(&size)) = (rest.is_empty(), sizes.next()) {
        let (mut chunk, more) = rest.split_at(size.min(rest.len()));
        rest = more;
        loop {
            match decompressor.pull(&mut chunk, u64::MAX) {
                Ok(Some(piece)) => out.extend_from_slice(piece),
                Ok(None) => break,
                Err(error) => return (out, Err(error)),
            }
        }
        assert!(chunk.is_empty() && decompressor.is_drained());
    }
    (out, decompressor.finish())
}

// RFC 7692 section 8: 7692-8-03; D49
#[test]
fn payload_that_produces_nothing_is_limited() {
    let mut bits = Bits::default();
    (0..100_000).for_each(|_| bits.fixed(false, &[]));
    for endless in [EMPTY_STORED.repeat(FREE / 4), bits.sync()] {
        assert!(endless.len() > FREE);
        for size in [1, 7, 4096, usize::MAX] {
            let mut decompressor = Decompressor::new(Window::default());
            let mut taken = 0;
            let error = endless.chunks(size.min(endless.len())).find_map(|chunk| {
                let before = chunk.len();
                let mut rest = chunk;
                let result = decompressor.pull(&mut rest, u64::MAX);
                taken += before - rest.len();
                result.map(|piece| assert_eq!(piece, None)).err()
            });
            let limit = FREE as u64;
            assert_eq!(error, Some(InflateError::Overlong { limit }), "{size}");
            assert_eq!(taken, FREE, "{size}");
            assert_eq!(
                decompressor.finish(),
                Err(InflateError::Overlong { limit }),
                "fused"
            );
        }
    }
    let error = InflateError::Overlong { limit: 9 };
    assert_eq!(error.close_code(), CloseCode::TOO_BIG);
}

// D49: the limit itself is allowed and one byte more is not, even if that byte ends the message
#[test]
fn payload_may_reach_the_limit() {
    // The length of an empty stored block and of a stored block of one byte leave FREE + PER_BYTE.
    let blocks = (FREE + PER_BYTE - 6) / EMPTY_STORED.len();
    let wire = [&b"\x00\x01\x00\xfe\xffx"[..], &EMPTY_STORED.repeat(blocks)].concat();
    let over = FREE + PER_BYTE - wire.len();
    assert!(over < EMPTY_STORED.len());
    let end = &EMPTY_STORED[..1];
    let fits = [&wire[..], end].concat();
    assert!(fits.len() <= FREE + PER_BYTE);
    for chunk in [1, 1000, usize::MAX] {
        assert_eq!(inflate(&fits, &[chunk]), (b"x".to_vec(), Ok(())));
    }
    // Empty fixed blocks take 10 bits, so that any number of bytes can be reached.
    for (extra, fits) in [(0, true), (1, false)] {
        let mut bits = Bits::default();
        while bits.len + 10 < 8 * FREE {
            bits.fixed(false, &[]);
        }
        while 8 * FREE - bits.len >= 3 + 40 {
            bits.stored(false, b"");
        }
        let mut wire = bits.bytes;
        wire.resize(FREE + extra, 0);
        let (out, result) = inflate(&wire, &[usize::MAX]);
        assert!(out.is_empty());
        let limit = FREE as u64;
        match fits {
            true => assert_ne!(result, Err(InflateError::Overlong { limit })),
            false => assert_eq!(result, Err(InflateError::Overlong { limit })),
        }
    }
}

/// zlib, flushed after each byte.
fn flushed_each_byte(content: &[u8], level: i32, strategy: zlib_rs::Strategy) -> Vec<u8> {
    let mut deflate = zlib_rs::Deflate::new_with_config(zlib_rs::DeflateConfig {
        level,
        strategy,
        window_bits: -15,
        ..zlib_rs::DeflateConfig::default()
    });
    let (mut wire, mut buffer) = (Vec::new(), [0; 100]);
    for byte in content.chunks(1) {
        let before = deflate.total_out();
        let flush = zlib_rs::DeflateFlush::SyncFlush;
        deflate.compress(byte, &mut buffer, flush).unwrap();
        wire.extend_from_slice(&buffer[..(deflate.total_out() - before) as usize]);
    }
    assert!(wire.ends_with(&TAIL));
    wire
}

// D49: the worst case that legitimate senders produce
#[test]
fn senders_that_flush_each_byte_are_below_the_limit() {
    use zlib_rs::Strategy;
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(10_000)
    .collect();
    let mut worst = [0; 2];
    for level in [0, 1, 6, 9] {
        for strategy in [Strategy::Default, Strategy::Fixed] {
            let wire = flushed_each_byte(&noise, level, strategy);
            assert!(wire.len() > FREE);
            let ratio = wire.len().div_ceil(noise.len());
            let worst = &mut worst[usize::from(level == 0)];
            *worst = ratio.max(*worst);
            let (out, result) = inflate(&wire[..wire.len() - TAIL.len()], &[100]);
            assert_eq!((out == noise, result), (true, Ok(())), "level {level}");
        }
    }
    assert_eq!(worst, [7, 11], "bytes for each byte, compressed and stored");
    // Incompressible data.
    let mut wire = Vec::new();
    Compressor::new(Window::default(), &DeflateConfig::new())
        .unwrap()
        .compress(&noise.repeat(20), &mut wire);
    assert_eq!(inflate(&wire, &[1000]), (noise.repeat(20), Ok(())));
    // Fragments with only a flush.
    let wire = [&EMPTY_STORED.repeat(13_000)[..], b"\x00"].concat();
    assert_eq!(inflate(&wire, &[5]), (Vec::new(), Ok(())));
}

/// A decompressor that holds a window of this many bytes.
fn with_history(size: usize) -> Decompressor {
    let mut decompressor = Decompressor::new(Window::default());
    let (mut wire, mut out) = (Vec::new(), Vec::new());
    Compressor::new(Window::default(), &DeflateConfig::new())
        .unwrap()
        .compress(&vec![7; size], &mut wire);
    decompressor.decompress(&wire, u64::MAX, &mut out).unwrap();
    decompressor
}

fn decompress(decompressor: &mut Decompressor, wire: &[u8]) -> Result<usize, InflateError> {
    let mut out = Vec::new();
    decompressor
        .decompress(wire, u64::MAX, &mut out)
        .map(|()| out.len())
}

/// Final blocks without content, fixed and stored.
const FINAL: [&[u8]; 2] = [b"\x03\x00", b"\x01\x00\x00\xff\xff"];

// RFC 7692 section 8: 7692-8-03; D50: each costs a 32nd of the history and 64 bytes, 16 with the largest are free
#[test]
fn final_blocks_are_limited_by_what_they_cost() {
    // With 46 stored ones, the fixed ones without a history cost exactly what is allowed.
    for (history, stored) in [0, 1, 32, 1000, 4096, 32 * 1024, 100_000]
        .into_iter()
        .flat_map(|history| [(history, 0), (history, 1000), (history, 46)])
    {
        let blocks: Vec<&[u8]> = (0..1000)
            .map(|place| FINAL[usize::from(place < stored)])
            .collect();
        let cost = 64 + history.min(1 << 15) / 32;
        let (mut limit, mut size) = (0, 0);
        // The next block costs as much, and is paid for by what came before it.
        while (limit + 1) * cost <= 16 * (64 + 1024) + size + blocks[limit].len() {
            size += blocks[limit].len();
            limit += 1;
        }
        let wire = blocks.concat();
        for chunk in [1, 100, wire.len()] {
            let mut decompressor = with_history(history);
            let pushed = wire
                .chunks(chunk)
                .try_for_each(|chunk| decompressor.push(chunk, u64::MAX, |_| Ok(())));
            let limit = limit as u64;
            assert_eq!(
                pushed,
                Err(InflateError::TooManyFinalBlocks { limit }),
                "{history} {stored} {chunk}"
            );
        }
        // As many, and one with which the message ends.
        let wire = blocks[..=limit].concat();
        assert_eq!(
            decompress(&mut with_history(history), &wire),
            Ok(0),
            "{history} {stored}"
        );
    }
    assert_eq!(
        InflateError::TooManyFinalBlocks { limit: 16 }.close_code(),
        CloseCode::TOO_BIG
    );
}

// RFC 7692 section 8: 7692-8-03; D50: each small message copies a window, so it has no free 16 of its own
#[test]
fn final_blocks_of_many_messages_share_a_credit() {
    let many = [&FINAL[0].repeat(16)[..], b"\x00"].concat();
    let mut decompressor = with_history(1 << 15);
    assert_eq!(decompress(&mut decompressor, &many), Ok(0));
    let limit = 2;
    let error = InflateError::TooManyFinalBlocks { limit };
    assert_eq!(decompress(&mut decompressor, &many), Err(error));
    // Two in each message, as legitimate senders produce, are always accepted and do not use up the allowance for a few more.
    let mut decompressor = with_history(1 << 15);
    let two = [&FINAL[0].repeat(2)[..], b"\x00"].concat();
    for _ in 0..1000 {
        assert_eq!(decompress(&mut decompressor, &two), Ok(0));
    }
    assert_eq!(decompress(&mut decompressor, &many), Ok(0));
    // Messages without final blocks restore the allowance, up to the initial amount.
    for _ in 0..1000 {
        assert_eq!(decompress(&mut decompressor, b"\x00"), Ok(0));
    }
    let more = [&FINAL[0].repeat(17)[..], b"\x00"].concat();
    let limit = 16;
    let error = InflateError::TooManyFinalBlocks { limit };
    assert_eq!(decompress(&mut decompressor, &more), Err(error));
}

// D50: senders that end each fragment, or each part of a message, with a final block
#[test]
fn final_blocks_of_small_parts_are_accepted() {
    let mut wire = Vec::new();
    for part in 0..18 {
        let mut deflate = zlib_rs::Deflate::new(6, false, 15);
        let mut buffer = [0; 100];
        let content = format!("part {part} ");
        let done = deflate.compress(content.as_bytes(), &mut buffer, zlib_rs::DeflateFlush::Finish);
        assert_eq!(done, Ok(zlib_rs::Status::StreamEnd));
        wire.extend_from_slice(&buffer[..deflate.total_out() as usize]);
    }
    let mut decompressor = Decompressor::new(Window::default());
    assert_eq!(decompress(&mut decompressor, &wire), Ok(10 * 7 + 8 * 8));
    // Blocks that pay for themselves, with any history and indefinitely.
    let mut bits = Bits::default();
    (0..1000).for_each(|_| bits.stored(true, &[7; 600]));
    assert_eq!(decompress(&mut with_history(1 << 15), &bits.bytes), Ok(600_000));
}

/// A part of a message that begins and ends at byte boundaries.
#[derive(Clone, Debug)]
enum Part {
    Empty(usize),
    Stored(Vec<u8>),
    Matches(Vec<(usize, u8)>),
}

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        3 => (0..9000_usize).prop_map(Part::Empty),
        2 => prop::collection::vec(any::<u8>(), 0..700).prop_map(Part::Stored),
        1 => prop::collection::vec((3..=258_usize, any::<u8>()), 0..40).prop_map(Part::Matches),
    ]
}

/// The payload, its output, and for each byte of it how much output there is once it was consumed.
#[derive(Default)]
struct Model {
    wire: Vec<u8>,
    out: Vec<u8>,
    came: Vec<usize>,
}

impl Model {
    fn add(&mut self, part: &Part) {
        match part {
            Part::Empty(count) => self.wire.extend(EMPTY_STORED.repeat(*count)),
            Part::Stored(bytes) => {
                let mut bits = Bits::default();
                bits.stored(false, bytes);
                self.wire.extend(&bits.bytes[..5]);
                for &byte in bytes {
                    self.note();
                    self.wire.push(byte);
                    self.out.push(byte);
                }
            }
            Part::Matches(matches) => self.add_matches(matches),
        }
        self.note();
    }

    /// For each element, a byte and copies of it.
    fn add_matches(&mut self, matches: &[(usize, u8)]) {
        let symbols = matches
            .iter()
            .flat_map(|&(len, byte)| [Symbol::Literal(byte), Symbol::Match(len, 1)]);
        let (start, mut written) = (self.wire.len(), Vec::new());
        for symbol in symbols {
            written.push(symbol);
            let mut bits = Bits::default();
            bits.fixed(false, &written);
            // Without the end of the block, 7 bits.
            let needed = start + (bits.len - 7).div_ceil(8);
            // Earlier output is complete before the byte in which this symbol ends.
            self.came.resize(needed, self.out.len());
            match symbol {
                Symbol::Literal(byte) => self.out.push(byte),
                Symbol::Match(len, _) => self.out.extend(vec![self.out[self.out.len() - 1]; len]),
            }
        }
        let mut bits = Bits::default();
        bits.fixed(false, &written);
        bits.stored(false, b"");
        self.wire.extend(bits.bytes);
    }

    /// `came[n]` is the output of the first `n` bytes.
    fn note(&mut self) {
        self.came.resize(self.wire.len() + 1, self.out.len());
        if let Some(last) = self.came.last_mut() {
            *last = self.out.len();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    // RFC 7692 section 8: 7692-8-03; D49: the same content, then the same error, wherever the payload is split
    #[test]
    fn limit_is_reached_at_the_same_byte_however_the_payload_is_split(
        parts in prop::collection::vec(any_part(), 1..12),
        chunks in prop::collection::vec(prop_oneof![1..8_usize, 1..70_000_usize], 1..12),
    ) {
        let mut model = Model::default();
        parts.iter().for_each(|part| model.add(part));
        model.wire.push(0x00);
        let reached = (0..model.wire.len()).find(|&size| size >= FREE + PER_BYTE * model.came[size]);
        let expected = match reached {
            Some(limit) => (model.out[..model.came[limit]].to_vec(), Err(InflateError::Overlong { limit: limit as u64 })),
            None => (model.out, Ok(())),
        };
        prop_assert!(inflate(&model.wire, &[1]) == expected);
        for chunks in [&chunks[..], &[usize::MAX]] {
            prop_assert!(inflate(&model.wire, chunks) == expected);
            prop_assert!(inflate_by_pieces(&model.wire, chunks) == expected);
        }
    }
}

// D49: where `c_ulong` has 32 bits the engine ends before it counts to 4 GiB; elsewhere there is nothing to end for.
// cargo test --release --config profile.release.overflow-checks=true --all-features --test deflate_limits -- --ignored
#[test]
#[ignore = "4 GiB"]
fn four_gib_end_without_a_panic() {
    let is_short = std::ffi::c_ulong::MAX as u128 == u128::from(u32::MAX);
    let stored = [&b"\x00\xff\xff\x00\x00"[..], &[7; 65535]].concat();
    let (mut zeros, mut more_zeros) = (Vec::new(), Vec::new());
    let mut compressor = Compressor::new(Window::default(), &DeflateConfig::new()).unwrap();
    compressor.push(&[0; 1 << 20], &mut zeros);
    compressor.push(&[0; 1 << 20], &mut more_zeros);
    let too_big = |limit: u64| matches!(limit, 0xffff_0000..=0xffff_ffff);
    for part in [stored, more_zeros, EMPTY_STORED.repeat(1000)] {
        let (mut decompressor, mut came, mut went) = (Decompressor::new(Window::default()), 0, 0);
        if part.len() < 10_000 {
            decompressor
                .push(&zeros, u64::MAX, |_| Ok::<(), InflateError>(()))
                .unwrap();
        }
        let result = loop {
            went += part.len() as u64;
            let pushed = decompressor.push(&part, u64::MAX, |piece| {
                came += piece.len() as u64;
                Ok::<(), InflateError>(())
            });
            if pushed.is_err() || came > 5 << 30 {
                break pushed;
            }
        };
        println!("{went} bytes in, {came} bytes out: {result:?}");
        match result {
            Ok(()) => assert!(!is_short),
            Err(InflateError::Overlong { limit }) => assert!(limit < 1 << 28 || is_short && too_big(limit)),
            Err(InflateError::TooBig { limit }) => assert!(is_short && too_big(limit)),
            Err(error) => panic!("{error}"),
        }
    }
}
