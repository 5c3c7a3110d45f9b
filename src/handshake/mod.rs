//! The opening handshake.

#[cfg(feature = "alloc")]
mod error;
#[cfg(feature = "alloc")]
mod extensions;
#[cfg(feature = "alloc")]
mod grammar;
pub mod key;
#[cfg(feature = "alloc")]
pub use error::HandshakeError;
#[cfg(feature = "alloc")]
pub use error::HandshakeMisuse;
#[cfg(feature = "alloc")]
pub use extensions::Extension;
#[cfg(feature = "alloc")]
pub use extensions::ExtensionList;
#[cfg(feature = "alloc")]
pub use extensions::ExtensionParam;
#[cfg(feature = "alloc")]
pub use extensions::ExtensionParams;
