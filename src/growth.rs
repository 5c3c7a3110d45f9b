//! How buffers for a peer's bytes grow: with the bytes received, in linear work, never beyond the limit.

/// Returns how many more bytes a buffer of `len` may hold, up to `limit` and the largest possible buffer, which matters
/// if addresses have 32 bits.
pub(crate) fn max_additional(len: usize, limit: u64) -> u64 {
    limit.min((isize::MAX as u64).saturating_sub(len as u64))
}

/// Returns how much to reserve in a buffer for `more` bytes, so that it has less than twice what is needed, and no more
/// than `end`, the largest size that it can reach.
///
/// The capacities are `end`, halved repeatedly, so that none is just short of it: if growing moves the content, the
/// total moved is less than the message.
pub(crate) fn growth(len: usize, capacity: usize, more: usize, end: u64) -> usize {
    let needed = len.saturating_add(more);
    if needed <= capacity {
        return more;
    }
    let largest = isize::MAX as usize;
    let mut size = usize::try_from(end).map_or(largest, |end| end.min(largest));
    while size / 2 >= needed {
        size /= 2;
    }
    size.max(needed).saturating_sub(len)
}

/// What a model checker proves for all sizes, as the head of `tests/proofs.rs` says, and the tests below try on some.
#[cfg(any(test, kani))]
fn growth_is_within_bounds(len: usize, spare: usize, more: usize, end: u64) {
    let largest = isize::MAX as usize;
    let len = len.min(largest);
    let capacity = len.saturating_add(spare).min(largest);
    let reserved = growth(len, capacity, more, end);
    assert!(
        reserved >= more.min(usize::MAX - len),
        "what is to be added has space"
    );
    let needed = len.saturating_add(more);
    let size = len + reserved;
    if needed > capacity {
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(largest);
        assert!(
            size == needed || size <= end && size / 2 < needed,
            "less than twice what is needed"
        );
    } else {
        assert_eq!(size, needed, "nothing grows");
    }
}

#[cfg(any(test, kani))]
fn max_additional_is_within_bounds(len: usize, limit: u64) {
    let additional = max_additional(len, limit);
    assert!(additional <= limit);
    assert!(
        len as u64 + additional <= (isize::MAX as u64).max(len as u64),
        "no buffer is longer"
    );
}

#[cfg(kani)]
mod proofs {
    #[kani::proof]
    #[kani::unwind(66)]
    fn growth() {
        super::growth_is_within_bounds(kani::any(), kani::any(), kani::any(), kani::any());
    }

    #[kani::proof]
    fn max_additional() {
        super::max_additional_is_within_bounds(kani::any(), kani::any());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn growth_takes_halvings_of_the_end() {
        assert_eq!(growth(0, 0, 0, 10), 0);
        assert_eq!(growth(0, 0, 10, 10), 10);
        assert_eq!(growth(0, 0, 3, 10), 5, "half of the end");
        assert_eq!(growth(0, 0, 5, 10), 5);
        assert_eq!(growth(5, 5, 1, 10), 5, "to the end");
        assert_eq!(growth(0, 0, 6, 11), 11);
        assert_eq!(growth(0, 0, 5, 11), 5, "rounded down");
        assert_eq!(growth(4, 4, 30, 20), 30, "to what is needed");
        assert_eq!(growth(3, 4, 1, 100), 1, "what is there suffices");
    }

    /// Design section 3, clause 2: the memory follows the bytes that came, and growing is linear work even
    /// where each `realloc` moves.
    #[test]
    fn growth_is_less_than_double_and_moves_less_than_the_message() {
        for end in (1..600).chain([100_000, 1 << 20, (1 << 20) + 1]) {
            for read in [1, 7, 64, 65_522] {
                let (mut len, mut capacity, mut moved) = (0, 0, 0);
                while len < end {
                    let more = read.min(end - len);
                    let reserved = len + growth(len, capacity, more, end as u64);
                    if reserved > capacity {
                        assert!(reserved >= 2 * capacity, "linear work");
                        moved += len;
                        capacity = reserved;
                    }
                    len += more;
                    assert!(len <= capacity && capacity < 2 * len && capacity <= end);
                }
                assert!(moved < end, "{moved} of {end} by {read}");
            }
        }
    }

    // RFC 7692 section 8: 7692-8-02. A buffer of the maximum size has no room, so one more byte is too big.
    #[test]
    fn max_additional_is_what_a_buffer_can_have() {
        let largest = isize::MAX as usize;
        assert_eq!(
            [
                max_additional(0, 7),
                max_additional(largest - 7, 7),
                max_additional(largest - 7, 6)
            ],
            [7, 7, 6]
        );
        assert_eq!(max_additional(largest - 7, u64::MAX), 7);
        assert_eq!(max_additional(largest, u64::MAX), 0);
        assert_eq!(max_additional(usize::MAX, u64::MAX), 0);
    }

    /// As on a target of 32 bits, once half of the address space is taken.
    #[test]
    fn growth_asks_for_no_more_than_a_buffer_can_have() {
        let largest = isize::MAX as usize;
        let capacity = largest / 2 + 1;
        assert_eq!(growth(capacity, capacity, 1, u64::MAX), largest - capacity);
        assert_eq!(growth(largest - 1, largest - 1, 1, u64::MAX), 1);
    }

    proptest! {
        #[test]
        fn growth_is_within_bounds_for_any_sizes(len in any_size(), spare in any_size(), more in any_size(), end: u64) {
            growth_is_within_bounds(len, spare, more, end);
        }

        // RFC 7692 section 8: 7692-8-02
        #[test]
        fn max_additional_is_within_bounds_for_any_sizes(len in any_size(), limit: u64) {
            max_additional_is_within_bounds(len, limit);
        }
    }

    fn any_size() -> impl Strategy<Value = usize> {
        prop_oneof![
            0..4096usize,
            any::<usize>(),
            isize::MAX as usize - 4096..=isize::MAX as usize
        ]
    }
}
