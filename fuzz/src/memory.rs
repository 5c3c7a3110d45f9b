//! Compares the allocations caused by hostile bytes with the documented limits. While a buffer grows, both blocks count.

#[path = "../../tests/common/heap.rs"]
mod heap;

use self::heap::Heap;
use super::common::parts;
use super::ends::Settings;
use super::input::Input;
use websocket_proto::handshake::{ClientRequest, ServerHandshake};
use websocket_proto::{Config, Delivery, Event, Role, entropy};

/// The peak of live bytes during `work`, and the live bytes after it, both relative to those before.
fn measure<T>(work: impl FnOnce() -> T) -> (T, u64, u64) {
    let (
        result,
        Heap {
            held, peak_of_both, ..
        },
    ) = heap::measure(work);
    let over = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
    (result, over(peak_of_both), over(held))
}

/// For a partial control frame in a growing buffer, and for the reason of a Close.
const CONTROL: u64 = 3 * 128 + 123;

/// For compressed messages, by the table of the module `deflate` for 15 bits, and the two engines that a thread keeps.
const INFLATING: u64 = 97_000 + 2 * 65_000;

/// Hostile lengths, of frames and of heads, split in any way: allocations are proportional to the bytes received, and stay below
/// the limits.
pub fn memory(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.pick(&[Role::Server, Role::Client]) {
        Role::Server if input.byte() & 1 != 0 => server_head(input),
        Role::Client if input.byte() & 1 != 0 => client_head(input),
        role => frames(role, input),
    }
}

/// README: "memory grows only with the bytes actually received": at most twice as much, and never over the limit for messages,
/// except while a buffer grows, when the smaller one exists as well. With chunks, messages are not kept. Nothing is queued, and
/// replies are at most a few times the input.
fn frames(role: Role, mut input: Input) {
    let settings = Settings::read(&mut input);
    let (cuts, bytes) = input.cut_rest();
    let delivery = match settings.stream {
        true => Delivery::Chunks,
        false => Delivery::Whole,
    };
    let mut connection = settings.open_with(role, &settings.config().delivery(delivery));
    let mut out = Vec::with_capacity(3 * bytes.len() + 256);
    let capacity = out.capacity();
    let (mut came, mut kept) = (0, 0);
    for part in parts(bytes, &cuts) {
        let mut part = part.to_vec();
        came += part.len() as u64;
        let mut receive = || {
            let mut rest = &mut part[..];
            // Into the message, where that is possible.
            if let Some(space) = connection.payload_space(rest.len()) {
                let (now, later) = rest.split_at_mut(space.len());
                space.copy_from_slice(now);
                connection.payload_filled(now.len());
                rest = later;
            }
            loop {
                match connection.receive(&mut rest, &mut out) {
                    // Delivered payloads belong to the caller.
                    Ok(Some(Event::Text(_) | Event::Binary(_))) => {}
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
        };
        let ((), peak, live) = measure(&mut receive);
        let kept_of_message = match settings.is_deflated() {
            _ if settings.stream => 0,
            false => settings.limit.min(2 * came),
            true => settings.limit.min(2 * 1100 * came + 32 * 1024),
        };
        let message = kept_of_message + if settings.is_deflated() { INFLATING } else { 0 };
        assert!(
            kept + peak <= 2 * message + CONTROL,
            "{kept} + {peak} after {came} bytes"
        );
        kept += live;
        assert!(kept <= message + CONTROL, "{kept} kept of {came} bytes");
    }
    assert_eq!(out.capacity(), capacity, "{} bytes answered {came}", out.len());
}

/// The limit for the memory of a head: the bytes received, and at most `max_head_size` plus eight bytes for each of at most
/// `max_fields` fields. A buffer that had to grow may temporarily be twice as large.
fn head_limit(came: u64, head: u64, fields: u64) -> u64 {
    let records = 8 * fields.min(came) + 64;
    2 * (head.min(came) + records)
}

fn limits(input: &mut Input) -> (u64, u64, Config) {
    let (head, fields) = (
        input.pick(&[2048, 0, 64, 16_384, 1 << 30]),
        input.pick(&[100, 0, 1, 1 << 30]),
    );
    (
        head as u64,
        fields as u64,
        Config::new().max_head_size(head).max_fields(fields),
    )
}

fn server_head(mut input: Input) {
    let (head, fields, config) = limits(&mut input);
    let (cuts, bytes) = input.cut_rest();
    let mut server = ServerHandshake::new(&config);
    // The response to an error is small, whatever the request is.
    let mut out = Vec::with_capacity(1024);
    let (mut came, mut kept) = (0, 0);
    for part in parts(bytes, &cuts) {
        let mut part = part.to_vec();
        came += part.len() as u64;
        let (result, peak, live) = measure(|| server.receive(&mut &mut part[..], &mut out));
        let limit = head_limit(came, head, fields);
        assert!(
            kept + peak <= limit + limit / 2 + 64,
            "{kept} + {peak} for a head of {came} bytes"
        );
        kept += live;
        match result {
            Ok(None) => assert!(kept <= limit, "{kept} kept for a head of {came} bytes"),
            Ok(Some(request)) => {
                // A slice for each line and for each element of a list, which are at least two bytes each.
                let (_, peak, _) = measure(|| request.upgrade(&mut out).is_ok());
                assert!(peak <= 16 * came + 512, "{peak} to check a head of {came} bytes");
                break;
            }
            Err(_) => break,
        }
    }
    assert_eq!(out.capacity(), 1024);
}

fn client_head(mut input: Input) {
    let (head, fields, config) = limits(&mut input);
    let (cuts, bytes) = input.cut_rest();
    let request = ClientRequest::from_url("ws://h").expect("well-formed");
    let mut client = request.start(&config, entropy::from_fn(|nonce| nonce.fill(0)), &mut Vec::new());
    let (mut came, mut kept) = (0, 0);
    for part in parts(bytes, &cuts) {
        let mut part = part.to_vec();
        came += part.len() as u64;
        let receive = || !matches!(client.receive(&mut &mut part[..], &mut Vec::new()), Ok(None));
        let (over, peak, live) = measure(receive);
        let limit = head_limit(came, head, fields);
        assert!(
            kept + peak <= limit + limit / 2 + 256,
            "{kept} + {peak} for a head of {came} bytes"
        );
        kept += live;
        if over {
            break;
        }
        assert!(kept <= limit, "{kept} kept for a head of {came} bytes");
    }
}
