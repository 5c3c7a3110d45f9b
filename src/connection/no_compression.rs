//! Stands in for `compression` where the feature `deflate` is off: nothing can be agreed.

use alloc::vec::Vec;
use core::convert::Infallible;

use super::prepared::Prepared;
use crate::error::Error;
use crate::message::{Assembler, Fin};

pub(super) const MAX_FED: usize = 0;

pub(super) enum Inflating {
    Off,
}

impl Inflating {
    pub(super) fn push(&mut self, _: &[u8], _: &mut Assembler, _: u64) -> Result<(), Error> {
        Ok(())
    }

    pub(super) fn is_drained(&self) -> bool {
        true
    }

    pub(super) fn feed(&mut self, _: &[u8]) {}

    pub(super) fn pull(&mut self, _: u64) -> Result<&[u8], Error> {
        Ok(&[])
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

pub(super) enum Deflating {
    Off,
}

impl Deflating {
    #[inline]
    pub(super) fn is_off(&self) -> bool {
        true
    }

    pub(super) fn for_message(&mut self, _: usize) -> Option<&mut Infallible> {
        None
    }

    pub(super) fn prepared<'p>(&mut self, _: &'p Prepared) -> Option<&'p [u8]> {
        None
    }

    pub(super) fn extend_window(&mut self, _: &[u8]) {}

    pub(super) fn for_fragments(&mut self) -> Option<&mut Infallible> {
        None
    }
}

pub(super) fn compress(compressor: &mut Infallible, _: &[u8], _: Fin, _: &mut Vec<u8>) {
    match *compressor {}
}
