//! Counts the frames in one direction.

use std::fmt;

use websocket_proto::frame::raw::{Decoder, Item};

/// Counts the frames in the bytes of one direction.
#[derive(Default)]
pub struct Meter {
    state: State,
    pub count: Count,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Count {
    pub data_frames: u64,
    pub control_frames: u64,
    /// Bytes of payload, according to the headers.
    pub bytes: u64,
}

enum State {
    /// The part of the HTTP head that has arrived.
    Head(Vec<u8>),
    Frames(Decoder),
    /// Not WebSocket.
    Other,
}

/// Longer heads are not parsed.
const MAX_HEAD_SIZE: usize = 64 * 1024;

impl Meter {
    /// Counts the frames in the next bytes, which may be split anywhere.
    pub fn see(&mut self, mut bytes: &[u8]) {
        while let (State::Head(head), [byte, rest @ ..]) = (&mut self.state, bytes) {
            head.push(*byte);
            bytes = rest;
            if head.ends_with(b"\r\n\r\n") {
                self.state = State::after(head);
            } else if head.len() == MAX_HEAD_SIZE {
                self.state = State::Other;
            }
        }
        let State::Frames(decoder) = &mut self.state else {
            return;
        };
        while let Some(item) = decoder.decode(&mut bytes) {
            if let Item::Start(header) = item {
                match header.opcode() {
                    ..8 => self.count.data_frames += 1,
                    8.. => self.count.control_frames += 1,
                }
                self.count.bytes = self.count.bytes.saturating_add(header.payload_len());
            }
        }
    }
}

impl State {
    fn after(head: &[u8]) -> Self {
        let status = head
            .strip_prefix(b"HTTP/1.1 ")
            .and_then(|rest| rest.first_chunk());
        match status {
            // A request, or the accepting response.
            None | Some(b"101") => Self::Frames(Decoder::new()),
            // An interim response.
            Some([b'1', _, _]) => Self::default(),
            Some(_) => Self::Other,
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Vec::new())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            data_frames,
            control_frames,
            bytes,
        } = self;
        write!(
            f,
            "{data_frames} data frames, {control_frames} control frames, {bytes} bytes of payload"
        )
    }
}
