//! A strict reader of what a connection emits, which shares no code with the crate.

use super::common::Seen;
use super::common::naive::{self, Frame};
use super::ends::Settings;
use super::input::Input;
use websocket_proto::{CloseCode, Compression, Connection, Fin, MessageKind, Prepared, Role};

/// Inflates a message with miniz_oxide, after `history`; `None` if it does not, or makes more than `limit` bytes.
#[cfg(feature = "deflate")]
pub fn inflate_message(history: &mut Vec<u8>, wire: &[u8], limit: usize) -> Option<Vec<u8>> {
    use miniz_oxide::inflate::TINFLStatus;
    use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
    history.drain(..history.len().saturating_sub(32_768));
    let start = history.len();
    // What is known of the history is given as stored blocks, which leave the state between two blocks.
    let mut known = Vec::new();
    for part in history.chunks(60_000) {
        let size = part.len() as u16;
        known.push(0);
        known.extend(size.to_le_bytes());
        known.extend((!size).to_le_bytes());
        known.extend(part);
    }
    known.extend(wire);
    known.extend([0, 0, 0xff, 0xff]);
    let flags =
        inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
    // Most messages are small, and so is the memory to look for them in.
    for room in [1024, 32_768, usize::MAX].map(|room: usize| room.min(limit)) {
        let mut out = vec![0; start + room + 300];
        let (status, _, size) = decompress(&mut DecompressorOxide::new(), &known, &mut out, 0, flags);
        match status {
            TINFLStatus::Done | TINFLStatus::NeedsMoreInput => {
                return out.get(start..size).map(<[u8]>::to_vec);
            }
            TINFLStatus::HasMoreOutput => {}
            _ => return None,
        }
    }
    None
}

/// Reads what one end emits, in order.
pub struct Strict {
    sender: Role,
    deflated: bool,
    rest: Vec<u8>,
    /// The message that was begun: text or not, compressed or not, and its payload.
    message: Option<(bool, bool, Vec<u8>)>,
    closed: bool,
    #[cfg(feature = "deflate")]
    history: Vec<u8>,
}

impl Strict {
    pub fn new(sender: Role, deflated: bool) -> Self {
        Self {
            sender,
            deflated,
            rest: Vec::new(),
            message: None,
            closed: false,
            #[cfg(feature = "deflate")]
            history: Vec::new(),
        }
    }

    /// Whole frames: what one call has emitted. Gives what a receiver sees.
    pub fn read(&mut self, bytes: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.rest.extend(bytes);
        while !self.rest.is_empty() {
            let (frame, size, minimal) = naive::split(&self.rest).expect("whole frames");
            self.rest.drain(..size);
            assert!(minimal, "a length in more bytes than needed");
            assert_eq!(
                frame.key.is_some(),
                self.sender == Role::Client,
                "clients mask, servers do not"
            );
            assert!(
                !self.closed || frame.opcode == 10,
                "something but a Pong after the Close"
            );
            seen.extend(self.frame(frame));
        }
        seen
    }

    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn frame(&mut self, frame: Frame) -> Option<Seen> {
        match frame.opcode {
            0 => {
                assert_eq!(frame.rsv, 0, "RSV1 is for the first fragment");
                self.message
                    .as_mut()
                    .expect("a message to continue")
                    .2
                    .extend(frame.payload);
            }
            1 | 2 => {
                assert!(
                    frame.rsv == 0 || (frame.rsv == 4 && self.deflated),
                    "reserved bits"
                );
                let begun = (frame.opcode == 1, frame.rsv == 4, frame.payload);
                assert!(self.message.replace(begun).is_none(), "a message inside another");
            }
            opcode => {
                assert!(
                    frame.fin && frame.rsv == 0 && frame.payload.len() <= 125,
                    "a bad control frame"
                );
                return Some(match opcode {
                    8 => self.close(&frame.payload),
                    9 => Seen::Ping(frame.payload),
                    10 => Seen::Pong(frame.payload),
                    opcode => panic!("reserved opcode {opcode}"),
                });
            }
        }
        frame.fin.then(|| self.finish())
    }

    fn finish(&mut self) -> Seen {
        let (text, deflated, payload) = self.message.take().expect("a message");
        let content = if deflated { self.inflate(&payload) } else { payload };
        match text {
            true => Seen::Text(String::from_utf8(content).expect("UTF-8")),
            false => Seen::Binary(content),
        }
    }

    #[cfg(feature = "deflate")]
    fn inflate(&mut self, payload: &[u8]) -> Vec<u8> {
        let content = inflate_message(&mut self.history, payload, 1 << 20).expect("compressed data");
        self.history.extend(&content);
        content
    }

    #[cfg(not(feature = "deflate"))]
    fn inflate(&mut self, _: &[u8]) -> Vec<u8> {
        panic!("nothing is compressed")
    }

    fn close(&mut self, body: &[u8]) -> Seen {
        self.closed = true;
        assert_ne!(body.len(), 1, "half a code");
        let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
        assert!(
            !matches!(code, Some(1005 | 1006 | 1015)),
            "a code that is never on the wire"
        );
        let reason = body.get(2..).unwrap_or_default().to_vec();
        Seen::Close(code, String::from_utf8(reason).expect("UTF-8"))
    }
}

/// What a program may do with one connection, the peer's bytes included, which may be anything.
fn step(connection: &mut Connection, input: &mut Input, out: &mut Vec<u8>) {
    // A refusal writes nothing: the reader would find it.
    let _ = match input.byte() % 12 {
        0 => connection.send_text(&input.text(), out),
        1 => connection.send_binary(input.bytes(), out),
        2 => {
            let (size, byte) = (usize::from(input.number()), input.byte());
            connection.send_binary(&vec![byte; size], out)
        }
        3 => connection.send_fragment(MessageKind::Text, input.bytes(), Fin::More, out),
        4 => connection.send_fragment(MessageKind::Text, input.bytes(), Fin::Last, out),
        5 => {
            let fin = input.pick(&[Fin::More, Fin::Last]);
            connection.send_fragment(MessageKind::Binary, input.bytes(), fin, out)
        }
        6 => connection.send_ping(input.bytes(), out),
        7 => connection.send_pong(input.bytes(), out),
        8 => {
            let code = Some(CloseCode(input.number())).filter(|code| code.0 != 0);
            connection.close(code, &input.text(), out)
        }
        9 => connection.send_prepared(&prepared(input), out),
        10 => {
            connection.set_compression(input.pick(&[Compression::Off, Compression::On]));
            Ok(())
        }
        _ => {
            let mut bytes = input.bytes().to_vec();
            let mut rest = &mut bytes[..];
            while let Ok(Some(_)) = connection.receive(&mut rest, out) {}
            Ok(())
        }
    };
}

pub fn prepared(input: &mut Input) -> Prepared {
    let flags = input.byte();
    let prepared = match flags & 1 {
        0 => Prepared::text(&input.text()),
        _ => Prepared::binary(input.bytes()),
    };
    #[cfg(feature = "deflate")]
    if flags & 2 != 0 {
        let config = websocket_proto::deflate::DeflateConfig::new();
        return prepared.deflate(flags >> 4, &config);
    }
    prepared
}

/// Whatever a program does and whatever it receives: what is emitted is a row of whole frames that keep every rule, at most one
/// Close among them, and nothing but Pongs after it.
pub fn output_validity(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = Settings::read(&mut input);
    let role = input.pick(&[Role::Server, Role::Client]);
    let mut connection = settings.open(role);
    let mut strict = Strict::new(role, settings.is_deflated());
    while !input.is_empty() {
        let mut out = Vec::new();
        step(&mut connection, &mut input, &mut out);
        strict.read(&out);
    }
    let closed = connection.receive_eof();
    assert_eq!(closed.code_sent().is_some(), strict.is_closed());
}
