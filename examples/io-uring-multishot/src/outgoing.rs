//! Output that is sent with one operation: frames that were gathered, and after them a payload that was not copied.

use std::ops::Range;

/// Bytes to send, of which a part may be sent already.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Frames. The last one is only a header, if there is a payload.
    pub bytes: Vec<u8>,
    pub payload: Payload,
    pub sent: usize,
}

/// A payload in the memory that it was received in.
#[derive(Debug, Default)]
pub struct Payload {
    pub memory: Vec<u8>,
    /// Where it is there.
    pub range: Range<usize>,
}

impl Outgoing {
    /// Returns how many bytes are not sent.
    pub fn len(&self) -> usize {
        self.slices().iter().map(|slice| slice.len()).sum()
    }

    /// Returns what is not sent, in this order.
    pub fn slices(&self) -> [&[u8]; 2] {
        let payload = self.payload.bytes();
        match self.sent.checked_sub(self.bytes.len()) {
            None => [&self.bytes[self.sent..], payload],
            Some(sent) => [&[], payload.get(sent..).unwrap_or_default()],
        }
    }
}

impl Payload {
    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.range.clone()).unwrap_or_default()
    }
}

impl From<Vec<u8>> for Outgoing {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }
}

/// All of it.
impl From<Vec<u8>> for Payload {
    fn from(memory: Vec<u8>) -> Self {
        let range = 0..memory.len();
        Self { memory, range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_after_each_number_of_bytes_sent() {
        let mut outgoing = Outgoing {
            bytes: b"header".to_vec(),
            payload: Payload {
                memory: b"--payload--".to_vec(),
                range: 2..9,
            },
            sent: 0,
        };
        for sent in 0..=13 {
            outgoing.sent = sent;
            assert_eq!(outgoing.slices().concat(), &b"headerpayload"[sent..]);
            assert_eq!(outgoing.len(), 13 - sent);
        }
        let mut gathered = Outgoing::from(b"frames".to_vec());
        assert_eq!((gathered.slices(), gathered.len()), ([&b"frames"[..], b""], 6));
        gathered.sent = 6;
        assert_eq!(gathered.len(), 0);
    }
}
