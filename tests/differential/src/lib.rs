//! Feeds the same bytes to this crate and to independent implementations; each difference has to be explained.
//!
//! The program generates cases and gives them to all peers. The fuzz targets `differential_frames` and `differential_heads` give
//! arbitrary bytes to the in-process peers; see [`bodies`].

pub mod bodies;
pub mod case;
pub mod explain;
pub mod facts;
pub mod frames;
pub mod heads;
pub mod judge;
pub mod peers;
pub mod random;
pub mod seeds;
