//! The reason of a Close, written where it has a limit.

use core::fmt;

use crate::close::MAX_CLOSE_REASON_SIZE;

/// A close reason being written: whole characters, as many as fit.
pub(super) struct Reason {
    bytes: [u8; MAX_CLOSE_REASON_SIZE],
    size: usize,
}

impl Default for Reason {
    fn default() -> Self {
        Self {
            bytes: [0; MAX_CLOSE_REASON_SIZE],
            size: 0,
        }
    }
}

impl Reason {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or(&self.bytes)
    }
}

impl fmt::Write for Reason {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let size = char.len_utf8();
            let Some(free) = self
                .bytes
                .get_mut(self.size..)
                .and_then(|free| free.get_mut(..size))
            else {
                return Err(fmt::Error);
            };
            char.encode_utf8(free);
            self.size = self.size.saturating_add(size);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_cut_at_a_character_and_takes_nothing_after_the_cut() {
        let mut reason = Reason::default();
        let _ = fmt::write(&mut reason, format_args!("{}{}{}", "x".repeat(122), "é", "y"));
        assert_eq!(reason.as_bytes(), "x".repeat(122).as_bytes());
    }
}
