//! Timers on a virtual clock: standalone, and with a connection whose peer and network follow a script (RFC 6455 sections 5.5.2,
//! 5.5.3 and 7.1).

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use websocket_proto::keepalive::{Action, Expired, Keepalive, KeepaliveConfig};

const INTERVAL: Duration = secs(20);
const TIMEOUT: Duration = secs(8);
const CONFIG: KeepaliveConfig = KeepaliveConfig::new()
    .open_timeout(secs(5))
    .ping_interval(INTERVAL)
    .ping_timeout(TIMEOUT)
    .close_timeout(secs(3));
/// Any origin works.
const START: Duration = secs(1_000);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The timers of a connection that was opened at `START`.
fn opened(config: &KeepaliveConfig) -> Keepalive {
    let mut keepalive = Keepalive::new(config, START);
    keepalive.record_opened(START);
    keepalive
}

trait Steps {
    /// Ticks at this time, when a Ping has to be due. Returns its payload.
    fn pings(&mut self, now: Duration) -> [u8; 8];
    /// Ticks at this time, when nothing may be due before `until`.
    fn waits(&mut self, now: Duration, until: Duration);
    /// Ticks just before this time, which has to be the deadline, then at it, and indefinitely after it.
    fn expires(&mut self, deadline: Duration, expired: Expired);
}

impl Steps for Keepalive {
    #[track_caller]
    fn pings(&mut self, now: Duration) -> [u8; 8] {
        match self.tick(now) {
            Ok(Action::Ping(payload)) => payload,
            other => panic!("expected a ping at {now:?}, got {other:?}"),
        }
    }

    #[track_caller]
    fn waits(&mut self, now: Duration, until: Duration) {
        assert_eq!(self.tick(now), Ok(Action::Wait), "at {now:?}");
        assert_eq!(self.deadline(), Some(until), "at {now:?}");
    }

    #[track_caller]
    fn expires(&mut self, deadline: Duration, expired: Expired) {
        self.waits(deadline - Duration::from_nanos(1), deadline);
        for now in [deadline, deadline, deadline + secs(1), START, Duration::MAX] {
            assert_eq!(self.tick(now), Err(expired), "at {now:?}");
            assert!(self.deadline().is_some_and(|deadline| deadline <= now));
        }
    }
}

// RFC 6455 section 5.5.2: 6455-5.5.2-02
#[test]
fn a_ping_is_due_at_each_interval() {
    let mut keepalive = opened(&CONFIG);
    let mut payloads = Vec::new();
    for n in 1..=1_000 {
        let due = START + INTERVAL * n;
        keepalive.waits(due - Duration::from_nanos(1), due);
        let payload = keepalive.pings(due);
        keepalive.waits(due, due + TIMEOUT);
        assert_eq!(
            keepalive.record_pong(&payload, due + millis(n.into())),
            Some(millis(n.into()))
        );
        payloads.push(payload);
    }
    payloads.sort_unstable();
    payloads.dedup();
    assert_eq!(payloads.len(), 1_000, "no payload stands twice");
}

#[test]
fn a_silent_peer_is_dead_after_interval_and_timeout() {
    let mut keepalive = opened(&CONFIG);
    keepalive.pings(START + INTERVAL);
    keepalive.expires(START + INTERVAL + TIMEOUT, Expired::Ping);
    keepalive.record_opened(START);
    keepalive.record_closing(START);
    keepalive.record_activity();
    keepalive.ping_at(START, START);
    assert_eq!(
        keepalive.tick(START),
        Err(Expired::Ping),
        "nothing brings it back"
    );
}

#[test]
fn activity_before_the_ping_does_not_count_after_it() {
    let mut keepalive = opened(&CONFIG);
    keepalive.record_activity();
    keepalive.pings(START + INTERVAL);
    keepalive.expires(START + INTERVAL + TIMEOUT, Expired::Ping);
}

#[test]
fn activity_alone_keeps_alive_and_measures_nothing() {
    let mut keepalive = opened(&CONFIG);
    let mut sent = START + INTERVAL;
    for _ in 0..100 {
        keepalive.pings(sent);
        keepalive.record_activity();
        keepalive.waits(sent + TIMEOUT, sent + INTERVAL);
        sent += INTERVAL;
    }
    assert_eq!(keepalive.last_rtt(), None);
    keepalive.pings(sent);
    keepalive.expires(sent + TIMEOUT, Expired::Ping);
}

// RFC 6455 section 5.5.3: 6455-5.5.3-03, 6455-5.5.3-04. Here `record_activity` is not called, so that only a matching Pong counts.
#[test]
fn a_pong_that_does_not_match_is_neither_a_reply_nor_a_sample() {
    let now = START + INTERVAL;
    let mut keepalive = opened(&CONFIG);
    assert_eq!(
        keepalive.record_pong(&[0; 8], START),
        None,
        "before the first ping"
    );
    let old = keepalive.pings(now);
    assert_eq!(keepalive.record_pong(&old, now + millis(40)), Some(millis(40)));
    assert_eq!(keepalive.record_pong(&old, now + millis(90)), None, "a replay");
    let payload = keepalive.pings(now + INTERVAL);
    let wrong = [
        &old[..],
        &[],
        &[0; 8],
        &[0xff; 125],
        &payload[..7],
        &[&payload[..], &[0]].concat(),
        &payload.map(|byte| !byte),
    ];
    for wrong in wrong {
        assert_eq!(
            keepalive.record_pong(wrong, now + INTERVAL + millis(1)),
            None,
            "{wrong:02x?}"
        );
    }
    assert_eq!(keepalive.last_rtt(), Some(millis(40)));
    keepalive.expires(now + INTERVAL + TIMEOUT, Expired::Ping);
}

// RFC 6455 section 5.5.3: 6455-5.5.3-02, 6455-5.5.3-04. The peer answers only the newest Ping, and late.
#[test]
fn a_ping_can_be_answered_until_the_next_one() {
    let mut keepalive = opened(&CONFIG);
    let first = keepalive.pings(START + INTERVAL);
    keepalive.record_activity();
    let second = keepalive.pings(START + INTERVAL * 2);
    keepalive.record_activity();
    let last = START + INTERVAL * 3 - millis(1);
    assert_eq!(keepalive.record_pong(&first, last), None);
    assert_eq!(keepalive.record_pong(&second, last), Some(INTERVAL - millis(1)));
    keepalive.waits(last, START + INTERVAL * 3);
}

#[test]
fn a_timeout_over_the_interval_waits_for_the_answer() {
    let config = CONFIG.ping_timeout(secs(50));
    let mut keepalive = opened(&config);
    let sent = START + INTERVAL;
    // A slow connection: the next one is due immediately.
    let payload = keepalive.pings(sent);
    keepalive.waits(sent + secs(49), sent + secs(50));
    assert_eq!(keepalive.record_pong(&payload, sent + secs(49)), Some(secs(49)));
    keepalive.pings(sent + secs(49));
    keepalive.record_activity();
    keepalive.waits(sent + secs(98), sent + secs(99));
    keepalive.pings(sent + secs(99));
    keepalive.expires(sent + secs(149), Expired::Ping);
}

#[test]
fn the_first_ping_can_be_staggered_and_keeps_its_phase() {
    for offset in [secs(0), secs(1), secs(13), INTERVAL] {
        let mut keepalive = opened(&CONFIG);
        keepalive.ping_at(START + offset, START);
        for n in 0..5 {
            let due = START + offset + INTERVAL * n;
            assert_eq!(keepalive.deadline(), Some(due));
            let payload = keepalive.pings(due);
            keepalive.record_pong(&payload, due + secs(3));
        }
    }
    // A time more than an interval away is reduced to one interval.
    let mut keepalive = opened(&CONFIG);
    keepalive.ping_at(START + secs(500), START);
    assert_eq!(keepalive.deadline(), Some(START + INTERVAL));
    keepalive.waits(START, START + INTERVAL);
}

#[test]
fn a_ping_on_demand_does_not_postpone_the_timeout() {
    let mut keepalive = opened(&CONFIG);
    let sent = START + INTERVAL;
    keepalive.pings(sent);
    keepalive.ping_at(sent + secs(1), sent);
    keepalive.waits(sent + secs(1), sent + TIMEOUT);
    keepalive.record_activity();
    keepalive.ping_at(sent + secs(2), sent + secs(1));
    keepalive.pings(sent + secs(2));
    keepalive.expires(sent + secs(2) + TIMEOUT, Expired::Ping);
}

#[test]
fn never_is_a_duration() {
    let mut keepalive = opened(&CONFIG.ping_interval(Duration::MAX));
    assert_eq!(keepalive.deadline(), None);
    assert_eq!(keepalive.tick(START + secs(1 << 30)), Ok(Action::Wait));
    // One Ping on demand, and then none.
    let now = START + secs(1 << 31);
    keepalive.ping_at(now, now);
    let payload = keepalive.pings(now);
    keepalive.waits(now, now + TIMEOUT);
    keepalive.record_activity();
    assert_eq!(keepalive.deadline(), None);
    assert_eq!(keepalive.record_pong(&payload, now + secs(1)), Some(secs(1)));
    assert_eq!(keepalive.deadline(), None);

    let mut keepalive = opened(&CONFIG.ping_timeout(Duration::MAX));
    for n in 1..10 {
        keepalive.pings(START + INTERVAL * n);
        keepalive.waits(START + INTERVAL * n, START + INTERVAL * (n + 1));
    }

    let forever = CONFIG.open_timeout(Duration::MAX).close_timeout(Duration::MAX);
    let mut keepalive = Keepalive::new(&forever, START);
    assert_eq!(keepalive.deadline(), None);
    keepalive.record_closing(START);
    assert_eq!(keepalive.deadline(), None);
    assert_eq!(keepalive.tick(Duration::MAX), Ok(Action::Wait));
}

#[test]
fn durations_are_rounded_up_to_milliseconds() {
    let due = |interval| opened(&CONFIG.ping_interval(interval)).deadline();
    for nanos in [0, 1, 999_999, 1_000_000] {
        assert_eq!(due(Duration::from_nanos(nanos)), Some(START + millis(1)));
    }
    assert_eq!(due(Duration::from_nanos(1_000_001)), Some(START + millis(2)));
    let limit = u64::from(u32::MAX);
    assert_eq!(due(millis(limit - 1)), Some(START + millis(limit - 1)));
    assert_eq!(due(millis(limit)), None);
}

#[test]
fn round_trip_times_have_microseconds_and_a_limit() {
    let mut keepalive = opened(&CONFIG.ping_timeout(Duration::MAX));
    let mut now = START;
    let mut rtt = |delay| {
        now = now.max(keepalive.deadline().unwrap());
        let payload = keepalive.pings(now);
        now += delay;
        let rtt = keepalive.record_pong(&payload, now);
        assert_eq!(keepalive.last_rtt(), rtt);
        rtt
    };
    assert_eq!(rtt(Duration::ZERO), Some(Duration::ZERO));
    assert_eq!(rtt(Duration::from_nanos(1_999)), Some(Duration::from_micros(1)));
    let limit = Duration::from_micros(u64::from(u32::MAX) - 1);
    assert_eq!(rtt(limit), Some(limit));
    assert_eq!(rtt(limit * 2), Some(limit));
}

// The payloads of an unseeded connection can be computed by anyone; with a seed, only by its owner.
#[test]
fn a_seed_makes_payloads_of_its_own() {
    let payload = |keepalive: Keepalive| {
        let mut keepalive = keepalive;
        keepalive.record_opened(START);
        let first = keepalive.pings(START + INTERVAL);
        keepalive.record_activity();
        [first, keepalive.pings(START + INTERVAL * 2)]
    };
    let new = || Keepalive::new(&CONFIG, START);
    assert_eq!(payload(new()), payload(new().with_seed(0)));
    assert_eq!(payload(new().with_seed(7)), payload(new().with_seed(7)));
    let all = [
        payload(new()),
        payload(new().with_seed(7)),
        payload(new().with_seed(7 << 32)),
    ]
    .concat();
    for (i, payload) in all.iter().enumerate() {
        assert!(!all[..i].contains(payload), "{all:02x?}");
    }
    let shown = format!("{:?}", new().with_seed(0x7777_7777));
    assert!(shown.contains("phase: Opening"), "{shown}");
    assert!(!shown.contains("2004318071"), "{shown}");
}

// RFC 6455 section 4.2: 6455-4.2-01
#[test]
fn the_opening_handshake_has_a_deadline() {
    let mut keepalive = Keepalive::new(&CONFIG, START);
    keepalive.record_activity();
    assert_eq!(keepalive.record_pong(&[0; 8], START), None);
    keepalive.ping_at(START, START);
    keepalive.expires(START + secs(5), Expired::Opening);

    let mut keepalive = Keepalive::new(&CONFIG, START);
    keepalive.record_opened(START + secs(4));
    keepalive.record_opened(START + secs(5));
    keepalive.waits(START + secs(5), START + secs(4) + INTERVAL);
}

// RFC 6455 sections 5.5.1 and 7: 6455-7-02, 6455-5.5.1-09, D42
#[test]
fn the_closing_handshake_has_a_deadline_that_nothing_prolongs() {
    for state in 0..3 {
        let mut keepalive = Keepalive::new(&CONFIG, START);
        if state > 0 {
            keepalive.record_opened(START);
        }
        let mut payload = [0; 8];
        let now = START + INTERVAL;
        if state > 1 {
            payload = keepalive.pings(now);
        }
        keepalive.record_closing(now);
        keepalive.record_closing(now + secs(2));
        keepalive.record_opened(now + secs(2));
        keepalive.record_activity();
        keepalive.ping_at(now, now);
        assert_eq!(keepalive.record_pong(&payload, now), None);
        keepalive.expires(now + secs(3), Expired::Closing);
    }
}

#[test]
fn timeouts_have_a_text() {
    let told = [Expired::Opening, Expired::Ping, Expired::Closing].map(|expired| expired.to_string());
    assert_eq!(
        told,
        [
            "opening handshake took longer than KeepaliveConfig::open_timeout",
            "peer was silent for KeepaliveConfig::ping_timeout after a ping",
            "closing handshake took longer than KeepaliveConfig::close_timeout",
        ]
    );
}

#[test]
fn the_value_of_the_timeout_is_known_once_it_has_expired() {
    let config = CONFIG
        .open_timeout(Duration::from_micros(3_500))
        .ping_timeout(TIMEOUT)
        .close_timeout(millis(7));
    let mut opening = Keepalive::new(&config, START);
    assert_eq!(opening.expired_timeout(), None);
    opening.expires(START + millis(4), Expired::Opening);
    assert_eq!(opening.expired_timeout(), Some(millis(4)), "rounded up");
    let mut silent = opened(&config);
    silent.pings(START + INTERVAL);
    assert_eq!(silent.expired_timeout(), None);
    silent.expires(START + INTERVAL + TIMEOUT, Expired::Ping);
    assert_eq!(silent.expired_timeout(), Some(TIMEOUT));
    let mut closing = opened(&config);
    closing.record_closing(START);
    assert_eq!(closing.expired_timeout(), None);
    closing.expires(START + millis(7), Expired::Closing);
    assert_eq!(closing.expired_timeout(), Some(millis(7)));
}

#[test]
fn a_peer_gets_another_chance_after_a_sleep() {
    let sent = START + INTERVAL;
    let hour = secs(3_600);

    // The machine sleeps, and the Pong is lost meanwhile: one Ping, and the complete timeout from here.
    let mut keepalive = opened(&CONFIG);
    let lost = keepalive.pings(sent);
    let fresh = keepalive.pings(sent + hour);
    assert_ne!(lost, fresh);
    keepalive.waits(sent + hour, sent + hour + TIMEOUT);
    let mut silent = keepalive.clone();
    silent.expires(sent + hour + TIMEOUT, Expired::Ping);

    // There is only one more chance, or a loop that is always late would never detect a dead peer.
    let mut late = keepalive.clone();
    assert_eq!(late.tick(sent + hour * 2), Err(Expired::Ping));

    // A peer that replies in time gets another chance.
    assert_eq!(
        keepalive.record_pong(&fresh, sent + hour + secs(1)),
        Some(secs(1)),
        "no trace of the sleep"
    );
    keepalive.pings(sent + hour + INTERVAL);
    keepalive.pings(sent + hour * 2);
}

#[test]
fn a_tick_that_is_not_so_late_decides() {
    let sent = START + INTERVAL;
    let limit = sent + TIMEOUT + TIMEOUT / 2;
    let mut keepalive = opened(&CONFIG);
    keepalive.pings(sent);
    assert_eq!(keepalive.clone().tick(limit), Err(Expired::Ping));
    keepalive.pings(limit + Duration::from_nanos(1));
}

#[test]
fn a_late_ping_is_one_ping() {
    let mut keepalive = opened(&CONFIG);
    let now = START + secs(1 << 20);
    let payload = keepalive.pings(now);
    keepalive.waits(now, now + TIMEOUT);
    keepalive.record_pong(&payload, now + secs(1));
    keepalive.waits(now + secs(1), now + INTERVAL);

    // Bytes that had been waiting here all the time count as activity, but the next Ping is overdue.
    let mut keepalive = opened(&CONFIG);
    keepalive.pings(START + INTERVAL);
    keepalive.record_activity();
    keepalive.pings(now);
    keepalive.expires(now + TIMEOUT, Expired::Ping);
}

#[test]
fn a_clock_that_jumps_back_lets_everything_begin_again() {
    let back = secs(10);

    let mut opening = Keepalive::new(&CONFIG, START);
    opening.waits(back, back + secs(5));
    opening.expires(back + secs(5), Expired::Opening);

    let mut idle = opened(&CONFIG);
    idle.waits(back, back + INTERVAL);
    idle.pings(back + INTERVAL);

    let mut waiting = opened(&CONFIG);
    let old = waiting.pings(START + INTERVAL);
    assert_eq!(
        waiting.clone().record_pong(&old, back),
        None,
        "an answer, but no measurement"
    );
    let fresh = waiting.pings(back);
    assert_eq!(waiting.record_pong(&old, back + secs(1)), None);
    let mut silent = waiting.clone();
    assert_eq!(waiting.record_pong(&fresh, back + secs(1)), Some(secs(1)));
    waiting.waits(back + secs(1), back + INTERVAL);
    silent.expires(back + TIMEOUT, Expired::Ping);

    let mut closing = opened(&CONFIG);
    closing.record_closing(START);
    closing.waits(back, back + secs(3));
    closing.expires(back + secs(3), Expired::Closing);
}

#[test]
fn beyond_584_years_nothing_happens() {
    let mut keepalive = Keepalive::new(&CONFIG, Duration::MAX);
    assert_eq!(keepalive.tick(Duration::MAX), Ok(Action::Wait));
    keepalive.record_opened(Duration::MAX);
    assert_eq!(keepalive.tick(Duration::MAX), Ok(Action::Wait));
    keepalive.record_closing(Duration::MAX);
    assert_eq!(keepalive.tick(Duration::MAX), Ok(Action::Wait));
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Opened,
    PingAt,
    Activity,
    /// A Pong with the payload of the last Ping, or with another.
    Pong {
        matches: bool,
    },
    Closing,
    Tick,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        1 => Just(Call::Opened),
        1 => Just(Call::PingAt),
        3 => Just(Call::Activity),
        3 => any::<bool>().prop_map(|matches| Call::Pong { matches }),
        1 => prop::bool::weighted(0.05).prop_map(|closing| if closing { Call::Closing } else { Call::Tick }),
        12 => Just(Call::Tick),
    ]
}

/// How far the clock moves between two calls, in milliseconds: mostly little, sometimes far, and also backwards.
fn jump() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0i64..200,
        3 => 0i64..5_000,
        1 => -5_000i64..0,
        1 => -1_000_000i64..1_000_000,
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    prop_oneof![20 => (1u64..3_000).prop_map(millis), 1 => Just(Duration::MAX)]
}

proptest! {
    #![proptest_config(cases(if cfg!(miri) { 4 } else { 500 }))]

    // For any calls and any clock: no panic, one step for each tick, no action is postponed for longer than its own duration, and no
    // peer is given up without a chance to reply.
    #[test]
    fn timeouts_are_fair_for_any_clock_and_any_order_of_calls(
        [open, interval, timeout, close] in [duration(), duration(), duration(), duration()],
        calls in vec((call(), jump()), 0..100),
    ) {
        let config = KeepaliveConfig::new()
            .open_timeout(open)
            .ping_interval(interval)
            .ping_timeout(timeout)
            .close_timeout(close);
        let mut now = START;
        let mut keepalive = Keepalive::new(&config, now);
        // The last Ping, if nothing was received since.
        let mut unanswered: Option<Duration> = None;
        let mut payload = [0; 8];
        let mut had_two_chances = false;
        let mut over = None;
        for (call, jump) in calls {
            let step = millis(jump.unsigned_abs());
            now = if jump < 0 { now.saturating_sub(step) } else { now + step };
            match call {
                Call::Opened => keepalive.record_opened(now),
                Call::PingAt => keepalive.ping_at(now, now),
                Call::Closing => keepalive.record_closing(now),
                Call::Activity => {
                    keepalive.record_activity();
                    unanswered = None;
                }
                Call::Pong { matches: true } => {
                    if let Some(rtt) = keepalive.record_pong(&payload, now) {
                        prop_assert_eq!(Some(rtt), keepalive.last_rtt());
                    }
                    unanswered = None;
                }
                Call::Pong { matches: false } => {
                    prop_assert_eq!(keepalive.record_pong(&payload.map(|byte| !byte), now), None);
                }
                Call::Tick => {
                    let result = keepalive.tick(now);
                    if let Some(over) = over {
                        prop_assert_eq!(result, Err(over));
                        continue;
                    }
                    match result {
                        Ok(Action::Wait) => {}
                        Ok(Action::Ping(fresh)) => {
                            had_two_chances = unanswered.is_some_and(|sent| sent <= now);
                            prop_assert_ne!(fresh, payload);
                            (payload, unanswered) = (fresh, Some(now));
                        }
                        Err(expired) => {
                            over = Some(expired);
                            if expired == Expired::Ping {
                                let sent = unanswered.expect("dead without a ping, or in spite of an answer");
                                let waited = now - sent;
                                prop_assert!(waited >= timeout, "dead after {waited:?} of {timeout:?}");
                                prop_assert!(had_two_chances || waited <= timeout * 3 / 2);
                            }
                            continue;
                        }
                    }
                    // At the same time again, there is nothing to do.
                    prop_assert_eq!(keepalive.tick(now), Ok(Action::Wait));
                    let deadline = keepalive.deadline().unwrap_or(Duration::MAX);
                    prop_assert!(deadline > now);
                    // A Ping on demand without regular ones has no interval.
                    if deadline != Duration::MAX && interval != Duration::MAX {
                        prop_assert!(deadline <= now + secs(3), "{deadline:?} at {now:?}");
                    }
                }
            }
        }
    }
}

#[cfg(feature = "alloc")]
mod common;

/// Together with a connection.
#[cfg(feature = "alloc")]
mod beside {
    use super::common::{self, End};
    use super::*;
    use std::collections::{BTreeMap, VecDeque};
    use websocket_proto::handshake::{HandshakeError, ServerHandshake};
    use websocket_proto::{AutoPong, CloseCode, ClosedBy, Config, Connection, Event, State, TransportAdvice};

    /// A connection that keeps timers, its scripted peer, and the network in between. Bytes arrive in order, `delay` after they
    /// were sent; nothing arrives from `cut` on.
    struct World {
        now: Duration,
        end: Connection,
        keepalive: Keepalive,
        peer: Connection,
        /// The peer's unsolicited actions, with their times.
        plan: BTreeMap<(Duration, usize), Act>,
        /// The peer's replies to each Ping, with their delays. After the last entry, it does not reply.
        answers: VecDeque<Vec<(Duration, Answer)>>,
        pings_received: Vec<Vec<u8>>,
        delay: Duration,
        cut: Option<Duration>,
        to_peer: VecDeque<(Duration, Vec<u8>)>,
        to_end: VecDeque<(Duration, Vec<u8>)>,
        /// Whether the caller ticks after every read, or only at the deadlines.
        is_eager: bool,
        extra_ticks: Vec<Duration>,
        trace: Vec<(Duration, Step)>,
        arrivals: Vec<(Duration, Arrival)>,
    }

    #[derive(Clone, Debug)]
    enum Act {
        Text,
        Pong(Vec<u8>),
        Close,
        Bytes(Vec<u8>),
    }

    #[derive(Clone, Copy, Debug)]
    enum Answer {
        /// The Pong to an earlier Ping, this many before the last.
        Pong(usize),
        /// An unsolicited Pong.
        Wrong,
        Text,
    }

    #[derive(Clone, Debug, Eq, PartialEq)]
    enum Step {
        Ping(Vec<u8>),
        Rtt(Duration),
        Expired(Expired),
        /// The connection ended.
        Ended,
    }

    #[derive(Clone, Debug, Eq, PartialEq)]
    enum Arrival {
        Pong(Vec<u8>),
        Other,
    }

    impl World {
        /// Opens the connection at `START`.
        fn new(end: &End, config: &KeepaliveConfig) -> Self {
            let peer = End {
                role: end.role.peer(),
                config: Config::new().auto_pong(AutoPong::Off),
            };
            Self {
                now: START,
                end: end.open(),
                keepalive: opened(config),
                peer: peer.open(),
                plan: BTreeMap::new(),
                answers: VecDeque::new(),
                pings_received: Vec::new(),
                delay: Duration::ZERO,
                cut: None,
                to_peer: VecDeque::new(),
                to_end: VecDeque::new(),
                is_eager: true,
                extra_ticks: Vec::new(),
                trace: Vec::new(),
                arrivals: Vec::new(),
            }
        }

        /// A peer that replies to each Ping after the same time.
        fn answering(mut self, after: Duration) -> Self {
            self.answers = vec![vec![(after, Answer::Pong(0))]; 1_000].into();
            self
        }

        fn plan(&mut self, time: Duration, act: Act) {
            let key = (time, self.plan.len() + self.pings_received.len() * 1_000);
            self.plan.insert(key, act);
        }

        fn run(&mut self, until: Duration) {
            self.tick();
            let mut steps = 0;
            while let Some(time) = self.next_time().filter(|time| *time <= until) {
                steps += 1;
                assert!(steps < 1_000_000, "time stands still at {time:?}");
                self.now = time;
                while let Some(((at, _), act)) = self.plan.pop_first() {
                    if at > time {
                        self.plan.insert((at, 0), act);
                        break;
                    }
                    self.act(act);
                }
                while let Some(bytes) = arrived(&mut self.to_peer, time) {
                    self.peer_reads(bytes);
                }
                while let Some(bytes) = arrived(&mut self.to_end, time) {
                    self.end_reads(bytes);
                }
                self.extra_ticks.retain(|tick| *tick > time);
                self.tick();
                let is_over = |step: &Step| matches!(step, Step::Expired(_) | Step::Ended);
                if self.trace.last().is_some_and(|(_, step)| is_over(step)) {
                    return;
                }
            }
            self.now = until;
        }

        fn next_time(&self) -> Option<Duration> {
            let fronts = [&self.to_peer, &self.to_end].map(|link| link.front().map(|(time, _)| *time));
            let plan = self.plan.first_key_value().map(|((time, _), _)| *time);
            let extra = self.extra_ticks.iter().min().copied();
            let times = fronts.into_iter().chain([plan, extra, self.keepalive.deadline()]);
            times.flatten().min().map(|time| time.max(self.now))
        }

        /// The peer does something.
        fn act(&mut self, act: Act) {
            let mut out = Vec::new();
            _ = match act {
                Act::Text => self.peer.send_text("text", &mut out),
                Act::Pong(payload) => self.peer.send_pong(&payload, &mut out),
                Act::Close => self.peer.close(CloseCode::NORMAL, "", &mut out),
                Act::Bytes(bytes) => {
                    out = bytes;
                    Ok(())
                }
            };
            self.send_to_end(out);
        }

        fn send_to_end(&mut self, bytes: Vec<u8>) {
            let time = self.now + self.delay;
            if !bytes.is_empty() && self.cut.is_none_or(|cut| time < cut) {
                self.to_end.push_back((time, bytes));
            }
        }

        fn send_to_peer(&mut self, bytes: Vec<u8>) {
            let time = self.now + self.delay;
            if !bytes.is_empty() && self.cut.is_none_or(|cut| time < cut) {
                self.to_peer.push_back((time, bytes));
            }
        }

        fn peer_reads(&mut self, mut bytes: Vec<u8>) {
            let mut out = Vec::new();
            let mut input = &mut bytes[..];
            while let Ok(Some(event)) = self.peer.receive(&mut input, &mut out) {
                let Event::Ping(payload) = event else { continue };
                self.pings_received.push(payload.into_owned());
                for (after, answer) in self.answers.pop_front().unwrap_or_default() {
                    let newest = self.pings_received.len() - 1;
                    let act = match answer {
                        Answer::Pong(back) => {
                            Act::Pong(self.pings_received[newest.saturating_sub(back)].clone())
                        }
                        Answer::Wrong => Act::Pong(b"nobody asked".to_vec()),
                        Answer::Text => Act::Text,
                    };
                    self.plan(self.now + after, act);
                }
            }
            self.send_to_end(out);
        }

        /// What a caller does with what it has read.
        fn end_reads(&mut self, mut bytes: Vec<u8>) {
            let mut out = Vec::new();
            let mut input = &mut bytes[..];
            self.keepalive.record_activity();
            self.arrivals.push((self.now, Arrival::Other));
            while let Ok(Some(event)) = self.end.receive(&mut input, &mut out) {
                if let Event::Pong(payload) = event {
                    self.arrivals.push((self.now, Arrival::Pong(payload.to_vec())));
                    if let Some(rtt) = self.keepalive.record_pong(&payload, self.now) {
                        self.trace.push((self.now, Step::Rtt(rtt)));
                    }
                }
            }
            self.send_to_peer(out);
        }

        fn tick(&mut self) {
            if self.end.state() != State::Open {
                self.keepalive.record_closing(self.now);
            }
            if self.end.transport_advice() == TransportAdvice::Close {
                self.trace.push((self.now, Step::Ended));
                return;
            }
            if !self.is_eager
                && self
                    .keepalive
                    .deadline()
                    .is_none_or(|deadline| self.now < deadline)
            {
                return;
            }
            let mut out = Vec::new();
            match self.keepalive.tick(self.now) {
                Ok(Action::Wait) => {}
                Ok(Action::Ping(payload)) => {
                    self.end.send_ping(&payload, &mut out).unwrap();
                    self.trace.push((self.now, Step::Ping(payload.to_vec())));
                }
                Err(expired) => self.trace.push((self.now, Step::Expired(expired))),
            }
            self.send_to_peer(out);
        }

        fn expired(&self) -> Option<(Duration, Expired)> {
            self.trace.iter().find_map(|(time, step)| match step {
                Step::Expired(expired) => Some((*time, *expired)),
                _ => None,
            })
        }

        fn rtts(&self) -> Vec<Duration> {
            let rtt = |(_, step): &(_, Step)| match step {
                Step::Rtt(rtt) => Some(*rtt),
                _ => None,
            };
            self.trace.iter().filter_map(rtt).collect()
        }
    }

    fn arrived(link: &mut VecDeque<(Duration, Vec<u8>)>, now: Duration) -> Option<Vec<u8>> {
        let (time, _) = link.front()?;
        (*time <= now).then(|| link.pop_front())?.map(|(_, bytes)| bytes)
    }

    /// Everything that a connection has to do from `START` to `until`, derived Ping by Ping from what arrived and when.
    fn expected(
        interval: Duration,
        timeout: Duration,
        arrivals: &[(Duration, Arrival)],
        payloads: &[Vec<u8>],
        until: Duration,
    ) -> Vec<(Duration, Step)> {
        let mut steps = Vec::new();
        let mut sent = START + interval;
        for payload in payloads {
            if sent > until {
                break;
            }
            steps.push((sent, Step::Ping(payload.clone())));
            let next = sent + interval.max(timeout);
            let since = |end: Duration| {
                arrivals
                    .iter()
                    .filter(move |(time, _)| *time > sent && *time <= end)
            };
            if since(sent + timeout).next().is_none() {
                if sent + timeout <= until {
                    steps.push((sent + timeout, Step::Expired(Expired::Ping)));
                }
                return steps;
            }
            let answer = since(next).find(|(_, arrival)| *arrival == Arrival::Pong(payload.clone()));
            match answer {
                Some((time, _)) => {
                    steps.push((*time, Step::Rtt(*time - sent)));
                    sent = (*time).max(sent + interval);
                }
                None => sent = next,
            }
        }
        steps
    }

    fn answer() -> impl Strategy<Value = Vec<(Duration, Answer)>> {
        let one = prop_oneof![
            6 => Just(Answer::Pong(0)),
            2 => (1usize..3).prop_map(Answer::Pong),
            1 => Just(Answer::Wrong),
            1 => Just(Answer::Text),
        ];
        vec(((1u64..6_000).prop_map(millis), one), 0..4)
    }

    proptest! {
        #![proptest_config(cases(if cfg!(miri) { 2 } else { 400 }))]

        // RFC 6455 section 5.5.3: 6455-5.5.3-03, 6455-5.5.3-04. Each Ping, each measurement and the end are at the times that an
        // independent computation from the arrivals gives, in both roles, however often the caller ticks.
        #[test]
        fn every_schedule_matches_an_independent_computation(
            is_server in any::<bool>(),
            interval in (1u64..8_000).prop_map(millis),
            timeout in (1u64..8_000).prop_map(millis),
            delay in (0u64..2_000).prop_map(millis),
            answers in vec(answer(), 0..20),
            texts in vec((0u64..60_000).prop_map(millis), 0..12),
            cut in prop::option::of((0u64..60_000).prop_map(millis)),
            is_eager in any::<bool>(),
            extra_ticks in vec((0u64..60_000).prop_map(millis), 0..20),
        ) {
            let end = if is_server { common::server() } else { common::client() };
            let mut world = World::new(&end, &CONFIG.ping_interval(interval).ping_timeout(timeout));
            world.delay = delay;
            world.answers = answers.into();
            world.cut = cut.map(|cut| START + cut);
            world.is_eager = is_eager;
            world.extra_ticks = extra_ticks.into_iter().map(|tick| START + tick).collect();
            for text in texts {
                world.plan(START + text, Act::Text);
            }
            let until = START + secs(60);
            world.run(until);

            let payloads: Vec<_> = world.trace.iter().filter_map(|(_, step)| match step {
                Step::Ping(payload) => Some(payload.clone()),
                _ => None,
            }).collect();
            // One more than were sent, so that a missing Ping is detected.
            let more = [payloads.clone(), vec![b"one more".to_vec()]].concat();
            let expected = expected(interval, timeout, &world.arrivals, &more, until);
            prop_assert_eq!(&world.trace, &expected);

            // The bounds that the documentation promises.
            if let Some((time, _)) = world.expired() {
                let last = world.arrivals.last().map_or(START, |(time, _)| *time);
                prop_assert!(time >= last + timeout);
                prop_assert!(time <= last + interval.max(timeout) + timeout);
            }
        }

        // A peer that replies within the timeout is never given up, with any other traffic.
        #[test]
        fn a_live_peer_is_never_dropped(
            is_server in any::<bool>(),
            interval in (1u64..8_000).prop_map(millis),
            timeout in (1u64..8_000).prop_map(millis),
            delays in vec(0.0..=1.0, 20),
            share in 0.0..=1.0,
            older in any::<bool>(),
        ) {
            let end = if is_server { common::server() } else { common::client() };
            let mut world = World::new(&end, &CONFIG.ping_interval(interval).ping_timeout(timeout));
            // The delays of both directions and of the peer are at most the timeout together.
            world.delay = timeout.mul_f64(share / 2.0);
            let spare = timeout - world.delay * 2;
            for delay in delays {
                let pong = Answer::Pong(usize::from(older));
                world.answers.push_back(vec![(spare.mul_f64(delay), pong)]);
            }
            // Ends before a Ping without a reply can expire.
            world.run(START + interval * 20);
            prop_assert_eq!(world.expired(), None);
        }
    }

    // RFC 6455 sections 7.1.4 and 7.1.5: 6455-7.1.4-01, 6455-7.1.5-03
    #[test]
    fn a_dead_peer_is_dropped_and_the_connection_says_1006() {
        for end in common::both() {
            let mut world = World::new(&end, &CONFIG).answering(secs(1));
            world.delay = millis(150);
            world.cut = Some(START + secs(100));
            world.run(START + secs(1_000));
            // The Ping at 100 is lost.
            let dead = START + secs(100) + TIMEOUT;
            assert_eq!(world.expired(), Some((dead, Expired::Ping)), "{end:?}");
            assert_eq!(world.rtts(), [millis(1_300); 4]);
            assert_eq!(world.keepalive.last_rtt(), Some(millis(1_300)));
            let closed = world.end.receive_eof();
            assert_eq!(
                (closed.code(), closed.by()),
                (CloseCode::ABNORMAL, ClosedBy::Transport)
            );
            assert!(!closed.is_clean());
        }
    }

    // RFC 6455 section 5.5.3: 6455-5.5.3-04
    #[test]
    fn pongs_out_of_order_cause_no_wrong_sample() {
        let mut world = World::new(&common::server(), &CONFIG);
        let late = secs(21); // after the next Ping, and its Pong
        world.answers = [
            vec![(secs(1), Answer::Text), (late, Answer::Pong(0))],
            vec![(millis(300), Answer::Pong(0)), (millis(400), Answer::Pong(0))],
            vec![(millis(200), Answer::Pong(1)), (millis(500), Answer::Pong(0))],
            vec![(millis(100), Answer::Pong(2)), (millis(700), Answer::Wrong)],
        ]
        .into();
        world.run(START + secs(99));
        assert_eq!(world.rtts(), [millis(300), millis(500)]);
        assert_eq!(world.expired(), None);
    }

    // A Pong may have to wait until a large message is sent; the bytes of the message count as activity.
    #[test]
    fn a_slow_upload_in_one_frame_counts_as_activity() {
        let mut world = World::new(&common::server_with(Config::new()), &CONFIG);
        let size = 1024 * 1024;
        let mut bytes = common::frame(0x82, Some(common::KEY), &vec![7; size]);
        bytes.extend(common::frame(0x8a, Some(common::KEY), b"late"));
        let pieces = bytes.chunks(4096).map(<[u8]>::to_vec);
        let step = TIMEOUT - millis(1);
        let mut time = START;
        for piece in pieces {
            time += step;
            world.plan(time, Act::Bytes(piece));
        }
        world.run(time);
        assert_eq!(world.expired(), None);
        world.run(time + secs(1_000));
        let (dead, expired) = world.expired().unwrap();
        assert_eq!(expired, Expired::Ping);
        assert!(dead <= time + INTERVAL + TIMEOUT);
    }

    // RFC 6455 section 5.5.3: 6455-5.5.3-03. It is a one-way heartbeat, as the section says.
    #[test]
    fn unsolicited_pongs_are_activity_but_not_a_sample() {
        let mut world = World::new(&common::server(), &CONFIG);
        for n in 0..100 {
            world.plan(START + secs(5) * n, Act::Pong(n.to_be_bytes().to_vec()));
        }
        world.run(START + secs(499));
        assert_eq!((world.expired(), world.rtts()), (None, vec![]));
    }

    // RFC 6455 sections 5.5.1 and 7: 6455-7-02, D42
    #[test]
    fn a_peer_that_answers_no_close_is_given_up() {
        for end in common::both() {
            let mut world = World::new(&end, &CONFIG).answering(secs(1));
            world.run(START + secs(50));
            let mut out = Vec::new();
            world.end.close(CloseCode::NORMAL, "", &mut out).unwrap();
            assert_eq!(world.end.transport_advice(), TransportAdvice::AwaitPeer);
            // It does not read the Close, and continues sending.
            for n in 0..100 {
                world.plan(START + secs(50) + millis(100) * n, Act::Text);
            }
            world.run(START + secs(1_000));
            assert_eq!(
                world.expired(),
                Some((START + secs(53), Expired::Closing)),
                "{end:?}"
            );
            let closed = world.end.receive_eof();
            assert_eq!(
                (closed.code(), closed.by()),
                (CloseCode::ABNORMAL, ClosedBy::Local)
            );
        }
    }

    // RFC 6455 section 5.5.1: 6455-5.5.1-09, D42
    #[test]
    fn a_client_awaits_the_end_of_the_transport_for_the_closing_time() {
        let mut world = World::new(&common::client(), &CONFIG).answering(secs(1));
        world.plan(START + secs(7), Act::Close);
        world.run(START + secs(1_000));
        assert_eq!(
            (world.end.state(), world.end.transport_advice()),
            (State::Closed, TransportAdvice::AwaitPeer)
        );
        assert_eq!(world.trace, [(START + secs(10), Step::Expired(Expired::Closing))]);
        assert_eq!(world.end.receive_eof().code(), CloseCode::NORMAL);

        let mut world = World::new(&common::server(), &CONFIG).answering(secs(1));
        world.plan(START + secs(7), Act::Close);
        world.run(START + secs(1_000));
        assert_eq!(
            world.trace,
            [(START + secs(7), Step::Ended)],
            "a server closes at once"
        );
    }

    const TIMED_OUT: &str = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Type: text/plain\r\n\
        Content-Length: 29\r\n\r\nhead was not complete in time";

    // RFC 6455 section 4.2: 6455-4.2-01; RFC 9110 section 15.5.9
    #[test]
    fn server_answers_a_request_that_takes_too_long_with_408() {
        let request = b"GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n";
        for size in 1..request.len() - 1 {
            let mut keepalive = Keepalive::new(&CONFIG, START);
            let mut handshake = ServerHandshake::new(&Config::new());
            let mut out = Vec::new();
            // One byte per second extends nothing.
            let mut now = START;
            for byte in &request[..size] {
                let mut byte = [*byte];
                assert!(handshake.receive(&mut &mut byte[..], &mut out).unwrap().is_none());
                keepalive.record_activity();
                now += secs(1);
                if keepalive.tick(now) == Err(Expired::Opening) {
                    assert_eq!(now, START + secs(5));
                    break;
                }
            }
            for expected in [TIMED_OUT, ""] {
                let error = handshake.handle_timeout(&mut out);
                assert_eq!((error, error.status()), (HandshakeError::TimedOut, 408));
                assert_eq!(String::from_utf8(std::mem::take(&mut out)).unwrap(), expected);
            }
            assert_eq!(handshake.receive_eof(), HandshakeError::TimedOut);
            let mut rest = request.to_vec();
            let mut input = &mut rest[..];
            assert_eq!(
                handshake.receive(&mut input, &mut out).err(),
                Some(HandshakeError::TimedOut)
            );
            assert_eq!((input.len(), out.len()), (request.len(), 0));
        }
    }

    // RFC 9110 section 9.3.2: 6455-4.2-01
    #[test]
    fn server_sends_a_408_only_for_a_partial_request() {
        let time_out = |mut bytes: Vec<u8>| {
            let mut handshake = ServerHandshake::new(&Config::new());
            let mut out = Vec::new();
            _ = handshake.receive(&mut &mut bytes[..], &mut out);
            out.clear();
            let error = handshake.handle_timeout(&mut out);
            (error, String::from_utf8(out).unwrap())
        };
        // Browsers open connections in advance.
        assert_eq!(time_out(vec![]), (HandshakeError::TimedOut, String::new()));
        // After the request, or its error, there is nothing more to send.
        let whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        assert_eq!(time_out(whole), (HandshakeError::Finished, String::new()));
        let wrong = b"GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_vec();
        let (major, minor) = (2, 0);
        let error = HandshakeError::UnsupportedHttpVersion { major, minor };
        assert_eq!(time_out(wrong), (error, String::new()));
        // The response to HEAD has the length but no body.
        let (_, head) = time_out(b"HEAD / HTTP/1.1\r\n".to_vec());
        assert_eq!(head, TIMED_OUT.trim_end_matches("head was not complete in time"));
    }
}

proptest! {
    #![proptest_config(cases(256))]

    // Decision D79: the next Ping is due at most one interval after the call, whatever time was requested
    #[test]
    fn ping_at_is_bounded_by_the_interval(time in 0..100_000_000_u64, later in 0..50_000_u64) {
        let mut keepalive = opened(&CONFIG);
        let now = START + millis(later % 20_000);
        let asked = millis(time);
        keepalive.ping_at(asked, now);
        let due = keepalive.deadline().unwrap();
        prop_assert_eq!(due, asked.min(now + INTERVAL));
        // A tick before it changes nothing.
        if now < due {
            keepalive.waits(now, due);
        }
    }
}
