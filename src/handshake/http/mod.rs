//! As much of HTTP/1.1 as the handshake needs: heads read and written, their fields, and where a request
//! goes.

pub(super) mod fields;
pub(super) mod grammar;
pub(super) mod head;
pub(super) mod records;
pub(super) mod target;
pub(super) mod write;
