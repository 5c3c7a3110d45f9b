//! Where nonces and mask keys come from: always the caller's choice.

/// A source of unpredictable bytes, for the nonce of a client's handshake and for the mask key of each frame
/// it sends.
///
/// RFC 6455 section 5.3 requires keys that neither the peer nor scripts that supply the data can predict (section 10.3
/// describes the attack on proxies), so the source has to be cryptographically strong. [`OsEntropy`] is; tests pass a
/// closure instead and are deterministic.
///
/// ```
/// use websocket_proto::Entropy;
///
/// let mut counter = 0;
/// let mut source = move |bytes: &mut [u8]| bytes.fill_with(|| { counter += 1; counter });
/// let mut key = [0; 4];
/// Entropy::fill(&mut source, &mut key);
/// assert_eq!(key, [1, 2, 3, 4]);
/// ```
pub trait Entropy: Send + Sync {
    /// Overwrites all of `bytes` with fresh ones.
    ///
    /// There is no way to report an error: a source that fails has to panic. It must never leave the bytes as they
    /// were, or a part of them, because a key or nonce could then be guessed. The call that sends leaves its output,
    /// the payload and the connection as they were when a source panics.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send + Sync> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// The operating system's random bytes, requested in large blocks.
///
/// With the feature `std` each thread keeps a pool of 1 KiB. After a `fork`, parent and child share what is left of the
/// pool: both may send up to 256 equal mask keys, or up to 64 equal nonces, in the same order. A program that forks and
/// goes on in both processes should use an [`Entropy`] that asks the system each time.
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
/// If the operating system has no random bytes to give. No otherwise working system is known to do so.
#[cfg(feature = "getrandom")]
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs, reason = "it has no state of its own")]
pub struct OsEntropy;

#[cfg(feature = "getrandom")]
impl Entropy for OsEntropy {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) {
        pool::fill(bytes);
    }
}

/// One pool a thread, so that a connection needs no memory for its keys: 256 keys for one call of the system.
#[cfg(all(feature = "getrandom", feature = "std"))]
mod pool {
    use core::cell::Cell;

    const SIZE: usize = 256;

    /// In words of a key's size, each given away once.
    struct Pool {
        words: [Cell<[u8; 4]>; SIZE],
        left: Cell<usize>,
    }

    std::thread_local! {
        static POOL: Pool = const {
            Pool {
                words: [const { Cell::new([0; 4]) }; SIZE],
                left: Cell::new(0),
            }
        };
    }

    #[inline]
    pub(super) fn fill(bytes: &mut [u8]) {
        POOL.with(|pool| {
            let mut words = bytes.chunks_exact_mut(4);
            for bytes in &mut words {
                if let Some(bytes) = bytes.first_chunk_mut() {
                    *bytes = pool.take();
                }
            }
            let rest = words.into_remainder();
            if !rest.is_empty() {
                rest.iter_mut().zip(pool.take()).for_each(|(to, from)| *to = from);
            }
        });
    }

    impl Pool {
        #[inline]
        fn take(&self) -> [u8; 4] {
            // None are left at 0, and none are there before it.
            let left = self.left.get().wrapping_sub(1);
            match self.words.get(left) {
                Some(word) => {
                    self.left.set(left);
                    word.get()
                }
                None => self.refill(),
            }
        }

        #[cold]
        fn refill(&self) -> [u8; 4] {
            let mut fresh = [[0; 4]; SIZE];
            super::ask(fresh.as_flattened_mut());
            for (word, fresh) in self.words.iter().zip(fresh) {
                word.set(fresh);
            }
            self.left.set(SIZE);
            self.take()
        }
    }
}

/// Without threads to keep a pool in, the system is asked each time.
#[cfg(all(feature = "getrandom", not(feature = "std")))]
mod pool {
    pub(super) use super::ask as fill;
}

#[cfg(feature = "getrandom")]
#[expect(
    clippy::panic,
    reason = "`OsEntropy` says so, and a guessable key would be worse"
)]
fn ask(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the operating system gave no random bytes: {error}");
    }
}
