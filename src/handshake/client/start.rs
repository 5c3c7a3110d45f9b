//! How the client's request is sent, in each of its forms.

use alloc::vec::Vec;

use super::rules::Offer;
use super::waiting::Waiting;
use super::{ClientFieldsHandshake, ClientHandshake, ClientRequest};
#[cfg(feature = "deflate")]
use crate::deflate;
use crate::handshake::extended::PROTOCOL;
use crate::handshake::http::write;
use crate::handshake::key::encode_nonce;
use crate::handshake::opening::Opening;
use crate::{Config, Connection, Entropy};

impl ClientRequest {
    /// Appends the request to `out`. Returns the handshake that reads the response.
    ///
    /// Draws a nonce of 16 bytes from `entropy`, so every call sends a different one. The connection then draws its
    /// mask keys from the same source.
    #[must_use = "the answer is read, and the connection opened, by the handshake that is returned"]
    pub fn start(
        mut self,
        config: &Config,
        mut entropy: impl Entropy + 'static,
        out: &mut Vec<u8>,
    ) -> ClientHandshake {
        let key = draw_key(&mut entropy);
        self.offer_deflate(config);
        for part in ["GET ", &self.target, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        self.each_field_of_upgrade(&key, |name, value| write::push_field(out, name, value));
        out.extend_from_slice(b"\r\n");
        let waiting = self.wait(config, Opening::by_upgrade(&key), entropy);
        ClientHandshake::new(waiting)
    }

    /// Starts a handshake whose request another HTTP/1.1 client sends. Returns the handshake with the request's fields,
    /// which then reads the response.
    ///
    /// Otherwise the same as [`start`](Self::start): the same fields, and the same rules for the response.
    ///
    /// ```
    /// use websocket_proto::{Config, entropy};
    /// use websocket_proto::handshake::{Answer, ClientRequest};
    ///
    /// let entropy = entropy::from_fn(|bytes| bytes.fill(7)); // in production: `OsEntropy` or equivalent
    /// let mut handshake = ClientRequest::from_url("ws://example.com/chat")?.start_upgrade(&Config::new(), entropy);
    /// assert_eq!((handshake.method(), handshake.target()), ("GET", "/chat"));
    /// assert_eq!(handshake.fields().next(), Some(("Host", &b"example.com"[..])));
    /// // The HTTP client sends them, and gets:
    /// let answer = handshake.receive_response(403, [("Content-Length", "0")])?;
    /// assert!(matches!(answer, Some(Answer::Rejected(response)) if response.status() == 403));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_upgrade(
        mut self,
        config: &Config,
        mut entropy: impl Entropy + 'static,
    ) -> ClientFieldsHandshake {
        let key = draw_key(&mut entropy);
        self.offer_deflate(config);
        let opening = Opening::by_upgrade(&key);
        let mut fields = Vec::new();
        self.each_field_of_upgrade(&key, |name, value| fields.push(opening.written(name, value)));
        let target = self.target.clone();
        let waiting = self.wait(config, opening, entropy);
        ClientFieldsHandshake::new(target, fields, waiting)
    }

    /// Starts a handshake whose request an HTTP/2 or HTTP/3 stack sends, as an extended CONNECT (RFC 8441, RFC 9220).
    ///
    /// See [`extended`](crate::handshake::extended) for what else the stack has to do, and for an example. Mask keys
    /// are drawn from `entropy`; there is no nonce.
    pub fn start_extended_connect(
        mut self,
        config: &Config,
        entropy: impl Entropy + 'static,
    ) -> ClientFieldsHandshake {
        self.offer_deflate(config);
        let opening = Opening::ExtendedConnect;
        let mut fields = Vec::new();
        self.each_field_of_connect(|name, value| fields.push(opening.written(name, value)));
        let target = self.target.clone();
        let waiting = self.wait(config, opening, entropy);
        ClientFieldsHandshake::new(target, fields, waiting)
    }

    fn wait(self, config: &Config, opening: Opening, entropy: impl Entropy + 'static) -> Waiting {
        let offer = Offer {
            config: config.clone(),
            opening,
            protocols: self.protocols,
            extensions: self.extensions,
        };
        Waiting::new(offer, Connection::client(config, entropy))
    }

    #[cfg(not(feature = "deflate"))]
    fn offer_deflate(&mut self, _: &Config) {}

    /// RFC 7692 section 5.1: offers what the configuration asks for, and then the same without the limits that a server
    /// may not be able to meet.
    #[cfg(feature = "deflate")]
    fn offer_deflate(&mut self, config: &Config) {
        let Some(config) = &config.deflate else { return };
        let offers = match config.undemanding() {
            None => deflate::offer(core::slice::from_ref(config)),
            Some(undemanding) => deflate::offer(&[config.clone(), undemanding]),
        };
        if !self.extensions.is_empty() {
            self.extensions.push_str(", ");
        }
        self.extensions.push_str(&offers);
    }

    fn each_field_of_upgrade(&self, key: &[u8], mut push: impl FnMut(&str, &[u8])) {
        push("Host", self.authority.as_bytes());
        push("Upgrade", b"websocket");
        push("Connection", b"Upgrade");
        push("Sec-WebSocket-Key", key);
        self.each_common_field(push);
    }

    /// RFC 8441 sections 4 and 5
    fn each_field_of_connect(&self, mut push: impl FnMut(&str, &[u8])) {
        push(":method", b"CONNECT");
        push(":protocol", PROTOCOL.as_bytes());
        push(":scheme", if self.secure { b"https" } else { b"http" });
        push(":authority", self.authority.as_bytes());
        push(":path", self.target.as_bytes());
        self.each_common_field(push);
    }

    fn each_common_field(&self, mut push: impl FnMut(&str, &[u8])) {
        push("Sec-WebSocket-Version", b"13");
        if let Some(origin) = &self.origin {
            push("Origin", origin.as_bytes());
        }
        let protocols = self.protocols.join(", ");
        if !protocols.is_empty() {
            push("Sec-WebSocket-Protocol", protocols.as_bytes());
        }
        if !self.extensions.is_empty() {
            push("Sec-WebSocket-Extensions", self.extensions.as_bytes());
        }
        for (name, value) in &self.fields {
            push(name, value);
        }
    }
}

/// RFC 6455 section 4.1, item 7: 16 bytes, chosen at random for each connection.
fn draw_key(entropy: &mut impl Entropy) -> [u8; 24] {
    let mut nonce = [0; 16];
    entropy.fill(&mut nonce);
    encode_nonce(nonce)
}
