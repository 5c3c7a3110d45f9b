//! Compressing and inflating messages: RFC 7692 section 7.2.

#[path = "common/heap.rs"]
mod heap;
#[path = "common/naive_deflate.rs"]
mod naive_deflate;
#[path = "common/windows.rs"]
mod windows;

use heap::measure;
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZFlush};
use naive_deflate::*;
use proptest::prelude::*;
use websocket_proto::deflate::{Compressor, Decompressor, DeflateConfig, InflateError, Window};
use windows::window;

/// The largest message here, unless stated otherwise.
const LIMIT: u64 = 1 << 20;

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
/// "Hello" as a reference to an earlier "Hello".
const HELLO_AGAIN: &[u8] = b"\xf2\x00\x11\x00\x00";

const TAKEOVER: Window = window(15, true);
const NO_TAKEOVER: Window = window(15, false);

fn decompress(decompressor: &mut Decompressor, wire: &[u8]) -> Result<Vec<u8>, InflateError> {
    let mut out = Vec::new();
    decompressor.decompress(wire, LIMIT, &mut out).map(|()| out)
}

/// The messages one after the other.
fn decompress_all(window: Window, wires: &[&[u8]]) -> Result<Vec<String>, InflateError> {
    let mut decompressor = Decompressor::new(window);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    wires
        .iter()
        .map(|wire| decompress(&mut decompressor, wire).map(text))
        .collect()
}

/// Pushes chunks of the given sizes, then the rest. Returns the output before any error, and the sizes of the pieces.
fn decompress_in_chunks(
    decompressor: &mut Decompressor,
    wire: &[u8],
    sizes: &[usize],
    limit: u64,
) -> (Vec<u8>, Result<(), InflateError>) {
    let (mut out, mut rest) = (Vec::new(), wire);
    let mut sink = |piece: &[u8]| {
        assert!(!piece.is_empty());
        out.extend_from_slice(piece);
        assert!(out.len() as u64 <= limit);
        Ok(())
    };
    let mut result = Ok(());
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (chunk, more) = rest.split_at(size.min(rest.len()));
        rest = more;
        result = decompressor.push(chunk, limit, &mut sink);
        if result.is_err() {
            break;
        }
    }
    (out, result.and_then(|()| decompressor.finish()))
}

fn compressor(window: Window) -> Compressor {
    Compressor::new(window, &DeflateConfig::new().send_window_bits(15)).unwrap()
}

fn compress(compressor: &mut Compressor, message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compressor.compress(message, &mut out);
    out
}

/// JSON texts that are similar, but all different.
fn json(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut text = String::from("[");
    while text.len() < size {
        text += &format!(
            "{{\"id\":{},\"user\":\"user{}\",\"price\":{}.{:02},\"side\":\"{}\",\"time\":\"2024-05-{:02}T{:02}:{:02}Z\"}},",
            random(1_000_000),
            random(5000),
            random(900),
            random(100),
            ["buy", "sell"][random(2) as usize],
            1 + random(28),
            random(24),
            random(60),
        );
    }
    text.truncate(size);
    text.into_bytes()
}

// ---- The RFC's bytes ----

// RFC 7692 section 7.2.3: 7692-7.2.3-01; section 7.2.2: 7692-7.2.2-01
#[test]
fn examples_of_the_rfc_inflate() {
    for (wire, text) in [
        (HELLO, "Hello"),
        // Section 7.2.3.3: a stored block
        (b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "Hello"),
        // Section 7.2.3.4: a final block, then an empty stored one. RFC 7692 section 7.2.1: 7692-7.2.1-03
        (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello"),
        // Section 7.2.3.5: two blocks
        (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello"),
        // Section 7.2.3.6: RFC 7692 section 7.2.1: 7692-7.2.1-04
        (b"\x00", ""),
    ] {
        // RFC 7692 section 6: 7692-6-07. Fragments at any boundary.
        for cut in 0..=wire.len() {
            for window in [TAKEOVER, NO_TAKEOVER] {
                let mut decompressor = Decompressor::new(window);
                let (out, result) = decompress_in_chunks(&mut decompressor, wire, &[cut], LIMIT);
                assert_eq!((&*out, result), (text.as_bytes(), Ok(())), "{wire:x?}");
                assert_eq!(decompress(&mut decompressor, HELLO).as_deref(), Ok(&b"Hello"[..]));
            }
        }
    }
    // Section 7.2.3.2: RFC 7692 section 7.2.2: 7692-7.2.2-02
    assert_eq!(
        decompress_all(TAKEOVER, &[HELLO, HELLO_AGAIN]).unwrap(),
        ["Hello", "Hello"]
    );
    assert_eq!(
        decompress_all(NO_TAKEOVER, &[HELLO, HELLO_AGAIN]),
        Err(InflateError::Corrupt)
    );
}

// RFC 7692 section 7.2.1: 7692-7.2.1-01, 7692-7.2.1-04; section 7.2.3: 7692-7.2.3-01
#[test]
fn examples_of_the_rfc_are_what_is_written() {
    for keep in [false, true] {
        let config = DeflateConfig::new().keep_engine(keep);
        let mut takeover = Compressor::new(TAKEOVER, &config).unwrap();
        assert_eq!(compress(&mut takeover, b""), b"\x00");
        assert_eq!(compress(&mut takeover, b"Hello"), HELLO);
        assert_eq!(compress(&mut takeover, b"Hello"), HELLO_AGAIN);
        assert_eq!(compress(&mut takeover, b""), b"\x00");
        takeover.forget();
        assert_eq!(compress(&mut takeover, b"Hello"), HELLO);

        // RFC 7692 section 7.1.1.1: 7692-7.1.1.1-04; section 7.1.1.2: 7692-7.1.1.2-02
        let mut none = Compressor::new(NO_TAKEOVER, &config).unwrap();
        assert_eq!(compress(&mut none, b"Hello"), HELLO);
        assert_eq!(compress(&mut none, b"Hello"), HELLO);
    }
}

// RFC 7692 section 6: 7692-6-08; section 7.2.1: 7692-7.2.1-02
#[test]
fn parts_are_flushed_and_the_last_one_has_no_tail() {
    let mut compressor = compressor(TAKEOVER);
    let (mut parts, mut out) = (vec![Vec::new(); 3], Vec::new());
    compressor.push(b"Hel", &mut parts[0]);
    compressor.push(b"", &mut parts[1]);
    compressor.compress(b"lo", &mut parts[2]);
    assert!(parts[0].ends_with(&TAIL) && parts[1].is_empty() && !parts[2].ends_with(&TAIL));

    let mut decompressor = Decompressor::new(TAKEOVER);
    for (part, text) in [(&parts[0], "Hel"), (&parts[1], ""), (&parts[2], "lo")] {
        out.clear();
        let sink = |piece: &[u8]| {
            out.extend_from_slice(piece);
            Ok::<(), InflateError>(())
        };
        decompressor.push(part, LIMIT, sink).unwrap();
        assert_eq!(out, text.as_bytes(), "a part can be read as it comes");
    }
    decompressor.finish().unwrap();

    // An empty last part.
    let (mut first, mut last) = (Vec::new(), Vec::new());
    compressor.push(b"Hello", &mut first);
    compressor.compress(b"", &mut last);
    assert_eq!(last, b"\x00");
    assert_eq!(
        decompress(&mut decompressor, &[first, last].concat()).as_deref(),
        Ok(&b"Hello"[..])
    );
    let wire = compress(&mut compressor, b"Hello, Hello");
    assert_eq!(
        decompress(&mut decompressor, &wire).as_deref(),
        Ok(&b"Hello, Hello"[..])
    );
}

// D23
#[test]
fn nothing_is_compressed_with_8_bits() {
    assert!(Compressor::new(window(8, true), &DeflateConfig::new()).is_none());
    assert!(Compressor::new(window(9, true), &DeflateConfig::new()).is_some());
    // When receiving, it is a window like any other.
    let reach = |distance: usize| {
        let mut bits = Bits::default();
        bits.fixed(false, &[Symbol::Match(3, distance)]);
        bits.sync()
    };
    for distance in [1, 255, 256] {
        let mut decompressor = Decompressor::new(window(8, true));
        decompress(
            &mut decompressor,
            &compress(&mut compressor(TAKEOVER), &json(1000, 1)),
        )
        .unwrap();
        assert_eq!(
            decompress(&mut decompressor, &reach(distance)).unwrap().len(),
            3,
            "{distance}"
        );
    }
    let mut decompressor = Decompressor::new(window(8, true));
    decompress(
        &mut decompressor,
        &compress(&mut compressor(TAKEOVER), &json(1000, 1)),
    )
    .unwrap();
    assert_eq!(
        decompress(&mut decompressor, &reach(257)),
        Err(InflateError::Corrupt)
    );
}

#[test]
fn threshold_is_where_compressing_begins() {
    let config = DeflateConfig::new().threshold(100);
    let compressor = Compressor::new(TAKEOVER, &config).unwrap();
    assert!(
        !compressor.should_compress(0) && !compressor.should_compress(99) && compressor.should_compress(100)
    );
    assert!(
        Compressor::new(TAKEOVER, &config.threshold(0))
            .unwrap()
            .should_compress(0)
    );
}

// ---- Ends of messages; each with the messages after it ----

/// Asserts that `wire` inflates to `text`, and that the window then ends with it.
fn accepts(wire: &[u8], text: &str) {
    let mut after = Bits::default();
    after.fixed(false, &[Symbol::Match(5, 5 + text.len())]);
    let after = after.sync();
    for cut in 0..=wire.len() {
        let mut decompressor = Decompressor::new(TAKEOVER);
        decompress(&mut decompressor, HELLO).unwrap();
        let (out, result) = decompress_in_chunks(&mut decompressor, wire, &[cut], LIMIT);
        assert_eq!(
            (String::from_utf8(out).unwrap().as_str(), result),
            (text, Ok(())),
            "{wire:x?} {cut}"
        );
        assert!(!decompressor.is_inside_message());
        assert_eq!(
            decompress(&mut decompressor, &after).as_deref(),
            Ok(&b"Hello"[..]),
            "{wire:x?}"
        );
        assert_eq!(
            decompress(&mut decompressor, HELLO_AGAIN).as_deref(),
            Ok(&b"Hello"[..]),
            "{wire:x?}"
        );
    }
}

fn refuses(wire: &[u8], error: InflateError) {
    for cut in 0..=wire.len() {
        for window in [TAKEOVER, NO_TAKEOVER] {
            let mut decompressor = Decompressor::new(window);
            let (_, result) = decompress_in_chunks(&mut decompressor, wire, &[cut], LIMIT);
            assert_eq!(result, Err(error), "{wire:x?} {cut}");
            // Repeatedly.
            assert_eq!(decompress(&mut decompressor, HELLO), Err(error));
            assert_eq!(decompressor.finish(), Err(error));
        }
    }
}

// D43
#[test]
fn no_payload_is_an_empty_message() {
    accepts(b"", "");
    assert_eq!(
        decompress_all(TAKEOVER, &[b"", HELLO, b"", HELLO_AGAIN]).unwrap(),
        ["", "Hello", "", "Hello"]
    );
}

// D44; RFC 7692 section 7.2.2: 7692-7.2.2-07
#[test]
fn tail_that_was_not_removed_is_not_part_of_the_next_message() {
    accepts(b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff", "Hello");
    accepts(b"\x00\x00\x00\xff\xff", "");
    accepts(
        b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x00\x00\x00\xff\xff",
        "Hello",
    );
    // A stored block with similar content; the data ends between blocks.
    accepts(
        b"\x00\x04\x00\xfb\xff\x00\x00\x7f\x7f\x00\x00\x00\xff\xff",
        "\0\0\x7f\x7f",
    );
    // After a final block.
    accepts(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00\x00\x00\xff\xff", "Hello");
    // An empty final block.
    accepts(b"\x01\x00\x00\xff\xff", "");
    // The same bytes, but not between blocks.
    refuses(b"\x00\x05\x00\xfa\xff\x00\x00\xff\xff", InflateError::Truncated);
    refuses(b"\x00\x00\x00\xff\xff\x00\x00\xff\xff", InflateError::Truncated);
}

// D19; RFC 7692 section 7.2.1: 7692-7.2.1-03; section 7.2.2: 7692-7.2.2-04
#[test]
fn the_window_outlives_final_blocks() {
    accepts(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello");
    // The message ends with the block.
    accepts(b"\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello");
    // A final stored block that ends with the tail.
    accepts(b"\x01", "");
    let mut bits = Bits::default();
    bits.fixed(false, &"Hello".bytes().map(Symbol::Literal).collect::<Vec<_>>());
    bits.put(1, 3);
    accepts(&bits.bytes, "Hello");
    // Several final blocks, including stored ones.
    accepts(
        b"\xf3\x48\xcd\xc9\xc9\x07\x00\x01\x05\x00\xfa\xffHello\xf3\x48\xcd\xc9\xc9\x07\x00",
        "HelloHelloHello",
    );
    // References across them, within the message and from the next message.
    for window in [TAKEOVER, NO_TAKEOVER] {
        let mut bits = Bits::default();
        bits.fixed(true, &"Hello".bytes().map(Symbol::Literal).collect::<Vec<_>>());
        bits.align();
        bits.fixed(true, &[Symbol::Match(5, 5), Symbol::Literal(b'!')]);
        bits.align();
        bits.fixed(false, &[Symbol::Match(11, 11)]);
        assert_eq!(
            decompress_all(window, &[&bits.sync()]).unwrap(),
            ["HelloHello!HelloHello!"]
        );
    }
    assert_eq!(
        decompress_all(TAKEOVER, &[b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", HELLO_AGAIN]).unwrap(),
        ["Hello", "Hello"]
    );
    // D21: what follows is read as the next block.
    refuses(b"\xf3\x48\xcd\xc9\xc9\x07\x00junk", InflateError::Truncated);
    refuses(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x07", InflateError::Corrupt);
    refuses(b"\xf3\x48\xcd\xc9\xc9\x07\x00\x02", InflateError::Truncated);
}

// D20; RFC 7692 section 7.2.2: 7692-7.2.2-06
#[test]
fn truncated_messages_are_refused() {
    for size in 1..HELLO.len() {
        refuses(&HELLO[..size], InflateError::Truncated);
    }
    // Stored blocks that lack what the tail would fill in: content, lengths.
    refuses(b"\x00\x05\x00\xfa\xffH", InflateError::Truncated);
    refuses(b"\x00\x05\x00\xfa\xffHello", InflateError::Truncated);
    refuses(b"\x00\x04\x00\xfb\xff", InflateError::Truncated);
    refuses(b"\x00\x00", InflateError::Truncated);
    refuses(b"\x00\x00\x00", InflateError::Truncated);
    refuses(b"\x00\x00\x00\xff", InflateError::Truncated);
    // The end of a block, and a part of a header.
    accepts(b"\x02\x00", "");
    refuses(b"\x02", InflateError::Truncated);
    // A dynamic block, anywhere.
    let message = json(4000, 3);
    let wire = compress(&mut compressor(TAKEOVER), &message);
    for size in 1..wire.len() {
        let mut decompressor = Decompressor::new(TAKEOVER);
        assert_eq!(
            decompress(&mut decompressor, &wire[..size]),
            Err(InflateError::Truncated),
            "{size}"
        );
    }
}

// RFC 7692 section 7.2.2: 7692-7.2.2-05; D22
#[test]
fn invalid_data_are_refused() {
    // A reference to before the first byte, in the first message and in a later one.
    refuses(HELLO_AGAIN, InflateError::Corrupt);
    refuses(
        &[HELLO, b"\x00\x00\xff\xff\xf2\x00\x31\x00\x00"].concat(),
        InflateError::Corrupt,
    );
    // Stored lengths that differ; a reserved block type, as the first and as a later block.
    refuses(b"\x00\x05\x00\xfa\xfeHello\x00", InflateError::Corrupt);
    refuses(b"\x06", InflateError::Corrupt);
    refuses(b"\x00\x00\x00\xff\xff\x07", InflateError::Corrupt);
    // Invalid dynamic codes.
    refuses(b"\xfc\xff\xff\xff\xff\xff\xff", InflateError::Corrupt);
    assert_eq!(
        InflateError::Corrupt.close_code(),
        websocket_proto::CloseCode::INVALID_DATA
    );
    assert_eq!(
        InflateError::Truncated.close_code(),
        websocket_proto::CloseCode::INVALID_DATA
    );
}

/// A reference can reach everything inflated in this direction, or in this message without context takeover. The data of another
/// user of the engine, which is still in its memory, is out of reach.
#[test]
fn references_do_not_reach_beyond_the_direction() {
    let mut far = Bits::default();
    far.fixed(false, &[Symbol::Literal(b'a'), Symbol::Match(5, 2)]);
    let far = far.sync();
    for _ in 0..5 {
        let mut other = Decompressor::new(TAKEOVER);
        let secret = compress(&mut compressor(TAKEOVER), &json(40_000, 5));
        decompress(&mut other, &secret).unwrap();
        assert_eq!(decompress_all(TAKEOVER, &[&far]), Err(InflateError::Corrupt));
        assert_eq!(
            decompress_all(NO_TAKEOVER, &[HELLO, &far]),
            Err(InflateError::Corrupt)
        );
        assert_eq!(
            decompress_all(TAKEOVER, &[HELLO, &far]).unwrap(),
            ["Hello", "aoaoao"]
        );
    }
}

// RFC 7692 section 7.2.2: 7692-7.2.2-03. Uncompressed messages are passed to neither side, so the windows stay in sync.
#[test]
fn plain_messages_stay_out_of_the_window() {
    let mut sender = compressor(TAKEOVER);
    let mut decompressor = Decompressor::new(TAKEOVER);
    let first = compress(&mut sender, b"Hello");
    assert_eq!(
        decompress(&mut decompressor, &first).as_deref(),
        Ok(&b"Hello"[..])
    );
    // ... "x", as it is ...
    assert_eq!(compress(&mut sender, b"Hello"), HELLO_AGAIN);
    assert_eq!(
        decompress(&mut decompressor, HELLO_AGAIN).as_deref(),
        Ok(&b"Hello"[..])
    );
}

/// Then a message that another compressor made, as for a broadcast, is sent in between.
#[test]
fn a_compressor_can_forget() {
    for keep in [false, true] {
        let mut own = Compressor::new(TAKEOVER, &DeflateConfig::new().keep_engine(keep)).unwrap();
        let mut decompressor = Decompressor::new(TAKEOVER);
        let shared = compress(&mut compressor(NO_TAKEOVER), b"to all of you");
        for i in 0..5 {
            let message = json(500, i);
            assert!(decompress(&mut decompressor, &compress(&mut own, &message)).unwrap() == message);
            assert_eq!(decompress(&mut decompressor, &shared).unwrap(), b"to all of you");
            own.forget();
        }
    }
}

#[test]
fn a_refused_piece_ends_the_direction() {
    #[derive(Debug, PartialEq)]
    enum Own {
        Deflate(InflateError),
        Enough,
    }
    impl From<InflateError> for Own {
        fn from(error: InflateError) -> Self {
            Self::Deflate(error)
        }
    }
    let mut decompressor = Decompressor::new(TAKEOVER);
    assert_eq!(
        decompressor.push(HELLO, LIMIT, |_| Err(Own::Enough)),
        Err(Own::Enough)
    );
    assert_eq!(
        decompressor.push(HELLO, LIMIT, |_| Ok(())),
        Err(Own::Deflate(InflateError::Refused))
    );
    assert_eq!(decompressor.finish(), Err(InflateError::Refused));
}

// ---- Limits ----

// RFC 7692 section 8: 7692-8-02
#[test]
fn inflated_size_is_limited() {
    for size in [1, 2, 5, 16383, 16384, 16385, 32768, 70_000] {
        let wire = compress(&mut compressor(TAKEOVER), &vec![b'x'; size]);
        for limit in [
            0,
            1,
            size as u64 / 2,
            size as u64 - 1,
            size as u64,
            size as u64 + 1,
            u64::MAX,
        ] {
            let mut decompressor = Decompressor::new(TAKEOVER);
            let (out, result) = decompress_in_chunks(&mut decompressor, &wire, &[1, 2], limit);
            if limit < size as u64 {
                assert_eq!(result, Err(InflateError::TooBig { limit }));
                assert_eq!(out.len() as u64, limit, "what may come comes");
            } else {
                assert_eq!((out.len(), result), (size, Ok(())));
            }
        }
    }
    // An empty message fits any limit.
    let mut out = Vec::new();
    assert_eq!(
        Decompressor::new(TAKEOVER).decompress(b"\x00", 0, &mut out),
        Ok(())
    );
    let error = Decompressor::new(TAKEOVER)
        .decompress(HELLO, 4, &mut out)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "compressed message inflates to more than the limit of 4 bytes"
    );
    assert_eq!(error.close_code(), websocket_proto::CloseCode::TOO_BIG);
    assert!(out.is_empty(), "and nothing of it is left");
}

// RFC 7692 section 8: 7692-8-02
#[test]
fn a_bomb_takes_the_limit_and_one_buffer() {
    let zeros = vec![0; 64 << 20];
    let bomb = compress(&mut compressor(TAKEOVER), &zeros);
    assert!(bomb.len() < 70_000, "{}", bomb.len());
    let mut out = Vec::new();
    // In addition to the output: the engine, its buffer, and the window.
    let (result, heap) = measure(|| Decompressor::new(TAKEOVER).decompress(&bomb, LIMIT, &mut out));
    assert_eq!(result, Err(InflateError::TooBig { limit: LIMIT }));
    assert!(heap.peak <= LIMIT as i64 + 128 * 1024, "{heap:?}");
    assert!(out.capacity() as u64 <= LIMIT);
}

// ---- Memory ----

// The output fills its buffer exactly, here at some of the sizes: nothing may be lost or duplicated then.
#[test]
fn messages_of_any_size_around_the_buffers_come_back() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    })
    .take(40_000)
    .collect();
    for size in (0..=70).chain(16_310..=16_390).chain(32_704..=32_770) {
        let mut compressor = Compressor::new(NO_TAKEOVER, &DeflateConfig::new().level(1)).unwrap();
        let mut wire = Vec::new();
        compressor.compress(&noise[..size], &mut wire);
        let out = decompress(&mut Decompressor::new(NO_TAKEOVER), &wire).unwrap();
        assert!(out == noise[..size], "{size}");
    }
}

// `Decompressor::pull`: one piece may not be all output for the input it consumed; `push` returns the rest, without more input
#[test]
fn what_a_piece_leaves_comes_out_later() {
    let mut leaves = 0;
    for size in 16 * 1024..17 * 1024 {
        let message = vec![b'a'; size];
        let wire = compress(&mut compressor(TAKEOVER), &message);
        let mut decompressor = Decompressor::new(TAKEOVER);
        let mut rest = &wire[..];
        let mut out = decompressor.pull(&mut rest, LIMIT).unwrap().unwrap().to_vec();
        leaves += usize::from(rest.is_empty() && out.len() < size);
        assert!(out.len() == size || !decompressor.is_drained(), "{size}");
        let sink = |piece: &[u8]| {
            out.extend_from_slice(piece);
            Ok::<(), InflateError>(())
        };
        decompressor.push(rest, LIMIT, sink).unwrap();
        assert!(out == message && decompressor.is_drained(), "{size}");
        assert_eq!(decompressor.finish(), Ok(()), "{size}");
    }
    assert!(leaves > 0);
}

// `DeflateConfig::level`: from 1, fast, to 9, small; values outside this range are clamped
#[test]
fn the_highest_level_makes_less_than_the_lowest() {
    let message = json(100_000, 1);
    let size = |level| {
        let mut wire = Vec::new();
        Compressor::new(TAKEOVER, &DeflateConfig::new().level(level))
            .unwrap()
            .compress(&message, &mut wire);
        wire.len()
    };
    let [fast, small] = [1, 9].map(size);
    assert!(small < fast, "{small} {fast}");
    assert_eq!([0, 255].map(size), [fast, small]);
}

// `Decompressor::decompress`: what exceeds the limit is never inflated, and output that fits does not need more space
#[test]
fn a_message_takes_no_more_memory_than_the_limit() {
    for size in [1, 100, 40_000, 100_000, 100_001] {
        let message = json(size, 1);
        let mut wire = Vec::new();
        compressor(NO_TAKEOVER).compress(&message, &mut wire);
        for (room, limit) in [(0, size as u64), (size, LIMIT)] {
            let mut out = Vec::with_capacity(room);
            Decompressor::new(NO_TAKEOVER)
                .decompress(&wire, limit, &mut out)
                .unwrap();
            assert_eq!((out.len(), out.capacity()), (size, size));
        }
    }
}

#[test]
fn debug_forms_say_what_was_agreed() {
    let (compressor, mut decompressor) = (
        Compressor::new(window(10, true), &DeflateConfig::default()).unwrap(),
        Decompressor::new(TAKEOVER),
    );
    assert_eq!(DeflateConfig::default(), DeflateConfig::new());
    let shown = format!("{compressor:?} {decompressor:?}");
    for part in [
        "Compressor { bits: 10, takeover: true, level: 6",
        "Decompressor { takeover: true",
        "failed: None",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!decompressor.is_inside_message());
    decompressor
        .push(HELLO, LIMIT, |_| Ok::<(), InflateError>(()))
        .unwrap();
    assert!(decompressor.is_inside_message());
    assert!(decompress(&mut decompressor, b"\x06").is_err());
    assert!(format!("{decompressor:?}").contains("failed: Some("));
}

/// RFC 7692 section 7.1.1.2: 7692-7.1.1.2-03. The numbers of the table in the documentation; run with `--nocapture`.
#[test]
#[cfg_attr(target_family = "wasm", ignore = "it takes a thread")]
fn memory_is_as_documented() {
    let heap_of = |window: Window, keep: bool| {
        // A new thread has no engines yet.
        let work = move || {
            let message = json(100_000, 1);
            let config = DeflateConfig::new().keep_engine(keep).send_window_bits(15);
            let ((mut sender, mut receiver), new) = measure(|| {
                (
                    Compressor::new(window, &config).unwrap(),
                    Decompressor::new(window),
                )
            });
            assert_eq!((new.held, new.calls), (0, 0), "nothing before the first message");
            let mut wire = Vec::with_capacity(200_000);
            let during_send = measure(|| sender.push(&message, &mut wire)).1.held;
            measure(|| sender.compress(b"", &mut wire));
            let idle_send = measure(|| drop(sender)).1.held;
            let push = || {
                receiver
                    .push(&wire, LIMIT, |_| Ok::<(), InflateError>(()))
                    .unwrap()
            };
            let during_receive = measure(push).1.held;
            receiver.finish().unwrap();
            let idle_receive = measure(|| drop(receiver)).1.held;
            [during_send, -idle_send, during_receive, -idle_receive]
        };
        std::thread::spawn(work).join().unwrap()
    };
    println!("bits  takeover  keep_engine  [send during, send idle, receive during, receive idle]");
    for (bits, inflater, deflater) in [(9, 64_648, 150_792), (12, 68_232, 165_128), (15, 96_904, 380_168)] {
        let size = 1 << bits;
        for (takeover, keep) in [(true, false), (true, true), (false, false), (false, true)] {
            let heap = heap_of(window(bits, takeover), keep);
            println!("{bits}  {takeover}  {keep}  {heap:?}");
            let (history, kept) = match (takeover, keep) {
                (true, false) => (size, size),
                (true, true) => (0, deflater),
                (false, _) => (0, 0),
            };
            let expected = [
                deflater + history,
                kept,
                inflater,
                if takeover { size } else { 0 },
            ];
            // Engines may differ slightly with the version and the target.
            for (measured, documented) in heap.into_iter().zip(expected) {
                assert!(
                    (measured - documented).abs() <= documented / 8,
                    "{measured} {documented}"
                );
            }
        }
    }
}

/// An engine that is not kept is created for each message, in one allocation, D47; inflating allocates none.
#[cfg(feature = "std")]
#[test]
fn messages_allocate_no_more_than_an_engine_once_warm() {
    for (window, keep) in [
        (TAKEOVER, true),
        (TAKEOVER, false),
        (NO_TAKEOVER, true),
        (NO_TAKEOVER, false),
    ] {
        let config = DeflateConfig::new().keep_engine(keep);
        let mut sender = Compressor::new(window, &config).unwrap();
        let mut receiver = Decompressor::new(window);
        let (mut wire, mut out) = (Vec::with_capacity(100_000), Vec::with_capacity(100_000));
        let mut once = |i| {
            let message = json(20_000, i);
            wire.clear();
            out.clear();
            let ((), sending) = measure(|| sender.compress(&message, &mut wire));
            let ((), receiving) = measure(|| receiver.decompress(&wire, LIMIT, &mut out).unwrap());
            assert!(out == message);
            [sending.calls, receiving.calls]
        };
        for i in 0..5 {
            once(i);
        }
        let engines = u64::from(!(window.has_context_takeover() && keep));
        assert_eq!(once(5), [engines, 0], "{window:?} {keep}");
    }
}

// ---- Properties ----

/// Texts of few symbols, or JSON, or without a pattern.
fn any_message() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(b'a'..b'd', 0..300),
        prop::collection::vec(any::<u8>(), 0..300),
        (0..6000_usize, any::<u64>()).prop_map(|(size, seed)| json(size, seed)),
        (any::<u8>(), 0..70_000_usize).prop_map(|(byte, size)| vec![byte; size]),
    ]
}

fn any_window() -> impl Strategy<Value = Window> {
    (9..=15_u8, any::<bool>()).prop_map(|(bits, takeover)| window(bits, takeover))
}

fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0..8_usize, 0..2000_usize], 0..12)
}

/// Split at the sizes; the last piece is the rest.
fn cut<'a>(mut bytes: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in sizes {
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces.push(bytes);
    pieces
}

fn inflate_with_miniz(state: &mut InflateState, wire: &[u8]) -> Vec<u8> {
    let wire = [wire, &TAIL].concat();
    let (mut out, mut rest) = (Vec::new(), &wire[..]);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let result = inflate(state, rest, &mut buffer, MZFlush::Sync);
        out.extend_from_slice(&buffer[..result.bytes_written]);
        rest = &rest[result.bytes_consumed..];
        if rest.is_empty() && result.bytes_written < buffer.len() {
            return out;
        }
        result.status.unwrap();
    }
}

/// Raw DEFLATE data as other senders create them: the messages, without their tails.
fn deflate_with_zlib(messages: &[Vec<u8>], settings: zlib_rs::DeflateConfig, flushes: &[u8]) -> Vec<Vec<u8>> {
    use zlib_rs::{Deflate, DeflateFlush, Status};
    let mut deflate = Deflate::new_with_config(settings);
    let mut flushes = flushes.iter().cycle();
    let write = |deflate: &mut Deflate, mut piece: &[u8], flush, wire: &mut Vec<u8>| {
        let mut buffer = vec![0; 1000];
        loop {
            let (read, written) = (deflate.total_in(), deflate.total_out());
            let status = deflate.compress(piece, &mut buffer, flush).unwrap();
            piece = &piece[(deflate.total_in() - read) as usize..];
            let written = (deflate.total_out() - written) as usize;
            wire.extend_from_slice(&buffer[..written]);
            if piece.is_empty() && written < buffer.len() {
                return status;
            }
        }
    };
    let one = |message: &Vec<u8>| {
        let mut wire = Vec::new();
        for piece in message.chunks(1 + message.len() / 3) {
            let flush = match flushes.next().unwrap() {
                0 => DeflateFlush::PartialFlush,
                1 => DeflateFlush::FullFlush,
                2 => DeflateFlush::Block,
                3 => DeflateFlush::SyncFlush,
                4 => {
                    assert_eq!(
                        write(&mut deflate, piece, DeflateFlush::Finish, &mut wire),
                        Status::StreamEnd
                    );
                    deflate.reset();
                    continue;
                }
                _ => DeflateFlush::NoFlush,
            };
            write(&mut deflate, piece, flush, &mut wire);
        }
        write(&mut deflate, b"", DeflateFlush::SyncFlush, &mut wire);
        match wire.ends_with(&TAIL) {
            true => wire.truncate(wire.len() - TAIL.len()),
            // The last flush was one that leaves nothing to flush.
            false => wire.push(0),
        }
        wire
    };
    messages.iter().map(one).collect()
}

fn deflate_with_miniz(messages: &[Vec<u8>], level: i32, strategy: i32) -> Vec<Vec<u8>> {
    use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
    use miniz_oxide::deflate::stream::deflate;
    let mut state = CompressorOxide::new(create_comp_flags_from_zip_params(level, -15, strategy));
    let one = |message: &Vec<u8>| {
        let mut buffer = vec![0; 2 * message.len() + 1000];
        let result = deflate(&mut state, message, &mut buffer, MZFlush::Sync);
        assert!(result.bytes_consumed == message.len() && result.bytes_written < buffer.len());
        buffer.truncate(result.bytes_written);
        assert!(buffer.ends_with(&TAIL));
        buffer.truncate(buffer.len() - TAIL.len());
        buffer
    };
    messages.iter().map(one).collect()
}

/// All messages inflate, split as the sizes say.
fn inflates_to(wires: &[Vec<u8>], messages: &[Vec<u8>], window: Window, sizes: &[usize]) {
    let mut decompressor = Decompressor::new(window);
    for (wire, message) in wires.iter().zip(messages) {
        let (out, result) = decompress_in_chunks(&mut decompressor, wire, sizes, message.len() as u64);
        assert_eq!(result, Ok(()));
        assert!(out == *message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    // RFC 7692 section 6: 7692-6-07, 7692-6-08; section 7.1.2: 7692-7.1.2.1-05, 7692-7.1.2.2-05; section 7.2.1:
    // 7692-7.2.1-05
    #[test]
    fn messages_go_round(
        messages in prop::collection::vec((any_message(), any_sizes()), 1..6),
        window in any_window(),
        level in 0..=10_u8,
        keep in any::<bool>(),
        sizes in any_sizes(),
    ) {
        let config = DeflateConfig::new().level(level).keep_engine(keep).send_window_bits(15);
        let mut compressor = Compressor::new(window, &config).unwrap();
        let (mut wires, mut stream) = (Vec::new(), Vec::new());
        for (message, parts) in &messages {
            let (mut wire, parts) = (Vec::new(), cut(message, parts));
            let (last, first) = parts.split_last().unwrap();
            first.iter().for_each(|part| compressor.push(part, &mut wire));
            compressor.compress(last, &mut wire);
            prop_assert!(!wire.is_empty());
            if !window.has_context_takeover() {
                // Each on its own.
                prop_assert!(inflate_with_miniz(&mut InflateState::new(DataFormat::Raw), &wire) == *message);
                prop_assert!(naive_stream(&[&wire[..], &TAIL].concat()).unwrap().0 == *message);
            }
            stream.extend_from_slice(&wire);
            stream.extend_from_slice(&TAIL);
            wires.push(wire);
        }
        let messages: Vec<_> = messages.into_iter().map(|(message, _)| message).collect();
        inflates_to(&wires, &messages, window, &sizes);
        // With no more history than was negotiated, and with more.
        inflates_to(&wires, &messages, TAKEOVER, &sizes);
        let mut miniz = InflateState::new(DataFormat::Raw);
        for (wire, message) in wires.iter().zip(&messages) {
            prop_assert!(inflate_with_miniz(&mut miniz, wire) == *message);
        }
        let (out, distance) = naive_stream(&stream).unwrap();
        prop_assert!(out == messages.concat());
        prop_assert!(distance <= 1 << window.bits(), "{} with {} bits", distance, window.bits());
    }

    // RFC 7692 section 7.1.2.2: 7692-7.1.2.2-04; section 7.2.1: 7692-7.2.1-03
    #[test]
    fn messages_of_others_inflate(
        messages in prop::collection::vec(any_message(), 1..5),
        bits in 9..=15_u8,
        (level, memory, strategy) in (0..=9, 1..=9, 0..5_usize),
        flushes in prop::collection::vec(0..8_u8, 1..6),
        sizes in any_sizes(),
    ) {
        use zlib_rs::Strategy::*;
        let settings = zlib_rs::DeflateConfig {
            level,
            window_bits: -i32::from(bits),
            mem_level: memory,
            strategy: [Default, Filtered, HuffmanOnly, Rle, Fixed][strategy],
            ..zlib_rs::DeflateConfig::default()
        };
        let wires = deflate_with_zlib(&messages, settings, &flushes);
        inflates_to(&wires, &messages, window(bits, true), &sizes);
        let wires = deflate_with_miniz(&messages, level, [0, 1, 2, 3, 4][strategy]);
        inflates_to(&wires, &messages, TAKEOVER, &sizes);
    }

    /// Any bytes inflate to the same output as with a naive decoder, for any split.
    #[test]
    fn any_bytes_inflate_as_they_should(
        wires in prop::collection::vec(any_wire(), 1..4),
        sizes in any_sizes(),
        limit in prop_oneof![0..1000_u64, Just(LIMIT)],
    ) {
        let mut naive = Naive::default();
        let mut whole = Decompressor::new(TAKEOVER);
        let mut chunked = Decompressor::new(TAKEOVER);
        for wire in &wires {
            let expected = naive.message(wire);
            let (out, result) = decompress_in_chunks(&mut whole, wire, &[], limit);
            let again = decompress_in_chunks(&mut chunked, wire, &sizes, limit);
            prop_assert!(again == (out.clone(), result), "{:?} {:?}", again.1, result);
            match (result, expected) {
                (Ok(()), Some(expected)) => prop_assert!(out == expected),
                (Err(InflateError::TooBig { .. }), Some(expected)) => prop_assert!(expected.len() as u64 > limit),
                (Err(InflateError::TooManyFinalBlocks { .. } | InflateError::Overlong { .. }), _) => {}
                (Err(_), None) => {}
                (result, expected) => prop_assert!(false, "{:?} {:?} {:x?}", result, expected, wire),
            }
            if result.is_err() {
                prop_assert_eq!(decompressor_error(&mut whole), result);
                break;
            }
        }
    }
}

fn decompressor_error(decompressor: &mut Decompressor) -> Result<(), InflateError> {
    decompressor.push(HELLO, LIMIT, |_| Ok(()))
}

/// Blocks of any kind, in any order, ended in any way; the output of other encoders, with a few bytes changed; any bytes.
fn any_wire() -> impl Strategy<Value = Vec<u8>> {
    let symbol = prop_oneof![
        3 => any::<u8>().prop_map(Symbol::Literal),
        1 => (3..=258_usize, prop_oneof![1..20_usize, 1..700_usize]).prop_map(|(len, distance)| Symbol::Match(len, distance)),
    ];
    let block = (
        prop::bool::weighted(0.2),
        any::<bool>(),
        prop::collection::vec(symbol, 0..12),
        0..3_u8,
    );
    let blocks = (prop::collection::vec(block, 0..6), 0..6_u8).prop_map(|(blocks, end)| {
        let mut bits = Bits::default();
        for (last, stored, symbols, align) in blocks {
            if stored {
                let bytes: Vec<u8> = symbols
                    .iter()
                    .map(|symbol| match *symbol {
                        Symbol::Literal(byte) => byte,
                        Symbol::Match(len, _) => len as u8,
                    })
                    .collect();
                bits.stored(last, &bytes);
            } else {
                bits.fixed(last, &symbols);
            }
            if last || align == 0 {
                bits.align();
            }
        }
        match end {
            0 => bits.bytes,
            1 => {
                bits.stored(false, b"");
                bits.bytes
            }
            2 => {
                bits.put(1, 3);
                bits.bytes
            }
            _ => bits.sync(),
        }
    });
    let mutated = (
        any_message(),
        any::<[prop::sample::Index; 3]>(),
        any::<[u8; 3]>(),
        0..4_usize,
    )
        .prop_map(|(message, places, bytes, count)| {
            let mut wire = compress(&mut compressor(TAKEOVER), &message);
            for (place, byte) in places.iter().zip(bytes).take(count) {
                let place = place.index(wire.len());
                wire[place] ^= byte;
            }
            wire
        });
    prop_oneof![
        4 => blocks,
        2 => mutated,
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(prop::sample::select(vec![0, 1, 2, 3, 4, 5, 0xff]), 0..20),
    ]
}
