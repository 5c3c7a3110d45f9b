//! What a connection writes and receives reveals nothing about other connections: RFC 7692 section 8.
//!
//! The connections of a thread use the same memory one after another. Each is compared here with the same connection on a new
//! thread. The attack itself is in `past_faults`.

#[path = "common/isolation.rs"]
mod isolation;
#[path = "common/windows.rs"]
mod windows;

use isolation::{Sending, Setting, alone, compress, receive, send};
use websocket_proto::deflate::{Decompressor, DeflateConfig};
use windows::window;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    /// Words of a few letters, so that runs of any length repeat.
    fn text(&mut self, size: usize) -> Vec<u8> {
        let mut text = String::new();
        while text.len() < size {
            for _ in 0..1 + self.below(4) {
                text.push(char::from(b"abcde"[self.below(5)]));
            }
            text.push_str([" ", ", ", "\":", "00"][self.below(4)]);
        }
        text.truncate(size);
        text.into()
    }

    fn texts(&mut self, count: usize, size: usize) -> Vec<Vec<u8>> {
        let sizes: Vec<usize> = (0..count).map(|_| self.below(size)).collect();
        sizes.into_iter().map(|size| self.text(size)).collect()
    }
}

fn slices(texts: &[Vec<u8>]) -> Vec<&[u8]> {
    texts.iter().map(Vec::as_slice).collect()
}

fn settings(bits: u8, level: u8) -> impl Iterator<Item = Setting> {
    (0..12).map(move |n| Setting {
        window: window(bits, n & 1 == 0),
        config: DeflateConfig::new()
            .level(level)
            .send_window_bits(15)
            .keep_engine(n & 2 == 0)
            .threshold(0),
        sending: [Sending::Messages, Sending::Fragments, Sending::Prepared][n / 4],
    })
}

// D47
#[test]
fn output_is_a_function_of_what_the_connection_sent() {
    let mut random = Random(0x5eed);
    let mut different = Vec::new();
    // What all of them come after.
    let earlier = random.texts(1000, 300);
    for setting in settings(12, 6).take(4) {
        send(&setting, &slices(&earlier[..250]));
        send(&setting, &slices(&earlier[250..]));
    }
    for level in 1..=9 {
        for bits in 9..=15 {
            let own = random.texts(5, 1200);
            // The same runs in another order, and others: these leave the most data for later connections.
            let mut others = vec![own.concat(), random.text(700)];
            others.extend(own.iter().rev().cloned());
            others.extend(random.texts(3, 1500));
            let (own, others) = (slices(&own), slices(&others));
            for setting in settings(bits, level) {
                let expected = alone(|| send(&setting, &own));
                let other = Setting {
                    sending: Sending::Messages,
                    ..setting.clone()
                };
                send(&other, &others);
                if send(&setting, &own) != expected {
                    different.push(setting);
                }
            }
        }
    }
    assert!(
        different.is_empty(),
        "{} settings: {different:#?}",
        different.len()
    );
}

/// Inflating engines and their buffers are reused by other connections. Valid and damaged data give the same output as on a new
/// thread.
// D47; RFC 7692 section 7.2.2: 7692-7.2.2-06
#[test]
fn input_is_a_function_of_what_the_connection_received() {
    let mut random = Random(0x1ea4);
    let mut errors = 0;
    for round in 0..300 {
        let window = window(9 + (round % 7) as u8, random.below(2) == 0);
        let mut wires = compress(window, &slices(&random.texts(4, 4000)));
        if round % 2 == 1 {
            // References to data that never existed: a message is missing, or a bit is wrong.
            wires.remove(random.below(3));
            let spoiled = random.below(wires.len());
            let place = random.below(wires[spoiled].len());
            wires[spoiled][place] ^= 1 << random.below(8);
        }
        let expected = alone(|| receive(window, &wires));
        // Three others on this thread, each left inside a message: more than the thread keeps.
        let others = [0; 3].map(|_| {
            let window = windows::window(15, random.below(2) == 0);
            let wires = compress(window, &[&random.text(40_000), &random.text(1000)]);
            let mut decompressor = Decompressor::new(window);
            decompressor
                .decompress(&wires[0], 1 << 20, &mut Vec::new())
                .unwrap();
            decompressor.pull(&mut &wires[1][..], 1 << 20).unwrap();
            decompressor
        });
        drop(others);
        let found = receive(window, &wires);
        errors += found.iter().filter(|(_, result)| result.is_err()).count();
        assert_eq!(found, expected, "{round}");
    }
    assert!(errors > 100);
}
