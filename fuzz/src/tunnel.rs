//! A tunnel through a proxy: any response, split in any way.

use super::common::handshakes::{ask, tunnel};
use super::input::Input;
use super::leniency::{assert_lenient_text, lenient};
use websocket_proto::Config;
use websocket_proto::handshake::ClientRequest;

/// The result is the same for any split, and within the limits. The tunnel opens if and only if the final status is a success. A
/// rejection is read like a server's.
pub fn proxy_connect(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let head = input.pick(&[2048, 0, 1, 64, 256]);
    let interim = input.pick(&[2, 0, 1, 8]);
    let choice = input.byte();
    let config = Config::new()
        .max_head_size(head)
        .max_fields([20, 0, 1, 4][usize::from(choice % 4)])
        .max_interim_responses(interim);
    let (cuts, bytes) = input.cut_rest();
    let strict = tunnel(&config, bytes, &[]);
    let config = lenient(config, choice);
    let ended = tunnel(&config, bytes, &cuts);
    assert_lenient_text(strict.result.as_deref(), ended.result.as_deref());
    assert!(
        ended.used <= head.saturating_mul(interim + 1).max(1),
        "{}",
        ended.used
    );
    let Some(result) = &ended.result else {
        assert_eq!(ended.used, bytes.len());
        return;
    };
    let request = ClientRequest::new("h", "/").expect("well-formed");
    let asked = ask(&config, &request, bytes, &cuts);
    match result.strip_prefix("open 2") {
        Some(_) => assert!(
            asked
                .result
                .is_some_and(|result| result.starts_with("rejected 2"))
        ),
        None if result.starts_with("rejected") => {
            assert_eq!(asked.used, ended.used);
            assert!(asked.result.is_some_and(|asked| asked.starts_with(&result[..12])));
        }
        None => {}
    }
}
