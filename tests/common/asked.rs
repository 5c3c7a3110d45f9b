//! Requests of applications: valid and invalid arguments.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use websocket_proto::handshake::ClientRequest;

/// The arguments of a client's request, all well-formed.
#[derive(Clone, Debug)]
pub struct Asked {
    pub authority: String,
    pub target: String,
    pub protocols: Vec<String>,
    pub extensions: Vec<String>,
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Asked {
    pub fn request(&self) -> ClientRequest {
        let mut request = ClientRequest::new(&self.authority, &self.target).unwrap();
        for protocol in &self.protocols {
            request = request.with_subprotocol(protocol).unwrap();
        }
        for extension in &self.extensions {
            request = request.with_extension(extension).unwrap();
        }
        for (name, value) in &self.fields {
            request = request.with_field(name, value).unwrap();
        }
        request
    }
}

pub fn asked() -> impl Strategy<Value = Asked> {
    let authority = "([a-z0-9.-]{1,10}|\\[::[1-9a-f]\\])(:[1-9][0-9]{1,3})?";
    let protocols = vec(TOKEN, 0..4).prop_map(|mut names| {
        names.sort();
        names.dedup();
        names
    });
    let extensions = vec(
        "[!-'*+.a-z0-9^_`|~-]{1,6}(; [a-z]{1,3}(=[a-z0-9]{1,3})?){0,2}",
        0..3,
    )
    .prop_map(|list| list.into_iter().filter(|one| !one.contains('"')).collect());
    (authority, TARGET, protocols, extensions, fields()).prop_map(
        |(authority, target, protocols, extensions, fields)| Asked {
            authority,
            target,
            protocols,
            extensions,
            fields,
        },
    )
}

/// Fields that a caller may add, in UTF-8 or in Latin-1. None of their names has a meaning in the handshake.
pub fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let text = "[ -~\t\u{80}-\u{ff}]{0,20}".prop_map(String::into_bytes);
    let latin = vec(
        select(
            (0x20..0x7f)
                .chain(0x80..=0xff)
                .chain([b'\t'])
                .collect::<Vec<u8>>(),
        ),
        0..20,
    );
    vec(
        ("X-[!#$%&'*+.a-zA-Z0-9^_`|~-]{0,8}", prop_oneof![text, latin]),
        0..4,
    )
}

/// The characters that browsers and servers send: printable ASCII except `#`.
pub const TARGET: &str = "/([!-\"$-~]|%[0-9a-fA-F]{2}){0,20}";

pub const TOKEN: &str = "[!#$%&'*+.a-zA-Z0-9^_`|~-]{1,8}";

/// Arguments that a caller should not pass, and some that are valid.
pub fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\r\n\0 \t:/?#@,;=\"a-cX\u{e9}]{0,10}",
        "[a-c]{1,3}(\r\n|\n|\r|\0|\r\n )?[a-c:]{0,5}",
        "/[ -~]{0,10}",
        "[a-z]{1,5}(:[0-9]{1,6})?",
        ":method|Connection|TE|Keep-Alive|sec-websocket-x|host",
        any::<String>(),
    ]
}

/// A request with those arguments that are accepted, and the number of fields that they add.
pub fn with_what_is_taken(texts: &[String; 6]) -> (ClientRequest, usize) {
    let [authority, target, origin, protocol, name, value] = texts;
    let mut request =
        ClientRequest::new(authority, target).unwrap_or_else(|_| ClientRequest::from_url("ws://h").unwrap());
    let steps: [&dyn Fn(ClientRequest) -> Option<ClientRequest>; 4] = [
        &|request| request.with_origin(origin).ok(),
        &|request| request.with_subprotocol(protocol).ok(),
        &|request| request.with_extension(value).ok(),
        &|request| request.with_field(name, value).ok(),
    ];
    let mut taken = 0;
    for step in steps {
        if let Some(next) = step(request.clone()) {
            request = next;
            taken += 1;
        }
    }
    (request, taken)
}
