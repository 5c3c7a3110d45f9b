//! The part of HTTP that the handshake needs: reading and writing heads of HTTP/1.1, the field lists of HTTP/2 and
//! HTTP/3, their fields, and request targets.

pub(super) mod credentials;
pub(super) mod field_list;
pub(super) mod fields;
pub(super) mod grammar;
pub(super) mod head;
mod lines;
pub(super) mod records;
pub(super) mod target;
pub(super) mod write;
