//! What a client sends to an echo server and compares with the echoes. `examples/http3` uses this file too.

use std::time::Instant;

use websocket_proto::endpoint::{End, SendError, Sender};
use websocket_proto::{CloseCode, Event};

/// How many bytes may be in flight, unless it is a single message.
const IN_FLIGHT: usize = 32 * 1024;

/// Keeps as many messages in flight as allowed, until all have been echoed.
pub struct Echo {
    messages: usize,
    size: usize,
    sent: usize,
    received: usize,
    wrong: usize,
    began: Instant,
}

impl Echo {
    /// Sends the first of `messages` messages of `size` bytes.
    pub fn begin(mut sender: Sender<'_>, messages: usize, size: usize) -> Result<Self, SendError> {
        let sent = messages.min(1.max(IN_FLIGHT / size.max(1)));
        for number in 0..sent {
            sender.send_binary(&message(number, size))?;
        }
        Ok(Self {
            messages,
            size,
            sent,
            received: 0,
            wrong: 0,
            began: Instant::now(),
        })
    }

    /// Compares an echo, and sends the next one, or a Close after the last.
    pub fn react(&mut self, event: Event<'_>, mut sender: Sender<'_>) {
        let Event::Binary(payload) = event else {
            return;
        };
        self.wrong += usize::from(payload != message(self.received, self.size));
        self.received += 1;
        // A message that could not be sent is not echoed, which is noticed at the end.
        if self.sent < self.messages {
            self.sent += 1;
            _ = sender.send_binary(&message(self.sent - 1, self.size));
        } else if self.received == self.messages {
            _ = sender.close(CloseCode::NORMAL, "");
        }
    }

    /// Reports what was echoed in which time, or what was not.
    pub fn result(self, end: &End) -> Result<String, String> {
        let Self {
            messages,
            size,
            received,
            wrong,
            ..
        } = self;
        if wrong > 0 || received < messages || !end.is_clean() {
            return Err(format!(
                "{received} of {messages} messages echoed, {wrong} of them wrong; {end}"
            ));
        }
        let time = self.began.elapsed().as_millis();
        Ok(format!(
            "{messages} messages of {size} bytes echoed in {time} ms, {end}"
        ))
    }
}

fn message(number: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| (number + at) as u8).collect()
}
