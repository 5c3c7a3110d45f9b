//! The opening handshake, both roles: the same result for any split, and valid responses.

use super::common::handshakes::{ask, assert_response, serve};
use super::input::Input;
use super::leniency::{assert_lenient_text, lenient};
use websocket_proto::Config;
use websocket_proto::handshake::ClientRequest;
use websocket_proto::handshake::key::accept_key;

/// The key of sixteen zero bytes.
const KEY: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAA==";

#[derive(Clone)]
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
    fn strict(&self, choice: u8) -> Config {
        #[cfg(feature = "deflate")]
        if choice & 1 != 0 {
            return self
                .config
                .clone()
                .deflate(websocket_proto::deflate::DeflateConfig::new());
        }
        _ = choice;
        self.config.clone()
    }
}

/// The server: the same result for any split, within the limits, and a well-formed response to every request and error.
pub fn handshake_server(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = Limits::read(&mut input);
    let choice = input.byte();
    let config = limits.strict(choice);
    let (cuts, bytes) = input.cut_rest();
    let strict = serve(&config, bytes, &[]);
    let ended = serve(&lenient(config, choice), bytes, &cuts);
    assert_lenient_text(strict.result.as_deref(), ended.result.as_deref());
    // Empty lines before the request are not part of the head.
    assert!(ended.used <= limits.head.max(1), "{}", ended.used);
    match ended.result {
        None => assert!(ended.used == bytes.len() && ended.out.is_empty()),
        Some(_) => assert_response(&ended.out),
    }
}

/// The client: the same result for any split, within the limits, nothing is sent, and only the right key opens.
pub fn handshake_client(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let limits = Limits::read(&mut input);
    let choice = input.byte();
    let config = limits.strict(choice).require_subprotocol(choice & 2 != 0);
    let (cuts, bytes) = input.cut_rest();
    let mut request = ClientRequest::new("h", "/").expect("well-formed");
    if choice & 4 == 0 {
        request = request
            .with_subprotocol("chat")
            .and_then(|request| request.with_extension("ext"))
            .expect("well-formed");
    }
    let strict = ask(&config, &request, bytes, &[]);
    let ended = ask(&lenient(config, choice), &request, bytes, &cuts);
    assert_lenient_text(strict.result.as_deref(), ended.result.as_deref());
    let most = limits.head.saturating_mul(limits.interim + 1).max(1);
    assert!(ended.used <= most, "{}", ended.used);
    if ended.result.is_none() {
        assert_eq!(ended.used, bytes.len());
    }
    if ended.is_accepted() {
        assert!(bytes.windows(28).any(|window| window == accept_key(KEY)));
    }
}
