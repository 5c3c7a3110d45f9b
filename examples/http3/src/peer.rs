//! The server's side of one QUIC connection: a page, and an echo for clients that use extended CONNECT.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use quiche::h3::{self, Header, NameValue, WireErrorCode};
use quiche::{ConnectionId, Shutdown};
use websocket_proto::handshake::Upgrade;
use websocket_proto::{Config, Event};

use crate::stream::{self, Stream};

const CONFIG: Config = Config::new();
/// The page of the HTTP/2 example.
const PAGE: &[u8] = include_bytes!("../../http2/src/page.html");

/// One QUIC connection and its streams.
pub struct Peer {
    pub quic: quiche::Connection,
    /// The identifier that the client chose before it got one of ours.
    first_id: ConnectionId<'static>,
    http: Option<h3::Connection>,
    streams: HashMap<u64, Stream>,
}

impl Peer {
    pub fn new(quic: quiche::Connection, first_id: ConnectionId<'static>) -> Self {
        Self {
            quic,
            first_id,
            http: None,
            streams: HashMap::new(),
        }
    }

    pub fn is_for(&self, id: &ConnectionId<'_>) -> bool {
        *id == self.first_id || self.quic.source_ids().any(|ours| ours == id)
    }

    pub fn timeout(&self) -> Option<Duration> {
        let deadlines = self.streams.values().filter_map(Stream::deadline);
        let left = deadlines.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.chain(self.quic.timeout()).min()
    }

    /// Whether the QUIC connection is open. If it is closed, its streams end.
    pub fn is_there(&mut self) -> bool {
        if self.quic.is_closed() {
            for (id, mut stream) in self.streams.drain() {
                stream.endpoint.read_failed("the QUIC connection is closed");
                eprintln!("stream {id}: {}", stream.into_end(&mut self.quic));
            }
        }
        !self.quic.is_closed()
    }

    /// Handles all events and streams that can make progress.
    pub fn turn(&mut self, config: &h3::Config) {
        let http = match self.http.take() {
            None if self.quic.is_established() => h3::Connection::with_transport(&mut self.quic, config).ok(),
            http => http,
        };
        let Some(mut http) = http else { return };
        for id in self.streams.keys().copied().collect::<Vec<_>>() {
            self.echo(&mut http, id); // a window may have opened, or its deadline may have passed
        }
        // An error is `Done`, or quiche has closed the connection and reported why.
        while let Ok((id, event)) = http.poll(&mut self.quic) {
            match event {
                h3::Event::Headers { list, more_frames } => {
                    if self.answer(&mut http, id, &list, more_frames).is_err() {
                        // There was no space for the response, so the client may try again.
                        stream::reset(&mut self.quic, id, WireErrorCode::RequestRejected);
                    }
                }
                h3::Event::Data | h3::Event::Finished | h3::Event::Reset(_) => {
                    if let Some(stream) = self.streams.get_mut(&id) {
                        stream.take(&event);
                    }
                    self.echo(&mut http, id);
                }
                h3::Event::PriorityUpdate | h3::Event::GoAway => {}
            }
        }
        self.http = Some(http);
    }

    /// Responds to a request.
    fn answer(
        &mut self,
        http: &mut h3::Connection,
        id: u64,
        request: &[Header],
        has_more: bool,
    ) -> Result<(), h3::Error> {
        let value = |name: &[u8]| {
            request
                .iter()
                .find(|field| field.name() == name)
                .map(Header::value)
        };
        let quic = &mut self.quic;
        match (value(b":method"), value(b":path")) {
            (Some(b"GET"), Some(b"/")) => {
                let html = ("content-type", "text/html; charset=utf-8");
                return respond(http, quic, id, 200, &[html], PAGE);
            }
            (Some(b"CONNECT"), _) | (_, Some(b"/echo")) => {}
            _ => return respond(http, quic, id, 404, &[], b"not found\n"),
        }
        let fields = request.iter().map(|field| (field.name(), field.value()));
        let upgrade = match Upgrade::from_extended_connect(&CONFIG, fields) {
            Ok(upgrade) => upgrade,
            Err(error) => {
                let why = format!("{error}\n");
                return respond(
                    http,
                    quic,
                    id,
                    error.status(),
                    error.response_fields(),
                    why.as_bytes(),
                );
            }
        };
        // Browsers send the origin of the page; other programs may not.
        let is_foreign = upgrade.origin().is_some() && !upgrade.is_same_origin();
        match upgrade.path() {
            "/echo" if !has_more => return respond(http, quic, id, 400, &[], b"the stream has ended\n"),
            "/echo" if is_foreign => return respond(http, quic, id, 403, &[], b"foreign origin\n"),
            "/echo" => {}
            _ => return respond(http, quic, id, 404, &[], b"not found\n"),
        }
        let head = head(upgrade.status(), upgrade.response_fields());
        http.send_response(quic, id, &head, false)?;
        self.streams
            .insert(id, Stream::new(id, upgrade.into_connection()));
        Ok(())
    }

    /// Echoes what arrives on the stream.
    fn echo(&mut self, http: &mut h3::Connection, id: u64) {
        let Some(stream) = self.streams.get_mut(&id) else {
            // The content of other requests is not read.
            _ = self
                .quic
                .stream_shutdown(id, Shutdown::Read, WireErrorCode::NoError as u64);
            return;
        };
        let is_done = stream.turn(http, &mut self.quic, |event, mut sender| {
            // A client that is closing gets no more messages, so this error is ignored.
            _ = match event {
                Event::Text(text) => sender.send_text(&text),
                Event::Binary(payload) => sender.send_binary(&payload),
                _ => Ok(()), // the endpoint replies to Pings and Closes
            };
        });
        if !is_done {
            return;
        }
        if let Some(stream) = self.streams.remove(&id) {
            eprintln!("stream {id}: {}", stream.into_end(&mut self.quic));
        }
    }
}

/// Sends a complete response.
fn respond(
    http: &mut h3::Connection,
    quic: &mut quiche::Connection,
    id: u64,
    status: u16,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Result<(), h3::Error> {
    let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
    http.send_response(quic, id, &head(status, fields), false)?;
    match http.send_body(quic, id, body, true)? {
        size if size < body.len() => Err(h3::Error::StreamBlocked),
        _ => Ok(()),
    }
}

fn head<'a>(status: u16, fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<Header> {
    let mut head = vec![Header::new(b":status", status.to_string().as_bytes())];
    let fields = fields.into_iter();
    head.extend(fields.map(|(name, value)| Header::new(name.as_bytes(), value)));
    head
}
