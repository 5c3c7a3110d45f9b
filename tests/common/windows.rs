//! Compression windows for the tests.

use websocket_proto::deflate::Window;

/// A window of 8 to 15 bits.
pub const fn window(bits: u8, takeover: bool) -> Window {
    match (Window::new(bits), takeover) {
        (Some(window), true) => window,
        (Some(window), false) => window.without_context_takeover(),
        (None, _) => panic!("no window has this many bits"),
    }
}
