//! A connection in two halves: splitting, joining, and how it ended.

use super::{Closed, Connection, ReceiveHalf, SendHalf};
#[cfg(doc)]
use super::{Reply, State};

impl Connection {
    /// Splits the connection for two tasks, one reading and one writing, with no lock between them. Whenever the
    /// sending half owes the peer a reply, the receiving half returns a [`Reply`]: a plain value to send over any
    /// channel.
    ///
    /// Use a bounded channel. With a frame of 2 bytes (6 to a server), a peer causes a [`Reply`] of 128 bytes, as fast
    /// as it can send; an unbounded channel would hold them all while the writer is slow. When a bounded channel is
    /// full, the reader waits, and so does the peer.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::thread;
    /// use websocket_proto::{Config, Connection, Event, Reply};
    ///
    /// enum ToWriter {
    ///     Text(String),
    ///     Reply(Reply),
    /// }
    ///
    /// let (mut receiver, mut sender) = Connection::server(&Config::new()).split();
    /// let (channel, inbox) = mpsc::sync_channel(16);
    ///
    /// let reader = thread::spawn(move || {
    ///     let mut read = *b"\x81\x85\0\0\0\0Hello\x89\x81\0\0\0\0?\x88\x80\0\0\0\0";
    ///     let mut input = &mut read[..];
    ///     while receiver.is_open() {
    ///         let (event, reply) = receiver.receive(&mut input);
    ///         if let Ok(Some(Event::Text(text))) = &event {
    ///             channel.send(ToWriter::Text(text.to_uppercase())).expect("the writer is there");
    ///         }
    ///         if !reply.is_none() {
    ///             channel.send(ToWriter::Reply(reply)).expect("the writer is there");
    ///         }
    ///         // `Ok(None)`: read more
    ///     }
    ///     receiver
    /// });
    ///
    /// let mut out = Vec::new();
    /// for message in inbox {
    ///     match message {
    ///         ToWriter::Text(text) => sender.send_text(&text, &mut out)?,
    ///         ToWriter::Reply(reply) => sender.reply(reply, &mut out),
    ///     }
    ///     // write `out`
    /// }
    /// assert_eq!(out, b"\x81\x05HELLO\x8a\x01?\x88\x00");
    ///
    /// let receiver = reader.join().expect("it does not panic");
    /// let closed = Connection::join(receiver, sender).receive_eof();
    /// assert!(closed.is_clean());
    /// # Ok::<(), websocket_proto::Misuse>(())
    /// ```
    pub fn split(self) -> (ReceiveHalf, SendHalf) {
        (self.receiver, self.sender)
    }

    /// Rejoins the two halves of a connection. A Ping or a Close whose reply was not passed to the sending half is no
    /// longer answered. Both halves must come from the same connection.
    #[must_use]
    pub fn join(receiver: ReceiveHalf, mut sender: SendHalf) -> Self {
        sender.update_incoming(receiver.state.incoming());
        Self { receiver, sender }
    }
}

impl Closed {
    /// Returns how a connection in two halves ended, or `None` until its state is [`State::Closed`]. Changes nothing.
    ///
    /// Use it if a half is shared and cannot be passed to [`Connection::join`](crate::Connection::join). The result is
    /// that of [`Connection::closed`](crate::Connection::closed) for the joined connection: it includes all that the
    /// receiving half knows, even if the reply has not reached the sending half, but no Close that the sending half has
    /// not written yet.
    ///
    /// ```
    /// use websocket_proto::{Closed, Config, Connection, ReceiveHalf, SendHalf};
    ///
    /// fn log(receiver: &ReceiveHalf, sender: &SendHalf) -> String {
    ///     Closed::of(receiver, sender).map_or("open".into(), |closed| closed.to_string())
    /// }
    ///
    /// let (mut receiver, mut sender) = Connection::server(&Config::new()).split();
    /// assert_eq!(log(&receiver, &sender), "open");
    /// let (_, reply) = receiver.receive(&mut &mut [0x88, 0x80, 0, 0, 0, 0][..]);
    /// sender.reply(reply, &mut Vec::new());
    /// assert_eq!(log(&receiver, &sender), "closed by the peer, clean, sent 1005, received 1005");
    /// ```
    pub fn of(receiver: &ReceiveHalf, sender: &SendHalf) -> Option<Self> {
        Self::once_over(&sender.state, &receiver.state, receiver.unfinished())
    }
}
