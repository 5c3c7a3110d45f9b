//! Timers, for any clock and any order of calls.

use super::input::Input;
use std::time::Duration;
use websocket_proto::keepalive::{Action, Expired, Keepalive, KeepaliveConfig};

/// Durations and times of every size, including the extremes.
fn duration(input: &mut Input) -> Duration {
    let (unit, number) = (input.byte() % 6, u64::from(input.number()));
    match unit {
        0 => Duration::from_millis(number),
        1 => Duration::from_secs(number),
        2 => Duration::from_nanos(number),
        3 => Duration::from_nanos(u64::MAX - number),
        4 => Duration::from_secs(number << 48),
        _ => Duration::MAX,
    }
}

/// There is no panic; after an action, another tick at the same time has nothing to do; an expired timer stays expired; and a peer
/// is given up only after a Ping.
pub fn keepalive(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let config = KeepaliveConfig::new()
        .open_timeout(duration(&mut input))
        .ping_interval(duration(&mut input))
        .ping_timeout(duration(&mut input))
        .close_timeout(duration(&mut input));
    let mut now = duration(&mut input);
    let mut keepalive = Keepalive::new(&config, now).with_seed(u64::from(input.number()));
    let (mut pinged, mut over) = (None, None);
    while !input.is_empty() {
        match input.byte() % 10 {
            0 => keepalive.record_opened(now),
            1 => keepalive.ping_at(duration(&mut input), now),
            2 => keepalive.record_activity(),
            3 => _ = keepalive.record_pong(input.bytes(), now),
            4 => {
                if let Some(rtt) = keepalive.record_pong(&pinged.unwrap_or([0; 8]), now) {
                    assert_eq!(keepalive.last_rtt(), Some(rtt));
                }
            }
            5 => keepalive.record_closing(now),
            6 => now = duration(&mut input),
            7 => now = now.saturating_add(duration(&mut input)),
            8 => now = keepalive.deadline().unwrap_or(now),
            _ => tick(&mut keepalive, now, &mut pinged, &mut over),
        }
    }
}

fn tick(keepalive: &mut Keepalive, now: Duration, pinged: &mut Option<[u8; 8]>, over: &mut Option<Expired>) {
    let result = keepalive.tick(now);
    assert!(over.is_none_or(|over| result == Err(over)), "fused");
    match result {
        Ok(Action::Wait) => {}
        Ok(Action::Ping(payload)) => {
            assert_ne!(*pinged, Some(payload));
            *pinged = Some(payload);
        }
        Err(expired) => {
            assert!(expired != Expired::Ping || pinged.is_some());
            *over = Some(expired);
            return;
        }
    }
    assert_eq!(keepalive.tick(now), Ok(Action::Wait));
    assert!(
        keepalive
            .deadline()
            .is_none_or(|deadline| deadline > now || now >= FOREVER)
    );
}

/// The latest time: times are held in nanoseconds, and later ones are clamped to this.
const FOREVER: Duration = Duration::from_nanos(u64::MAX);
