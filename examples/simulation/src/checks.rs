//! The properties of the end of a connection: when a deadline ends it, and for what reason it ends.
//!
//! Deadlines are checked by the clock of the host. A jump of that clock is an allowance: a keepalive notices a long one,
//! and gives the peer a fresh Ping and the full timeout; a short one takes part of the timeout.

use std::time::Duration;

use embedding_tokio::websocket_proto::endpoint::{Interruption, Outcome, Timeout};
use embedding_tokio::websocket_proto::handshake::HandshakeError;
use embedding_tokio::websocket_proto::{Closed, ClosedBy, Role};
use embedding_tokio::{CloseCode, End, Endpoint};
use tokio::time::Instant;

use crate::config::{
    CLOSE_TIMEOUT, FILLING, LINGER_TIMEOUT, LONGEST_SILENCE, MAX_CAPACITY, MAX_OUTPUT, OPEN_TIMEOUT,
    PING_TIMEOUT, TICK, WRITE_TIMEOUT,
};
use crate::ledger::Ledger;
use crate::link::Times;
use crate::message::Id;
use crate::plan::Host;

/// How late a deadline may be that follows from two timers, each of them and the check up to one step of the simulation.
const SLACK: Duration = TICK.saturating_mul(3);

/// How long after a fault a connection may still end because of it: segments are missing or late.
const AFTERMATH: Duration = LONGEST_SILENCE
    .saturating_add(FILLING)
    .saturating_add(CLOSE_TIMEOUT)
    .saturating_add(LINGER_TIMEOUT);

/// One end of a connection, or of an attempt whose request the server has not read.
pub struct Side<'s> {
    pub role: Role,
    pub client: usize,
    pub connection: Option<u64>,
    /// When it began, in simulated time.
    pub began: Duration,
    pub times: &'s Times,
}

/// Checks that the peer has not been silent for longer than the keepalive allows, now that bytes arrive.
pub fn read_in_time(ledger: &mut Ledger, times: &Times, now: Instant) {
    let silence = now - times.active.get();
    let longest = LONGEST_SILENCE + allowance(ledger, times.host, times.active.get()) + SLACK;
    if times.closing.get().is_none() && silence > longest {
        let host = times.host.name();
        ledger.fault(format!(
            "{host} reads after {silence:?} of silence, its peer should have been dropped"
        ));
    }
}

/// Checks that the transport has not refused output for longer than the write timeout, now that it accepts some or that
/// the connection has ended.
pub fn written_in_time(ledger: &mut Ledger, times: &Times, now: Instant) {
    let Some(refused) = times.refused.get() else {
        return;
    };
    let longest = WRITE_TIMEOUT + allowance(ledger, times.host, refused) + SLACK;
    if now - refused > longest {
        let host = times.host.name();
        ledger.fault(format!(
            "output of {host} was refused for {:?}, the deadline is {WRITE_TIMEOUT:?}",
            now - refused
        ));
    }
}

/// Checks the limits for memory.
pub fn bounded(ledger: &mut Ledger, host: Host, endpoint: &mut Endpoint) {
    let (capacity, output) = (endpoint.capacity(), endpoint.sender().buffered_amount());
    if capacity > MAX_CAPACITY {
        ledger.fault(format!(
            "{} has {capacity} bytes of buffers, of {MAX_CAPACITY}",
            host.name()
        ));
    }
    if output > MAX_OUTPUT {
        ledger.fault(format!(
            "{} has {output} bytes of output, of {MAX_OUTPUT}",
            host.name()
        ));
    }
}

/// Checks an end, and records it.
pub fn ended(ledger: &mut Ledger, side: &Side<'_>, end: &End) {
    let name = format!("{} {}/{:?}", side.times.host.name(), side.client, side.connection);
    ledger.trace(format!("{name}: {end}"));
    written_in_time(ledger, side.times, Instant::now());
    if let Err(wrong) = reason(ledger, side, end) {
        ledger.fault(format!("{name}: {end}: {wrong}"));
    }
    let is_after_repair = ledger.repaired.is_some_and(|repaired| side.began > repaired);
    if is_after_repair && !end.is_clean() {
        ledger.fault(format!(
            "{name}: {end}: not clean, although the network was repaired before it began"
        ));
    }
    if let Some(id) = side.id() {
        ledger.ended.insert((id, side.role == Role::Client));
    }
}

/// Returns what is wrong with the reason of an end.
fn reason(ledger: &mut Ledger, side: &Side<'_>, end: &End) -> Result<(), String> {
    match (&end.outcome, &end.interruption) {
        (Outcome::Closed(closed), interruption) => {
            ledger.tally.count(format!(
                "{}: {}",
                role(side.role),
                summary(closed, interruption.as_ref())
            ));
            closing(ledger, side, closed, interruption.as_ref())
        }
        (Outcome::Failed(HandshakeError::TimedOut), _) => {
            ledger
                .tally
                .count(format!("{}: no handshake in time", role(side.role)));
            opening_timed_out(ledger, side)
        }
        (Outcome::Failed(HandshakeError::Eof | HandshakeError::Unanswered), _) => {
            ledger
                .tally
                .count(format!("{}: no handshake, transport ended", role(side.role)));
            peer_is_gone(ledger, side)
        }
        _ => Err("no peer of this kind causes it".into()),
    }
}

fn closing(
    ledger: &Ledger,
    side: &Side<'_>,
    closed: &Closed,
    interruption: Option<&Interruption>,
) -> Result<(), String> {
    let id = side.id().ok_or("the connection has no name")?;
    let calls = |role| ledger.has_called_close(id, role);
    match closed.by() {
        ClosedBy::Local if !calls(side.role) => return Err("this side has not called `close`".into()),
        ClosedBy::Peer if !calls(side.role.peer()) => return Err("the peer has not called `close`".into()),
        ClosedBy::Peer if closed.code() != code_of(side.role.peer()) => {
            return Err("the code is not the peer's".into());
        }
        ClosedBy::Local | ClosedBy::Peer if closed.is_clean() => return Ok(()),
        ClosedBy::Local | ClosedBy::Peer | ClosedBy::Transport => {}
        _ => return Err("no peer breaks a rule".into()),
    }
    match interruption {
        Some(Interruption::TimedOut { timeout, .. }) => timed_out(ledger, side, *timeout),
        Some(Interruption::Transport(_)) | None => peer_is_gone(ledger, side),
        Some(_) => Err("it was not aborted".into()),
    }
}

/// Clients close when they have finished, and the server when it leaves.
pub fn code_of(role: Role) -> CloseCode {
    match role {
        Role::Client => CloseCode::NORMAL,
        Role::Server => CloseCode::GOING_AWAY,
    }
}

fn timed_out(ledger: &Ledger, side: &Side<'_>, timeout: Timeout) -> Result<(), String> {
    let (times, now) = (side.times, Instant::now());
    match timeout {
        Timeout::Ping => {
            let since = times.active.get();
            let jumps: Duration = ledger
                .jumps_since(times.host, since)
                .collect::<Vec<_>>()
                .iter()
                .sum();
            let short: Duration = short_jumps(ledger, times.host, since);
            within(
                "silence",
                (now - since).saturating_sub(jumps - short),
                PING_TIMEOUT,
                Duration::MAX,
            )?;
            let longest = LONGEST_SILENCE + allowance(ledger, times.host, since);
            within("silence", now - since, Duration::ZERO, longest)?;
        }
        Timeout::Write => {
            within(
                "no output",
                now - times.accepted.get(),
                WRITE_TIMEOUT,
                Duration::MAX,
            )?;
        }
        Timeout::Closing => {
            let since = times.closing.get().ok_or("it was not closing")?;
            let longest = WRITE_TIMEOUT + CLOSE_TIMEOUT + allowance(ledger, times.host, since);
            within("closing", now - since, CLOSE_TIMEOUT, longest)?;
        }
        _ => return Err("this deadline does not exist here".into()),
    }
    disturbed(ledger, side)
}

fn opening_timed_out(ledger: &Ledger, side: &Side<'_>) -> Result<(), String> {
    // A server then writes its response, and the client gets time to read it.
    let after = match side.role {
        Role::Client => Duration::ZERO,
        Role::Server => WRITE_TIMEOUT + LINGER_TIMEOUT,
    };
    let began = side.times.began;
    let longest = OPEN_TIMEOUT + after + allowance(ledger, side.times.host, began);
    within("opening", Instant::now() - began, OPEN_TIMEOUT, longest)?;
    disturbed(ledger, side)
}

fn within(what: &str, time: Duration, least: Duration, most: Duration) -> Result<(), String> {
    if time + SLACK < least {
        return Err(format!("{what} for {time:?}, which is before {least:?}"));
    }
    if time > most.saturating_add(SLACK) {
        return Err(format!("{what} for {time:?}, which is after {most:?}"));
    }
    Ok(())
}

/// How much later than without jumps of the clock a deadline may be.
fn allowance(ledger: &Ledger, host: Host, since: Instant) -> Duration {
    ledger
        .jumps_since(host, since)
        .map(|jump| if is_short(jump) { jump } else { jump + PING_TIMEOUT })
        .sum()
}

fn short_jumps(ledger: &Ledger, host: Host, since: Instant) -> Duration {
    ledger
        .jumps_since(host, since)
        .filter(|jump| is_short(*jump))
        .sum()
}

fn is_short(jump: Duration) -> bool {
    jump <= PING_TIMEOUT / 2
}

/// Checks that something happened that could end the connection.
fn disturbed(ledger: &Ledger, side: &Side<'_>) -> Result<(), String> {
    let from = side.began.max(ledger.now.saturating_sub(LONGEST_SILENCE));
    if ledger.plan.disturbs(side.client, from, ledger.now, AFTERMATH) {
        return Ok(());
    }
    Err("nothing has disturbed the network".into())
}

/// Checks that the peer has ended its side, or has crashed.
fn peer_is_gone(ledger: &Ledger, side: &Side<'_>) -> Result<(), String> {
    let peer = match side.role {
        Role::Client => Host::Server,
        Role::Server => Host::Client(side.client),
    };
    let has_crashed = ledger
        .crashes
        .get(&peer.name())
        .is_some_and(|at| *at >= side.began);
    let has_ended = side.id().is_none_or(|id| ledger.has_ended(id, side.role.peer()));
    // A server that rejected or timed out a request without a name has ended too.
    let is_opening = side.role == Role::Client && disturbed(ledger, side).is_ok();
    if has_crashed || has_ended || is_opening {
        return Ok(());
    }
    Err("the peer is still there".into())
}

impl Side<'_> {
    fn id(&self) -> Option<Id> {
        let client = self.client;
        self.connection.map(|connection| Id { client, connection })
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
    }
}

fn summary(closed: &Closed, interruption: Option<&Interruption>) -> String {
    let clean = if closed.is_clean() { "clean" } else { "not clean" };
    match interruption {
        Some(timed_out @ Interruption::TimedOut { .. }) => format!("{timed_out}, {clean}"),
        Some(Interruption::Transport(_)) => format!("transport failed, {clean}"),
        _ => format!("closed by {:?}, {clean}", closed.by()),
    }
}
