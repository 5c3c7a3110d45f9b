//! A command-line client: sends each line of stdin as a text message, and prints each text message it receives as a line.
//!
//!     cargo run --example cat -- [--proxy http://[USER:PASSWORD@]HOST:PORT] URL
//!
//! Any bytes can be sent: a line that is not UTF-8 is sent as a binary message, and binary messages are shown in hex. At the end
//! of stdin, the client closes the connection with 1000 and shows what the server still sends until the server closes as well. It
//! prints to stderr how the connection ended; the exit code is 0 only if that was clean. It sends Pings to detect a server that
//! has fallen silent. If the server or the proxy refuses, its response is shown. The proxy gets the credentials only if it asks
//! for them.
//!
//! Three threads share one endpoint: one reads stdin, and `link` has the other two.

mod link;

use std::error::Error;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, str, thread};

use link::Link;
use websocket_proto::endpoint::{Endpoint, EndpointConfig, SendError, Step};
use websocket_proto::handshake::{ClientRequest, Response, TunnelAnswer, TunnelRequest};
use websocket_proto::{CloseCode, Config, Event, OsEntropy};

/// The timeout of the entire exchange with the proxy, which slow reads do not extend.
const TUNNEL_TIME: Duration = Duration::from_secs(10);
/// How long a server that does not read may take to accept some of the output.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// How much output may be buffered before stdin has to wait.
const MAX_BUFFERED: usize = 64 * 1024;
/// How many characters of a rejecting response are shown.
const MAX_REASON: usize = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (proxy, url) = match &arguments[..] {
        [url] => (None, url),
        [option, proxy, url] if option == "--proxy" => (Some(&proxy[..]), url),
        _ => {
            eprintln!("usage: cat [--proxy http://[USER:PASSWORD@]HOST:PORT] URL");
            return ExitCode::FAILURE;
        }
    };
    match cat(url, proxy) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{url}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// With the feature `deflate`, offers compression.
fn config() -> Config {
    #[cfg(feature = "deflate")]
    return Config::new().deflate(websocket_proto::deflate::DeflateConfig::new());
    #[cfg(not(feature = "deflate"))]
    Config::new()
}

/// Whether the connection ended cleanly.
fn cat(url: &str, proxy: Option<&str>) -> Result<bool, Box<dyn Error>> {
    let request = ClientRequest::from_url(url)?;
    if request.is_secure() {
        return Err("this example has no TLS, only ws:// works".into());
    }
    let (request, stream, unread) = match proxy {
        None => {
            let stream = TcpStream::connect((request.host(), request.port()))?;
            (request, stream, Vec::new())
        }
        Some(proxy) => open_tunnel(request, &Proxy::parse(proxy)?)?,
    };
    let config = EndpointConfig::new()
        .connection(config())
        .write_timeout(WRITE_TIME)
        .max_buffered(MAX_BUFFERED);
    let link = Arc::new(Link::new(stream, |now| {
        let mut endpoint = Endpoint::client(&config, request, OsEntropy, now);
        if !unread.is_empty() {
            endpoint.receive(&unread);
        }
        endpoint
    })?);
    for task in [send_stdin, Link::write] {
        let link = Arc::clone(&link);
        thread::spawn(move || task(&link));
    }
    let mut refusal = None;
    link.read(|step, mut endpoint| match step {
        Step::Response => {
            let body = endpoint.response_body().to_vec();
            let response = endpoint
                .take_response()
                .filter(|response| response.status() != 101);
            refusal = response.map(|response| describe(&response, &body));
        }
        _ => {
            let lines = take_lines(&mut endpoint);
            drop(endpoint); // the reader of stdout may be slow
            if io::stdout().lock().write_all(&lines).is_err() {
                link.update(Endpoint::abort);
            }
        }
    });
    if let Some(refusal) = refusal {
        return Err(refusal.into());
    }
    let endpoint = link.endpoint();
    let end = endpoint.end().ok_or("it has not ended")?;
    eprintln!("{end}");
    Ok(end.is_clean())
}

/// Prints what the server sends as lines.
fn take_lines(endpoint: &mut Endpoint) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut events = endpoint.events();
    while let Some((event, _)) = events.next() {
        match event {
            Event::Text(text) => lines.extend_from_slice(text.as_bytes()),
            Event::Binary(payload) => {
                let hex: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
                lines.extend_from_slice(hex.as_bytes());
            }
            _ => continue, // the endpoint replies to Pings and Closes
        }
        lines.push(b'\n');
    }
    lines
}

/// Sends what is read from stdin, then closes the connection.
fn send_stdin(link: &Link) {
    let may_send = |endpoint: &mut Endpoint| {
        let sender = endpoint.sender();
        sender.is_open() && !sender.is_full()
    };
    for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let send = |endpoint: &mut Endpoint| -> Result<(), SendError> {
            match str::from_utf8(line) {
                Ok(text) => endpoint.sender().send_text(text),
                Err(_) => endpoint.sender().send_binary(line),
            }
        };
        if link.update_when(may_send, send).is_err() {
            return; // closed; the reader reports how
        }
    }
    // The connection may be closed already.
    _ = link.update_when(may_send, |endpoint| {
        endpoint.sender().close(CloseCode::NORMAL, "")
    });
}

/// Asks the proxy for a tunnel, and once more with credentials if it requires them. Nothing is sent through the tunnel before it
/// is open.
///
/// Also returns what was read from the tunnel.
fn open_tunnel(
    request: ClientRequest,
    proxy: &Proxy,
) -> Result<(ClientRequest, TcpStream, Vec<u8>), Box<dyn Error>> {
    let deadline = Instant::now() + TUNNEL_TIME;
    let connect = || Tunnel::connect((proxy.address.host(), proxy.address.port()), deadline);
    let mut link = connect()?;
    let mut tunnel = TunnelRequest::new(request);
    let mut credentials = proxy.credentials.as_ref();
    loop {
        let mut out = Vec::new();
        let mut handshake = tunnel.start(&config(), &mut out);
        link.stream.write_all(&out)?;
        let (again, response) = match link.receive(|input| handshake.receive(input))? {
            Received::All(TunnelAnswer::Accepted { request, .. }) => {
                link.stream.set_read_timeout(None)?;
                return Ok((request, link.stream, link.buffer[link.unread].to_vec()));
            }
            Received::All(TunnelAnswer::Rejected { tunnel, response }) => (tunnel, response),
            Received::Eof => return Err(handshake.receive_eof().into()),
            Received::TimedOut => return Err(handshake.handle_timeout().into()),
        };
        let (refusal, is_reusable) = link.refusal(&response)?;
        tunnel = match credentials.take() {
            Some((user, password)) if response.status() == 407 => {
                again.with_basic_credentials(user, password)?
            }
            _ => return Err(format!("proxy: {refusal}").into()),
        };
        if !is_reusable {
            link = connect()?;
        }
    }
}

/// Where the proxy is, and the credentials if it asks for them.
struct Proxy {
    address: ClientRequest,
    credentials: Option<(String, String)>,
}

impl Proxy {
    fn parse(url: &str) -> Result<Self, Box<dyn Error>> {
        let rest = url.strip_prefix("http://").ok_or("proxy: not an http:// URL")?;
        let (credentials, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((user, address)) => {
                let (user, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((decode(user)?, decode(password)?)), address)
            }
        };
        // The URL has another scheme, but host and port have the same syntax.
        let address = ClientRequest::from_url(&format!("ws://{address}"))?;
        Ok(Self { address, credentials })
    }
}

/// Undoes the percent-encoding of a URL.
fn decode(text: &str) -> Result<String, Box<dyn Error>> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).ok_or("proxy: malformed percent-encoding")?;
        bytes.push(u8::from_str_radix(digits, 16)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Ok(String::from_utf8(bytes)?)
}

/// A transport to a proxy, and the bytes read from it.
struct Tunnel {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the unconsumed bytes start in the buffer.
    unread: Range<usize>,
    deadline: Instant,
}

/// The expected result, or why there is none.
enum Received<T> {
    All(T),
    Eof,
    TimedOut,
}

impl Tunnel {
    fn connect(address: (&str, u16), deadline: Instant) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIME))?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1024],
            unread: 0..0,
            deadline,
        })
    }

    /// Gives `receive` the unconsumed bytes, then what can be read, until it has a result.
    fn receive<T, E: Error + 'static>(
        &mut self,
        mut receive: impl FnMut(&mut &mut [u8]) -> Result<Option<T>, E>,
    ) -> Result<Received<T>, Box<dyn Error>> {
        loop {
            let end = self.unread.end;
            let mut input = &mut self.buffer[self.unread.clone()];
            let result = receive(&mut input);
            self.unread = end - input.len()..end;
            if let Some(result) = result? {
                return Ok(Received::All(result));
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Received::TimedOut);
            }
            self.stream.set_read_timeout(Some(left))?;
            self.unread = match self.stream.read(&mut self.buffer) {
                Ok(0) => return Ok(Received::Eof),
                Ok(size) => 0..size,
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::TimedOut | ErrorKind::WouldBlock => 0..0,
                    _ => return Err(error.into()),
                },
            };
        }
    }

    /// Returns the status and the text of a response that refuses, and whether this transport can carry another request. The text
    /// is the server's, so it is escaped.
    fn refusal(&mut self, response: &Response) -> Result<(String, bool), Box<dyn Error>> {
        let mut body = response.body_reader(&config());
        let bytes = match self.receive(|input| Ok::<_, io::Error>(body.receive(input).transpose()))? {
            Received::All(Ok(bytes)) => bytes,
            Received::Eof => body.receive_eof().unwrap_or_else(|_| body.received().to_vec()),
            // Too long or malformed: the beginning is better than nothing.
            Received::All(Err(_)) | Received::TimedOut => body.received().to_vec(),
        };
        Ok((describe(response, &bytes), body.is_transport_reusable()))
    }
}

/// The status of a response that refuses, and the beginning of its text.
fn describe(response: &Response, body: &[u8]) -> String {
    let status = response.status();
    let text: String = String::from_utf8_lossy(body)
        .trim()
        .chars()
        .take(MAX_REASON)
        .collect();
    match text.is_empty() {
        true => format!("refused with status {status}"),
        false => format!("refused with status {status}: {text:?}"),
    }
}
