//! Raw frames are relayed unchanged.
#![cfg(feature = "alloc")]

mod common;

use common::{frame, naive};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_proto::frame::raw::{Decoder, Header, Item};

/// Header, payload, and whether it is complete.
type Frame = (Header, Vec<u8>, bool);

/// Returns the frames, and the bytes that a relay writes.
fn relay(wire: &[u8], cuts: &[usize]) -> (Vec<Frame>, Vec<u8>) {
    let (mut decoder, mut frames, mut relayed) = (Decoder::new(), Vec::new(), Vec::new());
    let mut start = 0;
    for end in cuts.iter().copied().chain([wire.len()]) {
        let mut input = &wire[start..end];
        start = end;
        while let Some(item) = decoder.decode(&mut input) {
            match item {
                Item::Start(header) => {
                    relayed.extend_from_slice(&header);
                    frames.push((header, Vec::new(), false));
                }
                Item::Chunk(bytes) => {
                    assert!(!bytes.is_empty());
                    relayed.extend_from_slice(bytes);
                    frames.last_mut().unwrap().1.extend_from_slice(bytes);
                }
                Item::End => frames.last_mut().unwrap().2 = true,
            }
        }
        assert!(input.is_empty(), "total consumption");
    }
    (frames, relayed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    // RFC 6455 section 5.2: any bytes, however they are split, are relayed unchanged (except an incomplete header at the end),
    // and are parsed as by the naive reader
    #[test]
    fn relayed_bytes_are_unchanged(
        frames in vec((any::<u8>(), any::<Option<[u8; 4]>>(), vec(any::<u8>(), 0..300)), 0..5),
        noise in vec(any::<u8>(), 0..20),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let mut wire: Vec<u8> = frames.iter().flat_map(|(first, key, payload)| frame(*first, *key, payload)).collect();
        wire.extend(&noise);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.sort_unstable();
        let (seen, relayed) = relay(&wire, &cuts);
        prop_assert!(wire.starts_with(&relayed));
        prop_assert!(wire.len() - relayed.len() < 14, "no more than a header is kept");
        prop_assert_eq!(&relay(&wire, &[]), &(seen.clone(), relayed));

        let mut rest = &wire[..];
        for (header, payload, complete) in seen {
            let Some((frame, size, _)) = naive::split(rest) else {
                prop_assert!(!complete || header.payload_len() > i64::MAX as u64);
                break;
            };
            prop_assert!(complete);
            prop_assert_eq!(
                (header.fin(), header.rsv(), header.opcode(), header.mask()),
                (frame.fin, frame.rsv, frame.opcode, frame.key)
            );
            prop_assert_eq!(header.payload_len(), frame.payload.len() as u64);
            prop_assert_eq!(&payload[..], &rest[size - payload.len()..size]);
            rest = &rest[size..];
        }
    }
}

// RFC 6455 section 5.2: lengths in any form are reported as received, including the forbidden bit
#[test]
fn headers_of_every_form_are_reported() {
    for (wire, len, size) in [
        (&[0x82, 0x7e, 0, 5][..], 5, 4),
        (&[0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0, 5], 5, 10),
        (
            &[0xf3, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4],
            u64::MAX,
            14,
        ),
    ] {
        let Some(Item::Start(header)) = Decoder::new().decode(&mut &wire[..]) else {
            panic!("a whole header")
        };
        assert_eq!(
            (header.payload_len(), header.len(), header.as_ref()),
            (len, size, wire)
        );
    }
    let mut decoder = Decoder::new();
    assert_eq!(decoder.payload_remaining(), None);
    decoder.decode(&mut &[0x80, 3][..]);
    assert_eq!(decoder.payload_remaining(), Some(3));
    assert_eq!(
        format!("{:?}", Decoder::new().decode(&mut &[0xc1, 0x80, 1, 2, 3, 4][..])),
        "Some(Start(Header { fin: true, rsv: 4, opcode: 1, masked: true, payload_len: 0 }))"
    );
}
