//! Numbered messages, whose kind, size and content follow from who sends them.

use embedding_tokio::Event;
use embedding_tokio::websocket_proto::MessageKind;

use crate::config::MAX_MESSAGE;
use crate::random::Random;

/// A connection of a client, by both their numbers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Id {
    pub client: usize,
    pub connection: u64,
}

#[derive(Debug, Eq, PartialEq)]
pub struct Message {
    pub kind: MessageKind,
    pub payload: Vec<u8>,
    /// Where to split it into two fragments, if it is sent so.
    pub split: Option<usize>,
}

impl Message {
    /// Returns the message with this number on a connection. Both ends compute it, so either can compare.
    pub fn numbered(seed: u64, id: Id, number: u64) -> Self {
        let mix = seed ^ (id.client as u64) << 56 ^ id.connection << 32 ^ number;
        let mut random = Random::new(mix);
        let size = size(&mut random);
        let mut payload = format!("{} {} {number} ", id.client, id.connection).into_bytes();
        let kind = if random.one_in(2) {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        match kind {
            MessageKind::Binary => payload.extend(random.bytes(size)),
            MessageKind::Text => {
                let text = (0..size / 2).map(|_| random.pick(&["a", "é", "€", "𝄞", " "]));
                payload.extend(text.flat_map(str::bytes));
            }
        }
        payload.truncate(MAX_MESSAGE);
        if kind == MessageKind::Text {
            let valid = String::from_utf8_lossy(&payload)
                .trim_end_matches('\u{fffd}')
                .len();
            payload.truncate(valid);
        }
        let split = random.one_in(3).then(|| random.below(payload.len()));
        Self { kind, payload, split }
    }

    /// Whether a received event is this message. `None` if it is not a message at all.
    pub fn is(&self, event: &Event<'_>) -> Option<bool> {
        match event {
            Event::Text(text) => Some(self.kind == MessageKind::Text && text.as_bytes() == self.payload),
            Event::Binary(payload) => Some(self.kind == MessageKind::Binary && payload[..] == self.payload),
            _ => None,
        }
    }
}

/// Mostly small, sometimes as large as the limit.
fn size(random: &mut Random) -> usize {
    let end = match random.below(40) {
        0 => MAX_MESSAGE,
        1..=4 => 16 * 1024,
        5..=14 => 1000,
        _ => 130,
    };
    random.below(end)
}
