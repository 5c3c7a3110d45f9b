//! The results of a contestant, which are checked so that none is fast by not doing the work.

use std::hash::Hasher;
use std::hint::black_box;

use crate::wire;

/// Text or binary.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    Text,
    Binary,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }
}

/// How thoroughly to check: `Quick` is cheap enough for the timed part, `Thorough` checks every byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Check {
    Quick,
    Thorough,
}

/// The messages seen by the application, in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    check: Check,
    pub messages: u64,
    pub bytes: u64,
    mark: u64,
}

impl Seen {
    pub fn new(check: Check) -> Self {
        Self {
            check,
            messages: 0,
            bytes: 0,
            mark: 0,
        }
    }

    #[inline(always)]
    pub fn text(&mut self, text: &str) {
        self.message(Kind::Text, text.as_bytes());
    }

    #[inline(always)]
    pub fn message(&mut self, kind: Kind, payload: &[u8]) {
        self.messages += 1;
        self.bytes += payload.len() as u64;
        let ends = [payload.first(), payload.last()].map(|byte| u64::from(*byte.unwrap_or(&0)));
        self.mark = self.mark.rotate_left(7) ^ (ends[0] | ends[1] << 8 | (kind as u64) << 16);
        if self.check == Check::Thorough {
            self.mark ^= hash(payload);
        }
    }
}

#[cold]
fn hash(payload: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

/// What was written to the transport. The bytes are only kept for a thorough check.
#[derive(Clone, Debug)]
pub struct Sent {
    check: Check,
    pub bytes: u64,
    kept: Vec<u8>,
}

impl Sent {
    pub fn new(check: Check) -> Self {
        Self {
            check,
            bytes: 0,
            kept: Vec::new(),
        }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.bytes += black_box(bytes).len() as u64;
        if self.check == Check::Thorough {
            self.kept.extend_from_slice(bytes);
        }
    }

    /// One write of two parts.
    pub fn write_vectored(&mut self, parts: [&[u8]; 2]) {
        parts.into_iter().for_each(|part| self.write(part));
    }
}

/// The result of one batch.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub seen: Seen,
    pub sent: Sent,
}

impl Outcome {
    pub fn new(check: Check) -> Self {
        Self {
            seen: Seen::new(check),
            sent: Sent::new(check),
        }
    }

    /// Takes `sent`, for a transport that records what is written.
    pub fn take_sent(&mut self) -> Sent {
        let check = self.sent.check;
        std::mem::replace(&mut self.sent, Sent::new(check))
    }
}

/// The result that each contestant has to produce.
#[derive(Debug)]
pub enum Expected {
    Frames {
        /// Messages received, with a quick and with a thorough check.
        seen: [Seen; 2],
        /// Bytes sent, and the messages and Pongs in them.
        sent_bytes: u64,
        sent: Seen,
    },
    /// This many accepting responses.
    Accepted { times: u64, key: &'static str },
}

impl Expected {
    pub fn check(&self, name: &str, outcome: &Outcome) {
        let Outcome { seen, sent } = outcome;
        let thorough = sent.check == Check::Thorough;
        match self {
            Self::Frames {
                seen: expected,
                sent_bytes,
                sent: frames,
            } => {
                assert_eq!(seen, &expected[thorough as usize], "{name} received wrong data");
                assert_eq!(sent.bytes, *sent_bytes, "{name} sent wrong data");
                if thorough {
                    assert_eq!(&wire::decode(&sent.kept), frames, "{name} sent wrong data");
                }
            }
            Self::Accepted { times, key } => {
                // Responses differ in their fields, but all have these.
                let least =
                    times * ("HTTP/1.1 101 \r\nSec-WebSocket-Accept: \r\n\r\n".len() + key.len()) as u64;
                assert!(sent.bytes >= least, "{name} sent too little");
                if thorough {
                    assert_eq!(
                        wire::count_accepted(&sent.kept, key),
                        *times,
                        "{name} did not accept"
                    );
                }
            }
        }
    }
}
