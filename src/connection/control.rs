//! The payload of a control frame, which has a limit (RFC 6455 section 5.5).

use core::fmt;
use core::ops::Deref;

use crate::CloseCode;
use crate::frame::MAX_CONTROL_PAYLOAD;

/// Holds as much of what is written as fits.
pub(super) struct ControlPayload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    size: u8,
}

impl ControlPayload {
    const EMPTY: Self = Self {
        bytes: [0; MAX_CONTROL_PAYLOAD],
        size: 0,
    };

    /// Creates the body of a Close (section 5.5.1); if there is a code, the reason is written after it.
    pub(super) fn close(code: Option<CloseCode>) -> Self {
        match code {
            Some(code) => Self::from(&code.0.to_be_bytes()[..]),
            None => Self::EMPTY,
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        let free = self.bytes.iter_mut().skip(self.size.into());
        for (free, byte) in free.zip(bytes) {
            *free = *byte;
            self.size = self.size.saturating_add(1);
        }
    }
}

impl From<&[u8]> for ControlPayload {
    fn from(bytes: &[u8]) -> Self {
        let mut payload = Self::EMPTY;
        payload.extend(bytes);
        payload
    }
}

impl Deref for ControlPayload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.size.into()).unwrap_or(&self.bytes)
    }
}

/// Never splits a character.
impl fmt::Write for ControlPayload {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.len().saturating_add(char.len_utf8()) > MAX_CONTROL_PAYLOAD {
                return Err(fmt::Error);
            }
            self.extend(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(())
    }
}

/// Shows only the size.
impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_cut_at_a_character_and_takes_nothing_after_the_cut() {
        let mut body = ControlPayload::close(Some(CloseCode::NORMAL));
        let _ = fmt::write(&mut body, format_args!("{}{}{}", "x".repeat(122), "é", "y"));
        assert_eq!(body[2..], *"x".repeat(122).as_bytes());
        let _ = fmt::write(&mut body, format_args!("yy"));
        assert_eq!(body.len(), MAX_CONTROL_PAYLOAD);
        body.extend(b"z");
        assert_eq!(body[124..], *b"y");
    }
}
