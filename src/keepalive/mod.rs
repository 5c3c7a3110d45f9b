//! Timers as data: when to send a Ping, when a peer is dead, and how long the two handshakes may take.
//!
//! A [`Keepalive`] accompanies one connection, from the first byte of the opening handshake to the end of the closing
//! one. It has no clock: the caller passes the time as `now`, and asks it for the time at which it wants to be called
//! again.
//!
//! ```text
//!   new --> opening --- opened --> idle --- Ping --> waiting --- closing --> closing
//!              |                    ^                |   |                      |
//!              |                    +--- its Pong ---+   | nothing              |
//!              v                                         v                      v
//!        Expired::Opening                        Expired::Ping         Expired::Closing
//! ```
//!
//! # The rules
//!
//! - **A Ping every [`ping_interval`](KeepaliveConfig::ping_interval)**, whether the connection is busy or not: it
//!   costs a few bytes, keeps proxies from closing the connection, and measures the round-trip time.
//! - **Any activity counts as life.** A peer is dead when it shows no [`record_activity`](Keepalive::record_activity)
//!   for [`ping_timeout`](KeepaliveConfig::ping_timeout) after a Ping. Its Pong may have to wait behind megabytes of a
//!   message, and such a peer is not dead; so any received bytes count. If only the matching Pong should count, do not
//!   call `record_activity`.
//! - **Only the matching Pong counts as an answer.** [`record_pong`](Keepalive::record_pong) accepts the first Pong
//!   with the payload of the last Ping. Unsolicited, repeated and outdated Pongs are ignored. Only one Ping is
//!   outstanding at a time: an unanswered Ping is replaced by the next one after the longer of interval and timeout.
//! - **A dead peer is detected within a bound.** The time from its last activity to [`Expired::Ping`] is at least the
//!   timeout, and at most the interval (or the timeout, if that is longer) plus the timeout.
//! - **One step per tick**, however late; the next deadline is counted from that tick.
//!
//! When a timeout expires, the caller closes the transport; `Connection::receive_eof` then reports 1006 unless a Close
//! was received (RFC 6455 section 7.1.5). After [`Expired::Ping`] a Close frame is unlikely to be received; if you send
//! one anyway, use 1011.
//!
//! # Time
//!
//! `now` is the time since any origin, the same for all calls: `Instant::elapsed` of one instant, a tick counter, the
//! time since 1970. It is held in nanoseconds, so the origin may be 584 years ago. The durations of the configuration
//! are held in milliseconds, rounded up; 49 days or more means never.
//!
//! Any clock works; a better one gives better timers. If it jumps backwards, pending timeouts restart from there, after
//! a fresh Ping if a Pong was pending. If it jumps forward, or the machine was asleep, then the tick that should find
//! the peer dead comes late, by more than half of the timeout: the peer gets a fresh Ping and the full timeout, once. A
//! clock that pauses while the machine sleeps works best, as `Instant` does on Linux and macOS. A jump may distort one
//! round-trip time.
//!
//! # The loop
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use std::time::Duration;
//! use websocket_proto::keepalive::{Action, Expired, Keepalive, KeepaliveConfig};
//! use websocket_proto::{Config, Connection, Event, State, TransportAdvice, entropy};
//!
//! /// An open connection, until its transport is to be closed.
//! fn run(link: &mut Link, connection: &mut Connection) -> Result<(), Expired> {
//!     let mut keepalive = Keepalive::new(&KeepaliveConfig::new(), link.now());
//!     keepalive.record_opened(link.now()); // to watch the handshake too, create it before
//!     let (mut buffer, mut size, mut out) = ([0; 4096], 0, Vec::new());
//!     loop {
//!         let mut input = &mut buffer[..size];
//!         while let Ok(Some(event)) = connection.receive(&mut input, &mut out) {
//!             if let Event::Pong(payload) = event {
//!                 keepalive.record_pong(&payload, link.now()); // returns the round-trip time, if it is the answer to a Ping
//!             }
//!         }
//!         if connection.state() != State::Open {
//!             keepalive.record_closing(link.now());
//!         }
//!         if let Action::Ping(payload) = keepalive.tick(link.now())? {
//!             _ = connection.send_ping(&payload, &mut out); // it is open, so this does not fail
//!         }
//!         link.write(&mut out);
//!         if connection.transport_advice() == TransportAdvice::Close {
//!             return Ok(());
//!         }
//!         // Waits for input or the deadline. Input that is there is read even after the deadline, because no peer is
//!         // dead whose bytes are here.
//!         match link.read(&mut buffer, keepalive.deadline()) {
//!             None => return Ok(()), // the end
//!             Some(read) => size = read,
//!         }
//!         if size > 0 {
//!             keepalive.record_activity();
//!         }
//!     }
//! }
//! # /// A network and a clock of its own. The peer answers some Pings, each after 30 ms, then falls silent.
//! # struct Link { now: Duration, peer: Connection, answers: u32, incoming: Vec<u8> }
//! # impl Link {
//! #     fn now(&self) -> Duration { self.now }
//! #     fn write(&mut self, out: &mut Vec<u8>) {
//! #         let mut input = &mut out[..];
//! #         let mut answer = Vec::new();
//! #         while let Ok(Some(Event::Ping(_))) = self.peer.receive(&mut input, &mut answer) {
//! #             if self.answers > 0 { self.incoming.append(&mut answer); }
//! #             self.answers = self.answers.saturating_sub(1);
//! #         }
//! #         out.clear();
//! #     }
//! #     fn read(&mut self, buffer: &mut [u8], deadline: Option<Duration>) -> Option<usize> {
//! #         let size = self.incoming.len();
//! #         self.now = if size > 0 { self.now + Duration::from_millis(30) } else { deadline? };
//! #         buffer[..size].copy_from_slice(&self.incoming);
//! #         self.incoming.clear();
//! #         Some(size)
//! #     }
//! # }
//!
//! // A peer that answers two Pings and then falls silent: Pings at 20, 40 and 60 seconds, and the end 20 later.
//! let config = Config::new();
//! let peer = Connection::client(&config, entropy::from_fn(|key| key.fill(7)));
//! let mut link = Link { now: Duration::ZERO, peer, answers: 2, incoming: Vec::new() };
//! let mut connection = Connection::server(&config);
//! assert_eq!(run(&mut link, &mut connection), Err(Expired::Ping));
//! assert_eq!(link.now, Duration::from_secs(80));
//! assert_eq!(connection.receive_eof().to_string(), "transport ended, not clean, sent none, received none");
//! ```
//!
//! If the connection is split, keep the timers next to the sending half; the receiving half reports to it any activity
//! and the payloads of Pongs.
//!
//! # Many connections
//!
//! A `Keepalive` is 48 bytes and uses no heap. On a busy connection, [`record_activity`](Keepalive::record_activity)
//! merely sets a flag and needs no clock; it is enough to call `tick` at the deadlines. To keep a million connections
//! that were opened together from pinging together, choose when the first Ping of each is due, with
//! [`ping_at`](Keepalive::ping_at); from then on each keeps its phase.
//!
//! # What a hostile peer can do
//!
//! It can delay a Pong and so fake a longer round-trip time. It cannot fake a shorter one if
//! [`with_seed`](Keepalive::with_seed) makes the payloads unpredictable; without a seed, the peer can answer a Ping
//! before it was sent. It can stay alive indefinitely by sending anything at all, because any activity counts as life;
//! how long to keep a client that does nothing useful is up to the application. It cannot cause more Pings than
//! configured, whatever Pongs it sends.

mod config;

use core::fmt;
use core::time::Duration;

pub use config::KeepaliveConfig;
use config::Millis;
#[cfg(feature = "alloc")]
pub(crate) use config::NANOS_PER_MILLI;
pub(crate) use config::{NEVER, is_reached, nanos};
use sha1_smol::Sha1;

/// The timers of one connection. See the [module](self).
#[derive(Clone)]
#[must_use = "timers do nothing unless `tick` is called"]
pub struct Keepalive {
    phase: Phase,
    seed: u64,
    /// The payload of the last Ping.
    payload: [u8; 8],
    ping_interval: Millis,
    ping_timeout: Millis,
    close_timeout: Millis,
    /// In microseconds.
    rtt: u32,
}

/// What the caller has to do now.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "every caller has to do each of them")]
#[must_use]
pub enum Action {
    /// Nothing, until [`Keepalive::deadline`].
    Wait,
    /// Send a Ping with this payload.
    Ping([u8; 8]),
}

/// The timeout that expired. Close the transport.
///
/// [`Display`](fmt::Display) names the setting; [`Keepalive::expired_timeout`] returns its value.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Expired {
    /// The opening handshake took too long. A server reports it to its client with
    /// [`ServerHandshake::handle_timeout`][crate::handshake::ServerHandshake::handle_timeout].
    ///
    #[cfg_attr(
        not(feature = "alloc"),
        doc = "[crate::handshake::ServerHandshake::handle_timeout]: https://docs.rs/websocket-proto/latest/websocket_proto/handshake/struct.ServerHandshake.html#method.handle_timeout"
    )]
    Opening,
    /// The peer showed no activity after a Ping: it is dead.
    Ping,
    /// The closing handshake, or the end of the transport after it, took too long.
    Closing,
}

/// Times are nanoseconds since the caller's origin.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// In the opening handshake.
    Opening { due: u64, timeout: Millis },
    /// Waiting until the next Ping is due.
    Idle { due: u64 },
    /// A Ping is outstanding.
    Waiting { sent: u64, heard: Heard },
    /// In the closing handshake.
    Closing { due: u64 },
    /// Every later call returns the same.
    Expired { expired: Expired, timeout: Millis },
}

/// What was received from the peer since the Ping.
#[derive(Clone, Copy, Debug)]
enum Heard {
    Nothing,
    /// Nothing, as before this Ping, which was sent because the tick that should have found the peer dead was late.
    NothingAgain,
    Something,
}

impl Keepalive {
    /// Starts the timers at the beginning of the opening handshake.
    ///
    /// If you do not time the handshake, call [`record_opened`](Self::record_opened) right away.
    pub fn new(config: &KeepaliveConfig, now: Duration) -> Self {
        let timeout = Millis::new(config.open_timeout);
        Self {
            phase: Phase::Opening {
                due: timeout.after(nanos(now)),
                timeout,
            },
            seed: 0,
            payload: [0; 8],
            ping_interval: Millis::new(config.ping_interval),
            ping_timeout: Millis::new(config.ping_timeout),
            close_timeout: Millis::new(config.close_timeout),
            rtt: NO_RTT,
        }
    }

    /// Makes the payloads of the Pings unpredictable. `seed` has to come from a cryptographically strong source and to
    /// stay secret.
    ///
    /// Without a seed they are the same for each connection. See the [module](self) for what that allows.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Records that the opening handshake is complete. The first Ping is due after the interval; see
    /// [`ping_at`](Self::ping_at).
    pub fn record_opened(&mut self, now: Duration) {
        if let Phase::Opening { .. } = self.phase {
            self.phase = Phase::Idle {
                due: self.ping_interval.after(nanos(now)),
            };
        }
    }

    /// Moves the next Ping to `time`, or to an interval after `now` if `time` is later than that.
    ///
    /// Use it to spread the Pings of many connections, or to check immediately whether a peer is still there. Does
    /// nothing if there has been no activity since the last Ping; otherwise a later Pong for that Ping is ignored.
    pub fn ping_at(&mut self, time: Duration, now: Duration) {
        let due = nanos(time).min(self.ping_interval.after(nanos(now)));
        match self.phase {
            Phase::Idle { .. } => self.phase = Phase::Idle { due },
            Phase::Waiting { heard, .. } => match heard {
                Heard::Something => self.phase = Phase::Idle { due },
                Heard::Nothing | Heard::NothingAgain => {}
            },
            Phase::Opening { .. } | Phase::Closing { .. } | Phase::Expired { .. } => {}
        }
    }

    /// Records activity of the peer. Call this whenever bytes were read from it, before the next [`tick`](Self::tick).
    ///
    /// You may also call it when a blocked transport becomes writable again, because the peer must have read something
    /// (a Ping, and so its Pong, may have to wait long behind a large message on a slow line); and while you
    /// deliberately do not read (back-pressure), because you then cannot see its activity.
    #[inline]
    pub fn record_activity(&mut self) {
        if let Phase::Waiting { heard, .. } = &mut self.phase {
            *heard = Heard::Something;
        }
    }

    /// Records a Pong with this payload. Returns the round-trip time if it is the first answer to the last Ping.
    ///
    /// Microsecond resolution; measured up to the moment you call this method.
    pub fn record_pong(&mut self, payload: &[u8], now: Duration) -> Option<Duration> {
        let Phase::Waiting { sent, .. } = self.phase else {
            return None;
        };
        // RFC 6455 section 5.5.3: a Pong may be unsolicited, or for an older Ping than the last.
        if payload != self.payload {
            return None;
        }
        self.phase = Phase::Idle {
            due: self.ping_interval.after(sent),
        };
        let rtt = nanos(now).checked_sub(sent)? / NANOS_PER_MICRO;
        self.rtt = u32::try_from(rtt).unwrap_or(NO_RTT).min(NO_RTT - 1);
        self.last_rtt()
    }

    /// Records that the closing handshake has started, so the connection is no longer open. Only the first call counts.
    pub fn record_closing(&mut self, now: Duration) {
        match self.phase {
            Phase::Opening { .. } | Phase::Idle { .. } | Phase::Waiting { .. } => {
                self.phase = Phase::Closing {
                    due: self.close_timeout.after(nanos(now)),
                };
            }
            Phase::Closing { .. } | Phase::Expired { .. } => {}
        }
    }

    /// Returns what to do now. Call this at [`deadline`](Self::deadline) or at any other time, but only after
    /// reading what the transport has available.
    ///
    /// # Errors
    ///
    /// The timeout that expired. Every later call returns the same.
    pub fn tick(&mut self, now: Duration) -> Result<Action, Expired> {
        let now = nanos(now);
        self.start_over_if_before(now);
        if !is_reached(self.due(), now) {
            return Ok(Action::Wait);
        }
        match self.phase {
            Phase::Opening { timeout, .. } => self.expire(Expired::Opening, timeout),
            Phase::Idle { .. } => self.ping(now, Heard::Nothing),
            Phase::Waiting { sent, heard } => match heard {
                Heard::Something => self.ping(now, Heard::Nothing),
                Heard::Nothing if self.is_late(now, sent) => self.ping(now, Heard::NothingAgain),
                Heard::Nothing | Heard::NothingAgain => self.expire(Expired::Ping, self.ping_timeout),
            },
            Phase::Closing { .. } => self.expire(Expired::Closing, self.close_timeout),
            Phase::Expired { expired, .. } => Err(expired),
        }
    }

    /// Returns when to call [`tick`](Self::tick): the time since the origin of `now`. `None` means never.
    ///
    /// It may change after a call to any other method. After an error it lies in the past.
    pub fn deadline(&self) -> Option<Duration> {
        match self.due() {
            NEVER => None,
            deadline => Some(Duration::from_nanos(deadline)),
        }
    }

    /// Returns the last round-trip time that was measured, by [`record_pong`](Self::record_pong).
    pub fn last_rtt(&self) -> Option<Duration> {
        (self.rtt != NO_RTT).then(|| Duration::from_micros(self.rtt.into()))
    }

    /// Returns how long the timeout was that has expired, rounded up to milliseconds; `None` before.
    pub fn expired_timeout(&self) -> Option<Duration> {
        match self.phase {
            Phase::Expired { timeout, .. } => Some(Duration::from_nanos(timeout.nanos())),
            Phase::Opening { .. } | Phase::Idle { .. } | Phase::Waiting { .. } | Phase::Closing { .. } => {
                None
            }
        }
    }

    /// Whether [`tick`](Self::tick) has more to do than to wait, for a clock that never jumps backwards. `now` is in
    /// nanoseconds.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn is_due(&self, now: u64) -> bool {
        is_reached(self.due(), now)
    }

    /// Returns whether the next thing to do is to send a Ping, and not due: then activity changes nothing either. `now` is in
    /// nanoseconds.
    #[cfg(feature = "alloc")]
    #[inline]
    pub(crate) fn is_calm(&self, now: u64) -> bool {
        matches!(self.phase, Phase::Idle { due } if now < due)
    }

    /// Returns when [`tick`](Self::tick) has more to do than to wait; [`NEVER`] if it never has.
    #[inline]
    pub(crate) fn due(&self) -> u64 {
        match self.phase {
            Phase::Opening { due, .. } | Phase::Idle { due } | Phase::Closing { due } => due,
            Phase::Waiting { sent, heard } => match heard {
                Heard::Nothing | Heard::NothingAgain => self.ping_timeout.after(sent),
                Heard::Something => self.patience().after(sent),
            },
            Phase::Expired { .. } => 0,
        }
    }

    /// Returns how long a Ping may be answered while there is activity.
    fn patience(&self) -> Millis {
        match self.ping_timeout {
            Millis::NEVER => self.ping_interval,
            timeout => timeout.max(self.ping_interval),
        }
    }

    /// Restarts the current wait if the clock has jumped back: otherwise no deadline is further away than its duration.
    fn start_over_if_before(&mut self, now: u64) {
        match &mut self.phase {
            Phase::Opening { due, timeout } => *due = timeout.after(now).min(*due),
            Phase::Idle { due } => *due = self.ping_interval.after(now).min(*due),
            Phase::Closing { due } => *due = self.close_timeout.after(now).min(*due),
            Phase::Waiting { sent, .. } if now < *sent => self.phase = Phase::Idle { due: now },
            Phase::Waiting { .. } | Phase::Expired { .. } => {}
        }
    }

    /// Returns whether this tick, which would find the peer dead, is so late that the peer may have had no chance to
    /// answer. An operating system's timers alone may be late by an eighth.
    fn is_late(&self, now: u64, sent: u64) -> bool {
        let timeout = self.ping_timeout.nanos();
        now.saturating_sub(sent) > timeout.saturating_add(timeout / 2)
    }

    fn ping(&mut self, now: u64, heard: Heard) -> Result<Action, Expired> {
        let heard = match self.ping_timeout {
            Millis::NEVER => Heard::Something,
            _ => heard,
        };
        self.payload = next_payload(self.seed, self.payload);
        self.phase = Phase::Waiting { sent: now, heard };
        Ok(Action::Ping(self.payload))
    }

    fn expire(&mut self, expired: Expired, timeout: Millis) -> Result<Action, Expired> {
        self.phase = Phase::Expired { expired, timeout };
        Err(expired)
    }
}

impl fmt::Debug for Keepalive {
    /// Does not show the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keepalive")
            .field("phase", &self.phase)
            .field("last_rtt", &self.last_rtt())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening handshake took longer than KeepaliveConfig::open_timeout",
            Self::Ping => "peer was silent for KeepaliveConfig::ping_timeout after a ping",
            Self::Closing => "closing handshake took longer than KeepaliveConfig::close_timeout",
        })
    }
}

impl core::error::Error for Expired {}

/// Returns a hash of a secret: all payloads so far reveal nothing about the next one.
fn next_payload(seed: u64, last: [u8; 8]) -> [u8; 8] {
    let mut sha1 = Sha1::new();
    sha1.update(&seed.to_be_bytes());
    sha1.update(&last);
    let [a, b, c, d, e, f, g, h, ..] = sha1.digest().bytes();
    [a, b, c, d, e, f, g, h]
}

const NO_RTT: u32 = u32::MAX;
const NANOS_PER_MICRO: u64 = 1_000;

// A million of them take 48 MB.
const _: () = assert!(size_of::<Keepalive>() == 48);
