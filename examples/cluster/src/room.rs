//! The members of this process, and what they are sent.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use embedding_tokio::{Close, CloseCode, Message, Prepared, SendError, Writer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// A heartbeat that is later is reported.
pub const LAG: Duration = Duration::from_millis(500);

/// A message of a member, to be published.
#[derive(Debug)]
pub struct Post {
    pub member: u64,
    /// Counted from 0 for each member.
    pub number: u64,
    pub body: String,
}

/// As it is published.
impl fmt::Display for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m {} {} {}", self.member, self.number, self.body)
    }
}

pub struct Room {
    members: Mutex<HashMap<u64, Writer<TcpStream>>>,
    next_id: AtomicU64,
    outbox: mpsc::Sender<Post>,
    /// Whether messages can be published.
    is_connected: AtomicBool,
    pub stats: Stats,
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Stats {
    pub said: AtomicU64,
    pub refused: AtomicU64,
    pub unknown: AtomicU64,
    pub missed: AtomicU64,
    pub away: AtomicU64,
    pub too_slow: AtomicU64,
    pub longest_lag_ms: AtomicU64,
}

impl Room {
    pub fn new(outbox: mpsc::Sender<Post>) -> Self {
        Self {
            members: Mutex::default(),
            next_id: AtomicU64::new(0),
            outbox,
            is_connected: AtomicBool::new(false),
            stats: Stats::default(),
        }
    }

    pub fn join(&self, writer: Writer<TcpStream>) -> u64 {
        let id = self.next_id.fetch_add(1, Relaxed);
        self.members().insert(id, writer);
        id
    }

    pub fn leave(&self, id: u64) {
        self.members().remove(&id);
    }

    /// Passes a member's message to the publisher, or refuses it.
    pub fn post(&self, member: u64, number: u64, body: String) {
        let post = Post { member, number, body };
        if !self.is_connected.load(Relaxed) {
            return self.refuse(&post);
        }
        match self.outbox.try_send(post) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(post) | mpsc::error::TrySendError::Closed(post)) => {
                self.refuse(&post)
            }
        }
    }

    /// Reports a message that is not published.
    pub fn refuse(&self, post: &Post) {
        self.stats.refused.fetch_add(1, Relaxed);
        self.reply(post.member, format!("refused {}", post.number));
    }

    /// Reports a message that may have been published.
    pub fn unknown(&self, post: &Post) {
        self.stats.unknown.fetch_add(1, Relaxed);
        self.reply(post.member, format!("unknown {}", post.number));
    }

    fn reply(&self, member: u64, text: String) {
        if let Some(writer) = self.members().get(&member) {
            send(writer, text.into(), &self.stats);
        }
    }

    /// Sends a text to all members of this process, encoded once.
    pub fn say(&self, text: &str) {
        let message = Arc::new(Prepared::text(text));
        for writer in self.members().values() {
            send(writer, message.clone().into(), &self.stats);
        }
    }

    /// Records that messages can be published from now on.
    pub fn connected(&self) {
        self.is_connected.store(true, Relaxed);
        if self.stats.away.load(Relaxed) > 0 {
            self.say("back");
        }
    }

    /// Records that Redis is lost.
    pub fn disconnected(&self) {
        self.is_connected.store(false, Relaxed);
        self.stats.away.fetch_add(1, Relaxed);
        self.say("away");
    }

    pub fn missed(&self, count: u64) {
        self.stats.missed.fetch_add(count, Relaxed);
        self.say(&format!("missed {count}"));
    }

    /// Records how late a heartbeat was, and reports it if that is more than [`LAG`].
    pub fn lagged(&self, what: &str, lag: Duration) {
        let millis = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        self.stats.longest_lag_ms.fetch_max(millis, Relaxed);
        if lag > LAG {
            eprintln!("lag: {what}, by {millis} ms");
        }
    }

    pub fn close(&self) {
        for writer in self.members().values() {
            _ = writer.try_send(Close::new(CloseCode::GOING_AWAY, "shutting down"));
        }
    }

    /// Waits until all members have left.
    pub async fn empty(&self) {
        while !self.members().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn stats(&self) -> String {
        let Stats {
            said,
            refused,
            unknown,
            missed,
            away,
            too_slow,
            longest_lag_ms,
        } = &self.stats;
        let counts = [
            ("said", said),
            ("refused", refused),
            ("unknown", unknown),
            ("missed", missed),
            ("away", away),
            ("too_slow", too_slow),
            ("longest_lag_ms", longest_lag_ms),
        ];
        let is_connected = u64::from(self.is_connected.load(Relaxed));
        let mut text = format!("members {}\nconnected {is_connected}\n", self.members().len());
        for (name, count) in counts {
            _ = writeln!(text, "{name} {}", count.load(Relaxed));
        }
        text
    }

    fn members(&self) -> MutexGuard<'_, HashMap<u64, Writer<TcpStream>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues a message without waiting: a member with too much buffered output is closed.
fn send(writer: &Writer<TcpStream>, message: Message<'_>, stats: &Stats) {
    if let Err(SendError::Full { .. }) = writer.try_send(message) {
        stats.too_slow.fetch_add(1, Relaxed);
        _ = writer.try_send(Close::new(CloseCode::TRY_AGAIN_LATER, "too slow"));
    }
}
