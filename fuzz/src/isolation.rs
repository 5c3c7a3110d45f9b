//! Connections that compress and inflate one after another on one thread.

use super::common::isolation::{Sending, Setting, alone, receive, send};
use super::common::windows::window;
use super::input::Input;
use websocket_proto::deflate::DeflateConfig;

fn setting(input: &mut Input) -> Setting {
    let (flags, level) = (input.byte(), input.byte());
    Setting {
        window: window(9 + (flags & 7) % 7, flags & 8 == 0),
        config: DeflateConfig::new()
            .level(level % 10)
            .send_window_bits(15)
            .keep_engine(flags & 16 != 0)
            .threshold(0),
        sending: match flags >> 5 & 3 {
            0 => Sending::Messages,
            1 | 2 => Sending::Fragments,
            _ => Sending::Prepared,
        },
    }
}

/// Up to seven messages. Repeated, they reach the end of a window.
fn messages(input: &mut Input) -> Vec<Vec<u8>> {
    let count = input.byte() & 7;
    (0..count)
        .map(|_| {
            let times = usize::from(input.byte()) % 40;
            input.bytes().repeat(times)
        })
        .collect()
}

fn slices(messages: &[Vec<u8>]) -> Vec<&[u8]> {
    messages.iter().map(Vec::as_slice).collect()
}

/// What a connection sends, and what it inflates from any payloads, is the same after other connections as on a new thread.
pub fn deflate_isolation(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (own, texts, wires) = (setting(&mut input), messages(&mut input), messages(&mut input));
    // A few: each takes milliseconds, and one is enough to leave a trace.
    for _ in 0..3 {
        if input.is_empty() {
            break;
        }
        let (other, texts) = (setting(&mut input), messages(&mut input));
        send(&other, &slices(&texts));
        receive(other.window, &texts);
        // Uses the settings of the first connection that determine the engine.
        send(&own, &slices(&texts));
    }
    let work = || (send(&own, &slices(&texts)), receive(own.window, &wires));
    assert_eq!(work(), alone(work));
}
