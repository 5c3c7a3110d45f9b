//! The kernels, each compared with a naive implementation: masking (RFC 6455 section 5.3) and UTF-8 validation (section 8.1). By
//! default, this tests the kernels that are fast on this machine; `--no-default-features` tests the portable loops.

use std::fs;
use std::path::Path;

use websocket_proto::frame::mask;
use websocket_proto::utf8::validate;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Every length around the boundaries of the kernels, which are powers of two from 4 to 512 bytes, and some long ones.
fn lengths() -> impl Iterator<Item = usize> {
    (0..=700).chain([2047, 2048, 2049, 2175, 4095, 4096, 65_535, 65_539])
}

fn noise(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 % 251) as u8).collect()
}

/// A literal implementation of RFC 6455 section 5.3.
fn masked(bytes: &[u8], phase: usize) -> Vec<u8> {
    let each = bytes.iter().enumerate();
    each.map(|(i, byte)| byte ^ KEY[(i + phase) % 4]).collect()
}

// RFC 6455 section 5.3: 6455-5.3-02
#[test]
fn mask_equals_the_byte_loop_for_every_length_phase_and_offset() {
    for len in lengths() {
        let plain = noise(len);
        let expected = [0, 1, 2, 3].map(|phase| masked(&plain, phase));
        for offset in 0..=32 {
            let phase = offset % 4;
            let mut bytes = [&[0xee; 32][..offset], &plain, &[0xee; 9]].concat();
            mask::apply(&mut bytes[offset..][..len], mask::advance(KEY, phase));
            let (front, rest) = bytes.split_at(offset);
            let (middle, back) = rest.split_at(len);
            assert_eq!(middle, expected[phase], "{len} bytes at {offset}");
            let around = front.iter().chain(back);
            assert!(
                around.into_iter().all(|byte| *byte == 0xee),
                "{len} bytes at {offset}"
            );
        }
    }
}

// RFC 6455 section 5.3: 6455-5.3-02
#[cfg(feature = "alloc")]
#[test]
fn mask_appends_what_the_byte_loop_makes_for_every_length_phase_and_offset() {
    for len in lengths() {
        let source = noise(len + 32);
        for offset in 0..=32 {
            let plain = &source[offset..][..len];
            let before = &[0xee; 8][..offset / 4];
            // With too little reserved capacity, with exactly enough, and with more.
            for room in [0, len, len + 7] {
                let mut out = Vec::with_capacity(before.len() + room);
                out.extend_from_slice(before);
                mask::append(&mut out, plain, mask::advance(KEY, offset));
                assert_eq!(out[..before.len()], *before);
                assert_eq!(
                    out[before.len()..],
                    masked(plain, offset),
                    "{len} bytes at {offset}"
                );
            }
        }
    }
}

// RFC 6455 section 5.3: 6455-5.3-02
#[test]
fn mask_is_its_own_inverse_for_any_split() {
    let plain = noise(1000);
    let mut whole = plain.clone();
    mask::apply(&mut whole, KEY);
    for cut in 0..=plain.len() {
        let mut bytes = plain.clone();
        let (front, back) = bytes.split_at_mut(cut);
        mask::apply(front, KEY);
        mask::apply(back, mask::advance(KEY, cut));
        assert_eq!(bytes, whole);
    }
    mask::apply(&mut whole, KEY);
    assert_eq!(whole, plain);
}

/// Compares with the standard library, which the kernel itself uses for short inputs.
fn agrees_with_the_standard_library(bytes: &[u8]) {
    assert_eq!(
        validate(bytes).ok(),
        std::str::from_utf8(bytes).ok(),
        "{} bytes: {bytes:x?}",
        bytes.len()
    );
}

// RFC 6455 section 8.1: 6455-8.1-02
#[test]
fn validation_equals_the_standard_library_for_every_length_and_position_of_an_error() {
    // Sequences that only their last byte distinguishes from a character, and that are one byte short at the end.
    let faults: [&[u8]; 6] = [
        b"\xff",
        b"\xc3",
        b"\xe2\x82",
        b"\xf0\x9f\x98",
        b"\xed\xa0\x80",
        b"\x80",
    ];
    for len in (0..=300).chain([511, 512, 513]) {
        let ascii = vec![b'x'; len];
        agrees_with_the_standard_library(&ascii);
        for at in 0..len {
            for fault in faults {
                let end = len.min(at + fault.len());
                let mut bytes = ascii.clone();
                bytes[at..end].copy_from_slice(&fault[..end - at]);
                agrees_with_the_standard_library(&bytes);
            }
        }
    }
}

// RFC 6455 section 8.1: 6455-8.1-02
#[test]
fn validation_equals_the_standard_library_for_every_length_and_split() {
    for unit in ["é", "漢", "😀", "aé漢😀"] {
        let text = unit.repeat(600 / unit.len() + 2).into_bytes();
        for start in 0..4 {
            for len in 0..=600 {
                agrees_with_the_standard_library(&text[start..][..len]);
            }
        }
    }
}

/// Without the feature `simd` the compiler forbids all `unsafe`; with it, there are four places, in one file.
#[test]
fn library_has_four_unsafe_places_in_one_file() {
    let kernel = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernel.rs")).unwrap();
    let all = sources();
    let count = |what: &str| (all.matches(what).count(), kernel.matches(what).count());
    assert_eq!(
        count("unsafe_code"),
        (6, 4),
        "forbidden, denied; allowed four times"
    );
    assert_eq!(count("unsafe {"), (4, 4));
    assert_eq!(count("// SAFETY: "), (4, 4));
    assert_eq!(count("unsafe fn"), (1, 1));
    assert_eq!(count("unsafe impl"), (0, 0));
}

fn sources() -> String {
    fn read(folder: &Path, all: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => read(&path, all),
                false => all.push_str(&fs::read_to_string(path).unwrap()),
            }
        }
    }
    let mut all = String::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}
