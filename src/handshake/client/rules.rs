//! What a client demands of the accepting response, rule by rule.

use alloc::string::String;
use alloc::vec::Vec;

#[cfg(feature = "deflate")]
use crate::deflate;
use crate::handshake::error::HandshakeError;
use crate::handshake::extensions::{self, Extension};
use crate::handshake::http::fields::KnownFields;
use crate::handshake::http::grammar::list;
use crate::handshake::http::head::Head;
use crate::handshake::opening::Opening;
use crate::{Config, Connection};

/// What the response is checked against.
pub(super) struct Offer {
    pub(super) config: Config,
    pub(super) opening: Opening,
    pub(super) protocols: Vec<String>,
    /// The list as sent.
    pub(super) extensions: String,
}

/// The kind of a response, by its status.
pub(super) enum Kind {
    Interim,
    Accepting,
    Rejecting,
}

impl Offer {
    pub(super) fn kind(&self, status: u16) -> Result<Kind, HandshakeError> {
        match status {
            _ if self.opening.is_accepted_by(status) => Ok(Kind::Accepting),
            // RFC 9113 section 8.6: the stack should have rejected it.
            101 => Err(HandshakeError::SwitchedProtocols),
            100..=199 => Ok(Kind::Interim),
            200..=999 => Ok(Kind::Rejecting),
            ..=99 | 1000.. => Err(HandshakeError::MalformedStatus),
        }
    }

    /// Checks the accepting response (RFC 6455 section 4.1, from "once the client's opening handshake has been sent"
    /// on), and returns the connection as negotiated.
    pub(super) fn accept(&self, connection: Connection, head: &Head) -> Result<Connection, HandshakeError> {
        let known = KnownFields::collect(head.records());
        if let Opening::Upgrade { accept } = &self.opening {
            self.check_upgrade(head.version(), &known)?;
            check_accept(accept, &known)?;
        }
        self.check_extensions(&known)?;
        #[cfg(feature = "deflate")]
        let connection = self.agree_on_deflate(connection, &known)?;
        self.check_protocol(&known)?;
        Ok(connection)
    }

    /// Checks the version and both fields of the upgrade.
    fn check_upgrade(&self, version: (u8, u8), known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        // RFC 9110 section 7.8: there is no upgrade in HTTP/1.0, so nothing can have been switched.
        if version < (1, 1) && !self.config.accept_http_1_0 {
            return Err(HandshakeError::HttpVersionTooOld);
        }
        // RFC 6455 section 4.1, item 2: only the requested protocol, case-insensitively.
        if !known.upgrade.has(b"websocket") {
            return Err(HandshakeError::MissingUpgrade);
        }
        if known.upgrade.elements().nth(1).is_some() {
            return Err(HandshakeError::AmbiguousUpgrade);
        }
        // RFC 6455 section 4.1, item 3
        if !known.connection.has(b"Upgrade") {
            return Err(HandshakeError::MissingConnectionUpgrade);
        }
        Ok(())
    }

    fn check_extensions(&self, known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        extensions::check_lines(&self.config, known.extensions.lines())?;
        let mut seen: Vec<&str> = Vec::new();
        for extension in extensions::of_lines(known.extensions.lines()) {
            let name = extension.name();
            // RFC 6455 section 4.1, item 5
            if !self.offered_extensions().any(|offered| offered.name() == name) {
                return Err(HandshakeError::UnofferedExtension);
            }
            // RFC 6455 section 9.1: the list is the order of the layers, so each appears once. As it does,
            // there are never more than were offered, and this stays cheap.
            if seen.contains(&name) {
                return Err(HandshakeError::RepeatedExtension);
            }
            seen.push(name);
        }
        Ok(())
    }

    fn offered_extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        extensions::of_lines([self.extensions.as_bytes()].into_iter())
    }

    /// Enables compression as the response says.
    #[cfg(feature = "deflate")]
    fn agree_on_deflate(
        &self,
        connection: Connection,
        known: &KnownFields<'_>,
    ) -> Result<Connection, HandshakeError> {
        // If the caller made the offer without the configuration, the caller handles it.
        let Some(config) = &self.config.deflate else {
            return Ok(connection);
        };
        let answer = extensions::of_lines(known.extensions.lines());
        let agreed =
            deflate::check_answer(answer, self.offered_extensions()).map_err(HandshakeError::Deflate)?;
        Ok(match agreed {
            Some(parameters) => connection.with_deflate(parameters.within(config), config),
            None => connection,
        })
    }

    fn check_protocol(&self, known: &KnownFields<'_>) -> Result<(), HandshakeError> {
        // RFC 6455 section 11.3.4: at most once in a response.
        let chosen = known.protocol.at_most_one(HandshakeError::SeveralSubprotocols)?;
        let is_empty = |chosen: &[u8]| list(chosen).next().is_none();
        match chosen.filter(|chosen| !is_empty(chosen) || !self.config.accept_empty_lists) {
            // RFC 6455 section 4.3: a token.
            Some(chosen) if is_empty(chosen) => Err(HandshakeError::EmptySubprotocols),
            // RFC 6455 section 4.1, item 6: one of those offered; case matters.
            Some(protocol)
                if !self
                    .protocols
                    .iter()
                    .any(|offered| offered.as_bytes() == protocol) =>
            {
                Err(HandshakeError::UnofferedSubprotocol)
            }
            None if self.config.require_subprotocol && !self.protocols.is_empty() => {
                Err(HandshakeError::MissingSubprotocol)
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn check_accept(expected: &[u8; 28], known: &KnownFields<'_>) -> Result<(), HandshakeError> {
    // RFC 6455 section 4.1, item 4; section 11.3.3: at most once.
    match known.accept.at_most_one(HandshakeError::RepeatedAccept)? {
        Some(accept) if accept == expected => Ok(()),
        Some(_) => Err(HandshakeError::WrongAccept),
        None => Err(HandshakeError::MissingAccept),
    }
}
