//! Where nonces and mask keys come from: always the caller's choice.

/// A source of unpredictable bytes, for the nonce of a client's handshake and for the mask key of each frame it sends.
///
/// RFC 6455 section 5.3 wants keys that the application's peer, and scripts whose data are sent, cannot foresee (section 10.3
/// tells the attack on proxies), so the source has to be cryptographically strong. [`OsEntropy`](crate::OsEntropy) is; tests
/// pass a closure instead and are deterministic.
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
    fn fill(&mut self, bytes: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send + Sync> Entropy for F {
    fn fill(&mut self, bytes: &mut [u8]) {
        self(bytes);
    }
}
