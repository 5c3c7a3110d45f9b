//! What is printed: the texts of errors and codes, and debug forms that reveal nothing about what peers send.
#![cfg(feature = "alloc")]

mod common;

use std::collections::HashSet;
use std::fmt::Display;
use std::time::Duration;

use common::{End, both_with, drive, strict};
use websocket_proto::endpoint::{Endpoint, EndpointConfig};
use websocket_proto::frame::{Decoder, Header, Item, OpCode, Role, Rules, Violation, raw};
use websocket_proto::handshake::{BodyError, HandshakeError, HandshakeMisuse};
use websocket_proto::keepalive::KeepaliveConfig;
use websocket_proto::utf8::validate;
use websocket_proto::{CloseCode, Config, Connection, Error, MAX_CLOSE_REASON_SIZE};

// RFC 6455 section 7.4.1 and the registry of section 11.7
#[test]
fn close_codes_of_the_registry_say_what_they_mean() {
    let mut meanings = HashSet::new();
    for code in 0..=u16::MAX {
        let text = CloseCode::from(code).to_string();
        if matches!(code, 1000..=1003 | 1005..=1015) {
            let meaning = text.strip_prefix(&format!("{code} (")).unwrap();
            assert!(meaning.len() > 1 && meaning.ends_with(')'), "{text}");
            assert!(meanings.insert(meaning.to_owned()), "{text}");
        } else {
            assert_eq!(text, code.to_string());
        }
    }
}

/// How many variants an enum of the library has, according to its source.
fn variants(source: &str, name: &str) -> usize {
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let is_variant = |line: &&str| {
        line.strip_prefix("    ")
            .is_some_and(|line| line.starts_with(char::is_uppercase))
    };
    body.lines().filter(is_variant).count()
}

/// One line each, without a full stop, for a log and for a Close; all different, including the numbers.
fn check_texts(errors: &[&dyn Display], count: usize, numbers: &[u64]) {
    assert_eq!(errors.len(), count, "each of them");
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    for text in &texts {
        assert!(text.len() > 10 && text.len() <= MAX_CLOSE_REASON_SIZE, "{text}");
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    }
    assert_eq!(texts.iter().collect::<HashSet<_>>().len(), texts.len());
    for number in numbers {
        assert!(
            texts.iter().any(|text| text.contains(&number.to_string())),
            "{number}"
        );
    }
}

// RFC 6455 section 7.1.7
#[test]
fn violations_print_what_is_wrong() {
    let too_big = Violation::PayloadTooBig {
        limit: 1001,
        len: 1002,
        opcode: OpCode::Text,
    };
    check_texts(
        &[
            &Violation::ReservedBits(2),
            &Violation::ReservedOpCode(11),
            &Violation::FragmentedControl,
            &Violation::ExtendedControlLength,
            &Violation::Unmasked,
            &Violation::Masked,
            &Violation::NonMinimalLength(1003),
            &Violation::LengthOutOfRange(1 << 63),
            &too_big,
        ],
        variants(include_str!("../src/frame/violation.rs"), "Violation"),
        &[1001, 1002, 1003, 1 << 63],
    );
    assert_eq!(
        Violation::ReservedBits(2).to_string(),
        "peer set reserved bits 0b010 without an extension"
    );
    assert_eq!(
        Error::Frame(too_big).to_string(),
        too_big.to_string(),
        "passed on as it is"
    );
}

// RFC 6455 section 7.1.7: D84: the caller's text names the setting to change; the peer's, to whom it means nothing, does not
#[test]
fn errors_of_a_limit_name_its_setting_to_the_caller_alone() {
    let empty_fragments =
        |end: &End| [end.incoming(0x01, b""), end.incoming(0x00, b"").repeat(1024)].concat();
    for end in both_with(Config::new().max_message_size(4)) {
        for (wire, reason) in [
            (
                end.incoming_header(0x81, 5),
                "message of at least 5 bytes is over the limit of 4 bytes",
            ),
            (
                empty_fragments(&end),
                "message has more than the limit of 1024 empty fragments",
            ),
        ] {
            let run = drive(&mut end.open(), &wire, &[]);
            let error = run.error.unwrap().to_string();
            assert_eq!(error, format!("{reason} (Config::max_message_size)"));
            let sent = strict::frames_of(end.role, &run.out);
            assert_eq!(sent[0].payload, [b"\x03\xf1", reason.as_bytes()].concat());
        }
    }
    let too_big = Violation::PayloadTooBig {
        limit: 1,
        len: 2,
        opcode: OpCode::Text,
    };
    assert!(too_big.to_string().contains("Rules::max_payload"));
}

// RFC 6455 section 7.1.7; section 10.4: the limit is named
#[test]
fn errors_print_what_is_wrong() {
    check_texts(
        &[
            &Error::UnexpectedContinuation,
            &Error::UnfinishedMessage,
            &Error::InvalidUtf8,
            &Error::MessageTooBig {
                limit: 1001,
                size: 1002,
            },
            &Error::TooManyEmptyFragments { limit: 1003 },
            &Error::TruncatedCloseCode,
            &Error::InvalidCloseCode(CloseCode(1004)),
            &validate(b"\xff").unwrap_err(),
        ],
        // Without the variants that wrap other errors, and with the error of `utf8`.
        variants(include_str!("../src/error.rs"), "Error") - 1,
        &[1001, 1002, 1003, 1004],
    );
}

// RFC 6455 section 10.4: D84
#[test]
fn errors_of_bodies_name_the_setting_of_a_limit() {
    for (error, setting) in [
        (BodyError::TooLarge { size: 2, limit: 1 }, "Config::max_body_size"),
        (
            BodyError::ChunkExtensionsTooLarge { limit: 1 },
            "Config::max_head_size",
        ),
        (
            BodyError::Trailers(HandshakeError::HeadTooLarge { limit: 1 }),
            "Config::max_head_size",
        ),
        (
            BodyError::Trailers(HandshakeError::TooManyFields { limit: 1 }),
            "Config::max_fields",
        ),
    ] {
        assert!(error.to_string().ends_with(setting), "{error}");
    }
}

// RFC 6455 section 10.4: the limit is named
#[test]
fn errors_of_bodies_print_what_is_wrong() {
    check_texts(
        &[
            &BodyError::Eof,
            &BodyError::Finished,
            &BodyError::TooLarge {
                size: 1002,
                limit: 1001,
            },
            &BodyError::ChunkExtensionsTooLarge { limit: 1003 },
            &BodyError::MalformedContentLength,
            &BodyError::ConflictingFraming,
            &BodyError::UnsupportedTransferCoding,
            &BodyError::MalformedChunkSize,
            &BodyError::MalformedChunkExtension,
            &BodyError::MalformedChunkEnd,
            &BodyError::Trailers(HandshakeError::BareLineFeed),
            &BodyError::Trailers(HandshakeError::HeadTooLarge { limit: 1004 }),
            &BodyError::Trailers(HandshakeError::TooManyFields { limit: 1005 }),
        ],
        // One variant has three texts.
        variants(include_str!("../src/handshake/body/error.rs"), "BodyError") + 2,
        &[1001, 1002, 1003, 1004, 1005],
    );
}

// RFC 6455 section 10.4: the limit is named
#[test]
fn handshake_errors_print_what_is_wrong() {
    check_texts(
        &[
            &HandshakeError::RequestLineTooLong { limit: 1001 },
            &HandshakeError::HeadTooLarge { limit: 1002 },
            &HandshakeError::TooManyFields { limit: 1003 },
            &HandshakeError::TooManyInterimResponses { limit: 1004 },
            &HandshakeError::UnsupportedHttpVersion { major: 2, minor: 7 },
            &HandshakeError::MissingPseudoField { name: ":path" },
            &HandshakeError::RepeatedPseudoField { name: ":path" },
            &HandshakeError::MalformedPseudoField { name: ":path" },
            &HandshakeError::TimedOut,
            &HandshakeError::Unanswered,
            &HandshakeError::UppercaseFieldName,
            &HandshakeError::UnknownPseudoField,
            &HandshakeError::LatePseudoField,
            &HandshakeError::ConnectionSpecificField,
            &HandshakeError::ConflictingHost,
            &HandshakeError::MethodNotConnect,
            &HandshakeError::UnsupportedConnectProtocol,
            &HandshakeError::UnsupportedConnectVersion,
            &HandshakeError::SwitchedProtocols,
            &HandshakeError::Eof,
            &HandshakeError::Finished,
            &HandshakeError::BareCarriageReturn,
            &HandshakeError::BareLineFeed,
            &HandshakeError::MalformedMethod,
            &HandshakeError::ProxyLine,
            &HandshakeError::MalformedTarget,
            &HandshakeError::MalformedHttpVersion,
            &HandshakeError::MalformedStatus,
            &HandshakeError::SpaceBeforeFields,
            &HandshakeError::MalformedFieldName,
            &HandshakeError::SpaceBeforeColon,
            &HandshakeError::MalformedFieldValue,
            &HandshakeError::FoldedField,
            &HandshakeError::MissingHost,
            &HandshakeError::RepeatedHost,
            &HandshakeError::MalformedHost,
            &HandshakeError::MalformedContentLength,
            &HandshakeError::ConflictingFraming,
            &HandshakeError::MethodNotGet,
            &HandshakeError::HttpVersionTooOld,
            &HandshakeError::UnexpectedContent,
            &HandshakeError::UnexpectedContentLength,
            &HandshakeError::UnmetExpectation,
            &HandshakeError::MissingUpgrade,
            &HandshakeError::AmbiguousUpgrade,
            &HandshakeError::MissingConnectionUpgrade,
            &HandshakeError::MissingVersion,
            &HandshakeError::RepeatedVersion,
            &HandshakeError::UnsupportedVersion,
            &HandshakeError::MissingKey,
            &HandshakeError::RepeatedKey,
            &HandshakeError::MalformedKey,
            &HandshakeError::RepeatedOrigin,
            &HandshakeError::MalformedOrigin,
            &HandshakeError::EmptySubprotocols,
            &HandshakeError::MalformedSubprotocol,
            &HandshakeError::RepeatedSubprotocol,
            &HandshakeError::EmptyExtensions,
            &HandshakeError::MalformedExtensions,
            &HandshakeError::MissingAccept,
            &HandshakeError::RepeatedAccept,
            &HandshakeError::WrongAccept,
            &HandshakeError::SeveralSubprotocols,
            &HandshakeError::UnofferedSubprotocol,
            &HandshakeError::MissingSubprotocol,
            &HandshakeError::UnofferedExtension,
            &HandshakeError::RepeatedExtension,
        ],
        // Not that of compression.
        variants(include_str!("../src/handshake/error.rs"), "HandshakeError") - 1,
        &[1001, 1002, 1003, 1004],
    );
    check_texts(
        &[
            &HandshakeMisuse::MalformedFieldName,
            &HandshakeMisuse::MalformedFieldValue,
            &HandshakeMisuse::ReservedField,
            &HandshakeMisuse::MalformedAuthority,
            &HandshakeMisuse::MalformedTarget,
            &HandshakeMisuse::MalformedOrigin,
            &HandshakeMisuse::RepeatedOrigin,
            &HandshakeMisuse::MalformedSubprotocol,
            &HandshakeMisuse::RepeatedSubprotocol,
            &HandshakeMisuse::UnofferedSubprotocol,
            &HandshakeMisuse::MalformedExtension,
            &HandshakeMisuse::UnusableStatus,
            &HandshakeMisuse::UnexpectedBody,
            &HandshakeMisuse::MalformedCredentials,
            &HandshakeMisuse::ExtendedConnect,
            &HandshakeMisuse::NoRequest,
        ],
        variants(include_str!("../src/handshake/misuse.rs"), "HandshakeMisuse"),
        &[],
    );
}

#[cfg(feature = "deflate")]
#[test]
fn errors_of_compression_print_what_is_wrong() {
    use websocket_proto::deflate::{InflateError, NegotiationError, Parameter};
    check_texts(
        &[
            &InflateError::Corrupt,
            &InflateError::Truncated,
            &InflateError::TooBig { limit: 1001 },
            &InflateError::TooManyFinalBlocks { limit: 1002 },
            &InflateError::Overlong { limit: 1003 },
            &InflateError::Refused,
        ],
        variants(include_str!("../src/deflate/mod.rs"), "InflateError"),
        &[1001, 1002, 1003],
    );
    let parameter = Parameter::ServerMaxWindowBits;
    let larger = NegotiationError::LargerThanOffered {
        offered: 11,
        answered: 12,
    };
    let errors = [
        NegotiationError::NotOffered,
        NegotiationError::Repeated,
        NegotiationError::UnknownParameter,
        NegotiationError::RepeatedParameter(parameter),
        NegotiationError::InvalidValue(parameter),
        NegotiationError::MissingParameter(parameter),
        NegotiationError::UnofferedParameter(parameter),
        larger,
    ];
    let printed: Vec<&dyn Display> = errors.iter().map(|error| error as &dyn Display).collect();
    let count = variants(include_str!("../src/deflate/negotiation.rs"), "NegotiationError");
    check_texts(&printed, count, &[11, 12]);
    for error in errors {
        let (error, text) = (HandshakeError::Deflate(error), error.to_string());
        assert_eq!(
            (error.status(), error.to_string()),
            (502, text),
            "passed on as it is"
        );
    }
    let error = websocket_proto::Error::Deflate(InflateError::Corrupt);
    assert_eq!(error.to_string(), InflateError::Corrupt.to_string());
}

// What peers send does not belong in logs.
#[test]
fn debug_forms_of_frames_hide_payload_and_key() {
    let mut decoder = Decoder::new(Rules::new(Role::Server));
    let mut wire = *b"\x81\x83\xaa\xbb\xcc\xddabc\x89\x80\xaa";
    let mut input = &mut wire[..];
    let mut shown = String::new();
    while let Some(item) = decoder.decode(&mut input).unwrap() {
        if let Item::Start(header) = &item {
            assert_eq!(
                (header.payload_len, header.mask),
                (3, Some([0xaa, 0xbb, 0xcc, 0xdd]))
            );
            shown += &format!("{header:?} {:?} ", header.encode());
        }
        shown += &format!("{item:?} {decoder:?} ");
    }
    shown += &format!("{decoder:?}");
    for part in [
        "Header { fin: true, rsv1: false, rsv2: false, rsv3: false, opcode: Text, masked: true, payload_len: 3 } ",
        "} EncodedHeader(6 bytes) Start(Header {",
        "} Chunk(3 bytes) Decoder {",
        "} End Decoder {",
        "payload_remaining: Some(0)",
        "payload_remaining: None",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    for secret in ["170", "187", "204", "aa", "97", "abc"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let header = Header::new(OpCode::Text, 3);
    assert!(format!("{header:?}").contains("masked: false"));
    assert_eq!(format!("{:?}", Item::Start(header)), format!("Start({header:?})"));
}

#[test]
fn debug_form_of_the_end_hides_the_reason() {
    let mut connection = Connection::server(&Config::new());
    let mut wire = *b"\x88\x88\0\0\0\0\x03\xe9secret";
    let received = connection.receive(&mut &mut wire[..], &mut Vec::new());
    assert!(received.is_ok());
    let closed = connection.receive_eof();
    assert_eq!(closed.reason(), "secret");
    assert_eq!(
        format!("{closed:?}"),
        "Closed { by: Peer, code: CloseCode(1001), code_sent: Some(CloseCode(1001)), \
         code_unsent: None, code_received: Some(CloseCode(1001)), is_clean: true, reason_len: 6, unfinished: Nothing }"
    );
}

#[test]
fn debug_form_of_events_hides_what_is_unread() {
    let connection = Connection::server(&Config::new());
    let wire = b"\x81\x86\0\0\0\0secret\x89\x86\0\0\0\0secret";
    let mut endpoint = Endpoint::from_connection(&EndpointConfig::new(), connection, wire, Duration::ZERO);
    let mut events = endpoint.events();
    assert_eq!(format!("{events:?}"), "Events { unread: 24, .. }");
    assert!(events.next().is_some());
    assert_eq!(format!("{events:?}"), "Events { unread: 12, .. }");
    assert!(events.next().is_some() && events.next().is_none());
    assert_eq!(format!("{events:?}"), "Events { unread: 0, .. }");
    drop(events);
    endpoint.abort();
    assert_eq!(format!("{:?}", endpoint.events()), "Events { unread: 0, .. }");
}

#[test]
fn debug_forms_of_raw_frames_hide_payload_and_key() {
    let mut decoder = raw::Decoder::default();
    let mut input = &b"\x81\x83\xaa\xbb\xcc\xddabc"[..];
    let mut shown = String::new();
    while let Some(item) = decoder.decode(&mut input) {
        shown += &format!("{item:?} {decoder:?} ");
    }
    for part in [
        "Start(Header {",
        "masked: true",
        "Chunk(3 bytes) Decoder {",
        "End Decoder {",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    for secret in ["170", "187", "204", "0xaa", "97", "abc"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[test]
fn debug_forms_of_halves_hide_what_peers_send() {
    let (mut receiver, mut sender) = Connection::server(&Config::new()).split();
    let mut wire = *b"\x89\x86\0\0\0\0secret\x81\x86\0\0\0\0sec";
    let mut input = &mut wire[..];
    let mut shown = String::new();
    while let (Ok(Some(event)), reply) = receiver.receive(&mut input) {
        shown += &format!("{event:?} {reply:?} ");
        sender.reply(reply, &mut Vec::new());
    }
    shown += &format!("{receiver:?} {sender:?} ");
    let mut wire = *b"\x81\0\0";
    let (error, reply) = receiver.receive(&mut &mut wire[..]);
    shown += &format!("{error:?} {reply:?} ");
    sender.reply(reply, &mut Vec::new());
    shown += &format!("{receiver:?} {sender:?} {:?}", receiver.receive_eof());
    for part in [
        "Ping(Payload(6 bytes)) Ping(6 bytes) ReceiveHalf { is_open: true, payload_remaining: 3, ..",
        "SendHalf { role: Server, state: Open, transport_advice: KeepOpen, ..",
        "Failed(",
        "is_open: false",
        "state: Closed, transport_advice: Close",
        "Ended",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("sec"), "{shown}");
}

// Starting from the defaults, under either name
#[test]
fn defaults_are_what_new_makes() {
    assert_eq!(Config::default(), Config::new());
    assert_eq!(KeepaliveConfig::default(), KeepaliveConfig::new());
}
