//! Opening handshakes from any bytes, split in any way, with all results in a form that can be compared.

use super::{every_cut, parts};
use websocket_proto::handshake::{
    Answer, ClientRequest, HandshakeError, Request, Response, ServerHandshake, TunnelAnswer, TunnelRequest,
    Upgrade,
};
use websocket_proto::{Config, entropy};

/// The result of a handshake.
#[derive(Debug, Eq, PartialEq)]
pub struct Ended {
    /// The result, if it has ended.
    pub result: Option<String>,
    /// What a server sent.
    pub out: Vec<u8>,
    /// How many bytes it consumed.
    pub used: usize,
}

impl Ended {
    #[track_caller]
    fn drive(parts: &[&[u8]], mut receive: impl FnMut(&mut &mut [u8]) -> Option<(String, Vec<u8>)>) -> Self {
        let mut used = 0;
        for part in parts {
            let mut part = part.to_vec();
            let mut input = &mut part[..];
            let before = input.len();
            let result = receive(&mut input);
            used += before - input.len();
            match result {
                Some((result, out)) => {
                    return Self {
                        result: Some(result),
                        out,
                        used,
                    };
                }
                None => assert!(input.is_empty(), "incomplete heads consume all input"),
            }
        }
        Self {
            result: None,
            out: Vec::new(),
            used,
        }
    }

    pub fn is_accepted(&self) -> bool {
        let result = self.result.as_ref();
        result.is_some_and(|result| result.starts_with("accepted"))
    }
}

/// Feeds `bytes` to a server in one piece, split before each index of `cuts`, and byte by byte. The results have to be the same.
#[track_caller]
pub fn serve(config: &Config, bytes: &[u8], cuts: &[usize]) -> Ended {
    same(bytes, cuts, |parts| serve_parts(config, parts))
}

/// Responds to a client's request with `bytes`, split as above. The results have to be the same, and nothing may be sent.
#[track_caller]
pub fn ask(config: &Config, request: &ClientRequest, bytes: &[u8], cuts: &[usize]) -> Ended {
    same(bytes, cuts, |parts| ask_parts(config, request, parts))
}

/// Responds to a client's CONNECT for `example.com:443` with `bytes`.
#[track_caller]
pub fn tunnel(config: &Config, bytes: &[u8], cuts: &[usize]) -> Ended {
    same(bytes, cuts, |parts| tunnel_parts(config, parts))
}

#[track_caller]
fn same(bytes: &[u8], cuts: &[usize], run: impl Fn(&[&[u8]]) -> Ended) -> Ended {
    let whole = run(&[bytes]);
    assert_eq!(run(&parts(bytes, cuts)), whole);
    assert_eq!(run(&parts(bytes, &every_cut(bytes.len()))), whole);
    whole
}

fn serve_parts(config: &Config, parts: &[&[u8]]) -> Ended {
    let (mut server, mut out) = (ServerHandshake::new(config), Vec::new());
    Ended::drive(parts, |input| match server.receive(input, &mut out) {
        Ok(None) => None,
        Ok(Some(request)) => Some((describe_request(&request, config, &mut out), out.clone())),
        Err(error) => {
            let answered = out.len();
            assert_eq!(server.receive(input, &mut out).map(drop), Err(error), "fused");
            assert_eq!((out.len(), server.receive_eof()), (answered, error));
            assert!(out.starts_with(format!("HTTP/1.1 {} ", error.status()).as_bytes()));
            Some((format!("{error:?}"), out.clone()))
        }
    })
}

fn ask_parts(config: &Config, request: &ClientRequest, parts: &[&[u8]]) -> Ended {
    let nonce = entropy::from_fn(|bytes| bytes.fill(0));
    let mut client = request.clone().start(config, nonce, &mut Vec::new());
    let mut out = Vec::new();
    Ended::drive(parts, |input| {
        let result = client.receive(input, &mut out);
        assert!(out.is_empty());
        let result = match result {
            Ok(None) => return None,
            Ok(Some(Answer::Accepted { response, connection })) => {
                describe_response("accepted", &response) + &format!("{connection:?}")
            }
            Ok(Some(Answer::Rejected(response))) => describe_response("rejected", &response),
            Err(error) => {
                assert_eq!(client.receive(input, &mut out).map(drop), Err(error), "fused");
                assert_eq!(client.receive_eof(), error);
                format!("{error:?}")
            }
        };
        Some((result, Vec::new()))
    })
}

fn tunnel_parts(config: &Config, parts: &[&[u8]]) -> Ended {
    let request = ClientRequest::from_url("wss://example.com/").expect("well-formed");
    let mut client = TunnelRequest::new(request).start(config, &mut Vec::new());
    Ended::drive(parts, |input| {
        let describe = |kind: &str, response: &Response, authority: &str| {
            let fields: Vec<_> = response.fields().collect();
            format!("{kind} {} {fields:?} {authority}", response.status())
        };
        let result = match client.receive(input) {
            Ok(None) => return None,
            Ok(Some(TunnelAnswer::Accepted { request, response })) => {
                describe("open", &response, TunnelRequest::new(request).authority())
            }
            Ok(Some(TunnelAnswer::Rejected { tunnel, response })) => {
                describe("rejected", &response, tunnel.authority())
            }
            Err(error) => {
                assert_eq!(client.receive(input).map(drop), Err(error), "fused");
                assert_eq!(client.receive_eof(), error);
                return Some((format!("{error:?}"), Vec::new()));
            }
        };
        assert_eq!(client.receive(input).map(drop), Err(HandshakeError::Finished));
        assert_eq!(client.handle_timeout(), HandshakeError::Finished);
        Some((result, Vec::new()))
    })
}

/// Everything in a request. `Upgrade` has to report the same from bytes and from fields.
fn describe_request(request: &Request, config: &Config, out: &mut Vec<u8>) -> String {
    let fields: Vec<_> = request
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
    let said = (
        request.path(),
        request.query(),
        request.authority(),
        request.origin(),
        request.is_upgrade(),
    );
    let upgrade = request.upgrade(out);
    let other = Upgrade::from_fields(
        config,
        request.method(),
        request.target(),
        request.version(),
        request.fields(),
    );
    match (&upgrade, other) {
        (Ok(one), Ok(other)) => assert!(one.response_fields().eq(other.response_fields())),
        (one, other) => assert_eq!(one.as_ref().err(), other.err().as_ref()),
    }
    let upgrade = upgrade.map(|upgrade| {
        let protocols: Vec<_> = upgrade.subprotocols().collect();
        let extensions: Vec<_> = upgrade.extensions().map(|one| one.to_string()).collect();
        let facts = format!(
            "{} {protocols:?} {extensions:?} {}",
            upgrade.authority(),
            upgrade.is_same_origin()
        );
        assert!(out.is_empty());
        let connection = upgrade.select_subprotocol(&["chat", "b"]).accept(out);
        format!("{facts} {connection:?}")
    });
    let (method, target, version) = (request.method(), request.target(), request.version());
    format!("{method} {target} {version:?} {fields:?} {said:?} {upgrade:?}")
}

fn describe_response(kind: &str, response: &Response) -> String {
    let fields: Vec<_> = response.fields().collect();
    let versions: Vec<u8> = response.supported_versions().collect();
    let extensions: Vec<_> = response.extensions().map(|one| one.to_string()).collect();
    format!(
        "{kind} {} {fields:?} {:?} {versions:?} {extensions:?}",
        response.status(),
        response.subprotocol()
    )
}

/// The lines of a head, which has no control bytes or folds, up to its only empty line; and the bytes after it.
#[track_caller]
pub fn head_lines(bytes: &[u8]) -> (Vec<String>, &[u8]) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("an end of the head");
    // One character for each byte, as a value need not be UTF-8.
    let head: String = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
    let lines: Vec<_> = head.split("\r\n").map(str::to_owned).collect();
    for line in &lines {
        assert!(!line.is_empty() && !line.starts_with([' ', '\t']), "{head:?}");
        let mut controls = line.chars().filter(|char| char.is_ascii_control());
        assert!(controls.all(|char| char == '\t'), "{head:?}");
    }
    (lines, &bytes[end + 4..])
}

/// Checks a response, possibly after a 100: a head of plain lines, and a body of the length that it declares.
#[track_caller]
pub fn assert_response(out: &[u8]) {
    let out = out.strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(out);
    let (lines, body) = head_lines(out);
    let mut length = None;
    for (i, line) in lines.iter().enumerate() {
        match (i, line.split_once(": ")) {
            (0, _) => assert!(
                line.starts_with("HTTP/1.1 ") && line.as_bytes()[9..12].iter().all(u8::is_ascii_digit)
            ),
            (_, Some(("Content-Length", value))) => length = Some(value.parse().expect("a number")),
            (_, field) => assert!(field.is_some(), "{line:?}"),
        }
    }
    assert!(body.is_empty() || length == Some(body.len()), "{lines:?}");
}
