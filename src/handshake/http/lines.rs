//! Reading a head that is complete in one read: its lines are found eight bytes at a time, its bytes are checked with
//! SIMD, and it is copied once.
//!
//! This changes only the time: [`HeadReader`] produces the same fields. A head that is split, folded, unusual or
//! invalid is left to its states.
//!
//! [`HeadReader`]: super::head::HeadReader

use alloc::vec::Vec;

use memchr::memchr;

use super::fields::Known;
use super::grammar::{is_target_byte, is_token, is_token_byte, text, trim_end, trim_start};
use super::records::{Head, LINE, Layout, Line};
use super::target::Target;

/// A head with more lines is left to the states.
const MAX_LINES: usize = 64;

/// The places of larger heads do not fit into a [`Line`]. Sums of places within this size cannot overflow.
const MAX_SIZE: usize = u16::MAX as usize;

/// Reads the request that `bytes` begins with, into the memory of `buffer`. Also returns its size.
pub(super) fn request(bytes: &[u8], max_fields: usize, buffer: &mut Vec<u8>) -> Option<(Head, usize)> {
    let mut table = [[0; LINE]; MAX_LINES];
    let lines = Lines::read(bytes, max_fields, &mut table)?;
    let before_version = lines.first.strip_suffix(b" HTTP/1.1")?;
    let method_end = before_version.iter().position(|byte| !is_token_byte(*byte))?;
    let (method, target) = before_version.split_at_checked(method_end)?;
    let target = target.strip_prefix(b" ")?;
    let is_target = target.iter().fold(true, |all, byte| all & is_target_byte(*byte));
    // A target that begins with a slash is a path in every method except CONNECT.
    let is_path = target.starts_with(b"/") && method != b"CONNECT";
    if method.is_empty() || !is_target || !(is_path || Target::read(text(method), text(target)).is_ok()) {
        return None;
    }
    let mut head = lines.into_head(bytes, buffer)?;
    head.0.method_end = method_end;
    head.0.target = (method_end.saturating_add(1), before_version.len());
    Some(head)
}

/// Same as [`request`], for a response.
pub(super) fn response(bytes: &[u8], max_fields: usize, buffer: &mut Vec<u8>) -> Option<(Head, usize)> {
    let mut table = [[0; LINE]; MAX_LINES];
    let lines = Lines::read(bytes, max_fields, &mut table)?;
    let (status, reason) = lines.first.strip_prefix(b"HTTP/1.1 ")?.split_first_chunk::<3>()?;
    let is_status = matches!(status, [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9']);
    if !is_status || !(reason.is_empty() || reason.starts_with(b" ")) {
        return None;
    }
    let status = text(status).parse().ok()?;
    let mut head = lines.into_head(bytes, buffer)?;
    head.0.status = status;
    Some(head)
}

/// A place in the table for each line.
type Table = [[u8; LINE]; MAX_LINES];

/// The lines of a head.
struct Lines<'a> {
    first: &'a [u8],
    fields: &'a [[u8; LINE]],
    /// The size of the head, with the empty line.
    size: usize,
}

impl<'a> Lines<'a> {
    /// Finds the lines. `None` if they are incomplete, or not plain.
    fn read(bytes: &'a [u8], max_fields: usize, table: &'a mut Table) -> Option<Self> {
        let bytes = bytes.get(..MAX_SIZE).unwrap_or(bytes);
        let (first, mut rest) = split_line(bytes)?;
        let mut places = table.iter_mut().take(max_fields);
        let mut count: usize = 0;
        let size = loop {
            let start = bytes.len().wrapping_sub(rest.len());
            if rest.starts_with(b"\r\n") {
                break start.wrapping_add(2);
            }
            let (name, after) = rest.split_at_checked(find_colon(rest)?)?;
            let known = Known::of(name);
            // Most names are made of letters and hyphens up to the colon.
            let is_usual = || find_early(rest, other_than_letters) == Some(name.len());
            if known.is_none() && (name.is_empty() || !(is_usual() || is_token(name))) {
                return None;
            }
            let (value, after) = split_line(after)?;
            let (gap, len) = trimmed(value)?;
            let colon = start.wrapping_add(name.len());
            *places.next()? = Line::encode(start, colon, gap, colon.wrapping_add(len), known);
            count = count.wrapping_add(1);
            rest = after;
        };
        let fields = table.get(..count)?;
        let ends = count.wrapping_add(2).wrapping_mul(2);
        let is_plain = count_controls(bytes.get(..size)?) == ends;
        is_plain.then_some(Self { first, fields, size })
    }

    fn into_head(self, bytes: &[u8], buffer: &mut Vec<u8>) -> Option<(Head, usize)> {
        let (head, fields) = (bytes.get(..self.size)?, self.fields.as_flattened());
        buffer.clear();
        buffer.reserve_exact(head.len().saturating_add(fields.len()));
        buffer.extend_from_slice(head);
        buffer.extend_from_slice(fields);
        let head = Head {
            bytes: core::mem::take(buffer),
            version: (1, 1),
            layout: Layout::Lines { table: self.size },
            ..Head::default()
        };
        Some((head, self.size))
    }
}

/// Returns the distances from the colon to the first byte of the value, and to its end, both without white space, which
/// is usually one space.
#[inline(always)]
fn trimmed(value: &[u8]) -> Option<(u8, usize)> {
    if let [_, b' ', first, .., last] = value {
        if *first > b' ' && *last > b' ' {
            return Some((2, value.len()));
        }
    }
    let value = trim_end(value);
    let gap = value.len().wrapping_sub(trim_start(value.get(1..)?).len());
    Some((u8::try_from(gap).ok()?, value.len()))
}

/// Splits off a line, and returns the bytes after its end. A short line has no control byte except DEL.
#[inline(always)]
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (line, after) = bytes.split_at_checked(find_line_end(bytes)?)?;
    Some((line, after.strip_prefix(b"\r\n")?))
}

/// Returns where the first CR is, or another control byte.
#[inline(always)]
fn find_line_end(bytes: &[u8]) -> Option<usize> {
    find_early(bytes, first_control).or_else(|| memchr(b'\r', bytes))
}

/// Returns where the name of a field ends.
#[inline(always)]
fn find_colon(bytes: &[u8]) -> Option<usize> {
    find_early(bytes, first_colon).or_else(|| memchr(b':', bytes))
}

/// Returns where the first byte is that `first` marks in eight of them. Searches only the first bytes, which takes less
/// time than a call of `memchr`: most names and values are not longer.
#[inline(always)]
fn find_early(bytes: &[u8], first: impl Fn(u64) -> u64) -> Option<usize> {
    let mut words = bytes.first_chunk::<32>()?.chunks_exact(8).enumerate();
    words.find_map(|(at, word)| {
        let marks = first(u64::from_le_bytes(word.try_into().ok()?));
        let within = marks.trailing_zeros() as usize / 8;
        (marks != 0).then(|| at.wrapping_mul(8).wrapping_add(within))
    })
}

/// Sets the highest bit of each of eight bytes that is neither a letter nor a hyphen. A sum of seven bits stays in its
/// byte.
#[inline(always)]
fn other_than_letters(word: u64) -> u64 {
    let bits = word & each(0x7f);
    let lower = bits | each(b' ');
    let is_letter = lower.wrapping_add(each(0x80 - b'a')) & !lower.wrapping_add(each(0x7f - b'z'));
    let is_no_hyphen = (bits ^ each(b'-')).wrapping_add(each(0x7f));
    (!is_letter & is_no_hyphen | word) & each(0x80)
}

/// Sets the highest bit of the first byte below the space as the lowest bit of the result; higher bits are meaningless,
/// because a difference borrows from the bytes above.
#[inline(always)]
fn first_control(word: u64) -> u64 {
    word.wrapping_sub(each(b' ')) & !word & each(0x80)
}

/// Same for the first colon, which is the first byte that is 0 in what it is compared with.
#[inline(always)]
fn first_colon(word: u64) -> u64 {
    let others = word ^ each(b':');
    others.wrapping_sub(each(1)) & !others & each(0x80)
}

fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Counts the control bytes with SIMD, in parts whose count fits into a byte.
fn count_controls(bytes: &[u8]) -> usize {
    const PART: usize = 224;
    let count = |count: u8, byte: &u8| count.wrapping_add(u8::from(byte.is_ascii_control()));
    let counts = bytes.chunks(PART).map(|part| part.iter().fold(0, count));
    counts.fold(0, |all, count| all.wrapping_add(usize::from(count)))
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::Config;
    use crate::handshake::http::head::HeadReader;

    /// What a head comes to, however it was read.
    #[derive(Debug, Eq, PartialEq)]
    struct Facts {
        line: (String, String, (u8, u8), u16),
        fields: Vec<(Vec<u8>, Vec<u8>)>,
        known: Vec<(Known, Vec<u8>)>,
    }

    fn facts(head: &Head) -> Facts {
        let fields = head
            .records()
            .map(|(name, value)| (name.to_vec(), value.to_vec()));
        let mut known = Vec::new();
        head.records()
            .for_each_known(|field, value| known.push((field, value.to_vec())));
        let (method, target) = (head.method().into(), head.target().into());
        Facts {
            line: (method, target, head.version(), head.status()),
            fields: fields.collect(),
            known,
        }
    }

    /// By the states of the reader, a byte at a time: also how many bytes the head has.
    fn by_states(mut reader: HeadReader, bytes: &[u8]) -> (Head, usize) {
        let mut ends = bytes.iter().enumerate().filter_map(|(at, byte)| {
            let head = reader.receive(&mut &mut [*byte][..]).unwrap()?;
            Some((head, at + 1))
        });
        ends.next().expect("the states read what the lines do")
    }

    /// Whether it is read by lines; if so, the states come to the same.
    fn is_read(bytes: &[u8]) -> bool {
        let config = Config::new().max_fields(20);
        let request = (request(bytes, 20, &mut Vec::new()), HeadReader::request(&config));
        let response = (
            response(bytes, 20, &mut Vec::new()),
            HeadReader::response(&config),
        );
        let mut is_read = false;
        for (by_lines, reader) in [request, response] {
            let Some((head, size)) = by_lines else { continue };
            let (expected, length) = by_states(reader, bytes);
            assert_eq!((facts(&head), size), (facts(&expected), length));
            is_read = true;
        }
        is_read
    }

    // RFC 9110 sections 5.1 and 5.5: each byte at each place that is searched, among letters and hyphens
    #[test]
    fn early_searches_find_the_first_byte_of_their_kind() {
        for (place, byte) in (0..32).flat_map(|place| (0..=u8::MAX).map(move |byte| (place, byte))) {
            for others in [*b"az", *b"AZ", *b"--"] {
                let mut bytes = [others; 20].as_flattened().to_vec();
                bytes[place] = byte;
                let naive = |is_found: fn(u8) -> bool| bytes[..32].iter().position(|byte| is_found(*byte));
                let other = naive(|byte| !byte.is_ascii_alphabetic() && byte != b'-');
                assert_eq!(find_early(&bytes, other_than_letters), other, "{byte} at {place}");
                let control = naive(|byte| byte < b' ');
                assert_eq!(find_early(&bytes, first_control), control, "{byte} at {place}");
                let colon = naive(|byte| byte == b':');
                assert_eq!(find_early(&bytes, first_colon), colon, "{byte} at {place}");
            }
        }
    }

    // RFC 9110 section 5.5: a value has no white space around it
    #[test]
    fn values_are_read_without_white_space_around_them() {
        let bytes = *b" \tab";
        for which in 0..4_usize.pow(5) {
            let byte = |place| bytes[which / 4_usize.pow(place) % 4];
            let value = [byte(0), byte(1), byte(2), byte(3), byte(4)];
            let is_value = |byte: &u8| byte.is_ascii_alphabetic();
            let (Some(first), Some(last)) =
                (value.iter().position(is_value), value.iter().rposition(is_value))
            else {
                continue;
            };
            let line = [b":", &value[..]].concat();
            assert_eq!(trimmed(&line), Some((1 + first as u8, 2 + last)), "{line:?}");
        }
    }

    const REQUEST: &[u8] = b"GET /chat?room=1 HTTP/1.1\r\nHost: server.example.com\r\nconnection:Upgrade\r\nEmpty:\r\nSpaces:   \r\n\
        X-Around:  a b  \r\nX-Before:  a b\r\nX-Behind: a b \r\nX-One:  a\r\n\
        Cookie: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\xe9 0123456789\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nframes";
    const RESPONSE: &[u8] =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

    // RFC 9112 sections 2.2, 5 and 5.1. The way of most heads is taken, and not only for those here.
    #[test]
    fn plain_heads_are_read_by_lines() {
        for head in [
            REQUEST,
            RESPONSE,
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET http://example.com/ HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
        ] {
            assert!(is_read(head));
        }
        let long = [b"GET / HTTP/1.1\r\nCookie: ", &[b'c'; 4096][..], b"\r\n\r\n"].concat();
        assert!(is_read(&long));
    }

    // RFC 9112 sections 2.2, 5 and 5.1: every byte in every place, one that is missing, and every end of the read.
    #[test]
    fn what_lines_read_the_states_read_alike() {
        for head in [REQUEST, RESPONSE] {
            for at in 0..head.len() {
                for byte in 0..=u8::MAX {
                    let mut bytes = head.to_vec();
                    bytes[at] = byte;
                    is_read(&bytes);
                }
                is_read(&[&head[..at], &head[at + 1..]].concat());
                let is_complete = head == REQUEST && at >= head.len() - b"frames".len();
                assert_eq!(is_read(&head[..at]), is_complete, "{at}");
            }
        }
    }

    // RFC 6455 section 10.4: 6455-10.4-01. What has too many lines, or is too large, is left to the states.
    #[test]
    fn heads_over_a_limit_are_left_to_the_states() {
        let head = |lines: usize, value: usize| {
            let line = [b"A: ", &alloc::vec![b'x'; value][..], b"\r\n"].concat();
            [b"GET / HTTP/1.1\r\n", &line.repeat(lines)[..], b"\r\n"].concat()
        };
        let is_read = |bytes: &[u8], max_fields| request(bytes, max_fields, &mut Vec::new()).is_some();
        assert!(is_read(&head(MAX_LINES, 1), 100) && !is_read(&head(MAX_LINES + 1, 1), 100));
        assert!(is_read(&head(20, 1), 20) && !is_read(&head(21, 1), 20));
        let longest = MAX_SIZE - head(1, 0).len();
        assert!(is_read(&head(1, longest), 20) && !is_read(&head(1, longest + 1), 20));
    }
}
