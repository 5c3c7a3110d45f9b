//! The bodies of the fuzz targets: functions of bytes, which panic if something is wrong.
//!
//! They need only the crate, std, miniz_oxide as a second inflater and `tests/common/`, so that two programs can use them: the
//! targets of cargo-fuzz in `fuzz_targets/`, and `tests/fuzz_seeds.rs` at the root, which includes this file as a module and
//! replays the seeds with any stable compiler. So paths start with `super` here, and choices are read from the bytes by `input`
//! instead of a crate. The two targets that compare with other implementations have their bodies in `tests/differential/`.

mod arguments;
mod body;
#[path = "../../tests/common/mod.rs"]
mod common;
mod connection;
#[cfg(feature = "deflate")]
mod deflate;
mod endpoint;
mod ends;
mod extended;
mod extensions;
mod fields;
mod frame;
mod handshake;
mod input;
#[cfg(feature = "deflate")]
mod isolation;
mod leniency;
mod memory;
mod operations;
mod output;
mod timers;
mod tunnel;
mod url;
mod utf8;

pub use arguments::handshake_arguments;
pub use body::response_body;
pub use connection::{close_body, connection_client, connection_server};
#[cfg(feature = "deflate")]
pub use deflate::{deflate_negotiation, deflate_round_trip, inflate_messages as inflate};
pub use endpoint::{endpoint, endpoint_hostile};
pub use extended::extended;
pub use extensions::extension_list;
pub use fields::{protocol_list, upgrade_fields};
pub use frame::{decoder, header, mask, raw_decoder};
pub use handshake::{handshake_client, handshake_server};
#[cfg(feature = "deflate")]
pub use isolation::deflate_isolation;
pub use memory::memory;
pub use operations::operations;
pub use output::output_validity;
pub use timers::keepalive;
pub use tunnel::proxy_connect;
pub use url::url;
pub use utf8::utf8;
