//! Properties over generated streams and operations: whatever the reads are, whatever the bytes are.
#![cfg(feature = "alloc")]

mod common;

use common::naive::Verdict;
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_proto::frame::{Decoder, Header, Item, Rules, Violation};
use websocket_proto::utf8::Utf8;
use websocket_proto::{
    AutoPong, CloseCode, ClosedBy, Config, Connection, Error, Fin, MessageKind, Misuse, Role, State,
    Transport,
};

/// A small limit, so that generated messages meet it.
const LIMIT: u64 = 180;

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

/// A connection whose masking keys differ from frame to frame, the same in each run.
fn open(role: Role, config: &Config) -> Connection {
    match role {
        Role::Server => Connection::server(config),
        Role::Client => {
            let mut next = 0x9e37_79b9u32;
            Connection::client(config, move |key: &mut [u8]| {
                next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                key.copy_from_slice(&next.to_be_bytes());
            })
        }
    }
}

/// Text that is more than ASCII.
fn any_text(max: usize) -> impl Strategy<Value = String> {
    vec(
        prop_oneof![
            4 => prop::char::range(' ', '~'),
            1 => any::<char>(),
            1 => prop::sample::select(vec!['é', '€', '😀', '\u{10ffff}', '\0']),
        ],
        0..max,
    )
    .prop_map(String::from_iter)
}

fn any_bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(any::<u8>(), 0..12), vec(any::<u8>(), 0..max)]
}

/// What a peer does in one go.
#[derive(Clone, Debug)]
enum Part {
    /// A message in fragments cut at these places, with Pings in between where `pings` says so.
    Message {
        text: bool,
        bytes: Vec<u8>,
        cuts: Vec<Index>,
        pings: Vec<bool>,
    },
    Control {
        opcode: u8,
        bytes: Vec<u8>,
    },
    /// A frame of any first byte, possibly with a length in a longer form than needed.
    Frame {
        first: u8,
        long: u8,
        bytes: Vec<u8>,
    },
}

fn valid_part() -> impl Strategy<Value = Part> {
    let content = prop_oneof![
        any_text(60).prop_map(|text| (true, text.into_bytes())),
        any_bytes(280).prop_map(|bytes| (false, bytes)),
    ];
    prop_oneof![
        4 => (content, vec(any::<Index>(), 0..4), vec(any::<bool>(), 5)).prop_map(
            |((text, bytes), cuts, pings)| Part::Message { text, bytes, cuts, pings }
        ),
        2 => (9..=10u8, vec(any::<u8>(), 0..=125)).prop_map(|(opcode, bytes)| Part::Control { opcode, bytes }),
    ]
}

fn close_part() -> impl Strategy<Value = Part> {
    let code = prop_oneof![
        4 => prop::sample::select(vec![1000u16, 1001, 1007, 1010, 1014, 3000, 4999]),
        1 => any::<u16>(),
    ];
    let body = prop_oneof![
        1 => Just(Vec::new()),
        4 => (code, any_text(20)).prop_map(|(code, reason)| {
            [&code.to_be_bytes()[..], reason.as_bytes()].concat()
        }),
        1 => vec(any::<u8>(), 0..5),
    ];
    body.prop_map(|bytes| Part::Control { opcode: 8, bytes })
}

fn odd_part() -> impl Strategy<Value = Part> {
    // Mostly sensible first bytes: data in any order, control frames.
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x00u8, 0x01, 0x02, 0x80, 0x81, 0x82, 0x89, 0x8a]),
        1 => any::<u8>(),
    ];
    let long = prop_oneof![12 => Just(0u8), 1 => 1..=2u8];
    (first, long, any_bytes(200)).prop_map(|(first, long, bytes)| Part::Frame { first, long, bytes })
}

/// The bytes of the parts as a peer of `role` sends them, with keys that differ.
fn wire(role: Role, parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut count = 0u8;
    let mut key = || {
        count = count.wrapping_add(37);
        (role == Role::Server).then_some([count, !count, count ^ 0x55, 0])
    };
    for part in parts {
        match part {
            Part::Message {
                text,
                bytes: content,
                cuts,
                pings,
            } => {
                let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
                ends.push(content.len());
                ends.sort_unstable();
                let mut start = 0;
                for (i, end) in ends.iter().copied().enumerate() {
                    let opcode = match (i, text) {
                        (0, true) => 1,
                        (0, false) => 2,
                        _ => 0,
                    };
                    let fin = if i + 1 == ends.len() { 0x80 } else { 0 };
                    bytes.extend(frame(fin | opcode, key(), &content[start..end]));
                    start = end;
                    if fin == 0 && pings.get(i) == Some(&true) {
                        bytes.extend(frame(0x89, key(), b"between"));
                    }
                }
            }
            Part::Control { opcode, bytes: body } => bytes.extend(frame(0x80 | opcode, key(), body)),
            Part::Frame {
                first,
                long,
                bytes: body,
            } => {
                let key = key();
                let short = frame(*first, key, body);
                let header = header(*first, key, body.len() as u64).len();
                let mask = short[1] & 0x80;
                let len = body.len() as u64;
                bytes.push(*first);
                match long {
                    0 => bytes.extend(&short[1..header]),
                    1 => {
                        bytes.push(mask | 126);
                        bytes.extend((len as u16).to_be_bytes());
                        bytes.extend(key.iter().flatten());
                    }
                    _ => {
                        bytes.push(mask | 127);
                        bytes.extend(len.to_be_bytes());
                        bytes.extend(key.iter().flatten());
                    }
                }
                bytes.extend(&short[header..]);
            }
        }
    }
    bytes
}

/// Streams of every sort: valid ones, with or without a Close, valid ones with odd frames or damaged bytes, and noise.
fn stream() -> impl Strategy<Value = (Role, Vec<u8>)> {
    let valid = || vec(valid_part(), 0..5);
    let mutation = (
        any::<Index>(),
        prop_oneof![Just(None), any::<u8>().prop_map(Some)],
    );
    let parts = prop_oneof![
        3 => (valid(), vec(close_part(), 0..2), vec(valid_part(), 0..2))
            .prop_map(|(a, b, c)| [a, b, c].concat()),
        2 => (valid(), vec(odd_part(), 1..5), valid()).prop_map(|(a, b, c)| [a, b, c].concat()),
    ];
    let damaged = (
        role(),
        parts,
        prop_oneof![2 => vec(mutation.clone(), 0), 1 => vec(mutation, 1..3)],
    )
        .prop_map(|(role, parts, mutations)| {
            let mut bytes = wire(role, &parts);
            for (place, byte) in mutations {
                if bytes.is_empty() {
                    break;
                }
                let place = place.index(bytes.len());
                match byte {
                    Some(byte) => bytes[place] = byte,
                    None => bytes.truncate(place),
                }
            }
            (role, bytes)
        });
    prop_oneof![9 => damaged, 1 => (role(), vec(any::<u8>(), 0..40))]
}

fn indexes(cuts: &[Index], len: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts
}

proptest! {
    #![proptest_config(cases(1500))]

    // Requirements section 18, 1: any partition, and one byte at a time, shows the same as the whole
    #[test]
    fn events_output_and_errors_do_not_depend_on_the_reads(
        (role, bytes) in stream(),
        cuts in vec(any::<Index>(), 0..6),
        letter in any::<bool>(),
    ) {
        let mut config = Config::new().max_message_size(LIMIT);
        if letter {
            config = config.auto_pong(AutoPong::UntilPeerCloses).auto_close(false);
        }
        let whole = drive(&mut open(role, &config), &bytes, &[]);
        let every: Vec<usize> = (1..bytes.len()).collect();
        whole.assert_same(&drive(&mut open(role, &config), &bytes, &every));
        whole.assert_same(&drive(&mut open(role, &config), &bytes, &indexes(&cuts, bytes.len())));
    }

    // Requirements section 18, 1, for callers that hold. One thing differs, and only from those that do not: a text in one frame
    // is validated when it is whole, so if the stream ends inside it, its fault has not shown yet.
    #[test]
    fn held_input_shows_the_same_whatever_the_reads(
        (role, bytes) in stream(),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let config = Config::new().max_message_size(LIMIT);
        let hold = config.hold(true);
        let held = drive_held(&mut open(role, &hold), &bytes, &[]);
        let every: Vec<usize> = (1..bytes.len()).collect();
        held.assert_same(&drive_held(&mut open(role, &hold), &bytes, &every));
        held.assert_same(&drive_held(&mut open(role, &hold), &bytes, &indexes(&cuts, bytes.len())));

        let copied = drive(&mut open(role, &config), &bytes, &[]);
        prop_assert_eq!(&held.events, &copied.events);
        if held.error == copied.error {
            prop_assert_eq!(&held.out, &copied.out);
            prop_assert_eq!(held.state, copied.state);
            // What is held is not consumed, but was looked at.
            prop_assert!(held.consumed <= copied.consumed);
            if held.error.is_some() || held.state != State::Open {
                prop_assert_eq!(held.consumed, copied.consumed);
            }
        } else {
            prop_assert_eq!((held.error, copied.error), (None, Some(Error::InvalidUtf8)));
            prop_assert!(held.consumed < bytes.len(), "inside the text");
        }
    }

    // Requirements section 18, 4 and 11: the naive receiver sees the same events, comes to the same verdict and owes the same
    #[test]
    fn naive_receiver_agrees_on_any_bytes((role, bytes) in stream()) {
        agrees_with_naive_receiver(role, &bytes)?;
    }

    // Requirements section 18, 2: what one end sends is what the other receives
    #[test]
    fn messages_make_the_round_trip(
        from in role(),
        parts in vec(valid_part(), 0..6),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let config = Config::new();
        let (mut sender, mut out) = (open(from, &config), Vec::new());
        let mut expected = Vec::new();
        for part in &parts {
            match part {
                Part::Control { opcode: 9, bytes } => {
                    sender.send_ping(bytes, &mut out).unwrap();
                    expected.push(ping(bytes));
                }
                Part::Control { bytes, .. } => {
                    sender.send_pong(bytes, &mut out).unwrap();
                    expected.push(pong(bytes));
                }
                Part::Message { text, bytes, cuts, .. } if cuts.is_empty() => {
                    if *text {
                        let text = core::str::from_utf8(bytes).unwrap();
                        sender.send_text(text, &mut out).unwrap();
                    } else {
                        sender.send_binary(bytes, &mut out).unwrap();
                    }
                    expected.push(message(*text, bytes));
                }
                Part::Message { text, bytes, cuts, pings } => {
                    let kind = if *text { MessageKind::Text } else { MessageKind::Binary };
                    let mut ends = indexes(cuts, bytes.len());
                    ends.push(bytes.len());
                    let mut start = 0;
                    for (i, end) in ends.iter().copied().enumerate() {
                        let fin = if i + 1 == ends.len() { Fin::Last } else { Fin::More };
                        sender.send_fragment(kind, &bytes[start..end], fin, &mut out).unwrap();
                        start = end;
                        if fin == Fin::More && pings[i] {
                            sender.send_ping(b"between", &mut out).unwrap();
                            expected.push(ping(b"between"));
                        }
                    }
                    expected.push(message(*text, bytes));
                }
                Part::Frame { .. } => {}
            }
        }
        sender.close(CloseCode::GOING_AWAY, "bye", &mut out).unwrap();
        expected.push(close(1001, "bye"));
        naive::frames_of(from, &out);
        let run = drive(&mut open(other(from), &config), &out, &indexes(&cuts, out.len()));
        prop_assert_eq!(run.error, None);
        prop_assert_eq!(run.consumed, out.len());
        prop_assert_eq!(run.events, expected);
        naive::frames_of(other(from), &run.out);
    }

    // Contract, clause 5: the decoder of the frame tier, over any split, reads what the naive one reads
    #[test]
    fn decoder_reads_the_same_frames_over_any_split(
        (role, bytes) in stream(),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let rules = Rules::new(role).max_payload(LIMIT);
        let (whole, failed) = decode(&rules, &bytes, &[])?;
        let every: Vec<usize> = (1..bytes.len()).collect();
        prop_assert_eq!(&decode(&rules, &bytes, &every)?, &(whole.clone(), failed));
        prop_assert_eq!(&decode(&rules, &bytes, &indexes(&cuts, bytes.len()))?, &(whole.clone(), failed));

        let mut rest = &bytes[..];
        for (header, payload, complete) in whole {
            let Some((frame, size, _)) = naive::split(rest) else {
                prop_assert!(!complete);
                break;
            };
            prop_assert!(complete);
            prop_assert_eq!(
                (header.fin, header.rsv1, header.rsv2, header.rsv3, header.opcode.bits(), header.mask),
                (frame.fin, frame.rsv & 4 != 0, frame.rsv & 2 != 0, frame.rsv & 1 != 0, frame.opcode, frame.key)
            );
            prop_assert_eq!((header.len, payload), (frame.payload.len() as u64, frame.payload));
            prop_assert_eq!(&*header.encode(), &rest[..header.encode().len()]);
            rest = &rest[size..];
        }
    }

    // Requirements section 18, 6: any split of any bytes ends as `core::str::from_utf8` does on the whole, and what is handed out
    // is the text
    #[test]
    fn validator_agrees_with_the_standard_library_over_any_split(
        bytes in prop_oneof![
            any_text(200).prop_map(String::into_bytes),
            (any_text(100), vec(any::<u8>(), 0..4), any_text(100))
                .prop_map(|(a, b, c)| [a.as_bytes(), &b, c.as_bytes()].concat()),
            vec(any::<u8>(), 0..8),
        ],
        cuts in vec(any::<Index>(), 0..6),
    ) {
        let (mut utf8, mut found, mut start, mut failed) = (Utf8::new(), String::new(), 0, None);
        let mut ends = indexes(&cuts, bytes.len());
        ends.push(bytes.len());
        for end in ends {
            match utf8.push(&bytes[start..end]) {
                Ok((char, rest)) => {
                    found.extend(char);
                    found.push_str(rest);
                }
                Err(_) => {
                    failed = Some((start, end));
                    break;
                }
            }
            start = end;
        }
        let expected = core::str::from_utf8(&bytes);
        match failed {
            None => {
                prop_assert_eq!(utf8.finish().is_ok(), expected.is_ok());
                prop_assert_eq!(bytes.starts_with(found.as_bytes()), true);
                if let Ok(text) = expected {
                    prop_assert_eq!(found, text);
                }
            }
            Some((start, end)) => {
                // The piece that failed holds the first byte that nothing can repair, no earlier one does.
                let bad = (1..=bytes.len()).find(|size| naive::utf8(&bytes[..*size]) == naive::Utf8::Invalid);
                let bad = bad.expect("something is invalid");
                prop_assert!((start + 1..=end).contains(&bad));
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    // Requirements section 18, 3 and 8, and 6455-10.1-01: noise, with the first header made plausible so that it gets somewhere
    #[test]
    fn naive_receiver_agrees_on_noise(
        role in role(),
        first in prop::sample::select(vec![0x01u8, 0x81, 0x82, 0x88, 0x89, 0x02]),
        len in 0..10u8,
        noise in vec(any::<u8>(), 0..40),
    ) {
        let mask = if role == Role::Server { 0x80 } else { 0 };
        let bytes = [&[first, mask | len][..], &noise].concat();
        agrees_with_naive_receiver(role, &bytes)?;
    }

    // Requirements section 18, 9 and 12; 6455-10.3-01 (a call writes a whole frame or nothing), 6455-6.1-06
    #[test]
    fn operations_on_a_pair_do_as_the_model_says(
        settings in (settings(), settings()),
        operations in vec(operation(), 0..60),
    ) {
        let mut pair = Pair::new(settings.0, settings.1);
        for operation in operations {
            pair.run(&operation)?;
            pair.check()?;
        }
        pair.finish()?;
    }
}

/// Frames as the decoder reads them: header, payload so far, and whether it is complete; and the rule that was broken.
type Decoded = (Vec<(Header, Vec<u8>, bool)>, Option<Violation>);

fn decode(rules: &Rules, bytes: &[u8], cuts: &[usize]) -> Result<Decoded, TestCaseError> {
    let mut decoder = Decoder::new(*rules);
    let mut frames: Vec<(Header, Vec<u8>, bool)> = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut part = bytes[start..end].to_vec();
        start = end;
        let mut input = &mut part[..];
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(Item::Start(header))) => {
                    prop_assert!(frames.iter().all(|frame| frame.2), "a start inside a frame");
                    frames.push((header, Vec::new(), false));
                }
                Ok(Some(Item::Chunk(chunk))) => {
                    prop_assert!(!chunk.is_empty());
                    frames.last_mut().expect("a start before").1.extend(&*chunk);
                }
                Ok(Some(Item::End)) => frames.last_mut().expect("a start before").2 = true,
                Ok(None) => {
                    prop_assert!(input.is_empty());
                    break;
                }
                Err(violation) => return Ok((frames, Some(violation))),
            }
        }
    }
    if let Some((header, payload, false)) = frames.last() {
        prop_assert_eq!(decoder.remaining(), Some(header.len - payload.len() as u64));
    }
    Ok((frames, None))
}

fn message(text: bool, bytes: &[u8]) -> Seen {
    match text {
        true => Seen::Text(String::from_utf8(bytes.to_vec()).expect("valid text")),
        false => binary(bytes),
    }
}

fn agrees_with_naive_receiver(role: Role, bytes: &[u8]) -> Result<(), TestCaseError> {
    let config = Config::new().max_message_size(LIMIT);
    let run = drive(&mut open(role, &config), bytes, &[]);
    let expected = naive::receive(role, LIMIT, bytes);
    prop_assert_eq!(&run.events, &expected.events);
    let found = match (run.error, run.events.last()) {
        (Some(error), _) => Verdict::Fail(error.close_code().into()),
        (None, Some(Seen::Close(code, _))) => Verdict::Closed(*code),
        (None, _) => Verdict::Open,
    };
    prop_assert_eq!(found, expected.verdict);
    let frames: Vec<_> = naive::frames_of(role, &run.out)
        .into_iter()
        .map(|frame| match frame.opcode {
            8 => (8, frame.payload[..frame.payload.len().min(2)].to_vec()),
            opcode => (opcode, frame.payload),
        })
        .collect();
    prop_assert_eq!(frames, expected.answers);
    Ok(())
}

// ---- the model -----------------------------------------------------------------------------------------------------------

/// What may be done on a pair; `end` 0 is the server, 1 the client.
#[derive(Clone, Debug)]
enum Operation {
    Text {
        end: usize,
        text: String,
    },
    Binary {
        end: usize,
        bytes: Vec<u8>,
    },
    Fragment {
        end: usize,
        text: bool,
        bytes: Vec<u8>,
        last: bool,
    },
    Control {
        end: usize,
        ping: bool,
        bytes: Vec<u8>,
    },
    Close {
        end: usize,
        code: Option<u16>,
        reason: String,
    },
    /// So many bytes of what was sent arrive at `end`.
    Deliver {
        end: usize,
        bytes: usize,
    },
    /// `end` learns that the transport ended.
    Cut {
        end: usize,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let end = || 0..2usize;
    let code = prop_oneof![
        2 => Just(None),
        4 => prop::sample::select(vec![1000u16, 1001, 3000, 4999]).prop_map(Some),
        1 => prop::sample::select(vec![0u16, 1004, 1005, 1006, 1010, 1015, 2000, 5000]).prop_map(Some),
    ];
    let amount = prop_oneof![3 => 0..6usize, 2 => 0..60usize, 2 => Just(usize::MAX)];
    prop_oneof![
        4 => (end(), any_text(20)).prop_map(|(end, text)| Operation::Text { end, text }),
        3 => (end(), any_bytes(300)).prop_map(|(end, bytes)| Operation::Binary { end, bytes }),
        5 => (
            end(),
            any::<bool>(),
            prop_oneof![
                3 => any_text(6).prop_map(String::into_bytes),
                // The parts of a code point, in and out of order.
                2 => prop::sample::select(vec![b"\xe2".to_vec(), b"\x82\xac".to_vec(), b"\xe2\x82".to_vec(), b"\xac".to_vec()]),
            ],
            any::<bool>(),
        ).prop_map(|(end, text, bytes, last)| Operation::Fragment { end, text, bytes, last }),
        4 => (end(), any::<bool>(), prop_oneof![9 => vec(any::<u8>(), 0..10), 1 => vec(any::<u8>(), 124..128)])
            .prop_map(|(end, ping, bytes)| Operation::Control { end, ping, bytes }),
        1 => (end(), code, prop_oneof![4 => any_text(8), 1 => Just("x".repeat(123)), 1 => Just("x".repeat(124))])
            .prop_map(|(end, code, reason)| Operation::Close { end, code, reason }),
        10 => (end(), amount).prop_map(|(end, bytes)| Operation::Deliver { end, bytes }),
        1 => end().prop_map(|end| Operation::Cut { end }),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    auto_pong: AutoPong,
    auto_close: bool,
}

fn settings() -> impl Strategy<Value = Settings> {
    let auto_pong = prop::sample::select(vec![
        AutoPong::Off,
        AutoPong::WhileOpen,
        AutoPong::UntilPeerCloses,
    ]);
    (auto_pong, prop::bool::weighted(0.7)).prop_map(|(auto_pong, auto_close)| Settings {
        auto_pong,
        auto_close,
    })
}

/// What the model knows of one end.
#[derive(Debug)]
struct Model {
    role: Role,
    settings: Settings,
    /// What this end has sent, each with the place on the wire where it is complete, and whether it makes an event.
    sent: Vec<(usize, Option<Seen>)>,
    /// The length of all that this end has sent.
    size: usize,
    /// How much of what the other end has sent came here.
    delivered: usize,
    /// How many of the other end's frames came whole.
    seen: usize,
    /// The message in fragments that is being sent.
    fragments: Option<(bool, Vec<u8>)>,
    /// Our Close, by its code.
    closed: Option<u16>,
    /// The peer's Close, by its code.
    peer_closed: Option<u16>,
    /// The peer's Close came before ours was sent.
    peer_first: bool,
    ended: bool,
}

impl Model {
    fn is_open(&self) -> bool {
        self.closed.is_none() && self.peer_closed.is_none() && !self.ended
    }

    /// Notes a frame; its size on the wire by section 5.2.
    fn send(&mut self, len: usize, event: Option<Seen>) {
        let length = match len {
            0..=125 => 0,
            126..=65_535 => 2,
            _ => 8,
        };
        let key = if self.role == Role::Client { 4 } else { 0 };
        self.size += 2 + length + key + len;
        self.sent.push((self.size, event));
    }

    fn close(&mut self, code: Option<u16>, reason: &str) {
        let size = code.map_or(0, |_| 2 + reason.len());
        self.send(size, Some(Seen::Close(code, reason.into())));
        self.closed = Some(code.unwrap_or(1005));
        self.peer_first = self.peer_closed.is_some();
    }

    /// What `operation` has to come to, which is noted; or why it is wrong.
    fn sends(&mut self, operation: &Operation) -> Result<(), Misuse> {
        let may_send = match operation {
            Operation::Close { .. } => self.closed.is_none() && !self.ended,
            Operation::Fragment { .. } if self.fragments.is_some() => self.closed.is_none() && !self.ended,
            _ => self.is_open(),
        };
        if !may_send {
            return Err(Misuse::Closed);
        }
        match operation {
            Operation::Text { .. } | Operation::Binary { .. } if self.fragments.is_some() => {
                return Err(Misuse::UnfinishedMessage);
            }
            Operation::Text { text, .. } => self.send(text.len(), Some(Seen::Text(text.clone()))),
            Operation::Binary { bytes, .. } => self.send(bytes.len(), Some(binary(bytes))),
            Operation::Fragment {
                text, bytes, last, ..
            } => {
                let (begun, mut whole) = self.fragments.clone().unwrap_or((*text, Vec::new()));
                if begun != *text {
                    return Err(Misuse::UnfinishedMessage);
                }
                whole.extend(bytes);
                match naive::utf8(&whole) {
                    naive::Utf8::Invalid if *text => return Err(Misuse::InvalidUtf8),
                    naive::Utf8::Cut if *text && *last => return Err(Misuse::InvalidUtf8),
                    _ => {}
                }
                self.send(bytes.len(), last.then(|| message(*text, &whole)));
                self.fragments = (!*last).then_some((*text, whole));
            }
            Operation::Control { bytes, .. } if bytes.len() > 125 => {
                return Err(Misuse::ControlTooLong(bytes.len()));
            }
            Operation::Control {
                ping: true, bytes, ..
            } => self.send(bytes.len(), Some(ping(bytes))),
            Operation::Control { bytes, .. } => self.send(bytes.len(), Some(pong(bytes))),
            Operation::Close { code, reason, .. } => {
                let may_stand = |code: u16| match code {
                    1010 => self.role == Role::Client,
                    code => matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
                };
                match code {
                    Some(code) if !may_stand(*code) => {
                        return Err(Misuse::InvalidCloseCode(CloseCode(*code)));
                    }
                    None if !reason.is_empty() => return Err(Misuse::ReasonWithoutCode),
                    _ if reason.len() > 123 => return Err(Misuse::ReasonTooLong(reason.len())),
                    _ => self.close(*code, reason),
                }
            }
            Operation::Deliver { .. } | Operation::Cut { .. } => unreachable!("nothing is sent"),
        }
        Ok(())
    }

    /// Takes note of bytes from the other end, which has sent `sent`: the events that they make, and the answers.
    fn receives(&mut self, sent: &[(usize, Option<Seen>)], bytes: usize) -> Vec<Seen> {
        self.delivered += bytes;
        let mut events = Vec::new();
        while let Some((end, event)) = sent.get(self.seen) {
            if *end > self.delivered || self.ended || self.peer_closed.is_some() {
                break;
            }
            self.seen += 1;
            let Some(event) = event else { continue };
            match event {
                Seen::Ping(payload) => {
                    let owed = match self.settings.auto_pong {
                        AutoPong::Off => false,
                        AutoPong::WhileOpen => self.closed.is_none(),
                        _ => true,
                    };
                    if owed {
                        self.send(payload.len(), Some(pong(payload)));
                    }
                }
                Seen::Close(code, _) => {
                    self.peer_closed = Some(code.unwrap_or(1005));
                    if self.closed.is_none() && self.settings.auto_close {
                        self.close(*code, "");
                    }
                }
                _ => {}
            }
            events.push(event.clone());
        }
        events
    }

    fn state(&self) -> (State, Transport) {
        match (self.closed.is_some(), self.peer_closed.is_some()) {
            _ if self.ended => (State::Closed, Transport::Close),
            (false, false) => (State::Open, Transport::Open),
            (false, true) => (State::Closing, Transport::Open),
            (true, false) => (State::Closing, Transport::AwaitPeer),
            (true, true) if self.role == Role::Server => (State::Closed, Transport::Close),
            (true, true) => (State::Closed, Transport::AwaitPeer),
        }
    }
}

/// Two connections, the bytes between them, and what the model says of each.
struct Pair {
    connections: [Connection; 2],
    models: [Model; 2],
    /// Everything that each end has sent.
    wires: [Vec<u8>; 2],
}

impl Pair {
    fn new(server: Settings, client: Settings) -> Self {
        let model = |role, settings| Model {
            role,
            settings,
            sent: Vec::new(),
            size: 0,
            delivered: 0,
            seen: 0,
            fragments: None,
            closed: None,
            peer_closed: None,
            peer_first: false,
            ended: false,
        };
        let config = |settings: Settings| {
            Config::new()
                .auto_pong(settings.auto_pong)
                .auto_close(settings.auto_close)
        };
        Self {
            connections: [
                open(Role::Server, &config(server)),
                open(Role::Client, &config(client)),
            ],
            models: [model(Role::Server, server), model(Role::Client, client)],
            wires: [Vec::new(), Vec::new()],
        }
    }

    fn run(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        let (Operation::Text { end, .. }
        | Operation::Binary { end, .. }
        | Operation::Fragment { end, .. }
        | Operation::Control { end, .. }
        | Operation::Close { end, .. }
        | Operation::Deliver { end, .. }
        | Operation::Cut { end }) = operation;
        let (connection, out) = (&mut self.connections[*end], &mut self.wires[*end]);
        let found = match operation {
            Operation::Text { text, .. } => connection.send_text(text, out),
            Operation::Binary { bytes, .. } => connection.send_binary(bytes, out),
            Operation::Fragment {
                text, bytes, last, ..
            } => {
                let kind = if *text {
                    MessageKind::Text
                } else {
                    MessageKind::Binary
                };
                let fin = if *last { Fin::Last } else { Fin::More };
                connection.send_fragment(kind, bytes, fin, out)
            }
            Operation::Control {
                ping: true, bytes, ..
            } => connection.send_ping(bytes, out),
            Operation::Control { bytes, .. } => connection.send_pong(bytes, out),
            Operation::Close { code, reason, .. } => connection.close(code.map(CloseCode), reason, out),
            Operation::Deliver { bytes, .. } => return self.deliver(*end, *bytes),
            Operation::Cut { .. } => {
                connection.receive_eof();
                self.models[*end].ended = true;
                return Ok(());
            }
        };
        prop_assert_eq!(found, self.models[*end].sends(operation));
        Ok(())
    }

    fn deliver(&mut self, end: usize, bytes: usize) -> Result<(), TestCaseError> {
        let peer = 1 - end;
        let start = self.models[end].delivered;
        let size = bytes.min(self.wires[peer].len() - start);
        let run = drive(
            &mut self.connections[end],
            &self.wires[peer][start..start + size],
            &[],
        );
        let expected = {
            let [server, client] = &mut self.models;
            let (model, other) = if end == 0 {
                (server, client)
            } else {
                (client, server)
            };
            model.receives(&other.sent, size)
        };
        self.wires[end].extend(&run.out);
        prop_assert_eq!(run.error, None, "neither end breaks a rule");
        prop_assert_eq!(run.events, expected);
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for end in 0..2 {
            let (connection, model) = (&self.connections[end], &self.models[end]);
            prop_assert_eq!((connection.state(), connection.transport()), model.state());
            prop_assert_eq!(self.wires[end].len(), model.size, "whole frames, and no others");
        }
        Ok(())
    }

    /// All arrives, both ends learn of the end of the transport, and each has one account of it.
    fn finish(mut self) -> Result<(), TestCaseError> {
        for _ in 0..3 {
            for end in 0..2 {
                self.deliver(end, usize::MAX)?;
                self.check()?;
            }
        }
        for end in 0..2 {
            let model = &mut self.models[end];
            let closed = self.connections[end].receive_eof();
            model.ended = true;
            let clean = model.closed.is_some() && model.peer_closed.is_some();
            let code = model.peer_closed.unwrap_or(1006);
            prop_assert_eq!(facts(&closed), (code, model.closed, model.peer_closed, clean));
            let by = match (model.closed.is_some(), model.peer_closed.is_some()) {
                (true, _) if !model.peer_first => ClosedBy::Local,
                (_, true) => ClosedBy::Peer,
                _ => ClosedBy::Transport,
            };
            prop_assert_eq!(closed.by(), by);
            // At most one Close, and nothing but Pongs after it: the naive decoder panics otherwise.
            let frames = naive::frames_of(model.role, &self.wires[end]);
            prop_assert!(frames.iter().filter(|frame| frame.opcode == 8).count() <= 1);
            let run = drive(&mut self.connections[end], b"\x81\x00\x89\x00", &[]);
            prop_assert_eq!((run.events.len(), run.out.len(), run.consumed), (0, 0, 0));
        }
        self.check()
    }
}
