//! A strict reader of what an end emits, by the rules of RFC 6455 section 5 for a sender. It shares no code with the crate.

use super::Seen;
use super::naive::{self, Frame};
use websocket_proto::Role;

/// A frame that was emitted.
#[derive(Debug)]
pub struct Emitted {
    pub frame: Frame,
    /// What the receiver sees with it: a message is listed with its last fragment.
    pub event: Option<Seen>,
    /// The offset at which it ends in everything that was emitted.
    pub end: usize,
}

/// Reads what one end emits, in order, and panics if it violates a rule. Requires complete frames with minimal lengths, masked by
/// clients only, messages in order, text that is UTF-8, well-formed Close bodies, at most one Close, and only Pings and Pongs after it.
pub struct Strict {
    sender: Role,
    /// Whether compression was negotiated.
    deflated: bool,
    /// Whether the sender may echo codes that should not be received.
    any_close_code: bool,
    size: usize,
    message: Option<Message>,
    closed: bool,
    #[cfg(feature = "deflate")]
    history: Vec<u8>,
}

struct Message {
    is_text: bool,
    is_deflated: bool,
    payload: Vec<u8>,
}

/// The frames of an end that does not compress.
#[track_caller]
pub fn frames_of(sender: Role, bytes: &[u8]) -> Vec<Frame> {
    let emitted = Strict::new(sender).read(bytes);
    emitted.into_iter().map(|emitted| emitted.frame).collect()
}

impl Strict {
    pub fn new(sender: Role) -> Self {
        Self {
            sender,
            deflated: false,
            any_close_code: false,
            size: 0,
            message: None,
            closed: false,
            #[cfg(feature = "deflate")]
            history: Vec::new(),
        }
    }

    pub fn deflated(self, deflated: bool) -> Self {
        Self { deflated, ..self }
    }

    pub fn any_close_code(self, any_close_code: bool) -> Self {
        Self {
            any_close_code,
            ..self
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Reads what one or more calls have emitted.
    #[track_caller]
    pub fn read(&mut self, mut bytes: &[u8]) -> Vec<Emitted> {
        let mut emitted = Vec::new();
        while !bytes.is_empty() {
            let (frame, size, minimal) = naive::split(bytes).expect("the last frame is complete");
            bytes = &bytes[size..];
            self.size += size;
            assert!(minimal, "a length that is not minimal");
            assert_eq!(
                frame.key.is_some(),
                self.sender == Role::Client,
                "clients mask, servers do not"
            );
            assert!(
                !self.closed || matches!(frame.opcode, 9 | 10),
                "something other than a Ping or Pong after the Close"
            );
            emitted.push(Emitted {
                event: self.event(&frame),
                frame,
                end: self.size,
            });
        }
        emitted
    }

    #[track_caller]
    fn event(&mut self, frame: &Frame) -> Option<Seen> {
        if frame.opcode & 8 != 0 {
            return Some(self.control(frame));
        }
        if frame.opcode == 0 {
            assert_eq!(frame.rsv, 0, "RSV1 is only for the first fragment");
            let message = self.message.as_mut().expect("a message to continue");
            message.payload.extend(&frame.payload);
        } else {
            assert!(matches!(frame.opcode, 1 | 2), "reserved opcode {}", frame.opcode);
            let is_deflated = self.deflated && frame.rsv == 4;
            assert!(frame.rsv == 0 || is_deflated, "no extension was negotiated");
            let message = Message {
                is_text: frame.opcode == 1,
                is_deflated,
                payload: frame.payload.clone(),
            };
            assert!(
                self.message.replace(message).is_none(),
                "a message inside another"
            );
        }
        frame.fin.then(|| self.finish())
    }

    #[track_caller]
    fn control(&mut self, frame: &Frame) -> Seen {
        let payload = frame.payload.clone();
        assert!(
            frame.fin && frame.rsv == 0 && payload.len() <= 125,
            "a bad control frame"
        );
        match frame.opcode {
            8 => self.close(&payload),
            9 => Seen::Ping(payload),
            10 => Seen::Pong(payload),
            opcode => panic!("reserved opcode {opcode}"),
        }
    }

    #[track_caller]
    fn close(&mut self, body: &[u8]) -> Seen {
        self.closed = true;
        let code = match self.any_close_code {
            false => naive::close_code(body).expect("a well-formed Close"),
            true => body.first_chunk().map(|code| u16::from_be_bytes(*code)),
        };
        assert_ne!(body.len(), 1, "half a code");
        assert!(
            !matches!(code, Some(1005 | 1006 | 1015)),
            "a code that is never on the wire"
        );
        let reason = body.get(2..).unwrap_or_default().to_vec();
        Seen::Close(code, String::from_utf8(reason).expect("UTF-8"))
    }

    #[track_caller]
    fn finish(&mut self) -> Seen {
        let message = self.message.take().expect("a message");
        let content = match message.is_deflated {
            true => self.inflate(&message.payload),
            false => message.payload,
        };
        super::message(message.is_text, &content)
    }

    #[cfg(feature = "deflate")]
    #[track_caller]
    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let content = super::miniz::inflate(&mut self.history, payload, 1 << 20).expect("compressed data");
        self.history.extend(&content);
        content
    }

    #[cfg(not(feature = "deflate"))]
    fn inflate(&mut self, _: &[u8]) -> Vec<u8> {
        panic!("compression is not available")
    }
}
