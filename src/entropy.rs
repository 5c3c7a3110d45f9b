//! Where nonces and mask keys come from: always the caller's choice.

/// A source of unpredictable bytes, for the nonce of a client's handshake and for the mask key of each frame
/// it sends.
///
/// RFC 6455 section 5.3 wants keys that the application's peer, and scripts whose data are sent, cannot
/// foresee (section 10.3 tells the attack on proxies), so the source has to be cryptographically strong.
/// [`OsEntropy`] is; tests pass a closure instead and are deterministic.
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
    /// were, or a part of them, as a key or a nonce would be guessed.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send + Sync> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}

/// The operating system's random bytes, asked for many at a time.
///
/// With the feature `std` each thread keeps a pool of 1 KiB. A process that forks and goes on in both halves
/// shares what is left of it, so that both may send a few equal mask keys; an [`Entropy`] that asks the
/// system each time avoids this.
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
/// If the operating system has no random bytes to give. No system that runs otherwise is known to do so.
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

/// One pool a thread, so that a connection needs no memory for its keys: 1 KiB is 256 keys for one call of
/// the system.
#[cfg(all(feature = "getrandom", feature = "std"))]
mod pool {
    use core::cell::RefCell;

    const SIZE: usize = 1024;

    struct Pool {
        bytes: [u8; SIZE],
        used: usize,
    }

    std::thread_local! {
        static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; SIZE], used: SIZE }) };
    }

    #[inline]
    pub(super) fn fill(bytes: &mut [u8]) {
        POOL.with_borrow_mut(|pool| {
            if let Some(fresh) = pool
                .bytes
                .get(pool.used..)
                .and_then(|fresh| fresh.get(..bytes.len()))
            {
                bytes.copy_from_slice(fresh);
                pool.used = pool.used.saturating_add(bytes.len());
            } else {
                pool.refill(bytes);
            }
        });
    }

    impl Pool {
        #[cold]
        fn refill(&mut self, bytes: &mut [u8]) {
            if bytes.len() > SIZE {
                return super::ask(bytes);
            }
            super::ask(&mut self.bytes);
            self.used = bytes.len();
            if let Some(fresh) = self.bytes.get(..bytes.len()) {
                bytes.copy_from_slice(fresh);
            }
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
