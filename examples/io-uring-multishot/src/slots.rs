//! A table whose keys find only the entry that they were returned for, and not the next one in its place: a key repeats after
//! 2^32 uses of a place.

/// The place of an entry, and how many entries had the place before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// As the `user_data` of an operation.
    pub fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    pub fn from_u64(number: u64) -> Self {
        Self {
            index: (number & u64::from(u32::MAX)) as u32,
            generation: (number >> 32) as u32,
        }
    }
}

pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    pub fn insert(&mut self, value: T) -> Key {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                value: None,
            });
            u32::try_from(self.slots.len() - 1).expect("there are fewer descriptors than that")
        });
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        Key {
            index,
            generation: slot.generation,
        }
    }

    pub fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slot(key)?.value.as_mut()
    }

    pub fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slot(key)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.vacant.push(key.index);
        Some(value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, index)| {
            let generation = slot.generation;
            Some((Key { index, generation }, slot.value.as_ref()?))
        })
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(key.index as usize)?;
        (slot.generation == key.generation).then_some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes a completion that arrives after the end of a connection harmless.
    #[test]
    fn the_key_of_a_removed_entry_does_not_find_the_next_one() {
        let mut slots = Slots::new();
        let (first, other) = (slots.insert("first"), slots.insert("other"));
        assert_eq!(slots.remove(first), Some("first"));
        let next = slots.insert("next");
        assert_eq!(next.index, first.index, "the place is used again");
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get_mut(next), Some(&mut "next"));
        let all: Vec<_> = slots.iter().collect();
        assert_eq!((all, slots.len()), (vec![(next, &"next"), (other, &"other")], 2));
    }

    #[test]
    fn a_key_survives_the_way_through_the_kernel() {
        for key in [(0, 0), (7, 1), (u32::MAX, 3), (2, u32::MAX)] {
            let (index, generation) = key;
            let key = Key { index, generation };
            assert_eq!(Key::from_u64(key.to_u64()), key);
        }
    }
}
