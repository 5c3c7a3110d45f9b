//! Properties over generated streams and operations, which hold for any bytes and any split.
#![cfg(feature = "alloc")]

mod common;

use common::model::{Operation, Pair, Setup};
use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_proto::frame::Rules;
use websocket_proto::{AutoPong, CloseCode, Config, Delivery, Fin, MessageKind, Prepared, Role};

/// A small limit, so that generated messages reach it.
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

/// A part of what a peer sends.
#[derive(Clone, Debug)]
enum Part {
    /// A message in fragments, split at these places, with Pings in between where `pings` says so.
    Message {
        text: bool,
        bytes: Vec<u8>,
        cuts: Vec<u8>,
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
        4 => (content, vec(any::<u8>(), 0..4), vec(any::<bool>(), 5)).prop_map(
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

/// The bytes of the parts as a peer of `role` sends them, with varying keys.
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
                let mut ends = common::cuts(cuts, content.len());
                ends.push(content.len());
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

/// Streams of all sorts: valid ones, with or without a Close, valid ones with odd frames or damaged bytes, and noise.
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

proptest! {
    #![proptest_config(cases(1500))]

    // Requirements section 18, 1: any partition, and one byte at a time, gives the same result as the whole
    #[test]
    fn events_output_and_errors_do_not_depend_on_the_reads(
        (role, bytes) in stream(),
        shares in vec(any::<u8>(), 0..6),
        letter in any::<bool>(),
    ) {
        let mut config = Config::new().max_message_size(LIMIT);
        if letter {
            config = config.auto_pong(AutoPong::UntilPeerCloses).auto_close(false);
        }
        let whole = drive(&mut open(role, &config), &bytes, &[]);
        let every = every_cut(bytes.len());
        whole.assert_same(&drive(&mut open(role, &config), &bytes, &every));
        whole.assert_same(&drive(&mut open(role, &config), &bytes, &cuts(&shares, bytes.len())));
    }

    // Requirements section 18, 1, for a transport that reads into messages
    #[test]
    fn reads_into_messages_show_the_same(
        (role, bytes) in stream(),
        shares in vec(any::<u8>(), 0..6),
        max_read_size in 0..12usize,
    ) {
        let config = Config::new().max_message_size(LIMIT);
        let whole = drive(&mut open(role, &config), &bytes, &[]);
        let cuts = cuts(&shares, bytes.len());
        for cuts in [&cuts[..], &[]] {
            whole.assert_same(&drive_into_messages(&mut open(role, &config), &bytes, cuts, max_read_size));
        }
        whole.assert_same(&drive_into_messages(&mut open(role, &config).split(), &bytes, &cuts, max_read_size));
    }

    // Contract, clause 2: `None` asks for more input, and a call without any changes nothing. An endpoint leaves it out
    #[test]
    fn empty_reads_change_nothing((role, bytes) in stream()) {
        let config = Config::new().max_message_size(LIMIT);
        let every = every_cut(bytes.len());
        let twice: Vec<_> = every.iter().flat_map(|cut| [*cut; 2]).collect();
        let run = drive(&mut open(role, &config), &bytes, &every);
        run.assert_same(&drive(&mut open(role, &config), &bytes, &twice));

        let hold = config.delivery(Delivery::InPlace);
        let run = drive_held(&mut open(role, &hold), &bytes, &every);
        run.assert_same(&drive_held(&mut open(role, &hold), &bytes, &twice));
    }

    // Requirements section 18, 1, for `Delivery::InPlace`: what is held is not consumed, and nothing else differs from copying.
    #[test]
    fn held_input_shows_the_same_whatever_the_reads(
        (role, bytes) in stream(),
        shares in vec(any::<u8>(), 0..6),
    ) {
        let config = Config::new().max_message_size(LIMIT);
        let hold = config.clone().delivery(Delivery::InPlace);
        let held = drive_held(&mut open(role, &hold), &bytes, &[]);
        let every = every_cut(bytes.len());
        held.assert_same(&drive_held(&mut open(role, &hold), &bytes, &every));
        held.assert_same(&drive_held(&mut open(role, &hold), &bytes, &cuts(&shares, bytes.len())));

        let copied = drive(&mut open(role, &config), &bytes, &[]);
        held.assert_held_is_the_same(&copied);
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
        shares in vec(any::<u8>(), 0..6),
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
                    let mut ends = common::cuts(cuts, bytes.len());
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
        strict::frames_of(from, &out);
        let run = drive(&mut open(from.peer(), &config), &out, &cuts(&shares, out.len()));
        prop_assert_eq!(run.error, None);
        prop_assert_eq!(run.consumed, out.len());
        prop_assert_eq!(run.events, expected);
        strict::frames_of(from.peer(), &run.out);
    }

    // Contract, clause 5: for any split, the decoder of the frame layer reads what the naive one reads
    #[test]
    fn decoder_reads_the_same_frames_over_any_split(
        (role, bytes) in stream(),
        shares in vec(any::<u8>(), 0..6),
    ) {
        let rules = Rules::new(role).max_payload(LIMIT);
        assert_decodes(&rules, &bytes, &cuts(&shares, bytes.len()));
    }

    // Requirements section 18, 6: for any split of any bytes, the result is that of `core::str::from_utf8` on the whole, and what
    // is returned is the text
    #[test]
    fn validator_agrees_with_the_standard_library_over_any_split(
        bytes in prop_oneof![
            any_text(200).prop_map(String::into_bytes),
            (any_text(100), vec(any::<u8>(), 0..4), any_text(100))
                .prop_map(|(a, b, c)| [a.as_bytes(), &b, c.as_bytes()].concat()),
            vec(any::<u8>(), 0..8),
        ],
        shares in vec(any::<u8>(), 0..6),
    ) {
        assert_validates(&bytes, &cuts(&shares, bytes.len()));
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
        (server, client) in (setup(), setup()),
        operations in vec((role(), operation()), 0..60),
    ) {
        let server = (open(Role::Server, &server.config()), server);
        let mut pair = Pair::new(server, (open(Role::Client, &client.config()), client));
        for (role, operation) in operations {
            pair.run(role, &operation);
        }
        pair.finish();
    }
}

fn agrees_with_naive_receiver(role: Role, bytes: &[u8]) -> Result<(), TestCaseError> {
    for accept_rsv1_on_control in [false, true] {
        let config = Config::new()
            .max_message_size(LIMIT)
            .accept_rsv1_on_control(accept_rsv1_on_control);
        let rules = naive::Rules {
            accept_rsv1_on_control,
            ..naive::Rules::strict(role, LIMIT)
        };
        agrees_by_rules(&config, &rules, bytes)?;
    }
    Ok(())
}

fn agrees_by_rules(config: &Config, rules: &naive::Rules, bytes: &[u8]) -> Result<(), TestCaseError> {
    let run = drive(&mut open(rules.role, config), bytes, &[]);
    let expected = naive::receive(rules, bytes);
    prop_assert_eq!(run.verdict(), expected.verdict);
    prop_assert_eq!(run.answers(), expected.answers);
    prop_assert_eq!(run.events, expected.events);
    Ok(())
}

// ---- the model -----------------------------------------------------------------------------------------------------------

fn operation() -> impl Strategy<Value = Operation> {
    let code = prop_oneof![
        2 => Just(None),
        4 => prop::sample::select(vec![1000u16, 1001, 3000, 4999]).prop_map(Some),
        1 => prop::sample::select(vec![0u16, 1004, 1005, 1006, 1010, 1015, 2000, 5000]).prop_map(Some),
    ];
    let reason = prop_oneof![4 => any_text(8), 1 => Just("x".repeat(123)), 1 => Just("x".repeat(124))];
    // The parts of a code point, in and out of order.
    let cut = vec![
        b"\xe2".to_vec(),
        b"\x82\xac".to_vec(),
        b"\xe2\x82".to_vec(),
        b"\xac".to_vec(),
    ];
    let fragment = prop_oneof![
        3 => any_text(6).prop_map(String::into_bytes),
        2 => prop::sample::select(cut),
    ];
    let fin = prop::sample::select(vec![Fin::More, Fin::Last]);
    let control = || prop_oneof![9 => vec(any::<u8>(), 0..10), 1 => vec(any::<u8>(), 124..128)];
    let amount = prop_oneof![3 => 0..6usize, 2 => 0..60usize, 2 => Just(usize::MAX)];
    let prepared = prop_oneof![
        any_text(20).prop_map(|text| Prepared::text(&text)),
        any_bytes(300).prop_map(|bytes| Prepared::binary(&bytes)),
    ];
    prop_oneof![
        4 => any_text(20).prop_map(Operation::Text),
        3 => any_bytes(300).prop_map(Operation::Binary),
        1 => prepared.prop_map(|prepared| Operation::Prepared(Box::new(prepared))),
        1 => any_bytes(300).prop_map(Operation::Header),
        1 => (any::<bool>(), any_text(20)).prop_map(|(text, content)| Operation::InPlace {
            text,
            bytes: content.into_bytes(),
        }),
        5 => (any::<bool>(), fragment, fin)
            .prop_map(|(text, bytes, fin)| Operation::Fragment { text, bytes, fin }),
        2 => control().prop_map(Operation::Ping),
        2 => control().prop_map(Operation::Pong),
        1 => (code, reason).prop_map(|(code, reason)| Operation::Close { code, reason }),
        10 => amount.prop_map(Operation::Deliver),
        1 => Just(Operation::Lose),
    ]
}

fn setup() -> impl Strategy<Value = Setup> {
    let auto_pong = prop::sample::select(vec![
        AutoPong::Off,
        AutoPong::WhileOpen,
        AutoPong::UntilPeerCloses,
    ]);
    let flags = any::<[bool; 4]>();
    (auto_pong, prop::bool::weighted(0.7), flags).prop_map(
        |(auto_pong, auto_close, [hold, stream, split, recycle])| Setup {
            auto_pong,
            auto_close,
            hold,
            stream,
            split,
            deflated: false,
            recycle,
        },
    )
}
