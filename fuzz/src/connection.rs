//! Open connections that receive any bytes: the result is the same for any split, and the same as the naive receiver's.

use super::common::naive::Outcome;
use super::common::{Run, Seen, drive, drive_held, drive_into_messages, every_cut, frame, naive};
use super::ends::Settings;
use super::input::Input;
use websocket_proto::{Config, Connection, Delivery, Error, Role, entropy};

pub fn connection_server(bytes: &[u8]) {
    connection(Role::Server, bytes);
}

pub fn connection_client(bytes: &[u8]) {
    connection(Role::Client, bytes);
}

fn connection(role: Role, bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = Settings::read(&mut input);
    let (cuts, bytes) = input.cut_rest();
    let every = every_cut(bytes.len());
    let open = || settings.open(role);
    let whole = drive(&mut open(), bytes, &[]);
    whole.assert_same(&drive(&mut open(), bytes, &every));
    whole.assert_same(&drive(&mut open(), bytes, &cuts));
    for max_read_size in [1, bytes.len() % 16] {
        whole.assert_same(&drive_into_messages(&mut open(), bytes, &cuts, max_read_size));
    }

    let hold = settings.config().delivery(Delivery::InPlace);
    let open = || settings.open_with(role, &hold);
    let held = drive_held(&mut open(), bytes, &[]);
    held.assert_same(&drive_held(&mut open(), bytes, &every));
    held.assert_same(&drive_held(&mut open(), bytes, &cuts));
    held.assert_held_is_the_same(&whole);

    // Whole messages have to fit the address space. With that limit, chunks fail after the same byte of a header.
    let limit = settings.limit.min(isize::MAX as u64);
    let stream = settings
        .config()
        .max_message_size(limit)
        .delivery(Delivery::Chunks);
    let open = || settings.open_with(role, &stream);
    let chunked = drive(&mut open(), bytes, &[]);
    whole.assert_chunks_are_the_same(&chunked);
    chunked.assert_same(&drive(&mut open(), bytes, &every));
    chunked.assert_same(&drive(&mut open(), bytes, &cuts));
    whole.assert_same(&drive(&mut settings.open(role).split(), bytes, &cuts));

    assert_naive_receiver_agrees(&settings, &whole, bytes);
}

fn assert_naive_receiver_agrees(settings: &Settings, run: &Run, bytes: &[u8]) {
    match run.error {
        // The naive receiver does not count them.
        Some(Error::TooManyEmptyFragments { limit }) => {
            assert_eq!(limit, settings.limit.clamp(1024, isize::MAX as u64));
            return;
        }
        #[cfg(feature = "deflate")]
        Some(Error::Deflate(
            websocket_proto::deflate::InflateError::TooManyFinalBlocks { .. }
            | websocket_proto::deflate::InflateError::Overlong { .. },
        )) => return,
        _ => {}
    }
    let mut expected = naive::receive(&settings.rules(run.role), bytes);
    if expected.is_beyond_window {
        return;
    }
    let pongs = settings.auto_pong != websocket_proto::AutoPong::Off;
    let close = settings.auto_close || run.error.is_some();
    expected
        .answers
        .retain(|(opcode, _)| if *opcode == 8 { close } else { pongs });
    if settings.is_deflated() && run.is_of_content() {
        return assert_failed_early(run, &expected);
    }
    assert_eq!(run.events, expected.events);
    assert_eq!(run.verdict(), expected.verdict);
    assert_eq!(run.answers(), expected.answers);
}

/// The naive receiver inflates a compressed message when it is complete, and so sees control frames inside it first.
fn assert_failed_early(run: &Run, expected: &Outcome) {
    let (seen, more) = expected
        .events
        .split_at(run.events.len().min(expected.events.len()));
    assert_eq!(run.events, seen);
    let is_message = |event: &Seen| matches!(event, Seen::Text(_) | Seen::Binary(_));
    assert!(!more.iter().any(is_message), "{more:?}");
    if !expected.is_inside_deflated {
        assert_eq!(run.verdict(), expected.verdict);
    }
    let answers = run.answers();
    let (_, pongs) = answers.split_last().expect("a Close");
    assert!(expected.answers.starts_with(pongs));
}

/// The body of a Close: accepted or rejected as by the naive receiver, in one piece and byte by byte, and replied to with the
/// same code; with the leniency for codes, only those never allowed on the wire are rejected.
pub fn close_body(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let role = if flags & 1 == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let body = input.take(125);
    let key = (role == Role::Server).then_some([flags, 1, 2, 3]);
    let wire = frame(0x88, key, body);
    let run = |config: &Config| {
        let open = || match role {
            Role::Server => Connection::server(config),
            Role::Client => Connection::client(config, entropy::from_fn(move |key| key.fill(flags))),
        };
        let whole = drive(&mut open(), &wire, &[]);
        whole.assert_same(&drive(&mut open(), &wire, &every_cut(wire.len())));
        whole
    };
    let strict = run(&Config::new());
    let expected = naive::receive(&naive::Rules::strict(role, 1 << 20), &wire);
    assert_eq!(strict.events, expected.events);
    assert_eq!(strict.verdict(), expected.verdict);
    assert_eq!(strict.answers(), expected.answers);

    let lenient = run(&Config::new().accept_any_close_code(true));
    let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
    let reason = std::str::from_utf8(body.get(2..).unwrap_or_default());
    let expected = match (body.len(), code, reason) {
        (0, ..) => Ok(None),
        (1, ..) => Err(Error::TruncatedCloseCode),
        (_, Some(code @ (1005 | 1006 | 1015)), _) => Err(Error::InvalidCloseCode(code.into())),
        (_, _, Err(_)) => Err(Error::InvalidUtf8),
        (_, code, Ok(_)) => Ok(code),
    };
    match expected {
        Ok(code) => {
            let reason = reason.unwrap_or_default().into();
            assert_eq!(
                (&lenient.events[..], lenient.error),
                (&[Seen::Close(code, reason)][..], None)
            );
            assert_eq!(
                close_answer(&lenient),
                code.map_or(vec![], |code| code.to_be_bytes().into())
            );
        }
        Err(error) => {
            lenient.fails(error);
        }
    }
}

/// The body of the Close that was sent, which is the only one, with any code.
fn close_answer(run: &Run) -> Vec<u8> {
    let (frame, size, _) = naive::split(&run.out).expect("a frame");
    assert_eq!((frame.opcode, size), (8, run.out.len()));
    frame.payload
}
