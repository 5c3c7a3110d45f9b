//! Every key phase, length and alignment, with each kernel that this machine supports. With the features `simd` and `std`, the
//! AVX2 kernel is used from 512 bytes; otherwise, the portable kernel is. From 1024 bytes, blocks are aligned in memory.

use crate::{Form, count};
use websocket_proto::frame::mask;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The lengths from which the kernel for large payloads is used, and from which it aligns its blocks.
const LARGE: usize = 512;
const LONG: usize = 1024;

const ALIGNMENT: usize = 64;

#[repr(align(64))]
struct Aligned([u8; 4096]);

// RFC 6455 section 5.3: 6455-5.3-02
#[test]
#[cfg_attr(miri, ignore = "hundreds of thousands")]
fn every_phase_length_and_alignment_is_masked_as_the_byte_loop_masks_it() {
    count("masks", |form| {
        let longest = match form {
            Form::Edges => 20,
            Form::Short => 300,
            Form::All => 1300,
        };
        let mut lengths: Vec<usize> = [0, LARGE, LONG]
            .iter()
            .flat_map(|start| *start..=start + longest)
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        let mut checked = [0, 0, 0];
        let noise: Vec<u8> = (0..4096).map(|i| (i * 31 % 251) as u8).collect();
        let mut buffer = Aligned([0; 4096]);
        for &len in &lengths {
            for alignment in 0..ALIGNMENT {
                for phase in 0..4 {
                    let key = mask::advance(KEY, phase);
                    let source = &noise[alignment..][..len];
                    let expected: Vec<u8> =
                        (phase..).zip(source).map(|(i, byte)| byte ^ KEY[i % 4]).collect();
                    check_in_place(&mut buffer.0, alignment, source, key, &expected);
                    #[cfg(feature = "alloc")]
                    check_append(&mut buffer.0, alignment, source, key, &expected);
                    checked[usize::from(len >= LARGE) + usize::from(len >= LONG)] += 1;
                }
            }
        }
        let [short, large, long] = checked;
        format!(
            "{short} of less than {LARGE} bytes, {large} of less than {LONG}, {long} longer, each {}",
            twice_or_once()
        )
    });
}

const fn twice_or_once() -> &'static str {
    match cfg!(feature = "alloc") {
        true => "in place and appended",
        false => "in place",
    }
}

fn check_in_place(buffer: &mut [u8], alignment: usize, source: &[u8], key: [u8; 4], expected: &[u8]) {
    let end = alignment + source.len();
    let around = end + ALIGNMENT;
    buffer[..around].fill(0xee);
    buffer[alignment..end].copy_from_slice(source);
    mask::apply(&mut buffer[alignment..end], key);
    assert_eq!(
        buffer[alignment..end],
        *expected,
        "{} bytes at {alignment}",
        source.len()
    );
    let untouched = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0xee);
    assert!(
        untouched(&buffer[..alignment]) && untouched(&buffer[end..around]),
        "{alignment}"
    );
}

/// Tests each alignment of the source. The alignment of the output depends on the allocator and on the bytes before it.
#[cfg(feature = "alloc")]
fn check_append(buffer: &mut [u8], alignment: usize, source: &[u8], key: [u8; 4], expected: &[u8]) {
    let source_at = &mut buffer[alignment..][..source.len()];
    source_at.copy_from_slice(source);
    let mut out = Vec::with_capacity(alignment + source.len());
    out.resize(alignment, 0xee);
    mask::append(&mut out, source_at, key);
    assert!(out[..alignment].iter().all(|byte| *byte == 0xee));
    assert_eq!(
        out[alignment..],
        *expected,
        "{} bytes from {alignment}",
        source.len()
    );
}
