//! Feeds bytes to a connection or a decoder, split in any way, collects all results, and checks every call against the contract.

use super::Seen;
use super::naive::{self, Verdict};
use super::strict::{self, Strict};
use websocket_proto::frame::{Decoder, Header, Item, Rules, Violation};
use websocket_proto::utf8::{InvalidUtf8, Validator, validate};
use websocket_proto::{
    CloseCode, Connection, Error, Event, Fin, ReceiveHalf, Role, SendHalf, State, TransportAdvice,
};

/// The results of a connection that was given some bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Run {
    pub role: Role,
    pub events: Vec<Seen>,
    /// The chunks received of the message that is incomplete.
    pub unfinished: Vec<u8>,
    pub out: Vec<u8>,
    pub error: Option<Error>,
    pub consumed: usize,
    pub state: State,
    pub transport: TransportAdvice,
}

impl Run {
    fn new(
        (role, state, transport): (Role, State, TransportAdvice),
        events: Events,
        out: Vec<u8>,
        error: Option<Error>,
        consumed: usize,
    ) -> Self {
        Self {
            role,
            events: events.seen,
            unfinished: events.chunks,
            out,
            error,
            consumed,
            state,
            transport,
        }
    }

    /// Whether it failed because of a message's content, not because of its frames.
    pub fn is_of_content(&self) -> bool {
        match self.error {
            Some(Error::InvalidUtf8) => true,
            Some(Error::MessageTooBig { limit, size }) => size == limit.saturating_add(1),
            #[cfg(feature = "deflate")]
            Some(Error::Deflate(_)) => true,
            _ => false,
        }
    }

    /// Asserts that the results are the same, except that shorter reads may leave more input after an error in the content: it is
    /// reported by the read that contains it, which consumes input up to its own end or the end of the frame.
    #[track_caller]
    pub fn assert_same(&self, cut: &Self) {
        if self.is_of_content() {
            assert!(cut.consumed <= self.consumed);
            let consumed = self.consumed;
            let cut = cut.clone();
            assert_eq!(&Self { consumed, ..cut }, self);
        } else {
            assert_eq!(cut, self);
        }
    }

    /// The results with `Delivery::InPlace`: the same as with copying (`copied`), except that what is held is not consumed.
    #[track_caller]
    pub fn assert_held_is_the_same(&self, copied: &Self) {
        assert_eq!((&self.events, self.error), (&copied.events, copied.error));
        assert_eq!((&self.out, self.state), (&copied.out, copied.state));
        assert!(
            self.consumed <= copied.consumed,
            "held bytes are checked but not consumed"
        );
        if self.error.is_some() || self.state != State::Open {
            assert_eq!(self.consumed, copied.consumed);
        }
    }

    /// The results for a caller that receives chunks: when assembled, they are the messages of `self`; everything else is the same.
    #[track_caller]
    pub fn assert_chunks_are_the_same(&self, chunked: &Self) {
        assert_eq!((&chunked.events, chunked.error), (&self.events, self.error));
        assert_eq!(chunked.out, self.out);
        assert_eq!((chunked.state, chunked.transport), (self.state, self.transport));
    }

    pub fn verdict(&self) -> Verdict {
        match (self.error, self.events.last()) {
            (Some(error), _) => Verdict::Fail(error.close_code().into()),
            (None, Some(Seen::Close(code, _))) => Verdict::Closed(*code),
            (None, _) => Verdict::Open,
        }
    }

    /// The frames sent; a Close is represented by its code.
    #[track_caller]
    pub fn answers(&self) -> Vec<(u8, Vec<u8>)> {
        let answer = |frame: naive::Frame| match frame.opcode {
            8 => (8, frame.payload[..frame.payload.len().min(2)].to_vec()),
            opcode => (opcode, frame.payload),
        };
        let emitted = Strict::new(self.role).any_close_code(true).read(&self.out);
        emitted.into_iter().map(|emitted| answer(emitted.frame)).collect()
    }

    #[track_caller]
    pub fn sees(self, events: &[Seen]) -> Self {
        assert_eq!(self.events, events);
        self
    }

    /// Asserts that nothing failed and all input was consumed.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!((self.error, self.state), (None, State::Open));
        self
    }

    /// Asserts that nothing was sent.
    #[track_caller]
    pub fn sends_nothing(self) -> Self {
        assert_eq!(self.out, b"");
        self
    }

    #[track_caller]
    pub fn sends(self, bytes: &[u8]) -> Self {
        assert_eq!(self.out, bytes);
        self
    }

    /// Asserts that it failed with `error`, and reported that in exactly one Close frame, which is the last frame sent.
    #[track_caller]
    pub fn fails(self, error: Error) -> Self {
        assert_eq!(self.error, Some(error));
        assert_eq!(
            (self.state, self.transport),
            (State::Closed, TransportAdvice::Close)
        );
        let frames = strict::frames_of(self.role, &self.out);
        let (last, before) = frames.split_last().expect("a Close is sent");
        assert!(before.iter().all(|frame| frame.opcode != 8));
        let mut body = u16::from(error.close_code()).to_be_bytes().to_vec();
        // The Close does not name the setting (D84).
        let reason = error.to_string().replace(" (Config::max_message_size)", "");
        body.extend(reason.into_bytes());
        assert_eq!((last.opcode, &last.payload), (8, &body));
        self
    }

    /// Asserts that it failed with this close code.
    #[track_caller]
    pub fn fails_with(self, code: u16) -> Self {
        let error = self.error.expect("an error");
        assert_eq!(error.close_code(), CloseCode(code));
        self.fails(error)
    }
}

/// Something that receives: a connection, or its two halves.
pub trait Receiver {
    fn receive<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error>;

    fn payload_space(&mut self, max_read_size: usize) -> Option<&mut [u8]>;

    fn payload_filled(&mut self, size: usize);

    fn status(&self) -> (Role, State, TransportAdvice);
}

impl Receiver for Connection {
    fn receive<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        self.receive(input, out)
    }

    fn payload_space(&mut self, max_read_size: usize) -> Option<&mut [u8]> {
        self.payload_space(max_read_size)
    }

    fn payload_filled(&mut self, size: usize) {
        self.payload_filled(size);
    }

    fn status(&self) -> (Role, State, TransportAdvice) {
        (self.role(), self.state(), self.transport_advice())
    }
}

/// Each reply is passed to the sending half immediately.
impl Receiver for (ReceiveHalf, SendHalf) {
    fn receive<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event<'i>>, Error> {
        let (result, reply) = self.0.receive(input);
        let (before, is_none) = (out.len(), reply.is_none());
        self.1.reply(reply, out);
        assert!(!is_none || out.len() == before, "output without a reply");
        result
    }

    fn payload_space(&mut self, max_read_size: usize) -> Option<&mut [u8]> {
        self.0.payload_space(max_read_size)
    }

    fn payload_filled(&mut self, size: usize) {
        self.0.payload_filled(size);
    }

    fn status(&self) -> (Role, State, TransportAdvice) {
        (self.1.role(), self.1.state(), self.1.transport_advice())
    }
}

/// The events, with messages in chunks assembled.
#[derive(Default)]
pub struct Events {
    pub seen: Vec<Seen>,
    chunks: Vec<u8>,
}

impl Events {
    /// Receives until nothing is left to receive. Returns the error that ended it.
    #[track_caller]
    fn take_all(
        &mut self,
        connection: &mut impl Receiver,
        input: &mut &mut [u8],
        out: &mut Vec<u8>,
    ) -> Option<Error> {
        loop {
            match connection.receive(input, out) {
                Ok(Some(event)) => self.take(event),
                Ok(None) => return None,
                Err(error) => return Some(error),
            }
        }
    }

    #[track_caller]
    pub fn take(&mut self, event: Event<'_>) {
        match event {
            Event::TextChunk(text, fin) => self.chunk(true, text.as_bytes(), fin),
            Event::BinaryChunk(payload, fin) => self.chunk(false, &payload, fin),
            event => self.seen.push(event.into()),
        }
    }

    #[track_caller]
    fn chunk(&mut self, is_text: bool, bytes: &[u8], fin: Fin) {
        self.chunks.extend(bytes);
        match fin {
            Fin::More => assert!(!bytes.is_empty(), "an empty chunk inside a message"),
            Fin::Last => {
                let whole = std::mem::take(&mut self.chunks);
                self.seen.push(super::message(is_text, &whole));
            }
        }
    }
}

/// Feeds `bytes` to the connection, split before each index of `cuts`, and checks what holds for any input: all of it is consumed
/// while the connection is open; afterwards, nothing is read, reported or sent.
#[track_caller]
pub fn drive(connection: &mut impl Receiver, bytes: &[u8], cuts: &[usize]) -> Run {
    let mut out = Vec::new();
    let mut events = Events::default();
    let mut error: Option<Error> = None;
    let mut consumed = 0;
    // Closing, with nothing left to read: the peer's Close was received, and replying to it was left to the caller.
    let mut over = match connection.status() {
        (_, State::Open, _) => false,
        (_, State::Closing, transport) => transport == TransportAdvice::KeepOpen,
        (_, State::Closed, _) => true,
    };
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut part = bytes[start..end].to_vec();
        start = end;
        let size = part.len();
        let mut input = &mut part[..];
        loop {
            let before = (input.len(), out.len());
            let result = connection.receive(&mut input, &mut out);
            if over {
                assert_eq!(
                    (input.len(), out.len()),
                    before,
                    "something happened after the end"
                );
                assert_eq!(result.as_ref().err(), error.as_ref(), "errors are fused");
                assert!(matches!(result, Err(_) | Ok(None)), "an event after the end");
                break;
            }
            match result {
                Ok(Some(event)) => {
                    over = matches!(event, Event::Close(_));
                    events.take(event);
                }
                Ok(None) => {
                    assert!(input.is_empty(), "the input is consumed");
                    break;
                }
                Err(found) => {
                    over = true;
                    error = Some(found);
                }
            }
        }
        consumed += size - input.len();
    }
    Run::new(connection.status(), events, out, error, consumed)
}

/// Same as [`drive`], for a transport that reads into messages where that is possible: the bytes up to a cut are read in parts of at
/// most `max_read_size` bytes.
#[track_caller]
pub fn drive_into_messages(
    connection: &mut impl Receiver,
    bytes: &[u8],
    cuts: &[usize],
    max_read_size: usize,
) -> Run {
    let mut out = Vec::new();
    let mut events = Events::default();
    let mut error = None;
    let mut consumed = 0;
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut rest = &bytes[start..end];
        start = end;
        while !rest.is_empty() {
            let mut buffer = Vec::new();
            let size = match connection.payload_space(max_read_size) {
                Some(space) => {
                    assert!(!space.is_empty() && space.len() <= max_read_size);
                    let size = rest.len().min(space.len());
                    space[..size].copy_from_slice(&rest[..size]);
                    // Never shown: more than was read.
                    space[size..].fill(0xff);
                    connection.payload_filled(size);
                    assert_eq!(
                        connection.payload_space(max_read_size),
                        None,
                        "before they are received"
                    );
                    size
                }
                None => {
                    let size = rest.len().min(max_read_size.max(1));
                    buffer.extend(&rest[..size]);
                    size
                }
            };
            rest = &rest[size..];
            let mut input = &mut buffer[..];
            error = events.take_all(connection, &mut input, &mut out);
            consumed += size - input.len();
            if error.is_some() || matches!(events.seen.last(), Some(Seen::Close(..))) {
                assert_eq!(connection.payload_space(max_read_size), None, "after the end");
                return Run::new(connection.status(), events, out, error, consumed);
            }
            assert!(input.is_empty(), "total consumption");
        }
    }
    Run::new(connection.status(), events, out, error, consumed)
}

/// Feeds `bytes` to a connection with `Delivery::InPlace`: a buffer to which the parts are appended, and from whose front consumed
/// bytes are removed.
#[track_caller]
pub fn drive_held(connection: &mut Connection, bytes: &[u8], cuts: &[usize]) -> Run {
    let mut out = Vec::new();
    let mut events = Events::default();
    let mut error = None;
    let mut consumed = 0;
    let mut buffer: Vec<u8> = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        buffer.extend(&bytes[start..end]);
        start = end;
        let size = buffer.len();
        let mut input = &mut buffer[..];
        error = events.take_all(connection, &mut input, &mut out).or(error);
        let open = error.is_none() && !matches!(events.seen.last(), Some(Seen::Close(..)));
        if open && !input.is_empty() {
            assert!(
                connection.payload_remaining() > input.len() as u64,
                "only an incomplete payload is held"
            );
        }
        let taken = size - input.len();
        consumed += taken;
        buffer.drain(..taken);
    }
    Run::new(connection.status(), events, out, error, consumed)
}

/// Frames as the decoder reads them: header, payload so far, and whether it is complete; and the rule that was violated.
pub type Decoded = (Vec<(Header, Vec<u8>, bool)>, Option<Violation>);

/// Feeds `bytes` to a decoder, split before each index of `cuts`.
#[track_caller]
pub fn decode(rules: &Rules, bytes: &[u8], cuts: &[usize]) -> Decoded {
    let mut decoder = Decoder::new(*rules);
    let mut frames: Vec<(Header, Vec<u8>, bool)> = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut part = bytes[start..end].to_vec();
        start = end;
        let mut input = &mut part[..];
        loop {
            let before = input.len();
            match decoder.decode(&mut input) {
                Ok(Some(Item::Start(header))) => {
                    assert!(frames.iter().all(|frame| frame.2), "a start inside a frame");
                    frames.push((header, Vec::new(), false));
                }
                Ok(Some(Item::Chunk(chunk))) => {
                    assert!(!chunk.is_empty() && chunk.len() <= before);
                    frames.last_mut().expect("a start before").1.extend(&*chunk);
                }
                Ok(Some(Item::End)) => frames.last_mut().expect("a start before").2 = true,
                Ok(None) => {
                    assert!(input.is_empty());
                    break;
                }
                Err(violation) => {
                    let left = input.len();
                    assert_eq!(decoder.decode(&mut input), Err(violation), "fused");
                    assert_eq!(input.len(), left);
                    return (frames, Some(violation));
                }
            }
        }
    }
    if let Some((header, payload, false)) = frames.last() {
        assert_eq!(
            decoder.payload_remaining(),
            Some(header.payload_len - payload.len() as u64)
        );
    }
    (frames, None)
}

/// Asserts that the decoder reads the same frames for any split, and the same as the naive reader.
#[track_caller]
pub fn assert_decodes(rules: &Rules, bytes: &[u8], cuts: &[usize]) {
    let whole = decode(rules, bytes, &[]);
    assert_eq!(decode(rules, bytes, cuts), whole);
    assert_eq!(decode(rules, bytes, &every_cut(bytes.len())), whole);
    let mut rest = bytes;
    for (header, payload, complete) in whole.0 {
        let Some((frame, size, minimal)) = naive::split(rest) else {
            assert!(!complete);
            return;
        };
        assert!(complete);
        assert_eq!(
            (header.fin, header.opcode.bits(), header.mask),
            (frame.fin, frame.opcode, frame.key)
        );
        let bits = [header.rsv1, header.rsv2, header.rsv3];
        assert_eq!(bits, [4, 2, 1].map(|bit| frame.rsv & bit != 0));
        assert_eq!(
            (header.payload_len, payload),
            (frame.payload.len() as u64, frame.payload)
        );
        let encoded = header.encode();
        assert_eq!(rest.starts_with(&encoded), minimal);
        rest = &rest[size..];
    }
}

/// The text that was returned, and how many pieces were accepted before one was rejected.
fn push(pieces: &[&[u8]]) -> (String, usize, Result<(), InvalidUtf8>) {
    let (mut utf8, mut text) = (Validator::new(), String::new());
    for (i, piece) in pieces.iter().enumerate() {
        match utf8.push(piece) {
            Ok((char, rest)) => {
                text.extend(char);
                text.push_str(rest);
                assert!(utf8.carried() <= 3);
            }
            Err(error) => return (text, i, Err(error)),
        }
    }
    (text, pieces.len(), utf8.finish())
}

/// Asserts that, for any split, the result is that of the standard library for all bytes, that the validator fails at the first
/// byte that makes the text invalid, and that it returns the text.
#[track_caller]
pub fn assert_validates(bytes: &[u8], cuts: &[usize]) {
    let expected = std::str::from_utf8(bytes);
    assert_eq!(validate(bytes).ok(), expected.ok());
    // The size of the shortest prefix that cannot become valid.
    let bad = match expected {
        Err(error) if error.error_len().is_some() => {
            let start = error.valid_up_to() + 1;
            let bad = (start..=bytes.len()).find(|size| naive::utf8(&bytes[..*size]) == naive::Utf8::Invalid);
            Some(bad.expect("something is invalid"))
        }
        _ => None,
    };
    for cuts in [&[], &every_cut(bytes.len())[..], cuts] {
        let pieces = parts(bytes, cuts);
        let (text, taken, end) = push(&pieces);
        assert_eq!(end.is_ok(), expected.is_ok());
        assert!(bytes.starts_with(text.as_bytes()));
        match bad {
            Some(bad) => {
                let before: usize = pieces[..taken].iter().map(|piece| piece.len()).sum();
                assert!((before + 1..=before + pieces[taken].len()).contains(&bad));
            }
            None => {
                assert_eq!(taken, pieces.len());
                let valid = expected.map_or_else(|error| error.valid_up_to(), str::len);
                assert_eq!(text.len(), valid);
            }
        }
    }
}

/// The indices, in order, at which `shares` split `len` bytes.
pub fn cuts(shares: &[u8], len: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = shares
        .iter()
        .map(|share| (usize::from(*share) * (len + 1)) >> 8)
        .collect();
    cuts.sort_unstable();
    cuts
}

/// Every index at which `len` bytes can be split.
pub fn every_cut(len: usize) -> Vec<usize> {
    (1..len).collect()
}

/// Splits `bytes` before each index of `cuts`.
pub fn parts<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut start = 0;
    cuts.iter()
        .copied()
        .chain([bytes.len()])
        .map(|end| &bytes[std::mem::replace(&mut start, end)..end])
        .collect()
}
