//! The few rules of RFC 9110 and RFC 3986 that the rest of the handshake shares: tokens, values, lists, encoding.

use core::str::Bytes;

/// RFC 9110 section 5.6.2: `tchar`.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES.get(usize::from(byte)).copied().unwrap_or(false)
}

/// RFC 9110 section 5.6.2: `token`.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

/// Bytes allowed in a field's value: all except the control bytes other than HTAB (RFC 9110 section 5.5).
pub(crate) fn is_field_byte(byte: u8) -> bool {
    (byte >= b' ' && byte != 0x7f) || byte == b'\t'
}

/// Returns how many of the first bytes are allowed in a field's value: in a valid line, all up to the CR.
pub(crate) fn field_run(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk() {
        let refused = refused_field_bytes(u64::from_le_bytes(*word));
        if refused != 0 {
            let before = bytes.len().saturating_sub(rest.len());
            return before.saturating_add(refused.trailing_zeros() as usize / 8);
        }
        rest = after;
    }
    let is_end = |byte: &u8| !is_field_byte(*byte);
    let run = rest.iter().position(is_end).unwrap_or(rest.len());
    bytes.len().saturating_sub(rest.len()).saturating_add(run)
}

/// Sets the highest bit of each of eight bytes that [`is_field_byte`] refuses. A sum of seven bits stays in its byte.
fn refused_field_bytes(word: u64) -> u64 {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let is_at_least = |bits: u64, least: u8| bits.wrapping_add(each(0x80_u8.wrapping_sub(least)));
    let bits = word & each(0x7f);
    let is_control = !is_at_least(bits, b' ') & is_at_least(bits ^ each(b'\t'), 1);
    let is_del = is_at_least(bits, 0x7f);
    (is_control | is_del) & !word & each(0x80)
}

/// Bytes allowed in a request target: printable ASCII except `#`.
///
/// RFC 3986 forbids some of these (`"`, `<`, `>`, `^`, `{`, `|`, `}` ...), but browsers send several of them in
/// queries, and they are harmless. A client sends everything that a server accepts, so that a proxy can pass on what it
/// received.
pub(crate) fn is_target_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'#'
}

/// RFC 3986 section 2.3: `unreserved`.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 section 2.2: `sub-delims`.
pub(crate) fn is_sub_delim(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'='
    )
}

/// Returns whether everything is `unreserved`, `pct-encoded`, `sub-delims` (RFC 3986 section 2) or one of these.
pub(crate) fn is_encoded(text: &str, is_extra: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some((octet, is_encoded)) = next_octet(&mut bytes) {
        if !is_encoded && !is_unreserved(octet) && !is_sub_delim(octet) && !is_extra(octet) {
            return false;
        }
    }
    true
}

/// Returns the next octet of a text, and whether it was percent-encoded (RFC 3986 section 2.1). A `%` without two
/// hexadecimal digits represents itself.
pub(crate) fn next_octet(rest: &mut Bytes<'_>) -> Option<(u8, bool)> {
    let byte = rest.next()?;
    if byte != b'%' {
        return Some((byte, false));
    }
    let mut ahead = rest.clone();
    let mut digit = || ahead.next().and_then(|digit| char::from(digit).to_digit(16));
    let (Some(high), Some(low)) = (digit(), digit()) else {
        return Some((byte, false));
    };
    *rest = ahead;
    let octet = high.wrapping_mul(16).wrapping_add(low);
    Some((u8::try_from(octet).unwrap_or_default(), true))
}

/// Returns whether this starts with two hexadecimal digits, which a `%` requires after it.
pub(crate) fn is_octet(text: &str) -> bool {
    let digits = text.as_bytes().first_chunk::<2>();
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Percent-encodes in a target all that RFC 3986 sections 3.3 and 3.4 do not allow in a path and a query. A `%` stays.
#[cfg(feature = "http")]
pub(crate) fn percent_encoded(target: &str) -> alloc::string::String {
    use core::fmt::Write;

    let mut encoded = alloc::string::String::with_capacity(target.len());
    for byte in target.bytes() {
        if is_unreserved(byte) || is_sub_delim(byte) || matches!(byte, b'/' | b'?' | b':' | b'@' | b'%') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Returns whether this is allowed in an Origin: printable ASCII, with spaces between several origins (RFC 6454 section
/// 7.1).
pub(crate) fn is_origin(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Returns the elements of a comma-separated list without the white space around them, skipping empty ones (RFC 9110
/// section 5.6.1).
pub(crate) fn list(line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    line.split(|&byte| byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// Removes SP and HTAB at both ends (RFC 9112 section 5.1).
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    trim_end(trim_start(bytes))
}

pub(crate) fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

pub(crate) fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// RFC 9110 section 5.6.3: SP or HTAB.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Converts bytes that have been checked to be ASCII to text. (Others would result in an empty text, but cannot get
/// here.)
pub(crate) fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

#[expect(clippy::indexing_slicing, reason = "the compiler does it")]
const TOKEN_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < u8::MAX {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 9110 section 5.5: 9110-5.5-01
    #[test]
    fn field_bytes_are_found_eight_at_a_time_as_they_are_one_by_one() {
        for byte in 0..=u8::MAX {
            for around in [b' ', b'\t', 0x7e, 0xff] {
                for at in 0..24 {
                    let mut bytes = [around; 24];
                    bytes[at] = byte;
                    let end = if is_field_byte(byte) { bytes.len() } else { at };
                    assert_eq!(field_run(&bytes), end, "{byte:#x} at {at}");
                }
            }
        }
    }
}
