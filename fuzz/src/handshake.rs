//! The opening handshake, both roles: whatever the reads are, and what is answered.

use super::input::{Input, every_cut, parts};
use websocket_proto::Config;
use websocket_proto::handshake::key::accept_key;
use websocket_proto::handshake::{Answer, ClientRequest, Request, Response, ServerHandshake, Upgrade};

/// The key of sixteen zero bytes.
const KEY: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAA==";

#[derive(Clone, Copy)]
struct Limits {
    head: usize,
    interim: usize,
    config: Config,
}

impl Limits {
    fn read(input: &mut Input) -> Self {
        let head = input.pick(&[2048, 0, 1, 64, 256, 16 * 1024]);
        let (fields, interim) = (input.pick(&[20, 0, 1, 4, 100]), input.pick(&[2, 0, 1, 8]));
        let config = Config::new()
            .max_head_size(head)
            .max_fields(fields)
            .max_interim_responses(interim);
        Self {
            head,
            interim,
            config,
        }
    }

    /// With compression, half of the time.
    fn deflated(self, choice: u8) -> Config {
        #[cfg(feature = "deflate")]
        if choice & 1 != 0 {
            return self
                .config
                .deflate(websocket_proto::deflate::DeflateConfig::new());
        }
        _ = choice;
        self.config
    }
}

/// How a handshake went: what came of it if it is over, what was sent, and how many bytes it used.
type End = (Option<String>, Vec<u8>, usize);

fn drive(parts: &[&[u8]], mut receive: impl FnMut(&mut &mut [u8]) -> Option<(String, Vec<u8>)>) -> End {
    let mut used = 0;
    for part in parts {
        let mut part = part.to_vec();
        let mut input = &mut part[..];
        let before = input.len();
        let result = receive(&mut input);
        used += before - input.len();
        match result {
            Some((result, out)) => return (Some(result), out, used),
            None => assert!(input.is_empty(), "all is used while more is wanted"),
        }
    }
    (None, Vec::new(), used)
}

/// Any partition of `bytes` shows the same.
fn same_for_any_reads(bytes: &[u8], cuts: &[usize], run: impl Fn(&[&[u8]]) -> End) -> End {
    let whole = run(&[bytes]);
    assert_eq!(run(&parts(bytes, cuts)), whole);
    assert_eq!(run(&parts(bytes, &every_cut(bytes.len()))), whole);
    whole
}

/// A response: a head of plain lines, no control byte in any, none folded; what follows it has the length that it says.
fn assert_response(out: &[u8]) {
    let end = out
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("an end of the head");
    let (head, body) = (&out[..end], &out[end + 4..]);
    let head = std::str::from_utf8(head).expect("text");
    let mut length = None;
    for (i, line) in head.split("\r\n").enumerate() {
        assert!(!line.is_empty() && !line.starts_with([' ', '\t']), "{head:?}");
        assert!(
            !line.chars().any(|char| char.is_ascii_control() && char != '\t'),
            "{head:?}"
        );
        match (i, line.split_once(": ")) {
            (0, _) => assert!(
                line.starts_with("HTTP/1.1 ") && line.as_bytes()[9..12].iter().all(u8::is_ascii_digit)
            ),
            (_, Some(("Content-Length", value))) => length = Some(value.parse().expect("a number")),
            (_, field) => assert!(field.is_some(), "{head:?}"),
        }
    }
    assert!(body.is_empty() || length == Some(body.len()), "{head:?}");
}

fn describe_request(request: &Request, config: &Config, out: &mut Vec<u8>) -> String {
    let fields: Vec<_> = request
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect();
    let said = (
        request.path(),
        request.query(),
        request.host(),
        request.origin(),
        request.is_upgrade(),
    );
    let upgrade = request.upgrade(out);
    // The two ways into an upgrade agree.
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
        let protocols: Vec<_> = upgrade.protocols().collect();
        let extensions: Vec<_> = upgrade.extensions().map(|one| one.to_string()).collect();
        let facts = format!(
            "{} {protocols:?} {extensions:?} {}",
            upgrade.host(),
            upgrade.is_same_origin()
        );
        assert!(out.is_empty());
        let connection = upgrade.select_protocol(&["chat", "b"]).accept(out);
        format!("{facts} {connection:?}")
    });
    let (method, target, version) = (request.method(), request.target(), request.version());
    format!("{method} {target} {version:?} {fields:?} {said:?} {upgrade:?}")
}

/// The server: the same for any reads, an answer to every error, within the limits, and what is answered is a response.
pub fn handshake_server(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = Limits::read(&mut input);
    let config = limits.deflated(input.byte());
    let (cuts, bytes) = input.cut_rest();
    let (result, out, used) = same_for_any_reads(bytes, &cuts, |parts| {
        let (mut server, mut out) = (ServerHandshake::new(&config), Vec::new());
        drive(parts, |input| match server.receive(input, &mut out) {
            Ok(None) => None,
            Ok(Some(request)) => Some((describe_request(&request, &config, &mut out), out.clone())),
            Err(error) => {
                let answered = out.len();
                assert_eq!(server.receive(input, &mut out).map(drop), Err(error), "fused");
                assert_eq!((out.len(), server.receive_eof()), (answered, error));
                assert!(out.starts_with(format!("HTTP/1.1 {} ", error.status()).as_bytes()));
                Some((format!("{error:?}"), out.clone()))
            }
        })
    });
    // An empty line or two before the request are no part of the head.
    assert!(used <= limits.head.max(1), "{used}");
    match result {
        None => assert!(used == bytes.len() && out.is_empty()),
        Some(_) => assert_response(&out),
    }
}

fn describe_response(kind: &str, response: &Response) -> String {
    let fields: Vec<_> = response.fields().collect();
    let versions: Vec<u8> = response.supported_versions().collect();
    let extensions: Vec<_> = response.extensions().map(|one| one.to_string()).collect();
    format!(
        "{kind} {} {fields:?} {:?} {versions:?} {extensions:?}",
        response.status(),
        response.protocol()
    )
}

/// The client: the same for any reads, within the limits, never a byte sent, and opened by the right key alone.
pub fn handshake_client(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = Limits::read(&mut input);
    let choice = input.byte();
    let config = limits.deflated(choice).require_subprotocol(choice & 2 != 0);
    let (cuts, bytes) = input.cut_rest();
    let mut request = ClientRequest::new("h", "/").expect("well-formed");
    if choice & 4 == 0 {
        request = request
            .protocol("chat")
            .and_then(|request| request.extension("ext"))
            .expect("well-formed");
    }
    let (result, _, used) = same_for_any_reads(bytes, &cuts, |parts| {
        let nonce = |bytes: &mut [u8]| bytes.fill(0);
        let mut client = request.clone().start(&config, nonce, &mut Vec::new());
        let mut out = Vec::new();
        drive(parts, |input| {
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
    });
    assert!(
        used <= limits.head.saturating_mul(limits.interim + 1).max(1),
        "{used}"
    );
    match result {
        None => assert_eq!(used, bytes.len()),
        Some(result) if result.starts_with("accepted") => {
            assert!(bytes.windows(28).any(|window| window == accept_key(KEY)));
        }
        Some(_) => {}
    }
}
