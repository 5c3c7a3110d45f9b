//! The endpoints of the instance, found by their handles.

use crate::code::Code;
use crate::endpoint::Entry;

/// A handle is `uses * SLOTS + index`, at most 2^53, so that it is exact in an `f64`. A slot whose uses are counted up to `u32::MAX` is not
/// used again.
const SLOTS: u64 = 1 << 21;

/// The endpoints, and the slots that are free.
pub struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    live: u32,
}

struct Slot {
    /// The number of endpoints that this slot has had, with the present one. So no handle is 0.
    uses: u32,
    /// Not in the slot, so that the table is small when it grows.
    entry: Option<Box<Entry>>,
}

impl Table {
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            live: 0,
        }
    }

    /// Stores an endpoint, and returns its handle.
    pub fn insert(&mut self, entry: Entry) -> Result<f64, Code> {
        let index = self.free.pop().map_or_else(|| self.new_slot(), Ok)?;
        let slot = self.slots.get_mut(index as usize).ok_or(Code::TooManyEndpoints)?;
        slot.uses = slot.uses.saturating_add(1);
        slot.entry = Some(Box::new(entry));
        self.live = self.live.saturating_add(1);
        Ok((u64::from(slot.uses) * SLOTS + u64::from(index)) as f64)
    }

    pub fn get(&mut self, handle: f64) -> Result<&mut Entry, Code> {
        let (slot, _) = self.slot(handle)?;
        slot.entry.as_deref_mut().ok_or(Code::StaleHandle)
    }

    pub fn remove(&mut self, handle: f64) -> Result<Box<Entry>, Code> {
        let (slot, index) = self.slot(handle)?;
        let entry = slot.entry.take().ok_or(Code::StaleHandle)?;
        if slot.uses < u32::MAX {
            self.free.push(index);
        }
        self.live = self.live.saturating_sub(1);
        Ok(entry)
    }

    /// Returns the number of endpoints.
    pub fn live(&self) -> u32 {
        self.live
    }

    fn new_slot(&mut self) -> Result<u32, Code> {
        let index = self.slots.len() as u64;
        if index >= SLOTS {
            return Err(Code::TooManyEndpoints);
        }
        self.slots.push(Slot { uses: 0, entry: None });
        Ok(index as u32)
    }

    fn slot(&mut self, handle: f64) -> Result<(&mut Slot, u32), Code> {
        let number = handle as u64; // saturates, and is 0 for NaN
        if number as f64 != handle {
            return Err(Code::StaleHandle);
        }
        let index = (number % SLOTS) as u32;
        match self.slots.get_mut(index as usize) {
            Some(slot) if u64::from(slot.uses) == number / SLOTS => Ok((slot, index)),
            _ => Err(Code::StaleHandle),
        }
    }
}
