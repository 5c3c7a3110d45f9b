//! How much the next read should take, and where it goes.

use super::Connection;

impl Connection {
    /// Returns how many bytes of the next input belong to the current frame's payload; 0 between frames and once the
    /// connection is closed.
    ///
    /// With [`Delivery::InPlace`](crate::Delivery::InPlace) this is the total input length needed to complete the
    /// frame; otherwise it is a hint for sizing the next read. The peer's header declares it, up to the limit for
    /// messages: if you reserve that much at once, the peer decides how much you allocate, whether or not the bytes
    /// ever arrive.
    ///
    /// If a read ends where the payload does, the next frame starts at the beginning of a read and is usually complete
    /// in it. Unless little of the payload is missing, this is worth a separate read.
    /// [`ReadBuffer::space`](crate::endpoint::ReadBuffer::space) follows the same rule.
    ///
    /// ```
    /// use websocket_proto::Connection;
    ///
    /// /// Returns the space for the next read, in a buffer that is empty between reads.
    /// fn space<'b>(connection: &Connection, buffer: &'b mut [u8]) -> &'b mut [u8] {
    ///     let missing = usize::try_from(connection.payload_remaining()).unwrap_or(usize::MAX);
    ///     let size = match missing >= buffer.len() / 2 {
    ///         true => missing.min(buffer.len()),
    ///         false => buffer.len(),
    ///     };
    ///     &mut buffer[..size]
    /// }
    /// # let connection = Connection::server(&websocket_proto::Config::new());
    /// # assert_eq!(space(&connection, &mut [0; 4]).len(), 4);
    /// ```
    #[inline]
    pub fn payload_remaining(&self) -> u64 {
        self.receiver.payload_remaining()
    }

    /// Returns space inside the message that is being received, for the transport to read the next bytes of the payload
    /// into: at most `max_read_size` bytes, never beyond the current frame, never empty. They are then not copied again.
    ///
    /// Ask before each read, once all input is consumed. After the read, report its size with
    /// [`payload_filled`](Self::payload_filled), and call [`receive`](Self::receive) with empty input, which unmasks and
    /// validates the bytes where they are. With `None`, read into a buffer instead, and pass that to `receive`: this is
    /// always allowed, and the space is then withdrawn.
    ///
    /// Space is lent where that takes less time than a copy: inside a message that is being assembled and has at least twice
    /// the size of a read; with reads of at most 32 KiB, which stay in the first-level cache, inside a message that is not
    /// masked, as received by a client, and has at least 16 times that size. At least half of the read has to be missing
    /// from the frame, and to fit the memory of the message, which grows as with `receive`: to less than twice the bytes
    /// received, whatever length a header declares. No space is lent for a message that is compressed, or delivered in
    /// [chunks](crate::Delivery::Chunks) or [in place](crate::Delivery::InPlace), except for fragments in the latter case.
    ///
    /// The space contains zeros, or bytes of messages that were [recycled](Self::recycle). Nothing in it becomes part of
    /// the message but the bytes reported as read.
    ///
    /// ```
    /// use websocket_proto::{Connection, Event, entropy};
    /// use std::io::Read;
    ///
    /// # let payload = vec![7; 1 << 20];
    /// # let wire = [&[0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0], &payload[..]].concat();
    /// # let mut transport = &wire[..];
    /// # let mut connection = Connection::client(&websocket_proto::Config::new(), entropy::from_fn(|key| key.fill(7)));
    /// # let (mut buffer, mut out, mut messages, mut direct) = (vec![0; 16 * 1024], Vec::new(), 0, 0);
    /// while messages == 0 {
    ///     let mut input = match connection.payload_space(buffer.len()) {
    ///         Some(space) => {
    ///             let size = transport.read(space)?;
    ///             connection.payload_filled(size);
    /// #           direct += size;
    ///             &mut buffer[..0]
    ///         }
    ///         None => {
    ///             let size = transport.read(&mut buffer)?;
    ///             &mut buffer[..size]
    ///         }
    ///     };
    ///     while let Some(event) = connection.receive(&mut input, &mut out)? {
    ///         assert!(matches!(event, Event::Binary(message) if message.len() == 1 << 20));
    ///         messages += 1;
    ///     }
    /// }
    /// # assert!(direct > 900_000, "{direct}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn payload_space(&mut self, max_read_size: usize) -> Option<&mut [u8]> {
        self.receiver.payload_space(max_read_size)
    }

    /// Records that the transport read `size` bytes into [`payload_space`](Self::payload_space). The next call of
    /// [`receive`](Self::receive) receives them.
    ///
    /// Of a larger `size` than the space had, only that much counts. Does nothing if no space is lent: `receive` has taken
    /// other input since, or the connection failed.
    pub fn payload_filled(&mut self, size: usize) {
        self.receiver.payload_filled(size);
    }

    /// Returns whether [`payload_space`](Self::payload_space) is lent, so that the next read goes there.
    pub(crate) fn awaits_payload(&self) -> bool {
        self.receiver.awaits_payload()
    }
}
