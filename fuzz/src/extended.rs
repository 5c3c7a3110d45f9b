//! The opening handshake in fields: the extended CONNECT of HTTP/2 and HTTP/3, and HTTP/1.1 requests parsed by another library.

use super::common::lists::{List, assert_list, facts, pairs, read_connect, second_reading};
use super::input::Input;
use super::leniency::{assert_lenient, lenient};
use websocket_proto::handshake::{
    Answer, ClientFieldsHandshake, ClientRequest, HandshakeError, ServerHandshake, Upgrade,
};
use websocket_proto::{Config, Entropy, entropy};

/// Parses fields, one per line: a name, a colon and a space, a value. A name may begin with a colon.
fn list(text: &[u8]) -> List {
    let lines = text.split(|&byte| byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let colon = line.windows(2).skip(1).position(|two| two == b": ");
            let (name, value) = line.split_at(colon.map_or(line.len(), |at| at + 1));
            (name.to_vec(), value.get(2..).unwrap_or_default().to_vec())
        })
        .collect()
}

/// Both roles, for any list: the result is the same as that of a second implementation, as for HTTP/1.1 bytes, and as in a repeated
/// call after an error.
pub fn extended(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (choice, status) = (input.byte(), input.pick(&[200, 101, 103, 204, 299, 403, 0, 1000]));
    let list = list(input.rest());
    assert_server(&list);
    let lenient = lenient(Config::new(), choice);
    let by_leniency = Upgrade::from_extended_connect(&lenient, pairs(&list));
    assert_lenient(read_connect(&list), by_leniency.map(|upgrade| facts(&upgrade)));
    assert_as_bytes(&lenient, &list);
    let config = lenient
        .max_fields(20)
        .max_interim_responses(1)
        .require_subprotocol(choice & 1 != 0);
    for is_list in [true, false] {
        let mut connect = request().start_extended_connect(&config, nonce());
        assert_client(&mut connect, |client| match is_list {
            true => client.receive_fields(pairs(&list)),
            false => client.receive_response(status, pairs(&list)),
        });
    }
    let mut upgrade = request().start_upgrade(&config, nonce());
    assert_client(&mut upgrade, |client| {
        client.receive_response(status, pairs(&list))
    });
}

fn assert_server(list: &List) {
    match (read_connect(list), second_reading(list)) {
        (Err(error), expected) => {
            assert_eq!(expected, Err(error.status()), "{error:?}");
            let names: Vec<_> = error.response_fields().iter().map(|(name, _)| *name).collect();
            assert!(
                names.is_empty() || names == ["sec-websocket-version"],
                "{error:?}"
            );
        }
        (read, expected) => assert_eq!(read.map_err(|error| error.status()), expected),
    }
    let config = Config::new();
    #[cfg(feature = "deflate")]
    let config = config.deflate(websocket_proto::deflate::DeflateConfig::new());
    if let Ok(upgrade) = Upgrade::from_extended_connect(&config, pairs(list)) {
        let first = upgrade.subprotocols().next();
        let upgrade = upgrade
            .select_subprotocol(first.as_slice())
            .with_field("X-Y", " z");
        let upgrade = upgrade.expect("well-formed");
        let fields = upgrade.response_fields();
        assert_list(&fields.map(|(name, value)| (name.into(), value.into())).collect());
        let mut out = Vec::new();
        let _ = (upgrade.is_same_origin(), upgrade.accept(&mut out));
        assert!(out.is_empty());
    }
}

/// An HTTP/1.1 request with these fields, if they can be written as lines.
fn assert_as_bytes(config: &Config, list: &List) {
    let is_name = |name: &[u8]| {
        name.iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    if !list
        .iter()
        .all(|(name, value)| is_name(name) && !value.contains(&b'\r'))
    {
        return;
    }
    let mut bytes = b"GET /a?b HTTP/1.1\r\n".to_vec();
    for (name, value) in list {
        bytes.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    let config = config.clone().max_head_size(1 << 20).max_fields(1 << 20);
    let (mut input, mut out) = (&mut bytes[..], Vec::new());
    let by_bytes = ServerHandshake::new(&config)
        .receive(&mut input, &mut out)
        .and_then(|request| {
            let request = request.expect("the head is complete");
            request.upgrade(&mut out).map(|upgrade| facts(&upgrade))
        });
    let by_fields = Upgrade::from_fields(&config, "GET", "/a?b", (1, 1), pairs(list));
    assert_eq!(by_fields.map(|upgrade| facts(&upgrade)), by_bytes);
}

fn assert_client(
    client: &mut ClientFieldsHandshake,
    receive: impl Fn(&mut ClientFieldsHandshake) -> Result<Option<Answer>, HandshakeError>,
) {
    let mut result = receive(client);
    if matches!(result, Ok(None)) {
        // As often as it may appear.
        result = receive(client);
        assert_eq!(
            result.as_ref().err(),
            Some(&HandshakeError::TooManyInterimResponses { limit: 1 })
        );
    }
    let later = match &result {
        Err(error) => *error,
        Ok(_) => HandshakeError::Finished,
    };
    assert_eq!(receive(client).err(), Some(later));
    assert_eq!(client.receive_eof(), later);
    if let Ok(Some(Answer::Accepted { response, .. })) = result {
        let is_success = match client.method() {
            "CONNECT" => (200..300).contains(&response.status()),
            _ => response.status() == 101,
        };
        assert!(is_success && [None, Some("chat")].contains(&response.subprotocol()));
        assert!(response.extensions().all(|one| one.name() == "ext"));
    }
}

fn request() -> ClientRequest {
    ClientRequest::new("h", "/")
        .and_then(|request| request.with_subprotocol("chat")?.with_extension("ext"))
        .expect("well-formed")
}

fn nonce() -> impl Entropy {
    entropy::from_fn(|bytes| bytes.fill(0))
}
