//! shiguredo_websocket: its sans-IO connections, after a handshake.

use shiguredo_websocket::{
    ClientConnectionOptions, ConnectionEvent, ConnectionOutput, Error, RandomSource, ServerConnectionOptions,
    Timestamp, WebSocketClientConnection, WebSocketServerConnection,
};

use super::{Peer, guard};
use crate::case::{ACCEPT, Case, KEY, NONCE, Outcome, Verdict, close_event, event, sent};

pub struct Shiguredo;

impl Peer for Shiguredo {
    fn name(&self) -> &'static str {
        "shiguredo"
    }

    fn takes(&self, case: &Case) -> bool {
        case.is_frames()
    }

    fn run(&mut self, cases: &[&Case]) -> Vec<Outcome> {
        let run = |case: &Case| match case.is_server() {
            true => server(case),
            false => client(case),
        };
        cases.iter().map(|case| guard(|| run(case))).collect()
    }
}

fn server(case: &Case) -> Outcome {
    let options = ServerConnectionOptions::new()
        .max_frame_size(case.limit)
        .max_message_size(case.limit);
    let mut connection = WebSocketServerConnection::new(options);
    let request = format!(
        "GET / HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    connection
        .feed_recv_buf(request.as_bytes())
        .expect("a valid request");
    connection.accept_handshake_auto().expect("a valid request");
    while connection.poll_output().is_some() {}
    while connection.poll_event().is_some() {}
    let result = connection.feed_recv_buf(&case.bytes());
    let events = std::iter::from_fn(|| connection.poll_event()).collect();
    outcome(&result, events, std::iter::from_fn(|| connection.poll_output()))
}

/// A fixed nonce and masking key.
struct Fixed;

impl RandomSource for Fixed {
    fn masking_key(&mut self) -> [u8; 4] {
        [7; 4]
    }

    fn nonce(&mut self) -> [u8; 16] {
        *NONCE
    }
}

fn client(case: &Case) -> Outcome {
    let options = ClientConnectionOptions::new("example.com", "/")
        .max_frame_size(case.limit)
        .max_message_size(case.limit);
    let mut connection = WebSocketClientConnection::new(options, Fixed);
    connection.connect().expect("a new connection");
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    let now = Timestamp::from_millis(0);
    connection
        .feed_recv_buf(response.as_bytes(), now)
        .expect("a valid response");
    while connection.poll_output().is_some() {}
    while connection.poll_event().is_some() {}
    let result = connection.feed_recv_buf(&case.bytes(), now);
    let events = std::iter::from_fn(|| connection.poll_event()).collect();
    outcome(&result, events, std::iter::from_fn(|| connection.poll_output()))
}

fn outcome(
    result: &Result<(), Error>,
    found: Vec<ConnectionEvent>,
    outputs: impl Iterator<Item = ConnectionOutput>,
) -> Outcome {
    let (mut events, mut verdict) = (Vec::new(), Verdict::Open);
    for found in found {
        match found {
            ConnectionEvent::TextMessage(text) => events.push(event("text", text.as_bytes())),
            ConnectionEvent::BinaryMessage(payload) => events.push(event("binary", &payload)),
            ConnectionEvent::Ping(payload) => events.push(event("ping", &payload)),
            ConnectionEvent::Pong(payload) => events.push(event("pong", &payload)),
            ConnectionEvent::Close { code, reason } => {
                events.push(close_event(code.map(u16::from), reason.as_bytes()));
                verdict = Verdict::Closed;
            }
            ConnectionEvent::Connected { .. }
            | ConnectionEvent::StateChanged(_)
            | ConnectionEvent::Error(_) => {}
        }
    }
    let mut out = Vec::new();
    for output in outputs {
        if let ConnectionOutput::SendData(bytes) = output {
            out.extend(bytes);
        }
    }
    if let Err(error) = result {
        // The close code is in the Close that the peer sends.
        let last = sent(&out, &Verdict::Open).pop().unwrap_or_default();
        let code = last
            .strip_prefix("close:")
            .and_then(|rest| rest.split(':').next()?.parse().ok());
        verdict = code.map_or_else(|| Verdict::Crashed(error.to_string()), Verdict::Failed);
    }
    let sent = sent(&out, &verdict);
    Outcome {
        events,
        verdict,
        sent,
    }
}
