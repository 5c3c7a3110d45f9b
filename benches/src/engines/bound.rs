//! The work that no implementation can avoid: copy the input, unmask, validate; copy small output; mask while copying. It does not
//! parse: the positions of the payloads are given.

use std::any::Any;
use std::hint::black_box;

use super::{Contestant, Engine, LARGE, Side};
use crate::outcome::{Kind, Outcome};
use crate::scenario::Message;
use crate::wire::{Input, Payload, READ_SIZE, Role, WRITE_SIZE};

pub const CONTESTANT: Contestant = Contestant {
    name: "bound",
    side: Side::Bound,
    connect: |role| Box::new(Bound::new(role)),
    accept: None,
    breaks: &[],
};

struct Bound {
    role: Role,
    buffer: Vec<u8>,
    out: Vec<u8>,
}

impl Bound {
    fn new(role: Role) -> Self {
        Self {
            role,
            buffer: vec![0; READ_SIZE],
            out: Vec::new(),
        }
    }
}

impl Engine for Bound {
    fn receive(&mut self, input: Input, echo: bool, outcome: &mut Outcome) {
        for (read, payloads) in input.reads().zip(input.payloads) {
            self.buffer[..read.len()].copy_from_slice(read);
            for Payload { range, key, kind } in payloads {
                let payload = &mut self.buffer[range.clone()];
                if let Some(key) = *key {
                    xor(payload, key);
                }
                if *kind == Kind::Text {
                    black_box(validate(payload));
                }
                outcome.seen.message(*kind, payload);
                match echo {
                    true if payload.len() >= LARGE => outcome.sent.write(payload),
                    true => self.out.extend_from_slice(payload),
                    false => {}
                }
            }
            outcome.sent.write(&self.out);
            self.out.clear();
        }
    }

    fn send(&mut self, message: Message, times: u64, outcome: &mut Outcome) {
        for _ in 0..times {
            match self.role {
                Role::Server if message.payload.len() >= LARGE => outcome.sent.write(message.payload),
                Role::Server => self.out.extend_from_slice(message.payload),
                Role::Client => extend_xored(&mut self.out, message.payload, black_box([1, 2, 3, 4])),
            }
            if self.out.len() >= WRITE_SIZE {
                outcome.sent.write(&self.out);
                self.out.clear();
            }
        }
    }

    fn idle(self: Box<Self>) -> Box<dyn Any> {
        Box::new(())
    }
}

fn validate(bytes: &[u8]) -> bool {
    match bytes.len() {
        0..128 => std::str::from_utf8(bytes).is_ok(),
        _ => simdutf8::basic::from_utf8(bytes).is_ok(),
    }
}

fn extend_xored(out: &mut Vec<u8>, bytes: &[u8], key: [u8; 4]) {
    out.reserve(bytes.len());
    let (blocks, rest) = bytes.as_chunks::<64>();
    for mut block in blocks.iter().copied() {
        xor_plain(&mut block, key);
        out.extend_from_slice(&block);
    }
    let start = out.len();
    out.extend_from_slice(rest);
    xor_plain(&mut out[start..], key);
}

fn xor(bytes: &mut [u8], key: [u8; 4]) {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() >= 256 && std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { xor_avx2(bytes, key) };
    }
    xor_plain(bytes, key);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn xor_avx2(bytes: &mut [u8], key: [u8; 4]) {
    xor_plain(bytes, key);
}

#[inline(always)]
fn xor_plain(bytes: &mut [u8], key: [u8; 4]) {
    let word = u64::from(u32::from_ne_bytes(key));
    let word = word << 32 | word;
    let (blocks, rest) = bytes.as_chunks_mut::<32>();
    for block in blocks {
        xor_words(block, word);
    }
    for (byte, key) in xor_words(rest, word).iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// Returns the rest that is shorter than a word.
#[inline(always)]
fn xor_words(bytes: &mut [u8], key: u64) -> &mut [u8] {
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    rest
}
