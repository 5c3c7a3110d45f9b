//! Each loop against the byte loop of RFC 6455 section 5.3 and against the standard library. All that is `unsafe` is reached, in
//! memory that is as large as it has to be and no larger.
//!
//! `.ci/miri` interprets these tests, which takes milliseconds for each byte. There they take only the lengths and alignments at the
//! borders of the loops, which reach the same branches.

use super::*;
use alloc::vec;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0xbd];

/// What the length asks for; and for any length, the fastest that this processor has, with blocks from either start.
type Run = fn(Work<'_>, [u8; 4]) -> bool;
const ALL: [(usize, Run); 3] = [
    (0, run::<LOOKING>),
    (128, |work, key| run_large::<LOOKING, UNALIGNED>(work, key)),
    (128, |work, key| run_large::<LOOKING, ALIGNED>(work, key)),
];

/// What the tests take: everything.
#[cfg(not(miri))]
mod taken {
    use super::*;

    pub(super) const LARGE_LENGTHS: [usize; 6] = [511, 512, 513, 640, 4095, 4097];
    pub(super) const UNITS: [&str; 5] = ["é", "漢", "😀", "aé漢😀", "\u{7f}"];
    /// SIMD validates a text of this length.
    pub(super) const LONG_TEXT: Option<usize> = Some(130);

    pub(super) fn lengths(max: usize) -> impl Iterator<Item = usize> {
        0..=max
    }

    /// All offsets within a cache line.
    pub(super) fn offsets(_len: usize) -> impl Iterator<Item = usize> {
        0..64
    }

    pub(super) fn loops(_len: usize) -> &'static [(usize, Run)] {
        &ALL
    }

    pub(super) fn cuts(len: usize) -> impl Iterator<Item = usize> {
        0..=len
    }
}

/// What the tests take under Miri.
#[cfg(miri)]
mod taken {
    use super::*;

    pub(super) const LARGE_LENGTHS: [usize; 2] = [LARGE, LONG + 1];
    pub(super) const UNITS: [&str; 1] = ["aé漢😀"];
    /// simdutf8 0.1.5 computes addresses beyond a longer text, to prefetch from there, which Miri does not accept.
    pub(super) const LONG_TEXT: Option<usize> = None;

    /// Those around the ends of a word, and of one, two and more blocks of each size.
    pub(super) fn lengths(max: usize) -> impl Iterator<Item = usize> {
        const BORDERS: [usize; 21] = [
            0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 128, 129, 255, 257,
        ];
        BORDERS.into_iter().filter(move |len| *len <= max)
    }

    /// Those with nothing, most or one byte of a load before the first aligned address.
    pub(super) fn offsets(len: usize) -> impl Iterator<Item = usize> {
        let offsets: &[usize] = if len < LARGE { &[0, 1, BORDER - 1] } else { &[1] };
        offsets.iter().copied()
    }

    /// From `LARGE` on, the first loop is the same as one of the others.
    pub(super) fn loops(len: usize) -> &'static [(usize, Run)] {
        if len < LARGE { &ALL } else { &ALL[..1] }
    }

    pub(super) fn cuts(len: usize) -> impl Iterator<Item = usize> {
        [0, len / 2, len].into_iter()
    }
}

fn masked(plain: &[u8], key: [u8; 4]) -> Vec<u8> {
    let each = plain.iter().zip(key.into_iter().cycle());
    each.map(|(byte, key)| byte ^ key).collect()
}

/// ASCII, and one byte that is not.
fn plain(len: usize, high: Option<usize>) -> Vec<u8> {
    let mut plain: Vec<u8> = (0..len).map(|i| (i * 31 % 128) as u8).collect();
    if let Some(at) = high {
        plain[at] |= 0x80;
    }
    plain
}

/// The bytes begin at this offset of a cache line, as do those that are appended.
fn assert_pass(len: usize, high: Option<usize>, offset: usize, phase: usize) {
    let (plain, key) = (plain(len, high), advance(KEY, phase));
    let source = masked(&plain, key);
    let mut memory = vec![0xee; len + 128];
    let start = (memory.as_ptr() as usize).wrapping_neg() % 64 + offset;
    let loops = taken::loops(len).iter().enumerate();
    for (which, (_, run)) in loops.filter(|(_, (least, _))| *least <= len) {
        let case = || alloc::format!("{len} bytes, {high:?}, at {offset}, phase {phase}, by {which}");
        memory.fill(0xee);
        let bytes = &mut memory[start..][..len];
        bytes.copy_from_slice(&source);
        assert_eq!(run(Work::InPlace(bytes), key), high.is_none(), "{}", case());
        assert_eq!(bytes, plain, "{}", case());
        assert_eq!(run(Work::Look(bytes), NO_KEY), high.is_none(), "{}", case());
        let (front, back) = (&memory[..start], &memory[start + len..]);
        assert_eq!(front, &[0xee; 128][..front.len()], "{}", case());
        assert_eq!(back, &[0xee; 128][..back.len()], "{}", case());

        let mut out = Vec::with_capacity(offset + len);
        out.resize(offset, 0xee);
        assert_eq!(
            run(Work::Append(&mut out, &source), key),
            high.is_none(),
            "{}",
            case()
        );
        assert_eq!(out[..offset], [0xee; 64][..offset], "{}", case());
        assert_eq!(out[offset..], plain, "{}", case());

        memory.fill(0xee);
        let copied = run(Work::Copy(&mut memory[start..][..len], &source), key);
        assert_eq!(copied, high.is_none(), "{}", case());
        assert_eq!(memory[start..][..len], plain, "{}", case());
        let (front, back) = (&memory[..start], &memory[start + len..]);
        assert_eq!(front, &[0xee; 128][..front.len()], "{}", case());
        assert_eq!(back, &[0xee; 128][..back.len()], "{}", case());
    }
}

// RFC 6455 section 5.3: 6455-5.3-02; section 8.1: 6455-8.1-02
#[test]
#[cfg_attr(miri, ignore = "differs from the next test in the values of the bytes only")]
fn every_length_and_place_of_a_high_byte() {
    for len in 0..=300 {
        assert_pass(len, None, len % 64, len % 4);
        for at in 0..len {
            assert_pass(len, Some(at), (at * 7 + len) % 64, (at + len / 4) % 4);
        }
    }
}

// RFC 6455 section 5.3: 6455-5.3-02
#[test]
fn every_length_alignment_and_phase_of_the_key() {
    for len in taken::lengths(300).chain(taken::LARGE_LENGTHS) {
        for offset in taken::offsets(len) {
            assert_pass(len, len.checked_sub(1), offset, (len + offset + 1) % 4);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "differs from the last test in the values of the bytes only")]
fn every_length_and_alignment_of_ascii() {
    for len in taken::lengths(300).chain(taken::LARGE_LENGTHS) {
        taken::offsets(len).for_each(|offset| assert_pass(len, None, offset, (len + offset) % 4));
    }
    for offset in taken::offsets(300) {
        (0..4).for_each(|phase| assert_pass(300, Some(offset), offset, phase));
    }
}

fn assert_append_short<const HEADER: usize>(len: usize, key: [u8; 4]) {
    let (header, bytes) = ([0x81; HEADER], plain(len, None));
    let expected = [&[0xee; 3], &header[..], &masked(&bytes, key)].concat();
    for capacity in [expected.len() - 1, expected.len(), expected.len() + 1] {
        let mut out = Vec::with_capacity(capacity);
        out.extend([0xee; 3]);
        let fits = out.capacity() >= expected.len() && len >= 16;
        let case = || alloc::format!("{HEADER} and {len} bytes in {capacity}, {key:?}");
        assert_eq!(append_short(&mut out, &header, &bytes, key), fits, "{}", case());
        let written = if fits { expected.len() } else { 3 };
        assert_eq!(out, expected[..written], "{}", case());
    }
}

// RFC 6455 section 5.3: 6455-5.3-02. A frame that does not fit is not begun.
#[test]
fn every_length_behind_a_header() {
    for len in taken::lengths(300) {
        for key in [NO_KEY, advance(KEY, len)] {
            assert_append_short::<0>(len, key);
            assert_append_short::<2>(len, key);
            assert_append_short::<6>(len, key);
        }
    }
}

/// The text in one, and in two pieces of every size.
fn assert_text(plain: &[u8], cuts: impl Iterator<Item = usize>) {
    let expected = core::str::from_utf8(plain).ok();
    let source = masked(plain, KEY);
    assert_eq!(unmask_text(&mut source.clone(), 0, Some(KEY)).ok(), expected);
    assert_eq!(unmask_text(&mut plain.to_vec(), 0, None).ok(), expected);
    for cut in cuts {
        let (first, second) = source.split_at(cut);
        // In memory with no, some or all of the initialized bytes that it takes; the second piece copied, or read there.
        let memory = [0, cut + 3, plain.len() + 1][(cut + plain.len()) % 3];
        for reads in [false, true] {
            let mut text = Buffer::text(vec![0xff; memory]);
            let mut fed = text.append(first, KEY);
            if reads && fed.is_ok() {
                text.space(second.len() as u32).copy_from_slice(second);
                text.record_read(second.len());
                fed = text.unmask_read(Some(advance(KEY, cut)));
            } else {
                fed = fed.and_then(|()| text.append(second, advance(KEY, cut)));
            }
            let text = fed.and_then(|()| text.into_text()).ok();
            assert_eq!(text.as_deref(), expected, "{} bytes at {cut}", plain.len());
        }

        let (mut bytes, mut utf8) = (source.clone(), Validator::new());
        let (first, second) = bytes.split_at_mut(cut);
        let fed = unmask_piece_of_text(first, Some(KEY), &mut utf8)
            .and_then(|()| unmask_piece_of_text(second, Some(advance(KEY, cut)), &mut utf8));
        assert_eq!(fed.and_then(|()| utf8.finish()).is_ok(), expected.is_some());

        let mut bytes = [&plain[..cut], &source[cut..]].concat();
        assert_eq!(unmask_text(&mut bytes, cut, Some(KEY)).ok(), expected);
    }
}

// RFC 6455 section 8.1: 6455-8.1-02
#[test]
fn texts_equal_the_standard_library_for_every_length_and_cut() {
    for unit in taken::UNITS {
        let text = unit.repeat(130).into_bytes();
        for len in taken::lengths(70).chain(taken::LONG_TEXT) {
            assert_text(&text[..len], taken::cuts(len));
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-02. Around the border of two pieces, and with the fault in either of them.
#[test]
#[cfg_attr(miri, ignore = "reaches the same branches as the last test, in minutes")]
fn texts_equal_the_standard_library_where_pieces_meet() {
    for what in ["é", "漢", "😀"].map(str::as_bytes).into_iter().chain([
        &b"\xff"[..],
        b"\x80",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98",
    ]) {
        for at in [
            0,
            1,
            PIECE - 4,
            PIECE - 3,
            PIECE - 2,
            PIECE - 1,
            PIECE,
            PIECE + 1,
            2 * PIECE - 1,
        ] {
            let mut text = vec![b'x'; 2 * PIECE + 5];
            text[at..at + what.len()].copy_from_slice(what);
            for len in [at + what.len() - 1, at + what.len(), text.len()] {
                let cuts = [0, 1, at, at + 1, PIECE, len].into_iter();
                assert_text(&text[..len], cuts.filter(|cut| *cut <= len));
            }
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-04. ASCII is not skipped where a code point waits for its rest.
#[test]
fn ascii_in_a_divided_code_point_fails_at_once() {
    let divided = || {
        let mut text = Buffer::text(Vec::new());
        assert!(text.append(b"\xc3", NO_KEY).is_ok());
        text
    };
    assert!(divided().append(b"x", NO_KEY).is_err());
    for key in [None, Some(KEY)] {
        let mut text = divided();
        text.space(1)
            .copy_from_slice(&masked(b"x", key.unwrap_or(NO_KEY)));
        text.record_read(1);
        assert!(text.unmask_read(key).is_err(), "{key:?}");
    }
    let mut utf8 = Validator::new();
    assert!(unmask_piece_of_text(&mut [0xc3], None, &mut utf8).is_ok());
    assert!(unmask_piece_of_text(&mut [b'x'], None, &mut utf8).is_err());
}

/// After an error nothing is left that is not text, so that what follows is text.
#[test]
fn text_that_failed_is_empty() {
    let mut text = Buffer::text(Vec::new());
    assert!(text.append(b"abc\xff", NO_KEY).is_err());
    assert_eq!(text.len(), 0);
    assert_eq!(text.into_text().as_deref(), Ok(""));
}

/// What is not validated is not text, even if it is ASCII.
#[test]
fn binary_message_is_no_text() {
    let mut binary = Buffer::binary(Vec::new());
    assert!(binary.append(b"abc", NO_KEY).is_ok());
    assert!(binary.into_text().is_err());
}

/// Only what was reported as read becomes a part of the message, in the order of the calls.
#[test]
fn buffer_shows_nothing_but_what_was_received() {
    let mut buffer = Buffer::binary(b"of an earlier message".to_vec());
    buffer.append(&masked(b"ab", KEY), KEY).unwrap();
    assert_eq!(
        buffer.space(4),
        b" an ",
        "this is the caller's: it recycled the memory"
    );
    buffer.record_read(9);
    assert_eq!((buffer.len(), buffer.read()), (2, 4), "no more than was lent");
    buffer.unmask_read(None).unwrap();
    buffer.record_read(3);
    assert_eq!((buffer.len(), buffer.read()), (6, 0), "nothing is lent");
    assert_eq!(buffer.space(3).len(), 3);
    buffer.append(b"cd", NO_KEY).unwrap();
    buffer.record_read(3);
    assert_eq!((buffer.len(), buffer.read()), (8, 0), "the space was withdrawn");
    buffer.space(40)[..2].copy_from_slice(b"ef");
    buffer.record_read(2);
    buffer.unmask_read(None).unwrap();
    assert_eq!(buffer.into_vec(), b"ab an cdef");
}
