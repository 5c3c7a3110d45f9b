//! Every string of up to 4 bytes, split in every way, compared with the standard library.

use crate::{Form, count};
use std::str::from_utf8;
use websocket_proto::utf8::{Validator, validate};

/// The first and the last byte of each class in RFC 3629 section 4, whose grammar does not distinguish bytes of the same class.
const EDGES: [u8; 29] = [
    0x00, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1,
    0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff,
];

/// The validators after a prefix of a string, one for each way to split it.
#[derive(Clone, Default)]
struct Ways {
    validators: Vec<Validator>,
}

#[derive(Default)]
struct Counts {
    strings: u64,
    valid: u64,
    splits: u64,
}

// RFC 6455 section 8.1: 6455-8.1-04, 6455-8.1-05
#[test]
#[cfg_attr(miri, ignore = "millions")]
fn every_short_string_is_judged_as_by_the_standard_library_in_any_pieces() {
    count("texts", |form| {
        // For each length, how many of the first positions have every byte; the other positions have only the edges.
        let every = match form {
            Form::Edges => [1, 2, 1, 0],
            Form::Short => [1, 2, 3, 2],
            Form::All => [1, 2, 3, 4],
        };
        let parts = std::thread::scope(|scope| {
            // Split by their first byte into two parts, with about the same amount of work.
            let runs = [0..=0x5f, 0x60..=0xff].map(|firsts| {
                scope.spawn(move || {
                    let mut counts = Counts::default();
                    for (len, every) in (1..=4).zip(every) {
                        let bytes = |place| {
                            if place < every {
                                (0..=255).collect()
                            } else {
                                EDGES.to_vec()
                            }
                        };
                        let mut places: Vec<Vec<u8>> = (0..len).map(bytes).collect();
                        places[0].retain(|byte| firsts.contains(byte));
                        counts.go(&places, &mut Vec::new(), &[Ways::start()]);
                    }
                    counts
                })
            });
            runs.map(|run| run.join().unwrap())
        });
        let sum = |what: fn(&Counts) -> u64| parts.iter().map(what).sum::<u64>();
        format!(
            "{} strings in {} ways to split them, {} valid",
            sum(|counts| counts.strings),
            sum(|counts| counts.splits),
            sum(|counts| counts.valid),
        )
    });
}

impl Ways {
    fn start() -> Self {
        Self {
            validators: vec![Validator::new()],
        }
    }
}

impl Counts {
    /// Checks every string that extends `front` by the bytes of `places`. `ways[i]` has the validators after its first `i` bytes;
    /// it is empty if those are invalid.
    fn go(&mut self, places: &[Vec<u8>], front: &mut Vec<u8>, ways: &[Ways]) {
        let Some((bytes, rest)) = places.split_first() else {
            return;
        };
        for &byte in bytes {
            front.push(byte);
            let reached = self.check(front, ways, !rest.is_empty());
            if !rest.is_empty() {
                let ways = [ways, &[reached]].concat();
                self.go(rest, front, &ways);
            }
            front.pop();
        }
    }

    /// Checks one string, with its last piece beginning at each position.
    fn check(&mut self, bytes: &[u8], ways: &[Ways], goes_on: bool) -> Ways {
        let expected = from_utf8(bytes);
        let cut = match expected {
            Ok(_) => Some(0),
            Err(error) if error.error_len().is_none() => Some(bytes.len() - error.valid_up_to()),
            Err(_) => None,
        };
        let mut reached = Ways::default();
        for (start, ways) in ways.iter().enumerate() {
            for before in &ways.validators {
                let mut validator = before.clone();
                self.splits += 1;
                let carried = before.carried();
                let pushed = validator.push(&bytes[start..]);
                let found = pushed.map(|(char, text)| (char.map_or(0, char::len_utf8), char, text));
                match (found, cut) {
                    (Err(_), None) => {}
                    (Ok((len, char, text)), Some(cut)) => {
                        // Every byte is returned once: in the completed character, in the text, or later if it is carried.
                        let (from, to) = (start - carried, bytes.len() - cut);
                        assert_eq!(text.as_bytes(), &bytes[from + len..to], "{bytes:x?} at {start}");
                        assert!(char.is_none_or(
                            |char| char.encode_utf8(&mut [0; 4]).as_bytes() == &bytes[from..from + len]
                        ));
                        assert_eq!(validator.carried(), cut);
                        assert_eq!(validator.clone().finish().is_ok(), cut == 0);
                        if goes_on {
                            reached.validators.push(validator);
                        }
                    }
                    (found, _) => panic!("{found:?} instead of {expected:?}: {bytes:x?} at {start}"),
                }
            }
        }
        if !goes_on {
            self.strings += 1;
            self.valid += u64::from(cut == Some(0));
            assert_eq!(validate(bytes).is_ok(), cut == Some(0), "{bytes:x?}");
        }
        reached
    }
}

// RFC 6455 section 8.1: 6455-8.1-02
#[test]
#[cfg_attr(miri, ignore = "millions")]
fn every_short_string_is_judged_as_by_the_standard_library_inside_a_long_one() {
    count("texts inside of long ones", |form| {
        // The kernel processes blocks of 64 bytes: the string spans two blocks, or is at the end.
        let places: &[(usize, usize)] = match form {
            Form::Edges => &[(62, 80)],
            Form::Short => &[(62, 80), (126, 0)],
            Form::All => &[(61, 80), (62, 80), (63, 80), (125, 0), (126, 0), (127, 128)],
        };
        let (mut strings, mut valid) = (0u64, 0u64);
        let all: Vec<u8> = (0..=255).collect();
        let [firsts, thirds] = match form {
            Form::Edges => [&EDGES[..], &EDGES],
            Form::Short => [&all[..], &EDGES],
            Form::All => [&all[..], &all],
        };
        for &(before, after) in places {
            let mut text = vec![b'x'; before + 3 + after];
            for &a in firsts {
                for &b in firsts {
                    for &c in thirds {
                        text[before..before + 3].copy_from_slice(&[a, b, c]);
                        let expected = from_utf8(&text).is_ok();
                        assert_eq!(validate(&text).is_ok(), expected, "{a:x} {b:x} {c:x} at {before}");
                        strings += 1;
                        valid += u64::from(expected);
                    }
                }
            }
        }
        format!("{strings} strings, {valid} valid")
    });
}
