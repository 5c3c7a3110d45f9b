//! The frame tier: headers, the decoder, masks.

use super::common::{assert_decodes, other, parts};
use super::input::Input;
use websocket_proto::Role;
use websocket_proto::frame::{Header, OpCode, Rules, mask};

/// The rules that a first byte and a limit choose; whether they are the strict ones.
fn rules(input: &mut Input) -> (Rules, Role, bool) {
    let flags = input.byte();
    let limit = input.pick(&[i64::MAX as u64, 0, 1, 125, 126, 180, 65_535, 65_536, 1 << 32]);
    let role = if flags & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let rules = Rules::new(role)
        .max_payload(limit)
        .allow_rsv1(flags & 2 != 0)
        .accept_unmasked(flags & 4 != 0)
        .accept_non_minimal_length(flags & 8 != 0);
    (rules, role, flags & 14 == 0)
}

/// A header: read from its first bytes it is missing more, or wrong, or whole, and stays what it is with more bytes; a whole one
/// is what it says, and is written as it was read.
pub fn header(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (rules, role, strict) = rules(&mut input);
    let bytes = input.rest();
    let mut known = Ok(None);
    for size in 0..=bytes.len() {
        let found = Header::parse(&bytes[..size], &rules);
        match known {
            Ok(None) => {}
            known => assert_eq!(found, known, "more bytes change nothing"),
        }
        known = found;
    }
    let Ok(Some((header, size))) = known else {
        assert!(known.is_err() || bytes.len() < 14, "14 bytes are a header");
        return;
    };
    let short = u64::from(bytes[1] & 0x7f);
    let (len, at) = match short {
        126 => (
            bytes[2..4]
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
            4,
        ),
        127 => (
            bytes[2..10]
                .iter()
                .fold(0, |len, byte| len << 8 | u64::from(*byte)),
            10,
        ),
        short => (short, 2),
    };
    let masked = bytes[1] & 0x80 != 0;
    let key = masked.then(|| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    assert_eq!(
        (header.len, header.mask, size),
        (len, key, at + if masked { 4 } else { 0 })
    );
    assert_eq!(
        header.opcode,
        OpCode::from_bits(bytes[0] & 15).expect("a defined opcode")
    );
    let bits = [header.fin, header.rsv1, header.rsv2, header.rsv3].map(u8::from);
    assert_eq!(bits, [7, 6, 5, 4].map(|bit| bytes[0] >> bit & 1));
    assert!(!header.opcode.is_control() || (header.fin && len <= 125));
    assert!(len <= i64::MAX as u64 && !header.rsv2 && !header.rsv3);
    let encoded = header.encode();
    if strict {
        assert_eq!(*encoded, bytes[..size], "the shortest form");
        assert_eq!(masked, role == Role::Server);
    }
    let lenient = Rules::new(if masked { Role::Server } else { other(Role::Server) }).allow_rsv1(true);
    assert_eq!(
        Header::parse(&encoded, &lenient),
        Ok(Some((header, encoded.len())))
    );
}

/// The decoder: the same frames over any split, and those that a naive reader finds.
pub fn decoder(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (rules, _, _) = rules(&mut input);
    let (cuts, bytes) = input.cut_rest();
    assert_decodes(&rules, bytes, &cuts);
}

/// Masking: what a loop over the bytes does, at any place in memory, in any pieces, and undone by itself.
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
