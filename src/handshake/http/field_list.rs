//! The field lists of HTTP/2 and HTTP/3: pseudo-fields first, then fields with names in lowercase, none of which is
//! about the connection (RFC 9113 section 8, RFC 9114 section 4). A violation of these rules makes the message
//! malformed.

use alloc::string::String;
use alloc::vec::Vec;
use core::iter::Peekable;

use super::fields::check_line;
use super::grammar::{text, trim};
use crate::handshake::error::HandshakeError;

/// Takes the pseudo-fields from the front of a list. Returns their values in the order of `names`, which are the only
/// ones allowed.
pub(crate) fn take_pseudo<'a, const N: usize>(
    names: [&'static str; N],
    fields: &mut Peekable<impl Iterator<Item = (&'a [u8], &'a [u8])>>,
) -> Result<[Option<&'a str>; N], HandshakeError> {
    let mut values = [None; N];
    while let Some((name, value)) = fields.next_if(|(name, _)| is_pseudo(name)) {
        // RFC 9113 section 8.3: no other than those defined, for a request or for a response.
        let (name, slot) = names
            .into_iter()
            .zip(&mut values)
            .find(|(known, _)| known.as_bytes() == name)
            .ok_or(HandshakeError::UnknownPseudoField)?;
        if slot.is_some() {
            return Err(HandshakeError::RepeatedPseudoField { name });
        }
        // None of them has another kind of value, and none an empty one.
        if value.is_empty() || !value.iter().all(u8::is_ascii_graphic) {
            return Err(HandshakeError::MalformedPseudoField { name });
        }
        *slot = Some(text(value));
    }
    Ok(values)
}

/// Takes the one pseudo-field of a response.
pub(crate) fn take_status<'a>(
    fields: &mut Peekable<impl Iterator<Item = (&'a [u8], &'a [u8])>>,
) -> Result<u16, HandshakeError> {
    let name = ":status";
    let [status] = take_pseudo([name], fields)?;
    let status = status.ok_or(HandshakeError::MissingPseudoField { name })?;
    // RFC 9110 section 15: three digits, which `parse` alone would not require.
    Some(status)
        .filter(|status| status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|status| status.parse().ok())
        .ok_or(HandshakeError::MalformedPseudoField { name })
}

/// Checks one field that is not a pseudo-field. Returns the value without the white space around it.
pub(crate) fn check_field<'a>(name: &[u8], value: &'a [u8]) -> Result<&'a [u8], HandshakeError> {
    // RFC 9113 section 8.3: pseudo-fields come before all others.
    if is_pseudo(name) {
        return Err(HandshakeError::LatePseudoField);
    }
    let value = check_line(name, value)?;
    // RFC 9113 section 8.2.1, RFC 9114 section 4.2
    if name.iter().any(u8::is_ascii_uppercase) {
        return Err(HandshakeError::UppercaseFieldName);
    }
    if is_connection_specific(name, value) {
        return Err(HandshakeError::ConnectionSpecificField);
    }
    Ok(value)
}

/// Converts a checked field of the caller for writing: the name in lowercase, no white space around the value (RFC 9113
/// section 8.2.1).
pub(crate) fn written(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.to_ascii_lowercase(), trim(value).to_vec())
}

/// RFC 9113 section 8.2.2, RFC 9114 section 4.2. The name is in lowercase.
fn is_connection_specific(name: &[u8], value: &[u8]) -> bool {
    match name {
        b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding" | b"upgrade" => true,
        b"te" => !value.eq_ignore_ascii_case(b"trailers"),
        _ => false,
    }
}

fn is_pseudo(name: &[u8]) -> bool {
    name.starts_with(b":")
}
