//! The two halves of a split connection together do what the connection does.
#![cfg(feature = "alloc")]

mod common;

use common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use websocket_proto::{
    AutoPong, CloseCode, Closed, ClosedBy, Config, Connection, Delivery, Event, Fin, MessageKind, Misuse,
    ReceiveHalf, Role, SendHalf, State, TransportAdvice,
};

/// One end, as one connection or split.
trait OneEnd: Receiver {
    fn send(&mut self, step: &Step, out: &mut Vec<u8>) -> Result<(), Misuse>;
    fn end(&mut self);
}

#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Header(Vec<u8>),
    InPlace(Vec<u8>),
    Fragment(Vec<u8>, bool),
    Ping(Vec<u8>),
    Close(Option<u16>),
}

macro_rules! send {
    ($sender:expr, $step:expr, $out:expr) => {
        match $step {
            Step::Text(text) => $sender.send_text(text, $out),
            Step::Header(bytes) => $sender.send_binary_header(bytes, $out),
            Step::InPlace(bytes) => $sender.send_in_place(MessageKind::Text, &mut bytes.clone(), $out),
            Step::Fragment(bytes, true) => $sender.send_fragment(MessageKind::Binary, bytes, Fin::Last, $out),
            Step::Fragment(bytes, false) => {
                $sender.send_fragment(MessageKind::Binary, bytes, Fin::More, $out)
            }
            Step::Ping(bytes) => $sender.send_ping(bytes, $out),
            Step::Close(code) => $sender.close(code.map(CloseCode), "", $out),
        }
    };
}

impl OneEnd for Connection {
    fn send(&mut self, step: &Step, out: &mut Vec<u8>) -> Result<(), Misuse> {
        send!(self, step, out)
    }

    fn end(&mut self) {
        self.receive_eof();
    }
}

impl OneEnd for (ReceiveHalf, SendHalf) {
    fn send(&mut self, step: &Step, out: &mut Vec<u8>) -> Result<(), Misuse> {
        send!(self.1, step, out)
    }

    fn end(&mut self) {
        let reply = self.0.receive_eof();
        self.1.reply(reply, &mut Vec::new());
    }
}

#[derive(Clone, Debug)]
enum Action {
    Send(Step),
    Receive(Vec<u8>),
    End,
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || vec(any::<u8>(), 0..140);
    prop_oneof![
        3 => ".{0,20}".prop_map(Step::Text),
        1 => bytes().prop_map(Step::Header),
        1 => bytes().prop_map(Step::InPlace),
        2 => (bytes(), any::<bool>()).prop_map(|(bytes, fin)| Step::Fragment(bytes, fin)),
        2 => bytes().prop_map(Step::Ping),
        1 => prop_oneof![Just(None), Just(Some(1000)), Just(Some(1005)), Just(Some(4000))].prop_map(Step::Close),
    ]
}

/// What the peer sends: mostly valid frames, in any order.
fn wire(role: Role) -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x88, 0x83]);
    let key = (role == Role::Server).then_some(KEY);
    vec((first, vec(b' '..b'~', 0..20)), 1..5).prop_map(move |frames| {
        frames
            .into_iter()
            .flat_map(|(first, payload)| match first {
                0x88 => frame(first, key, &[&[3, 0xe8], &payload[..]].concat()),
                _ => frame(first, key, &payload),
            })
            .collect()
    })
}

fn action(role: Role) -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => step().prop_map(Action::Send),
        6 => wire(role).prop_map(Action::Receive),
        1 => Just(Action::End),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let auto_pong = prop::sample::select(vec![
        AutoPong::Off,
        AutoPong::WhileOpen,
        AutoPong::UntilPeerCloses,
    ]);
    let delivery = prop::sample::select(vec![Delivery::Whole, Delivery::Chunks]);
    (auto_pong, any::<bool>(), delivery).prop_map(|(auto_pong, auto_close, delivery)| {
        Config::new()
            .auto_pong(auto_pong)
            .auto_close(auto_close)
            .delivery(delivery)
    })
}

/// Everything that one action shows.
type Trace = (
    Vec<Event<'static>>,
    Result<(), String>,
    Vec<u8>,
    (Role, State, TransportAdvice),
);

fn act(end: &mut impl OneEnd, action: &Action) -> Trace {
    let (mut events, mut out, mut result) = (Vec::new(), Vec::new(), Ok(()));
    match action {
        Action::Send(step) => result = end.send(step, &mut out).map_err(|misuse| misuse.to_string()),
        Action::Receive(wire) => {
            let mut wire = wire.clone();
            let mut input = &mut wire[..];
            loop {
                match end.receive(&mut input, &mut out) {
                    Ok(Some(event)) => events.push(event.into_owned()),
                    Ok(None) => break,
                    Err(error) => {
                        result = Err(error.to_string());
                        break;
                    }
                }
            }
        }
        Action::End => end.end(),
    }
    (events, result, out, end.status())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    // Contract, clause 6: a connection in two halves does what it does in one piece, and so does one that is joined at any time
    #[test]
    fn halves_do_what_the_connection_does(
        (role, actions) in prop_oneof![Just(Role::Server), Just(Role::Client)]
            .prop_flat_map(|role| (Just(role), vec(action(role), 1..12))),
        config in config(),
        joined_at in any::<Index>(),
    ) {
        let end = End { role, config };
        let mut whole = end.open();
        let mut halves = end.open().split();
        let mut joined = end.open();
        let joined_at = joined_at.index(actions.len());
        for (i, action) in actions.iter().enumerate() {
            let trace = act(&mut whole, action);
            prop_assert_eq!(&act(&mut halves, action), &trace);
            if i == joined_at {
                let (receiver, sender) = joined.split();
                joined = Connection::join(receiver, sender);
            }
            prop_assert_eq!(&act(&mut joined, action), &trace);
        }
        let by_reference = Closed::of(&halves.0, &halves.1);
        prop_assert_eq!(&whole.closed(), &by_reference);
        let mut halves = Connection::join(halves.0, halves.1);
        prop_assert_eq!(&halves.closed(), &by_reference);
        let closed = whole.receive_eof();
        prop_assert!(by_reference.is_none_or(|before| before == closed));
        prop_assert_eq!(&halves.receive_eof(), &closed);
        prop_assert_eq!(&joined.receive_eof(), &closed);
    }
}

// Contract, clause 6: the reply is a plain value; the sending half knows only the replies that it was given
#[test]
fn sending_half_acts_on_the_replies_it_was_given() {
    let (mut receiver, mut sender) = server().open().split();
    let mut out = Vec::new();
    let mut wire = server().incoming(0x88, &[3, 0xe8]);
    let (event, reply) = receiver.receive(&mut &mut wire[..]);
    assert!(matches!(event, Ok(Some(Event::Close(_)))));
    assert!(!receiver.is_open());
    assert_eq!(format!("{reply:?}"), "Close(Some(CloseCode(1000)))");

    // The Close is on its way between the two tasks; the message is still sent before the reply.
    sender.send_text("last", &mut out).unwrap();
    assert_eq!(
        (sender.state(), sender.transport_advice()),
        (State::Open, TransportAdvice::KeepOpen)
    );
    sender.reply(reply, &mut out);
    assert_eq!(out, b"\x81\x04last\x88\x02\x03\xe8");
    assert_eq!(
        (sender.state(), sender.transport_advice()),
        (State::Closed, TransportAdvice::Close)
    );
    assert_eq!(sender.send_text("late", &mut out), Err(Misuse::NotOpen));
    let closed = Connection::join(receiver, sender).receive_eof();
    assert_eq!(facts(&closed), (1000, Some(1000), Some(1000), true));
}

// Contract, clause 7: D83: the summary can be read before the transport has ended, by reference, and that ends nothing
#[test]
fn end_of_two_halves_can_be_looked_at() {
    for end in both() {
        let (mut receiver, mut sender) = end.open().split();
        let mut out = Vec::new();
        assert!(sender.is_open());
        assert_eq!(Closed::of(&receiver, &sender), None);
        sender.close(CloseCode::NORMAL, "", &mut out).unwrap();
        assert!(!sender.is_open());
        assert_eq!(
            Closed::of(&receiver, &sender),
            None,
            "the peer's Close is awaited"
        );
        let mut wire = end.incoming(0x88, b"\x03\xe9bye");
        let (_, reply) = receiver.receive(&mut &mut wire[..]);
        // The reply is on its way.
        let closed = Closed::of(&receiver, &sender).unwrap();
        assert_eq!(facts(&closed), (1001, Some(1000), Some(1001), true));
        assert_eq!((closed.by(), closed.reason()), (ClosedBy::Local, "bye"));
        sender.reply(reply, &mut out);
        assert_eq!(Closed::of(&receiver, &sender).unwrap(), closed);
        assert_eq!(Connection::join(receiver, sender).receive_eof(), closed);

        // A failure whose Close is not written yet: none was sent.
        let (mut receiver, mut sender) = end.open().split();
        let mut wire = end.incoming(0x83, b"");
        let (_, reply) = receiver.receive(&mut &mut wire[..]);
        let failed = |sent| (1006, sent, None, false);
        assert_eq!(facts(&Closed::of(&receiver, &sender).unwrap()), failed(None));
        sender.reply(reply, &mut out);
        assert_eq!(
            facts(&Closed::of(&receiver, &sender).unwrap()),
            failed(Some(1002))
        );
    }
}

// A reply that never reached the sending half: the caller has to reply to the Close
#[test]
fn joined_connection_knows_of_a_close_whose_reply_was_lost() {
    let (mut receiver, sender) = client().open().split();
    let mut wire = client().incoming(0x88, b"");
    let (_, lost) = receiver.receive(&mut &mut wire[..]);
    drop(lost);
    let mut connection = Connection::join(receiver, sender);
    assert_eq!(connection.state(), State::Closing);
    let mut out = Vec::new();
    connection.close(CloseCode::NORMAL, "", &mut out).unwrap();
    assert_eq!(out, client().own(0x88, &[3, 0xe8]));
    assert!(connection.receive_eof().is_clean());
}

// RFC 6455 section 5.1: only servers can send a header alone
#[test]
fn client_sends_no_header_without_masking() {
    let (mut connection, mut out) = (client().open(), Vec::new());
    assert_eq!(
        connection.send_text_header("text", &mut out),
        Err(Misuse::Unmasked)
    );
    assert_eq!(
        connection.send_binary_header(b"bytes", &mut out),
        Err(Misuse::Unmasked)
    );
    assert_eq!(out, b"");
}

// RFC 6455 section 5.6: what is sent as text is text
#[test]
fn text_in_place_is_checked_before_it_is_masked() {
    let (mut connection, mut out) = (client().open(), Vec::new());
    let mut payload = *b"caf\xc3";
    let sent = connection.send_in_place(MessageKind::Text, &mut payload, &mut out);
    assert_eq!(
        (sent, out.len(), &payload),
        (Err(Misuse::InvalidUtf8), 0, b"caf\xc3")
    );
}

proptest! {
    // RFC 6455 section 5.2: header and payload sent separately are the same as the complete frame
    #[test]
    fn vectored_sends_are_the_same_bytes(payload in vec(any::<u8>(), 0..70_000), text in ".{0,50}") {
        for end in both() {
            let (mut expected, mut out) = (Vec::new(), Vec::new());
            end.open().send_binary(&payload, &mut expected).unwrap();
            let mut in_place = payload.clone();
            end.open().send_in_place(MessageKind::Binary, &mut in_place, &mut out).unwrap();
            prop_assert_eq!(&[&out[..], &in_place].concat(), &expected);

            out.clear();
            expected.clear();
            end.open().send_text(&text, &mut expected).unwrap();
            let mut in_place = text.clone().into_bytes();
            end.open().send_in_place(MessageKind::Text, &mut in_place, &mut out).unwrap();
            prop_assert_eq!(&[&out[..], &in_place].concat(), &expected);
        }
        let (mut server, mut out) = (server().open(), Vec::new());
        server.send_text_header(&text, &mut out).unwrap();
        out.extend_from_slice(text.as_bytes());
        server.send_binary_header(&payload, &mut out).unwrap();
        out.extend_from_slice(&payload);
        let mut expected = Vec::new();
        server.send_text(&text, &mut expected).unwrap();
        server.send_binary(&payload, &mut expected).unwrap();
        prop_assert_eq!(out, expected);
    }
}

// Contract, clause 6: a reply is due for a Ping, a Close and the end, and for nothing else
#[test]
fn reply_is_empty_unless_one_is_due() {
    for end in both() {
        let owed = |bytes: &[u8]| {
            let (mut receiver, _) = end.open().split();
            let (_, reply) = receiver.receive(&mut &mut bytes.to_vec()[..]);
            !reply.is_none()
        };
        for (first, is_owed) in [
            (0x81, false),
            (0x02, false),
            (0x89, true),
            (0x8a, false),
            (0x88, true),
            (0x83, true),
        ] {
            assert_eq!(owed(&end.incoming(first, b"")), is_owed, "{first:x}");
        }
        assert!(!owed(b""));
        assert!(!end.open().split().0.receive_eof().is_none());
    }
}

/// The frames that cause the replies of the property below, each given as its first byte and payload: Pings, a Close, an error.
fn owed() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let ping = vec(any::<u8>(), 0..10).prop_map(|payload| (0x89, payload));
    let last = prop_oneof![
        Just(Some((0x88, vec![]))),
        Just(Some((0x88, vec![0x03, 0xe9]))),
        Just(Some((0x83, vec![]))),
        Just(None),
    ];
    (vec(ping, 0..5), last).prop_map(|(mut frames, last)| {
        frames.extend(last);
        frames
    })
}

proptest! {
    // RFC 6455 section 5.5.1: D78, in any order in which replies reach the sending half
    #[test]
    fn replies_in_any_order_put_nothing_after_the_peers_close_or_a_failure(
        frames in owed(),
        order in vec(any::<Index>(), 8),
        auto_pong in prop::sample::select(vec![AutoPong::Off, AutoPong::WhileOpen, AutoPong::UntilPeerCloses]),
        auto_close in any::<bool>(),
        closes_first in any::<bool>(),
    ) {
        for end in both_with(Config::new().auto_pong(auto_pong).auto_close(auto_close)) {
            let (mut receiver, mut sender) = end.open().split();
            let mut replies = Vec::new();
            for (first, payload) in &frames {
                let mut wire = end.incoming(*first, payload);
                let (_, reply) = receiver.receive(&mut &mut wire[..]);
                replies.push((*first, reply));
            }
            replies.push((0, receiver.receive_eof()));
            let mut out = Vec::new();
            if closes_first {
                sender.close(None, "", &mut out).unwrap();
            }
            let (mut over, mut next) = (false, order.iter());
            while !replies.is_empty() {
                let (first, reply) = replies.remove(next.next().unwrap().index(replies.len()));
                let before = out.len();
                sender.reply(reply, &mut out);
                prop_assert!(!over || out.len() == before, "{:x} after the end", first);
                over |= first != 0x89;
            }
            // Complete frames, one Close at most, only Pongs after it.
            strict::frames_of(end.role, &out);
        }
    }
}

// RFC 6455 section 5.2: a header is the same whether memory for it is there or not
#[test]
fn header_does_not_depend_on_the_memory_for_it() {
    for capacity in [0, 64] {
        let (_, mut sender) = Connection::server(&Config::new()).split();
        let mut out = Vec::with_capacity(capacity);
        sender.send_text_header("text", &mut out).unwrap();
        sender.send_binary_header(&[0; 200], &mut out).unwrap();
        assert_eq!(out, b"\x81\x04\x82\x7e\x00\xc8", "{capacity}");
    }
}
