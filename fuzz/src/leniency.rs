//! The leniencies of the opening handshake, selected by an input, and checks that they change only what they should.

use websocket_proto::Config;
use websocket_proto::handshake::HandshakeError;

/// The settings of the five highest bits, so that the lower ones are left for other choices.
pub fn lenient(config: Config, choice: u8) -> Config {
    let is_chosen = |bit: u8| choice & 1 << bit != 0;
    config
        .accept_empty_lists(is_chosen(3))
        .accept_any_extension_value(is_chosen(4))
        .accept_zone_in_host(is_chosen(5))
        .accept_http_1_0(is_chosen(6))
        .accept_bare_line_feeds(is_chosen(7))
}

/// Input that is valid without leniencies has the same result with them, and a leniency accepts only the error that it is for.
#[track_caller]
pub fn assert_lenient<T: Eq + std::fmt::Debug>(
    strict: Result<T, HandshakeError>,
    lenient: Result<T, HandshakeError>,
) {
    match strict {
        Err(error) if is_leniency(error) => {}
        strict => assert_eq!(strict, lenient),
    }
}

/// Like [`assert_lenient`], for texts that contain the error.
#[track_caller]
pub fn assert_lenient_text(strict: Option<&str>, lenient: Option<&str>) {
    let errors = LENIENT.iter().map(|error| format!("{error:?}"));
    if strict != lenient {
        let strict = strict.unwrap_or_default();
        assert!(
            errors.into_iter().any(|error| strict.contains(&error)),
            "{strict} but {lenient:?}"
        );
    }
}

fn is_leniency(error: HandshakeError) -> bool {
    LENIENT.contains(&error)
}

const LENIENT: [HandshakeError; 7] = [
    HandshakeError::EmptySubprotocols,
    HandshakeError::EmptyExtensions,
    HandshakeError::MalformedExtensions,
    HandshakeError::MalformedHost,
    HandshakeError::MalformedPseudoField { name: ":authority" },
    HandshakeError::HttpVersionTooOld,
    HandshakeError::BareLineFeed,
];
