//! The crate under test, with its input in one piece and split into pieces.

use websocket_proto::handshake::{Answer, ClientRequest, HandshakeError, ServerHandshake};
use websocket_proto::{Config, Connection, Event, entropy};

use super::{Peer, guard};
use crate::case::{ACCEPT, Case, Kind, NONCE, Outcome, PROTOCOLS, Verdict, close_event, event, sent};
use crate::random::Random;

/// The outcome of this crate for a case; `lenient` allows non-minimal lengths (D3).
pub fn run(case: &Case, lenient: bool) -> Outcome {
    guard(|| feed(case, lenient, vec![case.bytes()]))
}

/// The outcome of this crate's head reader, in the form that the peer `httparse` uses.
pub fn syntax(case: &Case) -> Outcome {
    guard(|| {
        let mut bytes = case.bytes();
        let (mut input, mut out) = (&mut bytes[..], Vec::new());
        let parsed = |status: String, fields: websocket_proto::handshake::Fields<'_>| {
            let fields = fields.map(|(name, value)| format!("{name}={}", value.escape_ascii()));
            Verdict::Parsed(format!("{status} {:?}", fields.collect::<Vec<_>>()))
        };
        let verdict = match case.kind {
            Kind::Request => match ServerHandshake::new(&Config::new()).receive(&mut input, &mut out) {
                Ok(Some(request)) => {
                    let (method, target, (_, minor)) =
                        (request.method(), request.target(), request.version());
                    parsed(format!("{method} {target} {minor}"), request.fields())
                }
                Ok(None) => Verdict::Incomplete,
                Err(error) if is_syntax(error) => Verdict::Refused,
                Err(_) => Verdict::Parsed("?".into()),
            },
            _ => match client(case, &Config::new().max_interim_responses(usize::MAX))
                .receive(&mut input, &mut out)
            {
                Ok(Some(Answer::Accepted { response, .. } | Answer::Rejected(response))) => {
                    parsed(response.status().to_string(), response.fields())
                }
                Ok(None) => Verdict::Incomplete,
                Err(error) if is_syntax(error) => Verdict::Refused,
                Err(_) => Verdict::Parsed("?".into()),
            },
        };
        Outcome::of(verdict)
    })
}

/// Whether the error is about the syntax of a head and not about its content.
fn is_syntax(error: HandshakeError) -> bool {
    use HandshakeError as E;
    matches!(
        error,
        E::BareCarriageReturn
            | E::BareLineFeed
            | E::MalformedMethod
            | E::MalformedTarget
            | E::MalformedHttpVersion
            | E::MalformedStatus
            | E::UnsupportedHttpVersion { .. }
            | E::SpaceBeforeFields
            | E::MalformedFieldName
            | E::SpaceBeforeColon
            | E::MalformedFieldValue
            | E::FoldedField
    )
}

/// The same crate, with its input split at random. The outcome has to be the same, so `explain` has no rows for it.
pub struct Cut;

impl Peer for Cut {
    fn name(&self) -> &'static str {
        "ours, split"
    }

    fn takes(&self, _: &Case) -> bool {
        true
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        let mut random = Random::new(1);
        let mut cut = |case: &Case| {
            let largest = *random.pick(&[&1, &2, &16, &1000]);
            let bytes = case.bytes();
            let (mut rest, mut pieces) = (&bytes[..], Vec::new());
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at(rest.len().min(1 + random.below(largest)));
                pieces.push(piece.to_vec());
                rest = tail;
            }
            guard(|| feed(case, false, pieces))
        };
        cases.iter().map(|case| cut(case)).collect()
    }
}

fn feed(case: &Case, lenient: bool, pieces: Vec<Vec<u8>>) -> Outcome {
    match case.kind {
        Kind::Request => Outcome::of(request(pieces)),
        Kind::Response => Outcome::of(response(case, pieces)),
        Kind::FramesToServer | Kind::FramesToClient => frames(case, lenient, pieces),
    }
}

fn frames(case: &Case, lenient: bool, pieces: Vec<Vec<u8>>) -> Outcome {
    let config = Config::new()
        .max_message_size(case.limit as u64)
        .accept_non_minimal_length(lenient);
    let mut connection = match case.kind {
        Kind::FramesToServer => Connection::server(&config),
        _ => Connection::client(&config, entropy::from_fn(|key| key.fill(7))),
    };
    let (mut events, mut verdict, mut out) = (Vec::new(), Verdict::Open, Vec::new());
    for mut piece in pieces {
        let mut input = &mut piece[..];
        loop {
            match connection.receive(&mut input, &mut out) {
                Ok(Some(Event::Text(text))) => events.push(event("text", text.as_bytes())),
                Ok(Some(Event::Binary(payload))) => events.push(event("binary", &payload)),
                Ok(Some(Event::Ping(payload))) => events.push(event("ping", &payload)),
                Ok(Some(Event::Pong(payload))) => events.push(event("pong", &payload)),
                Ok(Some(Event::Close(close))) => {
                    events.push(close_event(close.code.map(u16::from), close.reason.as_bytes()));
                    verdict = Verdict::Closed;
                }
                Ok(Some(_)) => unreachable!(),
                Ok(None) => break,
                Err(error) => {
                    verdict = Verdict::Failed(error.close_code().0);
                    break;
                }
            }
        }
    }
    let sent = sent(&out, &verdict);
    Outcome {
        events,
        verdict,
        sent,
    }
}

fn request(pieces: Vec<Vec<u8>>) -> Verdict {
    let (mut handshake, mut out) = (ServerHandshake::new(&Config::new()), Vec::new());
    for mut piece in pieces {
        let request = match handshake.receive(&mut &mut piece[..], &mut out) {
            Ok(None) => continue,
            Ok(Some(request)) => request,
            Err(_) => return Verdict::Rejected(status(&out)),
        };
        let Ok(mut upgrade) = request.upgrade(&mut out) else {
            return Verdict::Rejected(status(&out));
        };
        let chosen = upgrade.subprotocols().find(|name| PROTOCOLS.contains(name));
        if let Some(name) = chosen {
            upgrade = upgrade.with_subprotocol(name).expect("it was offered");
        }
        drop(upgrade.accept(&mut out));
        let head = String::from_utf8_lossy(&out);
        let value = |name: &str| {
            let (_, rest) = head.split_once(name)?;
            Some(rest.split_once("\r\n")?.0.to_string())
        };
        let protocol = value("\r\nSec-WebSocket-Protocol: ").unwrap_or("-".into());
        return Verdict::Accepted(value("\r\nSec-WebSocket-Accept: ").unwrap_or_default(), protocol);
    }
    Verdict::Incomplete
}

/// The status of the response that was written.
fn status(out: &[u8]) -> u16 {
    let text = out.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|digits| digits.parse().ok())
        .expect("a response with a status")
}

fn client(case: &Case, config: &Config) -> websocket_proto::handshake::ClientHandshake {
    let mut request = ClientRequest::new("example.com", "/").expect("a valid target");
    for name in PROTOCOLS.iter().filter(|_| case.offers) {
        request = request.with_subprotocol(name).expect("a token");
    }
    request.start(
        config,
        entropy::from_fn(|bytes| bytes.copy_from_slice(&NONCE[..bytes.len()])),
        &mut Vec::new(),
    )
}

fn response(case: &Case, pieces: Vec<Vec<u8>>) -> Verdict {
    let mut handshake = client(case, &Config::new());
    for mut piece in pieces {
        match handshake.receive(&mut &mut piece[..], &mut Vec::new()) {
            Ok(None) => {}
            Ok(Some(Answer::Accepted { response, .. })) => {
                return Verdict::Accepted(ACCEPT.into(), response.subprotocol().unwrap_or("-").into());
            }
            Ok(Some(Answer::Rejected(response))) => return Verdict::Rejected(response.status()),
            Err(_) => return Verdict::Refused,
        }
    }
    Verdict::Incomplete
}
