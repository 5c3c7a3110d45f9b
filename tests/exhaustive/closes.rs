//! Every close code: both roles, every leniency, received and sent, and reported by the end of an endpoint.

use crate::common::naive::{self, Verdict};
use crate::common::{Seen, facts, frame, open};
use crate::{Form, count};
use std::time::Duration;
use websocket_proto::endpoint::{End, Endpoint, EndpointConfig, SendError, Step};
use websocket_proto::{CloseCode, ClosedBy, Config, Misuse, Role};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn codes(form: Form) -> impl Iterator<Item = u16> {
    // Without optimization, every hundredth code and all codes near a boundary.
    (0..=u16::MAX).filter(move |code| {
        form > Form::Edges || code % 100 == 0 || matches!(code, 990..=1020 | 2990..=3010 | 4990..=5010)
    })
}

fn roles() -> [Role; 2] {
    [Role::Client, Role::Server]
}

/// A Close as the peer of `role` sends it.
fn incoming(role: Role, body: &[u8]) -> Vec<u8> {
    frame(0x88, (role == Role::Server).then_some(KEY), body)
}

// RFC 6455 section 7.4: 6455-7.4-01, 6455-7.4.2-01, 6455-7.4.2-02, 6455-7.4.2-03, 6455-7.4.2-04; section 7.1.7: 6455-7.1.7-01
#[test]
#[cfg_attr(miri, ignore = "hundreds of thousands")]
fn every_close_code_is_received_as_the_naive_reader_receives_it() {
    count("close codes received", |form| {
        let mut counts = [0u64; 2];
        for role in roles() {
            for any_code in [false, true] {
                for reason in [&b""[..], b"bye", b"\xff"] {
                    for code in codes(form) {
                        let body = [&code.to_be_bytes()[..], reason].concat();
                        counts[usize::from(is_accepted(role, any_code, &body))] += 1;
                    }
                }
            }
        }
        let [refused, accepted] = counts;
        format!(
            "{} received, {accepted} accepted, {refused} refused",
            accepted + refused
        )
    });
}

/// Receives a Close as a connection does, and as an endpoint does.
fn is_accepted(role: Role, any_code: bool, body: &[u8]) -> bool {
    let rules = naive::Rules {
        accept_any_close_code: any_code,
        ..naive::Rules::strict(role, 1 << 20)
    };
    let mut wire = incoming(role, body);
    let verdict = naive::receive(&rules, &wire).verdict;
    let config = Config::new().accept_any_close_code(any_code);
    let endpoint =
        Endpoint::from_connection(&EndpointConfig::new(), open(role, &config), &wire, Duration::ZERO);

    let (mut connection, mut out) = (open(role, &config), Vec::new());
    let found = connection.receive(&mut &mut wire[..], &mut out);
    let found = found.map(|event| event.map(Seen::from));
    let answer = answer(role, &out);
    let closed = connection.closed().expect("the connection has ended");
    let accepted = match verdict {
        Verdict::Closed(code) => {
            assert_eq!(found, Ok(Some(Seen::Close(code, lossy(&body[2..])))));
            assert_eq!(
                answer,
                code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec())
            );
            assert_eq!((closed.by(), closed.is_clean()), (ClosedBy::Peer, true));
            assert_eq!(facts(&closed), (code.unwrap_or(1005), code, code, true));
            true
        }
        Verdict::Fail(code) => {
            let error = found.expect_err("an error");
            assert_eq!(u16::from(error.close_code()), code, "{body:x?}");
            assert_eq!(answer[..2], code.to_be_bytes());
            assert_eq!(closed.by(), ClosedBy::Failure(error));
            assert_eq!(facts(&closed), (1006, Some(code), None, false));
            false
        }
        Verdict::Open => panic!("{body:x?} is a Close"),
    };
    let end = run_alone(endpoint);
    assert_eq!(end.closed(), Some(&connection.receive_eof()));
    assert!(end.interruption.is_none(), "{end}");
    accepted
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The body of the Close that was sent, which is the only one.
fn answer(role: Role, out: &[u8]) -> Vec<u8> {
    let (frame, size, minimal) = naive::split(out).expect("a frame");
    assert_eq!(
        (frame.fin, frame.rsv, frame.opcode, size, minimal),
        (true, 0, 8, out.len(), true)
    );
    assert_eq!(frame.key.is_some(), role == Role::Client);
    frame.payload
}

/// One direction of a transport.
#[derive(Default)]
struct Direction {
    bytes: Vec<u8>,
    is_ended: bool,
}

/// Runs an endpoint whose peer does not send anything.
fn run_alone(mut endpoint: Endpoint) -> End {
    let (mut incoming, mut outgoing) = (Direction::default(), Direction::default());
    incoming.is_ended = true;
    run(&mut endpoint, &mut incoming, &mut outgoing);
    assert!(endpoint.end().is_some(), "the endpoint has ended");
    endpoint.into_end()
}

/// Runs an endpoint until it waits, or has ended.
fn run(endpoint: &mut Endpoint, incoming: &mut Direction, outgoing: &mut Direction) {
    endpoint.ready();
    loop {
        match endpoint.step(Duration::ZERO) {
            Step::Event => while endpoint.next_event().is_some() {},
            Step::Write => {
                assert!(!outgoing.is_ended, "output after the end");
                outgoing.bytes.extend(endpoint.output());
                endpoint.written(endpoint.output().len());
            }
            Step::Flush => endpoint.flushed(),
            Step::Read if incoming.bytes.is_empty() && !incoming.is_ended => endpoint.read_blocked(),
            Step::Read => endpoint.receive(&std::mem::take(&mut incoming.bytes)),
            Step::Shutdown => {
                outgoing.is_ended = true;
                endpoint.shut_down();
            }
            Step::Wait(_) | Step::Done => return,
            Step::Request | Step::Response => panic!("the connection is open"),
        }
    }
}

// RFC 6455 section 7.4: 6455-7.4.1-02, 6455-7.4.1-03, 6455-7.4.1-04, 6455-7.4.1-05, 6455-7.4.1-07; section 7.1.4: 6455-7.1.4-01
#[test]
#[cfg_attr(miri, ignore = "hundreds of thousands")]
fn every_close_code_is_sent_or_rejected_and_reported_by_both_ends() {
    count("close codes sent", |form| {
        let mut counts = [0u64; 2];
        for role in roles() {
            for any_code in [false, true] {
                for answers in [false, true] {
                    for code in codes(form) {
                        counts[usize::from(is_sent(role, any_code, answers, code))] += 1;
                    }
                }
            }
        }
        let [refused, sent] = counts;
        format!("{} tried, {sent} sent, {refused} refused", sent + refused)
    });
}

/// RFC 6455 section 7.4 and the registry. Leniency does not affect which codes may be sent.
fn may_be_sent(role: Role, code: u16) -> bool {
    match code {
        1010 => role == Role::Client,
        code => matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999),
    }
}

/// Closes a connection between two endpoints with `code`, as the first Close or in reply to a Close with 4999.
fn is_sent(role: Role, any_code: bool, answers: bool, code: u16) -> bool {
    let config = Config::new().accept_any_close_code(any_code);
    let start = |role, config: &Config| {
        let connection = open(role, config);
        Endpoint::from_connection(&EndpointConfig::new(), connection, &[], Duration::ZERO)
    };
    let (mut here, mut peer) = (
        start(role, &config.clone().auto_close(!answers)),
        start(role.peer(), &config),
    );
    let (mut to_here, mut to_peer) = (Direction::default(), Direction::default());
    if answers {
        peer.sender().close(CloseCode(4999), "").unwrap();
        run(&mut peer, &mut to_peer, &mut to_here);
        run(&mut here, &mut to_here, &mut to_peer);
    }
    let found = here.sender().close(CloseCode(code), "bye");
    if !may_be_sent(role, code) {
        assert_eq!(
            found,
            Err(SendError::Misuse(Misuse::InvalidCloseCode(CloseCode(code))))
        );
        assert!(
            here.output().is_empty(),
            "a rejected close does not write anything"
        );
        return false;
    }
    assert_eq!(found, Ok(()), "{code} of {role:?}");
    for _ in 0..3 {
        run(&mut here, &mut to_here, &mut to_peer);
        run(&mut peer, &mut to_peer, &mut to_here);
    }
    assert!(
        here.end().is_some() && peer.end().is_some(),
        "both ends have ended"
    );
    let by = |own: bool| if own { ClosedBy::Local } else { ClosedBy::Peer };
    let echoed = if answers { 4999 } else { code };
    let closed = [here.into_end(), peer.into_end()].map(|end| {
        assert!(end.interruption.is_none() && end.is_clean(), "{end}");
        end.closed().expect("the connection was open").clone()
    });
    assert_eq!(facts(&closed[0]), (echoed, Some(code), Some(echoed), true));
    assert_eq!(facts(&closed[1]), (code, Some(echoed), Some(code), true));
    assert_eq!([closed[0].by(), closed[1].by()], [by(!answers), by(answers)]);
    assert_eq!([closed[0].reason(), closed[1].reason()], ["", "bye"]);
    true
}
