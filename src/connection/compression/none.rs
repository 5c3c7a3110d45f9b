//! Replaces `deflate` if that feature is off: nothing can be negotiated.

use alloc::vec::Vec;
use core::convert::Infallible;

use super::{Deflate, Inflate};
use crate::connection::prepared::Prepared;
use crate::error::Error;
use crate::message::{Assembler, Fin};

pub(in crate::connection) enum Inflating {
    Off,
}

impl Inflate for Inflating {
    fn push(&mut self, _: &[u8], _: &mut Assembler, _: u64) -> Result<(), Error> {
        Ok(())
    }

    fn is_drained(&self) -> bool {
        true
    }

    fn feed(&mut self, _: &[u8]) {}

    fn pull(&mut self, _: u64) -> Result<&[u8], Error> {
        Ok(&[])
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

pub(in crate::connection) enum Deflating {
    Off,
}

impl Deflate for Deflating {
    type Compressor = Infallible;

    #[inline]
    fn is_off(&self) -> bool {
        true
    }

    fn for_message(&mut self, _: usize) -> Option<&mut Infallible> {
        None
    }

    fn for_fragments(&mut self) -> Option<&mut Infallible> {
        None
    }

    fn prepared<'p>(&mut self, _: &'p Prepared) -> Option<&'p [u8]> {
        None
    }

    fn extend_window(&mut self, _: &[u8]) {}

    fn compress(compressor: &mut Infallible, _: &[u8], _: Fin, _: &mut Vec<u8>) {
        match *compressor {}
    }
}
