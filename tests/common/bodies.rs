//! Reads the body of a response, split in any way; and a slow, plain implementation of RFC 9112 sections 6.3 and 7.1 as an oracle.

use super::{every_cut, parts};
use websocket_proto::handshake::{Answer, BodyError, ClientRequest, Response};
use websocket_proto::{Config, entropy};

/// The result of reading a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BodyRead {
    /// The result, if the body is complete or failed.
    pub result: Option<Result<Vec<u8>, BodyError>>,
    /// How many bytes after the head were consumed.
    pub used: usize,
    /// What `received` returns at the end.
    pub received: Vec<u8>,
    pub is_reusable: bool,
}

/// Reads a rejecting response, with `tail` after it in the same input. Also returns the rest of the input.
#[track_caller]
pub fn rejected(config: &Config, head: &[u8], tail: &[u8]) -> (Response, Vec<u8>) {
    let request = ClientRequest::new("h", "/").expect("well-formed");
    let mut client = request.start(config, entropy::from_fn(|bytes| bytes.fill(0)), &mut Vec::new());
    let mut bytes = [head, tail].concat();
    let mut input = &mut bytes[..];
    match client.receive(&mut input, &mut Vec::new()) {
        Ok(Some(Answer::Rejected(response))) => (response, input.to_vec()),
        other => panic!("{other:?} for {:?}", String::from_utf8_lossy(head)),
    }
}

/// Reads the body of the response with `head` from `bytes`: together with the head, in one piece, split before each index of
/// `cuts`, and byte by byte. All have to give the same result.
#[track_caller]
pub fn read_body(config: &Config, head: &[u8], bytes: &[u8], cuts: &[usize]) -> BodyRead {
    let (response, rest) = rejected(config, head, bytes);
    assert_eq!(rest, bytes, "bytes after the head stay in the input");
    let whole = read_parts(config, &response, &[bytes]);
    assert_eq!(read_parts(config, &response, &parts(bytes, cuts)), whole);
    assert_eq!(
        read_parts(config, &response, &parts(bytes, &every_cut(bytes.len()))),
        whole
    );
    whole
}

#[track_caller]
fn read_parts(config: &Config, response: &Response, parts: &[&[u8]]) -> BodyRead {
    let mut body = response.body_reader(config);
    let (mut used, mut result) = (0, None);
    // Nothing has been read yet, but an empty body is complete.
    for part in [&[][..]].iter().chain(parts) {
        let mut part = part.to_vec();
        let mut input = &mut part[..];
        let before = input.len();
        let received = body.receive(&mut input);
        used += before - input.len();
        assert!(!body.is_transport_reusable() || matches!(received, Ok(Some(_))));
        match received {
            Ok(None) => assert!(input.is_empty(), "incomplete bodies consume all input"),
            Ok(Some(bytes)) => {
                assert_eq!(body.received(), b"", "the body was returned");
                assert_eq!(body.receive(&mut input), Err(BodyError::Finished));
                assert_eq!(body.receive_eof(), Err(BodyError::Finished));
                result = Some(Ok(bytes));
            }
            Err(error) => {
                assert_eq!(body.receive(&mut input), Err(error), "fused");
                assert_eq!(body.receive_eof(), Err(error), "fused");
                result = Some(Err(error));
            }
        }
        if result.is_some() {
            break;
        }
    }
    BodyRead {
        result,
        used,
        received: body.received().to_vec(),
        is_reusable: body.is_transport_reusable(),
    }
}

/// The result if the transport ends after `bytes` of the body.
#[track_caller]
pub fn end_body(config: &Config, head: &[u8], bytes: &[u8]) -> Result<Vec<u8>, BodyError> {
    let (response, _) = rejected(config, head, b"");
    let mut body = response.body_reader(config);
    let mut bytes = bytes.to_vec();
    if let Ok(Some(body)) = body.receive(&mut &mut bytes[..]) {
        panic!("complete before the end: {body:?}");
    }
    let end = body.receive_eof();
    let after = end.as_ref().err().copied().unwrap_or(BodyError::Finished);
    assert_eq!(body.receive_eof(), Err(after), "fused");
    assert_eq!(body.receive(&mut &mut bytes[..]), Err(after), "fused");
    assert!(!body.is_transport_reusable());
    end
}

// ---- the oracle ----------------------------------------------------------------------------------------------------------

/// The head of a response, and the limits.
#[derive(Clone, Debug)]
pub struct Framed {
    pub minor: u8,
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub max_body: usize,
    pub max_head: usize,
    /// Whether the lines of trailers may end with an LF alone.
    pub bare_line_feeds: bool,
}

/// The RFC's verdict on a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Plain {
    /// The body, and how many bytes it occupied.
    Complete(Vec<u8>, usize),
    /// The body is incomplete, or ends with the transport.
    More,
    Wrong,
    /// The chunks are complete; the trailers start here.
    Trailers(Vec<u8>, usize),
}

impl Framed {
    /// The head as sent.
    pub fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.{} {} x\r\n", self.minor, self.status);
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
        }
        (head + "\r\n").into_bytes()
    }

    fn values(&self, name: &str) -> Vec<&str> {
        let of_name = |field: &&(String, String)| field.0.eq_ignore_ascii_case(name);
        let fields = self.fields.iter().filter(of_name);
        fields.map(|field| field.1.trim_matches([' ', '\t'])).collect()
    }

    /// RFC 9112 section 6.3, rule by rule.
    pub fn plain(&self, bytes: &[u8]) -> Plain {
        if matches!(self.status, 204 | 304) {
            return Plain::Complete(Vec::new(), 0);
        }
        let (codings, lengths) = (self.values("Transfer-Encoding"), self.values("Content-Length"));
        let is_number = |text: &&str| !text.is_empty() && text.chars().all(|char| char.is_ascii_digit());
        if lengths.len() > 1 || !lengths.iter().all(is_number) {
            return Plain::Wrong;
        }
        if !codings.is_empty() {
            let list = codings.join(",").to_lowercase();
            let list: Vec<_> = list
                .split(',')
                .map(str::trim)
                .filter(|one| !one.is_empty())
                .collect();
            if !lengths.is_empty() || self.minor == 0 || list != ["chunked"] {
                return Plain::Wrong;
            }
            let mut chunks = Chunks {
                bytes,
                at: 0,
                framed: self,
            };
            return chunks.read().unwrap_or_else(|stop| stop);
        }
        let Some(length) = lengths.first() else {
            let is_too_large = bytes.len() > self.max_body;
            return if is_too_large { Plain::Wrong } else { Plain::More };
        };
        match length.parse::<usize>() {
            Ok(length) if length <= self.max_body => match bytes.get(..length) {
                Some(body) => Plain::Complete(body.to_vec(), length),
                None => Plain::More,
            },
            _ => Plain::Wrong,
        }
    }

    /// RFC 9112 section 9.3, for a body that does not end with the transport.
    pub fn keeps_transport(&self) -> bool {
        let options = self.values("Connection").join(",").to_lowercase();
        let has = |option| options.split(',').any(|one| one.trim() == option);
        !has("close") && (self.minor > 0 || has("keep-alive"))
    }

    /// Asserts that the result is what the RFC says.
    #[track_caller]
    pub fn check(&self, bytes: &[u8], read: &BodyRead) {
        match (self.plain(bytes), &read.result) {
            (Plain::Complete(body, used), Some(Ok(result))) => {
                assert_eq!((&body, used), (result, read.used));
                assert_eq!(read.is_reusable, self.keeps_transport());
            }
            (Plain::More, None) | (Plain::Wrong, Some(Err(_))) => {}
            (Plain::Trailers(body, _), Some(Err(BodyError::Trailers(_)))) => assert_eq!(body, read.received),
            (Plain::Trailers(body, at), None) => {
                assert_eq!(body, read.received);
                assert_eq!(self.end_of_trailers(&bytes[at..]), None);
            }
            (Plain::Trailers(body, at), Some(Ok(result))) => {
                assert_eq!(&body, result);
                assert_eq!(self.end_of_trailers(&bytes[at..]), Some(read.used - at));
            }
            (plain, result) => panic!("{plain:?}, but {result:?} for {self:?}"),
        }
    }

    /// What follows the first empty line.
    fn end_of_trailers(&self, bytes: &[u8]) -> Option<usize> {
        let mut end = 0;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            end += line.len();
            if line == b"\r\n" || self.bare_line_feeds && line == b"\n" {
                return Some(end);
            }
        }
        None
    }
}

struct Chunks<'a> {
    bytes: &'a [u8],
    at: usize,
    framed: &'a Framed,
}

impl Chunks<'_> {
    fn peek(&self) -> Result<u8, Plain> {
        self.bytes.get(self.at).copied().ok_or(Plain::More)
    }

    fn byte(&mut self) -> Result<u8, Plain> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    fn line_end(&mut self) -> Result<(), Plain> {
        match self.byte()? == b'\r' && self.byte()? == b'\n' {
            true => Ok(()),
            false => Err(Plain::Wrong),
        }
    }

    fn size(&mut self) -> Result<u64, Plain> {
        let mut digits = String::new();
        while self.peek()?.is_ascii_hexdigit() {
            digits.push(self.byte()?.into());
            if digits.len() > 16 {
                return Err(Plain::Wrong);
            }
        }
        u64::from_str_radix(&digits, 16).map_err(|_| Plain::Wrong)
    }

    fn read(&mut self) -> Result<Plain, Plain> {
        let (mut body, mut extensions) = (Vec::new(), 0);
        loop {
            let size = self.size()?;
            if size > (self.framed.max_body - body.len()) as u64 {
                return Err(Plain::Wrong);
            }
            let mut extension = String::new();
            while self.peek()? != b'\r' {
                extension.push(self.byte()?.into());
                extensions += 1;
                let front = extension.trim_start_matches([' ', '\t']);
                let is_control = |char: char| char.is_ascii_control() && char != '\t';
                let is_one = front.is_empty() || front.starts_with(';');
                if !is_one || extension.contains(is_control) || extensions > self.framed.max_head {
                    return Err(Plain::Wrong);
                }
            }
            self.line_end()?;
            if size == 0 {
                return Ok(Plain::Trailers(body, self.at));
            }
            for _ in 0..size {
                body.push(self.byte()?);
            }
            self.line_end()?;
        }
    }
}
