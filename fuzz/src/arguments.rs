//! Arguments that a program passes to the opening handshake: either rejected, or read correctly by the other end.

use super::common::handshakes::{assert_response, head_lines};
use super::common::lists::{List, assert_list};
use super::common::{drive, text};
use super::input::Input;
use websocket_proto::handshake::{
    Answer, ClientHandshake, ClientRequest, Response, ServerHandshake, TunnelRequest, Upgrade,
};
use websocket_proto::{Config, Connection, entropy};

/// Anything, or a usual value.
fn argument(input: &mut Input, usual: &[&str]) -> String {
    match usize::from(input.byte()) {
        choice if choice >= 0x80 => usual[choice % usual.len()].to_owned(),
        _ => input.text(),
    }
}

/// A configuration without limits, with or without compression.
fn config(input: &mut Input) -> (Config, bool) {
    let config = Config::new().max_head_size(usize::MAX).max_fields(usize::MAX);
    let (flags, client, server) = (input.byte(), input.byte(), input.byte());
    #[cfg(feature = "deflate")]
    if flags >= 0x80 {
        let deflate = websocket_proto::deflate::DeflateConfig::new()
            .client_max_window_bits(client)
            .server_max_window_bits(server)
            .client_no_context_takeover(flags & 1 != 0)
            .server_no_context_takeover(flags & 2 != 0)
            .threshold(0);
        return (config.deflate(deflate), true);
    }
    _ = (flags, client, server);
    (config, false)
}

/// A client's request and its fields.
struct Asked {
    request: ClientRequest,
    origin: Option<String>,
    protocols: Vec<String>,
    extensions: usize,
    /// Whether one of the extensions has a value that is not a token, which a server accepts only by leniency.
    has_any_value: bool,
    fields: Vec<(String, String)>,
}

impl Asked {
    fn read(input: &mut Input) -> Option<Self> {
        let request = match input.byte() & 3 {
            0 => ClientRequest::from_url(&argument(input, &["ws://h", "wss://[::1]:81/a?b"])).ok(),
            2 => {
                ClientRequest::from_url_with_credentials(&argument(input, &["ws://u:p@h", "ws://u@h?a"])).ok()
            }
            _ => ClientRequest::new(&argument(input, &["h", "h:81"]), &argument(input, &["/", "/a?b"])).ok(),
        };
        let mut asked = Self {
            request: request?,
            origin: None,
            protocols: Vec::new(),
            extensions: 0,
            has_any_value: false,
            fields: Vec::new(),
        };
        for _ in 0..input.byte() % 8 {
            asked.add(input);
        }
        Some(asked)
    }

    fn add(&mut self, input: &mut Input) {
        let request = self.request.clone();
        let choice = input.byte();
        let next = match choice % 4 {
            0 => {
                let origin = argument(input, &["https://h", "null"]);
                let next = request.with_origin(&origin);
                next.inspect(|_| self.origin = Some(origin))
            }
            1 => {
                let name = argument(input, &["chat", "b", "c"]);
                let next = request.with_subprotocol(&name);
                next.inspect(|_| self.protocols.push(name))
            }
            2 if choice & 4 != 0 => {
                let next =
                    request.with_extension_any_value(&argument(input, &["x-c; d=\"e:f,g\"", "x-c; d=\"\""]));
                next.inspect(|_| (self.extensions, self.has_any_value) = (self.extensions + 1, true))
            }
            2 => {
                let next = request.with_extension(&argument(input, &["x-a", "x-b; c=\"d\""]));
                next.inspect(|_| self.extensions += 1)
            }
            _ => {
                let (name, value) = (argument(input, &["X", "Cookie"]), argument(input, &["y"]));
                let next = request.with_field(&name, &value);
                next.inspect(|_| self.fields.push((name, value)))
            }
        };
        if let Ok(next) = next {
            self.request = next;
        }
    }
}

/// Rejected arguments have no effect, and accepted ones are written so that the other role reads them as intended. Then both ends
/// exchange messages.
pub fn handshake_arguments(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (config_of_client, is_deflating) = config(&mut input);
    let (config_of_server, _) = config(&mut input);
    let Some(asked) = Asked::read(&mut input) else {
        return;
    };
    let config_of_server = config_of_server.accept_any_extension_value(asked.has_any_value);
    let mut out = Vec::new();
    let nonce = entropy::from_fn(|bytes| bytes.fill(7));
    let client = asked.request.clone().start(&config_of_client, nonce, &mut out);
    let (lines, rest) = head_lines(&out);
    assert!(rest.is_empty());
    let mut server = ServerHandshake::new(&config_of_server);
    let mut refused = Vec::new();
    let request = server.receive(&mut &mut out[..], &mut refused);
    let request = request.expect("well-formed").expect("whole");
    assert_eq!(
        (request.method(), request.target()),
        ("GET", asked.request.target())
    );
    assert_eq!(request.fields().count(), lines.len() - 1);
    for (name, value) in &asked.fields {
        let sent = value.trim_matches([' ', '\t']).as_bytes();
        assert!(request.fields().any(|field| field == (&name[..], sent)));
    }
    let upgrade = request.upgrade(&mut refused).expect("our own request is valid");
    assert!(refused.is_empty());
    assert_eq!(upgrade.origin(), asked.origin.as_deref());
    assert!(
        upgrade
            .subprotocols()
            .eq(asked.protocols.iter().map(String::as_str))
    );
    assert!(upgrade.extensions().count() >= asked.extensions);
    reject(&upgrade, &mut input);
    accept(client, is_deflating, upgrade, &mut input);
    connect(&asked, &config_of_client, &config_of_server, is_deflating);
    tunnel(asked.request, &config_of_client, input);
}

/// A CONNECT with any credentials and additional fields.
fn tunnel(request: ClientRequest, config: &Config, mut input: Input) {
    let (mut tunnel, mut lines) = (TunnelRequest::new(request), 2);
    let mut has_credentials = false;
    while !input.is_empty() {
        let kind = input.byte() % 3;
        let (one, other) = (
            argument(&mut input, &["user", "X"]),
            argument(&mut input, &["word", "y"]),
        );
        let next = match kind {
            0 => tunnel.clone().with_basic_credentials(&one, &other),
            1 => tunnel.clone().with_proxy_authorization(&one),
            _ => tunnel.clone().with_field(&one, &other),
        };
        if let Ok(next) = next {
            lines += usize::from(kind == 2 || !has_credentials);
            has_credentials |= kind != 2;
            tunnel = next;
        }
    }
    let authority = tunnel.authority().to_owned();
    let mut out = Vec::new();
    _ = tunnel.start(config, &mut out);
    let (written, rest) = head_lines(&out);
    assert!(rest.is_empty());
    assert_eq!(written.len(), lines);
    assert_eq!(
        written[..2],
        [
            format!("CONNECT {authority} HTTP/1.1"),
            format!("Host: {authority}")
        ]
    );
}

fn owned<'a>(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> List {
    fields.map(|(name, value)| (name.into(), value.into())).collect()
}

/// The handshake over a stream of HTTP/2 or HTTP/3.
fn connect(asked: &Asked, of_client: &Config, of_server: &Config, is_deflating: bool) {
    let entropy = entropy::from_fn(|bytes| bytes.fill(7));
    let mut client = asked.request.clone().start_extended_connect(of_client, entropy);
    let fields = owned(client.fields());
    assert_list(&fields);
    let list = fields.iter().map(|(name, value)| (name, value));
    let upgrade = Upgrade::from_extended_connect(of_server, list);
    let upgrade = upgrade
        .expect("our own request is valid")
        .select_subprotocol(&["chat"]);
    assert!(
        upgrade
            .subprotocols()
            .eq(asked.protocols.iter().map(String::as_str))
    );
    assert_list(&owned(upgrade.response_fields()));
    let response = [(":status", &b"200"[..])]
        .into_iter()
        .chain(upgrade.response_fields());
    let answer = client.receive_fields(response);
    let Ok(Some(Answer::Accepted { response, connection })) = answer else {
        panic!("{answer:?}")
    };
    if is_deflating || !speaks_deflate(&response) {
        assert_talk(upgrade.into_connection(), connection);
    }
}

/// Any other response: rejected, or a complete response.
fn reject(upgrade: &Upgrade, input: &mut Input) {
    let status = input.number() % 1100;
    let (name, value) = (argument(input, &["X", "Location"]), argument(input, &["y"]));
    let mut out = Vec::new();
    let rejected = upgrade
        .clone()
        .reject(status, &[(&name, &value)], input.bytes(), &mut out);
    match rejected {
        Ok(()) => assert_response(&out),
        Err(_) => assert!(out.is_empty()),
    }
}

fn accept(mut client: ClientHandshake, is_deflating: bool, mut upgrade: Upgrade, input: &mut Input) {
    let name = argument(input, &["chat", "b", "c"]);
    let is_offered = upgrade.subprotocols().any(|offered| offered == name);
    match upgrade.clone().with_subprotocol(&name) {
        Ok(chosen) => upgrade = chosen,
        Err(_) => assert!(!is_offered),
    }
    let mut fields = Vec::new();
    for _ in 0..input.byte() % 4 {
        let (name, value) = (argument(input, &["X", "Set-Cookie"]), argument(input, &["y"]));
        if let Ok(next) = upgrade.clone().with_field(&name, &value) {
            fields.push((name, value));
            upgrade = next;
        }
    }
    let chosen = upgrade.selected_subprotocol().map(str::to_owned);
    let mut out = Vec::new();
    let server = upgrade.accept(&mut out);
    assert_response(&out);
    let answer = client.receive(&mut &mut out[..], &mut Vec::new());
    let Ok(Some(Answer::Accepted { response, connection })) = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(response.subprotocol(), chosen.as_deref());
    assert_fields(&response, &fields);
    if is_deflating || !speaks_deflate(&response) {
        assert_talk(server, connection);
    }
}

/// A client that offered compression through its own fields would have to implement it.
fn speaks_deflate(response: &Response) -> bool {
    response
        .extensions()
        .any(|one| one.name() == "permessage-deflate")
}

fn assert_fields(response: &Response, fields: &[(String, String)]) {
    for (name, value) in fields {
        let sent = value.trim_matches([' ', '\t']).as_bytes();
        assert!(response.fields().any(|field| field == (&name[..], sent)));
    }
}

/// Each end receives what the other one sends, compressed or not.
fn assert_talk(mut server: Connection, mut client: Connection) {
    for message in ["some text, some text", "", "some text, some text"] {
        assert_sends(&mut server, &mut client, message);
        assert_sends(&mut client, &mut server, message);
    }
}

fn assert_sends(from: &mut Connection, to: &mut Connection, message: &str) {
    let mut out = Vec::new();
    from.send_text(message, &mut out).expect("open");
    assert_eq!(drive(to, &out, &[]).events, [text(message)]);
}
