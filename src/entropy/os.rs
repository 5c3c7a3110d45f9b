//! [`OsEntropy`], with a generator for each thread.
//!
//! A system call for each key would take longer than everything else done to send a small message, and the system's
//! generator does so even when one call fetches many keys. Measured on an x86-64 server processor, in nanoseconds per
//! key, 4.7 of them for the loop and the call:
//!
//! | source | ns |
//! |---|---|
//! | the system, in blocks of 1, 4, 16 or 64 KiB | 23 to 25 |
//! | `rand` 0.10, `rng().next_u32()` (ChaCha12) | 12.0 |
//! | `fastrand` 2.5, which can be predicted | 7.9 |
//! | ChaCha20, 248 keys at a time | 9.0 |
//! | ChaCha12, 248 keys at a time | 5.8 |
//! | ChaCha8, 248 keys at a time | 5.2 |
//!
//! So the keys come from ChaCha12, as those of `rand` do: the best known attacks reach 7 rounds, and 20 would cost time
//! that clients of other libraries do not spend. An implementation in safe Rust took 17 ns; the crate is faster because
//! it uses AVX2 or NEON.
//!
//! The number of keys per refill is a trade-off between system calls and the keys that two processes share after a
//! `fork`. With 56 keys, asking for the process id (257 ns here) would cost 4.6 ns per key; with 248 it costs 1.

use core::cell::Cell;

use chacha20::rand_core::SeedableRng;
use chacha20::rand_core::block::Generator as _;
use chacha20::variants::Legacy;
use chacha20::{ChaChaCore, R12, Rounds, Seed};

use super::Entropy;

/// Random bytes from a generator for each thread, which the operating system seeds: ChaCha12.
///
/// The generator fills a buffer with 992 bytes, enough for 248 mask keys. Each refill replaces the generator's own key
/// with output that is never returned, and bytes are erased when they are returned, so that its memory reveals nothing
/// about earlier output. (Copies that the processor or the compiler made elsewhere are not erased.) After 64 refills,
/// or 62 KiB, it gets a new seed from the operating system.
///
/// After a `fork`, parent and child share what is left in the buffer: both may send up to 248 equal mask keys, or up to
/// 62 equal nonces, in the same order. The next refill detects that the process has changed, and gets a new seed. Two
/// virtual machines started from one snapshot share the output up to the next new seed. If this matters, use
/// [`from_fn`](super::from_fn) with a generator that asks the system each time.
///
/// ```
/// use websocket_proto::{Config, Connection, OsEntropy};
///
/// let mut client = Connection::client(&Config::new(), OsEntropy);
/// let mut out = Vec::new();
/// client.send_ping(b"", &mut out)?;
/// assert_eq!(out.len(), 6);
/// # Ok::<(), websocket_proto::Misuse>(())
/// ```
///
/// # Panics
///
/// If the operating system returns an error instead of random bytes. No otherwise working system is known to do so.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no state of its own")]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) {
        GENERATOR.with(|generator| generator.fill(bytes));
    }
}

std::thread_local! {
    static GENERATOR: Generator = const { Generator::new() };
}

/// The unit of output: a mask key, or a part of a nonce.
type Word = [u8; 4];

const ALL_WORDS: usize = 256;
const OUTPUT_WORDS: usize = ALL_WORDS - size_of::<Seed>() / size_of::<Word>();
const REFILLS_PER_SEED: u32 = 64;

struct Generator {
    /// The output, which is taken from its end, and then the next seed.
    words: [Cell<Word>; ALL_WORDS],
    left: Cell<usize>,
    /// How many refills are left before the system is asked for a seed.
    refills: Cell<u32>,
    /// The process that asked for the seed.
    process: Cell<u32>,
}

impl Generator {
    const fn new() -> Self {
        Self {
            words: [const { Cell::new([0; 4]) }; ALL_WORDS],
            left: Cell::new(0),
            refills: Cell::new(0),
            process: Cell::new(0),
        }
    }

    #[inline]
    fn fill(&self, bytes: &mut [u8]) {
        match <&mut Word>::try_from(&mut *bytes) {
            Ok(key) => *key = self.take(),
            Err(_) => self.fill_by_words(bytes),
        }
    }

    fn fill_by_words(&self, bytes: &mut [u8]) {
        for bytes in bytes.chunks_mut(size_of::<Word>()) {
            bytes
                .iter_mut()
                .zip(self.take())
                .for_each(|(to, from)| *to = from);
        }
    }

    #[inline]
    fn take(&self) -> Word {
        // At 0 none are left, and there is none before it.
        let left = self.left.get().wrapping_sub(1);
        match self.words.get(left) {
            Some(word) => {
                self.left.set(left);
                word.take()
            }
            None => self.refill(),
        }
    }

    #[cold]
    fn refill(&self) -> Word {
        expand::<R12>(self.seed(), &self.words);
        self.left.set(OUTPUT_WORDS);
        self.take()
    }

    fn seed(&self) -> Seed {
        let process = process();
        let mut seed = [0; size_of::<Seed>()];
        match self.refills.get().checked_sub(1) {
            Some(left) if self.process.get() == process => {
                self.refills.set(left);
                let words = self.words.iter().skip(OUTPUT_WORDS);
                seed.iter_mut()
                    .zip(words.flat_map(Cell::get))
                    .for_each(|(to, from)| *to = from);
            }
            _ => {
                ask(&mut seed);
                self.refills.set(REFILLS_PER_SEED - 1);
                self.process.set(process);
            }
        }
        seed
    }
}

/// The first 1 KiB of the key stream, with a nonce of 0: no seed is used twice.
fn expand<R: Rounds>(seed: Seed, words: &[Cell<Word>; ALL_WORDS]) {
    let mut stream = ChaChaCore::<R, Legacy>::from_seed(seed);
    let mut part = [0; 64];
    for words in words.chunks_exact(part.len()) {
        stream.generate(&mut part);
        for (to, word) in words.iter().zip(part) {
            to.set(word.to_le_bytes());
        }
    }
}

#[expect(
    clippy::panic,
    reason = "`OsEntropy` says so, and a guessable key would be worse"
)]
fn ask(seed: &mut Seed) {
    if let Err(error) = getrandom::fill(seed) {
        panic!("the operating system gave no random bytes: {error}");
    }
}

/// Distinguishes a process from the one that it was forked from, on systems with `fork`; elsewhere the id may be
/// unknown.
fn process() -> u32 {
    if cfg!(unix) { std::process::id() } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use chacha20::R20;

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| (pair[0] << 4 | pair[1]) as u8)
            .collect()
    }

    fn expanded<R: Rounds>() -> Vec<u8> {
        let generator = Generator::new();
        expand::<R>([0; 32], &generator.words);
        generator.words.iter().flat_map(Cell::get).collect()
    }

    fn next_seed(generator: &Generator) -> Vec<u8> {
        generator.words[OUTPUT_WORDS..]
            .iter()
            .flat_map(Cell::get)
            .collect()
    }

    // RFC 8439 appendix A.1, test vectors 1 and 2: the first two blocks of the key 0
    #[test]
    fn twenty_rounds_are_those_of_the_rfc() {
        let expected = bytes(
            "76 b8 e0 ad a0 f1 3d 90 40 5d 6a e5 53 86 bd 28 bd d2 19 b8 a0 8d ed 1a a8 36 ef cc 8b 77 0d c7
             da 41 59 7c 51 57 48 8d 77 24 e0 3f b8 d8 4a 37 6a 43 b8 f4 15 18 a1 1c c3 87 b6 69 b2 ee 65 86
             9f 07 e7 be 55 51 38 7a 98 ba 97 7c 73 2d 08 0d cb 0f 29 a0 48 e3 65 69 12 c6 53 3e 32 ee 7a ed
             29 b7 21 76 9c e6 4e 43 d5 71 33 b0 74 d8 39 d5 31 ed 1f 28 51 0a fb 45 ac e1 0a 1f 4b 79 4d 6f",
        );
        assert_eq!(expanded::<R20>()[..128], expected);
    }

    // draft-strombergson-chacha-test-vectors-01, TC1, 12 rounds, a key of 256 bits, which is 0
    #[test]
    fn output_is_that_of_twelve_rounds_and_its_end_the_next_seed() {
        let expected = bytes(
            "9b f4 9a 6a 07 55 f9 53 81 1f ce 12 5f 26 83 d5 04 29 c3 bb 49 e0 74 14 7e 00 89 a5 2e ae 15 5f
             05 64 f8 79 d2 7a e3 c0 2c e8 28 34 ac fa 8c 79 3a 62 9f 2c a0 de 69 19 61 0b e8 2f 41 13 26 be",
        );
        let all = expanded::<R12>();
        assert_eq!(all[..64], expected);
        let generator = Generator::new();
        generator.refills.set(REFILLS_PER_SEED);
        generator.process.set(process());
        // The seed that it has so far is 0.
        let mut output = [0; 4 * OUTPUT_WORDS];
        generator.fill(&mut output);
        let from_the_end: Vec<u8> = output.rchunks(4).flatten().copied().collect();
        assert_eq!(from_the_end, all[..4 * OUTPUT_WORDS]);
        assert_eq!(next_seed(&generator), all[4 * OUTPUT_WORDS..]);
    }

    #[test]
    fn what_is_given_away_is_erased() {
        let generator = Generator::new();
        generator.fill(&mut [0; 6]);
        let is_erased = |word: &Cell<Word>| word.get() == [0; 4];
        let (kept, given) = generator.words[..OUTPUT_WORDS].split_at(OUTPUT_WORDS - 2);
        assert_eq!(generator.left.get(), kept.len());
        assert!(given.iter().all(is_erased));
        assert!(kept.iter().filter(|word| is_erased(word)).count() < 2);
    }

    #[test]
    fn seed_comes_from_the_system_every_64_refills() {
        let generator = Generator::new();
        let asked = (0..130).filter(|_| next_seed(&generator) != generator.seed());
        assert_eq!(asked.collect::<Vec<_>>(), [0, 64, 128]);
    }

    // What follows a fork: the state of one process in another.
    #[test]
    #[cfg(unix)]
    fn seed_of_another_process_is_not_used() {
        let this = std::process::id();
        let generator = Generator::new();
        generator.fill(&mut [0; 4]);
        assert_eq!(generator.process.replace(this.wrapping_add(1)), this);
        assert_ne!(next_seed(&generator), generator.seed());
        assert_eq!(generator.process.get(), this);
        assert_eq!(generator.refills.get(), REFILLS_PER_SEED - 1);
    }
}
