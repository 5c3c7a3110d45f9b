//! The body of a rejected handshake, compared with a plain reading of RFC 9112.

use super::common::bodies::{Framed, end_body, read_body};
use super::input::Input;
use super::leniency::lenient;
use websocket_proto::Config;

/// Fields that declare or affect the body.
const LINES: [(&str, &str); 12] = [
    ("Transfer-Encoding", "chunked"),
    ("transfer-encoding", ", Chunked"),
    ("Transfer-Encoding", "gzip, chunked"),
    ("Content-Length", "0"),
    ("Content-Length", "7"),
    ("content-length", "0012"),
    ("Content-Length", "99999999999999999999"),
    ("Content-Length", "7, 7"),
    ("Connection", "close"),
    ("Connection", "Keep-Alive"),
    ("Connection", "a ,CLOSE"),
    ("X", "y"),
];

/// The same result for any split, within the limits, and as RFC 9112 says.
pub fn response_body(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (status, minor) = (
        input.pick(&[403, 401, 200, 204, 304, 407, 999]),
        input.pick(&[1, 0, 2]),
    );
    let (max_body, max_head) = (input.pick(&[64, 0, 1, 7, 4096]), input.pick(&[256, 200]));
    let choice = input.byte();
    let framed = Framed {
        status,
        minor,
        max_body,
        max_head,
        bare_line_feeds: choice & 0x80 != 0,
        fields: (0..choice % 4)
            .map(|_| input.pick(&LINES))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    };
    let config = Config::new()
        .max_body_size(framed.max_body as u64)
        .max_head_size(framed.max_head)
        .max_fields(8);
    let config = lenient(config, choice);
    let (cuts, bytes) = input.cut_rest();
    let read = read_body(&config, &framed.head(), bytes, &cuts);
    framed.check(bytes, &read);
    assert!(read.received.len() <= framed.max_body);
    if read.result.is_none() {
        let end = end_body(&config, &framed.head(), bytes);
        assert!(end.is_err() || end.as_deref() == Ok(bytes));
    }
}
