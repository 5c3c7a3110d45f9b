//! The frame layer: headers, the decoder, masks.

use super::common::{assert_decodes, decode, every_cut, naive, parts};
use super::input::Input;
use websocket_proto::Role;
use websocket_proto::frame::{Header, Rules, mask, raw};

/// The rules selected by a first byte and a limit, and the same for the naive reader.
fn rules(input: &mut Input) -> (Rules, naive::Rules) {
    let flags = input.byte();
    let limit = input.pick(&[i64::MAX as u64, 0, 1, 125, 126, 180, 65_535, 65_536, 1 << 32]);
    let role = match flags & 1 {
        0 => Role::Server,
        _ => Role::Client,
    };
    let [rsv1, unmasked, long, control] = [2, 4, 8, 16].map(|bit| flags & bit != 0);
    let rules = Rules::new(role)
        .max_payload(limit)
        .permessage_deflate(rsv1)
        .accept_unmasked(unmasked)
        .accept_non_minimal_length(long)
        .accept_rsv1_on_control(control);
    let naive = naive::Rules {
        accept_unmasked: unmasked,
        accept_non_minimal_length: long,
        accept_rsv1_on_control: control,
        window: rsv1.then_some((15, true)),
        ..naive::Rules::strict(role, limit)
    };
    (rules, naive)
}

/// A header: parsing a prefix reports that it is incomplete, invalid, or complete, as the naive reader does, and more bytes do not
/// change that. Encoding a complete header yields the same bytes if its length is minimal.
pub fn header(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (rules, naive) = rules(&mut input);
    let bytes = input.rest();
    let mut known = Ok(None);
    for size in 0..=bytes.len().min(20) {
        let found = Header::parse(&bytes[..size], &rules);
        match known {
            Ok(None) => assert_eq!(found.is_err(), is_wrong(&naive, &bytes[..size]), "{found:?}"),
            known => assert_eq!(found, known, "more bytes do not change the result"),
        }
        known = found;
    }
    assert_eq!(Header::parse(bytes, &rules), known);
    let whole = naive::header_size(bytes).filter(|size| *size <= bytes.len());
    let Ok(Some((header, size))) = known else {
        assert!(known.is_err() || whole.is_none());
        return;
    };
    assert_eq!(Some(size), whole);
    let (len, minimal, _) = naive::length(bytes).expect("whole");
    assert_eq!((header.payload_len, header.mask), (len, naive::key(bytes, size)));
    assert_eq!(header.opcode.bits(), bytes[0] & 15);
    let bits = [header.fin, header.rsv1, header.rsv2, header.rsv3].map(u8::from);
    assert_eq!(bits, [7, 6, 5, 4].map(|bit| bytes[0] >> bit & 1));
    let encoded = header.encode();
    assert_eq!(*encoded == bytes[..size], minimal, "the shortest form");
    let masked = Rules::new(if header.mask.is_some() {
        Role::Server
    } else {
        Role::Client
    });
    let lenient = masked.permessage_deflate(true).accept_rsv1_on_control(true);
    let read = Header::parse(&encoded, &lenient);
    assert_eq!(read, Ok(Some((header, encoded.len()))));
}

/// Whether a partial header violates a rule.
fn is_wrong(rules: &naive::Rules, bytes: &[u8]) -> bool {
    let too_big = naive::length(bytes).is_some_and(|(len, ..)| {
        let limit = rules.frame_limit(bytes[0] & 0x40 != 0);
        bytes[0] & 8 == 0 && len > limit
    });
    naive::check_header(rules, bytes).is_err() || too_big
}

/// The decoder: the same frames for any split, and the same as a naive reader finds, up to the same error.
pub fn decoder(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (rules, naive) = rules(&mut input);
    let (cuts, bytes) = input.cut_rest();
    assert_decodes(&rules, bytes, &cuts);
    let mut rest = bytes;
    while let Some((_, size, _)) = naive::split(rest).filter(|_| !is_wrong(&naive, rest)) {
        rest = &rest[size..];
    }
    let (_, violation) = decode(&rules, bytes, &[]);
    assert_eq!(violation.is_some(), is_wrong(&naive, rest), "{violation:?}");
}

/// Raw frames: any bytes are relayed unchanged, however they are split, and are parsed as by the naive reader.
pub fn raw_decoder(bytes: &[u8]) {
    let (cuts, bytes) = Input::new(bytes).cut_rest();
    let whole = relay(&[bytes]);
    assert_eq!(relay(&parts(bytes, &cuts)), whole);
    assert_eq!(relay(&parts(bytes, &every_cut(bytes.len()))), whole);
    let mut rest = bytes;
    for (header, payload) in whole {
        let size = naive::header_size(rest).expect("a complete header");
        assert_eq!(*header, rest[..size]);
        assert_eq!(
            (header.fin(), header.rsv()),
            (rest[0] & 0x80 != 0, rest[0] >> 4 & 7)
        );
        assert_eq!(
            (header.opcode(), header.mask()),
            (rest[0] & 15, naive::key(rest, size))
        );
        let (len, ..) = naive::length(rest).expect("a complete header");
        assert_eq!(header.payload_len(), len);
        let came = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len() - size);
        assert_eq!(payload, rest[size..][..came]);
        rest = &rest[size + came..];
    }
    assert!(naive::header_size(rest).is_none_or(|size| size > rest.len()));
}

fn relay(parts: &[&[u8]]) -> Vec<(raw::Header, Vec<u8>)> {
    let (mut decoder, mut frames) = (raw::Decoder::new(), Vec::<(raw::Header, Vec<u8>)>::new());
    for part in parts {
        let mut input = *part;
        while let Some(item) = decoder.decode(&mut input) {
            match item {
                raw::Item::Start(header) => frames.push((header, Vec::new())),
                raw::Item::Chunk(chunk) => {
                    assert!(!chunk.is_empty());
                    frames.last_mut().expect("a start before").1.extend(chunk);
                }
                raw::Item::End => {
                    let (header, payload) = frames.last().expect("a start before");
                    assert_eq!(header.payload_len(), payload.len() as u64);
                }
            }
        }
        assert!(input.is_empty());
    }
    frames
}

/// Masking: the same result as a loop over the bytes, at any alignment, for any split; and it is its own inverse.
pub fn mask(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let key = [input.byte(), input.byte(), input.byte(), input.byte()];
    let skip = usize::from(input.byte() % 16);
    let (cuts, bytes) = input.cut_rest();
    let expected: Vec<u8> = bytes
        .iter()
        .enumerate()
        .map(|(i, byte)| byte ^ key[i % 4])
        .collect();
    let mut padded = [&vec![0; skip][..], bytes].concat();
    mask::apply(&mut padded[skip..], key);
    assert_eq!(padded[skip..], expected);
    assert!(padded[..skip].iter().all(|byte| *byte == 0));
    let (mut next, mut pieces) = (key, Vec::new());
    for part in parts(bytes, &cuts) {
        let mut part = part.to_vec();
        mask::apply(&mut part, next);
        next = mask::advance(next, part.len());
        pieces.extend(part);
    }
    assert_eq!(pieces, expected);
    assert_eq!(next, mask::advance(key, bytes.len()));
    mask::apply(&mut pieces, key);
    assert_eq!(pieces, bytes);
}
