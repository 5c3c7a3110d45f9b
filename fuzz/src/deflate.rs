//! permessage-deflate: the negotiation, and the inflated messages.

use super::common::naive_deflate::Naive;
use super::common::windows::window;
use super::common::{every_cut, miniz, parts};
use super::input::Input;
use websocket_proto::Role;
use websocket_proto::deflate::{
    Compressor, Decompressor, DeflateConfig, EXTENSION, InflateError, Parameters, Window, accept,
    check_answer, offer,
};
use websocket_proto::handshake::{Extension, ExtensionList};

fn config(input: &mut Input) -> (DeflateConfig, [u8; 2], [bool; 2]) {
    let (client, server, flags) = (8 + input.byte() % 8, 8 + input.byte() % 8, input.byte());
    let config = DeflateConfig::new()
        .client_max_window_bits(client)
        .server_max_window_bits(server)
        .client_no_context_takeover(flags & 1 != 0)
        .server_no_context_takeover(flags & 2 != 0);
    (config, [client, server], [flags & 1 != 0, flags & 2 != 0])
}

fn windows(parameters: Parameters) -> [Window; 2] {
    [
        parameters.sender_window(Role::Client),
        parameters.sender_window(Role::Server),
    ]
}

/// The window that an element's parameters describe: its bits, 15 by default, and its takeover. `None` if they are invalid.
fn named(element: &Extension, end: &str) -> Option<Window> {
    let (mut window, mut takeover) = (Some(Window::default()), true);
    for param in element.params() {
        if param.name() == format!("{end}_max_window_bits") {
            let bits = param.value().map_or(Ok(15), str::parse);
            window = bits.ok().and_then(Window::new);
        }
        takeover &= param.name() != format!("{end}_no_context_takeover");
    }
    match takeover {
        true => window,
        false => window.map(Window::without_context_takeover),
    }
}

/// A server accepts a window within its limits and the client's, and the client that receives the response agrees to the same; a
/// response that a client accepts is within its offer.
pub fn deflate_negotiation(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (config, bits, alone) = config(&mut input);
    let text = String::from_utf8_lossy(input.rest());
    let (offers, answer) = text.split_once('\n').unwrap_or((&text, ""));
    let own = offer(&[config.clone(), DeflateConfig::new()]);
    for offers in [offers, &own] {
        let Ok(offers) = ExtensionList::parse(offers) else {
            continue;
        };
        assert_server_keeps_to_limits(&offers, &config, bits, alone);
        if let Ok(answer) = ExtensionList::parse(answer) {
            assert_client_takes_what_it_offered(&offers, answer);
        }
    }
}

fn assert_server_keeps_to_limits(
    offers: &ExtensionList,
    config: &DeflateConfig,
    bits: [u8; 2],
    alone: [bool; 2],
) {
    let Some((agreed, answer)) = accept(offers.clone(), config) else {
        return;
    };
    let list = ExtensionList::parse(&answer).expect("well-formed");
    assert_eq!(list.to_string(), answer);
    assert_eq!(
        check_answer(list.clone(), offers.clone()),
        Ok(Some(agreed)),
        "{answer}"
    );
    let [client, server] = windows(agreed);
    assert!(server.bits() <= bits[1] && !(server.has_context_takeover() && alone[1]));
    // A client whose window cannot be limited must not use context takeover.
    assert!(client.bits() <= bits[0] || !client.has_context_takeover());
    assert!(!(client.has_context_takeover() && alone[0]));
    let element = list.last().expect("one");
    assert_eq!(named(&element, "server"), Some(server));
    let answered = named(&element, "client").expect("agreed");
    assert!(answered.bits() >= client.bits());
}

fn assert_client_takes_what_it_offered(offers: &ExtensionList, answer: ExtensionList) {
    let Ok(Some(agreed)) = check_answer(answer.clone(), offers.clone()) else {
        return;
    };
    let answers: Vec<_> = answer.filter(|one| one.name() == EXTENSION).collect();
    assert_eq!(answers.len(), 1);
    let [client, server] = windows(agreed);
    assert_eq!(named(&answers[0], "server"), Some(server));
    let answered = named(&answers[0], "client").expect("agreed");
    assert!(
        client.bits() <= answered.bits()
            && (answered.has_context_takeover() || !client.has_context_takeover())
    );
    let fits = |one: &Extension| {
        let (Some(to_client), Some(to_server)) = (named(one, "client"), named(one, "server")) else {
            return false;
        };
        server.bits() <= to_server.bits()
            && (to_server.has_context_takeover() || !server.has_context_takeover())
            && client.bits() <= to_client.bits()
    };
    assert!(
        offers
            .clone()
            .filter(|one| one.name() == EXTENSION)
            .any(|one| fits(&one))
    );
}

/// The messages, the output for each, and the result.
fn inflate(
    window: Window,
    limit: u64,
    messages: &[&[u8]],
    cut: impl Fn(usize) -> Vec<usize>,
) -> Vec<(Vec<u8>, Result<(), InflateError>)> {
    let mut decompressor = Decompressor::new(window);
    let mut results: Vec<(Vec<u8>, Result<(), InflateError>)> = Vec::new();
    let mut failed = None;
    for message in messages {
        let mut out = Vec::new();
        let mut result = Ok(());
        for part in parts(message, &cut(message.len())) {
            result = decompressor.push(part, limit, |piece| {
                assert!(!piece.is_empty() && piece.len() <= 16 * 1024);
                out.extend(piece);
                assert!(out.len() as u64 <= limit, "over the limit");
                Ok(())
            });
            if result.is_err() {
                break;
            }
        }
        let result = result.and_then(|()| decompressor.finish());
        if let Some(error) = failed {
            assert_eq!((result, out.len()), (Err(error), 0), "fused");
            assert!(!decompressor.is_inside_message());
        }
        failed = result.err();
        results.push((out, result));
    }
    results
}

/// Any compressed messages: the result is the same for any split, never exceeds the limit, is fused after an error, and is the same
/// as that of other inflaters.
pub fn inflate_messages(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let window = window(8 + (flags & 7), flags & 8 == 0);
    let limit = input.pick(&[100_000, 0, 1, 100, 1000, 16 * 1024, 16 * 1024 + 1]);
    let shares = input.take(4);
    let mut messages = Vec::new();
    while !input.is_empty() {
        messages.push(input.long_bytes());
    }
    let whole = inflate(window, limit, &messages, |_| Vec::new());
    assert_eq!(inflate(window, limit, &messages, every_cut), whole);
    assert_eq!(
        inflate(window, limit, &messages, |len| super::common::cuts(shares, len)),
        whole
    );

    let mut decompressor = Decompressor::new(window);
    let mut naive = Naive::default();
    for (message, (content, result)) in messages.iter().zip(&whole) {
        let mut out = b"before".to_vec();
        assert_eq!(decompressor.decompress(message, limit, &mut out), *result);
        let expected = if result.is_ok() { &content[..] } else { b"" };
        assert_eq!(out, [b"before", expected].concat());
        assert!(out.capacity() as u64 <= 2 * (limit + 6) + 16);
    }
    for (message, (content, result)) in messages.iter().zip(&whole) {
        if !window.has_context_takeover() {
            naive.out.clear();
        }
        let start = naive.out.len();
        let found = naive.message(message);
        if naive.distance > 1 << window.bits() {
            // Beyond what was negotiated, so it may be rejected.
            return;
        }
        let came = &naive.out[start..];
        match result {
            Ok(()) => assert_eq!(found.as_ref(), Some(content)),
            Err(InflateError::TooBig { .. }) => {
                assert!(came.len() as u64 > limit && came.starts_with(content))
            }
            Err(InflateError::TooManyFinalBlocks { .. } | InflateError::Overlong { .. }) => {
                assert!(came.starts_with(content))
            }
            Err(_) => assert!(found.is_none() && came == content),
        }
        if result.is_err() {
            return;
        }
    }
}

/// A message compressed in any parts, with any window, inflates to itself, here and with another inflater.
pub fn deflate_round_trip(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, level) = (input.byte(), input.byte());
    let window = window(9 + (flags & 7) % 7, flags & 8 == 0);
    let config = DeflateConfig::new()
        .send_window_bits(15)
        .level(level % 10)
        .keep_engine(flags & 16 != 0);
    let mut compressor = Compressor::new(window, &config).expect("9 bits or more");
    let mut decompressor = Decompressor::new(window);
    let (mut history, mut naive) = (Vec::new(), Naive::default());
    while !input.is_empty() {
        let (choice, times) = (input.byte(), usize::from(input.byte()));
        let message = input.bytes().repeat(if choice & 1 == 0 { 1 } else { times });
        let mut wire = Vec::new();
        let cut = message.len() * usize::from(choice) / 256;
        if choice & 2 != 0 {
            compressor.push(&message[..cut], &mut wire);
            compressor.compress(&message[cut..], &mut wire);
        } else {
            compressor.compress(&message, &mut wire);
        }
        if choice & 4 != 0 {
            compressor.forget();
        }
        let mut out = Vec::new();
        assert_eq!(
            decompressor.decompress(&wire, message.len() as u64, &mut out),
            Ok(())
        );
        assert_eq!(out, message);
        assert_eq!(
            miniz::inflate(&mut history, &wire, message.len() + 1).as_ref(),
            Some(&message)
        );
        if !window.has_context_takeover() {
            naive.out.clear();
        }
        assert_eq!(naive.message(&wire).as_ref(), Some(&message));
        assert!(naive.distance <= 1 << window.bits());
        history.extend(message);
        if !window.has_context_takeover() {
            history.clear();
        }
    }
}
