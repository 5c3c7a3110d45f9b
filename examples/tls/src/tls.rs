//! A rustls session on a stream, as a transport for `Endpoint::perform`.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, Error, ServerConfig, ServerConnection, Writer};
use websocket_proto::endpoint::{Interest, ShutdownWrite};

#[cfg(test)]
mod tests;

/// TLS on a stream. A call fails with `WouldBlock` if the stream does.
///
/// Create the endpoint together with it, not after the TLS handshake: the handshake is then a part of the endpoint's
/// first read, and its opening deadline covers both handshakes.
pub struct Tls<S> {
    session: Connection,
    pub stream: S,
}

impl<S> Tls<S> {
    /// Creates the server's side.
    ///
    /// # Errors
    ///
    /// The configuration is not usable.
    pub fn server(stream: S, config: Arc<ServerConfig>) -> Result<Self, Error> {
        let session = ServerConnection::new(config)?.into();
        Ok(Self { session, stream })
    }

    /// Creates the client's side. The request of the WebSocket handshake waits in it for the TLS handshake.
    ///
    /// # Errors
    ///
    /// The configuration is not usable.
    pub fn client(stream: S, config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        let session = ClientConnection::new(config, name)?.into();
        Ok(Self { session, stream })
    }

    /// Returns what to wait for on the stream when the endpoint waits for `wanted`: a read also sends what TLS has to
    /// send, such as its part of the handshake, and has to be tried again once the stream accepts it.
    pub fn interest(&self, wanted: Interest) -> Interest {
        match wanted {
            Interest::Readable if self.session.wants_write() => Interest::Both,
            wanted => wanted,
        }
    }

    /// Returns whether a read needs nothing from the stream. After a read, one record may still hold bytes that the
    /// stream does not have any more.
    pub fn is_ready(&mut self) -> bool {
        let first = self.session.reader().into_first_chunk();
        !matches!(first, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

impl<S: Read + Write> Tls<S> {
    /// Reads from the stream once, and decrypts what has arrived.
    fn receive(&mut self) -> io::Result<()> {
        // An error is returned by the next write or flush; what the peer has sent before can still be read.
        _ = self.send();
        self.session.read_tls(&mut self.stream)?;
        if let Err(error) = self.session.process_new_packets() {
            _ = self.send(); // the alert with the reason
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        Ok(())
    }

    /// Sends everything that is encrypted.
    fn send(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            if self.session.write_tls(&mut self.stream)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Encrypts as much as rustls buffers, which is 64 KiB, once everything before is sent.
    fn encrypt(&mut self, write: impl FnOnce(Writer<'_>) -> io::Result<usize>) -> io::Result<usize> {
        self.send()?;
        let size = write(self.session.writer())?;
        _ = self.send(); // it is encrypted, so an error is returned by the next call
        Ok(size)
    }
}

impl<S: Read + Write> Read for Tls<S> {
    /// Returns bytes, or 0 after the peer's `close_notify`. If the stream ends without one, the error is
    /// `UnexpectedEof`: what the peer has sent may be truncated.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.receive()?,
                result => return result,
            }
        }
    }
}

impl<S: Read + Write> Write for Tls<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.encrypt(|mut writer| writer.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.encrypt(|mut writer| writer.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.stream.flush()
    }
}

impl<S: Read + Write + ShutdownWrite> ShutdownWrite for Tls<S> {
    /// Sends `close_notify`, and then shuts down the stream.
    fn shutdown_write(&mut self) -> io::Result<()> {
        self.session.send_close_notify(); // only the first call does something
        self.flush()?;
        self.stream.shutdown_write()
    }
}

impl<S> AsMut<S> for Tls<S> {
    fn as_mut(&mut self) -> &mut S {
        &mut self.stream
    }
}
