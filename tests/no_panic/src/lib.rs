//! Everything that needs no heap, so that `.ci/no-panic` can look whether a panic was linked with it.
#![no_std]

use core::fmt::{self, Write};
use core::time::Duration;

use websocket_proto::CloseCode;
use websocket_proto::frame::{Decoder, EncodedHeader, Header, Item, Role, Rules, Violation, mask};
use websocket_proto::handshake::key;
use websocket_proto::keepalive::{Action, Expired, Keepalive, KeepaliveConfig};
use websocket_proto::utf8::{self, InvalidUtf8, Validator};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
pub fn parse(bytes: &[u8], rules: &Rules) -> Result<Option<(Header, usize)>, Violation> {
    Header::parse(bytes, rules)
}

#[unsafe(no_mangle)]
pub fn encode(header: &Header) -> EncodedHeader {
    header.encode()
}

#[unsafe(no_mangle)]
pub fn encoded(header: &EncodedHeader) -> &[u8] {
    header
}

#[unsafe(no_mangle)]
pub fn rules(role: Role, max_payload: u64, leniency: bool) -> Rules {
    Rules::new(role)
        .max_payload(max_payload)
        .permessage_deflate(leniency)
        .accept_unmasked(leniency)
        .accept_non_minimal_length(leniency)
        .accept_rsv1_on_control(leniency)
}

#[unsafe(no_mangle)]
pub fn decode<'i>(decoder: &mut Decoder, input: &mut &'i mut [u8]) -> Result<Option<Item<'i>>, Violation> {
    decoder.decode(input)
}

#[unsafe(no_mangle)]
pub fn remaining(decoder: &mut Decoder, max_payload: u64) -> Option<u64> {
    decoder.set_max_payload(max_payload);
    decoder.payload_remaining()
}

#[unsafe(no_mangle)]
pub fn decoder(rules: Rules) -> Decoder {
    Decoder::new(rules)
}

#[unsafe(no_mangle)]
pub fn apply(bytes: &mut [u8], key: [u8; 4]) -> [u8; 4] {
    mask::apply(bytes, key);
    mask::advance(key, bytes.len())
}

#[unsafe(no_mangle)]
pub fn push<'a>(validator: &mut Validator, piece: &'a [u8]) -> Result<(Option<char>, &'a str), InvalidUtf8> {
    validator.push(piece)
}

#[unsafe(no_mangle)]
pub fn finish(validator: Validator) -> Result<usize, InvalidUtf8> {
    let carried = validator.carried();
    validator.finish().map(|()| carried)
}

#[unsafe(no_mangle)]
pub fn validate(bytes: &[u8]) -> Result<&str, InvalidUtf8> {
    utf8::validate(bytes)
}

#[unsafe(no_mangle)]
pub fn judge(code: CloseCode, role: Role) -> [bool; 3] {
    [code.is_receivable(), code.is_sendable(role), code.is_never_sent()]
}

#[unsafe(no_mangle)]
pub fn close_code(violation: Violation) -> CloseCode {
    violation.close_code()
}

#[unsafe(no_mangle)]
pub fn accept_key(key: &[u8]) -> [u8; 28] {
    key::accept_key(key)
}

#[unsafe(no_mangle)]
pub fn keepalive(config: &KeepaliveConfig, seed: u64, now: Duration) -> Keepalive {
    Keepalive::new(config, now).with_seed(seed)
}

#[unsafe(no_mangle)]
pub fn observe(keepalive: &mut Keepalive, payload: &[u8], now: Duration) -> Option<Duration> {
    keepalive.record_opened(now);
    keepalive.ping_at(now, now);
    keepalive.record_activity();
    keepalive.record_pong(payload, now)
}

#[unsafe(no_mangle)]
pub fn tick(keepalive: &mut Keepalive, now: Duration) -> Result<Action, Expired> {
    keepalive.tick(now)
}

#[unsafe(no_mangle)]
pub fn deadline(keepalive: &mut Keepalive, now: Duration) -> [Option<Duration>; 2] {
    keepalive.record_closing(now);
    [keepalive.deadline(), keepalive.last_rtt()]
}

#[unsafe(no_mangle)]
pub fn print(to: &mut dyn Write, code: CloseCode, violation: Violation) -> fmt::Result {
    write!(to, "{code}, {violation}")
}

#[cfg(feature = "panics")]
#[unsafe(no_mangle)]
pub fn broken(bytes: &[u8], at: usize) -> u8 {
    bytes[at]
}
