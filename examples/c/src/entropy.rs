//! The source of a client's nonce and mask keys.

use std::ffi::{c_int, c_void};
use std::panic;

use websocket_proto::Entropy;

/// A source of random bytes, for the nonce of a client's handshake and for the mask key of each frame that it sends. It has to be
/// cryptographically strong (RFC 6455 section 10.3), such as getrandom(2).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wsp_entropy {
    /// Writes `len` bytes to `data` and returns 0; or returns another number if it cannot, after which the endpoint is gone.
    ///
    /// Not NULL. It must not call anything on the endpoint that it is called for (`WSP_CODE_BUSY`), and must return: no longjmp, no
    /// exception. It is called on whichever thread makes a call on the endpoint, never on two threads at once for one endpoint.
    pub fill: Option<unsafe extern "C" fn(context: *mut c_void, data: *mut u8, len: usize) -> c_int>,
    /// Passed to `fill` unchanged; may be NULL. What it points to has to be valid until the endpoint is freed.
    pub context: *mut c_void,
}

/// The function of the program, as a source.
pub struct Callback {
    pub fill: unsafe extern "C" fn(context: *mut c_void, data: *mut u8, len: usize) -> c_int,
    pub context: *mut c_void,
}

/// The payload of the unwinding after a source has failed, as `Entropy` has no other way to report it.
pub struct EntropyFailed;

// SAFETY: the context is only passed to `fill`, and the header requires that `fill` may be called on any thread, one at a time.
unsafe impl Send for Callback {}
// SAFETY: same as for `Send`: a shared reference gives no access to the context.
unsafe impl Sync for Callback {}

impl Entropy for Callback {
    fn fill(&mut self, bytes: &mut [u8]) {
        // SAFETY: the header requires of C that `fill` is a function of this type that writes at most `len` bytes; they are ours.
        let result = unsafe { (self.fill)(self.context, bytes.as_mut_ptr(), bytes.len()) };
        if result != 0 {
            panic::resume_unwind(Box::new(EntropyFailed)); // without the message of a panic
        }
    }
}
