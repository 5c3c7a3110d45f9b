//! Properties for a model checker, each a plain function over plain values.
//!
//! `cargo test --test proofs` tries them on random values. [Kani](https://model-checking.github.io/kani/) proves them for all
//! values, up to the sizes that they state:
//!
//! ```text
//! cargo install --locked kani-verifier && cargo kani setup
//! cargo kani --tests --no-default-features                    # all of this file, and what is below src
//! cargo kani --tests --no-default-features --harness advance  # one of them
//! ```
//!
//! Built without features: the frame layer needs none, and a model checker cannot handle a processor's intrinsics. The harnesses
//! of private functions are next to them, as in `src/growth.rs`.

use websocket_proto::Role;
use websocket_proto::frame::{Decoder, Header, Item, OpCode, Rules, Violation, mask};

/// The switches of [`Rules`], as bits.
fn rules(switches: u8, max_payload: u64) -> Rules {
    let is_on = |switch: u8| switches >> switch & 1 == 1;
    Rules::new(if is_on(0) { Role::Server } else { Role::Client })
        .max_payload(max_payload)
        .permessage_deflate(is_on(1))
        .accept_unmasked(is_on(2))
        .accept_non_minimal_length(is_on(3))
        .accept_rsv1_on_control(is_on(4))
}

/// A parsed header encodes to the same or a shorter form, and longer input does not change the result.
fn parse_and_encode_are_inverse(bytes: [u8; 14], size: usize, rules: Rules) {
    let front = &bytes[..size % 15];
    match Header::parse(front, &rules) {
        Ok(Some((header, read))) => {
            assert!((2..=front.len()).contains(&read));
            assert_eq!(Header::parse(&bytes, &rules), Ok(Some((header, read))));
            let encoded = header.encode();
            assert!(encoded.len() <= read);
            assert_eq!(Header::parse(&encoded, &rules), Ok(Some((header, encoded.len()))));
            if encoded.len() == read {
                assert_eq!(*encoded, bytes[..read]);
            }
        }
        Ok(None) => assert!(front.len() < 14, "no header is longer"),
        Err(violation) => {
            assert_eq!(
                Header::parse(&bytes, &rules),
                Err(violation),
                "what is wrong stays so"
            );
            if let Violation::PayloadTooBig { limit, len, opcode } = violation {
                assert!(len > limit && !opcode.is_control());
            }
        }
    }
}

/// Any header that may be sent is parsed by the end that it is for.
fn encode_and_parse_are_inverse(first: u8, key: Option<[u8; 4]>, payload_len: u64) {
    let Some(opcode) = OpCode::from_bits(first & 0xf) else {
        return;
    };
    let header = Header {
        fin: first & 0x80 != 0 || opcode.is_control(),
        rsv1: first & 0x40 != 0 && matches!(opcode, OpCode::Text | OpCode::Binary),
        rsv2: false,
        rsv3: false,
        opcode,
        mask: key,
        payload_len: if opcode.is_control() {
            payload_len % 126
        } else {
            payload_len >> 1
        },
    };
    let role = if key.is_some() { Role::Server } else { Role::Client };
    let encoded = header.encode();
    let parsed = Header::parse(&encoded, &Rules::new(role).permessage_deflate(true));
    assert_eq!(parsed, Ok(Some((header, encoded.len()))));
}

/// Advancing a key is a rotation: the result is the same in several steps as in one, and for each byte it is as section 5.3
/// specifies.
fn advance_is_a_rotation(key: [u8; 4], first: usize, second: usize, place: usize) {
    let advanced = mask::advance(key, first);
    assert_eq!(advanced[place % 4], key[(first % 4 + place % 4) % 4]);
    assert_eq!(
        mask::advance(advanced, second),
        mask::advance(key, first % 4 + second % 4)
    );
}

/// Byte `i` is XORed with byte `i mod 4` of the key, both in parts and in one piece.
fn mask_is_by_the_letter(plain: [u8; 24], split: usize, key: [u8; 4], place: usize) {
    let mut masked = plain;
    let (front, back) = masked.split_at_mut(split % 25);
    mask::apply(front, key);
    mask::apply(back, mask::advance(key, front.len()));
    let place = place % 24;
    assert_eq!(masked[place], plain[place] ^ key[place % 4]);
}

/// The decoder consumes what it reports: each byte once, and all of them unless it fails.
fn decoder_consumes_what_it_says(bytes: [u8; 20], split: usize, rules: Rules) {
    let mut copy = bytes;
    let (front, back) = copy.split_at_mut(split % 21);
    let mut decoder = Decoder::new(rules);
    for mut input in [front, back] {
        loop {
            let (before, remaining) = (input.len(), decoder.payload_remaining());
            let item = decoder.decode(&mut input);
            let consumed = before - input.len();
            match item {
                Ok(Some(Item::Start(header))) => {
                    assert!(remaining.is_none() && consumed > 0);
                    assert_eq!(decoder.payload_remaining(), Some(header.payload_len));
                }
                Ok(Some(Item::Chunk(chunk))) => {
                    assert!(!chunk.is_empty());
                    assert_eq!(chunk.len(), consumed);
                    let left = remaining.map(|remaining| remaining - consumed as u64);
                    assert_eq!(decoder.payload_remaining(), left);
                }
                Ok(Some(Item::End)) => assert_eq!((consumed, remaining), (0, Some(0))),
                Ok(None) => {
                    assert!(input.is_empty() && decoder.payload_remaining() != Some(0));
                    break;
                }
                Err(violation) => {
                    let left = input.len();
                    assert_eq!(decoder.decode(&mut input), Err(violation));
                    assert_eq!(input.len(), left, "fused");
                    return;
                }
            }
        }
    }
}

#[cfg(kani)]
mod proofs {
    use super::*;

    #[kani::proof]
    #[kani::unwind(16)]
    fn parse() {
        parse_and_encode_are_inverse(kani::any(), kani::any(), rules(kani::any(), kani::any()));
    }

    #[kani::proof]
    #[kani::unwind(16)]
    fn encode() {
        encode_and_parse_are_inverse(kani::any(), kani::any(), kani::any());
    }

    #[kani::proof]
    fn advance() {
        advance_is_a_rotation(kani::any(), kani::any(), kani::any(), kani::any());
    }

    #[kani::proof]
    #[kani::unwind(26)]
    fn mask() {
        mask_is_by_the_letter(kani::any(), kani::any(), kani::any(), kani::any());
    }

    #[kani::proof]
    #[kani::unwind(26)]
    fn decoder() {
        decoder_consumes_what_it_says(kani::any(), kani::any(), rules(kani::any(), kani::any()));
    }
}

#[cfg(not(kani))]
mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Bytes that look like a header more often than by chance, and lengths near the powers of two.
    fn header<const N: usize>() -> impl Strategy<Value = [u8; N]> {
        let first = prop_oneof![4 => prop::sample::select(vec![0x80, 0x81, 0x02, 0x88, 0x89, 0xc1, 0xc9]), 1 => any::<u8>()];
        let second = prop_oneof![2 => 0..128u8, 2 => 0xfe..=0xffu8, 1 => 0x7e..=0x7fu8, 1 => any::<u8>()];
        (first, second, near_powers_of_two(), any::<[u8; N]>()).prop_map(|(first, second, len, mut bytes)| {
            (bytes[0], bytes[1]) = (first, second);
            if second & 0x7f == 127 {
                bytes[2..10].copy_from_slice(&len.to_be_bytes());
            }
            bytes
        })
    }

    fn near_powers_of_two() -> impl Strategy<Value = u64> {
        (0..64u32, 0..3u64).prop_map(|(bit, off)| (1u64 << bit).wrapping_add(off).wrapping_sub(1))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 16 } else { 4096 }))]

        // RFC 6455 section 5.2: 6455-5.2-03, 6455-5.2-05
        #[test]
        fn parse(bytes in header::<14>(), size: usize, switches: u8, limit in near_powers_of_two()) {
            parse_and_encode_are_inverse(bytes, size, rules(switches, limit));
        }

        // RFC 6455 section 5.2: 6455-5.2-03, 6455-5.2-05
        #[test]
        fn encode(first: u8, key: Option<[u8; 4]>, payload_len in near_powers_of_two()) {
            encode_and_parse_are_inverse(first, key, payload_len);
        }

        // RFC 6455 section 5.3: 6455-5.3-02
        #[test]
        fn advance(key: [u8; 4], first: usize, second: usize, place: usize) {
            advance_is_a_rotation(key, first, second, place);
        }

        // RFC 6455 section 5.3: 6455-5.3-02
        #[test]
        fn mask(plain: [u8; 24], split: usize, key: [u8; 4], place: usize) {
            mask_is_by_the_letter(plain, split, key, place);
        }

        // RFC 6455 section 5.2: 6455-5.2-06, 6455-5.2-08
        #[test]
        fn decoder(bytes in header::<20>(), split: usize, switches: u8, limit in near_powers_of_two()) {
            decoder_consumes_what_it_says(bytes, split, rules(switches, limit));
        }
    }
}
