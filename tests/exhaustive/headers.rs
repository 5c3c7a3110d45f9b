//! Every header: all pairs of first bytes, the edges of every length encoding, both roles, every set of rules.

use crate::common::{naive, open};
use crate::{Form, count};
use websocket_proto::frame::{Decoder, Header, Item, Rules, raw};
use websocket_proto::{Config, Connection, Role};

/// Lengths where the treatment changes: at the boundaries of the encodings, the limits of control frames and of the address
/// space, and the limit of section 5.2.
const EDGES: [u64; 19] = [
    0,
    1,
    125,
    126,
    127,
    128,
    65_535,
    65_536,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 1,
    (1 << 56) - 1,
    1 << 56,
    i64::MAX as u64 - 1,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

// RFC 6455 section 5.2: 6455-5.2-01, 6455-5.2-04, 6455-5.2-08; section 5.1: 6455-5.1-02
#[test]
#[cfg_attr(miri, ignore = "millions")]
fn every_header_is_read_as_the_naive_reader_reads_it() {
    count("headers", |form| {
        let mut counts = Counts::default();
        let headers = headers(form);
        for rules in all_rules(form) {
            let library = library_rules(&rules);
            for bytes in &headers {
                counts.add(&check(&rules, &library, bytes));
                // Slow without optimization.
                if form > Form::Edges {
                    check_connection(&rules, bytes);
                }
            }
        }
        for bytes in &headers {
            check_raw(bytes);
        }
        let Counts {
            parsed,
            accepted,
            refused,
        } = counts;
        format!(
            "{parsed} parsed, {accepted} accepted, {} refused with 1002, {} with 1009",
            refused[0], refused[1]
        )
    });
}

/// All pairs of first bytes, with all lengths of 7 bits and the edges of those of 16 and 64 bits.
fn headers(form: Form) -> Vec<Vec<u8>> {
    let (lengths, mut headers) = (lengths(form), Vec::new());
    for first in 0..=255 {
        for second in 0..=255u8 {
            let mut add = |len: &[u8]| {
                let key = if second & 0x80 != 0 { &KEY[..] } else { &[] };
                headers.push([&[first, second], len, key].concat());
            };
            match second & 0x7f {
                126 => {
                    let short = lengths.iter().filter_map(|len| u16::try_from(*len).ok());
                    short.for_each(|len| add(&len.to_be_bytes()));
                }
                127 => lengths.iter().for_each(|len| add(&len.to_be_bytes())),
                2..=123 if form == Form::Edges => {}
                _ => add(&[]),
            }
        }
    }
    headers
}

/// The edges and the values next to each limit, which differs for compressed frames.
fn lengths(form: Form) -> Vec<u64> {
    let mut lengths = EDGES.to_vec();
    for rules in all_rules(form) {
        for limit in [false, true].map(|deflated| rules.frame_limit(deflated)) {
            lengths.extend([limit, limit.saturating_add(1)]);
        }
    }
    lengths.sort_unstable();
    lengths.dedup();
    lengths
}

fn limits(form: Form) -> &'static [u64] {
    match form {
        Form::Edges => &[126],
        Form::Short => &[126, i64::MAX as u64],
        Form::All => &[0, 125, 126, 65_535, 65_536, 1 << 32, i64::MAX as u64, u64::MAX],
    }
}

/// Every switch, on and off, with some limits.
fn all_rules(form: Form) -> Vec<naive::Rules> {
    let mut all = Vec::new();
    for &limit in limits(form) {
        for switches in 0..32 {
            let is_on = |switch: u32| switches >> switch & 1 == 1;
            all.push(naive::Rules {
                role: if is_on(0) { Role::Server } else { Role::Client },
                limit,
                accept_unmasked: is_on(1),
                accept_non_minimal_length: is_on(2),
                accept_rsv1_on_control: is_on(3),
                accept_any_close_code: false,
                window: is_on(4).then_some((15, true)),
            });
        }
    }
    all
}

fn library_rules(rules: &naive::Rules) -> Rules {
    Rules::new(rules.role)
        .max_payload(rules.limit)
        .permessage_deflate(rules.window.is_some())
        .accept_unmasked(rules.accept_unmasked)
        .accept_non_minimal_length(rules.accept_non_minimal_length)
        .accept_rsv1_on_control(rules.accept_rsv1_on_control)
}

#[derive(Default)]
struct Counts {
    parsed: u64,
    accepted: u64,
    /// With 1002 and with 1009.
    refused: [u64; 2],
}

impl Counts {
    fn add(&mut self, verdict: &Verdict) {
        self.parsed += 1;
        match verdict {
            Verdict::Accepted => self.accepted += 1,
            Verdict::Refused { code, .. } => self.refused[usize::from(*code == 1009)] += 1,
        }
    }
}

enum Verdict {
    Accepted,
    /// With this code, after `at` bytes.
    Refused {
        code: u16,
        at: usize,
    },
}

/// The naive reader's verdict on a prefix of a header: whether it is complete, or the close code.
fn expected(rules: &naive::Rules, bytes: &[u8]) -> Result<bool, u16> {
    naive::check_header(rules, bytes)?;
    let Some((len, ..)) = naive::length(bytes) else {
        return Ok(false);
    };
    if bytes[0] & 8 == 0 && len > rules.frame_limit(bytes[0] & 0x40 != 0) {
        return Err(1009);
    }
    Ok(naive::header_size(bytes).is_some_and(|size| size <= bytes.len()))
}

/// Checks `Header::parse` and the decoder with the header, and with each of its prefixes.
fn check(rules: &naive::Rules, library: &Rules, bytes: &[u8]) -> Verdict {
    let mut verdict = Verdict::Accepted;
    for size in 0..=bytes.len() {
        let front = &bytes[..size];
        let found = Header::parse(front, library);
        let expected = expected(rules, front);
        match (&found, expected) {
            (Ok(None), Ok(false)) => {}
            (Ok(Some((header, read))), Ok(true)) => check_fields(header, *read, bytes),
            (Err(violation), Err(code)) => {
                assert_eq!(u16::from(violation.close_code()), code, "{rules:?} {front:x?}");
                verdict = Verdict::Refused { code, at: size };
                // A longer prefix fails with the same violation.
                assert_eq!(Header::parse(bytes, library), found);
                break;
            }
            _ => panic!("{found:?} instead of {expected:?}: {rules:?} {front:x?}"),
        }
    }
    let (mut once, mut piecemeal) = (Decoder::new(*library), Decoder::new(*library));
    check_decoder(&mut once, bytes, bytes.len(), &verdict);
    check_decoder(&mut piecemeal, bytes, 1, &verdict);
    verdict
}

/// Checks each field, and that encoding yields the same header with a minimal length.
fn check_fields(header: &Header, read: usize, bytes: &[u8]) {
    let (len, minimal, _) = naive::length(bytes).expect("complete");
    assert_eq!(read, bytes.len());
    let bits = [header.fin, header.rsv1, header.rsv2, header.rsv3];
    let first = bits.iter().fold(0, |all, bit| all << 1 | u8::from(*bit));
    assert_eq!(first << 4 | header.opcode.bits(), bytes[0]);
    assert_eq!(header.mask, naive::key(bytes, bytes.len()));
    assert_eq!(header.payload_len, len);
    let encoded = header.encode();
    assert_eq!(*encoded == *bytes, minimal, "{bytes:x?}");
    assert_eq!(
        naive::length(&encoded).map(|(len, minimal, _)| (len, minimal)),
        Some((len, true))
    );
    assert_eq!(encoded[0], bytes[0]);
    assert_eq!(naive::key(&encoded, encoded.len()), header.mask);
}

/// Decodes the header in reads of `read` bytes. Expects a start, or a violation at the expected byte.
fn check_decoder(decoder: &mut Decoder, bytes: &[u8], read: usize, verdict: &Verdict) {
    let (mut copy, mut consumed) = ([0; 14], 0);
    copy[..bytes.len()].copy_from_slice(bytes);
    for chunk in copy[..bytes.len()].chunks_mut(read) {
        let (size, mut input) = (chunk.len(), chunk);
        let found = decoder.decode(&mut input).map(|item| match item {
            None => None,
            Some(Item::Start(header)) => Some(header),
            Some(other) => panic!("{other:?} in a header"),
        });
        consumed += size - input.len();
        match (found, verdict) {
            (Ok(None), _) => assert!(consumed < bytes.len()),
            (Ok(Some(header)), Verdict::Accepted) => {
                assert_eq!(consumed, bytes.len());
                assert_eq!(decoder.payload_remaining(), Some(header.payload_len));
                check_fields(&header, consumed, bytes);
            }
            (Err(violation), Verdict::Refused { code, at }) => {
                assert_eq!((u16::from(violation.close_code()), consumed), (*code, *at));
                assert_eq!(decoder.decode(&mut &mut [0x81][..]), Err(violation), "fused");
                return;
            }
            _ => panic!("{bytes:x?}"),
        }
    }
    assert!(matches!(verdict, Verdict::Accepted), "{bytes:x?}");
}

/// The raw decoder accepts any header and returns its bytes unchanged.
fn check_raw(bytes: &[u8]) {
    for read in [1, bytes.len()] {
        let (mut decoder, mut starts) = (raw::Decoder::new(), 0);
        for mut input in bytes.chunks(read) {
            if let Some(raw::Item::Start(header)) = decoder.decode(&mut input) {
                assert_eq!(*header, *bytes);
                starts += 1;
            }
        }
        assert_eq!(starts, 1, "{bytes:x?}");
    }
}

/// Receives the header as the first one of a connection, which also checks the order of fragments.
fn check_connection(rules: &naive::Rules, bytes: &[u8]) {
    let Some(mut connection) = connection(rules) else {
        return;
    };
    let (mut copy, mut out) = ([0; 14], Vec::new());
    copy[..bytes.len()].copy_from_slice(bytes);
    let mut input = &mut copy[..bytes.len()];
    let failed = loop {
        match connection.receive(&mut input, &mut out) {
            Ok(Some(_)) => {}
            Ok(None) => break None,
            Err(error) => break Some(u16::from(error.close_code())),
        }
    };
    let expected = match naive::receive(rules, bytes).verdict {
        naive::Verdict::Fail(code) => Some(code),
        naive::Verdict::Open | naive::Verdict::Closed(_) => None,
    };
    assert_eq!(failed, expected, "{rules:?} {bytes:x?}");
}

fn connection(rules: &naive::Rules) -> Option<Connection> {
    let config = Config::new()
        .max_message_size(rules.limit)
        .accept_unmasked(rules.accept_unmasked)
        .accept_non_minimal_length(rules.accept_non_minimal_length)
        .accept_rsv1_on_control(rules.accept_rsv1_on_control);
    let connection = open(rules.role, &config);
    match rules.window {
        None => Some(connection),
        #[cfg(feature = "deflate")]
        Some(_) => {
            use websocket_proto::deflate::{DeflateConfig, Parameters};
            Some(connection.with_deflate(Parameters::default(), &DeflateConfig::new()))
        }
        #[cfg(not(feature = "deflate"))]
        Some(_) => None,
    }
}
