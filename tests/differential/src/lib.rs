//! The same bytes through this crate and through independent implementations; each difference has to be explained.
//!
//! The program makes up cases and gives them to all peers. The fuzz targets `differential_frames` and `differential_heads` give
//! any bytes to those that are in process: see [`bodies`].

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
