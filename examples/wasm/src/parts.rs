//! Lists of byte strings: the length of each, in 32 bits, little-endian, followed by its bytes.

use websocket_proto::utf8;

use crate::code::Code;

/// Appends a byte string to a list.
pub fn push(list: &mut Vec<u8>, part: &[u8]) {
    // No head and no text of an end is longer.
    let len = u32::try_from(part.len()).unwrap_or(0);
    list.extend_from_slice(&len.to_le_bytes());
    list.extend_from_slice(part.get(..len as usize).unwrap_or_default());
}

/// Returns the byte strings of a list.
pub fn split(mut list: &[u8]) -> Result<Vec<&[u8]>, Code> {
    let mut parts = Vec::new();
    while let Some((len, rest)) = list.split_first_chunk() {
        let len = u32::from_le_bytes(*len) as usize;
        let (part, rest) = rest.split_at_checked(len).ok_or(Code::InvalidArgument)?;
        parts.push(part);
        list = rest;
    }
    if list.is_empty() {
        Ok(parts)
    } else {
        Err(Code::InvalidArgument)
    }
}

/// Returns the pairs of names and values that the parts are.
pub fn pairs<'p>(parts: &[&'p [u8]]) -> Result<Vec<(&'p str, &'p [u8])>, Code> {
    parts.chunks(2).map(pair).collect()
}

fn pair<'p>(parts: &[&'p [u8]]) -> Result<(&'p str, &'p [u8]), Code> {
    match parts {
        [name, value] => Ok((utf8::validate(name).map_err(|_| Code::InvalidField)?, value)),
        _ => Err(Code::InvalidArgument),
    }
}
