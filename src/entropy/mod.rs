//! Sources of nonces and mask keys, which the caller chooses.
//!
//! [`OsEntropy`] is the source for programs with an operating system. [`from_fn`] turns any other generator into a
//! source: that of a chip, that of the crate `rand`, or a deterministic one for tests.
//!
#![cfg_attr(
    not(feature = "os-entropy"),
    doc = "[`OsEntropy`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.OsEntropy.html"
)]

use alloc::boxed::Box;
use core::fmt;

#[cfg(feature = "os-entropy")]
mod os;

#[cfg(feature = "os-entropy")]
pub use os::OsEntropy;

/// A source of unpredictable bytes, for the nonce of a client's handshake and for the mask key of each frame
/// it sends.
///
/// RFC 6455 section 5.3 requires keys that neither the peer nor scripts that supply the data can predict (section 10.3
/// describes the attack on proxies), so the source has to be cryptographically strong. [`OsEntropy`] is. [`from_fn`]
/// turns a closure into a source.
///
/// A source has to be `Sync` as well as `Send`, although its method takes `&mut self`: a client's
/// [`Connection`](crate::Connection) owns its source and is itself `Sync`, so that a future may hold a `&Connection`
/// across an `await` and move to another thread. To use a source that is only `Send`, wrap it in a `Mutex`, whose
/// [`get_mut`](https://doc.rust-lang.org/std/sync/struct.Mutex.html#method.get_mut) takes no lock.
///
#[cfg_attr(
    not(feature = "os-entropy"),
    doc = "[`OsEntropy`]: https://docs.rs/websocket-proto/latest/websocket_proto/struct.OsEntropy.html"
)]
pub trait Entropy: Send + Sync {
    /// Overwrites all of `bytes` with fresh random bytes.
    ///
    /// There is no way to report an error: a source that fails has to panic. It must never leave any of the bytes
    /// unchanged, because a key or nonce could then be guessed. If a source panics, the call that sends leaves the
    /// output, the payload and the connection unchanged.
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<E: Entropy + ?Sized> Entropy for &mut E {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

impl<E: Entropy + ?Sized> Entropy for Box<E> {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) {
        (**self).fill(bytes);
    }
}

/// Turns a closure that overwrites all of its bytes into a source.
///
/// The closure has to do what [`Entropy::fill`] requires of a source.
///
/// ```
/// use websocket_proto::{Config, Connection, entropy};
///
/// // For a test: always the same key. Otherwise a generator that cannot be predicted, as
/// // `entropy::from_fn(|bytes| rand::rng().fill_bytes(bytes))` with the crate `rand`.
/// let mut client = Connection::client(&Config::new(), entropy::from_fn(|key| key.fill(7)));
/// let mut out = Vec::new();
/// client.send_ping(b"", &mut out)?;
/// assert_eq!(out, [0x89, 0x80, 7, 7, 7, 7]);
/// # Ok::<(), websocket_proto::Misuse>(())
/// ```
pub fn from_fn<F>(fill: F) -> FromFn<F>
where
    F: FnMut(&mut [u8]) + Send + Sync,
{
    FromFn(fill)
}

/// A source whose bytes are written by a closure: see [`from_fn`].
pub struct FromFn<F>(F);

impl<F: FnMut(&mut [u8]) + Send + Sync> Entropy for FromFn<F> {
    #[inline]
    fn fill(&mut self, bytes: &mut [u8]) {
        (self.0)(bytes);
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}
