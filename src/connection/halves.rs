//! A connection in two halves: splitting, joining, and how it ended.

use super::{Closed, Connection, ReceiveHalf, SendHalf};
#[cfg(doc)]
use super::{Reply, State};

impl Connection {
    /// Takes the connection apart into two halves for two tasks: one reads, the other writes, with no lock between them.
    /// What the receiving half finds and the sending half has to answer is a [`Reply`], a plain value to be sent over
    /// whatever the tasks use to communicate.
    ///
    /// Use a bounded channel. A peer makes one [`Reply`] of 128 bytes with a frame of 2 bytes (6 to a server), as fast as
    /// it can send; a channel without a bound would hold them all while the writer is slow. When a bounded one is full,
    /// the reader waits, and so does the peer.
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

    /// Puts the two halves of one connection together again. A Ping or a Close whose reply did not reach the sending
    /// half is no longer answered; halves of different connections make no sense together.
    #[must_use]
    pub fn join(receiver: ReceiveHalf, mut sender: SendHalf) -> Self {
        sender.update_incoming(receiver.state.incoming());
        Self { receiver, sender }
    }
}

impl Closed {
    /// How a connection in two halves ended, `None` until its state is [`State::Closed`]. Changes nothing.
    ///
    /// For a half that is shared and cannot be given to [`Connection::join`](crate::Connection::join). It is what
    /// [`Connection::closed`](crate::Connection::closed) would return for the joined connection: what the receiving
    /// half found counts, whether or not its reply has reached the sending half; a Close that the sending half has not
    /// written yet does not.
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
        Self::once_over(&sender.state, &receiver.state)
    }
}
